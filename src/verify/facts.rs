//! The facts: one release and what was proved of it.
//!
//! A seal: [`VerifiedFacts`] has no other maker than [`verify`]. Wire form: `formats.md` section 9,
//! "Facts" (with `config`, which `artifacts: {byDigest}` judges too, and with `leaves`, which says
//! by which piece each platform of an image index is vouched for when the index itself is not).

use std::collections::BTreeMap;

use serde::Serialize;

use super::separation::{Built, Separated};
use super::set_aside::SetAside;
use super::spoken::Spoken;
use super::subjects::Wanted;
use super::{
    Input, InputRole, Verified, approvals, attestations, provenance, separation, signatures, workers,
};
use crate::evidence::attestation::{Authenticated, Authenticator, Rejection};
pub use crate::evidence::predicate::test_result::Ending;
use crate::evidence::{Evidence, Gathered, UnreadableFile};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{Content, Leaf, ResolvedArtifact, ResolvedRelease};
use crate::time::{Timestamp, whole_seconds};
use crate::trust::TrustRoot;

/// `_type` of the facts.
pub const TYPE: &str = "https://laforge.dev/facts/v1";

/// One release and what was proved of it.
#[derive(Debug)]
pub struct VerifiedFacts {
    facts: Facts,
}

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
    /// Whether a hosted runner built it, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted: Option<bool>,
    /// The run that built it, when it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
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
    /// What it says, of the predicates that a policy has conditions for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<Says>,
    /// Its trusted time, if any.
    #[serde(serialize_with = "crate::time::optional_seconds", skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// When it was made by its own word, if it says so.
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

/// Binds what was gathered to this release: true or absent, never an opinion.
pub fn verify(release: &ResolvedRelease, gathered: Gathered, trust: &TrustRoot, now: Timestamp) -> Verified {
    verify_on(workers::available(), release, gathered, trust, now)
}

/// [`verify`] by this many threads, which change nothing but the time it takes.
pub(super) fn verify_on(
    threads: usize,
    release: &ResolvedRelease,
    gathered: Gathered,
    trust: &TrustRoot,
    now: Timestamp,
) -> Verified {
    let authenticator = Authenticator::new(trust);
    let judge = |evidence: &Evidence| authenticator.authenticate(evidence, release, now);
    let judged = workers::on_each(&gathered.found, threads, judge);

    let wanted = Wanted::of(release);
    let mut heard = Heard::of(&gathered, &judged);
    let spoken = &heard.spoken;
    let (signatures, unsigned) = signatures::bind(spoken, &wanted, &trust.signers);
    let (builds, unbuilt) = provenance::bind(&spoken.provenances, &wanted, &trust.signers, &trust.builders);
    let (attestations, unattested) = attestations::bind(&spoken.others, &wanted, &trust.signers, now);
    let (approvals, unapproved) =
        approvals::bind(&spoken.approvals, &wanted, &trust.signers, &trust.people, now);
    let built = Built::of(&builds, &spoken.provenances);
    let Separated { facts: separation, sources, set_aside: unseparated } =
        separation::bind(&spoken.sources, &built, &wanted, &trust.signers, &trust.people);

    for list in [unsigned, unbuilt, unattested, unapproved, unseparated] {
        heard.set_aside.extend(list);
    }
    let bound = Bound {
        signatures: by_artifact(signatures),
        provenances: by_artifact(builds.into_iter().map(|build| (build.artifact, build.fact)).collect()),
        attestations: by_artifact(attestations),
    };
    let facts = Facts {
        r#type: TYPE,
        release: release.digest(),
        now: whole_seconds(now),
        trust_digest: trust.digest(),
        artifacts: artifact_facts(release, bound),
        config: release.config().iter().map(config_facts).collect(),
        approvals,
        sources: sorted(sources),
        separation,
    };
    let Heard { set_aside, roles, .. } = heard;
    Verified {
        facts: VerifiedFacts { facts },
        set_aside: sorted(set_aside),
        inputs: inputs(gathered.found, gathered.unreadable, &roles),
        unreachable: gathered.unreachable,
        over_limit: gathered.over_limit,
        ignored: gathered.ignored,
    }
}

/// Evidence once it is known who signed it, or why that is not.
struct Heard<'a> {
    spoken: Spoken<'a>,
    set_aside: Vec<SetAside>,
    roles: BTreeMap<Digest, InputRole>,
}

