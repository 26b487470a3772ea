//! What records of approval come to: which of one person's stand, and who counts by them.
//!
//! In: facts about approvals, one rule's view of them. Out: [`Standing`] of each record, and a
//! [`Tally`] of people.

use crate::time::Timestamp;
use crate::verify::facts::{ApprovalDecision, ApprovalFact, Party};

/// What an approval record comes to under one rule.
pub(super) enum Standing {
    Counts,
    Rejects,
    IsParty(Party),
    Lacks(String),
}

/// Who counts under one rule, who doesn't for being a party, and what others lack.
#[derive(Default)]
pub(super) struct Tally<'a> {
    pub(super) counting: Vec<&'a ApprovalFact>,
    pub(super) parties: Vec<(&'a ApprovalFact, Party)>,
    pub(super) lacking: Vec<String>,
}

impl Tally<'_> {
    /// Facts hold one record per person; that nobody counts twice does not rest on it.
    pub(super) fn has(&self, person: &str) -> bool {
        self.counting.iter().any(|fact| fact.person == person)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.counting.iter().map(|fact| fact.person.clone()).collect()
    }
}

/// Of one person's records those that stand. Their own rejection stands alone; so does one that is
/// passed on, unless they approved later themselves; else every approval may count.
pub(super) fn standing_records(mut records: Vec<&ApprovalFact>) -> Vec<&ApprovalFact> {
    let is_rejection = |fact: &&ApprovalFact| fact.decision == ApprovalDecision::Rejected;
    records.sort_by_key(|fact| (fact.attested_by.is_some(), fact.time, is_rejection(fact)));
    let own = records.iter().copied().find(|fact| fact.attested_by.is_none());
    if let Some(own) = own.filter(is_rejection) {
        return vec![own];
    }
    let passed_on = records.iter().copied().rfind(|fact| fact.attested_by.is_some());
    match passed_on.filter(is_rejection) {
        Some(rejection) => match own.filter(|own| own.time > rejection.time) {
            Some(own) => vec![own],
            None => vec![rejection],
        },
        None => records.into_iter().filter(|fact| !is_rejection(fact)).collect(),
    }
}

pub(super) fn rejects(fact: &ApprovalFact, now: Timestamp) -> bool {
    fact.decision == ApprovalDecision::Rejected && !fact.roles.is_empty() && fact.expires_at > now
}
