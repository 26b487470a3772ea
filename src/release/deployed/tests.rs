//! Manifests told as sentences: which images are seen, and what is refused.

use super::*;

const A: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const B: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn file(path: &str, text: &str) -> ManifestFile {
    ManifestFile { path: path.into(), shown: format!("deploy/{path}"), bytes: text.as_bytes().to_vec() }
}

fn read(text: &str) -> Result<Deployed, DocumentError> {
    Deployed::read(&[file("app.yaml", text)])
}

fn refused(text: &str) -> String {
    read(text).map(|deployed| format!("taken: {deployed:?}")).unwrap_or_else(|error| error.to_string())
}

/// Names of the images, and `container: reason` of those without a digest.
fn told(text: &str) -> (Vec<String>, Vec<String>) {
    let deployed = read(text).unwrap();
    let unpinned = deployed
        .inventory
        .unpinned
        .iter()
        .map(|it| format!("{} {}: {}", it.place, it.container, it.reason))
        .collect();
    (deployed.images.iter().map(|(repository, digest)| format!("{repository}@{digest}")).collect(), unpinned)
}

#[test]
fn finds_every_image_of_every_kind_that_bears_pods() {
    let spec = format!(
        "containers: [{{name: app, image: 'r/a:v1@{A}'}}], initContainers: [{{name: init, image: 'r/b@{A}'}}], \
         ephemeralContainers: [{{name: debug, image: 'r/c@{B}'}}], \
         volumes: [{{name: model, image: {{reference: 'r/d@{B}', pullPolicy: Never}}}}]"
    );
    let expected = [format!("r/a@{A}"), format!("r/b@{A}"), format!("r/c@{B}"), format!("r/d@{B}")];
    for (kind, before, after) in [
        ("Pod", "spec: {", "}"),
        ("PodTemplate", "template: {spec: {", "}}"),
        ("Deployment", "spec: {template: {spec: {", "}}}"),
        ("StatefulSet", "spec: {template: {spec: {", "}}}"),
        ("DaemonSet", "spec: {template: {spec: {", "}}}"),
        ("ReplicaSet", "spec: {template: {spec: {", "}}}"),
        ("ReplicationController", "spec: {template: {spec: {", "}}}"),
        ("Job", "spec: {template: {spec: {", "}}}"),
        ("CronJob", "spec: {jobTemplate: {spec: {template: {spec: {", "}}}}}"),
        ("Rollout", "spec: {template: {spec: {", "}}}"),
        ("SomethingNew", "spec: {podTemplate: {spec: {", "}}}"),
        ("Service", "spec: {template: {spec: {", "}}}"),
        ("Odd", "deep: [[{er: {", "}}]]"),
    ] {
        let text = format!("apiVersion: x/v1\nkind: {kind}\nmetadata: {{name: p}}\n{before}{spec}{after}\n");
        assert_eq!(told(&text), (expected.to_vec(), vec![]), "{kind}");
        let list = format!("apiVersion: v1\nkind: {kind}List\nitems:\n- {}", text.replace('\n', "\n  "));
        assert_eq!(told(&list), (expected.to_vec(), vec![]), "{kind}List");
    }
}

#[test]
fn points_at_each_image_without_a_digest() {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: payments\nspec:\n  template:\n    spec:\n      \
         containers:\n      - name: app\n        image: r/a:v1\n      - name: side\n        image: \"r/b@{A}\"\n      \
         - name: none\n      - name: null\n        image:\n      initContainers:\n      - {{name: bad, image: 'A b'}}\n"
    );
    let (images, unpinned) = told(&text);
    assert_eq!(images, [format!("r/b@{A}")]);
    assert_eq!(
        unpinned,
        [
            "deploy/app.yaml:10:16 Deployment/payments container app: image `r/a:v1` has no digest",
            "deploy/app.yaml:13:9 Deployment/payments container none: names no image, so that something in \
             the cluster would choose one",
            "deploy/app.yaml:15:9 Deployment/payments spec.template.spec.containers[3].image: names no image, \
             so that something in the cluster would choose one",
            "deploy/app.yaml:17:28 Deployment/payments init container bad: `A b` is not an image reference: \
             expected `repository@sha256:…`",
        ]
    );
}

