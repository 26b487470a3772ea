//! Attacks on what a statement says, by those whose key is in trust: types, subjects, digests, names, and bytes
//! that two readers read in two ways. The attacker here may sign as the builder.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::key::secret::SecretKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::sign_bytes;
use crate::example::{Example, REQUIRED};

pub(super) const PROVENANCE: &str = "evidence/provenance-payments.tar.gz.sigstore.json";
const APPROVAL: &str = "evidence/approval-bob.sigstore.json";
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The statement inside a piece of the example's evidence.
pub(super) fn statement(example: &Example, file: &str) -> Value {
    let bundle: Value = serde_json::from_str(&example.read(file)).unwrap();
    serde_json::from_slice(&STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap())
        .unwrap()
}

/// Whether the example is allowed with this payload, signed by the builder, as the provenance of its artifact.
pub(super) fn allows(example: &Example, payload_type: &str, payload: &[u8]) -> bool {
    let key = SecretKey::from_pem(&example.read("keys/ci.key"), || None).unwrap();
    example.write(PROVENANCE, &sign_bytes(&key, payload_type, payload, ""));
    verifies(example)
}

/// Whether `verify` says that it would be allowed; anything but that and a deny fails.
#[track_caller]
fn verifies(example: &Example) -> bool {
    let run = example.run(&[&["verify"], &REQUIRED[..]].concat());
    assert!(matches!(run.code, 0 | 10), "{}", run.stderr);
    run.code == 0
}

fn changed(good: &Value, pointer: &str, value: Value) -> Value {
    let mut statement = good.clone();
    *statement.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not in {good}")) = value;
    statement
}

/// Types that are not that of provenance, however like it.
const OTHER_TYPES: [&str; 25] = [
    "https://cyclonedx.org/bom",
    "https://spdx.dev/Document",
    "https://spdx.dev/Document/v2.3",
    "https://slsa.dev/verification_summary/v1",
    "https://in-toto.io/attestation/vulns",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://in-toto.io/attestation/svr/v0.1",
    "https://in-toto.io/attestation/release/v0.1",
    "https://openvex.dev/ns",
    "https://sigstore.dev/cosign/sign/v1",
    "https://laforge.dev/attestation/approval/v1",
    "https://laforge.dev/attestation/source/v1",
    "https://slsa.dev/provenance/v1.1",
    "https://slsa.dev/provenance/v2",
    "https://slsa.dev/provenance/v1/",
    "https://slsa.dev/provenance/v1?",
    "https://slsa.dev/provenance/v1 ",
    " https://slsa.dev/provenance/v1",
    "https://SLSA.dev/provenance/v1",
    "HTTPS://slsa.dev/provenance/v1",
    "http://slsa.dev/provenance/v1",
    "slsa.dev/provenance/v1",
    "https://slsa.dev/provenance",
    "https://slsa.dev/provenance/",
    "",
];

#[test]
fn statements_of_every_other_type_offered_as_provenance() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    assert!(allows(&example, IN_TOTO, good.to_string().as_bytes()));
    for kind in OTHER_TYPES {
        assert!(
            !allows(&example, IN_TOTO, changed(&good, "/predicateType", json!(kind)).to_string().as_bytes()),
            "{kind}"
        );
    }
    for value in [json!(null), json!(1), json!(["https://slsa.dev/provenance/v1"]), json!({})] {
        assert!(
            !allows(
                &example,
                IN_TOTO,
                changed(&good, "/predicateType", value.clone()).to_string().as_bytes()
            ),
            "{value}"
        );
    }
    for member in ["_type", "predicateType", "subject", "predicate"] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(!allows(&example, IN_TOTO, without.to_string().as_bytes()), "without {member}");
    }
    for kind in [
        "https://in-toto.io/Statement/v2",
        "https://in-toto.io/Statement",
        "https://in-toto.io/statement/v1",
        "Statement",
    ] {
        assert!(
            !allows(&example, IN_TOTO, changed(&good, "/_type", json!(kind)).to_string().as_bytes()),
            "{kind}"
        );
    }
    for kind in
        ["application/json", "text/plain", "application/vnd.in-toto", "application/vnd.in-toto+json;v=1", ""]
    {
        assert!(!allows(&example, kind, good.to_string().as_bytes()), "{kind}");
    }
    for payload in ["", "null", "[]", "\"\"", "{", "{}", "not JSON"] {
        assert!(!allows(&example, IN_TOTO, payload.as_bytes()), "{payload}");
    }
}

