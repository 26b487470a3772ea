//! What happens in a simulated rollout: `kind: Scenario`, as a person writes it.
//!
//! In: YAML, read strictly. Out: a [`Scenario`], every number exact, or the place of the mistake.
//! What is not said is a good day: 60 requests a second, both sides at a fifth of the usual budget.

mod written;

use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::RolloutSection;
use crate::plan::exact;
use crate::rollout::machine::{Cause, Operator, State, Weight};
use crate::time::duration;
use crate::yaml::{self, DocumentError, Source, Spanned};

use written::{ChangeSection, Document, Does, EventSection, Restarts, SlotSection};

const MILLION: u64 = 1_000_000;
/// More than a simulation can count one by one: 100 000 requests per second, in thousandths.
const MOST_TRAFFIC: u64 = 100_000_000;

/// How a migration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// It succeeds.
    Well,
    /// It fails.
    Badly,
    /// It does not end.
    Never,
}

/// Whether there are metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// From now on there are none.
    Vanish,
    /// From now on there are.
    Return,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// To freeze.
    Pause,
    /// To go on.
    Resume,
    /// To go back.
    Rollback,
}

/// How a rollout has to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// The state.
    pub state: String,
    /// The cause of the last pause, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The highest weight that the candidate ever had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest_weight: Option<u64>,
}

/// The shares of a version's requests that are bad, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// That fail.
    pub errors: u64,
    /// That are slower than the budget.
    pub slow: u64,
}

/// Rates that change, and those that don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatesChange {
    /// That fail.
    pub errors: Option<u64>,
    /// That are slow.
    pub slow: Option<u64>,
}

/// The two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// On trial.
    Candidate,
    /// Serving.
    Stable,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A version does otherwise.
    Rates(Which, RatesChange),
    /// A version's process begins again.
    ProcessRestarts(Which),
    /// It ends.
    ProcessExits(Which),
    /// Other traffic, in thousandths of a request per second.
    Traffic(u64),
    /// The proxy forgets its weights.
    ProxyRestarts,
    /// Somebody else sets one.
    Writer(Weight),
    /// Weights take so many seconds.
    Driver(u64),
    /// Metrics come or go.
    Metrics(Metrics),
    /// The guard begins again.
    GuardRestarts,
    /// Somebody asks for something.
    Asks(Ask, Operator),
}

/// What happens in a simulated rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The seed of all chance.
    pub seed: u64,
    /// Thousandths of a request per second.
    pub traffic: u64,
    /// How often both versions are scraped.
    pub scrape_seconds: u64,
    /// How the version on trial does.
    pub candidate: Rates,
    /// How the version serving does.
    pub stable: Rates,
    /// How long the migration takes, and how it ends.
    pub migration: (u64, Ends),
    /// How long the candidate takes until it answers.
    pub warmup_seconds: u64,
    /// How fast it answers then.
    pub probe_ms: u64,
    /// How long a weight takes.
    pub driver_seconds: u64,
    /// What happens, by time.
    pub changes: Vec<(Duration, Change)>,
    /// How it has to end.
    pub expect: Option<Expected>,
}

impl Default for Scenario {
    fn default() -> Self {
        let good = Rates { errors: 4_000, slow: 2_000 };
        Self {
            name: "a good day".to_owned(),
            about: "nothing happens".to_owned(),
            seed: 1,
            traffic: 60_000,
            scrape_seconds: 5,
            candidate: good,
            stable: good,
            migration: (40, Ends::Well),
            warmup_seconds: 12,
            probe_ms: 40,
            driver_seconds: 2,
            changes: Vec::new(),
            expect: None,
        }
    }
}

/// The JSON Schema of a scenario.
pub fn schema() -> schemars::Schema {
    yaml::schema_of::<Document>()
}

impl Scenario {
    /// Reads a scenario, and the rollout that it is of.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn read(source: &Source) -> Result<(Self, RolloutSection), DocumentError> {
        let document: Document = source.read()?;
        let usual = Self::default();
        let mut changes = Vec::new();
        for event in &document.events {
            changes.extend(happenings(event, source)?);
        }
        changes.sort_by_key(|(at, _)| *at);
        let traffic = match &document.traffic.requests_per_second {
            Some(text) => rate(&text.value).ok_or_else(|| source.error_at(text, no_rate(&text.value)))?,
            None => usual.traffic,
        };
        let scrape_seconds = match &document.traffic.scrape_seconds {
            Some(seconds) if !(1..=60).contains(&seconds.value) => {
                return Err(source.error_at(seconds, "`scrapeSeconds` is 1 to 60"));
            }
            Some(seconds) => seconds.value,
            None => usual.scrape_seconds,
        };
        let scenario = Self {
            seed: document.seed,
            traffic,
            scrape_seconds,
            candidate: rates(&document.candidate, usual.candidate, source)?,
            stable: rates(&document.stable, usual.stable, source)?,
            migration: (document.migration.seconds, document.migration.ends),
            warmup_seconds: document.warmup.seconds,
            probe_ms: document.warmup.probe_ms,
            driver_seconds: document.driver.seconds,
            changes,
            expect: document.expect,
            name: document.name,
            about: document.about,
        };
        Ok((scenario, document.rollout))
    }
}

