//! What somebody mistypes, leaves out or points elsewhere: each is refused, at its place, with what would do.

use std::fs;
use std::process::{Command, Stdio};

use crate::example::{Example, PROGRAM, REQUIRED, at_home, command, finished};

/// Runs a table of mistakes: each ends with its code, and says all of its texts.
#[track_caller]
fn each_says(example: &Example, table: &[(&[&str], i32, &[&str])]) {
    for (arguments, code, said) in table {
        let run = example.run(arguments).ends(*code);
        said.iter().fold(run, |run, text| run.says(text));
    }
}

fn fifo(example: &Example, name: &str) {
    let (mode, kind) = (rustix::fs::Mode::RUSR, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, example.path(name), kind, mode, 0).unwrap();
}

#[test]
fn nothing_is_signed_that_nobody_could_be_asked_about() {
    let example = Example::new();
    for verb in ["approve", "reject"] {
        example.run(&[verb, "--key", "keys/alice.key", "-o", "word.json"]).ends(2).says("--yes");
    }
    assert!(!example.path("word.json").exists());
    example
        .run(&["approve", "--yes", "--key", "keys/alice.key", "-o", "word.json"])
        .ends(0)
        .says("about to sign");
    let quiet = ["-q", "approve", "--yes", "--key", "keys/alice.key", "-o", "quiet.json"];
    assert_eq!(example.run(&quiet).ends(0).stderr, "");
}

#[test]
fn nothing_is_signed_that_a_gate_would_not_read() {
    let example = Example::new();
    for flag in ["--reason", "--ticket", "--role"] {
        let word = ["approve", "--yes", "--key", "keys/alice.key", "-o", "word.json", flag, ""];
        example.run(&word).ends(2).says(&format!("`{}` is empty", &flag[2..])).says("leave a flag out");
    }
    assert!(!example.path("word.json").exists());
}

