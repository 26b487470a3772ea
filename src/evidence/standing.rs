//! In whose name a signature counts: identity within its own root, use, validity, revocation.
//!
//! In: a signature that holds, what it signs, trust and `now`. Out: [`Standing`], or the reason why
//! it counts in nobody's name. With proved times all of this is judged at each of them (a single
//! backdated one must not vouch for the rest, TOB-SIGSTORE-4), without one at `now` (`formats.md`
//! section 6).

use super::attestation::Standing;
use super::candidates::Holder;
use super::claim::{Claim, Form};
use super::limits::quoted;
use super::predicate::{COSIGN_SIGN, approval};
use super::rejection::Rejection;
use super::signer::{Made, Maker};
use crate::time::{self, SKEW, Timestamp};
use crate::trust::{Identity, Person, Revoked, Signer, TrustRoot, Use};

/// Where predicate types of other verifiers' results begin; versions follow. Whoever may say what
/// was built may not say what was verified as well.
const VERIFIED: [&str; 2] = ["https://slsa.dev/verification_summary/", "https://in-toto.io/attestation/svr/"];

/// Who a signature may count for.
struct Holders<'a> {
    signers: Vec<&'a Signer>,
    people: Vec<&'a Person>,
}

/// In whose name it counts.
pub(super) fn judge(
    trust: &TrustRoot,
    made: &Made<'_>,
    claim: &Claim,
    now: Timestamp,
) -> Result<Standing, Rejection> {
    refuse_future(&made.times, now)?;
    let times = if made.times.is_empty() { &[now] } else { made.times.as_slice() };
    let holders = holders(trust, &made.by)?;
    refuse_revoked(trust, &made.by, times)?;
    match (holders.signers.as_slice(), holders.people.as_slice()) {
        ([], [person]) => person_may_sign(person, claim).map(|()| Standing::Person(person.name.clone())),
        (signers, []) => {
            let fitting = whose_use_fits(signers, claim)?;
            valid(&fitting, times).map(Standing::Signers)
        }
        _ => {
            let detail = "wanted an identity of one signer or one person, got one of both".to_owned();
            Err(Rejection::WrongUse { detail })
        }
    }
}

/// Whether a holder's use fits what is signed; when that counts is another question.
pub(super) fn may_sign(holder: Holder<'_>, claim: &Claim) -> bool {
    match holder {
        Holder::Signer(signer) => whose_use_fits(&[signer], claim).is_ok(),
        Holder::Person(person) => person_may_sign(person, claim).is_ok(),
    }
}

/// Whether a holder signs files, as [`may_sign`] says of a signature over one.
pub(super) fn signs_files(holder: Holder<'_>) -> bool {
    match holder {
        Holder::Signer(signer) => signer.uses.contains(&Use::Artifact) && !signer.simple_signing,
        Holder::Person(_) => false,
    }
}

fn refuse_future(times: &[Timestamp], now: Timestamp) -> Result<(), Rejection> {
    match times.iter().find(|at| **at > now + SKEW) {
        None => Ok(()),
        Some(at) => Err(Rejection::BadMaterial {
            part: "time stamp",
            detail: format!(
                "wanted a time not after {}, got {}",
                time::to_seconds(now + SKEW),
                time::to_seconds(*at)
            ),
        }),
    }
}

/// Everyone in trust whom the maker can be, of its own root.
fn holders<'a>(trust: &'a TrustRoot, by: &Maker<'a>) -> Result<Holders<'a>, Rejection> {
    let (root, issuer, subject) = match by {
        Maker::Key { holder: Holder::Signer(signer), .. } => {
            return Ok(Holders { signers: vec![signer], people: Vec::new() });
        }
        Maker::Key { holder: Holder::Person(person), .. } => {
            return Ok(Holders { signers: Vec::new(), people: vec![person] });
        }
        Maker::Certificate { root, identity } => (*root, &identity.issuer, &identity.subject),
    };
    let fits = |identity: &Identity| match identity {
        Identity::Keyless { root: own, issuer: exact, subject: wanted } => {
            own == root && exact == issuer && wanted.matches(subject)
        }
        Identity::Key { .. } => false,
    };
    let signers: Vec<&Signer> = trust.signers.iter().filter(|signer| fits(&signer.identity)).collect();
    let people: Vec<&Person> =
        trust.people.iter().filter(|person| person.identities.iter().any(fits)).collect();
    if signers.is_empty() && people.is_empty() {
        return Err(stranger(trust, root, issuer, subject));
    }
    Ok(Holders { signers, people })
}

