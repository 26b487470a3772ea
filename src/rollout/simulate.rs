//! A rollout in virtual time: the real machine and the real evaluator in a made-up world.
//!
//! In: a [`Planned`] and a [`Scenario`]. Out: a [`Simulation`]: every event with its row, and how it
//! ended. The same input gives the same output, always: there is no clock, and chance has a seed.
//! What is simulated is the world alone; not simulated are requests that overlap, and the time that a
//! query takes.

mod chance;
mod guard;
pub mod planned;
pub mod scenario;
pub mod sweep;
mod world;

use serde::Serialize;

use crate::rollout::machine::event::Source;
use crate::rollout::machine::{Cause, Command, Event, Milestone, Outcome, State, Weight};
use crate::rollout::objective::{Breach, Count, Measured, Unclear};
use crate::time::Timestamp;

pub use planned::{NoPlan, Planned};
pub use scenario::Scenario;

use guard::{Guard, Told};
use scenario::Change;
use world::{World, seconds};

/// A simulation that has not ended by then never does.
const HORIZON_SECONDS: u64 = 48 * 3600;
/// So many events at one instant: a command, its answer, and what follows.
const EVENTS_AT_ONCE: usize = 4;

/// How a simulated rollout went.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Every event.
    pub rows: Vec<TraceRow>,
    /// What the chart shows.
    pub points: Vec<Point>,
    /// How it ended.
    pub end: State,
    /// How long it took.
    pub seconds: u64,
    /// The cause of the last pause.
    pub cause: Option<Cause>,
    /// The highest weight that the candidate had.
    pub highest: Weight,
    /// All requests, and those that the candidate failed.
    pub served: Count,
}

/// One event and what followed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRow {
    /// Seconds after the start.
    pub at: u64,
    /// Who said it.
    pub source: Source,
    /// What.
    #[serde(flatten)]
    pub event: Event,
    /// The state before.
    pub before: &'static str,
    /// The state after.
    pub after: State,
    /// The row of the table, or why not.
    pub outcome: String,
    /// The audit log's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Milestone>,
    /// What was done.
    pub commands: Vec<Command>,
    /// What the candidate counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidate: Vec<Measured>,
    /// What stable counted in the same window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stable: Vec<Measured>,
    /// How a breach came to light.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
    /// Why a window's end is inconclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unclear: Option<Unclear>,
}

/// One instant of the chart.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Seconds after the start.
    pub at: u64,
    /// The name of the state.
    pub stage: &'static str,
    /// What was commanded.
    pub target: Weight,
    /// What the proxy had.
    pub actual: Weight,
    /// The candidate's requests since the last point, and the failed ones.
    pub candidate: Count,
    /// Stable's.
    pub stable: Count,
}

/// Runs a scenario to its end.
pub fn simulate(planned: &Planned, scenario: &Scenario) -> Simulation {
    let mut run = Run {
        start: planned.start,
        world: World::of(scenario, planned.start),
        guard: Guard::new(planned, scenario.scrape_seconds),
        seen: Simulation {
            rows: Vec::new(),
            points: Vec::new(),
            end: State::planned(),
            seconds: 0,
            cause: None,
            highest: Weight::ZERO,
            served: Count::default(),
        },
    };
    let mut changes = scenario.changes.iter().peekable();
    while !run.is_over(changes.peek().map(|(_, change)| change)) {
        while let Some((_, change)) = changes.next_if(|(at, _)| planned.start + *at <= run.world.now) {
            run.world.happen(change);
            if let Some(event) = run.guard.asked(change, &run.world) {
                let told = run.guard.tell(event, None, &mut run.world);
                run.record(told);
            }
        }
        run.notice();
        run.world.pass();
    }
    run.finish()
}

/// A simulation under way.
struct Run<'a> {
    start: Timestamp,
    world: World,
    guard: Guard<'a>,
    seen: Simulation,
}

impl Run<'_> {
    fn elapsed(&self) -> u64 {
        u64::try_from((self.world.now - self.start).num_seconds()).unwrap_or(0)
    }

    /// Whether nothing can happen any more; `next` is what the script still has.
    fn is_over(&self, next: Option<&Change>) -> bool {
        let stage = &self.guard.history.state().stage;
        let stuck = stage.pause().is_some_and(|pause| pause.deadline.is_none()) && next.is_none();
        // A step after the pause, so that what is on its way arrives.
        let settled = stuck && stage.pause().is_some_and(|pause| self.world.now > pause.since + seconds(120));
        stage.is_terminal() || settled || self.elapsed() > HORIZON_SECONDS
    }

    fn notice(&mut self) {
        for _ in 0..EVENTS_AT_ONCE {
            let Some((event, look)) = self.guard.notice(&self.world) else { break };
            let told = self.guard.tell(event, look, &mut self.world);
            self.record(told);
        }
        let state = self.guard.history.state();
        self.seen.highest = self.seen.highest.max(self.world.weight);
        self.seen.points.push(Point {
            at: self.elapsed(),
            stage: state.stage.name(),
            target: state.target,
            actual: self.world.weight,
            candidate: self.world.candidate.last,
            stable: self.world.stable.last,
        });
    }

    fn record(&mut self, told: Told) {
        let Told { occurrence, before, step, look } = told;
        let look = look.unwrap_or_default();
        self.seen.cause = step.next.stage.pause().map(|pause| pause.cause).or(self.seen.cause);
        self.seen.rows.push(TraceRow {
            at: self.elapsed(),
            source: occurrence.event.source(),
            event: occurrence.event,
            before,
            outcome: match step.outcome {
                Outcome::Applied(row) => row.to_string(),
                Outcome::Ignored(why) => format!("ignored: {why}"),
                Outcome::Refused(why) => format!("refused: {why}"),
            },
            after: step.next,
            entry: step.entry,
            commands: step.commands,
            candidate: look.measured,
            stable: look.stable,
            breach: look.breach,
            unclear: look.unclear,
        });
    }

    fn finish(mut self) -> Simulation {
        self.seen.end = self.guard.history.state().clone();
        self.seen.seconds = self.elapsed();
        self.seen.served = self.world.served;
        self.seen
    }
}