#[test]
fn a_person_may_change_their_mind_more_than_once() {
    let example = Example::new();
    let before = example.list("evidence").len();
    for verb in ["approve", "reject", "approve", "reject", "approve"] {
        example.run(&[verb, "--yes", "--key", "keys/bob.key"]).ends(0);
    }
    let names = example.list("evidence");
    assert_eq!(names.len(), before + 5, "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("-3.sigstore.json")), "{names:?}");
    // A name that is given is taken as it is, and refused before anything is shown.
    example.write("mine.json", "{}");
    let run = example.run(&["approve", "--yes", "--key", "keys/bob.key", "-o", "mine.json"]).ends(2);
    assert!(!run.stderr.contains("about to sign"), "{}", run.stderr);
    assert_eq!(example.read("mine.json"), "{}");
}

#[test]
fn a_role_that_somebody_has_not_is_warned_of() {
    let example = Example::new();
    let with_role = |role: &str, to: &str| {
        let run = ["approve", "--yes", "--key", "keys/alice.key", "--role", role, "-o", to];
        example.run(&run).ends(0).stderr
    };
    assert!(with_role("nope", "a.json").contains("`alice` has no role `nope` in trust"));
    assert!(!with_role("release-manager", "b.json").contains("has no role"));
}

#[test]
fn no_output_overwrites_what_is_something_else() {
    let example = Example::new();
    let chart = |to: &str| example.run(&["rollout", "simulate", "--chart", to]);
    chart("chart.svg").ends_with_data();
    let first = example.read("chart.svg");
    chart("chart.svg").ends_with_data();
    assert_eq!(example.read("chart.svg"), first);
    let release = example.read("release.yaml");
    example.write("icon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"/>\n");
    for other in ["release.yaml", "icon.svg"] {
        chart(other).ends(2).says("it is no chart");
        example.deploy(&["-o", other]).ends(2).says("it is no plan");
        example.deploy(&["--report", &format!("json={other}")]).ends(2).says("it is no report");
    }
    // A link is replaced, and what it leads to is not.
    std::os::unix::fs::symlink("release.yaml", example.path("link.svg")).unwrap();
    chart("link.svg").ends_with_data();
    example.deploy(&["-o", "plan.json"]).ends(0);
    example.run(&["render", "gateway-api", "plan.json", "-o", "release.yaml"]).ends(2);
    assert_eq!(example.read("release.yaml"), release);
}

#[test]
fn a_target_at_which_nothing_was_begun_is_no_good_one() {
    let example = Example::new();
    fs::create_dir_all(example.path("state/payments-prod")).unwrap();
    let at = ["--state", "state", "--target", "typo"];
    for verb in ["verify-journal", "history"] {
        example
            .run(&[&["rollout", verb], &at[..]].concat())
            .ends(2)
            .says("no rollout was begun at target `typo`")
            .says("payments-prod");
    }
}

#[test]
fn a_configuration_that_is_not_read_is_no_reason_for_a_preview() {
    let example = Example::new();
    fs::create_dir_all(example.path(".git")).unwrap();
    fs::create_dir_all(example.path("deploy/here")).unwrap();
    example
        .run(&["-C", "deploy/here", "deploy", "-o", "plan.json"])
        .ends(2)
        .says("../../laforge.yaml")
        .says("-C ../..");
    example.run(&["-C", "deploy", "verify"]).ends(2).says("../laforge.yaml");
    example.run(&["-C", "deploy", "runtime"]).ends(2).says("nothing to serve").says("../laforge.yaml");
    // Outside of a repository a folder above is anybody's.
    fs::remove_dir(example.path(".git")).unwrap();
    example.run(&["-C", "deploy", "deploy"]).ends_with_data().says("preview only");
    fs::rename(example.path("laforge.yaml"), example.path("laforge.yml")).unwrap();
    for verb in ["deploy", "verify"] {
        let run = example.run(&[verb, "--release", "release.yaml"]).ends(2);
        run.says("`laforge.yml` lies here").says("--config laforge.yml");
    }
    example.run(&["deploy", "--config", "laforge.yml"]).ends_with_data();
    Example::empty().run(&["deploy"]).ends_with_data().says("preview only");
    Example::empty().run(&["runtime"]).ends(2).says("nothing to serve");
}

#[test]
fn rights_for_nobody_and_limits_of_nothing_are_refused_at_start() {
    let example = Example::new();
    let config = example.read("laforge.yaml");
    for (service, said) in [
        ("{access: {read: [boss]}}", "names the role `boss`, and nobody in trust has it"),
        ("{limits: {connections: 0}}", "0 is not 1 to 16384"),
    ] {
        example.write("laforge.yaml", &format!("{config}service: {service}\n"));
        example.run(&["runtime", "--listen", "127.0.0.1:0"]).ends(2).says(said);
    }
}

#[test]
fn an_audit_log_that_is_none_or_not_the_pinned_one_is_told_as_that() {
    let example = Example::new();
    // One that trust pins is lost, or moves: who makes another one is told which it is not.
    example
        .run(&["audit", "init", "--audit-log", "newlog"])
        .ends(0)
        .says("trust pins another log of the origin");
    example.deploy(&["--audit-log", "newlog"]).ends(2);
    for verb in ["verify", "status", "list"] {
        example.run(&["audit", verb, "--audit-log", "evidence"]).ends(12).says("`evidence` is no audit log");
    }
    // Of one that was there something is left.
    fs::remove_file(example.path(".laforge/audit/log.json")).unwrap();
    example.run(&["audit", "verify"]).ends(13);
}

#[test]
fn a_clock_that_was_ahead_leaves_two_ways_on() {
    let example = Example::new();
    let mut ahead = at_home("faketime", example.path("").as_path());
    ahead.args(["-f", "+300d", PROGRAM, "deploy", "--dry-run"]).args(REQUIRED);
    let Ok(output) = ahead.output() else { return crate::skipped("faketime is not installed") };
    let run = finished(output);
    assert!(matches!(run.code, 0 | 10), "{}", run.stderr);
    example
        .deploy(&[])
        .ends(12)
        .says("if this machine's clock is behind, mend it")
        .says("written by a clock that was ahead")
        .says("docs/audit-log.md#a-clock-that-was-ahead");
}

#[test]
fn a_head_that_can_not_be_remembered_is_told_with_path_and_cause() {
    let example = Example::new();
    // A folder stands where the lock would be made.
    fs::create_dir_all(example.path("cache/laforge/seen/lock")).unwrap();
    let mut deploy = command(example.path("").as_path());
    deploy.env("XDG_CACHE_HOME", example.path("cache")).arg("deploy").args(REQUIRED);
    let run = finished(deploy.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = run.says("could not be remembered on this machine").says("seen/lock`").says("Is a directory");
    assert_eq!(run.stderr.matches("could not be remembered").count(), 1, "{}", run.stderr);
    assert!(!run.stderr.contains("the entry is recorded"), "{}", run.stderr);
}

#[test]
fn a_plan_that_finds_stdout_closed_is_not_given() {
    let example = Example::new();
    let script = "exec \"$0\" deploy --require-signed --require-approved --require-provenance";
    let shell = |redirected: &str| {
        let mut shell = at_home("sh", example.path("").as_path());
        finished(shell.args(["-c", &format!("{script} {redirected}"), PROGRAM]).output().unwrap())
    };
    shell(">&-").ends(1).says("cannot write to standard output").says("it is recorded as allow");
    assert_eq!(shell(">/dev/null").code, 0);
    // The name of a stream is written through, and never replaced.
    let through = shell("-o /dev/stdout >plan.json");
    assert_eq!(through.code, 0, "{}", through.stderr);
    assert!(example.read("plan.json").contains("planDigest"));
}

#[test]
fn a_report_on_stderr_stands_alone() {
    let example = Example::new();
    for expected in [0, 10] {
        let run = example.deploy(&["--report", "json"]);
        assert_eq!(run.code, expected);
        let report: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!(report["kind"], "DecisionReport");
        let _ = fs::remove_file(example.path("evidence/approval-bob.sigstore.json"));
        let _ = fs::remove_file(example.path("evidence/approval-alice.sigstore.json"));
    }
}

#[test]
fn filters_that_name_nothing_are_told() {
    let example = Example::new();
    each_says(
        &example,
        &[
            (&["audit", "list", "--type", "foo"], 2, &["`foo` is no type", "types are log.created"]),
            (&["audit", "list", "--type", "descision"], 2, &["did you mean `decision`?"]),
            (&["audit", "list", "--rule", "approval-treshold"], 2, &["did you mean `approval-threshold`?"]),
            (&["audit", "show"], 2, &["no entry is named", "--release NAME"]),
        ],
    );
    for (flag, what) in [
        ("--environment", "environment"),
        ("--approver", "approver"),
        ("--release", "release"),
        ("--actor", "actor"),
    ] {
        let run = example.run(&["audit", "list", flag, "nobody"]).ends_with_data();
        run.says(&format!("no entry at all is of the {what} `nobody`"));
    }
    example.deploy(&[]).ends_with_data();
    let known = example.run(&["audit", "list", "--environment", "production", "--action", "deny"]);
    assert!(!known.ends_with_data().stderr.contains("no entry at all"));
    example.run(&["audit", "list", "--type", "key.*"]).ends_with_data();
}

#[test]
fn a_word_that_is_none_is_told_the_one_that_is_near() {
    let example = Example::new();
    each_says(
        &example,
        &[
            (&["deploi"], 2, &["`laforge deploi` is no verb", "did you mean `laforge deploy`?"]),
            (&["policy", "chekc"], 2, &["did you mean `laforge policy check`?"]),
            (&["audit", "lsit"], 2, &["did you mean `laforge audit list`?"]),
            (&["deploy", "--requre-signed"], 2, &["--require-signed"]),
            (&["explain", "approval-rejcted"], 2, &["did you mean `approval-rejected`?"]),
        ],
    );
    let near = example.run(&["explain", "approval-rejcted"]);
    assert!(!near.stderr.contains("artifact-digest"), "{}", near.stderr);
    example.run(&["explain", "foo"]).ends(2).says("artifact-digest");
}

#[test]
fn values_on_the_command_line_are_told_what_they_should_be() {
    let example = Example::new();
    each_says(
        &example,
        &[
            (&["audit", "show", "x"], 2, &["a whole number, 0 or more, is expected, such as 7"]),
            (&["audit", "list", "-n", "x"], 2, &["such as 7"]),
            (&["rollout", "simulate", "--seed", "x"], 2, &["such as 7"]),
            (&["runtime", "--listen", "foo"], 2, &["such as 127.0.0.1:8088"]),
            (&["studio", "--listen", "foo"], 2, &["such as 127.0.0.1:8088"]),
            (&["verify", "--now", "yesterday"], 2, &["`yesterday` is not a time such as"]),
            (&["init", "/dev/null", "--example"], 2, &["`/dev/null` is no folder"]),
        ],
    );
    for arguments in [&["verify", "--now", "yesterday"][..], &["audit", "verify-proof", "release.yaml"]] {
        let said = example.run(arguments).stderr;
        assert!(!said.contains("premature"), "{said}");
        assert!(said.matches("because: expected value").count() <= 1, "{said}");
    }
}

#[test]
fn documents_are_refused_in_the_words_of_whoever_wrote_them() {
    let example = Example::new();
    let policy = |require: &str| {
        format!(
            "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: x}}\nspec:\n  require:\n    {require}\n"
        )
    };
    for (require, said) in [
        ("approvals: {atLeast: -1}", "p.yaml:6:26"),
        ("approvals: {atLeast: -1}", "a whole number, 0 or more is expected here"),
        ("approvals: [a]", "a mapping of members to values is expected here"),
        ("signatures: {from: x}", "a list is expected here"),
        ("approvals: {atLeast: [2]}", "is expected here"),
        ("aprovals: {atLeast: 2}", "did you mean `approvals`?"),
    ] {
        example.write("p.yaml", &policy(require));
        let run = example.run(&["policy", "check", "p.yaml"]).ends(2).says(said);
        for rusty in ["u64", "string scalar", "mapping start", "sequence start", "struct "] {
            assert!(!run.stderr.contains(rusty), "{}", run.stderr);
        }
    }
    let release = example.read("release.yaml");
    for (text, said) in [
        (String::new(), "r.yaml:1:1"),
        (String::new(), "is empty"),
        ("# later\n---\n".to_owned(), "is empty"),
        (format!("\u{feff}{release}"), "save it as UTF-8 without a byte order mark"),
        (release.replacen("name: payments", "name: \"\"", 1), "`name` is empty"),
    ] {
        example.write("r.yaml", &text);
        example.run(&["verify", "--release", "r.yaml"]).ends(2).says(said);
    }
    fs::write(example.path("big.yaml"), vec![b'#'; 65 << 20]).unwrap();
    example.run(&["verify", "--release", "big.yaml"]).ends(2).says("larger than 64 MiB");
}

#[test]
fn a_number_in_quotes_is_a_text_everywhere() {
    let example = Example::new();
    for (from, to) in
        [("latencyBudgetMs: 450", "latencyBudgetMs: \"450\""), ("errorBudget: 0.02", "errorBudget: '0.02'")]
    {
        let config = example.read("laforge.yaml");
        example.edit("laforge.yaml", from, to);
        example.deploy(&[]).ends(2).says("laforge.yaml:").says("write the number without them");
        example.write("laforge.yaml", &config);
    }
}

#[test]
fn a_path_that_leads_nowhere_is_shown_where_it_is_written() {
    let example = Example::new();
    let config = example.read("laforge.yaml");
    for (from, to, said) in [
        ("policies/", "polices/", "there is no policy at `polices/`"),
        ("[evidence/]", "[evidnce/]", "there is no evidence at `evidnce/`"),
        ("trust: trust.yaml", "trust: trst.yaml", "there is no trust at `trst.yaml`"),
        ("release: release.yaml", "release: relase.yaml", "there is no release at `relase.yaml`"),
    ] {
        example.edit("laforge.yaml", from, to);
        example.deploy(&[]).ends(2).says("laforge.yaml:").says(said).says("mend the path");
        example.write("laforge.yaml", &config);
    }
    let first = example.list("artifacts").remove(0);
    example.remove(&format!("artifacts/{first}"));
    example
        .deploy(&[])
        .ends(1)
        .says("release.yaml:")
        .says(&format!("cannot read `artifacts/{first}`"))
        .says("mend the path");
}

#[test]
fn evidence_that_is_a_pipe_is_refused_and_never_waited_for() {
    let example = Example::new();
    fifo(&example, "pipe");
    example.deploy(&["--evidence", "pipe"]).ends(2).says("it is a pipe or a socket");
}

#[test]
fn a_key_is_written_one_way() {
    let example = Example::new();
    let made = ["keygen", "--use", "person", "--insecure-unencrypted", "-o", "mallory"];
    let id = example.run(&made).ends_with_data().stdout.trim().to_owned();
    assert!(id.starts_with("sha256:"), "{id}");
    example.run(&["approve", "--yes", "--key", "mallory.key"]).ends(0).says(&id);
    example.deploy(&[]).says(&format!("key `{id}`"));
    let inspected = example.run(&["inspect", ".laforge/audit/checkpoint"]).ends_with_data().stdout;
    assert!(inspected.contains("sha256:"), "{inspected}");
}

#[test]
fn what_every_verb_takes_stands_behind_its_own() {
    let example = Example::empty();
    let help = example.run(&["deploy", "--help"]).stdout;
    let (own, everywhere) = help.split_once("Everywhere:").unwrap();
    assert!(own.contains("--require-signed") && !own.contains("--config"), "{help}");
    assert!(everywhere.contains("--config") && everywhere.contains("--quiet"), "{help}");
    assert!(help.contains("LAFORGE_KEY_PASSPHRASE"), "{help}");
}

/// Where stdin is none that anybody answers on; by hand, so that no shell is in between.
#[test]
fn a_closed_stdin_is_no_answer() {
    let example = Example::new();
    let mut approve = Command::new(PROGRAM);
    approve.current_dir(example.path("")).args(["approve", "--key", "keys/alice.key", "-o", "word.json"]);
    approve.stdin(Stdio::null());
    assert_eq!(approve.output().unwrap().status.code(), Some(2));
    assert!(!example.path("word.json").exists());
}
