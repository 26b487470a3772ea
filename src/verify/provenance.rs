//! Provenance: which build made an artifact, from which source, up to which level it is believed.
//!
//! In: SLSA provenance statements v0.1, v0.2 and v1, and Witness's attestation collections. Out: [`Build`]s
//! by artifact, and [`ContradictionFact`]s of those that their own certificates contradict.
//!
//! What a certificate claims about the workload (Fulcio's extensions,
//! <https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>) must agree with what the
//! predicate says, and stands where the predicate says nothing: see [`claims`]. The level is the one that trust
//! grants this very (signer, builder id); none is granted otherwise, and it is capped where the
//! signer could have been made to say anything: see [`level`].
//!
//! Not checked here: whether repository, commit and ref are the release's (the policy's), what the
//! build took in beside its source, and what ran on the runner. `hosted` from a certificate is
//! about the job that *signed*; with generators that sign in a job of their own, the build's job
//! may have run elsewhere.

mod claims;
mod details;
mod inputs;
mod rule;

use std::collections::BTreeMap;

use super::coverage::{Covered, Piece, complete};
use super::facts::{ContradictionFact, ProvenanceFact};
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::Said;
use super::standing::signers_for;
use super::subjects::{Named, Wanted};
use crate::evidence::attestation::{Signed, SignedBy};
use crate::evidence::predicate::PredicateError;
use crate::evidence::predicate::provenance::{Provenance, version};
use crate::evidence::predicate::source::Alias;
use crate::release::digest::Digest;
use crate::trust::{Builder, SHARED_LEVEL, Signer, Use};

use details::Details;
use rule::{Origin, origin};

/// One provenance of an artifact, with what separation of duties asks beside the fact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// The artifact's position.
    pub(super) artifact: usize,
    pub(super) fact: ProvenanceFact,
    /// Who started it, as far as the builder's rule says.
    pub(super) actors: Vec<Alias>,
}

/// One name's part in building: of an artifact, or of some platforms of one.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) builder: String,
    pub(super) level: u8,
    pub(super) actors: Vec<Alias>,
    pub(super) evidence: Digest,
}

/// What binding provenance gives.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) builds: Vec<Build>,
    /// Everyone who built any part of the release: builds of whole artifacts, and of single platforms.
    pub(super) shares: Vec<Share>,
    /// By artifact's position: provenance that its own certificate contradicts.
    pub(super) contradicted: Vec<(usize, ContradictionFact)>,
    pub(super) set_aside: Vec<SetAside>,
}

/// Builds, contradictions, and what was set aside.
pub(super) fn bind(
    provenances: &[Said<'_>],
    wanted: &Wanted<'_>,
    signers: &[Signer],
    builders: &[Builder],
) -> Bound {
    let mut pieces = Vec::new();
    let mut details = BTreeMap::new();
    let mut bound = Bound::default();
    for said in provenances {
        match claims_of(*said, wanted, signers, builders) {
            Ok(Told { claims, named, details: of }) => {
                bound.shares.extend(claims.iter().map(|says| Share::of(says, said.signed.evidence)));
                pieces.extend(pieces_of(said.signed, &claims, &named));
                details.insert(said.signed.evidence, of);
            }
            Err(why) => {
                bound.contradicted.extend(contradictions(*said, &why, wanted, signers));
                bound.set_aside.push(SetAside::because(said.signed, &why));
            }
        }
    }
    let (covered, partial) = complete(pieces, wanted);
    bound.set_aside.extend(partial);
    bound.builds = covered.into_iter().map(|it| Build::of(it, &details)).collect();
    bound
}

impl Share {
    fn of(says: &Claims, evidence: Digest) -> Self {
        Self { builder: says.builder.clone(), level: says.level, actors: says.actors.clone(), evidence }
    }
}

impl Build {
    fn of(it: Covered<Claims>, details: &BTreeMap<Digest, Details>) -> Self {
        let details = Details::shared(it.pieces().filter_map(|evidence| details.get(&evidence)));
        let fact = ProvenanceFact {
            signer: it.says.signer,
            builder: it.says.builder,
            level: it.says.level,
            repository: it.says.repository,
            commit: it.says.commit,
            r#ref: it.says.r#ref,
            workflow: it.says.workflow,
            trigger: it.says.trigger,
            hosted: it.says.hosted,
            run_id: details.run,
            finished_on: details.finished_on,
            external_parameters: details.parameters,
            dependencies: details.dependencies,
            time: it.time,
            evidence: it.evidence,
            leaves: it.leaves,
        };
        Self { artifact: it.artifact, actors: it.says.actors, fact }
    }
}

/// Of provenance that its certificate contradicts, in which the artifacts that it names: rules have
/// to see it, since their users would look for it.
fn contradictions(
    said: Said<'_>,
    why: &Why,
    wanted: &Wanted<'_>,
    signers: &[Signer],
) -> Vec<(usize, ContradictionFact)> {
    let Why::ClaimsMismatch { member, certificate, predicate } = why else { return Vec::new() };
    let signers = signers_for(said.signed, signers, Use::Attestation);
    let named = wanted.artifacts_named(&said.statement.subject);
    let (Ok(signers), Ok(named)) = (signers, named) else { return Vec::new() };
    let Some(signer) = signers.first() else { return Vec::new() };
    let fact = || ContradictionFact {
        signer: signer.name.clone(),
        member: (*member).to_owned(),
        certificate: certificate.text().to_owned(),
        predicate: predicate.text().to_owned(),
        evidence: said.signed.evidence,
    };
    named.iter().map(|(artifact, _)| (*artifact, fact())).collect()
}

/// What one signer's provenance says of whatever its subjects are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claims {
    signer: String,
    builder: String,
    level: u8,
    repository: Option<String>,
    commit: Option<String>,
    r#ref: Option<String>,
    workflow: Option<String>,
    trigger: Option<String>,
    hosted: Option<bool>,
    actors: Vec<Alias>,
}

