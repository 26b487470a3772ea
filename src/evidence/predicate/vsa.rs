//! SLSA verification summaries: what another verifier found, and under which policy.
//!
//! Spec: <https://slsa.dev/spec/v1.1/verification_summary>. In: the predicate of an authenticated
//! statement. Out: [`VerificationSummary`], of what policies ask about, read strictly where the specification
//! says what stands there; other members are kept out of the way. Not checked here: whether its verifier is one
//! to believe, and whether it is about an artifact of ours; `verify` does.
//!
//! v0.2 of the predicate is not read: it names one policy level, and no tracks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{PredicateError, read};
use crate::time::Timestamp;

/// `https://slsa.dev/verification_summary/v1`.
pub const TYPE: &str = "https://slsa.dev/verification_summary/v1";

/// What a verifier found about an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct VerificationSummary {
    /// Who verified.
    pub verifier: Verifier,
    /// When, by the verifier's word.
    #[serde(default, deserialize_with = "super::optional_instant")]
    pub time_verified: Option<Timestamp>,
    /// What the artifact was verified as: a name that policies of the verifier know.
    pub resource_uri: String,
    /// Under which policy.
    pub policy: Resource,
    /// Whether the policy was met.
    pub verification_result: VerificationResult,
    /// The levels that were met, each of some track; empty when it failed.
    pub verified_levels: Vec<String>,
    /// Of which version of SLSA the levels are.
    #[serde(default)]
    pub slsa_version: Option<String>,
}

/// Who verified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub struct Verifier {
    /// A URI; never empty.
    pub id: String,
}

/// Something that is named, by its place or by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(expecting = "an object")]
pub struct Resource {
    /// Where it is.
    #[serde(default)]
    pub uri: Option<String>,
    /// What it is, by algorithm.
    #[serde(default)]
    pub digest: Option<BTreeMap<String, String>>,
}

/// Whether a policy was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationResult {
    /// It was.
    Passed,
    /// It was not.
    Failed,
}

impl VerificationSummary {
    /// Reads the predicate of a summary.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let summary: Self = read(TYPE, predicate)?;
        let malformed = |problem: &str| {
            Err(PredicateError::Malformed { predicate_type: TYPE, problem: problem.to_owned() })
        };
        if summary.verifier.id.is_empty() {
            return malformed("`verifier.id` is empty");
        }
        if summary.resource_uri.is_empty() {
            return malformed("`resourceUri` is empty");
        }
        if summary.policy.uri.is_none() && summary.policy.digest.is_none() {
            return malformed("`policy` names neither `uri` nor `digest`");
        }
        Ok(summary)
    }
}

/// Whether one level that was met is another, or a higher one of its track: `SLSA_BUILD_LEVEL_3` meets
/// `SLSA_BUILD_LEVEL_2`, and no level of another track.
pub fn is_met(met: &str, wanted: &str) -> bool {
    if met == wanted {
        return true;
    }
    matches!((track(met), track(wanted)), (Some((a, met)), Some((b, wanted))) if a == b && met >= wanted)
}

/// Whether a summary that passes could name a level. The names of SLSA's own are reserved
/// (<https://slsa.dev/spec/v1.1/verification_summary>); `FAILED` is of one that doesn't pass.
pub fn is_possible(level: &str) -> bool {
    if !level.to_ascii_uppercase().starts_with("SLSA_") {
        return !level.is_empty() && level != "FAILED";
    }
    match track(level) {
        Some(("SLSA_BUILD", number)) => number <= 3,
        Some((track, number)) => track != "SLSA" && number <= 4, // a track may be defined some day
        None => level.starts_with("SLSA_") && level.ends_with("_LEVEL_UNEVALUATED"),
    }
}

