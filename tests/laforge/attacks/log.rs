//! Attacks on the log and on plans: another log, an older one, plans around other entries, what no reader would take.

use std::fs;
use std::os::unix::fs::symlink;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{deploy_with, evidence, log_is_sound, sign};
use crate::example::{Example, copy};

#[test]
fn now_on_the_command_line_gives_no_plan() {
    let example = Example::new();
    let later = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    let run = example.deploy(&["--now", &later]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    let decision = example.last_decision();
    assert_eq!((&decision["action"], &decision["mode"]), (&json!("none"), &json!("dry-run")));
    assert!(decision.get("plan").is_none());
}

#[test]
fn the_clock_moved_past_every_approval() {
    let example = Example::new();
    let later = (chrono::Utc::now() + chrono::Duration::days(30)).to_rfc3339();
    let run = example.deploy(&["--now", &later]);
    assert_eq!((run.code, run.stdout.as_str()), (10, ""), "{}", run.stderr);
}

#[test]
fn a_ttl_beyond_a_day_is_refused_and_a_freeze_ends_a_plan() {
    let example = Example::new();
    example.deploy(&["--ttl", "25h"]).ends(2);
    let freeze = (chrono::Utc::now() + chrono::Duration::minutes(10)).format("%Y-%m-%dT%H:%M").to_string();
    let until = (chrono::Utc::now() + chrono::Duration::days(2)).format("%Y-%m-%dT%H:%M").to_string();
    let policy = example.read("policies/baseline.yaml");
    example.write(
        "policies/freeze.yaml",
        &format!("apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: freeze}}\nspec:\n  freeze: [{{name: maintenance, from: {freeze}, to: {until}}}]\n"),
    );
    assert!(policy.contains("kind: Policy"));
    let plan = example.deploy(&[]).ends(0).json();
    assert_eq!(plan["plan"]["validity"]["limitedBy"], "freeze");
    assert_eq!(plan["plan"]["validity"]["notAfter"], format!("{freeze}:00Z"));
}

#[test]
fn the_log_deleted_and_made_again_with_audit_init() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    fs::remove_dir_all(example.path(".laforge/audit")).unwrap();
    example.deploy(&["--audit-init"]).ends(12).says("is known already");
    // Nor with the pin taken out: this machine remembers a head of that origin.
    let trust = example.read("trust.yaml");
    let (unpinned, _) = trust.split_once("gates:").unwrap();
    example.write("trust.yaml", unpinned);
    example.deploy(&["--audit-init"]).ends(12);
    assert!(!example.path(".laforge/audit").exists());
}

#[test]
fn a_log_of_the_attackers_own_beside_the_pinned_one() {
    let example = Example::new();
    example.run(&["keygen", "--use", "gate", "-o", "own", "--insecure-unencrypted"]).ends_with_data();
    let own = ["--audit-log", "own-log", "--audit-key", "file:own.key"];
    example.deploy(&own).ends(2).says("is not the configured");
    // Not even where none is configured: trust pins the gate.
    let config = example.read("laforge.yaml");
    let unnamed: String =
        config.lines().filter(|line| !line.starts_with("audit:")).map(|line| format!("{line}\n")).collect();
    example.write("laforge.yaml", &unnamed);
    example.deploy(&[&own[..], &["--audit-init"]].concat()).ends(12).says("is known already");
    let init = ["audit", "init", "--origin", "attacker.example/production"];
    example.run(&[&init[..], &own[..]].concat()).ends_with_data();
    example.deploy(&own).ends(13).says("none of the gates");
    // Nor may a gate of another environment decide for this one.
    let example = Example::new();
    example.edit("trust.yaml", "environments:\n  - production", "environments:\n  - staging");
    example.deploy(&[]).ends(13).says("none of the gates");
}

#[test]
fn the_log_rolled_back_to_an_older_genuine_state() {
    let example = Example::new();
    let older = example.fork();
    example.deploy(&[]).ends(0);
    fs::remove_dir_all(example.path(".laforge/audit")).unwrap();
    crate::example::copy(&older.path(".laforge/audit"), &example.path(".laforge/audit"));
    example.deploy(&[]).ends(13);
}

