//! `laforge render`: a plan is taken in as an executor would, and refused with its step.

use std::path::Path;

use serde_json::Value;

use crate::example::{Example, Run, copy};

/// What the manifests of any engine need.
const SETTINGS: &str = "render:\n  environment: production\n  namespace: payments\n  replicas: 2\n  gateway: gateway/edge\n  \
                        hostnames: [app.example.com]\n  prometheus: http://prometheus.monitoring:9090\n  guard: \
                        http://guard.laforge:8088\n";

/// A gate that asks for approvals alone, and a release of one image.
fn released() -> Example {
    let example = Example::new();
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/allows-image-in-layout/artifacts/image");
    copy(&image, &example.path("artifacts/image"));
    let blobs = example.list("artifacts/image/blobs/sha256");
    let index: Value = serde_json::from_str(&example.read("artifacts/image/index.json")).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap();
    assert!(blobs.iter().any(|blob| digest.ends_with(blob.as_str())), "{blobs:?}");
    let release = format!(
        "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  environment: \
         production\n  source: {{repository: https://github.com/acme/payments, commit: {}, ref: refs/tags/v2.4.0}}\n  \
         artifacts:\n    - {{name: payments, path: artifacts/image, image: \"registry.example/payments@{digest}\"}}\n",
        "4f1c".repeat(10)
    );
    example.write("release.yaml", &release);
    for policy in example.list("policies") {
        if policy != "policy-set.yaml" {
            example.remove(&format!("policies/{policy}"));
        }
    }
    example.write(
        "policies/baseline.yaml",
        "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: approved}\nspec:\n  match: {environments: \
         [production]}\n  require:\n    approvals: {atLeast: 1, roles: {release-manager: 1}, maxAge: 24h}\n",
    );
    for person in ["alice", "bob"] {
        example.run(&["approve", "--yes", "--key", &format!("keys/{person}.key")]).ends(0);
    }
    let config = example.read("laforge.yaml");
    example.write("laforge.yaml", &format!("{config}{SETTINGS}"));
    example
}

fn render(example: &Example, more: &[&str]) -> Run {
    example.run(&[&["render"], more].concat())
}

