//! Predicates of builders that are no forge: Cloud Build, BuildKit, Tekton, Witness, Jenkins, Azure.

use serde_json::json;

use super::*;
use crate::evidence::predicate::provenance::{COLLECTION, V01, V1_0};

#[test]
fn reads_google_cloud_build_in_both_its_forms() {
    let old = |source: Value, substitutions: Value| {
        json!({
            "builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3"},
            "recipe": {
                "type": "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1", "entryPoint": "cloudbuild.yaml",
                "arguments": {"substitutions": substitutions},
            },
            "metadata": {"buildInvocationId": "40ed", "buildFinishedOn": "2023-03-15T03:14:35.163724Z"},
            "materials": [source],
        })
    };
    let source = json!({"uri": "git+https://github.com/acme/payments", "digest": {"sha1": COMMIT}});
    let tagged = old(source, json!({"TAG_NAME": "v33.0.4", "TRIGGER_NAME": "push-tag"}));
    assert_eq!(
        read(V01, &tagged).unwrap(),
        Origin {
            repository: Some("https://github.com/acme/payments".to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("refs/tags/v33.0.4".to_owned()),
            workflow: Some("cloudbuild.yaml".to_owned()),
            trigger: Some("push-tag".to_owned()),
            run: Some("40ed".to_owned()),
            ..Origin::default()
        }
    );
    let object = json!({"uri": "gs://acme_cloudbuild/source/1.tgz#16636", "digest": {"sha256": "9c"}});
    let stored = read(V01, &old(object, json!({}))).unwrap();
    assert_eq!(stored.repository.as_deref(), Some("gs://acme_cloudbuild/source/1.tgz"));
    let new = json!({
        "buildDefinition": {
            "buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
            "externalParameters": {"buildConfigSource": {
                "path": "cloudbuild.yaml", "ref": "refs/heads/main", "repository": "git+https://github.com/acme/payments",
            }},
            "internalParameters": {"triggerUri": "projects/0/locations//triggers/15e5"},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/acme/payments@refs/heads/main", "digest": {"gitCommit": COMMIT}},
                {"uri": "gcr.io/cloud-builders/docker@sha256:d048", "digest": {"sha256": "d048"}},
            ],
        },
        "runDetails": {"builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"}},
    });
    let read_new = read(V1, &new).unwrap();
    assert_eq!(
        read_new.workflow.as_deref(),
        Some("https://github.com/acme/payments/cloudbuild.yaml@refs/heads/main")
    );
    assert_eq!(
        (read_new.commit.as_deref(), read_new.r#ref.as_deref()),
        (Some(COMMIT), Some("refs/heads/main"))
    );
}

#[test]
fn takes_a_git_context_from_buildkit_and_no_hint_of_its_client() {
    let source = json!({
        "uri": "https://github.com/acme/payments.git#refs/tags/v2.4.0:app", "digest": {"sha1": COMMIT},
        "entryPoint": "Dockerfile", "path": "Dockerfile",
    });
    let vcs = json!({"vcs": {"source": "https://github.com/acme/payments", "revision": COMMIT}});
    let old = |source: Value| {
        json!({
            "buildType": "https://mobyproject.org/buildkit@v1", "builder": {"id": ""},
            "invocation": {"configSource": source},
            "metadata": {"buildInvocationID": "rpv7", "https://mobyproject.org/buildkit@v1#metadata": vcs},
            "materials": [{"uri": "pkg:docker/alpine@3.17", "digest": {"sha256": "89"}}],
        })
    };
    let new = json!({
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "externalParameters": {"configSource": source, "request": {"frontend": "dockerfile.v0"}},
        },
        "runDetails": {"builder": {"id": "b"}, "metadata": {"invocationID": "rpv7", "buildkit_metadata": vcs}},
    });
    let named = |mut predicate: Value| {
        predicate["builder"]["id"] = json!("b");
        predicate
    };
    let expected = Origin {
        repository: Some("https://github.com/acme/payments".to_owned()),
        commit: Some(COMMIT.to_owned()),
        r#ref: Some("refs/tags/v2.4.0".to_owned()),
        workflow: Some("Dockerfile".to_owned()),
        run: Some("rpv7".to_owned()),
        ..Origin::default()
    };
    assert_eq!(read(V02, &named(old(source))).unwrap(), expected);
    assert_eq!(read(V1, &new).unwrap(), expected);
    let local = read(V02, &named(old(json!({"entryPoint": "Dockerfile"})))).unwrap();
    assert_eq!((local.repository, local.commit), (None, None));
    assert!(Provenance::read(V02, &old(json!({}))).is_err(), "a builder without a name");
}

