//! The same request again, by many, or cut off: one plan, and never an older one.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::{deploy_with, log_is_sound};
use crate::example::{Example, REQUIRED, command, finished};

#[test]
fn the_same_again_gives_the_same_plan_again_and_a_deny_is_recorded_each_time() {
    let example = Example::new();
    let first = example.deploy(&[]).ends(0);
    let entries = example.entries().len();
    let again = example.deploy(&[]).ends(0);
    assert_eq!(first.stdout, again.stdout);
    assert_eq!(example.entries().len(), entries);
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &[]);
    example.denied(&[], &[]);
}

#[test]
fn the_decision_is_the_same_whatever_else_the_machine_does() {
    let example = Example::new();
    let reports: Vec<String> = (0..8)
        .map(|_| {
            let run = example.run(&[
                "verify",
                "--now",
                "2030-01-01T00:00:00Z",
                "--report",
                "json",
                "--require-signed",
            ]);
            let mut report: Value = serde_json::from_str(&run.stdout).unwrap();
            report.as_object_mut().unwrap().remove("timing");
            report.to_string()
        })
        .collect();
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn what_was_allowed_is_not_given_again_after_a_revocation_a_rejection_or_a_freeze() {
    let allowed = || {
        let example = Example::new();
        let first = example.deploy(&[]).ends(0).stdout;
        (example, first)
    };
    let (example, _) = allowed();
    let trust = example.read("trust.yaml");
    example.write(
        "trust.yaml",
        &format!("{trust}revoked: [{{key: trust/bob.pub, since: 2020-01-01T00:00:00Z, reason: leaked}}]\n"),
    );
    example.denied(&[], &["approval-threshold"]);
    let (example, _) = allowed();
    std::thread::sleep(Duration::from_millis(1100));
    example.run(&["reject", "--yes", "--release", "release.yaml", "--key", "keys/bob.key"]).ends(0);
    example.denied(&[], &["approval-rejected"]);
    let (example, _) = allowed();
    example.write(
        "policies/freeze.yaml",
        "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: freeze}\nspec:\n  freeze: [{name: now, from: 2020-01-01T00:00, to: 2090-01-01T00:00}]\n",
    );
    example.denied(&[], &["freeze"]);
    // And once it is thawed the standard is the old one: the same plan, none that lives longer.
    let (example, first) = allowed();
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &[]);
    let again = example.fork();
    drop(example);
    let run = again.deploy(&["--ttl", "23h"]);
    assert_ne!(run.stdout, first);
    assert_eq!(run.code, 10, "{}", run.stderr);
}

#[test]
fn what_was_denied_since_is_not_given_again_without_an_entry_of_its_own() {
    let example = Example::new();
    let first = example.deploy(&[]).ends(0).json();
    let approval = example.read("evidence/approval-bob.sigstore.json");
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&[], &["approval-threshold"]);
    example.write("evidence/approval-bob.sigstore.json", &approval);
    // The log's last word on the release is a deny: who gets a plan now is to be seen behind it.
    let entries = example.entries().len();
    let anew = example.deploy(&[]).ends(0).json();
    assert_eq!(example.entries().len(), entries + 1);
    assert!(anew["auditEntry"]["index"].as_u64() > first["auditEntry"]["index"].as_u64());
    let again = example.deploy(&[]).ends(0).json();
    assert_eq!((again, example.entries().len()), (anew, entries + 1));
}

#[test]
fn another_run_of_the_pipeline_or_another_life_is_another_decision() {
    let example = Example::new();
    let ci = |id: &str| {
        deploy_with(&example, &[("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", id)], &[]).ends(0).json()
    };
    let (one, two) = (ci("1"), ci("2"));
    assert_ne!(one["auditEntry"]["index"], two["auditEntry"]["index"]);
    assert_eq!(ci("1"), one);
    let longer = example.deploy(&["--ttl", "20h"]).ends(0).json();
    let plain = example.deploy(&[]).ends(0).json();
    assert_ne!(longer["planDigest"], plain["planDigest"]);
}

#[test]
fn a_plan_that_has_expired_is_not_given_again() {
    let example = Example::new();
    let first = example.deploy(&["--ttl", "2s"]);
    if first.code == 2 {
        return; // Shorter lives than a test can wait for are refused.
    }
    std::thread::sleep(Duration::from_millis(2100));
    assert_ne!(example.deploy(&["--ttl", "2s"]).ends(0).stdout, first.stdout);
}

#[test]
fn many_gates_at_once_give_one_plan_and_one_entry() {
    let example = Example::new();
    let before = example.entries().len();
    let children: Vec<_> = (0..6)
        .map(|_| {
            command(&example.path(""))
                .arg("deploy")
                .args(REQUIRED)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let plans: Vec<String> = children
        .into_iter()
        .map(|child| finished(child.wait_with_output().unwrap()).ends(0).stdout)
        .collect();
    // Clocks differ by less than a second, and the first one's plan is everybody's.
    assert!(plans.iter().all(|plan| *plan == plans[0]));
    let decisions = example.entries().iter().skip(before).filter(|entry| entry["type"] == "decision").count();
    assert_eq!(decisions, 1);
    log_is_sound(&example);
}

#[test]
fn a_gate_killed_at_any_moment_leaves_a_log_that_goes_on() {
    let example = Example::new();
    for at in 0..24 {
        let mut child = command(&example.path(""))
            .arg("deploy")
            .args(REQUIRED)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_RUN_ID", at.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5 + at * 8));
        let _ = child.kill();
        child.wait().unwrap();
    }
    example.deploy(&[]).ends(0);
    log_is_sound(&example);
}