impl<'a> Heard<'a> {
    fn of(gathered: &Gathered, judged: &'a [Result<Authenticated, Rejection>]) -> Self {
        let mut heard = Self {
            spoken: Spoken::default(),
            set_aside: gathered.unreadable.iter().map(SetAside::unreadable).collect(),
            roles: BTreeMap::new(),
        };
        for (evidence, judged) in gathered.found.iter().zip(judged) {
            let role = match judged {
                Ok(authenticated) => heard.spoken.hear(authenticated),
                Err(rejection) => {
                    heard.set_aside.push(SetAside::rejected(evidence, rejection));
                    InputRole::SetAside
                }
            };
            heard.roles.insert(evidence.digest(), role);
        }
        heard
    }
}

/// What was bound, by artifact's position.
struct Bound {
    signatures: BTreeMap<usize, Vec<SignatureFact>>,
    provenances: BTreeMap<usize, Vec<ProvenanceFact>>,
    attestations: BTreeMap<usize, Vec<AttestationFact>>,
}

fn artifact_facts(release: &ResolvedRelease, mut bound: Bound) -> Vec<ArtifactFacts> {
    let facts = release.artifacts().iter().enumerate().map(|(at, artifact)| ArtifactFacts {
        name: artifact.name().to_owned(),
        digest: artifact.digest(),
        read: was_read(artifact),
        signatures: sorted(bound.signatures.remove(&at).unwrap_or_default()),
        provenances: sorted_provenances(bound.provenances.remove(&at).unwrap_or_default()),
        attestations: sorted(bound.attestations.remove(&at).unwrap_or_default()),
        platforms: platforms(artifact),
    });
    facts.collect()
}

fn platforms(artifact: &ResolvedArtifact) -> Vec<PlatformFact> {
    let leaves = artifact.image().map_or(&[][..], |image| &image.leaves);
    let platform =
        |leaf: &Leaf| PlatformFact { platform: leaf.platform.clone(), digest: leaf.digest.digest().claim() };
    leaves.iter().map(platform).collect()
}

fn by_artifact<F>(facts: Vec<(usize, F)>) -> BTreeMap<usize, Vec<F>> {
    let mut sorted: BTreeMap<usize, Vec<F>> = BTreeMap::new();
    for (at, fact) in facts {
        sorted.entry(at).or_default().push(fact);
    }
    sorted
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

fn sorted_provenances(list: Vec<ProvenanceFact>) -> Vec<ProvenanceFact> {
    let mut list = sorted(list);
    list.sort_by(|a, b| (&a.signer, &a.builder, a.evidence).cmp(&(&b.signer, &b.builder, b.evidence)));
    list
}

fn config_facts(config: &ResolvedArtifact) -> ConfigFacts {
    ConfigFacts { name: config.name().to_owned(), digest: config.digest(), read: was_read(config) }
}

fn was_read(artifact: &ResolvedArtifact) -> bool {
    match artifact.content() {
        Content::Read(_) => true,
        Content::NamedOnly(_) => false,
    }
}

/// Everything that was read, each digest once, by digest.
fn inputs(
    found: Vec<Evidence>,
    unreadable: Vec<UnreadableFile>,
    roles: &BTreeMap<Digest, InputRole>,
) -> Vec<Input> {
    let read = found.into_iter().map(|evidence| Input {
        role: roles.get(&evidence.digest()).copied().unwrap_or(InputRole::SetAside),
        digest: evidence.digest(),
        size: evidence.bytes().len() as u64,
        source: evidence.source().to_owned(),
        bytes: Some(evidence.bytes().to_vec()),
    });
    let unread = unreadable.into_iter().map(|file| Input {
        role: InputRole::SetAside,
        digest: file.digest,
        size: file.size,
        source: file.source,
        bytes: None,
    });
    let mut inputs: Vec<Input> = read.chain(unread).collect();
    inputs.sort_by(|a, b| (a.digest, &a.source).cmp(&(b.digest, &b.source)));
    inputs.dedup_by_key(|input| input.digest);
    inputs
}

impl VerifiedFacts {
    /// What was proved, to read.
    pub fn get(&self) -> &Facts {
        &self.facts
    }

    /// The facts' digest.
    pub fn digest(&self) -> Digest {
        Digest::of_value(&self.facts)
    }

    /// The facts, for the account of the decision that was made over them.
    pub fn into_facts(self) -> Facts {
        self.facts
    }
}
