//! The attacks of this class, each by name: none may get a plan out of a release that doesn't deserve it.
//!
//! The attacker owns the build job: files, evidence, command line. Not the gate's key, and not the
//! people's, save where a test says so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::example::{Example, REQUIRED};

fn files(example: &Example, folder: &str) -> Vec<String> {
    example.list(folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
}

/// Any run that is not an allow, and prints no plan.
#[track_caller]
fn gets_no_plan(example: &Example, what: &str) {
    let run = example.deploy(&[]);
    assert_ne!(run.code, 0, "{what} was allowed: {}", run.stdout);
    assert_eq!(run.stdout, "", "{what}");
}

#[test]
fn one_byte_of_an_artifact() {
    let example = Example::new();
    for file in files(&example, "artifacts") {
        let copy = example.fork();
        let mut bytes = fs::read(copy.path(&file)).unwrap();
        bytes[3] ^= 1;
        fs::write(copy.path(&file), bytes).unwrap();
        copy.denied(&[], &["artifact-digest"]);
        let decision = copy.last_decision();
        assert!(decision["release"].get("digest").is_none(), "a mismatch has no release digest: {decision}");
    }
}

#[test]
fn an_approved_image_with_another_config() {
    let example = Example::new();
    example.write("deploy/config.yaml", "log: debug\nworkers: 4\n");
    example.denied(&[], &["artifact-digest"]);
    // Claiming the new bytes makes another release, which nobody approved.
    let digest = sha256(&example.path("deploy/config.yaml"));
    let release = example.read("release.yaml");
    let old = release.rsplit("sha256:").next().unwrap()[..64].to_owned();
    example.edit("release.yaml", &old, &digest);
    example.denied(&[], &["approval-threshold"]);
}

#[test]
fn every_evidence_file_removed_in_turn() {
    let example = Example::new();
    for file in files(&example, "evidence") {
        let copy = example.fork();
        copy.remove(&file);
        gets_no_plan(&copy, &file);
    }
}

#[test]
fn every_evidence_file_replaced_by_that_of_another_release() {
    let (example, other) = (Example::new(), Example::empty());
    other.run(&["init", ".", "--example"]).ends(0);
    for file in files(&example, "evidence") {
        let copy = example.fork();
        fs::copy(other.path(&file), copy.path(&file)).unwrap();
        gets_no_plan(&copy, &file);
    }
}

#[test]
fn every_evidence_file_passed_off_as_another() {
    let example = Example::new();
    let names = files(&example, "evidence");
    for (at, file) in names.iter().enumerate() {
        let copy = example.fork();
        fs::copy(copy.path(&names[(at + 1) % names.len()]), copy.path(file)).unwrap();
        gets_no_plan(&copy, file);
    }
}

#[test]
fn bytes_of_evidence_flipped() {
    // Every 37th byte of each file here; the fixture walk flips every byte of the small ones in-process.
    let example = Example::new();
    for file in files(&example, "evidence") {
        let bytes = fs::read(example.path(&file)).unwrap();
        for at in (0..bytes.len()).step_by(37) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(example.path(&file), &changed).unwrap();
            let run = example.run(&[&["verify"], &REQUIRED[..]].concat());
            let unauthenticated = hint_only(&bytes, &changed);
            assert!(run.code == 10 || unauthenticated, "{file} byte {at}: {}: {}", run.code, run.stderr);
        }
        fs::write(example.path(&file), bytes).unwrap();
    }
}

/// The key's hint is nobody's word: a lookup aid whose change changes nothing that counts.
fn hint_only(before: &[u8], after: &[u8]) -> bool {
    let strip = |bytes: &[u8]| {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        value.pointer_mut("/verificationMaterial/publicKey")?.as_object_mut()?.remove("hint");
        Some(value)
    };
    matches!((strip(before), strip(after)), (Some(before), Some(after)) if before == after)
}

#[test]
fn a_pae_signed_as_a_file() {
    let example = Example::new();
    example.write("artifacts/pae", "DSSEv1 28 application/vnd.in-toto+json 2 {}");
    let run = example.run(&["sign", "artifacts/pae", "--key", "keys/release.key", "-o", "pae.json"]);
    run.ends(1).says("DSSEv1");
}

