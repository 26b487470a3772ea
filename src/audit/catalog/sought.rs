//! A filter, made ready to be asked of a million rows.
//!
//! In: a [`Filter`], and the words of a catalog. Out: whether a row is taken, by numbers alone, and always what the
//! filter itself says of the entry. A word that never occurred takes nothing.

use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time::Timestamp;

use super::super::filter::Filter;
use super::words::{Among, Word, Words};
use super::{Catalog, Decided, Row};

/// What a row is asked.
pub(super) struct Sought {
    since: i64,
    until: i64,
    kinds: Option<Among>,
    decision: Option<Members>,
}

/// What a decision is asked; what is not given is not asked.
struct Members {
    name: Option<Word>,
    version: Option<Word>,
    environment: Option<Word>,
    actor: Option<Word>,
    approvers: Option<Among>,
    rules: Option<Among>,
    action: Option<Action>,
    verdict: Option<Verdict>,
}

impl Sought {
    /// None where nothing can be taken.
    pub(super) fn of(filter: &Filter, catalog: &Catalog) -> Option<Self> {
        let decision = match filter.asks_for_decisions() {
            true => Some(Members::of(filter, catalog)?),
            false => None,
        };
        Some(Self {
            since: filter.since.map_or(i64::MIN, micros),
            until: filter.until.map_or(i64::MAX, micros),
            kinds: filter.types.as_ref().map(|_| catalog.kinds.those(|kind| filter.takes_type(kind))),
            decision,
        })
    }

    pub(super) fn takes(&self, row: &Row) -> bool {
        row.micros >= self.since
            && row.micros < self.until
            && self.kinds.as_ref().is_none_or(|kinds| kinds.has(row.kind))
            && match (&self.decision, &row.decision) {
                (None, _) => true,
                (Some(members), Some(decided)) => members.take(decided),
                (Some(_), None) => false,
            }
    }
}

impl Members {
    fn of(filter: &Filter, catalog: &Catalog) -> Option<Self> {
        let (name, version) = match filter.release.as_deref().map(|release| release.split_once('@')) {
            Some(Some((name, version))) => (Some(name), Some(version)),
            Some(None) => (filter.release.as_deref(), None),
            None => (None, None),
        };
        Some(Self {
            name: word(&catalog.words, name)?,
            version: word(&catalog.words, version)?,
            environment: word(&catalog.words, filter.environment.as_deref())?,
            actor: word(&catalog.words, filter.actor.as_deref())?,
            approvers: filter.approver.as_deref().map(|person| catalog.sets.with(person)),
            rules: filter.rule.as_deref().map(|rule| catalog.sets.with(rule)),
            action: filter.action,
            verdict: filter.verdict,
        })
    }

    fn take(&self, decided: &Decided) -> bool {
        let is = |wanted: Option<Word>, got: Word| wanted.is_none_or(|wanted| wanted == got);
        let among = |wanted: &Option<Among>, got: Word| wanted.as_ref().is_none_or(|wanted| wanted.has(got));
        is(self.name, decided.name)
            && is(self.version, decided.version)
            && is(self.environment, decided.environment)
            && is(self.actor, decided.actor)
            && self.action.is_none_or(|action| action == decided.action)
            && self.verdict.is_none_or(|verdict| verdict == decided.verdict)
            && among(&self.approvers, decided.approvers)
            && among(&self.rules, decided.rules)
    }
}

/// The word that is asked for: none at all where it never occurred.
fn word(words: &Words, text: Option<&str>) -> Option<Option<Word>> {
    match text {
        None => Some(None),
        Some(text) => words.known(text).map(Some),
    }
}

/// The first microsecond that is not before a time: entries have no finer ones.
fn micros(time: Timestamp) -> i64 {
    let whole = time.timestamp_micros();
    whole + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1000))
}
