//! Exit codes of the rollout verbs where nothing runs: each verb against the table of the command line's page.
//!
//! Those of a rollout that runs (`run` 0 and 10, requests 0 and 10, `run` 13 for each step of acceptance) are `tests/real_parts/rollout.rs`'s; those of a damaged journal are [`super::verbs`]'.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use laforge::release::digest::Digest;
use laforge::rollout::journal::{Created, Journal, Slots, TargetLock, schedule_of};
use laforge::rollout::machine::Event;
use serde_json::Value;
use tempfile::TempDir;

use crate::desk::{self, operator, tell};
use crate::driver::Driver;

/// Nobody listens at this socket.
const EXECUTOR: &str = "
executor:
  environment: production
  state: rollouts
  driver: haproxy
  haproxy: {socket: nobody.sock, backend: app}
  slots:
    blue: {probe: 'http://127.0.0.1:9', runs: [cat, blue.digest]}
    green: {probe: 'http://127.0.0.1:9', runs: [cat, green.digest]}
  commands: {start: [touch, started]}
  metrics: {prometheus: {url: 'http://127.0.0.1:9', scrapeSeconds: 1}}
";

/// An executor with an allowed plan, and nothing to run it on.
fn executor() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["init", "--example", "."]).0, Some(0));
    let config = folder.path().join("laforge.yaml");
    fs::write(&config, fs::read_to_string(&config).unwrap() + EXECUTOR).unwrap();
    assert_eq!(run(folder.path(), &["deploy", "-o", "plan.json"]).0, Some(0));
    folder
}

/// The program in a folder, which has to end soon: its code and what it said.
#[track_caller]
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
    command.current_dir(folder).args(arguments).env("XDG_CACHE_HOME", folder.join(".cache"));
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        command.env_remove(name);
    }
    command.env("USER", "alice").stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = desk::start(command.stderr(said.reopen().unwrap()));
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), fs::read_to_string(said.path()).unwrap());
        }
        let late = began.elapsed() > Duration::from_secs(300);
        if late {
            child.kill().unwrap();
        }
        assert!(!late, "{arguments:?} does not end");
        sleep(Duration::from_millis(10));
    }
}

/// It ends with a code, says these words, and has touched nothing.
#[track_caller]
fn ends(folder: &TempDir, arguments: &[&str], code: i32, words: &str) {
    let (ended, said) = run(folder.path(), arguments);
    assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    assert!(said.contains(words), "{arguments:?}: `{words}` is not in {said}");
    assert!(!folder.path().join("started").exists(), "{arguments:?} started something");
}

#[test]
fn where_nothing_was_rolled_out_each_verb_says_so() {
    let here = executor();
    ends(&here, &["rollout", "run"], 2, "no plan is named");
    ends(&here, &["rollout", "status"], 2, "nothing was rolled out at target `production`");
    ends(&here, &["rollout", "status", "-w"], 2, "nothing was rolled out at target `production`");
    for verb in ["pause", "resume", "rollback"] {
        ends(&here, &["rollout", verb, "--reason", "a test"], 2, "no rollout is under way");
        ends(&here, &["rollout", verb], 2, "--reason");
    }
    ends(&here, &["rollout", "history"], 2, "no rollout was begun at target `production`");
    ends(&here, &["rollout", "verify-journal"], 0, "no rollout was begun at target `production`");
    let unknown = format!("sha256:{}", "ab".repeat(32));
    ends(&here, &["rollout", "history", &unknown], 2, "`laforge rollout verify-journal`");
    ends(&here, &["rollout", "verify-journal", &unknown], 2, "");
}

#[test]
fn a_run_that_can_t_begin_touches_nothing() {
    let here = executor();
    ends(&here, &["rollout", "run", "plan.json"], 1, "nothing was touched");
    ends(&here, &["rollout", "run", "absent.json"], 2, "absent.json");
    let mut plan: Value = serde_json::from_slice(&fs::read(here.path().join("plan.json")).unwrap()).unwrap();
    plan["plan"]["rollback"]["pauseDeadlineSeconds"] = 1.into();
    fs::write(here.path().join("edited.json"), plan.to_string()).unwrap();
    ends(&here, &["rollout", "run", "edited.json"], 13, "step 1");
    let (log, away) = (here.path().join(".laforge/audit"), here.path().join("away"));
    fs::rename(&log, &away).unwrap();
    ends(&here, &["rollout", "run", "plan.json"], 12, "");
}

