//! A plan, a place for its journal, a clock, and what an honest guard would say next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::RwLock;

use chrono::Duration;
use laforge::release::digest::Digest;
use laforge::rollout::journal::{Created, Journal, JournalError, Notice, Slots, TargetLock, schedule_of};
use laforge::rollout::machine::event::{Runs, Series};
use laforge::rollout::machine::state::Leg;
use laforge::rollout::machine::{Command, Event, Occurrence, Operator, Schedule, Stage, State, Weight};
use laforge::rollout::objective::{Count, Measured};
use laforge::time::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

const PAGE: &str = include_str!("../../fixtures/vectors/plan-example.json");

/// The target of the plan.
pub(crate) const TARGET: &str = "payments-prod";

pub(crate) fn core() -> Value {
    serde_json::from_str::<Value>(PAGE).unwrap()["value"].take()
}

/// What line 0 says of this core: its envelope has what a journal takes of one.
pub(crate) fn created_of(core: &Value) -> Created {
    let digest = Digest::of_value(core);
    let envelope = laforge::json::canonical(&json!({"plan": core, "planDigest": digest}));
    let slots = Slots { stable: "blue".into(), candidate: "green".into() };
    Created { envelope, plan_digest: digest.claim(), target: TARGET.into(), slots }
}

pub(crate) fn created() -> Created {
    created_of(&core())
}

pub(crate) fn schedule() -> Schedule {
    schedule_of(&created().envelope).unwrap()
}

/// A program that is being started holds, for a moment, a copy of every lock of this process: nobody takes one
/// meanwhile, and nobody starts two at a time.
static STARTING: RwLock<()> = RwLock::new(());

/// Starts a program.
pub(crate) fn start(command: &mut std::process::Command) -> Child {
    let _alone = STARTING.write().unwrap();
    command.spawn().unwrap()
}

/// Runs a program to its end.
pub(crate) fn output(command: &mut std::process::Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    start(command).wait_with_output().unwrap()
}

/// Asks for a target's lock.
pub(crate) fn take(state: &Path, target: &str) -> Result<TargetLock, JournalError> {
    let _quiet = STARTING.read().unwrap();
    TargetLock::take(state, target)
}

/// A folder for journals.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn lock(&self) -> TargetLock {
        take(&self.state(), TARGET).unwrap()
    }

    pub(crate) fn create(&self) -> Journal {
        let schedule = schedule();
        let start = schedule.not_before;
        Journal::create(self.lock(), &created(), schedule, start).unwrap()
    }

    pub(crate) fn open(&self) -> Journal {
        Journal::open(self.lock(), &created().plan_digest, schedule_of).unwrap()
    }

    /// The folder of the plan's journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.state().join(TARGET).join(created().plan_digest.hex())
    }

    /// The file that holds its lines.
    pub(crate) fn lines(&self) -> PathBuf {
        self.journal().join("entries/00000000000000000000.jsonl")
    }

    /// A desk whose journal has these bytes.
    pub(crate) fn with(bytes: &[u8]) -> Self {
        let desk = Self::new();
        fs::create_dir_all(desk.lines().parent().unwrap()).unwrap();
        fs::write(desk.lines(), bytes).unwrap();
        desk
    }
}

pub(crate) fn operator() -> Operator {
    Operator::new("alice", "asked in the incident channel").unwrap()
}

pub(crate) fn notice(epoch: u64, event: Event, observed_at: Timestamp) -> Notice {
    Notice { occurrence: Occurrence { epoch, event }, observed_at, nonce: Some("1".into()), seen: None }
}

/// Tells a journal something in its own epoch; gives what is to be done.
pub(crate) fn tell(journal: &mut Journal, event: Event, at: Timestamp) -> Vec<Command> {
    journal.receive(notice(journal.state().epoch, event, at), at).unwrap().step.commands
}

/// What an honest guard says next of this state, with this weight read, and when.
pub(crate) fn next(
    schedule: &Schedule,
    state: &State,
    weight: Weight,
    now: Timestamp,
) -> Option<(Event, Timestamp)> {
    let at = now + Duration::seconds(1);
    let event = match &state.stage {
        Stage::Planned => Event::Start { readback: weight, stable: Runs::AsPlanned },
        Stage::Migrating { .. } => Event::MigrationSucceeded,
        Stage::WarmingUp { .. } => Event::HealthReport {
            successes: schedule.warmup.successes,
            slowest_ms: 1,
            runs: Runs::AsPlanned,
            readback: weight,
        },
        Stage::Applying { .. } => Event::WeightConfirmed { weight },
        Stage::Observing { window } | Stage::Monitoring { window } => {
            return Some((pass(schedule, state, weight), window.ends.max(at)));
        }
        Stage::Paused { .. } => {
            Event::Resume { operator: operator(), readback: Some(weight), series: Series::Fresh }
        }
        Stage::RollingBack { retreat } => match retreat.leg {
            Leg::Lowering { .. } => Event::WeightConfirmed { weight },
            Leg::Draining { .. } => Event::Drained { weight, connections: 0, in_flight: 0 },
        },
        Stage::Completed | Stage::RolledBack | Stage::Expired => return None,
    };
    Some((event, at))
}

/// A pass of the current window, with its counts.
pub(crate) fn pass(schedule: &Schedule, state: &State, readback: Weight) -> Event {
    let budgets = schedule.rung(state.passed).budgets.iter();
    let measured = budgets
        .map(|budget| Measured { objective: budget.id.clone(), count: Count { bad: 0, total: 100_000 } })
        .collect();
    Event::WindowVerdict { window: state.windows, measured, readback }
}

/// A journal run to its end by an honest guard; gives its bytes and the states after each line.
pub(crate) fn completed(desk: &Desk) -> (Vec<u8>, Vec<State>) {
    let mut journal = desk.create();
    let mut driver = crate::driver::Driver::new();
    let mut states = vec![journal.state().clone()];
    let mut now = journal.schedule().not_before;
    while let Some((event, at)) = next(journal.schedule(), journal.state(), driver.weight, now) {
        driver.execute(&tell(&mut journal, event, at));
        states.push(journal.state().clone());
        now = at;
    }
    assert_eq!(journal.state().stage, Stage::Completed);
    drop(journal);
    (read(&desk.lines()), states)
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
