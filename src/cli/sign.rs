//! `laforge sign`: a signature over each artifact, as a Sigstore bundle.
//!
//! A file is signed by its bytes. Of an image, of manifests and of what is named by its digest alone there are
//! none: those are signed as cosign's statement about the digest.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::release::digest::ClaimedDigest;
use crate::release::{Artifact, Location};
use crate::signing::{self, statement};

use super::flags::ReleaseFlags;
use super::load::{self, Signing};
use super::outputs::refuse_dash;
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
        // A keyless signature is published, for ever: whatever can fail here fails before the first one.
        let targets = self.targets(session)?;
        let outputs = self.outputs(&targets, session)?;
        for (name, target) in &targets {
            target.check(session).map_err(|failure| nothing_signed(failure, name))?;
        }
        let signer = self.signer.signer(session)?;
        signer.warn_of_stranger(Signing::Artifact, session);
        signer.announce(targets.iter().map(|(name, target)| ("artifact", target.shown(name))), session);
        for ((name, target), output) in targets.iter().zip(outputs) {
            let bundle = target.signed(&signer, session).map_err(|failure| nothing_signed(failure, name))?;
            session.create(&output, &bundle)?;
            session.say(&format!("signed `{name}`: {}\n", output.display()));
        }
        Ok(Exit::Holds)
    }

    /// The file that each bundle goes to, which can be made.
    fn outputs(&self, targets: &[(String, Target)], session: &Session) -> Result<Vec<PathBuf>, Failure> {
        let alone = targets.len() == 1;
        self.output.as_deref().map_or(Ok(()), refuse_dash)?;
        let folder = match &self.output {
            Some(output) if alone && output.extension().is_some() => {
                session.refuse_uncreatable([output])?;
                return Ok(vec![output.clone()]);
            }
            Some(output) if !alone && is_file_name(output, session) => {
                return Err(several(output, "several artifacts"));
            }
            Some(folder) => folder,
            None => Path::new(EVIDENCE),
        };
        let outputs: Vec<PathBuf> =
            targets.iter().map(|(name, _)| folder.join(bundle_name("signature", name))).collect();
        session.refuse_uncreatable(&outputs)?;
        Ok(outputs)
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

    /// That it can be read, and may be signed.
    fn check(&self, session: &Session) -> Result<(), Failure> {
        let Self::File(path) = self else { return Ok(()) };
        session.refuse_pipe(path)?;
        let bytes = session.read(path, Exit::NoDecision)?;
        signing::refuse_ambiguous(&bytes).map_err(|error| Failure::of(Exit::NoDecision, &error))
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

fn nothing_signed(failure: Failure, name: &str) -> Failure {
    failure.hint(format!("nothing was signed for `{name}`"))
}

/// Whether a name is a file's: one that is there, or that ends like one, and is no folder.
pub(super) fn is_file_name(path: &Path, session: &Session) -> bool {
    let ends = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    session.is_file(path) || ends && !session.is_folder(path)
}

/// One file for what has files of its own.
pub(super) fn several(output: &Path, of: &str) -> Failure {
    Failure::usage(format!("`{}` is the name of a file, and there are {of}", output.display()))
        .hint("give a folder with --output: each has a bundle of its own")
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

/// The folder that bundles are written to where nothing else is said.
pub(super) const EVIDENCE: &str = "evidence";

/// How the name of a bundle ends.
pub(super) const BUNDLE_ENDING: &str = ".sigstore.json";

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
