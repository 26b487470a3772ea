//! Attacks on the standard: trust, policies and configuration chosen on the command line.

use std::fs;
use std::os::unix::fs::symlink;

use super::{ends_in_time, fifo, log_is_sound};
use crate::example::{Example, REQUIRED};

/// A trust file of the attacker's own people, which keeps the gate of the reviewed one.
fn loosen_trust(example: &Example) {
    example.run(&["keygen", "--use", "person", "-o", "mallory", "--insecure-unencrypted"]).ends_with_data();
    example.run(&["keygen", "--use", "person", "-o", "trudy", "--insecure-unencrypted"]).ends_with_data();
    let loose = example
        .read("trust.yaml")
        .replace("trust/alice.pub", "mallory.pub")
        .replace("trust/bob.pub", "trudy.pub");
    example.write("loose.yaml", &loose);
    example
        .write("mine.yaml", &example.read("laforge.yaml").replace("trust: trust.yaml", "trust: loose.yaml"));
    example.remove("evidence/approval-alice.sigstore.json");
    example.remove("evidence/approval-bob.sigstore.json");
    for key in ["mallory.key", "trudy.key"] {
        example.run(&["approve", "--yes", "--release", "release.yaml", "--key", key]).ends(0);
    }
}

#[test]
fn trust_on_the_command_line_that_would_loosen() {
    let example = Example::new();
    example.run(&["keygen", "--use", "person", "-o", "mallory", "--insecure-unencrypted"]).ends_with_data();
    fs::copy(example.path("mallory.pub"), example.path("trust/mallory.pub")).unwrap();
    let loose = example.read("trust.yaml").replace("trust/bob.pub", "trust/mallory.pub");
    example.write("loose.yaml", &loose);
    example.deploy(&["--trust", "loose.yaml"]).ends(2).says("--trust");
}

#[test]
fn a_policy_on_the_command_line_only_adds() {
    let example = Example::new();
    example.write("easy/easy.yaml", "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: easy}\nspec:\n  require:\n    signatures: {each: artifact, atLeast: 1}\n");
    example.write(
        "easy/policy-set.yaml",
        "apiVersion: laforge.dev/v1\nkind: PolicySet\nmetadata: {name: easy, version: 1}\n",
    );
    example.remove("evidence/approval-bob.sigstore.json");
    example.denied(&["--policy", "easy"], &["approval-threshold"]);
}

#[test]
fn dropping_a_flag_changes_the_policy_digest() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    let with = example.last_decision()["policy"]["digest"].clone();
    example.run(&["deploy", "--require-signed"]).ends(0);
    assert_ne!(example.last_decision()["policy"]["digest"], with);
}

#[test]
fn a_policy_set_rolled_back_to_a_lower_version() {
    let example = Example::new();
    example.edit("policies/policy-set.yaml", "version: 1", "version: 7");
    example.deploy(&[]).ends(0);
    example.edit("policies/policy-set.yaml", "version: 7", "version: 6");
    example.deploy(&[]).ends(2).says("version");
}

#[test]
fn no_policy_and_no_flag_is_a_recorded_deny() {
    let example = Example::new();
    example.edit("laforge.yaml", "policies: [{path: policies/}]\n", "");
    let before = example.entries().len();
    example.run(&["deploy"]).ends(10).says("no-rule");
    assert!(example.entries().len() > before);
}

/// Whoever chooses `--config` chooses the standard: the gate's command line belongs to its protected
/// side (threat model). It is never unseen: the log says so, and so does `verify-proof`.
#[test]
fn a_configuration_on_the_command_line_that_would_loosen_is_seen() {
    let example = Example::new();
    loosen_trust(&example);
    example.deploy(&[]).ends(10);
    example.run(&[&["--config", "mine.yaml", "deploy", "-o", "plan.json"], &REQUIRED[..]].concat()).ends(0);
    assert_eq!(example.entries().iter().filter(|entry| entry["type"] == "trust.changed").count(), 2);
    let proof = example.run(&["audit", "verify-proof", "plan.json"]);
    assert_eq!(proof.code, 0);
    assert!(proof.stderr.contains("warning: it was decided under the trust"), "{}", proof.stderr);
}

