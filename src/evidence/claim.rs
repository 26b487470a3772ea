//! What a piece of evidence says it signs: a statement, or an artifact of this release.
//!
//! In: parsed evidence and the resolved release. Out: [`Claim`]: the statement read once from the
//! signed bytes, or the artifacts whose digest the signature names. Nothing is believed yet; the
//! signature is then held against exactly these bytes or this digest.

use super::bundle::{self, Algorithm, Bundle, Message, SignedDigest};
use super::detached::Detached;
use super::envelope::Envelope;
use super::limits::quoted;
use super::rejection::Rejection;
use super::simple_signing::{Proof, SimpleSigning};
use super::statement::{self, Statement};
use super::{Content, Evidence, Unreadable};
use crate::release::digest::{ArtifactDigest, ClaimedDigest};
use crate::release::resolved::{self, ResolvedArtifact, ResolvedRelease};

/// What is signed, by the evidence's own word.
#[derive(Debug)]
pub(super) enum Claim {
    /// A statement.
    Statement(Statement),
    /// Artifacts of the release, as files or as images.
    Artifacts(Artifacts),
}

/// Artifacts of this release, and platforms of its image indexes, that share the one digest that is
/// signed; never none of both.
#[derive(Debug)]
pub(super) struct Artifacts {
    /// Names of artifacts.
    pub(super) names: Vec<String>,
    /// Platforms: the index's name, and the digest of the platform's manifest. An index may list
    /// several manifests under one platform's name.
    pub(super) leaves: Vec<(String, ClaimedDigest)>,
    /// How they are signed.
    pub(super) form: Form,
}

/// How a signature over an artifact is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Over its bytes.
    Message,
    /// Over a simple-signing payload that names its manifest.
    SimpleSigning,
}

/// A signature and what it is held against.
#[derive(Debug)]
pub(super) struct Signature<'a> {
    /// The signature.
    pub(super) bytes: &'a [u8],
    /// What it is over.
    pub(super) over: Over<'a>,
    /// The signer's hint at its key; empty when there is none.
    pub(super) hint: &'a str,
    /// The bundle that it came in.
    pub(super) bundle: Option<&'a Bundle>,
}

/// What a signature is over.
#[derive(Debug)]
pub(super) enum Over<'a> {
    /// A DSSE envelope.
    Envelope {
        /// Its PAE, which DSSE signs.
        pae: Vec<u8>,
        /// Its payload, which a signer with `rawPayload` signs instead.
        payload: &'a [u8],
        /// A digest that a subject names, to please the library with.
        subject: Option<SignedDigest>,
    },
    /// Bytes that are at hand.
    Bytes(&'a [u8]),
    /// An artifact.
    Artifact {
        /// Its digest, as the evidence names it.
        digest: SignedDigest,
        /// What is known of its bytes.
        hashed: Hashed,
        /// Its bytes, or why there is no more than its digest.
        bytes: Result<&'a [u8], &'static str>,
    },
}

/// Digests of an artifact that ECDSA may have signed.
#[derive(Debug)]
pub(super) struct Hashed {
    /// SHA-256, which P-256 keys sign.
    pub(super) sha256: Option<[u8; 32]>,
    /// SHA-384, which P-384 keys sign.
    pub(super) sha384: Option<[u8; 48]>,
}

impl From<Unreadable> for Rejection {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable { problem: unreadable.problem }
    }
}

impl Claim {
    /// Of an envelope whose statement can't be read, a claim that says nothing, and the signature: to find out
    /// whether it is the word of somebody whom trust names.
    pub(super) fn unread(evidence: &Evidence) -> Option<(Self, Signature<'_>)> {
        let (envelope, hint, bundle) = match &evidence.content {
            Content::Envelope(envelope) => (envelope, envelope.key_id(), None),
            Content::Bundle(bundle) => match bundle.content() {
                bundle::Content::Envelope(envelope) => {
                    (envelope, bundle.key_hint().unwrap_or_default(), Some(bundle.as_ref()))
                }
                bundle::Content::Message(_) => return None,
            },
            Content::Detached(_) | Content::SimpleSigning(_) => return None,
        };
        if envelope.payload_type() != statement::PAYLOAD_TYPE {
            return None;
        }
        let (subject, predicate_type, predicate) = (Vec::new(), String::new(), serde_json::Value::Null);
        let over = Over::Envelope { pae: envelope.pae(), payload: envelope.payload(), subject: None };
        let signature = Signature { bytes: envelope.signature(), over, hint, bundle };
        Some((Self::Statement(Statement { subject, predicate_type, predicate }), signature))
    }

