//! What the log gives back once a decision is durable.
//!
//! The types that [`AuditLog::append`](super::AuditLog::append) makes; nothing else can
//! (their maker is `pub(in crate::audit)`).

use serde::{Deserialize, Serialize};

use crate::policy::DecisionReport;
use crate::release::digest::{ClaimedDigest, Digest};

use super::tree::Head;

/// Where an entry stands: `auditEntry` of the envelope without its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogReference {
    /// The log's origin.
    pub origin: String,
    /// The log's id.
    pub log_id: ClaimedDigest,
    /// The entry's index (its `seq`).
    pub index: u64,
    /// The size of the checkpoint that its own commit signed.
    pub size: u64,
    /// That checkpoint's root.
    pub root: ClaimedDigest,
}

impl LogReference {
    /// An entry of a log, and the head that its commit signed.
    pub(super) fn of(origin: &str, log_id: ClaimedDigest, index: u64, head: Head) -> Self {
        Self { origin: origin.to_owned(), log_id, index, size: head.size, root: head.root.claim() }
    }
}

/// A recorded decision, by what may follow from it.
#[derive(Debug)]
#[must_use = "what follows depends on which it is"]
pub enum Recorded {
    /// Allowed: a plan may come out.
    Approved(Approved),
    /// Denied or inconclusive.
    Refused(Refused),
    /// Rehearsed: recorded as `action: none`.
    Rehearsed(Rehearsed),
}

/// An allow that the log holds.
#[derive(Debug)]
pub struct Approved {
    pub(in crate::audit) report: DecisionReport,
    pub(in crate::audit) reference: LogReference,
    pub(in crate::audit) line: Vec<u8>,
    pub(in crate::audit) proof: String,
    pub(in crate::audit) core: Vec<u8>,
    pub(in crate::audit) plan_digest: Digest,
    pub(in crate::audit) again: bool,
}

/// A deny or an inconclusive that the log holds.
#[derive(Debug)]
pub struct Refused {
    pub(in crate::audit) report: DecisionReport,
    pub(in crate::audit) reference: LogReference,
}

/// A rehearsal that the log holds.
#[derive(Debug)]
pub struct Rehearsed {
    pub(in crate::audit) report: DecisionReport,
    pub(in crate::audit) reference: LogReference,
}

impl Approved {
    /// The account of the decision.
    pub fn report(&self) -> &DecisionReport {
        &self.report
    }
    /// Where its entry stands.
    pub fn reference(&self) -> &LogReference {
        &self.reference
    }
    /// The entry's exact bytes, without the line feed.
    pub fn line(&self) -> &[u8] {
        &self.line
    }
    /// The `c2sp.org/tlog-proof@v1` text.
    pub fn proof(&self) -> &str {
        &self.proof
    }
    /// The recorded plan core's bytes.
    pub fn core(&self) -> &[u8] {
        &self.core
    }
    /// The planDigest, of the recorded core.
    pub fn plan_digest(&self) -> Digest {
        self.plan_digest
    }
    /// Whether the entry was there already, by `idem`.
    pub fn again(&self) -> bool {
        self.again
    }
}

impl Refused {
    /// The account of the decision.
    pub fn report(&self) -> &DecisionReport {
        &self.report
    }
    /// Where its entry stands.
    pub fn reference(&self) -> &LogReference {
        &self.reference
    }
}

impl Rehearsed {
    /// The account of the decision.
    pub fn report(&self) -> &DecisionReport {
        &self.report
    }
    /// Where its entry stands.
    pub fn reference(&self) -> &LogReference {
        &self.reference
    }
}
