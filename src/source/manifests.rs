//! Rendered manifests: a file, a folder, or standard input (`formats.md` section 1).
//!
//! In: what `--manifests` names. Out: every `*.yaml`, `*.yml` and `*.json` below a folder, sorted by the
//! bytes of its path; or the one file; or what comes in, under the path `-`. Read once, so that what
//! is hashed is what is searched for images.
//!
//! Tools differ on links (`kubectl` reads linked files, others don't), on names in capitals, and on
//! folders that are still to be rendered, so each of these is refused rather than skipped: an image
//! that one of them would deploy must not go unseen.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::folder::walk::{Met, Obstacle, Room, Walker};
use super::folder::{Bytes, Folder, Kind, open_file, read_bounded};
use crate::release::deployed::{MAX_BYTES, MAX_FILES, ManifestFile};

/// Names in all folders: files, and whatever lies beside them.
const MAX_NAMES: usize = 16_384;

/// Folders within folders; each holds one handle open.
const MAX_DEPTH: usize = 32;

/// The path of standard input.
const STDIN: &str = "-";

/// Files by which a tool knows that a folder is to be rendered first.
const RENDERED_FROM: [&str; 4] = ["kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"];

/// Where Argo CD finds parameters that override an application's own, images among them
/// (<https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git>).
const RENDERED_WITH: &str = ".argocd-source";

/// Why manifests can't be read: exit 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestsError {
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
    #[error("`{}` is a link, which some tools follow and others don't", path.display())]
    Link {
        /// Which.
        path: PathBuf,
    },
    /// A manifest that is no file.
    #[error("`{}` is a pipe, a socket or a device, and no file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A name that is no text.
    #[error("`{}` has a name that is no text", path.display())]
    Nameless {
        /// Which.
        path: PathBuf,
    },
    /// A name that only some tools take for a manifest.
    #[error("`{}` ends in capitals: a manifest to some tools, and none to others", path.display())]
    Capitals {
        /// Which.
        path: PathBuf,
    },
    /// A folder that `kustomize`, `helm` or `jsonnet` has yet to render, or Argo CD by parameters in it.
    #[error("`{}` is to be rendered: these are not yet the manifests that are deployed", path.display())]
    Unrendered {
        /// The file that says so.
        path: PathBuf,
    },
    /// A folder without a manifest.
    #[error("`{}` holds no manifest (`*.yaml`, `*.yml`, `*.json`)", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// More than one deployment has.
    #[error("`{}` holds more than {MAX_NAMES} names, {MAX_FILES} manifests or {MAX_DEPTH} levels", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// More bytes than one deployment has.
    #[error("the manifests in `{}` are larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
    },
}

/// Reads manifests: a folder's, a file's, or those of `stdin` where the path is `-`.
///
/// # Errors
/// [`ManifestsError`]; then none of them is used.
pub fn read_manifests(path: &Path, stdin: &mut dyn Read) -> Result<Vec<ManifestFile>, ManifestsError> {
    let mut reader = Reader { root: path, files: Vec::new(), bytes: 0 };
    if path == Path::new(STDIN) {
        reader.stream(stdin)?;
    } else if path.is_dir() {
        let folder = Folder::open(path).map_err(unreadable(path.to_owned()))?;
        folder.walk(&mut Room { names: MAX_NAMES, depth: MAX_DEPTH }, &mut reader)?;
    } else {
        let name = path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| ManifestsError::Nameless { path: path.to_owned() })?;
        reader.file(name.to_owned(), path, |limit| {
            open_file(path).and_then(|file| read_bounded(file, limit))
        })?;
    }
    if reader.files.is_empty() {
        return Err(ManifestsError::Empty { path: path.to_owned() });
    }
    reader.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(reader.files)
}

fn unreadable(path: PathBuf) -> impl FnOnce(io::Error) -> ManifestsError {
    move |source| ManifestsError::Unreadable { path, source }
}

struct Reader<'a> {
    root: &'a Path,
    files: Vec<ManifestFile>,
    bytes: u64,
}

impl Reader<'_> {
    fn stream(&mut self, stdin: &mut dyn Read) -> Result<(), ManifestsError> {
        self.file(STDIN.to_owned(), Path::new(STDIN), |limit| {
            let mut bytes = Vec::new();
            stdin.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
            Ok(if bytes.len() as u64 > limit { Bytes::TooMany } else { Bytes::All(bytes) })
        })
    }

    fn file(
        &mut self,
        path: String,
        shown: &Path,
        read: impl FnOnce(u64) -> io::Result<Bytes>,
    ) -> Result<(), ManifestsError> {
        if self.files.len() == MAX_FILES {
            return Err(ManifestsError::TooMany { path: self.root.to_owned() });
        }
        match read(MAX_BYTES - self.bytes).map_err(unreadable(shown.to_owned()))? {
            Bytes::All(bytes) => {
                self.bytes += bytes.len() as u64;
                self.files.push(ManifestFile { path, shown: shown.display().to_string(), bytes });
                Ok(())
            }
            Bytes::TooMany => Err(ManifestsError::TooLarge { path: self.root.to_owned() }),
        }
    }
}

