//! What a guard has seen and not told yet, and what it makes of each thing that its hands see.
//!
//! A reading is told where the table has a row for it; where a row says "now", the reading was ordered
//! for that row. What can't be read is a trouble that the view shows, and an event once its time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::release::digest::ClaimedDigest;
use crate::rollout::driver::exec::Migration;
use crate::rollout::driver::{DriverError, Remaining};
use crate::rollout::journal::Seen;
use crate::rollout::machine::event::{Runs, Series};
use crate::rollout::machine::state::Leg;
use crate::rollout::machine::{Event, Stage, State, Weight};
use crate::rollout::objective::Look;

use super::asks::Ask;
use super::hands::{ProgramOrder, Purpose, Sighting, TrafficOrder, give};
use super::{Guard, GuardError};

/// What a guard has seen and not told yet.
#[derive(Debug, Default)]
pub(super) struct Senses {
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
    weight: Option<Weight>,
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

impl Senses {
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

impl Guard<'_> {
    /// What has to be read before anything is told.
    pub(super) fn look_first(&mut self) {
        let epoch = self.epoch();
        give(&self.hands.traffic, TrafficOrder::Read { purpose: Purpose::Begin, epoch });
        let slot = self.assignment.slots.stable.clone();
        give(&self.hands.programs, ProgramOrder::Runs { slot, epoch });
        if !self.assignment.names_stable() {
            // Whatever the executor finds.
            self.senses.begin.runs = Some(Runs::AsPlanned);
        }
    }

    /// Takes what a hand has seen.
    pub(super) fn take(&mut self, seen: Sighting) -> Result<(), GuardError> {
        match seen {
            Sighting::Weight { purpose, epoch, result } => self.weighed(purpose, epoch, result),
            Sighting::Set { epoch, result } => self.set(epoch, result),
            Sighting::Remaining { epoch, result } => self.remaining(epoch, result),
            Sighting::Program { what, epoch, result } => self.ended_program(what, epoch, result),
            Sighting::Runs { slot, epoch, result } => self.running(&slot, epoch, result),
            Sighting::Probe { epoch, result } => {
                self.probed(epoch, result.map_err(|error| error.to_string()));
                Ok(())
            }
            Sighting::Counts(counted) => self.counted(counted),
            Sighting::Recorded(result) => self.recorded(result),
        }
    }

    fn weighed(
        &mut self,
        purpose: Purpose,
        epoch: u64,
        result: Result<Weight, DriverError>,
    ) -> Result<(), GuardError> {
        self.senses.busy.remove(&Busy::Reading);
        let weight = match result {
            Ok(weight) => weight,
            Err(error @ DriverError::Conflict { .. }) if !matches!(self.stage(), Stage::Planned) => {
                return self.split_by_another(purpose, epoch, &error);
            }
            Err(error) => return self.unread(purpose, &error),
        };
        self.senses.unread_since = None;
        self.senses.clear_trouble("traffic");
        match purpose {
            Purpose::Begin => {
                self.senses.begin.weight = Some(weight);
                return self.begin();
            }
            // Of an epoch that is past it says nothing of now.
            Purpose::Health | Purpose::Verdict if epoch != self.epoch() => return Ok(()),
            Purpose::Health => {
                if let Some(health) = &mut self.senses.health {
                    health.weight = Some(weight);
                }
                return self.report_health();
            }
            Purpose::Verdict => {
                if let Some((epoch, event)) = self.senses.verdict.take() {
                    return self.tell_of(epoch, with_readback(event, weight), None);
                }
            }
            Purpose::Resume => {
                if let Some(resume) = &mut self.senses.resume {
                    resume.weight = Some(Some(weight));
                }
                return self.go_on();
            }
            Purpose::Watch => {}
        }
        self.watch(epoch, weight)
    }

    /// What somebody else has written splits the traffic nobody knows how: no weight can be told that might
    /// be taken for the commanded one. Where one is held, it can't be; elsewhere it is not what it should be.
    fn split_by_another(
        &mut self,
        purpose: Purpose,
        epoch: u64,
        error: &DriverError,
    ) -> Result<(), GuardError> {
        let target = self.journal.state().target;
        let weight = if target == Weight::FULL { Weight::ALMOST_FULL } else { Weight::FULL };
        let text = error.to_string();
        if !self.senses.troubles().contains(&text) {
            self.watcher.trouble(&text);
        }
        self.senses.trouble("traffic", text);
        (self.senses.verdict, self.senses.health) = (None, None);
        if let (Purpose::Resume, Some(resume)) = (purpose, &mut self.senses.resume) {
            resume.weight = Some(None);
            return self.go_on();
        }
        match self.stage() {
            _ if !self.senses.begun => {
                self.senses.begun = true;
                self.tell(Event::Replay { readback: weight })
            }
            Stage::Applying { .. } | Stage::Observing { .. } | Stage::Monitoring { .. } => {
                self.tell_of(epoch, Event::DriverError, None)
            }
            _ => self.tell_of(epoch, Event::Drift { weight }, None),
        }
    }

