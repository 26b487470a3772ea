//! What finding out who signed artifacts may cost, so that no amount of junk beside a large one holds up the gate.
//!
//! In: evidence, and the release whose artifacts it may be signatures over. Out: which of it is left untried. A
//! signature that is no more than 64 bytes costs the hashing of all that it may be over, for each key that it may
//! be by: that is added up beforehand, in the order of evidence, so that no decision depends on how fast a
//! machine is. What is beyond [`HASHED_BYTES`] is set aside, and the excess is a limit of intake: a recorded deny.

use std::collections::BTreeSet;

use super::limits::HASHED_BYTES;
use super::{Evidence, OverLimit};
use crate::release::digest::Digest;

/// Evidence that costs more than is spent.
#[derive(Debug, Default)]
pub struct Untried {
    evidence: BTreeSet<Digest>,
    /// The limit that it exceeds, if there is any.
    pub over: Option<OverLimit>,
}

impl Untried {
    /// Adds up what evidence costs, in its order.
    pub(super) fn of(found: &[Evidence], costs: impl Fn(&Evidence) -> u64) -> Self {
        Self::beyond(HASHED_BYTES, found.iter().map(|evidence| (evidence.digest(), costs(evidence))))
    }

    fn beyond(limit: u64, all: impl Iterator<Item = (Digest, u64)>) -> Self {
        let mut untried = Self::default();
        let mut total = 0_u64;
        for (evidence, cost) in all {
            total = total.saturating_add(cost);
            if cost > 0 && total > limit {
                untried.evidence.insert(evidence);
            }
        }
        let what = "bytes to hash for signatures over artifacts";
        untried.over = (total > limit).then_some(OverLimit { source: None, what, limit, found: total });
        untried
    }

    /// Whether this piece is left untried.
    pub(super) fn has(&self, evidence: &Digest) -> bool {
        self.evidence.contains(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_nothing_is_tried_behind_what_costs_too_much() {
        let [first, junk, free, last] = ["a", "b", "c", "d"].map(|it| Digest::of_bytes(it.as_bytes()));
        let beyond =
            |limit| Untried::beyond(limit, [(first, 4), (junk, 7), (free, 0), (last, 1)].into_iter());
        let all = beyond(12);
        assert_eq!((all.evidence, all.over), (BTreeSet::new(), None));
        let some = beyond(11);
        let what = "bytes to hash for signatures over artifacts";
        assert_eq!(some.evidence, BTreeSet::from([last]));
        assert_eq!(some.over, Some(OverLimit { source: None, what, limit: 11, found: 12 }));
        assert_eq!(beyond(10).evidence, BTreeSet::from([junk, last]));
    }
}
