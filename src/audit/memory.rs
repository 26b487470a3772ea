//! The heads that were seen on this machine: what makes a rolled-back log noticeable.
//!
//! In: a folder that is not part of any log, an origin, a place. Out: [`Marks`], held against the
//! log while it is read: a head of this place that the log no longer holds is damage, a head of
//! another place that differs is a fork. One file per origin, `<sha256 of origin>.json`; heads are
//! only ever replaced by larger ones of their place. `audit-log.md` 1.8.
#![expect(clippy::disallowed_methods, reason = "the audit store is where the log is kept")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::release::digest::Digest;

use super::error::{AuditError, Damage, Problem, io as failed};
use super::lock;
use super::store::Folder;
use super::tree::{Frontier, Hash, Head};

const FORMAT: &str = "laforge-seen/1";

/// How long another process may hold what is remembered. This one may hold the log's own lock meanwhile, so
/// that no stopped process may stop the writers with it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A head that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Seen {
    log_id: Hash,
    place: String,
    size: u64,
    root: Hash,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenFile {
    format: String,
    origin: String,
    heads: Vec<Seen>,
}

/// What is remembered of one origin, as seen from one place.
#[derive(Debug)]
pub(super) struct Memory {
    folder: Option<PathBuf>,
    origin: String,
    place: String,
}

impl Memory {
    /// The memory in `folder` (none remembers nothing) for the log at `path`.
    pub(super) fn new(folder: Option<&Path>, origin: &str, path: &Path) -> Self {
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Self {
            folder: folder.map(Path::to_owned),
            origin: origin.to_owned(),
            place: place.to_string_lossy().into_owned(),
        }
    }

    fn file_name(&self) -> String {
        format!("{}.json", Digest::of_bytes(self.origin.as_bytes()).hex())
    }

    fn read(&self) -> Result<Vec<Seen>, AuditError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let path = folder.join(self.file_name());
        let mut bytes = Vec::new();
        let read =
            opened(File::options().read(true), &path).and_then(|mut file| file.read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", path)(error)),
        }
        let malformed = || failed("read", &path)(io::ErrorKind::InvalidData.into());
        let file: SeenFile = json::decode(&bytes).map_err(|_| malformed())?;
        if file.format != FORMAT || file.origin != self.origin {
            return Err(malformed());
        }
        Ok(file.heads)
    }

    /// Whether any head of this origin was seen, wherever.
    pub(super) fn knows(&self) -> Result<bool, AuditError> {
        Ok(!self.read()?.is_empty())
    }

    /// What the log must still hold. Read before the log is, so that no newer head is demanded.
    pub(super) fn marks(&self, log_id: Hash) -> Result<Marks, AuditError> {
        let mut marks = Marks { heads: BTreeMap::new(), largest: 0, forks: Vec::new() };
        for seen in self.read()? {
            let here = seen.place == self.place;
            if here && seen.log_id != log_id {
                return Err(Damage::file("log.json", Problem::Forgotten { size: seen.size }));
            }
            if here {
                marks.largest = marks.largest.max(seen.size);
            }
            if seen.log_id == log_id {
                let elsewhere = (!here).then_some(seen.place);
                marks.heads.entry(seen.size).or_default().push(Mark { root: seen.root, elsewhere });
            }
        }
        Ok(marks)
    }

    /// Remembers a head of this place.
    pub(super) fn remember(&self, log_id: Hash, head: Head) -> Result<(), AuditError> {
        self.update(|heads| {
            let same = |seen: &&mut Seen| seen.place == self.place && seen.log_id == log_id;
            match heads.iter_mut().find(same) {
                Some(seen) if seen.size < head.size => (seen.size, seen.root) = (head.size, head.root),
                Some(_) => {}
                None => {
                    let place = self.place.clone();
                    heads.push(Seen { log_id, place, size: head.size, root: head.root });
                }
            }
        })
    }

    /// Forgets this place: a log was made here.
    pub(super) fn forget(&self) -> Result<(), AuditError> {
        self.update(|heads| heads.retain(|seen| seen.place != self.place))
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Seen>)) -> Result<(), AuditError> {
        let Some(path) = &self.folder else { return Ok(()) };
        fs::create_dir_all(path).map_err(failed("create", path))?;
        let lock_path = path.join("lock");
        let lock = opened(File::options().create(true).append(true), &lock_path);
        let lock = lock.map_err(failed("open", &lock_path))?;
        lock::wait(&lock, &lock_path, PATIENCE)?;
        let mut heads = self.read()?;
        let before = heads.clone();
        change(&mut heads);
        if heads == before {
            return Ok(());
        }
        heads.sort_by(|a, b| (&a.place, a.log_id).cmp(&(&b.place, b.log_id)));
        let file = SeenFile { format: FORMAT.to_owned(), origin: self.origin.clone(), heads };
        let mut bytes = json::canonical(&file);
        bytes.push(b'\n');
        Folder::open(path)?.put(&self.file_name(), &bytes)
    }
}

