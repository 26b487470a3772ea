//! Sources that are somebody else's: repositories that git fetches from elsewhere than their text begins, and
//! branches that are named like the end of a pattern.
//!
//! The attacker tells an honest builder from where to fetch, or pushes a branch; the builder signs what it did.

use laforge::trust::Pattern;
use serde_json::{Value, json};

use super::super::sign;
use crate::example::Example;

const REPOSITORY: &str = "https://github.com/acme/payments";
const COMMIT: &str = "4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081";
const BUILDER: &str = "https://ci.acme.example/builders/release@v1";
const V1: &str = "https://slsa.dev/provenance/v1";
const V02: &str = "https://slsa.dev/provenance/v0.2";

/// The example with this predicate as the provenance of each artifact, by its builder.
fn built(predicate_type: &str, predicate: &Value) -> Example {
    let example = Example::new();
    for name in ["payments.tar.gz", "payments-worker.tar.gz", "sbom.json"] {
        let digest = super::super::sha256(&example.path(&format!("artifacts/{name}")));
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
            "subject": [{"name": name, "digest": {"sha256": digest}}], "predicate": predicate});
        let file = format!("evidence/provenance-{name}.sigstore.json");
        assert!(example.path(&file).exists(), "{file}");
        example.write(&file, &sign(&example, "keys/ci.key", &statement));
    }
    example
}

fn v1(build_type: &str, dependencies: Value) -> Value {
    json!({
        "buildDefinition": {"buildType": build_type, "externalParameters": {}, "internalParameters": {},
            "resolvedDependencies": dependencies},
        "runDetails": {"builder": {"id": BUILDER}, "metadata": {"invocationId": "7"}},
    })
}

/// What Tekton Chains signs of a pipeline that fetched this.
fn chains(uri: &str) -> Example {
    let source = json!({"name": "inputs/result", "uri": uri, "digest": {"sha1": COMMIT}});
    built(V1, &v1("https://tekton.dev/chains/v2/slsa", json!([source])))
}

/// What BuildKit signs of a build of this git context.
fn buildkit(uri: &str) -> Example {
    let predicate = json!({"buildType": "https://mobyproject.org/buildkit@v1", "builder": {"id": BUILDER},
        "invocation": {"configSource": {"uri": uri, "digest": {"sha1": COMMIT}}}, "materials": []});
    built(V02, &predicate)
}

/// Texts that begin like ours, of which git asks for something else.
const ELSEWHERE: [&str; 14] = [
    "https://github.com/acme/payments@/../../evil/payments",
    "https://github.com/acme/payments@x/../../../evil/payments.git",
    "https://github.com/acme/payments@refs/tags/v2.4.0/../../../../../../evil/payments",
    "https://github.com/acme/payments@/.././../evil/payments",
    "https://github.com/acme/payments@/%2e%2e/%2E%2e/evil/payments",
    "https://github.com/acme/payments@/..",
    "https://github.com/acme/payments/../../evil/payments",
    "https://github.com/acme/payments.git/../../evil/payments",
    "https://github.com/acme/../evil/payments@refs/tags/v2.4.0",
    "https://github.com/acme/payments?x=y@refs/tags/v2.4.0",
    "https://github.com:444/acme/payments@refs/tags/v2.4.0",
    "https://acme@github.com.evil.test/acme/payments@refs/tags/v2.4.0",
    "https://github.com\\@evil.test/acme/payments",
    "https://GITHUB.com/acme/payments",
];

#[test]
fn a_repository_that_git_fetches_from_elsewhere_is_not_ours() {
    chains(&format!("git+{REPOSITORY}.git@refs/tags/v2.4.0")).deploy(&[]).ends(0);
    // What leads to ours in a roundabout way is ours: git asks for the same.
    chains(&format!("git+{REPOSITORY}/x/../@refs/tags/v2.4.0")).deploy(&[]).ends(0);
    buildkit(&format!("{REPOSITORY}.git#refs/tags/v2.4.0")).deploy(&[]).ends(0);
    for uri in ELSEWHERE {
        chains(&format!("git+{uri}")).denied(&[], &["provenance-source"]);
        buildkit(&format!("{uri}#refs/tags/v2.4.0")).denied(&[], &["provenance-source"]);
    }
}

#[test]
fn a_repository_that_leaves_the_folder_of_a_pattern_is_not_in_it() {
    let under = |example: Example, member: &str| {
        example.edit("policies/baseline.yaml", "commit: release}", &format!("commit: release, {member}}}"));
        // The release names no repository here: the policy alone asks for one.
        example.run(&["deploy"])
    };
    let anything = "source: 'pattern:https://github.com/acme/**'";
    under(chains(&format!("git+{REPOSITORY}")), anything).ends(0);
    under(buildkit(&format!("{REPOSITORY}#x")), anything).ends(0);
    for uri in
        ["https://github.com/acme/../evil/payments", "https://github.com/acme/x/%2e%2e/.%2E/evil/payments@v1"]
    {
        under(chains(&format!("git+{uri}")), anything).ends(10);
        under(buildkit(uri), anything).ends(10);
    }
    let source =
        json!({"name": "inputs/result", "uri": format!("git+{REPOSITORY}"), "digest": {"sha1": COMMIT}});
    let base = |uri: &str| {
        let more = json!({"name": "base", "uri": uri, "digest": {"sha256": "0".repeat(64)}});
        built(V1, &v1("https://tekton.dev/chains/v2/slsa", json!([source, more])))
    };
    let pinned = "dependencies: ['pattern:https://bases.acme.test/**']";
    under(base("https://bases.acme.test/alpine"), pinned).ends(0);
    under(base("https://bases.acme.test/../evil"), pinned).ends(0);
    under(
        base("https://bases.acme.test/x/../../../evil.test/alpine"),
        "dependencies: ['pattern:https://bases.acme.test/x/**']",
    )
    .ends(10);
}

/// Whoever may push a branch gets a certificate that ends with its name.
#[test]
fn a_branch_that_is_named_like_the_end_of_a_pattern_is_another_branch() {
    let workflow = "https://github.com/acme/payments/.github/workflows/release.yml";
    for (pattern, ours) in [
        ("pattern:https://github.com/acme/**@refs/heads/main", "refs/heads/main"),
        ("pattern:https://github.com/acme/payments/**/release.yml@refs/tags/v*", "refs/tags/v2.4.0"),
        ("pattern:**@refs/heads/main", "refs/heads/main"),
    ] {
        let pattern = Pattern::parse(pattern);
        assert!(pattern.matches(&format!("{workflow}@{ours}")), "{pattern}");
        for branch in [format!("x@{ours}"), format!("x/release.yml@{ours}"), format!("@{ours}")] {
            assert!(!pattern.matches(&format!("{workflow}@refs/heads/{branch}")), "{pattern}: {branch}");
        }
    }
    let github = |branch: &str| {
        let source = json!({"uri": format!("git+{REPOSITORY}@{branch}"), "digest": {"gitCommit": COMMIT}});
        let mut predicate = v1("https://actions.github.io/buildtypes/workflow/v1", json!([source]));
        predicate["buildDefinition"]["externalParameters"]["workflow"] =
            json!({"repository": REPOSITORY, "path": ".github/workflows/release.yml", "ref": branch});
        let example = built(V1, &predicate);
        let wanted = "commit: release, workflow: 'pattern:https://github.com/acme/**@refs/heads/main'}";
        example.edit("policies/baseline.yaml", "commit: release}", wanted);
        example
    };
    github("refs/heads/main").deploy(&[]).ends(0);
    github("refs/heads/x@refs/heads/main").denied(&[], &["provenance-workflow"]);
}
