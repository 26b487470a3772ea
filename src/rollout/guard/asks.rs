//! What operators ask of a running guard: files in a folder that both can see.
//!
//! In: `STATE/<target>/<plan hex>/requests/<nonce>.json`, written whole and then renamed, by `rollout
//! pause|resume|rollback`. Out: an [`Ask`], once; its file goes when the journal holds it. A guard that
//! is down finds it when it comes back. Whoever may write there may ask: the folder is its owner's.
#![expect(clippy::disallowed_methods, reason = "the folder between a guard and its operators")]

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::json;
use crate::rollout::machine::event::Series;
use crate::rollout::machine::{Cause, Event, Operator, Stage};

use super::pending::Resume;
use super::workers::{CountOrder, Counting, Purpose, TrafficOrder, give};
use super::{Guard, GuardError};

/// More than a name and a reason have.
const MOST_BYTES: u64 = 64 * 1024;
/// More than anybody asks at a time.
const MOST_FILES: usize = 64;

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

/// The most bytes of a reason that a service takes.
pub const MOST_REASON: usize = 4096;

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

    /// Leaves a request: whole, or not at all.
    ///
    /// # Errors
    /// The system's own.
    pub fn leave(&self, ask: &Ask) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let (whole, partial) = (self.file(&ask.nonce), self.folder.join(format!(".{}", ask.nonce)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(&json::canonical(&serde_json::json!(ask)))?;
        file.sync_all()?;
        fs::rename(&partial, &whole)
    }

    /// The requests that are there, oldest first; those that are none are put aside.
    pub fn waiting(&self) -> Vec<Ask> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let named = |entry: io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            (path.extension().is_some_and(|it| it == "json")).then_some(path)
        };
        let mut files: Vec<PathBuf> = entries.filter_map(named).take(MOST_FILES).collect();
        let written = |file: &PathBuf| fs::metadata(file).and_then(|meta| meta.modified()).ok();
        files.sort_by_cached_key(|file| (written(file), file.clone()));
        files.iter().filter_map(|file| self.read(file)).collect()
    }

    /// Reads one. What is no request would be found again for ever, so it is renamed.
    fn read(&self, file: &Path) -> Option<Ask> {
        let ask = small_file(file);
        let ask = ask.and_then(|bytes| json::decode::<Ask>(&bytes).ok());
        if let Some(ask) = ask.filter(|ask| self.file(&ask.nonce) == file) {
            return Some(ask);
        }
        // Best effort: it stays what it is, no request.
        let _ = fs::rename(file, file.with_extension("refused"));
        None
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
pub(super) fn small_file(path: &Path) -> Option<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file =
        OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).ok()?).open(path).ok()?;
    let meta = file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= MOST_BYTES)?;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).ok()?);
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

impl Guard<'_> {
    /// Takes what operators ask. What is to be read first is read first.
    pub(super) fn take_asks(&mut self) -> Result<(), GuardError> {
        // A restart reads before it commands, unless nothing can be read.
        let too_early = !self.pending.begun && self.pending.unread_since.is_none();
        if too_early || !self.asks_due() {
            return Ok(());
        }
        for ask in self.asks.waiting() {
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

    #[test]
    fn a_request_is_found_until_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let asks = Asks::of(folder.path());
        assert_eq!(asks.waiting(), []);
        asks.leave(&ask("b")).unwrap();
        asks.leave(&ask("a")).unwrap();
        assert_eq!(asks.waiting(), [ask("b"), ask("a")], "oldest first");
        asks.taken(&ask("a"));
        assert_eq!(asks.waiting(), [ask("b")]);
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
        assert_eq!(asks.waiting(), [ask("good")]);
        for name in ["torn", "other", "large"] {
            assert!(requests.join(format!("{name}.refused")).is_file(), "{name}");
        }
    }

    #[test]
    fn nobody_asks_without_a_name_and_a_reason() {
        let nameless = r#"{"verb":"pause","operator":{"actor":" ","reason":"x"},"epoch":1,"nonce":"n"}"#;
        assert!(json::decode::<Ask>(nameless.as_bytes()).is_err());
    }
}
