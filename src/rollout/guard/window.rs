//! An open window: what is counted, what the evaluator makes of it, what the view shows.

use chrono::Duration;

use crate::rollout::machine::event::Series;
use crate::rollout::machine::{Cause, Stage};
use crate::rollout::machine::{Event, Weight, Window};
use crate::rollout::objective::series::YOUNG_INTERVALS;
use crate::rollout::objective::{Instance, Side, Sight, Watched, look};
use crate::time::{self, Timestamp};

use super::pending::Busy;
use super::view::{Shown, View};
use super::workers::{CountOrder, Counting, Counts, Purpose, Tally, TrafficOrder, give};
use super::{Guard, GuardError};

impl Guard<'_> {
    /// Has the open window counted.
    pub(super) fn count(&mut self, window: Window, now: Timestamp) {
        let state = self.journal.state();
        let rung = self.journal.schedule().rung(state.passed);
        let objectives = self.assignment.objectives(rung.budgets.iter().map(|budget| budget.id.as_str()));
        let before = self.interval * (YOUNG_INTERVALS + 1);
        let order = CountOrder {
            counting: Counting::Window { window, id: state.windows, passed: state.passed },
            epoch: state.epoch,
            sides: self.assignment.sides(&self.pending.stable_runs),
            objectives,
            from: window.opens.checked_sub_signed(before).unwrap_or(window.opens),
            until: now,
        };
        self.pending.busy.insert(Busy::Counting);
        give(&self.workers.counts, order);
    }

    /// What was counted: for a window, or for somebody who asks to go on.
    pub(super) fn counted(&mut self, counted: Tally) -> Result<(), GuardError> {
        self.tell_troubles(&counted.counts);
        match counted.counting {
            Counting::Resume => {
                let fresh = |side: &Counts| {
                    side.candidate.as_ref().is_ok_and(|instances| {
                        instances
                            .iter()
                            .any(|it| it.newest(counted.until).is_some_and(|at| at > counted.from))
                    })
                };
                let all = !counted.counts.is_empty() && counted.counts.iter().all(fresh);
                self.series_for_resume(if all { Series::Fresh } else { Series::Absent })
            }
            Counting::Window { window, id, passed } => {
                self.pending.busy.remove(&Busy::Counting);
                self.judge(&window, id, passed, &counted)
            }
        }
    }

    fn judge(&mut self, window: &Window, id: u64, passed: usize, counted: &Tally) -> Result<(), GuardError> {
        let schedule = self.journal.schedule();
        let sight = Sight {
            window,
            id,
            now: counted.until,
            interval: self.interval,
            missing_after: Duration::try_seconds(
                i64::try_from(schedule.deadlines.missing_seconds).unwrap_or(i64::MAX / 1000),
            )
            .unwrap_or(Duration::MAX),
            readback: self.journal.state().actual,
        };
        let watched: Vec<Watched<'_>> = schedule
            .rung(passed)
            .budgets
            .iter()
            .map(|budget| {
                let counts = counted.counts.iter().find(|counts| counts.objective == budget.id);
                let side = |of: fn(&Counts) -> Option<&[Instance]>| Side {
                    instances: counts.and_then(of).unwrap_or(&[]),
                };
                Watched {
                    budget,
                    candidate: side(|counts| counts.candidate.as_deref().ok()),
                    stable: side(|counts| counts.stable.as_deref().ok()),
                }
            })
            .collect();
        let found = look(&sight, &watched);
        let current = id == self.journal.state().windows && self.stage().window().is_some();
        if current {
            self.pending.look = found.clone();
        }
        match found.event {
            Some(event @ Event::WindowVerdict { .. }) if current => {
                // Its weight is the one that is read for it.
                self.pending.verdict = Some((counted.epoch, event));
                let order = TrafficOrder::Read { purpose: Purpose::Verdict, epoch: counted.epoch };
                give(&self.workers.traffic, order);
                Ok(())
            }
            Some(event @ Event::MetricsMissing { .. }) if current => {
                let sides = self.assignment.sides(&self.pending.stable_runs);
                let digest = sides.candidate.digest.unwrap_or_default();
                let text = format!("a series of {digest} has no sample: {}", self.series_of(passed));
                self.watcher.trouble(&text);
                self.pending.trouble("metrics", text);
                self.tell_of(counted.epoch, event, None)
            }
            // Late bad news counts, late good news never.
            Some(event @ Event::Breach { .. }) => self.tell_of(counted.epoch, event, None),
            Some(event) if current => self.tell_of(counted.epoch, event, None),
            _ => Ok(()),
        }
    }

    /// The series of a step's objectives, as the plan has them.
    fn series_of(&self, passed: usize) -> String {
        let rung = self.journal.schedule().rung(passed);
        let objectives = self.assignment.objectives(rung.budgets.iter().map(|budget| budget.id.as_str()));
        let series: Vec<String> = objectives.into_iter().map(|it| it.ratio_metric.total).collect();
        series.join(", ")
    }

    fn tell_troubles(&mut self, counts: &[Counts]) {
        let error =
            counts.iter().find_map(|counts| counts.candidate.as_ref().err().or(counts.stable.as_ref().err()));
        match error.map(ToString::to_string) {
            Some(text) => {
                if !self.pending.troubles().contains(&text) {
                    self.watcher.trouble(&text);
                }
                self.pending.trouble("metrics", text);
            }
            None => self.pending.clear_trouble("metrics"),
        }
    }

    /// Where the rollout stands.
    pub(super) fn view(&self) -> View {
        let (state, schedule) = (self.journal.state(), self.journal.schedule());
        let rung = schedule.rung(state.passed);
        let budgets = rung.budgets.iter().map(|budget| Shown {
            id: budget.id.clone(),
            max_ratio_ppm: budget.ppm,
            min_samples: budget.min_samples,
        });
        // A pause shows what it was for.
        let watched = !matches!(
            state.stage,
            Stage::Planned | Stage::Migrating { .. } | Stage::WarmingUp { .. } | Stage::Applying { .. }
        );
        let look = &self.pending.look;
        View {
            at: (self.clock)(),
            length: self.journal.head().length,
            state: state.clone(),
            weight: rung.weight,
            steps: schedule.rungs().count(),
            candidate: if watched { look.measured.clone() } else { Vec::new() },
            stable: if watched { look.stable.clone() } else { Vec::new() },
            budgets: budgets.collect(),
            breach: look.breach,
            unclear: look.unclear,
            waits_for: self.waits_for(),
            troubles: self.pending.troubles(),
        }
    }

    fn waits_for(&self) -> String {
        let until = |at: Timestamp| time::to_seconds(at);
        let raised = matches!(
            self.stage(),
            Stage::Migrating { .. } | Stage::WarmingUp { .. } | Stage::Applying { .. }
        );
        if raised && !self.book.is_clear() {
            return "the audit log, to take the last entry".to_owned();
        }
        match self.stage() {
            Stage::Planned => "its start".to_owned(),
            Stage::Migrating { deadline } => format!("the migration, until {}", until(*deadline)),
            Stage::WarmingUp { deadline } => format!("the candidate to be well, until {}", until(*deadline)),
            Stage::Applying { deadline } => {
                format!("{} % to be read back, until {}", self.journal.state().target, until(*deadline))
            }
            Stage::Observing { window } | Stage::Monitoring { window } => {
                format!("the window to end at {}", until(window.ends))
            }
            Stage::Paused { pause } => match (pause.cause, pause.deadline) {
                (Cause::Expired, Some(deadline)) => format!("a rollback: at {} by itself", until(deadline)),
                (_, Some(deadline)) => {
                    format!("`resume` or `rollback`; at {} it rolls back", until(deadline))
                }
                (_, None) => "`resume` or `rollback`".to_owned(),
            },
            Stage::RollingBack { .. } if self.journal.state().actual > Weight::ZERO => {
                "0 % to be read back".to_owned()
            }
            Stage::RollingBack { .. } => "the candidate's connections to end".to_owned(),
            Stage::Completed | Stage::RolledBack | Stage::Expired => "nothing".to_owned(),
        }
    }
}
