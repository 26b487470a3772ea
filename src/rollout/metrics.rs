//! Metrics: where the evaluator's counts come from.
//!
//! In: an objective, whose series are asked for, and since when. Out: each process's raw counters
//! ([`Instance`]), never a rate that somebody else computed. What can't be read is an error or an
//! absent number, which the evaluator never takes for a pass (P12). Spec: `rollout.md` section 2.

pub mod haproxy;
pub mod prometheus;

use chrono::Duration;

use crate::plan::members::Objective;
use crate::rollout::objective::Instance;
use crate::time::Timestamp;

/// The version whose series are counted: what `$digest` and `$version` in a plan's series stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The executor's name for its slot.
    pub slot: String,
    /// The digest of the first of `deploys`, as 64 hex digits.
    pub digest: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// A source of counters.
pub trait Metrics: Send {
    /// What every process of a version said of an objective from `from` to `until`, in any order. None
    /// where there is no series.
    ///
    /// # Errors
    /// [`MetricsError`]: the source can't be asked, or its answer is none.
    fn counters(
        &mut self,
        objective: &Objective,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError>;

    /// How often it takes samples.
    fn interval(&self) -> Duration;
}

/// Why there are no counters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// It can't be reached.
    #[error("the metrics at `{place}` can't be reached: {reason}")]
    Unreachable {
        /// Its address.
        place: String,
        /// Why.
        reason: String,
    },
    /// It answered with an error.
    #[error("the metrics at `{place}` answered {status}: {said}")]
    Answer {
        /// Its address.
        place: String,
        /// The HTTP status.
        status: u16,
        /// What it said, cut short.
        said: String,
    },
    /// Its answer is not in its format.
    #[error("the answer of the metrics at `{place}` can't be read: {reason}")]
    Malformed {
        /// Its address.
        place: String,
        /// Why.
        reason: String,
    },
    /// A series names `$digest` or `$version`, and the version has none.
    #[error("the series `{series}` names `{name}`, and nothing says what that is here")]
    Unnamed {
        /// The series.
        series: String,
        /// `$digest` or `$version`.
        name: &'static str,
    },
    /// A setting with which the source can't work.
    #[error("`{value}` can't be {setting}: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A plan's series is more, or less, than the selector of a series.
    #[error("`{series}` is no series that can be counted: {problem}")]
    Series {
        /// The series.
        series: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It answered, and warned that there is more to know.
    #[error("the answer of the metrics at `{place}` is not whole: {said}")]
    Partial {
        /// Its address.
        place: String,
        /// Its first warning.
        said: String,
    },
    /// It has no such counters.
    #[error("{from} can't answer the objective `{objective}`: {problem}")]
    Unanswerable {
        /// The source.
        from: &'static str,
        /// The objective.
        objective: String,
        /// Why.
        problem: &'static str,
    },
}
