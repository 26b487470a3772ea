//! The ledger: what the log says, in memory, by the questions that are asked of it.
//!
//! In: the log's lines, followed as it grows; nothing counts before the lines gave the signed head. Out: the allow of
//! a digest for an environment, and how many decisions there were of each kind. A log that can't be read, or does not
//! check out, allows nothing: then all of it is read anew. Of what expired long ago nothing is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError, RwLock};

use chrono::TimeDelta;
use serde::Deserialize;

use crate::audit::follow::Follower;
use crate::audit::reader::Line;
use crate::audit::tree::Head;
use crate::audit::{AuditError, Pin, Reader};
use crate::plan::RecordedCore;
use crate::plan::members::Role;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

/// The longest that a plan may be started.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// How long it is told that an allow has expired.
const TOLD: TimeDelta = TimeDelta::days(7);
/// Reasons of denials that are told apart; there are fewer rules.
const MOST_REASONS: usize = 64;

/// Where a log is, and what holds it.
#[derive(Debug, Clone)]
pub struct LogAt {
    /// Its folder.
    pub folder: std::path::PathBuf,
    /// The origin that is configured.
    pub origin: Option<String>,
    /// What trust pins.
    pub pins: Vec<Pin>,
}

/// What a log says.
pub(super) struct Ledger {
    log: LogAt,
    /// How long an allow counts at least after it was recorded.
    valid_for: TimeDelta,
    clock: fn() -> Timestamp,
    follower: Mutex<Follower>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    allows: HashMap<String, HashMap<ClaimedDigest, Allow>>,
    counts: Counts,
    /// Plans whose rollout has ended, either way.
    ended: BTreeSet<ClaimedDigest>,
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
}

/// How many entries there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Decisions by verdict, action and the first reason.
    pub(super) decisions: BTreeMap<(String, String, String), u64>,
    /// Entries by type.
    pub(super) entries: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
struct Allow {
    entry: u64,
    until: Timestamp,
    plan: ClaimedDigest,
    rolled_back: Option<u64>,
}

/// What the log says of a digest in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It is allowed, by this entry.
    Allowed(u64),
    /// It was, until then.
    Expired { entry: u64, at: Timestamp },
    /// It was, until it was rolled back.
    RolledBack { entry: u64, by: u64 },
    /// It never was, or long ago.
    Nothing,
    /// It can't be said.
    Unknown(String),
}

/// What is new since the last look.
#[derive(Default)]
struct News {
    allows: Vec<(String, ClaimedDigest, Allow)>,
    rolled_back: Vec<(ClaimedDigest, u64)>,
    ended: Vec<ClaimedDigest>,
    counts: Counts,
    last: Option<Timestamp>,
    trouble: Option<String>,
}

/// What of a line is needed here.
#[derive(Deserialize)]
struct Brief {
    time: String,
    r#type: String,
    verdict: Option<String>,
    action: Option<String>,
    release: Option<ReleaseBrief>,
    plan: Option<Named>,
    #[serde(default)]
    findings: Vec<FindingBrief>,
}

#[derive(Deserialize)]
struct ReleaseBrief {
    environment: String,
}

#[derive(Deserialize)]
struct Named {
    digest: ClaimedDigest,
}

#[derive(Deserialize)]
struct FindingBrief {
    rule: String,
}

impl Ledger {
    pub(super) fn new(log: LogAt, valid_for: Option<std::time::Duration>, clock: fn() -> Timestamp) -> Self {
        let valid_for = valid_for.and_then(|length| TimeDelta::from_std(length).ok()).unwrap_or_default();
        let follower = Mutex::new(log.follower());
        Self { log, valid_for, clock, follower, known: RwLock::default() }
    }

