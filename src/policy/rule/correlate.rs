//! `require.correlate`: what the requirements of one policy counted is of one run, or of one commit.
//!
//! Without it a scan of one run stands beside the build of another. In: what `provenance` and
//! `attestations` of the same policy counted, of every artifact, and the source statements where
//! `approvals` keeps authors apart. All of them have to name the same value, and each has to name
//! one: what names none can't be correlated. For `commit` the release itself is one of them.
//!
//! A run is compared without its attempt: a job that is run again belongs to the same run. Whether a
//! run did what its evidence says is its signers' word; this says only that they speak of the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::verify::facts::Party;
use crate::yaml::{DocumentError, Spanned};

use super::attestations::Attestations;
use super::provenance::Provenance;
use super::{Cure, Outcome, Reading, Scope, denial};
use crate::policy::document::Require;
use crate::policy::finding::{Finding, Origin, RuleId};

/// What has to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The run of the workflow.
    RunId,
    /// The source commit.
    Commit,
}

/// The requirements of one policy that can be tied together, as they were read.
#[derive(Debug, Default)]
pub struct Tied {
    /// Of provenance.
    pub provenance: Option<Arc<Provenance>>,
    /// Of other attestations.
    pub attestations: Vec<Arc<Attestations>>,
}

/// A checked demand that what counted belongs together.
#[derive(Debug)]
pub struct Correlate {
    keys: BTreeSet<Key>,
    tied: Tied,
    sources: bool,
    origin: Origin,
}

/// Something that counted, and what it is of.
struct Member<'a> {
    /// As findings name it.
    who: String,
    run: Option<&'a str>,
    commit: Option<&'a str>,
}

impl Correlate {
    /// Checks a section beside the requirements that it ties together.
    ///
    /// # Errors
    /// [`DocumentError`] when the policy requires nothing that could be tied, or names a key twice.
    pub fn read(
        section: &Spanned<Vec<Key>>,
        require: &Require,
        tied: Tied,
        reading: &Reading<'_>,
    ) -> Result<Self, DocumentError> {
        let keys: BTreeSet<Key> = section.value.iter().copied().collect();
        if tied.provenance.is_none() && tied.attestations.is_empty() {
            let message = "`correlate` has nothing to tie together".to_owned();
            let help = "ask for `provenance` or `attestations` in the same policy, or leave it out";
            return Err(reading.refuse(section, message, help));
        }
        let apart = require.approvals.as_ref().and_then(|approvals| approvals.distinct_from.as_ref());
        Ok(Self {
            keys,
            tied,
            sources: apart.is_some_and(|parties| parties.value.contains(&Party::SourceAuthor)),
            origin: reading.origin(section),
        })
    }

    /// Denies, for each key, values that differ and members without one.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let members = self.members(scope);
        for key in &self.keys {
            if let Some((message, help)) = disagreement(*key, &members, scope) {
                let finding = denial(RuleId::CorrelationMismatch, &scope.release_name(), message, help);
                // More evidence takes nothing of this away.
                outcome.deny(Cure::None, Finding { origin: Some(self.origin.clone()), ..finding });
            }
        }
    }

    fn members<'a>(&self, scope: &Scope<'a>) -> Vec<Member<'a>> {
        let provenances = self.tied.provenance.iter().flat_map(|rule| rule.counted(scope));
        let provenances = provenances.map(|(artifact, fact)| Member {
            who: format!("provenance of `{}` by `{}`", artifact.name, fact.signer),
            run: fact.run_id.as_deref(),
            commit: fact.commit.as_deref(),
        });
        let attestations = self.tied.attestations.iter().flat_map(|rule| rule.counted(scope));
        let attestations = attestations.map(|(artifact, fact)| Member {
            who: format!("`{}` of `{}` by `{}`", fact.predicate_type, artifact.name, fact.signer),
            run: fact.run_id.as_deref(),
            commit: fact.commit.as_deref(),
        });
        let sources = scope.facts.sources.iter().filter(|_| self.sources).map(|fact| Member {
            who: format!("source statement by `{}`", fact.signer),
            run: fact.run_id.as_deref(),
            commit: Some(fact.commit.as_str()),
        });
        provenances.chain(attestations).chain(sources).collect()
    }
}

/// What differs and how to mend it, if anything does.
fn disagreement(key: Key, members: &[Member<'_>], scope: &Scope<'_>) -> Option<(String, String)> {
    let mut says: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for member in members {
        let value = match key {
            Key::RunId => member.run.map(run_of),
            Key::Commit => member.commit,
        };
        says.entry(value).or_default().push(&member.who);
    }
    if key == Key::Commit {
        says.entry(Some(&scope.release.source.commit)).or_default().push("the release");
    }
    let nameless = says.remove(&None);
    if says.len() == 1 && nameless.is_none() && !members.is_empty() {
        return None;
    }
    let what = match key {
        Key::RunId => "run id",
        Key::Commit => "commit",
    };
    if members.is_empty() {
        let message = format!("nothing counted whose {what} could be compared");
        return Some((message, "meet the requirements of the same policy first".to_owned()));
    }
    let named = says.iter().map(|(value, who)| told(&format!("`{}`", value.unwrap_or_default()), who));
    let none = nameless.iter().map(|who| told("none", who));
    let differing: Vec<String> = named.chain(none).collect();
    const MOST: usize = 4;
    let more =
        if differing.len() > MOST { format!("; {} more", differing.len() - MOST) } else { String::new() };
    let shown: Vec<&str> = differing.iter().take(MOST).map(String::as_str).collect();
    let message = format!("wanted one {what}, got {}{more}", shown.join("; "));
    let help = "use evidence of one run; what is signed with a local key names neither run nor commit";
    Some((message, help.to_owned()))
}

/// One value, by whom, and how many more say the same.
fn told(value: &str, who: &[&str]) -> String {
    let first = who.first().copied().unwrap_or_default();
    match who.len() {
        0 | 1 => format!("{value} by {first}"),
        more => format!("{value} by {first} and {} more", more - 1),
    }
}

/// A run without its attempt, as GitHub's run invocation URIs write it.
fn run_of(id: &str) -> &str {
    match id.rsplit_once("/attempts/") {
        Some((run, attempt)) if !attempt.is_empty() && attempt.bytes().all(|byte| byte.is_ascii_digit()) => {
            run
        }
        _ => id,
    }
}

#[cfg(test)]
mod tests;
