//! A scenario as a person writes it; every member checked by the types, the numbers by the reader.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::RolloutSection;
use crate::plan::members::ApiVersion;
use crate::yaml::Spanned;

use super::{Ask, Ends, Expected, Metrics};

/// A scenario as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub(super) struct Document {
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    #[expect(dead_code, reason = "checked by its type")]
    kind: Kind,
    /// Its name.
    pub(super) name: String,
    /// What it shows.
    pub(super) about: String,
    /// The seed of all chance; default 1.
    #[serde(default = "one")]
    pub(super) seed: u64,
    /// The rollout, as `rollout:` of laforge.yaml; flags go before it.
    #[serde(default)]
    pub(super) rollout: RolloutSection,
    /// The requests.
    #[serde(default)]
    pub(super) traffic: TrafficSection,
    /// How the version on trial does.
    #[serde(default)]
    pub(super) candidate: SlotSection,
    /// How the version serving does.
    #[serde(default)]
    pub(super) stable: SlotSection,
    /// How the migration goes.
    #[serde(default)]
    pub(super) migration: MigrationSection,
    /// How the candidate starts.
    #[serde(default)]
    pub(super) warmup: WarmupSection,
    /// How fast weights are set; a driver slower than `confirmWithinSeconds` fails.
    #[serde(default)]
    pub(super) driver: DriverSection,
    /// What happens, and when.
    #[serde(default)]
    #[schemars(with = "Vec<EventSection>")]
    pub(super) events: Vec<Spanned<EventSection>>,
    /// How it has to end.
    pub(super) expect: Option<Expected>,
}

fn one() -> u64 {
    1
}

/// `kind` of a scenario.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// The only one.
    Scenario,
}

/// A number that is read as it is spelled.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "stands for a scalar in the JSON Schema only")]
pub(super) enum Number {
    Number(f64),
    Text(String),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TrafficSection {
    /// Requests per second, over both versions; default 60.
    #[schemars(with = "Option<Number>")]
    pub(super) requests_per_second: Option<Spanned<String>>,
    /// How often both versions are scraped; default 5.
    #[schemars(with = "Option<u64>")]
    pub(super) scrape_seconds: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SlotSection {
    /// The share of requests that fail, e.g. 0.05; default 0.004.
    #[schemars(with = "Option<Number>")]
    pub(super) errors: Option<Spanned<String>>,
    /// The share of requests that are slower than the budget; default 0.002.
    #[schemars(with = "Option<Number>")]
    pub(super) slow: Option<Spanned<String>>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Does {
    /// It begins again, its counters with it.
    Restarts,
    /// It ends.
    Exits,
}

/// How the migration goes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct MigrationSection {
    /// How long it takes.
    pub(super) seconds: u64,
    /// How it ends.
    pub(super) ends: Ends,
}

impl Default for MigrationSection {
    fn default() -> Self {
        Self { seconds: 40, ends: Ends::Well }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct WarmupSection {
    /// How long the candidate takes until it answers.
    pub(super) seconds: u64,
    /// How fast it answers then.
    pub(super) probe_ms: u64,
}

impl Default for WarmupSection {
    fn default() -> Self {
        Self { seconds: 12, probe_ms: 40 }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct DriverSection {
    /// How long a weight takes.
    pub(super) seconds: u64,
}

impl Default for DriverSection {
    fn default() -> Self {
        Self { seconds: 2 }
    }
}

/// Something that happens: one member or more beside `at`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventSection {
    /// How long after the start, e.g. 5m30s.
    pub(super) at: String,
    /// The candidate does otherwise from now on.
    pub(super) candidate: Option<ChangeSection>,
    /// Stable does.
    pub(super) stable: Option<ChangeSection>,
    /// So many requests per second from now on.
    #[schemars(with = "Option<Number>")]
    pub(super) requests_per_second: Option<String>,
    /// The proxy.
    pub(super) proxy: Option<Restarts>,
    /// Somebody else gives the candidate this weight, in percent.
    pub(super) writer: Option<u64>,
    /// From now on a weight takes so many seconds.
    pub(super) driver_seconds: Option<u64>,
    /// The metrics.
    pub(super) metrics: Option<Metrics>,
    /// The guard.
    pub(super) guard: Option<Restarts>,
    /// Somebody asks for something.
    pub(super) operator: Option<AskSection>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangeSection {
    /// The share of requests that fail.
    #[schemars(with = "Option<Number>")]
    pub(super) errors: Option<String>,
    /// The share of requests that are slower than the budget.
    #[schemars(with = "Option<Number>")]
    pub(super) slow: Option<String>,
    /// What its process does.
    pub(super) does: Option<Does>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Restarts {
    /// It begins again and knows nothing.
    Restarts,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskSection {
    /// For what.
    pub(super) asks: Ask,
    /// Who.
    pub(super) actor: String,
    /// Why.
    pub(super) reason: String,
}
