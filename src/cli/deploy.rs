//! `laforge deploy`: the gate, and what it says when it is through.

mod summary;
mod surroundings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::audit::{AuditLog, LogReference, Pinned};
use crate::config::Config;
use crate::gate::{self, GateError, Outcome, Times, World};
use crate::plan::{Mode, PlanDraft, RolloutRequest};
use crate::policy::{DecisionReport, Flags, Request, Standard};
use crate::report::human::Recording;
use crate::report::inspection::Inspection;
use crate::report::paint::printable;
use crate::rollout::Plan;

use super::error::{NO_DECISION, NOT_RECORDED, NOT_WRITTEN};
use super::flags::GateFlags;
use super::github;
use super::load::{self, LogPlace, Missing, Sources};
use super::progress::Progress;
use super::reports::{Reports, Telling, exit_of};
use super::{Exit, Failure, Session, caller};
use summary::{Prepared, SummaryFlags};

/// The gate: verify, decide, record, and emit the plan.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    gate: GateFlags,
    /// The audit log's folder
    #[arg(long, value_name = "DIR", help_heading = "Audit")]
    audit_log: Option<PathBuf>,
    /// The log's secret key: file:PATH or env:NAME (its passphrase: $LAFORGE_KEY_PASSPHRASE)
    #[arg(long, value_name = "SOURCE", help_heading = "Audit")]
    audit_key: Option<String>,
    /// Create the log if there is none (never where one is known)
    #[arg(long, help_heading = "Audit")]
    audit_init: bool,
    /// Write the plan to FILE (and its proof to FILE.tlog-proof) instead of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    summary: SummaryFlags,
    /// Evaluate and record as `action: none`; the exit code is the verdict's, and no plan comes out
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
}