    /// Reads what this evidence says it signs, and the signature over it.
    pub(super) fn read<'a>(
        evidence: &'a Evidence,
        release: &'a ResolvedRelease,
    ) -> Result<(Self, Signature<'a>), Rejection> {
        match &evidence.content {
            Content::Envelope(envelope) => enveloped(envelope, envelope.key_id(), None),
            Content::Bundle(bundle) => match bundle.content() {
                bundle::Content::Envelope(envelope) => {
                    let hint = bundle.key_hint().unwrap_or_default();
                    enveloped(envelope, hint, Some(bundle))
                }
                bundle::Content::Message(message) => signed_message(message, bundle, release),
            },
            Content::Detached(detached) => signed_apart(detached, release),
            Content::SimpleSigning(SimpleSigning { payload, proof, manifest }) => {
                let named = Artifacts {
                    names: named(release, |artifact| artifact.digest() == *manifest),
                    leaves: leaves(release, |leaf| leaf.digest() == *manifest),
                    form: Form::SimpleSigning,
                };
                let claim = artifacts(named, manifest)?;
                let (bytes, bundle) = match proof {
                    Proof::Signature(signature) => (signature.as_slice(), None),
                    Proof::Bundle(bundle) => (bundle.message().unwrap_or_default(), Some(bundle.as_ref())),
                };
                Ok((claim, Signature { bytes, over: Over::Bytes(payload), hint: "", bundle }))
            }
        }
    }
}

fn enveloped<'a>(
    envelope: &'a Envelope,
    hint: &'a str,
    bundle: Option<&'a Bundle>,
) -> Result<(Claim, Signature<'a>), Rejection> {
    if envelope.payload_type() != statement::PAYLOAD_TYPE {
        let (wanted, got) = (statement::PAYLOAD_TYPE, quoted(envelope.payload_type()));
        let problem = format!("`payloadType`: wanted `{wanted}`, got `{got}`");
        return Err(Rejection::Unreadable { problem });
    }
    let (statement, null_name) = Statement::read_and_note(envelope.payload())?;
    // What the library would not read is held to the signed bytes alone; whose subject it is is judged here anyway.
    let subject = any_digest(&statement).filter(|_| !null_name);
    let over = Over::Envelope { pae: envelope.pae(), payload: envelope.payload(), subject };
    let signature = Signature { bytes: envelope.signature(), over, hint, bundle };
    Ok((Claim::Statement(statement), signature))
}

/// A digest that one of the subjects names. Which of them is this release's is not judged here.
fn any_digest(statement: &Statement) -> Option<SignedDigest> {
    [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)].into_iter().find_map(
        |(name, algorithm)| {
            let text = statement.subject.iter().find_map(|subject| subject.digest.get(name))?;
            Some(SignedDigest { algorithm, bytes: hex::decode(text).ok()? })
        },
    )
}

fn signed_message<'a>(
    message: &'a Message,
    bundle: &'a Bundle,
    release: &'a ResolvedRelease,
) -> Result<(Claim, Signature<'a>), Rejection> {
    let Some(digest) = message.digest.clone() else {
        return Err(Rejection::WrongSubject {
            got: "a message signature without `messageDigest`".to_owned(),
        });
    };
    let claim = of_digest(&digest, release)?;
    let hint = bundle.key_hint().unwrap_or_default();
    let over = over_artifact(digest, release);
    let signature = Signature { bytes: &message.signature, over, hint, bundle: Some(bundle) };
    Ok((claim, signature))
}

/// A detached signature, held against the artifact that its file was named after.
fn signed_apart<'a>(
    detached: &'a Detached,
    release: &'a ResolvedRelease,
) -> Result<(Claim, Signature<'a>), Rejection> {
    let artifact = release.artifacts().iter().find(|artifact| artifact.name() == detached.artifact);
    let artifact = artifact.ok_or_else(|| Rejection::WrongSubject {
        got: format!("a detached signature over `{}`", quoted(&detached.artifact)),
    })?;
    let bytes = artifact.digest().as_bytes().to_vec();
    let digest = SignedDigest { algorithm: Algorithm::Sha256, bytes };
    let claim = of_digest(&digest, release)?;
    let over = over_artifact(digest, release);
    Ok((claim, Signature { bytes: &detached.signature, over, hint: "", bundle: None }))
}

fn over_artifact(digest: SignedDigest, release: &ResolvedRelease) -> Over<'_> {
    Over::Artifact { bytes: bytes_of(&digest, release), hashed: hashes_of(&digest, release), digest }
}

/// What was computed of the artifact of this digest, and the digest itself where nothing was read.
fn hashes_of(digest: &SignedDigest, release: &ResolvedRelease) -> Hashed {
    let mut all = release.artifacts().iter().flat_map(read_of).map(|(_, read)| read);
    let read = all.find(|read| has(read, digest));
    let named = |algorithm| Some(digest.bytes.as_slice()).filter(|_| digest.algorithm == algorithm);
    let sha256 = read.map(|read| *read.digest().as_bytes());
    let sha384 = read.and_then(|read| read.sha384().copied());
    Hashed {
        sha256: sha256.or_else(|| named(Algorithm::Sha256)?.try_into().ok()),
        sha384: sha384.or_else(|| named(Algorithm::Sha384)?.try_into().ok()),
    }
}

