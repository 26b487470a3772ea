//! One run: where it runs, how it talks, and the only places where it reads and writes.
#![expect(clippy::disallowed_methods, reason = "the command line reads the world: files, clock, environment")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};

use crate::report::paint::Paint;
use crate::report::place::Places;
use crate::time::Timestamp;

use super::error::Failure;
use super::exit::Exit;

/// The largest file that is read whole: keys, documents, bundles, plans.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// How this run talks.
#[derive(Debug, Clone)]
pub struct Session {
    /// Colours on stderr.
    pub paint: Paint,
    /// Colours on stdout, for the reading verbs.
    pub paint_out: Paint,
    /// Nothing on stderr but errors.
    pub quiet: bool,
    /// More on stderr.
    pub verbose: bool,
    /// The configuration, where it isn't `laforge.yaml`.
    pub config: Option<PathBuf>,
    /// What is told at the end: the first line of a failure is the failure's.
    pub courtesies: Arc<Mutex<BTreeSet<String>>>,
}

impl Session {
    /// The clock.
    pub fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }

    /// A variable of the environment, when it is set, not empty, and UTF-8.
    pub fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// The folders that files are named against, in reports about a release that this file is of: the CI
    /// system's checkout, where it says which, else the current folder.
    pub fn places(&self, about: &Path) -> Places {
        let here = std::env::current_dir().unwrap_or_default();
        let checkout = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"]
            .into_iter()
            .find_map(|name| self.variable(name))
            .and_then(|root| fs::canonicalize(root).ok());
        let root = checkout.unwrap_or_else(|| here.clone());
        Places::new(&root, &fs::canonicalize(&here).unwrap_or(here), about)
    }

    /// Reads a file whole, within a bound.
    ///
    /// # Errors
    /// A [`Failure`] of the given exit code that names the path.
    pub fn read(&self, path: &Path, exit: Exit) -> Result<Vec<u8>, Failure> {
        self.bytes(path).map_err(|error| Failure::io(exit, "read", path, &error))
    }

    /// Reads a file whole, within the same bound.
    ///
    /// # Errors
    /// The system's own; too large a file is `FileTooLarge`.
    pub fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > MAX_FILE {
            true => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is larger than {} MiB, the most that is read", MAX_FILE >> 20),
            )),
            false => Ok(bytes),
        }
    }

    /// Opens a file for reading; a folder is none.
    ///
    /// # Errors
    /// The system's own.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let file = File::open(path)?;
        match file.metadata()?.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(file),
        }
    }

    /// Reads a document whole: a file, since a pipe that nobody writes to would never end.
    ///
    /// # Errors
    /// As [`Session::read_text`], and for what is no file.
    pub fn read_document(&self, path: &Path) -> Result<String, Failure> {
        self.refuse_pipe(path)?;
        self.read_text(path, Exit::Usage)
    }

    /// Reads bytes whole, of a file as [`Session::read_document`] does.
    ///
    /// # Errors
    /// As [`Session::read`], and for what is no file.
    pub fn read_file(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        self.refuse_pipe(path)?;
        self.read(path, Exit::Usage)
    }

    /// Whether a path is a folder.
    pub fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    /// Reads a text file whole.
    ///
    /// # Errors
    /// As [`Session::read`], and for bytes that are not UTF-8.
    pub fn read_text(&self, path: &Path, exit: Exit) -> Result<String, Failure> {
        String::from_utf8(self.read(path, exit)?).map_err(|error| {
            Failure::new(exit, format!("`{}` is not UTF-8", path.display()))
                .hint(format!("the first bad byte is at offset {}", error.utf8_error().valid_up_to()))
        })
    }

    /// Writes to stdout what an exit code or a file says already.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1, for a closed pipe or a full disk.
    pub fn print(&self, data: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(data).and_then(|()| out.flush()).map_err(|error| {
            Failure::new(Exit::NoDecision, "cannot write to standard output").because(error.to_string())
        })
    }

    /// Writes to stdout what the verb is run for. What is closed there takes nothing, and a result that nobody has
    /// is none.
    ///
    /// # Errors
    /// As [`Session::print`], and for a closed stdout.
    pub fn print_result(&self, data: &[u8]) -> Result<(), Failure> {
        if !data.is_empty() && is_closed(&io::stdout()) {
            return Err(Failure::new(Exit::NoDecision, "cannot write to standard output")
                .because("it is closed")
                .hint("`>FILE` writes the result to a file, and `>/dev/null` drops it"));
        }
        self.print(data)
    }

    /// Says something on stderr, unless it is to be quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Says something on stderr in any case.
    pub fn tell(&self, text: &str) {
        // Nobody is left to tell that telling failed.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Keeps a warning for the end: the first line of a failure is the failure's.
    pub fn say_last(&self, text: String) {
        self.courtesies.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
    }

    /// Says what could wait, each thing once.
    pub fn tell_courtesies(&self) {
        let courtesies = std::mem::take(&mut *self.courtesies.lock().unwrap_or_else(PoisonError::into_inner));
        for text in courtesies {
            self.tell(&format!("warning: {text}\n"));
        }
    }

    /// Whether nothing is at a path, which is not the same as being unable to look.
    pub fn is_absent(&self, path: &Path) -> bool {
        fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a path is a file itself, not a link, a device or a pipe.
    pub fn is_file(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
    }

    /// Whether a path is there.
    pub fn exists(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    /// Whether long work may draw on stderr.
    pub fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// That a path leads to something that may never end, or whose content nobody reviewed.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2 for a pipe, a socket or a device.
    pub fn refuse_pipe(&self, path: &Path) -> Result<(), Failure> {
        let failure = |error: io::Error| Failure::io(Exit::Usage, "read", path, &error);
        // Whoever reads it next says why it can't be looked at.
        let Ok(kind) = fs::metadata(path).map(|meta| meta.file_type()) else { return Ok(()) };
        let refuse = |what| Err(failure(io::Error::new(io::ErrorKind::InvalidInput, what)));
        match (kind.is_fifo() || kind.is_socket(), kind.is_char_device() || kind.is_block_device()) {
            (true, _) => refuse("it is a pipe or a socket"),
            (_, true) => refuse("it is a device"),
            (false, false) => Ok(()),
        }
    }
}

/// Whether a stream was closed when the program began. By then `/dev/null` is open in its place, for reading too:
/// whoever drops an output opens it for writing alone. (Some programs that start others open it for both: they are
/// told that it is closed, rather than that a result was given which nobody has.)
fn is_closed(stream: &impl AsFd) -> bool {
    let both = fcntl_getfl(stream).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let device = fstat(stream).map(|found| found.st_rdev);
    both && stat("/dev/null").is_ok_and(|null| device == Ok(null.st_rdev))
}
