//! What a person writes about a rollout: `rollout:` in `laforge.yaml`, and the flags.
//!
//! Members and flags: the table of `rollout.md` section 3. Budgets stay text until they are read
//! exactly ([`exact`](crate::plan::exact)).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::members::{MigrationClass, RatioMetric};
use crate::yaml::Spanned;

/// `rollout:` of `laforge.yaml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutSection {
    /// The id that executors are configured with; default the environment's name.
    #[schemars(with = "Option<String>", extend("pattern" = "^[a-z0-9][a-z0-9._-]{0,62}$"))]
    pub target: Option<Spanned<String>>,
    /// `bluegreen`, `canary` or `staged`.
    #[schemars(with = "Option<StrategyWord>")]
    pub strategy: Option<Spanned<String>>,
    /// The candidate's weights in percent, rising to 100.
    #[schemars(with = "Option<Vec<u64>>")]
    pub traffic_steps: Option<Spanned<Vec<u64>>>,
    /// Requests slower than this many milliseconds are slow.
    #[schemars(with = "Option<Number>")]
    pub latency_budget_ms: Option<Spanned<String>>,
    /// The share of requests that may not be slow, e.g. 0.99.
    #[schemars(with = "Option<Number>")]
    pub latency_quantile: Option<Spanned<String>>,
    /// The share of requests that may fail, e.g. 0.02.
    #[schemars(with = "Option<Number>")]
    pub error_budget: Option<Spanned<String>>,
    /// How many requests a verdict needs.
    #[serde(default)]
    pub min_samples: MinSamplesSection,
    /// When errors stop a window before its end.
    #[serde(default)]
    pub fast_burn: FastBurnSection,
    /// The series that are counted.
    #[serde(default)]
    pub metrics: MetricsSection,
    /// How long after a weight is confirmed its window opens.
    #[schemars(with = "Option<u64>")]
    pub settle_seconds: Option<Spanned<u64>>,
    /// How long each step but the last is observed.
    #[schemars(with = "Option<u64>")]
    pub window_seconds: Option<Spanned<u64>>,
    /// How often an inconclusive window is extended.
    #[schemars(with = "Option<u64>")]
    pub max_extensions: Option<Spanned<u64>>,
    /// The window after 100 %.
    #[serde(default)]
    pub monitor: MonitorSection,
    /// Requests per second that are expected; lengthens default windows, refuses short ones.
    #[schemars(with = "Option<Number>")]
    pub expected_rps: Option<Spanned<String>>,
    /// The shadow migration.
    #[schemars(with = "Option<MigrationSection>")]
    pub migration: Option<Spanned<MigrationSection>>,
    /// How the candidate is known to be ready.
    #[serde(default)]
    pub readiness: ReadinessSection,
    /// How long a pause may last before it becomes a rollback.
    #[schemars(with = "Option<u64>")]
    pub pause_deadline_seconds: Option<Spanned<u64>>,
    /// The same for a pause by an operator; without it such a pause does not end by itself.
    #[schemars(with = "Option<u64>")]
    pub operator_pause_deadline_seconds: Option<Spanned<u64>>,
    /// How long a commanded weight may take to be read back.
    #[schemars(with = "Option<u64>")]
    pub confirm_within_seconds: Option<Spanned<u64>>,
    /// How long the candidate is drained before its connections are closed.
    #[schemars(with = "Option<u64>")]
    pub drain_within_seconds: Option<Spanned<u64>>,
    /// How long the plan may be started, e.g. 4h; at most 24h.
    #[schemars(with = "Option<String>")]
    pub ttl: Option<Spanned<String>>,
    /// The artifacts that an executor may run; default all images, else all artifacts.
    #[schemars(with = "Option<Vec<String>>")]
    pub deploys: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A number that is read as it is spelled.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "stands for a scalar in the JSON Schema only")]
enum Number {
    Number(f64),
    Text(String),
}

/// The words for a strategy.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "stands for a scalar in the JSON Schema only")]
enum StrategyWord {
    Bluegreen,
    Canary,
    Staged,
}

/// `minSamples:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MinSamplesSection {
    /// For the error budget.
    #[schemars(with = "Option<u64>")]
    pub error: Option<Spanned<u64>>,
    /// For the latency budget.
    #[schemars(with = "Option<u64>")]
    pub latency: Option<Spanned<u64>>,
}

/// `fastBurn:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FastBurnSection {
    /// Over how many seconds it looks.
    #[schemars(with = "Option<u64>")]
    pub lookback_seconds: Option<Spanned<u64>>,
    /// How many times the budget is too much.
    #[schemars(with = "Option<u64>")]
    pub factor: Option<Spanned<u64>>,
    /// How many requests it needs.
    #[schemars(with = "Option<u64>")]
    pub min_samples: Option<Spanned<u64>>,
}

/// `metrics:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsSection {
    /// For the error budget.
    #[schemars(with = "Option<RatioMetric>")]
    pub error: Option<Spanned<RatioMetric>>,
    /// For the latency budget.
    #[schemars(with = "Option<RatioMetric>")]
    pub latency: Option<Spanned<RatioMetric>>,
}

/// `monitor:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitorSection {
    /// How long 100 % is watched.
    #[schemars(with = "Option<u64>")]
    pub window_seconds: Option<Spanned<u64>>,
    /// How often an inconclusive window is extended.
    #[schemars(with = "Option<u64>")]
    pub max_extensions: Option<Spanned<u64>>,
}

/// `migration:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationSection {
    /// Arguments to the candidate; no shell.
    #[schemars(with = "Option<Vec<String>>")]
    pub command: Option<Spanned<Vec<String>>>,
    /// `expand` or `contract`.
    pub class: Option<ClassWord>,
    /// The backup that a contracting migration relies on.
    pub backup: Option<String>,
    /// How long it may take.
    #[schemars(with = "Option<u64>")]
    pub timeout_seconds: Option<Spanned<u64>>,
}

/// A migration class as it is written in `laforge.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassWord {
    /// The stable version can run on the result.
    Expand,
    /// It cannot.
    Contract,
}

impl From<ClassWord> for MigrationClass {
    fn from(word: ClassWord) -> Self {
        match word {
            ClassWord::Expand => Self::Expand,
            ClassWord::Contract => Self::Contract,
        }
    }
}

/// `readiness:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadinessSection {
    /// The path that is probed.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// How often.
    #[schemars(with = "Option<u64>")]
    pub period_seconds: Option<Spanned<u64>>,
    /// How many answers in a row make it ready.
    #[schemars(with = "Option<u64>")]
    pub consecutive_successes: Option<Spanned<u64>>,
    /// How long it may take.
    #[schemars(with = "Option<u64>")]
    pub timeout_seconds: Option<Spanned<u64>>,
}

/// The flags of a rollout, as given: text, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutFlags {
    /// `--strategy`.
    pub strategy: Option<String>,
    /// `--traffic-steps`.
    pub traffic_steps: Option<String>,
    /// `--latency-budget`, in milliseconds.
    pub latency_budget: Option<String>,
    /// `--error-budget`.
    pub error_budget: Option<String>,
    /// `--ttl`.
    pub ttl: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--expected-rps`.
    pub expected_rps: Option<String>,
}
