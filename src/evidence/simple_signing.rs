//! cosign's simple-signing payload: what its older signatures over images are made of.
//!
//! Spec: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>.
//! In: a payload and its signature, which registries keep apart and [`document`] joins, so that
//! they are one piece of evidence with one digest. A keyless one comes with a bundle in the
//! signature's place ([`certified`]). Out: the image manifest digest that the payload names. Its optional
//! section is the signer's own and says nothing here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Unreadable;
use super::bundle::{self, Bundle};
use super::envelope::base64;
use super::limits::quoted;
use super::wire::{Object, Shape, fit, problem};
use crate::json;
use crate::release::digest::ClaimedDigest;
use crate::release::shape::SIMPLE_SIGNING_TYPE as TYPE;

/// The media type of the layer that holds such a payload, and of our document of both.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

const SHAPE: Shape = Shape::Object(&Object {
    members: &[
        ("mediaType", Shape::Text),
        ("payload", Shape::Text),
        ("signature", Shape::Text),
        ("bundle", bundle::SHAPE),
    ],
    required: &["mediaType", "payload"],
    one_of: &[&["signature", "bundle"]],
});

/// A payload with the signature over it.
#[derive(Debug)]
pub(super) struct SimpleSigning {
    /// The bytes that are signed.
    pub(super) payload: Vec<u8>,
    /// The signature over them.
    pub(super) proof: Proof,
    /// The image manifest that the payload names.
    pub(super) manifest: ClaimedDigest,
}

/// A signature over a payload.
#[derive(Debug)]
pub(super) enum Proof {
    /// By a key that somebody manages.
    Signature(Vec<u8>),
    /// By a certificate's key, with its witnesses; always a message signature.
    Bundle(Box<Bundle>),
}

impl SimpleSigning {
    /// Reads a document of both.
    pub(super) fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fitted = fit(&SHAPE, "", value)?;
        let bundle = fitted.get_mut("bundle").map(Value::take);
        let bytes = |name: &str| base64(name, fitted.get(name).and_then(Value::as_str).unwrap_or_default());
        let payload = bytes("payload")?;
        let manifest = manifest_digest(&payload)?;
        let proof = match bundle {
            None => Proof::Signature(bytes("signature")?),
            Some(bundle) => Proof::Bundle(Box::new(certified_message(bundle)?)),
        };
        Ok(Self { payload, proof, manifest })
    }
}

/// A document of both, in its RFC 8785 form.
pub(super) fn document(payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let (payload, signature) = (STANDARD.encode(payload), STANDARD.encode(signature));
    json::canonical(&json!({"mediaType": MEDIA_TYPE, "payload": payload, "signature": signature}))
}

/// A document of a payload and the bundle of a signature over it, in its RFC 8785 form.
pub(super) fn certified(payload: &[u8], bundle: &Value) -> Vec<u8> {
    let payload = STANDARD.encode(payload);
    json::canonical(&json!({"mediaType": MEDIA_TYPE, "payload": payload, "bundle": bundle}))
}

/// A bundle that is what annotations hold: a message signature by a certificate's key.
fn certified_message(bundle: Value) -> Result<Bundle, Unreadable> {
    let bundle = Bundle::read(bundle)?;
    match (bundle.content(), bundle.key_hint()) {
        (bundle::Content::Message(_), None) => Ok(bundle),
        _ => Err(problem("`bundle`: wanted a message signature with a certificate, got another")),
    }
}

/// The digest of the image manifest that a payload signs.
fn manifest_digest(payload: &[u8]) -> Result<ClaimedDigest, Unreadable> {
    let value = json::parse(payload).map_err(|error| problem(format!("simple-signing payload: {error}")))?;
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
    let of_type = text("/critical/type").unwrap_or("nothing");
    if of_type != TYPE {
        return Err(problem(format!("`critical.type`: wanted `{TYPE}`, got `{}`", quoted(of_type))));
    }
    let digest = text("/critical/image/docker-manifest-digest")
        .ok_or_else(|| problem("`critical.image.docker-manifest-digest`: missing"))?;
    digest.parse().map_err(|_| {
        let got = quoted(digest);
        problem(format!("`critical.image.docker-manifest-digest`: wanted a SHA-256 digest, got `{got}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},"type":"cosign container image signature"},"optional":null}"#;

    #[test]
    fn names_the_manifest_and_nothing_else() {
        assert!(manifest_digest(PAYLOAD.as_bytes()).is_ok());
        for wrong in [
            PAYLOAD.replace("cosign container", "atomic container"),
            PAYLOAD.replace("sha256:ba", "sha256:BA"),
            PAYLOAD.replace("docker-manifest-digest", "digest"),
            PAYLOAD.replace("\"optional\":null", "\"critical\":{}"),
        ] {
            assert!(manifest_digest(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
