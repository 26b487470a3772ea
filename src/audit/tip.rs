//! The tip: what the committed lines add up to, line by line.
//!
//! In: committed lines and the record that ends them. Out: frontier, last leaf, position and
//! history, once the chain holds and the lines give the signed root. A writer reads the whole log
//! once when it opens it, and only what is new after that. Many lines are read segments side by side; if anything is
//! wrong with them, all are read again one by one, which says what and where: so a faster reading never has the
//! last word against a log, and in its favour only with the signed root.

use std::collections::BTreeMap;

use super::entry::{MAX_LINE, Place};
use super::error::{AuditError, Damage, Problem};
use super::history::{self, Brief, Gathered, History, Recent};
use super::identity::Identity;
use super::journal::Record;
use super::lines::{Lines, Position, RawLine, segment_name};
use super::memory::Marks;
use super::store::Folder;
use super::sweep::{self, Sweep};
use super::tree::{Frontier, Hash, leaf_hash};
use crate::time::Timestamp;

/// So many new lines are read side by side; fewer are not worth it.
const MANY: u64 = 1024;

/// What the lines so far add up to.
#[derive(Debug)]
pub(super) struct Tip {
    pub(super) frontier: Frontier,
    pub(super) leaf: Hash,
    pub(super) at: Position,
    pub(super) history: History,
    /// The frontier where each segment begins, but the first: from there an entry's proof is made anew.
    starts: BTreeMap<u64, Frontier>,
}

impl Default for Tip {
    fn default() -> Self {
        Self {
            frontier: Frontier::default(),
            leaf: Place::NOTHING,
            at: Position::default(),
            history: History::default(),
            starts: BTreeMap::new(),
        }
    }
}

impl Tip {
    /// Takes one more line, which must say its own index and the hash of the one before.
    pub(super) fn add(&mut self, line: &RawLine) -> Result<(), AuditError> {
        let brief = Brief::of(line)?;
        chained(line, brief.seq, &Hash::from(&brief.prev), &self.leaf)?;
        let leaf = leaf_hash(&line.bytes);
        self.history.add(line, &brief, leaf)?;
        if line.at.offset == 0 {
            self.starts.insert(line.at.segment, self.frontier.clone());
        }
        self.frontier.push(leaf);
        self.leaf = leaf;
        self.at = line.at.past(line.bytes.len());
        Ok(())
    }

    /// Reads on to the end that a signed record names.
    pub(super) fn catch_up(
        &mut self,
        entries: &Folder,
        identity: &Identity,
        record: &Record,
        marks: &mut Marks,
    ) -> Result<(), AuditError> {
        let end = self.end(record)?;
        if end.index < self.at.index {
            return Err(Damage::file("journal/", Problem::Short));
        }
        marks.pass(&self.frontier)?;
        if end.index - self.at.index >= MANY
            && let Some(ahead) = self.side_by_side(entries, identity, record, marks)
        {
            // A head that this log does not hold is damage, however its lines were read.
            ahead.on_the_way.iter().try_for_each(|frontier| marks.pass(frontier))?;
            *self = ahead.tip;
            return marks.finish(self.frontier.size());
        }
        self.one_by_one(entries, identity, record, marks)?;
        marks.finish(self.frontier.size())
    }

    /// The judge: reads every line, parses it, and says which does not check out.
    fn one_by_one(
        &mut self,
        entries: &Folder,
        identity: &Identity,
        record: &Record,
        marks: &mut Marks,
    ) -> Result<(), AuditError> {
        let (file, end) = (self.file(), self.end(record)?);
        for line in Lines::new(entries, identity.segment(), self.at, end) {
            self.add(&line?)?;
            marks.pass(&self.frontier)?;
        }
        match self.frontier.root() == record.head().root {
            true => Ok(()),
            false => Err(Damage::file(file, Problem::Root)),
        }
    }

    /// The segment that it stands in, as it is shown.
    fn file(&self) -> String {
        format!("entries/{}", segment_name(self.at.segment))
    }

