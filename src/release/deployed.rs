//! What is deployed: rendered Kubernetes manifests, the images that they run, and their digest as a whole.
//!
//! In: files as received, a folder's in the order of their paths (`formats.md` section 1). Out:
//! [`Deployed`]: the artifact `manifests`, one artifact per image that has a digest, and a finding in
//! the making for each that has none. A tag is never resolved.
//!
//! The YAML is Kubernetes', not ours, so anchors and comments are fine. What its readers (`kubectl`,
//! Argo CD, Flux: all by a Go port of libyaml) could read in another way than we do is refused, with
//! its place: what can't be read for sure can't be gated. [`text`] refuses what they break lines or
//! documents by, [`tree`] repeated members, merge keys, directives and tags, [`agreement`] every
//! document that libyaml itself reads differently.
//!
//! Specs: <https://yaml.org/spec/1.2.2/>,
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>.
//! Not seen, and why: images that something in the cluster adds (admission, defaults of a custom
//! resource, a chart or a folder that a `HelmRelease` or an `Application` renders there), and manifests
//! that are text within a `ConfigMap` or `Secret`. Kinds without an image are counted, so that a
//! person sees which they are.

mod agreement;
mod images;
mod objects;
mod text;
mod tree;
pub(crate) mod workload;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use images::{Reason, Unpinned};

use super::digest::{ClaimedDigest, Digest};
use super::document::RESERVED_NAME;
use super::name::NameError;
use super::reference::ImageReference;
use super::{Artifact, Location, Release};
use crate::json;
use crate::yaml::{DocumentError, Source};
use objects::{Found, Objects};

/// Files of one deployment: ten times what a large one has.
pub const MAX_FILES: usize = 4096;

/// Bytes of all of them: the largest rendered charts have a few MiB.
pub const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Images of one deployment: each is read and verified.
const MAX_IMAGES: usize = 1024;

/// One file of manifests, as received.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// Its path below the folder, with `/`; the name of a single file; `-` for standard input.
    pub path: String,
    /// Its path as the user would write it.
    pub shown: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What manifests deploy.
#[derive(Debug)]
pub struct Deployed {
    whole: Artifact,
    images: BTreeSet<(String, ClaimedDigest)>,
    inventory: Inventory,
}

/// What a person is told of manifests, and denied for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// How many objects they hold.
    pub objects: u64,
    /// How many images they run by digest.
    pub images: u64,
    /// Kinds that name no image that we know of, and how many objects of each do not.
    pub without_images: BTreeMap<String, u64>,
    /// Containers whose image no digest names.
    pub unpinned: Vec<Unpinned>,
}

impl Deployed {
    /// Reads rendered manifests.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that can't be read, or not in one way only.
    pub fn read(files: &[ManifestFile]) -> Result<Self, DocumentError> {
        let mut objects = Objects::default();
        let mut budget = tree::MAX_NODES;
        for file in files {
            objects.take(file, &mut budget)?;
        }
        let Found { images, mut inventory } = objects.found()?;
        let images: BTreeSet<_> = images
            .into_iter()
            .filter_map(|ImageReference { repository, digest }| Some((repository, digest?))) // others are unpinned
            .collect();
        inventory.images = images.len() as u64;
        Ok(Self { whole: whole(files), images, inventory })
    }
}

impl Release {
    /// Adds what is deployed; an image whose digest the release lists already stands there alone.
    ///
    /// # Errors
    /// [`NameError`] when a reference is no name that an entry can carry.
    pub fn deploy(&mut self, deployed: Deployed) -> Result<(), NameError> {
        for (repository, digest) in &deployed.images {
            self.add_image(repository, digest)?;
        }
        self.artifacts.push(deployed.whole);
        self.deployed = Some(deployed.inventory);
        Ok(())
    }

    /// Containers of its manifests whose image no digest names: it is denied for each.
    pub fn unpinned(&self) -> &[Unpinned] {
        self.deployed.as_ref().map_or(&[], |deployed| &deployed.unpinned)
    }
}

/// The value whose digest binds everything that is deployed.
#[derive(Serialize)]
struct Form<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    files: Vec<FileForm<'a>>,
}

#[derive(Serialize)]
struct FileForm<'a> {
    path: &'a str,
    digest: Digest,
}

/// The artifact `manifests`: its bytes are the canonical form of the list of files.
fn whole(files: &[ManifestFile]) -> Artifact {
    let form = |file: &'_ ManifestFile| Digest::of_bytes(&file.bytes);
    let mut list: Vec<_> =
        files.iter().map(|file| FileForm { path: &file.path, digest: form(file) }).collect();
    list.sort_by_key(|file| file.path);
    let bytes = json::canonical(&Form { kind: "https://laforge.dev/manifests/v1", files: list });
    Artifact {
        name: RESERVED_NAME.to_owned(),
        digest: Digest::of_bytes(&bytes).claim(),
        location: Location::Assembled(bytes),
    }
}

/// A file's bytes as a text with a name.
fn source(file: &ManifestFile) -> Result<Source, DocumentError> {
    match std::str::from_utf8(&file.bytes) {
        Ok(text) => Ok(Source::new(&file.shown, text)),
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("is not UTF-8: the first bad byte is at offset {at}");
            Err(Source::new(&file.shown, "").error_at_start(message))
        }
    }
}

#[cfg(test)]
mod tests;
