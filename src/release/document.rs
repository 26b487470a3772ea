//! `release.yaml`, read strictly: every mistake with its place.
//!
//! In: a document of kind `Release` (`verification.md`, "The release"). Out: [`Release`], whose every
//! digest is still a claim. Paths are relative to the document's folder and may leave it: what is
//! read there is hashed and compared, so where it lies proves nothing.
//! Not checked: whether the files exist; whether repository, commit and ref do.

mod inline;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::digest::ClaimedDigest;
use super::name::{self, MAX_ARTIFACT_NAME, MAX_NAME, MAX_TEXT};
use super::reference::ImageReference;
use super::{Artifact, Location, Release, Replaces, SourceRevision};
use crate::yaml::{self, DocumentError, Place, Source, Spanned};

pub use inline::InlineRelease;

/// The name that `--manifests` gives to what is deployed as a whole.
pub const RESERVED_NAME: &str = "manifests";

/// A release: a named version, its artifacts and the environment that it is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a release document")]
#[schemars(rename = "Release")]
struct Document {
    /// The format's version.
    #[schemars(with = "String", extend("const" = API_VERSION))]
    api_version: Spanned<String>,
    /// The document's kind.
    #[schemars(with = "String", extend("const" = "Release"))]
    kind: Spanned<String>,
    /// Name and version.
    metadata: Metadata,
    /// What is asked for.
    spec: Spec,
}

const API_VERSION: &str = "laforge.dev/v1";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name` and `version`")]
struct Metadata {
    /// The release's name.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    name: Spanned<String>,
    /// The version, taken as the text that is written: `2.10` stays `2.10`.
    #[schemars(with = "Text")]
    version: Spanned<String>,
}

/// A scalar of which the text counts, quoted or not.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a scalar in the schema; a reading takes its text")]
enum Text {
    Text(String),
    Number(f64),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `environment`, `source` and `artifacts`")]
struct Spec {
    /// The environment that the release is asked for.
    #[schemars(with = "String", length(min = 1, max = MAX_NAME))]
    environment: Spanned<String>,
    /// Where its source is; provenance must agree.
    source: SourceEntry,
    /// What is delivered.
    ///
    /// Left out or empty only where manifests or images are given beside the release.
    #[schemars(with = "Option<Vec<ArtifactEntry>>")]
    artifacts: Option<Spanned<Vec<ArtifactEntry>>>,
    /// What it is configured with.
    #[serde(default)]
    config: Vec<ConfigEntry>,
    /// What runs now and is replaced.
    replaces: Option<ReplacesEntry>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `repository`, `commit` and `ref`")]
struct SourceEntry {
    /// The repository's URI.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    repository: Spanned<String>,
    /// The whole commit id, lower-case hex.
    #[schemars(with = "String", regex(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    commit: Spanned<String>,
    /// The full ref, e.g. `refs/tags/v2.4.0`.
    #[schemars(with = "String", length(min = 1, max = MAX_TEXT))]
    r#ref: Spanned<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an artifact with `name`, `digest`, and `path` or `image`")]
struct ArtifactEntry {
    /// Its name, unique over artifacts and config.
    #[schemars(with = "String", length(min = 1, max = MAX_ARTIFACT_NAME))]
    name: Spanned<String>,
    /// `sha256:` and 64 lower-case hex digits; for an image it may stand in the reference alone.
    #[schemars(with = "Option<ClaimedDigest>")]
    digest: Option<Spanned<String>>,
    /// The file, or the folder of the image's OCI layout, relative to this document; an image without
    /// one is read from its registry.
    #[schemars(with = "Option<String>")]
    path: Option<Spanned<String>>,
    /// The image, `repository@sha256:…`.
    #[schemars(with = "Option<String>")]
    image: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a configuration with `name`, `digest` and perhaps `path`")]
struct ConfigEntry {
    /// Its name, unique over artifacts and config.
    #[schemars(with = "String", length(min = 1, max = MAX_ARTIFACT_NAME))]
    name: Spanned<String>,
    /// `sha256:` and 64 lower-case hex digits.
    #[schemars(with = "ClaimedDigest")]
    digest: Spanned<String>,
    /// The file, relative to this document.
    #[schemars(with = "Option<String>")]
    path: Option<Spanned<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `version` and `artifacts`")]
struct ReplacesEntry {
    /// The version that runs now.
    #[schemars(with = "Text")]
    version: Spanned<String>,
    /// Its artifacts.
    #[schemars(with = "Vec<ReplacedEntry>", length(min = 1))]
    artifacts: Spanned<Vec<ReplacedEntry>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name` and `digest`")]
