//! What the service counts, in the text format of Prometheus.
//!
//! In: requests, evaluations and reviews as they end; what the ledger and the journals say at the time of a scrape.
//! Out: `/metrics`. Each family is one row of [`families`], of which the dashboard is made, too
//! ([`dashboard`]). Seconds, `_total`, and no label whose values a client chooses.
//! Spec: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

pub mod dashboard;
mod families;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(super) use families::{
    AUDIT_AGE, AUDIT_ANCHOR, AUDIT_APPEND, AUDIT_ENTRIES, AUDIT_HEALTHY, AUDIT_SIZE, BUILD, DECISIONS,
    FAMILIES, Family, HTTP_REQUESTS, HTTP_SECONDS, KEPT, Kind, MIGRATION, POLICY, REVIEWS, ROLLOUT_PAUSES,
    ROLLOUT_STATE, ROLLOUT_WEIGHT, ROLLOUT_WINDOW, SPANS_LOST, VERIFICATION,
};

/// Bounds of buckets, in seconds: from a look into memory to what nobody waits for.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The same for migrations.
const LONG_BOUNDS: [f64; 10] = [0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

/// Values of labels, in the family's own order of names.
pub(super) type Labels = Vec<(&'static str, String)>;

/// How long something took, by buckets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
    total: u64,
}

impl Histogram {
    pub(super) fn short() -> Self {
        Self::of(&BOUNDS)
    }

    pub(super) fn long() -> Self {
        Self::of(&LONG_BOUNDS)
    }

    fn of(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], sum: 0.0, total: 0 }
    }

    pub(super) fn add(&mut self, seconds: f64) {
        for (bound, count) in self.bounds.iter().zip(&mut self.counts) {
            if seconds <= *bound {
                *count += 1;
            }
        }
        self.sum += seconds;
        self.total += 1;
    }
}

/// What the process itself counts.
#[derive(Default)]
pub(super) struct Meter {
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    counters: BTreeMap<(&'static str, Labels), u64>,
    times: BTreeMap<(&'static str, Labels), Histogram>,
}

impl Meter {
    fn counted<T>(&self, work: impl FnOnce(&mut Counted) -> T) -> T {
        work(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more.
    pub(super) fn count(&self, family: Family, labels: Labels) {
        self.counted(|counted| *counted.counters.entry((family.name, labels)).or_default() += 1);
    }

    /// One that took so long.
    pub(super) fn time(&self, family: Family, labels: Labels, took: Duration) {
        self.counted(|counted| {
            let times = counted.times.entry((family.name, labels)).or_insert_with(Histogram::short);
            times.add(took.as_secs_f64());
        });
    }

    /// A family that has to be there before anything happened.
    pub(super) fn begin(&self, family: Family) {
        self.counted(|counted| {
            let key = (family.name, Vec::new());
            if family.kind == Kind::Histogram {
                counted.times.entry(key).or_insert_with(Histogram::short);
            } else {
                counted.counters.entry(key).or_default();
            }
        });
    }

    /// Writes a family as it was counted here.
    pub(super) fn write(&self, family: Family, page: &mut Page) {
        self.counted(|counted| {
            page.family(family);
            for ((name, labels), count) in
                counted.counters.iter().filter(|((name, _), _)| *name == family.name)
            {
                page.whole(name, labels, *count);
            }
            for ((_, labels), times) in counted.times.iter().filter(|((name, _), _)| *name == family.name) {
                page.histogram(family, labels, times);
            }
        });
    }
}

/// A page of metrics in the making.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Begins a family.
    pub(super) fn family(&mut self, family: Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.text, "# HELP {} {}\n# TYPE {} {kind}", family.name, family.help, family.name);
    }

    /// A whole number.
    pub(super) fn whole(&mut self, name: &str, labels: &[(&'static str, String)], value: u64) {
        let _ = writeln!(self.text, "{name}{} {value}", braces(labels));
    }

    /// Any number.
    pub(super) fn number(&mut self, name: &str, labels: &[(&'static str, String)], value: f64) {
        let _ = writeln!(self.text, "{name}{} {value}", braces(labels));
    }

    pub(super) fn histogram(&mut self, family: Family, labels: &[(&'static str, String)], times: &Histogram) {
        let bucket = format!("{}_bucket", family.name);
        let with = |bound: String| [labels, &[("le", bound)]].concat();
        for (bound, count) in times.bounds.iter().zip(&times.counts) {
            self.whole(&bucket, &with(bound.to_string()), *count);
        }
        self.whole(&bucket, &with("+Inf".to_owned()), times.total);
        self.number(&format!("{}_sum", family.name), labels, times.sum);
        self.whole(&format!("{}_count", family.name), labels, times.total);
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

fn braces(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_prometheus_reads() {
        let meter = Meter::default();
        meter.count(REVIEWS, vec![("result", "a \"b\"\\\n".to_owned())]);
        meter.time(POLICY, Vec::new(), Duration::from_millis(3));
        let mut page = Page::default();
        meter.write(REVIEWS, &mut page);
        meter.write(POLICY, &mut page);
        let text = page.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "# TYPE laforge_admission_reviews_total counter");
        assert_eq!(lines[2], "laforge_admission_reviews_total{result=\"a \\\"b\\\"\\\\\\n\"} 1");
        assert!(lines.contains(&"laforge_gate_policy_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
        assert!(lines.contains(&"laforge_gate_policy_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(lines.contains(&"laforge_gate_policy_seconds_bucket{le=\"+Inf\"} 1"), "{text}");
        assert!(lines.contains(&"laforge_gate_policy_seconds_sum 0.003"), "{text}");
    }

    #[test]
    fn names_follow_the_conventions_of_their_field() {
        for family in FAMILIES {
            assert!(family.name.starts_with("laforge_"), "{}", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
            assert!(family.kind != Kind::Histogram || family.name.ends_with("_seconds"), "{}", family.name);
            assert!(
                family.panel.queries.iter().all(|(query, _)| query.contains(family.name)),
                "{}",
                family.name
            );
        }
    }
}
