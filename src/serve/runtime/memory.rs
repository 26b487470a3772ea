//! What has to outlive a restart: how the migration went, that traffic was given, that a breach was seen.
//!
//! In: `STATE/.verdicts/<target>/<plan hex>/`, its owner's alone. Out: each as a small JSON file, durable before
//! anybody is answered. A file that can't be read, or is none of ours, is an error: what is not known allows
//! nothing. A breach that can't be written down is remembered for as long as the service runs. Operators ask for a
//! rollback as they ask a guard, by a file under `requests/` ([`Asks`]).
#![expect(clippy::disallowed_methods, reason = "the folder of what the service remembers")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::release::digest::Digest;
use crate::rollout::guard::{Asks, Unread, Verb, Waiting};
use crate::rollout::verdict::gates::Migrated;
use crate::time::Timestamp;

/// Beside the journals' folders, whose names are targets: no target begins with a dot.
const FOLDER: &str = ".verdicts";
const MIGRATION: &str = "migration.json";
const TRAFFIC: &str = "traffic.json";
const BREACH: &str = "breach.json";

/// What is remembered of one plan.
#[derive(Debug, Clone)]
pub struct Memory {
    folder: PathBuf,
    /// The first breach that could not be written down.
    unwritten: Arc<Mutex<Option<Happened>>>,
}

/// What can't be remembered, or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The system's own.
    #[error("cannot {doing} `{}`", path.display())]
    System {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of another shape.
    #[error("`{}` is not what was written there", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The thread that was at it is gone.
    #[error("what is remembered of the plan could not be read")]
    Interrupted,
}

