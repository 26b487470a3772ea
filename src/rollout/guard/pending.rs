//! What a guard has observed and not told yet, and what it has ordered and not heard of yet.
//!
//! In: observations, as they come. Out: what [`super::observed`] and [`super::execute`] need to know of
//! before. None of it survives a guard: a new one reads anew (T26).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::release::digest::ClaimedDigest;
use crate::rollout::driver::exec::Migration;
use crate::rollout::journal::Seen;
use crate::rollout::machine::event::{Runs, Series};
use crate::rollout::machine::{Event, Stage, State, Weight};
use crate::rollout::objective::Look;

use super::asks::Ask;
use super::workers::TrafficOrder;

/// What a guard has seen and not told yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Whether the weight was read before anything else.
    pub(super) begun: bool,
    pub(super) begin: Begin,
    /// What runs in stable's slot, as it was read at the beginning.
    pub(super) stable_runs: BTreeSet<ClaimedDigest>,
    /// What was ordered and not answered yet.
    pub(super) busy: BTreeSet<Busy>,
    pub(super) read_at: Option<Instant>,
    pub(super) unread_since: Option<Instant>,
    /// The epoch of the last command that the driver took.
    pub(super) set_in: Option<u64>,
    /// Commands that wait for their time.
    pub(super) later: Vec<(Instant, TrafficOrder)>,
    /// The epoch in which the candidate's size was last ordered and not reached yet.
    pub(super) scaling: Option<u64>,
    /// The raise that waits for the candidate's size.
    pub(super) raise: Option<(Weight, u64)>,
    pub(super) migration: Option<Migration>,
    pub(super) probes: Probes,
    pub(super) health: Option<Health>,
    pub(super) counted_at: Option<Instant>,
    pub(super) verdict: Option<(u64, Event)>,
    pub(super) look: Look,
    pub(super) resume: Option<Resume>,
    pub(super) drain: Drain,
    troubles: BTreeMap<&'static str, String>,
}

/// What was ordered and not answered yet: one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Busy {
    /// A reading of the weight.
    Reading,
    /// A count of the window.
    Counting,
    /// The candidate's end.
    Stopping,
}

/// What has to be known before the start.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub(super) weight: Option<Weight>,
    pub(super) runs: Option<Runs>,
}

/// The probes of a candidate that was started.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pub(super) started: bool,
    pub(super) asked: bool,
    pub(super) asked_at: Option<Instant>,
    pub(super) successes: u64,
    pub(super) slowest_ms: u64,
}

/// A candidate that answers: its digests and the weight are being read.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) epoch: u64,
    pub(super) successes: u64,
    pub(super) slowest_ms: u64,
    pub(super) runs: Option<Runs>,
    pub(super) weight: Option<Weight>,
}

/// Somebody who asks to go on: the weight, and the series where they were missing, are being read.
#[derive(Debug)]
pub(super) struct Resume {
    pub(super) ask: Ask,
    pub(super) weight: Option<Option<Weight>>,
    pub(super) series: Option<Series>,
}

/// What is known of a drain.
#[derive(Debug, Default)]
pub(super) struct Drain {
    pub(super) asked: bool,
    pub(super) asked_at: Option<Instant>,
    /// The time that draining may take has passed.
    pub(super) closed: bool,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The state or the epoch has turned: what was gathered for the one before says nothing any more.
    pub(super) fn turned(&mut self, next: &State) {
        let stage = &next.stage;
        if !matches!(stage, Stage::WarmingUp { .. }) {
            (self.probes, self.health) = (Probes::default(), None);
        }
        if !matches!(stage, Stage::RollingBack { .. }) {
            self.drain = Drain::default();
        }
        if stage.window().is_some() {
            self.look = Look::default();
        }
        (self.verdict, self.unread_since, self.read_at) = (None, None, None);
        self.later
            .retain(|(_, order)| !matches!(order, TrafficOrder::Set { epoch, .. } if *epoch < next.epoch));
        self.raise = self.raise.filter(|(_, epoch)| *epoch >= next.epoch);
        self.troubles.remove("traffic");
    }

    pub(super) fn trouble(&mut self, about: &'static str, what: String) {
        self.troubles.insert(about, what);
    }

    pub(super) fn clear_trouble(&mut self, about: &'static str) {
        self.troubles.remove(about);
    }

    /// Why an event is told: the counts that judged a window, or what could not be read or run.
    pub(super) fn seen(&self, event: &Event) -> Option<Seen> {
        let Look { measured, stable, breach, unclear, .. } = &self.look;
        let counted = Seen {
            candidate: measured.clone(),
            stable: stable.clone(),
            breach: *breach,
            unclear: *unclear,
            troubles: Vec::new(),
        };
        let seen = match event {
            Event::WindowVerdict { .. } | Event::WindowEnd { .. } | Event::Breach { .. } => counted,
            Event::MetricsMissing { .. } => Seen { troubles: self.troubles(), ..counted },
            Event::MigrationFailed
            | Event::HealthReport { .. }
            | Event::HealthFailed
            | Event::LatencyBudgetExceeded
            | Event::DriverError
            | Event::Timeout => Seen { troubles: self.troubles(), ..Seen::default() },
            _ => Seen::default(),
        };
        seen.unless_empty()
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        self.troubles.values().cloned().collect()
    }
}
