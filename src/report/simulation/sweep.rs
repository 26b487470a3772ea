//! The tables of a sweep.

use std::fmt::Write as _;

use crate::rollout::simulate::sweep::{Ends, Sweep};

/// By true error rate, by mishap, and one look beside what was computed.
pub fn sweep(sweep: &Sweep) -> String {
    let mut out = format!("{} scenarios of seed {}\n\n", sweep.scenarios, sweep.seed);
    let _ = writeln!(
        out,
        "{:>17}  {:>6}  {:>10}  {:>10}  stopped for",
        "true error rate", "runs", "completed", "failed"
    );
    for line in &sweep.rates {
        let rate =
            format!("{}.{:02} × budget", line.of_budget_permille / 1000, line.of_budget_permille % 1000 / 10);
        let failed = format!("{} ppm", (line.failed * 1_000_000).checked_div(line.served).unwrap_or(0));
        let _ = writeln!(
            out,
            "{rate:>17}  {:>6}  {:>10}  {failed:>10}  {}",
            line.ends.runs,
            share(line.ends.completed, line.ends.runs),
            stopped(&line.ends)
        );
    }
    out.push_str("\nwith a mishap, at any error rate:\n");
    for (mishap, ends) in &sweep.mishaps {
        let _ = writeln!(
            out,
            "{mishap:>28}  {:>6}  {:>10}  {}",
            ends.runs,
            share(ends.completed, ends.runs),
            stopped(ends)
        );
    }
    out.push_str("\none look at a window of n requests (computed, drawn):\n");
    let _ = writeln!(out, "{:>6}  {:>24}  {:>24}", "n", "2 × budget passes", "½ × budget is stopped");
    for look in &sweep.looks {
        let pair = |computed: f64, drawn: f64| format!("{:.3} %, {:.3} %", computed * 100.0, drawn * 100.0);
        let _ = writeln!(
            out,
            "{:>6}  {:>24}  {:>24}",
            look.requests,
            pair(look.bad_passes, look.bad_passes_drawn),
            pair(look.good_stopped, look.good_stopped_drawn)
        );
    }
    out
}

fn share(part: u64, whole: u64) -> String {
    match (part * 100_000).checked_div(whole) {
        Some(share) => format!("{}.{:02} %", share / 1000, share % 1000 / 10),
        None => "–".to_owned(),
    }
}

fn stopped(ends: &Ends) -> String {
    let mut said: Vec<String> =
        ends.stopped.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    if ends.unended > 0 {
        said.push(format!("not ended {}", ends.unended));
    }
    said.join(", ")
}
