//! What the machine takes of a plan: weights, windows, budgets and deadlines, in a shape that holds.
//!
//! In: a core's phases and objectives, or a preview's. Out: a [`Schedule`], in which every step has
//! its window and every window its budgets, or the contradiction.

use crate::plan::members::{Objective, Phase, Rollback, Slot, Step};
use crate::plan::recorded::{RecordedCore, Unsound};
use crate::rollout::objective::Budget;
use crate::time::Timestamp;

use super::Weight;

/// A series is missing only after so long, however often it is scraped.
const MISSING_AFTER_SECONDS: u64 = 45;

/// What the machine takes of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// From when it may be started.
    pub not_before: Timestamp,
    /// From when nothing is raised any more.
    pub not_after: Timestamp,
    /// The migration's arguments, if there is one to run.
    pub migration: Option<Vec<String>>,
    /// How long it may take.
    pub migrate_within_seconds: u64,
    /// How the candidate is known to be ready.
    pub warmup: Warmup,
    /// Every step but the last.
    rungs: Vec<Rung>,
    /// The last: 100, watched by the monitor phase.
    last: Rung,
    /// How long things may take.
    pub deadlines: Deadlines,
}

/// One step: a weight and the window in which it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The candidate's weight.
    pub weight: Weight,
    /// The candidate's size in percent of stable's, reached before the weight.
    pub scale: u64,
    /// How long after the weight is read back the window opens.
    pub settle_seconds: u64,
    /// How long it is.
    pub window_seconds: u64,
    /// How often it is extended.
    pub max_extensions: u64,
    /// What is judged: never nothing.
    pub budgets: Vec<Budget>,
}

/// How the candidate is known to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// How often it is probed.
    pub period_seconds: u64,
    /// How many answers in a row make it ready.
    pub successes: u64,
    /// How slow the slowest of them may be.
    pub slowest_ms: u64,
    /// How long it may take.
    pub within_seconds: u64,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// A pause, before it becomes a rollback.
    pub pause_seconds: u64,
    /// A pause by an operator; without it such a pause does not end by itself.
    pub operator_pause_seconds: Option<u64>,
    /// A commanded weight, before it is read back.
    pub confirm_seconds: u64,
    /// The candidate's connections, before they are closed.
    pub drain_seconds: u64,
    /// A series, before it is missing.
    pub missing_seconds: u64,
}

/// The members of a plan that a schedule is made of; a preview has them too.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// The phases.
    pub phases: &'a [Phase],
    /// The budgets.
    pub objectives: &'a [Objective],
    /// The candidate's sizes.
    pub candidate_scale: &'a [u64],
    /// The deadlines.
    pub rollback: &'a Rollback,
    /// From when it may be started.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

impl Schedule {
    /// The schedule of a recorded core.
    ///
    /// # Errors
    /// [`Unsound`] where it contradicts itself; an accepted plan's never does.
    pub fn of_core(core: &RecordedCore) -> Result<Self, Unsound> {
        core.check()?;
        Self::of(Course {
            phases: &core.phases,
            objectives: &core.objectives,
            candidate_scale: &core.strategy.candidate_scale,
            rollback: &core.rollback,
            not_before: core.validity.not_before,
            not_after: core.validity.not_after,
        })
    }

    /// The schedule of a course.
    ///
    /// # Errors
    /// [`Unsound`] where the phases, weights or objectives are not those of a plan.
    pub fn of(course: Course<'_>) -> Result<Self, Unsound> {
        let [
            Phase::Migrate { command, timeout_seconds: migrate_within_seconds, .. },
            Phase::Warmup {
                period_seconds,
                consecutive_successes,
                probe_latency_max_ms,
                timeout_seconds,
                ..
            },
            Phase::Shift { steps, .. },
            Phase::Monitor { window_seconds, max_extensions, objectives, .. },
        ] = course.phases
        else {
            return Err(Unsound::Phases);
        };
        let mut rungs = rungs(steps, &course)?;
        let mut last = rungs.pop().ok_or(Unsound::Weights)?;
        last.window_seconds = *window_seconds;
        last.max_extensions = *max_extensions;
        last.budgets = budgets(objectives, course.objectives)?;
        let judged = rungs.iter().chain([&last]).all(|rung| !rung.budgets.is_empty());
        let rises = rungs.iter().chain([&last]).is_sorted_by(|low, high| low.weight < high.weight);
        let begins = rungs.first().unwrap_or(&last).weight > Weight::ZERO;
        match (judged, rises && begins && last.weight == Weight::FULL) {
            (_, false) => Err(Unsound::Weights),
            (false, true) => Err(Unsound::Objectives),
            (true, true) => Ok(Self {
                not_before: course.not_before,
                not_after: course.not_after,
                migration: command.clone(),
                migrate_within_seconds: *migrate_within_seconds,
                warmup: Warmup {
                    period_seconds: *period_seconds,
                    successes: *consecutive_successes,
                    slowest_ms: *probe_latency_max_ms,
                    within_seconds: *timeout_seconds,
                },
                rungs,
                last,
                deadlines: deadlines(course.rollback),
            }),
        }
    }

    /// The step under way after so many windows: the last one is never left behind.
    pub fn rung(&self, passed: usize) -> &Rung {
        self.rungs.get(passed).unwrap_or(&self.last)
    }

    /// The weight before a step.
    pub fn weight_before(&self, passed: usize) -> Weight {
        passed.checked_sub(1).and_then(|before| self.rungs.get(before)).map_or(Weight::ZERO, |it| it.weight)
    }

    /// Every step.
    pub fn rungs(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().chain([&self.last])
    }
}

fn rungs(steps: &[Step], course: &Course<'_>) -> Result<Vec<Rung>, Unsound> {
    let scales = course.candidate_scale.iter().copied().chain(std::iter::repeat(100));
    let rung = |(step, scale): (&Step, u64)| {
        Ok(Rung {
            weight: candidate(step).ok_or(Unsound::Weights)?,
            scale,
            settle_seconds: step.settle_seconds,
            window_seconds: step.window_seconds,
            max_extensions: step.max_extensions,
            budgets: budgets(&step.objectives, course.objectives)?,
        })
    };
    steps.iter().zip(scales).map(rung).collect()
}

fn candidate(step: &Step) -> Option<Weight> {
    let mut named = step.backend_refs.iter().filter(|backend| backend.name == Slot::Candidate);
    Weight::new(named.next()?.weight)
}

fn budgets(named: &[String], objectives: &[Objective]) -> Result<Vec<Budget>, Unsound> {
    let find = |id: &String| {
        objectives.iter().find(|objective| objective.id == *id).map(Budget::of).ok_or(Unsound::Objectives)
    };
    named.iter().map(find).collect()
}

fn deadlines(rollback: &Rollback) -> Deadlines {
    Deadlines {
        pause_seconds: rollback.pause_deadline_seconds,
        operator_pause_seconds: rollback.operator_pause_deadline_seconds,
        confirm_seconds: rollback.confirm_within_seconds,
        drain_seconds: rollback.drain_within_seconds,
        missing_seconds: MISSING_AFTER_SECONDS,
    }
}