#[test]
fn takes_the_only_git_input_of_a_tekton_run_for_its_source() {
    let git = |name: &str, repository: &str| json!({"name": name, "uri": format!("git+https://github.com/{repository}.git"), "digest": {"sha1": COMMIT}});
    let image = json!({"uri": "gcr.io/tekton-releases/git-init", "digest": {"sha256": "28"}});
    let old = |materials: Vec<Value>| {
        json!({
            "buildType": "tekton.dev/v1beta1/PipelineRun", "builder": {"id": "https://tekton.dev/chains/v2"},
            "invocation": {"configSource": {}}, "materials": materials,
        })
    };
    let new = |dependencies: Vec<Value>| {
        json!({
            "buildDefinition": {
                "buildType": "https://tekton.dev/chains/v2/slsa", "externalParameters": {"runSpec": {}},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": "b"}, "metadata": {"invocationId": "1aa0"}},
        })
    };
    let source = |origin: Origin| (origin.repository, origin.commit);
    let ours = (Some("https://github.com/acme/payments".to_owned()), Some(COMMIT.to_owned()));
    let (code, pipeline) = (git("inputs/result", "acme/payments"), git("pipeline", "acme/pipelines"));
    assert_eq!(source(read(V02, &old(vec![image.clone(), code.clone()])).unwrap()), ours);
    assert_eq!(source(read(V02, &old(vec![pipeline.clone(), code.clone()])).unwrap()), (None, None));
    assert_eq!(source(read(V1, &new(vec![pipeline, image, code.clone()])).unwrap()), ours);
    let two = vec![code, git("inputs/result", "acme/other")];
    assert_eq!(source(read(V1, &new(two)).unwrap()), (None, None));
}

#[test]
fn reads_the_provenance_that_witness_exports_under_its_own_type_alone() {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://witness.dev/slsa-build@v0.1", "externalParameters": {"command": "make"},
            "resolvedDependencies": [{"name": "git@github.com:acme/payments.git", "digest": {"sha1": COMMIT}}],
        },
        "runDetails": {
            "builder": {"id": "https://witness.dev/witness-github-action-builder@v0.1"},
            "metadata": {"invocationId": "https://github.com/acme/payments/actions/runs/7"},
        },
    });
    let read_it = read(V1_0, &predicate).unwrap();
    assert_eq!(read_it.repository.as_deref(), Some("git@github.com:acme/payments"));
    assert_eq!(read_it.commit.as_deref(), Some(COMMIT));
    assert_eq!(read(V1, &predicate).unwrap().repository, None);
}

