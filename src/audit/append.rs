//! Appending: from a decision to what the log gives for it.
//!
//! In: a decision, by value, and its caller. Out: [`Recorded`]. Blobs come first, then the
//! entries under the lock; an allow that is there already is given again, byte for byte, and
//! nothing is appended. `audit-log.md` 1.6, `formats.md` section 9.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::json;
use crate::plan::{LimitedBy, Mode};
use crate::policy::account::{Action, PlanSummary};
use crate::policy::{Caller, Decision, DecisionReport};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::Timestamp;
use crate::verify::Input;

use super::blob::Blobs;
use super::commit::{Committed, Writer};
use super::entry::decision::{Account, DecisionEntry, InputView, PlanView};
use super::entry::event::{Annotation, Changed, Heartbeat, Recovered};
use super::entry::rollout::{Milestone, Rollout};
use super::entry::{Body, Event};
use super::error::{AppendError, AuditError, Damage, Problem};
use super::history::{Allow, History};
use super::journal;
use super::log::AuditLog;
use super::proof::TlogProof;
use super::recorded::{Approved, LogReference, Recorded, Refused, Rehearsed};

/// A decision made ready to be recorded.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) entry: DecisionEntry,
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) versions: Vec<(String, u64)>,
    pub(super) core: Option<Vec<u8>>,
}

/// An entry that the log holds, with all that leaves it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) reference: LogReference,
    pub(super) line: Vec<u8>,
    pub(super) proof: String,
    /// The plan's core, for an allow.
    pub(super) core: Option<Vec<u8>>,
    pub(super) novelty: Novelty,
}

/// Whether an entry was appended or found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Again,
}

impl AuditLog {
    /// Records a decision: durable before it returns.
    ///
    /// # Errors
    /// [`AppendError`]: exit 12, 13 or 2 by its cause; then there is no plan.
    pub fn append(
        &mut self,
        decision: Decision,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Recorded, AppendError> {
        let held = Prepared::of(&decision, caller).and_then(|prepared| self.record(prepared, caller, now));
        match held {
            Ok(held) => Ok(recorded(held, decision.into_report())),
            Err(cause) => Err(AppendError { cause, report: Box::new(decision.into_report()) }),
        }
    }

    /// Records that the log is alive.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn heartbeat(&mut self, caller: &Caller, now: Timestamp) -> Result<LogReference, AuditError> {
        self.record_event(Body::Heartbeat(Event::of(caller, Heartbeat {})), &[], caller, now)
    }

    /// Records a note on an earlier entry. Its text is a blob.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn annotate(
        &mut self,
        of: u64,
        text: &str,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<LogReference, AuditError> {
        let note = Digest::of_bytes(text.as_bytes()).claim();
        let body = Body::Annotation(Event::of(caller, Annotation { of, note }));
        self.record_event(body, &[text.as_bytes()], caller, now)
    }

