//! A rollout and what it has taken: events are taken once (T24), and replay gives the same state.
//!
//! In: events with their ids, in the order of the journal. Out: a [`Step`] each. The journal on disk
//! is this with every line durable before its effect (`rollout.md` section 2, "Journal").

use std::collections::BTreeSet;

use crate::release::digest::Digest;
use crate::time::Timestamp;

use super::{Ignored, Occurrence, Schedule, State, Step, step};

/// A rollout and the ids of what it has taken.
#[derive(Debug, Clone)]
pub struct History {
    schedule: Schedule,
    state: State,
    taken: BTreeSet<Digest>,
}

impl History {
    /// A plan that nobody has started.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, state: State::planned(), taken: BTreeSet::new() }
    }

    /// Where the rollout stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it follows.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Takes an event, once: the second time nothing changes.
    pub fn receive(&mut self, id: Digest, occurrence: &Occurrence, received_at: Timestamp) -> Step {
        if !self.taken.insert(id) {
            return Step::ignored(&self.state, Ignored::Repeated);
        }
        let step = step(&self.schedule, &self.state, occurrence, received_at);
        self.state = step.next.clone();
        step
    }
}
