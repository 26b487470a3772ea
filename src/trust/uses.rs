//! One key, one use: who holds which key and which identity, and what that forbids.
//!
//! Keys are compared by the digest of their SPKI. Identities are compared by issuer and subject
//! whatever their root, because one workflow or mailbox is one party wherever it gets certificates;
//! a pattern holds every subject that it matches, so two patterns clash where they overlap.

use std::collections::BTreeMap;
use std::fmt;

use super::{Identity, Pattern, Signer, Use};
use crate::release::digest::Digest;

/// Who holds a key or an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Signer { name: String, uses: Vec<Use> },
    Person { name: String },
    Gate { name: String },
}

/// A keyless identity of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyless {
    pub(super) root: String,
    pub(super) issuer: String,
    pub(super) subject: Pattern,
}

/// Everything that was given out so far.
#[derive(Default)]
pub(super) struct Owners {
    keys: BTreeMap<Digest, Owner>,
    identities: Vec<(Keyless, Owner)>,
}

/// Why a key or an identity can't be given to one more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Clash {
    #[error("is also that of {0}; one key has one use")]
    Key(Owner),
    #[error("is also that of {0}; one identity is one party")]
    Identity(Owner),
    #[error("overlaps with that of {0}; only `artifact` and `attestation` may share an identity")]
    Uses(Owner),
}

impl Owners {
    pub(super) fn take_key(&mut self, key: Digest, owner: Owner) -> Result<(), Clash> {
        match self.keys.get(&key) {
            Some(other) => Err(Clash::Key(other.clone())),
            None => {
                self.keys.insert(key, owner);
                Ok(())
            }
        }
    }

    pub(super) fn take_identity(&mut self, identity: Keyless, owner: Owner) -> Result<(), Clash> {
        let clash = self.identities.iter().find_map(|(held, other)| clash(held, other, &identity, &owner));
        match clash {
            Some(clash) => Err(clash),
            None => {
                self.identities.push((identity, owner));
                Ok(())
            }
        }
    }
}

/// The artifact signer that can be the same workload as this one, if any: what it signs as a file may be the bytes
/// of a statement.
pub fn shapes_artifacts<'a>(signers: &'a [Signer], signer: &Signer) -> Option<&'a str> {
    let Identity::Keyless { issuer, subject, .. } = &signer.identity else { return None };
    let same = |other: &Signer| match &other.identity {
        Identity::Keyless { issuer: held, subject: theirs, .. } => held == issuer && theirs.overlaps(subject),
        Identity::Key { .. } => false,
    };
    let mut artifact_signers = signers.iter().filter(|other| other.uses.contains(&Use::Artifact));
    artifact_signers.find(|other| same(other)).map(|other| other.name.as_str())
}

fn clash(held: &Keyless, other: &Owner, identity: &Keyless, owner: &Owner) -> Option<Clash> {
    if held.issuer != identity.issuer || !held.subject.overlaps(&identity.subject) {
        return None;
    }
    match (other, owner) {
        _ if held == identity => Some(Clash::Identity(other.clone())),
        // One person may have one mailbox certified by two roots.
        (Owner::Person { .. }, Owner::Person { .. }) if other == owner => None,
        (Owner::Signer { uses: held, .. }, Owner::Signer { uses, .. }) => {
            let shareable = |uses: &[Use]| uses.iter().all(|u| matches!(u, Use::Artifact | Use::Attestation));
            let fits = held == uses || (shareable(held) && shareable(uses));
            (!fits).then(|| Clash::Uses(other.clone()))
        }
        _ => Some(Clash::Identity(other.clone())),
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signer { name, .. } => write!(out, "signer `{name}`"),
            Self::Person { name } => write!(out, "person `{name}`"),
            Self::Gate { name } => write!(out, "gate `{name}`"),
        }
    }
}
