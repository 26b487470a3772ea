//! What a decision's entry names, kept before anybody waits for the log.
//!
//! In: a decision, and the store of the log that will record it. Out: [`Kept`]: every blob of it durable, only its
//! entry to be appended. A service keeps the blobs of several decisions at a time and is alone with the log for the
//! entries only. `audit-log.md` 1.6, steps 0 and 1.

use std::sync::Arc;

use crate::policy::{Caller, Decision, DecisionReport};
use crate::time::Timestamp;

use super::append::{Prepared, recorded};
use super::blob::Blobs;
use super::error::AppendError;
use super::log::AuditLog;
use super::recorded::Recorded;

/// Where the log that was opened keeps blobs.
#[derive(Debug, Clone)]
pub struct Keeping(Arc<Blobs>);

/// A decision of which all but the entry is durable.
#[derive(Debug)]
pub struct Kept {
    report: DecisionReport,
    prepared: Prepared,
    place: Keeping,
}

impl Keeping {
    /// Makes durable what the decision's entry will name.
    ///
    /// # Errors
    /// [`AppendError`]: then nothing may be recorded of it.
    pub fn keep(&self, decision: Decision, caller: &Caller) -> Result<Kept, AppendError> {
        let prepared = Prepared::of(&decision, caller);
        let report = decision.into_report();
        match prepared.and_then(|prepared| prepared.keep_in(&self.0).map(|()| prepared)) {
            Ok(prepared) => Ok(Kept { report, prepared, place: self.clone() }),
            Err(cause) => Err(AppendError { cause, report: Box::new(report) }),
        }
    }
}

impl AuditLog {
    /// Where its blobs are kept, for as long as it is open.
    pub fn keeping(&self) -> Keeping {
        Keeping(Arc::clone(&self.files.blobs))
    }

    /// Records a decision whose blobs are kept: durable before it returns.
    ///
    /// # Errors
    /// As [`AuditLog::append`].
    pub fn append_kept(
        &mut self,
        kept: Kept,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Recorded, AppendError> {
        let Kept { report, prepared, place } = kept;
        // What was kept in another log's folder, or in this one's before it was opened anew, is not known to be here.
        let held = match Arc::ptr_eq(&place.0, &self.files.blobs) {
            true => self.enter(prepared, caller, now),
            false => self.record(prepared, caller, now),
        };
        match held {
            Ok(held) => Ok(recorded(held, report)),
            Err(cause) => Err(AppendError { cause, report: Box::new(report) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test looks at a log's files")]

    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::audit::sample::{core, new_log, noon, open, prepared, report};
    use crate::audit::{Expectations, verify};

    /// Keeps an allow in `place`, as [`Keeping::keep`] does with a decision.
    fn kept(place: &Keeping, idem: &str) -> Kept {
        let prepared = prepared(&report(), Some(core(noon(60 * 60))), idem);
        prepared.keep_in(&place.0).unwrap();
        Kept { report: report(), prepared, place: place.clone() }
    }

    fn made() -> (TempDir, AuditLog) {
        let (folder, _) = new_log(64);
        let log = open(folder.path(), noon(0)).unwrap();
        (folder, log)
    }

    fn approved(log: &mut AuditLog, kept: Kept) -> bool {
        let recorded = log.append_kept(kept, &Caller::unknown(), noon(1)).unwrap();
        matches!(recorded, Recorded::Approved(_))
    }

    fn blobs(folder: &TempDir) -> usize {
        let inside = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        inside(&folder.path().join("log/evidence/sha256")).flat_map(|prefix| inside(&prefix)).count()
    }

    /// That every blob that an entry names is there, and all else.
    fn verified(folder: &TempDir) {
        verify(&folder.path().join("log"), &Expectations::default()).unwrap();
    }

    #[test]
    fn several_are_kept_before_the_first_is_recorded() {
        let (folder, mut log) = made();
        let before = blobs(&folder);
        let all: Vec<Kept> = ["one", "two", "three"].map(|idem| kept(&log.keeping(), idem)).into();
        assert!(blobs(&folder) > before);
        let size = log.size();
        for kept in all {
            assert!(approved(&mut log, kept));
        }
        assert!(log.size() > size);
        verified(&folder);
    }

    #[test]
    fn what_was_kept_elsewhere_is_kept_here_before_its_entry() {
        let (elsewhere, other) = made();
        let (folder, mut log) = made();
        let before = blobs(&folder);
        let kept = kept(&other.keeping(), "one");
        assert_eq!(blobs(&folder), before);
        assert!(approved(&mut log, kept));
        assert_eq!(blobs(&folder), blobs(&elsewhere));
        verified(&folder);
    }

    #[test]
    fn what_was_kept_before_the_log_was_opened_anew_is_looked_at_again() {
        let (folder, log) = made();
        let kept = kept(&log.keeping(), "one");
        drop(log);
        fs::remove_dir_all(folder.path().join("log/evidence/sha256")).unwrap();
        fs::create_dir(folder.path().join("log/evidence/sha256")).unwrap();
        let mut log = open(folder.path(), noon(0)).unwrap();
        assert!(approved(&mut log, kept));
        verified(&folder);
    }
}
