//! Rules: one file per kind.
//!
//! In: a section of a policy, checked against trust once, by [`Reading`]. Out: an [`Outcome`] per
//! evaluation over a read-only [`Scope`] of proved facts: findings, counted approvals, and limits
//! of the plan. A rule can't fail, reach outside its scope, or see evidence that was set aside.
//!
//! To add a kind: copy one of the files, add its section to [`Require`](super::document::Require) or
//! [`Spec`](super::document::Spec) and its ids to [`RuleId`]. From there the compiler and the tests name what
//! is left; `docs/architecture.md` lists it.

pub mod approvals;
pub mod attestations;
pub mod backup;
pub mod correlate;
pub mod floor;
pub mod freeze;
mod matching;
pub mod proposal;
pub mod provenance;
pub mod rollout;
pub mod signatures;
mod voice;
mod window;

use std::sync::Arc;

use chrono::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::LimitedBy;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::document::RESERVED_NAME;
use crate::time::{Timestamp, duration};
use crate::trust::{Signer, TrustRoot};
use crate::verify::facts::{ArtifactFacts, Facts};
use crate::yaml::{DocumentError, Source, Spanned};

use super::account::ReleaseSummary;
use super::finding::{Finding, Origin, RuleId, Severity};
use proposal::Proposal;

/// One requirement or limit of a policy, or of a flag.
#[derive(Debug)]
pub enum Rule {
    /// Signatures over artifacts.
    Signatures(signatures::Signatures),
    /// People who approved.
    Approvals(approvals::Approvals),
    /// Where artifacts were built, and from what.
    Provenance(Arc<provenance::Provenance>),
    /// Other attestations about artifacts, of one type.
    Attestations(Arc<attestations::Attestations>),
    /// That what counted is of one run or commit.
    Correlate(Box<correlate::Correlate>),
    /// A window in which nothing starts.
    Freeze(freeze::Freeze),
    /// Bounds of the rollout itself.
    Rollout(Box<rollout::RolloutLimits>),
}

impl Rule {
    /// Says what the facts lack, whose approval counted, and what ends the plan early.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        match self {
            Self::Signatures(rule) => rule.evaluate(scope, outcome),
            Self::Approvals(rule) => rule.evaluate(scope, outcome),
            Self::Provenance(rule) => rule.evaluate(scope, outcome),
            Self::Attestations(rule) => rule.evaluate(scope, outcome),
            Self::Correlate(rule) => rule.evaluate(scope, outcome),
            Self::Freeze(rule) => rule.evaluate(scope, outcome),
            Self::Rollout(rule) => rule.evaluate(scope, outcome),
        }
    }

    /// Whether it judges a migration's backup by its restore test.
    pub fn tests_backup(&self) -> bool {
        matches!(self, Self::Rollout(rule) if rule.tests_backup())
    }

    /// Whether it asks for evidence. Where no rule does, nothing was verified, and nothing passes.
    pub fn asks_for_evidence(&self) -> bool {
        match self {
            Self::Signatures(_) | Self::Approvals(_) | Self::Provenance(_) | Self::Attestations(_) => true,
            Self::Correlate(_) | Self::Freeze(_) | Self::Rollout(_) => false,
        }
    }
}

/// Everything that a rule may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What was proved.
    pub facts: &'a Facts,
    /// What would be rolled out.
    pub proposal: &'a Proposal,
    /// What the release claims, its source among it.
    pub release: &'a ReleaseSummary,
    /// When it is judged.
    pub now: Timestamp,
    /// The artifact that a restore test is asked of, in place of what is asked of each artifact.
    pub set_apart: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// What the rules of a set look at: the backup that a set judges by its restore test stands beside what
    /// that set asks of each artifact. No set does that for another one.
    pub(super) fn of_set(self, mut rules: impl Iterator<Item = &'a Rule>) -> Self {
        let set_apart = self.proposal.backup_apart().filter(|_| rules.any(Rule::tests_backup));
        Self { set_apart, ..self }
    }

    /// The release as findings name it.
    pub(super) fn release_name(&self) -> String {
        format!("{} {}", self.release.name, self.release.version)
    }
}

/// Whether more evidence could turn a deny into an allow: then an unreachable source makes the
/// verdict inconclusive (`formats.md` section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// Evidence that was not reached might.
    Evidence,
    /// No evidence of any kind.
    None,
}

/// A finding and whether evidence could cure it.
#[derive(Debug)]
pub struct Judged {
    /// The finding.
    pub finding: Finding,
    /// What could cure it.
    pub cure: Cure,
}

