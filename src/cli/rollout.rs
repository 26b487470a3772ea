//! `laforge rollout`: so far the simulation; the verbs that touch anything are not built yet.

mod simulate;

use std::ffi::OsString;

use clap::Subcommand;

use super::load;
use super::{Exit, Failure, Session};

/// Run, watch and simulate rollouts.
#[derive(Debug, Subcommand)]
pub(super) enum Rollout {
    /// Run a plan in virtual time, in a scripted world: nothing is touched
    Simulate(Box<simulate::Simulate>),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Verbs of the contract that are not built yet.
const LATER: [&str; 7] = ["run", "status", "pause", "resume", "rollback", "history", "verify-journal"];

impl Rollout {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        match self {
            Self::Simulate(verb) => verb.run(session),
            Self::Other(words) => Err(load::other_verb("rollout ", &words, &LATER)),
        }
    }
}
