//! Sigstore bundles, and the only module (with its children) that knows the `sigstore` crates.
//!
//! Spec: <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto>.
//! In: a value that [`crate::json::parse`] has read. Out: [`Bundle`]: every member known, each
//! `oneof` met once, the material that the bundle's version asks for. The library would take both
//! members of a `oneof`, no media type (as v0.1) and any further member.

pub(in crate::evidence) mod certificate;
pub mod conformance;
#[cfg(test)]
pub(in crate::evidence) mod corpus;
mod der;
pub mod instance;
mod rejected;
mod shape;

use std::fmt;

use serde_json::Value;
use sigstore::types::{
    ArtifactDigest, Bundle as Wire, HashAlgorithm, KindVersion, MessageDigest, MessageSignature,
    SignatureContent, VerificationMaterialContent,
};

use super::Unreadable;
use super::envelope::Envelope;
use super::limits::quoted;
use super::rejection::Rejection;
use super::wire::{Shape, fit, problem};
use crate::key;
pub(crate) use certificate::{CertifiedIdentity, claimed_identity};

/// The media type of a bundle v0.3, as this program writes it.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// How the media types of bundles of all versions begin.
pub const MEDIA_TYPES: &str = "application/vnd.dev.sigstore.bundle";

/// The shape of a bundle within another document.
pub(super) const SHAPE: Shape = shape::BUNDLE;

/// A strictly parsed bundle.
#[derive(Debug)]
pub struct Bundle {
    wire: Wire,
    content: Content,
}

/// What a bundle's signature is over.
#[derive(Debug)]
pub(super) enum Content {
    /// The PAE of an envelope.
    Envelope(Envelope),
    /// Bytes that the bundle does not hold.
    Message(Message),
}

/// A signature over bytes that are elsewhere.
#[derive(Debug)]
pub(super) struct Message {
    /// The digest that the bundle names for them: a hint at which bytes, proved by nothing.
    pub(super) digest: Option<SignedDigest>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// A digest of signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDigest {
    /// How it was made.
    pub(in crate::evidence) algorithm: Algorithm,
    /// Its bytes.
    pub(in crate::evidence) bytes: Vec<u8>,
}

/// Digest algorithms of bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384, which P-384 keys sign.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl SignedDigest {
    /// In the library's terms.
    fn wire(&self) -> Result<ArtifactDigest, Rejection> {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => HashAlgorithm::Sha2256,
            Algorithm::Sha384 => HashAlgorithm::Sha2384,
            Algorithm::Sha512 => HashAlgorithm::Sha2512,
        };
        ArtifactDigest::new(algorithm, self.bytes.clone())
            .map_err(|error| Rejection::Unreadable { problem: quoted(&error.to_string()) })
    }
}

impl fmt::Display for SignedDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.algorithm.name(), hex::encode(&self.bytes))
    }
}

impl Algorithm {
    /// Its name in in-toto's digest sets.
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

impl Bundle {
    /// Reads a bundle.
    pub(super) fn read(value: Value) -> Result<Self, Unreadable> {
        let fitted = fit(&shape::BUNDLE, "", value)?;
        shape::fits_its_version(&fitted)?;
        shape::agrees_with_its_checkpoints(&fitted)?;
        let wire: Wire = serde_json::from_value(fitted)
            .map_err(|error| problem(format!("bundle: {}", quoted(&error.to_string()))))?;
        shape::has_distinct_evidence(&wire)?;
        shape::has_small_sets(&wire)?;
        let content = content(&wire)?;
        if let Content::Envelope(envelope) = &content
            && wire.signing_certificate().is_some()
            && !envelope.key_id().is_empty()
        {
            let got = quoted(envelope.key_id());
            return Err(problem(format!(
                "`dsseEnvelope.signatures[0].keyid`: wanted none beside a certificate, got `{got}`"
            )));
        }
        Ok(Self { wire, content })
    }

    /// What its signature is over.
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Its signature over bytes that are elsewhere, if it is one.
    pub(super) fn message(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Message(message) => Some(&message.signature),
            Content::Envelope(_) => None,
        }
    }

    /// The hint at a managed key; `None` when a certificate came with the bundle.
    pub(super) fn key_hint(&self) -> Option<&str> {
        match &self.wire.verification_material.content {
            VerificationMaterialContent::PublicKey(key) => Some(&key.hint),
            _ => None,
        }
    }

    /// The kind of its certificate's key, if it came with one that is of a kind known here.
    pub(super) fn certified_key(&self) -> Option<key::Algorithm> {
        self.wire.signing_certificate().and_then(certificate::key).map(|key| key.algorithm())
    }

    /// Who issued its certificate, by the certificate's own word: for reasons only.
    pub(super) fn issuer_name(&self) -> Option<String> {
        self.wire.signing_certificate().and_then(certificate::issuer_name)
    }

