//! A verification on demand: one at a time, beside everything else.
//!
//! In: how much is asked for. Out: how far it is, and what it found, until the next one.
//! `Fast` reads every line again and holds the tree against the signed head; `Full` is `laforge audit verify`.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::audit::{AuditError, Pinned, Reader, verify_watched};
use crate::time::Timestamp;

use super::Studio;
use super::shelf::chain;

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Fast,
    Full,
}

/// What there is to tell.
#[derive(Debug, Clone, Default)]
pub(super) enum Told {
    /// Nobody asked.
    #[default]
    Nothing,
    /// It is at work.
    Running { how: How, began: Timestamp, done: u64, total: u64 },
    /// It ended.
    Ended { how: How, began: Timestamp, ended: Timestamp, found: Result<Found, Vec<String>> },
}

/// What was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) records: Option<u64>,
    pub(super) blobs: Option<u64>,
    pub(super) pinned: Option<Pinned>,
    pub(super) assures: String,
    pub(super) warnings: Vec<String>,
}

/// The one verification.
#[derive(Debug, Default)]
pub(super) struct Verification {
    told: Mutex<Told>,
    done: AtomicU64,
}

impl Verification {
    pub(super) fn told(&self) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Told::Running { done, .. } = &mut told {
            *done = self.done.load(Ordering::Relaxed);
        }
        told
    }

    fn say(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Begins one, unless one is at work.
    pub(super) fn begin(studio: &Arc<Studio>, how: How) -> bool {
        let Some(folder) = studio.setup.log.clone() else { return false };
        let began = (studio.setup.clock)();
        let total = studio.shelf.held().index().size();
        {
            let own = &studio.verification;
            let mut told = own.told.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*told, Told::Running { .. }) {
                return false;
            }
            own.done.store(0, Ordering::Relaxed);
            *told = Told::Running { how, began, done: 0, total };
        }
        let own = Arc::clone(studio);
        let run = move || {
            let found = own.check(how, &folder).map_err(|error| chain(&error));
            let ended = (own.setup.clock)();
            own.verification.say(Told::Ended { how, began, ended, found });
        };
        let begun = thread::Builder::new().name("verify".to_owned()).spawn(run);
        if begun.is_err() {
            studio.verification.say(Told::Nothing);
        }
        begun.is_ok()
    }
}

impl Studio {
    fn check(&self, how: How, folder: &Path) -> Result<Found, AuditError> {
        match how {
            How::Fast => {
                let reader = Reader::open(folder)?;
                reader.check()?;
                let head = reader.head();
                Ok(Found {
                    size: head.size,
                    root: head.root.to_string(),
                    records: None,
                    blobs: None,
                    pinned: None,
                    assures: "every line gives the signed root".to_owned(),
                    warnings: Vec::new(),
                })
            }
            How::Full => {
                let checked = |size| self.verification.done.store(size, Ordering::Relaxed);
                let report = verify_watched(folder, &self.setup.expected, &checked)?;
                Ok(Found {
                    size: report.head.size,
                    root: report.head.root.to_string(),
                    records: Some(report.records),
                    blobs: Some(report.blobs),
                    pinned: Some(report.pinned),
                    assures: report.assurance.to_string(),
                    warnings: report.warnings.iter().map(ToString::to_string).collect(),
                })
            }
        }
    }
}
