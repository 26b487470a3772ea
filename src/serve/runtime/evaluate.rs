//! `POST /v1/evaluate`: the same gate as `laforge deploy`, over HTTP.
//!
//! In: a release (or images of the configured one) and evidence. Out: 200 with the decision's report, and the plan
//! where it allows: a denial is an answer, not an error. 422 for a release that can't be read, 503 where no decision
//! could be made or recorded; then there is no plan. What decides is the program's own loading ([`Decide`]).

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::super::body::{Most, decode, read};
use super::super::caller::{Caller, Kind};
use super::super::metrics::{AUDIT_APPEND, Meter, POLICY, VERIFICATION};
use super::super::problem::{Problem, answer};
use super::super::traces::{Part, Traced};
use super::course::{Course, Step, Taken};
use crate::config::service::Limits;
use crate::json;

/// How many are decided at a time: each may wait for registries, and all for the log.
const AT_A_TIME: usize = 16;

/// Images and pieces of evidence that come with a question: an image is a registry that is asked.
const MOST_PIECES: usize = 256;

/// What is to be decided.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evaluation {
    /// The release, with the members of `release.yaml`; its artifacts are images. Default: the configured one.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub release: Option<Value>,
    /// Images beside the release's own, as `repository@sha256:…`.
    #[serde(default)]
    #[schemars(length(max = MOST_PIECES))]
    pub images: Vec<String>,
    /// The environment; it must be the release's.
    #[serde(default)]
    pub environment: Option<String>,
    /// Evidence beside the configured: bundles and envelopes.
    #[serde(default)]
    #[schemars(with = "Vec<serde_json::Map<String, Value>>", length(max = MOST_PIECES))]
    pub evidence: Vec<Value>,
    /// Decide and record, and let no plan out.
    #[serde(default)]
    pub dry_run: bool,
}

/// What somebody wants decided.
#[derive(Debug, Clone)]
pub struct Question {
    /// What.
    pub evaluation: Evaluation,
    /// Its evidence, each piece as its bytes were sent.
    pub evidence: Vec<Vec<u8>>,
    /// Who asks, as the login knows them.
    pub caller: String,
    /// What they are.
    pub kind: Kind,
    /// The trace that the question is part of, for the log: 32 hex digits.
    pub trace: Option<String>,
    /// Where whoever decides says which step it has come to.
    pub course: Course,
}

/// A decision that is on record.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The report, as `--report json` gives it.
    pub report: Value,
    /// The plan's envelope, byte for byte.
    pub plan: Option<Vec<u8>>,
}

/// Why nothing is decided, or nothing on record.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// What was asked can't be read.
    #[error("{0}")]
    Invalid(String),
    /// It could not be decided here.
    #[error("{0}")]
    Impossible(String),
    /// The log could not take it.
    #[error("{0}")]
    Unrecorded(String),
}

/// What decides: blocking, and complete.
pub type Decide = Arc<dyn Fn(Question) -> Result<Decided, Undecided> + Send + Sync>;

/// What evaluates.
pub(super) struct Evaluator {
    decide: Decide,
    most: Most,
    places: Semaphore,
    meter: Arc<Meter>,
}

impl Evaluator {
    pub(super) fn new(decide: Decide, limits: Limits, meter: Arc<Meter>) -> Self {
        let most = Most { bytes: limits.body_bytes, time: limits.body_time };
        Self { decide, most, places: Semaphore::new(AT_A_TIME), meter }
    }

    /// Only of what is on record: what broke off would tell how fast it broke.
    fn measure(&self, taken: &[Taken]) {
        for taken in taken {
            let family = match taken.step {
                Step::Load => continue,
                Step::Verify => VERIFICATION,
                Step::Decide => POLICY,
                Step::Append => AUDIT_APPEND,
            };
            self.meter.time(family, Vec::new(), taken.ended - taken.began);
        }
    }
}

/// Decides.
pub(super) async fn evaluate(
    State(evaluator): State<Arc<Evaluator>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let body = match read(request, evaluator.most).await {
        Ok(body) => body,
        Err(problem) => return problem.response(),
    };
    let evaluation: Evaluation = match decode(&body) {
        Ok(evaluation) => evaluation,
        Err(error) => return Problem::new(422, format!("the body is no evaluation: {error}")).response(),
    };
    if evaluation.images.len().max(evaluation.evidence.len()) > MOST_PIECES {
        let why = format!("`images` and `evidence` hold at most {MOST_PIECES} pieces each");
        return Problem::new(422, why).response();
    }
    let evidence: Vec<Vec<u8>> =
        json::items(&body, "evidence").unwrap_or_default().iter().map(|it| it.to_vec()).collect();
    if evidence.len() != evaluation.evidence.len() {
        return Problem::new(422, "the body is no evaluation: `evidence` can't be told apart").response();
    }
    let Ok(_place) = evaluator.places.try_acquire() else {
        let mut busy =
            Problem::new(503, "as many releases as are decided at a time are under way").response();
        busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return busy;
    };
    let (traced, course) = (Traced::current(), Course::default());
    let question = Question {
        evaluation,
        evidence,
        caller: caller.name().to_owned(),
        kind: caller.kind(),
        trace: traced.id(),
        course: course.clone(),
    };
    let deciding = Arc::clone(&evaluator);
    // It goes on, and is recorded, also when whoever asked goes away.
    let decided = spawn_blocking(move || {
        let decided = (deciding.decide)(question);
        let taken = course.end(Instant::now());
        trace(&traced, &taken, &decided);
        decided.inspect(|_| deciding.measure(&taken))
    });
    match decided.await {
        Ok(Ok(decided)) => told(&decided),
        Ok(Err(Undecided::Invalid(why))) => Problem::new(422, why).response(),
        Ok(Err(Undecided::Impossible(why) | Undecided::Unrecorded(why))) => Problem::new(503, why).response(),
        Err(_) => {
            Problem::new(503, "the decision broke off; the log says whether it was recorded").response()
        }
    }
}

/// Each step as a part of the request. The one that a decision broke off in is the last.
fn trace(traced: &Traced, taken: &[Taken], decided: &Result<Decided, Undecided>) {
    let wrong = match decided {
        Ok(_) => None,
        Err(Undecided::Invalid(_)) => Some("invalid"),
        Err(Undecided::Impossible(_)) => Some("impossible"),
        Err(Undecided::Unrecorded(_)) => Some("unrecorded"),
    };
    let action = decided.as_ref().ok().and_then(|decided| decided.report.pointer("/decision/action"));
    let action = action.and_then(Value::as_str).map(|action| ("laforge.decision.action", action.to_owned()));
    for (number, Taken { step, began, ended }) in taken.iter().copied().enumerate() {
        let last = number + 1 == taken.len();
        let members = action.iter().filter(|_| step == Step::Decide).cloned().collect();
        traced.tell(Part { name: step.name(), began, ended, wrong: wrong.filter(|_| last), members });
    }
}

fn told(decided: &Decided) -> Response {
    let plan: Option<Value> = decided.plan.as_deref().and_then(|plan| serde_json::from_slice(plan).ok());
    let mut document = serde_json::json!({"report": decided.report});
    if let (Value::Object(members), Some(plan)) = (&mut document, plan) {
        members.insert("plan".to_owned(), plan);
    }
    answer(StatusCode::OK, "application/json", document.to_string())
}
