//! What is simulated: a plan, a preview of one, or a request for one. Nothing in it is verified.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::json;
use crate::plan::members::{ApiVersion, Objective, PauseCondition, Phase, Rollback, Strategy};
use crate::plan::objectives::least_samples;
use crate::plan::recorded::Unsound;
use crate::plan::{PlanDraft, RecordedCore, RolloutRequest};
use crate::rollout::machine::Schedule;
use crate::rollout::machine::schedule::Course;
use crate::time::Timestamp;

/// When a simulated rollout starts that no plan dates.
pub const START: Timestamp = Timestamp::UNIX_EPOCH;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What the machine follows.
    pub schedule: Schedule,
    /// When it is started.
    pub start: Timestamp,
    /// The objectives that count slow requests; the others count failed ones.
    pub latency: BTreeSet<String>,
    /// The error budget, in parts per million.
    pub error_ppm: u64,
}

/// Why a file can't be simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoPlan {
    /// Not JSON.
    #[error("it is not JSON as a plan is")]
    Json(#[from] json::JsonError),
    /// Neither a plan nor a preview.
    #[error("it is neither a plan nor the preview of one")]
    Kind,
    /// A member that no plan has, or none that each has.
    #[error("it is no plan")]
    Members(#[source] serde_json::Error),
    /// It contradicts itself.
    #[error("it contradicts itself: {0}")]
    Unsound(#[from] Unsound),
}

/// `RolloutPlanPreview`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Preview {
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    #[expect(dead_code, reason = "checked by its type")]
    kind: PreviewKind,
    #[expect(dead_code, reason = "of no meaning to a simulation")]
    executable: bool,
    strategy: Strategy,
    objectives: Vec<Objective>,
    phases: Vec<Phase>,
    #[expect(dead_code, reason = "what the machine recommends is its own")]
    pause_conditions: Vec<PauseCondition>,
    rollback: Rollback,
}

#[derive(Debug, Deserialize)]
enum PreviewKind {
    RolloutPlanPreview,
}

impl Planned {
    /// Of an envelope, a core or a preview.
    ///
    /// # Errors
    /// [`NoPlan`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoPlan> {
        let document = json::parse(bytes)?;
        match document.get("kind").and_then(Value::as_str) {
            Some("RolloutPlanPreview") => {
                let day = chrono::Duration::hours(4);
                Self::preview(document, day)
            }
            Some("RolloutPlan") => Self::core(document),
            _ => Self::core(document.get("plan").cloned().ok_or(NoPlan::Kind)?),
        }
    }

    /// Of a request.
    ///
    /// # Errors
    /// [`NoPlan`], which a request never gives.
    pub fn request(request: &RolloutRequest) -> Result<Self, NoPlan> {
        Self::preview(PlanDraft::preview(request), request.ttl())
    }

    fn core(core: Value) -> Result<Self, NoPlan> {
        let core = RecordedCore::deserialize(core).map_err(NoPlan::Members)?;
        let schedule = Schedule::of_core(&core)?;
        Ok(Self::of(schedule, core.validity.not_before, &core.objectives))
    }

    fn preview(preview: Value, ttl: chrono::Duration) -> Result<Self, NoPlan> {
        let preview = Preview::deserialize(preview).map_err(NoPlan::Members)?;
        let sound = |objective: &Objective| {
            (1..1_000_000).contains(&objective.max_ratio_ppm)
                && objective.min_samples >= least_samples(objective.max_ratio_ppm)
        };
        if !preview.objectives.iter().all(sound) {
            return Err(NoPlan::Unsound(Unsound::Budget));
        }
        let schedule = Schedule::of(Course {
            phases: &preview.phases,
            objectives: &preview.objectives,
            candidate_scale: &preview.strategy.candidate_scale,
            rollback: &preview.rollback,
            not_before: START,
            not_after: START + ttl,
        })?;
        Ok(Self::of(schedule, START, &preview.objectives))
    }

    fn of(schedule: Schedule, start: Timestamp, objectives: &[Objective]) -> Self {
        let latency = objectives.iter().filter(|objective| objective.threshold_ms.is_some());
        let error = objectives.iter().find(|objective| objective.threshold_ms.is_none());
        Self {
            schedule,
            start,
            latency: latency.map(|objective| objective.id.clone()).collect(),
            error_ppm: error.map_or(20_000, |objective| objective.max_ratio_ppm),
        }
    }
}
