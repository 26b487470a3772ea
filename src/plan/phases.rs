//! Phases, pause conditions and rollback of a plan, from a rollout request.
//!
//! The four phases are always there; without a command the migration is passed at once
//! (`rollout.md` sections 2 and 3).

use super::Cause;
use super::members::{
    BackendRef, HttpGet, MigrationMode, PauseCondition, Phase, Recommendation, Rollback, RollbackAction,
    SchemaFate, Slot, Step, Strategy, StrategyType,
};
use super::objectives::{ERROR, LATENCY};
use super::request::RolloutRequest;

/// The phases' ids, in order.
pub const PHASES: [&str; 4] = ["migrate", "warmup", "shift", "monitor"];

/// `strategy` of the plan.
pub fn strategy(request: &RolloutRequest) -> Strategy {
    let traffic_steps: Vec<u64> = request.steps.iter().map(|step| step.weight).collect();
    let candidate_scale = match request.strategy {
        StrategyType::BlueGreen => vec![100; traffic_steps.len()],
        StrategyType::Canary => traffic_steps.clone(),
        // The canary is as large as its share; what follows runs at full size.
        StrategyType::Staged => {
            let full = std::iter::repeat_n(100, traffic_steps.len().saturating_sub(1));
            traffic_steps.iter().take(1).copied().chain(full).collect()
        }
    };
    Strategy { r#type: request.strategy, traffic_steps, candidate_scale, keep_stable_at_full_scale: true }
}

/// `phases` of the plan.
pub fn phases(request: &RolloutRequest) -> Vec<Phase> {
    vec![migrate(request), warmup(request), shift(request), monitor(request)]
}

fn migrate(request: &RolloutRequest) -> Phase {
    let migration = &request.migration;
    let (command, class) = match &migration.run {
        Some((command, class)) => (Some(command.clone()), Some(*class)),
        None => (None, None),
    };
    Phase::Migrate {
        id: "migrate".to_owned(),
        mode: MigrationMode::Shadow,
        command,
        class,
        backup: migration.backup.clone(),
        timeout_seconds: migration.timeout_seconds,
    }
}

fn warmup(request: &RolloutRequest) -> Phase {
    let readiness = &request.readiness;
    Phase::Warmup {
        id: "warmup".to_owned(),
        http_get: HttpGet { path: readiness.path.clone() },
        period_seconds: readiness.period_seconds,
        consecutive_successes: readiness.consecutive_successes,
        probe_latency_max_ms: request.latency.threshold_ms,
        timeout_seconds: readiness.timeout_seconds,
    }
}

fn shift(request: &RolloutRequest) -> Phase {
    let steps = (0..).zip(&request.steps).map(|(index, planned)| {
        // The last step's window is the monitor phase's.
        let observed = planned.weight < 100;
        Step {
            index,
            backend_refs: weights(planned.weight),
            settle_seconds: request.settle_seconds,
            window_seconds: planned.window_seconds,
            max_extensions: if observed { request.max_extensions } else { 0 },
            objectives: if observed { objective_ids() } else { Vec::new() },
        }
    });
    Phase::Shift { id: "shift".to_owned(), steps: steps.collect() }
}

fn monitor(request: &RolloutRequest) -> Phase {
    Phase::Monitor {
        id: "monitor".to_owned(),
        window_seconds: request.monitor.window_seconds,
        max_extensions: request.monitor.max_extensions,
        objectives: objective_ids(),
    }
}

fn objective_ids() -> Vec<String> {
    vec![ERROR.to_owned(), LATENCY.to_owned()]
}

/// Both slots at a candidate's weight.
pub fn weights(candidate: u64) -> Vec<BackendRef> {
    vec![
        BackendRef { name: Slot::Stable, weight: 100_u64.saturating_sub(candidate) },
        BackendRef { name: Slot::Candidate, weight: candidate },
    ]
}

/// `pauseConditions` of every plan.
pub fn pause_conditions() -> Vec<PauseCondition> {
    let condition = |id: &str, phases: &[&str], causes: &[Cause], recommend| PauseCondition {
        id: id.to_owned(),
        phases: phases.iter().map(|&phase| phase.to_owned()).collect(),
        causes: causes.to_vec(),
        recommend,
    };
    let traffic = ["shift", "monitor"];
    let unclear = [Cause::Missing, Cause::Inconclusive, Cause::Environment];
    let off_plan = [Cause::Drift, Cause::Driver, Cause::Expired];
    vec![
        condition("migration-failed", &["migrate"], &[Cause::Migration], Recommendation::Rollback),
        condition("unhealthy", &["warmup"], &[Cause::Health], Recommendation::Rollback),
        condition("budget-breached", &traffic, &[Cause::Breach], Recommendation::Rollback),
        condition("no-evidence", &traffic, &unclear, Recommendation::Investigate),
        condition("off-plan", &PHASES, &off_plan, Recommendation::Investigate),
    ]
}

/// `rollback` of the plan.
pub fn rollback(request: &RolloutRequest) -> Rollback {
    let deadlines = &request.deadlines;
    Rollback {
        backend_refs: weights(0),
        pause_deadline_seconds: deadlines.pause_seconds,
        operator_pause_deadline_seconds: deadlines.operator_pause_seconds,
        confirm_within_seconds: deadlines.confirm_seconds,
        drain_within_seconds: deadlines.drain_seconds,
        schema: SchemaFate::Keep,
        actions: vec![
            RollbackAction::SetWeights,
            RollbackAction::VerifyReadback,
            RollbackAction::DrainCandidate,
            RollbackAction::StopCandidate,
            RollbackAction::RecordAudit,
        ],
    }
}
