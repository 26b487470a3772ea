//! What the fast verification sees, and what it says that it does not look at.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::audit::lines::segment_name;
use crate::audit::sample::{core, new_log, noon, open, prepared, report};
use crate::audit::verify::{Notice, verify};
use crate::audit::{Anchor, ExitClass};
use crate::policy::Caller;

/// Nine entries in segments of three: one that makes the log, two changes, four allows, two heartbeats.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let (folder, _) = new_log(3);
    let mut log = open(folder.path(), noon(1)).unwrap();
    for n in 0..4 {
        let decision = prepared(&report(), Some(core(noon(9000))), &format!("idem {n}"));
        log.record(decision, &Caller::unknown(), noon(n)).unwrap();
    }
    log.heartbeat(&Caller::unknown(), noon(4)).unwrap();
    log.heartbeat(&Caller::unknown(), noon(5)).unwrap();
    let path = folder.path().join("log");
    (folder, path)
}

fn fast(path: &Path) -> Result<Report, AuditError> {
    verify_fast(path, &Expectations::default())
}

fn refused(found: Result<Report, AuditError>, what: &str) {
    match found {
        Ok(report) => panic!("{what}: not noticed, {report:?}"),
        Err(error) => assert_eq!(error.exit_class(), ExitClass::Integrity, "{what}: {error:?}"),
    }
}

#[test]
fn says_what_the_full_one_says_of_the_head() {
    let (_folder, path) = filled();
    let (full, fast) = (verify(&path, &Expectations::default()).unwrap(), fast(&path).unwrap());
    assert_eq!((full.checked, fast.checked), (Checked::Full, Checked::Fast));
    assert_eq!((fast.records, fast.blobs, fast.recoveries), (1, 0, 0));
    assert_eq!(
        (full.head, full.log_id, full.last_time, full.checkpoint, full.assurance),
        (fast.head, fast.log_id, fast.last_time, fast.checkpoint, fast.assurance)
    );
    assert_eq!((full.warnings, fast.warnings), (vec![], vec![]));
}

#[test]
fn sees_every_flipped_byte_of_every_entry_and_of_the_head() {
    let (_folder, path) = filled();
    let segments = [0, 3, 6].map(|first| path.join("entries").join(segment_name(first)));
    let own = ["log.json", "checkpoint"].map(|name| path.join(name));
    for file in segments.iter().chain(&own) {
        let whole = fs::read(file).unwrap();
        for at in (0..whole.len()).step_by(if own.contains(file) { 1 } else { 3 }) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(file, &changed).unwrap();
            refused(fast(&path), &format!("{} byte {at}", file.display()));
        }
        fs::write(file, &whole).unwrap();
    }
    fast(&path).unwrap();
}

#[test]
fn sees_lines_that_are_cut_doubled_or_spliced() {
    let (_folder, path) = filled();
    let (one, other) =
        (path.join("entries").join(segment_name(3)), path.join("entries").join(segment_name(6)));
    let (whole, later) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let from: Vec<&[u8]> = later.split_inclusive(|byte| *byte == b'\n').collect();
    let [a, b, c] = lines[..] else { panic!("three lines") };
    for (what, lines) in [
        ("cut", vec![a, c]),
        ("cut at the end", vec![a, b]),
        ("all cut", vec![]),
        ("doubled", vec![a, b, b, c]),
        ("swapped", vec![b, a, c]),
        ("spliced", vec![a, from[0], c]),
        ("inserted", vec![a, b, from[0], c]),
        ("of another segment", from.clone()),
    ] {
        fs::write(&one, lines.concat()).unwrap();
        refused(fast(&path), what);
    }
    fs::remove_file(&one).unwrap();
    refused(fast(&path), "a segment removed");
    fs::write(&one, &whole).unwrap();
    fs::write(&other, [later.as_slice(), b"more\n"].concat()).unwrap();
    let tail =
        Notice::UncommittedTail { file: format!("entries/{}", segment_name(6)), offset: later.len() as u64 };
    assert_eq!(fast(&path).unwrap().warnings, [tail]);
}

#[test]
fn holds_the_log_to_anchors_and_to_what_was_seen() {
    let (folder, path) = filled();
    let seen = Some(folder.path().join("seen"));
    let anchors = vec![Anchor::read("kept", fs::read(path.join("checkpoint")).unwrap().as_slice()).unwrap()];
    let expected = Expectations { seen, anchors, ..Expectations::default() };
    let held = verify_fast(&path, &expected).unwrap();
    assert_eq!(held.assurance, verify(&path, &expected).unwrap().assurance);
    let (before, copy) = (folder.path().join("before"), folder.path().join("copy"));
    fs::rename(&path, &before).unwrap();
    // Another log of the same origin and key, which is shorter.
    let (other, _) = new_log(3);
    fs::rename(other.path().join("log"), &path).unwrap();
    let alone = Expectations { seen: expected.seen.clone(), ..Expectations::default() };
    refused(verify_fast(&path, &alone), "another log where one was seen");
    refused(
        verify_fast(&path, &Expectations { anchors: expected.anchors, ..Expectations::default() }),
        "anchor",
    );
    fs::rename(&path, &copy).unwrap();
    fs::rename(&before, &path).unwrap();
    verify_fast(&path, &alone).unwrap();
}

#[test]
fn looks_at_no_blob_and_no_earlier_signature() {
    let (_folder, path) = filled();
    let blob = crate::release::digest::Digest::of_bytes(b"facts").hex();
    fs::remove_file(path.join("evidence/sha256").join(&blob[..2]).join(&blob)).unwrap();
    refused(verify(&path, &Expectations::default()), "a blob removed");
    let journal = path.join("journal").join(segment_name(0));
    fs::write(&journal, b"{}\n").unwrap();
    let report = fast(&path).unwrap();
    assert_eq!((report.checked, report.records, report.blobs), (Checked::Fast, 1, 0));
}

#[test]
fn checks_everything_of_a_range() {
    let (_folder, path) = filled();
    let range = |range: Range<u64>| verify_range(&path, &Expectations::default(), range);
    let whole = range(0..9).unwrap();
    let full = verify(&path, &Expectations::default()).unwrap();
    assert_eq!(
        (whole.records, whole.blobs, whole.head, whole.last_time),
        (full.records, full.blobs, full.head, full.last_time)
    );
    for start in 0..9 {
        for end in start + 1..=9 {
            assert_eq!(range(start..end).unwrap().checked, Checked::Range(start..end));
        }
    }
    let journal = path.join("journal").join(segment_name(3));
    let own = fs::read_to_string(&journal).unwrap();
    // The signature of the second commit of that segment.
    let mut lines: Vec<String> = own.lines().map(str::to_owned).collect();
    let at = lines[1].len() - 20;
    let flipped = if lines[1].as_bytes()[at] == b'A' { "B" } else { "A" };
    lines[1].replace_range(at..=at, flipped);
    fs::write(&journal, lines.join("\n") + "\n").unwrap();
    range(0..3).unwrap();
    range(3..4).unwrap();
    refused(range(4..5), "its own record");
    refused(range(5..6), "a record before it in its segment");
    range(6..9).unwrap();
    fs::write(&journal, own).unwrap();
    let plan = crate::release::digest::Digest::of_bytes(&core(noon(9000))).hex();
    fs::remove_file(path.join("evidence/sha256").join(&plan[..2]).join(&plan)).unwrap();
    range(0..3).unwrap();
    refused(range(3..5), "the plan of an allow");
    range(7..9).unwrap();
}
