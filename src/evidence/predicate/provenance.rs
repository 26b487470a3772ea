//! SLSA provenance v0.1, v0.2 and v1, as far as every builder agrees on it, and Witness's collections.
//!
//! In: the predicate of an authenticated statement. Out: [`Provenance`]: builder, build type and
//! the whole predicate, whose shape is checked where rules point into it; what a builder calls its
//! repository, commit and actor is data (`src/verify/provenance/*.yaml`), not code.
//! Unknown members are kept and ignored, as the specifications ask of consumers.
//!
//! Specs: <https://slsa.dev/spec/v1.1/provenance>, <https://slsa.dev/spec/v0.2/provenance>,
//! <https://slsa.dev/spec/v0.1/provenance> (which Google Cloud Build still writes). Witness writes
//! v1 under a type of its own, [`V1_0`]: the same shape, and never taken for the other type.
//! Not read: drafts, byproducts, completeness, reproducible, builder dependencies.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::collection::{self, Collection};
use super::{PredicateError, read};
use crate::time::Timestamp;

/// Provenance v1.
pub const V1: &str = "https://slsa.dev/provenance/v1";
/// Provenance v1, as Witness names it.
pub const V1_0: &str = "https://slsa.dev/provenance/v1.0";
/// Provenance v0.2.
pub const V02: &str = "https://slsa.dev/provenance/v0.2";
/// Provenance v0.1.
pub const V01: &str = "https://slsa.dev/provenance/v0.1";
/// Witness's collections, which are provenance of a step.
pub const COLLECTION: &str = collection::TYPE;

/// One build, as its builder describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// [`V1`], [`V1_0`], [`V02`], [`V01`] or [`COLLECTION`].
    pub predicate_type: &'static str,
    /// Who built; never empty.
    pub builder: String,
    /// How to read the parameters; never empty.
    pub build_type: String,
    /// When the build ended, by the builder's word.
    pub finished_on: Option<Timestamp>,
    /// All of it; of a collection with its attestors by type.
    pub predicate: Cow<'a, Value>,
}

/// Which of the versions that are read a predicate type is.
pub fn version(predicate_type: &str) -> Option<&'static str> {
    [V1, V1_0, V02, V01, COLLECTION].into_iter().find(|version| *version == predicate_type)
}

impl<'a> Provenance<'a> {
    /// Reads the predicate of a provenance statement of a [`version`].
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(version: &'static str, predicate: &'a Value) -> Result<Self, PredicateError> {
        let mut read_as = Cow::Borrowed(predicate);
        let (builder, build_type, finished_on) = match version {
            COLLECTION => {
                let Collection { builder, build_type, finished_on, predicate } = Collection::read(predicate)?;
                read_as = Cow::Owned(predicate);
                (builder.to_owned(), build_type.to_owned(), finished_on)
            }
            V02 => read::<ShapeV02>(version, predicate)?.said(),
            V01 => read::<ShapeV01>(version, predicate)?.said(),
            _ => read::<ShapeV1>(version, predicate)?.said(),
        };
        let malformed = |problem: String| PredicateError::Malformed { predicate_type: version, problem };
        for (member, text) in [("builder.id", &builder), ("buildType", &build_type)] {
            if text.is_empty() {
                return Err(malformed(format!("`{member}` is empty")));
            }
        }
        let finished_on = finished_on
            .map(|text| crate::time::parse(&text))
            .transpose()
            .map_err(|error| malformed(error.to_string()))?;
        Ok(Self { predicate_type: version, builder, build_type, finished_on, predicate: read_as })
    }
}

/// Builder, build type and the end of the build, as they are written.
type Said = (String, String, Option<String>);

impl ShapeV1 {
    fn said(self) -> Said {
        let finished_on = self.run_details.metadata.and_then(|metadata| metadata.finished_on);
        (self.run_details.builder.id, self.build_definition.build_type, finished_on)
    }
}

impl ShapeV02 {
    fn said(self) -> Said {
        let finished_on = self.metadata.and_then(|metadata| metadata.build_finished_on);
        (self.builder.id, self.build_type, finished_on)
    }
}

