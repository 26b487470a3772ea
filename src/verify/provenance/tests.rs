//! Provenance told as sentences: levels, claims, uses and subjects.

use serde_json::{Value, json};

use super::*;
use crate::evidence::attestation::Standing;
use crate::evidence::predicate::provenance::V1;
use crate::evidence::statement::{Statement, Subject};
use crate::verify::standing::tests::{signed, signer};
use crate::verify::subjects::tests::{naming, source, subject, wanted};

const BUILDER: &str = "https://github.com/acme/build/.github/workflows/build.yml@refs/tags/v1";
const REPOSITORY: &str = "https://github.com/acme/payments";
const COMMIT: &str = "4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c";

fn predicate() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://laforge.dev/buildtypes/generic/v1",
            "externalParameters": {"repository": REPOSITORY, "ref": "refs/tags/v2.4.0"},
            "internalParameters": {"actor": "github:alice-gh", "hosted": true},
            "resolvedDependencies": [{
                "uri": format!("git+{REPOSITORY}@refs/tags/v2.4.0"), "digest": {"gitCommit": COMMIT},
            }],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {"invocationId": "7", "finishedOn": "2026-11-24T12:00:00.75Z"},
        },
    })
}

fn statement(subjects: Vec<Subject>) -> Statement {
    Statement { subject: subjects, predicate_type: V1.to_owned(), predicate: predicate() }
}

fn builder(signer: &str, level: u8) -> Builder {
    Builder { id: BUILDER.to_owned(), level, signer: signer.to_owned() }
}

