//! Reading side by side gives what reading line by line gives; and no altered byte gets past either.
#![expect(clippy::disallowed_methods, reason = "tests damage a log's files")]

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::audit::entry::decision::PlanView;
use crate::audit::entry::event::{Changed, Heartbeat, Recovered, RecoveryCause};
use crate::audit::entry::rollout::{JournalHead, Milestone, Rollout};
use crate::audit::entry::{Body, Event};
use crate::audit::sample::{core, new_log, noon, open, prepared, report};
use crate::audit::{AuditLog, ExitClass, Reader};
use crate::plan::Mode;
use crate::plan::draft::Verdict;
use crate::plan::members::PlannedRelease;
use crate::policy::Caller;
use crate::policy::account::Action;
use crate::release::digest::{ClaimedDigest, Digest};

const ENVIRONMENTS: [&str; 3] = ["production", "sta\"ging", "δοκιμή"];

/// Something that is recorded.
#[derive(Debug, Clone)]
enum Said {
    Decision { idem: u8, environment: usize, version: u64, policy: u8, mode: Mode, action: Action },
    Changed { environment: usize, policy: u8 },
    Ended(u8),
    Recovered(u64),
    Alive,
}

fn said() -> impl Strategy<Value = Said> {
    let mode = prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::DryRun), 1 => Just(Mode::BreakGlass)];
    let action = prop_oneof![4 => Just(Action::Allow), 1 => Just(Action::Deny)];
    prop_oneof![
        6 => (0_u8..6, 0_usize..3, 1_u64..12, 0_u8..3, mode, action).prop_map(
            |(idem, environment, version, policy, mode, action)| Said::Decision {
                idem, environment, version, policy, mode, action,
            }
        ),
        1 => (0_usize..3, 0_u8..3).prop_map(|(environment, policy)| Said::Changed { environment, policy }),
        1 => (0_u8..6).prop_map(Said::Ended),
        1 => (0_u64..9).prop_map(Said::Recovered),
        1 => Just(Said::Alive),
    ]
}

fn digest(of: &str, number: u8) -> Digest {
    Digest::of_bytes(format!("{of} {number}").as_bytes())
}

fn plan(idem: u8) -> Vec<u8> {
    core(noon(i64::from(idem) + 1_000_000))
}

fn record(log: &mut AuditLog, said: &Said, now: Timestamp) {
    let caller = Caller::unknown();
    let body = match said {
        Said::Decision { idem, environment, version, policy, mode, action } => {
            let mut report = report();
            report.release.environment = ENVIRONMENTS[*environment].to_owned();
            report.policy.digest = digest("policy", *policy);
            report.policy.sets.iter_mut().for_each(|set| set.version = *version);
            (report.mode, report.action) = (*mode, *action);
            if *mode == Mode::DryRun {
                report.action = Action::None;
            }
            if report.action == Action::Deny {
                report.verdict = Verdict::Fail;
            }
            let core = (report.action == Action::Allow).then(|| plan(*idem));
            // A lower version is refused, and not recorded.
            let _ = log.record(prepared(&report, core, &format!("idem {idem}")), &caller, now);
            return;
        }
        Said::Changed { environment, policy } => Body::PolicyChanged(Event::of(
            &caller,
            Changed {
                environment: ENVIRONMENTS[*environment].to_owned(),
                from: None,
                to: digest("policy", *policy).claim(),
            },
        )),
        Said::Ended(idem) => Body::Rollout(Milestone::Completed, Box::new(Event::of(&caller, ended(*idem)))),
        Said::Recovered(offset) => Body::Recovered(Event::of(
            &caller,
            Recovered {
                file: "entries/a".to_owned(),
                offset: *offset,
                length: 7,
                digest: digest("torn", 0).claim(),
                cause: RecoveryCause::TornRecord,
            },
        )),
        Said::Alive => {
            log.heartbeat(&caller, now).unwrap();
            return;
        }
    };
    log.record_event(body, &[], &caller, now).unwrap();
}

