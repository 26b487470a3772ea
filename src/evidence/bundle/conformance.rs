//! One bundle on its own: the verb `verify-bundle`, which is the client protocol of
//! sigstore-conformance word for word (<https://github.com/sigstore/sigstore-conformance>).
//!
//! In: the bytes of a bundle, an artifact or its digest, who must have signed it, a trusted root
//! (the public-good instance when none is given). Out: [`BundleVerdict`], or why not. No trust
//! file, no release and no policy take part: it answers for one bundle and proves nothing more.

use std::io::{self, Read};

use sigstore::types::DerPublicKey;

use super::instance::{Instance, Over, Proof, RootError};
use super::{Algorithm, Bundle, Content, SignedDigest};
use crate::evidence::limits::quoted;
use crate::evidence::rejection::Rejection;
use crate::evidence::statement::{PAYLOAD_TYPE, Statement, Subject};
use crate::evidence::wire::problem;
use crate::evidence::{Unreadable, document};
use crate::release::digest::{Algorithms, ArtifactDigest};
use crate::time::Timestamp;
use crate::trust::embedded::embedded_root;
use crate::trust::{DEFAULT_ROOT, NO_ISSUER};

/// What the bundle must speak of.
pub enum ArtifactOrDigest<'a> {
    /// All of its bytes.
    Bytes(&'a mut dyn Read),
    /// `sha256:` or `sha512:` and lower-case hex.
    Digest(&'a str),
}

/// Who must have signed.
#[derive(Debug, Clone, Copy)]
pub enum ExpectedSigner<'a> {
    /// A certificate's subject alternative name and OIDC issuer, both exact.
    Keyless {
        /// The subject alternative name.
        identity: &'a str,
        /// The OIDC issuer.
        issuer: &'a str,
    },
    /// The key of a `PUBLIC KEY` PEM block.
    Key(&'a str),
    /// Whomever the certificate names: for one who has just signed and asks what came of it.
    WhoeverIsCertified,
}

/// A bundle that holds.
#[derive(Debug)]
pub struct BundleVerdict {
    /// The certificate's subject and issuer; `None` for a managed key.
    pub signer: Option<(String, String)>,
    /// When it was signed, by every log and time stamp that says so, sorted.
    pub times: Vec<Timestamp>,
    /// The predicate type of the statement inside, if one is.
    pub predicate_type: Option<String>,
}

/// Why a bundle does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle is not one.
    #[error("bundle cannot be read: {0}")]
    Bundle(Unreadable),
    /// The trusted root cannot be used.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The key cannot be used.
    #[error("key cannot be used: {detail}")]
    Key {
        /// What is wrong with it.
        detail: String,
    },
    /// The artifact's bytes could not be read.
    #[error("artifact cannot be read")]
    Artifact(#[source] io::Error),
    /// A digest of another form.
    #[error("`{text}` is not a digest: expected `sha256:` or `sha512:` and lower-case hex digits")]
    Digest {
        /// The text.
        text: String,
    },
    /// The bundle speaks of something else.
    #[error("another artifact: wanted the given one, got {got}")]
    AnotherArtifact {
        /// What it speaks of.
        got: String,
    },
    /// The bundle does not prove what it is asked for.
    #[error(transparent)]
    Rejected(Rejection),
}

impl From<Rejection> for BundleError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::WrongSubject { got } => Self::AnotherArtifact { got },
            other => Self::Rejected(other),
        }
    }
}

