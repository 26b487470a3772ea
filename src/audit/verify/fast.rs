//! The fast verification: the tree and the head, and of a range of entries everything.
//!
//! In: as [`verify`](super::verify()). Out: a [`Report`] that says how little was looked at. Every byte of every line
//! is hashed, and the tree must give the root that the log's key signed last, the record and the checkpoint that are
//! there, each head that is remembered here and each anchor. So no line was changed, cut, doubled or moved since it was
//! recorded. Not looked at, outside of the range: what lines say, beyond their type; blobs; the journal but for its
//! last record, and with it the signatures of earlier commits.

use std::ops::Range;
use std::path::Path;

use crate::time::Timestamp;

use super::super::entry::{Entry, Place, is_unsupported};
use super::super::error::{AuditError, Damage, Problem};
use super::super::glance::Glance;
use super::super::history::Brief;
use super::super::journal::Record;
use super::super::lines::{Position, RawLine};
use super::super::log::CHECKPOINT;
use super::super::sweep;
use super::super::tree::{Frontier, Hash};
use super::{Check, Checked, Expectations, Opened, Report};

/// Verifies the tree and the head of a whole log, and no more.
///
/// # Errors
/// As [`verify`](super::verify()).
pub fn verify_fast(dir: &Path, expected: &Expectations) -> Result<Report, AuditError> {
    Opened::of(dir, expected)?.report(Checked::Fast, |check| check.sweep(None))
}

/// The same, and everything of the entries of a range, from its first up to the one before its end: what they say,
/// their chain, their blobs, and each record of their segments up to the one that commits the last.
///
/// # Errors
/// As [`verify`](super::verify()).
pub fn verify_range(dir: &Path, expected: &Expectations, range: Range<u64>) -> Result<Report, AuditError> {
    Opened::of(dir, expected)?.report(Checked::Range(range.clone()), |check| {
        check.sweep(Some(range.start))?;
        // The range is judged by itself; the report is of the whole log.
        let last = check.last_time.take();
        (check.range, check.records) = (range, 0);
        check.run(&|_| {})?;
        check.last_time = last;
        Ok(())
    })
}

/// What a segment's lines leave.
#[derive(Debug)]
struct Seen {
    last: Hash,
    times: Vec<(u64, Timestamp)>,
}

impl Check<'_> {
    /// Holds the tree of all lines against all heads; then stands at its end, or where the segment of an entry begins.
    fn sweep(&mut self, entry: Option<u64>) -> Result<(), AuditError> {
        let (size, segment) = (self.reader.size(), self.reader.identity.segment());
        let start = entry.map_or(size, |entry| entry - entry % segment);
        let mut sizes: Vec<u64> = self.marks.sizes().chain(self.anchors.sizes()).collect();
        sizes.extend([start, size, self.shown.size]);
        sizes.sort_unstable();
        let sweep = self.reader.sweep(sizes);
        let begin = |_| Seen { last: Place::NOTHING, times: Vec::new() };
        let swept = sweep.run(begin, |seen, line, leaf| seen.take(line, leaf, &sweep.sizes))?;
        let (mut frontier, mut then) = (Frontier::default(), Frontier::default());
        let seen = sweep::fold(swept, &mut frontier, |frontier| {
            if frontier.size() == start {
                then = frontier.clone();
            }
            self.passes(frontier)
        })?;
        self.is_head(&frontier)?;
        let time_at = |at| seen.iter().flat_map(|seen| &seen.times).find(|(size, _)| *size == at);
        self.last_time = time_at(size).map(|(_, time)| *time);
        self.anchored_at = time_at(self.anchors.newest()).map(|(_, time)| *time);
        let before = start.checked_sub(1).and_then(|last| usize::try_from(last / segment).ok());
        self.leaf = before.and_then(|part| seen.get(part)).map_or(Place::NOTHING, |seen| seen.last);
        self.frontier = then;
        if entry.is_some() {
            self.at = Position { segment: start, offset: 0, index: start };
        }
        Ok(())
    }

    fn passes(&mut self, frontier: &Frontier) -> Result<(), AuditError> {
        self.marks.pass(frontier)?;
        self.anchors.pass(frontier)?;
        if frontier.size() == self.shown.size {
            self.shown_found = frontier.root() == self.shown.root;
        }
        Ok(())
    }

    /// That the lines give the last record, which is signed, and that nothing larger was expected.
    fn is_head(&mut self, frontier: &Frontier) -> Result<(), AuditError> {
        let record = &self.reader.tail.record;
        if frontier.root() != record.head().root {
            return Err(Damage::file("entries/", Problem::Root));
        }
        let damaged = |problem| Damage::file(format!("journal/{}", self.reader.tail.file), problem);
        let end = record.end().ok_or_else(|| damaged(Problem::NotARecord))?;
        if Record::of(&self.reader.identity, frontier, &end, record.note().to_owned()) != *record {
            return Err(damaged(Problem::Record));
        }
        if !self.shown_found {
            return Err(Damage::file(CHECKPOINT, Problem::NotInJournal));
        }
        (self.at, self.records) = (end, 1);
        self.marks.finish(frontier.size())?;
        self.anchors.finish()
    }
}

impl Seen {
    fn take(&mut self, line: &RawLine, leaf: Hash, sizes: &[u64]) -> Result<(), AuditError> {
        self.last = leaf;
        let unsupported = |kind: &str| match is_unsupported(kind) {
            true => Err(line.damaged(Problem::Unsupported(kind.to_owned()))),
            false => Ok(()),
        };
        match Glance::at(&line.bytes) {
            Some(glance) => unsupported(glance.kind)?,
            None => unsupported(&Brief::of(line)?.kind)?,
        }
        let size = line.at.index + 1;
        if sizes.binary_search(&size).is_ok() {
            let entry = Entry::parse(&line.bytes).map_err(|error| line.damaged(error))?;
            self.times.push((size, entry.time));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
