//! Manifests that `kubectl` or a controller would run an image by that nobody sees.

use std::path::Path;

use laforge::release::Release;
use laforge::release::deployed::{Deployed, ManifestFile};
use laforge::yaml::Source;

use crate::example::Example;

const PINNED: &str = "r.acme.test/a@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Findings of images without a digest.
#[track_caller]
fn unpinned(text: &str) -> Vec<String> {
    let file = ManifestFile { path: "a.yaml".into(), shown: "a.yaml".into(), bytes: text.into() };
    let deployed = Deployed::read(&[file]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let example = Example::new();
    let source = Source::new("release.yaml", &example.read("release.yaml"));
    let mut release = Release::parse(&source, Path::new("")).unwrap();
    release.deploy(deployed).unwrap();
    release.unpinned().iter().map(|it| format!("{}: {}", it.container, it.reason)).collect()
}

#[track_caller]
fn is_refused(text: &str) {
    let file = ManifestFile { path: "a.yaml".into(), shown: "a.yaml".into(), bytes: text.into() };
    assert!(Deployed::read(&[file]).is_err(), "{text}");
}

#[track_caller]
fn has_one(text: &str) {
    let found = unpinned(text);
    assert_eq!(found.len(), 1, "{found:?} in {text}");
}

fn custom(spec: &str) -> String {
    format!("apiVersion: acme.test/v1\nkind: Thing\nmetadata: {{name: t}}\nspec: {spec}\n")
}

#[test]
fn a_list_of_images_under_image_is_seen() {
    has_one(&custom("{image: [evil]}"));
    has_one(&custom("{image: [[evil]]}"));
    has_one(&custom(&format!("{{image: ['{PINNED}', evil]}}")));
}

#[test]
fn what_stands_beside_a_pinned_reference_is_seen() {
    has_one(&custom(&format!("{{image: {{reference: '{PINNED}', image: evil}}}}")));
    has_one(&custom(&format!(
        "{{image: {{reference: '{PINNED}', containers: [{{name: a, image: evil}}]}}}}"
    )));
    has_one(&custom(&format!("{{image: {{reference: '{PINNED}', pod: {{image: evil}}}}}}")));
    assert!(
        unpinned(&custom(&format!("{{image: {{reference: '{PINNED}', pullPolicy: Always}}}}"))).is_empty()
    );
}

#[test]
fn what_is_called_a_label_and_is_no_text_is_seen() {
    for name in ["labels", "annotations", "matchLabels", "selector", "nodeSelector"] {
        has_one(&custom(&format!("{{{name}: {{image: {{reference: evil}}}}}}")));
        has_one(&custom(&format!("{{{name}: {{image: {{image: evil}}}}}}")));
        has_one(&custom(&format!("{{{name}: {{containers: [{{name: a, image: evil}}]}}}}")));
        has_one(&custom(&format!("{{{name}: {{a: {{image: evil}}}}}}")));
        assert!(unpinned(&custom(&format!("{{{name}: {{image: web}}}}"))).is_empty());
    }
}

fn rollout(api: &str, name: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: r}}\nspec:\n  workloadRef: \
         {{apiVersion: {api}, kind: Deployment, name: {name}}}\n---\n"
    )
}

fn deployment(api: &str, name: &str) -> String {
    format!(
        "apiVersion: {api}\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{template: {{spec: \
         {{containers: [{{name: a, image: '{PINNED}'}}]}}}}}}\n"
    )
}

#[test]
fn a_rollout_takes_its_pods_from_the_very_object_that_is_seen() {
    let long = "a".repeat(230);
    let at_hand = |wanted: (&str, &str), given: (&str, &str)| {
        unpinned(&format!("{}{}", rollout(wanted.0, wanted.1), deployment(given.0, given.1))).is_empty()
    };
    assert!(at_hand(("apps/v1", "d"), ("apps/v1", "d")));
    // Two names that a message would show alike.
    assert!(!at_hand(("apps/v1", &format!("{long}x")), ("apps/v1", &format!("{long}y"))));
    // A kind of the same name of somebody else's.
    assert!(!at_hand(("apps/v1", "d"), ("acme.test/v1", "d")));
    assert!(!at_hand(("apps/v1", "d"), ("apps/v1", "D")));
}

