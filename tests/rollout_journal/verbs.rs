//! `laforge rollout history` and `verify-journal`, beside a log that has seen the journal.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use laforge::audit::{AuditLog, LogConfig, NewLog, Reader};
use laforge::key::secret::SecretKey;
use laforge::policy::Caller;
use laforge::rollout::journal::{Journal, missing_entries};
use laforge::rollout::machine::Event;
use serde_json::Value;

use crate::desk::{Desk, TARGET, completed, created, operator, output, read, tell};

fn run(desk: &Desk, arguments: &[&str]) -> Output {
    let (state, home) = (desk.state(), desk.state().with_file_name("home"));
    fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
    command.current_dir(&home).env("XDG_CACHE_HOME", &home).args(["rollout"]).args(arguments);
    output(command.args(["--target", TARGET, "--state"]).arg(state))
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn key() -> SecretKey {
    SecretKey::from_ed25519_seed(&[42; 32]).unwrap()
}

fn new_log(folder: &Path) -> AuditLog {
    let caller = Caller::unknown();
    let at = crate::desk::schedule().not_before;
    AuditLog::create(&NewLog::new(folder, "gitops.example.com/payments/prod", &caller), &key(), at).unwrap();
    AuditLog::open(LogConfig::new(folder, Some(key())), at).unwrap()
}

/// Appends what the log has not heard of the journal yet, as a restart does.
fn catch_up(journal: &Journal, log: &mut AuditLog, folder: &Path) -> usize {
    let held = Reader::open(folder).unwrap().rollouts().unwrap();
    let missing = missing_entries(journal.implied(), &held);
    for implied in &missing {
        let members = implied.members(journal.created()).unwrap();
        let at = journal.schedule().not_before;
        let note = implied.note.as_deref();
        log.record_rollout(implied.milestone, members, note, &Caller::unknown(), at).unwrap();
    }
    missing.len()
}

#[test]
fn history_tells_who_asked_and_what_became_of_it() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    tell(&mut journal, Event::MigrationSucceeded, at);
    tell(&mut journal, Event::Cancel(operator()), at);
    drop(journal);
    let (code, table, talk) = said(&run(&desk, &["history"]));
    assert_eq!((code, talk.as_str()), (Some(0), ""));
    assert!(table.contains("blue serves, green is the candidate"), "{table}");
    assert!(table.contains("refused") && table.contains("nothing is to be done about it here"), "{table}");
    assert!(table.contains("alice: asked in the incident channel"), "{table}");
    let (_, lines, _) = said(&run(&desk, &["history", "-o", "jsonl"]));
    assert_eq!(lines.as_bytes(), read(&desk.lines()));
    let (_, document, _) = said(&run(&desk, &["history", "-o", "json", &created().plan_digest.to_string()]));
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["state"]["stage"]["name"], "Expired");
    let outcomes: Vec<_> =
        document["lines"].as_array().unwrap().iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes[2]["row"], "T2");
    assert_eq!(outcomes[1]["refused"], "nothing is to be done about it here");
}

#[test]
fn history_says_where_there_is_none() {
    let desk = Desk::new();
    let (code, _, talk) = said(&run(&desk, &["history"]));
    assert_eq!(code, Some(2));
    assert!(talk.contains("no rollout was begun at target `payments-prod`"), "{talk}");
    let empty = tempfile::tempdir().unwrap();
    let mut history = Command::new(env!("CARGO_BIN_EXE_laforge"));
    let none = output(history.current_dir(empty.path()).args(["rollout", "history"]));
    let (code, _, talk) = said(&none);
    assert_eq!(code, Some(2));
    assert!(talk.contains("no state folder is named") && talk.contains("--state DIR"), "{talk}");
}

#[test]
fn verify_journal_holds_it_against_the_log() {
    let desk = Desk::new();
    completed(&desk);
    let folder = desk.state().with_file_name("log");
    let mut log = new_log(&folder);
    let log_flag = ["verify-journal", "--audit-log", folder.to_str().unwrap()];
    let (code, text, _) = said(&run(&desk, &log_flag));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("not in the log yet: rollout.started of line 1"), "{text}");
    let journal = desk.open();
    assert_eq!(catch_up(&journal, &mut log, &folder), 2);
    assert_eq!(catch_up(&journal, &mut log, &folder), 0, "nothing twice");
    drop(journal);
    let (code, text, _) = said(&run(&desk, &log_flag));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("chained and replayed: Completed"), "{text}");
    assert!(text.contains("2 entries of the log agree") && !text.contains("not in the log yet"), "{text}");

    let bytes = read(&desk.lines());
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(desk.lines(), lines[..lines.len() - 1].concat()).unwrap();
    let (code, _, talk) = said(&run(&desk, &log_flag));
    assert_eq!(code, Some(13), "{talk}");
    assert!(talk.contains("of the audit log has seen"), "{talk}");
    let (code, _, talk) = said(&run(&desk, &["verify-journal"]));
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("cut at its end looks whole"), "{talk}");

    fs::remove_dir_all(desk.journal()).unwrap();
    let (code, _, talk) = said(&run(&desk, &log_flag));
    assert_eq!(code, Some(13), "{talk}");
    assert!(talk.contains("the journal has 0 lines"), "{talk}");
}

#[test]
fn verify_journal_refuses_damage_and_says_where() {
    let desk = Desk::new();
    completed(&desk);
    let mut bytes = read(&desk.lines());
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    fs::write(desk.lines(), &bytes).unwrap();
    let (code, _, talk) = said(&run(&desk, &["verify-journal"]));
    assert_eq!(code, Some(13), "{talk}");
    assert!(talk.contains("does not check out at line"), "{talk}");
}

#[test]
fn the_log_lists_and_shows_what_happened_to_a_rollout() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    tell(&mut journal, crate::ways::start(), at);
    tell(&mut journal, Event::Pause(operator()), at);
    let folder = desk.state().with_file_name("log");
    let mut log = new_log(&folder);
    assert_eq!(catch_up(&journal, &mut log, &folder), 2);
    let laforge = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
        command.current_dir(&folder).args(arguments);
        let run = output(command.args(["--audit-log", folder.to_str().unwrap()]));
        let (code, text, talk) = said(&run);
        assert_eq!(code, Some(0), "{talk}");
        text
    };
    let list = laforge(&["audit", "list", "--type", "rollout.*"]);
    assert!(list.contains("rollout.paused") && list.contains("at Paused, because of operator"), "{list}");
    let show = laforge(&["audit", "show", "2"]);
    assert!(show.contains("3 lines, the last sha256:") && show.contains("note"), "{show}");
    laforge(&["audit", "verify"]);
}
