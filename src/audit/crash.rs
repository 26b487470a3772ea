//! Crashes and failing disks, simulated in the process from the steps that a writer takes.
//!
//! A write is recorded as [`Step`]s. From them every state is made that a dead process or a lost
//! disk cache can leave: any prefix of the steps, and of what was not synced any part (names and
//! bytes are lost independently, a write also in half or as zeros). Each state must open, go on,
//! verify, and hold every entry that was acknowledged before. The other way round, each step fails
//! once, and then nothing that was refused may be in the log.
#![expect(clippy::disallowed_methods, reason = "tests build a log's files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::sample::{core, new_log, noon, open, prepared, report};
use super::store::probe::{Fault, Step, record, with_fault};
use super::{AuditLog, Expectations, Reader, verify};
use crate::policy::Caller;

/// A file: what is durable and what is only in the cache.
#[derive(Clone, Default)]
struct FileState {
    durable: Vec<u8>,
    /// Writes and cuts since the last sync.
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(Vec<u8>),
    Truncate(u64),
}

/// What may be lost of a change that was not synced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Loss {
    Nothing,
    Everything,
    Half,
    Zeros,
}

/// A disk with a cache. Files are numbered, since names and files are lost apart.
#[derive(Clone, Default)]
pub(in crate::audit) struct Disk {
    files: Vec<FileState>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
}

impl Disk {
    /// A disk on which everything under `root` is durable.
    pub(in crate::audit) fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.add(root);
        disk.durable_names = disk.names.clone();
        disk
    }

    fn add(&mut self, path: &Path) {
        self.folders.insert(path.to_owned());
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add(&path);
            } else {
                self.files.push(FileState { durable: fs::read(&path).unwrap(), pending: vec![] });
                self.names.insert(path, self.files.len() - 1);
            }
        }
    }

    fn file(&mut self, path: &Path) -> &mut FileState {
        let number = self.names[path];
        &mut self.files[number]
    }

    pub(in crate::audit) fn take(&mut self, step: &Step) {
        match step {
            // A folder without what is in it can't be told from none, so it may stay.
            Step::MakeFolder(path) => drop(self.folders.insert(path.clone())),
            Step::Create(path) => {
                self.files.push(FileState::default());
                self.names.insert(path.clone(), self.files.len() - 1);
            }
            Step::Write(path, bytes) => self.file(path).pending.push(Change::Write(bytes.clone())),
            Step::Truncate(path, length) => self.file(path).pending.push(Change::Truncate(*length)),
            Step::Rename(from, to) => {
                let number = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), number);
            }
            Step::SyncFile(path) => {
                let file = self.file(path);
                file.durable = file.now(Loss::Nothing);
                file.pending.clear();
            }
            Step::SyncFolder(folder) => {
                let inside = |path: &Path| path.parent() == Some(folder);
                self.durable_names.retain(|path, _| !inside(path));
                let now = self.names.iter().filter(|(path, _)| inside(path));
                self.durable_names.extend(now.map(|(path, number)| (path.clone(), *number)));
            }
        }
    }

    /// What is on the disk after a crash that loses this much.
    pub(in crate::audit) fn lay_out(&self, names: Names, loss: Loss, root: &Path, to: &Path) {
        for folder in &self.folders {
            fs::create_dir_all(to.join(folder.strip_prefix(root).unwrap())).unwrap();
        }
        let names = match names {
            Names::Kept => &self.names,
            Names::Lost => &self.durable_names,
        };
        for (path, number) in names {
            let bytes = self.files[*number].now(loss);
            fs::write(to.join(path.strip_prefix(root).unwrap()), bytes).unwrap();
        }
    }
}

#[derive(Clone, Copy)]
pub(in crate::audit) enum Names {
    Kept,
    Lost,
}

impl FileState {
    fn now(&self, loss: Loss) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            match (change, loss) {
                (_, Loss::Everything) => break,
                (Change::Write(more), Loss::Nothing) => bytes.extend(more),
                (Change::Write(more), Loss::Half) => bytes.extend(&more[..more.len() / 2]),
                (Change::Write(more), Loss::Zeros) => bytes.extend(vec![0; more.len()]),
                (Change::Truncate(length), _) => bytes.truncate(*length as usize),
            }
        }
        bytes
    }
}

