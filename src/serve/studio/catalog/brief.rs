//! A line, read as far as the catalog needs.
//!
//! In: a line's bytes. Out: its members, borrowed where they can be. Schema: `audit-log.md` 1.5.

use std::borrow::Cow;

use serde::Deserialize;

use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time::{self, Timestamp};

use super::{Group, Milestone};

#[derive(Deserialize)]
pub(super) struct Brief<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(skip)]
    read: Timestamp,
    verdict: Option<Verdict>,
    action: Option<Action>,
    #[serde(borrow)]
    actor: Option<Actor<'a>>,
    #[serde(borrow)]
    release: Option<Release<'a>>,
    #[serde(default, borrow)]
    approvals: Vec<Approval<'a>>,
    #[serde(default, borrow)]
    findings: Vec<Finding<'a>>,
    #[serde(borrow)]
    plan: Option<Named<'a>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    cause: Option<Cow<'a, str>>,
    #[serde(skip)]
    approvers: Vec<String>,
    #[serde(skip)]
    rules: Vec<String>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Release<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    environment: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Approval<'a> {
    #[serde(borrow)]
    person: Cow<'a, str>,
    counted: bool,
}

#[derive(Deserialize)]
struct Finding<'a> {
    #[serde(borrow)]
    rule: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

/// What a decision is filtered by.
pub(super) struct Decision<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) environment: &'a str,
    pub(super) actor: &'a str,
    pub(super) action: Action,
    pub(super) verdict: Verdict,
    pub(super) approvers: &'a [String],
    pub(super) rules: &'a [String],
}

impl<'a> Brief<'a> {
    pub(super) fn read(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut brief: Self = serde_json::from_slice(line)?;
        brief.read = time::parse(&brief.time).map_err(serde::de::Error::custom)?;
        let counted = brief.approvals.iter().filter(|approval| approval.counted);
        brief.approvers = counted.map(|approval| approval.person.clone().into_owned()).collect();
        brief.rules = brief.findings.iter().map(|finding| finding.rule.clone().into_owned()).collect();
        Ok(brief)
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn micros(&self) -> i64 {
        self.read.timestamp_micros()
    }

    pub(super) fn decision(&self) -> Option<Decision<'_>> {
        let release = self.release.as_ref().filter(|_| self.kind == "decision")?;
        Some(Decision {
            name: &release.name,
            version: &release.version,
            environment: &release.environment,
            actor: self.actor.as_ref().map_or("", |actor| &actor.id),
            action: self.action?,
            verdict: self.verdict?,
            approvers: &self.approvers,
            rules: &self.rules,
        })
    }

    pub(super) fn milestone(&self, index: u64, kind: &str) -> Option<(String, Milestone)> {
        let kind = kind.strip_prefix("rollout.")?;
        let (plan, release) = (self.plan.as_ref()?, self.release.as_ref()?);
        let milestone = Milestone {
            index,
            time: self.read,
            kind: kind.to_owned(),
            target: self.target.as_deref().unwrap_or_default().to_owned(),
            cause: self.cause.as_deref().map(str::to_owned),
            release: Group {
                environment: release.environment.clone().into_owned(),
                name: release.name.clone().into_owned(),
                version: release.version.clone().into_owned(),
            },
        };
        Some((plan.digest.clone().into_owned(), milestone))
    }
}
