//! Evidence: sealed and unauthenticated bytes, until an [`attestation::Authenticator`] says who signed them.
//!
//! In: bytes as received (Sigstore bundles v0.1 to v0.3, DSSE envelopes, cosign's simple-signing payloads
//! with their signature, `.sig` files; [`pack`] takes apart what holds several of them).
//! Out: [`attestation::Attestation`] or [`attestation::ArtifactSignature`], or the reason why not.

pub mod attestation;
pub mod bundle;
mod candidates;
mod claim;
mod detached;
pub mod effort;
pub mod envelope;
pub mod limits;
pub mod pack;
pub mod predicate;
pub mod rejection;
mod signer;
mod simple_signing;
mod standing;
pub mod statement;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use serde_json::Value;

use crate::json;
use crate::key;
use crate::release::digest::{ArtifactDigest, Digest};
use crate::release::resolved::ResolvedRelease;
use crate::trust::TrustRoot;
use bundle::{Algorithm, Bundle};
use detached::Detached;
use envelope::Envelope;
pub(crate) use simple_signing::MEDIA_TYPE as SIMPLE_SIGNING;
use simple_signing::SimpleSigning;
pub(crate) use standing::{in_dates, use_for};
use statement::Statement;
use wire::problem;

/// One piece of evidence: its bytes as received and what they parse to. Shows no payload.
#[derive(Debug)]
pub struct Evidence {
    source: String,
    bytes: Vec<u8>,
    digest: Digest,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bundle(Box<Bundle>),
    Envelope(Envelope),
    SimpleSigning(SimpleSigning),
    Detached(Detached),
}

impl Evidence {
    /// Parses the bytes of one bundle or envelope, strictly and within [`limits`].
    ///
    /// # Errors
    /// [`Unreadable`] says what is wrong.
    pub fn parse(source: &str, bytes: Vec<u8>) -> Result<Self, Unreadable> {
        let value = document(&bytes)?;
        let content = match kind(&value) {
            Kind::Envelope => Content::Envelope(Envelope::read(value)?),
            Kind::SimpleSigning => Content::SimpleSigning(SimpleSigning::read(value)?),
            Kind::Detached => Content::Detached(Detached::read(value)?),
            Kind::Bundle => Content::Bundle(Box::new(Bundle::read(value)?)),
        };
        Ok(Self { source: source.to_owned(), digest: Digest::of_bytes(&bytes), bytes, content })
    }

    /// The document that the bytes of a `.sig` file are read as, which [`Evidence::parse`] takes; `None`
    /// for a file of another name.
    pub fn detached(file_name: &str, bytes: &[u8]) -> Option<Result<Vec<u8>, Unreadable>> {
        let artifact = file_name.strip_suffix(detached::SUFFIX)?;
        Some(detached::document(artifact, bytes))
    }

    /// The document of a cosign simple-signing payload and the signature that a registry keeps beside it,
    /// which [`Evidence::parse`] takes.
    pub fn simple_signing(payload: &[u8], signature: &[u8]) -> Vec<u8> {
        simple_signing::document(payload, signature)
    }

    /// The document of such a payload and a bundle of the signature over it, by a certificate's key: what
    /// annotations in a registry say of a keyless one. [`Evidence::parse`] takes it.
    pub fn certified_simple_signing(payload: &[u8], bundle: &Value) -> Vec<u8> {
        simple_signing::certified(payload, bundle)
    }

    /// Where it came from, as the user would name it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The digest of the bytes as received.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether a longer digest than SHA-256 is named inside: then artifacts are read with those as well.
    ///
    /// All that an unauthenticated payload ever tells, and nothing is decided by it.
    pub fn names_longer_digest(&self) -> bool {
        let envelope = match &self.content {
            Content::Envelope(envelope) => envelope,
            Content::Bundle(bundle) => match bundle.content() {
                bundle::Content::Envelope(envelope) => envelope,
                bundle::Content::Message(message) => {
                    let digest = message.digest.as_ref();
                    return digest.is_some_and(|digest| digest.algorithm != Algorithm::Sha256);
                }
            },
            Content::SimpleSigning(_) | Content::Detached(_) => return false,
        };
        Statement::read(envelope.payload()).is_ok_and(|statement| statement.names("sha512"))
    }

