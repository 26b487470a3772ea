//! Hearing: which attestations of one artifact count, which fail, and which say nothing any more.
//!
//! How old one is: like an approval, a passing one is as old as the older of its trusted time and
//! its own word, and a failing one as young as the younger. Anybody may stamp or log a key's old
//! signature anew, so a trusted time alone dates no passing one by a key; a certificate dates what its
//! key signed when it is in date for minutes (of another the fact says since when). A passing one that
//! has no age counts only where none is asked for, and is superseded by any other; a failing one without
//! any time is the latest of all. A passing one that is dated ahead says nothing yet, and a failing one
//! does: a no needs no good clock.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;

use super::{ArtifactFacts, AttestationFact, Attestations, Failure, Part};
use crate::policy::rule::voice::{self, Party, Voice};
use crate::time::duration;
use crate::time::{SKEW, Timestamp, whole_seconds};

/// What one requirement makes of the attestations of one artifact.
#[derive(Default)]
pub(super) struct Hearing<'a> {
    /// Those that hold and are in date.
    pub(super) counting: Vec<&'a AttestationFact>,
    /// Those that don't hold, and are not too old to matter.
    pub(super) failing: Vec<(&'a AttestationFact, Failure)>,
    /// Why others don't count, for people.
    pub(super) lacking: Vec<String>,
}

impl<'a> Hearing<'a> {
    /// Hears each attestation that was asked for.
    pub(super) fn of(
        asked: impl Iterator<Item = &'a AttestationFact>,
        rule: &Attestations,
        now: Timestamp,
    ) -> Self {
        let mut hearing = Self::default();
        let mut heard = Vec::new();
        for fact in asked {
            if let Some(failure) = rule.unread(fact) {
                // Whose and about what it is nobody knows, so that no condition may pass it over.
                heard.push((fact, Some(failure)));
                continue;
            }
            match rule.failure(fact, Part::Which) {
                Some(Failure { wanted, got, .. }) => {
                    hearing.lacking.push(format!("{}: wanted {wanted}, got {got}", fact.signer));
                }
                None => match rule.failure(fact, Part::What) {
                    None if is_ahead(fact, now) => {
                        hearing.lacking.push(format!("{}: dated ahead of now", fact.signer));
                    }
                    failure => heard.push((fact, failure)),
                },
            }
        }
        if rule.latest {
            let ranks: Vec<_> = heard.iter().map(|(fact, failure)| (*fact, rank(fact, failure))).collect();
            heard.retain(|(fact, failure)| !is_superseded(fact, rank(fact, failure), &ranks));
        }
        for (fact, failure) in heard {
            match failure {
                Some(failure) if is_in_date(as_young(fact), rule.max_age, now).unwrap_or(true) => {
                    hearing.failing.push((fact, failure));
                }
                Some(_) => {}
                None => match is_in_date(as_old(fact), rule.max_age, now) {
                    Some(true) => hearing.counting.push(fact),
                    Some(false) => hearing.lacking.push(too_old(fact, rule.max_age)),
                    None => hearing.lacking.push(undated(fact)),
                },
            }
        }
        hearing
    }

    /// The signers that attest the whole artifact or each of its platforms, every one by an identity that
    /// no other one needs.
    pub(super) fn signers(&self, artifact: &ArtifactFacts) -> Vec<&'a str> {
        voice::distinct(&self.voices(artifact))
    }

    /// By whom each signer attests all of it: who attests the whole or every platform alone, else all that
    /// do so together.
    fn voices(&self, artifact: &ArtifactFacts) -> Vec<Voice<'a>> {
        let mut parts: BTreeMap<&'a str, Vec<&'a AttestationFact>> = BTreeMap::new();
        let mut voices = Vec::new();
        for fact in &self.counting {
            match fact.leaves.is_empty() {
                true => voices.push(Voice { signer: &fact.signer, by: [party(fact)].into() }),
                false => parts.entry(&fact.signer).or_default().push(fact),
            }
        }
        for (signer, facts) in parts {
            let parties: BTreeSet<Party<'a>> = facts.iter().map(|fact| party(fact)).collect();
            let alone = parties.iter().filter(|one| {
                let theirs: Vec<_> = facts.iter().copied().filter(|fact| party(fact) == **one).collect();
                is_every_platform(artifact, &theirs)
            });
            voices.extend(alone.map(|one| Voice { signer, by: [*one].into() }));
            if is_every_platform(artifact, &facts) {
                voices.push(Voice { signer, by: parties });
            }
        }
        voices
    }
}

fn party(fact: &AttestationFact) -> Party<'_> {
    Party::of(&fact.signer, fact.identity)
}

fn is_every_platform(artifact: &ArtifactFacts, theirs: &[&AttestationFact]) -> bool {
    let attested = |digest| theirs.iter().any(|fact| fact.leaves.contains(digest));
    !artifact.platforms.is_empty() && artifact.platforms.iter().all(|platform| attested(&platform.digest))
}

/// As old as the older of its times; `None`: as old as you please.
pub(super) fn as_old(fact: &AttestationFact) -> Option<Timestamp> {
    let time = fact.time.filter(|_| fact.created.is_some() || fact.identity.is_some());
    time.into_iter().chain(fact.created).min()
}

/// As young as the younger of its times.
fn as_young(fact: &AttestationFact) -> Option<Timestamp> {
    fact.time.into_iter().chain(fact.created).max()
}

/// Whether another one can be later.
pub(super) fn is_dated(fact: &AttestationFact) -> bool {
    as_young(fact).is_some()
}

fn is_ahead(fact: &AttestationFact, now: Timestamp) -> bool {
    as_young(fact).is_some_and(|at| at > whole_seconds(now) + SKEW)
}

/// Whether it is not older than asked; `None`: that is not known.
fn is_in_date(made: Option<Timestamp>, max_age: Option<Duration>, now: Timestamp) -> Option<bool> {
    let Some(age) = max_age else { return Some(true) };
    let end = made?.checked_add_signed(age).map(whole_seconds);
    Some(end.is_some_and(|end| end > whole_seconds(now)))
}

fn undated(fact: &AttestationFact) -> String {
    let why = match fact.time {
        Some(_) => "does not say itself when it was made, and a key's signature can be stamped anew",
        None => "does not say when it was made",
    };
    format!("{}: {why}", fact.signer)
}

fn too_old(fact: &AttestationFact, max_age: Option<Duration>) -> String {
    let age = max_age.map(duration::show).unwrap_or_default();
    format!("{}: older than {age}", fact.signer)
}

/// What stands above what: later above earlier, and of a tie the one that fails.
type Rank = (Timestamp, bool);

fn rank(fact: &AttestationFact, failure: &Option<Failure>) -> Rank {
    match failure {
        Some(_) => (as_young(fact).unwrap_or(Timestamp::MAX_UTC), true),
        None => (as_old(fact).unwrap_or(Timestamp::MIN_UTC), false),
    }
}

/// Whether the same signer said something later about all of what it is about.
fn is_superseded(fact: &AttestationFact, own: Rank, all: &[(&AttestationFact, Rank)]) -> bool {
    all.iter().any(|(other, rank)| other.signer == fact.signer && *rank > own && is_about(other, fact))
}

/// Whether one is about everything that another is about.
fn is_about(one: &AttestationFact, other: &AttestationFact) -> bool {
    one.leaves.is_empty()
        || (!other.leaves.is_empty() && other.leaves.iter().all(|leaf| one.leaves.contains(leaf)))
}