impl Deploy {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let result = self.decide(session);
        if let Err(failure) = &result {
            self.tell_failure(failure, session);
        }
        result.map_err(|failure| match failure.exit() {
            Exit::NoDecision | Exit::Usage => failure.fatal(NO_DECISION),
            Exit::NotRecorded => failure.fatal(NOT_RECORDED),
            _ => failure,
        })
    }

    fn decide(&self, session: &Session) -> Result<Exit, Failure> {
        let started = Instant::now();
        let reports = Reports::parse(&self.gate.reports)?;
        let session = &reports.session(session);
        self.refuse_outputs_in_a_log(&reports, session)?;
        self.clear_output(session)?;
        self.summary.clear(session)?;
        reports.prepare(session)?;
        if let Some(flag) = self.gate.refused.first() {
            return Err(load::not_built_yet(flag));
        }
        load::refuse_misnamed(session)?;
        let config = load::config(session)?;
        let rollout = self.gate.rollout.request(&config)?;
        let Some(release) = load::release_in_reach(&self.gate.release, &config, session)? else {
            return self.preview(&config, &rollout, session);
        };
        load::check_rollout(&rollout, &release, (&self.gate.release, &config), session)?;
        let trust = load::trust(&self.gate.evidence, &config, session)?;
        self.refuse_surroundings(&config, &trust, session)?;
        let evidence = load::evidence_paths(&self.gate.evidence, &config, &trust, session)?;
        let evidence = load::bundles(&evidence, session);
        let clock = session.now();
        load::refuse_other_log(self.audit_log.as_deref(), &config)?;
        let place = LogPlace::of(self.audit_log.as_ref(), self.audit_key.as_ref(), &config)?;
        let summary = self.summary.prepare(&trust, place.key.as_ref(), session)?;
        let missing = if self.audit_init { Missing::IsMade } else { Missing::IsRefused };
        let mut log = place.open(missing, &trust, &release.environment, session, clock)?;
        let recorded = log.last_versions(&release.environment);
        let policies = load::policies(&self.gate.policy, &config, &trust, &recorded, session)?;
        let (mode, now) = match &self.gate.now {
            Some(now) => (Mode::DryRun, load::instant(now)?),
            None if self.dry_run => (Mode::DryRun, clock),
            None => (Mode::Enforce, clock),
        };
        let standard = Standard { trust, policies };
        let request = Request { rollout, mode, caller: caller::of(session) };
        let progress = Progress::on(session);
        let sources = Sources::open(evidence, &self.gate.evidence, &standard.trust, &progress, session);
        sources.tell_strange_bundles(&self.gate.evidence, &release, session);
        let (images, evidence) = (sources.images(), sources.evidence());
        let world = World { artifacts: &sources.artifacts, images: &images, evidence: &evidence };
        let outcome =
            gate::preflight(release, request, world, &standard, &mut log, Times { judged: now, clock });
        progress.clear();
        sources.tell_requests(session);
        for warning in log.take_warnings() {
            session.say_last(load::warning(&warning));
        }
        let outcome = match outcome {
            Err(GateError::Resolve(error)) => {
                return Err(load::unresolved(&error, (&self.gate.release, &config), session));
            }
            outcome => outcome,
        };
        let about = load::about(&self.gate.release, &config, session);
        let exit = self.say(outcome, summary.as_ref(), &Telling::new(&reports, started, &about, session))?;
        say_whether_pinned(&log, session);
        Ok(exit)
    }

    /// What is written at the end must not hit the log: found out before anything is decided.
    fn refuse_outputs_in_a_log(&self, reports: &Reports, session: &Session) -> Result<(), Failure> {
        let proof = self.output.as_deref().map(proof_of);
        let plan = self.output.iter().map(PathBuf::as_path).chain(proof.as_deref());
        let mut outputs = BTreeSet::new();
        for path in plan.chain(self.summary.file()).chain(reports.files()) {
            // Whatever is written last would be all that is left. A device takes as many as one likes.
            if !outputs.insert(path) && session.is_replaced(path) {
                return Err(Failure::usage(format!("two outputs go to one file, `{}`", path.display()))
                    .hint("give each a file of its own; the plan's proof takes FILE.tlog-proof"));
            }
            session.refuse_log(path)?;
        }
        github::files(session).iter().try_for_each(|path| session.refuse_log(path))
    }

    /// Whether a flag is about more than how to roll out: it would be dropped by a preview.
    fn asks_to_verify(&self) -> bool {
        let Self { gate, audit_log, audit_key, audit_init, summary, dry_run, output: _ } = self;
        let GateFlags { release, evidence, policy, now, reports, rollout: _, refused: _ } = gate;
        let evidence = !evidence.evidence.is_empty() || evidence.trust.is_some() || evidence.offline;
        let policy = policy.required() != Flags::default() || !policy.policy.is_empty();
        let audit = audit_log.is_some() || audit_key.is_some() || *audit_init;
        let output = summary.file().is_some() || !reports.is_empty() || *dry_run;
        release.environment.is_some() || evidence || policy || audit || output || now.is_some()
    }

    /// Without a release there is nothing to verify: a preview, or an error if anything was required.
    fn preview(&self, config: &Config, rollout: &RolloutRequest, session: &Session) -> Result<Exit, Failure> {
        if self.asks_to_verify() || config.is_a_gates() {
            return Err(load::no_release("nothing to verify", session));
        }
        load::refuse_elsewhere(session)?;
        let preview = format!("{:#}\n", PlanDraft::preview(rollout));
        session.say("preview only: no release in reach, so nothing was verified, decided or recorded\n");
        match &self.output {
            Some(path) => session.replace(path, preview.as_bytes())?,
            None => session.print_result(preview.as_bytes())?,
        }
        Ok(Exit::Holds)
    }

    fn say(
        &self,
        outcome: Result<Outcome, GateError>,
        summary: Option<&Prepared<'_>>,
        telling: &Telling<'_>,
    ) -> Result<Exit, Failure> {
        match outcome {
            Ok(Outcome::Approved(plan)) => self.approved(&plan, summary, telling),
            Ok(Outcome::Refused(refused)) => {
                Ok(told(telling, refused.report(), ("deny", refused.reference())))
            }
            Ok(Outcome::Rehearsed(rehearsed)) => {
                Ok(told(telling, rehearsed.report(), ("rehearsal", rehearsed.reference())))
            }
            Err(GateError::Append(error)) => {
                let text = telling.text(&error.report, Recording::Failed);
                Err(load::audit_failure(&error.cause).preface(text))
            }
            Err(error) => Err(Failure::of(Exit::NoDecision, &error)),
        }
    }

    /// Allowed and recorded: the reports, the summary, and last of all the plan, so that what fails before leaves
    /// none, but for a report's file, which nobody runs. The same command gives it again.
    fn approved(
        &self,
        plan: &Plan,
        summary: Option<&Prepared<'_>>,
        telling: &Telling<'_>,
    ) -> Result<Exit, Failure> {
        let approved = plan.approved();
        let recording = match approved.again() {
            true => Recording::Again(approved.reference()),
            false => Recording::Entry(approved.reference()),
        };
        let session = telling.session();
        let told = telling.tell(approved.report(), recording, self.output.as_deref());
        let written = told.and_then(|exit| {
            summary.map_or(Ok(()), |summary| summary.write(approved, session))?;
            match &self.output {
                Some(path) => {
                    // A plan that goes to a device or a pipe has no place beside it.
                    if session.is_replaced(path) {
                        session.replace(&proof_of(path), approved.proof().as_bytes())?;
                    }
                    session.replace(path, &plan.envelope())?;
                }
                None => session.print_result(&plan.envelope())?,
            }
            Ok(exit)
        });
        written.map_err(|failure| {
            failure.fatal(NOT_WRITTEN).hint(format!(
                "it is recorded as allow {}: the same command gives the same plan again",
                approved.reference().index
            ))
        })
    }

    /// A plan of an earlier run goes before anything is decided: after a deny there is none.
    fn clear_output(&self, session: &Session) -> Result<(), Failure> {
        let Some(path) = &self.output else { return Ok(()) };
        let ours = |bytes: &[u8]| Inspection::of(bytes).is_some_and(|file| file.is_plan());
        session.make_room(path, "plan", ours)?;
        // A plan that goes to a device or a pipe has no place beside it.
        if session.is_replaced(path) { session.make_room(&proof_of(path), "plan", ours) } else { Ok(()) }
    }
}

/// Tells of what lets nothing out. It is on record: what the runner's files don't take changes neither that nor the
/// code that it ends with.
fn told(telling: &Telling<'_>, report: &DecisionReport, (what, reference): (&str, &LogReference)) -> Exit {
    telling.tell(report, Recording::Entry(reference), None).unwrap_or_else(|failure| {
        telling.session().say_last(format!(
            "the decision is recorded as {what} {}, and the runner is not told of it in full: {}",
            reference.index,
            failure.sentence()
        ));
        exit_of(report.verdict)
    })
}

/// Whoever reads trust can tell a pinned log from any other, and must know when they can't.
fn say_whether_pinned(log: &AuditLog, session: &Session) {
    let origin = printable(log.origin());
    session.say(&match log.pinned() {
        Pinned::Here => format!("log: {origin}, pinned by a gate of trust\n"),
        Pinned::Nowhere => {
            format!("log: {origin}, pinned by no gate of trust, which any other log could stand in for\n")
        }
    });
}

/// Where the proof of a plan lies: `FILE.tlog-proof`.
fn proof_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tlog-proof");
    name.into()
}
