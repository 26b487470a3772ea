//! The facts: one release and what was proved of it.
//!
//! A seal: [`VerifiedFacts`] has no other maker than [`verify`]. The wire form is that of [`Facts`].

use std::collections::BTreeMap;

use super::separation::{Built, Separated};
use super::set_aside::SetAside;
use super::spoken::Spoken;
use super::subjects::Wanted;
use super::{Input, InputRole, Verified, approvals, attestations, provenance, separation, signatures};
use crate::evidence::attestation::{Authenticated, Authenticator, Rejection};
use crate::evidence::{Evidence, Gathered, OverLimit, UnreadableFile};
use crate::release::digest::Digest;
use crate::release::resolved::{Content, Leaf, ResolvedArtifact, ResolvedRelease};
use crate::time::{Timestamp, whole_seconds};
use crate::trust::TrustRoot;
use crate::workers;

pub use super::proved::{
    ApprovalDecision, ApprovalFact, ArtifactFacts, AttestationFact, ConfigFacts, ContradictionFact, Ending,
    Facts, LeafEvidence, Party, PlatformFact, ProvenanceFact, Says, SeparationFact, SignatureFact,
    SourceFact, TYPE, TimeKind,
};

/// One release and what was proved of it.
#[derive(Debug)]
pub struct VerifiedFacts {
    facts: Facts,
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
    let untried = authenticator.untried(&gathered.found, release);
    let judge = |evidence: &Evidence| authenticator.authenticate_unless(&untried, evidence, release, now);
    let judged = workers::on_each(&gathered.found, threads, judge);

    let wanted = Wanted::of(release);
    let mut heard = Heard::of(&gathered, &judged);
    let spoken = &heard.spoken;
    let (signatures, unsigned) = signatures::bind(spoken, &wanted, &trust.signers);
    let built = provenance::bind(&spoken.provenances, &wanted, &trust.signers, &trust.builders);
    let provenance::Bound { builds, shares, contradicted, set_aside: unbuilt } = built;
    let (attestations, unattested) = attestations::bind(&spoken.others, &wanted, &trust.signers);
    let (approvals, unapproved) =
        approvals::bind(&spoken.approvals, &wanted, &trust.signers, &trust.people, now);
    let built = Built::of(&builds, &shares, &spoken.provenances);
    let Separated { facts: separation, sources, set_aside: unseparated } =
        separation::bind(&spoken.sources, &built, &wanted, &trust.signers, &trust.people);

    for list in [unsigned, unbuilt, unattested, unapproved, unseparated] {
        heard.set_aside.extend(list);
    }
    let bound = Bound {
        signatures: by_artifact(signatures),
        provenances: by_artifact(builds.into_iter().map(|build| (build.artifact, build.fact)).collect()),
        contradicted: by_artifact(contradicted),
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
    let Heard { set_aside, roles, over: heard_over, .. } = heard;
    Verified {
        facts: VerifiedFacts { facts },
        set_aside: sorted(set_aside),
        inputs: inputs(gathered.found, gathered.unreadable, &roles),
        unreachable: gathered.unreachable,
        over_limit: gathered.over_limit.or(untried.over).or(heard_over),
        ignored: gathered.ignored,
    }
}

/// Evidence once it is known who signed it, or why that is not.
struct Heard<'a> {
    spoken: Spoken<'a>,
    set_aside: Vec<SetAside>,
    roles: BTreeMap<Digest, InputRole>,
    /// A signature that more keys may have made than are tried.
    over: Option<OverLimit>,
}

impl<'a> Heard<'a> {
    fn of(gathered: &Gathered, judged: &'a [Result<Authenticated, Rejection>]) -> Self {
        let mut heard = Self {
            spoken: Spoken::default(),
            set_aside: gathered.unreadable.iter().map(SetAside::unreadable).collect(),
            roles: BTreeMap::new(),
            over: None,
        };
        for (evidence, judged) in gathered.found.iter().zip(judged) {
            let role = match judged {
                Ok(authenticated) => heard.spoken.hear(authenticated),
                Err(rejection) => {
                    heard.set_aside.push(SetAside::rejected(evidence, rejection));
                    heard.over = heard.over.or_else(|| rejection.over_limit(evidence.source()));
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
    contradicted: BTreeMap<usize, Vec<ContradictionFact>>,
    attestations: BTreeMap<usize, Vec<AttestationFact>>,
}

fn artifact_facts(release: &ResolvedRelease, mut bound: Bound) -> Vec<ArtifactFacts> {
    let facts = release.artifacts().iter().enumerate().map(|(at, artifact)| ArtifactFacts {
        name: artifact.name().to_owned(),
        digest: artifact.digest(),
        read: was_read(artifact),
        signatures: sorted(bound.signatures.remove(&at).unwrap_or_default()),
        provenances: sorted_provenances(bound.provenances.remove(&at).unwrap_or_default()),
        contradicted: sorted(bound.contradicted.remove(&at).unwrap_or_default()),
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
        bytes: Some(evidence.into_bytes()),
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
