//! `laforge rollout history`: what happened to a plan, line by line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::audit::ExitClass;
use crate::cli::{Exit, Failure, Session, load};
use crate::release::digest::ClaimedDigest;
use crate::report::journal as report;
use crate::rollout::journal::{JournalError, Reading, standing, targets};

/// What happened to a plan: its journal, line by line.
#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    /// The plan's digest (default: the open one, else the one that ended last)
    #[arg(value_name = "PLAN-DIGEST")]
    plan: Option<ClaimedDigest>,
    #[command(flatten)]
    at: At,
    /// How to print; jsonl gives the original bytes
    #[arg(short, long, value_enum, default_value = "human", help_heading = "Output")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table
    Human,
    /// One JSON document, with what became of each event
    Json,
    /// The original bytes, a line each
    Jsonl,
}

/// Whose journals.
#[derive(Debug, Args)]
pub(super) struct At {
    /// The target (default: the executor's of laforge.yaml)
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// The executor's state folder (default: the one of laforge.yaml)
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// A target and the folder in which its journals are.
pub(super) struct Place {
    pub(super) state: PathBuf,
    pub(super) target: String,
    /// Whether a flag named one of them, which may be misspelt.
    pub(super) said_by: SaidBy,
}

/// Who says where journals are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaidBy {
    /// A flag, at least in part.
    Flag,
    /// laforge.yaml alone.
    Configuration,
}

impl At {
    /// From flags over configuration.
    pub(super) fn place(self, session: &Session) -> Result<Place, Failure> {
        let config = load::config(session)?;
        let executor = config.executor.as_ref();
        let said_by = match self.target.is_some() || self.state.is_some() {
            true => SaidBy::Flag,
            false => SaidBy::Configuration,
        };
        let state = self.state.or_else(|| executor.map(|executor| executor.state.clone()));
        let target = self.target.or_else(|| executor.map(|executor| executor.target.clone()));
        let missing = |what: &str, flag: &str| {
            Failure::usage(format!("no {what} is named"))
                .hint(format!("name it with {flag}, or `executor:` in laforge.yaml"))
        };
        Ok(Place {
            state: state.ok_or_else(|| missing("state folder", "--state DIR"))?,
            target: target.ok_or_else(|| missing("target", "--target ID"))?,
            said_by,
        })
    }
}

impl Place {
    /// That no rollout was begun here, and at which targets some were: in this folder, or by the log's word.
    pub(super) fn nothing_begun(&self, logged: &[String]) -> Failure {
        let mut there = targets(&self.state).unwrap_or_default();
        there.extend_from_slice(logged);
        there.sort();
        there.dedup();
        let failure = Failure::usage(format!(
            "no rollout was begun at target `{}` in `{}`",
            self.target,
            self.state.display()
        ));
        match there.is_empty() {
            true => failure.hint("check --target and --state; `laforge rollout run` begins one"),
            false => failure
                .hint(format!("rollouts were begun at {}: check --target and --state", there.join(", "))),
        }
    }
}

/// The failure that a journal's error is, with how to mend it.
pub(super) fn failure(error: &JournalError) -> Failure {
    let exit = match error.exit_class() {
        ExitClass::Integrity => Exit::Integrity,
        _ if matches!(error, JournalError::Held { .. }) => Exit::NoDecision,
        _ => Exit::Usage,
    };
    let failure = Failure::of(exit, error);
    match error {
        JournalError::Absent { .. } => failure.hint("`laforge rollout verify-journal` without a digest names those that are there"),
        JournalError::Held { .. } => {
            failure.hint("`laforge rollout status` shows what it does; `rollout pause` and `rollback` ask it")
        }
        JournalError::AnotherOpen { .. } | JournalError::Exists { .. } => {
            failure.hint("`laforge rollout run` without a plan goes on with it; `rollout rollback` ends it")
        }
        JournalError::Store { .. } if exit != Exit::Integrity => Failure::of(Exit::NoDecision, error)
            .hint("`executor: state` names the folder of journals: whoever runs this has to own it and its disk to have room"),
        _ if exit == Exit::Integrity => failure.hint(
            "nothing was changed: compare what runs with the last line that holds, and keep the folder as it is",
        ),
        _ => failure,
    }
}

impl History {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let place = self.at.place(session)?;
        let plan = match self.plan {
            Some(plan) => plan,
            None => meant(&place)?,
        };
        let reading = Reading::open(&place.state, &place.target, &plan).map_err(|error| failure(&error))?;
        if reading.torn().is_some() {
            session.say("an unfinished line follows the last one: a guard is writing, or was killed\n");
        }
        session.print_result(&match self.output {
            Form::Human => report::table(&reading, session.paint_out).into_bytes(),
            Form::Json => report::json(&reading),
            Form::Jsonl => report::lines(&reading),
        })?;
        Ok(Exit::Holds)
    }
}

/// The plan that is meant where none is named.
fn meant(place: &Place) -> Result<ClaimedDigest, Failure> {
    let found = standing(&place.state, &place.target).map_err(|error| failure(&error))?;
    // The one that ended last, where none is open: as `rollout status` has it.
    let meant = found.open.or_else(|| found.ended.last().cloned());
    meant.ok_or_else(|| place.nothing_begun(&[]))
}
