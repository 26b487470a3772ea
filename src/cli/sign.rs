//! `laforge sign`: a signature over each artifact, as a Sigstore bundle.
//!
//! A file is signed by its bytes. Of an image, of manifests and of what is named by its digest alone there are
//! none: those are signed as cosign's statement about the digest.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::release::digest::ClaimedDigest;
use crate::release::{Artifact, Location};
use crate::signing::statement;

use super::flags::ReleaseFlags;
use super::load::{self, Signing};
use super::signer::{Signer, SignerFlags};
use super::{Exit, Failure, Session};

/// Sign artifacts, with a local key or keyless.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// Files, or digests (sha256:…) of images and of anything else that is not at hand
    #[arg(value_name = "ARTIFACT", conflicts_with_all = ["release", "manifests", "image", "environment"])]
    artifacts: Vec<String>,
    #[command(flatten)]
    release: ReleaseFlags,
    /// Where to write: a file for one artifact, else a folder (default: evidence/)
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerFlags,
}

/// What is signed, and how.
enum Target {
    /// A file, by its bytes.
    File(PathBuf),
    /// Whatever has this digest.
    Digest(ClaimedDigest),
}

impl Sign {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let targets = self.targets(session)?;
        let signer = self.signer.signer(session)?;
        signer.warn_of_stranger(Signing::Artifact, session);
        let alone = targets.len() == 1;
        if let Some(output) = self.output.as_ref().filter(|output| !alone && session.is_file(output)) {
            return Err(Failure::usage(format!(
                "`{}` is a file, and there are several artifacts",
                output.display()
            ))
            .hint("give a folder with --output: each artifact has a bundle of its own"));
        }
        signer.announce(targets.iter().map(|(name, target)| ("artifact", target.shown(name))), session);
        for (name, target) in targets {
            let bundle = target
                .signed(&signer, session)
                .map_err(|failure| failure.hint(format!("nothing was signed for `{name}`")))?;
            let target = match &self.output {
                Some(output) if alone && output.extension().is_some() => output.clone(),
                Some(folder) => folder.join(bundle_name("signature", &name)),
                None => Path::new("evidence").join(bundle_name("signature", &name)),
            };
            session.create(&target, &bundle)?;
            session.say(&format!("signed `{name}`: {}\n", target.display()));
        }
        Ok(Exit::Holds)
    }

    /// What the command line names, or every artifact of the release that it names.
    fn targets(&self, session: &Session) -> Result<Vec<(String, Target)>, Failure> {
        if !self.artifacts.is_empty() {
            return self.artifacts.iter().map(|text| named(text)).collect();
        }
        let ReleaseFlags { release, manifests, image, environment: _ } = &self.release;
        if release.is_none() && manifests.is_none() && image.is_empty() {
            return Err(Failure::usage("nothing to sign").hint(
                "name files or digests, or a release: --release FILE, with --manifests or --image as `deploy` has them",
            ));
        }
        let config = load::config(session)?;
        let release = load::release_in_reach(&self.release, &config, session)?;
        Ok(release.into_iter().flat_map(|release| release.artifacts).map(target_of).collect())
    }
}

impl Target {
    fn shown(&self, name: &str) -> String {
        match self {
            Self::File(path) => format!("{name} ({})", path.display()),
            Self::Digest(digest) => format!("{name} (by its digest {digest})"),
        }
    }

    fn signed(&self, signer: &Signer, session: &Session) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) => signer.artifact(&session.read(path, Exit::NoDecision)?, session),
            Self::Digest(digest) => {
                signer.statement(&statement::cosign_sign(digest), digest, Signing::Artifact, session)
            }
        }
    }
}

/// A digest, or a file.
fn named(text: &str) -> Result<(String, Target), Failure> {
    if text.starts_with("sha256:") {
        let digest =
            text.parse().map_err(|error| Failure::of(Exit::Usage, &error as &dyn std::error::Error))?;
        return Ok((text.to_owned(), Target::Digest(digest)));
    }
    let path = PathBuf::from(text);
    Ok((file_name(&path), Target::File(path)))
}

fn target_of(artifact: Artifact) -> (String, Target) {
    let target = match artifact.location {
        Location::File(path) => Target::File(path),
        Location::Layout { .. }
        | Location::Registry { .. }
        | Location::Assembled(_)
        | Location::DigestOnly => Target::Digest(artifact.digest),
    };
    (artifact.name, target)
}

/// `signature-payments.tar.gz.sigstore.json`, safe as a file name whatever the artifact is called.
pub(super) fn bundle_name(kind: &str, name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    format!("{kind}-{safe}{BUNDLE_ENDING}")
}

/// How the name of a bundle ends.
pub(super) const BUNDLE_ENDING: &str = ".sigstore.json";

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
