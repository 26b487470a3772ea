//! The candidate's counters, asked for from within a bounded time.
//!
//! In: objectives and the length of a window that ends now. Out: what each one's series said, or why nothing
//! did. One question is under way at a time, on a thread that may wait; who waits longer than it has gets an
//! error, which is no verdict.

use std::sync::Arc;
use std::time::{Duration as Patience, Instant};

use chrono::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::traces::{Part, Traced};
use crate::plan::members::Objective;
use crate::rollout::metrics::{Counted, Metrics, MetricsError};
use crate::rollout::objective::Instance;
use crate::rollout::verdict::Span;
use crate::time::Timestamp;

/// What one objective's series said.
pub(super) type Series = Result<Vec<Instance>, MetricsError>;

/// Who counts, and what.
pub(super) struct Counting {
    metrics: Arc<Mutex<Box<dyn Metrics>>>,
    interval: Duration,
    counted: Counted,
    /// The metrics' address, as it is told.
    place: String,
    clock: fn() -> Timestamp,
}

impl Counting {
    pub(super) fn new(
        metrics: Box<dyn Metrics>,
        counted: Counted,
        place: String,
        clock: fn() -> Timestamp,
    ) -> Self {
        let interval = metrics.interval();
        Self { metrics: Arc::new(Mutex::new(metrics)), interval, counted, place, clock }
    }

    /// The version whose series are counted.
    pub(super) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// What the series of each objective said, in their order.
    pub(super) async fn series(
        &self,
        objectives: &[Objective],
        length: Duration,
        patience: Patience,
    ) -> (Span, Vec<Series>) {
        let began = Instant::now();
        let (span, series) = self.answer(objectives, length, patience).await;
        let wrong = series.iter().any(Result::is_err).then_some("unanswered");
        let members = vec![("url.full", self.place.clone())];
        let part = Part { name: "measure", began, ended: Instant::now(), wrong, members };
        Traced::current().tell(part);
        (span, series)
    }

    async fn answer(
        &self,
        objectives: &[Objective],
        length: Duration,
        patience: Patience,
    ) -> (Span, Vec<Series>) {
        match timeout(patience, self.ask(objectives.to_vec(), length)).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => self.nothing(objectives, length, "the question broke off".to_owned()),
            Err(_) => {
                let reason = format!("no answer within {} s", patience.as_secs());
                self.nothing(objectives, length, reason)
            }
        }
    }

    async fn ask(
        &self,
        objectives: Vec<Objective>,
        length: Duration,
    ) -> Result<(Span, Vec<Series>), tokio::task::JoinError> {
        let mut metrics = Arc::clone(&self.metrics).lock_owned().await;
        let counted = self.counted.clone();
        // The window ends when it is asked for, not when its turn was waited for.
        let span = Span::ending((self.clock)(), length, self.interval);
        spawn_blocking(move || {
            let ask =
                |objective: &Objective| metrics.counters(objective, &counted, span.asked_from(), span.until);
            (span, objectives.iter().map(ask).collect())
        })
        .await
    }

    fn nothing(&self, objectives: &[Objective], length: Duration, reason: String) -> (Span, Vec<Series>) {
        let span = Span::ending((self.clock)(), length, self.interval);
        let lost = |_: &Objective| {
            Err(MetricsError::Unreachable { place: self.place.clone(), reason: reason.clone() })
        };
        (span, objectives.iter().map(lost).collect())
    }
}
