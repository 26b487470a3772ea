//! `laforge rollout`: so far the simulation; the verbs that touch anything are not built yet.

mod history;
mod simulate;
mod verify_journal;

use std::ffi::OsString;

use clap::Subcommand;

use super::load;
use super::{Exit, Failure, Session};

/// Run, watch and simulate rollouts.
#[derive(Debug, Subcommand)]
pub(super) enum Rollout {
    /// Run a plan in virtual time, in a scripted world: nothing is touched
    Simulate(Box<simulate::Simulate>),
    /// What happened to a plan: its journal, line by line
    History(history::History),
    /// Check a journal: chain, replay, and what the audit log has seen of it
    VerifyJournal(verify_journal::VerifyJournal),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Verbs of the contract that are not built yet.
const LATER: [&str; 5] = ["run", "status", "pause", "resume", "rollback"];

impl Rollout {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Simulate(verb) => verb.run(session),
            Self::History(verb) => verb.run(session),
            Self::VerifyJournal(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("rollout ", &words, &LATER)),
        }
    }
}
