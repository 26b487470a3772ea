//! Secret keys: made, read, kept encrypted, and used to sign.
//!
//! In: PKCS#8 PEM, plain (`PRIVATE KEY`) or encrypted (`ENCRYPTED PRIVATE KEY`, PBES2 with scrypt
//! and AES-256-CBC: <https://www.rfc-editor.org/rfc/rfc8018>). Out: signatures.
//! The gate's key is Ed25519, the one that C2SP notes carry.

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::pkcs5::pbes2;

use super::{Algorithm, KeyError, PublicKey, pem_block, pem_text};

/// A key that signs. Never printed, never cloned.
pub struct SecretKey {
    pair: Pair,
    pkcs8: Vec<u8>,
    public: PublicKey,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// How every PEM block begins; no base64 holds it.
const PEM_BEGINS: &str = "-----BEGIN ";

/// The log2 of scrypt's cost: about 60 ms and 32 MiB to open a key, as `cosign` takes it.
const SCRYPT_LOG_N: u8 = 15;

impl SecretKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Library`] when the system gives no randomness, [`KeyError::Unsupported`] for P-384.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::EcdsaP256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random),
            Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::EcdsaP384 => return Err(KeyError::Unsupported),
        };
        Self::from_pkcs8(pkcs8.map_err(|_| KeyError::Library)?.as_ref())
    }

    /// The Ed25519 key of a seed: the same seed gives the same key and the same signatures.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Library)?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| KeyError::Library)?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// From the DER of a PKCS#8 private key.
    ///
    /// # Errors
    /// [`KeyError::NotPkcs8`] for anything but a P-256 or an Ed25519 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => Pair::Ed25519(pair),
            Err(_) => Pair::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
                    .map_err(|_| KeyError::NotPkcs8)?,
            ),
        };
        let public = match &pair {
            Pair::P256(pair) => PublicKey::from_spki(&[super::P256, pair.public_key().as_ref()].concat())?,
            Pair::Ed25519(pair) => {
                PublicKey::from_spki(&[super::ED25519_SPKI, pair.public_key().as_ref()].concat())?
            }
        };
        Ok(Self { pair, pkcs8: der.to_vec(), public })
    }

    /// From a PEM text; `passphrase` is asked for only when the key is encrypted.
    ///
    /// # Errors
    /// [`KeyError`]: not such a PEM, not such a key, or not that passphrase.
    pub fn from_pem(text: &str, passphrase: impl FnOnce() -> Option<String>) -> Result<Self, KeyError> {
        if !text.contains("ENCRYPTED") {
            return Self::from_pkcs8(&pem_block(text, "PRIVATE KEY")?);
        }
        let der = pem_block(text, "ENCRYPTED PRIVATE KEY")?;
        let sealed = EncryptedPrivateKeyInfo::try_from(der.as_slice()).map_err(|_| KeyError::NotPkcs8)?;
        let opened =
            sealed.decrypt(passphrase().ok_or(KeyError::Passphrase)?).map_err(|_| KeyError::Passphrase)?;
        Self::from_pkcs8(opened.as_bytes())
    }

    /// From the value of a variable: a PEM text, or the base64 of one in one line, since some CI systems mask no secret
    /// of several lines. The base64 is the standard one with its padding, and of nothing but the PEM text.
    ///
    /// # Errors
    /// As [`SecretKey::from_pem`]; [`KeyError::NotPem`] also for what is neither.
    pub fn from_variable(value: &str, passphrase: impl FnOnce() -> Option<String>) -> Result<Self, KeyError> {
        if value.contains(PEM_BEGINS) {
            return Self::from_pem(value, passphrase);
        }
        let refuse = || KeyError::NotPem { expected: "PRIVATE KEY" };
        let bytes = STANDARD.decode(value.trim()).map_err(|_| refuse())?;
        let text = String::from_utf8(bytes).map_err(|_| refuse())?;
        Self::from_pem(&text, passphrase)
    }

    /// As PEM: encrypted when a passphrase is given.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<String, KeyError> {
        let Some(passphrase) = passphrase else { return Ok(pem_text(&self.pkcs8, "PRIVATE KEY")) };
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rand::fill(&mut salt).and_then(|()| rand::fill(&mut iv)).map_err(|_| KeyError::Library)?;
        let cost =
            pkcs8::pkcs5::scrypt::Params::new(SCRYPT_LOG_N, 8, 1, 32).map_err(|_| KeyError::Library)?;
        let scheme = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| KeyError::Library)?;
        let encrypted = scheme.encrypt(passphrase, &self.pkcs8).map_err(|_| KeyError::Library)?;
        let info =
            EncryptedPrivateKeyInfo { encryption_algorithm: scheme.into(), encrypted_data: &encrypted };
        let der = pkcs8::der::Encode::to_der(&info).map_err(|_| KeyError::Library)?;
        Ok(pem_text(&der, "ENCRYPTED PRIVATE KEY"))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: ECDSA with SHA-256 as ASN.1, or Ed25519's 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Library)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_its_passphrase() {
        for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
            let key = SecretKey::generate(algorithm).unwrap();
            let pem = key.to_pem(Some("correct horse")).unwrap();
            assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
            let opened = SecretKey::from_pem(&pem, || Some("correct horse".into())).unwrap();
            assert_eq!(opened.public(), key.public());
            assert!(matches!(SecretKey::from_pem(&pem, || Some("wrong".into())), Err(KeyError::Passphrase)));
            assert!(matches!(SecretKey::from_pem(&pem, || None), Err(KeyError::Passphrase)));
        }
    }

    #[test]
    fn a_variable_holds_a_pem_text_or_its_base64() {
        let key = SecretKey::generate(Algorithm::Ed25519).unwrap();
        let (plain, sealed) = (key.to_pem(None).unwrap(), key.to_pem(Some("open")).unwrap());
        let encoded = STANDARD.encode(&plain);
        for text in [plain, format!("{encoded}\n"), encoded, sealed.clone(), STANDARD.encode(&sealed)] {
            let read = SecretKey::from_variable(&text, || Some("open".into())).unwrap();
            assert_eq!(read.public(), key.public(), "{text}");
        }
    }

    #[test]
    fn a_variable_of_anything_else_is_no_key() {
        let key = SecretKey::generate(Algorithm::Ed25519).unwrap();
        let (plain, public) = (key.to_pem(None).unwrap(), key.public().to_pem());
        let encoded = STANDARD.encode(&plain);
        for text in [
            String::new(),
            "no key".into(),
            encoded.trim_end_matches('=').to_owned() + "*",
            format!("{}\n{}", &encoded[..64], &encoded[64..]),
            STANDARD.encode(&encoded),
            STANDARD.encode(format!("{plain}{plain}")),
            STANDARD.encode([0xff, 0xfe]),
            STANDARD.encode(&key.pkcs8),
            STANDARD.encode(public),
        ] {
            let read = SecretKey::from_variable(&text, || None);
            assert!(matches!(read, Err(KeyError::NotPem { expected: "PRIVATE KEY" })), "{text}");
        }
    }

    #[test]
    fn verifies_what_it_signs_and_nothing_else() {
        for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
            let key = SecretKey::generate(algorithm).unwrap();
            let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
            let signature = key.sign(b"a release").unwrap();
            public.verify(b"a release", &signature).unwrap();
            assert!(public.verify(b"another", &signature).is_err());
        }
    }
}
