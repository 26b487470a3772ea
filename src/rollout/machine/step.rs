//! What follows from an event: the next state, commands, an entry for the log, and the journal's word.

use serde::{Deserialize, Serialize};

use super::{Cause, Milestone, Row, State, Weight};

/// What follows from one event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what is journaled has to be done, and what is done journaled"]
pub struct Step {
    /// The next state.
    pub next: State,
    /// What to do, in order, once the line is durable.
    pub commands: Vec<Command>,
    /// What the audit log has to say. A raise waits for it; pausing and lowering never do.
    pub entry: Option<Milestone>,
    /// What the journal says.
    pub outcome: Outcome,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "do", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Command {
    /// Drop everything that bears an older epoch.
    Fence {
        /// The epoch.
        epoch: u64,
    },
    /// Run the migration.
    RunMigration,
    /// There is none: it has succeeded.
    SkipMigration,
    /// Kill the migration's process group.
    KillMigration,
    /// Bring the candidate to a size, in percent of stable's.
    Scale {
        /// The size.
        percent: u64,
    },
    /// Start the candidate and probe it.
    StartCandidate,
    /// Give the candidate a weight and read it back.
    SetWeight {
        /// The weight.
        weight: Weight,
        /// The fencing token.
        epoch: u64,
        /// How long to wait first: a driver that failed is not hammered.
        after_seconds: u64,
    },
    /// Close the candidate's connections.
    CloseConnections,
    /// Stop the candidate.
    StopCandidate,
    /// Wake somebody.
    Alarm {
        /// What for.
        alarm: Alarm,
    },
}

/// What somebody is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// A paused candidate has more traffic than it may have.
    AboveTarget,
    /// A rollback is not read back in time.
    NotLowered,
}

/// What the journal says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A row took it.
    Applied(Row),
    /// It is true, and too late.
    Ignored(Ignored),
    /// No row takes it, or a guard does not hold.
    Refused(Refusal),
}

/// Why an event is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// T22.
    #[error("of an older epoch")]
    Epoch,
    /// T22.
    #[error("of an older window")]
    Window,
    /// T24.
    #[error("already journaled")]
    Repeated,
}

/// Why an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// T25: nothing follows a terminal state.
    #[error("the rollout has ended")]
    Ended,
    /// T25: no row of the table takes it here.
    #[error("nothing is to be done about it here")]
    NoRow,
    /// T1.
    #[error("the plan may not be started yet")]
    NotBefore,
    /// T1, T16, T17.
    #[error("the plan has ended")]
    NotAfter,
    /// T1.
    #[error("the candidate has traffic already")]
    Traffic,
    /// T1.
    #[error("what runs is not what the plan replaces")]
    Stable,
    /// T9, T10, T12, T13, and every deadline.
    #[error("it is too early for that")]
    Early,
    /// T5.
    #[error("too few probes in a row succeeded")]
    Probes,
    /// T9, T10: a pass without a count that passes for each objective is none.
    #[error("the counts do not show a pass for each objective")]
    Evidence,
    /// T17.
    #[error("the cause `{0}` is not cleared")]
    NotCleared(Cause),
    /// T20.
    #[error("connections or requests are left at the candidate")]
    NotDrained,
    /// T20, T21: there is no way out of a rollback but its end.
    #[error("the rollout is on its way back")]
    RollingBack,
}

impl Step {
    /// The same state again: true, and too late.
    pub(super) fn ignored(state: &State, why: Ignored) -> Self {
        Self { next: state.clone(), commands: Vec::new(), entry: None, outcome: Outcome::Ignored(why) }
    }

    /// The same state again.
    pub(super) fn refused(state: &State, why: Refusal) -> Self {
        Self { next: state.clone(), commands: Vec::new(), entry: None, outcome: Outcome::Refused(why) }
    }
}
