//! Why evidence is set aside: one reason per way to fail, each saying what was wanted and what was
//! got (`verification.md`, the steps). Nothing here is an error of the gate.

use super::OverLimit;
use super::limits::KEYS_TRIED;

/// Why evidence is set aside. Distinct per way to fail; each says wanted and got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Not of the shape it claims, found while reading the signed bytes.
    #[error("unreadable: {problem}")]
    Unreadable {
        /// What is wrong.
        problem: String,
    },
    /// The word of somebody whom trust names, and nobody can read it: it may have said no.
    #[error("unheard: signed by somebody whom trust names, and can't be read: {problem}")]
    Unheard {
        /// What is wrong.
        problem: String,
    },
    /// Signed by a key or identity that trust does not name.
    #[error("untrusted identity: wanted one that trust names, got {got}")]
    UntrustedIdentity {
        /// Key id, or issuer and subject.
        got: String,
    },
    /// Certificate of no configured root, or of another root than the identity's.
    #[error("signed by another instance: wanted {wanted}, got {got}")]
    AnotherInstance {
        /// The root that the identity belongs to, or those configured.
        wanted: String,
        /// Who issued the certificate.
        got: String,
    },
    /// The signature does not verify.
    #[error("bad signature: {detail}")]
    BadSignature {
        /// Over what, with which key.
        detail: String,
    },
    /// The certificate, its chain, its SCT or its log entry does not hold.
    #[error("bad {part}: {detail}")]
    BadMaterial {
        /// `certificate`, `log entry`, `time stamp`, `SCT` or `root`.
        part: &'static str,
        /// What the library says.
        detail: String,
    },
    /// Signed before its key is valid.
    #[error("not yet valid: signed at {at}, key valid {validity}")]
    NotYetValid {
        /// The time it was judged at.
        at: String,
        /// `from … until …`.
        validity: String,
    },
    /// Signed when its key was valid no more.
    #[error("expired: signed at {at}, key valid {validity}")]
    Expired {
        /// The time it was judged at.
        at: String,
        /// `from … until …`.
        validity: String,
    },
    /// Signed by a key or identity that is revoked.
    #[error("revoked since {since}: {reason}")]
    Revoked {
        /// Since when.
        since: String,
        /// Why.
        reason: String,
    },
    /// No trusted time where one is needed (a certificate without log entry or time stamp).
    #[error("no trusted time: {detail}")]
    NoTrustedTime {
        /// What was missing.
        detail: String,
    },
    /// A message signature over something that this release does not contain.
    #[error("wrong subject: wanted an artifact of this release, got {got}")]
    WrongSubject {
        /// The digest that it names.
        got: String,
    },
    /// A use that the signer does not have, or a shape that would let one use pass for another.
    #[error("wrong use: {detail}")]
    WrongUse {
        /// Wanted and got.
        detail: String,
    },
    /// Signatures before it took all the hashing that is spent on them.
    #[error(
        "not tried: wanted artifacts of fewer bytes or fewer signatures over them, got more than are hashed"
    )]
    NotTried,
    /// More keys may have made it than are tried, and none of those that were tried did.
    #[error("not tried: wanted a hint at its key, or at most {KEYS_TRIED} that may sign this, got {keys}")]
    KeysNotTried {
        /// How many keys of trust may sign this.
        keys: usize,
    },
}

impl Rejection {
    /// The limit that was met, where that is why: what was not looked at may have said no.
    pub fn over_limit(&self, source: &str) -> Option<OverLimit> {
        let Self::KeysNotTried { keys } = self else { return None };
        let (limit, found) = (KEYS_TRIED as u64, *keys as u64);
        let what = "keys that may have made one signature";
        Some(OverLimit { source: Some(source.to_owned()), what, limit, found })
    }
}
