//! Evidence in OCI layouts: what a registry would give as referrers, read from disk.
//!
//! In: a folder with an `oci-layout` file. Out: every layer that is a Sigstore bundle, a DSSE envelope
//! or a cosign simple-signing payload, of each manifest that `index.json` lists. Links are not
//! followed. Layers of other kinds are not evidence and stay unread.
//!
//! Specs: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>,
//! <https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md>, `SIGNATURE_SPEC.md` there.
//! Not checked: what a manifest says that it refers to; evidence speaks for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::evidence::Intake;
use super::folder::{Bytes, Folder};
use crate::evidence::{Evidence, Unreadable};
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};

/// The largest manifest that registries take.
const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

/// Manifests of one layout: each piece of evidence has one, beside those of images.
const MAX_MANIFESTS: usize = 16_384;

/// Media types of layers that are bundles begin so; a version follows.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// Where cosign keeps the signature over a simple-signing payload.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// An index or a manifest, as far as it leads to evidence.
#[derive(Deserialize)]
#[serde(expecting = "an image manifest or index")]
struct Document {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
struct Descriptor {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Takes in all evidence of a layout.
pub(super) fn read(layout: &Folder, intake: &mut Intake) {
    let index = layout.path(OsStr::new("index.json")).display().to_string();
    let Some(bytes) = bounded(layout.read(OsStr::new("index.json"), MAX_MANIFEST), &index, intake) else {
        return;
    };
    let blobs = layout.folder(OsStr::new("blobs")).and_then(|blobs| blobs.folder(OsStr::new("sha256")));
    match blobs {
        Ok(blobs) => Walk { blobs, intake, seen: BTreeSet::new(), next: Vec::new() }.all(&index, bytes),
        Err(error) => intake.unreachable(&layout.shown(), &error),
    }
}

struct Walk<'a> {
    blobs: Folder,
    intake: &'a mut Intake,
    seen: BTreeSet<ClaimedDigest>,
    /// Manifests that are listed and not yet read.
    next: Vec<ClaimedDigest>,
}

impl Walk<'_> {
    fn all(&mut self, index: &str, bytes: Vec<u8>) {
        self.document(index, bytes);
        while let Some(digest) = self.next.pop() {
            if self.intake.is_over() {
                return;
            }
            if let Some((source, bytes)) = self.blob(&digest, MAX_MANIFEST) {
                self.document(&source, bytes);
            }
        }
    }

    fn document(&mut self, source: &str, bytes: Vec<u8>) {
        self.intake.weigh(bytes.len());
        let document: Document = match json::decode(&bytes) {
            Ok(document) => document,
            Err(error) => {
                let problem = format!("is not an image manifest or index: {error}");
                return self.intake.take(source, bytes, Some(Unreadable { problem }));
            }
        };
        let is_evidence = |layer: &&Descriptor| kind_of(layer).is_some();
        if document.manifests.is_empty() && !document.layers.iter().any(|layer| is_evidence(&layer)) {
            self.intake.ignore();
        }
        for listed in &document.manifests {
            if let Some(digest) = self.digest(source, listed)
                && self.seen.insert(digest.clone())
            {
                if self.seen.len() > MAX_MANIFESTS {
                    let (most, found) = (MAX_MANIFESTS as u64, self.seen.len() as u64);
                    return self.intake.exceed("manifests in an evidence layout", most, found);
                }
                self.next.push(digest);
            }
        }
        for layer in document.layers.iter().filter(is_evidence) {
            if self.intake.is_over() {
                return;
            }
            self.layer(source, layer);
        }
    }

    fn layer(&mut self, manifest: &str, layer: &Descriptor) {
        let Some(digest) = self.digest(manifest, layer) else { return };
        let Some((source, bytes)) = self.blob(&digest, self.intake.document_limit()) else { return };
        match kind_of(layer) {
            Some(Kind::SimpleSigning) => self.simple_signing(&source, bytes, layer),
            _ => self.intake.take(&source, bytes, None),
        }
    }

    fn simple_signing(&mut self, source: &str, payload: Vec<u8>, layer: &Descriptor) {
        let signature = layer.annotations.get(SIGNATURE).and_then(|text| STANDARD.decode(text).ok());
        let missing = || Unreadable { problem: format!("has no `{SIGNATURE}` in base64 beside it") };
        let joined = signature
            .ok_or_else(missing)
            .and_then(|signature| Evidence::simple_signing(source, &payload, &signature));
        match joined {
            Ok(evidence) => self.intake.take(source, evidence.bytes().to_vec(), None),
            Err(problem) => self.intake.take(source, payload, Some(problem)),
        }
    }

    fn digest(&mut self, named_in: &str, descriptor: &Descriptor) -> Option<ClaimedDigest> {
        let parsed = descriptor.digest.parse();
        if let Err(problem) = &parsed {
            let problem = Unreadable { problem: format!("names a blob by {problem}") };
            self.intake.take(named_in, descriptor.digest.clone().into_bytes(), Some(problem));
        }
        parsed.ok()
    }

    /// A blob that is what its name says.
    fn blob(&mut self, digest: &ClaimedDigest, limit: u64) -> Option<(String, Vec<u8>)> {
        let name = digest.hex();
        let source = self.blobs.path(OsStr::new(&name)).display().to_string();
        let bytes = bounded(self.blobs.read(OsStr::new(&name), limit), &source, self.intake)?;
        if Digest::of_bytes(&bytes) != *digest {
            let problem = Unreadable { problem: "its bytes are not those that its name says".to_owned() };
            self.intake.take(&source, bytes, Some(problem));
            return None;
        }
        Some((source, bytes))
    }
}

enum Kind {
    Document,
    SimpleSigning,
}

/// What kind of evidence a layer is, if it is one.
fn kind_of(layer: &Descriptor) -> Option<Kind> {
    match layer.media_type.as_str() {
        SIMPLE_SIGNING => Some(Kind::SimpleSigning),
        ENVELOPE => Some(Kind::Document),
        bundle if bundle.starts_with(BUNDLE) => Some(Kind::Document),
        _ => None,
    }
}

fn bounded(read: std::io::Result<Bytes>, source: &str, intake: &mut Intake) -> Option<Vec<u8>> {
    match read {
        Ok(Bytes::All(bytes)) => return Some(bytes),
        Ok(Bytes::TooMany) => {
            let most = intake.document_limit();
            intake.exceed("bytes of one evidence file", most, most + 1);
        }
        Err(error) => intake.unreachable(source, &error),
    }
    None
}
