//! What is added takes nothing away: whoever can only put more files beside a rejection can't silence it.

use laforge::release::digest::Digest;
use serde_json::{Value, json};

use super::evidence;
use crate::example::Example;

/// The example, with a rejection of bob's among its evidence.
fn rejected() -> Example {
    let example = Example::new();
    example.run(&["reject", "--yes", "--key", "keys/bob.key", "-o", "evidence/rejection.json"]).ends(0);
    example.denied(&[], &["approval-rejected"]);
    example
}

/// Writes a blob below a layout's folder under a name, its own if none is given; gives its descriptor.
fn blob(example: &Example, layout: &str, bytes: &str, name: Option<&str>) -> Value {
    let digest = Digest::of_bytes(bytes.as_bytes());
    let name = name.map_or_else(|| digest.hex(), str::to_owned);
    example.write(&format!("{layout}/blobs/sha256/{name}"), bytes);
    json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{name}"),
        "size": bytes.len()})
}

/// Makes a folder a layout that lists these.
fn layout(example: &Example, layout: &str, manifests: &[Value]) {
    example.write(&format!("{layout}/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#);
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    example.write(&format!("{layout}/index.json"), &index.to_string());
}

/// A manifest with one layer.
fn manifest(example: &Example, at: &str, layer: &Value) -> Value {
    blob(example, at, &json!({"schemaVersion": 2, "layers": [layer]}).to_string(), None)
}

#[test]
fn bytes_that_are_no_evidence_in_one_place_stay_evidence_in_another() {
    let example = rejected();
    let rejection = example.read("evidence/rejection.json");
    // As a signature beside a file, before and after the other in any order of names.
    for name in ["0.sig", "zzz.sig"] {
        let example = example.fork();
        example.write(&format!("evidence/{name}"), &rejection);
        example.denied(&[], &["approval-rejected"]);
    }
    // As a blob under another one's name, a payload without its signature, and a digest that is none.
    let wrong = "0".repeat(64);
    for what in ["name", "signature", "digest"] {
        let example = example.fork();
        let mut layer = match what {
            "name" => blob(&example, "evidence/0", &rejection, Some(&wrong)),
            _ => blob(&example, "evidence/0", &rejection, None),
        };
        layer["mediaType"] = json!("application/vnd.dev.cosign.simplesigning.v1+json");
        if what == "digest" {
            layer["digest"] = json!(rejection);
        }
        let manifest = manifest(&example, "evidence/0", &layer);
        layout(&example, "evidence/0", &[manifest]);
        example.denied(&[], &["approval-rejected"]);
    }
}

#[test]
fn a_broken_bundle_of_the_same_bytes_takes_nothing_away() {
    let example = rejected();
    example.write("r.tar", &example.read("evidence/rejection.json"));
    example.denied(&["--evidence", "evidence", "--evidence", "r.tar"], &["approval-rejected"]);
}

#[test]
fn an_oci_layout_that_is_put_into_a_folder_hides_no_file_of_it() {
    let example = rejected();
    layout(&example, "evidence", &[]);
    example.denied(&[], &["approval-rejected"]);
    // What is missing where only the layout's own files were read.
    example.remove("evidence/rejection.json");
    example.deploy(&[]).ends_with_data();
    // Nor what lies among its blobs, or in place of its index, or beside them.
    let rejection = rejected().read("evidence/rejection.json");
    for name in
        ["blobs/rejection.json", "blobs/sha256/rejection.json", "deep/er/rejection.json", "index.json"]
    {
        let example = example.fork();
        example.write(&format!("evidence/{name}"), &rejection);
        example.denied(&[], &["approval-rejected"]);
    }
}

#[test]
fn a_bundle_is_judged_as_what_it_was_made_of() {
    let example = Example::new();
    let approval = evidence(&example, "approval-bob.sigstore.json").to_string();
    example.remove("evidence/approval-bob.sigstore.json");
    // Where it lies it is not what its name says: nobody's approval.
    let mut layer = blob(&example, "evidence/0", &approval, Some(&"0".repeat(64)));
    layer["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    let manifest = manifest(&example, "evidence/0", &layer);
    layout(&example, "evidence/0", &[manifest]);
    example.denied(&[], &["approval-threshold"]);
    example.run(&["bundle", "-o", "release.tar"]).ends_with_data();
    example.denied(&["--offline", "--evidence", "release.tar"], &["approval-threshold"]);
}

#[test]
fn a_file_that_is_too_large_is_named_and_the_others_are_read() {
    let example = Example::new();
    for name in ["aaa.json", "zzz.json", "lines.jsonl"] {
        let example = example.fork();
        example.write(&format!("evidence/{name}"), &"1".repeat((16 << 20) + 1));
        example.denied(&[], &["evidence-limit"]);
        let said = example.deploy(&[]).ends(10).stderr;
        assert!(said.contains(&format!("evidence/{name}")), "{said}");
        assert!(!said.contains("missing"), "{said}");
    }
}