#[test]
fn an_accepted_plan_comes_out_for_every_engine_that_can_do_it() {
    let example = released();
    example.run(&["deploy", "-o", "plan.json"]).ends(0);
    let plan: Value = serde_json::from_str(&example.read("plan.json")).unwrap();
    let digest = plan["planDigest"].as_str().unwrap();
    for (engine, kind) in [("argo-rollouts", "Rollout"), ("flagger", "Canary"), ("gateway-api", "HTTPRoute")]
    {
        let run = render(&example, &[engine, "plan.json"]).ends_with_data();
        assert!(
            run.stdout.contains(&format!("kind: {kind}\n")) && run.stdout.contains(digest),
            "{}",
            run.stdout
        );
        assert!(run.stderr.starts_with(&format!("accepted: plan {digest} of entry ")), "{}", run.stderr);
        assert!(run.stderr.contains("the log is this one"), "{}", run.stderr);
    }
    let said = render(&example, &["argo-rollouts", "plan.json"]).stderr;
    assert!(said.contains("\nlossy[pause-deadline]: a pause lasts until somebody ends it"), "{said}");
    let quiet = example.run(&["-q", "render", "flagger", "plan.json", "-o", "out.yaml"]).ends(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert!(
        example
            .read("out.yaml")
            .starts_with(&format!("# laforge render flagger of the plan {digest}\n---\n"))
    );
    render(&example, &["kubernetes", "plan.json"])
        .ends(2)
        .says("the plan shifts traffic by 20, 80, 100, and one Service knows 0 and 100 alone")
        .says("plan with --traffic-steps 100");
    example.run(&["deploy", "--traffic-steps", "100", "-o", "once.json"]).ends(0);
    let once = render(&example, &["kubernetes", "once.json", "--candidate-slot", "blue"]).ends_with_data();
    assert!(once.stdout.contains("name: payments-blue\n"), "{}", once.stdout);
    assert!(
        once.stderr.contains("\nto cut over: kubectl -n payments patch service payments "),
        "{}",
        once.stderr
    );
}

#[test]
fn a_plan_that_is_not_accepted_comes_out_for_nobody() {
    let example = released();
    example.run(&["deploy", "-o", "plan.json"]).ends(0);
    let plan = example.read("plan.json");
    let gateway = ["gateway-api", "plan.json"];
    render(&example, &[&gateway[..], &["--target", "elsewhere"]].concat())
        .ends(13)
        .says("the plan is for target `production`, this executor for `elsewhere`")
        .says("step 8 of a plan's acceptance refused it");
    render(&example, &[&gateway[..], &["--environment", "staging", "--target", "production"]].concat())
        .ends(13)
        .says("the plan is for environment `production`");
    example.write("plan.json", &plan.replacen("\"maxRatioPpm\":20000", "\"maxRatioPpm\":30000", 1));
    render(&example, &gateway).ends(13).says("step 1 of a plan's acceptance refused it");
    example.write("plan.json", "{}");
    render(&example, &gateway).ends(13).says("step 0 of a plan's acceptance refused it");
    example.write("plan.json", &plan);
    // A trust of another gate pins nothing of this one.
    example.run(&["init", "other"]).ends(0);
    example.edit("laforge.yaml", "trust: trust.yaml", "trust: other/trust.yaml");
    render(&example, &gateway).ends(13).says("step 3 of a plan's acceptance refused it");
}

#[test]
fn a_fork_has_to_be_excluded_or_openly_accepted() {
    let example = released();
    example.run(&["deploy", "-o", "plan.json"]).ends(0);
    let config = example.read("laforge.yaml");
    let without: String =
        config.lines().filter(|line| !line.starts_with("audit:")).map(|line| format!("{line}\n")).collect();
    example.write("elsewhere.yaml", &without);
    let elsewhere = ["--config", "elsewhere.yaml", "render", "gateway-api", "plan.json"];
    example
        .run(&elsewhere)
        .ends(13)
        .says("step 6 of a plan's acceptance refused it")
        .says("--accept-unanchored takes it all the same");
    let accepted = example.run(&[&elsewhere[..], &["--accept-unanchored"]].concat()).ends_with_data();
    assert!(accepted.stderr.contains("L0: fork not excluded"), "{}", accepted.stderr);
}

#[test]
fn names_what_no_plan_says() {
    let example = released();
    example.run(&["deploy", "-o", "plan.json"]).ends(0);
    let gateway = ["gateway-api", "plan.json"];
    example.edit("laforge.yaml", "  namespace: payments\n", "");
    render(&example, &gateway)
        .ends(2)
        .says("manifests for gateway-api need `namespace`")
        .says("name it with --namespace, or `render: {namespace: …}` in laforge.yaml");
    render(&example, &[&gateway[..], &["--namespace", "Payments"]].concat())
        .ends(2)
        .says("`namespace` is `Payments`, and has to be lower-case letters");
    render(&example, &[&gateway[..], &["--namespace", "payments"]].concat()).ends_with_data();
    example.edit("laforge.yaml", "  environment: production\n", "");
    render(&example, &gateway).ends(2).says("no environment is named");
    example.edit("laforge.yaml", "  replicas: 2\n", "  replica: 2\n");
    render(&example, &gateway).ends(2).says("unknown field `replica`");
}

#[test]
fn what_no_cluster_runs_is_refused() {
    let example = Example::new();
    example.deploy(&["-o", "plan.json"]).ends(0);
    let flags = ["--environment", "production", "--namespace", "n", "--replicas", "1"];
    render(&example, &[&["gateway-api", "plan.json"], &flags[..]].concat())
        .ends(2)
        .says("the plan deploys 3 artifacts, `payments-worker.tar.gz`, `payments.tar.gz`, `sbom.json`")
        .says("name the one that serves with `rollout: {deploys: […]}`");
}
