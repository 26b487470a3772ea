//! `rollout.backup`: a migration relies on a backup only if that was restored, whole and lately.
//!
//! In: a checked section, the proposal's migration, and proved facts of the artifact that it names. Out:
//! denials, and the end that the test's age puts to the plan. Heard are test results about the backup's
//! digest (<https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>), as
//! `attestations` hears them: of each signer the latest has to have passed. What this asks stands in place
//! of what its set asks of each artifact: nobody builds a dump, and its digest alone is known here. That a
//! contracting migration names a backup at all is the [`floor`](super::floor)'s.
//!
//! Not checked: what the test did, which the signer vouches for, and whether the backup still exists.

use std::collections::BTreeSet;

use chrono::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evidence::predicate::test_result::TYPE as TEST_RESULT;
use crate::evidence::use_for;
use crate::release::document::RESERVED_NAME;
use crate::time::duration;
use crate::verify::facts::ArtifactFacts;
use crate::yaml::{DocumentError, Spanned};

use super::attestations::{Attestations, signer};
use super::proposal::{Backup, Standing};
use super::{Cure, Judged, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

/// What a migration's backup has to have been through.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BackupSection {
    /// How long ago a restore of it may have been tested, such as `7d`; from the older of the test's trusted
    /// time and its own word, which one by a key has to have.
    #[schemars(with = "String", regex(pattern = duration::PATTERN))]
    pub restore_tested_within: Spanned<String>,
    /// Names of signers in trust whose tests count; all that may sign test results unless said.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 64))]
    pub from: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A checked requirement of a restore test.
#[derive(Debug)]
pub(super) struct RestoreTest {
    test: Attestations,
    within: Duration,
    origin: Origin,
}

impl RestoreTest {
    /// Checks a section against trust.
    ///
    /// # Errors
    /// [`DocumentError`] for a duration that is none, a name of no signer or of one that may not sign test
    /// results, and a trust in which nobody may.
    pub(super) fn read(
        section: &Spanned<BackupSection>,
        reading: &Reading<'_>,
    ) -> Result<Self, DocumentError> {
        let said = &section.value;
        let within = reading.duration(&said.restore_tested_within)?;
        let from: BTreeSet<String> = match &said.from {
            Some(names) => {
                names.value.iter().map(|name| signer(name, TEST_RESULT, reading)).collect::<Result<_, _>>()?
            }
            None => testers(section, reading)?,
        };
        let origin = reading.origin(&said.restore_tested_within);
        Ok(Self { test: Attestations::of_tests(from, within, origin.clone()), within, origin })
    }

    /// Denies a migration whose backup is not known to restore.
    pub(super) fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let migration = scope.proposal.migration.as_ref();
        let Some(backup) = migration.and_then(|migration| migration.backup.as_ref()) else { return };
        let of_name =
            |artifact: &&ArtifactFacts| artifact.name == backup.name && artifact.name != RESERVED_NAME;
        match (backup.standing, scope.facts.artifacts.iter().find(of_name)) {
            (Standing::Runs, _) => outcome.deny(Cure::None, self.runs(backup)),
            (Standing::Apart, Some(artifact)) => self.judge(artifact, scope, outcome),
            (Standing::Unknown, _) | (_, None) => outcome.deny(Cure::None, self.unknown(backup, scope)),
        }
    }

    fn judge(&self, artifact: &ArtifactFacts, scope: &Scope<'_>, outcome: &mut Outcome) {
        let mut heard = Outcome::default();
        self.test.judge_one(artifact, scope, &mut heard);
        outcome.limits.extend(heard.limits);
        for Judged { finding, cure } in heard.findings {
            let message = match finding.rule {
                RuleId::AttestationMissing => format!(
                    "no restore test of backup `{}` passed within {}",
                    artifact.name,
                    duration::show(self.within)
                ),
                _ => format!("restore test of backup `{}`: {}", artifact.name, finding.message),
            };
            outcome.deny(cure, Finding { rule: RuleId::RolloutBackup, message, ..finding });
        }
    }

    fn unknown(&self, backup: &Backup, scope: &Scope<'_>) -> Finding {
        let name = &backup.name;
        let message = format!("backup `{name}` is no artifact of the release");
        let help = format!(
            "list the dump that was tested under `artifacts` as `{name}`, by its digest, so that `{}` is approved \
             with it",
            scope.release_name()
        );
        self.denial(name, message, help)
    }

    fn runs(&self, backup: &Backup) -> Finding {
        let name = &backup.name;
        let message = format!("backup `{name}` is an image, is deployed or replaces something");
        let help = "name the database dump that was tested under `rollout.migration.backup`";
        self.denial(name, message, help.to_owned())
    }

    fn denial(&self, subject: &str, message: String, help: String) -> Finding {
        let finding = denial(RuleId::RolloutBackup, subject, message, help);
        Finding { origin: Some(self.origin.clone()), ..finding }
    }
}

