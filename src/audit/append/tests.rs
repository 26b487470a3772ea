//! The append protocol: what is recorded, found again, refused, and what recovery makes of a crash.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::identity::{Pin, Pinned};
use crate::audit::inception::{NewLog, Unless};
use crate::audit::note::VerifierKey;
use crate::audit::sample::{self, ORIGIN, config, core, key, new_log, noon, open, prepared, report};
use crate::audit::tree::{Hash, verify_inclusion};
use crate::audit::{ExitClass, Expectations, LogConfig, Reader, Report, Warning, verify};
use crate::key::secret::SecretKey;

fn verified(folder: &Path) -> Report {
    verify(&folder.join("log"), &Expectations::default()).unwrap()
}

fn kinds(folder: &Path) -> Vec<String> {
    let reader = Reader::open(&folder.join("log")).unwrap();
    reader.lines().map(|line| line.unwrap().parse().unwrap().body.kind().to_owned()).collect()
}

fn allow(log: &mut AuditLog, idem: &str, now: Timestamp) -> Held {
    let core = core(now + chrono::TimeDelta::hours(4));
    log.record(prepared(&report(), Some(core), idem), &Caller::unknown(), now).unwrap()
}

fn deny(log: &mut AuditLog, now: Timestamp) -> Held {
    let report = DecisionReport { action: Action::Deny, verdict: Verdict::Fail, ..report() };
    log.record(prepared(&report, None, "deny"), &Caller::unknown(), now).unwrap()
}

/// Checks an approval as somebody who has only the pinned key would.
fn proves(held: &Held) {
    let proof: TlogProof = held.proof.parse().unwrap();
    let trusted = [VerifierKey::new(ORIGIN, key().public()).unwrap()];
    let checkpoint = Checkpoint::open(&proof.checkpoint, &trusted).unwrap();
    assert_eq!(checkpoint.head.size, held.reference.size);
    assert_eq!(checkpoint.head.root.claim(), held.reference.root);
    let (index, size) = (held.reference.index, checkpoint.head.size);
    assert_eq!(proof.index, index);
    assert!(verify_inclusion(&leaf_hash(&held.line), index, size, &proof.hashes, &checkpoint.head.root));
}

use crate::plan::draft::Verdict;

#[test]
fn records_a_decision_with_its_proof_blobs_and_changes() {
    let (folder, created) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let held = allow(&mut log, "one", noon(1));
    proves(&held);
    assert_eq!(held.reference.log_id, created.log_id);
    assert_eq!(held.reference.index, 3);
    assert_eq!(held.novelty, Novelty::New);
    assert_eq!(kinds(folder.path()), ["log.created", "policy.changed", "trust.changed", "decision"]);
    assert_eq!(verified(folder.path()).head.size, 4);
    let reader = Reader::open(&folder.path().join("log")).unwrap();
    assert!(reader.holds(&held.reference, &held.line).unwrap());
    assert!(!reader.holds(&held.reference, b"another").unwrap());
    assert_eq!(reader.line(3).unwrap().unwrap().bytes, held.line);
    let plan = Digest::of_bytes(held.core.as_deref().unwrap()).claim();
    assert_eq!(reader.blob(&plan).unwrap(), held.core);
}

#[test]
fn gives_the_same_allow_again_byte_for_byte_and_appends_nothing() {
    let (folder, _) = new_log(4);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let first = allow(&mut log, "one", noon(1));
    for n in 0..6 {
        deny(&mut log, noon(2 + n));
    }
    let size = log.size();
    let mut reopened = open(folder.path(), noon(20)).unwrap();
    for log in [&mut log, &mut reopened] {
        let again = allow(log, "one", noon(30));
        assert_eq!(again.novelty, Novelty::Again);
        assert_eq!((&again.line, &again.proof, &again.core), (&first.line, &first.proof, &first.core));
        assert_eq!(again.reference, first.reference);
        assert_eq!(log.size(), size);
    }
    proves(&first);
}

