//! Rules against predicates as real builders write them (shortened, names as found).

use serde_json::json;

use super::*;
use crate::evidence::predicate::provenance::{V1, V02};

fn read(version: &'static str, predicate: &Value) -> Result<Origin, Why> {
    origin(&Provenance::read(version, predicate).unwrap())
}

fn alias(scheme: &str, name: &str) -> Alias {
    Alias { scheme: scheme.to_owned(), name: name.to_owned() }
}

const COMMIT: &str = "4d329c75e7ec1725f7c9ce917a8799d408d06be3";

#[test]
fn the_shipped_rules_are_sound_and_end_with_the_generic_ones() {
    let rules = read_all().unwrap();
    let generic = rules.iter().position(|rule| rule.build_types == ["pattern:**"]).unwrap();
    assert!(rules.iter().skip(generic).all(|rule| rule.build_types == ["pattern:**"]));
    let places = |rule: &Rule| [&rule.git_uris[..], &rule.repositories, &rule.refs, &rule.commits].concat();
    assert!(rules.iter().flat_map(places).all(|at| at.starts_with('/')));
}

fn container_generator() -> Value {
    json!({
        "builder": {"id": "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.1.0"},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {
            "configSource": {
                "uri": "git+https://github.com/slsa-framework/example-package@refs/heads/main",
                "digest": {"sha1": COMMIT}, "entryPoint": ".github/workflows/verifier-e2e.yml",
            },
            "environment": {"github_actor": "ramonpetgrave64", "github_actor_id": "32398091", "github_base_ref": ""},
        },
        "materials": [{
            "uri": "git+https://github.com/slsa-framework/example-package@refs/heads/main",
            "digest": {"sha1": COMMIT},
        }],
    })
}

#[test]
fn reads_the_slsa_github_generator() {
    assert_eq!(
        read(V02, &container_generator()).unwrap(),
        Origin {
            repository: Some("https://github.com/slsa-framework/example-package".to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("refs/heads/main".to_owned()),
            hosted: None,
            actors: vec![alias("github", "ramonpetgrave64")],
        }
    );
}

#[test]
fn refuses_a_predicate_that_contradicts_itself() {
    for (pointer, value) in [
        ("/materials/0/uri", "git+https://github.com/slsa-framework/other@refs/heads/main"),
        ("/materials/0/uri", "git+https://github.com/slsa-framework/example-package@refs/heads/evil"),
        ("/materials/0/digest/sha1", "00"),
    ] {
        let mut predicate = container_generator();
        *predicate.pointer_mut(pointer).unwrap() = json!(value);
        assert!(matches!(read(V02, &predicate), Err(Why::Contradiction { .. })), "{pointer}");
    }
}

#[test]
fn reads_attest_build_provenance_in_both_its_build_types() {
    for (build_type, builder, github) in [
        (
            "https://actions.github.io/buildtypes/workflow/v1",
            "https://github.com/bazel-contrib/.github/.github/workflows/release_ruleset.yaml@refs/tags/v7.1.0",
            json!({"event_name": "push", "runner_environment": "github-hosted"}),
        ),
        (
            "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
            "https://github.com/actions/runner/github-hosted",
            json!({"event_name": "push"}),
        ),
    ] {
        let predicate = json!({
            "buildDefinition": {
                "buildType": build_type,
                "externalParameters": {"workflow": {
                    "ref": "refs/heads/main", "repository": "https://github.com/acme/workflows", "path": "x.yml",
                }},
                "internalParameters": {"github": github},
                "resolvedDependencies": [{
                    "uri": "git+https://github.com/acme/payments@refs/tags/v2.4.0",
                    "digest": {"gitCommit": COMMIT},
                }],
            },
            "runDetails": {"builder": {"id": builder}},
        });
        assert_eq!(
            read(V1, &predicate).unwrap(),
            Origin {
                repository: Some("https://github.com/acme/payments".to_owned()),
                commit: Some(COMMIT.to_owned()),
                r#ref: Some("refs/tags/v2.4.0".to_owned()),
                hosted: Some(true),
                actors: Vec::new(),
            }
        );
    }
}

#[test]
fn reads_our_own_build_type_with_actor_and_runner() {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://laforge.dev/buildtypes/generic/v1",
            "externalParameters": {"repository": "https://github.com/acme/payments", "ref": "refs/tags/v2.4.0"},
            "internalParameters": {"actor": "github:alice", "hosted": false},
            "resolvedDependencies": [{
                "uri": "git+https://github.com/acme/payments@refs/tags/v2.4.0", "digest": {"gitCommit": COMMIT},
            }],
        },
        "runDetails": {"builder": {"id": "https://example.com/builder"}},
    });
    assert_eq!(
        read(V1, &predicate).unwrap(),
        Origin {
            repository: Some("https://github.com/acme/payments".to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("refs/tags/v2.4.0".to_owned()),
            hosted: Some(false),
            actors: vec![alias("github", "alice")],
        }
    );
}