#[test]
fn digest_sets_of_which_a_part_is_wrong_or_weak_or_of_unknown_algorithms() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let bytes = fs::read(example.path("artifacts/payments.tar.gz")).unwrap();
    let (sha256, sha512) = (hex::encode(Sha256::digest(&bytes)), hex::encode(Sha512::digest(&bytes)));
    let with = |digest: Value| changed(&good, "/subject/0/digest", digest).to_string().into_bytes();
    let (zeros, long) = ("0".repeat(64), "0".repeat(128));
    for digest in [
        json!({"sha256": sha256, "sha512": long}),
        json!({"sha256": zeros, "sha512": sha512}),
        json!({"sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}),
        json!({"md5": "d41d8cd98f00b204e9800998ecf8427e"}),
        json!({"gitCommit": sha256}),
        json!({"blake3": sha256, "unknown": sha256}),
        json!({"sha256": sha256.to_uppercase()}),
        json!({"sha256": format!("sha256:{sha256}")}),
        json!({"sha256": format!(" {sha256}")}),
        json!({"sha256": sha256[..62]}),
        json!({"sha256": format!("{sha256}00")}),
        json!({"sha256": ""}),
        json!({"SHA256": sha256}),
        json!({"sha-256": sha256}),
        json!({"sha512": sha512.to_uppercase()}),
        json!({}),
        json!({"sha256": [sha256]}),
        json!({"sha256": null}),
    ] {
        assert!(!allows(&example, IN_TOTO, &with(digest.clone())), "{digest}");
    }
    assert!(allows(&example, IN_TOTO, &with(json!({"sha256": sha256, "sha512": sha512}))));
    assert!(allows(&example, IN_TOTO, &with(json!({"sha512": sha512}))));
}

#[test]
fn a_subject_list_of_others_counts_for_ours_alone() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let own = good["subject"][0].clone();
    let other = json!({"name": own["name"], "digest": {"sha256": "0".repeat(64)}});
    let with = |subjects: Value| changed(&good, "/subject", subjects).to_string().into_bytes();
    for subjects in
        [json!([]), json!([other]), json!([other, other]), json!([{"name": own["name"]}]), json!({"0": own})]
    {
        assert!(!allows(&example, IN_TOTO, &with(subjects.clone())), "{subjects}");
    }
    assert!(allows(&example, IN_TOTO, &with(json!([other, own]))));
    assert!(allows(&example, IN_TOTO, &with(json!([own, other]))));
    // Another artifact of the release is not vouched for by a list that does not name it.
    let example = Example::new();
    example.remove("evidence/provenance-sbom.json.sigstore.json");
    assert!(!allows(&example, IN_TOTO, &with(json!([own, other]))));
}

#[test]
fn one_subject_or_digest_or_level_more_than_is_taken() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let own = good["subject"][0].clone();
    let subjects = |count: usize| {
        let others = (1..count).map(|at| json!({"digest": {"sha256": format!("{at:064x}")}}));
        changed(&good, "/subject", others.chain([own.clone()]).collect()).to_string()
    };
    assert!(allows(&example, IN_TOTO, subjects(1024).as_bytes()));
    assert!(!allows(&example, IN_TOTO, subjects(1025).as_bytes()));
    let digests = |count: usize| {
        let mut digest = own["digest"].clone();
        (1..count).for_each(|at| digest[format!("x{at}")] = json!("00"));
        changed(&good, "/subject/0/digest", digest).to_string()
    };
    assert!(allows(&example, IN_TOTO, digests(32).as_bytes()));
    assert!(!allows(&example, IN_TOTO, digests(33).as_bytes()));
    let nested = |levels: usize| {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let mut statement = good.clone();
        statement["predicate"]["deep"] = json!("DEEP");
        statement.to_string().replace("\"DEEP\"", &deep)
    };
    assert!(allows(&example, IN_TOTO, nested(60).as_bytes()));
    for levels in [64, 200, 100_000] {
        assert!(!allows(&example, IN_TOTO, nested(levels).as_bytes()), "{levels} levels");
    }
}

#[test]
fn names_that_begin_or_end_like_the_right_ones_or_differ_in_case() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let builder = "/predicate/runDetails/builder/id";
    for id in [
        "https://ci.acme.example/builders/release@v1-evil",
        "https://ci.acme.example/builders/release@v1/",
        "https://ci.acme.example/builders/release@v11",
        "https://ci.acme.example/builders/release",
        "https://ci.acme.example/builders/RELEASE@v1",
        "HTTPS://ci.acme.example/builders/release@v1",
        "http://ci.acme.example/builders/release@v1",
        "xhttps://ci.acme.example/builders/release@v1",
        "https://ci.acme.example/builders/release@v1?",
        "https://ci.acme.example/builders/release@v1#x",
        "https://ci.acme.example/builders/../builders/release@v1",
        "https://ci.acme.example/builders/release%40v1",
        "https://evil.example/?u=https://ci.acme.example/builders/release@v1",
        "",
    ] {
        assert!(
            !allows(&example, IN_TOTO, changed(&good, builder, json!(id)).to_string().as_bytes()),
            "{id}"
        );
    }
    for repository in [
        "https://github.com/acme/payments-evil",
        "https://github.com/acme/payment",
        "https://github.com/acme/Payments",
        "HTTPS://github.com/acme/payments",
        "hTTps://github.com/acme/payments",
        "https://GitHub.com/acme/payments",
        "http://github.com/acme/payments",
        "https://githubXcom/acme/payments",
        "https://github.com.evil.example/acme/payments",
        "https://github.com/evil/x?u=https://github.com/acme/payments",
        "https://user@github.com/acme/payments",
        "https://github.com:443/acme/payments",
        "https://github.com//acme/payments",
        "https://github.com/acme/payments/evil",
    ] {
        let mut build =
            changed(&good, "/predicate/buildDefinition/externalParameters/repository", json!(repository));
        build["predicate"]["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            json!(format!("git+{repository}@refs/tags/v2.4.0"));
        assert!(!allows(&example, IN_TOTO, build.to_string().as_bytes()), "{repository}");
    }
    for environment in ["production2", "prod", "Production", "production ", "pro*", ""] {
        let example = Example::new();
        let bob = SecretKey::from_pem(&example.read("keys/bob.key"), || None).unwrap();
        let approval = changed(&statement(&example, APPROVAL), "/predicate/environment", json!(environment));
        example.write(APPROVAL, &sign_bytes(&bob, IN_TOTO, approval.to_string().as_bytes(), ""));
        assert!(!verifies(&example), "{environment}");
    }
}

