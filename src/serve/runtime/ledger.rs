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
use std::time::{Duration, Instant};

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
/// What is said where nobody has read it for a while.
const STALE: &str = "it has not been read for some seconds";

/// How long what was read counts: whoever reads it again may have come to a halt.
const FRESH: Duration = Duration::from_secs(5);

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
    /// By environment and digest, one of each release.
    allows: HashMap<String, HashMap<ClaimedDigest, Vec<Allow>>>,
    counts: Counts,
    state: State,
    /// When that was.
    looked: Option<Instant>,
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
            State::Read(_) if !known.is_fresh() => Err(STALE.to_owned()),
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
            State::Unread => Said::Unknown(UNREAD.to_owned()),
            State::Failed(why) => Said::Unknown(why.clone()),
            State::Read(_) if !known.is_fresh() => Said::Unknown(STALE.to_owned()),
            State::Read(health) if !known.may_decide(&health.log_id, environment) => Said::NoGate,
            State::Read(_) => said(known.of(environment, digest), now),
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

    fn is_fresh(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < FRESH)
    }

    fn of(&self, environment: &str, digest: &ClaimedDigest) -> &[Allow] {
        self.allows.get(environment).and_then(|allows| allows.get(digest)).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, news: News, health: Health, now: Timestamp) {
        news.changes.into_iter().for_each(|change| self.change(change));
        for allows in self.allows.values_mut() {
            allows.values_mut().for_each(|of| of.retain(|allow| now < allow.until + TOLD));
            allows.retain(|_, of| !of.is_empty());
        }
        self.counts.add(news.counts);
        self.state = State::Read(health);
        self.looked = Some(Instant::now());
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Allowed(environment, digest, allow) => {
                let allows = self.allows.entry(environment).or_default().entry(digest).or_default();
                match allows.iter_mut().find(|known| known.release == allow.release) {
                    Some(known) => known.renew(allow),
                    None => allows.push(allow),
                }
            }
            Change::RolledBack(plan, by) => {
                let allows = self.allows.values_mut().flat_map(HashMap::values_mut).flatten();
                allows
                    .filter(|allow| allow.plans.contains(&plan))
                    .for_each(|allow| allow.rolled_back = Some(by));
            }
        }
    }
}

impl Allow {
    /// The same release was decided once more: the longer counts, or the only one that was not rolled back.
    fn renew(&mut self, newer: Self) {
        match self.rolled_back {
            Some(_) => *self = newer,
            None => {
                self.plans.extend(newer.plans);
                if self.until <= newer.until {
                    (self.entry, self.until) = (newer.entry, newer.until);
                }
            }
        }
    }
}

/// What these allows of one digest come to: one that holds, else what is told of the last one.
fn said(allows: &[Allow], now: Timestamp) -> Said {
    let holds = |allow: &&Allow| allow.rolled_back.is_none() && now < allow.until;
    let newest = |one: &&Allow| one.entry;
    if let Some(allow) = allows.iter().filter(holds).max_by_key(newest) {
        return Said::Allowed(allow.entry);
    }
    match allows.iter().max_by_key(newest) {
        Some(Allow { entry, rolled_back: Some(by), .. }) => Said::RolledBack { entry: *entry, by: *by },
        Some(allow) => Said::Expired { entry: allow.entry, at: allow.until },
        None => Said::Nothing,
    }
}

