//! All evidence of a release, wherever it lies: folders, bundles, and the registries of its images.
//!
//! In: a resolved release. Out: one intake of everything, so that its limits hold for all of it. What a
//! registry has is found by [`super::oci`]; offline, a bundle of the release stands for the registries of
//! the images that it holds.

use super::directory::EvidenceFolders;
use super::intake::Intake;
use super::oci::{Registries, Subject};
use super::release_bundle::Bundles;
use crate::evidence::{EvidenceSource, Gathered};
use crate::release::digest::ClaimedDigest;
use crate::release::resolved::{Kept, ResolvedRelease};

/// Evidence in folders, in bundles and in registries.
pub struct AllEvidence<'a> {
    folders: &'a EvidenceFolders,
    registries: &'a Registries<'a>,
    bundles: &'a Bundles,
}

impl<'a> AllEvidence<'a> {
    /// What lies in folders and bundles, and what the registries of a release's images have.
    pub fn of(folders: &'a EvidenceFolders, registries: &'a Registries<'a>, bundles: &'a Bundles) -> Self {
        Self { folders, registries, bundles }
    }

    /// Every piece of evidence as it was received, and what it comes to.
    pub fn pieces(&self, release: &ResolvedRelease) -> (Vec<Vec<u8>>, Gathered) {
        let intake = self.collect(release);
        (intake.documents().map(<[u8]>::to_vec).collect(), intake.gathered())
    }

    fn is_stood_for(&self, release: &ResolvedRelease, digest: &ClaimedDigest) -> bool {
        self.registries.is_offline() && self.bundles.covers(release.digest(), digest)
    }

    fn collect(&self, release: &ResolvedRelease) -> Intake {
        let mut intake = self.folders.intake().clone();
        let images = || release.artifacts().iter().filter_map(|artifact| Some((artifact, artifact.image()?)));
        for (_, image) in images() {
            intake.ignore(image.unsigned);
        }
        let remote = images().filter(|(_, image)| image.kept == Kept::Registry);
        let subjects: Vec<Subject<'_>> = remote
            .flat_map(|(artifact, image)| Subject::of(artifact.digest(), image))
            .filter(|subject| !self.is_stood_for(release, subject.digest()))
            .collect();
        self.registries.search(&subjects, &mut intake);
        intake
    }
}

impl EvidenceSource for AllEvidence<'_> {
    fn gather(&self, release: &ResolvedRelease) -> Gathered {
        self.collect(release).gathered()
    }
}
