//! `--manifests`: what is deployed as a whole, approved as a whole, and no image by a tag.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use laforge::release::Release;
use laforge::release::deployed::Deployed;
use laforge::release::document::Artifacts;
use laforge::source::manifests::read_manifests;
use laforge::yaml::Source;
use serde_json::Value;

use crate::example::{Example, REQUIRED, command, finished};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {image: none}\n";
const BY_TAG: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: payments\nspec:\n  template:\n    spec:\n      \
                      containers:\n        - name: app\n          image: registry.example/payments:2.4.0\n";

fn approve(example: &Example, more: &[&str]) {
    for person in ["alice", "bob"] {
        let key = format!("keys/{person}.key");
        if example.path(&key).exists() {
            example.run(&[&["approve", "--yes", "--key", &key], more].concat()).ends(0);
        }
    }
}

#[test]
fn a_tag_is_denied_at_its_place_and_recorded() {
    let example = Example::new();
    example.write("rendered/app.yaml", BY_TAG);
    approve(&example, &["--manifests", "rendered"]);
    let run = example.deploy(&[
        "--manifests",
        "rendered",
        "--report",
        "json=report.json",
        "--report",
        "human=report.txt",
    ]);
    run.ends(10);
    let decision = example.last_decision();
    assert_eq!(decision["findings"].as_array().unwrap().len(), 1, "{decision}");
    assert_eq!(decision["findings"][0]["rule"], "image-not-pinned");
    assert_eq!(decision["findings"][0]["subject"], "Deployment/payments container app");
    let report: Value = serde_json::from_str(&example.read("report.json")).unwrap();
    let place = serde_json::json!({"file": "rendered/app.yaml", "line": 10, "column": 18});
    assert_eq!(report["findings"][0]["place"], place);
    let manifests = serde_json::json!({"objects": 1, "images": 0, "withoutImages": {}});
    assert_eq!(report["release"]["manifests"], manifests);
    let text = example.read("report.txt");
    for line in [
        "refused[image-not-pinned]: Deployment/payments container app: image `registry.example/payments:2.4.0`",
        "--> rendered/app.yaml:10:18",
        "= help: a tag can be moved: write `repository@sha256:…`",
        " manifests 1 object, 0 images by digest",
    ] {
        assert!(text.contains(line), "`{line}` is not in: {text}");
    }
}

