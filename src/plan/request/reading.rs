//! Reads the settings, in the order of the table of `rollout.md` section 3.

use std::collections::BTreeSet;

use chrono::Duration;

use super::section::{RolloutFlags, RolloutSection};
use super::written::{Origin, Problem, RolloutError, Written};
use super::{Deadlines, Migration, PlannedStep, Readiness, RolloutRequest, Watch, is_target};
use crate::plan::exact;
use crate::plan::members::{FastBurn, MigrationClass, RatioMetric, StrategyType};
use crate::plan::objectives::{self, ErrorBudget, LatencyBudget};
use crate::plan::selector::Selector;
use crate::time::duration;
use crate::yaml::{Source, Spanned};

/// A month: no phase of a rollout lasts longer, and no deadline overflows.
const MAX_SECONDS: u64 = 30 * 86_400;
/// More than any rollout needs, and few enough to end.
const MAX_COUNT: u64 = 1000;
/// The longest life time of a plan (`formats.md` section 8).
const MAX_TTL_HOURS: i64 = 24;

/// What is read: the section, the document that it stands in, and the flags.
pub(super) struct Settings<'a> {
    pub(super) section: &'a RolloutSection,
    pub(super) source: &'a Source,
    pub(super) flags: &'a RolloutFlags,
}

type Read<T> = Result<T, RolloutError>;

