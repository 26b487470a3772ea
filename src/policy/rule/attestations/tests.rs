//! Requirements of attestations told as sentences, and "every one has to hold" as a property.

use proptest::prelude::*;

use crate::policy::rule::{Cure, Outcome};
use crate::policy::samples::{
    artifact, attestation, claim, digest, facts, hours, loaded, now, outcome, refused, said,
};
use crate::release::digest::ClaimedDigest;
use crate::verify::facts::{AttestationFact, Ending, Facts, PlatformFact, Says};

use super::*;

mod refused;

const SCAN: &str = "https://in-toto.io/attestation/vulns";
const VSA: &str = "https://slsa.dev/verification_summary/v1";
const SVR: &str = "https://in-toto.io/attestation/svr/v0.2";
const TESTS: &str = "https://in-toto.io/attestation/test-result/v0.1";

fn given(attestations: Vec<AttestationFact>) -> Facts {
    let mut facts = facts();
    facts.artifacts[0].attestations = attestations;
    facts
}

fn judged(section: &str, attestations: Vec<AttestationFact>) -> Outcome {
    outcome(&loaded(&format!("{{require: {{attestations: [{section}]}}}}")), &given(attestations))
}

fn rules(outcome: &Outcome) -> Vec<&'static str> {
    said(outcome).into_iter().map(|(rule, _)| rule).collect()
}

fn scan(evidence: &str) -> AttestationFact {
    attestation(SCAN, evidence)
}

fn summary() -> Says {
    Says::Summary {
        verifier: "https://gate.example/staging".to_owned(),
        resource_uri: "laforge:staging/payments@2.4.0".to_owned(),
        passed: true,
        verified_levels: vec!["SLSA_BUILD_LEVEL_2".to_owned()],
        policy: Some(claim("policy")),
        slsa_version: Some("1.0".to_owned()),
    }
}

fn vsa(evidence: &str, says: Says) -> AttestationFact {
    AttestationFact { signer: "staging".to_owned(), says: Some(says), ..attestation(VSA, evidence) }
}

fn tests(evidence: &str, result: Ending) -> AttestationFact {
    AttestationFact { says: Some(Says::Tests { result }), ..attestation(TESTS, evidence) }
}

#[test]
fn asks_each_artifact_for_an_attestation_of_the_type_by_a_named_signer() {
    let section = format!("{{predicateType: '{SCAN}', from: [scanner]}}");
    assert_eq!(said(&judged(&section, vec![scan("a")])), []);
    let missing =
        vec![("attestation-missing", format!("0 of 1 required `{SCAN}` attestations of `payments`"))];
    let by_ci = AttestationFact { signer: "ci".to_owned(), ..scan("a") };
    for wrong in [vec![], vec![by_ci], vec![attestation("https://in-toto.io/attestation/vulns/v0.1", "a")]] {
        let denied = judged(&section, wrong);
        assert_eq!((said(&denied), denied.findings[0].cure), (missing.clone(), Cure::Evidence));
    }
    let mut two = given(vec![scan("a")]);
    two.artifacts.push(artifact("worker"));
    let set = loaded(&format!("{{require: {{attestations: [{section}]}}}}"));
    let denied = outcome(&set, &two);
    assert_eq!(denied.findings[0].finding.subject, "worker");
    two.artifacts.clear();
    assert_eq!(rules(&outcome(&set, &two)), ["attestation-missing"]);
}

#[test]
fn counts_signers_each_by_an_identity_of_its_own() {
    let section = format!("{{predicateType: '{SCAN}', from: [scanner, ci], atLeast: 2}}");
    let ci = |evidence| AttestationFact { signer: "ci".to_owned(), ..scan(evidence) };
    assert_eq!(rules(&judged(&section, vec![scan("a"), ci("b")])), [] as [&str; 0]);
    assert_eq!(rules(&judged(&section, vec![scan("a"), scan("b")])), ["attestation-missing"]);
    // One identity in two names of trust is one, and so are its copies and its second attestation.
    let by = |name: &str, fact| AttestationFact { identity: Some(digest(name)), ..fact };
    let both = |evidence| [by("build", scan(evidence)), by("build", ci(evidence))];
    assert_eq!(rules(&judged(&section, both("a").to_vec())), ["attestation-missing"]);
    assert_eq!(rules(&judged(&section, [both("a"), both("b")].concat())), ["attestation-missing"]);
    let other = by("other", scan("c"));
    assert_eq!(rules(&judged(&section, [both("a").to_vec(), vec![other]].concat())), [] as [&str; 0]);
}

