//! Separation of duties told as sentences.

use serde_json::{Value, json};

use super::*;
use crate::evidence::statement::{Statement, Subject};
use crate::verify::facts::ProvenanceFact;
use crate::verify::people::tests::{alias, person};
use crate::verify::standing::tests::{signed, signer};
use crate::verify::subjects::tests::{naming, source, subject, wanted};

fn build(artifact: usize, level: u8, actors: &[&str]) -> Build {
    let fact = ProvenanceFact {
        signer: "ci".to_owned(),
        builder: "https://example.com/builder".to_owned(),
        level,
        repository: None,
        commit: None,
        r#ref: None,
        workflow: None,
        trigger: None,
        hosted: None,
        run_id: None,
        finished_on: None,
        external_parameters: std::collections::BTreeMap::new(),
        dependencies: std::collections::BTreeSet::new(),
        time: None,
        evidence: signed("ci", 1).evidence,
        leaves: Vec::new(),
    };
    Build { artifact, fact, actors: actors.iter().map(|it| alias(it)).collect() }
}

fn shares(builds: &[Build]) -> Vec<Share> {
    let share = |build: &Build| Share {
        builder: build.fact.builder.clone(),
        level: build.fact.level,
        actors: build.actors.clone(),
        evidence: build.fact.evidence,
    };
    builds.iter().map(share).collect()
}

fn statement(subject: Subject, members: Value) -> Statement {
    let source = source();
    let mut predicate = json!({
        "repository": source.repository, "commit": source.commit,
        "authors": ["github:alice-gh"], "committer": "github:bob-gh",
    });
    predicate.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Statement { subject: vec![subject], predicate_type: TYPE.to_owned(), predicate }
}

fn signers() -> Vec<Signer> {
    vec![
        signer("forge", &[Use::Attestation], &[TYPE]),
        signer("mirror", &[Use::Attestation], &[TYPE]),
        signer("any", &[Use::Attestation], &[]),
        signer("ci", &[Use::Attestation], &[TYPE]),
    ]
}

/// What is established from source statements beside one build by `ci`.
fn told(said: &[(&Signed, &Statement)]) -> (Vec<SeparationFact>, Vec<&'static str>) {
    let source = source();
    let wanted = wanted(&source, &[("a", &[])]);
    let (builds, ci) = ([build(0, 3, &["github:alice-gh"])], signed("ci", 1));
    let shares = shares(&builds);
    let built = Built { builds: &builds, shares: &shares, signed: vec![&ci] };
    let said: Vec<Said<'_>> = said.iter().map(|(signed, statement)| Said { signed, statement }).collect();
    let people = [person("alice", &[]), person("bob", &[])];
    let Separated { mut facts, set_aside, .. } = bind(&said, &built, &wanted, &signers(), &people);
    facts.retain(|it| it.party == Party::SourceAuthor);
    (facts, set_aside.into_iter().map(|it| it.kind).collect())
}

fn authors(people: &[&str], unknown: u64) -> SeparationFact {
    let people = people.iter().map(|it| (*it).to_owned()).collect();
    SeparationFact { party: Party::SourceAuthor, people, unknown }
}

fn commit() -> Subject {
    subject(&[("gitCommit", &source().commit)])
}

#[test]
fn unites_the_authors_of_every_statement_that_counts() {
    let forge = signed("forge", 2);
    let one = statement(commit(), json!({}));
    assert_eq!(told(&[(&forge, &one)]), (vec![authors(&["alice", "bob"], 0)], vec![]));
    let mirror = signed("mirror", 3);
    let other = statement(naming("a"), json!({"authors": ["github:carol-gh", "github:alice-gh"]}));
    assert_eq!(told(&[(&forge, &one), (&mirror, &other)]).0, [authors(&["alice", "bob"], 1)]);
}

#[test]
fn without_a_statement_that_counts_nothing_is_established() {
    assert_eq!(told(&[]), (vec![], vec![]));
    let sound = statement(commit(), json!({}));
    let cases = [
        (signed("any", 2), sound.clone(), "wrong-predicate"),
        (signed("ci", 2), sound.clone(), "not-independent"),
        (signed("nobody", 2), sound, "wrong-use"),
        (signed("forge", 2), statement(naming("x"), json!({})), "wrong-subject"),
        (signed("forge", 2), statement(subject(&[("sha256", &"ab".repeat(32))]), json!({})), "wrong-subject"),
        (signed("forge", 2), statement(commit(), json!({"commit": "00"})), "wrong-source"),
        (
            signed("forge", 2),
            statement(naming("a"), json!({"repository": "https://example.com/x"})),
            "wrong-source",
        ),
        (signed("forge", 2), statement(commit(), json!({"authors": []})), "wrong-predicate"),
    ];
    for (signed, statement, kind) in cases {
        assert_eq!(told(&[(&signed, &statement)]), (vec![], vec![kind]), "{kind}");
    }
}