/// Everybody in trust who may sign test results: somebody.
fn testers(
    section: &Spanned<BackupSection>,
    reading: &Reading<'_>,
) -> Result<BTreeSet<String>, DocumentError> {
    let needed = use_for(TEST_RESULT);
    let may = reading
        .trust
        .signers
        .iter()
        .filter(|signer| signer.uses.contains(&needed) && signer.may_sign(TEST_RESULT));
    let testers: BTreeSet<String> = may.map(|signer| signer.name.clone()).collect();
    if testers.is_empty() {
        let message = format!("trust names no signer that may sign `{TEST_RESULT}`");
        let help =
            "add the one of the restore test under `signers` in the trust file, with `use: attestation`";
        return Err(reading.refuse(section, message, help));
    }
    Ok(testers)
}

#[cfg(test)]
mod tests {
    use crate::plan::LimitedBy;
    use crate::plan::members::MigrationClass;
    use crate::policy::rule::proposal::{Migration, Proposal};
    use crate::policy::samples::{
        artifact, at, attestation, facts, file, hours, loaded, now, outcome_of, policy, proposal, refused,
        said, trust_of,
    };
    use crate::policy::set::PolicySet;
    use crate::verify::facts::{AttestationFact, Ending, Facts, Says};

    use super::*;

    const SECTION: &str = "{rollout: {backup: {restoreTestedWithin: 7d, from: [scanner]}}}";

    fn proposed(class: MigrationClass, standing: Standing) -> Proposal {
        let backup = Some(Backup { name: "nightly".to_owned(), standing });
        Proposal { migration: Some(Migration { class, backup, changes_no_version: true }), ..proposal() }
    }

    fn tested(result: Ending, ago: i64) -> AttestationFact {
        let says = Some(Says::Tests { result });
        let evidence = format!("{result:?} {ago} hours ago");
        AttestationFact { says, created: Some(now() - hours(ago)), ..attestation(TEST_RESULT, &evidence) }
    }

    fn given(attestations: Vec<AttestationFact>) -> Facts {
        let mut facts = facts();
        facts.artifacts.push(ArtifactFacts { attestations, ..artifact("nightly") });
        facts
    }

    fn judged(section: &str, attestations: Vec<AttestationFact>) -> Outcome {
        let proposal = proposed(MigrationClass::Contract, Standing::Apart);
        outcome_of(&loaded(section), &given(attestations), &proposal, now())
    }

    const MISSING: &str = "no restore test of backup `nightly` passed within 7d";

    #[test]
    fn asks_for_a_restore_test_that_passed_in_time_and_ends_the_plan_with_it() {
        let outcome = judged(SECTION, vec![tested(Ending::Passed, 24)]);
        assert_eq!(
            (said(&outcome), outcome.limits),
            (vec![], vec![(at("2026-11-30T12:00:00Z"), LimitedBy::MaxAge)])
        );
        let by_another = AttestationFact { signer: "ci".to_owned(), ..tested(Ending::Passed, 1) };
        let of_no_time = AttestationFact { created: None, ..tested(Ending::Passed, 1) };
        let stamped_anew = AttestationFact { time: Some(now()), ..of_no_time.clone() };
        let old = tested(Ending::Passed, 7 * 24);
        for none in [vec![], vec![old], vec![by_another], vec![of_no_time], vec![stamped_anew]] {
            let outcome = judged(SECTION, none);
            assert_eq!(said(&outcome), [("rollout-backup", MISSING.to_owned())]);
            assert_eq!(outcome.findings[0].cure, Cure::Evidence);
        }
    }