#[test]
fn an_identity_counts_for_one_signer_whether_it_attests_the_whole_or_its_platforms() {
    let section = format!("{{predicateType: '{SCAN}', from: [scanner, ci], atLeast: 2}}");
    let set = loaded(&format!("{{require: {{attestations: [{section}]}}}}"));
    let said_by = |signer: &str, identity: &str, evidence: &str, leaves: &[&str]| AttestationFact {
        signer: signer.to_owned(),
        identity: Some(digest(identity)),
        leaves: leaves.iter().map(|name| claim(name)).collect(),
        ..scan(evidence)
    };
    let judged = |attestations: Vec<AttestationFact>| {
        let mut facts = given(attestations);
        let platform = |name: &str| PlatformFact { platform: name.to_owned(), digest: claim(name) };
        facts.artifacts[0].platforms = vec![platform("amd64"), platform("arm64")];
        rules(&outcome(&set, &facts)).is_empty()
    };
    let whole = || said_by("scanner", "build", "a", &[]);
    assert!(!judged(vec![whole(), said_by("ci", "build", "b", &["amd64", "arm64"])]));
    assert!(judged(vec![whole(), said_by("ci", "other", "b", &["amd64", "arm64"])]));
    // Two identities that attest a platform each for one signer are that signer's.
    let half = |identity, evidence, leaf| said_by("ci", identity, evidence, &[leaf]);
    assert!(judged(vec![whole(), half("x", "b", "amd64"), half("y", "c", "arm64")]));
    assert!(!judged(vec![whole(), half("build", "b", "amd64"), half("y", "c", "arm64")]));
}

#[test]
fn an_image_index_needs_it_for_itself_or_by_one_signer_for_every_platform() {
    let section = format!("{{predicateType: '{SCAN}', from: [scanner, ci]}}");
    let set = loaded(&format!("{{require: {{attestations: [{section}]}}}}"));
    let leaf = |evidence: &str, leaves: &[&str]| AttestationFact {
        leaves: leaves.iter().map(|name| claim(name)).collect::<Vec<ClaimedDigest>>(),
        ..scan(evidence)
    };
    let judged = |attestations| {
        let mut facts = given(attestations);
        let platform = |name: &str| PlatformFact { platform: name.to_owned(), digest: claim(name) };
        facts.artifacts[0].platforms = vec![platform("amd64"), platform("arm64")];
        rules(&outcome(&set, &facts))
    };
    assert_eq!(judged(vec![leaf("a", &["amd64"]), leaf("b", &["arm64"])]), [] as [&str; 0]);
    assert_eq!(judged(vec![leaf("a", &["amd64", "arm64"])]), [] as [&str; 0]);
    assert_eq!(judged(vec![leaf("a", &["amd64"])]), ["attestation-missing"]);
    let other = AttestationFact { signer: "ci".to_owned(), ..leaf("b", &["arm64"]) };
    assert_eq!(judged(vec![leaf("a", &["amd64"]), other]), ["attestation-missing"]);
    // Of a plain artifact nothing is a leaf.
    assert_eq!(rules(&outcome(&set, &given(vec![leaf("a", &["amd64"])]))), ["attestation-missing"]);
}

#[test]
fn a_failure_on_one_platform_fails_the_index() {
    let section = format!("{{predicateType: '{TESTS}', from: [scanner]}}");
    let leaf = AttestationFact { leaves: vec![claim("amd64")], ..tests("b", Ending::Failed) };
    assert_eq!(rules(&judged(&section, vec![tests("a", Ending::Passed), leaf])), ["attestation-failed"]);
}

