//! `action.yml`: its steps run as GitHub's runner would run them, and what the runner is told.

mod branch;
pub mod forge;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::example::{Example, Run, finished};
use forge::{bin, root};

/// What a run of the action left behind.
struct Ran {
    run: Run,
    outputs: BTreeMap<String, String>,
    summary: String,
    path: String,
}

fn action() -> Value {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// Runs the action's gate step with these inputs over its defaults, in a checkout that is the example.
fn run_action(example: &Example, inputs: &[(&str, &str)]) -> Ran {
    run_step("gate", &example.path(""), inputs, &format!("{}:/usr/bin:/bin", bin().display()))
}

/// Runs one step in a checkout: expressions only in its `env`, as a runner puts them there.
fn run_step(id: &str, checkout: &Path, inputs: &[(&str, &str)], path: &str) -> Ran {
    let action = action();
    let step = action["runs"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap();
    let value = |name: &str| {
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| (*value).to_owned());
        given.unwrap_or_else(|| action["inputs"][name]["default"].as_str().unwrap().to_owned())
    };
    let runner = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
        .current_dir(checkout.join(value("working-directory")))
        .env_clear()
        .env("PATH", path)
        .env("HOME", checkout)
        .env("XDG_CACHE_HOME", checkout.join(".cache"))
        .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "4711"), ("GITHUB_RUN_ATTEMPT", "2")])
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_REPOSITORY", "acme/payments")
        .env("GITHUB_WORKSPACE", checkout)
        .env("RUNNER_TEMP", runner.path())
        .env("GITHUB_OUTPUT", runner.path().join("output"))
        .env("GITHUB_PATH", runner.path().join("path"))
        .env("GITHUB_STEP_SUMMARY", runner.path().join("summary"));
    for (name, expression) in step["env"].as_object().unwrap() {
        let expression = expression.as_str().unwrap().trim_start_matches("${{ ").trim_end_matches(" }}");
        match expression.strip_prefix("inputs.") {
            Some(input) => command.env(name, value(input)),
            None if expression == "github.action_path" => command.env(name, root()),
            None => panic!("`{expression}` is nothing that this runner knows"),
        };
    }
    let run = finished(command.output().unwrap());
    let read = |name: &str| fs::read_to_string(runner.path().join(name)).unwrap_or_default();
    let mut outputs: BTreeMap<String, String> = read("output")
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    // What the outputs point at is read before the runner's folder goes.
    for name in ["plan", "report", "sarif", "anchor"] {
        if let Some(path) = outputs.get(name).filter(|path| !path.is_empty()).cloned() {
            outputs.insert(format!("{name} text"), fs::read_to_string(path).unwrap());
        }
    }
    Ran { run, outputs, summary: read("summary"), path: read("path") }
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
    let sarif: Value = serde_json::from_str(&ran.outputs["sarif text"]).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(sarif["runs"][0]["properties"]["audit"]["index"], entry["seq"]);
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
    let requirement = line_of(&example, "policies/baseline.yaml", "atLeast: 2");
    let annotation = format!(
        "::error title=laforge%3A approval-threshold,file=policies/baseline.yaml,line={requirement},col="
    );
    assert!(ran.run.stderr.contains(&annotation), "{annotation}: {}", ran.run.stderr);
    assert!(ran.summary.contains("| ❌ | [`approval-threshold`](https://"), "{}", ran.summary);
    let sarif: Value = serde_json::from_str(&ran.outputs["sarif text"]).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "approval-threshold");
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "policies/baseline.yaml");
    assert_eq!(physical["region"]["startLine"], requirement);
}

/// The line of a file, from 1, on which some text stands first.
fn line_of(example: &Example, file: &str, text: &str) -> u64 {
    1 + example.read(file).lines().position(|line| line.contains(text)).unwrap() as u64
}

