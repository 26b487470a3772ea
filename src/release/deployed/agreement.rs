//! A second reader: what `kubectl` and its kin read by libyaml must be what we read.
//!
//! In: a text, its pieces between `---` lines, and the documents that [`tree`](super::tree) read. Out:
//! nothing, or where the two readings part. The library here descends from libyaml as the Go one does.
//! A text that begins with `{` is JSON to `kubectl`, so there the second reader is ours for JSON.
//!
//! Spec: <https://pyyaml.org/wiki/LibYAML>. Not compared: what a bare scalar is (a number, a date);
//! an image with a digest is text to every reader.

use std::ops::Range;

use serde::Deserialize as _;
use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::tree::{Node, Style, Value};
use crate::json;
use crate::yaml::{DocumentError, Source};

const MEND: &str =
    "write it so that one reading is possible: block style, quoted texts, no anchors; or render it again";

/// Refuses documents that the second reader reads differently.
pub(super) fn check(source: &Source, pieces: &[Range<usize>], ours: &[Node]) -> Result<(), DocumentError> {
    if source.text().trim_start().starts_with('{') {
        return as_json(source, ours);
    }
    let mut ours = ours.iter();
    for piece in pieces {
        let Some(theirs) = as_yaml(source, piece)? else { continue };
        match ours.next() {
            Some(ours) => same(source, ours, &theirs)?,
            None => return Err(mendable(source.error_in(piece.start..piece.start, UNEQUAL))),
        }
    }
    match ours.next() {
        Some(more) => Err(mendable(DocumentError { message: UNEQUAL.to_owned(), ..parted(source, more) })),
        None => Ok(()),
    }
}

const UNEQUAL: &str = "a document that one reader finds and another does not";

fn mendable(mut error: DocumentError) -> DocumentError {
    error.help = Some(MEND.to_owned());
    error
}

/// The one document of a piece, if it holds any.
fn as_yaml(source: &Source, piece: &Range<usize>) -> Result<Option<Yaml>, DocumentError> {
    let text = source.text().get(piece.clone()).unwrap_or_default();
    let refuse = |problem: &dyn std::fmt::Display| {
        let start = source.text().get(piece.clone()).map_or(0, |text| text.len() - text.trim_start().len());
        let start = (piece.start + start).min(piece.end);
        let message = format!("a document that libyaml, which Kubernetes' tools read by, refuses: {problem}");
        mendable(source.error_in(start..start, message))
    };
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else { return Ok(None) };
    let value = Yaml::deserialize(first).map_err(|error| refuse(&error))?;
    match documents.next() {
        Some(_) => Err(refuse(&"two documents where one `---` begins")),
        None if value.is_null() => Ok(None),
        None => Ok(Some(value)),
    }
}

fn as_json(source: &Source, ours: &[Node]) -> Result<(), DocumentError> {
    let refuse = |problem: &dyn std::fmt::Display| {
        let mut error =
            source.error_at_start(format!("begins as JSON, and is not one JSON value: {problem}"));
        error.help = Some("write several objects as one `List`, or as YAML documents".to_owned());
        error
    };
    let value = json::parse(source.text().as_bytes()).map_err(|error| refuse(&error))?;
    match ours {
        [one] if same_json(one, &value) => Ok(()),
        [one] => Err(parted(source, one)),
        _ => Err(refuse(&format!("YAML reads {} documents", ours.len()))),
    }
}

fn parted(source: &Source, node: &Node) -> DocumentError {
    let message = "two readers read this value in two ways".to_owned();
    mendable(DocumentError { place: node.place(source), message, help: None })
}

fn same(source: &Source, ours: &Node, theirs: &Yaml) -> Result<(), DocumentError> {
    let differs = || parted(source, ours);
    match (&ours.value, theirs) {
        (Value::Scalar(text, _), Yaml::String(other)) if text == other => Ok(()),
        (Value::Scalar(_, Style::Plain), Yaml::Null | Yaml::Bool(_) | Yaml::Number(_)) => Ok(()),
        (Value::List(items), Yaml::Sequence(others)) if items.len() == others.len() => {
            items.iter().zip(others).try_for_each(|(item, other)| same(source, item, other))
        }
        (Value::Map(members), Yaml::Mapping(others)) if members.len() == others.len() => {
            members.iter().zip(others).try_for_each(|(member, (key, value))| match key {
                Yaml::String(key) if *key != member.key => Err(differs()),
                Yaml::String(_) => same(source, &member.value, value),
                Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) if member.style == Style::Plain => {
                    same(source, &member.value, value)
                }
                _ => Err(differs()),
            })
        }
        _ => Err(differs()),
    }
}

fn same_json(ours: &Node, theirs: &Json) -> bool {
    match (&ours.value, theirs) {
        (Value::Scalar(text, Style::Quoted), Json::String(other)) => text == other,
        (Value::Scalar(_, Style::Plain), Json::Null | Json::Bool(_) | Json::Number(_)) => true,
        (Value::List(items), Json::Array(others)) => {
            items.len() == others.len()
                && items.iter().zip(others).all(|(item, other)| same_json(item, other))
        }
        (Value::Map(members), Json::Object(others)) => {
            let same_member =
                |value: &Node, key: &str| others.get(key).is_some_and(|other| same_json(value, other));
            members.len() == others.len() && members.iter().all(|it| same_member(&it.value, &it.key))
        }
        _ => false,
    }
}
