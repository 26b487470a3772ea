//! What the command line writes: files made once, files replaced in one step, and nothing into a log.
#![expect(clippy::disallowed_methods, reason = "the command line writes plans, reports, keys and evidence")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::Failure;
use super::exit::Exit;
use super::session::Session;

impl Session {
    /// Writes a file that is not there yet.
    ///
    /// # Errors
    /// A [`Failure`] that says so when it is there.
    pub fn create(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        self.create_with(path, bytes, 0o644)
    }

    /// The same for a secret, which its owner alone may read.
    ///
    /// # Errors
    /// As [`Session::create`].
    pub fn create_secret(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        self.create_with(path, bytes, 0o600)
    }

    fn create_with(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
        let failure = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(path),
            _ => Failure::io(Exit::NoDecision, "write", path, &error),
        };
        refuse_dash(path)?;
        self.refuse_log(path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failure)?;
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failure)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failure)
    }

    /// Writes a file in one step: a temporary one, synced, renamed over the name, its folder synced.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let failure = |error: io::Error| Failure::io(Exit::NoDecision, "write", path, &error);
        refuse_dash(path)?;
        if !self.is_replaced(path) {
            return OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut file| file.write_all(bytes))
                .map_err(failure);
        }
        let folder = folder_of(path);
        self.refuse_log(path)?;
        let temporary = temporary(path);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, path))
            .and_then(|()| File::open(folder)?.sync_all());
        written.map_err(|error| {
            let _ = fs::remove_file(&temporary);
            failure(error)
        })
    }

    /// Appends to a file, made where there is none. A pipe that nobody reads, or reads on, makes nobody wait.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1.
    pub(super) fn append(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let appended = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other).and_then(|flags| {
            OpenOptions::new().append(true).create(true).custom_flags(flags).open(path)?.write_all(bytes)
        });
        appended.map_err(|error| {
            let error = match Errno::from_io_error(&error) {
                Some(Errno::NXIO) => {
                    io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe that nobody reads")
                }
                _ => error,
            };
            Failure::io(Exit::NoDecision, "append to", path, &error)
        })
    }

    /// Whether a name is replaced by what is written: a device or a pipe is written to; a file is replaced, and so
    /// is a link to one.
    pub(super) fn is_replaced(&self, path: &Path) -> bool {
        !is_stream(path) && fs::metadata(path).map_or(true, |meta| meta.is_file())
    }

    /// Makes sure, before anything is decided, that a file can be made at this path: what permissions, a read-only
    /// disk or a file system without room for a name make of it is found out by making one beside it.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2 when its folder is not there, or takes no file.
    pub fn writable(&self, path: &Path) -> Result<(), Failure> {
        refuse_dash(path)?;
        let folder = folder_of(path);
        let failure = |error: io::Error| Failure::io(Exit::Usage, "write into", folder, &error);
        if !fs::metadata(folder).map_err(failure)?.is_dir() || path.is_dir() {
            return Err(Failure::usage(format!("no file can be written at `{}`", path.display())));
        }
        if !self.is_replaced(path) {
            let there = fs::metadata(path).map(|_| ());
            return there.map_err(|error| Failure::io(Exit::Usage, "write", path, &error));
        }
        let temporary = temporary(path);
        let made = OpenOptions::new().write(true).create_new(true).open(&temporary);
        made.and_then(|_| fs::remove_file(&temporary)).map_err(failure)
    }

    /// Refuses, before anything is done, an output that could not be written afterwards, and one that would
    /// overwrite what is something else: `ours` tells an earlier output of the same kind.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub(super) fn refuse_other(
        &self,
        path: &Path,
        what: &str,
        ours: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        self.refuse_log(path)?;
        self.writable(path)?;
        // A link is replaced, and what it leads to is left as it is.
        if is_stream(path) || !self.is_file(path) || ours(&self.read(path, Exit::Usage)?) {
            return Ok(());
        }
        Err(Failure::usage(format!("`{}` is there, and it is no {what}", path.display())).hint(format!(
            "write the {what} to another name: a file that is something else is not overwritten"
        )))
    }

    /// The same, and an earlier output goes: a run that ends without one must leave none. Of a link to a file, which
    /// would be replaced, the link itself goes: what it leads to could be an earlier output, and is somebody else's.
    ///
    /// # Errors
    /// As [`Session::refuse_other`], and exit 1 where it can't be removed.
    pub(super) fn make_room(
        &self,
        path: &Path,
        what: &str,
        ours: impl FnOnce(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        self.refuse_other(path, what, ours)?;
        let link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
        if self.is_file(path) || link && self.is_replaced(path) { self.remove(path) } else { Ok(()) }
    }

    /// Refuses, before anything is signed, files that could not be made afterwards: one that is there, a name twice,
    /// a folder that takes none. What a signature tells the world stays told, whatever becomes of its file.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub(super) fn refuse_uncreatable<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p PathBuf>,
    ) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for path in paths {
            refuse_dash(path)?;
            self.refuse_log(path)?;
            if self.exists(path) {
                return Err(taken(path));
            }
            if !seen.insert(path) {
                return Err(Failure::usage(format!("two outputs go to one file, `{}`", path.display()))
                    .hint("sign one at a time, each with a file of its own: -o FILE"));
            }
            try_to_make(path).map_err(|error| Failure::io(Exit::Usage, "write", path, &error))?;
        }
        Ok(())
    }

    /// The first free one of the names NAME, NAME-2, … with an ending, in a folder; `taken` are names that are spoken
    /// for.
    pub(super) fn free_name(
        &self,
        folder: &Path,
        (name, ending): (&str, &str),
        taken: &[PathBuf],
    ) -> PathBuf {
        let numbered = (2_u32..).map(|number| folder.join(format!("{name}-{number}{ending}")));
        let first = folder.join(format!("{name}{ending}"));
        let mut names = std::iter::once(first.clone()).chain(numbered);
        names.find(|path| !self.exists(path) && !taken.contains(path)).unwrap_or(first)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1.
    pub fn remove(&self, path: &Path) -> Result<(), Failure> {
        fs::remove_file(path).map_err(|error| Failure::io(Exit::NoDecision, "remove", path, &error))
    }

    /// Makes a folder that is not there yet.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1.
    pub fn create_folder(&self, path: &Path) -> Result<(), Failure> {
        fs::create_dir_all(path).map_err(|error| Failure::io(Exit::NoDecision, "create", path, &error))
    }

    /// That a path does not lead into an audit log: only the log writes there, whatever a flag or a
    /// variable of the environment says.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub fn refuse_log(&self, path: &Path) -> Result<(), Failure> {
        let is_log = |folder: &Path| folder.join("log.json").exists() && folder.join("journal").exists();
        match places(path).iter().any(|place| place.ancestors().any(is_log)) {
            true => Err(Failure::usage(format!("`{}` lies inside an audit log", path.display()))
                .hint("only the log writes there; name a file elsewhere")),
            false => Ok(()),
        }
    }

    /// Whether a path is one of these files, by whatever name, or lies in one of these folders.
    pub(super) fn is_among(&self, path: &Path, of: &[PathBuf]) -> bool {
        let identity = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        let (there, at) = (identity(path), places(path));
        of.iter().any(|of| {
            let within = |of: &PathBuf| at.iter().any(|place| place.starts_with(of));
            there.is_some() && identity(of) == there || places(of).iter().any(within)
        })
    }
}

