//! What else the bytes of an artifact could pass for: then a signature over the file is one over what
//! it says, too (`formats.md` sections 2 and 4).
//!
//! In: an artifact's first bytes, or all of them. Out: the trap, if it is one. Asked before anything
//! is signed, when a signature over a file is read, and of every artifact of a release, so that the
//! three never differ.
//! Specs: <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>,
//! <https://github.com/containers/image/blob/main/docs/containers-signature.5.md>.
//!
//! Not seen: a simple-signing payload that is padded beyond the bytes given.

use serde_json::Value;

/// How every DSSE pre-authentication encoding begins.
const PAE_START: &[u8] = b"DSSEv1 ";

/// `critical.type` of cosign's simple-signing payloads.
pub const SIMPLE_SIGNING_TYPE: &str = "cosign container image signature";

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

/// What a file that begins with these bytes could be taken for.
pub fn trap(head: &[u8]) -> Option<Trap> {
    if head.starts_with(PAE_START) {
        return Some(Trap::PreAuthenticationEncoding);
    }
    (reads_as_simple_signing(head) || looks_like_simple_signing(head)).then_some(Trap::SimpleSigning)
}

/// Read as leniently as its readers do: of repeated members the last one, escapes undone.
fn reads_as_simple_signing(head: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(head) else { return false };
    value.pointer("/critical/image/docker-manifest-digest").is_some()
        || value.pointer("/critical/type").is_some_and(|kind| kind == SIMPLE_SIGNING_TYPE)
}

/// By its words, where the head is cut off, or a more lenient reader might still read it.
fn looks_like_simple_signing(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    text.trim_start().starts_with('{') && text.contains("\"critical\"") && text.contains(SIMPLE_SIGNING_TYPE)
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
        ] {
            assert_eq!(trap(payload), Some(Trap::SimpleSigning), "{}", String::from_utf8_lossy(payload));
        }
        for artifact in [&b"DSSEv1"[..], b"", b"{}", br#"{"critical": {"type": "other"}}"#, b"\x1f\x8b\x08"] {
            assert_eq!(trap(artifact), None);
        }
    }
}
