//! A rollback: 0 is commanded until it is read back and nothing is left (T18 to T21).

use super::state::{Leg, later};
use super::step::Alarm;
use super::turn::{Turn, set};
use super::{Command, Event, Milestone, Refusal, Retreat, Row, Stage, State, Step, Weight};

/// How often waiting before another attempt is doubled: 1 s to 32 s.
const MOST_DOUBLINGS: u32 = 5;

impl Turn<'_> {
    /// T20, T21: there is no way out but the end.
    pub(super) fn rolling_back(&self, event: &Event, retreat: &Retreat) -> Step {
        match (event, retreat.leg) {
            (Event::WeightConfirmed { weight: Weight::ZERO }, Leg::Lowering { .. }) => {
                let deadline = later(self.at, self.schedule.deadlines.drain_seconds);
                let retreat = Retreat { leg: Leg::Draining { deadline }, ..*retreat };
                let seen = self.seeing(Weight::ZERO);
                self.apply(Row::T20, State { stage: Stage::RollingBack { retreat }, ..seen }, Vec::new())
            }
            (Event::WeightConfirmed { weight: Weight::ZERO } | Event::Drift { weight: Weight::ZERO }, _) => {
                self.refuse(Refusal::NoRow)
            }
            (Event::Drained { weight: Weight::ZERO, connections: 0, in_flight: 0 }, Leg::Draining { .. }) => {
                // More than one 0 may have been on its way; whatever is left of them touches nothing any more.
                let epoch = self.state.epoch + 1;
                let ended = State { stage: Stage::RolledBack, epoch, ..self.seeing(Weight::ZERO) };
                let commands = vec![Command::Fence { epoch }, Command::StopCandidate];
                let step = self.apply(Row::T20, ended, commands);
                Step { entry: Some(Milestone::RolledBack), ..step }
            }
            (Event::Drained { weight: Weight::ZERO, .. }, _) => self.refuse(Refusal::NotDrained),
            (
                Event::WeightConfirmed { weight }
                | Event::WeightMismatch { weight }
                | Event::Drift { weight }
                | Event::Drained { weight, .. },
                _,
            ) => self.lower_again(Row::T21, retreat, self.seeing(*weight)),
            (Event::DriverError, _) => self.lower_again(Row::T21, retreat, self.state.clone()),
            (Event::Timeout, leg) => self.retreat_timeout(retreat, leg),
            _ => self.refuse(Refusal::RollingBack),
        }
    }

    /// T20's closing of connections, T21's next attempt.
    fn retreat_timeout(&self, retreat: &Retreat, leg: Leg) -> Step {
        match leg {
            Leg::Lowering { deadline } | Leg::Draining { deadline } if self.at < deadline => {
                self.refuse(Refusal::Early)
            }
            Leg::Lowering { .. } => self.lower_again(Row::T21, retreat, self.state.clone()),
            Leg::Draining { .. } => {
                let deadline = later(self.at, self.schedule.deadlines.drain_seconds);
                let retreat = Retreat { leg: Leg::Draining { deadline }, ..*retreat };
                let next = self.to(Stage::RollingBack { retreat });
                self.apply(Row::T20, next, vec![Command::CloseConnections])
            }
        }
    }

    /// T21: 0 again, later each time, and drained anew.
    pub(super) fn lower_again(&self, row: Row, retreat: &Retreat, seen: State) -> Step {
        let wait = 1_u64 << retreat.attempts.min(MOST_DOUBLINGS);
        let deadline = later(self.at, wait.saturating_add(self.schedule.deadlines.confirm_seconds));
        let retreat = Retreat {
            leg: Leg::Lowering { deadline },
            attempts: retreat.attempts.saturating_add(1),
            alarm_at: retreat.alarm_at,
        };
        let mut commands = vec![set(Weight::ZERO, seen.epoch, wait)];
        if self.at >= retreat.alarm_at {
            commands.push(Command::Alarm { alarm: Alarm::NotLowered });
        }
        self.apply(row, State { stage: Stage::RollingBack { retreat }, ..seen }, commands)
    }

    /// T18, T19: 0 is commanded, in an epoch that fences off whatever is on its way.
    pub(super) fn roll_back(&self, row: Row) -> Step {
        let deadline = later(self.at, self.schedule.deadlines.confirm_seconds);
        let retreat = Retreat { leg: Leg::Lowering { deadline }, alarm_at: deadline, attempts: 0 };
        let next = State {
            target: Weight::ZERO,
            epoch: self.state.epoch + 1,
            ..self.to(Stage::RollingBack { retreat })
        };
        let mut commands = vec![Command::Fence { epoch: next.epoch }];
        if matches!(self.state.stage, Stage::Migrating { .. }) {
            commands.push(Command::KillMigration);
        }
        commands.push(set(Weight::ZERO, next.epoch, 0));
        Step { entry: Some(Milestone::RollingBack), ..self.apply(row, next, commands) }
    }
}
