//! DER, as far as it has to be known before a parser reads it: how many members its sets have.
//!
//! In: bytes that somebody says are a certificate or a time stamp. Out: whether every set in them is small.
//! The parsers below us sort what a set holds by insertion, so that a megabyte of one set takes them hours.
//! Sets stand under their own tag and under implicit ones; names lie in octets within extensions.
//!
//! Spec: <https://www.itu.int/rec/T-REC-X.690>, 8.1 and 10.3. Not checked: anything else. What is no DER is
//! left to whoever parses it.

use crate::evidence::limits::SET_MEMBERS;

/// Values within values: certificates and time stamps have about ten levels.
const DEPTH: usize = 64;

const CONSTRUCTED: u8 = 0x20;
const SET: u8 = 0x31;
const OCTETS: u8 = 0x04;
const CLASS: u8 = 0xc0;
const CONTEXT: u8 = 0x80;
const LONG_TAG: u8 = 0x1f;

/// Whether no set in these bytes has more than [`SET_MEMBERS`] members, nor lies deeper than they do.
pub(super) fn has_small_sets(bytes: &[u8]) -> bool {
    let mut open = vec![(bytes, false, 0)];
    while let Some((mut rest, is_set, depth)) = open.pop() {
        if depth > DEPTH {
            return false;
        }
        let mut members = 0;
        while let Some((tag, content, after)) = value(rest) {
            members += 1;
            if is_set && members > SET_MEMBERS {
                return false;
            }
            let may_be_set = tag == SET || tag & CLASS == CONTEXT;
            // A member has two bytes at least: what is shorter holds no larger set.
            if (tag & CONSTRUCTED != 0 || tag == OCTETS) && content.len() > 2 * SET_MEMBERS {
                open.push((content, may_be_set, depth + 1));
            }
            rest = after;
        }
    }
    true
}

/// The first value: its tag's first byte, its content, and what comes after it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, mut rest) = bytes.split_first()?;
    if tag & LONG_TAG == LONG_TAG {
        let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
        rest = rest.get(end + 1..)?;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(*first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let bytes = length
                .iter()
                .try_fold(0_usize, |length, byte| length.checked_mul(256)?.checked_add(usize::from(*byte)));
            (bytes?, rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len().to_be_bytes();
        [&[tag, 0x88], length.as_slice(), content].concat()
    }

    fn set(tag: u8, members: usize) -> Vec<u8> {
        der(tag, &[5, 0].repeat(members))
    }

    #[test]
    fn a_set_is_small_wherever_it_lies() {
        for tag in [SET, 0xa0, 0xa1] {
            for within in [&[0x30][..], &[0x30, 0xa0, 0x30], &[0x30, OCTETS, 0x30, 0xa4]] {
                let around = |set: Vec<u8>| within.iter().rev().fold(set, |inner, tag| der(*tag, &inner));
                assert!(has_small_sets(&around(set(tag, SET_MEMBERS))));
                assert!(!has_small_sets(&around(set(tag, SET_MEMBERS + 1))), "{tag:x} in {within:x?}");
                // What is no DER after it, or cut, hides nothing that a parser comes to before.
                assert!(!has_small_sets(&[around(set(tag, SET_MEMBERS + 1)), vec![0x30, 0x84]].concat()));
            }
        }
        assert!(has_small_sets(&set(0x30, 100_000)));
        assert!(has_small_sets(b"") && has_small_sets(&[0x31, 0xff]) && has_small_sets(&[0x3f, 0xff]));
    }

    #[test]
    fn values_within_values_end_somewhere() {
        let deep = |levels: usize| (0..levels).fold(Vec::new(), |inner, _| der(0x30, &inner));
        assert!(has_small_sets(&deep(40)) && !has_small_sets(&deep(100)));
        assert!(!has_small_sets(&deep(20_000)));
    }

    #[test]
    fn takes_the_certificates_of_every_embedded_root() {
        use crate::trust::embedded::{INSTANCES, embedded_root};
        for name in INSTANCES {
            let root: sigstore::trust_root::TrustedRoot =
                serde_json::from_str(embedded_root(name).unwrap()).unwrap();
            let chains = root.certificate_authorities.iter().map(|ca| &ca.cert_chain);
            let chains = chains.chain(root.timestamp_authorities.iter().map(|tsa| &tsa.cert_chain));
            let mut certificates = chains.flat_map(|chain| &chain.certificates);
            assert!(certificates.all(|one| has_small_sets(one.raw_bytes.as_bytes())), "{name}");
        }
    }
}
