//! Attestations that a policy asks for by type, what they have to say, and what belongs together.

use chrono::TimeDelta;
use laforge::policy::finding::RuleId::{
    ApprovalRejected, ApprovalThreshold, AttestationFailed, AttestationMissing, CorrelationMismatch,
    EvidenceUnheard,
};
use laforge::signing::statement;
use laforge::signing::vsa::{Summary, resource_uri};
use serde_json::{Value, json};

use super::Case;
use super::Expect::{Allows, Denies, Refuses, SetAside};
use super::kinds::{builder_workload, built_by};
use crate::authority::{Content, Parts};
use crate::certificate::Workload;
use crate::scene::{GITHUB, Scene, WORKFLOW, artifact_subject, workflow};

const SCAN: &str = "https://in-toto.io/attestation/vulns";
const TESTS: &str = "https://in-toto.io/attestation/test-result/v0.1";

pub(super) const CASES: &[Case] = &[
    Case::sound("allows-scanned", "A scan is asked for, of this week, and there is one.", Allows, |scene| {
        scanned(scene, TimeDelta::days(1));
    }),
    Case::sound(
        "denies-scan-too-old",
        "A scan of this week is asked for, and there is one of the week before.",
        Denies(&[AttestationMissing]),
        |scene| scanned(scene, TimeDelta::days(8)),
    ),
    Case::sound(
        "denies-scan-missing",
        "A scan is asked for, and there is none.",
        Denies(&[AttestationMissing]),
        |scene| require(scene, &format!("{{predicateType: {SCAN}, from: [scanner], maxAge: 7d}}")),
    ),
    Case::sound(
        "denies-scan-of-another-artifact",
        "A scan is asked for, and there is one of another artifact.",
        SetAside(&[AttestationMissing], "wrong-subject"),
        |scene| {
            require(scene, &format!("{{predicateType: {SCAN}, from: [scanner], maxAge: 7d}}"));
            let digest = laforge::release::digest::Digest::of_bytes(b"another artifact").claim();
            let other = statement::subject("another", &digest);
            let statement = statement::attest(&[other], SCAN, scan(scene, TimeDelta::days(1)));
            scene.attest("scan", "scanner", &statement);
        },
    ),
    Case::sound(
        "denies-scan-by-person",
        "The scan is by a person.",
        SetAside(&[AttestationMissing], "wrong-use"),
        |scene| {
            require(scene, &format!("{{predicateType: {SCAN}, from: [scanner], maxAge: 7d}}"));
            let statement = statement::attest(&[artifact_subject()], SCAN, scan(scene, TimeDelta::days(1)));
            scene.attest("scan", "alice", &statement);
        },
    ),
    Case::sound("allows-tests-passed", "Tests are asked for, and they passed.", Allows, |scene| {
        require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
        tested(scene, "tests", "PASSED");
    }),
    Case::sound(
        "denies-tests-failed",
        "Tests are asked for, and they failed.",
        Denies(&[AttestationFailed]),
        |scene| {
            require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
            tested(scene, "tests", "FAILED");
        },
    ),
    Case::sound(
        "denies-failed-tests-beside-passed-ones",
        "Tests passed and failed, and every run has to have passed.",
        Denies(&[AttestationFailed]),
        |scene| {
            require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
            tested(scene, "tests-1", "PASSED");
            tested(scene, "tests-2", "FAILED");
        },
    ),
    Case::sound(
        "denies-malformed-tests-beside-passed-ones",
        "Tests passed, and another run's result is misspelt: a failure doesn't vanish by being malformed.",
        SetAside(&[AttestationFailed], "wrong-predicate"),
        |scene| {
            require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
            tested(scene, "tests-1", "PASSED");
            tested(scene, "tests-2", "failed");
        },
    ),
    Case::sound(
        "denies-failed-tests-dated-ahead",
        "Tests passed, and another run failed by a clock that is an hour fast: a failure needs no good clock.",
        Denies(&[AttestationFailed]),
        |scene| {
            require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
            tested(scene, "tests-1", "PASSED");
            let ahead = laforge::time::to_seconds(scene.now + TimeDelta::hours(1));
            let predicate = json!({"result": "FAILED", "configuration": [], "laforge_finishedOn": ahead});
            let statement = statement::attest(&[artifact_subject()], TESTS, predicate);
            scene.attest("tests-2", "scanner", &statement);
        },
    ),
    Case::sound(
        "denies-unreadable-tests-beside-passed-ones",
        "Tests passed, and another run's statement can't be read, by the signer whose word counts: it may say no.",
        SetAside(&[EvidenceUnheard], "unheard"),
        |scene| {
            require(scene, &format!("{{predicateType: {TESTS}, from: [scanner]}}"));
            tested(scene, "tests-1", "PASSED");
            let predicate = json!({"result": "FAILED", "configuration": []});
            let mut statement = statement::attest(&[artifact_subject()], TESTS, predicate);
            let odd = json!({"name": "notes.txt", "digest": {"sha256": "AB".repeat(32)}});
            statement["subject"] = json!([statement["subject"][0], odd]);
            scene.attest("tests-2", "scanner", &statement);
        },
    ),
    Case::sound(
        "denies-newer-failure",
        "Tests passed and then failed, and the latest run has to have passed.",
        Denies(&[AttestationFailed]),
        |scene| in_turn(scene, ["PASSED", "FAILED"], said_itself),
    ),
    Case::sound(
        "allows-newer-success",
        "Tests failed and then passed, and the latest run has to have passed.",
        Allows,
        |scene| in_turn(scene, ["FAILED", "PASSED"], said_itself),
    ),
    Case::sound(
        "denies-success-stamped-anew",
        "Tests passed that do not say when, and their signature was stamped after a failure: whoever has it may do that.",
        Denies(&[AttestationFailed]),
        |scene| in_turn(scene, ["FAILED", "PASSED"], |_| Value::Null),
    ),
    Case::sound(
        "denies-scan-stamped-anew",
        "The signature over an undated statement of a scanner was stamped an hour ago: nobody knows how old it is.",
        Denies(&[AttestationMissing]),
        |scene| {
            require(scene, &format!("{{predicateType: {SCAN}, from: [scanner], maxAge: 7d}}"));
            let statement = statement::attest(&[artifact_subject()], SCAN, json!({}));
            let at = scene.now - TimeDelta::hours(1);
            let bundle = scene.managed("scanner", Content::Statement(&statement), at, Parts::stamped(at));
            scene.evidence("scan", &bundle);
        },
    ),
    Case::sound(
        "allows-promoted-from-staging",
        "The staging gate's own summary is asked for, at build level 3, and there is one.",
        Allows,
        |scene| promoted(scene, |_| {}),
    ),
    Case::sound(
        "denies-staging-failed",
        "The staging gate's summary says that it failed.",
        Denies(&[AttestationFailed]),
        |scene| {
            promoted(scene, |statement| {
                statement["predicate"]["verificationResult"] = json!("FAILED");
                statement["predicate"]["verifiedLevels"] = json!(["FAILED"]);
            });
        },
    ),
    Case::sound(
        "denies-staging-level-too-low",
        "The staging gate's summary is of build level 2, and the policy asks for 3.",
        Denies(&[AttestationFailed]),
        |scene| {
            promoted(scene, |it| it["predicate"]["verifiedLevels"] = json!(["SLSA_BUILD_LEVEL_2"]));
        },
    ),
    Case::sound(
        "denies-summary-of-another-gate",
        "The summary is of a gate that the policy doesn't mean.",
        Denies(&[AttestationMissing]),
        |scene| {
            promoted(scene, |it| {
                it["predicate"]["verifier"]["id"] = json!("https://gitops.acme.test/payments/qa")
            });
        },
    ),
    Case::sound(
        "denies-summary-of-another-environment",
        "The summary is for another environment than the policy means.",
        Denies(&[AttestationMissing]),
        |scene| {
            promoted(scene, |it| {
                it["predicate"]["resourceUri"] = json!(resource_uri("qa", "payments", "2.4.0"))
            });
        },
    ),
    Case::sound(
        "denies-summary-by-builder",
        "The summary is by the builder's key, which may attest what was built and nothing else.",
        SetAside(&[AttestationMissing], "wrong-use"),
        |scene| {
            promoted(scene, |_| {});
            let statement = summary(scene).verification_summary();
            scene.attest("vsa", "builder", &statement);
        },
    ),
    Case::sound(
        "denies-summary-that-is-malformed",
        "The summary's result is a word that the format doesn't have.",
        SetAside(&[AttestationFailed], "wrong-predicate"),
        |scene| promoted(scene, |it| it["predicate"]["verificationResult"] = json!("passed")),
    ),
    Case::sound(
        "allows-correlated",
        "Build and scan are of one run and one commit, and the policy asks for that.",
        Allows,
        |scene| correlated(scene, &workflow()),
    ),
    Case::sound(
        "denies-scan-of-another-run",
        "The scan is of another run than the build.",
        Denies(&[CorrelationMismatch]),
        |scene| {
            let other = "https://github.com/acme/payments/actions/runs/2/attempts/1";
            correlated(scene, &claiming(21, other));
        },
    ),
    Case::sound(
        "denies-scan-of-another-commit",
        "The scan is of another commit than the build.",
        Denies(&[CorrelationMismatch]),
        |scene| correlated(scene, &claiming(13, "0000000000000000000000000000000000000000")),
    ),
    Case::sound(
        "denies-uncorrelated-local-keys",
        "The policy asks for one run, and what a local key signs names none.",
        Denies(&[CorrelationMismatch]),
        |scene| {
            scanned(scene, TimeDelta::days(1));
            scene.edit(
                "policies/production.yaml",
                "    provenance:",
                "    correlate: [run-id]\n    provenance:",
            );
        },
    ),
    Case::sound(
        "allows-approval-passed-on",
        "The pipeline passes on what bob said elsewhere, and the policy names it for that.",
        Allows,
        |scene| passed_on(scene, true, "github:bob"),
    ),
    Case::sound(
        "denies-approval-passed-on-unasked",
        "The pipeline passes on what bob said elsewhere, and the policy doesn't name it.",
        Denies(&[ApprovalThreshold]),
        |scene| passed_on(scene, false, "github:bob"),
    ),
    Case::sound(
        "denies-approval-passed-on-for-stranger",
        "The pipeline passes on what somebody said who is nobody in trust.",
        SetAside(&[ApprovalThreshold], "on-behalf-of"),
        |scene| passed_on(scene, true, "github:mallory"),
    ),
    Case::sound(
        "denies-approval-passed-on-twice",
        "The pipeline passes on what alice said elsewhere, beside her own approval: she is one person.",
        Denies(&[ApprovalThreshold]),
        |scene| passed_on(scene, true, "github:alice"),
    ),
    Case::sound(
        "denies-rejection-passed-on",
        "Both people approved, and the pipeline passes on that bob later asked for changes.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            passed_on(scene, true, "github:bob");
            let mut approval = scene.approval();
            scene.approve_as("bob", &approval);
            approval.decision = laforge::evidence::predicate::approval::Word::Rejected;
            approval.created_at += TimeDelta::minutes(30);
            approval.on_behalf_of = Some("github:bob".to_owned());
            let statement = statement::approval(&scene.release_digest(), &approval);
            scene.attest("approval-passed-on", "pipeline", &statement);
        },
    ),
    Case::sound(
        "refuses-signer-that-may-not-attest",
        "A policy asks for a summary by a signer that may not sign one.",
        Refuses(2, "use: vsa"),
        |scene| {
            require(scene, "{predicateType: https://slsa.dev/verification_summary/v1, from: [scanner]}");
        },
    ),
];

