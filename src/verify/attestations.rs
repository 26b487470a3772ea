//! Other people's attestations: scans, SBOMs, test results, other verifiers' summaries.
//!
//! In: statements of any predicate type that no other file here binds. Out: [`AttestationFact`]s by
//! artifact, of signers with `use: attestation`, and with `use: vsa` for what verifiers found.
//! Nothing is added up here: a fact says which platforms of an image index it is about, and a rule
//! asks for the index or for every platform (`formats.md` section 10).
//!
//! Read are the predicates that a policy has conditions for: [`Says`]. Of others only the type
//! counts, and the place where some write when they were made; what a scan found is not judged
//! here. Run id and commit are the certificate's (Fulcio's Run Invocation URI and Source Repository
//! Digest, <https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>): a local key names none.

use serde_json::Value;

use super::InputRole;
use super::coverage::Cover;
use super::facts::{AttestationFact, Says};
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::{Said, is_own, role_of};
use super::standing::{identity, signers_for};
use super::subjects::{Named, Wanted};
use crate::evidence::attestation::SignedBy;
use crate::evidence::predicate::release::{self, Published};
use crate::evidence::predicate::test_result::{self, TestResult};
use crate::evidence::predicate::vsa::{self, Resource, VerificationResult, VerificationSummary};
use crate::evidence::predicate::{PredicateError, svr};
use crate::evidence::use_for;
use crate::release::digest::ClaimedDigest;
use crate::time::{Timestamp, whole_seconds};
use crate::trust::{Signer, Use};

/// The longest text that a fact carries, and the most of them in a list: a fact is repeated for each
/// artifact that it is about.
const LONGEST: usize = 1024;
const MOST: usize = 64;

/// Where predicates that are not read otherwise say when they were made.
const TIMES: [(&str, &str); 5] = [
    ("https://in-toto.io/attestation/vulns", "/metadata/scanFinishedOn"),
    ("https://cosign.sigstore.dev/attestation/vuln/", "/metadata/scanFinishedOn"),
    ("https://cyclonedx.org/bom", "/metadata/timestamp"),
    ("https://spdx.dev/Document", "/creationInfo/created"),
    ("https://openvex.dev/ns", "/timestamp"),
];

/// The predicates that a policy has conditions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SLSA's verification summary.
    Summary,
    /// in-toto's simple verification result.
    Results,
    /// in-toto's test result.
    Tests,
    /// in-toto's release.
    Release,
}

impl Kind {
    /// What a predicate type is; `None`: one of which only the type counts.
    pub(crate) fn of(predicate_type: &str) -> Option<Self> {
        match predicate_type {
            vsa::TYPE => Some(Self::Summary),
            test_result::TYPE => Some(Self::Tests),
            other if release::version(other).is_some() => Some(Self::Release),
            other => svr::version(other).map(|_| Self::Results),
        }
    }
}

/// Whether statements of a type are bound by another file of this room, or are ours and bound by none yet.
pub(crate) fn is_bound_elsewhere(predicate_type: &str) -> bool {
    role_of(predicate_type) != InputRole::Attestation || is_own(predicate_type)
}

/// What one statement comes to: facts by artifact's position, and why its predicate was not read.
#[derive(Default)]
struct Heard {
    facts: Vec<(usize, AttestationFact)>,
    unread: Option<Why>,
}

