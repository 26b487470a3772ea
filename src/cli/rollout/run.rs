//! `laforge rollout run`: a plan taken, its start recorded, and the guard over it until the end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::audit::entry::rollout::Milestone;
use crate::audit::reader::RolloutRecord;
use crate::audit::{AuditLog, LogReference, Reader};
use crate::cli::load::{self, AnchorFlags, LogPlace, Missing};
use crate::cli::{Exit, Failure, Session, caller};
use crate::config::Config;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::rollout::acceptance::JournalState;
use crate::rollout::envelope::ProvenPlan;
use crate::rollout::executor::Executor;
use crate::rollout::guard::{Ask, Assignment, End, Guard, GuardError, LogBook, is_stopped};
use crate::rollout::journal::{
    self, Anchor, Created, Implied, Journal, Reading, Standing, TargetLock, check_anchors, missing_entries,
};
use crate::rollout::machine::{Schedule, Stage};
use crate::rollout::{AcceptedPlan, Envelope};
use crate::time::Timestamp;
use crate::trust::TrustRoot;

use super::history::failure as failed;
use super::reverify::reverify;
use super::signals;
use super::told::Telling;
use super::tools;

/// Run a plan to its end, or go on with the one that was begun here: migrate, warm up, shift, watch.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The plan, as `deploy` gave it (default: the one whose rollout is not over here)
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    anchor: AnchorFlags,
    /// The log's secret key: file:PATH or env:NAME (its passphrase: $LAFORGE_KEY_PASSPHRASE)
    #[arg(long, value_name = "SOURCE", help_heading = "Audit")]
    audit_key: Option<String>,
    /// Decide again first, under this machine's own release, evidence, trust and policies
    #[arg(long, help_heading = "Policy")]
    reverify: bool,
}

/// What the first line says when no guard began, or it could not go on.
const NOT_RUN: &str = "the rollout does not go on";

/// A run under way: what it is run on and by.
struct Here<'a> {
    config: &'a Config,
    executor: &'a Executor,
    trust: TrustRoot,
    session: &'a Session,
}

