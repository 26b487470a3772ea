//! Provenance: which build made an artifact, from which source, up to which level it is believed.
//!
//! In: SLSA provenance statements v0.2 and v1. Out: [`Build`]s by artifact.
//!
//! What a certificate claims about the workload (Fulcio's extensions,
//! <https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>) must agree with what the
//! predicate says, and stands where the predicate says nothing. The level is the one that trust
//! grants this very (signer, builder id); none is granted otherwise, and it is capped where the
//! signer could have been made to say anything: see [`level`].
//!
//! Not checked here: whether repository, commit and ref are the release's (the policy's), what the
//! build took in beside its source, and what ran on the runner. `hosted` from a certificate is
//! about the job that *signed*; with generators that sign in a job of their own, the build's job
//! may have run elsewhere.

mod rule;

use std::collections::BTreeMap;

use super::coverage::{Piece, complete};
use super::facts::ProvenanceFact;
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::Said;
use super::standing::signers_for;
use super::subjects::{Named, Wanted};
use crate::evidence::attestation::{Signed, SignedBy};
use crate::evidence::predicate::provenance::{Provenance, version};
use crate::evidence::predicate::source::Alias;
use crate::trust::{Builder, Signer, Use};

use rule::{Origin, origin, repository_of};

/// One provenance of an artifact, with what separation of duties asks beside the fact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Build {
    /// The artifact's position.
    pub(super) artifact: usize,
    pub(super) fact: ProvenanceFact,
    /// Who started it, as far as the builder's rule says.
    pub(super) actors: Vec<Alias>,
}

/// Builds, and what was set aside.
pub(super) fn bind(
    provenances: &[Said<'_>],
    wanted: &Wanted<'_>,
    signers: &[Signer],
    builders: &[Builder],
) -> (Vec<Build>, Vec<SetAside>) {
    let mut pieces = Vec::new();
    let mut set_aside = Vec::new();
    for said in provenances {
        match claims_of(*said, wanted, signers, builders) {
            Ok((claims, named)) => pieces.extend(pieces_of(said.signed, &claims, &named)),
            Err(why) => set_aside.push(SetAside::because(said.signed, &why)),
        }
    }
    let (covered, partial) = complete(pieces, wanted);
    set_aside.extend(partial);
    let builds = covered.into_iter().map(|it| Build {
        artifact: it.artifact,
        actors: it.says.actors,
        fact: ProvenanceFact {
            signer: it.says.signer,
            builder: it.says.builder,
            level: it.says.level,
            repository: it.says.repository,
            commit: it.says.commit,
            r#ref: it.says.r#ref,
            hosted: it.says.hosted,
            run_id: None,
            time: it.time,
            evidence: it.evidence,
            leaves: it.leaves,
        },
    });
    (builds.collect(), set_aside)
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
    hosted: Option<bool>,
    actors: Vec<Alias>,
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

/// What a statement says in each name that counts, and of which artifacts.
fn claims_of(
    said: Said<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
    builders: &[Builder],
) -> Result<(Vec<Claims>, Named), Why> {
    let predicate_type = said.statement.predicate_type.as_str();
    let signers = signers_for(said.signed, signers, Use::Attestation, Some(predicate_type))?;
    let named = wanted.artifacts_named(&said.statement.subject)?;
    let version = version(predicate_type).ok_or_else(|| Why::NotRead { got: Quoted::new(predicate_type) })?;
    let provenance = Provenance::read(version, &said.statement.predicate)?;
    let origin = reconciled(origin(&provenance)?, &said.signed.by)?;
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
        hosted: origin.hosted,
        actors: origin.actors.clone(),
    });
    Ok((claims.collect(), named))
}

/// Of the names that one identity fits, those with the highest level: one statement is not two
/// because trust knows its signer under two names, and not bad because one of them vouches less.
fn best(mut graded: Vec<(String, u8)>) -> Vec<(String, u8)> {
    let highest = graded.iter().map(|(_, level)| *level).max();
    graded.retain(|(_, level)| Some(*level) == highest);
    graded
}

/// The most that anyone is believed who could have been made to sign another builder's id.
const CAPPED: u8 = 2;

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
    if vouched && !signer.uses.contains(&Use::Artifact) { granted } else { granted.min(CAPPED) }
}

/// The predicate's origin with what the certificate claims: they agree, or nothing counts.
fn reconciled(origin: Origin, by: &SignedBy) -> Result<Origin, Why> {
    let SignedBy::Certificate { claims, .. } = by else { return Ok(origin) };
    let claim = |name: &str| claims.get(name).filter(|it| !it.is_empty()).cloned();
    let repository = claim("sourceRepositoryUri").map(|uri| repository_of(&uri));
    let hosted = match claim("runnerEnvironment") {
        Some(runner) => agree_on_runner(origin.hosted, &runner)?,
        None => origin.hosted,
    };
    Ok(Origin {
        repository: agree("repository", repository, origin.repository)?,
        commit: agree("commit", claim("sourceRepositoryDigest"), origin.commit)?,
        r#ref: agree("ref", claim("sourceRepositoryRef"), origin.r#ref)?,
        hosted,
        actors: origin.actors,
    })
}

fn agree(
    member: &'static str,
    certificate: Option<String>,
    predicate: Option<String>,
) -> Result<Option<String>, Why> {
    match (certificate, predicate) {
        (Some(certificate), Some(predicate)) if certificate != predicate => {
            let (certificate, predicate) = (Quoted::new(&certificate), Quoted::new(&predicate));
            Err(Why::ClaimsMismatch { member, certificate, predicate })
        }
        (certificate, predicate) => Ok(certificate.or(predicate)),
    }
}

/// What a runner environment says: `github-hosted`, `gitlab-hosted` and the like, or `self-hosted`.
/// Another word says nothing, and then the predicate's is not believed either.
fn agree_on_runner(predicate: Option<bool>, runner: &str) -> Result<Option<bool>, Why> {
    let hosted: BTreeMap<&str, bool> =
        [("github-hosted", true), ("gitlab-hosted", true), ("self-hosted", false)].into();
    let certificate = hosted.get(runner).copied();
    match (certificate, predicate) {
        (Some(certificate), Some(predicate)) if certificate != predicate => Err(Why::ClaimsMismatch {
            member: "runner",
            certificate: Quoted::new(runner),
            predicate: Quoted::new(if predicate { "hosted" } else { "self-hosted" }),
        }),
        _ => Ok(certificate),
    }
}

#[cfg(test)]
mod tests;
