//! Evidence that is two things, or one thing twice: encodings, spellings, envelopes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{evidence, sign};
use crate::example::Example;

#[test]
fn one_signature_in_two_encodings_is_one() {
    let example = Example::new();
    example.edit(
        "policies/baseline.yaml",
        "signatures: {each: artifact, atLeast: 1}",
        "signatures: {each: artifact, atLeast: 2}",
    );
    for name in example.list("evidence") {
        if !name.starts_with("signature") {
            continue;
        }
        let mut bundle = evidence(&example, &name);
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!("another");
        example.write(&format!("evidence/again-{name}"), &format!(" {bundle:#} "));
    }
    example.denied(&[], &["signature-missing"]);
}

#[test]
fn an_approval_in_other_base64_with_another_hint_is_the_same_persons() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    let bundle = evidence(&example, "approval-alice.sigstore.json");
    let envelope = &bundle["dsseEnvelope"];
    let other = |text: &Value| URL_SAFE_NO_PAD.encode(STANDARD.decode(text.as_str().unwrap()).unwrap());
    let bob = laforge::key::PublicKey::from_pem(&example.read("trust/bob.pub")).unwrap().id().hex();
    let again = json!({
        "payloadType": envelope["payloadType"],
        "payload": other(&envelope["payload"]),
        "signatures": [{"sig": other(&envelope["signatures"][0]["sig"]), "keyid": bob}],
    });
    example.write("evidence/bob.dsse", &again.to_string());
    example.denied(&[], &["approval-threshold"]);
    let decision = example.last_decision();
    assert!(decision["approvals"].as_array().unwrap().iter().all(|record| record["person"] == "alice"));
}

#[test]
fn other_spellings_of_types_members_and_digests_in_signed_statements() {
    let reference = Example::new();
    let bundle = evidence(&reference, "approval-bob.sigstore.json");
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let good: Value = serde_json::from_slice(&payload).unwrap();
    let digest = good["subject"][0]["digest"]["sha256"].as_str().unwrap().to_owned();
    let changed = |pointer: &str, value: Value| {
        let mut statement = good.clone();
        *statement.pointer_mut(pointer).unwrap() = value;
        statement
    };
    let statements = [
        changed("/predicateType", json!("https://laforge.dev/attestation/Approval/v1")),
        changed("/predicateType", json!("https://laforge.dev/attestation/approval/v1/")),
        changed("/predicateType", json!("https://laforge.dev/attestation/approval/v2")),
        changed("/_type", json!("https://in-toto.io/Statement/v2")),
        changed("/subject/0/digest", json!({"sha256": digest.to_uppercase()})),
        changed("/subject/0/digest", json!({"SHA256": digest})),
        changed("/subject/0/digest", json!({"sha3_256": digest})),
        changed("/subject/0/digest", json!({"sha512": digest.repeat(2)})),
        changed("/subject/0/digest", json!({})),
        changed("/subject", json!([])),
        changed("/predicate/environment", json!("Production")),
        changed("/predicate/environment", json!("production\u{200b}")),
        changed("/predicate/environment", json!("*")),
        changed("/predicate/decision", json!("APPROVED")),
        changed("/predicate/expiresAt", json!("2026-13-01T00:00:00Z")),
        changed("/predicate/expiresAt", json!(9_999_999_999_i64)),
        changed("/predicate/createdAt", json!("2090-01-01T00:00:00Z")),
        changed("/predicate", json!([good["predicate"]])),
    ];
    for statement in statements {
        let example = reference.fork();
        example.write("evidence/approval-bob.sigstore.json", &sign(&example, "keys/bob.key", &statement));
        example.denied(&[], &["approval-threshold"]);
    }
    let example = reference.fork();
    example.write("evidence/approval-bob.sigstore.json", &sign(&example, "keys/bob.key", &good));
    example.deploy(&[]).ends(0);
}

#[test]
fn envelopes_of_other_payload_types_with_more_signatures_or_more_members() {
    let example = Example::new();
    let bundle = evidence(&example, "approval-bob.sigstore.json");
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let good: Value =
        serde_json::from_str(&sign(&example, "keys/bob.key", &serde_json::from_slice(&payload).unwrap()))
            .unwrap();
    let one = good["signatures"][0].clone();
    let changes: [&dyn Fn(&mut Value); 7] = [
        &|e| e["payloadType"] = json!("application/vnd.in-toto+json; charset=utf-8"),
        &|e| e["payloadType"] = json!("APPLICATION/VND.IN-TOTO+JSON"),
        &|e| e["signatures"] = json!([one, one]),
        &|e| e["signatures"] = json!([{"sig": "", "keyid": "x"}, one]),
        &|e| e["verified"] = json!(true),
        &|e| e["payload"] = json!(format!("{}\n", e["payload"].as_str().unwrap())),
        &|e| e["dsseEnvelope"] = e.clone(),
    ];
    for change in changes {
        let example = example.fork();
        let mut envelope = good.clone();
        change(&mut envelope);
        example.write("evidence/approval-bob.sigstore.json", &envelope.to_string());
        example.denied(&[], &["approval-threshold"]);
    }
}

#[test]
fn a_statement_of_all_subjects_there_are_and_one_of_more() {
    let example = Example::new();
    let bundle = evidence(&example, "approval-bob.sigstore.json");
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let mut statement: Value = serde_json::from_slice(&payload).unwrap();
    let own = statement["subject"][0].clone();
    statement["subject"] = json!(vec![own; 100_000]);
    example.write("evidence/approval-bob.sigstore.json", &sign(&example, "keys/bob.key", &statement));
    example.denied(&[], &["approval-threshold"]);
}