struct ReplacedEntry {
    /// Its name.
    #[schemars(with = "String", length(min = 1, max = MAX_ARTIFACT_NAME))]
    name: Spanned<String>,
    /// `sha256:` and 64 lower-case hex digits.
    #[schemars(with = "ClaimedDigest")]
    digest: Spanned<String>,
}

/// Whether a document has to list all that is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifacts {
    /// It has to.
    Listed,
    /// Manifests or images beside it name artifacts as well.
    Beside,
}

/// Where a document names the environment; `None` for a text that is no release.
pub fn place_of_environment(source: &Source) -> Option<Place> {
    let document: Document = source.read().ok()?;
    Some(source.place(&document.spec.environment))
}

/// Where a document says where the bytes of an artifact or a configuration are; `None` where it names none such.
pub fn place_of_artifact(source: &Source, name: &str) -> Option<Place> {
    let spec = source.read::<Document>().ok()?.spec;
    let listed = spec.artifacts.map(|listed| listed.value).unwrap_or_default();
    let artifacts = listed.into_iter().map(|entry| (entry.name, entry.path));
    let mut all = artifacts.chain(spec.config.into_iter().map(|entry| (entry.name, entry.path)));
    let (name, path) = all.find(|(named, _)| named.value == name)?;
    Some(source.place(path.as_ref().unwrap_or(&name)))
}

impl Release {
    /// Reads a release document that lists its artifacts; its paths are relative to `base`, the
    /// folder that it lies in.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn parse(source: &Source, base: &Path) -> Result<Self, DocumentError> {
        Self::parse_with(source, base, Artifacts::Listed)
    }

    /// Reads a release document; its paths are relative to `base`, the folder that it lies in.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn parse_with(source: &Source, base: &Path, artifacts: Artifacts) -> Result<Self, DocumentError> {
        let document: Document = source.read()?;
        Reader { source, base }.release(document, artifacts)
    }

    /// The JSON Schema of a release document.
    pub fn schema() -> schemars::Schema {
        yaml::schema_of::<Document>()
    }
}

/// Turns what was written into what is meant, with a place for every refusal.
struct Reader<'a> {
    source: &'a Source,
    base: &'a Path,
}

