//! Durations as people write them in a policy: a whole number and one unit, `90m`, `24h`, `7d`.

use chrono::Duration;

/// What a duration looks like, for the JSON Schema.
pub(in crate::policy) const PATTERN: &str = "^[1-9][0-9]{0,4}[smhd]$";

/// Reads `30s`, `90m`, `24h` or `7d`; nothing else, and never zero.
pub(in crate::policy) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let plain = (1..=5).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    if !plain {
        return None;
    }
    let number = number.parse::<i64>().ok()?;
    match unit {
        "s" => Duration::try_seconds(number),
        "m" => Duration::try_minutes(number),
        "h" => Duration::try_hours(number),
        "d" => Duration::try_days(number),
        _ => None,
    }
}

/// The largest unit that says a duration without a rest: `2h`, not `120m`.
pub(in crate::policy) fn show(duration: Duration) -> String {
    let seconds = duration.num_seconds();
    match [(86_400, "d"), (3_600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds % unit == 0) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_unit_and_shows_it_again() {
        for text in ["30s", "90m", "5h", "7d", "99999d"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(show(parse("24h").unwrap()), "1d");
    }

    #[test]
    fn refuses_zero_signs_fractions_and_other_units() {
        for text in ["", "h", "0h", "07d", "+7d", "-7d", "1.5h", "7", "7 d", "7w", "1h30m", "100000s", "٣h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
