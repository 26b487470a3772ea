//! What the service says: one JSON object a line, on stderr.
//!
//! In: when, what, and its members. Out: a line. Nothing reads it back.

use std::io::{self, Write as _};

use serde_json::{Map, Value};

use crate::time::{self, Timestamp};

/// Says a line; what is longer than anybody reads is cut.
pub(super) fn tell(at: Timestamp, what: &str, members: Value) {
    let mut line = Map::new();
    line.insert("at".to_owned(), time::to_micros(at).into());
    line.insert("what".to_owned(), what.into());
    if let Value::Object(members) = members {
        line.extend(members);
    }
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    // Nobody is left to tell that telling failed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// An error and its causes, in one line.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
