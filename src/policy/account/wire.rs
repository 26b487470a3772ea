//! The wire form of the JSON report, and the JSON Schema from the same types (`cli.md`).
//!
//! `audit` and `timing` are members of the schema only: they are added by whoever prints the
//! report, since its digest is in the entry before there is a place in the log.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use crate::plan::draft::Verdict;
use crate::plan::{LimitedBy, Mode};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;
use crate::verify::facts::Facts;
use crate::verify::set_aside::SetAside;

use super::facts_schema::FactsMember;
use super::{Action, DecisionReport, PlanSummary, PolicyInForce, RecordedApproval, ReleaseSummary};
use crate::policy::finding::{Finding, RuleId, Severity};

/// `_type` of the report.
const TYPE: &str = "https://laforge.dev/report/v1";

/// An instant in UTC, in whole seconds.
#[derive(JsonSchema)]
#[schemars(transparent, extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"))]
pub(super) struct Time(#[expect(dead_code, reason = "describes a schema")] String);

/// Whose word a time is: a log's or a time stamp authority's, or the signer's own.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a schema")]
pub(super) enum TimeKindWord {
    Trusted,
    Claimed,
}

#[derive(Serialize, JsonSchema)]
#[schemars(title = "laforge decision report")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report<'a> {
    #[serde(rename = "_type")]
    #[schemars(extend("const" = TYPE))]
    r#type: &'static str,
    #[schemars(extend("const" = "laforge.dev/v1"))]
    api_version: &'static str,
    #[schemars(extend("const" = "DecisionReport"))]
    kind: &'static str,
    /// What was decided.
    decision: DecisionMember,
    /// What it was about; no digest after a mismatch.
    release: &'a ReleaseSummary,
    /// Every finding, in order.
    findings: Vec<FindingMember<'a>>,
    /// What was proved; absent after a mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FactsMember")]
    facts: Option<&'a Facts>,
    /// Every approval record in date, and whether it counted.
    approvals: &'a [RecordedApproval],
    /// What did not count, and why.
    #[schemars(with = "Vec<SetAsideMember>")]
    set_aside: &'a [SetAside],
    /// What could not be reached.
    unreachable: Vec<UnreachableMember<'a>>,
    /// How many files in evidence folders are of no kind of evidence.
    ignored: u64,
    /// The policy sets in force.
    policy: &'a PolicyInForce,
    /// The trust in force.
    trust: DigestMember,
    /// When it was decided.
    #[serde(serialize_with = "crate::time::seconds")]
    #[schemars(with = "Time")]
    clock: Timestamp,
    /// The plan, on allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PlanMember")]
    plan: Option<PlanMember>,
    /// Where the log holds the decision; added when it is printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AuditMember")]
    audit: Option<AuditMember>,
    /// How long each stage took, in milliseconds; added when it is printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, u64>")]
    timing: Option<BTreeMap<String, u64>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DecisionMember {
    /// What the policy says; `error` is inconclusive.
    verdict: Verdict,
    /// What happened.
    action: Action,
    /// How it was decided.
    mode: Mode,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindingMember<'a> {
    rule: RuleId,
    severity: Severity,
    /// What it is about.
    subject: &'a str,
    /// Names, digests and numbers.
    message: &'a str,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    help: Option<&'a str>,
    /// What counted towards the requirement: names of people or signers.
    counted: &'a [String],
    /// The requirement, when a policy file holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PolicyMember")]
    policy: Option<PolicyMember<'a>>,
    /// What it is about, when that stands in a file of the release, such as a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PlaceMember")]
    place: Option<PlaceMember<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlaceMember<'a> {
    /// The file, as it was named.
    file: &'a str,
    line: u64,
    column: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PolicyMember<'a> {
    /// The path in the set's manifest.
    file: &'a str,
    line: u64,
    column: u64,
    /// The digest of the set.
    digest: &'a ClaimedDigest,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct SetAsideMember {
    evidence: ClaimedDigest,
    /// A stable word per reason.
    kind: String,
    /// What was wanted and what was got.
    reason: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UnreachableMember<'a> {
    source: &'a str,
    cause: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DigestMember {
    #[schemars(with = "ClaimedDigest")]
    digest: Digest,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlanMember {
    /// The planDigest.
    #[schemars(with = "ClaimedDigest")]
    digest: Digest,
    /// Until when it may be started.
    #[serde(serialize_with = "crate::time::seconds")]
    #[schemars(with = "Time")]
    not_after: Timestamp,
    /// What set that end.
    limited_by: LimitedBy,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuditMember {
    origin: String,
    log_id: ClaimedDigest,
    index: u64,
    size: u64,
    root: ClaimedDigest,
}

/// The JSON report without `audit` and `timing`.
pub(super) fn of(report: &DecisionReport) -> Value {
    let wire = Report {
        r#type: TYPE,
        api_version: "laforge.dev/v1",
        kind: "DecisionReport",
        decision: DecisionMember { verdict: report.verdict, action: report.action, mode: report.mode },
        release: &report.release,
        findings: report.findings.iter().map(finding).collect(),
        facts: report.facts.as_ref(),
        approvals: &report.approvals,
        set_aside: &report.set_aside,
        unreachable: report
            .unreachable
            .iter()
            .map(|one| UnreachableMember { source: &one.source, cause: &one.cause })
            .collect(),
        ignored: report.ignored,
        policy: &report.policy,
        trust: DigestMember { digest: report.trust },
        clock: report.now,
        plan: report.plan.as_ref().map(plan),
        audit: None,
        timing: None,
    };
    #[expect(clippy::expect_used, reason = "our own types hold string keys and integers only")]
    serde_json::to_value(wire).expect("a value of string keys and integers")
}

fn finding(finding: &Finding) -> FindingMember<'_> {
    let origin = finding.origin.as_ref();
    FindingMember {
        rule: finding.rule,
        severity: finding.severity,
        subject: &finding.subject,
        message: &finding.message,
        help: finding.help.as_deref(),
        counted: &finding.counted,
        policy: origin.map(|origin| PolicyMember {
            file: &origin.path,
            line: origin.place.line,
            column: origin.place.column,
            digest: &origin.set,
        }),
        place: finding.place.as_ref().map(|place| PlaceMember {
            file: &place.file,
            line: place.line,
            column: place.column,
        }),
    }
}

fn plan(plan: &PlanSummary) -> PlanMember {
    PlanMember { digest: plan.digest, not_after: plan.not_after, limited_by: plan.limited_by }
}

/// The schema of what is written, so that members that are left out are not required.
pub(super) fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Report<'static>>();
    schema.insert("$id".to_owned(), "https://laforge.dev/schema/report/v1".into());
    schema.to_value()
}
