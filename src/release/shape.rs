//! What else the bytes of an artifact could pass for: then a signature over the file is one over what
//! it says, too (`formats.md` sections 2 and 4).
//!
//! In: an artifact's bytes, as they are read. Out: the trap, if it is one. Asked before anything is
//! signed, when a signature over a file is read, and of every artifact of a release, so that the three
//! never differ.
//! Specs: <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>,
//! <https://github.com/containers/image/blob/main/docs/containers-signature.5.md>.
//!
//! Not seen: a simple-signing payload of more than [`MOST`] bytes that spells its words in escapes.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// How every DSSE pre-authentication encoding begins.
const PAE_START: &[u8] = b"DSSEv1 ";

/// `critical.type` of cosign's simple-signing payloads.
pub const SIMPLE_SIGNING_TYPE: &str = "cosign container image signature";

/// Bytes of a document that are looked at: no reader of evidence takes a longer one.
pub const MOST: usize = 16 << 20;

/// What a file could be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// What a DSSE signature is over.
    PreAuthenticationEncoding,
    /// What cosign's older signatures over images are over.
    SimpleSigning,
}

impl Trap {
    /// What the file is, for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreAuthenticationEncoding => "a DSSE pre-authentication encoding",
            Self::SimpleSigning => "a simple-signing payload",
        }
    }
}

/// What a file of these bytes could be taken for.
pub fn trap(bytes: &[u8]) -> Option<Trap> {
    let mut look = Look::default();
    look.at(bytes);
    look.trap()
}

/// A look at bytes as they go by; keeps them only where they may be a document.
#[derive(Debug, Default)]
pub(super) struct Look {
    start: Vec<u8>,
    document: Vec<u8>,
    is_something_else: bool,
}

impl Look {
    /// Sees the next bytes.
    pub(super) fn at(&mut self, bytes: &[u8]) {
        let lacking = PAE_START.len().saturating_sub(self.start.len());
        self.start.extend(bytes.iter().take(lacking));
        if self.is_something_else {
            return;
        }
        // Padding before a document says nothing, however long it is.
        let bytes = if self.document.is_empty() { bytes.trim_ascii_start() } else { bytes };
        let room = MOST.saturating_sub(self.document.len());
        self.document.extend(bytes.iter().take(room));
        self.is_something_else = self.document.first().is_some_and(|first| *first != b'{');
    }

    /// What all of them could be taken for.
    pub(super) fn trap(&self) -> Option<Trap> {
        if self.start == PAE_START {
            return Some(Trap::PreAuthenticationEncoding);
        }
        if self.is_something_else || self.document.is_empty() {
            return None;
        }
        let reads = reads_as_simple_signing(&self.document);
        (reads || looks_like_simple_signing(&self.document)).then_some(Trap::SimpleSigning)
    }
}

/// Read as leniently as its readers do, of which one or another takes repeated members together, names
/// in any case, escapes undone, and whatever follows.
fn reads_as_simple_signing(document: &[u8]) -> bool {
    let holds = |path, is| {
        At { path, is }.deserialize(&mut serde_json::Deserializer::from_slice(document)).unwrap_or(false)
    };
    holds(&["critical", "image", "docker-manifest-digest"], |_| true)
        || holds(&["critical", "type"], |kind| kind == SIMPLE_SIGNING_TYPE)
}

/// By its words, where it is cut off, or a more lenient reader might still read it.
fn looks_like_simple_signing(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document).to_lowercase();
    text.contains("\"critical\"") && text.contains(SIMPLE_SIGNING_TYPE)
}

/// Whether any member at a path of names is of a kind; the rest is passed over.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a [&'a str],
    is: fn(&Value) -> bool,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        match self.path {
            [] => Value::deserialize(from).map(|value| (self.is)(&value)),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Some((first, path)) = self.path.split_first() else { return Ok(false) };
        let mut found = false;
        while let Some(name) = members.next_key::<String>()? {
            match folded(&name) == folded(first) {
                true => found |= members.next_value_seed(At { path, ..self })?,
                false => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// A name without its case, as Go's JSON compares it (the long s is an s, the Kelvin sign a k).
fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_pae_and_a_simple_signing_payload_from_an_artifact() {
        assert_eq!(
            trap(b"DSSEv1 28 application/vnd.in-toto+json 2 {}"),
            Some(Trap::PreAuthenticationEncoding)
        );
        for payload in [
            &br#" {"critical": {"identity": {}, "image": {}, "type": "cosign container image signature"}}"#[..],
            br#"{"\u0063ritical": {"type": "cosign container image signatur\u0065"}}"#,
            br#"{"critical": {"image": {"docker-manifest-digest": "sha256:00"}, "type": "atomic"}}"#,
            br#"{"critical": {"type": "cosign container image signature", "image": {"cut o"#,
            b"{\"critical\": {\"type\": \"cosign container image signature\"}, \"optional\": \"\xff\"}",
            br#"{"CRITICAL": {"Image": {"Docker-Manifest-Digest": "sha256:00"}}} and more"#,
            "{\"critical\": {\"image\": {\"doc\u{212a}er-manife\u{17f}t-digest\": \"\"}}, \"critical\": {\"type\": 1}}".as_bytes(),
        ] {
            assert_eq!(trap(payload), Some(Trap::SimpleSigning), "{}", String::from_utf8_lossy(payload));
        }
        for artifact in [
            &b"DSSEv1"[..],
            b"",
            b"{}",
            br#"{"critical": {"type": "other"}}"#,
            b"\x1f\x8b\x08",
            b"[1]",
            b"{\"critical\": [1, -1, 0.5, true, null]}",
        ] {
            assert_eq!(trap(artifact), None);
        }
    }

    #[test]
    fn sees_a_simple_signing_payload_behind_any_padding_and_in_any_pieces() {
        let payload = r#"{"\u0063ritical": {"image": {"docker-manifest-digest": "sha256:00"}}"#;
        let pad = " ".repeat(1_000_000);
        for padded in [
            format!("{}{payload}}}", " \n\t\r".repeat(5_000_000)),
            format!("{{{pad}{}}}", payload.trim_start_matches('{')),
            format!("{{\"pad\": \"{pad}\", {}}}", payload.trim_start_matches('{')),
            format!("{payload}, \"pad\": \"{pad}\"}}"),
        ] {
            let mut look = Look::default();
            padded.as_bytes().chunks(65_537).for_each(|piece| look.at(piece));
            assert_eq!(look.trap(), Some(Trap::SimpleSigning), "{} bytes", padded.len());
        }
        let mut look = Look::default();
        b"DSSEv1 2 {} 0 ".chunks(1).for_each(|piece| look.at(piece));
        assert_eq!(look.trap(), Some(Trap::PreAuthenticationEncoding));
    }
}
