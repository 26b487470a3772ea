//! A core read back: what a plan from outside claims, every member known and sound in itself.
//!
//! In: the core's JSON. Out: [`RecordedCore`], or [`Unsound`]. Nothing here says that a gate made
//! it: that is [`Envelope::accept`](crate::rollout::Envelope::accept)'s.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

use super::members::{
    ApiVersion, BackendRef, Kind, Metadata, Objective, PauseCondition, Phase, PlannedRelease, Role, Rollback,
    Slot, Step, Strategy, Subject,
};
use super::{LimitedBy, Mode, Verdict};

/// `_type` of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CoreType {
    /// The first.
    #[serde(rename = "https://laforge.dev/rollout-plan/v1")]
    V1,
}

/// A plan core as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedCore {
    /// [`TYPE`](super::TYPE).
    #[serde(rename = "_type")]
    pub r#type: CoreType,
    /// What is rolled out.
    pub release: PlannedRelease,
    /// Where: the id that the executor is configured with.
    pub target: String,
    /// How it was decided.
    pub mode: Mode,
    /// Candidates, then stable, then configuration, each by name.
    pub subject: Vec<Subject>,
    /// The candidates that an executor may run.
    pub deploys: Vec<String>,
    /// Under which rules, trust and facts it was decided.
    pub verification: RecordedVerification,
    /// When it may be started.
    pub validity: RecordedValidity,
    /// `laforge.dev/v1`.
    pub api_version: ApiVersion,
    /// `RolloutPlan`.
    pub kind: Kind,
    /// Its name.
    pub metadata: Metadata,
    /// How it proceeds.
    pub strategy: Strategy,
    /// The budgets.
    pub objectives: Vec<Objective>,
    /// Migrate, warmup, shift, monitor.
    pub phases: Vec<Phase>,
    /// When it pauses.
    pub pause_conditions: Vec<PauseCondition>,
    /// How it goes back.
    pub rollback: Rollback,
}

/// `verification` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedVerification {
    /// What the policy said.
    pub verdict: Verdict,
    /// The policy digest.
    pub policy_digest: ClaimedDigest,
    /// The trust digest.
    pub trust_digest: ClaimedDigest,
    /// The facts digest.
    pub facts_digest: ClaimedDigest,
    /// Waivers used.
    pub waivers: Vec<ClaimedDigest>,
    /// The override, in mode `break-glass` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<RecordedBreakGlass>,
}

/// `verification.breakGlass` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedBreakGlass {
    /// The ticket.
    pub ticket: String,
    /// The reason.
    pub reason: String,
    /// The rules that were overridden.
    pub rules: Vec<String>,
    /// The signed records.
    pub evidence: Vec<ClaimedDigest>,
}

/// `validity` of a core: whole seconds, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedValidity {
    /// From when it may be started.
    #[serde(serialize_with = "time::seconds", deserialize_with = "whole_seconds")]
    #[schemars(with = "String")]
    pub not_before: Timestamp,
    /// Until when.
    #[serde(serialize_with = "time::seconds", deserialize_with = "whole_seconds")]
    #[schemars(with = "String")]
    pub not_after: Timestamp,
    /// What set the end.
    pub limited_by: LimitedBy,
}

/// A time in the one form that a core writes it.
fn whole_seconds<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(input)?;
    let parsed = time::parse(&text).map_err(serde::de::Error::custom)?;
    if time::to_seconds(parsed) == text {
        return Ok(parsed);
    }
    Err(serde::de::Error::custom(format_args!("`{text}` is not a UTC time in whole seconds")))
}

/// A core that contradicts itself: no gate writes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsound {
    /// Not migrate, warmup, shift, monitor.
    #[error("its phases are not migrate, warmup, shift and monitor")]
    Phases,
    /// Weights that do not sum, rise or end as they must, or differ from `trafficSteps`.
    #[error("its weights do not rise to 100 as its traffic steps say")]
    Weights,
    /// A step or the watch without a known objective.
    #[error("a step or the monitor phase names no objective of the plan")]
    Objectives,
    /// A budget that could not be judged.
    #[error("an objective could pass on too few samples or any ratio")]
    Budget,
    /// A digest that may be run and is no candidate's.
    #[error("it deploys what is not among its candidates")]
    Deploys,
    /// A rollback that leaves traffic on the candidate.
    #[error("its rollback leaves traffic on the candidate")]
    Rollback,
    /// It ends before it begins, or later than any ttl allows.
    #[error("its validity is empty or longer than 24 hours")]
    Validity,
    /// A dry run, an override without its record, or a record without override.
    #[error("its mode does not go with its verification")]
    Mode,
}

