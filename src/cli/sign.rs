//! `laforge sign`: a signature over each artifact, as a Sigstore bundle.

use std::path::{Path, PathBuf};

use clap::Args;

use super::load::{self, Signing};
use super::signer::SignerFlags;
use super::{Exit, Failure, Session};

/// Sign artifacts, with a local key or keyless.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// Files to sign
    #[arg(value_name = "ARTIFACT", required_unless_present = "release")]
    artifacts: Vec<PathBuf>,
    /// Sign every artifact of this release that is a file
    #[arg(long, value_name = "FILE", conflicts_with = "artifacts")]
    release: Option<PathBuf>,
    /// Where to write: a file for one artifact, else a folder (default: evidence/)
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerFlags,
}

impl Sign {
    pub(super) fn run(self, session: &Session) -> Result<Exit, Failure> {
        let signer = self.signer.signer(session)?;
        signer.warn_of_stranger(Signing::Artifact, session);
        let artifacts = match &self.release {
            Some(file) => load::release_files(session, file)?,
            None => self.artifacts.iter().map(|path| (file_name(path), path.clone())).collect(),
        };
        let alone = artifacts.len() == 1;
        if let Some(output) = self.output.as_ref().filter(|output| !alone && session.is_file(output)) {
            return Err(Failure::usage(format!(
                "`{}` is a file, and there are several artifacts",
                output.display()
            ))
            .hint("give a folder with --output: each artifact has a bundle of its own"));
        }
        signer.announce(
            artifacts.iter().map(|(name, path)| ("artifact", format!("{name} ({})", path.display()))),
            session,
        );
        for (name, path) in artifacts {
            let bytes = session.read(&path, Exit::NoDecision)?;
            let bundle = signer
                .artifact(&bytes, session)
                .map_err(|failure| failure.hint(format!("nothing was signed for `{}`", path.display())))?;
            let target = match &self.output {
                Some(output) if alone && output.extension().is_some() => output.clone(),
                Some(folder) => folder.join(bundle_name("signature", &name)),
                None => Path::new("evidence").join(bundle_name("signature", &name)),
            };
            session.create(&target, &bundle, false)?;
            session.say(&format!("signed `{name}`: {}\n", target.display()));
        }
        Ok(Exit::Holds)
    }
}

/// `signature-payments.tar.gz.sigstore.json`, safe as a file name whatever the artifact is called.
pub(super) fn bundle_name(kind: &str, name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    format!("{kind}-{safe}.sigstore.json")
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
