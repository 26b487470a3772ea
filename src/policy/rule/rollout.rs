//! `rollout`: bounds of the rollout itself: its strategy, its first step, its lifetime, its error budget,
//! the migration that comes with it and the backup that this relies on ([`backup`](super::backup)).
//!
//! In: a checked section, and the draft as it would be hashed and run. Out: denials, of a finding per
//! bound, and the end that `maxTtl` puts. Not judged here: whether the draft is well-formed at all, which
//! `plan` says, and what no policy can loosen, which `floor` says.

use std::collections::BTreeSet;

use chrono::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::LimitedBy;
use crate::plan::members::{self, StrategyType};
use crate::time::duration;
use crate::yaml::{DocumentError, Spanned};

use super::backup::{BackupSection, RestoreTest};
use super::{Cure, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

/// Bounds of the rollout.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct RolloutSection {
    /// The strategies that are allowed.
    #[serde(default)]
    #[schemars(with = "BTreeSet<Strategy>", length(min = 1))]
    pub strategies: Option<Spanned<Vec<Strategy>>>,
    /// The candidate's first weight at most, in percent; binds canary and staged.
    #[serde(default)]
    #[schemars(with = "u64", range(min = 1, max = 100))]
    pub first_step_at_most: Option<Spanned<u64>>,
    /// How long a plan may be started at most; a longer `--ttl` is cut.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = duration::PATTERN))]
    pub max_ttl: Option<Spanned<String>>,
    /// The error budget at most, as a fraction of at most 6 places.
    #[serde(default)]
    #[schemars(with = "f64", extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub max_error_budget: Option<Spanned<f64>>,
    /// The latency budget at most, in milliseconds.
    #[serde(default)]
    #[schemars(with = "u64", range(min = 1, max = 3_600_000))]
    pub max_latency_budget_ms: Option<Spanned<u64>>,
    /// The classes of migration that are allowed; a rollout without migration always is.
    #[serde(default)]
    #[schemars(with = "BTreeSet<MigrationClass>", length(min = 1))]
    pub migration: Option<Spanned<Vec<MigrationClass>>>,
    /// What the backup that a migration relies on has to have been through.
    #[serde(default)]
    #[schemars(with = "BackupSection")]
    pub backup: Option<Spanned<BackupSection>>,
}

/// A way to move traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Both slots at full scale.
    BlueGreen,
    /// The candidate grows with its weight.
    Canary,
    /// A canary, then one half, then all.
    Staged,
}

/// What a migration does to the schema that both versions use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigrationClass {
    /// It only adds.
    Expand,
    /// It takes away or narrows.
    Contract,
}

/// Checked bounds of the rollout.
#[derive(Debug)]
pub struct RolloutLimits {
    strategies: Option<(Vec<Strategy>, Origin)>,
    first_step_at_most: Option<(u64, Origin)>,
    max_ttl: Option<Duration>,
    max_error_budget_ppm: Option<(u64, Origin)>,
    max_latency_budget_ms: Option<(u64, Origin)>,
    migration: Option<(Vec<MigrationClass>, Origin)>,
    backup: Option<RestoreTest>,
}

impl RolloutLimits {
    /// Checks a section.
    ///
    /// # Errors
    /// [`DocumentError`] for a duration that is none, a budget of more than 6 places, and a signer of restore
    /// tests that trust doesn't have.
    pub fn read(section: &RolloutSection, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let bound = |count: &Spanned<u64>| (count.value, reading.origin(count));
        let budget = |fraction: &Spanned<f64>| Ok((millionths(fraction, reading)?, reading.origin(fraction)));
        Ok(Self {
            strategies: section.strategies.as_ref().map(|list| (list.value.clone(), reading.origin(list))),
            first_step_at_most: section.first_step_at_most.as_ref().map(bound),
            max_ttl: section.max_ttl.as_ref().map(|text| reading.duration(text)).transpose()?,
            max_error_budget_ppm: section.max_error_budget.as_ref().map(budget).transpose()?,
            max_latency_budget_ms: section.max_latency_budget_ms.as_ref().map(bound),
            migration: section.migration.as_ref().map(|list| (list.value.clone(), reading.origin(list))),
            backup: section.backup.as_ref().map(|section| RestoreTest::read(section, reading)).transpose()?,
        })
    }