#[test]
fn refuses_what_two_readers_could_read_two_ways() {
    let pod = "apiVersion: v1\nkind: Pod\n";
    for (text, reason) in [
        ("spec: {a: 1, a: 2}\n", "3:14: the member `a` appears twice"),
        ("a: &a {x: 1}\nspec: {<<: *a}\n", "4:8: a merge key"),
        ("a: &a {x: 1}\nspec: {'<<': *a}\n", "a merge key"),
        ("spec: !!binary aW1hZ2U=\n", "a tag that changes"),
        ("spec: !custom {a: 1}\n", "a tag that changes"),
        ("spec: {Image: evil}\n", "3:8: `Image` is `image` to some readers"),
        ("spec: {conta\u{131}ners: []}\n", "taken"),
        ("spec: {initContainer\u{17f}: []}\n", "is `initContainers` to some readers"),
        ("Kind: Pod\n", "`Kind` is `kind` to some readers"),
        ("spec: {image: {Reference: evil}}\n", "`Reference` is `reference`"),
        ("a: 1 # x\u{85}image: evil\n", "3:9: the character U+0085 ends a line for some readers"),
        ("a: 1 # x\u{2028}image: evil\n", "U+2028"),
        ("\u{feff}image: evil\n", "U+FEFF is a byte order mark"),
        ("a: 1 # x\rimage: evil\n", "U+000D ends a line for some readers"),
        ("a: \"\u{7}\"\n", "U+0007 is a control character"),
        ("...\napiVersion: v1\nkind: Pod\n", "read by some tools only"),
        ("--- {kind: Pod}\n", "`---` and something else in one line"),
        ("---x: 1\n", "`---` and something else in one line"),
        ("a: 'x\n---\ny'\n", "is not YAML"),
        ("a: &a [*a]\n", "an alias within its own anchor"),
        ("a: &a 1\nb: &a 2\n", "the anchor `a` appears twice"),
        ("a: *b\n", "is not YAML"),
        ("? [a]\n: 1\n", "a key that is no text"),
        ("%YAML 1.1\n", "is not YAML"),
        ("\ta: 1\n", "is not YAML"),
        ("a: [1\n", "is not YAML"),
        ("{{ .Values.image }}\n", "is not YAML"),
    ] {
        let said = refused(&format!("{pod}{text}"));
        assert!(said.contains(reason), "{text:?}: {said}");
    }
    for (text, reason) in [
        ("%YAML 1.1\n---\na: 1\n", "is not YAML"),
        ("- 1\n", "is no Kubernetes object"),
        ("a: 1\n", "is no Kubernetes object"),
        ("kind: Pod\n", "`apiVersion` or `kind` is missing"),
        ("# nothing\n---\n", "nothing to deploy is never a pass"),
        ("", "nothing to deploy is never a pass"),
        ("{\"kind\": \"Pod\", \"apiVersion\": \"v1\"}\n{\"kind\": \"Pod\"}\n", "is not"),
        ("{\"kind\": \"Pod\", \"apiVersion\": \"v1\", }\n", "begins as JSON, and is not one JSON value"),
        ("{kind: Pod, apiVersion: v1}\n", "begins as JSON, and is not one JSON value"),
    ] {
        let said = refused(text);
        assert!(said.contains(reason), "{text:?}: {said}");
    }
}

#[test]
fn opens_lists_whatever_the_kind_says() {
    let pod = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{{name: a, image: 'r/a@{A}'}}]}}}}"
    );
    for text in [
        format!("apiVersion: v1\nkind: ConfigMap\nitems: [{pod}]\n"),
        format!(
            "apiVersion: v1\nkind: List\nitems: [null, {{apiVersion: v1, kind: List, items: [{pod}]}}]\n"
        ),
        format!("# comment\n---\n---\n# another\napiVersion: v1\nkind: List\nitems: [{pod}]\n---\n"),
        format!("apiVersion: v1\r\nkind: List\r\nitems:\r\n- &p {pod}\r\n- *p\r\n"),
    ] {
        assert_eq!(told(&text), (vec![format!("r/a@{A}")], vec![]), "{text}");
    }
}

#[test]
fn an_item_that_says_not_what_it_is_is_what_its_list_is_of() {
    let list = |item: &str| {
        format!(
            "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- {{{item}metadata: {{name: web}}, spec: {{replicas: 3}}}}\n"
        )
    };
    // Numbers, truth values and empty texts are no names to whoever looks for a text.
    for item in
        ["", "apiVersion: '', kind: \"\", ", "apiVersion: null, kind: ~, ", "apiVersion: 5, kind: yes, "]
    {
        let (images, unpinned) = told(&list(item));
        assert!(images.is_empty() && unpinned.len() == 1, "{item}: {unpinned:?}");
        assert!(unpinned[0].contains("Deployment/web: names no image"), "{unpinned:?}");
    }
    for item in ["kind: Deployment, ", "apiVersion: v1, ", "apiVersion: v1, kind: 5, "] {
        let said = refused(&list(item));
        assert!(said.contains("`apiVersion` or `kind` is missing"), "{item}: {said}");
    }
    let plain = "apiVersion: v1\nkind: List\nitems: [{metadata: {name: web}}]\n";
    assert!(refused(plain).contains("`apiVersion` or `kind` is missing"), "{}", refused(plain));
}

