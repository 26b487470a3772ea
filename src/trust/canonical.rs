//! The trust digest's value: everything that trust grants, with defaults written out.
//!
//! Laid down in `formats.md` section 2: a key is its SPKI's digest, a root its file's digest, times
//! are whole seconds in UTC, each list is sorted by its members' RFC 8785 bytes. A gate's pins are
//! for executors and not part of it.

use serde_json::{Map, Value, json};

use super::{Gate, Identity, Person, Revocation, Revoked, Signer, TrustRoot};
use crate::json::canonical;
use crate::time;

/// The RFC 8785 bytes that the trust digest is over.
pub(super) fn form(trust: &TrustRoot) -> Vec<u8> {
    canonical(&json!({
        "_type": "https://laforge.dev/trust/v1",
        "sigstore": sorted(&trust.roots, |root| json!({"name": root.name, "digest": root.digest})),
        "signers": sorted(&trust.signers, signer),
        "people": sorted(&trust.people, person),
        "builders": sorted(&trust.builders, |b| json!({"id": b.id, "level": b.level, "signer": b.signer})),
        "policySigners": sorted(&trust.policy_signers, |name| json!(name)),
        "gates": sorted(&trust.gates, gate),
        "revoked": sorted(&trust.revoked, revocation),
    }))
}

fn sorted<T>(list: &[T], form: impl Fn(&T) -> Value) -> Value {
    let mut list: Vec<_> = list.iter().map(form).map(|value| (canonical(&value), value)).collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    list.into_iter().map(|(_, value)| value).collect()
}

fn texts(list: &[String]) -> Value {
    sorted(list, |text| json!(text))
}

fn signer(signer: &Signer) -> Value {
    let mut value = identity(&signer.identity);
    value.insert("name".into(), json!(signer.name));
    value.insert("use".into(), sorted(&signer.uses, |one| json!(one)));
    value.insert("predicateTypes".into(), texts(&signer.predicate_types));
    for (member, at) in [("validFrom", signer.valid_from), ("validUntil", signer.valid_until)] {
        if let Some(at) = at {
            value.insert(member.into(), json!(time::to_seconds(at)));
        }
    }
    if signer.simple_signing {
        value.insert("simpleSigning".into(), json!(true));
    }
    if signer.raw_payload {
        value.insert("rawPayload".into(), json!(true));
    }
    if let Some(key_id) = &signer.key_id {
        value.insert("keyId".into(), json!(key_id));
    }
    Value::Object(value)
}

fn person(person: &Person) -> Value {
    json!({
        "name": person.name,
        "roles": texts(&person.roles),
        "aliases": person.aliases,
        "identities": sorted(&person.identities, |one| Value::Object(identity(one))),
    })
}

fn identity(of: &Identity) -> Map<String, Value> {
    let members = match of {
        Identity::Key { root, key } => vec![("root", json!(root)), ("key", json!(key.id()))],
        Identity::Keyless { root, issuer, subject } => {
            vec![("root", json!(root)), ("issuer", json!(issuer)), ("subject", json!(subject.to_string()))]
        }
    };
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn gate(gate: &Gate) -> Value {
    json!({
        "name": gate.name,
        "key": gate.key.id(),
        "origin": gate.origin,
        "logId": gate.log_id,
        "environments": texts(&gate.environments),
    })
}

fn revocation(revocation: &Revocation) -> Value {
    let (since, reason) = (time::to_seconds(revocation.since), &revocation.reason);
    match &revocation.who {
        Revoked::Key(key) => json!({"key": key, "since": since, "reason": reason}),
        Revoked::Keyless { issuer, subject } => {
            json!({"issuer": issuer, "subject": subject, "since": since, "reason": reason})
        }
    }
}
