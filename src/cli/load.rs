//! Loading, in the contract's order: configuration, the release's claims, trust, the log, policies.
//!
//! The first failure gives the exit code (`cli.md`). A flag overrides what `laforge.yaml` says; a
//! `--policy` only ever adds.

mod deployed;
mod elsewhere;
mod executor;
mod log;
mod world;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{self, Config, ConfiguredPath};
use crate::evidence::bundle::instance::Instance;
use crate::evidence::use_for;
use crate::policy::set::PolicyError;
use crate::policy::{PolicySet, PolicySets};
use crate::release::Release;
use crate::release::digest::ClaimedDigest;
use crate::release::reference::{ImageReference, ReferenceError};
use crate::report::paint::printable;
use crate::source::directory;
use crate::source::oci::{Registries, Settings};
use crate::source::release_bundle::Bundles;
use crate::time::{self, Timestamp};
use crate::trust::{Identity, TrustRoot, Use};
use crate::wording::nearest;
use crate::yaml::{DocumentError, Source};

use super::error::Failure;
use super::exit::Exit;
use super::flags::{EvidenceFlags, PolicyFlags};
use super::session::Session;

pub(super) use deployed::{about, check_rollout, release_in_reach, unresolved};
pub(super) use elsewhere::{refuse_elsewhere, refuse_misnamed, unconfigured};
pub(super) use executor::{AnchorFlags, Whereabouts, accept, accept_for, executor, executor_trust};
pub(super) use log::{
    LogPlace, Missing, audit_failure, refuse_other_gates, refuse_other_log, seen_folder, warning,
};
pub(super) use world::Sources;

/// What an absent `laforge.yaml` stands for: nothing configured.
const NOTHING: &str = "apiVersion: laforge.dev/v1\nkind: Config\n";

/// Something whose meaning is fixed and that is not built yet.
pub(super) fn not_built_yet(what: &str) -> Failure {
    Failure::usage(format!("`{what}` is not built yet"))
        .hint("it is refused rather than ignored: leave it out, or gate on what is built")
}

/// A verb that `clap` doesn't know: of the contract and not built yet, or of none.
pub(super) fn other_verb(family: &str, words: &[OsString], later: &[&str]) -> Failure {
    let verb = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    match later.contains(&verb.as_str()) {
        true => Failure::usage(format!("`laforge {family}{verb}` is not built yet")),
        false => {
            let failure = Failure::usage(format!("`laforge {family}{verb}` is no verb"));
            let whole = super::command();
            let parent = whole.find_subcommand(family.trim_end()).unwrap_or(&whole);
            match nearest(&verb, parent.get_subcommands().map(|known| known.get_name())) {
                Some(near) => failure.hint(format!("did you mean `laforge {family}{near}`?")),
                None => failure,
            }
            .hint(format!("`laforge {family}--help` lists them"))
        }
    }
}

/// That no release is in reach of a verb that needs one.
pub(super) fn no_release(what: &str, session: &Session) -> Failure {
    unconfigured(&format!("{what}: no release in reach, and that is never a pass"), session)
        .hint("name one with `release:` in laforge.yaml or --release")
}

/// `laforge.yaml`, or nothing configured where there is none.
pub(super) fn config(session: &Session) -> Result<Config, Failure> {
    let path = session.config.clone().unwrap_or_else(|| PathBuf::from(config::FILE));
    if session.config.is_none() && !session.exists(&path) {
        return Ok(Config::read(&Source::new(config::FILE, NOTHING), Path::new(""))?);
    }
    let source = document(session, &path)?;
    Ok(Config::read(&source, folder_of(&path))?)
}

/// The release's claims.
pub(super) fn release(session: &Session, path: &Path) -> Result<Release, Failure> {
    let source = document(session, path)?;
    Ok(Release::parse(&source, folder_of(path))?)
}

/// Adds the images of the command line to a release: what is approved and verified is all of them.
pub(super) fn add_images(release: &mut Release, images: &[String]) -> Result<(), Failure> {
    for image in images {
        let failure = |problem: &dyn std::error::Error| {
            Failure::of(Exit::Usage, problem).because(format!("it is what --image `{image}` says"))
        };
        let reference: ImageReference = image.parse().map_err(|error: ReferenceError| failure(&error))?;
        let digest = reference.digest.ok_or_else(|| {
            Failure::usage(format!("--image `{image}` has no digest"))
                .hint("a tag can be moved: write `repository@sha256:…`, the digest that the push printed")
        })?;
        release
            .add_image(&reference.repository, &digest)
            .map_err(|error| Failure::usage(format!("--image `{image}` {error}")))?;
    }
    Ok(())
}