#[test]
fn age_is_that_of_the_older_time_and_one_that_does_not_say_has_none() {
    let section = format!("{{predicateType: '{SCAN}', from: [scanner], maxAge: 2h}}");
    let made = |time: Option<i64>, created: Option<i64>| AttestationFact {
        time: time.map(|ago| now() - hours(ago)),
        created: created.map(|ago| now() - hours(ago)),
        ..scan("a")
    };
    let certified = |fact| AttestationFact { identity: Some(digest("build")), ..fact };
    for (fact, counts) in [
        (certified(made(Some(1), None)), true),
        (certified(made(Some(2), None)), false),
        (certified(made(None, None)), false),
        (made(None, Some(1)), true),
        (made(Some(1), Some(1)), true),
        (made(Some(1), Some(3)), false),
        (made(Some(3), Some(1)), false),
        (made(Some(1), None), false),
        (made(None, None), false),
    ] {
        let outcome = judged(&section, vec![fact.clone()]);
        assert_eq!(outcome.findings.is_empty(), counts, "{fact:?}");
        let end = as_old(&fact).map(|start| (start + hours(2), LimitedBy::MaxAge));
        assert_eq!(outcome.limits, end.into_iter().filter(|_| counts).collect::<Vec<_>>());
    }
    let undated = format!("{{predicateType: '{SCAN}', from: [scanner]}}");
    assert_eq!(rules(&judged(&undated, vec![made(None, None)])), [] as [&str; 0]);
}

#[test]
fn a_fresh_stamp_renews_no_old_attestation_and_lifts_it_over_no_failure() {
    let stamped = |ago, fact| AttestationFact { time: Some(now() - hours(ago)), created: None, ..fact };
    let aged = format!("{{predicateType: '{SCAN}', from: [scanner], maxAge: 2h}}");
    let denied = judged(&aged, vec![stamped(1, scan("a"))]);
    assert_eq!(rules(&denied), ["attestation-missing"]);
    let why = "(not counted: scanner: does not say itself when it was made, and a key's signature can be \
               stamped anew)";
    let help = denied.findings[0].finding.help.as_ref().unwrap();
    assert!(help.ends_with(why), "{help}");
    let latest = format!("{{predicateType: '{TESTS}', from: [scanner], latest: true}}");
    let passed = stamped(1, tests("a", Ending::Passed));
    for failed in [stamped(3, tests("b", Ending::Failed)), tests("b", Ending::Failed)] {
        let both = vec![passed.clone(), failed];
        assert_eq!(rules(&judged(&latest, both)), ["attestation-failed"]);
    }
}

#[test]
fn a_failure_needs_no_good_clock_and_a_success_does() {
    let dated = |minutes, fact: AttestationFact| AttestationFact {
        created: Some(now() + chrono::Duration::minutes(minutes)),
        ..fact
    };
    for section in ["", ", latest: true"] {
        let section = format!("{{predicateType: '{TESTS}', from: [scanner]{section}}}");
        let told = |facts| rules(&judged(&section, facts));
        let passed = dated(-5, tests("a", Ending::Passed));
        let failed = dated(5, tests("b", Ending::Failed));
        assert_eq!(told(vec![passed.clone(), failed]), ["attestation-failed"], "{section}");
        // One that is dated ahead and passes says nothing yet: it supersedes no failure either.
        let early = dated(5, tests("b", Ending::Passed));
        assert_eq!(told(vec![early.clone()]), ["attestation-missing"], "{section}");
        assert_eq!(told(vec![passed, early.clone()]), [] as [&str; 0], "{section}");
        assert_eq!(
            told(vec![dated(-5, tests("a", Ending::Failed)), early]),
            ["attestation-failed"],
            "{section}"
        );
    }
}

#[test]
fn every_one_has_to_hold_unless_the_latest_is_asked_for() {
    let all = format!("{{predicateType: '{TESTS}', from: [scanner]}}");
    let latest = format!("{{predicateType: '{TESTS}', from: [scanner], latest: true}}");
    let ago = |count, fact: AttestationFact| AttestationFact { created: Some(now() - hours(count)), ..fact };
    let (old_pass, new_fail) = (ago(3, tests("a", Ending::Passed)), ago(1, tests("b", Ending::Failed)));
    let (old_fail, new_pass) = (ago(3, tests("c", Ending::Failed)), ago(1, tests("d", Ending::Passed)));
    let fails = ["attestation-failed"];
    let holds: [&str; 0] = [];
    for both in [[old_pass.clone(), new_fail.clone()], [new_fail.clone(), old_pass.clone()]] {
        assert_eq!(rules(&judged(&all, both.to_vec())), fails);
        assert_eq!(rules(&judged(&latest, both.to_vec())), fails);
    }
    assert_eq!(rules(&judged(&all, vec![old_fail.clone(), new_pass.clone()])), fails);
    assert_eq!(rules(&judged(&latest, vec![old_fail.clone(), new_pass.clone()])), holds);
    // At the same time the one that fails is the latest; one without a time is, too.
    let tie = AttestationFact { created: new_pass.created, ..old_fail.clone() };
    assert_eq!(rules(&judged(&latest, vec![tie, new_pass.clone()])), fails);
    let undated = AttestationFact { created: None, ..old_fail.clone() };
    assert_eq!(rules(&judged(&latest, vec![undated, new_pass.clone()])), fails);
    // Another signer's word supersedes nothing of this one's.
    let by_ci = AttestationFact { signer: "ci".to_owned(), ..new_pass };
    let both = format!("{{predicateType: '{TESTS}', from: [scanner, ci], latest: true}}");
    assert_eq!(rules(&judged(&both, vec![old_fail.clone(), by_ci])), fails);
    // What is older than the policy takes counts neither for nor against.
    let aged = format!("{{predicateType: '{TESTS}', from: [scanner], maxAge: 2h}}");
    let fresh = ago(1, tests("e", Ending::Passed));
    assert_eq!(rules(&judged(&aged, vec![old_fail, fresh])), holds);
}

