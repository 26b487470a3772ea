//! The hash tree over the log's lines: leaves, heads, and proofs of both kinds.
//!
//! In: lines, or hashes that somebody claims. Out: roots, the frontier that makes an append
//! O(log n), inclusion and consistency proofs and their verification.
//! Specs: <https://www.rfc-editor.org/rfc/rfc6962#section-2.1>,
//! <https://www.rfc-editor.org/rfc/rfc9162#section-2.1> (the same tree, its algorithms).

pub(in crate::audit) mod stretch;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::release::digest::{ClaimedDigest, DigestError};

/// A hash of the tree: of a leaf, a node, or a whole head.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// 32 bytes that stand for a hash in a binary or base64 text.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The same hash, as entries and envelopes write it down.
    pub fn claim(&self) -> ClaimedDigest {
        #[expect(clippy::expect_used, reason = "32 bytes are 64 lower-case hex digits")]
        ClaimedDigest::from_hex(&self.hex()).expect("a hash as hex")
    }
}

impl From<&ClaimedDigest> for Hash {
    fn from(digest: &ClaimedDigest) -> Self {
        Self(*digest.as_bytes())
    }
}

impl FromStr for Hash {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse::<ClaimedDigest>().map(|digest| Self::from(&digest))
    }
}

impl TryFrom<String> for Hash {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The hash of a leaf: of 0x00 and the line without its line feed.
pub fn leaf_hash(line: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(line).finalize().into())
}

/// The hash of a node over two trees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of no leaf at all.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest(b"").into())
}

/// The roots of the perfect trees that a log of some size consists of, the largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// A frontier as written down: one hash for each bit that is set in the size.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// How many leaves it is of.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, the largest tree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_tree(0, leaf);
    }

    /// Adds a perfect tree of this level, which the size is a multiple of.
    fn push_tree(&mut self, level: u32, tree: Hash) {
        let mut hash = tree;
        let mut full = self.size >> level;
        while full & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = node_hash(&left, &hash);
            full >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1 << level;
    }

    /// The head: the root over all leaves.
    pub fn root(&self) -> Hash {
        let folded = self.hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }

    /// The inclusion proof of the leaf that is pushed next, in the tree that it completes.
    pub fn proof_of_next(&self) -> Vec<Hash> {
        self.hashes.iter().rev().copied().collect()
    }
}

/// The root over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `size`.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The proof that the leaf at `index` is in the tree over `leaves`.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    match leaves {
        [] => None,
        [_] => (index == 0).then(Vec::new),
        _ => {
            let at = split(leaves.len());
            let (left, right) = leaves.split_at(at);
            let (mut proof, other) = match index.checked_sub(at) {
                None => (inclusion_proof(left, index)?, right),
                Some(index) => (inclusion_proof(right, index)?, left),
            };
            proof.push(root(other));
            Some(proof)
        }
    }
}

/// The proof that the tree over the first `size` leaves is a prefix of the one over all.
pub fn consistency_proof(leaves: &[Hash], size: usize) -> Option<Vec<Hash>> {
    match size {
        0 => None,
        _ if size > leaves.len() => None,
        _ => subproof(leaves, size, Known::Whole),
    }
}

/// Whether the verifier has the root of the subtree at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Whole,
    Part,
}

fn subproof(leaves: &[Hash], size: usize, known: Known) -> Option<Vec<Hash>> {
    if size == leaves.len() {
        return Some(if known == Known::Whole { Vec::new() } else { vec![root(leaves)] });
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, other) = match size.checked_sub(at) {
        None | Some(0) => (subproof(left, size, known)?, right),
        Some(size) => (subproof(right, size, Known::Part)?, left),
    };
    proof.push(root(other));
    Some(proof)
}

/// Whether `proof` shows that `leaf` is at `index` of the tree with this size and root.
/// RFC 9162, 2.1.3.2.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], head: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            (at, last) = climb(at, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *head
}

/// Skips the levels on which a node has no left sibling.
fn climb(mut at: u64, mut last: u64) -> (u64, u64) {
    while at & 1 == 0 && at != 0 {
        (at, last) = (at >> 1, last >> 1);
    }
    (at, last)
}

/// A size and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

/// Whether `proof` shows that the tree of `old` is a prefix of the tree of `new`.
/// RFC 9162, 2.1.4.2.
#[must_use]
pub fn verify_consistency(old: &Head, new: &Head, proof: &[Hash]) -> bool {
    if old.size > new.size {
        return false;
    }
    if old.size == new.size || old.size == 0 {
        let same = if old.size == 0 { old.root == empty_root() } else { true };
        return proof.is_empty() && same && (old.size != new.size || old.root == new.root);
    }
    let whole = old.size.is_power_of_two().then_some(old.root);
    let mut hashes = whole.into_iter().chain(proof.iter().copied());
    let Some(first) = hashes.next() else { return false };
    let (mut at, mut last) = (old.size - 1, new.size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut then, mut now) = (first, first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            then = node_hash(&hash, &then);
            now = node_hash(&hash, &now);
            (at, last) = climb(at, last);
        } else {
            now = node_hash(&now, &hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && then == old.root && now == new.root
}

#[cfg(test)]
mod tests;
