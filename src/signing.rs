//! Makes evidence: signatures and statements of ours, as Sigstore bundles. Used by `cli` alone.
//!
//! In: an artifact's bytes or a statement, and a key that [`Signs`], or an identity ([`keyless`]). Out: the
//! bytes of a bundle v0.3, which [`crate::evidence`] reads back: with a key's hint and no log entry, or with a
//! certificate, a log entry and a time stamp.
//! The use of a key is chosen by its owner, so what is refused here is refused again by `verify`:
//! artifact bytes whose signature would be one over something else ([`SigningError`]).
//! Specs: <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto>,
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>.

pub mod keyless;
pub mod statement;
pub mod vsa;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::evidence::bundle::MEDIA_TYPE;
use crate::evidence::envelope::pae;
use crate::evidence::statement::PAYLOAD_TYPE;
use crate::json;
use crate::key::secret::SecretKey;
use crate::key::{Algorithm, KeyError, PublicKey};
use crate::release::digest::Digest;
use crate::release::shape::{self, Trap};

/// Something that signs with one key: a key at hand, or one that is kept elsewhere.
pub trait Signs {
    /// The key that verifies what it signs.
    fn public(&self) -> &PublicKey;

    /// Signs a message: ECDSA with SHA-256 as ASN.1, or Ed25519's 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
}

