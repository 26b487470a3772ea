//! A pause: how it is held, how it is left (T17 to T19, T23, T27).

use super::event::Series;
use super::state::later;
use super::step::Alarm;
use super::turn::{Turn, breach, set};
use super::{Cause, Command, Event, Milestone, Pause, Phase, Refusal, Row, Stage, State, Step, Weight};

impl Turn<'_> {
    /// T17, T18, T19, T23, T27.
    pub(super) fn paused(&self, event: &Event, pause: &Pause) -> Step {
        match event {
            Event::Resume { readback, series, .. } => self.resume(pause, *readback, *series),
            Event::PauseDeadline => match pause.deadline {
                Some(deadline) if self.at >= deadline => self.roll_back(Row::T18),
                _ => self.refuse(Refusal::Early),
            },
            Event::Rollback(_) => self.roll_back(Row::T19),
            Event::Breach { stable, .. } => self.breached_while_paused(pause, breach(*stable)),
            Event::Drift { weight }
            | Event::WeightMismatch { weight }
            | Event::WeightConfirmed { weight } => self.hold(Row::T27, self.seeing(*weight)),
            Event::DriverError => self.hold(Row::T27, self.state.clone()),
            _ => self.refuse(Refusal::NoRow),
        }
    }

    /// T27: the target is a ceiling. What is above it is commanded down; what is below stays there.
    pub(super) fn hold(&self, row: Row, next: State) -> Step {
        let mut commands = Vec::new();
        if next.actual > next.target {
            commands.push(set(next.target, next.epoch, 0));
            commands.push(Command::Alarm { alarm: Alarm::AboveTarget });
        }
        self.apply(row, next, commands)
    }

    /// T23 in a pause: bad news outranks what was known, and nobody's word holds a breach open for ever.
    fn breached_while_paused(&self, pause: &Pause, cause: Cause) -> Step {
        if matches!(pause.cause, Cause::Expired | Cause::Breach) {
            return self.apply(Row::T23, self.state.clone(), Vec::new());
        }
        let deadline = match pause.cause {
            Cause::Operator => later(self.at, self.schedule.deadlines.pause_seconds),
            _ => pause.deadline.unwrap_or_else(|| later(self.at, self.schedule.deadlines.pause_seconds)),
        };
        let deadline = pause.deadline.map_or(deadline, |earlier| earlier.min(deadline));
        let pause = Pause { cause, deadline: Some(deadline), ..*pause };
        let step = self.apply(Row::T23, self.to(Stage::Paused { pause }), Vec::new());
        Step { entry: Some(Milestone::Paused), ..step }
    }

    /// T17: the window is earned again, never skipped.
    fn resume(&self, pause: &Pause, readback: Option<Weight>, series: Series) -> Step {
        if self.at >= self.schedule.not_after || pause.cause == Cause::Expired {
            return self.refuse(Refusal::NotAfter);
        }
        let cleared = match pause.cause {
            Cause::Drift | Cause::Driver => readback.is_some_and(|weight| weight <= self.state.target),
            Cause::Missing => series == Series::Fresh,
            _ => true,
        };
        if !cleared {
            return self.refuse(Refusal::NotCleared(pause.cause));
        }
        let seen = self.seeing(readback.unwrap_or(self.state.actual));
        let resumed = State { epoch: self.state.epoch + 1, ..seen };
        let step = match pause.from {
            Phase::Migrating => {
                let next = State { stage: self.migration(), ..resumed };
                let fence = Command::Fence { epoch: next.epoch };
                self.apply(Row::T17, next, vec![fence, self.migrate()])
            }
            Phase::WarmingUp => {
                let next = State { stage: self.warmup(), ..resumed };
                let fence = Command::Fence { epoch: next.epoch };
                self.apply(Row::T17, next, [vec![fence], self.start_candidate()].concat())
            }
            Phase::Applying | Phase::Observing | Phase::Monitoring => self.raise(Row::T17, resumed),
        };
        Step { entry: Some(Milestone::Resumed), ..step }
    }
}
