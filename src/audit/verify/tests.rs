//! Damage of every kind to every file: none may go unnoticed.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::audit::lines::segment_name;
use crate::audit::sample::{core, new_log, noon, open, prepared, report};
use crate::audit::{AuditLog, ExitClass};
use crate::policy::Caller;

fn filled(segment: u64) -> (tempfile::TempDir, PathBuf) {
    let (folder, _) = new_log(segment);
    let mut log: AuditLog = open(folder.path(), noon(1)).unwrap();
    for n in 0..3 {
        let decision = prepared(&report(), Some(core(noon(9000))), &format!("idem {n}"));
        log.record(decision, &Caller::unknown(), noon(n)).unwrap();
    }
    log.heartbeat(&Caller::unknown(), noon(4)).unwrap();
    let path = folder.path().join("log");
    let report = verify(&path, &Expectations::default()).unwrap();
    assert_eq!((report.head.size, report.records), (7, if segment == 3 { 6 } else { 5 }));
    assert!(report.warnings.is_empty());
    (folder, path)
}

fn refused(path: &Path, what: &str) -> AuditError {
    match verify(path, &Expectations::default()) {
        Ok(report) => panic!("{what}: not noticed, {report:?}"),
        Err(error) => {
            assert_eq!(error.exit_class(), ExitClass::Integrity, "{what}: {error:?}");
            error
        }
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    let of = |folder: &str| fs::read_dir(path.join(folder)).unwrap().map(|e| e.unwrap().path());
    let own = ["log.json", "checkpoint"].map(|name| path.join(name));
    let mut all: Vec<_> = of("entries").chain(of("journal")).chain(own).collect();
    all.sort();
    all
}

#[test]
fn every_flipped_byte_is_noticed() {
    let (folder, _) = new_log(3);
    let mut log: AuditLog = open(folder.path(), noon(1)).unwrap();
    let decision = prepared(&report(), Some(core(noon(9000))), "idem");
    log.record(decision, &Caller::unknown(), noon(1)).unwrap();
    let path = folder.path().join("log");
    for file in files(&path) {
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&file, &changed).unwrap();
            refused(&path, &format!("{} byte {at}", file.display()));
        }
        fs::write(&file, &whole).unwrap();
    }
    verify(&path, &Expectations::default()).unwrap();
}

#[test]
fn every_truncation_of_one_file_is_noticed() {
    let (_folder, path) = filled(65_536);
    for file in files(&path) {
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            // A record without its line feed is a whole record: that state a crash may leave.
            if length + 1 == whole.len() && file.parent().unwrap().ends_with("journal") {
                continue;
            }
            fs::write(&file, &whole[..length]).unwrap();
            refused(&path, &format!("{} cut to {length}", file.display()));
        }
        fs::remove_file(&file).unwrap();
        refused(&path, &format!("{} removed", file.display()));
        fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn lines_cut_swapped_doubled_or_forged_are_noticed() {
    let (_folder, path) = filled(65_536);
    for folder in ["entries", "journal"] {
        let file = path.join(folder).join(segment_name(0));
        let whole = fs::read(&file).unwrap();
        let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let mut variants: Vec<(String, Vec<&[u8]>)> = Vec::new();
        for at in 0..lines.len() {
            let mut without = lines.clone();
            without.remove(at);
            variants.push((format!("line {at} cut"), without));
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            variants.push((format!("line {at} doubled"), doubled));
            if at > 0 {
                let mut swapped = lines.clone();
                swapped.swap(at - 1, at);
                variants.push((format!("line {at} swapped"), swapped));
            }
        }
        for (what, variant) in variants {
            // An exact copy of the last line behind the head is a tail that no record signs.
            let tail_only = folder == "entries" && variant.starts_with(&lines);
            fs::write(&file, variant.concat()).unwrap();
            match verify(&path, &Expectations::default()) {
                Ok(report) if tail_only => assert_eq!(report.warnings.len(), 1, "{what}"),
                Ok(_) => panic!("{folder}: {what} not noticed"),
                Err(error) => assert_eq!(error.exit_class(), ExitClass::Integrity, "{what}"),
            }
        }
        fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn segments_swapped_or_removed_are_noticed() {
    let (_folder, path) = filled(3);
    for folder in ["entries", "journal"] {
        let file = |first| path.join(folder).join(segment_name(first));
        for (a, b) in [(0, 3), (3, 6), (0, 6)] {
            let swap = || {
                let aside = path.join("aside");
                fs::rename(file(a), &aside).unwrap();
                fs::rename(file(b), file(a)).unwrap();
                fs::rename(&aside, file(b)).unwrap();
            };
            swap();
            refused(&path, &format!("{folder} {a} and {b} swapped"));
            swap();
        }
        for first in [0, 3, 6] {
            let whole = fs::read(file(first)).unwrap();
            fs::remove_file(file(first)).unwrap();
            refused(&path, &format!("{folder} {first} removed"));
            fs::write(file(first), whole).unwrap();
        }
    }
    fs::write(path.join("entries").join(segment_name(9)), "x\n").unwrap();
    refused(&path, "a segment far behind the end");
    fs::remove_file(path.join("entries").join(segment_name(9))).unwrap();
    fs::write(path.join("entries/notes.txt"), "x\n").unwrap();
    let report = verify(&path, &Expectations::default()).unwrap();
    assert_eq!(report.warnings, [Notice::Stray("entries/notes.txt".into())]);
}

#[test]
fn every_blob_is_missed_and_every_change_of_one_noticed() {
    let (_folder, path) = filled(65_536);
    let mut seen = 0;
    for folder in fs::read_dir(path.join("evidence/sha256")).unwrap() {
        for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
            let blob = blob.unwrap().path();
            let whole = fs::read(&blob).unwrap();
            fs::write(&blob, [whole.as_slice(), b" "].concat()).unwrap();
            refused(&path, "a changed blob");
            fs::remove_file(&blob).unwrap();
            refused(&path, "a missing blob");
            std::os::unix::fs::symlink(path.join("log.json"), &blob).unwrap();
            refused(&path, "a linked blob");
            fs::remove_file(&blob).unwrap();
            fs::write(&blob, whole).unwrap();
            seen += 1;
        }
    }
    // facts, report, trust, the input, the manifest and its file, the one plan of all three.
    assert_eq!(seen, 7);
    assert_eq!(verify(&path, &Expectations::default()).unwrap().blobs, 7);
}

#[test]
fn damage_names_file_and_line() {
    let (_folder, path) = filled(65_536);
    let file = path.join("entries").join(segment_name(0));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"seq\":4", "\"seq\":5", 1)).unwrap();
    let AuditError::Damaged(damage) = refused(&path, "a changed seq") else { panic!("another error") };
    assert_eq!((damage.file.as_str(), damage.line), ("entries/00000000000000000000.jsonl", Some(5)));
    assert!(matches!(damage.problem, Problem::Sequence { expected: 4, found: 5 }), "{damage:?}");
}

#[test]
fn a_log_rolled_back_whole_verifies_and_says_so() {
    let (folder, _) = new_log(65_536);
    let path = folder.path().join("log");
    let report = verify(&path, &Expectations::default()).unwrap();
    assert_eq!(report.head.size, 1);
    assert!(report.assurance.to_string().starts_with("L0 self-consistent"));
}
