//! Windows of time as people write them: weekly (`Fri 16:00` to `Mon 08:00`) or dated
//! (`2026-12-18` to `2027-01-04`) in a time zone of their own, or between two instants
//! (`2026-12-18T16:00:00Z`). `from` is included, `to` is not.
//!
//! Time zones: the IANA database in the binary (<https://www.iana.org/time-zones>). A local time
//! that a clock change skips stands for the instant of the change; one that it repeats begins a
//! window at its first and ends one at its second occurrence, so that a freeze is never shorter.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone,
    Weekday,
};
use chrono_tz::Tz;

use crate::time::{self, Timestamp};

/// A window with its time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    zone: Tz,
    when: When,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Weekly { from: Moment, to: Moment },
    Dated { from: NaiveDateTime, to: NaiveDateTime },
    Between { from: Timestamp, to: Timestamp },
}

/// A time of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    day: Weekday,
    time: NaiveTime,
}

/// One end of a window as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Weekly(#[expect(private_interfaces, reason = "only this file looks inside")] Moment),
    Dated(NaiveDateTime),
    Instant(Timestamp),
}

/// Why two edges make no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowError {
    /// The edges are of two kinds.
    Mixed,
    /// A time zone for edges that carry an offset of their own.
    TwoOffsets,
    /// It ends where or before it begins.
    Empty,
}

/// What an edge looks like, for the JSON Schema.
pub(super) const PATTERN: &str = "^((Mon|Tue|Wed|Thu|Fri|Sat|Sun) [0-9]{2}:[0-9]{2}\
    |[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?)?)$";

impl Edge {
    /// Reads `Fri 16:00`, `2026-12-18` (at 00:00), `2026-12-18T16:00` or `2026-12-18T16:00:00Z`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once([' ', 'T']) {
            Some((day, time)) if day.len() == 3 => {
                Some(Self::Weekly(Moment { day: weekday(day)?, time: clock(time)? }))
            }
            Some((_, time)) if time.len() > 5 => instant(text).map(Self::Instant),
            Some((date, time)) => Some(Self::Dated(calendar(date)?.and_time(clock(time)?))),
            None => Some(Self::Dated(calendar(text)?.and_time(NaiveTime::MIN))),
        }
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    let days =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    days.into_iter().find(|day| day.to_string() == text)
}

fn calendar(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// Whole seconds alone: a plan's end has no finer ones.
fn instant(text: &str) -> Option<Timestamp> {
    time::parse(text).ok().filter(|_| !text.contains('.'))
}

fn clock(text: &str) -> Option<NaiveTime> {
    (text.len() == 5).then(|| NaiveTime::parse_from_str(text, "%H:%M").ok()).flatten()
}

impl Window {
    /// A window from one edge to another, in a time zone if one is said.
    ///
    /// # Errors
    /// [`WindowError`] for edges of two kinds, and for a window that holds nothing.
    pub(super) fn new(from: Edge, to: Edge, zone: Option<Tz>) -> Result<Self, WindowError> {
        let when = match (from, to) {
            (Edge::Instant(_), Edge::Instant(_)) if zone.is_some() => return Err(WindowError::TwoOffsets),
            (Edge::Weekly(from), Edge::Weekly(to)) => (from != to).then_some(When::Weekly { from, to }),
            (Edge::Dated(from), Edge::Dated(to)) => (from < to).then_some(When::Dated { from, to }),
            (Edge::Instant(from), Edge::Instant(to)) => (from < to).then_some(When::Between { from, to }),
            _ => return Err(WindowError::Mixed),
        };
        Ok(Self { zone: zone.unwrap_or(Tz::UTC), when: when.ok_or(WindowError::Empty)? })
    }

    /// Until when it holds, if it holds now.
    pub(super) fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.near(now)
            .into_iter()
            .filter(|(start, end)| *start <= now && now < *end)
            .map(|(_, end)| end)
            .max()
    }

    /// When it next begins.
    pub(super) fn next_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.near(now).into_iter().map(|(start, _)| start).filter(|start| *start > now).min()
    }

    /// The occurrences that can hold now or begin next. A weekly window lasts a week at most, so
    /// those that begin within eight days before or after are enough.
    fn near(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        match self.when {
            When::Between { from, to } => vec![(from, to)],
            When::Dated { from, to } => self.instants(from, to).into_iter().collect(),
            When::Weekly { from, to } => {
                let today = now.with_timezone(&self.zone).date_naive();
                let days = (0..=16)
                    .filter_map(|day| today.checked_sub_days(Days::new(8))?.checked_add_days(Days::new(day)));
                let starts = days.filter(|day| day.weekday() == from.day);
                starts
                    .filter_map(|day| self.instants(day.and_time(from.time), end_of_week(day, from, to)?))
                    .collect()
            }
        }
    }

    fn instants(&self, from: NaiveDateTime, to: NaiveDateTime) -> Option<(Timestamp, Timestamp)> {
        let start = first_and_last(self.zone, from)?.0;
        let end = first_and_last(self.zone, to)?.1;
        Some((start, end))
    }
}