/// Verifies one bundle against an artifact and an expected signer.
///
/// # Errors
/// [`BundleError`]: whatever does not hold.
pub fn verify_bundle(
    bundle: &[u8],
    artifact: ArtifactOrDigest<'_>,
    signer: ExpectedSigner<'_>,
    trusted_root: Option<&[u8]>,
) -> Result<BundleVerdict, BundleError> {
    let instance = Instance::prepare(trusted_root.unwrap_or_else(|| public_good()))?;
    let bundle = document(bundle).and_then(Bundle::read).map_err(BundleError::Bundle)?;
    let (proof, statement) = match bundle.content() {
        Content::Message(_) => (over_message(&instance, &bundle, artifact, signer)?, None),
        Content::Envelope(envelope) => {
            if envelope.payload_type() != PAYLOAD_TYPE {
                let got = quoted(envelope.payload_type());
                let wrong = problem(format!("`payloadType`: wanted `{PAYLOAD_TYPE}`, got `{got}`"));
                return Err(BundleError::Bundle(wrong));
            }
            let statement = Statement::read(envelope.payload()).map_err(BundleError::Bundle)?;
            let digest = subject_of(&statement, artifact)?;
            (prove(&instance, &bundle, signer, Over::Digest(digest.wire()?))?, Some(statement))
        }
    };
    let signer = proof.identity.map(|identity| (identity.subject, identity.issuer));
    let predicate_type = statement.map(|statement| statement.predicate_type);
    Ok(BundleVerdict { signer, times: proof.times, predicate_type })
}

fn public_good() -> &'static [u8] {
    embedded_root(DEFAULT_ROOT).unwrap_or_default().as_bytes()
}

/// A message signature is verified over the artifact's bytes as they stream by. An Ed25519 key
/// signs no digest: then, and only then, they are held in memory.
fn over_message(
    instance: &Instance,
    bundle: &Bundle,
    artifact: ArtifactOrDigest<'_>,
    signer: ExpectedSigner<'_>,
) -> Result<Proof, BundleError> {
    let reader = match artifact {
        ArtifactOrDigest::Digest(text) => {
            return prove(instance, bundle, signer, Over::Digest(digest_of(text)?.wire()?));
        }
        ArtifactOrDigest::Bytes(reader) => reader,
    };
    let mut bytes = Vec::new();
    if signs_no_digest(signer)? {
        reader.read_to_end(&mut bytes).map_err(BundleError::Artifact)?;
        return prove(instance, bundle, signer, Over::Bytes(&bytes));
    }
    prove(instance, bundle, signer, Over::Reader(reader))
}

fn prove(
    instance: &Instance,
    bundle: &Bundle,
    signer: ExpectedSigner<'_>,
    over: Over<'_>,
) -> Result<Proof, BundleError> {
    match signer {
        ExpectedSigner::Key(pem) => {
            Ok(instance.verify_keyed(&bundle.wire, public_key(pem)?, instance.witness(), over)?)
        }
        ExpectedSigner::WhoeverIsCertified => Ok(instance.verify_certified(&bundle.wire, over)?),
        ExpectedSigner::Keyless { identity, issuer } => {
            let proof = instance.verify_certified(&bundle.wire, over)?;
            let is_wanted = |found: &super::certificate::CertifiedIdentity| {
                found.subject == identity && found.issuer == issuer && issuer != NO_ISSUER
            };
            if proof.identity.as_ref().is_some_and(is_wanted) {
                return Ok(proof);
            }
            let got = proof.identity.map_or("nobody".to_owned(), |found| {
                format!("`{}` of `{}`", quoted(&found.subject), quoted(&found.issuer))
            });
            Err(Rejection::UntrustedIdentity { got }.into())
        }
    }
}

fn public_key(pem: &str) -> Result<DerPublicKey, BundleError> {
    DerPublicKey::from_pem(pem).map_err(|error| BundleError::Key { detail: quoted(&error.to_string()) })
}

fn signs_no_digest(signer: ExpectedSigner<'_>) -> Result<bool, BundleError> {
    let ExpectedSigner::Key(pem) = signer else { return Ok(false) };
    let key = crate::key::PublicKey::from_spki(public_key(pem)?.as_bytes());
    Ok(key.is_ok_and(|key| key.algorithm() == crate::key::Algorithm::Ed25519))
}