impl Walker for Reader<'_> {
    type End = ManifestsError;

    fn meet(&mut self, met: &Met<'_>) -> Result<(), ManifestsError> {
        let path = met.path();
        match (met.kind, met.below()) {
            (Kind::Link, _) => Err(ManifestsError::Link { path }),
            (Kind::Folder, Some(_)) => Ok(()),
            (_, Some(_)) if !is_manifest(met.name(), &path)? => Ok(()),
            (Kind::File, Some(below)) => self.file(below.to_owned(), &path, |limit| met.read(limit)),
            (_, Some(_)) => Err(ManifestsError::NotAFile { path }),
            (_, None) => Err(ManifestsError::Nameless { path }),
        }
    }

    fn obstructed(&mut self, by: Obstacle) -> Result<(), ManifestsError> {
        Err(match by {
            Obstacle::Unreadable { path, source } => ManifestsError::Unreadable { path, source },
            Obstacle::Names | Obstacle::Depth => ManifestsError::TooMany { path: self.root.to_owned() },
        })
    }
}

/// Whether every tool takes a name for a manifest; what only some do is refused.
fn is_manifest(name: &OsStr, path: &Path) -> Result<bool, ManifestsError> {
    let ends = |name: &str, ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let Some(name) = name.to_str() else { return Ok(false) };
    if RENDERED_FROM.contains(&name)
        || name.starts_with(RENDERED_WITH)
        || ends(name, &[".jsonnet", ".libsonnet"])
    {
        return Err(ManifestsError::Unrendered { path: path.to_owned() });
    }
    const ENDS: [&str; 3] = [".yaml", ".yml", ".json"];
    match ends(name, &ENDS) {
        false if ends(&name.to_ascii_lowercase(), &ENDS) => {
            Err(ManifestsError::Capitals { path: path.to_owned() })
        }
        taken => Ok(taken),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an adapter's tests make the folders that it reads")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;
    use crate::source::sample::folder;

    fn of(names: &[&str]) -> tempfile::TempDir {
        folder(names.iter().map(|name| (name, name)))
    }

    fn read(path: &Path) -> Result<Vec<ManifestFile>, ManifestsError> {
        read_manifests(path, &mut io::empty())
    }

    fn refused(names: &[&str]) -> String {
        let folder = of(names);
        read(folder.path()).unwrap_err().to_string().replace(&folder.path().display().to_string(), "F")
    }

    #[test]
    fn takes_a_folder_in_the_order_of_its_paths_a_file_and_what_comes_in() {
        let folder = of(&["b.yaml", "a/z.yml", "a.json", "a/README.md", "notes.txt", ".hidden.yaml"]);
        let paths: Vec<_> = read(folder.path()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [".hidden.yaml", "a.json", "a/z.yml", "b.yaml"]);
        let one = read(&folder.path().join("a/README.md")).unwrap();
        assert_eq!((one[0].path.as_str(), one[0].bytes.as_slice()), ("README.md", &b"a/README.md"[..]));
        let piped = read_manifests(Path::new("-"), &mut &b"kind: List"[..]).unwrap();
        assert_eq!((piped[0].path.as_str(), piped[0].shown.as_str()), ("-", "-"));
        assert_eq!(piped[0].bytes, b"kind: List");
    }

    #[test]
    fn refuses_what_tools_differ_on() {
        assert_eq!(
            refused(&["x/a.YAML"]),
            "`F/x/a.YAML` ends in capitals: a manifest to some tools, and none to others"
        );
        for name in ["kustomization.yaml", "Kustomization", "sub/Chart.yaml", "main.jsonnet"] {
            assert!(
                refused(&["a.yaml", name]).ends_with("not yet the manifests that are deployed"),
                "{name}"
            );
        }
        assert_eq!(refused(&["README.md"]), "`F` holds no manifest (`*.yaml`, `*.yml`, `*.json`)");
        let folder = of(&["a.yaml", "elsewhere/b.yaml"]);
        symlink("a.yaml", folder.path().join("linked.yaml")).unwrap();
        assert!(matches!(read(folder.path()), Err(ManifestsError::Link { .. })));
        fs::remove_file(folder.path().join("linked.yaml")).unwrap();
        symlink("elsewhere", folder.path().join("linked")).unwrap();
        assert!(matches!(read(folder.path()), Err(ManifestsError::Link { .. })));
        assert!(matches!(read(&folder.path().join("gone")), Err(ManifestsError::Unreadable { .. })));
    }

    #[test]
    fn bounds_what_it_reads() {
        let too_large = |bytes: u64| read_manifests(Path::new("-"), &mut io::repeat(b' ').take(bytes));
        assert!(too_large(MAX_BYTES).is_ok());
        assert!(matches!(too_large(MAX_BYTES + 1), Err(ManifestsError::TooLarge { .. })));
        let deep = tempfile::tempdir().unwrap();
        fs::create_dir_all(deep.path().join("d/".repeat(MAX_DEPTH + 1))).unwrap();
        assert!(matches!(read(deep.path()), Err(ManifestsError::TooMany { .. })));
    }

    proptest! {
        /// Whatever lies in a folder, each manifest is read once, in the order of its path's bytes.
        #[test]
        fn reads_each_manifest_once_in_order(
            files in prop::collection::btree_map("([a-c]{1,2}/){0,2}[a-c]{1,3}-[a-z]{0,3}\\.(yaml|yml|json|txt)", "[a-z]{0,9}", 1..12),
        ) {
            let folder = folder(&files);
            let wanted: Vec<_> = files.iter().filter(|(name, _)| !name.ends_with(".txt")).collect();
            match read(folder.path()) {
                Ok(read) => {
                    let read: Vec<_> = read.iter().map(|file| (file.path.clone(), String::from_utf8(file.bytes.clone()).unwrap())).collect();
                    let wanted: Vec<_> = wanted.iter().map(|(name, text)| ((*name).clone(), (*text).clone())).collect();
                    prop_assert_eq!(read, wanted);
                }
                Err(error) => {
                    let empty = matches!(error, ManifestsError::Empty { .. });
                    prop_assert!(wanted.is_empty() && empty);
                }
            }
        }
    }
}
