//! An open window: what passes it, what stops it, what extends it (T9 to T14).

use crate::rollout::objective::Measured;

use super::state::later;
use super::turn::{Turn, breach};
use super::{Cause, Event, Ignored, Milestone, Phase, Refusal, Row, Stage, State, Step, Weight, Window};

impl Turn<'_> {
    pub(super) fn watching(&self, event: &Event, window: &Window, phase: Phase) -> Step {
        match event {
            Event::WindowVerdict { window: id, .. }
            | Event::WindowEnd { window: id }
            | Event::MetricsMissing { window: id }
                if *id != self.state.windows =>
            {
                self.ignore(Ignored::Window)
            }
            Event::WindowVerdict { measured, readback, .. } => {
                self.verdict(window, phase, measured, *readback)
            }
            Event::WindowEnd { .. } => self.inconclusive(window, phase),
            Event::MetricsMissing { .. } => {
                match self.at < later(window.opens, self.schedule.deadlines.missing_seconds) {
                    true => self.refuse(Refusal::Early),
                    false => self.pause(Row::T13, phase, Cause::Missing),
                }
            }
            Event::Breach { window: id, stable, .. } => {
                let row = if *id == self.state.windows { Row::T11 } else { Row::T23 };
                self.pause(row, phase, breach(*stable))
            }
            Event::Drift { weight }
            | Event::WeightMismatch { weight }
            | Event::WeightConfirmed { weight }
                if *weight != self.state.target =>
            {
                self.pause_seeing(Row::T14, phase, Cause::Drift, *weight)
            }
            // A weight that can't be read back can't be held: whoever sends this has tried long enough.
            Event::DriverError => self.pause(Row::T14, phase, Cause::Driver),
            other => self.asked(other, phase),
        }
    }

    /// T9, T10: a pass counts with its counts, at its end, and with the weight in place.
    fn verdict(&self, window: &Window, phase: Phase, measured: &[Measured], readback: Weight) -> Step {
        let rung = self.schedule.rung(self.state.passed);
        let shown = |budget: &crate::rollout::objective::Budget| {
            measured.iter().any(|measured| measured.objective == budget.id && budget.passes(&measured.count))
        };
        if self.at < window.ends {
            return self.refuse(Refusal::Early);
        }
        if !rung.budgets.iter().all(shown) {
            return self.refuse(Refusal::Evidence);
        }
        if readback != rung.weight {
            return self.pause_seeing(Row::T14, phase, Cause::Drift, readback);
        }
        let passed = State { passed: self.state.passed + 1, ..self.seeing(readback) };
        match phase {
            Phase::Monitoring => {
                let step = self.apply(Row::T10, State { stage: Stage::Completed, ..passed }, Vec::new());
                Step { entry: Some(Milestone::Completed), ..step }
            }
            _ if self.at >= self.schedule.not_after => {
                self.pause_seeing(Row::T16, phase, Cause::Expired, readback)
            }
            _ => self.raise(Row::T9, passed),
        }
    }

    /// T12, T13.
    fn inconclusive(&self, window: &Window, phase: Phase) -> Step {
        let rung = self.schedule.rung(self.state.passed);
        if self.at < window.ends {
            return self.refuse(Refusal::Early);
        }
        if window.extensions >= rung.max_extensions {
            return self.pause(Row::T13, phase, Cause::Inconclusive);
        }
        let window = Window {
            ends: later(window.ends, rung.window_seconds),
            extensions: window.extensions + 1,
            ..*window
        };
        let stage = match rung.weight {
            Weight::FULL => Stage::Monitoring { window },
            _ => Stage::Observing { window },
        };
        self.apply(Row::T12, self.to(stage), Vec::new())
    }
}
