//! Packs: documents of registries and builders that hold several pieces of evidence.
//!
//! In: the bytes of a document. Out: its pieces, each a Sigstore bundle or a DSSE envelope with one
//! signature in its RFC 8785 form, so that the same pack gives the same pieces; `None` when it is
//! no pack. Where a pack holds more than is taken, the rest is left out, and that is a limit: a recorded deny.
//! Whatever stands around a piece is nobody's word, and is held against what is signed where both say the
//! same thing. Nothing is verified here. The packs:
//!
//! - npm and GitHub: `{"attestations": [{"predicateType"?, "bundle", …}]}`
//!   (<https://docs.npmjs.com/viewing-package-provenance>,
//!   <https://docs.github.com/en/rest/repos/attestations>);
//! - PyPI: attestation and provenance objects (<https://peps.python.org/pep-0740/>), mapped to
//!   bundles as <https://docs.pypi.org/attestations/consuming-attestations/> says; its `publisher`
//!   is the index's word, and who signed stands in the certificate;
//! - Google Cloud: `gcloud artifacts docker images describe --show-provenance --format json`, whose
//!   envelopes carry a signature per key; each becomes an envelope, so that none of them lends
//!   another one anything (TOB-SIGSTORE-9). Texts beside an envelope are not read.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Unreadable;
use super::bundle::MEDIA_TYPE;
use super::envelope::base64;
use super::limits::{PIECES, TOTAL_BYTES, quoted};
use super::statement::{PAYLOAD_TYPE, Statement};
use super::wire::{kind, problem};
use crate::json;

/// Signatures of one envelope of Google's: a key per region, of two generations.
const SIGNATURES: usize = 16;

/// One piece, or why it is none.
pub type Piece = Result<Vec<u8>, Unreadable>;

/// An envelope of one signature, out of parts that stay where they are: a payload is as long as its pack.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneSignature<'a, T> {
    payload_type: T,
    payload: T,
    signatures: [&'a Value; 1],
}