impl Reader<'_> {
    fn release(&self, document: Document, artifacts: Artifacts) -> Result<Release, DocumentError> {
        let Document { api_version, kind, metadata, spec } = document;
        self.exactly(&api_version, API_VERSION)?;
        self.exactly(&kind, "Release")?;
        let listed = self.listed(spec.artifacts, &spec.environment, artifacts)?;
        let mut names = Names::default();
        Ok(Release {
            name: self.name(&metadata.name, MAX_NAME)?,
            version: self.name(&metadata.version, MAX_NAME)?,
            environment: self.name(&spec.environment, MAX_NAME)?,
            source: self.revision(spec.source)?,
            artifacts: each(listed, |entry| self.artifact(entry, &mut names))?,
            config: each(spec.config, |entry| self.config(entry, &mut names))?,
            replaces: spec.replaces.map(|entry| self.replaces(entry)).transpose()?,
            deployed: None,
        })
    }

    /// What is listed as delivered: nothing only where something else is delivered beside it.
    fn listed(
        &self,
        listed: Option<Spanned<Vec<ArtifactEntry>>>,
        beside: &Spanned<String>,
        artifacts: Artifacts,
    ) -> Result<Vec<ArtifactEntry>, DocumentError> {
        let empty = |mut error: DocumentError| {
            error.help = Some("list them under `artifacts`, or deploy with `--manifests`".to_owned());
            Err(error)
        };
        const NONE: &str = "a release has at least one artifact";
        match (listed, artifacts) {
            (Some(listed), Artifacts::Listed) if listed.value.is_empty() => {
                empty(self.source.error_at(&listed, NONE))
            }
            (None, Artifacts::Listed) => empty(self.source.error_at(beside, NONE)),
            (listed, _) => Ok(listed.map(|listed| listed.value).unwrap_or_default()),
        }
    }

    fn revision(&self, entry: SourceEntry) -> Result<SourceRevision, DocumentError> {
        let commit = &entry.commit.value;
        let hex = commit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || !matches!(commit.len(), 40 | 64) {
            let message = format!(
                "`{}` is not a whole commit id: expected 40 or 64 lower-case hex digits",
                commit.escape_debug()
            );
            return Err(self.source.error_at(&entry.commit, message));
        }
        Ok(SourceRevision {
            repository: self.name(&entry.repository, MAX_TEXT)?,
            commit: entry.commit.value,
            r#ref: self.name(&entry.r#ref, MAX_TEXT)?,
        })
    }

    fn artifact(&self, entry: ArtifactEntry, names: &mut Names) -> Result<Artifact, DocumentError> {
        let reference = entry.image.as_ref().map(|image| self.parsed::<ImageReference>(image)).transpose()?;
        let digest = self.digest_of(&entry, reference.as_ref())?;
        let location = match (reference, entry.path) {
            (None, None) => Location::DigestOnly,
            (None, Some(path)) => Location::File(self.path(&path)?),
            (Some(reference), Some(folder)) => {
                Location::Layout { folder: self.path(&folder)?, repository: reference.repository }
            }
            (Some(reference), None) => Location::Registry { repository: reference.repository },
        };
        Ok(Artifact { name: self.unique(entry.name, names)?, digest, location })
    }

    /// The one digest that `digest` and `image` agree on.
    fn digest_of(
        &self,
        entry: &ArtifactEntry,
        reference: Option<&ImageReference>,
    ) -> Result<ClaimedDigest, DocumentError> {
        let written = entry.digest.as_ref().map(|digest| self.parsed::<ClaimedDigest>(digest)).transpose()?;
        let referred = reference.and_then(|reference| reference.digest.clone());
        match (written, referred) {
            (Some(written), Some(referred)) if written != referred => {
                let at = entry.digest.as_ref().unwrap_or(&entry.name);
                Err(self
                    .source
                    .error_at(at, format!("`{written}` is not the digest in `image`, `{referred}`")))
            }
            (Some(digest), _) | (None, Some(digest)) => Ok(digest),
            (None, None) => Err(match &entry.image {
                Some(image) => self.source.error_at(
                    image,
                    format!(
                        "image `{}` has no digest; a tag can be moved, so write `repository@sha256:…`",
                        image.value
                    ),
                ),
                None => self.source.error_at(
                    &entry.name,
                    format!("artifact `{}` has no `digest`", entry.name.value.escape_debug()),
                ),
            }),
        }
    }

    fn config(&self, entry: ConfigEntry, names: &mut Names) -> Result<Artifact, DocumentError> {
        let digest = self.parsed(&entry.digest)?;
        let location = match &entry.path {
            Some(path) => Location::File(self.path(path)?),
            None => Location::DigestOnly,
        };
        Ok(Artifact { name: self.unique(entry.name, names)?, digest, location })
    }

    fn replaces(&self, entry: ReplacesEntry) -> Result<Replaces, DocumentError> {
        if entry.artifacts.value.is_empty() {
            return Err(self.source.error_at(&entry.artifacts, "what is replaced has at least one artifact"));
        }
        let mut names = Names::default();
        let artifact = |entry: ReplacedEntry| {
            let digest = self.parsed(&entry.digest)?;
            Ok((self.unique(entry.name, &mut names)?, digest))
        };
        Ok(Replaces {
            version: self.name(&entry.version, MAX_NAME)?,
            artifacts: each(entry.artifacts.value, artifact)?,
        })
    }

    fn unique(&self, at: Spanned<String>, names: &mut Names) -> Result<String, DocumentError> {
        if at.value == RESERVED_NAME {
            let message = format!("the name `{RESERVED_NAME}` is reserved for what `--manifests` adds");
            return Err(self.source.error_at(&at, message));
        }
        if names.0.contains(&at.value) {
            let message = format!("the name `{}` appears twice", at.value.escape_debug());
            return Err(self.source.error_at(&at, message));
        }
        let name = self.name(&at, MAX_ARTIFACT_NAME)?;
        names.0.insert(name.clone());
        Ok(name)
    }

    fn path(&self, at: &Spanned<String>) -> Result<PathBuf, DocumentError> {
        if at.value.is_empty() || at.value.contains('\0') {
            return Err(self.source.error_at(at, "is not a path"));
        }
        Ok(self.base.join(&at.value))
    }

    fn name(&self, at: &Spanned<String>, limit: usize) -> Result<String, DocumentError> {
        name::read(self.source, at, limit)
    }

    fn exactly(&self, at: &Spanned<String>, wanted: &str) -> Result<(), DocumentError> {
        if at.value == wanted {
            return Ok(());
        }
        Err(self.source.error_at(at, format!("expected `{wanted}`, got `{}`", at.value.escape_debug())))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, at: &Spanned<String>) -> Result<T, DocumentError> {
        at.value.parse().map_err(|problem: T::Err| self.source.error_at(at, problem.to_string()))
    }
}

