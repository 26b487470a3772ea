//! `audit anchor` and `audit verify --anchor`: heads kept outside of a log, and what they find out.

use std::fs;

use crate::example::{Example, Run, at_home, copy, finished};

/// An example with one decision in its log, and a copy from before it.
fn decided() -> (Example, Example) {
    let example = Example::new();
    let before = example.fork();
    example.deploy(&["-o", "plan.json"]).ends(0);
    (example, before)
}

/// Puts an older state of everything that this machine keeps of the log in its place.
fn roll_back(example: &Example, before: &Example) {
    for folder in [".laforge", ".cache"] {
        fs::remove_dir_all(example.path(folder)).unwrap();
    }
    copy(&before.path(".laforge"), &example.path(".laforge"));
}

fn verify(example: &Example, anchors: &[&str]) -> Run {
    let flags = anchors.iter().flat_map(|anchor| ["--anchor", anchor]);
    example.run(&[&["audit", "verify"][..], &flags.collect::<Vec<_>>()].concat())
}

#[test]
fn an_anchor_is_the_logs_signed_head() {
    let (example, _) = decided();
    let printed = example.run(&["audit", "anchor"]).ends_with_data();
    assert_eq!(printed.stdout, example.read(".laforge/audit/checkpoint"));
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0).says("anchored the head of size 4");
    assert_eq!(example.read("anchor"), printed.stdout);
}

#[test]
fn a_log_that_holds_its_anchors_is_assured_of_more() {
    let (example, _) = decided();
    assert!(verify(&example, &[]).ends_with_data().stdout.contains("assures L0 self-consistent"));
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0);
    example.deploy(&["--dry-run"]).ends(0);
    let one = verify(&example, &["anchor"]).ends_with_data();
    assert!(one.stdout.contains("assures L1 matches 1 anchor, newest at size 4 ("), "{}", one.stdout);
    let three = verify(&example, &["anchor", "plan.json", "plan.json.tlog-proof"]).ends_with_data();
    assert!(three.stdout.contains("L1 matches 3 anchors, newest at size 4"), "{}", three.stdout);
}

#[test]
fn a_log_that_was_cut_is_found_out() {
    let (example, before) = decided();
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0);
    roll_back(&example, &before);
    verify(&example, &[]).ends_with_data();
    fs::remove_dir_all(example.path(".cache")).unwrap();
    verify(&example, &["anchor"]).ends(13).says("the head of size 4 that the anchor `anchor` keeps");
    verify(&example, &["plan.json"]).ends(13).says("it was cut or replaced");
}

#[test]
fn a_log_that_went_another_way_is_found_out_at_any_length() {
    let (example, before) = decided();
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0);
    roll_back(&example, &before);
    for _ in 0..3 {
        example.deploy(&["--dry-run"]).ends(0);
    }
    verify(&example, &["anchor"]).ends(13).says("it was cut or replaced");
}

#[test]
fn an_anchor_of_another_log_is_none() {
    let (example, _) = decided();
    let other = Example::empty();
    other.run(&["init", "other", "--example"]).ends(0);
    let anchor = fs::read_to_string(other.path("other/.laforge/audit/checkpoint")).unwrap();
    example.write("anchor", &anchor);
    verify(&example, &["anchor"]).ends(13).says("it is no anchor of this log");
    // One that nobody signed.
    let head = example.read(".laforge/audit/checkpoint");
    let (text, signature) = head.split_once("\n\n").unwrap();
    example.write("anchor", &format!("{}\n\n{signature}", text.replace("\n4\n", "\n9\n")));
    verify(&example, &["anchor"]).ends(13).says("does not verify");
}

#[test]
fn what_is_no_anchor_is_a_usage_error() {
    let (example, _) = decided();
    verify(&example, &["release.yaml"]).ends(2).says("`release.yaml` is no anchor");
    verify(&example, &["nowhere"]).ends(2).says("nowhere");
    verify(&example, &["git:"]).ends(2).says("names no revision");
    verify(&example, &["git:--output=pwned"]).ends(2).says("names no revision");
    for to in ["file=", "git=main", "git=refs/heads/..", "rekor"] {
        example.run(&["audit", "anchor", "--to", to]).ends(2);
    }
    let before = example.read("release.yaml");
    example.run(&["audit", "anchor", "--to", "file=release.yaml"]).ends(2).says("is no anchor");
    assert_eq!(example.read("release.yaml"), before);
    example
        .run(&["audit", "anchor", "--to", "file=.laforge/audit/anchor"])
        .ends(2)
        .says("inside an audit log");
}

#[test]
fn an_anchor_only_moves_forward() {
    let (example, before) = decided();
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0);
    let kept = example.read("anchor");
    roll_back(&example, &before);
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(13);
    assert_eq!(example.read("anchor"), kept);
}

