//! Images in layouts of the attacker's making: what is signed of one platform is signed of no other.

use laforge::release::digest::Digest;
use serde_json::{Value, json};

use super::super::sign;
use crate::example::Example;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An OCI layout in the example.
struct Layout<'a>(&'a Example);

impl<'a> Layout<'a> {
    fn new(example: &'a Example) -> Self {
        example.write("image/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
        example.write("image/index.json", r#"{"schemaVersion": 2, "manifests": []}"#);
        Self(example)
    }

    fn blob(&self, media_type: &str, text: &str) -> Value {
        let digest = Digest::of_bytes(text.as_bytes());
        self.0.write(&format!("image/blobs/sha256/{}", digest.hex()), text);
        json!({"mediaType": media_type, "digest": digest, "size": text.len()})
    }

    fn manifest(&self, layers: &[Value]) -> Value {
        let config = self.blob("application/vnd.oci.image.config.v1+json", "{}");
        let text = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
            .to_string();
        self.blob(MANIFEST, &text)
    }

    fn index(&self, manifests: &[Value]) -> Value {
        let text = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
        self.blob(INDEX, &text)
    }

    /// Delivers an image, with a signature and a provenance of one manifest in it, and approvals.
    fn deliver(&self, image: &Value, vouched_for: &Value) {
        let release = self.0.read("release.yaml");
        let (before, rest) = release.split_once("  artifacts:\n").unwrap();
        let (_, config) = rest.split_once("  config:\n").unwrap();
        let digest = image["digest"].as_str().unwrap();
        let image = format!("    - {{name: image, path: image, image: \"r.acme.test/a@{digest}\"}}\n");
        self.0.write("release.yaml", &format!("{before}  artifacts:\n{image}  config:\n{config}"));
        for name in self.0.list("evidence") {
            self.0.remove(&format!("evidence/{name}"));
        }
        let hex = vouched_for["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let statement = |predicate_type: &str, predicate: Value| {
            json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
                "subject": [{"name": "image", "digest": {"sha256": hex}}], "predicate": predicate})
        };
        let signature = statement("https://sigstore.dev/cosign/sign/v1", json!({}));
        self.0.write("evidence/signature.dsse", &sign(self.0, "keys/release.key", &signature));
        let build: Value = serde_json::from_str(&self.0.read("build.json")).unwrap();
        let provenance = statement("https://slsa.dev/provenance/v1", build);
        self.0.write("evidence/provenance.dsse", &sign(self.0, "keys/ci.key", &provenance));
        for person in ["alice", "bob"] {
            let (key, out) =
                (format!("keys/{person}.key"), format!("evidence/approval-{person}.sigstore.json"));
            self.0.run(&["approve", "--yes", "--key", &key, "-o", &out]).ends(0);
        }
    }
}

fn on(mut descriptor: Value, architecture: &str) -> Value {
    descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
    descriptor
}

#[test]
fn an_index_of_one_platform_that_is_vouched_for_is_allowed() {
    let example = Example::new();
    let layout = Layout::new(&example);
    let good = layout.manifest(&[layout.blob(LAYER, "good")]);
    layout.deliver(&layout.index(&[on(good.clone(), "amd64")]), &good);
    example.deploy(&[]).ends(0);
}

#[test]
fn a_layer_that_is_an_index_as_well_hides_none_of_its_platforms() {
    let example = Example::new();
    let layout = Layout::new(&example);
    let evil = layout.manifest(&[layout.blob(LAYER, "evil")]);
    let inner = layout.index(&[on(evil, "arm64")]);
    let mut layer = inner.clone();
    layer["mediaType"] = json!(LAYER);
    let good = layout.manifest(&[layer]);
    layout.deliver(&layout.index(&[on(good.clone(), "amd64"), inner]), &good);
    example.denied(&[], &["signature-missing", "provenance-missing"]);
}

#[test]
fn marks_of_attestations_hide_no_platform_that_something_runs_on() {
    let mark = json!({"vnd.docker.reference.type": "attestation-manifest"});
    for platform in [
        json!({"os": "linux", "architecture": "arm64"}),
        json!({"os": "", "architecture": ""}),
        json!({"os": "unknown", "architecture": "unknown", "variant": "v8"}),
        json!({"os": "linux", "architecture": "unknown"}),
        Value::Null,
    ] {
        let example = Example::new();
        let layout = Layout::new(&example);
        let good = layout.manifest(&[layout.blob(LAYER, "good")]);
        let mut evil = layout.manifest(&[layout.blob(LAYER, "evil")]);
        evil["platform"] = platform;
        evil["annotations"] = mark.clone();
        layout.deliver(&layout.index(&[on(good.clone(), "amd64"), evil]), &good);
        example.denied(&[], &["signature-missing", "provenance-missing"]);
    }
}