/// Asks for attestations, and lets `scanner` sign any.
fn require(scene: &mut Scene, section: &str) {
    scene.put_key("scanner");
    scene.trust("signers", "{name: scanner, use: attestation, key: trust/scanner.pub, root: acme}");
    let asked = format!("    attestations: [{section}]\n    provenance:");
    scene.edit("policies/production.yaml", "    provenance:", &asked);
}

/// Asks for a scan of a week, and brings one.
fn scanned(scene: &mut Scene, age: TimeDelta) {
    require(scene, &format!("{{predicateType: {SCAN}, from: [scanner], maxAge: 7d}}"));
    let statement = statement::attest(&[artifact_subject()], SCAN, scan(scene, age));
    scene.attest("scan", "scanner", &statement);
}

fn scan(scene: &Scene, age: TimeDelta) -> Value {
    let ended = laforge::time::to_seconds(scene.now - age);
    json!({
        "scanner": {"uri": "https://scanner.acme.test", "version": "1.2", "result": []},
        "metadata": {"scanStartedOn": ended, "scanFinishedOn": ended},
    })
}

fn tested(scene: &mut Scene, name: &str, result: &str) {
    let predicate = json!({"result": result, "configuration": []});
    let statement = statement::attest(&[artifact_subject()], TESTS, predicate);
    scene.attest(name, "scanner", &statement);
}

