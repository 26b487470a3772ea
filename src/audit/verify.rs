//! Verification of a whole log: every line, every record, every blob, against key, pins, memory.
//!
//! In: a log's folder and what is expected of it. Out: [`Report`], with what was counted and how
//! much it assures; or the first thing that does not check out, with file and line.
//! Lines are parsed strictly and chained; the tree is built; each journal record is rebuilt from
//! the lines and compared byte for byte, its signature verified; `log.json` is rebuilt; the
//! checkpoint must be one of the journal; each blob that an entry names must be there and match.
//! Not detectable from the folder alone: all files rolled back together to an older genuine state
//! (`audit-log.md` 1.8), unless this machine has seen a later head.

mod ahead;
mod ends;
mod fast;
mod opened;
mod report;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use crate::release::digest::ClaimedDigest;
use crate::time::{SKEW, Timestamp};

use super::anchor::Anchors;
use super::entry::decision::DecisionEntry;
use super::entry::{Body, Entry, is_unsupported};
use super::error::{AuditError, Damage, Problem};
use super::identity::Pinned;
use super::journal::{self, Record};
use super::lines::{Position, RawLine, segment_first};
use super::log::CHECKPOINT;
use super::memory::Marks;
use super::reader::Reader;
use super::tip::chained;
use super::tree::{Frontier, Hash, Head};
use ahead::{Ahead, AheadLine, Records};
use opened::Opened;

#[derive(Deserialize)]
struct Manifest {
    files: Vec<ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    digest: ClaimedDigest,
}

pub use fast::{verify_fast, verify_range};
pub use report::{Assurance, Checked, Expectations, Notice, Report};

/// Verifies a whole log.
///
/// # Errors
/// [`AuditError`]: [`AuditError::Damaged`] for the first thing that does not check out, or the
/// reason why the log can't be read.
pub fn verify(dir: &Path, expected: &Expectations) -> Result<Report, AuditError> {
    verify_watched(dir, expected, &|_| {})
}

/// The same, with somebody who is told how many entries have been checked, commit by commit.
///
/// # Errors
/// As [`verify`].
pub fn verify_watched(
    dir: &Path,
    expected: &Expectations,
    checked: &dyn Fn(u64),
) -> Result<Report, AuditError> {
    Opened::of(dir, expected)?.report(Checked::Full, |check| check.run(checked))
}

/// A verification at work.
struct Check<'a> {
    reader: &'a Reader,
    /// The entries of which everything is checked.
    range: Range<u64>,
    marks: Marks,
    anchors: Anchors,
    anchored_at: Option<Timestamp>,
    shown_note: String,
    shown: Head,
    shown_found: bool,
    must_end: Option<u64>,
    frontier: Frontier,
    leaf: Hash,
    at: Position,
    last_time: Option<Timestamp>,
    seen_blobs: BTreeSet<ClaimedDigest>,
    records: u64,
    recoveries: u64,
    warnings: Vec<Notice>,
}

impl<'a> Check<'a> {
    fn new(
        reader: &'a Reader,
        (marks, anchors): (Marks, Anchors),
        (shown_note, shown): (String, Head),
    ) -> Self {
        Self {
            reader,
            range: 0..u64::MAX,
            marks,
            anchors,
            anchored_at: None,
            shown_note,
            shown,
            shown_found: false,
            must_end: None,
            frontier: Frontier::default(),
            leaf: super::entry::Place::NOTHING,
            at: Position::default(),
            last_time: None,
            seen_blobs: BTreeSet::new(),
            records: 0,
            recoveries: 0,
            warnings: Vec::new(),
        }
    }

