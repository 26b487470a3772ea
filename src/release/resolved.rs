//! Resolution: every byte hashed, every claim compared.
//!
//! A seal: [`ResolvedRelease`] has no other maker than [`Release::resolve`].

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::deployed::{Inventory, Unpinned};
use super::digest::{Algorithms, ArtifactDigest, ClaimedDigest, Digest};
use super::reading::{Held, Reading, World, read_all};
use super::{Artifact, Release, Replaces, SourceRevision};

/// Platforms of all images of a release: a thousand images have a few each. Facts tell of every one, and
/// again with each piece of evidence about it.
const MAX_LEAVES: usize = 16_384;

/// Opens the files that a release names. Adapters implement it; the gate only reads.
pub trait ArtifactFiles: Sync {
    /// Opens one file for reading from its start.
    ///
    /// # Errors
    /// The system's own.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// Which digests a reading computes: SHA-512 too when evidence at hand names it.
    fn algorithms(&self) -> Algorithms;

    /// Whether evidence at hand is over the very bytes of this artifact, so that no digest is enough.
    fn wants_bytes(&self, name: &str, read: &ArtifactDigest) -> bool {
        let _ = (name, read);
        false
    }

    /// Hears that more bytes of an artifact were read: for a progress bar. Called by several threads.
    fn progress(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }
}

/// Gives manifests and indexes of images by digest: a registry, or whatever kept what one gave.
/// Adapters implement it; what they give is hashed here, and never believed.
pub trait ImageManifests: Sync {
    /// The document of this digest, at most [`image::MAX_MANIFEST`] bytes of it and one more.
    ///
    /// # Errors
    /// [`Unfetched`]: that there is none, or that nobody can tell.
    fn manifest(&self, repository: &str, digest: &ClaimedDigest) -> Result<Vec<u8>, Unfetched>;
}

/// Why a manifest was not had. The one is an answer, the other is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfetched {
    /// Whoever was asked says that there is none.
    #[error("there is none")]
    Absent,
    /// Nobody could be asked, or gave an answer that can be used.
    #[error("{cause}")]
    Unreachable {
        /// Why, with the host that it is about.
        cause: String,
    },
}

/// What resolving found.
#[derive(Debug)]
pub enum Resolution {
    /// Every artifact that has bytes is what the release claims.
    Matches(ResolvedRelease),
    /// At least one is not, or could not be had.
    Differs(Mismatch),
}

/// A release whose every artifact was read and equals its claim, or is openly named only.
#[derive(Debug)]
pub struct ResolvedRelease {
    name: String,
    version: String,
    environment: String,
    source: SourceRevision,
    artifacts: Vec<ResolvedArtifact>,
    config: Vec<ResolvedArtifact>,
    replaces: Option<Replaces>,
    deployed: Option<Inventory>,
    digest: Digest,
}

/// One artifact after resolution.
#[derive(Debug)]
pub struct ResolvedArtifact {
    name: String,
    content: Content,
    image: Option<Image>,
    bytes: Option<Vec<u8>>,
}

/// Whether an artifact's bytes were read here.
#[derive(Debug)]
pub enum Content {
    /// Read, and equal to the claim.
    Read(ArtifactDigest),
    /// Named by digest alone.
    NamedOnly(ClaimedDigest),
}

/// What is known of an image beside its digest.
#[derive(Debug)]
pub struct Image {
    /// The repository, without tag or digest.
    pub repository: String,
    /// Where it was read, and so where its evidence is looked for.
    pub kept: Kept,
    /// Statements that BuildKit put beside the platforms. Nobody signed them: counted, never evidence.
    pub unsigned: u64,
    /// The manifests of an index's platforms; empty for a single manifest.
    pub leaves: Vec<Leaf>,
}

/// Where an image was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In an OCI layout on disk, every blob of it.
    Layout,
    /// In its registry, manifests and indexes alone.
    Registry,
}

/// One platform's manifest of an image index.
#[derive(Debug)]
pub struct Leaf {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Its manifest, read here.
    pub digest: ArtifactDigest,
}

/// Claims that the bytes do not bear out, or that there are no bytes for.
#[derive(Debug)]
pub struct Mismatch {
    /// The release as asked for.
    pub release: Release,
    /// Every artifact or config that differs, sorted by name.
    pub differing: Vec<Differing>,
    /// Every image of which a document could not be had, sorted by name.
    pub unread: Vec<Unread>,
}

/// A document of an image that could not be had.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The artifact's name, and which part of it.
    pub name: String,
    /// Where it was looked for.
    pub place: String,
    /// Why it was not had.
    pub why: Unfetched,
}

