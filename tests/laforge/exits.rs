//! Every exit code of the contract, pinned, with its first line.

mod signals;
mod table;

use std::fs;
use std::process::Stdio;

use crate::example::{Example, command, finished};

#[test]
fn exit_0_allows_and_prints_one_json_document() {
    let example = Example::new();
    let run = example.deploy(&[]).ends(0).says("allowed");
    let envelope = run.json();
    assert_eq!(envelope["payloadType"], "application/vnd.laforge.rollout-plan.v1+json");
    assert_eq!(envelope["auditEntry"]["index"], example.last_decision()["seq"]);
    assert!(run.stdout.ends_with('\n') && run.stdout.lines().count() == 1);
}

#[test]
fn exit_1_when_an_artifact_can_not_be_read() {
    let example = Example::new();
    example.remove("artifacts/sbom.json");
    let run = example.deploy(&[]).ends(1).says("fatal: no decision was made\n").says("artifacts/sbom.json");
    assert!(run.stderr.starts_with("fatal: "), "{}", run.stderr);
}

#[test]
fn exit_1_when_the_plan_can_not_be_written_and_says_that_it_is_on_record() {
    let example = Example::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&example.path(""))
        .args(["deploy", "--require-signed"])
        .stdout(Stdio::from(full))
        .output()
        .unwrap();
    let run = finished(output);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let recorded = format!("recorded as allow {}", example.last_decision()["seq"]);
    assert!(run.stderr.contains("fatal: the decision is recorded"), "{}", run.stderr);
    assert!(run.stderr.contains(&recorded), "`{recorded}`: {}", run.stderr);
    let index = example.run(&["deploy", "--require-signed"]).ends(0).json()["auditEntry"]["index"].clone();
    assert_eq!(index, example.last_decision()["seq"]);
}

#[test]
fn the_same_again_reports_the_plan_that_it_gives() {
    let example = Example::new();
    example.deploy(&["-o", "plan.json"]).ends(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let again = example.deploy(&["--report", "json=report.json"]).ends(0).says("the same plan again");
    let report: serde_json::Value = serde_json::from_str(&example.read("report.json")).unwrap();
    assert_eq!(again.json()["planDigest"], report["plan"]["digest"]);
    assert!(again.stderr.contains(again.json()["planDigest"].as_str().unwrap()));
}

#[test]
fn a_deny_leaves_no_plan_of_an_earlier_run() {
    let example = Example::new();
    example.deploy(&["-o", "plan.json"]).ends(0);
    assert!(example.path("plan.json").exists() && example.path("plan.json.tlog-proof").exists());
    example.remove("evidence/approval-bob.sigstore.json");
    example.deploy(&["-o", "plan.json"]).ends(10);
    assert!(!example.path("plan.json").exists() && !example.path("plan.json.tlog-proof").exists());
}

#[test]
fn a_run_without_a_decision_leaves_no_report_of_an_earlier_allow() {
    let example = Example::new();
    example.deploy(&["--report", "json=report.json"]).ends(0);
    fs::remove_dir_all(example.path(".laforge/audit")).unwrap();
    example.deploy(&["--report", "json=report.json"]).ends(12);
    assert!(!example.path("report.json").exists());
}

#[test]
fn exit_2_for_usage_configuration_and_policy() {
    let example = Example::new();
    example.deploy(&["--no-such-flag"]).ends(2).says("fatal: no decision was made\n");
    example.deploy(&["--environment", "staging"]).ends(2).says("--environment `staging`");
    example.deploy(&["--ttl", "87600h"]).ends(2).says("--ttl");
    example.deploy(&["--break-glass"]).ends(2).says("not built yet");
    example.deploy(&["--policy", "nowhere/"]).ends(2).says("nowhere/");
    example.deploy(&["--evidence", "nowhere/"]).ends(2).says("nowhere/");
    example.deploy(&["--report", "json=nowhere/report.json"]).ends(2).says("nowhere");
    example.deploy(&["--report", "json=release.yaml"]).ends(2).says("is no report");
    example.deploy(&["-o", "release.yaml"]).ends(2).says("is no plan");
    example.run(&["waive"]).ends(2).says("`laforge waive` is not built yet");
    example.run(&["audit", "replay", "3"]).ends(2).says("not built yet");
    let run = example.run(&["audit", "verify", "--no-such-flag"]).ends(2);
    assert!(!run.stderr.contains("no decision was made"), "{}", run.stderr);
    example
        .run(&["-C", ".", "--color", "never", "verify", "--no-such-flag"])
        .ends(2)
        .says("fatal: no decision was made\n");
    example.run(&["depoly"]).ends(2).says("is no verb");
    example.edit("policies/baseline.yaml", "kind: Policy", "kind: Policy\nkind: Policy");
    example.deploy(&[]).ends(2).says("policies/baseline.yaml:");
}

#[test]
fn exit_2_when_something_is_required_and_there_is_nothing_to_verify() {
    let empty = Example::empty();
    empty.deploy(&[]).ends(2).says("nothing to verify");
    empty.run(&["verify"]).ends(2).says("nothing to verify");
}

#[test]
fn exit_10_for_a_deny_with_its_reason_on_stderr_alone() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &["approval-threshold"]);
    example.run(&["verify"]).ends(10).says("refused[approval-threshold]");
}

