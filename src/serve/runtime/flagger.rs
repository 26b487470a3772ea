//! `/v1/flagger/{start,migrate,step,promote,rollback,event}`: Flagger's webhooks.
//!
//! In: a webhook's body. Out: 200 goes on (for `rollback`: rolls back), 403 holds, with the reason as text.
//! What is decided from what is in [`gates`](crate::rollout::verdict::gates). A webhook of another Canary, of another
//! plan, or of none that it names, is held: a Canary that was not rendered anew for this plan is not this plan's. Spec: `rollout.md` section 4; <https://docs.flagger.app/usage/webhooks>.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::super::journal::tell;
use super::super::problem::{Named, Problem, answer, named};
use super::super::server::excerpt;
use super::body::{Webhook, webhook};
use super::desk::Desk;
use super::memory::MemoryError;
use crate::rollout::verdict::gates::{Answer, Shown};

/// How long the metrics may take: rendered webhooks wait 5 s.
const PATIENCE: Duration = Duration::from_secs(4);

/// Which webhook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Start,
    Migrate,
    Step,
    Promote,
    Rollback,
    Event,
}

impl Gate {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "start" => Self::Start,
            "migrate" => Self::Migrate,
            "step" => Self::Step,
            "promote" => Self::Promote,
            "rollback" => Self::Rollback,
            "event" => Self::Event,
            _ => return None,
        })
    }
}

pub(super) async fn gate(State(desk): State<Arc<Desk>>, name: Named<String>, request: Request) -> Response {
    let name = match named(name) {
        Ok(name) => name,
        Err(problem) => return problem.response(),
    };
    let Some(gate) = Gate::named(&name) else {
        return Problem::new(404, format!("there is no gate `{}`", excerpt(&name))).response();
    };
    let webhook = match webhook(request).await {
        Ok(webhook) => webhook,
        Err(problem) => return problem.response(),
    };
    let answered = match stranger(&desk, &webhook) {
        Some(why) => Answer::Hold(why),
        // What can't be remembered, or read back, allows nothing.
        None => ask(gate, &desk, &webhook).await.unwrap_or_else(|error| Answer::Hold(error.told())),
    };
    let (status, word, why) = match answered {
        Answer::Allow(why) => (StatusCode::OK, "allow", why),
        Answer::Hold(why) => (StatusCode::FORBIDDEN, "hold", why),
    };
    let members = json!({
        "gate": name, "answer": word, "why": why, "canary": excerpt(&webhook.name),
        "namespace": excerpt(&webhook.namespace), "phase": excerpt(&webhook.phase),
        "checksum": excerpt(&webhook.checksum), "canaryWeight": webhook.canary_weight,
        "event": webhook.metadata("eventMessage").map(excerpt),
    });
    tell(desk.now(), "webhook", members);
    answer(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

/// Why a webhook is none of this plan's.
fn stranger(desk: &Desk, webhook: &Webhook) -> Option<String> {
    let Some(canary) = desk.canary() else {
        return Some("no canary is configured here: `runtime: flagger: {name, namespace}`".to_owned());
    };
    if (&canary.name, &canary.namespace) != (&webhook.name, &webhook.namespace) {
        let (name, namespace) = (excerpt(&webhook.name), excerpt(&webhook.namespace));
        return Some(format!(
            "this answers for canary `{}/{}`, not for `{namespace}/{name}`",
            canary.namespace, canary.name
        ));
    }
    let plan = desk.plan().to_string();
    match webhook.metadata("planDigest") {
        Some(named) if named == plan => None,
        Some(other) => Some(format!("this answers for plan {plan}, not for `{}`", excerpt(other))),
        None => Some(format!(
            "the webhook names no plan, and this answers for {plan}: its `metadata` needs `planDigest`, as `laforge \
             render flagger` writes it"
        )),
    }
}

async fn ask(gate: Gate, desk: &Arc<Desk>, webhook: &Webhook) -> Result<Answer, MemoryError> {
    match gate {
        Gate::Event => Ok(Answer::Allow("noted".to_owned())),
        Gate::Start => Ok(desk.known().await?.start()),
        Gate::Migrate => match desk.known().await?.migrate() {
            Some(answer) => Ok(answer),
            None => desk.migrate().await,
        },
        Gate::Step => step(desk, webhook.canary_weight).await,
        Gate::Promote => {
            let shown = desk.look(&desk.last_window(), PATIENCE).await;
            Ok(desk.known().await?.promote(&shown.judged))
        }
        Gate::Rollback => {
            let shown = desk.look(&desk.step_window(), PATIENCE).await;
            Ok(desk.known().await?.rollback(&shown.judged))
        }
    }
}

/// Before the candidate has any traffic there is nothing to judge: a weight of 0 says so. Where Flagger sends
/// no weight, it is the first that is asked for, and remembered.
async fn step(desk: &Arc<Desk>, weight: Option<u64>) -> Result<Answer, MemoryError> {
    let untried = match weight {
        Some(weight) => weight == 0,
        None => !desk.has_traffic().await?,
    };
    if !untried {
        let shown = desk.look(&desk.step_window(), PATIENCE).await;
        return Ok(desk.known().await?.step(Shown::Window(&shown.judged)));
    }
    let answer = desk.known().await?.step(Shown::Nothing);
    if matches!(answer, Answer::Allow(_)) {
        // Before it is answered: an answer that is lost is held the next time, not given twice.
        desk.remember_traffic().await?;
    }
    Ok(answer)
}
