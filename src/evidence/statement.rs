//! in-toto Statement v1 and v0.1, parsed once from the signed bytes.
//!
//! v0.1 is what cosign, Google Cloud Build, npm, Tekton Chains and the SLSA generators write to this
//! day: refusing it would refuse most provenance there is. It differs from v1 in nothing that is read
//! here but its name, and each signature is over the bytes of one of them.
//!
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.
//! In: the bytes that a signature is over. Out: [`Statement`]. Unknown members are kept out of the
//! way, as the specification demands; repeated ones are refused, and so is a digest that could be
//! compared in more than one spelling. Not checked: what the predicate says.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Unreadable;
use super::limits::{DIGESTS, SUBJECTS, quoted};
use super::wire::{kind, problem};
use crate::json;

/// What a DSSE envelope with a statement says its payload is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const TYPE_V1: &str = "https://in-toto.io/Statement/v1";
const TYPE_V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// Algorithms whose digests are lower-case hex of a known length
/// (<https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md>); other names are kept
/// as they are and match nothing here.
const HEX_DIGITS: [(&str, &[usize]); 13] = [
    ("sha224", &[56]),
    ("sha256", &[64]),
    ("sha384", &[96]),
    ("sha512", &[128]),
    ("sha512_256", &[64]),
    ("sha3_256", &[64]),
    ("sha3_384", &[96]),
    ("sha3_512", &[128]),
    ("sha1", &[40]),
    ("gitBlob", &[40, 64]),
    ("gitCommit", &[40, 64]),
    ("gitTag", &[40, 64]),
    ("gitTree", &[40, 64]),
];

/// A statement as its signer wrote it. Not authenticated by itself.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Subjects; never empty.
    pub subject: Vec<Subject>,
    /// What the predicate is; an empty text, which real statements have, is no type that counts.
    pub predicate_type: String,
    /// The claim.
    pub predicate: Value,
}

/// One subject: matched purely by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A name, for people.
    pub name: Option<String>,
    /// Algorithm to lower-case hex, as written; never empty.
    pub digest: BTreeMap<String, String>,
}

impl Statement {
    /// Reads the signed bytes.
    ///
    /// # Errors
    /// [`Unreadable`] says what is wrong, with the member it is about.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::read_and_note(bytes).map(|(statement, _)| statement)
    }

    /// The same, and whether a subject's name is null: it may be left out as well, and the library refuses it.
    pub(super) fn read_and_note(bytes: &[u8]) -> Result<(Self, bool), Unreadable> {
        let value = json::parse(bytes).map_err(|error| problem(format!("statement: {error}")))?;
        let Value::Object(mut members) = value else {
            return Err(problem(format!("statement: wanted an object, got {}", kind(&value))));
        };
        let of_type = text(&mut members, "_type")?;
        if of_type != TYPE_V1 && of_type != TYPE_V0_1 {
            let got = quoted(&of_type);
            return Err(problem(format!("`_type`: wanted `{TYPE_V1}`, got `{got}`")));
        }
        let predicate_type = text(&mut members, "predicateType")?;
        let listed = members.get("subject").and_then(Value::as_array);
        let null_name = listed.into_iter().flatten().any(|it| it.get("name").is_some_and(Value::is_null));
        let statement = Self {
            subject: subjects(members.remove("subject"))?,
            predicate_type,
            predicate: predicate(members.remove("predicate"))?,
        };
        Ok((statement, null_name))
    }

    /// Whether a subject lists a digest of this algorithm.
    pub(super) fn names(&self, algorithm: &str) -> bool {
        self.subject.iter().any(|subject| subject.digest.contains_key(algorithm))
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<String, Unreadable> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(problem(format!("`{name}`: wanted a text, got {}", kind(&other)))),
        None => Err(problem(format!("`{name}`: missing"))),
    }
}

/// Absent means empty in v1, and so does null, which PyPI's publishers write; any other kind than
/// an object is no predicate.
fn predicate(value: Option<Value>) -> Result<Value, Unreadable> {
    match value {
        Some(value @ Value::Object(_)) => Ok(value),
        None | Some(Value::Null) => Ok(Value::Object(Map::new())),
        Some(other) => Err(problem(format!("`predicate`: wanted an object, got {}", kind(&other)))),
    }
}

fn subjects(value: Option<Value>) -> Result<Vec<Subject>, Unreadable> {
    let list = match value {
        Some(Value::Array(list)) => list,
        Some(other) => return Err(problem(format!("`subject`: wanted a list, got {}", kind(&other)))),
        None => return Err(problem("`subject`: missing")),
    };
    if list.is_empty() || list.len() > SUBJECTS {
        return Err(problem(format!("`subject`: wanted 1 to {SUBJECTS}, got {}", list.len())));
    }
    list.into_iter().enumerate().map(|(index, value)| subject(index, value)).collect()
}

