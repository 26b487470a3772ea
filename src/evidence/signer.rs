//! Who made a signature, and when that is proved.
//!
//! In: a signature with what it is over, the keys and roots of trust. Out: [`Made`], only when the
//! signature holds, and with it whatever certificate, log entry and time stamp came along. A
//! certificate is judged by roots alone and a key by itself: a bundle of the one never passes for
//! the other. Not judged here: whether the maker may sign this, or could at that time.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::bundle::certificate::CertifiedIdentity;
use super::bundle::instance::{Instance, RootError, Signed};
use super::bundle::{Algorithm, Bundle, SignedDigest};
use super::claim::{Over, Signature};
use super::limits::{KEYS_TRIED, quoted};
use super::rejection::Rejection;
use crate::key::{self, PublicKey};
use crate::time::Timestamp;
use crate::trust::{Identity, Person, Signer, TrustRoot};

/// The roots that trust names, each prepared or known to be unusable.
#[derive(Debug)]
pub(super) struct Roots<'a>(Vec<(&'a str, Result<Instance, RootError>)>);

/// A signature that holds.
#[derive(Debug)]
pub(super) struct Made<'a> {
    /// What made it.
    pub(super) by: Maker<'a>,
    /// Every proved time, sorted; none when nobody vouches for one.
    pub(super) times: Vec<Timestamp>,
}

/// What made a signature.
#[derive(Debug)]
pub(super) enum Maker<'a> {
    /// A managed key that trust names.
    Key {
        /// The key.
        key: &'a PublicKey,
        /// Whose it is.
        holder: Holder<'a>,
    },
    /// The key of a certificate.
    Certificate {
        /// The root that it holds under.
        root: &'a str,
        /// Whom it names.
        identity: CertifiedIdentity,
    },
}

/// Who holds a key or an identity.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder<'a> {
    /// A signer.
    Signer(&'a Signer),
    /// A person.
    Person(&'a Person),
}

/// A managed key of trust.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    key: &'a PublicKey,
    root: &'a str,
    holder: Holder<'a>,
}

impl<'a> Roots<'a> {
    /// Prepares every root.
    pub(super) fn prepare(trust: &'a TrustRoot) -> Self {
        Self(trust.roots.iter().map(|root| (root.name.as_str(), Instance::prepare(&root.json))).collect())
    }

    fn names(&self) -> String {
        let names = self.0.iter().map(|(name, instance)| match instance {
            Ok(_) => format!("`{name}`"),
            Err(_) => format!("`{name}` (which cannot be used)"),
        });
        let names: Vec<String> = names.collect();
        if names.is_empty() { "a root that trust names".to_owned() } else { names.join(" or ") }
    }

    fn get(&self, name: &str) -> Result<&Instance, Rejection> {
        let detail = match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, Ok(instance))) => return Ok(instance),
            Some((_, Err(error))) => format!("root `{name}`: {error}"),
            None => format!("root `{name}`: trust does not name it"),
        };
        Err(Rejection::BadMaterial { part: "root", detail })
    }
}

/// Holds a signature against the keys or the roots of trust, whichever its evidence calls for.
pub(super) fn find<'a>(
    roots: &Roots<'a>,
    trust: &'a TrustRoot,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    match signature.bundle.filter(|bundle| bundle.key_hint().is_none()) {
        Some(bundle) => by_certificate(roots, bundle, signature),
        None => by_key(roots, trust, signature),
    }
}

/// The first root under which all of it holds. Of several failures the one of the root that seems
/// to have issued the certificate is the reason.
fn by_certificate<'a>(
    roots: &Roots<'a>,
    bundle: &Bundle,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    let signed = signed(signature);
    let mut reason = None;
    for (root, instance) in &roots.0 {
        let Ok(instance) = instance else { continue };
        match instance.certified(bundle, signed) {
            Ok(proof) => {
                let identity = proof.identity.ok_or_else(|| another(roots, bundle))?;
                return Ok(Made { by: Maker::Certificate { root, identity }, times: proof.times });
            }
            Err(rejection) if instance.seems_to_have_issued(bundle) => {
                reason.get_or_insert(rejection);
            }
            Err(_) => {}
        }
    }
    Err(reason.unwrap_or_else(|| another(roots, bundle)))
}

