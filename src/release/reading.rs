//! Reading what a release names: each artifact where it is, hashed, and held against its claim.
//!
//! In: artifacts, and where bytes come from. Out: a [`Reading`] of each, in their order; what it comes
//! to is decided by [`Release::resolve`](super::Release::resolve), the one maker of resolved releases.

use std::io::{self, Read};
use std::path::Path;

use super::digest::{ArtifactDigest, Digest};
use super::image::{self, Store};
use super::resolved::{ArtifactFiles, Content, Differing, Image, ImageManifests, Kept, ResolveError, Unread};
use super::{Artifact, Location};
use crate::workers;

/// Where bytes come from.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) files: &'a dyn ArtifactFiles,
    pub(super) images: &'a dyn ImageManifests,
}

/// One artifact read, and where it is not what the release says.
pub(super) struct Reading {
    pub(super) content: Content,
    pub(super) image: Option<Image>,
    pub(super) differing: Vec<Differing>,
    pub(super) unread: Vec<Unread>,
}

/// Bytes of one artifact: twice the largest models and images, and hashed in some minutes. A sparse file
/// of any size costs whoever makes it nothing, and the gate the time to read it.
pub const MOST_BYTES: u64 = 256 << 30;

/// What an artifact of more than [`MOST_BYTES`] is refused with.
pub fn too_large() -> io::Error {
    let most = MOST_BYTES >> 30;
    let problem = format!("it has more than {most} GiB, the most that is hashed: deliver it in parts");
    io::Error::new(io::ErrorKind::FileTooLarge, problem)
}

/// More readers than this only make a registry wait.
const MAX_READERS: usize = 8;

/// Reads all, several at a time; results and the error reported come in list order.
pub(super) fn read_all(artifacts: &[Artifact], world: World<'_>) -> Result<Vec<Reading>, ResolveError> {
    workers::on_each(artifacts, readers(artifacts), |artifact| read(artifact, world)).into_iter().collect()
}

/// One reader for each core; where a registry is asked they wait more than they work.
fn readers(artifacts: &[Artifact]) -> usize {
    let asks = |artifact: &Artifact| matches!(artifact.location, Location::Registry { .. });
    if artifacts.iter().any(asks) { MAX_READERS } else { workers::available() }
}

fn read(artifact: &Artifact, world: World<'_>) -> Result<Reading, ResolveError> {
    match &artifact.location {
        Location::DigestOnly => Ok(alone(artifact, Content::NamedOnly(artifact.digest.clone()))),
        Location::Assembled(bytes) => {
            let digest = ArtifactDigest::of(bytes, world.files.algorithms());
            Ok(alone(artifact, Content::Read(digest)))
        }
        Location::File(path) => {
            Ok(alone(artifact, Content::Read(hash_file(&artifact.name, path, world.files)?)))
        }
        Location::Layout { folder, repository } => {
            let store = Store::Layout { folder, files: world.files };
            image(artifact, repository, Kept::Layout, store)
        }
        Location::Registry { repository } => {
            let store = Store::Registry { repository, images: world.images };
            image(artifact, repository, Kept::Registry, store)
        }
    }
}

/// An artifact that is one piece.
fn alone(artifact: &Artifact, content: Content) -> Reading {
    let differing = differing(artifact, &content).into_iter().collect();
    Reading { content, image: None, differing, unread: Vec::new() }
}

fn image(
    artifact: &Artifact,
    repository: &str,
    kept: Kept,
    store: Store<'_>,
) -> Result<Reading, ResolveError> {
    let read = image::read(&artifact.name, &artifact.digest, store)?;
    // What was not had is in `unread`, and then nothing is resolved.
    let named = || Content::NamedOnly(artifact.digest.clone());
    let content = read.digest.map_or_else(named, Content::Read);
    let mut differs = read.differing;
    differs.extend(differing(artifact, &content));
    let image =
        Image { repository: repository.to_owned(), kept, unsigned: read.unsigned, leaves: read.leaves };
    Ok(Reading { content, image: Some(image), differing: differs, unread: read.unread })
}

/// That what was read is not what is claimed, if it is not.
fn differing(artifact: &Artifact, content: &Content) -> Option<Differing> {
    let Content::Read(read) = content else { return None };
    let (name, claimed) = (artifact.name.clone(), artifact.digest.clone());
    (read.digest() != claimed).then(|| Differing { name, claimed, computed: read.digest() })
}

/// The digest of a file's bytes, in constant memory and within [`MOST_BYTES`].
pub(super) fn hash_file(
    name: &str,
    path: &Path,
    files: &dyn ArtifactFiles,
) -> Result<ArtifactDigest, ResolveError> {
    let counted = |file| Counted { file, name, files, left: MOST_BYTES };
    files
        .open(path)
        .and_then(|file| ArtifactDigest::of_reader(counted(file), files.algorithms()))
        .map_err(|source| ResolveError::Unreadable { name: name.to_owned(), path: path.to_owned(), source })
}

/// Bytes of artifacts that are held in memory at once, for signatures that are over nothing less.
pub const MOST_HELD: u64 = 256 << 20;

/// How much of [`MOST_HELD`] is taken. One artifact after the other, so that which of them are held
/// does not depend on who reads faster.
pub(super) struct Held(u64);

impl Held {
    pub(super) fn none() -> Self {
        Self(0)
    }

    /// The bytes of an artifact that was hashed, if it is a file that there is room for. It is read again,
    /// and must be what it was.
    pub(super) fn hold(
        &mut self,
        artifact: &Artifact,
        read: &ArtifactDigest,
        files: &dyn ArtifactFiles,
    ) -> Result<Option<Vec<u8>>, ResolveError> {
        if self.0.saturating_add(read.size()) > MOST_HELD {
            return Ok(None);
        }
        let bytes = match &artifact.location {
            Location::Assembled(bytes) => bytes.clone(),
            Location::File(path) => read_again(path, read, files).map_err(|source| {
                ResolveError::Unreadable { name: artifact.name.clone(), path: path.clone(), source }
            })?,
            Location::DigestOnly | Location::Layout { .. } | Location::Registry { .. } => return Ok(None),
        };
        self.0 = self.0.saturating_add(read.size());
        Ok(Some(bytes))
    }
}

fn read_again(path: &Path, read: &ArtifactDigest, files: &dyn ArtifactFiles) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files.open(path)?.take(read.size().saturating_add(1)).read_to_end(&mut bytes)?;
    match Digest::of_bytes(&bytes) == read.digest() {
        true => Ok(bytes),
        false => Err(io::Error::other("it changed while it was read")),
    }
}

/// A file that says how much of it was read, and has an end.
struct Counted<'a> {
    file: Box<dyn Read + Send>,
    name: &'a str,
    files: &'a dyn ArtifactFiles,
    left: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_large)?;
        self.files.progress(self.name, read as u64);
        Ok(read)
    }
}
