//! A line, read as far as a catalog needs.
//!
//! In: a line's bytes. Out: its members, borrowed where they can be. Schema: `audit-log.md` 1.5.

use std::borrow::Cow;

use serde::Deserialize;

use crate::audit::filter::{DecisionFacets, Facets};
use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::time::{self, Timestamp};

use super::{Group, Milestone};

/// What a line says.
#[derive(Deserialize)]
pub(crate) struct Brief<'a> {
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

impl<'a> Brief<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// It is no JSON object with a time and a type, or what it says of a decision is of another form.
    pub(crate) fn read(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut brief: Self = serde_json::from_slice(line)?;
        brief.read = time::parse(&brief.time).map_err(serde::de::Error::custom)?;
        let counted = brief.approvals.iter().filter(|approval| approval.counted);
        brief.approvers = counted.map(|approval| approval.person.clone().into_owned()).collect();
        brief.rules = brief.findings.iter().map(|finding| finding.rule.clone().into_owned()).collect();
        Ok(brief)
    }

    /// Its type.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Its time.
    pub(crate) fn time(&self) -> Timestamp {
        self.read
    }

    /// The digest of the plan that it names, as it is written.
    pub(crate) fn plan(&self) -> Option<&str> {
        self.plan.as_ref().map(|plan| plan.digest.as_ref())
    }

    /// What a decision is asked for.
    pub(crate) fn decision(&self) -> Option<DecisionFacets<'_>> {
        let release = self.release.as_ref().filter(|_| self.kind == "decision")?;
        Some(DecisionFacets {
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

    /// What a filter asks for.
    pub(crate) fn facets(&self) -> Facets<'_> {
        Facets { time: self.read, kind: &self.kind, decision: self.decision() }
    }

    /// What it says of a rollout, and of which plan.
    pub(super) fn milestone(&self, index: u64) -> Option<(String, Milestone)> {
        let kind = self.kind.strip_prefix("rollout.")?;
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
