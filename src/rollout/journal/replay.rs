//! Replay: the lines taken again, each of which has to say what the machine gives (P10).
//!
//! In: a chain's lines, in order. Out: what they add up to, or the first line that says otherwise.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::audit::chain::Head;
use crate::audit::reader;
use crate::audit::tree::Hash;
use crate::json;
use crate::plan::RecordedCore;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::rollout::machine::{History, Occurrence, Outcome, Schedule, State, Step};
use crate::time::Timestamp;

use super::error::Stop;
use super::event::Created;
use super::line::Line;
use super::place::Place;
use super::{Fault, Implied, JournalError};

/// What a journal's lines add up to.
#[derive(Debug)]
pub(super) struct Replay {
    created: Created,
    history: History,
    told: BTreeMap<Digest, Outcome>,
    leaves: Vec<Hash>,
    implied: Vec<Implied>,
}

impl Replay {
    /// After line 0.
    pub(super) fn new(created: Created, schedule: Schedule, head: Head) -> Self {
        let history = History::new(schedule);
        Self { created, history, told: BTreeMap::new(), leaves: vec![head.leaf], implied: Vec::new() }
    }

    /// Takes one more event, whose line is the head's.
    pub(super) fn receive(&mut self, id: Digest, occurrence: &Occurrence, at: Timestamp, head: Head) -> Step {
        let before = self.history.state().clone();
        let step = self.history.receive(id, occurrence, at);
        self.told.insert(id, step.outcome);
        self.leaves.push(head.leaf);
        self.implied.extend(Implied::by(&before, &step, occurrence, head));
        step
    }

    /// What an event's outcome was, if it is journaled.
    pub(super) fn told(&self, id: &Digest) -> Option<Outcome> {
        self.told.get(id).copied()
    }

    pub(super) fn state(&self) -> &State {
        self.history.state()
    }

    pub(super) fn schedule(&self) -> &Schedule {
        self.history.schedule()
    }

    pub(super) fn created(&self) -> &Created {
        &self.created
    }

    pub(super) fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    pub(super) fn implied(&self) -> &[Implied] {
        &self.implied
    }
}

/// A replay under way.
pub(super) struct Replaying<'a, F> {
    place: &'a Place,
    plan: &'a ClaimedDigest,
    target: &'a str,
    schedule_of: &'a F,
    replay: Option<Replay>,
}

/// One line taken.
pub(super) struct Taken {
    pub(super) line: Line,
    /// What followed; line 0 has nothing to follow.
    pub(super) step: Option<Step>,
}

impl<'a, F, E> Replaying<'a, F>
where
    F: Fn(&[u8]) -> Result<Schedule, E>,
    E: std::error::Error + Send + Sync + 'static,
{
    pub(super) fn new(
        place: &'a Place,
        plan: &'a ClaimedDigest,
        target: &'a str,
        schedule_of: &'a F,
    ) -> Self {
        Self { place, plan, target, schedule_of, replay: None }
    }

    /// Takes one more line.
    pub(super) fn take(&mut self, raw: &reader::Line) -> Result<Taken, Stop> {
        self.line(raw).map_err(|fault| {
            let journal = self.place.path().to_owned();
            Stop::Journal(JournalError::Line { journal, line: raw.index, fault })
        })
    }

    fn line(&mut self, raw: &reader::Line) -> Result<Taken, Fault> {
        let head = Head { length: raw.index + 1, leaf: raw.leaf() };
        let line = Line::read(&raw.bytes)?;
        let id = line.event.check(self.plan)?;
        let Some(replay) = &mut self.replay else {
            self.replay = Some(self.begin(&line, head)?);
            return Ok(Taken { line, step: None });
        };
        let occurrence = line.event.read()?;
        if replay.told(&id).is_some() {
            return Err(Fault::Repeated);
        }
        if *replay.state() != line.state_before {
            return Err(Fault::StateBefore);
        }
        let step = replay.receive(id, &occurrence, line.received_at, head);
        match step.next == line.state_after {
            true => Ok(Taken { line, step: Some(step) }),
            false => Err(Fault::StateAfter),
        }
    }

    fn begin(&self, line: &Line, head: Head) -> Result<Replay, Fault> {
        let created = line.event.read_created()?;
        if created.target != self.target {
            return Err(Fault::OtherTarget(created.target));
        }
        let planned = State::planned();
        if line.state_before != planned || line.state_after != planned {
            return Err(Fault::StateAfter);
        }
        carries(&created.envelope, self.plan)?;
        let schedule = (self.schedule_of)(&created.envelope);
        let schedule = schedule.map_err(|error| Fault::Schedule(Box::new(error)))?;
        Ok(Replay::new(created, schedule, head))
    }

    pub(super) fn finish(self) -> Option<Replay> {
        self.replay
    }
}

/// That an envelope holds the plan that it is journaled for.
pub(super) fn check_envelope(created: &Created) -> Result<(), JournalError> {
    carries(&created.envelope, &created.plan_digest).map(|_| ()).map_err(JournalError::Envelope)
}

/// The schedule of the plan in an envelope: strict in its form; that it is a gate's is
/// [`Envelope::accept`](crate::rollout::Envelope::accept)'s.
///
/// # Errors
/// [`Fault`] where it is no envelope, or its plan contradicts itself.
pub fn schedule_of(envelope: &[u8]) -> Result<Schedule, Fault> {
    let core = unproven_core(envelope)?;
    Schedule::of_core(&core).map_err(|error| Fault::Schedule(Box::new(error)))
}

/// The plan core in an envelope, of which nothing is believed.
///
/// # Errors
/// [`Fault`] where it is none.
pub fn unproven_core(envelope: &[u8]) -> Result<RecordedCore, Fault> {
    let wire: Carrier = json::decode(envelope)?;
    RecordedCore::deserialize(&wire.plan).map_err(Fault::Unknown)
}

/// The size of an envelope's plan core in bytes, once it is the plan's.
pub(super) fn carries(envelope: &[u8], plan: &ClaimedDigest) -> Result<u64, Fault> {
    let wire: Carrier = json::decode(envelope)?;
    let canonical = json::canonical(&wire.plan);
    let digest = Digest::of_bytes(&canonical);
    if digest != *plan {
        return Err(Fault::PlanDigest(digest));
    }
    Ok(canonical.len() as u64)
}

/// What a journal needs of an envelope.
#[derive(Deserialize)]
struct Carrier {
    plan: Value,
}
