//! Which entries are asked for: one grammar for `audit list`, `audit show` and the studio.
//!
//! In: names and values, of flags or of a query. Out: a [`Filter`], which takes an entry or what an index kept
//! of it ([`Facets`]). All that is given must hold; what is not known is refused, since a misspelt filter would
//! show too much and hide nothing. Grammar: `audit-log.md` section 3.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::JsonError;
use crate::plan::draft::Verdict;
use crate::policy::RuleId;
use crate::policy::account::Action;
use crate::time::{self, Timestamp};
use crate::wording;

use super::catalog::brief::Brief;
use super::entry::decision::DecisionEntry;
use super::entry::{Body, Entry, EntryError};
use super::glance::{Decided, Glance};

/// Every type of entry that the format has, also those that a later version writes (`audit-log.md` 1.5).
pub const TYPES: [&str; 21] = [
    "log.created",
    "decision",
    "rollout.started",
    "rollout.paused",
    "rollout.resumed",
    "rollout.rolling_back",
    "rollout.rolled_back",
    "rollout.completed",
    "override.reviewed",
    "annotation",
    "policy.changed",
    "trust.changed",
    "key.added",
    "key.retired",
    "key.compromised",
    "anchor.recorded",
    "log.recovered",
    "log.repaired",
    "log.pruned",
    "log.moved",
    "heartbeat",
];

/// Which entries; what is not given is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `NAME` or `NAME@VERSION`.
    pub release: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// What happened.
    pub action: Option<Action>,
    /// What the policy said.
    pub verdict: Option<Verdict>,
    /// Who asked.
    pub actor: Option<String>,
    /// A person whose approval counted.
    pub approver: Option<String>,
    /// A rule among the findings.
    pub rule: Option<String>,
    /// Entry types, separated by commas; `key.*` for a family.
    pub types: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// A filter that asks for nothing that there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// No such member.
    #[error("`{0}` is no filter")]
    Unknown(String),
    /// The same member twice.
    #[error("`{0}` is given twice")]
    Twice(&'static str),
    /// A word that is none of those that there are.
    #[error("`{value}` is no {member}: {expected}")]
    Word {
        /// The member.
        member: &'static str,
        /// What was given.
        value: String,
        /// What there is.
        expected: &'static str,
    },
    /// A rule or a type of entry that there is none of.
    #[error("`{value}` is no {member}{}", meant(*.near))]
    Unlisted {
        /// The member.
        member: &'static str,
        /// What was given.
        value: String,
        /// What was probably meant.
        near: Option<&'static str>,
    },
    /// A time that is none.
    #[error("`{value}` is no time for `{member}`: RFC 3339, such as 2026-07-01T00:00:00Z")]
    Time {
        /// The member.
        member: &'static str,
        /// What was given.
        value: String,
    },
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// What an entry is asked for, however it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Facets<'a> {
    /// Its time.
    pub time: Timestamp,
    /// Its type.
    pub kind: &'a str,
    /// Of a decision, the rest.
    pub decision: Option<DecisionFacets<'a>>,
}

/// What a decision is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DecisionFacets<'a> {
    /// The release's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its environment.
    pub environment: &'a str,
    /// What happened.
    pub action: Action,
    /// What the policy said.
    pub verdict: Verdict,
    /// Who asked.
    pub actor: &'a str,
    /// The people whose approvals counted.
    pub approvers: &'a [String],
    /// The rules among the findings.
    pub rules: &'a [String],
}