impl Run {
    pub(in crate::cli) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let executor = load::executor(&config)?;
        let lock = TargetLock::take(&executor.state, &executor.target).map_err(|error| failed(&error))?;
        let trust = load::executor_trust(&config, session)?;
        let here = Here { config: &config, executor, trust, session };
        self.under(lock, &here).map_err(|failure| match failure.exit() {
            Exit::NoDecision => failure.fatal(NOT_RUN),
            _ => failure,
        })
    }

    /// Everything under the target's lock.
    fn under(&self, lock: TargetLock, here: &Here<'_>) -> Result<Exit, Failure> {
        let standing = lock.standing().map_err(|error| failed(&error))?;
        let bytes = self.bytes(&standing, here)?;
        let now = here.session.now();
        let remembered = |plan: &Digest| standing.of(plan);
        if planned(&bytes).is_some_and(|plan| standing.of(&plan) == JournalState::Ended)
            && let Some(proven) = self.unfinished(&bytes, &standing, here)?
        {
            return self.finish(&proven, lock, here);
        }
        let plan =
            load::accept(&bytes, &self.anchor, here.config, &here.trust, &remembered, (here.session, now))?;
        if let Some(open) = standing.open.as_ref().filter(|open| plan.proven().digest() != **open) {
            let message = format!("the rollout of plan {open} is not over at `{}`", here.executor.target);
            return Err(Failure::new(Exit::Integrity, message)
                .hint("`laforge rollout run` without a plan goes on with it; `rollout rollback` ends it"));
        }
        // Found out before anything is touched: whether the log can take an entry.
        let log = self.log(here)?;
        if self.reverify {
            let recorded = log.last_versions(&here.executor.environment);
            reverify(plan.proven(), here.config, &recorded, here.session)?;
        }
        let begun = begin(&plan, bytes, &standing, lock, here)?;
        guard(&plan, begun, log, here)
    }

    fn bytes(&self, standing: &Standing, here: &Here<'_>) -> Result<Vec<u8>, Failure> {
        let executor = here.executor;
        match (&self.plan, &standing.open) {
            (Some(plan), _) => here.session.read_file(plan),
            (None, Some(open)) => {
                let reading = Reading::open(&executor.state, &executor.target, open);
                Ok(reading.map_err(|error| failed(&error))?.created().envelope.clone())
            }
            (None, None) => {
                if let Some(envelope) = self.never_stopped(standing, here)? {
                    return Ok(envelope);
                }
                let message =
                    format!("no rollout is under way at `{}`, and no plan is named", executor.target);
                Err(Failure::usage(message).hint("name the plan that `laforge deploy -o FILE` wrote"))
            }
        }
    }

    /// The plan that ended here last, where it was rolled back and nobody noted that its candidate is stopped.
    fn never_stopped(&self, standing: &Standing, here: &Here<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(last) = standing.ended.last() else { return Ok(None) };
        let reading = Reading::open(&here.executor.state, &here.executor.target, last)
            .map_err(|error| failed(&error))?;
        let runs_on = reading.state().stage == Stage::RolledBack && !is_stopped(reading.path());
        let envelope = reading.created().envelope.clone();
        match runs_on && self.unfinished(&envelope, standing, here)?.is_some() {
            true => Ok(Some(envelope)),
            false => Ok(None),
        }
    }

    fn log(&self, here: &Here<'_>) -> Result<AuditLog, Failure> {
        let place = LogPlace::of(None, self.audit_key.as_ref(), here.config)?;
        let environment = &here.executor.environment;
        place.open(Missing::IsRefused, &here.trust, environment, here.session, here.session.now())
    }

    /// A plan that ended here and of which something is left to be done: an entry that the log lacks, or a
    /// candidate that was rolled back last and never stopped. The plan has to be a pinned gate's, and the log to
    /// have seen its start: else nobody here ran it.
    fn unfinished(
        &self,
        bytes: &[u8],
        standing: &Standing,
        here: &Here<'_>,
    ) -> Result<Option<ProvenPlan>, Failure> {
        let trust = &here.trust;
        let proven = Envelope::parse(bytes)
            .and_then(|envelope| envelope.verify_proof(&trust.gates, &trust.revoked, None))
            .map_err(|error| Failure::of(Exit::Integrity, &error))?;
        let (executor, plan) = (here.executor, proven.digest().claim());
        let reading =
            Reading::open(&executor.state, &executor.target, &plan).map_err(|error| failed(&error))?;
        let held = held(here)?;
        check_anchors(reading.leaves(), &Anchor::of(&plan, &held)).map_err(|error| failed(&error))?;
        let started = |record: &RolloutRecord| {
            record.milestone == Milestone::Started && record.members.plan.digest == plan
        };
        // Whatever began since may be in the candidate's slot now.
        let last = standing.open.is_none() && standing.ended.last() == Some(&plan);
        let runs_on = last && reading.state().stage == Stage::RolledBack && !is_stopped(reading.path());
        let is_left = runs_on || !missing_entries(reading.implied(), &held).is_empty();
        Ok(Some(proven).filter(|_| is_left && held.iter().any(started)))
    }

    /// The guard over a plan that has ended: it does what is left, and nothing else.
    fn finish(&self, proven: &ProvenPlan, lock: TargetLock, here: &Here<'_>) -> Result<Exit, Failure> {
        let plan = proven.digest().claim();
        let journal = Journal::open(lock, &plan, journal::schedule_of).map_err(|error| failed(&error))?;
        let missing: Vec<Implied> =
            missing_entries(journal.implied(), &held(here)?).into_iter().cloned().collect();
        here.session.say(&format!("it has ended, and the log lacks {} of its entries\n", missing.len()));
        let log = self.log(here)?;
        let assignment = assignment(proven, &journal, &log);
        run_guard(assignment, Begun { journal, missing }, Some(log), None, (here.executor, here.session))
    }
}

/// What a guard is to run, of a plan that is a gate's.
fn assignment(proven: &ProvenPlan, journal: &Journal, log: &AuditLog) -> Assignment {
    let reference = proven.reference();
    Assignment {
        core: proven.core().clone(),
        plan: proven.digest(),
        slots: journal.created().slots.clone(),
        elsewhere: (reference.log_id != log.log_id()).then(|| reference.clone()),
    }
}

/// The digest of the plan in an envelope, as far as it is one.
fn planned(bytes: &[u8]) -> Option<Digest> {
    Some(planned_value(bytes)).filter(|plan| plan.is_object()).map(|plan| Digest::of_value(&plan))
}

fn planned_value(bytes: &[u8]) -> serde_json::Value {
    let envelope: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    envelope
        .and_then(|mut envelope| envelope.get_mut("plan").map(serde_json::Value::take))
        .unwrap_or_default()
}

/// Where an envelope says that its decision stands.
fn decision(bytes: &[u8]) -> Option<LogReference> {
    let envelope: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let entry = envelope.get("auditEntry")?;
    let place = ["origin", "logId", "index", "size", "root"].map(|name| (name, entry.get(name)));
    serde_json::from_value(serde_json::json!(BTreeMap::from(place))).ok()
}

