//! The shape of a bundle, member by member, and what each of its versions asks for.
//!
//! Spec: <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto> and
//! `sigstore_rekor.proto`, `sigstore_common.proto` beside it, in protobuf's JSON form.

use serde_json::Value;
use sigstore::types::{Bundle as Wire, MediaType, VerificationMaterialContent};

use super::der;
use crate::evidence::Unreadable;
use crate::evidence::envelope;
use crate::evidence::limits::{
    BODY_BYTES, CERTIFICATES, LOG_ENTRIES, PROOF_HASHES, SET_MEMBERS, TIMESTAMPS, quoted,
};
use crate::evidence::wire::{Object, Shape, problem};

/// An object: the members that must be there, then all that may.
macro_rules! object {
    ([$($required:literal),*] $($name:literal: $shape:expr),+ $(,)?) => {
        Shape::Object(&Object { members: &[$(($name, $shape)),+], required: &[$($required),*], one_of: &[] })
    };
}

/// A bundle of any version.
pub(super) const BUNDLE: Shape = Shape::Object(&Object {
    members: &[
        ("mediaType", Shape::Text),
        ("verificationMaterial", MATERIAL),
        ("messageSignature", MESSAGE_SIGNATURE),
        ("dsseEnvelope", envelope::SHAPE),
    ],
    required: &["mediaType", "verificationMaterial"],
    one_of: &[&["messageSignature", "dsseEnvelope"]],
});

const MATERIAL: Shape = Shape::Object(&Object {
    members: &[
        ("publicKey", object! {[] "hint": Shape::Text}),
        ("x509CertificateChain", CHAIN),
        ("certificate", CERTIFICATE),
        ("tlogEntries", Shape::List(&LOG_ENTRY, LOG_ENTRIES)),
        ("timestampVerificationData", object! {[] "rfc3161Timestamps": Shape::List(&TIMESTAMP, TIMESTAMPS)}),
    ],
    required: &[],
    one_of: &[&["publicKey", "x509CertificateChain", "certificate"]],
});

const CERTIFICATE: Shape = object! {["rawBytes"] "rawBytes": Shape::Text};
const CHAIN: Shape = object! {["certificates"] "certificates": Shape::List(&CERTIFICATE, CERTIFICATES)};
const TIMESTAMP: Shape = object! {["signedTimestamp"] "signedTimestamp": Shape::Text};

const MESSAGE_SIGNATURE: Shape = object! {["signature"]
    "messageDigest": object! {["algorithm", "digest"] "algorithm": Shape::Text, "digest": Shape::Text},
    "signature": Shape::Text,
};

const LOG_ENTRY: Shape = object! {["logId", "kindVersion", "canonicalizedBody"]
    "logIndex": Shape::Integer,
    "logId": object! {["keyId"] "keyId": Shape::Text},
    "kindVersion": object! {["kind", "version"] "kind": Shape::Text, "version": Shape::Text},
    "integratedTime": Shape::Integer,
    "inclusionPromise": object! {["signedEntryTimestamp"] "signedEntryTimestamp": Shape::Text},
    "inclusionProof": INCLUSION_PROOF,
    "canonicalizedBody": Shape::Text,
};

const INCLUSION_PROOF: Shape = object! {["rootHash", "treeSize", "checkpoint"]
    "logIndex": Shape::Integer,
    "rootHash": Shape::Text,
    "treeSize": Shape::Integer,
    "hashes": Shape::List(&Shape::Text, PROOF_HASHES),
    "checkpoint": object! {["envelope"] "envelope": Shape::Text},
};

/// Which member holds the certificate in which version: the single form came with v0.3, and the
/// chain went (protobuf-specs, `VerificationMaterial`).
pub(super) fn fits_its_version(bundle: &Value) -> Result<(), Unreadable> {
    let text = bundle.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let (version, wanted, other) = match text.parse::<MediaType>() {
        Ok(MediaType::Bundle0_1) => ("v0.1", "x509CertificateChain", "certificate"),
        Ok(MediaType::Bundle0_2) => ("v0.2", "x509CertificateChain", "certificate"),
        Ok(MediaType::Bundle0_3) => ("v0.3", "certificate", "x509CertificateChain"),
        _ => {
            let got = quoted(text);
            return Err(problem(format!("`mediaType`: wanted a Sigstore bundle v0.1 to v0.3, got `{got}`")));
        }
    };
    match bundle.pointer("/verificationMaterial").and_then(|material| material.get(other)) {
        None => Ok(()),
        Some(_) => Err(problem(format!(
            "`verificationMaterial`: wanted `{wanted}` or `publicKey` in a {version} bundle, got `{other}`"
        ))),
    }
}

