//! What a decision's entry names, kept before anybody waits for the log.
//!
//! In: a decision, and the store of the log that will record it. Out: [`Kept`]: every blob of it durable, only its
//! entry to be appended. A service keeps the blobs of several decisions at a time and is alone with the log for the
//! entries only. `audit-log.md` 1.6, steps 0 and 1.

use std::sync::Arc;

use crate::policy::{Caller, Decision};
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
    decision: Decision,
    prepared: Prepared,
    place: Keeping,
}

impl Keeping {
    /// Makes durable what the decision's entry will name.
    ///
    /// # Errors
    /// [`AppendError`]: then nothing may be recorded of it.
    pub fn keep(&self, decision: Decision, caller: &Caller) -> Result<Kept, AppendError> {
        let prepared = Prepared::of(&decision, caller).and_then(|prepared| {
            prepared.keep_in(&self.0)?;
            Ok(prepared)
        });
        match prepared {
            Ok(prepared) => Ok(Kept { decision, prepared, place: self.clone() }),
            Err(cause) => Err(AppendError { cause, report: Box::new(decision.into_report()) }),
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
        let Kept { decision, prepared, place } = kept;
        // What was kept in another log's folder, or in this one's before it was opened anew, is not known to be here.
        let held = match Arc::ptr_eq(&place.0, &self.files.blobs) {
            true => self.enter(prepared, caller, now),
            false => self.record(prepared, caller, now),
        };
        match held {
            Ok(held) => Ok(recorded(held, decision.into_report())),
            Err(cause) => Err(AppendError { cause, report: Box::new(decision.into_report()) }),
        }
    }
}
