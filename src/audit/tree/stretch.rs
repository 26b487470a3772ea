//! A stretch of the tree: perfect trees over leaves in the middle of a log.
//!
//! In: leaves from some index on. Out: the largest trees that they fill, which a [`Frontier`] that ends where they
//! begin takes over as they are. So parts of a log can be hashed side by side, whatever size they have.

use super::{Frontier, Hash, node_hash};

/// Perfect trees over the leaves from one index to another, from left to right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Stretch {
    begin: u64,
    end: u64,
    /// The level of each tree (0 is a leaf) and its root.
    trees: Vec<(u32, Hash)>,
}

impl Stretch {
    /// Of no leaf yet; the first has this index.
    pub(in crate::audit) fn at(begin: u64) -> Self {
        Self { begin, end: begin, trees: Vec::new() }
    }

    /// The index of the leaf that comes next.
    pub(in crate::audit) fn end(&self) -> u64 {
        self.end
    }

    /// Adds a leaf. A tree is only joined with its sibling: which of two is the left one follows from its index.
    pub(in crate::audit) fn push(&mut self, leaf: Hash) {
        let (mut level, mut hash) = (0, leaf);
        while (self.end >> level) & 1 == 1
            && let Some((_, left)) = self.trees.pop_if(|(own, _)| *own == level)
        {
            hash = node_hash(&left, &hash);
            level += 1;
        }
        self.trees.push((level, hash));
        self.end += 1;
    }
}

impl Frontier {
    /// Takes over the trees of the leaves that come next; none, and nothing is taken, if those are others.
    pub(in crate::audit) fn join(&mut self, next: &Stretch) -> Option<()> {
        if self.size() != next.begin {
            return None;
        }
        next.trees.iter().for_each(|(level, tree)| self.push_tree(*level, *tree));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;

    #[test]
    fn stretches_of_any_length_give_the_frontier_of_all_leaves() {
        for length in 1..=20 {
            let (mut joined, mut pushed) = (Frontier::default(), Frontier::default());
            for begin in (0..100).step_by(length) {
                let mut stretch = Stretch::at(begin);
                for leaf in begin..begin + length as u64 {
                    let leaf = leaf_hash(&leaf.to_le_bytes());
                    stretch.push(leaf);
                    pushed.push(leaf);
                    let mut so_far = joined.clone();
                    so_far.join(&stretch).unwrap();
                    assert_eq!(so_far, pushed, "{length} from {begin}");
                }
                joined.join(&stretch).unwrap();
                assert_eq!(stretch.end(), joined.size());
            }
        }
    }

    #[test]
    fn a_stretch_that_does_not_come_next_is_not_taken() {
        let mut frontier = Frontier::default();
        let mut later = Stretch::at(1);
        later.push(leaf_hash(b"later"));
        assert_eq!((frontier.join(&later), frontier), (None, Frontier::default()));
    }
}