#[test]
fn whoever_built_is_no_witness_of_who_wrote_it() {
    let sound = statement(commit(), json!({}));
    let same_key = Signed { by: signed("ci", 1).by, ..signed("forge", 2) };
    assert_eq!(told(&[(&same_key, &sound)]).1, ["not-independent"]);
    let certificate = |uri: &str| SignedBy::Certificate {
        root: "public-good".to_owned(),
        issuer: "i".to_owned(),
        subject: "s".to_owned(),
        claims: [("buildSignerUri", uri.to_owned())].into(),
        lasting_since: None,
    };
    let builder = Signed { by: certificate("https://example.com/builder"), ..signed("forge", 2) };
    assert_eq!(told(&[(&builder, &sound)]).1, ["not-independent"]);
    let another = Signed { by: certificate("https://example.com/forge"), ..signed("forge", 2) };
    assert_eq!(told(&[(&another, &sound)]), (vec![authors(&["alice", "bob"], 0)], vec![]));
}

#[test]
fn whoever_built_takes_no_author_away() {
    let by_alice = statement(commit(), json!({"committer": "github:alice-gh"}));
    let by_bob = statement(commit(), json!({"authors": ["github:bob-gh"]}));
    let (forge, ci) = (signed("forge", 2), signed("ci", 3));
    let united = vec![authors(&["alice", "bob"], 0)];
    assert_eq!(told(&[(&forge, &by_alice), (&ci, &by_bob)]), (united, vec!["not-independent"]));
    assert_eq!(told(&[(&ci, &by_bob)]), (vec![], vec!["not-independent"]));
}

fn workflow_actor(builds: &[Build], artifacts: &[(&str, &[&str])]) -> Option<(Vec<String>, u64)> {
    let shares = shares(builds);
    started(&Built { builds, shares: &shares, signed: Vec::new() }, artifacts)
}

fn started(built: &Built<'_>, artifacts: &[(&str, &[&str])]) -> Option<(Vec<String>, u64)> {
    let source = source();
    let people = [person("alice", &[]), person("bob", &[])];
    actors(built, &wanted(&source, artifacts), &people).map(|it| (it.people, it.unknown))
}

#[test]
fn the_actor_of_a_single_platform_is_one_of_them() {
    let whole = [build(0, 3, &["github:alice-gh"])];
    let shares = shares(&[build(0, 3, &["github:alice-gh"]), build(0, 3, &["github:bob-gh"])]);
    let built = Built { builds: &whole, shares: &shares, signed: Vec::new() };
    let both = vec!["alice".to_owned(), "bob".to_owned()];
    assert_eq!(started(&built, &[("a", &[])]), Some((both, 0)));
}

#[test]
fn the_actor_is_established_when_every_artifact_has_builds_and_each_names_one() {
    let (a, ab) = ([("a", &[][..])], [("a", &[][..]), ("b", &[][..])]);
    let alice = || vec!["alice".to_owned()];
    assert_eq!(workflow_actor(&[build(0, 1, &["github:alice-gh"])], &a), Some((alice(), 0)));
    assert_eq!(workflow_actor(&[build(0, 1, &["github:alice-gh"])], &ab), Some((alice(), 1)));
    assert_eq!(workflow_actor(&[build(0, 1, &["github:eve"])], &a), Some((vec![], 1)));
    assert_eq!(workflow_actor(&[build(0, 1, &[])], &a), None);
    let both = [build(0, 1, &["github:alice-gh"]), build(0, 1, &["github:bob-gh"])];
    assert_eq!(workflow_actor(&both, &a), Some((vec!["alice".to_owned(), "bob".to_owned()], 0)));
    let manifests = [("a", &[][..]), ("manifests", &[][..])];
    assert_eq!(workflow_actor(&[build(0, 1, &["github:alice-gh"])], &manifests), Some((alice(), 0)));
}

#[test]
fn a_build_that_names_its_actor_does_not_speak_for_one_that_does_not() {
    let (real, lesser) = (build(0, 3, &[]), || build(0, 1, &["github:bob-gh"]));
    let a = [("a", &[][..])];
    assert_eq!(workflow_actor(&[real, lesser()], &a), Some((vec!["bob".to_owned()], 1)));
    // Two builds of one artifact that name nobody are one unknown name, and one of the manifests is, too.
    let nameless = [build(0, 3, &[]), build(0, 2, &[]), lesser()];
    assert_eq!(workflow_actor(&nameless, &a), Some((vec!["bob".to_owned()], 1)));
    let manifests = [("a", &[][..]), ("manifests", &[][..])];
    let of_manifests = [lesser(), build(1, 3, &[])];
    assert_eq!(workflow_actor(&of_manifests, &manifests), Some((vec!["bob".to_owned()], 1)));
    let untrusted = [lesser(), build(0, 0, &[])];
    assert_eq!(workflow_actor(&untrusted, &a), Some((vec!["bob".to_owned()], 0)));
}

#[test]
fn a_builder_that_trust_does_not_name_establishes_no_actor() {
    assert_eq!(workflow_actor(&[], &[("a", &[])]), None);
    assert_eq!(workflow_actor(&[build(0, 0, &["github:alice-gh"])], &[("a", &[])]), None);
}
