//! A release's evidence in one folder or one archive: what `laforge bundle` writes and `--evidence` reads.
//!
//! In: a folder with a `bundle.json`, or a `*.tar` of it. Out: [`Bundles`]: every piece of evidence as it
//! was received, and the manifests of images that their registries had, so that a release is judged
//! offline as it is online. `bundle.json` (`{"_type": "https://laforge.dev/bundle/v1", "release", "evidence",
//! "manifests"}`) lists all of it by digest: a bundle that was cut, or that holds more, is refused whole.
//! `oci/` beside it is an OCI layout of manifests and indexes, without layers.
//!
//! Nothing here is believed: evidence speaks for itself, and manifests are compared with the digests that
//! the release claims. That a bundle is all there was, is the word of whoever made it; it counts with
//! `--offline` alone, and for its own release alone. Archives are read in memory, never to disk.

mod archive;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::directory::folder::{Bytes, Entries, Folder, Kind, open_file};
use super::oci::Registries;
use crate::evidence::limits::{PIECES, TOTAL_BYTES};
use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{ImageManifests, Unfetched};

pub use archive::ArchiveError;

const TYPE: &str = "https://laforge.dev/bundle/v1";
const LIST: &str = "bundle.json";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Files of a bundle: evidence, and manifests of a thousand images with a few platforms each.
const MAX_FILES: usize = PIECES + 16_384;

/// Bytes of a bundle: all evidence, and as much again of manifests.
const MAX_BYTES: u64 = 2 * TOTAL_BYTES;

/// Why a bundle can't be used: exit 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file or folder that can't be read.
    #[error("cannot read the bundle `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An archive that is none of ours.
    #[error("`{}` is no archive that `laforge bundle` wrote", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ArchiveError,
    },
    /// A `bundle.json` that is none.
    #[error("the bundle `{}` has no list of its files that can be read", path.display())]
    List {
        /// Which.
        path: PathBuf,
    },
    /// A file that is not listed, a listed one that is not there, or one with other bytes.
    #[error("the bundle `{}` is not whole: `{file}` {problem}", path.display())]
    NotWhole {
        /// Which.
        path: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than a bundle holds.
    #[error("the bundle `{}` is larger than {MAX_BYTES} bytes or {MAX_FILES} files", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// What `bundle.json` says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "_type")]
    kind: String,
    release: Listed,
    evidence: Vec<Listed>,
    manifests: Vec<Listed>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
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
            files.insert(format!("evidence/{}{}", digest.hex(), ending(bytes)), bytes.to_vec());
            evidence.insert(Listed { digest: digest.claim() });
        }
        for (digest, bytes) in self.manifests {
            files.insert(blob(digest), bytes.clone());
        }
        files.insert("oci/oci-layout".to_owned(), LAYOUT.to_vec());
        files.insert("oci/index.json".to_owned(), self.index());
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

    fn index(&self) -> Vec<u8> {
        let descriptor = |(digest, bytes): (&ClaimedDigest, &Vec<u8>)| {
            let value = json::parse(bytes).unwrap_or_default();
            let kind = if value.get("manifests").is_some() { "index" } else { "manifest" };
            let usual = format!("application/vnd.oci.image.{kind}.v1+json");
            let media_type = value.get("mediaType").and_then(|said| said.as_str()).unwrap_or(&usual);
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        };
        let named = self.manifests.iter().filter(|(digest, _)| self.images.contains(*digest));
        let manifests: Vec<_> = named.map(descriptor).collect();
        json::canonical(&json!({"schemaVersion": 2, "manifests": manifests}))
    }
}

/// What a piece of evidence is usually called.
fn ending(bytes: &[u8]) -> &'static str {
    let value = json::parse(bytes).unwrap_or_default();
    match (value.get("verificationMaterial"), value.get("payloadType")) {
        (Some(_), _) => ".sigstore.json",
        (None, Some(_)) => ".dsse",
        (None, None) => ".json",
    }
}

fn blob(digest: &ClaimedDigest) -> String {
    format!("oci/blobs/sha256/{}", digest.hex())
}

/// The bundles among the paths of evidence.
#[derive(Debug, Default)]
pub struct Bundles {
    releases: BTreeSet<ClaimedDigest>,
    evidence: Vec<(String, Vec<u8>)>,
    manifests: BTreeMap<ClaimedDigest, Vec<u8>>,
}

impl Bundles {
    /// Reads every path that is a bundle, and gives back those that are not.
    ///
    /// # Errors
    /// [`BundleError`] for a bundle that is not whole: then none of it is used.
    pub fn among(paths: &[PathBuf]) -> Result<(Self, Vec<PathBuf>), BundleError> {
        let (mut bundles, mut others) = (Self::default(), Vec::new());
        for path in paths {
            match read(path)? {
                Some(files) => bundles.take(path, files)?,
                None => others.push(path.clone()),
            }
        }
        Ok((bundles, others))
    }

    /// The pieces of evidence, and where each lies.
    pub(super) fn evidence(&self) -> &[(String, Vec<u8>)] {
        &self.evidence
    }

