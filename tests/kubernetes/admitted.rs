//! What is rendered, before a real API server: every object is taken with strict validation, every Pod is one that
//! Pod Security's `restricted` takes, and mistakes are not.

use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::manifests;
use super::namespace::within;

const APPLY: [&str; 7] =
    ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--field-manager=laforge", "-f", "-"];

fn pods(object: &Value) -> Vec<Value> {
    let image = "registry.example/x@sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let places = ["/spec/template", "/spec/metrics/0/provider/job/spec/template"];
    let templates = places.into_iter().filter_map(|place| object.pointer(place));
    templates
        .map(|template| {
            let mut pod =
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "laforge"}});
            pod["spec"] = template["spec"].clone();
            // What Argo fills in.
            if pod["spec"]["containers"][0]["image"] == "{{args.image}}" {
                pod["spec"]["containers"][0]["image"] = json!(image);
            }
            pod
        })
        .collect()
}

#[test]
fn a_real_api_server_takes_every_manifest_and_every_pod_of_it() {
    within("admitted::a_real_api_server_takes_every_manifest_and_every_pod_of_it", |parts| {
        let plane = ControlPlane::start(parts);
        if !plane.define() {
            return;
        }
        let (mut files, mut judged) = (0, 0);
        for (name, objects) in manifests::all() {
            // The file as it is, by Go's own reader of YAML.
            let path = format!("{}/tests/kubernetes/manifests/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            let applied = plane.kubectl_with(&APPLY, &text).unwrap_or_else(|said| panic!("{name}: {said}"));
            assert_eq!(applied.lines().count(), objects.len(), "{applied}");
            files += 1;
            for pod in objects.iter().flat_map(pods) {
                let create = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
                let taken = plane.kubectl_with(&create, &pod.to_string());
                assert!(taken.is_ok(), "{name}: {taken:?}: {pod}");
                judged += 1;
            }
        }
        super::parts::tell(&format!("the API server took {files} files and {judged} Pods\n"));
        assert!(files >= 12 && judged >= 15, "{files} files, {judged} Pods");
        refuses_what_is_wrong(&plane);
        arguments_arrive(&plane);
    });
}

fn refuses_what_is_wrong(plane: &ControlPlane<'_>) {
    let wrong = |file: &str, kind: &str, change: &dyn Fn(&mut Value)| {
        let mut object = manifests::of(file).into_iter().find(|object| object["kind"] == kind).unwrap();
        change(&mut object);
        plane.kubectl_with(&APPLY, &object.to_string()).unwrap_err()
    };
    let route = "gateway-api-bluegreen";
    let said =
        wrong(route, "HTTPRoute", &|route| route["spec"]["rules"][0]["backendRefs"][0]["wieght"] = json!(1));
    assert!(said.contains("wieght"), "{said}");
    // A rule in CEL, which no JSON Schema checks.
    let said = wrong(route, "HTTPRoute", &|route| {
        route["spec"]["rules"][0]["matches"][0]["path"]["value"] = json!("//");
    });
    assert!(said.contains("must not contain '//'"), "{said}");
    let said =
        wrong(route, "Deployment", &|object| object["spec"]["selector"]["matchLabels"] = json!({"a": "b"}));
    assert!(said.contains("selector"), "{said}");
    // The namespace's enforcement is real: a Pod that asks for more is refused.
    let deployment = manifests::of(route).into_iter().find(|object| object["kind"] == "Deployment").unwrap();
    let mut pod = pods(&deployment).remove(0);
    pod["spec"]["securityContext"]["runAsNonRoot"] = json!(false);
    let create = ["create", "--dry-run=server", "-f", "-"];
    let said = plane.kubectl_with(&create, &pod.to_string()).unwrap_err();
    assert!(said.contains("violates PodSecurity"), "{said}");
}

/// Words that a reader of YAML 1.1 takes for something else come out of the API server as they went in.
fn arguments_arrive(plane: &ControlPlane<'_>) {
    let path = format!("{}/tests/kubernetes/manifests/gateway-api-staged.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let job = text.split("---\n").find(|document| document.contains("kind: Job")).unwrap();
    let shown = plane.kubectl_with(&[&APPLY[..], &["-o", "json"]].concat(), job).unwrap();
    let job: Value = serde_json::from_str(&shown).unwrap();
    let args = &job["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args, &json!(["migrate", "--note", "yes", "$$(HOME) costs $$$$5", "1e3", "~"]));
}
