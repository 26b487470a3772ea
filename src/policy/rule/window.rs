//! Windows of time as people write them: weekly (`Fri 16:00` to `Mon 08:00`) or dated
//! (`2026-12-18` to `2027-01-04`) in a time zone of their own, or between two instants
//! (`2026-12-18T16:00:00Z`). `from` is included, `to` is not.
//!
//! Time zones: the IANA database in the binary (<https://www.iana.org/time-zones>). A local time
//! that a clock change skips stands for the instant of the change; one that it repeats begins a
//! window at its first and ends one at its second occurrence, so that a freeze is never shorter.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Weekday};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::time::{self, Timestamp};

/// A window with its time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    zone: TimeZone,
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
        // Not at whichever comes first: two days of the week begin with a `T`.
        match text.split_once(' ').or_else(|| text.split_once('T')) {
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

/// The time zone of a name, as the database writes it.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    // The database takes any case; two ways to write one name would be two policies.
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| zone.iana_name() == Some(name))
}

impl Window {
    /// A window from one edge to another, in a time zone if one is said.
    ///
    /// # Errors
    /// [`WindowError`] for edges of two kinds, and for a window that holds nothing.
    pub(super) fn new(from: Edge, to: Edge, zone: Option<TimeZone>) -> Result<Self, WindowError> {
        let when = match (from, to) {
            (Edge::Instant(_), Edge::Instant(_)) if zone.is_some() => return Err(WindowError::TwoOffsets),
            (Edge::Weekly(from), Edge::Weekly(to)) => (from != to).then_some(When::Weekly { from, to }),
            (Edge::Dated(from), Edge::Dated(to)) => (from < to).then_some(When::Dated { from, to }),
            (Edge::Instant(from), Edge::Instant(to)) => (from < to).then_some(When::Between { from, to }),
            _ => return Err(WindowError::Mixed),
        };
        Ok(Self { zone: zone.unwrap_or(TimeZone::UTC), when: when.ok_or(WindowError::Empty)? })
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

    /// The occurrences that can hold now or begin next. A weekly window lasts a week at most, and no
    /// zone's date is more than a day from the one in UTC, so those that begin within nine days before
    /// or after are enough.
    fn near(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        match self.when {
            When::Between { from, to } => vec![(from, to)],
            When::Dated { from, to } => self.instants(from, to).into_iter().collect(),
            When::Weekly { from, to } => {
                let today = now.date_naive();
                let days = (0..=18)
                    .filter_map(|day| today.checked_sub_days(Days::new(9))?.checked_add_days(Days::new(day)));
                let starts = days.filter(|day| day.weekday() == from.day);
                starts
                    .filter_map(|day| self.instants(day.and_time(from.time), end_of_week(day, from, to)?))
                    .collect()
            }
        }
    }

    fn instants(&self, from: NaiveDateTime, to: NaiveDateTime) -> Option<(Timestamp, Timestamp)> {
        let start = first_and_last(&self.zone, from)?.0;
        let end = first_and_last(&self.zone, to)?.1;
        Some((start, end))
    }
}

/// The end of a weekly window that begins on a day.
fn end_of_week(day: NaiveDate, from: Moment, to: Moment) -> Option<NaiveDateTime> {
    let ahead = u64::from(to.day.days_since(from.day));
    let ahead = if ahead == 0 && to.time <= from.time { 7 } else { ahead };
    Some(day.checked_add_days(Days::new(ahead))?.and_time(to.time))
}

/// The first and the last instant at which the zone's clocks show a local time.
fn first_and_last(zone: &TimeZone, local: NaiveDateTime) -> Option<(Timestamp, Timestamp)> {
    let with =
        |offset: Offset| local.and_utc().checked_sub_signed(TimeDelta::seconds(i64::from(offset.seconds())));
    match zone.to_ambiguous_timestamp(civil(local)?).offset() {
        AmbiguousOffset::Unambiguous { offset } => Some((with(offset)?, with(offset)?)),
        AmbiguousOffset::Fold { before, after } => Some((with(before)?, with(after)?)),
        AmbiguousOffset::Gap { after, .. } => {
            let change = change(zone, with(after)?, after)?;
            Some((change, change))
        }
    }
}

/// When the zone's clocks next go over to an offset.
fn change(zone: &TimeZone, behind: Timestamp, to: Offset) -> Option<Timestamp> {
    let behind = jiff::Timestamp::from_second(behind.timestamp()).ok()?;
    let change = zone.following(behind).find(|change| change.offset() == to)?;
    DateTime::from_timestamp(change.timestamp().as_second(), 0)
}

fn civil(local: NaiveDateTime) -> Option<civil::DateTime> {
    let (year, month, day) = (local.year(), local.month(), local.day());
    let (hour, minute, second) = (local.hour(), local.minute(), local.second());
    civil::DateTime::new(
        year.try_into().ok()?,
        month.try_into().ok()?,
        day.try_into().ok()?,
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    fn window(from: &str, to: &str, zone: &str) -> Window {
        Window::new(Edge::parse(from).unwrap(), Edge::parse(to).unwrap(), Some(super::zone(zone).unwrap()))
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
    fn begins_and_ends_with_the_change_when_a_whole_day_is_skipped() {
        // Apia went from the end of 29 December 2011, ten hours behind UTC, to 31 December, fourteen before.
        let skipped = window("2011-12-30T08:00", "2011-12-31T08:00", "Pacific/Apia");
        assert_eq!(skipped.next_start(at("2011-12-30T09:59:59Z")), Some(at("2011-12-30T10:00:00Z")));
        assert_eq!(until(&skipped, "2011-12-30T10:00:00Z").as_deref(), Some("2011-12-30T18:00:00Z"));
        let before = window("2011-12-29T08:00", "2011-12-30T08:00", "Pacific/Apia");
        assert_eq!(until(&before, "2011-12-30T09:59:59Z").as_deref(), Some("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn follows_the_local_clock_in_years_that_no_table_lists() {
        let winter = window("2150-01-15", "2150-01-16", "Europe/Berlin");
        assert_eq!(until(&winter, "2150-01-15T00:00:00Z").as_deref(), Some("2150-01-15T23:00:00Z"));
        let summer = window("2150-07-15", "2150-07-16", "Europe/Berlin");
        assert_eq!(until(&summer, "2150-07-15T00:00:00Z").as_deref(), Some("2150-07-15T22:00:00Z"));
    }

    #[test]
    fn finds_a_weekly_window_wherever_its_zone_is() {
        for (name, start) in [
            ("Pacific/Kiritimati", "2026-11-26T10:00:00Z"),
            ("UTC", "2026-11-27T00:00:00Z"),
            ("Etc/GMT+12", "2026-11-27T12:00:00Z"),
        ] {
            let long = window("Fri 00:00", "Thu 23:59", name);
            let start = at(start);
            let end = start + TimeDelta::minutes(7 * 24 * 60 - 1);
            assert_eq!(long.holds_until(start), Some(end), "{name}");
            assert_eq!(long.holds_until(end - TimeDelta::seconds(1)), Some(end), "{name}");
            assert_eq!(long.next_start(start), Some(start + TimeDelta::weeks(1)), "{name}");
            assert_eq!(long.next_start(start - TimeDelta::seconds(1)), Some(start), "{name}");
        }
    }

    #[test]
    fn knows_a_time_zone_by_the_name_that_the_database_writes() {
        for name in ["Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC", "Etc/UTC", "GMT", "Etc/GMT+12"]
        {
            assert!(zone(name).is_some(), "{name}");
        }
        for name in
            ["", "europe/berlin", "utc", "Europe/Forge", "Etc/Unknown", "+01:00", "CET-1CEST", "posixrules"]
        {
            assert_eq!(zone(name), None, "{name}");
        }
    }

    #[test]
    fn takes_every_day_of_the_week() {
        for day in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] {
            assert!(matches!(Edge::parse(&format!("{day} 16:00")), Some(Edge::Weekly(_))), "{day}");
        }
        for text in ["Tuesday 16:00", "tue 16:00", "TueT16:00", "Tue"] {
            assert_eq!(Edge::parse(text), None, "{text}");
        }
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
        let utc = Some(TimeZone::UTC);
        assert_eq!(of("2026-12-18T16:00:00Z", "2026-12-19T16:00:00Z", utc), WindowError::TwoOffsets);
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
