//! The webhook's answers, by what is on record.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::site::{ALL, NOBODY, Service, Site, until};

const OPEN: &str = "  admission: {environment: production, namespaces: {test: staging}}\n";

fn review(service: &Service, namespace: &str, image: &str) -> Value {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {
        "template": {"spec": {"containers": [{"name": "app", "image": image}]}}}});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "7", "operation": "CREATE", "namespace": namespace, "object": object}});
    let answer = service.ask("POST", "/v1/admission", None, Some(&review));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!((&answer["kind"], &answer["response"]["uid"]), (&json!("AdmissionReview"), &json!("7")));
    answer["response"].clone()
}

#[test]
fn a_digest_is_admitted_as_soon_as_it_is_allowed_and_nowhere_else() {
    let site = Site::with(OPEN);
    let service = site.serve(&[]);
    let image = format!("registry.example/payments@{}", site.digest_of("artifacts/payments.tar.gz"));
    let refused = review(&service, "shop", &image);
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(403)));
    let said = refused["status"]["message"].as_str().unwrap();
    assert!(said.contains("the log holds no allow of image"), "{said}");
    let decided = service.post("/v1/evaluate", &json!({})).json();
    let index = &decided["report"]["audit"]["index"];
    let admitted = review(&service, "shop", &image);
    assert_eq!(admitted["allowed"], true, "{admitted}");
    let because = admitted["auditAnnotations"]["because"].as_str().unwrap();
    assert!(because.starts_with(&format!("entry {index} of ")), "{because}");
    assert_eq!(review(&service, "test", &image)["allowed"], false, "it is another environment");
    assert_eq!(review(&service, "shop", "registry.example/payments:2.4.0")["allowed"], false);
    // Also by one that has just started, and by one that another process wrote for.
    let other = site.serve(&[]);
    assert_eq!(review(&other, "shop", &image)["allowed"], true);
}

#[test]
fn an_allow_counts_until_its_plan_expires() {
    let site = Site::with(OPEN);
    let service = site.serve(&[]);
    site.laforge(&["deploy", "--ttl", "3s"]);
    let image = format!("registry.example/payments@{}", site.digest_of("artifacts/payments.tar.gz"));
    assert_eq!(review(&service, "shop", &image)["allowed"], true);
    until("it is expired", || review(&service, "shop", &image)["allowed"] == false);
    let said = review(&service, "shop", &image);
    assert!(said["status"]["message"].as_str().unwrap().contains("have its release decided again"), "{said}");
}

#[test]
fn nothing_is_admitted_by_a_log_that_does_not_check_out() {
    let site = Site::with(OPEN);
    site.laforge(&["deploy"]);
    let service = site.serve(&[]);
    let image = format!("registry.example/payments@{}", site.digest_of("artifacts/payments.tar.gz"));
    assert_eq!(review(&service, "shop", &image)["allowed"], true);
    let lines = site.path(".laforge/audit/entries/00000000000000000000.jsonl");
    let good = fs::read_to_string(&lines).unwrap();
    drop(service);
    fs::write(&lines, good.replace("\"allow\"", "\"deny\" ")).unwrap();
    let service = site.begin(&[], reqwest::blocking::Client::builder());
    let refused = review(&service, "shop", &image);
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(503)), "{refused}");
    assert_eq!(service.probe("/readyz").status, 503);
    fs::write(&lines, good).unwrap();
    until("the log checks out again", || review(&service, "shop", &image)["allowed"] == true);
}

/// `gates` of the example, for another environment.
const FOR_STAGING: (&str, &str) = ("- environments:\n  - production\n", "- environments:\n  - staging\n");

#[test]
fn what_no_gate_of_trust_may_decide_for_is_never_admitted() {
    let site = Site::with("  admission: {environment: production}\n");
    site.laforge(&["deploy"]);
    let service = site.serve(&[]);
    let image = format!("registry.example/payments@{}", site.digest_of("artifacts/payments.tar.gz"));
    assert_eq!(review(&service, "shop", &image)["allowed"], true);
    // Trust that can't be read is told, and takes nothing back; trust that says otherwise does.
    let trust = site.read("trust.yaml");
    site.write("trust.yaml", "kind: [");
    let told = |line: &str| line.contains("\"what\":\"trust\"") && line.contains("\"renewed\":false");
    until("it is told", || service.said().lines().any(told));
    assert_eq!(review(&service, "shop", &image)["allowed"], true);
    site.write("trust.yaml", &trust);
    site.edit("trust.yaml", FOR_STAGING.0, FOR_STAGING.1);
    until("the gate may no longer decide", || review(&service, "shop", &image)["allowed"] == false);
    let refused = review(&service, "shop", &image);
    let said = refused["status"]["message"].as_str().unwrap();
    assert!(said.contains("trust lets no gate of this log decide for `production`"), "{said}");
    drop(service);
    let refused = site.refused(&["runtime", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("trust pins no gate that may decide for it"), "{refused}");
    site.edit("laforge.yaml", "trust: trust.yaml", "");
    let refused = site.refused(&["runtime", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("there is no trust"), "{refused}");
}

#[test]
fn who_may_ask_is_configured() {
    let site = Site::with("  admission: {environment: production, callers: known}\n");
    let service = site.serve(&[]);
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                        "request": {"uid": "7", "operation": "DELETE"}});
    let status = |token: Option<&str>| service.ask("POST", "/v1/admission", token, Some(&review)).status;
    assert_eq!((status(None), status(Some(NOBODY)), status(Some(ALL))), (401, 403, 200));
    service.post("/v1/admission", &json!({"kind": "AdmissionReview"})).problem(400);
    // Where it is not configured there is nothing.
    let without = Site::new();
    let service = without.serve(&[]);
    assert!(service.post("/v1/admission", &review).problem(404).contains("service: {admission:"));
}

#[test]
fn an_answer_waits_for_no_disk() {
    let site = Site::with(OPEN);
    site.laforge(&["deploy"]);
    let service = site.serve(&[]);
    let image = format!("registry.example/payments@{}", site.digest_of("artifacts/payments.tar.gz"));
    let median = |ask: &dyn Fn()| {
        let mut took: Vec<_> = (0..200)
            .map(|_| {
                let began = Instant::now();
                ask();
                began.elapsed()
            })
            .collect();
        took.sort();
        took[100]
    };
    // Beside an answer that looks at nothing, through the same client and connection.
    let floor = median(&|| assert_eq!(service.ask("GET", "/livez", None, None).status, 200));
    let admission = median(&|| assert_eq!(review(&service, "shop", &image)["allowed"], true));
    assert!(admission < floor * 10, "median {admission:?}, and {floor:?} for nothing");
}
