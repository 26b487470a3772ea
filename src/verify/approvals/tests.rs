//! Approvals told as sentences, and the rule of the latest record as a property.

use proptest::prelude::*;
use serde_json::{Value, json};

use chrono::TimeDelta;

use super::*;
use crate::evidence::predicate::approval::TYPE;
use crate::evidence::statement::Statement;
use crate::release::SourceRevision;
use crate::release::digest::Digest;
use crate::verify::people::tests::person;
use crate::verify::standing::tests::{signed, signer};
use crate::verify::subjects::tests::{naming, source, subject, wanted};

fn at(minutes: i64) -> Timestamp {
    crate::time::parse("2026-11-24T12:00:00Z").unwrap() + TimeDelta::minutes(minutes)
}

/// An approval at 12:00 until 13:00, and how it differs.
struct Told {
    by: &'static str,
    evidence: u8,
    subject: Option<&'static str>,
    predicate: Value,
    trusted_time: Option<Timestamp>,
}

fn told(by: &'static str, evidence: u8, members: Value) -> Told {
    let mut predicate = json!({
        "decision": "approved", "environment": "production",
        "createdAt": to_seconds(at(0)), "expiresAt": to_seconds(at(60)),
    });
    predicate.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Told { by, evidence, subject: None, predicate, trusted_time: None }
}

fn bound(told: &[Told], now: Timestamp) -> (Vec<ApprovalFact>, Vec<SetAside>) {
    let source: SourceRevision = source();
    let wanted = wanted(&source, &[("a", &[])]);
    let people = [person("alice", &["release-manager", "sre"]), person("bob", &[])];
    let heard: Vec<(Signed, Statement)> = told
        .iter()
        .map(|it| {
            let mut signed = signed(it.by, it.evidence);
            if !["ci", "dated"].contains(&it.by) {
                signed.standing = Standing::Person(it.by.to_owned());
            }
            signed.trusted_time = it.trusted_time;
            let subject = match it.subject {
                Some(other) => naming(other),
                None => subject(&[("sha256", &wanted.release)]),
            };
            let predicate = it.predicate.clone();
            (signed, Statement { subject: vec![subject], predicate_type: TYPE.to_owned(), predicate })
        })
        .collect();
    let said: Vec<Said<'_>> = heard.iter().map(|(signed, statement)| Said { signed, statement }).collect();
    let dated = Signer {
        valid_from: Some(at(-10)),
        valid_until: Some(at(300)),
        ..signer("dated", &[Use::Attestation], &[])
    };
    bind(&said, &wanted, &[signer("ci", &[Use::Attestation], &[]), dated], &people, now)
}

fn evidence(number: u8) -> Digest {
    signed("", number).evidence
}

/// The words for what was set aside, of a single record.
fn kind(told: Told, now: Timestamp) -> &'static str {
    let (facts, set_aside) = bound(&[told], now);
    assert!(facts.is_empty());
    set_aside.first().unwrap().kind
}

#[test]
fn an_approval_in_date_is_a_fact_with_all_roles_or_the_narrowed_one() {
    let alice = ApprovalFact {
        person: "alice".to_owned(),
        decision: ApprovalDecision::Approved,
        roles: vec!["release-manager".to_owned(), "sre".to_owned()],
        time: at(0),
        time_kind: TimeKind::Claimed,
        expires_at: at(60),
        evidence: evidence(1),
        attested_by: None,
    };
    let (facts, set_aside) = bound(&[told("alice", 1, json!({}))], at(1));
    assert_eq!((facts, set_aside.len()), (vec![alice], 0));
    let (facts, _) = bound(&[told("alice", 1, json!({"role": "sre"}))], at(1));
    assert_eq!(facts.first().unwrap().roles, ["sre"]);
    let (facts, _) = bound(&[told("bob", 1, json!({}))], at(1));
    assert!(facts.first().unwrap().roles.is_empty());
}

