//! What is admitted, and what a refusal says.

use serde_json::json;

use super::*;
use crate::release::digest::ClaimedDigest;

fn digest(of: &str) -> ClaimedDigest {
    format!("sha256:{}", of.repeat(64)).parse().unwrap()
}

fn clock() -> Timestamp {
    time::parse("2026-11-24T12:00:00Z").unwrap()
}

/// Digest a is allowed by entry 7, b was until an hour ago, c is rolled back.
fn webhook() -> Webhook {
    let hour = chrono::Duration::hours(1);
    let ledger = Ledger::holding(&[
        ("production", digest("a"), 7, clock() + hour, None),
        ("production", digest("b"), 5, clock() - hour, None),
        ("production", digest("c"), 6, clock() + hour, Some(9)),
        ("staging", digest("d"), 8, clock() + hour, None),
    ]);
    let admission = Admission {
        environment: "production".to_owned(),
        namespaces: [("test".to_owned(), "staging".to_owned())].into(),
        valid_for: None,
        callers: crate::config::service::Callers::Anyone,
    };
    Webhook {
        admission,
        ledger: Arc::new(ledger),
        meter: Arc::default(),
        readers: Arc::new(Semaphore::new(READERS)),
        clock,
    }
}

fn pod(images: &[&str]) -> Value {
    let container = |image: &&str| json!({"name": "app", "image": image});
    let containers: Vec<Value> = images.iter().map(container).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}})
}

fn asked(operation: &str, namespace: &str, object: Value, old: Value) -> Finding {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": operation, "namespace": namespace, "object": object, "oldObject": old}});
    webhook().find(&parsed(review.to_string().as_bytes()).unwrap().request)
}

fn image(of: &str) -> String {
    format!("registry.example/app@{}", digest(of))
}

#[test]
fn an_allowed_digest_is_admitted_in_its_environment_alone() {
    let found = |namespace: &str, of: &str| asked("CREATE", namespace, pod(&[&image(of)]), Value::Null);
    assert_eq!(found("shop", "a"), Finding::Admitted("entry 7 of log.example".to_owned()));
    assert_eq!(found("test", "d"), Finding::Admitted("entry 8 of log.example".to_owned()));
    for (namespace, of) in [("test", "a"), ("shop", "d"), ("shop", "e")] {
        let Finding::Refused(why) = found(namespace, of) else { panic!("{namespace} {of}") };
        assert!(why.contains("the log holds no allow of image"), "{why}");
    }
}

#[test]
fn an_environment_that_no_gate_of_the_log_may_decide_for_admits_nothing() {
    let mut webhook = webhook();
    webhook.admission.namespaces.insert("lab".to_owned(), "development".to_owned());
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": "CREATE", "namespace": "lab", "object": pod(&[&image("a")])}});
    let found = webhook.find(&parsed(review.to_string().as_bytes()).unwrap().request);
    let Finding::Refused(why) = found else { panic!("{found:?}") };
    assert!(why.contains("trust lets no gate of this log decide for `development`"), "{why}");
}

#[test]
fn every_container_has_to_be_allowed() {
    let both = asked("CREATE", "shop", pod(&[&image("a"), &image("e")]), Value::Null);
    assert!(matches!(both, Finding::Refused(why) if why.contains("spec.containers[1]")));
    let mut object = pod(&[&image("a")]);
    object["spec"]["initContainers"] = json!([{"name": "init", "image": "busybox"}]);
    let said = "laforge: spec.initContainers[0] (init): image `busybox` is pinned by no digest: write \
                `repository@sha256:…`";
    assert_eq!(asked("CREATE", "shop", object, Value::Null), Finding::Refused(said.to_owned()));
}

#[test]
fn a_refusal_says_what_would_mend_it() {
    for (of, said) in [("b", "until 2026-11-24T11:00:00Z"), ("c", "rolled back by entry 9")] {
        let found = asked("CREATE", "shop", pod(&[&image(of)]), Value::Null);
        assert!(matches!(&found, Finding::Refused(why) if why.contains(said)), "{found:?}");
    }
}