fn another(roots: &Roots<'_>, bundle: &Bundle) -> Rejection {
    let got =
        bundle.issuer_name().map_or("a certificate that names no issuer".to_owned(), |name| quoted(&name));
    Rejection::AnotherInstance { wanted: roots.names(), got }
}

/// The one key of trust that made the signature, with the witnesses that its bundle brings.
fn by_key<'a>(
    roots: &Roots<'a>,
    trust: &'a TrustRoot,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    let mut candidates = candidates(trust);
    candidates.retain(|candidate| candidate.may_be_called(signature.hint));
    candidates.sort_by_key(|candidate| !candidate.is_hinted(signature.hint)); // stable: hinted first
    let made = candidates.iter().take(KEYS_TRIED).find(|candidate| candidate.made(signature));
    let Some(Candidate { key, root, holder }) = made.copied() else {
        return Err(no_key(&candidates, signature));
    };
    let times = match signature.bundle.filter(|bundle| bundle.is_witnessed()) {
        Some(bundle) => roots.get(root)?.keyed(bundle, key, signed(signature))?.times,
        None => Vec::new(),
    };
    Ok(Made { by: Maker::Key { key, holder }, times })
}

fn candidates(trust: &TrustRoot) -> Vec<Candidate<'_>> {
    let signers = trust.signers.iter().map(|signer| (Holder::Signer(signer), &signer.identity));
    let people = trust
        .people
        .iter()
        .flat_map(|person| person.identities.iter().map(move |identity| (Holder::Person(person), identity)));
    signers
        .chain(people)
        .filter_map(|(holder, identity)| match identity {
            Identity::Key { root, key } => Some(Candidate { key, root, holder }),
            Identity::Keyless { .. } => None,
        })
        .collect()
}

impl Candidate<'_> {
    fn signer(&self) -> Option<&Signer> {
        match self.holder {
            Holder::Signer(signer) => Some(signer),
            Holder::Person(_) => None,
        }
    }

    /// Who says by which name its key goes is meant by no other.
    fn may_be_called(&self, hint: &str) -> bool {
        self.signer().and_then(|signer| signer.key_id.as_deref()).is_none_or(|name| name == hint)
    }

    /// Hints are written as trust says, or as the digest of the key, in hex or base64 (npm: after
    /// `SHA256:`, unpadded); any other text hints at nothing.
    fn is_hinted(&self, hint: &str) -> bool {
        let id = self.key.id();
        let npm =
            || hint.strip_prefix("SHA256:").is_some_and(|text| text == STANDARD_NO_PAD.encode(id.as_bytes()));
        self.signer().is_some_and(|signer| signer.key_id.as_deref() == Some(hint))
            || hint == id.hex()
            || hint == id.to_string()
            || hint == STANDARD.encode(id.as_bytes())
            || npm()
    }

    fn made(&self, signature: &Signature<'_>) -> bool {
        let key = self.key;
        let raw_payload = self.signer().is_some_and(|signer| signer.raw_payload);
        match &signature.over {
            // Alone, never in a bundle, whose log entry would be one of another signature.
            Over::Envelope { payload, .. } if raw_payload => {
                signature.bundle.is_none() && key.verify(payload, signature.bytes).is_ok()
            }
            _ if raw_payload => false,
            Over::Envelope { pae, .. } => key.verify_either_form(pae, signature.bytes).is_ok(),
            Over::Bytes(bytes) => key.verify(bytes, signature.bytes).is_ok(),
            Over::Artifact { digest, bytes } => {
                let over_bytes = || bytes.is_ok_and(|bytes| key.verify(bytes, signature.bytes).is_ok());
                verifies_digest(key, digest, signature.bytes) || over_bytes()
            }
        }
    }
}

