//! Images in OCI layouts: every blob that an image is made of, read and compared with its descriptor.
//!
//! In: the layout's folder and the digest that the release claims. Out: [`LayoutReading`]: the digest
//! of the manifest or index read here, its platforms, and each blob that is not what names it.
//! The claimed digest is looked up under `blobs/`; `index.json` only says where to start, which the
//! release already does.
//!
//! Specs: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>, `image-index.md`,
//! `manifest.md`. A document that is both manifest and index is refused (CVE-2021-41190).
//! Not checked: what configs and layers say; their bytes alone are compared.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::digest::{Algorithms, ArtifactDigest, ClaimedDigest};
use super::resolved::{ArtifactFiles, Differing, Leaf, ResolveError};
use crate::json;

/// The largest manifest that registries take, and so the largest that there is.
const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

/// An index of indexes is enough for every known tool; each level costs a read.
const MAX_NESTING: usize = 4;

/// Manifests and indexes of one image: an index may list the same one again and again.
const MAX_DOCUMENTS: u64 = 1024;

/// Bytes of all of them, read again where they are listed again.
const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;

/// What reading one image gives.
pub(super) struct LayoutReading {
    /// The manifest or index that the release names.
    pub(super) digest: ArtifactDigest,
    /// The platforms of an index, in its order.
    pub(super) leaves: Vec<Leaf>,
    /// Blobs whose bytes are not what their descriptor says.
    pub(super) differing: Vec<Differing>,
}

/// Reads an image whole.
///
/// # Errors
/// [`ResolveError`] when a blob can't be read or the layout is not one.
pub(super) fn read(
    name: &str,
    folder: &Path,
    claim: &ClaimedDigest,
    files: &dyn ArtifactFiles,
) -> Result<LayoutReading, ResolveError> {
    let mut walk = Walk {
        name,
        folder,
        files,
        seen: BTreeSet::new(),
        leaves: Vec::new(),
        differing: Vec::new(),
        documents: 0,
        bytes: 0,
    };
    walk.check_version()?;
    let digest = walk.image(claim)?;
    Ok(LayoutReading { digest, leaves: walk.leaves, differing: walk.differing })
}

struct Walk<'a> {
    name: &'a str,
    folder: &'a Path,
    files: &'a dyn ArtifactFiles,
    /// Blobs read already: platforms share layers.
    seen: BTreeSet<ClaimedDigest>,
    leaves: Vec<Leaf>,
    differing: Vec<Differing>,
    /// Manifests and indexes read, and their bytes.
    documents: u64,
    bytes: u64,
}

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(expecting = "a platform")]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// What a document is, once it is known to be one thing only.
enum Kind {
    Manifest(Vec<Descriptor>),
    Index(Vec<Descriptor>),
}

const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

