//! The world that a release is judged in: its files, images and evidence, as `deploy`, `verify` and `bundle`
//! read them.
//!
//! In: evidence paths, flags and trust. Out: [`Sources`], of which the gate's world borrows.

use std::path::PathBuf;

use crate::release::Release;
use crate::report::paint::printable;
use crate::source::directory::{EvidenceFolders, Files};
use crate::source::gathering::AllEvidence;
use crate::source::oci::{Reach, Registries};
use crate::source::release_bundle::{BundledImages, Bundles};
use crate::trust::TrustRoot;

use super::super::flags::EvidenceFlags;
use super::super::progress::Progress;
use super::super::session::Session;
use super::registries;

/// Where all bytes of one run come from.
pub(in crate::cli) struct Sources<'a> {
    /// The files that the release names.
    pub(in crate::cli) artifacts: Files<'a>,
    folders: EvidenceFolders,
    bundles: Bundles,
    registries: Registries<'a>,
}

impl<'a> Sources<'a> {
    /// Reads all evidence that lies on disk, and gets ready for the rest.
    pub(in crate::cli) fn open(
        (bundles, paths): (Bundles, Vec<PathBuf>),
        flags: &EvidenceFlags,
        trust: &TrustRoot,
        progress: &'a Progress,
        session: &Session,
    ) -> Self {
        let folders = EvidenceFolders::read_with(&paths, &bundles);
        let artifacts = Files::new(folders.algorithms())
            .with_bytes(folders.bytes_wanted(trust))
            .with_progress(|name, bytes| progress.read(name, bytes));
        let registries =
            registries(flags, session).with_progress(|host, requests| progress.asked(host, requests));
        Self { artifacts, folders, bundles, registries }
    }

    /// Asks no registry beyond these.
    pub(in crate::cli) fn within(self, reach: Reach) -> Self {
        Self { registries: self.registries.within(reach), ..self }
    }

    /// The manifests of images.
    pub(in crate::cli) fn images(&self) -> BundledImages<'_> {
        self.bundles.images(&self.registries)
    }

    /// The evidence.
    pub(in crate::cli) fn evidence(&self) -> AllEvidence<'_> {
        AllEvidence::of(&self.folders, &self.registries, &self.bundles)
    }

    /// With `-v`, how much was asked of registries.
    pub(in crate::cli) fn tell_requests(&self, session: &Session) {
        if session.verbose && self.registries.requests() > 0 {
            session.tell(&format!("{} requests to registries\n", self.registries.requests()));
        }
    }

    /// Offline, that every bundle is one of another release, whose images' evidence it stands for.
    pub(in crate::cli) fn tell_strange_bundles(
        &self,
        flags: &EvidenceFlags,
        release: &Release,
        session: &Session,
    ) {
        let ours = release.claimed_digest().claim();
        let others: Vec<String> = self.bundles.releases().map(ToString::to_string).collect();
        if flags.offline && !others.is_empty() && !others.contains(&ours.to_string()) {
            let text = format!(
                "the bundles are of {}, and this release is {ours}: offline they stand for no registry of its \
                 images; make one of this release with `laforge bundle`",
                others.join(", ")
            );
            session.tell(&format!("warning: {}\n", printable(&text)));
        }
    }
}