impl MemoryError {
    /// It and its cause, in one line.
    pub(super) fn told(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// How far a migration was when it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Progress {
    Begun,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Migration {
    progress: Progress,
    at: Timestamp,
    said: String,
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Happened {
    at: Timestamp,
    why: String,
}

impl Memory {
    /// The folder of a plan; it is made when something is written.
    pub fn of(state: &Path, target: &str, plan: &Digest) -> Self {
        let folder = state.join(FOLDER).join(target).join(plan.claim().hex());
        Self { folder, unwritten: Arc::default() }
    }

    /// Makes the folder, so that what can't be written is known before anybody asks.
    ///
    /// # Errors
    /// [`MemoryError::System`].
    pub fn make(&self) -> Result<(), MemoryError> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        // What is durable in a folder is lost with it: `STATE/.verdicts/<target>/<plan>` is made here.
        let mut above = self.folder.ancestors().skip(1).take(3);
        let made = made.and_then(|()| above.try_for_each(|folder| File::open(folder)?.sync_all()));
        made.map_err(|source| system("make", &self.folder, source))
    }

    /// Where operators ask.
    pub fn asks(&self) -> Asks {
        Asks::of(&self.folder)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What became of the migration.
    pub(super) fn migrated(&self) -> Result<Migrated, MemoryError> {
        Ok(match self.read::<Migration>(MIGRATION)? {
            None => Migrated::Absent,
            Some(Migration { progress: Progress::Begun, .. }) => Migrated::Unknown,
            Some(Migration { progress: Progress::Succeeded, .. }) => Migrated::Succeeded,
            Some(Migration { progress: Progress::Failed, said, .. }) => Migrated::Failed(said),
        })
    }

    /// Writes down that a migration begins; false where one was begun before, by whomever.
    pub(super) fn begin_migration(&self, at: Timestamp) -> Result<bool, MemoryError> {
        self.claim(MIGRATION, &Migration { progress: Progress::Begun, at, said: String::new() })
    }

    /// Writes down how it ended.
    pub(super) fn end_migration(&self, at: Timestamp, ended: &Result<(), String>) -> Result<(), MemoryError> {
        let (progress, said) = match ended {
            Ok(()) => (Progress::Succeeded, String::new()),
            Err(said) => (Progress::Failed, said.clone()),
        };
        self.replace(MIGRATION, &Migration { progress, at, said })
    }

    /// Whether traffic was given.
    pub(super) fn has_traffic(&self) -> Result<bool, MemoryError> {
        Ok(self.read::<Happened>(TRAFFIC)?.is_some())
    }

    /// Writes down that it was.
    pub(super) fn give_traffic(&self, at: Timestamp) -> Result<(), MemoryError> {
        let why = "the first step was allowed".to_owned();
        self.claim(TRAFFIC, &Happened { at, why }).map(drop)
    }

    /// Writes down the first breach. One that can't be written is remembered all the same, until this ends.
    pub(super) fn breach(&self, at: Timestamp, why: &str) -> Result<(), MemoryError> {
        let breach = Happened { at, why: why.to_owned() };
        let written = self.claim(BREACH, &breach).map(drop);
        if written.is_err() {
            self.unwritten().get_or_insert(breach);
        }
        written
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<Happened>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the plan was stopped: somebody's request, else a breach.
    ///
    /// # Errors
    /// [`MemoryError`] where it may have been, and nobody can read that.
    pub(super) fn stopped(&self) -> Result<Option<String>, MemoryError> {
        let Waiting { asks, unread } = self.asks().waiting();
        let asked = asks.into_iter().find(|ask| ask.verb == Verb::Rollback);
        if let Some(ask) = asked {
            return Ok(Some(format!(
                "{} asked for a rollback: {}",
                ask.operator.actor(),
                ask.operator.reason()
            )));
        }
        let unwritten = self.unwritten().clone();
        if let Some(breach) = &unwritten {
            // Once it can be written, it outlives a restart, too. Until then it is known here.
            if self.claim(BREACH, breach).is_ok() {
                *self.unwritten() = None;
            }
        }
        let breach = match unwritten {
            Some(breach) => Some(breach),
            None => self.read::<Happened>(BREACH)?,
        };
        match (breach, unread) {
            (Some(breach), _) => Ok(Some(format!("a breach was seen: {}", breach.why))),
            (None, Some(Unread { path, source })) => Err(system("read", &path, source)),
            (None, None) => Ok(None),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, MemoryError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                let read = serde_json::from_slice(&bytes);
                read.map(Some).map_err(|source| MemoryError::Malformed { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(system("read", &path, source)),
        }
    }

    /// Writes a file that must not be there: false where it is. Cut short by a crash it reads as an error.
    fn claim<T: Serialize>(&self, name: &str, value: &T) -> Result<bool, MemoryError> {
        self.make()?;
        let path = self.folder.join(name);
        match self.write(&path, value) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(system("write", &path, source)),
        }
    }

    /// Replaces a file: whole, or not at all.
    fn replace<T: Serialize>(&self, name: &str, value: &T) -> Result<(), MemoryError> {
        let (path, partial) = (self.folder.join(name), self.folder.join(format!(".{name}")));
        let replaced = remove(&partial)
            .and_then(|()| self.write(&partial, value))
            .and_then(|()| fs::rename(&partial, &path))
            .and_then(|()| self.sync());
        replaced.map_err(|source| system("write", &path, source))
    }

    fn write<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&json::canonical(&serde_json::json!(value)))?;
        file.sync_all()?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// What a crash left.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn system(doing: &'static str, path: &Path, source: io::Error) -> MemoryError {
    MemoryError::System { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::guard::Ask;
    use crate::rollout::machine::Operator;
    use crate::time;

    fn memory() -> (tempfile::TempDir, Memory) {
        let state = tempfile::tempdir().unwrap();
        let memory = Memory::of(state.path(), "production", &Digest::of_value(&serde_json::json!({})));
        (state, memory)
    }

    fn noon() -> Timestamp {
        time::parse("2026-11-24T12:00:00Z").unwrap()
    }

    #[test]
    fn nothing_is_remembered_of_a_new_plan() {
        let (_state, memory) = memory();
        assert_eq!(memory.migrated().unwrap(), Migrated::Absent);
        assert_eq!((memory.has_traffic().unwrap(), memory.stopped().unwrap()), (false, None));
    }

    #[test]
    fn a_migration_is_begun_once() {
        let (_state, memory) = memory();
        assert!(memory.begin_migration(noon()).unwrap());
        assert!(!memory.begin_migration(noon()).unwrap());
        assert_eq!(memory.migrated().unwrap(), Migrated::Unknown);
        memory.end_migration(noon(), &Err("no such table".to_owned())).unwrap();
        assert_eq!(memory.migrated().unwrap(), Migrated::Failed("no such table".to_owned()));
        assert!(!memory.begin_migration(noon()).unwrap());
        memory.end_migration(noon(), &Ok(())).unwrap();
        assert_eq!(memory.migrated().unwrap(), Migrated::Succeeded);
    }

    #[test]
    fn a_breach_or_an_operator_stops_a_plan() {
        let (_state, memory) = memory();
        memory.breach(noon(), "errors: 5 of 10").unwrap();
        memory.breach(noon(), "later").unwrap();
        assert_eq!(memory.stopped().unwrap(), Some("a breach was seen: errors: 5 of 10".to_owned()));
        let ask = |verb, nonce: &str| Ask {
            verb,
            operator: Operator::new("alice", "the dashboard is red").unwrap(),
            epoch: 0,
            nonce: nonce.to_owned(),
        };
        memory.asks().leave(&ask(Verb::Pause, "a")).unwrap();
        memory.asks().leave(&ask(Verb::Rollback, "b")).unwrap();
        let asked = "alice asked for a rollback: the dashboard is red";
        assert_eq!(memory.stopped().unwrap(), Some(asked.to_owned()));
    }

    #[test]
    fn a_breach_that_can_not_be_written_stops_the_plan_and_is_written_later() {
        let (state, memory) = memory();
        let (other, folders) = (memory.clone(), state.path().join(FOLDER));
        fs::write(&folders, "in the way").unwrap();
        assert!(matches!(memory.breach(noon(), "errors: 5 of 10"), Err(MemoryError::System { .. })));
        assert!(memory.breach(noon(), "later").is_err());
        let seen = Some("a breach was seen: errors: 5 of 10".to_owned());
        // Whether or not anything else can be read.
        assert_eq!(other.stopped().unwrap(), seen);
        fs::remove_file(&folders).unwrap();
        assert_eq!(memory.stopped().unwrap(), seen);
        let again = Memory::of(state.path(), "production", &Digest::of_value(&serde_json::json!({})));
        assert_eq!(again.stopped().unwrap(), seen, "it outlives a restart");
    }

    #[test]
    fn requests_that_can_not_be_read_are_not_none() {
        let (_state, memory) = memory();
        memory.make().unwrap();
        fs::write(memory.folder().join("requests"), "in the way").unwrap();
        assert!(matches!(memory.stopped(), Err(MemoryError::System { doing: "read", .. })));
        memory.breach(noon(), "errors: 5 of 10").unwrap();
        assert_eq!(memory.stopped().unwrap(), Some("a breach was seen: errors: 5 of 10".to_owned()));
    }

    #[test]
    fn what_was_cut_short_is_an_error_and_no_memory() {
        let (_state, memory) = memory();
        memory.give_traffic(noon()).unwrap();
        assert!(memory.has_traffic().unwrap());
        for name in [MIGRATION, TRAFFIC, BREACH] {
            fs::write(memory.folder().join(name), "{\"at\":").unwrap();
        }
        assert!(matches!(memory.migrated(), Err(MemoryError::Malformed { .. })));
        assert!(matches!(memory.has_traffic(), Err(MemoryError::Malformed { .. })));
        assert!(matches!(memory.stopped(), Err(MemoryError::Malformed { .. })));
    }
}
