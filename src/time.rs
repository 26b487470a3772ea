//! Instants: always an argument, always UTC.
//!
//! Formats are RFC 3339 (<https://www.rfc-editor.org/rfc/rfc3339>); hashed objects carry whole
//! seconds, audit entries microseconds (`formats.md`, `audit-log.md` 1.5).

pub mod duration;

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// An instant in UTC.
pub type Timestamp = DateTime<Utc>;

/// How far two clocks may be apart: a signer's ahead of the gate's, the gate's behind its own log
/// (`formats.md` section 6).
pub const SKEW: TimeDelta = TimeDelta::seconds(60);

/// A text that is not an instant.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a time such as 2026-11-24T12:00:00Z")]
pub struct TimeError {
    text: String,
}

/// Reads an RFC 3339 instant, whatever its offset, if it can be written again in UTC: an offset can
/// lead out of the years that RFC 3339 has, and then no reader takes what we would write.
///
/// # Errors
/// [`TimeError`] with the text when it is none.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let refuse = || TimeError { text: text.to_owned() };
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| refuse())?.to_utc();
    if (0..=9999).contains(&time.year()) { Ok(time) } else { Err(refuse()) }
}

/// The instant cut down to whole seconds, as hashed objects carry it.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    time.trunc_subsecs(0)
}

/// `2026-11-24T12:00:00Z`.
pub fn to_seconds(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-24T12:00:00.123456Z`.
pub fn to_micros(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// For `#[serde(serialize_with = "time::seconds")]`: whole seconds.
///
/// # Errors
/// The serializer's own.
pub fn seconds<S: serde::Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&to_seconds(*time))
}

/// As [`seconds`], for a time that may be absent.
///
/// # Errors
/// The serializer's own.
pub fn optional_seconds<S: serde::Serializer>(time: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, out),
        None => out.serialize_none(),
    }
}

/// How long ago, in one unit.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now - at).num_seconds();
    match seconds {
        ..-60 => "in the future".to_owned(),
        -60..5 => "just now".to_owned(),
        _ => format!("{} ago", span(seconds)),
    }
}

/// A length of time, in one unit.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..100 => format!("{seconds} s"),
        100..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_long_ago_in_one_unit() {
        let now = parse("2026-11-24T12:00:00Z").unwrap();
        for (seconds, said) in [
            (-61, "in the future"),
            (4, "just now"),
            (99, "99 s ago"),
            (100, "1 min ago"),
            (7_199, "119 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(now - TimeDelta::seconds(seconds), now), said);
        }
    }

    #[test]
    fn reads_offsets_and_writes_utc() {
        let time = parse("2026-11-24T13:00:00.1234567+01:00").unwrap();
        assert_eq!(to_seconds(time), "2026-11-24T12:00:00Z");
        assert_eq!(to_micros(time), "2026-11-24T12:00:00.123456Z");
        assert_eq!(to_seconds(whole_seconds(time)), "2026-11-24T12:00:00Z");
        assert!(parse("2026-11-24").is_err());
    }

    #[test]
    fn takes_no_instant_that_it_could_not_write_again() {
        for text in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2016-12-31T23:59:60Z"] {
            assert_eq!(to_seconds(parse(text).unwrap()), text);
        }
    }
}