#[test]
fn a_failure_says_whether_more_evidence_could_cure_it() {
    let failed = vec![tests("a", Ending::Failed)];
    let all = judged(&format!("{{predicateType: '{TESTS}', from: [scanner]}}"), failed.clone());
    let latest = judged(&format!("{{predicateType: '{TESTS}', from: [scanner], latest: true}}"), failed);
    assert_eq!((all.findings[0].cure, latest.findings[0].cure), (Cure::None, Cure::Evidence));
    let message = format!("`{TESTS}` attestation of `payments`: wanted result `PASSED`, got `FAILED`");
    assert_eq!(said(&all), [("attestation-failed", message)]);
}

#[test]
fn holds_summaries_to_what_the_policy_says() {
    let section = format!(
        "{{predicateType: '{VSA}', from: [staging], verifier: 'https://gate.example/staging', \
         resourceUri: 'pattern:laforge:staging/payments@*', verifiedLevels: [SLSA_BUILD_LEVEL_1, SLSA_BUILD_LEVEL_2], \
         policyDigest: '{}', slsaVersion: '1.0'}}",
        digest("policy")
    );
    assert_eq!(said(&judged(&section, vec![vsa("a", summary())])), []);
    let changed = |change: fn(&mut Says)| {
        let mut says = summary();
        change(&mut says);
        rules(&judged(&section, vec![vsa("a", says)]))
    };
    let fails = ["attestation-failed"];
    macro_rules! with {
        ($member:ident, $value:expr) => {
            changed(|says| match says {
                Says::Summary { $member, .. } => *$member = $value,
                _ => unreachable!("a summary"),
            })
        };
    }
    assert_eq!(with!(passed, false), fails);
    assert_eq!(with!(verified_levels, vec!["SLSA_BUILD_LEVEL_1".to_owned()]), fails);
    assert_eq!(with!(verified_levels, vec!["SLSA_SOURCE_LEVEL_3".to_owned()]), fails);
    assert_eq!(with!(verified_levels, vec!["SLSA_BUILD_LEVEL_3".to_owned()]), [] as [&str; 0]);
    let both = vec!["SLSA_BUILD_LEVEL_3".to_owned(), "FAILED".to_owned()];
    let mut contradicting = summary();
    if let Says::Summary { verified_levels, .. } = &mut contradicting {
        *verified_levels = both;
    }
    assert_eq!(rules(&judged(&section, vec![vsa("a", contradicting)])), fails);
    assert_eq!(with!(policy, None), fails);
    assert_eq!(with!(policy, Some(claim("another"))), fails);
    assert_eq!(with!(slsa_version, None), fails);
    // A summary of another verifier or resource is not the one that is meant.
    assert_eq!(with!(verifier, "https://gate.example/qa".to_owned()), ["attestation-missing"]);
    assert_eq!(with!(resource_uri, "laforge:qa/payments@2.4.0".to_owned()), ["attestation-missing"]);
}

#[test]
fn a_failed_summary_never_passes_whatever_else_is_asked() {
    let failed = Says::Summary {
        verifier: "v".to_owned(),
        resource_uri: "r".to_owned(),
        passed: false,
        verified_levels: vec!["SLSA_BUILD_LEVEL_3".to_owned()],
        policy: None,
        slsa_version: None,
    };
    let section = format!("{{predicateType: '{VSA}', from: [staging], verifier: v, resourceUri: r}}");
    assert_eq!(rules(&judged(&section, vec![vsa("a", failed)])), ["attestation-failed"]);
}

