//! cosign's older keyless signatures: what a registry keeps of one in annotations, as a bundle v0.1.
//!
//! In: the annotations beside a payload or an envelope: certificate, log entry with the log's promise,
//! time stamp. Out: the same as one bundle, for the strict parser and the library to verify like any
//! other; nothing is believed here, and what is missing is missing in the bundle.
//!
//! Specs: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>,
//! <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto>.
//! Not taken over: the chain above the certificate. Who issued it is for the trusted root to say.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::evidence::Unreadable;
use crate::json;
use crate::release::digest::Digest;

const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIME_STAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// The version of bundles that takes a log's promise for an entry.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a log entry with its promise")]
struct LogEntry {
    signed_entry_timestamp: String,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "the payload of a log entry")]
struct Payload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(expecting = "a time stamp")]
struct TimeStamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

/// What the annotations say of a certificate and its witnesses; none where there is no certificate.
pub(super) fn material(annotations: &BTreeMap<String, String>) -> Result<Option<Value>, Unreadable> {
    let Some(pem) = annotations.get(CERTIFICATE) else { return Ok(None) };
    let certificate = leaf(pem).ok_or_else(|| bad(CERTIFICATE, "is no certificate in PEM"))?;
    let chain = json!({"certificates": [{"rawBytes": certificate}]});
    let mut material = serde_json::Map::from_iter([("x509CertificateChain".to_owned(), chain)]);
    if let Some(text) = annotations.get(LOG_ENTRY) {
        let entry: LogEntry =
            json::decode(text.as_bytes()).map_err(|_| bad(LOG_ENTRY, "is no log entry with its promise"))?;
        material.insert("tlogEntries".to_owned(), json!([entry.in_a_bundle()?]));
    }
    if let Some(text) = annotations.get(TIME_STAMP) {
        let stamp: TimeStamp =
            json::decode(text.as_bytes()).map_err(|_| bad(TIME_STAMP, "is no time stamp"))?;
        let stamps = json!([{"signedTimestamp": stamp.signed}]);
        material.insert("timestampVerificationData".to_owned(), json!({"rfc3161Timestamps": stamps}));
    }
    Ok(Some(material.into()))
}

/// The bundle of an envelope.
pub(super) fn enveloped(material: &Value, envelope: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let envelope =
        json::parse(envelope).map_err(|error| Unreadable { problem: format!("envelope: {error}") })?;
    Ok(json::canonical(
        &json!({"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}),
    ))
}

/// The bundle of a signature over a payload.
pub(super) fn signed(material: &Value, payload: &[u8], signature: &[u8]) -> Value {
    let digest = STANDARD.encode(Digest::of_bytes(payload).as_bytes());
    let message = json!({"messageDigest": {"algorithm": "SHA2_256", "digest": digest},
        "signature": STANDARD.encode(signature)});
    json!({"mediaType": MEDIA_TYPE, "verificationMaterial": material, "messageSignature": message})
}

impl LogEntry {
    fn in_a_bundle(&self) -> Result<Value, Unreadable> {
        let Payload { body, integrated_time, log_index, log_id } = &self.payload;
        let no_body = || bad(LOG_ENTRY, "has no entry of a known kind");
        let entry =
            STANDARD.decode(body).ok().and_then(|bytes| json::parse(&bytes).ok()).ok_or_else(no_body)?;
        let member = |name| entry.get(name).and_then(Value::as_str).ok_or_else(no_body);
        let key_id = hex::decode(log_id).map_err(|_| bad(LOG_ENTRY, "has a `logID` that is not hex"))?;
        Ok(json!({
            "logIndex": log_index.to_string(),
            "logId": {"keyId": STANDARD.encode(key_id)},
            "kindVersion": {"kind": member("kind")?, "version": member("apiVersion")?},
            "integratedTime": integrated_time.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.signed_entry_timestamp},
            "canonicalizedBody": body,
        }))
    }
}

/// The first certificate of a PEM text, in base64.
fn leaf(pem: &str) -> Option<String> {
    let body = pem.trim_start().strip_prefix("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = body.split_once("-----END CERTIFICATE-----")?;
    let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(&packed).ok().filter(|der| !der.is_empty()).map(|der| STANDARD.encode(der))
}

fn bad(annotation: &str, problem: &str) -> Unreadable {
    Unreadable { problem: format!("`{annotation}` {problem}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA\nEC\n-----END CERTIFICATE-----\n";

    #[test]
    fn puts_together_what_annotations_hold() {
        let body = STANDARD.encode(r#"{"kind": "hashedrekord", "apiVersion": "0.0.1"}"#);
        let entry = json!({"SignedEntryTimestamp": "c2V0", "Payload": {"body": body, "integratedTime": 7, "logIndex": 3, "logID": "0a"}});
        let all = annotations(&[(CERTIFICATE, PEM), (LOG_ENTRY, &entry.to_string())]);
        assert_eq!(
            material(&all).unwrap().unwrap(),
            json!({"x509CertificateChain": {"certificates": [{"rawBytes": "AAEC"}]}, "tlogEntries": [{
                "logIndex": "3", "logId": {"keyId": "Cg=="}, "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
                "integratedTime": "7", "inclusionPromise": {"signedEntryTimestamp": "c2V0"}, "canonicalizedBody": body}]})
        );
        assert!(material(&annotations(&[(LOG_ENTRY, "{}")])).unwrap().is_none());
    }

    #[test]
    fn says_which_annotation_is_none() {
        for (name, text) in
            [(CERTIFICATE, "x"), (LOG_ENTRY, "{}"), (TIME_STAMP, "[]"), (LOG_ENTRY, "{\"a\":1,\"a\":1}")]
        {
            let mut all = annotations(&[(CERTIFICATE, PEM)]);
            all.insert(name.to_owned(), text.to_owned());
            assert!(material(&all).unwrap_err().problem.starts_with(&format!("`{name}` ")));
        }
    }
}