    /// Whether a bundle of this release holds this manifest, and so the evidence that its registry had.
    pub(super) fn covers(&self, release: Digest, digest: &ClaimedDigest) -> bool {
        self.releases.contains(&release.claim()) && self.manifests.contains_key(digest)
    }

    /// The manifests of the bundles, and those of registries.
    pub fn images<'a>(&'a self, registries: &'a Registries<'a>) -> BundledImages<'a> {
        BundledImages { bundles: self, registries }
    }

    /// Takes a bundle of which every file is what the list says.
    fn take(&mut self, path: &Path, mut files: Files) -> Result<(), BundleError> {
        let list: Option<List> = files.remove(LIST).and_then(|bytes| json::decode(&bytes).ok());
        let list = list.filter(|list| list.kind == TYPE);
        let list = list.ok_or_else(|| BundleError::List { path: path.to_owned() })?;
        let broken = |file: &str, problem| {
            Err(BundleError::NotWhole { path: path.to_owned(), file: file.to_owned(), problem })
        };
        let evidence = list.evidence.into_iter().map(|it| (Part::Evidence, it.digest));
        let manifests = list.manifests.into_iter().map(|it| (Part::Manifest, it.digest));
        let mut wanted: BTreeSet<_> = evidence.chain(manifests).collect();
        for (file, bytes) in files {
            let digest = Digest::of_bytes(&bytes).claim();
            let part = match file.split_once('/') {
                Some(("evidence", name)) if name.starts_with(&digest.hex()) => Part::Evidence,
                Some(_) if file == blob(&digest) => Part::Manifest,
                Some(("oci", "index.json" | "oci-layout")) => continue,
                _ => return broken(&file, "is not what its name says"),
            };
            if !wanted.remove(&(part, digest.clone())) {
                return broken(&file, "is not listed");
            }
            match part {
                Part::Evidence => self.evidence.push((path.join(&file).display().to_string(), bytes)),
                Part::Manifest => drop(self.manifests.insert(digest, bytes)),
            }
        }
        if let Some((_, digest)) = wanted.first() {
            return broken(&digest.to_string(), "is listed and not there");
        }
        self.releases.insert(list.release.digest);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Evidence,
    Manifest,
}

/// The files of a bundle; `None` for a path that is none.
fn read(path: &Path) -> Result<Option<Files>, BundleError> {
    let unreadable = |source| BundleError::Unreadable { path: path.to_owned(), source };
    if path.is_dir() {
        let folder = Folder::open(path).map_err(unreadable)?;
        let is_bundle = match folder.entries(MAX_FILES).map_err(unreadable)? {
            Entries::All(entries) => entries.iter().any(|(name, kind)| name == LIST && *kind == Kind::File),
            Entries::TooMany => false,
        };
        return if is_bundle { unpacked(path, &folder).map(Some) } else { Ok(None) };
    }
    if path.extension() != Some(OsStr::new("tar")) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = open_file(path).map_err(unreadable)?;
    // Headers and padding take at most as much again as small files do.
    file.take(2 * MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    let files =
        archive::read(&bytes).map_err(|source| BundleError::Archive { path: path.to_owned(), source })?;
    match files.len() > MAX_FILES || bytes.len() as u64 >= 2 * MAX_BYTES {
        true => Err(BundleError::TooLarge { path: path.to_owned() }),
        false => Ok(Some(files)),
    }
}

fn unpacked(path: &Path, folder: &Folder) -> Result<Files, BundleError> {
    let mut walk = Walk { root: path, files: Files::new(), bytes: 0 };
    walk.folder(folder, "", 0)?;
    Ok(walk.files)
}

/// Folders within a bundle's: `oci/blobs/sha256`.
const DEPTH: usize = 3;

struct Walk<'a> {
    root: &'a Path,
    files: Files,
    bytes: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder, prefix: &str, depth: usize) -> Result<(), BundleError> {
        let too_large = || BundleError::TooLarge { path: self.root.to_owned() };
        let unreadable = |source| BundleError::Unreadable { path: folder.path(OsStr::new("")), source };
        let room = MAX_FILES.saturating_sub(self.files.len());
        let Entries::All(entries) = folder.entries(room).map_err(unreadable)? else {
            return Err(too_large());
        };
        for (name, kind) in entries {
            let file = format!("{prefix}{}", name.to_string_lossy());
            match kind {
                Kind::Folder if depth < DEPTH => {
                    let inner = folder.folder(&name).map_err(unreadable)?;
                    self.folder(&inner, &format!("{file}/"), depth + 1)?;
                }
                Kind::File => match folder.read(&name, MAX_BYTES - self.bytes).map_err(unreadable)? {
                    Bytes::All(bytes) => {
                        self.bytes += bytes.len() as u64;
                        self.files.insert(file, bytes);
                    }
                    Bytes::TooMany => return Err(BundleError::TooLarge { path: self.root.to_owned() }),
                },
                _ => {
                    let (path, problem) = (self.root.to_owned(), "is no file");
                    return Err(BundleError::NotWhole { path, file, problem });
                }
            }
        }
        Ok(())
    }
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
