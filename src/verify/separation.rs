//! Separation of duties: who wrote the source and who started the build, as far as evidence says.
//!
//! In: `source/v1` statements and the builds that were bound. Out: one [`SeparationFact`] per
//! party that evidence speaks of; a party without a fact is not established, nor is one with
//! unknown names, and what a policy lists and nobody established denies (`formats.md` section 7).
//!
//! `deployer` and `policy-signer` have no fact yet: nothing that is read here establishes them.
//!
//! A source statement counts only from a signer whose `predicateTypes` lists it and that has no
//! part in the provenance of this release: not under the same name, not with the same key or
//! identity, not from a workload that is one of its builders. Of such a one the authors are added to
//! those that others establish: naming more of them only tightens. Its authors can't be checked against
//! the repository here; withholding a statement that names more of them is not noticed either.

use std::collections::BTreeSet;

use super::attestations::claim;
use super::facts::{Party, SeparationFact, SourceFact};
use super::people::{Identified, identify};
use super::provenance::{Build, Share};
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::Said;
use super::standing::{listed, signers_for};
use super::subjects::Wanted;
use crate::evidence::attestation::{Signed, SignedBy, Standing};
use crate::evidence::predicate::source::{Alias, Source, TYPE};
use crate::release::document::RESERVED_NAME;
use crate::trust::{Person, Signer, Use, shapes_artifacts};

/// What separation of duties gives.
pub(super) struct Separated {
    /// By party.
    pub(super) facts: Vec<SeparationFact>,
    /// The source statements that counted.
    pub(super) sources: Vec<SourceFact>,
    /// Those that didn't.
    pub(super) set_aside: Vec<SetAside>,
}

/// Facts by party, and the source statements that they came from.
pub(super) fn bind(
    statements: &[Said<'_>],
    built: &Built<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
    people: &[Person],
) -> Separated {
    let (mut names, mut further) = (BTreeSet::new(), BTreeSet::new());
    let (mut sources, mut set_aside) = (Vec::new(), Vec::new());
    for said in statements {
        match authors(*said, wanted, signers) {
            Ok((authors, facts)) if built.involves(said.signed) || shape_artifacts(&facts, signers) => {
                further.extend(authors);
                let names: Vec<String> = facts.into_iter().map(|fact| fact.signer).collect();
                let why = Why::NotIndependent { signer: listed(&names) };
                set_aside.push(SetAside::because(said.signed, &why));
            }
            Ok((authors, facts)) => {
                names.extend(authors);
                sources.extend(facts);
            }
            Err(why) => set_aside.push(SetAside::because(said.signed, &why)),
        }
    }
    // Who built can't establish who wrote, and may well name more of them: else a line of provenance by the
    // signer of a source statement would take its authors away.
    let authors = (!names.is_empty()).then(|| {
        names.extend(further);
        fact(Party::SourceAuthor, identify(&names, people), 0)
    });
    let facts = authors.into_iter().chain(actors(built, wanted, people)).collect();
    Separated { facts, sources, set_aside }
}

/// The builds of this release and who signed for them.
pub(super) struct Built<'a> {
    builds: &'a [Build],
    /// All that were built, of single platforms too.
    shares: &'a [Share],
    /// The signatures of their evidence.
    signed: Vec<&'a Signed>,
}

