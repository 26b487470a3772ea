//! `require.signatures`, and `--require-signed`: signatures over each artifact's bytes.
//!
//! Facts hold signatures of signers with `use: artifact` alone (`formats.md` section 4). Distinct
//! signers count, each by an identity of its own: a key, or a certificate's issuer and subject.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::trust::Use;
use crate::verify::facts::{ArtifactFacts, SignatureFact};
use crate::yaml::{DocumentError, Spanned};

use super::voice::{self, Party, Voice};
use super::{Cure, Each, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

/// Signatures over artifacts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignaturesSection {
    /// What has to be signed.
    #[serde(default)]
    pub each: Each,
    /// How many signers, each by a key or an identity of its own; 1 unless said.
    #[serde(default)]
    #[schemars(with = "u64", range(min = 1, max = 16))]
    pub at_least: Option<Spanned<u64>>,
    /// Names of signers in trust with `use: artifact`; any of them unless said.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>", length(min = 1, max = 64))]
    pub from: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A checked requirement of signatures.
#[derive(Debug)]
pub struct Signatures {
    each: Each,
    at_least: usize,
    from: Option<BTreeSet<String>>,
    origin: Option<Origin>,
}

impl Signatures {
    /// `--require-signed`: each artifact, one signature, by any signer with `use: artifact`.
    pub fn flag() -> Self {
        Self { each: Each::Artifact, at_least: 1, from: None, origin: None }
    }

    /// Checks a section against trust.
    ///
    /// # Errors
    /// [`DocumentError`] for a name of no signer, or of one that may not sign artifacts, and for
    /// more signers asked for than listed.
    pub fn read(section: &Spanned<SignaturesSection>, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let SignaturesSection { each, at_least, from } = &section.value;
        let from = from.as_ref().map(|names| signers(names, reading)).transpose()?;
        let wanted = at_least.as_ref().map_or(1, |count| count.value);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        if let (Some(count), Some(from)) = (at_least, &from)
            && wanted > from.len()
        {
            let message =
                format!("`atLeast: {wanted}` asks for more signers than the {} in `from`", from.len());
            return Err(reading.refuse(count, message, "lower `atLeast`, or list more signers"));
        }
        let origin = match at_least {
            Some(count) => reading.origin(count),
            None => reading.origin(section),
        };
        Ok(Self { each: *each, at_least: wanted, from, origin: Some(origin) })
    }

    /// Denies each artifact that too few signers signed.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        let artifacts = self.each.select(scope);
        if artifacts.is_empty() {
            let nothing = self.each.nothing(RuleId::SignatureMissing, scope);
            outcome.deny(Cure::None, Finding { origin: self.origin.clone(), ..nothing });
        }
        for artifact in artifacts {
            let signers = self.signed_by(artifact);
            if signers.len() < self.at_least {
                outcome.deny(Cure::Evidence, self.missing(artifact, signers));
            }
        }
    }

    /// The signers that count, each by an identity that no other one needs.
    fn signed_by(&self, artifact: &ArtifactFacts) -> Vec<String> {
        let listed = |signer: &str| self.from.as_ref().is_none_or(|from| from.contains(signer));
        let counting = artifact.signatures.iter().filter(|fact| listed(&fact.signer));
        let voices: Vec<_> = counting.map(voice).collect();
        voice::distinct(&voices).into_iter().map(str::to_owned).collect()
    }

    fn missing(&self, artifact: &ArtifactFacts, counted: Vec<String>) -> Finding {
        let message =
            format!("{} of {} required signatures over `{}`", counted.len(), self.at_least, artifact.name);
        let by = match &self.from {
            Some(from) => from.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            None => "a signer with `use: artifact`".to_owned(),
        };
        let help = format!("sign {} by {by}: `laforge sign`", artifact.digest);
        let finding = denial(RuleId::SignatureMissing, &artifact.name, message, help);
        Finding { origin: self.origin.clone(), counted, ..finding }
    }
}

/// By whom an artifact is signed in a signer's name: of an index, platform by platform.
fn voice(fact: &SignatureFact) -> Voice<'_> {
    let by = match fact.leaves.as_slice() {
        [] => [Party::of(&fact.signer, fact.identity)].into(),
        leaves => leaves.iter().map(|leaf| Party::of(&fact.signer, leaf.identity)).collect(),
    };
    Voice { signer: &fact.signer, by }
}

fn signers(
    names: &Spanned<Vec<Spanned<String>>>,
    reading: &Reading<'_>,
) -> Result<BTreeSet<String>, DocumentError> {
    names.value.iter().map(|name| signer(name, reading)).collect()
}

fn signer(name: &Spanned<String>, reading: &Reading<'_>) -> Result<String, DocumentError> {
    if !reading.signer(name)?.uses.contains(&Use::Artifact) {
        let message = format!("signer `{}` may not sign artifacts", name.value);
        return Err(reading.refuse(name, message, "name a signer with `use: artifact`"));
    }
    Ok(name.value.clone())
}

#[cfg(test)]
mod tests {
    use crate::policy::samples::{artifact, digest, facts, loaded, outcome, refused, said, signature};
    use crate::verify::facts::LeafEvidence;

    use super::*;

