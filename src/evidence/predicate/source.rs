//! Our own source predicate (`formats.md` section 7): who wrote a commit.
//!
//! In: the predicate of an authenticated statement. Out: [`Source`], with every name as an
//! [`Alias`]. Not checked here: that its signer may say so, and whose aliases they are.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PredicateError, read};

/// `https://laforge.dev/attestation/source/v1`.
pub const TYPE: &str = "https://laforge.dev/attestation/source/v1";

/// Who wrote and who committed one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository's URI.
    pub repository: String,
    /// The commit, as hex.
    pub commit: String,
    /// Everyone who wrote part of it; never empty.
    #[schemars(length(min = 1))]
    pub authors: Vec<Alias>,
    /// Who committed it.
    pub committer: Alias,
}

/// A name somewhere else: `scheme:name`, such as `github:alice`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[^:]+:(.|\\n)+$"))]
#[serde(try_from = "String", into = "String")]
pub struct Alias {
    /// Where the name is known: `github`, `github-id`, `mail`, ….
    pub scheme: String,
    /// The name there, exact.
    pub name: String,
}

/// A text that is not `scheme:name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a `scheme:name` such as `github:alice`")]
pub struct AliasError(String);

impl TryFrom<String> for Alias {
    type Error = AliasError;

    fn try_from(text: String) -> Result<Self, AliasError> {
        match text.split_once(':') {
            Some((scheme, name)) if !scheme.is_empty() && !name.is_empty() => {
                Ok(Self { scheme: scheme.to_owned(), name: name.to_owned() })
            }
            _ => Err(AliasError(text)),
        }
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.to_string()
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.scheme, self.name)
    }
}

impl Source {
    /// Reads the predicate of a source statement.
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing, unknown or of another shape, and for
    /// a list of no authors: nobody is not the author of anything.
    pub fn read(predicate: &Value) -> Result<Self, PredicateError> {
        let source: Self = read(TYPE, predicate)?;
        if source.authors.is_empty() {
            let problem = "`authors` is empty".to_owned();
            return Err(PredicateError::Malformed { predicate_type: TYPE, problem });
        }
        Ok(source)
    }

    /// Authors and committer: everyone whom separation of duties keeps apart from approving.
    pub fn everyone(&self) -> impl Iterator<Item = &Alias> {
        self.authors.iter().chain([&self.committer])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_aliases_and_refuses_names_without_a_scheme() {
        let predicate = |author: &str| {
            json!({
                "repository": "https://github.com/acme/payments", "commit": "4f1c",
                "authors": [author], "committer": "github:web-flow",
            })
        };
        let source = Source::read(&predicate("mail:a:b@example.com")).unwrap();
        assert_eq!(
            source.everyone().map(Alias::to_string).collect::<Vec<_>>(),
            ["mail:a:b@example.com", "github:web-flow"]
        );
        assert_eq!(serde_json::to_value(&source).unwrap(), predicate("mail:a:b@example.com"));
        for wrong in ["alice", ":alice", "github:", ""] {
            assert!(Source::read(&predicate(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refuses_a_commit_without_authors() {
        let predicate = json!({"repository": "r", "commit": "c", "authors": [], "committer": "github:a"});
        let error = Source::read(&predicate).unwrap_err().to_string();
        assert_eq!(error, format!("`{TYPE}` predicate: `authors` is empty"));
    }
}
