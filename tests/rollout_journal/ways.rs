//! One test for each way to be refused, and what each line has to say.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use chrono::Duration;
use laforge::audit::ExitClass;
use laforge::release::digest::Digest;
use laforge::rollout::acceptance::JournalState;
use laforge::rollout::journal::{
    Anchor, Fault, Journal, JournalError, Reading, Repeated, Standing, check_anchors, schedule_of, standing,
};
use laforge::rollout::machine::event::Runs;
use laforge::rollout::machine::step::{Ignored, Refusal};
use laforge::rollout::machine::{Event, Outcome, Row, Weight};
use serde_json::{Value, json};

use crate::desk::{
    self, Desk, TARGET, completed, core, created, created_of, notice, operator, read, schedule, tell,
};

pub(crate) fn start() -> Event {
    Event::Start { readback: Weight::ZERO, stable: Runs::AsPlanned }
}

#[test]
fn refuses_a_second_guard_and_names_the_first() {
    let desk = Desk::new();
    let _journal = desk.create();
    let refused = desk::take(&desk.state(), TARGET);
    let Err(JournalError::Held { target, path, pid, since }) = refused else { panic!("{refused:?}") };
    assert_eq!((target.as_str(), pid), (TARGET, Some(std::process::id())));
    assert_eq!(path, desk.state().join(TARGET).join("lock"));
    assert!(since.is_some());
}

#[test]
fn refuses_a_second_guard_also_where_somebody_has_removed_the_lock() {
    let desk = Desk::new();
    let journal = desk.create();
    fs::remove_file(desk.state().join(TARGET).join("lock")).unwrap();
    let refused = desk::take(&desk.state(), TARGET);
    assert!(matches!(&refused, Err(JournalError::Held { target, .. }) if target == TARGET), "{refused:?}");
    drop(journal);
    assert_eq!(desk.lock().target(), TARGET);
}

#[test]
fn a_guard_that_is_gone_holds_nothing() {
    let desk = Desk::new();
    drop(desk.create());
    assert_eq!(desk.open().head().length, 1);
}

#[test]
fn guards_of_two_targets_are_not_in_each_others_way() {
    let desk = Desk::new();
    let _journal = desk.create();
    assert_eq!(desk::take(&desk.state(), "elsewhere").unwrap().target(), "elsewhere");
}

#[test]
fn refuses_a_target_that_leads_out_of_its_folder() {
    let desk = Desk::new();
    for name in ["", ".", "..", "../x", "a/b", "A", "-a", "_a", "é", &"a".repeat(64), "a\0"] {
        let refused = desk::take(&desk.state(), name);
        assert!(matches!(&refused, Err(JournalError::Target(said)) if said == name), "{name}: {refused:?}");
        assert!(standing(&desk.state(), name).is_err());
    }
    assert!(!desk.state().exists());
}