impl<'a> Built<'a> {
    /// The builds, and of all provenance statements those that they came from.
    pub(super) fn of(builds: &'a [Build], shares: &'a [Share], provenances: &[Said<'a>]) -> Self {
        let bound: BTreeSet<_> = shares.iter().map(|it| it.evidence).collect();
        let signed = provenances.iter().map(|said| said.signed);
        Self { builds, shares, signed: signed.filter(|it| bound.contains(&it.evidence)).collect() }
    }

    /// Whether whoever signed this had a part in building.
    fn involves(&self, signed: &Signed) -> bool {
        let same = |other: &&Signed| same_party(&other.by, &signed.by) || shares_name(other, signed);
        let claims = match &signed.by {
            SignedBy::Certificate { claims, .. } => claims.get("buildSignerUri"),
            SignedBy::Key(_) => None,
        };
        // Anybody can write a builder's id: one counts that trust names for whoever wrote it.
        let mut trusted = self.shares.iter().filter(|it| it.level > 0);
        self.signed.iter().any(same) || trusted.any(|it| claims.is_some_and(|uri| *uri == it.builder))
    }
}

/// Whether one of these signs what a build hands over: a file may hold the bytes of a statement.
fn shape_artifacts(facts: &[SourceFact], signers: &[Signer]) -> bool {
    let mut named = signers.iter().filter(|it| facts.iter().any(|fact| fact.signer == it.name));
    named.any(|it| shapes_artifacts(signers, it).is_some())
}

fn same_party(one: &SignedBy, other: &SignedBy) -> bool {
    match (one, other) {
        (SignedBy::Key(one), SignedBy::Key(other)) => one == other,
        (
            SignedBy::Certificate { issuer, subject, .. },
            SignedBy::Certificate { issuer: other_issuer, subject: other_subject, .. },
        ) => issuer == other_issuer && subject == other_subject,
        _ => false,
    }
}

fn shares_name(one: &Signed, other: &Signed) -> bool {
    match (&one.standing, &other.standing) {
        (Standing::Signers(one), Standing::Signers(other)) => one.iter().any(|name| other.contains(name)),
        _ => one.standing == other.standing,
    }
}

/// Everyone whom a source statement names, if it may say so and is about this release's source.
fn authors(
    said: Said<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
) -> Result<(Vec<Alias>, Vec<SourceFact>), Why> {
    let fitting = signers_for(said.signed, signers, Use::Attestation)?;
    // Naming authors is granted by name: a signer for any predicate type is not asked about people.
    if let Some(first) = fitting.first()
        && !fitting.iter().any(|signer| signer.is_granted(TYPE))
    {
        return Err(Why::NotGranted { signer: Quoted::new(&first.name), got: Quoted::new(TYPE) });
    }
    wanted.source_named(&said.statement.subject)?;
    let source = Source::read(&said.statement.predicate)?;
    let ours = wanted.source;
    for (member, same, wanted, got) in [
        ("repository", ours.is_repository(&source.repository), &ours.repository, &source.repository),
        ("commit", ours.commit == source.commit, &ours.commit, &source.commit),
    ] {
        if !same {
            return Err(Why::WrongSource { member, wanted: Quoted::new(wanted), got: Quoted::new(got) });
        }
    }
    let fact = |signer: &&Signer| SourceFact {
        signer: signer.name.clone(),
        evidence: said.signed.evidence,
        commit: source.commit.clone(),
        run_id: claim(&said.signed.by, "runInvocationUri"),
    };
    Ok((source.everyone().cloned().collect(), fitting.iter().map(fact).collect()))
}

/// Who started the builds: of every artifact, by every builder that trust names. Once one of them names
/// its actor, each artifact of which a build names none, or that has no build, counts as one unknown name:
/// which of its builds a policy believes is not known here, and a lesser one may not speak for it.
fn actors(built: &Built<'_>, wanted: &Wanted<'_>, people: &[Person]) -> Option<SeparationFact> {
    // Of single platforms too, whose actor a build of the whole must not hide.
    let shares = built.shares.iter().filter(|it| it.level > 0);
    let names: BTreeSet<&Alias> = shares.flat_map(|it| &it.actors).collect();
    if names.is_empty() {
        return None;
    }
    let trusted: Vec<&Build> = built.builds.iter().filter(|it| it.fact.level > 0).collect();
    let built: BTreeSet<usize> = trusted.iter().map(|it| it.artifact).collect();
    let mut nameless: BTreeSet<usize> =
        trusted.iter().filter(|it| it.actors.is_empty()).map(|it| it.artifact).collect();
    let artifacts = wanted.artifacts.iter().enumerate();
    // Rendered manifests need no build of their own.
    let unbuilt = artifacts.filter(|(at, it)| it.name != RESERVED_NAME && !built.contains(at));
    nameless.extend(unbuilt.map(|(at, _)| at));
    Some(fact(Party::WorkflowActor, identify(names, people), nameless.len()))
}

fn fact(party: Party, identified: Identified, nameless: usize) -> SeparationFact {
    let unknown = identified.unknown.len().saturating_add(nameless);
    SeparationFact {
        party,
        people: identified.people.into_iter().collect(),
        unknown: u64::try_from(unknown).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