    /// The same signature, log entries and time stamps, as a signature over the bytes of the PAE,
    /// which is what a DSSE signature is.
    ///
    /// The library takes a statement only with a sha256 or sha512 subject, and a source statement
    /// may name a commit alone. Rekor v2 logs both forms of signature alike; entries of Rekor v1
    /// tell them apart, so a bundle with one is not taken in another form than its own.
    fn over_its_pae(&self) -> Result<Wire, Rejection> {
        let entries = &self.wire.verification_material.tlog_entries;
        if entries.iter().any(|entry| entry.kind_version != KindVersion::HashedRekordV002) {
            let problem = "`subject`: wanted a sha256 or sha512 digest in a statement that Rekor v1 logged, got neither";
            return Err(Rejection::Unreadable { problem: problem.to_owned() });
        }
        let mut wire = self.wire.clone();
        if let SignatureContent::DsseEnvelope(envelope) = &self.wire.content {
            let signature = MessageSignature::new(envelope.signature.sig.clone());
            wire.content = SignatureContent::MessageSignature(signature);
        }
        Ok(wire)
    }

    /// Whether log entries came with it.
    pub(super) fn is_logged(&self) -> bool {
        !self.wire.verification_material.tlog_entries.is_empty()
    }

    /// Whether log entries or time stamps came with it: evidence beside the signature itself.
    pub(super) fn is_witnessed(&self) -> bool {
        let stamps = &self.wire.verification_material.timestamp_verification_data;
        self.is_logged() || !stamps.rfc3161_timestamps.is_empty()
    }
}

fn content(wire: &Wire) -> Result<Content, Unreadable> {
    match &wire.content {
        SignatureContent::DsseEnvelope(envelope) => Ok(Content::Envelope(Envelope::from_parts(
            &envelope.payload_type,
            envelope.payload.as_bytes(),
            envelope.signature.sig.as_bytes(),
            envelope.signature.keyid.as_ref(),
        ))),
        SignatureContent::MessageSignature(message) => Ok(Content::Message(Message {
            digest: message.message_digest.as_ref().map(signed_digest).transpose()?,
            signature: message.signature.as_bytes().to_vec(),
        })),
        _ => Err(problem("bundle: wanted a message signature or a DSSE envelope, got neither")),
    }
}

fn signed_digest(digest: &MessageDigest) -> Result<SignedDigest, Unreadable> {
    let algorithm = match digest.algorithm {
        HashAlgorithm::Sha2256 => Algorithm::Sha256,
        HashAlgorithm::Sha2384 => Algorithm::Sha384,
        HashAlgorithm::Sha2512 => Algorithm::Sha512,
        other => return Err(problem(format!("`messageDigest.algorithm`: wanted SHA2_256, got `{other}`"))),
    };
    Ok(SignedDigest { algorithm, bytes: digest.digest.as_bytes().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle() -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}},
            "messageSignature": {"messageDigest": null, "signature": "AA=="},
        })
    }

    fn refusal(change: impl Fn(&mut Value)) -> String {
        let mut value = bundle();
        change(&mut value);
        Bundle::read(value).unwrap_err().problem
    }

    #[test]
    fn takes_a_bundle_of_a_managed_key_without_witnesses() {
        let read = Bundle::read(bundle()).unwrap();
        assert_eq!(read.key_hint(), Some("x"));
        assert!(!read.is_witnessed() && !read.is_logged());
    }

    #[test]
    fn refuses_what_the_library_would_take() {
        let envelope = json!({"payloadType": "t", "payload": "", "signatures": [{"sig": "AA=="}]});
        assert_eq!(
            refusal(|b| b["dsseEnvelope"] = envelope.clone()),
            "wanted exactly one of messageSignature, dsseEnvelope, got messageSignature and dsseEnvelope"
        );
        assert_eq!(refusal(|b| b["mediaType"] = Value::Null), "`mediaType`: missing");
        assert_eq!(refusal(|b| b["extra"] = json!(1)), "`extra`: unknown member");
        assert_eq!(
            refusal(|b| b["verificationMaterial"]["certificate"] = json!({"rawBytes": "AA=="})),
            "`verificationMaterial`: wanted exactly one of publicKey, x509CertificateChain, certificate, \
             got publicKey and certificate"
        );
        assert!(
            refusal(|b| b["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v9+json"))
                .starts_with("`mediaType`: wanted a Sigstore bundle")
        );
        assert!(
            refusal(|b| b["verificationMaterial"]["tlogEntries"] = json!(vec![json!({}); 33]))
                .ends_with("wanted at most 32, got 33")
        );
    }

    #[test]
    fn holds_a_bundle_to_the_material_of_its_version() {
        let single = |version: &str| {
            let mut value = bundle();
            value["mediaType"] = json!(version);
            value["verificationMaterial"] = json!({"certificate": {"rawBytes": "AA=="}});
            Bundle::read(value)
        };
        let old = single("application/vnd.dev.sigstore.bundle+json;version=0.2").unwrap_err();
        assert_eq!(
            old.problem,
            "`verificationMaterial`: wanted `x509CertificateChain` or `publicKey` in a v0.2 bundle, got `certificate`"
        );
        assert!(single("application/vnd.dev.sigstore.bundle.v0.3+json").is_ok());
    }
}
