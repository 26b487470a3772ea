//! Why a rollout is paused: one enum everywhere.
//!
//! In: a word of a plan, an event or an entry. Out: a [`Cause`], and what it recommends. Spec: `rollout.md`
//! section 2, "Causes".

use std::fmt;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::members::Recommendation;

/// Why a rollout is paused. A plan's own causes, and an operator's word, which needs no condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The migration failed, or nobody knows how it ended.
    Migration,
    /// The candidate is not well.
    Health,
    /// A budget is spent.
    Breach,
    /// A series is absent.
    Missing,
    /// Too little was seen.
    Inconclusive,
    /// Stable is not well either.
    Environment,
    /// Another weight than commanded.
    Drift,
    /// A driver did not answer.
    Driver,
    /// The plan has ended.
    Expired,
    /// Somebody asked for it.
    Operator,
}

impl Cause {
    /// What to do about it.
    pub fn recommends(self) -> Recommendation {
        match self {
            Self::Migration | Self::Health | Self::Breach => Recommendation::Rollback,
            Self::Missing
            | Self::Inconclusive
            | Self::Environment
            | Self::Drift
            | Self::Driver
            | Self::Expired
            | Self::Operator => Recommendation::Investigate,
        }
    }

    /// The word for it, in events, entries and plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Migration => "migration",
            Self::Health => "health",
            Self::Breach => "breach",
            Self::Missing => "missing",
            Self::Inconclusive => "inconclusive",
            Self::Environment => "environment",
            Self::Drift => "drift",
            Self::Driver => "driver",
            Self::Expired => "expired",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The causes of a plan's own pause conditions: an operator's pause needs none.
pub(super) fn planned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cause>, D::Error> {
    let causes: Vec<Cause> = Vec::deserialize(deserializer)?;
    match causes.contains(&Cause::Operator) {
        true => Err(D::Error::custom("`operator` is no condition of a plan: anybody may pause at any time")),
        false => Ok(causes),
    }
}
