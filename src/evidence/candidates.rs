//! The managed keys of trust that may have made a signature, and which of them did.
//!
//! In: trust, what is signed, a hint. Out: the [`Candidate`] that made the signature, or why there is none.
//! Keys whose use fits are tried first, all of them. The others can't make it count: they are tried for the
//! reason alone, within [`REASON_BYTES`], so that a file of junk beside a large artifact costs next to nothing.
//! A hint is nobody's word: it says which key is tried first, and which one a reason speaks of.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::claim::{Claim, Over, Signature};
use super::limits::{KEYS_TRIED, REASON_BYTES, quoted};
use super::predicate::approval;
use super::rejection::Rejection;
use super::standing;
use crate::key::message::{Form, Message};
use crate::key::{Algorithm, PublicKey};
use crate::trust::{Identity, Person, Signer, TrustRoot};

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
pub(super) struct Candidate<'a> {
    pub(super) key: &'a PublicKey,
    pub(super) root: &'a str,
    pub(super) holder: Holder<'a>,
}

/// The keys that a signature may be by, each list with the hinted one first.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    /// Those whose use fits.
    fitting: Vec<Candidate<'a>>,
    /// Those whose use does not.
    others: Vec<Candidate<'a>>,
    /// Whether it may be somebody's no to a release: then a strange hint is no reason to leave a key untried.
    is_record: bool,
}

/// What a signature is held against.
struct Held<'s> {
    message: Message<'s>,
    /// What a signer with `rawPayload` signs instead.
    raw: Option<Message<'s>>,
    form: Form,
}

impl<'a> Candidates<'a> {
    /// The keys of trust that a hint can mean.
    pub(super) fn of(trust: &'a TrustRoot, claim: &Claim, hint: &str) -> Self {
        let mut all = all(trust);
        all.retain(|candidate| candidate.may_be_called(hint));
        all.sort_by_cached_key(|candidate| !candidate.is_hinted(hint)); // stable: hinted first
        let (fitting, others) =
            all.into_iter().partition(|candidate| standing::may_sign(candidate.holder, claim));
        let is_record = matches!(claim, Claim::Statement(it) if it.predicate_type == approval::TYPE);
        Self { fitting, others, is_record }
    }

    /// The one that made a signature.
    pub(super) fn who_made(&self, signature: &Signature<'_>) -> Result<Candidate<'a>, Rejection> {
        let held = Held::of(signature);
        let made = |candidate: &&Candidate<'a>| candidate.made(&held, signature.bytes);
        let mut spent = 0_u64;
        let within = |candidate: &&Candidate<'a>| {
            spent = spent.saturating_add(held.costs_a_reason(candidate.key.algorithm(), &signature.over));
            spent <= REASON_BYTES
        };
        let left = KEYS_TRIED.saturating_sub(self.fitting.len());
        let fitting = self.fitting.iter().take(KEYS_TRIED).find(made);
        let found = fitting.or_else(|| self.others.iter().take(left).filter(within).find(made));
        found.copied().ok_or_else(|| self.none_made(signature, &held))
    }

    /// How many bytes of an artifact are hashed at most to try those whose use fits.
    pub(super) fn costs(&self, signature: &Signature<'_>) -> u64 {
        let held = Held::of(signature);
        let tried = || self.fitting.iter().take(KEYS_TRIED).map(|candidate| candidate.key.algorithm());
        let costs = |algorithm| held.message.costs(algorithm).unwrap_or_default();
        // A digest is made once for all keys that sign it; Ed25519 makes its own each time.
        let each = tried().filter(|it| *it == Algorithm::Ed25519).map(costs);
        let once = [Algorithm::EcdsaP256, Algorithm::EcdsaP384]
            .map(|wanted| tried().find(|it| *it == wanted).map_or(0, costs));
        each.chain(once).fold(0, u64::saturating_add)
    }

