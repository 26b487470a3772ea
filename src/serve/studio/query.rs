//! What a URL or a form says: names and values, percent-decoded, within bounds.
//!
//! In: the text after `?`, or a form's body (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>).
//! Out: [`Pairs`], and the same as text again.

/// More than any form of ours has.
const MOST_PAIRS: usize = 40;

/// Names and values, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(MOST_PAIRS);
        Self(pairs.map(pair).collect())
    }

    /// The first value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

/// Percent-decoded; what is no UTF-8 is replaced, and what is no escape stays.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escape = (*first == b'%').then(|| more.split_at_checked(2)).flatten();
        let byte = escape.and_then(|(digits, _)| hex_byte(digits));
        match (byte, escape) {
            (Some(byte), Some((_, behind))) => {
                bytes.push(byte);
                rest = behind;
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let text =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|it| it.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

/// Percent-encoded for a value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// A path and a query of these names and values.
pub(super) fn link<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_browser_sends() {
        let pairs = Pairs::read("release=pay%40ments&reason=it+is%20red%2B&empty=&x");
        let read: Vec<_> = pairs.iter().collect();
        assert_eq!(read, [("release", "pay@ments"), ("reason", "it is red+"), ("empty", ""), ("x", "")]);
    }

    #[test]
    fn what_is_no_escape_stays_and_no_byte_panics() {
        for (text, read) in
            [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%+1", "% 1"), ("%ff", "\u{fffd}"), ("%é", "%é")]
        {
            assert_eq!(decoded(text), read, "{text}");
        }
        assert_eq!(Pairs::read(&"a=b&".repeat(100)).iter().count(), MOST_PAIRS);
    }

    #[test]
    fn writes_what_it_reads() {
        let text = "a b/ü?&=#\"<>'%+";
        assert_eq!(decoded(&encoded(text)), text);
        assert_eq!(link("/decisions", [("release", "a&b".to_owned())]), "/decisions?release=a%26b");
        assert_eq!(link("/decisions", []), "/decisions");
    }
}
