//! One event in one state: which row takes it.
//!
//! The table is read by stage; the rows of windows are in `watch`, those of pauses in `paused`, of
//! rollbacks in `retreat`, of a restart in `restart`.

use crate::time::Timestamp;

use super::event::{News, Runs, StableSide};
use super::state::later;
use super::{
    Cause, Command, Event, Ignored, Milestone, Occurrence, Outcome, Pause, Phase, Refusal, Row, Schedule,
    Stage, State, Step, Weight, Window,
};

/// One event in one state.
pub(super) struct Turn<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) state: &'a State,
    pub(super) occurrence: &'a Occurrence,
    pub(super) at: Timestamp,
}

impl Turn<'_> {
    pub(super) fn take(&self) -> Step {
        let stage = &self.state.stage;
        match (stage, &self.occurrence.event) {
            (Stage::Completed | Stage::RolledBack | Stage::Expired, _) => self.refuse(Refusal::Ended),
            (Stage::Planned, event) => self.planned(event),
            (_, Event::Replay { readback }) => self.restarted(*readback),
            (_, event) if event.news() == News::Good && self.occurrence.epoch != self.state.epoch => {
                self.ignore(Ignored::Epoch)
            }
            (Stage::Migrating { deadline }, event) => self.migrating(event, *deadline),
            (Stage::WarmingUp { deadline }, event) => self.warming_up(event, *deadline),
            (Stage::Applying { deadline }, event) => self.applying(event, *deadline),
            (Stage::Observing { window }, event) => self.watching(event, window, Phase::Observing),
            (Stage::Monitoring { window }, event) => self.watching(event, window, Phase::Monitoring),
            (Stage::Paused { pause }, event) => self.paused(event, pause),
            (Stage::RollingBack { retreat }, event) => self.rolling_back(event, retreat),
        }
    }

    /// T1, T2.
    fn planned(&self, event: &Event) -> Step {
        match event {
            Event::Cancel(_) => self.apply(Row::T2, self.to(Stage::Expired), Vec::new()),
            Event::Timeout if self.at >= self.schedule.not_after => {
                self.apply(Row::T2, self.to(Stage::Expired), Vec::new())
            }
            Event::Start { .. } if self.at >= self.schedule.not_after => self.refuse(Refusal::NotAfter),
            Event::Start { .. } if self.at < self.schedule.not_before => self.refuse(Refusal::NotBefore),
            Event::Start { readback, .. } if *readback != Weight::ZERO => self.refuse(Refusal::Traffic),
            Event::Start { stable: Runs::Other, .. } => self.refuse(Refusal::Stable),
            Event::Start { .. } => {
                let next = State { epoch: self.state.epoch + 1, ..self.to(self.migration()) };
                let commands = vec![Command::Fence { epoch: next.epoch }, self.migrate()];
                Step { entry: Some(Milestone::Started), ..self.apply(Row::T1, next, commands) }
            }
            _ => self.refuse(Refusal::NoRow),
        }
    }

    /// T3, T4.
    fn migrating(&self, event: &Event, deadline: Timestamp) -> Step {
        match event {
            Event::MigrationSucceeded => self.apply(Row::T3, self.to(self.warmup()), self.start_candidate()),
            Event::MigrationFailed => self.pause(Row::T4, Phase::Migrating, Cause::Migration),
            Event::Timeout if self.at < deadline => self.refuse(Refusal::Early),
            Event::Timeout => self.pause(Row::T4, Phase::Migrating, Cause::Migration),
            other => self.before_traffic(other, Phase::Migrating),
        }
    }

    /// T5, T6.
    fn warming_up(&self, event: &Event, deadline: Timestamp) -> Step {
        match event {
            Event::HealthReport { successes, slowest_ms, runs, readback } => {
                let warmup = &self.schedule.warmup;
                if *runs == Runs::Other || *slowest_ms > warmup.slowest_ms {
                    self.pause(Row::T6, Phase::WarmingUp, Cause::Health)
                } else if *readback != Weight::ZERO {
                    self.pause_seeing(Row::T14, Phase::WarmingUp, Cause::Drift, *readback)
                } else if *successes < warmup.successes {
                    self.refuse(Refusal::Probes)
                } else if self.at >= self.schedule.not_after {
                    self.pause_seeing(Row::T16, Phase::WarmingUp, Cause::Expired, *readback)
                } else {
                    self.raise(Row::T5, self.seeing(*readback))
                }
            }
            Event::HealthFailed | Event::LatencyBudgetExceeded => {
                self.pause(Row::T6, Phase::WarmingUp, Cause::Health)
            }
            Event::Timeout if self.at < deadline => self.refuse(Refusal::Early),
            Event::Timeout => self.pause(Row::T6, Phase::WarmingUp, Cause::Health),
            other => self.before_traffic(other, Phase::WarmingUp),
        }
    }

    /// T14 before any traffic is due, T15, T19.
    fn before_traffic(&self, event: &Event, phase: Phase) -> Step {
        match event {
            Event::Drift { weight } | Event::WeightMismatch { weight } if *weight > Weight::ZERO => {
                self.pause_seeing(Row::T14, phase, Cause::Drift, *weight)
            }
            other => self.asked(other, phase),
        }
    }

    /// T7, T8; T23 for a breach that comes late.
    fn applying(&self, event: &Event, deadline: Timestamp) -> Step {
        match event {
            Event::WeightConfirmed { weight } if *weight == self.state.target => self.confirmed(*weight),
            Event::WeightConfirmed { weight }
            | Event::WeightMismatch { weight }
            | Event::Drift { weight } => self.pause_seeing(Row::T8, Phase::Applying, Cause::Driver, *weight),
            Event::DriverError => self.pause(Row::T8, Phase::Applying, Cause::Driver),
            Event::Timeout if self.at < deadline => self.refuse(Refusal::Early),
            Event::Timeout => self.pause(Row::T8, Phase::Applying, Cause::Driver),
            Event::Breach { stable, .. } => self.pause(Row::T23, Phase::Applying, breach(*stable)),
            other => self.asked(other, Phase::Applying),
        }
    }

    /// T7: the window opens after the settling.
    fn confirmed(&self, weight: Weight) -> Step {
        self.apply(Row::T7, self.opening(self.seeing(weight)), Vec::new())
    }

    /// T15, T19, in every phase before a pause; nothing else is left.
    pub(super) fn asked(&self, event: &Event, phase: Phase) -> Step {
        match event {
            Event::Pause(_) => self.pause(Row::T15, phase, Cause::Operator),
            Event::Rollback(_) => self.roll_back(Row::T19),
            _ => self.refuse(Refusal::NoRow),
        }
    }

    /// Freezes, with what was last read.
    pub(super) fn pause(&self, row: Row, from: Phase, cause: Cause) -> Step {
        self.pause_seeing(row, from, cause, self.state.actual)
    }

    /// Freezes: what is on its way is fenced off, and the target is never above what was read.
    pub(super) fn pause_seeing(&self, row: Row, from: Phase, cause: Cause, seen: Weight) -> Step {
        let deadlines = &self.schedule.deadlines;
        let seconds = match cause {
            Cause::Operator => deadlines.operator_pause_seconds,
            _ => Some(deadlines.pause_seconds),
        };
        let deadline = seconds.map(|seconds| later(self.at, seconds));
        let pause = Pause { from, cause, since: self.at, deadline };
        let next = State {
            target: self.state.target.min(seen),
            epoch: self.state.epoch + 1,
            ..State { stage: Stage::Paused { pause }, ..self.seeing(seen) }
        };
        let mut commands = vec![Command::Fence { epoch: next.epoch }];
        if from == Phase::Migrating {
            commands.push(Command::KillMigration);
        }
        let held = self.hold(row, next);
        commands.extend(held.commands);
        Step { commands, entry: Some(Milestone::Paused), ..held }
    }

    /// Commands the weight of the step under way.
    pub(super) fn raise(&self, row: Row, from: State) -> Step {
        let rung = self.schedule.rung(from.passed);
        let deadline = later(self.at, self.schedule.deadlines.confirm_seconds);
        let next = State { stage: Stage::Applying { deadline }, target: rung.weight, ..from };
        let mut commands = Vec::new();
        if next.epoch != self.state.epoch {
            commands.push(Command::Fence { epoch: next.epoch });
        }
        commands.push(Command::Scale { percent: rung.scale });
        commands.push(set(rung.weight, next.epoch, 0));
        self.apply(row, next, commands)
    }

    /// The state with the window of its step open.
    pub(super) fn opening(&self, state: State) -> State {
        let rung = self.schedule.rung(state.passed);
        let opens = later(self.at, rung.settle_seconds);
        let window = Window { opens, ends: later(opens, rung.window_seconds), extensions: 0 };
        let stage = match rung.weight {
            Weight::FULL => Stage::Monitoring { window },
            _ => Stage::Observing { window },
        };
        State { stage, windows: state.windows + 1, ..state }
    }

    pub(super) fn migration(&self) -> Stage {
        Stage::Migrating { deadline: later(self.at, self.schedule.migrate_within_seconds) }
    }

    pub(super) fn migrate(&self) -> Command {
        match self.schedule.migration {
            Some(_) => Command::RunMigration,
            None => Command::SkipMigration,
        }
    }

    pub(super) fn warmup(&self) -> Stage {
        Stage::WarmingUp { deadline: later(self.at, self.schedule.warmup.within_seconds) }
    }

    pub(super) fn start_candidate(&self) -> Vec<Command> {
        vec![Command::Scale { percent: self.schedule.rung(0).scale }, Command::StartCandidate]
    }

    /// The state with another stage.
    pub(super) fn to(&self, stage: Stage) -> State {
        State { stage, ..self.state.clone() }
    }

    /// The state with another reading.
    pub(super) fn seeing(&self, actual: Weight) -> State {
        State { actual, ..self.state.clone() }
    }

    pub(super) fn apply(&self, row: Row, next: State, commands: Vec<Command>) -> Step {
        Step { next, commands, entry: None, outcome: Outcome::Applied(row) }
    }

    pub(super) fn ignore(&self, why: Ignored) -> Step {
        Step::ignored(self.state, why)
    }

    pub(super) fn refuse(&self, why: Refusal) -> Step {
        Step::refused(self.state, why)
    }
}

/// The cause that a breach is: with both sides bad it says nothing of the candidate.
pub(super) fn breach(stable: StableSide) -> Cause {
    match stable {
        StableSide::Within => Cause::Breach,
        StableSide::Breaching => Cause::Environment,
    }
}

pub(super) fn set(weight: Weight, epoch: u64, after_seconds: u64) -> Command {
    Command::SetWeight { weight, epoch, after_seconds }
}
