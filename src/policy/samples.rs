//! What the tests of this room judge: a trust, a release, and facts of it.

use std::path::Path;

use crate::key::secret::SecretKey;
use crate::plan::members::StrategyType;
use crate::release::SourceRevision;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::{self, Timestamp};
use crate::trust::TrustRoot;
use crate::verify::facts::{
    ApprovalDecision, ApprovalFact, ArtifactFacts, AttestationFact, ConfigFacts, Facts, Party,
    ProvenanceFact, SeparationFact, SignatureFact, TYPE, TimeKind,
};
use crate::yaml::Source;

use super::account::{NamedDigest, ReleaseSummary};
use super::finding::Finding;
use super::rule::proposal::Proposal;
use super::rule::{Outcome, Rule, Scope};
use super::set::{Flags, PolicyError, PolicyFile, PolicySet, PolicySets};

pub(super) const BUILDER: &str = "https://builder.example/slsa3@refs/tags/v1";
pub(super) const REPOSITORY: &str = "https://github.com/acme/payments";
pub(super) const COMMIT: &str = "4f1c0b8e4f1c0b8e4f1c0b8e4f1c0b8e4f1c0b8e";

/// The moment of every test: a Tuesday noon.
pub(super) fn now() -> Timestamp {
    at("2026-11-24T12:00:00Z")
}

pub(super) fn at(text: &str) -> Timestamp {
    time::parse(text).unwrap()
}

pub(super) fn hours(count: i64) -> chrono::Duration {
    chrono::Duration::hours(count)
}

/// Signers `release` and `second` for artifacts, `slsa`, `ci`, `scanner` and `sbom` (of SPDX alone) for
/// attestations, `staging` for summaries; alice and bob
/// are release managers, bob is also on call, carol is on call, dave holds no role.
const TRUST: &str = "\
apiVersion: laforge.dev/v1
kind: Trust
signers:
  - {name: release, use: artifact, key: a.pub}
  - {name: second, use: artifact, key: b.pub}
  - {name: slsa, use: attestation, key: c.pub}
  - {name: ci, use: attestation, key: d.pub}
  - {name: scanner, use: attestation, key: i.pub}
  - {name: sbom, use: attestation, key: j.pub, predicateTypes: ['https://spdx.dev/Document']}
  - {name: staging, use: vsa, key: k.pub}
people:
  - {name: alice, roles: [release-manager], identities: [{key: e.pub}]}
  - {name: bob, roles: [release-manager, sre], identities: [{key: f.pub}]}
  - {name: carol, roles: [sre], identities: [{key: g.pub}]}
  - {name: dave, roles: [], identities: [{key: h.pub}]}
builders:
  - {id: 'https://builder.example/slsa3@refs/tags/v1', level: 3, signer: slsa}
  - {id: 'https://builder.example/basic@refs/tags/v1', level: 1, signer: ci}
";

/// `x.pub` is the Ed25519 key whose seed is 32 times `x`.
pub(super) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_ed25519_seed(&[seed; 32]).unwrap()
}

pub(super) fn trust() -> TrustRoot {
    trust_of(TRUST)
}

pub(super) fn trust_of(text: &str) -> TrustRoot {
    let mut read =
        |path: &Path| Ok(secret(path.to_str().unwrap().as_bytes()[0]).public().to_pem().into_bytes());
    TrustRoot::load(&Source::new("trust.yaml", text), &mut read, Path::new("")).unwrap()
}

/// A policy with this `spec`.
pub(super) fn policy(spec: &str) -> String {
    format!("apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: test}}\nspec: {spec}\n")
}

pub(super) fn file(path: &str, text: &str) -> PolicyFile {
    PolicyFile { path: path.to_owned(), shown: format!("policies/{path}"), bytes: text.into() }
}

pub(super) fn load(spec: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::load(vec![file("test.yaml", &policy(spec))], &trust())
}

