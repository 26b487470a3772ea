//! SLSA provenance v0.2 and v1, as far as every builder agrees on it.
//!
//! In: the predicate of an authenticated statement. Out: [`Provenance`]: builder, build type and
//! the whole predicate, whose shape is checked where rules point into it; what a builder calls its
//! repository, commit and actor is data (`src/verify/provenance/*.yaml`), not code.
//! Unknown members are kept and ignored, as the specifications ask of consumers.
//!
//! Specs: <https://slsa.dev/spec/v1.1/provenance>, <https://slsa.dev/spec/v0.2/provenance>.
//! Not read: v0.1, drafts, byproducts, completeness, reproducible, builder dependencies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{PredicateError, read};
use crate::time::Timestamp;

/// Provenance v1.
pub const V1: &str = "https://slsa.dev/provenance/v1";
/// Provenance v0.2.
pub const V02: &str = "https://slsa.dev/provenance/v0.2";

/// One build, as its builder describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// [`V1`] or [`V02`].
    pub predicate_type: &'static str,
    /// Who built; never empty.
    pub builder: String,
    /// How to read the parameters; never empty.
    pub build_type: String,
    /// When the build ended, by the builder's word.
    pub finished_on: Option<Timestamp>,
    /// All of it.
    pub predicate: &'a Value,
}

/// Which of the versions that are read a predicate type is.
pub fn version(predicate_type: &str) -> Option<&'static str> {
    [V1, V02].into_iter().find(|version| *version == predicate_type)
}

impl<'a> Provenance<'a> {
    /// Reads the predicate of a provenance statement of a [`version`].
    ///
    /// # Errors
    /// [`PredicateError`] with the member that is missing or of another shape.
    pub fn read(version: &'static str, predicate: &'a Value) -> Result<Self, PredicateError> {
        let (builder, build_type, metadata) = if version == V02 {
            let shape: ShapeV02 = read(V02, predicate)?;
            (shape.builder.id, shape.build_type, shape.metadata.map(|at| at.build_finished_on))
        } else {
            let shape: ShapeV1 = read(V1, predicate)?;
            let metadata = shape.run_details.metadata.map(|at| at.finished_on);
            (shape.run_details.builder.id, shape.build_definition.build_type, metadata)
        };
        let malformed = |problem: String| PredicateError::Malformed { predicate_type: version, problem };
        for (member, text) in [("builder.id", &builder), ("buildType", &build_type)] {
            if text.is_empty() {
                return Err(malformed(format!("`{member}` is empty")));
            }
        }
        let finished_on = metadata
            .flatten()
            .map(|text| crate::time::parse(&text))
            .transpose()
            .map_err(|error| malformed(error.to_string()))?;
        Ok(Self { predicate_type: version, builder, build_type, finished_on, predicate })
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
        assert_eq!(version("https://slsa.dev/provenance/v1.0"), None);
        assert_eq!(version(V02), Some(V02));
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
