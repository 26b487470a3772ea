//! A sweep: every committed line of a log read and hashed once, its segments side by side.
//!
//! In: where the lines begin and end, and what is to be taken of each. Out: per segment, in order, what was taken,
//! and the trees of its leaves, which [`fold`] makes one frontier of. Whoever holds that against a signed head knows
//! that every byte that was taken is the one that was recorded. Kept at a time are one line per thread and what is
//! taken. Not checked here: what lines say.

use super::error::{AuditError, Damage, Problem};
use super::lines::{Lines, Position, RawLine, segment_name};
use super::store::Folder;
use super::tree::stretch::Stretch;
use super::tree::{Frontier, Hash, leaf_hash};
use crate::workers;

/// The lines from one place to another.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    /// The folder of segments.
    pub(super) entries: &'a Folder,
    /// Lines in a segment.
    pub(super) segment: u64,
    /// Where a line starts.
    pub(super) from: Position,
    /// Where the committed lines end.
    pub(super) end: Position,
    /// Sizes whose heads are asked for on the way, ascending.
    pub(super) sizes: Vec<u64>,
}

/// What a segment gave.
#[derive(Debug)]
pub(super) struct Swept<T> {
    tree: Stretch,
    on_the_way: Vec<Stretch>,
    found: T,
}

impl Sweep<'_> {
    /// Sweeps: per segment `begin` gives what `take` adds each line and its hash to.
    ///
    /// # Errors
    /// [`AuditError`]: the first line, in their order, that can't be read or that is not taken.
    pub(super) fn run<T: Send>(
        &self,
        begin: impl Fn(Position) -> T + Sync,
        take: impl Fn(&mut T, &RawLine, Hash) -> Result<(), AuditError> + Sync,
    ) -> Result<Vec<Swept<T>>, AuditError> {
        let pieces = self.pieces()?;
        let work = |piece: &(Position, Position)| self.piece(*piece, begin(piece.0), &take);
        workers::on_each(&pieces, workers::available(), work).into_iter().collect()
    }

    /// Each segment's part. A segment that is followed by another ends with its file.
    fn pieces(&self) -> Result<Vec<(Position, Position)>, AuditError> {
        let (mut pieces, mut from) = (Vec::new(), self.from);
        while from.segment < self.end.segment {
            let offset = self.entries.read(&segment_name(from.segment))?.length()?;
            let next = from.segment + self.segment;
            pieces.push((from, Position { segment: from.segment, offset, index: next }));
            from = Position { segment: next, offset: 0, index: next };
        }
        pieces.push((from, self.end));
        Ok(pieces)
    }

    fn piece<T>(
        &self,
        (from, end): (Position, Position),
        mut found: T,
        take: impl Fn(&mut T, &RawLine, Hash) -> Result<(), AuditError>,
    ) -> Result<Swept<T>, AuditError> {
        let (mut tree, mut on_the_way) = (Stretch::at(from.index), Vec::new());
        let mut lines = Lines::new(self.entries, self.segment, from, end);
        let mut line = RawLine::default();
        while lines.read(&mut line)? {
            let leaf = leaf_hash(&line.bytes);
            take(&mut found, &line, leaf)?;
            tree.push(leaf);
            if self.sizes.binary_search(&tree.end()).is_ok() {
                on_the_way.push(tree.clone());
            }
        }
        Ok(Swept { tree, on_the_way, found })
    }
}

/// Adds what a sweep found behind these leaves to their frontier. `pass` is given the frontier at each size that was
/// asked for.
///
/// # Errors
/// Those of `pass`, and damage if the sweep began elsewhere.
pub(super) fn fold<T>(
    swept: Vec<Swept<T>>,
    frontier: &mut Frontier,
    mut pass: impl FnMut(&Frontier) -> Result<(), AuditError>,
) -> Result<Vec<T>, AuditError> {
    let elsewhere = || Damage::file("entries/", Problem::SegmentSize);
    let mut found = Vec::with_capacity(swept.len());
    for part in swept {
        for stretch in part.on_the_way {
            let mut then = frontier.clone();
            then.join(&stretch).ok_or_else(elsewhere)?;
            pass(&then)?;
        }
        frontier.join(&part.tree).ok_or_else(elsewhere)?;
        found.push(part.found);
    }
    Ok(found)
}
