//! A release's evidence in one folder or one archive: what `laforge bundle` writes and `--evidence` reads.
//!
//! In: a folder with a `bundle.json`, or a `*.tar` of it. Out: [`Bundles`]: every piece of evidence as it
//! was received, and the manifests of images that their registries had, so that a release is judged
//! offline as it is online. `bundle.json` (`{"_type": "https://laforge.dev/bundle/v1", "release", "evidence",
//! "manifests"}`) lists all of it by digest: one that was cut, or that holds more, is no bundle. That is on
//! record among what was set aside, and no end of the run: whoever may bring evidence, be it as a folder or as
//! an archive, must not be able to silence the gate. What lies in such a folder counts as evidence anywhere does.
//! `oci/` beside it is an OCI layout of manifests and indexes, without layers: one that leads to evidence would be
//! read as evidence anywhere else, and a list beside it must not hide that, so that it makes no bundle either.
//!
//! Nothing here is believed: evidence speaks for itself, and manifests are compared with the digests that
//! the release claims. That a bundle is all there was, is the word of whoever made it; it counts with
//! `--offline` alone, and for its own release alone. Archives are read in memory, never to disk.

mod archive;
mod contents;
mod unpacked;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::{Bytes, Folder, open_file, read_bounded};
use super::oci::Registries;
use crate::evidence::limits::{PIECES, TOTAL_BYTES, quoted};
use crate::evidence::{Unreadable, UnreadableFile};
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{ImageManifests, Unfetched};

use archive::ArchiveError;
use contents::Contents;
use unpacked::unpacked;

const TYPE: &str = "https://laforge.dev/bundle/v1";
const LIST: &str = "bundle.json";
const INDEX: &str = "oci/index.json";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Files of a bundle: evidence, and manifests of a thousand images with a few platforms each.
const MAX_FILES: usize = PIECES + 16_384;

/// Bytes of a bundle: all evidence, and as much again of manifests.
const MAX_BYTES: u64 = 2 * TOTAL_BYTES;

/// Bytes of `bundle.json`: a digest for each file, and what stands around it.
const MAX_LIST: u64 = MAX_FILES as u64 * 128;

/// Why what says that it is a release bundle is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum ReleaseBundleError {
    /// A file or folder of it that can't be read.
    #[error("is a release bundle of which `{}` can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An archive that is none of ours.
    #[error("is no archive that `laforge bundle` wrote")]
    Archive(#[source] ArchiveError),
    /// A `bundle.json` that is none.
    #[error("is a release bundle without a list of its files that can be read")]
    List,
    /// A file that is not listed, a listed one that is not there, or one with other bytes.
    #[error("is a release bundle that is not whole: `{file}` {problem}")]
    NotWhole {
        /// The file in it.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than a bundle holds.
    #[error("is a release bundle larger than {MAX_BYTES} bytes or {MAX_FILES} files")]
    TooLarge,
}

/// What `bundle.json` says.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "_type")]
    #[schemars(extend("const" = TYPE))]
    kind: String,
    /// The release digest of what it was made for.
    release: Listed,
    /// Every piece of evidence, below `evidence/`.
    evidence: Vec<Listed>,
    /// Every manifest and index of its images that came from a registry, below `oci/blobs/sha256/`.
    manifests: Vec<Listed>,
}

/// The JSON Schema of `bundle.json`.
pub fn schema() -> schemars::Schema {
    let mut schema = schemars::schema_for!(List);
    schema.insert("$id".to_owned(), TYPE.into());
    schema.insert("title".to_owned(), "A release bundle's list of its files".into());
    schema
}

impl List {
    /// Every file that there has to be.
    fn wanted(&self) -> BTreeSet<(Part, ClaimedDigest)> {
        let evidence = self.evidence.iter().map(|listed| (Part::Evidence, listed.digest.clone()));
        let manifests = self.manifests.iter().map(|listed| (Part::Manifest, listed.digest.clone()));
        evidence.chain(manifests).collect()
    }
}

