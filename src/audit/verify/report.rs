//! What is expected of a log, and what verifying it found.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

use super::super::anchor::Anchor;
use super::super::identity::{Pin, Pinned};
use super::super::tree::Head;

/// What is expected of a log.
#[derive(Debug, Default)]
pub struct Expectations {
    /// The configured origin, if one is.
    pub origin: Option<String>,
    /// What trust pins.
    pub pins: Vec<Pin>,
    /// The folder that remembers heads.
    pub seen: Option<PathBuf>,
    /// Heads that were kept outside: the log must hold each of them.
    pub anchors: Vec<Anchor>,
}

/// How much of a log was looked at. Every line is hashed, and held against the signed head, in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checked {
    /// Everything.
    Full,
    /// The tree and the head.
    Fast,
    /// Those, and everything of these entries.
    Range(Range<u64>),
}

/// What was verified.
#[derive(Debug)]
pub struct Report {
    /// How much was looked at.
    pub checked: Checked,
    /// The log's origin.
    pub origin: String,
    /// Its id.
    pub log_id: ClaimedDigest,
    /// Whether trust pins it.
    pub pinned: Pinned,
    /// Size and root.
    pub head: Head,
    /// The signed checkpoint of that head.
    pub checkpoint: String,
    /// How many commits' records and signatures were checked.
    pub records: u64,
    /// How many blobs were hashed.
    pub blobs: u64,
    /// How many times bytes were set aside.
    pub recoveries: u64,
    /// The time of the last entry, by its writer's clock.
    pub last_time: Option<Timestamp>,
    /// How much that assures.
    pub assurance: Assurance,
    /// What is no failure and should be known.
    pub warnings: Vec<Notice>,
}

/// How much a verification assures (`audit-log.md` 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assurance {
    /// The log agrees with itself and with what this machine has seen.
    SelfConsistent,
    /// The log also holds heads that were kept outside of it.
    Anchored {
        /// How many.
        count: u64,
        /// The size of the newest.
        size: u64,
        /// The time of that head's last entry, by its writer's clock.
        time: Option<Timestamp>,
    },
}

impl fmt::Display for Assurance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Anchored { count, size, time } = self else {
            return out
                .write_str("L0 self-consistent: fork not excluded, nor a rollback of all files together");
        };
        let anchors = if *count == 1 { "anchor" } else { "anchors" };
        let time = time.map(|time| format!(" ({})", time::to_seconds(time))).unwrap_or_default();
        write!(
            out,
            "L1 matches {count} {anchors}, newest at size {size}{time}; entries after it are not protected against \
             rollback"
        )
    }
}

/// Something that is no failure and should be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// Bytes behind the last signed head.
    #[error("`{file}` has bytes from {offset} on that no record signs: a write did not finish")]
    UncommittedTail {
        /// The file.
        file: String,
        /// From which byte.
        offset: u64,
    },
    /// The last record's line feed is missing; its commit counts.
    #[error("`{0}` lacks its last line feed: a write did not finish")]
    UnendedRecord(String),
    /// `checkpoint` is older than the journal.
    #[error("`checkpoint` shows size {shown}, the journal is at {journal}: a write did not finish")]
    StaleCheckpoint {
        /// Its size.
        shown: u64,
        /// The journal's.
        journal: u64,
    },
    /// A clock that went back.
    #[error("entry {0} is more than 60 s older than the entry before")]
    ClockBehind(u64),
    /// A sync failed and the log waits for repair.
    #[error("`NEEDS_REPAIR` is there: a write failed")]
    NeedsRepair,
    /// A file that no writer makes.
    #[error("`{0}` does not belong to the log")]
    Stray(String),
    /// Recovered bytes that are no longer there.
    #[error("`{0}` is not there any more")]
    QuarantineMissing(String),
}
