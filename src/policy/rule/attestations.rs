//! `require.attestations`: scans, SBOMs, test results and other verifiers' summaries, by type.
//!
//! Of all attestations of the type by the signers in `from` (of a summary: by `verifier`, of
//! `resourceUri`), every one has to hold, unless the section says `latest`; then the latest of each
//! signer has to (`formats.md` section 10). One whose predicate can't be read doesn't hold. One that is
//! older than `maxAge` counts neither for nor against. An image index needs them for itself or, by the
//! same signer, for every platform. Distinct signers count, each by an identity of its own.
//!
//! Whoever withholds a failing attestation turns it off: it is a brake, not a control to rely on.

mod condition;
mod hearing;

use std::collections::BTreeSet;

use chrono::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::evidence::predicate::test_result::TYPE as TEST_RESULT;
use crate::evidence::use_for;
use crate::plan::LimitedBy;
use crate::verify::attestations::{Kind, is_bound_elsewhere};
use crate::verify::facts::{ArtifactFacts, AttestationFact, Ending};
use crate::yaml::{DocumentError, Spanned};

use super::{Cure, Each, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};
use crate::time::duration;
use condition::{Condition, Failure, Part};
use hearing::{Hearing, as_old, is_dated};

/// Attestations of one type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AttestationsSection {
    /// The predicate type, exact.
    #[schemars(with = "String", length(min = 1, max = 512))]
    pub predicate_type: Spanned<String>,
    /// What needs them.
    #[serde(default)]
    pub each: Each,
    /// How many signers, each by a key or an identity of its own; 1 unless said.
    #[serde(default)]
    #[schemars(with = "u64", range(min = 1, max = 16))]
    pub at_least: Option<Spanned<u64>>,
    /// Names of signers in trust that may sign this type.
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 64))]
    pub from: Spanned<Vec<Spanned<String>>>,
    /// How old one may be, from the older of its trusted time and its own word; one by a key has to say itself
    /// when it was made.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = duration::PATTERN))]
    pub max_age: Option<Spanned<String>>,
    /// Whether the latest of each signer counts alone; every one has to hold unless said.
    #[serde(default)]
    pub latest: bool,
    /// Of a summary or a verification result, which need it: the verifier's id, exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub verifier: Option<Spanned<String>>,
    /// Of a summary, which needs it: what was verified, exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub resource_uri: Option<Spanned<String>>,
    /// Of a summary: levels that were met, each itself or a higher one of its SLSA track.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 16))]
    pub verified_levels: Option<Spanned<Vec<Spanned<String>>>>,
    /// Of a summary: the digest of the verifier's policy.
    #[serde(default)]
    #[schemars(with = "crate::release::digest::ClaimedDigest")]
    pub policy_digest: Option<Spanned<String>>,
    /// Of a summary: the version of SLSA that its levels are of.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub slsa_version: Option<Spanned<String>>,
    /// Of a verification result, which needs them: properties that were found.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 64))]
    pub properties: Option<Spanned<Vec<Spanned<String>>>>,
    /// Of a test result: the worst that passes; `PASSED` unless said.
    #[serde(default)]
    #[schemars(with = "Worst")]
    pub result: Option<Spanned<Worst>>,
    /// Of a release, which needs it: its package URL, exact or `pattern:GLOB`.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub purl: Option<Spanned<String>>,
}

/// The worst result of a test run that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Worst {
    /// Every test passed.
    Passed,
    /// Every test passed, some with warnings.
    Warned,
}

/// A checked requirement of attestations of one type.
#[derive(Debug)]
pub struct Attestations {
    predicate_type: String,
    each: Each,
    at_least: usize,
    from: BTreeSet<String>,
    max_age: Option<Duration>,
    latest: bool,
    conditions: Vec<(Condition, Origin)>,
    origin: Origin,
}

