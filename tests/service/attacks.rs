//! Attacks on the service by whoever reaches its port, with the build job's token or without one.
//!
//! Each is tried against the running program: what costs it time, what it would do for somebody else, and what a
//! header, a path or a body makes it take for something else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::{ALL, READER, Service, Site};

const OPEN: &str = "  admission: {environment: production, namespaces: {test: staging}}\n";
/// More than any answer here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "7", "operation": operation, "namespace": "shop", "object": object, "oldObject": old}})
}

/// Asks without a token; the response, and how long it took.
fn asked(service: &Service, operation: &str, object: &Value, old: &Value) -> (Value, Duration) {
    let began = Instant::now();
    let answer = service.ask("POST", "/v1/admission", None, Some(&review(operation, object, old)));
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.json()["response"].clone(), began.elapsed())
}

fn pod(containers: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}})
}

#[test]
fn an_object_made_to_cost_time_holds_up_no_other_question() {
    let site = Site::with(OPEN);
    let service = site.serve(&[]);
    let nameless: Vec<Value> = (0..30_000).map(|at| json!({"name": at.to_string()})).collect();
    let named: Vec<Value> = (0..30_000)
        .map(|at| json!({"name": at.to_string(), "image": format!("registry.example/a{at}")}))
        .collect();
    let below: serde_json::Map<String, Value> =
        (0..100_000).map(|at| (format!("{at:x}"), json!(1))).collect();
    let long = json!({"apiVersion": "example.org/v1", "kind": "Thing", "spec": {"k".repeat(2 << 20): below}});
    let (answer, took) = asked(&service, "CREATE", &long, &Value::Null);
    assert!(answer["allowed"] == true && took < PATIENCE, "{took:?}: {answer}");
    for containers in [&nameless, &named] {
        let object = pod(containers);
        for operation in ["CREATE", "UPDATE"] {
            let (answer, took) = asked(&service, operation, &object, &object);
            assert!(answer["allowed"] == false && took < PATIENCE, "{took:?}: {answer}");
            let said = answer["status"]["message"].as_str().unwrap();
            assert!(said.len() < 8192, "{}", said.len());
        }
    }
    assert_eq!(service.probe("/livez").status, 200);
}

#[test]
fn more_pieces_than_are_taken_are_asked_of_no_registry() {
    let site = Site::new();
    let service = site.serve(&[]);
    let before = site.entries();
    let image = |at: usize| format!("127.0.0.1:9/a{at}@sha256:{at:064x}");
    let images: Vec<String> = (0..257).map(image).collect();
    let evidence: Vec<Value> = (0..257).map(|at| json!({"a": at})).collect();
    for question in [json!({"images": images}), json!({"evidence": evidence})] {
        let said = service.post("/v1/evaluate", &question).problem(422);
        assert!(said.contains("at most 256"), "{said}");
    }
    assert_eq!(site.entries(), before);
}

#[test]
fn a_rehearsal_lets_no_image_in_and_gives_no_plan() {
    let site = Site::with(OPEN);
    let service = site.serve(&[]);
    let decided = service.post("/v1/evaluate", &json!({"dryRun": true})).json();
    assert_eq!(
        (&decided["report"]["decision"]["verdict"], &decided["plan"]),
        (&json!("pass"), &Value::Null),
        "{decided}"
    );
    let index = decided["report"]["audit"]["index"].as_u64().unwrap();
    service.get(&format!("/v1/decisions/{index}/plan")).problem(404);
    let image = format!("registry.example/a@{}", site.digest_of("artifacts/payments.tar.gz"));
    let (answer, _) = asked(&service, "CREATE", &pod(&[json!({"name": "a", "image": image})]), &Value::Null);
    assert_eq!(answer["allowed"], false, "{answer}");
}

