//! `/v1/argo/verdict`: what Argo Rollouts' `web` metric asks.
//!
//! In: `?window=5m` or `?step=0`, or both. Out: 200 with a `result` of `pass`, `breach` or `inconclusive`, and
//! what it was found by. Metrics that can't be read are `inconclusive`, and no error: an error is what Argo
//! would count, and abort for. A plan that was stopped, by a breach or by somebody, is a `breach` until there is a
//! new one. Spec: `rollout.md` section 4;
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
use crate::rollout::verdict::{Judged, NotInForce, Verdict, in_force, overall, reason};
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
    let stopped = desk.stopped().await.map_err(|error| error.told());
    let body = found(&desk, question.step, &looked, stopped);
    let members = json!({"result": body.get("result"), "why": body.get("why"), "step": question.step});
    tell(looked.span.until, "verdict", members);
    answer(StatusCode::OK, "application/json", body.to_string())
}

/// The answer, and what it was found by.
fn found(
    desk: &Desk,
    step: Option<usize>,
    looked: &Looked,
    stopped: Result<Option<String>, String>,
) -> Value {
    // What has all traffic may be finished (T16).
    let last = step.is_some_and(|step| step + 1 == desk.steps());
    let ended = in_force(desk.validity(), looked.span.until).err().filter(|_| !last);
    let (result, why) = result(&looked.judged, stopped, ended);
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

/// What is answered, and why. A plan that was stopped goes back, whatever its window says; where nobody can read
/// whether it was, and where it has ended, a pass is none.
fn result(
    judged: &[Judged],
    stopped: Result<Option<String>, String>,
    ended: Option<NotInForce>,
) -> (Verdict, String) {
    match (overall(judged), stopped, ended) {
        (Verdict::Breach, ..) => (Verdict::Breach, reason(judged)),
        (_, Ok(Some(why)), _) => (Verdict::Breach, why),
        (Verdict::Pass, Err(why), _) => (Verdict::Inconclusive, why),
        (Verdict::Pass, Ok(None), Some(ended)) => (Verdict::Inconclusive, ended.to_string()),
        (counted, ..) => (counted, reason(judged)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::objective::Budget;
    use crate::rollout::verdict::unjudged;

    fn judged(verdict: Verdict) -> [Judged; 1] {
        let budget = Budget { id: "errors".to_owned(), ppm: 20_000, min_samples: 500, fast_burn: None };
        [Judged { verdict, ..unjudged(&budget, "so".to_owned()) }]
    }

    fn ended() -> NotInForce {
        NotInForce::Expired { not_after: time::parse("2026-11-24T16:00:00Z").unwrap() }
    }

    #[test]
    fn only_a_plan_in_force_that_nobody_stopped_passes() {
        let not = || Ok(None);
        let red = || Ok(Some("alice asked for a rollback: red".to_owned()));
        let unread = || Err("cannot read `requests`".to_owned());
        let (pass, breach, inconclusive) = (Verdict::Pass, Verdict::Breach, Verdict::Inconclusive);
        for (counted, stopped, ended, result_, why) in [
            (pass, not(), None, pass, "within every budget"),
            (pass, not(), Some(ended()), inconclusive, "the plan ended at 2026-11-24T16:00:00Z"),
            (pass, red(), None, breach, "alice asked for a rollback: red"),
            (pass, red(), Some(ended()), breach, "alice asked for a rollback: red"),
            (pass, unread(), None, inconclusive, "cannot read `requests`"),
            (inconclusive, not(), None, inconclusive, "errors: so"),
            (inconclusive, red(), None, breach, "alice asked for a rollback: red"),
            (inconclusive, unread(), None, inconclusive, "errors: so"),
            (breach, not(), None, breach, "errors: so"),
            (breach, red(), Some(ended()), breach, "errors: so"),
            (breach, unread(), None, breach, "errors: so"),
        ] {
            assert_eq!(result(&judged(counted), stopped, ended), (result_, why.to_owned()), "{counted:?}");
        }
    }
}
