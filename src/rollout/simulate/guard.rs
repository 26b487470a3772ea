//! The guard of a simulated rollout: looks at the world, tells the machine, does what it says.
//!
//! What a reading, a deadline and a window are is decided where the real guard has it decided
//! ([`reading`], [`look`]); so are all states, by the same machine. Its loop is its own. The real one waits on
//! workers in threads, by `Instant`, and has a line on the disk before each effect; a sweep runs ten thousand
//! rollouts in seconds, where the `fsync`s of one take longer. Its loop goes through its own interleavings in
//! `tests/rollout_guard`.

use serde_json::json;

use crate::release::digest::Digest;
use crate::rollout::driver::Remaining;
use crate::rollout::guard::reading::{self, Commanded};
use crate::rollout::machine::event::{Runs, Series};
use crate::rollout::machine::state::{Leg, Retreat};
use crate::rollout::machine::{Event, History, Occurrence, Operator, Outcome, Stage, Step, Window};
use crate::rollout::objective::{Look, Sight, Watched, look, series};
use crate::time::Timestamp;

use super::planned::Planned;
use super::scenario::{Ask, Change};
use super::world::{Counts, Migrated, World, seconds};

/// The guard of a simulated rollout.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    planned: &'a Planned,
    scrape_seconds: u64,
    pub(super) history: History,
    sent: u64,
    probes: u64,
    read_at: Option<Timestamp>,
}

/// What the guard told the machine, what follows, and what it had seen.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) occurrence: Occurrence,
    pub(super) before: &'static str,
    pub(super) step: Step,
    pub(super) look: Option<Look>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(planned: &'a Planned, scrape_seconds: u64) -> Self {
        let history = History::new(planned.schedule.clone());
        Self { planned, scrape_seconds, history, sent: 0, probes: 0, read_at: None }
    }

    /// Tells the machine, and has the world do what follows.
    pub(super) fn tell(&mut self, event: Event, look: Option<Look>, world: &mut World) -> Told {
        let occurrence = Occurrence { epoch: self.history.state().epoch, event };
        self.sent += 1;
        let id = Digest::of_value(&json!({"occurrence": occurrence, "nonce": self.sent}));
        let before = self.history.state().stage.name();
        let step = self.history.receive(id, &occurrence, world.now);
        for command in &step.commands {
            world.execute(command);
        }
        if let (Some(window), Outcome::Applied(_)) = (step.next.stage.window(), step.outcome) {
            let since = window.opens - seconds(self.scrape_seconds) * (series::YOUNG_INTERVALS + 1);
            world.candidate.forget_before(since);
            world.stable.forget_before(since);
        }
        Told { occurrence, before, step, look }
    }

    /// What somebody outside makes the guard say.
    pub(super) fn asked(&self, change: &Change, world: &World) -> Option<Event> {
        match change {
            Change::GuardRestarts => Some(Event::Replay { readback: world.weight }),
            Change::Asks(ask, operator) => Some(self.ask(*ask, operator.clone(), world)),
            _ => None,
        }
    }

    fn ask(&self, ask: Ask, operator: Operator, world: &World) -> Event {
        match ask {
            Ask::Pause => Event::Pause(operator),
            Ask::Rollback => Event::Rollback(operator),
            Ask::Resume => Event::Resume {
                operator,
                readback: Some(world.weight),
                series: if world.has_metrics() { Series::Fresh } else { Series::Absent },
            },
        }
    }

    /// What the guard has to tell by itself now, if anything.
    pub(super) fn notice(&mut self, world: &World) -> Option<(Event, Option<Look>)> {
        let stage = self.history.state().stage.clone();
        let event = match &stage {
            Stage::Planned => Some(Event::Start { readback: world.weight, stable: Runs::AsPlanned }),
            Stage::Migrating { .. } => match world.migrated() {
                Migrated::Well => Some(Event::MigrationSucceeded),
                Migrated::Badly => Some(Event::MigrationFailed),
                Migrated::NotYet => self.read(world),
            },
            Stage::WarmingUp { .. } => self.probe(world).or_else(|| self.read(world)),
            _ => self.read(world),
        };
        if let (None, Some(window)) = (&event, stage.window()) {
            let look = self.look(window, world);
            return look.event.clone().map(|event| (event, Some(look)));
        }
        let late = stage.deadline().is_some_and(|deadline| deadline <= world.now);
        event.or_else(|| late.then(|| reading::lapsed(&stage))).map(|event| (event, None))
    }

    /// Reads the weight, or what is left at a candidate that is drained: once at each instant.
    fn read(&mut self, world: &World) -> Option<Event> {
        let (state, weight) = (self.history.state(), world.weight);
        if self.read_at.replace(world.now) == Some(world.now) && matches!(state.stage, Stage::Paused { .. }) {
            return None;
        }
        let command = match world.is_settled() {
            true => Commanded::Taken,
            false => Commanded::UnderWay,
        };
        reading::reading(state, weight, command).or_else(|| match state.stage {
            Stage::RollingBack { retreat: Retreat { leg: Leg::Draining { .. }, .. } } => {
                let connections = world.connections();
                reading::remaining(Remaining { weight, connections, in_flight: 0 })
            }
            _ => None,
        })
    }

    /// Probes the candidate: one answer more, or none.
    fn probe(&mut self, world: &World) -> Option<Event> {
        let warmup = self.planned.schedule.warmup;
        if world.exited() {
            return Some(Event::HealthFailed);
        }
        self.probes = if world.answers() { self.probes + 1 } else { 0 };
        if self.probes < warmup.successes {
            return None;
        }
        let (successes, slowest_ms) = (std::mem::take(&mut self.probes), world.probe_ms);
        Some(match slowest_ms > warmup.slowest_ms {
            true => Event::LatencyBudgetExceeded,
            false => {
                Event::HealthReport { successes, slowest_ms, runs: Runs::AsPlanned, readback: world.weight }
            }
        })
    }

    fn look(&self, window: &Window, world: &World) -> Look {
        let state = self.history.state();
        let rung = self.planned.schedule.rung(state.passed);
        let watched: Vec<Watched<'_>> = rung
            .budgets
            .iter()
            .map(|budget| {
                let counts = match self.planned.latency.contains(&budget.id) {
                    true => Counts::Slow,
                    false => Counts::Failed,
                };
                Watched { budget, candidate: world.candidate.side(counts), stable: world.stable.side(counts) }
            })
            .collect();
        let sight = Sight {
            window,
            id: state.windows,
            now: world.now,
            interval: seconds(self.scrape_seconds),
            missing_after: seconds(self.planned.schedule.deadlines.missing_seconds),
            readback: world.weight,
        };
        look(&sight, &watched)
    }
}
