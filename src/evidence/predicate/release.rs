//! in-toto's release predicate: that artifacts are those of a published release. GitHub signs one for each
//! of its immutable releases.
//!
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/predicates/release.md>,
//! <https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/verifying-the-integrity-of-a-release>.
//! In: the predicate of an authenticated statement. Out: [`Published`]; members that it doesn't know, such
//! as GitHub's numbers of repository and owner, are kept out of the way. Not said by it: who built what was
//! published.

use serde::Deserialize;
use serde_json::Value;

use super::{PredicateError, filled, read};

/// The versions of the type; `purl` means the same in both.
const TYPES: [&str; 2] =
    ["https://in-toto.io/attestation/release/v0.1", "https://in-toto.io/attestation/release/v0.2"];

/// A release that artifacts were published with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub struct Published {
    /// Which release: a package URL, of GitHub's `pkg:github/OWNER/REPOSITORY@TAG`.
    pub purl: String,
}

/// Which of the versions that are read a predicate type is.
pub fn version(predicate_type: &str) -> Option<&'static str> {
    TYPES.into_iter().find(|version| *version == predicate_type)
}

impl Published {
    /// Reads the predicate of a release statement of a [`version`].
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(version: &'static str, predicate: &Value) -> Result<Self, PredicateError> {
        let published: Self = read(version, predicate)?;
        filled(version, [("purl", published.purl.as_str())].into_iter())?;
        Ok(published)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_which_release_it_is_and_refuses_one_that_does_not_say() {
        let [v01, v02] = TYPES;
        let github = json!({
            "ownerId": "3935899", "purl": "pkg:github/acme/payments@v2.4.0", "releaseId": "253765772",
            "repository": "acme/payments", "repositoryId": "1073967940", "tag": "v2.4.0",
        });
        let purl = "pkg:github/acme/payments@v2.4.0".to_owned();
        assert_eq!(Published::read(v02, &github).unwrap(), Published { purl });
        for wrong in [json!({}), json!({"purl": ""}), json!({"purl": null}), json!({"purl": 1}), json!([])] {
            assert!(Published::read(v01, &wrong).is_err(), "{wrong}");
        }
        assert_eq!(version("https://in-toto.io/attestation/release/v0.3"), None);
    }
}
