//! Strategies that are allowed, windows that are frozen, and bounds that a rollout leaves.

use chrono::TimeDelta;
use laforge::policy::finding::RuleId::{
    ArtifactNotRead, Freeze, NoRule, ProvenanceMissing, RolloutBackup, RolloutBudget, RolloutFirstStep,
    RolloutMigration, RolloutStrategy, SignatureMissing,
};
use laforge::release::digest::Digest;
use laforge::signing::statement;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{Allows, Denies, Refuses, SetAside};
use crate::scene::{ARTIFACT_BYTES, Scene};

const POLICY: &str = "policies/production.yaml";
const TESTS: &str = "https://in-toto.io/attestation/test-result/v0.1";
const DUMP: &[u8] = b"PGDMP of payments\n";
const FRESH: &str = "migration: [contract], backup: {restoreTestedWithin: 7d, from: [restore-test]}";

pub(super) const CASES: &[Case] = &[
    Case::sound("allows-bluegreen", "A rollout by blue and green, within all bounds.", Allows, |scene| {
        bounds(scene, "strategies: [bluegreen], maxErrorBudget: 0.02, maxLatencyBudgetMs: 450, maxTtl: 4h");
    }),
    Case::sound("allows-canary", "A rollout by canary, within all bounds.", Allows, |scene| {
        strategy(scene, "canary, trafficSteps: [10, 50, 100]");
        bounds(scene, "strategies: [canary], firstStepAtMost: 10");
    }),
    Case::sound("allows-staged", "A rollout in stages, within all bounds.", Allows, |scene| {
        strategy(scene, "staged, trafficSteps: [5, 50, 100]");
        bounds(scene, "strategies: [canary, staged], firstStepAtMost: 10");
    }),
    Case::sound(
        "allows-expanding-migration",
        "A migration that only adds, as the policy allows.",
        Allows,
        |scene| {
            migration(scene, "class: expand");
            bounds(scene, "migration: [expand]");
        },
    ),
    Case::sound("allows-after-freeze", "A frozen window that ended this second.", Allows, |scene| {
        freeze(scene, "{name: weekend, from: \"Fri 16:00\", to: \"Mon 12:00\"}");
    }),
    Case::sound("denies-frozen", "A frozen window of every week.", Denies(&[Freeze]), |scene| {
        freeze(scene, "{name: weekend, from: \"Fri 16:00\", to: \"Mon 12:01\"}");
    }),
    Case::sound(
        "denies-frozen-in-time-zone",
        "A frozen window that is over in UTC and not where its clock is.",
        Denies(&[Freeze]),
        |scene| {
            freeze(
                scene,
                "{name: weekend, timezone: America/New_York, from: \"Fri 16:00\", to: \"Mon 08:00\"}",
            )
        },
    ),
    Case::sound("denies-frozen-dates", "A frozen window of one week.", Denies(&[Freeze]), |scene| {
        freeze(scene, "{name: audit, from: 2026-03-01, to: 2026-03-08}");
    }),
    Case::sound("denies-no-rule", "The one policy is for another environment.", Denies(&[NoRule]), |scene| {
        scene.edit(POLICY, "environments: [production]", "environments: [staging]");
    }),
    Case::sound(
        "denies-strategy",
        "The policy allows canaries, and the rollout is blue and green.",
        Denies(&[RolloutStrategy]),
        |scene| bounds(scene, "strategies: [canary, staged]"),
    ),
    Case::sound(
        "denies-first-step",
        "A canary begins at a quarter, and the policy allows a tenth.",
        Denies(&[RolloutFirstStep]),
        |scene| {
            strategy(scene, "canary, trafficSteps: [25, 50, 100]");
            bounds(scene, "firstStepAtMost: 10");
        },
    ),
    Case::sound(
        "denies-error-budget",
        "The error budget is twice what the policy allows.",
        Denies(&[RolloutBudget]),
        |scene| bounds(scene, "maxErrorBudget: 0.01"),
    ),
    Case::sound(
        "denies-latency-budget",
        "The latency budget is a millisecond more than the policy allows.",
        Denies(&[RolloutBudget]),
        |scene| bounds(scene, "maxLatencyBudgetMs: 449"),
    ),
    Case::sound(
        "denies-contracting-migration",
        "A migration takes something away, and the policy allows only additions.",
        Denies(&[RolloutMigration]),
        |scene| {
            replaces_itself(scene);
            backed_up(scene);
            migration(scene, "class: contract, backup: nightly");
            bounds(scene, "migration: [expand], backup: {restoreTestedWithin: 7d, from: [restore-test]}");
            restored(scene, "restore-test", TimeDelta::days(1), "PASSED");
        },
    ),
    Case::sound(
        "allows-contracting-migration-with-backup",
        "A migration takes something away, and the backup that it names was restored yesterday.",
        Allows,
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(1), "PASSED");
        },
    ),
    Case::sound(
        "allows-backup-restored-after-failing",
        "A restore of the backup failed, and a later one passed.",
        Allows,
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(2), "FAILED");
            restored(scene, "restore-test", TimeDelta::days(1), "PASSED");
        },
    ),
    Case::sound(
        "denies-backup-never-restored",
        "The backup that a contracting migration names was never restored.",
        Denies(&[RolloutBackup]),
        contract,
    ),
    Case::sound(
        "denies-backup-restored-too-long-ago",
        "The backup was restored eight days ago, and the policy asks for a restore of this week.",
        Denies(&[RolloutBackup]),
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(8), "PASSED");
        },
    ),
    Case::sound(
        "denies-backup-that-does-not-restore",
        "The backup was restored, and a later restore of it failed.",
        Denies(&[RolloutBackup]),
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(2), "PASSED");
            restored(scene, "restore-test", TimeDelta::days(1), "FAILED");
        },
    ),
    Case::sound(
        "denies-backup-restored-at-no-known-time",
        "The restore test doesn't say when it ended, and nothing else does.",
        Denies(&[RolloutBackup]),
        |scene| {
            contract(scene);
            attest_dump(
                scene,
                "restore-test",
                "restore-test",
                json!({"result": "PASSED", "configuration": []}),
            );
        },
    ),
    Case::sound(
        "denies-backup-restored-by-another-signer",
        "The restore test is by the builder, and the policy names another signer.",
        Denies(&[RolloutBackup]),
        |scene| {
            contract(scene);
            restored(scene, "builder", TimeDelta::days(1), "PASSED");
        },
    ),
    Case::sound(
        "denies-backup-test-that-is-malformed",
        "The restore test's result is a word that the format doesn't have.",
        SetAside(&[RolloutBackup], "wrong-predicate"),
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(2), "PASSED");
            restored(scene, "restore-test", TimeDelta::days(1), "failed");
        },
    ),
    Case::sound(
        "denies-backup-that-is-another-dump",
        "The restore test is of another dump than the release lists.",
        SetAside(&[RolloutBackup], "wrong-subject"),
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(1), "PASSED");
            let listed = Digest::of_bytes(DUMP).to_string();
            let other = Digest::of_bytes(b"PGDMP of somebody else\n").to_string();
            scene.edit("release.yaml", &listed, &other);
            scene.approve();
        },
    ),
    Case::sound(
        "denies-backup-that-is-no-artifact",
        "The migration names a backup that the release doesn't list.",
        Denies(&[RolloutBackup]),
        |scene| {
            replaces_itself(scene);
            tester(scene);
            migration(scene, "class: contract, backup: nightly");
            bounds(scene, FRESH);
        },
    ),
    Case::sound(
        "denies-backup-that-runs",
        "What a migration calls its backup is what the rollout deploys.",
        Denies(&[RolloutBackup]),
        |scene| {
            replaces_itself(scene);
            tester(scene);
            migration(scene, "class: contract, backup: payments.tar.gz");
            scene.edit("laforge.yaml", "migration:", "deploys: [payments.tar.gz], migration:");
            bounds(scene, FRESH);
        },
    ),
    Case::sound(
        "denies-backup-that-no-policy-asks-about",
        "The migration's backup was restored, and the policy doesn't take that for a signature or a build.",
        Denies(&[ArtifactNotRead, ProvenanceMissing, SignatureMissing]),
        |scene| {
            contract(scene);
            restored(scene, "restore-test", TimeDelta::days(1), "PASSED");
            scene.edit(POLICY, FRESH, "migration: [contract]");
        },
    ),
    Case::sound(
        "refuses-backup-alone",
        "The release has nothing but the backup that its migration names.",
        Refuses(2, "no artifact but the backup `payments.tar.gz`"),
        |scene| migration(scene, "class: contract, backup: payments.tar.gz"),
    ),
];

