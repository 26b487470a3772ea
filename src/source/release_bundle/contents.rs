//! The files of a release bundle, held against its list.
//!
//! In: every file by its path. Out: [`Contents`], of which each file is listed, is what its name says, and is
//! nothing else to whoever reads the same folder without its list: otherwise `bundle.json` would hide what lies
//! beside it. So evidence has the names that it is read by anywhere, and the OCI layout leads to none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{
    Files, INDEX, LIST, List, MAX_FILES, Part, ReleaseBundleError, TYPE, blob, index, name, not_whole,
};
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::image::document;
use crate::source::attached;

/// A bundle of which every file is what its list says.
pub(super) struct Contents {
    pub(super) release: ClaimedDigest,
    pub(super) evidence: Vec<(String, Vec<u8>)>,
    pub(super) manifests: BTreeMap<ClaimedDigest, Vec<u8>>,
}

impl Contents {
    /// Holds every file against the list.
    ///
    /// # Errors
    /// [`ReleaseBundleError`] for what is not listed, is not there, or is something else than it is called.
    pub(super) fn of(path: &Path, mut files: Files) -> Result<Self, ReleaseBundleError> {
        if files.len() > MAX_FILES {
            return Err(ReleaseBundleError::TooLarge);
        }
        let list: Option<List> = files.remove(LIST).and_then(|bytes| json::decode(&bytes).ok());
        let list = list.filter(|list| list.kind == TYPE).ok_or(ReleaseBundleError::List)?;
        let index = files.remove(INDEX);
        let mut wanted = list.wanted();
        let mut contents =
            Self { release: list.release.digest, evidence: Vec::new(), manifests: BTreeMap::new() };
        for (file, bytes) in files {
            let read = Digest::of_bytes(&bytes);
            let digest = read.claim();
            let part = match file.split_once('/') {
                // By its name it is read as something else elsewhere: as lines, or as a signature beside a file.
                Some(("evidence", called)) if called == name(read, &bytes) => Part::Evidence,
                Some(_) if file == blob(&digest) => Part::Manifest,
                Some(("oci", "oci-layout")) => continue,
                _ => return Err(not_whole(file, "is not what its name says")),
            };
            if !wanted.remove(&(part, digest.clone())) {
                return Err(not_whole(file, "is not listed"));
            }
            match part {
                Part::Evidence => contents.evidence.push((path.join(&file).display().to_string(), bytes)),
                Part::Manifest => drop(contents.manifests.insert(digest, bytes)),
            }
        }
        if let Some((_, digest)) = wanted.first() {
            return Err(not_whole(digest.to_string(), "is listed and not there"));
        }
        contents.leads_to_no_evidence(index.as_deref())?;
        Ok(contents)
    }

    /// That the layout holds manifests of images alone and its list those, so that whoever reads it as a layout finds
    /// nothing in it that this reading passes over.
    fn leads_to_no_evidence(&self, index: Option<&[u8]>) -> Result<(), ReleaseBundleError> {
        for (digest, bytes) in &self.manifests {
            if document::media_types(bytes).is_none() {
                return Err(not_whole(blob(digest), "is no manifest of an image"));
            }
            let layers = attached::read(bytes).map(|listing| listing.layers).unwrap_or_default();
            let mut named = layers.iter().filter_map(|layer| layer.descriptor().digest().ok());
            if named.any(|layer| self.manifests.contains_key(&layer)) {
                return Err(not_whole(blob(digest), "has evidence in its layers"));
            }
        }
        match index {
            Some(bytes) if !self.is_indexed_by(bytes) => {
                Err(not_whole(INDEX.to_owned(), "is not the list of its images"))
            }
            _ => Ok(()),
        }
    }

    /// Whether this is, byte for byte, what the layout's list is written as.
    fn is_indexed_by(&self, bytes: &[u8]) -> bool {
        let listed = attached::read(bytes).map(|listing| listing.manifests).unwrap_or_default();
        let images: BTreeSet<_> = listed.iter().filter_map(|image| image.digest().ok()).collect();
        index(&self.manifests, &images) == bytes
    }
}
