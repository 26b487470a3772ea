//! Predicates: typed claims read from authenticated statements.
//!
//! In: the `predicate` of a statement, strict JSON already. Out: its typed form, or
//! [`PredicateError`]. Of our own predicates unknown members are refused; of third parties' they
//! are kept and ignored (`formats.md`, rules for all), and what is read must have its shape.

pub mod approval;
pub mod break_glass;
mod collection;
pub mod provenance;
pub mod release;
pub mod source;
pub mod svr;
pub mod test_result;
pub mod vsa;
pub mod waiver;

use serde::de::{Deserialize as _, DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use crate::time::Timestamp;

/// `https://sigstore.dev/cosign/sign/v1`: cosign's statement "I sign this artifact". Its predicate
/// says nothing, so it has no typed form.
pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// A predicate that is not what its type says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PredicateError {
    /// A member is missing, unknown or of another shape.
    #[error("`{predicate_type}` predicate: {problem}")]
    Malformed {
        /// The predicate's type.
        predicate_type: &'static str,
        /// What is wrong, with the member it is about.
        problem: String,
    },
}

/// Reads a predicate whose top level must be an object.
fn read<T: DeserializeOwned>(predicate_type: &'static str, predicate: &Value) -> Result<T, PredicateError> {
    let malformed = |problem: String| PredicateError::Malformed { predicate_type, problem };
    if !predicate.is_object() {
        return Err(malformed("is not an object".to_owned()));
    }
    T::deserialize(predicate).map_err(|error| malformed(error.to_string()))
}

/// For `#[serde(deserialize_with)]`: an RFC 3339 instant, and nothing that is merely like one
/// (a space for the `T`, which some readers take).
fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_bytes().get(10) {
        Some(b'T') => crate::time::parse(&text).map_err(D::Error::custom),
        _ => Err(D::Error::custom(format_args!("`{text}` is not a time such as 2026-11-24T12:00:00Z"))),
    }
}

/// For `#[serde(default, deserialize_with)]`: a text that is there or absent, never null.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

/// For `#[serde(default, deserialize_with)]`: an [`instant`] that is there, absent or null.
fn optional_instant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    instant(serde::de::value::StringDeserializer::<D::Error>::new(text)).map(Some)
}

/// An instant as predicates of our own write it, for their schemas: RFC 3339 with a `T`.
#[derive(schemars::JsonSchema)]
#[schemars(
    transparent,
    extend(
        "format" = "date-time",
        "pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
    )
)]
struct Instant(#[expect(dead_code, reason = "describes a schema")] String);

/// That texts which somebody has to answer for say something.
fn filled<'a>(
    predicate_type: &'static str,
    mut texts: impl Iterator<Item = (&'static str, &'a str)>,
) -> Result<(), PredicateError> {
    match texts.find(|(_, text)| text.trim().is_empty()) {
        None => Ok(()),
        Some((member, _)) => {
            Err(PredicateError::Malformed { predicate_type, problem: format!("`{member}` is empty") })
        }
    }
}

/// The JSON Schemas of the predicates of our own, each by the short name of its type.
pub fn own_schemas() -> [(&'static str, Value); 4] {
    [
        ("approval", schema_of::<approval::Approval>(approval::TYPE)),
        ("break-glass", schema_of::<break_glass::BreakGlass>(break_glass::TYPE)),
        ("source", schema_of::<source::Source>(source::TYPE)),
        ("waiver", schema_of::<waiver::Waiver>(waiver::TYPE)),
    ]
}

/// The JSON Schema of a predicate, named by its type.
fn schema_of<T: schemars::JsonSchema>(predicate_type: &str) -> Value {
    let mut schema = schemars::schema_for!(T);
    schema.insert("$id".to_owned(), predicate_type.into());
    leave_out_null(schema.to_value())
}

/// A member that is left out has no value: null, which the generator gives as its default, is refused.
fn leave_out_null(mut schema: Value) -> Value {
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    for member in members.into_iter().flat_map(|members| members.values_mut()) {
        if let Some(member) =
            member.as_object_mut().filter(|it| it.get("default").is_some_and(Value::is_null))
        {
            member.remove("default");
        }
    }
    schema
}
