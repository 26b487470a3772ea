//! An issuer's keys, and which algorithms each of them may be used with.
//!
//! In: a JWK Set. Out: a [`KeySet`]; keys that are for something else, too weak, private or of a kind that is not
//! known are left out, so that nothing is ever checked with them. The algorithm is the key's, never the token's
//! choice: `none` and the HMAC family are no algorithms here. Specs:
//! <https://www.rfc-editor.org/rfc/rfc7517>, <https://www.rfc-editor.org/rfc/rfc7518>,
//! <https://www.rfc-editor.org/rfc/rfc8725>.

use aws_lc_rs::signature::{self as crypto, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// More keys than any issuer has in use.
const MOST_KEYS: usize = 64;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// The algorithms of an RSA key that names none.
const RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

impl Algorithm {
    /// By its name in a header or a key.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            // The second is its name since RFC 9864.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Each takes keys of 2048 to 8192 bits alone.
    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &crypto::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &crypto::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &crypto::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &crypto::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &crypto::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &crypto::RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

/// The keys of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A text that is no set of keys, or has none that can be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum KeySetError {
    #[error("it is no JWK Set")]
    Json(#[source] serde_json::Error),
    #[error(
        "none of its {0} keys can be used: RSA from 2048 bits, P-256, P-384 and Ed25519 are, for signatures"
    )]
    Empty(usize),
}

/// Why nothing was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// No key of that name.
    NoKey,
    /// The key is not for that algorithm.
    Algorithm,
    /// The signature is not the key's.
    Signature,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// Of a private key.
    d: Option<Value>,
}

impl KeySet {
    /// Reads a JWK Set.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(bytes).map_err(KeySetError::Json)?;
        let keys: Vec<Key> = document.keys.iter().take(MOST_KEYS).filter_map(Key::read).collect();
        match keys.is_empty() {
            true => Err(KeySetError::Empty(document.keys.len())),
            false => Ok(Self { keys }),
        }
    }

    /// Whether there is a key of this name; a token that names none may mean the only one.
    pub(super) fn has(&self, id: Option<&str>) -> bool {
        self.named(id).next().is_some()
    }

    fn named<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let only = self.keys.len() == 1;
        self.keys.iter().filter(move |key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => only,
        })
    }

    /// Checks a signature with the key of that name.
    pub(super) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Mismatch> {
        let mut named = self.named(id).peekable();
        if named.peek().is_none() {
            return Err(Mismatch::NoKey);
        }
        let mut found = Mismatch::Algorithm;
        for key in named.filter(|key| key.algorithms.contains(&algorithm)) {
            match key.material.verify(algorithm, message, signature) {
                true => return Ok(()),
                false => found = Mismatch::Signature,
            }
        }
        Err(found)
    }
}

impl Key {
    /// None for a key that nothing is to be checked with.
    fn read(value: &Value) -> Option<Self> {
        let jwk = Jwk::deserialize(value).ok()?;
        let signs = jwk.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|it| it == "verify"));
        if !signs || jwk.d.is_some() {
            return None;
        }
        let (material, possible) = Material::read(&jwk)?;
        let algorithms = match jwk.alg.as_deref() {
            Some(name) => vec![Algorithm::named(name).filter(|named| possible.contains(named))?],
            None => possible,
        };
        Some(Self { id: jwk.kid, algorithms, material })
    }
}

impl Material {
    fn read(jwk: &Jwk) -> Option<(Self, Vec<Algorithm>)> {
        let bytes = |member: &Option<String>| URL_SAFE_NO_PAD.decode(member.as_deref()?).ok();
        let point = |length: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
                let leading =
                    |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
                let (n, e) = (leading(n), leading(e));
                let top = n.first()?.leading_zeros() as usize;
                (2048..=8192).contains(&(n.len() * 8 - top)).then(|| (Self::Rsa { n, e }, RSA.to_vec()))
            }
            ("EC", Some("P-256")) => Some((Self::P256(point(32)?), vec![Algorithm::Es256])),
            ("EC", Some("P-384")) => Some((Self::P384(point(48)?), vec![Algorithm::Es384])),
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&jwk.x).filter(|x| x.len() == 32)?;
                Some((Self::Ed25519(x), vec![Algorithm::EdDsa]))
            }
            _ => None,
        }
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Self::P256(point) => UnparsedPublicKey::new(&crypto::ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::P384(point) => UnparsedPublicKey::new(&crypto::ECDSA_P384_SHA384_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Ed25519(point) => {
                UnparsedPublicKey::new(&crypto::ED25519, point).verify(message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn modulus(bits: usize) -> String {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] >>= n.len() * 8 - bits;
        URL_SAFE_NO_PAD.encode(n)
    }

    #[test]
    fn takes_keys_by_what_they_are_for() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
        let with = |name: &str, value: Value| {
            let mut key = okp.clone();
            key[name] = value;
            key
        };
        assert!(set(std::slice::from_ref(&okp)).unwrap().has(Some("a")));
        for key in [
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("HS256")),
            with("alg", json!("none")),
            with("alg", json!("RS256")),
            with("d", json!("AAAA")),
            with("crv", json!("Ed448")),
            with("x", json!("AAAA")),
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "a"}),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": "AAAA"}),
            json!("no key"),
        ] {
            assert!(set(std::slice::from_ref(&key)).unwrap_err().starts_with("none of its 1 keys"), "{key}");
            // Beside a good one it is no harm, and stands for nothing.
            let two = set(&[key, okp.clone()]).unwrap();
            assert_eq!(two.keys.len(), 1);
        }
    }

    #[test]
    fn takes_no_rsa_key_that_is_too_small_or_too_large() {
        for (bits, taken) in [(1024, false), (2047, false), (2048, true), (4096, true), (8193, false)] {
            let key = json!({"kty": "RSA", "n": modulus(bits), "e": "AQAB"});
            assert_eq!(set(&[key]).is_ok(), taken, "{bits}");
        }
    }

    #[test]
    fn a_key_of_another_name_is_none() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let key = |kid: &str| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid});
        let (one, two) = (set(&[key("a")]).unwrap(), set(&[key("a"), key("b")]).unwrap());
        assert!(one.has(None) && one.has(Some("a")) && !one.has(Some("b")));
        assert!(!two.has(None) && two.has(Some("b")) && !two.has(Some("https://elsewhere.example/keys")));
        assert_eq!(two.verify(Some("c"), Algorithm::EdDsa, b"", b""), Err(Mismatch::NoKey));
        assert_eq!(two.verify(Some("a"), Algorithm::Rs256, b"", b""), Err(Mismatch::Algorithm));
        assert_eq!(two.verify(Some("a"), Algorithm::EdDsa, b"", &[0; 64]), Err(Mismatch::Signature));
    }

    #[test]
    fn what_is_no_set_is_said_to_be_none() {
        for text in ["", "[]", "{}", "{\"keys\": 1}"] {
            assert!(matches!(KeySet::read(text.as_bytes()), Err(KeySetError::Json(_))), "{text}");
        }
        assert!(matches!(KeySet::read(b"{\"keys\": []}"), Err(KeySetError::Empty(0))));
    }
}