#[test]
fn exit_11_when_evidence_can_not_be_reached() {
    // A path that leads back to itself is there, and nobody can read it, root included.
    let example = Example::new();
    std::os::unix::fs::symlink("approvals", example.path("approvals")).unwrap();
    example.remove("evidence/approval-bob.sigstore.json");
    let run = example.deploy(&["--evidence", "evidence", "--evidence", "approvals"]).ends(11);
    let run = run.says("inconclusive[approval-threshold]");
    assert!(run.stderr.contains("approvals: "), "{}", run.stderr);
    let decision = example.last_decision();
    assert_eq!((&decision["verdict"], &decision["action"]), (&"error".into(), &"deny".into()));
}

#[test]
fn an_unreachable_source_does_not_hinder_a_release_that_needs_nothing_of_it() {
    let example = Example::new();
    std::os::unix::fs::symlink("approvals", example.path("approvals")).unwrap();
    example
        .deploy(&["--evidence", "evidence", "--evidence", "approvals"])
        .ends(0)
        .says("warning[evidence-unreachable]");
}

#[test]
fn exit_12_when_the_log_is_missing_and_it_is_not_made_anew() {
    let example = Example::new();
    fs::remove_dir_all(example.path(".laforge/audit")).unwrap();
    example.deploy(&[]).ends(12).says("fatal: the decision could not be recorded\n");
    assert!(!example.path(".laforge/audit").exists());
    example.deploy(&["--audit-init"]).ends(12);
    assert!(!example.path(".laforge/audit").exists());
}

#[test]
fn exit_13_when_the_log_was_touched() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    let entries = example.path(".laforge/audit/entries/00000000000000000000.jsonl");
    let text = fs::read_to_string(&entries).unwrap().replace("\"pass\"", "\"fail\"");
    fs::write(&entries, text).unwrap();
    example.run(&["audit", "verify"]).ends(13);
    example.deploy(&[]).ends(13);
}

#[test]
fn the_older_name_takes_the_playbook_line_letter_for_letter() {
    let empty = Example::empty();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_laforge-dev-cli"))
        .current_dir(empty.path(""))
        .args([
            "deploy",
            "--strategy",
            "bluegreen",
            "--traffic-steps",
            "20,80,100",
            "--latency-budget",
            "450",
        ])
        .args(["--error-budget", "0.02"])
        .output()
        .unwrap();
    let run = finished(output).ends(0).says("preview");
    let preview = run.json();
    assert_eq!(preview["kind"], "RolloutPlanPreview");
    assert_eq!(preview["executable"], false);
    assert!(preview.get("_type").is_none() && preview.get("subject").is_none());
    assert_eq!(empty.list(""), Vec::<String>::new());
}

#[test]
fn exit_2_when_a_gate_has_no_release_and_when_a_preview_would_drop_a_flag() {
    let nothing = "nothing to verify: no release in reach";
    let empty = Example::empty();
    empty.run(&["deploy", "--traffic-steps", "20,80,100"]).ends_with_data().says("preview only");
    for flags in [
        &["--evidence", "nope"][..],
        &["--trust", "nope"],
        &["--offline"],
        &["--environment", "staging"],
        &["--audit-log", "nope"],
        &["--audit-init"],
        &["--vsa", "v.json", "--vsa-key", "nope"],
        &["--report", "json=r.json"],
        &["--now", "2026-03-02T12:00:00Z"],
        &["--dry-run"],
        &["--require-signed"],
    ] {
        empty.run(&[&["deploy"], flags].concat()).ends(2).says(nothing);
    }
    assert_eq!(empty.list("."), Vec::<String>::new());
    let gate = Example::new();
    gate.edit("laforge.yaml", "release: release.yaml\n", "");
    gate.run(&["deploy"]).ends(2).says(nothing);
}

#[test]
fn exit_2_when_two_outputs_go_to_one_file() {
    let example = Example::new();
    for flags in [
        &["--report", "json=same.json", "-o", "same.json"][..],
        &["--report", "json=plan.json.tlog-proof", "-o", "plan.json"],
        &["--report", "json=same", "--report", "human=same"],
    ] {
        example.deploy(flags).ends(2).says("two outputs go to one file");
    }
    assert_eq!(example.entries().len(), 1, "something was decided");
    example.deploy(&["-o", "/dev/null"]).ends(0);
    assert!(!std::path::Path::new("/dev/null.tlog-proof").exists());
}

#[test]
fn exit_2_when_manifests_come_in_where_the_answer_would() {
    let example = Example::new();
    let approve = [
        "approve",
        "--release",
        "release.yaml",
        "--manifests",
        "-",
        "--key",
        "keys/alice.key",
        "-o",
        "a.json",
    ];
    example.run(&approve).ends(2).says("the manifests come in where your answer would");
    assert!(!example.path("a.json").exists());
}
