//! `laforge runtime`: the gate, its log and its rollouts as a service.
//!
//! In: listeners, and [`Parts`]: who may ask, the log, what decides, what is rolled out, and perhaps one accepted
//! plan for engines which shift traffic themselves. Out: answers, until SIGTERM or SIGINT. Every route but the probes
//! is behind the [`login`](super::login), and behind one right. Routes: [`openapi`] lists them; [`argo`] and
//! [`flagger`] are for engines (`rollout.md` sections 4 and 5).

mod admission;
mod argo;
mod body;
mod counting;
mod course;
mod decisions;
mod desk;
mod evaluate;
mod flagger;
mod ledger;
mod memory;
mod migration;
pub mod openapi;
mod probes;
mod query;
mod rollouts;

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodFilter, get, on, post};
use tokio::sync::Semaphore;

use super::RolloutsAt;
use super::access::{Access, noted};
use super::caller::{Right, need};
use super::keeper::{Keeper, Pulse, look_after};
use super::login::{Login, protect};
use super::metrics::{AUDIT_APPEND, Meter, POLICY, VERIFICATION};
use super::problem::Problem;
use super::server::{self, Certificate, Front, Leaving, ServeError};
use super::traces::Traces;
use crate::config::service::{Callers, Service};
use crate::time::Timestamp;
use crate::trust::TrustRoot;
use admission::{READERS, Webhook};
use evaluate::Evaluator;
use ledger::Ledger;
use probes::Health;
use rollouts::Rollouts;

pub use course::{Course, Step};
pub use desk::{Desk, Source};
pub use evaluate::{Decide, Decided, Evaluation, Question, Undecided};
pub use ledger::LogAt;
pub use memory::{Memory, MemoryError};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What the service is made of.
pub struct Parts {
    /// Whom to let in.
    pub login: Login,
    /// What is configured.
    pub service: Service,
    /// Who may read.
    pub readers: Callers,
    /// The log.
    pub log: Option<LogAt>,
    /// What decides.
    pub decide: Option<Decide>,
    /// The plan that engines ask about.
    pub desk: Option<Arc<Desk>>,
    /// Rollouts of this machine's guard.
    pub rollouts: Option<RolloutsAt>,
    /// Reads trust again.
    pub trust: Renew,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// Where traces go, if anywhere.
    pub traces: Traces,
}

/// Whose word counts, read again.
pub struct Renewed {
    /// People and their roles.
    pub trust: TrustRoot,
    /// The log, and what trust says of it.
    pub log: Option<LogAt>,
}

/// Reads trust again, or says why it can't.
pub type Renew = Box<dyn Fn() -> Result<Renewed, String> + Send>;

/// Where it is served.
pub struct Listeners {
    /// Everything.
    pub main: TcpListener,
    /// Probes and metrics alone, for whoever reaches it.
    pub probes: Option<TcpListener>,
    /// The certificate of the first.
    pub certificate: Option<Certificate>,
}

/// What routes share.
struct Shared {
    ledger: Option<Arc<Ledger>>,
    meter: Arc<Meter>,
    rollouts: Option<Arc<Rollouts>>,
    health: Arc<Health>,
    evaluator: Option<Arc<Evaluator>>,
}

