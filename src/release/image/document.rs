//! What manifests and indexes say: which blobs and which platforms they name.
//!
//! In: the bytes of one document. Out: [`Kind`], once it is known to be one thing only; a document that
//! is both manifest and index is refused (CVE-2021-41190), and so is a member that differs from one that
//! is read here by case only: runtimes are written in Go, and would take `Manifests` for `manifests`.
//! Specs: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>, `image-index.md`.
//! Not read: `urls` of foreign layers, `subject`, and what a descriptor carries inline; nothing here
//! ever leads anywhere but to a digest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::json;

/// Media types of image manifests: OCI's and Docker's.
pub const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// Media types of image indexes: OCI's and Docker's.
pub const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The media type of an in-toto statement that nobody signed, as BuildKit stores it.
pub const UNSIGNED_STATEMENT: &str = "application/vnd.in-toto+json";

/// A manifest or an index, as far as it names other blobs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an image manifest or index")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

/// What names a blob.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(expecting = "a platform")]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// What a document is, once it is known to be one thing only.
pub(super) enum Kind {
    /// Config and layers.
    Manifest(Vec<Descriptor>),
    /// Manifests.
    Index(Vec<Descriptor>),
}

/// Reads a document; what is wrong with it otherwise.
pub(super) fn kind(bytes: &[u8]) -> Result<Kind, &'static str> {
    let document: Document = json::decode(bytes).map_err(|_| "is not an image manifest or index")?;
    if json::parse(bytes).is_ok_and(|value| has_look_alikes(&value)) {
        return Err("has a member that some readers take for another one");
    }
    if document.manifests.iter().flatten().any(|listed| !listed.names_platform()) {
        return Err("names a platform in more characters than platforms have");
    }
    let says = |known: [&str; 2]| document.media_type.as_deref().is_none_or(|said| known.contains(&said));
    let (manifest, index) = (says(MANIFESTS), says(INDEXES));
    match (document.config, document.layers, document.manifests) {
        _ if document.schema_version != 2 => Err("does not say `schemaVersion` 2"),
        (Some(config), Some(layers), None) if manifest => {
            Ok(Kind::Manifest([vec![config], layers].into_iter().flatten().collect()))
        }
        (None, None, Some(manifests)) if index && manifests.is_empty() => {
            Err("is an index that lists no manifest")
        }
        (None, None, Some(manifests)) if index => Ok(Kind::Index(manifests)),
        _ => Err("is not clearly one image manifest or one index"),
    }
}

/// Members by which documents, descriptors and platforms lead anywhere.
const TELLING: [&str; 14] = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "digest",
    "size",
    "platform",
    "os",
    "architecture",
    "variant",
    "annotations",
    "urls",
    "data",
];

/// Whether a member is one of those to some readers alone; annotations are texts by any name.
fn has_look_alikes(value: &Value) -> bool {
    let alike = |name: &str| TELLING.iter().any(|known| json::looks_like(name, known));
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| alike(name) || (name != "annotations" && has_look_alikes(value))),
        Value::Array(items) => items.iter().any(has_look_alikes),
        _ => false,
    }
}

/// Which of the two a document is: what a registry's `Content-Type` has to agree with.
pub fn media_types(bytes: &[u8]) -> Option<[&'static str; 2]> {
    match kind(bytes).ok()? {
        Kind::Manifest(_) => Some(MANIFESTS),
        Kind::Index(_) => Some(INDEXES),
    }
}

impl Descriptor {
    /// Whether it claims to be something that an index may list.
    pub(super) fn is_image(&self) -> bool {
        MANIFESTS.iter().chain(&INDEXES).any(|known| *known == self.media_type)
    }

    /// BuildKit's attestations beside an image: marked so, and of a platform that nothing runs on.
    ///
    /// The mark alone would hide a platform from whoever asks for evidence of each.
    pub(super) fn is_attestation(&self) -> bool {
        let marked = self.annotations.as_ref().and_then(|all| all.get("vnd.docker.reference.type"));
        marked.is_some_and(|kind| kind == "attestation-manifest")
            && self.platform() == NO_PLATFORM
            && self.platform.is_some()
    }

    /// Whether what it says of its platform can be one's name: facts tell it for each piece of evidence.
    fn names_platform(&self) -> bool {
        self.platform.as_ref().is_none_or(|Platform { os, architecture, variant }| {
            [Some(os), Some(architecture), variant.as_ref()]
                .into_iter()
                .flatten()
                .all(|it| it.len() <= MAX_WORD)
        })
    }

    /// `os/architecture[/variant]`; what names none is `unknown/unknown`.
    pub(super) fn platform(&self) -> String {
        match &self.platform {
            Some(Platform { os, architecture, variant: Some(variant) }) => {
                format!("{os}/{architecture}/{variant}")
            }
            Some(Platform { os, architecture, variant: None }) => format!("{os}/{architecture}"),
            None => NO_PLATFORM.to_owned(),
        }
    }
}

/// Bytes of the name of an operating system, of an architecture or of a variant; the longest known have ten.
const MAX_WORD: usize = 64;

/// The platform of what is no platform's.
const NO_PLATFORM: &str = "unknown/unknown";
