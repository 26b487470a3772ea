//! `--vsa FILE --vsa-key SOURCE`: a signed summary of what was allowed, for the next stage.
//!
//! In: an allow that is on record. Out: a SLSA verification summary, or with `--vsa-format svr` an
//! in-toto simple verification result, in a bundle. A deny, an inconclusive and a rehearsal write
//! none: a file that is there means that the release was allowed. An earlier one goes before
//! anything is decided.
//!
//! The level is the least over the artifacts that provenance of the release's own repository and
//! commit proved; the rendered manifests, which nobody builds, are no subject.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::audit::Approved;
use crate::audit::entry::Entry;
use crate::config::KeySource;
use crate::evidence::envelope::base64;
use crate::evidence::predicate::{svr, vsa};
use crate::json;
use crate::key::PublicKey;
use crate::key::secret::SecretKey;
use crate::policy::DecisionReport;
use crate::policy::account::ReleaseSummary;
use crate::release::digest::ClaimedDigest;
use crate::release::document::RESERVED_NAME;
use crate::signing::vsa::{Summary, resource_uri};
use crate::signing::{self, statement};
use crate::trust::{Identity, TrustRoot, Use};
use crate::verify::facts::{ApprovalDecision, ArtifactFacts, Facts, LeafEvidence};

use super::super::{Exit, Failure, Session};

/// Where a summary goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct SummaryFlags {
    /// After an allow, write a signed verification summary (SLSA VSA) to FILE for the next stage
    #[arg(long, value_name = "FILE", requires = "vsa_key")]
    vsa: Option<PathBuf>,
    /// The summary's secret key, made with `keygen --use vsa`: a PEM file, file:PATH or env:NAME (its passphrase:
    /// $LAFORGE_KEY_PASSPHRASE)
    #[arg(long, value_name = "SOURCE", requires = "vsa")]
    vsa_key: Option<String>,
    /// What the summary is: SLSA's, or in-toto's simple verification result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "vsa", requires = "vsa")]
    vsa_format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// SLSA verification summary v1
    Vsa,
    /// in-toto simple verification result v0.2
    Svr,
}

/// A summary that will be written after an allow.
pub(super) struct Prepared<'a> {
    path: &'a Path,
    key: SecretKey,
    format: Format,
}

impl SummaryFlags {
    /// The file, if one is asked for.
    pub(super) fn file(&self) -> Option<&Path> {
        self.vsa.as_deref()
    }

    /// Where its key is, if one is asked for.
    pub(super) fn key(&self) -> Option<&str> {
        self.vsa_key.as_deref()
    }

    /// A summary of an earlier run goes before anything is decided: after a deny there is none.
    pub(super) fn clear(&self, session: &Session) -> Result<(), Failure> {
        let Some(path) = &self.vsa else { return Ok(()) };
        session.make_room(path, "summary", is_summary)
    }

    /// Reads the key, before anything is decided: one that is used for nothing else.
    pub(super) fn prepare(
        &self,
        trust: &TrustRoot,
        log_key: Option<&KeySource>,
        session: &Session,
    ) -> Result<Option<Prepared<'_>>, Failure> {
        let (Some(path), Some(source)) = (&self.vsa, &self.vsa_key) else { return Ok(None) };
        let key = session.secret_key_of(source)?;
        refuse_other_uses(key.public(), trust)?;
        if let Some(log_key) = log_key
            && session.secret_key(log_key).is_ok_and(|log_key| log_key.public() == key.public())
        {
            return Err(another_use("the audit log"));
        }
        Ok(Some(Prepared { path, key, format: self.vsa_format }))
    }
}

/// One key, one use: whoever trusts this one for something else could be shown a summary as that.
fn refuse_other_uses(key: &PublicKey, trust: &TrustRoot) -> Result<(), Failure> {
    let is_key = |identity: &Identity| matches!(identity, Identity::Key { key: named, .. } if named == key);
    if let Some(signer) = trust.signers.iter().find(|it| is_key(&it.identity) && it.uses != [Use::Vsa]) {
        return Err(another_use(&format!("signer `{}`", signer.name)));
    }
    if let Some(person) = trust.people.iter().find(|it| it.identities.iter().any(is_key)) {
        return Err(another_use(&format!("person `{}`", person.name)));
    }
    match trust.gates.iter().find(|gate| gate.key == *key) {
        Some(gate) => Err(another_use(&format!("gate `{}`", gate.name))),
        None => Ok(()),
    }
}