/// When a run ended, by its own word.
fn said_itself(at: laforge::time::Timestamp) -> Value {
    json!(laforge::time::to_seconds(at))
}

/// Two runs of the tests an hour apart, stamped, of which the latest counts.
fn in_turn(scene: &mut Scene, results: [&str; 2], said: fn(laforge::time::Timestamp) -> Value) {
    require(scene, &format!("{{predicateType: {TESTS}, from: [p256-tester], latest: true}}"));
    scene.put_key("p256-tester");
    scene.trust("signers", "{name: p256-tester, use: attestation, key: trust/p256-tester.pub, root: acme}");
    for (name, result, ago) in [("tests-1", results[0], 2), ("tests-2", results[1], 1)] {
        let at = scene.now - TimeDelta::hours(ago);
        let predicate = json!({"result": result, "configuration": [], "laforge_finishedOn": said(at)});
        let statement = statement::attest(&[artifact_subject()], TESTS, predicate);
        let bundle = scene.managed("p256-tester", Content::Statement(&statement), at, Parts::stamped(at));
        scene.evidence(name, &bundle);
    }
}

/// What a staging gate's `deploy --vsa` writes of this release.
fn summary(scene: &Scene) -> Summary {
    let digest = |text: &str| laforge::release::digest::Digest::of_bytes(text.as_bytes()).claim();
    Summary {
        subjects: vec![artifact_subject()],
        origin: "gitops.acme.test/payments/staging".to_owned(),
        log_id: digest("the staging log"),
        index: 41,
        time: scene.now - TimeDelta::hours(20),
        resource_uri: resource_uri("staging", "payments", "2.4.0"),
        policy_sets: vec![("staging".to_owned(), 3)],
        policy: digest("the staging policy"),
        inputs: [digest("evidence")].into(),
        build_level: 3,
    }
}