#[test]
fn one_that_can_not_be_read_fails_whatever_stands_beside_it() {
    let unread = |predicate_type: &str, signer: &str| AttestationFact {
        signer: signer.to_owned(),
        says: None,
        ..attestation(predicate_type, "unread")
    };
    let section = format!("{{predicateType: '{TESTS}', from: [scanner]}}");
    let both = vec![tests("a", Ending::Passed), unread(TESTS, "scanner")];
    let message = format!(
        "`{TESTS}` attestation of `payments`: wanted a predicate that can be read, got a malformed one"
    );
    assert_eq!(said(&judged(&section, both)), [("attestation-failed", message)]);
    let section = format!(
        "{{predicateType: '{VSA}', from: [staging], verifier: 'pattern:https://gate.example/*', \
         resourceUri: 'pattern:laforge:staging/*@*'}}"
    );
    assert_eq!(rules(&judged(&section, vec![vsa("a", summary())])), [] as [&str; 0]);
    let both = vec![vsa("a", summary()), unread(VSA, "staging")];
    assert_eq!(rules(&judged(&section, both)), ["attestation-failed"]);
    let section = format!("{{predicateType: '{SVR}', from: [staging], verifier: v, properties: [X]}}");
    assert_eq!(rules(&judged(&section, vec![unread(SVR, "staging")])), ["attestation-failed"]);
    // A type that nobody reads says nothing that could be malformed.
    let section = format!("{{predicateType: '{SCAN}', from: [scanner]}}");
    assert_eq!(rules(&judged(&section, vec![unread(SCAN, "scanner")])), [] as [&str; 0]);
}

#[test]
fn holds_results_and_tests_to_what_the_policy_says() {
    let results = |properties: &[&str]| AttestationFact {
        signer: "staging".to_owned(),
        says: Some(Says::Results {
            verifier: "v".to_owned(),
            properties: properties.iter().map(|it| (*it).to_owned()).collect(),
        }),
        ..attestation(SVR, "a")
    };
    let section = format!(
        "{{predicateType: '{SVR}', from: [staging], verifier: v, properties: [SLSA_SOURCE_LEVEL_2, ACME_SCANNED]}}"
    );
    assert_eq!(
        rules(&judged(&section, vec![results(&["ACME_SCANNED", "SLSA_SOURCE_LEVEL_3"])])),
        [] as [&str; 0]
    );
    assert_eq!(rules(&judged(&section, vec![results(&["ACME_SCANNED"])])), ["attestation-failed"]);
    let worst = |result| format!("{{predicateType: '{TESTS}', from: [scanner], result: {result}}}");
    assert_eq!(rules(&judged(&worst("WARNED"), vec![tests("a", Ending::Warned)])), [] as [&str; 0]);
    assert_eq!(rules(&judged(&worst("PASSED"), vec![tests("a", Ending::Warned)])), ["attestation-failed"]);
    assert_eq!(rules(&judged(&worst("WARNED"), vec![tests("a", Ending::Failed)])), ["attestation-failed"]);
}

proptest! {
    /// Hours ago and whether it holds, of each of two signers.
    #[test]
    fn the_latest_of_each_signer_has_to_hold_and_all_of_them_without_that(
        drawn in proptest::collection::vec((any::<bool>(), 1..6_i64, any::<bool>()), 0..8),
    ) {
        let told: Vec<AttestationFact> = drawn.iter().enumerate().map(|(at, (ci, ago, holds))| AttestationFact {
            signer: if *ci { "ci" } else { "scanner" }.to_owned(),
            created: Some(now() - hours(*ago)),
            ..tests(&at.to_string(), if *holds { Ending::Passed } else { Ending::Failed })
        }).collect();
        let section = |latest| format!("{{predicateType: '{TESTS}', from: [ci, scanner], latest: {latest}}}");
        let all = !drawn.is_empty() && drawn.iter().all(|it| it.2);
        prop_assert_eq!(judged(&section(false), told.clone()).findings.is_empty(), all);
        let latest = [true, false].into_iter().all(|signer| {
            let own: Vec<_> = drawn.iter().filter(|it| it.0 == signer).collect();
            let newest = own.iter().map(|it| it.1).min();
            own.iter().filter(|it| Some(it.1) == newest).all(|it| it.2)
        });
        prop_assert_eq!(judged(&section(true), told).findings.is_empty(), latest && !drawn.is_empty());
    }
}
