//! Voices: how many signers spoke, each by an identity that no other one needs.
//!
//! In: in whose name something was said, and by which identities. Out: the signers that count towards an
//! `atLeast`. Patterns of two signers may overlap, so that one workload speaks in both names: it counts
//! for one of them, however often it signs and however often its evidence is copied.

use std::collections::BTreeSet;

use super::matching;
use crate::release::digest::Digest;

/// Whose word something is. A key is that of one signer, so that its name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party<'a> {
    /// The identity of a certificate, by the digest in the facts.
    Identity(Digest),
    /// The one signer who holds a key.
    Holder(&'a str),
}

impl<'a> Party<'a> {
    /// Who spoke in a signer's name.
    pub(super) fn of(signer: &'a str, identity: Option<Digest>) -> Self {
        identity.map_or(Self::Holder(signer), Self::Identity)
    }
}

/// One way in which a signer said all that was asked: by one identity, or by several that each said a part.
#[derive(Debug, Clone)]
pub(super) struct Voice<'a> {
    /// In whose name.
    pub(super) signer: &'a str,
    /// By whom.
    pub(super) by: BTreeSet<Party<'a>>,
}

/// The signers that count, sorted: each by identities that no other one of them needs. As many as can be of
/// those that one identity speaks for; of those that several speak for together the first, by name.
pub(super) fn distinct<'a>(voices: &[Voice<'a>]) -> Vec<&'a str> {
    let names: BTreeSet<&str> = voices.iter().map(|voice| voice.signer).collect();
    let parties: BTreeSet<Party<'a>> = voices.iter().flat_map(|voice| voice.by.iter().copied()).collect();
    let parties: Vec<Party<'a>> = parties.into_iter().collect();
    let alone = |voice: &&Voice<'a>| voice.by.len() == 1;
    let fits = |name: &&str| {
        let theirs = voices.iter().filter(alone).filter(|voice| voice.signer == *name);
        let theirs = theirs.flat_map(|voice| &voice.by);
        theirs.filter_map(|party| parties.binary_search(party).ok()).collect()
    };
    let fits: Vec<Vec<usize>> = names.iter().map(fits).collect();
    let assigned = matching::assign(&fits, parties.len());
    let mut used: BTreeSet<Party<'a>> =
        assigned.iter().flatten().filter_map(|at| parties.get(*at)).copied().collect();
    let mut counting = Vec::new();
    for (name, alone) in names.into_iter().zip(assigned) {
        let mut theirs = voices.iter().filter(|voice| voice.signer == name);
        if alone.is_some() {
            counting.push(name);
        } else if let Some(voice) = theirs.find(|voice| voice.by.is_disjoint(&used)) {
            used.extend(&voice.by);
            counting.push(name);
        }
    }
    counting
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn voice<'a>(signer: &'a str, identities: &[&str]) -> Voice<'a> {
        let digest = |text: &&str| Some(Digest::of_bytes(text.as_bytes()));
        Voice { signer, by: identities.iter().map(|text| Party::of(signer, digest(text))).collect() }
    }

    #[test]
    fn one_identity_that_fits_two_signers_counts_for_one_of_them() {
        assert_eq!(distinct(&[voice("a", &["x"]), voice("b", &["x"]), voice("b", &["x"])]), ["a"]);
        assert_eq!(distinct(&[voice("a", &["x"]), voice("a", &["y"]), voice("b", &["x"])]), ["a", "b"]);
    }

    #[test]
    fn two_holders_of_keys_count_both() {
        let holder = |signer| Voice { signer, by: [Party::of(signer, None)].into() };
        assert_eq!(distinct(&[holder("b"), holder("a"), holder("a")]), ["a", "b"]);
    }

    #[test]
    fn identities_that_say_a_part_each_are_needed_by_one_signer_alone() {
        assert_eq!(distinct(&[voice("a", &["x", "y"]), voice("b", &["y", "z"])]), ["a"]);
        assert_eq!(distinct(&[voice("a", &["x", "y"]), voice("b", &["y"])]), ["b"]);
        assert_eq!(distinct(&[voice("a", &["x", "y"]), voice("b", &["z"])]), ["a", "b"]);
        assert_eq!(distinct(&[]), [] as [&str; 0]);
    }

    proptest! {
        #[test]
        fn never_counts_more_signers_than_there_are_identities(
            drawn in proptest::collection::vec((0..4_usize, proptest::collection::btree_set(0..4_usize, 1..3)), 0..8),
        ) {
            let texts = ["w", "x", "y", "z"];
            let voices: Vec<_> = drawn.iter().map(|(signer, by)| {
                voice(texts[*signer], &by.iter().map(|at| texts[*at]).collect::<Vec<_>>())
            }).collect();
            let identities: BTreeSet<_> = drawn.iter().flat_map(|(_, by)| by).collect();
            let counted = distinct(&voices);
            prop_assert!(counted.len() <= identities.len());
            prop_assert!(voices.is_empty() || !counted.is_empty());
            prop_assert!(counted.is_sorted());
        }
    }
}
