//! A chain through crashes and failing disks: as a log's entries, without a signature.

use std::path::Path;

use rustix::io::Errno;
use tempfile::TempDir;

use super::*;
use crate::audit::crash::{Disk, Loss, Names};
use crate::audit::store::probe::{Fault, Step, record, with_fault};

const BOUNDS: Bounds = Bounds { segment: 2, line: 200 };

fn line(head: &Head, text: &str) -> Vec<u8> {
    format!("{{\"seq\":{},\"prev\":\"{}\",\"text\":\"{text}\"}}", head.length, head.leaf).into_bytes()
}

fn shelf(path: &Path) -> Shelf {
    Shelf::make(path).unwrap()
}

fn open(path: &Path) -> Result<(Chain, Vec<Vec<u8>>), AuditError> {
    let mut lines = Vec::new();
    let (chain, _) = Chain::open(shelf(path), BOUNDS, |line| {
        lines.push(line.bytes.clone());
        Ok::<(), AuditError>(())
    })?;
    Ok((chain, lines))
}

/// A chain of so many lines.
fn chain(length: usize) -> (TempDir, Chain, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = vec![line(&Head::NONE, "0")];
    let mut chain = Chain::create(shelf(folder.path()), BOUNDS, &lines[0]).unwrap();
    for n in 1..length {
        lines.push(line(&chain.head(), &n.to_string()));
        chain.append(&lines[n]).unwrap();
    }
    (folder, chain, lines)
}

/// What a crash left opens, holds what was acknowledged and nothing that was not written, and goes on.
fn survives(disk: &Disk, root: &Path, acknowledged: &[Vec<u8>], written: &[u8]) {
    for names in [Names::Kept, Names::Lost] {
        for loss in [Loss::Nothing, Loss::Everything, Loss::Half, Loss::Zeros] {
            let folder = tempfile::tempdir().unwrap();
            disk.lay_out(names, loss, root, folder.path());
            let (mut chain, mut lines) = open(folder.path()).unwrap();
            if lines.last().is_some_and(|last| last == written) {
                lines.pop();
            }
            assert_eq!(lines, acknowledged);
            let after = line(&chain.head(), "after");
            chain.append(&after).unwrap();
            assert_eq!(open(folder.path()).unwrap().1.last(), Some(&after));
        }
    }
}

#[test]
fn no_crash_loses_a_line_that_was_acknowledged() {
    let (folder, mut chain, mut lines) = chain(1);
    let mut states = 0;
    for n in 1..5 {
        let mut disk = Disk::of(folder.path());
        let next = line(&chain.head(), &n.to_string());
        let (head, steps) = record(|| chain.append(&next).unwrap());
        assert_eq!(head, chain.head());
        survives(&disk, folder.path(), &lines, &next);
        for step in &steps {
            disk.take(step);
            survives(&disk, folder.path(), &lines, &next);
            states += 8;
        }
        lines.push(next);
        survives(&Disk::of(folder.path()), folder.path(), &lines, b"");
    }
    assert!(states > 80, "only {states} states");
}

#[test]
fn no_crash_while_it_is_made_leaves_half_of_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let first = line(&Head::NONE, "0");
    let mut disk = Disk::of(folder.path());
    let (_, steps) = record(|| Chain::create(shelf(folder.path()), BOUNDS, &first).unwrap());
    assert!(steps.contains(&Step::SyncFolder(folder.path().join("entries"))));
    for step in &steps {
        disk.take(step);
        for names in [Names::Kept, Names::Lost] {
            for loss in [Loss::Nothing, Loss::Everything, Loss::Half, Loss::Zeros] {
                let copy = tempfile::tempdir().unwrap();
                disk.lay_out(names, loss, folder.path(), copy.path());
                match open(copy.path()) {
                    Ok((_, lines)) => assert_eq!(lines, std::slice::from_ref(&first)),
                    Err(AuditError::Missing(_)) => {
                        Chain::create(shelf(copy.path()), BOUNDS, &first).unwrap();
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }
}

#[test]
fn a_line_that_was_refused_is_not_there() {
    for (errno, written) in [(Errno::NOSPC, 0), (Errno::NOSPC, 20), (Errno::ROFS, 0)] {
        let (folder, mut chain, mut lines) = chain(2);
        let mut refused = 0;
        for at in 0..8 {
            let next = line(&chain.head(), &at.to_string());
            let fault = Fault { at, errno: errno.raw_os_error(), written };
            let (outcome, reached) = with_fault(fault, || chain.append(&next));
            match outcome {
                Ok(_) => {
                    assert!(!reached, "step {at} failed unseen");
                    lines.push(next);
                }
                Err(_) => refused += 1,
            }
            assert_eq!(open(folder.path()).unwrap().1, lines, "step {at}");
        }
        assert!(refused >= 2, "only {refused}");
    }
}

#[test]
fn after_an_io_error_nothing_more_is_written() {
    let (folder, mut chain, lines) = chain(1);
    let next = line(&chain.head(), "1");
    let fault = Fault { at: 1, errno: Errno::IO.raw_os_error(), written: 0 };
    let (outcome, reached) = with_fault(fault, || chain.append(&next));
    assert!(reached && outcome.is_err());
    let (again, steps) = record(|| chain.append(&next));
    assert!(matches!(again, Err(AuditError::Broken(_))), "{again:?}");
    assert_eq!((steps, chain.head().length), (vec![], lines.len() as u64));
    drop(folder);
}

#[test]
fn refuses_lines_that_do_not_follow() {
    let (_folder, mut chain, _) = chain(2);
    let head = chain.head();
    let elsewhere = Head { length: head.length + 1, ..head };
    let forked = Head { leaf: Hash::from_bytes([7; 32]), ..head };
    for (bytes, problem) in [
        (line(&elsewhere, "x"), "says that it is entry 3"),
        (line(&forked, "x"), "`prev` is not the hash"),
        (line(&head, "a\tb"), "at most 200 bytes without control bytes"),
        (b"no json".to_vec(), "not strict JSON"),
    ] {
        let error = chain.append(&bytes).unwrap_err();
        let AuditError::Damaged(damage) = &error else { panic!("{error:?}") };
        assert!(damage.problem.to_string().contains(problem), "{}", damage.problem);
    }
    let long = line(&head, &"x".repeat(200));
    assert!(matches!(chain.append(&long), Err(AuditError::EntryTooLong { .. })));
    assert_eq!(chain.head(), head);
}

#[test]
fn a_chain_is_made_where_none_is() {
    let (folder, chain, lines) = chain(3);
    drop(chain);
    let again = Chain::create(shelf(folder.path()), BOUNDS, &lines[0]);
    assert!(matches!(again, Err(AuditError::NotEmpty(_))), "{again:?}");
    assert_eq!(open(folder.path()).unwrap().1, lines);
    assert_eq!(last(&shelf(folder.path()), BOUNDS).unwrap().unwrap().bytes, lines[2]);
}
