//! What operators ask of a running guard: files in a folder that both can see.
//!
//! In: `STATE/<target>/<plan hex>/requests/<nonce>.json`, written whole and then renamed, by `rollout
//! pause|resume|rollback`. Out: an [`Ask`], once; its file goes when the journal holds it. A guard that
//! is down finds it when it comes back. Whoever may write there may ask: the folder is its owner's. What
//! can't be read now may be a request, and is told apart from none ([`Waiting`]).
#![expect(clippy::disallowed_methods, reason = "the folder between a guard and its operators")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::json;
use crate::rollout::machine::event::{Series, Unreasoned};
use crate::rollout::machine::{Cause, Event, Operator, Stage};

use super::pending::Resume;
use super::workers::{CountOrder, Counting, Purpose, TrafficOrder, give};
use super::{Guard, GuardError};

/// More than a name and a reason have.
const MOST_BYTES: u64 = 64 * 1024;
/// How many are taken at a time, of those for the way back and of the others.
const MOST_ASKS: usize = 64;
/// How many files are looked at.
const MOST_FILES: usize = 4096;
/// How many may be being written under one nonce, or be left of a crash.
const MOST_PARTIAL: u32 = 64;

/// Somebody's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ask {
    /// What for.
    pub verb: Verb,
    /// Who, and why.
    pub operator: Operator,
    /// The epoch that they saw: a resume of an older one is too late.
    pub epoch: u64,
    /// One per request: a repeated one is the same.
    pub nonce: String,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Freeze.
    Pause,
    /// Go on.
    Resume,
    /// Go back.
    Rollback,
}

impl Verb {
    /// By its name, as it is written in a request and on the command line.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "rollback" => Self::Rollback,
            _ => return None,
        })
    }
}

/// The most bytes of a name, and of a reason.
pub const MOST_REASON: usize = 4096;

/// Why nobody asks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unasked {
    /// Nobody, or for no reason.
    #[error(transparent)]
    Unreasoned(#[from] Unreasoned),
    /// A longer name or reason than a request holds.
    #[error("a name and a reason have at most {MOST_REASON} bytes each")]
    Long,
}

impl Ask {
    /// To have an engine roll back a plan. One plan is rolled back once: a second request is the same.
    pub fn of_engine(operator: Operator) -> Self {
        Self { verb: Verb::Rollback, operator, epoch: 0, nonce: "rollback".to_owned() }
    }

    /// Who asks, and why.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn operator(actor: &str, reason: &str) -> Result<Operator, Unasked> {
        if actor.len().max(reason.len()) > MOST_REASON {
            return Err(Unasked::Long);
        }
        Ok(Operator::new(actor, reason)?)
    }
}

/// What is found in a folder of requests.
#[derive(Debug, Default)]
pub struct Waiting {
    /// The requests: those for the way back first, and the oldest first.
    pub asks: Vec<Ask>,
    /// What can't be read now, and may be one.
    pub unread: Option<Unread>,
}

/// A request, or a folder of them, that can't be read now.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", path.display())]
pub struct Unread {
    /// Which.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// The folder of requests of one rollout.
#[derive(Debug, Clone)]
pub struct Asks {
    folder: PathBuf,
}

impl Asks {
    /// The folder in a rollout's own.
    pub fn of(rollout: &Path) -> Self {
        Self { folder: rollout.join("requests") }
    }

