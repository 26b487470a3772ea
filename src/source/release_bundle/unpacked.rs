//! The files of a release bundle that is a folder.
//!
//! In: an open folder. Out: every file below it by its path there, within the bounds of a bundle; a
//! link, a pipe, or a folder deeper than `laforge bundle` makes is part of none.

use super::{Files, MAX_BYTES, MAX_FILES, ReleaseBundleError, not_whole};
use crate::source::folder::walk::{Met, Obstacle, Room, Walker};
use crate::source::folder::{Bytes, Folder, Kind};

/// Folders within folders, as in `oci/blobs/sha256`.
const DEPTH: usize = 3;

/// The folders that a bundle has: `evidence`, and those of `oci/blobs/sha256`.
const FOLDERS: usize = 4;

/// Reads all files of a bundle's folder.
///
/// # Errors
/// [`ReleaseBundleError`] for what can't be read, is no file, or is more than a bundle holds.
pub(super) fn unpacked(folder: &Folder) -> Result<Files, ReleaseBundleError> {
    let mut reader = Reader { files: Files::new(), bytes: 0 };
    folder.walk(&mut Room { names: MAX_FILES + FOLDERS, depth: DEPTH }, &mut reader)?;
    Ok(reader.files)
}

struct Reader {
    files: Files,
    bytes: u64,
}

impl Walker for Reader {
    type End = ReleaseBundleError;

    fn meet(&mut self, met: &Met<'_>) -> Result<(), ReleaseBundleError> {
        match (met.kind, met.below()) {
            (Kind::Folder, Some(_)) => Ok(()),
            (Kind::File, Some(below)) => {
                let unreadable = |source| ReleaseBundleError::Unreadable { path: met.path(), source };
                let Bytes::All(bytes) = met.read(MAX_BYTES - self.bytes).map_err(unreadable)? else {
                    return Err(ReleaseBundleError::TooLarge);
                };
                self.bytes += bytes.len() as u64;
                self.files.insert(below.to_owned(), bytes);
                Ok(())
            }
            (_, Some(below)) => Err(not_whole(below.to_owned(), "is no file")),
            (_, None) => {
                Err(not_whole(met.name().to_string_lossy().into_owned(), "has a name that is no text"))
            }
        }
    }

    fn obstructed(&mut self, by: Obstacle) -> Result<(), ReleaseBundleError> {
        Err(match by {
            Obstacle::Unreadable { path, source } => ReleaseBundleError::Unreadable { path, source },
            Obstacle::Names | Obstacle::Depth => ReleaseBundleError::TooLarge,
        })
    }
}
