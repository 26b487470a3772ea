//! Entries of the audit log that a rollout owes, in their order, and what waits for them.
//!
//! Order is line → entry → raise: what could give the candidate more traffic, or touch anything, is held
//! while an entry is due. Pausing and lowering never wait for the log (`rollout.md` section 2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audit::entry::rollout::{Milestone, Rollout};
use crate::audit::{AuditError, AuditLog, LogReference};
use crate::policy::Caller;
use crate::rollout::journal::{Created, Implied, JournalError};
use crate::rollout::machine::{Command, Weight};
use crate::time::Timestamp;

/// How long after a failure the log is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the log is asked for an entry before a rollout that has ended gives up waiting.
const MOST_TRIES: u32 = 12;

/// The executor's log, and who writes to it.
pub struct LogBook {
    /// The log; none where it can't be opened, and what is done does not wait for it.
    pub log: Option<AuditLog>,
    /// Who runs the guard.
    pub caller: Caller,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// An entry that is due: what a line implies, and the members that say so.
#[derive(Debug, Clone)]
pub struct Due {
    /// What happened, and an operator's reason.
    pub implied: Implied,
    /// The entry's members.
    pub members: Rollout,
}

/// What takes the entries that a rollout owes.
pub trait Records: Send {
    /// Records one entry: durable before it returns.
    ///
    /// # Errors
    /// [`AuditError`]: exit 12 or 13 by its cause; then nothing is recorded.
    fn record(&mut self, due: &Due) -> Result<(), AuditError>;

    /// How long after a failure it is asked again.
    fn again(&self) -> Duration {
        AGAIN
    }
}

impl Due {
    /// The entry that a line implies; `elsewhere` is the decision's place where that is another log.
    ///
    /// # Errors
    /// [`JournalError::Envelope`] where the journal does not hold the plan.
    pub(super) fn of(
        implied: Implied,
        created: &Created,
        elsewhere: Option<&LogReference>,
    ) -> Result<Self, JournalError> {
        let members = implied.members(created)?;
        Ok(Self { implied, members: Rollout { audit_entry: elsewhere.cloned(), ..members } })
    }
}

impl Records for LogBook {
    fn record(&mut self, due: &Due) -> Result<(), AuditError> {
        let Due { implied, members } = due.clone();
        let now = (self.clock)();
        let log = self.log.as_mut().ok_or(AuditError::NoKey)?;
        log.record_rollout(implied.milestone, members, implied.note.as_deref(), &self.caller, now).map(drop)
    }
}

/// What is due and what is held.
#[derive(Debug, Default)]
pub(super) struct Book {
    due: VecDeque<Due>,
    held: Vec<(u64, Command)>,
    asked: Option<Instant>,
    again: Duration,
    again_at: Option<Instant>,
    tries: u32,
}

/// What became of asking the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It has the entry.
    Recorded,
    /// It has not; it is asked again.
    Failed {
        /// How often by now.
        tries: u32,
    },
}

impl Book {
    /// Nothing is owed yet.
    pub(super) fn asked_again_after(again: Duration) -> Self {
        Self { again, ..Self::default() }
    }

    /// One entry more.
    pub(super) fn owe(&mut self, due: Due) {
        self.due.push_back(due);
    }

    /// The entry to hand to the log now, if there is one and it is time.
    pub(super) fn next(&mut self, now: Instant) -> Option<Due> {
        let waits = self.asked.is_some() || self.again_at.is_some_and(|again| now < again);
        let due = self.due.front().filter(|_| !waits)?.clone();
        self.asked = Some(now);
        Some(due)
    }

    /// What the log answered.
    pub(super) fn answered(&mut self, result: &Result<(), AuditError>, now: Instant) -> Written {
        self.asked = None;
        if result.is_ok() {
            self.due.pop_front();
            (self.again_at, self.tries) = (None, 0);
            return Written::Recorded;
        }
        self.again_at = Some(now + self.again);
        self.tries += 1;
        Written::Failed { tries: self.tries }
    }

    /// Whether the entry that is due is the start of all.
    pub(super) fn is_start(&self) -> bool {
        self.due.front().is_some_and(|due| due.implied.milestone == Milestone::Started)
    }

    /// Whether nothing is owed.
    pub(super) fn is_clear(&self) -> bool {
        self.due.is_empty()
    }

    /// The rollout has ended: however often the log was asked before, it is asked for a while now.
    pub(super) fn try_anew(&mut self) {
        self.tries = 0;
    }

    /// Whether the log was asked often enough.
    pub(super) fn is_hopeless(&self) -> bool {
        self.tries >= MOST_TRIES
    }

    /// Holds a command of an epoch until the log has what is owed.
    pub(super) fn hold(&mut self, epoch: u64, command: Command) {
        self.held.push((epoch, command));
    }

    /// What may be done now: nothing while an entry is due, and never what an older epoch wanted.
    pub(super) fn release(&mut self, epoch: u64) -> Vec<Command> {
        if !self.is_clear() {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held).into_iter();
        held.filter(|(of, _)| *of == epoch).map(|(_, command)| command).collect()
    }
}

/// Whether a command has to wait for the log: it touches something, or raises the candidate above what it
/// has. A fence waits with what it is for: beside a start or a resume it is the first thing that touches.
pub(super) fn waits_for_the_log(command: &Command, entry: Option<Milestone>, actual: Weight) -> bool {
    match command {
        Command::RunMigration | Command::SkipMigration | Command::Scale { .. } | Command::StartCandidate => {
            true
        }
        Command::SetWeight { weight, .. } => *weight > actual,
        Command::Fence { .. } => matches!(entry, Some(Milestone::Started | Milestone::Resumed)),
        Command::KillMigration
        | Command::CloseConnections
        | Command::StopCandidate
        | Command::Alarm { .. } => false,
    }
}