#[test]
fn reads_a_collection_of_witness_by_the_ci_whose_attestor_ran() {
    let attestor = |name: &str, attestation: Value| {
        json!({
            "type": format!("https://witness.dev/attestations/{name}/v0.1"), "attestation": attestation,
            "endtime": "2026-03-02T10:01:00Z",
        })
    };
    let collection = |attestations: Vec<Value>| json!({"name": "build", "attestations": attestations});
    let git = |remote: &str| attestor("git", json!({"commithash": COMMIT, "remotes": [remote], "refs": []}));
    let claims = json!({
        "sha": COMMIT, "ref_path": "refs/heads/main", "pipeline_source": "push", "user_login": "alice",
    });
    let gitlab = attestor(
        "gitlab",
        json!({
            "jwt": {"claims": claims}, "projecturl": "https://gitlab.com/acme/payments",
            "ciconfigpath": ".gitlab-ci.yml", "joburl": "https://gitlab.com/acme/payments/-/jobs/7",
        }),
    );
    // What the clone's remote holds there is a token, and no name of the source.
    let cloned = git("https://gitlab-ci-token:t0ken@gitlab.com/acme/payments.git");
    assert_eq!(
        read(COLLECTION, &collection(vec![cloned, gitlab.clone()])).unwrap(),
        Origin {
            repository: Some("https://gitlab.com/acme/payments".to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("refs/heads/main".to_owned()),
            hosted: None,
            workflow: Some(".gitlab-ci.yml".to_owned()),
            trigger: Some("push".to_owned()),
            run: Some("https://gitlab.com/acme/payments/-/jobs/7".to_owned()),
            actors: vec![alias("gitlab", "alice")],
        }
    );
    let other = attestor("git", json!({"commithash": "00".repeat(20)}));
    let contradicts = read(COLLECTION, &collection(vec![other, gitlab]));
    assert!(matches!(contradicts, Err(Why::Contradiction { member: "commit", .. })));
    let run = "https://jenkins.acme.test/job/payments/7/";
    let jenkins = attestor("jenkins", json!({"pipelineurl": run, "jobname": "payments"}));
    let expected = Origin {
        repository: Some("https://github.com/acme/payments".to_owned()),
        commit: Some(COMMIT.to_owned()),
        run: Some(run.to_owned()),
        ..Origin::default()
    };
    let remote = git("https://github.com/acme/payments.git");
    assert_eq!(read(COLLECTION, &collection(vec![jenkins, remote.clone()])).unwrap(), expected);
    let by_hand = read(COLLECTION, &collection(vec![remote])).unwrap();
    assert_eq!(by_hand, Origin { run: None, ..expected });
}

#[test]
fn reads_jenkins_by_its_plugin_and_by_red_hats_scripts() {
    let plugin = "https://gitlab.eclipse.org/eclipsefdn/security/slsa-jenkins-plugin@v1.0.0";
    let run = "https://jenkins.acme.test/job/payments/7/";
    let source = json!({
        "uri": "git+https://github.com/acme/payments.git@origin/main", "digest": {"sha1": COMMIT}, "entryPoint": "payments",
    });
    let by_plugin = json!({
        "builder": {"id": plugin}, "buildType": plugin,
        "invocation": {"configSource": source, "environment": {"build_url": run}},
        "metadata": {"buildInvocationId": "7"}, "materials": [source],
    });
    assert_eq!(
        read(V02, &by_plugin).unwrap(),
        Origin {
            repository: Some("https://github.com/acme/payments".to_owned()),
            commit: Some(COMMIT.to_owned()),
            r#ref: Some("origin/main".to_owned()),
            workflow: Some("payments".to_owned()),
            run: Some(run.to_owned()),
            ..Origin::default()
        }
    );
    let dependencies =
        json!([{"uri": "git+https://github.com/acme/payments", "digest": {"gitCommit": COMMIT}}]);
    let script = |ci: &str, external: Value, internal: Value, metadata: Value| {
        json!({
            "buildDefinition": {
                "buildType": format!("https://redhat.com/rhtap/slsa-build-types/{ci}-build/v1"),
                "externalParameters": external, "internalParameters": internal,
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": "built-in"}, "metadata": metadata},
        })
    };
    let pipeline = json!({"pipeline":
        {"ref": COMMIT, "repository": "https://github.com/acme/payments", "path": "Jenkinsfile"}});
    let jenkins = json!({"jenkins": {"build_url": run}});
    let by_script = script("jenkins", pipeline, jenkins, json!({"invocationID": "jenkins-payments-7"}));
    let expected = Origin {
        repository: Some("https://github.com/acme/payments".to_owned()),
        commit: Some(COMMIT.to_owned()),
        workflow: Some(format!("https://github.com/acme/payments/Jenkinsfile@{COMMIT}")),
        run: Some(run.to_owned()),
        ..Origin::default()
    };
    assert_eq!(read(V1, &by_script).unwrap(), expected);
    let azure = script("azure", json!({}), json!({}), json!({"invocationId": "vstfs:///Build/Build/7"}));
    let run = Some("vstfs:///Build/Build/7".to_owned());
    assert_eq!(read(V1, &azure).unwrap(), Origin { workflow: None, run, ..expected });
}
