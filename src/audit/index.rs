//! An index of a log that is being read: where its lines are, and the tree in pieces.
//!
//! In: a [`Reader`] now and a later one when the log has grown. Out: any line without reading those before it,
//! and proofs whose leaves are read from the disk again, so that what is shown is what is there now.
//! Kept are a position, 24 bytes, per 32 lines, and the hash of their subtree, 32 bytes, per 256. Tree: RFC 6962 section 2.1.

use super::error::{AuditError, Damage, Problem};
use super::lines::Position;
use super::proof::TlogProof;
use super::reader::{Line, Reader};
use super::recorded::LogReference;
use super::tree::{Frontier, Hash, Head, inclusion_proof, node_hash, root, verify_inclusion};

/// Lines of a piece: a power of two, so that a piece is a subtree.
const PIECE: u64 = 256;
/// Lines from one place that is kept to the next: so many at most are read for one.
const STRIDE: u64 = 32;

/// Where lines are, up to a head.
#[derive(Debug, Default)]
pub struct Index {
    at: Position,
    marks: Vec<Position>,
    pieces: Vec<Hash>,
    /// Leaves behind the last whole piece.
    rest: Vec<Hash>,
    frontier: Frontier,
}

/// One line as it is on the disk, and how it is bound to a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The line.
    pub line: Line,
    /// The way from its leaf to the root.
    pub path: Vec<Hash>,
    /// The head that the way was tried with.
    pub head: Head,
    /// Whether it leads there.
    pub holds: bool,
}

/// A decision's entry with all that its own commit gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it stands.
    pub reference: LogReference,
    /// Its exact bytes, without the line feed.
    pub line: Vec<u8>,
    /// The `c2sp.org/tlog-proof@v1` text.
    pub proof: String,
}

impl Index {
    /// How many lines it knows.
    pub fn size(&self) -> u64 {
        self.at.index
    }

    /// Size and root of what it knows.
    pub fn head(&self) -> Head {
        Head { size: self.frontier.size(), root: self.frontier.root() }
    }

    /// The lines that come next, at most so many: fewer were there if there are fewer.
    ///
    /// # Errors
    /// [`AuditError`]: damage, or the reader has fewer lines than are known.
    pub fn ahead(&self, reader: &Reader, most: usize) -> Result<Vec<Line>, AuditError> {
        if reader.size() < self.size() {
            return Err(Damage::file("journal/", Problem::Short));
        }
        let lines = reader.raw(self.at).take(most);
        lines.map(|line| line.map(|line| Line { index: line.at.index, bytes: line.bytes })).collect()
    }

    /// Takes the line that comes next, whose hash this is.
    pub(super) fn take(&mut self, reader: &Reader, line: &Line, leaf: Hash) {
        self.push(self.at.next(reader.identity().segment()), line.bytes.len(), leaf);
    }

    fn push(&mut self, at: Position, bytes: usize, leaf: Hash) {
        if at.index.is_multiple_of(STRIDE) {
            self.marks.push(at);
        }
        self.frontier.push(leaf);
        self.rest.push(leaf);
        if self.rest.len() as u64 == PIECE {
            self.pieces.push(root(&self.rest));
            self.rest.clear();
        }
        self.at = at.past(bytes);
    }

    /// That what was read gives the signed head of the reader that it was read with.
    ///
    /// # Errors
    /// [`AuditError`]: it gives another.
    pub fn check(&self, reader: &Reader) -> Result<(), AuditError> {
        match self.head() == reader.head() {
            true => Ok(()),
            false => Err(Damage::file("entries/", Problem::Root)),
        }
    }

    /// A line, read now.
    ///
    /// # Errors
    /// [`AuditError`] for damage on the way.
    pub fn line(&self, reader: &Reader, index: u64) -> Result<Option<Line>, AuditError> {
        let near = self.from(reader, index - index % STRIDE, index + 1)?;
        Ok(near.into_iter().next_back().filter(|line| line.index == index))
    }

    /// Lines, in the order in which they are asked for, read now; neighbours are read together.
    ///
    /// # Errors
    /// [`AuditError`] for damage on the way.
    pub fn lines(&self, reader: &Reader, indices: &[u64]) -> Result<Vec<Line>, AuditError> {
        let (mut found, mut near) = (Vec::with_capacity(indices.len()), Vec::new());
        for index in indices {
            let is_it = |line: &&Line| line.index == *index;
            if !near.iter().any(|line| is_it(&line)) {
                near = self.from(reader, index - index % STRIDE, index + 1)?;
            }
            found.extend(near.iter().find(is_it).cloned());
        }
        Ok(found)
    }

    /// The lines from one whose place is kept up to `end`, or to the last that is known.
    fn from(&self, reader: &Reader, first: u64, end: u64) -> Result<Vec<Line>, AuditError> {
        let Some(mark) = self.marks.get(number(first / STRIDE)) else { return Ok(Vec::new()) };
        let most = number(end.min(self.size()).saturating_sub(mark.index));
        let lines = reader.raw(*mark).take(most);
        lines.map(|line| line.map(|line| Line { index: line.at.index, bytes: line.bytes })).collect()
    }

