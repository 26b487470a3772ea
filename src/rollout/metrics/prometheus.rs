//! Prometheus, or what speaks its query API: raw samples, never `rate()` or `increase()`.
//!
//! In: an objective's two series, the version that they stand for, and since when. Out: one
//! [`Instance`] per process, that is per `job` and `instance`: its series summed at each scrape, and
//! whether `up` says that the last scrape went well. Where anything of an answer is no number, or not
//! whole, there is an error or an absent number, never a count (P12).
//! Spec: <https://prometheus.io/docs/prometheus/latest/querying/api/>; `rollout.md` section 2.

mod answer;
mod client;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, TimeZone as _, Utc};

use super::{Counted, Metrics, MetricsError};
use crate::plan::members::Objective;
use crate::plan::selector::{self, Selector};
use crate::rollout::executor::PrometheusSection;
use crate::rollout::objective::series::{YOUNG_INTERVALS, counter};
use crate::rollout::objective::{Instance, Sample, Scraped};
use crate::time::Timestamp;
use answer::Series;
use client::Client;

/// How often it scrapes, unless somebody says otherwise.
const SCRAPE_SECONDS: u64 = 15;

/// A Prometheus server.
#[derive(Debug)]
pub struct Prometheus {
    client: Client,
    interval: Duration,
}

/// What tells processes apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    job: String,
    instance: String,
}

/// A counter of each process by time, in milliseconds; none where any of its series was no number.
type Counters = BTreeMap<Process, BTreeMap<i64, Option<u64>>>;

impl Prometheus {
    /// The server of a section. Its authorities are read now, its token at each query.
    ///
    /// # Errors
    /// [`MetricsError::Setting`]: an address, a file or a number that can't be one.
    pub fn new(section: &PrometheusSection) -> Result<Self, MetricsError> {
        let seconds = section.scrape_seconds.unwrap_or(SCRAPE_SECONDS);
        let interval = i64::try_from(seconds).ok().filter(|seconds| (1..=3600).contains(seconds));
        let interval = interval.ok_or_else(|| MetricsError::Setting {
            setting: "`scrapeSeconds`",
            value: seconds.to_string(),
            problem: "1 to 3600".to_owned(),
        })?;
        Ok(Self { client: Client::new(section)?, interval: Duration::seconds(interval) })
    }

    /// The raw samples of a series, from so long before `from` that the window's first count has a base.
    fn samples(
        &self,
        series: &str,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Counters, MetricsError> {
        let named = || series.to_owned();
        let selector =
            Selector::read(series).map_err(|problem| MetricsError::Series { series: named(), problem })?;
        let selector = selector
            .for_version(counted.digest.as_deref(), counted.version.as_deref())
            .map_err(|name| MetricsError::Unnamed { series: named(), name })?;
        let range = (until - from).num_seconds().max(0) + (self.interval * YOUNG_INTERVALS).num_seconds() + 1;
        let found = self.client.matrix(&format!("{selector}[{range}s]"), until)?;
        Ok(sums(&found))
    }

    /// The processes whose last scrape went well.
    fn up<'p>(
        &self,
        processes: impl Iterator<Item = &'p Process>,
        until: Timestamp,
    ) -> Result<BTreeSet<Process>, MetricsError> {
        let jobs: BTreeSet<String> = processes.map(|process| selector::literal(&process.job)).collect();
        if jobs.is_empty() {
            return Ok(BTreeSet::new());
        }
        let jobs: Vec<String> = jobs.into_iter().collect();
        let asked = format!("up{{job=~{}}}", selector::quoted(&jobs.join("|")));
        let mut all = BTreeMap::new();
        for series in self.client.vector(&asked, until)? {
            let is_up = series.value.is_some_and(|(_, value)| value == "1");
            // Of two that say different things the worse counts.
            *all.entry(Process::of(&series.metric)).or_insert(true) &= is_up;
        }
        Ok(all.into_iter().filter_map(|(process, is_up)| is_up.then_some(process)).collect())
    }
}

impl Metrics for Prometheus {
    fn counters(
        &mut self,
        objective: &Objective,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError> {
        let metric = &objective.ratio_metric;
        let total = self.samples(&metric.total, counted, from, until)?;
        let ask = |series: &Option<String>| {
            series.as_ref().map(|series| self.samples(series, counted, from, until)).transpose()
        };
        let (good, bad) = (ask(&metric.good)?, ask(&metric.bad)?);
        let up = self.up(total.keys(), until)?;
        let of = |counters: &Option<Counters>, process: &Process| {
            counters.as_ref().map(|counters| counters.get(process).cloned().unwrap_or_default())
        };
        let instance = |(process, total): (&Process, &BTreeMap<i64, Option<u64>>)| Instance {
            scraped: if up.contains(process) { Scraped::Up } else { Scraped::Down },
            samples: match (of(&good, process), of(&bad, process)) {
                (_, Some(bad)) => beside_bad(total, &bad),
                (good, None) => beside_good(total, &good.unwrap_or_default()),
            },
        };
        Ok(total.iter().map(instance).collect())
    }

    fn interval(&self) -> Duration {
        self.interval
    }
}

impl Process {
    fn of(labels: &BTreeMap<String, String>) -> Self {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Self { job: label("job"), instance: label("instance") }
    }
}

/// The series of each process, summed at each time.
fn sums(found: &[Series]) -> Counters {
    let mut counters = Counters::new();
    for series in found {
        let process = counters.entry(Process::of(&series.metric)).or_default();
        for (seconds, value) in &series.values {
            // Prometheus writes whole milliseconds as a fraction of seconds.
            let at = (seconds * 1000.0).round() as i64;
            let value = counter(value);
            let sum = process.entry(at).or_insert(Some(0));
            *sum = sum.zip(value).and_then(|(sum, value)| sum.checked_add(value));
        }
    }
    counters
}

/// Samples of a metric that counts the bad. A service without an error has no such series: that is 0,
/// until one was seen. From then on an absent one is no number, unless the process began anew.
fn beside_bad(total: &BTreeMap<i64, Option<u64>>, bad: &BTreeMap<i64, Option<u64>>) -> Vec<Sample> {
    let (mut anew, mut last) = (i64::MIN, 0);
    let sample = |(at, total): (&i64, &Option<u64>)| {
        if let Some(total) = *total {
            anew = if total < last { *at } else { anew };
            last = total;
        }
        let bad = match bad.get(at) {
            Some(bad) => *bad,
            None if bad.range(anew..=*at).next().is_some() => None,
            None => Some(0),
        };
        Some(Sample { at: instant(*at)?, bad, total: *total })
    };
    total.iter().filter_map(sample).collect()
}

/// Samples of a metric that counts the good. One that is absent is no number: a histogram without the
/// bucket that is asked for has not counted nothing.
fn beside_good(total: &BTreeMap<i64, Option<u64>>, good: &BTreeMap<i64, Option<u64>>) -> Vec<Sample> {
    let sample = |(at, total): (&i64, &Option<u64>)| {
        Some(Sample::of_good(instant(*at)?, good.get(at).copied().flatten(), *total))
    };
    total.iter().filter_map(sample).collect()
}

fn instant(ms: i64) -> Option<Timestamp> {
    Utc.timestamp_millis_opt(ms).single()
}

#[cfg(test)]
mod tests;
