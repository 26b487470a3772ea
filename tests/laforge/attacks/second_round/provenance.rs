//! Predicates by which one builder's rule would read what another one wrote.

use serde_json::{Value, json};

use super::super::sign;
use crate::example::Example;

const REPOSITORY: &str = "https://github.com/acme/payments";
const COMMIT: &str = "4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081";
const OTHER: &str = "0000000000000000000000000000000000000000";

/// The example with this predicate as the provenance of each artifact, by `ci`.
fn built(predicate_type: &str, predicate: &Value) -> Example {
    let example = Example::new();
    for name in ["payments.tar.gz", "payments-worker.tar.gz", "sbom.json"] {
        let digest =
            laforge::release::digest::Digest::of_bytes(example.read(&format!("artifacts/{name}")).as_bytes());
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
            "subject": [{"name": name, "digest": {"sha256": digest.hex()}}], "predicate": predicate});
        let file = format!("evidence/provenance-{name}.sigstore.json");
        assert!(example.path(&file).exists(), "{file}");
        example.write(&file, &sign(&example, "keys/ci.key", &statement));
    }
    let id =
        predicate.pointer("/runDetails/builder/id").or_else(|| predicate.pointer("/builder/id")).unwrap();
    example.edit("trust.yaml", "https://ci.acme.example/builders/release@v1", id.as_str().unwrap());
    example
}

const V1: &str = "https://slsa.dev/provenance/v1";
const V02: &str = "https://slsa.dev/provenance/v0.2";

fn git(repository: &str, commit: &str) -> Value {
    json!({"uri": format!("git+{repository}"), "digest": {"gitCommit": commit}})
}

fn v1(build_type: &str, builder: &str, dependencies: Value) -> Value {
    json!({
        "buildDefinition": {"buildType": build_type, "externalParameters": {}, "internalParameters": {},
            "resolvedDependencies": dependencies},
        "runDetails": {"builder": {"id": builder}, "metadata": {"invocationId": "7"}},
    })
}

fn named(mut dependency: Value, name: &str) -> Value {
    dependency["name"] = json!(name);
    dependency
}

const CHAINS: &str = "https://tekton.dev/chains/v2/slsa";

#[test]
fn of_two_repositories_in_a_pipeline_none_is_the_source() {
    let ours = || git(REPOSITORY, COMMIT);
    let evil = || git("https://github.com/evil/payments", OTHER);
    let chains =
        |dependencies: Value| built(V1, &v1(CHAINS, "https://tekton.acme.test/chains", dependencies));
    chains(json!([named(ours(), "inputs/result")])).deploy(&[]).ends(0);
    for dependencies in [
        json!([named(ours(), "inputs/result"), named(evil(), "inputs/result")]),
        json!([
            named(evil(), "inputs/result"),
            named(ours(), "inputs/result"),
            named(ours(), "input/result")
        ]),
        json!([named(ours(), "inputs/result"), named(evil(), "input/result")]),
        json!([named(ours(), "task"), named(evil(), "inputs/result")]),
    ] {
        chains(dependencies).denied(&[], &[]);
    }
}

#[test]
fn a_commit_that_is_named_in_two_ways_is_one() {
    let mut two = named(git(REPOSITORY, COMMIT), "inputs/result");
    two["digest"]["sha1"] = json!(OTHER);
    let example = built(V1, &v1(CHAINS, "https://tekton.acme.test/chains", json!([two])));
    assert_ne!(example.deploy(&[]).code, 0, "a dependency of two commits is a source");
    let materials =
        json!([{"uri": format!("git+{REPOSITORY}"), "digest": {"sha1": COMMIT, "gitCommit": OTHER}}]);
    let predicate = json!({"buildType": "tekton.dev/v1/PipelineRun", "builder": {"id": "https://tekton.acme.test/chains"},
        "invocation": {}, "materials": materials});
    let example = built(V02, &predicate);
    assert_ne!(example.deploy(&[]).code, 0, "a material of two commits is a source");
}

#[test]
fn a_runner_that_is_hosted_and_is_not_is_none() {
    let github = |builder: &str, runner: &str| {
        let mut predicate =
            v1("https://actions.github.io/buildtypes/workflow/v1", builder, json!([git(REPOSITORY, COMMIT)]));
        predicate["buildDefinition"]["internalParameters"]["github"]["runner_environment"] = json!(runner);
        let example = built(V1, &predicate);
        example.edit(
            "policies/baseline.yaml",
            "commit: release}",
            "commit: release, hostedRunner: required}",
        );
        example
    };
    let runner = |kind: &str| format!("https://github.com/actions/runner/{kind}");
    github(&runner("github-hosted"), "github-hosted").deploy(&[]).ends(0);
    for (builder, word) in [
        (runner("self-hosted"), "github-hosted"),
        (runner("github-hosted"), "self-hosted"),
        (runner("self-hosted"), "self-hosted"),
    ] {
        let example = github(&builder, word);
        assert_ne!(example.deploy(&[]).code, 0, "{builder} with {word} is a hosted runner");
    }
}

#[test]
fn one_builders_words_under_anothers_build_type_name_no_source() {
    // What each builder's users write freely, under the build type of another one.
    let parameters = json!({"source": REPOSITORY, "repository": REPOSITORY, "ref": "refs/tags/v2.4.0",
        "configSource": {"path": "x"}, "workflow": {"repository": REPOSITORY, "path": "a", "ref": "b"},
        "buildConfigSource": {"path": "x"}});
    for build_type in [
        "https://actions.github.io/buildtypes/workflow/v1",
        "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
        "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        "https://slsa.dev/container-based-build/v0.1?draft",
        "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
        CHAINS,
    ] {
        let evil = named(git("https://github.com/evil/payments", OTHER), "inputs/result");
        let mut predicate = v1(build_type, "https://builder.test", json!([evil]));
        predicate["buildDefinition"]["externalParameters"] = parameters.clone();
        let example = built(V1, &predicate);
        let run = example.deploy(&[]);
        assert_ne!(run.code, 0, "{build_type}");
        assert_eq!(run.stdout, "", "{build_type}");
    }
}

#[test]
fn build_types_that_begin_or_end_like_a_known_one_are_read_as_any_others() {
    for build_type in [
        "https://laforge.dev/buildtypes/generic/v1/",
        "https://laforge.dev/buildtypes/generic/v1#",
        "x https://laforge.dev/buildtypes/generic/v1",
        "https://LAFORGE.dev/buildtypes/generic/v1",
        "pattern:**",
    ] {
        let mut predicate = v1(build_type, "https://builder.test", json!([]));
        predicate["buildDefinition"]["externalParameters"] = json!({"repository": REPOSITORY});
        predicate["buildDefinition"]["resolvedDependencies"] =
            json!([{"uri": "https://x.test", "digest": {"gitCommit": COMMIT}}]);
        built(V1, &predicate).denied(&[], &["provenance-source"]);
    }
}
