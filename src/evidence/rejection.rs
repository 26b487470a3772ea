//! Why evidence is set aside: one reason per way to fail, each saying what was wanted and what was
//! got (`verification.md`, the steps). Nothing here is an error of the gate.

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
}
