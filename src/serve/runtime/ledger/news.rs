//! What a line of the log changes of what is known.
//!
//! In: lines, in the log's order, and the plans that they name. Out: [`News`]. One that can't be read makes all of it
//! unsound: it may take an allow back.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{TOLD, told};
use crate::audit::Reader;
use crate::audit::reader::Line;
use crate::plan::RecordedCore;
use crate::plan::members::Role;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

/// The longest that a plan may be started.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// Reasons of denials that are told apart; there are fewer rules.
const MOST_REASONS: usize = 64;

/// How many entries there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::serve::runtime) struct Counts {
    /// Decisions by verdict, action and the first reason.
    pub(in crate::serve::runtime) decisions: BTreeMap<(String, String, String), u64>,
    /// Entries by type.
    pub(in crate::serve::runtime) entries: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Allow {
    pub(super) entry: u64,
    pub(super) until: Timestamp,
    /// The release that was decided: one that was rolled back is, by whichever of its plans.
    pub(super) release: ClaimedDigest,
    /// Every plan of that release that allows it.
    pub(super) plans: Vec<ClaimedDigest>,
    pub(super) rolled_back: Option<u64>,
}

/// What an entry changes.
pub(super) enum Change {
    /// A digest is allowed in an environment.
    Allowed(String, ClaimedDigest, Allow),
    /// A plan was rolled back, by this entry.
    RolledBack(ClaimedDigest, u64),
    /// A plan's rollout has ended.
    Ended(ClaimedDigest),
}

/// What is new since the last look, in the log's order.
#[derive(Default)]
pub(super) struct News {
    pub(super) changes: Vec<Change>,
    pub(super) counts: Counts,
    pub(super) last: Option<Timestamp>,
    pub(super) trouble: Option<String>,
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
    digest: Option<ClaimedDigest>,
}

#[derive(Deserialize)]
struct Named {
    digest: ClaimedDigest,
}

#[derive(Deserialize)]
struct FindingBrief {
    rule: String,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
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
    /// That every entry could be read: one that can't may take an allow back.
    pub(super) fn sound(&self) -> Result<(), String> {
        self.trouble.clone().map_or(Ok(()), Err)
    }

    pub(super) fn take(&mut self, reader: &Reader, line: &Line, now: Timestamp, valid_for: TimeDelta) {
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
            self.changes.push(Change::RolledBack(plan.digest.clone(), line.index));
        }
        if let ("rollout.rolled_back" | "rollout.completed", Some(plan)) =
            (brief.r#type.as_str(), &brief.plan)
        {
            self.changes.push(Change::Ended(plan.digest.clone()));
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
        let allowed = release.digest.clone().ok_or("its release has no digest")?;
        for subject in core.subject.iter().filter(|subject| subject.role == Role::Candidate) {
            let digest =
                ClaimedDigest::from_hex(&subject.digest.sha256).map_err(|error| error.to_string())?;
            let allow = Allow {
                entry,
                until,
                release: allowed.clone(),
                plans: vec![plan.clone()],
                rolled_back: None,
            };
            self.changes.push(Change::Allowed(release.environment.clone(), digest, allow));
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