#[test]
fn a_simulation_ends_as_its_scenario_expects_or_with_10() {
    let here = executor();
    let scenario =
        "apiVersion: laforge.dev/v1\nkind: Scenario\nname: good\nabout: a good day\nexpect: {state: STATE}\n";
    for (state, code) in [("Completed", 0), ("RolledBack", 10)] {
        fs::write(here.path().join("scenario.yaml"), scenario.replace("STATE", state)).unwrap();
        ends(&here, &["rollout", "simulate", "--scenario", "scenario.yaml"], code, "");
    }
    ends(&here, &["rollout", "simulate", "laforge.yaml"], 2, "laforge.yaml");
    ends(&here, &["rollout", "simulate", "--sweep", "0"], 2, "--sweep");
}

#[test]
fn a_plan_that_is_no_file_is_refused_at_once() {
    let here = executor();
    assert!(desk::output(Command::new("mkfifo").arg(here.path().join("pipe"))).status.success());
    for verb in [&["rollout", "run"][..], &["rollout", "simulate"], &["render", "kubernetes"], &["runtime"]] {
        ends(&here, &[verb, &["pipe"]].concat(), 2, "it is a pipe or a socket");
        ends(&here, &[verb, &["/dev/zero"]].concat(), 2, "it is a device");
        ends(&here, &[verb, &["artifacts"]].concat(), 2, "artifacts");
    }
}

/// The plan's journal at this executor, as an honest guard keeps it: so many lines of its own, what somebody asks
/// then, and so many more.
fn journaled(here: &TempDir, honest: usize, asked: Option<Event>, then: usize) -> Journal {
    let envelope = fs::read(here.path().join("plan.json")).unwrap();
    let core = serde_json::from_slice::<Value>(&envelope).unwrap()["plan"].take();
    let slots = Slots { stable: "blue".into(), candidate: "green".into() };
    let plan_digest = Digest::of_value(&core).claim();
    let created = Created { envelope, plan_digest, target: "production".into(), slots };
    let schedule = schedule_of(&created.envelope).unwrap();
    let mut now = schedule.not_before;
    let mut journal = Journal::create(held(here), &created, schedule, now).unwrap();
    let mut driver = Driver::new();
    let mut go_on = |journal: &mut Journal, lines: usize| {
        for _ in 0..lines {
            let said = desk::next(journal.schedule(), journal.state(), driver.weight, now);
            let Some((event, at)) = said else { return };
            driver.execute(&tell(journal, event, at));
            now = at;
        }
    };
    go_on(&mut journal, honest);
    if let Some(event) = asked {
        let at = journal.schedule().not_before;
        tell(&mut journal, event, at);
        go_on(&mut journal, then);
    }
    journal
}

/// The target's lock, which only one can have.
fn held(here: &TempDir) -> TargetLock {
    desk::take(&here.path().join("rollouts"), "production").unwrap()
}

#[test]
fn while_another_guard_holds_the_target_a_run_ends_with_1() {
    let here = executor();
    let lock = held(&here);
    ends(&here, &["rollout", "run", "plan.json"], 1, "`laforge rollout status` shows what it does");
    drop(lock);
    ends(&here, &["rollout", "run", "absent.json"], 2, "absent.json");
}

#[test]
fn a_pause_without_a_guard_is_shown_with_11_and_requests_wait_with_11() {
    let here = executor();
    drop(journaled(&here, 4, Some(Event::Pause(operator())), 0));
    ends(&here, &["rollout", "status"], 0, "");
    ends(&here, &["rollout", "status", "-w"], 11, "");
    for verb in ["pause", "resume"] {
        ends(&here, &["rollout", verb, "--reason", "a test"], 11, "no guard is running");
    }
    ends(&here, &["rollout", "history"], 0, "");
    ends(&here, &["rollout", "verify-journal"], 0, "");
}

#[test]
fn what_has_ended_is_shown_with_its_code_and_takes_no_request() {
    let back = Event::Rollback(operator());
    for (honest, asked, code) in
        [(usize::MAX, None, 0), (4, Some(back), 10), (0, Some(Event::Cancel(operator())), 10)]
    {
        let here = executor();
        let journal = journaled(&here, honest, asked, usize::MAX);
        assert!(journal.state().stage.is_terminal(), "{:?}", journal.state());
        drop(journal);
        ends(&here, &["rollout", "status"], 0, "");
        ends(&here, &["rollout", "status", "-w"], code, "");
        for verb in ["pause", "resume", "rollback"] {
            ends(&here, &["rollout", verb, "--reason", "a test"], 2, "no rollout is under way");
        }
        // Nobody here ran it: the log has seen no start.
        ends(&here, &["rollout", "run", "plan.json"], 13, "");
    }
}
