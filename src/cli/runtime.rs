//! `laforge runtime`: the gate, its log and its rollouts as a service.
//!
//! In: `service:`, `audit:`, `trust:` and `executor:` of laforge.yaml; perhaps a plan for engines, taken in by steps 0
//! to 8 of `Envelope::accept` (`formats.md` section 8), and `runtime:`. Out: an HTTP service until SIGTERM; it starts
//! nothing. Or, with `--roll-back`, a request that the service finds.

mod evaluate;
mod reach;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::audit::Expectations;
use crate::audit::follow::Followed;
use crate::config::Config;
use crate::config::service::{Callers, Service};
use crate::release::digest::Digest;
use crate::rollout::acceptance::JournalState;
use crate::rollout::executor::runtime::{Runtime as Configured, RuntimeError};
use crate::rollout::guard::Ask;
use crate::rollout::metrics::prometheus::Prometheus;
use crate::serve::RolloutsAt;
use crate::serve::login::Login;
use crate::serve::runtime::{
    self, Desk, Listeners, LogAt, Memory, MemoryError, Parts, Renew, Renewed, Source,
};
use crate::serve::traces::{Settings, Traces};
use crate::time::{self, Timestamp};
use crate::trust::TrustRoot;
use crate::yaml;

use super::listen::{ConnectionFlags, bound, check_roles};
use super::load::{self, AnchorFlags, LogPlace, Whereabouts};
use super::{Exit, Failure, Session, flags};

/// What stands for trust where none is configured: nobody's word counts.
const NOBODY: &str = "apiVersion: laforge.dev/v1\nkind: Trust\n";

/// Serve the gate, the log and rollouts; with a plan, verdicts to Argo Rollouts and gates to Flagger, too.
#[derive(Debug, Args)]
pub(super) struct Runtime {
    /// The plan that engines ask about, as `deploy` gave it; without one they are not answered
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceFlags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    anchor: AnchorFlags,
    #[command(flatten)]
    request: RequestFlags,
}

