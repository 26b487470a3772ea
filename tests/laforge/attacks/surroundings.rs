//! What a build job leaves for the gate to find: variables of the environment, pipes, links in the place of outputs.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, fifo, log_is_sound};
use crate::example::{Example, REQUIRED, Run, command, finished};

/// The variables of the runner's files.
const RUNNER: [&str; 2] = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"];

/// A run that has to end by itself. What it prints is less than a pipe holds.
#[track_caller]
fn deploy(example: &Example, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let mut command = command(&example.path(""));
    command.args(["deploy"]).args(REQUIRED).args(more).envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs with {variables:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    finished(child.wait_with_output().unwrap())
}

#[test]
fn a_deny_stands_whatever_the_runners_files_take() {
    let example = Example::new();
    fifo(&example, "pipe");
    let allowed = deploy(&example, &[("GITHUB_OUTPUT", "pipe")], &[]).ends(1);
    allowed.says("it is a pipe that nobody reads").says("it is recorded as allow");
    example.remove("evidence/approval-bob.sigstore.json");
    for path in ["/nonexistent/x", "pipe", "/dev/full", "."] {
        for variable in RUNNER {
            let run = deploy(&example, &[(variable, path)], &[]).ends(10);
            let decision = example.last_decision();
            assert_eq!(decision["action"], "deny");
            run.says(&format!("warning: the decision is recorded as deny {}", decision["seq"]))
                .says(&format!("cannot append to `{path}`"));
        }
    }
    // The other one is told.
    let variables = [("GITHUB_OUTPUT", "pipe"), ("GITHUB_STEP_SUMMARY", "summary")];
    let run = deploy(&example, &variables, &["--dry-run"]).ends(10);
    run.says(&format!("warning: the decision is recorded as rehearsal {}", example.last_decision()["seq"]));
    assert!(example.read("summary").starts_with("### laforge: "));
    log_is_sound(&example);
}

#[test]
fn the_runners_files_are_none_that_the_gate_goes_by() {
    let example = Example::new();
    example.deploy(&["--dry-run"]).ends(0);
    let seen = example.list(".cache/laforge/seen").into_iter().find(|name| name.ends_with(".json")).unwrap();
    let seen = format!(".cache/laforge/seen/{seen}");
    symlink("trust.yaml", example.path("link")).unwrap();
    fs::hard_link(example.path("trust.yaml"), example.path("hard")).unwrap();
    symlink("policies/led.yaml", example.path("ahead")).unwrap();
    let there = [
        "laforge.yaml",
        "trust.yaml",
        "release.yaml",
        "link",
        "hard",
        "trust/alice.pub",
        ".laforge/audit.key",
        "evidence/approval-bob.sigstore.json",
        "policies/baseline.yaml",
        seen.as_str(),
    ];
    let (before, entries) = (there.map(|name| example.read(name)), example.entries().len());
    for name in there.iter().copied().chain(["evidence/new.json", "policies/new.yaml", "ahead"]) {
        for variable in RUNNER {
            let variables = [(variable, name)];
            deploy(&example, &variables, &[]).ends(2).says(&format!("`{variable}` names `{name}`"));
            // Nor is it told of what ended the run before that was found out.
            deploy(&example, &variables, &["--environment", "other"]).ends(2).says("--environment");
        }
    }
    let given = ["--vsa", "vsa.json", "--vsa-key", "keys/alice.key"];
    deploy(&example, &[("GITHUB_OUTPUT", "keys/alice.key")], &given).ends(2).says("goes by");
    assert_eq!((there.map(|name| example.read(name)), example.entries().len()), (before, entries));
    for name in ["evidence/new.json", "policies/new.yaml", "policies/led.yaml"] {
        assert!(!example.path(name).exists(), "{name}");
    }
    deploy(&example, &[("GITHUB_OUTPUT", "out")], &[]).ends(0);
    assert!(example.read("out").contains("decision=allow"));
    log_is_sound(&example);
}

#[test]
fn pipes_in_the_memory_of_heads_make_nobody_wait() {
    let example = Example::new();
    example.deploy(&["--dry-run"]).ends(0);
    let names = example.list(".cache/laforge/seen");
    assert!(names.len() > 1, "{names:?}");
    for name in names {
        let path = format!(".cache/laforge/seen/{name}");
        let aside = example.path("aside");
        fs::rename(example.path(&path), &aside).unwrap();
        fifo(&example, &path);
        let code = if name == "lock" { 0 } else { 12 };
        deploy(&example, &[], &["--dry-run"]).ends(code).says("XDG_CACHE_HOME");
        fs::rename(&aside, example.path(&path)).unwrap();
    }
    log_is_sound(&example);
}

#[test]
fn authorities_that_never_end_are_refused() {
    let example = Example::new();
    fifo(&example, "pipe");
    for path in ["pipe", "/dev/zero"] {
        deploy(&example, &[("SSL_CERT_FILE", path)], &[]).ends(2).says("`SSL_CERT_FILE`");
        assert_eq!(example.entries().len(), 1, "something was decided");
    }
    for (path, more) in [("pipe", &["--offline"][..]), ("gone.pem", &[][..])] {
        deploy(&example, &[("SSL_CERT_FILE", path)], more).ends(0);
    }
}

#[test]
fn links_to_an_earlier_plan_do_not_outlive_a_deny() {
    let example = Example::new();
    example.run(&["keygen", "--use", "vsa", "-o", "keys/vsa", "--insecure-unencrypted"]).ends(0);
    let outputs = ["-o", "plan.json", "--vsa", "vsa.json", "--vsa-key", "keys/vsa.key"];
    example.deploy(&outputs).ends(0);
    fs::create_dir(example.path("old")).unwrap();
    let names = ["plan.json", "plan.json.tlog-proof", "vsa.json"];
    let kept = names.map(|name| {
        let old = format!("old/{name}");
        fs::rename(example.path(name), example.path(&old)).unwrap();
        symlink(&old, example.path(name)).unwrap();
        example.read(&old)
    });
    symlink("old/nothing.json", example.path("report.json")).unwrap();
    example.remove("evidence/approval-bob.sigstore.json");
    example.deploy(&outputs).ends(10);
    for name in names {
        assert!(fs::symlink_metadata(example.path(name)).is_err(), "{name} is still there");
    }
    assert_eq!(names.map(|name| example.read(&format!("old/{name}"))), kept);
    // A link is replaced by a report, too, wherever it leads.
    example.deploy(&["--report", "json=report.json"]).ends(10);
    assert!(fs::symlink_metadata(example.path("report.json")).unwrap().is_file());
    assert!(!example.path("old/nothing.json").exists());
}
