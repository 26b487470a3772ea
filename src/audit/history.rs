//! What the next decision must know of the lines before it, gathered while they are read.
//!
//! In: committed lines, in order. Out: per environment the last policy, trust and set versions
//! (rehearsals aside), the recent allows by `idem`, the plans that have ended, the last time.
//! A line is only looked at as far as this needs; `audit verify` reads every member. A long log's lines are gathered
//! segment by segment ([`Gathered`]), with the same answers.

mod gathered;

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use serde::Deserialize;

use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, SKEW, Timestamp};

use super::entry::event::{Changed, Recovered};
use super::entry::{Body, Entry, is_unsupported};
use super::error::{AuditError, Problem};
use super::lines::{Position, RawLine};
use super::tree::Hash;

pub(super) use gathered::{Gathered, Recent};

/// How far back an `idem` is looked for: the longest `ttl`.
pub(super) fn idem_window() -> Duration {
    Duration::hours(24)
}

/// So few allows are all kept.
const FEW: usize = 1024;

/// What the lines so far say.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    environments: BTreeMap<String, Standing>,
    allows: BTreeMap<ClaimedDigest, Allow>,
    ended: BTreeSet<ClaimedDigest>,
    /// The last deny of each release, by its digest.
    denied: BTreeMap<ClaimedDigest, Denied>,
    recovered: BTreeSet<(String, u64)>,
    last_time: Option<Timestamp>,
    /// How many allows and denies there may be before those that are too old are let go.
    most_kept: usize,
    unsupported: Option<String>,
}

/// What an environment was last held to.
#[derive(Debug, Default, Clone)]
pub(super) struct Standing {
    pub(super) policy: Option<ClaimedDigest>,
    pub(super) trust: Option<ClaimedDigest>,
    versions: BTreeMap<String, u64>,
}

/// An allow that may be given again.
#[derive(Debug, Clone)]
pub(super) struct Allow {
    pub(super) at: Position,
    pub(super) leaf: Hash,
    pub(super) time: Timestamp,
    pub(super) mode: Mode,
    pub(super) verdict: Verdict,
    pub(super) plan: ClaimedDigest,
    release: Option<ClaimedDigest>,
}

/// A deny, after which no earlier allow of the release is given again: the log's last word on it was another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Denied {
    index: u64,
    time: Timestamp,
}

/// The members that every line has.
#[derive(Deserialize)]
pub(super) struct Brief {
    pub(super) seq: u64,
    pub(super) prev: ClaimedDigest,
    pub(super) time: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
struct DecisionBrief {
    verdict: Verdict,
    action: Action,
    mode: Mode,
    release: ReleaseBrief,
    policy: PolicyBrief,
    trust: Named,
    plan: Option<Named>,
    idem: ClaimedDigest,
}

#[derive(Deserialize)]
struct ReleaseBrief {
    environment: String,
    /// None where its bytes were not what it said: a deny, and of no release that could be allowed.
    digest: Option<ClaimedDigest>,
}

#[derive(Deserialize)]
struct PolicyBrief {
    digest: ClaimedDigest,
    sets: Vec<SetBrief>,
}

#[derive(Deserialize)]
struct SetBrief {
    name: String,
    version: u64,
}

#[derive(Deserialize)]
struct Named {
    digest: ClaimedDigest,
}

#[derive(Deserialize)]
struct RolloutBrief {
    plan: Named,
}

impl Standing {
    fn raise(&mut self, set: &str, version: u64) {
        match self.versions.get_mut(set) {
            Some(known) => *known = version.max(*known),
            None => drop(self.versions.insert(set.to_owned(), version)),
        }
    }
}

impl Brief {
    /// Reads what every line has.
    pub(super) fn of(line: &RawLine) -> Result<Self, AuditError> {
        read(line)
    }
}

fn read<T: for<'de> Deserialize<'de>>(line: &RawLine) -> Result<T, AuditError> {
    serde_json::from_slice(&line.bytes).map_err(|error| line.damaged(Problem::Json(error.into())))
}

/// The time that a line says.
pub(super) fn time_of(line: &RawLine, text: &str) -> Result<Timestamp, AuditError> {
    time::parse(text).map_err(|_| line.damaged(super::entry::EntryError::Member("time")))
}

impl History {
    /// Takes one more line, whose hash is `leaf`.
    pub(super) fn add(&mut self, line: &RawLine, brief: &Brief, leaf: Hash) -> Result<(), AuditError> {
        let time = time_of(line, &brief.time)?;
        self.last_time = Some(time);
        match brief.kind.as_str() {
            "decision" => {
                self.add_decision(read(line)?, line, leaf, time);
                Ok(())
            }
            kind => self.add_event(kind, line),
        }
    }

