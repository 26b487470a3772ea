//! Subjects: which part of this release a statement is about, purely by digest.
//!
//! In: the subjects of an authenticated statement. Out: the artifacts (or image leaves) that they
//! name, or that they name the release itself or its commit.
//!
//! A subject matches when every strong digest that it lists and we know of is equal, and it lists
//! at least one: SHA-256, or SHA-512 where the artifact was read with it (npm's statements list
//! nothing else). Other algorithms alone never match, and beside a strong one they are not looked
//! at; hex is compared as written, so upper case never matches. Names of subjects are for people.
//! Spec: <https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md>, made stricter.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Cover;
use super::set_aside::{Quoted, Why};
use crate::evidence::statement::Subject;
use crate::release::SourceRevision;
use crate::release::digest::{ArtifactDigest, ClaimedDigest};
use crate::release::resolved::{Content, ResolvedArtifact, ResolvedRelease};

/// What a subject may name.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The release digest's hex.
    pub(super) release: String,
    pub(super) environment: &'a str,
    pub(super) source: &'a SourceRevision,
    /// In the order of the release.
    pub(super) artifacts: Vec<WantedArtifact>,
    places: Places,
}

/// Where each of our digests stands, by its hex: a subject is looked up, whatever the size of the release.
type Places = BTreeMap<String, Vec<Place>>;

/// An artifact by its position, or one of its leaves by theirs.
#[derive(Debug, Clone, Copy)]
struct Place {
    artifact: usize,
    leaf: Option<usize>,
}

/// One artifact that a subject may name.
#[derive(Debug)]
pub(super) struct WantedArtifact {
    pub(super) name: String,
    pub(super) digests: Digests,
    /// The platforms of an image index.
    pub(super) leaves: Vec<WantedLeaf>,
}

/// One platform's manifest.
#[derive(Debug)]
pub(super) struct WantedLeaf {
    pub(super) platform: String,
    pub(super) digest: ClaimedDigest,
    pub(super) digests: Digests,
}

/// The digests of some bytes, as in-toto's hex.
#[derive(Debug)]
pub(super) struct Digests {
    pub(super) sha256: String,
    /// None: the bytes were not read, or without SHA-512.
    pub(super) sha512: Option<String>,
}

/// Digests of one subject, hex by algorithm.
type DigestSet = BTreeMap<String, String>;

/// Part of the release that a statement is about: an artifact's index and how much of it.
pub(super) type Named = Vec<(usize, Cover)>;

impl<'a> Wanted<'a> {
    pub(super) fn of(release: &'a ResolvedRelease) -> Self {
        let artifacts = release.artifacts().iter().map(WantedArtifact::of).collect();
        Self::new(release.digest().hex(), release.environment(), release.source(), artifacts)
    }

    fn new(
        release: String,
        environment: &'a str,
        source: &'a SourceRevision,
        artifacts: Vec<WantedArtifact>,
    ) -> Self {
        let places = places(&artifacts);
        Self { release, environment, source, artifacts, places }
    }

    /// The artifacts that subjects name, by position.
    pub(super) fn artifacts_named(&self, subjects: &[Subject]) -> Result<Named, Why> {
        let mut named: BTreeMap<usize, Cover> = BTreeMap::new();
        for (place, listed) in subjects.iter().flat_map(|subject| self.looked_up(&subject.digest)) {
            if self.digests(place).is_some_and(|ours| ours.equal(listed)) {
                let cover = named.entry(place.artifact).or_insert_with(|| Cover::Leaves(BTreeSet::new()));
                match (place.leaf, cover) {
                    (None, cover) => *cover = Cover::Whole,
                    (Some(leaf), Cover::Leaves(leaves)) => drop(leaves.insert(leaf)),
                    (Some(_), Cover::Whole) => {}
                }
            }
        }
        if named.is_empty() {
            let wanted = "an artifact of this release".to_owned();
            return Err(Why::WrongSubject { wanted, got: shown(subjects) });
        }
        Ok(named.into_iter().collect())
    }

