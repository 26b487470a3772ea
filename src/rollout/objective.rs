//! The evaluator of both budgets: integers, one look at a window's end, and never a pass without
//! positive evidence.
//!
//! In: a [`Budget`], what was counted in a window ([`Count`]), how far the window is. Out: a
//! [`Judgement`]. What is counted comes of [`series`]; a latency budget whose threshold is no bucket
//! of its histogram is judged by [`bucket`]. Spec: `rollout.md` section 2, "Error budget, exactly".
//! Not here: queries, and units (a plan has milliseconds, Prometheus seconds).

pub mod bucket;
pub mod series;
pub mod window;

use serde::{Deserialize, Serialize};

use crate::plan::members::{FastBurn, Objective};

pub use bucket::{Bucket, Quantile};
pub use series::{Instance, Sample, Scraped};
pub use window::{Look, Side, Sight, Watched, look};

const MILLION: u128 = 1_000_000;

/// What is judged: a share of bad requests that may not be exceeded; equality passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What steps call it.
    pub id: String,
    /// The largest share, in parts per million.
    pub ppm: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
    /// When a window is stopped before its end.
    pub fast_burn: Option<FastBurn>,
}

/// Requests, and the bad ones among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// How many were bad.
    pub bad: u64,
    /// How many there were.
    pub total: u64,
}

/// A count and the objective that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The objective.
    pub objective: String,
    /// What was counted.
    #[serde(flatten)]
    pub count: Count,
}

/// How far a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Open: so many milliseconds of so many.
    Open {
        /// How many have passed.
        elapsed_ms: u64,
        /// How many it has.
        length_ms: u64,
    },
    /// At its end.
    Complete,
}

/// Whether what was counted can be relied on up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Every instance is up and its newest sample is young.
    Fresh,
    /// Not so.
    Stale,
}

/// What a budget says of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// The window goes on.
    Open,
    /// Within the budget, on enough requests.
    Pass,
    /// Beyond it.
    Breach(Breach),
    /// At its end, neither.
    Inconclusive(Unclear),
}

/// How a breach came to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// At the window's end.
    AtEnd,
    /// Before it: not even a flawless rest could help.
    Hopeless,
    /// Before it: the budget burns many times too fast.
    FastBurn,
}

/// Why a window's end is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclear {
    /// No request at all.
    NoRequests,
    /// Too few for a verdict.
    TooFew,
    /// What was counted is old, or an instance is down.
    Stale,
    /// The quantile lies in a bucket that the threshold divides.
    Bucket,
}

impl Count {
    /// Whether more than so many parts per million are bad.
    fn exceeds(&self, ppm: u128) -> bool {
        u128::from(self.bad) * MILLION > ppm * u128::from(self.total)
    }
}

impl Budget {
    /// The budget of a plan's objective.
    pub fn of(objective: &Objective) -> Self {
        Self {
            id: objective.id.clone(),
            ppm: objective.max_ratio_ppm,
            min_samples: objective.min_samples,
            fast_burn: objective.fast_burn,
        }
    }

    /// Whether a count is positive evidence: enough requests, and few enough bad ones. Nothing passes
    /// on no request.
    pub fn passes(&self, count: &Count) -> bool {
        count.total > 0 && count.total >= self.min_samples && !count.exceeds(self.ppm.into())
    }

    /// Judges a window. `recent` is what was counted over the fast burn's lookback.
    ///
    /// Freshness is asked of a pass alone: bad news is bad however old it is.
    pub fn judge(
        &self,
        progress: Progress,
        count: &Count,
        recent: Option<&Count>,
        freshness: Freshness,
    ) -> Judgement {
        if recent.is_some_and(|recent| self.burns(recent)) {
            return Judgement::Breach(Breach::FastBurn);
        }
        match progress {
            Progress::Open { elapsed_ms, length_ms } => {
                match self.is_hopeless(count, elapsed_ms, length_ms) {
                    true => Judgement::Breach(Breach::Hopeless),
                    false => Judgement::Open,
                }
            }
            Progress::Complete => self.at_end(count, freshness),
        }
    }

    fn at_end(&self, count: &Count, freshness: Freshness) -> Judgement {
        let enough = count.total >= self.min_samples && count.total > 0;
        match (enough, count.exceeds(self.ppm.into()), freshness) {
            _ if count.total == 0 => Judgement::Inconclusive(Unclear::NoRequests),
            (true, true, _) => Judgement::Breach(Breach::AtEnd),
            (true, false, Freshness::Fresh) => Judgement::Pass,
            (true, false, Freshness::Stale) => Judgement::Inconclusive(Unclear::Stale),
            (false, ..) => Judgement::Inconclusive(Unclear::TooFew),
        }
    }

    /// Whether the bad requests so far are too many for the whole window at this rate.
    fn is_hopeless(&self, count: &Count, elapsed_ms: u64, length_ms: u64) -> bool {
        let (total, elapsed) = (u128::from(count.total), u128::from(elapsed_ms.max(1)));
        // Rounded up, and never less than what is counted: in doubt the window goes on.
        let projected = (total * u128::from(length_ms)).div_ceil(elapsed).max(total);
        let at_end = projected.max(self.min_samples.into());
        u128::from(count.bad) * MILLION > u128::from(self.ppm) * at_end
    }

    /// Whether the budget burns many times too fast.
    fn burns(&self, recent: &Count) -> bool {
        self.fast_burn.is_some_and(|burn| {
            recent.total > 0
                && recent.total >= burn.min_samples
                && recent.exceeds(u128::from(burn.factor) * u128::from(self.ppm))
        })
    }
}

#[cfg(test)]
mod tests;