/// Whose word counts. A trust file on the command line may not loosen the configured one.
pub(super) fn trust(flags: &EvidenceFlags, config: &Config, session: &Session) -> Result<TrustRoot, Failure> {
    match (&flags.trust, config.trust.as_ref().map(|trust| &trust.path)) {
        (Some(given), Some(configured)) => {
            let (given_root, configured_root) =
                (trust_file(session, given)?, trust_file(session, configured)?);
            if given_root.digest() != configured_root.digest() {
                return Err(Failure::usage(format!(
                    "--trust `{}` is other trust than the configured `{}`",
                    given.display(),
                    configured.display()
                ))
                .hint("change the configured trust, behind review; a flag can't replace it"));
            }
            Ok(configured_root)
        }
        (Some(path), None) => trust_file(session, path),
        (None, Some(path)) => {
            config.trust.as_ref().map_or(Ok(()), |trust| refuse_absent("trust", trust, session))?;
            trust_file(session, path)
        }
        (None, None) => Err(unconfigured("no trust file: nobody's word would count", session)
            .hint("name one with `trust:` in laforge.yaml or --trust; `laforge init` writes a first one")),
    }
}

/// That a configured path leads to nothing, shown where it is configured.
pub(super) fn refuse_absent(
    what: &str,
    configured: &ConfiguredPath,
    session: &Session,
) -> Result<(), Failure> {
    if !session.is_absent(&configured.path) {
        return Ok(());
    }
    let message = format!("there is no {what} at `{}`", configured.path.display());
    let help = "make it, or mend the path: it is relative to this file's folder".to_owned();
    Err(DocumentError { place: configured.place.clone(), message, help: Some(help) }.into())
}

fn trust_file(session: &Session, path: &Path) -> Result<TrustRoot, Failure> {
    let source = document(session, path)?;
    let mut read = |file: &Path| -> io::Result<Vec<u8>> { session.bytes(file) };
    let trust = TrustRoot::load(&source, &mut read, folder_of(path))?;
    for root in &trust.roots {
        Instance::prepare(&root.json).map_err(|error| {
            Failure::of(Exit::Usage, &error).hint(format!(
                "the Sigstore root `{}` of `{}` can verify nothing",
                root.name,
                path.display()
            ))
        })?;
    }
    Ok(trust)
}

/// What decides or records, beside trust, and has to lie where nobody who brings evidence may write. A policy set
/// under a pin can't be another one.
fn kept_apart(config: &Config) -> impl Iterator<Item = (&'static str, &PathBuf)> {
    let policies = config.policies.iter().filter(|set| set.digest.is_none());
    let policies = policies.map(|set| ("policy", &set.path.path));
    policies.chain(config.audit.iter().map(|audit| ("log", &audit.log.path)))
}

/// The folders and files of evidence; a path of trust, of an unpinned policy set or of the log inside one is
/// refused.
pub(super) fn evidence_paths(
    flags: &EvidenceFlags,
    config: &Config,
    trust: &TrustRoot,
    session: &Session,
) -> Result<Vec<PathBuf>, Failure> {
    let trust_file = flags.trust.iter().chain(config.trust.as_ref().map(|trust| &trust.path));
    // What is not there is a mistake of whoever configured it; what can't be read is unreachable.
    let paths: Vec<PathBuf> = match flags.evidence.is_empty() {
        true => {
            config.evidence.iter().try_for_each(|path| refuse_absent("evidence", path, session))?;
            config.evidence.iter().map(|evidence| evidence.path.clone()).collect()
        }
        false => flags.evidence.clone(),
    };
    for path in &paths {
        if session.is_absent(path) {
            return Err(Failure::usage(format!("there is no evidence path `{}`", path.display()))
                .hint("make it, or name another with --evidence"));
        }
        session.refuse_pipe(path)?;
    }
    let trust_files = trust.files().iter().chain(trust_file).map(|file| ("trust", file));
    for (what, file) in trust_files.chain(kept_apart(config)) {
        if what != "trust" && session.is_absent(file) {
            continue; // A log that is yet to be made; whoever reads policies says that there are none.
        }
        if directory::lies_within(file, &paths)
            .map_err(|error| Failure::io(Exit::Usage, "find", file, &error))?
        {
            return Err(Failure::usage(format!(
                "the {what} path `{}` lies inside an evidence path",
                file.display()
            ))
            .hint(format!("whoever may bring evidence could bring {what}: keep them apart")));
        }
    }
    Ok(paths)
}

/// The release bundles among the evidence paths, and the paths to be read as evidence always is. One that
/// is none is said at once: where it stood for a registry, no evidence is looked at that could be set aside.
pub(super) fn bundles(paths: &[PathBuf], session: &Session) -> (Bundles, Vec<PathBuf>) {
    let (bundles, others) = Bundles::among(paths);
    for broken in bundles.broken() {
        let text = format!("`{}` {}; make it again with `laforge bundle`", broken.source, broken.problem);
        session.tell(&format!("warning: {}\n", printable(&text)));
    }
    (bundles, others)
}