/// Names met so far in one list or two.
#[derive(Default)]
struct Names(BTreeSet<String>);

fn each<T, U>(
    entries: Vec<T>,
    read: impl FnMut(T) -> Result<U, DocumentError>,
) -> Result<Vec<U>, DocumentError> {
    entries.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const B: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn document(artifacts: &str, rest: &str) -> String {
        format!(
            "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.10}}\nspec:\n  \
             environment: production\n  source: {{repository: https://github.com/acme/payments, commit: \
             4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c, ref: refs/tags/v2.10}}\n  artifacts: [{artifacts}]\n{rest}"
        )
    }

    fn parse(text: &str) -> Result<Release, DocumentError> {
        Release::parse(&Source::new("release.yaml", text), Path::new("folder"))
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    fn artifact_refused(artifact: &str) -> String {
        refused(&document(artifact, ""))
    }

    #[test]
    fn reads_the_release_of_the_page() {
        let artifacts = format!(
            "{{name: a.tgz, path: dist/a.tgz, digest: '{A}'}}, \
             {{name: image, image: 'registry.example/payments:v2@{B}', path: ../layout}}, \
             {{name: remote, image: 'registry.example/payments@{A}'}}, {{name: sbom, digest: '{A}'}}"
        );
        let rest = format!(
            "  config: [{{name: conf, path: conf.yaml, digest: '{B}'}}]\n  \
             replaces: {{version: 2.0, artifacts: [{{name: image, digest: '{A}'}}]}}\n"
        );
        let release = parse(&document(&artifacts, &rest)).unwrap();
        assert_eq!((release.name.as_str(), release.version.as_str()), ("payments", "2.10"));
        let locations: Vec<_> = release.artifacts.iter().map(|artifact| artifact.location.clone()).collect();
        let layout = Location::Layout {
            folder: "folder/../layout".into(),
            repository: "registry.example/payments".into(),
        };
        let registry = Location::Registry { repository: "registry.example/payments".into() };
        let file = Location::File("folder/dist/a.tgz".into());
        assert_eq!(locations, [file, layout, registry, Location::DigestOnly]);
        assert_eq!(release.artifacts[1].digest.to_string(), B);
        assert_eq!(release.config[0].location, Location::File("folder/conf.yaml".into()));
        let replaces = release.replaces.unwrap();
        assert_eq!((replaces.version.as_str(), replaces.artifacts[0].0.as_str()), ("2.0", "image"));
    }

    #[test]
    fn keeps_a_version_as_it_is_written() {
        for version in ["2.10", "'2.10'", "1e3", "0x10", "007", "true", "2026-01-01"] {
            let text = document(&format!("{{name: a, digest: '{A}'}}"), "")
                .replace("version: 2.10", &format!("version: {version}"));
            assert_eq!(parse(&text).unwrap().version, version.trim_matches('\''));
        }
    }

    #[test]
    fn refuses_an_artifact_with_its_place_and_reason() {
        for (artifact, reason) in [
            ("", "7:14: a release has at least one artifact"),
            ("{name: a, path: a}", "7:22: artifact `a` has no `digest`"),
            (&format!("{{name: a, digest: '{}'}}", A.to_uppercase()), "is not a digest"),
            (
                &format!("{{name: manifests, digest: '{A}'}}"),
                "7:22: the name `manifests` is reserved for what `--manifests` adds",
            ),
            (
                &format!("{{name: a, digest: '{A}'}}, {{name: a, digest: '{A}'}}"),
                "the name `a` appears twice",
            ),
            (&format!("{{name: '', digest: '{A}'}}"), " is empty"),
            (
                &format!("{{name: \"a\\tb\", digest: '{A}'}}"),
                "`a\\tb` holds the unprintable character U+0009",
            ),
            (&format!("{{name: {}, digest: '{A}'}}", "x".repeat(257)), "is longer than 256 bytes"),
            (&format!("{{name: a, path: '', digest: '{A}'}}"), "is not a path"),
            ("{name: a, image: 'r/a:v1', path: l}", "image `r/a:v1` has no digest; a tag can be moved"),
            (
                &format!("{{name: a, image: 'r/a@{B}', digest: '{A}', path: l}}"),
                "is not the digest in `image`",
            ),
            ("{name: a, image: 'r/a:v1'}", "image `r/a:v1` has no digest; a tag can be moved"),
            (&format!("{{name: a, image: 'a b@{B}', path: l}}"), "is not an image reference"),
            (&format!("{{name: a, digest: '{A}', size: 1}}"), "unknown field `size`"),
        ] {
            let text = artifact_refused(artifact);
            assert!(text.starts_with("release.yaml:7:") && text.contains(reason), "{artifact}: {text}");
        }
    }

    #[test]
    fn refuses_a_document_that_says_too_little_or_something_else() {
        let whole = document(&format!("{{name: a, digest: '{A}'}}"), "");
        for (from, to, reason) in [
            ("laforge.dev/v1", "laforge.dev/v2", "1:13: expected `laforge.dev/v1`, got `laforge.dev/v2`"),
            ("kind: Release", "kind: Trust", "2:7: expected `Release`, got `Trust`"),
            ("name: payments", "name: ' '", "3:18: `name` is empty"),
            (", version: 2.10", "", "missing field `version`"),
            ("version: 2.10", "version: ", "nothing stands here, and a text is expected"),
            (
                "environment: production",
                &format!("environment: {}", "e".repeat(129)),
                "is longer than 128 bytes",
            ),
            (
                "4f1c4f1c, ref",
                "4f1c, ref",
                "is not a whole commit id: expected 40 or 64 lower-case hex digits",
            ),
            ("4f1c4f1c, ref", "4f1c4F1c, ref", "is not a whole commit id"),
            ("ref: refs/tags/v2.10", "ref: ''", " is empty"),
            (", ref: refs/tags/v2.10", "", "missing field `ref`"),
            ("kind: Release", "kind: Release\nkind: Release", "appears twice"),
        ] {
            let text = whole.replace(from, to);
            assert_ne!(text, whole);
            let refusal = refused(&text);
            assert!(refusal.contains(reason), "{to}: {refusal}");
        }
        assert!(parse(&whole).is_ok());
    }

    #[test]
    fn refuses_config_and_replaces_like_artifacts() {
        let one = format!("{{name: a, digest: '{A}'}}");
        for (rest, reason) in [
            (format!("  config: [{{name: a, digest: '{A}'}}]\n"), "the name `a` appears twice"),
            (format!("  config: [{{name: b, image: 'x@{A}', digest: '{A}'}}]\n"), "unknown field `image`"),
            ("  config: [{name: b, path: b}]\n".to_owned(), "missing field `digest`"),
            (
                "  replaces: {version: 1, artifacts: []}\n".to_owned(),
                "what is replaced has at least one artifact",
            ),
            (
                format!("  replaces: {{version: 1, artifacts: [{one}, {one}]}}\n"),
                "the name `a` appears twice",
            ),
        ] {
            let text = refused(&document(&one, &rest));
            assert!(text.contains(reason), "{rest}: {text}");
        }
    }

    #[test]
    fn describes_the_document_that_it_reads() {
        let schema = serde_json::to_value(Release::schema()).unwrap();
        let text = document(&format!("{{name: a, path: x, digest: '{A}'}}"), "");
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let checker = jsonschema::validator_for(&schema).unwrap();
        assert!(checker.is_valid(&value), "{:?}", checker.iter_errors(&value).collect::<Vec<_>>());
        for (from, to) in [("kind: Release", "kind: Trust"), ("name: a,", "nam: a,"), (A, "sha256:00")] {
            let value: serde_json::Value = serde_yaml::from_str(&text.replace(from, to)).unwrap();
            assert!(!checker.is_valid(&value), "{to}");
        }
    }
}
