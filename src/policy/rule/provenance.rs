//! `require.provenance`, and `--require-provenance`: where each artifact was built, and from what.
//!
//! Levels: <https://slsa.dev/spec/v1.0/levels>. An artifact passes when one of its provenances
//! meets every expectation; of those that don't, the one that got furthest is explained.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::release::SourceRevision;
use crate::trust::Pattern;
use crate::verify::facts::{ArtifactFacts, ProvenanceFact};
use crate::yaml::{DocumentError, Spanned};

use super::approvals::Required;
use super::{Cure, Each, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

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
    /// The source commit: the one that the release names.
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

/// What a provenance has to say.
#[derive(Debug)]
enum Expectation {
    /// Its (signer, builder) is one that trust names.
    KnownBuilder,
    Builder(Pattern),
    Level(u8),
    Source(Wanted),
    Ref(Pattern),
    ReleaseCommit,
    HostedRunner,
}

/// A repository: as written in the policy, or the release's own.
#[derive(Debug)]
enum Wanted {
    Text(Pattern),
    Release,
}

/// What an expectation wanted and what it got.
struct Failure {
    rule: RuleId,
    wanted: String,
    got: String,
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
    /// [`DocumentError`] for a builder that trust doesn't name, or not at the level asked for.
    pub fn read(section: &Spanned<ProvenanceSection>, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let ProvenanceSection { each, min_level, source, r#ref, commit, builder, hosted_runner } =
            &section.value;
        let pattern = |text: &Spanned<String>| Pattern::parse(&text.value);
        let mut expectations = vec![(Expectation::KnownBuilder, Some(reading.origin(section)))];
        if let Some(text) = builder {
            let level = min_level.as_ref().map_or(1, |level| level.value);
            expectations.push((
                Expectation::Builder(known_builder(text, level, reading)?),
                Some(reading.origin(text)),
            ));
        }
        if let Some(level) = min_level {
            expectations.push((Expectation::Level(level.value), Some(reading.origin(level))));
        }
        if let Some(text) = source {
            let wanted = Wanted::Text(pattern(text));
            expectations.push((Expectation::Source(wanted), Some(reading.origin(text))));
        }
        if let Some(text) = r#ref {
            expectations.push((Expectation::Ref(pattern(text)), Some(reading.origin(text))));
        }
        if let Some(word) = commit {
            expectations.push((Expectation::ReleaseCommit, Some(reading.origin(word))));
        }
        if let Some(word) = hosted_runner {
            expectations.push((Expectation::HostedRunner, Some(reading.origin(word))));
        }
        Ok(Self { each: *each, expectations, origin: Some(reading.origin(section)) })
    }

    /// Denies each artifact of which no provenance meets every expectation.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let artifacts = self.each.select(scope.facts);
        if artifacts.is_empty() {
            let nothing = self.each.nothing(RuleId::ProvenanceMissing, scope);
            outcome.deny(Cure::None, Finding { origin: self.origin.clone(), ..nothing });
        }
        for artifact in artifacts {
            if let Some(finding) = self.judge(artifact, &scope.release.source) {
                outcome.deny(Cure::Evidence, finding);
            }
        }
    }

    /// The provenances that meet every expectation, with what they are of: what `correlate` ties
    /// together.
    pub(super) fn counted<'a>(&self, scope: &Scope<'a>) -> Vec<(&'a ArtifactFacts, &'a ProvenanceFact)> {
        let source = &scope.release.source;
        let artifacts = self.each.select(scope.facts).into_iter();
        let facts =
            artifacts.flat_map(|artifact| artifact.provenances.iter().map(move |fact| (artifact, fact)));
        facts.filter(|(_, fact)| self.first_failure(fact, source).is_none()).collect()
    }

    /// The reason why an artifact fails, if it does.
    fn judge(&self, artifact: &ArtifactFacts, source: &SourceRevision) -> Option<Finding> {
        let mut furthest: Option<(usize, Failure, &ProvenanceFact)> = None;
        for fact in &artifact.provenances {
            // One that fails nothing is enough: then there is no reason to give.
            let (met, failure) = self.first_failure(fact, source)?;
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
    fn first_failure(&self, fact: &ProvenanceFact, source: &SourceRevision) -> Option<(usize, Failure)> {
        let failures = self.expectations.iter().enumerate();
        let mut failures =
            failures.filter_map(|(met, (expected, _))| Some((met, expected.failure(fact, source)?)));
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

impl Expectation {
    /// `None` when the provenance meets it; what it doesn't say, it doesn't meet.
    fn failure(&self, fact: &ProvenanceFact, source: &SourceRevision) -> Option<Failure> {
        let (rule, met, wanted, got) = match self {
            Self::KnownBuilder => (
                RuleId::ProvenanceBuilder,
                fact.level > 0,
                "a builder that trust names for its signer".to_owned(),
                Some(fact.builder.as_str()),
            ),
            Self::Builder(id) => {
                (RuleId::ProvenanceBuilder, id.matches(&fact.builder), show(id), Some(fact.builder.as_str()))
            }
            Self::Level(level) => return level_failure(*level, fact.level),
            Self::Source(wanted) => {
                let got = fact.repository.as_deref();
                (
                    RuleId::ProvenanceSource,
                    got.is_some_and(|got| wanted.matches(got, source)),
                    wanted.show(source),
                    got,
                )
            }
            Self::Ref(wanted) => {
                let got = fact.r#ref.as_deref();
                (RuleId::ProvenanceRef, got.is_some_and(|got| wanted.matches(got)), show(wanted), got)
            }
            Self::ReleaseCommit => {
                let got = fact.commit.as_deref();
                (
                    RuleId::ProvenanceCommit,
                    got == Some(&source.commit),
                    format!("commit `{}`", source.commit),
                    got,
                )
            }
            Self::HostedRunner => return runner_failure(fact.hosted),
        };
        let got = got.map_or_else(|| "none named".to_owned(), |got| format!("`{got}`"));
        (!met).then_some(Failure { rule, wanted, got })
    }
}

fn level_failure(wanted: u8, got: u8) -> Option<Failure> {
    let failure = || Failure {
        rule: RuleId::ProvenanceLevel,
        wanted: format!("build level {wanted}"),
        got: format!("level {got}"),
    };
    (got < wanted).then(failure)
}

fn runner_failure(hosted: Option<bool>) -> Option<Failure> {
    let got = match hosted {
        Some(true) => return None,
        Some(false) => "one of its own",
        None => "none named",
    };
    Some(Failure {
        rule: RuleId::ProvenanceRunner,
        wanted: "a hosted runner".to_owned(),
        got: got.to_owned(),
    })
}

impl Wanted {
    fn matches(&self, got: &str, source: &SourceRevision) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(got),
            Self::Release => got == source.repository,
        }
    }

    fn show(&self, source: &SourceRevision) -> String {
        match self {
            Self::Text(pattern) => show(pattern),
            Self::Release => format!("repository `{}`", source.repository),
        }
    }
}

fn show(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Exact(text) => format!("`{text}`"),
        Pattern::Glob(glob) => format!("`pattern:{glob}`"),
    }
}

