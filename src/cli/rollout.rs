//! `laforge rollout`: plans run, watched, held, and simulated.

mod ask;
mod run;
mod simulate;
mod status;
mod told;
mod tools;

use std::ffi::OsString;

use clap::Subcommand;

use crate::rollout::guard::Verb;

use super::load;
use super::{Exit, Failure, Session};

/// Run, watch and simulate rollouts.
#[derive(Debug, Subcommand)]
pub(super) enum Rollout {
    /// Run a plan to its end, or go on with the one that was begun here
    Run(run::Run),
    /// Where the rollout at this target stands; with -w until it ends or pauses
    Status(status::Status),
    /// Freeze the candidate's traffic where it is
    Pause(ask::AskFlags),
    /// Go on after a pause: the step's window is earned again
    Resume(ask::AskFlags),
    /// Give all traffic back to the stable version; without a guard this command becomes it
    Rollback(ask::AskFlags),
    /// Run a plan in virtual time, in a scripted world: nothing is touched
    Simulate(Box<simulate::Simulate>),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Verbs of the contract that are not built yet.
const LATER: [&str; 2] = ["history", "verify-journal"];

impl Rollout {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Run(verb) => verb.run(session),
            Self::Status(verb) => verb.run(session),
            Self::Pause(verb) => verb.run(Verb::Pause, session),
            Self::Resume(verb) => verb.run(Verb::Resume, session),
            Self::Rollback(verb) => verb.run(Verb::Rollback, session),
            Self::Simulate(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("rollout ", &words, &LATER)),
        }
    }
}
