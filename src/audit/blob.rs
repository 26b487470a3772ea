//! Blobs: what entries name by digest, kept beside the log and erasable without harming it.
//!
//! In: bytes. Out: `evidence/sha256/ab/<hex>`, durable before any entry names it; or the bytes
//! again, hashed again.

use std::collections::BTreeMap;

use crate::release::digest::{ClaimedDigest, Digest};

use super::error::{AuditError, Damage, Problem};
use super::store::Folder;
use super::store::together::{self, Piece};

/// No piece of evidence is larger; the limit only keeps a planted file from filling memory.
const MAX_BLOB: u64 = 256 * 1024 * 1024;

/// How many are stored at once: each has a file and a folder open meanwhile.
const AT_ONCE: usize = 64;

/// The store of blobs of one log.
#[derive(Debug)]
pub(super) struct Blobs {
    sha256: Folder,
}

impl Blobs {
    /// Opens the store of a log.
    pub(super) fn open(log: &Folder) -> Result<Self, AuditError> {
        Ok(Self { sha256: log.sub("evidence")?.sub("sha256")? })
    }

    /// Makes an empty store.
    pub(super) fn create(log: &Folder) -> Result<Self, AuditError> {
        Ok(Self { sha256: log.sub_or_new("evidence")?.sub_or_new("sha256")? })
    }

    /// Stores blobs durably. One that is there already is hashed again and its folder synced
    /// again, since whoever wrote it may have died before that.
    pub(super) fn store<'a>(&self, blobs: impl IntoIterator<Item = &'a [u8]>) -> Result<(), AuditError> {
        let blobs: BTreeMap<String, &[u8]> =
            blobs.into_iter().map(|bytes| (Digest::of_bytes(bytes).hex(), bytes)).collect();
        let blobs: Vec<(String, &[u8])> = blobs.into_iter().collect();
        blobs.chunks(AT_ONCE).try_for_each(|some| self.store_some(some))
    }

    /// Blobs in the order of their digests, so that those of one folder are neighbours.
    fn store_some(&self, blobs: &[(String, &[u8])]) -> Result<(), AuditError> {
        let mut names: Vec<&str> = blobs.iter().map(|(digest, _)| prefix(digest)).collect();
        names.dedup();
        names.iter().try_for_each(|name| self.sha256.make(name))?;
        // Once for all of them: nothing of this is durable for anybody before it returns.
        self.sha256.sync()?;
        let folders: Vec<Folder> =
            names.iter().map(|name| self.sha256.sub(name)).collect::<Result<_, AuditError>>()?;
        let mut missing = Vec::new();
        for (name, folder) in names.iter().zip(&folders) {
            for (digest, bytes) in blobs.iter().filter(|(digest, _)| prefix(digest) == *name) {
                if folder.has(digest)? {
                    check(folder, digest)?;
                } else {
                    missing.push(Piece { folder, name: digest, bytes });
                }
            }
        }
        together::stage(&missing)?;
        together::sync(&folders)
    }

    /// The bytes of this digest, or none when there is no such blob.
    pub(super) fn read(&self, digest: &ClaimedDigest) -> Result<Option<Vec<u8>>, AuditError> {
        let hex = digest.hex();
        if !self.sha256.has(prefix(&hex))? {
            return Ok(None);
        }
        let folder = self.sha256.sub(prefix(&hex))?;
        if folder.has(&hex)? { check(&folder, &hex).map(Some) } else { Ok(None) }
    }
}

fn prefix(hex: &str) -> &str {
    hex.get(..2).unwrap_or_default()
}

fn check(folder: &Folder, hex: &str) -> Result<Vec<u8>, AuditError> {
    let bytes = folder.bytes(hex, MAX_BLOB)?;
    if Digest::of_bytes(&bytes).hex() == hex {
        return Ok(bytes);
    }
    Err(Damage::file(folder.show(hex), Problem::BlobDiffers))
}
