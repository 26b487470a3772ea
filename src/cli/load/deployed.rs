//! The release whole: what a document or `laforge.yaml` says, and what manifests and images add to it.
//!
//! `deploy`, `verify` and `approve` put it together here, so that what is signed and what is judged is
//! one release with one digest.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfiguredPath, ConfiguredRelease};
use crate::plan::{RolloutError, RolloutRequest};
use crate::release::Release;
use crate::release::deployed::Deployed;
use crate::release::document::{Artifacts, place_of_artifact, place_of_environment};
use crate::release::resolved::ResolveError;
use crate::source::manifests::{ManifestsError, read_manifests};
use crate::yaml::DocumentError;

use super::super::error::Failure;
use super::super::exit::Exit;
use super::super::flags::ReleaseFlags;
use super::super::session::Session;
use super::{add_images, document, folder_of, refuse_absent};

/// The release that flag or configuration name, if any, with all that is deployed.
pub(in crate::cli) fn release_in_reach(
    flags: &ReleaseFlags,
    config: &Config,
    session: &Session,
) -> Result<Option<Release>, Failure> {
    let configured = config.manifests.as_ref().map(|manifests| manifests.path.as_path());
    let manifests = flags.manifests.as_deref().or(configured);
    let artifacts = match manifests.is_some() || !flags.image.is_empty() {
        true => Artifacts::Beside,
        false => Artifacts::Listed,
    };
    let Some(mut release) = named(flags, config, artifacts, session)? else {
        return match artifacts {
            Artifacts::Listed => Ok(None),
            Artifacts::Beside => Err(nameless(manifests, flags.image.first())),
        };
    };
    add_images(&mut release, &flags.image)?;
    if let Some(path) = manifests {
        let deployed = deployed(path, session)?;
        release.deploy(deployed).map_err(|error| {
            Failure::of(Exit::Usage, &error).because("an image of the manifests is named so")
        })?;
    }
    match &flags.environment {
        Some(environment) if *environment != release.environment => Err(Failure::usage(format!(
            "--environment `{environment}` is not the release's, which is for `{}`",
            release.environment
        ))
        .hint("a release names its environment, and approvals are for that one: change the release, not the flag")),
        _ => Ok(Some(release)),
    }
}

/// The file that the release in reach is of: where a finding without a place of its own is shown.
pub(in crate::cli) fn about(flags: &ReleaseFlags, config: &Config, session: &Session) -> PathBuf {
    let document = document_in_reach(flags, config).or(session.config.as_ref());
    document.cloned().unwrap_or_else(|| PathBuf::from(crate::config::FILE))
}

/// The document of the release in reach, if it has one.
fn document_in_reach<'a>(flags: &'a ReleaseFlags, config: &'a Config) -> Option<&'a PathBuf> {
    let configured = match &config.release {
        Some(ConfiguredRelease::Document(ConfiguredPath { path, .. })) => Some(path),
        _ => None,
    };
    flags.release.as_ref().or(configured)
}

/// What it is that a release's bytes could not be read: shown where the document says where they are.
pub(in crate::cli) fn unresolved(
    error: &ResolveError,
    (flags, config): (&ReleaseFlags, &Config),
    session: &Session,
) -> Failure {
    let failure = Failure::of(Exit::NoDecision, error);
    let ResolveError::Unreadable { name, source: cause, .. } = error else { return failure };
    let document = document_in_reach(flags, config).and_then(|path| document(session, path).ok());
    let failure = match document.as_ref().and_then(|document| place_of_artifact(document, name)) {
        Some(place) => {
            let shown = DocumentError { place, message: error.to_string(), help: None };
            Failure::at(Exit::NoDecision, shown).because(cause.to_string())
        }
        None => failure,
    };
    failure.hint(match cause.kind() {
        io::ErrorKind::PermissionDenied => "let whoever runs this read it, and enter the folders on the way",
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "deliver a file there, or mend the path",
        _ => "`path` is relative to the release's document: deliver the file there, or mend the path",
    })
}

/// Name, version, environment and source, and the artifacts that a document lists.
fn named(
    flags: &ReleaseFlags,
    config: &Config,
    artifacts: Artifacts,
    session: &Session,
) -> Result<Option<Release>, Failure> {
    let path = match (&flags.release, &config.release) {
        (Some(path), _) => path,
        (None, Some(ConfiguredRelease::Document(configured))) => {
            refuse_absent("release", configured, session)?;
            &configured.path
        }
        (None, Some(ConfiguredRelease::Inline(release))) if artifacts == Artifacts::Beside => {
            return Ok(Some(release.as_ref().clone()));
        }
        (None, Some(ConfiguredRelease::Inline(_))) => {
            return Err(Failure::usage("the release in laforge.yaml has nothing to deliver").hint(
                "add `manifests:` beside it, --manifests or --image, or name a document that lists artifacts",
            ));
        }
        (None, None) => return Ok(None),
    };
    let source = document(session, path)?;
    Ok(Some(Release::parse_with(&source, folder_of(path), artifacts)?))
}

/// That the rollout fits the release. Where no target is configured it is the environment's name: one that
/// can't be a target is shown where the release names it.
pub(in crate::cli) fn check_rollout(
    rollout: &RolloutRequest,
    release: &Release,
    (flags, config): (&ReleaseFlags, &Config),
    session: &Session,
) -> Result<(), Failure> {
    let Err(error) = rollout.check(release) else { return Ok(()) };
    let RolloutError::Default { member: "target", .. } = &error else { return Err(error.into()) };
    let source = document_in_reach(flags, config).and_then(|path| document(session, path).ok());
    let message = format!(
        "the environment `{}` can't name the rollout's target, as it does where none is configured",
        release.environment.escape_debug()
    );
    let help = "write the environment in small letters, digits, `.`, `_` and `-`, or name a target: \
                `rollout: {target: …}` in laforge.yaml, or --target"
        .to_owned();
    Err(match source.as_ref().and_then(place_of_environment) {
        Some(place) => DocumentError { place, message, help: Some(help) }.into(),
        None => Failure::of(Exit::Usage, &error).because(message).hint(help),
    })
}

/// Manifests and images say what is delivered, and not as what.
fn nameless(manifests: Option<&Path>, image: Option<&String>) -> Failure {
    let what = match (manifests, image) {
        (Some(path), _) => format!("the manifests `{}` are of no release", path.display()),
        (None, image) => format!("--image `{}` is of no release", image.map_or("", String::as_str)),
    };
    Failure::usage(what)
        .hint("name, version, environment and source come from `release:` in laforge.yaml or --release")
}

/// Reads rendered manifests.
fn deployed(path: &Path, session: &Session) -> Result<Deployed, Failure> {
    session.refuse_pipe(path).map_err(|failure| {
        failure
            .hint("what is piped comes in on standard input: `kustomize build DIR | laforge … --manifests -`")
    })?;
    let files = read_manifests(path, &mut io::stdin().lock()).map_err(|error| {
        let failure = Failure::of(Exit::Usage, &error);
        match error {
            ManifestsError::Unreadable { .. } => {
                failure.hint("check the path, and the permissions on the way")
            }
            ManifestsError::Unrendered { .. } => failure.hint(
                "render first: `kustomize build DIR | laforge deploy --manifests -`, or `helm template`",
            ),
            ManifestsError::Link { .. } | ManifestsError::Capitals { .. } => {
                failure.hint("put a file with a name in small letters in its place")
            }
            _ => failure.hint("give the folder or the output of what renders this one release"),
        }
    })?;
    Ok(Deployed::read(&files)?)
}
