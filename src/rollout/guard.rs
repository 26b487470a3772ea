//! The guard: a rollout for real. It looks, tells the machine, has every line durable, and does what
//! follows.
//!
//! In: a [`Journal`], an [`Assignment`] out of an accepted plan, the [`Tools`] of this executor, what
//! operators ask. Out: how it ended; on the way commands, entries of the audit log, a [`View`]. One
//! thread decides; whatever takes time or may hang is a worker's ([`workers`]), and an answer that comes too
//! late is of an old epoch. Killed at any moment it comes back by T26. Spec: `rollout.md` section 2.

mod alarms;
pub mod asks;
pub mod assignment;
mod book;
mod ending;
mod execute;
mod health;
mod observed;
mod pending;
pub(in crate::rollout) mod reading;
mod view;
mod window;
mod workers;

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::audit::AuditError;
use crate::audit::reader::Line;
use crate::rollout::journal::{Implied, Journal, JournalError, Notice, Told};
use crate::rollout::machine::step::Alarm;
use crate::rollout::machine::{Event, Occurrence, Outcome, Refusal, Stage, Weight};
use crate::rollout::objective::Look;
use crate::time::Timestamp;

pub use asks::{Ask, Asks, MOST_REASON, Unasked, Unread, Verb, Waiting};
pub use assignment::Assignment;
pub use book::{Due, LogBook, Records};
pub use ending::{Interrupt, is_stopped};
pub use view::{Shown, View};
pub use workers::{Programs, Sides, Tools};

use book::{Book, Written};
use pending::{Busy, Pending};
use workers::{Observation, Workers, give};

/// How often the guard wakes when nothing is seen.
const TICK: Duration = Duration::from_millis(50);
/// How long a last order may take.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(30);
/// How long calling somebody may take when the guard has to go.
const CALLED_WITHIN: Duration = Duration::from_secs(3);
/// How often it shows where it stands.
const SHOWN_EVERY: Duration = Duration::from_secs(1);

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The candidate has all traffic, and was watched with it.
    Completed,
    /// The candidate has none.
    RolledBack,
    /// It was never started.
    Expired,
}

/// Why a guard stopped before the end. The journal stays open: the same command goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The journal can't be written: nothing may follow. The candidate's traffic was ordered to 0.
    #[error("the journal can't go on")]
    Journal(#[from] JournalError),
    /// T1 refused.
    #[error("the rollout does not start: {0}")]
    NotStarted(Refusal),
    /// Traffic or what runs can't be read, so nothing may begin.
    #[error("the rollout does not start: {0}")]
    Unread(String),
    /// The log never took an entry.
    #[error("the audit log does not take the rollout's entries")]
    Log(#[source] AuditError),
    /// Somebody asked the guard itself to end: the weights stay as they are, and nobody watches them.
    #[error(
        "the guard was ended in the state `{stage}`, with the candidate at {actual} % of the traffic ({target} % commanded)"
    )]
    Interrupted {
        /// The state.
        stage: &'static str,
        /// The candidate's share as it was last read.
        actual: Weight,
        /// The share that was last commanded.
        target: Weight,
    },
}

/// Who is told what happens.
pub trait Watcher {
    /// A line was journaled; `look` is what was counted last.
    fn told(&mut self, at: Timestamp, told: &Told, event: &Event, look: &Look);
    /// Something went wrong that is no event: a program, a metric, the log.
    fn trouble(&mut self, what: &str);
    /// Where the rollout stands, about once a second.
    fn view(&mut self, view: &View);
}

/// A guard at work.
pub struct Guard<'a> {
    assignment: Assignment,
    journal: Journal,
    workers: Workers,
    seen: Receiver<Observation>,
    asks: Asks,
    nonces: BTreeSet<String>,
    /// The epoch of the last line before this guard.
    found_epoch: u64,
    book: Book,
    pending: Pending,
    soon: VecDeque<Event>,
    log_error: Option<AuditError>,
    programs: Programs,
    interval: TimeDelta,
    clock: fn() -> Timestamp,
    interrupt: Interrupt,
    watcher: &'a mut dyn Watcher,
    shown_at: Option<Instant>,
    asked_at: Option<Instant>,
}