impl RecordedCore {
    /// Whether the core is one that a gate would write.
    ///
    /// # Errors
    /// [`Unsound`] with the first contradiction.
    pub fn check(&self) -> Result<(), Unsound> {
        self.check_course()?;
        self.check_budgets()?;
        self.check_deploys()?;
        let back = self.rollback.backend_refs.as_slice();
        if candidate_weight(back) != Some(0) {
            return Err(Unsound::Rollback);
        }
        let length = self.validity.not_after - self.validity.not_before;
        if length <= chrono::Duration::zero() || length > chrono::Duration::hours(24) {
            return Err(Unsound::Validity);
        }
        let overridden = self.verification.break_glass.is_some();
        match self.mode {
            Mode::Enforce if !overridden && self.verification.verdict == Verdict::Pass => Ok(()),
            Mode::BreakGlass if overridden => Ok(()),
            _ => Err(Unsound::Mode),
        }
    }

    fn check_course(&self) -> Result<(), Unsound> {
        let [
            Phase::Migrate { .. },
            Phase::Warmup { .. },
            Phase::Shift { steps, .. },
            Phase::Monitor { objectives, .. },
        ] = self.phases.as_slice()
        else {
            return Err(Unsound::Phases);
        };
        let weights: Option<Vec<u64>> =
            steps.iter().map(|step| candidate_weight(&step.backend_refs)).collect();
        let weights = weights.ok_or(Unsound::Weights)?;
        let rises = weights.is_sorted_by(|earlier, later| earlier < later);
        let ends = weights.last() == Some(&100) && weights.first() != Some(&0);
        let counted = (0..).zip(steps).all(|(index, step)| step.index == index);
        if !(rises && ends && counted) || weights != self.strategy.traffic_steps {
            return Err(Unsound::Weights);
        }
        self.check_objectives(steps, objectives)
    }

    fn check_objectives(&self, steps: &[Step], monitored: &[String]) -> Result<(), Unsound> {
        let ids: BTreeSet<&str> = self.objectives.iter().map(|objective| objective.id.as_str()).collect();
        let judged = steps.iter().rev().skip(1).map(|step| step.objectives.as_slice());
        let every = judged.chain([monitored]).all(|named| !named.is_empty());
        let mut named = steps.iter().flat_map(|step| &step.objectives).chain(monitored);
        let unique = ids.len() == self.objectives.len();
        if every && unique && named.all(|id| ids.contains(id.as_str())) {
            Ok(())
        } else {
            Err(Unsound::Objectives)
        }
    }

    fn check_budgets(&self) -> Result<(), Unsound> {
        let sound = |objective: &Objective| {
            let one_side = objective.ratio_metric.good.is_some() != objective.ratio_metric.bad.is_some();
            (1..1_000_000).contains(&objective.max_ratio_ppm)
                && objective.min_samples >= super::objectives::least_samples(objective.max_ratio_ppm)
                && one_side
        };
        if self.objectives.iter().all(sound) { Ok(()) } else { Err(Unsound::Budget) }
    }

    fn check_deploys(&self) -> Result<(), Unsound> {
        let known = |name: &String| {
            self.subject.iter().any(|subject| subject.role == Role::Candidate && subject.name == *name)
        };
        if !self.deploys.is_empty() && self.deploys.iter().all(known) {
            Ok(())
        } else {
            Err(Unsound::Deploys)
        }
    }
}

/// The candidate's weight of a pair that sums to 100.
fn candidate_weight(backends: &[BackendRef]) -> Option<u64> {
    match backends {
        [stable, candidate] if (stable.name, candidate.name) == (Slot::Stable, Slot::Candidate) => {
            (stable.weight.checked_add(candidate.weight)? == 100).then_some(candidate.weight)
        }
        _ => None,
    }
}
