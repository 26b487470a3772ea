//! What the facts look like in JSON, for the report's schema. The facts themselves are written by
//! `verify`, which needs no schema; a test holds one to the other.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::wire::{Time, TimeKindWord};
use crate::release::digest::ClaimedDigest;
use crate::verify::facts::Party;

/// What was proved of the release.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
pub(super) struct FactsMember {
    #[serde(rename = "_type")]
    #[schemars(extend("const" = crate::verify::facts::TYPE))]
    r#type: String,
    release: ClaimedDigest,
    now: Time,
    trust_digest: ClaimedDigest,
    artifacts: Vec<ArtifactMember>,
    config: Vec<ConfigMember>,
    approvals: Vec<ApprovalMember>,
    sources: Vec<SourceMember>,
    separation: Vec<SeparationMember>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct ArtifactMember {
    name: String,
    digest: ClaimedDigest,
    read: bool,
    signatures: Vec<SignatureMember>,
    provenances: Vec<ProvenanceMember>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contradicted: Vec<ContradictionMember>,
    attestations: Vec<AttestationMember>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    platforms: Vec<PlatformMember>,
}

/// One platform of an image index.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct PlatformMember {
    platform: String,
    digest: ClaimedDigest,
}

/// A provenance that its own certificate contradicts.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct ContradictionMember {
    signer: String,
    member: String,
    certificate: String,
    predicate: String,
    evidence: ClaimedDigest,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct ConfigMember {
    name: String,
    digest: ClaimedDigest,
    read: bool,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct SignatureMember {
    signer: String,
    evidence: ClaimedDigest,
    /// Of a certificate, the digest of its issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClaimedDigest")]
    identity: Option<ClaimedDigest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    time: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<LeafMember>,
}

/// The evidence that vouches for one platform of an image index.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct LeafMember {
    platform: String,
    evidence: ClaimedDigest,
    /// Of a certificate, the digest of its issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClaimedDigest")]
    identity: Option<ClaimedDigest>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct ProvenanceMember {
    signer: String,
    builder: String,
    #[schemars(range(max = 3))]
    level: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    commit: Option<String>,
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    r#ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    workflow: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    trigger: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    hosted: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    finished_on: Option<Time>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    external_parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    time: Option<Time>,
    evidence: ClaimedDigest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<LeafMember>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct AttestationMember {
    signer: String,
    predicate_type: String,
    evidence: ClaimedDigest,
    /// Of a certificate, the digest of its issuer and subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClaimedDigest")]
    identity: Option<ClaimedDigest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SaysMember")]
    says: Option<SaysMember>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    time: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    created: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    run_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    commit: Option<String>,
    /// The manifests of the platforms that it is about; absent when it is about the artifact itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<ClaimedDigest>,
}

/// What a predicate says that policies have conditions for.
#[derive(JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
enum SaysMember {
    /// A SLSA verification summary.
    Summary {
        verifier: String,
        resource_uri: String,
        passed: bool,
        verified_levels: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "ClaimedDigest")]
        policy: Option<ClaimedDigest>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        slsa_version: Option<String>,
    },
    /// An in-toto simple verification result.
    Results { verifier: String, properties: Vec<String> },
    /// An in-toto test result.
    Tests { result: TestWord },
    /// An in-toto release.
    Release { purl: String },
}

#[derive(JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes a schema")]
enum TestWord {
    Passed,
    Warned,
    Failed,
}

/// A statement of who wrote the source.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct SourceMember {
    signer: String,
    evidence: ClaimedDigest,
    commit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    run_id: Option<String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct ApprovalMember {
    person: String,
    decision: Word,
    roles: Vec<String>,
    time: Time,
    time_kind: TimeKindWord,
    expires_at: Time,
    evidence: ClaimedDigest,
    /// The signer that passes on what the person said elsewhere; absent: the person's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    attested_by: Option<String>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a schema")]
enum Word {
    Approved,
    Rejected,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a schema")]
struct SeparationMember {
    party: Party,
    people: Vec<String>,
    unknown: u64,
}
