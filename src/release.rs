//! The release: what is asked for, as a person wrote it.
//!
//! In: the text of `release.yaml`, read strictly in [`document`] (`verification.md`, "The release").
//! Out: [`Release`], every claim still a claim. [`Release::resolve`] (in [`resolved`]) reads the bytes
//! and compares.

pub mod digest;
pub mod document;
mod layout;
pub mod name;
pub mod reference;
pub mod resolved;
pub mod shape;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use digest::ClaimedDigest;

/// A named version, its artifacts and its target environment.
#[derive(Debug, Clone)]
pub struct Release {
    /// The release's name.
    pub name: String,
    /// The version, as the scalar was written.
    pub version: String,
    /// The environment that it is asked for.
    pub environment: String,
    /// Where its source is.
    pub source: SourceRevision,
    /// What is delivered; never empty, names unique over both lists.
    pub artifacts: Vec<Artifact>,
    /// What it is configured with.
    pub config: Vec<Artifact>,
    /// What runs now, if it says so.
    pub replaces: Option<Replaces>,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRevision {
    /// The repository's URI.
    pub repository: String,
    /// The commit, as hex.
    pub commit: String,
    /// The full ref, e.g. `refs/tags/v2.4.0`.
    pub r#ref: String,
}

impl SourceRevision {
    /// Whether a text names this repository: whatever says nothing aside, the same one.
    pub fn is_repository(&self, uri: &str) -> bool {
        bare_repository(&self.repository) == bare_repository(uri)
    }
}

/// A repository's URI without what says nothing: `git+`, a last `/`, `.git`. The rest is compared as it
/// is written, case included.
pub fn bare_repository(uri: &str) -> &str {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    let uri = uri.strip_suffix('/').unwrap_or(uri);
    uri.strip_suffix(".git").unwrap_or(uri)
}

/// One artifact or one configuration, with the digest that the release claims.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its name, unique in the release.
    pub name: String,
    /// What the release says its digest is.
    pub digest: ClaimedDigest,
    /// Where its bytes are.
    pub location: Location,
}

/// Where an artifact's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file.
    File(PathBuf),
    /// An image in an OCI layout on disk.
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// The image's repository, without tag or digest.
        repository: String,
    },
    /// Nowhere: named by its digest alone.
    DigestOnly,
}

/// What runs now and is replaced.
#[derive(Debug, Clone)]
pub struct Replaces {
    /// Its version.
    pub version: String,
    /// Its artifacts: name and claimed digest.
    pub artifacts: Vec<(String, ClaimedDigest)>,
}
