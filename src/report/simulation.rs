//! A simulated rollout for people: its trace as a table, a chart, and the table of a sweep.

mod chart;
mod sweep;

use std::fmt::Write as _;

use crate::rollout::machine::{Command, Event, Weight};
use crate::rollout::objective::Measured;
use crate::rollout::simulate::{Scenario, Simulation, TraceRow};

use super::paint::{Paint, Tone, printable};

pub use chart::{svg, terminal};
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
            state(row, paint),
            row.after.target.to_string(),
            row.after.actual.to_string(),
            row.outcome.clone(),
            what(row),
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

/// `m:ss` after the start, or `h:mm:ss`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

fn state(row: &TraceRow, paint: Paint) -> String {
    let after = &row.after.stage;
    let named = match after.pause() {
        Some(pause) => paint.tone(Tone::Warning, &format!("Paused({})", pause.cause)),
        None if after.name() == "Completed" => paint.tone(Tone::Good, "Completed"),
        None if matches!(after.name(), "RollingBack" | "RolledBack") => paint.tone(Tone::Bad, after.name()),
        None if matches!(after.name(), "Applying" | "Observing") => {
            format!("{}({})", after.name(), row.after.passed)
        }
        None => after.name().to_owned(),
    };
    if row.before == after.name() { named } else { format!("{} → {named}", row.before) }
}

/// What was counted, who asked, what is done.
fn what(row: &TraceRow) -> String {
    let mut said: Vec<String> = Vec::new();
    match &row.event {
        Event::Pause(operator) | Event::Rollback(operator) | Event::Resume { operator, .. } => {
            said.push(printable(&format!("{}: {}", operator.actor(), operator.reason())));
        }
        Event::Breach { objective, .. } => said.push(printable(objective)),
        Event::Drift { weight } | Event::WeightMismatch { weight } => said.push(format!("read {weight}")),
        _ => {}
    }
    said.extend(row.breach.map(|breach| super::paint::word(&breach)));
    said.extend(row.unclear.map(|unclear| super::paint::word(&unclear)));
    said.extend(row.candidate.iter().map(counted));
    said.extend(row.commands.iter().filter_map(done));
    said.join(", ")
}

fn counted(measured: &Measured) -> String {
    let count = measured.count;
    printable(&format!("{} {}/{}", measured.objective, count.bad, count.total))
}

fn done(command: &Command) -> Option<String> {
    match command {
        Command::SetWeight { weight, .. } if *weight == Weight::ZERO => Some("→ 0 %".to_owned()),
        Command::SetWeight { weight, .. } => Some(format!("→ {weight} %")),
        Command::RunMigration => Some("migrate".to_owned()),
        Command::KillMigration => Some("kill the migration".to_owned()),
        Command::StartCandidate => Some("start the candidate".to_owned()),
        Command::StopCandidate => Some("stop the candidate".to_owned()),
        Command::CloseConnections => Some("close connections".to_owned()),
        Command::Alarm { alarm } => Some(format!("alarm: {}", super::paint::word(alarm))),
        Command::Fence { .. } | Command::SkipMigration | Command::Scale { .. } => None,
    }
}