#[test]
fn a_configuration_that_would_loosen_is_stopped_by_a_pinned_trust_digest_and_stands_in_the_log() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    let pinned = example.last_decision()["trust"]["digest"].as_str().unwrap().to_owned();
    loosen_trust(&example);
    example.run(&[&["--config", "mine.yaml", "deploy", "-o", "plan.json"], &REQUIRED[..]].concat()).ends(0);
    assert!(example.entries().iter().filter(|entry| entry["type"] == "trust.changed").count() >= 2);
    example.edit("trust.yaml", "- environments:", &format!("- trustDigests: ['{pinned}']\n  environments:"));
    example.run(&["audit", "verify-proof", "plan.json"]).ends(13).says("trust");
}

#[test]
fn the_same_trust_without_its_pins_on_the_command_line() {
    // Pins for executors are no part of the trust digest, so such a file passes for the configured one.
    let example = Example::new();
    let zeros = format!("sha256:{}", "0".repeat(64));
    let unpinned = example.read("trust.yaml");
    example.edit("trust.yaml", "- environments:", &format!("- policyDigests: ['{zeros}']\n  environments:"));
    example.write("unpinned.yaml", &unpinned);
    example.deploy(&["-o", "plan.json", "--trust", "unpinned.yaml"]).ends(0);
    example.run(&["audit", "verify-proof", "plan.json"]).ends(13).says("policy");
    example.run(&["audit", "verify-proof", "plan.json", "--trust", "unpinned.yaml"]).ends(13).says("policy");
}

fn set(example: &Example, folder: &str, name: &str, version: u64) {
    example.write(
        &format!("{folder}/p.yaml"),
        "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  require:\n    signatures: {each: artifact, atLeast: 1}\n",
    );
    example.write(
        &format!("{folder}/policy-set.yaml"),
        &format!(
            "apiVersion: laforge.dev/v1\nkind: PolicySet\nmetadata: {{name: {name}, version: {version}}}\n"
        ),
    );
}

#[test]
fn a_second_set_of_the_same_name_and_a_set_behind_another_pin() {
    let example = Example::new();
    set(&example, "second", "baseline", 1);
    example.deploy(&["--policy", "second"]).ends(2).says("baseline");
    set(&example, "second", "other", 1);
    let zeros = format!("second@sha256:{}", "0".repeat(64));
    example.deploy(&["--policy", &zeros]).ends(2).says("pin");
    example.deploy(&["--policy", "second@sha256:00"]).ends(2);
    for reserved in ["flags", "unnamed"] {
        set(&example, "second", reserved, 1);
        example.deploy(&["--policy", "second"]).ends(2).says("reserved");
    }
}

#[test]
fn five_sets_that_push_the_configured_one_out_of_the_entry() {
    let example = Example::new();
    let mut flags = Vec::new();
    for at in 0..4 {
        set(&example, &format!("s{at}"), &format!("a{at}"), 1);
        flags.extend(["--policy".to_owned(), format!("s{at}")]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    example.deploy(&flags).ends(2);
    example.deploy(&flags[..6]).ends(0);
    let decision = example.last_decision();
    let sets = decision["policy"]["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 5);
    assert!(sets.iter().any(|set| set["name"] == "baseline"));
}

#[test]
fn a_policy_version_that_no_reader_takes() {
    let example = Example::new();
    set(&example, "huge", "huge", 9_007_199_254_740_993);
    example.deploy(&["--policy", "huge"]).ends(2);
    set(&example, "huge", "huge", u64::MAX);
    example.deploy(&["--policy", "huge"]).ends(2);
    log_is_sound(&example);
}

/// Denies count, or the version before the stricter one would be allowed again. So whoever may add a
/// `--policy` to the gate's command line can use up a name's versions: that denies, and is seen.
#[test]
fn a_version_that_a_planted_set_gave_denies_and_never_loosens() {
    let example = Example::new();
    set(&example, "planted", "freezes", 9_000_000_000);
    example.remove("evidence/approval-bob.sigstore.json");
    example.deploy(&["--policy", "planted"]).ends(10);
    set(&example, "real", "freezes", 1);
    example.edit("laforge.yaml", "[{path: policies/}]", "[{path: policies/}, {path: real}]");
    example.deploy(&[]).ends(2).says("version 9000000000 is on record");
    let recorded = example.last_decision()["policy"]["sets"].to_string();
    assert!(recorded.contains("9000000000"), "{recorded}");
}

#[test]
fn a_policy_file_that_is_a_link_or_a_pipe() {
    let example = Example::new();
    symlink(example.path("release.yaml"), example.path("policies/more.yaml")).unwrap();
    example.deploy(&[]).ends(2).says("link");
    let example = Example::new();
    fifo(&example, "policies/more.yaml");
    assert_eq!(ends_in_time(&example, &["deploy"]), 2);
}