/// Whether one of trust's keys that a hint can mean signs no SHA-256 digest of an artifact.
pub(super) fn may_sign_no_digest(trust: &TrustRoot, hint: &str) -> bool {
    let mut candidates = candidates(trust);
    candidates.retain(|candidate| candidate.may_be_called(hint));
    let hinted = candidates.iter().find(|candidate| candidate.is_hinted(hint));
    match hinted {
        Some(candidate) => signs_no_sha256(candidate.key),
        None => candidates.iter().any(|candidate| signs_no_sha256(candidate.key)),
    }
}

fn signs_no_sha256(key: &PublicKey) -> bool {
    key.algorithm() != key::Algorithm::EcdsaP256
}

/// Whether a key made a signature over bytes of this digest.
fn verifies_digest(key: &PublicKey, digest: &SignedDigest, signature: &[u8]) -> bool {
    let bytes = digest.bytes.as_slice();
    match digest.algorithm {
        Algorithm::Sha256 => bytes.try_into().is_ok_and(|it| key.verify_sha256(it, signature).is_ok()),
        Algorithm::Sha384 => bytes.try_into().is_ok_and(|it| key.verify_sha384(it, signature).is_ok()),
        Algorithm::Sha512 => false, // no key signs one: Ed25519 hashes more than the bytes
    }
}

/// Why no key made it: the hinted one did not, or none that could be tried.
fn no_key(candidates: &[Candidate<'_>], signature: &Signature<'_>) -> Rejection {
    let hinted = candidates.first().filter(|first| first.is_hinted(signature.hint));
    match (hinted, &signature.over) {
        (Some(Candidate { key, .. }), Over::Artifact { bytes: Err(why), .. }) if signs_no_sha256(key) => {
            let detail = format!(
                "wanted a message signature by a P-256 key, got one by `{}`, which only the artifact's \
                 bytes could verify, and {why}: sign it as a DSSE statement",
                key.id()
            );
            return Rejection::WrongUse { detail };
        }
        (None, Over::Artifact { bytes: Err(why), .. })
            if candidates.iter().any(|candidate| signs_no_sha256(candidate.key)) =>
        {
            let detail = format!(
                "wanted a message signature by a P-256 key, got one that is none: only the artifact's bytes \
                 could verify one by an Ed25519 or P-384 key, and {why}"
            );
            return Rejection::WrongUse { detail };
        }
        _ => {}
    }
    match hinted {
        Some(Candidate { key, .. }) => Rejection::BadSignature {
            detail: format!("wanted one by key `{}`, got one it did not make", key.id()),
        },
        None if signature.hint.is_empty() => {
            Rejection::UntrustedIdentity { got: "a key without a hint".to_owned() }
        }
        None => Rejection::UntrustedIdentity { got: format!("key `{}`", named(signature.hint)) },
    }
}

/// A hint as keys are written everywhere else, where it is the digest of one: `cosign` writes it as base64.
fn named(hint: &str) -> String {
    // What is a digest in hex can be read as base64, too, of more bytes.
    let decoded = [hex::decode(hint).ok(), STANDARD.decode(hint).ok()];
    match decoded.into_iter().flatten().find(|bytes| bytes.len() == 32) {
        Some(digest) => format!("sha256:{}", hex::encode(digest)),
        None => quoted(hint),
    }
}

/// What the library verifies a bundle over.
fn signed<'s>(signature: &'s Signature<'_>) -> Signed<'s> {
    match &signature.over {
        Over::Artifact { bytes: Ok(bytes), .. } => Signed::Bytes(bytes),
        Over::Artifact { digest, .. } | Over::Envelope { subject: Some(digest), .. } => {
            Signed::Digest(digest)
        }
        Over::Envelope { pae, subject: None, .. } => Signed::Pae(pae),
        Over::Bytes(bytes) => Signed::Bytes(bytes),
    }
}