    /// Where the digest stands that a set lists: by SHA-256 if it lists one, since that has to agree, else by
    /// SHA-512.
    fn looked_up<'s>(&'s self, listed: &'s DigestSet) -> impl Iterator<Item = (Place, &'s DigestSet)> {
        let hex = listed.get("sha256").or_else(|| listed.get("sha512"));
        let places = hex.and_then(|hex| self.places.get(hex)).map_or(&[][..], Vec::as_slice);
        places.iter().map(move |place| (*place, listed))
    }

    fn digests(&self, place: Place) -> Option<&Digests> {
        let artifact = self.artifacts.get(place.artifact)?;
        match place.leaf {
            None => Some(&artifact.digests),
            Some(leaf) => Some(&artifact.leaves.get(leaf)?.digests),
        }
    }

    /// The manifests of the platforms that part of an artifact is about; none of all of it.
    pub(super) fn leaves_of(&self, artifact: usize, cover: &Cover) -> Vec<ClaimedDigest> {
        let (Some(artifact), Cover::Leaves(leaves)) = (self.artifacts.get(artifact), cover) else {
            return Vec::new();
        };
        leaves.iter().filter_map(|at| Some(artifact.leaves.get(*at)?.digest.clone())).collect()
    }

    /// That a subject is this release.
    pub(super) fn release_named(&self, subjects: &[Subject]) -> Result<(), Why> {
        let ours = Digests { sha256: self.release.clone(), sha512: None };
        if subjects.iter().any(|subject| ours.equal(&subject.digest)) {
            return Ok(());
        }
        let wanted = format!("this release, sha256:{}", self.release);
        Err(Why::WrongSubject { wanted, got: shown(subjects) })
    }

    /// That a subject is an artifact of this release or its commit.
    pub(super) fn source_named(&self, subjects: &[Subject]) -> Result<(), Why> {
        let commit = |subject: &Subject| subject.digest.get("gitCommit") == Some(&self.source.commit);
        if subjects.iter().any(commit) || self.artifacts_named(subjects).is_ok() {
            return Ok(());
        }
        let wanted = format!("an artifact of this release or gitCommit:{}", self.source.commit);
        Err(Why::WrongSubject { wanted, got: shown(subjects) })
    }
}

impl WantedArtifact {
    fn of(artifact: &ResolvedArtifact) -> Self {
        let digests = match artifact.content() {
            Content::Read(read) => Digests::of(read),
            Content::NamedOnly(claim) => Digests { sha256: claim.hex(), sha512: None },
        };
        let leaves = artifact.image().map_or(&[][..], |image| &image.leaves);
        let leaf = |leaf: &crate::release::resolved::Leaf| WantedLeaf {
            platform: leaf.platform.clone(),
            digest: leaf.digest.digest().claim(),
            digests: Digests::of(&leaf.digest),
        };
        Self { name: artifact.name().to_owned(), digests, leaves: leaves.iter().map(leaf).collect() }
    }
}

/// Each digest of the artifacts and of their leaves, with where it stands.
fn places(artifacts: &[WantedArtifact]) -> Places {
    let mut places = Places::new();
    let mut add = |digests: &Digests, place: Place| {
        for hex in [Some(&digests.sha256), digests.sha512.as_ref()].into_iter().flatten() {
            places.entry(hex.clone()).or_default().push(place);
        }
    };
    for (at, artifact) in artifacts.iter().enumerate() {
        add(&artifact.digests, Place { artifact: at, leaf: None });
        for (leaf, its) in artifact.leaves.iter().enumerate() {
            add(&its.digests, Place { artifact: at, leaf: Some(leaf) });
        }
    }
    places
}

impl Digests {
    fn of(read: &ArtifactDigest) -> Self {
        Self { sha256: read.digest().hex(), sha512: read.sha512_hex() }
    }

    /// Whether a digest set names these bytes.
    fn equal(&self, listed: &DigestSet) -> bool {
        let agrees =
            |algorithm: &str, ours: Option<&String>| listed.get(algorithm).map(|it| Some(it) == ours);
        match (agrees("sha256", Some(&self.sha256)), agrees("sha512", self.sha512.as_ref())) {
            (None, None) | (Some(false), _) | (_, Some(false)) => false,
            (Some(true), _) | (_, Some(true)) => true,
        }
    }
}

