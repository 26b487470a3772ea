//! The files of a policy set (`formats.md` section 3).
//!
//! In: a folder or one file. Out: every `*.yaml` and `*.yml` below it but `*.test.yaml`, sorted by the
//! path that the set's manifest has. A link below the folder is refused, not skipped: what it leads
//! to would not be what was reviewed.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::policy::set::PolicyFile;
use crate::source::folder::walk::{Met, Obstacle, Room, Walker};
use crate::source::folder::{Bytes, Folder, Kind, open_file, read_bounded};
use crate::yaml::MAX_DOCUMENT;

/// Names in a set's folders: a set is written and read by people.
const MAX_NAMES: usize = 4096;

/// Folders within folders.
const MAX_DEPTH: usize = 16;

/// Why the files of a set can't be read: exit 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFilesError {
    /// A file or folder that can't be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A symbolic link.
    #[error("`{}` is a link; a policy set holds none", path.display())]
    Link {
        /// Which.
        path: PathBuf,
    },
    /// A policy that is no file, or whose name is no text.
    #[error("`{}` is not a file with a name that can be written down", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// More names, or deeper folders, than people write.
    #[error("`{}` holds more than {MAX_NAMES} names, or folders deeper than {MAX_DEPTH}", path.display())]
    TooMany {
        /// The set's folder.
        path: PathBuf,
    },
    /// A file larger than a document may be.
    #[error("`{}` is larger than {MAX_DOCUMENT} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// Reads the files of a set: all of a folder, or the one that is named.
///
/// # Errors
/// [`PolicyFilesError`]; then no file of the set is used.
pub fn read_policy_set(path: &Path) -> Result<Vec<PolicyFile>, PolicyFilesError> {
    if !path.is_dir() {
        let read = open_file(path).and_then(|file| read_bounded(file, MAX_DOCUMENT as u64));
        let name = path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| PolicyFilesError::NotAFile { path: path.to_owned() })?;
        return Ok(vec![file(name.to_owned(), path, read)?]);
    }
    let folder = Folder::open(path)
        .map_err(|source| PolicyFilesError::Unreadable { path: path.to_owned(), source })?;
    let mut set = Set { root: path, files: Vec::new() };
    folder.walk(&mut Room { names: MAX_NAMES, depth: MAX_DEPTH }, &mut set)?;
    set.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(set.files)
}

struct Set<'a> {
    root: &'a Path,
    files: Vec<PolicyFile>,
}

impl Walker for Set<'_> {
    type End = PolicyFilesError;

    fn meet(&mut self, met: &Met<'_>) -> Result<(), PolicyFilesError> {
        match (met.kind, met.below()) {
            (Kind::Link, _) => return Err(PolicyFilesError::Link { path: met.path() }),
            (Kind::Folder, Some(_)) => {}
            (_, Some(below)) if !is_policy(below) => {}
            (Kind::File, Some(below)) => {
                self.files.push(file(below.to_owned(), &met.path(), met.read(MAX_DOCUMENT as u64))?);
            }
            _ => return Err(PolicyFilesError::NotAFile { path: met.path() }),
        }
        Ok(())
    }

    fn obstructed(&mut self, by: Obstacle) -> Result<(), PolicyFilesError> {
        Err(match by {
            Obstacle::Unreadable { path, source } => PolicyFilesError::Unreadable { path, source },
            Obstacle::Names | Obstacle::Depth => PolicyFilesError::TooMany { path: self.root.to_owned() },
        })
    }
}

fn is_policy(path: &str) -> bool {
    (path.ends_with(".yaml") || path.ends_with(".yml")) && !path.ends_with(".test.yaml")
}

fn file(relative: String, path: &Path, read: io::Result<Bytes>) -> Result<PolicyFile, PolicyFilesError> {
    match read {
        Ok(Bytes::All(bytes)) => Ok(PolicyFile { path: relative, shown: path.display().to_string(), bytes }),
        Ok(Bytes::TooMany) => Err(PolicyFilesError::TooLarge { path: path.to_owned() }),
        Err(source) => Err(PolicyFilesError::Unreadable { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        folder
    }

    #[test]
    fn reads_every_policy_below_a_folder_sorted_by_path() {
        let folder =
            set(&["b.yaml", "a/c.yml", "a/c.test.yaml", "a-b.yaml", "README.md", ".x/y.yaml", "d.yaml.bak"]);
        let files = read_policy_set(folder.path()).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".x/y.yaml", "a-b.yaml", "a/c.yml", "b.yaml"]);
        assert!(files.iter().all(|file| file.bytes == file.path.as_bytes()));
        assert_eq!(files[2].shown, folder.path().join("a/c.yml").display().to_string());
        let one = read_policy_set(&folder.path().join("a/c.yml")).unwrap();
        assert_eq!((one.len(), one[0].path.as_str()), (1, "c.yml"));
        assert!(read_policy_set(set(&[]).path()).unwrap().is_empty());
    }

    #[test]
    fn refuses_links_and_what_is_no_file() {
        let folder = set(&["a.yaml"]);
        symlink(folder.path().join("a.yaml"), folder.path().join("README.md")).unwrap();
        let error = read_policy_set(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("/README.md` is a link; a policy set holds none"), "{error}");
        fs::remove_file(folder.path().join("README.md")).unwrap();
        fs::write(folder.path().join("b.yaml"), vec![b' '; MAX_DOCUMENT + 1]).unwrap();
        assert!(matches!(read_policy_set(folder.path()), Err(PolicyFilesError::TooLarge { .. })));
        fs::remove_file(folder.path().join("b.yaml")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("p.yaml"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(matches!(read_policy_set(folder.path()), Err(PolicyFilesError::NotAFile { .. })));
        let gone = read_policy_set(&folder.path().join("gone")).unwrap_err();
        assert!(
            matches!(&gone, PolicyFilesError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn refuses_more_than_people_write() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("d/".repeat(MAX_DEPTH + 1))).unwrap();
        assert!(matches!(read_policy_set(folder.path()), Err(PolicyFilesError::TooMany { .. })));
        let folder = tempfile::tempdir().unwrap();
        for at in 0..=MAX_NAMES {
            fs::File::create(folder.path().join(at.to_string())).unwrap();
        }
        assert!(matches!(read_policy_set(folder.path()), Err(PolicyFilesError::TooMany { .. })));
    }
}
