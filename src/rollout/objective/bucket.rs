//! A quantile out of a histogram whose buckets do not end at the threshold.
//!
//! An interpolated quantile is a guess: with a true tail of 0.60 s `histogram_quantile` answered
//! 0.858 s from buckets of 0.5 and 1.0. So only what the bucket's own bounds prove counts.

use super::{Budget, Count, Unclear};

/// A cumulative bucket: how many requests took at most so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its upper bound in milliseconds; none for `+Inf`.
    pub le_ms: Option<u64>,
    /// How many requests.
    pub count: u64,
}

/// What the buckets prove of a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// Its bucket ends at or below the threshold.
    Within,
    /// Its bucket begins at or above it.
    Beyond,
    /// The threshold divides its bucket, or the buckets are none.
    Unclear(Unclear),
}

/// Where the quantile lies: in the bucket (lo, hi] that holds it. Within if hi ≤ threshold, beyond if
/// lo ≥ threshold, else nobody can tell. `total` and the buckets are of the same window.
pub fn place(budget: &Budget, threshold_ms: u64, buckets: &[Bucket], total: u64) -> Quantile {
    if total == 0 {
        return Quantile::Unclear(Unclear::NoRequests);
    }
    if total < budget.min_samples {
        return Quantile::Unclear(Unclear::TooFew);
    }
    let mut sorted: Vec<Bucket> = buckets.to_vec();
    sorted.sort_by_key(|bucket| (bucket.le_ms.is_none(), bucket.le_ms));
    if !sorted.is_sorted_by_key(|bucket| bucket.count) {
        return Quantile::Unclear(Unclear::Bucket);
    }
    let mut lo = 0;
    for bucket in &sorted {
        let beyond = Count { bad: total.saturating_sub(bucket.count), total };
        match bucket.le_ms {
            // The share above this bound is within the budget: the quantile lies in this bucket.
            Some(hi) if !beyond.exceeds(budget.ppm.into()) => return between(lo, Some(hi), threshold_ms),
            Some(hi) => lo = hi,
            None => {}
        }
    }
    between(lo, None, threshold_ms)
}

fn between(lo: u64, hi: Option<u64>, threshold: u64) -> Quantile {
    match hi {
        Some(hi) if hi <= threshold => Quantile::Within,
        _ if lo >= threshold => Quantile::Beyond,
        _ => Quantile::Unclear(Unclear::Bucket),
    }
}
