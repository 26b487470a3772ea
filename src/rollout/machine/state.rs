//! Where a rollout stands: the whole of it, so that a journal's line needs no other.
//!
//! The step under way is the number of windows passed: a state that has skipped one can't be written.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::Cause;

/// A share of traffic in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Weight(u8);

impl Weight {
    /// No traffic.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const FULL: Self = Self(100);
    /// All but a trace.
    pub const ALMOST_FULL: Self = Self(99);

    /// A weight, if it is one: 0 to 100.
    pub fn new(percent: u64) -> Option<Self> {
        u8::try_from(percent).ok().filter(|percent| *percent <= 100).map(Self)
    }

    /// In percent.
    pub fn percent(self) -> u64 {
        self.0.into()
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// A number that is no share of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no weight: 0 to 100 percent")]
pub struct NoWeight(u64);

impl TryFrom<u64> for Weight {
    type Error = NoWeight;

    fn try_from(percent: u64) -> Result<Self, NoWeight> {
        Self::new(percent).ok_or(NoWeight(percent))
    }
}

impl From<Weight> for u64 {
    fn from(weight: Weight) -> Self {
        weight.percent()
    }
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// What is going on.
    pub stage: Stage,
    /// The candidate's weight as last commanded.
    pub target: Weight,
    /// The candidate's weight as last read back.
    pub actual: Weight,
    /// How many windows were passed, in order: the step under way is this one.
    pub passed: usize,
    /// The fencing token of commands: what bears an older one is dropped by drivers.
    pub epoch: u64,
    /// How many windows were opened; the newest one's id.
    pub windows: u64,
}

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "name", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Stage {
    /// The plan is accepted and stored, nothing touched.
    Planned,
    /// The shadow migration runs; without a command it is passed at once.
    Migrating {
        /// When it has taken too long.
        deadline: Timestamp,
    },
    /// The candidate is started and probed, without traffic.
    WarmingUp {
        /// When it has taken too long.
        deadline: Timestamp,
    },
    /// A weight is commanded and not read back yet.
    Applying {
        /// When it has taken too long.
        deadline: Timestamp,
    },
    /// The weight is read back, its window open: all steps but the last.
    Observing {
        /// The window.
        window: Window,
    },
    /// 100 is read back, the last window open.
    Monitoring {
        /// The window.
        window: Window,
    },
    /// Frozen, until somebody answers or its deadline.
    Paused {
        /// Why, since when, until when.
        pause: Pause,
    },
    /// Back to 0, until it is read back and drained.
    RollingBack {
        /// How far it has come.
        retreat: Retreat,
    },
    /// The candidate has all traffic, and was watched with it.
    Completed,
    /// The candidate has none.
    RolledBack,
    /// Never started.
    Expired,
}

/// An observation window; its id is the state's count of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// From when requests count: after the settling.
    pub opens: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// How often it was extended.
    pub extensions: u64,
}

/// A freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// Where it came from, and a resume leads back to.
    pub from: Phase,
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Timestamp,
    /// When it becomes a rollback, if nobody answers; an operator's pause may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// The phase that was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// The migration.
    Migrating,
    /// The start of the candidate.
    WarmingUp,
    /// A command.
    Applying,
    /// A step's window.
    Observing,
    /// The last window.
    Monitoring,
}

/// A rollback under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retreat {
    /// How far it has come.
    pub leg: Leg,
    /// From when on every failure is an alarm.
    pub alarm_at: Timestamp,
    /// How often 0 was commanded again.
    pub attempts: u32,
}

/// How far a rollback has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "leg", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Leg {
    /// 0 is commanded and not read back.
    Lowering {
        /// When it has taken too long.
        deadline: Timestamp,
    },
    /// 0 is read back; connections end.
    Draining {
        /// When they are closed.
        deadline: Timestamp,
    },
}

impl State {
    /// A plan that nobody has started.
    pub const fn planned() -> Self {
        Self {
            stage: Stage::Planned,
            target: Weight::ZERO,
            actual: Weight::ZERO,
            passed: 0,
            epoch: 0,
            windows: 0,
        }
    }
}

impl Stage {
    /// Whether nothing follows.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::RolledBack | Self::Expired)
    }

    /// Whether it is between its start and its end.
    pub fn is_live(&self) -> bool {
        !self.is_terminal() && !matches!(self, Self::Planned)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Migrating { .. } => "Migrating",
            Self::WarmingUp { .. } => "WarmingUp",
            Self::Applying { .. } => "Applying",
            Self::Observing { .. } => "Observing",
            Self::Monitoring { .. } => "Monitoring",
            Self::Paused { .. } => "Paused",
            Self::RollingBack { .. } => "RollingBack",
            Self::Completed => "Completed",
            Self::RolledBack => "RolledBack",
            Self::Expired => "Expired",
        }
    }

    /// The open window, if one is.
    pub fn window(&self) -> Option<&Window> {
        match self {
            Self::Observing { window } | Self::Monitoring { window } => Some(window),
            _ => None,
        }
    }

    /// The pause, if it is one.
    pub fn pause(&self) -> Option<&Pause> {
        match self {
            Self::Paused { pause } => Some(pause),
            _ => None,
        }
    }

    /// The deadline that the clock watches, if there is one.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Migrating { deadline } | Self::WarmingUp { deadline } | Self::Applying { deadline } => {
                Some(*deadline)
            }
            Self::Paused { pause } => pause.deadline,
            Self::RollingBack { retreat } => match retreat.leg {
                Leg::Lowering { deadline } | Leg::Draining { deadline } => Some(deadline),
            },
            _ => None,
        }
    }
}

/// So many seconds later; at the end of time there is no later.
pub(super) fn later(at: Timestamp, seconds: u64) -> Timestamp {
    let span = i64::try_from(seconds).ok().and_then(Duration::try_seconds);
    span.and_then(|span| at.checked_add_signed(span)).unwrap_or(Timestamp::MAX_UTC)
}