#[test]
fn does_not_give_again_what_expired_ended_or_was_decided_otherwise() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let first = allow(&mut log, "one", noon(1));
    let hour = 3600;
    assert_eq!(allow(&mut log, "one", noon(3 * hour)).novelty, Novelty::Again);
    assert_eq!(allow(&mut log, "one", noon(1 + 4 * hour)).novelty, Novelty::New);
    assert_eq!(allow(&mut log, "two", noon(1 + 4 * hour)).novelty, Novelty::New);
    let break_glass = DecisionReport { mode: Mode::BreakGlass, ..report() };
    let other = prepared(&break_glass, Some(core(noon(9 * hour))), "one");
    let other = log.record(other, &Caller::unknown(), noon(1 + 4 * hour)).unwrap();
    assert_eq!(other.novelty, Novelty::New);
    assert_ne!(other.line, first.line);
    let plan = Digest::of_bytes(other.core.as_deref().unwrap());
    let members = serde_json::json!({"plan": {"digest": plan}, "target": "prod"});
    let serde_json::Value::Object(members) = members else { panic!("an object") };
    let ended = Body::Other { kind: "rollout.completed".into(), members };
    log.record_event(ended, &[], &Caller::unknown(), noon(2 + 4 * hour)).unwrap();
    let again = prepared(&break_glass, Some(core(noon(9 * hour))), "one");
    let again = log.record(again, &Caller::unknown(), noon(3 + 4 * hour)).unwrap();
    assert_eq!(again.novelty, Novelty::New, "its plan has ended");
}

#[test]
fn denies_and_rehearsals_always_append_and_rehearsals_change_nothing() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let rehearsal = DecisionReport { mode: Mode::DryRun, action: Action::None, ..report() };
    for n in 1..3 {
        log.record(prepared(&rehearsal, None, "one"), &Caller::unknown(), noon(n)).unwrap();
    }
    assert!(log.last_versions("production").is_empty());
    deny(&mut log, noon(3));
    deny(&mut log, noon(4));
    assert_eq!(log.last_versions("production"), [("production".to_owned(), 7)].into());
    let decision = "decision";
    let changed = ["policy.changed", "trust.changed"];
    assert_eq!(
        kinds(folder.path()),
        ["log.created", decision, decision, changed[0], changed[1], decision, decision]
    );
}

#[test]
fn refuses_an_older_policy_set_and_takes_a_newer_one() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let with = |version: u64, environment: &str| {
        let mut report = DecisionReport { action: Action::Deny, verdict: Verdict::Fail, ..report() };
        report.policy.sets[0].version = version;
        report.release.environment = environment.to_owned();
        prepared(&report, None, "deny")
    };
    log.record(with(8, "production"), &Caller::unknown(), noon(1)).unwrap();
    let refused = log.record(with(7, "production"), &Caller::unknown(), noon(2)).unwrap_err();
    assert_eq!(refused.exit_class(), ExitClass::PolicyRollback);
    log.record(with(7, "staging"), &Caller::unknown(), noon(3)).unwrap();
    log.record(with(9, "production"), &Caller::unknown(), noon(4)).unwrap();
    // A writer that opened before another one recorded a newer version.
    let mut late = open(folder.path(), noon(5)).unwrap();
    log.record(with(11, "production"), &Caller::unknown(), noon(6)).unwrap();
    let refused = late.record(with(10, "production"), &Caller::unknown(), noon(7)).unwrap_err();
    assert!(matches!(refused, AuditError::PolicyRollback { recorded: 11, given: 10, .. }), "{refused}");
    assert_eq!(verified(folder.path()).head.size, log.size());
}

#[test]
fn refuses_a_decision_whose_blobs_are_not_all_there() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let whole = prepared(&report(), Some(core(noon(9))), "one");
    for n in 0..whole.blobs.len() {
        let mut lacking = prepared(&report(), Some(core(noon(9))), "one");
        let blob = lacking.blobs.remove(n);
        let outcome = log.record(lacking, &Caller::unknown(), noon(1));
        // The file that only the manifest names is not a blob that the entry names.
        let named = blob != sample::POLICY_FILE;
        assert_eq!(matches!(outcome, Err(AuditError::BlobNotGiven { .. })), named, "{n}");
    }
}

