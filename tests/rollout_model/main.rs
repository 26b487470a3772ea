//! The rollout's machine under every interleaving: breadth-first over a world that is against it.
//!
//! The guard is the program's own `machine::step`. Around it: a driver that takes its time, loses
//! commands and answers late; a proxy that forgets its weights; another writer; restarts; messages
//! that arrive after their epoch or window; three eras (before notBefore, valid, after notAfter) and a
//! clock whose every deadline may have passed. Properties: P1 to P9 and P15 of `rollout.md` section 2.
//! Not modelled: the journal and the log, more than one late message of driver and metrics each.
//!
//! A checker that finds nothing proves nothing until it finds what is planted: each seeded fault breaks
//! one rule around the real step, and has to be caught by the property that the page names for it.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]

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

use fault::Fault;
use rules::Rule;
use world::Rollout;

/// The playbook's steps.
const WEIGHTS: [u64; 3] = [20, 80, 100];

#[test]
fn every_interleaving_keeps_every_property() {
    for operator_deadline in [None, Some(0)] {
        let began = Instant::now();
        let model = Rollout::new(&WEIGHTS, operator_deadline, None);
        let rows = Arc::clone(&model.rows);
        let checker = model.checker().threads(2).spawn_bfs().join();
        println!(
            "{WEIGHTS:?}, operator's deadline {operator_deadline:?}: {} states, {} transitions, depth {}, {:.1?}",
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
        // The model is about something: the good end and the bad one are both reached.
        for reached in ["completes", "rolls back", "expires"] {
            assert!(checker.discovery(reached).is_some(), "nothing ever {reached}");
        }
        let taken = rows.load(Ordering::Relaxed);
        // Whether an event was journaled before (T24) is the history's to know.
        let idle = Row::ALL.into_iter().filter(|row| *row != Row::T24 && taken >> (*row as u32) & 1 == 0);
        assert_eq!(idle.collect::<Vec<_>>(), [], "rows that no interleaving reaches");
    }
}

#[test]
fn each_seeded_fault_is_caught_by_its_property() {
    let mut missed = BTreeSet::new();
    for fault in Fault::ALL {
        let began = Instant::now();
        let expected = fault.breaks().name();
        let model = Rollout::new(&WEIGHTS, None, Some(fault));
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
