//! `require.provenance`, and `--require-provenance`: where each artifact was built, and from what.
//!
//! Levels: <https://slsa.dev/spec/v1.0/levels>. An artifact passes when one of its provenances
//! meets every expectation; of those that don't, the one that got furthest is explained. A
//! provenance that its own certificate contradicts meets none, and is a finding beside: of an
//! artifact that fails a reason, of one that passes by another provenance a warning.

mod expectation;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::LimitedBy;
use crate::time::duration::PATTERN;
use crate::trust::Pattern;
use crate::verify::facts::{ArtifactFacts, ContradictionFact, ProvenanceFact};
use crate::yaml::{DocumentError, Spanned};

use super::approvals::Required;
use super::{Cure, Each, Judged, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId, Severity};
use expectation::{Expectation, Failure, Wanted, mend};

/// Where artifacts were built, and from what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProvenanceSection {
    /// What needs provenance.
    #[serde(default)]
    pub each: Each,
    /// The SLSA build level that trust grants its builder, at least; 1 unless said.
    #[serde(default)]
    #[schemars(with = "u8", range(min = 1, max = 3))]
    pub min_level: Option<Spanned<u8>>,
    /// The source repository, exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub source: Option<Spanned<String>>,
    /// The source ref, exact or `pattern:GLOB`.
    #[serde(default, rename = "ref")]
    #[schemars(with = "String", length(min = 1))]
    pub r#ref: Option<Spanned<String>>,
    /// The source commit: the one that the release names, of the repository that it names.
    #[serde(default)]
    #[schemars(with = "OfRelease")]
    pub commit: Option<Spanned<OfRelease>>,
    /// The builder's id, exact or `pattern:GLOB`; trust must name one that fits.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub builder: Option<Spanned<String>>,
    /// Whether a hosted runner must have built it.
    #[serde(default)]
    #[schemars(with = "Required")]
    pub hosted_runner: Option<Spanned<Required>>,
    /// The workflow that was started, exact or `pattern:GLOB`: as certificates name it,
    /// `https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0`.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub workflow: Option<Spanned<String>>,
    /// The events that may start a build, such as `push`; one of them, exact.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub trigger: Option<Spanned<Vec<Spanned<String>>>>,
    /// Parameters that the build's caller set: by JSON pointer into them, exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>", extend("minProperties" = 1))]
    pub external_parameters: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    /// How long ago the build may have ended, such as `7d`.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = PATTERN))]
    pub finished_within: Option<Spanned<String>>,
    /// What the build must have taken in, pinned by a digest: URIs, each exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub dependencies: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A value that the release says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfRelease {
    /// What the release says.
    Release,
}

/// A checked requirement of provenance: expectations in the order in which they are tried.
#[derive(Debug)]
pub struct Provenance {
    each: Each,
    expectations: Vec<(Expectation, Option<Origin>)>,
    origin: Option<Origin>,
}

impl Provenance {
    /// `--require-provenance`: a builder of trust, and the release's own repository and commit.
    pub fn flag() -> Self {
        let expectations =
            [Expectation::KnownBuilder, Expectation::Source(Wanted::Release), Expectation::ReleaseCommit];
        Self {
            each: Each::Artifact,
            expectations: expectations.into_iter().map(|expected| (expected, None)).collect(),
            origin: None,
        }
    }

    /// Checks a section against trust.
    ///
    /// # Errors
    /// [`DocumentError`] for a builder that trust doesn't name, or not at the level asked for, and
    /// for an expectation that could never be met or never fail.
    pub fn read(section: &Spanned<ProvenanceSection>, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let mut expectations = vec![(Expectation::KnownBuilder, Some(reading.origin(section)))];
        builder_expectations(&section.value, reading, &mut expectations)?;
        source_expectations(&section.value, reading, &mut expectations);
        run_expectations(&section.value, reading, &mut expectations)?;
        input_expectations(&section.value, reading, &mut expectations)?;
        Ok(Self { each: section.value.each, expectations, origin: Some(reading.origin(section)) })
    }