#[test]
fn annotations_lead_to_the_file_as_the_checkout_has_it() {
    let checkout = tempfile::tempdir().unwrap();
    let example = Example::new();
    example.remove("evidence/approval-bob.sigstore.json");
    crate::example::copy(&example.path(""), &checkout.path().join("deploy/payments"));
    let inputs = [&ALL[..], &[("working-directory", "deploy/payments")]].concat();
    let ran = run_step("gate", checkout.path(), &inputs, &format!("{}:/usr/bin:/bin", bin().display()));
    assert_eq!(ran.run.code, 10, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains(",file=deploy/payments/policies/baseline.yaml,"), "{}", ran.run.stderr);
}

#[test]
fn what_a_manifest_says_is_annotated_at_its_line() {
    let example = Example::new();
    example.write("rendered/pod.yaml", MANIFEST);
    let ran = run_action(&example, &[&ALL[..], &[("manifests", "rendered")]].concat());
    assert_eq!(ran.run.code, 10, "{}", ran.run.stderr);
    let annotation = "::error title=laforge%3A image-not-pinned,file=rendered/pod.yaml,line=6,col=";
    assert!(ran.run.stderr.contains(annotation), "{}", ran.run.stderr);
}

const MANIFEST: &str = "apiVersion: v1
kind: Pod
metadata: {name: payments}
spec:
  containers:
    - {name: main, image: \"registry.example/payments:latest\"}
";

#[test]
fn an_inconclusive_is_no_deny_and_gives_no_plan() {
    let example = Example::new();
    std::os::unix::fs::symlink("approvals", example.path("approvals")).unwrap();
    example.remove("evidence/approval-bob.sigstore.json");
    let ran = run_action(&example, &[&ALL[..], &[("evidence", "evidence\napprovals")]].concat());
    assert_eq!(ran.run.code, 11, "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["verdict"]), ("deny", "error"));
    assert!(!ran.outputs.contains_key("plan"));
    assert!(ran.summary.contains("❓ inconclusive"), "{}", ran.summary);
}

#[test]
fn a_log_that_somebody_else_holds_denies() {
    let example = Example::new();
    let lock = fs::File::options().append(true).open(example.path(".laforge/audit/lock")).unwrap();
    lock.lock().unwrap();
    let ran = run_action(&example, &ALL);
    assert_eq!(ran.run.code, 12, "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["exit-code"]), ("deny", "12"));
    assert!(!ran.outputs.contains_key("plan"));
    assert!(ran.summary.contains("the log can't take the entry"), "{}", ran.summary);
}

#[test]
fn a_log_that_was_touched_denies() {
    let example = Example::new();
    run_action(&example, &ALL);
    example.edit(".laforge/audit/entries/00000000000000000000.jsonl", "\"pass\"", "\"fail\"");
    let ran = run_action(&example, &ALL);
    assert_eq!(ran.run.code, 13, "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["exit-code"]), ("deny", "13"));
}

#[test]
fn a_log_that_was_rolled_back_as_a_whole_is_found_out_by_its_anchor() {
    let example = Example::new();
    let before = example.fork();
    let anchored = [&ALL[..], &[("audit-anchor", "anchor")]].concat();
    let first = run_action(&example, &anchored);
    assert_eq!(first.run.code, 0, "{}", first.run.stderr);
    assert!(first.run.stderr.contains("no anchor is there yet"), "{}", first.run.stderr);
    assert_eq!(first.outputs["anchor text"], example.read(".laforge/audit/checkpoint"));
    // Everything that the machine keeps goes back in time, but for the anchor.
    fs::remove_dir_all(example.path(".laforge")).unwrap();
    fs::remove_dir_all(example.path(".cache")).unwrap();
    crate::example::copy(&before.path(".laforge"), &example.path(".laforge"));
    let ran = run_action(&example, &anchored);
    assert_eq!(ran.run.code, 13, "{}", ran.run.stderr);
    assert!(ran.run.stderr.contains("that the anchor `"), "{}", ran.run.stderr);
    assert_eq!((&*ran.outputs["decision"], &*ran.outputs["plan"]), ("deny", ""));
    assert_eq!(example.entries().len(), 1, "something was appended to a log that was cut");
}

#[test]
fn without_a_required_anchor_nothing_is_decided() {
    let example = Example::new();
    let ran =
        run_action(&example, &[&ALL[..], &[("audit-anchor", "anchor"), ("require-anchor", "true")]].concat());
    assert_eq!(ran.run.code, 12, "{}", ran.run.stderr);
    assert_eq!(ran.outputs["decision"], "deny");
    assert_eq!(example.entries().len(), 1);
}

#[test]
fn a_copy_of_the_log_goes_with_the_artifact() {
    let example = Example::new();
    let ran =
        run_action(&example, &[&ALL[..], &[("artifact", "gate"), ("audit-log", ".laforge/audit")]].concat());
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
    // The runner's folder is gone by now; that it was named is what the upload needs.
    assert!(ran.outputs["folder"].contains("laforge-4711-2-"), "{}", ran.outputs["folder"]);
}

#[test]
fn the_program_that_is_installed_is_the_one_that_is_named_and_of_the_version_asked_for() {
    let example = Example::new();
    let version = env!("CARGO_PKG_VERSION");
    let find = |inputs: &[(&str, &str)]| run_step("find", &example.path(""), inputs, "/usr/bin:/bin");
    let program = bin().join("laforge");
    let ran = find(&[("install", program.to_str().unwrap()), ("version-check", version)]);
    assert_eq!(ran.run.code, 0, "{}", ran.run.stderr);
    assert!(ran.path.trim().ends_with("/laforge/bin"), "{}", ran.path);
    let ran = find(&[("install", program.to_str().unwrap()), ("version-check", "9.9.9")]);
    assert_eq!(ran.run.code, 2);
    assert!(ran.run.stdout.contains("wanted 9.9.9"), "{}", ran.run.stdout);
    let ran = find(&[("install", "nowhere\n::error::x")]);
    assert_eq!((ran.run.code, ran.run.stdout.lines().count()), (2, 1), "{}", ran.run.stdout);
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
    let hostile = "$(touch pwned) `touch pwned` ; touch pwned \"' --audit-init\n::error::x";
    let action = action();
    for input in action["inputs"].as_object().unwrap().keys() {
        // What the runner itself takes, or hands to another action.
        if ["working-directory", "version-check", "install", "anchor-cache", "upload-sarif"]
            .contains(&input.as_str())
        {
            continue;
        }
        let example = Example::new();
        let anchor = [("audit-anchor", ".cache/anchor")];
        let ran = run_action(&example, &[&[(input.as_str(), hostile)][..], &anchor].concat());
        let expected = match input.as_str() {
            "artifact" | "audit-anchor" => [0, 10, 12].as_slice(),
            _ => &[2, 11, 12],
        };
        assert!(expected.contains(&ran.run.code), "{input}: {}: {}", ran.run.code, ran.run.stderr);
        assert!(!example.path("pwned").exists(), "{input}");
        let commands = |text: &str| text.lines().any(|line| line.starts_with("::error::"));
        assert!(!commands(&ran.run.stdout) && !commands(&ran.run.stderr), "{input}: {}", ran.run.stderr);
    }
}

#[test]
fn no_expression_is_in_a_shell_line_and_every_action_is_pinned() {
    for step in action()["runs"]["steps"].as_array().unwrap() {
        match (step.get("run"), step.get("uses").and_then(Value::as_str)) {
            (Some(run), None) => {
                assert!(!run.as_str().unwrap().contains("${{"), "an expression is pasted into a shell line");
            }
            (None, Some(uses)) => {
                let (_, commit) = uses.split_once('@').unwrap();
                assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses}");
            }
            _ => panic!("neither a shell line nor an action: {step}"),
        }
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
