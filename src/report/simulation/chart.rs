//! The chart of a simulated rollout: weights and error ratio over time, for a terminal and as SVG.
//!
//! Colours are told apart without red and green; the SVG names no font, no script and no other file.

use std::fmt::Write as _;

use crate::rollout::objective::Count;
use crate::rollout::simulate::{Planned, Point, Scenario, Simulation};

use super::clock;

/// How many columns a terminal's chart has.
const COLUMNS: usize = 72;
/// Eight heights of a cell.
const CELLS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const WIDTH: f64 = 960.0;
const PLOT_LEFT: f64 = 52.0;
const PLOT_RIGHT: f64 = 904.0;
const WEIGHT_TOP: f64 = 56.0;
const WEIGHT_BOTTOM: f64 = 236.0;
const RATIO_TOP: f64 = 270.0;
const RATIO_BOTTOM: f64 = 390.0;
const HEIGHT: f64 = 440.0;

/// Points that share a column.
struct Column<'a>(Vec<&'a Point>);

impl Column<'_> {
    fn weight(&self) -> u64 {
        self.0.iter().map(|point| point.actual.percent()).max().unwrap_or(0)
    }

    fn count(&self) -> Count {
        self.0.iter().fold(Count::default(), |sum, point| Count {
            bad: sum.bad + point.candidate.bad,
            total: sum.total + point.candidate.total,
        })
    }

    fn stage(&self) -> char {
        match self.0.last().map(|point| point.stage) {
            Some("Migrating") => 'm',
            Some("WarmingUp") => 'w',
            Some("Applying") => '>',
            Some("Observing") => 'o',
            Some("Monitoring") => 'M',
            Some("Paused") => 'P',
            Some("RollingBack" | "RolledBack") => '<',
            Some("Completed") => '✓',
            _ => ' ',
        }
    }
}

fn columns(simulation: &Simulation, most: usize) -> Vec<Column<'_>> {
    let width = simulation.points.len().div_ceil(most.max(1)).max(1);
    simulation.points.chunks(width).map(|chunk| Column(chunk.iter().collect())).collect()
}

/// A cell as full as `value` of `whole`; something is never nothing.
fn cell(value: u64, whole: u64) -> char {
    let eighths = (value * 8).div_ceil(whole.max(1)).min(8);
    usize::try_from(eighths).ok().and_then(|at| CELLS.get(at)).copied().unwrap_or('█')
}

/// Three lines: weight, failed requests against five times the budget, and the states.
pub fn terminal(planned: &Planned, simulation: &Simulation) -> String {
    let columns = columns(simulation, COLUMNS);
    let top = planned.error_ppm * 5;
    let weights: String = columns.iter().map(|column| cell(column.weight(), 100)).collect();
    let states: String = columns.iter().map(Column::stage).collect();
    let errors = columns.iter().map(|column| {
        let count = column.count();
        (count.bad * 1_000_000).checked_div(count.total).map_or(' ', |ppm| cell(ppm, top))
    });
    let errors: String = errors.collect();
    let mut out = String::new();
    let _ = writeln!(out, "weight  {weights}  0–100 %");
    let _ = writeln!(out, "errors  {errors}  0–{} %", percent(top));
    let _ = writeln!(out, "state   {states}");
    let _ = writeln!(
        out,
        "        0:00 to {}; m migrate, w warm up, > apply, o observe, M monitor, P paused, < roll back",
        clock(simulation.seconds)
    );
    out
}

/// Parts per million as percent.
fn percent(ppm: u64) -> String {
    format!("{}.{:04}", ppm / 10_000, ppm % 10_000).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The first tag of every chart: by it a file is known to be one.
fn opening() -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" role="img">"#
    )
}

/// Whether a file is a chart of an earlier run.
pub fn is_chart(bytes: &[u8]) -> bool {
    bytes.starts_with(opening().as_bytes())
}

/// The chart as SVG.
pub fn svg(planned: &Planned, scenario: &Scenario, simulation: &Simulation) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        r##"{}
<title>{}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{PLOT_LEFT}" y="24" font-size="16" font-weight="bold" fill="#1b1f24">{}</text>
<text x="{PLOT_LEFT}" y="42" fill="#57606a">{}</text>"##,
        opening(),
        escaped(&scenario.name),
        escaped(&scenario.name),
        escaped(&scenario.about),
    );
    bands(&mut out, simulation);
    weights(&mut out, simulation);
    ratios(&mut out, planned, simulation);
    times(&mut out, simulation);
    out.push_str("</svg>\n");
    out
}

fn x(simulation: &Simulation, seconds: u64) -> f64 {
    let whole = simulation.seconds.max(1) as f64;
    PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * (seconds as f64 / whole)
}

/// The states, as bands behind both plots, each named once.
fn bands(out: &mut String, simulation: &Simulation) {
    let mut points = simulation.points.iter().peekable();
    while let Some(first) = points.next() {
        while points.next_if(|next| next.stage == first.stage).is_some() {}
        let ends = points.peek().map_or(simulation.seconds, |next| next.at);
        let (from, until) = (x(simulation, first.at), x(simulation, ends));
        let fill = match first.stage {
            "Observing" | "Monitoring" => "#ddf4ff",
            "Paused" => "#fff8c5",
            "RollingBack" => "#ffe2cc",
            _ => "#f6f8fa",
        };
        let (width, height) = (until - from, RATIO_BOTTOM - WEIGHT_TOP);
        let _ = writeln!(
            out,
            r##"<rect x="{from:.1}" y="{WEIGHT_TOP}" width="{width:.1}" height="{height}" fill="{fill}"><title>{}</title></rect>"##,
            first.stage
        );
        if width > 64.0 {
            let (middle, y) = (from + width / 2.0, WEIGHT_TOP + 14.0);
            let _ = writeln!(
                out,
                r##"<text x="{middle:.1}" y="{y}" text-anchor="middle" fill="#57606a">{}</text>"##,
                first.stage
            );
        }
    }
}

