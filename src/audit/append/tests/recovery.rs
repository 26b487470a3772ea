//! What the next writer makes of a crash: torn lines set aside and reported, signed ones adopted.

use super::*;

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
fn a_tail_that_is_longer_than_a_crash_leaves_is_damage_and_stays() {
    let was = before();
    let folder = was.folder.path();
    // Sparse, so that it costs no disk.
    let long = was.entries[1].len() as u64 + 1024 * 1024 * 1024 + 1;
    let file = fs::File::options().append(true).open(folder.join("log").join(ENTRIES)).unwrap();
    file.set_len(long).unwrap();
    let error =
        open(folder, noon(3)).and_then(|mut log| log.heartbeat(&Caller::unknown(), noon(3))).unwrap_err();
    assert!(format!("{error:?}").contains("LongTail"), "{error:?}");
    assert_eq!(file.metadata().unwrap().len(), long);
    assert_eq!(fs::read_dir(folder.join("log/quarantine")).unwrap().count(), 0);
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
