//! Why a journal can't be opened, continued or believed.

use std::path::PathBuf;

use crate::audit::{AuditError, ExitClass};
use crate::json::JsonError;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::{self, Timestamp};

use super::place::Place;

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A name that is no target's.
    #[error("`{0}` is no target: 1 to 63 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit")]
    Target(String),
    /// Another guard is at work.
    #[error("target `{target}` is held by another guard{}{} (`{}`)", holder(*pid), since_when(*since), path.display())]
    Held {
        /// The target.
        target: String,
        /// Its lock.
        path: PathBuf,
        /// The other guard's process, as it wrote it down.
        pid: Option<u32>,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// The lock is another target's.
    #[error("the plan is for target `{target}`, but `{lock}` is the one that is locked")]
    OtherTarget {
        /// The plan's.
        target: String,
        /// The lock's.
        lock: String,
    },
    /// There is none.
    #[error("plan {plan} has no journal at `{}`", path.display())]
    Absent {
        /// The plan.
        plan: ClaimedDigest,
        /// Where it would be.
        path: PathBuf,
    },
    /// There is one.
    #[error("plan {plan} has a journal at `{}` already", path.display())]
    Exists {
        /// The plan.
        plan: ClaimedDigest,
        /// Where.
        path: PathBuf,
    },
    /// A target runs one plan at a time.
    #[error("plan {plan} is not ended at target `{target}`")]
    AnotherOpen {
        /// The target.
        target: String,
        /// The plan.
        plan: ClaimedDigest,
    },
    /// A target that runs two plans.
    #[error("target `{target}` has two plans that are not ended: {one} and {other}")]
    TwoOpen {
        /// The target.
        target: String,
        /// One.
        one: ClaimedDigest,
        /// Another.
        other: ClaimedDigest,
    },
    /// The envelope is not a plan's.
    #[error("the envelope can't be journaled")]
    Envelope(#[source] Fault),
    /// The event can't be journaled.
    #[error("the event can't be journaled")]
    Event(#[source] Fault),
    /// The system, or damage to the chain.
    #[error("the journal `{}` can't be used", journal.display())]
    Store {
        /// Its folder.
        journal: PathBuf,
        /// Why.
        #[source]
        source: AuditError,
    },
    /// A line does not check out.
    #[error("the journal `{}` does not check out at line {line}", journal.display())]
    Line {
        /// Its folder.
        journal: PathBuf,
        /// The line, from 0: its `seq`.
        line: u64,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// Shorter than the audit log has seen it.
    #[error("the journal has {length} lines, but entry {entry} of the audit log has seen {anchored}")]
    Shorter {
        /// How many there are.
        length: u64,
        /// The entry.
        entry: u64,
        /// How many there were.
        anchored: u64,
    },
    /// Another than the audit log has seen.
    #[error("line {line} of the journal is not the one that entry {entry} of the audit log has seen")]
    OtherLeaf {
        /// The line, from 0.
        line: u64,
        /// The entry.
        entry: u64,
    },
}

/// What is wrong with a line, an event or an envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not strict JSON, or members that no line has.
    #[error("it is not a line of a journal")]
    Json(#[from] JsonError),
    /// Not the bytes that its members give.
    #[error("its bytes are not those that its members give")]
    NotExact,
    /// A version of tomorrow.
    #[error("its version is {0}, and this program reads version 1")]
    Version(u64),
    /// Line 0 is no `journal.created`, or another line is.
    #[error("`{0}` does not belong here")]
    OutOfPlace(String),
    /// The id is not the digest of the body.
    #[error("its event id is not {0}, the digest of its body")]
    EventId(Digest),
    /// An event that the machine does not know.
    #[error("it is no event of a rollout")]
    Unknown(#[source] serde_json::Error),
    /// An event's source is another.
    #[error("its source is not that of its event")]
    Source,
    /// An operator's event needs a nonce, so that a retry is the same event and a new request is not.
    #[error("an operator's event needs a nonce")]
    NoNonce,
    /// It is of another plan.
    #[error("it is of plan {0}")]
    OtherPlan(ClaimedDigest),
    /// It is of another target.
    #[error("it is of target `{0}`")]
    OtherTarget(String),
    /// An event twice.
    #[error("its event is journaled before")]
    Repeated,
    /// The state before it is not the one that the lines before give.
    #[error("its state before is not the one that the lines before it give")]
    StateBefore,
    /// The state after it is not the one that the machine gives.
    #[error("its state after is not the one that its event gives")]
    StateAfter,
    /// The envelope is no text.
    #[error("the envelope is not UTF-8")]
    NotText,
    /// The plan in the envelope is another.
    #[error("the envelope holds plan {0}")]
    PlanDigest(Digest),
    /// The plan gives no schedule.
    #[error("the envelope gives no schedule")]
    Schedule(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JournalError {
    /// What it means for the exit code: 13 for what does not check out, 12 for what can't be used.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::Store { source, .. } => source.exit_class(),
            Self::Line { .. } | Self::Shorter { .. } | Self::OtherLeaf { .. } | Self::TwoOpen { .. } => {
                ExitClass::Integrity
            }
            _ => ExitClass::Unusable,
        }
    }
}

/// What stops a replay: the chain, or a line.
#[derive(Debug)]
pub(super) enum Stop {
    Chain(AuditError),
    Journal(JournalError),
}

impl From<AuditError> for Stop {
    fn from(error: AuditError) -> Self {
        Self::Chain(error)
    }
}

impl Stop {
    /// The error of this journal.
    pub(super) fn in_journal(self, place: &Place) -> JournalError {
        match self {
            Self::Chain(error) => place.failed(error),
            Self::Journal(error) => error,
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(", process {pid}")).unwrap_or_default()
}

fn since_when(since: Option<Timestamp>) -> String {
    since.map(|since| format!(", since {}", time::to_seconds(since))).unwrap_or_default()
}