/// Target and actual weight, as steps.
fn weights(out: &mut String, simulation: &Simulation) {
    let y = |percent: u64| WEIGHT_BOTTOM - (WEIGHT_BOTTOM - WEIGHT_TOP) * (percent as f64 / 100.0);
    for percent in [0, 50, 100] {
        axis(out, y(percent), &format!("{percent} %"));
    }
    let line = |weight: fn(&Point) -> u64| {
        let mut path = String::new();
        for (index, point) in simulation.points.iter().enumerate() {
            let (x, y) = (x(simulation, point.at), y(weight(point)));
            let _ = match index {
                0 => write!(path, "M{x:.1} {y:.1}"),
                _ => write!(path, "H{x:.1}V{y:.1}"),
            };
        }
        path
    };
    let target = line(|point| point.target.percent());
    let actual = line(|point| point.actual.percent());
    let _ = writeln!(
        out,
        r##"<path d="{target}" fill="none" stroke="#8c959f" stroke-width="2" stroke-dasharray="5 4"/>
<path d="{actual}" fill="none" stroke="#0550ae" stroke-width="2.5"/>
<text x="{PLOT_RIGHT}" y="24" text-anchor="end" fill="#0550ae">candidate's weight (dashed: commanded)</text>"##
    );
}

/// The candidate's and stable's failed requests, and the budget.
fn ratios(out: &mut String, planned: &Planned, simulation: &Simulation) {
    let top = planned.error_ppm * 5;
    let y = |ppm: u64| RATIO_BOTTOM - (RATIO_BOTTOM - RATIO_TOP) * (ppm.min(top) as f64 / top.max(1) as f64);
    for ppm in [0, planned.error_ppm, top] {
        axis(out, y(ppm), &format!("{} %", percent(ppm)));
    }
    let budget = y(planned.error_ppm);
    let _ = writeln!(
        out,
        r##"<path d="M{PLOT_LEFT} {budget:.1}H{PLOT_RIGHT}" stroke="#953800" stroke-dasharray="2 3"/>"##
    );
    for (colour, of) in [("#8c959f", stable as fn(&Point) -> Count), ("#953800", candidate)] {
        let mut path = String::new();
        let mut pen = 'M';
        for column in columns(simulation, 240) {
            let count = column.0.iter().map(|point| of(point)).fold(Count::default(), |sum, next| Count {
                bad: sum.bad + next.bad,
                total: sum.total + next.total,
            });
            let at = column.0.first().map_or(0, |point| point.at);
            match (count.bad * 1_000_000).checked_div(count.total) {
                Some(ppm) => {
                    let _ = write!(path, "{pen}{:.1} {:.1}", x(simulation, at), y(ppm));
                    pen = 'L';
                }
                None => pen = 'M',
            }
        }
        let _ = writeln!(out, r##"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>"##);
    }
    let (label, edge) = (RATIO_TOP - 8.0, PLOT_RIGHT);
    let _ = writeln!(
        out,
        r##"<text x="{edge}" y="{label}" text-anchor="end" fill="#953800">failed requests of the candidate (grey: of stable; dotted: budget)</text>"##
    );
}

fn candidate(point: &Point) -> Count {
    point.candidate
}

fn stable(point: &Point) -> Count {
    point.stable
}

fn axis(out: &mut String, y: f64, label: &str) {
    let (edge, base) = (PLOT_LEFT - 6.0, y + 4.0);
    let _ = writeln!(
        out,
        r##"<path d="M{PLOT_LEFT} {y:.1}H{PLOT_RIGHT}" stroke="#d0d7de" stroke-width="0.5"/>
<text x="{edge}" y="{base:.1}" text-anchor="end" fill="#57606a">{label}</text>"##
    );
}

/// Six times along the bottom, and what happened where the state changed.
fn times(out: &mut String, simulation: &Simulation) {
    let y = RATIO_BOTTOM + 18.0;
    for tick in 0..=6 {
        let at = simulation.seconds * tick / 6;
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{y}" text-anchor="middle" fill="#57606a">{}</text>"##,
            x(simulation, at),
            clock(at)
        );
    }
    let turns = simulation.rows.iter().filter(|row| row.before != row.after.stage.name());
    for row in turns {
        let _ = writeln!(
            out,
            r##"<path d="M{0:.1} {RATIO_BOTTOM}v5" stroke="#1b1f24"><title>{1} {2}: {3} → {4}</title></path>"##,
            x(simulation, row.at),
            clock(row.at),
            row.event.name(),
            row.before,
            row.after.stage.name(),
        );
    }
    let (base, end) = (RATIO_BOTTOM + 40.0, simulation.end.stage.name());
    let cause = simulation.cause.map_or_else(String::new, |cause| format!(", last paused for {cause}"));
    let _ = writeln!(
        out,
        r##"<text x="{PLOT_LEFT}" y="{base}" fill="#1b1f24">{end} after {}{cause}</text>"##,
        clock(simulation.seconds)
    );
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
