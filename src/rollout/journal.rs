//! The rollout journal: what happened to a plan at a target, each line durable before its effect.
//!
//! In: events from whoever guards a rollout. Out: the machine's [`Step`]s, once their line is on the
//! disk; after a restart the same state again, replayed from the lines and compared with what each of
//! them says. Layout: `STATE/<target>/lock` and `STATE/<target>/<plan hex>/entries/`, by the audit
//! log's entries writer ([`chain`](crate::audit::chain)); no tree, no signatures: what must not be
//! forgotten is anchored in the audit log. Spec: `rollout.md` section 2, "Journal"; T22 to T26, P10.
//! Not checked here: who an operator is, and that the envelope is a gate's
//! ([`Envelope::accept`](super::Envelope::accept) does).

mod anchor;
mod error;
mod event;
mod line;
mod place;
mod reading;
mod replay;

use crate::audit::chain::{Bounds, Chain, SetAside};
use crate::audit::{AuditError, reader};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;

pub use crate::audit::chain::Head;
pub use anchor::{Anchor, Implied, check_anchors, missing_entries};
pub use error::{Fault, JournalError};
pub use event::{Created, Notice, Seen, Slots};
pub use place::{Standing, TargetLock, standing, targets};
pub use reading::{Reading, Record};
pub use replay::{schedule_of, unproven_core};

use super::machine::{Occurrence, Outcome, Schedule, State, Step, step};
use error::Stop;
use event::EventBody;
use line::Line;
use place::Place;
use replay::Replay;

/// How large a journal's parts may be. Line 0 holds the envelope: its plan core grows with the
/// artifacts (some 300 bytes each, so that 20,000 fit), its entry has at most 65,535 bytes, escaped at
/// most twice as many. Segments are as long as the audit log's.
const BOUNDS: Bounds = Bounds { segment: 65_536, line: 8 * 1024 * 1024 };

/// A journal that is open to be continued, under its target's lock.
#[derive(Debug)]
pub struct Journal {
    place: Place,
    chain: Chain,
    replay: Replay,
    set_aside: Option<SetAside>,
    _lock: TargetLock,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what is journaled has to be done"]
pub struct Told {
    /// What follows. Of a repeated event nothing does, and its outcome is that of the first time.
    pub step: Step,
    /// The journal's head with the event's line: what an entry of the log anchors.
    pub head: Head,
    /// The event's id.
    pub event_id: Digest,
    /// Whether it was journaled before (T24).
    pub repeated: Repeated,
}

/// Whether an event was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// It is new.
    No,
    /// It was: nothing was written.
    Yes,
}

impl Journal {
    /// Starts the journal of a plan: line 0 is durable before this returns.
    ///
    /// # Errors
    /// [`JournalError`]: another plan is open at the target, this one has a journal already, or the
    /// envelope is not the plan's; or the system's word.
    pub fn create(
        lock: TargetLock,
        created: &Created,
        schedule: Schedule,
        received_at: Timestamp,
    ) -> Result<Self, JournalError> {
        let place = lock.place(&created.plan_digest);
        if created.target != lock.target() {
            let (target, lock) = (created.target.clone(), lock.target().to_owned());
            return Err(JournalError::OtherTarget { target, lock });
        }
        replay::check_envelope(created)?;
        if let Some(plan) = lock.standing()?.open {
            let target = created.target.clone();
            return Err(if plan == created.plan_digest {
                JournalError::Exists { plan, path: place.path().to_owned() }
            } else {
                JournalError::AnotherOpen { target, plan }
            });
        }
        let line = Line::created(EventBody::created(created, received_at)?, received_at);
        let bytes = line.bytes();
        let failed = |error| place.failed(error);
        let chain = Chain::create(lock.shelf(&created.plan_digest)?, BOUNDS, &bytes).map_err(failed)?;
        let replay = Replay::new(created.clone(), schedule, chain.head());
        Ok(Self { place, chain, replay, set_aside: None, _lock: lock })
    }

