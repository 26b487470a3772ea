//! A chain of lines on the disk: the log's own entries writer, and lent to what keeps another chain.
//!
//! In: a private folder and whole lines, each of which says its place and the hash of the line
//! before. Out: `entries/` in segments, every line durable before [`Chain::append`] returns; what a
//! crash tore off is moved to `quarantine/`, never adopted. A log signs its head on top of this
//! ([`commit`](super::commit)); a chain alone can't tell that its end was cut, so what must not
//! forget it is anchored in a log. Hashes and protocol: `audit-log.md` 1.3, 1.6, 1.7.
//! Not checked here: what a line says beyond its place.

use std::io::{BufRead as _, BufReader, Read as _};

use serde::Deserialize;

use crate::release::digest::ClaimedDigest;

use super::entry::Place;
use super::error::{AuditError, Damage, Problem, io as failed};
use super::lines::{Lines, Position, RawLine, segment_first, segment_name};
use super::reader::Line;
use super::recovery::{self, Report};
use super::store::{Folder, LogFile};
use super::tip::chained;
use super::tree::{Hash, leaf_hash};

pub mod shelf;

pub use shelf::{Asked, Holder, Shelf, Sole};

const ENTRIES: &str = "entries";

/// How large the parts of a chain may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Lines in a segment.
    pub segment: u64,
    /// Bytes of a line, without its line feed.
    pub line: usize,
}

/// How many lines a chain has, and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// How many.
    pub length: u64,
    /// The leaf hash of the last line; 32 zero bytes while there is none. It is the next one's `prev`.
    pub leaf: Hash,
}

impl Head {
    /// Of a chain without a line.
    pub const NONE: Self = Self { length: 0, leaf: Place::NOTHING };
}

/// Bytes at the end that are no whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment's file name.
    pub file: String,
    /// From which byte on.
    pub offset: u64,
}

/// What was moved to `quarantine/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it was.
    pub torn: Torn,
    /// Its digest: `quarantine/<hex>.bin`.
    pub digest: ClaimedDigest,
}

/// A chain that is open to be continued.
#[derive(Debug)]
pub struct Chain {
    root: Folder,
    entries: Folder,
    bounds: Bounds,
    at: Position,
    head: Head,
    trust: Trust,
}

/// Whether what the last write left is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Known,
    Lost,
}

/// How far a chain that was read goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Its head.
    pub head: Head,
    /// What follows its last whole line: a writer at work, or a crash.
    pub torn: Option<Torn>,
    at: Position,
}

/// What each line says of its place.
#[derive(Deserialize)]
struct Said {
    seq: u64,
    prev: ClaimedDigest,
}

impl Chain {
    /// Starts a chain with its first line: it is there whole and durable, or not at all.
    ///
    /// # Errors
    /// [`AuditError::NotEmpty`] where a chain is; otherwise what the system says.
    pub fn create(shelf: Shelf, bounds: Bounds, first: &[u8]) -> Result<Self, AuditError> {
        let root = shelf.into_root();
        let entries = root.sub_or_new(ENTRIES)?;
        if !segments(&entries)?.is_empty() {
            return Err(AuditError::NotEmpty(root.path().to_owned()));
        }
        let place = Position::default();
        let leaf = check(first, place, &Head::NONE, bounds)?;
        entries.put(&segment_name(0), &[first, b"\n"].concat())?;
        let head = Head { length: 1, leaf };
        Ok(Self { root, entries, bounds, at: place.past(first.len()), head, trust: Trust::Known })
    }

    /// Opens a chain, gives every line in order, and only then sets aside what is torn behind them.
    ///
    /// # Errors
    /// [`AuditError`]: there is none, it does not check out (then nothing is changed), or the
    /// system's word; and whatever `take` gives.
    pub fn open<E: From<AuditError>>(
        shelf: Shelf,
        bounds: Bounds,
        take: impl FnMut(&Line) -> Result<(), E>,
    ) -> Result<(Self, Option<SetAside>), E> {
        let extent = read(&shelf, bounds, take)?;
        let root = shelf.into_root();
        if extent.head == Head::NONE {
            return Err(AuditError::Missing(root.path().to_owned()).into());
        }
        let entries = root.sub(ENTRIES)?;
        let set_aside = match extent.torn {
            None => None,
            Some(torn) => {
                let digest =
                    recovery::set_aside(&root, &entries.append(&torn.file)?, torn.offset, Report::Told)?;
                Some(SetAside { torn, digest })
            }
        };
        // The last line may be one whose writer died before its sync.
        entries.append(&segment_name(extent.at.segment))?.sync()?;
        entries.sync()?;
        let (at, head) = (extent.at, extent.head);
        Ok((Self { root, entries, bounds, at, head, trust: Trust::Known }, set_aside))
    }

