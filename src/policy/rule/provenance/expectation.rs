//! One expectation of a provenance: what it wants of the fact, and why a fact doesn't meet it.
//!
//! In: a proved fact, and the release's own source. Out: nothing when it is met, else a [`Failure`]
//! with what was wanted and what was got. What a provenance doesn't say, it doesn't meet.

use chrono::Duration;

use crate::policy::finding::RuleId;
use crate::policy::rule::Scope;
use crate::release::{SourceRevision, bare_repository};
use crate::time::{SKEW, Timestamp, duration, to_seconds};
use crate::trust::Pattern;
use crate::verify::facts::ProvenanceFact;

/// What a provenance has to say.
#[derive(Debug)]
pub(super) enum Expectation {
    /// Its (signer, builder) is one that trust names.
    KnownBuilder,
    Builder(Pattern),
    Level(u8),
    Source(Wanted),
    Ref(Pattern),
    ReleaseCommit,
    HostedRunner,
    Workflow(Pattern),
    Trigger(Vec<String>),
    Parameter(String, Pattern),
    FinishedWithin(Duration),
    Dependency(Pattern),
}

/// A repository: as written in the policy, or the release's own.
#[derive(Debug)]
pub(super) enum Wanted {
    Text(Pattern),
    Release,
}

/// What an expectation wanted and what it got.
pub(super) struct Failure {
    pub(super) rule: RuleId,
    pub(super) wanted: String,
    pub(super) got: String,
}

impl Expectation {
    /// `None` when the provenance meets it; what it doesn't say, it doesn't meet.
    pub(super) fn failure(&self, fact: &ProvenanceFact, scope: &Scope<'_>) -> Option<Failure> {
        let source = &scope.release.source;
        let failure = |rule, wanted, got: Option<&str>| {
            let got = got.map_or_else(|| "none named".to_owned(), |got| format!("`{got}`"));
            Failure { rule, wanted, got }
        };
        let unless = |rule, wanted: &Pattern, got: Option<&str>| {
            let met = got.is_some_and(|got| wanted.matches(got));
            (!met).then(|| failure(rule, show(wanted), got))
        };
        match self {
            Self::KnownBuilder => {
                let wanted = "a builder that trust names for its signer".to_owned();
                (fact.level == 0)
                    .then(|| failure(RuleId::ProvenanceBuilder, wanted, Some(fact.builder.as_str())))
            }
            Self::Builder(id) => unless(RuleId::ProvenanceBuilder, id, Some(fact.builder.as_str())),
            Self::Level(level) => level_failure(*level, fact.level),
            Self::Source(wanted) => {
                let got = fact.repository.as_deref();
                let met = got.is_some_and(|got| wanted.matches(got, source));
                (!met).then(|| failure(RuleId::ProvenanceSource, wanted.show(source), got))
            }
            Self::Ref(wanted) => unless(RuleId::ProvenanceRef, wanted, fact.r#ref.as_deref()),
            Self::ReleaseCommit => {
                let got = fact.commit.as_deref();
                let wanted = || format!("commit `{}`", source.commit);
                (got != Some(&source.commit)).then(|| failure(RuleId::ProvenanceCommit, wanted(), got))
            }
            Self::HostedRunner => runner_failure(fact.hosted),
            Self::Workflow(wanted) => unless(RuleId::ProvenanceWorkflow, wanted, fact.workflow.as_deref()),
            Self::Trigger(words) => trigger_failure(words, fact.trigger.as_deref()),
            Self::Parameter(at, wanted) => {
                let got = fact.external_parameters.get(at).map(String::as_str);
                let failure = unless(RuleId::ProvenanceParameter, wanted, got)?;
                Some(Failure { wanted: format!("external parameter `{at}` {}", failure.wanted), ..failure })
            }
            Self::FinishedWithin(within) => age_failure(*within, fact, scope.now),
            Self::Dependency(wanted) => dependency_failure(wanted, fact),
        }
    }
}

fn trigger_failure(words: &[String], got: Option<&str>) -> Option<Failure> {
    let met = got.is_some_and(|got| words.iter().any(|word| word == got));
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let failure = || Failure {
        rule: RuleId::ProvenanceTrigger,
        wanted: format!("a build that {} started", words.join(" or ")),
        got: got.map_or_else(|| "none named".to_owned(), |got| format!("`{got}`")),
    };
    (!met).then(failure)
}

/// A build that ended in the future has not ended, whatever its builder says.
fn age_failure(within: Duration, fact: &ProvenanceFact, now: Timestamp) -> Option<Failure> {
    let met = |end: Timestamp| end <= now + SKEW && now.signed_duration_since(end) <= within;
    let failure = || Failure {
        rule: RuleId::ProvenanceAge,
        wanted: format!("a build that ended within {}", duration::show(within)),
        got: fact
            .finished_on
            .map_or_else(|| "no end named".to_owned(), |end| format!("one of {}", to_seconds(end))),
    };
    (!fact.finished_on.is_some_and(met)).then(failure)
}

fn dependency_failure(wanted: &Pattern, fact: &ProvenanceFact) -> Option<Failure> {
    let met = fact.dependencies.iter().any(|uri| wanted.matches(uri));
    let failure = || Failure {
        rule: RuleId::ProvenanceDependency,
        wanted: format!("a pinned dependency {}", show(wanted)),
        got: format!("none of {}", fact.dependencies.len()),
    };
    (!met).then(failure)
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
            // Facts name repositories barely; whoever writes one out means the same.
            Self::Text(Pattern::Exact(text)) => bare_repository(text) == bare_repository(got),
            Self::Text(pattern) => pattern.matches(got),
            Self::Release => source.is_repository(got),
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

pub(super) fn mend(rule: RuleId) -> &'static str {
    match rule {
        RuleId::ProvenanceBuilder => {
            "build it with a builder that trust names, or add this one under `builders`"
        }
        RuleId::ProvenanceLevel => "build it with a builder of that level",
        RuleId::ProvenanceSource | RuleId::ProvenanceRef => "build it from the source that is asked for",
        RuleId::ProvenanceCommit => "rebuild it from the release's commit, or correct `source.commit`",
        RuleId::ProvenanceRunner => "build it on a hosted runner",
        RuleId::ProvenanceWorkflow | RuleId::ProvenanceTrigger => "build it the way that is asked for",
        RuleId::ProvenanceParameter => "build it with the parameter that is asked for",
        RuleId::ProvenanceAge => "build it again",
        RuleId::ProvenanceDependency => "build it with the dependency that is asked for, pinned by a digest",
        _ => "build it again",
    }
}
