//! What engines are answered for one plan: which one is meant, and the trace of what an answer costs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::metrics::Prometheus;
use crate::site::{ALL, Service, Site, until};
use crate::traces::{Receiver, text};

/// The example with a migration, and its plan in `plan.json`, for engines. None without a Prometheus.
fn planned() -> Option<(Site, Prometheus)> {
    let site = Site::new();
    let prometheus = Prometheus::begin(&site, 9)?;
    site.edit(
        "laforge.yaml",
        "errorBudget: 0.02}",
        "errorBudget: 0.02, migration: {command: [migrate], class: expand}}",
    );
    let url = format!("http://127.0.0.1:{}", prometheus.port);
    let section = format!(
        "runtime:\n  environment: production\n  state: state\n  prometheus: {{url: '{url}', scrapeSeconds: 1}}\n  migrate: \
         [./migrate]\n  flagger: {{name: app, namespace: prod}}\n"
    );
    site.write("laforge.yaml", &(site.read("laforge.yaml") + &section));
    migration(&site, "exit 0");
    site.laforge(&["deploy", "-o", "plan.json"]);
    Some((site, prometheus))
}

fn migration(site: &Site, ends: &str) {
    site.write("migrate", &format!("#!/bin/sh\necho migrated >> migrated\n{ends}\n"));
    fs::set_permissions(site.path("migrate"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn digest(site: &Site, plan: &str) -> String {
    let plan: Value = serde_json::from_str(&site.read(plan)).unwrap();
    plan["planDigest"].as_str().unwrap().to_owned()
}

/// What Flagger is answered: the status, and the reason.
fn gate(service: &Service, gate: &str, metadata: &Value) -> (u16, String) {
    let webhook = json!({"name": "app", "namespace": "prod", "phase": "Progressing", "checksum": "85d5",
                         "canaryWeight": 0, "metadata": metadata});
    let answer = service.post(&format!("/v1/flagger/{gate}"), &webhook);
    (answer.status, answer.body)
}

#[test]
fn a_canary_of_another_plan_or_of_none_that_it_names_is_held() {
    let Some((site, _prometheus)) = planned() else { return };
    let first = digest(&site, "plan.json");
    // The next release at the same target.
    site.laforge(&["deploy", "--ttl", "3h", "-o", "next.json"]);
    let next = digest(&site, "next.json");
    let service = site.serve_plan_under(&[], "next.json");
    for (metadata, why) in [
        (json!({"planDigest": first}), format!("this answers for plan {next}, not for `{first}`")),
        (json!({"planDigest": ""}), "the webhook names no plan".to_owned()),
        (json!({"plandigest": next}), "the webhook names no plan".to_owned()),
        (json!({}), "the webhook names no plan".to_owned()),
        (
            Value::Null,
            format!(
                "the webhook names no plan, and this answers for {next}: its `metadata` needs `planDigest`"
            ),
        ),
    ] {
        for name in ["start", "migrate", "step", "promote", "rollback", "event"] {
            let (status, said) = gate(&service, name, &metadata);
            assert!(status == 403 && said.contains(&why), "{name} {metadata}: {status} {said}");
        }
    }
    assert!(!site.path("migrated").exists(), "it migrated for a stranger");
    let meant = json!({"planDigest": next});
    for name in ["start", "migrate", "step"] {
        assert_eq!(gate(&service, name, &meant).0, 200, "{name}");
    }
    // And an operator's rollback of the one is none of the other.
    let path = "/v1/rollouts/production/rollback";
    let said = service.post(path, &json!({"reason": "red", "plan": first})).problem(409);
    assert!(said.contains(&format!("plan {next} is under way")), "{said}");
    assert_eq!(gate(&service, "rollback", &meant).0, 403);
    assert_eq!(service.post(path, &json!({"reason": "red", "plan": next})).status, 202);
    let (status, said) = gate(&service, "rollback", &meant);
    assert!(status == 200 && said.contains("tester asked for a rollback: red"), "{status} {said}");
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Asks as an engine that has a trace of its own.
fn traced(service: &Service, path: &str, span: &str, body: &Value) -> u16 {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.post(service.url(path)).bearer_auth(ALL).body(body.to_string());
    let request = request.header("content-type", "application/json");
    request.header("traceparent", format!("00-{TRACE}-{span}-01")).send().unwrap().status().as_u16()
}

/// The one span of this name below the request that this span made.
#[track_caller]
fn below(spans: &[Value], parent: &str, name: &str) -> Value {
    let server = spans
        .iter()
        .find(|span| span["parentSpanId"] == parent)
        .unwrap_or_else(|| panic!("{parent}: {spans:?}"));
    let found: Vec<&Value> = spans
        .iter()
        .filter(|span| span["parentSpanId"] == server["spanId"] && span["name"] == name)
        .collect();
    let [span] = found.as_slice() else { panic!("{name} below {parent}: {spans:?}") };
    let nanos = |span: &Value, name: &str| -> u64 { span[name].as_str().unwrap().parse().unwrap() };
    assert_eq!((&span["traceId"], &span["kind"]), (&json!(TRACE), &json!(1)), "{span}");
    assert!(
        nanos(server, "startTimeUnixNano") <= nanos(span, "startTimeUnixNano")
            && nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano")
            && nanos(span, "endTimeUnixNano") <= nanos(server, "endTimeUnixNano"),
        "{span} {server}"
    );
    (*span).clone()
}

#[test]
fn a_real_collector_takes_what_an_engine_waited_for() {
    let Some(receiver) = Receiver::begin() else { return };
    let Some((site, prometheus)) = planned() else { return };
    migration(&site, "exit 3");
    let collector = format!("http://{}", receiver.address);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let place = format!("http://127.0.0.1:{}", prometheus.port);
    let service = site.serve_plan_under(&variables, "plan.json");
    let webhook = json!({"name": "app", "namespace": "prod", "phase": "", "checksum": "",
                         "metadata": {"planDigest": digest(&site, "plan.json")}});
    let [measures, migrates, again, unanswered] =
        ["00f067aa0ba902b1", "00f067aa0ba902b2", "00f067aa0ba902b3", "00f067aa0ba902b4"];
    let verdict = "/v1/argo/verdict?window=60s";
    assert_eq!(traced(&service, verdict, measures, &json!({})), 200);
    assert_eq!(traced(&service, "/v1/flagger/migrate", migrates, &webhook), 403);
    assert_eq!(traced(&service, "/v1/flagger/migrate", again, &webhook), 403);
    drop(prometheus);
    assert_eq!(traced(&service, verdict, unanswered, &json!({})), 200);
    let done = || receiver.of("laforge", "measure").iter().any(|span| span["parentSpanId"] == unanswered);
    until("the last request is there", done);
    let spans = receiver.of("laforge", "migrate");

    let measured = below(&spans, measures, "measure");
    assert_eq!((text(&measured, "url.full"), measured["status"]["code"].as_u64()), (place.clone(), None));
    let lost = below(&spans, unanswered, "measure");
    assert_eq!(
        (text(&lost, "url.full"), text(&lost, "error.type"), lost["status"]["code"].as_u64()),
        (place, "unanswered".to_owned(), Some(2))
    );
    let migrated = below(&spans, migrates, "migrate");
    assert_eq!(
        (text(&migrated, "error.type"), migrated["status"]["code"].as_u64()),
        ("failed".to_owned(), Some(2))
    );
    // It ran once: who asks again is answered from what is remembered.
    let migrations = spans.iter().filter(|span| span["name"] == "migrate").count();
    assert_eq!((migrations, site.read("migrated")), (1, "migrated\n".to_owned()));
    // Probes measure, too, and are no spans.
    let servers: Vec<&str> =
        spans.iter().filter(|span| span["kind"] == 2).map(|span| span["name"].as_str().unwrap()).collect();
    let flagger = "POST /v1/flagger/{gate}";
    assert_eq!(servers, ["POST /v1/argo/verdict", flagger, flagger, "POST /v1/argo/verdict"]);
}
