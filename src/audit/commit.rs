//! The commit: lines, then one signed record, then everything that may be made again.
//!
//! In: bodies of entries, under the lock, after recovery. Out: where the last one stands and the
//! record that committed it. The commit point is the sync of the record; what fails before it is
//! undone (or marked for repair), what fails after it is a warning. `audit-log.md` 1.6, 3 to 5.

use std::path::Path;

use rustix::io::Errno;
use serde::Serialize;

use crate::time::{self, Timestamp};

use super::chain;
use super::entry::event::Recovered;
use super::entry::{Body, Entry, MAX_LINE, Place};
use super::error::{AuditError, Damage, Problem};
use super::journal::Record;
use super::lines::{Position, RawLine, segment_name};
use super::lock::Lock;
use super::log::{AuditLog, CHECKPOINT, NEEDS_REPAIR, Warning, check_writable, preflight};
use super::recovery::{self, Recovery};
use super::store::{Folder, LogFile};
use super::tip::Tip;
use super::tree::Frontier;

/// An entry that is committed, and all that its proof needs.
#[derive(Debug)]
pub(super) struct Committed {
    /// Its index.
    pub(super) index: u64,
    /// Its bytes.
    pub(super) line: Vec<u8>,
    /// The frontier before it: its inclusion proof, smallest tree first.
    pub(super) before: Frontier,
    /// The record that committed it, as the last of its lines.
    pub(super) record: Record,
}

/// A writer that holds the lock, with the log read to its end and recovered.
pub(super) struct Writer<'a> {
    log: &'a mut AuditLog,
    pub(super) tip: Tip,
    /// What recovery found and no entry reports yet.
    pub(super) due: Vec<Recovered>,
    stale_checkpoint: Option<Record>,
    now: Timestamp,
    _lock: Lock,
}

#[derive(Serialize)]
struct RepairMark<'a> {
    file: &'a str,
    errno: i32,
    time: String,
}

impl AuditLog {
    /// What it is that the log's path leads to another folder, or to none any more.
    fn displaced(&self) -> AuditError {
        match Folder::open(&self.config.dir) {
            Err(missing @ AuditError::Missing(_)) => missing,
            _ => Damage::file(".", Problem::Replaced),
        }
    }

    /// Takes the lock, checks everything again, and makes the files end where they are signed.
    pub(super) fn lock(&mut self, now: Timestamp) -> Result<Writer<'_>, AuditError> {
        let (lock, waited) = Lock::take(&self.files.log, self.config.lock_deadline)?;
        if !self.files.log.is_in_place() {
            return Err(self.displaced());
        }
        preflight(&self.files.log, &self.config)?;
        // A tip that something failed on is not used again: it may hold lines that are undone.
        let tip = std::mem::take(&mut self.tip);
        let (tail, shown, tip) = self.read_on(tip)?;
        // The caller's clock went on while it waited.
        let now = now + waited;
        check_writable(&tip, now)?;
        // A clock may be a little behind the last writer's; no entry is of before the one that it follows.
        let now = tip.history.last_time().map_or(now, |last| now.max(last));
        let recovery = Recovery {
            log: &self.files.log,
            entries: &self.files.entries,
            journal: &self.files.journal,
            identity: &self.identity,
        };
        let due = recovery.run(&tail, &tip.at, &tip.history);
        let due = due.map_err(|error| self.mark_if_broken(error, now))?;
        let stale_checkpoint = (shown != tail.record.head()).then_some(tail.record);
        Ok(Writer { log: self, tip, due, stale_checkpoint, now, _lock: lock })
    }

    /// After an I/O error nothing is known of what the disk holds: says so to every writer.
    fn mark_if_broken(&self, error: AuditError, now: Timestamp) -> AuditError {
        if let AuditError::Io { path, .. } = &error
            && chain::is_io(&error)
        {
            let file = path.strip_prefix(&self.config.dir).unwrap_or(path).to_string_lossy();
            let mark =
                RepairMark { file: &file, errno: Errno::IO.raw_os_error(), time: time::to_micros(now) };
            // Best effort: the disk that holds the log is the one that just failed.
            if let Ok(bytes) = serde_json::to_vec(&mark) {
                let _ = self.files.log.put(NEEDS_REPAIR, &bytes);
            }
        }
        error
    }
}

