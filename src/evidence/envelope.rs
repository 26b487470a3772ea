//! DSSE envelopes. Spec: <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>.
//!
//! In: a JSON object with a payload and exactly one signature (several would let each check be met
//! by another of them, TOB-SIGSTORE-9). Out: [`Envelope`], whose payload nobody outside this room
//! sees before its signature holds.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Unreadable;
use super::wire::{Object, Shape, fit, problem};

/// The media type of an envelope.
pub const MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// A strictly parsed envelope with its one signature.
#[derive(Debug)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
    key_id: String,
}

/// The shape of an envelope, in a bundle as on its own.
pub(super) const SHAPE: Shape = Shape::Object(&Object {
    members: &[
        ("payloadType", Shape::Text),
        ("payload", Shape::Text),
        (
            "signatures",
            Shape::List(
                &Shape::Object(&Object {
                    members: &[("sig", Shape::Text), ("keyid", Shape::Text)],
                    required: &["sig"],
                    one_of: &[],
                }),
                1,
            ),
        ),
    ],
    required: &["payloadType", "payload", "signatures"],
    one_of: &[],
});

impl Envelope {
    /// Reads a bare envelope.
    pub(super) fn read(value: Value) -> Result<Self, Unreadable> {
        if value.pointer("/signatures/0/cert").is_some() {
            return Err(problem(
                "`signatures[0].cert`: a certificate without its log entry proves no time of signing: \
                 wanted a Sigstore bundle",
            ));
        }
        let fitted = fit(&SHAPE, "", value)?;
        let text = |pointer| fitted.pointer(pointer).and_then(Value::as_str);
        let signature =
            text("/signatures/0/sig").ok_or_else(|| problem("`signatures`: wanted exactly one, got none"))?;
        Ok(Self {
            payload_type: text("/payloadType").unwrap_or_default().to_owned(),
            payload: base64("payload", text("/payload").unwrap_or_default())?,
            signature: base64("signatures[0].sig", signature)?,
            key_id: text("/signatures/0/keyid").unwrap_or_default().to_owned(),
        })
    }

    /// From parts that a bundle held.
    pub(super) fn from_parts(payload_type: &str, payload: &[u8], signature: &[u8], key_id: &str) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: payload.to_vec(),
            signature: signature.to_vec(),
            key_id: key_id.to_owned(),
        }
    }

    /// What the payload says it is.
    pub(super) fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload: not authenticated by being here.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The signer's hint at its key; empty when there is none.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The bytes that the signature is over.
    pub(super) fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// DSSE's pre-authentication encoding
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Base64 in either alphabet, as the specification allows, padded or not.
///
/// # Errors
/// [`Unreadable`] with the member that holds it.
pub(crate) fn base64(member: &str, text: &str) -> Result<Vec<u8>, Unreadable> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, lenient)
        .decode(text)
        .map_err(|_| problem(format!("`{member}`: wanted base64, got something else")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn encodes_the_example_of_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn takes_exactly_one_signature() {
        let envelope = |signatures: Value| {
            Envelope::read(json!({"payloadType": "t", "payload": "e30=", "signatures": signatures}))
        };
        let one = json!({"sig": "AA==", "keyid": ""});
        assert_eq!(envelope(json!([one])).unwrap().payload(), b"{}");
        assert_eq!(envelope(json!([])).unwrap_err().problem, "`signatures`: wanted exactly one, got none");
        assert_eq!(envelope(json!([one, one])).unwrap_err().problem, "`signatures`: wanted at most 1, got 2");
        assert_eq!(
            envelope(json!([{"sig": "AA==", "cert": "x"}])).unwrap_err().problem,
            "`signatures[0].cert`: a certificate without its log entry proves no time of signing: wanted a Sigstore bundle"
        );
    }

    #[test]
    fn reads_both_base64_alphabets_and_no_mixture() {
        assert_eq!(base64("x", "-_8=").unwrap(), base64("x", "+/8").unwrap());
        for wrong in ["-/8=", "e30 =", "e", "=", "e3\n0="] {
            assert!(base64("x", wrong).is_err(), "{wrong}");
        }
    }
}