/// Facts by artifact's position, and what was set aside.
pub(super) fn bind(
    others: &[Said<'_>],
    wanted: &Wanted<'_>,
    signers: &[Signer],
) -> (Vec<(usize, AttestationFact)>, Vec<SetAside>) {
    let mut facts = Vec::new();
    let mut set_aside = Vec::new();
    for said in others {
        match facts_of(*said, wanted, signers) {
            Ok(heard) => {
                facts.extend(heard.facts);
                set_aside.extend(heard.unread.map(|why| SetAside::because(said.signed, &why)));
            }
            Err(why) => set_aside.push(SetAside::because(said.signed, &why)),
        }
    }
    (facts, set_aside)
}

/// One fact for each name that its signer has in trust and each artifact that it is about. A predicate
/// that can't be read is a fact that says nothing: a failure may not vanish because it is misspelt.
fn facts_of(said: Said<'_>, wanted: &Wanted<'_>, signers: &[Signer]) -> Result<Heard, Why> {
    let predicate_type = said.statement.predicate_type.as_str();
    if is_own(predicate_type) {
        return Err(Why::NotHeard { got: Quoted::new(predicate_type) });
    }
    let signers = signers_for(said.signed, signers, use_for(predicate_type))?;
    let named = wanted.artifacts_named(&said.statement.subject)?;
    if predicate_type.is_empty() || predicate_type.len() > LONGEST {
        return Err(Why::NotRead { got: Quoted::new(predicate_type) });
    }
    let ((says, created), unread) = match read(predicate_type, &said.statement.predicate) {
        Ok(read) => (read, None),
        Err(why @ Why::Malformed(_)) => ((None, None), Some(why)),
        Err(why) => return Err(why),
    };
    // Of a certificate that lasts a year a fresh stamp makes nothing young: it may have signed at its beginning.
    let created = created.or_else(|| lasting_since(&said.signed.by));
    let fact = AttestationFact {
        signer: String::new(),
        predicate_type: predicate_type.to_owned(),
        says,
        time: said.signed.trusted_time.map(whole_seconds),
        created: created.map(whole_seconds),
        run_id: claim(&said.signed.by, "runInvocationUri"),
        commit: claim(&said.signed.by, "sourceRepositoryDigest"),
        evidence: said.signed.evidence,
        identity: identity(&said.signed.by),
        leaves: Vec::new(),
    };
    let facts = signers.iter().flat_map(|signer| placed(&fact, &signer.name, &named, wanted)).collect();
    Ok(Heard { facts, unread })
}

/// The fact in one name, for each artifact.
fn placed(
    fact: &AttestationFact,
    signer: &str,
    named: &Named,
    wanted: &Wanted<'_>,
) -> Vec<(usize, AttestationFact)> {
    let place = |(artifact, cover): &(usize, Cover)| {
        let leaves = wanted.leaves_of(*artifact, cover);
        // No leaves in a fact mean the whole: what is about some may never come to stand for it.
        let told_apart = *cover == Cover::Whole || !leaves.is_empty();
        let fact = AttestationFact { signer: signer.to_owned(), leaves, ..fact.clone() };
        told_apart.then_some((*artifact, fact))
    };
    named.iter().filter_map(place).collect()
}

/// What a predicate says that policies have conditions for, and when it was made by its own word.
fn read(predicate_type: &str, predicate: &Value) -> Result<(Option<Says>, Option<Timestamp>), Why> {
    match Kind::of(predicate_type) {
        Some(Kind::Summary) => {
            let summary = VerificationSummary::read(predicate)?;
            let created = summary.time_verified;
            Ok((Some(summarised(summary)?), created))
        }
        Some(Kind::Results) => results(predicate_type, predicate),
        Some(Kind::Tests) => {
            let tests = TestResult::read(predicate)?;
            Ok((Some(Says::Tests { result: tests.ending() }), tests.laforge_finished_on))
        }
        Some(Kind::Release) => published(predicate_type, predicate),
        None if use_for(predicate_type) == Use::Vsa => Err(Why::NotRead { got: Quoted::new(predicate_type) }),
        None => Ok((None, created(predicate_type, predicate))),
    }
}

fn results(predicate_type: &str, predicate: &Value) -> Result<(Option<Says>, Option<Timestamp>), Why> {
    let version =
        svr::version(predicate_type).ok_or_else(|| Why::NotRead { got: Quoted::new(predicate_type) })?;
    let results = svr::VerificationResults::read(version, predicate)?;
    bounded(version, "properties", results.properties.iter().chain([&results.verifier.id]))?;
    let says = Says::Results { verifier: results.verifier.id, properties: results.properties };
    Ok((Some(says), Some(results.time_created)))
}

fn published(predicate_type: &str, predicate: &Value) -> Result<(Option<Says>, Option<Timestamp>), Why> {
    let version =
        release::version(predicate_type).ok_or_else(|| Why::NotRead { got: Quoted::new(predicate_type) })?;
    let Published { purl } = Published::read(version, predicate)?;
    bounded(version, "purl", [&purl].into_iter())?;
    Ok((Some(Says::Release { purl }), None))
}

fn summarised(summary: VerificationSummary) -> Result<Says, Why> {
    let texts = summary.verified_levels.iter().chain([&summary.verifier.id, &summary.resource_uri]);
    bounded(vsa::TYPE, "verifiedLevels", texts.chain(&summary.slsa_version))?;
    Ok(Says::Summary {
        verifier: summary.verifier.id,
        resource_uri: summary.resource_uri,
        passed: summary.verification_result == VerificationResult::Passed,
        verified_levels: summary.verified_levels,
        policy: policy_digest(&summary.policy),
        slsa_version: summary.slsa_version,
    })
}

fn policy_digest(policy: &Resource) -> Option<ClaimedDigest> {
    ClaimedDigest::from_hex(policy.digest.as_ref()?.get("sha256")?).ok()
}

/// That a list and its texts are of a size that somebody would write.
fn bounded<'a>(
    predicate_type: &'static str,
    member: &'static str,
    texts: impl Iterator<Item = &'a String>,
) -> Result<(), PredicateError> {
    let (mut count, mut longest) = (0_usize, 0);
    for text in texts {
        count += 1;
        longest = longest.max(text.len());
    }
    if count <= MOST && longest <= LONGEST {
        return Ok(());
    }
    let problem = format!(
        "`{member}` and what stands beside it: more than {MOST} texts, or longer than {LONGEST} bytes"
    );
    Err(PredicateError::Malformed { predicate_type, problem })
}

/// When a predicate was made by its own word, where it is one whose place for that is known.
fn created(predicate_type: &str, predicate: &Value) -> Option<Timestamp> {
    let (_, place) = TIMES.iter().find(|(start, _)| predicate_type.starts_with(start))?;
    crate::time::parse(predicate.pointer(place)?.as_str()?).ok()
}

/// From when on a certificate may have signed this, where that is long ago.
fn lasting_since(by: &SignedBy) -> Option<Timestamp> {
    match by {
        SignedBy::Key(_) => None,
        SignedBy::Certificate { lasting_since, .. } => *lasting_since,
    }
}

/// What a certificate says of the workload that it was issued to.
pub(super) fn claim(by: &SignedBy, name: &str) -> Option<String> {
    match by {
        SignedBy::Key(_) => None,
        SignedBy::Certificate { claims, .. } => {
            claims.get(name).filter(|text| !text.is_empty() && text.len() <= LONGEST).cloned()
        }
    }
}

#[cfg(test)]
mod tests;
