//! A rollout's course: weights over time, windows, and what was done, from its journal alone.
//!
//! In: the journal's records. Out: a chart with the same as a list below, windows with their counts, a timeline.

use maud::{Markup, html};

use super::super::Asked;
use super::super::charts::fixed;
use super::super::page::shown;
use super::super::parts::icon;
use super::super::rollouts::spaced;
use super::Course;
use crate::audit::catalog::Milestone;
use crate::report::paint::word;
use crate::rollout::journal::Record;
use crate::rollout::machine::{Outcome, Rung};
use crate::rollout::objective::{Budget, Count, Measured};
use crate::time::Timestamp;

/// Records of a timeline.
const MOST: usize = 60;

/// A window that was judged.
pub(super) struct Judged<'a> {
    pub(super) at: Timestamp,
    pub(super) weight: u64,
    pub(super) said: String,
    pub(super) rung: &'a Rung,
    pub(super) candidate: &'a [Measured],
    pub(super) stable: &'a [Measured],
}

/// The windows that were judged, the newest first.
pub(super) fn windows(course: &Course) -> Vec<Judged<'_>> {
    let records = course.reading.records().iter().rev();
    let judged = records.filter_map(|record| {
        let said = match record.event.as_str() {
            "WindowVerdict" => "passed".to_owned(),
            "Breach" => format!(
                "breach{}",
                record
                    .seen
                    .as_ref()
                    .and_then(|seen| seen.breach)
                    .map(|how| format!(", {}", word(&how)))
                    .unwrap_or_default()
            ),
            "WindowEnd" => format!(
                "inconclusive{}",
                record
                    .seen
                    .as_ref()
                    .and_then(|seen| seen.unclear)
                    .map(|why| format!(", {}", word(&why)))
                    .unwrap_or_default()
            ),
            "MetricsMissing" => "a series is missing".to_owned(),
            _ => return None,
        };
        let rung = course.reading.schedule().rung(record.before.passed);
        let seen = record.seen.as_ref();
        Some(Judged {
            at: record.received_at,
            weight: rung.weight.percent(),
            said,
            rung,
            candidate: seen.map_or(&[], |seen| &seen.candidate),
            stable: seen.map_or(&[], |seen| &seen.stable),
        })
    });
    judged.take(12).collect()
}

/// How much of a budget is used: 1 is all of it.
pub(super) fn spent(budget: &Budget, count: Count) -> (&'static str, f64) {
    let share = match count.total {
        0 => 0.0,
        total => (count.bad as f64 / total as f64) / (budget.ppm.max(1) as f64 / 1_000_000.0),
    };
    let class = match (share > 1.0, budget.passes(&count)) {
        (true, _) => "deny",
        (false, true) => "allow",
        (false, false) => "unclear",
    };
    (class, share)
}