/// The end of a weekly window that begins on a day.
fn end_of_week(day: NaiveDate, from: Moment, to: Moment) -> Option<NaiveDateTime> {
    let ahead = u64::from(to.day.days_since(from.day));
    let ahead = if ahead == 0 && to.time <= from.time { 7 } else { ahead };
    Some(day.checked_add_days(Days::new(ahead))?.and_time(to.time))
}

/// The first and the last instant at which the zone's clocks show a local time. A skipped one is
/// sought minute by minute up to where the clocks go on; no zone has ever skipped two days.
fn first_and_last(zone: Tz, local: NaiveDateTime) -> Option<(Timestamp, Timestamp)> {
    let utc = |time: DateTime<Tz>| time.to_utc();
    (0..=2 * 24 * 60).find_map(|minutes| {
        match zone.from_local_datetime(&local.checked_add_signed(TimeDelta::minutes(minutes))?) {
            MappedLocalTime::Single(time) => Some((utc(time), utc(time))),
            MappedLocalTime::Ambiguous(first, second) => Some((utc(first), utc(second))),
            MappedLocalTime::None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    fn window(from: &str, to: &str, zone: &str) -> Window {
        Window::new(Edge::parse(from).unwrap(), Edge::parse(to).unwrap(), Some(zone.parse().unwrap()))
            .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        time::parse(text).unwrap()
    }

    fn until(window: &Window, now: &str) -> Option<String> {
        window.holds_until(at(now)).map(time::to_seconds)
    }

    #[test]
    fn includes_its_start_and_not_its_end() {
        let weekend = window("Fri 16:00", "Mon 08:00", "Europe/Berlin");
        assert_eq!(until(&weekend, "2026-11-27T14:59:59Z"), None);
        assert_eq!(until(&weekend, "2026-11-27T15:00:00Z").as_deref(), Some("2026-11-30T07:00:00Z"));
        assert_eq!(until(&weekend, "2026-11-30T06:59:59.999Z").as_deref(), Some("2026-11-30T07:00:00Z"));
        assert_eq!(until(&weekend, "2026-11-30T07:00:00Z"), None);
    }

    #[test]
    fn begins_next_week_when_this_week_is_over() {
        let weekend = window("Fri 16:00", "Mon 08:00", "Europe/Berlin");
        let next = weekend.next_start(at("2026-11-30T07:00:00Z")).map(time::to_seconds);
        assert_eq!(next.as_deref(), Some("2026-12-04T15:00:00Z"));
        // While it holds, the next start is the one after.
        let next = weekend.next_start(at("2026-11-28T00:00:00Z")).map(time::to_seconds);
        assert_eq!(next.as_deref(), Some("2026-12-04T15:00:00Z"));
    }

    #[test]
    fn follows_the_local_clock_over_its_changes() {
        // Berlin, 2026: clocks go from 02:00 to 03:00 on 29 March, back from 03:00 to 02:00 on 25 October.
        let skipped = window("Sun 02:30", "Sun 12:00", "Europe/Berlin");
        assert_eq!(until(&skipped, "2026-03-29T00:59:59Z"), None);
        assert_eq!(until(&skipped, "2026-03-29T01:00:00Z").as_deref(), Some("2026-03-29T10:00:00Z"));
        let repeated = window("Sun 02:15", "Sun 02:30", "Europe/Berlin");
        assert_eq!(until(&repeated, "2026-10-25T00:15:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        assert_eq!(until(&repeated, "2026-10-25T01:29:59Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        assert_eq!(until(&repeated, "2026-10-25T01:30:00Z"), None);
    }

    #[test]
    fn takes_a_bare_date_as_midnight() {
        let year_end = window("2026-12-18", "2027-01-04", "UTC");
        assert_eq!(year_end.next_start(at("2026-12-17T23:59:59Z")), Some(at("2026-12-18T00:00:00Z")));
        assert_eq!(until(&year_end, "2026-12-18T00:00:00Z").as_deref(), Some("2027-01-04T00:00:00Z"));
        assert_eq!(until(&year_end, "2027-01-04T00:00:00Z"), None);
        assert_eq!(year_end.next_start(at("2027-01-04T00:00:00Z")), None);
    }

    #[test]
    fn lasts_a_week_but_a_moment_when_it_ends_on_its_own_day_earlier() {
        let long = window("Mon 09:00", "Mon 08:00", "UTC");
        assert_eq!(until(&long, "2026-11-30T07:59:59Z").as_deref(), Some("2026-11-30T08:00:00Z"));
        assert_eq!(until(&long, "2026-11-30T08:30:00Z"), None);
        assert_eq!(until(&long, "2026-11-30T09:00:00Z").as_deref(), Some("2026-12-07T08:00:00Z"));
    }

    #[test]
    fn refuses_what_is_no_window() {
        for text in [
            "",
            "Friday 16:00",
            "fri 16:00",
            "Fri 24:00",
            "Fri 6:00",
            "2026-13-01",
            "2026-2-01",
            "2026-12-18T16",
            "16:00",
        ] {
            assert_eq!(Edge::parse(text), None, "{text}");
        }
        let edge = |text| Edge::parse(text).unwrap();
        let of = |from, to, zone| Window::new(edge(from), edge(to), zone).unwrap_err();
        assert_eq!(of("Fri 16:00", "2026-12-18", None), WindowError::Mixed);
        assert_eq!(of("2026-12-18", "2026-12-18T16:00:00Z", None), WindowError::Mixed);
        assert_eq!(of("Fri 16:00", "Fri 16:00", None), WindowError::Empty);
        assert_eq!(of("2026-12-18", "2026-12-17", None), WindowError::Empty);
        assert_eq!(of("2026-12-18T16:00:00Z", "2026-12-18T17:00:00+01:00", None), WindowError::Empty);
        let zone = Some(chrono_tz::UTC);
        assert_eq!(of("2026-12-18T16:00:00Z", "2026-12-19T16:00:00Z", zone), WindowError::TwoOffsets);
    }

    #[test]
    fn takes_instants_as_they_are() {
        let edge = |text| Edge::parse(text).unwrap();
        let window =
            Window::new(edge("2026-12-18T16:00:00+01:00"), edge("2026-12-18T16:30:05Z"), None).unwrap();
        assert_eq!(window.next_start(at("2026-12-18T14:59:59Z")), Some(at("2026-12-18T15:00:00Z")));
        assert_eq!(until(&window, "2026-12-18T15:00:00Z").as_deref(), Some("2026-12-18T16:30:05Z"));
        assert_eq!(until(&window, "2026-12-18T16:30:05Z"), None);
        for text in ["2026-12-18T16:00:00.5Z", "2026-12-18T16:00:00", "2026-12-18T25:00:00Z"] {
            assert_eq!(Edge::parse(text), None, "{text}");
        }
    }
}
