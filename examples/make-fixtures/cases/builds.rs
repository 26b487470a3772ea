//! Builds that are not what the policy expects of one: started otherwise, from something else, too long ago.

use chrono::TimeDelta;
use laforge::policy::finding::RuleId::{
    ProvenanceAge, ProvenanceDependency, ProvenanceParameter, ProvenanceTrigger, ProvenanceWorkflow,
};
use laforge::time;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{Allows, Denies};
use crate::scene::{REF, REPOSITORY, Scene, build};

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "allows-build-as-expected",
        "The policy asks for workflow, trigger, parameter, age and dependency, and the provenance names them all.",
        Allows,
        |scene| built(scene, |_| {}),
    ),
    Case::sound(
        "denies-build-by-another-workflow",
        "Another workflow of the same repository was started.",
        Denies(&[ProvenanceWorkflow]),
        |scene| {
            built(scene, |predicate| {
                predicate["buildDefinition"]["externalParameters"]["workflow"]["path"] =
                    json!(".github/workflows/test.yml");
            });
        },
    ),
    Case::sound(
        "denies-build-by-pull-request",
        "A pull request started the build, which nobody has merged.",
        Denies(&[ProvenanceTrigger]),
        |scene| {
            built(scene, |predicate| {
                predicate["buildDefinition"]["internalParameters"]["github"]["event_name"] =
                    json!("pull_request");
            });
        },
    ),
    Case::sound(
        "denies-build-with-another-parameter",
        "The build was called for another target than the policy asks for.",
        Denies(&[ProvenanceParameter]),
        |scene| {
            built(scene, |predicate| {
                predicate["buildDefinition"]["externalParameters"]["inputs"]["target"] = json!("debug");
            });
        },
    ),
    Case::sound(
        "denies-build-of-long-ago",
        "The build ended eight days ago, and the policy allows seven.",
        Denies(&[ProvenanceAge]),
        |scene| {
            let end = json!(time::to_seconds(scene.now - TimeDelta::days(8)));
            built(scene, |predicate| predicate["runDetails"]["metadata"]["finishedOn"] = end);
        },
    ),
    Case::sound(
        "denies-build-from-loose-base",
        "The base image is named by its tag alone: no digest pins it.",
        Denies(&[ProvenanceDependency]),
        |scene| {
            built(scene, |predicate| {
                let base = &mut predicate["buildDefinition"]["resolvedDependencies"][1];
                *base = json!({"uri": "pkg:docker/base@3"});
            });
        },
    ),
];

/// What all of these ask for, and a build that is so but for a change.
fn built(scene: &mut Scene, change: impl FnOnce(&mut Value)) {
    let workflow = format!("{REPOSITORY}/.github/workflows/release.yml@{REF}");
    let expectations = format!(
        "commit: release, workflow: '{workflow}', trigger: [push], externalParameters: {{/inputs/target: release}}, \
         finishedWithin: 7d, dependencies: ['pattern:pkg:docker/base@*']"
    );
    scene.edit("policies/production.yaml", "commit: release", &expectations);
    let mut predicate = build();
    predicate["buildDefinition"]["externalParameters"]["inputs"] = json!({"target": "release"});
    if let Some(dependencies) = predicate["buildDefinition"]["resolvedDependencies"].as_array_mut() {
        dependencies.push(json!({"uri": "pkg:docker/base@3", "digest": {"sha256": "00".repeat(32)}}));
    }
    let end = time::to_seconds(scene.now - TimeDelta::hours(2));
    predicate["runDetails"]["metadata"]["finishedOn"] = json!(end);
    change(&mut predicate);
    let provenance = scene.provenance(&predicate);
    scene.attest("provenance", "builder", &provenance);
}
