//! Which log this is: what entry 0 says, what `log.json` repeats, what trust pins.
//!
//! In: the first line, `log.json`, pins. Out: [`Identity`], or the damage. `log.json` is rebuilt
//! from entry 0 and compared byte for byte, so nothing in it can be believed on its own.

use serde::Serialize;

use crate::key::{PublicKey, is_origin};
use crate::release::digest::ClaimedDigest;

use super::entry::{Body, Entry, MAX_LINE, Place};
use super::error::{AuditError, Damage, Problem};
use super::lines;
use super::note::VerifierKey;
use super::store::Folder;
use super::tree::{Hash, leaf_hash};

/// How many lines a segment has, unless entry 0 says less: 256 tiles.
pub const SEGMENT: u64 = 65_536;

/// The file that repeats the identity for people and tools.
pub(super) const FILE: &str = "log.json";

/// A key, an origin and an id that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The log's key.
    pub key: PublicKey,
    /// Its origin.
    pub origin: String,
    /// Its id.
    pub log_id: ClaimedDigest,
}

/// Which log this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    origin: String,
    log_id: Hash,
    vkey: VerifierKey,
    segment: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogJson<'a> {
    format: &'static str,
    origin: &'a str,
    log_id: Hash,
    hash: &'static str,
    segment: u64,
}

impl Identity {
    /// What entry 0 says.
    pub(super) fn of_first_line(line: &[u8]) -> Result<Self, Problem> {
        let entry = Entry::parse(line)?;
        let Body::Created(created) = entry.body else { return Err(Problem::NotCreated) };
        let created = created.members;
        let vkey: VerifierKey = created.vkey.parse().map_err(|_| Problem::NotCreated)?;
        let sound = entry.seq == 0
            && Hash::from(&entry.prev) == Place::NOTHING
            && is_origin(&created.origin)
            && vkey.name() == created.origin
            && (1..=SEGMENT).contains(&created.segment)
            && created.random.len() == 64
            && created.random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !sound {
            return Err(Problem::NotCreated);
        }
        Ok(Self { origin: created.origin, log_id: leaf_hash(line), vkey, segment: created.segment })
    }

    /// Reads entry 0 and compares `log.json` with it.
    pub(super) fn read(log: &Folder, entries: &Folder) -> Result<Self, AuditError> {
        let first = lines::segment_name(0);
        let file = entries.read(&first)?;
        let head = file.range(0, MAX_LINE as u64 + 1)?;
        let Some(end) = head.iter().position(|byte| *byte == b'\n') else {
            return Err(Damage::line(file.shown(), 1, Problem::NotALine));
        };
        let line = head.get(..end).unwrap_or_default();
        let identity = Self::of_first_line(line).map_err(|problem| Damage::line(file.shown(), 1, problem))?;
        if log.bytes(FILE, MAX_LINE as u64)? != identity.log_json() {
            return Err(Damage::file(FILE, Problem::Identity));
        }
        Ok(identity)
    }

    /// The bytes of `log.json`.
    pub(super) fn log_json(&self) -> Vec<u8> {
        let json = LogJson {
            format: "laforge-log/1",
            origin: &self.origin,
            log_id: self.log_id,
            hash: "sha256-rfc6962",
            segment: self.segment,
        };
        #[expect(clippy::expect_used, reason = "texts and a number")]
        let mut bytes = serde_json::to_vec(&json).expect("an identity as JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Its origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its id.
    pub fn log_id(&self) -> ClaimedDigest {
        self.log_id.claim()
    }

    /// Its key, under its origin as name.
    pub fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// How many lines a segment has.
    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    /// Holds it against what is pinned: a pin that shares its origin, key or id must share all
    /// three. Says whether one does.
    pub(super) fn check(&self, pins: &[Pin], origin: Option<&str>) -> Result<Pinned, AuditError> {
        if let Some(expected) = origin.filter(|expected| *expected != self.origin) {
            let problem = Problem::Origin { expected: expected.to_owned(), found: self.origin.clone() };
            return Err(Damage::file(FILE, problem));
        }
        let mut about_it = pins.iter().filter(|pin| self.touches(pin)).peekable();
        let Some(first) = about_it.peek().copied() else { return Ok(Pinned::Nowhere) };
        if about_it.any(|pin| self.is(pin)) {
            return Ok(Pinned::Here);
        }
        let pinned = format!("{} {}", first.origin, first.log_id);
        Err(Damage::file(FILE, Problem::Pin { pinned }))
    }

    fn touches(&self, pin: &Pin) -> bool {
        pin.origin == self.origin || pin.key == *self.vkey.key() || Hash::from(&pin.log_id) == self.log_id
    }

    fn is(&self, pin: &Pin) -> bool {
        pin.origin == self.origin && pin.key == *self.vkey.key() && Hash::from(&pin.log_id) == self.log_id
    }
}

/// Whether trust pins a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// Key, origin and id are pinned together.
    Here,
    /// No pin is about it.
    Nowhere,
}
