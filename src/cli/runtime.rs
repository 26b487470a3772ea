//! `laforge runtime`: the service that answers engines which shift traffic themselves.
//!
//! In: a plan, taken in by steps 0 to 8 of `Envelope::accept` (`formats.md` section 8); `runtime:` or
//! `executor:` of laforge.yaml. Out: an HTTP service until SIGTERM; it starts nothing. Or, with `--roll-back`,
//! a request that the service finds.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::config::Config;
use crate::release::digest::Digest;
use crate::rollout::acceptance::JournalState;
use crate::rollout::executor::runtime::{Runtime as Configured, RuntimeError};
use crate::rollout::guard::{Ask, Verb};
use crate::rollout::machine::Operator;
use crate::rollout::metrics::prometheus::Prometheus;
use crate::serve::runtime::{self, Desk, Memory, MemoryError, Source};
use crate::time::{self, Timestamp};

use super::load::{self, AnchorFlags, Whereabouts};
use super::{Exit, Failure, Session};

/// Serve verdicts to Argo Rollouts and gates to Flagger, of one plan; the engine shifts the traffic.
#[derive(Debug, Args)]
pub(super) struct Runtime {
    /// The plan, as `deploy` gave it
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Where to listen: an address of this machine's loopback, and a port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// Listen elsewhere than on loopback, although whoever reaches it may ask and be answered
    #[arg(long)]
    insecure_listen: bool,
    #[command(flatten)]
    anchor: AnchorFlags,
    #[command(flatten)]
    request: RequestFlags,
}

/// An operator's request to the service that is running.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
struct RequestFlags {
    /// Don't serve: ask the service of this plan to have the engine roll back
    #[arg(long, requires = "reason")]
    roll_back: bool,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "roll_back")]
    reason: Option<String>,
    /// Who asks (default: $USER); it is told, and not verified
    #[arg(long, value_name = "NAME", requires = "roll_back")]
    actor: Option<String>,
}

impl Runtime {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let config = load::config(session)?;
        let runtime = Configured::of(config.runtime.as_ref(), config.executor.as_ref())
            .map_err(|error| unconfigured(&error))?;
        if self.request.roll_back {
            return self.ask(&runtime, session);
        }
        self.check_address()?;
        self.serve(runtime, &config, session)
    }

    fn check_address(&self) -> Result<(), Failure> {
        if self.listen.ip().is_loopback() || self.insecure_listen {
            return Ok(());
        }
        let message = format!("`{}` can be reached from other machines", self.listen);
        Err(Failure::usage(message)
            .because("the service has neither TLS nor tokens yet, and one of its gates runs the migration")
            .hint("listen on 127.0.0.1, beside the engine or behind a proxy that knows who asks")
            .hint("--insecure-listen does it all the same, in a network where only the engine can ask"))
    }

    fn serve(&self, runtime: Configured, config: &Config, session: &Session) -> Result<Exit, Failure> {
        let trust = load::executor_trust(config, session)?;
        let place = Whereabouts { environment: &runtime.environment, target: &runtime.target };
        let bytes = session.read_file(&self.plan)?;
        // Whether a guard of our own ran it is not asked: it is an engine that runs it here.
        let absent = |_: &Digest| JournalState::Absent;
        let now = session.now();
        let plan = load::accept_for(place, &bytes, &self.anchor, config, &trust, &absent, (session, now))?;
        let metrics =
            Prometheus::new(&runtime.prometheus).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let memory = Memory::of(&runtime.state, &runtime.target, &plan.proven().digest());
        memory.make().map_err(|error| unwritable(&error))?;
        let until = plan.proven().core().validity.not_after;
        let source = Source { runtime, metrics: Box::new(metrics), clock };
        let desk = Desk::of(&plan, memory, source).map_err(|error| Failure::of(Exit::Integrity, &error))?;
        let listener = self.listener()?;
        let address = listener.local_addr().map_or(self.listen, |address| address);
        session.say(&format!(
            "laforge runtime: http://{address} answers for plan {}, in force until {}\n",
            plan.proven().digest(),
            time::to_seconds(until)
        ));
        runtime::serve(listener, &Arc::new(desk)).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        Ok(Exit::Holds)
    }

    fn listener(&self) -> Result<TcpListener, Failure> {
        TcpListener::bind(self.listen).map_err(|error| {
            Failure::new(Exit::NoDecision, format!("cannot listen on `{}`", self.listen))
                .because(error.to_string())
                .hint("another program may have the port: name a free one with --listen")
        })
    }

    /// Leaves a request beside what the service remembers. The plan needn't be in force any more.
    fn ask(&self, runtime: &Configured, session: &Session) -> Result<Exit, Failure> {
        let bytes = session.read_file(&self.plan)?;
        let envelope: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        let plan = envelope.as_ref().and_then(|envelope| envelope.get("plan")).map(Digest::of_value);
        let plan = plan.ok_or_else(|| {
            Failure::new(Exit::Integrity, format!("`{}` is no plan", self.plan.display()))
                .hint("name the plan that `laforge deploy -o FILE` wrote")
        })?;
        let actor = self.request.actor.clone().or_else(|| session.variable("USER")).unwrap_or_default();
        let reason = self.request.reason.as_deref().unwrap_or_default();
        let operator = Operator::new(&actor, reason).map_err(|error| {
            Failure::of(Exit::Usage, &error).hint("give --reason and --actor; both are told")
        })?;
        let memory = Memory::of(&runtime.state, &runtime.target, &plan);
        memory.make().map_err(|error| unwritable(&error))?;
        // One plan is rolled back once: a second request is the same.
        let ask = Ask { verb: Verb::Rollback, operator, epoch: 0, nonce: "rollback".to_owned() };
        let folder = memory.folder();
        memory
            .asks()
            .leave(&ask)
            .map_err(|error| Failure::io(Exit::NoDecision, "write to", folder, &error))?;
        session.say("the engine is told to roll back the next time that it asks\n");
        Ok(Exit::Holds)
    }
}

/// The clock: the service takes it as an argument.
fn clock() -> Timestamp {
    chrono::Utc::now()
}

fn unconfigured(error: &RuntimeError) -> Failure {
    Failure::of(Exit::Usage, error)
        .hint("`runtime: {environment: …, prometheus: {url: …}}` in laforge.yaml: docs/rollout.md")
}

fn unwritable(error: &MemoryError) -> Failure {
    Failure::of(Exit::NoDecision, error).hint("`runtime: state` in laforge.yaml names the folder")
}
