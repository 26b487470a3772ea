//! Folders for the tests of whatever reads folders.
#![expect(clippy::disallowed_methods, reason = "an adapter's tests make the folders that it reads")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A folder with these files, and the folders that they lie in.
pub(super) fn folder<N: AsRef<Path>, B: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, B)>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}
