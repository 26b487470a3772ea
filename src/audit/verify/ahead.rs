//! Lines and records read ahead, many at a time, by as many threads as there are.
//!
//! In: lines, or the lines of a journal file. Out: each in its order, hashed and parsed, or its signature verified: what
//! costs most, and what none needs the one before for. Kept are one batch of lines and one journal file.

use std::ops::Range;

use crate::workers;

use super::super::entry::{Entry, EntryError};
use super::super::error::{AuditError, Damage, Problem};
use super::super::identity::Identity;
use super::super::journal::{MAX_RECORD, Record};
use super::super::lines::{Lines, RawLine};
use super::super::reader::Reader;
use super::super::tree::{Hash, leaf_hash};

/// Lines or records that are read at a time.
const BATCH: usize = 1024;

/// Fewer than this are not worth a thread.
const FEW: usize = 64;

/// Lines, read ahead.
pub(super) struct Ahead<'a> {
    lines: Lines<'a>,
    /// The first that is parsed.
    parsed_from: u64,
    ready: std::vec::IntoIter<AheadLine>,
    /// What reading on came to.
    failed: Option<AuditError>,
}

/// A line, its hash, and what it says if that was asked for.
pub(super) struct AheadLine {
    pub(super) raw: RawLine,
    pub(super) leaf: Hash,
    pub(super) entry: Option<Result<Entry, EntryError>>,
}

impl<'a> Ahead<'a> {
    /// Of these lines, parsed from one of them on.
    pub(super) fn of(lines: Lines<'a>, parsed_from: u64) -> Self {
        Self { lines, parsed_from, ready: Vec::new().into_iter(), failed: None }
    }

    fn fill(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        for line in self.lines.by_ref().take(BATCH) {
            match line {
                Ok(line) => batch.push(line),
                Err(error) => self.failed = Some(error),
            }
        }
        let from = self.parsed_from;
        let look = |raw: &RawLine| {
            let entry = (raw.at.index >= from).then(|| Entry::parse(&raw.bytes));
            (leaf_hash(&raw.bytes), entry)
        };
        let looked = workers::in_parts(&batch, FEW, look);
        let ready = batch.into_iter().zip(looked).map(|(raw, (leaf, entry))| AheadLine { raw, leaf, entry });
        self.ready = ready.collect::<Vec<_>>().into_iter();
    }
}

impl Iterator for Ahead<'_> {
    type Item = Result<AheadLine, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.ready.next() {
            return Some(Ok(line));
        }
        if self.failed.is_none() {
            self.fill();
        }
        self.ready.next().map(Ok).or_else(|| self.failed.take().map(Err))
    }
}

/// The records of a journal file, up to the last that holds.
pub(super) struct Records {
    bytes: Vec<u8>,
    lines: Vec<(u64, Range<usize>)>,
}

impl Records {
    /// Finds the lines of a journal file.
    pub(super) fn of(reader: &Reader, name: &str) -> Result<Self, AuditError> {
        let file = reader.files.journal.read(name)?;
        let last = *name == reader.tail.file;
        // What a writer adds meanwhile belongs to a later verification.
        let end = if last { reader.tail.end } else { file.length()? };
        let bytes = file.range(0, end)?;
        let (mut lines, mut start) = (Vec::new(), 0);
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let whole = line.strip_suffix(b"\n").or(last.then_some(line));
            let whole = whole.filter(|line| line.len() as u64 <= MAX_RECORD);
            let whole = whole.ok_or_else(|| Damage::line(file.shown(), number, Problem::NotARecord))?;
            lines.push((number, start..start + whole.len()));
            start += line.len();
        }
        Ok(Self { bytes, lines })
    }

    /// Each record with its number and its line.
    pub(super) fn read<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (u64, &'a [u8], Result<Record, Problem>)> {
        let bytes = self.bytes.as_slice();
        let line = move |range: &Range<usize>| -> &'a [u8] { bytes.get(range.clone()).unwrap_or_default() };
        self.lines.chunks(BATCH).flat_map(move |batch| {
            let read = workers::in_parts(batch, FEW, |(_, range)| Record::read(line(range), identity));
            batch.iter().zip(read).map(move |((number, range), record)| (*number, line(range), record))
        })
    }
}
