//! The plan of an allow: its steps, budgets and dates, and what became of it.
//!
//! In: the plan's core, a blob. Out: a section; for a deny, what a plan waits for.

use maud::{Markup, html};

use super::super::charts::meter;
use super::super::page::shown;
use super::super::parts::{digest, field, moment, percent, tag};
use super::super::told::Blob;
use super::super::{Asked, Studio};
use crate::audit::Reader;
use crate::audit::entry::decision::DecisionEntry;
use crate::plan::RecordedCore;
use crate::plan::members::{Phase, Slot, Step};
use crate::report::paint::word;
use crate::time::{ago, span};

pub(super) fn section(
    studio: &Studio,
    reader: &Reader,
    decision: &DecisionEntry,
    asked: &Asked<'_>,
) -> Markup {
    let Some(plan) = &decision.plan else {
        return html! { section.card { header { h2 { "Plan" } } div.body { p.soft { "None: a plan comes out of an allow alone, after it is recorded." } } } };
    };
    let blob = Blob::read(reader, &plan.digest);
    let core = match blob {
        Blob::Whole(value) => serde_json::from_value::<RecordedCore>(value).ok(),
        _ => None,
    };
    html! {
        section.card {
            header { h2 { "Plan" } span.right { (digest(&plan.digest.to_string())) } }
            div.body.grid {
                @match core {
                    Some(core) => { (steps(&core)) (budgets(&core)) (dates(&core, asked)) }
                    None => { p.soft { "The plan's bytes are not here, or are of a later version." } }
                }
                (fate(studio, &plan.digest.to_string()))
            }
        }
    }
}

fn weight(step: &Step) -> u64 {
    step.backend_refs
        .iter()
        .filter(|backend| backend.name == Slot::Candidate)
        .map(|backend| backend.weight)
        .sum()
}

/// Steps of the candidate's traffic.
fn steps(core: &RecordedCore) -> Markup {
    let steps: Vec<&Step> = core
        .phases
        .iter()
        .filter_map(|phase| match phase {
            Phase::Shift { steps, .. } => Some(steps),
            _ => None,
        })
        .flatten()
        .collect();
    let watched = |step: &Step| i64::try_from(step.window_seconds).unwrap_or(i64::MAX);
    html! {
        h3 { (word(&core.strategy.r#type)) ": the candidate's share of the traffic" }
        ol.steps {
            @for step in steps {
                li.step {
                    span.small.faint { "Step " (step.index + 1) }
                    span.pct { (weight(step)) " %" }
                    (meter(weight(step), 100, "info"))
                    span.small.soft { @if step.window_seconds > 0 { "watched " (span(watched(step))) } @else { "then the last window" } }
                }
            }
        }
    }
}

fn budgets(core: &RecordedCore) -> Markup {
    html! {
        div {
            h3 { "Budgets" }
            @for objective in &core.objectives {
                div.budget {
                    div.line { strong { (shown(&objective.id)) } span.soft { "at most " (percent(objective.max_ratio_ppm)) " bad, of at least " (objective.min_samples) " requests" } }
                    @if let Some(ms) = objective.threshold_ms { div.small.soft { "slower than " (ms) " ms is bad" } }
                    code.small.soft { (shown(&objective.ratio_metric.total)) }
                }
            }
        }
    }
}

fn dates(core: &RecordedCore, asked: &Asked<'_>) -> Markup {
    let over = core.validity.not_after <= asked.now;
    html! {
        dl.fields {
            (field("Target", &html! { (shown(&core.target)) }))
            (field("Deploys", &html! { (shown(&core.deploys.join(", "))) }))
            (field("To be started before", &html! { (moment(core.validity.not_after)) div.small.soft { @if over { "over since " (ago(core.validity.not_after, asked.now)) } @else { "limited by " (word(&core.validity.limited_by)) } } }))
            (field("Without an answer to a pause", &html! { "rolled back after " (span(i64::try_from(core.rollback.pause_deadline_seconds).unwrap_or(i64::MAX))) }))
        }
    }
}

/// What the log says of its rollout.
fn fate(studio: &Studio, plan: &str) -> Markup {
    let held = studio.shelf.held();
    let Some(last) = held.catalog().rollout(plan).last() else {
        return html! { p.soft { "No rollout of this plan is in the log: none was started by a guard that writes to it." } };
    };
    let hex = plan.strip_prefix("sha256:").unwrap_or(plan);
    html! {
        p {
            "Rollout: "
            (tag("info", "rollouts", &last.kind.replace('_', " "))) " at " (shown(&last.target)) " · " (moment(last.time)) " "
            a href={ "/rollouts/" (hex) } { "Its course" }
        }
    }
}
