//! More attacks, each by name. The attacker is that of `attacks.rs`: whoever owns the build job, with
//! its files, the evidence folder, the command line and the environment.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::example::{Example, REQUIRED, Run, command, copy, finished};

/// More time than any run here takes, and less than a hang.
const PATIENCE: Duration = Duration::from_secs(90);

fn deploy_with(example: &Example, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let mut command = command(&example.path(""));
    command.args(["deploy"]).args(REQUIRED).args(more).envs(variables.iter().copied());
    finished(command.output().unwrap())
}

/// A run that has to end by itself.
#[track_caller]
fn ends_in_time(example: &Example, arguments: &[&str]) -> i32 {
    let mut child = command(&example.path(""))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The log can still be read whole, and it checks out.
#[track_caller]
fn log_is_sound(example: &Example) {
    example.run(&["audit", "verify"]).ends_with_data();
    example.run(&["audit", "list"]).ends_with_data();
}

fn fifo(example: &Example, name: &str) {
    let made = std::process::Command::new("mkfifo").arg(example.path(name)).status().unwrap();
    assert!(made.success());
}

fn evidence(example: &Example, name: &str) -> Value {
    serde_json::from_str(&example.read(&format!("evidence/{name}"))).unwrap()
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
        example.run(&["approve", "--release", "release.yaml", "--key", key]).ends(0);
    }
}

// ---- The standard and the log, chosen on the command line.

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

#[test]
fn a_plan_for_an_environment_that_the_gate_may_not_decide_for() {
    let example = Example::new();
    example.edit("release.yaml", "environment: production", "environment: staging");
    for person in ["alice", "bob"] {
        let key = format!("keys/{person}.key");
        example.run(&["approve", "--release", "release.yaml", "--key", &key]).ends(0);
    }
    example.deploy(&["-o", "plan.json"]).ends(13).says("none of the gates that trust pins for `staging`");
}

#[test]
fn a_preview_is_no_plan() {
    let example = Example::new();
    example.edit("laforge.yaml", "release: release.yaml\n", "");
    example.deploy(&["-o", "plan.json"]).ends(2);
    example.run(&["deploy", "-o", "plan.json"]).ends(0);
    assert_eq!(serde_json::from_str::<Value>(&example.read("plan.json")).unwrap()["executable"], false);
    example.run(&["audit", "verify-proof", "plan.json"]).ends(13);
}

// ---- Policy sets.

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

// ---- The log's bytes.

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

/// A bare envelope around a statement.
fn sign(example: &Example, key: &str, statement: &Value) -> String {
    use laforge::key::secret::SecretKey;
    let key = SecretKey::from_pem(&example.read(key), || None).unwrap();
    let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
    let pae = laforge::evidence::envelope::pae(kind, payload.as_bytes());
    json!({"payloadType": kind, "payload": STANDARD.encode(&payload), "signatures": [{"sig": STANDARD.encode(key.sign(&pae).unwrap())}]})
        .to_string()
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

// ---- What is printed.

#[test]
fn names_of_evidence_that_would_drive_a_terminal_or_a_runner() {
    let example = Example::new();
    for name in [
        "##[set-output name=plan-digest]sha256_00.json",
        "x\n::set-output name=decision::allow.json",
        "x\r\u{1b}[2J\u{1b}]0;t\u{7}\u{202e}.json",
    ] {
        example.write(&format!("evidence/{name}"), "{");
    }
    fs::create_dir(example.path("out")).unwrap();
    let run = deploy_with(
        &example,
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", "out/o"), ("GITHUB_STEP_SUMMARY", "out/s")],
        &["-o", "plan.json", "--report", "human=human.txt"],
    );
    for text in [run.stderr, example.read("out/s"), example.read("human.txt")] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{text}");
        assert!(!text.contains("##["), "{text}");
        let commands = text.lines().filter(|line| line.trim_start().starts_with("::"));
        assert_eq!(commands.filter(|line| line.contains("set-output")).count(), 0, "{text}");
    }
    let outputs = example.read("out/o");
    assert_eq!(outputs.lines().filter(|line| line.starts_with("plan-digest=")).count(), 1, "{outputs}");
    assert_eq!(outputs.lines().filter(|line| line.starts_with("decision=")).count(), 1, "{outputs}");
}

