//! Private folders in which chains stand, and the lock of one: who holds it says so.
//!
//! In: a path. Out: a folder that stays open, in which everything is made for its owner alone (0700,
//! 0600) and durably; no name in it is followed where it is a link. `flock`, not `fcntl`: the lock
//! belongs to the open file, so two holders in one process exclude each other too.

use std::fs::{self, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::time::Timestamp;

use super::super::error::{AuditError, io as failed};
use super::super::lock;
use super::super::store::{Access, Folder, LogFile};

/// A private folder, held open.
#[derive(Debug)]
pub struct Shelf(Folder);

/// A lock that nobody waits for: of the folder itself, so that it lasts whatever becomes of the names in it.
#[derive(Debug)]
pub struct Sole {
    file: LogFile,
    _folder: Folder,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process, as it wrote it down.
    pub pid: Option<u32>,
    /// Since when, by the file's own time.
    pub since: Option<Timestamp>,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// It is held from now on, until this is dropped or the process ends.
    Taken(Sole),
    /// Somebody else holds it.
    Held(Holder),
}

impl Shelf {
    /// Opens a folder; none when there is nothing.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(path: &Path) -> Result<Option<Self>, AuditError> {
        match Folder::open_for(path, Access::Owner) {
            Ok(folder) => Ok(Some(Self(folder))),
            Err(AuditError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a folder, made (with those above it, each durably) where it is missing.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn make(path: &Path) -> Result<Self, AuditError> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            match fs::DirBuilder::new().mode(0o700).create(folder) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("create", folder)(error)),
            }
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
            Folder::open(above.unwrap_or(Path::new(".")))?.sync()?;
        }
        Ok(Self(Folder::open_for(path, Access::Owner)?))
    }

    /// A folder in it; none when there is nothing of this name.
    ///
    /// # Errors
    /// [`AuditError`]; a link or a file of this name is damage.
    pub fn sub(&self, name: &str) -> Result<Option<Self>, AuditError> {
        Ok(self.0.sub_if_any(name)?.map(Self))
    }

    /// A folder in it, made where it is missing.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn sub_or_new(&self, name: &str) -> Result<Self, AuditError> {
        self.0.sub_or_new(name).map(Self)
    }

    /// The names in it, sorted.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn names(&self) -> Result<Vec<String>, AuditError> {
        self.0.names()
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Asks for its lock, `lock`, once.
    ///
    /// # Errors
    /// [`AuditError`] where that can't be known.
    pub fn ask(&self) -> Result<Asked, AuditError> {
        let mut file = self.0.append_or_new(lock::FILE)?;
        // The file says who it is, and can be removed; the folder can't while there is a journal in it.
        let Some(folder) = self.0.lock()? else { return Ok(Asked::Held(holder(&file)?)) };
        match file.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Asked::Held(holder(&file)?)),
            Err(TryLockError::Error(error)) => return Err(failed("lock", file.path())(error)),
        }
        // Whoever unlinked and made it anew would be locked out of nothing.
        self.0.check(&file, lock::FILE)?;
        file.truncate(0)?;
        file.write(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Asked::Taken(Sole { file, _folder: folder }))
    }

    pub(super) fn root(&self) -> &Folder {
        &self.0
    }

    /// The folder of one chain, of which its names are shown.
    pub(super) fn into_root(self) -> Folder {
        self.0.into_root()
    }
}

impl Sole {
    /// The file that is locked.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

/// What a lock's file says of who holds it; it may be about to be written.
fn holder(file: &LogFile) -> Result<Holder, AuditError> {
    let text = String::from_utf8(file.range(0, 32)?).unwrap_or_default();
    let since = file.file().metadata().and_then(|meta| meta.modified()).ok();
    Ok(Holder { pid: text.trim().parse().ok(), since: since.map(Timestamp::from) })
}
