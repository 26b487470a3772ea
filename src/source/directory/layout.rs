//! Evidence in OCI layouts: what a registry would give as referrers, read from disk.
//!
//! In: a folder with an `oci-layout` file. What lies beside the layout's own files is no part of it
//! ([`holds`]). Out: every layer that is a Sigstore bundle, a DSSE envelope
//! or a cosign simple-signing payload, of each manifest that `index.json` lists ([`attached`] reads
//! them). Links are not followed. Layers of other kinds are not evidence and stay unread.
//!
//! Spec: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
//! Not checked: what a manifest says that it refers to; evidence speaks for itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::evidence::{OverLimit, Unreadable};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::image::MAX_MANIFEST;
use crate::source::attached::{self, Descriptor, Layer};
use crate::source::folder::{Bytes, Folder};
use crate::source::intake::Intake;

/// Manifests of one layout: each piece of evidence has one, beside those of images.
const MAX_MANIFESTS: usize = 16_384;

/// Whether a path is one of a layout's own: read with it, or a blob that it may lead to.
pub(super) fn holds(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else { return false };
    let (name, folder) = (below.file_name().and_then(OsStr::to_str), below.parent());
    let hex = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_blob = folder == Some(Path::new("blobs/sha256")) && name.is_some_and(hex);
    is_blob || below == Path::new("oci-layout") || below == Path::new("index.json")
}

/// Takes in all evidence of a layout.
pub(super) fn read(layout: &Folder, intake: &mut Intake) {
    let index = layout.path(OsStr::new("index.json")).display().to_string();
    let read = layout.read(OsStr::new("index.json"), MAX_MANIFEST);
    let Some(bytes) = bounded(read, MAX_MANIFEST, &index, intake) else { return };
    if attached::read(&bytes).is_err() {
        // Evidence of that name stays evidence when somebody puts an `oci-layout` beside it.
        intake.take(&index, bytes.clone(), None);
    }
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
        let listing = match attached::read(&bytes) {
            Ok(listing) => listing,
            Err(problem) => return self.intake.take(source, bytes, Some(problem)),
        };
        match (listing.manifests.is_empty() && listing.layers.is_empty(), listing.unsigned) {
            (true, 0) => self.intake.ignore(1),
            (_, unsigned) => self.intake.ignore(unsigned),
        }
        for listed in &listing.manifests {
            if let Some(digest) = self.digest(source, listed)
                && self.seen.insert(digest.clone())
            {
                if self.seen.len() > MAX_MANIFESTS {
                    let what = "manifests in an evidence layout";
                    return self.intake.exceed(OverLimit::by_one(what, MAX_MANIFESTS as u64));
                }
                self.next.push(digest);
            }
        }
        for layer in &listing.layers {
            if self.intake.is_over() {
                return;
            }
            self.layer(source, layer);
        }
    }

    fn layer(&mut self, manifest: &str, layer: &Layer) {
        let Some(digest) = self.digest(manifest, layer.descriptor()) else { return };
        let Some((source, bytes)) = self.blob(&digest, self.intake.document_limit()) else { return };
        let (document, problem) = layer.document(bytes);
        self.intake.take(&source, document, problem);
    }

    fn digest(&mut self, named_in: &str, descriptor: &Descriptor) -> Option<ClaimedDigest> {
        match descriptor.digest() {
            Ok(digest) => Some(digest),
            Err(problem) => {
                self.intake.take(named_in, descriptor.written().as_bytes().to_vec(), Some(problem));
                None
            }
        }
    }

    /// A blob that is what its name says.
    fn blob(&mut self, digest: &ClaimedDigest, limit: u64) -> Option<(String, Vec<u8>)> {
        let name = digest.hex();
        let source = self.blobs.path(OsStr::new(&name)).display().to_string();
        let bytes = bounded(self.blobs.read(OsStr::new(&name), limit), limit, &source, self.intake)?;
        if Digest::of_bytes(&bytes) != *digest {
            let problem = Unreadable { problem: "its bytes are not those that its name says".to_owned() };
            self.intake.take(&source, bytes, Some(problem));
            return None;
        }
        Some((source, bytes))
    }
}

fn bounded(read: io::Result<Bytes>, most: u64, source: &str, intake: &mut Intake) -> Option<Vec<u8>> {
    match read {
        Ok(Bytes::All(bytes)) => return Some(bytes),
        Ok(Bytes::TooMany) => {
            intake.exceed(OverLimit::in_file(source.to_owned(), "bytes of one evidence file", most));
        }
        Err(error) => intake.unreachable(source, &error),
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::evidence::OverLimit;
    use crate::source::intake::Limits;

    #[test]
    fn a_manifest_that_is_too_long_is_told_by_its_own_limit() {
        let layout = tempfile::tempdir().unwrap();
        fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        let index = layout.path().join("index.json");
        fs::write(&index, " ".repeat(5 << 20)).unwrap();
        let mut intake = Intake::new(Limits::default());
        read(&Folder::open(layout.path()).unwrap(), &mut intake);
        let source = Some(index.display().to_string());
        let over =
            OverLimit { source, what: "bytes of one evidence file", limit: 4 << 20, found: (4 << 20) + 1 };
        assert_eq!(intake.gathered().over_limit, Some(over));
    }
}
