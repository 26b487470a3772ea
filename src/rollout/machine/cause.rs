//! Why a rollout is paused: one enum everywhere.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::members::{self, Recommendation};

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

impl From<members::Cause> for Cause {
    fn from(cause: members::Cause) -> Self {
        match cause {
            members::Cause::Migration => Self::Migration,
            members::Cause::Health => Self::Health,
            members::Cause::Breach => Self::Breach,
            members::Cause::Missing => Self::Missing,
            members::Cause::Inconclusive => Self::Inconclusive,
            members::Cause::Environment => Self::Environment,
            members::Cause::Drift => Self::Drift,
            members::Cause::Driver => Self::Driver,
            members::Cause::Expired => Self::Expired,
        }
    }
}