/// A contracting migration as the policy allows it, but for the backup's restore test.
fn contract(scene: &mut Scene) {
    replaces_itself(scene);
    backed_up(scene);
    migration(scene, "class: contract, backup: nightly");
    bounds(scene, FRESH);
}

/// What is released runs already.
fn replaces_itself(scene: &mut Scene) {
    let digest = Digest::of_bytes(ARTIFACT_BYTES);
    let replaces = format!(
        "  replaces: {{version: 2.4.0, artifacts: [{{name: payments.tar.gz, digest: \"{digest}\"}}]}}\n"
    );
    scene.edit("release.yaml", "  config:\n", &format!("{replaces}  config:\n"));
    scene.approve();
}

/// Lists a dump by its digest, approves that, and lets somebody test restores.
fn backed_up(scene: &mut Scene) {
    let listed = format!("  artifacts:\n    - {{name: nightly, digest: \"{}\"}}\n", Digest::of_bytes(DUMP));
    scene.edit("release.yaml", "  artifacts:\n", &listed);
    scene.approve();
    tester(scene);
}

fn tester(scene: &mut Scene) {
    scene.put_key("restore-test");
    scene.trust(
        "signers",
        &format!(
            "{{name: restore-test, use: attestation, key: trust/restore-test.pub, root: acme, predicateTypes: [{TESTS}]}}"
        ),
    );
}

/// A restore test of the dump, some time ago.
fn restored(scene: &mut Scene, by: &str, ago: TimeDelta, result: &str) {
    let ended = laforge::time::to_seconds(scene.now - ago);
    let predicate = json!({"result": result, "configuration": [], "laforge_finishedOn": ended});
    attest_dump(scene, &format!("restore-test-{}", ago.num_days()), by, predicate);
}

fn attest_dump(scene: &mut Scene, name: &str, by: &str, predicate: Value) {
    let dump = statement::subject("nightly", &Digest::of_bytes(DUMP).claim());
    scene.attest(name, by, &statement::attest(&[dump], TESTS, predicate));
}

fn bounds(scene: &mut Scene, members: &str) {
    scene.edit(POLICY, "  require:\n", &format!("  rollout: {{{members}}}\n  require:\n"));
}

fn freeze(scene: &mut Scene, window: &str) {
    scene.edit(POLICY, "  require:\n", &format!("  freeze: [{window}]\n  require:\n"));
}

fn strategy(scene: &mut Scene, members: &str) {
    scene.edit("laforge.yaml", "bluegreen, trafficSteps: [20, 80, 100]", members);
}

fn migration(scene: &mut Scene, members: &str) {
    let migration = format!("migration: {{command: [migrate, --mode, shadow], {members}}}, strategy:");
    scene.edit("laforge.yaml", "strategy:", &migration);
}
