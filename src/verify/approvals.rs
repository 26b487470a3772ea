//! Approvals: each person's latest record on this release and environment, if it is in date.
//!
//! In: `approval/v1` statements. Out: [`ApprovalFact`]s, approvals and rejections (`formats.md` sections
//! 5 to 7): for each person at most one of their own, and one for each signer that passes on what they
//! said elsewhere (`onBehalfOf: github:alice`). Whether enough people approved, and whose passing on
//! counts, is the policy's.
//!
//! What is passed on is believed of whoever has the alias in trust. A person passes nothing on, and
//! a signer has no word of its own.
//!
//! A record that is no record of this release (another digest, environment, someone else's word)
//! takes no part, nor does an approval that is dated ahead or narrowed to a role that its person
//! has not. A rejection does: a "no" needs neither a good clock nor the right role's name, nor to
//! be written without a mistake. Of those that take part the latest counts, by trusted time or else
//! by `createdAt`, in whole seconds; a tie is a rejection. When the latest is out of date the
//! person has no record: what it superseded does not come back.
//!
//! Not checked: that `createdAt` and a trusted time are near each other. Without a trusted time
//! `createdAt` is the signer's word; keys and revocation were then judged at the gate's `now`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::facts::{ApprovalDecision, ApprovalFact, TimeKind};
use super::people::{identify, roles};
use super::set_aside::{Quoted, SetAside, Why};
use super::spoken::Said;
use super::standing::{listed, signers_for};
use super::subjects::Wanted;
use crate::evidence::attestation::{Signed, Standing};
use crate::evidence::in_dates;
use crate::evidence::predicate::PredicateError;
use crate::evidence::predicate::approval::{Approval, Word};
use crate::evidence::predicate::source::Alias;
use crate::evidence::statement::Statement;
use crate::time::{SKEW, Timestamp, to_seconds, whole_seconds};
use crate::trust::{Person, Signer, Use};

/// Records by whose they are: a person, and whoever passed that person's word on.
type Records<'a> = BTreeMap<(String, Option<String>), Vec<(ApprovalFact, &'a Signed)>>;

/// Facts by person, and what was set aside.
pub(super) fn bind(
    approvals: &[Said<'_>],
    wanted: &Wanted<'_>,
    signers: &[Signer],
    people: &[Person],
    now: Timestamp,
) -> (Vec<ApprovalFact>, Vec<SetAside>) {
    let mut set_aside = Vec::new();
    let mut records = Records::new();
    for said in approvals {
        match recorded(*said, wanted, signers, people, now) {
            Ok(facts) => {
                for fact in facts {
                    let whose = (fact.person.clone(), fact.attested_by.clone());
                    records.entry(whose).or_default().push((fact, said.signed));
                }
            }
            Err(why) => set_aside.push(SetAside::because(said.signed, &why)),
        }
    }
    let mut facts = Vec::new();
    for (_, mut of_person) in records {
        of_person.sort_by_key(|(fact, _)| precedence(fact));
        let Some((latest, signed)) = of_person.pop() else { continue };
        for (older, signed) in of_person {
            set_aside.push(SetAside::because(signed, &superseded(&older, &latest)));
        }
        if latest.expires_at > now {
            facts.push(latest);
        } else {
            set_aside.push(SetAside::because(signed, &Why::expired(now, latest.expires_at)));
        }
    }
    (facts, set_aside)
}

/// Later records come later; of a tie a rejection does, then what ends sooner and allows less.
fn precedence(fact: &ApprovalFact) -> impl Ord + use<> {
    let rejection = fact.decision == ApprovalDecision::Rejected;
    (fact.time, rejection, Reverse((fact.expires_at, fact.roles.len(), fact.roles.clone(), fact.evidence)))
}

fn superseded(older: &ApprovalFact, latest: &ApprovalFact) -> Why {
    Why::Superseded { person: older.person.clone(), at: to_seconds(latest.time), by: latest.evidence }
}

/// What one statement says, in each name in which it counts.
fn recorded(
    said: Said<'_>,
    wanted: &Wanted<'_>,
    signers: &[Signer],
    people: &[Person],
    now: Timestamp,
) -> Result<Vec<ApprovalFact>, Why> {
    let read = || read(said.statement, wanted, now);
    let (person, attested_by, approval) = match &said.signed.standing {
        Standing::Person(name) => {
            let person = known(name, people)?;
            wanted.release_named(&said.statement.subject)?;
            let approval = read()?;
            if let Some(whom) = &approval.on_behalf_of {
                return Err(Why::OnBehalfOf { wanted: "a person's own word", got: Quoted::new(whom) });
            }
            (person, vec![None], approval)
        }
        Standing::Signers(names) => {
            // Only people approve: no workload, whatever it may sign.
            let nobody = || Why::WrongUse { wanted: "a person", got: listed(names) };
            let approval = read().map_err(|_| nobody())?;
            let whom = approval.on_behalf_of.as_deref().ok_or_else(nobody)?;
            let attesting = signers_for(said.signed, signers, Use::Attestation)?;
            let attesting = in_their_dates(attesting, said.signed, approval.created_at)?;
            wanted.release_named(&said.statement.subject)?;
            let person = meant(whom, people)?;
            (person, attesting.iter().map(|signer| Some(signer.name.clone())).collect(), approval)
        }
    };
    let fact = record(said, &approval, person, wanted, now)?;
    Ok(attested_by.into_iter().map(|attested_by| ApprovalFact { attested_by, ..fact.clone() }).collect())
}

/// What a record says; of one that can't be read whole, that it is a rejection if it says that much.
fn read(statement: &Statement, wanted: &Wanted<'_>, now: Timestamp) -> Result<Approval, PredicateError> {
    let predicate = &statement.predicate;
    Approval::read(predicate).or_else(|why| Approval::plain_no(predicate, wanted.environment, now).ok_or(why))
}

/// The signers in whose dates a record was created. A trusted time has been held against them already;
/// without one the record's own word has to lie in them too (`formats.md` section 6).
fn in_their_dates<'a>(
    mut attesting: Vec<&'a Signer>,
    signed: &Signed,
    created_at: Timestamp,
) -> Result<Vec<&'a Signer>, Why> {
    let mut outside = None;
    if signed.trusted_time.is_none() {
        attesting.retain(|signer| in_dates(signer, created_at).map_err(|why| outside = Some(why)).is_ok());
    }
    match outside {
        Some(why) if attesting.is_empty() => Err(Why::OutOfDates(why)),
        _ => Ok(attesting),
    }
}