impl Attestations {
    /// Checks a section against trust.
    ///
    /// # Errors
    /// [`DocumentError`] for a type that another requirement asks for, a name of no signer or of
    /// one that may not sign this type, more signers than listed, a condition of another type, and a
    /// summary, a verification result or a release of which it doesn't say which one is meant.
    pub fn read(
        section: &Spanned<AttestationsSection>,
        reading: &Reading<'_>,
    ) -> Result<Self, DocumentError> {
        let said = &section.value;
        refuse_type(&said.predicate_type, reading)?;
        let from = said.from.value.iter().map(|name| signer(name, &said.predicate_type.value, reading));
        let from: BTreeSet<String> = from.collect::<Result<_, _>>()?;
        let wanted = said.at_least.as_ref().map_or(1, |count| count.value);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        if let Some(count) = said.at_least.as_ref().filter(|_| wanted > from.len()) {
            let message =
                format!("`atLeast: {wanted}` asks for more signers than the {} in `from`", from.len());
            return Err(reading.refuse(count, message, "lower `atLeast`, or list more signers"));
        }
        Ok(Self {
            predicate_type: said.predicate_type.value.clone(),
            each: said.each,
            at_least: wanted,
            from,
            max_age: said.max_age.as_ref().map(|text| reading.duration(text)).transpose()?,
            latest: said.latest,
            conditions: condition::read(section, reading)?,
            origin: reading.origin(&said.predicate_type),
        })
    }

    /// Test results of which the latest of each signer has to have passed, and one be there: what a rule of
    /// another kind asks of one artifact, by [`judge_one`](Self::judge_one).
    pub(super) fn of_tests(from: BTreeSet<String>, max_age: Duration, origin: Origin) -> Self {
        Self {
            predicate_type: TEST_RESULT.to_owned(),
            each: Each::Artifact,
            at_least: 1,
            from,
            max_age: Some(max_age),
            latest: true,
            conditions: vec![(Condition::Result(Ending::Passed), origin.clone())],
            origin,
        }
    }

    /// Denies an artifact of which an attestation fails, or that too few signers attest.
    pub(super) fn judge_one(&self, artifact: &ArtifactFacts, scope: &Scope<'_>, outcome: &mut Outcome) {
        self.judge(artifact, &self.hear(artifact, scope), outcome);
    }

