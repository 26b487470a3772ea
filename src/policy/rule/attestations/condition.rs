//! Conditions: what an attestation of a known type has to say.
//!
//! In: the members of a section, and what a fact says. Out: what was wanted and what was got. What
//! a predicate doesn't say it doesn't meet; a condition of another type's member is refused.

use crate::evidence::predicate::vsa::{is_met, is_possible};
use crate::release::digest::ClaimedDigest;
use crate::trust::Pattern;
use crate::verify::facts::Says;
use crate::verify::set_aside::Quoted;

use super::{AttestationsSection, DocumentError, Ending, Kind, Origin, Reading, Spanned, Worst};

/// What an attestation has to say.
#[derive(Debug)]
pub(super) enum Condition {
    /// A summary: its verifier's policy was met.
    Passed,
    Verifier(Pattern),
    ResourceUri(Pattern),
    Level(String),
    Policy(ClaimedDigest),
    SlsaVersion(String),
    Property(String),
    /// A test run ended at worst so.
    Result(Ending),
    Purl(Pattern),
}

/// What a condition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It says which attestations are meant: another one is none of them, and no failure.
    Which,
    /// It says what they have to say.
    What,
}

/// What a condition wanted and what it got.
pub(super) struct Failure {
    pub(super) wanted: String,
    pub(super) got: String,
    pub(super) origin: Origin,
}

/// The conditions of a section, in the order in which they are tried.
pub(super) fn read(
    section: &Spanned<AttestationsSection>,
    reading: &Reading<'_>,
) -> Result<Vec<(Condition, Origin)>, DocumentError> {
    let said = &section.value;
    let kind = Kind::of(&said.predicate_type.value);
    refuse_other_kinds(said, kind, reading)?;
    refuse_any(said, kind, reading)?;
    let mut conditions = Vec::new();
    let of_type = reading.origin(&said.predicate_type);
    match kind {
        Some(Kind::Summary) => conditions.push((Condition::Passed, of_type)),
        Some(Kind::Tests) => {
            let worst = said.result.as_ref().map_or(Ending::Passed, |worst| match worst.value {
                Worst::Passed => Ending::Passed,
                Worst::Warned => Ending::Warned,
            });
            let origin = said.result.as_ref().map_or(of_type, |worst| reading.origin(worst));
            conditions.push((Condition::Result(worst), origin));
        }
        Some(Kind::Results | Kind::Release) | None => {}
    }
    let mut add =
        |at: &Spanned<String>, condition: Condition| conditions.push((condition, reading.origin(at)));
    if let Some(at) = &said.verifier {
        add(at, Condition::Verifier(Pattern::parse(&at.value)));
    }
    if let Some(at) = &said.purl {
        add(at, Condition::Purl(Pattern::parse(&at.value)));
    }
    if let Some(at) = &said.resource_uri {
        add(at, Condition::ResourceUri(Pattern::parse(&at.value)));
    }
    for at in said.verified_levels.iter().flat_map(|levels| &levels.value) {
        refuse_unknown_level(at, reading)?;
        add(at, Condition::Level(at.value.clone()));
    }
    if let Some(at) = &said.policy_digest {
        add(at, Condition::Policy(digest(at, reading)?));
    }
    if let Some(at) = &said.slsa_version {
        add(at, Condition::SlsaVersion(at.value.clone()));
    }
    for at in said.properties.iter().flat_map(|properties| &properties.value) {
        add(at, Condition::Property(at.value.clone()));
    }
    Ok(conditions)
}

fn digest(at: &Spanned<String>, reading: &Reading<'_>) -> Result<ClaimedDigest, DocumentError> {
    at.value.parse().map_err(|error: crate::release::digest::DigestError| {
        reading.refuse(at, error.to_string(), "copy it from `laforge policy check` of the verifier's sets")
    })
}

/// That a level is one that a passing summary could name. Levels of others' own are taken as they are.
fn refuse_unknown_level(at: &Spanned<String>, reading: &Reading<'_>) -> Result<(), DocumentError> {
    if is_possible(&at.value) {
        return Ok(());
    }
    let message = format!("no summary that passes names the level `{}`", at.value.escape_debug());
    let help = "SLSA's are `SLSA_BUILD_LEVEL_0` to `_3` and `SLSA_SOURCE_LEVEL_0` to `_4`; levels of one's own \
                begin otherwise";
    Err(reading.refuse(at, message, help))
}

/// That each member that is given is one of the predicate's.
fn refuse_other_kinds(
    said: &AttestationsSection,
    kind: Option<Kind>,
    reading: &Reading<'_>,
) -> Result<(), DocumentError> {
    let summary: &[Kind] = &[Kind::Summary];
    let refuse = |name: &str, place: DocumentPlace<'_>| place.refuse(name, said, reading);
    let given = [
        ("verifier", said.verifier.as_ref().map(DocumentPlace::Text), &[Kind::Summary, Kind::Results][..]),
        ("resourceUri", said.resource_uri.as_ref().map(DocumentPlace::Text), summary),
        ("verifiedLevels", said.verified_levels.as_ref().map(DocumentPlace::List), summary),
        ("policyDigest", said.policy_digest.as_ref().map(DocumentPlace::Text), summary),
        ("slsaVersion", said.slsa_version.as_ref().map(DocumentPlace::Text), summary),
        ("properties", said.properties.as_ref().map(DocumentPlace::List), &[Kind::Results]),
        ("purl", said.purl.as_ref().map(DocumentPlace::Text), &[Kind::Release]),
        ("result", said.result.as_ref().map(DocumentPlace::Result), &[Kind::Tests]),
    ];
    for (name, place, kinds) in given {
        if let Some(place) = place
            && !kind.is_some_and(|kind| kinds.contains(&kind))
        {
            return Err(refuse(name, place));
        }
    }
    Ok(())
}

