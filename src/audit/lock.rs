//! The lock: one writer at a time, and none that waits forever.
//!
//! In: the log's folder and a deadline. Out: a guard; dropping it, or dying, lets go.
//! `flock`, not `fcntl`: the lock belongs to the open file, so two logs in one process exclude
//! each other too. The file is never renamed or removed.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::error::{AuditError, io as failed};
use super::store::{Folder, LogFile};

/// The file that is locked.
pub(super) const FILE: &str = "lock";

/// Held while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: LogFile,
}

impl Lock {
    /// Waits for the lock until the deadline; says how long that took.
    pub(super) fn take(log: &Folder, deadline: Duration) -> Result<(Self, Duration), AuditError> {
        let file = log.append(FILE)?;
        let waited = wait(file.file(), file.path(), deadline)?;
        // Whoever unlinked and made it anew would be locked out of nothing.
        log.check(&file, FILE)?;
        Ok((Self { _file: file }, waited))
    }
}

/// Locks an open file, which is known by this path, or gives up after the deadline. Gives how long it waited: nothing
/// when nobody had it.
pub(super) fn wait(file: &File, path: &Path, deadline: Duration) -> Result<Duration, AuditError> {
    let started = Instant::now();
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(1);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(waited),
            Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
            Err(TryLockError::WouldBlock) if waited >= deadline => {
                return Err(AuditError::Locked { path: path.to_owned(), seconds: deadline.as_secs() });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(pause),
        }
        waited = started.elapsed();
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
