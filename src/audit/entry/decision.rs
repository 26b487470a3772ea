//! The entry of a decision: a bounded extract of its report.
//!
//! In: the account of a decision and its caller. Out: [`DecisionEntry`], which serialises to at
//! most 65,535 bytes whatever comes in; the report blob has everything whole.

use serde::{Deserialize, Serialize};

use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::policy::account::{Action, NamedDigest};
use crate::policy::{Caller, CiRun, DecisionReport, Severity};
use crate::release::SourceRevision;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;
use crate::verify::facts::TimeKind;

use super::bounds::{self, cut, first};
use super::event::{Actor, Tool};
use super::wire;

/// The role of evidence of which nothing was read.
const SET_ASIDE: &str = "set-aside";

/// `decision`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecisionEntry {
    /// The decision's `now`.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "wire::timestamp")]
    pub clock: Timestamp,
    /// What the policy says.
    pub verdict: Verdict,
    /// What happened.
    pub action: Action,
    /// How it was decided.
    #[serde(deserialize_with = "wire::mode")]
    pub mode: Mode,
    /// Who asked.
    pub actor: Actor,
    /// What was judged.
    pub release: ReleaseView,
    /// Approvals: counted first, then by person and evidence.
    pub approvals: Vec<ApprovalView>,
    /// Findings, in their order.
    pub findings: Vec<FindingView>,
    /// Evidence, by digest.
    pub inputs: Vec<InputView>,
    /// How many there are of each, since lists are cut.
    pub totals: Totals,
    /// The policy sets in force.
    pub policy: PolicyView,
    /// The trust in force.
    pub trust: Named,
    /// The facts; none after a mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Named>,
    /// The report.
    pub report: Named,
    /// The plan, on allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
    /// The rules that were overridden, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassView>,
    /// The CI run, by the environment's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci: Option<CiView>,
    /// The program.
    pub tool: Tool,
    /// The caller's trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The digest of everything that was asked and read.
    pub idem: ClaimedDigest,
}

/// A blob by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The digest.
    pub digest: ClaimedDigest,
}

/// The release in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its environment.
    pub environment: String,
    /// The release digest; none after a mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<ClaimedDigest>,
    /// Its source.
    pub source: SourceRevision,
    /// Its artifacts, by name.
    pub artifacts: Vec<NamedDigest>,
}

/// An approval in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalView {
    /// The person's name in trust.
    pub person: String,
    /// The signer that passed it on, when it is not the person's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
    /// The role slot that it filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When it was given.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "wire::timestamp")]
    pub time: Timestamp,
    /// Whose word that is.
    #[serde(deserialize_with = "wire::time_kind")]
    pub time_kind: TimeKind,
    /// The evidence.
    pub evidence: ClaimedDigest,
    /// Whether it counted towards a requirement.
    pub counted: bool,
}

/// A finding in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingView {
    /// The rule.
    pub rule: String,
    /// Its weight.
    #[serde(deserialize_with = "wire::severity")]
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// Names, digests and numbers.
    pub message: String,
}

/// A piece of evidence in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputView {
    /// What it turned out to be.
    pub role: String,
    /// The digest of its bytes.
    pub digest: ClaimedDigest,
    /// How many bytes.
    pub size: u64,
}

/// How many there are, since lists are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Artifacts.
    pub artifacts: usize,
    /// Approvals.
    pub approvals: usize,
    /// Findings.
    pub findings: usize,
    /// Inputs.
    pub inputs: usize,
}

/// Policy in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyView {
    /// The policy digest.
    pub digest: ClaimedDigest,
    /// The sets in force.
    pub sets: Vec<SetView>,
}

/// A policy set in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The digest of its manifest.
    pub digest: ClaimedDigest,
}

/// A plan in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanView {
    /// The planDigest.
    pub digest: ClaimedDigest,
    /// The core's size in bytes.
    pub size: u64,
}

/// An override in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakGlassView {
    /// The ticket.
    pub ticket: String,
    /// The rules that were overridden.
    pub rules: Vec<String>,
    /// The signed records.
    pub evidence: Vec<ClaimedDigest>,
    /// Until when they count.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "wire::timestamp")]
    pub expires_at: Timestamp,
    /// Until when it must be reviewed.
    #[serde(serialize_with = "crate::time::seconds", deserialize_with = "wire::timestamp")]
    pub review_due: Timestamp,
}

/// A CI run in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CiView {
    /// `github`, `gitlab`, ….
    pub provider: String,
    /// The run's id.
    pub run_id: String,
    /// The attempt.
    pub attempt: u64,
    /// Where it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What an entry is made of: the decision's account and the digests of what lies beside it.
#[derive(Debug)]
pub(in crate::audit) struct Account<'a> {
    pub(in crate::audit) report: &'a DecisionReport,
    pub(in crate::audit) inputs: Vec<InputView>,
    pub(in crate::audit) facts: Option<Digest>,
    pub(in crate::audit) report_digest: Digest,
    pub(in crate::audit) plan: Option<PlanView>,
    pub(in crate::audit) idem: Digest,
}

