//! A simulated rollout for people: its trace as a table, a chart, and the table of a sweep.

mod chart;
mod sweep;

use std::fmt::Write as _;

use crate::rollout::simulate::{Scenario, Simulation, TraceRow};

use super::paint::{Paint, Tone, printable};
use super::rollout::{self, Moment};

pub use chart::{is_chart, svg, terminal};
pub use sweep::sweep;

/// The whole trace: `time, event, state, weights, row, what was seen or done`.
pub fn trace(scenario: &Scenario, simulation: &Simulation, paint: Paint) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["time", "event", "state", "target", "actual", "row", "why and what"]);
    for row in &simulation.rows {
        table.add_row([
            clock(row.at),
            row.event.name().to_owned(),
            rollout::state(row.before, &row.after, paint),
            row.after.target.to_string(),
            row.after.actual.to_string(),
            row.outcome.clone(),
            rollout::what(&moment(row)),
        ]);
    }
    let mut out = format!("{}: {}\n\n", printable(&scenario.name), printable(&scenario.about));
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = write!(out, "\n{}", summary(simulation, paint));
    out
}

/// How it ended, in two lines.
pub fn summary(simulation: &Simulation, paint: Paint) -> String {
    let end = &simulation.end;
    let tone = if end.stage.name() == "Completed" { Tone::Good } else { Tone::Warning };
    let cause = simulation.cause.map_or_else(String::new, |cause| {
        format!("; last paused for `{cause}` (recommended: {:?})", cause.recommends())
    });
    format!(
        "{} after {}, {} windows passed, candidate at {} % at most{cause}\n{} requests, of which the candidate failed {}\n",
        paint.tone(tone, end.stage.name()),
        clock(simulation.seconds),
        end.passed,
        simulation.highest,
        simulation.served.total,
        simulation.served.bad,
    )
}

/// One JSON object per event, then one for the end.
pub fn json_lines(scenario: &Scenario, simulation: &Simulation) -> String {
    let mut out = String::new();
    for row in &simulation.rows {
        let _ = writeln!(out, "{}", serde_json::json!(row));
    }
    let _ = writeln!(out, "{}", end(scenario, simulation));
    out
}

/// The trace as one JSON document.
pub fn json(scenario: &Scenario, simulation: &Simulation) -> String {
    let document = serde_json::json!({"trace": simulation.rows, "end": end(scenario, simulation)});
    format!("{document:#}\n")
}

fn end(scenario: &Scenario, simulation: &Simulation) -> serde_json::Value {
    serde_json::json!({
        "scenario": scenario.name,
        "state": simulation.end,
        "seconds": simulation.seconds,
        "cause": simulation.cause,
        "highestWeight": simulation.highest,
        "served": simulation.served,
    })
}

fn moment(row: &TraceRow) -> Moment<'_> {
    Moment {
        event: &row.event,
        commands: &row.commands,
        candidate: &row.candidate,
        breach: row.breach,
        unclear: row.unclear,
    }
}

/// `m:ss` after the start, or `h:mm:ss`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}