impl Filter {
    /// The filter of names and values; an empty value asks for nothing.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (name, value) in pairs {
            filter.set(name, value.trim())?;
        }
        Ok(filter)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), FilterError> {
        let text = |value: &str| Ok(value.to_owned());
        match name {
            "release" => put(&mut self.release, "release", value, text),
            "environment" => put(&mut self.environment, "environment", value, text),
            "action" => {
                put(&mut self.action, "action", value, |value| word("action", value, "allow, deny or none"))
            }
            "verdict" => put(&mut self.verdict, "verdict", value, |value| {
                word("verdict", value, "pass, fail or error")
            }),
            "actor" => put(&mut self.actor, "actor", value, text),
            "approver" => put(&mut self.approver, "approver", value, text),
            "rule" => put(&mut self.rule, "rule", value, rule),
            "type" => put(&mut self.types, "type", value, types),
            "since" => put(&mut self.since, "since", value, |value| instant("since", value)),
            "until" => put(&mut self.until, "until", value, |value| instant("until", value)),
            other => Err(FilterError::Unknown(other.chars().take(60).collect())),
        }
    }

    /// Its names and values, in one order: what [`Filter::of`] makes the same of, and flags without their dashes.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = |value: &Option<String>| value.clone();
        let time = |value: Option<Timestamp>| value.map(time::to_seconds);
        [
            ("release", text(&self.release)),
            ("environment", text(&self.environment)),
            ("action", self.action.as_ref().map(spelt)),
            ("verdict", self.verdict.as_ref().map(spelt)),
            ("actor", text(&self.actor)),
            ("approver", text(&self.approver)),
            ("rule", text(&self.rule)),
            ("type", text(&self.types)),
            ("since", time(self.since)),
            ("until", time(self.until)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// Whether an entry is asked for.
    pub fn takes(&self, entry: &Entry) -> bool {
        let (time, kind) = (entry.time, entry.body.kind());
        match &entry.body {
            Body::Decision(decision) => {
                let (approvers, rules) = (approvers(decision), rules(decision));
                let decision = Some(facets(decision, &approvers, &rules));
                self.takes_facets(&Facets { time, kind, decision })
            }
            _ => self.takes_facets(&Facets { time, kind, decision: None }),
        }
    }

    /// The same of a line's bytes, read only as far as it is asked for.
    ///
    /// # Errors
    /// [`EntryError`]: it is none.
    pub fn takes_line(&self, line: &[u8]) -> Result<bool, EntryError> {
        if let Some(taken) = Glance::at(line).and_then(|glance| self.takes_glance(&glance)) {
            return Ok(taken);
        }
        let brief = Brief::read(line).map_err(JsonError::from)?;
        Ok(self.takes_facets(&brief.facets()))
    }

    /// The same of what a glance tells; none where that is too little to say.
    fn takes_glance(&self, glance: &Glance<'_>) -> Option<bool> {
        let timed = self.since.is_some() || self.until.is_some();
        if (timed && !self.takes_time(time::parse(glance.time).ok()?)) || !self.takes_type(glance.kind) {
            return Some(false);
        }
        if !self.asks_for_decisions() || glance.kind != "decision" {
            return Some(!self.asks_for_decisions());
        }
        let Decided { verdict, action, actor, name, version, environment, .. } = glance.decided()?;
        let (approvers, rules) = (&[][..], &[][..]);
        let facets = DecisionFacets { name, version, environment, action, verdict, actor, approvers, rules };
        match self.takes_words(&facets) {
            true if self.approver.is_some() || self.rule.is_some() => None,
            taken => Some(taken),
        }
    }

    /// The same of what an index kept.
    pub fn takes_facets(&self, facets: &Facets<'_>) -> bool {
        self.takes_time(facets.time)
            && self.takes_type(facets.kind)
            && self.takes_decision(facets.decision.as_ref())
    }

    fn takes_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    pub(super) fn takes_type(&self, kind: &str) -> bool {
        self.types.as_deref().is_none_or(|types| {
            types.split(',').any(|wanted| match wanted.strip_suffix('*') {
                Some(family) => kind.starts_with(family),
                None => kind == wanted,
            })
        })
    }

    fn takes_decision(&self, decision: Option<&DecisionFacets<'_>>) -> bool {
        match decision {
            Some(decision) => self.takes_words(decision) && self.takes_lists(decision),
            None => !self.asks_for_decisions(),
        }
    }

    /// Whether it asks for something that only a decision has.
    pub fn asks_for_decisions(&self) -> bool {
        let texts = [&self.release, &self.environment, &self.actor, &self.approver, &self.rule];
        self.action.is_some() || self.verdict.is_some() || texts.into_iter().any(Option::is_some)
    }

    fn takes_lists(&self, decision: &DecisionFacets<'_>) -> bool {
        let among = |wanted: &Option<String>, got: &[String]| {
            wanted.as_ref().is_none_or(|wanted| got.contains(wanted))
        };
        among(&self.approver, decision.approvers) && among(&self.rule, decision.rules)
    }

    fn takes_words(&self, decision: &DecisionFacets<'_>) -> bool {
        let is = |wanted: &Option<String>, got: &str| wanted.as_deref().is_none_or(|wanted| wanted == got);
        let named = self.release.as_deref().is_none_or(|wanted| match wanted.split_once('@') {
            Some((name, version)) => decision.name == name && decision.version == version,
            None => decision.name == wanted,
        });
        named
            && is(&self.environment, decision.environment)
            && self.action.is_none_or(|action| action == decision.action)
            && self.verdict.is_none_or(|verdict| verdict == decision.verdict)
            && is(&self.actor, decision.actor)
    }
}

fn approvers(decision: &DecisionEntry) -> Vec<String> {
    let counted = decision.approvals.iter().filter(|approval| approval.counted);
    counted.map(|approval| approval.person.clone()).collect()
}

fn rules(decision: &DecisionEntry) -> Vec<String> {
    decision.findings.iter().map(|finding| finding.rule.clone()).collect()
}

fn facets<'a>(
    decision: &'a DecisionEntry,
    approvers: &'a [String],
    rules: &'a [String],
) -> DecisionFacets<'a> {
    let release = &decision.release;
    DecisionFacets {
        name: &release.name,
        version: &release.version,
        environment: &release.environment,
        action: decision.action,
        verdict: decision.verdict,
        actor: &decision.actor.id,
        approvers,
        rules,
    }
}

