//! The scripted world: what a guard touches and reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use laforge::audit::AuditError;
use laforge::audit::entry::rollout::Milestone;
use laforge::plan::members::Objective;
use laforge::rollout::driver::{DriverError, Remaining, Share, Traffic};
use laforge::rollout::guard::{Due, Records};
use laforge::rollout::machine::Weight;
use laforge::rollout::metrics::{Counted, Metrics, MetricsError};
use laforge::rollout::objective::{Instance, Sample, Scraped};
use laforge::time::Timestamp;

/// Requests a second, enough for any window here.
const RATE: i64 = 4000;
/// How often the made-up metrics have a sample.
const EVERY: TimeDelta = TimeDelta::milliseconds(250);

/// How the candidate's counters look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// No bad request.
    #[default]
    Good,
    /// Every second one is bad.
    Bad,
}

/// Whether something is done at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once.
    #[default]
    Prompt,
    /// Not before it is let.
    Held,
}

/// What is so.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The candidate's weight.
    pub(crate) weight: u64,
    /// Every weight that was set, with its epoch.
    pub(crate) set: Vec<(u64, u64)>,
    fence: u64,
    /// A command that sets this weight is held in its middle: it has begun, and is not done.
    pub(crate) hold_set: Option<u64>,
    /// How often a command was held.
    pub(crate) held_sets: u32,
    pub(crate) candidate: Candidate,
    pub(crate) metrics: Pace,
    /// How often a count was held.
    pub(crate) held_counts: u32,
    /// What the log has.
    pub(crate) entries: Vec<Milestone>,
    /// Which entry it refuses, and how often it still does.
    pub(crate) refuses: Option<(Milestone, u32)>,
    /// How often it was asked for an entry that it refuses.
    pub(crate) refused: u32,
    /// How long after a failure it is asked again, if not as long as a real one.
    pub(crate) again: Option<Duration>,
    /// How many connections are left at the candidate.
    pub(crate) connections: u64,
    /// How many seconds the candidate's stop takes.
    pub(crate) stop_seconds: u64,
}

/// The world, shared between a test and a guard's workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// The candidate's weight.
    pub(crate) fn weight(&self) -> u64 {
        self.state().weight
    }

    /// The weights that were set, one that is set again left out: how often a reading is corrected before it is
    /// read anew is no matter of a test.
    pub(crate) fn turns(&self) -> Vec<u64> {
        let mut turns = self.set();
        turns.dedup();
        turns
    }

    /// The weights that were set, without their epochs.
    pub(crate) fn set(&self) -> Vec<u64> {
        self.state().set.iter().map(|(weight, _)| *weight).collect()
    }
}

/// Waits for something that comes soon.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(40), "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

impl Traffic for World {
    fn read(&mut self) -> Result<Share, DriverError> {
        let weight = self.state().weight;
        Ok(Share::of(weight, 100 - weight).unwrap())
    }

    fn fence(&mut self, epoch: u64) -> Result<(), DriverError> {
        let mut state = self.state();
        state.fence = state.fence.max(epoch);
        Ok(())
    }

    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError> {
        let fence = self.state().fence;
        if epoch < fence {
            return Err(DriverError::Fenced { epoch, fence });
        }
        if self.state().hold_set == Some(weight.percent()) {
            self.change(|state| state.held_sets += 1);
            let world = self.clone();
            until("the command is let go", || world.state().hold_set.is_none());
        }
        self.change(|state| {
            state.set.push((weight.percent(), epoch));
            state.weight = weight.percent();
        });
        Ok(())
    }

    fn remaining(&mut self) -> Result<Remaining, DriverError> {
        let weight = self.read()?.weight();
        Ok(Remaining { weight, connections: self.state().connections, in_flight: 0 })
    }

    fn close_connections(&mut self) -> Result<(), DriverError> {
        Ok(())
    }
}

impl Metrics for World {
    fn counters(
        &mut self,
        _: &Objective,
        counted: &Counted,
        from: Timestamp,
        until_: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError> {
        if self.state().metrics == Pace::Held {
            self.change(|state| state.held_counts += 1);
            let world = self.clone();
            until("the metrics are let go", || world.state().metrics == Pace::Prompt);
        }
        let bad = counted.slot == "green" && self.state().candidate == Candidate::Bad;
        let mut samples = Vec::new();
        let mut at = from;
        while at <= until_ {
            let total = u64::try_from(at.timestamp_millis() * RATE / 1000).unwrap();
            samples.push(Sample { at, bad: Some(if bad { total / 2 } else { 0 }), total: Some(total) });
            at += EVERY;
        }
        Ok(vec![Instance { scraped: Scraped::Up, samples }])
    }

    fn interval(&self) -> TimeDelta {
        TimeDelta::seconds(1)
    }
}

impl Records for World {
    fn record(&mut self, due: &Due) -> Result<(), AuditError> {
        let (mut state, milestone) = (self.state(), due.implied.milestone);
        match &mut state.refuses {
            Some((refused, times)) if *refused == milestone && *times > 0 => {
                *times -= 1;
                state.refused += 1;
                Err(AuditError::NoKey)
            }
            _ => {
                state.entries.push(milestone);
                Ok(())
            }
        }
    }

    fn again(&self) -> Duration {
        self.state().again.unwrap_or(Duration::from_secs(5))
    }
}
