//! What a reading is, where a rollout stands: the event that the machine is told, if any.
//!
//! In: the state and what was read. Out: an [`Event`]. Pure, and the only place that decides it: the guard of
//! a real rollout and the one of a simulated rollout both ask here. What they do not share is how they come to
//! a reading: the one orders it of a worker that may hang and holds the answer against its epoch, the other
//! looks at a world of its own.

use crate::rollout::driver::Remaining;
use crate::rollout::machine::state::Leg;
use crate::rollout::machine::{Event, Stage, State, Weight};

/// What has become of the weight that was commanded last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rollout) enum Commanded {
    /// The driver took it, so that a reading of it is one of now.
    Taken,
    /// It waits, or is on its way.
    UnderWay,
}

/// What a reading of the candidate's weight is; none where it is as it should be, or says nothing yet.
pub(in crate::rollout) fn reading(state: &State, weight: Weight, command: Commanded) -> Option<Event> {
    let taken = command == Commanded::Taken;
    match &state.stage {
        Stage::Migrating { .. } | Stage::WarmingUp { .. } if weight > Weight::ZERO => {
            Some(Event::Drift { weight })
        }
        Stage::Applying { .. } if weight == state.target => {
            taken.then_some(Event::WeightConfirmed { weight })
        }
        Stage::Applying { .. } if weight != state.actual => Some(Event::WeightMismatch { weight }),
        Stage::Observing { .. } | Stage::Monitoring { .. } if weight != state.target => {
            Some(Event::Drift { weight })
        }
        // Above its target it is told each time it is read, since T27 commands it down each time.
        Stage::Paused { .. } if weight != state.actual || weight > state.target => {
            Some(Event::Drift { weight })
        }
        Stage::RollingBack { retreat } => match retreat.leg {
            Leg::Lowering { .. } if weight == Weight::ZERO => {
                taken.then_some(Event::WeightConfirmed { weight })
            }
            Leg::Draining { .. } if weight > Weight::ZERO => Some(Event::Drift { weight }),
            _ => None,
        },
        _ => None,
    }
}

/// What is left at a candidate that is drained (T20): nothing, another weight, or it goes on.
pub(in crate::rollout) fn remaining(left: Remaining) -> Option<Event> {
    let Remaining { weight, connections, in_flight } = left;
    match (weight, connections, in_flight) {
        (Weight::ZERO, 0, 0) => Some(Event::Drained { weight, connections, in_flight }),
        (Weight::ZERO, ..) => None,
        (weight, ..) => Some(Event::Drift { weight }),
    }
}

/// What a deadline that has passed is.
pub(in crate::rollout) fn lapsed(stage: &Stage) -> Event {
    match stage {
        Stage::Paused { .. } => Event::PauseDeadline,
        _ => Event::Timeout,
    }
}