impl DecisionEntry {
    /// The entry of a decision.
    pub(in crate::audit) fn of(account: Account<'_>, caller: &Caller) -> Self {
        let report = account.report;
        let totals = Totals {
            artifacts: report.release.artifacts.len(),
            approvals: report.approvals.len(),
            findings: report.findings.len(),
            inputs: account.inputs.len(),
        };
        Self {
            clock: report.now,
            verdict: report.verdict,
            action: report.action,
            mode: report.mode,
            actor: Actor::from(&caller.actor),
            release: release(report),
            approvals: approvals(report),
            findings: findings(report),
            inputs: inputs(account.inputs),
            totals,
            policy: policy(report),
            trust: named(report.trust),
            facts: account.facts.map(named),
            report: named(account.report_digest),
            plan: account.plan,
            break_glass: None,
            ci: caller.ci.as_ref().map(ci),
            tool: Tool::this(),
            trace_id: caller.trace.as_ref().map(|trace| cut(trace, bounds::TRACE)),
            idem: account.idem.claim(),
        }
    }
}

impl DecisionEntry {
    /// Evidence of which nothing was read may be no evidence at all: its bytes may not be kept.
    pub(in crate::audit) fn set_aside(&self) -> impl Iterator<Item = &ClaimedDigest> {
        self.inputs.iter().filter(|input| input.role == SET_ASIDE).map(|input| &input.digest)
    }

    /// The blobs that it names, by the member that names them.
    pub(in crate::audit) fn blobs(&self) -> impl Iterator<Item = (&'static str, &ClaimedDigest)> {
        let facts = self.facts.iter().map(|facts| ("facts", &facts.digest));
        let plan = self.plan.iter().map(|plan| ("plan", &plan.digest));
        let sets = self.policy.sets.iter().map(|set| ("policy", &set.digest));
        let read = self.inputs.iter().filter(|input| input.role != SET_ASIDE);
        let inputs = read.map(|input| ("inputs", &input.digest));
        let own = [("trust", &self.trust.digest), ("report", &self.report.digest)];
        facts.chain(plan).chain(own).chain(sets).chain(inputs)
    }
}

fn named(digest: Digest) -> Named {
    Named { digest: digest.claim() }
}

fn release(report: &DecisionReport) -> ReleaseView {
    let release = &report.release;
    let mut artifacts: Vec<_> = release.artifacts.iter().collect();
    artifacts.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    ReleaseView {
        name: cut(&release.name, bounds::NAME),
        version: cut(&release.version, bounds::TEXT),
        environment: cut(&release.environment, bounds::NAME),
        digest: release.digest.map(|digest| digest.claim()),
        source: SourceRevision {
            repository: cut(&release.source.repository, bounds::TEXT),
            commit: cut(&release.source.commit, bounds::TEXT),
            r#ref: cut(&release.source.r#ref, bounds::TEXT),
        },
        artifacts: first(artifacts, |artifact| NamedDigest {
            name: cut(&artifact.name, bounds::ARTIFACT),
            digest: artifact.digest.clone(),
        }),
    }
}

fn approvals(report: &DecisionReport) -> Vec<ApprovalView> {
    let mut list: Vec<_> = report.approvals.iter().collect();
    list.sort_by(|a, b| {
        let key = |approval: &crate::policy::account::RecordedApproval| {
            (!approval.counted, approval.person.clone().into_bytes(), approval.evidence)
        };
        key(a).cmp(&key(b))
    });
    first(list, |approval| ApprovalView {
        person: cut(&approval.person, bounds::NAME),
        attested_by: approval.attested_by.as_ref().map(|signer| cut(signer, bounds::NAME)),
        role: approval.role.as_ref().map(|role| cut(role, bounds::NAME)),
        time: approval.time,
        time_kind: approval.time_kind,
        evidence: approval.evidence.claim(),
        counted: approval.counted,
    })
}

fn findings(report: &DecisionReport) -> Vec<FindingView> {
    first(&report.findings, |finding| FindingView {
        rule: cut(finding.rule.as_str(), bounds::NAME),
        severity: finding.severity,
        subject: cut(&finding.subject, bounds::ARTIFACT),
        message: cut(&finding.message, bounds::MESSAGE),
    })
}

fn inputs(mut list: Vec<InputView>) -> Vec<InputView> {
    list.sort_by(|a, b| a.digest.cmp(&b.digest));
    first(list, |input| InputView { role: cut(&input.role, bounds::NAME), ..input })
}

fn policy(report: &DecisionReport) -> PolicyView {
    let sets = report.policy.sets.iter().take(bounds::SETS).map(|set| SetView {
        name: cut(&set.name, bounds::NAME),
        version: set.version,
        digest: set.digest.claim(),
    });
    PolicyView { digest: report.policy.digest.claim(), sets: sets.collect() }
}

fn ci(run: &CiRun) -> CiView {
    CiView {
        provider: cut(&run.provider, bounds::TEXT),
        run_id: cut(&run.run_id, bounds::TEXT),
        attempt: run.attempt,
        url: run.url.as_ref().map(|url| cut(url, bounds::TEXT)),
    }
}
