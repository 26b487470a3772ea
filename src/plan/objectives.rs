//! Budgets: what is counted, how much may be bad, and how many requests a verdict needs.
//!
//! `rollout.md` section 2, "Error budget, exactly": with `nMin = ceil(10 / budget)` a candidate at
//! twice the budget passes one time in a hundred; below `ceil(3 / budget)` samples nothing is told.

use super::exact;
use super::members::{BudgetingMethod, FastBurn, Objective, RatioMetric};

/// The id of the error objective.
pub const ERROR: &str = "error-budget";
/// The id of the latency objective.
pub const LATENCY: &str = "latency-budget";

const MILLION: u64 = 1_000_000;

/// How many requests a verdict on a budget should have: `ceil(10 / budget)`.
pub fn usual_samples(ppm: u64) -> u64 {
    (10 * MILLION).div_ceil(ppm.max(1))
}

/// How many requests a verdict on a budget needs at least: `ceil(3 / budget)`.
pub fn least_samples(ppm: u64) -> u64 {
    (3 * MILLION).div_ceil(ppm.max(1))
}

/// The share of slow requests that a quantile leaves, in parts per million.
pub fn slow_share(quantile_permille: u64) -> u64 {
    MILLION.saturating_sub(1000 * quantile_permille)
}

/// The series of the error budget when nobody names others.
pub fn error_metric() -> RatioMetric {
    RatioMetric {
        good: None,
        bad: Some(r#"http_requests_total{version="$digest",code=~"5.."}"#.to_owned()),
        total: r#"http_requests_total{version="$digest"}"#.to_owned(),
    }
}

/// The series of the latency budget when nobody names others: the bucket that ends at the budget.
pub fn latency_metric(threshold_ms: u64) -> RatioMetric {
    let le = exact::seconds_of_ms(threshold_ms);
    RatioMetric {
        good: Some(format!(r#"http_request_duration_seconds_bucket{{version="$digest",le="{le}"}}"#)),
        bad: None,
        total: r#"http_request_duration_seconds_count{version="$digest"}"#.to_owned(),
    }
}

/// Whether a series names the digest or the version that it is asked for.
pub fn names_version(series: &str) -> bool {
    series.split('$').skip(1).any(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        matches!(rest.get(..end), Some("digest" | "version"))
    })
}

/// The error budget, every bound checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBudget {
    /// The budget in parts per million.
    pub ppm: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
    /// When a window is stopped before its end.
    pub fast_burn: FastBurn,
    /// What is counted.
    pub metric: RatioMetric,
}

/// The latency budget, every bound checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyBudget {
    /// A request slower than this is slow.
    pub threshold_ms: u64,
    /// The quantile that the threshold is for.
    pub quantile_permille: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
    /// What is counted.
    pub metric: RatioMetric,
}

impl ErrorBudget {
    /// As the plan says it.
    pub fn objective(&self) -> Objective {
        Objective {
            id: ERROR.to_owned(),
            budgeting_method: BudgetingMethod::Occurrences,
            threshold_ms: None,
            quantile_permille: None,
            ratio_metric: self.metric.clone(),
            max_ratio_ppm: self.ppm,
            min_samples: self.min_samples,
            fast_burn: Some(self.fast_burn),
        }
    }
}

impl LatencyBudget {
    /// As the plan says it.
    pub fn objective(&self) -> Objective {
        Objective {
            id: LATENCY.to_owned(),
            budgeting_method: BudgetingMethod::Occurrences,
            threshold_ms: Some(self.threshold_ms),
            quantile_permille: Some(self.quantile_permille),
            ratio_metric: self.metric.clone(),
            max_ratio_ppm: slow_share(self.quantile_permille),
            min_samples: self.min_samples,
            fast_burn: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_the_sample_floors_of_the_page() {
        assert_eq!((usual_samples(20_000), least_samples(20_000)), (500, 150));
        assert_eq!((slow_share(990), usual_samples(slow_share(990))), (10_000, 1000));
        assert_eq!(usual_samples(slow_share(950)), 200);
        assert_eq!((usual_samples(30_000), least_samples(700_000)), (334, 5));
    }

    #[test]
    fn tells_a_series_of_one_version_from_a_series_of_all() {
        for own in [r#"a{v="$digest"}"#, "$version", r#"a{v="x-$version-y"}"#, "$$digest"] {
            assert!(names_version(own), "{own}");
        }
        for shared in ["a", "digest", "$digests", "$versioned", "$ version", "$", "$digest_a"] {
            assert!(!names_version(shared), "{shared}");
        }
    }
}