/// One claim that does not hold.
#[derive(Debug)]
pub struct Differing {
    /// The artifact's name.
    pub name: String,
    /// What the release says.
    pub claimed: ClaimedDigest,
    /// What was read.
    pub computed: Digest,
}

/// Why a release could not be resolved: no decision can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A file could not be read.
    #[error("artifact `{name}`: cannot read `{}`", path.display())]
    Unreadable {
        /// The artifact.
        name: String,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An image or an OCI layout that is not one.
    #[error("artifact `{name}`: `{place}` {problem}")]
    Image {
        /// The artifact.
        name: String,
        /// The file in the layout, or the reference in the registry.
        place: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A release that delivers nothing.
    #[error("the release has no artifact")]
    NoArtifact,
    /// More platforms of images than facts are told of.
    #[error("the release has images of more than {MAX_LEAVES} platforms in all")]
    TooManyPlatforms,
    /// A name that two artifacts or configurations share.
    #[error("the release has two artifacts or configurations named `{name}`")]
    RepeatedName {
        /// The name.
        name: String,
    },
}

impl Release {
    /// Reads and hashes every artifact and config that has bytes, in parallel, and compares.
    ///
    /// # Errors
    /// [`ResolveError`] when a file could not be read; a wrong digest is not an error, and neither is
    /// an image that its registry doesn't give: both are decided on.
    pub fn resolve(
        self,
        files: &dyn ArtifactFiles,
        images: &dyn ImageManifests,
    ) -> Result<Resolution, ResolveError> {
        check_names(&self)?;
        let sorted = |list: &[Artifact]| {
            let mut list = list.to_vec();
            list.sort_by(|a, b| a.name.cmp(&b.name));
            list
        };
        let (artifacts, config) = (sorted(&self.artifacts), sorted(&self.config));
        let listed = [artifacts.as_slice(), config.as_slice()].concat();
        let readings = read_all(&listed, World { files, images })?;
        let (mut differing, mut unread) = (Vec::new(), Vec::new());
        let mut resolved = Vec::new();
        for (artifact, reading) in listed.into_iter().zip(readings) {
            let Reading { content, image, differing: differs, unread: missed } = reading;
            differing.extend(differs);
            unread.extend(missed);
            resolved.push(ResolvedArtifact { name: artifact.name, content, image, bytes: None });
        }
        let images = resolved.iter().filter_map(|artifact| artifact.image.as_ref());
        if images.map(|image| image.leaves.len()).sum::<usize>() > MAX_LEAVES {
            return Err(ResolveError::TooManyPlatforms);
        }
        if !differing.is_empty() || !unread.is_empty() {
            differing.sort_by(|a, b| a.name.cmp(&b.name));
            unread.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(Resolution::Differs(Mismatch { release: self, differing, unread }));
        }
        let config = resolved.split_off(artifacts.len());
        let mut held = Held::none();
        for (artifact, resolved) in artifacts.iter().zip(&mut resolved) {
            if let Content::Read(read) = &resolved.content
                && files.wants_bytes(&artifact.name, read)
            {
                resolved.bytes = held.hold(artifact, read, files)?;
            }
        }
        Ok(Resolution::Matches(ResolvedRelease {
            // Every claim was compared above, so this is the digest of what was read.
            digest: self.claimed_digest(),
            name: self.name,
            version: self.version,
            environment: self.environment,
            source: self.source,
            artifacts: resolved,
            config,
            replaces: self.replaces,
            deployed: self.deployed,
        }))
    }

    /// The release digest of the claims: what an approver who has no artifact computes and signs.
    pub fn claimed_digest(&self) -> Digest {
        Digest::of_value(&Form {
            kind: "https://laforge.dev/release/v1",
            name: &self.name,
            version: &self.version,
            environment: &self.environment,
            source: &self.source,
            artifacts: named(&self.artifacts),
            config: named(&self.config),
        })
    }
}

/// The value whose digest approvals sign (`formats.md` section 1).
#[derive(Serialize)]
struct Form<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    name: &'a str,
    version: &'a str,
    environment: &'a str,
    source: &'a SourceRevision,
    artifacts: Vec<Named<'a>>,
    config: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    digest: &'a ClaimedDigest,
}

fn named(list: &[Artifact]) -> Vec<Named<'_>> {
    let mut list: Vec<_> = list.iter().map(|a| Named { name: &a.name, digest: &a.digest }).collect();
    list.sort_by_key(|named| named.name);
    list
}

