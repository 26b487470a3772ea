//! Verification: binds attestations to this release. What is proved becomes a fact, the rest is
//! set aside with its reason.
//!
//! In: a resolved release, gathered evidence, trust, and `now`. Out: [`Verified`]. The order is
//! that of `verification.md`: `evidence` says who signed and when (steps 1 to 7), this room which
//! use fits, whose subject it is and what the predicate says (steps 8 to 10):
//! [`spoken`] sorts by what is claimed, [`signatures`], [`provenance`], [`attestations`],
//! [`approvals`] and [`separation`] bind, and [`facts`] seals.

pub mod facts;
pub mod set_aside;

mod approvals;
pub(crate) mod attestations;
mod coverage;
mod people;
mod proved;
mod provenance;
mod separation;
mod signatures;
mod spoken;
mod standing;
mod subjects;

#[cfg(test)]
mod tests;

pub use facts::verify;

use crate::evidence::Unreachable;
use crate::release::digest::Digest;

/// What verification gives: rules read the facts alone.
#[derive(Debug)]
pub struct Verified {
    /// What was proved of this release.
    pub facts: facts::VerifiedFacts,
    /// Evidence that did not count, and why; sorted by evidence.
    pub set_aside: Vec<set_aside::SetAside>,
    /// Sources that could not be read in full: they can only turn a deny into an inconclusive.
    pub unreachable: Vec<Unreachable>,
    /// A limit of intake that was exceeded: a deny of its own.
    pub over_limit: Option<crate::evidence::OverLimit>,
    /// Files of no kind of evidence.
    pub ignored: u64,
    /// Every piece of evidence that was read, sorted by digest, with its bytes for the log.
    pub inputs: Vec<Input>,
}

/// One piece of evidence as received.
#[derive(Debug)]
pub struct Input {
    /// What it turned out to be.
    pub role: InputRole,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Its bytes as received; none of a file that could not be parsed as evidence, which the log
    /// names by digest alone.
    pub bytes: Option<Vec<u8>>,
    /// Where it came from.
    pub source: String,
}

/// What a piece of evidence turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputRole {
    /// An approval or rejection.
    Approval,
    /// SLSA provenance.
    Provenance,
    /// A signature over an artifact.
    Signature,
    /// A source statement.
    Source,
    /// Another authenticated attestation.
    Attestation,
    /// Set aside before it was known what it says.
    SetAside,
}
