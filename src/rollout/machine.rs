//! The rollout as a state machine: a table of 27 rows, pure.
//!
//! In: a [`Schedule`], a [`State`], an [`Occurrence`] and the time at which it was received. Out: a
//! [`Step`]: the next state, what to do about it, and what the journal says. There is no clock and
//! no I/O in here: readings, verdicts and deadlines come in as events, commands go out as values.
//! Table, causes and properties: `rollout.md` section 2; each row is a [`Row`].
//!
//! Bad news counts however late it comes; good news counts only with the current epoch and window.
//! Not checked here: who an operator is, and that an event is about this plan (the journal's).

pub mod event;
pub mod history;
mod paused;
mod restart;
mod retreat;
pub mod row;
pub mod schedule;
pub mod state;
pub mod step;
mod turn;
mod watch;

pub use event::{Event, Occurrence, Operator};
pub use history::History;
pub use row::Row;
pub use schedule::{Rung, Schedule};
pub use state::{Pause, Phase, Retreat, Stage, State, Weight, Window};
pub use step::{Command, Ignored, Outcome, Refusal, Step};

pub use crate::audit::entry::rollout::Milestone;
pub use crate::plan::Cause;

use crate::time::Timestamp;

/// Takes one event: what becomes of the rollout, and what is to be done.
///
/// A function of its arguments alone: the same events in the same order give the same states, which
/// is what makes a journal a record and not a story.
pub fn step(schedule: &Schedule, state: &State, occurrence: &Occurrence, received_at: Timestamp) -> Step {
    turn::Turn { schedule, state, occurrence, at: received_at }.take()
}

#[cfg(test)]
mod tests;