impl<'a> Guard<'a> {
    /// A guard over a journal: a new one begins, an open one goes on.
    pub fn new(
        assignment: Assignment,
        journal: Journal,
        tools: Tools,
        clock: fn() -> Timestamp,
        watcher: &'a mut dyn Watcher,
    ) -> Self {
        let (nonces, found_epoch) = (nonces(&journal), journal.state().epoch);
        let asks = Asks::of(journal.path());
        let (programs, interval) = (tools.programs.clone(), tools.metrics.interval());
        let book = Book::asked_again_after(tools.book.again());
        let (workers, seen) = Workers::of(tools);
        Self {
            assignment,
            journal,
            workers,
            seen,
            asks,
            nonces,
            found_epoch,
            book,
            pending: Pending::new(),
            soon: VecDeque::new(),
            log_error: None,
            programs,
            interval,
            clock,
            interrupt: Interrupt::default(),
            watcher,
            shown_at: None,
            asked_at: None,
        }
    }

    /// What ends this guard, from another thread.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Owes the log an entry: one that follows now, or one that it lacks since a guard was killed between
    /// line and entry.
    ///
    /// # Errors
    /// [`JournalError::Envelope`] where the journal does not hold the plan: then nothing that waits for the log may
    /// follow.
    pub fn owe(&mut self, implied: Implied) -> Result<(), JournalError> {
        let due = Due::of(implied, self.journal.created(), self.assignment.elsewhere.as_ref())?;
        self.book.owe(due);
        Ok(())
    }

