//! Keys that are made of a name: the same name gives the same key and the same signatures.

use laforge::key::secret::SecretKey;
use laforge::key::{KeyError, PublicKey};
use laforge::release::digest::Digest;
use laforge::signing::Signs;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;

/// A P-256 key with deterministic signatures (RFC 6979), which the library's own keys have not.
pub(crate) struct P256 {
    key: SigningKey,
    public: PublicKey,
}

impl P256 {
    /// The key of a name.
    pub(crate) fn named(name: &str) -> Self {
        (0_u32..)
            .find_map(|attempt| Self::of_scalar(&seed(&format!("{name}/{attempt}"))))
            .unwrap_or_else(|| unreachable!("all but one of 2^32 digests are scalars"))
    }

    fn of_scalar(scalar: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_slice(scalar).ok()?;
        let spki = key.verifying_key().to_public_key_der().ok()?;
        Some(Self { key, public: PublicKey::from_spki(spki.as_bytes()).ok()? })
    }

    /// Signs, as ASN.1.
    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    /// The DER of its SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &[u8] {
        self.public.spki()
    }
}

impl Signs for P256 {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.signature(message))
    }
}

/// The Ed25519 key of a name, whose signatures are deterministic anyway.
#[expect(clippy::expect_used, reason = "any 32 bytes are a seed")]
pub(crate) fn ed25519(name: &str) -> SecretKey {
    SecretKey::from_ed25519_seed(&seed(name)).expect("a key of a seed")
}

/// The 32 bytes of a name, for Ed25519 keys and whatever else looks random.
pub(crate) fn seed(name: &str) -> [u8; 32] {
    *Digest::of_bytes(format!("laforge fixtures: {name}").as_bytes()).as_bytes()
}