impl Expected {
    /// Whether a rollout ended so.
    pub fn holds(&self, end: &State, cause: Option<Cause>, highest: Weight) -> bool {
        self.state == end.stage.name()
            && (self.cause.is_none() || self.cause == cause)
            && self.highest_weight.is_none_or(|weight| weight == highest.percent())
    }
}

/// Requests per second, in thousandths.
fn rate(text: &str) -> Option<u64> {
    exact::decimal(text, 3).filter(|traffic| *traffic <= MOST_TRAFFIC)
}

fn no_rate(text: &str) -> String {
    format!("`{text}` is no number of requests per second up to 100000")
}

/// A share of requests: 0 to 1, at most six places.
fn share(text: &str) -> Option<u64> {
    exact::decimal(text, 6).filter(|ppm| *ppm <= MILLION)
}

fn no_share(text: &str) -> String {
    format!("`{text}` is no share of requests such as 0.05")
}

fn rates(section: &SlotSection, usual: Rates, source: &Source) -> Result<Rates, DocumentError> {
    let read = |text: &Option<Spanned<String>>, usual: u64| match text {
        Some(text) => share(&text.value).ok_or_else(|| source.error_at(text, no_share(&text.value))),
        None => Ok(usual),
    };
    Ok(Rates { errors: read(&section.errors, usual.errors)?, slow: read(&section.slow, usual.slow)? })
}

/// What one event makes happen.
fn happenings(
    event: &Spanned<EventSection>,
    source: &Source,
) -> Result<Vec<(Duration, Change)>, DocumentError> {
    let wrong = |message: String| source.error_at(event, message);
    let section = &event.value;
    let at = duration::parse(&section.at)
        .ok_or_else(|| wrong(format!("`{}` is no time after the start such as 5m30s", section.at)))?;
    let mut changes = Vec::new();
    for (which, change) in [(Which::Candidate, &section.candidate), (Which::Stable, &section.stable)] {
        changes.extend(slot_changes(which, change.as_ref()).map_err(&wrong)?);
    }
    if let Some(text) = &section.requests_per_second {
        let traffic = rate(text).ok_or_else(|| wrong(no_rate(text)))?;
        changes.push(Change::Traffic(traffic));
    }
    changes.extend(section.proxy.map(|Restarts::Restarts| Change::ProxyRestarts));
    if let Some(percent) = section.writer {
        let weight = Weight::new(percent).ok_or_else(|| wrong(format!("`{percent}` is no weight")))?;
        changes.push(Change::Writer(weight));
    }
    changes.extend(section.driver_seconds.map(Change::Driver));
    changes.extend(section.metrics.map(Change::Metrics));
    changes.extend(section.guard.map(|Restarts::Restarts| Change::GuardRestarts));
    if let Some(ask) = &section.operator {
        let operator = Operator::new(&ask.actor, &ask.reason).map_err(|error| wrong(error.to_string()))?;
        changes.push(Change::Asks(ask.asks, operator));
    }
    match changes.is_empty() {
        true => Err(wrong("nothing happens in this event".to_owned())),
        false => Ok(changes.into_iter().map(|change| (at, change)).collect()),
    }
}

fn slot_changes(which: Which, section: Option<&ChangeSection>) -> Result<Vec<Change>, String> {
    let Some(section) = section else { return Ok(Vec::new()) };
    let read = |text: &Option<String>| match text {
        Some(text) => share(text).map(Some).ok_or_else(|| no_share(text)),
        None => Ok(None),
    };
    let change = RatesChange { errors: read(&section.errors)?, slow: read(&section.slow)? };
    let mut changes = Vec::new();
    if change.errors.is_some() || change.slow.is_some() {
        changes.push(Change::Rates(which, change));
    }
    changes.extend(section.does.map(|does| match does {
        Does::Restarts => Change::ProcessRestarts(which),
        Does::Exits => Change::ProcessExits(which),
    }));
    Ok(changes)
}
