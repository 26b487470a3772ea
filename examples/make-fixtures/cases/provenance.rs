//! Provenance of something else, by somebody else, or of too little worth.

use laforge::evidence::envelope::pae;
use laforge::evidence::statement::PAYLOAD_TYPE;
use laforge::policy::finding::RuleId::{
    ClaimsMismatch, EvidenceUnheard, ProvenanceBuilder, ProvenanceCommit, ProvenanceLevel, ProvenanceMissing,
    ProvenanceRef, ProvenanceRunner, ProvenanceSource,
};
use laforge::release::digest::Digest;
use laforge::signing::statement;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{self, Denies, SetAside};
use super::kinds::{builder_workload, built_by};
use crate::authority::Content;
use crate::scene::{ARTIFACT, COMMIT, GITHUB, REF, REPOSITORY, Scene, build, build_v02, workflow};

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "denies-no-provenance",
        "The artifact has no provenance.",
        Denies(&[ProvenanceMissing]),
        |scene| {
            scene.remove("evidence/provenance.sigstore.json");
        },
    ),
    Case::sound(
        "denies-provenance-of-another-artifact",
        "The provenance is of another artifact of the same name.",
        aside("wrong-subject"),
        |scene| {
            let subject = statement::subject(ARTIFACT, &Digest::of_bytes(b"payments 2.3.1\n").claim());
            let made = statement::provenance(&[subject], build());
            let provenance = scene.noted(made);
            scene.attest("provenance", "builder", &provenance);
        },
    ),
    Case::sound(
        "denies-provenance-by-stranger",
        "The provenance is signed by a key that trust does not name.",
        aside("untrusted-identity"),
        |scene| {
            let provenance = scene.provenance(&build());
            scene.attest("provenance", "mallory", &provenance);
        },
    ),
    Case::sound(
        "denies-provenance-by-release-key",
        "The provenance is signed by the key that signs artifacts.",
        aside("wrong-use"),
        |scene| {
            let provenance = scene.provenance(&build());
            scene.attest("provenance", "release", &provenance);
        },
    ),
    Case::sound(
        "denies-encoding-signed-as-file",
        "Somebody had the release's key sign a file that is a provenance's encoding, and made a provenance of it.",
        aside("wrong-use"),
        |scene| {
            let provenance = scene.provenance(&build());
            let payload = laforge::json::canonical(&provenance);
            let file = pae(PAYLOAD_TYPE, &payload);
            let over_file = scene.local("release", Content::ForbiddenMessage(&file));
            let mut envelope = scene.local("release", Content::Payload(PAYLOAD_TYPE, &payload));
            envelope["dsseEnvelope"]["signatures"][0]["sig"] =
                over_file["messageSignature"]["signature"].clone();
            scene.evidence("provenance", &envelope);
        },
    ),
    Case::sound(
        "denies-payload-changed",
        "The provenance's payload was changed after it was signed.",
        aside("bad-signature"),
        |scene| {
            let another = with("/buildDefinition/resolvedDependencies/0/digest/gitCommit", "00".repeat(20));
            let (signed, changed) = (scene.provenance(&another), scene.provenance(&build()));
            let mut bundle = scene.local("builder", Content::Statement(&signed));
            let sound = scene.local("builder", Content::Statement(&changed));
            bundle["dsseEnvelope"]["payload"] = sound["dsseEnvelope"]["payload"].clone();
            scene.evidence("provenance", &bundle);
        },
    ),
    Case::sound(
        "denies-provenance-of-another-commit",
        "The provenance is of another commit.",
        Denies(&[ProvenanceCommit]),
        |scene| {
            let commit = COMMIT.chars().rev().collect::<String>();
            built(scene, with("/buildDefinition/resolvedDependencies/0/digest/gitCommit", commit));
        },
    ),
    Case::sound(
        "denies-provenance-without-commit",
        "The provenance does not name a commit.",
        Denies(&[ProvenanceCommit]),
        |scene| {
            let mut predicate = build();
            predicate["buildDefinition"]["resolvedDependencies"][0]["digest"] =
                json!({"sha256": "00".repeat(32)});
            built(scene, predicate);
        },
    ),
    Case::sound(
        "denies-provenance-of-another-repository",
        "The provenance is of a fork.",
        Denies(&[ProvenanceSource]),
        |scene| {
            let uri = format!("git+https://github.com/mallory/payments@{REF}");
            built(scene, with("/buildDefinition/resolvedDependencies/0/uri", uri));
        },
    ),
    Case::sound(
        "denies-provenance-of-another-ref",
        "The provenance is of a branch, and the policy asks for a tag.",
        Denies(&[ProvenanceRef]),
        |scene| {
            let uri = format!("git+{REPOSITORY}@refs/heads/main");
            built(scene, with("/buildDefinition/resolvedDependencies/0/uri", uri));
        },
    ),
    Case::sound(
        "denies-untrusted-builder",
        "The provenance names a builder that trust does not.",
        Denies(&[ProvenanceBuilder]),
        |scene| built(scene, with("/runDetails/builder/id", "https://elsewhere.test/builder".to_owned())),
    ),
    Case::sound(
        "denies-builder-of-another-signer",
        "The builder is one that trust names, and the signer vouches for another one.",
        Denies(&[ProvenanceBuilder]),
        |scene| {
            scene.put_key("scanner");
            scene.trust("signers", "{name: scanner, use: attestation, key: trust/scanner.pub, root: acme}");
            let provenance = scene.provenance(&build());
            scene.attest("provenance", "scanner", &provenance);
        },
    ),
    Case::sound(
        "denies-predicate-that-signer-may-not-sign",
        "The builder's key may sign scans alone.",
        aside("wrong-use"),
        |scene| {
            scene.edit(
                "trust.yaml",
                "key: trust/builder.pub",
                "predicateTypes: [https://in-toto.io/attestation/vulns], key: trust/builder.pub",
            );
        },
    ),
    Case::sound(
        "denies-level-too-low",
        "The builder is trusted up to level 2, and the policy asks for 3.",
        Denies(&[ProvenanceLevel]),
        |scene| scene.edit("trust.yaml", "level: 3", "level: 2"),
    ),
    Case::sound(
        "denies-level-3-by-build-job",
        "A build job's own certificate vouches for the level 3 builder that it merely names.",
        Denies(&[ProvenanceLevel]),
        |scene| built_by(scene, &workflow()),
    ),
    Case::sound(
        "denies-self-hosted-runner",
        "The policy asks for a hosted runner, and it was somebody's own.",
        Denies(&[ProvenanceRunner]),
        |scene| {
            hosted_runner(scene);
            let runner = "/buildDefinition/internalParameters/github/runner_environment";
            built(scene, with(runner, "self-hosted".to_owned()));
        },
    ),
    Case::sound(
        "denies-runner-unknown",
        "The policy asks for a hosted runner, and the provenance does not say which it was.",
        Denies(&[ProvenanceRunner]),
        |scene| {
            hosted_runner(scene);
            built(scene, build_v02());
        },
    ),
    Case::sound(
        "denies-certificate-of-another-commit",
        "The certificate says another commit than the predicate does.",
        SetAside(&[ProvenanceMissing, ClaimsMismatch], "claims-mismatch"),
        |scene| {
            let mut workload = builder_workload();
            claim(&mut workload.claims, 13, &COMMIT.chars().rev().collect::<String>());
            built_by(scene, &workload);
        },
    ),
    Case::sound(
        "denies-certificate-of-self-hosted-runner",
        "The predicate says that the runner was hosted, and the certificate that it was not.",
        SetAside(&[ProvenanceMissing, ClaimsMismatch], "claims-mismatch"),
        |scene| {
            hosted_runner(scene);
            let mut workload = builder_workload();
            claim(&mut workload.claims, 11, "self-hosted");
            built_by(scene, &workload);
        },
    ),
    Case::sound(
        "denies-malformed-predicate",
        "The provenance is of no shape that its type allows.",
        aside("wrong-predicate"),
        |scene| {
            let mut predicate = build();
            predicate["runDetails"] = json!([]);
            built(scene, predicate);
        },
    ),
    Case::sound(
        "denies-repeated-member-in-payload",
        "The signed payload names its builder twice.",
        SetAside(&[ProvenanceMissing, EvidenceUnheard], "unheard"),
        |scene| {
            let provenance = scene.provenance(&build());
            let text = String::from_utf8_lossy(&laforge::json::canonical(&provenance)).into_owned();
            let twice = text.replacen(
                "\"builder\":",
                "\"builder\":{\"id\":\"https://elsewhere.test\"},\"builder\":",
                1,
            );
            let bundle = scene.local("builder", Content::Payload(PAYLOAD_TYPE, twice.as_bytes()));
            scene.evidence("provenance", &bundle);
        },
    ),
    Case::sound(
        "denies-payload-of-another-type",
        "The signed payload is a statement that says it is something else.",
        aside("unreadable"),
        |scene| {
            let provenance = scene.provenance(&build());
            let payload = laforge::json::canonical(&provenance);
            let bundle = scene.local("builder", Content::Payload("application/json", &payload));
            scene.evidence("provenance", &bundle);
        },
    ),
    Case::sound(
        "denies-builder-by-name-of-identity",
        "The builder's signer is an identity of another issuer.",
        aside("untrusted-identity"),
        |scene| {
            let mut workload = builder_workload();
            built_by(scene, &workload);
            workload.issuer = format!("{GITHUB}.elsewhere.test");
            let provenance = scene.provenance(&build());
            let (now, parts) = (scene.now, crate::authority::Parts::LOGGED);
            let bundle = scene.keyless(&workload, Content::Statement(&provenance), now, parts);
            scene.evidence("provenance", &bundle);
        },
    ),
];

/// None counts, since the one that there is was set aside for this.
const fn aside(kind: &'static str) -> Expect {
    SetAside(&[ProvenanceMissing], kind)
}

fn built(scene: &mut Scene, predicate: Value) {
    let provenance = scene.provenance(&predicate);
    scene.attest("provenance", "builder", &provenance);
}

fn with(pointer: &str, text: String) -> Value {
    let mut predicate = build();
    match predicate.pointer_mut(pointer) {
        Some(member) => *member = json!(text),
        None => predicate = Value::Null,
    }
    predicate
}

fn claim(claims: &mut [(u8, String)], arc: u8, text: &str) {
    for (_, claim) in claims.iter_mut().filter(|(at, _)| *at == arc) {
        *claim = text.to_owned();
    }
}

fn hosted_runner(scene: &mut Scene) {
    scene.edit("policies/production.yaml", "commit: release", "commit: release, hostedRunner: required");
}