impl Signs for SecretKey {
    fn public(&self) -> &PublicKey {
        SecretKey::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        SecretKey::sign(self, message)
    }
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The artifact is a DSSE pre-authentication encoding: a signature over its bytes would be a
    /// signature over the statement in it.
    #[error("the artifact begins with `DSSEv1 `: a signature over it would pass for an attestation")]
    PreAuthenticationEncoding,
    /// The artifact is a simple-signing payload: a signature over its bytes would be one over the
    /// image that it names.
    #[error("the artifact is a simple-signing payload: a signature over it would pass for one over an image")]
    SimpleSigningPayload,
    /// A message signature by a key that doesn't sign SHA-256 digests.
    #[error("a message signature needs a P-256 key, and this one is {algorithm}: it can sign statements")]
    MessageNeedsP256 {
        /// What the key is.
        algorithm: Algorithm,
    },
    /// A statement that no verifier would take.
    #[error("`{member}` of the statement {problem}")]
    BadStatement {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A provenance document that is of no version of SLSA provenance read here.
    #[error("the predicate is neither SLSA provenance v1 (`buildDefinition`) nor v0.2 (`buildType`)")]
    NotProvenance,
    /// The key could not be used.
    #[error("the key could not sign")]
    Key(#[from] KeyError),
}

/// Signs an artifact: a message signature with P-256, a statement of cosign's with Ed25519.
///
/// # Errors
/// [`SigningError`] for bytes whose signature would be one over something else.
pub fn artifact_bundle(artifact: &[u8], key: &dyn Signs) -> Result<Vec<u8>, SigningError> {
    refuse_ambiguous(artifact)?;
    match key.public().algorithm() {
        Algorithm::EcdsaP256 => message_bundle(artifact, key),
        _ => statement_bundle(&statement::cosign_sign(&Digest::of_bytes(artifact).claim()), key),
    }
}

/// A message signature over an artifact's bytes.
///
/// # Errors
/// [`SigningError`] for a key that is not P-256, and for bytes whose signature would be one over
/// something else.
pub fn message_bundle(artifact: &[u8], key: &dyn Signs) -> Result<Vec<u8>, SigningError> {
    refuse_ambiguous(artifact)?;
    let algorithm = key.public().algorithm();
    if algorithm != Algorithm::EcdsaP256 {
        return Err(SigningError::MessageNeedsP256 { algorithm });
    }
    let digest = STANDARD.encode(Digest::of_bytes(artifact).as_bytes());
    let content = Content::MessageSignature {
        message_digest: MessageDigest { algorithm: "SHA2_256", digest },
        signature: STANDARD.encode(key.sign(artifact)?),
    };
    Ok(bundle(content, key.public()))
}

/// An in-toto statement in a DSSE envelope. The payload is the statement's RFC 8785 form.
///
/// # Errors
/// [`SigningError::BadStatement`] for one that no verifier would take.
pub fn statement_bundle(statement: &Value, key: &dyn Signs) -> Result<Vec<u8>, SigningError> {
    statement::check(statement)?;
    envelope_bundle(PAYLOAD_TYPE, &json::canonical(statement), key)
}

/// Any payload in a DSSE envelope.
///
/// # Errors
/// [`SigningError::Key`].
pub fn envelope_bundle(payload_type: &str, payload: &[u8], key: &dyn Signs) -> Result<Vec<u8>, SigningError> {
    let sig = STANDARD.encode(key.sign(&pae(payload_type, payload))?);
    let content = Content::DsseEnvelope {
        payload: STANDARD.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: [Signature { sig }],
    };
    Ok(bundle(content, key.public()))
}

/// A key's hint in a bundle: as `cosign` writes it, base64 of the SHA-256 of its SPKI.
pub fn hint(key: &PublicKey) -> String {
    STANDARD.encode(key.id().as_bytes())
}

/// Refuses bytes whose message signature would also be a signature of another kind.
///
/// # Errors
/// [`SigningError::PreAuthenticationEncoding`], [`SigningError::SimpleSigningPayload`].
pub fn refuse_ambiguous(artifact: &[u8]) -> Result<(), SigningError> {
    match shape::trap(artifact) {
        Some(Trap::PreAuthenticationEncoding) => Err(SigningError::PreAuthenticationEncoding),
        Some(Trap::SimpleSigning) => Err(SigningError::SimpleSigningPayload),
        None => Ok(()),
    }
}

/// In the member order that other writers of bundles keep.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: &'static str,
    verification_material: VerificationMaterial,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: PublicKeyIdentifier,
}

#[derive(Serialize)]
struct PublicKeyIdentifier {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Content {
    MessageSignature { message_digest: MessageDigest, signature: String },
    DsseEnvelope { payload: String, payload_type: String, signatures: [Signature; 1] },
}

#[derive(Serialize)]
struct MessageDigest {
    algorithm: &'static str,
    digest: String,
}

#[derive(Serialize)]
struct Signature {
    sig: String,
}

fn bundle(content: Content, key: &PublicKey) -> Vec<u8> {
    let material = VerificationMaterial { public_key: PublicKeyIdentifier { hint: hint(key) } };
    let bundle = Bundle { media_type: MEDIA_TYPE, verification_material: material, content };
    #[expect(clippy::expect_used, reason = "a struct of strings always serialises")]
    serde_json::to_vec(&bundle).expect("a struct of strings")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;
    use sigstore::types::{Bundle as Theirs, DerPublicKey, SignatureContent};

    fn keys() -> [SecretKey; 2] {
        [Algorithm::EcdsaP256, Algorithm::Ed25519].map(|kind| SecretKey::generate(kind).unwrap())
    }

    fn read(bytes: &[u8]) -> Theirs {
        json::parse(bytes).unwrap();
        Theirs::from_json(std::str::from_utf8(bytes).unwrap()).unwrap()
    }

    fn provenance() -> Value {
        let subject = statement::subject("app", &Digest::of_bytes(b"app").claim());
        let predicate = serde_json::json!({"buildDefinition": {"b": 1, "a": "\u{20ac}"}});
        statement::provenance(&[subject], predicate).unwrap()
    }

    #[test]
    fn a_message_signature_verifies_with_its_key_and_names_it() {
        let [p256, ed25519] = keys();
        let bundle = read(&artifact_bundle(b"app", &p256).unwrap());
        let SignatureContent::MessageSignature(message) = bundle.content else { panic!("no message") };
        p256.public().verify(b"app", message.signature.as_bytes()).unwrap();
        assert_eq!(message.message_digest.unwrap().digest.as_bytes(), Digest::of_bytes(b"app").as_bytes());
        let material = serde_json::to_value(&bundle.verification_material.content).unwrap();
        assert_eq!(material["publicKey"]["hint"], STANDARD.encode(p256.public().id().as_bytes()));
        let refused = message_bundle(b"app", &ed25519);
        assert_eq!(refused, Err(SigningError::MessageNeedsP256 { algorithm: Algorithm::Ed25519 }));
    }

    #[test]
    fn an_ed25519_key_signs_an_artifact_as_a_statement() {
        let [_, ed25519] = keys();
        let bundle = read(&artifact_bundle(b"app", &ed25519).unwrap());
        let SignatureContent::DsseEnvelope(envelope) = bundle.content else { panic!("no envelope") };
        ed25519.public().verify(&envelope.pae(), envelope.signature.sig.as_bytes()).unwrap();
        let signed: Value = json::decode(envelope.payload.as_bytes()).unwrap();
        assert_eq!(signed, statement::cosign_sign(&Digest::of_bytes(b"app").claim()));
    }

    #[test]
    fn a_statement_is_signed_in_its_canonical_form_by_either_kind_of_key() {
        for key in keys() {
            let bundle = read(&statement_bundle(&provenance(), &key).unwrap());
            let SignatureContent::DsseEnvelope(envelope) = bundle.content else { panic!("no envelope") };
            let pae = pae(PAYLOAD_TYPE, envelope.payload.as_bytes());
            assert_eq!(pae, envelope.pae());
            key.public().verify(&pae, envelope.signature.sig.as_bytes()).unwrap();
            assert_eq!(envelope.payload.as_bytes(), json::canonical(&provenance()));
        }
    }

    #[test]
    fn the_library_reads_the_key_that_a_bundle_is_verified_with() {
        for key in keys() {
            DerPublicKey::from_pem(&key.public().to_pem()).unwrap();
        }
    }

    #[test]
    fn refuses_an_artifact_that_is_a_pre_authentication_encoding() {
        for key in keys() {
            let pae = pae(PAYLOAD_TYPE, &json::canonical(&provenance()));
            assert_eq!(artifact_bundle(&pae, &key), Err(SigningError::PreAuthenticationEncoding));
            assert!(message_bundle(b"DSSEv1 ", &key).is_err());
        }
    }

    #[test]
    fn refuses_an_artifact_that_is_a_simple_signing_payload() {
        let payload = br#" {"critical": {"identity": {}, "type": "cosign container image signature",
            "image": {"docker-manifest-digest": "sha256:00"}}, "critical": {"image":
            {"docker-manifest-digest": "sha256:11"}}, "optional": null}"#;
        for key in keys() {
            assert_eq!(artifact_bundle(payload, &key), Err(SigningError::SimpleSigningPayload));
            assert!(artifact_bundle(br#"{"critical": 1}"#, &key).is_ok());
        }
    }

    #[test]
    fn an_approval_names_the_release_digest_and_nothing_else() {
        use crate::evidence::predicate::approval::{Approval, Word};
        let approval = Approval {
            decision: Word::Approved,
            environment: "production".into(),
            created_at: time::parse("2026-03-02T12:00:00Z").unwrap(),
            expires_at: time::parse("2026-03-03T12:00:00Z").unwrap(),
            reason: None,
            ticket: Some("OPS-1".into()),
            role: None,
            on_behalf_of: None,
        };
        let digest = Digest::of_bytes(b"a release").claim();
        assert_eq!(
            statement::approval(&digest, &approval),
            serde_json::json!({
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"digest": {"sha256": digest.hex()}}],
                "predicateType": "https://laforge.dev/attestation/approval/v1",
                "predicate": {"decision": "approved", "environment": "production",
                    "createdAt": "2026-03-02T12:00:00Z", "expiresAt": "2026-03-03T12:00:00Z",
                    "ticket": "OPS-1"},
            })
        );
    }

