//! What would be rolled out, as far as rules bound it: read from the plan draft (`rollout.md`
//! section 3).

use serde_json::{Map, Value};

use crate::plan::PlanDraft;
use crate::plan::members::{MigrationClass, StrategyType};

/// What would be rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// How traffic moves.
    pub strategy: StrategyType,
    /// The candidate's first weight, in percent; a plan without one is within no bound.
    pub first_step: Option<u64>,
    /// The errors that are taken, in millionths.
    pub error_budget_ppm: u64,
    /// The latency that is taken, in milliseconds.
    pub latency_budget_ms: u64,
    /// What the migration does to the schema, if there is one.
    pub migration: Option<Migration>,
}

/// A migration that runs before the rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Whether the running version can live with what it leaves.
    pub class: MigrationClass,
    /// Whether it names a backup.
    pub names_backup: bool,
    /// Whether every artifact that runs stays the same: each candidate's digest is its stable one's.
    pub changes_no_version: bool,
}

impl Proposal {
    /// What a draft proposes.
    pub fn of(draft: &PlanDraft) -> Self {
        let migration = draft.migration_class().map(|class| Migration {
            class,
            names_backup: draft.backup().is_some(),
            changes_no_version: changes_no_version(draft.members()),
        });
        Self {
            strategy: draft.strategy_type(),
            first_step: draft.traffic_steps().first().copied(),
            error_budget_ppm: draft.error_budget_ppm(),
            latency_budget_ms: draft.latency_budget_ms(),
            migration,
        }
    }
}

fn changes_no_version(members: &Map<String, Value>) -> bool {
    let subjects = members.get("subject").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_role = |role: &'static str| {
        subjects.iter().filter(move |subject| subject.get("role").is_some_and(|one| one == role))
    };
    let runs_in = |one: &Value, others: &'static str| {
        let other = of_role(others).find(|other| other.get("name") == one.get("name"));
        other.is_some_and(|other| other.get("digest").is_some() && other.get("digest") == one.get("digest"))
    };
    // Both ways: what runs and is not delivered again would still read the old shape.
    of_role("candidate").next().is_some()
        && of_role("candidate").all(|candidate| runs_in(candidate, "stable"))
        && of_role("stable").all(|stable| runs_in(stable, "candidate"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keeps_the_version_only_where_every_candidate_runs_already() {
        let subject = |role: &str, name: &str, digest: &str| json!({"role": role, "name": name, "digest": {"sha256": digest}});
        let keeps = |subjects: Value| changes_no_version(json!({"subject": subjects}).as_object().unwrap());
        assert!(keeps(json!([subject("candidate", "a", "1"), subject("stable", "a", "1")])));
        assert!(!keeps(json!([subject("candidate", "a", "1"), subject("stable", "a", "2")])));
        assert!(!keeps(json!([subject("candidate", "a", "1"), subject("stable", "b", "1")])));
        let gone = [subject("candidate", "a", "1"), subject("stable", "a", "1"), subject("stable", "b", "2")];
        assert!(!keeps(json!(gone)));
        assert!(!keeps(json!([subject("candidate", "a", "1")])) && !keeps(json!([])));
        assert!(!changes_no_version(&Map::new()));
    }
}