    /// Denies what exceeds a bound; `maxTtl` ends the plan.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        self.check_strategy(scope, outcome);
        self.check_first_step(scope, outcome);
        let proposal = scope.proposal;
        check_budget(
            "error",
            "ppm",
            self.max_error_budget_ppm.as_ref(),
            proposal.error_budget_ppm,
            scope,
            outcome,
        );
        check_budget(
            "latency",
            "ms",
            self.max_latency_budget_ms.as_ref(),
            proposal.latency_budget_ms,
            scope,
            outcome,
        );
        self.check_migration(scope, outcome);
        if let Some(backup) = &self.backup {
            backup.evaluate(scope, outcome);
        }
        if let Some(ttl) = self.max_ttl {
            outcome.limit_after(scope.now, ttl, LimitedBy::Policy);
        }
    }

    /// Whether it judges a migration's backup.
    pub(super) fn tests_backup(&self) -> bool {
        self.backup.is_some()
    }

    fn check_strategy(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let Some((allowed, origin)) = &self.strategies else { return };
        if allowed.iter().any(|one| one.planned() == scope.proposal.strategy) {
            return;
        }
        let names: Vec<_> = allowed.iter().map(|one| format!("`{}`", strategy_word(one.planned()))).collect();
        let got = strategy_word(scope.proposal.strategy);
        let message = format!("strategy `{got}` is not among {}", names.join(", "));
        let help = format!("deploy with `--strategy` {}", names.join(" or "));
        deny(RuleId::RolloutStrategy, message, help, origin, scope, outcome);
    }

    fn check_first_step(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let Some((most, origin)) = &self.first_step_at_most else { return };
        let first = scope.proposal.first_step;
        if scope.proposal.strategy == StrategyType::BlueGreen || first.is_some_and(|first| first <= *most) {
            return;
        }
        let got = first.map_or_else(|| "none".to_owned(), |first| format!("{first} %"));
        let message = format!("first step: wanted {most} % at most, got {got}");
        let help = format!("begin `--traffic-steps` with {most} or less");
        deny(RuleId::RolloutFirstStep, message, help, origin, scope, outcome);
    }

    fn check_migration(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let (Some((allowed, origin)), Some(migration)) = (&self.migration, &scope.proposal.migration) else {
            return;
        };
        if allowed.iter().any(|one| one.planned() == migration.class) {
            return;
        }
        let class = |class| format!("`{}`", class_word(class));
        let names: Vec<_> = allowed.iter().map(|one| class(one.planned())).collect();
        let message =
            format!("migration: wanted class {}, got {}", names.join(" or "), class(migration.class));
        let help = "split the migration: expand now, contract in a later plan of its own".to_owned();
        deny(RuleId::RolloutMigration, message, help, origin, scope, outcome);
    }
}

impl Strategy {
    fn planned(self) -> StrategyType {
        match self {
            Self::BlueGreen => StrategyType::BlueGreen,
            Self::Canary => StrategyType::Canary,
            Self::Staged => StrategyType::Staged,
        }
    }
}

impl MigrationClass {
    fn planned(self) -> members::MigrationClass {
        match self {
            Self::Expand => members::MigrationClass::Expand,
            Self::Contract => members::MigrationClass::Contract,
        }
    }
}

/// As policies and flags name it.
fn strategy_word(strategy: StrategyType) -> &'static str {
    match strategy {
        StrategyType::BlueGreen => "bluegreen",
        StrategyType::Canary => "canary",
        StrategyType::Staged => "staged",
    }
}

fn class_word(class: members::MigrationClass) -> &'static str {
    match class {
        members::MigrationClass::Expand => "expand",
        members::MigrationClass::Contract => "contract",
    }
}

fn check_budget(
    what: &str,
    unit: &str,
    bound: Option<&(u64, Origin)>,
    got: u64,
    scope: &Scope<'_>,
    outcome: &mut Outcome,
) {
    let Some((most, origin)) = bound.filter(|(most, _)| got > *most) else { return };
    let message = format!("{what} budget: wanted {most} {unit} at most, got {got} {unit}");
    deny(RuleId::RolloutBudget, message, format!("lower `--{what}-budget`"), origin, scope, outcome);
}

fn deny(
    rule: RuleId,
    message: String,
    help: String,
    origin: &Origin,
    scope: &Scope<'_>,
    outcome: &mut Outcome,
) {
    let finding = denial(rule, &scope.release_name(), message, help);
    outcome.deny(Cure::None, Finding { origin: Some(origin.clone()), ..finding });
}

/// A fraction as millionths, exact: read from the text as written, since a binary number rounds.
fn millionths(fraction: &Spanned<f64>, reading: &Reading<'_>) -> Result<u64, DocumentError> {
    let written = reading.written(fraction);
    exact_millionths(&written).ok_or_else(|| {
        let message = format!("`{written}` is not a fraction of 1 with at most 6 places");
        reading.refuse(fraction, message, "write a fraction such as 0.02")
    })
}

fn exact_millionths(text: &str) -> Option<u64> {
    let places = text.strip_prefix("0.")?;
    if !(1..=6).contains(&places.len()) || !places.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{places:0<6}").parse().ok().filter(|millionths| *millionths > 0)
}

