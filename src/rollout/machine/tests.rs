//! The table, row by row. What must hold over all interleavings is `tests/rollout_model`'s.

use chrono::Duration;
use proptest::prelude::*;

use super::event::{Runs, Series, StableSide};
use super::state::Leg;
use super::step::Alarm;
use super::*;
use crate::plan::members::Recommendation;
use crate::plan::{RolloutFlags, RolloutRequest, RolloutSection};
use crate::release::digest::Digest;
use crate::rollout::objective::{Count, Measured};
use crate::rollout::simulate::Planned;
use crate::yaml::Source;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn weight(percent: u64) -> Weight {
    Weight::new(percent).unwrap()
}

/// 20, 80, 100, with a migration, as the playbook has it.
fn schedule(section: &str) -> Schedule {
    let source = Source::new("laforge.yaml", section);
    let section: RolloutSection = source.read().unwrap();
    let request = RolloutRequest::of(Some((&section, &source)), &RolloutFlags::default()).unwrap();
    Planned::request(&request).unwrap().schedule
}

const MIGRATES: &str = "{trafficSteps: [20, 80, 100], migration: {command: [migrate], class: expand}}";
const PLAIN: &str = "{trafficSteps: [20, 80, 100], operatorPauseDeadlineSeconds: 7200}";

/// A rollout under test.
#[derive(Clone)]
struct Rollout {
    schedule: Schedule,
    state: State,
    at: Timestamp,
    last: Option<Step>,
}

impl Rollout {
    fn new(section: &str) -> Self {
        Self { schedule: schedule(section), state: State::planned(), at: START, last: None }
    }

    fn of_epoch(&mut self, epoch: u64, event: Event) -> Outcome {
        let step = step(&self.schedule, &self.state, &Occurrence { epoch, event }, self.at);
        self.state = step.next.clone();
        let outcome = step.outcome;
        self.last = Some(step);
        outcome
    }

    fn on(&mut self, event: Event) -> Outcome {
        self.of_epoch(self.state.epoch, event)
    }

    fn takes(&mut self, row: Row, event: Event) -> &mut Self {
        assert_eq!(self.on(event), Outcome::Applied(row), "{:?}", self.state);
        self
    }

    fn wait(&mut self, seconds: i64) -> &mut Self {
        self.at += Duration::seconds(seconds);
        self
    }

    fn commands(&self) -> Vec<Command> {
        self.last.as_ref().unwrap().commands.clone()
    }

    fn sets(&self) -> Vec<(u64, u64)> {
        let set = |command: Command| match command {
            Command::SetWeight { weight, epoch, .. } => Some((weight.percent(), epoch)),
            _ => None,
        };
        self.commands().into_iter().filter_map(set).collect()
    }

    fn entry(&self) -> Option<Milestone> {
        self.last.as_ref().unwrap().entry
    }

    fn cause(&self) -> Option<Cause> {
        self.state.stage.pause().map(|pause| pause.cause)
    }

    /// Started, migrated, warm, and at the first step's weight.
    fn observing() -> Self {
        let mut rollout = Self::new(PLAIN);
        rollout
            .takes(Row::T1, start())
            .takes(Row::T3, Event::MigrationSucceeded)
            .takes(Row::T5, warm())
            .wait(2)
            .takes(Row::T7, Event::WeightConfirmed { weight: weight(20) });
        rollout
    }

    /// As [`Rollout::observing`], both windows passed.
    fn monitoring() -> Self {
        let mut rollout = Self::observing();
        for next in [80, 100] {
            rollout.wait(400);
            let verdict = rollout.pass();
            rollout.takes(Row::T9, verdict);
            rollout.takes(Row::T7, Event::WeightConfirmed { weight: weight(next) });
        }
        rollout
    }

    /// A pass of the current window with the weight in place.
    fn pass(&self) -> Event {
        let rung = self.schedule.rung(self.state.passed);
        let count = |total| Count { bad: 0, total };
        let measured = rung
            .budgets
            .iter()
            .map(|budget| Measured { objective: budget.id.clone(), count: count(budget.min_samples) });
        Event::WindowVerdict {
            window: self.state.windows,
            measured: measured.collect(),
            readback: self.state.target,
        }
    }

    fn breach(&self) -> Event {
        breach_of(self.state.windows, StableSide::Within)
    }
}

fn breach_of(window: u64, stable: StableSide) -> Event {
    Event::Breach { window, objective: "error-budget".to_owned(), stable }
}

fn start() -> Event {
    Event::Start { readback: Weight::ZERO, stable: Runs::AsPlanned }
}

fn warm() -> Event {
    Event::HealthReport { successes: 5, slowest_ms: 450, runs: Runs::AsPlanned, readback: Weight::ZERO }
}

fn operator() -> Operator {
    Operator::new("alice", "looked at it").unwrap()
}

fn resume(readback: u64, series: Series) -> Event {
    Event::Resume { operator: operator(), readback: Some(weight(readback)), series }
}

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

