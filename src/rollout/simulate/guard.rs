//! The guard of a simulated rollout: looks at the world, tells the machine, does what it says.

use serde_json::json;

use crate::release::digest::Digest;
use crate::rollout::machine::event::{Runs, Series};
use crate::rollout::machine::state::Leg;
use crate::rollout::machine::{Event, History, Occurrence, Operator, Outcome, Stage, Step, Weight, Window};
use crate::rollout::objective::{Look, Sight, Watched, look, series};

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
        Self { planned, scrape_seconds, history, sent: 0, probes: 0 }
    }

    /// Tells the machine, and has the world do what follows.
    pub(super) fn tell(&mut self, event: Event, look: Option<Look>, world: &mut World) -> Told {
        let occurrence = Occurrence { epoch: self.history.state().epoch, event };
        self.sent += 1;
        let id = Digest::of_value(&json!({"occurrence": occurrence, "nonce": self.sent}));
        let before = self.history.state().stage.name();
        let step = self.history.receive(id, &occurrence, world.now);
        for command in &step.commands {
            world.obey(command);
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
        let state = self.history.state();
        let late = state.stage.deadline().is_some_and(|deadline| deadline <= world.now);
        let event = match &state.stage {
            Stage::Planned => Some(Event::Start { readback: world.weight, stable: Runs::AsPlanned }),
            Stage::Migrating { .. } => match world.migrated() {
                Migrated::Well => Some(Event::MigrationSucceeded),
                Migrated::Badly => Some(Event::MigrationFailed),
                Migrated::NotYet => strayed(world),
            },
            Stage::WarmingUp { .. } => return self.probe(world, late),
            Stage::Applying { .. } if world.weight == state.target && world.is_settled() => {
                Some(Event::WeightConfirmed { weight: world.weight })
            }
            Stage::Applying { .. } if ![state.actual, state.target].contains(&world.weight) => {
                Some(Event::WeightMismatch { weight: world.weight })
            }
            Stage::Observing { .. } | Stage::Monitoring { .. } if world.weight != state.target => {
                Some(Event::Drift { weight: world.weight })
            }
            Stage::Observing { window } | Stage::Monitoring { window } => {
                let look = self.look(window, world);
                return look.event.clone().map(|event| (event, Some(look)));
            }
            Stage::Paused { .. } if world.weight != state.actual => {
                Some(Event::Drift { weight: world.weight })
            }
            Stage::Paused { .. } if late => Some(Event::PauseDeadline),
            Stage::RollingBack { retreat } => retreating(retreat.leg, world),
            _ => None,
        };
        event.or_else(|| late.then_some(Event::Timeout)).map(|event| (event, None))
    }

    /// Probes the candidate: one answer more, or none.
    fn probe(&mut self, world: &World, late: bool) -> Option<(Event, Option<Look>)> {
        let warmup = self.planned.schedule.warmup;
        if world.exited() {
            return Some((Event::HealthFailed, None));
        }
        self.probes = if world.answers() { self.probes + 1 } else { 0 };
        if self.probes < warmup.successes {
            let event = strayed(world).or_else(|| late.then_some(Event::Timeout));
            return event.map(|event| (event, None));
        }
        let successes = std::mem::take(&mut self.probes);
        if world.probe_ms > warmup.slowest_ms {
            return Some((Event::LatencyBudgetExceeded, None));
        }
        let report = Event::HealthReport {
            successes,
            slowest_ms: world.probe_ms,
            runs: Runs::AsPlanned,
            readback: world.weight,
        };
        Some((report, None))
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

/// Traffic where none is due yet.
fn strayed(world: &World) -> Option<Event> {
    (world.weight > Weight::ZERO).then_some(Event::Drift { weight: world.weight })
}

fn retreating(leg: Leg, world: &World) -> Option<Event> {
    match leg {
        Leg::Lowering { .. } if world.weight == Weight::ZERO => {
            Some(Event::WeightConfirmed { weight: world.weight })
        }
        Leg::Lowering { .. } => None,
        Leg::Draining { .. } if world.weight > Weight::ZERO => Some(Event::Drift { weight: world.weight }),
        Leg::Draining { .. } if world.connections() == 0 => {
            Some(Event::Drained { weight: world.weight, connections: 0, in_flight: 0 })
        }
        Leg::Draining { .. } => None,
    }
}