    /// Denies each artifact of which no provenance meets every expectation.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let artifacts = self.each.select(scope);
        if artifacts.is_empty() {
            let nothing = self.each.nothing(RuleId::ProvenanceMissing, scope);
            outcome.deny(Cure::None, Finding { origin: self.origin.clone(), ..nothing });
        }
        for artifact in artifacts {
            let failed = self.judge(artifact, scope);
            let severity = if failed.is_some() { Severity::Deny } else { Severity::Warn };
            for fact in &artifact.contradicted {
                let finding = Finding { severity, ..self.contradicted(artifact, fact) };
                outcome.findings.push(Judged { finding, cure: Cure::Evidence });
            }
            match failed {
                Some(finding) => outcome.deny(Cure::Evidence, finding),
                None => self.limit(artifact, scope, outcome),
            }
        }
    }

    /// The plan ends when the last of an artifact's builds that count has become too old.
    fn limit(&self, artifact: &ArtifactFacts, scope: &Scope<'_>, outcome: &mut Outcome) {
        let within = self.expectations.iter().find_map(|(expected, _)| match expected {
            Expectation::FinishedWithin(within) => Some(*within),
            _ => None,
        });
        let counting = artifact.provenances.iter().filter(|fact| self.first_failure(fact, scope).is_none());
        let ended = counting.filter_map(|fact| fact.finished_on).max();
        if let (Some(within), Some(ended)) = (within, ended) {
            outcome.limit_after(ended, within, LimitedBy::MaxAge);
        }
    }

    /// The provenances that meet every expectation, with what they are of: what `correlate` ties
    /// together.
    pub(super) fn counted<'a>(&self, scope: &Scope<'a>) -> Vec<(&'a ArtifactFacts, &'a ProvenanceFact)> {
        let artifacts = self.each.select(scope).into_iter();
        let facts =
            artifacts.flat_map(|artifact| artifact.provenances.iter().map(move |fact| (artifact, fact)));
        facts.filter(|(_, fact)| self.first_failure(fact, scope).is_none()).collect()
    }

    fn contradicted(&self, artifact: &ArtifactFacts, fact: &ContradictionFact) -> Finding {
        let ContradictionFact { signer, member, certificate, predicate, evidence } = fact;
        let message = format!(
            "provenance of `{}`: its certificate says {member} `{certificate}`, its predicate says `{predicate}`",
            artifact.name
        );
        let help =
            format!("evidence {evidence}, signed by `{signer}`; it counts for nothing: build it again");
        let finding = denial(RuleId::ClaimsMismatch, &artifact.name, message, help);
        Finding { origin: self.origin.clone(), ..finding }
    }

    /// The reason why an artifact fails, if it does.
    fn judge(&self, artifact: &ArtifactFacts, scope: &Scope<'_>) -> Option<Finding> {
        let mut furthest: Option<(usize, Failure, &ProvenanceFact)> = None;
        for fact in &artifact.provenances {
            // One that fails nothing is enough: then there is no reason to give.
            let (met, failure) = self.first_failure(fact, scope)?;
            if furthest.as_ref().is_none_or(|(most, _, _)| met > *most) {
                furthest = Some((met, failure, fact));
            }
        }
        Some(match furthest {
            None => self.missing(artifact),
            Some((met, failure, fact)) => self.explain(artifact, met, failure, fact),
        })
    }

    /// How many expectations a provenance meets before the first that it doesn't.
    fn first_failure(&self, fact: &ProvenanceFact, scope: &Scope<'_>) -> Option<(usize, Failure)> {
        let failures = self.expectations.iter().enumerate();
        let mut failures =
            failures.filter_map(|(met, (expected, _))| Some((met, expected.failure(fact, scope)?)));
        failures.next()
    }

    fn missing(&self, artifact: &ArtifactFacts) -> Finding {
        let message = format!("no provenance of `{}` counts", artifact.name);
        let help = format!("add SLSA provenance of {} by a builder that trust names", artifact.digest);
        let finding = denial(RuleId::ProvenanceMissing, &artifact.name, message, help);
        Finding { origin: self.origin.clone(), ..finding }
    }

    fn explain(
        &self,
        artifact: &ArtifactFacts,
        met: usize,
        failure: Failure,
        fact: &ProvenanceFact,
    ) -> Finding {
        let Failure { rule, wanted, got } = failure;
        let message = format!("provenance of `{}`: wanted {wanted}, got {got}", artifact.name);
        let help = format!("evidence {}, signed by `{}`; {}", fact.evidence, fact.signer, mend(rule));
        let origin = self.expectations.get(met).and_then(|(_, origin)| origin.clone());
        Finding { origin, ..denial(rule, &artifact.name, message, help) }
    }
}