#[test]
fn each_way_not_to_count_has_its_own_word() {
    let other_release = Told { subject: Some("a"), ..told("alice", 1, json!({})) };
    assert_eq!(kind(other_release, at(1)), "wrong-subject");
    assert_eq!(kind(told("ci", 1, json!({})), at(1)), "wrong-use");
    assert_eq!(kind(told("mallory", 1, json!({})), at(1)), "wrong-use");
    for (members, expected) in [
        (json!({"environment": "staging"}), "wrong-environment"),
        (json!({"environment": "Production"}), "wrong-environment"),
        (json!({"role": "security"}), "wrong-role"),
        (json!({"onBehalfOf": "github:bob"}), "on-behalf-of"),
        (json!({"createdAt": to_seconds(at(3))}), "not-yet-valid"),
        (json!({"expiresAt": to_seconds(at(0))}), "wrong-predicate"),
        (json!({"extra": true}), "wrong-predicate"),
    ] {
        assert_eq!(kind(told("alice", 1, members.clone()), at(1)), expected, "{members}");
    }
    let stamped_later = Told { trusted_time: Some(at(30)), ..told("alice", 1, json!({})) };
    assert_eq!(kind(stamped_later, at(1)), "not-yet-valid");
}

#[test]
fn counts_until_the_second_of_its_end_and_from_a_minute_before_its_creation() {
    assert_eq!(kind(told("alice", 1, json!({})), at(60)), "expired");
    let just_before = at(60) - TimeDelta::milliseconds(1);
    assert_eq!(bound(&[told("alice", 1, json!({}))], just_before).0.len(), 1);
    assert_eq!(bound(&[told("alice", 1, json!({}))], at(-1)).0.len(), 1);
    assert_eq!(kind(told("alice", 1, json!({})), at(-1) - TimeDelta::milliseconds(1)), "not-yet-valid");
}

#[test]
fn one_person_with_two_keys_is_one_person() {
    let (facts, set_aside) = bound(&[told("alice", 1, json!({})), told("alice", 2, json!({}))], at(1));
    assert_eq!(facts.len(), 1);
    assert_eq!(set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["superseded"]);
}

#[test]
fn a_later_rejection_blocks_and_a_later_approval_lifts_it() {
    let later = |word: &str| json!({"decision": word, "createdAt": to_seconds(at(1))});
    let rejected = json!({"decision": "rejected"});
    let decision = |told: &[Told]| bound(told, at(2)).0.first().unwrap().decision;
    assert_eq!(
        decision(&[told("alice", 1, json!({})), told("alice", 2, later("rejected"))]),
        ApprovalDecision::Rejected
    );
    assert_eq!(
        decision(&[told("alice", 1, rejected.clone()), told("alice", 2, later("approved"))]),
        ApprovalDecision::Approved
    );
    assert_eq!(
        decision(&[told("alice", 1, rejected), told("alice", 2, json!({}))]),
        ApprovalDecision::Rejected
    );
}

#[test]
fn a_rejection_needs_neither_a_good_clock_nor_the_right_role() {
    for members in [json!({"createdAt": to_seconds(at(3))}), json!({"role": "security"})] {
        let mut no = told("alice", 2, json!({"decision": "rejected"}));
        no.predicate.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let (facts, _) = bound(&[told("alice", 1, json!({})), no], at(1));
        let fact = facts.first().unwrap();
        assert_eq!((fact.decision, fact.roles.len()), (ApprovalDecision::Rejected, 2), "{members}");
    }
    let stamped_ahead =
        Told { trusted_time: Some(at(30)), ..told("alice", 1, json!({"decision": "rejected"})) };
    assert_eq!(bound(&[stamped_ahead], at(1)).0.first().unwrap().decision, ApprovalDecision::Rejected);
    for members in [
        json!({"comment": "stop"}),
        json!({"expiresAt": "tomorrow"}),
        json!({"createdAt": null, "environment": ""}),
        json!({"decision": "Rejected", "expiresAt": to_seconds(at(2)), "createdAt": to_seconds(at(3))}),
    ] {
        let mut no = told("alice", 2, json!({"decision": "rejected", "createdAt": to_seconds(at(1))}));
        no.predicate.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let (facts, _) = bound(&[told("alice", 1, json!({})), no], at(1));
        assert_eq!(facts.first().unwrap().decision, ApprovalDecision::Rejected, "{members}");
    }
    let elsewhere = json!({"decision": "rejected", "environment": "staging", "comment": "stop"});
    assert_eq!(kind(told("alice", 1, elsewhere), at(1)), "wrong-environment");
    // One that names a role of its person's stays narrowed to it.
    let narrowed = told("alice", 1, json!({"decision": "rejected", "role": "sre"}));
    assert_eq!(bound(&[narrowed], at(1)).0.first().unwrap().roles, ["sre"]);
}

