//! The program's own step, and around it at most one broken rule.

use laforge::rollout::machine::step::{Command, Outcome};
use laforge::rollout::machine::{
    Cause, Event, Occurrence, Pause, Phase, Row, Schedule, Stage, State, Step, Weight, step,
};
use laforge::time::Timestamp;

use crate::course::Era;
use crate::fault::Fault;

/// One event, taken by the machine; with a fault, by a machine with one rule broken.
pub(crate) fn take(
    schedule: &Schedule,
    fault: Option<Fault>,
    state: &State,
    occurrence: &Occurrence,
    at: Timestamp,
) -> Step {
    let Some(fault) = fault else { return step(schedule, state, occurrence, at) };
    if let Some(broken) = instead(fault, schedule, state, occurrence, at) {
        return broken;
    }
    let (mut state_seen, mut told, mut when) = (state.clone(), occurrence.clone(), at);
    before(fault, schedule, &mut state_seen, &mut told, &mut when);
    let mut taken = step(schedule, &state_seen, &told, when);
    after(fault, schedule, state, &told, &mut taken);
    taken
}

fn unchanged(state: &State) -> Step {
    let outcome = Outcome::Applied(Row::T25);
    Step { next: state.clone(), commands: Vec::new(), entry: None, outcome }
}

fn ends(state: &State, stage: Stage) -> Step {
    Step { next: State { stage, ..state.clone() }, ..unchanged(state) }
}

/// What the broken rule does in place of the machine.
fn instead(
    fault: Fault,
    schedule: &Schedule,
    state: &State,
    occurrence: &Occurrence,
    at: Timestamp,
) -> Option<Step> {
    match (fault, &state.stage, &occurrence.event) {
        (Fault::LatePassInPaused, Stage::Paused { .. }, Event::WindowVerdict { .. }) => {
            let next = State {
                stage: Stage::Applying { deadline: at },
                target: schedule.rung(state.passed + 1).weight,
                passed: state.passed + 1,
                ..state.clone()
            };
            let set = Command::SetWeight { weight: next.target, epoch: next.epoch, after_seconds: 0 };
            Some(Step { next, commands: vec![set], ..unchanged(state) })
        }
        (Fault::DriftUpInPausedIgnored, Stage::Paused { .. }, Event::Drift { .. }) => Some(unchanged(state)),
        (Fault::DriftIgnored, Stage::Observing { .. } | Stage::Monitoring { .. }, Event::Drift { .. })
        | (
            Fault::DriftBeforeTrafficIgnored,
            Stage::Migrating { .. } | Stage::WarmingUp { .. },
            Event::Drift { .. },
        )
        | (
            Fault::RollbackNeverReadsAgain,
            Stage::RollingBack { .. },
            Event::DriverError | Event::Timeout | Event::Drift { .. },
        ) => Some(unchanged(state)),
        (Fault::LatePassAfterTheEnd, Stage::RolledBack, Event::WindowVerdict { .. }) => {
            Some(ends(state, Stage::Completed))
        }
        (Fault::RollbackMayGiveUp, Stage::RollingBack { .. }, Event::DriverError)
        | (
            Fault::DrainNotAwaited,
            Stage::RollingBack { .. },
            Event::WeightConfirmed { weight: Weight::ZERO },
        )
        | (Fault::DrainCountedBeforeZero, Stage::RollingBack { .. }, Event::Drained { connections: 0, .. }) => {
            Some(ends(state, Stage::RolledBack))
        }
        (Fault::PauseInPlanned, Stage::Planned, Event::Pause(_)) => {
            let pause = Pause { from: Phase::Applying, cause: Cause::Operator, since: at, deadline: None };
            Some(ends(state, Stage::Paused { pause }))
        }
        _ => None,
    }
}

/// What the broken rule makes the machine see.
fn before(fault: Fault, schedule: &Schedule, state: &mut State, told: &mut Occurrence, at: &mut Timestamp) {
    let target = state.target;
    match (fault, &mut told.event) {
        (Fault::NoRequestsCountAsAPass, Event::WindowVerdict { measured, .. }) => {
            let floor = schedule.rung(state.passed).budgets.first().map_or(0, |budget| budget.min_samples);
            measured.iter_mut().for_each(|measured| measured.count.total = floor);
        }
        (Fault::DriftIgnored, Event::WindowVerdict { readback, .. }) => *readback = target,
        (Fault::DriftBeforeTrafficIgnored, Event::HealthReport { readback, .. }) => *readback = Weight::ZERO,
        (Fault::ExpiredPlanStarts, Event::Start { .. }) => *at = (*at).min(Era::Valid.now()),
        (Fault::StartBeforeNotBefore, Event::Start { .. }) => *at = (*at).max(Era::Valid.now()),
        (Fault::RaiseAfterExpiry, Event::WindowVerdict { .. } | Event::HealthReport { .. }) => {
            *at = (*at).min(Era::Valid.now());
        }
        (Fault::ResumeOfExpired, Event::Resume { .. }) => {
            *at = (*at).min(Era::Valid.now());
            if let Stage::Paused { pause } = &mut state.stage {
                pause.cause = Cause::Operator;
            }
        }
        _ => {}
    }
}

/// What the broken rule makes of what follows.
fn after(fault: Fault, schedule: &Schedule, state: &State, told: &Occurrence, taken: &mut Step) {
    let paused =
        !matches!(state.stage, Stage::Paused { .. }) && matches!(taken.next.stage, Stage::Paused { .. });
    match fault {
        Fault::NoFreeze if paused => taken.next.target = state.target,
        Fault::EpochKeptOnPause if paused => same_epoch(state, taken),
        Fault::EpochKeptOnRestart if matches!(told.event, Event::Replay { .. }) => same_epoch(state, taken),
        Fault::TargetLoweredInPausedInTheSameEpoch => {
            if let (Stage::Paused { .. }, Event::Drift { weight }) = (&state.stage, &told.event) {
                taken.next.target = taken.next.target.min(*weight);
            }
        }
        Fault::ResumeSkipsAWindow => {
            let resumed = matches!(told.event, Event::Resume { .. });
            if resumed && matches!(taken.next.stage, Stage::Applying { .. }) {
                taken.next.passed += 1;
                taken.next.target = schedule.rung(taken.next.passed).weight;
                for command in &mut taken.commands {
                    if let Command::SetWeight { weight, .. } = command {
                        *weight = taken.next.target;
                    }
                }
            }
        }
        Fault::NoPauseDeadlineForExpired => {
            if let Stage::Paused { pause } = &mut taken.next.stage
                && pause.cause == Cause::Expired
            {
                pause.deadline = None;
            }
        }
        _ => {}
    }
}

fn same_epoch(state: &State, taken: &mut Step) {
    taken.next.epoch = state.epoch;
    taken.commands.retain(|command| !matches!(command, Command::Fence { .. }));
    for command in &mut taken.commands {
        if let Command::SetWeight { epoch, .. } = command {
            *epoch = state.epoch;
        }
    }
}
