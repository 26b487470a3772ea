//! What stands behind the end of a log, and beside it.
//!
//! In: a verification that found nothing wrong. Out: what a writer did not finish, and what no writer makes.

use super::super::error::AuditError;
use super::super::lines::segment_first;
use super::super::recovery;
use super::{Check, Notice};

impl Check<'_> {
    /// What the last writer did not finish.
    pub(super) fn look_at_the_end(&mut self, lengths: Vec<(String, u64)>) -> Result<(), AuditError> {
        let tail = &self.reader.tail;
        let journal = self.reader.head().size;
        // A writer that was at work when it was first read has replaced it by now.
        let (_, shown) = self.reader.files.checkpoint(&self.reader.identity)?;
        if shown.size < journal {
            self.warnings.push(Notice::StaleCheckpoint { shown: shown.size, journal });
        }
        if tail.unended {
            self.warnings.push(Notice::UnendedRecord(format!("journal/{}", tail.file)));
        }
        if let Some(torn) = &tail.torn {
            let (file, offset) = (format!("journal/{}", torn.file), torn.offset);
            self.warnings.push(Notice::UncommittedTail { file, offset });
        }
        for (name, offset) in recovery::unsigned(lengths, &self.reader.identity, &self.reader.end)? {
            let file = format!("entries/{name}");
            self.warnings.push(Notice::UncommittedTail { file, offset });
        }
        if self.reader.needs_repair()? {
            self.warnings.push(Notice::NeedsRepair);
        }
        Ok(())
    }

    /// Files among the segments that no writer makes.
    pub(super) fn look_for_strays(&mut self) -> Result<(), AuditError> {
        let size = self.reader.identity.segment();
        for folder in [&self.reader.files.entries, &self.reader.files.journal] {
            for name in folder.names()? {
                let known = segment_first(&name).is_some_and(|first| first % size == 0);
                if !known {
                    self.warnings.push(Notice::Stray(folder.show(&name)));
                }
            }
        }
        Ok(())
    }
}
