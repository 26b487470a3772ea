//! The ledger: what the log lets in, and how many entries of each kind there are.
//!
//! In: the log's lines, followed as it grows; nothing counts before the lines gave the signed head. Out: the allow of
//! a digest for an environment, and counts. What entries are about is asked of the follower's catalog, which the
//! studio has, too; the ledger is besides since what an allow lets in stands in its plan, a blob, and counts only
//! under trust. A log that can't be read, or does not check out, allows nothing: then all of it is read anew. Of what
//! expired long ago nothing is kept.

mod news;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use chrono::TimeDelta;

use crate::audit::catalog::Milestone;
use crate::audit::filter::Filter;
use crate::audit::follow::{Followed, Follower};
use crate::audit::index::Held;
use crate::audit::reader::Line;
use crate::audit::tree::Head;
use crate::audit::{AuditError, Reader};
use crate::release::digest::ClaimedDigest;
use crate::serve::journal::told;
use crate::time::Timestamp;
use news::{Allow, Change, News};

pub(super) use news::Counts;

/// How long it is told that an allow has expired.
const TOLD: TimeDelta = TimeDelta::days(7);
/// How long after a look that failed the log is not read again: then all of it is.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// What is told while all of the log is read.
const UNREAD: &str = "the log is not read yet";

/// Where a log is, and what trust says of it.
#[derive(Debug, Clone)]
pub struct LogAt {
    /// The log, and what it is pinned to.
    pub log: Followed,
    /// For which environments each pinned log may decide, by its id.
    pub decides: Vec<(ClaimedDigest, Vec<String>)>,
}

/// What a log says.
pub(super) struct Ledger {
    /// How long an allow counts at least after it was recorded.
    valid_for: TimeDelta,
    clock: fn() -> Timestamp,
    following: RwLock<Following>,
    known: RwLock<Known>,
}

/// The log that is followed.
struct Following {
    at: LogAt,
    follower: Follower,
    /// When it could not be read, and why.
    failed: Option<(Timestamp, String)>,
}

#[derive(Default)]
struct Known {
    decides: Vec<(ClaimedDigest, Vec<String>)>,
    allows: HashMap<String, HashMap<ClaimedDigest, Allow>>,
    counts: Counts,
    state: State,
}

/// How far the log is read.
#[derive(Default)]
enum State {
    #[default]
    Unread,
    Read(Health),
    Failed(String),
}

/// What is told of a log's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) origin: String,
    pub(super) log_id: ClaimedDigest,
    pub(super) head: Head,
    pub(super) checkpoint: String,
    pub(super) needs_repair: bool,
    /// The time of its last entry.
    pub(super) last: Option<Timestamp>,
    /// When it was said last that its head was kept elsewhere.
    pub(super) anchored: Option<Timestamp>,
}

/// Entries of a page, the newest first.
pub(super) struct Found {
    pub(super) lines: Vec<Line>,
    /// Before which entry to go on, if there are more.
    pub(super) next: Option<u64>,
}

/// What the log says of a digest in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It is allowed, by this entry.
    Allowed(u64),
    /// It was, until then.
    Expired { entry: u64, at: Timestamp },
    /// It was, until it was rolled back.
    RolledBack { entry: u64, by: u64 },
    /// It never was, or long ago.
    Nothing,
    /// Trust lets no gate of this log decide for that environment.
    NoGate,
    /// It can't be said.
    Unknown(String),
}

impl Ledger {
    pub(super) fn new(log: LogAt, valid_for: Option<std::time::Duration>, clock: fn() -> Timestamp) -> Self {
        let valid_for = valid_for.and_then(|length| TimeDelta::from_std(length).ok()).unwrap_or_default();
        Self { valid_for, clock, following: RwLock::new(Following::of(log)), known: RwLock::default() }
    }

    /// The log's origin, once it is read.
    pub(super) fn origin(&self) -> String {
        self.known(|known| match &known.state {
            State::Read(health) => health.origin.clone(),
            _ => String::new(),
        })
    }

