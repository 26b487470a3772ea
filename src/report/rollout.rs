//! A rollout for people: one line per event, and where it stands.
//!
//! In: what the machine was told and said, or a guard's [`View`]. Out: text. Everything is readable
//! without colour and in 100 columns.

use std::fmt::Write as _;

use crate::rollout::guard::{Shown, View};
use crate::rollout::machine::{Command, Event, Outcome, State, Weight};
use crate::rollout::objective::{Breach, Count, Measured, Unclear};
use crate::time::{self, Timestamp};

use super::paint::{Paint, Tone, printable, word};

/// How wide a bar of weights is.
const BAR: u64 = 25;

/// One event and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The event.
    pub event: &'a Event,
    /// What was done.
    pub commands: &'a [Command],
    /// What the candidate counted.
    pub candidate: &'a [Measured],
    /// How a breach came to light.
    pub breach: Option<Breach>,
    /// Why a window's end is inconclusive.
    pub unclear: Option<Unclear>,
}

/// `12:00:05 WeightConfirmed: Applying(0) → Observing(0), target 20, read 20 [T7]`.
pub fn line(
    at: Timestamp,
    moment: &Moment<'_>,
    before: &str,
    after: &State,
    outcome: Outcome,
    paint: Paint,
) -> String {
    let row = match outcome {
        Outcome::Applied(row) => row.to_string(),
        Outcome::Ignored(why) => format!("ignored: {why}"),
        Outcome::Refused(why) => format!("refused: {why}"),
    };
    let what = what(moment);
    let what = if what.is_empty() { what } else { format!("  {what}") };
    format!(
        "{} {:<18} {}, target {}, read {} [{row}]{what}\n",
        paint.tone(Tone::Faint, &at.format("%H:%M:%S").to_string()),
        moment.event.name(),
        state(before, after, paint),
        after.target,
        after.actual,
    )
}

/// The state after, and before where that is another.
pub fn state(before: &str, after: &State, paint: Paint) -> String {
    let named = named(after, paint);
    if before == after.stage.name() { named } else { format!("{before} → {named}") }
}

fn named(state: &State, paint: Paint) -> String {
    let stage = &state.stage;
    match stage.pause() {
        Some(pause) => paint.tone(Tone::Warning, &format!("Paused({})", pause.cause)),
        None if stage.name() == "Completed" => paint.tone(Tone::Good, "Completed"),
        None if matches!(stage.name(), "RollingBack" | "RolledBack") => paint.tone(Tone::Bad, stage.name()),
        None if matches!(stage.name(), "Applying" | "Observing") => {
            format!("{}({})", stage.name(), state.passed)
        }
        None => stage.name().to_owned(),
    }
}

/// What was counted, who asked, what is done.
pub fn what(moment: &Moment<'_>) -> String {
    let mut said: Vec<String> = Vec::new();
    match moment.event {
        Event::Pause(operator)
        | Event::Rollback(operator)
        | Event::Cancel(operator)
        | Event::Resume { operator, .. } => {
            said.push(printable(&format!("{}: {}", operator.actor(), operator.reason())));
        }
        Event::Breach { objective, .. } => said.push(printable(objective)),
        Event::Drift { weight } | Event::WeightMismatch { weight } => said.push(format!("read {weight}")),
        _ => {}
    }
    said.extend(moment.breach.map(|breach| word(&breach)));
    said.extend(moment.unclear.map(|unclear| word(&unclear)));
    said.extend(moment.candidate.iter().map(counted));
    said.extend(moment.commands.iter().filter_map(done));
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
        Command::Alarm { alarm } => Some(format!("alarm: {}", word(alarm))),
        Command::Fence { .. } | Command::SkipMigration | Command::Scale { .. } => None,
    }
}

/// Where a rollout stands: state, weights, budgets, what it waits for.
pub fn view(view: &View, paint: Paint) -> String {
    let state = &view.state;
    let step = (state.passed + 1).min(view.steps);
    let mut out = format!("{}  step {step} of {}", named(state, paint), view.steps);
    if let Some(pause) = state.stage.pause() {
        let _ = write!(
            out,
            ", from {:?} since {}, recommended: {:?}",
            pause.from,
            time::to_seconds(pause.since),
            pause.cause.recommends()
        );
    }
    let _ = write!(
        out,
        "\n  candidate {} {:>3} %  (target {}, this step {})\n",
        bar(state.actual),
        state.actual,
        state.target,
        view.weight
    );
    for budget in &view.budgets {
        out.push_str(&budget_line(budget, view, paint));
    }
    if let Some(why) = view.breach.map(|breach| word(&breach)).or(view.unclear.map(|unclear| word(&unclear)))
    {
        let _ = writeln!(out, "  last judged: {why}");
    }
    let _ = writeln!(out, "  waits for {}", view.waits_for);
    for trouble in &view.troubles {
        let _ = writeln!(out, "  {} {}", paint.tone(Tone::Warning, "trouble:"), printable(trouble));
    }
    out
}

