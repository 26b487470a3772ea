//! What other builders and publishers than GitHub's workflows sign, in their own words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::evidence::statement::PAYLOAD_TYPE;
use laforge::policy::finding::RuleId::{
    AttestationMissing, ProvenanceCommit, ProvenanceMissing, ProvenanceParameter,
};
use laforge::signing::statement;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{Allows, Denies, SetAside};
use crate::authority::{Content, Parts};
use crate::certificate::Workload;
use crate::scene::{BUILDER, COMMIT, REF, REPOSITORY, Scene, artifact_subject, key};

const COLLECTION: &str = "https://witness.testifysec.com/attestation-collection/v0.1";
const WITNESS: &str = "https://witness.dev/witness-github-action-builder@v0.1";
const JENKINS: &str = "https://gitlab.eclipse.org/eclipsefdn/security/slsa-jenkins-plugin@v1.0.0";
const CLOUD_BUILD: &str = "https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3";
const CLOUD_BUILD_KEY: &str =
    "projects/verified-builder/locations/global/keyRings/attestor/cryptoKeys/builtByGCB/cryptoKeyVersions/1";
const RELEASE: &str = "https://in-toto.io/attestation/release/v0.2";
const PUBLISHER: &str = "https://dotcom.releases.github.com";

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "allows-witness-collection",
        "Witness saw the step in a GitHub workflow, and the policy asks for the step and its command.",
        Allows,
        |scene| collected(scene, |_| {}),
    ),
    Case::sound(
        "denies-witness-collection-of-another-step",
        "Witness saw another step than the policy asks for.",
        Denies(&[ProvenanceParameter]),
        |scene| collected(scene, |predicate| predicate["name"] = json!("test")),
    ),
    Case::sound(
        "denies-witness-collection-of-another-commit",
        "Witness saw the clone of another commit than the token of its run names.",
        SetAside(&[ProvenanceMissing], "wrong-predicate"),
        |scene| {
            collected(scene, |predicate| {
                predicate["attestations"][0]["attestation"]["commithash"] = json!("00".repeat(20));
            });
        },
    ),
    Case::sound(
        "allows-jenkins-build",
        "Jenkins' SLSA plugin wrote the provenance, and the branch is as Jenkins calls it.",
        Allows,
        |scene| {
            scene.edit("policies/production.yaml", "\"pattern:refs/tags/v*\"", "origin/main");
            built_by(scene, JENKINS, &jenkins());
        },
    ),
    Case::sound(
        "denies-jenkins-build-of-another-commit",
        "The provenance of Jenkins' SLSA plugin names another commit.",
        Denies(&[ProvenanceCommit]),
        |scene| {
            scene.edit("policies/production.yaml", "\"pattern:refs/tags/v*\"", "origin/main");
            let text = jenkins().to_string().replace(COMMIT, &"00".repeat(20));
            built_by(scene, JENKINS, &serde_json::from_str(&text).unwrap_or_default());
        },
    ),
    Case::sound(
        "allows-azure-build",
        "Azure Pipelines built it, and Red Hat's pipeline wrote the provenance; it names no ref.",
        Allows,
        |scene| {
            scene.edit("policies/production.yaml", "ref: \"pattern:refs/tags/v*\", ", "");
            built_by(scene, "agent-7", &azure());
        },
    ),
    Case::sound(
        "allows-raw-payload-of-cloud-build",
        "An older key of Google Cloud Build signed the provenance as it is, without its type.",
        Allows,
        |scene| cloud_built(scene, ", rawPayload: true"),
    ),
    Case::sound(
        "denies-raw-payload-by-other-key",
        "The same signature, and trust doesn't say that its key signs so.",
        SetAside(&[ProvenanceMissing], "bad-signature"),
        |scene| cloud_built(scene, ""),
    ),
    Case::sound(
        "allows-github-release",
        "GitHub says that the artifact is one of the release that the policy asks for.",
        Allows,
        |scene| published(scene, "pkg:github/acme/payments@v2.4.0", None),
    ),
    Case::sound(
        "denies-github-release-of-another-repository",
        "GitHub says that the artifact is one of a release of somebody else's repository.",
        Denies(&[AttestationMissing]),
        |scene| published(scene, "pkg:github/mallory/payments@v2.4.0", None),
    ),
    Case::sound(
        "denies-github-release-by-workflow",
        "The same statement, by a certificate that names an issuer: some workflow's.",
        SetAside(&[AttestationMissing], "untrusted-identity"),
        |scene| {
            let issuer = Some("https://token.actions.githubusercontent.com");
            published(scene, "pkg:github/acme/payments@v2.4.0", issuer);
        },
    ),
];

/// Attests the build by the builder's key under another builder's name.
fn built_by(scene: &mut Scene, builder: &str, predicate: &Value) {
    scene.edit("trust.yaml", BUILDER, builder);
    let provenance = scene.provenance(predicate);
    scene.attest("provenance", "builder", &provenance);
}

