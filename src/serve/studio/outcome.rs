//! What a decision came to, as people say it.
//!
//! In: an action and a verdict. Out: one of five outcomes, its name, and the class that colours it.

use crate::plan::draft::Verdict;
use crate::policy::account::Action;

/// What a decision came to, as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Allowed,
    Overridden,
    Denied,
    Inconclusive,
    Rehearsed,
}

impl Outcome {
    /// Every one, in the order in which charts stack them.
    pub(super) const ALL: [Self; 5] =
        [Self::Allowed, Self::Overridden, Self::Inconclusive, Self::Denied, Self::Rehearsed];

    pub(super) fn of(action: Action, verdict: Verdict) -> Self {
        match (action, verdict) {
            (Action::Allow, Verdict::Pass) => Self::Allowed,
            (Action::Allow, _) => Self::Overridden,
            (Action::Deny, Verdict::Error) => Self::Inconclusive,
            (Action::Deny, _) => Self::Denied,
            (Action::None, _) => Self::Rehearsed,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::Overridden => "Break-glass",
            Self::Denied => "Denied",
            Self::Inconclusive => "Inconclusive",
            Self::Rehearsed => "Rehearsal",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Overridden => "glass",
            Self::Denied => "deny",
            Self::Inconclusive => "unclear",
            Self::Rehearsed => "dry",
        }
    }

    pub(super) fn place(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }
}