/// Where it is served, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
struct PlaceFlags {
    /// Where to listen: an address and a port; other than on loopback a certificate is needed
    #[arg(long, value_name = "ADDRESS", value_parser = flags::address, default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// Where to answer probes and /metrics besides, over HTTP, to whoever asks
    #[arg(long, value_name = "ADDRESS", value_parser = flags::address)]
    probes: Option<SocketAddr>,
    /// Let whoever reaches it read decisions, plans and rollouts
    #[arg(long)]
    insecure_read: bool,
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
        if config.is_empty() {
            return Err(load::unconfigured("there is nothing to serve: no configuration", session)
                .hint("`laforge init` writes a first one; docs/runtime.md says what is served"));
        }
        let configured = Configured::of(config.runtime.as_ref(), config.executor.as_ref());
        match &self.plan {
            Some(plan) if self.request.roll_back => {
                let runtime = configured.map_err(|error| unconfigured(&error))?;
                self.ask(plan, &runtime, session)
            }
            Some(plan) => {
                let runtime = configured.map_err(|error| unconfigured(&error))?;
                self.serve(Some((plan, runtime)), &config, session)
            }
            None if self.request.roll_back => {
                Err(Failure::usage("no plan is named that is to be rolled back")
                    .hint("name the plan that the service was started with"))
            }
            None => self.serve(None, &config, session),
        }
    }

    fn serve(
        &self,
        engine: Option<(&PathBuf, Configured)>,
        config: &Config,
        session: &Session,
    ) -> Result<Exit, Failure> {
        let service = self.service(config)?;
        let certificate = self.connection.certificate(self.place.listen, &service)?;
        let trust = trust(config, session)?;
        check_gates(&service, &trust)?;
        check_roles(&service, &trust)?;
        let desk = engine.map(|(plan, runtime)| self.desk(plan, runtime, config, session)).transpose()?;
        let log = log_at(config, &trust, session);
        let login = Login::of(service.clone(), Arc::new(trust), clock)
            .map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        let traces = traces(session)?;
        let listeners = Listeners {
            main: bound(self.place.listen)?,
            probes: self.place.probes.map(bound).transpose()?,
            certificate,
        };
        self.say(&listeners, &service, session);
        let parts = Parts {
            login,
            service,
            readers: if self.place.insecure_read { Callers::Anyone } else { Callers::Known },
            log,
            decide: evaluate::decide(config, session),
            desk,
            rollouts: rollouts_at(config),
            trust: renewed(session),
            clock,
            traces,
        };
        runtime::serve(listeners, parts).map_err(|error| Failure::of(Exit::NoDecision, &error))?;
        Ok(Exit::Holds)
    }

    /// What is configured, under what the command line says. Without a section engines are answered, as they always
    /// were: on loopback, or where that is asked for.
    fn service(&self, config: &Config) -> Result<Service, Failure> {
        let service = config.service.clone().unwrap_or_else(|| Service {
            engines: if self.plan.is_some() { Callers::Anyone } else { Callers::Known },
            ..Service::default()
        });
        let service = self.connection.over(service);
        if service.admission.is_some() && config.audit.is_none() {
            return Err(Failure::usage("`service: admission` admits by a log, and none is configured")
                .hint("name it with `audit: {log: …}` in laforge.yaml"));
        }
        if service.admission.is_some() && config.trust.is_none() {
            return Err(Failure::usage(
                "`service: admission` admits by a log that trust pins, and there is no trust",
            )
            .hint("name it with `trust: trust.yaml` in laforge.yaml"));
        }
        Ok(service)
    }

    fn desk(
        &self,
        plan: &Path,
        runtime: Configured,
        config: &Config,
        session: &Session,
    ) -> Result<Arc<Desk>, Failure> {
        let trust = load::executor_trust(config, session)?;
        let place = Whereabouts { environment: &runtime.environment, target: &runtime.target };
        let bytes = session.read_file(plan)?;
        // Whether a guard of our own ran it is not asked: it is an engine that runs it here.
        let absent = |_: &Digest| JournalState::Absent;
        let now = session.now();
        let plan = load::accept_for(place, &bytes, &self.anchor, config, &trust, &absent, (session, now))?;
        let metrics =
            Prometheus::new(&runtime.prometheus).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let memory = Memory::of(&runtime.state, &runtime.target, &plan.proven().digest());
        memory.make().map_err(|error| unwritable(&error))?;
        session.say(&format!(
            "laforge runtime: engines are answered for plan {}, in force until {}\n",
            plan.proven().digest(),
            time::to_seconds(plan.proven().core().validity.not_after)
        ));
        let source = Source { runtime, metrics: Box::new(metrics), clock };
        Desk::of(&plan, memory, source).map(Arc::new).map_err(|error| Failure::of(Exit::Integrity, &error))
    }

    fn say(&self, listeners: &Listeners, service: &Service, session: &Session) {
        let address = |listener: &TcpListener, given: SocketAddr| listener.local_addr().unwrap_or(given);
        let scheme = if service.tls.is_some() { "https" } else { "http" };
        let main = address(&listeners.main, self.place.listen);
        session.say(&format!("laforge runtime: {scheme}://{main} answers\n"));
        if let (Some(listener), Some(given)) = (&listeners.probes, self.place.probes) {
            session.say(&format!("laforge runtime: http://{} answers probes\n", address(listener, given)));
        }
        if self.place.insecure_read {
            session.tell(
                "warning: whoever reaches it may read decisions, plans and rollouts (--insecure-read)\n",
            );
        }
    }

    /// Leaves a request beside what the service remembers. The plan needn't be in force any more.
    fn ask(&self, plan: &Path, runtime: &Configured, session: &Session) -> Result<Exit, Failure> {
        let bytes = session.read_file(plan)?;
        let envelope: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        let digest = envelope.as_ref().and_then(|envelope| envelope.get("plan")).map(Digest::of_value);
        let digest = digest.ok_or_else(|| {
            Failure::new(Exit::Integrity, format!("`{}` is no plan", plan.display()))
                .hint("name the plan that `laforge deploy -o FILE` wrote")
        })?;
        let actor = self.request.actor.clone().or_else(|| session.variable("USER")).unwrap_or_default();
        let reason = self.request.reason.as_deref().unwrap_or_default();
        let operator = Ask::operator(&actor, reason).map_err(|error| {
            Failure::of(Exit::Usage, &error).hint("give --reason and --actor; both are told")
        })?;
        let memory = Memory::of(&runtime.state, &runtime.target, &digest);
        memory.make().map_err(|error| unwritable(&error))?;
        let folder = memory.folder();
        memory
            .asks()
            .leave(&Ask::of_engine(operator))
            .map_err(|error| Failure::io(Exit::NoDecision, "write to", folder, &error))?;
        session.say("the engine is told to roll back the next time that it asks\n");
        Ok(Exit::Holds)
    }
}