/// Weights over time as steps: what was commanded, what was read back, and pauses.
pub(super) fn weights(course: &Course, asked: &Asked<'_>) -> Markup {
    let records = course.reading.records();
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return html! {} };
    let live = !course.reading.state().stage.is_terminal();
    let end = if live { asked.now.max(last.received_at) } else { last.received_at };
    let whole = (end - first.received_at).num_milliseconds().max(1);
    let x = |at: Timestamp| {
        ((at - first.received_at).num_milliseconds() as f64 / whole as f64 * 1000.0).clamp(0.0, 1000.0)
    };
    let line = |weight: &dyn Fn(&Record) -> u64| {
        let (mut path, mut before) = (String::from("M0 100"), 0);
        for record in records {
            let now = weight(record);
            if now != before {
                path.push_str(&format!(
                    " L{0} {1} L{0} {2}",
                    fixed(x(record.received_at)),
                    100 - before,
                    100 - now
                ));
                before = now;
            }
        }
        (path, before)
    };
    let (target, target_end) = line(&|record| record.after.target.percent());
    let (actual, actual_end) = line(&|record| record.after.actual.percent());
    let pauses = records
        .iter()
        .filter(|record| record.after.stage.pause().is_some() && record.before.stage.pause().is_none());
    html! {
        section.card {
            header { h2 { "Traffic of the candidate" } span.right { (first.received_at.format("%-d %b %H:%M:%S")) " to " (end.format("%H:%M:%S")) " UTC" } }
            div.body {
                figure.chart {
                    div.plot {
                        div.scale aria-hidden="true" { span { "100 %" } span { "50 %" } span { "0 %" } }
                        svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img"
                            aria-label={ "The candidate's share of the traffic over time: now " (actual_end) " % read back, target " (target_end) " %" } {
                            line.gridline x1="0" x2="1000" y1="0.5" y2="0.5" {}
                            line.gridline x1="0" x2="1000" y1="50" y2="50" {}
                            line.base x1="0" x2="1000" y1="100" y2="100" {}
                            path.area d={ (actual) " L1000 " (100 - actual_end) " L1000 100 Z" } {}
                            @for pause in pauses { line.s-pause x1=(fixed(x(pause.received_at))) x2=(fixed(x(pause.received_at))) y1="0" y2="100" { title { "paused" } } }
                            path.s-target d={ (target) " L1000 " (100 - target_end) } {}
                            path.s-actual d={ (actual) " L1000 " (100 - actual_end) } {}
                        }
                        div.axis aria-hidden="true" { span { (first.received_at.format("%H:%M:%S")) } span { (end.format("%H:%M:%S")) } }
                    }
                    ul.legend {
                        li { svg viewBox="0 0 12 12" aria-hidden="true" { line.s-actual x1="0" x2="12" y1="6" y2="6" {} } "read back" }
                        li { svg viewBox="0 0 12 12" aria-hidden="true" { line.s-target x1="0" x2="12" y1="6" y2="6" {} } "commanded" }
                        li { svg viewBox="0 0 12 12" aria-hidden="true" { line.s-pause x1="6" x2="6" y1="0" y2="12" {} } "paused" }
                    }
                }
            }
        }
    }
}

/// What happened, the newest first: every record that changed the state, or that somebody asked for.
pub(super) fn timeline(course: &Course, milestones: &[Milestone]) -> Markup {
    let told: Vec<&Record> = course.reading.records().iter().rev().filter(|record| tells(record)).collect();
    html! {
        section.card {
            header { h2 { "What happened" } span.right { (course.reading.head().length) " lines" } }
            div.body {
                ol.timeline { @for record in told.iter().take(MOST) { (event(record)) } }
                @if told.len() > MOST { p.small.soft { "and more before: " code { "laforge rollout history" } } }
                @if !milestones.is_empty() {
                    p.small.soft { "In the audit log: " @for (at, milestone) in milestones.iter().enumerate() {
                        @if at > 0 { ", " } a.plain href={ "/decisions/" (milestone.index) } { (milestone.kind.replace('_', " ")) } } }
                }
            }
        }
    }
}

fn tells(record: &Record) -> bool {
    let changed = record.before.stage.name() != record.after.stage.name()
        || record.before.passed != record.after.passed
        || record.before.target != record.after.target;
    changed || record.outcome.is_none() || operator(record).is_some()
}

/// Who asked for it, and why.
pub(super) fn operator(record: &Record) -> Option<(String, String)> {
    let data = record.data.get("operator").and_then(|operator| operator.as_object()).unwrap_or(&record.data);
    let said = |name: &str| data.get(name).and_then(|value| value.as_str()).map(shown);
    said("actor").zip(said("reason"))
}

fn event(record: &Record) -> Markup {
    let after = &record.after;
    let (class, glyph) = match after.stage.name() {
        "Completed" => ("allow", "check"),
        "Paused" => ("unclear", "pause"),
        "RollingBack" | "RolledBack" => ("deny", "back"),
        _ => ("", "dash"),
    };
    let refused = match record.outcome {
        Some(Outcome::Refused(why)) => Some(format!("refused: {why}")),
        Some(Outcome::Ignored(why)) => Some(format!("ignored: {why}")),
        _ => None,
    };
    html! {
        li.(class) {
            (icon(glyph))
            div {
                strong { (spaced(&shown(&record.event))) } " → " (spaced(after.stage.name()))
                @if let Some(pause) = after.stage.pause() { " (" (pause.cause) ")" }
                @if record.before.target != after.target { ", target " (after.target) " %" }
                @if let Some((actor, reason)) = operator(record) { div { (actor) ": " (reason) } }
                @if let Some(refused) = refused { div.error { (refused) } }
                div.sub { (record.received_at.format("%-d %b %H:%M:%S")) " UTC · line " (record.seq) @if let Some(Outcome::Applied(row)) = record.outcome { " · " (row) } }
            }
        }
    }
}