#[test]
fn one_key_under_two_uses_two_names_or_two_people() {
    for (from, to) in [
        ("key: trust/ci.pub", "key: trust/release.pub"),
        ("key: trust/bob.pub", "key: trust/alice.pub"),
        ("key: trust/bob.pub", "key: trust/ci.pub"),
        ("key: trust/audit.pub", "key: trust/alice.pub"),
    ] {
        let example = Example::new();
        example.edit("trust.yaml", from, to);
        example.deploy(&[]).ends(2).says("trust.yaml:");
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
fn a_key_file_swapped_under_an_unchanged_trust() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    let before = example.last_decision()["trust"]["digest"].clone();
    example.run(&["keygen", "--use", "person", "-o", "mallory", "--insecure-unencrypted"]).ends_with_data();
    fs::copy(example.path("mallory.pub"), example.path("trust/bob.pub")).unwrap();
    example.run(&["approve", "--release", "release.yaml", "--key", "mallory.key"]).ends(0);
    // Whoever may write the trust's key files decides who bob is; it can't happen unseen.
    let _ = example.deploy(&[]);
    assert_ne!(example.last_decision()["trust"]["digest"], before);
    assert!(
        example.entries().iter().any(|entry| entry["type"] == "trust.changed"),
        "{:?}",
        example.entries()
    );
}

#[test]
fn approval_for_another_environment_and_for_another_release() {
    for (flags, rule) in [
        (["--blind", "", "--environment", "staging"], "approval-threshold"),
        (
            [
                "--blind",
                "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "--environment",
                "production",
            ],
            "approval-threshold",
        ),
    ] {
        let example = Example::new();
        example.deploy(&[]).ends(0);
        let digest = example.last_decision()["release"]["digest"].as_str().unwrap().to_owned();
        let flags = flags.map(|flag| if flag.is_empty() { digest.as_str() } else { flag });
        example.remove("evidence/approval-bob.sigstore.json");
        example
            .run(
                &[&["approve", "--key", "keys/bob.key", "-o", "evidence/approval-x.json"], &flags[..]]
                    .concat(),
            )
            .ends(0);
        example.denied(&[], &[rule]);
    }
}

#[test]
fn one_person_approves_twice() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    example.run(&["approve", "--release", "release.yaml", "--key", "keys/alice.key"]).ends(0);
    example.denied(&[], &["approval-threshold"]);
}

#[test]
fn a_signer_approves_and_a_person_signs() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    example.run(&["approve", "--release", "release.yaml", "--key", "keys/ci.key"]).ends(0);
    example.denied(&[], &["approval-threshold"]);
    let example = Example::new();
    example.remove("evidence/signature-sbom.json.sigstore.json");
    example.run(&["sign", "artifacts/sbom.json", "--key", "keys/bob.key", "-o", "evidence/x.json"]).ends(0);
    example.denied(&[], &["signature-missing"]);
    let example = Example::new();
    example.remove("evidence/signature-sbom.json.sigstore.json");
    example.run(&["sign", "artifacts/sbom.json", "--key", "keys/ci.key", "-o", "evidence/x.json"]).ends(0);
    example.denied(&[], &["signature-missing"]);
}

#[test]
fn a_rejection_blocks_while_it_is_in_date() {
    let example = Example::new();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    example.run(&["reject", "--release", "release.yaml", "--key", "keys/bob.key"]).ends(0);
    example.denied(&[], &["approval-rejected"]);
}

#[test]
fn provenance_of_another_commit_repository_or_builder() {
    for (pointer, value) in [
        (
            "/buildDefinition/resolvedDependencies/0/digest/gitCommit",
            "1111111111111111111111111111111111111111",
        ),
        ("/buildDefinition/externalParameters/repository", "https://github.com/acme/payments-evil"),
        ("/runDetails/builder/id", "https://ci.acme.example/builders/release@v1/evil"),
    ] {
        let example = Example::new();
        for file in files(&example, "evidence") {
            if file.contains("provenance") {
                example.remove(&file);
            }
        }
        let mut build: Value = serde_json::from_str(&example.read("build.json")).unwrap();
        *build.pointer_mut(pointer).unwrap() = json!(value);
        if pointer.ends_with("repository") {
            build["buildDefinition"]["resolvedDependencies"][0]["uri"] =
                json!(format!("git+{value}@refs/tags/v2.4.0"));
        }
        example.write("build.json", &build.to_string());
        example
            .run(&[
                "attest",
                "--release",
                "release.yaml",
                "--predicate",
                "build.json",
                "--key",
                "keys/ci.key",
            ])
            .ends(0);
        gets_no_plan(&example, pointer);
    }
}

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
fn a_hundred_thousand_junk_files_are_a_recorded_deny() {
    let example = Example::new();
    let folder = example.path("evidence/junk");
    fs::create_dir(&folder).unwrap();
    for at in 0..100_000 {
        fs::write(folder.join(format!("{at}.json")), b"{}").unwrap();
    }
    example.denied(&[], &["evidence-limit"]);
}

#[test]
fn a_link_out_of_the_evidence_folder_is_not_followed() {
    let example = Example::new();
    fs::create_dir(example.path("outside")).unwrap();
    fs::rename(
        example.path("evidence/approval-bob.sigstore.json"),
        example.path("outside/approval-bob.sigstore.json"),
    )
    .unwrap();
    std::os::unix::fs::symlink(example.path("outside"), example.path("evidence/more")).unwrap();
    std::os::unix::fs::symlink(
        example.path("outside/approval-bob.sigstore.json"),
        example.path("evidence/approval-bob.sigstore.json"),
    )
    .unwrap();
    gets_no_plan(&example, "a link");
}

#[test]
fn trust_inside_the_evidence_folder_is_refused() {
    let example = Example::new();
    example.deploy(&["--evidence", "."]).ends(2).says("lies inside an evidence path");
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

#[test]
fn a_repeated_member_in_signed_bytes_or_documents() {
    let example = Example::new();
    example.edit("release.yaml", "kind: Release", "kind: Release\nkind: Release");
    example.deploy(&[]).ends(2).says("release.yaml:");
    let example = Example::new();
    example.edit(
        "evidence/approval-bob.sigstore.json",
        "{\"mediaType\"",
        "{\"mediaType\":\"x\",\"mediaType\"",
    );
    example.denied(&[], &["approval-threshold"]);
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

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    laforge::release::digest::Digest::of_bytes(&bytes).hex()
}
