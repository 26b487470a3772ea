//! `deploy/` on a real control plane: every object is taken with strict validation, every Pod of it is one that Pod
//! Security's `restricted` takes, and what is installed becomes available; then the same by helm, blue and green.

use serde_json::{Value, json};

use super::chart::{self, deploy};
use super::control_plane::ControlPlane;
use super::manifests;
use super::namespace::within;
use super::nodes;
use super::parts::tell;

const APPLY: [&str; 7] =
    ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--namespace=laforge", "-f", "-"];
const CREATE: [&str; 5] = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];

/// The Pods that an object makes, or is.
fn pod(object: &Value) -> Option<Value> {
    let template = match object["kind"].as_str()? {
        "Pod" => object,
        "CronJob" => object.pointer("/spec/jobTemplate/spec/template")?,
        _ => object.pointer("/spec/template")?,
    };
    Some(json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
        "metadata": {"name": "p", "namespace": "laforge", "labels": template["metadata"]["labels"]},
    }))
}

/// One object is taken; so is its Pod, unless it asks for more.
fn is_taken(plane: &ControlPlane<'_>, from: &str, objects: &[Value]) -> usize {
    let pods: Vec<Value> = objects.iter().filter_map(pod).collect();
    for pod in &pods {
        if let Some(account) = pod["spec"]["serviceAccountName"].as_str() {
            // Dry runs have left none behind; it may be there by now.
            let _ = plane.kubectl(&["-n", "laforge", "create", "serviceaccount", account]);
        }
        let taken = plane.kubectl_with(&CREATE, &pod.to_string());
        assert!(taken.is_ok(), "{from}: {taken:?}: {pod}");
        for (place, more) in [
            ("/spec/containers/0/securityContext/capabilities", json!({})),
            ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
            ("/spec/securityContext/runAsNonRoot", json!(false)),
            ("/spec/securityContext/seccompProfile", json!({"type": "Unconfined"})),
        ] {
            let mut asks = pod.clone();
            *asks.pointer_mut(place).unwrap() = more;
            let said = plane.kubectl_with(&CREATE, &asks.to_string()).unwrap_err();
            assert!(said.contains("violates PodSecurity"), "{from}: {place}: {said}");
        }
        has_what_a_pod_of_ours_has(from, &pod["spec"]);
    }
    pods.len()
}

fn has_what_a_pod_of_ours_has(from: &str, spec: &Value) {
    assert_eq!(spec["automountServiceAccountToken"], false, "{from}");
    for container in spec["containers"].as_array().unwrap() {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{from}");
        assert!(container["image"].as_str().unwrap().contains("@sha256:"), "{from}: {}", container["image"]);
        assert!(container.pointer("/resources/limits/memory").is_some(), "{from}");
    }
}

#[test]
fn a_real_api_server_takes_everything_under_deploy() {
    within("deployed::a_real_api_server_takes_everything_under_deploy", |parts| {
        let Some(argo) = super::parts::rollouts() else { return };
        let plane = ControlPlane::start(parts);
        plane.define_all(&parts.path("definitions"));
        plane.define_all(&argo.path("definitions"));
        let mut sources = Vec::new();
        for name in ["namespace", "runtime", "studio", "init", "ingress", "webhook", "backup"] {
            let text = std::fs::read_to_string(deploy(&format!("k8s/{name}.yaml"))).unwrap();
            sources.push((format!("k8s/{name}.yaml"), text));
        }
        for (name, flags) in chart::values() {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            sources.push((format!("helm, {name}"), chart::rendered(parts, &flags).unwrap()));
        }
        let (mut taken, mut pods) = (0, 0);
        for (from, text) in &sources {
            let objects = manifests::read(text);
            let mut apply = APPLY.to_vec();
            apply.retain(|flag| *flag != "--namespace=laforge" || !from.contains("namespace"));
            let applied = plane.kubectl_with(&apply, text).unwrap_or_else(|said| panic!("{from}: {said}"));
            assert_eq!(applied.lines().count(), objects.len(), "{from}: {applied}");
            taken += objects.len();
            pods += is_taken(&plane, from, &objects);
            every_pod_has_a_policy(from, &objects);
        }
        tell(&format!("the API server took {taken} objects of {} sources, {pods} Pods\n", sources.len()));
        refuses_mistakes(&plane);
    });
}

