//! Proved: the facts in their wire form, to read. `formats.md` section 9, "Facts" (with `config`, which
//! `artifacts: {byDigest}` judges too, with `leaves`, which says by which piece each platform of an
//! image index is vouched for when the index itself is not, with `identity`, by which one workload in two
//! names is one, and with `attestations`, `contradicted`, `platforms` and `sources`).
//!
//! Anybody may build one of these, and none of them proves anything: rules are asked over
//! [`VerifiedFacts`](super::facts::VerifiedFacts), which [`verify`](super::facts::verify) alone makes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use crate::evidence::predicate::test_result::Ending;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;

/// `_type` of the facts.
pub const TYPE: &str = "https://laforge.dev/facts/v1";

/// The facts in their wire form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// [`TYPE`].
    #[serde(rename = "_type")]
    pub r#type: &'static str,
    /// The release digest.
    pub release: Digest,
    /// When it was judged.
    #[serde(serialize_with = "crate::time::seconds")]
    pub now: Timestamp,
    /// Under which trust.
    pub trust_digest: Digest,
    /// Artifacts, by name.
    pub artifacts: Vec<ArtifactFacts>,
    /// Configurations, by name.
    pub config: Vec<ConfigFacts>,
    /// Each person's latest record that is in date, by person: their own, and one for each signer that
    /// passes on what they said elsewhere.
    pub approvals: Vec<ApprovalFact>,
    /// Statements of who wrote the source, by (signer, evidence).
    pub sources: Vec<SourceFact>,
    /// Parties of separation of duties that could be looked at, by party.
    pub separation: Vec<SeparationFact>,
}

/// What was proved of one artifact.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactFacts {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: ClaimedDigest,
    /// Whether its bytes were read here.
    pub read: bool,
    /// Signatures over it, by (signer, evidence).
    pub signatures: Vec<SignatureFact>,
    /// Provenances of it, by (signer, builder, evidence).
    pub provenances: Vec<ProvenanceFact>,
    /// Provenances of it that their own certificates contradict, and which count for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<ContradictionFact>,
    /// Other attestations about it, by (signer, predicate type, evidence).
    pub attestations: Vec<AttestationFact>,
    /// The platforms of an image index, which a fact about leaves refers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<PlatformFact>,
}

/// One platform of an image index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlatformFact {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: ClaimedDigest,
}

/// One configuration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFacts {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: ClaimedDigest,
    /// Whether its bytes were read here.
    pub read: bool,
}

/// One signature over an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureFact {
    /// The signer's name in trust.
    pub signer: String,
    /// The evidence.
    pub evidence: Digest,
    /// Of a certificate, the identity that signed: the digest of its issuer and subject, as `["ISSUER",
    /// "SUBJECT"]`. None of a key, which is that of one signer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// Its trusted time, if any.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Of an image index that is vouched for platform by platform, each one's evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<LeafEvidence>,
}

/// The evidence that vouches for one platform of an image index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeafEvidence {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// The evidence.
    pub evidence: Digest,
    /// Of a certificate, the identity that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
}

/// One provenance of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenanceFact {
    /// The signer's name in trust.
    pub signer: String,
    /// The builder's id.
    pub builder: String,
    /// The level that trust grants this (signer, builder); 0 when it grants none.
    pub level: u8,
    /// The source repository, when it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The source commit, when it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The ref, when it names one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
    /// The workflow that was started, when it names one: `REPOSITORY/PATH@REF` where a certificate
    /// or the builder says as much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The event that started it, when it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Whether a hosted runner built it, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted: Option<bool>,
    /// The run, when it names one: the certificate's URI of it, else what the builder calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// When the build ended, by the builder's word.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub finished_on: Option<Timestamp>,
    /// Parameters that the build's caller set, text by JSON pointer; bounded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub external_parameters: BTreeMap<String, String>,
    /// URIs of what it took in that a digest pins; bounded.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub dependencies: BTreeSet<String>,
    /// Its trusted time, if any.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The evidence.
    pub evidence: Digest,
    /// Of an image index that is vouched for platform by platform, each one's evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<LeafEvidence>,
}

