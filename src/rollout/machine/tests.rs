//! The table, row by row. What must hold over all interleavings is `tests/rollout_model`'s.

mod always;
mod course;
mod pauses;
mod time;
mod windows;

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
