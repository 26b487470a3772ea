//! `laforge rollout pause|resume|rollback`: a request to the guard, from a second terminal.
//!
//! The request is a file that the guard takes once; what it answers is a line of the journal. Nobody has to
//! be there: a guard that comes back finds it. A rollback alone doesn't wait for one: without a guard this
//! command becomes it.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::load;
use crate::cli::{Exit, Failure, Session};
use crate::random;
use crate::release::digest::ClaimedDigest;
use crate::report::paint::printable;
use crate::report::rollout as report;
use crate::rollout::executor::Executor;
use crate::rollout::guard::{Ask, Asks, Unasked, Verb, View};
use crate::rollout::journal::{self, Reading};
use crate::rollout::machine::{Operator, Outcome};

use super::history::failure as failed;
use super::run;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const EVERY: Duration = Duration::from_millis(100);

/// A request, and why.
#[derive(Debug, Args)]
pub(in crate::cli) struct AskFlags {
    /// Why; it is journaled
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who asks (default: $USER); it is journaled, and not verified
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// The digest of the plan that is meant, as `rollout status` shows it; another one under way is left alone
    #[arg(long, value_name = "DIGEST")]
    plan: Option<ClaimedDigest>,
    /// The log's secret key, where this command becomes the guard: file:PATH or env:NAME
    #[arg(long, value_name = "SOURCE", help_heading = "Audit")]
    audit_key: Option<String>,
}

/// What the guard made of it.
enum Answer {
    /// The journal says so.
    Taken(String, Outcome),
    /// Nobody answered.
    Waiting,
}

impl AskFlags {
    pub(in crate::cli) fn run(self, verb: Verb, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let executor = load::executor(&config)?;
        let operator = self.operator(session)?;
        let standing =
            journal::standing(&executor.state, &executor.target).map_err(|error| failed(&error))?;
        let open = standing.open.as_ref().ok_or_else(|| {
            Failure::usage(format!("no rollout is under way at target `{}`", executor.target))
                .hint("`laforge rollout status` says what ended last")
        })?;
        self.is_meant(open, &executor.target)?;
        let read = || Reading::open(&executor.state, &executor.target, open).map_err(|error| failed(&error));
        let reading = read()?;
        // One request is one event, however often it is found.
        let nonce = random::hex::<16>()
            .map_err(|error| Failure::new(Exit::NoDecision, "no random number").because(error.to_string()))?;
        let ask = Ask { verb, operator, epoch: reading.state().epoch, nonce };
        let asks = Asks::of(reading.path());
        asks.leave(&ask)
            .map_err(|error| Failure::io(Exit::NoDecision, "write to", reading.path(), &error))?;
        if !View::is_at_work(reading.path(), session.now()) {
            return self.alone(&ask, open, executor, session);
        }
        let began = Instant::now();
        loop {
            match answer(&read()?, &ask, session) {
                Answer::Taken(line, outcome) => {
                    session.print(line.as_bytes())?;
                    return Ok(match outcome {
                        Outcome::Applied(_) => Exit::Holds,
                        _ => Exit::Denied,
                    });
                }
                Answer::Waiting if began.elapsed() > PATIENCE => {
                    return Err(Failure::new(Exit::Inconclusive, "the guard has not answered yet")
                        .hint("the request stays: it is taken as soon as the guard looks; `rollout status -w` shows it"));
                }
                // It was gone already, or goes now.
                Answer::Waiting if !View::is_at_work(reading.path(), session.now()) => {
                    return self.alone(&ask, open, executor, session);
                }
                Answer::Waiting => thread::sleep(EVERY),
            }
        }
    }

    /// What was decided about one rollout is not done to the next one.
    fn is_meant(&self, open: &ClaimedDigest, target: &str) -> Result<(), Failure> {
        match &self.plan {
            Some(plan) if plan != open => Err(Failure::usage(format!(
                "plan {open} is under way at target `{target}`, and --plan is {plan}"
            ))
            .hint("`laforge rollout status` shows it: ask again, if it is meant")),
            _ => Ok(()),
        }
    }

    fn operator(&self, session: &Session) -> Result<Operator, Failure> {
        let actor = self.actor.clone().or_else(|| session.variable("USER")).ok_or_else(|| {
            Failure::usage("nobody is named: $USER is not set").hint("name who asks with --actor")
        })?;
        Ask::operator(&actor, &self.reason).map_err(|error| {
            let hint = match error {
                Unasked::Long => "name a ticket that says the rest",
                _ => "give --reason and --actor; both are journaled",
            };
            Failure::of(Exit::Usage, &error).hint(hint)
        })
    }

    /// Nobody guards the target. Going back must not wait; the rest would touch nothing by itself.
    fn alone(
        &self,
        ask: &Ask,
        plan: &ClaimedDigest,
        executor: &Executor,
        session: &Session,
    ) -> Result<Exit, Failure> {
        if ask.verb == Verb::Rollback {
            session
                .say(&printable(&format!("no guard is running at `{}`: this is one now", executor.target)));
            session.say("\n");
            return run::retreat(ask, plan, self.audit_key.clone(), session);
        }
        Err(Failure::new(Exit::Inconclusive, "no guard is running: nobody takes the request now")
            .hint("it stays, and `laforge rollout run` takes it when it goes on"))
    }
}

/// The journal's line on a request, if there is one.
fn answer(reading: &Reading, ask: &Ask, session: &Session) -> Answer {
    let Some((record, outcome)) = reading.answer(&ask.nonce) else { return Answer::Waiting };
    let state = report::state(record.before.stage.name(), &record.after, session.paint_out);
    let text = match outcome {
        Outcome::Applied(row) => format!("{state} [{row}]\n"),
        Outcome::Ignored(why) => format!("{state}: ignored, {why}\n"),
        Outcome::Refused(why) => format!("{state}: refused, {why}\n"),
    };
    Answer::Taken(text, outcome)
}
