//! `laforge rollout status`: where the rollout at this target stands, once or until something is to be done.

use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::load;
use crate::cli::{Exit, Failure, Session};
use crate::release::digest::ClaimedDigest;
use crate::report::paint::printable;
use crate::report::rollout as report;
use crate::rollout::executor::Executor;
use crate::rollout::guard::View;
use crate::rollout::journal::{self, Reading, Standing};
use crate::rollout::machine::{Stage, State};
use crate::time::Timestamp;

use super::history::failure as failed;

/// How often `-w` looks.
const EVERY: Duration = Duration::from_millis(500);

/// Where the rollout at this target stands; with -w until it ends or pauses.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// The plan's digest (default: the open one, else the one that ended last)
    #[arg(value_name = "PLAN-DIGEST")]
    plan: Option<String>,
    /// Follow it: ends with 0 completed, 10 rolled back or expired, 11 paused
    #[arg(short, long)]
    watch: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value = "human", help_heading = "Output")]
    output: Form,
}

/// How a status is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Human,
    /// One JSON document, or one a line with -w
    Json,
}

/// A rollout as found.
struct Found {
    plan: String,
    state: State,
    view: Option<View>,
    guarded: bool,
}

impl Status {
    pub(in crate::cli) fn run(mut self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let executor = load::executor(&config)?;
        let mut shown = None;
        loop {
            let found = self.find(executor, session.now())?;
            // The same one for as long as it is watched.
            self.plan = Some(found.plan.clone());
            let exit = exit_of(&found.state.stage);
            let text = self.text(&found, session);
            if shown.as_ref() != Some(&text) {
                session.print(text.as_bytes())?;
                shown = Some(text);
            }
            match (self.watch, exit) {
                (false, _) => return Ok(Exit::Holds),
                (true, Some(exit)) => return Ok(exit),
                (true, None) => thread::sleep(EVERY),
            }
        }
    }

    fn find(&self, executor: &Executor, now: Timestamp) -> Result<Found, Failure> {
        let standing =
            journal::standing(&executor.state, &executor.target).map_err(|error| failed(&error))?;
        let plan = &self.named(&standing).ok_or_else(|| {
            Failure::usage(match &self.plan {
                Some(plan) => format!("no journal of plan `{plan}` at target `{}`", executor.target),
                None => format!("nothing was rolled out at target `{}`", executor.target),
            })
            .hint(format!("journals are under `{}`", executor.state.display()))
        })?;
        let reading =
            Reading::open(&executor.state, &executor.target, plan).map_err(|error| failed(&error))?;
        // The journal is right; a view of anything else is none.
        let same = |view: &View| view.length == reading.head().length && view.state == *reading.state();
        let view = View::read(reading.path()).filter(same);
        let (plan, state) = (plan.to_string(), reading.state().clone());
        Ok(Found { plan, state, view, guarded: View::is_at_work(reading.path(), now) })
    }

    /// The plan that is meant: the named one, else the one under way, else the one that ended last.
    fn named(&self, standing: &Standing) -> Option<ClaimedDigest> {
        if let Some(named) = &self.plan {
            let mut plans = standing.open.iter().chain(&standing.ended);
            return plans.find(|plan| plan.to_string() == *named).cloned();
        }
        standing.open.as_ref().or_else(|| standing.ended.last()).cloned()
    }

    fn text(&self, found: &Found, session: &Session) -> String {
        if self.output == Form::Json {
            let (state, view) = (&found.state, &found.view);
            let document =
                json!({"plan": found.plan, "state": state, "view": view, "guarded": found.guarded});
            return format!("{document}\n");
        }
        let paint = session.paint_out;
        let mut out = format!("plan {}\n", printable(&found.plan));
        match &found.view {
            Some(view) => out.push_str(&report::view(view, paint)),
            None => out.push_str(&format!(
                "{}, target {}, read {}\n",
                report::state(found.state.stage.name(), &found.state, paint),
                found.state.target,
                found.state.actual
            )),
        }
        if !found.guarded && found.state.stage.is_live() {
            out.push_str(
                "  no guard is running: `laforge rollout run` goes on, `rollout rollback` goes back\n",
            );
        }
        out
    }
}

/// What `-w` ends with, once there is something to be done.
fn exit_of(stage: &Stage) -> Option<Exit> {
    match stage {
        Stage::Completed => Some(Exit::Holds),
        Stage::RolledBack | Stage::Expired => Some(Exit::Denied),
        Stage::Paused { .. } => Some(Exit::Inconclusive),
        _ => None,
    }
}
