//! Pauses and the way back: resume, drift, late news, rollback.

use super::*;

#[test]
fn a_resume_earns_the_window_again() {
    let mut rollout = Rollout::observing();
    let late = rollout.pass();
    let breach = rollout.breach();
    rollout.takes(Row::T11, breach);
    rollout.wait(400);
    assert_eq!(rollout.of_epoch(1, late.clone()), Outcome::Ignored(Ignored::Epoch));
    assert_eq!(rollout.on(late.clone()), Outcome::Refused(Refusal::NoRow));
    assert_eq!(rollout.of_epoch(1, resume(20, Series::Fresh)), Outcome::Ignored(Ignored::Epoch));
    rollout.takes(Row::T17, resume(20, Series::Fresh));
    assert_eq!((rollout.state.passed, rollout.sets()), (0, vec![(20, 3)]));
    assert_eq!(rollout.entry(), Some(Milestone::Resumed));
    rollout.takes(Row::T7, Event::WeightConfirmed { weight: weight(20) });
    assert_eq!(rollout.wait(400).on(late), Outcome::Ignored(Ignored::Window));
    assert_eq!(rollout.state.windows, 2);
}

#[test]
fn a_drift_is_cleared_by_a_reading_at_or_below_the_target() {
    let mut rollout = Rollout::observing();
    rollout.takes(Row::T14, Event::Drift { weight: weight(5) });
    assert_eq!((rollout.cause(), rollout.state.target), (Some(Cause::Drift), weight(5)));
    let refused = Outcome::Refused(Refusal::NotCleared(Cause::Drift));
    assert_eq!(rollout.on(resume(6, Series::Fresh)), refused);
    let blind = Event::Resume { operator: operator(), readback: None, series: Series::Fresh };
    assert_eq!(rollout.on(blind), refused);
    rollout.takes(Row::T17, resume(5, Series::Fresh));
    assert_eq!(rollout.state.target, weight(20));
}

#[test]
fn in_a_pause_the_target_is_a_ceiling() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    rollout.takes(Row::T11, breach);
    rollout.takes(Row::T27, Event::Drift { weight: weight(100) });
    assert_eq!(rollout.sets(), [(20, 2)]);
    rollout.takes(Row::T27, Event::DriverError);
    assert_eq!(rollout.sets(), [(20, 2)], "still above: again");
    // Down is noted; the target stays, so that nothing older is let through.
    rollout.takes(Row::T27, Event::Drift { weight: Weight::ZERO });
    assert_eq!((rollout.commands(), rollout.state.target), (Vec::new(), weight(20)));
    rollout.takes(Row::T27, Event::DriverError);
    assert_eq!(rollout.commands(), []);
}

#[test]
fn late_bad_news_counts_wherever_it_comes() {
    let mut applying = Rollout::observing();
    let late = breach_of(1, StableSide::Within);
    applying.wait(400);
    let verdict = applying.pass();
    applying.takes(Row::T9, verdict);
    let mut observing = applying.clone();
    assert_eq!(applying.of_epoch(0, late.clone()), Outcome::Applied(Row::T23));
    assert_eq!((applying.cause(), applying.state.target), (Some(Cause::Breach), weight(20)));
    observing.takes(Row::T7, Event::WeightConfirmed { weight: weight(80) });
    observing.takes(Row::T23, late.clone());
    assert_eq!(observing.state.target, weight(80));
    // An operator's pause ends by itself once there is a breach.
    let mut held = Rollout::observing();
    held.schedule.deadlines.operator_pause_seconds = None;
    held.takes(Row::T15, Event::Pause(operator()));
    assert_eq!(held.state.stage.deadline(), None);
    assert_eq!(held.on(Event::PauseDeadline), Outcome::Refused(Refusal::Early));
    held.takes(Row::T23, late.clone());
    assert_eq!(held.state.stage.deadline(), Some(held.at + Duration::seconds(900)));
    assert_eq!((held.cause(), held.entry()), (Some(Cause::Breach), Some(Milestone::Paused)));
    held.wait(900).takes(Row::T18, Event::PauseDeadline);
    assert_eq!(held.on(late), Outcome::Refused(Refusal::RollingBack));
}

#[test]
fn a_pause_that_nobody_answers_becomes_a_rollback() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    rollout.takes(Row::T11, breach);
    assert_eq!(rollout.wait(899).on(Event::PauseDeadline), Outcome::Refused(Refusal::Early));
    rollout.wait(1).takes(Row::T18, Event::PauseDeadline);
    assert_eq!((rollout.sets(), rollout.entry()), (vec![(0, 3)], Some(Milestone::RollingBack)));
    let mut held = Rollout::observing();
    held.takes(Row::T15, Event::Pause(operator()));
    assert_eq!(held.state.stage.deadline(), Some(held.at + Duration::seconds(7200)));
}

#[test]
fn a_rollback_is_tried_until_it_is_read_back_and_drained() {
    let mut rollout = Rollout::observing();
    rollout.takes(Row::T19, Event::Rollback(operator()));
    let drained = |weight, connections| Event::Drained { weight, connections, in_flight: 0 };
    assert_eq!(rollout.on(drained(Weight::ZERO, 0)), Outcome::Refused(Refusal::NotDrained));
    assert_eq!(rollout.on(resume(0, Series::Fresh)), Outcome::Refused(Refusal::RollingBack));
    for wait in [1, 2, 4, 8, 16, 32, 32] {
        rollout.takes(Row::T21, Event::DriverError);
        let again = Command::SetWeight { weight: Weight::ZERO, epoch: 2, after_seconds: wait };
        assert_eq!(rollout.commands(), [again]);
    }
    rollout.wait(60).takes(Row::T21, Event::Drift { weight: weight(20) });
    assert!(rollout.commands().contains(&Command::Alarm { alarm: Alarm::NotLowered }));
    let zero = Event::WeightConfirmed { weight: Weight::ZERO };
    assert_eq!(rollout.of_epoch(1, zero.clone()), Outcome::Ignored(Ignored::Epoch));
    rollout.takes(Row::T20, zero.clone());
    assert_eq!(rollout.on(drained(Weight::ZERO, 1)), Outcome::Refused(Refusal::NotDrained));
    // A reading that is not 0 begins it anew.
    rollout.takes(Row::T21, drained(weight(20), 3));
    assert!(matches!(
        rollout.state.stage,
        Stage::RollingBack { retreat: Retreat { leg: Leg::Lowering { .. }, .. } }
    ));
    rollout.takes(Row::T20, zero);
    rollout.wait(60).takes(Row::T20, Event::Timeout);
    assert_eq!(rollout.commands(), [Command::CloseConnections]);
    rollout.takes(Row::T20, drained(Weight::ZERO, 0));
    assert_eq!(rollout.commands(), [Command::Fence { epoch: 3 }, Command::StopCandidate]);
    assert_eq!((&rollout.state.stage, rollout.entry()), (&Stage::RolledBack, Some(Milestone::RolledBack)));
}
