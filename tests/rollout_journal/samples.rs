//! P11: what is dropped or comes in another order never raises a weight above the run in order.

use laforge::rollout::journal::{Notice, Repeated};
use laforge::rollout::machine::{Event, Stage, Weight};
use laforge::time::Timestamp;
use proptest::prelude::*;

use crate::desk::{Desk, next, notice, tell};
use crate::driver::Driver;

/// What an honest guard said in a run that completes, and the highest weight commanded so far.
fn in_order() -> Vec<(Notice, Timestamp, Weight)> {
    let desk = Desk::new();
    let mut journal = desk.create();
    let (mut driver, mut said) = (Driver::new(), Vec::new());
    let mut now = journal.schedule().not_before;
    while let Some((event, at)) = next(journal.schedule(), journal.state(), driver.weight, now) {
        let told = notice(journal.state().epoch, event, at);
        let step = journal.receive(told.clone(), at).unwrap().step;
        driver.execute(&step.commands);
        said.push((told, at, driver.weight));
        now = at;
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn dropped_and_reordered_events_never_raise(
        order in Just((0..in_order().len()).collect::<Vec<_>>()).prop_shuffle(),
        kept in 0..=in_order().len(),
        swaps in prop::collection::vec((0..100_usize, 0..100_usize), 0..4),
        shuffled in any::<bool>(),
    ) {
        let run = in_order();
        let mut order = if shuffled { order } else { (0..run.len()).collect() };
        for (a, b) in swaps {
            let (a, b) = (a % order.len(), b % order.len());
            order.swap(a, b);
        }
        order.truncate(kept);
        let desk = Desk::new();
        let mut journal = desk.create();
        let mut driver = Driver::new();
        let mut highest = Weight::ZERO;
        for index in &order {
            let (notice, at, seen) = &run[*index];
            highest = highest.max(*seen);
            let told = journal.receive(notice.clone(), *at).unwrap();
            prop_assert_eq!(told.repeated, Repeated::No);
            driver.execute(&told.step.commands);
            prop_assert!(driver.weight <= highest, "{} after {order:?}", driver.weight);
        }
        prop_assert_eq!(desk_state(&desk, journal), journal_length(order.len()));
    }
}

/// Every event is journaled, taken or not.
fn desk_state(desk: &Desk, journal: laforge::rollout::journal::Journal) -> u64 {
    let state = journal.state().clone();
    drop(journal);
    let opened = desk.open();
    assert_eq!(opened.state(), &state);
    opened.head().length
}

fn journal_length(events: usize) -> u64 {
    events as u64 + 1
}

#[test]
fn a_late_breach_still_pauses() {
    let desk = Desk::new();
    let mut journal = desk.create();
    let (mut driver, mut now) = (Driver::new(), journal.schedule().not_before);
    while journal.state().passed < 1 {
        let (event, at) = next(journal.schedule(), journal.state(), driver.weight, now).unwrap();
        driver.execute(&tell(&mut journal, event, at));
        now = at;
    }
    let late = Event::Breach {
        window: 1,
        objective: "error-budget".into(),
        stable: laforge::rollout::machine::event::StableSide::Within,
    };
    driver.execute(&tell(&mut journal, late, now));
    assert!(matches!(journal.state().stage, Stage::Paused { .. }));
}
