//! Authenticated evidence: who signed it, and when that is known from whom.
//!
//! A seal: [`Attestation`] and [`ArtifactSignature`] have no other maker than
//! [`Authenticator::authenticate`]. Steps 3 to 7 of `verification.md`; steps 8 to 10 (subject, predicate)
//! are `verify`'s.

use crate::evidence::Evidence;
use crate::evidence::claim::{Artifacts, Claim};
use crate::evidence::effort::Untried;
pub use crate::evidence::rejection::Rejection;
use crate::evidence::signer::{self, Maker, Roots};
use crate::evidence::standing;
use crate::evidence::statement::Statement;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::ResolvedRelease;
use crate::time::Timestamp;
use crate::trust::TrustRoot;

/// An authenticated statement.
#[derive(Debug)]
pub struct Attestation {
    statement: Statement,
    signed: Signed,
}

/// An authenticated signature over an artifact: a message signature over its bytes, or one over a
/// simple-signing payload that names its manifest.
#[derive(Debug)]
pub struct ArtifactSignature {
    artifacts: Vec<String>,
    leaves: Vec<(String, ClaimedDigest)>,
    signed: Signed,
}

/// Who signed, in which standing, and when.
#[derive(Debug, Clone)]
pub struct Signed {
    /// In whose name it counts.
    pub standing: Standing,
    /// What signed: a key id, or a certificate's issuer and subject with its claims.
    pub by: SignedBy,
    /// When, from the log or a time stamp of the identity's own root. `None`: nobody vouches.
    pub trusted_time: Option<Timestamp>,
    /// The digest of the evidence as received.
    pub evidence: Digest,
    /// Where the evidence came from.
    pub source: String,
}

/// In whose name a signature counts: names in trust, already checked for validity and revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Signers (several patterns may fit one identity), sorted; never empty.
    Signers(Vec<String>),
    /// A person.
    Person(String),
}

/// What made a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// A managed key.
    Key(Digest),
    /// A certificate of a root.
    Certificate {
        /// The root that issued it.
        root: String,
        /// The OIDC issuer.
        issuer: String,
        /// The subject alternative name.
        subject: String,
        /// Fulcio's claims about the workload, by extension name in lower camel case
        /// (`sourceRepositoryUri`, `sourceRepositoryDigest`, `sourceRepositoryRef`,
        /// `buildSignerUri`, `runnerEnvironment`, …).
        claims: std::collections::BTreeMap<&'static str, String>,
        /// From when on, where it is in date for more than an hour: what it signed may be as old.
        lasting_since: Option<Timestamp>,
    },
}

/// What authenticating gives.
#[derive(Debug)]
pub enum Authenticated {
    /// A statement.
    Statement(Attestation),
    /// A signature over an artifact.
    Artifact(ArtifactSignature),
}

/// Says who signed evidence, under one trust. Built once: it holds a prepared verifier per root.
#[derive(Debug)]
pub struct Authenticator<'a> {
    trust: &'a TrustRoot,
    roots: Roots<'a>,
}

impl<'a> Authenticator<'a> {
    /// Prepares the roots that trust names. A root that cannot be used believes nothing.
    pub fn new(trust: &'a TrustRoot) -> Self {
        Self { trust, roots: Roots::prepare(trust) }
    }

    /// Which of the evidence costs more to authenticate than is spent on all of it.
    pub fn untried(&self, found: &[Evidence], release: &ResolvedRelease) -> Untried {
        Untried::of(found, |evidence| self.costs(evidence, release))
    }

    /// How many bytes of artifacts are hashed at most to authenticate this.
    pub(super) fn costs(&self, evidence: &Evidence, release: &ResolvedRelease) -> u64 {
        let read = evidence.is_over_an_artifact().then(|| Claim::read(evidence, release).ok()).flatten();
        read.map_or(0, |(claim, signature)| signer::costs(&self.roots, self.trust, &claim, &signature))
    }

    /// [`Authenticator::authenticate`], of what is not left untried.
    ///
    /// # Errors
    /// [`Rejection`]: the reason why it is set aside.
    pub fn authenticate_unless(
        &self,
        untried: &Untried,
        evidence: &Evidence,
        release: &ResolvedRelease,
        now: Timestamp,
    ) -> Result<Authenticated, Rejection> {
        match untried.has(&evidence.digest()) {
            true => Err(Rejection::NotTried),
            false => self.authenticate(evidence, release, now),
        }
    }

    /// Why a statement can't be read; and if somebody whom trust names signed it, that a word of theirs is lost.
    fn unheard(&self, evidence: &Evidence, why: Rejection, now: Timestamp) -> Rejection {
        let (Rejection::Unreadable { problem }, Some((claim, signature))) = (&why, Claim::unread(evidence))
        else {
            return why;
        };
        let Ok(made) = signer::find(&self.roots, self.trust, &claim, &signature) else { return why };
        match standing::judge(self.trust, &made, &claim, now) {
            // Of which type it is nobody knows, so that who may sign some types may have signed this one.
            Ok(_) | Err(Rejection::WrongUse { .. }) => Rejection::Unheard { problem: problem.clone() },
            Err(_) => why,
        }
    }

    /// Says who signed this evidence, when, and that they may be believed to be who they are.
    ///
    /// Of several proved times the earliest is kept: each says that the signature existed by then.
    /// Validity and revocation are judged at every one of them, and at `now` when there is none.
    ///
    /// # Errors
    /// [`Rejection`]: the reason why it is set aside.
    pub fn authenticate(
        &self,
        evidence: &Evidence,
        release: &ResolvedRelease,
        now: Timestamp,
    ) -> Result<Authenticated, Rejection> {
        let read = Claim::read(evidence, release); // what is signed, read once
        let (claim, signature) = read.map_err(|why| self.unheard(evidence, why, now))?;
        let made = signer::find(&self.roots, self.trust, &claim, &signature)?; // it holds, and who made it when
        let standing = standing::judge(self.trust, &made, &claim, now)?; // they may sign that, and could then
        let signed = Signed {
            standing,
            trusted_time: made.times.first().copied(),
            by: made.by.into(),
            evidence: evidence.digest(),
            source: evidence.source().to_owned(),
        };
        Ok(match claim {
            Claim::Statement(statement) => Authenticated::Statement(Attestation { statement, signed }),
            Claim::Artifacts(artifacts) => {
                let Artifacts { names, leaves, .. } = artifacts;
                Authenticated::Artifact(ArtifactSignature { artifacts: names, leaves, signed })
            }
        })
    }
}

impl From<Maker<'_>> for SignedBy {
    fn from(maker: Maker<'_>) -> Self {
        match maker {
            Maker::Key { key, .. } => Self::Key(key.id()),
            Maker::Certificate { root, identity } => Self::Certificate {
                root: root.to_owned(),
                issuer: identity.issuer,
                subject: identity.subject,
                claims: identity.claims,
                lasting_since: identity.lasting_since,
            },
        }
    }
}

impl Attestation {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
    /// Who signed it and when.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

impl ArtifactSignature {
    /// The names of the artifacts that are signed; several when the release lists the same digest
    /// more than once.
    pub fn artifacts(&self) -> &[String] {
        &self.artifacts
    }
    /// Platforms of image indexes that are signed, by the index's name and the manifest's digest; none
    /// only when artifacts are.
    pub fn leaves(&self) -> &[(String, ClaimedDigest)] {
        &self.leaves
    }
    /// Who signed it and when.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}
