//! Attacks by who signs: keys with two uses, people twice, signers in each other's place, builders that are others.

use std::fs;

use serde_json::{Value, json};

use super::{files, gets_no_plan};
use crate::example::Example;

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
fn a_key_file_swapped_under_an_unchanged_trust() {
    let example = Example::new();
    example.deploy(&[]).ends(0);
    let before = example.last_decision()["trust"]["digest"].clone();
    example.run(&["keygen", "--use", "person", "-o", "mallory", "--insecure-unencrypted"]).ends_with_data();
    fs::copy(example.path("mallory.pub"), example.path("trust/bob.pub")).unwrap();
    example.run(&["approve", "--yes", "--release", "release.yaml", "--key", "mallory.key"]).ends(0);
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
                &[
                    &["approve", "--yes", "--key", "keys/bob.key", "-o", "evidence/approval-x.json"],
                    &flags[..],
                ]
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
    example.run(&["approve", "--yes", "--release", "release.yaml", "--key", "keys/alice.key"]).ends(0);
    example.denied(&[], &["approval-threshold"]);
}

#[test]
fn a_signer_approves_and_a_person_signs() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    example.run(&["approve", "--yes", "--release", "release.yaml", "--key", "keys/ci.key"]).ends(0);
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
    example.run(&["reject", "--yes", "--release", "release.yaml", "--key", "keys/bob.key"]).ends(0);
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
