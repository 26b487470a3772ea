//! The plan's end, and a guard that comes back.

use super::*;

#[test]
fn nothing_is_raised_from_the_plans_end_on() {
    let ends = |rollout: &mut Rollout| rollout.at = rollout.schedule.not_after;
    let mut warming = Rollout::new(PLAIN);
    warming.takes(Row::T1, start()).takes(Row::T3, Event::MigrationSucceeded);
    ends(&mut warming);
    warming.takes(Row::T16, warm());
    let mut observing = Rollout::observing();
    ends(&mut observing);
    let verdict = observing.pass();
    observing.takes(Row::T16, verdict);
    assert_eq!((observing.state.target, observing.state.passed), (weight(20), 0));
    for rollout in [&mut warming, &mut observing] {
        assert_eq!(rollout.cause(), Some(Cause::Expired));
        let readback = rollout.state.actual.percent();
        assert_eq!(rollout.on(resume(readback, Series::Fresh)), Outcome::Refused(Refusal::NotAfter));
        let deadline = rollout.state.stage.deadline().unwrap();
        rollout.at = deadline;
        rollout.takes(Row::T18, Event::PauseDeadline);
    }
    // What was raised before may be watched to its end.
    let mut monitoring = Rollout::monitoring();
    ends(&mut monitoring);
    let verdict = monitoring.pass();
    monitoring.takes(Row::T10, verdict);
}

#[test]
fn a_restart_reads_before_it_commands_and_fences_what_was() {
    let replay = |readback| Event::Replay { readback: weight(readback) };
    let mut migrating = Rollout::new(MIGRATES);
    migrating.takes(Row::T1, start()).takes(Row::T26, replay(0));
    assert_eq!(migrating.cause(), Some(Cause::Migration), "its outcome is unknown");
    let mut applying = Rollout::observing();
    applying.wait(400);
    let verdict = applying.pass();
    applying.takes(Row::T9, verdict);
    for (readback, row, sets) in
        [(20, Row::T26, vec![(80, 2)]), (80, Row::T26, vec![(80, 2)]), (50, Row::T14, vec![])]
    {
        let mut rollout = applying.clone();
        rollout.takes(row, replay(readback));
        assert_eq!(rollout.sets(), sets);
        assert_eq!(rollout.commands()[0], Command::Fence { epoch: 2 });
    }
    applying.at = applying.schedule.not_after;
    applying.clone().takes(Row::T16, replay(20));
    applying.takes(Row::T26, replay(80));
    let mut observing = Rollout::observing();
    observing.wait(100).takes(Row::T26, replay(20));
    assert_eq!(observing.state.windows, 2, "a new window");
    assert_eq!(observing.state.stage.window().unwrap().opens, observing.at + Duration::seconds(15));
    observing.takes(Row::T14, replay(0));
    observing.takes(Row::T26, replay(100));
    assert_eq!(observing.sets(), [(0, 4)], "in a pause the ceiling holds");
    observing.takes(Row::T19, Event::Rollback(operator()));
    observing.takes(Row::T26, replay(100));
    assert_eq!(observing.sets(), [(0, 6)]);
}
