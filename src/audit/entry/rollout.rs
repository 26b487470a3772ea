//! Entries of rollouts: what was started, paused, resumed and how it ended, each with the journal's
//! length and last leaf at that moment, so that the journal can't be cut behind it unseen.
//!
//! In: what the guard tells. Out: the members of `rollout.*`, bounded; free text is a blob.
//! Schema: `audit-log.md` 1.5; the plan's log reference: `formats.md` section 8.

use serde::{Deserialize, Serialize};

use crate::audit::chain::Head;
use crate::audit::recorded::LogReference;
use crate::plan::Cause;
use crate::plan::members::PlannedRelease;
use crate::release::digest::ClaimedDigest;

use super::bounds::{self, cut};
use super::decision::PlanView;

/// What happened to a rollout: an entry's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Milestone {
    /// `rollout.started`: recorded before the first command.
    #[serde(rename = "rollout.started")]
    Started,
    /// `rollout.paused`.
    #[serde(rename = "rollout.paused")]
    Paused,
    /// `rollout.resumed`.
    #[serde(rename = "rollout.resumed")]
    Resumed,
    /// `rollout.rolling_back`.
    #[serde(rename = "rollout.rolling_back")]
    RollingBack,
    /// `rollout.rolled_back`: the end.
    #[serde(rename = "rollout.rolled_back")]
    RolledBack,
    /// `rollout.completed`: the other end.
    #[serde(rename = "rollout.completed")]
    Completed,
}

impl Milestone {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Started, Self::Paused, Self::Resumed, Self::RollingBack, Self::RolledBack, Self::Completed];

    /// The entry's type.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Started => "rollout.started",
            Self::Paused => "rollout.paused",
            Self::Resumed => "rollout.resumed",
            Self::RollingBack => "rollout.rolling_back",
            Self::RolledBack => "rollout.rolled_back",
            Self::Completed => "rollout.completed",
        }
    }

    /// The one of an entry's type.
    pub(in crate::audit) fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|milestone| milestone.kind() == kind)
    }
}

/// The members of a `rollout.*` entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// The plan.
    pub plan: PlanView,
    /// What it rolls out.
    pub release: PlannedRelease,
    /// Where.
    pub target: String,
    /// The state's name after it.
    pub state: String,
    /// The state's epoch.
    pub epoch: u64,
    /// Why, of a pause and of the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The digest of somebody's reason: a blob, which may be erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<ClaimedDigest>,
    /// The journal up to the line that this is about.
    pub journal: JournalHead,
    /// The decision's place in the gate's log, where this is another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_entry: Option<LogReference>,
}

/// A journal's length and last leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JournalHead {
    /// How many lines it had.
    pub length: u64,
    /// The leaf hash of the last of them.
    pub leaf: ClaimedDigest,
}

impl From<Head> for JournalHead {
    fn from(head: Head) -> Self {
        Self { length: head.length, leaf: head.leaf.claim() }
    }
}

impl Rollout {
    /// The same with every text as short as an entry's has to be.
    pub(in crate::audit) fn bounded(self) -> Self {
        let PlannedRelease { name, version, environment, digest } = self.release;
        let release = PlannedRelease {
            name: cut(&name, bounds::NAME),
            version: cut(&version, bounds::NAME),
            environment: cut(&environment, bounds::NAME),
            digest,
        };
        let (target, state) = (cut(&self.target, bounds::NAME), cut(&self.state, bounds::NAME));
        let audit_entry =
            self.audit_entry.map(|entry| LogReference { origin: cut(&entry.origin, bounds::TEXT), ..entry });
        Self { release, target, state, audit_entry, ..self }
    }
}
