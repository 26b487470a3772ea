//! Writes DER: the few shapes that certificates and time stamps are made of.
//!
//! Spec: <https://www.itu.int/rec/T-REC-X.690>. Lengths up to 65,535 bytes, which no fixture exceeds.

use laforge::time::Timestamp;

/// Any value: its tag, its length and its content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    if content.len() < 0x80 {
        der.extend(significant.last().copied().or(Some(0)));
    } else {
        der.push(0x80 | significant.len() as u8);
        der.extend(significant);
    }
    der.extend_from_slice(content);
    der
}

/// A sequence of values.
pub(crate) fn sequence(values: &[Vec<u8>]) -> Vec<u8> {
    value(0x30, &values.concat())
}

/// A set of values, in the order that DER demands.
pub(crate) fn set(values: &[Vec<u8>]) -> Vec<u8> {
    value(0x31, &set_content(values))
}

/// The content of a set, for where it is tagged otherwise.
pub(crate) fn set_content(values: &[Vec<u8>]) -> Vec<u8> {
    let mut sorted = values.to_vec();
    sorted.sort();
    sorted.concat()
}

/// `[number] EXPLICIT`, or the constructed form of `[number] IMPLICIT`.
pub(crate) fn tagged(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, content)
}

/// A non-negative integer, of big-endian bytes.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    value(0x02, &content)
}

/// An object identifier, of its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').filter_map(|arc| arc.parse().ok()).collect();
    let (first, rest) = match arcs.as_slice() {
        [root, second, rest @ ..] => (root * 40 + second, rest),
        _ => (0, arcs.as_slice()),
    };
    let content: Vec<u8> = std::iter::once(first).chain(rest.iter().copied()).flat_map(base128).collect();
    value(0x06, &content)
}

fn base128(mut number: u64) -> Vec<u8> {
    let mut digits = vec![(number & 0x7f) as u8];
    while number > 0x7f {
        number >>= 7;
        digits.push(0x80 | (number & 0x7f) as u8);
    }
    digits.reverse();
    digits
}

/// A true boolean. False is never written: everywhere here it is the default.
pub(crate) fn truth() -> Vec<u8> {
    value(0x01, &[0xff])
}

/// An octet string.
pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    value(0x04, bytes)
}

/// A bit string of whole bytes.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    named_bits(0, bytes)
}

/// A bit string whose last bits are unused.
pub(crate) fn named_bits(unused: u8, bytes: &[u8]) -> Vec<u8> {
    value(0x03, &[&[unused], bytes].concat())
}

/// A UTF-8 string.
pub(crate) fn utf8(text: &str) -> Vec<u8> {
    value(0x0c, text.as_bytes())
}

/// A time of the years 1950 to 2049, as certificates carry it.
pub(crate) fn utc_time(time: Timestamp) -> Vec<u8> {
    value(0x17, time.format("%y%m%d%H%M%SZ").to_string().as_bytes())
}

/// A time, as time stamps carry it.
pub(crate) fn generalized_time(time: Timestamp) -> Vec<u8> {
    value(0x18, time.format("%Y%m%d%H%M%SZ").to_string().as_bytes())
}
