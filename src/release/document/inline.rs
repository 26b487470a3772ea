//! A release within `laforge.yaml`: all but what is delivered, which manifests and images say.
//!
//! In: the member `release` as a mapping. Out: [`Release`] without artifacts, held to what
//! `release.yaml` is held to.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Release;
use super::super::name::MAX_NAME;
use super::{Reader, SourceEntry, Text};
use crate::yaml::{DocumentError, Source, Spanned};

/// What of a release `laforge.yaml` may hold itself, where manifests and images are all that it delivers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, `version`, `environment` and `source`")]
pub struct InlineRelease {
    /// The release's name.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    name: Spanned<String>,
    /// The version, taken as the text that is written: `2.10` stays `2.10`.
    #[schemars(with = "Text")]
    version: Spanned<String>,
    /// The environment that the release is asked for.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    environment: Spanned<String>,
    /// Where its source is; provenance must agree.
    source: SourceEntry,
}

impl InlineRelease {
    /// The release without artifacts: manifests and images are added to it.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn read(self, source: &Source) -> Result<Release, DocumentError> {
        let reader = Reader { source, base: Path::new("") };
        Ok(Release {
            name: reader.name(&self.name, MAX_NAME)?,
            version: reader.name(&self.version, MAX_NAME)?,
            environment: reader.name(&self.environment, MAX_NAME)?,
            source: reader.revision(self.source)?,
            artifacts: Vec::new(),
            config: Vec::new(),
            replaces: None,
            deployed: None,
        })
    }
}
