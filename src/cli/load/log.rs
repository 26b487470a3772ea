//! Where and how the log is kept, opened for the gate.
//!
//! In: flags, configuration and trust. Out: a log that trust pins, or a failure of 12 or 13.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::{AuditError, AuditLog, ExitClass, Expectations, LogConfig, NewLog, Pin, Unless, Warning};
use crate::config::{Config, KeySource};
use crate::key::secret::SecretKey;
use crate::report::paint::printable;
use crate::time::{self, Timestamp};
use crate::trust::{Gate, TrustRoot};

use super::super::error::VERSIONS_RISE;
use super::super::{Exit, Failure, Session, caller};

/// Where a log is configured, that one takes the decision: a copy of it elsewhere would hide it, and
/// the gate's key would sign both.
pub(in crate::cli) fn refuse_other_log(given: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let (Some(given), Some(audit)) = (given, &config.audit) else { return Ok(()) };
    let configured = &audit.log.path;
    let same = given == configured
        || given
            .canonicalize()
            .ok()
            .is_some_and(|given| configured.canonicalize().is_ok_and(|it| it == given));
    match same {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "--audit-log `{}` is not the configured `{}`",
            given.display(),
            configured.display()
        ))
        .hint("change the configured log, behind review; a flag can't replace it")),
    }
}

/// What a log that is not there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Missing {
    /// Made, as `--audit-init` asks.
    IsMade,
    /// A failure: it may have been deleted.
    IsRefused,
}

/// Where and how the log is kept, from flags and configuration.
pub(in crate::cli) struct LogPlace {
    /// Its folder.
    pub(in crate::cli) folder: PathBuf,
    /// Where its key is.
    pub(in crate::cli) key: Option<KeySource>,
    origin: Option<String>,
    min_free: Option<u64>,
    filesystems: Vec<String>,
    patience: Option<Duration>,
}

impl LogPlace {
    /// From flags over configuration.
    pub(in crate::cli) fn of(
        folder: Option<&PathBuf>,
        key: Option<&String>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let audit = config.audit.as_ref();
        let folder = folder.cloned().or_else(|| audit.map(|audit| audit.log.path.clone()));
        let key = key_of(key)?;
        Ok(Self {
            folder: folder.ok_or_else(|| {
                Failure::new(Exit::NotRecorded, "no audit log: a decision that is not recorded lets nothing out")
                    .hint("name it with `audit: {log, origin, key}` in laforge.yaml, or --audit-log and --audit-key")
            })?,
            key: key.or_else(|| audit.and_then(|audit| audit.key.clone())),
            origin: audit.and_then(|audit| audit.origin.clone()),
            min_free: audit.and_then(|audit| audit.min_free),
            filesystems: audit.map(|audit| audit.filesystems.clone()).unwrap_or_default(),
            patience: None,
        })
    }

    /// The same, with the key of a flag, if one is given.
    pub(in crate::cli) fn with_key(self, key: Option<&String>) -> Result<Self, Failure> {
        Ok(Self { key: key_of(key)?.or(self.key), ..self })
    }

    /// The same, with another time to wait for another writer.
    pub(in crate::cli) fn patient_for(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// The origin that is configured.
    pub(in crate::cli) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Opens the log for writing; creates it where that is asked for and nothing speaks against it.
    pub(in crate::cli) fn open(
        self,
        missing: Missing,
        trust: &TrustRoot,
        environment: &str,
        session: &Session,
        now: Timestamp,
    ) -> Result<AuditLog, Failure> {
        let key = self.secret_key(session)?;
        let seen = seen_folder(session);
        if missing == Missing::IsMade && !session.exists(&self.folder) {
            if !trust.gates.is_empty() {
                return Err(Failure::new(
                    Exit::NotRecorded,
                    "an audit log is known already: trust pins gates, and a log made now would be none of them",
                )
                .hint("restore the log that is pinned, or pin a new one under a new origin and key, behind review"));
            }
            let origin =
                self.origin.clone().unwrap_or_else(|| default_origin(&key.public().id().hex(), environment));
            let caller = caller::of(session);
            let new = NewLog {
                seen: seen.clone(),
                // A head of this origin that was seen here speaks against it, too.
                unless: Unless::Known(&[]),
                ..NewLog::new(&self.folder, &origin, &caller)
            };
            AuditLog::create(&new, &key, now).map_err(|error| failure_in(&self.folder, &error))?;
            session.say(&format!("created the audit log {} of {origin}\n", self.folder.display()));
        }
        let log = self.open_with(key, all_pins(trust), seen, now)?;
        refuse_other_gates(&log, trust, environment)?;
        Ok(log)
    }

    /// Its key.
    pub(in crate::cli) fn secret_key(&self, session: &Session) -> Result<SecretKey, Failure> {
        let source = self.key.as_ref().ok_or_else(|| {
            Failure::new(Exit::NotRecorded, "no key for the audit log")
                .hint("name it with `audit: {key: env:NAME}` in laforge.yaml, or --audit-key")
        })?;
        session.secret_key(source)
    }

    /// Opens a log that is there for an entry that is no decision: of whatever environment, and without trust pinned
    /// by nothing.
    pub(in crate::cli) fn open_as_is(
        self,
        key: SecretKey,
        trust: Option<&TrustRoot>,
        session: &Session,
        now: Timestamp,
    ) -> Result<AuditLog, Failure> {
        self.open_with(key, trust.map(all_pins).unwrap_or_default(), seen_folder(session), now)
    }

    fn open_with(
        self,
        key: SecretKey,
        pins: Vec<Pin>,
        seen: Option<PathBuf>,
        now: Timestamp,
    ) -> Result<AuditLog, Failure> {
        let mut config = LogConfig::new(&self.folder, Some(key));
        (config.origin, config.pins, config.seen) = (self.origin, pins, seen);
        config.allowed_filesystems = self.filesystems;
        if let Some(min_free) = self.min_free {
            config.min_free = min_free;
        }
        if let Some(patience) = self.patience {
            config.lock_deadline = patience;
        }
        AuditLog::open(config, now).map_err(|error| failure_in(&self.folder, &error))
    }

    /// What a reader holds the log to; without trust nothing is pinned.
    pub(in crate::cli) fn expectations(&self, trust: Option<&TrustRoot>, session: &Session) -> Expectations {
        let pins = trust.map(all_pins).unwrap_or_default();
        Expectations { origin: self.origin.clone(), pins, seen: seen_folder(session), anchors: Vec::new() }
    }
}

/// Where a flag says that the key is.
fn key_of(flag: Option<&String>) -> Result<Option<KeySource>, Failure> {
    let parsed = flag.map(|key| KeySource::parse(key, Path::new(""))).transpose();
    parsed.map_err(|error| Failure::of(Exit::Usage, &error))
}

/// Where trust pins gates, a decision is recorded by one of them, and by one that may decide for
/// this environment: no executor would take a plan of another.
pub(in crate::cli) fn refuse_other_gates(
    log: &AuditLog,
    trust: &TrustRoot,
    environment: &str,
) -> Result<(), Failure> {
    let is_log = |gate: &&Gate| gate.origin == log.origin() && gate.log_id == log.log_id();
    let may_decide = |gate: &Gate| gate.environments.iter().any(|name| name == environment);
    if trust.gates.is_empty() || trust.gates.iter().filter(is_log).any(may_decide) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Integrity,
        format!("the log of {} is none of the gates that trust pins for `{environment}`", log.origin()),
    )
    .hint("record with the pinned log, or pin this one under `gates`, behind review"))
}

