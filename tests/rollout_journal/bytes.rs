//! What is on the disk, torn at each byte and flipped at each byte.

use std::fs;

use laforge::audit::ExitClass;
use laforge::rollout::journal::{Journal, JournalError, Reading, Standing, schedule_of, standing};
use laforge::rollout::machine::{Stage, State};

use crate::desk::{Desk, TARGET, completed, created, read};

/// Where each line ends, its line feed included.
fn ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

fn quarantined(desk: &Desk) -> Vec<Vec<u8>> {
    match fs::read_dir(desk.journal().join("quarantine")) {
        Ok(folder) => folder.map(|file| read(&file.unwrap().path())).collect(),
        Err(_) => Vec::new(),
    }
}

/// Opens what a crash left: the whole lines before `at` count, the rest is in quarantine.
fn opens_as(torn: &[u8], ends: &[usize], states: &[State]) {
    let desk = Desk::with(torn);
    let whole = ends.iter().filter(|end| **end <= torn.len()).count();
    let reading = Reading::open(&desk.state(), TARGET, &created().plan_digest).unwrap();
    assert_eq!(reading.state(), &states[whole - 1]);
    assert_eq!(reading.torn().is_some(), torn.len() > ends[whole - 1], "a reader changes nothing");
    let journal = desk.open();
    assert_eq!((journal.state(), journal.head().length), (&states[whole - 1], whole as u64));
    let rest = &torn[ends[whole - 1]..];
    let expected: Vec<Vec<u8>> = if rest.is_empty() { Vec::new() } else { vec![rest.to_vec()] };
    assert_eq!(quarantined(&desk), expected);
    assert_eq!(journal.set_aside().is_some(), !rest.is_empty());
    assert_eq!(read(&desk.lines()), torn[..ends[whole - 1]]);
}

#[test]
fn opens_wherever_a_crash_stopped() {
    let (bytes, states) = completed(&Desk::new());
    let ends = ends(&bytes);
    assert_eq!(ends.len(), states.len());
    let [before, last] = [ends[ends.len() - 3], ends[ends.len() - 2]];
    for at in (before..last).step_by(17).chain((last..=bytes.len()).step_by(3)) {
        opens_as(&bytes[..at], &ends, &states);
    }
    for end in &ends {
        opens_as(&bytes[..*end], &ends, &states);
    }
}

#[test]
fn sets_aside_zeros_that_a_lost_write_left() {
    let (bytes, states) = completed(&Desk::new());
    let ends = ends(&bytes);
    for zeros in [1, 100, 4096] {
        opens_as(&[&bytes[..ends[3]], vec![0; zeros].as_slice()].concat(), &ends[..4], &states);
    }
    // A write of which only the last page came down ends in its line feed.
    let half = [&bytes[..ends[3]], &[0; 64], &bytes[ends[3] + 64..ends[4]]].concat();
    let desk = Desk::with(&half);
    assert_eq!(desk.open().state(), &states[3]);
    assert_eq!(quarantined(&desk), [half[ends[3]..].to_vec()]);
}

#[test]
fn refuses_a_torn_line_0_which_no_crash_leaves() {
    let (bytes, _) = completed(&Desk::new());
    let end = ends(&bytes)[0];
    for at in [0, 1, end / 2, end - 1] {
        let desk = Desk::with(&bytes[..at]);
        assert_eq!(standing(&desk.state(), TARGET).unwrap_err().exit_class(), ExitClass::Integrity);
        let opened = Journal::open(desk.lock(), &created().plan_digest, schedule_of);
        assert_eq!(opened.unwrap_err().exit_class(), ExitClass::Integrity, "{at} bytes");
        assert_eq!(read(&desk.lines()), bytes[..at]);
    }
}

#[test]
fn a_folder_without_a_line_was_never_begun() {
    let desk = Desk::new();
    fs::create_dir_all(desk.journal().join("entries")).unwrap();
    assert_eq!(standing(&desk.state(), TARGET).unwrap(), Standing::default());
    let opened = Journal::open(desk.lock(), &created().plan_digest, schedule_of);
    assert!(matches!(opened, Err(JournalError::Absent { .. })), "{opened:?}");
    assert_eq!(desk.create().head().length, 1);
}

#[test]
fn refuses_a_flipped_byte_wherever_it_is() {
    let (bytes, states) = completed(&Desk::new());
    let ends = ends(&bytes);
    let start_of_last = ends[ends.len() - 2];
    let last = String::from_utf8(bytes[start_of_last..].to_vec()).unwrap();
    let received = start_of_last + last.find("\"receivedAt\":\"").unwrap() + 14;
    let desk = Desk::with(&bytes);
    let mut refused = 0;
    // Each byte of the last line, whose hash nothing names; of the others one in 23, which meets each
    // member of a line in one line or another.
    let places = (0..start_of_last).step_by(23).chain(start_of_last..bytes.len());
    for (at, mask) in places.zip([0x01_u8, 0x20, 0x80, 0x10].into_iter().cycle()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= mask;
        fs::write(desk.lines(), &flipped).unwrap();
        match Reading::open(&desk.state(), TARGET, &created().plan_digest) {
            Err(error) => {
                assert_eq!(error.exit_class(), ExitClass::Integrity, "byte {at}: {error:?}");
                refused += 1;
            }
            // A last line without its line feed looks torn; the anchors know better.
            Ok(reading) if at == bytes.len() - 1 => assert!(reading.torn().is_some()),
            // The last line's own time is covered by nothing but the next line or an anchor.
            Ok(reading) => {
                assert!((received..received + 26).contains(&at), "byte {at} is taken: {reading:?}");
                assert_eq!(Some(reading.state()), states.last());
            }
        }
    }
    let flipped = start_of_last / 23 + bytes.len() - start_of_last;
    assert!(refused > flipped - 30, "only {refused} of {flipped} refused");
}

#[test]
fn damage_is_refused_before_anything_is_changed() {
    let (bytes, _) = completed(&Desk::new());
    let mut damaged = bytes.clone();
    let at = ends(&bytes)[2] + 40;
    damaged[at] ^= 1;
    damaged.extend_from_slice(b"{\"torn\":");
    let desk = Desk::with(&damaged);
    let opened = Journal::open(desk.lock(), &created().plan_digest, schedule_of);
    assert_eq!(opened.unwrap_err().exit_class(), ExitClass::Integrity);
    assert_eq!(read(&desk.lines()), damaged);
    assert!(quarantined(&desk).is_empty());
}

#[test]
fn refuses_a_line_that_is_longer_than_any() {
    let (bytes, _) = completed(&Desk::new());
    let longer = [bytes.as_slice(), vec![b'x'; 8 * 1024 * 1024 + 1].as_slice()].concat();
    let desk = Desk::with(&longer);
    let opened = Journal::open(desk.lock(), &created().plan_digest, schedule_of);
    assert_eq!(opened.unwrap_err().exit_class(), ExitClass::Integrity);
}

#[test]
fn a_completed_plan_stands_as_ended() {
    let desk = Desk::new();
    let (_, states) = completed(&desk);
    assert_eq!(states.last().unwrap().stage, Stage::Completed);
    let expected = Standing { open: None, ended: vec![created().plan_digest] };
    assert_eq!(standing(&desk.state(), TARGET).unwrap(), expected);
}
