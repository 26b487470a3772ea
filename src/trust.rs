//! Trust: whose word counts, for what, and from which root.
//!
//! In: `trust.yaml` and the key and root files that it names (`formats.md` section 2).
//! Out: [`TrustRoot`], every refusal of that section made, and the trust digest.

mod canonical;
mod document;
pub mod embedded;
mod load;
mod pattern;
#[cfg(test)]
pub(crate) mod sample;
mod uses;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::key::PublicKey;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;
pub use load::{ReadFile, TrustError};
pub use pattern::Pattern;
pub use uses::shapes_artifacts;

/// Everything that `trust.yaml` grants.
#[derive(Debug)]
pub struct TrustRoot {
    /// Named Sigstore roots, by name.
    pub roots: Vec<SigstoreRoot>,
    /// Keys and identities with one use each.
    pub signers: Vec<Signer>,
    /// Humans.
    pub people: Vec<Person>,
    /// Builders and the level they are trusted up to.
    pub builders: Vec<Builder>,
    /// Names of signers that may sign policy sets.
    pub policy_signers: Vec<String>,
    /// Log keys that executors pin.
    pub gates: Vec<Gate>,
    /// Keys and identities that no longer count.
    pub revoked: Vec<Revocation>,
    digest: Digest,
    canonical: Vec<u8>,
    files: Vec<PathBuf>,
}

/// The root that an identity or key belongs to when it names none.
pub const DEFAULT_ROOT: &str = "public-good";

/// One named Sigstore instance.
#[derive(Debug)]
pub struct SigstoreRoot {
    /// Its name.
    pub name: String,
    /// The bytes of its `trusted_root.json`, as received.
    pub json: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
}

/// What a signer's key or identity may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Signatures over artifacts.
    Artifact,
    /// Attestations: provenance and other statements.
    Attestation,
    /// Policy sets.
    Policy,
    /// Verification summaries.
    Vsa,
}

impl fmt::Display for Use {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Artifact => "artifact",
            Self::Attestation => "attestation",
            Self::Policy => "policy",
            Self::Vsa => "vsa",
        })
    }
}

/// A key or identity with its use.
#[derive(Debug)]
pub struct Signer {
    /// What `from:` in a policy refers to.
    pub name: String,
    /// Its uses: one, or for a keyless identity artifact and attestation.
    pub uses: Vec<Use>,
    /// Who it is.
    pub identity: Identity,
    /// The predicate types it may sign; empty: any that its use allows.
    pub predicate_types: Vec<String>,
    /// From when it counts.
    pub valid_from: Option<Timestamp>,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// Whether it signs cosign's simple-signing payloads, and then no files.
    pub simple_signing: bool,
    /// Whether it signs the payloads of its envelopes as they are, and then no PAE: Google Cloud
    /// Build's older keys do. Such a signature does not cover the payload's type, so that whatever
    /// else the key ever signed, in any format, is a statement if it reads as one.
    pub raw_payload: bool,
    /// The name by which its envelopes must call its key; a name alone proves nothing.
    pub key_id: Option<String>,
}

impl Signer {
    /// Whether it may sign statements of this type, as far as its use allows.
    pub fn may_sign(&self, predicate_type: &str) -> bool {
        self.predicate_types.is_empty() || self.is_granted(predicate_type)
    }

    /// Whether its `predicateTypes` name this type itself.
    pub fn is_granted(&self, predicate_type: &str) -> bool {
        self.predicate_types.iter().any(|granted| granted == predicate_type)
    }
}

/// The issuer of certificates that name none, as trust writes it: GitHub's own, for its releases.
pub const NO_ISSUER: &str = "none";

/// A key, or a keyless identity, of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A managed key; the root says whose time stamps and log count.
    Key {
        /// The root's name.
        root: String,
        /// The key.
        key: PublicKey,
    },
    /// An identity that a certificate names.
    Keyless {
        /// The root's name.
        root: String,
        /// The OIDC issuer, exact.
        issuer: String,
        /// The certificate's subject alternative name.
        subject: Pattern,
    },
}

/// A human with identities and roles.
#[derive(Debug)]
pub struct Person {
    /// The name that entries carry.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// `scheme` to `name`, e.g. `github` to `alice`.
    pub aliases: BTreeMap<String, String>,
    /// Keys and exact identities.
    pub identities: Vec<Identity>,
}

/// The most that a builder is trusted whose signer could have been made to sign for another, or for an
/// artifact: bytes that are a PAE, signed as a file, would be a statement.
pub(crate) const SHARED_LEVEL: u8 = 2;

/// A builder that is trusted up to a level, through one signer.
#[derive(Debug)]
pub struct Builder {
    /// `runDetails.builder.id`.
    pub id: String,
    /// SLSA build level, 1 to 3.
    pub level: u8,
    /// The signer that vouches for it.
    pub signer: String,
}

/// A log key that executors pin.
#[derive(Debug)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Its Ed25519 key.
    pub key: PublicKey,
    /// The log's origin.
    pub origin: String,
    /// The log's id.
    pub log_id: ClaimedDigest,
    /// The environments it may decide for.
    pub environments: Vec<String>,
    /// Pins for executors: policy digests that they take.
    pub policy_digests: Option<Vec<ClaimedDigest>>,
    /// Pins for executors: trust digests that they take.
    pub trust_digests: Option<Vec<ClaimedDigest>>,
}

/// A key or identity that no longer counts.
#[derive(Debug)]
pub struct Revocation {
    /// Who.
    pub who: Revoked,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// A key, by id.
    Key(Digest),
    /// An identity.
    Keyless {
        /// The issuer.
        issuer: String,
        /// The subject.
        subject: String,
    },
}

impl TrustRoot {
    /// The trust digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The RFC 8785 form that the digest is over: the blob of a decision.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The key and root files that were read: none of them may lie among the evidence.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The signer of that name.
    pub fn signer(&self, name: &str) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.name == name)
    }

    /// The revocation that holds for an identity at a time, if any.
    pub fn revocation(&self, who: &Revoked, at: Timestamp) -> Option<&Revocation> {
        self.revoked.iter().find(|revocation| revocation.who == *who && revocation.since <= at)
    }
}