    #[test]
    fn refuses_a_statement_that_no_verifier_would_take() {
        let [key, _] = keys();
        let sound = provenance();
        let without = |member: &str| {
            let mut statement = sound.clone();
            statement.as_object_mut().unwrap().remove(member);
            statement_bundle(&statement, &key)
        };
        for member in ["_type", "subject", "predicateType", "predicate"] {
            assert!(
                matches!(without(member), Err(SigningError::BadStatement { member: got, .. }) if got == member),
                "{member}"
            );
        }
        let mut empty = sound.clone();
        empty["subject"] = serde_json::json!([]);
        assert!(statement_bundle(&empty, &key).is_err());
        let mut bare = sound;
        bare["subject"] = serde_json::json!([{"name": "app", "digest": {}}]);
        assert!(statement_bundle(&bare, &key).is_err());
    }

    #[test]
    fn provenance_of_either_version_is_told_by_its_members() {
        let subject = || [statement::subject("app", &Digest::of_bytes(b"app").claim())];
        let of = |predicate| statement::provenance(&subject(), predicate).map(|s| s["predicateType"].clone());
        assert_eq!(
            of(serde_json::json!({"buildDefinition": {}})).unwrap(),
            crate::evidence::predicate::provenance::V1
        );
        assert_eq!(
            of(serde_json::json!({"buildType": "x"})).unwrap(),
            crate::evidence::predicate::provenance::V02
        );
        assert_eq!(of(serde_json::json!({"builder": {}})), Err(SigningError::NotProvenance));
    }
}
