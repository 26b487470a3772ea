//! Lines are picked once they give the signed root, and read again as what was hashed.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;

use super::*;
use crate::audit::ExitClass;
use crate::audit::sample::{new_log, noon, open};
use crate::policy::Caller;

/// Twenty entries in segments of three.
fn reader() -> (tempfile::TempDir, Reader) {
    let (folder, _) = new_log(3);
    let mut log = open(folder.path(), noon(0)).unwrap();
    for second in 1..20 {
        log.heartbeat(&Caller::unknown(), noon(second)).unwrap();
    }
    let reader = Reader::open(&folder.path().join("log")).unwrap();
    (folder, reader)
}

#[test]
fn picks_what_is_wanted_or_the_newest_of_it() {
    let (_folder, reader) = reader();
    let even = |index: u64, _: &[u8]| Ok(index.is_multiple_of(2));
    let indices = |most| -> Vec<u64> {
        let picks = reader.pick(most, even).unwrap();
        reader.picked(&picks).unwrap().iter().map(|line| line.parse().unwrap().seq).collect()
    };
    assert_eq!(indices(None), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    assert_eq!(indices(Some(3)), [14, 16, 18]);
    assert_eq!(indices(Some(99)).len(), 10);
    assert!(indices(Some(0)).is_empty());
    let lines: Vec<Line> = reader.lines().map(Result::unwrap).collect();
    let all = reader.pick(None, |_, _| Ok(true)).unwrap();
    assert_eq!(reader.picked(&all).unwrap(), lines);
    assert_eq!(reader.leaves().unwrap(), lines.iter().map(Line::leaf).collect::<Vec<_>>());
}

#[test]
fn nothing_is_picked_of_lines_that_do_not_give_the_root() {
    let (folder, reader) = reader();
    let picks = reader.pick(None, |index, _| Ok(index == 4)).unwrap();
    let file = folder.path().join("log/entries").join(segment_name(3));
    let text = fs::read_to_string(&file).unwrap();
    // A line that is as good as the other, but is another.
    let altered = text.replace("12:00:04", "12:00:05");
    assert_ne!(altered, text);
    fs::write(&file, altered).unwrap();
    let classes = [
        reader.pick(Some(1), |_, _| Ok(true)).unwrap_err().exit_class(),
        reader.check().unwrap_err().exit_class(),
        reader.leaves().unwrap_err().exit_class(),
        reader.rollouts().unwrap_err().exit_class(),
        reader.picked(&picks).unwrap_err().exit_class(),
    ];
    assert_eq!(classes, [ExitClass::Integrity; 5]);
}
