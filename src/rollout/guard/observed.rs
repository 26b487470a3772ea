//! What a guard makes of each thing that its workers observe.
//!
//! A reading is told where the table has a row for it ([`reading`]); where a row says "now", the reading was
//! ordered for that row. What can't be read is a trouble that the view shows, and an event once its time is up.

use std::time::{Duration, Instant};

use crate::rollout::driver::{DriverError, Remaining};
use crate::rollout::machine::event::Runs;
use crate::rollout::machine::state::Leg;
use crate::rollout::machine::{Event, Stage, Weight};

use super::pending::Busy;
use super::workers::{Observation, ProgramOrder, Purpose, TrafficOrder, give};
use super::{Guard, GuardError, reading};

impl Guard<'_> {
    /// What has to be read before anything is told.
    pub(super) fn look_first(&mut self) {
        let epoch = self.epoch();
        give(&self.workers.traffic, TrafficOrder::Read { purpose: Purpose::Begin, epoch });
        let slot = self.assignment.slots.stable.clone();
        give(&self.workers.programs, ProgramOrder::Runs { slot, epoch });
        if !self.assignment.names_stable() {
            // Whatever the executor finds.
            self.pending.begin.runs = Some(Runs::AsPlanned);
        }
    }

    /// Takes what a worker has seen.
    pub(super) fn take(&mut self, seen: Observation) -> Result<(), GuardError> {
        match seen {
            Observation::Weight { purpose, epoch, result } => self.weighed(purpose, epoch, result),
            Observation::Set { epoch, result } => self.set(epoch, result),
            Observation::Remaining { epoch, result } => self.remaining(epoch, result),
            Observation::Program { what, epoch, result } => self.ended_program(what, epoch, result),
            Observation::Runs { slot, epoch, result } => self.running(&slot, epoch, result),
            Observation::Probe { epoch, result } => {
                self.probed(epoch, result.map_err(|error| error.to_string()));
                Ok(())
            }
            Observation::Counts(counted) => self.counted(counted),
            Observation::Recorded(result) => self.recorded(result),
        }
    }

    fn weighed(
        &mut self,
        purpose: Purpose,
        epoch: u64,
        result: Result<Weight, DriverError>,
    ) -> Result<(), GuardError> {
        if purpose == Purpose::Stop {
            self.stop_idle(result);
            return Ok(());
        }
        self.pending.busy.remove(&Busy::Reading);
        let weight = match result {
            Ok(weight) => weight,
            Err(error @ DriverError::Conflict { .. }) if !matches!(self.stage(), Stage::Planned) => {
                return self.split_by_another(purpose, epoch, &error);
            }
            Err(error) => return self.unread(purpose, &error),
        };
        self.pending.unread_since = None;
        self.pending.clear_trouble("traffic");
        match purpose {
            Purpose::Begin => {
                self.pending.begin.weight = Some(weight);
                return self.begin();
            }
            // Of an epoch that is past it says nothing of now.
            Purpose::Health | Purpose::Verdict if epoch != self.epoch() => return Ok(()),
            Purpose::Health => {
                if let Some(health) = &mut self.pending.health {
                    health.weight = Some(weight);
                }
                return self.report_health();
            }
            Purpose::Verdict => {
                if let Some((epoch, event)) = self.pending.verdict.take() {
                    return self.tell_of(epoch, with_readback(event, weight), None);
                }
            }
            Purpose::Resume => {
                if let Some(resume) = &mut self.pending.resume {
                    resume.weight = Some(Some(weight));
                }
                return self.go_on();
            }
            Purpose::Watch | Purpose::Stop => {}
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
        if !self.pending.troubles().contains(&text) {
            self.watcher.trouble(&text);
        }
        self.pending.trouble("traffic", text);
        (self.pending.verdict, self.pending.health) = (None, None);
        if let (Purpose::Resume, Some(resume)) = (purpose, &mut self.pending.resume) {
            resume.weight = Some(None);
            return self.go_on();
        }
        match self.stage() {
            _ if !self.pending.begun => {
                self.pending.begun = true;
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
        if self.pending.unread_since.is_none() {
            self.pending.unread_since = Some(Instant::now());
            self.watcher.trouble(&text);
        }
        self.pending.trouble("traffic", text);
        match (purpose, &mut self.pending.resume) {
            // A restart commands nothing before it has read.
            (Purpose::Begin, _) => {
                let order = TrafficOrder::Read { purpose: Purpose::Begin, epoch: self.epoch() };
                self.pending.later.push((Instant::now() + Duration::from_secs(1), order));
            }
            (Purpose::Health, _) => self.pending.health = None,
            (Purpose::Verdict, _) => self.pending.verdict = None,
            (Purpose::Resume, Some(resume)) => {
                resume.weight = Some(None);
                return self.go_on();
            }
            (Purpose::Resume, None) | (Purpose::Watch | Purpose::Stop, _) => {}
        }
        Ok(())
    }

    /// T1, or T26 before anything else.
    pub(super) fn begin(&mut self) -> Result<(), GuardError> {
        let Some(readback) = self.pending.begin.weight else { return Ok(()) };
        if !matches!(self.stage(), Stage::Planned) {
            self.pending.begun = true;
            return self.tell(Event::Replay { readback });
        }
        let Some(stable) = self.pending.begin.runs else { return Ok(()) };
        self.pending.begun = true;
        self.tell(Event::Start { readback, stable })
    }

    /// What a reading is, where the rollout stands.
    fn watch(&mut self, epoch: u64, weight: Weight) -> Result<(), GuardError> {
        let state = self.journal.state();
        let taken = self.pending.set_in == Some(state.epoch) && self.pending.raise.is_none();
        let command = if taken { reading::Commanded::Taken } else { reading::Commanded::UnderWay };
        let event = reading::reading(state, weight, command).filter(|_| self.pending.begun);
        event.map_or(Ok(()), |event| self.tell_of(epoch, event, None))
    }

    fn set(&mut self, epoch: u64, result: Result<(), DriverError>) -> Result<(), GuardError> {
        match result {
            Ok(()) => {
                self.pending.set_in = Some(epoch);
                Ok(())
            }
            // Another order has followed already.
            Err(_) if epoch != self.epoch() => Ok(()),
            Err(error) => {
                let text = error.to_string();
                self.watcher.trouble(&text);
                self.pending.trouble("traffic", text);
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
        self.pending.drain.asked = false;
        let Stage::RollingBack { retreat } = self.stage() else { return Ok(()) };
        if !matches!(retreat.leg, Leg::Draining { .. }) {
            return Ok(());
        }
        match result {
            Ok(left) => {
                self.pending.clear_trouble("traffic");
                reading::remaining(left).map_or(Ok(()), |event| self.tell_of(epoch, event, None))
            }
            Err(DriverError::Unsupported { .. }) => {
                // The weight is read beside it: another one would have led back already.
                match self.pending.drain.closed && self.pending.unread_since.is_none() {
                    true => self.tell_of(
                        epoch,
                        Event::Drained { weight: Weight::ZERO, connections: 0, in_flight: 0 },
                        None,
                    ),
                    false => Ok(()),
                }
            }
            Err(error) => {
                self.pending.trouble("traffic", error.to_string());
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