    /// What trust says now. Where that is something else, all of the log is read anew under it.
    pub(super) fn renew(&self, at: LogAt) {
        let mut following = self.following.write().unwrap_or_else(PoisonError::into_inner);
        if following.at.says_as(&at) {
            return;
        }
        *following = Following::of(at);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log's health, or why there is none.
    pub(super) fn health(&self) -> Result<Health, String> {
        self.known(|known| match &known.state {
            State::Read(health) => Ok(health.clone()),
            State::Unread => Err(UNREAD.to_owned()),
            State::Failed(why) => Err(why.clone()),
        })
    }

    /// Whether a plan's rollout has ended, either way.
    pub(super) fn has_ended(&self, plan: &ClaimedDigest) -> bool {
        let following = self.followed();
        following.follower.catalog().rollout(&plan.to_string()).iter().any(Milestone::is_end)
    }

    /// The clock.
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn counts(&self) -> Counts {
        self.known(|known| known.counts.clone())
    }

    /// What the log says of a digest.
    pub(super) fn find(&self, environment: &str, digest: &ClaimedDigest, now: Timestamp) -> Said {
        self.known(|known| match &known.state {
            State::Unread => Said::Unknown("it is not read yet".to_owned()),
            State::Failed(why) => Said::Unknown(why.clone()),
            State::Read(health) if !known.may_decide(&health.log_id, environment) => Said::NoGate,
            State::Read(_) => match known.allows.get(environment).and_then(|allows| allows.get(digest)) {
                Some(Allow { entry, rolled_back: Some(by), .. }) => {
                    Said::RolledBack { entry: *entry, by: *by }
                }
                Some(allow) if now >= allow.until => Said::Expired { entry: allow.entry, at: allow.until },
                Some(allow) => Said::Allowed(allow.entry),
                None => Said::Nothing,
            },
        })
    }

    /// Reads what is new, and gives the log as it is then. Whoever comes meanwhile waits for it, unless all of the log
    /// is being read: then they come again.
    pub(super) fn look(&self) -> Result<Reader, String> {
        let mut following = self.to_follow()?;
        let (now, mut news) = ((self.clock)(), News::default());
        if let Some((at, why)) = &following.failed
            && (now - *at).abs() < RETRY
        {
            return Err(why.clone());
        }
        let Following { at, follower, .. } = &mut *following;
        let read = follower
            .catch_up(&at.log, |reader, read| news.take(reader, read, now, self.valid_for))
            .and_then(|reader| Ok((Health::of(&reader, follower)?, reader)));
        let read = read.map_err(|error| told(&error)).and_then(|read| news.sound().map(|()| read));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok((health, reader)) => {
                known.decides.clone_from(&following.at.decides);
                known.add(news, health, now);
                Ok(reader)
            }
            Err(why) => {
                // Nothing of what was read counts any more.
                *following = Following::of(following.at.clone());
                following.failed = Some((now, why.clone()));
                *known = Known { state: State::Failed(why.clone()), ..Known::default() };
                Err(why)
            }
        }
    }

