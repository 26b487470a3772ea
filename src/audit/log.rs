//! The log: opened, checked, ready to be appended to.
//!
//! In: where it is, its key, what is pinned. Out: [`AuditLog`], every committed line of which was
//! hashed, chained and held against the signed head, the pins and this place's memory; or the
//! reason why not, before anything is evaluated. `audit-log.md` 1.6, steps 0 and 2.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::key::secret::SecretKey;
use crate::release::digest::ClaimedDigest;
use crate::time::{SKEW, Timestamp};

use super::blob::Blobs;
use super::checkpoint::Checkpoint;
use super::error::{AuditError, Damage, Problem};
use super::identity::{Identity, Pin, Pinned};
use super::journal::{self, Tail};
use super::memory::{Fork, Memory};
use super::store::Folder;
use super::tip::Tip;
use super::tree::{Hash, Head};

/// The latest checkpoint, for people, mirrors and witnesses.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Says that a sync failed and what the disk holds is not known.
pub(super) const NEEDS_REPAIR: &str = "NEEDS_REPAIR";

/// More than a checkpoint with a hundred cosignatures has.
const MAX_CHECKPOINT: u64 = 256 * 1024;

/// File systems whose locks, syncs or renames can't be relied on, by `statfs` type.
const FILE_SYSTEMS: [(u64, &str); 5] =
    [(0x6969, "nfs"), (0x517b, "smb"), (0xfe53_4d42, "smb"), (0xff53_4d42, "smb"), (0x6573_5546, "fuse")];

/// Where a log is and what it is held to.
pub struct LogConfig {
    /// Its folder.
    pub dir: PathBuf,
    /// Its key; only writers need it.
    pub key: Option<SecretKey>,
    /// The configured origin, if one is.
    pub origin: Option<String>,
    /// What trust pins.
    pub pins: Vec<Pin>,
    /// The folder that remembers heads.
    pub seen: Option<PathBuf>,
    /// File systems that are allowed all the same: `nfs`, `smb`, `fuse`.
    pub allowed_filesystems: Vec<String>,
    /// How many bytes must be free.
    pub min_free: u64,
    /// How long a writer waits for another.
    pub lock_deadline: Duration,
}

impl LogConfig {
    /// The log in this folder, written with this key: nothing pinned, nothing remembered, 1 MiB
    /// to be free, 30 s to wait for another writer.
    pub fn new(dir: impl Into<PathBuf>, key: Option<SecretKey>) -> Self {
        Self {
            dir: dir.into(),
            key,
            origin: None,
            pins: Vec::new(),
            seen: None,
            allowed_filesystems: Vec::new(),
            min_free: 1024 * 1024,
            lock_deadline: Duration::from_secs(30),
        }
    }
}

/// A log that is open for writing.
pub struct AuditLog {
    pub(super) config: LogConfig,
    pub(super) key: SecretKey,
    pub(super) files: Files,
    pub(super) identity: Identity,
    pub(super) pinned: Pinned,
    pub(super) tip: Tip,
    pub(super) warnings: Vec<Warning>,
}

/// The folders of a log, held open.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) log: Folder,
    pub(super) entries: Folder,
    pub(super) journal: Folder,
    pub(super) blobs: Arc<Blobs>,
}

