//! Reading a journal without its lock: for `status`, `history` and `verify-journal`.
//!
//! In: the state folder, a target, a plan. Out: [`Reading`], every whole line of it checked and
//! replayed; a guard at work is never in the way, and its unfinished line is left to it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::audit::chain::{self, Head, Torn};
use crate::audit::reader;
use crate::audit::tree::Hash;
use crate::release::digest::ClaimedDigest;
use crate::rollout::machine::{Outcome, Schedule, State};
use crate::time::Timestamp;

use super::error::Stop;
use super::place::Place;
use super::replay::{self, Replay, Replaying, Taken};
use super::{BOUNDS, Created, Implied, JournalError, Seen};

/// A journal as of one of its lines.
#[derive(Debug)]
pub struct Reading {
    path: PathBuf,
    replay: Replay,
    records: Vec<Record>,
    head: Head,
    torn: Option<Torn>,
}

/// One line, as people read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its exact bytes, without the line feed.
    pub bytes: Vec<u8>,
    /// Its place.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// When it was written.
    pub received_at: Timestamp,
    /// When its event was seen.
    pub observed_at: Timestamp,
    /// The event's type.
    pub event: String,
    /// What was said of it; of line 0 nothing, since that holds the envelope.
    pub data: Map<String, Value>,
    /// Why it was told, where that was measured.
    pub seen: Option<Seen>,
    /// What became of it; none for line 0.
    pub outcome: Option<Outcome>,
    /// The state before it.
    pub before: State,
    /// The state after it.
    pub after: State,
}

impl Reading {
    /// Reads, checks and replays the journal of a plan.
    ///
    /// # Errors
    /// [`JournalError`]: there is none, or it does not check out (exit 13).
    pub fn open(state: &Path, target: &str, plan: &ClaimedDigest) -> Result<Self, JournalError> {
        let (place, shelf) = Place::find(state, target, plan)?;
        let absent = || JournalError::Absent { plan: plan.clone(), path: place.path().to_owned() };
        let shelf = shelf.ok_or_else(absent)?;
        let mut replaying = Replaying::new(&place, plan, target, &replay::schedule_of);
        let mut records = Vec::new();
        let extent = chain::read(&shelf, BOUNDS, |line| -> Result<(), Stop> {
            records.push(Record::of(line, replaying.take(line)?));
            Ok(())
        });
        let extent = extent.map_err(|stop| stop.in_journal(&place))?;
        let replay = replaying.finish().ok_or_else(absent)?;
        let path = place.path().to_owned();
        Ok(Self { path, replay, records, head: extent.head, torn: extent.torn })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its line 0 says.
    pub fn created(&self) -> &Created {
        self.replay.created()
    }

    /// What the plan in it follows.
    pub fn schedule(&self) -> &Schedule {
        self.replay.schedule()
    }

    /// Where the rollout stands.
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// How long it is, and its last leaf.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The line that answers a request, and what came of it; none while the guard has not taken it.
    pub fn answer(&self, nonce: &str) -> Option<(&Record, Outcome)> {
        let asked = |record: &&Record| {
            let line: Option<Value> = serde_json::from_slice(&record.bytes).ok();
            line.is_some_and(|line| line.pointer("/event/nonce").is_some_and(|own| own == nonce))
        };
        let record = self.records.iter().rev().find(asked)?;
        record.outcome.map(|outcome| (record, outcome))
    }

    /// Its lines.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The leaf hash of each line.
    pub fn leaves(&self) -> &[Hash] {
        self.replay.leaves()
    }

    /// The entries of the audit log that its lines imply, in order.
    pub fn implied(&self) -> &[Implied] {
        self.replay.implied()
    }

    /// What follows its last whole line: a guard at work, or a crash.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }
}

impl Record {
    fn of(raw: &reader::Line, taken: Taken) -> Self {
        let Taken { line, step } = taken;
        let data = if step.is_some() { line.event.data().clone() } else { Map::new() };
        Self {
            bytes: raw.bytes.clone(),
            seq: line.seq,
            leaf: raw.leaf(),
            received_at: line.received_at,
            observed_at: line.event.observed_at(),
            seen: line.event.seen().cloned(),
            event: line.event.kind,
            data,
            outcome: step.map(|step| step.outcome),
            before: line.state_before,
            after: line.state_after,
        }
    }
}