    fn to_follow(&self) -> Result<RwLockWriteGuard<'_, Following>, String> {
        match self.following.try_write() {
            Ok(following) => Ok(following),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if self.known(|known| matches!(known.state, State::Unread)) => {
                Err(UNREAD.to_owned())
            }
            Err(TryLockError::WouldBlock) => {
                Ok(self.following.write().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    fn followed(&self) -> RwLockReadGuard<'_, Following> {
        self.following.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries before this one that a filter takes, the newest first, at most so many; read now.
    pub(super) fn page(
        &self,
        reader: &Reader,
        filter: &Filter,
        before: u64,
        most: usize,
    ) -> Result<Found, AuditError> {
        let following = self.followed();
        let mut matching = following.follower.catalog().matching(filter, before.min(reader.size()));
        let indices: Vec<u64> = matching.by_ref().take(most).collect();
        let next = matching.next().and(indices.last().copied());
        Ok(Found { lines: following.follower.index().lines(reader, &indices)?, next })
    }

    /// An entry, read now.
    pub(super) fn line(&self, reader: &Reader, index: u64) -> Result<Option<Line>, AuditError> {
        self.followed().follower.index().line(reader, index)
    }

    /// An entry as its own commit gave it, if it has a proof of its own.
    pub(super) fn held(&self, reader: &Reader, index: u64) -> Result<Option<Held>, AuditError> {
        self.followed().follower.index().held(reader, index)
    }
}

impl Following {
    fn of(at: LogAt) -> Self {
        Self { follower: Follower::default(), at, failed: None }
    }
}

impl LogAt {
    fn says_as(&self, other: &Self) -> bool {
        let same = |one: &Followed, two: &Followed| {
            (&one.folder, &one.origin, &one.pins) == (&two.folder, &two.origin, &two.pins)
        };
        same(&self.log, &other.log) && self.decides == other.decides
    }
}

impl Health {
    fn of(reader: &Reader, follower: &Follower) -> Result<Self, AuditError> {
        let catalog = follower.catalog();
        let last = catalog.len().checked_sub(1).and_then(|last| catalog.facets(last));
        Ok(Self {
            origin: reader.origin().to_owned(),
            log_id: reader.log_id(),
            head: reader.head(),
            checkpoint: reader.checkpoint().to_owned(),
            needs_repair: reader.needs_repair()?,
            last: last.map(|last| last.time),
            anchored: catalog.last_anchor().map(|(_, time)| time),
        })
    }
}

impl Known {
    /// Whether trust pins this very log for an environment. What nobody pinned lets nothing in: whoever can write the
    /// folder could put a log of their own there.
    fn may_decide(&self, log_id: &ClaimedDigest, environment: &str) -> bool {
        let names = |environments: &[String]| environments.iter().any(|name| name == environment);
        self.decides.iter().any(|(pinned, environments)| pinned == log_id && names(environments))
    }

    fn add(&mut self, news: News, health: Health, now: Timestamp) {
        news.changes.into_iter().for_each(|change| self.change(change));
        for allows in self.allows.values_mut() {
            allows.retain(|_, allow| now < allow.until + TOLD);
        }
        self.counts.add(news.counts);
        self.state = State::Read(health);
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Allowed(environment, digest, allow) => {
                let allows = self.allows.entry(environment).or_default();
                let longer = allows.get(&digest).filter(|known| known.rolled_back.is_none());
                if longer.is_none_or(|known| known.until <= allow.until) {
                    allows.insert(digest, allow);
                }
            }
            Change::RolledBack(plan, by) => {
                let allows = self.allows.values_mut().flat_map(HashMap::values_mut);
                allows.filter(|allow| allow.plan == plan).for_each(|allow| allow.rolled_back = Some(by));
            }
        }
    }
}

#[cfg(test)]
impl Ledger {
    /// One that holds these allows, for tests of what is answered by them.
    pub(super) fn holding(allows: &[(&str, ClaimedDigest, u64, Timestamp, Option<u64>)]) -> Self {
        let ledger = Self::unread();
        let mut known = Known::default();
        for (environment, digest, entry, until, rolled_back) in allows.iter().cloned() {
            let allow = Allow { entry, until, plan: digest.clone(), rolled_back };
            known.allows.entry(environment.to_owned()).or_default().insert(digest, allow);
        }
        let root = crate::audit::tree::empty_root();
        let environments = allows.iter().map(|(environment, ..)| (*environment).to_owned()).collect();
        known.decides = vec![(root.claim(), environments)];
        known.state = State::Read(Health {
            origin: "log.example".to_owned(),
            log_id: root.claim(),
            head: Head { size: 0, root },
            checkpoint: String::new(),
            needs_repair: false,
            last: None,
            anchored: None,
        });
        *ledger.known.write().unwrap() = known;
        ledger
    }

    /// One that has read nothing, of a log that is not there.
    pub(super) fn unread() -> Self {
        let log = Followed { folder: "/nowhere".into(), origin: None, pins: Vec::new() };
        Self::new(LogAt { log, decides: Vec::new() }, None, || Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: &str) -> ClaimedDigest {
        format!("sha256:{}", of.repeat(64)).parse().unwrap()
    }

    /// An allow of digest a by this entry's plan, for so many hours.
    fn allowed(entry: u64, plan: &str, hours: i64) -> Change {
        let until = Timestamp::UNIX_EPOCH + TimeDelta::hours(hours);
        let allow = Allow { entry, until, plan: digest(plan), rolled_back: None };
        Change::Allowed("production".to_owned(), digest("a"), allow)
    }

    /// What stands of digest a after these changes: its entry, and the entry that took it back.
    fn standing(changes: impl IntoIterator<Item = Change>) -> (u64, Option<u64>) {
        let mut known = Known::default();
        changes.into_iter().for_each(|change| known.change(change));
        let allow = &known.allows["production"][&digest("a")];
        (allow.entry, allow.rolled_back)
    }

    #[test]
    fn a_new_decision_lets_in_again_what_was_rolled_back_before_it() {
        // Also where it is all read at once, and the new one is the shorter.
        let back = || Change::RolledBack(digest("b"), 6);
        assert_eq!(standing([allowed(5, "b", 9), back()]), (5, Some(6)));
        assert_eq!(standing([allowed(5, "b", 9), back(), allowed(7, "c", 3)]), (7, None));
        assert_eq!(standing([allowed(5, "b", 9), allowed(7, "c", 3), back()]), (5, Some(6)));
    }

    #[test]
    fn the_longer_of_two_allows_counts() {
        assert_eq!(standing([allowed(5, "b", 9), allowed(7, "c", 3)]), (5, None));
        assert_eq!(standing([allowed(5, "b", 3), allowed(7, "c", 3)]), (7, None));
    }

    #[test]
    fn a_log_that_nobody_pinned_may_decide_for_nothing() {
        let known = Known { decides: vec![(digest("b"), vec!["production".to_owned()])], ..Known::default() };
        assert!(known.may_decide(&digest("b"), "production"));
        assert!(!known.may_decide(&digest("c"), "production"));
        assert!(!known.may_decide(&digest("b"), "staging"));
        assert!(!Known::default().may_decide(&digest("b"), "production"));
    }
}
