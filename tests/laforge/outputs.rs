//! Where results go: folders that take none, names that are none, streams that are closed.

use std::fs;

use crate::example::{Example, PROGRAM, REQUIRED, Run, at_home, finished};

/// Runs a shell line in which `laforge` is the program under test.
fn shell(example: &Example, line: &str) -> Run {
    let mut shell = at_home("sh", &example.path(""));
    finished(shell.args(["-c", &line.replace("laforge ", "\"$0\" "), PROGRAM]).output().unwrap())
}

/// Nobody makes a file in there, root included.
const NO_FILE: &str = "/sys";

#[test]
fn a_folder_that_takes_no_file_is_found_out_before_anything_is_decided() {
    let example = Example::new();
    let plan = format!("{NO_FILE}/plan.json");
    let report = format!("json={NO_FILE}/report.json");
    for flags in
        [&["-o", &plan][..], &["-o", "plan.json", "--report", &report], &["--dry-run", "--report", &report]]
    {
        example.deploy(flags).ends(2).says("fatal: no decision was made").says("cannot write into `/sys`");
    }
    example.run(&["verify", "--report", &report]).ends(2).says("cannot write into `/sys`");
    assert_eq!(example.entries().len(), 1, "something was decided");
    assert!(!example.path("plan.json").exists());
    // What is made to find out is gone again.
    let mut before = example.list(".");
    before.retain(|name| name != ".cache");
    example.deploy(&["-o", "plan.json"]).ends(0);
    let mut after = example.list(".");
    after.retain(|name| !name.starts_with("plan.json") && name != ".cache");
    assert_eq!(after, before);
}

#[test]
fn a_report_that_the_disk_does_not_take_keeps_back_neither_plan_nor_code() {
    let example = Example::new();
    let full = ["--report", "json=/dev/full", "--report", "markdown=report.md"];
    let run = example.deploy(&[&full[..], &["-o", "plan.json"]].concat()).ends(0);
    run.says("warning: a report is not written: cannot write `/dev/full`");
    assert!(example.read("plan.json").contains("planDigest"));
    assert!(example.read("report.md").starts_with("### laforge: "));
    example.remove("evidence/approval-bob.sigstore.json");
    example.deploy(&full).ends(10).says("warning: a report is not written");
    // A report is all that `verify` gives.
    example.run(&["verify", "--report", "json=/dev/full"]).ends(1).says("cannot write `/dev/full`");
}

#[test]
fn a_dash_is_no_file_and_stands_for_nothing() {
    let example = Example::new();
    let said = "`-` is no name of a file here";
    for words in [
        "deploy -o -",
        "deploy --report json=-",
        "verify --report json=-",
        "sign build.json --key keys/release.key -o -",
        "attest build.json --predicate build.json --key keys/ci.key -o -",
        "approve --yes --key keys/alice.key -o -",
        "bundle -o -",
        "keygen --use person --insecure-unencrypted -o -",
        "rollout simulate --chart -",
        "audit anchor --to file=-",
    ] {
        let run = example.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, 2, "{words}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{words}: {}", run.stderr);
    }
    assert!(!example.path("-").exists() && !example.path("-.key").exists());
    assert_eq!(example.entries().len(), 1, "something was decided");
}

#[test]
fn a_result_that_finds_stdout_closed_is_not_given() {
    let example = Example::new();
    for words in [
        "verify --require-signed --report json",
        "verify --require-signed --report markdown",
        "audit list",
        "audit list -o jsonl",
        "audit show 0",
        "audit anchor --to stdout",
        "trust show",
        "schema trust",
        "explain freeze",
        "completions bash",
        "man deploy",
        "inspect evidence/approval-alice.sigstore.json",
    ] {
        let closed = shell(&example, &format!("laforge {words} >&-"));
        assert_eq!(closed.code, 1, "{words}: {}", closed.stderr);
        assert!(closed.stderr.contains("cannot write to standard output"), "{words}: {}", closed.stderr);
        let dropped = shell(&example, &format!("laforge {words} >/dev/null"));
        assert_eq!(dropped.code, 0, "{words}: {}", dropped.stderr);
        let full = shell(&example, &format!("laforge {words} >/dev/full"));
        assert_eq!(full.code, 1, "{words}: {}", full.stderr);
    }
    // What an exit code says is said.
    assert_eq!(shell(&example, "laforge audit verify >&-").code, 0);
    assert_eq!(shell(&example, "laforge policy check >&-").code, 0);
}

#[test]
fn an_old_plan_that_can_not_be_removed_stays_and_nothing_is_decided() {
    let example = Example::new();
    example.deploy(&["-o", "plan.json"]).ends(0);
    let (plan, entries) = (example.read("plan.json"), example.entries().len());
    // A name that is longer than a file's may be leaves no room beside it.
    let long = "p".repeat(250);
    fs::rename(example.path("plan.json"), example.path(&long)).unwrap();
    let run = example.run(&[&["deploy"], &REQUIRED[..], &["-o", &long]].concat()).ends(2);
    run.says("fatal: no decision was made");
    assert_eq!((example.read(&long), example.entries().len()), (plan, entries));
}
