//! A detached signature: what `cosign sign-blob` and `openssl` write beside a file, in a `.sig` file.
//!
//! In: the bytes of a file `ARTIFACT.sig`, raw or in base64, and its name, which [`document`] joins, so
//! that they are one piece of evidence with one digest. Out: the artifact that the name speaks of, and a
//! signature. The name is nobody's word: it only says which bytes to hold the signature against.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Unreadable;
use super::envelope::base64;
use super::wire::{Object, Shape, fit, problem};
use crate::json;

/// The media type of our document of both.
pub(super) const MEDIA_TYPE: &str = "application/vnd.laforge.detached-signature.v1+json";

/// How the names of such files end.
pub(super) const SUFFIX: &str = ".sig";

/// Bytes of one signature: those of P-384 in ASN.1 are the longest, with 104.
const MOST: usize = 256;

const SHAPE: Shape = Shape::Object(&Object {
    members: &[("mediaType", Shape::Text), ("artifact", Shape::Text), ("signature", Shape::Text)],
    required: &["mediaType", "artifact", "signature"],
    one_of: &[],
});

/// A signature, and which artifact it lay beside.
#[derive(Debug)]
pub(super) struct Detached {
    /// The artifact's name.
    pub(super) artifact: String,
    /// The signature over its bytes.
    pub(super) signature: Vec<u8>,
}

impl Detached {
    /// Reads a document of both.
    pub(super) fn read(value: Value) -> Result<Self, Unreadable> {
        let fitted = fit(&SHAPE, "", value)?;
        let text = |name: &str| fitted.get(name).and_then(Value::as_str).unwrap_or_default();
        let signature = base64("signature", text("signature"))?;
        if signature.is_empty() || signature.len() > MOST {
            let got = signature.len();
            return Err(problem(format!("`signature`: wanted 1 to {MOST} bytes, got {got}")));
        }
        Ok(Self { artifact: text("artifact").to_owned(), signature })
    }
}

/// A document of a `.sig` file's bytes and the name of the artifact that it lay beside, in its RFC 8785
/// form.
///
/// # Errors
/// [`Unreadable`] for what is no raw signature, nor one in base64 (OpenPGP's are none).
pub(super) fn document(artifact: &str, file: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let text = std::str::from_utf8(file).unwrap_or_default().trim();
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = base64("signature", &packed).ok().filter(|_| !packed.is_empty());
    let signature = decoded.as_deref().unwrap_or(file);
    if signature.is_empty() || signature.len() > MOST {
        return Err(problem(
            "wanted a raw signature, or one in base64, by an ECDSA or Ed25519 key, got something else",
        ));
    }
    let signature = STANDARD.encode(signature);
    Ok(json::canonical(&json!({"mediaType": MEDIA_TYPE, "artifact": artifact, "signature": signature})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let value = json::parse(&document("app", file)?).unwrap();
        let detached = Detached::read(value)?;
        assert_eq!(detached.artifact, "app");
        Ok(detached.signature)
    }

    #[test]
    fn reads_a_signature_raw_or_in_base64_on_one_line_or_several() {
        assert_eq!(read(b"\x30\x00\xff").unwrap(), b"\x30\x00\xff");
        assert_eq!(read(b"MAD/\n").unwrap(), b"\x30\x00\xff");
        assert_eq!(read(b"MA\nD/\n").unwrap(), b"\x30\x00\xff");
    }

    #[test]
    fn refuses_what_is_no_signature_of_a_key_known_here() {
        let pgp = format!("-----BEGIN PGP SIGNATURE-----\n{}\n", "iQIz".repeat(120));
        for wrong in [&b""[..], pgp.as_bytes(), &[0; 257], "AAAA".repeat(100).as_bytes()] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let empty = json!({"mediaType": MEDIA_TYPE, "artifact": "app", "signature": ""});
        let problem = Detached::read(empty).unwrap_err().problem;
        assert_eq!(problem, "`signature`: wanted 1 to 256 bytes, got 0");
    }
}