fn certificate(claims: &[(&'static str, &str)]) -> SignedBy {
    SignedBy::Certificate {
        root: "public-good".to_owned(),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: BUILDER.to_owned(),
        claims: claims.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        lasting_since: None,
    }
}

/// Binds one statement over artifact `a`, and gives its one fact or the word for why not.
fn told(
    signed: &Signed,
    statement: &Statement,
    trust: (&[Signer], &[Builder]),
) -> Result<ProvenanceFact, &'static str> {
    let source = source();
    let wanted = wanted(&source, &[("a", &[])]);
    let Bound { mut builds, set_aside, .. } = bind(&[Said { signed, statement }], &wanted, trust.0, trust.1);
    match set_aside.first() {
        Some(set_aside) => {
            assert!(builds.is_empty());
            Err(set_aside.kind)
        }
        None => {
            assert_eq!(builds.len(), 1);
            Ok(builds.remove(0).fact)
        }
    }
}

fn ci() -> [Signer; 1] {
    [signer("ci", &[Use::Attestation], &[])]
}

#[test]
fn a_build_is_a_fact_with_its_source_and_the_level_that_trust_grants() {
    let fact = told(&signed("ci", 1), &statement(vec![naming("a")]), (&ci(), &[builder("ci", 3)])).unwrap();
    assert_eq!(
        fact,
        ProvenanceFact {
            signer: "ci".to_owned(),
            builder: BUILDER.to_owned(),
            level: 3,
            repository: Some(REPOSITORY.to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("refs/tags/v2.4.0".to_owned()),
            workflow: None,
            trigger: None,
            hosted: Some(true),
            run_id: Some("7".to_owned()),
            finished_on: Some(crate::time::parse("2026-11-24T12:00:00Z").unwrap()),
            external_parameters: [("/repository", REPOSITORY), ("/ref", "refs/tags/v2.4.0")]
                .map(|(at, text)| (at.to_owned(), text.to_owned()))
                .into(),
            dependencies: [format!("git+{REPOSITORY}@refs/tags/v2.4.0")].into(),
            time: None,
            evidence: signed("ci", 1).evidence,
            leaves: Vec::new(),
        }
    );
}

#[test]
fn a_level_is_granted_to_one_signer_and_one_id_exactly() {
    let statement = statement(vec![naming("a")]);
    let level = |builders: &[Builder]| told(&signed("ci", 1), &statement, (&ci(), builders)).unwrap().level;
    assert_eq!(level(&[]), 0);
    assert_eq!(level(&[builder("other", 3)]), 0);
    for id in ["https://github.com/acme/build", &BUILDER.to_uppercase(), &format!("{BUILDER}-evil"), ""] {
        assert_eq!(level(&[Builder { id: id.to_owned(), ..builder("ci", 3) }]), 0, "{id}");
    }
    assert_eq!(level(&[builder("ci", 1), builder("other", 3)]), 1);
}

#[test]
fn a_certificate_vouches_for_level_3_only_for_the_builder_that_it_names() {
    let statement = statement(vec![naming("a")]);
    let level = |claims: &[(&'static str, &str)]| {
        let signed = Signed { by: certificate(claims), ..signed("ci", 1) };
        told(&signed, &statement, (&ci(), &[builder("ci", 3)])).unwrap().level
    };
    assert_eq!(level(&[("buildSignerUri", BUILDER)]), 3);
    assert_eq!(
        level(&[("buildSignerUri", "https://github.com/acme/build/.github/workflows/x.yml@refs/tags/v1")]),
        2
    );
    assert_eq!(level(&[]), 2);
}

#[test]
fn who_also_signs_artifacts_vouches_for_level_2_at_most() {
    let both = [signer("ci", &[Use::Artifact, Use::Attestation], &[])];
    let signed = Signed { by: certificate(&[("buildSignerUri", BUILDER)]), ..signed("ci", 1) };
    let fact = told(&signed, &statement(vec![naming("a")]), (&both, &[builder("ci", 3)])).unwrap();
    assert_eq!(fact.level, 2);
}

#[test]
fn an_identity_under_two_names_is_one_provenance_at_the_better_level() {
    let signers = [signer("any-ci", &[Use::Attestation], &[]), signer("ci", &[Use::Attestation], &[])];
    let standing = Standing::Signers(vec!["any-ci".to_owned(), "ci".to_owned()]);
    let signed = Signed { standing, ..signed("ci", 1) };
    let fact = told(&signed, &statement(vec![naming("a")]), (&signers, &[builder("ci", 3)])).unwrap();
    assert_eq!((fact.signer.as_str(), fact.level), ("ci", 3));
}

#[test]
fn a_certificate_that_says_otherwise_sets_the_statement_aside() {
    let statement = statement(vec![naming("a")]);
    let told = |claims: &[(&'static str, &str)]| {
        let signed = Signed { by: certificate(claims), ..signed("ci", 1) };
        told(&signed, &statement, (&ci(), &[]))
    };
    let agreeing = [
        ("sourceRepositoryUri", REPOSITORY),
        ("sourceRepositoryDigest", COMMIT),
        ("sourceRepositoryRef", "refs/tags/v2.4.0"),
        ("runnerEnvironment", "github-hosted"),
    ];
    assert!(told(&agreeing).is_ok());
    for other in [
        ("sourceRepositoryUri", "https://github.com/acme-evil/payments"),
        ("sourceRepositoryUri", "https://github.com/Acme/payments"),
        ("sourceRepositoryDigest", "00"),
        ("sourceRepositoryRef", "refs/heads/main"),
        ("runnerEnvironment", "self-hosted"),
    ] {
        assert_eq!(told(&[other]), Err("claims-mismatch"), "{other:?}");
    }
    assert_eq!(told(&[("runnerEnvironment", "somewhere")]).unwrap().hosted, None);
}

#[test]
fn a_contradiction_is_told_of_each_artifact_that_it_names() {
    let (source, statement) = (source(), statement(vec![naming("b"), naming("x")]));
    let wanted = wanted(&source, &[("a", &[]), ("b", &[])]);
    let signed = Signed { by: certificate(&[("sourceRepositoryDigest", "00")]), ..signed("ci", 1) };
    let bound = bind(&[Said { signed: &signed, statement: &statement }], &wanted, &ci(), &[builder("ci", 3)]);
    let contradiction = ContradictionFact {
        signer: "ci".to_owned(),
        member: "commit".to_owned(),
        certificate: "00".to_owned(),
        predicate: COMMIT.to_owned(),
        evidence: signed.evidence,
    };
    assert_eq!((bound.builds, bound.contradicted), (Vec::new(), vec![(1, contradiction)]));
    let person = Signed { standing: Standing::Person("ci".to_owned()), ..signed };
    let bound = bind(&[Said { signed: &person, statement: &statement }], &wanted, &ci(), &[]);
    assert_eq!(bound.contradicted, [], "who may not attest contradicts nothing");
}

#[test]
fn a_certificate_stands_where_the_predicate_says_nothing() {
    let mut statement = statement(vec![naming("a")]);
    statement.predicate["buildDefinition"] =
        json!({"buildType": "https://example.com/x", "externalParameters": {}});
    let claims =
        [("sourceRepositoryUri", "https://github.com/acme/payments"), ("runnerEnvironment", "self-hosted")];
    let signed = Signed { by: certificate(&claims), ..signed("ci", 1) };
    let fact = told(&signed, &statement, (&ci(), &[])).unwrap();
    assert_eq!((fact.repository.as_deref(), fact.commit, fact.hosted), (Some(REPOSITORY), None, Some(false)));
}

#[test]
fn no_person_gives_provenance() {
    let statement = statement(vec![naming("a")]);
    let person = Signed { standing: Standing::Person("ci".to_owned()), ..signed("ci", 1) };
    assert_eq!(told(&person, &statement, (&ci(), &[builder("ci", 3)])), Err("wrong-use"));
}

#[test]
fn provenance_of_other_bytes_or_of_the_release_digest_is_set_aside() {
    let release = subject(&[("sha256", &"ab".repeat(32))]);
    for subjects in [vec![naming("x")], vec![release], vec![subject(&[("gitCommit", COMMIT)])]] {
        assert_eq!(told(&signed("ci", 1), &statement(subjects), (&ci(), &[])), Err("wrong-subject"));
    }
}

#[test]
fn a_malformed_predicate_is_set_aside_and_the_next_one_counts() {
    let (source, good) = (source(), statement(vec![naming("a")]));
    let wanted = wanted(&source, &[("a", &[])]);
    let bad = Statement { predicate: json!({"buildDefinition": {}}), ..good.clone() };
    let (one, two) = (signed("ci", 1), signed("ci", 2));
    for order in [[(&one, &bad), (&two, &good)], [(&two, &good), (&one, &bad)]] {
        let said = order.map(|(signed, statement)| Said { signed, statement });
        let Bound { builds, set_aside, .. } = bind(&said, &wanted, &ci(), &[]);
        assert_eq!(builds.iter().map(|it| it.fact.evidence).collect::<Vec<_>>(), [two.evidence]);
        assert_eq!(set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["wrong-predicate"]);
    }
}

#[test]
fn an_index_counts_when_every_platform_has_the_same_build() {
    let source = source();
    let wanted = wanted(&source, &[("index", &["linux/amd64", "linux/arm64"])]);
    let (one, two) = (signed("ci", 1), signed("ci", 2));
    let amd = statement(vec![naming("linux/amd64")]);
    let mut arm = statement(vec![naming("linux/arm64")]);
    let Bound { builds, .. } = bind(
        &[Said { signed: &one, statement: &amd }, Said { signed: &two, statement: &arm }],
        &wanted,
        &ci(),
        &[],
    );
    let platforms: Vec<_> =
        builds.iter().flat_map(|it| &it.fact.leaves).map(|it| it.platform.as_str()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    arm.predicate["runDetails"]["builder"]["id"] = json!("https://example.com/other");
    let Bound { builds, set_aside, .. } = bind(
        &[Said { signed: &one, statement: &amd }, Said { signed: &two, statement: &arm }],
        &wanted,
        &ci(),
        &[],
    );
    assert!(builds.is_empty());
    assert_eq!(set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["incomplete-index"; 2]);
}