    /// Leaves a request: whole, or not at all; after an error it may be there all the same.
    ///
    /// # Errors
    /// The system's own; [`io::ErrorKind::InvalidInput`] where it is longer than what is read.
    pub fn leave(&self, ask: &Ask) -> io::Result<()> {
        let bytes = json::canonical(&serde_json::json!(ask));
        if bytes.len() as u64 > MOST_BYTES {
            let text = format!("a request has at most {MOST_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.folder.parent().map_or(Ok(()), sync)?;
        let (partial, mut file) = self.partial(&ask.nonce)?;
        let left = file
            .write_all(&bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&partial, self.file(&ask.nonce)));
        if let Err(error) = left {
            // Best effort: it is no request, and in nobody's way.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        // Else a power cut could lose what somebody was told is left.
        sync(&self.folder)
    }

    /// A file beside a request. What a crash has left keeps its name.
    fn partial(&self, nonce: &str) -> io::Result<(PathBuf, File)> {
        let mut tried = 0;
        loop {
            let path = self.folder.join(format!(".{nonce}.{tried}"));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < MOST_PARTIAL => {
                    tried += 1;
                }
                made => return made.map(|file| (path, file)),
            }
        }
    }

    /// The requests that are there, at most 64 for the way back and 64 others at a time; those that are none are
    /// put aside.
    pub fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        let mut others = Vec::new();
        let unread = |path: &Path, source| Some(Unread { path: path.to_owned(), source });
        let files = match self.files() {
            Ok(files) => files,
            Err(source) => return Waiting { unread: unread(&self.folder, source), ..waiting },
        };
        if files.len() > MOST_FILES {
            let source = io::Error::other(format!("more than {MOST_FILES} requests wait"));
            waiting.unread = unread(&self.folder, source);
        }
        for file in files.iter().take(MOST_FILES) {
            match self.made_of(file, small_file(file)) {
                Ok(None) => {}
                Ok(Some(ask)) => {
                    let kind = if ask.verb == Verb::Rollback { &mut waiting.asks } else { &mut others };
                    kind.extend(Some(ask).filter(|_| kind.len() < MOST_ASKS));
                }
                Err(source) => waiting.unread = unread(file, source),
            }
        }
        waiting.asks.append(&mut others);
        waiting
    }

    /// The files that may be requests, oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            // Nobody has asked yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            files.extend(Some(path).filter(|path| path.extension().is_some_and(|it| it == "json")));
        }
        let written = |file: &PathBuf| fs::symlink_metadata(file).and_then(|meta| meta.modified()).ok();
        files.sort_by_cached_key(|file| (written(file), file.clone()));
        Ok(files)
    }

    /// The request in what was read. What is none would be found again for ever, so it is renamed; what could
    /// not be read stays.
    fn made_of(&self, file: &Path, read: io::Result<Option<Vec<u8>>>) -> io::Result<Option<Ask>> {
        let bytes = match read {
            // Taken meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let ask = bytes.and_then(|bytes| json::decode::<Ask>(&bytes).ok());
        let ask = ask.filter(|ask| self.file(&ask.nonce) == file);
        if ask.is_none() {
            // Best effort: it stays what it is, no request.
            let _ = fs::rename(file, file.with_extension("refused"));
        }
        Ok(ask)
    }

    /// The journal holds it.
    pub(super) fn taken(&self, ask: &Ask) {
        // Found again, it is the same event, and changes nothing.
        let _ = fs::remove_file(self.file(&ask.nonce));
    }

    fn file(&self, nonce: &str) -> PathBuf {
        self.folder.join(format!("{nonce}.json"))
    }
}

/// A file's bytes, if it is one itself (no link, no pipe, no device) and small: whoever may write to the
/// folder can neither make the reader wait nor have it read something else.
pub(super) fn small_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if is_no_file(&error) => return Ok(None),
        file => file?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > MOST_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Whether opening has found a link or a socket.
fn is_no_file(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    errno.is_some_and(|errno| [rustix::io::Errno::LOOP, rustix::io::Errno::NXIO].contains(&errno))
}