/// Opens what a crash left, goes on, and checks that what was acknowledged is there.
fn survives(folder: &Path, acknowledged: &[Vec<u8>], what: &str) {
    let mut log = open(folder, noon(50)).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    log.heartbeat(&Caller::unknown(), noon(50)).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let report = verify(&folder.join("log"), &Expectations::default());
    let report = report.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert!(report.warnings.is_empty(), "{what}: {:?}", report.warnings);
    let reader = Reader::open(&folder.join("log")).unwrap();
    let lines: Vec<_> = reader.lines().map(|line| line.unwrap().bytes).collect();
    for line in acknowledged {
        assert!(lines.contains(line), "{what}: an acknowledged entry is lost");
    }
}

fn allow(log: &mut AuditLog, idem: &str, seconds: i64) -> Result<Vec<u8>, super::AuditError> {
    let decision = prepared(&report(), Some(core(noon(9000 + seconds))), idem);
    log.record(decision, &Caller::unknown(), noon(seconds)).map(|held| held.line)
}

fn crash_everywhere(root: &Path, before: &Disk, steps: &[Step], acknowledged: &[Vec<u8>]) -> usize {
    let mut disk = before.clone();
    let mut states = 0;
    for taken in 0..=steps.len() {
        if let Some(step) = taken.checked_sub(1).map(|last| &steps[last]) {
            disk.take(step);
        }
        for names in [Names::Kept, Names::Lost] {
            for loss in [Loss::Nothing, Loss::Everything, Loss::Half, Loss::Zeros] {
                let folder = super::sample::folder();
                disk.lay_out(names, loss, root, &folder.path().join("log"));
                survives(folder.path(), acknowledged, &format!("after {taken} of {} steps", steps.len()));
                states += 1;
            }
        }
    }
    states
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    for segment in [2, 65_536] {
        let (folder, _) = new_log(segment);
        let root = folder.path().join("log");
        let mut acknowledged = Vec::new();
        let mut states = 0;
        for n in 0..2 {
            let before = Disk::of(&root);
            let mut log = open(folder.path(), noon(n)).unwrap();
            let (line, steps) = record(|| allow(&mut log, &format!("{n}"), n).unwrap());
            states += crash_everywhere(&root, &before, &steps, &acknowledged);
            acknowledged.push(line);
            let after = Disk::of(&root);
            states += crash_everywhere(&root, &after, &[], &acknowledged);
        }
        assert!(states > 200, "only {states} states");
    }
}

#[test]
fn no_crash_in_recovery_loses_or_hides_anything() {
    let (folder, _) = new_log(65_536);
    let root = folder.path().join("log");
    let mut log = open(folder.path(), noon(1)).unwrap();
    let acknowledged = [allow(&mut log, "one", 1).unwrap()];
    for (file, tail) in [("entries", b"{\"half".as_slice()), ("journal", b"{\"size\":".as_slice())] {
        let path = root.join(file).join("00000000000000000000.jsonl");
        fs::write(&path, [fs::read(&path).unwrap().as_slice(), tail].concat()).unwrap();
    }
    let before = Disk::of(&root);
    let mut log = open(folder.path(), noon(2)).unwrap();
    let (_, steps) = record(|| log.heartbeat(&Caller::unknown(), noon(2)).unwrap());
    let mut disk = before;
    for taken in 0..=steps.len() {
        if let Some(step) = taken.checked_sub(1).map(|last| &steps[last]) {
            disk.take(step);
        }
        for loss in [Loss::Nothing, Loss::Everything, Loss::Half] {
            let folder = super::sample::folder();
            disk.lay_out(Names::Lost, loss, &root, &folder.path().join("log"));
            survives(folder.path(), &acknowledged, &format!("after {taken} of {} steps", steps.len()));
            let report = verify(&folder.path().join("log"), &Expectations::default()).unwrap();
            assert!(report.recoveries >= 2, "after {taken}: {} reported", report.recoveries);
        }
    }
}