/// Asks for a summary of staging, and brings one, changed.
fn promoted(scene: &mut Scene, change: fn(&mut Value)) {
    scene.put_key("staging-gate");
    scene.trust("signers", "{name: staging-gate, use: vsa, key: trust/staging-gate.pub, root: acme}");
    scene.put("policies/promoted-from-staging.yaml", PROMOTED.as_bytes());
    let mut statement = summary(scene).verification_summary();
    change(&mut statement);
    scene.attest("vsa", "staging-gate", &statement);
}

const PROMOTED: &str = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: promoted-from-staging}
spec:
  match: {environments: [production]}
  require:
    attestations:
      - predicateType: https://slsa.dev/verification_summary/v1
        from: [staging-gate]
        verifier: https://gitops.acme.test/payments/staging
        resourceUri: \"pattern:laforge:staging/payments@*\"
        verifiedLevels: [SLSA_BUILD_LEVEL_3]
        slsaVersion: \"1.0\"
        maxAge: 7d
";

/// Build and scan by certificates of runs, and a policy that ties them together.
fn correlated(scene: &mut Scene, scanner: &Workload) {
    built_by(scene, &builder_workload());
    let identity = format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{WORKFLOW}\"}}");
    scene.trust("signers", &format!("{{name: workflow, use: attestation, {identity}}}"));
    scene.edit(
        "policies/production.yaml",
        "    provenance:",
        &format!(
            "    attestations: [{{predicateType: {SCAN}, from: [workflow], maxAge: 7d}}]\n    correlate: [run-id, commit]\n    \
             provenance:"
        ),
    );
    let now = scene.now;
    let statement = statement::attest(&[artifact_subject()], SCAN, scan(scene, TimeDelta::hours(1)));
    let bundle = scene.keyless(scanner, Content::Statement(&statement), now, Parts::LOGGED);
    scene.evidence("scan", &bundle);
}

/// The workflow with one claim of its certificate changed.
fn claiming(arc: u8, text: &str) -> Workload {
    let mut workload = workflow();
    for claim in workload.claims.iter_mut().filter(|claim| claim.0 == arc) {
        claim.1 = text.to_owned();
    }
    workload
}

/// The pipeline passes on an approval that somebody gave elsewhere, instead of bob's own.
fn passed_on(scene: &mut Scene, asked: bool, whom: &str) {
    scene.put_key("pipeline");
    scene.trust(
        "signers",
        "{name: pipeline, use: attestation, key: trust/pipeline.pub, root: acme, predicateTypes: [https://laforge.dev/attestation/approval/v1]}",
    );
    if asked {
        scene.edit("policies/production.yaml", "maxAge: 24h", "maxAge: 24h, attestedBy: [pipeline]");
    }
    let mut approval = scene.approval();
    approval.on_behalf_of = Some(whom.to_owned());
    let statement = statement::approval(&scene.release_digest(), &approval);
    scene.remove("evidence/approval-bob.sigstore.json");
    scene.attest("approval-passed-on", "pipeline", &statement);
}