#[test]
fn an_update_that_brings_nothing_is_admitted() {
    let old = pod(&["busybox", &image("b")]);
    let found = asked("UPDATE", "shop", pod(&[&image("b")]), old.clone());
    assert_eq!(found, Finding::Admitted("it brings no image that was not there".to_owned()));
    assert!(matches!(asked("UPDATE", "shop", pod(&[&image("e")]), old), Finding::Refused(_)));
    // A tag that was there may mean other bytes now, and a member of two readings is not read.
    let said = asked("UPDATE", "shop", pod(&["busybox"]), pod(&["busybox"]));
    assert!(matches!(&said, Finding::Refused(why) if why.contains("pinned by no digest")), "{said:?}");
    let twofold = |text: &str| {
        let mut pod = pod(&[&image("b")]);
        pod["spec"]["containers"][0]["Image"] = json!(text);
        pod
    };
    let said = asked("UPDATE", "shop", twofold(&image("e")), twofold(&image("b")));
    assert!(matches!(&said, Finding::Refused(why) if why.contains("to some readers")), "{said:?}");
    // What is created has no before, whatever the review says.
    assert!(matches!(asked("CREATE", "shop", pod(&["busybox"]), pod(&["busybox"])), Finding::Refused(_)));
}

#[test]
fn a_revision_that_a_controller_goes_back_to_is_asked_about_as_what_it_holds() {
    let revision = |template: Value| {
        json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "db-1"}, "revision": 1,
               "data": {"spec": {"template": template}}})
    };
    let of = |image: &str| {
        revision(json!({"$patch": "replace", "spec": {"containers": [{"name": "db", "image": image}]}}))
    };
    assert!(matches!(asked("CREATE", "shop", of(&image("a")), Value::Null), Finding::Admitted(_)));
    for (template, why) in [
        (of(&image("e")), "the log holds no allow of image"),
        (of("busybox"), "pinned by no digest"),
        // Merged into the set, whose image it would run with another command.
        (revision(json!({"spec": {"containers": [{"name": "db", "command": ["sh"]}]}})), "names no image"),
        (
            revision(json!({"spec": {"containers": [{"name": "db", "image": image("a"), "Image": "b"}]}})),
            "to some readers",
        ),
        (revision(json!({"spec": {"Containers": [{"name": "db", "image": image("a")}]}})), "to some readers"),
    ] {
        let said = asked("CREATE", "shop", template, Value::Null);
        assert!(matches!(&said, Finding::Refused(found) if found.contains(why)), "{said:?}");
    }
    let template = json!({"apiVersion": "v1", "kind": "PodTemplate",
                          "template": {"spec": {"containers": [{"name": "db", "image": "busybox"}]}}});
    assert!(matches!(asked("CREATE", "shop", template, Value::Null), Finding::Refused(_)));
}

#[test]
fn what_runs_nothing_new_is_admitted_and_what_is_not_known_is_not() {
    for operation in ["DELETE", "CONNECT"] {
        assert!(matches!(asked(operation, "shop", Value::Null, pod(&["x"])), Finding::Admitted(_)));
    }
    let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"app": "a"}}});
    assert!(matches!(asked("CREATE", "shop", service, Value::Null), Finding::Admitted(_)));
    for (operation, object) in [("PATCH", pod(&[&image("a")])), ("CREATE", Value::Null), ("", Value::Null)] {
        assert!(matches!(asked(operation, "shop", object, Value::Null), Finding::Refused(_)), "{operation}");
    }
}

#[test]
fn nothing_is_admitted_while_the_log_cannot_be_read() {
    let webhook = Webhook { ledger: Arc::new(Ledger::unread()), ..webhook() };
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                        "request": {"uid": "u", "operation": "CREATE", "object": pod(&[&image("a")])}});
    let found = webhook.find(&parsed(review.to_string().as_bytes()).unwrap().request);
    assert!(matches!(found, Finding::Unknown(_)), "{found:?}");
}

#[test]
fn what_is_no_review_is_said_to_be_none() {
    for text in [
        "",
        "{}",
        r#"{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "CREATE"}}"#,
        r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "", "operation": "CREATE"}}"#,
        r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"operation": "CREATE"}}"#,
    ] {
        assert!(parsed(text.as_bytes()).is_err(), "{text}");
    }
}
