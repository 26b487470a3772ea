//! The schedule of the model: every duration is 0, so that every deadline may have passed.

use chrono::Duration;
use laforge::plan::members::{
    BackendRef, BudgetingMethod, HttpGet, MigrationClass, MigrationMode, Objective, Phase, RatioMetric,
    Rollback, SchemaFate, Slot, Step,
};
use laforge::rollout::machine::Schedule;
use laforge::rollout::machine::schedule::Course;
use laforge::time::Timestamp;

/// Before the plan may be started, while it may be, and after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Era {
    Before,
    Valid,
    After,
}

impl Era {
    pub(crate) fn now(self) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::seconds(10 * self as i64)
    }

    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Before => Some(Self::Valid),
            Self::Valid => Some(Self::After),
            Self::After => None,
        }
    }
}

pub(crate) const OBJECTIVE: &str = "error-budget";

fn pair(candidate: u64) -> Vec<BackendRef> {
    vec![
        BackendRef { name: Slot::Stable, weight: 100 - candidate },
        BackendRef { name: Slot::Candidate, weight: candidate },
    ]
}

fn phases(weights: &[u64]) -> Vec<Phase> {
    let judged = || vec![OBJECTIVE.to_owned()];
    let step = |(index, weight): (u64, &u64)| Step {
        index,
        backend_refs: pair(*weight),
        settle_seconds: 0,
        window_seconds: 0,
        max_extensions: 1,
        objectives: judged(),
    };
    vec![
        Phase::Migrate {
            id: "migrate".to_owned(),
            mode: MigrationMode::Shadow,
            command: Some(vec!["migrate".to_owned()]),
            class: Some(MigrationClass::Expand),
            backup: None,
            timeout_seconds: 0,
        },
        Phase::Warmup {
            id: "warmup".to_owned(),
            http_get: HttpGet { path: "/readyz".to_owned() },
            period_seconds: 0,
            consecutive_successes: 1,
            probe_latency_max_ms: 450,
            timeout_seconds: 0,
        },
        Phase::Shift { id: "shift".to_owned(), steps: (0..).zip(weights).map(step).collect() },
        Phase::Monitor {
            id: "monitor".to_owned(),
            window_seconds: 0,
            max_extensions: 1,
            objectives: judged(),
        },
    ]
}

pub(crate) fn schedule(weights: &[u64], operator_deadline: Option<u64>) -> Schedule {
    let objective = Objective {
        id: OBJECTIVE.to_owned(),
        budgeting_method: BudgetingMethod::Occurrences,
        threshold_ms: None,
        quantile_permille: None,
        ratio_metric: RatioMetric { good: None, bad: Some(String::new()), total: String::new() },
        max_ratio_ppm: 20_000,
        min_samples: 150,
        fast_burn: None,
    };
    let rollback = Rollback {
        backend_refs: pair(0),
        pause_deadline_seconds: 0,
        operator_pause_deadline_seconds: operator_deadline,
        confirm_within_seconds: 0,
        drain_within_seconds: 0,
        schema: SchemaFate::Keep,
        actions: Vec::new(),
    };
    let mut schedule = Schedule::of(Course {
        phases: &phases(weights),
        objectives: &[objective],
        candidate_scale: &[100; 3],
        rollback: &rollback,
        not_before: Era::Valid.now(),
        not_after: Era::After.now(),
    })
    .expect("a schedule");
    schedule.deadlines.missing_seconds = 0;
    schedule
}
