//! What a piece of evidence says it signs: a statement, or an artifact of this release.
//!
//! In: parsed evidence and the resolved release. Out: [`Claim`]: the statement read once from the
//! signed bytes, or the artifacts whose digest the signature names. Nothing is believed yet; the
//! signature is then held against exactly these bytes or this digest.

use super::bundle::{self, Algorithm, Bundle, Message, SignedDigest};
use super::envelope::Envelope;
use super::limits::quoted;
use super::rejection::Rejection;
use super::simple_signing::{Proof, SimpleSigning};
use super::statement::{self, Statement};
use super::{Content, Evidence, Unreadable};
use crate::release::resolved::{self, ResolvedArtifact, ResolvedRelease};
use crate::release::shape;

/// What is signed, by the evidence's own word.
#[derive(Debug)]
pub(super) enum Claim {
    /// A statement.
    Statement(Statement),
    /// Artifacts of the release, as files or as images.
    Artifacts(Artifacts),
}

/// Artifacts of this release that share the one digest that is signed.
#[derive(Debug)]
pub(super) struct Artifacts {
    /// Their names; never empty.
    pub(super) names: Vec<String>,
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
    /// A DSSE envelope's PAE; and a digest that a subject names, to please the library with.
    Pae(Vec<u8>, Option<SignedDigest>),
    /// Bytes that are at hand.
    Bytes(&'a [u8]),
    /// An artifact, by its digest.
    Digest(SignedDigest),
}

impl From<Unreadable> for Rejection {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable { problem: unreadable.problem }
    }
}

impl Claim {
    /// Reads what this evidence says it signs, and the signature over it.
    pub(super) fn read<'a>(
        evidence: &'a Evidence,
        release: &ResolvedRelease,
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
            Content::SimpleSigning(SimpleSigning { payload, proof, manifest }) => {
                let names = named(release, |artifact| artifact.digest() == *manifest);
                let claim = artifacts(names, Form::SimpleSigning, manifest)?;
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
    let statement = Statement::read(envelope.payload())?;
    let over = Over::Pae(envelope.pae(), any_digest(&statement));
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
    release: &ResolvedRelease,
) -> Result<(Claim, Signature<'a>), Rejection> {
    let Some(digest) = message.digest.clone() else {
        return Err(Rejection::WrongSubject {
            got: "a message signature without `messageDigest`".to_owned(),
        });
    };
    for artifact in release.artifacts().iter().filter(|artifact| is_of(artifact, &digest)) {
        refuse_traps(artifact)?;
    }
    let claim = artifacts(named(release, |artifact| is_of(artifact, &digest)), Form::Message, &digest)?;
    let hint = bundle.key_hint().unwrap_or_default();
    let signature =
        Signature { bytes: &message.signature, over: Over::Digest(digest), hint, bundle: Some(bundle) };
    Ok((claim, signature))
}

/// A signature over a file whose bytes are a PAE is a DSSE signature, and one over a simple-signing
/// payload is a signature over an image: neither is taken for what it says.
fn refuse_traps(artifact: &ResolvedArtifact) -> Result<(), Rejection> {
    let resolved::Content::Read(read) = artifact.content() else { return Ok(()) };
    let Some(trap) = shape::trap(read.head()) else { return Ok(()) };
    let name = quoted(artifact.name());
    Err(Rejection::WrongUse {
        detail: format!("wanted an artifact that is nothing but one, got `{name}`, {}", trap.as_str()),
    })
}

fn named(release: &ResolvedRelease, is_meant: impl Fn(&ResolvedArtifact) -> bool) -> Vec<String> {
    let meant = release.artifacts().iter().filter(|artifact| is_meant(artifact));
    meant.map(|artifact| artifact.name().to_owned()).collect()
}

fn artifacts(names: Vec<String>, form: Form, digest: &dyn std::fmt::Display) -> Result<Claim, Rejection> {
    if names.is_empty() {
        return Err(Rejection::WrongSubject { got: format!("`{digest}`") });
    }
    Ok(Claim::Artifacts(Artifacts { names, form }))
}

fn is_of(artifact: &ResolvedArtifact, digest: &SignedDigest) -> bool {
    match (digest.algorithm, artifact.content()) {
        (Algorithm::Sha256, _) => artifact.digest().as_bytes().as_slice() == digest.bytes,
        (Algorithm::Sha512, resolved::Content::Read(read)) => {
            read.sha512_hex().is_some_and(|hex| hex == hex::encode(&digest.bytes))
        }
        _ => false,
    }
}
