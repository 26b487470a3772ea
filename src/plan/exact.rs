//! Exact numbers out of text: fractions and whole numbers. Nothing is ever rounded.
//!
//! In: what a person wrote, in a flag or a document. Out: integers, or nothing when the text is
//! not exactly one of the accepted forms (`rollout.md` section 3: "budgets are read as text").

/// The largest integer that every JSON reader holds exactly (RFC 8785, 3.2.2.3).
pub const MAX_SAFE: u64 = (1 << 53) - 1;

/// A fraction `0 < x < 1` with at most `places` decimal places, scaled by `10^places`.
pub fn fraction(text: &str, places: usize) -> Option<u64> {
    let scaled = decimal(text, places)?;
    let one = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    (0 < scaled && scaled < one).then_some(scaled)
}

/// A plain decimal with at most `places` decimal places, scaled by `10^places`.
///
/// Digits, then perhaps a point and digits: no sign, no exponent, no leading zeros, no spaces.
pub fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (text, ""),
    };
    let padding = places.checked_sub(part.len())?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
    if !(plain && digits(whole) && digits(part)) {
        return None;
    }
    let scaled: u64 = format!("{whole}{part}{}", "0".repeat(padding)).parse().ok()?;
    (scaled <= MAX_SAFE).then_some(scaled)
}

/// A whole number, as [`decimal`] without a point.
pub fn whole(text: &str) -> Option<u64> {
    decimal(text, 0)
}

/// Milliseconds as the seconds of a Prometheus `le` label: 450 is `0.45`, 1000 is `1`.
pub fn seconds_of_ms(ms: u64) -> String {
    let (whole, part) = (ms / 1000, ms % 1000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_exact_fractions_and_nothing_else() {
        assert_eq!(fraction("0.02", 6), Some(20_000));
        assert_eq!(fraction("0.000001", 6), Some(1));
        assert_eq!(fraction("0.999999", 6), Some(999_999));
        assert_eq!(fraction("0.99", 3), Some(990));
        for wrong in [
            "0",
            "0.0",
            "1",
            "1.0",
            "1.5",
            "0.0000001",
            "0.0200000",
            "2e-2",
            ".02",
            "0.",
            "00.02",
            "+0.02",
            "-0.02",
            " 0.02",
            "0,02",
            "2%",
            "",
            "NaN",
            "0.0_2",
            "٠.02",
        ] {
            assert_eq!(fraction(wrong, 6), None, "{wrong}");
        }
        assert_eq!(fraction("0.9999", 3), None);
    }

    #[test]
    fn writes_bucket_bounds_as_prometheus_does() {
        for (ms, text) in [(1, "0.001"), (450, "0.45"), (1000, "1"), (1500, "1.5"), (10_250, "10.25")] {
            assert_eq!(seconds_of_ms(ms), text);
        }
    }

    proptest! {
        #[test]
        fn a_fraction_is_its_text_to_the_last_place(ppm in 1_u64..1_000_000) {
            prop_assert_eq!(fraction(&format!("0.{ppm:06}"), 6), Some(ppm));
        }

        #[test]
        fn no_text_is_read_as_a_number_that_it_does_not_spell(text in "[0-9.]{0,8}") {
            if let Some(scaled) = decimal(&text, 3) {
                let exact: f64 = text.parse().unwrap();
                prop_assert!((exact * 1000.0 - scaled as f64).abs() < 0.5);
            }
        }
    }
}
