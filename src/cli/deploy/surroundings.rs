//! What variables of the environment name, looked at before anything is decided.
//!
//! In: flags, configuration, trust. Out: that no file of the runner, which is appended to, is one that the gate goes
//! by, and that authorities are read from no pipe, which would never end.
#![expect(clippy::disallowed_methods, reason = "the variable that the TLS library reads is read as it does")]

use std::path::{Path, PathBuf};

use crate::config::{self, Config, ConfiguredRelease, KeySource};
use crate::trust::TrustRoot;

use super::super::flags::{EvidenceFlags, GateFlags, ReleaseFlags};
use super::super::{Failure, Session, github, load};
use super::Deploy;

/// The variable that names a file of authorities.
const AUTHORITIES: &str = "SSL_CERT_FILE";

impl Deploy {
    /// Refuses what the environment names, once it is known what this run goes by.
    pub(super) fn refuse_surroundings(
        &self,
        config: &Config,
        trust: &TrustRoot,
        session: &Session,
    ) -> Result<(), Failure> {
        github::refuse_own(&self.own(Some(config), Some(trust), session), session)?;
        // Offline there is no client that would read it.
        if self.gate.evidence.offline { Ok(()) } else { refuse_endless_authorities(session) }
    }

    /// Tells the runner how a run ended that leaves no entry, unless it would be told in what the gate goes by: the
    /// run may have ended before that was found out.
    pub(super) fn tell_failure(&self, failure: &Failure, session: &Session) {
        if github::files(session).is_empty() {
            return;
        }
        let config = load::config(session).ok();
        let trust = config.as_ref().and_then(|config| load::trust(&self.gate.evidence, config, session).ok());
        let own = self.own(config.as_ref(), trust.as_ref(), session);
        // The runner's outputs are a courtesy; the failure itself is what ends the run.
        let _ = github::refuse_own(&own, session).and_then(|()| github::tell_failure(failure, session));
    }

    /// The files and folders that this run goes by, as far as they are known.
    fn own(&self, config: Option<&Config>, trust: Option<&TrustRoot>, session: &Session) -> Vec<PathBuf> {
        let GateFlags { release, evidence, policy, .. } = &self.gate;
        let ReleaseFlags { release, manifests, .. } = release;
        let EvidenceFlags { evidence, trust: given, .. } = evidence;
        let file = session.config.clone().unwrap_or_else(|| PathBuf::from(config::FILE));
        let mut own = vec![file];
        own.extend([release, manifests, given].into_iter().flatten().cloned());
        own.extend(evidence.iter().cloned());
        // A policy may be named with its pin.
        let paths = policy.policy.iter().map(|it| it.rsplit_once("@sha256:").map_or(it.as_str(), |it| it.0));
        own.extend(paths.map(PathBuf::from));
        own.extend(self.audit_key.iter().map(String::as_str).chain(self.summary.key()).filter_map(key_file));
        own.extend(config.into_iter().flat_map(configured));
        own.extend(trust.into_iter().flat_map(|trust| trust.files().iter().cloned()));
        own.extend(load::seen_folder(session));
        own
    }
}

/// What a configuration names.
fn configured(config: &Config) -> Vec<PathBuf> {
    let document = match &config.release {
        Some(ConfiguredRelease::Document(path)) => Some(path),
        Some(ConfiguredRelease::Inline(_)) | None => None,
    };
    let policies = config.policies.iter().map(|set| &set.path);
    let named = document.into_iter().chain(&config.manifests).chain(&config.trust).chain(&config.evidence);
    let key = config.audit.as_ref().and_then(|audit| audit.key.as_ref());
    let key = key.and_then(|key| match key {
        KeySource::File(path) => Some(path.clone()),
        KeySource::Environment(_) => None,
    });
    named.chain(policies).map(|configured| configured.path.clone()).chain(key).collect()
}

/// The file that a flag's secret key is in, if it is in one.
fn key_file(source: &str) -> Option<PathBuf> {
    match KeySource::parse(source, Path::new("")) {
        Ok(KeySource::Environment(_)) => None,
        Ok(KeySource::File(path)) => Some(path),
        Err(_) => Some(source.into()),
    }
}

/// Refuses authorities that are a pipe or a device: the library that reads them would wait for ever.
fn refuse_endless_authorities(session: &Session) -> Result<(), Failure> {
    let Some(path) = std::env::var_os(AUTHORITIES) else { return Ok(()) };
    session.refuse_pipe(Path::new(&path)).map_err(|failure| {
        failure.because(format!("it is what `{AUTHORITIES}` names")).hint(format!(
            "have `{AUTHORITIES}` name a file of certificates in PEM, or unset it: then the system's authorities count"
        ))
    })
}