/// An inclusion proof and its checkpoint name one root and one size: the library reads the checkpoint's
/// alone where it can.
pub(super) fn agrees_with_its_checkpoints(bundle: &Value) -> Result<(), Unreadable> {
    let entries = bundle.pointer("/verificationMaterial/tlogEntries").and_then(Value::as_array);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let Some(proof) = entry.get("inclusionProof") else { continue };
        let text = |pointer| {
            proof.pointer(pointer).map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
        };
        let note = text("/checkpoint/envelope").unwrap_or_default();
        let mut lines = note.lines().skip(1).map(str::to_owned);
        if (lines.next(), lines.next()) != (text("/treeSize"), text("/rootHash")) {
            return Err(problem(format!(
                "`verificationMaterial.tlogEntries[{at}].inclusionProof`: names another size or root than its checkpoint"
            )));
        }
    }
    Ok(())
}

/// Every log entry is of a size that logs have and proves something (the library asks this of one entry
/// only), and none is there twice: copies would count as independent witnesses (CVE-2026-49834).
pub(super) fn has_distinct_evidence(bundle: &Wire) -> Result<(), Unreadable> {
    let material = &bundle.verification_material;
    for (at, entry) in material.tlog_entries.iter().enumerate() {
        let by_promise = bundle.media_type == MediaType::Bundle0_1 && entry.inclusion_promise.is_some();
        if entry.canonicalized_body.as_bytes().len() > BODY_BYTES {
            return Err(problem(format!(
                "`verificationMaterial.tlogEntries[{at}].canonicalizedBody`: wanted at most {BODY_BYTES} bytes"
            )));
        }
        if entry.inclusion_proof.is_none() && !by_promise {
            return Err(problem(format!("`verificationMaterial.tlogEntries[{at}].inclusionProof`: missing")));
        }
        let same = |other: &sigstore::types::TransparencyLogEntry| {
            other.log_id == entry.log_id && other.log_index == entry.log_index
        };
        if material.tlog_entries.iter().take(at).any(same) {
            return Err(problem(format!("`verificationMaterial.tlogEntries[{at}]`: repeats an entry")));
        }
    }
    let stamps = &material.timestamp_verification_data.rfc3161_timestamps;
    for (at, stamp) in stamps.iter().enumerate() {
        if stamps.iter().take(at).any(|other| other == stamp) {
            return Err(problem(format!(
                "`verificationMaterial.timestampVerificationData.rfc3161Timestamps[{at}]`: repeats a time stamp"
            )));
        }
    }
    Ok(())
}

/// No certificate and no time stamp holds a set that costs whoever reads it hours: the library reads them
/// before it knows who made them.
pub(super) fn has_small_sets(bundle: &Wire) -> Result<(), Unreadable> {
    let material = &bundle.verification_material;
    let certificates: Vec<&[u8]> = match &material.content {
        VerificationMaterialContent::X509CertificateChain { certificates } => {
            certificates.iter().map(|one| one.raw_bytes.as_bytes()).collect()
        }
        VerificationMaterialContent::Certificate(one) => vec![one.raw_bytes.as_bytes()],
        _ => Vec::new(),
    };
    let stamps = material.timestamp_verification_data.rfc3161_timestamps.iter();
    let stamps = stamps.map(|stamp| ("a time stamp", stamp.signed_timestamp.as_bytes()));
    let mut all = certificates.into_iter().map(|one| ("a certificate", one)).chain(stamps);
    match all.find(|(_, bytes)| !der::has_small_sets(bytes)) {
        None => Ok(()),
        Some((what, _)) => Err(problem(format!(
            "`verificationMaterial`: {what} holds a set of more than {SET_MEMBERS} members"
        ))),
    }
}
