//! The append protocol: what is recorded, found again, and refused of a decision.
//!
//! What recovery makes of a crash is in `recovery`; which logs are not written to, in `refusals`.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::entry::rollout::JournalHead;
use crate::audit::follow::{Followed, Follower};
use crate::audit::note::VerifierKey;
use crate::audit::reader::RolloutRecord;
use crate::audit::sample::{self, ORIGIN, config, core, key, new_log, noon, open, prepared, report};
use crate::audit::tree::{Hash, leaf_hash, verify_inclusion};
use crate::audit::{ExitClass, Expectations, LogConfig, Reader, Report, verify};
use crate::plan::Cause;
use crate::plan::draft::Verdict;
use crate::plan::members::PlannedRelease;

mod recovery;
mod refusals;

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

fn deny_of(log: &mut AuditLog, release: &str, now: Timestamp) -> Held {
    let mut report = DecisionReport { action: Action::Deny, verdict: Verdict::Fail, ..report() };
    report.release.digest = Some(sample::digest(release));
    log.record(prepared(&report, None, "deny"), &Caller::unknown(), now).unwrap()
}

/// A deny of another release.
fn deny(log: &mut AuditLog, now: Timestamp) -> Held {
    deny_of(log, "another", now)
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

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("log").join(name)).unwrap()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join("log").join(name), bytes).unwrap();
}

const ENTRIES: &str = "entries/00000000000000000000.jsonl";
const JOURNAL: &str = "journal/00000000000000000000.jsonl";

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
    assert_eq!(reader.line(3).unwrap().unwrap().bytes, held.line);
    let plan = Digest::of_bytes(held.core.as_deref().unwrap()).claim();
    assert_eq!(reader.blob(&plan).unwrap(), held.core);
}

#[test]
fn a_reader_gives_entries_as_their_appends_did() {
    let (folder, _) = new_log(4);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let held = allow(&mut log, "one", noon(1));
    for n in 0..6 {
        deny(&mut log, noon(2 + n));
    }
    let reader = Reader::open(&folder.path().join("log")).unwrap();
    let log = Followed { folder: folder.path().join("log"), origin: None, pins: Vec::new() };
    let mut follower = Follower::default();
    follower.catch_up(&log, |_, _| ()).unwrap();
    let again = follower.index().held(&reader, held.reference.index).unwrap().unwrap();
    assert_eq!((again.reference, again.line, again.proof), (held.reference, held.line, held.proof));
    assert_eq!(follower.index().held(&reader, reader.size()).unwrap(), None);
    let lines = |indices: &[u64]| -> Vec<u64> {
        let lines = follower.index().lines(&reader, indices).unwrap();
        lines.iter().map(|line| line.index).collect()
    };
    assert_eq!((lines(&[6, 5, 1]), lines(&[1, 3, 99]), lines(&[])), (vec![6, 5, 1], vec![1, 3], vec![]));
}

#[test]
fn no_entry_is_of_before_the_one_that_it_follows() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    deny(&mut log, noon(100));
    deny(&mut log, noon(70));
    deny(&mut log, noon(101));
    let reader = Reader::open(&folder.path().join("log")).unwrap();
    let times: Vec<_> = reader.lines().map(|line| line.unwrap().parse().unwrap().time).collect();
    assert_eq!(times[times.len() - 3..], [noon(100), noon(100), noon(101)]);
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
fn does_not_give_again_what_was_denied_since_until_it_is_allowed_anew() {
    let (folder, _) = new_log(4);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let first = allow(&mut log, "one", noon(1));
    deny_of(&mut log, "release", noon(2));
    for n in 0..6 {
        deny(&mut log, noon(3 + n));
    }
    let mut reopened = open(folder.path(), noon(20)).unwrap();
    let anew = allow(&mut reopened, "one", noon(20));
    assert_eq!(anew.novelty, Novelty::New);
    assert!(anew.reference.index > first.reference.index);
    assert_eq!(allow(&mut log, "one", noon(21)).reference, anew.reference);
    assert_eq!(allow(&mut reopened, "one", noon(22)).novelty, Novelty::Again);
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
    let ended = rollout(plan.claim());
    log.record_rollout(Milestone::Completed, ended, None, &Caller::unknown(), noon(2 + 4 * hour)).unwrap();
    let again = prepared(&break_glass, Some(core(noon(9 * hour))), "one");
    let again = log.record(again, &Caller::unknown(), noon(3 + 4 * hour)).unwrap();
    assert_eq!(again.novelty, Novelty::New, "its plan has ended");
}

fn rollout(plan: ClaimedDigest) -> Rollout {
    let digest = |of: &str| Digest::of_bytes(of.as_bytes()).claim();
    Rollout {
        plan: PlanView { digest: plan, size: 3120 },
        release: PlannedRelease {
            name: "payments".into(),
            version: "2.4.0".into(),
            environment: "production".into(),
            digest: digest("release"),
        },
        target: "payments-prod".into(),
        state: "Paused".into(),
        epoch: 2,
        cause: Some(Cause::Operator),
        note: None,
        journal: JournalHead { length: 5, leaf: digest("leaf") },
        audit_entry: None,
    }
}

#[test]
fn a_rollouts_entry_is_read_back_with_its_reason_as_a_blob() {
    let (folder, _) = new_log(65_536);
    let mut log = open(folder.path(), noon(1)).unwrap();
    let plan = Digest::of_bytes(b"plan").claim();
    let given = rollout(plan.clone());
    let reason = "asked in the incident channel";
    let caller = Caller::unknown();
    let held = log.record_rollout(Milestone::Paused, given.clone(), Some(reason), &caller, noon(2)).unwrap();
    log.heartbeat(&caller, noon(3)).unwrap();
    verified(folder.path());
    let reader = Reader::open(&folder.path().join("log")).unwrap();
    let note = Digest::of_bytes(reason.as_bytes()).claim();
    let members = Rollout { note: Some(note.clone()), ..given };
    let expected = RolloutRecord { index: held.index, milestone: Milestone::Paused, members };
    assert_eq!(reader.rollouts().unwrap(), [expected]);
    assert_eq!(reader.blob(&note).unwrap().as_deref(), Some(reason.as_bytes()));
    let blob = format!("evidence/sha256/{}/{}", &note.hex()[..2], note.hex());
    fs::remove_file(folder.path().join("log").join(blob)).unwrap();
    let error = verify(&folder.path().join("log"), &Expectations::default()).unwrap_err();
    assert_eq!(error.exit_class(), ExitClass::Integrity);
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