/// What the own log holds of rollouts.
fn held(here: &Here<'_>) -> Result<Vec<RolloutRecord>, Failure> {
    let failure = |error| load::audit_failure(&error);
    let place = LogPlace::of(None, None, here.config)?;
    Reader::open(&place.folder).and_then(|log| log.rollouts()).map_err(failure)
}

/// Goes back with the rollout that is not over here, and becomes its guard for that. Neither trust nor log
/// nor the plan's proof is asked: the journal is this executor's own, and lowering waits for nothing.
pub(super) fn retreat(
    ask: &Ask,
    meant: &ClaimedDigest,
    audit_key: Option<String>,
    session: &Session,
) -> Result<Exit, Failure> {
    let config = load::config(session)?;
    let executor = load::executor(&config)?;
    let lock = TargetLock::take(&executor.state, &executor.target).map_err(|error| failed(&error))?;
    let standing = lock.standing().map_err(|error| failed(&error))?;
    // It may have ended since it was looked at, and another one begun: that one was not asked about.
    let open = standing.open.filter(|open| open == meant).ok_or_else(|| {
        Failure::usage(format!("the rollout of plan {meant} has ended meanwhile"))
            .hint("`laforge rollout status` says what is under way")
    })?;
    let journal = Journal::open(lock, &open, journal::schedule_of).map_err(|error| failed(&error))?;
    let core = journal::unproven_core(&journal.created().envelope)
        .map_err(|fault| Failure::of(Exit::Integrity, &fault))?;
    let verb = Run { plan: None, anchor: AnchorFlags::strict(), audit_key, reverify: false };
    let log = load::executor_trust(&config, session).and_then(|trust| {
        let here = Here { config: &config, executor, trust, session };
        Ok((verb.log(&here)?, held(&here)?))
    });
    let (log, held) = match log {
        Ok((log, held)) => (Some(log), held),
        Err(failure) => {
            session.tell(&failure.render(session.paint));
            session.tell("warning: the log takes nothing now; the way back does not wait for it\n");
            (None, Vec::new())
        }
    };
    let missing = missing_entries(journal.implied(), &held).into_iter().cloned().collect();
    let assignment = Assignment {
        core,
        plan: Digest::of_value(&planned_value(&journal.created().envelope)),
        slots: journal.created().slots.clone(),
        elsewhere: log.as_ref().and_then(|log| {
            decision(&journal.created().envelope).filter(|place| place.log_id != log.log_id())
        }),
    };
    run_guard(assignment, Begun { journal, missing }, log, Some(ask), (executor, session))
}

/// A journal, and what the log has still to hear of it.
struct Begun {
    journal: Journal,
    missing: Vec<Implied>,
}

/// A new journal, or the one that is there, held against the log.
fn begin(
    plan: &AcceptedPlan,
    envelope: Vec<u8>,
    standing: &Standing,
    lock: TargetLock,
    here: &Here<'_>,
) -> Result<Begun, Failure> {
    let proven = plan.proven();
    let digest = proven.digest().claim();
    let held = held(here)?;
    let anchors = Anchor::of(&digest, &held);
    let journal = if standing.open.is_some() {
        Journal::open(lock, &digest, journal::schedule_of).map_err(|error| failed(&error))?
    } else {
        refuse_unfinished(&held, &digest, here.executor)?;
        // A log that remembers a rollout whose journal is gone would be contradicted by a new one.
        check_anchors(&[], &anchors).map_err(|error| failed(&error))?;
        let schedule =
            Schedule::of_core(proven.core()).map_err(|error| Failure::of(Exit::Integrity, &error))?;
        let slots = tools::slots_now(here.executor, &digest).map_err(|error| {
            Failure::of(Exit::NoDecision, &error)
                .hint("nothing was touched: mend the driver, and run it again")
        })?;
        let created = Created { plan_digest: digest, target: here.executor.target.clone(), envelope, slots };
        Journal::create(lock, &created, schedule, here.session.now()).map_err(|error| failed(&error))?
    };
    check_anchors(journal.leaves(), &anchors).map_err(|error| failed(&error))?;
    if let Some(torn) = journal.set_aside() {
        here.session.tell(&format!("warning: a torn line of the journal was set aside as {}\n", torn.digest));
    }
    let missing = missing_entries(journal.implied(), &held).into_iter().cloned().collect();
    Ok(Begun { journal, missing })
}

