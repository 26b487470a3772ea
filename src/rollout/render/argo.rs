//! Argo Rollouts: a canary `Rollout` with an inline analysis for each step, in pause mode.
//!
//! Pause mode: no failure condition holds, so what is no success is inconclusive, and Argo pauses. Blue/green
//! is a canary at full size, since Argo's own can't be weighted (argo-rollouts#1216).
//! Spec: <https://argoproj.github.io/argo-rollouts/features/specification/>, CRDs of v1.9.1.

use serde_json::{Map, Value, json};

use crate::plan::members::Step;

use super::course::{Course, Migration};
use super::object::{annotated, migration_annotations, object};
use super::pod::{job_spec, migrating, selector, service, template};
use super::query::Judged;
use super::{Lossy, RenderError, Rendered, gateway};

const GROUP: &str = "argoproj.io/v1alpha1";
const WINDOW: &str = "{{args.window}}";
const DELAY: &str = "{{args.delay}}";
/// How long the old version stays after the last step. No plan says it; every balancer has moved by then.
const OLD_VERSION_STAYS_SECONDS: u64 = 600;

/// The plan for Argo Rollouts.
///
/// # Errors
/// [`RenderError`].
pub(super) fn render(course: &Course<'_>) -> Result<Rendered, RenderError> {
    let mut objects = Vec::new();
    for objective in &course.core.objectives {
        objects.push(analysis(course, &Judged::of(course, objective, WINDOW)?)?);
    }
    if let Some(migration) = &course.migration {
        objects.push(migration_analysis(course, migration)?);
    }
    let names = [course.part("stable"), course.part("candidate")];
    objects.extend(names.iter().map(|name| service(course, name, None)));
    if course.settings.gateway.is_some() {
        objects.push(gateway::route(course, &names, Map::new())?);
    }
    objects.push(rollout(course, &names));
    Ok(Rendered { objects, lossy: lossy(course), commands: Vec::new() })
}

fn lossy(course: &Course<'_>) -> Vec<Lossy> {
    let mut lossy = vec![
        Lossy::Expiry,
        Lossy::FirstRollout,
        Lossy::Extensions,
        Lossy::Estimates,
        Lossy::Freshness,
        Lossy::Baseline,
        Lossy::PauseDeadline,
        Lossy::ReadBack,
        Lossy::StableFlip,
        Lossy::Unrecorded,
    ];
    lossy.extend(course.migration.as_ref().map(|_| Lossy::MigrationFailure));
    lossy
}

/// One look at the window's end, whose range lies inside the step; and one each time a lookback has passed.
fn analysis(course: &Course<'_>, judged: &Judged) -> Result<Value, RenderError> {
    let prometheus = course.needs("prometheus", course.settings.prometheus.as_ref())?;
    let provider =
        |query: &str| json!({"prometheus": {"address": prometheus, "timeout": 10, "query": query}});
    let once = |name: String, query: &str, holds: String| {
        json!({
            "name": name,
            "initialDelay": DELAY,
            "count": 1,
            "inconclusiveLimit": 0,
            "consecutiveErrorLimit": 0,
            "successCondition": format!("len(result) > 0 && !isNaN(result[0]) && result[0] {holds}"),
            "failureCondition": "false",
            "provider": provider(query),
        })
    };
    let mut metrics = vec![
        once(format!("{}-samples", judged.id), &judged.samples, format!(">= {}", judged.min_samples)),
        once(judged.id.clone(), &judged.ratio, format!("<= {}", judged.max.text())),
    ];
    let mut args = vec![json!({"name": "window"}), json!({"name": "delay"})];
    if let Some(burn) = &judged.burn {
        // Argo checks a template before any step gives it arguments, and takes a count that is no number for endless.
        args.extend([json!({"name": "looks", "value": "1"}), json!({"name": "first-look"})]);
        metrics.push(json!({
            "name": format!("{}-fast-burn", judged.id),
            "initialDelay": "{{args.first-look}}",
            "interval": format!("{}s", burn.lookback_seconds),
            "count": "{{args.looks}}",
            "inconclusiveLimit": 0,
            "consecutiveErrorLimit": 0,
            "successCondition":
                format!("len(result) == 0 || isNaN(result[0]) || result[0] <= {}", burn.max.text()),
            "failureCondition": "false",
            "provider": provider(&burn.query),
        }));
    }
    let spec = json!({"args": args, "metrics": metrics});
    Ok(object(course, (GROUP, "AnalysisTemplate"), &course.part(&judged.id), json!({"spec": spec})))
}

