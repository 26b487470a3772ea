//! `/v1/rollouts`: where rollouts of this machine's guard stand, and what operators ask of them.
//!
//! In: the folder of the journals; a request of somebody with the right, and their reason. Out: the journal's state
//! and what the guard shows; or a request in the guard's folder, as a second terminal leaves one, under the caller's
//! name. The guard answers it in its journal. Nothing here commands a driver.

use std::collections::BTreeMap;
use std::path::{Path as Folder, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use rustix::rand::{GetRandomFlags, getrandom};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::body::{Most, decode, read};
use super::super::caller::Caller;
use super::super::metrics::{
    Histogram, MIGRATION, Page, ROLLOUT_PAUSES, ROLLOUT_STATE, ROLLOUT_WEIGHT, ROLLOUT_WINDOW,
};
use super::super::problem::{Named, Problem, answer, named};
use super::super::server::excerpt;
use super::desk::Desk;
use crate::release::digest::ClaimedDigest;
use crate::rollout::guard::{Ask, Asks, Verb, View};
use crate::rollout::journal::{self, JournalError, Reading, Record, Standing};
use crate::rollout::machine::{Operator, Stage};
use crate::rollout::objective::Measured;
use crate::time::Timestamp;

/// A guard that has not shown itself for so long is none.
const SHOWN_WITHIN: TimeDelta = TimeDelta::seconds(3);
/// What a request may have.
const MOST: Most = Most { bytes: 16 * 1024, time: Duration::from_secs(5) };
/// How much one may say.
const MOST_REASON: usize = 4096;
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

/// Where journals are.
#[derive(Debug, Clone)]
pub struct RolloutsAt {
    /// The executor's state folder.
    pub state: PathBuf,
    /// The target.
    pub target: String,
}

/// The rollouts at a target.
pub(super) struct Rollouts {
    at: RolloutsAt,
    clock: fn() -> Timestamp,
    /// Of journals that have ended: they are read once.
    ended: Mutex<BTreeMap<ClaimedDigest, Tally>>,
}

/// What a journal says in numbers.
#[derive(Debug, Clone, Default)]
struct Tally {
    pauses: BTreeMap<&'static str, u64>,
    /// How migrations ended, and how many seconds they took.
    migrations: Vec<(&'static str, f64)>,
}

/// A rollout as found.
struct Found {
    plan: ClaimedDigest,
    reading: Reading,
    view: Option<View>,
    guarded: bool,
}

/// What an operator asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RolloutRequest")]
pub(super) struct Asked {
    /// Why; it is journaled.
    #[schemars(length(min = 1, max = MOST_REASON))]
    reason: String,
}

/// `GET /v1/rollouts`
pub(super) async fn list(State(rollouts): State<Arc<Rollouts>>) -> Response {
    told(rollouts, |rollouts| {
        let found = rollouts.newest()?;
        let list: Vec<Value> = found.iter().map(|found| rollouts.document(found)).collect();
        Ok(json!({"rollouts": list}))
    })
    .await
}

/// `GET /v1/rollouts/{target}`
pub(super) async fn one(State(rollouts): State<Arc<Rollouts>>, target: Named<String>) -> Response {
    let target = match named(target) {
        Ok(target) => target,
        Err(problem) => return problem.response(),
    };
    told(rollouts, move |rollouts| {
        rollouts.is_here(&target)?;
        let found = rollouts.newest()?.ok_or_else(|| rollouts.nothing())?;
        Ok(rollouts.document(&found))
    })
    .await
}

/// `POST /v1/rollouts/{target}/{pause|resume|rollback}`
pub(super) async fn ask(
    State((rollouts, desk)): State<(Arc<Rollouts>, Option<Arc<Desk>>)>,
    path: Named<(String, String)>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let (target, verb) = match named(path) {
        Ok(path) => path,
        Err(problem) => return problem.response(),
    };
    let verb = match verb.as_str() {
        "pause" => Verb::Pause,
        "resume" => Verb::Resume,
        "rollback" => Verb::Rollback,
        other => {
            return Problem::new(404, format!("`{}` is none of pause, resume and rollback", excerpt(other)))
                .response();
        }
    };
    let operator = match read(request, MOST).await.and_then(|body| operator(&body, &caller)) {
        Ok(operator) => operator,
        Err(problem) => return problem.response(),
    };
    let left = spawn_blocking(move || {
        rollouts.is_here(&target)?;
        rollouts.leave(verb, operator, desk.as_deref())
    });
    match left.await {
        Ok(Ok(document)) => answer(StatusCode::ACCEPTED, "application/json", document.to_string()),
        Ok(Err(problem)) => problem.response(),
        Err(_) => Problem::new(503, "the request broke off").response(),
    }
}

fn operator(body: &[u8], caller: &Caller) -> Result<Operator, Problem> {
    let asked: Asked = decode(body)
        .map_err(|error| Problem::new(400, format!("the body has to be `{{\"reason\": \"…\"}}`: {error}")))?;
    if asked.reason.len() > MOST_REASON {
        return Err(Problem::new(422, format!("a reason has at most {MOST_REASON} bytes")));
    }
    Operator::new(caller.name(), &asked.reason).map_err(|error| Problem::new(422, error.to_string()))
}

async fn told(
    rollouts: Arc<Rollouts>,
    work: impl FnOnce(&Rollouts) -> Result<Value, Problem> + Send + 'static,
) -> Response {
    match spawn_blocking(move || work(&rollouts)).await {
        Ok(Ok(document)) => answer(StatusCode::OK, "application/json", document.to_string()),
        Ok(Err(problem)) => problem.response(),
        Err(_) => Problem::new(503, "the question broke off").response(),
    }
}

/// A journal that can't be read.
fn unreadable(error: &JournalError) -> Problem {
    Problem::new(503, super::ledger::told(error))
}

impl Rollouts {
    pub(super) fn new(at: RolloutsAt, clock: fn() -> Timestamp) -> Self {
        Self { at, clock, ended: Mutex::default() }
    }

    fn is_here(&self, target: &str) -> Result<(), Problem> {
        match target == self.at.target {
            true => Ok(()),
            false => Err(Problem::new(
                404,
                format!("this service is of target `{}`, not of `{}`", self.at.target, excerpt(target)),
            )),
        }
    }

    fn nothing(&self) -> Problem {
        Problem::new(404, format!("nothing was rolled out at target `{}`", self.at.target))
    }

    fn standing(&self) -> Result<Standing, Problem> {
        journal::standing(&self.at.state, &self.at.target).map_err(|error| unreadable(&error))
    }

    fn reading(&self, plan: &ClaimedDigest) -> Result<Reading, Problem> {
        Reading::open(&self.at.state, &self.at.target, plan).map_err(|error| unreadable(&error))
    }

    /// The one under way, else the one that ended last.
    fn newest(&self) -> Result<Option<Found>, Problem> {
        let standing = self.standing()?;
        if let Some(open) = standing.open {
            return self.reading(&open).map(|reading| Some(self.found(open, reading)));
        }
        let mut newest: Option<(Timestamp, ClaimedDigest, Reading)> = None;
        for plan in standing.ended {
            let reading = self.reading(&plan)?;
            let Some(last) = reading.records().last().map(|last| last.received_at) else { continue };
            if newest.as_ref().is_none_or(|(at, _, _)| *at < last) {
                newest = Some((last, plan, reading));
            }
        }
        Ok(newest.map(|(_, plan, reading)| self.found(plan, reading)))
    }

    fn found(&self, plan: ClaimedDigest, reading: Reading) -> Found {
        // The journal is right; a view of anything else is none.
        let same = |view: &View| view.length == reading.head().length && view.state == *reading.state();
        let view = View::read(reading.path()).filter(same);
        let guarded = self.is_guarded(reading.path());
        Found { plan, view, guarded, reading }
    }

    fn is_guarded(&self, rollout: &Folder) -> bool {
        View::read(rollout).is_some_and(|view| ((self.clock)() - view.at).abs() < SHOWN_WITHIN)
    }

    fn document(&self, found: &Found) -> Value {
        json!({
            "target": self.at.target,
            "plan": found.plan.to_string(),
            "stage": found.reading.state().stage.name(),
            "state": found.reading.state(),
            "view": found.view,
            "guarded": found.guarded,
        })
    }

    fn leave(&self, verb: Verb, operator: Operator, desk: Option<&Desk>) -> Result<Value, Problem> {
        let Some(open) = self.standing()?.open else { return self.leave_to_engine(verb, operator, desk) };
        let reading = self.reading(&open)?;
        let ask = Ask { verb, operator, epoch: reading.state().epoch, nonce: nonce()? };
        let left = Asks::of(reading.path()).leave(&ask);
        left.map_err(|error| Problem::new(503, format!("the request could not be left: {error}")))?;
        Ok(json!({
            "target": self.at.target,
            "plan": open.to_string(),
            "request": ask.nonce,
            "guarded": self.is_guarded(reading.path()),
        }))
    }

    /// Without a guard of ours an engine may be at it: it goes back when it is told to.
    fn leave_to_engine(&self, verb: Verb, operator: Operator, desk: Option<&Desk>) -> Result<Value, Problem> {
        let none = || Problem::new(409, format!("no rollout is under way at target `{}`", self.at.target));
        let desk = desk.ok_or_else(none)?;
        if verb != Verb::Rollback {
            return Err(Problem::new(409, "an engine shifts the traffic here: pause and resume it there"));
        }
        let plan = desk.plan().to_string();
        desk.roll_back(operator)
            .map_err(|error| Problem::new(503, format!("the request could not be left: {error}")))?;
        Ok(json!({"target": self.at.target, "plan": plan, "request": "rollback", "guarded": false}))
    }

    /// Writes what journals and the guard's view say. One that can't be read says nothing.
    pub(super) fn write(&self, page: &mut Page) {
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

/// One request is one event, however often it is found.
fn nonce() -> Result<String, Problem> {
    let mut random = [0; 16];
    match getrandom(&mut random, GetRandomFlags::empty()) {
        Ok(16) => Ok(hex::encode(random)),
        _ => Err(Problem::new(503, "no random number")),
    }
}
