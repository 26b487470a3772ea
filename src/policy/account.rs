//! The account of a decision: the JSON report without what the log adds (`cli.md`, "The JSON report").
//!
//! It is a blob of the audit entry, so it is made here, before the log; `report` prints it. The
//! wire form and its JSON Schema are in [`wire`].

mod facts_schema;
mod wire;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::Unreachable;
use crate::plan::draft::Verdict;
use crate::plan::{LimitedBy, Mode};
use crate::release::deployed::Inventory;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{ResolvedArtifact, ResolvedRelease};
use crate::release::{Artifact, Release, SourceRevision};
use crate::time::Timestamp;
use crate::verify::facts::{Facts, TimeKind};
use crate::verify::set_aside::SetAside;

use super::Finding;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A plan may come out.
    Allow,
    /// None does.
    Deny,
    /// Nothing follows: a rehearsal.
    None,
}

/// A decision's account, owned, for the log's blob and every report.
#[derive(Debug)]
pub struct DecisionReport {
    /// What the policy says.
    pub verdict: Verdict,
    /// What happened.
    pub action: Action,
    /// How it was decided.
    pub mode: Mode,
    /// What it was about.
    pub release: ReleaseSummary,
    /// Every finding, in order.
    pub findings: Vec<Finding>,
    /// What was proved; none after a mismatch.
    pub facts: Option<Facts>,
    /// Every approval record in date, and whether it counted.
    pub approvals: Vec<RecordedApproval>,
    /// What did not count, and why.
    pub set_aside: Vec<SetAside>,
    /// What could not be reached.
    pub unreachable: Vec<Unreachable>,
    /// Files of no kind of evidence.
    pub ignored: u64,
    /// The policy sets in force.
    pub policy: PolicyInForce,
    /// The trust digest.
    pub trust: Digest,
    /// The planDigest and its end, on allow.
    pub plan: Option<PlanSummary>,
    /// When it was decided.
    pub now: Timestamp,
}

/// The release that was judged.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseSummary {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its environment.
    pub environment: String,
    /// The release digest; none after a mismatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClaimedDigest")]
    pub digest: Option<Digest>,
    /// Its source.
    pub source: SourceRevision,
    /// Its artifacts, by name.
    pub artifacts: Vec<NamedDigest>,
    /// What its manifests deploy, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ManifestsSummary")]
    pub manifests: Option<ManifestsSummary>,
}

impl ReleaseSummary {
    /// Of a release whose bytes are what it claims.
    pub(super) fn of(release: &ResolvedRelease) -> Self {
        let named =
            |one: &ResolvedArtifact| NamedDigest { name: one.name().to_owned(), digest: one.digest() };
        Self {
            name: release.name().to_owned(),
            version: release.version().to_owned(),
            environment: release.environment().to_owned(),
            digest: Some(release.digest()),
            source: release.source().clone(),
            artifacts: release.artifacts().iter().map(named).collect(),
            manifests: release.deployed().map(ManifestsSummary::of),
        }
    }

    /// Of a release that is not what it claims, or can't be had: what it claims.
    pub(super) fn claimed(release: Release) -> Self {
        let named = |one: Artifact| NamedDigest { name: one.name, digest: one.digest };
        let mut artifacts: Vec<_> = release.artifacts.into_iter().map(named).collect();
        artifacts.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            manifests: release.deployed.as_ref().map(ManifestsSummary::of),
            name: release.name,
            version: release.version,
            environment: release.environment,
            digest: None,
            source: release.source,
            artifacts,
        }
    }
}

/// What manifests deploy.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestsSummary {
    /// How many objects they hold.
    pub objects: u64,
    /// How many images they run by digest.
    pub images: u64,
    /// Kinds that name no image, and how many objects of each do not.
    pub without_images: BTreeMap<String, u64>,
}

impl ManifestsSummary {
    /// Of what was found in them.
    pub fn of(found: &Inventory) -> Self {
        let Inventory { objects, images, without_images, .. } = found.clone();
        Self { objects, images, without_images }
    }
}

/// A name and the digest that the release claims (and, when read, has).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedDigest {
    /// The name.
    pub name: String,
    /// The digest.
    pub digest: ClaimedDigest,
}

/// The policy sets in force.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyInForce {
    /// The policy digest.
    #[schemars(with = "ClaimedDigest")]
    pub digest: Digest,
    /// The sets, configured ones first, then `flags`.
    pub sets: Vec<SetSummary>,
}

/// One policy set in force.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSummary {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Its digest.
    #[schemars(with = "ClaimedDigest")]
    pub digest: Digest,
}

/// One approval record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedApproval {
    /// The person's name in trust.
    pub person: String,
    /// The signer that passed it on, when it is not the person's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub attested_by: Option<String>,
    /// The role slot that it filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub role: Option<String>,
    /// When it was given.
    #[serde(serialize_with = "crate::time::seconds")]
    #[schemars(with = "wire::Time")]
    pub time: Timestamp,
    /// Whose word that is.
    #[schemars(with = "wire::TimeKindWord")]
    pub time_kind: TimeKind,
    /// The evidence.
    #[schemars(with = "ClaimedDigest")]
    pub evidence: Digest,
    /// Whether it counted towards a requirement.
    pub counted: bool,
}

/// The plan of an allow.
#[derive(Debug, Clone)]
pub struct PlanSummary {
    /// The planDigest.
    pub digest: Digest,
    /// Its end.
    pub not_after: Timestamp,
    /// What set the end.
    pub limited_by: LimitedBy,
}

impl DecisionReport {
    /// The JSON report without `audit` and `timing`: what the entry's `report.digest` is over.
    pub fn to_value(&self) -> serde_json::Value {
        wire::of(self)
    }
}

/// The JSON Schema of the whole report, `audit` and `timing` included: `laforge schema report`.
pub fn report_schema() -> serde_json::Value {
    wire::schema()
}
