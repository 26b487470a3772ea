//! What a file says: bundle, envelope, approval, plan, checkpoint or proof. Nothing is verified.
//!
//! In: bytes. Out: rows of label and text, each of them somebody's claim, and the same as JSON. Of a pack,
//! and of JSON lines, every piece.
//! This reads payloads that nobody has authenticated, so nothing here ever leaves `inspect`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::evidence::bundle::{CertifiedIdentity, claimed_identity};
use crate::evidence::envelope::base64;
use crate::evidence::pack::{self, Unpacked};
use crate::json;

use super::paint::{Paint, Tone, printable};

/// What was found in a file.
#[derive(Debug)]
pub struct Inspection {
    /// What it is, e.g. `Sigstore bundle`.
    pub kind: &'static str,
    /// What would verify it.
    pub verified_by: &'static str,
    rows: Vec<(String, String)>,
    value: Value,
}

const PLAN: &str = "rollout plan";
const PREVIEW: &str = "rollout plan preview";
const PROOF: &str = "inclusion proof";

/// What a `bundle.json` says that it is: `source`, which makes it, is no room that a report looks into.
const RELEASE_BUNDLE: &str = "https://laforge.dev/bundle/v1";

/// Longest text of one row: what is longer is cut, and the JSON form has it whole.
const ROW: usize = 160;

