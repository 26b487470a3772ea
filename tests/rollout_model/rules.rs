//! What must hold always, and how a step that breaks it is noticed.

use std::sync::atomic::Ordering;

use laforge::rollout::machine::state::Leg;
use laforge::rollout::machine::step::Command;
use laforge::rollout::machine::{Cause, Event, Occurrence, Outcome, Row, Stage, State, Weight};
use laforge::rollout::objective::{Count, Measured};

use crate::action::Action;
use crate::course::Era;
use crate::world::{Age, BASE, InFlight, Rollout, World};

/// What must hold always (`rollout.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Rule {
    P1 = 1,
    P2 = 1 << 1,
    P3 = 1 << 2,
    P4 = 1 << 3,
    P5 = 1 << 4,
    P6 = 1 << 5,
    P7 = 1 << 6,
    P8 = 1 << 7,
    P9 = 1 << 8,
    P15 = 1 << 9,
}

impl Rule {
    pub(crate) const ALL: [Self; 10] =
        [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6, Self::P7, Self::P8, Self::P9, Self::P15];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
            Self::P9 => "P9",
            Self::P15 => "P15",
        }
    }

    /// What it says, as the page has it, cut short.
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::P1 => "a pause holds the weight, and corrects one above its target",
            Self::P2 => "100 % only with every earlier window passed",
            Self::P3 => "Completed: the final window passed, with all of it at 100 %",
            Self::P4 => "RolledBack: all of it at 0, drained, nothing in flight",
            Self::P5 => "a rollback ends if the driver eventually answers",
            Self::P6 => "no traffic before the candidate is migrated and warm",
            Self::P7 => "what has ended stays ended, and no command takes effect",
            Self::P8 => "no more weight than the windows that were passed allow",
            Self::P9 => "no start before notBefore, no start and no raise from notAfter on",
            Self::P15 => "every live state can end, without an operator but for his own pause",
        }
    }
}

impl Rollout {
    /// What the rules need to know of an event that was taken, and what it must not have done.
    pub(crate) fn remember(
        &self,
        before: &World,
        world: &mut World,
        occurrence: &Occurrence,
        outcome: Outcome,
        commands: &[Command],
    ) {
        let row = match outcome {
            Outcome::Applied(row) => row,
            Outcome::Ignored(_) => Row::T22,
            Outcome::Refused(_) => Row::T25,
        };
        self.rows.fetch_or(1 << row as u32, Ordering::Relaxed);
        let event = &occurrence.event;
        if let Event::WindowVerdict { window, measured, .. } = event {
            let budgets = &self.schedule.rung(before.guard.passed).budgets;
            let requests = budgets.iter().all(|budget| {
                let of = |measured: &&Measured| measured.objective == budget.id;
                measured.iter().find(of).is_some_and(|measured| {
                    let Count { bad, total } = measured.count;
                    total >= budget.min_samples && bad * 1_000_000 <= budget.ppm * total
                })
            });
            let current = *window == BASE && occurrence.epoch == BASE && before.is_watching();
            let taken = matches!(outcome, Outcome::Applied(Row::T9 | Row::T10));
            world.earned += usize::from(taken && current && requests);
        }
        let after = world.guard.stage.clone();
        let began = (&before.guard.stage, &after);
        if let (Stage::WarmingUp { .. }, Stage::Applying { .. }) = began {
            world.warm = matches!(event, Event::HealthReport { .. });
            if before.proxy != Weight::ZERO {
                world.breaks(Rule::P6);
            }
        }
        if let (Stage::Planned, Stage::Migrating { .. }) = began
            && before.era != Era::Valid
        {
            world.breaks(Rule::P9);
        }
        let read = match event {
            Event::Drift { weight } | Event::WeightMismatch { weight } => Some(*weight),
            Event::Replay { readback } => Some(*readback),
            _ => None,
        };
        let corrects = |command: &Command| match command {
            Command::SetWeight { weight, .. } => *weight == world.guard.target,
            _ => false,
        };
        if matches!(began, (Stage::Paused { .. }, Stage::Paused { .. }))
            && read.is_some_and(|weight| weight > world.guard.target)
            && !commands.iter().any(corrects)
        {
            world.breaks(Rule::P1);
        }
        self.watch_pause(before, world, event);
    }

