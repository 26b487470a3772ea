//! Where evidence is said to lie: what names a source, or stands for one, must not silence what lies in another.

use laforge::release::digest::Digest;
use serde_json::{Value, json};

use crate::example::Example;

const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes a blob of a layout; gives its descriptor.
fn blob(example: &Example, layout: &str, media_type: &str, text: &str) -> Value {
    let digest = Digest::of_bytes(text.as_bytes());
    example.write(&format!("{layout}/blobs/sha256/{}", digest.hex()), text);
    json!({"mediaType": media_type, "digest": digest, "size": text.len()})
}

/// Makes a folder a layout that lists these.
fn layout(example: &Example, layout: &str, manifests: &[Value]) {
    example.write(&format!("{layout}/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#);
    example.write(
        &format!("{layout}/index.json"),
        &json!({"schemaVersion": 2, "manifests": manifests}).to_string(),
    );
}

#[test]
fn a_list_that_makes_a_folder_a_bundle_hides_no_rejection_in_its_layout() {
    let example = Example::new();
    example.run(&["bundle", "-o", "mirror"]).ends_with_data();
    let evidence = ["--evidence", "mirror"];
    assert!(!example.deploy(&evidence).ends_with_data().stderr.contains("is a release bundle"));
    example.run(&["reject", "--yes", "--key", "keys/bob.key", "-o", "rejection.json"]).ends(0);
    // As a mirror of a registry has it.
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let rejection = blob(&example, "mirror/oci", bundle, &example.read("rejection.json"));
    let config = blob(&example, "mirror/oci", "application/vnd.oci.empty.v1+json", "{}");
    let text = json!({"schemaVersion": 2, "config": config, "layers": [rejection]}).to_string();
    let manifest = blob(&example, "mirror/oci", MANIFEST, &text);
    layout(&example, "mirror/oci", std::slice::from_ref(&manifest));
    let mut list: Value = serde_json::from_str(&example.read("mirror/bundle.json")).unwrap();
    example.remove("mirror/bundle.json");
    example.denied(&evidence, &["approval-rejected"]);
    for one in [&rejection, &config, &manifest] {
        list["manifests"].as_array_mut().unwrap().push(json!({"digest": one["digest"]}));
    }
    example.write("mirror/bundle.json", &list.to_string());
    example.denied(&evidence, &["approval-rejected"]);
}

#[test]
fn layers_without_number_that_are_not_there_are_told_in_few_lines_and_within_a_limit() {
    let example = Example::new();
    let told = |layers: u32, repeated: bool| {
        let layer = |at: u32| {
            let digest = format!("sha256:{:064x}", if repeated { 0 } else { at });
            json!({"mediaType": DSSE, "digest": digest, "size": 1})
        };
        let layers: Vec<Value> = (0..layers).map(layer).collect();
        let example = example.fork();
        let text = json!({"schemaVersion": 2, "layers": layers}).to_string();
        let manifest = blob(&example, "evidence/0", MANIFEST, &text);
        layout(&example, "evidence/0", &[manifest]);
        example.deploy(&[])
    };
    let few = told(20, false).ends_with_data().says("and 8 more: see the JSON report");
    let few = few.says("and 8 more of evidence-unreachable");
    assert_eq!(few.stderr.matches("evidence-unreachable]").count(), 12, "{}", few.stderr);
    assert!(!told(20_000, true).ends_with_data().stderr.contains("more: see"));
    let many = told(20_000, false).ends(10).says("more than 4096 sources of evidence that can't be read");
    assert!(many.stderr.len() < 64 << 10, "{} bytes", many.stderr.len());
}