#[test]
fn a_plan_wrapped_around_something_else() {
    let example = Example::new();
    let envelope = example.deploy(&[]).ends(0).json();
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &[]);
    let deny = example.last_decision();
    let line = example.run(&["audit", "list", "-o", "jsonl"]).stdout.lines().last().unwrap().to_owned();
    let refused = |changed: Value, what: &str| {
        example.write("plan.json", &changed.to_string());
        let run = example.run(&["audit", "verify-proof", "plan.json"]);
        assert_eq!(run.code, 13, "{what}: {} {}", run.stdout, run.stderr);
    };
    let mut around_a_deny = envelope.clone();
    around_a_deny["auditEntry"]["line"] = json!(line);
    around_a_deny["auditEntry"]["index"] = deny["seq"].clone();
    refused(around_a_deny, "the entry of a deny");
    let mut edited = envelope.clone();
    edited["plan"]["strategy"]["trafficSteps"] = json!([100]);
    refused(edited, "an edited plan");
    let mut elsewhere = envelope.clone();
    elsewhere["plan"]["release"]["environment"] = json!("staging");
    refused(elsewhere, "another environment");
    let mut redigested = envelope.clone();
    redigested["planDigest"] =
        json!("sha256:0000000000000000000000000000000000000000000000000000000000000000");
    refused(redigested, "another digest");
    let mut extended = envelope.clone();
    extended["plan"]["validity"]["notAfter"] = json!("2099-01-01T00:00:00Z");
    refused(extended, "a longer life");
    example.write("plan.json", &envelope.to_string());
    let run = example.run(&["audit", "verify-proof", "plan.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn an_allow_recorded_in_a_copy_of_the_configured_log() {
    let example = Example::new();
    copy(&example.path(".laforge/audit"), &example.path("elsewhere"));
    let before = example.entries().len();
    let run = example.deploy(&["--audit-log", "elsewhere"]);
    assert!(
        run.code != 0 || example.entries().len() > before,
        "a plan came out, and the configured log does not hold it"
    );
}

#[test]
fn the_gates_log_in_another_place_with_another_key() {
    let example = Example::new();
    example.run(&["keygen", "--use", "gate", "-o", "evil", "--insecure-unencrypted"]).ends_with_data();
    let run = example.deploy(&["--audit-key", "file:evil.key"]);
    assert!(matches!(run.code, 12 | 13), "{}: {}", run.code, run.stderr);
    let run = deploy_with(&example, &[("EVIL", &example.read("evil.key"))], &["--audit-key", "env:EVIL"]);
    assert!(matches!(run.code, 12 | 13), "{}: {}", run.code, run.stderr);
    log_is_sound(&example);
}

#[test]
fn a_plan_for_an_environment_that_the_gate_may_not_decide_for() {
    let example = Example::new();
    example.edit("release.yaml", "environment: production", "environment: staging");
    for person in ["alice", "bob"] {
        let key = format!("keys/{person}.key");
        example.run(&["approve", "--yes", "--release", "release.yaml", "--key", &key]).ends(0);
    }
    example.deploy(&["-o", "plan.json"]).ends(13).says("none of the gates that trust pins for `staging`");
}

#[test]
fn a_preview_is_no_plan() {
    let example = Example::new();
    let nowhere = Example::empty();
    nowhere.run(&["deploy", "-o", "plan.json"]).ends(0);
    let preview = nowhere.read("plan.json");
    assert_eq!(serde_json::from_str::<Value>(&preview).unwrap()["executable"], false);
    example.write("plan.json", &preview);
    example.run(&["audit", "verify-proof", "plan.json"]).ends(13);
}

#[test]
fn an_attempt_number_that_no_reader_takes() {
    for attempt in ["18446744073709551615", "9007199254740993", "-1", "1e3", "99999999999999999999999"] {
        let example = Example::new();
        let run = deploy_with(
            &example,
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "1"), ("GITHUB_RUN_ATTEMPT", attempt)],
            &["-o", "plan.json"],
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        log_is_sound(&example);
        example.run(&["audit", "verify-proof", "plan.json"]).ends(0);
    }
}

