//! The query of a verdict: which window, and of which step.
//!
//! In: the text after `?`. Out: a [`Question`], or what is wrong with it. No value needs percent-encoding, and
//! what is not known is refused: a misspelt `step` would be judged by other objectives.

use chrono::Duration;

use super::super::server::excerpt;
use crate::rollout::verdict::{WindowError, window};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// How long a window; none where the step's own is meant.
    pub(super) window: Option<Duration>,
    /// Of which step of the plan, counted from 0; none for all objectives.
    pub(super) step: Option<usize>,
}

/// A query that can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error(transparent)]
    Window(#[from] WindowError),
    #[error("`{0}` is no step: a number from 0 on")]
    Step(String),
    #[error("`{0}` is given twice")]
    Twice(&'static str),
    #[error("`{0}` is not known here: `window` and `step` are")]
    Unknown(String),
    #[error("a window is missing: `?window=5m`, or `?step=0` for that step's own")]
    Missing,
}

impl Question {
    pub(super) fn read(query: &str) -> Result<Self, QueryError> {
        let mut asked = Self { window: None, step: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "window" if asked.window.is_some() => return Err(QueryError::Twice("window")),
                "step" if asked.step.is_some() => return Err(QueryError::Twice("step")),
                "window" => asked.window = Some(window(value)?),
                "step" => asked.step = Some(step(value)?),
                other => return Err(QueryError::Unknown(excerpt(other))),
            }
        }
        match (asked.window, asked.step) {
            (None, None) => Err(QueryError::Missing),
            _ => Ok(asked),
        }
    }
}

fn step(text: &str) -> Result<usize, QueryError> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| QueryError::Step(excerpt(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_windows_and_steps() {
        let minutes = |minutes| Some(Duration::minutes(minutes));
        for (query, window, step) in [
            ("window=5m", minutes(5), None),
            ("window=300s&step=2", minutes(5), Some(2)),
            ("step=0", None, Some(0)),
            ("&step=0&&window=1m&", minutes(1), Some(0)),
        ] {
            assert_eq!(Question::read(query), Ok(Question { window, step }), "{query}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (query, why) in [
            ("", "a window is missing: `?window=5m`, or `?step=0` for that step's own"),
            ("window", "`` is no window: 1 s to 24 h, such as `300s`, `5m` or `1h30m`"),
            ("window=ten", "`ten` is no window: 1 s to 24 h, such as `300s`, `5m` or `1h30m`"),
            ("window=5m&step=-1", "`-1` is no step: a number from 0 on"),
            ("window=5m&step=", "`` is no step: a number from 0 on"),
            ("window=5m&window=1s", "`window` is given twice"),
            ("step=1&step=1", "`step` is given twice"),
            ("window=5m&setp=1", "`setp` is not known here: `window` and `step` are"),
        ] {
            assert_eq!(
                Question::read(query).map_err(|error| error.to_string()),
                Err(why.to_owned()),
                "{query}"
            );
        }
    }
}
