//! A rollout under a guard: a plan with short windows, its journal, a thread that guards it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use laforge::release::digest::{ClaimedDigest, Digest};
use laforge::rollout::driver::exec::{Commands, Variables};
use laforge::rollout::driver::probe::Probe;
use laforge::rollout::executor::CommandsSection;
use laforge::rollout::guard::{
    Ask, Asks, Assignment, End, Guard, GuardError, Interrupt, Programs, Tools, Verb, View, Watcher,
};
use laforge::rollout::journal::{
    Created, Journal, Reading, Slots, TargetLock, Told, missing_entries, schedule_of, unproven_core,
};
use laforge::rollout::machine::{Event, Operator};
use laforge::rollout::objective::Look;
use laforge::time::{self, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{World, until};

const PAGE: &str = include_str!("../../fixtures/vectors/plan-example.json");
const TARGET: &str = "payments-prod";

/// A plan, and a folder for its journal.
pub(crate) struct Rollout {
    folder: TempDir,
    envelope: Vec<u8>,
    plan: Digest,
    pub(crate) world: World,
}

/// A guard in a thread of its own.
pub(crate) struct Running {
    thread: JoinHandle<Result<End, GuardError>>,
    pub(crate) interrupt: Interrupt,
}

/// Somebody whom nothing is told.
struct Nobody;

impl Watcher for Nobody {
    fn told(&mut self, _: Timestamp, _: &Told, _: &Event, _: &Look) {}
    fn trouble(&mut self, _: &str) {}
    fn view(&mut self, _: &View) {}
}

impl Rollout {
    /// One whose windows last so many seconds.
    pub(crate) fn with_windows(seconds: u64) -> Self {
        let core = core(seconds);
        let plan = Digest::of_value(&core);
        let envelope = laforge::json::canonical(&json!({"plan": core, "planDigest": plan}));
        Self { folder: tempfile::tempdir().unwrap(), envelope, plan, world: World::default() }
    }

    /// The same one in another folder and another world, with these lines in its journal.
    pub(crate) fn with_lines(&self, lines: &[u8]) -> Self {
        let (envelope, plan) = (self.envelope.clone(), self.plan);
        let copy = Self { folder: tempfile::tempdir().unwrap(), envelope, plan, world: World::default() };
        fs::create_dir_all(copy.lines().parent().unwrap()).unwrap();
        fs::write(copy.lines(), lines).unwrap();
        copy
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn digest(&self) -> ClaimedDigest {
        self.plan.claim()
    }

    /// The journal's own folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.state().join(TARGET).join(self.digest().hex())
    }

    /// The file that holds its lines.
    pub(crate) fn lines(&self) -> PathBuf {
        self.path().join("entries/00000000000000000000.jsonl")
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading::open(&self.state(), TARGET, &self.digest()).unwrap()
    }

    /// The state's name.
    pub(crate) fn stage(&self) -> &'static str {
        self.reading().state().stage.name()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, stage: &str) {
        until(stage, || self.path().is_dir() && self.lines().is_file() && self.stage() == stage);
    }

    /// How often an event is journaled, and what became of it each time.
    pub(crate) fn outcomes(&self, event: &str) -> Vec<String> {
        let reading = self.reading();
        let told = reading.records().iter().filter(|record| record.event == event);
        told.map(|record| format!("{:?}", record.outcome.unwrap())).collect()
    }

    /// Asks as somebody at another terminal does; gives the request's nonce.
    pub(crate) fn ask(&self, verb: Verb, nonce: &str) {
        let operator = Operator::new("alice", "because of the test").unwrap();
        let epoch = self.reading().state().epoch;
        Asks::of(&self.path()).leave(&Ask { verb, operator, epoch, nonce: nonce.to_owned() }).unwrap();
    }

    /// A guard: the first one, or the next.
    pub(crate) fn guard(&self) -> Running {
        let lock = TargetLock::take(&self.state(), TARGET).unwrap();
        let journal = match self.lines().is_file() {
            true => Journal::open(lock, &self.digest(), schedule_of).unwrap(),
            false => {
                let created = Created {
                    envelope: self.envelope.clone(),
                    plan_digest: self.digest(),
                    target: TARGET.to_owned(),
                    slots: Slots { stable: "blue".to_owned(), candidate: "green".to_owned() },
                };
                let schedule = schedule_of(&created.envelope).unwrap();
                Journal::create(lock, &created, schedule, Utc::now()).unwrap()
            }
        };
        let assignment = Assignment {
            core: unproven_core(&self.envelope).unwrap(),
            plan: self.plan,
            slots: journal.created().slots.clone(),
            elsewhere: None,
        };
        let tools = self.tools();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut nobody = Nobody;
            let missing: Vec<_> = missing_entries(journal.implied(), &[]).into_iter().cloned().collect();
            let mut guard = Guard::new(assignment, journal, tools, Utc::now, &mut nobody);
            missing.into_iter().try_for_each(|implied| guard.owe(implied)).unwrap();
            tell.send(guard.interrupt()).unwrap();
            guard.run()
        });
        Running { thread, interrupt: told.recv().unwrap() }
    }

    fn tools(&self) -> Tools {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let note = |name: &str| vec!["touch".to_owned(), self.folder.path().join(name).display().to_string()];
        let seconds = self.world.state().stop_seconds;
        let stop = format!("sleep {seconds}; touch {}", self.folder.path().join("stop-ran").display());
        let section: CommandsSection =
            serde_json::from_value(json!({"start": note("started"), "stop": ["sh", "-c", stop]})).unwrap();
        let runs = [
            ("blue".to_owned(), words(&["echo", &digest("0")])),
            ("green".to_owned(), words(&["echo", &digest("1")])),
        ];
        Tools {
            traffic: Box::new(self.world.clone()),
            programs: Programs {
                commands: Commands::new(&section, Duration::from_secs(5)),
                variables: Variables::default(),
                runs: runs.into_iter().collect(),
                timeout: Duration::from_secs(5),
            },
            probe: Probe::new(&well(), "/readyz", Duration::from_secs(2)).unwrap(),
            metrics: Box::new(self.world.clone()),
            book: Box::new(self.world.clone()),
        }
    }

    /// Whether the candidate's stop was run.
    pub(crate) fn was_stopped(&self) -> bool {
        self.folder.path().join("stop-ran").is_file()
    }

    /// Forgets that it was.
    pub(crate) fn forget_stop(&self) {
        fs::remove_file(self.folder.path().join("stop-ran")).unwrap();
    }
}

