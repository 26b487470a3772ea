//! What cosign's older keyless scheme leaves in a registry, as a layout holds it: payloads and envelopes
//! whose certificate, log entry and time stamp are annotations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::policy::finding::RuleId::SignatureMissing;
use laforge::release::digest::{ClaimedDigest, Digest};
use laforge::signing::statement;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{Allows, SetAside};
use super::kinds::{builder_workload, trust_workflow};
use crate::authority::{Content, Format, Parts};
use crate::image;
use crate::scene::{Scene, build, workflow};

const FOLDER: &str = "evidence/cosign";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";

pub(super) const CASES: &[Case] = &[
    Case::bare(
        "allows-cosign-keyless-payload",
        "cosign's older keyless signature over an image: a payload, and its certificate and log entry beside it.",
        Allows,
        |scene| signed_payload(scene, |_| {}),
    ),
    Case::bare(
        "allows-cosign-keyless-envelope",
        "cosign's older keyless attestation of an image: an envelope, and its certificate and log entry beside it.",
        Allows,
        attested_envelope,
    ),
    Case::bare(
        "denies-cosign-payload-without-log-entry",
        "The log entry of a keyless payload is stripped, so nobody knows when its certificate was used.",
        SetAside(&[SignatureMissing], "bad-log-entry"),
        |scene| {
            signed_payload(scene, |annotations| {
                if let Some(all) = annotations.as_object_mut() {
                    all.remove("dev.sigstore.cosign/bundle");
                }
            });
        },
    ),
    Case::bare(
        "denies-cosign-payload-with-moved-time",
        "The time in the log entry of a keyless payload is moved by a minute, which the log did not promise.",
        SetAside(&[SignatureMissing], "bad-log-entry"),
        |scene| {
            signed_payload(scene, |annotations| {
                let entry = &mut annotations["dev.sigstore.cosign/bundle"];
                let text = entry.as_str().unwrap_or_default();
                let mut moved: Value = serde_json::from_str(text).unwrap_or_default();
                let time = moved["Payload"]["integratedTime"].as_i64().unwrap_or_default();
                moved["Payload"]["integratedTime"] = json!(time - 60);
                *entry = moved.to_string().into();
            });
        },
    ),
];

/// Signs an image as cosign did, by the release workflow.
fn signed_payload(scene: &mut Scene, change: impl FnOnce(&mut Value)) {
    let digest = image::manifest(scene);
    image::released(scene, &digest);
    trust_workflow(scene);
    scene.edit(
        "trust.yaml",
        "name: workflow, use: artifact",
        "name: workflow, use: artifact, simpleSigning: true",
    );
    let payload = json!({"critical": {
        "identity": {"docker-reference": "registry.acme.test/payments"},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature"}, "optional": null})
    .to_string();
    let (now, parts) = (scene.now, Parts::LOGGED.in_format(Format::V01));
    // What `laforge sign` refuses to sign as a file is what cosign signs.
    let bundle = scene.keyless(&workflow(), Content::ForbiddenMessage(payload.as_bytes()), now, parts);
    let mut annotations = annotations(&bundle);
    annotations["dev.cosignproject.cosign/signature"] = bundle["messageSignature"]["signature"].clone();
    change(&mut annotations);
    attached(scene, PAYLOAD, payload.as_bytes(), annotations);
    attest(scene, &digest);
    scene.approve();
}

/// Attests an image's build as cosign did, by the builder's workflow.
fn attested_envelope(scene: &mut Scene) {
    let digest = image::manifest(scene);
    image::released(scene, &digest);
    let signature = scene.local("release-images", Content::Statement(&statement::cosign_sign(&digest)));
    scene.evidence("signature", &signature);
    let workload = builder_workload();
    let subject = &workload.subject;
    let issuer = "https://token.actions.githubusercontent.com";
    scene.edit(
        "trust.yaml",
        "key: trust/builder.pub, root: acme",
        &format!("identity: {{root: acme, issuer: \"{issuer}\", subject: \"{subject}\"}}"),
    );
    let made = statement::provenance(&[statement::subject("payments-image", &digest)], build());
    let provenance = scene.noted(made);
    let (now, parts) = (scene.now, Parts::LOGGED.in_format(Format::V01));
    let bundle = scene.keyless(&workload, Content::Statement(&provenance), now, parts);
    attached(scene, ENVELOPE, bundle["dsseEnvelope"].to_string().as_bytes(), annotations(&bundle));
    scene.approve();
}

fn attest(scene: &mut Scene, digest: &ClaimedDigest) {
    let made = statement::provenance(&[statement::subject("payments-image", digest)], build());
    let provenance = scene.noted(made);
    scene.attest("provenance", "builder", &provenance);
}

/// What a bundle v0.1 holds beside its signature, as cosign's annotations.
fn annotations(bundle: &Value) -> Value {
    let material = &bundle["verificationMaterial"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let entry = &material["tlogEntries"][0];
    let log = STANDARD.decode(text(&entry["logId"]["keyId"])).unwrap_or_default();
    let payload = json!({"body": entry["canonicalizedBody"], "integratedTime": number(&entry["integratedTime"]),
        "logIndex": number(&entry["logIndex"]), "logID": hex::encode(log)});
    let logged = json!({"SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"], "Payload": payload});
    let certificate = text(&material["x509CertificateChain"]["certificates"][0]["rawBytes"]);
    json!({
        "dev.sigstore.cosign/certificate":
            format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"),
        "dev.sigstore.cosign/bundle": logged.to_string(),
    })
}

/// Lays out a manifest with one layer of evidence.
fn attached(scene: &mut Scene, media_type: &str, bytes: &[u8], annotations: Value) {
    let config = blob(scene, "application/vnd.oci.image.config.v1+json", b"{}");
    let mut layer = blob(scene, media_type, bytes);
    layer["annotations"] = annotations;
    let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    let manifest = blob(scene, MANIFEST, document.to_string().as_bytes());
    scene.put(&format!("{FOLDER}/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    scene.put(&format!("{FOLDER}/index.json"), index.to_string().as_bytes());
}

fn blob(scene: &mut Scene, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of_bytes(bytes);
    scene.put(&format!("{FOLDER}/blobs/sha256/{}", digest.hex()), bytes);
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}