/// `SLSA_BUILD_LEVEL_3` as its track and its number; other levels have no order.
fn track(level: &str) -> Option<(&str, u8)> {
    let (track, number) = level.rsplit_once("_LEVEL_")?;
    let digit = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    (track.starts_with("SLSA_") && digit).then(|| number.parse().ok().map(|number| (track, number)))?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary() -> Value {
        json!({
            "verifier": {"id": "https://verifier.example/v1", "version": {"checker": "2.0"}},
            "timeVerified": "2026-11-24T12:00:00.5Z", "resourceUri": "oci://registry.example/payments",
            "policy": {"uri": "https://policies.example/payments", "digest": {"sha256": "ab"}},
            "inputAttestations": [{"uri": "https://x", "digest": {"sha256": "cd"}}],
            "verificationResult": "PASSED", "verifiedLevels": ["ACME_L1", "SLSA_BUILD_LEVEL_2"],
            "dependencyLevels": {"SLSA_BUILD_LEVEL_1": 4}, "slsaVersion": "1.1", "unknown": [1],
        })
    }

    fn with(pointer: &str, value: Value) -> Result<VerificationSummary, PredicateError> {
        let mut predicate = summary();
        *predicate.pointer_mut(pointer).unwrap() = value;
        VerificationSummary::read(&predicate)
    }

    #[test]
    fn reads_a_summary_and_keeps_out_what_it_does_not_know() {
        let read = VerificationSummary::read(&summary()).unwrap();
        assert_eq!(read.verifier.id, "https://verifier.example/v1");
        assert_eq!(read.time_verified, Some(crate::time::parse("2026-11-24T12:00:00.5Z").unwrap()));
        assert_eq!(read.verified_levels, ["ACME_L1", "SLSA_BUILD_LEVEL_2"]);
    }

    #[test]
    fn a_level_that_no_summary_could_name_is_told_from_others() {
        for level in ["SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_4", "ACME_L1", "SLSA_BUILD_LEVEL_UNEVALUATED"]
        {
            assert!(is_possible(level), "{level}");
        }
        for level in
            ["", "FAILED", "SLSA_BUILD_LEVEL_4", "SLSA_BUILD_L3", "slsa_build_level_3", "SLSA_LEVEL_3"]
        {
            assert!(!is_possible(level), "{level}");
        }
    }

    #[test]
    fn a_level_meets_itself_and_the_lower_ones_of_its_track() {
        let meets = |level| ["ACME_L1", "SLSA_BUILD_LEVEL_2"].iter().any(|met| is_met(met, level));
        for met in ["ACME_L1", "SLSA_BUILD_LEVEL_0", "SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_2"] {
            assert!(meets(met), "{met}");
        }
        for other in [
            "",
            "ACME_L0",
            "SLSA_BUILD_LEVEL_3",
            "SLSA_SOURCE_LEVEL_1",
            "SLSA_BUILD_LEVEL_",
            "SLSA_BUILD_LEVEL_+1",
        ] {
            assert!(!meets(other), "{other}");
        }
        assert!(!is_met("SLSA_BUILD_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_0"));
        assert!(!is_met("ACME_LEVEL_3", "ACME_LEVEL_2"), "nobody said that these are ordered");
    }

    #[test]
    fn is_strict_on_what_it_reads() {
        for (pointer, value) in [
            ("/verifier/id", json!("")),
            ("/verifier", json!("https://verifier.example")),
            ("/resourceUri", json!("")),
            ("/policy", json!({})),
            ("/policy/digest/sha256", json!(7)),
            ("/verificationResult", json!("passed")),
            ("/verificationResult", json!(null)),
            ("/verifiedLevels", json!("SLSA_BUILD_LEVEL_3")),
            ("/timeVerified", json!("2026-11-24 12:00:00Z")),
        ] {
            assert!(with(pointer, value.clone()).is_err(), "{pointer}: {value}");
        }
        for member in ["verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"] {
            let mut predicate = summary();
            predicate.as_object_mut().unwrap().remove(member);
            assert!(VerificationSummary::read(&predicate).is_err(), "{member}");
        }
    }
}
