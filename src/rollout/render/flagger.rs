//! Flagger: a `Canary` whose gates are the guard's, its metrics, and the Deployment that it watches.
//!
//! Flagger makes Services and routes by itself; it has no pause, so the guard's gates hold what it can
//! (`confirm-traffic-increase` answers 403, which counts as no failed check).
//! Spec: <https://docs.flagger.app/usage/how-it-works>, CRDs of v1.44.0.

use serde_json::{Value, json};

use super::course::Course;
use super::object::object;
use super::pod::{SERVICE_PORT, deployment};
use super::query::Judged;
use super::{Lossy, RenderError, Rendered};

const GROUP: &str = "flagger.app/v1beta1";
/// What Flagger replaces by a metric's `interval`.
const INTERVAL: &str = "{{ interval }}";
/// How long the guard may take to answer a gate.
const GATE_TIMEOUT: &str = "5s";

/// The plan for Flagger.
///
/// # Errors
/// [`RenderError`].
pub(super) fn render(course: &Course<'_>) -> Result<Rendered, RenderError> {
    let mut objects = Vec::new();
    let mut metrics = Vec::new();
    let longest = longest(course);
    for objective in &course.core.objectives {
        let judged = Judged::of(course, objective, INTERVAL)?;
        for (suffix, query, range) in [
            ("-samples", &judged.samples, json!({"min": judged.min_samples})),
            ("", &judged.ratio, json!({"max": judged.max.number()})),
        ] {
            let name = course.part(&format!("{}{suffix}", judged.id));
            objects.push(template(course, &name, query)?);
            metrics.push(json!({
                "name": format!("{}{suffix}", judged.id),
                "interval": format!("{}s", longest.window),
                "templateRef": {"name": name, "namespace": course.namespace},
                "thresholdRange": range,
            }));
        }
    }
    objects.push(deployment(course, course.candidate, None, course.replicas));
    objects.push(canary(course, &metrics, longest)?);
    Ok(Rendered { objects, lossy: lossy(course, longest), commands: Vec::new() })
}

/// The one interval that Flagger has: nothing is watched for a shorter time than the plan says.
#[derive(Clone, Copy)]
struct Longest {
    window: u64,
    settle: u64,
    same: bool,
}

fn longest(course: &Course<'_>) -> Longest {
    let observed = || course.steps.iter().filter(|step| step.window_seconds > 0);
    let windows = || observed().map(|step| step.window_seconds);
    let settles = || course.steps.iter().map(|step| step.settle_seconds);
    // A plan of one step has no window but the watch.
    let window = windows().max().unwrap_or(course.monitor.window_seconds);
    let settle = settles().max().unwrap_or(0);
    Longest { window, settle, same: windows().all(|one| one == window) && settles().all(|one| one == settle) }
}

fn lossy(course: &Course<'_>, longest: Longest) -> Vec<Lossy> {
    let mut lossy = vec![
        Lossy::FirstRollout,
        Lossy::Extensions,
        Lossy::Estimates,
        Lossy::Freshness,
        Lossy::Baseline,
        Lossy::BreachRollsBack,
        Lossy::NoDataRollsBack,
        Lossy::ReadBack,
        Lossy::Promotion,
        Lossy::Monitor,
    ];
    let core = course.core;
    let all = core.objectives.len();
    let also = [
        (
            Lossy::Objectives,
            course.steps.iter().any(|step| !(step.objectives.is_empty() || step.objectives.len() == all)),
        ),
        (Lossy::MigrationFailure, course.migration.is_some()),
        (Lossy::OneInterval, !longest.same),
        (Lossy::FastBurn, core.objectives.iter().any(|objective| objective.fast_burn.is_some())),
        (Lossy::CandidateScale, core.strategy.candidate_scale.iter().any(|scale| *scale != 100)),
    ];
    lossy.extend(also.into_iter().filter_map(|(lossy, is_so)| is_so.then_some(lossy)));
    lossy
}

fn template(course: &Course<'_>, name: &str, query: &str) -> Result<Value, RenderError> {
    let address = course.needs("prometheus", course.settings.prometheus.as_ref())?;
    let spec = json!({"provider": {"type": "prometheus", "address": address}, "query": query});
    Ok(object(course, (GROUP, "MetricTemplate"), name, json!({"spec": spec})))
}

fn canary(course: &Course<'_>, metrics: &[Value], longest: Longest) -> Result<Value, RenderError> {
    let gateway = course.gateway()?;
    let hosts = (!course.settings.hostnames.is_empty()).then_some(&course.settings.hostnames);
    let hosts = course.needs("hostnames", hosts)?;
    let analysis = json!({
        "interval": format!("{}s", longest.settle + longest.window),
        // The first failed check rolls back.
        "threshold": 1,
        "stepWeights": course.weights(),
        "metrics": metrics,
        "webhooks": webhooks(course)?,
    });
    let spec = json!({
        "provider": "gatewayapi:v1",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": course.name},
        "progressDeadlineSeconds": course.warmup.timeout_seconds,
        "service": {
            "port": SERVICE_PORT,
            "targetPort": course.settings.port,
            "hosts": hosts,
            "gatewayRefs": [{"name": gateway.name, "namespace": gateway.namespace}],
        },
        "analysis": analysis,
    });
    Ok(object(course, (GROUP, "Canary"), course.name, json!({"spec": spec})))
}

/// What Flagger asks the guard; without a migration there is none to ask for.
fn webhooks(course: &Course<'_>) -> Result<Vec<Value>, RenderError> {
    let guard = course.needs("guard", course.settings.guard.as_ref())?;
    let digest = course.plan_digest.to_string();
    let hook = |name: &str, kind: &str, path: &str, timeout: &str| {
        json!({
            "name": name,
            "type": kind,
            "url": format!("{guard}/v1/flagger/{path}"),
            "timeout": timeout,
            "metadata": {"planDigest": digest},
        })
    };
    let mut hooks = vec![hook("plan-fresh", "confirm-rollout", "start", GATE_TIMEOUT)];
    if let Some(migration) = &course.migration {
        let timeout = format!("{}s", migration.timeout_seconds);
        hooks.push(hook("migrate", "pre-rollout", "migrate", &timeout));
    }
    hooks.extend([
        hook("step", "confirm-traffic-increase", "step", GATE_TIMEOUT),
        hook("promote", "confirm-promotion", "promote", GATE_TIMEOUT),
        hook("rollback", "rollback", "rollback", GATE_TIMEOUT),
        hook("audit", "event", "event", GATE_TIMEOUT),
    ]);
    Ok(hooks)
}
