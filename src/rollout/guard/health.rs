//! The candidate before its traffic: programs that ended, what runs, whether it answers (T5, T6).

use std::collections::BTreeSet;

use crate::release::digest::ClaimedDigest;
use crate::rollout::driver::DriverError;
use crate::rollout::machine::event::Runs;
use crate::rollout::machine::{Event, Stage};

use super::pending::{Busy, Health, Probes};
use super::workers::{Program, ProgramOrder, Purpose, TrafficOrder, give};
use super::{Guard, GuardError};

impl Guard<'_> {
    pub(super) fn ended_program(
        &mut self,
        what: Program,
        epoch: u64,
        result: Result<(), DriverError>,
    ) -> Result<(), GuardError> {
        if let Err(error) = &result {
            self.watcher.trouble(&error.to_string());
            self.pending.trouble("program", error.to_string());
        } else {
            self.pending.clear_trouble("program");
        }
        match what {
            Program::Stop => {
                self.pending.busy.remove(&Busy::Stopping);
                if result.is_ok() {
                    self.stopped();
                }
            }
            Program::Scale => {
                // Of an older epoch: the newer one's is under way.
                if self.pending.scaling != Some(epoch) {
                    return Ok(());
                }
                self.pending.scaling = None;
                let raise = self.pending.raise.take();
                match (self.stage(), result.is_ok(), raise) {
                    (Stage::WarmingUp { .. }, false, _) if epoch == self.epoch() => {
                        return self.tell(Event::HealthFailed);
                    }
                    (Stage::Applying { .. }, false, _) if epoch == self.epoch() => {
                        return self.tell(Event::DriverError);
                    }
                    (_, true, Some((weight, epoch))) => {
                        give(&self.workers.traffic, TrafficOrder::Set { weight, epoch })
                    }
                    _ => {}
                }
            }
            Program::Start if epoch != self.epoch() => {}
            Program::Start if result.is_err() => return self.tell(Event::HealthFailed),
            Program::Start => self.pending.probes = Probes { started: true, ..Probes::default() },
        }
        Ok(())
    }

    pub(super) fn running(
        &mut self,
        slot: &str,
        epoch: u64,
        result: Result<BTreeSet<ClaimedDigest>, DriverError>,
    ) -> Result<(), GuardError> {
        let planned = matches!(self.stage(), Stage::Planned);
        let of_stable = slot == self.assignment.slots.stable;
        let digests = match result {
            Ok(digests) => digests,
            Err(error) if planned && self.assignment.names_stable() => {
                return Err(GuardError::Unread(error.to_string()));
            }
            Err(error) => {
                let text = error.to_string();
                if !self.pending.troubles().contains(&text) {
                    self.watcher.trouble(&text);
                }
                self.pending.trouble("program", text);
                if !of_stable {
                    self.pending.health = None;
                }
                return Ok(());
            }
        };
        if of_stable {
            if self.assignment.names_stable() {
                self.pending.begin.runs = Some(self.assignment.runs_stable(&digests));
            }
            self.pending.stable_runs = digests;
            return if planned { self.begin() } else { Ok(()) };
        }
        let runs = self.assignment.runs_candidate(&digests);
        if runs == Runs::Other {
            let found: Vec<String> = digests.iter().map(ToString::to_string).collect();
            let text = format!("`{slot}` runs {}, and the plan deploys something else", found.join(", "));
            self.watcher.trouble(&text);
            self.pending.trouble("runs", text);
        }
        match &mut self.pending.health {
            Some(health) if health.epoch == epoch => health.runs = Some(runs),
            _ => return Ok(()),
        }
        self.report_health()
    }

    pub(super) fn probed(&mut self, epoch: u64, result: Result<u64, String>) {
        let probes = &mut self.pending.probes;
        probes.asked = false;
        if epoch != self.journal.state().epoch || !probes.started {
            return;
        }
        match result {
            Ok(ms) => {
                (probes.successes, probes.slowest_ms) = (probes.successes + 1, probes.slowest_ms.max(ms));
                self.pending.clear_trouble("probe");
            }
            Err(why) => {
                (probes.successes, probes.slowest_ms) = (0, 0);
                self.pending.trouble("probe", format!("the candidate does not answer: {why}"));
            }
        }
        let warmup = self.journal.schedule().warmup;
        let (successes, slowest_ms) = (self.pending.probes.successes, self.pending.probes.slowest_ms);
        if successes < warmup.successes || self.pending.health.is_some() {
            return;
        }
        (self.pending.probes.successes, self.pending.probes.slowest_ms) = (0, 0);
        if slowest_ms > warmup.slowest_ms {
            self.pending.trouble("probe", format!("the slowest probe took {slowest_ms} ms"));
            self.soon.push_back(Event::LatencyBudgetExceeded);
            return;
        }
        self.pending.health = Some(Health { epoch, successes, slowest_ms, runs: None, weight: None });
        let slot = self.assignment.slots.candidate.clone();
        give(&self.workers.programs, ProgramOrder::Runs { slot, epoch });
        give(&self.workers.traffic, TrafficOrder::Read { purpose: Purpose::Health, epoch });
    }

    /// T5, T6: once its digests and the weight are read.
    pub(super) fn report_health(&mut self) -> Result<(), GuardError> {
        let Some(Health { epoch, successes, slowest_ms, runs: Some(runs), weight: Some(readback) }) =
            &self.pending.health
        else {
            return Ok(());
        };
        let (epoch, successes, slowest_ms, runs, readback) =
            (*epoch, *successes, *slowest_ms, *runs, *readback);
        self.pending.health = None;
        self.tell_of(epoch, Event::HealthReport { successes, slowest_ms, runs, readback }, None)
    }
}
