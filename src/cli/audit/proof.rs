//! `laforge audit verify-proof`: is this plan in a log that trust pins?

use std::path::PathBuf;

use clap::Args;

use crate::report::paint::{Tone, printable};
use crate::rollout::acceptance::Anchoring;
use crate::rollout::envelope::Envelope;
use crate::rollout::log_policy::LogPolicy;

use super::super::{Exit, Failure, Session};
use super::trust_in_reach;

/// Check that a plan is in a log that trust pins: offline, from the plan and trust alone.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyProof {
    /// The plan, as `deploy` gave it
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The trust file whose `gates` pin the log (default: the one that laforge.yaml names)
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A C2SP log policy whose witness quorum must have signed the checkpoint
    #[arg(long, value_name = "FILE")]
    log_policy: Option<PathBuf>,
}

impl VerifyProof {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let trust = trust_in_reach(self.trust.as_deref(), session)?.ok_or_else(|| {
            Failure::usage("no trust file: nothing pins a gate")
                .hint("name one with --trust, or `trust:` in laforge.yaml")
        })?;
        let policy = match &self.log_policy {
            Some(path) => {
                let text = session.read_text(path, Exit::Usage)?;
                Some(LogPolicy::parse(&text).map_err(|error| Failure::of(Exit::Usage, &error))?)
            }
            None => None,
        };
        let bytes = session.read(&self.plan, Exit::Usage)?;
        let refused = |error| Failure::of(Exit::Integrity, &error as &dyn std::error::Error);
        let envelope = Envelope::parse(&bytes).map_err(refused)?;
        let proven = envelope.verify_proof(&trust.gates, &trust.revoked, policy.as_ref()).map_err(refused)?;
        let decided = &proven.core().verification.trust_digest;
        if trust.digest() != *decided {
            session.tell(&format!(
                "warning: it was decided under the trust {decided}, and the trust at hand is {}: what changed is for \
                 review (`trust.changed` in the log, `trustDigests` as a pin)\n",
                trust.digest()
            ));
        }
        let reference = proven.reference();
        let text = format!(
            "{}: plan {} is entry {} of {}, signed by the pinned gate `{}` at size {}\n{}\n",
            session.paint_out.tone(Tone::Good, "proved"),
            proven.digest(),
            reference.index,
            printable(&reference.origin),
            printable(proven.gate()),
            reference.size,
            anchored(proven.anchoring()),
        );
        session.print(text.as_bytes())?;
        Ok(Exit::Holds)
    }
}

/// What excludes that the log was forked.
fn anchored(anchoring: Anchoring) -> String {
    match anchoring {
        Anchoring::OwnLog => "its log is this one".to_owned(),
        Anchoring::Witnesses(count) => format!("{count} witnesses signed the checkpoint: a fork is excluded"),
        Anchoring::None => "L0: fork not excluded (a witness quorum does, with --log-policy)".to_owned(),
    }
}
