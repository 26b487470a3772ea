//! The rollout's machine under every interleaving: breadth-first over a world that is against it.
//!
//! The guard is the program's own `machine::step`. Around it: a driver that takes its time, loses
//! commands and answers late; a proxy that forgets its weights; another writer; restarts; messages
//! that arrive after their epoch or window; three eras (before notBefore, valid, after notAfter) and a
//! clock whose every deadline may have passed. Properties: P1 to P9 and P15 of `rollout.md` section 2.
//! Not modelled: the journal and the log, more than one late message of driver and metrics each. How much
//! else there is, is [`action::Reach`]'s; faults are planted in the narrow world, where the way to each is short.
//!
//! A checker that finds nothing proves nothing until it finds what is planted: each seeded fault breaks
//! one rule around the real step, and has to be caught by the property that the page names for it.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]
#![expect(clippy::disallowed_methods, reason = "tests read their own sources")]

mod action;
mod course;
mod fault;
mod guard;
mod rules;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use laforge::rollout::machine::Row;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use action::Reach;
use fault::Fault;
use rules::Rule;
use world::Rollout;

/// The playbook's steps.
const WEIGHTS: [u64; 3] = [20, 80, 100];

/// The properties that no model of states can have, and the test that has each: of the journal, of samples, of a
/// real Prometheus, of a real haproxy, of plans.
const ELSEWHERE: [(&str, &str, &str, &str); 5] = [
    (
        "P10",
        "replay gives the state, and a cut journal is refused below an anchor",
        "tests/rollout_journal/guard.rs",
        "a_guard_with_a_journal_is_the_machine_alone",
    ),
    (
        "P11",
        "samples that are dropped or reordered never raise a weight",
        "tests/rollout_journal/samples.rs",
        "dropped_and_reordered_events_never_raise",
    ),
    (
        "P12",
        "without whole and fresh numbers nothing passes",
        "tests/real_parts/prometheus.rs",
        "nothing_passes_without_whole_and_fresh_numbers",
    ),
    (
        "P13",
        "stable and candidate are never both at 0",
        "tests/real_parts/haproxy.rs",
        "shifts_under_load_lose_nothing_and_never_leave_both_without",
    ),
    (
        "P14",
        "the same inputs give the same plan digest, other ones another",
        "src/plan/draft.rs",
        "every_request_that_is_taken_gives_a_sound_plan_and_always_the_same",
    ),
];

#[test]
fn each_property_has_a_test_that_is_there() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, _, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(package.join(file)).expect("a file of tests");
        assert!(text.contains(&format!("fn {test}(")), "{name}: {file} has no `{test}`");
    }
    let modelled = Rule::ALL.map(Rule::name).into_iter();
    let mut names: Vec<&str> = modelled.chain(ELSEWHERE.map(|(name, ..)| name)).collect();
    names.sort_by_key(|name| name[1..].parse::<u32>().ok());
    let all: Vec<String> = (1..=15).map(|number| format!("P{number}")).collect();
    assert_eq!(names, all);
}

/// How much is walked: the widest world takes minutes, and `LAFORGE_MODEL=wide` asks for it.
fn asked(otherwise: Reach) -> Reach {
    match std::env::var("LAFORGE_MODEL") {
        Ok(reach) if reach == "wide" => Reach::Wide,
        _ => otherwise,
    }
}

#[test]
fn every_interleaving_keeps_every_property() {
    keeps_every_property(asked(Reach::Late), None);
}

#[test]
fn every_interleaving_keeps_them_where_an_operator_has_a_deadline() {
    keeps_every_property(asked(Reach::Narrow), Some(0));
}

#[expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "what was walked is the result, and a way that breaks a rule"
)]
fn keeps_every_property(reach: Reach, operator_deadline: Option<u64>) {
    let began = Instant::now();
    let model = Rollout::new(&WEIGHTS, reach, operator_deadline, None);
    let rows = Arc::clone(&model.rows);
    let checker = model.checker().threads(2).spawn_bfs().join();
    println!(
        "{WEIGHTS:?}, {reach:?}, operator's deadline {operator_deadline:?}: {} states, {} transitions, depth {}, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    for (name, path) in checker.discoveries() {
        if Rule::ALL.iter().any(|rule| rule.name() == name) {
            panic!("{name}: {:?}", path.into_actions());
        }
    }
    for rule in Rule::ALL {
        println!("  {:<4} {:<70} holds", rule.name(), rule.says());
    }
    for (name, says, file, test) in ELSEWHERE {
        println!("  {name:<4} {says:<70} {file}: {test}");
    }
    // The model is about something: the good end and the bad one are both reached.
    for reached in ["completes", "rolls back", "expires"] {
        assert!(checker.discovery(reached).is_some(), "nothing ever {reached}");
    }
    let taken = rows.load(Ordering::Relaxed);
    // Whether an event was journaled before (T24) is the history's to know.
    let idle = Row::ALL.into_iter().filter(|row| *row != Row::T24 && taken >> (*row as u32) & 1 == 0);
    assert_eq!(idle.collect::<Vec<_>>(), [], "rows that no interleaving reaches");
}

#[test]
fn each_seeded_fault_is_caught_by_its_property() {
    let mut missed = BTreeSet::new();
    for fault in Fault::ALL {
        let began = Instant::now();
        let expected = fault.breaks().name();
        let model = Rollout::new(&WEIGHTS, Reach::Narrow, None, Some(fault));
        let wanted = HasDiscoveries::AllOf(BTreeSet::from([expected]).into_iter().collect());
        let checker = model.checker().threads(2).finish_when(wanted).spawn_bfs().join();
        let found = checker.discovery(expected);
        println!(
            "{:<42} {expected}: {} after {} states, {:.1?}",
            format!("{fault:?}"),
            found.as_ref().map_or("missed".to_owned(), |path| format!(
                "caught in {} events",
                path.clone().into_actions().len()
            )),
            checker.unique_state_count(),
            began.elapsed()
        );
        if found.is_none() {
            missed.insert(format!("{fault:?}"));
        }
    }
    assert_eq!(Fault::ALL.len(), 22);
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
