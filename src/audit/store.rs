//! Durable files: what is written is on the disk, in the order in which it was written.
//!
//! In: names inside one folder that stays open. Out: files that are exactly what they were
//! checked to be: regular, with one name, reached without following a link. Every step that
//! changes the disk goes through [`probe`], so that tests can stop after any of them.
//! Protocol: `audit-log.md` 1.6; the order of temp file, fsync, rename and fsync of the folder is
//! that of <https://www.sqlite.org/atomiccommit.html>.
//! Not promised: anything on a file system that lies about fsync; preflight names known ones.

mod file;
pub(super) mod probe;
pub(super) mod together;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self as sys, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::random;

use super::error::{AuditError, Damage, Problem, io as failed};
use probe::Step;
use together::Piece;

pub(super) use file::LogFile;

/// Who may read what is made in a folder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// Its owner and its group: a log.
    Group,
    /// Its owner alone: a journal, which holds what people wrote.
    Owner,
}

impl Access {
    fn folder_mode(self) -> Mode {
        Mode::from_bits_truncate(match self {
            Self::Group => 0o750,
            Self::Owner => 0o700,
        })
    }

    fn file_mode(self) -> Mode {
        Mode::from_bits_truncate(match self {
            Self::Group => 0o640,
            Self::Owner => 0o600,
        })
    }
}

/// How often a file may be replaced while it is opened, before that is suspicious.
const REPLACEMENTS: u32 = 100;

/// A folder of the log, held open.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    /// The folder's name relative to the log, with a slash at its end, or empty.
    shown: String,
    access: Access,
}

