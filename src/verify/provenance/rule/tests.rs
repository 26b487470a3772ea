//! Rules against predicates as real builders write them (shortened, names as found).

use serde_json::json;

use super::*;
use crate::evidence::predicate::provenance::{V1, V02};

mod builders;

fn read(version: &'static str, predicate: &Value) -> Result<Origin, Why> {
    origin(&Provenance::read(version, predicate).unwrap())
}

fn alias(scheme: &str, name: &str) -> Alias {
    Alias { scheme: scheme.to_owned(), name: name.to_owned() }
}

const COMMIT: &str = "4d329c75e7ec1725f7c9ce917a8799d408d06be3";

#[test]
fn the_shipped_rules_are_sound_and_end_with_the_generic_ones() {
    let rules: Vec<Rule> = SHIPPED.iter().flat_map(|shipped| shipped.read().unwrap()).collect();
    let generic = rules.iter().position(|rule| rule.build_types == ["pattern:**"]).unwrap();
    assert!(rules.iter().skip(generic).all(|rule| rule.build_types == ["pattern:**"]));
    let place = |place: &Place| match place {
        Place::At(at) | Place::Prefixed(Prefixed { at, .. }) | Place::Below(Below { at, .. }) => at.clone(),
    };
    let places = |rule: &Rule| {
        let said =
            [&rule.repositories, &rule.refs, &rule.triggers, &rule.runs].into_iter().flatten().map(place);
        [&rule.sources[..], &rule.fragment_uris, &rule.commits]
            .concat()
            .into_iter()
            .chain(said)
            .collect::<Vec<_>>()
    };
    assert!(rules.iter().flat_map(places).all(|at| at.starts_with('/')));
    for rule in &rules {
        for workflow in &rule.workflows {
            let joined =
                workflow.path.is_some() && (workflow.git_uri.is_some() != workflow.repository.is_some());
            assert!(workflow.at.is_some() != joined, "{workflow:?}");
        }
    }
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
            "environment": {"github_event_name": "push", "github_run_id": "1", "github_actor": "ramonpetgrave64", "github_actor_id": "32398091", "github_base_ref": ""},
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
            workflow: Some(
                "https://github.com/slsa-framework/example-package/.github/workflows/verifier-e2e.yml@refs/heads/main"
                    .to_owned()
            ),
            trigger: Some("push".to_owned()),
            run: Some("1".to_owned()),
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
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"invocationId": "https://github.com/acme/payments/actions/runs/7/attempts/1"},
            },
        });
        assert_eq!(
            read(V1, &predicate).unwrap(),
            Origin {
                repository: Some("https://github.com/acme/payments".to_owned()),
                commit: Some(COMMIT.to_owned()),
                r#ref: Some("refs/tags/v2.4.0".to_owned()),
                hosted: Some(true),
                workflow: Some("https://github.com/acme/workflows/x.yml@refs/heads/main".to_owned()),
                trigger: Some("push".to_owned()),
                run: Some("https://github.com/acme/payments/actions/runs/7/attempts/1".to_owned()),
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
            ..Origin::default()
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
        ..Origin::default()
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
fn reads_what_npm_publishes_with_from_either_forge() {
    let source = |forge: &str| json!({"uri": format!("git+https://{forge}.com/acme/payments"), "digest": {"sha1": COMMIT}});
    let github = json!({
        "buildType": "https://github.com/npm/cli/gha@v1",
        "builder": {"id": "https://github.com/npm/cli@9.5.0"},
        "invocation": {
            "configSource": source("github"),
            "environment": {
                "GITHUB_ACTOR_ID": "64", "GITHUB_EVENT_NAME": "workflow_dispatch",
                "GITHUB_WORKFLOW_REF": "acme/payments/.github/workflows/release.yml@refs/heads/main",
            },
        },
        "metadata": {"buildInvocationId": "41-1"}, "materials": [source("github")],
    });
    let read_github = read(V02, &github).unwrap();
    assert_eq!(
        read_github.workflow.as_deref(),
        Some("https://github.com/acme/payments/.github/workflows/release.yml@refs/heads/main")
    );
    assert_eq!(read_github.actors, [alias("github-id", "64")]);
    assert_eq!((read_github.commit.as_deref(), read_github.run.as_deref()), (Some(COMMIT), Some("41-1")));
    let gitlab = json!({
        "buildType": "https://github.com/npm/cli/gitlab/v0alpha1",
        "builder": {"id": "https://gitlab.com/acme/payments/-/runners/12"},
        "invocation": {
            "configSource": source("gitlab"),
            "parameters": {"CI_COMMIT_BRANCH": "main", "CI_PIPELINE_SOURCE": "push", "GITLAB_USER_LOGIN": "alice"},
            "environment": {"pipeline": {"id": "9", "ref": ".gitlab-ci.yml"}},
        },
        "metadata": {"buildInvocationId": "https://gitlab.com/acme/payments/-/jobs/5"},
        "materials": [source("gitlab")],
    });
    assert_eq!(
        read(V02, &gitlab).unwrap(),
        Origin {
            repository: Some("https://gitlab.com/acme/payments".to_owned()),
            commit: Some(COMMIT.to_owned()),
            workflow: Some(".gitlab-ci.yml".to_owned()),
            run: Some("https://gitlab.com/acme/payments/-/jobs/5".to_owned()),
            ..Origin::default()
        }
    );
}

#[test]
fn reads_both_forms_that_a_gitlab_runner_writes() {
    let build_type = "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v16.1.0/PROVENANCE.md";
    let old = json!({
        "buildType": build_type, "builder": {"id": "https://gitlab.com/acme/payments/-/runners/12"},
        "invocation": {
            "configSource": {
                "uri": "https://gitlab.com/acme/payments", "digest": {"sha256": COMMIT}, "entryPoint": "build",
            },
            "parameters": {"CI_COMMIT_TAG": "v2.4.0", "CI_COMMIT_BRANCH": ""},
        },
        "materials": [],
    });
    let new = json!({
        "buildDefinition": {
            "buildType": build_type,
            "externalParameters": {
                "source": "https://gitlab.com/acme/payments", "entryPoint": "build",
                "variables": {"CI_COMMIT_TAG": "v2.4.0"},
            },
            "resolvedDependencies": [{"uri": "https://gitlab.com/acme/payments", "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {
            "builder": {"id": "https://gitlab.com/acme/payments/-/runners/12"}, "metadata": {"invocationID": "5"},
        },
    });
    let expected = Origin {
        repository: Some("https://gitlab.com/acme/payments".to_owned()),
        commit: Some(COMMIT.to_owned()),
        workflow: Some("build".to_owned()),
        ..Origin::default()
    };
    // Variables are a pipeline's own word, whatever their names.
    assert_eq!(read(V02, &old).unwrap(), expected);
    assert_eq!(read(V1, &new).unwrap(), Origin { run: Some("5".to_owned()), ..expected });
}

#[test]
fn a_commit_counts_only_beside_the_repository_that_it_is_of() {
    let built = |uri: &str| {
        read(
            V1,
            &json!({
                "buildDefinition": {
                    "buildType": "https://builds.example/v1",
                    "externalParameters": {"source": "https://github.com/acme/payments"},
                    "resolvedDependencies": [{"uri": uri, "digest": {"gitCommit": COMMIT}}],
                },
                "runDetails": {"builder": {"id": "https://builds.example"}},
            }),
        )
    };
    let ours = built("git+https://github.com/acme/payments@refs/tags/v1").unwrap();
    assert_eq!(ours.commit.as_deref(), Some(COMMIT));
    // Of what is no git repository it names nothing, and of another one it contradicts the parameter.
    let other = built("https://github.com/evil/payload").unwrap();
    assert_eq!((other.repository.as_deref(), other.commit), (Some("https://github.com/acme/payments"), None));
    assert!(matches!(built("git+https://github.com/evil/payload"), Err(Why::Contradiction { .. })));
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
        ("https://github.com/a/b@/../../c/d@v1", "https://github.com/c/d", Some("v1")),
        ("https://github.com/../a/./x/%2E%2e/b", "https://github.com/a/b", None),
        ("https://github.com/a/b..@v1..2", "https://github.com/a/b..", Some("v1..2")),
        ("https://github.com/a/b?x=/../c", "https://github.com/a/b?x=/../c", None),
    ] {
        assert_eq!(split_uri(uri), (repository.to_owned(), r#ref.map(str::to_owned)), "{uri}");
    }
}