/// The registries that images are asked of; with `--offline` none, and no client is ever made.
fn registries<'a>(flags: &EvidenceFlags, session: &Session) -> Registries<'a> {
    if flags.offline {
        return Registries::offline();
    }
    let home = || session.variable("HOME").map(|home| Path::new(&home).join(".docker"));
    let docker_config = session.variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    Registries::online(Settings { docker_config, ..Settings::default() })
}

/// The configured sets and the flags, none of them older than what the log has recorded.
pub(super) fn policies(
    flags: &PolicyFlags,
    config: &Config,
    trust: &TrustRoot,
    recorded: &BTreeMap<String, u64>,
    session: &Session,
) -> Result<PolicySets, Failure> {
    let mut sets = Vec::new();
    for configured in &config.policies {
        refuse_absent("policy", &configured.path, session)?;
        sets.push(policy_set(&configured.path.path, configured.digest.as_ref(), trust)?);
    }
    for given in &flags.policy {
        let (path, pin) = pinned(given)?;
        sets.push(policy_set(Path::new(path), pin.as_ref(), trust)?);
    }
    let sets = PolicySets::new(sets, flags.required(), trust)?;
    sets.refuse_rollback(|set| recorded.get(set).copied())?;
    Ok(sets)
}

/// One set from a folder or a file, and its pin.
pub(super) fn policy_set(
    path: &Path,
    pin: Option<&ClaimedDigest>,
    trust: &TrustRoot,
) -> Result<PolicySet, Failure> {
    let files = directory::read_policy_set(path).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let set = PolicySet::load(files, trust).map_err(|error| match &error {
        PolicyError::Empty => Failure::of(Exit::Usage, &error)
            .because(format!("it is the one at `{}`", path.display()))
            .hint("a policy is a `*.yaml` with `kind: Policy`, beside `policy-set.yaml`"),
        _ => error.into(),
    })?;
    match pin {
        Some(pin) if set.digest() != *pin => Err(Failure::usage(format!(
            "policy set `{}` has the digest {}, and the pin says {pin}",
            path.display(),
            set.digest()
        ))
        .hint("review the change, then renew the pin")),
        _ => Ok(set),
    }
}

/// `PATH` or `PATH@sha256:…`.
fn pinned(given: &str) -> Result<(&str, Option<ClaimedDigest>), Failure> {
    match given.rsplit_once('@') {
        Some((path, digest)) if digest.starts_with("sha256:") => {
            let pin =
                digest.parse().map_err(|error| Failure::of(Exit::Usage, &error as &dyn std::error::Error))?;
            Ok((path, Some(pin)))
        }
        _ => Ok((given, None)),
    }
}

/// What a key is about to sign.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signing {
    /// An artifact.
    Artifact,
    /// An attestation.
    Attestation,
    /// What a verifier found.
    Summary,
    /// A person's word.
    Approval,
}

impl Signing {
    /// What signing a statement of this type is.
    pub(super) fn of_statement(predicate_type: &str) -> Self {
        match use_for(predicate_type) {
            Use::Artifact => Self::Artifact,
            Use::Vsa => Self::Summary,
            Use::Attestation | Use::Policy => Self::Attestation,
        }
    }
}

/// The configured trust, if there is one that can be used: for courtesies, never for a verdict.
pub(super) fn trust_in_reach(session: &Session) -> Option<TrustRoot> {
    let config = config(session).ok()?;
    trust_file(session, &config.trust.as_ref()?.path).ok()
}

/// Says so when the trust in reach doesn't take this key or identity for that; a courtesy, and never an error.
pub(super) fn warn_of_stranger(
    is_this: &dyn Fn(&Identity) -> bool,
    what: &str,
    signing: Signing,
    session: &Session,
) {
    let Some(trust) = trust_in_reach(session) else { return };
    let signer =
        |wanted: Use| trust.signers.iter().any(|it| it.uses.contains(&wanted) && is_this(&it.identity));
    let (named, wanted) = match signing {
        Signing::Artifact => (signer(Use::Artifact), "signer with `use: artifact`"),
        Signing::Attestation => (signer(Use::Attestation), "signer with `use: attestation`"),
        Signing::Summary => (signer(Use::Vsa), "signer with `use: vsa`"),
        Signing::Approval => (trust.people.iter().any(|it| it.identities.iter().any(is_this)), "person"),
    };
    if !named {
        session.tell(&format!(
            "warning: trust names no {wanted} with this {what}, so the gate will set this aside\n"
        ));
    }
}

/// A time on the command line.
pub(super) fn instant(text: &str) -> Result<Timestamp, Failure> {
    time::parse(text).map_err(|error| Failure::of(Exit::Usage, &error))
}

fn document(session: &Session, path: &Path) -> Result<Source, Failure> {
    Ok(Source::new(&path.display().to_string(), &session.read_document(path)?))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}