    /// The log's origin, as far as that is known.
    pub(super) fn origin(&self) -> String {
        self.known(|known| match &known.state {
            State::Read(health) => health.origin.clone(),
            _ => self.log.origin.clone().unwrap_or_default(),
        })
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log's health, or why there is none.
    pub(super) fn health(&self) -> Result<Health, String> {
        self.known(|known| match &known.state {
            State::Read(health) => Ok(health.clone()),
            State::Unread => Err("the log is not read yet".to_owned()),
            State::Failed(why) => Err(why.clone()),
        })
    }

    /// Whether a plan's rollout has ended.
    pub(super) fn has_ended(&self, plan: &ClaimedDigest) -> bool {
        self.known(|known| known.ended.contains(plan))
    }

    /// The log's folder.
    pub(super) fn folder(&self) -> &std::path::Path {
        &self.log.folder
    }

    /// The clock.
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn counts(&self) -> Counts {
        self.known(|known| known.counts.clone())
    }

    /// What the log says of a digest.
    pub(super) fn find(&self, environment: &str, digest: &ClaimedDigest, now: Timestamp) -> Found {
        self.known(|known| match &known.state {
            State::Unread => Found::Unknown("it is not read yet".to_owned()),
            State::Failed(why) => Found::Unknown(why.clone()),
            State::Read(_) => match known.allows.get(environment).and_then(|allows| allows.get(digest)) {
                Some(Allow { entry, rolled_back: Some(by), .. }) => {
                    Found::RolledBack { entry: *entry, by: *by }
                }
                Some(allow) if now >= allow.until => Found::Expired { entry: allow.entry, at: allow.until },
                Some(allow) => Found::Allowed(allow.entry),
                None => Found::Nothing,
            },
        })
    }

    /// Reads what is new. Whoever comes meanwhile waits for it.
    pub(super) fn look(&self) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, mut news) = ((self.clock)(), News::default());
        let read = follower
            .catch_up(|reader, line| news.take(reader, line, now, self.valid_for))
            .and_then(|reader| Ok((Health::of(&reader)?, reader.size())));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok((health, _)) => known.add(news, health, now),
            Err(error) => {
                // Nothing of what was read counts any more.
                *follower = self.log.follower();
                *known = Known { state: State::Failed(told(&error)), ..Known::default() };
            }
        }
    }
}

impl LogAt {
    fn follower(&self) -> Follower {
        Follower::new(self.folder.clone(), self.origin.clone(), self.pins.clone())
    }
}

/// An error and its causes, in one line.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl Health {
    fn of(reader: &Reader) -> Result<Self, AuditError> {
        Ok(Self {
            origin: reader.origin().to_owned(),
            log_id: reader.log_id(),
            head: reader.head(),
            checkpoint: reader.checkpoint().to_owned(),
            needs_repair: reader.needs_repair()?,
            last: None,
        })
    }
}

impl Known {
    fn add(&mut self, news: News, health: Health, now: Timestamp) {
        let before = match &self.state {
            State::Read(health) => health.last,
            _ => None,
        };
        for (environment, digest, allow) in news.allows {
            let allows = self.allows.entry(environment).or_default();
            let longer = allows.get(&digest).filter(|known| known.rolled_back.is_none());
            if longer.is_none_or(|known| known.until <= allow.until) {
                allows.insert(digest, allow);
            }
        }
        for (plan, by) in news.rolled_back {
            let allows = self.allows.values_mut().flat_map(HashMap::values_mut);
            allows.filter(|allow| allow.plan == plan).for_each(|allow| allow.rolled_back = Some(by));
        }
        for allows in self.allows.values_mut() {
            allows.retain(|_, allow| now < allow.until + TOLD);
        }
        self.ended.extend(news.ended);
        self.counts.add(news.counts);
        self.state = match news.trouble {
            Some(trouble) => State::Failed(trouble),
            None => State::Read(Health { last: news.last.or(before), ..health }),
        };
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        for (of, count) in other.decisions {
            let known = self.decisions.contains_key(&of) || self.decisions.len() < MOST_REASONS * 4;
            let of = if known { of } else { (of.0, of.1, "other".to_owned()) };
            *self.decisions.entry(of).or_default() += count;
        }
        for (kind, count) in other.entries {
            *self.entries.entry(kind).or_default() += count;
        }
    }
}

