//! Findings: a rule's result with its reason.
//!
//! Made by rules and by the floor; ordered, recorded and printed as they are. What each rule means
//! and how it is mended: `docs/rules.md`, one heading per [`RuleId`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::release::digest::ClaimedDigest;
use crate::yaml::Place;

/// Ids of the built-in rules: finding code = config key = docs heading = fixture folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RuleId {
    /// An artifact's bytes are not what the release claims.
    ArtifactDigest,
    /// An image that its registry does not have.
    ArtifactMissing,
    /// An artifact was named by digest and never read.
    ArtifactNotRead,
    /// An artifact's bytes are a PAE or a simple-signing payload.
    ArtifactShape,
    /// An image whose registry could not be asked, or gave no answer that can be used.
    ArtifactUnreachable,
    /// A container of the manifests names its image by something else than a digest.
    ImageNotPinned,
    /// No rule was selected for this release.
    NoRule,
    /// Too few signatures over an artifact.
    SignatureMissing,
    /// Too few people approved, or no one in a required role.
    ApprovalThreshold,
    /// Somebody entitled to approve rejected.
    ApprovalRejected,
    /// An approver is also a party that must be another person.
    SeparationOfDuties,
    /// A party of separation of duties could not be established.
    SeparationUnknown,
    /// No provenance of an artifact counts.
    ProvenanceMissing,
    /// Provenance of another builder than asked for, or of one that trust doesn't name.
    ProvenanceBuilder,
    /// The builder is trusted up to a lower level.
    ProvenanceLevel,
    /// Provenance of another repository.
    ProvenanceSource,
    /// Provenance of another ref.
    ProvenanceRef,
    /// Provenance of another commit.
    ProvenanceCommit,
    /// Not built on a hosted runner.
    ProvenanceRunner,
    /// Provenance of another workflow.
    ProvenanceWorkflow,
    /// Provenance of a build that something else started.
    ProvenanceTrigger,
    /// Provenance of a build with another external parameter.
    ProvenanceParameter,
    /// The build ended too long ago, or nobody says when.
    ProvenanceAge,
    /// The build did not take in what it should have.
    ProvenanceDependency,
    /// A certificate says otherwise than the provenance that it signed.
    ClaimsMismatch,
    /// Too few attestations of a type that is asked for.
    AttestationMissing,
    /// An attestation that doesn't say what it has to.
    AttestationFailed,
    /// What counted is not of one run or commit.
    CorrelationMismatch,
    /// A frozen window.
    Freeze,
    /// A strategy that the policy does not allow.
    RolloutStrategy,
    /// A first step above the policy's bound.
    RolloutFirstStep,
    /// An error or latency budget above the policy's bound.
    RolloutBudget,
    /// A migration class that the policy does not allow, or one without what it demands.
    RolloutMigration,
    /// A migration's backup without a restore test that passed in time.
    RolloutBackup,
    /// More evidence than is taken.
    EvidenceLimit,
    /// A source of evidence that could not be reached.
    EvidenceUnreachable,
}