    /// Opens the journal of a plan that was started here before: sets a torn tail aside, checks the
    /// chain and replays it. Every line has to say what the machine gives.
    ///
    /// `schedule_of` makes the schedule of the envelope in line 0; [`schedule_of`] is one.
    ///
    /// # Errors
    /// [`JournalError`]: there is none, or it does not check out (exit 13; nothing is changed then).
    pub fn open<E: std::error::Error + Send + Sync + 'static>(
        lock: TargetLock,
        plan: &ClaimedDigest,
        schedule_of: impl Fn(&[u8]) -> Result<Schedule, E>,
    ) -> Result<Self, JournalError> {
        let place = lock.place(plan);
        let absent = || JournalError::Absent { plan: plan.clone(), path: place.path().to_owned() };
        let shelf = lock.existing_shelf(plan)?.ok_or_else(absent)?;
        let mut replaying = replay::Replaying::new(&place, plan, lock.target(), &schedule_of);
        let opened = Chain::open(shelf, BOUNDS, |line| replaying.take(line).map(|_| ()));
        let (chain, set_aside) = opened.map_err(|stop| match stop {
            Stop::Chain(AuditError::Missing(_)) => absent(),
            stop => stop.in_journal(&place),
        })?;
        let replay = replaying.finish().ok_or_else(absent)?;
        Ok(Self { place, chain, replay, set_aside, _lock: lock })
    }

    /// Journals an event and takes it: its line is durable before the step is given. What was
    /// journaled already changes nothing and has the same answer.
    ///
    /// # Errors
    /// [`JournalError`]; then the event is not taken, and nothing may be done about it.
    pub fn receive(&mut self, notice: Notice, received_at: Timestamp) -> Result<Told, JournalError> {
        let received_at = line::exact(received_at);
        let (body, occurrence) = EventBody::of(&self.replay.created().plan_digest, notice)?;
        let event_id = body.id();
        if let Some(outcome) = self.replay.told(&event_id) {
            return Ok(self.again(event_id, outcome));
        }
        let step = self.would(&occurrence, received_at);
        let before = self.replay.state();
        let line = Line::next(&self.chain.head(), body, received_at, before, &step.next);
        let head = self.chain.append(&line.bytes()).map_err(|error| self.place.failed(error))?;
        let step = self.replay.receive(event_id, &occurrence, received_at, head);
        Ok(Told { step, head, event_id, repeated: Repeated::No })
    }

    fn would(&self, occurrence: &Occurrence, at: Timestamp) -> Step {
        step(self.replay.schedule(), self.replay.state(), occurrence, at)
    }

    fn again(&self, event_id: Digest, outcome: Outcome) -> Told {
        let next = self.replay.state().clone();
        let step = Step { next, commands: Vec::new(), entry: None, outcome };
        Told { step, head: self.chain.head(), event_id, repeated: Repeated::Yes }
    }

    /// Where the rollout stands.
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// What it follows.
    pub fn schedule(&self) -> &Schedule {
        self.replay.schedule()
    }

    /// How long it is, and its last leaf.
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    /// Its folder.
    pub fn path(&self) -> &std::path::Path {
        self.place.path()
    }

    /// What its line 0 says.
    pub fn created(&self) -> &Created {
        self.replay.created()
    }

    /// The leaf hash of each line: what [`check_anchors`] holds the log's anchors against.
    pub fn leaves(&self) -> &[crate::audit::tree::Hash] {
        self.replay.leaves()
    }

    /// The entries of the audit log that its lines imply, in order; see [`missing_entries`].
    pub fn implied(&self) -> &[Implied] {
        self.replay.implied()
    }

    /// Its lines, read from the disk again.
    ///
    /// # Errors
    /// Each line's own.
    pub fn lines(&self) -> impl Iterator<Item = Result<reader::Line, JournalError>> + '_ {
        self.chain.lines().map(|line| line.map_err(|error| self.place.failed(error)))
    }

    /// What a crash had torn off its end, when it was opened: an event of which nothing was done.
    pub fn set_aside(&self) -> Option<&SetAside> {
        self.set_aside.as_ref()
    }
}