/// An approval that met every condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The person.
    pub person: String,
    /// The record.
    pub evidence: Digest,
    /// The role slot that it filled, if the rule has any.
    pub role: Option<String>,
}

/// What evaluating gives.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Denies and warnings.
    pub findings: Vec<Judged>,
    /// Approvals that counted.
    pub counted: Vec<Counted>,
    /// Ends of the plan.
    pub limits: Vec<(Timestamp, LimitedBy)>,
}

impl Outcome {
    /// Denies.
    pub(super) fn deny(&mut self, cure: Cure, finding: Finding) {
        self.findings.push(Judged { finding, cure });
    }

    /// Ends the plan some time after an instant; where the sum is no date, nothing ends it.
    pub(super) fn limit_after(&mut self, start: Timestamp, duration: Duration, by: LimitedBy) {
        if let Some(end) = start.checked_add_signed(duration) {
            self.limits.push((end, by));
        }
    }
}

/// A deny with its reason; the rest of a finding is added where it applies.
pub(super) fn denial(rule: RuleId, subject: &str, message: String, help: String) -> Finding {
    Finding {
        rule,
        severity: Severity::Deny,
        subject: subject.to_owned(),
        message,
        help: Some(help),
        origin: None,
        place: None,
        counted: Vec::new(),
    }
}

/// What a policy file is read with: its text, its set, and whose names it may use.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The text.
    pub source: &'a Source,
    /// The file's path in the set's manifest.
    pub path: &'a str,
    /// The digest of the set.
    pub set: &'a ClaimedDigest,
    /// Whose names it may use.
    pub trust: &'a TrustRoot,
}

impl<'a> Reading<'a> {
    /// Where a requirement stands.
    pub(super) fn origin<T>(&self, at: &Spanned<T>) -> Origin {
        Origin { place: self.source.place(at), path: self.path.into(), set: self.set.clone() }
    }

    /// An error at a value, with a way to mend it.
    pub(super) fn refuse<T>(&self, at: &Spanned<T>, message: String, help: &str) -> DocumentError {
        let mut error = self.source.error_at(at, message);
        error.help = Some(help.to_owned());
        error
    }

    /// The signer of trust with this name.
    pub(super) fn signer(&self, name: &Spanned<String>) -> Result<&'a Signer, DocumentError> {
        self.trust.signer(&name.value).ok_or_else(|| {
            let message = format!("trust names no signer `{}`", name.value);
            self.refuse(name, message, "add it under `signers` in the trust file, or correct the name")
        })
    }

    /// A value as it is written.
    pub(super) fn written<T>(&self, at: &Spanned<T>) -> String {
        let place = self.source.place(at);
        place.text.get(place.span).unwrap_or_default().trim().to_owned()
    }

    /// Reads `24h`, `7d`, `90m`.
    pub(super) fn duration(&self, text: &Spanned<String>) -> Result<Duration, DocumentError> {
        duration::parse(&text.value).ok_or_else(|| {
            self.refuse(
                text,
                format!("`{}` is not a duration", text.value),
                "write whole numbers with the units d, h, m and s, larger ones first, such as `24h` or `1h30m`",
            )
        })
    }
}

/// What a requirement holds for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// Every artifact that the release lists or an image names.
    #[default]
    Artifact,
    /// The rendered manifests, as a whole; a release without them fails.
    Manifests,
}

impl Each {
    /// The artifacts that it names. None is a deny: a requirement over nothing holds for nothing.
    pub(super) fn select<'a>(self, scope: &Scope<'a>) -> Vec<&'a ArtifactFacts> {
        let manifests = self == Self::Manifests;
        let of_this = |artifact: &&ArtifactFacts| {
            (artifact.name == RESERVED_NAME) == manifests && scope.set_apart != Some(artifact.name.as_str())
        };
        scope.facts.artifacts.iter().filter(of_this).collect()
    }

    /// The deny of a requirement that found nothing to hold for.
    pub(super) fn nothing(self, rule: RuleId, scope: &Scope<'_>) -> Finding {
        let (what, help) = match self {
            Self::Artifact => ("artifact", "list the artifacts in the release, or name them with `--image`"),
            Self::Manifests => ("rendered manifests", "pass the rendered manifests with `--manifests`"),
        };
        let message = format!("the release has no {what} for this requirement to hold for");
        denial(rule, &scope.release_name(), message, help.to_owned())
    }
}