#[cfg(test)]
mod tests {
    use crate::policy::rule::proposal::{Migration, Proposal};
    use crate::policy::samples::{at, facts, loaded, now, outcome_of, proposal, refused, said};

    use super::*;

    fn judged(section: &str, proposal: &Proposal) -> Vec<(&'static str, String)> {
        said(&outcome_of(&loaded(&format!("{{rollout: {section}}}")), &facts(), proposal, now()))
    }

    #[test]
    fn denies_what_exceeds_a_bound_and_takes_what_reaches_it() {
        let canary = proposal();
        let bound =
            "{strategies: [canary], firstStepAtMost: 10, maxErrorBudget: 0.02, maxLatencyBudgetMs: 450}";
        assert_eq!(judged(bound, &canary), []);
        for (section, rule, message) in [
            (
                "{strategies: [bluegreen, staged]}",
                "rollout-strategy",
                "strategy `canary` is not among `bluegreen`, `staged`",
            ),
            ("{firstStepAtMost: 9}", "rollout-first-step", "first step: wanted 9 % at most, got 10 %"),
            (
                "{maxErrorBudget: 0.019999}",
                "rollout-budget",
                "error budget: wanted 19999 ppm at most, got 20000 ppm",
            ),
            (
                "{maxLatencyBudgetMs: 449}",
                "rollout-budget",
                "latency budget: wanted 449 ms at most, got 450 ms",
            ),
        ] {
            assert_eq!(judged(section, &canary), [(rule, message.to_owned())]);
        }
    }

    #[test]
    fn binds_the_first_step_of_canary_and_staged_alone() {
        let with = |strategy, first_step| Proposal { strategy, first_step, ..proposal() };
        let count = |proposal: &Proposal| judged("{firstStepAtMost: 10}", proposal).len();
        assert_eq!(count(&with(StrategyType::BlueGreen, Some(50))), 0);
        assert_eq!(count(&with(StrategyType::Staged, Some(50))), 1);
        assert_eq!(count(&with(StrategyType::Canary, None)), 1, "a plan without steps is within no bound");
    }

    #[test]
    fn allows_the_migrations_that_it_lists_and_none_at_all() {
        let with = |class| {
            let migration = Migration { class, backup: None, changes_no_version: true };
            Proposal { migration: Some(migration), ..proposal() }
        };
        assert_eq!(judged("{migration: [expand]}", &proposal()), []);
        assert_eq!(judged("{migration: [expand]}", &with(members::MigrationClass::Expand)), []);
        let message = "migration: wanted class `expand`, got `contract`".to_owned();
        let expected = [("rollout-migration", message)];
        assert_eq!(judged("{migration: [expand]}", &with(members::MigrationClass::Contract)), expected);
    }

    #[test]
    fn ends_the_plan_after_its_longest_life() {
        let outcome = outcome_of(&loaded("{rollout: {maxTtl: 90m}}"), &facts(), &proposal(), now());
        assert_eq!(outcome.limits, [(at("2026-11-24T13:30:00Z"), LimitedBy::Policy)]);
    }

    #[test]
    fn refuses_what_can_not_be_meant() {
        for (section, reason) in [
            ("{}", "policies/test.yaml:4:17: an empty section says nothing"),
            ("{strategies: []}", "policies/test.yaml:4:30: an empty list says nothing"),
            ("{firstStepAtMost: 0}", "policies/test.yaml:4:35: `0` is less than 1"),
            ("{firstStepAtMost: 101}", "policies/test.yaml:4:35: `101` is more than 100"),
            (
                "{maxErrorBudget: 0.0200001}",
                "policies/test.yaml:4:34: `0.0200001` is not a fraction of 1 with at most 6 places",
            ),
            (
                "{maxErrorBudget: 1}",
                "policies/test.yaml:4:34: `1` is not a fraction of 1 with at most 6 places",
            ),
            ("{maxTtl: 4}", "policies/test.yaml:4:26: `4` is not a duration"),
            ("{migration: []}", "policies/test.yaml:4:29: an empty list says nothing"),
        ] {
            assert_eq!(refused(&format!("{{rollout: {section}}}")), reason, "{section}");
        }
    }

    #[test]
    fn reads_fractions_exactly_or_not_at_all() {
        assert_eq!(exact_millionths("0.02"), Some(20_000));
        assert_eq!(exact_millionths("0.000001"), Some(1));
        assert_eq!(exact_millionths("0.999999"), Some(999_999));
        for wrong in
            ["0", "0.", "0.0", "1.0", "2.5", "-0.02", ".02", "2e-2", "0.0000001", "0.0200001", ".nan"]
        {
            assert_eq!(exact_millionths(wrong), None, "{wrong}");
        }
    }
}
