//! The guard's word for an engine that shifts traffic itself: a window of the plan's candidate, judged.
//!
//! In: what was scraped of the candidate for each objective, and the window. Out: a [`Judged`] each and the
//! [`Verdict`] of all, by the evaluator that a guard of our own uses ([`objective::look`]): never a pass
//! without positive evidence. What a webhook is answered is in [`gates`]. No I/O, and no clock. Not here: the
//! stable version, which nobody reads where an engine shifts the traffic. Spec: `rollout.md` section 4.

pub mod gates;

use chrono::Duration;
use serde::Serialize;

use crate::plan::recorded::RecordedValidity;
use crate::rollout::machine::{Event, Weight, Window};
use crate::rollout::metrics::MetricsError;
use crate::rollout::objective::{self, Breach, Budget, Count, Instance, Look, Side, Sight, Unclear, Watched};
use crate::time::{self, Timestamp};

/// After how many seconds without a series it is missing.
const MISSING_AFTER_SECONDS: i64 = 45;
/// The longest window that is judged: a plan is valid no longer.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within every budget, on enough requests, with fresh samples.
    Pass,
    /// Beyond one of them.
    Breach,
    /// Neither.
    Inconclusive,
}

/// What one objective says of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The objective.
    pub id: String,
    /// Bad requests; none where nothing was counted.
    pub bad: Option<u64>,
    /// All requests.
    pub total: Option<u64>,
    /// The largest share of bad requests, in parts per million.
    pub max_ratio_ppm: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
    /// What it says.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// A window that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Since when.
    pub from: Timestamp,
    /// Until when: now.
    pub until: Timestamp,
    /// How often samples are taken.
    pub interval: Duration,
}

/// Why a plan is not in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotInForce {
    /// It has not begun.
    #[error("the plan begins at {}", time::to_seconds(*not_before))]
    Early {
        /// From when it may be started.
        not_before: Timestamp,
    },
    /// It has ended.
    #[error("the plan ended at {}", time::to_seconds(*not_after))]
    Expired {
        /// Until when it could be.
        not_after: Timestamp,
    },
}

/// A text that is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no window: 1 s to 24 h, such as `300s`, `5m` or `1h30m`")]
pub struct WindowError(String);

/// Whether a plan may begin anything now, or be given more traffic.
///
/// # Errors
/// [`NotInForce`] with the end that is passed.
pub fn in_force(validity: &RecordedValidity, now: Timestamp) -> Result<(), NotInForce> {
    let (not_before, not_after) = (validity.not_before, validity.not_after);
    match (now < not_before, now < not_after) {
        (true, _) => Err(NotInForce::Early { not_before }),
        (_, false) => Err(NotInForce::Expired { not_after }),
        (false, true) => Ok(()),
    }
}

/// A length of time as engines write it: hours, minutes and seconds, largest first, whole numbers.
///
/// # Errors
/// [`WindowError`] with the text.
pub fn window(text: &str) -> Result<Duration, WindowError> {
    let refuse = || WindowError(text.chars().take(80).collect());
    let seconds = seconds(text).filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds));
    let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok()).ok_or_else(refuse)?;
    Duration::try_seconds(seconds).ok_or_else(refuse)
}

fn seconds(text: &str) -> Option<u64> {
    let (mut rest, mut sum, mut largest) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let (number, unit) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let seconds = match unit.chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        if seconds >= largest {
            return None;
        }
        (largest, rest) = (seconds, unit.get(1..)?);
        sum = number.parse::<u64>().ok()?.checked_mul(seconds)?.checked_add(sum)?;
    }
    Some(sum)
}

impl Span {
    /// A window that ends at an instant.
    pub fn ending(until: Timestamp, length: Duration, interval: Duration) -> Self {
        Self { from: until.checked_sub_signed(length).unwrap_or(until), until, interval }
    }

    /// Since when samples are asked for, so that the first count has a base.
    pub fn asked_from(&self) -> Timestamp {
        let before = self.interval * (objective::series::YOUNG_INTERVALS + 1);
        self.from.checked_sub_signed(before).unwrap_or(self.from)
    }
}