/// Has what a folder names outlive a power cut.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Guard<'_> {
    /// Takes what operators ask. What is to be read first is read first.
    pub(super) fn take_asks(&mut self) -> Result<(), GuardError> {
        // A restart reads before it commands, unless nothing can be read.
        let too_early = !self.pending.begun && self.pending.unread_since.is_none();
        if too_early || !self.asks_due() {
            return Ok(());
        }
        let Waiting { asks, unread } = self.asks.waiting();
        self.note(unread.as_ref());
        for ask in asks {
            if self.nonces.contains(&ask.nonce) {
                self.asks.taken(&ask);
                continue;
            }
            let operator = ask.operator.clone();
            let event = match (ask.verb, self.stage()) {
                (Verb::Pause, _) => Event::Pause(operator),
                (Verb::Rollback, Stage::Planned) => Event::Cancel(operator),
                (Verb::Rollback, _) => Event::Rollback(operator),
                // One at a time; what holds or lowers never waits for one.
                (Verb::Resume, Stage::Paused { .. }) if self.pending.resume.is_some() => continue,
                (Verb::Resume, Stage::Paused { .. }) => {
                    self.ask_to_go_on(ask);
                    continue;
                }
                (Verb::Resume, _) => Event::Resume { operator, readback: None, series: Series::Absent },
            };
            self.tell_of(ask.epoch, event, Some(ask.nonce.clone()))?;
            self.asks.taken(&ask);
        }
        Ok(())
    }

    /// Says once that requests can't be read; each look tries again.
    fn note(&mut self, unread: Option<&Unread>) {
        let Some(unread) = unread else { return self.pending.clear_trouble("requests") };
        let text = format!("a request may wait that can't be read: {unread}: {}", unread.source);
        if !self.pending.troubles().contains(&text) {
            self.watcher.trouble(&text);
        }
        self.pending.trouble("requests", text);
    }

    fn ask_to_go_on(&mut self, ask: Ask) {
        let Some(pause) = self.stage().pause().copied() else { return };
        let epoch = self.epoch();
        give(&self.workers.traffic, TrafficOrder::Read { purpose: Purpose::Resume, epoch });
        let missing = pause.cause == Cause::Missing;
        if missing {
            let rung = self.journal.schedule().rung(self.journal.state().passed);
            let objectives = self.assignment.objectives(rung.budgets.iter().map(|budget| budget.id.as_str()));
            let (from, until) = (pause.since, (self.clock)());
            let sides = self.assignment.sides(&self.pending.stable_runs);
            let order = CountOrder { counting: Counting::Resume, epoch, sides, objectives, from, until };
            give(&self.workers.counts, order);
        }
        self.pending.resume =
            Some(Resume { ask, weight: None, series: (!missing).then_some(Series::Absent) });
    }

    /// Whether the series are there again.
    pub(super) fn series_for_resume(&mut self, series: Series) -> Result<(), GuardError> {
        if let Some(resume) = &mut self.pending.resume {
            resume.series = Some(series);
        }
        self.go_on()
    }

    /// T17: once the weight and the series are read.
    pub(super) fn go_on(&mut self) -> Result<(), GuardError> {
        let Some(Resume { weight: Some(readback), series: Some(series), .. }) = &self.pending.resume else {
            return Ok(());
        };
        let (readback, series) = (*readback, *series);
        let Some(Resume { ask, .. }) = self.pending.resume.take() else { return Ok(()) };
        let event = Event::Resume { operator: ask.operator.clone(), readback, series };
        // A pause that this guard found is the one that was seen, although its restart has raised the epoch.
        let found = ask.epoch == self.found_epoch && self.epoch() == self.found_epoch + 1;
        let epoch = if found { self.epoch() } else { ask.epoch };
        self.tell_of(epoch, event, Some(ask.nonce.clone()))?;
        self.asks.taken(&ask);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(nonce: &str) -> Ask {
        let operator = Operator::new("alice", "the dashboard is red").unwrap();
        Ask { verb: Verb::Pause, operator, epoch: 3, nonce: nonce.to_owned() }
    }

    fn found(asks: &Asks) -> Vec<Ask> {
        let waiting = asks.waiting();
        assert!(waiting.unread.is_none(), "{waiting:?}");
        waiting.asks
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(folder.join("requests")).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_request_is_found_until_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        assert_eq!(found(&asks), []);
        asks.leave(&ask("b")).unwrap();
        asks.leave(&ask("a")).unwrap();
        assert_eq!(found(&asks), [ask("b"), ask("a")], "oldest first");
        asks.taken(&ask("a"));
        assert_eq!(found(&asks), [ask("b")]);
        assert_eq!(names(folder.path()), ["b.json"]);
    }

    #[test]
    fn what_is_no_request_is_put_aside_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        asks.leave(&ask("good")).unwrap();
        let requests = folder.path().join("requests");
        fs::write(requests.join("torn.json"), "{\"verb\":").unwrap();
        fs::write(requests.join("other.json"), fs::read(requests.join("good.json")).unwrap()).unwrap();
        fs::write(requests.join("large.json"), vec![b' '; 70_000]).unwrap();
        fs::create_dir(requests.join("folder.json")).unwrap();
        std::os::unix::fs::symlink("good.json", requests.join("link.json")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(requests.join("socket.json")).unwrap();
        assert_eq!(found(&asks), [ask("good")]);
        let put_aside = ["folder", "large", "link", "other", "socket", "torn"];
        let mut expected: Vec<String> = put_aside.map(|name| format!("{name}.refused")).to_vec();
        expected.insert(1, "good.json".to_owned());
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn what_can_not_be_read_now_stays_a_request() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        asks.leave(&ask("a")).unwrap();
        let file = folder.path().join("requests/a.json");
        for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::IO, rustix::io::Errno::ACCESS] {
            let error = asks.made_of(&file, Err(errno.into())).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        }
        assert_eq!(asks.made_of(&file, Err(rustix::io::Errno::NOENT.into())).unwrap(), None);
        assert_eq!(found(&asks), [ask("a")]);
    }

    #[test]
    fn a_folder_that_can_not_be_read_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("requests"), "a file").unwrap();
        let waiting = Asks::of(folder.path()).waiting();
        assert_eq!(waiting.asks, []);
        assert_eq!(waiting.unread.unwrap().path, folder.path().join("requests"));
    }

    #[test]
    fn the_way_back_is_found_before_and_among_however_many_others() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        let requests = folder.path().join("requests");
        fs::create_dir(&requests).unwrap();
        for nth in 0..200 {
            let ask = ask(&format!("{nth:03}"));
            fs::write(asks.file(&ask.nonce), json::canonical(&serde_json::json!(ask))).unwrap();
        }
        let back = Ask { verb: Verb::Rollback, ..ask("z") };
        asks.leave(&back).unwrap();
        let waiting = found(&asks);
        assert_eq!((waiting.first(), waiting.len()), (Some(&back), 1 + MOST_ASKS));
        for nth in 200..=MOST_FILES {
            fs::write(requests.join(format!("{nth}.json")), "").unwrap();
        }
        let said = asks.waiting().unread.unwrap();
        assert_eq!(said.source.to_string(), "more than 4096 requests wait");
    }

    #[test]
    fn what_a_crash_left_of_a_request_does_not_keep_the_next_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        let requests = folder.path().join("requests");
        fs::create_dir(&requests).unwrap();
        for name in [".rollback", ".rollback.0", ".rollback.1"] {
            fs::write(requests.join(name), "{").unwrap();
        }
        let back = |who| Ask::of_engine(Operator::new(who, "the dashboard is red").unwrap());
        asks.leave(&back("alice")).unwrap();
        asks.leave(&back("bob")).unwrap();
        assert_eq!(found(&asks), [back("bob")]);
    }

    #[test]
    fn a_request_that_can_not_be_left_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        fs::create_dir_all(folder.path().join("requests/a.json/taken")).unwrap();
        assert!(asks.leave(&ask("a")).is_err());
        assert_eq!(names(folder.path()), ["a.json"]);
        let long = Operator::new("alice", &"x".repeat(70_000)).unwrap();
        let error = asks.leave(&Ask { operator: long, ..ask("b") }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn nobody_asks_without_a_name_and_a_reason_or_at_length() {
        let nameless = r#"{"verb":"pause","operator":{"actor":" ","reason":"x"},"epoch":1,"nonce":"n"}"#;
        assert!(json::decode::<Ask>(nameless.as_bytes()).is_err());
        assert!(matches!(Ask::operator(" ", "x"), Err(Unasked::Unreasoned(_))));
        let (most, more) = ("x".repeat(MOST_REASON), "x".repeat(MOST_REASON + 1));
        assert!(Ask::operator(&most, &most).is_ok());
        for (actor, reason) in [("x", more.as_str()), (&more, "x")] {
            assert!(matches!(Ask::operator(actor, reason), Err(Unasked::Long)));
        }
        // However it is escaped, what is taken is read again.
        let worst = Operator::new(&format!("x{}x", "\u{1}".repeat(MOST_REASON - 2)), &most).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Asks::of(folder.path()).leave(&Ask { operator: worst, ..ask("a") }).unwrap();
    }
}