#[test]
fn a_workload_that_leaves_its_containers_to_the_cluster_is_seen() {
    // Applied over an object that is there, each changes it and runs whatever image it has.
    for (api, kind, spec) in [
        ("apps/v1", "Deployment", "{replicas: 9}"),
        ("apps/v1", "Deployment", "{template: {spec: {serviceAccountName: admin}}}"),
        ("apps/v1", "Deployment", "{template: {spec: {containers: []}}}"),
        ("apps/v1", "Deployment", "{template: {spec: {containers: null}}}"),
        ("apps/v1", "StatefulSet", "{replicas: 9}"),
        ("apps/v1", "DaemonSet", "{}"),
        ("apps/v1", "ReplicaSet", "{replicas: 9}"),
        ("v1", "ReplicationController", "{replicas: 9}"),
        ("batch/v1", "Job", "{suspend: false}"),
        ("batch/v1", "CronJob", "{suspend: false}"),
        ("argoproj.io/v1alpha1", "Rollout", "{replicas: 9}"),
        ("v1", "Pod", "{activeDeadlineSeconds: 9}"),
    ] {
        has_one(&format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: d}}\nspec: {spec}\n"));
    }
    // To these a reference means nothing: the API server drops it, and they run what they have.
    for (api, kind) in [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("batch/v1", "Job")] {
        let spec = "{replicas: 9, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d}}";
        let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: r}}\nspec: {spec}\n---\n");
        has_one(&format!("{text}{}", deployment("apps/v1", "d")));
    }
    // Others' kinds of the same names bear their Pods elsewhere, where they are looked for.
    for (api, kind) in [("batch.volcano.sh/v1alpha1", "Job"), ("rollouts.kruise.io/v1beta1", "Rollout")] {
        let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: d}}\nspec: {{x: 1}}\n");
        assert!(unpinned(&text).is_empty(), "{text}");
    }
}

#[test]
fn an_image_is_seen_however_its_name_and_place_are_spelled() {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n{spec}\n");
    for spec in [
        "  \"containers\": [{\"name\": \"a\", \"image\": \"evil\"}]",
        "  \"conta\\x69ners\": [{\"name\": \"a\", \"im\\u0061ge\": \"evil\"}]",
        "  ? containers\n  : - {name: a, image: evil}",
        "  !!str containers: !!seq [!!map {name: a, !!str image: !!str evil}]",
        "  containers:\n  - name: a\n    image: >-\n      evil",
        "  containers:\n  - name: a\n    image: |\n      evil",
        "  containers: [&c {name: a, image: evil}]",
        "  containers: [{name: a, image: &i evil}]",
        "  containers: [{name: a, image : evil}]",
        "  containers: [{name: labels, image: evil}]",
        "  containers: [{name: annotations, image: evil}]",
        "  containers: {name: a, image: evil}",
    ] {
        let text = pod(spec);
        assert!(!unpinned(&text).is_empty(), "{text}");
    }
    for spec in [
        "  containers: [{name: a, image: r/a@sha256:0, image: evil}]",
        "  containers: [{name: a, imag\u{212a}: evil, IMAGE: evil}]",
        "  Containers: [{name: a, image: evil}]",
        "  containers: !!binary ZXZpbA==",
        "  <<: {containers: [{name: a, image: evil}]}",
        "  containers: []\n...\napiVersion: v1\nkind: Pod",
        "  x: 'a\n---\napiVersion: v1'",
    ] {
        is_refused(&pod(spec));
    }
}

#[test]
fn kinds_that_hold_data_hide_no_list_and_no_pod() {
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: evil}]}}";
    for text in [
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\nitems: [{pod}]\n"),
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: c}}\nspec: {pod}\n"),
        format!("apiVersion: apps/v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {pod}\n"),
        format!(
            "apiVersion: acme.test/v1\nkind: CustomResourceDefinition\nmetadata: {{name: c}}\nspec: {pod}\n"
        ),
        format!("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: PodList\n  items: [{pod}]\n"),
        "apiVersion: v1\nkind: PodList\nitems: [{spec: {containers: [{name: a, image: evil}]}}]\n".to_owned(),
    ] {
        assert!(!unpinned(&text).is_empty(), "{text}");
    }
}

#[test]
fn references_that_a_runtime_reads_by_something_else_than_the_digest_are_none() {
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for image in [
        format!("r/a@sha256:{hex}@sha256:{hex}"),
        format!("r/a@sha256:{}", hex.to_uppercase()),
        format!("r/a@SHA256:{hex}"),
        format!("r/a@sha256:{hex}:latest"),
        format!("r/a:latest@sha512:{hex}{hex}"),
        format!("r/a@sha256:{hex} evil"),
        format!(" r/a@sha256:{hex}"),
        format!("r/a@sha256:{hex}#"),
        format!("@sha256:{hex}"),
        format!("sha256:{hex}"),
        hex.to_owned(),
    ] {
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: a, image: \"{image}\"}}]}}\n"
        );
        has_one(&pod);
    }
}

#[test]
fn what_changes_how_a_folder_is_rendered_is_refused() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    for name in [".argocd-source.yaml", ".argocd-source-payments.yaml"] {
        let example = Example::new();
        example.write("rendered/config.yaml", config);
        example.write(&format!("rendered/{name}"), &format!("{config}kustomize: {{images: [evil]}}\n"));
        example.deploy(&["--manifests", "rendered"]).ends(2);
    }
}