#[test]
fn an_expired_rejection_does_not_bring_the_approval_back() {
    let short =
        json!({"decision": "rejected", "createdAt": to_seconds(at(1)), "expiresAt": to_seconds(at(2))});
    let (facts, set_aside) = bound(&[told("alice", 1, json!({})), told("alice", 2, short)], at(30));
    assert!(facts.is_empty());
    assert_eq!(set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["superseded", "expired"]);
}

#[test]
fn a_record_of_another_environment_supersedes_nothing() {
    let elsewhere = json!({"decision": "approved", "environment": "staging", "createdAt": to_seconds(at(1))});
    let (facts, _) =
        bound(&[told("alice", 1, json!({"decision": "rejected"})), told("alice", 2, elsewhere)], at(2));
    assert_eq!(facts.first().unwrap().decision, ApprovalDecision::Rejected);
}

#[test]
fn a_trusted_time_outweighs_the_claimed_one() {
    let backdated = json!({"decision": "rejected", "createdAt": to_seconds(at(-30))});
    let rejection = Told { trusted_time: Some(at(5)), ..told("alice", 2, backdated) };
    let (facts, _) = bound(&[told("alice", 1, json!({})), rejection], at(6));
    let fact = facts.first().unwrap();
    assert_eq!(
        (fact.decision, fact.time, fact.time_kind),
        (ApprovalDecision::Rejected, at(5), TimeKind::Trusted)
    );
}

#[test]
fn a_fresh_stamp_renews_no_old_approval_and_lifts_it_over_no_rejection() {
    let stamped = Told { trusted_time: Some(at(9)), ..told("alice", 1, json!({})) };
    assert_eq!(bound(&[stamped], at(10)).0.first().unwrap().time, at(0));
    let stamped = Told { trusted_time: Some(at(9)), ..told("alice", 1, json!({})) };
    let rejection = told("alice", 2, json!({"decision": "rejected", "createdAt": to_seconds(at(5))}));
    let (facts, _) = bound(&[stamped, rejection], at(10));
    assert_eq!(facts.first().unwrap().decision, ApprovalDecision::Rejected);
}

#[test]
fn what_a_signer_passes_on_stands_beside_the_person_s_own_word() {
    let elsewhere = |evidence, whom: &str| told("ci", evidence, json!({"onBehalfOf": whom}));
    let (facts, set_aside) = bound(&[told("alice", 1, json!({})), elsewhere(2, "github:alice-gh")], at(1));
    let attested: Vec<_> = facts.iter().map(|it| (it.person.as_str(), it.attested_by.as_deref())).collect();
    assert_eq!(attested, [("alice", None), ("alice", Some("ci"))]);
    assert!(set_aside.is_empty());
    for nobody in ["github:alice", "github:mallory", "alice-gh", "mail:alice-gh"] {
        assert_eq!(kind(elsewhere(1, nobody), at(1)), "on-behalf-of", "{nobody}");
    }
    let later =
        json!({"onBehalfOf": "github:alice-gh", "decision": "rejected", "createdAt": to_seconds(at(1))});
    let (facts, set_aside) = bound(&[elsewhere(1, "github:alice-gh"), told("ci", 2, later)], at(2));
    assert_eq!(facts.iter().map(|it| it.decision).collect::<Vec<_>>(), [ApprovalDecision::Rejected]);
    assert_eq!(set_aside.first().unwrap().kind, "superseded");
}