    /// Goes through the journal, and between two records through the lines that the later signs: from where it
    /// stands, which is where a segment begins, to the end of the range.
    fn run(&mut self, checked: &dyn Fn(u64)) -> Result<(), AuditError> {
        let mut lines = Ahead::of(self.reader.raw(self.at), self.range.start);
        let first = self.at.segment;
        for name in journal::files(&self.reader.files.journal)? {
            let segment = segment_first(&name).unwrap_or_default();
            if segment < first {
                continue;
            }
            let records = Records::of(self.reader, &name)?;
            for (number, line, record) in records.read(&self.reader.identity) {
                if self.at.index >= self.range.end {
                    return Ok(());
                }
                let file = format!("journal/{name}");
                let damaged = |problem| Damage::line(file.clone(), number, problem);
                let record = record.map_err(damaged)?;
                let end = record.end().ok_or_else(|| damaged(Problem::NotARecord))?;
                self.starts_anew(&end, segment).map_err(damaged)?;
                while self.at.index < end.index {
                    let line = lines.next().ok_or_else(|| damaged(Problem::Short))??;
                    self.ends_its_commit(&line.raw)?;
                    self.line(line)?;
                }
                self.record(&record, line).map_err(damaged)?;
                checked(self.frontier.size());
            }
            if name == self.reader.tail.file {
                break;
            }
        }
        self.ends_at_head()?;
        match lines.next() {
            Some(Err(error)) => Err(error),
            Some(Ok(line)) => Err(line.raw.damaged(Problem::Root)),
            None => Ok(()),
        }
    }

    /// That a record goes on from the one before: a commit is never empty and never crosses a
    /// segment, and its record is in the journal's file of that segment.
    fn starts_anew(&mut self, end: &Position, segment: u64) -> Result<(), Problem> {
        let full = self.at.index == self.at.segment + self.reader.identity.segment();
        let starts_in = if full { self.at.index } else { self.at.segment };
        self.must_end = None;
        let sound = end.segment == segment && end.segment == starts_in && end.index > self.at.index;
        if sound { Ok(()) } else { Err(Problem::Record) }
    }

    /// That no line follows in a commit which one before has to end: a decision's proof leads to
    /// the checkpoint of its own commit, so that record may not be missing.
    fn ends_its_commit(&self, line: &RawLine) -> Result<(), AuditError> {
        match self.must_end {
            Some(entry) => Err(line.damaged(Problem::Uncommitted { entry })),
            None => Ok(()),
        }
    }

    fn line(&mut self, ahead: AheadLine) -> Result<(), AuditError> {
        let AheadLine { raw: line, leaf, entry } = ahead;
        let Some(entry) = entry else {
            self.grow(&line, leaf);
            return Ok(());
        };
        let entry = entry.map_err(|error| line.damaged(error))?;
        chained(&line, entry.seq, &Hash::from(&entry.prev), &self.leaf)?;
        self.grow(&line, leaf);
        self.marks.pass(&self.frontier)?;
        self.anchors.pass(&self.frontier)?;
        if self.anchors.newest() == self.frontier.size() {
            self.anchored_at = Some(entry.time);
        }
        if self.last_time.is_some_and(|last| entry.time + SKEW < last) {
            self.warnings.push(Notice::ClockBehind(entry.seq));
        }
        self.last_time = Some(entry.time);
        self.must_end = ends_commits(&entry.body).then_some(entry.seq);
        // The commit of a range's last entry may go on behind it: its tree is held to, and no more was asked for.
        if entry.seq < self.range.end { self.body(&line, &entry) } else { Ok(()) }
    }

    fn grow(&mut self, line: &RawLine, leaf: Hash) {
        self.leaf = leaf;
        self.frontier.push(leaf);
        self.at = line.at.past(line.bytes.len());
    }

    fn body(&mut self, line: &RawLine, entry: &Entry) -> Result<(), AuditError> {
        match &entry.body {
            Body::Created(_) if entry.seq != 0 => Err(line.damaged(Problem::NotCreated)),
            Body::Decision(decision) => self.decision(entry.seq, decision),
            Body::Anchored(event) => self.reader.check_receipt(entry.seq, &event.members),
            Body::Annotation(event) => self.blob(entry.seq, &event.members.note).map(|_| ()),
            Body::Rollout(_, event) => match &event.members.note {
                Some(note) => self.blob(entry.seq, note).map(|_| ()),
                None => Ok(()),
            },
            Body::Recovered(event) => {
                self.recoveries += 1;
                self.quarantined(&event.members.digest)
            }
            Body::Other { kind, .. } if is_unsupported(kind) => {
                Err(line.damaged(Problem::Unsupported(kind.clone())))
            }
            _ => Ok(()),
        }
    }