fn bar(weight: Weight) -> String {
    let full = (weight.percent() * BAR).div_ceil(100);
    (0..BAR).map(|at| if at < full { '█' } else { '░' }).collect()
}

/// `error-budget    3 of 512 bad (0.586 %), at most 2 %, needs 500; stable 1 of 2040`.
fn budget_line(budget: &Shown, view: &View, paint: Paint) -> String {
    let of = |side: &[Measured]| side.iter().find(|it| it.objective == budget.id).map(|it| it.count);
    let text = match of(&view.candidate) {
        None => paint.tone(Tone::Faint, "no count yet"),
        Some(count) => {
            let text = format!("{} of {} bad ({})", count.bad, count.total, share(count));
            let bad = u128::from(count.bad) * 1_000_000
                > u128::from(budget.max_ratio_ppm) * u128::from(count.total);
            if bad { paint.tone(Tone::Bad, &text) } else { text }
        }
    };
    let stable = of(&view.stable)
        .map_or_else(String::new, |count| format!("; stable {} of {}", count.bad, count.total));
    format!(
        "  {:<16} {text}, at most {}, needs {}{stable}\n",
        printable(&budget.id),
        percent(budget.max_ratio_ppm),
        budget.min_samples
    )
}

fn share(count: Count) -> String {
    let ppm = (u128::from(count.bad) * 1_000_000).checked_div(u128::from(count.total));
    ppm.and_then(|ppm| u64::try_from(ppm).ok()).map_or_else(|| "no share".to_owned(), percent)
}

/// Parts per million as percent, without a needless zero.
fn percent(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::machine::{Cause, Pause, Phase, Stage, Window};

    fn view_of(stage: Stage) -> View {
        let weight = Weight::new(20).unwrap();
        View {
            at: Timestamp::UNIX_EPOCH,
            length: 7,
            state: State { stage, target: weight, actual: weight, passed: 0, epoch: 1, windows: 1 },
            weight,
            steps: 3,
            candidate: vec![Measured {
                objective: "error-budget".into(),
                count: Count { bad: 3, total: 512 },
            }],
            stable: vec![Measured { objective: "error-budget".into(), count: Count { bad: 1, total: 2040 } }],
            budgets: vec![
                Shown { id: "error-budget".into(), max_ratio_ppm: 20_000, min_samples: 500 },
                Shown { id: "latency-budget".into(), max_ratio_ppm: 10_000, min_samples: 1000 },
            ],
            breach: None,
            unclear: None,
            waits_for: "the window to end at 1970-01-01T00:05:00Z".into(),
            troubles: vec!["the log \u{1b}[2J".into()],
        }
    }

    #[test]
    fn says_weights_budgets_and_what_it_waits_for() {
        let (opens, ends) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let window = Window { opens, ends, extensions: 0 };
        let shown = view(&view_of(Stage::Observing { window }), Paint::Plain);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines,
            [
                "Observing(0)  step 1 of 3",
                "  candidate █████░░░░░░░░░░░░░░░░░░░░ 20 %  (target 20, this step 20)",
                "  error-budget     3 of 512 bad (0.5859 %), at most 2 %, needs 500; stable 1 of 2040",
                "  latency-budget   no count yet, at most 1 %, needs 1000",
                "  waits for the window to end at 1970-01-01T00:05:00Z",
                "  trouble: the log \\u{1b}[2J",
            ]
        );
    }

    #[test]
    fn says_why_it_is_paused_and_what_is_recommended() {
        let pause = Pause {
            from: Phase::Observing,
            cause: Cause::Breach,
            since: Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        let shown = view(&view_of(Stage::Paused { pause }), Paint::Plain);
        let first = shown.lines().next().unwrap();
        assert_eq!(
            first,
            "Paused(breach)  step 1 of 3, from Observing since 1970-01-01T00:00:00Z, recommended: Rollback"
        );
    }
}
