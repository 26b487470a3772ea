//! What this machine brings to a plan: its executor, its pins, its own log.
//!
//! In: configuration and flags. Out: an accepted plan (`formats.md` section 8, all steps), or exit 13 with
//! the step and the reason.

use std::path::PathBuf;

use clap::Args;

use crate::audit::Reader;
use crate::config::Config;
use crate::release::digest::Digest;
use crate::rollout::acceptance::{JournalState, OwnLog, OwnLogError, Unanchored};
use crate::rollout::executor::Executor;
use crate::rollout::{AcceptError, Acceptance, AcceptedPlan, Envelope, LogPolicy};
use crate::time::Timestamp;
use crate::trust::TrustRoot;

use super::super::flags::EvidenceFlags;
use super::super::{Exit, Failure, Session};
use super::log::audit_failure;
use super::trust;

/// What excludes a fork of the plan's log.
#[derive(Debug, Args)]
pub(in crate::cli) struct AnchorFlags {
    /// A C2SP log policy whose witness quorum must have signed the plan's checkpoint
    #[arg(long, value_name = "FILE", help_heading = "Audit")]
    log_policy: Option<PathBuf>,
    /// Take a plan although neither the own log nor witnesses exclude a fork of its log (L0)
    #[arg(long, help_heading = "Audit")]
    accept_unanchored: bool,
}

impl AnchorFlags {
    /// Neither flag: a fork has to be excluded by the own log.
    pub(in crate::cli) fn strict() -> Self {
        Self { log_policy: None, accept_unanchored: false }
    }
}

/// The executor that is configured here.
pub(in crate::cli) fn executor(config: &Config) -> Result<&Executor, Failure> {
    config.executor.as_ref().ok_or_else(|| {
        Failure::usage("this machine is no executor: laforge.yaml has no `executor:`")
            .hint("it names environment, driver, slots, commands and metrics: docs/rollout.md")
    })
}

/// The trust that this machine is configured with.
pub(in crate::cli) fn executor_trust(config: &Config, session: &Session) -> Result<TrustRoot, Failure> {
    let flags = EvidenceFlags { evidence: Vec::new(), trust: None, offline: true };
    trust(&flags, config, session)
}

/// Takes a plan, or says which step refused it.
pub(in crate::cli) fn accept(
    bytes: &[u8],
    flags: &AnchorFlags,
    config: &Config,
    trust: &TrustRoot,
    journal: &dyn Fn(&Digest) -> JournalState,
    (session, now): (&Session, Timestamp),
) -> Result<AcceptedPlan, Failure> {
    let executor = executor(config)?;
    let place = (executor.environment.as_str(), executor.target.as_str());
    accept_at(place, bytes, flags, (config, trust), journal, (session, now))
}

/// Takes a plan for an environment and a target, or says which step refused it.
pub(in crate::cli) fn accept_at(
    (environment, target): (&str, &str),
    bytes: &[u8],
    flags: &AnchorFlags,
    (config, trust): (&Config, &TrustRoot),
    journal: &dyn Fn(&Digest) -> JournalState,
    (session, now): (&Session, Timestamp),
) -> Result<AcceptedPlan, Failure> {
    let own_log = own_log(config, session)?;
    let log_policy = flags.log_policy.as_ref().map(|path| log_policy(path, session)).transpose()?;
    let envelope = Envelope::parse(bytes).map_err(|error| refused(&error))?;
    let acceptance = Acceptance {
        gates: &trust.gates,
        revoked: &trust.revoked,
        now,
        environment,
        target,
        own_log: own_log.as_ref(),
        log_policy: log_policy.as_ref(),
        unanchored: if flags.accept_unanchored { Unanchored::Accept } else { Unanchored::Refuse },
        journal,
    };
    envelope.accept(&acceptance).map_err(|error| refused(&error))
}

/// The log that this machine is configured with, where there is one.
fn own_log(config: &Config, session: &Session) -> Result<Option<OwnLog>, Failure> {
    let Some(audit) = &config.audit else { return Ok(None) };
    if session.is_absent(&audit.log.path) {
        return Ok(None);
    }
    let reader = Reader::open(&audit.log.path).map_err(|error| audit_failure(&error))?;
    OwnLog::read(&reader).map(Some).map_err(|error| match error {
        OwnLogError::Log(error) => audit_failure(&error),
        other => Failure::of(Exit::Integrity, &other),
    })
}

fn log_policy(path: &std::path::Path, session: &Session) -> Result<LogPolicy, Failure> {
    let text = session.read_text(path, Exit::Usage)?;
    LogPolicy::parse(&text).map_err(|error| Failure::of(Exit::Usage, &error))
}

/// A plan that isn't taken: the step, the reason, and what mends it.
fn refused(error: &AcceptError) -> Failure {
    let failure = Failure::of(Exit::Integrity, error)
        .because(format!("step {} of a plan's acceptance refused it; nothing was touched", error.step()));
    match error {
        AcceptError::Unanchored | AcceptError::Behind { .. } => failure
            .hint("configure the gate's own log as `audit: log`, or give --log-policy with a witness quorum")
            .hint("--accept-unanchored takes it all the same: a forked log would not be noticed"),
        AcceptError::Expired { .. } => failure.hint("run `laforge deploy` again for a new plan"),
        AcceptError::UnknownGate { .. } => {
            failure.hint("pin the gate's log under `gates` in trust, behind review")
        }
        AcceptError::Elsewhere { .. } => {
            failure.hint("`executor: {environment, target}` in laforge.yaml say what this machine is")
        }
        AcceptError::Ended => failure.hint("a plan is run once: `laforge deploy` gives a new one"),
        _ => failure,
    }
}
