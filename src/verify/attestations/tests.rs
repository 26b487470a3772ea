//! Attestations told as sentences: who may, about what, and what is read.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::evidence::attestation::{Signed, Standing};
use crate::evidence::predicate::test_result::Ending;
use crate::evidence::statement::{Statement, Subject};
use crate::verify::standing::tests::{signed, signer};
use crate::verify::subjects::tests::{naming, source, wanted};

const SCAN: &str = "https://in-toto.io/attestation/vulns";

fn signers() -> [Signer; 2] {
    [signer("scanner", &[Use::Attestation], &[]), signer("staging", &[Use::Vsa], &[])]
}

fn now() -> Timestamp {
    crate::time::parse("2026-11-24T12:00:00Z").unwrap()
}

fn heard(
    signed: &Signed,
    subject: Vec<Subject>,
    predicate_type: &str,
    predicate: Value,
) -> Result<Vec<(usize, AttestationFact)>, &'static str> {
    let source = source();
    let wanted = wanted(&source, &[("a", &[]), ("index", &["linux/amd64", "linux/arm64"])]);
    let statement = Statement { subject, predicate_type: predicate_type.to_owned(), predicate };
    let (facts, set_aside) = bind(&[Said { signed, statement: &statement }], &wanted, &signers());
    match set_aside.first() {
        Some(aside) if facts.is_empty() => Err(aside.kind),
        _ => Ok(facts),
    }
}

fn by(name: &str) -> Signed {
    signed(name, 1)
}

fn vsa(result: &str) -> Value {
    json!({
        "verifier": {"id": "https://gate.example"}, "timeVerified": "2026-11-24T11:00:00Z",
        "resourceUri": "laforge:staging/payments@1", "policy": {"digest": {"sha256": "ab".repeat(32)}},
        "verificationResult": result, "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
    })
}

#[test]
fn any_predicate_of_an_attesting_signer_is_a_fact_of_each_artifact_that_it_names() {
    let facts =
        heard(&by("scanner"), vec![naming("a"), naming("index"), naming("x")], SCAN, json!({})).unwrap();
    let places: Vec<_> = facts.iter().map(|(at, fact)| (*at, fact.leaves.len())).collect();
    assert_eq!(places, [(0, 0), (1, 0)]);
    let fact = &facts[0].1;
    assert_eq!((fact.signer.as_str(), fact.predicate_type.as_str()), ("scanner", SCAN));
    assert_eq!((fact.says.clone(), fact.time, fact.created, fact.run_id.clone()), (None, None, None, None));
}

#[test]
fn a_fact_about_platforms_says_which() {
    let facts = heard(&by("scanner"), vec![naming("linux/arm64")], SCAN, json!({})).unwrap();
    let arm64 = crate::release::digest::Digest::of_bytes(b"linux/arm64").claim();
    assert_eq!(
        facts.iter().map(|(at, fact)| (*at, fact.leaves.clone())).collect::<Vec<_>>(),
        [(1, vec![arm64])]
    );
}

#[test]
fn each_way_not_to_count_has_its_own_word() {
    let a = || vec![naming("a")];
    assert_eq!(heard(&by("scanner"), vec![naming("x")], SCAN, json!({})).unwrap_err(), "wrong-subject");
    assert_eq!(heard(&by("scanner"), a(), "", json!({})).unwrap_err(), "wrong-predicate");
    assert_eq!(heard(&by("scanner"), a(), &"x".repeat(2000), json!({})).unwrap_err(), "wrong-predicate");
    let old = "https://slsa.dev/verification_summary/v0.2";
    assert_eq!(heard(&by("staging"), a(), old, vsa("PASSED")).unwrap_err(), "wrong-predicate");
    for own in ["waiver/v1", "break-glass/v1", "approval/v2", "x"] {
        let own = format!("https://laforge.dev/attestation/{own}");
        assert_eq!(heard(&by("scanner"), a(), &own, json!({})).unwrap_err(), "wrong-predicate");
        assert!(is_bound_elsewhere(&own), "{own}");
    }
    let mut person = by("alice");
    person.standing = Standing::Person("alice".to_owned());
    assert_eq!(heard(&person, a(), SCAN, json!({})).unwrap_err(), "wrong-use");
    // Whether a date ahead matters is the policy's: a failure needs no good clock.
    let ahead = json!({"metadata": {"scanFinishedOn": "2026-11-24T12:01:01Z"}});
    assert!(heard(&by("scanner"), a(), SCAN, ahead).is_ok());
}

#[test]
fn a_certificate_that_lasts_dates_nothing_later_than_its_beginning() {
    let mut lasting = crate::verify::standing::tests::certified(&["scanner"], "own", "scan", 1);
    let created =
        |signed: &Signed, predicate| heard(signed, vec![naming("a")], SCAN, predicate).unwrap()[0].1.created;
    assert_eq!(created(&lasting, json!({})), None);
    let since = now() - TimeDelta::days(240);
    let SignedBy::Certificate { lasting_since, .. } = &mut lasting.by else { panic!() };
    *lasting_since = Some(since);
    assert_eq!(created(&lasting, json!({})), Some(since));
    let own_word = json!({"metadata": {"scanFinishedOn": "2026-11-24T11:00:00Z"}});
    assert_eq!(created(&lasting, own_word), Some(now() - TimeDelta::hours(1)));
}

