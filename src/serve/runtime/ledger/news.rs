//! What a line of the log changes of what is known.
//!
//! In: lines, in the log's order, and the plans that they name. Out: [`News`]. One that can't be read makes all of it
//! unsound: it may take an allow back.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::TOLD;
use crate::audit::follow::Read;
use crate::audit::{Reader, TYPES};
use crate::plan::RecordedCore;
use crate::plan::members::Role;
use crate::policy::account::Action;
use crate::release::digest::ClaimedDigest;
use crate::serve::journal::told;
use crate::time::Timestamp;

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
}

/// What is new since the last look, in the log's order.
#[derive(Default)]
pub(super) struct News {
    pub(super) changes: Vec<Change>,
    pub(super) counts: Counts,
    pub(super) trouble: Option<String>,
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

    pub(super) fn take(&mut self, reader: &Reader, read: &Read<'_>, now: Timestamp, valid_for: TimeDelta) {
        if let Err(why) = self.add(reader, read, now, valid_for) {
            self.trouble.get_or_insert_with(|| format!("entry {}: {why}", read.line.index));
        }
    }

    fn add(
        &mut self,
        reader: &Reader,
        read: &Read<'_>,
        now: Timestamp,
        valid_for: TimeDelta,
    ) -> Result<(), String> {
        let (index, brief) = (read.line.index, &read.brief);
        *self.counts.entries.entry(kind(brief.kind())).or_default() += 1;
        let plan =
            || brief.plan().map(str::parse::<ClaimedDigest>).transpose().map_err(|error| error.to_string());
        if brief.kind() == "rollout.rolled_back"
            && let Some(plan) = plan()?
        {
            self.changes.push(Change::RolledBack(plan, index));
        }
        let Some(decision) = brief.decision() else { return Ok(()) };
        let reason = decision.rules.first().map_or("none", String::as_str);
        let of = (spelt(&decision.verdict), spelt(&decision.action), reason.to_owned());
        *self.counts.decisions.entry(of).or_default() += 1;
        let recent = brief.time() + LONGEST.max(valid_for) + TOLD > now;
        match plan()? {
            Some(plan) if decision.action == Action::Allow && recent => {
                self.allow(reader, index, brief.time() + valid_for, decision.environment, &plan)
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
        environment: &str,
        plan: &ClaimedDigest,
    ) -> Result<(), String> {
        let core = reader.blob(plan).map_err(|error| told(&error))?;
        let core = core.ok_or_else(|| format!("its plan {plan} is missing"))?;
        let core: RecordedCore = serde_json::from_slice(&core).map_err(|error| error.to_string())?;
        let until = core.validity.not_after.max(at_least);
        let release = &core.release.digest;
        for subject in core.subject.iter().filter(|subject| subject.role == Role::Candidate) {
            let digest =
                ClaimedDigest::from_hex(&subject.digest.sha256).map_err(|error| error.to_string())?;
            let allow = Allow {
                entry,
                until,
                release: release.clone(),
                plans: vec![plan.clone()],
                rolled_back: None,
            };
            self.changes.push(Change::Allowed(environment.to_owned(), digest, allow));
        }
        Ok(())
    }
}

/// A word as entries have it.
fn spelt(word: &impl serde::Serialize) -> String {
    serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Types that the format has; any other is one of many.
fn kind(name: &str) -> String {
    TYPES.into_iter().find(|known| *known == name).unwrap_or("other").to_owned()
}