impl Inspection {
    /// Reads a file's bytes as whatever they are.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if let Some(Unpacked { pieces, .. }) = pack::unpack(bytes) {
            return Some(Self::pack("pack of evidence", pieces.iter().map(|piece| piece.as_deref().ok())));
        }
        if let Ok(value) = json::parse(bytes) {
            return Self::of_json(&value);
        }
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(note) = Self::of_note(text) {
            return Some(note);
        }
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let all_json = lines.len() > 1 && lines.iter().all(|line| json::parse(line.as_bytes()).is_ok());
        all_json.then(|| Self::pack("JSON lines", lines.iter().map(|line| Some(line.as_bytes()))))
    }

    /// Every piece of what holds several, one below the other.
    fn pack<'a>(kind: &'static str, pieces: impl Iterator<Item = Option<&'a [u8]>>) -> Self {
        let (mut rows, mut says) = (Vec::new(), Vec::new());
        for (number, piece) in (1..).zip(pieces) {
            let inspection = piece.and_then(|piece| Self::of_json(&json::parse(piece).ok()?));
            let kind = inspection.as_ref().map_or("none of the things that can be inspected", |it| it.kind);
            rows.push((format!("piece {number}"), kind.to_owned()));
            says.push(
                inspection.as_ref().map_or(Value::Null, |it| json!({"kind": it.kind, "says": it.value})),
            );
            rows.extend(inspection.into_iter().flat_map(|inspection| inspection.rows));
        }
        Self { kind, verified_by: "laforge verify", rows, value: json!({"pieces": says}) }
    }

    /// Whether the file is a plan, a preview of one, or the proof beside one: what `deploy -o` writes.
    pub fn is_plan(&self) -> bool {
        matches!(self.kind, PLAN | PREVIEW | PROOF)
    }

    /// Rows for people.
    pub fn human(&self, paint: Paint) -> String {
        let width = self.rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let mut out = format!("{}: {}\n", paint.tone(Tone::Strong, self.kind), self.unverified(paint));
        for (label, text) in &self.rows {
            let text = printable(text);
            let cut: String = text.chars().take(ROW).collect();
            let more = if cut.len() < text.len() { "…" } else { "" };
            out.push_str(&format!(
                "  {} {cut}{more}\n",
                paint.tone(Tone::Faint, &format!("{label:>width$}"))
            ));
        }
        out
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        let object =
            json!({"kind": self.kind, "verified": false, "verifiedBy": self.verified_by, "says": self.value});
        format!("{object:#}\n")
    }

    fn unverified(&self, paint: Paint) -> String {
        let word = paint.tone(Tone::Warning, "UNVERIFIED");
        format!("{word}, every line below is a claim; `{}` verifies it", self.verified_by)
    }

    fn of_json(value: &Value) -> Option<Self> {
        if value.get("planDigest").is_some() && value.get("auditEntry").is_some() {
            return Some(Self::plan(value));
        }
        if value.get("kind").is_some_and(|kind| kind == "RolloutPlanPreview") {
            let rows = [("executable", "false: bound to nothing".to_owned())];
            return Some(Self::new(PREVIEW, "nothing", rows, value.clone()));
        }
        if value.get("verificationMaterial").is_some() {
            return Some(Self::bundle(value));
        }
        if value.get("payloadType").is_some() && value.get("signatures").is_some() {
            return Some(Self::envelope(value));
        }
        if value.get("_type").is_some_and(|kind| kind == RELEASE_BUNDLE) {
            return Some(Self::release_bundle(value));
        }
        let is_statement = value.get("predicateType").is_some() && value.get("subject").is_some();
        is_statement.then(|| Self::statement(value))
    }

    fn release_bundle(value: &Value) -> Self {
        let count = |member: &str| list(value, member).len().to_string();
        let rows = [
            ("release digest", text(value.pointer("/release/digest"))),
            ("evidence", count("/evidence")),
            ("manifests", count("/manifests")),
        ];
        Self::new("release bundle's list", "laforge verify --offline --evidence", rows, value.clone())
    }

    fn plan(value: &Value) -> Self {
        let at = |pointer: &str| text(value.pointer(pointer));
        let rows = [
            ("release", format!("{} {}", at("/plan/release/name"), at("/plan/release/version"))),
            ("environment", at("/plan/release/environment")),
            ("release digest", at("/plan/release/digest")),
            ("target", at("/plan/target")),
            ("mode", at("/plan/mode")),
            ("strategy", format!("{} {}", at("/plan/strategy/type"), at("/plan/strategy/trafficSteps"))),
            ("starts", format!("{} to {}", at("/plan/validity/notBefore"), at("/plan/validity/notAfter"))),
            ("limited by", at("/plan/validity/limitedBy")),
            ("planDigest", at("/planDigest")),
            ("entry", format!("{} of {}", at("/auditEntry/index"), at("/auditEntry/origin"))),
            ("log id", at("/auditEntry/logId")),
        ];
        Self::new(PLAN, "laforge audit verify-proof", rows, value.clone())
    }

    fn bundle(value: &Value) -> Self {
        let material = value.get("verificationMaterial").cloned().unwrap_or_default();
        let mut rows = vec![("media type", text(value.get("mediaType")))];
        rows.push(match material.pointer("/publicKey/hint") {
            Some(hint) => ("key hint", key_id(&text(Some(hint)))),
            None => ("signed with", "a certificate".to_owned()),
        });
        let identity = certificate_of(&material).and_then(|der| claimed_identity(&der));
        if let Some(identity) = &identity {
            rows.push(("subject", identity.subject.clone()));
            rows.push(("issuer", identity.issuer.clone()));
        }
        for entry in list(&material, "/tlogEntries") {
            let kind = format!(
                "{} {}",
                text(entry.pointer("/kindVersion/kind")),
                text(entry.pointer("/kindVersion/version"))
            );
            // Rekor v2 says no time of its own.
            let at = entry.get("integratedTime").map(|at| format!(", integrated {}", text(Some(at))));
            let index = text(entry.get("logIndex"));
            rows.push(("log entry", format!("{kind}, index {index}{}", at.unwrap_or_default())));
        }
        let stamps = list(&material, "/timestampVerificationData/rfc3161Timestamps").len();
        rows.push(("time stamps", stamps.to_string()));
        let mut value = json!({"mediaType": value.get("mediaType"), "verificationMaterial": material, "content": content(value)});
        match value.pointer("/content/statement").cloned() {
            Some(statement) => rows.extend(statement_rows(&statement)),
            None => rows.push((
                "signs",
                format!("bytes of digest {}", text(value.pointer("/content/messageDigest"))),
            )),
        }
        if let Some(raw) = value.pointer_mut("/verificationMaterial/certificate/rawBytes") {
            *raw = json!(format!("{} bytes of base64", text(Some(raw)).len()));
        }
        if let (Some(identity), Some(members)) = (identity, value.as_object_mut()) {
            let CertifiedIdentity { subject, issuer, claims, lasting_since: _ } = identity;
            let identity = json!({"subject": subject, "issuer": issuer, "claims": claims});
            members.insert("identity".to_owned(), identity);
        }
        Self::new("Sigstore bundle", "laforge verify", rows, value)
    }

    fn envelope(value: &Value) -> Self {
        let statement = payload(value);
        let signatures = list(value, "/signatures").len();
        let mut rows =
            vec![("payload type", text(value.get("payloadType"))), ("signatures", signatures.to_string())];
        rows.extend(statement_rows(&statement));
        Self::new("DSSE envelope", "laforge verify", rows, statement)
    }

    fn statement(value: &Value) -> Self {
        Self::new("in-toto statement (unsigned)", "nothing", statement_rows(value), value.clone())
    }

    fn of_note(note: &str) -> Option<Self> {
        let (body, signatures) = note.split_once("\n\n")?;
        let lines: Vec<&str> = body.lines().collect();
        let signed = signatures.lines().filter(|line| line.starts_with("— ")).count();
        match lines.as_slice() {
            ["c2sp.org/tlog-proof@v1", rest @ ..] => {
                let rows = rest.iter().take(2).map(|line| ("says", (*line).to_owned()));
                Some(Self::new(
                    "inclusion proof",
                    "laforge audit verify-proof",
                    rows,
                    json!({"lines": lines}),
                ))
            }
            [origin, size, root] if signed > 0 => {
                let root = &digest_of(root);
                let rows = [
                    ("origin", (*origin).to_owned()),
                    ("size", (*size).to_owned()),
                    ("root", root.clone()),
                    ("signatures", signed.to_string()),
                ];
                let value = json!({"origin": origin, "size": size, "root": root, "signatures": signed});
                Some(Self::new("checkpoint", "laforge audit verify", rows, value))
            }
            _ => None,
        }
    }

    fn new(
        kind: &'static str,
        verified_by: &'static str,
        rows: impl IntoIterator<Item = (&'static str, String)>,
        value: Value,
    ) -> Self {
        let rows = rows.into_iter().map(|(label, text)| (label.to_owned(), text)).collect();
        Self { kind, verified_by, rows, value }
    }
}