    fn unread(&mut self, purpose: Purpose, error: &DriverError) -> Result<(), GuardError> {
        let text = error.to_string();
        if purpose == Purpose::Begin && matches!(self.stage(), Stage::Planned) {
            return Err(GuardError::Unread(text));
        }
        if self.senses.unread_since.is_none() {
            self.senses.unread_since = Some(Instant::now());
            self.watcher.trouble(&text);
        }
        self.senses.trouble("traffic", text);
        match (purpose, &mut self.senses.resume) {
            // A restart commands nothing before it has read.
            (Purpose::Begin, _) => {
                let order = TrafficOrder::Read { purpose: Purpose::Begin, epoch: self.epoch() };
                self.senses.later.push((Instant::now() + Duration::from_secs(1), order));
            }
            (Purpose::Health, _) => self.senses.health = None,
            (Purpose::Verdict, _) => self.senses.verdict = None,
            (Purpose::Resume, Some(resume)) => {
                resume.weight = Some(None);
                return self.go_on();
            }
            (Purpose::Resume, None) | (Purpose::Watch, _) => {}
        }
        Ok(())
    }

    /// T1, or T26 before anything else.
    pub(super) fn begin(&mut self) -> Result<(), GuardError> {
        let Some(readback) = self.senses.begin.weight else { return Ok(()) };
        if !matches!(self.stage(), Stage::Planned) {
            self.senses.begun = true;
            return self.tell(Event::Replay { readback });
        }
        let Some(stable) = self.senses.begin.runs else { return Ok(()) };
        self.senses.begun = true;
        self.tell(Event::Start { readback, stable })
    }

    /// What a reading is, where the rollout stands.
    fn watch(&mut self, epoch: u64, weight: Weight) -> Result<(), GuardError> {
        let state = self.journal.state();
        let commanded = self.senses.set_in == Some(state.epoch) && self.senses.raise.is_none();
        let event = match &state.stage {
            _ if !self.senses.begun => None,
            Stage::Migrating { .. } | Stage::WarmingUp { .. } if weight > Weight::ZERO => {
                Some(Event::Drift { weight })
            }
            Stage::Applying { .. } if weight == state.target => {
                commanded.then_some(Event::WeightConfirmed { weight })
            }
            Stage::Applying { .. } if weight != state.actual => Some(Event::WeightMismatch { weight }),
            Stage::Observing { .. } | Stage::Monitoring { .. } if weight != state.target => {
                Some(Event::Drift { weight })
            }
            Stage::Paused { .. } if weight != state.actual || weight > state.target => {
                Some(Event::Drift { weight })
            }
            Stage::RollingBack { retreat } => match retreat.leg {
                Leg::Lowering { .. } if weight == Weight::ZERO => {
                    commanded.then_some(Event::WeightConfirmed { weight })
                }
                Leg::Draining { .. } if weight > Weight::ZERO => Some(Event::Drift { weight }),
                _ => None,
            },
            _ => None,
        };
        event.map_or(Ok(()), |event| self.tell_of(epoch, event, None))
    }

    fn set(&mut self, epoch: u64, result: Result<(), DriverError>) -> Result<(), GuardError> {
        match result {
            Ok(()) => {
                self.senses.set_in = Some(epoch);
                Ok(())
            }
            // Another order has followed already.
            Err(_) if epoch != self.epoch() => Ok(()),
            Err(error) => {
                let text = error.to_string();
                self.watcher.trouble(&text);
                self.senses.trouble("traffic", text);
                match self.stage() {
                    Stage::Applying { .. } | Stage::RollingBack { .. } => {
                        self.tell_of(epoch, Event::DriverError, None)
                    }
                    // A pause commands again when a reading is above its target.
                    _ => Ok(()),
                }
            }
        }
    }

    /// T20: nothing is left, or nobody can say and the time for it has passed.
    fn remaining(&mut self, epoch: u64, result: Result<Remaining, DriverError>) -> Result<(), GuardError> {
        self.senses.drain.asked = false;
        let Stage::RollingBack { retreat } = self.stage() else { return Ok(()) };
        if !matches!(retreat.leg, Leg::Draining { .. }) {
            return Ok(());
        }
        match result {
            Ok(Remaining { weight, connections, in_flight }) => {
                self.senses.clear_trouble("traffic");
                match (weight, connections, in_flight) {
                    (Weight::ZERO, 0, 0) => {
                        self.tell_of(epoch, Event::Drained { weight, connections, in_flight }, None)
                    }
                    (Weight::ZERO, ..) => Ok(()),
                    (weight, ..) => self.tell_of(epoch, Event::Drift { weight }, None),
                }
            }
            Err(DriverError::Unsupported { .. }) => {
                // The weight is read beside it: another one would have led back already.
                match self.senses.drain.closed && self.senses.unread_since.is_none() {
                    true => self.tell_of(
                        epoch,
                        Event::Drained { weight: Weight::ZERO, connections: 0, in_flight: 0 },
                        None,
                    ),
                    false => Ok(()),
                }
            }
            Err(error) => {
                self.senses.trouble("traffic", error.to_string());
                Ok(())
            }
        }
    }
}

/// The verdict with what was read for it.
fn with_readback(event: Event, weight: Weight) -> Event {
    match event {
        Event::WindowVerdict { window, measured, .. } => {
            Event::WindowVerdict { window, measured, readback: weight }
        }
        other => other,
    }
}
