//! Bipartite matching: how many slots can be filled, each by another one.
//!
//! In: who fits which slot. Out: a largest assignment, the same for the same input.
//! Augmenting paths (Kuhn, 1955): <https://en.wikipedia.org/wiki/Matching_(graph_theory)>.

/// Gives each slot one of those that fit it, none twice, so that as many slots as possible are
/// filled. `fits[slot]` lists the fitting ones by number below `count`.
pub(super) fn assign(fits: &[Vec<usize>], count: usize) -> Vec<Option<usize>> {
    let mut holder = vec![None; count];
    for slot in 0..fits.len() {
        let mut tried = vec![false; count];
        fill(slot, fits, &mut holder, &mut tried);
    }
    let mut assigned = vec![None; fits.len()];
    for (one, slot) in holder.into_iter().enumerate() {
        if let Some(place) = slot.and_then(|slot: usize| assigned.get_mut(slot)) {
            *place = Some(one);
        }
    }
    assigned
}

/// Fills one slot, moving the holders of others where that frees one. Depth is bounded by the
/// number of slots, which the policy's schema bounds.
fn fill(slot: usize, fits: &[Vec<usize>], holder: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &one in fits.get(slot).map(Vec::as_slice).unwrap_or_default() {
        match tried.get_mut(one) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let free = match holder.get(one).copied().flatten() {
            None => true,
            Some(other) => fill(other, fits, holder, tried),
        };
        if free {
            if let Some(place) = holder.get_mut(one) {
                *place = Some(slot);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every assignment, by trying all.
    fn most(fits: &[Vec<usize>], used: u32) -> usize {
        let Some((first, rest)) = fits.split_first() else { return 0 };
        let without = most(rest, used);
        let with = first.iter().filter(|one| used & (1 << **one) == 0);
        with.map(|one| 1 + most(rest, used | (1 << one))).max().unwrap_or(0).max(without)
    }

    #[test]
    fn moves_a_person_of_two_roles_to_the_role_that_nobody_else_has() {
        // Slot 0 fits both, slot 1 only the first: the first must not stay in slot 0.
        assert_eq!(assign(&[vec![0, 1], vec![0]], 2), [Some(1), Some(0)]);
    }

    proptest! {
        #[test]
        fn fills_as_many_slots_as_trying_everything_does(
            fits in proptest::collection::vec(proptest::collection::vec(0usize..6, 0..5), 0..6),
        ) {
            let assigned = assign(&fits, 6);
            prop_assert_eq!(assigned.iter().flatten().count(), most(&fits, 0));
            let mut seen = std::collections::BTreeSet::new();
            for (slot, one) in assigned.iter().enumerate() {
                if let Some(one) = one {
                    prop_assert!(fits[slot].contains(one), "assigned to a slot that does not fit");
                    prop_assert!(seen.insert(*one), "assigned twice");
                }
            }
        }
    }
}
