//! Counters as they are scraped, and how much they grew in a window.
//!
//! In: samples of each instance, in any order, some of them twice, some of them no numbers. Out: a
//! [`Count`], exact and aware of restarts, or why there is none. `increase()` extrapolates (241 for 200
//! real requests), so counters are subtracted here. A reset that happens wholly between two samples
//! and is overtaken by the new process's own count can't be seen: the window counts less, never more.

use crate::time::Timestamp;

use super::Count;

/// So many scrape intervals may pass before a sample is old.
pub const YOUNG_INTERVALS: i32 = 3;

/// One scrape of one instance; a counter that is absent, `NaN` or no whole number is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// The counter of bad requests. A service without one has no such series: that is 0 beside a total.
    pub bad: Option<u64>,
    /// The counter of all requests.
    pub total: Option<u64>,
}

/// Whether the last scrape of an instance went well (`up`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scraped {
    /// It did.
    Up,
    /// It did not.
    Down,
}

/// One process of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Whether it answers.
    pub scraped: Scraped,
    /// What it said, in any order.
    pub samples: Vec<Sample>,
}

impl Sample {
    /// A sample of a metric that counts the good: all the others are bad. More good ones than all is
    /// no count.
    pub fn of_good(at: Timestamp, good: Option<u64>, total: Option<u64>) -> Self {
        let bad = good.zip(total).and_then(|(good, total)| total.checked_sub(good));
        Self { at, bad, total }
    }

    /// Both counters, where both are numbers and agree.
    fn count(&self) -> Option<Count> {
        let (bad, total) = self.bad.zip(self.total)?;
        (bad <= total).then_some(Count { bad, total })
    }
}

/// A counter's value as a metrics source writes it: a whole number, not negative, exact.
pub fn counter(text: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    let value: f64 = text.parse().ok()?;
    let whole = (0.0..=EXACT).contains(&value) && value.fract() == 0.0;
    // Exact by the line above.
    whole.then_some(value as u64)
}

impl Instance {
    /// Its counts by time, one each, what is no number left out.
    fn ordered(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Count)> {
        let inside = self.samples.iter().filter(|sample| (from..=until).contains(&sample.at));
        let mut told: Vec<(Timestamp, Count)> =
            inside.filter_map(|sample| Some((sample.at, sample.count()?))).collect();
        told.sort_by_key(|(at, count)| (*at, std::cmp::Reverse(count.bad), count.total));
        // Of two at one time the one that says more bad, of fewer.
        told.dedup_by_key(|(at, _)| *at);
        told
    }

    /// How much both counters grew between two instants: from the last young sample at or before the
    /// first (else the first after it) to the last one at or before the second.
    pub fn growth(&self, from: Timestamp, until: Timestamp, interval: chrono::Duration) -> Option<Count> {
        let young = from.checked_sub_signed(interval * YOUNG_INTERVALS).unwrap_or(from);
        let ordered = self.ordered(young, until);
        let base = ordered.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        let mut told = ordered.into_iter().skip(base).map(|(_, count)| count);
        let (mut last, mut grown) = (told.next()?, Count::default());
        for next in told {
            // After a restart both counters begin at 0; where the bad ones alone fall, theirs did, and the
            // total goes on: what was counted before is never counted again.
            let restarted = next.total < last.total;
            let before = Count {
                bad: if restarted || next.bad < last.bad { 0 } else { last.bad },
                total: if restarted { 0 } else { last.total },
            };
            grown.bad = grown.bad.saturating_add(next.bad.saturating_sub(before.bad));
            grown.total = grown.total.saturating_add(next.total.saturating_sub(before.total));
            last = next;
        }
        Some(grown)
    }

    /// When it last said a number, at or before an instant.
    pub fn newest(&self, until: Timestamp) -> Option<Timestamp> {
        let told = self.samples.iter().filter(|sample| sample.at <= until && sample.count().is_some());
        told.map(|sample| sample.at).max()
    }

    /// Whether it answers and its newest sample is less than three scrape intervals old.
    pub fn is_fresh(&self, now: Timestamp, interval: chrono::Duration) -> bool {
        self.scraped == Scraped::Up
            && self.newest(now).is_some_and(|newest| now - newest < interval * YOUNG_INTERVALS)
    }
}
