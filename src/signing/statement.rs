//! Builds in-toto statements: ours, cosign's and SLSA's, and any other that a user brings.
//!
//! In: subjects and a predicate. Out: a statement as JSON, not yet signed.
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::SigningError;
use crate::evidence::predicate::approval::{self, Approval};
use crate::evidence::predicate::{COSIGN_SIGN, provenance as slsa};
use crate::evidence::statement::Subject;
use crate::release::digest::ClaimedDigest;

/// `_type` of the statements that are written here.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";

/// A subject with a name for people and the SHA-256 that it is matched by.
pub fn subject(name: &str, digest: &ClaimedDigest) -> Subject {
    Subject { name: Some(name.to_owned()), ..nameless(digest) }
}

/// A person's word on a release. Its subject is the release digest and nothing else.
pub fn approval(release: &ClaimedDigest, approval: &Approval) -> Value {
    attest(&[nameless(release)], approval::TYPE, json!(approval))
}

/// cosign's signature over an artifact, by its digest alone, as cosign 3 writes it.
pub fn cosign_sign(artifact: &ClaimedDigest) -> Value {
    attest(&[nameless(artifact)], COSIGN_SIGN, json!({}))
}

/// SLSA provenance; its version is told by the members that only one of them has.
///
/// # Errors
/// [`SigningError::NotProvenance`] for a document of neither version.
pub fn provenance(subjects: &[Subject], predicate: Value) -> Result<Value, SigningError> {
    let predicate_type = if predicate.get("buildDefinition").is_some() {
        slsa::V1
    } else if predicate.get("buildType").is_some() {
        slsa::V02
    } else {
        return Err(SigningError::NotProvenance);
    };
    Ok(attest(subjects, predicate_type, predicate))
}

/// A statement of any predicate about these subjects.
pub fn attest(subjects: &[Subject], predicate_type: &str, predicate: Value) -> Value {
    let subjects: Vec<Value> = subjects.iter().map(subject_json).collect();
    json!({
        "_type": STATEMENT_V1,
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

/// What every reader of statements demands: type, subjects with digests, a predicate.
pub(super) fn check(statement: &Value) -> Result<(), SigningError> {
    let refuse = |member, problem| Err(SigningError::BadStatement { member, problem });
    if statement.get("_type").and_then(Value::as_str) != Some(STATEMENT_V1) {
        return refuse("_type", "is not `https://in-toto.io/Statement/v1`");
    }
    match statement.get("subject").and_then(Value::as_array) {
        Some(subjects) if !subjects.is_empty() && subjects.iter().all(has_digest) => {}
        _ => return refuse("subject", "names no digest"),
    }
    if statement.get("predicateType").and_then(Value::as_str).is_none_or(str::is_empty) {
        return refuse("predicateType", "is missing");
    }
    if !statement.get("predicate").is_some_and(Value::is_object) {
        return refuse("predicate", "is not an object");
    }
    Ok(())
}

fn has_digest(subject: &Value) -> bool {
    subject.get("digest").and_then(Value::as_object).is_some_and(|digest| !digest.is_empty())
}

fn nameless(digest: &ClaimedDigest) -> Subject {
    Subject { name: None, digest: BTreeMap::from([("sha256".to_owned(), digest.hex())]) }
}

fn subject_json(subject: &Subject) -> Value {
    let mut members = Map::new();
    if let Some(name) = &subject.name {
        members.insert("name".to_owned(), json!(name));
    }
    members.insert("digest".to_owned(), json!(subject.digest));
    Value::Object(members)
}