fn all_pins(trust: &TrustRoot) -> Vec<Pin> {
    trust.gates.iter().map(pin).collect()
}

fn pin(gate: &Gate) -> Pin {
    Pin { key: gate.key.clone(), origin: gate.origin.clone(), log_id: gate.log_id.clone() }
}

fn default_origin(random: &str, environment: &str) -> String {
    format!("laforge.invalid/{}/{environment}", random.get(..8).unwrap_or(random))
}

/// Where heads are remembered, below the folder of caches.
const SEEN: &str = "laforge/seen";

/// Where the heads are remembered that this machine has seen (`audit-log.md` 1.8).
pub(in crate::cli) fn seen_folder(session: &Session) -> Option<PathBuf> {
    let cache = match session.variable("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(session.variable("HOME")?).join(".cache"),
    };
    Some(cache.join(SEEN))
}

/// What is told of a log's warning: what it is, why, and how to mend it.
pub(in crate::cli) fn warning(warning: &Warning) -> String {
    let mut text = warning.to_string();
    let mut source = warning.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    match warning {
        Warning::Memory(_) => {
            text.push_str("; have XDG_CACHE_HOME, or HOME, name a folder that may be written");
        }
        Warning::Fork(_) => text.push_str("; find out who writes to it: docs/audit-log.md"),
        _ => {}
    }
    printable(&text)
}

/// The same, where the log lies.
fn failure_in(folder: &Path, error: &AuditError) -> Failure {
    let failure = audit_failure(error);
    match error.exit_class() {
        ExitClass::Integrity => failure.because(format!("it is the log in `{}`", folder.display())),
        _ => failure,
    }
}

/// What a log's error means for the run.
pub(in crate::cli) fn audit_failure(error: &AuditError) -> Failure {
    match error.exit_class() {
        ExitClass::Unusable => {
            let failure = Failure::of(Exit::NotRecorded, error);
            match error {
                AuditError::Missing(_) => failure
                    .hint("a log that was there is restored, never made anew; a first one is made by `laforge audit init`"),
                AuditError::Known { .. } => failure
                    .hint("restore the log that is known, or pin a new one under a new origin and key, behind review"),
                AuditError::NotALog(_) => failure.hint(
                    "name the log's own folder, where its `log.json` is; a log that was there is restored, never made anew",
                ),
                AuditError::ClockBehind { last, .. } => failure
                    .hint("if this machine's clock is behind, mend it")
                    .hint(format!(
                        "if it is right, that entry was written by a clock that was ahead, and it stays: wait until {}, or \
                         go on in a new log under a new origin and keep this one: docs/audit-log.md#a-clock-that-was-ahead",
                        time::to_seconds(*last)
                    )),
                AuditError::Io { path, .. } if path.parent().is_some_and(|it| it.ends_with(SEEN)) => failure.hint(
                    "this machine remembers there which heads it has seen: let whoever runs this read and write it, or \
                     have XDG_CACHE_HOME name another folder",
                ),
                _ => failure,
            }
        }
        ExitClass::Integrity => Failure::of(Exit::Integrity, error)
            .hint("keep the folder as it is, and compare it with an anchor or a copy"),
        ExitClass::PolicyRollback => Failure::of(Exit::Usage, error).hint(VERSIONS_RISE),
    }
}
