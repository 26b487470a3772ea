//! From the start to the first weight: what is passed, and what pauses on the way.

use super::*;

#[test]
fn a_good_candidate_goes_through_every_phase_to_completed() {
    let mut rollout = Rollout::new(MIGRATES);
    rollout.takes(Row::T1, start());
    assert_eq!(rollout.commands(), [Command::Fence { epoch: 1 }, Command::RunMigration]);
    assert_eq!(rollout.entry(), Some(Milestone::Started));
    rollout.takes(Row::T3, Event::MigrationSucceeded);
    assert_eq!(rollout.commands(), [Command::Scale { percent: 100 }, Command::StartCandidate]);
    rollout.takes(Row::T5, warm());
    for (passed, percent) in [(0, 20), (1, 80), (2, 100)] {
        assert_eq!((rollout.state.passed, rollout.state.target), (passed, weight(percent)));
        assert_eq!(rollout.sets(), [(percent, 1)]);
        rollout.wait(2).takes(Row::T7, Event::WeightConfirmed { weight: weight(percent) });
        let window = *rollout.state.stage.window().unwrap();
        let length = if percent == 100 { 900 } else { 300 };
        assert_eq!(window.opens, rollout.at + Duration::seconds(15));
        assert_eq!(window.ends, window.opens + Duration::seconds(length));
        rollout.at = window.ends;
        let verdict = rollout.pass();
        rollout.takes(if percent == 100 { Row::T10 } else { Row::T9 }, verdict);
    }
    assert_eq!((&rollout.state.stage, rollout.state.passed), (&Stage::Completed, 3));
    assert_eq!(rollout.entry(), Some(Milestone::Completed));
}

#[test]
fn nothing_starts_out_of_time_beside_traffic_or_beside_another_stable() {
    let mut rollout = Rollout::new(PLAIN);
    rollout.at = START - Duration::seconds(1);
    assert_eq!(rollout.on(start()), Outcome::Refused(Refusal::NotBefore));
    rollout.at = START;
    let traffic = Event::Start { readback: weight(1), stable: Runs::AsPlanned };
    assert_eq!(rollout.on(traffic), Outcome::Refused(Refusal::Traffic));
    let other = Event::Start { readback: Weight::ZERO, stable: Runs::Other };
    assert_eq!(rollout.on(other), Outcome::Refused(Refusal::Stable));
    for event in [Event::Pause(operator()), Event::Rollback(operator()), Event::DriverError] {
        assert_eq!(rollout.on(event), Outcome::Refused(Refusal::NoRow));
    }
    assert_eq!(rollout.on(Event::Timeout), Outcome::Refused(Refusal::NoRow));
    rollout.at = rollout.schedule.not_after;
    assert_eq!(rollout.on(start()), Outcome::Refused(Refusal::NotAfter));
    assert_eq!(rollout.state, State::planned());
    rollout.clone().takes(Row::T2, Event::Timeout);
    rollout.takes(Row::T2, Event::Cancel(operator()));
    assert_eq!((&rollout.state.stage, rollout.entry()), (&Stage::Expired, None));
    assert_eq!(rollout.on(start()), Outcome::Refused(Refusal::Ended));
}

#[test]
fn a_migration_that_fails_or_hangs_pauses_without_traffic() {
    let mut failed = Rollout::new(MIGRATES);
    failed.takes(Row::T1, start());
    let mut hung = failed.clone();
    failed.takes(Row::T4, Event::MigrationFailed);
    assert_eq!((failed.cause(), failed.entry()), (Some(Cause::Migration), Some(Milestone::Paused)));
    assert_eq!(failed.commands(), [Command::Fence { epoch: 2 }, Command::KillMigration]);
    assert_eq!(hung.wait(599).on(Event::Timeout), Outcome::Refused(Refusal::Early));
    hung.wait(1).takes(Row::T4, Event::Timeout);
    // Nothing has to be cleared: resuming runs it again, in an epoch of its own.
    hung.takes(Row::T17, resume(0, Series::Absent));
    assert_eq!(hung.commands(), [Command::Fence { epoch: 3 }, Command::RunMigration]);
    assert_eq!(hung.of_epoch(2, Event::MigrationSucceeded), Outcome::Ignored(Ignored::Epoch));
    hung.takes(Row::T3, Event::MigrationSucceeded);
}

#[test]
fn a_candidate_that_is_not_well_never_gets_traffic() {
    let mut warming = Rollout::new(PLAIN);
    warming.takes(Row::T1, start()).takes(Row::T3, Event::MigrationSucceeded);
    let report = |successes, slowest_ms, runs, readback| Event::HealthReport {
        successes,
        slowest_ms,
        runs,
        readback: weight(readback),
    };
    let few = report(4, 10, Runs::AsPlanned, 0);
    assert_eq!(warming.clone().on(few), Outcome::Refused(Refusal::Probes));
    for (row, cause, event) in [
        (Row::T6, Cause::Health, Event::HealthFailed),
        (Row::T6, Cause::Health, Event::LatencyBudgetExceeded),
        (Row::T6, Cause::Health, report(5, 451, Runs::AsPlanned, 0)),
        (Row::T6, Cause::Health, report(5, 10, Runs::Other, 0)),
        (Row::T14, Cause::Drift, report(5, 10, Runs::AsPlanned, 3)),
        (Row::T14, Cause::Drift, Event::Drift { weight: weight(3) }),
    ] {
        let mut rollout = warming.clone();
        rollout.takes(row, event);
        assert_eq!((rollout.cause(), rollout.state.target), (Some(cause), Weight::ZERO));
    }
    warming.wait(300).takes(Row::T6, Event::Timeout);
}

#[test]
fn traffic_before_it_is_due_is_commanded_back() {
    let mut rollout = Rollout::new(PLAIN);
    rollout.takes(Row::T1, start()).takes(Row::T14, Event::Drift { weight: weight(50) });
    assert_eq!(rollout.sets(), [(0, 2)]);
    assert!(rollout.commands().contains(&Command::Alarm { alarm: Alarm::AboveTarget }));
}

#[test]
fn a_weight_that_is_not_confirmed_pauses() {
    let mut applying = Rollout::new(PLAIN);
    applying.takes(Row::T1, start()).takes(Row::T3, Event::MigrationSucceeded).takes(Row::T5, warm());
    for event in [
        Event::WeightConfirmed { weight: weight(21) },
        Event::WeightMismatch { weight: weight(100) },
        Event::DriverError,
    ] {
        let mut rollout = applying.clone();
        rollout.takes(Row::T8, event);
        assert_eq!(rollout.cause(), Some(Cause::Driver));
        assert!(rollout.state.target <= weight(20));
    }
    assert_eq!(applying.wait(59).on(Event::Timeout), Outcome::Refused(Refusal::Early));
    applying.wait(1).takes(Row::T8, Event::Timeout);
    // What was read last was 0, and that is where the candidate stays.
    assert_eq!((applying.state.target, applying.state.actual), (Weight::ZERO, Weight::ZERO));
}
