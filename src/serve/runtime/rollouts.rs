//! `/v1/rollouts`: where rollouts of this machine's guard stand, and what operators ask of them.
//!
//! In: the folder of the journals; a request of somebody with the right, and their reason. Out: the journal's state
//! and what the guard shows; or a request in the guard's folder, as a second terminal leaves one, under the caller's
//! name. The guard answers it in its journal. Nothing here commands a driver.

mod counted;

use std::collections::BTreeMap;
use std::path::Path as Folder;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::RolloutsAt;
use super::super::body::{Most, decode, read};
use super::super::caller::Caller;
use super::super::problem::{Named, Problem, answer, named};
use super::super::server::excerpt;
use super::desk::Desk;
use crate::random;
use crate::release::digest::ClaimedDigest;
use crate::rollout::guard::{Ask, Asks, MOST_REASON, Verb, View};
use crate::rollout::journal::{self, JournalError, Reading, Standing};
use crate::rollout::machine::Operator;
use crate::time::Timestamp;
use counted::Tally;

/// What a request may have.
const MOST: Most = Most { bytes: 16 * 1024, time: Duration::from_secs(5) };
/// The rollouts at a target.
pub(super) struct Rollouts {
    at: RolloutsAt,
    clock: fn() -> Timestamp,
    /// Of journals that have ended: they are read once.
    ended: Mutex<BTreeMap<ClaimedDigest, Tally>>,
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
    /// The digest of the plan that is meant, so that a rollout which began meanwhile is not. Default: whichever is
    /// under way.
    #[serde(default)]
    plan: Option<ClaimedDigest>,
}

/// A request, read.
struct Wish {
    verb: Verb,
    operator: Operator,
    plan: Option<ClaimedDigest>,
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
    let Some(verb) = Verb::named(&verb) else {
        return Problem::new(404, format!("`{}` is none of pause, resume and rollback", excerpt(&verb)))
            .response();
    };
    let wish = match read(request, MOST).await.and_then(|body| wish(verb, &body, &caller)) {
        Ok(wish) => wish,
        Err(problem) => return problem.response(),
    };
    let left = spawn_blocking(move || {
        rollouts.is_here(&target)?;
        rollouts.leave(wish, desk.as_deref())
    });
    match left.await {
        Ok(Ok(document)) => answer(StatusCode::ACCEPTED, "application/json", document.to_string()),
        Ok(Err(problem)) => problem.response(),
        Err(_) => Problem::new(503, "the request broke off").response(),
    }
}

fn wish(verb: Verb, body: &[u8], caller: &Caller) -> Result<Wish, Problem> {
    let Asked { reason, plan } = decode(body).map_err(|error| {
        let shape = r#"`{"reason": "…"}`, perhaps with the digest of the `plan` that is meant"#;
        Problem::new(400, format!("the body has to be {shape}: {error}"))
    })?;
    let operator =
        Ask::operator(caller.name(), &reason).map_err(|error| Problem::new(422, error.to_string()))?;
    Ok(Wish { verb, operator, plan })
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
    Problem::new(503, crate::serve::journal::told(error))
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
        View::is_at_work(rollout, (self.clock)())
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

    fn leave(&self, wish: Wish, desk: Option<&Desk>) -> Result<Value, Problem> {
        let Some(open) = self.standing()?.open else { return self.leave_to_engine(wish, desk) };
        self.is_meant(&wish, &open)?;
        let reading = self.reading(&open)?;
        let nonce = random::hex::<16>().map_err(|_| Problem::new(503, "no random number"))?;
        let ask = Ask { verb: wish.verb, operator: wish.operator, epoch: reading.state().epoch, nonce };
        let left = Asks::of(reading.path()).leave(&ask);
        left.map_err(|error| Problem::new(503, format!("the request could not be left: {error}")))?;
        Ok(json!({
            "target": self.at.target,
            "plan": open.to_string(),
            "request": ask.nonce,
            "guarded": self.is_guarded(reading.path()),
        }))
    }

    /// What was decided about one rollout is not done to the next one.
    fn is_meant(&self, wish: &Wish, under_way: &ClaimedDigest) -> Result<(), Problem> {
        match &wish.plan {
            Some(meant) if meant != under_way => Err(Problem::new(
                409,
                format!(
                    "plan {under_way} is under way at target `{}`, and {meant} is meant: look at it, and ask again",
                    self.at.target
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Without a guard of ours an engine may be at it: it goes back when it is told to.
    fn leave_to_engine(&self, wish: Wish, desk: Option<&Desk>) -> Result<Value, Problem> {
        let none = || Problem::new(409, format!("no rollout is under way at target `{}`", self.at.target));
        // A service's rollouts are its executor's, and its plan for engines may be another target's.
        let desk = desk.filter(|desk| desk.target() == self.at.target).ok_or_else(none)?;
        self.is_meant(&wish, &desk.plan().claim())?;
        if wish.verb != Verb::Rollback {
            return Err(Problem::new(409, "an engine shifts the traffic here: pause and resume it there"));
        }
        let plan = desk.plan().to_string();
        desk.roll_back(wish.operator)
            .map_err(|error| Problem::new(503, format!("the request could not be left: {error}")))?;
        Ok(json!({"target": self.at.target, "plan": plan, "request": "rollback", "guarded": false}))
    }
}