/// A release may have been put together elsewhere than in a document: the seal checks for itself.
fn check_names(release: &Release) -> Result<(), ResolveError> {
    if release.artifacts.is_empty() {
        return Err(ResolveError::NoArtifact);
    }
    let mut names = BTreeSet::new();
    match release.artifacts.iter().chain(&release.config).find(|artifact| !names.insert(&artifact.name)) {
        Some(twice) => Err(ResolveError::RepeatedName { name: twice.name.clone() }),
        None => Ok(()),
    }
}

impl ResolvedRelease {
    /// The release's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The version.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The environment that it is asked for.
    pub fn environment(&self) -> &str {
        &self.environment
    }
    /// The source revision that it claims.
    pub fn source(&self) -> &SourceRevision {
        &self.source
    }
    /// The artifacts, sorted by name; never empty.
    pub fn artifacts(&self) -> &[ResolvedArtifact] {
        &self.artifacts
    }
    /// The configurations, sorted by name.
    pub fn config(&self) -> &[ResolvedArtifact] {
        &self.config
    }
    /// What it replaces.
    pub fn replaces(&self) -> Option<&Replaces> {
        self.replaces.as_ref()
    }
    /// Containers of its manifests whose image no digest names.
    pub fn unpinned(&self) -> &[Unpinned] {
        self.deployed.as_ref().map_or(&[], |deployed| &deployed.unpinned)
    }
    /// What its manifests deploy, if it has any.
    pub fn deployed(&self) -> Option<&Inventory> {
        self.deployed.as_ref()
    }
    /// The release digest: what approvals sign.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl ResolvedArtifact {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its digest, read or only named, written down.
    pub fn digest(&self) -> ClaimedDigest {
        match &self.content {
            Content::Read(digest) => digest.digest().claim(),
            Content::NamedOnly(claim) => claim.clone(),
        }
    }
    /// Whether its bytes were read here.
    pub fn content(&self) -> &Content {
        &self.content
    }
    /// Its bytes, where evidence is over nothing less and they are few enough to be held: those whose
    /// digest [`ResolvedArtifact::content`] is.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }
    /// The image that it is, if it is one.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::super::Location;
    use super::*;