/// One provenance that meets every expectation is enough, wherever it comes. Evidence is ordered by digest, so
/// that a hint, which says nothing, decides which is first.
#[test]
fn good_and_bad_of_one_type_in_both_orders() {
    let example = Example::new();
    let good = statement(&example, PROVENANCE);
    let commit = "/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit";
    let bad = changed(&good, commit, json!("1".repeat(40)));
    let before = Sha256::digest(example.read(PROVENANCE));
    for key in ["keys/ci.key", "keys/alice.key"] {
        let key = SecretKey::from_pem(&example.read(key), || None).unwrap();
        for is_first in [true, false] {
            let texts = (0..200)
                .map(|at| sign_bytes(&key, IN_TOTO, bad.to_string().as_bytes(), &format!("hint {at}")));
            let text = texts.into_iter().find(|text| (Sha256::digest(text) < before) == is_first).unwrap();
            example.write("evidence/second.json", &text);
            assert!(verifies(&example), "first: {is_first}");
        }
    }
    // Bad ones alone are not made good by their number.
    example.remove(PROVENANCE);
    assert!(!verifies(&example));
    let ci = SecretKey::from_pem(&example.read("keys/ci.key"), || None).unwrap();
    assert!(!allows(&example, IN_TOTO, bad.to_string().as_bytes()));
    example.write("evidence/second.json", &sign_bytes(&ci, IN_TOTO, format!("{bad} ").as_bytes(), ""));
    assert!(!verifies(&example));
}

#[test]
fn each_attestation_of_a_set_tampered_with_in_turn() {
    let example = Example::new();
    for file in example.list("evidence").iter().map(|name| format!("evidence/{name}")) {
        let whole = example.read(&file);
        let bundle: Value = serde_json::from_str(&whole).unwrap();
        if bundle.get("dsseEnvelope").is_none() {
            continue;
        }
        let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let text = String::from_utf8(payload).unwrap();
        for other in
            [format!("{text} "), text.replace("2.4.0", "2.4.1"), text.replace(':', ": "), String::new()]
        {
            let mut tampered = bundle.clone();
            tampered["dsseEnvelope"]["payload"] = json!(STANDARD.encode(&other));
            if other != text {
                example.write(&file, &tampered.to_string());
                assert!(!verifies(&example), "{file}: {other}");
            }
        }
        example.write(&file, &whole);
    }
    assert!(verifies(&example));
}

/// Whatever is missing, the gate neither passes nor prints a plan.
#[test]
fn every_kind_of_evidence_missing_under_every_flag() {
    for missing in 1..8 {
        let example = Example::new();
        let kinds = ["signature", "provenance", "approval"].iter().enumerate();
        let gone: Vec<&str> =
            kinds.filter(|(at, _)| missing & (1 << at) != 0).map(|(_, kind)| *kind).collect();
        for file in
            example.list("evidence").iter().filter(|file| gone.iter().any(|kind| file.starts_with(kind)))
        {
            example.remove(&format!("evidence/{file}"));
        }
        for flags in [&[][..], &REQUIRED[..1], &REQUIRED[1..2], &REQUIRED[2..], &REQUIRED[..]] {
            example.run(&[&["deploy"], flags].concat()).ends(10);
        }
        // With the flags alone, only what they ask for is missed.
        example.edit("laforge.yaml", "policies: [{path: policies/}]\n", "");
        for (flag, kind) in REQUIRED.iter().zip(["signature", "approval", "provenance"]) {
            let run = example.run(&["deploy", flag]);
            assert_eq!(run.code == 0, !gone.contains(&kind), "{flag} without {gone:?}: {}", run.stderr);
            assert_eq!(run.stdout.is_empty(), run.code != 0);
        }
    }
}