#[test]
fn refuses_a_clock_that_is_more_than_a_minute_behind() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(0)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(1000)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(940)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(1000)).unwrap();
    let error = log.heartbeat(&Caller::unknown(), noon(939)).unwrap_err();
    assert!(matches!(error, AuditError::ClockBehind { .. }), "{error}");
    assert_eq!(error.exit_class(), ExitClass::Unusable);
    assert!(matches!(open(folder.path(), noon(939)), Err(AuditError::ClockBehind { .. })));
}

#[test]
fn rolls_over_segments_and_splits_a_batch_between_two() {
    for segment in [1, 2, 3, 5] {
        let (folder, _) = new_log(segment);
        let mut log = open(folder.path(), noon(1)).unwrap();
        for n in 0..7 {
            let held = allow(&mut log, &format!("idem {n}"), noon(n));
            proves(&held);
            assert_eq!(held.reference.size, held.reference.index + 1);
            log.annotate(held.reference.index, "looked at", &Caller::unknown(), noon(n)).unwrap();
        }
        assert_eq!(log.size(), 17);
        let files = fs::read_dir(folder.path().join("log/entries")).unwrap().count() as u64;
        assert_eq!(files, 17_u64.div_ceil(segment));
        let report = verified(folder.path());
        assert_eq!(report.head.size, 17);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        assert_eq!(open(folder.path(), noon(99)).unwrap().size(), 17);
        assert_eq!(allow(&mut log, "idem 0", noon(99)).novelty, Novelty::Again);
    }
}

#[test]
fn two_writers_take_turns() {
    let (folder, _) = new_log(7);
    let folder = folder.path();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let mut log = open(folder, noon(1)).unwrap();
                for n in 0..8 {
                    proves(&allow(&mut log, &format!("{writer} {n}"), noon(1)));
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                verified(folder);
            }
        });
    });
    let report = verified(folder);
    assert_eq!(report.head.size, 3 + 32);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[test]
fn waits_for_another_writer_only_until_the_deadline() {
    let (folder, _) = new_log(65_536);
    let config = LogConfig { lock_deadline: Duration::from_millis(30), ..config(folder.path()) };
    let mut log = AuditLog::open(config, noon(1)).unwrap();
    let held = fs::File::options().append(true).open(folder.path().join("log/lock")).unwrap();
    held.lock().unwrap();
    let error = log.heartbeat(&Caller::unknown(), noon(1)).unwrap_err();
    assert!(matches!(error, AuditError::Locked { .. }), "{error}");
    drop(held);
    log.heartbeat(&Caller::unknown(), noon(1)).unwrap();
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("log").join(name)).unwrap()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join("log").join(name), bytes).unwrap();
}

const ENTRIES: &str = "entries/00000000000000000000.jsonl";
const JOURNAL: &str = "journal/00000000000000000000.jsonl";

/// A log as it was before and after its last commit.
struct Before {
    folder: tempfile::TempDir,
    entries: [Vec<u8>; 2],
    journal: [Vec<u8>; 2],
    checkpoint: [Vec<u8>; 2],
}

fn before() -> Before {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(1)).unwrap();
    let read = || [ENTRIES, JOURNAL, "checkpoint"].map(|name| bytes(folder.path(), name));
    let [entries, journal, checkpoint] = read();
    log.heartbeat(&Caller::unknown(), noon(2)).unwrap();
    let [entries2, journal2, checkpoint2] = read();
    Before {
        entries: [entries, entries2],
        journal: [journal, journal2],
        checkpoint: [checkpoint, checkpoint2],
        folder,
    }
}

/// What a crash leaves of a write: every prefix, and every prefix with zeros to its end.
fn torn(old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for cut in old.len()..=new.len() {
        all.push(new[..cut].to_vec());
        if cut < new.len() {
            all.push([&new[..cut], vec![0; new.len() - cut].as_slice()].concat());
        }
    }
    all
}