impl Running {
    /// How it ends.
    pub(crate) fn ends(self) -> Result<End, GuardError> {
        self.thread.join().unwrap()
    }
}

/// The page's plan, valid now, with short windows and no migration.
fn core(window: u64) -> Value {
    let mut core = serde_json::from_str::<Value>(PAGE).unwrap()["value"].take();
    let now = Utc::now();
    core["target"] = TARGET.into();
    core["validity"]["notBefore"] = time::to_seconds(now - TimeDelta::hours(1)).into();
    core["validity"]["notAfter"] = time::to_seconds(now + TimeDelta::hours(1)).into();
    let phases = core["phases"].as_array_mut().unwrap();
    let migrate = phases[0].as_object_mut().unwrap();
    migrate.remove("command");
    migrate.remove("class");
    (phases[1]["periodSeconds"], phases[1]["consecutiveSuccesses"]) = (1.into(), 1.into());
    // A busy machine is no slow candidate.
    phases[1]["probeLatencyMaxMs"] = 20_000.into();
    for step in phases[2]["steps"].as_array_mut().unwrap() {
        step["settleSeconds"] = 0.into();
        if step["windowSeconds"] != 0 {
            step["windowSeconds"] = window.into();
        }
    }
    phases[3]["windowSeconds"] = window.into();
    core
}

/// A candidate that is well: the address of a small server, which ends with the test.
fn well() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 1024];
            // Who asks and goes away is no matter of the test's.
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}
