//! One policy of a set: its sections read to rules, every name in them checked against trust.

use std::sync::Arc;

use crate::policy::document::{PolicyDocument, Require};
use crate::policy::finding::Origin;
use crate::policy::rule::approvals::Approvals;
use crate::policy::rule::attestations::Attestations;
use crate::policy::rule::correlate::{Correlate, Tied};
use crate::policy::rule::floor::Permission;
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

    fn check(document: &PolicyDocument, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        name::read(reading.source, &document.metadata.name, MAX_NAME)?;
        let spec = &document.spec.value;
        let mut rules = Vec::new();
        if let Some(require) = spec.require.as_ref().map(|require| &require.value) {
            if let Some(section) = &require.signatures {
                rules.push(Rule::Signatures(Signatures::read(section, reading)?));
            }
            if let Some(section) = &require.approvals {
                rules.push(Rule::Approvals(Approvals::read(section, reading)?));
            }
            let tied = tied(require, reading)?;
            rules.extend(tied.provenance.iter().cloned().map(Rule::Provenance));
            rules.extend(tied.attestations.iter().cloned().map(Rule::Attestations));
            if let Some(section) = &require.correlate {
                rules.push(Rule::Correlate(Box::new(Correlate::read(section, require, tied, reading)?)));
            }
        }
        for section in spec.freeze.iter().flatten() {
            rules.push(Rule::Freeze(Freeze::read(section, reading)?));
        }
        if let Some(section) = &spec.rollout {
            rules.push(Rule::Rollout(Box::new(RolloutLimits::read(&section.value, reading)?)));
        }
        let environments = spec.selection.as_ref().map(|selection| &selection.environments.value);
        let by_digest = spec.artifacts.as_ref().map(|section| &section.by_digest);
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

/// The requirements that `correlate` may tie together, each read once.
fn tied(require: &Require, reading: &Reading<'_>) -> Result<Tied, DocumentError> {
    let provenance = require.provenance.as_ref().map(|section| Provenance::read(section, reading));
    let attestations = require.attestations.iter().flat_map(|list| &list.value);
    let attestations = attestations.map(|section| Attestations::read(section, reading).map(Arc::new));
    Ok(Tied {
        provenance: provenance.transpose()?.map(Arc::new),
        attestations: attestations.collect::<Result<_, _>>()?,
    })
}

/// The text of a file of a set.
pub(super) fn text_of(file: &PolicyFile) -> Result<Source, PolicyError> {
    let text = std::str::from_utf8(&file.bytes);
    let text = text.map_err(|_| PolicyError::NotText { file: file.shown.clone() })?;
    Ok(Source::new(&file.shown, text))
}
