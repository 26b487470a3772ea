//! What is kept of every entry: enough to filter, count and group a million of them without reading one again.
//!
//! In: lines, in order. Out: rows, the groups that wait for approvals, what changed, which rollouts there were.
//! Texts are kept once. A line is read only as far as this needs; a page about an entry reads it strictly.

mod brief;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::filter::{DecisionFacets, Facets};
use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time::Timestamp;

use brief::Brief;
use words::{Sets, Word, Words};

/// Rules that a further approval can satisfy.
const WAITS: &str = "approval-threshold";

/// Everything that is kept.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    rows: Vec<Row>,
    words: Words,
    sets: Sets,
    decisions: u64,
    waiting: BTreeMap<Group, u64>,
    environments: BTreeMap<String, u64>,
    changes: Vec<u64>,
    recoveries: Vec<u64>,
    anchors: Vec<u64>,
    rollouts: BTreeMap<String, Vec<Milestone>>,
}

/// An entry, in few bytes.
#[derive(Debug, Clone, Copy)]
struct Row {
    micros: i64,
    kind: Word,
    decision: Option<Decided>,
}

#[derive(Debug, Clone, Copy)]
struct Decided {
    name: Word,
    version: Word,
    environment: Word,
    actor: Word,
    approvers: Word,
    rules: Word,
    action: Action,
    verdict: Verdict,
}

/// A release at an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) environment: String,
    pub(super) name: String,
    pub(super) version: String,
}

/// What the log says of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Milestone {
    pub(super) index: u64,
    pub(super) time: Timestamp,
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) cause: Option<String>,
    pub(super) release: Group,
}

/// What a decision came to, as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Allowed,
    Overridden,
    Denied,
    Inconclusive,
    Rehearsed,
}

impl Outcome {
    /// Every one, in the order in which charts stack them.
    pub(super) const ALL: [Self; 5] =
        [Self::Allowed, Self::Overridden, Self::Inconclusive, Self::Denied, Self::Rehearsed];

    pub(super) fn of(action: Action, verdict: Verdict) -> Self {
        match (action, verdict) {
            (Action::Allow, Verdict::Pass) => Self::Allowed,
            (Action::Allow, _) => Self::Overridden,
            (Action::Deny, Verdict::Error) => Self::Inconclusive,
            (Action::Deny, _) => Self::Denied,
            (Action::None, _) => Self::Rehearsed,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::Overridden => "Break-glass",
            Self::Denied => "Denied",
            Self::Inconclusive => "Inconclusive",
            Self::Rehearsed => "Rehearsal",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Overridden => "glass",
            Self::Denied => "deny",
            Self::Inconclusive => "unclear",
            Self::Rehearsed => "dry",
        }
    }

    pub(super) fn place(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }
}

impl Catalog {
    /// Takes one more line.
    pub(super) fn take(&mut self, index: u64, line: &[u8]) -> Result<(), serde_json::Error> {
        let brief = Brief::read(line)?;
        let micros = brief.micros();
        let kind = self.words.of(brief.kind());
        let decision = brief.decision().map(|decided| {
            let approvers = self.sets.of(decided.approvers);
            let rules = self.sets.of(decided.rules);
            Decided {
                name: self.words.of(decided.name),
                version: self.words.of(decided.version),
                environment: self.words.of(decided.environment),
                actor: self.words.of(decided.actor),
                approvers,
                rules,
                action: decided.action,
                verdict: decided.verdict,
            }
        });
        self.rows.push(Row { micros, kind, decision });
        match decision {
            Some(decided) => self.group(index, &decided),
            None => self.note(index, &brief),
        }
        Ok(())
    }

    fn group(&mut self, index: u64, decided: &Decided) {
        self.decisions += 1;
        let environment = self.words.text(decided.environment).to_owned();
        if decided.action == Action::None {
            return;
        }
        self.environments.insert(environment.clone(), index);
        let name = self.words.text(decided.name).to_owned();
        let version = self.words.text(decided.version).to_owned();
        let group = Group { environment, name, version };
        let waits =
            decided.action == Action::Deny && self.sets.list(decided.rules).iter().any(|rule| rule == WAITS);
        match waits {
            true => drop(self.waiting.insert(group, index)),
            false => drop(self.waiting.remove(&group)),
        }
    }

    fn note(&mut self, index: u64, brief: &Brief<'_>) {
        match brief.kind() {
            "policy.changed" | "trust.changed" => self.changes.push(index),
            "log.recovered" => self.recoveries.push(index),
            "anchor.recorded" => self.anchors.push(index),
            kind => {
                if let Some((plan, milestone)) = brief.milestone(index, kind) {
                    self.rollouts.entry(plan).or_default().push(milestone);
                }
            }
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// How many decisions there are.
    pub(super) fn decisions(&self) -> u64 {
        self.decisions
    }

    /// What is asked of an entry.
    pub(super) fn facets(&self, index: u64) -> Option<Facets<'_>> {
        self.rows.get(usize::try_from(index).ok()?).map(|row| self.facets_of(row))
    }

    fn facets_of(&self, row: &Row) -> Facets<'_> {
        let decision = row.decision.map(|decided| DecisionFacets {
            name: self.words.text(decided.name),
            version: self.words.text(decided.version),
            environment: self.words.text(decided.environment),
            action: decided.action,
            verdict: decided.verdict,
            actor: self.words.text(decided.actor),
            approvers: self.sets.list(decided.approvers),
            rules: self.sets.list(decided.rules),
        });
        let time = Timestamp::from_timestamp_micros(row.micros).unwrap_or_default();
        Facets { time, kind: self.words.text(row.kind), decision }
    }

    /// Every entry, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (u64, Facets<'_>)> {
        let numbered = self.rows.iter().enumerate().rev();
        numbered.map(|(index, row)| (index as u64, self.facets_of(row)))
    }

    /// Releases that were denied last for want of approvals, with that decision, the newest first.
    pub(super) fn waiting(&self) -> Vec<(&Group, u64)> {
        let mut waiting: Vec<_> = self.waiting.iter().map(|(group, index)| (group, *index)).collect();
        waiting.sort_by_key(|(_, index)| std::cmp::Reverse(*index));
        waiting
    }

    /// Each environment and its last decision, rehearsals aside.
    pub(super) fn environments(&self) -> &BTreeMap<String, u64> {
        &self.environments
    }

    /// Entries that say that policy or trust changed.
    pub(super) fn changes(&self) -> &[u64] {
        &self.changes
    }

    /// Entries that say that bytes were set aside.
    pub(super) fn recoveries(&self) -> &[u64] {
        &self.recoveries
    }

    /// Entries that say that a head was anchored.
    pub(super) fn anchors(&self) -> &[u64] {
        &self.anchors
    }

    /// What the log says of rollouts, by plan.
    pub(super) fn rollouts(&self) -> &BTreeMap<String, Vec<Milestone>> {
        &self.rollouts
    }

    /// The rules that were ever among findings, and the people who ever approved or asked: what a form suggests.
    pub(super) fn suggestions(&self) -> BTreeSet<&str> {
        self.sets.all().flatten().map(String::as_str).take(400).collect()
    }
}