/// Nothing of ours can be reached, or reaches out, but by a policy; where policies are not switched off.
fn every_pod_has_a_policy(from: &str, objects: &[Value]) {
    let policies: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "NetworkPolicy").collect();
    if policies.is_empty() {
        return;
    }
    for pod in objects.iter().filter(|object| object["kind"] != "Pod").filter_map(pod) {
        let labels = pod["metadata"]["labels"].as_object().unwrap();
        let selects = |policy: &&&Value| {
            let wanted = policy["spec"]["podSelector"]["matchLabels"].as_object().unwrap();
            !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        let of_it: Vec<&&Value> = policies.iter().filter(selects).collect();
        assert_eq!(of_it.len(), 1, "{from}: {labels:?}");
        assert_eq!(of_it[0]["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{from}");
    }
}

/// That a mistake would have been seen: a misspelt field, a rule of CEL, an expression that does not compile.
fn refuses_mistakes(plane: &ControlPlane<'_>) {
    let refused = |file: &str, kind: &str, change: &dyn Fn(&mut Value)| {
        let objects = manifests::documents(&deploy(&format!("k8s/{file}.yaml")));
        let mut object = objects.into_iter().find(|object| object["kind"] == kind).unwrap();
        change(&mut object);
        plane.kubectl_with(&APPLY, &object.to_string()).unwrap_err()
    };
    let said = refused("runtime", "Deployment", &|object| object["spec"]["replica"] = json!(2));
    assert!(said.contains("replica"), "{said}");
    let said = refused("ingress", "HTTPRoute", &|object| {
        object["spec"]["rules"][0]["matches"][0]["path"]["value"] = json!("//")
    });
    assert!(said.contains("must not contain '//'"), "{said}");
    let said = refused("webhook", "ValidatingWebhookConfiguration", &|object| {
        object["webhooks"][0]["matchConditions"][0]["expression"] = json!("object.spec.");
    });
    assert!(said.contains("Syntax error"), "{said}");
    let said = refused("webhook", "ValidatingWebhookConfiguration", &|object| {
        object["webhooks"][0]["sideEffects"] = json!("Some");
    });
    assert!(said.contains("sideEffects"), "{said}");
}

/// A volume that the log's claim binds to, as a cluster's storage would make it.
pub const VOLUME: &str = r#"{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "log"},
  "spec": {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
           "hostPath": {"path": "/var/lib/log"}}}"#;

#[test]
fn what_is_installed_becomes_available_and_green_takes_over_from_blue() {
    within("deployed::what_is_installed_becomes_available_and_green_takes_over_from_blue", |parts| {
        let mut plane = ControlPlane::start(parts);
        nodes::start(&mut plane, parts);
        plane.kubectl_with(&["create", "-f", "-"], VOLUME).unwrap();
        let folder = deploy("k8s");
        plane.kubectl_ok(&["apply", "--server-side", "-k", folder.to_str().unwrap()]);
        let wait = ["wait", "--for=condition=Available", "deployment/laforge-runtime", "--timeout=60s"];
        plane.kubectl_ok(&[&["-n", "laforge"], &wait[..]].concat());
        assert_eq!(plane.get("pvc", "laforge-log")["status"]["phase"], "Bound");
        plane.wait("a Pod that may be evicted", |plane| {
            plane.get("pdb", "laforge-runtime")["status"]["disruptionsAllowed"] == 1
        });
        // A node is drained, although there is one replica and the webhook fails closed.
        plane.kubectl_ok(&["cordon", "node-0"]);
        let drain = ["drain", "node-0", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"];
        plane.kubectl_ok(&drain);
        plane.kubectl_ok(&["uncordon", "node-0"]);
        plane.kubectl_ok(&["delete", "-k", folder.to_str().unwrap(), "--timeout=60s"]);

        plane.kubectl_ok(&["create", "namespace", "gate"]);
        plane.kubectl_ok(&["delete", "pv", "log", "--timeout=60s"]);
        plane.kubectl_with(&["create", "-f", "-"], VOLUME).unwrap();
        let chart = deploy("helm/laforge");
        let values = deploy("helm/laforge/ci/blue-green-values.yaml");
        let helm = |verb: &str, more: &[&str]| {
            let mut command = parts.command("helm");
            command.args([
                verb,
                "laforge",
                chart.to_str().unwrap(),
                "-n",
                "gate",
                "-f",
                values.to_str().unwrap(),
            ]);
            command.args(["--wait", "--timeout=90s"]).args(more);
            command.env("KUBECONFIG", plane.kubeconfig()).env("HOME", plane.path("home"));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let notes = helm("install", &[]);
        assert!(notes.contains("Requests go to the blue slot"), "{notes}");
        assert_eq!(serving(&plane), ["2.3.1", "2.3.1"]);
        let notes = helm("upgrade", &["--set", "runtime.blueGreen.active=green"]);
        assert!(notes.contains("Requests go to the green slot"), "{notes}");
        plane.wait("green alone", |plane| serving(plane) == ["2.4.0", "2.4.0"]);
    });
}

/// The versions of the Pods that the runtime's Service sends to, by its own endpoints.
fn serving(plane: &ControlPlane<'_>) -> Vec<String> {
    let slices = [
        "-n",
        "gate",
        "get",
        "endpointslice",
        "-l",
        "kubernetes.io/service-name=laforge-runtime",
        "-o",
        "json",
    ];
    let slices: Value = serde_json::from_str(&plane.kubectl_ok(&slices)).unwrap();
    let endpoints = slices["items"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|slice| slice["endpoints"].as_array().unwrap().clone());
    let pods = endpoints.map(|endpoint| endpoint["targetRef"]["name"].as_str().unwrap().to_owned());
    let version = r"jsonpath={.metadata.labels.app\.kubernetes\.io/version}";
    pods.map(|pod| plane.kubectl_ok(&["-n", "gate", "get", "pod", &pod, "-o", version])).collect()
}