/// Where traces go, by the environment's word.
fn traces(session: &Session) -> Result<Traces, Failure> {
    let hint = "where traces go is said by the variables of OpenTelemetry: docs/runtime.md#traces";
    let settings = Settings::of(|name| session.variable(name))
        .map_err(|error| Failure::of(Exit::Usage, &error).hint(hint))?;
    let Some(settings) = settings else { return Ok(Traces::default()) };
    Traces::on(&settings, clock).map_err(|error| Failure::of(Exit::Usage, &error).hint(hint))
}

/// Whose word counts; nobody's where no trust is configured.
fn trust(config: &Config, session: &Session) -> Result<TrustRoot, Failure> {
    match config.trust {
        Some(_) => load::executor_trust(config, session),
        None => {
            let source = yaml::Source::new("trust.yaml", NOBODY);
            let mut none =
                |_: &Path| -> std::io::Result<Vec<u8>> { Err(std::io::ErrorKind::NotFound.into()) };
            Ok(TrustRoot::load(&source, &mut none, Path::new(""))?)
        }
    }
}

/// A webhook that could never admit anything is a mistake, which is better said before a cluster asks it.
fn check_gates(service: &Service, trust: &TrustRoot) -> Result<(), Failure> {
    let Some(admission) = &service.admission else { return Ok(()) };
    let decided = |name: &String| trust.gates.iter().any(|gate| gate.environments.contains(name));
    let mut environments = admission.namespaces.values().chain([&admission.environment]);
    match environments.any(decided) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "`service: admission` is for `{}`, and trust pins no gate that may decide for it",
            admission.environment
        ))
        .hint("pin the log that admits under `gates` in trust.yaml, with its `environments`")),
    }
}

/// Reads trust again, as it is configured then.
fn renewed(session: &Session) -> Renew {
    let session = session.clone();
    let read = move || -> Result<Renewed, Failure> {
        let config = load::config(&session)?;
        let trust = trust(&config, &session)?;
        let log = log_at(&config, &trust, &session);
        Ok(Renewed { trust, log })
    };
    Box::new(move || read().map_err(|failure| failure.sentence()))
}

/// The configured log, pinned as trust pins it.
fn log_at(config: &Config, trust: &TrustRoot, session: &Session) -> Option<LogAt> {
    let audit = config.audit.as_ref()?;
    let place = LogPlace::of(None, None, config).ok()?;
    let Expectations { origin, pins, .. } = place.expectations(Some(trust), session);
    let log = Followed { folder: audit.log.path.clone(), origin, pins };
    let decides = trust.gates.iter().map(|gate| (gate.log_id.clone(), gate.environments.clone())).collect();
    Some(LogAt { log, decides })
}

fn rollouts_at(config: &Config) -> Option<RolloutsAt> {
    if let Some(executor) = &config.executor {
        return Some(RolloutsAt { state: executor.state.clone(), target: executor.target.clone() });
    }
    let runtime = Configured::of(config.runtime.as_ref(), None).ok()?;
    Some(RolloutsAt { state: runtime.state, target: runtime.target })
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