#[test]
fn items_hide_no_object_that_is_no_list() {
    let item = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{{name: a, image: 'r/a@{A}'}}]}}}}"
    );
    let spec = "spec: {template: {spec: {containers: [{name: app}]}}}";
    for (items, images) in [
        ("[]".to_owned(), vec![]),
        ("[null]".to_owned(), vec![]),
        (format!("[{item}]"), vec![format!("r/a@{A}")]),
    ] {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nitems: {items}\n{spec}\n"
        );
        let (found, unpinned) = told(&text);
        assert_eq!(found, images, "{items}");
        assert_eq!(unpinned.len(), 1, "{items}: {unpinned:?}");
        assert!(unpinned[0].contains("Deployment/web container app: names no image"), "{unpinned:?}");
    }
    let bare =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nitems: []\nspec: {replicas: 3}\n";
    let deployed = read(bare).unwrap();
    assert_eq!((deployed.inventory.objects, deployed.inventory.unpinned.len()), (1, 1));
}

#[test]
fn reads_json_as_well() {
    let text = format!(
        "\n {{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": \"p\"}},\n\t\"spec\": {{\"containers\": [{{\"name\": \"a\", \"image\": \"r\\/a@{A}\"}}]}}}}\n"
    );
    assert_eq!(told(&text), (vec![format!("r/a@{A}")], vec![]));
}

#[test]
fn takes_labels_and_data_for_what_they_are() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {image: web}}\ndata: {image: nginx}\n---\n\
                apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {image: web}}\n---\n\
                apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: d}\n\
                spec: {default: {image: nginx}}\n";
    assert_eq!(told(text), (vec![], vec![]));
    let deployed = read(text).unwrap();
    let kinds: Vec<_> =
        deployed.inventory.without_images.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    assert_eq!(kinds, ["ConfigMap 1", "CustomResourceDefinition 1", "Service 1"]);
    assert_eq!(deployed.inventory.objects, 3);
    // What stands beside `items` is a Pod's to whoever takes it for one.
    let beside = "apiVersion: v1\nkind: Pod\nitems: []\nspec: {containers: [{name: a, image: nginx}]}\n---\n\
                  apiVersion: v1\nkind: ConfigMap\n";
    assert_eq!(told(beside).1.len(), 1);
    // Data is that of a ConfigMap alone, and a label's name hides no list of containers.
    for text in [
        "apiVersion: acme.test/v1\nkind: ConfigMap\ndata: {image: nginx}\n",
        "apiVersion: v1\nkind: Service\nspec: {selector: {containers: [{name: a, image: nginx}]}}\n",
    ] {
        assert_eq!(told(text).1.len(), 1, "{text}");
    }
}

#[test]
fn asks_for_the_workload_that_a_rollout_takes_its_pods_from() {
    let rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\nspec:\n  \
                   workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d}\n";
    assert_eq!(
        told(rollout).1,
        [
            "deploy/app.yaml:5:16 Rollout/r: takes its Pods from `Deployment/d`, which is not among these manifests"
        ]
    );
    let deployment = format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {{template: {{spec: {{containers: [{{name: a, image: 'r/a@{A}'}}]}}}}}}\n"
    );
    assert_eq!(told(&format!("{rollout}{deployment}")), (vec![format!("r/a@{A}")], vec![]));
}

#[test]
fn bounds_what_aliases_grow_to() {
    let mut text = String::from("apiVersion: v1\nkind: X\na0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for at in 1..9 {
        let aliases = vec![format!("*a{}", at - 1); 10].join(", ");
        text.push_str(&format!("a{at}: &a{at} [{aliases}]\n"));
    }
    assert!(refused(&text).contains("more than 1000000 values"), "{}", refused(&text));
    let deep = format!("apiVersion: v1\nkind: X\na: {}{}\n", "[".repeat(101), "]".repeat(101));
    let said = refused(&deep);
    assert!(said.contains("nested deeper") || said.contains("is not YAML"), "{said}");
}

#[test]
fn digests_manifests_as_a_stranger_would() {
    // python3: sha256(json.dumps({"_type": …, "files": [{"digest": …, "path": …}]}, sort_keys=True, separators=(",", ":")))
    let text = "apiVersion: v1\nkind: ConfigMap\n";
    let deployed = Deployed::read(&[file("b.yaml", text), file("a/c.yaml", text)]).unwrap();
    let one = Digest::of_bytes(text.as_bytes());
    let form = format!(
        r#"{{"_type":"https://laforge.dev/manifests/v1","files":[{{"digest":"{one}","path":"a/c.yaml"}},{{"digest":"{one}","path":"b.yaml"}}]}}"#
    );
    assert_eq!(deployed.whole.digest, Digest::of_bytes(form.as_bytes()).claim());
    assert_eq!(deployed.whole.location, Location::Assembled(form.into_bytes()));
}
