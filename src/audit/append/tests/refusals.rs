//! Logs that are not written to: missing, linked, swapped, forked, rolled back, another's, full.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use super::*;
use crate::audit::Warning;
use crate::audit::identity::{Pin, Pinned};
use crate::audit::inception::{NewLog, Unless};
use crate::key::secret::SecretKey;

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
