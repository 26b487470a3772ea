//! The log as it is now: followed in the background, never read whole for a page.
//!
//! In: the log's folder. Out: [`Held`], behind a lock that is only ever taken for a moment; what is wrong with the
//! log is a state of it, shown on every page, and ends nothing. Each time that the log has grown, its new lines
//! are hashed on and the tree is held against the signed head (`audit-log.md` 1.6: readers need no lock).

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::audit::catalog::Catalog;
use crate::audit::follow::{Followed, Follower, Read};
use crate::audit::{AuditError, ExitClass, Index, Reader};
use crate::serve::keeper::{Pulse, look_after};
use crate::time::Timestamp;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(700);
/// So many lines that are still to be read are worth telling.
const MANY: u64 = 512;

/// A log and what is known of it.
pub(super) struct Shelf {
    log: Option<Followed>,
    clock: fn() -> Timestamp,
    held: RwLock<Held>,
}

/// What is known of the log.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) state: State,
    follower: Follower,
    pub(super) reader: Option<Arc<Reader>>,
    /// When it was last held against its signed head.
    pub(super) looked: Option<Timestamp>,
    /// How many entries it had then.
    pub(super) sound: u64,
    /// Whether a write failed and writers wait for repair.
    pub(super) needs_repair: bool,
}

/// How the log is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has looked yet.
    #[default]
    Unread,
    /// None is configured.
    Unconfigured,
    /// There is none.
    Absent { why: String },
    /// It is being read for the first time, or a lot was added.
    Reading { done: u64, total: u64 },
    /// What is shown is what is signed.
    Current,
    /// It can't be read now.
    Unreadable { why: Vec<String>, since: Timestamp },
    /// It does not check out.
    Damaged { why: Vec<String>, since: Timestamp },
}

impl Shelf {
    /// Of a log, which may not be there yet.
    pub(super) fn of(log: Option<Followed>, clock: fn() -> Timestamp) -> Arc<Self> {
        let state = if log.is_some() { State::Unread } else { State::Unconfigured };
        let held = RwLock::new(Held { state, ..Held::default() });
        Arc::new(Self { log, clock, held })
    }

    /// Looks after the log for as long as somebody holds the shelf.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn follow(self: &Arc<Self>) -> std::io::Result<()> {
        let Some(log) = self.log.clone() else { return Ok(()) };
        let shelf = Arc::downgrade(self);
        let look = move || match shelf.upgrade() {
            Some(shelf) => {
                shelf.look(&log);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        };
        // What is shown says itself when it was looked at.
        look_after("log", EVERY, (Pulse::of((self.clock)()), self.clock), look)
    }

    /// What is known now. Nobody asks twice at a time: between the two somebody may wait to write, and then both do.
    pub(super) fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// One look: what was added, or what is wrong.
    fn look(&self, log: &Followed) {
        if let Err(error) = log.open().and_then(|reader| self.read_on(Arc::new(reader))) {
            let state = self.trouble(&error);
            self.change(|held| held.state = state);
        }
    }

    fn trouble(&self, error: &AuditError) -> State {
        let why = chain(error);
        let since = match &self.held().state {
            State::Unreadable { since, .. } | State::Damaged { since, .. } => *since,
            _ => (self.clock)(),
        };
        match error {
            AuditError::Missing(_) if self.held().reader.is_none() => {
                State::Absent { why: error.to_string() }
            }
            error if error.exit_class() == ExitClass::Integrity => State::Damaged { why, since },
            // A log that was there and is gone is no log that was never there.
            AuditError::Missing(_) => State::Damaged { why, since },
            _ => State::Unreadable { why, since },
        }
    }

    fn read_on(&self, reader: Arc<Reader>) -> Result<(), AuditError> {
        let total = reader.size();
        loop {
            // The disk is read, and lines are hashed and understood, beside others who read: nobody waits for it.
            let lines = self.held().follower.ahead(&reader)?;
            if lines.is_empty() {
                break;
            }
            let read = Read::all(&lines)?;
            self.change(|held| held.take(&reader, &read, total));
        }
        self.held().follower.check(&reader)?;
        let needs_repair = reader.needs_repair()?;
        let now = (self.clock)();
        self.change(|held| {
            held.reader = Some(reader);
            held.looked = Some(now);
            held.sound = held.catalog().len();
            held.needs_repair = needs_repair;
            held.state = State::Current;
        });
        Ok(())
    }
}

impl Held {
    /// What the entries are about.
    pub(super) fn catalog(&self) -> &Catalog {
        self.follower.catalog()
    }

    /// Where they are.
    pub(super) fn index(&self) -> &Index {
        self.follower.index()
    }

    fn take(&mut self, reader: &Reader, read: &[Read<'_>], total: u64) {
        read.iter().for_each(|read| self.follower.take(reader, read));
        let done = self.catalog().len();
        if total.saturating_sub(done) > MANY {
            self.state = State::Reading { done, total };
        }
    }
}

/// An error and what is behind it, in words.
pub(super) fn chain(error: &dyn Error) -> Vec<String> {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        words.push(error.to_string());
        source = error.source();
    }
    words.dedup();
    words
}
