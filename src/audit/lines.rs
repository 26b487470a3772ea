//! The committed lines, read in order, segment after segment.
//!
//! In: the entries folder and the end that a signed record names. Out: each line with its place,
//! or the damage: a line without its end, a control byte, a segment of another length.
//! Nothing past the committed end is ever read here.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Take};

use super::entry::MAX_LINE;
use super::error::{AuditError, Damage, Problem, io as failed};
use super::store::{Folder, LogFile};

/// How much is read at once.
const BLOCK: usize = 256 * 1024;

/// The name of the segment whose first entry is `first`.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

/// The first entry of a segment, by its name.
pub(super) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".jsonl")?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

/// A place in the entries: a segment, a byte in it, and the index of the line that starts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    /// The segment's first index.
    pub(super) segment: u64,
    /// The byte.
    pub(super) offset: u64,
    /// The line's index.
    pub(super) index: u64,
}

impl Position {
    /// Where the next line goes: a segment that is full is left.
    pub(super) fn next(self, segment_size: u64) -> Self {
        if self.index == self.segment + segment_size {
            return Self { segment: self.index, offset: 0, index: self.index };
        }
        self
    }

    /// Where a line of so many bytes ends that starts here.
    pub(super) fn past(self, bytes: usize) -> Self {
        Self { segment: self.segment, offset: self.offset + bytes as u64 + 1, index: self.index + 1 }
    }
}

/// One committed line and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RawLine {
    pub(super) at: Position,
    /// Its bytes without the line feed.
    pub(super) bytes: Vec<u8>,
}

impl RawLine {
    /// Damage to this line.
    pub(super) fn damaged(&self, problem: impl Into<Problem>) -> AuditError {
        let file = format!("entries/{}", segment_name(self.at.segment));
        Damage::line(file, self.at.index - self.at.segment + 1, problem.into())
    }
}

/// Reads committed lines from one position to another.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    entries: &'a Folder,
    segment_size: u64,
    longest: usize,
    at: Position,
    end: Position,
    open: Option<BufReader<Take<File>>>,
}

impl<'a> Lines<'a> {
    /// From `from` (which is where a line starts) to `end` (where the committed lines end).
    pub(super) fn new(entries: &'a Folder, segment_size: u64, from: Position, end: Position) -> Self {
        Self { entries, segment_size, longest: MAX_LINE, at: from, end, open: None }
    }

    /// The same with another bound than a log's on a line's bytes.
    pub(super) fn bounded(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// Whether a place is so close ahead that reading on is the shortest way there.
    pub(super) fn is_near(&self, place: &Position) -> bool {
        let ahead = place.offset.checked_sub(self.at.offset).filter(|_| place.segment == self.at.segment);
        ahead.is_some_and(|bytes| bytes < BLOCK as u64)
    }

    /// The reader of the current segment, up to its committed end.
    fn open(&self) -> Result<BufReader<Take<File>>, AuditError> {
        let file = self.entries.read(&segment_name(self.at.segment))?;
        let length = file.length()?;
        let end = if self.at.segment == self.end.segment { self.end.offset } else { length };
        if length < end || end < self.at.offset {
            return Err(Damage::file(file.shown(), Problem::Short));
        }
        let offset = self.at.offset;
        reader(file, offset, end - offset)
    }

    fn step(&mut self) -> Result<Option<RawLine>, AuditError> {
        let mut line = RawLine::default();
        Ok(self.read(&mut line)?.then_some(line))
    }

    /// Reads the next line into one whose room is used again; false at the end.
    pub(super) fn read(&mut self, line: &mut RawLine) -> Result<bool, AuditError> {
        if self.at.index == self.at.segment + self.segment_size && self.at.segment < self.end.segment {
            self.leave_segment()?;
        }
        if self.at.index >= self.end.index {
            return self.finish().map(|()| false);
        }
        let mut reader = match self.open.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        self.line(&mut reader, line)?;
        self.open = Some(reader);
        self.at = self.at.past(line.bytes.len());
        Ok(true)
    }

    fn line(&self, reader: &mut BufReader<Take<File>>, line: &mut RawLine) -> Result<(), AuditError> {
        line.at = self.at;
        line.bytes.clear();
        let path = || self.entries.path().join(segment_name(self.at.segment));
        reader
            .take(self.longest as u64 + 1)
            .read_until(b'\n', &mut line.bytes)
            .map_err(|error| failed("read", path())(error))?;
        match line.bytes.pop() {
            Some(b'\n') if is_plain(&line.bytes) => Ok(()),
            None => Err(line.damaged(Problem::Short)),
            Some(_) if self.longest == MAX_LINE => Err(line.damaged(Problem::NotALine)),
            Some(_) => Err(line.damaged(Problem::NotAChainLine { longest: self.longest })),
        }
    }

    /// Goes on to the next segment; the one that is left must end here.
    fn leave_segment(&mut self) -> Result<(), AuditError> {
        let file = self.entries.read(&segment_name(self.at.segment))?;
        if file.length()? != self.at.offset {
            return Err(Damage::file(file.shown(), Problem::SegmentSize));
        }
        self.open = None;
        self.at = Position { segment: self.at.index, offset: 0, index: self.at.index };
        Ok(())
    }

    fn finish(&self) -> Result<(), AuditError> {
        if self.at == self.end {
            return Ok(());
        }
        let file = format!("entries/{}", segment_name(self.end.segment));
        Err(Damage::file(file, Problem::SegmentSize))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<RawLine, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if matches!(step, Some(Err(_))) {
            // Nothing after damage is read.
            self.at = self.end;
        }
        step
    }
}

/// Whether no byte is a control byte. A block is looked at whole, which is several times as fast as byte by byte.
fn is_plain(line: &[u8]) -> bool {
    line.chunks(64).all(|block| block.iter().fold(true, |plain, byte| plain & (*byte >= 0x20)))
}

fn reader(file: LogFile, offset: u64, length: u64) -> Result<BufReader<Take<File>>, AuditError> {
    file.from(offset)?;
    Ok(BufReader::with_capacity(BLOCK, file.into_file().take(length)))
}