/// Opens a file. A variable of the environment names the folder: what is put there in a file's place, a pipe or a
/// device, makes nobody wait.
fn opened(how: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = how.custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
    }
}

/// Heads that a log is held against.
#[derive(Debug, Default)]
pub(super) struct Marks {
    heads: BTreeMap<u64, Vec<Mark>>,
    largest: u64,
    forks: Vec<Fork>,
}

#[derive(Debug)]
struct Mark {
    root: Hash,
    elsewhere: Option<String>,
}

/// Another place's head that this log does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Where it was seen.
    pub place: String,
    /// Its size.
    pub size: u64,
}

impl Marks {
    /// The sizes of those that are not passed yet.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.heads.keys().copied()
    }

    /// Holds the heads of this size against the log's.
    pub(super) fn pass(&mut self, frontier: &Frontier) -> Result<(), AuditError> {
        let size = frontier.size();
        for mark in self.heads.remove(&size).unwrap_or_default() {
            if mark.root == frontier.root() {
                continue;
            }
            match mark.elsewhere {
                None => return Err(Damage::file("entries/", Problem::Forgotten { size })),
                Some(place) => self.forks.push(Fork { place, size }),
            }
        }
        Ok(())
    }

    /// That no larger head was seen here.
    pub(super) fn finish(&self, size: u64) -> Result<(), AuditError> {
        if self.largest <= size {
            return Ok(());
        }
        Err(Damage::file("entries/", Problem::Forgotten { size: self.largest }))
    }

    /// Forks that were noticed.
    pub(super) fn forks(self) -> Vec<Fork> {
        self.forks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_memory_stops_no_writer_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Some(folder.path()), "origin", folder.path());
        let head = Head { size: 1, root: Hash::from_bytes([1; 32]) };
        let held = File::create(folder.path().join("lock")).unwrap();
        held.lock().unwrap();
        let error = memory.remember(Hash::from_bytes([0; 32]), head).unwrap_err();
        assert!(matches!(error, AuditError::Locked { seconds: 2, .. }), "{error:?}");
        assert!(!memory.knows().unwrap());
        held.unlock().unwrap();
        memory.remember(Hash::from_bytes([0; 32]), head).unwrap();
        assert!(memory.knows().unwrap());
    }

    #[test]
    fn what_stands_in_a_files_place_makes_nobody_wait() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(Some(folder.path()), "origin", folder.path());
        let (id, head) = (Hash::from_bytes([0; 32]), Head { size: 1, root: Hash::from_bytes([1; 32]) });
        for name in ["lock".to_owned(), memory.file_name()] {
            let path = folder.path().join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            let error = memory.remember(id, head).unwrap_err();
            assert!(matches!(error, AuditError::Io { .. }), "{error:?}");
            fs::remove_file(&path).unwrap();
        }
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(memory.file_name())).unwrap();
        assert!(matches!(memory.knows().unwrap_err(), AuditError::Io { .. }));
        fs::remove_file(folder.path().join(memory.file_name())).unwrap();
        memory.remember(id, head).unwrap();
    }
}
