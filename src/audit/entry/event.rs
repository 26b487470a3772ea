//! Entries other than decisions, and what all entries share: who acted, with which program.

use serde::{Deserialize, Serialize};

use crate::policy::{self, ActorType};
use crate::release::digest::ClaimedDigest;

use super::bounds::{self, cut};
use super::wire;

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actor {
    /// A person's name in trust, a workload's verified subject, or `unknown`.
    pub id: String,
    /// Who vouched for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What it is.
    #[serde(rename = "type", deserialize_with = "wire::actor_type")]
    pub kind: ActorType,
    /// Whether that was verified.
    pub verified: bool,
}

impl From<&policy::Actor> for Actor {
    fn from(actor: &policy::Actor) -> Self {
        Self {
            id: cut(&actor.id, bounds::TEXT),
            issuer: actor.issuer.as_ref().map(|issuer| cut(issuer, bounds::TEXT)),
            kind: actor.r#type,
            verified: actor.verified,
        }
    }
}

/// The program that wrote an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// The commit that it was built from, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        let commit = option_env!("LAFORGE_COMMIT").map(|commit| cut(commit, bounds::NAME));
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), commit }
    }
}

/// `log.created`: entry 0, whose hash is the log's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Created {
    /// The log's origin.
    pub origin: String,
    /// The log's key, as a C2SP verifier key.
    pub vkey: String,
    /// 32 random bytes as hex: no two logs have one id.
    pub random: String,
    /// How many lines a segment has.
    pub segment: u64,
}

/// `policy.changed` and `trust.changed`: what an environment is held to is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changed {
    /// The environment.
    pub environment: String,
    /// The digest before, when there was a decision before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ClaimedDigest>,
    /// The digest now.
    pub to: ClaimedDigest,
}

/// `log.recovered`: bytes that nobody had signed were moved to `quarantine/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recovered {
    /// Where they were, relative to the log.
    pub file: String,
    /// From which byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
    /// Their digest: the name in `quarantine/`.
    pub digest: ClaimedDigest,
    /// What they are: `unsigned-lines` or `torn-record`.
    pub cause: RecoveryCause,
}

/// What bytes past the committed length are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryCause {
    /// Lines, whole or torn, that no record signs.
    UnsignedLines,
    /// A record that was not written to its end.
    TornRecord,
}

/// `anchor.recorded`: a signed head is kept outside of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Anchored {
    /// The size of that head.
    pub size: u64,
    /// Where it is kept.
    pub kind: AnchorKind,
    /// The digest of its receipt, a file in `anchors/`.
    pub receipt: ClaimedDigest,
}

/// A kind of place outside of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AnchorKind {
    /// A ref of a git repository.
    Git,
    /// A file.
    File,
    /// An artifact of a CI run.
    CiArtifact,
    /// A Rekor v2 log.
    RekorV2,
    /// A time stamp.
    Rfc3161,
    /// A witness.
    Witness,
}

impl AnchorKind {
    /// Its name, as entries and names of receipts have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::File => "file",
            Self::CiArtifact => "ci-artifact",
            Self::RekorV2 => "rekor-v2",
            Self::Rfc3161 => "rfc3161",
            Self::Witness => "witness",
        }
    }
}

/// `annotation`: a note on an earlier entry; its text is a blob, which may be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Annotation {
    /// The entry that it is about.
    pub of: u64,
    /// The digest of its text.
    pub note: ClaimedDigest,
}

/// `heartbeat`: nothing happened, and the log is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {}