#[test]
fn what_is_passed_on_says_itself_that_it_was_in_the_signers_dates() {
    let passed_on = |minutes| {
        let created = to_seconds(at(minutes));
        told("dated", 1, json!({"onBehalfOf": "github:alice-gh", "createdAt": created}))
    };
    assert_eq!(bound(&[passed_on(-10)], at(1)).0.len(), 1);
    let (_, set_aside) = bound(&[passed_on(-11)], at(1));
    let said = "not yet valid: signed at 2026-11-24T11:49:00Z, key valid from 2026-11-24T11:50:00Z until \
                2026-11-24T17:00:00Z";
    assert_eq!(
        set_aside.iter().map(|it| (it.kind, it.reason.as_str())).collect::<Vec<_>>(),
        [("not-yet-valid", said)]
    );
    // A trusted time has been held against them, and it is what counts.
    let stamped = Told { trusted_time: Some(at(0)), ..passed_on(-11) };
    assert_eq!(bound(&[stamped], at(1)).0.len(), 1);
}

/// A record as (person, minute, whether trusted, rejection, life in minutes).
type Drawn = (bool, i64, bool, bool, i64);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    proptest::collection::vec((any::<bool>(), -5..5_i64, any::<bool>(), any::<bool>(), 1..12_i64), 0..8)
}

fn tell(drawn: &[Drawn]) -> Vec<Told> {
    let records = drawn.iter().enumerate().map(|(number, (alice, minute, trusted, rejection, life))| {
        let members = json!({
            "decision": if *rejection { "rejected" } else { "approved" },
            "createdAt": to_seconds(at(if *trusted && *rejection { -20 } else { *minute })),
            "expiresAt": to_seconds(at(minute + life)),
        });
        let by = if *alice { "alice" } else { "bob" };
        let trusted_time = trusted.then(|| at(*minute));
        Told { trusted_time, ..told(by, u8::try_from(number).unwrap(), members) }
    });
    records.collect()
}

proptest! {
    #[test]
    fn the_latest_record_alone_counts_and_a_tie_is_a_rejection(drawn in drawn()) {
        let (facts, set_aside) = bound(&tell(&drawn), at(5));
        for (name, is_alice) in [("alice", true), ("bob", false)] {
            let own: Vec<&Drawn> = drawn.iter().filter(|it| it.0 == is_alice).collect();
            let fact = facts.iter().find(|it| it.person == name);
            let Some(last) = own.iter().map(|it| it.1).max() else {
                prop_assert!(fact.is_none());
                continue;
            };
            let latest: Vec<_> = own.iter().filter(|it| it.1 == last).collect();
            if let Some(fact) = fact {
                prop_assert_eq!(fact.time, at(last));
                prop_assert!(fact.expires_at > at(5));
                let rejected = latest.iter().any(|it| it.3);
                prop_assert_eq!(fact.decision == ApprovalDecision::Rejected, rejected);
            } else {
                prop_assert!(latest.iter().any(|it| it.1 + it.4 <= 5));
            }
        }
        // Nothing vanishes: each record is a fact or is set aside.
        prop_assert_eq!(facts.len() + set_aside.len(), drawn.len());
    }

    #[test]
    fn the_order_of_the_evidence_changes_nothing(drawn in drawn(), turn in 0_usize..8) {
        let mut told = tell(&drawn);
        let sorted = |told: &[Told]| {
            let (facts, mut set_aside) = bound(told, at(5));
            set_aside.sort();
            (facts, set_aside)
        };
        let one = sorted(&told);
        let turn = turn % told.len().max(1);
        told.rotate_left(turn);
        prop_assert_eq!(sorted(&told), one);
    }
}