    /// Takes a line that is no decision.
    fn add_event(&mut self, kind: &str, line: &RawLine) -> Result<(), AuditError> {
        match kind {
            "policy.changed" | "trust.changed" | "log.recovered" => {
                self.add_body(Entry::parse(&line.bytes).map_err(|error| line.damaged(error))?.body);
            }
            "rollout.completed" | "rollout.rolled_back" => {
                self.ended.insert(read::<RolloutBrief>(line)?.plan.digest);
            }
            kind if is_unsupported(kind) => self.unsupported = Some(kind.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn add_decision(&mut self, decision: DecisionBrief, line: &RawLine, leaf: Hash, time: Timestamp) {
        if decision.mode == Mode::DryRun {
            return;
        }
        let ReleaseBrief { environment, digest: release } = decision.release;
        let standing = self.environments.entry(environment).or_default();
        standing.policy = Some(decision.policy.digest);
        standing.trust = Some(decision.trust.digest);
        for set in decision.policy.sets {
            standing.raise(&set.name, set.version);
        }
        match (decision.action, decision.plan) {
            (Action::Allow, Some(plan)) => {
                let (mode, verdict, plan) = (decision.mode, decision.verdict, plan.digest);
                let allow = Allow { at: line.at, leaf, time, mode, verdict, plan, release };
                self.allows.insert(decision.idem, allow);
            }
            (Action::Deny, _) => {
                self.denied.extend(release.map(|release| (release, Denied { index: line.at.index, time })));
            }
            _ => {}
        }
        self.forget(time);
    }

    /// Lets go of allows that nobody can be given again, and of the denies that could be behind them: no writer's clock
    /// is further behind `last`. Each look at all of them is paid for by as many that were added.
    fn forget(&mut self, last: Timestamp) {
        if self.allows.len() + self.denied.len() <= self.most_kept.max(FEW) {
            return;
        }
        let recent = |time: Timestamp| last.signed_duration_since(time) < idem_window() + SKEW * 2;
        self.allows.retain(|_, allow| recent(allow.time));
        self.denied.retain(|_, denied| recent(denied.time));
        self.most_kept = (self.allows.len() + self.denied.len()) * 2;
    }

    fn add_body(&mut self, body: Body) {
        match body {
            Body::PolicyChanged(event) => {
                let Changed { environment, to, .. } = event.members;
                self.environments.entry(environment).or_default().policy = Some(to);
            }
            Body::TrustChanged(event) => {
                let Changed { environment, to, .. } = event.members;
                self.environments.entry(environment).or_default().trust = Some(to);
            }
            Body::Recovered(event) => {
                let Recovered { file, offset, .. } = event.members;
                self.recovered.insert((file, offset));
            }
            _ => {}
        }
    }

    /// What an environment was last held to.
    pub(super) fn standing(&self, environment: &str) -> Standing {
        self.environments.get(environment).cloned().unwrap_or_default()
    }

    /// The highest version of each policy set that an environment was held to.
    pub(super) fn versions(&self, environment: &str) -> BTreeMap<String, u64> {
        self.standing(environment).versions
    }

    /// The last allow of this `idem` that is recent enough, whose plan has not ended, and after which the release was
    /// not denied.
    pub(super) fn allow(&self, idem: &ClaimedDigest, now: Timestamp) -> Option<&Allow> {
        let allow = self.allows.get(idem)?;
        let recent = now.signed_duration_since(allow.time) < idem_window();
        let denied = allow.release.as_ref().and_then(|release| self.denied.get(release));
        let denied = denied.is_some_and(|denied| denied.index > allow.at.index);
        (recent && !denied && !self.ended.contains(&allow.plan)).then_some(allow)
    }

    /// Whether bytes that were found at this place are reported already.
    pub(super) fn is_reported(&self, file: &str, offset: u64) -> bool {
        self.recovered.contains(&(file.to_owned(), offset))
    }

    /// The time of the last entry.
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// A type among the lines that this version can't write after.
    pub(super) fn unsupported(&self) -> Option<&str> {
        self.unsupported.as_deref()
    }
}