/// The first few subjects, for people.
fn shown(subjects: &[Subject]) -> String {
    const MOST: usize = 3;
    let digest = |subject: &Subject| match subject.digest.first_key_value() {
        Some((algorithm, hex)) => Quoted::new(&format!("{algorithm}:{hex}")).to_string(),
        None => "a subject without a digest".to_owned(),
    };
    let mut list: Vec<String> = subjects.iter().take(MOST).map(digest).collect();
    if subjects.len() > MOST {
        list.push(format!("{} more", subjects.len() - MOST));
    }
    list.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::release::digest::Algorithms;

    pub(in crate::verify) fn subject(digests: &[(&str, &str)]) -> Subject {
        let digest = digests.iter().map(|(name, hex)| ((*name).to_owned(), (*hex).to_owned())).collect();
        Subject { name: None, digest }
    }

    fn read(bytes: &[u8]) -> Digests {
        Digests::of(&ArtifactDigest::of(bytes, Algorithms::Sha2))
    }

    fn equal(ours: &Digests, listed: &[(&str, &str)]) -> bool {
        ours.equal(&subject(listed).digest)
    }

    #[test]
    fn matches_only_when_every_strong_digest_is_equal() {
        let (ours, other) = (read(b"ours"), read(b"other"));
        let (sha256, sha512) = (ours.sha256.as_str(), ours.sha512.as_deref().unwrap());
        let (wrong256, wrong512) = (other.sha256.as_str(), other.sha512.as_deref().unwrap());
        assert!(equal(&ours, &[("sha256", sha256)]));
        assert!(equal(&ours, &[("sha256", sha256), ("sha512", sha512)]));
        assert!(equal(&ours, &[("sha512", sha512)]));
        assert!(equal(&ours, &[("sha256", sha256), ("sha1", "00")]));
        assert!(!equal(&ours, &[("sha256", sha256), ("sha512", wrong512)]));
        assert!(!equal(&ours, &[("sha256", wrong256), ("sha512", sha512)]));
        assert!(!equal(&ours, &[("sha256", &sha256.to_uppercase())]));
        assert!(!equal(&ours, &[("sha256", sha256), ("sha512", &sha512.to_uppercase())]));
        assert!(!equal(&ours, &[("SHA256", sha256)]));
        assert!(!equal(&ours, &[("sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709")]));
        assert!(!equal(&ours, &[("sha3-256", sha256)]));
        assert!(!equal(&ours, &[]));
    }

    #[test]
    fn refuses_a_sha512_that_was_not_computed() {
        let ours = Digests::of(&ArtifactDigest::of(b"ours", Algorithms::Sha256));
        let sha512 = read(b"ours").sha512.unwrap();
        assert!(!equal(&ours, &[("sha256", &ours.sha256), ("sha512", &sha512)]));
        assert!(!equal(&ours, &[("sha512", &sha512)]));
    }

    proptest! {
        #[test]
        fn no_set_of_other_digests_ever_matches(
            listed in proptest::collection::btree_map("sha(1|256|384|512|512_256)|md5|gitCommit|SHA256", "[0-9a-f]{0,128}", 0..6),
        ) {
            // A random text is the digest of these bytes with a chance of 2^-256.
            prop_assert!(!read(b"ours").equal(&listed));
        }

        #[test]
        fn another_algorithm_beside_ours_changes_nothing(name in "[a-z0-9-]{1,12}", hex in "[0-9a-f]{0,64}") {
            prop_assume!(name != "sha256" && name != "sha512");
            let ours = read(b"ours");
            prop_assert!(equal(&ours, &[("sha256", &ours.sha256), (&name, &hex)]));
            prop_assert!(!equal(&ours, &[(&name, &hex)]));
        }
    }

    pub(in crate::verify) fn wanted<'a>(
        source: &'a SourceRevision,
        artifacts: &[(&str, &[&str])],
    ) -> Wanted<'a> {
        let artifacts = artifacts
            .iter()
            .map(|(name, leaves)| WantedArtifact {
                name: (*name).to_owned(),
                digests: read(name.as_bytes()),
                leaves: leaves
                    .iter()
                    .map(|leaf| WantedLeaf {
                        platform: (*leaf).to_owned(),
                        digest: crate::release::digest::Digest::of_bytes(leaf.as_bytes()).claim(),
                        digests: read(leaf.as_bytes()),
                    })
                    .collect(),
            })
            .collect();
        Wanted::new("ab".repeat(32), "production", source, artifacts)
    }

    pub(in crate::verify) fn source() -> SourceRevision {
        SourceRevision {
            repository: "https://github.com/acme/payments".to_owned(),
            commit: "4f1c".repeat(10),
            r#ref: "refs/tags/v2.4.0".to_owned(),
        }
    }

    /// The subject that names these bytes.
    pub(in crate::verify) fn naming(bytes: &str) -> Subject {
        subject(&[("sha256", &read(bytes.as_bytes()).sha256)])
    }

    #[test]
    fn finds_our_artifacts_among_others_and_prefers_the_index_to_its_leaves() {
        let source = source();
        let wanted = wanted(&source, &[("a", &[]), ("index", &["linux/amd64", "linux/arm64"])]);
        let named = |subjects: &[Subject]| wanted.artifacts_named(subjects);
        assert_eq!(named(&[naming("x"), naming("a")]).unwrap(), [(0, Cover::Whole)]);
        assert_eq!(named(&[naming("linux/arm64")]).unwrap(), [(1, Cover::Leaves([1].into()))]);
        assert_eq!(named(&[naming("index"), naming("linux/arm64")]).unwrap(), [(1, Cover::Whole)]);
        assert!(matches!(named(&[naming("x")]), Err(Why::WrongSubject { .. })));
        assert!(matches!(named(&[]), Err(Why::WrongSubject { .. })));
    }

    #[test]
    fn finds_each_of_several_with_one_digest_and_none_that_a_second_digest_speaks_against() {
        let source = source();
        let wanted = wanted(&source, &[("x", &[]), ("index", &["x", "y"]), ("x", &[])]);
        let (ours, other) = (read(b"x"), read(b"y"));
        let (sha512, wrong) = (ours.sha512.unwrap(), other.sha512.unwrap());
        let x = [(0, Cover::Whole), (1, Cover::Leaves([0].into())), (2, Cover::Whole)];
        for listed in [
            &[("sha256", &*ours.sha256)][..],
            &[("sha512", &sha512)],
            &[("sha256", &ours.sha256), ("sha512", &sha512)],
        ] {
            assert_eq!(wanted.artifacts_named(&[naming("z"), subject(listed)]).unwrap(), x);
        }
        let both = [naming("y"), naming("x")];
        let all = [(0, Cover::Whole), (1, Cover::Leaves([0, 1].into())), (2, Cover::Whole)];
        assert_eq!(wanted.artifacts_named(&both).unwrap(), all);
        for listed in [
            [("sha256", &*ours.sha256), ("sha512", &wrong)],
            [("sha256", &other.sha256), ("sha512", &sha512)],
        ] {
            assert!(wanted.artifacts_named(&[subject(&listed)]).is_err());
        }
    }

    #[test]
    fn tells_release_and_commit_from_artifacts() {
        let source = source();
        let wanted = wanted(&source, &[("a", &[])]);
        let release = subject(&[("sha256", &wanted.release)]);
        let commit = subject(&[("gitCommit", &source.commit)]);
        assert!(wanted.release_named(&[naming("x"), release.clone()]).is_ok());
        assert!(wanted.release_named(&[naming("a"), commit.clone()]).is_err());
        assert!(wanted.release_named(&[subject(&[("sha256", &wanted.release), ("sha512", "00")])]).is_err());
        assert!(wanted.artifacts_named(&[release.clone(), commit.clone()]).is_err());
        assert!(wanted.source_named(&[commit]).is_ok() && wanted.source_named(&[naming("a")]).is_ok());
        assert!(wanted.source_named(&[release, subject(&[("sha1", &source.commit)])]).is_err());
    }
}
