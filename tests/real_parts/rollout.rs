//! Rollouts for real: the guard over haproxy, Prometheus and two processes, under load.
//!
//! What is asked of each: how it ends, how far the candidate came, what the log says, and which requests were
//! lost (none but those that the candidate itself failed).

mod attacks;
mod front;
mod latency;
mod refused;
pub mod site;

use std::fs;
use std::time::Duration;

use super::namespace::beside;
use super::parts::tell;
use front::Front;
use site::{Guard, Site, until};

/// Longer than any of these rollouts takes.
const LONG: Duration = Duration::from_secs(45);

fn site(test: &str, rollout: &str, body: impl FnOnce(Site)) {
    beside(&["haproxy", "prometheus"], &format!("rollout::{test}"), || body(Site::with(rollout)));
}

#[test]
fn a_good_candidate_gets_20_then_80_then_all_and_no_request_is_lost() {
    site("a_good_candidate_gets_20_then_80_then_all_and_no_request_is_lost", "", |site| {
        completes(&site);
    });
}

/// A good candidate: 20, 80, 100, and no request lost.
fn completes(site: &Site) {
    let load = site.load(LONG);
    site.guard().ends(0);
    assert_eq!(site.laforge(&["rollout", "status", "-w"]).code, 0);
    let status = site.status();
    assert_eq!((&status["state"]["stage"]["name"], site.highest()), (&"Completed".into(), 100));
    assert_eq!(site.causes(), Vec::<String>::new());
    assert_eq!(site.entries(), ["rollout.started", "rollout.completed"]);
    let commanded: Vec<u64> =
        site.history().iter().filter_map(|line| line["stateAfter"]["target"].as_u64()).collect();
    let mut steps = commanded;
    steps.dedup();
    assert_eq!(steps, [0, 20, 80, 100]);
    let load = load.join().unwrap();
    tell(&format!("a good candidate: {} requests, {} lost\n", load.sent, load.lost()));
    assert_eq!(load.lost(), 0, "{:?} {:?}", load.answers, load.failures);
    site.laforge(&["rollout", "verify-journal"]).ends(0);
    site.laforge(&["audit", "verify"]).ends(0);
}

/// nginx splits by chance: what a fifth of the load gives in eight seconds is enough nearly always.
fn behind_nginx(test: &str, body: impl FnOnce(Site)) {
    let rollout = "  windowSeconds: 8\n  monitor: {windowSeconds: 8, maxExtensions: 1}";
    beside(&["nginx", "prometheus"], &format!("rollout::{test}"), || {
        body(Site::behind(Front::Nginx, rollout))
    });
}

#[test]
fn behind_nginx_a_good_candidate_gets_20_then_80_then_all_and_no_request_is_lost() {
    let test = "behind_nginx_a_good_candidate_gets_20_then_80_then_all_and_no_request_is_lost";
    behind_nginx(test, |site| completes(&site));
}

#[test]
fn behind_nginx_a_candidate_with_5_percent_errors_pauses_at_20_and_rolls_back() {
    let test = "behind_nginx_a_candidate_with_5_percent_errors_pauses_at_20_and_rolls_back";
    behind_nginx(test, |site| stopped_at_20(&site, "errors=0.05", "breach"));
}