/// Appends and verifies; gives how many entries were recovered and the size before the append.
fn goes_on(folder: &Path) -> (usize, u64) {
    let _ = fs::remove_dir_all(folder.join("log/quarantine"));
    let mut log = open(folder, noon(3)).unwrap();
    let before = log.size();
    log.heartbeat(&Caller::unknown(), noon(3)).unwrap();
    let recovered = kinds(folder).iter().filter(|kind| *kind == "log.recovered").count();
    let report = verified(folder);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(report.head.size, before + recovered as u64 + 1);
    (recovered, before)
}

#[test]
fn a_torn_entry_is_set_aside_and_reported() {
    let was = before();
    let folder = was.folder.path();
    for state in torn(&was.entries[0], &was.entries[1]) {
        put(folder, ENTRIES, &state);
        put(folder, JOURNAL, &was.journal[0]);
        put(folder, "checkpoint", &was.checkpoint[0]);
        let reported = usize::from(state.len() > was.entries[0].len());
        assert_eq!(goes_on(folder), (reported, 2));
        if reported == 1 {
            let tail = Digest::of_bytes(&state[was.entries[0].len()..]).hex();
            assert_eq!(bytes(folder, &format!("quarantine/{tail}.bin")), state[was.entries[0].len()..]);
        }
    }
}

#[test]
fn a_torn_record_is_set_aside_and_a_whole_one_is_adopted() {
    let was = before();
    let folder = was.folder.path();
    for state in torn(&was.journal[0], &was.journal[1]) {
        put(folder, ENTRIES, &was.entries[1]);
        put(folder, JOURNAL, &state);
        put(folder, "checkpoint", &was.checkpoint[0]);
        let whole = was.journal[1].starts_with(&state) && state.len() + 1 >= was.journal[1].len();
        let nothing = state == was.journal[0];
        let expected = match (whole, nothing) {
            (true, _) => (0, 3),
            // The line that no record signs; a torn record comes on top.
            (false, true) => (1, 2),
            (false, false) => (2, 2),
        };
        assert_eq!(goes_on(folder), expected, "{} bytes", state.len());
    }
}

#[test]
fn an_altered_entry_under_a_signed_record_is_never_adopted() {
    let was = before();
    let folder = was.folder.path();
    let without_end = was.journal[1][..was.journal[1].len() - 1].to_vec();
    for journal in [without_end, was.journal[1].clone()] {
        for at in was.entries[0].len()..was.entries[1].len() {
            let mut entries = was.entries[1].clone();
            entries[at] ^= 0x04;
            put(folder, ENTRIES, &entries);
            put(folder, JOURNAL, &journal);
            put(folder, "checkpoint", &was.checkpoint[0]);
            let error = open(folder, noon(3)).unwrap_err();
            assert_eq!(error.exit_class(), ExitClass::Integrity, "byte {at}");
        }
    }
}

#[test]
fn a_tail_that_two_crashes_left_is_damage() {
    let was = before();
    let folder = was.folder.path();
    put(folder, JOURNAL, &[was.journal[1].as_slice(), b"{}\n{}\n"].concat());
    let error = open(folder, noon(3)).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
}

#[test]
fn a_stale_checkpoint_is_made_anew_even_when_nothing_is_appended() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let old = bytes(folder.path(), "checkpoint");
    allow(&mut log, "one", noon(1));
    let new = bytes(folder.path(), "checkpoint");
    put(folder.path(), "checkpoint", &old);
    assert_eq!(verified(folder.path()).warnings.len(), 1);
    assert_eq!(allow(&mut log, "one", noon(2)).novelty, Novelty::Again);
    assert_eq!(bytes(folder.path(), "checkpoint"), new);
}

