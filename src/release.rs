//! The release: what is asked for, as a person wrote it.
//!
//! In: the text of `release.yaml`, read strictly in [`document`] (`verification.md`, "The release").
//! Out: [`Release`], every claim still a claim. [`Release::resolve`] (in [`resolved`]) reads the bytes
//! and compares.

pub mod deployed;
pub mod digest;
pub mod document;
pub mod image;
pub mod name;
pub mod reading;
pub mod reference;
pub mod registry;
pub mod resolved;
pub mod shape;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use deployed::Inventory;
use digest::ClaimedDigest;
use name::NameError;

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
    /// What is delivered; never empty once it is complete, names unique over both lists.
    pub artifacts: Vec<Artifact>,
    /// What it is configured with.
    pub config: Vec<Artifact>,
    /// What runs now, if it says so.
    pub replaces: Option<Replaces>,
    /// What its manifests deploy, if it has any.
    pub deployed: Option<Inventory>,
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
    /// An image in its registry, of which the manifests are fetched.
    Registry {
        /// The image's repository, without tag or digest.
        repository: String,
    },
    /// Here: put together from what was read.
    Assembled(Vec<u8>),
    /// Nowhere: named by its digest alone.
    DigestOnly,
}

impl Release {
    /// Adds an image that something else than the document names, as `repository@sha256:…`. Where the
    /// release lists that digest, its own entry stands alone.
    ///
    /// # Errors
    /// [`NameError`] when the reference is no name that an entry can carry.
    pub fn add_image(&mut self, repository: &str, digest: &ClaimedDigest) -> Result<(), NameError> {
        if self.artifacts.iter().any(|listed| listed.digest == *digest && !listed.is_added()) {
            return Ok(());
        }
        let name = format!("{repository}@{digest}");
        name::check(&name, name::MAX_ARTIFACT_NAME)?;
        if self.artifacts.iter().all(|listed| listed.name != name) {
            let location = Location::Registry { repository: repository.to_owned() };
            self.artifacts.push(Artifact { name, digest: digest.clone(), location });
        }
        Ok(())
    }
}

impl Artifact {
    /// Whether it is one of [`Release::add_image`]: two repositories may have one digest, and both count.
    fn is_added(&self) -> bool {
        match &self.location {
            Location::Registry { repository } => self.name == format!("{repository}@{}", self.digest),
            _ => false,
        }
    }
}

/// What runs now and is replaced.
#[derive(Debug, Clone)]
pub struct Replaces {
    /// Its version.
    pub version: String,
    /// Its artifacts: name and claimed digest.
    pub artifacts: Vec<(String, ClaimedDigest)>,
}

#[cfg(test)]
mod tests {
    use super::resolved::tests::{claim, release};
    use super::*;

    #[test]
    fn an_added_image_stands_aside_where_the_release_lists_its_digest() {
        let listed = |name: &str| Artifact {
            name: name.into(),
            digest: claim(name.as_bytes()),
            location: Location::Registry { repository: "r/listed".into() },
        };
        let mut asked = release(vec![listed("a")]);
        asked.add_image("r/x", &claim(b"a")).unwrap();
        assert_eq!(asked.artifacts.len(), 1);
        for repository in ["r/x", "r/y", "r/x"] {
            asked.add_image(repository, &claim(b"b")).unwrap();
        }
        let names: Vec<_> = asked.artifacts.iter().map(|artifact| artifact.name.clone()).collect();
        let b = claim(b"b");
        assert_eq!(names, ["a".to_owned(), format!("r/x@{b}"), format!("r/y@{b}")]);
        let location = Location::Registry { repository: "r/y".into() };
        assert_eq!(asked.artifacts[2].location, location);
        assert!(asked.add_image(&format!("r/{}", "x".repeat(256)), &claim(b"c")).is_err());
    }
}