#[derive(Serialize, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct Listed {
    digest: ClaimedDigest,
}

/// The files of a bundle, by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// Everything that was collected of one release.
pub struct Collected<'a> {
    /// Its release digest.
    pub release: Digest,
    /// Evidence, each piece as it was received.
    pub evidence: Vec<&'a [u8]>,
    /// Manifests and indexes that came from registries.
    pub manifests: &'a BTreeMap<ClaimedDigest, Vec<u8>>,
    /// Those of them that the release names.
    pub images: BTreeSet<ClaimedDigest>,
}

impl Collected<'_> {
    /// The bundle's files: the same for the same release and evidence.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = Files::new();
        let mut evidence = BTreeSet::new();
        for bytes in &self.evidence {
            let digest = Digest::of_bytes(bytes);
            files.insert(format!("evidence/{}", name(digest, bytes)), bytes.to_vec());
            evidence.insert(Listed { digest: digest.claim() });
        }
        for (digest, bytes) in self.manifests {
            files.insert(blob(digest), bytes.clone());
        }
        files.insert("oci/oci-layout".to_owned(), LAYOUT.to_vec());
        files.insert(INDEX.to_owned(), index(self.manifests, &self.images));
        let listed = |digest: &ClaimedDigest| Listed { digest: digest.clone() };
        let list = List {
            kind: TYPE.to_owned(),
            release: Listed { digest: self.release.claim() },
            evidence: evidence.into_iter().collect(),
            manifests: self.manifests.keys().map(listed).collect(),
        };
        files.insert(LIST.to_owned(), json::canonical(&list));
        files
    }

    /// The same as one archive.
    pub fn archive(&self) -> Vec<u8> {
        archive::write(&self.files())
    }
}

/// The layout's list of the images among these manifests.
fn index(manifests: &BTreeMap<ClaimedDigest, Vec<u8>>, images: &BTreeSet<ClaimedDigest>) -> Vec<u8> {
    let descriptor = |(digest, bytes): (&ClaimedDigest, &Vec<u8>)| {
        let value = json::parse(bytes).unwrap_or_default();
        let kind = if value.get("manifests").is_some() { "index" } else { "manifest" };
        let usual = format!("application/vnd.oci.image.{kind}.v1+json");
        let media_type = value.get("mediaType").and_then(|said| said.as_str()).unwrap_or(&usual);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let named = manifests.iter().filter(|(digest, _)| images.contains(*digest));
    let manifests: Vec<_> = named.map(descriptor).collect();
    json::canonical(&json!({"schemaVersion": 2, "manifests": manifests}))
}

/// The name of a piece of evidence, with the ending that it usually has.
fn name(digest: Digest, bytes: &[u8]) -> String {
    let value = json::parse(bytes).unwrap_or_default();
    let ending = match (value.get("verificationMaterial"), value.get("payloadType")) {
        (Some(_), _) => ".sigstore.json",
        (None, Some(_)) => ".dsse",
        (None, None) => ".json",
    };
    format!("{}{ending}", digest.hex())
}

fn blob(digest: &ClaimedDigest) -> String {
    format!("oci/blobs/sha256/{}", digest.hex())
}

/// The bundles among the paths of evidence.
#[derive(Debug, Default)]
pub struct Bundles {
    evidence: Vec<(String, Vec<u8>)>,
    /// Manifests of all of them: bytes speak for themselves.
    manifests: BTreeMap<ClaimedDigest, Vec<u8>>,
    /// By release, the manifests of its own bundles: what these stand for.
    covered: BTreeMap<ClaimedDigest, BTreeSet<ClaimedDigest>>,
    broken: Vec<UnreadableFile>,
}

impl Bundles {
    /// Reads every path that is a bundle, and gives back those that are to be read as evidence always is.
    pub fn among(paths: &[PathBuf]) -> (Self, Vec<PathBuf>) {
        let (mut bundles, mut others) = (Self::default(), Vec::new());
        for path in paths {
            let is_folder = path.is_dir();
            let said = if is_folder { said_in_folder(path) } else { said_in_archive(path) };
            let Some(said) = said else {
                others.push(path.clone());
                continue;
            };
            match said.files.and_then(|files| Contents::of(path, files)) {
                Ok(contents) => bundles.add(contents),
                Err(error) => {
                    bundles.broken.push(UnreadableFile { problem: problem(&error), ..said.by });
                    // A list must not hide what lies beside it.
                    others.extend(is_folder.then(|| path.clone()));
                }
            }
        }
        (bundles, others)
    }

    /// What says that it is a bundle and is none: nothing of it is used as one.
    pub fn broken(&self) -> &[UnreadableFile] {
        &self.broken
    }

    /// The releases that they are of, sorted.
    pub fn releases(&self) -> impl Iterator<Item = &ClaimedDigest> {
        self.covered.keys()
    }

    /// The pieces of evidence, and where each lies.
    pub(super) fn evidence(&self) -> &[(String, Vec<u8>)] {
        &self.evidence
    }

    /// Whether a bundle of this release holds this manifest, and so the evidence that its registry had.
    pub(super) fn covers(&self, release: Digest, digest: &ClaimedDigest) -> bool {
        self.covered.get(&release.claim()).is_some_and(|manifests| manifests.contains(digest))
    }

    /// The manifests of the bundles, and those of registries.
    pub fn images<'a>(&'a self, registries: &'a Registries<'a>) -> BundledImages<'a> {
        BundledImages { bundles: self, registries }
    }

    fn add(&mut self, contents: Contents) {
        self.covered.entry(contents.release).or_default().extend(contents.manifests.keys().cloned());
        self.evidence.extend(contents.evidence);
        self.manifests.extend(contents.manifests);
    }
}

