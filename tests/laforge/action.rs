//! `action.yml`: its steps run as GitHub's runner would run them, and what the runner is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::example::{Example, Run, finished};

/// What a run of the action left behind.
struct Ran {
    run: Run,
    outputs: BTreeMap<String, String>,
    summary: String,
}

fn action() -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// Runs the action's gate step with these inputs over its defaults.
fn run_action(example: &Example, inputs: &[(&str, &str)]) -> Ran {
    let action = action();
    let step = action["runs"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "gate").unwrap();
    let value = |name: &str| {
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| (*value).to_owned());
        given.unwrap_or_else(|| action["inputs"][name]["default"].as_str().unwrap().to_owned())
    };
    let runner = tempfile::tempdir().unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_laforge")).parent().unwrap();
    let mut command = Command::new("bash");
    command
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
        .current_dir(example.path(&value("working-directory")))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("XDG_CACHE_HOME", example.path(".cache"))
        .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "4711"), ("GITHUB_RUN_ATTEMPT", "2")])
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_REPOSITORY", "acme/payments")
        .env("RUNNER_TEMP", runner.path())
        .env("GITHUB_OUTPUT", runner.path().join("output"))
        .env("GITHUB_STEP_SUMMARY", runner.path().join("summary"));
    for (name, expression) in step["env"].as_object().unwrap() {
        let input =
            expression.as_str().unwrap().trim_start_matches("${{ inputs.").trim_end_matches(" }}").to_owned();
        command.env(name, value(&input));
    }
    let run = finished(command.output().unwrap());
    let read = |name: &str| fs::read_to_string(runner.path().join(name)).unwrap_or_default();
    let mut outputs: BTreeMap<String, String> = read("output")
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    // What the outputs point at is read before the runner's folder goes.
    for name in ["plan", "report"] {
        if let Some(path) = outputs.get(name).cloned() {
            outputs.insert(format!("{name} text"), fs::read_to_string(path).unwrap());
        }
    }
    Ran { run, outputs, summary: read("summary") }
}

const ALL: [(&str, &str); 3] =
    [("require-signed", "true"), ("require-approved", "true"), ("require-provenance", "true")];

#[test]
fn an_allow_gives_plan_and_outputs() {
    let example = Example::new();
    let ran = run_action(&example, &ALL);
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
    let entry = example.last_decision();
    assert_eq!(ran.outputs["decision"], "allow");
    assert_eq!(ran.outputs["verdict"], "pass");
    assert_eq!(ran.outputs["exit-code"], "0");
    assert_eq!(ran.outputs["audit-index"], entry["seq"].to_string());
    assert_eq!(ran.outputs["release-digest"], entry["release"]["digest"].as_str().unwrap());
    let plan: Value = serde_json::from_str(&ran.outputs["plan text"]).unwrap();
    assert_eq!(ran.outputs["plan-digest"], plan["planDigest"].as_str().unwrap());
    let report: Value = serde_json::from_str(&ran.outputs["report text"]).unwrap();
    assert_eq!(report["decision"]["verdict"], "pass");
    assert_eq!(entry["ci"]["runId"], "4711");
    assert_eq!(entry["actor"]["verified"], false);
    assert!(ran.summary.contains("✅ allowed"), "{}", ran.summary);
}

#[test]
fn a_deny_annotates_and_fails_the_step_without_a_plan() {
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    let ran = run_action(&example, &ALL);
    assert_eq!(ran.run.code, 10, "{}", ran.run.stderr);
    assert_eq!(ran.outputs["decision"], "deny");
    assert_eq!(ran.outputs["exit-code"], "10");
    assert!(!ran.outputs.contains_key("plan") && !ran.outputs.contains_key("plan-digest"));
    let annotation = "::error title=laforge%3A approval-threshold,file=policies/baseline.yaml,line=";
    assert!(ran.run.stderr.contains(annotation), "{}", ran.run.stderr);
    assert!(ran.summary.contains("| ❌ | `approval-threshold` |"), "{}", ran.summary);
}

#[test]
fn an_error_says_that_there_was_no_decision() {
    let example = Example::new();
    let ran = run_action(&example, &[("environment", "staging")]);
    assert_eq!(ran.run.code, 2);
    assert_eq!(ran.outputs["decision"], "none");
    assert_eq!(ran.outputs["exit-code"], "2");
}

#[test]
fn no_input_reaches_a_shell_line() {
    let example = Example::new();
    let hostile = "$(touch pwned) `touch pwned` ; touch pwned \"' --audit-init";
    for input in
        ["release", "environment", "evidence", "trust", "policy", "strategy", "traffic-steps", "audit-log"]
    {
        let ran = run_action(&example, &[(input, hostile)]);
        assert!([2, 11, 12].contains(&ran.run.code), "{input}: {}: {}", ran.run.code, ran.run.stderr);
    }
    assert!(!example.path("pwned").exists());
    let action = action();
    for step in action["runs"]["steps"].as_array().unwrap() {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "an expression is pasted into a shell line");
        assert!(step.get("uses").is_none(), "an action that would have to be pinned");
    }
}

#[test]
fn inputs_and_outputs_are_those_of_the_contract() {
    let action = action();
    for input in [
        "release",
        "manifests",
        "environment",
        "evidence",
        "trust",
        "policy",
        "require-signed",
        "require-approved",
        "require-provenance",
        "strategy",
        "traffic-steps",
        "latency-budget",
        "error-budget",
        "audit-log",
        "dry-run",
    ] {
        assert!(action["inputs"].get(input).is_some(), "{input}");
    }
    for output in [
        "decision",
        "verdict",
        "exit-code",
        "release-digest",
        "plan",
        "plan-digest",
        "audit-index",
        "audit-root",
        "report",
        "sarif",
    ] {
        assert!(action["outputs"].get(output).is_some(), "{output}");
    }
}
