//! `laforge verify`: the same verification and decision, as a report. Nothing is recorded.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;

use crate::config::Config;
use crate::gate;
use crate::plan::Mode;
use crate::policy::{Decision, Request, Standard};

use super::error::NO_DECISION;
use super::flags::GateFlags;
use super::load::Sources;
use super::progress::Progress;
use super::reports::{Reports, Telling};
use super::{Exit, Failure, Session, caller, load};

/// The same verification and decision as a report: nothing recorded, no plan.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    gate: GateFlags,
}

impl Verify {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        self.judge(session).map_err(|failure| match failure.exit() {
            Exit::NoDecision | Exit::Usage => failure.fatal(NO_DECISION),
            _ => failure,
        })
    }

    fn judge(&self, session: &Session) -> Result<Exit, Failure> {
        let started = Instant::now();
        let reports = Reports::parse(&self.gate.reports)?;
        reports.prepare(session)?;
        load::refuse_misnamed(session)?;
        let config = load::config(session)?;
        // Without a log nothing is known of earlier policy versions: `deploy` compares them.
        let report = decide(&self.gate, &config, Mode::DryRun, &BTreeMap::new(), session)?.into_report();
        let about = load::about(&self.gate.release, &config, session);
        Telling::new(&reports, started, &about, session).print(&report)
    }
}

/// The decision on the release in reach, recorded nowhere. `recorded`: the policy versions that a log has seen.
pub(super) fn decide(
    gate: &GateFlags,
    config: &Config,
    mode: Mode,
    recorded: &BTreeMap<String, u64>,
    session: &Session,
) -> Result<Decision, Failure> {
    if let Some(flag) = gate.refused.first() {
        return Err(load::not_built_yet(flag));
    }
    let rollout = gate.rollout.request(config)?;
    let release = load::release_in_reach(&gate.release, config, session)?
        .ok_or_else(|| load::no_release("nothing to verify", session))?;
    load::check_rollout(&rollout, &release, (&gate.release, config), session)?;
    let trust = load::trust(&gate.evidence, config, session)?;
    let evidence = load::evidence_paths(&gate.evidence, config, &trust, session)?;
    let evidence = load::bundles(&evidence, session);
    let policies = load::policies(&gate.policy, config, &trust, recorded, session)?;
    let now = gate.now.as_deref().map(load::instant).transpose()?.unwrap_or_else(|| session.now());
    let standard = Standard { trust, policies };
    let request = Request { rollout, mode, caller: caller::of(session) };
    let progress = Progress::on(session);
    let sources = Sources::open(evidence, &gate.evidence, &standard.trust, &progress, session);
    sources.tell_strange_bundles(&gate.evidence, &release, session);
    let (images, evidence) = (sources.images(), sources.evidence());
    let world = gate::World { artifacts: &sources.artifacts, images: &images, evidence: &evidence };
    let decision = gate::judge(release, &request, world, &standard, now, || ())
        .map_err(|error| load::unresolved(&error, (&gate.release, config), session))?;
    progress.clear();
    sources.tell_requests(session);
    Ok(decision)
}
