//! Who made a signature, and when that is proved.
//!
//! In: a signature with what it is over, the keys and roots of trust. Out: [`Made`], only when the
//! signature holds, and with it whatever certificate, log entry and time stamp came along. A
//! certificate is judged by roots alone and a key by itself: a bundle of the one never passes for
//! the other. Which keys are tried, and how much is hashed for it, is [`candidates`](super::candidates)'.
//! Not judged here: whether the maker may sign this, or could at that time.

use super::bundle::certificate::CertifiedIdentity;
use super::bundle::instance::{Instance, RootError, Signed};
use super::bundle::{Algorithm, Bundle, SignedDigest};
use super::candidates::{Candidate, Candidates, Holder};
use super::claim::{Claim, Over, Signature};
use super::limits::quoted;
use super::rejection::Rejection;
use crate::key::{self, PublicKey};
use crate::time::Timestamp;
use crate::trust::TrustRoot;

/// Digests that the library makes of one artifact: the log's, the bundle's and the key's own.
const DIGESTS_OF_ONE: usize = 3;

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
    claim: &Claim,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    match signature.bundle.filter(|bundle| bundle.key_hint().is_none()) {
        Some(bundle) => by_certificate(roots, bundle, signature),
        None => by_key(roots, trust, claim, signature),
    }
}

/// The first root under which all of it holds. Of several failures the one of the root that seems
/// to have issued the certificate is the reason.
fn by_certificate<'a>(
    roots: &Roots<'a>,
    bundle: &Bundle,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    let signed = signed(signature, bundle.certified_key());
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
    claim: &Claim,
    signature: &Signature<'_>,
) -> Result<Made<'a>, Rejection> {
    let candidates = Candidates::of(trust, claim, signature.hint);
    let Candidate { key, root, holder } = candidates.who_made(signature)?;
    let times = match signature.bundle.filter(|bundle| bundle.is_witnessed()) {
        Some(bundle) => roots.get(root)?.keyed(bundle, key, signed(signature, Some(key.algorithm())))?.times,
        None => Vec::new(),
    };
    Ok(Made { by: Maker::Key { key, holder }, times })
}

/// How many bytes of an artifact are hashed at most to find out who made a signature over it: a bound that
/// depends on nobody's speed. What else signatures are over is bounded by what evidence may hold in all.
pub(super) fn costs(roots: &Roots<'_>, trust: &TrustRoot, claim: &Claim, signature: &Signature<'_>) -> u64 {
    let Over::Artifact { bytes: Ok(bytes), digest, .. } = &signature.over else { return 0 };
    let by_library = |key, times: usize| match is_by_digest(digest, key) {
        true => 0,
        false => (bytes.len() as u64).saturating_mul(times as u64),
    };
    match signature.bundle.filter(|bundle| bundle.key_hint().is_none()) {
        Some(bundle) => by_library(bundle.certified_key(), roots.0.len().saturating_mul(DIGESTS_OF_ONE)),
        None => {
            let witnessed = signature.bundle.filter(|bundle| bundle.is_witnessed());
            let witnesses = witnessed.map_or(0, |_| by_library(None, DIGESTS_OF_ONE));
            Candidates::of(trust, claim, signature.hint).costs(signature).saturating_add(witnesses)
        }
    }
}

/// What the library verifies a bundle over, by a key of this kind.
fn signed<'s>(signature: &'s Signature<'_>, key: Option<key::Algorithm>) -> Signed<'s> {
    match &signature.over {
        Over::Artifact { bytes: Ok(bytes), digest, .. } if !is_by_digest(digest, key) => Signed::Bytes(bytes),
        Over::Artifact { digest, .. } | Over::Envelope { subject: Some(digest), .. } => {
            Signed::Digest(digest)
        }
        Over::Envelope { pae, subject: None, .. } => Signed::Pae(pae),
        Over::Bytes(bytes) => Signed::Bytes(bytes),
    }
}

/// Whether the digest that a bundle names is all that a key of this kind signs: then no byte is hashed.
fn is_by_digest(digest: &SignedDigest, key: Option<key::Algorithm>) -> bool {
    digest.algorithm == Algorithm::Sha256 && key == Some(key::Algorithm::EcdsaP256)
}