#[test]
fn spellings_of_a_digest_or_a_namespace_borrow_no_allow() {
    let site = Site::with(OPEN);
    let service = site.serve(&[]);
    site.laforge(&["deploy"]);
    let digest = site.digest_of("artifacts/payments.tar.gz");
    let hex = digest.strip_prefix("sha256:").unwrap();
    let other = "0".repeat(64);
    let allowed = |image: &str| {
        let object = pod(&[json!({"name": "a", "image": image})]);
        asked(&service, "CREATE", &object, &Value::Null).0["allowed"] == true
    };
    assert!(allowed(&format!("registry.example/a@{digest}")));
    assert!(allowed(&format!("registry.example/a:1@{digest}")), "the digest is what is run");
    for image in [
        format!("registry.example/a@SHA256:{hex}"),
        format!("registry.example/a@sha256:{}", hex.to_uppercase()),
        format!("registry.example/a@sha512:{hex}{hex}"),
        format!("registry.example/a@{digest}@sha256:{other}"),
        format!("registry.example/a@sha256:{other}@{digest}"),
        format!("registry.example/a:sha256-{hex}"),
        format!("registry.example/a@{digest} "),
        format!(" registry.example/a@{digest}"),
        format!("registry.example/a@{digest}\n"),
        format!("registry.example/a@{digest}?a=b"),
        format!("registry.example/a:{digest}"),
        format!("@{digest}"),
        digest.clone(),
        hex.to_owned(),
    ] {
        assert!(!allowed(&image), "{image}");
    }
    // The namespace is what the API server says, and not what the object says of itself.
    let mut object = pod(&[json!({"name": "a", "image": format!("registry.example/a@{digest}")})]);
    object["metadata"] = json!({"namespace": "shop"});
    let mut review = review("CREATE", &object, &Value::Null);
    review["request"]["namespace"] = json!("test");
    let answer = service.ask("POST", "/v1/admission", None, Some(&review)).json();
    assert_eq!(answer["response"]["allowed"], false, "{answer}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn other_methods_paths_and_headers_are_no_way_around_a_right() {
    let site = Site::new();
    site.roll_out();
    let service = site.serve(&[]);
    let reason = json!({"reason": "because"});
    for (method, path) in [
        ("GET", "/v1/decisions/"),
        ("GET", "//v1/decisions"),
        ("GET", "/v1/./decisions"),
        ("GET", "/v1/decisions/../decisions"),
        ("GET", "/livez/../v1/decisions"),
        ("GET", "/v1%2fdecisions"),
        ("GET", "/V1/decisions"),
        ("GET", "/v1/decisions;a=b"),
        ("HEAD", "/v1/decisions"),
        ("OPTIONS", "/v1/decisions"),
        ("TRACE", "/v1/decisions"),
    ] {
        let answer = service.ask(method, path, None, None);
        assert!(matches!(answer.status, 401 | 404 | 405), "{method} {path}: {answer:?}");
        assert!(!answer.body.contains("log.created"), "{method} {path}: {answer:?}");
    }
    let target = "/v1/rollouts/payments-prod/rollback";
    for (method, path) in [
        ("GET", target.to_owned()),
        ("PUT", target.to_owned()),
        ("POST", format!("{target}?access_token={ALL}")),
        ("POST", format!("{target}/")),
        ("POST", "/v1/rollouts/payments-prod%2frollback/x".to_owned()),
    ] {
        let answer = service.ask(method, &path, Some(READER), Some(&reason));
        assert!(matches!(answer.status, 403..=405), "{method} {path}: {answer:?}");
    }
    let head = "POST /v1/rollouts/payments-prod/rollback HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 21\r\n";
    for header in [
        format!("Authorization: Bearer {READER}\r\nAuthorization: Bearer {ALL}"),
        format!("Authorization: Bearer {READER}, Bearer {ALL}"),
        format!("Authorization: Basic {ALL}"),
        format!("Authorization : Bearer {ALL}"),
        format!("Authorization: Bearer {READER}\r\n Bearer {ALL}"),
        format!("Cookie: Authorization=Bearer {ALL}"),
        format!("X-Forwarded-User: tester\r\nProxy-Authorization: Bearer {ALL}"),
        format!("X-HTTP-Method-Override: POST\r\nAuthorization: Bearer {READER}"),
    ] {
        let said = service.send(format!("{head}{header}\r\n\r\n{{\"reason\": \"because\"}}").as_bytes());
        let status = said.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "401" | "403"), "{header}: {said}");
    }
    // Two lengths, or a length and chunks, would hide one request in another.
    for lengths in
        ["Content-Length: 20\r\nContent-Length: 0", "Content-Length: 20\r\nTransfer-Encoding: chunked"]
    {
        let said = service.send(
            format!(
                "POST /v1/admission HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{lengths}\r\n\r\n0\r\n\r\n\
                 GET /v1/decisions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {NOBODY}\r\nConnection: close\r\n\r\n",
                NOBODY = "guess"
            )
            .as_bytes(),
        );
        assert!(!said.contains("log.created"), "{said}");
    }
}