    fn decision(&mut self, seq: u64, decision: &DecisionEntry) -> Result<(), AuditError> {
        for digest in decision.set_aside() {
            if self.reader.blob(digest)?.is_some() {
                self.seen_blobs.insert(digest.clone());
            }
        }
        for (member, digest) in decision.blobs() {
            let fresh = !self.seen_blobs.contains(digest);
            let bytes = self.blob(seq, digest)?;
            if fresh && member == "policy" {
                let manifest: Manifest = serde_json::from_slice(&bytes)
                    .map_err(|error| Damage::file(digest.to_string(), Problem::Json(error.into())))?;
                for file in manifest.files {
                    self.blob(seq, &file.digest)?;
                }
            }
        }
        Ok(())
    }

    /// Hashes a blob, the first time that it is named.
    fn blob(&mut self, entry: u64, digest: &ClaimedDigest) -> Result<Vec<u8>, AuditError> {
        if self.seen_blobs.contains(digest) {
            return Ok(Vec::new());
        }
        let file = format!("evidence/sha256/{}", digest.hex());
        let bytes = self.reader.blob(digest)?;
        let bytes = bytes.ok_or_else(|| Damage::file(file, Problem::BlobMissing { entry }))?;
        self.seen_blobs.insert(digest.clone());
        Ok(bytes)
    }

    fn quarantined(&mut self, digest: &ClaimedDigest) -> Result<(), AuditError> {
        let name = format!("{}.bin", digest.hex());
        let log = &self.reader.files.log;
        if !log.has("quarantine")? || !log.sub("quarantine")?.has(&name)? {
            self.warnings.push(Notice::QuarantineMissing(format!("quarantine/{name}")));
        }
        Ok(())
    }

    /// Rebuilds a record from the lines and compares it byte for byte.
    fn record(&mut self, record: &Record, line: &[u8]) -> Result<(), Problem> {
        let note = record.note().to_owned();
        if Record::of(&self.reader.identity, &self.frontier, &self.at, note).line() != line {
            return Err(Problem::Record);
        }
        self.records += 1;
        self.shown_found |= record.head() == self.shown && record.note() == self.shown_note;
        Ok(())
    }

    fn ends_at_head(&self) -> Result<(), AuditError> {
        let head = Head { size: self.frontier.size(), root: self.frontier.root() };
        if head != self.reader.head() {
            return Err(Damage::file("journal/", Problem::Short));
        }
        if !self.shown_found {
            return Err(Damage::file(CHECKPOINT, Problem::NotInJournal));
        }
        self.marks.finish(head.size)?;
        self.anchors.finish()
    }

    fn report(
        mut self,
        checked: Checked,
        pinned: Pinned,
        lengths: Vec<(String, u64)>,
    ) -> Result<Report, AuditError> {
        self.look_at_the_end(lengths)?;
        self.look_for_strays()?;
        if let Some(fork) = std::mem::take(&mut self.marks).forks().into_iter().next() {
            let problem = Problem::Fork { place: fork.place, size: fork.size };
            return Err(Damage::file("entries/", problem));
        }
        Ok(Report {
            checked,
            origin: self.reader.origin().to_owned(),
            log_id: self.reader.log_id(),
            pinned,
            head: self.reader.head(),
            records: self.records,
            blobs: self.seen_blobs.len() as u64,
            recoveries: self.recoveries,
            last_time: self.last_time,
            assurance: self.assurance(),
            checkpoint: self.reader.checkpoint().to_owned(),
            warnings: self.warnings,
        })
    }

    fn assurance(&self) -> Assurance {
        match self.anchors.held() {
            0 => Assurance::SelfConsistent,
            count => Assurance::Anchored { count, size: self.anchors.newest(), time: self.anchored_at },
        }
    }
}

/// Types that are always the last of their commit: recovery and changes only come before others.
fn ends_commits(body: &Body) -> bool {
    matches!(
        body,
        Body::Created(_) | Body::Decision(_) | Body::Annotation(_) | Body::Heartbeat(_) | Body::Rollout(..)
    )
}

#[cfg(test)]
mod tests;
