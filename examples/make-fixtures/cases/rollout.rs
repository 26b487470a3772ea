//! Strategies that are allowed, windows that are frozen, and bounds that a rollout leaves.

use laforge::policy::finding::RuleId::{
    Freeze, NoRule, RolloutBudget, RolloutFirstStep, RolloutMigration, RolloutStrategy,
};

use super::Case;
use super::Expect::{Allows, Denies};
use crate::scene::Scene;

const POLICY: &str = "policies/production.yaml";

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
            let digest = laforge::release::digest::Digest::of_bytes(crate::scene::ARTIFACT_BYTES);
            let replaces = format!(
                "  replaces: {{version: 2.4.0, artifacts: [{{name: payments.tar.gz, digest: \"{digest}\"}}]}}\n"
            );
            scene.edit("release.yaml", "  config:\n", &format!("{replaces}  config:\n"));
            migration(scene, "class: contract, backup: nightly");
            bounds(scene, "migration: [expand]");
        },
    ),
];

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