#[test]
fn what_is_approved_is_the_release_with_its_manifests() {
    let example = Example::new();
    example.write("rendered/config.yaml", CONFIG_MAP);
    let flags = ["--manifests", "rendered"];
    // The example's approval is of the release alone.
    example.denied(&flags, &["approval-threshold"]);
    approve(&example, &["--release", "release.yaml", "--manifests", "rendered"]);
    let run = example.deploy(&flags).ends_with_data();
    assert!(run.stderr.contains("1 object, 0 images by digest; no image in 1 ConfigMap"), "{}", run.stderr);
    let plan = run.json();
    let names: Vec<_> = plan["plan"]["subject"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(names.contains(&&Value::from("manifests")), "{names:?}");
    // One more byte in a manifest is another release.
    example.write("rendered/config.yaml", &format!("{CONFIG_MAP}# more\n"));
    example.denied(&flags, &["approval-threshold"]);
    example.write("rendered/config.yaml", CONFIG_MAP);
    example.write("rendered/more.yaml", CONFIG_MAP);
    example.denied(&flags, &["approval-threshold"]);
}

#[test]
fn configured_manifests_are_approved_without_a_flag() {
    let example = Example::new();
    example.write("rendered/config.yaml", CONFIG_MAP);
    example.edit("laforge.yaml", "release: release.yaml\n", "release: release.yaml\nmanifests: rendered/\n");
    example.denied(&[], &["approval-threshold"]);
    approve(&example, &[]);
    example.deploy(&[]).ends_with_data();
}

#[test]
fn manifests_come_in_by_a_pipe() {
    let example = Example::new();
    let mut child = command(&example.path("."))
        .args([&["deploy", "--manifests", "-"], &REQUIRED[..]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BY_TAG.as_bytes()).unwrap();
    finished(child.wait_with_output().unwrap()).ends(10).says("--> -:10:18");
}

#[test]
fn manifests_alone_need_a_name_and_an_environment() {
    let example = Example::new();
    example.write("rendered/config.yaml", CONFIG_MAP);
    example.edit("laforge.yaml", "release: release.yaml\n", "manifests: rendered/\n");
    example.deploy(&[]).ends(2).says("are of no release").says("help: name, version, environment and source");
    let inline = "release: {name: payments, version: 2.4.0, environment: production, source: {repository: \
                  https://github.com/acme/payments, commit: 4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081, ref: refs/tags/v2.4.0}}\n";
    example.edit("laforge.yaml", "manifests: rendered/\n", &format!("{inline}manifests: rendered/\n"));
    // Nothing but manifests: no artifact is there to be signed, and that is no pass.
    example.denied(&[], &["signature-missing", "provenance-missing", "approval-threshold"]);
    example.edit("laforge.yaml", "manifests: rendered/\n", "");
    example.deploy(&[]).ends(2).says("has nothing to deliver");
}

#[test]
fn manifests_that_can_not_be_read_are_no_decision() {
    let example = Example::new();
    let before = example.entries().len();
    for (path, text, said) in [
        ("rendered/a.yaml", "kind: Pod\napiVersion: v1\nspec: {a: 1, a: 2}\n", "rendered/a.yaml:3:14"),
        ("rendered/a.YAML", CONFIG_MAP, "ends in capitals"),
        ("rendered/kustomization.yaml", "resources: []\n", "is to be rendered"),
        ("rendered/README.md", "", "holds no manifest"),
    ] {
        example.write(path, text);
        example.deploy(&["--manifests", "rendered"]).ends(2).says("fatal: no decision was made").says(said);
        example.remove(path);
    }
    example.deploy(&["--manifests", "gone"]).ends(2).says("cannot read `gone`");
    assert_eq!(example.entries().len(), before);
}

/// A release of what kustomize or helm printed (`fixtures/rendered`), and the names of its images.
fn rendered(name: &str) -> (Vec<String>, Release) {
    const NAMED: &str = "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {name: shop, version: 1.16.0}\nspec: {environment: \
                         production, source: {repository: https://github.com/acme/shop, commit: \
                         4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081, ref: refs/tags/v1.16.0}, artifacts: []}\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rendered").join(name);
    let source = Source::new("release.yaml", NAMED);
    let mut release = Release::parse_with(&source, Path::new(""), Artifacts::Beside).unwrap();
    let files = read_manifests(&path, &mut std::io::empty()).unwrap();
    release.deploy(Deployed::read(&files).unwrap()).unwrap();
    let images = release.artifacts.iter().map(|artifact| artifact.name.clone());
    (images.filter(|name| name != "manifests").collect(), release)
}

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn what_kustomize_renders_is_read() {
    let (images, release) = rendered("kustomize.yaml");
    assert_eq!(images, [format!("registry.example.com/payments@{DIGEST}")]);
    assert_eq!((release.deployed.as_ref().unwrap().objects, release.unpinned().len()), (3, 0));
}

#[test]
fn what_helm_renders_is_read_and_a_chart_of_tags_is_found_out() {
    let (images, release) = rendered("helm.yaml");
    assert_eq!(images, [format!("registry.example.com/shop@{DIGEST}")]);
    assert_eq!((release.deployed.as_ref().unwrap().objects, release.unpinned().len()), (5, 0));
    let (images, release) = rendered("helm-by-tag.yaml");
    assert_eq!(images, [""; 0]);
    let [unpinned] = release.unpinned() else { panic!("{:?}", release.unpinned()) };
    assert_eq!(unpinned.place.line, 66);
}
