//! Evidence in packs, by keys that sign payloads alone, and of bundles: nothing counts twice, nothing by
//! what stands around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::key::secret::SecretKey;
use laforge::source::release_bundle::Bundles;
use serde_json::{Value, json};

use super::super::{evidence, sign, sign_bytes};
use crate::example::Example;

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The statement in a bundle of the example.
fn statement(example: &Example, name: &str) -> Value {
    let bundle = evidence(example, name);
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_pack_makes_one_persons_word_nobody_elses() {
    let example = Example::new();
    let alice = evidence(&example, "approval-alice.sigstore.json");
    example.remove("evidence/approval-bob.sigstore.json");
    let envelope = alice["dsseEnvelope"].clone();
    let packs = [
        json!({"attestations": [{"bundle": alice}, {"bundle": alice, "repository_id": 1}]}),
        json!({"attestations": [{"bundle": alice, "signer": "bob", "identity": "bob"}]}),
        json!({"attestations": [{"bundle": {"attestations": [{"bundle": alice}]}}]}),
        json!({"version": 1, "attestation_bundles": [{"publisher": {"kind": "bob"}, "attestations": [{
            "version": 1, "envelope": {"statement": envelope["payload"], "signature": envelope["signatures"][0]["sig"]},
            "verification_material": {"certificate": "MII=", "transparency_entries": []}}]}]}),
        json!({"attestations": [], "bundle": alice, "verificationMaterial": {}, "dsseEnvelope": envelope}),
    ];
    for pack in packs {
        example.write("evidence/pack.json", &pack.to_string());
        example.denied(&[], &["approval-threshold"]);
    }
}

#[test]
fn a_rejection_in_a_pack_that_is_broken_elsewhere_is_heard() {
    let example = Example::new();
    let mut rejection = statement(&example, "approval-bob.sigstore.json");
    rejection["predicate"]["decision"] = json!("rejected");
    example.run(&["reject", "--yes", "--key", "keys/bob.key", "-o", "bob.json"]).ends(0);
    let bundle: Value = serde_json::from_str(&example.read("bob.json")).unwrap();
    for other in [json!({}), json!({"bundle": 1}), json!({"bundle": {}, "predicateType": "x"}), Value::Null] {
        let pack = json!({"attestations": [other, {"bundle": bundle}]});
        example.write("evidence/pack.json", &pack.to_string());
        example.denied(&[], &["approval-rejected"]);
    }
}

/// The example with `ci` as a key that signs payloads alone.
fn raw() -> Example {
    let example = Example::new();
    example.edit(
        "trust.yaml",
        "key: trust/ci.pub",
        "key: trust/ci.pub\n  rawPayload: true\n  predicateTypes: [https://slsa.dev/provenance/v1]",
    );
    example
}

#[test]
fn a_key_that_signs_payloads_alone_signs_nothing_else() {
    let names = ["payments.tar.gz", "payments-worker.tar.gz", "sbom.json"];
    let example = raw();
    // What it signed in the proper form is nothing any more.
    example.denied(&[], &["provenance-missing"]);
    let key = SecretKey::from_pem(&example.read("keys/ci.key"), || None).unwrap();
    let alone = |payload_type: &str, statement: &Value| {
        let payload = statement.to_string();
        let signature = STANDARD.encode(key.sign(payload.as_bytes()).unwrap());
        json!({"payloadType": payload_type, "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": "", "sig": signature}]})
    };
    let each = |make: &dyn Fn(Value) -> Value| {
        let example = example.fork();
        for name in names {
            let file = format!("provenance-{name}.sigstore.json");
            let made = make(statement(&example, &file));
            example.write(&format!("evidence/{file}"), &made.to_string());
        }
        example
    };
    each(&|statement| alone(IN_TOTO, &statement)).deploy(&[]).ends(0);
    let bundled = |statement: Value| {
        json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": ""}}, "dsseEnvelope": alone(IN_TOTO, &statement)})
    };
    each(&bundled).denied(&[], &["provenance-missing"]);
    each(&|statement| alone("text/plain", &statement)).denied(&[], &["provenance-missing"]);
    let retyped = |mut statement: Value| {
        statement["predicateType"] = json!("https://slsa.dev/provenance/v1.0");
        alone(IN_TOTO, &statement)
    };
    each(&retyped).denied(&[], &["provenance-missing"]);
    let twice = |statement: Value| {
        let mut envelope = alone(IN_TOTO, &statement);
        let proper: Value =
            serde_json::from_str(&sign_bytes(&key, IN_TOTO, statement.to_string().as_bytes(), "")).unwrap();
        envelope["signatures"].as_array_mut().unwrap().push(proper["signatures"][0].clone());
        envelope
    };
    each(&twice).denied(&[], &["provenance-missing"]);
}