#[test]
fn a_release_file_whose_name_or_text_would_drive_a_terminal_or_a_runner() {
    let example = Example::new();
    let name = "r\n::set-output name=plan::y\u{1b}[31m.yaml";
    for text in [
        "apiVersion: laforge.dev/v1 # ##[set-output name=plan]x\nkind: 5\n",
        "apiVersion: laforge.dev/v1 # \u{1b}[2J\u{202e}\nkind: 5\n",
        "\u{1b}[2J: ##[add-mask]x\n",
    ] {
        example.write(name, text);
        let run = example.deploy(&["--release", name]).ends(2);
        assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']), "{}", run.stderr);
        assert!(!run.stderr.contains("##["), "{}", run.stderr);
        assert!(!run.stderr.lines().any(|line| line.trim_start().starts_with("::")), "{}", run.stderr);
    }
}

#[test]
fn a_tag_in_a_document() {
    for tag in ["!!str 2.4.0", "!!binary Mi40LjA=", "!x 2.4.0"] {
        let example = Example::new();
        example.edit("release.yaml", "version: 2.4.0", &format!("version: {tag}"));
        let run = example.deploy(&["-o", "plan.json"]);
        assert_eq!(run.code, 2, "`{tag}` was taken: {}", run.stderr);
    }
}

#[test]
fn names_in_a_release_that_a_screen_would_not_show() {
    for (from, to) in [
        ("name: payments,", "name: \"pay\\u202Ements\","),
        ("name: payments,", "name: \"payments\\n::error::x\","),
        ("environment: production", "environment: \"production\\u200B\""),
        ("environment: production", "environment: \"production \""),
        ("name: sbom.json", "name: \"sbom\\0.json\""),
        ("version: 2.4.0", "version: ~"),
        ("name: sbom.json", "name: payments.tar.gz"),
        ("name: sbom.json", "name: manifests"),
        ("digest: \"sha256:6", "digest: \"SHA256:6"),
    ] {
        let example = Example::new();
        example.edit("release.yaml", from, to);
        example.deploy(&[]).ends(2);
    }
}

// ---- The same again.

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
    example.run(&["reject", "--release", "release.yaml", "--key", "keys/bob.key"]).ends(0);
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

// ---- Evidence that is two things, or one thing twice.

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

// ---- Files that are no files, and files without end.

#[test]
fn pipes_devices_links_and_sparse_files_wherever_bytes_are_read() {
    let example = Example::new();
    for name in ["evidence/pipe.json", "evidence/more.jsonl"] {
        fifo(&example, name);
    }
    symlink("/dev/zero", example.path("evidence/zero.json")).unwrap();
    symlink("/proc/self/mem", example.path("evidence/mem.dsse")).unwrap();
    symlink(".", example.path("evidence/loop")).unwrap();
    example.deploy(&[]).ends(0);

    let sparse = example.fork_without_special_files();
    fs::File::create(sparse.path("evidence/huge.json")).unwrap().set_len(1 << 40).unwrap();
    sparse.denied(&[], &["evidence-limit"]);
    let sparse = example.fork_without_special_files();
    fs::File::create(sparse.path("evidence/huge.jsonl")).unwrap().set_len(1 << 40).unwrap();
    sparse.denied(&[], &["evidence-limit"]);

    for artifact in ["pipe", "/dev/zero", "/dev/stdin", "/proc/self/mem", "."] {
        let example = Example::new();
        fifo(&example, "pipe");
        example.edit("release.yaml", "path: artifacts/sbom.json", &format!("path: {artifact}"));
        assert_eq!(ends_in_time(&example, &["deploy"]), 1, "{artifact}");
    }
    for release in ["pipe", "/dev/zero", "."] {
        let example = Example::new();
        fifo(&example, "pipe");
        assert_eq!(ends_in_time(&example, &["deploy", "--release", release]), 2, "{release}");
    }
    let example = Example::new();
    fifo(&example, "pipe");
    assert_eq!(ends_in_time(&example, &["deploy", "--require-signed", "--evidence", "pipe"]), 11);
}