impl ShapeV01 {
    fn said(self) -> Said {
        let finished_on = self.metadata.and_then(|metadata| metadata.build_finished_on);
        (self.builder.id, self.recipe.of_type, finished_on)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ShapeV1 {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct BuildDefinition {
    build_type: String,
    #[serde(rename = "externalParameters")]
    _external_parameters: BTreeMap<String, IgnoredAny>,
    #[serde(rename = "resolvedDependencies", default)]
    _resolved_dependencies: Option<Vec<Dependency>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct RunDetails {
    builder: Builder,
    metadata: Option<MetadataV1>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct MetadataV1 {
    finished_on: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ShapeV02 {
    builder: Builder,
    build_type: String,
    metadata: Option<MetadataV02>,
    #[serde(rename = "materials", default)]
    _materials: Option<Vec<Dependency>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct ShapeV01 {
    builder: Builder,
    recipe: Recipe,
    metadata: Option<MetadataV02>,
    #[serde(rename = "materials", default)]
    _materials: Option<Vec<Dependency>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Recipe {
    #[serde(rename = "type")]
    of_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct MetadataV02 {
    build_finished_on: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Builder {
    id: String,
}

/// What a build took in. Its shape alone is checked: rules point at its members.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Dependency {
    #[serde(rename = "uri", default)]
    _uri: Option<String>,
    #[serde(rename = "digest", default)]
    _digest: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn v1() -> Value {
        json!({
            "buildDefinition": {
                "buildType": "https://example.com/build/v1", "externalParameters": {"anything": [1]},
                "resolvedDependencies": [{"uri": "git+https://example.com/a", "digest": {"gitCommit": "ab"}}],
                "unknown": true,
            },
            "runDetails": {
                "builder": {"id": "https://example.com/builder", "version": {"x": "1"}},
                "metadata": {"invocationId": "1", "finishedOn": "2026-11-24T12:00:00Z"},
            },
        })
    }

    #[test]
    fn reads_both_versions_and_keeps_what_it_does_not_know() {
        let predicate = v1();
        let read = Provenance::read(V1, &predicate).unwrap();
        assert_eq!(
            (read.builder.as_str(), read.build_type.as_str()),
            ("https://example.com/builder", "https://example.com/build/v1")
        );
        assert_eq!(read.finished_on, Some(crate::time::parse("2026-11-24T12:00:00Z").unwrap()));
        let old = json!({
            "builder": {"id": "b"}, "buildType": "t", "invocation": {"environment": {"arch": null}},
            "metadata": {"completeness": {"parameters": true}}, "materials": [{"uri": "x"}],
        });
        assert_eq!(Provenance::read(V02, &old).unwrap().finished_on, None);
    }

    #[test]
    fn refuses_one_version_offered_as_the_other() {
        assert!(Provenance::read(V02, &v1()).is_err());
        assert!(Provenance::read(V1, &json!({"builder": {"id": "b"}, "buildType": "t"})).is_err());
        assert_eq!(version("https://slsa.dev/provenance/v2"), None);
        assert_eq!(version(V02), Some(V02));
        assert!(Provenance::read(V01, &json!({"builder": {"id": "b"}, "buildType": "t"})).is_err());
        let oldest = json!({"builder": {"id": "b"}, "recipe": {"type": "t"}, "metadata": null});
        assert_eq!(Provenance::read(V01, &oldest).unwrap().build_type, "t");
    }

    #[test]
    fn is_strict_on_what_it_reads() {
        for (pointer, value) in [
            ("/runDetails/builder/id", json!("")),
            ("/runDetails/builder/id", json!(1)),
            ("/buildDefinition/buildType", json!("")),
            ("/buildDefinition/externalParameters", json!("x")),
            ("/buildDefinition/resolvedDependencies", json!({})),
            ("/buildDefinition/resolvedDependencies/0/digest/gitCommit", json!(7)),
            ("/runDetails/metadata/finishedOn", json!("yesterday")),
        ] {
            let mut predicate = v1();
            *predicate.pointer_mut(pointer).unwrap() = value;
            let error = Provenance::read(V1, &predicate).unwrap_err().to_string();
            assert!(!error.contains("struct"), "{error}");
        }
    }
}