#[test]
fn no_crash_while_a_log_is_made_leaves_half_of_one() {
    let folder = super::sample::folder();
    let caller = Caller::unknown();
    let new = super::NewLog::new(folder.path().join("log"), super::sample::ORIGIN, &caller);
    for at in 0..1000 {
        let fault = Fault { at, errno: Errno::NOSPC.raw_os_error(), written: 0 };
        let made = || AuditLog::create(&new, &super::sample::key(), noon(0));
        let (outcome, reached) = with_fault(fault, made);
        if outcome.is_ok() {
            assert!(!reached || folder.path().join("log").exists());
            verify(&folder.path().join("log"), &Expectations::default()).unwrap();
            assert!(at > 20, "only {at} steps");
            return;
        }
        // The last step, the sync of the parent, fails with the log in place.
        if folder.path().join("log").exists() {
            verify(&folder.path().join("log"), &Expectations::default()).unwrap();
            fs::remove_dir_all(folder.path().join("log")).unwrap();
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "step {at}: {left:?}");
    }
    panic!("never made");
}

#[test]
fn a_full_or_read_only_disk_refuses_and_leaves_nothing_behind() {
    for (errno, written) in [(Errno::NOSPC, 0), (Errno::NOSPC, 100), (Errno::ROFS, 0)] {
        let (folder, _) = new_log(3);
        let mut log = open(folder.path(), noon(1)).unwrap();
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for at in 0..1000 {
            let fault = Fault { at, errno: errno.raw_os_error(), written };
            let idem = at.to_string();
            let (outcome, reached) = with_fault(fault, || allow(&mut log, &idem, at as i64));
            match outcome {
                Ok(line) => acknowledged.push(line),
                Err(error) => {
                    assert!(reached, "{error:?}");
                    assert_eq!(error.exit_class(), super::ExitClass::Unusable, "{error:?}");
                    refused += 1;
                    let reader = Reader::open(&folder.path().join("log")).unwrap();
                    let last = reader.line(reader.size() - 1).unwrap().unwrap();
                    let last = String::from_utf8(last.bytes).unwrap();
                    let idem = crate::release::digest::Digest::of_bytes(idem.as_bytes());
                    assert!(!last.contains(&idem.to_string()), "refused, and there all the same");
                    verify(&folder.path().join("log"), &Expectations::default()).unwrap();
                }
            }
            if !reached {
                break;
            }
        }
        assert!(refused > 10, "only {refused} refusals");
        for _ in 0..3 {
            acknowledged.push(allow(&mut log, "after", 2000).unwrap());
        }
        survives_later(folder.path(), &acknowledged);
    }
}

/// As [`survives`], with a clock after all others.
fn survives_later(folder: &Path, acknowledged: &[Vec<u8>]) {
    let mut log = open(folder, noon(3000)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(3000)).unwrap();
    let report = verify(&folder.join("log"), &Expectations::default()).unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let reader = Reader::open(&folder.join("log")).unwrap();
    let lines: Vec<_> = reader.lines().map(|line| line.unwrap().bytes).collect();
    assert!(acknowledged.iter().all(|line| lines.contains(line)));
}

#[test]
fn after_an_io_error_writers_stop_and_readers_go_on() {
    let mut marked = 0;
    for at in 0..1000 {
        let (folder, _) = new_log(65_536);
        let mut log = open(folder.path(), noon(1)).unwrap();
        let fault = Fault { at, errno: Errno::IO.raw_os_error(), written: 0 };
        let (outcome, reached) = with_fault(fault, || log.heartbeat(&Caller::unknown(), noon(1)));
        if !reached {
            outcome.unwrap();
            assert!(marked >= 4, "only {marked}");
            return;
        }
        let error = match outcome {
            // The step that failed came after the entry was durable and known to be.
            Ok(_) => continue,
            Err(error) => error,
        };
        assert_eq!(error.exit_class(), super::ExitClass::Unusable, "{error:?}");
        let path = folder.path().join("log");
        assert!(path.join("NEEDS_REPAIR").exists(), "step {at}: {error:?}");
        assert!(matches!(log.heartbeat(&Caller::unknown(), noon(1)), Err(super::AuditError::NeedsRepair(_))));
        let report = verify(&path, &Expectations::default()).unwrap();
        assert!(report.warnings.contains(&super::verify::Notice::NeedsRepair));
        marked += 1;
    }
    panic!("never reached the end");
}