    /// P1: a pause is entered at or below what was read, and left by nobody's verdict.
    fn watch_pause(&self, before: &World, world: &mut World, event: &Event) {
        let (was, is) = (&before.guard, &world.guard);
        let paused = |state: &State| matches!(state.stage, Stage::Paused { .. });
        let entered = !paused(was) && paused(is) && (is.target > is.actual || is.target > was.target);
        let rose = paused(was) && paused(is) && is.target > was.target;
        let left = paused(was) && !paused(is);
        let by_right = matches!(event, Event::Resume { .. } | Event::PauseDeadline | Event::Rollback(_));
        if entered || rose || (left && !by_right) {
            world.breaks(Rule::P1);
        }
    }

    /// What must hold of where the world has come to.
    pub(crate) fn watch(&self, before: &World, world: &mut World) {
        let allowed = self.schedule.rung(world.earned).weight;
        let guard = world.guard.clone();
        if guard.target == Weight::FULL && world.earned + 1 < self.steps() {
            world.breaks(Rule::P2);
        }
        if guard.target > allowed || (world.proxy > allowed && !world.foreign) {
            world.breaks(Rule::P8);
        }
        if guard.target > Weight::ZERO && !world.warm {
            world.breaks(Rule::P6);
        }
        if before.guard.stage.is_terminal() && before.guard != guard {
            world.breaks(Rule::P7);
        }
        if guard.stage == Stage::Completed && before.guard.stage != Stage::Completed {
            let there = [guard.target, guard.actual, world.proxy] == [Weight::FULL; 3];
            if !there || world.earned != self.steps() {
                world.breaks(Rule::P3);
            }
        }
        if guard.stage == Stage::RolledBack && before.guard.stage != Stage::RolledBack {
            let there = [guard.target, guard.actual, world.proxy] == [Weight::ZERO; 3];
            let raises = |command: &InFlight| {
                command.epoch == Age::Current && !command.done && command.weight > Weight::ZERO
            };
            if !there || world.busy || [&world.command, &world.orphan].into_iter().flatten().any(raises) {
                world.breaks(Rule::P4);
            }
        }
    }

    /// P5, P15: if the driver answers and nobody asks for anything, a live state ends; only a pause
    /// that an operator asked for may last.
    pub(crate) fn finds_a_way_out(&self, world: &World, rule: Rule) -> bool {
        let asked = match world.guard.stage {
            Stage::RollingBack { .. } => Rule::P5,
            _ => Rule::P15,
        };
        if rule != asked || !world.guard.stage.is_live() {
            return true;
        }
        let mut ahead = world.clone();
        for _ in 0..16 {
            if ahead.guard.stage.is_terminal() || holds(&ahead.guard) {
                return true;
            }
            self.go_on(&mut ahead);
        }
        false
    }

    /// One step of a world that is for it: commands are done, and what is late is bad news.
    fn go_on(&self, world: &mut World) {
        let done = |command: &InFlight| command.done;
        let action = match &world.guard.stage {
            Stage::Observing { .. } | Stage::Monitoring { .. } => Action::Inconclusive,
            Stage::Paused { .. } => Action::Deadline,
            Stage::RollingBack { retreat } => match (&world.command, retreat.leg) {
                (Some(command), _) if done(command) => Action::Answers,
                (Some(_), _) => Action::TakesEffect,
                (None, Leg::Lowering { .. }) => Action::Times,
                (None, Leg::Draining { .. }) if world.proxy > Weight::ZERO => Action::Reads,
                (None, Leg::Draining { .. }) if world.busy => Action::ConnectionsEnd,
                (None, Leg::Draining { .. }) => Action::ReadsDrain,
            },
            _ => Action::Times,
        };
        // What can't happen changes nothing, and the bound on steps sees it.
        let _ = self.act(world, action);
    }
}

/// A pause that an operator asked for, and that has no end.
fn holds(state: &State) -> bool {
    state.stage.pause().is_some_and(|pause| pause.cause == Cause::Operator && pause.deadline.is_none())
}