fn another_use(whose: &str) -> Failure {
    Failure::usage(format!("--vsa-key is also the key of {whose}"))
        .hint("one key, one use: make one for summaries with `laforge keygen --use vsa`")
}

impl Prepared<'_> {
    /// Signs and writes the summary of an allow that is on record.
    pub(super) fn write(&self, approved: &Approved, session: &Session) -> Result<(), Failure> {
        let summary = summary_of(approved)?;
        let statement = match self.format {
            Format::Vsa => summary.verification_summary(),
            Format::Svr => summary.verification_results(),
        };
        let bundle = signing::statement_bundle(&statement, &self.key)
            .map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        session.replace(self.path, &bundle)?;
        session.say(&format!("summarised for the next stage: {}\n", self.path.display()));
        Ok(())
    }
}

fn summary_of(approved: &Approved) -> Result<Summary, Failure> {
    let (report, entry) = (approved.report(), approved.reference());
    let nothing = || Failure::new(Exit::NoDecision, "nothing was proved that a summary could be about");
    let facts = report.facts.as_ref().ok_or_else(nothing)?;
    let artifacts: Vec<&ArtifactFacts> =
        facts.artifacts.iter().filter(|artifact| artifact.name != RESERVED_NAME).collect();
    if artifacts.is_empty() {
        return Err(nothing());
    }
    let levels = artifacts.iter().map(|artifact| proved_level(artifact, &report.release));
    Ok(Summary {
        build_level: levels.min().unwrap_or(0),
        subjects: artifacts.iter().map(|it| statement::subject(&it.name, &it.digest)).collect(),
        origin: entry.origin.clone(),
        log_id: entry.log_id.clone(),
        index: entry.index,
        // Of the decision that is on record: the same plan again makes no summary younger.
        time: Entry::parse(approved.line()).map_err(|error| Failure::of(Exit::Integrity, &error))?.time,
        resource_uri: resource_of(report),
        policy_sets: report.policy.sets.iter().map(|set| (set.name.clone(), set.version)).collect(),
        policy: report.policy.digest.claim(),
        inputs: inputs_of(facts),
    })
}

fn resource_of(report: &DecisionReport) -> String {
    resource_uri(&report.release.environment, &report.release.name, &report.release.version)
}

/// The highest level that provenance of the release's own source proves of an artifact.
fn proved_level(artifact: &ArtifactFacts, release: &ReleaseSummary) -> u8 {
    let source = &release.source;
    let is_ours = |repository: &String| source.is_repository(repository);
    let ours = artifact.provenances.iter().filter(|fact| {
        fact.repository.as_ref().is_some_and(is_ours) && fact.commit.as_ref() == Some(&source.commit)
    });
    ours.map(|fact| fact.level).max().unwrap_or(0)
}

/// Every piece of evidence that a fact rests on; a rejection is none that an allow rests on.
fn inputs_of(facts: &Facts) -> BTreeSet<ClaimedDigest> {
    let of_leaves =
        |leaves: &[LeafEvidence]| leaves.iter().map(|leaf| leaf.evidence.claim()).collect::<Vec<_>>();
    let mut inputs = BTreeSet::new();
    for artifact in &facts.artifacts {
        for fact in &artifact.signatures {
            inputs.insert(fact.evidence.claim());
            inputs.extend(of_leaves(&fact.leaves));
        }
        for fact in &artifact.provenances {
            inputs.insert(fact.evidence.claim());
            inputs.extend(of_leaves(&fact.leaves));
        }
        inputs.extend(artifact.attestations.iter().map(|fact| fact.evidence.claim()));
    }
    let approvals = facts.approvals.iter().filter(|fact| fact.decision == ApprovalDecision::Approved);
    inputs.extend(approvals.map(|fact| fact.evidence.claim()));
    inputs.extend(facts.sources.iter().map(|fact| fact.evidence.claim()));
    inputs
}

/// Whether a file is a bundle of a statement that says what somebody verified.
fn is_summary(bytes: &[u8]) -> bool {
    let payload = json::parse(bytes).ok().and_then(|bundle| {
        let payload = bundle.pointer("/dsseEnvelope/payload")?.as_str()?.to_owned();
        json::parse(&base64("payload", &payload).ok()?).ok()
    });
    let predicate_type = payload.as_ref().and_then(|statement| statement.get("predicateType")?.as_str());
    predicate_type.is_some_and(|text| text == vsa::TYPE || svr::version(text).is_some())
}