fn problem(error: &ReleaseBundleError) -> Unreadable {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Unreadable { problem: quoted(&format!("{error}{cause}")) }
}

fn not_whole(file: String, problem: &'static str) -> ReleaseBundleError {
    ReleaseBundleError::NotWhole { file, problem }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Evidence,
    Manifest,
}

/// What says that it is a bundle.
struct Said {
    /// The document that says so.
    by: UnreadableFile,
    files: Result<Files, ReleaseBundleError>,
}

impl Said {
    fn by(path: &Path, bytes: &[u8], files: Result<Files, ReleaseBundleError>) -> Self {
        let by = UnreadableFile {
            source: path.display().to_string(),
            digest: Digest::of_bytes(bytes),
            size: bytes.len() as u64,
            problem: Unreadable { problem: String::new() },
        };
        Self { by, files }
    }
}

/// A folder is one if its list says so; whatever else is called `bundle.json` is a file like any.
fn said_in_folder(path: &Path) -> Option<Said> {
    let folder = Folder::open(path).ok()?;
    let Bytes::All(list) = folder.read(OsStr::new(LIST), MAX_LIST).ok()? else { return None };
    let value = json::parse(&list).ok()?;
    let says_so = value.get("_type").and_then(Value::as_str) == Some(TYPE);
    says_so.then(|| Said::by(&path.join(LIST), &list, unpacked(&folder)))
}

/// An archive is one if it is called so: no other archive is evidence.
fn said_in_archive(path: &Path) -> Option<Said> {
    if path.extension() != Some(OsStr::new("tar")) {
        return None;
    }
    let file = open_file(path).ok()?;
    // Headers and padding take at most as much again as small files do.
    let Bytes::All(bytes) = read_bounded(file, 2 * MAX_BYTES).ok()? else { return None };
    Some(Said::by(path, &bytes, archive::read(&bytes).map_err(ReleaseBundleError::Archive)))
}

/// Manifests of bundles first, then of registries.
pub struct BundledImages<'a> {
    bundles: &'a Bundles,
    registries: &'a Registries<'a>,
}

impl ImageManifests for BundledImages<'_> {
    fn manifest(&self, repository: &str, digest: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
        match self.bundles.manifests.get(digest) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.registries.manifest(repository, digest),
        }
    }
}

#[cfg(test)]
mod tests;
