//! Coverage: an image index is vouched for as a whole, or on every platform alike.
//!
//! In: what each piece of evidence says of which part of an artifact. Out: what is said of whole
//! artifacts, and the pieces that are about some platforms only (`formats.md` section 10: a
//! requirement holds if the index *or every* leaf meets it).
//!
//! Pieces about single platforms add up only when they say the same in the same name: two signers
//! that each vouch for half of an index are not one that vouches for it. (Stricter than the
//! page's words, which would let a policy's `from: [a, b]` be met by halves.)

use std::collections::{BTreeMap, BTreeSet};

use super::facts::LeafEvidence;
use super::set_aside::{SetAside, Why};
use super::standing::identity;
use super::subjects::{Wanted, WantedArtifact};
use crate::evidence::attestation::Signed;
use crate::release::digest::Digest;
use crate::time::Timestamp;

/// How much of an artifact something is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    /// All of it.
    Whole,
    /// Some leaves of an image index, by position.
    Leaves(BTreeSet<usize>),
}

/// One piece of evidence that says `K` of part of an artifact.
pub(super) struct Piece<'a, K> {
    pub(super) artifact: usize,
    pub(super) cover: Cover,
    pub(super) says: K,
    pub(super) signed: &'a Signed,
}

/// What is said of a whole artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Covered<K> {
    pub(super) artifact: usize,
    pub(super) says: K,
    /// The piece; of several about leaves the first by digest.
    pub(super) evidence: Digest,
    /// The identity that signed that piece, if a certificate has one.
    pub(super) identity: Option<Digest>,
    /// Its trusted time; of several the earliest, and none if one has none.
    pub(super) time: Option<Timestamp>,
    /// Which leaf by which piece; empty when the artifact itself is the subject.
    pub(super) leaves: Vec<LeafEvidence>,
}

/// A piece that is about some leaves.
type Part<'a> = (&'a Signed, BTreeSet<usize>);

/// Adds up what is said of leaves.
pub(super) fn complete<K: Ord + Clone>(
    pieces: Vec<Piece<'_, K>>,
    wanted: &Wanted<'_>,
) -> (Vec<Covered<K>>, Vec<SetAside>) {
    let mut covered = Vec::new();
    let mut groups: BTreeMap<(usize, K), Vec<Part<'_>>> = BTreeMap::new();
    for piece in pieces {
        let (artifact, says, signed) = (piece.artifact, piece.says, piece.signed);
        match piece.cover {
            Cover::Whole => covered.push(Covered {
                artifact,
                says,
                evidence: signed.evidence,
                identity: identity(&signed.by),
                time: signed.trusted_time,
                leaves: Vec::new(),
            }),
            Cover::Leaves(leaves) => groups.entry((artifact, says)).or_default().push((signed, leaves)),
        }
    }
    let mut partial = Vec::new();
    for ((artifact, says), group) in groups {
        let Some(about) = wanted.artifacts.get(artifact) else { continue };
        match add_up(about, &group) {
            Ok(leaves) => covered.extend(whole(artifact, says, leaves)),
            Err(why) => partial.extend(group.iter().map(|(signed, _)| (*signed, why.clone()))),
        }
    }
    let counted: BTreeSet<Digest> = covered.iter().flat_map(Covered::pieces).collect();
    let set_aside = partial
        .into_iter()
        .filter(|(signed, _)| !counted.contains(&signed.evidence))
        .map(|(signed, why)| SetAside::because(signed, &why))
        .collect();
    (covered, set_aside)
}

impl<K> Covered<K> {
    /// Every piece that it rests on.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Digest> + use<'_, K> {
        self.leaves.iter().map(|leaf| leaf.evidence).chain([self.evidence])
    }
}

/// The piece that vouches for each leaf (the latest), if there is one for each.
fn add_up<'a>(about: &WantedArtifact, group: &[Part<'a>]) -> Result<Vec<(String, &'a Signed)>, Why> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for (at, leaf) in about.leaves.iter().enumerate() {
        let vouching = group.iter().filter(|(_, leaves)| leaves.contains(&at)).map(|(signed, _)| *signed);
        match vouching.max_by_key(|signed| (signed.trusted_time, signed.evidence)) {
            Some(signed) => found.push((leaf.platform.clone(), signed)),
            None => missing.push(format!("`{}`", leaf.platform)),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    Err(Why::IncompleteIndex { artifact: about.name.clone(), missing: missing.join(", ") })
}

/// One fact of all leaves; none of an artifact without leaves.
fn whole<K>(artifact: usize, says: K, leaves: Vec<(String, &Signed)>) -> Option<Covered<K>> {
    let first = leaves.iter().map(|(_, signed)| *signed).min_by_key(|signed| signed.evidence)?;
    let (evidence, identity) = (first.evidence, identity(&first.by));
    // `None` is the least: one leaf without a time leaves the whole without one.
    let time = leaves.iter().map(|(_, signed)| signed.trusted_time).min()?;
    let leaves = leaves.into_iter().map(|(platform, signed)| leaf_evidence(platform, signed)).collect();
    Some(Covered { artifact, says, evidence, identity, time, leaves })
}

fn leaf_evidence(platform: String, signed: &Signed) -> LeafEvidence {
    LeafEvidence { platform, evidence: signed.evidence, identity: identity(&signed.by) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::standing::tests::signed;
    use crate::verify::subjects::tests::{source, wanted};

    #[test]
    fn counts_leaves_only_when_one_name_vouches_for_each() {
        let source = source();
        let wanted = wanted(&source, &[("index", &["linux/amd64", "linux/arm64"])]);
        let (one, two) = (signed("ci", 1), signed("ci", 2));
        let piece =
            |signed, leaf, says| Piece { artifact: 0, cover: Cover::Leaves([leaf].into()), says, signed };
        let halves = || vec![piece(&one, 0, "ci"), piece(&two, 1, "ci")];
        let (covered, set_aside) = complete(halves(), &wanted);
        let leaf = |platform: &str, signed: &Signed| leaf_evidence(platform.to_owned(), signed);
        assert_eq!(
            covered,
            [Covered {
                artifact: 0,
                says: "ci",
                evidence: one.evidence.min(two.evidence),
                identity: None,
                time: None,
                leaves: vec![leaf("linux/amd64", &one), leaf("linux/arm64", &two)],
            }]
        );
        assert!(set_aside.is_empty());
        for pieces in [vec![piece(&one, 0, "ci")], vec![piece(&one, 0, "ci"), piece(&two, 1, "other")]] {
            let pieces_given = pieces.len();
            let (covered, set_aside) = complete(pieces, &wanted);
            assert!(covered.is_empty());
            assert_eq!(set_aside.len(), pieces_given);
            assert!(set_aside.iter().all(|it| it.kind == "incomplete-index"));
        }
    }

    #[test]
    fn a_piece_that_counts_elsewhere_is_not_set_aside() {
        let source = source();
        let wanted = wanted(&source, &[("a", &[]), ("index", &["linux/amd64", "linux/arm64"])]);
        let one = signed("ci", 1);
        let pieces = vec![
            Piece { artifact: 0, cover: Cover::Whole, says: "ci", signed: &one },
            Piece { artifact: 1, cover: Cover::Leaves([1].into()), says: "ci", signed: &one },
        ];
        let (covered, set_aside) = complete(pieces, &wanted);
        assert_eq!(covered.len(), 1);
        assert!(set_aside.is_empty());
    }
}