impl RuleId {
    /// The id as written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ArtifactDigest => "artifact-digest",
            Self::ArtifactMissing => "artifact-missing",
            Self::ArtifactNotRead => "artifact-not-read",
            Self::ArtifactShape => "artifact-shape",
            Self::ArtifactUnreachable => "artifact-unreachable",
            Self::ImageNotPinned => "image-not-pinned",
            Self::NoRule => "no-rule",
            Self::SignatureMissing => "signature-missing",
            Self::ApprovalThreshold => "approval-threshold",
            Self::ApprovalRejected => "approval-rejected",
            Self::SeparationOfDuties => "separation-of-duties",
            Self::SeparationUnknown => "separation-unknown",
            Self::ProvenanceMissing => "provenance-missing",
            Self::ProvenanceBuilder => "provenance-builder",
            Self::ProvenanceLevel => "provenance-level",
            Self::ProvenanceSource => "provenance-source",
            Self::ProvenanceRef => "provenance-ref",
            Self::ProvenanceCommit => "provenance-commit",
            Self::ProvenanceRunner => "provenance-runner",
            Self::ProvenanceWorkflow => "provenance-workflow",
            Self::ProvenanceTrigger => "provenance-trigger",
            Self::ProvenanceParameter => "provenance-parameter",
            Self::ProvenanceAge => "provenance-age",
            Self::ProvenanceDependency => "provenance-dependency",
            Self::ClaimsMismatch => "claims-mismatch",
            Self::AttestationMissing => "attestation-missing",
            Self::AttestationFailed => "attestation-failed",
            Self::CorrelationMismatch => "correlation-mismatch",
            Self::Freeze => "freeze",
            Self::RolloutStrategy => "rollout-strategy",
            Self::RolloutFirstStep => "rollout-first-step",
            Self::RolloutBudget => "rollout-budget",
            Self::RolloutMigration => "rollout-migration",
            Self::RolloutBackup => "rollout-backup",
            Self::EvidenceLimit => "evidence-limit",
            Self::EvidenceUnreachable => "evidence-unreachable",
        }
    }

    /// All of them, for documentation and its test.
    pub const ALL: &[Self] = &[
        Self::ArtifactDigest,
        Self::ArtifactMissing,
        Self::ArtifactNotRead,
        Self::ArtifactShape,
        Self::ArtifactUnreachable,
        Self::ImageNotPinned,
        Self::NoRule,
        Self::SignatureMissing,
        Self::ApprovalThreshold,
        Self::ApprovalRejected,
        Self::SeparationOfDuties,
        Self::SeparationUnknown,
        Self::ProvenanceMissing,
        Self::ProvenanceBuilder,
        Self::ProvenanceLevel,
        Self::ProvenanceSource,
        Self::ProvenanceRef,
        Self::ProvenanceCommit,
        Self::ProvenanceRunner,
        Self::ProvenanceWorkflow,
        Self::ProvenanceTrigger,
        Self::ProvenanceParameter,
        Self::ProvenanceAge,
        Self::ProvenanceDependency,
        Self::ClaimsMismatch,
        Self::AttestationMissing,
        Self::AttestationFailed,
        Self::CorrelationMismatch,
        Self::Freeze,
        Self::RolloutStrategy,
        Self::RolloutFirstStep,
        Self::RolloutBudget,
        Self::RolloutMigration,
        Self::RolloutBackup,
        Self::EvidenceLimit,
        Self::EvidenceUnreachable,
    ];
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It denies.
    Deny,
    /// It warns.
    Warn,
}

/// Where in which policy a finding comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The place of the requirement, in the file as the user named it.
    pub place: Place,
    /// The file's path in the set's manifest: the same wherever the set lies.
    pub path: String,
    /// The digest of the policy set that it is in.
    pub set: ClaimedDigest,
}

/// A rule's result with its reason. `formats.md` section 10 orders them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Its weight.
    pub severity: Severity,
    /// What it is about: an artifact's name, the release, a party.
    pub subject: String,
    /// Names, digests and numbers; no free text of anybody.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The requirement, when a policy file holds it (flags and the floor have none).
    pub origin: Option<Origin>,
    /// What it is about, when that stands in a file of the release.
    pub place: Option<Place>,
    /// What counted towards it, for the report: names of people, signers or builders.
    pub counted: Vec<String>,
}

impl Finding {
    /// What findings are sorted by (`formats.md` section 10), made total by the set and the rest.
    pub fn order(&self) -> impl Ord + '_ {
        let origin = self.origin.as_ref();
        let at = origin.map(|origin| (origin.path.as_str(), origin.place.line));
        let set = origin.map(|origin| (&origin.set, origin.place.column));
        let place = self.place.as_ref().map(|place| (&place.file, place.line, place.column));
        let said = (self.rule.as_str(), &self.subject, &self.message);
        (self.severity, at, said, place, set, &self.help, &self.counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained_under_its_own_heading() {
        let page = include_str!("../../docs/rules.md");
        let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let expected: Vec<_> = RuleId::ALL.iter().map(|rule| format!("`{}`", rule.as_str())).collect();
        assert_eq!(headings, expected);
    }

    #[test]
    fn an_id_is_written_the_same_in_json() {
        for rule in RuleId::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        let schema = serde_json::to_value(schemars::schema_for!(RuleId)).unwrap();
        let count = schema["oneOf"].as_array().unwrap().len();
        assert_eq!(count, RuleId::ALL.len(), "a rule is missing from the list of all");
    }
}