#[test]
fn refuses_another_plan_while_one_is_open() {
    let desk = Desk::new();
    drop(desk.create());
    let mut other = core();
    other["metadata"]["name"] = json!("another");
    let other = created_of(&other);
    let refused = Journal::create(desk.lock(), &other, schedule(), schedule().not_before);
    let Err(JournalError::AnotherOpen { plan, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(plan, created().plan_digest);
    assert_eq!(standing(&desk.state(), TARGET).unwrap().open, Some(plan));
}

#[test]
fn refuses_a_plan_that_has_a_journal() {
    let desk = Desk::new();
    drop(desk.create());
    let again = Journal::create(desk.lock(), &created(), schedule(), schedule().not_before);
    assert!(matches!(again, Err(JournalError::Exists { .. })), "{again:?}");
    let desk = Desk::new();
    completed(&desk);
    let again = Journal::create(desk.lock(), &created(), schedule(), schedule().not_before);
    assert_eq!(again.unwrap_err().exit_class(), ExitClass::Unusable);
}

#[test]
fn another_plan_may_follow_one_that_has_ended() {
    let desk = Desk::new();
    completed(&desk);
    let mut other = core();
    other["metadata"]["name"] = json!("another");
    let other = created_of(&other);
    drop(Journal::create(desk.lock(), &other, schedule(), schedule().not_before).unwrap());
    let found = standing(&desk.state(), TARGET).unwrap();
    let expected = Standing { open: Some(other.plan_digest.clone()), ended: vec![created().plan_digest] };
    assert_eq!(found, expected);
    let of = |core: &Value| found.of(&Digest::of_value(core));
    assert_eq!(of(&core()), JournalState::Ended);
    assert_eq!(of(&json!({})), JournalState::Absent);
}

#[test]
fn refuses_two_plans_that_are_not_ended() {
    let (desk, elsewhere) = (Desk::new(), Desk::new());
    drop(desk.create());
    let mut other = core();
    other["metadata"]["name"] = json!("another");
    let other = created_of(&other);
    drop(Journal::create(elsewhere.lock(), &other, schedule(), schedule().not_before).unwrap());
    let name = other.plan_digest.hex();
    fs::rename(elsewhere.state().join(TARGET).join(&name), desk.state().join(TARGET).join(&name)).unwrap();
    let found = standing(&desk.state(), TARGET);
    assert!(matches!(found, Err(JournalError::TwoOpen { .. })), "{found:?}");
    assert_eq!(found.unwrap_err().exit_class(), ExitClass::Integrity);
}

#[test]
fn refuses_a_journal_under_the_name_of_another_plan() {
    let desk = Desk::new();
    drop(desk.create());
    fs::rename(desk.journal(), desk.journal().with_file_name("ab".repeat(32))).unwrap();
    let found = standing(&desk.state(), TARGET);
    let Err(JournalError::Line { line: 0, fault: Fault::OtherPlan(plan), .. }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(plan, created().plan_digest);
}

#[test]
fn refuses_an_envelope_with_one_changed_byte() {
    let created = created();
    let desk = Desk::new();
    let plan = created.envelope.len() - ",\"planDigest\":\"sha256:\"}".len() - 64;
    let mut refused = 0;
    for at in (8..plan).step_by(13) {
        let mut other = created.clone();
        other.envelope[at] ^= 1;
        let made = Journal::create(desk.lock(), &other, schedule(), schedule().not_before);
        assert!(matches!(made, Err(JournalError::Envelope(_))), "byte {at}: {made:?}");
        refused += 1;
    }
    assert!(refused > 100 && !desk.journal().exists(), "{refused}");
}

#[test]
fn refuses_a_plan_of_another_target() {
    let desk = Desk::new();
    let other = laforge::rollout::journal::Created { target: "elsewhere".into(), ..created() };
    let made = Journal::create(desk.lock(), &other, schedule(), schedule().not_before);
    assert!(matches!(made, Err(JournalError::OtherTarget { .. })), "{made:?}");
}

#[test]
fn refuses_a_journal_that_was_moved_to_another_target() {
    let desk = Desk::new();
    drop(desk.create());
    let moved = desk.state().join("elsewhere");
    fs::rename(desk.state().join(TARGET), &moved).unwrap();
    let read = Reading::open(&desk.state(), "elsewhere", &created().plan_digest);
    let Err(JournalError::Line { line: 0, fault: Fault::OtherTarget(target), .. }) = read else {
        panic!("{read:?}")
    };
    assert_eq!(target, TARGET);
}

#[test]
fn refuses_a_request_without_a_nonce() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    let mut cancel = notice(0, Event::Cancel(operator()), at);
    cancel.nonce = None;
    let refused = journal.receive(cancel, at);
    assert!(matches!(refused, Err(JournalError::Event(Fault::NoNonce))), "{refused:?}");
    assert_eq!(journal.head().length, 1);
}

#[test]
fn a_retry_has_the_same_answer_and_writes_nothing() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    tell(&mut journal, start(), at);
    let pause = notice(1, Event::Pause(operator()), at);
    let first = journal.receive(pause.clone(), at).unwrap();
    assert_eq!(first.step.outcome, Outcome::Applied(Row::T15));
    let bytes = read(&desk.lines());
    drop(journal);
    let mut journal = desk.open();
    let again = journal.receive(pause, at + Duration::seconds(9)).unwrap();
    assert_eq!((again.repeated, again.step.outcome), (Repeated::Yes, first.step.outcome));
    assert_eq!((again.event_id, again.head), (first.event_id, first.head));
    assert_eq!((again.step.commands, again.step.next), (vec![], first.step.next));
    assert_eq!(read(&desk.lines()), bytes);
    let mut request = notice(1, Event::Pause(operator()), at);
    request.nonce = Some("2".into());
    let other = journal.receive(request, at).unwrap();
    assert_eq!((other.repeated, other.head.length), (Repeated::No, 4));
}

#[test]
fn what_is_refused_or_too_late_is_journaled_too() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    tell(&mut journal, Event::MigrationSucceeded, at);
    tell(&mut journal, start(), at);
    let old = notice(0, Event::MigrationSucceeded, at + Duration::seconds(1));
    let _ = journal.receive(old, at).unwrap();
    drop(journal);
    let reading = Reading::open(&desk.state(), TARGET, &created().plan_digest).unwrap();
    let outcomes: Vec<_> = reading.records().iter().map(|record| record.outcome).collect();
    let expected = [
        None,
        Some(Outcome::Refused(Refusal::NoRow)),
        Some(Outcome::Applied(Row::T1)),
        Some(Outcome::Ignored(Ignored::Epoch)),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn a_line_says_what_the_design_says() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let at = journal.schedule().not_before;
    tell(&mut journal, start(), at + Duration::microseconds(5));
    let lines: Vec<_> = journal.lines().map(|line| line.unwrap()).collect();
    let value: Value = serde_json::from_slice(&lines[1].bytes).unwrap();
    let mut body = value["event"].clone();
    let id = body.as_object_mut().unwrap().remove("eventId").unwrap();
    assert_eq!(id, json!(Digest::of_value(&body)));
    assert_eq!(value["prev"], json!(lines[0].leaf().to_string()));
    let expected = json!({
        "_type": "https://laforge.dev/rollout-event/v1", "planDigest": created().plan_digest, "epoch": 0,
        "type": "Start", "source": "guard", "observedAt": "2026-11-24T12:00:00.000005Z", "nonce": "1",
        "data": {"readback": 0, "stable": "AsPlanned"},
    });
    assert_eq!(body, expected);
    let zeros = format!("sha256:{}", "0".repeat(64));
    let first: Value = serde_json::from_slice(&lines[0].bytes).unwrap();
    assert_eq!((&first["v"], &first["seq"], &first["prev"]), (&json!(1), &json!(0), &json!(zeros)));
    assert_eq!(first["event"]["type"], "journal.created");
    assert_eq!(first["event"]["data"]["slots"], json!({"stable": "blue", "candidate": "green"}));
    assert_eq!(first["event"]["data"]["envelope"], String::from_utf8(created().envelope).unwrap());
}

#[test]
fn windows_are_told_by_their_id() {
    let desk = Desk::new();
    let (bytes, _) = completed(&desk);
    let verdicts: Vec<Value> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|line| line["event"]["type"] == "WindowVerdict")
        .collect();
    let ids: Vec<_> = verdicts.iter().map(|line| line["event"]["windowId"].as_u64()).collect();
    assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    assert!(verdicts.iter().all(|line| line["event"]["data"]["window"].is_null()));
}

