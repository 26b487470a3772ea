//! Images in an OCI layout: a config, a layer, a manifest, and an index of two platforms.
//!
//! Specs: <https://github.com/opencontainers/image-spec>.

use laforge::release::digest::{ClaimedDigest, Digest};
use serde_json::{Value, json};

use crate::scene::Scene;

const FOLDER: &str = "artifacts/image";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Lays out an image of one platform.
pub(crate) fn manifest(scene: &mut Scene) -> ClaimedDigest {
    let image = platform(scene, "amd64");
    laid_out(scene, &image)
}

/// Lays out an image index of two platforms; gives its digest and theirs.
pub(crate) fn index(scene: &mut Scene) -> (ClaimedDigest, Vec<ClaimedDigest>) {
    let mut manifests = Vec::new();
    let mut leaves = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let mut image = platform(scene, architecture);
        leaves.extend(image["digest"].as_str().and_then(|text| text.parse().ok()));
        image["platform"] = json!({"os": "linux", "architecture": architecture});
        manifests.push(image);
    }
    let content = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    let index = blob(scene, INDEX, content.to_string().as_bytes());
    (laid_out(scene, &index), leaves)
}

/// Releases the image instead of the file, signed by a key that signs images.
pub(crate) fn released(scene: &mut Scene, digest: &ClaimedDigest) {
    scene.put_key("release-images");
    scene.edit("trust.yaml", "trust/release.pub", "trust/release-images.pub");
    scene.edit("release.yaml", "- {name: payments.tar.gz, path: artifacts/payments.tar.gz, digest: ", "- ");
    scene.edit(
        "release.yaml",
        "- \"",
        "- {name: payments-image, path: artifacts/image, image: \"registry.acme.test/payments@",
    );
    let file = Digest::of_bytes(crate::scene::ARTIFACT_BYTES).to_string();
    scene.edit("release.yaml", &file, &digest.to_string());
    scene.remove("artifacts/payments.tar.gz");
}

fn platform(scene: &mut Scene, architecture: &str) -> Value {
    let config =
        json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}});
    let config = blob(scene, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let layer = format!("payments for {architecture}\n");
    let layer = blob(scene, "application/vnd.oci.image.layer.v1.tar", layer.as_bytes());
    let content = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    blob(scene, MANIFEST, content.to_string().as_bytes())
}

fn blob(scene: &mut Scene, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of_bytes(bytes);
    scene.put(&format!("{FOLDER}/blobs/sha256/{}", digest.hex()), bytes);
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}

fn laid_out(scene: &mut Scene, descriptor: &Value) -> ClaimedDigest {
    scene.put(&format!("{FOLDER}/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = json!({"schemaVersion": 2, "manifests": [descriptor]});
    scene.put(&format!("{FOLDER}/index.json"), index.to_string().as_bytes());
    let digest = descriptor["digest"].as_str().and_then(|text| text.parse().ok());
    digest.unwrap_or_else(|| Digest::of_bytes(b"").claim())
}