/// Expectations, with where each is written.
type Expectations = Vec<(Expectation, Option<Origin>)>;

fn pattern(text: &Spanned<String>) -> Pattern {
    Pattern::parse(&text.value)
}

fn builder_expectations(
    section: &ProvenanceSection,
    reading: &Reading<'_>,
    expectations: &mut Expectations,
) -> Result<(), DocumentError> {
    if let Some(text) = &section.builder {
        let level = section.min_level.as_ref().map_or(1, |level| level.value);
        let builder = Expectation::Builder(known_builder(text, level, reading)?);
        expectations.push((builder, Some(reading.origin(text))));
    }
    if let Some(level) = &section.min_level {
        expectations.push((Expectation::Level(level.value), Some(reading.origin(level))));
    }
    Ok(())
}

fn source_expectations(section: &ProvenanceSection, reading: &Reading<'_>, expectations: &mut Expectations) {
    if let Some(text) = &section.source {
        let wanted = Wanted::Text(pattern(text));
        expectations.push((Expectation::Source(wanted), Some(reading.origin(text))));
    }
    if let Some(text) = &section.r#ref {
        expectations.push((Expectation::Ref(pattern(text)), Some(reading.origin(text))));
    }
    if let Some(word) = &section.commit {
        // A commit's id alone says nothing: whoever may use a shared builder can push it to a repository of theirs.
        let expected = [Expectation::Source(Wanted::Release), Expectation::ReleaseCommit];
        expectations.extend(expected.map(|expected| (expected, Some(reading.origin(word)))));
    }
    if let Some(word) = &section.hosted_runner {
        expectations.push((Expectation::HostedRunner, Some(reading.origin(word))));
    }
}

fn run_expectations(
    section: &ProvenanceSection,
    reading: &Reading<'_>,
    expectations: &mut Expectations,
) -> Result<(), DocumentError> {
    if let Some(text) = &section.workflow {
        expectations.push((Expectation::Workflow(pattern(text)), Some(reading.origin(text))));
    }
    if let Some(list) = &section.trigger {
        let words = list.value.iter().map(|word| word.value.clone()).collect();
        not_empty(list, list.value.len(), reading)?;
        expectations.push((Expectation::Trigger(words), Some(reading.origin(list))));
    }
    if let Some(text) = &section.finished_within {
        let within = Expectation::FinishedWithin(reading.duration(text)?);
        expectations.push((within, Some(reading.origin(text))));
    }
    Ok(())
}

fn input_expectations(
    section: &ProvenanceSection,
    reading: &Reading<'_>,
    expectations: &mut Expectations,
) -> Result<(), DocumentError> {
    if let Some(parameters) = &section.external_parameters {
        not_empty(parameters, parameters.value.len(), reading)?;
        for (at, text) in &parameters.value {
            if !at.starts_with('/') {
                let message = format!("`{at}` is not a JSON pointer");
                return Err(reading.refuse(text, message, "write it as `/workflow/path`"));
            }
            let parameter = Expectation::Parameter(at.clone(), pattern(text));
            expectations.push((parameter, Some(reading.origin(text))));
        }
    }
    if let Some(list) = &section.dependencies {
        not_empty(list, list.value.len(), reading)?;
        for text in &list.value {
            expectations.push((Expectation::Dependency(pattern(text)), Some(reading.origin(text))));
        }
    }
    Ok(())
}

/// An empty list would ask for nothing, and look as if it did.
fn not_empty<T>(at: &Spanned<T>, members: usize, reading: &Reading<'_>) -> Result<(), DocumentError> {
    if members > 0 {
        return Ok(());
    }
    Err(reading.refuse(
        at,
        "an empty list asks for nothing".to_owned(),
        "leave it out, or name what is wanted",
    ))
}

