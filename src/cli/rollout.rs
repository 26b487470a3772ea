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

use super::deferred::Deferred;
use super::load;
use super::{Exit, Failure, Session};

/// Run, watch and simulate rollouts.
#[derive(Debug, Subcommand)]
pub(super) enum Rollout {
    /// Run a plan to its end, or go on with the one that was begun here
    Run(Deferred<run::Run>),
    /// Where the rollout at this target stands; with -w until it ends or pauses
    Status(Deferred<status::Status>),
    /// Freeze the candidate's traffic where it is
    Pause(Deferred<ask::AskFlags>),
    /// Go on after a pause: the step's window is earned again
    Resume(Deferred<ask::AskFlags>),
    /// Give all traffic back to the stable version; without a guard this command becomes it
    Rollback(Deferred<ask::AskFlags>),
    /// Run a plan in virtual time, in a scripted world: nothing is touched
    Simulate(Deferred<Box<simulate::Simulate>>),
    /// What happened to a plan: its journal, line by line
    History(Deferred<history::History>),
    /// Check a journal: chain, replay, and what the audit log has seen of it
    VerifyJournal(Deferred<verify_journal::VerifyJournal>),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Rollout {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Run(Deferred(verb)) => verb.run(session),
            Self::Status(Deferred(verb)) => verb.run(session),
            Self::Pause(Deferred(verb)) => verb.run(Verb::Pause, session),
            Self::Resume(Deferred(verb)) => verb.run(Verb::Resume, session),
            Self::Rollback(Deferred(verb)) => verb.run(Verb::Rollback, session),
            Self::Simulate(Deferred(verb)) => verb.run(session),
            Self::History(Deferred(verb)) => verb.run(session),
            Self::VerifyJournal(Deferred(verb)) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("rollout ", &words, &[])),
        }
    }
}