    #[test]
    fn denies_each_artifact_without_a_signature() {
        let mut facts = facts();
        facts.artifacts.push(artifact("worker"));
        facts.artifacts[0].signatures.push(signature("release", "1"));
        let outcome = outcome(&loaded("{require: {signatures: {each: artifact}}}"), &facts);
        let expected = [("signature-missing", "0 of 1 required signatures over `worker`".to_owned())];
        assert_eq!(said(&outcome), expected);
        assert_eq!(outcome.findings[0].cure, Cure::Evidence);
    }

    #[test]
    fn counts_signers_and_not_signatures() {
        let set = loaded("{require: {signatures: {atLeast: 2}}}");
        let mut facts = facts();
        facts.artifacts[0].signatures = vec![signature("release", "1"), signature("release", "2")];
        let twice = outcome(&set, &facts);
        assert_eq!(
            said(&twice),
            [("signature-missing", "1 of 2 required signatures over `payments`".to_owned())]
        );
        assert_eq!(twice.findings[0].finding.counted, ["release"]);
        facts.artifacts[0].signatures = vec![signature("release", "1"), signature("second", "2")];
        assert_eq!(said(&outcome(&set, &facts)), []);
    }

    #[test]
    fn counts_one_identity_that_fits_two_signers_once_however_often_it_signs() {
        let set = loaded("{require: {signatures: {atLeast: 2}}}");
        let by = |identity: &str, signer: &str, evidence: &str| SignatureFact {
            identity: Some(digest(identity)),
            ..signature(signer, evidence)
        };
        let judged = |signatures: Vec<SignatureFact>| {
            let mut facts = facts();
            facts.artifacts[0].signatures = signatures;
            said(&outcome(&set, &facts)).len()
        };
        let both = |evidence: &str| [by("ci", "release", evidence), by("ci", "second", evidence)];
        assert_eq!(judged(both("1").to_vec()), 1);
        // A copy of it, and a second signature of it.
        assert_eq!(judged([both("1"), both("2")].concat()), 1);
        let other = by("other", "second", "3");
        assert_eq!(judged([both("1").to_vec(), vec![other]].concat()), 0);
    }

    #[test]
    fn counts_an_identity_that_signed_one_platform_for_one_signer() {
        let set = loaded("{require: {signatures: {atLeast: 2}}}");
        let signed = |signer: &str, identities: [&str; 2]| {
            let leaf = |platform: &str, identity: &str| LeafEvidence {
                platform: platform.to_owned(),
                evidence: digest(&format!("{platform} {identity}")),
                identity: Some(digest(identity)),
            };
            let [amd, arm] = identities;
            let leaves = vec![leaf("linux/amd64", amd), leaf("linux/arm64", arm)];
            SignatureFact { leaves, ..signature(signer, &format!("{signer} leaves")) }
        };
        let judged = |one, two| {
            let mut facts = facts();
            facts.artifacts[0].signatures = vec![signed("release", one), signed("second", two)];
            said(&outcome(&set, &facts)).len()
        };
        assert_eq!(judged(["ci", "more"], ["more", "ci"]), 1);
        assert_eq!(judged(["ci", "ci"], ["ci", "more"]), 1);
        assert_eq!(judged(["ci", "more"], ["other", "else"]), 0);
    }

    #[test]
    fn counts_nobody_whom_the_policy_does_not_list() {
        let set = loaded("{require: {signatures: {from: [second]}}}");
        let mut facts = facts();
        facts.artifacts[0].signatures.push(signature("release", "1"));
        let outcome = outcome(&set, &facts);
        assert_eq!(
            said(&outcome),
            [("signature-missing", "0 of 1 required signatures over `payments`".to_owned())]
        );
        let help = outcome.findings[0].finding.help.clone().unwrap();
        assert!(help.contains("`second`") && !help.contains("`release`"), "{help}");
    }

    #[test]
    fn holds_for_nothing_when_there_is_nothing_to_hold_for() {
        let set = loaded("{require: {signatures: {each: manifests}}}");
        let denied = outcome(&set, &facts());
        let message = "the release has no rendered manifests for this requirement to hold for".to_owned();
        assert_eq!(said(&denied), [("signature-missing", message)]);
        assert_eq!(denied.findings[0].cure, Cure::None);
        let mut with = facts();
        with.artifacts.push(artifact("manifests"));
        with.artifacts[1].signatures.push(signature("release", "1"));
        assert_eq!(said(&outcome(&set, &with)), []);
        // The manifests are no artifact that the release lists.
        with.artifacts.remove(0);
        assert_eq!(said(&outcome(&loaded("{require: {signatures: {}}}"), &with)).len(), 1);
    }

    #[test]
    fn refuses_names_that_trust_does_not_fit_to_it() {
        for (section, reason) in [
            ("{from: [nobody]}", "policies/test.yaml:4:38: trust names no signer `nobody`"),
            ("{from: [slsa]}", "policies/test.yaml:4:38: signer `slsa` may not sign artifacts"),
            (
                "{atLeast: 2, from: [release]}",
                "policies/test.yaml:4:40: `atLeast: 2` asks for more signers than the 1 in `from`",
            ),
            ("{atLeast: 0}", "policies/test.yaml:4:40: `0` is less than 1"),
            ("{atLeast: 17}", "policies/test.yaml:4:40: `17` is more than 16"),
            ("{from: []}", "policies/test.yaml:4:37: an empty list says nothing"),
            ("{from: [release, release]}", "policies/test.yaml:4:37: an item is listed twice"),
        ] {
            assert_eq!(refused(&format!("{{require: {{signatures: {section}}}}}")), reason, "{section}");
        }
    }
}
