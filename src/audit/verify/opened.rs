//! A log and all that it is held against, read in the order that no writer at work is in the way of.

use std::path::Path;

use super::super::anchor::Anchors;
use super::super::error::{AuditError, Damage, Problem};
use super::super::identity::Pinned;
use super::super::memory::{Marks, Memory};
use super::super::reader::Reader;
use super::super::recovery;
use super::super::tree::{Hash, Head};
use super::{Check, Checked, Expectations, Report};

/// A log and all that it is held against.
pub(super) struct Opened {
    reader: Reader,
    log_id: Hash,
    memory: Memory,
    marks: Marks,
    anchors: Anchors,
    pinned: Pinned,
    /// What `checkpoint` holds: the note and its head.
    shown: (String, Head),
    lengths: Vec<(String, u64)>,
}

impl Opened {
    pub(super) fn of(dir: &Path, expected: &Expectations) -> Result<Self, AuditError> {
        // What was seen is read before the log is: a log never has less than was seen of it.
        let first = Reader::open(dir)?;
        let log_id = Hash::from(&first.log_id());
        let memory = Memory::new(expected.seen.as_deref(), first.origin(), dir);
        let marks = memory.marks(log_id)?;
        let shown = first.files.checkpoint(&first.identity)?;
        let lengths = recovery::lengths(&first.files.entries)?;
        let reader = Reader::open(dir)?;
        if reader.identity != first.identity {
            return Err(Damage::file("log.json", Problem::Replaced));
        }
        let pinned = reader.identity.check(&expected.pins, expected.origin.as_deref())?;
        let anchors = Anchors::of(&expected.anchors, &reader.identity)?;
        Ok(Self { reader, log_id, memory, marks, anchors, pinned, shown, lengths })
    }

    /// The report of a verification, if it has nothing to say against the log.
    pub(super) fn report(
        self,
        checked: Checked,
        verify: impl FnOnce(&mut Check<'_>) -> Result<(), AuditError>,
    ) -> Result<Report, AuditError> {
        let mut check = Check::new(&self.reader, (self.marks, self.anchors), self.shown);
        verify(&mut check)?;
        let report = check.report(checked, self.pinned, self.lengths)?;
        // A folder that can't be written is no reason to doubt the log.
        let _ = self.memory.remember(self.log_id, report.head);
        Ok(report)
    }
}
