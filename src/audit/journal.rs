//! The checkpoint journal: one signed record per commit, and the point at which it is one.
//!
//! In: a frontier and the log's key, or the end of the journal's files. Out: the record's line,
//! or the last record that holds and what is torn behind it. All of a record but its signature
//! follows from the entries, so a record is only ever compared with the one that they give.
//! The note is the last member: a torn record never has a usable signature. `audit-log.md` 1.4.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::json;
use crate::key::secret::SecretKey;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::error::{AuditError, Damage, Problem};
use super::identity::Identity;
use super::lines::{Position, segment_first, segment_name};
use super::note::{NoteError, SignedNote};
use super::store::{Folder, LogFile};
use super::tree::{Frontier, Hash, Head};

/// More than any record has: 64 hashes and a note of two long names.
pub(super) const MAX_RECORD: u64 = 16 * 1024;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    size: u64,
    root: Hash,
    segment: String,
    length: u64,
    frontier: Vec<Hash>,
    key: String,
    note: String,
}

impl Record {
    /// Signs the head that a frontier folds to. `end` is where its lines end.
    pub(super) fn sign(
        identity: &Identity,
        frontier: &Frontier,
        end: &Position,
        key: &SecretKey,
    ) -> Result<Self, NoteError> {
        let head = Head { size: frontier.size(), root: frontier.root() };
        let note = Checkpoint { origin: identity.origin().to_owned(), head }.sign(key)?;
        Ok(Self::of(identity, frontier, end, note))
    }

    /// The record that frontier, place and note give.
    pub(super) fn of(identity: &Identity, frontier: &Frontier, end: &Position, note: String) -> Self {
        Self {
            size: frontier.size(),
            root: frontier.root(),
            segment: format!("{:020}", end.segment),
            length: end.offset,
            frontier: frontier.hashes().to_vec(),
            key: identity.vkey().short(),
            note,
        }
    }

    /// Its line, without the line feed.
    pub(super) fn line(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "texts and numbers")]
        serde_json::to_vec(self).expect("a record as JSON")
    }

    /// Reads a line: exactly the bytes that its own members give, signed by the log's key.
    pub(super) fn read(line: &[u8], identity: &Identity) -> Result<Self, Problem> {
        let record: Self = json::decode(line).map_err(|_| Problem::NotARecord)?;
        let frontier = record.frontier().ok_or(Problem::NotARecord)?;
        let end = record.end().ok_or(Problem::NotARecord)?;
        if Self::of(identity, &frontier, &end, record.note.clone()).line() != line {
            return Err(Problem::NotARecord);
        }
        record.check_note(identity)?;
        Ok(record)
    }

    fn check_note(&self, identity: &Identity) -> Result<(), CheckpointError> {
        let trusted = std::slice::from_ref(identity.vkey());
        let checkpoint = Checkpoint::open(&self.note, trusted)?;
        let alone = SignedNote::parse(&self.note)?.signatures() == 1;
        let same = checkpoint.origin == identity.origin() && checkpoint.head == self.head();
        if same && alone { Ok(()) } else { Err(CheckpointError::Malformed) }
    }

    /// The head that it signs.
    pub(super) fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }

    /// The signed checkpoint.
    pub(super) fn note(&self) -> &str {
        &self.note
    }

    /// Its frontier.
    pub(super) fn frontier(&self) -> Option<Frontier> {
        Frontier::from_parts(self.size, self.frontier.clone())
    }

    /// Where its lines end.
    pub(super) fn end(&self) -> Option<Position> {
        let segment = segment_first(&format!("{}.jsonl", self.segment))?;
        Some(Position { segment, offset: self.length, index: self.size })
    }
}

/// Bytes that no record or no signature covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    /// The file's name in its folder.
    pub(super) file: String,
    /// From which byte on.
    pub(super) offset: u64,
}

/// How the journal ends.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last record that holds.
    pub(super) record: Record,
    /// Its file.
    pub(super) file: String,
    /// Where it ends in that file.
    pub(super) end: u64,
    /// Whether its line feed was never written.
    pub(super) unended: bool,
    /// What was not written to its end behind it.
    pub(super) torn: Option<Torn>,
}

/// The journal's files that may be one, by name.
pub(super) fn files(journal: &Folder) -> Result<Vec<String>, AuditError> {
    Ok(journal.names()?.into_iter().filter(|name| segment_first(name).is_some()).collect())
}

/// Finds the last record that holds. A crash tears at most one record, so at most one is passed
/// over; if the one before doesn't hold either, that is damage.
pub(super) fn tail(journal: &Folder, identity: &Identity) -> Result<Tail, AuditError> {
    let mut torn = None;
    for name in files(journal)?.iter().rev() {
        let file = journal.read(name)?;
        if file.length()? == 0 {
            continue;
        }
        let behind = if torn.is_some() { Behind::Torn } else { Behind::Nothing };
        match last_of(&file, name, identity, behind)? {
            Last::Record(found) => return Ok(Tail { torn: torn.or(found.torn), ..*found }),
            Last::OnlyTorn(whole) => torn = Some(whole),
        }
    }
    Err(Damage::file("journal/", Problem::Missing))
}

enum Last {
    Record(Box<Tail>),
    OnlyTorn(Torn),
}

/// What was found behind a file, in later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// A torn record: a crash leaves no second one.
    Torn,
}

