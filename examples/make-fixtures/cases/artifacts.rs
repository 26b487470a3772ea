//! Artifacts that are not what the release says, or not what may be signed as a file.

use laforge::evidence::envelope::pae;
use laforge::evidence::statement::PAYLOAD_TYPE;
use laforge::policy::finding::RuleId::{ArtifactDigest, ArtifactNotRead, ArtifactShape, SignatureMissing};
use laforge::release::digest::Digest;

use super::Case;
use super::Expect::{Denies, Refuses};
use crate::authority::Content;
use crate::image;
use crate::scene::{ARTIFACT, ARTIFACT_BYTES, Scene, build};
use laforge::signing::statement;

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "denies-wrong-byte",
        "One byte of the artifact is not what the release says.",
        Denies(&[ArtifactDigest]),
        |scene| scene.put(&format!("artifacts/{ARTIFACT}"), b"payments 2.4.1, built from 4f1c0a6b\n"),
    ),
    Case::sound(
        "denies-wrong-byte-in-config",
        "One byte of a configuration is not what the release says.",
        Denies(&[ArtifactDigest]),
        |scene| scene.put("artifacts/config.yaml", b"workers: 9\n"),
    ),
    Case::sound(
        "denies-cut-artifact",
        "The artifact ends a byte too early.",
        Denies(&[ArtifactDigest]),
        |scene| {
            let bytes = ARTIFACT_BYTES.strip_suffix(b"\n").unwrap_or_default();
            scene.put(&format!("artifacts/{ARTIFACT}"), bytes);
        },
    ),
    Case::bare(
        "denies-wrong-byte-in-layer",
        "A layer of an image is not what its manifest says.",
        Denies(&[ArtifactDigest]),
        |scene| {
            let digest = image::manifest(scene);
            image::released(scene, &digest);
            let layer = Digest::of_bytes(b"payments for amd64\n").hex();
            scene.put(&format!("artifacts/image/blobs/sha256/{layer}"), b"payments for anyone\n");
            scene.approve();
        },
    ),
    Case::sound(
        "denies-digest-alone",
        "An artifact named by its digest and never read, which no policy allows.",
        Denies(&[ArtifactNotRead]),
        |scene| {
            scene.edit("release.yaml", "path: artifacts/payments.tar.gz, ", "");
            scene.remove(&format!("artifacts/{ARTIFACT}"));
        },
    ),
    Case::sound(
        "denies-config-by-digest-alone",
        "A configuration named by its digest and never read.",
        Denies(&[ArtifactNotRead]),
        |scene| {
            scene.edit("release.yaml", "path: artifacts/config.yaml, ", "");
            scene.remove("artifacts/config.yaml");
        },
    ),
    Case::bare(
        "denies-encoding-as-artifact",
        "The artifact's bytes are the encoding of a statement: a signature over it would be an attestation.",
        Denies(&[ArtifactShape, SignatureMissing]),
        |scene| {
            let provenance = scene.provenance(&build());
            let payload = laforge::json::canonical(&provenance);
            let bytes = pae(PAYLOAD_TYPE, &payload);
            released_as(scene, &bytes);
        },
    ),
    Case::bare(
        "denies-simple-signing-payload-as-artifact",
        "The artifact's bytes are cosign's payload: a signature over it would be one over an image.",
        Denies(&[ArtifactShape, SignatureMissing]),
        |scene| {
            let bytes = br#"{"critical":{"identity":{"docker-reference":"registry.acme.test/payments"},"image":{"docker-manifest-digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"},"type":"cosign container image signature"},"optional":null}"#;
            released_as(scene, bytes);
        },
    ),
    Case::sound(
        "refuses-absent-artifact",
        "The artifact's file is not there.",
        Refuses(1, ARTIFACT),
        |scene| {
            scene.remove(&format!("artifacts/{ARTIFACT}"));
        },
    ),
];

/// Releases these bytes, signed by the release's key though `laforge sign` would refuse to.
fn released_as(scene: &mut Scene, bytes: &[u8]) {
    let (before, after) = (Digest::of_bytes(ARTIFACT_BYTES), Digest::of_bytes(bytes));
    scene.put(&format!("artifacts/{ARTIFACT}"), bytes);
    scene.edit("release.yaml", &before.to_string(), &after.to_string());
    let signature = scene.local("release", Content::ForbiddenMessage(bytes));
    scene.evidence("signature", &signature);
    let made = statement::provenance(&[statement::subject(ARTIFACT, &after.claim())], build());
    let provenance = scene.noted(made);
    scene.attest("provenance", "builder", &provenance);
    scene.approve();
}