    /// The artifact whose very bytes this may be a signature over, under this trust: one by a key that
    /// signs no SHA-256 digest. Found before anything is authenticated, and nothing is decided by it.
    pub fn wants_bytes(&self, trust: &TrustRoot) -> Option<BytesOf> {
        match &self.content {
            Content::Detached(detached) => {
                candidates::may_sign_no_digest(trust, "").then(|| BytesOf::Named(detached.artifact.clone()))
            }
            Content::Bundle(bundle) => {
                let bundle::Content::Message(message) = bundle.content() else { return None };
                let wanted = match bundle.key_hint() {
                    Some(hint) => candidates::may_sign_no_digest(trust, hint),
                    None => bundle.certified_key().is_some_and(|kind| kind != key::Algorithm::EcdsaP256),
                };
                message.digest.clone().filter(|_| wanted).map(BytesOf::Digest)
            }
            Content::Envelope(_) | Content::SimpleSigning(_) => None,
        }
    }

    /// Whether its signature is over the bytes of an artifact, which cost far more to hash than it has itself.
    fn is_over_an_artifact(&self) -> bool {
        match &self.content {
            Content::Detached(_) => true,
            Content::Bundle(bundle) => matches!(bundle.content(), bundle::Content::Message(_)),
            Content::Envelope(_) | Content::SimpleSigning(_) => false,
        }
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as received, and nothing else of it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The value that a document's bytes hold, if they are no more than a document may have.
fn document(bytes: &[u8]) -> Result<Value, Unreadable> {
    let most = limits::DOCUMENT_BYTES;
    if bytes.len() > most {
        return Err(problem(format!("wanted at most {most} bytes, got {}", bytes.len())));
    }
    json::parse(bytes).map_err(|error| problem(limits::quoted(&error.to_string())))
}

/// Which artifact a signature means, by the evidence's own word.
#[derive(Debug, Clone)]
pub enum BytesOf {
    /// The one of this name.
    Named(String),
    /// Whichever has this digest.
    Digest(bundle::SignedDigest),
}

impl BytesOf {
    /// Whether it means the artifact of this name that was read.
    pub fn means(&self, name: &str, read: &ArtifactDigest) -> bool {
        match self {
            Self::Named(named) => named == name,
            Self::Digest(digest) => claim::has(read, digest),
        }
    }
}

/// Kinds of documents.
enum Kind {
    Bundle,
    Envelope,
    SimpleSigning,
    Detached,
}

/// What a document means to be, so that the reason it is refused with speaks of that.
fn kind(value: &Value) -> Kind {
    let has = |name| value.get(name).is_some();
    let media_type = value.get("mediaType").and_then(Value::as_str);
    if media_type == Some(simple_signing::MEDIA_TYPE) {
        Kind::SimpleSigning
    } else if media_type == Some(detached::MEDIA_TYPE) {
        Kind::Detached
    } else if has("payloadType") || has("signatures") && !has("verificationMaterial") {
        Kind::Envelope
    } else {
        Kind::Bundle
    }
}

/// Evidence that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Unreadable {
    /// What is wrong, with the member it is about.
    pub problem: String,
}

/// Where evidence comes from. Adapters implement it.
pub trait EvidenceSource {
    /// Everything that may speak of this release, and what could not be reached.
    fn gather(&self, release: &ResolvedRelease) -> Gathered;
}

/// What gathering found. Ordered by digest, each piece once.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Parsed evidence, sorted by digest.
    pub found: Vec<Evidence>,
    /// Files that are no evidence that can be read, sorted by digest.
    pub unreadable: Vec<UnreadableFile>,
    /// Sources that failed: I/O and network, not absence.
    pub unreachable: Vec<Unreachable>,
    /// Files in evidence folders that are of no kind of evidence.
    pub ignored: u64,
    /// The limit that was exceeded, if one was: a recorded deny, `evidence-limit`.
    pub over_limit: Option<OverLimit>,
}

/// A limit of intake that was exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverLimit {
    /// The file that is too large, where it is one file's fault: the others were read.
    pub source: Option<String>,
    /// What was counted, e.g. `evidence files`.
    pub what: &'static str,
    /// The most that is taken.
    pub limit: u64,
    /// How much there was (at least).
    pub found: u64,
}

impl OverLimit {
    /// One more of these than are taken, of all evidence together: nobody counts on.
    pub fn by_one(what: &'static str, limit: u64) -> Self {
        Self { source: None, what, limit, found: limit.saturating_add(1) }
    }

    /// The same, by the fault of one file.
    pub fn in_file(source: String, what: &'static str, limit: u64) -> Self {
        Self { source: Some(source), ..Self::by_one(what, limit) }
    }
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "`{source}` holds ")?;
        }
        write!(f, "more than {} {}: {} found", self.limit, self.what, self.found)
    }
}

/// A file that claims to be evidence and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableFile {
    /// Where it came from.
    pub source: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What is wrong with it.
    pub problem: Unreadable,
}

/// A source that could not be read in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The file, folder or registry.
    pub source: String,
    /// Why.
    pub cause: String,
}