/// Serves until SIGTERM or SIGINT, and then finishes what is under way.
///
/// # Errors
/// [`ServeError`]: it could not begin.
pub fn serve(listeners: Listeners, parts: Parts) -> Result<(), ServeError> {
    let leaving = Leaving::default();
    let (limits, desk, traces) = (parts.service.limits, parts.desk.clone(), parts.traces.clone());
    let certificate = listeners.certificate.map(Arc::new);
    let shared = Shared::of(&parts, &leaving);
    let mut fronts = Vec::new();
    if let Some(listener) = listeners.probes {
        let routes = probes::routes(&shared.health).merge(probes::metrics(&shared.health));
        fronts.push(Front { listener, routes, certificate: None });
    }
    let routes = routes(&parts, &shared);
    let (read, renewed) = (parts.trust, shared.ledger.clone());
    let trust = move || {
        let Renewed { trust, log } = read()?;
        if let (Some(ledger), Some(log)) = (&renewed, log) {
            ledger.renew(log);
        }
        Ok(Arc::new(trust))
    };
    let pulse = (shared.health.pulse.clone(), parts.clock);
    let keeper = Keeper::new(parts.login, certificate.clone(), Box::new(trust), pulse.clone());
    look_after("keeper", LOOK, pulse, keep(keeper, shared.ledger))?;
    fronts.push(Front { listener: listeners.main, routes, certificate });
    let served = server::serve_all(fronts, limits, &leaving, || {
        if let Some(desk) = desk {
            desk.end();
        }
    });
    traces.end();
    served
}

impl Shared {
    fn of(parts: &Parts, leaving: &Leaving) -> Self {
        let meter = Arc::new(Meter::default());
        [VERIFICATION, POLICY, AUDIT_APPEND].into_iter().for_each(|family| meter.begin(family));
        let valid_for = parts.service.admission.as_ref().and_then(|admission| admission.valid_for);
        let ledger = parts.log.clone().map(|log| Arc::new(Ledger::new(log, valid_for, parts.clock)));
        let rollouts = parts.rollouts.clone().map(|at| Arc::new(Rollouts::new(at, parts.clock)));
        let health = Arc::new(Health {
            leaving: leaving.clone(),
            pulse: Pulse::of((parts.clock)()),
            ledger: ledger.clone(),
            desk: parts.desk.clone(),
            rollouts: rollouts.clone(),
            meter: Arc::clone(&meter),
            traces: parts.traces.clone(),
        });
        let evaluator = parts.decide.clone().map(|decide| {
            let limits = parts.service.limits;
            Arc::new(Evaluator::new(decide, limits, Arc::clone(&meter)))
        });
        Self { ledger, meter, rollouts, health, evaluator }
    }
}

/// Keeps what is held in memory as it is outside.
fn keep(mut keeper: Keeper, ledger: Option<Arc<Ledger>>) -> impl FnMut() -> ControlFlow<()> {
    move || {
        if let Some(ledger) = &ledger {
            // What is wrong with it is its state, which answers tell.
            let _ = ledger.look();
        }
        keeper.look();
        ControlFlow::Continue(())
    }
}

/// The whole of what can be asked.
fn routes(parts: &Parts, shared: &Shared) -> Router {
    let Parts { login, service, .. } = parts;
    let readers = match parts.readers {
        Callers::Anyone => login.open_for([Right::Read]),
        Callers::Known => login.clone(),
    };
    let engines = match service.engines {
        Callers::Anyone => login.open_for([Right::Engine]),
        Callers::Known => login.clone(),
    };
    let reading = need(reading(shared), Right::Read);
    let doing = need(control(parts, shared), Right::Control).merge(need(evaluation(shared), Right::Evaluate));
    let behind = protect(reading, readers)
        .merge(protect(doing, login.clone()))
        .merge(protect(need(engine(parts), Right::Engine), engines))
        .merge(admission(parts, shared));
    let routes = probes::routes(&shared.health).merge(server::bounded(behind, service.limits.requests));
    let access = Access {
        meter: Arc::clone(&shared.meter),
        clock: parts.clock,
        traces: parts.traces.clone(),
        scheme: if service.tls.is_some() { "https" } else { "http" },
    };
    noted(routes, access)
}