/// The digest by which a subject of the statement is this artifact. A subject that lists both
/// digests must match both, as far as they are at hand: a weaker tie never decides alone.
fn subject_of(statement: &Statement, artifact: ArtifactOrDigest<'_>) -> Result<SignedDigest, BundleError> {
    let known: Vec<SignedDigest> = match artifact {
        ArtifactOrDigest::Digest(text) => vec![digest_of(text)?],
        ArtifactOrDigest::Bytes(reader) => {
            let read = ArtifactDigest::of_reader(reader, Algorithms::Sha2).map_err(BundleError::Artifact)?;
            let sha256 =
                Some(SignedDigest { algorithm: Algorithm::Sha256, bytes: read.digest().as_bytes().to_vec() });
            let sha512 = read.sha512_hex().and_then(|hex| hex::decode(hex).ok());
            let sha512 = sha512.map(|bytes| SignedDigest { algorithm: Algorithm::Sha512, bytes });
            sha256.into_iter().chain(sha512).collect()
        }
    };
    let tie = statement.subject.iter().find_map(|subject| tie(subject, &known));
    tie.cloned().ok_or_else(|| {
        let got =
            known.first().map_or_else(String::new, |digest| format!("no subject with digest `{digest}`"));
        BundleError::AnotherArtifact { got }
    })
}

/// The known digest that a subject lists, if it lists one and every known one that it lists is right.
fn tie<'d>(subject: &Subject, known: &'d [SignedDigest]) -> Option<&'d SignedDigest> {
    let listed = |digest: &SignedDigest| subject.digest.get(digest.algorithm.name()).cloned();
    let right = |digest: &SignedDigest| listed(digest).is_none_or(|text| text == hex::encode(&digest.bytes));
    let tied = known.iter().find(|digest| listed(digest).is_some());
    tied.filter(|_| known.iter().all(right))
}

fn digest_of(text: &str) -> Result<SignedDigest, BundleError> {
    let refuse = || BundleError::Digest { text: quoted(text) };
    let (algorithm, digits, length) = match text.split_once(':') {
        Some(("sha256", digits)) => (Algorithm::Sha256, digits, 64),
        Some(("sha512", digits)) => (Algorithm::Sha512, digits, 128),
        _ => return Err(refuse()),
    };
    if digits.len() != length || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(refuse());
    }
    let bytes = hex::decode(digits).map_err(|_| refuse())?;
    Ok(SignedDigest { algorithm, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn subject(digests: &[(&str, &str)]) -> Subject {
        let digest: BTreeMap<String, String> =
            digests.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Subject { name: None, digest }
    }

    #[test]
    fn ties_an_artifact_to_a_subject_only_by_all_digests_that_both_know() {
        let read = ArtifactDigest::of(b"abc", Algorithms::Sha2);
        let sha512 = read.sha512_hex().unwrap();
        let known = [
            digest_of(&format!("sha256:{SHA256}")).unwrap(),
            digest_of(&format!("sha512:{sha512}")).unwrap(),
        ];
        let wrong = "0".repeat(128);
        assert!(tie(&subject(&[("sha256", SHA256)]), &known).is_some());
        assert!(tie(&subject(&[("sha512", &sha512)]), &known).is_some());
        assert!(tie(&subject(&[("sha256", SHA256), ("sha512", &sha512)]), &known).is_some());
        assert!(tie(&subject(&[("sha256", SHA256), ("sha512", &wrong)]), &known).is_none());
        assert!(tie(&subject(&[("sha1", &"0".repeat(40))]), &known).is_none());
        assert!(tie(&subject(&[("sha512", &sha512)]), &known[..1]).is_none());
    }

    #[test]
    fn reads_only_the_two_forms_of_digest() {
        for wrong in [
            "",
            "sha256",
            "sha1:00",
            &format!("sha512:{SHA256}"),
            &format!("sha256:{}", SHA256.to_uppercase()),
        ] {
            assert!(matches!(digest_of(wrong), Err(BundleError::Digest { .. })), "{wrong}");
        }
    }
}
