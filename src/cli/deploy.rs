//! `laforge deploy`: the gate, and what it says when it is through.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::audit::AppendError;
use crate::audit::LogReference;
use crate::gate::{self, GateError, Outcome, World};
use crate::plan::draft::Verdict;
use crate::plan::{Mode, PlanDraft, RolloutRequest};
use crate::policy::{DecisionReport, Request, Standard};
use crate::report::json::Timing;
use crate::report::{human, json};
use crate::rollout::Plan;
use crate::source::directory::{EvidenceFolders, Files};

use super::error::{NO_DECISION, NOT_RECORDED};
use super::flags::GateFlags;
use super::github::{self, Step};
use super::load::{self, LogPlace};
use super::progress::Progress;
use super::reports::Reports;
use super::{Exit, Failure, Session, caller};

/// The gate: verify, decide, record, and emit the plan.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    gate: GateFlags,
    /// The audit log's folder
    #[arg(long, value_name = "DIR", help_heading = "Audit")]
    audit_log: Option<PathBuf>,
    /// The log's secret key: file:PATH or env:NAME
    #[arg(long, value_name = "SOURCE", help_heading = "Audit")]
    audit_key: Option<String>,
    /// Create the log if there is none (never where one is known)
    #[arg(long, help_heading = "Audit")]
    audit_init: bool,
    /// Write the plan to FILE (and its proof to FILE.tlog-proof) instead of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Evaluate and record as `action: none`; the exit code is the verdict's, and no plan comes out
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
}

impl Deploy {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let result = self.decide(session);
        if let Err(failure) = &result {
            // The runner's outputs are a courtesy; the failure itself is what ends the run.
            let _ = github::tell_failure(failure.exit(), session);
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
        if let Some(flag) = self.gate.refused.first() {
            return Err(load::not_built_yet(flag));
        }
        let config = load::config(session)?;
        let rollout = self.gate.rollout.request(&config)?;
        let Some(release) = load::release_in_reach(&self.gate.release, &config, session)? else {
            return self.preview(&rollout, session);
        };
        rollout.check(&release).map_err(Failure::from)?;
        let trust = load::trust(&self.gate.evidence, &config, session)?;
        let evidence = load::evidence_paths(&self.gate.evidence, &config, &trust)?;
        let clock = session.now();
        let place = LogPlace::of(self.audit_log.as_ref(), self.audit_key.as_ref(), &config)?;
        let mut log = place.open(self.audit_init, &trust, &release.environment, session, clock)?;
        let recorded = log.last_versions(&release.environment);
        let policies = load::policies(&self.gate.policy, &config, &trust, &recorded)?;
        let (mode, now) = match &self.gate.now {
            Some(now) => (Mode::DryRun, load::instant(now)?),
            None if self.dry_run => (Mode::DryRun, clock),
            None => (Mode::Enforce, clock),
        };
        let standard = Standard { trust, policies };
        let request = Request { rollout, mode, caller: caller::of(session) };
        let evidence = EvidenceFolders::read(&evidence);
        let progress = Progress::on(session);
        let artifacts =
            Files::new(evidence.algorithms()).with_progress(|name, bytes| progress.read(name, bytes));
        let world = World { artifacts: &artifacts, evidence: &evidence };
        let outcome = gate::preflight(release, request, world, &standard, &mut log, now, clock);
        progress.clear();
        for warning in log.take_warnings() {
            session.tell(&format!("warning: {warning}\n"));
        }
        self.say(outcome, &reports, started, session)
    }

    /// Without a release there is nothing to verify: a preview, or an error if anything was required.
    fn preview(&self, rollout: &RolloutRequest, session: &Session) -> Result<Exit, Failure> {
        let required = self.gate.policy.required();
        if required != crate::policy::Flags::default() || !self.gate.policy.policy.is_empty() {
            return Err(Failure::usage("nothing to verify: no release in reach, and that is never a pass")
                .hint("name one with `release:` in laforge.yaml or --release"));
        }
        let preview = format!("{:#}\n", PlanDraft::preview(rollout));
        session.say("preview only: no release in reach, so nothing was verified, decided or recorded\n");
        match &self.output {
            Some(path) => session.replace(path, preview.as_bytes())?,
            None => session.print(preview.as_bytes())?,
        }
        Ok(Exit::Holds)
    }

    fn say(
        &self,
        outcome: Result<Outcome, GateError>,
        reports: &Reports,
        started: Instant,
        session: &Session,
    ) -> Result<Exit, Failure> {
        let timing = Timing { total_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX) };
        match outcome {
            Ok(Outcome::Approved(plan)) => self.approved(&plan, reports, timing, session),
            Ok(Outcome::Refused(refused)) => {
                self.told(refused.report(), Some(refused.reference()), false, reports, timing, session)
            }
            Ok(Outcome::Rehearsed(rehearsed)) => {
                self.told(rehearsed.report(), Some(rehearsed.reference()), false, reports, timing, session)
            }
            Err(GateError::Append(error)) => Err(self.unrecorded(&error, reports, timing, session)),
            Err(error) => Err(Failure::of(Exit::NoDecision, &error)),
        }
    }

    /// Allowed and recorded: the plan comes out. If it can't be written, the same command gives it again.
    fn approved(
        &self,
        plan: &Plan,
        reports: &Reports,
        timing: Timing,
        session: &Session,
    ) -> Result<Exit, Failure> {
        let approved = plan.approved();
        let envelope = plan.envelope();
        let written = match &self.output {
            Some(path) => session
                .replace(&with_ending(path, "tlog-proof"), approved.proof().as_bytes())
                .and_then(|()| session.replace(path, &envelope)),
            None => session.print(&envelope),
        };
        let exit = self.told(
            approved.report(),
            Some(approved.reference()),
            approved.again(),
            reports,
            timing,
            session,
        )?;
        written.map(|()| exit).map_err(|failure| {
            failure.hint(format!(
                "it is recorded as allow {}: the same command gives the same plan again",
                approved.reference().index
            ))
        })
    }

    fn told(
        &self,
        report: &DecisionReport,
        audit: Option<&LogReference>,
        again: bool,
        reports: &Reports,
        timing: Timing,
        session: &Session,
    ) -> Result<Exit, Failure> {
        let exit = exit_of(report.verdict);
        session.say(&human::render(report, audit, again, session.paint));
        reports.write(
            &json::render(report, audit, timing),
            &human::render(report, audit, again, session.paint),
            session,
        )?;
        let plan_file = self.output.as_deref().filter(|_| report.plan.is_some());
        let step = Step { report, audit, exit, plan_file, report_file: reports.json_file() };
        github::tell(&step, session)?;
        Ok(exit)
    }

    /// Decided, and the log did not take it: the findings are printed all the same, and no plan.
    fn unrecorded(
        &self,
        error: &AppendError,
        reports: &Reports,
        timing: Timing,
        session: &Session,
    ) -> Failure {
        let text = human::render(&error.report, None, false, session.paint);
        // The report is a courtesy here; that nothing was recorded is what matters.
        let _ = reports.write(&json::render(&error.report, None, timing), &text, session);
        load::audit_failure(&error.cause).preface(text)
    }
}

/// The exit code of a verdict.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Holds,
        Verdict::Fail => Exit::Denied,
        Verdict::Error => Exit::Inconclusive,
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
