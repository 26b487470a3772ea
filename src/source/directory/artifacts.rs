//! The files that a release names.
//!
//! In: paths, links followed, because their bytes are hashed and compared wherever they lie.
//! Out: readers. Pipes and devices are refused: they can't be read twice to the same end.

use std::io::{self, Read};
use std::path::Path;

use crate::evidence::BytesOf;
use crate::release::digest::{Algorithms, ArtifactDigest};
use crate::release::reading::{MOST_BYTES, too_large};
use crate::release::resolved::ArtifactFiles;
use crate::source::folder;

/// Files on disk.
pub struct Files<'a> {
    algorithms: Algorithms,
    wanted: Vec<BytesOf>,
    progress: Box<Progress<'a>>,
}

/// Hears the name of an artifact and how many more of its bytes were read.
type Progress<'a> = dyn Fn(&str, u64) + Sync + 'a;

impl<'a> Files<'a> {
    /// Files whose digests are computed by these algorithms.
    pub fn new(algorithms: Algorithms) -> Self {
        Self { algorithms, wanted: Vec::new(), progress: Box::new(|_, _| {}) }
    }

    /// Gives the bytes of these as well as their digests.
    pub fn with_bytes(self, wanted: Vec<BytesOf>) -> Self {
        Self { wanted, ..self }
    }

    /// Tells of every piece that was read: the artifact's name and how many bytes more.
    pub fn with_progress(self, progress: impl Fn(&str, u64) + Sync + 'a) -> Self {
        Self { progress: Box::new(progress), ..self }
    }
}

impl ArtifactFiles for Files<'_> {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let file = folder::open_file(path)?;
        match file.metadata()?.len() > MOST_BYTES {
            true => Err(too_large()), // before hours of reading
            false => Ok(Box::new(file)),
        }
    }

    fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    fn wants_bytes(&self, name: &str, read: &ArtifactDigest) -> bool {
        self.wanted.iter().any(|wanted| wanted.means(name, read))
    }

    fn progress(&self, name: &str, bytes: u64) {
        (self.progress)(name, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn reads_files_and_refuses_everything_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abc").unwrap();
        let files = Files::new(Algorithms::Sha256);
        let read = ArtifactDigest::of_reader(files.open(&path).unwrap(), files.algorithms()).unwrap();
        assert_eq!(read, ArtifactDigest::of(b"abc", Algorithms::Sha256));
        assert!(files.open(folder.path()).is_err());
        assert_eq!(files.open(Path::new("/nonexistent")).err().unwrap().kind(), io::ErrorKind::NotFound);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(files.open(&folder.path().join("pipe")).is_err());
    }

    #[test]
    fn tells_how_far_it_is() {
        let total = AtomicU64::new(0);
        let files = Files::new(Algorithms::Sha256).with_progress(|_, bytes| {
            total.fetch_add(bytes, Ordering::Relaxed);
        });
        files.progress("a", 3);
        files.progress("b", 4);
        assert_eq!(total.load(Ordering::Relaxed), 7);
    }
}