/// One attestation about an artifact that is neither a signature nor provenance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationFact {
    /// The signer's name in trust.
    pub signer: String,
    /// What the predicate is.
    pub predicate_type: String,
    /// The evidence.
    pub evidence: Digest,
    /// Of a certificate, the identity that signed, as of [`SignatureFact::identity`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// What it says, of the predicates that a policy has conditions for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<Says>,
    /// Its trusted time, if any.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// When it was made by its own word, if it says so; else from when on its certificate is in date, if that is
    /// for more than an hour.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The run that signed it, when its certificate names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The source commit of the run that signed it, when its certificate names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Of an image index, the manifests of the platforms that it is about; empty when it is about
    /// the artifact itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<ClaimedDigest>,
}

/// What a predicate says that policies have conditions for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Says {
    /// A SLSA verification summary.
    Summary {
        /// Who verified.
        verifier: String,
        /// What the artifact was verified as.
        resource_uri: String,
        /// Whether the verifier's policy was met.
        passed: bool,
        /// The levels that were met.
        verified_levels: Vec<String>,
        /// The SHA-256 of the verifier's policy, when it names one.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy: Option<ClaimedDigest>,
        /// Of which version of SLSA the levels are.
        #[serde(skip_serializing_if = "Option::is_none")]
        slsa_version: Option<String>,
    },
    /// An in-toto simple verification result.
    Results {
        /// Who verified.
        verifier: String,
        /// What was found.
        properties: Vec<String>,
    },
    /// An in-toto test result.
    Tests {
        /// How the run ended.
        result: Ending,
    },
    /// An in-toto release.
    Release {
        /// Which release.
        purl: String,
    },
}

/// A statement of who wrote the source, that counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceFact {
    /// The signer's name in trust.
    pub signer: String,
    /// The evidence.
    pub evidence: Digest,
    /// The commit that it is about.
    pub commit: String,
    /// The run that signed it, when its certificate names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// A provenance of which the signing certificate says otherwise than the predicate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContradictionFact {
    /// The signer's name in trust.
    pub signer: String,
    /// What they disagree on: `repository`, `commit`, `ref`, `workflow`, `trigger`, `run`, `runner`.
    pub member: String,
    /// What the certificate says.
    pub certificate: String,
    /// What the predicate says.
    pub predicate: String,
    /// The evidence.
    pub evidence: Digest,
}

/// A person's latest record on this release and environment, in date at `now`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalFact {
    /// The person's name in trust.
    pub person: String,
    /// Yes or no.
    pub decision: ApprovalDecision,
    /// The roles in which it counts: all of the person's, or the one that the record narrows to.
    pub roles: Vec<String>,
    /// When it was given.
    #[serde(serialize_with = "crate::time::seconds")]
    pub time: Timestamp,
    /// Whose word `time` is.
    pub time_kind: TimeKind,
    /// Until when it counts.
    #[serde(serialize_with = "crate::time::seconds")]
    pub expires_at: Timestamp,
    /// The evidence.
    pub evidence: Digest,
    /// The signer that passes on what the person said elsewhere; none: the person's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalDecision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

/// Whose word a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeKind {
    /// A log's or a time stamp authority's.
    Trusted,
    /// The signer's own.
    Claimed,
}

/// A party of separation of duties.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// Authors and committer of the source, from `source/v1`.
    SourceAuthor,
    /// Who started the build, from the provenance.
    WorkflowActor,
    /// Who runs the deploy.
    Deployer,
    /// Who signed the policy set.
    PolicySigner,
}

/// Who a party is, as far as evidence says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeparationFact {
    /// The party.
    pub party: Party,
    /// People in trust that it maps to, by name.
    pub people: Vec<String>,
    /// How many of its names map to nobody in trust: then it is not established.
    pub unknown: u64,
}