/// The person of a name in trust.
fn known<'a>(name: &str, people: &'a [Person]) -> Result<&'a Person, Why> {
    let unknown = || Why::WrongUse { wanted: "a person", got: Quoted::new(name).to_string() };
    people.iter().find(|person| person.name == *name).ok_or_else(unknown)
}

/// The one person whose alias it is.
fn meant<'a>(whom: &str, people: &'a [Person]) -> Result<&'a Person, Why> {
    let nobody = || Why::OnBehalfOf { wanted: "an alias of a person in trust", got: Quoted::new(whom) };
    let alias = Alias::try_from(whom.to_owned()).map_err(|_| nobody())?;
    let found = identify([&alias], people).people;
    let mut names = found.iter();
    match (names.next(), names.next()) {
        (Some(name), None) => known(name, people),
        _ => Err(nobody()),
    }
}

/// A person's record on this release.
fn record(
    said: Said<'_>,
    approval: &Approval,
    person: &Person,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<ApprovalFact, Why> {
    if approval.environment != wanted.environment {
        let (wanted, got) = (Quoted::new(wanted.environment), Quoted::new(&approval.environment));
        return Err(Why::WrongEnvironment { wanted, got });
    }
    let (time, time_kind) = judged_at(said.signed, approval, now)?;
    let narrowed_to = approval.role.as_deref();
    let whole = || roles(person, None).filter(|_| approval.decision == Word::Rejected);
    let roles = roles(person, narrowed_to).or_else(whole).ok_or_else(|| Why::WrongRole {
        person: person.name.clone(),
        got: Quoted::new(narrowed_to.unwrap_or_default()),
    })?;
    Ok(ApprovalFact {
        person: person.name.clone(),
        decision: match approval.decision {
            Word::Approved => ApprovalDecision::Approved,
            Word::Rejected => ApprovalDecision::Rejected,
        },
        roles,
        time: whole_seconds(time),
        time_kind,
        expires_at: whole_seconds(approval.expires_at),
        evidence: said.signed.evidence,
        attested_by: None,
    })
}

/// When a record was given and by whose word, when its dates can be believed at all.
///
/// A trusted time is only the latest that a signature can have been made: anybody may stamp an old
/// one again. So an approval is as old as the older of stamp and its own word (a fresh stamp can't
/// renew it, nor lift it over a later rejection), and a rejection as young as the younger.
fn judged_at(signed: &Signed, approval: &Approval, now: Timestamp) -> Result<(Timestamp, TimeKind), Why> {
    let latest = now + SKEW;
    let (time, kind) = match signed.trusted_time {
        Some(time) if approval.decision == Word::Approved => {
            (time.min(approval.created_at), TimeKind::Trusted)
        }
        Some(time) => (time.max(approval.created_at), TimeKind::Trusted),
        None => (approval.created_at, TimeKind::Claimed),
    };
    let ahead =
        [Some(approval.created_at), signed.trusted_time].into_iter().flatten().find(|at| *at > latest);
    if let (Some(at), Word::Approved) = (ahead, approval.decision) {
        return Err(Why::not_yet_valid(latest, at));
    }
    if approval.expires_at <= approval.created_at && approval.decision == Word::Approved {
        return Err(Why::backwards(approval.created_at, approval.expires_at));
    }
    Ok((time, kind))
}

#[cfg(test)]
mod tests;