/// A collection of Witness, but for a change.
fn collected(scene: &mut Scene, change: impl FnOnce(&mut Value)) {
    scene.edit("trust.yaml", BUILDER, WITNESS);
    let expectations =
        "commit: release, trigger: [push], externalParameters: {/step: build, /command/0: make}";
    scene.edit("policies/production.yaml", "commit: release", expectations);
    let seen = |attestor: &str, attestation: Value| {
        json!({
            "type": format!("https://witness.dev/attestations/{attestor}/v0.1"), "attestation": attestation,
            "starttime": "2026-03-02T10:00:00Z", "endtime": "2026-03-02T10:01:00Z",
        })
    };
    let claims = json!({
        "actor": "carol", "event_name": "push", "ref": REF, "sha": COMMIT, "runner_environment": "github-hosted",
        "workflow_ref": format!("acme/payments/.github/workflows/release.yml@{REF}"),
    });
    let mut predicate = json!({
        "name": "build",
        "attestations": [
            seen("git", json!({"commithash": COMMIT, "remotes": [format!("{REPOSITORY}.git")], "refs": [REF]})),
            seen("github", json!({
                "jwt": {"claims": claims}, "ciconfigpath": "", "pipelineid": "1", "projecturl": REPOSITORY,
                "pipelineurl": format!("{REPOSITORY}/actions/runs/1"), "runneros": "Linux",
            })),
            seen("command-run", json!({"cmd": ["make", "release"], "exitcode": 0})),
        ],
    });
    change(&mut predicate);
    let statement = statement::attest(&[artifact_subject()], COLLECTION, predicate);
    scene.attest("provenance", "builder", &statement);
}

fn jenkins() -> Value {
    let source = json!({"uri": format!("git+{REPOSITORY}.git@origin/main"), "digest": {"sha1": COMMIT}});
    let mut config = source.clone();
    config["entryPoint"] = json!("payments/release");
    let job = "https://jenkins.acme.test/job/payments/job/release/";
    json!({
        "builder": {"id": JENKINS}, "buildType": JENKINS,
        "invocation": {"configSource": config,
            "environment": {"job_url": job, "build_url": format!("{job}7/"), "node_name": "built-in"}},
        "metadata": {"buildInvocationId": "7", "buildFinishedOn": "2026-03-02T10:01:00Z"},
        "materials": [source],
    })
}

fn azure() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://redhat.com/rhtap/slsa-build-types/azure-build/v1",
            "externalParameters": {}, "internalParameters": {},
            "resolvedDependencies": [{"uri": format!("git+{REPOSITORY}"), "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {"builder": {"id": "agent-7"},
            "metadata": {"invocationId": "vstfs:///Build/Build/7", "finishedOn": "2026-03-02T10:01:00Z"}},
    })
}

/// Provenance as Google Cloud Build's older keys sign it, in an envelope of its own.
fn cloud_built(scene: &mut Scene, raw: &str) {
    let of_type = "https://slsa.dev/provenance/v0.1";
    scene.edit(
        "trust.yaml",
        "key: trust/builder.pub,",
        &format!("key: trust/builder.pub, keyId: {CLOUD_BUILD_KEY}, predicateTypes: [\"{of_type}\"]{raw},"),
    );
    scene.edit("trust.yaml", BUILDER, CLOUD_BUILD);
    let predicate = json!({
        "builder": {"id": CLOUD_BUILD},
        "recipe": {"type": "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1", "entryPoint": "cloudbuild.yaml",
            "arguments": {"substitutions": {"TAG_NAME": "v2.4.0", "TRIGGER_NAME": "push-tag"}}},
        "metadata": {"buildInvocationId": "40ed", "buildFinishedOn": "2026-03-02T10:01:00Z"},
        "materials": [{"uri": format!("git+{REPOSITORY}"), "digest": {"sha1": COMMIT}}],
    });
    let payload = laforge::json::canonical(&statement::attest(&[artifact_subject()], of_type, predicate));
    let signed = key("builder").sign(&payload).map(|signature| json!(STANDARD.encode(signature)));
    let signature = scene.noted(signed);
    let envelope = json!({
        "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(&payload),
        "signatures": [{"keyid": CLOUD_BUILD_KEY, "sig": signature}],
    });
    scene.remove("evidence/provenance.sigstore.json");
    scene.put("evidence/provenance.dsse", envelope.to_string().as_bytes());
}

/// A release of GitHub's, by a certificate that names no issuer unless one is given.
fn published(scene: &mut Scene, purl: &str, issuer: Option<&str>) {
    scene.trust(
        "signers",
        &format!(
            "{{name: github-releases, use: attestation, predicateTypes: [\"{RELEASE}\"], \
             identity: {{root: acme, issuer: none, subject: \"{PUBLISHER}\"}}}}"
        ),
    );
    let wanted = format!(
        "    attestations: [{{predicateType: {RELEASE}, from: [github-releases], \
         purl: pkg:github/acme/payments@v2.4.0}}]\n"
    );
    scene.edit("policies/production.yaml", "    approvals:", &format!("{wanted}    approvals:"));
    let mut root = scene.acme.trusted_root();
    root["tlogs"] = json!([]);
    root["ctlogs"] = json!([]);
    scene.put("trust/acme-root.json", root.to_string().as_bytes());
    let workload = Workload {
        subject: PUBLISHER.to_owned(),
        issuer: issuer.unwrap_or_default().to_owned(),
        claims: Vec::new(),
    };
    let predicate = json!({
        "purl": purl, "repository": "acme/payments", "tag": "v2.4.0", "ownerId": "1", "repositoryId": "2",
    });
    let statement = statement::attest(&[artifact_subject()], RELEASE, predicate);
    let parts = Parts { certificate_logged: false, ..Parts::stamped(scene.now) };
    let now = scene.now;
    let bundle = scene.keyless(&workload, Content::Statement(&statement), now, parts);
    scene.evidence("published", &bundle);
}
