//! Verdicts that leave the gate, and those that come in: summaries for the next stage, and reviews
//! that a pipeline passes on.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::example::Example;

const COMMIT: &str = "4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081";
const SUMMARY: [&str; 4] = ["--vsa", "summary.sigstore.json", "--vsa-key", "keys/vsa.key"];

/// The example with a key for summaries.
fn example() -> Example {
    let example = Example::new();
    example.run(&["keygen", "--use", "vsa", "-o", "keys/vsa", "--insecure-unencrypted"]).ends(0);
    example
}

/// Lets trust know one more signer.
fn trusting(example: &Example, signer: &str) {
    example.edit("trust.yaml", "signers:\n", &format!("signers:\n- {signer}\n"));
}

fn predicate_of(example: &Example) -> Value {
    use base64::Engine as _;
    let bundle: Value = serde_json::from_str(&example.read("summary.sigstore.json")).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let statement = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    serde_json::from_slice::<Value>(&statement).unwrap()["predicate"].clone()
}

#[test]
fn an_allow_is_summarised_and_a_reader_without_our_code_takes_it() {
    let example = example();
    // Python's own Ed25519 is the reader's: the default key of this use is P-256.
    example
        .run(&["keygen", "--use", "vsa", "--algorithm", "ed25519", "-o", "keys/ed", "--insecure-unencrypted"])
        .ends(0);
    let plan = example.deploy(&["--vsa", "summary.sigstore.json", "--vsa-key", "keys/ed.key"]).ends(0).json();
    let origin = plan["auditEntry"]["origin"].as_str().unwrap();
    let subjects = ["artifacts/payments-worker.tar.gz", "artifacts/payments.tar.gz", "artifacts/sbom.json"];
    let digests = subjects
        .map(|path| laforge::release::digest::Digest::of_bytes(example.read(path).as_bytes()).to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vsa.py");
    let run = Command::new("python3")
        .arg(script)
        .args([example.path("summary.sigstore.json"), example.path("keys/ed.pub")])
        .args([
            format!("https://{origin}").as_str(),
            "laforge:production/payments@2.4.0",
            "SLSA_BUILD_LEVEL_2",
        ])
        .arg(plan["plan"]["verification"]["policyDigest"].as_str().unwrap())
        .args(digests)
        .output();
    let Ok(run) = run else { return crate::skipped("there is no python3") };
    assert_eq!(String::from_utf8_lossy(&run.stdout), "holds\n", "{}", String::from_utf8_lossy(&run.stderr));
    let predicate = predicate_of(&example);
    // Three signatures, three provenances, two approvals.
    assert_eq!(predicate["inputAttestations"].as_array().unwrap().len(), 8);
    assert_eq!(predicate["https://laforge.dev/audit-entry/v1"]["index"], plan["auditEntry"]["index"]);
}

#[test]
fn a_summary_knows_the_repository_as_the_gate_does() {
    let example = example();
    let written = "https://github.com/acme/payments,";
    example.edit("release.yaml", written, "https://github.com/acme/payments.git,");
    for person in ["alice", "bob"] {
        let key = format!("keys/{person}.key");
        let output = format!("evidence/approval-{person}-again.sigstore.json");
        example.run(&["approve", "--yes", "--key", &key, "-o", &output]).ends(0);
    }
    example.deploy(&SUMMARY).ends(0);
    assert_eq!(predicate_of(&example)["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_2"]));
    // A summary that others wrote, in the other alphabet, is one too, and makes room.
    let mut bundle: Value = serde_json::from_str(&example.read(SUMMARY[1])).unwrap();
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(payload).unwrap().replacen("{", "{\"~~~\": \"???>>>\", ", 1);
    bundle["dsseEnvelope"]["payload"] = URL_SAFE_NO_PAD.encode(text).into();
    example.write(SUMMARY[1], &bundle.to_string());
    example.deploy(&SUMMARY).ends(0);
}

#[test]
fn nothing_but_an_allow_leaves_a_summary() {
    let example = example();
    example.deploy(&SUMMARY).ends(0);
    assert!(example.path(SUMMARY[1]).exists());
    example.deploy(&[&SUMMARY[..], &["--dry-run"]].concat());
    assert!(!example.path(SUMMARY[1]).exists(), "a rehearsal left a summary, or an earlier one");
    example.deploy(&SUMMARY).ends(0);
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&SUMMARY, &["approval-threshold"]);
    assert!(!example.path(SUMMARY[1]).exists(), "a deny left a summary, or an earlier one");
}

#[test]
fn a_summary_is_signed_by_a_key_of_its_own_and_overwrites_nothing_else() {
    let example = example();
    for other in ["keys/ci.key", "keys/alice.key", ".laforge/audit.key"] {
        let run = example.deploy(&["--vsa", SUMMARY[1], "--vsa-key", other]).ends(2);
        run.says("fatal: no decision was made").says("one key, one use");
    }
    example.write("notes.txt", "mine\n");
    example.deploy(&["--vsa", "notes.txt", "--vsa-key", "keys/vsa.key"]).ends(2).says("it is no summary");
    assert_eq!(example.read("notes.txt"), "mine\n");
    example.deploy(&["--vsa", SUMMARY[1]]).ends(2);
    example
        .deploy(&["-o", SUMMARY[1], SUMMARY[0], SUMMARY[1], SUMMARY[2], SUMMARY[3]])
        .ends(2)
        .says("two outputs go to one file");
    assert_eq!(example.entries().len(), 1, "something was decided");
}

