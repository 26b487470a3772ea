//! `freeze`: windows in which nothing starts. The next one that begins ends the plan.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::LimitedBy;
use crate::release::name::{self, MAX_NAME};
use crate::time::to_seconds;
use crate::yaml::{DocumentError, Spanned};

use super::window::{self, Edge, Window, WindowError};
use super::{Cure, Outcome, Reading, Scope, denial};
use crate::policy::finding::{Finding, Origin, RuleId};

/// A window in which nothing starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FreezeSection {
    /// Its name, for the finding.
    #[schemars(with = "String", length(min = 1))]
    pub name: Spanned<String>,
    /// The IANA time zone of both ends; UTC unless said.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    pub timezone: Option<Spanned<String>>,
    /// Its start, included: `Fri 16:00` for every week; `2026-12-18`, `2026-12-18T16:00` or
    /// `2026-12-18T16:00:00Z` for once.
    #[schemars(with = "String", regex(pattern = window::PATTERN))]
    pub from: Spanned<String>,
    /// Its end, not included, of the same kind.
    #[schemars(with = "String", regex(pattern = window::PATTERN))]
    pub to: Spanned<String>,
}

/// A checked window.
#[derive(Debug)]
pub struct Freeze {
    name: String,
    window: Window,
    origin: Origin,
}

impl Freeze {
    /// Checks a section.
    ///
    /// # Errors
    /// [`DocumentError`] for a time zone that is none, a date that is none, and an empty window.
    pub fn read(section: &FreezeSection, reading: &Reading<'_>) -> Result<Self, DocumentError> {
        let zone = section.timezone.as_ref().map(|text| zone(text, reading)).transpose()?;
        let (from, to) = (edge(&section.from, reading)?, edge(&section.to, reading)?);
        let window = Window::new(from, to, zone).map_err(|error| {
            let (message, help) = match error {
                WindowError::Mixed => {
                    ("`from` and `to` are written in two ways", "write both ends in the same way")
                }
                WindowError::TwoOffsets => {
                    ("the ends carry offsets of their own beside a `timezone`", "leave `timezone` out")
                }
                WindowError::Empty => {
                    ("the window ends where or before it begins", "move `to` behind `from`")
                }
            };
            reading.refuse(&section.to, message.to_owned(), help)
        })?;
        let name = name::read(reading.source, &section.name, MAX_NAME)?;
        Ok(Self { name, window, origin: reading.origin(&section.name) })
    }

    /// Denies while it holds; otherwise ends the plan where it begins.
    pub fn evaluate(&self, scope: &Scope<'_>, outcome: &mut Outcome) {
        match (self.window.holds_until(scope.now), self.window.next_start(scope.now)) {
            (Some(end), _) => outcome.deny(Cure::None, self.frozen(&to_seconds(end))),
            (None, Some(start)) => outcome.limits.push((start, LimitedBy::Freeze)),
            (None, None) => {}
        }
    }

    fn frozen(&self, end: &str) -> Finding {
        let message = format!("frozen by `{}` until {end}", self.name);
        let help = format!("deploy again at {end} or later");
        Finding { origin: Some(self.origin.clone()), ..denial(RuleId::Freeze, &self.name, message, help) }
    }
}

fn zone(text: &Spanned<String>, reading: &Reading<'_>) -> Result<TimeZone, DocumentError> {
    window::zone(&text.value).ok_or_else(|| {
        let message = format!("`{}` is not a time zone", text.value);
        reading.refuse(text, message, "name one of the IANA database, such as `Europe/Berlin`")
    })
}

fn edge(text: &Spanned<String>, reading: &Reading<'_>) -> Result<Edge, DocumentError> {
    Edge::parse(&text.value).ok_or_else(|| {
        let message = format!("`{}` is not a time of the week or a date", text.value);
        reading.refuse(
            text,
            message,
            "write `Fri 16:00`, `2026-12-18`, `2026-12-18T16:00` or `2026-12-18T16:00:00Z`",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::policy::samples::{at, facts, loaded, outcome, outcome_of, proposal, refused, said};

    use super::*;

    #[test]
    fn denies_inside_its_window_and_ends_the_plan_before_it() {
        let set = loaded(
            "{freeze: [{name: weekend, timezone: Europe/Berlin, from: 'Fri 16:00', to: 'Mon 08:00'}]}",
        );
        let before = outcome(&set, &facts());
        assert_eq!(said(&before), []);
        assert_eq!(before.limits, [(at("2026-11-27T15:00:00Z"), LimitedBy::Freeze)]);
        let inside = outcome_of(&set, &facts(), &proposal(), at("2026-11-27T15:00:00Z"));
        assert_eq!(said(&inside), [("freeze", "frozen by `weekend` until 2026-11-30T07:00:00Z".to_owned())]);
        assert_eq!(inside.findings[0].cure, Cure::None);
    }

    #[test]
    fn says_nothing_after_a_dated_window() {
        let set = loaded("{freeze: [{name: past, from: 2026-11-01, to: 2026-11-24T12:00}]}");
        let over = outcome(&set, &facts());
        assert!(over.findings.is_empty() && over.limits.is_empty());
    }

    #[test]
    fn refuses_windows_that_are_none() {
        for (window, reason) in [
            ("{name: x, from: 'Fri 16:00', to: 2026-12-18}", "`from` and `to` are written in two ways"),
            (
                "{name: x, timezone: UTC, from: 2026-12-18T16:00:00Z, to: 2026-12-19T16:00:00Z}",
                "the ends carry offsets of their own beside a `timezone`",
            ),
            ("{name: x, from: 2026-12-18, to: 2026-12-18}", "the window ends where or before it begins"),
            ("{name: x, from: Friday, to: 2026-12-18}", "`Friday` is not a time of the week or a date"),
            (
                "{name: x, from: 2026-02-30, to: 2026-12-18}",
                "`2026-02-30` is not a time of the week or a date",
            ),
            ("{name: x, timezone: Berlin, from: 2026-12-18, to: 2026-12-19}", "`Berlin` is not a time zone"),
            ("{name: '', from: 2026-12-18, to: 2026-12-19}", "`name` is empty"),
        ] {
            let refusal = refused(&format!("{{freeze: [{window}]}}"));
            let at = refusal.strip_prefix("policies/test.yaml:4:").expect("a place");
            assert_eq!(at.split_once(": ").unwrap().1, reason, "{window}");
        }
        assert_eq!(refused("{freeze: []}"), "policies/test.yaml:4:16: an empty list says nothing");
    }
}