    /// Denies each artifact of which an attestation fails, or too few signers attest it.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let artifacts = self.each.select(scope);
        if artifacts.is_empty() {
            let nothing = self.each.nothing(RuleId::AttestationMissing, scope);
            outcome.deny(Cure::None, Finding { origin: Some(self.origin.clone()), ..nothing });
        }
        for artifact in artifacts {
            self.judge_one(artifact, scope, outcome);
        }
    }

    /// What counts towards it, with what it is about: what `correlate` ties together.
    pub(super) fn counted<'a>(&self, scope: &Scope<'a>) -> Vec<(&'a ArtifactFacts, &'a AttestationFact)> {
        let artifacts = self.each.select(scope).into_iter();
        let counting = artifacts.map(|artifact| (artifact, self.hear(artifact, scope).counting));
        counting.flat_map(|(artifact, facts)| facts.into_iter().map(move |fact| (artifact, fact))).collect()
    }

    fn hear<'a>(&self, artifact: &'a ArtifactFacts, scope: &Scope<'_>) -> Hearing<'a> {
        let asked = |fact: &&AttestationFact| {
            fact.predicate_type == self.predicate_type && self.from.contains(&fact.signer)
        };
        Hearing::of(artifact.attestations.iter().filter(asked), self, scope.now)
    }

    fn judge(&self, artifact: &ArtifactFacts, hearing: &Hearing<'_>, outcome: &mut Outcome) {
        // Where all have to hold, no further one makes up for one that fails.
        let cure = if self.latest { Cure::Evidence } else { Cure::None };
        for (fact, failure) in &hearing.failing {
            outcome.deny(cure, self.failed(artifact, fact, failure));
        }
        let signers = hearing.signers(artifact);
        if hearing.failing.is_empty() && signers.len() < self.at_least {
            outcome.deny(Cure::Evidence, self.missing(artifact, &signers, hearing));
        }
        for fact in &hearing.counting {
            if let (Some(age), Some(start)) = (self.max_age, as_old(fact)) {
                outcome.limit_after(start, age, LimitedBy::MaxAge);
            }
        }
    }

    /// The failure of one whose predicate is of a kind that is read and could not be.
    fn unread(&self, fact: &AttestationFact) -> Option<Failure> {
        let unread = Kind::of(&self.predicate_type).is_some() && fact.says.is_none();
        unread.then(|| Failure {
            wanted: "a predicate that can be read".to_owned(),
            got: "a malformed one".to_owned(),
            origin: self.origin.clone(),
        })
    }

    /// The first condition that an attestation doesn't meet, of those that say which one is meant, or
    /// of those that it is held to.
    fn failure(&self, fact: &AttestationFact, part: Part) -> Option<Failure> {
        self.conditions.iter().filter(|(condition, _)| condition.part() == part).find_map(
            |(condition, origin)| {
                let (wanted, got) = condition.unmet(fact.says.as_ref())?;
                Some(Failure { wanted, got, origin: origin.clone() })
            },
        )
    }

    fn failed(&self, artifact: &ArtifactFacts, fact: &AttestationFact, failure: &Failure) -> Finding {
        let Failure { wanted, got, origin } = failure;
        let message = format!(
            "`{}` attestation of `{}`: wanted {wanted}, got {got}",
            self.predicate_type, artifact.name
        );
        let mend = match self.latest {
            true if is_dated(fact) => "a later one by the same signer that holds takes its place",
            true => "it does not say when it was made, so no other is later: take it out of the evidence",
            false => "every one has to hold: mend what it found and release anew, or ask for the `latest`",
        };
        let help = format!("evidence {}, signed by `{}`; {mend}", fact.evidence, fact.signer);
        let finding = denial(RuleId::AttestationFailed, &artifact.name, message, help);
        Finding { origin: Some(origin.clone()), ..finding }
    }

    fn missing(&self, artifact: &ArtifactFacts, signers: &[&str], hearing: &Hearing<'_>) -> Finding {
        let message = format!(
            "{} of {} required `{}` attestations of `{}`",
            signers.len(),
            self.at_least,
            self.predicate_type,
            artifact.name
        );
        let by = self.from.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut help = format!("add one of {} by {by}", artifact.digest);
        if !hearing.lacking.is_empty() {
            help = format!("{help} (not counted: {})", hearing.lacking.join(", "));
        }
        let finding = denial(RuleId::AttestationMissing, &artifact.name, message, help);
        let counted = signers.iter().map(|name| (*name).to_owned()).collect();
        Finding { origin: Some(self.origin.clone()), counted, ..finding }
    }
}

/// What has a requirement of its own is asked for there.
fn refuse_type(predicate_type: &Spanned<String>, reading: &Reading<'_>) -> Result<(), DocumentError> {
    let text = &predicate_type.value;
    if is_bound_elsewhere(text) {
        let message = format!("`{text}` is not asked for by `attestations`");
        let help = "ask for it with `signatures`, `approvals` or `provenance`; waivers and break-glass records \
                    are not heard yet";
        return Err(reading.refuse(predicate_type, message, help));
    }
    if !text.contains(':') {
        let message = format!("`{text}` is not a predicate type");
        let help = "give its URI, such as https://in-toto.io/attestation/vulns";
        return Err(reading.refuse(predicate_type, message, help));
    }
    Ok(())
}

/// A signer of trust that may sign attestations of this type.
pub(super) fn signer(
    name: &Spanned<String>,
    predicate_type: &str,
    reading: &Reading<'_>,
) -> Result<String, DocumentError> {
    let signer = reading.signer(name)?;
    let wanted = use_for(predicate_type);
    if !signer.uses.contains(&wanted) {
        let message = format!("signer `{}` has no `use: {wanted}`, which this type needs", name.value);
        return Err(reading.refuse(name, message, &format!("name a signer with `use: {wanted}`")));
    }
    if !signer.may_sign(predicate_type) {
        let message = format!("trust does not let signer `{}` sign `{predicate_type}`", name.value);
        let help = "add the type to its `predicateTypes` in the trust file, or name another signer";
        return Err(reading.refuse(name, message, help));
    }
    Ok(name.value.clone())
}

#[cfg(test)]
mod tests;