#[test]
fn everything_is_its_owners_alone() {
    let desk = Desk::new();
    drop(desk.create());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folders = [desk.state(), desk.state().join(TARGET), desk.journal(), desk.journal().join("entries")];
    assert_eq!(folders.each_ref().map(|path| mode(path)), [0o700; 4]);
    let files = [desk.lines(), desk.state().join(TARGET).join("lock")];
    assert_eq!(files.each_ref().map(|path| mode(path)), [0o600; 2]);
}

#[test]
fn follows_no_link() {
    let desk = Desk::new();
    drop(desk.create());
    let (real, linked) = (desk.journal().join("entries"), desk.journal().join("real"));
    fs::rename(&real, &linked).unwrap();
    symlink(&linked, &real).unwrap();
    let opened = Journal::open(desk.lock(), &created().plan_digest, schedule_of);
    assert_eq!(opened.unwrap_err().exit_class(), ExitClass::Integrity);
    let desk = Desk::new();
    drop(desk.create());
    let lock = desk.state().join(TARGET).join("lock");
    fs::remove_file(&lock).unwrap();
    symlink(desk.lines(), &lock).unwrap();
    let before = read(&desk.lines());
    assert!(desk::take(&desk.state(), TARGET).is_err());
    assert_eq!(read(&desk.lines()), before);
}

#[test]
fn a_journal_that_was_replaced_is_not_written_on() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let copy = read(&desk.lines());
    fs::remove_file(desk.lines()).unwrap();
    fs::write(desk.lines(), [copy, b"{}\n".to_vec()].concat()).unwrap();
    let at = journal.schedule().not_before;
    let refused = journal.receive(notice(0, start(), at), at);
    assert_eq!(refused.unwrap_err().exit_class(), ExitClass::Integrity);
    assert_eq!(journal.state().epoch, 0);
}

#[test]
fn refuses_a_journal_that_is_shorter_or_other_than_an_anchor() {
    let desk = Desk::new();
    let (_, states) = completed(&desk);
    let journal = desk.open();
    let leaves = journal.leaves();
    assert_eq!(leaves.len(), states.len());
    let anchor = |length: usize, leaf: usize| Anchor {
        length: length as u64,
        leaf: leaves[leaf].claim(),
        entry_index: 7,
    };
    check_anchors(leaves, &[anchor(1, 0), anchor(leaves.len(), leaves.len() - 1)]).unwrap();
    check_anchors(&[], &[]).unwrap();
    for length in 0..leaves.len() {
        let cut = check_anchors(&leaves[..length], &[anchor(1, 0), anchor(length + 1, length)]);
        let Err(JournalError::Shorter { length: held, entry: 7, anchored }) = cut else { panic!("{cut:?}") };
        let least = if length == 0 { 1 } else { length + 1 };
        assert_eq!((held, anchored), (length as u64, least as u64));
    }
    let other = check_anchors(leaves, &[anchor(2, 0)]);
    assert!(matches!(other, Err(JournalError::OtherLeaf { line: 1, entry: 7 })), "{other:?}");
    assert_eq!(other.unwrap_err().exit_class(), ExitClass::Integrity);
}