fn put<T>(
    slot: &mut Option<T>,
    member: &'static str,
    value: &str,
    read: impl Fn(&str) -> Result<T, FilterError>,
) -> Result<(), FilterError> {
    if value.is_empty() {
        return Ok(());
    }
    if slot.is_some() {
        return Err(FilterError::Twice(member));
    }
    *slot = Some(read(value)?);
    Ok(())
}

fn rule(value: &str) -> Result<String, FilterError> {
    let known = || RuleId::ALL.iter().map(|rule| rule.as_str());
    match known().any(|rule| rule == value) {
        true => Ok(value.to_owned()),
        false => Err(unlisted("rule", value, wording::nearest(value, known()))),
    }
}

/// Types, separated by commas; `key.*` is all of a family.
fn types(value: &str) -> Result<String, FilterError> {
    let is_known = |wanted: &str| match wanted.strip_suffix('*') {
        Some(family) => TYPES.iter().any(|kind| kind.starts_with(family)),
        None => TYPES.contains(&wanted),
    };
    match value.split(',').find(|wanted| !is_known(wanted)) {
        None => Ok(value.to_owned()),
        Some(stray) => Err(unlisted("type", stray, wording::nearest(stray, TYPES))),
    }
}

fn unlisted(member: &'static str, value: &str, near: Option<&'static str>) -> FilterError {
    FilterError::Unlisted { member, value: value.chars().take(60).collect(), near }
}

fn word<T: DeserializeOwned>(
    member: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, FilterError> {
    serde_json::from_value(Value::String(value.to_owned())).map_err(|_| FilterError::Word {
        member,
        value: value.chars().take(60).collect(),
        expected,
    })
}

fn instant(member: &'static str, value: &str) -> Result<Timestamp, FilterError> {
    time::parse(value).map_err(|_| FilterError::Time { member, value: value.chars().take(60).collect() })
}

/// The wire word of an enum that serialises to a string.
fn spelt(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pairs: &[(&str, &str)]) -> Result<Filter, FilterError> {
        Filter::of(pairs.iter().copied())
    }

    #[test]
    fn gives_the_pairs_that_it_is_made_of() {
        let pairs = [
            ("release", "payments@2.4.0"),
            ("environment", "production"),
            ("action", "deny"),
            ("verdict", "error"),
            ("actor", "alice"),
            ("approver", "bob"),
            ("rule", "approval-threshold"),
            ("type", "decision"),
            ("since", "2026-07-01T00:00:00Z"),
            ("until", "2026-10-01T00:00:00Z"),
        ];
        let made = filter(&pairs).unwrap();
        let told: Vec<(&str, String)> = made.pairs();
        assert_eq!(told, pairs.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(filter(&[("release", " "), ("actor", "")]).unwrap(), Filter::default());
    }

    #[test]
    fn refuses_what_asks_for_nothing_that_there_is() {
        let refused = |pairs: &[(&str, &str)]| filter(pairs).unwrap_err().to_string();
        assert_eq!(refused(&[("relase", "x")]), "`relase` is no filter");
        assert_eq!(refused(&[("action", "permit")]), "`permit` is no action: allow, deny or none");
        assert_eq!(refused(&[("verdict", "no")]), "`no` is no verdict: pass, fail or error");
        assert_eq!(refused(&[("actor", "a"), ("actor", "b")]), "`actor` is given twice");
        assert_eq!(refused(&[("rule", "foo")]), "`foo` is no rule");
        let near = refused(&[("rule", "approval-treshold")]);
        assert_eq!(near, "`approval-treshold` is no rule; did you mean `approval-threshold`?");
        assert_eq!(
            refused(&[("type", "decision,descision")]),
            "`descision` is no type; did you mean `decision`?"
        );
        assert_eq!(refused(&[("type", "kay.*")]), "`kay.*` is no type");
        assert_eq!(
            refused(&[("since", "July")]),
            "`July` is no time for `since`: RFC 3339, such as 2026-07-01T00:00:00Z"
        );
    }

    #[test]
    fn what_only_decisions_have_takes_nothing_else() {
        let heartbeat = Facets { time: Timestamp::UNIX_EPOCH, kind: "heartbeat", decision: None };
        assert!(Filter::default().takes_facets(&heartbeat));
        assert!(!filter(&[("actor", "alice")]).unwrap().takes_facets(&heartbeat));
        assert!(filter(&[("type", "heart*")]).unwrap().takes_facets(&heartbeat));
        assert!(!filter(&[("until", "1970-01-01T00:00:00Z")]).unwrap().takes_facets(&heartbeat));
    }
}
