//! One file of the log, open.
//!
//! In: a file that its folder has opened and checked. Out: its bytes, and changes of them that are durable; every
//! step that changes the disk goes through [`probe`](super::probe).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::super::error::{AuditError, io as failed};
use super::probe::{self, Step};

/// A file of the log, checked when it was opened.
#[derive(Debug)]
pub(in crate::audit) struct LogFile {
    file: File,
    path: PathBuf,
    shown: String,
}

impl LogFile {
    pub(super) fn new(file: impl Into<File>, path: PathBuf, shown: String) -> Self {
        Self { file: file.into(), path, shown }
    }

    /// Its name relative to the log.
    pub(in crate::audit) fn shown(&self) -> &str {
        &self.shown
    }

    /// Its path.
    pub(in crate::audit) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub(in crate::audit) fn file(&self) -> &File {
        &self.file
    }

    /// The open file alone.
    pub(in crate::audit) fn into_file(self) -> File {
        self.file
    }

    /// How many bytes it has.
    pub(in crate::audit) fn length(&self) -> Result<u64, AuditError> {
        self.file.metadata().map(|meta| meta.len()).map_err(failed("look at", &self.path))
    }

    /// The bytes from an offset to `end`, or to the file's end if that comes first.
    pub(in crate::audit) fn range(&self, offset: u64, end: u64) -> Result<Vec<u8>, AuditError> {
        let mut bytes = Vec::new();
        self.from(offset)?
            .take(end.saturating_sub(offset))
            .read_to_end(&mut bytes)
            .map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// A reader from an offset on.
    pub(in crate::audit) fn from(&self, offset: u64) -> Result<&File, AuditError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset)).map_err(failed("read", &self.path))?;
        Ok(file)
    }

    /// Writes with one call, so that no reader sees half of it on purpose; a short write fails.
    pub(in crate::audit) fn write(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        let step = || Step::Write(self.path.clone(), bytes.to_vec());
        let step = probe::write(step, bytes, |part| (&self.file).write(part));
        let written = step.map_err(failed("write", &self.path))?;
        if written == bytes.len() {
            return Ok(());
        }
        let short = io::Error::from(io::ErrorKind::StorageFull);
        Err(failed("write", &self.path)(short))
    }

    /// Makes its bytes durable.
    pub(in crate::audit) fn sync(&self) -> Result<(), AuditError> {
        self.before_sync()?;
        self.finish_sync()
    }

    pub(super) fn before_sync(&self) -> Result<(), AuditError> {
        probe::step(|| Step::SyncFile(self.path.clone())).map_err(failed("sync", &self.path))
    }

    pub(super) fn finish_sync(&self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(failed("sync", &self.path))
    }

    /// Cuts it, durably.
    pub(in crate::audit) fn truncate(&self, length: u64) -> Result<(), AuditError> {
        probe::step(|| Step::Truncate(self.path.clone(), length))
            .and_then(|()| self.file.set_len(length))
            .map_err(failed("truncate", &self.path))?;
        self.sync()
    }
}
