//! Digests, kept apart by where they come from.
//!
//! [`ClaimedDigest`] is one that somebody wrote down. [`Digest`] was computed here over bytes or a
//! value. [`ArtifactDigest`] was computed here over the bytes of an artifact, and nothing else
//! makes one: it is a seal, so that a claim can never stand where a reading should.
//! Wire form: `sha256:` and 64 lower-case hex digits (`formats.md`, rules for all).

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::shape::{Look, Trap};
use crate::json;

/// A SHA-256 digest that somebody wrote down.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^sha256:[0-9a-f]{64}$"))]
pub struct ClaimedDigest([u8; 32]);

/// A text that is not `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hex digits")]
pub struct DigestError(String);

impl ClaimedDigest {
    /// The 64 hex digits, as in-toto's `digest: {sha256: hex}` carries them.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A claim in in-toto's form: 64 lower-case hex digits without the prefix.
    ///
    /// # Errors
    /// [`DigestError`] for anything else, upper case included.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        format!("sha256:{text}").parse().map_err(|_| DigestError(text.to_owned()))
    }
}

impl FromStr for ClaimedDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refuse = || DigestError(text.to_owned());
        let digits = text.strip_prefix("sha256:").ok_or_else(refuse)?;
        if digits.len() != 64 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| refuse())?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ClaimedDigest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<ClaimedDigest> for String {
    fn from(digest: ClaimedDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for ClaimedDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for ClaimedDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A SHA-256 digest computed here, over bytes as received or over a value's RFC 8785 form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Over bytes as they are.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Over the RFC 8785 form of a value.
    pub fn of_value(value: &impl Serialize) -> Self {
        Self::of_bytes(&json::canonical(value))
    }

    /// The 64 hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same digest, written down.
    pub fn claim(&self) -> ClaimedDigest {
        ClaimedDigest(self.0)
    }
}

impl PartialEq<ClaimedDigest> for Digest {
    fn eq(&self, claim: &ClaimedDigest) -> bool {
        self.0 == claim.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.claim(), out)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// Which digests a reading computes beside SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithms {
    /// SHA-256 alone.
    #[default]
    Sha256,
    /// SHA-384 and SHA-512 as well: evidence at hand names one (npm's provenance does).
    Sha2,
}

/// The digest of an artifact's bytes, read here.
///
/// Only [`ArtifactDigest::of`] and [`ArtifactDigest::of_reader`] make one.
#[derive(PartialEq, Eq)]
pub struct ArtifactDigest {
    sha256: [u8; 32],
    sha384: Option<[u8; 48]>,
    sha512: Option<[u8; 64]>,
    size: u64,
    trap: Option<Trap>,
}

impl ArtifactDigest {
    /// Over bytes in memory.
    pub fn of(bytes: &[u8], algorithms: Algorithms) -> Self {
        let mut hasher = Hasher::new(algorithms);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Over everything a reader gives, in constant memory.
    ///
    /// # Errors
    /// The reader's own; then no digest exists.
    pub fn of_reader(mut reader: impl Read, algorithms: Algorithms) -> io::Result<Self> {
        let mut hasher = Hasher::new(algorithms);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
    }

    /// The SHA-256 part, as a plain computed digest.
    pub fn digest(&self) -> Digest {
        Digest(self.sha256)
    }

    /// The bytes of SHA-384, when it was asked for.
    pub fn sha384(&self) -> Option<&[u8; 48]> {
        self.sha384.as_ref()
    }

    /// The 128 hex digits of SHA-512, when it was asked for.
    pub fn sha512_hex(&self) -> Option<String> {
        self.sha512.map(hex::encode)
    }

    /// How many bytes were read.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What else its bytes could be taken for.
    pub fn trap(&self) -> Option<Trap> {
        self.trap
    }
}

impl fmt::Debug for ArtifactDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.digest(), out)
    }
}

struct Hasher {
    sha256: Sha256,
    longer: Option<(Sha384, Sha512)>,
    size: u64,
    look: Look,
}

impl Hasher {
    fn new(algorithms: Algorithms) -> Self {
        let longer = match algorithms {
            Algorithms::Sha256 => None,
            Algorithms::Sha2 => Some((Sha384::new(), Sha512::new())),
        };
        Self { sha256: Sha256::new(), longer, size: 0, look: Look::default() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some((sha384, sha512)) = &mut self.longer {
            sha384.update(bytes);
            sha512.update(bytes);
        }
        self.size += bytes.len() as u64;
        self.look.at(bytes);
    }

    fn finish(self) -> ArtifactDigest {
        let (sha384, sha512) = self.longer.unzip();
        ArtifactDigest {
            sha256: self.sha256.finalize().into(),
            sha384: sha384.map(|sha384| sha384.finalize().into()),
            sha512: sha512.map(|sha512| sha512.finalize().into()),
            size: self.size,
            trap: self.look.trap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn reads_only_lower_case_sha256() {
        assert_eq!(ABC.parse::<ClaimedDigest>().unwrap().to_string(), ABC);
        for wrong in ["", "sha256:", "ba7816bf", &ABC.to_uppercase(), &ABC.replace("sha256", "sha512")] {
            assert!(wrong.parse::<ClaimedDigest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn hashes_a_reader_like_the_same_bytes() {
        let bytes = vec![7; 600_000];
        let read = ArtifactDigest::of_reader(bytes.as_slice(), Algorithms::Sha2).unwrap();
        assert_eq!(read, ArtifactDigest::of(&bytes, Algorithms::Sha2));
        assert_eq!(read.size(), 600_000);
        assert_eq!(
            ArtifactDigest::of(b"abc", Algorithms::Sha256).digest(),
            ABC.parse::<ClaimedDigest>().unwrap()
        );
    }
}