    /// Goes back, and never on: nothing that could raise is told before, whatever the requests' folder says.
    ///
    /// # Errors
    /// As [`Guard::run`].
    pub fn go_back(mut self, ask: &Ask) -> Result<End, GuardError> {
        let operator = ask.operator.clone();
        let event = match self.stage() {
            Stage::Planned => Event::Cancel(operator),
            // On its way already: what is read first is only ever lowered.
            stage if !stage.is_live() || matches!(stage, Stage::RollingBack { .. }) => return self.run(),
            _ => Event::Rollback(operator),
        };
        self.pending.begun = true;
        self.tell_of(ask.epoch, event, Some(ask.nonce.clone()))?;
        self.run()
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// [`GuardError`]: it has stopped before; the journal is open.
    pub fn run(mut self) -> Result<End, GuardError> {
        match self.stage() {
            // Its candidate may still run, if a guard was killed before it had stopped it.
            Stage::RolledBack => self.stop_again(),
            stage if stage.is_terminal() || self.pending.begun => {}
            _ => self.look_first(),
        }
        loop {
            self.write_entries()?;
            if let Some(end) = self.ended() {
                self.show(Instant::now());
                return Ok(end);
            }
            self.end_if_asked()?;
            match self.seen.recv_timeout(TICK) {
                Ok(seen) => self.take(seen)?,
                Err(RecvTimeoutError::Timeout) => {}
                // Every worker is gone, which none does by itself.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            }
            self.take_asks()?;
            self.wake()?;
            while let Some(event) = self.soon.pop_front() {
                self.tell(event)?;
            }
            self.show_at_times();
        }
    }

    fn stage(&self) -> &Stage {
        &self.journal.state().stage
    }

    fn epoch(&self) -> u64 {
        self.journal.state().epoch
    }

    /// How it ended, once the log knows and the candidate is stopped.
    fn ended(&self) -> Option<End> {
        let end = match self.stage() {
            Stage::Completed => End::Completed,
            Stage::RolledBack => End::RolledBack,
            Stage::Expired => End::Expired,
            _ => return None,
        };
        (self.book.is_clear() && !self.pending.busy.contains(&Busy::Stopping)).then_some(end)
    }

    /// Tells the machine something in the present epoch.
    fn tell(&mut self, event: Event) -> Result<(), GuardError> {
        self.tell_of(self.epoch(), event, None)
    }

    /// Tells the machine something that was true in an epoch; durable before anything follows.
    fn tell_of(&mut self, epoch: u64, event: Event, nonce: Option<String>) -> Result<(), GuardError> {
        let now = (self.clock)();
        let before = self.journal.state().clone();
        let occurrence = Occurrence { epoch, event };
        self.nonces.extend(nonce.clone());
        let seen = if nonce.is_none() { self.pending.seen(&occurrence.event) } else { None };
        let notice = Notice { occurrence: occurrence.clone(), observed_at: now, nonce, seen };
        let told = match self.journal.receive(notice, now) {
            Ok(told) => told,
            Err(error) => return Err(self.give_up(error)),
        };
        self.watcher.told(now, &told, &occurrence.event, &self.pending.look);
        if let (Event::Start { .. }, Outcome::Refused(why)) = (&occurrence.event, told.step.outcome) {
            return Err(GuardError::NotStarted(why));
        }
        if before.stage.name() != told.step.next.stage.name() || before.epoch != told.step.next.epoch {
            self.pending.turned(&told.step.next);
        }
        if told.step.next.stage.is_terminal() && !before.stage.is_terminal() {
            self.book.try_anew();
        }
        if let Err(error) = self.execute(&before, &told) {
            return Err(self.give_up(error));
        }
        self.show(Instant::now());
        Ok(())
    }

    /// The journal can't be written, so nobody could say later what was done: nobody watches any more, and
    /// the candidate is better without traffic. A restart reads it as drift. Before the start and after the
    /// end there is nothing to take back.
    fn give_up(&mut self, error: JournalError) -> GuardError {
        if !self.stage().is_live() {
            return GuardError::Journal(error);
        }
        // Above whatever is on its way.
        let epoch = self.epoch() + 1;
        self.workers.fence(epoch);
        give(&self.workers.traffic, workers::TrafficOrder::Set { weight: Weight::ZERO, epoch });
        self.watcher.trouble("the journal can't be written: the candidate's traffic is ordered to 0");
        let deadline = Instant::now() + GIVEN_UP_WITHIN;
        // The workers end with the guard, so it waits for the answer to that order, and no other.
        while let Some(rest) = deadline.checked_duration_since(Instant::now()) {
            match self.seen.recv_timeout(rest) {
                Ok(Observation::Set { epoch: of, result: Ok(()) }) if of == epoch => {
                    return GuardError::Journal(error);
                }
                Ok(Observation::Set { epoch: of, .. }) if of == epoch => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.watcher.trouble("the candidate's traffic may NOT be at 0: lower it by hand");
        self.workers.alarms.ring(workers::word(Alarm::NotLowered));
        // The call ends with the guard, too.
        std::thread::sleep(CALLED_WITHIN);
        GuardError::Journal(error)
    }

    /// Hands the next entry to the log. After the end it is asked for a minute, and until the candidate is
    /// stopped, and no longer.
    fn write_entries(&mut self) -> Result<(), GuardError> {
        if let Some(due) = self.book.next(Instant::now()) {
            give(&self.workers.entries, due);
        }
        let over = self.stage().is_terminal() && !self.pending.busy.contains(&Busy::Stopping);
        match (self.log_error.take(), over && self.book.is_hopeless()) {
            (Some(error), true) => Err(GuardError::Log(error)),
            (error, _) => {
                self.log_error = error;
                Ok(())
            }
        }
    }

    fn recorded(&mut self, result: Result<(), AuditError>) -> Result<(), GuardError> {
        let first = self.book.is_start();
        let written = self.book.answered(&result, Instant::now());
        let Err(error) = result else {
            self.log_error = None;
            self.pending.clear_trouble("log");
            let released = self.book.release(self.epoch());
            released.into_iter().for_each(|command| self.carry_out(command));
            return Ok(());
        };
        if first && matches!(self.stage(), Stage::Migrating { .. }) {
            // Nothing was touched yet, and nothing is.
            return Err(GuardError::Log(error));
        }
        let text = format!("the audit log does not take the entry: {error}");
        if written == (Written::Failed { tries: 1 }) {
            self.watcher.trouble(&text);
        }
        self.pending.trouble("log", text);
        self.log_error = Some(error);
        Ok(())
    }

    fn show_at_times(&mut self) {
        let now = Instant::now();
        if self.shown_at.is_none_or(|shown| now.duration_since(shown) >= SHOWN_EVERY) {
            self.show(now);
        }
    }

    fn show(&mut self, now: Instant) {
        self.shown_at = Some(now);
        let view = self.view();
        // A view that can't be written is no view, and no reason to stop.
        let _ = view.write(self.journal.path());
        self.watcher.view(&view);
    }
}

/// The requests that a journal holds already.
fn nonces(journal: &Journal) -> BTreeSet<String> {
    let nonce = |line: Result<Line, JournalError>| {
        let line: serde_json::Value = serde_json::from_slice(&line.ok()?.bytes).ok()?;
        line.get("event")?.get("nonce")?.as_str().map(str::to_owned)
    };
    journal.lines().filter_map(nonce).collect()
}