#[test]
fn a_time_that_can_not_be_written_again() {
    let example = Example::new();
    for (now, code) in [
        ("9999-12-31T23:59:59-23:00", 2),
        ("0000-01-01T00:00:00+23:59", 2),
        ("9999-12-31T23:59:59Z", 10),
        ("0000-01-01T00:00:00Z", 10),
        ("2016-12-31T23:59:60.999999999Z", 10),
        ("+10000-01-01T00:00:00Z", 2),
        ("-0001-01-01T00:00:00Z", 2),
    ] {
        assert_eq!(example.deploy(&["--now", now]).code, code, "{now}");
        log_is_sound(&example);
    }
}

#[test]
fn an_approval_from_before_the_year_0_or_after_9999_does_not_spoil_the_log() {
    for (created, expires) in [
        ("0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"),
        ("2020-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
        ("2016-12-31T23:59:60Z", "9999-12-31T23:59:60Z"),
    ] {
        let example = Example::new();
        let bundle = evidence(&example, "approval-bob.sigstore.json");
        let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let mut statement: Value = serde_json::from_slice(&payload).unwrap();
        statement["predicate"]["createdAt"] = json!(created);
        statement["predicate"]["expiresAt"] = json!(expires);
        let signed = sign(&example, "keys/bob.key", &statement);
        example.write("evidence/approval-bob.sigstore.json", &signed);
        let run = example.deploy(&[]);
        assert!(matches!(run.code, 0 | 10), "{}", run.stderr);
        log_is_sound(&example);
    }
}

#[test]
fn outputs_that_lead_into_the_log() {
    let log = ".laforge/audit";
    for file in
        ["entries/00000000000000000000.jsonl", "journal/00000000000000000000.jsonl", "checkpoint", "new"]
    {
        let path = format!("{log}/{file}");
        let example = Example::new();
        for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            deploy_with(&example, &[(variable, &path)], &[]).ends(2).says("audit log");
        }
        example.deploy(&["-o", &path]).ends(2).says("audit log");
        example.deploy(&["--report", &format!("json={path}")]).ends(2).says("audit log");
        symlink(example.path(&path), example.path("link")).unwrap();
        deploy_with(&example, &[("GITHUB_OUTPUT", "link")], &[]).ends(2);
        log_is_sound(&example);
        assert_eq!(example.entries().len(), 1);
    }
}

#[test]
fn a_plan_file_that_is_a_link_is_replaced_and_not_followed() {
    let example = Example::new();
    let before = example.read("trust.yaml");
    symlink(example.path("trust.yaml"), example.path("plan.json")).unwrap();
    symlink(example.path("trust.yaml"), example.path("report.json")).unwrap();
    example.deploy(&["-o", "plan.json", "--report", "json=report.json"]).ends(0);
    assert_eq!(example.read("trust.yaml"), before);
    assert!(!fs::symlink_metadata(example.path("plan.json")).unwrap().is_symlink());
}

#[test]
fn a_blob_planted_before_its_entry() {
    // The blob of the policy file is known beforehand: other bytes under its name are not taken for it.
    let example = Example::new();
    let hex =
        laforge::release::digest::Digest::of_bytes(example.read("policies/baseline.yaml").as_bytes()).hex();
    example.write(&format!(".laforge/audit/evidence/sha256/{}/{hex}", &hex[..2]), "planted");
    let run = example.deploy(&[]);
    if run.code == 0 {
        log_is_sound(&example);
    } else {
        assert!(matches!(run.code, 12 | 13), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn long_and_strange_texts_of_the_environment_in_the_log() {
    let example = Example::new();
    let long = "\"\u{7f}\u{2028}\\x\u{1b}]0;t\u{7}".repeat(4000);
    let run = deploy_with(
        &example,
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "1\n{\"_type\":\"https://laforge.dev/entry/v1\"}\n"),
            ("GITHUB_SERVER_URL", &long),
            ("GITHUB_REPOSITORY", "\u{1b}[2J\u{202e}x"),
        ],
        &[],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    log_is_sound(&example);
    let last = example.entries().len() - 1;
    let shown = example.run(&["audit", "show", &last.to_string(), "--evidence"]).ends_with_data();
    assert!(!shown.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", shown.stdout);
}
