//! What the query API answers: read strictly where a count hangs on it.
//!
//! In: a status and a body. Out: the [`Series`] of a whole, successful answer of the kind that was
//! asked for; anything else is an error. An answer with warnings is not whole: so say those who ask
//! several servers and did not reach all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::MetricsError;
use crate::rollout::driver::excerpt;

/// The kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Samples over a range.
    Matrix,
    /// One value each.
    Vector,
}

/// One series.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    pub(super) metric: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) values: Vec<(f64, String)>,
    pub(super) value: Option<(f64, String)>,
    histogram: Option<IgnoredAny>,
    histograms: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Body {
    status: String,
    data: Option<Data>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Series>,
}

/// Reads an answer.
pub(super) fn read(place: &str, status: u16, body: &[u8], kind: Kind) -> Result<Vec<Series>, MetricsError> {
    let malformed = |reason: String| MetricsError::Malformed { place: place.to_owned(), reason };
    let answered = |said: &str| MetricsError::Answer { place: place.to_owned(), status, said: excerpt(said) };
    let text = String::from_utf8_lossy(body);
    let read = serde_json::from_str::<Body>(&text);
    if status != 200 {
        let said = read.ok().and_then(|body| body.error);
        return Err(answered(&said.unwrap_or_else(|| text.into_owned())));
    }
    let body = read.map_err(|error| malformed(format!("{error}, in `{}`", excerpt(&text))))?;
    if body.status != "success" {
        return Err(answered(&body.error.unwrap_or(body.status)));
    }
    if let Some(warning) = body.warnings.first() {
        return Err(MetricsError::Partial { place: place.to_owned(), said: excerpt(warning) });
    }
    let data = body.data.ok_or_else(|| malformed("it has no `data`".to_owned()))?;
    if data.result_type != kind.name() {
        let other = excerpt(&data.result_type);
        return Err(malformed(format!("it is a `{other}`, where a `{}` was asked for", kind.name())));
    }
    match data.result.iter().find(|series| !series.is_of(kind)) {
        Some(series) => Err(malformed(format!("the series {:?} has no plain numbers", series.metric))),
        None => Ok(data.result),
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Vector => "vector",
        }
    }
}

impl Series {
    /// Whether it has what a kind has, and no native histogram, which is no counter.
    fn is_of(&self, kind: Kind) -> bool {
        let plain = self.histogram.is_none() && self.histograms.is_none();
        let filled = match kind {
            Kind::Matrix => !self.values.is_empty() && self.value.is_none(),
            Kind::Vector => self.value.is_some() && self.values.is_empty(),
        };
        plain && filled && self.values.iter().all(|(at, _)| at.is_finite())
    }
}