/// What one objective says of a window. Series that can't be read are no verdict.
pub fn judge(budget: &Budget, series: &Result<Vec<Instance>, MetricsError>, span: &Span) -> Judged {
    let instances = match series {
        Ok(instances) => instances.as_slice(),
        Err(error) => return unjudged(budget, error.to_string()),
    };
    let found = looked(budget, instances, span);
    let count = found.measured.first().map(|measured| measured.count);
    let (verdict, why) = said(budget, instances, count, &found);
    Judged {
        bad: count.map(|count| count.bad),
        total: count.map(|count| count.total),
        verdict,
        why,
        ..unjudged(budget, String::new())
    }
}

/// An objective of which nothing is known, and why.
pub fn unjudged(budget: &Budget, why: String) -> Judged {
    Judged {
        id: budget.id.clone(),
        bad: None,
        total: None,
        max_ratio_ppm: budget.ppm,
        min_samples: budget.min_samples,
        verdict: Verdict::Inconclusive,
        why,
    }
}

/// One breach is a breach; a pass needs all to pass, and at least one.
pub fn overall(judged: &[Judged]) -> Verdict {
    let is = |verdict: Verdict| move |judged: &Judged| judged.verdict == verdict;
    if judged.iter().any(is(Verdict::Breach)) {
        return Verdict::Breach;
    }
    match !judged.is_empty() && judged.iter().all(is(Verdict::Pass)) {
        true => Verdict::Pass,
        false => Verdict::Inconclusive,
    }
}

/// The first reason for a verdict that is not a pass.
pub fn reason(judged: &[Judged]) -> String {
    let worst = overall(judged);
    let first = judged.iter().find(|judged| judged.verdict == worst && worst != Verdict::Pass);
    match (first, worst) {
        (Some(judged), _) => format!("{}: {}", judged.id, judged.why),
        (None, Verdict::Pass) => "within every budget".to_owned(),
        (None, _) => "no objective was judged".to_owned(),
    }
}

/// The evaluator's own look at the window's end.
fn looked(budget: &Budget, instances: &[Instance], span: &Span) -> Look {
    let window = Window { opens: span.from, ends: span.until, extensions: 0 };
    let sight = Sight {
        window: &window,
        id: 0,
        now: span.until,
        interval: span.interval,
        missing_after: Duration::seconds(MISSING_AFTER_SECONDS),
        // The engine's to know; a verdict is of counts alone.
        readback: Weight::ZERO,
    };
    let watched = Watched { budget, candidate: Side { instances }, stable: Side { instances: &[] } };
    objective::look(&sight, &[watched])
}

fn said(budget: &Budget, instances: &[Instance], count: Option<Count>, look: &Look) -> (Verdict, String) {
    let Count { bad, total } = count.unwrap_or_default();
    let counted = format!("{bad} of {total} requests were bad, {} ppm may be", budget.ppm);
    match (&look.event, look.breach, look.unclear) {
        (Some(Event::WindowVerdict { .. }), ..) => (Verdict::Pass, counted),
        (Some(Event::Breach { .. }), Some(Breach::FastBurn), _) => {
            (Verdict::Breach, format!("the budget burns too fast; {counted}"))
        }
        (Some(Event::Breach { .. }), ..) => (Verdict::Breach, counted),
        _ if instances.is_empty() => {
            (Verdict::Inconclusive, "there is no series of the candidate".to_owned())
        }
        (Some(Event::MetricsMissing { .. }), ..) => {
            (Verdict::Inconclusive, "the candidate's series have no number of late".to_owned())
        }
        (_, _, Some(Unclear::TooFew)) => {
            let needed = budget.min_samples;
            (Verdict::Inconclusive, format!("{total} requests were counted, a verdict needs {needed}"))
        }
        (_, _, Some(Unclear::Stale)) => (
            Verdict::Inconclusive,
            format!("a process of the candidate is down, or its newest sample is old; {counted}"),
        ),
        _ => (Verdict::Inconclusive, "no request was counted".to_owned()),
    }
}

#[cfg(test)]
mod tests;