#[test]
fn an_index_in_an_index_and_a_platform_listed_twice_hide_none() {
    let example = Example::new();
    let layout = Layout::new(&example);
    let good = layout.manifest(&[layout.blob(LAYER, "good")]);
    let evil = layout.manifest(&[layout.blob(LAYER, "evil")]);
    // First as an attestation, then as a platform: the second look counts.
    let mut marked = evil.clone();
    marked["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    marked["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let inner = layout.index(&[marked, on(evil, "amd64")]);
    let image = layout.index(&[on(good.clone(), "amd64"), inner.clone(), inner]);
    layout.deliver(&image, &good);
    example.denied(&[], &["signature-missing", "provenance-missing"]);
}

#[test]
fn a_document_that_is_manifest_and_index_is_neither() {
    let example = Example::new();
    let layout = Layout::new(&example);
    let good = layout.manifest(&[layout.blob(LAYER, "good")]);
    let config = layout.blob("application/vnd.oci.image.config.v1+json", "{}");
    for more in [json!({"config": config, "layers": []}), json!({"layers": []}), json!({"config": config})] {
        let mut both = json!({"schemaVersion": 2, "manifests": [on(good.clone(), "amd64")]});
        both.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let image = layout.blob(INDEX, &both.to_string());
        layout.deliver(&image, &good);
        example.deploy(&[]).ends(1);
    }
}

#[test]
fn a_signature_over_one_platform_is_none_over_another_of_the_same_name() {
    for of_the_evil_one in [json!({"os": "linux", "architecture": "amd64"}), Value::Null] {
        let example = Example::new();
        let layout = Layout::new(&example);
        let mut good = layout.manifest(&[layout.blob(LAYER, "good")]);
        let mut evil = layout.manifest(&[layout.blob(LAYER, "evil")]);
        good["platform"] = of_the_evil_one.clone();
        evil["platform"] = of_the_evil_one;
        // Whoever runs it takes the first that fits.
        layout.deliver(&layout.index(&[evil, good.clone()]), &good);
        let hex = good["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        let file = format!("image/blobs/sha256/{hex}");
        example.remove("evidence/signature.dsse");
        let out = "evidence/signature.sigstore.json";
        example.run(&["sign", &file, "--key", "keys/release.key", "-o", out]).ends(0);
        example.denied(&[], &["signature-missing", "provenance-missing"]);
    }
}

#[test]
fn members_in_other_letters_show_a_runtime_no_other_platform() {
    // Runtimes are written in Go, whose JSON reader takes `Manifests` for `manifests`, and the last one.
    let index = |good: &Value, evil: &Value, which: usize| {
        let (good, evil) = (on(good.clone(), "amd64").to_string(), on(evil.clone(), "amd64").to_string());
        let digest =
            |text: &str| serde_json::from_str::<Value>(text).unwrap()["digest"].as_str().unwrap().to_owned();
        let both = |name: &str| good.replacen('{', &format!("{{\"{name}\":\"{}\",", digest(&evil)), 1);
        let start = format!("{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":");
        match which {
            0 => format!("{start}[{good}],\"Manifests\":[{evil}]}}"),
            1 => format!("{start}[{good}],\"MANIFESTS\":[{evil}]}}"),
            2 => format!("{start}[{good}],\"manife\u{17f}ts\":[{evil}]}}"),
            3 => format!("{start}[{}]}}", both("Digest")),
            4 => format!("{start}[{}]}}", both("digeſt")),
            5 => format!("{start}[{good}],\"Config\":{good},\"Layers\":[]}}"),
            6 => format!("{start}[{good}],\"MediaType\":\"{MANIFEST}\"}}"),
            _ => format!("{start}[{}]}}", good.replacen("\"os\"", "\"OS\":\"windows\",\"os\"", 1)),
        }
    };
    for which in 0..8 {
        let example = Example::new();
        let layout = Layout::new(&example);
        let good = layout.manifest(&[layout.blob(LAYER, "good")]);
        let evil = layout.manifest(&[layout.blob(LAYER, "evil")]);
        let text = index(&good, &evil, which);
        layout.deliver(&layout.blob(INDEX, &text), &good);
        let run = example.deploy(&[]);
        assert_ne!(run.code, 0, "{text}");
    }
}
