//! Rollouts in numbers: what `/metrics` says of them.
//!
//! In: journals, and what the guard shows. Out: series. A journal that has ended is counted once.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::super::super::metrics::{
    Histogram, MIGRATION, Page, ROLLOUT_PAUSES, ROLLOUT_STATE, ROLLOUT_WEIGHT, ROLLOUT_WINDOW,
};
use super::{Found, Rollouts};
use crate::rollout::journal::{Reading, Record};
use crate::rollout::machine::Stage;
use crate::rollout::objective::Measured;

/// Stages, so that a series for each is there.
const STAGES: [&str; 11] = [
    "Planned",
    "Migrating",
    "WarmingUp",
    "Applying",
    "Observing",
    "Monitoring",
    "Paused",
    "RollingBack",
    "Completed",
    "RolledBack",
    "Expired",
];

/// What a journal says in numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pauses: BTreeMap<&'static str, u64>,
    /// How migrations ended, and how many seconds they took.
    migrations: Vec<(&'static str, f64)>,
}

impl Rollouts {
    /// Writes what journals and the guard's view say. One that can't be read says nothing.
    pub(in crate::serve::runtime) fn write(&self, page: &mut Page) {
        let newest = self.newest().ok().flatten();
        let target = || ("target", self.at.target.clone());
        page.family(ROLLOUT_STATE);
        if let Some(found) = &newest {
            for stage in STAGES {
                let here = u64::from(found.reading.state().stage.name() == stage);
                page.whole(ROLLOUT_STATE.name, &[target(), ("state", stage.to_owned())], here);
            }
            self.weights(found, page);
        }
        let tally = self.tally();
        page.family(ROLLOUT_PAUSES);
        for (cause, count) in &tally.pauses {
            page.whole(ROLLOUT_PAUSES.name, &[target(), ("cause", (*cause).to_owned())], *count);
        }
        page.family(MIGRATION);
        for result in ["succeeded", "failed"] {
            let mut times = Histogram::long();
            tally
                .migrations
                .iter()
                .filter(|(ended, _)| *ended == result)
                .for_each(|(_, took)| times.add(*took));
            page.histogram(MIGRATION, &[("result", result.to_owned())], &times);
        }
    }

    fn weights(&self, found: &Found, page: &mut Page) {
        let state = found.reading.state();
        let target = || ("target", self.at.target.clone());
        page.family(ROLLOUT_WEIGHT);
        for (kind, weight) in [("target", state.target), ("actual", state.actual)] {
            for (role, percent) in
                [("candidate", weight.percent()), ("stable", 100 - weight.percent().min(100))]
            {
                let labels = [target(), ("role", role.to_owned()), ("kind", kind.to_owned())];
                page.whole(ROLLOUT_WEIGHT.name, &labels, percent);
            }
        }
        page.family(ROLLOUT_WINDOW);
        let last = found.reading.records().iter().rev().find_map(counted);
        for (role, measured) in last.into_iter().flatten() {
            for (kind, requests) in [("bad", measured.count.bad), ("total", measured.count.total)] {
                let labels = [
                    target(),
                    ("objective", measured.objective.clone()),
                    ("role", role.to_owned()),
                    ("kind", kind.to_owned()),
                ];
                page.whole(ROLLOUT_WINDOW.name, &labels, requests);
            }
        }
    }

    /// Over all journals of the target.
    fn tally(&self) -> Tally {
        let Ok(standing) = self.standing() else { return Tally::default() };
        let mut all = Tally::default();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        for plan in &standing.ended {
            if !ended.contains_key(plan)
                && let Ok(reading) = self.reading(plan)
            {
                ended.insert(plan.clone(), Tally::of(&reading));
            }
            if let Some(tally) = ended.get(plan) {
                all.add(tally);
            }
        }
        if let Some(reading) = standing.open.as_ref().and_then(|open| self.reading(open).ok()) {
            all.add(&Tally::of(&reading));
        }
        all
    }
}

impl Tally {
    fn of(reading: &Reading) -> Self {
        let mut tally = Self::default();
        let mut migrating = None;
        for record in reading.records() {
            let (before, after) = (&record.before.stage, &record.after.stage);
            if let (None, Some(pause)) = (before.pause(), after.pause()) {
                *tally.pauses.entry(pause.cause.as_str()).or_default() += 1;
            }
            match (matches!(before, Stage::Migrating { .. }), matches!(after, Stage::Migrating { .. })) {
                (false, true) => migrating = Some(record.received_at),
                (true, false) => {
                    if let Some(began) = migrating.take() {
                        let ended = if record.event == "MigrationSucceeded" { "succeeded" } else { "failed" };
                        let took = (record.received_at - began).to_std().unwrap_or_default();
                        tally.migrations.push((ended, took.as_secs_f64()));
                    }
                }
                _ => {}
            }
        }
        tally
    }

    fn add(&mut self, other: &Self) {
        for (cause, count) in &other.pauses {
            *self.pauses.entry(*cause).or_default() += count;
        }
        self.migrations.extend(other.migrations.iter().copied());
    }
}

/// What a line says that was counted: of a window that was passed, or of what led to its event.
fn counted(record: &Record) -> Option<Vec<(&'static str, Measured)>> {
    if let Some(measured) = record.data.get("measured").filter(|_| record.event == "WindowVerdict") {
        let measured: Vec<Measured> = serde_json::from_value(measured.clone()).ok()?;
        return Some(measured.into_iter().map(|it| ("candidate", it)).collect());
    }
    let seen = record.seen.as_ref().filter(|seen| !seen.candidate.is_empty())?;
    let side = |role: &'static str, list: &[Measured]| -> Vec<_> {
        list.iter().map(|it| (role, it.clone())).collect()
    };
    Some([side("candidate", &seen.candidate), side("stable", &seen.stable)].concat())
}
