//! Why a log can't be used, can't take an entry, or can't be believed.
//!
//! Damage names the file and the line; everything else says what to mend. [`ExitClass`] is the
//! contract of `cli.md`: 12 for a log that can't take the entry, 13 for one that does not check
//! out, 2 for a policy that is older than what the log has recorded.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::json::JsonError;
use crate::key::KeyError;
use crate::policy::DecisionReport;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

use super::checkpoint::CheckpointError;
use super::entry::EntryError;
use super::note::NoteError;

/// What an audit error means for the caller's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitClass {
    /// 12: the log can't take the entry.
    Unusable,
    /// 13: something does not check out.
    Integrity,
    /// 2: the policy is older than the log's last.
    PolicyRollback,
}

/// Why a log can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is none.
    #[error("no audit log at `{}`", .0.display())]
    Missing(PathBuf),
    /// There is something that never was one.
    #[error("`{}` is no audit log", .0.display())]
    NotALog(PathBuf),
    /// A log is only made where nothing is.
    #[error("`{}` is not empty, so no audit log is made there", .0.display())]
    NotEmpty(PathBuf),
    /// A log of this origin or key is known already, so making one would hide its loss.
    #[error("an audit log of origin `{origin}` is known already, so none is made")]
    Known {
        /// The origin.
        origin: String,
    },
    /// The system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Somebody else is writing.
    #[error("`{}` is locked by another writer for more than {seconds} s", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A file system whose locks or syncs can't be relied on.
    #[error("`{}` is on {kind}, which does not keep a log's promises", path.display())]
    Filesystem {
        /// The log.
        path: PathBuf,
        /// `nfs`, `smb` or `fuse`: the name that allows it.
        kind: &'static str,
    },
    /// Too little room.
    #[error("`{}` has {free} bytes free, less than {needed}", path.display())]
    LowSpace {
        /// The log.
        path: PathBuf,
        /// How much is free.
        free: u64,
        /// How much must be.
        needed: u64,
    },
    /// A sync failed before; what the disk holds must be checked first.
    #[error("`{}` is there: a write failed and the log must be repaired first", .0.display())]
    NeedsRepair(PathBuf),
    /// The writer's clock can't be right.
    #[error("the clock says {}, but the log's last entry is of {}", time::to_seconds(*now), time::to_seconds(*last))]
    ClockBehind {
        /// The writer's clock.
        now: Timestamp,
        /// The time of the last entry.
        last: Timestamp,
    },
    /// Writing needs a key.
    #[error("no audit key was given")]
    NoKey,
    /// The key is not this log's.
    #[error("the audit key is not the log's key `{expected}`")]
    WrongKey {
        /// The log's key.
        expected: String,
    },
    /// A name or key that a log can't have.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A segment size out of bounds.
    #[error("a segment of {0} lines is not between 1 and 65536")]
    Segment(u64),
    /// The log uses what this version does not write after.
    #[error("the log has an entry of type `{kind}`, which this version can't continue from")]
    Unsupported {
        /// The entry's type.
        kind: String,
    },
    /// The policy is older than what the log has recorded.
    #[error("policy set `{set}` has version {given}, but version {recorded} is recorded for `{environment}`")]
    PolicyRollback {
        /// The set.
        set: String,
        /// The environment.
        environment: String,
        /// The version in the log.
        recorded: u64,
        /// The version now.
        given: u64,
    },
    /// A decision names bytes that were not given with it.
    #[error("`{member}` {digest} was not given to the log together with its entry")]
    BlobNotGiven {
        /// The entry's member.
        member: &'static str,
        /// The digest.
        digest: ClaimedDigest,
    },
    /// An entry that no reader would take.
    #[error("the entry could not be read back, so it is not written")]
    EntryUnreadable(#[source] EntryError),
    /// An entry that no line holds.
    #[error("the entry has {bytes} bytes, more than a line may have")]
    EntryTooLong {
        /// Its size.
        bytes: usize,
    },
    /// A write failed, and what the file holds since is not known.
    #[error("a write to `{}` failed before, so nothing more is written there", .0.display())]
    Broken(PathBuf),
    /// A decision that contradicts itself: it allows without a plan, or the other way round.
    #[error("the decision's action and plan contradict each other")]
    ActionWithoutPlan,
    /// The system gives no randomness.
    #[error("the system gives no random bytes")]
    Random,
    /// Something does not check out.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
}

impl AuditError {
    /// What it means for the exit code.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::Damaged(_) => ExitClass::Integrity,
            Self::PolicyRollback { .. } => ExitClass::PolicyRollback,
            _ => ExitClass::Unusable,
        }
    }
}

/// For `map_err`: what was tried with which file.
pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> AuditError {
    let path = path.into();
    move |source| AuditError::Io { action, path, source }
}

/// Something in a log that does not check out, and where.
#[derive(Debug, thiserror::Error)]
pub struct Damage {
    /// The file, relative to the log.
    pub file: String,
    /// Its line, from 1, where one is at fault.
    pub line: Option<u64>,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "`{}` line {line} does not check out", self.file),
            None => write!(out, "`{}` does not check out", self.file),
        }
    }
}

impl Damage {
    /// Damage to a whole file.
    pub(super) fn file(file: impl Into<String>, problem: Problem) -> AuditError {
        Box::new(Self { file: file.into(), line: None, problem }).into()
    }

