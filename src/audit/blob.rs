//! Blobs: what entries name by digest, kept beside the log and erasable without harming it.
//!
//! In: bytes. Out: `evidence/sha256/ab/<hex>`, durable before any entry names it; or the bytes
//! again, hashed again.

use std::collections::BTreeSet;

use crate::release::digest::{ClaimedDigest, Digest};

use super::error::{AuditError, Damage, Problem};
use super::store::Folder;

/// No piece of evidence is larger; the limit only keeps a planted file from filling memory.
const MAX_BLOB: u64 = 256 * 1024 * 1024;

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
        let mut folders = BTreeSet::new();
        for bytes in blobs {
            let digest = Digest::of_bytes(bytes).hex();
            let folder = self.sha256.sub_or_new(prefix(&digest))?;
            if folder.has(&digest)? {
                check(&folder, &digest)?;
            } else {
                folder.stage(&digest, bytes)?;
            }
            folders.insert(prefix(&digest).to_owned());
        }
        folders.iter().try_for_each(|name| self.sha256.sub(name)?.sync())
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
