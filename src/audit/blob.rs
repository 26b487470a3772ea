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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test looks at a log's files, and damages one")]

    use std::fs;

    use rustix::io::Errno;

    use super::*;
    use crate::audit::store::probe::{Fault, Step, record, with_fault};

    fn blobs(folder: &tempfile::TempDir) -> Blobs {
        Blobs::create(&Folder::open(folder.path()).unwrap()).unwrap()
    }

    fn pieces(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("piece {number}").into_bytes()).collect()
    }

    fn store(blobs: &Blobs, pieces: &[Vec<u8>]) -> Result<(), AuditError> {
        blobs.store(pieces.iter().map(Vec::as_slice))
    }

    fn stored(blobs: &Blobs, piece: &[u8]) -> Option<Vec<u8>> {
        blobs.read(&Digest::of_bytes(piece).claim()).unwrap()
    }

    /// Every file below a folder, of whatever name.
    fn files(folder: &tempfile::TempDir) -> Vec<String> {
        let folders = fs::read_dir(folder.path().join("evidence/sha256")).unwrap();
        let names = folders.flat_map(|one| fs::read_dir(one.unwrap().path()).unwrap());
        names.map(|one| one.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn keeps_more_than_are_stored_at_once_and_what_is_given_twice_once() {
        let folder = tempfile::tempdir().unwrap();
        let (blobs, pieces) = (blobs(&folder), pieces(3 * AT_ONCE + 1));
        let twice = [pieces.clone(), pieces.clone()].concat();
        store(&blobs, &twice).unwrap();
        assert_eq!(files(&folder).len(), pieces.len());
        for piece in &pieces {
            assert_eq!(stored(&blobs, piece).as_deref(), Some(piece.as_slice()));
        }
        store(&blobs, &pieces).unwrap();
        assert_eq!(files(&folder).len(), pieces.len());
    }

    #[test]
    fn a_name_is_synced_only_after_its_bytes_and_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let (blobs, pieces) = (blobs(&folder), pieces(20));
        store(&blobs, &pieces[..10]).unwrap();
        let (_, steps) = record(|| store(&blobs, &pieces).unwrap());
        let at = |step: &Step| steps.iter().position(|taken| taken == step);
        let sha256 = folder.path().join("evidence/sha256");
        for (number, piece) in pieces.iter().enumerate() {
            let hex = Digest::of_bytes(piece).hex();
            let inside = sha256.join(prefix(&hex));
            let (made, parent) =
                (at(&Step::MakeFolder(inside.clone())), at(&Step::SyncFolder(sha256.clone())));
            let synced = at(&Step::SyncFolder(inside.clone()));
            assert!(made.is_some() && made < parent && parent < synced, "{number}");
            let renamed =
                steps.iter().position(|step| matches!(step, Step::Rename(_, to) if *to == inside.join(&hex)));
            assert_eq!(renamed.is_some(), number >= 10);
            if let Some(Step::Rename(from, _)) = renamed.map(|renamed| &steps[renamed]) {
                let (created, bytes) = (at(&Step::Create(from.clone())), at(&Step::SyncFile(from.clone())));
                assert!(created < bytes && bytes < renamed && renamed < synced, "{number}");
            }
        }
    }

    #[test]
    fn what_fails_leaves_no_file_but_a_whole_one_and_is_mended_by_the_next_time() {
        let pieces = pieces(5);
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let blobs = blobs(&folder);
            let fault = Fault { at, errno: Errno::NOSPC.raw_os_error(), written: 3 };
            let (outcome, reached) = with_fault(fault, || store(&blobs, &pieces));
            assert_eq!(outcome.is_err(), reached, "step {at}");
            for name in files(&folder) {
                assert!(name.len() == 64, "step {at}: `{name}` was left");
            }
            for piece in &pieces {
                assert!(stored(&blobs, piece).is_none_or(|bytes| bytes == *piece), "step {at}");
            }
            store(&blobs, &pieces).unwrap();
            assert!(pieces.iter().all(|piece| stored(&blobs, piece).is_some()), "step {at}");
            if !reached {
                assert!(at > 20, "only {at} steps");
                return;
            }
        }
    }

    #[test]
    fn one_that_is_there_and_differs_is_damage_whatever_comes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (blobs, pieces) = (blobs(&folder), pieces(5));
        store(&blobs, &pieces[..1]).unwrap();
        let hex = Digest::of_bytes(&pieces[0]).hex();
        let path = folder.path().join("evidence/sha256").join(prefix(&hex)).join(&hex);
        fs::write(path, b"other bytes").unwrap();
        let AuditError::Damaged(damage) = store(&blobs, &pieces).unwrap_err() else { panic!("no damage") };
        assert!(matches!(damage.problem, Problem::BlobDiffers));
    }
}
