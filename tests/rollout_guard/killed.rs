//! A guard killed at every line: the journal is cut behind each of them, and a fresh guard goes on with what is
//! left, in a world that has done the last line's command, or has not.

use std::fs;
use std::thread;

use laforge::rollout::guard::{End, Verb};
use laforge::rollout::machine::{Stage, State, Weight};

use crate::guarded::Rollout;

/// What the last line had commanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Done,
    NotDone,
}

/// Each line of a journal, the bytes up to it, and the state after it.
fn cuts(rollout: &Rollout) -> Vec<(Vec<u8>, State)> {
    let bytes = fs::read(rollout.lines()).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let states = rollout.reading().records().iter().map(|record| record.after.clone()).collect::<Vec<_>>();
    assert_eq!(lines.len(), states.len());
    (1..=lines.len()).map(|kept| lines[..kept].concat()).zip(states).collect()
}

/// Goes on from a cut; what is commanded on the way is never more than the windows that were passed allow.
fn goes_on(rollout: &Rollout, bytes: &[u8], state: &State, effect: Effect) -> End {
    let next = rollout.with_lines(bytes);
    let weight = match effect {
        Effect::Done => state.target,
        Effect::NotDone => state.actual,
    };
    next.world.change(|world| world.weight = weight.percent());
    let guard = next.guard();
    if matches!(state.stage, Stage::Paused { .. }) {
        next.ask(Verb::Rollback, "again");
    }
    let end = guard.ends().unwrap();
    let reading = next.reading();
    for record in reading.records() {
        let allowed = reading.schedule().rung(record.after.passed).weight;
        assert!(record.after.target <= allowed, "{effect:?} after {}: {record:?}", state.stage.name());
    }
    let ended = if end == End::Completed { Weight::FULL } else { Weight::ZERO };
    assert_eq!(next.world.weight(), ended.percent(), "{effect:?} after {}", state.stage.name());
    end
}

/// The ends of all cuts, each by its state's name and what had become of its command.
fn ends(rollout: &Rollout) -> Vec<(&'static str, Effect, End)> {
    let cuts = cuts(rollout);
    thread::scope(|scope| {
        let tries = cuts.iter().flat_map(|cut| [(cut, Effect::Done), (cut, Effect::NotDone)]);
        let tries: Vec<_> = tries
            .filter(|((_, state), effect)| *effect == Effect::Done || state.target != state.actual)
            .map(|((bytes, state), effect)| {
                let name = state.stage.name();
                scope.spawn(move || (name, effect, goes_on(rollout, bytes, state, effect)))
            })
            .collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect()
    })
}

#[test]
fn a_good_rollout_that_is_killed_at_any_line_completes() {
    let rollout = Rollout::with_windows(1);
    assert_eq!(rollout.guard().ends().unwrap(), End::Completed);
    let ends = ends(&rollout);
    assert!(ends.len() > 10, "{ends:?}");
    let others: Vec<_> = ends.iter().filter(|(.., end)| *end != End::Completed).collect();
    assert_eq!(others, Vec::<&(&str, Effect, End)>::new());
}

#[test]
fn a_rollback_that_is_killed_at_any_line_gets_to_0() {
    let rollout = Rollout::with_windows(1);
    let guard = rollout.guard();
    rollout.wait_for("Observing");
    rollout.ask(Verb::Pause, "a");
    rollout.wait_for("Paused");
    rollout.ask(Verb::Rollback, "b");
    assert_eq!(guard.ends().unwrap(), End::RolledBack);
    let back: Vec<_> = ends(&rollout)
        .into_iter()
        .filter(|(stage, ..)| ["Paused", "RollingBack", "RolledBack"].contains(stage))
        .collect();
    assert!(back.len() >= 3, "{back:?}");
    assert!(back.iter().all(|(.., end)| *end == End::RolledBack), "{back:?}");
}
