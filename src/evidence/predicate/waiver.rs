//! Our own waiver predicate (`formats.md` section 7): one rule's finding that somebody answers for,
//! for a while.
//!
//! In: the predicate of an authenticated statement. Out: [`Waiver`], unknown and null members refused.
//! It is read and specified here; no gate acts on one yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Instant, PredicateError, filled, read};
use crate::time::Timestamp;

/// `https://laforge.dev/attestation/waiver/v1`.
pub const TYPE: &str = "https://laforge.dev/attestation/waiver/v1";

/// A person's word that one rule's finding is taken, for a release or an artifact, in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Waiver {
    /// The id of the rule.
    #[schemars(length(min = 1))]
    pub rule: String,
    /// In which environment.
    #[schemars(length(min = 1))]
    pub environment: String,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// Where it is followed up.
    #[schemars(length(min = 1))]
    pub ticket: String,
    /// Who answers for it.
    #[schemars(length(min = 1))]
    pub owner: String,
    /// When it was written, by the writer's word.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub created_at: Timestamp,
    /// Until when it counts.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub expires_at: Timestamp,
}

impl Waiver {
    /// Reads the predicate of a waiver statement.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing, unknown, null, empty or of another shape.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let record: Self = read(TYPE, predicate)?;
        let texts = [
            ("rule", record.rule.as_str()),
            ("environment", record.environment.as_str()),
            ("reason", record.reason.as_str()),
            ("ticket", record.ticket.as_str()),
            ("owner", record.owner.as_str()),
        ];
        filled(TYPE, texts.into_iter())?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(member: &str, value: Value) -> Result<Waiver, PredicateError> {
        let mut predicate = json!({
            "rule": "no-critical-vulnerabilities", "environment": "production", "owner": "security",
            "reason": "not reachable", "ticket": "SEC-12",
            "createdAt": "2026-11-24T12:00:00Z", "expiresAt": "2026-12-01T12:00:00Z",
        });
        predicate[member] = value;
        Waiver::read(&predicate)
    }

    #[test]
    fn reads_back_what_it_writes() {
        let record = with("ticket", json!("SEC-13")).unwrap();
        assert_eq!(Waiver::read(&json!(record)).unwrap(), record);
    }

    #[test]
    fn refuses_one_of_nobody_for_nothing_or_for_ever() {
        for (member, value) in [
            ("owner", json!("")),
            ("reason", json!("")),
            ("ticket", Value::Null),
            ("rule", json!(["a", "b"])),
            ("rules", json!(["a"])),
            ("expiresAt", Value::Null),
            ("expiresAt", json!("never")),
        ] {
            assert!(with(member, value.clone()).is_err(), "{member}: {value}");
        }
    }
}