    /// Its head: what the next line has to follow.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Adds one line, which has to say its `seq` and `prev`: durable before this returns.
    ///
    /// # Errors
    /// [`AuditError`]; then the line is not there. After [`AuditError::Broken`], or an error of the
    /// disk, nothing more is written: what the file holds is read anew by whoever opens it next.
    pub fn append(&mut self, line: &[u8]) -> Result<Head, AuditError> {
        let at = self.at.next(self.bounds.segment);
        let name = segment_name(at.segment);
        if self.trust == Trust::Lost {
            return Err(AuditError::Broken(self.entries.path().join(name)));
        }
        let leaf = check(line, at, &self.head, self.bounds)?;
        let mut file = open_end(&self.entries, &at).map_err(|error| self.lost_if_io(error))?;
        if let Err(error) = write_durably(&mut file, &[line, b"\n"].concat()) {
            return Err(self.undo(error, &file, &at));
        }
        self.entries.check(&file, &name).and_then(|()| self.in_place()).inspect_err(|_| {
            self.trust = Trust::Lost;
        })?;
        self.at = at.past(line.len());
        self.head = Head { length: at.index + 1, leaf };
        Ok(self.head)
    }

    /// Every line, read from the disk again.
    ///
    /// # Errors
    /// Each line's own.
    pub fn lines(&self) -> impl Iterator<Item = Result<Line, AuditError>> + '_ {
        Lines::new(&self.entries, self.bounds.segment, Position::default(), self.at)
            .bounded(self.bounds.line)
            .map(|line| line.map(|line| Line { index: line.at.index, bytes: line.bytes }))
    }

    fn in_place(&self) -> Result<(), AuditError> {
        if self.root.is_in_place() { Ok(()) } else { Err(Damage::file(".", Problem::Replaced)) }
    }

    /// Nothing of a line that failed may stay.
    fn undo(&mut self, error: AuditError, file: &LogFile, at: &Position) -> AuditError {
        let error = self.lost_if_io(error);
        if self.trust == Trust::Known && file.truncate(at.offset).is_err() {
            self.trust = Trust::Lost;
        }
        error
    }

    /// After an I/O error nothing is known of what the disk holds, and nothing is touched.
    fn lost_if_io(&mut self, error: AuditError) -> AuditError {
        if is_io(&error) {
            self.trust = Trust::Lost;
        }
        error
    }
}

/// Gives every whole line of a chain in order; says what follows the last one, and leaves it there.
///
/// # Errors
/// [`AuditError`]: it does not check out; and whatever `take` gives.
pub fn read<E: From<AuditError>>(
    shelf: &Shelf,
    bounds: Bounds,
    mut take: impl FnMut(&Line) -> Result<(), E>,
) -> Result<Extent, E> {
    let Some(entries) = shelf.root().sub_if_any(ENTRIES)? else {
        return Ok(Extent { head: Head::NONE, torn: None, at: Position::default() });
    };
    let (at, torn) = end(&entries, bounds)?;
    let mut head = Head::NONE;
    for line in Lines::new(&entries, bounds.segment, Position::default(), at).bounded(bounds.line) {
        let line = line?;
        head = Head { leaf: follows(&line, &head)?, length: line.at.index + 1 };
        take(&Line { index: line.at.index, bytes: line.bytes })?;
    }
    Ok(Extent { head, torn, at })
}