    /// Files in memory; those whose name ends in `broken` fail half-way.
    #[derive(Default)]
    pub(in crate::release) struct Memory {
        pub(in crate::release) files: BTreeMap<PathBuf, Vec<u8>>,
        pub(in crate::release) read: AtomicU64,
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("bad sector"))
        }
    }

    impl ArtifactFiles for Memory {
        fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
            let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?.clone();
            if path.to_string_lossy().ends_with("broken") {
                return Ok(Box::new(io::Cursor::new(bytes).chain(Broken)));
            }
            Ok(Box::new(io::Cursor::new(bytes)))
        }

        fn algorithms(&self) -> Algorithms {
            Algorithms::Sha256
        }

        fn progress(&self, _: &str, bytes: u64) {
            self.read.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Nobody who has images.
    pub(crate) struct NoImages;

    impl ImageManifests for NoImages {
        fn manifest(&self, _: &str, _: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
            Err(Unfetched::Absent)
        }
    }

    pub(in crate::release) fn claim(bytes: &[u8]) -> ClaimedDigest {
        Digest::of_bytes(bytes).claim()
    }

    pub(in crate::release) fn release(artifacts: Vec<Artifact>) -> Release {
        Release {
            name: "payments".into(),
            version: "2.10".into(),
            environment: "production".into(),
            source: SourceRevision {
                repository: "https://github.com/acme/payments".into(),
                commit: "4f1c".repeat(10),
                r#ref: "refs/tags/v2.10".into(),
            },
            artifacts,
            config: Vec::new(),
            replaces: None,
            deployed: None,
        }
    }

    fn file(name: &str, claimed: &[u8]) -> Artifact {
        Artifact { name: name.into(), digest: claim(claimed), location: Location::File(name.into()) }
    }

    fn memory(files: &[(&str, &[u8])]) -> Memory {
        let files = files.iter().map(|(path, bytes)| (path.into(), bytes.to_vec())).collect();
        Memory { files, ..Memory::default() }
    }

    fn matching(release: Release, files: &Memory) -> ResolvedRelease {
        match release.resolve(files, &NoImages).unwrap() {
            Resolution::Matches(resolved) => resolved,
            Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
        }
    }

    #[test]
    fn sorts_reads_and_compares_every_artifact_and_config() {
        let files = memory(&[("b", b"bee"), ("a", b"ay"), ("c", b"sea")]);
        let named = Artifact { name: "0".into(), digest: claim(b"far"), location: Location::DigestOnly };
        let mut asked = release(vec![file("b", b"bee"), file("a", b"ay"), named]);
        asked.config = vec![file("c", b"sea")];
        let claimed = asked.claimed_digest();
        let resolved = matching(asked, &files);
        let names: Vec<_> = resolved.artifacts().iter().map(ResolvedArtifact::name).collect();
        assert_eq!(names, ["0", "a", "b"]);
        assert!(matches!(resolved.artifacts()[0].content(), Content::NamedOnly(_)));
        assert!(matches!(resolved.artifacts()[1].content(), Content::Read(read) if read.size() == 2));
        assert_eq!(resolved.config()[0].digest(), claim(b"sea"));
        assert_eq!(resolved.digest(), claimed);
        assert_eq!(files.read.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn lists_every_claim_that_does_not_hold() {
        let files = memory(&[("a", b"ay"), ("b", b"bee"), ("c", b"sea!")]);
        let mut asked = release(vec![file("b", b"bee!"), file("a", b"ay")]);
        asked.config = vec![file("c", b"sea")];
        let Resolution::Differs(mismatch) = asked.resolve(&files, &NoImages).unwrap() else {
            panic!("matched")
        };
        let found: Vec<_> = mismatch
            .differing
            .iter()
            .map(|d| (d.name.as_str(), d.claimed.clone(), d.computed.claim()))
            .collect();
        let expected = [("b", claim(b"bee!"), claim(b"bee")), ("c", claim(b"sea"), claim(b"sea!"))];
        assert_eq!(found, expected);
    }

    #[test]
    fn refuses_what_it_cannot_read_to_the_end() {
        let files = memory(&[("a", b"ay"), ("b-broken", b"bee")]);
        let error =
            release(vec![file("a", b"ay"), file("gone", b"")]).resolve(&files, &NoImages).unwrap_err();
        assert_eq!(error.to_string(), "artifact `gone`: cannot read `gone`");
        assert!(std::error::Error::source(&error).is_some());
        // An unreadable artifact beside one that differs: no decision, rather than half of one.
        let asked = release(vec![file("a", b"other"), file("b-broken", b"bee")]);
        let error = asked.resolve(&files, &NoImages).unwrap_err();
        assert!(
            matches!(&error, ResolveError::Unreadable { source, .. } if source.to_string() == "bad sector")
        );
    }

    #[test]
    fn refuses_a_release_without_artifact_or_with_one_name_twice() {
        let files = memory(&[("a", b"ay")]);
        assert!(matches!(release(vec![]).resolve(&files, &NoImages), Err(ResolveError::NoArtifact)));
        let mut asked = release(vec![file("a", b"ay")]);
        asked.config = vec![file("a", b"ay")];
        assert!(
            matches!(asked.resolve(&files, &NoImages), Err(ResolveError::RepeatedName { name }) if name == "a")
        );
    }

    #[test]
    fn digests_a_release_as_a_stranger_would() {
        // python3: sha256(json.dumps({...}, sort_keys=True, separators=(",", ":")))
        let mut asked = release(vec![file("b", b"bee"), file("a", b"ay")]);
        asked.config = vec![file("c", b"sea")];
        assert_eq!(
            asked.claimed_digest().to_string(),
            "sha256:d1eed2359161ff01bf1aa3efd4d51fba8c8d251e54745fa35359283e2b009683"
        );
    }

    proptest! {
        /// Whatever the order of artifacts and whichever thread reads which, the digest is the same, and
        /// it changes with every member that it covers.
        #[test]
        fn gives_one_digest_whatever_the_order(contents in prop::collection::vec(".{0,40}", 1..24), seed: prop::sample::Index) {
            let artifacts: Vec<_> =
                contents.iter().enumerate().map(|(at, text)| file(&format!("f{at}"), text.as_bytes())).collect();
            let files = Memory {
                files: contents.iter().enumerate().map(|(at, text)| (format!("f{at}").into(), text.clone().into_bytes())).collect(),
                ..Memory::default()
            };
            let turned = { let mut list = artifacts.clone(); list.rotate_left(seed.index(contents.len())); list };
            let first = matching(release(artifacts.clone()), &files);
            let second = matching(release(turned), &files);
            prop_assert_eq!(first.digest(), second.digest());
            let mut other = release(artifacts);
            other.environment = "staging".into();
            prop_assert_ne!(other.claimed_digest(), first.digest());
            let at = seed.index(contents.len());
            let mut flipped = files.files.clone();
            flipped.get_mut(Path::new(&format!("f{at}"))).unwrap().push(0);
            let files = Memory { files: flipped, ..Memory::default() };
            let Resolution::Differs(mismatch) = release(other.artifacts).resolve(&files, &NoImages).unwrap() else {
                return Err(TestCaseError::fail("matched"));
            };
            prop_assert_eq!(&mismatch.differing[0].name, &format!("f{at}"));
        }
    }
}
