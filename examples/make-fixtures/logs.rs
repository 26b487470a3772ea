//! Transparency logs: one for certificates (RFC 6962), and Rekor's two generations for signatures.
//!
//! Specs: <https://www.rfc-editor.org/rfc/rfc6962#section-3.2>,
//! <https://github.com/sigstore/rekor/blob/main/types.md>,
//! <https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md>,
//! <https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::json;
use laforge::key::PublicKey;
use laforge::key::secret::SecretKey;
use laforge::release::digest::Digest;
use laforge::time::Timestamp;
use serde_json::{Value, json};

use crate::certificate::{Issuer, Template, sct_extension};
use crate::keys::{P256, ed25519};

/// A certificate transparency log: a key that signs what it saw.
pub(crate) struct CertificateLog {
    key: P256,
}

impl CertificateLog {
    /// The log of a name.
    pub(crate) fn named(name: &str) -> Self {
        Self { key: P256::named(name) }
    }

    /// The DER of its key.
    pub(crate) fn spki(&self) -> &[u8] {
        self.key.spki()
    }

    /// The extension that says that this log saw a certificate, which has all its others already.
    pub(crate) fn seen(&self, issuer: &Issuer, template: &Template<'_>, at: Timestamp) -> Vec<u8> {
        let milliseconds = at.timestamp_millis().to_be_bytes();
        let certificate = issuer.to_be_signed(template);
        let issuer_key = Digest::of_bytes(issuer.spki());
        // version 1, certificate time stamp, time, precertificate, issuer, certificate, no extensions
        let (kind, length) = ([0, 1], certificate.len().to_be_bytes());
        let [.., high, middle, low] = length;
        let entry = [kind.as_slice(), issuer_key.as_bytes(), &[high, middle, low], &certificate].concat();
        let signed = [&[0, 0], milliseconds.as_slice(), &entry, &[0, 0]].concat();
        let signature = self.key.signature(&signed);
        let log = Digest::of_bytes(self.spki());
        let stamp = [
            &[0],
            log.as_bytes().as_slice(),
            &milliseconds,
            &[0, 0],
            &[4, 3], // SHA-256, ECDSA
            &with_length(&signature),
        ];
        sct_extension(&with_length(&with_length(&stamp.concat())))
    }
}

/// Bytes with their length before them, in two bytes.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let [.., high, low] = bytes.len().to_be_bytes();
    [&[high, low], bytes].concat()
}

/// What made a signature, as log entries carry it.
#[derive(Clone, Copy)]
pub(crate) enum Verifier<'a> {
    /// A certificate, as DER.
    Certificate(&'a [u8]),
    /// A key.
    Key(&'a PublicKey),
}

/// What was signed, as log entries carry it.
#[derive(Clone, Copy)]
pub(crate) enum Signed<'a> {
    /// Bytes.
    Message(&'a [u8]),
    /// A DSSE envelope with this payload, of which the signature is over these bytes.
    Envelope {
        /// The envelope as JSON.
        envelope: &'a Value,
        /// Its payload.
        payload: &'a [u8],
        /// Its pre-authentication encoding.
        encoding: &'a [u8],
    },
}

/// Rekor's first generation: entries of several kinds, integrated at a time that the log promises.
pub(crate) struct FirstRekor {
    origin: String,
    key: P256,
    tree: Tree,
}

/// Rekor's second generation: one kind of entry, no time, a checkpoint by an Ed25519 key.
pub(crate) struct SecondRekor {
    origin: String,
    key: SecretKey,
    tree: Tree,
}

impl FirstRekor {
    /// The empty log at an origin.
    pub(crate) fn at(origin: &str) -> Self {
        Self { origin: origin.to_owned(), key: P256::named(origin), tree: Tree::default() }
    }

    /// The DER of its key.
    pub(crate) fn spki(&self) -> &[u8] {
        self.key.spki()
    }

    /// Takes an entry and gives what a bundle carries of it.
    pub(crate) fn integrate(
        &mut self,
        signed: Signed<'_>,
        signature: &[u8],
        by: Verifier<'_>,
        at: Timestamp,
    ) -> Value {
        let kind = match signed {
            Signed::Message(_) => "hashedrekord",
            Signed::Envelope { .. } => "dsse",
        };
        let body = json::canonical(&first_body(signed, signature, by));
        let index = self.tree.append(&body);
        let log = Digest::of_bytes(self.spki());
        let promised = json!({"body": STANDARD.encode(&body), "integratedTime": at.timestamp(),
            "logIndex": index, "logID": log.hex()});
        let promise = self.key.signature(&json::canonical(&promised));
        let note = self.tree.note(&self.origin);
        let hint: Vec<u8> = log.as_bytes().iter().copied().take(4).collect();
        let checkpoint =
            signed_note(&note, &self.origin, &[hint, self.key.signature(note.as_bytes())].concat());
        json!({
            "logIndex": index.to_string(),
            "logId": {"keyId": STANDARD.encode(log.as_bytes())},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": at.timestamp().to_string(),
            "inclusionPromise": {"signedEntryTimestamp": STANDARD.encode(promise)},
            "inclusionProof": self.tree.proof(index, &checkpoint),
            "canonicalizedBody": STANDARD.encode(&body),
        })
    }
}

impl SecondRekor {
    /// The empty log at an origin.
    pub(crate) fn at(origin: &str) -> Self {
        Self { origin: origin.to_owned(), key: ed25519(origin), tree: Tree::default() }
    }

    /// The DER of its key.
    pub(crate) fn spki(&self) -> &[u8] {
        self.key.public().spki()
    }

    /// Its id: of a note's name and key (<https://github.com/C2SP/C2SP/blob/main/signed-note.md>).
    pub(crate) fn id(&self) -> Digest {
        Digest::of_bytes(&[self.origin.as_bytes(), b"\n\x01", self.key.public().raw()].concat())
    }

    /// Takes an entry and gives what a bundle carries of it.
    pub(crate) fn integrate(&mut self, signed: Signed<'_>, signature: &[u8], by: Verifier<'_>) -> Value {
        let body = json::canonical(&second_body(signed, signature, by));
        let index = self.tree.append(&body);
        let note = self.tree.note(&self.origin);
        let hint: Vec<u8> = self.id().as_bytes().iter().copied().take(4).collect();
        let by_log = self.key.sign(note.as_bytes()).unwrap_or_default();
        let checkpoint = signed_note(&note, &self.origin, &[hint, by_log].concat());
        json!({
            "logIndex": index.to_string(),
            "logId": {"keyId": STANDARD.encode(self.id().as_bytes())},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": self.tree.proof(index, &checkpoint),
            "canonicalizedBody": STANDARD.encode(&body),
        })
    }
}

fn first_body(signed: Signed<'_>, signature: &[u8], by: Verifier<'_>) -> Value {
    let verifier = STANDARD.encode(by.pem());
    let signature = STANDARD.encode(signature);
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": Digest::of_bytes(bytes).hex()});
    match signed {
        Signed::Message(bytes) => json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": hash(bytes)},
            "signature": {"content": signature, "publicKey": {"content": verifier}}}}),
        Signed::Envelope { envelope, payload, .. } => json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "envelopeHash": hash(&json::canonical(envelope)),
            "payloadHash": hash(payload),
            "signatures": [{"signature": signature, "verifier": verifier}]}}),
    }
}

