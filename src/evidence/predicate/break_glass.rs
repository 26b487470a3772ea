//! Our own break-glass predicate (`formats.md` section 7): a person's word that named rules may be
//! overridden, once, for a reason that is on record.
//!
//! In: the predicate of an authenticated statement. Out: [`BreakGlass`], unknown and null members
//! refused. It is read and specified here; no gate acts on one yet. An ordinary approval is never one.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Instant, PredicateError, filled, read};
use crate::time::Timestamp;

/// `https://laforge.dev/attestation/break-glass/v1`.
pub const TYPE: &str = "https://laforge.dev/attestation/break-glass/v1";

/// A person's word that some rules may be overridden for a release digest, in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BreakGlass {
    /// In which environment.
    #[schemars(length(min = 1))]
    pub environment: String,
    /// The ids of the rules that may be overridden, and no others; never none.
    #[schemars(length(min = 1))]
    pub rules: BTreeSet<String>,
    /// The incident.
    #[schemars(length(min = 1))]
    pub ticket: String,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// When it was written, by the writer's word.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub created_at: Timestamp,
    /// Until when it counts.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub expires_at: Timestamp,
}

impl BreakGlass {
    /// Reads the predicate of a break-glass statement.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing, unknown, null, empty or of another shape.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let record: Self = read(TYPE, predicate)?;
        let rules = record.rules.iter().map(|rule| ("rules", rule.as_str()));
        let texts = [
            ("environment", record.environment.as_str()),
            ("ticket", record.ticket.as_str()),
            ("reason", record.reason.as_str()),
        ];
        filled(TYPE, texts.into_iter().chain(rules))?;
        match record.rules.is_empty() {
            true => Err(PredicateError::Malformed {
                predicate_type: TYPE,
                problem: "`rules` is empty".to_owned(),
            }),
            false => Ok(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(member: &str, value: Value) -> Result<BreakGlass, PredicateError> {
        let mut predicate = json!({
            "environment": "production", "rules": ["freeze"], "ticket": "INC-7", "reason": "checkout is down",
            "createdAt": "2026-11-24T12:00:00Z", "expiresAt": "2026-11-24T14:00:00Z",
        });
        predicate[member] = value;
        BreakGlass::read(&predicate)
    }

    #[test]
    fn reads_back_what_it_writes() {
        let record = with("rules", json!(["freeze", "provenance-level"])).unwrap();
        assert_eq!(BreakGlass::read(&json!(record)).unwrap(), record);
    }

    #[test]
    fn refuses_to_override_everything_or_for_no_reason() {
        for (member, value) in [
            ("rules", json!([])),
            ("rules", json!([""])),
            ("rules", json!("freeze")),
            ("ticket", json!("")),
            ("reason", json!(" ")),
            ("environment", json!("")),
            ("decision", json!("approved")),
            ("expiresAt", Value::Null),
        ] {
            assert!(with(member, value.clone()).is_err(), "{member}: {value}");
        }
    }
}
