//! Signatures that only an artifact's bytes verify, and signatures that lie beside a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::policy::finding::RuleId::SignatureMissing;
use serde_json::json;

use super::Case;
use super::Expect::{Allows, SetAside};
use crate::authority::Content;
use crate::scene::{ARTIFACT, ARTIFACT_BYTES, Scene, key};

const EDWARDS: &str = "ed25519-release";

pub(super) const CASES: &[Case] = &[
    Case::bare(
        "allows-ed25519-message",
        "The artifact is signed by an Ed25519 key over its bytes, in a bundle that names their digest.",
        Allows,
        |scene| {
            by_edwards(scene);
            let bundle = scene.local(EDWARDS, Content::ForbiddenMessage(ARTIFACT_BYTES));
            scene.evidence("signature", &bundle);
        },
    ),
    Case::bare(
        "denies-ed25519-message-over-another-file",
        "The bundle names the artifact's digest, and its Ed25519 signature is over another file.",
        SetAside(&[SignatureMissing], "bad-signature"),
        |scene| {
            by_edwards(scene);
            let mut bundle = scene.local(EDWARDS, Content::ForbiddenMessage(ARTIFACT_BYTES));
            let other = scene.local(EDWARDS, Content::ForbiddenMessage(b"payments 2.3.1\n"));
            bundle["messageSignature"]["signature"] = other["messageSignature"]["signature"].clone();
            scene.evidence("signature", &bundle);
        },
    ),
    Case::bare(
        "denies-ed25519-message-over-digest-alone",
        "The artifact is named by its digest alone, and its Ed25519 signature is over bytes that nobody has here.",
        SetAside(&[SignatureMissing], "wrong-use"),
        |scene| {
            scene.edit("release.yaml", "path: artifacts/payments.tar.gz, ", "");
            scene.edit(
                "policies/production.yaml",
                "  require:\n",
                "  artifacts: {byDigest: allow}\n  require:\n",
            );
            by_edwards(scene);
            let bundle = scene.local(EDWARDS, Content::ForbiddenMessage(ARTIFACT_BYTES));
            scene.evidence("signature", &bundle);
        },
    ),
    Case::bare(
        "allows-detached-signature",
        "The signature lies in a file named after the artifact, in base64, as cosign writes it.",
        Allows,
        |scene| {
            rest(scene);
            detached(scene, "release", ARTIFACT, ARTIFACT_BYTES);
        },
    ),
    Case::bare(
        "allows-detached-ed25519-signature",
        "The same by an Ed25519 key, which signs the artifact's bytes and no digest of them.",
        Allows,
        |scene| {
            by_edwards(scene);
            detached(scene, EDWARDS, ARTIFACT, ARTIFACT_BYTES);
        },
    ),
    Case::bare(
        "denies-detached-signature-over-another-file",
        "A signature over another file lies beside the artifact's name.",
        SetAside(&[SignatureMissing], "untrusted-identity"),
        |scene| {
            rest(scene);
            detached(scene, "release", ARTIFACT, b"payments 2.3.1\n");
        },
    ),
    Case::bare(
        "denies-detached-signature-of-another-name",
        "The signature holds, and its file is named after no artifact of the release.",
        SetAside(&[SignatureMissing], "wrong-subject"),
        |scene| {
            rest(scene);
            detached(scene, "release", "payments-2.4.0.tar.gz", ARTIFACT_BYTES);
        },
    ),
    Case::bare(
        "denies-detached-signature-by-builder",
        "The signature beside the artifact is by a key that trust names for attestations.",
        SetAside(&[SignatureMissing], "untrusted-identity"),
        |scene| {
            rest(scene);
            detached(scene, "builder", ARTIFACT, ARTIFACT_BYTES);
        },
    ),
    Case::bare(
        "denies-detached-signature-of-another-program",
        "What lies beside the artifact is a signature by OpenPGP.",
        SetAside(&[SignatureMissing], "unreadable"),
        |scene| {
            rest(scene);
            let lines = "iQIzBAABCAAdFiEE\n".repeat(20);
            let armored = format!("-----BEGIN PGP SIGNATURE-----\n\n{lines}-----END PGP SIGNATURE-----\n");
            scene.put(&format!("evidence/{ARTIFACT}.sig"), armored.as_bytes());
        },
    ),
];

/// Everything but the signature, and an Ed25519 key to make it with.
fn by_edwards(scene: &mut Scene) {
    scene.put_key(EDWARDS);
    scene.edit("trust.yaml", "trust/release.pub", "trust/ed25519-release.pub");
    rest(scene);
}

fn rest(scene: &mut Scene) {
    scene.attest_build();
    scene.approve();
}

fn detached(scene: &mut Scene, by: &str, name: &str, bytes: &[u8]) {
    let signed = key(by).sign(bytes).map(|signature| json!(STANDARD.encode(signature)));
    let signature = scene.noted(signed);
    let text = format!("{}\n", signature.as_str().unwrap_or_default());
    scene.put(&format!("evidence/{name}.sig"), text.as_bytes());
}