#[test]
fn the_same_plan_again_makes_its_summary_no_younger() {
    let example = example();
    let verified_at = || {
        let bundle: Value = serde_json::from_str(&example.read(SUMMARY[1])).unwrap();
        let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        statement["predicate"]["timeVerified"].clone()
    };
    example.deploy(&SUMMARY).ends(0);
    let first = verified_at();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    example.deploy(&SUMMARY).ends(0).says("the same plan again");
    assert_eq!(verified_at(), first);
}

#[test]
fn the_next_stage_takes_a_summary_as_evidence() {
    for (format, predicate_type, condition) in [
        (
            "vsa",
            "https://slsa.dev/verification_summary/v1",
            "verifier: 'pattern:**', resourceUri: 'pattern:laforge:**', \
             verifiedLevels: [SLSA_BUILD_LEVEL_2], slsaVersion: \"1.0\"",
        ),
        (
            "svr",
            "https://in-toto.io/attestation/svr/v0.2",
            "verifier: 'pattern:**', properties: [SLSA_BUILD_LEVEL_2, LAFORGE_RELEASE_ALLOWED]",
        ),
    ] {
        let example = example();
        example.deploy(&[&SUMMARY[..], &["--vsa-format", format]].concat()).ends(0);
        let summary = example.read(SUMMARY[1]);
        trusting(&example, "{name: staging-gate, use: vsa, key: keys/vsa.pub}");
        let section =
            format!("{{predicateType: {predicate_type}, from: [staging-gate], maxAge: 7d, {condition}}}");
        example.write(
            "next/promoted.yaml",
            &format!(
                "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: promoted}}\nspec:\n  require:\n    attestations:\n      - {section}\n"
            ),
        );
        let next = ["--policy", "next/"];
        example.denied(&next, &["attestation-missing"]);
        example.write("evidence/summary.sigstore.json", &summary);
        example.deploy(&next).ends(0);
        // Another byte of it is no summary.
        example.write("evidence/summary.sigstore.json", &summary.replace("\"sig\":\"", "\"sig\":\"AAAA"));
        example.denied(&next, &["attestation-missing"]);
    }
}

fn review(login: &str, state: &str, commit: &str) -> Value {
    json!({
        "id": 1, "user": {"login": login, "type": "User"}, "state": state, "commit_id": commit,
        "html_url": "https://github.com/acme/payments/pull/12#pullrequestreview-1",
        "submitted_at": "2026-03-02T11:00:00Z",
    })
}

#[test]
fn reviews_on_github_count_where_the_policy_names_who_passes_them_on() {
    let example = Example::new();
    example.run(&["keygen", "--use", "attestation", "-o", "keys/pipeline", "--insecure-unencrypted"]).ends(0);
    trusting(&example, "{name: pipeline, use: attestation, key: keys/pipeline.pub}");
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &["approval-threshold"]);
    let reviews = json!([
        review("bob", "APPROVED", COMMIT),
        review("carol", "APPROVED", &"0".repeat(40)),
        {"id": 2, "user": {"login": "renovate[bot]", "type": "Bot"}, "state": "APPROVED", "commit_id": COMMIT,
            "html_url": "https://github.com/acme/payments/pull/12", "submitted_at": "2026-03-02T11:00:00Z"},
    ]);
    example.write("reviews.json", &reviews.to_string());
    let approve = [
        "approve",
        "--yes",
        "--from-github",
        "reviews.json",
        "--release",
        "release.yaml",
        "--key",
        "keys/pipeline.key",
    ];
    let run = example.run(&approve).ends(0);
    run.says("github:bob")
        .says("not passed on: github:carol: approved 0000")
        .says("not passed on: github:renovate[bot]");
    let passed_on: Vec<String> =
        example.list("evidence").into_iter().filter(|name| name.contains("github")).collect();
    assert_eq!(passed_on.len(), 1);
    // The policy names nobody for that yet.
    example.denied(&[], &["approval-threshold"]);
    example.edit("policies/baseline.yaml", "atLeast: 2", "atLeast: 2, attestedBy: [pipeline]");
    // Any flag adds a rule of its own; `--require-approved` still takes people's own words alone.
    example.deploy(&[]).ends(0).says("bob (passed on by pipeline)");
    let counted = |name: &str| {
        let approvals = example.last_decision()["approvals"].as_array().unwrap().clone();
        let one = approvals.into_iter().find(|it| it["person"] == name).unwrap();
        (one["counted"].clone(), one.get("attestedBy").cloned())
    };
    assert_eq!(counted("bob"), (json!(true), Some(json!("pipeline"))));
    assert_eq!(counted("alice"), (json!(true), None));
    let mut undated = review("bob", "CHANGES_REQUESTED", COMMIT);
    undated["submitted_at"] = json!("yesterday");
    example.write("reviews.json", &json!([review("bob", "APPROVED", COMMIT), undated]).to_string());
    example.run(&approve).ends(2).says("record 2 of the export").says("does not say when it was given");
    example.run(&[&approve[..], &["--break-glass"]].concat()).ends(2).says("not built yet");
    let request = json!([review("bob", "CHANGES_REQUESTED", &"0".repeat(40))]);
    example.write("reviews.json", &request.to_string());
    example.run(&approve).ends(0);
    example.denied(&[], &["approval-rejected"]);
    example.write("reviews.json", "[]");
    example.run(&approve).ends(10).says("nothing was signed");
    example.write("reviews.json", "{}");
    example.run(&approve).ends(2).says("the export is no list of records");
}
