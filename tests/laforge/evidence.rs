//! Evidence made on the command line: what is signed, under which name, and what is not.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::example::{Example, PROGRAM, Run, at_home, finished};

const ATTEST: [&str; 6] = ["attest", "artifacts/sbom.json", "--key", "keys/ci.key", "--predicate", "p.json"];

fn attest(example: &Example, predicate: &Value, more: &[&str]) -> Run {
    example.write("p.json", &predicate.to_string());
    example.run(&[&ATTEST[..], more].concat())
}

fn fifo(example: &Example, name: &str) {
    mknodat(CWD, example.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn a_job_that_attests_two_types_of_one_artifact_has_two_files() {
    let example = Example::new();
    for (uri, name) in [
        ("https://in-toto.io/attestation/vulns/v0.2", "in-toto.io-attestation-vulns-v0.2"),
        ("https://cyclonedx.org/bom", "cyclonedx.org-bom"),
        ("https://spdx.dev/Document/v2.3", "spdx.dev-Document-v2.3"),
    ] {
        let file = format!("evidence/attestation-sbom.json-{name}.sigstore.json");
        attest(&example, &json!({}), &["--type", uri]).ends(0).says(&format!("attested 1 subject: {file}"));
        attest(&example, &json!({}), &["--type", uri]).ends(2).says("is already there");
    }
}

#[test]
fn a_predicate_that_is_none_is_told_with_its_file() {
    let example = Example::new();
    for (predicate, more, says) in [
        (json!([1]), &["--type", "https://scan.example/v1"][..], "the predicate `p.json` is no JSON object"),
        (json!("x"), &[], "the predicate `p.json` is no JSON object"),
        (json!({"builder": {}}), &[], "it is the predicate in `p.json`"),
    ] {
        attest(&example, &predicate, &[more, &["-o", "a.json"]].concat()).ends(2).says(says);
    }
    assert!(!example.path("a.json").exists());
}

#[test]
fn a_statement_of_our_own_is_made_by_its_verb_or_is_one() {
    let example = Example::new();
    let ours = |name: &str| format!("https://laforge.dev/attestation/{name}/v1");
    attest(&example, &json!({"decision": "approved"}), &["--type", &ours("approval"), "-o", "a.json"])
        .ends(2)
        .says("is a person's word")
        .says("`laforge approve`");
    attest(&example, &json!({"sauce": 1}), &["--type", &ours("source"), "-o", "a.json"])
        .ends(2)
        .says("the predicate `p.json` is no source")
        .says("`laforge schema source`");
    assert!(!example.path("a.json").exists());
}

#[test]
fn a_word_that_is_empty_is_not_signed() {
    let example = Example::new();
    for (verb, flag) in
        [("approve", "--reason"), ("reject", "--reason"), ("approve", "--ticket"), ("approve", "--role")]
    {
        for empty in ["", "  "] {
            let words = [verb, "--yes", "--key", "keys/alice.key", flag, empty, "-o", "word.json"];
            example.run(&words).ends(2).says(&format!("`{}` is empty", &flag[2..])).says("leave a flag out");
        }
    }
    assert!(!example.path("word.json").exists());
}

#[test]
fn several_words_from_github_go_to_a_folder_and_to_no_file() {
    let example = Example::new();
    let review = |id: u32, login: &str| {
        json!({"id": id, "user": {"login": login, "type": "User"}, "state": "APPROVED",
            "html_url": "https://github.com/acme/payments/pull/1", "submitted_at": "2026-03-01T12:00:00Z",
            "commit_id": "4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081"})
    };
    example.write("reviews.json", &json!([review(1, "alice"), review(2, "bob")]).to_string());
    let pass_on = |to: &str| {
        example.run(&["approve", "--yes", "--from-github", "reviews.json", "--key", "keys/ci.key", "-o", to])
    };
    pass_on("out/a.json")
        .ends(2)
        .says("`out/a.json` is the name of a file, and there are records of 2 people");
    assert!(!example.path("out").exists());
    pass_on("out").ends(0);
    assert_eq!(example.list("out").len(), 2);
}

#[test]
fn what_is_no_file_is_neither_signed_nor_waited_for() {
    let example = Example::new();
    fifo(&example, "pipe");
    example.run(&["sign", "pipe", "--key", "keys/release.key"]).ends(2).says("it is a pipe or a socket");
    let words = ["attest", "pipe", "--predicate", "build.json", "--key", "keys/ci.key"];
    example.run(&words).ends(2).says("it is a pipe or a socket");
    let manifests = example.run(&["verify", "--manifests", "pipe"]).ends(2).says("it is a pipe or a socket");
    manifests.says("--manifests -");
    let mut shell = at_home("bash", &example.path(""));
    let piped = shell.args(["-c", "\"$0\" verify --manifests <(echo a)", PROGRAM]).output().unwrap();
    finished(piped).ends(2).says("it is a pipe or a socket").says("--manifests -");
    fs::create_dir(example.path("rendered")).unwrap();
    fifo(&example, "rendered/app.yaml");
    let folder = example.run(&["verify", "--manifests", "rendered"]).ends(2);
    folder.says("`rendered/app.yaml` is a pipe, a socket or a device, and no file");
    for made in [true, false] {
        example.remove("artifacts/sbom.json");
        match made {
            true => fifo(&example, "artifacts/sbom.json"),
            false => std::os::unix::fs::symlink("/dev/zero", example.path("artifacts/sbom.json")).unwrap(),
        }
        let run = example.deploy(&[]).ends(1).says("it is a pipe, a socket or a device, and no file");
        run.says("deliver a file there");
    }
}

#[test]
fn a_key_of_another_kind_is_told_how_it_becomes_one() {
    let example = Example::new();
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
    let public = example.read("trust/release.pub");
    for (text, says) in [
        (pem("PRIVATE KEY"), "is no P-256 and no Ed25519 private key in PKCS#8 form"),
        (pem("PRIVATE KEY"), "RSA and other curves don't"),
        (pem("EC PRIVATE KEY"), "openssl pkcs8 -topk8 -nocrypt"),
        (public, "that is a public key, which signs nothing"),
    ] {
        example.write("other.pem", &text);
        let run =
            example.run(&["sign", "build.json", "--key", "other.pem", "-o", "s.json"]).ends(2).says(says);
        assert_eq!(run.stderr.contains("others may read"), text.contains("PRIVATE KEY"), "{}", run.stderr);
    }
}