fn second_body(signed: Signed<'_>, signature: &[u8], by: Verifier<'_>) -> Value {
    let bytes = match signed {
        Signed::Message(bytes) => bytes,
        Signed::Envelope { encoding, .. } => encoding,
    };
    let verifier = match by {
        Verifier::Certificate(der) => json!({"x509Certificate": {"rawBytes": STANDARD.encode(der)},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256"}),
        Verifier::Key(key) => json!({"publicKey": {"rawBytes": STANDARD.encode(key.spki())},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256"}),
    };
    json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::of_bytes(bytes).as_bytes())},
        "signature": {"content": STANDARD.encode(signature), "verifier": verifier}}}})
}

impl Verifier<'_> {
    fn pem(self) -> String {
        match self {
            Self::Key(key) => key.to_pem(),
            Self::Certificate(der) => {
                let packed = STANDARD.encode(der);
                let lines: Vec<&str> = (0..packed.len())
                    .step_by(64)
                    .filter_map(|at| packed.get(at..packed.len().min(at + 64)))
                    .collect();
                format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
            }
        }
    }
}

/// A note with one signature (<https://github.com/C2SP/C2SP/blob/main/signed-note.md>).
fn signed_note(note: &str, name: &str, signature: &[u8]) -> String {
    // Rekor's origins may hold spaces; the name of a signature may not.
    let name = name.split(' ').next().unwrap_or(name);
    format!("{note}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
}

/// A Merkle tree of entries (RFC 6962 section 2.1), small enough to be hashed anew each time.
#[derive(Default)]
struct Tree {
    leaves: Vec<Digest>,
}

impl Tree {
    fn append(&mut self, entry: &[u8]) -> usize {
        self.leaves.push(Digest::of_bytes(&[&[0], entry].concat()));
        self.leaves.len() - 1
    }

    fn note(&self, origin: &str) -> String {
        format!("{origin}\n{}\n{}\n", self.leaves.len(), STANDARD.encode(root(&self.leaves).as_bytes()))
    }

    fn proof(&self, index: usize, checkpoint: &str) -> Value {
        let hashes: Vec<String> =
            path(index, &self.leaves).iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect();
        json!({
            "logIndex": index.to_string(),
            "rootHash": STANDARD.encode(root(&self.leaves).as_bytes()),
            "treeSize": self.leaves.len().to_string(),
            "hashes": hashes,
            "checkpoint": {"envelope": checkpoint},
        })
    }
}

fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of_bytes(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Digest::of_bytes(&[&[1], root(left).as_bytes().as_slice(), root(right).as_bytes()].concat())
        }
    }
}

fn path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut below, beside) =
        if index < at { (path(index, left), right) } else { (path(index - at, right), left) };
    below.push(root(beside));
    below
}

/// The largest power of two below a number of at least two.
fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}