/// Looks at the end of one file.
fn last_of(file: &LogFile, name: &str, identity: &Identity, behind: Behind) -> Result<Last, AuditError> {
    let length = file.length()?;
    let start = length.saturating_sub(3 * MAX_RECORD);
    let bytes = file.range(start, length)?;
    let mut torn = None;
    let mut rest = bytes.as_slice();
    loop {
        let line = last_line(rest, start).ok_or_else(|| damaged(file, Problem::NotARecord))?;
        if line.bytes.is_empty() && rest.is_empty() {
            return torn.map(Last::OnlyTorn).ok_or_else(|| damaged(file, Problem::NotARecord));
        }
        match Record::read(line.bytes, identity) {
            Ok(record) => {
                let before = rest.get(..line.start).unwrap_or_default();
                if before.ends_with(&[line.bytes, b"\n"].concat()) {
                    return Err(damaged(file, Problem::Record));
                }
                let end = start + (line.start + line.bytes.len() + usize::from(line.ended)) as u64;
                let (file, unended) = (name.to_owned(), !line.ended);
                return Ok(Last::Record(Box::new(Tail { record, file, end, unended, torn })));
            }
            Err(_) if torn.is_none() && behind == Behind::Nothing => {
                torn = Some(Torn { file: name.to_owned(), offset: start + line.start as u64 });
                rest = rest.get(..line.start).unwrap_or_default();
            }
            Err(problem) => return Err(damaged(file, problem)),
        }
    }
}

fn damaged(file: &LogFile, problem: Problem) -> AuditError {
    Damage::file(file.shown(), problem)
}

struct LastLine<'a> {
    bytes: &'a [u8],
    start: usize,
    ended: bool,
}

/// The last line of `bytes`, which lie this far from the start of their file, ended or not. None when
/// it begins before them.
fn last_line(bytes: &[u8], offset: u64) -> Option<LastLine<'_>> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = match body.iter().rposition(|byte| *byte == b'\n') {
        Some(before) => before + 1,
        None if offset == 0 => 0,
        None => return None,
    };
    Some(LastLine { bytes: body.get(start..)?, start, ended: body.len() < bytes.len() })
}

/// The record that committed exactly `size` entries, from the file of its segment; none where they were committed
/// together with later ones.
pub(super) fn find(
    journal: &Folder,
    identity: &Identity,
    segment: u64,
    size: u64,
) -> Result<Option<Record>, AuditError> {
    let name = segment_name(segment);
    let file = journal.read(&name)?;
    let (mut low, mut high) = (0, file.length()?);
    // Records stand in the order of their sizes, so half of the file is left out each time. What is none, and is torn,
    // stands behind all of them.
    while low < high {
        let middle = low + (high - low) / 2;
        let found = first_from(&file, middle)?.filter(|(start, _)| *start < high);
        let order = found.as_ref().and_then(|(_, line)| size_of(line)).map(|own| own.cmp(&size));
        match (order, found) {
            (Some(Ordering::Less), Some((start, line))) => low = start + line.len() as u64 + 1,
            (Some(Ordering::Equal), Some((start, line))) => {
                return Record::read(&line, identity).map(Some).map_err(|problem| at(&file, start, problem));
            }
            _ => high = middle,
        }
    }
    Ok(None)
}

/// The first record that starts at this byte or behind it, and where it starts.
fn first_from(file: &LogFile, byte: u64) -> Result<Option<(u64, Vec<u8>)>, AuditError> {
    let from = byte.saturating_sub(1);
    let bytes = file.range(from, from + 2 * MAX_RECORD)?;
    let skip = match byte {
        0 => Some(0),
        _ => bytes.iter().position(|byte| *byte == b'\n').map(|before| before + 1),
    };
    let line = skip.and_then(|skip| bytes.get(skip..)?.split(|byte| *byte == b'\n').next());
    Ok(skip.zip(line).map(|(skip, line)| (from + skip as u64, line.to_vec())))
}

/// The size that a record begins with.
fn size_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"size\":")?;
    let digits = rest.split(|byte| *byte == b',').next().filter(|digits| digits.len() < rest.len())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Damage to the record that starts at this byte.
fn at(file: &LogFile, start: u64, problem: Problem) -> AuditError {
    let before = file.range(0, start).unwrap_or_default();
    let number = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    Damage::line(file.shown(), number, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Reader;
    use crate::audit::sample::{new_log, noon, open};
    use crate::policy::Caller;

    #[test]
    fn finds_the_record_of_each_commit_and_of_nothing_else() {
        let (folder, _) = new_log(16);
        let mut log = open(folder.path(), noon(0)).unwrap();
        for second in 1..40 {
            log.heartbeat(&Caller::unknown(), noon(second)).unwrap();
        }
        let reader = Reader::open(&folder.path().join("log")).unwrap();
        let own = |segment, size| {
            let found = find(&reader.files.journal, &reader.identity, segment, size).unwrap();
            found.map(|record| record.head().size)
        };
        for size in 1..=40 {
            assert_eq!(own((size - 1) - (size - 1) % 16, size), Some(size));
        }
        assert_eq!((own(0, 17), own(16, 16), own(32, 41)), (None, None, None));
    }

    #[test]
    fn what_is_torn_hides_no_record() {
        let (folder, _) = new_log(16);
        let mut log = open(folder.path(), noon(0)).unwrap();
        log.heartbeat(&Caller::unknown(), noon(1)).unwrap();
        let reader = Reader::open(&folder.path().join("log")).unwrap();
        let mut file = reader.files.journal.append(&segment_name(0)).unwrap();
        file.write(&[0; 4000]).unwrap();
        for size in 1..3 {
            let found = find(&reader.files.journal, &reader.identity, 0, size).unwrap();
            assert_eq!(found.map(|record| record.head().size), Some(size));
        }
    }
}