    /// Damage at a line, from 1.
    pub(super) fn line(file: impl Into<String>, line: u64, problem: Problem) -> AuditError {
        Box::new(Self { file: file.into(), line: Some(line), problem }).into()
    }
}

/// What is wrong with a file or a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file that must be there is not.
    #[error("it is missing")]
    Missing,
    /// A link, a special file, or a file with a second name.
    #[error("it is not a regular file with one name")]
    NotPlain,
    /// The path leads to another file than the one that is open.
    #[error("another file was put in its place")]
    Replaced,
    /// A file that no writer makes.
    #[error("it does not belong here")]
    Stray,
    /// A line that ends too early, has a control byte, or is too long.
    #[error("it is not a line of at most 65535 bytes without control bytes")]
    NotALine,
    /// As [`Problem::NotALine`], in a chain with a bound of its own.
    #[error("it is not a line of at most {longest} bytes without control bytes")]
    NotAChainLine {
        /// The most bytes that a line may have.
        longest: usize,
    },
    /// A line that is no strict JSON object.
    #[error("it is not strict JSON")]
    Json(#[from] JsonError),
    /// A line that is JSON but no entry.
    #[error("it is not an entry")]
    Entry(#[from] super::entry::EntryError),
    /// An entry out of its place.
    #[error("it says that it is entry {found}, but entry {expected} belongs here")]
    Sequence {
        /// The place.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// An entry whose `prev` is not the hash of the line before.
    #[error("its `prev` is not the hash of the line before")]
    Chain,
    /// Fewer lines or bytes than a signed record says.
    #[error("it is shorter than the signed head says")]
    Short,
    /// More bytes behind the signed end than a crash leaves.
    #[error("{length} bytes follow what is signed, and no crash leaves more than {most}")]
    LongTail {
        /// How many bytes there are.
        length: u64,
        /// How many are set aside at most.
        most: u64,
    },
    /// More lines than a segment has, or fewer before the next one.
    #[error("it has another number of lines than a segment has")]
    SegmentSize,
    /// A record that entries and key do not give.
    #[error("it is not the record that the entries give")]
    Record,
    /// An entry that ends its commit, without the record of it.
    #[error("the record that committed entry {entry}, the one before, is missing")]
    Uncommitted {
        /// The entry.
        entry: u64,
    },
    /// A record that can't be read.
    #[error("it is not a journal record")]
    NotARecord,
    /// A signature that does not hold, or a malformed checkpoint.
    #[error("its checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The lines do not give the signed root.
    #[error("the lines do not give the signed root")]
    Root,
    /// The checkpoint is newer than the journal.
    #[error("it is ahead of the journal: size {checkpoint}, journal {journal}")]
    Ahead {
        /// The checkpoint's size.
        checkpoint: u64,
        /// The journal's.
        journal: u64,
    },
    /// The checkpoint is none that the journal holds.
    #[error("it is not a checkpoint of the journal")]
    NotInJournal,
    /// `log.json` and entry 0 differ.
    #[error("it is not what entry 0 gives")]
    Identity,
    /// The first entry does not make a log.
    #[error("it does not start a log")]
    NotCreated,
    /// Trust pins another key, origin or id for this log.
    #[error("it is not the log that is pinned as `{pinned}`")]
    Pin {
        /// The pinned origin and id.
        pinned: String,
    },
    /// Its origin is not the configured one.
    #[error("its origin is `{found}`, but `{expected}` is configured")]
    Origin {
        /// What is configured.
        expected: String,
        /// What the log says.
        found: String,
    },
    /// A head seen here before is no longer in the log.
    #[error("it no longer holds the head of size {size} that was seen here before")]
    Forgotten {
        /// The size of the head.
        size: u64,
    },
    /// A head that was kept outside is not in the log.
    #[error(
        "it does not hold the head of size {size} that the anchor `{anchor}` keeps: it was cut or replaced"
    )]
    Anchor {
        /// The size of the head.
        size: u64,
        /// Where the anchor was kept.
        anchor: String,
    },
    /// An anchor that this log's key did not sign.
    #[error("it is no anchor of this log: one of the two was replaced")]
    ForeignAnchor(#[source] CheckpointError),
    /// Another copy of this log goes another way.
    #[error("it is a fork: `{place}` held another head of size {size}")]
    Fork {
        /// Where the other copy was seen.
        place: String,
        /// The size of its head.
        size: u64,
    },
    /// A blob is not there.
    #[error("it is named by entry {entry} but missing")]
    BlobMissing {
        /// The entry.
        entry: u64,
    },
    /// A blob's bytes are not those of its name.
    #[error("its bytes are not those that its name promises")]
    BlobDiffers,
    /// A type of entry that this version can't judge the log with.
    #[error("entries of type `{0}` can't be judged by this version")]
    Unsupported(String),
}

/// Why a decision could not be recorded; gives its account back, so that it can be printed.
#[derive(Debug, thiserror::Error)]
#[error("the decision could not be recorded")]
pub struct AppendError {
    /// What failed.
    #[source]
    pub cause: AuditError,
    /// The account of the decision that was not recorded.
    pub report: Box<DecisionReport>,
}
