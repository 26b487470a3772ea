//! A rollout's journal for people and programs.
//!
//! In: a journal as read and replayed. Out: a table, one JSON document, or the original bytes.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::rollout::journal::{Reading, Record, Seen};
use crate::rollout::machine::{Outcome, State};
use crate::time;

use super::paint::{Paint, Tone, printable, word};

/// How wide the last column may be.
const WHY: usize = 48;

/// The table: `#seq time event row state target actual why`.
pub fn table(reading: &Reading, paint: Paint) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["#", "time", "event", "row", "state", "target", "actual", "why"]);
    for record in reading.records() {
        table.add_row(row(record, paint));
    }
    let created = reading.created();
    let mut out = format!(
        "plan {}\nat {} ({} serves, {} is the candidate)\n\n",
        created.plan_digest,
        printable(&created.target),
        printable(&created.slots.stable),
        printable(&created.slots.candidate),
    );
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn row(record: &Record, paint: Paint) -> [String; 8] {
    let (row, tone) = match record.outcome {
        None => ("-".to_owned(), None),
        Some(Outcome::Applied(row)) => (row.to_string(), None),
        Some(Outcome::Ignored(_)) => ("ignored".to_owned(), Some(Tone::Faint)),
        Some(Outcome::Refused(_)) => ("refused".to_owned(), Some(Tone::Warning)),
    };
    let after = &record.after;
    [
        record.seq.to_string(),
        time::to_seconds(record.received_at),
        printable(&record.event),
        tone.map_or_else(|| row.clone(), |tone| paint.tone(tone, &row)),
        state(after),
        after.target.to_string(),
        after.actual.to_string(),
        cut(&why(record)),
    ]
}

/// The state's name, of a pause with its cause.
fn state(state: &State) -> String {
    match state.stage.pause() {
        Some(pause) => format!("{}({})", state.stage.name(), pause.cause),
        None => state.stage.name().to_owned(),
    }
}

/// Why an event changed nothing, or who asked for it.
fn why(record: &Record) -> String {
    if let Some(why) = reason(record.outcome) {
        return why;
    }
    let operator = record.data.get("operator").and_then(Value::as_object).unwrap_or(&record.data);
    match (said(operator, "actor"), said(operator, "reason")) {
        (Some(actor), Some(reason)) => format!("{actor}: {reason}"),
        _ => record.seen.as_ref().map_or_else(String::new, seen),
    }
}

/// What was counted, or what went wrong.
fn seen(seen: &Seen) -> String {
    let judged = seen.breach.map(|breach| word(&breach)).or(seen.unclear.map(|unclear| word(&unclear)));
    let counted = seen
        .candidate
        .iter()
        .map(|measured| format!("{} {}/{}", measured.objective, measured.count.bad, measured.count.total));
    let said: Vec<String> = judged.into_iter().chain(counted).chain(seen.troubles.iter().cloned()).collect();
    said.join(", ")
}

fn said<'a>(data: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    data.get(member)?.as_str()
}

fn reason(outcome: Option<Outcome>) -> Option<String> {
    match outcome? {
        Outcome::Applied(_) => None,
        Outcome::Ignored(why) => Some(why.to_string()),
        Outcome::Refused(why) => Some(why.to_string()),
    }
}

fn cut(text: &str) -> String {
    let text = printable(text);
    match text.chars().count() > WHY {
        true => text.chars().take(WHY - 1).chain(['…']).collect(),
        false => text,
    }
}

/// Its lines as they are.
pub fn lines(reading: &Reading) -> Vec<u8> {
    reading.records().iter().flat_map(|record| [record.bytes.as_slice(), b"\n"].concat()).collect()
}

/// One line in the document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineView<'a> {
    seq: u64,
    leaf: String,
    received_at: String,
    observed_at: String,
    event: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    data: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a Seen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Value>,
    state_after: &'a State,
}

/// One JSON document: where the rollout stands, and what became of each event.
pub fn json(reading: &Reading) -> Vec<u8> {
    let created = reading.created();
    let lines: Vec<LineView<'_>> = reading.records().iter().map(line).collect();
    let document = json!({
        "planDigest": created.plan_digest,
        "target": created.target,
        "slots": created.slots,
        "state": reading.state(),
        "journal": {"length": reading.head().length, "leaf": reading.head().leaf.to_string()},
        "lines": lines,
    });
    format!("{document:#}\n").into_bytes()
}

fn line(record: &Record) -> LineView<'_> {
    LineView {
        seq: record.seq,
        leaf: record.leaf.to_string(),
        received_at: time::to_micros(record.received_at),
        observed_at: time::to_micros(record.observed_at),
        event: &record.event,
        data: &record.data,
        seen: record.seen.as_ref(),
        outcome: record.outcome.map(outcome),
        state_after: &record.after,
    }
}

/// `{row: T7}`, `{ignored: why}` or `{refused: why}`.
fn outcome(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Applied(row) => json!({"row": row.to_string()}),
        Outcome::Ignored(why) => json!({"ignored": why.to_string()}),
        Outcome::Refused(why) => json!({"refused": why.to_string()}),
    }
}