#[test]
fn a_pass_needs_its_window_its_end_its_counts_and_its_weight() {
    let mut rollout = Rollout::observing();
    let verdict = rollout.pass();
    assert_eq!(rollout.wait(314).on(verdict.clone()), Outcome::Refused(Refusal::Early));
    rollout.wait(1);
    let Event::WindowVerdict { window, measured, readback } = verdict.clone() else { panic!() };
    let of = |window, measured: &[Measured], readback| Event::WindowVerdict {
        window,
        measured: measured.to_vec(),
        readback,
    };
    assert_eq!(rollout.on(of(window + 1, &measured, readback)), Outcome::Ignored(Ignored::Window));
    let counted = |count| vec![Measured { count, ..measured[0].clone() }, measured[1].clone()];
    for evidence in [
        Vec::new(),
        measured[..1].to_vec(),
        counted(Count { bad: 0, total: 0 }),
        counted(Count { bad: 0, total: 499 }),
        counted(Count { bad: 11, total: 500 }),
    ] {
        let outcome = rollout.on(of(window, &evidence, readback));
        assert_eq!(outcome, Outcome::Refused(Refusal::Evidence), "{evidence:?}");
    }
    assert_eq!(rollout.of_epoch(0, verdict.clone()), Outcome::Ignored(Ignored::Epoch));
    let mut drifted = rollout.clone();
    drifted.takes(Row::T14, of(window, &measured, Weight::ZERO));
    assert_eq!((drifted.cause(), drifted.state.target), (Some(Cause::Drift), Weight::ZERO));
    rollout.takes(Row::T9, verdict);
    assert_eq!(rollout.sets(), [(80, 1)]);
}

#[test]
fn a_breach_freezes_at_once_and_fences_what_is_on_its_way() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    rollout.takes(Row::T11, breach);
    assert_eq!((rollout.cause(), rollout.state.target), (Some(Cause::Breach), weight(20)));
    assert_eq!(rollout.commands(), [Command::Fence { epoch: 2 }]);
    assert_eq!(Cause::Breach.recommends(), Recommendation::Rollback);
    let mut both = Rollout::observing();
    let breach = breach_of(both.state.windows, StableSide::Breaching);
    both.takes(Row::T11, breach);
    assert_eq!(both.cause(), Some(Cause::Environment));
    assert_eq!(Cause::Environment.recommends(), Recommendation::Investigate);
}

#[test]
fn an_inconclusive_window_is_extended_twice_and_then_pauses() {
    let mut rollout = Rollout::observing();
    let end = Event::WindowEnd { window: 1 };
    assert_eq!(rollout.on(end.clone()), Outcome::Refused(Refusal::Early));
    for extensions in 1..=2 {
        rollout.wait(315).takes(Row::T12, end.clone());
        assert_eq!(rollout.state.stage.window().unwrap().extensions, extensions);
        assert_eq!(rollout.on(end.clone()), Outcome::Refused(Refusal::Early), "the same end twice");
    }
    rollout.wait(315).takes(Row::T13, end);
    assert_eq!(rollout.cause(), Some(Cause::Inconclusive));
}

#[test]
fn missing_metrics_pause_after_a_while_and_must_return_before_a_resume() {
    let mut rollout = Rollout::observing();
    let missing = Event::MetricsMissing { window: 1 };
    assert_eq!(rollout.wait(59).on(missing.clone()), Outcome::Refused(Refusal::Early));
    rollout.wait(1).takes(Row::T13, missing);
    let refused = Outcome::Refused(Refusal::NotCleared(Cause::Missing));
    assert_eq!(rollout.on(resume(20, Series::Absent)), refused);
    rollout.takes(Row::T17, resume(20, Series::Fresh));
}

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

#[test]
fn an_event_is_taken_once_and_replay_gives_the_same_state() {
    let mut history = History::new(schedule(PLAIN));
    let occurrence = Occurrence { epoch: 0, event: start() };
    let id = Digest::of_bytes(b"start");
    assert_eq!(history.receive(id, &occurrence, START).outcome, Outcome::Applied(Row::T1));
    let state = history.state().clone();
    assert_eq!(history.receive(id, &occurrence, START).outcome, Outcome::Ignored(Ignored::Repeated));
    assert_eq!(*history.state(), state);
}

#[test]
fn a_state_reads_back_from_its_line() {
    let mut rollout = Rollout::observing();
    let breach = rollout.breach();
    let mut lines = vec![rollout.state.clone(), State::planned()];
    rollout.takes(Row::T11, breach);
    lines.push(rollout.state.clone());
    rollout.takes(Row::T19, Event::Rollback(operator()));
    lines.push(rollout.state.clone());
    for state in lines {
        let line = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&line).unwrap(), state, "{line}");
    }
    let line = serde_json::to_string(&State::planned()).unwrap();
    assert!(serde_json::from_str::<State>(&line.replace("\"target\":0", "\"target\":101")).is_err());
    let event = serde_json::to_string(&Event::Pause(operator())).unwrap();
    assert!(serde_json::from_str::<Event>(&event.replace("alice", " ")).is_err(), "{event}");
}

#[test]
fn rows_are_named_by_their_number() {
    let names: Vec<String> = Row::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names, (1..=27).map(|number| format!("T{number}")).collect::<Vec<_>>());
}

