//! Why evidence was set aside. No rule ever sees this; the log and the report do.
//!
//! In: the reason of the room that refused a piece: [`Unreadable`] or [`Rejection`] of `evidence`,
//! or [`Why`] of this one. Out: [`SetAside`], with a stable word per reason and a sentence that
//! says what was wanted and what was got.

use std::fmt;

use serde::Serialize;

use crate::evidence::attestation::{Rejection, Signed};
use crate::evidence::predicate::PredicateError;
use crate::evidence::{Evidence, UnreadableFile};
use crate::release::digest::Digest;
use crate::time::{Timestamp, to_seconds};

/// One piece of evidence that did not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// Its digest as received.
    pub evidence: Digest,
    /// Where it came from, for people; not in the report, which may leave the machine.
    #[serde(skip)]
    pub source: String,
    /// A stable word per reason: `unreadable`, `unheard`, `untrusted-identity`, `another-instance`,
    /// `bad-signature`, `bad-certificate`, `bad-log-entry`, `bad-time-stamp`, `bad-sct`,
    /// `bad-material`, `expired`, `revoked`, `no-trusted-time`, `wrong-use`, `wrong-subject`,
    /// `wrong-predicate`, `wrong-source`, `wrong-environment`, `wrong-role`, `claims-mismatch`,
    /// `not-yet-valid`, `superseded`, `on-behalf-of`, `not-independent`, `incomplete-index`, `not-tried`.
    pub kind: &'static str,
    /// The reason with what was wanted and what was got.
    pub reason: String,
}

impl SetAside {
    /// A file that could not be parsed as evidence.
    pub(super) fn unreadable(file: &UnreadableFile) -> Self {
        Self {
            evidence: file.digest,
            source: file.source.clone(),
            kind: "unreadable",
            reason: format!("unreadable: {}", file.problem),
        }
    }

    /// Evidence that could not be authenticated.
    pub(super) fn rejected(evidence: &Evidence, rejection: &Rejection) -> Self {
        Self {
            evidence: evidence.digest(),
            source: evidence.source().to_owned(),
            kind: kind_of(rejection),
            reason: rejection.to_string(),
        }
    }

    /// Whether it may be a no that is lost: a deny of its own.
    pub fn may_say_no(&self) -> bool {
        self.kind == UNHEARD
    }

    /// Authenticated evidence that proves nothing of this release.
    pub(super) fn because(signed: &Signed, why: &Why) -> Self {
        Self {
            evidence: signed.evidence,
            source: signed.source.clone(),
            kind: why.kind(),
            reason: why.to_string(),
        }
    }
}

/// The word for what somebody whom trust names signed, and nobody can read.
const UNHEARD: &str = "unheard";

/// The word for a reason of `evidence`.
fn kind_of(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::Unreadable { .. } => "unreadable",
        Rejection::Unheard { .. } => UNHEARD,
        Rejection::UntrustedIdentity { .. } => "untrusted-identity",
        Rejection::AnotherInstance { .. } => "another-instance",
        Rejection::BadSignature { .. } => "bad-signature",
        Rejection::BadMaterial { part: "certificate", .. } => "bad-certificate",
        Rejection::BadMaterial { part: "log entry", .. } => "bad-log-entry",
        Rejection::BadMaterial { part: "time stamp", .. } => "bad-time-stamp",
        Rejection::BadMaterial { part: "SCT", .. } => "bad-sct",
        Rejection::BadMaterial { .. } => "bad-material",
        Rejection::NotYetValid { .. } => "not-yet-valid",
        Rejection::Expired { .. } => "expired",
        Rejection::Revoked { .. } => "revoked",
        Rejection::NoTrustedTime { .. } => "no-trusted-time",
        Rejection::WrongSubject { .. } => "wrong-subject",
        Rejection::WrongUse { .. } => "wrong-use",
        Rejection::NotTried | Rejection::KeysNotTried { .. } => "not-tried",
    }
}

