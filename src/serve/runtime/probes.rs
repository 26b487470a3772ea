//! `/livez` and `/readyz` (with `/health` and `/ready`, as they were once called), and `/metrics`.
//!
//! Ready is: it was not asked to end, what it holds in memory is looked after, the log was read and checks out, and, with
//! a plan for engines, the plan is in force and the metrics answer a question, whatever the answer.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::task::spawn_blocking;

use super::super::keeper::Pulse;
use super::super::metrics::{
    AUDIT_AGE, AUDIT_ANCHOR, AUDIT_APPEND, AUDIT_ENTRIES, AUDIT_HEALTHY, AUDIT_SIZE, BUILD, DECISIONS,
    HTTP_REQUESTS, HTTP_SECONDS, KEPT, Meter, POLICY, Page, REVIEWS, SPANS_LOST, VERIFICATION,
};
use super::super::problem::{Problem, answer};
use super::super::server::Leaving;
use super::super::traces::Traces;
use super::desk::Desk;
use super::ledger::Ledger;
use super::rollouts::Rollouts;
use crate::time::Timestamp;

/// What health hangs on.
pub(super) struct Health {
    pub(super) leaving: Leaving,
    pub(super) pulse: Pulse,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) desk: Option<Arc<Desk>>,
    pub(super) rollouts: Option<Arc<Rollouts>>,
    pub(super) meter: Arc<Meter>,
    pub(super) traces: Traces,
}

/// The probes: for whoever asks.
pub(super) fn routes(health: &Arc<Health>) -> Router {
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/health", get(alive))
        .route("/ready", get(ready))
        .with_state(Arc::clone(health))
}

/// The metrics.
pub(super) fn metrics(health: &Arc<Health>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Arc::clone(health))
}

async fn alive() -> Response {
    answer(StatusCode::OK, "text/plain", "alive\n".to_owned())
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    match health.readiness().await {
        Ok(()) => answer(StatusCode::OK, "text/plain", "ready\n".to_owned()),
        Err(why) => Problem::new(503, why).response(),
    }
}

async fn scrape(State(health): State<Arc<Health>>) -> Response {
    // Journals are read from the disk.
    match spawn_blocking(move || health.page()).await {
        Ok(text) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
        Err(_) => Problem::new(503, "the metrics could not be read").response(),
    }
}

impl Health {
    async fn readiness(&self) -> Result<(), String> {
        if self.leaving.is_set() {
            return Err("it was asked to end".to_owned());
        }
        self.pulse.check(Instant::now())?;
        if let Some(ledger) = &self.ledger {
            ledger.health()?;
        }
        match &self.desk {
            Some(desk) => desk.readiness().await,
            None => Ok(()),
        }
    }

    fn page(&self) -> String {
        let mut page = Page::default();
        page.family(BUILD);
        page.whole(BUILD.name, &[("version", env!("CARGO_PKG_VERSION").to_owned())], 1);
        for family in [VERIFICATION, POLICY, AUDIT_APPEND, REVIEWS, HTTP_REQUESTS, HTTP_SECONDS] {
            self.meter.write(family, &mut page);
        }
        let (looked, trusted) = self.pulse.times();
        page.family(KEPT);
        for (what, time) in [("look", looked), ("trust", trusted)] {
            page.number(KEPT.name, &[("what", what.to_owned())], seconds(time));
        }
        page.family(SPANS_LOST);
        page.whole(SPANS_LOST.name, &[], self.traces.lost());
        if let Some(ledger) = &self.ledger {
            log(ledger, &mut page);
        }
        if let Some(rollouts) = &self.rollouts {
            rollouts.write(&mut page);
        }
        page.text()
    }
}

/// What the log says. While it can't be read there is nothing but that.
fn log(ledger: &Ledger, page: &mut Page) {
    let health = ledger.health();
    page.family(AUDIT_HEALTHY);
    let healthy = health.as_ref().is_ok_and(|health| !health.needs_repair);
    page.whole(AUDIT_HEALTHY.name, &[], u64::from(healthy));
    let Ok(health) = health else { return };
    let counts = ledger.counts();
    page.family(DECISIONS);
    for ((verdict, action, reason), count) in counts.decisions {
        let labels = [("verdict", verdict), ("action", action), ("reason", reason)];
        page.whole(DECISIONS.name, &labels, count);
    }
    page.family(AUDIT_ENTRIES);
    for (kind, count) in counts.entries {
        page.whole(AUDIT_ENTRIES.name, &[("type", kind)], count);
    }
    page.family(AUDIT_SIZE);
    page.whole(AUDIT_SIZE.name, &[], health.head.size);
    for (family, time) in [(AUDIT_AGE, health.last), (AUDIT_ANCHOR, health.anchored)] {
        let Some(time) = time else { continue };
        page.family(family);
        page.number(family.name, &[], seconds(time));
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970")]
fn seconds(time: Timestamp) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
