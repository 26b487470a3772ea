//! `/v1/argo/verdict`: what Argo Rollouts' `web` metric asks.
//!
//! In: `?window=5m` or `?step=0`, or both. Out: 200 with a `result` of `pass`, `breach` or `inconclusive`, and
//! what it was found by. Metrics that can't be read are `inconclusive`, and no error: an error is what Argo
//! would count, and abort for. Spec: `rollout.md` section 4;
//! <https://argo-rollouts.readthedocs.io/en/stable/analysis/web/>.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::journal::tell;
use super::super::problem::{Problem, answer};
use super::desk::{Desk, Looked};
use super::query::Question;
use crate::rollout::verdict::{Verdict, in_force, overall, reason};
use crate::time;

/// How long the metrics may take: Argo waits 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn verdict(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Response {
    let question = Question::read(query.as_deref().unwrap_or_default());
    let question = match question {
        Ok(question) => question,
        Err(error) => return Problem::new(400, error.to_string()).response(),
    };
    let Some(watch) = desk.watch(question.step, question.window) else {
        return Problem::new(400, format!("the plan has {} steps, counted from 0", desk.steps())).response();
    };
    let looked = desk.look(&watch, PATIENCE).await;
    let body = found(&desk, question.step, &looked);
    let members = json!({"result": body.get("result"), "why": body.get("why"), "step": question.step});
    tell(looked.span.until, "verdict", members);
    answer(StatusCode::OK, "application/json", body.to_string())
}

/// A pass is no pass for a plan that has ended, but at its last step: what has all traffic may be finished (T16).
fn found(desk: &Desk, step: Option<usize>, looked: &Looked) -> Value {
    let counted = overall(&looked.judged);
    let ended = in_force(desk.validity(), looked.span.until).err();
    let last = step.is_some_and(|step| step + 1 == desk.steps());
    let (result, why) = match ended {
        Some(ended) if counted == Verdict::Pass && !last => (Verdict::Inconclusive, ended.to_string()),
        _ => (counted, reason(&looked.judged)),
    };
    json!({
        "result": result,
        "why": why,
        "plan": desk.plan().to_string(),
        "candidate": desk.candidate(),
        "step": step,
        "window": {"from": time::to_seconds(looked.span.from), "until": time::to_seconds(looked.span.until)},
        "objectives": looked.judged,
    })
}