#[test]
fn what_other_keys_sign_alone_is_no_statement() {
    let example = Example::new();
    let bob = statement(&example, "approval-bob.sigstore.json");
    let key = SecretKey::from_pem(&example.read("keys/bob.key"), || None).unwrap();
    let payload = bob.to_string();
    let signature = STANDARD.encode(key.sign(payload.as_bytes()).unwrap());
    let envelope = json!({"payloadType": IN_TOTO, "payload": STANDARD.encode(payload), "signatures": [{"sig": signature}]});
    example.write("evidence/approval-bob.sigstore.json", &envelope.to_string());
    example.denied(&[], &["approval-threshold"]);
}

#[test]
fn what_verifiers_say_is_not_said_by_a_key_for_attestations() {
    let example = Example::new();
    let digest = laforge::release::digest::Digest::of_bytes(example.read("artifacts/sbom.json").as_bytes());
    for predicate_type in [
        "https://slsa.dev/verification_summary/v1",
        "https://slsa.dev/verification_summary/v0.2",
        "https://in-toto.io/attestation/svr/v0.1",
        "https://in-toto.io/attestation/svr/v0.2",
    ] {
        let said = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
            "subject": [{"name": "x", "digest": {"sha256": digest.hex()}}],
            "predicate": {"verifier": {"id": "https://v"}, "timeVerified": "2026-01-01T00:00:00Z",
                "timeCreated": "2026-01-01T00:00:00Z", "properties": ["SLSA_BUILD_LEVEL_3"],
                "resourceUri": "x", "policy": {"uri": "x"}, "verificationResult": "PASSED",
                "verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}});
        example.write("evidence/said.dsse", &sign(&example, "keys/ci.key", &said));
        let run = example.deploy(&["--dry-run", "--report", "json=report.json"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let report: Value = serde_json::from_str(&example.read("report.json")).unwrap();
        let attested = report["facts"]["artifacts"].as_array().unwrap().iter();
        let count: usize = attested.map(|it| it["attestations"].as_array().unwrap().len()).sum();
        assert_eq!(count, 0, "{predicate_type}");
        // A policy can't ask a key for attestations for it either.
        example.write("more/a.yaml", &format!(
            "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: more}}\nspec: {{require: {{attestations: [{{predicateType: {predicate_type}, from: [ci]}}]}}}}\n"
        ));
        example.deploy(&["--policy", "more"]).ends(2);
    }
}

#[test]
fn no_byte_of_a_bundle_that_is_changed_is_read() {
    let example = Example::new();
    example.run(&["bundle", "-o", "release.tar"]).ends_with_data();
    let path = example.path("release.tar");
    let good = std::fs::read(&path).unwrap();
    // It is set aside whole, and nothing else takes it for evidence.
    let is_broken = || {
        let (bundles, others) = Bundles::among(std::slice::from_ref(&path));
        assert!(others.is_empty());
        !bundles.broken().is_empty()
    };
    assert!(!is_broken());
    // What these two say is read by nobody here: they are there for other tools.
    let content_of = |name: &str| {
        let at = good.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let size = std::str::from_utf8(&good[at + 124..at + 135]).unwrap();
        at + 512..at + 512 + usize::from_str_radix(size, 8).unwrap()
    };
    let (index, layout) = (content_of("oci/index.json\0"), content_of("oci/oci-layout\0"));
    // A bundle of another release stands for none of ours, and its evidence for what it says.
    let release = good.windows(10).position(|window| window == b"\"release\":").unwrap();
    let release = release..content_of("bundle.json\0").end;
    let free = |at: &usize| [&index, &layout, &release].iter().any(|free| free.contains(at));
    for at in (0..good.len()).step_by(7).filter(|at| !free(at)) {
        for bit in [1, 0x20, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= bit;
            std::fs::write(&path, &bytes).unwrap();
            assert!(is_broken(), "byte {at}, bit {bit}");
        }
    }
    for cut in (0..good.len()).step_by(512) {
        std::fs::write(&path, &good[..cut]).unwrap();
        assert!(is_broken(), "cut at {cut}");
    }
    std::fs::write(&path, [&good[..], &good[..]].concat()).unwrap();
    assert!(is_broken(), "two archives in one");
}
