//! `laforge rollout`: plans run, watched, held, and simulated.

mod ask;
mod history;
mod reverify;
mod run;
mod signals;
mod simulate;
mod status;
mod told;
mod tools;
mod verify_journal;

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
    /// What happened to a plan: its journal, line by line
    History(history::History),
    /// Check a journal: chain, replay, and what the audit log has seen of it
    VerifyJournal(verify_journal::VerifyJournal),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Rollout {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Run(verb) => verb.run(session),
            Self::Status(verb) => verb.run(session),
            Self::Pause(verb) => verb.run(Verb::Pause, session),
            Self::Resume(verb) => verb.run(Verb::Resume, session),
            Self::Rollback(verb) => verb.run(Verb::Rollback, session),
            Self::Simulate(verb) => verb.run(session),
            Self::History(verb) => verb.run(session),
            Self::VerifyJournal(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("rollout ", &words, &[])),
        }
    }
}