/// A builder of which trust names at least one, at the level that is asked for.
fn known_builder(text: &Spanned<String>, level: u8, reading: &Reading<'_>) -> Result<Pattern, DocumentError> {
    let id = Pattern::parse(&text.value);
    let levels: BTreeSet<u8> = reading
        .trust
        .builders
        .iter()
        .filter(|known| id.matches(&known.id))
        .map(|known| known.level)
        .collect();
    match levels.last() {
        None => {
            let message = format!("trust names no builder `{}`", text.value);
            Err(reading.refuse(text, message, "add it under `builders` in the trust file, or correct the id"))
        }
        Some(most) if *most < level => {
            let message =
                format!("trust grants builder `{}` level {most}, and {level} is asked for", text.value);
            Err(reading.refuse(text, message, "lower `minLevel`, or name another builder"))
        }
        Some(_) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::samples::{
        BUILDER, COMMIT, REPOSITORY, artifact, facts, loaded, now, outcome, proposal, provenance, refused,
        release, said,
    };
    use crate::verify::facts::Facts;

    use super::*;
    use chrono::Duration;

    fn given(provenances: Vec<ProvenanceFact>) -> Facts {
        let mut facts = facts();
        facts.artifacts[0].provenances = provenances;
        facts
    }

    const STRICT: &str = "{minLevel: 3, source: 'https://github.com/acme/payments', ref: 'pattern:refs/tags/v*', \
        commit: release, builder: 'https://builder.example/slsa3@refs/tags/v1', hostedRunner: required, \
        workflow: 'pattern:https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/*', \
        trigger: [push, release], externalParameters: {/workflow/path: .github/workflows/release.yml}, \
        finishedWithin: 7d, dependencies: ['pattern:pkg:docker/**']}";

    fn judged(section: &str, provenances: Vec<ProvenanceFact>) -> Vec<(&'static str, String)> {
        said(&outcome(&loaded(&format!("{{require: {{provenance: {section}}}}}")), &given(provenances)))
    }

    #[test]
    fn passes_provenance_that_meets_every_expectation() {
        assert_eq!(judged(STRICT, vec![provenance()]), []);
        assert_eq!(judged("{}", vec![provenance()]), []);
    }

    const UNNAMED: &str = "none named";

    fn got(rule: &'static str, wanted: &str, got: &str) -> Vec<(&'static str, String)> {
        vec![(rule, format!("provenance of `payments`: wanted {wanted}, got {got}"))]
    }

    #[test]
    fn names_the_expectation_of_builder_and_source_that_is_not_met() {
        let cases = [
            (
                ProvenanceFact { level: 0, ..provenance() },
                got(
                    "provenance-builder",
                    "a builder that trust names for its signer",
                    &format!("`{BUILDER}`"),
                ),
            ),
            (
                ProvenanceFact { builder: "https://evil.example".to_owned(), ..provenance() },
                got("provenance-builder", &format!("`{BUILDER}`"), "`https://evil.example`"),
            ),
            (
                ProvenanceFact { level: 2, ..provenance() },
                got("provenance-level", "build level 3", "level 2"),
            ),
            (
                ProvenanceFact { repository: Some(format!("{REPOSITORY}-evil")), ..provenance() },
                got("provenance-source", &format!("`{REPOSITORY}`"), &format!("`{REPOSITORY}-evil`")),
            ),
            (
                ProvenanceFact { repository: None, ..provenance() },
                got("provenance-source", &format!("`{REPOSITORY}`"), UNNAMED),
            ),
            (
                ProvenanceFact { r#ref: Some("refs/heads/main".to_owned()), ..provenance() },
                got("provenance-ref", "`pattern:refs/tags/v*`", "`refs/heads/main`"),
            ),
            (
                ProvenanceFact { r#ref: None, ..provenance() },
                got("provenance-ref", "`pattern:refs/tags/v*`", UNNAMED),
            ),
            (
                ProvenanceFact { commit: Some("0".repeat(40)), ..provenance() },
                got("provenance-commit", &format!("commit `{COMMIT}`"), &format!("`{}`", "0".repeat(40))),
            ),
            (
                ProvenanceFact { commit: None, ..provenance() },
                got("provenance-commit", &format!("commit `{COMMIT}`"), UNNAMED),
            ),
            (
                ProvenanceFact { hosted: Some(false), ..provenance() },
                got("provenance-runner", "a hosted runner", "one of its own"),
            ),
            (
                ProvenanceFact { hosted: None, ..provenance() },
                got("provenance-runner", "a hosted runner", UNNAMED),
            ),
        ];
        for (fact, expected) in cases {
            assert_eq!(judged(STRICT, vec![fact]), expected);
        }
        let none = ("provenance-missing", "no provenance of `payments` counts".to_owned());
        assert_eq!(judged("{}", vec![]), [none]);
    }

    #[test]
    fn names_the_expectation_of_the_run_that_is_not_met() {
        let cases = [
            (
                ProvenanceFact { trigger: Some("pull_request".to_owned()), ..provenance() },
                got("provenance-trigger", "a build that `push` or `release` started", "`pull_request`"),
            ),
            (
                ProvenanceFact { trigger: None, ..provenance() },
                got("provenance-trigger", "a build that `push` or `release` started", UNNAMED),
            ),
            (
                ProvenanceFact { workflow: Some("release.yml".to_owned()), ..provenance() },
                got(
                    "provenance-workflow",
                    "`pattern:https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/*`",
                    "`release.yml`",
                ),
            ),
            (
                ProvenanceFact { external_parameters: BTreeMap::new(), ..provenance() },
                got(
                    "provenance-parameter",
                    "external parameter `/workflow/path` `.github/workflows/release.yml`",
                    UNNAMED,
                ),
            ),
            (
                ProvenanceFact { finished_on: None, ..provenance() },
                got("provenance-age", "a build that ended within 7d", "no end named"),
            ),
            (
                ProvenanceFact { dependencies: BTreeSet::new(), ..provenance() },
                got("provenance-dependency", "a pinned dependency `pattern:pkg:docker/**`", "none of 0"),
            ),
        ];
        for (fact, expected) in cases {
            assert_eq!(judged(STRICT, vec![fact]), expected);
        }
        let none = ("provenance-missing", "no provenance of `payments` counts".to_owned());
        assert_eq!(judged("{}", vec![]), [none]);
    }

    #[test]
    fn passes_by_one_good_provenance_and_explains_the_one_that_got_furthest() {
        let wrong_commit = ProvenanceFact { commit: None, ..provenance() };
        let wrong_builder = ProvenanceFact { level: 0, ..provenance() };
        let judged_both =
            judged(STRICT, vec![wrong_builder.clone(), wrong_commit.clone(), wrong_builder.clone()]);
        assert_eq!(judged_both[0].0, "provenance-commit");
        assert_eq!(judged(STRICT, vec![wrong_builder, wrong_commit, provenance()]), []);
    }

    #[test]
    fn a_build_is_as_old_as_its_end_says_and_never_of_tomorrow() {
        let ended = |ago: Duration| ProvenanceFact { finished_on: Some(now() - ago), ..provenance() };
        let aged =
            |ago: Duration| judged("{finishedWithin: 1h}", vec![ended(ago)]).first().map(|(rule, _)| *rule);
        for fits in [Duration::zero(), Duration::hours(1), -Duration::seconds(60)] {
            assert_eq!(aged(fits), None, "{fits}");
        }
        for wrong in [Duration::seconds(3601), -Duration::seconds(61), -Duration::days(1)] {
            assert_eq!(aged(wrong), Some("provenance-age"), "{wrong}");
        }
    }

    #[test]
    fn a_plan_ends_when_its_youngest_build_is_too_old() {
        let ended =
            |ago| ProvenanceFact { finished_on: Some(now() - Duration::minutes(ago)), ..provenance() };
        let set = loaded("{require: {provenance: {finishedWithin: 1h}}}");
        let limits = |provenances| outcome(&set, &given(provenances)).limits;
        assert_eq!(limits(vec![ended(50)]), [(now() + Duration::minutes(10), LimitedBy::MaxAge)]);
        assert_eq!(
            limits(vec![ended(50), ended(20), ended(90)]),
            [(now() + Duration::minutes(40), LimitedBy::MaxAge)]
        );
        assert_eq!(limits(vec![ended(90)]), []);
    }

    #[test]
    fn the_release_s_commit_is_of_the_release_s_repository() {
        let elsewhere =
            ProvenanceFact { repository: Some("https://github.com/evil/payload".to_owned()), ..provenance() };
        let told = judged("{commit: release}", vec![elsewhere]);
        assert_eq!(told.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["provenance-source"]);
        assert_eq!(judged("{commit: release}", vec![provenance()]), []);
    }

    #[test]
    fn a_contradiction_is_a_finding_that_denies_unless_another_provenance_passes() {
        let contradiction = ContradictionFact {
            signer: "slsa".to_owned(),
            member: "commit".to_owned(),
            certificate: COMMIT.to_owned(),
            predicate: "00".to_owned(),
            evidence: provenance().evidence,
        };
        let outcome_with = |provenances: Vec<ProvenanceFact>| {
            let mut facts = given(provenances);
            facts.artifacts[0].contradicted = vec![contradiction.clone()];
            let outcome = outcome(&loaded("{require: {provenance: {}}}"), &facts);
            let told = outcome.findings.iter().map(|it| (it.finding.rule.as_str(), it.finding.severity));
            told.collect::<Vec<_>>()
        };
        assert_eq!(outcome_with(vec![provenance()]), [("claims-mismatch", Severity::Warn)]);
        assert_eq!(
            outcome_with(vec![]),
            [("claims-mismatch", Severity::Deny), ("provenance-missing", Severity::Deny)]
        );
    }

    #[test]
    fn asks_it_of_each_artifact() {
        let mut facts = given(vec![provenance()]);
        facts.artifacts.push(artifact("worker"));
        let said = said(&outcome(&loaded("{require: {provenance: {}}}"), &facts));
        assert_eq!(said, [("provenance-missing", "no provenance of `worker` counts".to_owned())]);
    }

    #[test]
    fn the_flag_asks_for_a_known_builder_and_the_release_s_own_source() {
        let release = release();
        let judged = |fact: ProvenanceFact| {
            let facts = given(vec![fact]);
            let mut outcome = Outcome::default();
            Provenance::flag().evaluate(
                &Scope {
                    facts: &facts,
                    proposal: &proposal(),
                    release: &release,
                    now: now(),
                    set_apart: None,
                },
                &mut outcome,
            );
            said(&outcome).first().map(|(rule, _)| *rule)
        };
        assert_eq!(judged(ProvenanceFact { level: 1, r#ref: None, hosted: None, ..provenance() }), None);
        assert_eq!(judged(ProvenanceFact { level: 0, ..provenance() }), Some("provenance-builder"));
        assert_eq!(judged(ProvenanceFact { repository: None, ..provenance() }), Some("provenance-source"));
        assert_eq!(
            judged(ProvenanceFact { repository: Some("x".to_owned()), ..provenance() }),
            Some("provenance-source")
        );
        assert_eq!(judged(ProvenanceFact { commit: None, ..provenance() }), Some("provenance-commit"));
    }

    #[test]
    fn refuses_builders_that_trust_does_not_name_at_that_level() {
        for (section, reason) in [
            ("{builder: 'https://evil.example'}", "trust names no builder `https://evil.example`"),
            (
                "{builder: 'pattern:https://evil.example/**'}",
                "trust names no builder `pattern:https://evil.example/**`",
            ),
            (
                "{minLevel: 2, builder: 'https://builder.example/basic@refs/tags/v1'}",
                "trust grants builder `https://builder.example/basic@refs/tags/v1` level 1, and 2 is asked for",
            ),
            ("{minLevel: 0}", "`0` is less than 1"),
            ("{minLevel: 4}", "`4` is more than 3"),
            ("{source: ''}", "an empty text says nothing"),
            ("{trigger: []}", "an empty list asks for nothing"),
            ("{dependencies: []}", "an empty list asks for nothing"),
            ("{externalParameters: {}}", "an empty list asks for nothing"),
            ("{externalParameters: {workflow: x}}", "`workflow` is not a JSON pointer"),
            ("{finishedWithin: 7 days}", "`7 days` is not a duration"),
        ] {
            let refusal = refused(&format!("{{require: {{provenance: {section}}}}}"));
            let at = refusal.strip_prefix("policies/test.yaml:4:").expect("a place");
            assert_eq!(at.split_once(": ").unwrap().1, reason, "{section}");
        }
        loaded(
            "{require: {provenance: {minLevel: 3, builder: 'pattern:https://builder.example/*@refs/tags/v1'}}}",
        );
    }
}
