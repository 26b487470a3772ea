//! Our own approval predicate (`formats.md` section 7).
//!
//! In: the predicate of an authenticated statement. Out: [`Approval`], unknown, null and empty members
//! refused. Not checked here: whose word it is, its subject and its dates; `verify` does.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Instant, PredicateError, filled, read};
use crate::time::{self, Timestamp};

/// `https://laforge.dev/attestation/approval/v1`.
pub const TYPE: &str = "https://laforge.dev/attestation/approval/v1";

/// A person's word on a release digest, for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Approval {
    /// Yes or no.
    pub decision: Word,
    /// For which environment.
    #[schemars(length(min = 1))]
    pub environment: String,
    /// When it was written, by the writer's word.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub created_at: Timestamp,
    /// Until when it counts.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "super::instant")]
    #[schemars(with = "Instant")]
    pub expires_at: Timestamp,
    /// Why.
    #[serde(default, deserialize_with = "super::text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub reason: Option<String>,
    /// A ticket.
    #[serde(default, deserialize_with = "super::text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub ticket: Option<String>,
    /// Narrows the person's roles to one; never grants.
    #[serde(default, deserialize_with = "super::text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub role: Option<String>,
    /// Whose word it passes on.
    #[serde(default, deserialize_with = "super::text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub on_behalf_of: Option<String>,
}

/// The decision of an approval record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

impl Approval {
    /// Reads the predicate of an approval statement.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing, unknown, null, empty or of another shape.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let record: Self = read(TYPE, predicate)?;
        let optional = [
            ("reason", &record.reason),
            ("ticket", &record.ticket),
            ("role", &record.role),
            ("onBehalfOf", &record.on_behalf_of),
        ];
        let given = optional.into_iter().filter_map(|(member, text)| Some((member, text.as_deref()?)));
        filled(TYPE, given.chain([("environment", record.environment.as_str())]))?;
        Ok(record)
    }

    /// Of a predicate that can't be read whole, the rejection that it plainly is: a no may not vanish because it
    /// is misspelt. What it doesn't say well, it says as widely as can be: of this environment, from now on.
    pub fn plain_no(predicate: &Value, environment: &str, now: Timestamp) -> Option<Self> {
        let text = |member: &str| predicate.get(member).and_then(Value::as_str).filter(|it| !it.is_empty());
        let at = |member: &str| text(member).and_then(|text| time::parse(text).ok());
        text("decision").filter(|word| word.eq_ignore_ascii_case("rejected"))?;
        Some(Self {
            decision: Word::Rejected,
            environment: text("environment").unwrap_or(environment).to_owned(),
            created_at: at("createdAt").unwrap_or(now),
            expires_at: at("expiresAt").unwrap_or(now + UNSAID),
            reason: None,
            ticket: None,
            role: None,
            on_behalf_of: text("onBehalfOf").map(str::to_owned),
        })
    }
}

/// How long a rejection counts that doesn't say it, each time it is read.
const UNSAID: TimeDelta = TimeDelta::days(1);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sound() -> Value {
        json!({
            "decision": "approved", "environment": "production",
            "createdAt": "2026-11-24T12:00:00Z", "expiresAt": "2026-11-25T12:00:00Z",
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut predicate = sound();
        predicate[member] = value;
        predicate
    }

    #[test]
    fn reads_back_what_it_writes() {
        let approval = Approval::read(&with("role", json!("sre"))).unwrap();
        assert_eq!(Approval::read(&serde_json::to_value(&approval).unwrap()).unwrap(), approval);
    }

    #[test]
    fn refuses_unknown_empty_and_null_members_loose_dates_and_other_words() {
        for (member, value) in [
            ("environments", json!("production")),
            ("role", Value::Null),
            ("reason", json!("")),
            ("ticket", json!(" ")),
            ("role", json!("")),
            ("onBehalfOf", json!("")),
            ("environment", json!("")),
            ("createdAt", json!("2026-11-24 12:00:00Z")),
            ("expiresAt", json!(1_800_000_000)),
            ("decision", json!("Approved")),
            ("decision", json!("yes")),
        ] {
            let error = Approval::read(&with(member, value)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{TYPE}` predicate: ")), "{error}");
        }
        for member in ["decision", "environment", "createdAt", "expiresAt"] {
            let mut predicate = sound();
            predicate.as_object_mut().unwrap().remove(member);
            let error = Approval::read(&predicate).unwrap_err().to_string();
            assert!(error.ends_with(&format!("missing field `{member}`")), "{error}");
        }
        assert!(Approval::read(&json!("approved")).is_err());
    }
}