/// A root as it is written everywhere else; a note has it in base64.
fn digest_of(root: &str) -> String {
    match STANDARD.decode(root).ok().filter(|bytes| bytes.len() == 32) {
        Some(bytes) => format!("sha256:{}", hex::encode(bytes)),
        None => root.to_owned(),
    }
}

/// The signed content of a bundle, its payload opened.
fn content(bundle: &Value) -> Value {
    match (bundle.get("dsseEnvelope"), bundle.get("messageSignature")) {
        (Some(envelope), _) => {
            json!({"payloadType": envelope.get("payloadType"), "statement": payload(envelope)})
        }
        (None, Some(message)) => {
            let digest = message.pointer("/messageDigest/digest").and_then(Value::as_str).unwrap_or_default();
            let hex = STANDARD.decode(digest).map(hex::encode).unwrap_or_default();
            json!({"messageDigest": format!("{} {hex}", text(message.pointer("/messageDigest/algorithm")))})
        }
        (None, None) => Value::Null,
    }
}

/// The signing certificate in DER, as bundles of every version hold it.
fn certificate_of(material: &Value) -> Option<Vec<u8>> {
    let raw = material
        .pointer("/certificate/rawBytes")
        .or_else(|| material.pointer("/x509CertificateChain/certificates/0/rawBytes"))?;
    STANDARD.decode(raw.as_str()?).ok()
}

/// A hint as the key's id where it is one: base64 of the SHA-256 of its SPKI.
fn key_id(hint: &str) -> String {
    match STANDARD.decode(hint) {
        Ok(bytes) if bytes.len() == 32 => format!("sha256:{}", hex::encode(bytes)),
        _ => hint.to_owned(),
    }
}

/// The payload of an envelope as JSON, or what it is instead.
fn payload(envelope: &Value) -> Value {
    let packed = envelope.get("payload").and_then(Value::as_str).unwrap_or_default();
    let opened = base64("payload", packed).ok().and_then(|bytes| json::parse(&bytes).ok());
    opened.unwrap_or_else(|| json!({"unreadable": "the payload is not base64 of JSON"}))
}

fn statement_rows(statement: &Value) -> Vec<(&'static str, String)> {
    let mut rows = vec![("predicate type", text(statement.get("predicateType")))];
    for subject in list(statement, "/subject") {
        let name = text(subject.get("name"));
        let name = if name.is_empty() { name } else { format!("{name} ") };
        rows.push(("subject", format!("{name}{}", text(subject.get("digest")))));
    }
    match statement.get("predicate").and_then(Value::as_object) {
        Some(predicate) => {
            rows.extend(
                predicate.iter().map(|(name, value)| ("predicate", format!("{name}: {}", text(Some(value))))),
            );
        }
        None => rows.push(("predicate", "none".to_owned())),
    }
    rows
}

fn list<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    value.pointer(pointer).and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
}

/// A value as a person would read it.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