/// Any event at all, as an adversary would send it.
fn any_event() -> impl Strategy<Value = (u64, u64, Event)> {
    let weights = prop::sample::select(vec![0_u64, 20, 80, 100]).prop_map(weight);
    let window = 0_u64..4;
    let measured = prop::sample::select(vec![0_u64, 499, 1000]).prop_map(|total| {
        ["error-budget", "latency-budget"]
            .map(|id| Measured { objective: id.to_owned(), count: Count { bad: 0, total } })
            .to_vec()
    });
    let event = (0_u8..22, weights, window, measured, any::<bool>()).prop_map(
        |(kind, weight, window, measured, good)| match kind {
            0 => Event::Start { readback: weight, stable: Runs::AsPlanned },
            1 => Event::Cancel(operator()),
            2 => Event::MigrationSucceeded,
            3 => Event::MigrationFailed,
            4 | 5 => Event::Timeout,
            6 => {
                Event::HealthReport { successes: 5, slowest_ms: 10, runs: Runs::AsPlanned, readback: weight }
            }
            7 => Event::HealthFailed,
            8..=10 => Event::WeightConfirmed { weight },
            11 => Event::DriverError,
            12..=14 => Event::WindowVerdict { window, measured, readback: weight },
            15 => Event::Breach { window, objective: String::new(), stable: StableSide::Within },
            16 => Event::WindowEnd { window },
            17 => Event::Drift { weight },
            18 => Event::Resume {
                operator: operator(),
                readback: Some(weight),
                series: if good { Series::Fresh } else { Series::Absent },
            },
            19 => Event::PauseDeadline,
            20 => Event::Replay { readback: weight },
            _ => Event::Drained { weight, connections: u64::from(good), in_flight: 0 },
        },
    );
    (0_u64..3, 0_u64..500, event)
}

proptest! {
    /// P10, as far as it is pure: an event that comes again, at any time later, changes nothing.
    #[test]
    fn repeated_events_change_nothing(
        events in proptest::collection::vec(any_event(), 0..40),
        repeated in proptest::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let (mut once, mut often) = (History::new(schedule(PLAIN)), History::new(schedule(PLAIN)));
        let mut sent: Vec<(Digest, Occurrence)> = Vec::new();
        let mut at = START;
        for ((nonce, (behind, seconds, event)), again) in (0_u64..).zip(events).zip(repeated) {
            at += Duration::seconds(seconds.try_into().unwrap());
            let occurrence = Occurrence { epoch: once.state().epoch.saturating_sub(behind), event };
            let id = Digest::of_bytes(&nonce.to_be_bytes());
            let (first, second) = (once.receive(id, &occurrence, at), often.receive(id, &occurrence, at));
            prop_assert_eq!(first, second);
            sent.push((id, occurrence));
            let (id, occurrence) = again.get(&sent);
            let repeated = often.receive(*id, occurrence, at);
            prop_assert_eq!(repeated.outcome, Outcome::Ignored(Ignored::Repeated));
            prop_assert!(repeated.commands.is_empty() && repeated.entry.is_none());
            prop_assert_eq!(once.state(), often.state());
        }
    }

    /// Whatever comes, in whatever order: the target is never above what was earned, nothing ended
    /// goes on, and a fold over the same events gives the same state.
    #[test]
    fn no_sequence_of_events_raises_what_is_not_earned(
        events in proptest::collection::vec(any_event(), 0..80),
    ) {
        let (schedule, mut state, mut at) = (schedule(PLAIN), State::planned(), START);
        let (mut again, mut passes) = (State::planned(), 0);
        for (behind, seconds, event) in events {
            at += Duration::seconds(seconds.try_into().unwrap());
            let occurrence = Occurrence { epoch: state.epoch.saturating_sub(behind), event };
            let taken = step(&schedule, &state, &occurrence, at);
            again = step(&schedule, &again, &occurrence, at).next;
            prop_assert_eq!(&taken.next, &again);
            let next = taken.next;
            passes += usize::from(matches!(taken.outcome, Outcome::Applied(Row::T9 | Row::T10)));
            prop_assert_eq!(next.passed, passes);
            prop_assert!(next.target <= schedule.rung(next.passed).weight);
            prop_assert!(next.epoch >= state.epoch);
            prop_assert!(!state.stage.is_terminal() || next == state);
            if let (Stage::Paused { .. }, Stage::Paused { .. }) = (&state.stage, &next.stage) {
                prop_assert_eq!(next.target, state.target);
            }
            if next.target > state.target {
                prop_assert!(at < schedule.not_after || matches!(taken.outcome, Outcome::Applied(Row::T26)));
            }
            if next.stage == Stage::Completed {
                prop_assert_eq!((next.target, next.actual, next.passed), (Weight::FULL, Weight::FULL, 3));
            }
            if next.stage == Stage::RolledBack {
                prop_assert_eq!((next.target, next.actual), (Weight::ZERO, Weight::ZERO));
            }
            if !matches!(taken.outcome, Outcome::Applied(_)) {
                prop_assert_eq!(&next, &state);
            }
            state = next;
        }
    }
}
