//! One policy of a set: its sections read to rules, every name in them checked against trust.

use std::sync::Arc;

use crate::policy::document::{
    ApiVersion, PolicyDocument, PolicyKind, PolicyMetadata, Require, Selection, Spec,
};
use crate::policy::finding::Origin;
use crate::policy::rule::approvals::Approvals;
use crate::policy::rule::attestations::Attestations;
use crate::policy::rule::correlate::{Correlate, Tied};
use crate::policy::rule::floor::{ArtifactsSection, Permission};
use crate::policy::rule::freeze::Freeze;
use crate::policy::rule::provenance::Provenance;
use crate::policy::rule::rollout::RolloutLimits;
use crate::policy::rule::signatures::Signatures;
use crate::policy::rule::{Reading, Rule};
use crate::release::digest::ClaimedDigest;
use crate::release::name::{self, MAX_NAME};
use crate::trust::{Pattern, TrustRoot};
use crate::yaml::{DocumentError, Source};

use super::{PolicyError, PolicyFile};

/// One policy of a set, every name in it checked.
#[derive(Debug)]
pub(in crate::policy) struct Policy {
    environments: Option<Vec<Pattern>>,
    /// What it says of artifacts that were never read.
    pub(in crate::policy) by_digest: Option<(Permission, Origin)>,
    /// What it asks.
    pub(in crate::policy) rules: Vec<Rule>,
}

impl Policy {
    /// Reads one file of a set; every name in it is checked against trust.
    pub(super) fn load(
        file: &PolicyFile,
        set: &ClaimedDigest,
        trust: &TrustRoot,
    ) -> Result<Self, PolicyError> {
        let source = text_of(file)?;
        let reading = Reading { source: &source, path: &file.path, set, trust };
        Ok(PolicyDocument::read(&source, |document| Self::check(&document, &reading))?)
    }

    /// Takes a document apart without `..`, here and below: a section that is added and not asked for does
    /// not compile.
    fn check(document: &PolicyDocument, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let PolicyDocument { api_version: ApiVersion::V1, kind: PolicyKind::Policy, metadata, spec } =
            document;
        let PolicyMetadata { name } = metadata;
        name::read(reading.source, name, MAX_NAME)?;
        let Spec { selection, artifacts, require, freeze, rollout, rules: _, waivers: _, break_glass: _ } =
            &spec.value; // What is not built is refused before.
        let mut rules = match require {
            Some(require) => required(&require.value, reading)?,
            None => Vec::new(),
        };
        for section in freeze.iter().flatten() {
            rules.push(Rule::Freeze(Freeze::read(section, reading)?));
        }
        if let Some(section) = rollout {
            rules.push(Rule::Rollout(Box::new(RolloutLimits::read(&section.value, reading)?)));
        }
        let environments = selection.as_ref().map(|Selection { environments }| &environments.value);
        let by_digest = artifacts.as_ref().map(|ArtifactsSection { by_digest }| by_digest);
        Ok(Self {
            environments: environments.map(|list| list.iter().map(|text| Pattern::parse(text)).collect()),
            by_digest: by_digest.map(|said| (said.value, reading.origin(said))),
            rules,
        })
    }

    /// Whether it speaks of an environment.
    pub(super) fn applies_to(&self, environment: &str) -> bool {
        let listed = self.environments.as_ref();
        listed.is_none_or(|list| list.iter().any(|pattern| pattern.matches(environment)))
    }

    /// What the flags ask, of every environment.
    pub(super) fn of_flags(rules: Vec<Rule>) -> Self {
        Self { environments: None, by_digest: None, rules }
    }
}

/// The rules of `require`.
fn required(require: &Require, reading: &Reading<'_>) -> Result<Vec<Rule>, DocumentError> {
    let Require { signatures, approvals, provenance, attestations, correlate } = require;
    let mut rules = Vec::new();
    if let Some(section) = signatures {
        rules.push(Rule::Signatures(Signatures::read(section, reading)?));
    }
    if let Some(section) = approvals {
        rules.push(Rule::Approvals(Approvals::read(section, reading)?));
    }
    let provenance = provenance.as_ref().map(|section| Provenance::read(section, reading)).transpose()?;
    let attestations = attestations.iter().flat_map(|list| &list.value);
    let attestations = attestations.map(|section| Attestations::read(section, reading).map(Arc::new));
    // What `correlate` may tie together is read once.
    let tied =
        Tied { provenance: provenance.map(Arc::new), attestations: attestations.collect::<Result<_, _>>()? };
    rules.extend(tied.provenance.iter().cloned().map(Rule::Provenance));
    rules.extend(tied.attestations.iter().cloned().map(Rule::Attestations));
    if let Some(section) = correlate {
        rules.push(Rule::Correlate(Box::new(Correlate::read(section, require, tied, reading)?)));
    }
    Ok(rules)
}

/// The text of a file of a set.
pub(super) fn text_of(file: &PolicyFile) -> Result<Source, PolicyError> {
    let text = std::str::from_utf8(&file.bytes);
    let text = text.map_err(|_| PolicyError::NotText { file: file.shown.clone() })?;
    Ok(Source::new(&file.shown, text))
}