    /// A line and its way to the root of the first `head.size` lines, with all leaves near it read now.
    ///
    /// # Errors
    /// [`AuditError`] for damage on the way.
    pub fn prove(&self, reader: &Reader, index: u64, head: Head) -> Result<Option<Proven>, AuditError> {
        if index >= head.size || head.size > self.size() {
            return Ok(None);
        }
        let first = index - index % PIECE;
        let lines = self.from(reader, first, head.size.min(first + PIECE))?;
        let leaves: Vec<Hash> = lines.iter().map(Line::leaf).collect();
        let tree = Pieces { index: self, near: index / PIECE, leaves: &leaves };
        let path = tree.path(index, 0, head.size);
        let Some(line) = lines.into_iter().find(|line| line.index == index) else { return Ok(None) };
        let holds = verify_inclusion(&line.leaf(), index, head.size, &path, &head.root);
        Ok(Some(Proven { line, path, head, holds }))
    }

    /// An entry as its append gave it, with the proof in the tree that its own commit signed; none for an entry that
    /// is not known, or was committed together with later ones.
    ///
    /// # Errors
    /// [`AuditError`]: damage on the way, or a line that does not lead to the root of its commit.
    pub fn held(&self, reader: &Reader, index: u64) -> Result<Option<Held>, AuditError> {
        if index >= self.size() {
            return Ok(None);
        }
        let Some((head, checkpoint)) = reader.commit_of(index)? else { return Ok(None) };
        let Some(Proven { line, path, holds, .. }) = self.prove(reader, index, head)? else {
            return Ok(None);
        };
        if !holds {
            return Err(Damage::file(format!("entry {index}"), Problem::Root));
        }
        let reference = LogReference::of(reader.origin(), reader.log_id(), index, head);
        let proof = TlogProof { index, extra: None, hashes: path, checkpoint };
        Ok(Some(Held { reference, line: line.bytes, proof: proof.to_string() }))
    }
}

/// The tree, with one piece's leaves at hand.
struct Pieces<'a> {
    index: &'a Index,
    near: u64,
    leaves: &'a [Hash],
}

impl Pieces<'_> {
    /// The way up from a leaf inside `[low, high)`.
    fn path(&self, at: u64, low: u64, high: u64) -> Vec<Hash> {
        if high - low <= PIECE {
            return inclusion_proof(self.leaves, number(at - low)).unwrap_or_default();
        }
        let middle = low + split(high - low);
        let (mut path, other) = match at < middle {
            true => (self.path(at, low, middle), self.root(middle, high)),
            false => (self.path(at, middle, high), self.root(low, middle)),
        };
        path.push(other);
        path
    }

    /// The root of `[low, high)`, which starts with a piece.
    fn root(&self, low: u64, high: u64) -> Hash {
        let piece = low / PIECE;
        if high - low > PIECE {
            let middle = low + split(high - low);
            return node_hash(&self.root(low, middle), &self.root(middle, high));
        }
        let near = piece == self.near;
        match self.index.pieces.get(number(piece)) {
            Some(whole) if high - low == PIECE && !near => *whole,
            _ if near => root(self.leaves.get(..number(high - low)).unwrap_or_default()),
            _ => root(self.index.rest.get(..number(high - low)).unwrap_or_default()),
        }
    }
}

/// The largest power of two below a size.
fn split(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;

    /// The index of so many lines, none of which is on a disk.
    fn index(lines: u64) -> (Index, Vec<Hash>) {
        let mut index = Index::default();
        let mut leaves = Vec::new();
        let mut at = Position::default();
        for line in 0..lines {
            let bytes = line.to_string().into_bytes();
            leaves.push(leaf_hash(&bytes));
            index.push(at, bytes.len(), leaf_hash(&bytes));
            at = at.past(bytes.len());
        }
        (index, leaves)
    }

    #[test]
    fn finds_the_ways_that_the_whole_tree_gives() {
        let (index, leaves) = index(1500);
        for size in [1, 2, 255, 256, 257, 511, 512, 513, 1024, 1499, 1500] {
            for at in [0, 1, 200, 255, 256, 300, 511, 512, 1023, 1024, 1498, 1499] {
                if at >= size {
                    continue;
                }
                // A piece that lies behind `size` is only known whole: proofs of older heads are of its last entry.
                if size != 1500 && at / PIECE != (size - 1) / PIECE && !size.is_multiple_of(PIECE) {
                    continue;
                }
                let near = at / PIECE;
                let end = number(((near + 1) * PIECE).min(size));
                let own = &leaves[number(near * PIECE)..end];
                let tree = Pieces { index: &index, near, leaves: own };
                let expected = inclusion_proof(&leaves[..number(size)], number(at)).unwrap();
                assert_eq!(tree.path(at, 0, size), expected, "{at} of {size}");
            }
        }
        assert_eq!(index.head().root, root(&leaves));
    }
}