fn subject(index: usize, value: Value) -> Result<Subject, Unreadable> {
    let refuse = |detail: String| problem(format!("`subject[{index}]{detail}"));
    let Value::Object(mut members) = value else {
        return Err(refuse(format!("`: wanted an object, got {}", kind(&value))));
    };
    let name = match members.remove("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(other) => return Err(refuse(format!(".name`: wanted a text, got {}", kind(&other)))),
    };
    let digests = match members.remove("digest") {
        Some(Value::Object(digests)) => digests,
        Some(other) => return Err(refuse(format!(".digest`: wanted an object, got {}", kind(&other)))),
        None => return Err(refuse(".digest`: missing".to_owned())),
    };
    if digests.is_empty() || digests.len() > DIGESTS {
        return Err(refuse(format!(".digest`: wanted 1 to {DIGESTS}, got {}", digests.len())));
    }
    let mut digest = BTreeMap::new();
    for (algorithm, value) in digests {
        let text = digest_text(&algorithm, value)
            .map_err(|wanted| refuse(format!(".digest.{}`: wanted {wanted}", quoted(&algorithm))))?;
        digest.insert(algorithm, text);
    }
    Ok(Subject { name, digest })
}

/// One digest's text, or what was wanted of it.
fn digest_text(algorithm: &str, value: Value) -> Result<String, String> {
    let Value::String(text) = value else { return Err(format!("a text, got {}", kind(&value))) };
    let Some((_, lengths)) = HEX_DIGITS.iter().find(|(name, _)| *name == algorithm) else {
        return if text.is_empty() { Err("a digest, got an empty text".to_owned()) } else { Ok(text) };
    };
    let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !hex || !lengths.contains(&text.len()) {
        let digits: Vec<String> = lengths.iter().map(ToString::to_string).collect();
        let digits = digits.join(" or ");
        return Err(format!("{digits} lower-case hex digits, got `{}`", quoted(&text)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn statement(subject: &str, rest: &str) -> Result<Statement, Unreadable> {
        let text = format!(
            r#"{{"_type": "https://in-toto.io/Statement/v1", "subject": {subject}, "predicateType": "p"{rest}}}"#
        );
        Statement::read(text.as_bytes())
    }

    #[test]
    fn reads_subjects_and_takes_an_absent_predicate_for_an_empty_one() {
        let read = statement(&format!(r#"[{{"digest": {{"sha256": "{HEX}"}}}}]"#), "").unwrap();
        assert_eq!(read.predicate, serde_json::json!({}));
        let null = statement(&format!(r#"[{{"digest": {{"sha256": "{HEX}"}}}}]"#), r#", "predicate": null"#);
        assert_eq!(null.unwrap().predicate, serde_json::json!({}));
        assert_eq!(
            read.subject,
            [Subject { name: None, digest: [("sha256".to_owned(), HEX.to_owned())].into() }]
        );
    }

    #[test]
    fn refuses_digests_that_two_readers_could_compare_differently() {
        for wrong in [HEX.to_uppercase(), HEX.replace('a', ""), format!("{HEX} ")] {
            let error = statement(&format!(r#"[{{"digest": {{"sha256": "{wrong}"}}}}]"#), "").unwrap_err();
            let start = "`subject[0].digest.sha256`: wanted 64 lower-case hex digits, got";
            assert!(error.problem.starts_with(start), "{error}");
        }
    }

    #[test]
    fn refuses_every_shape_that_is_no_statement() {
        let good = format!(r#"{{"digest": {{"sha256": "{HEX}"}}}}"#);
        for (subject, rest, wanted) in [
            ("[]".to_owned(), "", "`subject`: wanted 1 to 1024, got 0"),
            (format!("[{}]", vec![good.as_str(); 1025].join(",")), "", "`subject`: wanted 1 to 1024"),
            (r#"[{"name": "x"}]"#.to_owned(), "", "`subject[0].digest`: missing"),
            (r#"[{"digest": {}}]"#.to_owned(), "", "`subject[0].digest`: wanted 1 to 32, got 0"),
            ("[null]".to_owned(), "", "`subject[0]`: wanted an object, got null"),
            (format!("[{good}]"), r#", "predicate": []"#, "`predicate`: wanted an object"),
            (format!("[{good}]"), r#", "predicateType": "q""#, "statement: member `predicateType`"),
            (r#"[{"digest": {"sha256": "a", "sha256": "b"}}]"#.to_owned(), "", "statement: member `sha256`"),
        ] {
            let error = statement(&subject, rest).unwrap_err();
            assert!(error.problem.starts_with(wanted), "{error} for {subject} {rest}");
        }
        let other = br#"{"_type": "https://in-toto.io/Statement/v2", "subject": [], "predicateType": "p"}"#;
        let error = Statement::read(other).unwrap_err();
        assert!(error.problem.starts_with("`_type`: wanted"), "{error}");
    }
}