#[test]
fn a_ref_keeps_anchors_one_commit_each() {
    let (example, before) = decided();
    let git = |arguments: &[&str]| {
        let run = finished(at_home("git", &example.path("")).args(arguments).output().unwrap());
        assert_eq!(run.code, 0, "git {arguments:?}: {}", run.stderr);
        run.stdout
    };
    git(&["init", "--quiet"]);
    let to = ["audit", "anchor", "--to", "git=refs/heads/anchors"];
    example.run(&to).ends(0);
    example.deploy(&["--dry-run"]).ends(0);
    example.run(&to).ends(0);
    assert_eq!(git(&["log", "--format=%s", "anchors"]), "Anchor at size 5\nAnchor at size 4\n");
    assert_eq!(git(&["show", "anchors:checkpoint"]), example.read(".laforge/audit/checkpoint"));
    verify(&example, &["git:anchors", "git:anchors~1"]).ends_with_data();
    let tip = git(&["rev-parse", "anchors"]);
    roll_back(&example, &before);
    example.run(&to).ends(13);
    assert_eq!(git(&["rev-parse", "anchors"]), tip);
}

#[test]
fn where_there_is_no_repository_a_ref_keeps_nothing() {
    let (example, _) = decided();
    // The folder above may be a repository; this one is none.
    let mut command = at_home(crate::example::PROGRAM, &example.path(""));
    command.env("GIT_CEILING_DIRECTORIES", "/").args(["audit", "anchor", "--to", "git=refs/heads/anchors"]);
    let run = finished(command.output().unwrap());
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("`git for-each-ref` failed"), "{}", run.stderr);
}

const RECORD: [&str; 5] = ["audit", "anchor", "--to", "file=anchor", "--record"];

#[test]
fn what_is_kept_elsewhere_is_recorded_where_that_is_asked() {
    let (example, _) = decided();
    let status = |text: &str| {
        let run = example.run(&["audit", "status"]).ends_with_data();
        assert!(run.stdout.contains(text), "{}", run.stdout);
    };
    status("anchor  none is recorded\n");
    example.run(&["audit", "anchor", "--to", "file=anchor"]).ends(0);
    status("size    4\n");
    example.run(&RECORD).ends(0).says("recorded as entry 4");
    status("anchor  size 4, in file, ");
    let line = example.run(&["audit", "list", "--type", "anchor.recorded", "-o", "jsonl"]).ends_with_data();
    let entry: serde_json::Value = serde_json::from_str(&line.stdout).unwrap();
    assert_eq!((&entry["size"], &entry["kind"]), (&serde_json::json!(4), &serde_json::json!("file")));
    let receipt: serde_json::Value =
        serde_json::from_str(&example.read(".laforge/audit/anchors/4-file.json")).unwrap();
    assert_eq!(
        (&receipt["place"], &receipt["checkpoint"]),
        (&"anchor".into(), &example.read("anchor").into())
    );
    let listed = example.run(&["audit", "list"]).ends_with_data();
    assert!(listed.stdout.contains("head of size 4 kept elsewhere (file)"), "{}", listed.stdout);
    // The log holds it, and says of itself that it does.
    verify(&example, &["anchor"]).ends_with_data();
    example.run(&RECORD).ends(0).says("anchored the head of size 5").says("recorded as entry 5");
    verify(&example, &["anchor"]).ends_with_data();
}

#[test]
fn a_receipt_that_is_another_or_gone_is_found_out() {
    let (example, _) = decided();
    example.run(&RECORD).ends(0);
    let path = ".laforge/audit/anchors/4-file.json";
    let receipt = example.read(path);
    example.write(path, &receipt.replace("\"anchor\"", "\"elsewhere\""));
    verify(&example, &[]).ends(13).says("anchors/4-file.json");
    fs::remove_file(example.path(path)).unwrap();
    verify(&example, &[]).ends(13).says("anchors/4-file.json");
}

#[test]
fn a_receipt_that_an_entry_names_is_not_replaced() {
    let (example, _) = decided();
    example.run(&RECORD).ends(0);
    // A receipt of a head that nothing follows yet, whose entry was never appended.
    let name = example.path(".laforge/audit/anchors/5-file.json");
    fs::copy(example.path(".laforge/audit/anchors/4-file.json"), &name).unwrap();
    example.run(&RECORD).ends(0).says("recorded as entry 5");
    assert_eq!(fs::read_dir(example.path(".laforge/audit/anchors")).unwrap().count(), 3);
    verify(&example, &["anchor"]).ends_with_data();
}

#[test]
fn whoever_cannot_record_is_told_so() {
    let (example, _) = decided();
    example.write(".laforge/audit/NEEDS_REPAIR", "{}");
    example.run(&RECORD).ends(12).says("the head is kept, and the log does not say so");
    assert_eq!(example.read("anchor"), example.read(".laforge/audit/checkpoint"));
    fs::remove_file(example.path(".laforge/audit.key")).unwrap();
    fs::remove_file(example.path("anchor")).unwrap();
    example.run(&RECORD).ends(2).says("audit.key");
    assert!(!example.path("anchor").exists());
    example.run(&["audit", "anchor", "--record"]).ends(2).says("kept nowhere yet");
    example.run(&["audit", "anchor", "--audit-key", "env:X"]).ends(2);
}
