//! What happens to a rollout: one event per word of the table, typed.
//!
//! Where a row says "now", the event brings the reading: whoever sends it reads first. An event's
//! `epoch` is the one that its sender knew; the journal adds ids, sources and times.

use serde::{Deserialize, Serialize};

use crate::rollout::objective::Measured;

use super::Weight;

/// An event and the epoch in which its sender saw the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Occurrence {
    /// The epoch.
    pub epoch: u64,
    /// The event.
    pub event: Event,
}

/// Somebody who asks for something, and why: neither is ever empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Request", rename_all = "camelCase")]
pub struct Operator {
    actor: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    actor: String,
    reason: String,
}

/// A request without a name or without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request needs an actor and a reason")]
pub struct Unreasoned;

impl Operator {
    /// Somebody with a reason.
    ///
    /// # Errors
    /// [`Unreasoned`] where either is empty.
    pub fn new(actor: &str, reason: &str) -> Result<Self, Unreasoned> {
        let (actor, reason) = (actor.trim(), reason.trim());
        if actor.is_empty() || reason.is_empty() {
            return Err(Unreasoned);
        }
        Ok(Self { actor: actor.to_owned(), reason: reason.to_owned() })
    }

    /// Who.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl TryFrom<Request> for Operator {
    type Error = Unreasoned;

    fn try_from(request: Request) -> Result<Self, Unreasoned> {
        Self::new(&request.actor, &request.reason)
    }
}

/// Whether what runs is what the plan names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Runs {
    /// The digests of the plan.
    AsPlanned,
    /// Others.
    Other,
}

/// How stable did in the same window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StableSide {
    /// Within the budget, or nobody knows.
    Within,
    /// It breaches too.
    Breaching,
}

/// Whether each series has a sample that was taken for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Series {
    /// Each has.
    Fresh,
    /// One has none, or nobody asked.
    Absent,
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Event {
    /// The plan is accepted here, the target's lock is held: begin.
    Start {
        /// The candidate's weight, read now.
        readback: Weight,
        /// Whether what serves is what the plan replaces.
        stable: Runs,
    },
    /// A plan that was not started is given up.
    Cancel(Operator),
    /// The migration ended well, or there was none.
    MigrationSucceeded,
    /// It did not.
    MigrationFailed,
    /// What was waited for did not come in time.
    Timeout,
    /// The last probes of the candidate, all of them answered.
    HealthReport {
        /// How many in a row.
        successes: u64,
        /// The slowest of them.
        slowest_ms: u64,
        /// What runs.
        runs: Runs,
        /// The candidate's weight, read now.
        readback: Weight,
    },
    /// The candidate exited, or another digest runs.
    HealthFailed,
    /// The probes were answered, one of them too slowly.
    LatencyBudgetExceeded,
    /// A commanded weight was read back.
    WeightConfirmed {
        /// The weight.
        weight: Weight,
    },
    /// Another weight than the commanded one was read back.
    WeightMismatch {
        /// The weight.
        weight: Weight,
    },
    /// A driver failed.
    DriverError,
    /// A window is passed.
    WindowVerdict {
        /// The window.
        window: u64,
        /// What was counted, for each objective of the step.
        measured: Vec<Measured>,
        /// The candidate's weight, read now.
        readback: Weight,
    },
    /// A budget is spent, whenever that came to light.
    Breach {
        /// The window in which.
        window: u64,
        /// The objective.
        objective: String,
        /// How stable did.
        stable: StableSide,
    },
    /// A window ended, neither passed nor breached.
    WindowEnd {
        /// The window.
        window: u64,
    },
    /// A series is absent.
    MetricsMissing {
        /// The window.
        window: u64,
    },
    /// A reading that nobody commanded.
    Drift {
        /// The weight.
        weight: Weight,
    },
    /// Somebody asks for a freeze.
    Pause(Operator),
    /// Somebody asks to go on.
    Resume {
        /// Who and why.
        operator: Operator,
        /// The candidate's weight, read for this request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        readback: Option<Weight>,
        /// Whether the series are there, asked for this request.
        series: Series,
    },
    /// Nobody answered a pause.
    PauseDeadline,
    /// Somebody asks to go back.
    Rollback(Operator),
    /// A reading of what is left at the candidate.
    Drained {
        /// Its weight.
        weight: Weight,
        /// Its connections.
        connections: u64,
        /// Its requests in flight.
        in_flight: u64,
    },
    /// The guard was restarted.
    Replay {
        /// The candidate's weight, read before any command.
        readback: Weight,
    },
}

/// Who may send an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A person.
    Operator,
    /// What sets and reads weights, and what runs commands.
    Driver,
    /// What counts.
    Metrics,
    /// What probes.
    Health,
    /// Time.
    Clock,
    /// The guard itself.
    Guard,
}

/// Whether an event moves a rollout on, or holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It moves on: counts only in its own epoch.
    Good,
    /// It holds, or lowers: counts whenever it comes.
    Bad,
}

impl Event {
    /// Where it comes from.
    pub fn source(&self) -> Source {
        match self {
            Self::Start { .. } | Self::Replay { .. } => Source::Guard,
            Self::Cancel(_) | Self::Pause(_) | Self::Resume { .. } | Self::Rollback(_) => Source::Operator,
            Self::MigrationSucceeded
            | Self::MigrationFailed
            | Self::WeightConfirmed { .. }
            | Self::WeightMismatch { .. }
            | Self::DriverError
            | Self::Drift { .. }
            | Self::Drained { .. } => Source::Driver,
            Self::WindowVerdict { .. }
            | Self::Breach { .. }
            | Self::WindowEnd { .. }
            | Self::MetricsMissing { .. } => Source::Metrics,
            Self::HealthReport { .. } | Self::HealthFailed | Self::LatencyBudgetExceeded => Source::Health,
            Self::Timeout | Self::PauseDeadline => Source::Clock,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "Start",
            Self::Cancel(_) => "Cancel",
            Self::MigrationSucceeded => "MigrationSucceeded",
            Self::MigrationFailed => "MigrationFailed",
            Self::Timeout => "Timeout",
            Self::HealthReport { .. } => "HealthReport",
            Self::HealthFailed => "HealthFailed",
            Self::LatencyBudgetExceeded => "LatencyBudgetExceeded",
            Self::WeightConfirmed { .. } => "WeightConfirmed",
            Self::WeightMismatch { .. } => "WeightMismatch",
            Self::DriverError => "DriverError",
            Self::WindowVerdict { .. } => "WindowVerdict",
            Self::Breach { .. } => "Breach",
            Self::WindowEnd { .. } => "WindowEnd",
            Self::MetricsMissing { .. } => "MetricsMissing",
            Self::Drift { .. } => "Drift",
            Self::Pause(_) => "Pause",
            Self::Resume { .. } => "Resume",
            Self::PauseDeadline => "PauseDeadline",
            Self::Rollback(_) => "Rollback",
            Self::Drained { .. } => "Drained",
            Self::Replay { .. } => "Replay",
        }
    }

    /// Whether it moves a rollout on. A window's inconclusive end only ever extends or pauses it, and
    /// still it is of one window: an old one's says nothing.
    pub(super) fn news(&self) -> News {
        match self {
            Self::Start { .. }
            | Self::MigrationSucceeded
            | Self::HealthReport { .. }
            | Self::WeightConfirmed { .. }
            | Self::WindowVerdict { .. }
            | Self::WindowEnd { .. }
            | Self::Resume { .. }
            | Self::Drained { .. } => News::Good,
            _ => News::Bad,
        }
    }
}