#[test]
fn names_both_accounts_of_a_delegated_build() {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
            "externalParameters": {"inputs": {}},
            "internalParameters": {"GITHUB_ACTOR_ID": "1", "GITHUB_TRIGGERING_ACTOR_ID": "2"},
        },
        "runDetails": {"builder": {"id": "b"}},
    });
    let origin = read(V1, &predicate).unwrap();
    assert_eq!(origin.actors, [alias("github-id", "1"), alias("github-id", "2")]);
    assert_eq!(origin.repository, None);
}

#[test]
fn an_unknown_builder_names_its_source_and_neither_actor_nor_runner() {
    let predicate = |source: Value| {
        json!({
            "buildDefinition": {
                "buildType": "https://example.com/mine", "externalParameters": {"source": source},
                "internalParameters": {"actor": "github:alice", "hosted": true},
            },
            "runDetails": {"builder": {"id": "b"}},
        })
    };
    let expected = Origin {
        repository: Some("https://example.com/a/b".to_owned()),
        r#ref: Some("main".to_owned()),
        commit: None,
        hosted: None,
        actors: Vec::new(),
    };
    assert_eq!(read(V1, &predicate(json!("git+https://example.com/a/b.git@main"))).unwrap(), expected);
    assert_eq!(read(V1, &predicate(json!({"uri": "https://example.com/a/b@main"}))).unwrap(), expected);
    assert_eq!(read(V1, &predicate(json!(["x"]))).unwrap(), Origin::default());
    assert_eq!(read(V1, &predicate(json!(""))).unwrap(), Origin::default());
}

#[test]
fn takes_nothing_but_git_uris_for_a_dependency_that_is_the_source() {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://example.com/mine", "externalParameters": {},
            "resolvedDependencies": [{"uri": "https://example.com/tool.tar.gz"}],
        },
        "runDetails": {"builder": {"id": "b"}},
    });
    assert_eq!(read(V1, &predicate).unwrap().repository, None);
}

#[test]
fn splits_uris_without_making_different_ones_equal() {
    for (uri, repository, r#ref) in [
        ("git+https://github.com/a/b@refs/heads/x@2", "https://github.com/a/b", Some("refs/heads/x@2")),
        ("git+ssh://git@example.com/a/b.git@v1", "ssh://git@example.com/a/b", Some("v1")),
        ("https://github.com/a/b.git/", "https://github.com/a/b", None),
        ("https://github.com/a/b@", "https://github.com/a/b", None),
        ("git@github.com:a/b.git", "git@github.com:a/b", None),
        ("HTTPS://GitHub.com/a/b", "HTTPS://GitHub.com/a/b", None),
        ("https://github.com/a/b?u=https://x/y", "https://github.com/a/b?u=https://x/y", None),
        ("https://user@github.com", "https://user@github.com", None),
    ] {
        assert_eq!(split_uri(uri), (repository.to_owned(), r#ref.map(str::to_owned)), "{uri}");
    }
}
