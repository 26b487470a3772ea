//! The tools of an executor: its driver, programs, probe and metrics, made of its section.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use crate::plan::members::{Objective, Phase};
use crate::release::digest::ClaimedDigest;
use crate::rollout::driver::exec::Commands;
use crate::rollout::driver::gateway_api::GatewayApi;
use crate::rollout::driver::gateway_api::credentials::CredentialsError;
use crate::rollout::driver::haproxy::Haproxy;
use crate::rollout::driver::nginx::Nginx;
use crate::rollout::driver::probe::Probe;
use crate::rollout::driver::{Backends, DriverError, Traffic};
use crate::rollout::executor::{Driver, Executor, Slot};
use crate::rollout::guard::{Assignment, Programs, Records, Tools};
use crate::rollout::journal::Slots;
use crate::rollout::machine::Weight;
use crate::rollout::metrics::haproxy::HaproxyCounters;
use crate::rollout::metrics::prometheus::Prometheus;
use crate::rollout::metrics::{Counted, Metrics, MetricsError};
use crate::rollout::objective::Instance;
use crate::time::Timestamp;

/// How long a proxy may take to answer.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often haproxy's counters are read where they are the only ones.
const OWN_INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// Why an executor can't be put to work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ToolError {
    /// Its driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// What its driver logs in with.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Its metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Both slots have traffic, so none is free for a candidate.
    #[error("no slot is free for a candidate: `{0}` has {1} % of the traffic and `{2}` the rest")]
    Split(String, Weight, String),
    /// Objectives for haproxy's counters, and another driver.
    #[error("`metrics.haproxy` names objectives, and the driver is not haproxy")]
    OtherCounters,
}

/// Which slot serves and which is free, as read now.
pub(super) fn slots_now(executor: &Executor, plan: &ClaimedDigest) -> Result<Slots, ToolError> {
    let [one, other] = executor.slots.each_ref();
    let mut traffic = traffic(executor, one, other, plan)?;
    match traffic.read()?.weight() {
        Weight::ZERO => Ok(Slots { stable: one.name.clone(), candidate: other.name.clone() }),
        Weight::FULL => Ok(Slots { stable: other.name.clone(), candidate: one.name.clone() }),
        weight => Err(ToolError::Split(other.name.clone(), weight, one.name.clone())),
    }
}

/// Everything that a guard works with.
pub(super) fn of(
    executor: &Executor,
    assignment: &Assignment,
    book: Box<dyn Records>,
) -> Result<Tools, ToolError> {
    let slot = |name: &str| executor.slots.iter().find(|slot| slot.name == name);
    let [one, other] = executor.slots.each_ref();
    let stable = slot(&assignment.slots.stable).unwrap_or(one);
    let candidate = slot(&assignment.slots.candidate).unwrap_or(other);
    let (path, within) = readiness(assignment);
    let runs: BTreeMap<String, Vec<String>> =
        executor.slots.iter().map(|slot| (slot.name.clone(), slot.runs.clone())).collect();
    Ok(Tools {
        traffic: traffic(executor, stable, candidate, &assignment.plan.claim())?,
        programs: Programs {
            commands: Commands::new(&executor.commands, executor.program_timeout),
            variables: assignment.variables(),
            runs,
            timeout: executor.program_timeout,
        },
        probe: Probe::new(&candidate.probe, path, within)?,
        metrics: metrics(executor)?,
        book,
    })
}

/// The candidate's path, and how long an answer is waited for: longer than it may take, so that slow and
/// silent are told apart.
fn readiness(assignment: &Assignment) -> (&str, Duration) {
    let phases = &assignment.core.phases;
    let warmup = phases.iter().find_map(|phase| match phase {
        Phase::Warmup { http_get, probe_latency_max_ms, .. } => Some((
            http_get.path.as_str(),
            Duration::from_millis(probe_latency_max_ms.saturating_mul(4).max(1000)),
        )),
        _ => None,
    });
    warmup.unwrap_or(("/", Duration::from_secs(1)))
}

fn traffic(
    executor: &Executor,
    stable: &Slot,
    candidate: &Slot,
    plan: &ClaimedDigest,
) -> Result<Box<dyn Traffic>, ToolError> {
    let backends = Backends { stable: stable.backend.clone(), candidate: candidate.backend.clone() };
    Ok(match &executor.driver {
        Driver::Haproxy(section) => Box::new(Haproxy::new(section, backends, DRIVER_TIMEOUT)?),
        Driver::Nginx(section) => {
            Box::new(Nginx::new(section, backends, &candidate.name, plan.clone(), DRIVER_TIMEOUT)?)
        }
        Driver::GatewayApi(section) => Box::new(GatewayApi::new(section, backends)?.taking_over()),
    })
}

/// Prometheus for all objectives, but for those that haproxy's own counters answer.
struct Both {
    prometheus: Option<Prometheus>,
    haproxy: Option<(Vec<String>, HaproxyCounters)>,
    interval: TimeDelta,
}

impl Metrics for Both {
    fn counters(
        &mut self,
        objective: &Objective,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError> {
        match (&mut self.haproxy, &mut self.prometheus) {
            (Some((ids, haproxy)), _) if ids.contains(&objective.id) => {
                haproxy.counters(objective, counted, from, until)
            }
            (_, Some(prometheus)) => prometheus.counters(objective, counted, from, until),
            _ => Err(MetricsError::Unanswerable {
                objective: objective.id.clone(),
                from: "haproxy",
                problem: "`metrics.haproxy` does not name it, and there is no Prometheus",
            }),
        }
    }

    fn interval(&self) -> TimeDelta {
        self.interval
    }
}

fn metrics(executor: &Executor) -> Result<Box<dyn Metrics>, ToolError> {
    let prometheus = executor.metrics.prometheus.as_ref().map(Prometheus::new).transpose()?;
    let interval = prometheus.as_ref().map_or(OWN_INTERVAL, Metrics::interval);
    let haproxy = match (&executor.driver, executor.metrics.haproxy.as_slice()) {
        (_, []) => None,
        (Driver::Haproxy(section), ids) => {
            Some((ids.to_vec(), HaproxyCounters::new(section, &executor.slots, interval)))
        }
        _ => return Err(ToolError::OtherCounters),
    };
    Ok(Box::new(Both { prometheus, haproxy, interval }))
}
