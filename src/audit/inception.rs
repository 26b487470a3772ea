//! Inception: a log is made once, openly, and never in place of another.
//!
//! In: a place where nothing is, an origin, a fresh key. Out: a log with one entry, whose hash is
//! its id. It is built beside its place, synced, and renamed into it, so that there is never half
//! a log; a log that is missing is never made by anything else.
#![expect(clippy::disallowed_methods, reason = "the audit store is where the log is kept")]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs as sys;

use crate::key::is_origin;
use crate::key::secret::SecretKey;
use crate::policy::Caller;
use crate::release::digest::ClaimedDigest;
use crate::time::Timestamp;

use super::blob::Blobs;
use super::entry::event::{Actor, Created as CreatedMembers, Tool};
use super::entry::{Body, Event, Place};
use super::error::{AuditError, io as failed};
use super::identity::{self, Identity, Pin, SEGMENT};
use super::journal::Record;
use super::lines::{Position, segment_name};
use super::log::CHECKPOINT;
use super::memory::Memory;
use super::note::{NoteError, VerifierKey};
use super::store::{Folder, random_hex};
use super::tree::{Frontier, leaf_hash};
use super::{AuditLog, lock};

/// What a new log is to be.
#[derive(Debug)]
pub struct NewLog<'a> {
    /// Where: nothing, or an empty folder.
    pub dir: PathBuf,
    /// Its origin: a URL without scheme that you own, and the environment.
    pub origin: String,
    /// Who makes it.
    pub caller: &'a Caller,
    /// The folder that remembers heads; this place's memory starts anew.
    pub seen: Option<PathBuf>,
    /// How many lines a segment has, at most [`SEGMENT`].
    pub segment: u64,
    /// Whether a log that is known already may be made again.
    pub unless: Unless<'a>,
}

/// What keeps a log from being made.
#[derive(Debug, Clone, Copy)]
pub enum Unless<'a> {
    /// Nothing: somebody asked for it by name.
    Nothing,
    /// A pin of its origin or key, or a head of its origin that was seen: its loss would be hidden.
    Known(&'a [Pin]),
}

/// A log that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its origin.
    pub origin: String,
    /// Its id, to be pinned.
    pub log_id: ClaimedDigest,
    /// Its key, to be pinned.
    pub vkey: VerifierKey,
}

impl<'a> NewLog<'a> {
    /// A log at this place with this origin, segments of full size, nothing remembered.
    pub fn new(dir: impl Into<PathBuf>, origin: &str, caller: &'a Caller) -> Self {
        let (dir, origin) = (dir.into(), origin.to_owned());
        Self { dir, origin, caller, seen: None, segment: SEGMENT, unless: Unless::Nothing }
    }
}

impl AuditLog {
    /// Makes a log.
    ///
    /// # Errors
    /// [`AuditError`]: something is there, the log is known already, or it can't be written.
    pub fn create(new: &NewLog<'_>, key: &SecretKey, now: Timestamp) -> Result<Created, AuditError> {
        if !is_origin(&new.origin) {
            return Err(NoteError::Name(new.origin.clone()).into());
        }
        if !(1..=SEGMENT).contains(&new.segment) {
            return Err(AuditError::Segment(new.segment));
        }
        let vkey = VerifierKey::new(&new.origin, key.public())?;
        refuse_known(new, &vkey)?;
        refuse_occupied(&new.dir)?;
        let parent = match new.dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        let building = beside(&new.dir)?;
        let identity = build(&building, new, &vkey, key, now).and_then(|identity| {
            put_in_place(&building, &new.dir, &Folder::open(parent)?)?;
            Ok(identity)
        });
        if identity.is_err() {
            let _ = fs::remove_dir_all(&building);
        }
        let identity = identity?;
        Memory::new(new.seen.as_deref(), &new.origin, &new.dir).forget()?;
        Ok(Created { origin: new.origin.clone(), log_id: identity.log_id(), vkey })
    }
}

fn refuse_known(new: &NewLog<'_>, vkey: &VerifierKey) -> Result<(), AuditError> {
    let Unless::Known(pins) = new.unless else { return Ok(()) };
    let pinned = pins.iter().any(|pin| pin.origin == new.origin || pin.key == *vkey.key());
    if pinned || Memory::new(new.seen.as_deref(), &new.origin, &new.dir).knows()? {
        return Err(AuditError::Known { origin: new.origin.clone() });
    }
    Ok(())
}

fn refuse_occupied(dir: &Path) -> Result<(), AuditError> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look at", dir)(error)),
        Ok(found) if found.is_dir() && Folder::open(dir)?.names()?.is_empty() => Ok(()),
        Ok(_) => Err(AuditError::NotEmpty(dir.to_owned())),
    }
}

/// `<log>.init-<random>`, on the same file system.
fn beside(dir: &Path) -> Result<PathBuf, AuditError> {
    let mut name = dir.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(format!(".init-{}", random_hex::<8>()?));
    Ok(dir.with_file_name(name))
}

/// Builds the whole log, synced to its last folder.
fn build(
    building: &Path,
    new: &NewLog<'_>,
    vkey: &VerifierKey,
    key: &SecretKey,
    now: Timestamp,
) -> Result<Identity, AuditError> {
    let line = first_line(new, vkey, now)?;
    let identity = Identity::of_first_line(&line)
        .map_err(|problem| super::error::Damage::file(identity::FILE, problem))?;
    let mut frontier = Frontier::default();
    frontier.push(leaf_hash(&line));
    let end = Position { segment: 0, offset: line.len() as u64 + 1, index: 1 };
    let record = Record::sign(&identity, &frontier, &end, key)?;

    fs::DirBuilder::new().create(building).map_err(failed("create", building))?;
    let log = Folder::open(building)?;
    Blobs::create(&log)?;
    log.sub_or_new("quarantine")?;
    log.sub_or_new("entries")?.put(&segment_name(0), &[&line, b"\n".as_slice()].concat())?;
    log.sub_or_new("journal")?.put(&segment_name(0), &[&record.line(), b"\n".as_slice()].concat())?;
    log.put(lock::FILE, b"")?;
    log.put(identity::FILE, &identity.log_json())?;
    log.put(CHECKPOINT, record.note().as_bytes())?;
    Ok(identity)
}

fn first_line(new: &NewLog<'_>, vkey: &VerifierKey, now: Timestamp) -> Result<Vec<u8>, AuditError> {
    let members = CreatedMembers {
        origin: new.origin.clone(),
        vkey: vkey.to_string(),
        random: random_hex::<32>()?,
        segment: new.segment,
    };
    let body = Body::Created(Event { actor: Actor::from(&new.caller.actor), tool: Tool::this(), members });
    let place = Place { seq: 0, prev: Place::NOTHING, time: now };
    Ok(body.line(&place))
}

/// Renames the finished log to its place: over nothing, or over an empty folder.
fn put_in_place(building: &Path, dir: &Path, parent: &Folder) -> Result<(), AuditError> {
    match sys::rename(building, dir) {
        Ok(()) => parent.sync(),
        Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => {
            Err(AuditError::NotEmpty(dir.to_owned()))
        }
        Err(error) => Err(failed("rename", dir)(error.into())),
    }
}