pub(super) fn loaded(spec: &str) -> PolicySet {
    load(spec).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

pub(super) fn refused(spec: &str) -> String {
    load(spec).expect_err(spec).to_string()
}

pub(super) fn sets(configured: Vec<PolicySet>, flags: Flags) -> PolicySets {
    PolicySets::new(configured, flags, &trust()).unwrap()
}

pub(super) fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

pub(super) fn claim(text: &str) -> ClaimedDigest {
    digest(text).claim()
}

pub(super) fn release() -> ReleaseSummary {
    ReleaseSummary {
        name: "payments".to_owned(),
        version: "2.4.0".to_owned(),
        environment: "production".to_owned(),
        digest: Some(digest("release")),
        source: SourceRevision {
            repository: REPOSITORY.to_owned(),
            commit: COMMIT.to_owned(),
            r#ref: "refs/tags/v2.4.0".to_owned(),
        },
        artifacts: vec![NamedDigest { name: "payments".to_owned(), digest: claim("payments") }],
        manifests: None,
    }
}

pub(super) fn proposal() -> Proposal {
    Proposal {
        strategy: StrategyType::Canary,
        first_step: Some(10),
        error_budget_ppm: 20_000,
        latency_budget_ms: 450,
        migration: None,
    }
}

/// Facts of one artifact that was read, and nothing else.
pub(super) fn facts() -> Facts {
    Facts {
        r#type: TYPE,
        release: digest("release"),
        now: now(),
        trust_digest: digest("trust"),
        artifacts: vec![artifact("payments")],
        config: Vec::new(),
        approvals: Vec::new(),
        sources: Vec::new(),
        separation: Vec::new(),
    }
}

pub(super) fn artifact(name: &str) -> ArtifactFacts {
    ArtifactFacts {
        name: name.to_owned(),
        digest: claim(name),
        read: true,
        signatures: Vec::new(),
        provenances: Vec::new(),
        contradicted: Vec::new(),
        attestations: Vec::new(),
        platforms: Vec::new(),
    }
}

pub(super) fn config(name: &str) -> ConfigFacts {
    ConfigFacts { name: name.to_owned(), digest: claim(name), read: true }
}

pub(super) fn signature(signer: &str, evidence: &str) -> SignatureFact {
    let (signer, evidence) = (signer.to_owned(), digest(evidence));
    SignatureFact { signer, evidence, identity: None, time: None, leaves: Vec::new() }
}

/// Provenance that meets every expectation.
pub(super) fn provenance() -> ProvenanceFact {
    ProvenanceFact {
        signer: "slsa".to_owned(),
        builder: BUILDER.to_owned(),
        level: 3,
        repository: Some(REPOSITORY.to_owned()),
        commit: Some(COMMIT.to_owned()),
        r#ref: Some("refs/tags/v2.4.0".to_owned()),
        workflow: Some(format!("{REPOSITORY}/.github/workflows/release.yml@refs/tags/v2.4.0")),
        trigger: Some("push".to_owned()),
        hosted: Some(true),
        run_id: Some(format!("{REPOSITORY}/actions/runs/7/attempts/1")),
        finished_on: Some(now() - hours(1)),
        external_parameters: [("/workflow/path".to_owned(), ".github/workflows/release.yml".to_owned())]
            .into(),
        dependencies: [format!("git+{REPOSITORY}@refs/tags/v2.4.0"), "pkg:docker/alpine@3".to_owned()].into(),
        time: None,
        evidence: digest("provenance"),
        leaves: Vec::new(),
    }
}

/// An approval of an hour ago that ends in a day, in all roles of the person.
pub(super) fn approval(person: &str) -> ApprovalFact {
    let roles = match person {
        "alice" => vec!["release-manager"],
        "bob" => vec!["release-manager", "sre"],
        "carol" => vec!["sre"],
        _ => vec![],
    };
    ApprovalFact {
        person: person.to_owned(),
        decision: ApprovalDecision::Approved,
        roles: roles.into_iter().map(str::to_owned).collect(),
        time: now() - hours(1),
        time_kind: TimeKind::Trusted,
        expires_at: now() + hours(24),
        evidence: digest(person),
        attested_by: None,
    }
}

/// An approval that `ci` passes on.
pub(super) fn passed_on(person: &str) -> ApprovalFact {
    let evidence = digest(&format!("{person} elsewhere"));
    ApprovalFact { attested_by: Some("ci".to_owned()), evidence, ..approval(person) }
}

/// An attestation of an hour ago by `scanner` that says nothing that is read.
pub(super) fn attestation(predicate_type: &str, evidence: &str) -> AttestationFact {
    AttestationFact {
        signer: "scanner".to_owned(),
        predicate_type: predicate_type.to_owned(),
        evidence: digest(evidence),
        identity: None,
        says: None,
        time: None,
        created: Some(now() - hours(1)),
        run_id: Some(format!("{REPOSITORY}/actions/runs/7/attempts/2")),
        commit: Some(COMMIT.to_owned()),
        leaves: Vec::new(),
    }
}

pub(super) fn rejection(person: &str) -> ApprovalFact {
    ApprovalFact { decision: ApprovalDecision::Rejected, ..approval(person) }
}

pub(super) fn party(party: Party, people: &[&str], unknown: u64) -> SeparationFact {
    SeparationFact { party, people: people.iter().map(|name| (*name).to_owned()).collect(), unknown }
}

/// Facts that `production.yaml` allows.
pub(super) fn complete_facts() -> Facts {
    let mut facts = facts();
    facts.artifacts[0].signatures.push(signature("release", "signature"));
    facts.artifacts[0].provenances.push(provenance());
    facts.approvals = vec![approval("alice"), approval("carol")];
    facts.separation =
        vec![party(Party::SourceAuthor, &["bob"], 0), party(Party::WorkflowActor, &["dave"], 0)];
    facts
}

/// What one policy says of facts, at the moment of every test.
pub(super) fn outcome(set: &PolicySet, facts: &Facts) -> Outcome {
    outcome_of(set, facts, &proposal(), now())
}

pub(super) fn outcome_of(set: &PolicySet, facts: &Facts, proposal: &Proposal, now: Timestamp) -> Outcome {
    let release = release();
    let scope = Scope { facts, proposal, release: &release, now, set_apart: None };
    let mut outcome = Outcome::default();
    set.selected("production").flat_map(|policy| &policy.rules).for_each(|rule: &Rule| {
        rule.evaluate(&scope, &mut outcome);
    });
    outcome
}

/// Each finding's rule and message.
pub(super) fn said(outcome: &Outcome) -> Vec<(&'static str, String)> {
    outcome.findings.iter().map(|judged| short(&judged.finding)).collect()
}

pub(super) fn short(finding: &Finding) -> (&'static str, String) {
    (finding.rule.as_str(), finding.message.clone())
}
