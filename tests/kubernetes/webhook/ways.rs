//! Each way in which a Pod comes to a node: every kind that one is made of, the revision that a controller goes back to,
//! and what was there before the webhook was.

use serde_json::{Value, json};

use super::super::parts::tell;
use super::{REFUSED, Site};

/// One object of each kind that runs this image.
fn objects(image: &str) -> Vec<Value> {
    let pod =
        |restart: &str| json!({"restartPolicy": restart, "containers": [{"name": "app", "image": image}]});
    let template = |restart: &str| json!({"metadata": {"labels": {"app": "kind"}}, "spec": pod(restart)});
    let always = template("Always");
    let job = json!({"template": template("Never")});
    let none = json!({"replicas": 0, "selector": {"matchLabels": {"app": "kind"}}, "template": always});
    let with = |name: &str, value: Value| {
        let mut spec = none.clone();
        spec[name] = value;
        spec
    };
    let daemon = json!({"selector": {"matchLabels": {"app": "kind"}}, "template": always});
    let kinds = [
        ("v1", "Pod", json!({"spec": pod("Always")})),
        ("v1", "PodTemplate", json!({"template": always})),
        ("v1", "ReplicationController", json!({"spec": with("selector", json!({"app": "kind"}))})),
        ("apps/v1", "ReplicaSet", json!({"spec": none})),
        ("apps/v1", "Deployment", json!({"spec": none})),
        ("apps/v1", "StatefulSet", json!({"spec": with("serviceName", json!("kind"))})),
        ("apps/v1", "DaemonSet", json!({"spec": daemon})),
        ("batch/v1", "Job", json!({"spec": job})),
        ("batch/v1", "CronJob", json!({"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}})),
        ("apps/v1", "ControllerRevision", json!({"revision": 1, "data": {"spec": {"template": always}}})),
    ];
    let named = |(api, kind, mut object): (&str, &str, Value)| {
        object["apiVersion"] = json!(api);
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": "kind", "namespace": "payments"});
        object
    };
    kinds.into_iter().map(named).collect()
}

/// One object of each kind, each refused for its image and made with the one that is allowed.
pub(super) fn every_kind_that_a_pod_is_made_of(site: &Site<'_>) {
    let create = ["create", "--validate=strict", "-f", "-"];
    let refused = [
        (format!("registry.example/other@sha256:{}", "2".repeat(64)), "the log holds no allow of image"),
        ("registry.example/payments:2.4.0".to_owned(), "is pinned by no digest"),
        ("registry.example/payments".to_owned(), "is pinned by no digest"),
    ];
    for (image, why) in refused {
        for object in objects(&image) {
            let said = site.plane.kubectl_with(&create, &object.to_string()).unwrap_err();
            assert!(said.contains("denied the request: laforge: ") && said.contains(why), "{said}: {object}");
        }
    }
    for object in objects(&site.approved()) {
        let made = site.plane.kubectl_with(&create, &object.to_string());
        assert!(made.is_ok(), "{made:?}: {object}");
        // A label changes nothing that runs, whatever the kind.
        site.plane.kubectl_ok(&[
            "-n",
            "payments",
            "label",
            object["kind"].as_str().unwrap(),
            "kind",
            "team=payments",
        ]);
    }
    site.plane.kubectl_ok(&["-n", "payments", "delete", "daemonset,job,pod", "kind"]);
}

/// What was there before the webhook, by a tag, which may mean other bytes by now.
pub(super) fn a_tag_that_was_there_before(site: &Site<'_>) {
    let default = |arguments: &[&str]| site.plane.kubectl(&[&["-n", "default"], arguments].concat());
    for change in [&["label", "deployment/old", "team=a"][..], &["scale", "deployment/old", "--replicas=0"]] {
        let output = default(change);
        assert!(output.status.success(), "{change:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Pods would be made anew, of whatever the tag means now.
    for change in [&["set", "env", "deployment/old", "A=b"][..], &["rollout", "restart", "deployment/old"]] {
        let output = default(change);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("is pinned by no digest"), "{change:?}: {said}");
    }
    let output = default(&["set", "image", "deployment/old", &format!("old={}", site.approved())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A StatefulSet's controller makes the Pods below a partition of the ControllerRevision that the status names. Whoever
/// can make one of that name could run anything, by a controller that is not asked about.
pub(super) fn the_revision_that_a_set_goes_back_to(site: &Site<'_>) {
    let run = |arguments: &[&str]| site.plane.kubectl_ok(&[&["-n", "payments"], arguments].concat());
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "payments"}, "spec": {
        "replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
        "updateStrategy": {"rollingUpdate": {"partition": 1}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": site.approved()}]}}}});
    site.plane.kubectl_with(&["create", "-f", "-"], &set.to_string()).unwrap();
    // Its controller may make the revision, and the Pod.
    site.plane.wait("the Pod of the set", |plane| {
        plane.kubectl(&["-n", "payments", "get", "pod", "db-0"]).status.success()
    });
    let name = run(&["get", "statefulset", "db", "-o", "jsonpath={.status.currentRevision}"]);
    let mut revision: Value =
        serde_json::from_str(&run(&["get", "controllerrevision", &name, "-o", "json"])).unwrap();
    for member in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        revision["metadata"].as_object_mut().unwrap().remove(member);
    }
    let containers = revision["data"]["spec"]["template"]["spec"]["containers"].clone();
    let create = ["create", "-f", "-"];
    run(&["delete", "controllerrevision", &name]);
    for (image, why) in [
        (
            json!(format!("registry.example/other@sha256:{}", "2".repeat(64))),
            "the log holds no allow of image",
        ),
        (json!("registry.example/payments:2.4.0"), "is pinned by no digest"),
        (json!(""), "names no image"),
    ] {
        revision["data"]["spec"]["template"]["spec"]["containers"] = containers.clone();
        revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"] = image;
        let said = site.plane.kubectl_with(&create, &revision.to_string()).unwrap_err();
        tell(&format!("$ kubectl create -f controllerrevision.json\n{said}\n"));
        assert!(said.contains(REFUSED) && said.contains(why), "{said}");
    }
    run(&["delete", "statefulset", "db"]);
}
