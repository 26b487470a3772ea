//! The audit log on a branch: two clones of one repository, races, rewritten and missing branches.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::forge::{BRANCH, Forge, bin, root};
use super::{ALL, Ran, run_step};
use crate::example::{self, Example};

fn gate(checkout: &Path, more: &[(&str, &str)]) -> Ran {
    let inputs = [&ALL[..], &[("audit-branch", BRANCH)], more].concat();
    run_step("gate", checkout, &inputs, &format!("{}:/usr/bin:/bin", bin().display()))
}

#[test]
fn a_runner_that_keeps_nothing_appends_to_the_branch() {
    let forge = Forge::new();
    let before = forge.commits();
    for name in ["one", "two"] {
        let checkout = forge.clone_to(name);
        let ran = gate(&checkout, &[("dry-run", "true")]);
        assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
        assert!(!checkout.join(".laforge/audit").exists(), "the log stays on the branch alone");
    }
    let after = forge.commits();
    assert_eq!(after.get(2..), Some(&before[..]), "the branch went on from where it was");
    assert_eq!(forge.decisions().len(), 2);
}

#[test]
fn a_plan_comes_out_once_its_entry_is_on_the_branch() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
    let plan: Value = serde_json::from_str(&ran.outputs["plan text"]).unwrap();
    let decision = forge.decisions().pop().unwrap();
    assert_eq!(plan["auditEntry"]["index"], decision["seq"]);
    assert_eq!(plan["planDigest"], decision["plan"]["digest"]);
    assert_eq!(ran.outputs["audit-index"], decision["seq"].to_string());
    assert!(ran.summary.contains("✅ allowed"), "{}", ran.summary);
}

#[test]
fn whoever_loses_the_race_appends_to_the_head_that_won() {
    let forge = Forge::new();
    let loser = forge.clone_to("loser");
    forge.clone_to("winner");
    // The gate of the loser is overtaken, once, after it has read the head and before it pushes.
    let overtake = format!(
        "#!/bin/sh\nif [ \"$1\" = deploy ] && mkdir ../overtaken 2>/dev/null; then\n  \
         {laforge} \"$@\" >/dev/null 2>&1\n  cp \"$(ls -d {temp}/laforge-*/plan.json)\" ../losing-plan.json\n  \
         cd ../winner && env -u GITHUB_OUTPUT -u GITHUB_STEP_SUMMARY XDG_CACHE_HOME=../winner-cache {script} \
         --branch {BRANCH} -- {laforge} deploy --require-signed --dry-run >../winner.log 2>&1 || exit 99\n  exit 0\nfi\n\
         exec {laforge} \"$@\"\n",
        laforge = env!("CARGO_BIN_EXE_laforge"),
        script = root().join("deploy/ci/with-log").display(),
        temp = "$RUNNER_TEMP",
    );
    let wrapper = forge.path("bin/laforge");
    fs::create_dir(forge.path("bin")).unwrap();
    fs::write(&wrapper, overtake).unwrap();
    Command::new("chmod").arg("+x").arg(&wrapper).status().unwrap();
    let inputs = [&ALL[..], &[("audit-branch", BRANCH)]].concat();
    let ran = run_step("gate", &loser, &inputs, &format!("{}:/usr/bin:/bin", forge.path("bin").display()));
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
    let decisions = forge.decisions();
    assert_eq!(decisions.len(), 2, "{decisions:?}");
    assert_eq!((&decisions[0]["mode"], &decisions[1]["mode"]), (&"dry-run".into(), &"enforce".into()));
    // What comes out is the second attempt's: the first signed a head that never left the machine.
    let plan: Value = serde_json::from_str(&ran.outputs["plan text"]).unwrap();
    assert_eq!(plan["auditEntry"]["index"], decisions[1]["seq"]);
    let losing: Value = serde_json::from_slice(&fs::read(forge.path("losing-plan.json")).unwrap()).unwrap();
    assert_ne!(plan["auditEntry"], losing["auditEntry"]);
    assert_eq!(ran.run.stderr.matches("recorded as entry").count(), 1, "{}", ran.run.stderr);
    // And the machine remembers none of the lost head, or the next run would call it a cut.
    let next = gate(&loser, &[("dry-run", "true")]);
    assert_eq!(next.run.code, 0, "{}", next.run.stderr);
}