fn mend(rule: RuleId) -> &'static str {
    match rule {
        RuleId::ProvenanceBuilder => {
            "build it with a builder that trust names, or add this one under `builders`"
        }
        RuleId::ProvenanceLevel => "build it with a builder of that level",
        RuleId::ProvenanceSource | RuleId::ProvenanceRef => "build it from the source that is asked for",
        RuleId::ProvenanceCommit => "rebuild it from the release's commit, or correct `source.commit`",
        RuleId::ProvenanceRunner => "build it on a hosted runner",
        _ => "build it again",
    }
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

    fn given(provenances: Vec<ProvenanceFact>) -> Facts {
        let mut facts = facts();
        facts.artifacts[0].provenances = provenances;
        facts
    }

    const STRICT: &str = "{minLevel: 3, source: 'https://github.com/acme/payments', ref: 'pattern:refs/tags/v*', \
        commit: release, builder: 'https://builder.example/slsa3@refs/tags/v1', hostedRunner: required}";

    fn judged(section: &str, provenances: Vec<ProvenanceFact>) -> Vec<(&'static str, String)> {
        said(&outcome(&loaded(&format!("{{require: {{provenance: {section}}}}}")), &given(provenances)))
    }

    #[test]
    fn passes_provenance_that_meets_every_expectation() {
        assert_eq!(judged(STRICT, vec![provenance()]), []);
        assert_eq!(judged("{}", vec![provenance()]), []);
    }

    #[test]
    fn names_the_expectation_that_is_not_met() {
        let got = |rule: &'static str, wanted: &str, got: &str| {
            vec![(rule, format!("provenance of `payments`: wanted {wanted}, got {got}"))]
        };
        let unnamed = "none named";
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
                got("provenance-source", &format!("`{REPOSITORY}`"), unnamed),
            ),
            (
                ProvenanceFact { r#ref: Some("refs/heads/main".to_owned()), ..provenance() },
                got("provenance-ref", "`pattern:refs/tags/v*`", "`refs/heads/main`"),
            ),
            (
                ProvenanceFact { r#ref: None, ..provenance() },
                got("provenance-ref", "`pattern:refs/tags/v*`", unnamed),
            ),
            (
                ProvenanceFact { commit: Some("0".repeat(40)), ..provenance() },
                got("provenance-commit", &format!("commit `{COMMIT}`"), &format!("`{}`", "0".repeat(40))),
            ),
            (
                ProvenanceFact { commit: None, ..provenance() },
                got("provenance-commit", &format!("commit `{COMMIT}`"), unnamed),
            ),
            (
                ProvenanceFact { hosted: Some(false), ..provenance() },
                got("provenance-runner", "a hosted runner", "one of its own"),
            ),
            (
                ProvenanceFact { hosted: None, ..provenance() },
                got("provenance-runner", "a hosted runner", unnamed),
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
                &Scope { facts: &facts, proposal: &proposal(), release: &release, now: now() },
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
