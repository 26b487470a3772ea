//! Attacks on whoever waits for the gate or reads it: manifests that cost time to tell of, and commands of other
//! runners than GitHub's.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::ends_in_time;
use crate::example::Example;

#[test]
fn containers_without_an_image_are_as_few_as_images_are() {
    let example = Example::new();
    let mut pod = String::from("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n");
    for at in 0..20_000 {
        writeln!(pod, "  - {{name: a{at}}}").unwrap();
    }
    let pods = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n".repeat(1_100);
    for (name, text) in [("one.yaml", &pod), ("many.yaml", &pods)] {
        example.write(name, text);
        assert_eq!(ends_in_time(&example, &["deploy", "--require-signed", "--manifests", name]), 2, "{name}");
        let run = example.run(&["deploy", "--require-signed", "--manifests", name]);
        assert!(run.stderr.contains("more than 1024 images"), "{}", run.stderr);
    }
}

#[test]
fn manifests_on_one_line_are_told_a_thousand_times_within_time() {
    let example = Example::new();
    let containers: Vec<Value> =
        (0..1_000).map(|at| json!({"name": format!("a{at}"), "image": format!("x{at}")})).collect();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers},
        "metadata": {"name": "a", "annotations": {"x": "k".repeat(500_000)}}});
    example.write("line.json", &pod.to_string());
    assert_eq!(ends_in_time(&example, &["deploy", "--require-signed", "--manifests", "line.json"]), 10);
}

#[test]
fn commands_of_any_runner_are_written_out() {
    let example = Example::new();
    for name in ["##vso[task.complete result=Succeeded;]x", "##teamcity[buildStatus status='SUCCESS']"] {
        example.write(&format!("evidence/{name}.json"), "{");
    }
    let run = example.deploy(&["--report", "human=human.txt", "--report", "markdown=report.md"]);
    for text in [&run.stderr, &example.read("human.txt"), &example.read("report.md")] {
        assert!(!text.contains("##vso[") && !text.contains("##teamcity["), "{text}");
    }
    example
        .write("r.yaml", "apiVersion: laforge.dev/v1 # ##vso[task.complete result=Succeeded;]x\nkind: 5\n");
    let run = example.deploy(&["--release", "r.yaml"]).ends(2);
    assert!(!run.stderr.contains("##vso["), "{}", run.stderr);
}
