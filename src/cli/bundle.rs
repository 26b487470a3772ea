//! `laforge bundle`: a release's evidence, and the manifests of its images, in one folder or archive.
//!
//! The same reading as `deploy`'s, so that a deploy with the bundle and `--offline` finds what a deploy
//! with the network finds. Nothing is judged here. What can't be reached ends it: half a bundle would
//! turn a deny for want of evidence into one that looks like an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::Args;

use crate::evidence::Gathered;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::{
    Image, ImageManifests, Kept, Mismatch, Resolution, ResolvedRelease, Unfetched,
};
use crate::source::release_bundle::{Bundles, Collected};

use super::flags::{EvidenceFlags, ReleaseFlags};
use super::load::Sources;
use super::progress::Progress;
use super::{Exit, Failure, Session, load};

/// A release's evidence as one folder or archive, for --evidence and --offline elsewhere.
#[derive(Debug, Args)]
pub(super) struct Bundle {
    #[command(flatten)]
    release: ReleaseFlags,
    #[command(flatten)]
    evidence: EvidenceFlags,
    /// The folder to make, or the archive, when it ends in `.tar`
    #[arg(short, long, value_name = "DIR|FILE.tar", help_heading = "Output")]
    output: PathBuf,
}

impl Bundle {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        if session.exists(&self.output) {
            return Err(Failure::usage(format!("`{}` is already there", self.output.display()))
                .hint("it is not overwritten; remove it first, or write to another name"));
        }
        let name = self.output.file_name().unwrap_or_default().to_string_lossy();
        if [".tgz", ".gz", ".zst", ".xz", ".bz2", ".zip"].iter().any(|ending| name.ends_with(ending)) {
            return Err(Failure::usage(format!(
                "`{}` would be no archive of that kind",
                self.output.display()
            ))
            .hint("end it in `.tar`, which is not compressed, or name a folder"));
        }
        session.writable(&self.output)?;
        let config = load::config(session)?;
        let release = load::release_in_reach(&self.release, &config, session)?.ok_or_else(|| {
            load::unconfigured("nothing to bundle: no release in reach", session)
                .hint("name one with `release:` in laforge.yaml or --release")
        })?;
        let trust = load::trust(&self.evidence, &config, session)?;
        let paths = load::evidence_paths(&self.evidence, &config, &trust, session)?;
        let (bundles, paths) = Bundles::among(&paths);
        refuse_broken(&bundles)?;
        let progress = Progress::on(session);
        let sources = Sources::open((bundles, paths), &self.evidence, &trust, &progress, session);
        let images = sources.images();
        let fetched = Fetched { images: &images, documents: Mutex::default() };
        let release = match release.resolve(&sources.artifacts, &fetched) {
            Ok(Resolution::Matches(release)) => release,
            // Only a release whose bytes are what it claims has evidence that can be told from others'.
            Ok(Resolution::Differs(mismatch)) => return Err(differs(&mismatch)),
            Err(error) => return Err(load::unresolved(&error, (&self.release, &config), session)),
        };
        let (pieces, gathered) = sources.evidence().pieces(&release);
        progress.clear();
        sources.tell_requests(session);
        refuse_incomplete(&gathered)?;
        self.write(&release, &pieces, &fetched.into_documents(), session)
    }

    fn write(
        &self,
        release: &ResolvedRelease,
        pieces: &[Vec<u8>],
        manifests: &BTreeMap<ClaimedDigest, Vec<u8>>,
        session: &Session,
    ) -> Result<Exit, Failure> {
        let remote = |image: &Image| image.kept == Kept::Registry;
        let images = release.artifacts().iter().filter(|artifact| artifact.image().is_some_and(remote));
        let collected = Collected {
            release: release.digest(),
            evidence: pieces.iter().map(Vec::as_slice).collect(),
            manifests,
            images: images.map(|artifact| artifact.digest()).collect::<BTreeSet<_>>(),
        };
        if self.output.extension().is_some_and(|ending| ending == "tar") {
            session.create(&self.output, &collected.archive())?;
        } else {
            // The list comes last, so that a folder that was not finished is no bundle.
            let mut files: Vec<_> = collected.files().into_iter().collect();
            files.sort_by_key(|(name, _)| name == "bundle.json");
            for (name, bytes) in files {
                session.create(&self.output.join(name), &bytes)?;
            }
        }
        session.say(&format!(
            "bundled {} pieces of evidence and {} manifests of images: {}\n",
            pieces.len(),
            manifests.len(),
            self.output.display()
        ));
        session.print(format!("{}\n", release.digest()).as_bytes())?;
        Ok(Exit::Holds)
    }
}

/// Remembers every manifest that was fetched.
struct Fetched<'a> {
    images: &'a dyn ImageManifests,
    documents: Mutex<BTreeMap<ClaimedDigest, Vec<u8>>>,
}

impl Fetched<'_> {
    fn into_documents(self) -> BTreeMap<ClaimedDigest, Vec<u8>> {
        self.documents.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ImageManifests for Fetched<'_> {
    fn manifest(&self, repository: &str, digest: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
        let bytes = self.images.manifest(repository, digest)?;
        if Digest::of_bytes(&bytes) == *digest {
            let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
            documents.insert(digest.clone(), bytes.clone());
        }
        Ok(bytes)
    }
}

/// A bundle of a bundle that is not whole would lack what that one lacks.
fn refuse_broken(bundles: &Bundles) -> Result<(), Failure> {
    let Some(broken) = bundles.broken().first() else { return Ok(()) };
    Err(Failure::usage(format!("`{}` {}", broken.source, broken.problem))
        .hint("make it again with `laforge bundle`, or leave it out"))
}

fn differs(mismatch: &Mismatch) -> Failure {
    let Some(one) = mismatch.differing.first() else { return unread(mismatch) };
    Failure::new(
        Exit::Denied,
        format!("`{}` is claimed to be {} and is {}", one.name, one.claimed, one.computed.claim()),
    )
    .hint("a bundle is of one release: deliver the bytes that it claims")
}

/// Why a release is of images that can't be had: whoever was asked has them not, or didn't answer.
fn unread(mismatch: &Mismatch) -> Failure {
    if let Some(one) = mismatch.unread.iter().find(|one| one.why == Unfetched::Absent) {
        let message = format!("`{}` is not in its registry: there is no `{}`", one.name, one.place);
        return Failure::new(Exit::Denied, message)
            .hint("no bundle was made: push the image that was released, or correct the reference");
    }
    mismatch.unread.iter().fold(Failure::new(Exit::Inconclusive, NO_BUNDLE), |failure, one| {
        failure.because(format!("a manifest of `{}` could not be had: {}", one.name, one.why))
    })
}

const NO_BUNDLE: &str = "no bundle was made: not everything could be reached";

fn refuse_incomplete(gathered: &Gathered) -> Result<(), Failure> {
    let over = gathered.over_limit.iter().map(ToString::to_string);
    let unreachable = gathered.unreachable.iter().map(|one| format!("{}: {}", one.source, one.cause));
    let causes: Vec<_> = over.chain(unreachable).collect();
    match causes.is_empty() {
        true => Ok(()),
        false => {
            let failure = Failure::new(Exit::Inconclusive, NO_BUNDLE);
            let failure = causes.into_iter().fold(failure, Failure::because);
            Err(failure.hint("make it reachable and run the same command again"))
        }
    }
}