/// That a summary or a verification result says which one is meant: one of anything by anybody proves
/// nothing of what this policy is for.
fn refuse_any(
    said: &AttestationsSection,
    kind: Option<Kind>,
    reading: &Reading<'_>,
) -> Result<(), DocumentError> {
    let verifier = ("verifier", said.verifier.is_some());
    let (what, needed) = match kind {
        Some(Kind::Summary) => ("summary", vec![verifier, ("resourceUri", said.resource_uri.is_some())]),
        Some(Kind::Results) => {
            ("verification result", vec![verifier, ("properties", said.properties.is_some())])
        }
        Some(Kind::Release) => ("release", vec![("purl", said.purl.is_some())]),
        Some(Kind::Tests) | None => return Ok(()),
    };
    match needed.iter().find(|(_, given)| !given) {
        None => Ok(()),
        Some((absent, _)) => {
            let message = format!("a {what} is asked for without `{absent}`");
            let help = format!("add `{absent}`: a {what} of anything by anybody would do; say which");
            Err(reading.refuse(&said.predicate_type, message, &help))
        }
    }
}

/// Where a member stands, whatever its value is.
enum DocumentPlace<'a> {
    Text(&'a Spanned<String>),
    List(&'a Spanned<Vec<Spanned<String>>>),
    Result(&'a Spanned<Worst>),
}

impl DocumentPlace<'_> {
    fn refuse(&self, name: &str, said: &AttestationsSection, reading: &Reading<'_>) -> DocumentError {
        let message = format!("`{name}` is no condition of `{}`", said.predicate_type.value);
        let help = "remove it: a condition that nothing is held to would be a promise not kept";
        match self {
            Self::Text(at) => reading.refuse(at, message, help),
            Self::List(at) => reading.refuse(at, message, help),
            Self::Result(at) => reading.refuse(at, message, help),
        }
    }
}

impl Condition {
    /// What it is for: a summary of another verifier, or of another resource, is not the one meant.
    pub(super) fn part(&self) -> Part {
        match self {
            Self::Verifier(_) | Self::ResourceUri(_) | Self::Purl(_) => Part::Which,
            Self::Passed
            | Self::Level(_)
            | Self::Policy(_)
            | Self::SlsaVersion(_)
            | Self::Property(_)
            | Self::Result(_) => Part::What,
        }
    }

    /// What it wanted and what it got, when it is not met.
    pub(super) fn unmet(&self, says: Option<&Says>) -> Option<(String, String)> {
        let (met, wanted, got) = match (self, says) {
            (Self::Passed, Some(Says::Summary { passed, verified_levels, .. })) => {
                // A level of that name says that it failed, whatever the result says.
                let failed = !passed || verified_levels.iter().any(|level| level == "FAILED");
                (!failed, "result `PASSED`".to_owned(), "`FAILED`".to_owned())
            }
            (Self::Verifier(id), Some(Says::Summary { verifier, .. } | Says::Results { verifier, .. })) => {
                (id.matches(verifier), format!("verifier `{id}`"), quoted(verifier))
            }
            (Self::ResourceUri(uri), Some(Says::Summary { resource_uri, .. })) => {
                (uri.matches(resource_uri), format!("resource `{uri}`"), quoted(resource_uri))
            }
            (Self::Level(level), Some(Says::Summary { verified_levels, .. })) => (
                verified_levels.iter().any(|met| is_met(met, level)),
                format!("level `{level}`"),
                listed(verified_levels),
            ),
            (Self::Policy(digest), Some(Says::Summary { policy, .. })) => (
                policy.as_ref() == Some(digest),
                format!("policy {digest}"),
                policy.as_ref().map_or_else(|| "none named".to_owned(), ToString::to_string),
            ),
            (Self::SlsaVersion(version), Some(Says::Summary { slsa_version, .. })) => (
                slsa_version.as_ref() == Some(version),
                format!("SLSA version `{version}`"),
                slsa_version.as_ref().map_or_else(|| "none named".to_owned(), |got| quoted(got)),
            ),
            (Self::Property(property), Some(Says::Results { properties, .. })) => (
                properties.iter().any(|found| is_met(found, property)),
                format!("property `{property}`"),
                listed(properties),
            ),
            (Self::Purl(wanted), Some(Says::Release { purl })) => {
                (wanted.matches(purl), format!("release `{wanted}`"), quoted(purl))
            }
            (Self::Result(worst), Some(Says::Tests { result })) => {
                (result <= worst, format!("result {}", word(*worst)), word(*result))
            }
            _ => (false, "a predicate that says so".to_owned(), "none that does".to_owned()),
        };
        (!met).then_some((wanted, got))
    }
}

fn word(ending: Ending) -> String {
    let word = match ending {
        Ending::Passed => "PASSED",
        Ending::Warned => "WARNED",
        Ending::Failed => "FAILED",
    };
    format!("`{word}`")
}

/// Out of evidence.
fn quoted(text: &str) -> String {
    Quoted::new(text).to_string()
}

/// The first few of a list.
fn listed(texts: &[String]) -> String {
    const MOST: usize = 4;
    let mut shown: Vec<String> = texts.iter().take(MOST).map(|text| quoted(text)).collect();
    if texts.len() > MOST {
        shown.push(format!("{} more", texts.len() - MOST));
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}