/// The migration as a Job that has one try: a `failureLimit` of 1 would tolerate its only failure.
fn migration_analysis(course: &Course<'_>, migration: &Migration<'_>) -> Result<Value, RenderError> {
    for word in migration.command {
        course.refuse_template(word)?;
    }
    let mut container = migrating(course);
    container.insert("image".to_owned(), "{{args.image}}".into());
    let metric = json!({
        "name": "migrate",
        "count": 1,
        "failureLimit": 0,
        "provider": {"job": {"spec": job_spec(migration, container)}},
    });
    let spec = json!({"args": [{"name": "image"}], "metrics": [metric]});
    let annotations = migration_annotations(migration);
    let kind = (GROUP, "AnalysisTemplate");
    Ok(annotated(course, kind, &course.part("migrate"), annotations, json!({"spec": spec})))
}

fn rollout(course: &Course<'_>, [stable, candidate]: &[String; 2]) -> Value {
    let route = json!({"httpRoute": course.name, "namespace": course.namespace});
    let canary = json!({
        "stableService": stable,
        "canaryService": candidate,
        "maxSurge": "100%",
        "maxUnavailable": 0,
        "dynamicStableScale": false,
        "scaleDownDelaySeconds": OLD_VERSION_STAYS_SECONDS.max(course.core.rollback.drain_within_seconds),
        "abortScaleDownDelaySeconds": course.core.rollback.drain_within_seconds,
        "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": route}},
        "steps": steps(course),
    });
    let spec = json!({
        "replicas": course.replicas,
        "progressDeadlineSeconds": course.warmup.timeout_seconds,
        // By default a candidate that never gets ready would hang.
        "progressDeadlineAbort": true,
        "selector": {"matchLabels": selector(course, None)},
        "template": template(course, course.candidate, None),
        "strategy": {"canary": canary},
    });
    object(course, (GROUP, "Rollout"), course.name, json!({"spec": spec}))
}

/// Migrate, then for each step the size, the weight, and its window.
fn steps(course: &Course<'_>) -> Vec<Value> {
    let mut steps = Vec::new();
    if course.migration.is_some() {
        let image = json!({"name": "image", "value": course.candidate.reference()});
        let templates = json!([{"templateName": course.part("migrate")}]);
        steps.push(json!({"analysis": {"templates": templates, "args": [image]}}));
    }
    let mut size = None;
    for (step, scale) in course.steps.iter().zip(&course.core.strategy.candidate_scale) {
        if size != Some(scale) {
            steps.push(json!({"setCanaryScale": {"weight": scale}}));
            size = Some(scale);
        }
        steps.push(json!({"setWeight": candidate_weight(step)}));
        // The last step's window is the watch at 100 %.
        let is_last = step.index + 1 == course.steps.len() as u64;
        let (window, judged) = match is_last {
            true => (course.monitor.window_seconds, course.monitor.objectives),
            false => (step.window_seconds, step.objectives.as_slice()),
        };
        steps.extend(window_of(course, step.settle_seconds, window, judged));
    }
    steps
}

fn candidate_weight(step: &Step) -> u64 {
    step.backend_refs.last().map_or(0, |candidate| candidate.weight)
}

/// The analysis of one window; a plan's last step has one that judges, all others, too.
fn window_of(course: &Course<'_>, settle: u64, window: u64, judged: &[String]) -> Option<Value> {
    let objectives = course.objectives(judged);
    if objectives.is_empty() {
        return None;
    }
    let argument = |name: &str, value: String| json!({"name": name, "value": value});
    let mut args =
        vec![argument("window", format!("{window}s")), argument("delay", format!("{}s", settle + window))];
    // One lookback for all of a plan: its gate knows one.
    if let Some(burn) = objectives.iter().find_map(|objective| objective.fast_burn) {
        let looks = window.checked_div(burn.lookback_seconds).unwrap_or(1).max(1);
        args.push(argument("looks", looks.to_string()));
        args.push(argument("first-look", format!("{}s", settle.saturating_add(burn.lookback_seconds))));
    }
    let templates: Vec<Value> =
        objectives.iter().map(|objective| json!({"templateName": course.part(&objective.id)})).collect();
    Some(json!({"analysis": {"templates": templates, "args": args}}))
}
