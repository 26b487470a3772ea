//! Who asks, and what they may do.
//!
//! In: what a login proved. Out: a [`Caller`], which a route finds among its request's extensions
//! (`Extension<Caller>`). A request that no login let in never reaches a route, so there is always one.
//! Reading and controlling are separate rights: neither includes the other.

use std::collections::BTreeSet;

/// One thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    /// See decisions, plans and rollouts.
    Read,
    /// Pause, resume and roll back.
    Control,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name that the log and the journal are to hold: a person's of `trust.yaml`, where there is one.
    name: String,
    rights: BTreeSet<Right>,
}

impl Caller {
    pub(super) fn new(name: impl Into<String>, rights: BTreeSet<Right>) -> Self {
        Self { name: name.into(), rights }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}