/// Everything of the release that has a digest, none of it a trap.
fn of_digest(digest: &SignedDigest, release: &ResolvedRelease) -> Result<Claim, Rejection> {
    for (name, read) in release.artifacts().iter().flat_map(read_of).filter(|(_, read)| has(read, digest)) {
        refuse_traps(name, read)?;
    }
    let named = Artifacts {
        names: named(release, |artifact| is_of(artifact, digest)),
        leaves: leaves(release, |leaf| has(leaf, digest)),
        form: Form::Message,
    };
    artifacts(named, digest)
}

/// The bytes of an artifact of this digest, or why they are not at hand.
fn bytes_of<'a>(digest: &SignedDigest, release: &'a ResolvedRelease) -> Result<&'a [u8], &'static str> {
    let artifact = release.artifacts().iter().find(|artifact| is_of(artifact, digest));
    let Some(artifact) = artifact else {
        return Err("it is a platform of an image, known by its digest");
    };
    artifact.bytes().ok_or(match (artifact.content(), artifact.image()) {
        (resolved::Content::NamedOnly(_), _) => "the release names it by its digest alone",
        (_, Some(_)) => "it is an image, known by its digest",
        _ => "there is no room to hold it in memory",
    })
}

/// A signature over a file whose bytes are a PAE is a DSSE signature, and one over a simple-signing
/// payload is a signature over an image: neither is taken for what it says.
fn refuse_traps(name: &str, read: &ArtifactDigest) -> Result<(), Rejection> {
    let Some(trap) = read.trap() else { return Ok(()) };
    let name = quoted(name);
    Err(Rejection::WrongUse {
        detail: format!("wanted an artifact that is nothing but one, got `{name}`, {}", trap.as_str()),
    })
}

/// Everything of an artifact that was read here: itself, and the platforms of an image index.
fn read_of(artifact: &ResolvedArtifact) -> impl Iterator<Item = (&str, &ArtifactDigest)> {
    let whole = match artifact.content() {
        resolved::Content::Read(read) => Some(read),
        resolved::Content::NamedOnly(_) => None,
    };
    let leaves = artifact.image().map_or(&[][..], |image| &image.leaves);
    let read = whole.into_iter().chain(leaves.iter().map(|leaf| &leaf.digest));
    read.map(|read| (artifact.name(), read))
}

fn named(release: &ResolvedRelease, is_meant: impl Fn(&ResolvedArtifact) -> bool) -> Vec<String> {
    let meant = release.artifacts().iter().filter(|artifact| is_meant(artifact));
    meant.map(|artifact| artifact.name().to_owned()).collect()
}

/// Platforms whose manifest is meant.
fn leaves(
    release: &ResolvedRelease,
    is_meant: impl Fn(&ArtifactDigest) -> bool,
) -> Vec<(String, ClaimedDigest)> {
    let of = |artifact: &ResolvedArtifact| {
        let leaves = artifact.image().map_or(&[][..], |image| &image.leaves);
        let meant = leaves.iter().filter(|leaf| is_meant(&leaf.digest));
        meant.map(|leaf| (artifact.name().to_owned(), leaf.digest.digest().claim())).collect::<Vec<_>>()
    };
    release.artifacts().iter().flat_map(of).collect()
}

fn artifacts(named: Artifacts, digest: &dyn std::fmt::Display) -> Result<Claim, Rejection> {
    if named.names.is_empty() && named.leaves.is_empty() {
        return Err(Rejection::WrongSubject { got: format!("`{digest}`") });
    }
    Ok(Claim::Artifacts(named))
}

fn is_of(artifact: &ResolvedArtifact, digest: &SignedDigest) -> bool {
    match artifact.content() {
        resolved::Content::Read(read) => has(read, digest),
        resolved::Content::NamedOnly(claim) => {
            digest.algorithm == Algorithm::Sha256 && claim.hex() == hex::encode(&digest.bytes)
        }
    }
}

/// Whether bytes that were read here have a digest.
pub(super) fn has(read: &ArtifactDigest, digest: &SignedDigest) -> bool {
    match digest.algorithm {
        Algorithm::Sha256 => read.digest().as_bytes().as_slice() == digest.bytes,
        Algorithm::Sha384 => read.sha384().is_some_and(|sha384| sha384.as_slice() == digest.bytes),
        Algorithm::Sha512 => read.sha512_hex().is_some_and(|hex| hex == hex::encode(&digest.bytes)),
    }
}