/// Why authenticated evidence proves nothing of this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("wrong use: wanted {wanted}, got {got}")]
    WrongUse { wanted: &'static str, got: String },
    #[error("wrong subject: wanted {wanted}, got {got}")]
    WrongSubject { wanted: String, got: String },
    #[error("wrong predicate: {0}")]
    Malformed(#[from] PredicateError),
    #[error("wrong predicate: wanted one that trust lets {signer} sign, got {got}")]
    NotGranted { signer: Quoted, got: Quoted },
    #[error("wrong predicate: wanted one that this version reads, got {got}")]
    NotRead { got: Quoted },
    #[error("wrong predicate: {got} is one of laforge's own that this version doesn't hear yet")]
    NotHeard { got: Quoted },
    #[error("wrong predicate: it names two values for its {member}, {one} and {other}")]
    Contradiction { member: &'static str, one: Quoted, other: Quoted },
    #[error("wrong predicate: it expires at {expires}, which is not after its creation at {created}")]
    Backwards { created: String, expires: String },
    #[error("claims mismatch: certificate says {member} {certificate}, predicate says {predicate}")]
    ClaimsMismatch { member: &'static str, certificate: Quoted, predicate: Quoted },
    #[error("wrong source: wanted {member} {wanted}, got {got}")]
    WrongSource { member: &'static str, wanted: Quoted, got: Quoted },
    #[error("wrong environment: wanted {wanted}, got {got}")]
    WrongEnvironment { wanted: Quoted, got: Quoted },
    #[error("wrong role: wanted one that `{person}` has, got {got}")]
    WrongRole { person: String, got: Quoted },
    #[error("expired: wanted an end after {now}, got {expires}")]
    Expired { now: String, expires: String },
    #[error("not yet valid: wanted a time until {latest}, got {got}")]
    NotYetValid { latest: String, got: String },
    #[error("{0}")]
    OutOfDates(Rejection),
    #[error("superseded: `{person}` gave a later record at {at}, {by}")]
    Superseded { person: String, at: String, by: Digest },
    #[error("on behalf of somebody: wanted {wanted}, got one that is passed on for {got}")]
    OnBehalfOf { wanted: &'static str, got: Quoted },
    #[error("not independent: {signer} also had a part in building this release, or said so")]
    NotIndependent { signer: String },
    #[error("incomplete index: `{artifact}` is an image index of which nobody vouches for {missing}")]
    IncompleteIndex { artifact: String, missing: String },
}

impl Why {
    /// The stable word for it.
    fn kind(&self) -> &'static str {
        match self {
            Self::WrongUse { .. } => "wrong-use",
            Self::WrongSubject { .. } => "wrong-subject",
            Self::Malformed(_)
            | Self::NotGranted { .. }
            | Self::NotRead { .. }
            | Self::NotHeard { .. }
            | Self::Contradiction { .. }
            | Self::Backwards { .. } => "wrong-predicate",
            Self::ClaimsMismatch { .. } => "claims-mismatch",
            Self::WrongSource { .. } => "wrong-source",
            Self::WrongEnvironment { .. } => "wrong-environment",
            Self::WrongRole { .. } => "wrong-role",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::OutOfDates(rejection) => kind_of(rejection),
            Self::Superseded { .. } => "superseded",
            Self::OnBehalfOf { .. } => "on-behalf-of",
            Self::NotIndependent { .. } => "not-independent",
            Self::IncompleteIndex { .. } => "incomplete-index",
        }
    }

    pub(super) fn expired(now: Timestamp, expires: Timestamp) -> Self {
        Self::Expired { now: to_seconds(now), expires: to_seconds(expires) }
    }

    pub(super) fn not_yet_valid(latest: Timestamp, got: Timestamp) -> Self {
        Self::NotYetValid { latest: to_seconds(latest), got: to_seconds(got) }
    }

    pub(super) fn backwards(created: Timestamp, expires: Timestamp) -> Self {
        Self::Backwards { created: to_seconds(created), expires: to_seconds(expires) }
    }
}

/// A text out of evidence, shown: in backticks, control characters escaped, cut when very long,
/// since its writer need not wish us well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quoted(String);

/// What a repository, a predicate type or a claim never needs.
const LONGEST_QUOTE: usize = 300;

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        let mut shown: String = text.chars().take(LONGEST_QUOTE).flat_map(|c| c.escape_debug()).collect();
        if text.chars().nth(LONGEST_QUOTE).is_some() {
            shown.push('…');
        }
        Self(shown)
    }

    /// The text as it is shown, without its backticks.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_hostile_texts_without_their_control_characters_or_their_length() {
        assert_eq!(Quoted::new("a\u{1b}[31mb").to_string(), "`a\\u{1b}[31mb`");
        let long = Quoted::new(&"é".repeat(1000)).to_string();
        assert_eq!(long, format!("`{}…`", "é".repeat(LONGEST_QUOTE)));
    }
}
