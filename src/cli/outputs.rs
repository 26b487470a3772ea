//! What the command line writes: files made once, files replaced in one step, and nothing into a log.
#![expect(clippy::disallowed_methods, reason = "the command line writes plans, reports, keys and evidence")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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
        // A device or a pipe is written to; a file is replaced, and so is a link to one.
        if is_stream(path) || fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut file| file.write_all(bytes))
                .map_err(failure);
        }
        let folder = folder_of(path);
        self.refuse_log(path)?;
        let name = path.file_name().ok_or_else(|| failure(io::ErrorKind::InvalidInput.into()))?;
        let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
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

    /// Makes sure, before anything is decided, that a file can be made at this path.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2 when its folder is not there.
    pub fn writable(&self, path: &Path) -> Result<(), Failure> {
        let folder = folder_of(path);
        match fs::metadata(folder) {
            Ok(meta) if meta.is_dir() && !path.is_dir() => Ok(()),
            Ok(_) => Err(Failure::usage(format!("no file can be written at `{}`", path.display()))),
            Err(error) => Err(Failure::io(Exit::Usage, "write into", folder, &error)),
        }
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

    /// The same, and an earlier output goes: a run that ends without one must leave none.
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
        if self.is_file(path) { self.remove(path) } else { Ok(()) }
    }

    /// Refuses, before anything is signed, a file that is there already.
    ///
    /// # Errors
    /// As [`Session::create`].
    pub(super) fn refuse_taken(&self, path: &Path) -> Result<(), Failure> {
        self.refuse_log(path)?;
        if self.exists(path) { Err(taken(path)) } else { Ok(()) }
    }

    /// The first free one of the names NAME, NAME-2, … with an ending, in a folder.
    pub(super) fn free_name(&self, folder: &Path, name: &str, ending: &str) -> PathBuf {
        let numbered = (2_u32..).map(|number| folder.join(format!("{name}-{number}{ending}")));
        let first = folder.join(format!("{name}{ending}"));
        let mut names = std::iter::once(first.clone()).chain(numbered);
        names.find(|path| !self.exists(path)).unwrap_or(first)
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
        let folder = folder_of(path);
        // Where the name leads, and where it is: a link is replaced by some, followed by others, and
        // one that leads to nothing yet makes a file there.
        let led_to = path.read_link().map(|target| folder.join(target));
        let beside = led_to.and_then(|target| target.parent().unwrap_or(folder).canonicalize());
        let places = [path.canonicalize(), folder.canonicalize(), beside];
        match places.iter().flatten().any(|place| place.ancestors().any(is_log)) {
            true => Err(Failure::usage(format!("`{}` lies inside an audit log", path.display()))
                .hint("only the log writes there; name a file elsewhere")),
            false => Ok(()),
        }
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