#[test]
fn two_at_once_both_get_on_the_branch() {
    let forge = Forge::new();
    let checkouts = [forge.clone_to("one"), forge.clone_to("two")];
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let runs =
            checkouts.iter().map(|checkout| scope.spawn(|| gate(checkout, &[("dry-run", "true")]).run));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().unwrap()).map(|run| run.code).collect()
    });
    assert_eq!(codes, [0, 0]);
    assert_eq!(forge.decisions().len(), 2);
}

#[test]
fn a_branch_that_was_rewritten_is_refused_by_whoever_saw_it_before() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    let start = forge.commits()[0].clone();
    assert_eq!(gate(&checkout, &[]).run.code, 0);
    forge.git("remote.git", &["update-ref", &format!("refs/heads/{BRANCH}"), &start]);
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 13, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("was rewritten"), "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["plan"]), ("deny", ""));
    assert_eq!(forge.commits(), [start], "nothing was pushed onto it");
}

#[test]
fn a_branch_that_was_rewritten_is_refused_by_a_new_runner_with_an_anchor() {
    let forge = Forge::new();
    let start = forge.commits()[0].clone();
    let anchor = forge.path("anchor");
    let anchor = [("audit-anchor", anchor.to_str().unwrap())];
    let first = gate(&forge.clone_to("one"), &anchor);
    assert_eq!(first.run.code, 0, "{}", first.run.stderr);
    let kept = first.outputs["anchor text"].clone();
    forge.git("remote.git", &["update-ref", &format!("refs/heads/{BRANCH}"), &start]);
    let ran = gate(&forge.clone_to("two"), &anchor);
    assert_eq!(ran.run.code, 13, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("it was cut or replaced"), "{}", ran.run.stderr);
    assert_eq!(ran.outputs["decision"], "deny");
    assert_eq!(ran.outputs["anchor text"], kept, "an anchor never goes back");
    assert_eq!(forge.commits(), [start]);
}

#[test]
fn a_branch_with_another_log_on_it_is_refused() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    // As whoever owns the repository, and not the key, could make one.
    example::run_in(&forge.path(""), &["init", "other", "--example"]).ends(0);
    for arguments in
        [&["init", "--quiet", "--initial-branch=main"][..], &["remote", "add", "origin", "../remote.git"]]
    {
        forge.git("other", arguments);
    }
    forge.git("remote.git", &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    assert_eq!(forge.with_log("other", &["--branch", BRANCH, "--start"]).code, 0);
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 13, "{}", ran.run.stderr);
    assert_eq!(ran.outputs["decision"], "deny");
}

#[test]
fn a_missing_branch_is_no_new_log() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    let inputs = [&ALL[..], &[("audit-branch", "elsewhere")]].concat();
    let ran = run_step("gate", &checkout, &inputs, &format!("{}:/usr/bin:/bin", bin().display()));
    assert_eq!(ran.run.code, 12, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("there is no branch elsewhere"), "{}", ran.run.stderr);
    assert_eq!(ran.outputs["decision"], "deny");
}

#[test]
fn a_remote_that_takes_nothing_lets_nothing_out() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    let hook = forge.path("remote.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho protected >&2\nexit 1\n").unwrap();
    Command::new("chmod").arg("+x").arg(&hook).status().unwrap();
    let before = forge.commits();
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 12, "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["plan"]), ("deny", ""));
    assert!(!ran.run.stderr.contains("allowed"), "{}", ran.run.stderr);
    assert_eq!(forge.commits(), before);
    // The entry that nobody saw is no obstacle to the next run.
    fs::remove_file(hook).unwrap();
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
}

