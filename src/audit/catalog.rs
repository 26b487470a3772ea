//! What is kept of every entry: enough to filter, count and group a million of them without reading one again.
//!
//! In: lines, in order, each read as far as this needs. Out: rows that a [`Filter`] is asked of, the groups that wait
//! for approvals, what changed, which rollouts there were. Texts are kept once, so a row has 40 bytes and a filter
//! compares numbers. Whoever shows an entry reads it strictly, from the disk.

pub(crate) mod brief;
mod sought;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time::Timestamp;

use super::filter::{DecisionFacets, Facets, Filter};
use brief::Brief;
use sought::Sought;
use words::{Sets, Word, Words};

/// The rule that a further approval can satisfy.
const WAITS: &str = "approval-threshold";

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    rows: Vec<Row>,
    kinds: Words,
    words: Words,
    sets: Sets,
    decisions: u64,
    waiting: Latest<(Word, Word, Word)>,
    environments: BTreeMap<String, u64>,
    changes: Vec<u64>,
    recoveries: Vec<u64>,
    anchors: Vec<u64>,
    rollouts: BTreeMap<String, Vec<Milestone>>,
    last_of_rollouts: Latest<String>,
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

/// The last entry of each of many things, so that the newest of them are found without looking at all.
#[derive(Debug)]
struct Latest<T> {
    last: BTreeMap<T, u64>,
    by_index: BTreeMap<u64, T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { last: BTreeMap::new(), by_index: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Latest<T> {
    fn put(&mut self, thing: T, index: u64) {
        self.remove(&thing);
        self.last.insert(thing.clone(), index);
        self.by_index.insert(index, thing);
    }

    fn remove(&mut self, thing: &T) {
        if let Some(index) = self.last.remove(thing) {
            self.by_index.remove(&index);
        }
    }

    fn newest_first(&self) -> impl ExactSizeIterator<Item = (&T, u64)> {
        self.by_index.iter().rev().map(|(index, thing)| (thing, *index))
    }
}

/// A release at an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    /// The environment.
    pub(crate) environment: String,
    /// The release's name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
}

/// What the log says of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Milestone {
    /// The entry.
    pub(crate) index: u64,
    /// Its time.
    pub(crate) time: Timestamp,
    /// Its type, without `rollout.`.
    pub(crate) kind: String,
    /// Where.
    pub(crate) target: String,
    /// Why, if it says so.
    pub(crate) cause: Option<String>,
    /// What was rolled out.
    pub(crate) release: Group,
}

impl Milestone {
    /// Whether the rollout ended with it, either way.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.kind.as_str(), "completed" | "rolled_back")
    }
}

impl Catalog {
    /// Takes one more line.
    pub(super) fn take(&mut self, brief: &Brief<'_>) {
        let index = self.len();
        let decision = brief.decision().map(|decided| self.decided(&decided));
        let (micros, kind) = (brief.time().timestamp_micros(), self.kinds.of(brief.kind()));
        self.rows.push(Row { micros, kind, decision });
        match decision {
            Some(decided) => self.group(index, &decided),
            None => self.note(index, brief),
        }
    }

    fn decided(&mut self, decided: &DecisionFacets<'_>) -> Decided {
        Decided {
            name: self.words.of(decided.name),
            version: self.words.of(decided.version),
            environment: self.words.of(decided.environment),
            actor: self.words.of(decided.actor),
            approvers: self.sets.of(decided.approvers),
            rules: self.sets.of(decided.rules),
            action: decided.action,
            verdict: decided.verdict,
        }
    }

    fn group(&mut self, index: u64, decided: &Decided) {
        self.decisions += 1;
        if decided.action == Action::None {
            return;
        }
        let environment = self.words.text(decided.environment);
        match self.environments.get_mut(environment) {
            Some(last) => *last = index,
            None => drop(self.environments.insert(environment.to_owned(), index)),
        }
        let group = (decided.environment, decided.name, decided.version);
        let waits =
            decided.action == Action::Deny && self.sets.list(decided.rules).iter().any(|rule| rule == WAITS);
        match waits {
            true => self.waiting.put(group, index),
            false => self.waiting.remove(&group),
        }
    }

    fn note(&mut self, index: u64, brief: &Brief<'_>) {
        match brief.kind() {
            "policy.changed" | "trust.changed" => self.changes.push(index),
            "log.recovered" => self.recoveries.push(index),
            "anchor.recorded" => self.anchors.push(index),
            _ => {
                if let Some((plan, milestone)) = brief.milestone(index) {
                    self.last_of_rollouts.put(plan.clone(), index);
                    self.rollouts.entry(plan).or_default().push(milestone);
                }
            }
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// How many decisions there are.
    pub(crate) fn decisions(&self) -> u64 {
        self.decisions
    }

    /// What is asked of an entry.
    pub(crate) fn facets(&self, index: u64) -> Option<Facets<'_>> {
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
        Facets { time, kind: self.kinds.text(row.kind), decision }
    }

    /// Every entry, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u64, Facets<'_>)> {
        let numbered = self.rows.iter().enumerate().rev();
        numbered.map(|(index, row)| (index as u64, self.facets_of(row)))
    }

    /// The entries before this one that a filter takes, the newest first.
    pub(crate) fn matching(&self, filter: &Filter, before: u64) -> impl Iterator<Item = u64> {
        let sought = Sought::of(filter, self);
        let most = if sought.is_some() { usize::try_from(before).unwrap_or(usize::MAX) } else { 0 };
        let rows = self.rows.get(..most.min(self.rows.len())).unwrap_or_default();
        let taken = move |row: &Row| sought.as_ref().is_some_and(|sought| sought.takes(row));
        rows.iter().enumerate().rev().filter(move |(_, row)| taken(row)).map(|(index, _)| index as u64)
    }

    /// Releases that were denied last for want of approvals, with that decision, the newest first.
    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = (Group, u64)> {
        self.waiting.newest_first().map(|((environment, name, version), index)| {
            let text = |word: &Word| self.words.text(*word).to_owned();
            (Group { environment: text(environment), name: text(name), version: text(version) }, index)
        })
    }

    /// Each environment and its last decision, rehearsals aside.
    pub(crate) fn environments(&self) -> &BTreeMap<String, u64> {
        &self.environments
    }

    /// Entries that say that policy or trust changed.
    pub(crate) fn changes(&self) -> &[u64] {
        &self.changes
    }

    /// Entries that say that bytes were set aside.
    pub(crate) fn recoveries(&self) -> &[u64] {
        &self.recoveries
    }

    /// The last entry that says that a head was anchored, and its time.
    pub(crate) fn last_anchor(&self) -> Option<(u64, Timestamp)> {
        let index = *self.anchors.last()?;
        self.facets(index).map(|facets| (index, facets.time))
    }

    /// What the log says of a plan's rollout.
    pub(crate) fn rollout(&self, plan: &str) -> &[Milestone] {
        self.rollouts.get(plan).map_or(&[], Vec::as_slice)
    }

    /// The plans that were rolled out, with what was said of each last, the newest first.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = (&str, &Milestone)> {
        let newest = self.last_of_rollouts.newest_first();
        newest.filter_map(|(plan, _)| Some((plan.as_str(), self.rollout(plan).last()?)))
    }

    /// The rules that were ever among findings, and the people who ever approved: what a form suggests.
    pub(crate) fn suggestions(&self) -> BTreeSet<&str> {
        self.sets.all().flatten().map(String::as_str).take(400).collect()
    }
}

#[cfg(test)]
mod tests;
