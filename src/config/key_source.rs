//! Where a secret key comes from, as a configuration or a flag writes it.
//!
//! In: `env:NAME` or `file:PATH`. Out: a [`KeySource`], its path resolved. Nothing is read here.

use std::path::{Path, PathBuf};

/// Where a secret key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `env:NAME`: an environment variable that holds a PEM text, or its base64 in one line.
    Environment(String),
    /// `file:PATH`: a PEM file.
    File(PathBuf),
}

/// A text that names no source of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a source of a key: expected `env:NAME` or `file:PATH`")]
pub struct KeySourceError(String);

impl KeySource {
    /// Reads `env:NAME` or `file:PATH`; the path is relative to `folder`.
    ///
    /// # Errors
    /// [`KeySourceError`] with the text.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, KeySourceError> {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text.split_once(':') {
            Some(("env", variable)) if !variable.is_empty() && variable.bytes().all(name) => {
                Ok(Self::Environment(variable.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(folder.join(path))),
            _ => Err(KeySourceError(text.to_owned())),
        }
    }
}
