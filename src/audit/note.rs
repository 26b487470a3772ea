//! Signed notes and the keys that verify them, as text.
//!
//! In: a note's text and signature lines, or a verifier key's line. Out: the signed text, once a
//! trusted key's signature over it holds. Only Ed25519 (type 0x01) is known here; lines of other
//! keys are passed over, as the spec asks.
//! Spec: <https://c2sp.org/signed-note>.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::key::secret::SecretKey;
use crate::key::{Algorithm, KeyError, PublicKey, is_key_name};

/// Lines that a reader takes at most: the spec's floor is 16.
const MAX_SIGNATURES: usize = 100;

/// The signature type of Ed25519.
const ED25519: u8 = 0x01;

/// Why a note or a verifier key is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The text is no note.
    #[error("is not a signed note: text, an empty line, signature lines")]
    Malformed,
    /// A line that is no signature line.
    #[error("has a malformed signature line")]
    SignatureLine,
    /// Too many signature lines.
    #[error("has more than {MAX_SIGNATURES} signature lines")]
    TooMany,
    /// A signature by a trusted key that does not hold.
    #[error("the signature by `{0}` does not verify")]
    BadSignature(String),
    /// No signature by a trusted key.
    #[error("has no signature by a trusted key")]
    Untrusted,
    /// Two trusted keys of one name and id.
    #[error("the key `{0}` is trusted twice")]
    Ambiguous(String),
    /// A verifier key that is not of the form `name+id+key`.
    #[error("`{0}` is not a verifier key")]
    VerifierKey(String),
    /// A name that can't name a key.
    #[error("`{0}` can't name a key: it is empty or has a space or a plus sign")]
    Name(String),
    /// A key of another kind.
    #[error("a log key must be an Ed25519 key")]
    NotEd25519,
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A name and an Ed25519 key: what a C2SP `vkey` line says.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

impl VerifierKey {
    /// The key under this name.
    ///
    /// # Errors
    /// [`NoteError::Name`] or [`NoteError::NotEd25519`].
    pub fn new(name: &str, key: &PublicKey) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Name(name.to_owned()));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(NoteError::NotEd25519);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, ED25519, key.raw()), key: key.clone() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// `name+id`: what journal records call it.
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }
}

/// The first four bytes of SHA-256 over name, line feed, type and key.
fn key_id(name: &str, kind: u8, raw: &[u8]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(raw).finalize();
    hash.first_chunk().copied().unwrap_or_default()
}

/// Takes `name+id+base64(type, key)` apart: the Ed25519 key of a signature type, a log's or a
/// witness's. `None` for another type, a name that can't be one, or an id that isn't the key's.
pub fn key_of_type(text: &str, kind: u8) -> Option<(&str, [u8; 4], PublicKey)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, packed) = (parts.next()?, parts.next()?, parts.next()?);
    let typed = STANDARD.decode(packed).ok()?;
    let raw: &[u8; 32] = typed.strip_prefix(&[kind])?.try_into().ok()?;
    let computed = key_id(name, kind, raw);
    let sound = is_key_name(name) && hex::encode(computed) == id;
    sound.then(|| (name, computed, PublicKey::from_ed25519(raw)))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519], self.key.raw()].concat();
        write!(out, "{}+{}", self.short(), STANDARD.encode(typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) =
            key_of_type(text, ED25519).ok_or_else(|| NoteError::VerifierKey(text.to_owned()))?;
        Ok(Self { name: name.to_owned(), id, key })
    }
}

/// A note, parsed: its text is not to be believed before [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl SignedNote {
    /// Splits a note into text and signature lines.
    ///
    /// # Errors
    /// [`NoteError`] says what is malformed.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures: Vec<_> = lines.split('\n').map(Signature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, once at least one trusted key's signature over it holds and none fails.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`], [`NoteError::Untrusted`] or [`NoteError::Ambiguous`].
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<&str, NoteError> {
        let mut held = false;
        for (at, key) in trusted.iter().enumerate() {
            let same = |other: &VerifierKey| other.name == key.name && other.id == key.id;
            if trusted.iter().take(at).any(same) {
                return Err(NoteError::Ambiguous(key.short()));
            }
            let mut by_key = self.signatures.iter().filter(|s| s.name == key.name && s.id == key.id);
            // A repeated line of one key is passed over, whatever it says.
            if let Some(signature) = by_key.next() {
                key.key
                    .verify(self.text.as_bytes(), &signature.bytes)
                    .map_err(|_| NoteError::BadSignature(key.short()))?;
                held = true;
            }
        }
        if held { Ok(&self.text) } else { Err(NoteError::Untrusted) }
    }

    /// The text, which nobody has verified: for keys of other kinds, whose message is made of it.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signatures of the lines under this name and key id.
    pub fn signatures_by(&self, name: &str, id: [u8; 4]) -> impl Iterator<Item = &[u8]> {
        let by_key = move |signature: &&Signature| signature.name == name && signature.id == id;
        self.signatures.iter().filter(by_key).map(|signature| signature.bytes.as_slice())
    }

    /// How many signature lines it has.
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }
}