impl Settings<'_> {
    pub(super) fn request(&self) -> Read<RolloutRequest> {
        let (strategy, weights) = self.course()?;
        let (error, latency) = (self.error_budget()?, self.latency_budget()?);
        let samples = error.min_samples.max(latency.min_samples);
        let (steps, monitor) = self.windows(&weights, samples)?;
        Ok(RolloutRequest {
            ttl: self.ttl()?,
            target: self.target()?,
            deploys: self.deploys()?,
            strategy,
            steps,
            settle_seconds: self.number(&self.section.settle_seconds, 15, 0..=MAX_SECONDS)?,
            max_extensions: self.number(&self.section.max_extensions, 2, 0..=MAX_COUNT)?,
            monitor,
            error,
            latency,
            migration: self.migration()?,
            readiness: self.readiness()?,
            deadlines: self.deadlines()?,
        })
    }

    /// A text: flag over document over default.
    fn text(
        &self,
        flag: (&'static str, &Option<String>),
        member: &Option<Spanned<String>>,
        default: (&'static str, &str),
    ) -> Written<String> {
        match (flag.1, member) {
            (Some(value), _) => Written { value: value.clone(), origin: Origin::Flag(flag.0) },
            (None, Some(member)) => Written::in_document(member, self.source),
            (None, None) => Written { value: default.1.to_owned(), origin: Origin::Default(default.0) },
        }
    }

    /// A number whose digits count: flag over document over default. In quotes it is a text, as everywhere else.
    fn digits(
        &self,
        flag: (&'static str, &Option<String>),
        member: &Option<Spanned<String>>,
        default: (&'static str, &str),
    ) -> Read<Written<String>> {
        let written = self.text(flag, member, default);
        match member {
            Some(member) if flag.1.is_none() && self.source.is_quoted(member) => {
                Err(written.refuse(Problem::Quoted { text: member.value.clone() }))
            }
            _ => Ok(written),
        }
    }

    /// A whole number of the document, within bounds.
    fn number(
        &self,
        member: &Option<Spanned<u64>>,
        default: u64,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Read<u64> {
        let Some(member) = member else { return Ok(default) };
        let (value, least, most) = (member.value, *bounds.start(), *bounds.end());
        if bounds.contains(&value) {
            return Ok(value);
        }
        Err(Written::in_document(member, self.source).refuse(Problem::Bounds { value, least, most }))
    }

    fn course(&self) -> Read<(StrategyType, Vec<u64>)> {
        let flag = ("--strategy", &self.flags.strategy);
        let word = self.text(flag, &self.section.strategy, ("strategy", "bluegreen"));
        let strategy = match word.value.as_str() {
            "bluegreen" => StrategyType::BlueGreen,
            "canary" => StrategyType::Canary,
            "staged" => StrategyType::Staged,
            _ => return Err(word.refuse(Problem::Strategy { text: word.value.clone() })),
        };
        let steps = self.traffic_steps(strategy)?;
        let rises = steps.value.is_sorted_by(|earlier, later| earlier < later);
        if !rises || steps.value.first() == Some(&0) || steps.value.last() != Some(&100) {
            return Err(steps.refuse(Problem::Course { steps: steps.value.clone() }));
        }
        Ok((strategy, steps.value))
    }

    fn traffic_steps(&self, strategy: StrategyType) -> Read<Written<Vec<u64>>> {
        match (&self.flags.traffic_steps, &self.section.traffic_steps) {
            (Some(text), _) => {
                let origin = Origin::Flag("--traffic-steps");
                match text.split(',').map(exact::whole).collect() {
                    Some(value) => Ok(Written { value, origin }),
                    None => Err(origin.refuse(Problem::Steps { text: text.clone() })),
                }
            }
            (None, Some(member)) => Ok(Written::in_document(member, self.source)),
            (None, None) => {
                let first = match strategy {
                    StrategyType::BlueGreen => [20, 80, 100],
                    StrategyType::Canary | StrategyType::Staged => [10, 50, 100],
                };
                Ok(Written { value: first.to_vec(), origin: Origin::Default("trafficSteps") })
            }
        }
    }

    fn fraction(&self, written: &Written<String>, places: usize) -> Read<u64> {
        let refuse = || written.refuse(Problem::Fraction { text: written.value.clone(), places });
        exact::fraction(&written.value, places).ok_or_else(refuse)
    }

    fn error_budget(&self) -> Read<ErrorBudget> {
        let flag = ("--error-budget", &self.flags.error_budget);
        let written = self.digits(flag, &self.section.error_budget, ("errorBudget", "0.02"))?;
        let ppm = self.fraction(&written, 6)?;
        let burn = &self.section.fast_burn;
        Ok(ErrorBudget {
            ppm,
            min_samples: self.min_samples(&self.section.min_samples.error, ppm)?,
            fast_burn: FastBurn {
                lookback_seconds: self.number(&burn.lookback_seconds, 60, 1..=MAX_SECONDS)?,
                factor: self.number(&burn.factor, 10, 1..=MAX_COUNT)?,
                min_samples: self.number(&burn.min_samples, 30, 1..=exact::MAX_SAFE)?,
            },
            metric: self.metric(&self.section.metrics.error, objectives::error_metric())?,
        })
    }

    fn latency_budget(&self) -> Read<LatencyBudget> {
        let flag = ("--latency-budget", &self.flags.latency_budget);
        let written = self.digits(flag, &self.section.latency_budget_ms, ("latencyBudgetMs", "450"))?;
        let refuse = || written.refuse(Problem::Milliseconds { text: written.value.clone() });
        let threshold_ms = exact::whole(&written.value).filter(|ms| *ms >= 1).ok_or_else(refuse)?;
        let none = ("", &None);
        let quantile = self.digits(none, &self.section.latency_quantile, ("latencyQuantile", "0.99"))?;
        let quantile_permille = self.fraction(&quantile, 3)?;
        let share = objectives::slow_share(quantile_permille);
        Ok(LatencyBudget {
            threshold_ms,
            quantile_permille,
            min_samples: self.min_samples(&self.section.min_samples.latency, share)?,
            metric: self.metric(&self.section.metrics.latency, objectives::latency_metric(threshold_ms))?,
        })
    }

    fn min_samples(&self, member: &Option<Spanned<u64>>, ppm: u64) -> Read<u64> {
        let samples = self.number(member, objectives::usual_samples(ppm), 0..=exact::MAX_SAFE)?;
        let floor = objectives::least_samples(ppm);
        match member {
            Some(member) if samples < floor => {
                Err(Written::in_document(member, self.source).refuse(Problem::Samples { samples, floor }))
            }
            _ => Ok(samples),
        }
    }

    fn metric(&self, member: &Option<Spanned<RatioMetric>>, default: RatioMetric) -> Read<RatioMetric> {
        let Some(member) = member else { return Ok(default) };
        let written = Written::in_document(member, self.source);
        let metric = &written.value;
        if metric.good.is_some() == metric.bad.is_some() {
            return Err(written.refuse(Problem::Ratio));
        }
        for series in [&metric.good, &metric.bad].into_iter().flatten().chain([&metric.total]) {
            if !objectives::names_version(series) {
                return Err(written.refuse(Problem::Series { series: series.clone() }));
            }
            if let Err(problem) = Selector::read(series) {
                return Err(written.refuse(Problem::Selector { series: series.clone(), problem }));
            }
        }
        Ok(written.value.clone())
    }

    /// Every step with its window: what the sample floors need at the expected traffic, at least.
    fn windows(&self, weights: &[u64], samples: u64) -> Read<(Vec<PlannedStep>, Watch)> {
        let rate = self.expected_rate()?;
        let section = &self.section;
        let mut steps = Vec::new();
        for &weight in weights {
            let window_seconds = match weight {
                100 => 0, // the monitor phase is its window
                _ => self.window(&section.window_seconds, 300, weight, samples, &rate)?,
            };
            steps.push(PlannedStep { weight, window_seconds });
        }
        let watch = Watch {
            window_seconds: self.window(&section.monitor.window_seconds, 900, 100, samples, &rate)?,
            max_extensions: self.number(&section.monitor.max_extensions, 2, 0..=MAX_COUNT)?,
        };
        Ok((steps, watch))
    }

    /// The expected requests per 1000 seconds.
    fn expected_rate(&self) -> Read<Option<Written<u64>>> {
        let flag = ("--expected-rps", &self.flags.expected_rps);
        let written = self.digits(flag, &self.section.expected_rps, ("expectedRps", ""))?;
        if !written.origin.by_hand() {
            return Ok(None);
        }
        let refuse = || written.refuse(Problem::Rate { text: written.value.clone() });
        let rate = exact::decimal(&written.value, 3).filter(|rate| *rate > 0).ok_or_else(refuse)?;
        Ok(Some(written.with(rate)))
    }

    /// One window: a default is lengthened to what the sample floors need, one set by hand refused.
    fn window(
        &self,
        member: &Option<Spanned<u64>>,
        default: u64,
        weight: u64,
        samples: u64,
        rate: &Option<Written<u64>>,
    ) -> Read<u64> {
        let window = self.number(member, default, 1..=MAX_SECONDS)?;
        let Some(rate) = rate else { return Ok(window) };
        let needed = seconds_needed(samples, rate.value, weight);
        if needed <= window {
            return Ok(window);
        }
        let problem = Problem::Window { window, weight, needed };
        match member {
            Some(member) => Err(Written::in_document(member, self.source).refuse(problem)),
            None if needed > MAX_SECONDS => {
                Err(rate.refuse(Problem::Window { window: MAX_SECONDS, weight, needed }))
            }
            None => Ok(needed),
        }
    }

    fn migration(&self) -> Read<Migration> {
        let Some(member) = &self.section.migration else {
            return Ok(Migration { run: None, backup: None, timeout_seconds: 600 });
        };
        let written = Written::in_document(member, self.source);
        let section = &written.value;
        let run = match (&section.command, section.class) {
            (Some(command), Some(class)) => Some((self.command(command)?, class.into())),
            (None, None) => None,
            _ => return Err(written.refuse(Problem::Migration)),
        };
        if matches!(run, Some((_, MigrationClass::Contract))) && section.backup.is_none() {
            return Err(written.refuse(Problem::Backup));
        }
        Ok(Migration {
            run,
            backup: section.backup.clone(),
            timeout_seconds: self.number(&section.timeout_seconds, 600, 1..=MAX_SECONDS)?,
        })
    }

    fn command(&self, command: &Spanned<Vec<String>>) -> Read<Vec<String>> {
        let words = &command.value;
        if words.is_empty() || words.iter().any(|word| word.is_empty() || word.contains('\0')) {
            return Err(Written::in_document(command, self.source).refuse(Problem::Command));
        }
        Ok(words.clone())
    }

    fn readiness(&self) -> Read<Readiness> {
        let section = &self.section.readiness;
        let path = self.text(("", &None), &section.path, ("readiness.path", "/readyz"));
        let apart = |c: char| c.is_whitespace() || c.is_control();
        // Two slashes would let a plan name a host.
        if !path.value.starts_with('/') || path.value.starts_with("//") || path.value.contains(apart) {
            return Err(path.refuse(Problem::Path { text: path.value.clone() }));
        }
        Ok(Readiness {
            path: path.value,
            period_seconds: self.number(&section.period_seconds, 5, 1..=MAX_SECONDS)?,
            consecutive_successes: self.number(&section.consecutive_successes, 5, 1..=MAX_COUNT)?,
            timeout_seconds: self.number(&section.timeout_seconds, 300, 1..=MAX_SECONDS)?,
        })
    }

    fn deadlines(&self) -> Read<Deadlines> {
        let section = self.section;
        let seconds = 1..=MAX_SECONDS;
        let operator = &section.operator_pause_deadline_seconds;
        Ok(Deadlines {
            pause_seconds: self.number(&section.pause_deadline_seconds, 900, seconds.clone())?,
            operator_pause_seconds: match operator {
                Some(_) => Some(self.number(operator, 0, seconds.clone())?),
                None => None,
            },
            confirm_seconds: self.number(&section.confirm_within_seconds, 60, seconds.clone())?,
            drain_seconds: self.number(&section.drain_within_seconds, 60, seconds)?,
        })
    }

    fn ttl(&self) -> Read<Duration> {
        let written = self.text(("--ttl", &self.flags.ttl), &self.section.ttl, ("ttl", "4h"));
        duration::parse(&written.value)
            .filter(|ttl| *ttl <= Duration::hours(MAX_TTL_HOURS))
            .ok_or_else(|| written.refuse(Problem::Ttl { text: written.value.clone() }))
    }

    fn target(&self) -> Read<Option<Written<String>>> {
        let written = self.text(("--target", &self.flags.target), &self.section.target, ("target", ""));
        match written.origin.by_hand() {
            false => Ok(None),
            true if is_target(&written.value) => Ok(Some(written)),
            true => Err(written.refuse(Problem::Target { text: written.value.clone() })),
        }
    }

    fn deploys(&self) -> Read<Option<Vec<Written<String>>>> {
        let Some(member) = &self.section.deploys else { return Ok(None) };
        if member.value.is_empty() {
            return Err(Written::in_document(member, self.source).refuse(Problem::Nothing));
        }
        let mut seen = BTreeSet::new();
        let mut names = Vec::new();
        for name in &member.value {
            let written = Written::in_document(name, self.source);
            if !seen.insert(&name.value) {
                return Err(written.refuse(Problem::Twice { name: name.value.clone() }));
            }
            names.push(written);
        }
        Ok(Some(names))
    }
}

/// How long a weight needs to see so many requests: `samples / (rate · weight)`, rounded up.
fn seconds_needed(samples: u64, rate_per_kilosecond: u64, weight: u64) -> u64 {
    let seen = u128::from(rate_per_kilosecond) * u128::from(weight);
    let needed = (u128::from(samples) * 100_000).div_ceil(seen.max(1));
    u64::try_from(needed).unwrap_or(u64::MAX)
}
