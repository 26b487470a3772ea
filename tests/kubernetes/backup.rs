//! `deploy/k8s/backup.yaml`, before a real API server: every object is taken with strict validation, and the Pods are
//! such as Pod Security's `restricted` takes.

use std::path::Path;

use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::manifests;
use super::namespace::within;

const APPLY: [&str; 7] =
    ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--namespace=laforge", "-f", "-"];

#[test]
fn a_real_api_server_takes_the_backup_and_its_pods() {
    within("backup::a_real_api_server_takes_the_backup_and_its_pods", |parts| {
        let plane = ControlPlane::start(parts);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/k8s/backup.yaml");
        let objects = manifests::documents(&path);
        let applied = plane.kubectl_with(&APPLY, &std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!((applied.lines().count(), objects.len()), (6, 6), "{applied}");
        let pods: Vec<Value> = objects.iter().filter_map(pod).collect();
        assert_eq!(pods.len(), 2);
        let create = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
        for pod in &pods {
            plane.kubectl_with(&create, &pod.to_string()).unwrap();
            let mut asks_for_more = pod.clone();
            asks_for_more["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({});
            let said = plane.kubectl_with(&create, &asks_for_more.to_string()).unwrap_err();
            assert!(said.contains("violates PodSecurity"), "{said}");
        }
        // What the Pods mount is there, and each has a policy of its own that selects it.
        let policies: Vec<&Value> = objects.iter().filter(|one| one["kind"] == "NetworkPolicy").collect();
        for pod in &pods {
            let labels = &pod["metadata"]["labels"];
            let of_it = policies.iter().filter(|one| one["spec"]["podSelector"]["matchLabels"] == *labels);
            assert_eq!(of_it.count(), 1, "{labels}");
        }
    });
}

/// The Pod of a scheduled job.
fn pod(object: &Value) -> Option<Value> {
    let template = object.pointer("/spec/jobTemplate/spec/template")?;
    Some(json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
        "metadata": {"name": "p", "namespace": "laforge", "labels": template["metadata"]["labels"]},
    }))
}
