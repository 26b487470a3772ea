//! in-toto's simple verification results: properties that a verifier found an artifact to have.
//!
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md>, v0.1 and v0.2
//! (which added the verifier's policies). In: the predicate of an authenticated statement. Out:
//! [`VerificationResults`]. A property that is not listed was not found: nothing is implied by
//! another one but a higher level of the same SLSA track. Not checked here: whose word it is.

use serde::Deserialize;
use serde_json::Value;

use super::{PredicateError, read};
use crate::time::Timestamp;

/// `https://in-toto.io/attestation/svr/v0.2`.
pub const TYPE: &str = "https://in-toto.io/attestation/svr/v0.2";
/// `https://in-toto.io/attestation/svr/v0.1`.
pub const TYPE_V0_1: &str = "https://in-toto.io/attestation/svr/v0.1";

/// What a verifier found an artifact to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct VerificationResults {
    /// Who verified.
    pub verifier: Verifier,
    /// When, by the verifier's word.
    #[serde(deserialize_with = "super::instant")]
    pub time_created: Timestamp,
    /// What was found; never empty.
    pub properties: Vec<String>,
}

/// Who verified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub struct Verifier {
    /// A URI; never empty.
    pub id: String,
}

/// Which of the versions that are read a predicate type is.
pub fn version(predicate_type: &str) -> Option<&'static str> {
    [TYPE, TYPE_V0_1].into_iter().find(|version| *version == predicate_type)
}

impl VerificationResults {
    /// Reads the predicate of a result of a [`version`].
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(version: &'static str, predicate: &Value) -> Result<Self, PredicateError> {
        let results: Self = read(version, predicate)?;
        let malformed = |problem: &str| PredicateError::Malformed {
            predicate_type: version,
            problem: problem.to_owned(),
        };
        if results.verifier.id.is_empty() {
            return Err(malformed("`verifier.id` is empty"));
        }
        if results.properties.is_empty() || results.properties.iter().any(String::is_empty) {
            return Err(malformed("`properties` is empty, or one of them is"));
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results(properties: Value) -> Value {
        json!({
            "verifier": {"id": "https://verifier.example/v2", "policies": [{"uri": "https://p"}]},
            "timeCreated": "2026-11-24T12:00:00Z", "properties": properties,
        })
    }

    #[test]
    fn reads_what_was_found_in_its_order() {
        let found = json!(["SLSA_SOURCE_LEVEL_3", "ACME_SCANNED"]);
        let read = VerificationResults::read(TYPE, &results(found)).unwrap();
        assert_eq!(read.properties, ["SLSA_SOURCE_LEVEL_3", "ACME_SCANNED"]);
    }

    #[test]
    fn refuses_results_that_find_nothing_or_name_nobody() {
        for wrong in [json!([]), json!([""]), json!("ACME_SCANNED"), json!([1]), json!(null)] {
            assert!(VerificationResults::read(TYPE, &results(wrong.clone())).is_err(), "{wrong}");
        }
        for member in ["verifier", "timeCreated", "properties"] {
            let mut predicate = results(json!(["A"]));
            predicate.as_object_mut().unwrap().remove(member);
            assert!(VerificationResults::read(TYPE, &predicate).is_err(), "{member}");
        }
        assert_eq!(version("https://in-toto.io/attestation/svr/v0.3"), None);
    }
}
