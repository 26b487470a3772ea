//! Many files and folders made durable at once.
//!
//! In: whole files, each with the open folder that it belongs in. Out: all of them written, synced and renamed, in
//! the order that [`Folder::put`] has for one; then the folders synced. What waits for the disk waits together: a
//! journaling file system makes the syncs that meet one commit, and a disk makes them one flush.
//! `audit-log.md` 1.6, step 0.

use rustix::fs::{self as sys, AtFlags};

use crate::workers;

use super::super::error::AuditError;
use super::{Folder, LogFile, random_hex};

/// How many syncs wait at a time: each has a thread, and more of them meet in no fewer commits.
const AT_A_TIME: usize = 4;

/// A whole file that a folder is to hold.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Piece<'a> {
    pub(in crate::audit) folder: &'a Folder,
    pub(in crate::audit) name: &'a str,
    pub(in crate::audit) bytes: &'a [u8],
}

/// A written file, before it has its name.
struct Temporary<'a> {
    piece: Piece<'a>,
    name: String,
    file: LogFile,
}

/// Puts files in place; their folders are not yet synced. Each is held open meanwhile.
pub(in crate::audit) fn stage(pieces: &[Piece<'_>]) -> Result<(), AuditError> {
    let mut written = Vec::new();
    let staged = pieces
        .iter()
        .try_for_each(|piece| write(*piece, &mut written))
        .and_then(|()| wait(&written, |file| file.file.before_sync(), |file| file.file.finish_sync()))
        .and_then(|()| {
            written.iter().try_for_each(|file| file.piece.folder.rename(&file.name, file.piece.name))
        });
    if staged.is_err() {
        for file in &written {
            // The names are random, so nothing but this attempt can be meant; a renamed one has it no more.
            let _ = sys::unlinkat(&file.piece.folder.fd, &file.name, AtFlags::empty());
        }
    }
    staged
}

fn write<'a>(piece: Piece<'a>, written: &mut Vec<Temporary<'a>>) -> Result<(), AuditError> {
    let name = format!("{}.{}.tmp", piece.name, random_hex::<8>()?);
    let file = piece.folder.create(&name, "write")?;
    written.push(Temporary { piece, name, file });
    written.last_mut().map_or(Ok(()), |last| last.file.write(piece.bytes))
}

/// Makes the names in folders durable.
pub(in crate::audit) fn sync(folders: &[Folder]) -> Result<(), AuditError> {
    wait(folders, |folder| folder.before_sync(), |folder| folder.finish_sync())
}

/// Does what comes before each sync in order, and then the syncs at the same time.
fn wait<T: Sync>(
    items: &[T],
    before: impl Fn(&T) -> Result<(), AuditError>,
    sync: impl Fn(&T) -> Result<(), AuditError> + Sync,
) -> Result<(), AuditError> {
    items.iter().try_for_each(before)?;
    workers::on_each(items, AT_A_TIME, sync).into_iter().collect()
}