impl Folder {
    /// Opens the log's own folder.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        Self::open_for(path, Access::Group)
    }

    /// Opens a folder in which everything is made for these readers.
    pub(super) fn open_for(path: &Path, access: Access) -> Result<Self, AuditError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match sys::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_owned(), shown: String::new(), access }),
            Err(Errno::NOENT) => Err(AuditError::Missing(path.to_owned())),
            Err(error) => Err(failed("open", path)(error.into())),
        }
    }

    /// Opens a folder inside it, without following a link.
    pub(super) fn sub(&self, name: &str) -> Result<Self, AuditError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match sys::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => {
                let (path, shown) = (self.path.join(name), format!("{}{name}/", self.shown));
                Ok(Self { fd, path, shown, access: self.access })
            }
            Err(Errno::NOENT) => Err(Damage::file(self.show(name), Problem::Missing)),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(Damage::file(self.show(name), Problem::NotPlain)),
            Err(error) => Err(self.failed("open", name)(error)),
        }
    }

    /// As [`Folder::sub`]; none when there is nothing of this name.
    pub(super) fn sub_if_any(&self, name: &str) -> Result<Option<Self>, AuditError> {
        if self.has(name)? { self.sub(name).map(Some) } else { Ok(None) }
    }

    /// As [`Folder::sub`], made (and its own folder synced) where it is missing.
    pub(super) fn sub_or_new(&self, name: &str) -> Result<Self, AuditError> {
        self.make(name)?;
        self.sync()?;
        self.sub(name)
    }

    /// Makes a folder inside it, unless it is there; it is durable once this one is synced.
    pub(super) fn make(&self, name: &str) -> Result<(), AuditError> {
        probe::step(|| Step::MakeFolder(self.path.join(name)))
            .map_err(failed("create", self.path.join(name)))?;
        match sys::mkdirat(&self.fd, name, self.access.folder_mode()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(self.failed("create", name)(error)),
        }
    }

    /// The same folder, opened once more and locked until that is dropped; none while somebody else has it.
    pub(super) fn lock(&self) -> Result<Option<Self>, AuditError> {
        let again = self.sub(".")?;
        match sys::flock(&again.fd, sys::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(again)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.failed("lock", ".")(error)),
        }
    }

    /// The same folder, as the one that names are shown relative to.
    pub(super) fn into_root(self) -> Self {
        Self { shown: String::new(), ..self }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A name in it, relative to the log.
    pub(super) fn show(&self, name: &str) -> String {
        format!("{}{name}", self.shown)
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(Errno) -> AuditError {
        let path = self.path.join(name);
        move |error| failed(action, path)(error.into())
    }

    /// Whether its path still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        match (sys::fstat(&self.fd), sys::stat(&self.path)) {
            (Ok(open), Ok(there)) => same_file(&open, &there),
            _ => false,
        }
    }

    /// The names in it, sorted; `.` and `..` are not among them.
    pub(super) fn names(&self) -> Result<Vec<String>, AuditError> {
        let list = || -> Result<Vec<String>, Errno> {
            let mut names = Vec::new();
            for entry in sys::Dir::read_from(&self.fd)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        list().map_err(self.failed("list", ""))
    }

    /// Whether there is something of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool, AuditError> {
        match sys::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("look at", name)(error)),
        }
    }

    /// Opens a file to read. [`Problem::Missing`] when there is none.
    pub(super) fn read(&self, name: &str) -> Result<LogFile, AuditError> {
        self.open_file(name, OFlags::RDONLY)
    }

    /// Opens a file to read and to append to.
    pub(super) fn append(&self, name: &str) -> Result<LogFile, AuditError> {
        self.open_file(name, OFlags::RDWR | OFlags::APPEND)
    }

    fn open_file(&self, name: &str, how: OFlags) -> Result<LogFile, AuditError> {
        let flags = how | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = match sys::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Err(Damage::file(self.show(name), Problem::Missing)),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => {
                return Err(Damage::file(self.show(name), Problem::NotPlain));
            }
            Err(error) => return Err(self.failed("open", name)(error)),
        };
        let file = LogFile::new(fd, self.path.join(name), self.show(name));
        self.check(&file, name)?;
        Ok(file)
    }

    /// That an open file is a regular one, has one name, and is the one at its path.
    pub(super) fn check(&self, file: &LogFile, name: &str) -> Result<(), AuditError> {
        let open = sys::fstat(file.file()).map_err(self.failed("look at", name))?;
        let there = match sys::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => there,
            Err(Errno::NOENT) => return Err(Damage::file(self.show(name), Problem::Replaced)),
            Err(error) => return Err(self.failed("look at", name)(error)),
        };
        if !same_file(&open, &there) {
            return Err(Damage::file(self.show(name), Problem::Replaced));
        }
        if open.st_nlink != 1 || FileType::from_raw_mode(open.st_mode) != FileType::RegularFile {
            return Err(Damage::file(self.show(name), Problem::NotPlain));
        }
        Ok(())
    }

    /// Makes an empty file, durably, or opens the one that is there.
    pub(super) fn append_or_new(&self, name: &str) -> Result<LogFile, AuditError> {
        if self.has(name)? {
            return self.append(name);
        }
        let file = self.create(name, "create")?;
        file.sync()?;
        self.sync()?;
        self.append(name)
    }

    fn create(&self, name: &str, action: &'static str) -> Result<LogFile, AuditError> {
        let path = self.path.join(name);
        probe::step(|| Step::Create(path.clone())).map_err(failed(action, &path))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd =
            sys::openat(&self.fd, name, flags, self.access.file_mode()).map_err(self.failed(action, name))?;
        Ok(LogFile::new(fd, path, self.show(name)))
    }

    /// Puts a whole file in place: temp file, fsync, rename, fsync of the folder.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), AuditError> {
        together::stage(&[Piece { folder: self, name, bytes }])?;
        self.sync()
    }

    /// Renames a file inside the folder.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), AuditError> {
        let (source, target) = (self.path.join(from), self.path.join(to));
        probe::step(|| Step::Rename(source, target.clone())).map_err(failed("rename", target))?;
        sys::renameat(&self.fd, from, &self.fd, to).map_err(self.failed("rename", to))
    }

    /// Makes its names durable.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        self.before_sync()?;
        self.finish_sync()
    }

    fn before_sync(&self) -> Result<(), AuditError> {
        probe::step(|| Step::SyncFolder(self.path.clone())).map_err(failed("sync", &self.path))
    }

    fn finish_sync(&self) -> Result<(), AuditError> {
        sys::fsync(&self.fd).map_err(self.failed("sync", ""))
    }

    /// Opens a file that writers replace by renaming: one that was replaced just then is opened
    /// again.
    fn read_replaceable(&self, name: &str) -> Result<LogFile, AuditError> {
        let mut opened = self.read(name);
        for _ in 0..REPLACEMENTS {
            match &opened {
                Err(AuditError::Damaged(damage)) if matches!(damage.problem, Problem::Replaced) => {
                    opened = self.read(name);
                }
                _ => break,
            }
        }
        opened
    }

    /// The whole of a file of at most `limit` bytes, which writers may replace meanwhile.
    pub(super) fn bytes(&self, name: &str, limit: u64) -> Result<Vec<u8>, AuditError> {
        let file = self.read_replaceable(name)?;
        let expected = usize::try_from(file.length()?.min(limit)).unwrap_or_default();
        // One more, so that its end is met without growing.
        let mut bytes = Vec::with_capacity(expected.saturating_add(1));
        let action = failed("read", file.path());
        file.file().take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(action)?;
        if bytes.len() as u64 > limit {
            return Err(Damage::file(self.show(name), Problem::NotALine));
        }
        Ok(bytes)
    }

    /// The file system under it: its type's number, and how many bytes are free to use.
    pub(super) fn file_system(&self) -> Result<(u64, u64), AuditError> {
        let stat = sys::fstatfs(&self.fd).map_err(self.failed("look at", ""))?;
        #[expect(clippy::cast_sign_loss, reason = "a magic number and a block size")]
        Ok(((stat.f_type as u64) & 0xffff_ffff, stat.f_bavail.saturating_mul(stat.f_bsize as u64)))
    }
}

fn same_file(a: &Stat, b: &Stat) -> bool {
    a.st_ino == b.st_ino && a.st_dev == b.st_dev
}

/// `N` random bytes as hex.
pub(super) fn random_hex<const N: usize>() -> Result<String, AuditError> {
    random::hex::<N>().map_err(|_| AuditError::Random)
}