/// Why nobody in trust is this identity: it belongs to another root, or to none.
fn stranger(trust: &TrustRoot, root: &str, issuer: &str, subject: &str) -> Rejection {
    let identities = trust.signers.iter().map(|signer| &signer.identity);
    let identities = identities.chain(trust.people.iter().flat_map(|person| &person.identities));
    let elsewhere = identities.into_iter().find_map(|identity| match identity {
        Identity::Keyless { root, issuer: exact, subject: wanted }
            if exact == issuer && wanted.matches(subject) =>
        {
            Some(root)
        }
        _ => None,
    });
    match elsewhere {
        Some(own) => Rejection::AnotherInstance { wanted: format!("`{own}`"), got: format!("`{root}`") },
        None => {
            let (subject, issuer) = (quoted(subject), quoted(issuer));
            Rejection::UntrustedIdentity { got: format!("`{subject}` of `{issuer}`, root `{root}`") }
        }
    }
}

fn refuse_revoked(trust: &TrustRoot, by: &Maker<'_>, times: &[Timestamp]) -> Result<(), Rejection> {
    let who = match by {
        Maker::Key { key, .. } => Revoked::Key(key.id()),
        Maker::Certificate { identity, .. } => {
            Revoked::Keyless { issuer: identity.issuer.clone(), subject: identity.subject.clone() }
        }
    };
    match times.iter().find_map(|at| trust.revocation(&who, *at)) {
        None => Ok(()),
        Some(revocation) => Err(Rejection::Revoked {
            since: time::to_seconds(revocation.since),
            reason: quoted(&revocation.reason),
        }),
    }
}

/// A person signs statements, and no signatures over artifacts.
fn person_may_sign(person: &Person, claim: &Claim) -> Result<(), Rejection> {
    match claim {
        Claim::Statement(statement) if statement.predicate_type != COSIGN_SIGN => Ok(()),
        _ => Err(Rejection::WrongUse {
            detail: format!("wanted a signer with `use: artifact`, got the person `{}`", person.name),
        }),
    }
}

/// The signers that may sign this, never none.
fn whose_use_fits<'a>(signers: &[&'a Signer], claim: &Claim) -> Result<Vec<&'a Signer>, Rejection> {
    let (wanted, predicate_type) = match claim {
        Claim::Artifacts(_) => (Use::Artifact, None),
        Claim::Statement(statement) => {
            let predicate_type = statement.predicate_type.as_str();
            (use_for(predicate_type), Some(predicate_type))
        }
    };
    let with_use: Vec<&Signer> =
        signers.iter().copied().filter(|signer| signer.uses.contains(&wanted)).collect();
    if with_use.is_empty() {
        let person = if predicate_type == Some(approval::TYPE) { "a person, or " } else { "" };
        let detail = format!("wanted {person}a signer with `use: {wanted}`, got {}", named(signers));
        return Err(Rejection::WrongUse { detail });
    }
    let fitting: Vec<&Signer> = match predicate_type {
        Some(wanted) => with_use.iter().copied().filter(|signer| signer.may_sign(wanted)).collect(),
        None => with_use.iter().copied().filter(|signer| signs_in_form(signer, claim)).collect(),
    };
    if fitting.is_empty() {
        let wanted = match (predicate_type, claim) {
            (Some(predicate_type), _) => format!("a signer of `{}`", quoted(predicate_type)),
            (None, Claim::Artifacts(artifacts)) if artifacts.form == Form::SimpleSigning => {
                "a signer with `simpleSigning: true`".to_owned()
            }
            (None, _) => "a signer without `simpleSigning`, which signs no files".to_owned(),
        };
        let detail = format!("wanted {wanted}, got {}", named(&with_use));
        return Err(Rejection::WrongUse { detail });
    }
    Ok(fitting)
}