impl Walk<'_> {
    fn check_version(&mut self) -> Result<(), ResolveError> {
        let path = self.folder.join("oci-layout");
        let bytes = self.document(&path)?;
        let version = json::parse(&bytes).ok();
        let version =
            version.as_ref().and_then(|value| value.get("imageLayoutVersion")).and_then(Value::as_str);
        if version == Some("1.0.0") {
            Ok(())
        } else {
            Err(self.bad(path, "does not say `imageLayoutVersion` 1.0.0"))
        }
    }

    /// The document that the release names, and everything below it.
    fn image(&mut self, claim: &ClaimedDigest) -> Result<ArtifactDigest, ResolveError> {
        let path = self.blob(claim);
        let bytes = self.document(&path)?;
        let digest = self.digest(&bytes);
        self.seen.insert(claim.clone());
        // Bytes that are not the claimed ones say nothing: the mismatch is reported, and no more is read.
        if digest.digest() == *claim {
            match self.kind(&bytes, &path)? {
                Kind::Manifest(blobs) => self.blobs(&blobs, "", &path)?,
                Kind::Index(manifests) => self.index(&manifests, 1, &path)?,
            }
        }
        Ok(digest)
    }

    fn index(&mut self, manifests: &[Descriptor], depth: usize, index: &Path) -> Result<(), ResolveError> {
        if depth > MAX_NESTING {
            return Err(self.bad(index.to_owned(), "lies deeper in indexes than images do"));
        }
        manifests.iter().try_for_each(|descriptor| self.listed(descriptor, depth, index))
    }

    /// One manifest, or index, that an index lists.
    fn listed(&mut self, descriptor: &Descriptor, depth: usize, index: &Path) -> Result<(), ResolveError> {
        let claim = self.claim(descriptor, index)?;
        let path = self.blob(&claim);
        let bytes = self.document(&path)?;
        let digest = self.digest(&bytes);
        let platform = platform_text(descriptor);
        let first = self.seen.insert(claim.clone());
        if digest.digest() != claim {
            self.differs(first, &format!("manifest of {platform}"), claim, &digest);
            return Ok(());
        }
        self.check_size(descriptor, digest.size(), &path)?;
        match self.kind(&bytes, &path)? {
            _ if !MANIFESTS.iter().chain(&INDEXES).any(|known| *known == descriptor.media_type) => {
                Err(self.bad(index.to_owned(), "lists something that is neither manifest nor index"))
            }
            Kind::Index(inner) if first => self.index(&inner, depth + 1, &path),
            Kind::Index(_) => Ok(()),
            Kind::Manifest(blobs) => {
                self.blobs(&blobs, &format!(" of {platform}"), &path)?;
                self.leaves.push(Leaf { platform, digest });
                Ok(())
            }
        }
    }

    /// Config and layers of one manifest.
    fn blobs(&mut self, blobs: &[Descriptor], owner: &str, manifest: &Path) -> Result<(), ResolveError> {
        for (at, descriptor) in blobs.iter().enumerate() {
            let claim = self.claim(descriptor, manifest)?;
            if !self.seen.insert(claim.clone()) {
                continue;
            }
            let path = self.blob(&claim);
            let digest = self.hash(&path)?;
            let part = if at == 0 { format!("config{owner}") } else { format!("layer {at}{owner}") };
            if digest.digest() == claim {
                self.check_size(descriptor, digest.size(), &path)?;
            } else {
                self.differs(true, &part, claim, &digest);
            }
        }
        Ok(())
    }

    fn kind(&self, bytes: &[u8], path: &Path) -> Result<Kind, ResolveError> {
        let document: Document = json::decode(bytes)
            .map_err(|_| self.bad(path.to_owned(), "is not an image manifest or index"))?;
        let says = |known: [&str; 2]| document.media_type.as_deref().is_none_or(|said| known.contains(&said));
        let (manifest, index) = (says(MANIFESTS), says(INDEXES));
        match (document.config, document.layers, document.manifests) {
            _ if document.schema_version != 2 => {
                Err(self.bad(path.to_owned(), "does not say `schemaVersion` 2"))
            }
            (Some(config), Some(layers), None) if manifest => {
                Ok(Kind::Manifest([vec![config], layers].into_iter().flatten().collect()))
            }
            (None, None, Some(manifests)) if index && manifests.is_empty() => {
                Err(self.bad(path.to_owned(), "is an index that lists no manifest"))
            }
            (None, None, Some(manifests)) if index => Ok(Kind::Index(manifests)),
            _ => Err(self.bad(path.to_owned(), "is not clearly one image manifest or one index")),
        }
    }

    fn claim(&self, descriptor: &Descriptor, named_in: &Path) -> Result<ClaimedDigest, ResolveError> {
        let refuse =
            |_| self.bad(named_in.to_owned(), "names a blob by something else than a SHA-256 digest");
        descriptor.digest.parse().map_err(refuse)
    }

    fn check_size(&self, descriptor: &Descriptor, size: u64, path: &Path) -> Result<(), ResolveError> {
        if descriptor.size == size {
            return Ok(());
        }
        Err(self.bad(path.to_owned(), "has another size than its descriptor says"))
    }

    fn differs(&mut self, first: bool, part: &str, claimed: ClaimedDigest, read: &ArtifactDigest) {
        if first {
            let name = format!("{} ({part})", self.name);
            self.differing.push(Differing { name, claimed, computed: read.digest() });
        }
    }

    fn blob(&self, claim: &ClaimedDigest) -> PathBuf {
        self.folder.join("blobs").join("sha256").join(claim.hex())
    }

    fn digest(&self, bytes: &[u8]) -> ArtifactDigest {
        self.files.progress(self.name, bytes.len() as u64);
        ArtifactDigest::of(bytes, self.algorithms())
    }

    fn algorithms(&self) -> Algorithms {
        self.files.algorithms()
    }

    fn hash(&self, path: &Path) -> Result<ArtifactDigest, ResolveError> {
        super::resolved::hash_file(self.name, path, self.files)
    }

    /// The bytes of a JSON document.
    fn document(&mut self, path: &Path) -> Result<Vec<u8>, ResolveError> {
        let unreadable =
            |source| ResolveError::Unreadable { name: self.name.to_owned(), path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = self.files.open(path).map_err(unreadable)?;
        file.take(MAX_MANIFEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(self.bad(path.to_owned(), "is larger than 4 MiB; no manifest is"));
        }
        self.documents += 1;
        self.bytes += bytes.len() as u64;
        if self.documents > MAX_DOCUMENTS || self.bytes > MAX_DOCUMENT_BYTES {
            return Err(self.bad(path.to_owned(), "is one manifest more than images have"));
        }
        Ok(bytes)
    }

    fn bad(&self, path: PathBuf, problem: &'static str) -> ResolveError {
        ResolveError::Layout { name: self.name.to_owned(), path, problem }
    }
}