    #[test]
    fn the_latest_test_of_a_signer_has_to_have_passed() {
        let failed = format!(
            "restore test of backup `nightly`: `{TEST_RESULT}` attestation of `nightly`: wanted result `PASSED`, got \
             `FAILED`"
        );
        let failing = [("rollout-backup", failed)];
        assert_eq!(said(&judged(SECTION, vec![tested(Ending::Failed, 1)])), failing);
        let both = |passed, failed| {
            said(&judged(SECTION, vec![tested(Ending::Passed, passed), tested(Ending::Failed, failed)]))
        };
        assert_eq!(both(2, 1), failing);
        assert_eq!(both(1, 2), []);
        // Without `from` anybody who may sign test results says no.
        let by_ci = AttestationFact { signer: "ci".to_owned(), ..tested(Ending::Failed, 3) };
        let anybody = "{rollout: {backup: {restoreTestedWithin: 7d}}}";
        let heard = |section| said(&judged(section, vec![tested(Ending::Passed, 1), by_ci.clone()]));
        assert_eq!((heard(SECTION), heard(anybody)), (vec![], failing.to_vec()));
    }

    #[test]
    fn the_backup_is_an_artifact_that_nothing_runs() {
        let judge =
            |proposal: &Proposal, facts: &Facts| said(&outcome_of(&loaded(SECTION), facts, proposal, now()));
        let passed = given(vec![tested(Ending::Passed, 1)]);
        let unknown = [("rollout-backup", "backup `nightly` is no artifact of the release".to_owned())];
        let contract = |standing| proposed(MigrationClass::Contract, standing);
        assert_eq!(judge(&contract(Standing::Unknown), &passed), unknown);
        assert_eq!(judge(&contract(Standing::Apart), &facts()), unknown);
        let runs = "backup `nightly` is an image, is deployed or replaces something".to_owned();
        assert_eq!(judge(&contract(Standing::Runs), &passed), [("rollout-backup", runs)]);
    }

    #[test]
    fn judges_every_migration_that_names_a_backup_and_no_other() {
        let judge =
            |proposal: &Proposal| said(&outcome_of(&loaded(SECTION), &given(vec![]), proposal, now()));
        let expand = proposed(MigrationClass::Expand, Standing::Apart);
        assert_eq!(judge(&expand), [("rollout-backup", MISSING.to_owned())]);
        let mut none = expand;
        none.migration.as_mut().unwrap().backup = None;
        assert_eq!((judge(&none), judge(&proposal())), (vec![], vec![]));
    }

    #[test]
    fn refuses_what_can_not_be_meant() {
        for (section, reason) in [
            ("{}", "policies/test.yaml:4:26: missing field `restoreTestedWithin`"),
            ("{restoreTestedWithin: 1w}", "policies/test.yaml:4:48: `1w` is not a duration"),
            (
                "{restoreTestedWithin: 7d, from: [nobody]}",
                "policies/test.yaml:4:59: trust names no signer `nobody`",
            ),
            (
                "{restoreTestedWithin: 7d, from: [release]}",
                "policies/test.yaml:4:59: signer `release` has no `use: attestation`, which this type needs",
            ),
            ("{restoreTestedWithin: 7d, from: []}", "policies/test.yaml:4:58: an empty list says nothing"),
        ] {
            assert_eq!(refused(&format!("{{rollout: {{backup: {section}}}}}")), reason, "{section}");
        }
        let nobody = trust_of(
            "apiVersion: laforge.dev/v1\nkind: Trust\nsigners: [{name: release, use: artifact, key: a.pub}]\n",
        );
        let anybody = file("test.yaml", &policy("{rollout: {backup: {restoreTestedWithin: 7d}}}"));
        assert_eq!(
            PolicySet::load(vec![anybody], &nobody).unwrap_err().to_string(),
            format!("policies/test.yaml:4:26: trust names no signer that may sign `{TEST_RESULT}`")
        );
    }
}
