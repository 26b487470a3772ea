//! A guard that comes back: nothing is commanded before the weight is read (T26).

use super::turn::Turn;
use super::{Cause, Command, Phase, Row, Stage, State, Step, Weight};

impl Turn<'_> {
    /// T26: a new epoch, and where the rollout can go on it goes on.
    pub(super) fn restarted(&self, readback: Weight) -> Step {
        let epoch = self.state.epoch + 1;
        let seen = State { epoch, ..self.seeing(readback) };
        match &self.state.stage {
            Stage::Migrating { .. } if self.schedule.migration.is_some() => {
                // Whether it had begun, and how it ended, nobody knows.
                self.pause_seeing(Row::T26, Phase::Migrating, Cause::Migration, readback)
            }
            Stage::Migrating { .. } if readback == Weight::ZERO => {
                self.fenced(seen, vec![Command::SkipMigration])
            }
            Stage::WarmingUp { .. } if readback == Weight::ZERO => {
                let next = State { stage: self.warmup(), ..seen };
                self.fenced(next, self.start_candidate())
            }
            Stage::Applying { .. } => self.restarted_applying(seen, readback),
            Stage::Observing { .. } | Stage::Monitoring { .. } if readback == self.state.target => {
                self.fenced(self.opening(seen), Vec::new())
            }
            Stage::Paused { .. } => {
                let held = self.hold(Row::T26, seen);
                self.fenced(held.next, held.commands)
            }
            Stage::RollingBack { retreat } => {
                let again = self.lower_again(Row::T26, retreat, seen);
                self.fenced(again.next, again.commands)
            }
            Stage::Migrating { .. } => self.strayed(Phase::Migrating, readback),
            Stage::WarmingUp { .. } => self.strayed(Phase::WarmingUp, readback),
            Stage::Observing { .. } => self.strayed(Phase::Observing, readback),
            Stage::Monitoring { .. } => self.strayed(Phase::Monitoring, readback),
            Stage::Planned | Stage::Completed | Stage::RolledBack | Stage::Expired => {
                self.fenced(self.state.clone(), Vec::new())
            }
        }
    }

    /// The weight before, or the commanded one: it is commanded again. T16: after the plan's end only
    /// what was raised already is confirmed.
    fn restarted_applying(&self, seen: State, readback: Weight) -> Step {
        let before = self.schedule.weight_before(self.state.passed);
        if readback == self.state.target || (readback == before && self.at < self.schedule.not_after) {
            return self.raise(Row::T26, seen);
        }
        match readback == before {
            true => self.pause_seeing(Row::T16, Phase::Applying, Cause::Expired, readback),
            false => self.strayed(Phase::Applying, readback),
        }
    }

    fn strayed(&self, phase: Phase, readback: Weight) -> Step {
        self.pause_seeing(Row::T14, phase, Cause::Drift, readback)
    }

    fn fenced(&self, next: State, commands: Vec<Command>) -> Step {
        let fence = Command::Fence { epoch: next.epoch };
        self.apply(Row::T26, next, [vec![fence], commands].concat())
    }
}