#[test]
fn reads_what_policies_have_conditions_for() {
    let says = |signer: &str, predicate_type: &str, predicate: Value| {
        heard(&by(signer), vec![naming("a")], predicate_type, predicate).map(|facts| facts[0].1.clone())
    };
    let summary = says("staging", vsa::TYPE, vsa("FAILED")).unwrap();
    assert!(matches!(summary.says, Some(Says::Summary { passed: false, policy: Some(_), .. })));
    assert_eq!(summary.created, Some(now() - TimeDelta::hours(1)));
    let results =
        json!({"verifier": {"id": "v"}, "timeCreated": "2026-11-24T11:00:00Z", "properties": ["A"]});
    let results = says("staging", svr::TYPE, results).unwrap();
    assert_eq!(
        results.says,
        Some(Says::Results { verifier: "v".to_owned(), properties: vec!["A".to_owned()] })
    );
    let tests =
        says("scanner", test_result::TYPE, json!({"result": "PASSED", "failedTests": ["x"]})).unwrap();
    assert_eq!(tests.says, Some(Says::Tests { result: Ending::Failed }));
    let mut many = vsa("PASSED");
    many["verifiedLevels"] = json!(vec!["L"; MOST]);
    assert_eq!(says("staging", vsa::TYPE, many).unwrap().says, None);
}

#[test]
fn what_can_not_be_read_is_a_fact_that_says_nothing_and_set_aside_too() {
    let source = source();
    let wanted = wanted(&source, &[("a", &[])]);
    for (signer, predicate_type, predicate) in [
        ("scanner", test_result::TYPE, json!({"result": "FAILED", "failedTests": "unit"})),
        ("staging", vsa::TYPE, vsa("failed")),
        ("staging", svr::TYPE, json!({"verifier": {"id": "v"}})),
    ] {
        let predicate_type = predicate_type.to_owned();
        let statement = Statement { subject: vec![naming("a")], predicate_type, predicate };
        let signed = by(signer);
        let (facts, set_aside) =
            bind(&[Said { signed: &signed, statement: &statement }], &wanted, &signers());
        let says: Vec<_> = facts.iter().map(|(_, fact)| (fact.signer.as_str(), fact.says.clone())).collect();
        assert_eq!(says, [(signer, None)]);
        assert_eq!(set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["wrong-predicate"]);
    }
}

#[test]
fn takes_a_time_from_where_a_predicate_writes_it_and_from_nowhere_else() {
    let created = |predicate_type: &str, predicate: Value| {
        heard(&by("scanner"), vec![naming("a")], predicate_type, predicate).unwrap()[0].1.created
    };
    let hour_ago = Some(now() - TimeDelta::hours(1));
    let at = "2026-11-24T11:00:00Z";
    assert_eq!(created(SCAN, json!({"metadata": {"scanFinishedOn": at}})), hour_ago);
    let v02 = "https://in-toto.io/attestation/vulns/v0.2";
    assert_eq!(created(v02, json!({"metadata": {"scanFinishedOn": at}})), hour_ago);
    assert_eq!(created("https://cyclonedx.org/bom", json!({"metadata": {"timestamp": at}})), hour_ago);
    let openvex = "https://openvex.dev/ns/v0.2.0";
    assert_eq!(created(openvex, json!({"timestamp": at, "last_updated": "2026-11-24T11:30:00Z"})), hour_ago);
    assert_eq!(created("https://example.com/x", json!({"metadata": {"timestamp": at}})), None);
    assert_eq!(created(SCAN, json!({"metadata": {"scanFinishedOn": 7}})), None);
    assert_eq!(created(test_result::TYPE, json!({"result": "PASSED", "laforge_finishedOn": at})), hour_ago);
    assert_eq!(created(test_result::TYPE, json!({"result": "PASSED", "finishedOn": at})), None);
}

#[test]
fn takes_run_and_commit_from_the_certificate() {
    let mut certified = by("scanner");
    let claims = [("runInvocationUri", "https://ci.example/runs/1"), ("sourceRepositoryDigest", "4f1c")];
    certified.by = SignedBy::Certificate {
        root: "public-good".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        subject: "workflow".to_owned(),
        claims: claims.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
        lasting_since: None,
    };
    let fact = heard(&certified, vec![naming("a")], SCAN, json!({})).unwrap()[0].1.clone();
    assert_eq!(
        (fact.run_id.as_deref(), fact.commit.as_deref()),
        (Some("https://ci.example/runs/1"), Some("4f1c"))
    );
}
