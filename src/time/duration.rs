//! Durations as people write them, in a flag, in `laforge.yaml` and in a policy: whole numbers with
//! units, larger units first (`90m`, `24h`, `7d`, `1h30m`). One grammar for all of them.

use chrono::Duration;

/// What a duration looks like, for the JSON Schema.
pub const PATTERN: &str = "^([1-9][0-9]{0,4}d)?([1-9][0-9]{0,4}h)?([1-9][0-9]{0,4}m)?([1-9][0-9]{0,4}s)?$";

/// Units, larger ones first, in seconds.
const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Digits of one number: ten thousand days and more are no duration that anyone means.
const DIGITS: usize = 5;

/// Reads a duration; nothing else, and never zero.
pub fn parse(text: &str) -> Option<Duration> {
    let mut units = UNITS.into_iter();
    let (mut rest, mut seconds) = (text, 0_i64);
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, tail) = after.split_at_checked(1)?;
        // What is taken from the iterator can't come again, nor can anything larger.
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        if number.starts_with('0') || number.len() > DIGITS {
            return None;
        }
        seconds += number.parse::<i64>().ok()? * length;
        rest = tail;
    }
    (seconds > 0).then(|| Duration::seconds(seconds))
}

/// The largest unit that says a duration without a rest: `2h`, not `120m`.
pub fn show(duration: Duration) -> String {
    let seconds = duration.num_seconds();
    match UNITS.into_iter().find(|(_, length)| seconds % length == 0) {
        Some((name, length)) => format!("{}{name}", seconds / length),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for text in ["30s", "90m", "5h", "7d", "99999d"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        assert_eq!(show(parse("24h").unwrap()), "1d");
    }

    #[test]
    fn reads_several_units_larger_ones_first() {
        for (text, seconds) in [("4h", 14_400), ("90s", 90), ("1h30m", 5_400), ("1d1s", 86_401)] {
            assert_eq!(parse(text), Some(Duration::seconds(seconds)), "{text}");
        }
        for text in ["30m1h", "1h1h", "1h30", "h30m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_zero_signs_fractions_and_other_units() {
        for text in
            ["", "h", "0h", "0s", "07d", "+7d", "-7d", "1.5h", "7", "7 d", "7w", "4H", "100000s", "٣h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