impl Example {
    /// Another folder with the same content, but for what is no file or folder.
    fn fork_without_special_files(&self) -> Self {
        for name in self.list("evidence") {
            let kind = fs::symlink_metadata(self.path(&format!("evidence/{name}"))).unwrap().file_type();
            if !kind.is_file() && !kind.is_dir() {
                self.remove(&format!("evidence/{name}"));
            }
        }
        self.fork()
    }
}

#[test]
fn an_index_that_lists_one_manifest_again_and_again() {
    let example = Example::new();
    let put = |bytes: &[u8], media_type: &str| {
        let hex = laforge::release::digest::Digest::of_bytes(bytes).hex();
        fs::create_dir_all(example.path("l/blobs/sha256")).unwrap();
        fs::write(example.path(&format!("l/blobs/sha256/{hex}")), bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len()})
    };
    let config = put(b"{}", "c");
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [], "pad": " ".repeat(4_000_000)});
    let manifest = put(manifest.to_string().as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let index = json!({"schemaVersion": 2, "manifests": vec![manifest; 20_000]});
    let index = put(index.to_string().as_bytes(), "x");
    example.write("l/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    let image = format!(
        "    - {{name: image, image: \"r.example/x@{}\", path: l}}\n  config:",
        index["digest"].as_str().unwrap()
    );
    example.edit("release.yaml", "  config:", &image);
    assert_eq!(ends_in_time(&example, &["deploy"]), 1);
}

#[test]
fn documents_made_to_cost_a_parser_time() {
    let size = 500_000;
    for text in [
        "[".repeat(size),
        "{a: ".repeat(size / 4),
        "- ".repeat(size / 2),
        "? ".repeat(size / 2),
        "a:".repeat(size / 2),
        format!("a: &a [{}]\nb: *a\n", "x,".repeat(size / 4)),
        format!("a: \"{}", "x\n ".repeat(size / 3)),
        (0..900).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        format!("{{{}}}", (0..size / 10).map(|at| format!("k{at}: 1,")).collect::<String>()),
        "a".repeat(2_000_000),
    ] {
        let example = Example::new();
        example.write("bad.yaml", &text);
        assert_eq!(ends_in_time(&example, &["deploy", "--release", "bad.yaml"]), 2);
    }
}

/// What the build's own signer signed is kept parsed until the decision.
#[test]
fn signed_statements_that_grow_when_they_are_parsed() {
    let example = Example::new();
    for at in 0..6 {
        let list = "0,".repeat(5_500_000);
        example.write("big.json", &format!("{{\"i\":{at},\"x\":[{list}0]}}"));
        let to = format!("evidence/big{at}.json");
        example
            .run(&[
                "attest",
                "artifacts/sbom.json",
                "--type",
                "https://x.example/p",
                "--predicate",
                "big.json",
                "--key",
                "keys/ci.key",
                "-o",
                &to,
            ])
            .ends(0);
    }
    // 90 MiB of evidence are more than is taken, and what is taken fits in 1.5 GB of address space.
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 1500000; exec \"$0\" deploy", env!("CARGO_BIN_EXE_laforge")])
        .current_dir(example.path(""))
        .env("XDG_CACHE_HOME", example.path(".cache"))
        .output()
        .unwrap();
    let run = finished(limited);
    assert!(run.code == 10 && run.stderr.contains("evidence-limit"), "{}: {}", run.code, run.stderr);
}

#[test]
fn artifacts_and_evidence_swapped_while_the_gate_reads() {
    let example = Example::new();
    let stop = AtomicBool::new(false);
    let (good, bad) = (example.read("artifacts/sbom.json"), "evil".to_owned());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            while !stop.load(Ordering::Relaxed) && started.elapsed() < PATIENCE {
                for text in [&bad, &good] {
                    fs::write(example.path("swap"), text).unwrap();
                    fs::rename(example.path("swap"), example.path("artifacts/sbom.json")).unwrap();
                }
            }
        });
        for _ in 0..20 {
            let run = example.deploy(&[]);
            if run.code == 0 {
                let plan = run.json();
                let digest = laforge::release::digest::Digest::of_bytes(good.as_bytes()).hex();
                assert!(plan["plan"]["subject"].to_string().contains(&digest));
            } else {
                assert_eq!(run.code, 10, "{}", run.stderr);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    log_is_sound(&example);
}