/// The last whole line alone, with nothing before it read.
///
/// # Errors
/// [`AuditError`] for damage to its segment.
pub fn last(shelf: &Shelf, bounds: Bounds) -> Result<Option<Line>, AuditError> {
    let Some(entries) = shelf.root().sub_if_any(ENTRIES)? else { return Ok(None) };
    for first in segments(&entries)?.into_iter().rev() {
        if let Some(line) = scan(&entries, first, bounds)?.last {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// Opens the segment in which the next line goes, which has to end exactly there.
pub(super) fn open_end(entries: &Folder, at: &Position) -> Result<LogFile, AuditError> {
    let file = entries.append_or_new(&segment_name(at.segment))?;
    if file.length()? != at.offset {
        return Err(Damage::file(file.shown(), Problem::Replaced));
    }
    Ok(file)
}

/// One write, then the sync that makes it one.
pub(super) fn write_durably(file: &mut LogFile, bytes: &[u8]) -> Result<(), AuditError> {
    file.write(bytes)?;
    file.sync()
}

/// Whether the disk itself failed.
pub(super) fn is_io(error: &AuditError) -> bool {
    let errno = Some(rustix::io::Errno::IO.raw_os_error());
    matches!(error, AuditError::Io { source, .. } if source.raw_os_error() == errno)
}

/// That a line may stand here; gives its hash.
fn check(line: &[u8], at: Position, before: &Head, bounds: Bounds) -> Result<Hash, AuditError> {
    if line.len() > bounds.line {
        return Err(AuditError::EntryTooLong { bytes: line.len() });
    }
    let line = RawLine { at, bytes: line.to_vec() };
    if line.bytes.iter().any(|byte| *byte < 0x20) {
        return Err(line.damaged(Problem::NotAChainLine { longest: bounds.line }));
    }
    follows(&line, before)
}

/// That a line says its own place and follows the one before; gives its hash.
fn follows(line: &RawLine, before: &Head) -> Result<Hash, AuditError> {
    let said: Said =
        serde_json::from_slice(&line.bytes).map_err(|error| line.damaged(Problem::Json(error.into())))?;
    chained(line, said.seq, &Hash::from(&said.prev), &before.leaf)?;
    Ok(leaf_hash(&line.bytes))
}

/// The segments' first indices, in order.
fn segments(entries: &Folder) -> Result<Vec<u64>, AuditError> {
    Ok(entries.names()?.iter().filter_map(|name| segment_first(name)).collect())
}

/// Where the whole lines end. A crash tears at most the last write, so only the last line may be torn.
fn end(entries: &Folder, bounds: Bounds) -> Result<(Position, Option<Torn>), AuditError> {
    match segments(entries)?.last() {
        None => Ok((Position::default(), None)),
        Some(first) => scan(entries, *first, bounds).map(|scan| (scan.at, scan.torn)),
    }
}

/// What one segment holds. The first line is put in place whole: it is never torn by a crash.
struct Scan {
    at: Position,
    last: Option<Line>,
    torn: Option<Torn>,
}

fn scan(entries: &Folder, segment: u64, bounds: Bounds) -> Result<Scan, AuditError> {
    let name = segment_name(segment);
    let file = entries.read(&name)?;
    let (path, shown) = (file.path().to_owned(), file.shown().to_owned());
    let mut reader = BufReader::new(file.into_file());
    let mut scan = Scan { at: Position { segment, offset: 0, index: segment }, last: None, torn: None };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let longest = bounds.line as u64 + 2;
        reader.by_ref().take(longest).read_until(b'\n', &mut bytes).map_err(failed("read", &path))?;
        if bytes.is_empty() && scan.at.index > 0 {
            return Ok(scan);
        }
        // Zeros are what a file system leaves of a write that was on its way.
        let whole = bytes.pop_if(|last| *last == b'\n').is_some();
        let ended = reader.fill_buf().map_err(failed("read", &path))?.is_empty();
        if ended && scan.at.index > 0 && (!whole || bytes.contains(&0)) {
            scan.torn = Some(Torn { file: name, offset: scan.at.offset });
            return if bytes.len() > bounds.line { Err(too_long(shown, bounds)) } else { Ok(scan) };
        }
        if !whole {
            return Err(too_long(shown, bounds));
        }
        scan.last = Some(Line { index: scan.at.index, bytes: bytes.clone() });
        scan.at = scan.at.past(bytes.len());
    }
}

fn too_long(file: String, bounds: Bounds) -> AuditError {
    Damage::file(file, Problem::NotAChainLine { longest: bounds.line })
}

#[cfg(test)]
mod tests;