/// The use that a signer of this predicate type needs.
pub(crate) fn use_for(predicate_type: &str) -> Use {
    if predicate_type == COSIGN_SIGN {
        Use::Artifact
    } else if VERIFIED.iter().any(|start| predicate_type.starts_with(start)) {
        Use::Vsa
    } else {
        Use::Attestation
    }
}

/// Who signs simple-signing payloads signs no files: such a payload could be offered as one.
fn signs_in_form(signer: &Signer, claim: &Claim) -> bool {
    match claim {
        Claim::Artifacts(artifacts) => signer.simple_signing == (artifacts.form == Form::SimpleSigning),
        Claim::Statement(_) => true,
    }
}

/// The names of the signers that were valid at every time, sorted; never none.
fn valid(signers: &[&Signer], times: &[Timestamp]) -> Result<Vec<String>, Rejection> {
    let mut reason = None;
    let mut names = Vec::new();
    for signer in signers {
        match times.iter().try_for_each(|at| in_dates(signer, *at)) {
            Ok(()) => names.push(signer.name.clone()),
            Err(outside) => {
                reason.get_or_insert(outside);
            }
        }
    }
    names.sort_unstable();
    match reason {
        Some(reason) if names.is_empty() => Err(reason),
        _ => Ok(names),
    }
}

/// Whether a moment lies in a signer's dates: from its first second, until before its last.
///
/// # Errors
/// [`Rejection::NotYetValid`] or [`Rejection::Expired`].
pub(crate) fn in_dates(signer: &Signer, at: Timestamp) -> Result<(), Rejection> {
    let (at_text, validity) = (time::to_seconds(at), validity(signer));
    if signer.valid_from.is_some_and(|from| at < from) {
        return Err(Rejection::NotYetValid { at: at_text, validity });
    }
    if signer.valid_until.is_some_and(|until| until <= at) {
        return Err(Rejection::Expired { at: at_text, validity });
    }
    Ok(())
}

fn validity(signer: &Signer) -> String {
    let text = |bound: Option<Timestamp>| bound.map_or("ever".to_owned(), time::to_seconds);
    format!("from {} until {}", text(signer.valid_from), text(signer.valid_until))
}

fn named(signers: &[&Signer]) -> String {
    let names: Vec<String> = signers.iter().map(|signer| format!("`{}`", signer.name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::statement::Statement;
    use crate::trust::sample::signer;

    #[test]
    fn of_several_signers_that_one_identity_fits_those_count_that_may_sign_it() {
        let signers = [
            signer("release", &[Use::Artifact], &[]),
            signer("ci", &[Use::Attestation], &[]),
            signer("scanner", &[Use::Attestation], &["https://example.com/scan"]),
            signer("staging", &[Use::Vsa], &[]),
        ];
        let all: Vec<&Signer> = signers.iter().collect();
        let fitting = |predicate_type: &str| {
            let predicate_type = predicate_type.to_owned();
            let claim = Claim::Statement(Statement {
                subject: Vec::new(),
                predicate_type,
                predicate: serde_json::Value::Null,
            });
            let fitting = whose_use_fits(&all, &claim).unwrap();
            fitting.iter().map(|signer| signer.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(fitting("https://example.com/scan"), ["ci", "scanner"]);
        assert_eq!(fitting("https://example.com/other"), ["ci"]);
        assert_eq!(fitting(COSIGN_SIGN), ["release"]);
        assert_eq!(fitting("https://slsa.dev/verification_summary/v1"), ["staging"]);
    }
}