#[cfg(test)]
impl Ledger {
    /// One that holds these allows, for tests of what is answered by them.
    pub(super) fn holding(allows: &[(&str, ClaimedDigest, u64, Timestamp, Option<u64>)]) -> Self {
        let ledger = Self::unread();
        let mut known = Known::default();
        for (environment, digest, entry, until, rolled_back) in allows.iter().cloned() {
            let plans = vec![digest.clone()];
            let allow = Allow { entry, until, release: digest.clone(), plans, rolled_back };
            known.allows.entry(environment.to_owned()).or_default().insert(digest, vec![allow]);
        }
        let root = crate::audit::tree::empty_root();
        let environments = allows.iter().map(|(environment, ..)| (*environment).to_owned()).collect();
        known.decides = vec![(root.claim(), environments)];
        known.looked = Some(Instant::now());
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

    /// An allow of digest a by this entry, release and plan, for so many hours.
    fn allowed(entry: u64, (release, plan): (&str, &str), hours: i64) -> Change {
        let until = Timestamp::UNIX_EPOCH + TimeDelta::hours(hours);
        let (release, plans) = (digest(release), vec![digest(plan)]);
        let allow = Allow { entry, until, release, plans, rolled_back: None };
        Change::Allowed("production".to_owned(), digest("a"), allow)
    }

    fn back(plan: &str, by: u64) -> Change {
        Change::RolledBack(digest(plan), by)
    }

    /// What these changes come to for digest a, two hours on.
    fn standing(changes: impl IntoIterator<Item = Change>) -> Said {
        let mut known = Known::default();
        changes.into_iter().for_each(|change| known.change(change));
        said(known.of("production", &digest("a")), Timestamp::UNIX_EPOCH + TimeDelta::hours(2))
    }

    /// A release, and a plan of it.
    const FIRST: (&str, &str) = ("1", "b");
    /// The same release, decided again.
    const AGAIN: (&str, &str) = ("1", "c");
    /// Another release, with the same image.
    const OTHER: (&str, &str) = ("2", "d");

    #[test]
    fn a_new_decision_lets_in_again_what_was_rolled_back_before_it() {
        // Also where it is all read at once, and the new one is the shorter.
        assert_eq!(standing([allowed(5, FIRST, 9), back("b", 6)]), Said::RolledBack { entry: 5, by: 6 });
        assert_eq!(standing([allowed(5, FIRST, 9), back("b", 6), allowed(7, AGAIN, 3)]), Said::Allowed(7));
    }

    #[test]
    fn a_release_that_was_rolled_back_is_whichever_of_its_plans_was_rolled_out() {
        for (first, second) in [(9, 3), (3, 9)] {
            for plan in ["b", "c"] {
                let both = [allowed(5, FIRST, first), allowed(7, AGAIN, second), back(plan, 8)];
                assert!(matches!(standing(both), Said::RolledBack { by: 8, .. }), "{first} {second} {plan}");
            }
        }
    }

    #[test]
    fn what_another_release_has_too_is_not_rolled_back_with_it() {
        // The version that serves goes on with an image that the candidate left as it was.
        for (other, candidate) in [(9, 3), (3, 9)] {
            let both = [allowed(5, OTHER, other), allowed(7, FIRST, candidate)];
            assert_eq!(standing(both.into_iter().chain([back("b", 8)])), Said::Allowed(5), "{other}");
        }
    }

    #[test]
    fn the_longer_of_two_allows_counts() {
        assert_eq!(standing([allowed(5, FIRST, 9), allowed(7, AGAIN, 1)]), Said::Allowed(5));
        assert_eq!(standing([allowed(5, FIRST, 3), allowed(7, AGAIN, 3)]), Said::Allowed(7));
        assert_eq!(standing([allowed(5, OTHER, 9), allowed(7, AGAIN, 1)]), Said::Allowed(5));
        let ended = Timestamp::UNIX_EPOCH + TimeDelta::hours(1);
        assert_eq!(standing([allowed(5, FIRST, 1)]), Said::Expired { entry: 5, at: ended });
        assert_eq!(standing([]), Said::Nothing);
    }

    #[test]
    fn a_log_that_nobody_pinned_may_decide_for_nothing() {
        let known = Known { decides: vec![(digest("b"), vec!["production".to_owned()])], ..Known::default() };
        assert!(known.may_decide(&digest("b"), "production"));
        assert!(!known.may_decide(&digest("c"), "production"));
        assert!(!known.may_decide(&digest("b"), "staging"));
        assert!(!Known::default().may_decide(&digest("b"), "production"));
    }

    #[test]
    fn what_nobody_has_read_for_a_while_lets_nothing_in() {
        let until = Timestamp::UNIX_EPOCH + TimeDelta::hours(9);
        let ledger = Ledger::holding(&[("production", digest("a"), 5, until, None)]);
        let found = || ledger.find("production", &digest("a"), Timestamp::UNIX_EPOCH);
        assert_eq!(found(), Said::Allowed(5));
        for looked in [None, Instant::now().checked_sub(FRESH)] {
            ledger.known.write().unwrap().looked = looked;
            assert_eq!(found(), Said::Unknown(STALE.to_owned()));
            assert_eq!(ledger.health(), Err(STALE.to_owned()));
        }
    }
}