impl Signature {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let refuse = NoteError::SignatureLine;
        let (name, packed) =
            line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(refuse.clone())?;
        let bytes = STANDARD.decode(packed).map_err(|_| refuse.clone())?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(refuse.clone())?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(refuse);
        }
        Ok(Self { name: name.to_owned(), id: *id, bytes: signature.to_vec() })
    }
}

/// The note of a text, signed by one key under this name. `text` ends with a line feed.
///
/// # Errors
/// [`NoteError`]: a name that is none, a key of another kind, or one that could not sign.
pub fn sign(text: &str, name: &str, key: &SecretKey) -> Result<String, NoteError> {
    let verifier = VerifierKey::new(name, key.public())?;
    let signature = key.sign(text.as_bytes())?;
    let packed = STANDARD.encode([verifier.id.as_slice(), &signature].concat());
    Ok(format!("{text}\n— {name} {packed}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::corpus;

    #[test]
    fn signs_what_its_verifier_key_verifies() {
        let key = SecretKey::from_ed25519_seed(&[7; 32]).unwrap();
        let vkey = VerifierKey::new("gitops.example.com/prod", key.public()).unwrap();
        assert_eq!(vkey.to_string().parse::<VerifierKey>().unwrap(), vkey);
        let note = sign("one\ntwo\n", "gitops.example.com/prod", &key).unwrap();
        let parsed = SignedNote::parse(&note).unwrap();
        assert_eq!(parsed.verify(std::slice::from_ref(&vkey)).unwrap(), "one\ntwo\n");
        assert_eq!(parsed.verify(&[vkey.clone(), vkey]), Err(NoteError::Ambiguous(parsed_key(&key))));
        assert_eq!(parsed.verify(&[]), Err(NoteError::Untrusted));
        assert!(VerifierKey::new("a b", key.public()).is_err());
    }

    fn parsed_key(key: &SecretKey) -> String {
        VerifierKey::new("gitops.example.com/prod", key.public()).unwrap().short()
    }

    #[test]
    fn every_flipped_bit_of_a_note_is_noticed() {
        let key = SecretKey::from_ed25519_seed(&[7; 32]).unwrap();
        let trusted = [VerifierKey::new("a.example/log", key.public()).unwrap()];
        let note = sign("a.example/log\n1\nqq==\n", "a.example/log", &key).unwrap().into_bytes();
        for at in 0..note.len() * 8 {
            let mut changed = note.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let accepted = String::from_utf8(changed)
                .ok()
                .and_then(|text| SignedNote::parse(&text).ok())
                .is_some_and(|note| note.verify(&trusted).is_ok());
            assert!(!accepted, "bit {at}");
        }
    }

    #[test]
    fn published_notes_and_keys_hold_or_fail_as_they_say() {
        for case in corpus::cases(&["signed-note", "tlog-checkpoint"]) {
            let holds = String::from_utf8(case.text()).ok().is_some_and(|text| {
                // Keys of kinds that are not known here are not trusted, so nothing of theirs passes.
                let keys: Vec<VerifierKey> = case.vkeys().iter().filter_map(|key| key.parse().ok()).collect();
                SignedNote::parse(&text).is_ok_and(|note| note.verify(&keys).is_ok())
            });
            assert_eq!(holds, case.passes, "{}", case.id);
        }
        for case in corpus::cases(&["note-vkey"]) {
            let text = String::from_utf8(case.text()).unwrap();
            assert_eq!(text.trim_end().parse::<VerifierKey>().is_ok(), case.passes, "{}", case.id);
        }
    }
}