fn reading(shared: &Shared) -> Router {
    let log = match &shared.ledger {
        Some(ledger) => Router::new()
            .route("/v1/decisions", get(decisions::list))
            .route("/v1/decisions/{index}", get(decisions::entry))
            .route("/v1/decisions/{index}/proof", get(decisions::proof))
            .route("/v1/decisions/{index}/plan", get(decisions::plan))
            .route("/v1/log", get(decisions::log))
            .with_state(Arc::clone(ledger)),
        None => closed(
            &[
                (GET, "/v1/decisions"),
                (GET, "/v1/decisions/{index}"),
                (GET, "/v1/decisions/{index}/proof"),
                (GET, "/v1/decisions/{index}/plan"),
                (GET, "/v1/log"),
            ],
            "no log is configured: `audit: {log: …}` in laforge.yaml",
        ),
    };
    let rollouts = match &shared.rollouts {
        Some(rollouts) => Router::new()
            .route("/v1/rollouts", get(rollouts::list))
            .route("/v1/rollouts/{target}", get(rollouts::one))
            .with_state(Arc::clone(rollouts)),
        None => closed(&[(GET, "/v1/rollouts"), (GET, "/v1/rollouts/{target}")], NO_ROLLOUTS),
    };
    log.merge(rollouts).merge(probes::metrics(&shared.health)).route("/openapi.json", get(openapi::document))
}

const NO_ROLLOUTS: &str = "nothing is rolled out here: `executor:` or `runtime:` in laforge.yaml";

fn control(parts: &Parts, shared: &Shared) -> Router {
    match &shared.rollouts {
        Some(rollouts) => Router::new()
            .route("/v1/rollouts/{target}/{verb}", post(rollouts::ask))
            .with_state((Arc::clone(rollouts), parts.desk.clone())),
        None => closed(&[(POST, "/v1/rollouts/{target}/{verb}")], NO_ROLLOUTS),
    }
}

fn evaluation(shared: &Shared) -> Router {
    match &shared.evaluator {
        Some(evaluator) => {
            Router::new().route("/v1/evaluate", post(evaluate::evaluate)).with_state(Arc::clone(evaluator))
        }
        None => closed(
            &[(POST, "/v1/evaluate")],
            "nothing can be decided here: `trust:` and `audit:` in laforge.yaml",
        ),
    }
}

fn engine(parts: &Parts) -> Router {
    match &parts.desk {
        Some(desk) => Router::new()
            .route("/v1/argo/verdict", get(argo::verdict).post(argo::verdict))
            .route("/v1/flagger/{gate}", post(flagger::gate))
            .with_state(Arc::clone(desk)),
        None => closed(
            &[(GET.or(POST), "/v1/argo/verdict"), (POST, "/v1/flagger/{gate}")],
            "no engine is answered here: the service was started without a plan (`laforge runtime PLAN`)",
        ),
    }
}

fn admission(parts: &Parts, shared: &Shared) -> Router {
    let (Some(admission), Some(ledger)) = (&parts.service.admission, &shared.ledger) else {
        let why =
            "nothing is admitted here: `service: {admission: {environment: …}}` and `audit:` in laforge.yaml";
        return protect(need(closed(&[(POST, "/v1/admission")], why), Right::Admission), parts.login.clone());
    };
    let webhook = Webhook {
        admission: admission.clone(),
        ledger: Arc::clone(ledger),
        meter: Arc::clone(&shared.meter),
        readers: Arc::new(Semaphore::new(READERS)),
        clock: parts.clock,
    };
    let routes = Router::new().route("/v1/admission", post(admission::review)).with_state(Arc::new(webhook));
    let login = match admission.callers {
        Callers::Anyone => parts.login.open_for([Right::Admission]),
        Callers::Known => parts.login.clone(),
    };
    protect(need(routes, Right::Admission), login)
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;

/// Routes that there would be, were something configured. Another method is as wrong as it would be then.
fn closed(paths: &[(MethodFilter, &str)], why: &'static str) -> Router {
    let answer = move || async move { Problem::new(404, why).response() };
    paths.iter().fold(Router::new(), |routes, (methods, path)| routes.route(path, on(*methods, answer)))
}