/// What one statement says: in each name that counts, of which artifacts, and beside it.
struct Told {
    claims: Vec<Claims>,
    named: Named,
    details: Details,
}

fn pieces_of<'a>(signed: &'a Signed, claims: &[Claims], named: &Named) -> Vec<Piece<'a, Claims>> {
    let of = |says: &Claims| {
        let says = says.clone();
        named.iter().map(move |(artifact, cover)| Piece {
            artifact: *artifact,
            cover: cover.clone(),
            says: says.clone(),
            signed,
        })
    };
    claims.iter().flat_map(of).collect()
}

fn claims_of(
    said: Said<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
    builders: &[Builder],
) -> Result<Told, Why> {
    let predicate_type = said.statement.predicate_type.as_str();
    let signers = signers_for(said.signed, signers, Use::Attestation)?;
    let named = wanted.artifacts_named(&said.statement.subject)?;
    let version = version(predicate_type).ok_or_else(|| Why::NotRead { got: Quoted::new(predicate_type) })?;
    let provenance = Provenance::read(version, &said.statement.predicate)?;
    let origin = claims::reconciled(origin(&provenance)?, &said.signed.by)?;
    bounded(version, &provenance.builder, &origin)?;
    let graded = signers.iter().map(|signer| {
        let level = level(signer, &provenance.builder, &said.signed.by, builders);
        (signer.name.clone(), level)
    });
    let claims = best(graded.collect()).into_iter().map(|(signer, level)| Claims {
        signer,
        builder: provenance.builder.clone(),
        level,
        repository: origin.repository.clone(),
        commit: origin.commit.clone(),
        r#ref: origin.r#ref.clone(),
        workflow: origin.workflow.clone(),
        trigger: origin.trigger.clone(),
        hosted: origin.hosted,
        actors: origin.actors.clone(),
    });
    let details = Details::of(&provenance, origin.run.clone());
    Ok(Told { claims: claims.collect(), named, details })
}

/// The longest text that a fact carries: a fact is repeated for each artifact that it is about, and a
/// longer text could fill memory and log before the decision is on record.
const LONGEST: usize = 1024;

/// That no text is longer than somebody would write it.
fn bounded(predicate_type: &'static str, builder: &str, origin: &Origin) -> Result<(), PredicateError> {
    let Origin { repository, commit, r#ref, workflow, trigger, run, actors, hosted: _ } = origin;
    let texts = [repository, commit, r#ref, workflow, trigger, run].into_iter().flatten();
    let names = actors.iter().flat_map(|actor| [&actor.scheme, &actor.name]);
    if texts.chain(names).map(String::as_str).chain([builder]).all(|text| text.len() <= LONGEST) {
        return Ok(());
    }
    let problem = format!("a text that says who built it, from what or how is longer than {LONGEST} bytes");
    Err(PredicateError::Malformed { predicate_type, problem })
}

/// Of the names that one identity fits, those with the highest level: one statement is not two
/// because trust knows its signer under two names, and not bad because one of them vouches less.
fn best(mut graded: Vec<(String, u8)>) -> Vec<(String, u8)> {
    let highest = graded.iter().map(|(_, level)| *level).max();
    graded.retain(|(_, level)| Some(*level) == highest);
    graded
}

/// The level at which a signer's word on a builder counts (`formats.md` section 2).
///
/// At most 2 from a signer that also signs artifacts, since whoever shapes the artifact could
/// shape a statement; and from a certificate whose Build Signer URI is not the builder id, since
/// then the build's own job could have written any id.
fn level(signer: &Signer, builder: &str, by: &SignedBy, builders: &[Builder]) -> u8 {
    let granted = builders
        .iter()
        .filter(|it| it.signer == signer.name && it.id == builder)
        .map(|it| it.level)
        .max()
        .unwrap_or(0);
    let vouched = match by {
        SignedBy::Key(_) => true,
        SignedBy::Certificate { claims, .. } => {
            claims.get("buildSignerUri").is_some_and(|uri| uri == builder)
        }
    };
    if vouched && !signer.uses.contains(&Use::Artifact) { granted } else { granted.min(SHARED_LEVEL) }
}

#[cfg(test)]
mod tests;