    fn end(&self, record: &Record) -> Result<Position, AuditError> {
        record.end().ok_or_else(|| Damage::file(self.file(), Problem::NotARecord))
    }

    /// The tip at the end of a record, if all that one reading checks holds; none leaves it to the judge.
    fn side_by_side(
        &self,
        entries: &Folder,
        identity: &Identity,
        record: &Record,
        marks: &Marks,
    ) -> Option<Ahead> {
        let (segment, end) = (identity.segment(), record.end()?);
        let recent = Recent::at_the_end(last_time(entries, &end)?)?;
        let starts = (self.at.segment..end.index).step_by(usize::try_from(segment).ok()?);
        let mut sizes: Vec<u64> = marks.sizes().chain(starts).collect();
        sizes.sort_unstable();
        let sweep = Sweep { entries, segment, from: self.at, end, sizes };
        let swept = sweep.run(|_| Gathered::new(recent), Gathered::take).ok()?;
        let (mut frontier, mut on_the_way) = (self.frontier.clone(), Vec::new());
        let found = sweep::fold(swept, &mut frontier, |frontier| {
            on_the_way.push(frontier.clone());
            Ok(())
        });
        let (mut history, mut leaf) = (self.history.clone(), self.leaf);
        for gathered in found.ok()? {
            leaf = history.absorb(leaf, gathered)?;
        }
        let mut starts = self.starts.clone();
        if self.at.index.is_multiple_of(segment) && self.at.index < end.index {
            starts.insert(self.at.index, self.frontier.clone());
        }
        let of_segments = on_the_way.iter().filter(|frontier| frontier.size().is_multiple_of(segment));
        starts.extend(of_segments.map(|frontier| (frontier.size(), frontier.clone())));
        let holds = frontier.root() == record.head().root && frontier.size() == end.index;
        holds.then_some(Ahead { tip: Self { frontier, leaf, at: end, history, starts }, on_the_way })
    }

    /// The frontier before an entry of this hash, whose line is read again, and with it those before it in its segment.
    pub(super) fn before(
        &self,
        entries: &Folder,
        identity: &Identity,
        at: Position,
        leaf: Hash,
    ) -> Result<(RawLine, Frontier), AuditError> {
        let start = Position { segment: at.segment, offset: 0, index: at.segment };
        let mut frontier = self.starts.get(&at.segment).cloned().unwrap_or_default();
        let mut lines = Lines::new(entries, identity.segment(), start, self.at);
        let mut line = RawLine::default();
        while lines.read(&mut line)? {
            let own = leaf_hash(&line.bytes);
            if line.at == at && own == leaf {
                return Ok((line, frontier));
            }
            if line.at.index >= at.index {
                return Err(line.damaged(Problem::Chain));
            }
            frontier.push(own);
        }
        Err(Damage::file("entries/", Problem::Short))
    }
}

/// Where reading side by side led, and the frontiers that were asked for on the way.
struct Ahead {
    tip: Tip,
    on_the_way: Vec<Frontier>,
}

/// The time that the last line says.
fn last_time(entries: &Folder, end: &Position) -> Option<Timestamp> {
    let file = entries.read(&segment_name(end.segment)).ok()?;
    let bytes = file.range(end.offset.saturating_sub(MAX_LINE as u64 + 2), end.offset).ok()?;
    let bytes = bytes.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?.to_vec();
    let line = RawLine { at: *end, bytes };
    history::time_of(&line, &Brief::of(&line).ok()?.time).ok()
}

/// That a line says its own index and the hash of the line before.
pub(super) fn chained(line: &RawLine, seq: u64, prev: &Hash, before: &Hash) -> Result<(), AuditError> {
    if seq != line.at.index {
        return Err(line.damaged(Problem::Sequence { expected: line.at.index, found: seq }));
    }
    if prev != before {
        return Err(line.damaged(Problem::Chain));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
