//! Folders that are read without ever following a link: each step is opened relative to the one before.
//!
//! In: a path that somebody named, which may itself be a link. Out: sorted entries, and files and
//! folders below. What is swapped for a link, a pipe or a device between listing and opening is
//! refused by the system (`openat(2)`, `O_NOFOLLOW`), not read.

pub(super) mod walk;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// An open folder and what the user would call it.
pub(super) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// A pipe, a socket or a device.
    Special,
}

/// The entries of a folder, or that there are more than were asked for.
enum Entries {
    /// All of them, sorted by the bytes of their names.
    All(Vec<(OsString, Kind)>),
    /// More than the limit.
    TooMany,
}

/// The bytes of a file, or that there are more than were asked for.
pub(super) enum Bytes {
    /// All of them.
    All(Vec<u8>),
    /// More than the limit.
    TooMany,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle =
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { handle, path: path.to_owned() })
    }

    /// The path of a name in it, as the user would write it.
    pub(super) fn path(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn entries(&self, limit: usize) -> io::Result<Entries> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() == limit {
                return Ok(Entries::TooMany);
            }
            entries.push((name.to_owned(), self.kind(name, entry.file_type())?));
        }
        entries.sort_by(|(a, _): &(OsString, Kind), (b, _)| a.cmp(b));
        Ok(Entries::All(entries))
    }

    /// Some file systems list names without their type.
    fn kind(&self, name: &OsStr, listed: FileType) -> io::Result<Kind> {
        let file_type = match listed {
            FileType::Unknown => {
                let status = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(status.st_mode)
            }
            known => known,
        };
        Ok(match file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        })
    }

    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let handle = self.open_at(name, OFlags::DIRECTORY)?;
        Ok(Self { handle, path: self.path(name) })
    }

    pub(super) fn read(&self, name: &OsStr, limit: u64) -> io::Result<Bytes> {
        // Without NONBLOCK, a pipe put in a file's place would wait for a writer for ever.
        read_bounded(File::from(self.open_at(name, OFlags::NONBLOCK)?), limit)
    }

    fn open_at(&self, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.handle, name, flags, Mode::empty())?)
    }
}

/// Opens a file that the user named, links followed; anything but a file is refused.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    regular(&file)?;
    Ok(file)
}

/// Reads a regular file, and no more than one byte past the limit.
pub(super) fn read_bounded(file: File, limit: u64) -> io::Result<Bytes> {
    regular(&file)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > limit { Bytes::TooMany } else { Bytes::All(bytes) })
}

fn regular(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(match kind.is_dir() {
        true => io::ErrorKind::IsADirectory.into(),
        false => {
            io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, a socket or a device, and no file")
        }
    })
}