#[test]
fn a_log_that_the_branch_does_not_have_is_left_alone() {
    let forge = Forge::new();
    let example = Example::new();
    let checkout = forge.clone_to("one");
    example.deploy(&[]).ends(0);
    example::copy(&example.path(".laforge/audit"), &checkout.join(".laforge/audit"));
    let entries = checkout.join(".laforge/audit/entries/00000000000000000000.jsonl");
    let before = fs::read(&entries).unwrap();
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 12, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("holds what laforge-audit does not"), "{}", ran.run.stderr);
    assert_eq!(fs::read(&entries).unwrap(), before);
}

#[test]
fn a_deny_is_on_the_branch_like_any_allow() {
    let forge = Forge::new();
    let checkout = forge.clone_to("one");
    fs::remove_file(checkout.join("evidence/approval-bob.sigstore.json")).unwrap();
    let ran = gate(&checkout, &[]);
    assert_eq!(ran.run.code, 10, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("::error title=laforge%3A approval-threshold"), "{}", ran.run.stderr);
    assert_eq!(forge.decisions().pop().unwrap()["action"], "deny");
}

/// With-log over a command that succeeds and writes one file, in the folder `first`.
fn written_to(forge: &Forge, out: &str, more: &[&str]) -> example::Run {
    let command = format!("mkdir -p -- '{out}' && echo new >'{out}/plan.json'");
    forge.with_log("first", &[&["--out", out], more, &["--", "sh", "-c", &command]].concat())
}

#[test]
fn an_output_folder_of_its_own_is_emptied_each_time() {
    let forge = Forge::new();
    for more in [&[][..], &["--branch", BRANCH]] {
        fs::create_dir_all(forge.path("first/empty")).unwrap();
        for out in ["empty", "gate/", "gate"] {
            let run = written_to(&forge, out, more);
            assert_eq!(run.code, 0, "{out} {more:?}: {}", run.stderr);
            let plan = forge.path("first").join(out).join("plan.json");
            assert_eq!(fs::read_to_string(&plan).unwrap(), "new\n");
            fs::write(plan.with_file_name("old.json"), "old").unwrap();
        }
        let run = written_to(&forge, "gate", more);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!forge.path("first/gate/old.json").exists(), "{more:?}");
    }
}

#[test]
fn an_output_folder_that_is_somebody_elses_is_left_as_it_is() {
    let forge = Forge::new();
    fs::create_dir(forge.path("first/mine")).unwrap();
    fs::write(forge.path("first/mine/thesis"), "years of work").unwrap();
    std::os::unix::fs::symlink("mine", forge.path("first/linked")).unwrap();
    let listed = || forge.git("first", &["ls-files", "--others", "--cached"]);
    let before = listed();
    for more in [&[][..], &["--branch", BRANCH], &["--branch", "elsewhere"]] {
        for (out, says) in [
            ("mine", "with-log did not make"),
            ("mine/", "with-log did not make"),
            (".laforge", "with-log did not make"),
            (".laforge/audit", "with-log did not make"),
            ("linked", "is no folder"),
            ("linked/", "is no folder"),
            ("release.yaml", "is no folder"),
            (".", "holds the folder that this runs in"),
            ("..", "holds the folder that this runs in"),
            ("/", "holds the folder that this runs in"),
        ] {
            let run = written_to(&forge, out, more);
            assert_eq!(run.code, 2, "{out} {more:?}: {}", run.stderr);
            assert!(run.stderr.contains(says), "{out}: {}", run.stderr);
        }
    }
    // A wrong call, and a branch that is not there: neither removes what it did not make.
    assert_eq!(written_to(&forge, "mine", &["--bogus"]).code, 2);
    assert_eq!(forge.with_log("first", &["--out", "mine", "--branch", BRANCH, "--start"]).code, 12);
    assert_eq!(fs::read_to_string(forge.path("first/mine/thesis")).unwrap(), "years of work");
    assert_eq!(listed(), before);
}
