//! What lands in between: requests, readings and counts that come at the worst time.

use std::thread::sleep;
use std::time::Duration;

use laforge::rollout::guard::{End, GuardError, Verb};
use laforge::rollout::machine::{Cause, Stage, Weight};

use crate::guarded::Rollout;
use crate::world::{Candidate, Pace, until};

/// Longer than a guard takes to look at anything again.
const A_WHILE: Duration = Duration::from_millis(1500);

fn cause(rollout: &Rollout) -> Option<Cause> {
    rollout.reading().state().stage.pause().map(|pause| pause.cause)
}

#[test]
fn a_good_candidate_gets_20_then_80_then_all() {
    let rollout = Rollout::with_windows(1);
    assert_eq!(rollout.guard().ends().unwrap(), End::Completed);
    assert_eq!(rollout.world.set(), [20, 80, 100]);
}

#[test]
fn a_pause_that_lands_in_the_middle_of_a_raise_brings_the_weight_back() {
    let rollout = Rollout::with_windows(1);
    rollout.world.change(|world| world.hold_set = Some(80));
    let guard = rollout.guard();
    until("the raise is under way", || rollout.world.state().held_sets == 1);
    rollout.ask(Verb::Pause, "a");
    rollout.wait_for("Paused");
    // The pause is journaled, and the old command takes effect only now.
    assert_eq!(rollout.world.weight(), 20);
    rollout.world.change(|world| world.hold_set = None);
    until("the weight is brought back", || rollout.world.turns() == [20, 80, 20]);
    sleep(A_WHILE);
    assert_eq!((rollout.world.weight(), rollout.stage()), (20, "Paused"));
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
    assert_eq!(rollout.world.turns(), [20, 80, 20, 0]);
}

#[test]
fn a_driver_that_loses_its_weights_is_a_pause_and_raises_nothing() {
    let rollout = Rollout::with_windows(30);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.world.change(|world| world.weight = 0);
    rollout.wait_for("Paused");
    assert_eq!(cause(&rollout), Some(Cause::Drift));
    sleep(A_WHILE);
    assert_eq!((rollout.world.weight(), rollout.world.set()), (0, vec![20]));
    // Once the weight is read at or below the target somebody may go on: the window is earned again.
    rollout.ask(Verb::Resume, "a");
    rollout.wait_for("Observing");
    assert_eq!((rollout.world.set(), rollout.reading().state().passed), (vec![20, 20], 0));
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
}

#[test]
fn a_writer_who_raises_a_paused_candidate_is_brought_down_each_time() {
    let rollout = Rollout::with_windows(30);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.ask(Verb::Pause, "a");
    rollout.wait_for("Paused");
    for _ in 0..2 {
        rollout.world.change(|world| world.weight = 100);
        until("it is brought down", || rollout.world.weight() == 20);
    }
    assert_eq!(rollout.stage(), "Paused");
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
}

#[test]
fn counts_that_come_back_after_a_pause_are_no_pass() {
    let rollout = Rollout::with_windows(2);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    // Asked for when the window has ended: what comes back would be its pass.
    sleep(Duration::from_millis(1900));
    rollout.world.change(|world| world.metrics = Pace::Held);
    until("a count is held", || rollout.world.state().held_counts > 0 || rollout.stage() != "Observing");
    if rollout.stage() == "Observing" {
        rollout.ask(Verb::Pause, "a");
        rollout.wait_for("Paused");
        rollout.world.change(|world| world.metrics = Pace::Prompt);
        sleep(A_WHILE);
        assert_eq!((rollout.stage(), rollout.world.set()), ("Paused", vec![20]));
        assert_eq!(rollout.reading().state().passed, 0);
    }
    rollout.world.change(|world| world.metrics = Pace::Prompt);
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
}

#[test]
fn a_breach_that_comes_to_light_after_a_pause_still_counts() {
    let rollout = Rollout::with_windows(20);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    sleep(Duration::from_secs(2));
    rollout.world.change(|world| world.metrics = Pace::Held);
    until("a count is held", || rollout.world.state().held_counts > 0);
    rollout.ask(Verb::Pause, "a");
    rollout.wait_for("Paused");
    assert_eq!(cause(&rollout), Some(Cause::Operator));
    rollout.world.change(|world| (world.candidate, world.metrics) = (Candidate::Bad, Pace::Prompt));
    until("the cause is the breach", || cause(&rollout) == Some(Cause::Breach));
    assert_eq!(rollout.outcomes("Breach"), ["Applied(T23)"]);
    assert_eq!(rollout.world.set(), [20]);
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
}

#[test]
fn of_requests_at_the_same_time_each_is_answered_once_and_the_way_back_wins() {
    let rollout = Rollout::with_windows(30);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    for (verb, nonce) in [(Verb::Pause, "a"), (Verb::Pause, "b"), (Verb::Rollback, "c"), (Verb::Resume, "d")]
    {
        rollout.ask(verb, nonce);
    }
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
    let answered = ["Pause", "Rollback", "Resume"].map(|event| rollout.outcomes(event).len());
    assert_eq!(answered.iter().sum::<usize>(), 4, "{answered:?}");
    assert_eq!(rollout.outcomes("Rollback").len(), 1);
    assert_eq!(rollout.world.set().last(), Some(&0));
    assert!(!rollout.world.set().contains(&80), "{:?}", rollout.world.set());
}

#[test]
fn a_guard_that_is_asked_to_end_says_what_it_leaves_and_the_next_goes_on() {
    let rollout = Rollout::with_windows(2);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    guard.interrupt.ask();
    let twenty = Weight::new(20).unwrap();
    let said = guard.ends().unwrap_err();
    assert_eq!(
        said.to_string(),
        "the guard was ended in the state `Observing`, with the candidate at 20 % of the traffic (20 % commanded)"
    );
    assert!(
        matches!(said, GuardError::Interrupted { actual, target, .. } if [actual, target] == [twenty; 2])
    );
    assert_eq!((rollout.world.weight(), rollout.stage()), (20, "Observing"));
    assert_eq!(rollout.guard().ends().unwrap(), End::Completed);
}

#[test]
fn a_candidate_is_stopped_once_and_again_only_where_nobody_knows_that() {
    let rollout = Rollout::with_windows(30);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.ask(Verb::Rollback, "a");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
    assert!(rollout.was_stopped());
    rollout.forget_stop();
    assert_eq!(rollout.guard().ends().unwrap(), End::RolledBack);
    assert!(!rollout.was_stopped(), "it was stopped before");
    // Killed between the line and the end of the stop: nothing notes that it is stopped.
    std::fs::remove_file(rollout.path().join("stopped")).unwrap();
    assert_eq!(rollout.guard().ends().unwrap(), End::RolledBack);
    assert!(rollout.was_stopped());
    // Whoever has given its slot traffic since uses it.
    rollout.forget_stop();
    std::fs::remove_file(rollout.path().join("stopped")).unwrap();
    rollout.world.change(|world| world.weight = 100);
    assert_eq!(rollout.guard().ends().unwrap(), End::RolledBack);
    assert!(!rollout.was_stopped(), "it serves");
    assert!(matches!(rollout.reading().state().stage, Stage::RolledBack));
}