fn ended(idem: u8) -> Rollout {
    let core = plan(idem);
    Rollout {
        plan: PlanView { digest: Digest::of_bytes(&core).claim(), size: core.len() as u64 },
        release: PlannedRelease {
            name: "payments".into(),
            version: "2.4.0".into(),
            environment: "production".into(),
            digest: digest("release", 0).claim(),
        },
        target: "production".into(),
        state: "Completed".into(),
        epoch: 1,
        cause: None,
        note: None,
        journal: JournalHead { length: 1, leaf: leaf_hash(b"journal").claim() },
        audit_entry: None,
    }
}

/// All that a history answers.
fn answers(tip: &Tip, after: i64) -> String {
    let history = &tip.history;
    let last = history.last_time().unwrap_or_default();
    let now = last + chrono::TimeDelta::seconds(after);
    let idems = (0..6).map(|idem| digest("idem", idem).claim());
    let allows: Vec<_> =
        idems.map(|idem: ClaimedDigest| format!("{:?}", history.allow(&idem, now))).collect();
    let standing = ENVIRONMENTS.map(|environment| format!("{:?}", history.standing(environment)));
    let reported: Vec<_> = (0..9).map(|offset| history.is_reported("entries/a", offset)).collect();
    format!("{last} {allows:?} {standing:?} {reported:?} {:?}", history.unsupported())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn side_by_side_says_what_line_by_line_says(
        segment in 1_u64..9,
        all in prop::collection::vec((said(), 0_i64..20_000), 1..40),
        known in 0_usize..50,
    ) {
        let (folder, _) = new_log(segment);
        let mut log = open(folder.path(), noon(0)).unwrap();
        let mut seconds = 0;
        for (said, later) in &all {
            seconds += later;
            record(&mut log, said, noon(seconds));
        }
        let reader = Reader::open(&folder.path().join("log")).unwrap();
        let (entries, identity, record) = (&reader.files.entries, &reader.identity, &reader.tail.record);
        let (mut begun, mut marks) = (Tip::default(), Marks::default());
        for line in reader.raw(Position::default()).take(known) {
            begun.add(&line.unwrap()).unwrap();
        }
        let side = begun.side_by_side(entries, identity, record, &marks).unwrap().tip;
        begun.one_by_one(entries, identity, record, &mut marks).unwrap();
        for after in [-60, 0, 3_600, 80_000, 90_000] {
            prop_assert_eq!(answers(&side, after), answers(&begun, after));
        }
        prop_assert_eq!((&side.frontier, side.leaf, side.at), (&begun.frontier, begun.leaf, begun.at));
        prop_assert_eq!(side.starts, begun.starts);
    }
}

/// A log that is long enough to be read side by side.
fn long() -> (tempfile::TempDir, AuditLog) {
    let (folder, _) = new_log(300);
    let mut log = open(folder.path(), noon(0)).unwrap();
    let alive = || Body::Heartbeat(Event::of(&Caller::unknown(), Heartbeat {}));
    let mut writer = log.lock(noon(1)).unwrap();
    let bodies: Vec<Body> = (0..MANY + 100).map(|_| alive()).collect();
    writer.commit(&bodies).unwrap();
    writer.finish(&[]);
    (folder, log)
}

#[test]
fn every_altered_byte_of_a_long_log_stops_the_writer() {
    let (folder, _) = long();
    let path = folder.path().join("log/entries");
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 4);
    for file in files {
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(4799) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&file, &changed).unwrap();
            let error = open(folder.path(), noon(2)).unwrap_err();
            assert_eq!(error.exit_class(), ExitClass::Integrity, "{} byte {at}: {error:?}", file.display());
        }
        fs::write(&file, &whole).unwrap();
    }
    open(folder.path(), noon(2)).unwrap();
}

#[test]
fn an_allow_of_a_long_log_is_given_again_with_its_proof() {
    let (folder, mut log) = long();
    let allow = |log: &mut AuditLog| {
        log.record(prepared(&report(), Some(core(noon(9000))), "idem"), &Caller::unknown(), noon(3)).unwrap()
    };
    let first = allow(&mut log);
    log.heartbeat(&Caller::unknown(), noon(4)).unwrap();
    let again = allow(&mut open(folder.path(), noon(5)).unwrap());
    assert_eq!((again.reference, again.line, again.proof), (first.reference, first.line, first.proof));
}