/// `os/architecture[/variant]`; what names none (attestations beside images) is `unknown/unknown`.
fn platform_text(descriptor: &Descriptor) -> String {
    match &descriptor.platform {
        Some(Platform { os, architecture, variant: Some(variant) }) => {
            format!("{os}/{architecture}/{variant}")
        }
        Some(Platform { os, architecture, variant: None }) => format!("{os}/{architecture}"),
        None => "unknown/unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::resolved::tests::{Memory, claim, release};
    use super::super::resolved::{Resolution, ResolvedRelease};
    use super::super::{Artifact, Location};
    use super::*;

    /// A layout in memory: blobs by what they say.
    #[derive(Default)]
    struct Layout(Memory);

    impl Layout {
        fn new() -> Self {
            let mut layout = Self::default();
            layout.0.files.insert("l/oci-layout".into(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec());
            layout
        }

        /// Stores a blob and gives its descriptor.
        fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
            let digest = claim(bytes);
            self.0.files.insert(path(&digest), bytes.to_vec());
            serde_json::json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        }

        fn manifest(&mut self, layer: &str) -> Value {
            let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
            let layer = self.blob("application/vnd.oci.image.layer.v1.tar", layer.as_bytes());
            let text = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFESTS[0], "config": config, "layers": [layer]});
            self.blob(MANIFESTS[0], text.to_string().as_bytes())
        }

        fn index(&mut self, manifests: &[Value]) -> Value {
            let text =
                serde_json::json!({"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": manifests});
            self.blob(INDEXES[0], text.to_string().as_bytes())
        }

        fn resolve(&self, descriptor: &Value) -> Result<Resolution, ResolveError> {
            let location = Location::Layout { folder: "l".into(), repository: "r/a".into() };
            let digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
            release(vec![Artifact { name: "image".into(), digest, location }]).resolve(&self.0)
        }

        fn resolved(&self, descriptor: &Value) -> ResolvedRelease {
            match self.resolve(descriptor).unwrap() {
                Resolution::Matches(resolved) => resolved,
                Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
            }
        }

        /// The names of what differs.
        fn differing(&self, descriptor: &Value) -> Vec<String> {
            match self.resolve(descriptor).unwrap() {
                Resolution::Matches(_) => Vec::new(),
                Resolution::Differs(mismatch) => mismatch.differing.into_iter().map(|d| d.name).collect(),
            }
        }

        fn refused(&self, descriptor: &Value) -> String {
            self.resolve(descriptor).unwrap_err().to_string()
        }
    }

    fn path(digest: &ClaimedDigest) -> PathBuf {
        PathBuf::from("l/blobs/sha256").join(digest.hex())
    }

    fn on(mut descriptor: Value, os: &str, architecture: &str) -> Value {
        descriptor["platform"] = serde_json::json!({"os": os, "architecture": architecture});
        descriptor
    }

    fn two_platforms() -> (Layout, Value) {
        let mut layout = Layout::new();
        let (amd, arm) = (layout.manifest("amd"), layout.manifest("arm"));
        let mut arm = on(arm, "linux", "arm64");
        arm["platform"]["variant"] = "v8".into();
        let attestation = layout.manifest("attestation");
        let index = layout.index(&[on(amd, "linux", "amd64"), arm, attestation]);
        (layout, index)
    }

    #[test]
    fn reads_a_manifest_with_its_config_and_layers() {
        let mut layout = Layout::new();
        let manifest = layout.manifest("layer");
        let resolved = layout.resolved(&manifest);
        let artifact = &resolved.artifacts()[0];
        assert_eq!(artifact.digest().to_string(), manifest["digest"].as_str().unwrap());
        let image = artifact.image().unwrap();
        assert_eq!((image.repository.as_str(), image.leaves.len()), ("r/a", 0));
    }

    #[test]
    fn lists_every_platform_of_an_index() {
        let (layout, index) = two_platforms();
        let resolved = layout.resolved(&index);
        let leaves = &resolved.artifacts()[0].image().unwrap().leaves;
        let platforms: Vec<_> = leaves.iter().map(|leaf| leaf.platform.as_str()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]);
        let mut nested = layout;
        let outer = nested.index(&[index]);
        assert_eq!(nested.resolved(&outer).artifacts()[0].image().unwrap().leaves.len(), 3);
    }

    #[test]
    fn notices_every_flipped_byte_and_every_missing_blob_of_an_image() {
        let (mut layout, index) = two_platforms();
        let blobs: Vec<_> =
            layout.0.files.keys().filter(|path| path.starts_with("l/blobs")).cloned().collect();
        assert_eq!(blobs.len(), 8);
        for path in blobs {
            let original = layout.0.files.get(&path).unwrap().clone();
            for at in 0..original.len() {
                layout.0.files.get_mut(&path).unwrap()[at] ^= 1;
                assert_eq!(layout.differing(&index).len(), 1, "{}", path.display());
                layout.0.files.insert(path.clone(), original.clone());
            }
            layout.0.files.remove(&path);
            assert!(layout.refused(&index).starts_with("artifact `image`: cannot read `l/blobs/sha256/"));
            layout.0.files.insert(path, original);
        }
        assert_eq!(layout.differing(&index), Vec::<String>::new());
    }

    #[test]
    fn says_which_part_of_an_image_differs() {
        let (mut layout, index) = two_platforms();
        layout.0.files.insert(path(&claim(b"arm")), b"evil".to_vec());
        layout.0.files.insert(path(&claim(b"{}")), b"[]".to_vec());
        assert_eq!(
            layout.differing(&index),
            ["image (config of linux/amd64)", "image (layer 1 of linux/arm64/v8)"]
        );
        let named: ClaimedDigest = index["digest"].as_str().unwrap().parse().unwrap();
        layout.0.files.insert(path(&named), b"{}".to_vec());
        assert_eq!(layout.differing(&index), ["image"]);
    }

    #[test]
    fn refuses_what_two_tools_could_read_two_ways() {
        let mut layout = Layout::new();
        let manifest = layout.manifest("layer");
        let config = layout.blob("x", b"{}");
        let list = serde_json::json!([manifest]);
        for (text, reason) in [
            (
                serde_json::json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": list}),
                "is not clearly",
            ),
            (
                serde_json::json!({"schemaVersion": 2, "mediaType": MANIFESTS[0], "manifests": list}),
                "is not clearly",
            ),
            (
                serde_json::json!({"schemaVersion": 2, "mediaType": INDEXES[0], "config": config, "layers": []}),
                "is not clearly",
            ),
            (
                serde_json::json!({"schemaVersion": 1, "config": config, "layers": []}),
                "does not say `schemaVersion` 2",
            ),
            (
                serde_json::json!({"schemaVersion": 2, "config": config, "layers": [{"mediaType": "x", "digest": "sha512:00", "size": 1}]}),
                "names a blob by something else than a SHA-256 digest",
            ),
            (
                serde_json::json!({"schemaVersion": 2, "config": {"mediaType": "x", "digest": config["digest"], "size": 3}, "layers": []}),
                "has another size than its descriptor says",
            ),
            (
                serde_json::json!({"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": manifest["digest"], "size": manifest["size"]}]}),
                "lists something that is neither manifest nor index",
            ),
            (serde_json::json!({"schemaVersion": 2, "manifests": []}), "is an index that lists no manifest"),
            (serde_json::json!(["x"]), "is not an image manifest or index"),
        ] {
            let descriptor = layout.blob("", text.to_string().as_bytes());
            let refusal = layout.refused(&descriptor);
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
        let twice = layout.blob("", br#"{"schemaVersion": 2, "manifests": [], "manifests": []}"#);
        assert!(layout.refused(&twice).contains("is not an image manifest or index"));
    }

    #[test]
    fn refuses_endless_manifests_and_indexes() {
        let mut layout = Layout::new();
        let mut index = layout.manifest("layer");
        for _ in 0..=MAX_NESTING {
            index = layout.index(&[index]);
        }
        assert!(layout.refused(&index).contains("lies deeper in indexes than images do"));
        let mut layout = Layout::new();
        let manifest = layout.manifest("layer");
        let often = layout.index(&vec![manifest; MAX_DOCUMENTS as usize]);
        assert!(layout.refused(&often).contains("is one manifest more than images have"));
        let huge = layout.blob("", &vec![b' '; MAX_MANIFEST as usize + 1]);
        assert!(layout.refused(&huge).contains("is larger than 4 MiB; no manifest is"));
    }

    #[test]
    fn refuses_a_folder_that_is_no_layout() {
        let mut layout = Layout::new();
        let manifest = layout.manifest("layer");
        layout.0.files.insert("l/oci-layout".into(), br#"{"imageLayoutVersion": "2.0.0"}"#.to_vec());
        let expected = "artifact `image`: `l/oci-layout` does not say `imageLayoutVersion` 1.0.0";
        assert_eq!(layout.refused(&manifest), expected);
        layout.0.files.remove(Path::new("l/oci-layout"));
        assert_eq!(layout.refused(&manifest), "artifact `image`: cannot read `l/oci-layout`");
    }
}