    /// Why no key made it: the hinted one did not, or none that could be tried.
    fn none_made(&self, signature: &Signature<'_>, held: &Held<'_>) -> Rejection {
        if (signature.hint.is_empty() || self.is_record) && self.fitting.len() > KEYS_TRIED {
            return Rejection::KeysNotTried { keys: self.fitting.len() };
        }
        let is_hinted = |candidate: &&Candidate<'a>| candidate.is_hinted(signature.hint);
        let fitting = self.fitting.first().filter(is_hinted);
        let other = self.others.first().filter(is_hinted);
        if let Over::Artifact { bytes, .. } = &signature.over {
            let lacks_bytes = |candidate: &&Candidate<'a>| {
                held.message.costs(candidate.key.algorithm()).is_none() && bytes.is_err()
            };
            let why = bytes.err().unwrap_or_default();
            match (fitting, other) {
                (Some(hinted), _) if lacks_bytes(&hinted) => return no_bytes(hinted.key, why),
                (None, Some(hinted)) if hinted.key.algorithm() == Algorithm::Ed25519 => {
                    return hinted.misused("a signer with `use: artifact`");
                }
                (None, None) if self.fitting.iter().any(|it| lacks_bytes(&it)) => {
                    return no_bytes_for_any(why);
                }
                _ => {}
            }
        }
        if let (None, Some(hinted)) = (fitting, other)
            && held.costs_a_reason(hinted.key.algorithm(), &signature.over) > REASON_BYTES
        {
            return hinted.misused("one whose use it is");
        }
        match (fitting.or(other), &signature.over) {
            (Some(Candidate { key, .. }), _) => Rejection::BadSignature {
                detail: format!("wanted one by key `{}`, got one it did not make", key.id()),
            },
            (None, over) => Rejection::UntrustedIdentity {
                got: match over {
                    _ if !signature.hint.is_empty() => format!("key `{}`", named(signature.hint)),
                    Over::Artifact { .. } => "a key that no signer with `use: artifact` has".to_owned(),
                    _ => "a key without a hint".to_owned(),
                },
            },
        }
    }
}

fn all(trust: &TrustRoot) -> Vec<Candidate<'_>> {
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

    fn made(&self, held: &Held<'_>, signature: &[u8]) -> bool {
        match self.signer().is_some_and(|signer| signer.raw_payload) {
            true => held.raw.as_ref().is_some_and(|raw| raw.verify(self.key, signature, Form::Asn1).is_ok()),
            false => held.message.verify(self.key, signature, held.form).is_ok(),
        }
    }

    /// A signature that hints at a key of another use: what it is over is not hashed for it.
    fn misused(&self, wanted: &str) -> Rejection {
        let holder = match self.holder {
            Holder::Signer(signer) => format!("`{}`", signer.name),
            Holder::Person(person) => format!("the person `{}`", person.name),
        };
        let detail = format!("wanted {wanted}, got a hint at the key of {holder}");
        Rejection::WrongUse { detail }
    }
}

impl<'s> Held<'s> {
    fn of(signature: &'s Signature<'_>) -> Self {
        match &signature.over {
            Over::Envelope { pae, payload, .. } => Self {
                message: Message::of(pae),
                // Alone, never in a bundle, whose log entry would be one of another signature.
                raw: signature.bundle.is_none().then(|| Message::of(payload)),
                form: Form::Either,
            },
            Over::Bytes(bytes) => Self { message: Message::of(bytes), raw: None, form: Form::Asn1 },
            Over::Artifact { hashed, bytes, .. } => {
                let (sha256, sha384) = (hashed.sha256.as_ref(), hashed.sha384.as_ref());
                Self { message: Message::hashed(bytes.ok(), sha256, sha384), raw: None, form: Form::Asn1 }
            }
        }
    }

    /// What a further key costs that is tried for the reason alone. What evidence itself holds is hashed once
    /// for all of ECDSA's keys.
    fn costs_a_reason(&self, algorithm: Algorithm, over: &Over<'_>) -> u64 {
        match (algorithm, over) {
            (Algorithm::EcdsaP256 | Algorithm::EcdsaP384, Over::Envelope { .. } | Over::Bytes(_)) => 0,
            _ => self.message.costs(algorithm).unwrap_or_default(),
        }
    }
}

/// Whether one of trust's keys that sign files, and that a hint can mean, signs no SHA-256 digest of one.
pub(super) fn may_sign_no_digest(trust: &TrustRoot, hint: &str) -> bool {
    let mut candidates = all(trust);
    candidates.retain(|candidate| candidate.may_be_called(hint));
    let needs_bytes = |candidate: &Candidate<'_>| {
        standing::signs_files(candidate.holder) && candidate.key.algorithm() != Algorithm::EcdsaP256
    };
    match candidates.iter().find(|candidate| candidate.is_hinted(hint)) {
        Some(hinted) => needs_bytes(hinted),
        None => candidates.iter().any(needs_bytes),
    }
}

fn no_bytes(key: &PublicKey, why: &str) -> Rejection {
    let detail = format!(
        "wanted a message signature by a P-256 key, got one by `{}`, which only the artifact's bytes could \
         verify, and {why}: sign it as a DSSE statement",
        key.id()
    );
    Rejection::WrongUse { detail }
}

fn no_bytes_for_any(why: &str) -> Rejection {
    let detail = format!(
        "wanted a message signature by a P-256 key, got one that is none: only the artifact's bytes could \
         verify one by an Ed25519 or P-384 key, and {why}"
    );
    Rejection::WrongUse { detail }
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
