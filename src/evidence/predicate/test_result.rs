//! in-toto's test results: how one run of a test suite ended.
//!
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>. In: the
//! predicate of an authenticated statement. Out: [`TestResult`]; members that it doesn't know are
//! kept out of the way. The format has no place for when the run ended, so that is read from a member of our
//! own, as its parsing rules let producers add them. Not checked here: which tests were run, and with which configuration.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PredicateError, read};
use crate::time::Timestamp;

/// `https://in-toto.io/attestation/test-result/v0.1`.
pub const TYPE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// How one run of a test suite ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct TestResult {
    /// The whole run's result.
    pub result: Ending,
    /// Tests that failed, by name.
    #[serde(default)]
    pub failed_tests: Option<Vec<String>>,
    /// When the run ended, by its own word; a member of ours, absent in what others write.
    #[serde(default, rename = "laforge_finishedOn", deserialize_with = "super::optional_instant")]
    pub laforge_finished_on: Option<Timestamp>,
}

/// The result of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Ending {
    /// Every test passed.
    Passed,
    /// Every test passed, some with warnings.
    Warned,
    /// Some test failed.
    Failed,
}

impl TestResult {
    /// Reads the predicate of a test result.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        read(TYPE, predicate)
    }

    /// How it ended: a run that lists a test that failed has failed, whatever its result says.
    pub fn ending(&self) -> Ending {
        match self.failed_tests.as_ref().is_some_and(|tests| !tests.is_empty()) {
            true => Ending::Failed,
            false => self.result,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_with_a_failed_test_has_failed_whatever_its_result_says() {
        let ending = |failed: Value| {
            TestResult::read(&json!({"result": "PASSED", "failedTests": failed})).unwrap().ending()
        };
        assert_eq!(ending(json!([])), Ending::Passed);
        assert_eq!(ending(json!(["unit"])), Ending::Failed);
        let bare = TestResult::read(&json!({"result": "WARNED", "configuration": []})).unwrap();
        assert_eq!(bare.ending(), Ending::Warned);
    }

    #[test]
    fn refuses_a_result_that_is_none() {
        for wrong in [
            json!({}),
            json!({"result": null}),
            json!({"result": "passed"}),
            json!({"result": true}),
            json!({"result": "PASSED", "failedTests": "unit"}),
            json!({"result": "PASSED", "laforge_finishedOn": "yesterday"}),
            json!([]),
        ] {
            assert!(TestResult::read(&wrong).is_err(), "{wrong}");
        }
    }
}
