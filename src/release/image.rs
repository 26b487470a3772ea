//! Images: the documents that an image is made of, read and compared with what names them.
//!
//! In: the digest that the release claims, and where the image is. Out: [`ImageReading`]: the digest of
//! the manifest or index read here, its platforms, each blob that is not what names it, and each
//! document that could not be had. The claimed digest alone is looked up; what a tag or `index.json`
//! says is never asked.
//!
//! In an OCI layout every blob is read, configs and layers too. From a registry manifests and indexes
//! alone are: they hold the digests of all the rest, which whoever runs the image compares. There the
//! walk goes on past what it can't have, so that all of it is reported at once.
//!
//! Specs: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>,
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.
//! Not checked: what configs and layers say.

pub mod document;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::document::{Descriptor, Kind, UNSIGNED_STATEMENT};
use super::digest::{Algorithms, ArtifactDigest, ClaimedDigest};
use super::resolved::{ArtifactFiles, Differing, ImageManifests, Leaf, ResolveError, Unfetched, Unread};
use crate::json;

/// The largest manifest that registries take, and so the largest that there is.
pub const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

/// An index of indexes is enough for every known tool; each level costs a read.
const MAX_NESTING: usize = 4;

/// Manifests and indexes of one image: an index may list the same one again and again.
const MAX_DOCUMENTS: u64 = 1024;

/// Bytes of all of them, read again where they are listed again.
const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;

/// What reading one image gives.
#[derive(Debug)]
pub(super) struct ImageReading {
    /// The manifest or index that the release names, if it could be had.
    pub(super) digest: Option<ArtifactDigest>,
    /// The platforms of an index, in its order.
    pub(super) leaves: Vec<Leaf>,
    /// Statements that BuildKit put beside the platforms, signed by nobody.
    pub(super) unsigned: u64,
    /// Blobs whose bytes are not what their descriptor says.
    pub(super) differing: Vec<Differing>,
    /// Documents that could not be had.
    pub(super) unread: Vec<Unread>,
}

/// Where the documents of an image are.
#[derive(Clone, Copy)]
pub(super) enum Store<'a> {
    /// In a folder, as blobs, with all that they name.
    Layout { folder: &'a Path, files: &'a dyn ArtifactFiles },
    /// With whoever gives manifests by digest.
    Registry { repository: &'a str, images: &'a dyn ImageManifests },
}

/// Reads an image whole.
///
/// # Errors
/// [`ResolveError`] when a blob of a layout can't be read, or a document is not one.
pub(super) fn read(
    name: &str,
    claim: &ClaimedDigest,
    store: Store<'_>,
) -> Result<ImageReading, ResolveError> {
    let mut walk = Walk {
        name,
        store,
        hashed: BTreeSet::new(),
        walked: BTreeSet::new(),
        told: BTreeSet::new(),
        leaves: Vec::new(),
        unsigned: 0,
        differing: Vec::new(),
        unread: Vec::new(),
        documents: 0,
        bytes: 0,
    };
    let digest = walk.image(claim)?;
    let Walk { leaves, unsigned, differing, unread, .. } = walk;
    Ok(ImageReading { digest, leaves, unsigned, differing, unread })
}

struct Walk<'a> {
    name: &'a str,
    store: Store<'a>,
    /// Configs and layers read already: platforms share them.
    hashed: BTreeSet<ClaimedDigest>,
    /// Indexes walked already. A set of its own: an index that is some manifest's layer as well, or that
    /// is listed first where it can't be had, is walked all the same.
    walked: BTreeSet<ClaimedDigest>,
    /// What differs or could not be had, each reported once.
    told: BTreeSet<ClaimedDigest>,
    leaves: Vec<Leaf>,
    unsigned: u64,
    differing: Vec<Differing>,
    unread: Vec<Unread>,
    /// Manifests and indexes read, and their bytes.
    documents: u64,
    bytes: u64,
}

