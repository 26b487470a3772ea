//! The tip: what the committed lines add up to, line by line.
//!
//! In: committed lines and the record that ends them. Out: frontier, last leaf, position and
//! history, once the chain holds and the lines give the signed root. A writer reads the whole log
//! once when it opens it, and only what is new after that.

use super::entry::Place;
use super::error::{AuditError, Damage, Problem};
use super::history::{Brief, History};
use super::identity::Identity;
use super::journal::Record;
use super::lines::{Lines, Position, RawLine, segment_name};
use super::memory::Marks;
use super::store::Folder;
use super::tree::{Frontier, Hash, leaf_hash};

/// What the lines so far add up to.
#[derive(Debug)]
pub(super) struct Tip {
    pub(super) frontier: Frontier,
    pub(super) leaf: Hash,
    pub(super) at: Position,
    pub(super) history: History,
}

impl Default for Tip {
    fn default() -> Self {
        Self {
            frontier: Frontier::default(),
            leaf: Place::NOTHING,
            at: Position::default(),
            history: History::default(),
        }
    }
}

impl Tip {
    /// Takes one more line, which must say its own index and the hash of the one before.
    pub(super) fn add(&mut self, line: &RawLine) -> Result<(), AuditError> {
        let brief = Brief::of(line)?;
        chained(line, brief.seq, &Hash::from(&brief.prev), &self.leaf)?;
        let leaf = leaf_hash(&line.bytes);
        self.history.add(line, &brief, &self.frontier, leaf)?;
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
        let file = format!("entries/{}", segment_name(self.at.segment));
        let end = record.end().ok_or_else(|| Damage::file(file.clone(), Problem::NotARecord))?;
        if end.index < self.at.index {
            return Err(Damage::file("journal/", Problem::Short));
        }
        marks.pass(&self.frontier)?;
        for line in Lines::new(entries, identity.segment(), self.at, end) {
            self.add(&line?)?;
            marks.pass(&self.frontier)?;
        }
        if self.frontier.root() != record.head().root {
            return Err(Damage::file(file, Problem::Root));
        }
        marks.finish(self.frontier.size())
    }
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
