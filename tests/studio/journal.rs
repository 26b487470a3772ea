//! A rollout on the disk: the plan of a desk's own allow, told by a guard as far as a test wants.

use std::fs;

use chrono::Duration;
use laforge::json;
use laforge::release::digest::ClaimedDigest;
use laforge::rollout::guard::{Asks, Shown, View};
use laforge::rollout::journal::{Created, Journal, Notice, Seen, Slots, TargetLock, schedule_of};
use laforge::rollout::machine::event::{Runs, StableSide};
use laforge::rollout::machine::{Event, Occurrence, Stage, Weight};
use laforge::rollout::objective::{Breach, Count, Measured};
use laforge::time::Timestamp;
use serde_json::Value;

use crate::desk::Desk;

const TARGET: &str = "production";

/// A rollout that a test tells what happens.
pub(crate) struct Rollout {
    journal: Journal,
    now: Timestamp,
    nonces: u64,
}

impl Rollout {
    /// The rollout of a desk's `plan.json`, planned now: before that, a plan is not in force.
    pub(crate) fn of(desk: &Desk) -> Self {
        let envelope: Value = serde_json::from_str(&desk.read("plan.json")).unwrap();
        let digest: ClaimedDigest = envelope["planDigest"].as_str().unwrap().parse().unwrap();
        let bytes = json::canonical(&envelope);
        let slots = Slots { stable: "blue".into(), candidate: "green".into() };
        let created = Created { envelope: bytes.clone(), plan_digest: digest, target: TARGET.into(), slots };
        let lock = TargetLock::take(&desk.path(".laforge/rollouts"), TARGET).unwrap();
        let now = chrono::Utc::now();
        let journal = Journal::create(lock, &created, schedule_of(&bytes).unwrap(), now).unwrap();
        Self { journal, now, nonces: 0 }
    }

    /// The plan's digest in hex: the rollout's address.
    pub(crate) fn hex(&self) -> String {
        self.journal.created().plan_digest.hex()
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.tell_seen(event, None, None, self.journal.state().epoch);
    }

    fn tell_seen(&mut self, event: Event, seen: Option<Seen>, nonce: Option<String>, epoch: u64) {
        self.now += Duration::seconds(2);
        self.nonces += 1;
        let nonce = nonce.or(Some(format!("test-{}", self.nonces)));
        let occurrence = Occurrence { epoch, event };
        let _ = self
            .journal
            .receive(Notice { occurrence, observed_at: self.now, nonce, seen }, self.now)
            .unwrap();
    }

    fn weight(&self) -> Weight {
        self.journal.schedule().rung(self.journal.state().passed).weight
    }

    /// Up to the window of the first step.
    pub(crate) fn begin(&mut self) {
        self.tell(Event::Start { readback: Weight::ZERO, stable: Runs::AsPlanned });
        self.tell(Event::MigrationSucceeded);
        let successes = self.journal.schedule().warmup.successes;
        self.tell(Event::HealthReport {
            successes,
            slowest_ms: 12,
            runs: Runs::AsPlanned,
            readback: Weight::ZERO,
        });
        self.tell(Event::WeightConfirmed { weight: self.weight() });
        assert!(matches!(self.journal.state().stage, Stage::Observing { .. }));
    }

    fn measured(&self, bad: u64) -> Vec<Measured> {
        let budgets = self.journal.schedule().rung(self.journal.state().passed).budgets.iter();
        budgets
            .map(|budget| Measured { objective: budget.id.clone(), count: Count { bad, total: 4_210 } })
            .collect()
    }

    /// The window passes, and the next weight is read back.
    pub(crate) fn pass(&mut self) {
        let window = self.journal.state().stage.window().unwrap();
        self.now = self.now.max(window.ends);
        let (measured, readback) = (self.measured(9), self.journal.state().actual);
        let seen = Seen { candidate: measured.clone(), stable: self.measured(7), ..Seen::default() };
        let window = self.journal.state().windows;
        let epoch = self.journal.state().epoch;
        self.tell_seen(Event::WindowVerdict { window, measured, readback }, Some(seen), None, epoch);
        if let Stage::Applying { .. } = self.journal.state().stage {
            self.tell(Event::WeightConfirmed { weight: self.weight() });
        }
    }

    /// A budget is spent.
    pub(crate) fn breach(&mut self) {
        let (window, epoch) = (self.journal.state().windows, self.journal.state().epoch);
        let seen = Seen { candidate: self.measured(310), breach: Some(Breach::FastBurn), ..Seen::default() };
        let event = Event::Breach { window, objective: "error-budget".into(), stable: StableSide::Within };
        self.tell_seen(event, Some(seen), None, epoch);
        assert!(self.journal.state().stage.pause().is_some());
    }

    /// What a guard shows once a second.
    pub(crate) fn show(&self) {
        let rung = self.journal.schedule().rung(self.journal.state().passed);
        let budgets = rung.budgets.iter();
        let view = View {
            at: chrono::Utc::now(),
            length: self.journal.head().length,
            state: self.journal.state().clone(),
            weight: rung.weight,
            steps: self.journal.schedule().rungs().count(),
            candidate: self.measured(3),
            stable: self.measured(2),
            budgets: budgets
                .map(|it| Shown { id: it.id.clone(), max_ratio_ppm: it.ppm, min_samples: it.min_samples })
                .collect(),
            breach: None,
            unclear: None,
            waits_for: "the window to end".into(),
            troubles: Vec::new(),
        };
        view.write(self.journal.path()).unwrap();
    }

    /// Takes what is asked, as a guard does; gives who asked, and why.
    pub(crate) fn take_asks(&mut self) -> Vec<(String, String)> {
        let asks = Asks::of(self.journal.path()).waiting().asks;
        let mut told = Vec::new();
        for ask in asks {
            let operator = ask.operator.clone();
            told.push((operator.actor().to_owned(), operator.reason().to_owned()));
            let event = match ask.verb {
                laforge::rollout::guard::Verb::Rollback => Event::Rollback(operator),
                _ => Event::Pause(operator),
            };
            let file = self.journal.path().join("requests").join(format!("{}.json", ask.nonce));
            self.tell_seen(event, None, Some(ask.nonce), ask.epoch);
            fs::remove_file(file).unwrap();
        }
        told
    }

    /// To the end of the way back.
    pub(crate) fn retreat(&mut self) {
        self.tell(Event::WeightConfirmed { weight: Weight::ZERO });
        self.tell(Event::Drained { weight: Weight::ZERO, connections: 0, in_flight: 0 });
        assert!(self.journal.state().stage.is_terminal());
    }
}