#[test]
fn a_guard_that_is_asked_to_end_says_what_it_leaves() {
    site("a_guard_that_is_asked_to_end_says_what_it_leaves", "", |site| {
        let load = site.load(LONG);
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.terminate();
        guard.ends(1);
        let said = guard.said();
        for words in [
            "the rollout does not go on",
            "ended in the state `Observing`, with the candidate at 20 % of the traffic (20 % commanded)",
            "the weights are left as they are",
            "`laforge rollout run` goes on",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        site.guard().ends(0);
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

/// A bad candidate: pauses at 20 for a cause, rolls back by itself, and loses nothing but its own failures.
fn stops_at_20(test: &str, how: &str, cause: &str) {
    site(test, "", |site| stopped_at_20(&site, how, cause));
}

fn stopped_at_20(site: &Site, how: &str, cause: &str) {
    let load = site.load(LONG);
    let mut guard = site.guard();
    site.candidate(how);
    site.wait_for("Paused");
    let failed = site.served().1;
    guard.ends(10);
    assert_eq!(site.laforge(&["rollout", "status", "-w"]).code, 10);
    assert_eq!((site.causes(), site.highest()), (vec![cause.to_owned()], 20), "{}", guard.said());
    assert_eq!(
        site.entries(),
        ["rollout.started", "rollout.paused", "rollout.rolling_back", "rollout.rolled_back"]
    );
    until("the candidate is stopped", || super::service::ask(site::CANDIDATE, "/").is_err());
    let load = load.join().unwrap();
    tell(&format!("{how}: {} requests, {} lost, {failed} failed by the pause\n", load.sent, load.lost()));
    assert_eq!(load.failures, Vec::<String>::new());
    // Those that the candidate answered with 500, and no others.
    let other: u64 =
        load.answers.iter().filter(|(code, _)| ![200, 500].contains(*code)).map(|it| *it.1).sum();
    assert_eq!(other, 0, "{:?}", load.answers);
}

#[test]
fn a_candidate_with_5_percent_errors_pauses_at_20_and_rolls_back() {
    let test = "a_candidate_with_5_percent_errors_pauses_at_20_and_rolls_back";
    stops_at_20(test, "errors=0.05", "breach");
}

#[test]
fn a_candidate_with_slow_answers_pauses_at_20_and_rolls_back() {
    let test = "a_candidate_with_slow_answers_pauses_at_20_and_rolls_back";
    stops_at_20(test, "slow=0.1&latency=600", "breach");
}

#[test]
fn a_candidate_whose_metrics_vanish_pauses_as_missing() {
    site("a_candidate_whose_metrics_vanish_pauses_as_missing", "  windowSeconds: 60", |site| {
        let load = site.load(Duration::from_secs(80));
        let mut guard = site.guard();
        site.wait_for("Observing");
        site.candidate("metrics=none");
        guard.ends(10);
        assert_eq!((site.causes(), site.highest()), (vec!["missing".to_owned()], 20));
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

#[test]
fn a_failed_migration_pauses_without_traffic() {
    let rollout = "  migration: {command: [migrate, --mode, shadow], class: expand}";
    site("a_failed_migration_pauses_without_traffic", rollout, |site| {
        let load = site.load(Duration::from_secs(12));
        fs::write(
            site.path().join("migrate"),
            "#!/bin/sh\necho \"$*\" >> migrated\necho no such table >&2\nexit 3\n",
        )
        .unwrap();
        let mut guard = site.guard();
        guard.ends(10);
        assert_eq!((site.causes(), site.highest()), (vec!["migration".to_owned()], 0));
        assert_eq!(site.wrote("migrated"), "migrate --mode shadow\n");
        assert!(guard.said().contains("no such table"), "{}", guard.said());
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

#[test]
fn haproxy_that_restarts_in_mid_shift_is_noticed_as_drift() {
    site("haproxy_that_restarts_in_mid_shift_is_noticed_as_drift", "  windowSeconds: 30", |mut site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        site.restart_haproxy();
        site.wait_for("Paused");
        guard.ends(10);
        assert_eq!(site.causes(), ["drift"]);
    });
}

#[test]
fn a_guard_that_is_killed_in_mid_shift_goes_on() {
    site("a_guard_that_is_killed_in_mid_shift_goes_on", "", |site| {
        let load = site.load(Duration::from_secs(60));
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        // Nobody watches, and nothing moves.
        until("nobody shows itself", || site.status()["guarded"] == false);
        let mut again = site.guard();
        again.ends(0);
        assert_eq!((site.causes(), site.highest()), (vec![], 100));
        assert_eq!(site.entries(), ["rollout.started", "rollout.completed"]);
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

#[test]
fn operators_pause_resume_and_roll_back_from_a_second_terminal() {
    let rollout = "  windowSeconds: 10\n  operatorPauseDeadlineSeconds: 60";
    site("operators_pause_resume_and_roll_back_from_a_second_terminal", rollout, |site| {
        let load = site.load(LONG);
        let mut guard = site.guard();
        site.wait_for("Observing");
        site.laforge(&["rollout", "resume", "--reason", "nothing to resume"]).ends(10);
        site.laforge(&["rollout", "pause", "--reason", "the dashboard is red"]).ends(0);
        assert_eq!(site.laforge(&["rollout", "status", "-w"]).code, 11);
        let shown = site.laforge(&["rollout", "status"]).ends(0).stdout;
        assert!(shown.contains("Paused(operator)") && shown.contains("`resume` or `rollback`"), "{shown}");
        site.laforge(&["rollout", "resume", "--reason", "it was the dashboard", "--actor", "bob"]).ends(0);
        site.wait_for("Observing");
        site.laforge(&["rollout", "rollback", "--reason", "not today"]).ends(0);
        guard.ends(10);
        assert_eq!(site.causes(), ["operator"]);
        assert_eq!(
            site.entries(),
            [
                "rollout.started",
                "rollout.paused",
                "rollout.resumed",
                "rollout.rolling_back",
                "rollout.rolled_back"
            ]
        );
        let told = site.laforge(&["rollout", "history"]).ends(0).stdout;
        for words in ["alice: the dashboard is red", "bob: it was the dashboard", "alice: not today"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

#[test]
fn a_rollback_without_a_guard_becomes_one() {
    site("a_rollback_without_a_guard_becomes_one", "  windowSeconds: 60", |site| {
        let mut guard: Guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        site.laforge(&["rollout", "pause", "--reason", "no one is there"]).ends(11);
        site.laforge(&["rollout", "rollback", "--reason", "the guard is gone"]).ends(10);
        assert_eq!(site.status()["state"]["stage"]["name"], "RolledBack");
        assert_eq!(site.entries().last().unwrap(), "rollout.rolled_back");
    });
}