impl Writer<'_> {
    /// Commits these entries, in as many commits as segments need, and gives the last one.
    pub(super) fn commit(&mut self, bodies: &[Body]) -> Result<Option<Committed>, AuditError> {
        let mut last = None;
        let mut rest = bodies;
        while !rest.is_empty() {
            let at = self.tip.at.next(self.log.identity.segment());
            let room = at.segment + self.log.identity.segment() - at.index;
            let count = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (batch, later) = rest.split_at(count);
            last = Some(self.commit_batch(at, batch)?);
            rest = later;
        }
        Ok(last)
    }

    /// The log that it writes.
    pub(super) fn log(&self) -> &AuditLog {
        self.log
    }

    /// The writer's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Ends the write: what was read and written stays read.
    pub(super) fn finish(self, reported: &[Recovered]) {
        let Self { log, tip, stale_checkpoint, .. } = self;
        if let Some(record) = stale_checkpoint {
            log.show(&record);
        }
        log.tip = tip;
        if let Err(error) = recovery::settle_all(&log.files.log, reported) {
            log.warnings.push(Warning::Quarantine(error));
        }
    }

    fn commit_batch(&mut self, at: Position, batch: &[Body]) -> Result<Committed, AuditError> {
        let name = segment_name(at.segment);
        let files = &self.log.files;
        let marked = |error| self.log.mark_if_broken(error, self.now);
        let mut entries = chain::open_end(&files.entries, &at).map_err(marked)?;
        let mut journal = files.journal.append_or_new(&name).map_err(marked)?;
        let ends = Ends { journal: journal.length()?, entries: at.offset };
        let staged = self.stage(at, batch)?;
        let written = chain::write_durably(&mut entries, &staged.bytes).and_then(|()| {
            let record = Record::sign(&self.log.identity, &self.tip.frontier, &self.tip.at, &self.log.key)?;
            let line = [&record.line(), b"\n".as_slice()].concat();
            chain::write_durably(&mut journal, &line)?;
            Ok(record)
        });
        let record = written.map_err(|error| self.undo(error, &journal, &entries, &ends))?;
        self.check_in_place(&entries, &journal, &name)?;
        self.after_commit(&record)?;
        Ok(Committed { index: staged.index, line: staged.line, before: staged.before, record })
    }

    /// The lines of a batch, taken into the tip.
    fn stage(&mut self, mut at: Position, batch: &[Body]) -> Result<Staged, AuditError> {
        let mut staged = Staged::default();
        for body in batch {
            let place = Place { seq: at.index, prev: self.tip.leaf, time: self.now };
            let line = RawLine { at, bytes: body.line(&place) };
            if line.bytes.len() > MAX_LINE {
                return Err(AuditError::EntryTooLong { bytes: line.bytes.len() });
            }
            // What can't be read back would make every later reading fail: it is not written at all.
            Entry::parse(&line.bytes).map_err(AuditError::EntryUnreadable)?;
            staged.before = self.tip.frontier.clone();
            self.tip.add(&line)?;
            at = self.tip.at;
            staged.index = place.seq;
            staged.bytes.extend_from_slice(&line.bytes);
            staged.bytes.push(b'\n');
            staged.line = line.bytes;
        }
        Ok(staged)
    }

    /// Nothing of a commit that failed may stay, the record least of all.
    fn undo(&self, error: AuditError, journal: &LogFile, entries: &LogFile, ends: &Ends) -> AuditError {
        let error = self.log.mark_if_broken(error, self.now);
        let broken = self.log.files.log.has(NEEDS_REPAIR).unwrap_or(true);
        // After EIO nothing is touched; and lines stay as long as a record of them may be there.
        if !broken && journal.truncate(ends.journal).is_ok() {
            // What can't be cut now is what recovery finds.
            let _ = entries.truncate(ends.entries);
        }
        error
    }

    /// That what was written is what the names lead to.
    fn check_in_place(&self, entries: &LogFile, journal: &LogFile, name: &str) -> Result<(), AuditError> {
        self.log.files.entries.check(entries, name)?;
        self.log.files.journal.check(journal, name)?;
        if self.log.files.log.is_in_place() { Ok(()) } else { Err(Damage::file(".", Problem::Replaced)) }
    }

    fn after_commit(&mut self, record: &Record) -> Result<(), AuditError> {
        self.stale_checkpoint = None;
        self.log.show(record);
        if self.log.files.log.has(NEEDS_REPAIR)? {
            return Err(AuditError::NeedsRepair(Path::new(&self.log.config.dir).join(NEEDS_REPAIR)));
        }
        self.log.remember(record.head());
        Ok(())
    }
}

impl AuditLog {
    /// Replaces `checkpoint`. The entry stands whatever comes of it.
    fn show(&mut self, record: &Record) {
        if let Err(error) = self.files.log.put(CHECKPOINT, record.note().as_bytes()) {
            let now = self.tip.history.last_time().unwrap_or_default();
            let error = self.mark_if_broken(error, now);
            self.warnings.push(Warning::Checkpoint(error));
        }
    }
}

/// Where both files end before a commit.
struct Ends {
    journal: u64,
    entries: u64,
}

#[derive(Debug, Default)]
struct Staged {
    bytes: Vec<u8>,
    line: Vec<u8>,
    index: u64,
    before: Frontier,
}
