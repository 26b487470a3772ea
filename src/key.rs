//! Keys: public ones that verify, in one encoding each, known by the digest of that encoding.
//!
//! In: PEM or DER SubjectPublicKeyInfo (<https://www.rfc-editor.org/rfc/rfc5280#section-4.1>).
//! Out: [`PublicKey`], whose id is the SHA-256 of its SPKI. Only P-256 and P-384 as uncompressed
//! points and Ed25519 are taken, so that one key can't appear under two ids.
//! Secret keys live in [`secret`]; [`message`] is for whoever tries many keys.

pub mod message;
pub mod secret;

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::release::digest::Digest;

const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The longest origin.
pub const MAX_ORIGIN: usize = 255;

/// Whether a text may name a key on a signed note (<https://c2sp.org/signed-note>).
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// Whether a text may be a log's origin: the name of its key, and schema-less
/// (<https://c2sp.org/tlog-checkpoint>). One rule for what is configured, pinned and written.
pub fn is_origin(text: &str) -> bool {
    is_key_name(text) && text.len() <= MAX_ORIGIN && !text.contains("://")
}

/// Why a text is no origin, for documents and flags alike.
pub fn not_an_origin(text: &str) -> String {
    format!("`{text}` is not an origin: 1 to {MAX_ORIGIN} bytes without scheme, white space or `+`")
}

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// Ed25519, over the message itself.
    Ed25519,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::EcdsaP256 => "ECDSA on P-256",
            Self::EcdsaP384 => "ECDSA on P-384",
            Self::Ed25519 => "Ed25519",
        })
    }
}

/// A public key that this program can verify with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    spki: Vec<u8>,
}

/// Why a text or its bytes are not a usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not one PEM block of the expected label.
    #[error("is not a PEM file with one `{expected}` block")]
    NotPem {
        /// The label of the block.
        expected: &'static str,
    },
    /// A key of another kind or encoding.
    #[error("is not an uncompressed P-256 or P-384 key or an Ed25519 key in SPKI encoding")]
    Unsupported,
    /// An encrypted key without a passphrase, or with a wrong one.
    #[error("is encrypted and the passphrase does not open it")]
    Passphrase,
    /// The bytes of a secret key are malformed.
    #[error("is no P-256 and no Ed25519 private key in PKCS#8 form")]
    NotPkcs8,
    /// The library could not make or use the key.
    #[error("could not be used by the cryptographic library")]
    Library,
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify with key")]
pub struct BadSignature;

impl PublicKey {
    /// From one `PUBLIC KEY` PEM block.
    ///
    /// # Errors
    /// [`KeyError`] for anything but one such block of a supported kind.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_spki(&pem_block(text, "PUBLIC KEY")?)
    }

    /// From the DER of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for another kind, another point encoding or trailing bytes.
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let key = Self { spki: spki.to_vec() };
        let (algorithm, raw) = key.parts().ok_or(KeyError::Unsupported)?;
        let uncompressed = |length| raw.len() == length && raw.first() == Some(&4);
        let sound = match algorithm {
            Algorithm::EcdsaP256 => uncompressed(65),
            Algorithm::EcdsaP384 => uncompressed(97),
            Algorithm::Ed25519 => raw.len() == 32,
        };
        if sound { Ok(key) } else { Err(KeyError::Unsupported) }
    }

    /// From the 32 bytes of an Ed25519 key, as C2SP vkeys carry them.
    pub fn from_ed25519(raw: &[u8; 32]) -> Self {
        Self { spki: [ED25519_SPKI, raw.as_slice()].concat() }
    }

    /// The DER of its SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Its key without the algorithm: a point, or Ed25519's 32 bytes.
    pub fn raw(&self) -> &[u8] {
        self.parts().map_or(&[], |(_, raw)| raw)
    }

    /// As one PEM block.
    pub fn to_pem(&self) -> String {
        pem_text(&self.spki, "PUBLIC KEY")
    }

    /// Its id: the digest of its SPKI.
    pub fn id(&self) -> Digest {
        Digest::of_bytes(&self.spki)
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.parts().map_or(Algorithm::Ed25519, |(algorithm, _)| algorithm)
    }

    /// Verifies a signature over a message.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let (algorithm, raw) = self.parts().ok_or(BadSignature)?;
        let scheme: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
            Algorithm::EcdsaP384 => &ECDSA_P384_SHA384_ASN1,
            Algorithm::Ed25519 => &ED25519,
        };
        UnparsedPublicKey::new(scheme, raw).verify(message, signature).map_err(|_| BadSignature)
    }

    fn parts(&self) -> Option<(Algorithm, &[u8])> {
        [(Algorithm::EcdsaP256, P256), (Algorithm::EcdsaP384, P384), (Algorithm::Ed25519, ED25519_SPKI)]
            .into_iter()
            .find_map(|(algorithm, prefix)| Some((algorithm, self.spki.strip_prefix(prefix)?)))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}", self.algorithm(), self.id())
    }
}

/// The DER inside exactly one PEM block of this label.
fn pem_block(text: &str, label: &'static str) -> Result<Vec<u8>, KeyError> {
    let refuse = || KeyError::NotPem { expected: label };
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or_else(refuse)?;
    let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).map_err(|_| refuse())
}

/// One PEM block, 64 characters a line (<https://www.rfc-editor.org/rfc/rfc7468>).
fn pem_text(der: &[u8], label: &str) -> String {
    let packed = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, c) in packed.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