/// What PyPI signs with, as a bundle of its parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PypiBundle<'a> {
    media_type: &'static str,
    verification_material: PypiMaterial<'a>,
    dsse_envelope: OneSignature<'a, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PypiMaterial<'a> {
    certificate: RawBytes<'a>,
    tlog_entries: &'a [Value],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes<'a> {
    raw_bytes: &'a str,
}

/// What a pack holds.
#[derive(Debug)]
pub struct Unpacked {
    /// Its pieces, or why there is none.
    pub pieces: Vec<Piece>,
    /// What it holds more of than is taken, and how much that is: the rest was left where it is.
    pub over: Option<(&'static str, u64)>,
}

/// Pieces as they are made, until they are more than all evidence may be.
struct Pieces {
    made: Vec<Piece>,
    left: u64,
    over: Option<(&'static str, u64)>,
}

impl Pieces {
    fn none() -> Self {
        Self { made: Vec::new(), left: TOTAL_BYTES, over: None }
    }

    /// Makes one more, while there are not too many bytes of them.
    fn make(&mut self, piece: impl FnOnce() -> Piece) {
        const WHAT: &str = "bytes of evidence, once it is taken apart";
        if self.over.is_some_and(|(what, _)| what == WHAT) {
            return;
        }
        let made = piece();
        match self.left.checked_sub(made.as_ref().map_or(0, |bytes| bytes.len() as u64)) {
            Some(left) => {
                self.left = left;
                self.made.push(made);
            }
            None => self.over = Some((WHAT, TOTAL_BYTES)),
        }
    }

    /// As many of a list as are taken.
    fn most<'a>(&mut self, what: &'static str, most: usize, list: &'a [Value]) -> &'a [Value] {
        match list.split_at_checked(most) {
            Some((taken, rest)) if !rest.is_empty() => {
                self.over.get_or_insert((what, most as u64));
                taken
            }
            _ => list,
        }
    }
}

/// The members by which a pack is known. No bundle and no envelope has one of them.
const MARKS: [&str; 4] =
    ["attestations", "attestation_bundles", "verification_material", "provenance_summary"];

/// The pieces of a pack, never none unless it holds too much; `None` for any other document.
pub fn unpack(bytes: &[u8]) -> Option<Unpacked> {
    if !MARKS.iter().any(|mark| contains(bytes, mark.as_bytes())) {
        return None;
    }
    let Value::Object(members) = json::parse(bytes).ok()? else { return None };
    let mark = MARKS.into_iter().find(|mark| members.contains_key(*mark))?;
    let mut pieces = Pieces::none();
    let read = match mark {
        "attestations" => listed(members.get(mark), mark, &mut pieces, bundle_of),
        "attestation_bundles" => published(&members, &mut pieces),
        "verification_material" => {
            pieces.make(|| pypi(&Value::Object(members)));
            Ok(())
        }
        _ => described(&members, &mut pieces),
    };
    match read {
        Ok(()) if pieces.made.is_empty() && pieces.over.is_none() => {
            pieces.made.push(Err(problem(format!("`{mark}`: holds no evidence"))));
        }
        Ok(()) => {}
        Err(unreadable) => pieces.made.push(Err(unreadable)),
    }
    Some(Unpacked { pieces: pieces.made, over: pieces.over })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Every entry of a list as a piece.
fn listed(
    list: Option<&Value>,
    name: &str,
    pieces: &mut Pieces,
    read: impl Fn(&Value) -> Piece,
) -> Result<(), Unreadable> {
    let list = pieces.most("attestations in one list", PIECES, items(list, name)?);
    list.iter().for_each(|item| pieces.make(|| read(item)));
    Ok(())
}

fn items<'a>(list: Option<&'a Value>, name: &str) -> Result<&'a [Value], Unreadable> {
    match list {
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(problem(format!("`{name}`: wanted a list, got {}", kind(other)))),
        None => Err(problem(format!("`{name}`: missing"))),
    }
}

/// The bundle of one attestation, whose type must be the one that the list gives it.
fn bundle_of(attestation: &Value) -> Piece {
    let bundle = attestation.get("bundle").filter(|bundle| bundle.is_object());
    let bundle = bundle.ok_or_else(|| problem("`attestations[].bundle`: wanted an object, got none"))?;
    if let Some(listed) = attestation.get("predicateType") {
        let signed = statement_of(bundle.get("dsseEnvelope"))?.predicate_type;
        if listed.as_str() != Some(signed.as_str()) {
            let (listed, signed) = (quoted(&listed.to_string()), quoted(&signed));
            return Err(problem(format!(
                "`attestations[].predicateType`: wanted `{signed}`, which is signed, got {listed}"
            )));
        }
    }
    Ok(json::canonical(bundle))
}

fn statement_of(envelope: Option<&Value>) -> Result<Statement, Unreadable> {
    let payload = envelope.and_then(|envelope| envelope.get("payload")).and_then(Value::as_str);
    let payload = payload.ok_or_else(|| problem("`payload`: missing"))?;
    Statement::read(&base64("payload", payload)?)
}

/// PyPI's provenance object: a list of attestations per publisher.
fn published(members: &Map<String, Value>, pieces: &mut Pieces) -> Result<(), Unreadable> {
    version_1(members.get("version"))?;
    let bundles = items(members.get("attestation_bundles"), "attestation_bundles")?;
    for bundle in pieces.most("publishers of one file", PIECES, bundles) {
        listed(bundle.get("attestations"), "attestation_bundles[].attestations", pieces, pypi)?;
    }
    Ok(())
}

/// PyPI's attestation object as a bundle.
fn pypi(attestation: &Value) -> Piece {
    version_1(attestation.get("version"))?;
    let text = |pointer: &str| {
        let text = attestation.pointer(pointer).and_then(Value::as_str);
        text.ok_or_else(|| {
            problem(format!("`{}`: missing", pointer.trim_start_matches('/').replace('/', ".")))
        })
    };
    let entries = attestation.pointer("/verification_material/transparency_entries");
    let signature = Value::Object(Map::from_iter([("sig".to_owned(), text("/envelope/signature")?.into())]));
    Ok(json::canonical(&PypiBundle {
        media_type: MEDIA_TYPE,
        verification_material: PypiMaterial {
            certificate: RawBytes { raw_bytes: text("/verification_material/certificate")? },
            tlog_entries: items(entries, "verification_material.transparency_entries")?,
        },
        dsse_envelope: OneSignature {
            payload_type: PAYLOAD_TYPE,
            payload: text("/envelope/statement")?,
            signatures: [&signature],
        },
    }))
}

fn version_1(version: Option<&Value>) -> Result<(), Unreadable> {
    match version {
        Some(version) if version.as_u64() == Some(1) => Ok(()),
        other => {
            let got = other.map_or("nothing".to_owned(), |version| quoted(&version.to_string()));
            Err(problem(format!("`version`: wanted 1, got {got}")))
        }
    }
}

/// Google's description of an image: an occurrence per provenance.
fn described(members: &Map<String, Value>, pieces: &mut Pieces) -> Result<(), Unreadable> {
    let image = members.get("image_summary").and_then(|image| image.get("digest")).and_then(Value::as_str);
    let summary = members.get("provenance_summary").and_then(|summary| summary.get("provenance"));
    let occurrences = items(summary, "provenance_summary.provenance")?;
    for occurrence in pieces.most("occurrences of one image", PIECES, occurrences) {
        if let Err(unreadable) = occurred(occurrence, image, pieces) {
            pieces.make(|| Err(unreadable));
        }
    }
    Ok(())
}

/// An envelope per signature of one occurrence, whose own words must fit what is signed: a build,
/// of the image that is described.
fn occurred(occurrence: &Value, image: Option<&str>, pieces: &mut Pieces) -> Result<(), Unreadable> {
    let text = |name: &str| occurrence.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != "BUILD" {
        return Err(problem(format!("`kind`: wanted `BUILD`, got `{}`", quoted(text("kind")))));
    }
    let envelope = occurrence.get("envelope");
    let statement = statement_of(envelope)?;
    let digest = text("resourceUri").rsplit_once('@').map_or("", |(_, digest)| digest);
    let is_signed = statement
        .subject
        .iter()
        .any(|subject| subject.digest.get("sha256").is_some_and(|hex| digest == format!("sha256:{hex}")));
    if !is_signed || image.is_some_and(|image| image != digest) {
        return Err(problem(format!(
            "`resourceUri`: wanted the image that is signed, got `{}`",
            quoted(digest)
        )));
    }
    let part = |name: &str| envelope.and_then(|envelope| envelope.get(name));
    let signatures = items(part("signatures"), "envelope.signatures")?;
    let signatures = pieces.most("signatures of one envelope", SIGNATURES, signatures);
    let (payload_type, payload) = (part("payloadType"), part("payload"));
    for signature in signatures {
        pieces.make(|| Ok(json::canonical(&OneSignature { payload_type, payload, signatures: [signature] })));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use serde_json::json;

    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn payload(predicate_type: &str) -> String {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
            "subject": [{"digest": {"sha256": HEX}}],
        });
        URL_SAFE.encode(statement.to_string())
    }

    fn unpacked(pack: &Value) -> Vec<Result<Value, String>> {
        let Unpacked { pieces, .. } = unpack(pack.to_string().as_bytes()).expect("a pack");
        let read = |piece: Piece| match piece {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap()),
            Err(unreadable) => Err(unreadable.problem),
        };
        pieces.into_iter().map(read).collect()
    }

    #[test]
    fn bundles_and_envelopes_are_no_packs() {
        for other in
            ["{}", "[]", r#"{"payloadType": "attestations"}"#, "attestations", r#"{"attestations": 1"#]
        {
            assert!(unpack(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_list_of_attestations_gives_its_bundles_and_lies_about_none() {
        let bundle = json!({"dsseEnvelope": {"payload": payload("https://a")}});
        let pack = json!({"attestations": [
            {"predicateType": "https://a", "bundle": bundle}, {"bundle": bundle, "repository_id": 1},
            {"predicateType": "https://b", "bundle": bundle}, {"predicateType": "https://a"},
        ]});
        let pieces = unpacked(&pack);
        assert_eq!(pieces[..2], [Ok(bundle.clone()), Ok(bundle)]);
        assert_eq!(
            pieces[2].clone().unwrap_err(),
            "`attestations[].predicateType`: wanted `https://a`, which is signed, got \"https://b\""
        );
        assert!(pieces[3].is_err());
        assert_eq!(
            unpacked(&json!({"attestations": []})),
            [Err("`attestations`: holds no evidence".to_owned())]
        );
        assert!(unpacked(&json!({"attestations": {}}))[0].is_err());
    }

    #[test]
    fn an_attestation_of_pypi_is_a_bundle() {
        let attestation = json!({
            "version": 1, "envelope": {"statement": "e30=", "signature": "AA=="},
            "verification_material": {"certificate": "MII=", "transparency_entries": [{"logIndex": "1"}]},
        });
        let bundle = json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"certificate": {"rawBytes": "MII="}, "tlogEntries": [{"logIndex": "1"}]},
            "dsseEnvelope": {"payloadType": PAYLOAD_TYPE, "payload": "e30=", "signatures": [{"sig": "AA=="}]},
        });
        assert_eq!(unpacked(&attestation), [Ok(bundle.clone())]);
        let provenance = json!({"version": 1, "attestation_bundles": [
            {"publisher": {"kind": "GitHub"}, "attestations": [attestation, attestation]},
        ]});
        assert_eq!(unpacked(&provenance), [Ok(bundle.clone()), Ok(bundle)]);
        for (pointer, value) in
            [("/version", json!(2)), ("/version", json!("1")), ("/envelope/signature", json!(null))]
        {
            let mut wrong = attestation.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            assert!(unpacked(&wrong)[0].is_err(), "{pointer}");
        }
    }

    #[test]
    fn a_description_of_an_image_gives_an_envelope_per_signature() {
        let signatures = json!([{"keyid": "one", "sig": "AA=="}, {"keyid": "two", "sig": "AQ=="}]);
        let occurrence = json!({
            "kind": "BUILD", "resourceUri": format!("https://registry.example/a@sha256:{HEX}"),
            "build": {"intotoStatement": {"predicateType": "whatever"}},
            "envelope": {"payloadType": PAYLOAD_TYPE, "payload": payload("https://a"), "signatures": signatures},
        });
        let pack = |occurrence: &Value, image: &str| {
            json!({
                "image_summary": {"digest": format!("sha256:{image}")},
                "provenance_summary": {"provenance": [occurrence]},
            })
        };
        let pieces = unpacked(&pack(&occurrence, HEX));
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[1].as_ref().unwrap()["signatures"], json!([{"keyid": "two", "sig": "AQ=="}]));
        assert!(unpacked(&pack(&occurrence, &"0".repeat(64)))[0].is_err());
        for (pointer, value) in [
            ("/kind", json!("BUIL")),
            ("/resourceUri", json!("https://registry.example/a")),
            ("/resourceUri", json!(format!("https://registry.example/a@sha256:{}", "0".repeat(64)))),
            ("/envelope/payload", json!("e30=")),
            ("/envelope/signatures", json!({})),
        ] {
            let mut wrong = occurrence.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            assert!(unpacked(&pack(&wrong, HEX))[0].is_err(), "{pointer}");
        }
    }

    #[test]
    fn a_payload_with_many_signatures_is_copied_until_it_is_too_much_and_no_further() {
        let statement = |padding: usize| {
            let statement = json!({
                "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://a",
                "subject": [{"digest": {"sha256": HEX}}], "predicate": {"padding": " ".repeat(padding)},
            });
            URL_SAFE.encode(statement.to_string())
        };
        let signatures: Vec<Value> =
            (0..SIGNATURES).map(|at| json!({"keyid": at.to_string(), "sig": "AA=="})).collect();
        let made = |padding: usize| {
            let envelope =
                json!({"payloadType": PAYLOAD_TYPE, "payload": statement(padding), "signatures": signatures});
            let occurrence =
                json!({"kind": "BUILD", "resourceUri": format!("r@sha256:{HEX}"), "envelope": envelope});
            let pack = json!({"provenance_summary": {"provenance": [occurrence]}});
            unpack(pack.to_string().as_bytes()).unwrap()
        };
        let all = made(1000);
        assert!(all.over.is_none() && all.pieces.iter().all(Result::is_ok));
        let some = made(11 << 20);
        assert_eq!(some.over, Some(("bytes of evidence, once it is taken apart", TOTAL_BYTES)));
        assert_eq!(some.pieces.iter().filter(|piece| piece.is_ok()).count(), 4);
        assert_eq!(some.pieces.len(), 4);
    }

    #[test]
    fn more_than_is_taken_of_a_list_is_a_limit_and_the_rest_is_read() {
        let bundle = json!({"dsseEnvelope": {"payload": payload("https://a")}});
        let pack = json!({"attestations": vec![json!({"bundle": bundle}); PIECES + 1]});
        let many = unpack(pack.to_string().as_bytes()).unwrap();
        assert_eq!(
            (many.pieces.len(), many.over),
            (PIECES, Some(("attestations in one list", PIECES as u64)))
        );
        let signatures = vec![json!({"sig": "AA=="}); SIGNATURES + 1];
        let envelope =
            json!({"payloadType": PAYLOAD_TYPE, "payload": payload("https://a"), "signatures": signatures});
        let occurrence =
            json!({"kind": "BUILD", "resourceUri": format!("r@sha256:{HEX}"), "envelope": envelope});
        let pack = json!({"provenance_summary": {"provenance": [occurrence]}});
        let many = unpack(pack.to_string().as_bytes()).unwrap();
        assert_eq!((many.pieces.len(), many.over), (SIGNATURES, Some(("signatures of one envelope", 16))));
    }
}