/// That the log has seen the end of every other rollout that was started at this target: a journal that is
/// gone would else make an unfinished candidate the stable version.
fn refuse_unfinished(
    held: &[RolloutRecord],
    plan: &ClaimedDigest,
    executor: &Executor,
) -> Result<(), Failure> {
    let here = |record: &&RolloutRecord| {
        record.members.target == executor.target && record.members.plan.digest != *plan
    };
    let ended = |of: &ClaimedDigest| {
        held.iter().any(|record| {
            record.members.plan.digest == *of
                && matches!(record.milestone, Milestone::Completed | Milestone::RolledBack)
        })
    };
    let started = held.iter().filter(here).map(|record| &record.members.plan.digest);
    match started.rev().find(|of| !ended(of)) {
        None => Ok(()),
        Some(of) => Err(Failure::new(
            Exit::Integrity,
            format!(
                "the log saw the start of plan {of} at `{}` and no end, and its journal is not here",
                executor.target
            ),
        )
        .hint(format!(
            "bring the journal back to `{}`, and end that rollout first",
            executor.state.display()
        ))),
    }
}

/// The guard over an accepted plan, until the end.
fn guard(plan: &AcceptedPlan, begun: Begun, log: AuditLog, here: &Here<'_>) -> Result<Exit, Failure> {
    let assignment = assignment(plan.proven(), &begun.journal, &log);
    run_guard(assignment, begun, Some(log), None, (here.executor, here.session))
}

/// `back`: who asked for the way back, which is then all that is done.
fn run_guard(
    assignment: Assignment,
    begun: Begun,
    log: Option<AuditLog>,
    back: Option<&Ask>,
    (executor, session): (&Executor, &Session),
) -> Result<Exit, Failure> {
    let Begun { journal, missing } = begun;
    let book = LogBook { log, caller: caller::of(session), clock };
    let tools =
        tools::of(executor, &assignment, Box::new(book)).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let mut telling = Telling::new(session, &assignment, journal.state().stage.name());
    let mut guard = Guard::new(assignment, journal, tools, clock, &mut telling);
    missing.into_iter().try_for_each(|implied| guard.owe(implied)).map_err(|error| failed(&error))?;
    let interrupt = guard.interrupt();
    signals::watch(move || interrupt.ask()).map_err(|error| {
        Failure::new(Exit::NoDecision, "signals can't be waited for").because(error.to_string())
    })?;
    let end = match back {
        Some(ask) => guard.go_back(ask),
        None => guard.run(),
    };
    telling.end();
    match end {
        Ok(End::Completed) => Ok(Exit::Holds),
        Ok(End::RolledBack | End::Expired) => Ok(Exit::Denied),
        Err(error) => Err(stopped(&error)),
    }
}

/// The clock: the guard's threads take it as an argument.
fn clock() -> Timestamp {
    chrono::Utc::now()
}

/// Why the guard stopped; the journal is open, and whatever it had commanded stays.
fn stopped(error: &GuardError) -> Failure {
    const AGAIN: &str =
        "`laforge rollout run` goes on where it stopped; `rollout rollback --reason …` goes back";
    match error {
        GuardError::Journal(cause) => failed(cause).hint(AGAIN),
        GuardError::NotStarted(_) => Failure::of(Exit::Integrity, error)
            .hint("nothing was touched; the same command tries again while the plan is valid"),
        GuardError::Unread(_) => Failure::of(Exit::NoDecision, error).hint("nothing was touched"),
        GuardError::Log(_) => Failure::of(Exit::NotRecorded, error).hint(
            "mend the log, and `laforge rollout run PLAN` again: it appends what the log lacks and goes on",
        ),
        GuardError::Interrupted { .. } => Failure::of(Exit::NoDecision, error)
            .hint("the weights are left as they are, and nobody watches them now")
            .hint(AGAIN),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_decisions_place_is_read_from_the_envelope_without_its_line_and_proof() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let entry = json!({
            "origin": "gate.example/production", "logId": digest, "index": 7, "size": 9, "root": digest,
            "line": "{}", "proof": "p",
        });
        let envelope = json!({"plan": {}, "auditEntry": entry}).to_string();
        let place = serde_json::to_value(decision(envelope.as_bytes()).unwrap()).unwrap();
        let expected = json!({
            "origin": "gate.example/production", "logId": digest, "index": 7, "size": 9, "root": digest,
        });
        assert_eq!(place, expected);
        assert_eq!(decision(b"{\"plan\": {}}"), None);
    }
}