/// Where a name is, and where it leads: a link is replaced by some, followed by others, and one that leads to nothing
/// yet makes a file there.
fn places(path: &Path) -> Vec<PathBuf> {
    let named = |path: &Path| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    let led_to = path.read_link().ok().map(|target| folder_of(path).join(target));
    let places = [path.canonicalize().ok(), named(path), led_to.as_deref().and_then(named)];
    places.into_iter().flatten().collect()
}

/// Makes a file and takes it away again; where its folder is not there yet, a folder where that would begin.
fn try_to_make(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    if fs::metadata(folder).is_ok() {
        OpenOptions::new().write(true).create_new(true).open(path)?;
        return fs::remove_file(path);
    }
    let there = |at: &&Path| fs::symlink_metadata(at).is_ok();
    let begins = folder.ancestors().filter(|at| !at.as_os_str().is_empty()).find(there);
    let folder = temporary(&begins.unwrap_or(Path::new(".")).join("folder"));
    fs::create_dir(&folder).and_then(|()| fs::remove_dir(&folder))
}

/// Where a file is written before it takes its name.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.{}.tmp", std::process::id()))
}

/// A name that other programs take for standard output.
pub(super) fn refuse_dash(path: &Path) -> Result<(), Failure> {
    match path == Path::new("-") {
        true => Err(Failure::usage("`-` is no name of a file here, and does not stand for standard output")
            .hint(
                "what a verb prints goes to standard output where no file is named: without -o the plan does",
            )),
        false => Ok(()),
    }
}

fn taken(path: &Path) -> Failure {
    Failure::usage(format!("`{}` is already there", path.display()))
        .hint("it is not overwritten; remove it first, or write to another name")
}

/// Whether a name is the system's for a stream that is open, such as `/dev/stdout`: a file that it was led to is
/// written to, and the name never replaced.
fn is_stream(path: &Path) -> bool {
    ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|of| path.starts_with(of))
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