impl Walk<'_> {
    /// The document that the release names, and everything below it.
    fn image(&mut self, claim: &ClaimedDigest) -> Result<Option<ArtifactDigest>, ResolveError> {
        self.check_layout()?;
        let Some(bytes) = self.document(claim, None)? else { return Ok(None) };
        let digest = self.digest(&bytes);
        self.walked.insert(claim.clone());
        // Bytes that are not the claimed ones say nothing: the mismatch is reported, and no more is read.
        if digest.digest() == *claim {
            match self.kind(&bytes, claim)? {
                Kind::Manifest(blobs) => self.blobs(&blobs, "", claim)?,
                Kind::Index(manifests) => self.index(&manifests, 1, claim)?,
            }
        }
        Ok(Some(digest))
    }

    fn check_layout(&mut self) -> Result<(), ResolveError> {
        let Store::Layout { folder, files } = self.store else { return Ok(()) };
        let path = folder.join("oci-layout");
        let bytes = self.file(&path, files)?;
        let version = json::parse(&bytes).ok();
        let version =
            version.as_ref().and_then(|value| value.get("imageLayoutVersion")).and_then(Value::as_str);
        if version == Some("1.0.0") {
            return Ok(());
        }
        let place = path.display().to_string();
        let problem = "does not say `imageLayoutVersion` 1.0.0";
        Err(ResolveError::Image { name: self.name.to_owned(), place, problem })
    }

    fn index(
        &mut self,
        manifests: &[Descriptor],
        depth: usize,
        index: &ClaimedDigest,
    ) -> Result<(), ResolveError> {
        if depth > MAX_NESTING {
            return Err(self.bad(index, "lies deeper in indexes than images do"));
        }
        manifests.iter().try_for_each(|descriptor| self.listed(descriptor, depth, index))
    }

    /// One manifest, or index, that an index lists.
    fn listed(
        &mut self,
        descriptor: &Descriptor,
        depth: usize,
        index: &ClaimedDigest,
    ) -> Result<(), ResolveError> {
        let claim = self.claim(descriptor, index)?;
        let platform = descriptor.platform();
        let part = format!("manifest of {platform}");
        let Some(bytes) = self.document(&claim, Some(&part))? else { return Ok(()) };
        let digest = self.digest(&bytes);
        if digest.digest() != claim {
            self.differs(&part, claim, &digest);
            return Ok(());
        }
        self.check_size(descriptor, digest.size(), &claim)?;
        match self.kind(&bytes, &claim)? {
            _ if !descriptor.is_image() => {
                Err(self.bad(index, "lists something that is neither manifest nor index"))
            }
            Kind::Index(inner) if self.walked.insert(claim.clone()) => self.index(&inner, depth + 1, &claim),
            Kind::Index(_) => Ok(()),
            Kind::Manifest(blobs) => {
                self.blobs(&blobs, &format!(" of {platform}"), &claim)?;
                match descriptor.is_attestation() {
                    true => self.unsigned += unsigned(&blobs),
                    false => self.leaves.push(Leaf { platform, digest }),
                }
                Ok(())
            }
        }
    }

    /// Config and layers of one manifest. A registry's are not fetched, but their names must be digests.
    fn blobs(
        &mut self,
        blobs: &[Descriptor],
        owner: &str,
        manifest: &ClaimedDigest,
    ) -> Result<(), ResolveError> {
        for (at, descriptor) in blobs.iter().enumerate() {
            let claim = self.claim(descriptor, manifest)?;
            let Store::Layout { folder, files } = self.store else { continue };
            if !self.hashed.insert(claim.clone()) {
                continue;
            }
            let digest = super::reading::hash_file(self.name, &blob(folder, &claim), files)?;
            let part = if at == 0 { format!("config{owner}") } else { format!("layer {at}{owner}") };
            if digest.digest() == claim {
                self.check_size(descriptor, digest.size(), &claim)?;
            } else {
                self.differs(&part, claim, &digest);
            }
        }
        Ok(())
    }

    fn kind(&self, bytes: &[u8], claim: &ClaimedDigest) -> Result<Kind, ResolveError> {
        document::kind(bytes).map_err(|problem| self.bad(claim, problem))
    }

    fn claim(
        &self,
        descriptor: &Descriptor,
        named_in: &ClaimedDigest,
    ) -> Result<ClaimedDigest, ResolveError> {
        let refuse = |_| self.bad(named_in, "names a blob by something else than a SHA-256 digest");
        descriptor.digest.parse().map_err(refuse)
    }

    fn check_size(
        &self,
        descriptor: &Descriptor,
        size: u64,
        claim: &ClaimedDigest,
    ) -> Result<(), ResolveError> {
        if descriptor.size == size {
            return Ok(());
        }
        Err(self.bad(claim, "has another size than its descriptor says"))
    }

    fn differs(&mut self, part: &str, claimed: ClaimedDigest, read: &ArtifactDigest) {
        if self.told.insert(claimed.clone()) {
            let name = self.part(Some(part));
            self.differing.push(Differing { name, claimed, computed: read.digest() });
        }
    }

    /// What a part of the image is called; the image itself without one.
    fn part(&self, part: Option<&str>) -> String {
        part.map_or_else(|| self.name.to_owned(), |part| format!("{} ({part})", self.name))
    }

    /// A registry's manifests are small, and evidence that names their SHA-512 may come later.
    fn digest(&self, bytes: &[u8]) -> ArtifactDigest {
        match self.store {
            Store::Layout { files, .. } => {
                files.progress(self.name, bytes.len() as u64);
                ArtifactDigest::of(bytes, files.algorithms())
            }
            Store::Registry { .. } => ArtifactDigest::of(bytes, Algorithms::Sha2),
        }
    }

    /// The bytes of a manifest or index; none, and a note of it, when a registry doesn't give it.
    fn document(
        &mut self,
        claim: &ClaimedDigest,
        part: Option<&str>,
    ) -> Result<Option<Vec<u8>>, ResolveError> {
        let bytes = match self.store {
            Store::Layout { folder, files } => self.file(&blob(folder, claim), files)?,
            Store::Registry { repository, images } => match images.manifest(repository, claim) {
                Ok(bytes) => bytes,
                Err(why) => {
                    self.unfetched(claim, part, why);
                    return Ok(None);
                }
            },
        };
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(self.bad(claim, "is larger than 4 MiB; no manifest is"));
        }
        self.documents += 1;
        self.bytes += bytes.len() as u64;
        if self.documents > MAX_DOCUMENTS || self.bytes > MAX_DOCUMENT_BYTES {
            return Err(self.bad(claim, "is one manifest more than images have"));
        }
        Ok(Some(bytes))
    }

    fn unfetched(&mut self, claim: &ClaimedDigest, part: Option<&str>, why: Unfetched) {
        if self.told.insert(claim.clone()) {
            let (name, place) = (self.part(part), self.place(claim));
            self.unread.push(Unread { name, place, why });
        }
    }

    /// The bytes of a JSON document on disk.
    fn file(&self, path: &Path, files: &dyn ArtifactFiles) -> Result<Vec<u8>, ResolveError> {
        let unreadable =
            |source| ResolveError::Unreadable { name: self.name.to_owned(), path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = files.open(path).map_err(unreadable)?;
        file.take(MAX_MANIFEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    /// Where a document is, as the user would look for it.
    fn place(&self, claim: &ClaimedDigest) -> String {
        match self.store {
            Store::Layout { folder, .. } => blob(folder, claim).display().to_string(),
            Store::Registry { repository, .. } => format!("{repository}@{claim}"),
        }
    }

    fn bad(&self, claim: &ClaimedDigest, problem: &'static str) -> ResolveError {
        ResolveError::Image { name: self.name.to_owned(), place: self.place(claim), problem }
    }
}

fn blob(folder: &Path, claim: &ClaimedDigest) -> PathBuf {
    folder.join("blobs").join("sha256").join(claim.hex())
}

fn unsigned(blobs: &[Descriptor]) -> u64 {
    blobs.iter().filter(|layer| layer.media_type == UNSIGNED_STATEMENT).count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::resolved::tests::{Memory, NoImages, claim, release};
    use super::super::resolved::{Resolution, ResolvedRelease};
    use super::super::{Artifact, Location};
    use super::document::{INDEXES, MANIFESTS};
    use proptest::prelude::*;

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
            release(vec![Artifact { name: "image".into(), digest, location }]).resolve(&self.0, &NoImages)
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

    #[test]
    fn attestations_beside_an_image_are_no_platform_and_a_mark_alone_hides_none() {
        let mut layout = Layout::new();
        let image = on(layout.manifest("amd"), "linux", "amd64");
        let statement = layout.blob(UNSIGNED_STATEMENT, b"{}");
        let config = layout.blob("x", b"{}");
        let text = serde_json::json!({"schemaVersion": 2, "config": config, "layers": [statement]});
        let marked = |mut descriptor: Value| {
            descriptor["annotations"] =
                serde_json::json!({"vnd.docker.reference.type": "attestation-manifest"});
            descriptor
        };
        let attestation = layout.blob(MANIFESTS[0], text.to_string().as_bytes());
        let hidden = marked(on(layout.manifest("arm"), "linux", "arm64"));
        let nowhere = marked(layout.manifest("no platform"));
        let beside = marked(on(attestation, "unknown", "unknown"));
        let index = layout.index(&[image, beside, hidden, nowhere]);
        let resolved = layout.resolved(&index);
        let read = resolved.artifacts()[0].image().unwrap();
        let platforms: Vec<_> = read.leaves.iter().map(|leaf| leaf.platform.as_str()).collect();
        assert_eq!((platforms, read.unsigned), (vec!["linux/amd64", "linux/arm64", "unknown/unknown"], 1));
    }

    /// What becomes of a document on its way.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fate {
        Whole,
        Changed,
        Absent,
        Unreachable,
    }

    /// A registry that treats each document as it pleases.
    struct Fated(std::collections::BTreeMap<ClaimedDigest, (Vec<u8>, Fate)>);

    impl ImageManifests for Fated {
        fn manifest(&self, _: &str, digest: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
            match self.0.get(digest) {
                Some((bytes, Fate::Whole)) => Ok(bytes.clone()),
                Some((bytes, Fate::Changed)) => Ok([bytes.as_slice(), b" "].concat()),
                Some((_, Fate::Unreachable)) => Err(Unfetched::Unreachable { cause: "down".to_owned() }),
                Some((_, Fate::Absent)) | None => Err(Unfetched::Absent),
            }
        }
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            4 => Just(Fate::Whole),
            1 => Just(Fate::Changed),
            1 => Just(Fate::Absent),
            1 => Just(Fate::Unreachable),
        ]
    }

    proptest! {
        /// A release of an index is resolved only when every document of it was had and is what names
        /// it; whatever else became of each is told, each once.
        #[test]
        fn resolves_an_index_of_a_registry_whole_or_not_at_all(root in fate(), fates in prop::collection::vec(fate(), 1..12)) {
            let mut documents = std::collections::BTreeMap::new();
            let mut put = |bytes: Vec<u8>, fate| {
                let digest = claim(&bytes);
                let descriptor = serde_json::json!({"mediaType": MANIFESTS[0], "digest": digest, "size": bytes.len()});
                documents.insert(digest, (bytes, fate));
                descriptor
            };
            let leaves: Vec<Value> = fates.iter().enumerate().map(|(at, fate)| {
                let layer = serde_json::json!({"mediaType": "x", "digest": claim(&[at as u8]), "size": 1});
                let text = serde_json::json!({"schemaVersion": 2, "config": layer, "layers": [layer]});
                on(put(text.to_string().into_bytes(), *fate), "linux", &format!("p{at}"))
            }).collect();
            let text = serde_json::json!({"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": leaves});
            let index = put(text.to_string().into_bytes(), root);
            let digest: ClaimedDigest = index["digest"].as_str().unwrap().parse().unwrap();
            let location = Location::Registry { repository: "r/a".into() };
            let asked = release(vec![Artifact { name: "image".into(), digest, location }]);
            let seen: Vec<Fate> = match root {
                Fate::Whole => fates.clone(),
                other => vec![other],
            };
            let count = |wanted: Fate| seen.iter().filter(|fate| **fate == wanted).count();
            match asked.resolve(&Memory::default(), &Fated(documents)).unwrap() {
                Resolution::Matches(resolved) => {
                    prop_assert_eq!(count(Fate::Whole), seen.len());
                    prop_assert_eq!(resolved.artifacts()[0].image().unwrap().leaves.len(), fates.len());
                }
                Resolution::Differs(mismatch) => {
                    let absent = mismatch.unread.iter().filter(|one| one.why == Unfetched::Absent).count();
                    prop_assert_eq!(mismatch.differing.len(), count(Fate::Changed));
                    prop_assert_eq!(absent, count(Fate::Absent));
                    prop_assert_eq!(mismatch.unread.len() - absent, count(Fate::Unreachable));
                    prop_assert!(count(Fate::Whole) < seen.len());
                }
            }
        }
    }
}
