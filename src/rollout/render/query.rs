//! Budgets as PromQL: the plan's own series of the candidate, over a range that the engine puts in.
//!
//! In: an objective and the candidate. Out: [`Judged`]: how many requests there were, and the share of bad
//! ones, exact in what they are compared with. `increase()` extrapolates; a guard of ours counts instead.
//! <https://prometheus.io/docs/prometheus/latest/querying/functions/#increase>

use crate::plan::members::Objective;

use super::course::{Course, Image};
use super::settings::is_app;
use super::{Engine, RenderError};

const MILLION: u64 = 1_000_000;

/// An objective as queries and their bounds.
pub(super) struct Judged {
    /// Its id, and what objects are called after it.
    pub(super) id: String,
    /// How many requests there were.
    pub(super) samples: String,
    /// How many there have to be.
    pub(super) min_samples: u64,
    /// The share of bad ones.
    pub(super) ratio: String,
    /// How large it may be.
    pub(super) max: Fraction,
    /// The look at the last minute.
    pub(super) burn: Option<Burn>,
}

/// The look at the last minute: no answer where there were too few requests.
pub(super) struct Burn {
    pub(super) query: String,
    pub(super) max: Fraction,
    pub(super) lookback_seconds: u64,
}

/// A share in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction(pub(super) u64);

impl Fraction {
    /// As a decimal, exact.
    pub(super) fn text(self) -> String {
        let (whole, part) = (self.0 / MILLION, self.0 % MILLION);
        if part == 0 {
            return whole.to_string();
        }
        format!("{whole}.{part:06}").trim_end_matches('0').to_owned()
    }

    /// As a number that is written as that decimal: the nearest one to it.
    pub(super) fn number(self) -> f64 {
        // At most six places and far below 2^53, so the division gives the nearest double.
        self.0 as f64 / MILLION as f64
    }
}

impl Judged {
    /// An objective over `range`, the engine's own word for the window.
    ///
    /// # Errors
    /// [`RenderError`]: a series or version that would be read as something else.
    pub(super) fn of(course: &Course<'_>, objective: &Objective, range: &str) -> Result<Self, RenderError> {
        if !is_app(&objective.id) {
            return Err(RenderError::Objective(objective.id.clone()));
        }
        let metric = &objective.ratio_metric;
        let series = |text: &str| own_series(course, text);
        let total = series(&metric.total)?;
        let (good, bad) =
            (metric.good.as_deref().map(series).transpose()?, metric.bad.as_deref().map(series).transpose()?);
        let ratio = |range: &str| share(good.as_deref(), bad.as_deref(), &total, range);
        let burn = objective.fast_burn.map(|burn| {
            let range = format!("{}s", burn.lookback_seconds);
            Burn {
                query: format!("({}) and ({} >= {})", ratio(&range), grown(&total, &range), burn.min_samples),
                max: Fraction(objective.max_ratio_ppm.saturating_mul(burn.factor)),
                lookback_seconds: burn.lookback_seconds,
            }
        });
        Ok(Self {
            id: objective.id.clone(),
            samples: grown(&total, range),
            min_samples: objective.min_samples,
            ratio: ratio(range),
            max: Fraction(objective.max_ratio_ppm),
            burn,
        })
    }
}

fn grown(series: &str, range: &str) -> String {
    format!("sum(increase({series}[{range}]))")
}

/// A clean service has no series of errors: that is 0. It always has one of all requests.
fn share(good: Option<&str>, bad: Option<&str>, total: &str, range: &str) -> String {
    let all = grown(total, range);
    match (good, bad) {
        (Some(good), _) => format!("({all} - {}) / {all}", grown(good, range)),
        (None, bad) => format!("({} or vector(0)) / {all}", grown(bad.unwrap_or(total), range)),
    }
}

/// The candidate's series: `$digest` and `$version` replaced, and no template of the engine's in it.
fn own_series(course: &Course<'_>, series: &str) -> Result<String, RenderError> {
    // No engine but these two reads a query.
    if matches!(course.engine, Engine::ArgoRollouts | Engine::Flagger) {
        course.refuse_template(series)?;
    }
    filled(series, course.candidate)
}

fn filled(series: &str, image: Image<'_>) -> Result<String, RenderError> {
    let mut parts = series.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        match name {
            "digest" => filled.push_str(&image.subject.digest.sha256),
            "version" => filled.push_str(version(image)?),
            other => {
                filled.push('$');
                filled.push_str(other);
            }
        }
        filled.push_str(rest);
    }
    Ok(filled)
}

fn version(image: Image<'_>) -> Result<&str, RenderError> {
    let version = image.subject.version.as_deref().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~:-".contains(&byte);
    match !version.is_empty() && version.bytes().all(plain) {
        true => Ok(version),
        false => Err(RenderError::Version(version.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_written_as_it_was_asked_for() {
        for (ppm, text) in [(20_000, "0.02"), (10_000, "0.01"), (1, "0.000001"), (999_999, "0.999999")] {
            assert_eq!(Fraction(ppm).text(), text);
            assert_eq!(Fraction(ppm).number(), text.parse::<f64>().unwrap(), "{text}");
        }
        assert_eq!((Fraction(200_000).text(), Fraction(1_000_000).text()), ("0.2".into(), "1".into()));
    }
}