    /// Records what happened to a rollout: durable before it returns. `note` is somebody's reason; its
    /// text is a blob, and the entry's own `note` is what names it.
    ///
    /// # Errors
    /// [`AuditError`]: exit 12 or 13 by its cause; then nothing is recorded.
    pub fn record_rollout(
        &mut self,
        milestone: Milestone,
        members: Rollout,
        note: Option<&str>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<LogReference, AuditError> {
        let digest = note.map(|text| Digest::of_bytes(text.as_bytes()).claim());
        let members = Rollout { note: digest, ..members }.bounded();
        let body = Body::Rollout(milestone, Box::new(Event::of(caller, members)));
        let note: Vec<&[u8]> = note.map(str::as_bytes).into_iter().collect();
        self.record_event(body, &note, caller, now)
    }

    pub(super) fn record_event(
        &mut self,
        body: Body,
        blobs: &[&[u8]],
        caller: &Caller,
        now: Timestamp,
    ) -> Result<LogReference, AuditError> {
        self.files.blobs.store(blobs.iter().copied())?;
        let held = self.lock(now)?.record(vec![body], None, caller)?;
        Ok(held.reference)
    }

    /// Records a prepared decision.
    pub(super) fn record(
        &mut self,
        prepared: Prepared,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Held, AuditError> {
        prepared.refuse_rollback(&self.tip.history)?;
        prepared.keep_in(&self.files.blobs)?;
        self.enter(prepared, caller, now)
    }

    /// Records a prepared decision whose blobs are durable.
    pub(super) fn enter(
        &mut self,
        prepared: Prepared,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Held, AuditError> {
        let writer = self.lock(now)?;
        prepared.refuse_rollback(&writer.tip.history)?;
        if let Some(held) = writer.again(&prepared.entry)? {
            writer.report(caller)?;
            return Ok(held);
        }
        let mut bodies = changes(&writer.tip.history, &prepared.entry, caller);
        bodies.push(Body::Decision(Box::new(prepared.entry)));
        writer.record(bodies, prepared.core, caller)
    }
}

impl Writer<'_> {
    /// Commits what recovery found, then these entries; gives the last one.
    fn record(
        mut self,
        bodies: Vec<Body>,
        core: Option<Vec<u8>>,
        caller: &Caller,
    ) -> Result<Held, AuditError> {
        let due = std::mem::take(&mut self.due);
        let bodies: Vec<Body> = reports(&due, caller).into_iter().chain(bodies).collect();
        let committed = self.commit(&bodies)?.ok_or_else(|| Damage::file("journal/", Problem::Short))?;
        let held = self.held(committed, core, Novelty::New);
        self.finish(&due);
        Ok(held)
    }

    /// Commits what recovery found, and nothing else.
    fn report(mut self, caller: &Caller) -> Result<(), AuditError> {
        let due = std::mem::take(&mut self.due);
        self.commit(&reports(&due, caller))?;
        self.finish(&due);
        Ok(())
    }

    /// The entry that this allow would be, if it is there: the same `idem`, mode and verdict, a
    /// plan that has neither expired nor ended.
    fn again(&self, entry: &DecisionEntry) -> Result<Option<Held>, AuditError> {
        let found = self.tip.history.allow(&entry.idem, self.now());
        let same = |allow: &&Allow| allow.mode == entry.mode && allow.verdict == entry.verdict;
        let (Action::Allow, Some(allow)) = (entry.action, found.filter(same)) else { return Ok(None) };
        let files = &self.log().files;
        let index = allow.at.index;
        let core = files.blobs.read(&allow.plan)?.ok_or_else(|| missing(&allow.plan, index))?;
        if self.now() >= validity(&core).ok_or_else(|| unreadable(&allow.plan))?.not_after {
            return Ok(None);
        }
        let committed = self.committed(allow)?;
        Ok(Some(self.held(committed, Some(core), Novelty::Again)))
    }

    /// Reads an entry and the record that committed it again, and checks one against the other.
    fn committed(&self, allow: &Allow) -> Result<Committed, AuditError> {
        let (log, index) = (self.log(), allow.at.index);
        let (line, before) = self.tip.before(&log.files.entries, &log.identity, allow.at, allow.leaf)?;
        let record = journal::find(&log.files.journal, &log.identity, allow.at.segment, index + 1)?
            .ok_or_else(|| Damage::file("journal/", Problem::Short))?;
        let mut frontier = before.clone();
        frontier.push(allow.leaf);
        if frontier.root() != record.head().root {
            return Err(line.damaged(Problem::Root));
        }
        Ok(Committed { index, line: line.bytes, before, record })
    }

    fn held(&self, committed: Committed, core: Option<Vec<u8>>, novelty: Novelty) -> Held {
        let head = committed.record.head();
        let identity = &self.log().identity;
        let reference = LogReference::of(identity.origin(), identity.log_id(), committed.index, head);
        let proof = TlogProof {
            index: committed.index,
            extra: None,
            hashes: committed.before.proof_of_next(),
            checkpoint: committed.record.note().to_owned(),
        };
        Held { reference, line: committed.line, proof: proof.to_string(), core, novelty }
    }
}

impl Prepared {
    /// Takes from a decision what its entry and its blobs are made of.
    pub(super) fn of(decision: &Decision, caller: &Caller) -> Result<Self, AuditError> {
        let report = decision.report();
        let core = decision.core().map(|core| core.canonical().to_vec());
        if (report.action == Action::Allow) != core.is_some() {
            return Err(AuditError::ActionWithoutPlan);
        }
        let facts = report.facts.as_ref().map(json::canonical);
        let account = json::canonical(&report.to_value());
        let entry = DecisionEntry::of(
            Account {
                report,
                inputs: decision.inputs().iter().map(input).collect(),
                facts: facts.as_deref().map(Digest::of_bytes),
                report_digest: Digest::of_bytes(&account),
                plan: core.as_deref().map(plan),
                idem: decision.idem(),
            },
            caller,
        );
        let inputs = decision.inputs().iter().filter_map(|input| input.bytes.clone());
        let others = decision.blobs().iter().cloned();
        let blobs = facts.into_iter().chain([account]).chain(core.clone()).chain(others).chain(inputs);
        Ok(Self { entry, blobs: blobs.collect(), versions: decision.set_versions().to_vec(), core })
    }

    /// Makes its blobs durable, if every one that the entry names is given with it.
    pub(super) fn keep_in(&self, place: &Blobs) -> Result<(), AuditError> {
        self.check_blobs()?;
        place.store(self.blobs.iter().map(Vec::as_slice))
    }

    /// That every blob that the entry names is given with it.
    fn check_blobs(&self) -> Result<(), AuditError> {
        let given: BTreeSet<_> = self.blobs.iter().map(|blob| Digest::of_bytes(blob).claim()).collect();
        match self.entry.blobs().find(|(_, digest)| !given.contains(*digest)) {
            Some((member, digest)) => Err(AuditError::BlobNotGiven { member, digest: digest.clone() }),
            None => Ok(()),
        }
    }

    /// That no policy set is older than what the log has recorded for this environment.
    fn refuse_rollback(&self, history: &History) -> Result<(), AuditError> {
        let environment = &self.entry.release.environment;
        let recorded = history.versions(environment);
        for (set, given) in &self.versions {
            if let Some(last) = recorded.get(set).filter(|last| *last > given) {
                return Err(AuditError::PolicyRollback {
                    set: set.clone(),
                    environment: environment.clone(),
                    recorded: *last,
                    given: *given,
                });
            }
        }
        Ok(())
    }
}

fn input(input: &Input) -> InputView {
    let role = serde_json::to_value(input.role).ok();
    let role = role.as_ref().and_then(serde_json::Value::as_str).unwrap_or("other").to_owned();
    InputView { role, digest: input.digest.claim(), size: input.size }
}

fn plan(core: &[u8]) -> PlanView {
    PlanView { digest: Digest::of_bytes(core).claim(), size: core.len() as u64 }
}

fn reports(due: &[Recovered], caller: &Caller) -> Vec<Body> {
    due.iter().map(|found| Body::Recovered(Event::of(caller, found.clone()))).collect()
}

/// What an environment is held to now and was not before; rehearsals change nothing.
fn changes(history: &History, entry: &DecisionEntry, caller: &Caller) -> Vec<Body> {
    if entry.mode == Mode::DryRun {
        return Vec::new();
    }
    let environment = &entry.release.environment;
    let last = history.standing(environment);
    let changed = |from: Option<ClaimedDigest>, to: &ClaimedDigest| {
        (from.as_ref() != Some(to))
            .then(|| Event::of(caller, Changed { environment: environment.clone(), from, to: to.clone() }))
    };
    let policy = changed(last.policy, &entry.policy.digest).map(Body::PolicyChanged);
    let trust = changed(last.trust, &entry.trust.digest).map(Body::TrustChanged);
    policy.into_iter().chain(trust).collect()
}

pub(super) fn recorded(held: Held, mut report: DecisionReport) -> Recorded {
    let Held { reference, line, proof, core, novelty } = held;
    match core {
        Some(core) => {
            let plan_digest = Digest::of_bytes(&core);
            // The plan that is given is the recorded one, so that one is reported, too.
            report.plan = summary(plan_digest, &core).or(report.plan);
            let again = novelty == Novelty::Again;
            Recorded::Approved(Approved { report, reference, line, proof, core, plan_digest, again })
        }
        None if report.action == Action::None => Recorded::Rehearsed(Rehearsed { report, reference }),
        None => Recorded::Refused(Refused { report, reference }),
    }
}

/// What a report says of a recorded core.
fn summary(digest: Digest, core: &[u8]) -> Option<PlanSummary> {
    let ValidityBrief { not_after, limited_by } = validity(core)?;
    Some(PlanSummary { digest, not_after, limited_by: limited_by? })
}

fn missing(plan: &ClaimedDigest, entry: u64) -> AuditError {
    Damage::file(plan.to_string(), Problem::BlobMissing { entry })
}

fn unreadable(plan: &ClaimedDigest) -> AuditError {
    Damage::file(plan.to_string(), Problem::BlobDiffers)
}

/// `validity` of a recorded core: the log's own bytes, of which it needs no more.
fn validity(core: &[u8]) -> Option<ValidityBrief> {
    serde_json::from_slice::<CoreBrief>(core).ok().map(|core| core.validity)
}

#[derive(Deserialize)]
struct CoreBrief {
    validity: ValidityBrief,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidityBrief {
    not_after: Timestamp,
    limited_by: Option<LimitedBy>,
}

#[cfg(test)]
mod tests;