#[test]
fn recovery_is_reported_when_the_same_allow_is_given_again() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    allow(&mut log, "one", noon(1));
    let entries = [bytes(folder.path(), ENTRIES).as_slice(), b"{\"half"].concat();
    put(folder.path(), ENTRIES, &entries);
    assert_eq!(allow(&mut log, "one", noon(2)).novelty, Novelty::Again);
    assert_eq!(kinds(folder.path()).last().unwrap(), "log.recovered");
    assert_eq!(verified(folder.path()).recoveries, 1);
}

#[test]
fn a_crash_between_quarantine_and_report_is_reported_once() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let length = bytes(folder.path(), ENTRIES).len();
    let entries = [bytes(folder.path(), ENTRIES).as_slice(), b"{\"half"].concat();
    put(folder.path(), ENTRIES, &entries);
    drop(log.lock(noon(2)).unwrap());
    let name = format!(
        "quarantine/{}.entries-00000000000000000000-{length}.new",
        Digest::of_bytes(b"{\"half").hex()
    );
    assert_eq!(bytes(folder.path(), &name), b"{\"half");
    log.heartbeat(&Caller::unknown(), noon(3)).unwrap();
    // The report was committed, but the name was not changed.
    put(folder.path(), &name, b"{\"half");
    log.heartbeat(&Caller::unknown(), noon(4)).unwrap();
    assert_eq!(kinds(folder.path()), ["log.created", "log.recovered", "heartbeat", "heartbeat"]);
    assert!(!folder.path().join("log").join(name).exists());
}

#[test]
fn refuses_what_is_missing_linked_or_replaced() {
    let (folder, _) = new_log(65_536);
    let refused = |class: ExitClass| {
        let error = open(folder.path(), noon(1)).unwrap_err();
        assert_eq!(error.exit_class(), class, "{error:?}");
    };
    let log = folder.path().join("log");
    let entries = log.join(ENTRIES);
    let aside = folder.path().join("aside");
    fs::hard_link(&entries, &aside).unwrap();
    refused(ExitClass::Integrity);
    fs::remove_file(&entries).unwrap();
    refused(ExitClass::Integrity);
    std::os::unix::fs::symlink(&aside, &entries).unwrap();
    refused(ExitClass::Integrity);
    fs::remove_file(&entries).unwrap();
    fs::create_dir(&entries).unwrap();
    refused(ExitClass::Integrity);
    fs::remove_dir(&entries).unwrap();
    fs::rename(&aside, &entries).unwrap();
    open(folder.path(), noon(1)).unwrap();
    fs::write(log.join("NEEDS_REPAIR"), "{}").unwrap();
    refused(ExitClass::Unusable);
    assert!(Reader::open(&log).unwrap().needs_repair().unwrap());
    fs::remove_file(log.join("NEEDS_REPAIR")).unwrap();
    fs::rename(&log, folder.path().join("elsewhere")).unwrap();
    assert!(matches!(open(folder.path(), noon(1)), Err(AuditError::Missing(_))));
    fs::create_dir(&log).unwrap();
    assert!(matches!(open(folder.path(), noon(1)), Err(AuditError::Missing(_))));
}

#[test]
fn notices_a_log_that_is_swapped_while_it_is_open() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    fs::rename(folder.path().join("log"), folder.path().join("old")).unwrap();
    assert!(log.heartbeat(&Caller::unknown(), noon(1)).is_err());
    fs::create_dir(folder.path().join("log")).unwrap();
    let error = log.heartbeat(&Caller::unknown(), noon(1)).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
}

