//! The members of a plan in their wire form, written and read back by the same types.
//!
//! Names and values: the example of `rollout.md` section 3. Borrowed names: `backendRefs[].weight`
//! from the Gateway API, `ratioMetric` and `budgetingMethod` from OpenSLO, `subject[].digest` from
//! in-toto. Integers only; a member that does not apply is left out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::{self, Cause};

/// `release` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedRelease {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The environment that it was asked for.
    pub environment: String,
    /// The release digest.
    pub digest: crate::release::digest::ClaimedDigest,
}

/// One of the things that a plan is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What part it plays.
    pub role: Role,
    /// Its name in the release.
    pub name: String,
    /// The version that it belongs to; configuration has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// An image's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// The part of a subject; in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The version on trial.
    Candidate,
    /// The version serving.
    Stable,
    /// Configuration of the candidate.
    Config,
}

/// A digest in in-toto's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// 64 lower-case hex digits.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// `metadata` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The release's name and version.
    pub name: String,
}

/// `apiVersion` of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "laforge.dev/v1")]
    V1,
}

/// `kind` of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The only one that an executor takes.
    RolloutPlan,
}

/// How a rollout proceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StrategyType {
    /// The candidate at full size before any traffic.
    BlueGreen,
    /// The candidate grows with its weight.
    Canary,
    /// A canary, then the candidate at full size.
    Staged,
}

/// `strategy` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Strategy {
    /// Which.
    pub r#type: StrategyType,
    /// The candidate's weights in percent.
    pub traffic_steps: Vec<u64>,
    /// The candidate's size in percent of stable's, reached before each step's weight.
    pub candidate_scale: Vec<u64>,
    /// Stable keeps its size until the rollout is completed.
    pub keep_stable_at_full_scale: bool,
}

/// How a budget is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetingMethod {
    /// By requests.
    Occurrences,
}

/// Two series whose quotient is judged: either `good` or `bad`, over `total`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RatioMetric {
    /// Counts what is within the objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<String>,
    /// Counts what is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad: Option<String>,
    /// Counts all.
    pub total: String,
}

/// When a window is stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FastBurn {
    /// Over how many seconds it looks.
    pub lookback_seconds: u64,
    /// How many times the budget is too much.
    pub factor: u64,
    /// How many requests it needs.
    pub min_samples: u64,
}

/// One budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objective {
    /// What steps call it.
    pub id: String,
    /// How it is counted.
    pub budgeting_method: BudgetingMethod,
    /// A request slower than this is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_ms: Option<u64>,
    /// The quantile that the threshold is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile_permille: Option<u64>,
    /// What is counted.
    pub ratio_metric: RatioMetric,
    /// The largest share of bad requests, in parts per million; equality passes.
    pub max_ratio_ppm: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
    /// When a window is stopped before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_burn: Option<FastBurn>,
}

/// One phase; a plan has all four, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Phase {
    /// The shadow migration; without `command` it is passed at once.
    Migrate {
        /// `migrate`.
        id: String,
        /// On a copy, or beside what stable uses.
        mode: MigrationMode,
        /// Arguments to the candidate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<Vec<String>>,
        /// Whether stable can run on the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<MigrationClass>,
        /// The backup that a contracting migration relies on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
        /// How long it may take.
        timeout_seconds: u64,
    },
    /// The candidate is started and probed, without traffic.
    Warmup {
        /// `warmup`.
        id: String,
        /// What is probed.
        http_get: HttpGet,
        /// How often.
        period_seconds: u64,
        /// How many answers in a row make it ready.
        consecutive_successes: u64,
        /// How slow the slowest of them may be.
        probe_latency_max_ms: u64,
        /// How long it may take.
        timeout_seconds: u64,
    },
    /// Traffic moves, step by step.
    Shift {
        /// `shift`.
        id: String,
        /// The steps.
        steps: Vec<Step>,
    },
    /// 100 % is watched.
    Monitor {
        /// `monitor`.
        id: String,
        /// How long.
        window_seconds: u64,
        /// How often an inconclusive window is extended.
        max_extensions: u64,
        /// The budgets that are judged.
        objectives: Vec<String>,
    },
}

/// The only mode of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MigrationMode {
    /// On a copy, or beside what stable uses.
    Shadow,
}

/// Whether the stable version can run on what a migration leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MigrationClass {
    /// It can.
    Expand,
    /// It cannot.
    Contract,
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGet {
    /// The path; the host is the executor's.
    pub path: String,
}

/// One step of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Counted from 0.
    pub index: u64,
    /// Both weights; they sum to 100.
    pub backend_refs: Vec<BackendRef>,
    /// How long after the weight is confirmed the window opens.
    pub settle_seconds: u64,
    /// How long it is observed; the last step's window is the monitor phase's.
    pub window_seconds: u64,
    /// How often an inconclusive window is extended.
    pub max_extensions: u64,
    /// The budgets that are judged.
    pub objectives: Vec<String>,
}

/// A slot and its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendRef {
    /// The slot.
    pub name: Slot,
    /// Its weight in percent.
    pub weight: u64,
}

/// The two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The version serving.
    Stable,
    /// The version on trial.
    Candidate,
}

/// When a rollout pauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseCondition {
    /// Its name.
    pub id: String,
    /// In which phases, by id.
    pub phases: Vec<String>,
    /// For which causes; an operator's pause needs no condition.
    #[serde(deserialize_with = "cause::planned")]
    pub causes: Vec<Cause>,
    /// What to do about it.
    pub recommend: Recommendation,
}

/// What to do about a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Recommendation {
    /// Back to stable.
    Rollback,
    /// Look first.
    Investigate,
}

/// `rollback` of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// Everything to stable.
    pub backend_refs: Vec<BackendRef>,
    /// How long a pause may last before it becomes a rollback.
    pub pause_deadline_seconds: u64,
    /// The same for a pause by an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_pause_deadline_seconds: Option<u64>,
    /// How long a commanded weight may take to be read back.
    pub confirm_within_seconds: u64,
    /// How long the candidate is drained before its connections are closed.
    pub drain_within_seconds: u64,
    /// What becomes of the migrated schema.
    pub schema: SchemaFate,
    /// What is done, in order.
    pub actions: Vec<RollbackAction>,
}

/// What becomes of the migrated schema: no migration is ever run backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaFate {
    /// It stays.
    Keep,
}

/// One action of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RollbackAction {
    /// Weights as `backendRefs` say.
    SetWeights,
    /// Read them back.
    VerifyReadback,
    /// Wait until nothing is in flight.
    DrainCandidate,
    /// Stop it.
    StopCandidate,
    /// Say so in the log.
    RecordAudit,
}