/// What does not keep a log from being used, and should be known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Another place held another head of the same log.
    #[error("the log is a fork: `{}` held another head of size {}", .0.place, .0.size)]
    Fork(Fork),
    /// An entry is durable, but the file that shows the latest head is not up to date.
    #[error("the entry is recorded, but `checkpoint` could not be replaced")]
    Checkpoint(#[source] AuditError),
    /// The head that was read or written could not be remembered here.
    #[error(
        "the log's head could not be remembered on this machine, so an older copy of the log would not be noticed"
    )]
    Memory(#[source] AuditError),
    /// Recovered bytes are reported, but their file kept its name.
    #[error("recovered bytes are reported, but their file in `quarantine` could not be renamed")]
    Quarantine(#[source] AuditError),
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AuditLog")
            .field("dir", &self.config.dir)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// What every log has in its folder.
const PARTS: [&str; 5] = [super::identity::FILE, CHECKPOINT, "entries", "journal", "blobs"];

impl Files {
    pub(super) fn open(dir: &std::path::Path) -> Result<Self, AuditError> {
        let log = Folder::open(dir)?;
        let names = log.names()?;
        if names.is_empty() {
            return Err(AuditError::Missing(dir.to_owned()));
        }
        // Of a log that was damaged something is left; where nothing of one is, the path is another folder's.
        if !names.iter().any(|name| PARTS.contains(&name.as_str())) {
            return Err(AuditError::NotALog(dir.to_owned()));
        }
        let (entries, journal) = (log.sub("entries")?, log.sub("journal")?);
        let blobs = Arc::new(Blobs::open(&log)?);
        Ok(Self { log, entries, journal, blobs })
    }

    /// The note in `checkpoint`, which is never newer than the journal.
    pub(super) fn checkpoint(&self, identity: &Identity) -> Result<(String, Head), AuditError> {
        let damaged = |problem| Damage::file(CHECKPOINT, problem);
        let bytes = self.log.bytes(CHECKPOINT, MAX_CHECKPOINT)?;
        let note = String::from_utf8(bytes).map_err(|_| damaged(Problem::NotALine))?;
        let trusted = std::slice::from_ref(identity.vkey());
        let checkpoint = Checkpoint::open(&note, trusted).map_err(|error| damaged(error.into()))?;
        if checkpoint.origin != identity.origin() {
            return Err(damaged(Problem::NotInJournal));
        }
        Ok((note, checkpoint.head))
    }

    /// How the journal ends, once the checkpoint is no newer. The checkpoint is read first: a
    /// writer replaces it last.
    pub(super) fn tail(&self, identity: &Identity) -> Result<(Tail, Head), AuditError> {
        let (_, shown) = self.checkpoint(identity)?;
        let tail = journal::tail(&self.journal, identity)?;
        let journal = tail.record.head().size;
        if shown.size > journal {
            return Err(Damage::file(CHECKPOINT, Problem::Ahead { checkpoint: shown.size, journal }));
        }
        Ok((tail, shown))
    }
}

impl AuditLog {
    /// Opens a log for writing and checks all of it.
    ///
    /// # Errors
    /// [`AuditError`]: there is none, it can't be written, it does not check out, or the clock is
    /// more than 60 s behind its last entry.
    pub fn open(mut config: LogConfig, now: Timestamp) -> Result<Self, AuditError> {
        let key = config.key.take().ok_or(AuditError::NoKey)?;
        let files = Files::open(&config.dir)?;
        preflight(&files.log, &config)?;
        let identity = Identity::read(&files.log, &files.entries)?;
        let pinned = identity.check(&config.pins, config.origin.as_deref())?;
        if key.public() != identity.vkey().key() {
            return Err(AuditError::WrongKey { expected: identity.vkey().to_string() });
        }
        let tip = Tip::default();
        let mut log = Self { config, key, files, identity, pinned, tip, warnings: Vec::new() };
        let (tail, _, tip) = log.read_on(Tip::default())?;
        check_writable(&tip, now)?;
        log.tip = tip;
        log.remember(tail.record.head());
        Ok(log)
    }

    /// Reads what is new, from the remembered heads over the journal to the lines.
    pub(super) fn read_on(&mut self, mut tip: Tip) -> Result<(Tail, Head, Tip), AuditError> {
        let mut marks = self.memory().marks(Hash::from(&self.identity.log_id()))?;
        let (tail, shown) = self.files.tail(&self.identity)?;
        tip.catch_up(&self.files.entries, &self.identity, &tail.record, &mut marks)?;
        for fork in marks.forks() {
            self.warnings.push(Warning::Fork(fork));
        }
        Ok((tail, shown, tip))
    }

    pub(super) fn memory(&self) -> Memory {
        Memory::new(self.config.seen.as_deref(), self.identity.origin(), &self.config.dir)
    }

    pub(super) fn remember(&mut self, head: Head) {
        let log_id = Hash::from(&self.identity.log_id());
        if let Err(error) = self.memory().remember(log_id, head) {
            self.warnings.push(Warning::Memory(error));
        }
    }

    /// Its origin.
    pub fn origin(&self) -> &str {
        self.identity.origin()
    }

    /// Its id.
    pub fn log_id(&self) -> ClaimedDigest {
        self.identity.log_id()
    }

    /// Whether trust pins it.
    pub fn pinned(&self) -> Pinned {
        self.pinned
    }

    /// How many entries it has, as far as it was read.
    pub fn size(&self) -> u64 {
        self.tip.frontier.size()
    }

    /// The highest version of each policy set that an environment was held to, rehearsals aside:
    /// a lower one is refused.
    pub fn last_versions(&self, environment: &str) -> BTreeMap<String, u64> {
        self.tip.history.versions(environment)
    }

    /// What should be known, and is not an error; gives each once.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

/// That the place keeps a log's promises and has room.
pub(super) fn preflight(log: &Folder, config: &LogConfig) -> Result<(), AuditError> {
    let path = log.path().to_owned();
    if log.has(NEEDS_REPAIR)? {
        return Err(AuditError::NeedsRepair(path.join(NEEDS_REPAIR)));
    }
    let (kind, free) = log.file_system()?;
    let named = FILE_SYSTEMS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name);
    if let Some(kind) = named.filter(|name| !config.allowed_filesystems.iter().any(|a| a == name)) {
        return Err(AuditError::Filesystem { path, kind });
    }
    if free < config.min_free {
        return Err(AuditError::LowSpace { path, free, needed: config.min_free });
    }
    Ok(())
}

/// That an entry of `now` may follow these lines.
pub(super) fn check_writable(tip: &Tip, now: Timestamp) -> Result<(), AuditError> {
    if let Some(kind) = tip.history.unsupported() {
        return Err(AuditError::Unsupported { kind: kind.to_owned() });
    }
    match tip.history.last_time() {
        Some(last) if now + SKEW < last => Err(AuditError::ClockBehind { now, last }),
        _ => Ok(()),
    }
}