#[test]
fn refuses_another_key_id_or_origin() {
    let (folder, created) = new_log(65_536);
    let other = SecretKey::from_ed25519_seed(&[1; 32]).unwrap();
    let error = AuditLog::open(LogConfig { key: Some(other), ..config(folder.path()) }, noon(1));
    assert!(matches!(error, Err(AuditError::WrongKey { .. })));
    assert!(matches!(AuditLog::open(LogConfig::new("x", None), noon(1)), Err(AuditError::NoKey)));
    let pin = |origin: &str, id: &str| Pin {
        key: key().public().clone(),
        origin: origin.to_owned(),
        log_id: Digest::of_bytes(id.as_bytes()).claim(),
    };
    let right = Pin { log_id: created.log_id.clone(), ..pin(ORIGIN, "") };
    let strange = SecretKey::from_ed25519_seed(&[2; 32]).unwrap().public().clone();
    let unrelated = Pin { key: strange, ..pin("other.example/log", "other") };
    let opened = |pins: Vec<Pin>| AuditLog::open(LogConfig { pins, ..config(folder.path()) }, noon(1));
    assert_eq!(opened(vec![unrelated.clone()]).unwrap().pinned(), Pinned::Nowhere);
    assert_eq!(opened(vec![unrelated, pin(ORIGIN, "older"), right]).unwrap().pinned(), Pinned::Here);
    for wrong in [pin(ORIGIN, "another"), pin("other.example/log", "another")] {
        assert_eq!(opened(vec![wrong]).unwrap_err().exit_class(), ExitClass::Integrity);
    }
    let config = LogConfig { origin: Some("b.example/log".into()), ..config(folder.path()) };
    assert_eq!(AuditLog::open(config, noon(1)).unwrap_err().exit_class(), ExitClass::Integrity);
}

#[test]
fn a_log_is_made_only_where_nothing_is_and_never_in_place_of_a_known_one() {
    let (folder, created) = new_log(65_536);
    let caller = Caller::unknown();
    let make = |new: &NewLog<'_>| AuditLog::create(new, &key(), noon(1));
    let there = NewLog::new(folder.path().join("log"), ORIGIN, &caller);
    assert!(matches!(make(&there), Err(AuditError::NotEmpty(_))));
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(make(&NewLog::new(file, ORIGIN, &caller)), Err(AuditError::NotEmpty(_))));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let second = make(&NewLog::new(&empty, ORIGIN, &caller)).unwrap();
    assert_ne!(second.log_id, created.log_id, "no two logs have one id");
    let pin = Pin { key: key().public().clone(), origin: "z.example".into(), log_id: created.log_id };
    let seen = folder.path().join("seen");
    let new = |name: &str, origin: &str, pins| NewLog {
        unless: Unless::Known(pins),
        seen: Some(seen.clone()),
        ..NewLog::new(folder.path().join(name), origin, &caller)
    };
    let pins = [pin];
    assert!(matches!(make(&new("a", ORIGIN, &pins)), Err(AuditError::Known { .. })));
    make(&new("a", ORIGIN, &[])).unwrap();
    let config =
        LogConfig { seen: Some(seen.clone()), ..LogConfig::new(folder.path().join("a"), Some(key())) };
    AuditLog::open(config, noon(1)).unwrap();
    assert!(matches!(make(&new("b", ORIGIN, &[])), Err(AuditError::Known { .. })));
    for wrong in ["", "a b", "a+b", &"x".repeat(300)] {
        assert!(make(&NewLog::new(folder.path().join("c"), wrong, &caller)).is_err(), "{wrong}");
    }
    assert!(make(&NewLog { segment: 0, ..new("c", "c.example", &[]) }).is_err());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".init-")), "{left:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn remembers_heads_so_that_a_rollback_and_a_fork_are_noticed() {
    let (folder, _) = new_log(65_536);
    let seen = Some(folder.path().join("seen"));
    let at = |name: &str| {
        let config = LogConfig::new(folder.path().join(name), Some(key()));
        AuditLog::open(LogConfig { seen: seen.clone(), ..config }, noon(9))
    };
    let caller = Caller::unknown();
    let mut log = at("log").unwrap();
    log.heartbeat(&caller, noon(1)).unwrap();
    copy(&folder.path().join("log"), &folder.path().join("old"));
    log.heartbeat(&caller, noon(2)).unwrap();
    // A copy goes another way.
    copy(&folder.path().join("old"), &folder.path().join("fork"));
    let mut fork = at("fork").unwrap();
    assert!(fork.take_warnings().is_empty(), "a copy that is behind is no fork yet");
    fork.annotate(1, "another way", &caller, noon(3)).unwrap();
    fork.heartbeat(&caller, noon(3)).unwrap();
    let mut fork = at("fork").unwrap();
    assert!(matches!(fork.take_warnings().as_slice(), [Warning::Fork(found)] if found.size == 3));
    let expected = Expectations { seen: seen.clone(), ..Expectations::default() };
    let error = verify(&folder.path().join("fork"), &expected).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
    // The place itself is rolled back.
    verify(&folder.path().join("log"), &expected).unwrap();
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    copy(&folder.path().join("old"), &folder.path().join("log"));
    assert_eq!(at("log").unwrap_err().exit_class(), ExitClass::Integrity);
    let error = verify(&folder.path().join("log"), &expected).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
    assert_eq!(log.heartbeat(&caller, noon(4)).unwrap_err().exit_class(), ExitClass::Integrity);
    // A log that is made here openly starts the memory of the place anew.
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    let new = NewLog { seen: seen.clone(), ..NewLog::new(folder.path().join("log"), ORIGIN, &caller) };
    AuditLog::create(&new, &key(), noon(5)).unwrap();
    at("log").unwrap();
}

