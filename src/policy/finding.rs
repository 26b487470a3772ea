//! Findings: a rule's result with its reason.
//!
//! Made by rules and by the floor; ordered, recorded and printed as they are. What each rule means
//! and how it is mended: `docs/rules.md`, one heading per [`RuleId`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::release::digest::ClaimedDigest;
use crate::yaml::Place;

/// The ids from one list: the type, its words and all of them can't differ.
macro_rules! rule_ids {
    ($(#[$about:meta])* pub enum RuleId { $($(#[$doc:meta])* $name:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[non_exhaustive]
        pub enum RuleId {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl RuleId {
            /// The id as written everywhere.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// All of them, in the order of `docs/rules.md`.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

rule_ids! {
    /// Ids of the built-in rules: finding code = config key = docs heading = fixture folder.
    pub enum RuleId {
        /// An artifact's bytes are not what the release claims.
        ArtifactDigest = "artifact-digest",
        /// An image that its registry does not have.
        ArtifactMissing = "artifact-missing",
        /// An artifact was named by digest and never read.
        ArtifactNotRead = "artifact-not-read",
        /// An artifact's bytes are a PAE or a simple-signing payload.
        ArtifactShape = "artifact-shape",
        /// An image whose registry could not be asked, or gave no answer that can be used.
        ArtifactUnreachable = "artifact-unreachable",
        /// A container of the manifests names its image by something else than a digest.
        ImageNotPinned = "image-not-pinned",
        /// No rule was selected for this release.
        NoRule = "no-rule",
        /// Too few signatures over an artifact.
        SignatureMissing = "signature-missing",
        /// Too few people approved, or no one in a required role.
        ApprovalThreshold = "approval-threshold",
        /// Somebody entitled to approve rejected.
        ApprovalRejected = "approval-rejected",
        /// An approver is also a party that must be another person.
        SeparationOfDuties = "separation-of-duties",
        /// A party of separation of duties could not be established.
        SeparationUnknown = "separation-unknown",
        /// No provenance of an artifact counts.
        ProvenanceMissing = "provenance-missing",
        /// Provenance of another builder than asked for, or of one that trust doesn't name.
        ProvenanceBuilder = "provenance-builder",
        /// The builder is trusted up to a lower level.
        ProvenanceLevel = "provenance-level",
        /// Provenance of another repository.
        ProvenanceSource = "provenance-source",
        /// Provenance of another ref.
        ProvenanceRef = "provenance-ref",
        /// Provenance of another commit.
        ProvenanceCommit = "provenance-commit",
        /// Not built on a hosted runner.
        ProvenanceRunner = "provenance-runner",
        /// Provenance of another workflow.
        ProvenanceWorkflow = "provenance-workflow",
        /// Provenance of a build that something else started.
        ProvenanceTrigger = "provenance-trigger",
        /// Provenance of a build with another external parameter.
        ProvenanceParameter = "provenance-parameter",
        /// The build ended too long ago, or nobody says when.
        ProvenanceAge = "provenance-age",
        /// The build did not take in what it should have.
        ProvenanceDependency = "provenance-dependency",
        /// A certificate says otherwise than the provenance that it signed.
        ClaimsMismatch = "claims-mismatch",
        /// Too few attestations of a type that is asked for.
        AttestationMissing = "attestation-missing",
        /// An attestation that doesn't say what it has to.
        AttestationFailed = "attestation-failed",
        /// What counted is not of one run or commit.
        CorrelationMismatch = "correlation-mismatch",
        /// A frozen window.
        Freeze = "freeze",
        /// A strategy that the policy does not allow.
        RolloutStrategy = "rollout-strategy",
        /// A first step above the policy's bound.
        RolloutFirstStep = "rollout-first-step",
        /// An error or latency budget above the policy's bound.
        RolloutBudget = "rollout-budget",
        /// A migration class that the policy does not allow, or one without what it demands.
        RolloutMigration = "rollout-migration",
        /// A migration's backup without a restore test that passed in time.
        RolloutBackup = "rollout-backup",
        /// More evidence than is taken.
        EvidenceLimit = "evidence-limit",
        /// Evidence that somebody whom trust names signed, and that can't be read.
        EvidenceUnheard = "evidence-unheard",
        /// A source of evidence that could not be reached.
        EvidenceUnreachable = "evidence-unreachable",
    }
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
        let words: Vec<_> =
            schema["oneOf"].as_array().unwrap().iter().map(|one| one["const"].clone()).collect();
        assert_eq!(words, RuleId::ALL.iter().map(|rule| rule.as_str()).collect::<Vec<_>>());
    }
}
