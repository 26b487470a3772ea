//! What an executor brings to [`Envelope::accept`](super::Envelope::accept): what it pins, knows and is.

use crate::audit::tree::{self, Hash};
use crate::audit::{AuditError, Reader};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;
use crate::trust::{Gate, Revocation};

use super::LogPolicy;

/// What this executor pins, knows and is.
pub struct Acceptance<'a> {
    /// The gates of its trust.
    pub gates: &'a [Gate],
    /// What its trust revokes.
    pub revoked: &'a [Revocation],
    /// The time.
    pub now: Timestamp,
    /// The environment that it serves.
    pub environment: &'a str,
    /// The target that it is.
    pub target: &'a str,
    /// The log that it is configured with, never one that a plan names.
    pub own_log: Option<&'a OwnLog>,
    /// The witness policy that it is configured with.
    pub log_policy: Option<&'a LogPolicy>,
    /// What it does when a fork is not excluded.
    pub unanchored: Unanchored,
    /// What it remembers of a plan at its target.
    pub journal: &'a dyn Fn(&Digest) -> JournalState,
}

/// An executor's own log, up to its signed head.
#[derive(Debug)]
pub struct OwnLog {
    /// Its origin.
    pub origin: String,
    /// Its id.
    pub log_id: ClaimedDigest,
    /// All its leaves.
    pub leaves: Vec<Hash>,
}

/// Why an executor's own log can't speak (exit 13 or 12, as any log's damage).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnLogError {
    /// It can't be read, or is damaged.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// Its lines are not those that it signed.
    #[error("the lines of this executor's own log do not give its signed head")]
    Head,
}

impl OwnLog {
    /// Reads every leaf; together they have to give the head that the log signed.
    ///
    /// # Errors
    /// [`OwnLogError`] for damage.
    pub fn read(log: &Reader) -> Result<Self, OwnLogError> {
        let leaves = log.leaves()?;
        let head = log.head();
        if u64::try_from(leaves.len()) != Ok(head.size) || tree::root(&leaves) != head.root {
            return Err(OwnLogError::Head);
        }
        Ok(Self { origin: log.origin().to_owned(), log_id: log.log_id(), leaves })
    }
}

/// What an executor does when a fork is not excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanchored {
    /// It refuses.
    Refuse,
    /// `--accept-unanchored`: it goes on, and the report says so.
    Accept,
}

/// What an executor's journal says of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// There is none.
    Absent,
    /// It was started and not ended: this is a restart.
    Open,
    /// It was run to its end.
    Ended,
}

/// What excludes a fork of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchoring {
    /// The executor's own log holds the same entry in the same history.
    OwnLog,
    /// So many witnesses, a quorum, cosigned the checkpoint.
    Witnesses(usize),
    /// Nothing: `L0: fork not excluded`.
    None,
}
