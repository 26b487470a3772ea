//! Verification summaries of our own: what a gate allowed, for the next stage to build on.
//!
//! In: what was verified, under which policy, and where it is recorded. Out: a statement, not yet
//! signed: a SLSA verification summary v1, or an in-toto simple verification result v0.2.
//! Specs: <https://slsa.dev/spec/v1.1/verification_summary>,
//! <https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md>.
//!
//! Only an allow that is on record is summarised, so there is no `FAILED` here: whoever looks for the
//! file after a deny finds none, and a deny is in the log.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::statement::attest;
use crate::evidence::predicate::{svr, vsa};
use crate::evidence::statement::Subject;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

/// The extension member of a summary that names the log entry of the decision.
pub const ENTRY: &str = "https://laforge.dev/audit-entry/v1";
/// The property that says that a gate allowed the release.
pub const ALLOWED: &str = "LAFORGE_RELEASE_ALLOWED";
/// The version of SLSA that levels are of.
const SLSA_VERSION: &str = "1.0";

/// What a gate allowed.
#[derive(Debug)]
pub struct Summary {
    /// The artifacts that were verified; never empty.
    pub subjects: Vec<Subject>,
    /// The origin of the log that recorded the decision: who verified.
    pub origin: String,
    /// The log's id.
    pub log_id: ClaimedDigest,
    /// The index of the entry.
    pub index: u64,
    /// When it was verified.
    pub time: Timestamp,
    /// What was verified: [`resource_uri`].
    pub resource_uri: String,
    /// Name and version of each policy set.
    pub policy_sets: Vec<(String, u64)>,
    /// The policy digest.
    pub policy: ClaimedDigest,
    /// Every piece of evidence that proved something.
    pub inputs: BTreeSet<ClaimedDigest>,
    /// The least SLSA build level that was proved of an artifact.
    pub build_level: u8,
}

/// `laforge:ENVIRONMENT/NAME@VERSION`, each part percent-encoded where a URI needs it
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
pub fn resource_uri(environment: &str, name: &str, version: &str) -> String {
    format!("laforge:{}/{}@{}", encoded(environment), encoded(name), encoded(version))
}

impl Summary {
    /// As a SLSA verification summary.
    pub fn verification_summary(&self) -> Value {
        let inputs: Vec<Value> = self.inputs.iter().map(|digest| json!({"digest": sha256(digest)})).collect();
        let predicate = json!({
            "verifier": {"id": self.verifier(), "version": {"laforge": env!("CARGO_PKG_VERSION")}},
            "timeVerified": time::to_seconds(self.time),
            "resourceUri": self.resource_uri,
            "policy": {"uri": self.policy_uri(), "digest": sha256(&self.policy)},
            "inputAttestations": inputs,
            "verificationResult": "PASSED",
            "verifiedLevels": [self.level()],
            "slsaVersion": SLSA_VERSION,
            ENTRY: self.entry(),
        });
        attest(&self.subjects, vsa::TYPE, predicate)
    }

    /// As an in-toto simple verification result.
    pub fn verification_results(&self) -> Value {
        let predicate = json!({
            "verifier": {
                "id": self.verifier(),
                "policies": [{"uri": self.policy_uri(), "digest": sha256(&self.policy)}],
            },
            "timeCreated": time::to_seconds(self.time),
            "properties": [self.level(), ALLOWED],
            ENTRY: self.entry(),
        });
        attest(&self.subjects, svr::TYPE, predicate)
    }

    /// Who verified, as a URI: an origin is a URL without its scheme.
    fn verifier(&self) -> String {
        format!("https://{}", self.origin)
    }

    fn policy_uri(&self) -> String {
        let sets: Vec<String> =
            self.policy_sets.iter().map(|(name, version)| format!("{}@{version}", encoded(name))).collect();
        format!("laforge:policy-sets/{}", sets.join("+"))
    }

    fn level(&self) -> String {
        format!("SLSA_BUILD_LEVEL_{}", self.build_level)
    }

    fn entry(&self) -> Value {
        json!({"origin": self.origin, "logId": self.log_id, "index": self.index})
    }
}

fn sha256(digest: &ClaimedDigest) -> Value {
    json!({"sha256": digest.hex()})
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::predicate::vsa::{VerificationResult, VerificationSummary};
    use crate::release::digest::Digest;
    use crate::signing::statement::subject;

    fn summary() -> Summary {
        let digest = |text: &str| Digest::of_bytes(text.as_bytes()).claim();
        Summary {
            subjects: vec![subject("payments", &digest("payments"))],
            origin: "gate.example/payments/staging".to_owned(),
            log_id: digest("log"),
            index: 7,
            time: time::parse("2026-11-24T12:00:00.9Z").unwrap(),
            resource_uri: resource_uri("staging", "payments", "2.4.0"),
            policy_sets: vec![("staging".to_owned(), 3), ("flags".to_owned(), 0)],
            policy: digest("policy"),
            inputs: [digest("b"), digest("a")].into(),
            build_level: 3,
        }
    }

    #[test]
    fn our_own_reader_takes_what_is_written() {
        let statement = summary().verification_summary();
        let read = VerificationSummary::read(&statement["predicate"]).unwrap();
        assert_eq!(read.verifier.id, "https://gate.example/payments/staging");
        assert_eq!(read.resource_uri, "laforge:staging/payments@2.4.0");
        assert_eq!(read.policy.uri.as_deref(), Some("laforge:policy-sets/staging@3+flags@0"));
        assert_eq!(read.verification_result, VerificationResult::Passed);
        assert!(read.verified_levels.iter().any(|level| level == "SLSA_BUILD_LEVEL_3"));
        assert_eq!(statement["predicate"]["inputAttestations"].as_array().unwrap().len(), 2);
        assert_eq!(statement["predicate"]["timeVerified"], "2026-11-24T12:00:00Z");
        let results = summary().verification_results();
        let read = svr::VerificationResults::read(svr::TYPE, &results["predicate"]).unwrap();
        assert!(read.properties.iter().any(|found| found == ALLOWED));
    }

    #[test]
    fn a_resource_is_a_uri_whatever_a_release_is_called() {
        let uri = resource_uri("prod/eu", "a b@c", "1.0+x%é");
        assert_eq!(uri, "laforge:prod%2Feu/a%20b%40c@1.0%2Bx%25%C3%A9");
    }
}
