//! What a decision's blobs say: read for display, with nothing demanded.
//!
//! In: a blob's bytes, hashed when they were read. Out: values by JSON pointer
//! (<https://www.rfc-editor.org/rfc/rfc6901>); what a later version adds is passed over, what is not there is empty.

use serde_json::Value;

use crate::audit::{AuditError, Reader};
use crate::release::digest::ClaimedDigest;

/// A JSON value, looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a>(pub(super) &'a Value);

impl<'a> Told<'a> {
    pub(super) fn at(self, pointer: &str) -> Option<Told<'a>> {
        self.0.pointer(pointer).map(Told)
    }

    /// A text, or nothing.
    pub(super) fn text(self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer)?.as_u64()
    }

    pub(super) fn is(self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn list(self, pointer: &str) -> impl Iterator<Item = Told<'a>> + use<'a> {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten().map(Told)
    }

    pub(super) fn texts(self, pointer: &str) -> Vec<&'a str> {
        self.list(pointer).filter_map(|it| it.0.as_str()).collect()
    }
}

/// How a blob is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Blob {
    /// There, and its bytes are those of its name.
    Whole(Value),
    /// It is not there: erased, or never copied here.
    Missing,
    /// Its bytes are others.
    Damaged(String),
}

impl Blob {
    /// Reads one, which hashes it.
    pub(super) fn read(reader: &Reader, digest: &ClaimedDigest) -> Self {
        match reader.blob(digest) {
            Ok(Some(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(value) => Self::Whole(value),
                Err(error) => Self::Damaged(error.to_string()),
            },
            Ok(None) => Self::Missing,
            Err(error) => Self::Damaged(words(&error)),
        }
    }

    /// What it says; nothing where it can't be read.
    pub(super) fn told(&self) -> Told<'_> {
        match self {
            Self::Whole(value) => Told(value),
            _ => Told(&Value::Null),
        }
    }
}

fn words(error: &AuditError) -> String {
    super::shelf::chain(error).join(": ")
}
