//! A log that can't be written, at each entry: every raise waits for it, and nothing that lowers does.

use std::thread::sleep;
use std::time::Duration;

use laforge::audit::entry::rollout::Milestone;
use laforge::rollout::guard::{End, GuardError, Verb};

use crate::guarded::Rollout;
use crate::world::{Candidate, until};

fn refusing(milestone: Milestone, times: u32) -> Rollout {
    let rollout = Rollout::with_windows(1);
    rollout.world.change(|world| world.refuses = Some((milestone, times)));
    rollout
}

#[test]
fn without_the_entry_of_the_start_nothing_is_touched() {
    let rollout = refusing(Milestone::Started, 1);
    assert!(matches!(rollout.guard().ends(), Err(GuardError::Log(_))));
    assert_eq!((rollout.world.set(), rollout.stage()), (vec![], "Migrating"));
    // The next guard appends it first, and goes on.
    assert_eq!(rollout.guard().ends().unwrap(), End::Completed);
    let entries = rollout.world.state().entries.clone();
    assert_eq!(entries, [Milestone::Started, Milestone::Completed]);
}

#[test]
fn a_pause_holds_before_the_log_has_it() {
    let rollout = refusing(Milestone::Paused, 1);
    rollout.world.change(|world| world.candidate = Candidate::Bad);
    let guard = rollout.guard();
    rollout.wait_for("Paused");
    assert_eq!(rollout.world.state().entries, [Milestone::Started]);
    until("it is asked again", || rollout.world.state().entries.len() == 2);
    assert_eq!((rollout.world.set(), rollout.stage()), (vec![20], "Paused"));
    rollout.ask(Verb::Rollback, "a");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
    assert_eq!(
        rollout.world.state().entries,
        [Milestone::Started, Milestone::Paused, Milestone::RollingBack, Milestone::RolledBack]
    );
}

#[test]
fn after_a_resume_nothing_is_raised_before_the_log_has_it() {
    let rollout = refusing(Milestone::Resumed, 1);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.world.change(|world| world.weight = 0);
    rollout.wait_for("Paused");
    rollout.ask(Verb::Resume, "a");
    rollout.wait_for("Applying");
    sleep(Duration::from_secs(2));
    assert_eq!(rollout.world.set(), [20], "held back");
    assert_eq!(guard.ends().unwrap(), End::Completed);
    let entries = rollout.world.state().entries.clone();
    assert_eq!(entries, [Milestone::Started, Milestone::Paused, Milestone::Resumed, Milestone::Completed]);
    assert_eq!(rollout.world.set(), [20, 20, 80, 100]);
}

#[test]
fn the_way_back_does_not_wait_for_the_log() {
    for milestone in [Milestone::RollingBack, Milestone::RolledBack] {
        let rollout = refusing(milestone, 1);
        let guard = rollout.guard();
        rollout.wait_for("Observing");
        rollout.ask(Verb::Rollback, "a");
        until("0 is set", || rollout.world.set().last() == Some(&0));
        assert!(!rollout.world.state().entries.contains(&milestone), "{milestone:?}");
        assert_eq!(guard.ends().unwrap(), End::RolledBack);
        let entries = rollout.world.state().entries.clone();
        assert_eq!(entries, [Milestone::Started, Milestone::RollingBack, Milestone::RolledBack]);
    }
}

#[test]
fn the_end_is_told_to_a_log_that_takes_it_later() {
    let rollout = refusing(Milestone::Completed, 1);
    assert_eq!(rollout.guard().ends().unwrap(), End::Completed);
    assert_eq!(rollout.world.state().entries, [Milestone::Started, Milestone::Completed]);
}

#[test]
fn a_log_that_never_takes_the_way_back_keeps_no_candidate_running() {
    let rollout = refusing(Milestone::RollingBack, u32::MAX);
    rollout.world.change(|world| {
        (world.again, world.connections, world.stop_seconds) = (Some(Duration::from_millis(100)), 1, 3);
    });
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.ask(Verb::Rollback, "a");
    // It was asked more often than it is after an end, before there is one.
    until("it is asked again and again", || rollout.world.state().refused > 20);
    assert_eq!(rollout.stage(), "RollingBack");
    rollout.world.change(|world| world.connections = 0);
    assert!(matches!(guard.ends(), Err(GuardError::Log(_))));
    assert!(rollout.was_stopped(), "the guard is gone, and the candidate runs");
    assert!(rollout.path().join("stopped").is_file());
    assert_eq!((rollout.stage(), rollout.world.weight()), ("RolledBack", 0));
}
