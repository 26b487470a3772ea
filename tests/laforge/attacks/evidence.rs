//! Attacks on the evidence folder and on what is released: bytes changed, files removed, exchanged, repeated or without number.

use std::fs;

use serde_json::Value;

use super::{files, gets_no_plan, sha256};
use crate::example::{Example, REQUIRED};

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
    // Few bytes of each file here, through the program; `tampering` changes many more of them in-process.
    let example = Example::new();
    for file in files(&example, "evidence") {
        let bytes = fs::read(example.path(&file)).unwrap();
        for at in (0..bytes.len()).step_by(193) {
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

/// Whoever may bring evidence could bring a policy that asks for nothing, or a log that remembers nothing.
#[test]
fn a_policy_or_the_log_inside_an_evidence_path_is_refused() {
    let example = Example::new();
    example.deploy(&["--evidence", "policies"]).ends(2).says("the policy path `policies/` lies inside");
    example.deploy(&["--evidence", ".laforge"]).ends(2).says("the log path `.laforge/audit` lies inside");
    example.deploy(&[]).ends(0);
    let digest = example.last_decision()["policy"]["sets"][0]["digest"].as_str().unwrap().to_owned();
    // A link there leads out today, and to wherever it is made to lead tomorrow.
    std::os::unix::fs::symlink("../policies", example.path("evidence/policies")).unwrap();
    example.edit("laforge.yaml", "policies/", "evidence/policies/");
    example.deploy(&[]).ends(2).says("the policy path `evidence/policies/` lies inside");
    example.edit("laforge.yaml", "trust: trust.yaml", "trust: evidence/trust.yaml");
    for name in ["trust.yaml", "trust"] {
        std::os::unix::fs::symlink(format!("../{name}"), example.path(&format!("evidence/{name}"))).unwrap();
    }
    example.deploy(&[]).ends(2).says("the trust path `evidence/trust");
    example.edit("laforge.yaml", "trust: evidence/trust.yaml", "trust: trust.yaml");
    // Under a pin it can be no other than the one that was reviewed.
    example.edit(
        "laforge.yaml",
        "path: evidence/policies/",
        &format!("path: evidence/policies/, digest: '{digest}'"),
    );
    example.deploy(&[]).ends(0);
}

#[test]
fn evidence_and_folders_whose_names_are_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let named = |name: &[u8]| std::ffi::OsStr::from_bytes(name).to_owned();
    let example = Example::new();
    let evidence = example.path("evidence");
    let good = fs::read(evidence.join("approval-bob.sigstore.json")).unwrap();
    fs::write(evidence.join(named(b"\xff\n::error::x.json")), b"junk").unwrap();
    fs::create_dir(evidence.join(named(b"\xc0\xaf"))).unwrap();
    fs::write(evidence.join(named(b"\xc0\xaf")).join(named(b"\xfe.json")), &good).unwrap();
    example.remove("evidence/approval-bob.sigstore.json");
    let run = example.deploy(&[]).ends(0);
    assert!(!run.stderr.contains("\n::error::"), "{}", run.stderr);
    // A policy of such a name is refused, not passed over.
    let example = Example::new();
    let text = fs::read(example.path("policies/baseline.yaml")).unwrap();
    fs::write(example.path("policies").join(named(b"\xff.yaml")), text).unwrap();
    example.deploy(&[]).ends(2).says("a name that can be written down");
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