#[test]
fn refuses_too_little_room_and_says_how_much() {
    let (folder, _) = new_log(65_536);
    let config = LogConfig { min_free: u64::MAX, ..config(folder.path()) };
    let error = AuditLog::open(config, noon(1)).unwrap_err();
    assert!(matches!(error, AuditError::LowSpace { needed: u64::MAX, .. }), "{error}");
}

#[test]
fn does_not_write_after_entries_that_need_another_version() {
    for kind in ["key.added", "log.pruned", "log.moved"] {
        let (folder, _) = new_log(65_536);
        let mut log = open(folder.path(), noon(1)).unwrap();
        let body = Body::Other { kind: kind.into(), members: serde_json::Map::new() };
        log.record_event(body, &[], &Caller::unknown(), noon(1)).unwrap();
        let error = log.heartbeat(&Caller::unknown(), noon(1)).unwrap_err();
        assert!(matches!(error, AuditError::Unsupported { .. }), "{error}");
        let error = verify(&folder.path().join("log"), &Expectations::default()).unwrap_err();
        assert_eq!(error.exit_class(), ExitClass::Integrity);
    }
}

#[test]
fn a_tampered_blob_is_noticed_when_it_is_stored_again() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    allow(&mut log, "one", noon(1));
    let hex = Digest::of_bytes(b"report").hex();
    put(folder.path(), &format!("evidence/sha256/{}/{hex}", &hex[..2]), b"repord");
    let error = log.record(prepared(&report(), Some(core(noon(9))), "two"), &Caller::unknown(), noon(2));
    assert_eq!(error.unwrap_err().exit_class(), ExitClass::Integrity);
    let error = verify(&folder.path().join("log"), &Expectations::default()).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_appended_verifies_and_proves(segment in 1_u64..9, what in prop::collection::vec(0_u8..6, 1..14)) {
        let (folder, created) = new_log(segment);
        let mut log = open(folder.path(), noon(0)).unwrap();
        let caller = Caller::unknown();
        for (n, what) in what.into_iter().enumerate() {
            let now = noon(n as i64);
            match what {
                0 => { log.heartbeat(&caller, now).unwrap(); }
                1 => { log.annotate(0, &n.to_string(), &caller, now).unwrap(); }
                2 => { deny(&mut log, now); }
                3 => proves(&allow(&mut log, "always the same", now)),
                4 => proves(&allow(&mut log, &n.to_string(), now)),
                _ => log = open(folder.path(), now).unwrap(),
            }
        }
        let report = verified(folder.path());
        prop_assert_eq!(report.log_id, created.log_id);
        prop_assert_eq!(report.head.size, log.size());
        prop_assert!(report.warnings.is_empty());
        prop_assert_eq!(Hash::from(&report.head.root.claim()), report.head.root);
    }
}
