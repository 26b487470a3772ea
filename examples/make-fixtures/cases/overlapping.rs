//! Two signers of trust that match one certificate: whoever may sign in either name is one, however often.

use laforge::policy::finding::RuleId::{AttestationMissing, SignatureMissing};
use serde_json::json;

use super::Case;
use super::Expect::{Allows, Denies};
use crate::authority::{Content, Log, Parts};
use crate::certificate::Workload;
use crate::scene::{ARTIFACT_BYTES, GITHUB, Scene, WORKFLOW, artifact_subject, workflow};
use laforge::signing::statement;

/// Every workflow of the repository, at any tag: the release's own is one of them.
const WORKFLOWS: &str = "pattern:https://github.com/acme/payments/.github/workflows/*.yml@refs/tags/**";
/// Another one of them.
const HOTFIX: &str = "https://github.com/acme/payments/.github/workflows/hotfix.yml@refs/tags/v2.4.0";
/// What two have to say of the artifact.
const REVIEWED: &str = "https://acme.test/reviewed/v1";

pub(super) const CASES: &[Case] = &[
    Case::bare(
        "denies-one-workload-that-two-signers-match",
        "Two signers are asked for, and one certificate's identity is that of both: it signed twice, each time with a key, a certificate and a log entry of its own.",
        Denies(&[SignatureMissing]),
        |scene| {
            two_signers(scene);
            signed(scene, "signature", &workflow(), Parts::LOGGED);
            let again = Parts::logged_and_stamped(Log::Second, scene.now);
            signed(scene, "again", &workflow(), again);
        },
    ),
    Case::bare(
        "allows-two-workloads-of-overlapping-signers",
        "Two signers are asked for: the release's workflow, which is both, signed, and so did another, which is one of them.",
        Allows,
        |scene| {
            two_signers(scene);
            signed(scene, "signature", &workflow(), Parts::LOGGED);
            signed(scene, "hotfix", &hotfix(), Parts::LOGGED);
        },
    ),
    Case::bare(
        "denies-one-workload-that-attests-for-two-signers",
        "Two have to have reviewed the artifact, and one certificate's identity is that of both.",
        Denies(&[AttestationMissing]),
        |scene| {
            two_reviewers(scene);
            reviewed(scene, "review", &workflow(), Parts::LOGGED);
            let again = Parts::logged_and_stamped(Log::Second, scene.now);
            reviewed(scene, "again", &workflow(), again);
        },
    ),
    Case::bare(
        "allows-two-workloads-that-attest-for-overlapping-signers",
        "Two have to have reviewed the artifact: the release's workflow, which is both, and another, which is one of them.",
        Allows,
        |scene| {
            two_reviewers(scene);
            reviewed(scene, "review", &workflow(), Parts::LOGGED);
            reviewed(scene, "hotfix", &hotfix(), Parts::LOGGED);
        },
    ),
];

/// Trust names the release's workflow, and every workflow of the repository.
fn overlap(scene: &mut Scene, of: &str) {
    for (name, subject) in [("release-workflow", WORKFLOW), ("any-workflow", WORKFLOWS)] {
        let identity = format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{subject}\"}}");
        scene.trust("signers", &format!("{{name: {name}, use: {of}, {identity}}}"));
    }
    scene.attest_build();
    scene.approve();
}

fn two_signers(scene: &mut Scene) {
    overlap(scene, "artifact");
    scene.edit(
        "policies/production.yaml",
        "1, from: [release-signing]",
        "2, from: [release-workflow, any-workflow]",
    );
}

fn two_reviewers(scene: &mut Scene) {
    overlap(scene, "attestation");
    scene.sign();
    scene.edit(
        "policies/production.yaml",
        "    provenance:",
        &format!(
            "    attestations: [{{predicateType: {REVIEWED}, each: artifact, atLeast: 2, from: [release-workflow, any-workflow]}}]\n    provenance:"
        ),
    );
}

/// The other workflow, as GitHub's tokens and Fulcio describe it.
fn hotfix() -> Workload {
    let mut workload = workflow();
    workload.subject = HOTFIX.to_owned();
    for (_, claim) in workload.claims.iter_mut().filter(|(_, claim)| claim == WORKFLOW) {
        *claim = HOTFIX.to_owned();
    }
    workload
}

fn signed(scene: &mut Scene, name: &str, by: &Workload, parts: Parts) {
    let now = scene.now;
    let bundle = scene.keyless(by, Content::Message(ARTIFACT_BYTES), now, parts);
    scene.evidence(name, &bundle);
}

fn reviewed(scene: &mut Scene, name: &str, by: &Workload, parts: Parts) {
    let statement = statement::attest(&[artifact_subject()], REVIEWED, json!({"reviewed": true}));
    let now = scene.now;
    let bundle = scene.keyless(by, Content::Statement(&statement), now, parts);
    scene.evidence(name, &bundle);
}
