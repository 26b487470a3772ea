//! What would be rolled out, as far as rules bound it: read from the plan draft (`rollout.md`
//! section 3).

use serde_json::{Map, Value};

use crate::plan::PlanDraft;
use crate::plan::members::{MigrationClass, StrategyType};
use crate::release::document::RESERVED_NAME;

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
    /// The backup that it relies on, if it names one.
    pub backup: Option<Backup>,
    /// Whether every artifact that runs stays the same: each candidate's digest is its stable one's.
    pub changes_no_version: bool,
}

/// The backup that a migration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// What the release makes of that name.
    pub standing: Standing,
}

/// What a name that a migration calls its backup is in the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An artifact that nothing runs: it is no image, is not deployed, and replaces nothing.
    Apart,
    /// What runs, or might.
    Runs,
    /// No artifact.
    Unknown,
}

impl Proposal {
    /// What a draft proposes.
    pub fn of(draft: &PlanDraft) -> Self {
        let migration = draft.migration_class().map(|class| {
            let backup = draft
                .backup()
                .map(|name| Backup { name: name.to_owned(), standing: Standing::of(name, draft.members()) });
            let apart = backup.as_ref().and_then(Backup::apart);
            let changes_no_version = changes_no_version(draft.members(), apart);
            Migration { class, changes_no_version, backup }
        });
        Self {
            strategy: draft.strategy_type(),
            first_step: draft.traffic_steps().first().copied(),
            error_budget_ppm: draft.error_budget_ppm(),
            latency_budget_ms: draft.latency_budget_ms(),
            migration,
        }
    }

    /// The backup that the migration names, where it is an artifact that nothing runs.
    pub(in crate::policy) fn backup_apart(&self) -> Option<&str> {
        self.migration.as_ref()?.backup.as_ref()?.apart()
    }
}

impl Backup {
    fn apart(&self) -> Option<&str> {
        (self.standing == Standing::Apart).then_some(self.name.as_str())
    }
}

impl Standing {
    /// What a name is among a draft's members. In doubt it runs.
    fn of(name: &str, members: &Map<String, Value>) -> Self {
        let Some(candidate) = of_role(members, "candidate").find(|subject| is_named(subject, name)) else {
            return Self::Unknown;
        };
        let deploys = members.get("deploys").and_then(Value::as_array);
        let is_deployed = deploys.is_none_or(|names| names.iter().any(|one| one == name));
        let is_image = candidate.get("image").is_some();
        let replaces = of_role(members, "stable").any(|subject| is_named(subject, name));
        match is_deployed || is_image || replaces || name == RESERVED_NAME {
            true => Self::Runs,
            false => Self::Apart,
        }
    }
}

fn of_role<'a>(members: &'a Map<String, Value>, role: &'static str) -> impl Iterator<Item = &'a Value> {
    let subjects = members.get("subject").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    subjects.iter().filter(move |subject| subject.get("role").is_some_and(|one| one == role))
}

fn is_named(subject: &Value, name: &str) -> bool {
    subject.get("name").is_some_and(|one| one == name)
}

/// Whether all that runs stays as it is; a backup that stands apart does not run.
fn changes_no_version(members: &Map<String, Value>, apart: Option<&str>) -> bool {
    let candidates =
        || of_role(members, "candidate").filter(|one| !apart.is_some_and(|name| is_named(one, name)));
    let runs_in = |one: &Value, others: &'static str| {
        let other = of_role(members, others).find(|other| other.get("name") == one.get("name"));
        other.is_some_and(|other| other.get("digest").is_some() && other.get("digest") == one.get("digest"))
    };
    // Both ways: what runs and is not delivered again would still read the old shape.
    candidates().next().is_some()
        && candidates().all(|candidate| runs_in(candidate, "stable"))
        && of_role(members, "stable").all(|stable| runs_in(stable, "candidate"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subject(role: &str, name: &str, digest: &str) -> Value {
        json!({"role": role, "name": name, "digest": {"sha256": digest}})
    }

    fn keeps(subjects: &Value, apart: Option<&str>) -> bool {
        changes_no_version(json!({"subject": subjects}).as_object().unwrap(), apart)
    }

    #[test]
    fn keeps_the_version_only_where_every_candidate_runs_already() {
        let keeps = |subjects: Value| keeps(&subjects, None);
        assert!(keeps(json!([subject("candidate", "a", "1"), subject("stable", "a", "1")])));
        assert!(!keeps(json!([subject("candidate", "a", "1"), subject("stable", "a", "2")])));
        assert!(!keeps(json!([subject("candidate", "a", "1"), subject("stable", "b", "1")])));
        let gone = [subject("candidate", "a", "1"), subject("stable", "a", "1"), subject("stable", "b", "2")];
        assert!(!keeps(json!(gone)));
        assert!(!keeps(json!([subject("candidate", "a", "1")])) && !keeps(json!([])));
        assert!(!changes_no_version(&Map::new(), None));
    }

    #[test]
    fn a_backup_that_nothing_runs_changes_no_version_and_keeps_none_either() {
        let dump = subject("candidate", "nightly", "9");
        let both = json!([subject("candidate", "a", "1"), subject("stable", "a", "1"), dump]);
        assert!(keeps(&both, Some("nightly")) && !keeps(&both, None));
        assert!(!keeps(&json!([dump]), Some("nightly")));
        let changed = json!([subject("candidate", "a", "2"), subject("stable", "a", "1"), dump]);
        assert!(!keeps(&changed, Some("nightly")));
        // What is called a backup and replaces something is no way round the comparison.
        assert!(!keeps(&changed, Some("a")));
    }

    #[test]
    fn a_backup_stands_apart_only_where_nothing_runs_it() {
        let image = json!({"role": "candidate", "name": "i", "image": "r", "digest": {"sha256": "3"}});
        let members = json!({
            "deploys": ["a"],
            "subject": [subject("candidate", "a", "1"), subject("candidate", "nightly", "2"), image,
                subject("candidate", "b", "4"), subject("stable", "b", "4"), subject("config", "c", "5")],
        });
        let standing = |name| Standing::of(name, members.as_object().unwrap());
        assert_eq!(standing("nightly"), Standing::Apart);
        assert_eq!(["a", "i", "b"].map(standing), [Standing::Runs; 3]);
        assert_eq!(["c", "d"].map(standing), [Standing::Unknown; 2]);
    }
}
