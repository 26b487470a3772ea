//! An envelope's members on the wire (`formats.md` section 8), with nothing in them believed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::LogReference;
use crate::plan::RecordedCore;
use crate::plan::exact::MAX_SAFE;
use crate::release::digest::ClaimedDigest;

use super::PAYLOAD_TYPE;

/// The members of an envelope.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Envelope")]
pub(super) struct Wire {
    /// `application/vnd.laforge.rollout-plan.v1+json`.
    #[schemars(extend("const" = PAYLOAD_TYPE))]
    pub(super) payload_type: String,
    /// The plan core.
    #[schemars(with = "RecordedCore")]
    pub(super) plan: Value,
    /// The digest of the core's RFC 8785 form.
    pub(super) plan_digest: ClaimedDigest,
    /// The entry that allowed it.
    pub(super) audit_entry: AuditEntry,
    /// The `c2sp.org/tlog-proof@v1` text.
    pub(super) proof: String,
}

/// `auditEntry` of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditEntry {
    /// The log's origin.
    pub origin: String,
    /// The log's id.
    pub log_id: ClaimedDigest,
    /// The entry's index.
    pub index: u64,
    /// The size of the checkpoint that its own commit signed.
    pub size: u64,
    /// That checkpoint's root.
    pub root: ClaimedDigest,
    /// The entry's exact bytes.
    pub line: String,
}

/// The JSON Schema of an envelope.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Wire)
}

/// Whether no member is null and every number a whole one that all readers take exactly: only then
/// do two cores of one digest say the same.
pub(super) fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number <= MAX_SAFE),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
    }
}

impl AuditEntry {
    /// A reference and the line that it is of.
    pub(super) fn new(reference: &LogReference, line: String) -> Self {
        let LogReference { origin, log_id, index, size, root } = reference.clone();
        Self { origin, log_id, index, size, root, line }
    }
}