impl News {
    fn take(&mut self, reader: &Reader, line: &Line, now: Timestamp, valid_for: TimeDelta) {
        if let Err(why) = self.add(reader, line, now, valid_for) {
            self.trouble.get_or_insert_with(|| format!("entry {}: {why}", line.index));
        }
    }

    fn add(
        &mut self,
        reader: &Reader,
        line: &Line,
        now: Timestamp,
        valid_for: TimeDelta,
    ) -> Result<(), String> {
        let brief: Brief = serde_json::from_slice(&line.bytes).map_err(|error| error.to_string())?;
        let recorded = time::parse(&brief.time).map_err(|error| error.to_string())?;
        self.last = Some(recorded);
        if brief.r#type == "rollout.rolled_back"
            && let Some(plan) = &brief.plan
        {
            self.rolled_back.push((plan.digest.clone(), line.index));
        }
        if let ("rollout.rolled_back" | "rollout.completed", Some(plan)) =
            (brief.r#type.as_str(), &brief.plan)
        {
            self.ended.push(plan.digest.clone());
        }
        if let (Some(verdict), Some(action)) = (&brief.verdict, &brief.action) {
            let reason = brief.findings.first().map_or("none", |finding| finding.rule.as_str());
            let of = (verdict.clone(), action.clone(), reason.to_owned());
            *self.counts.decisions.entry(of).or_default() += 1;
        }
        *self.counts.entries.entry(kind(&brief.r#type)).or_default() += 1;
        let allowed = brief.action.as_deref() == Some("allow") && brief.r#type == "decision";
        let recent = recorded + LONGEST.max(valid_for) + TOLD > now;
        match (brief.plan, brief.release) {
            (Some(plan), Some(release)) if allowed && recent => {
                self.allow(reader, line.index, recorded + valid_for, &release, &plan.digest)
            }
            _ => Ok(()),
        }
    }

    /// Every candidate of the plan. One that can't be read is no allow of anything, and a damaged log.
    fn allow(
        &mut self,
        reader: &Reader,
        entry: u64,
        at_least: Timestamp,
        release: &ReleaseBrief,
        plan: &ClaimedDigest,
    ) -> Result<(), String> {
        let core = reader.blob(plan).map_err(|error| told(&error))?;
        let core = core.ok_or_else(|| format!("its plan {plan} is missing"))?;
        let core: RecordedCore = serde_json::from_slice(&core).map_err(|error| error.to_string())?;
        let until = core.validity.not_after.max(at_least);
        for subject in core.subject.iter().filter(|subject| subject.role == Role::Candidate) {
            let digest =
                ClaimedDigest::from_hex(&subject.digest.sha256).map_err(|error| error.to_string())?;
            let allow = Allow { entry, until, plan: plan.clone(), rolled_back: None };
            self.allows.push((release.environment.clone(), digest, allow));
        }
        Ok(())
    }
}

/// Types that are known; any other is one of many.
fn kind(name: &str) -> String {
    const KNOWN: [&str; 14] = [
        "log.created",
        "decision",
        "policy.changed",
        "trust.changed",
        "log.recovered",
        "annotation",
        "heartbeat",
        "rollout.started",
        "rollout.paused",
        "rollout.resumed",
        "rollout.rolling_back",
        "rollout.rolled_back",
        "rollout.completed",
        "other",
    ];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other").to_owned()
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
        known.state = State::Read(Health {
            origin: "log.example".to_owned(),
            log_id: root.claim(),
            head: Head { size: 0, root },
            checkpoint: String::new(),
            needs_repair: false,
            last: None,
        });
        *ledger.known.write().unwrap() = known;
        ledger
    }

    /// One that has read nothing, of a log that is not there.
    pub(super) fn unread() -> Self {
        let log = LogAt { folder: "/nowhere".into(), origin: None, pins: Vec::new() };
        Self::new(log, None, || Timestamp::UNIX_EPOCH)
    }
}
