//! How long a breach lasts: from the scrape that shows it to weights that are frozen.
//!
//! The guard itself, in this process, over the site's real haproxy, Prometheus and log, told to pause by forty
//! breaches in a row; somebody resumes each time. *Visible* is the time of the first sample with which the
//! evaluator says breach, found afterwards in what Prometheus has; *frozen* is when the pause's line is durable
//! and the driver is fenced, so that nothing older can raise the weight any more. A report, and no limit: what
//! the time is made of depends on the machine.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use laforge::audit::{AuditLog, LogConfig, NewLog};
use laforge::key::secret::SecretKey;
use laforge::plan::members::Objective;
use laforge::policy::Caller;
use laforge::release::digest::Digest;
use laforge::rollout::driver::exec::Commands;
use laforge::rollout::driver::haproxy::Haproxy;
use laforge::rollout::driver::probe::Probe;
use laforge::rollout::driver::{Backends, DriverError, Remaining, Share, Traffic};
use laforge::rollout::executor::{CommandsSection, HaproxySection, PrometheusSection};
use laforge::rollout::guard::{Ask, Asks, Assignment, Guard, LogBook, Programs, Tools, Verb, View, Watcher};
use laforge::rollout::journal::{Created, Journal, Slots, TargetLock, Told, schedule_of, unproven_core};
use laforge::rollout::machine::{Event, Operator, Outcome, Schedule, Stage, State, Weight, Window};
use laforge::rollout::metrics::prometheus::Prometheus;
use laforge::rollout::metrics::{Counted, Metrics, MetricsError};
use laforge::rollout::objective::{Instance, Look, Side, Sight, Watched, look};
use laforge::time::Timestamp;
use serde_json::{Value, json};

use super::super::parts::tell;
use super::site as at;
use super::site::Site;

/// How many breaches.
const BREACHES: u32 = 40;
/// How often the guard looks at a window where a scrape takes a second: the least that a breach may have to
/// wait for, on average half of it.
const LOOKS_EVERY: f64 = 250.0;

/// Times noted by what the guard works with.
#[derive(Clone, Default)]
struct Times {
    /// Each question to the metrics: as of when, and when it began and ended.
    asked: Arc<Mutex<Vec<(Timestamp, Timestamp, Timestamp)>>>,
    /// Each fence that the driver took.
    fenced: Arc<Mutex<Vec<(u64, Timestamp)>>>,
}

struct Timed<T> {
    inner: T,
    times: Times,
}

impl Metrics for Timed<Prometheus> {
    fn counters(
        &mut self,
        objective: &Objective,
        counted: &Counted,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Instance>, MetricsError> {
        let began = Utc::now();
        let result = self.inner.counters(objective, counted, from, until);
        self.times.asked.lock().unwrap().push((until, began, Utc::now()));
        result
    }

    fn interval(&self) -> TimeDelta {
        self.inner.interval()
    }
}

impl Traffic for Timed<Haproxy> {
    fn read(&mut self) -> Result<Share, DriverError> {
        self.inner.read()
    }

    fn fence(&mut self, epoch: u64) -> Result<(), DriverError> {
        let result = self.inner.fence(epoch);
        self.times.fenced.lock().unwrap().push((epoch, Utc::now()));
        result
    }

    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError> {
        self.inner.set(weight, epoch)
    }

    fn remaining(&mut self) -> Result<Remaining, DriverError> {
        self.inner.remaining()
    }

    fn close_connections(&mut self) -> Result<(), DriverError> {
        self.inner.close_connections()
    }
}

/// A line of the journal, as it became durable.
struct Line {
    decided: Timestamp,
    durable: Timestamp,
    breaches: bool,
    after: State,
}

struct Lines(Sender<Line>);

impl Watcher for Lines {
    fn told(&mut self, decided: Timestamp, told: &Told, event: &Event, _: &Look) {
        let breaches = matches!((event, told.step.outcome), (Event::Breach { .. }, Outcome::Applied(_)));
        let line = Line { decided, durable: Utc::now(), breaches, after: told.step.next.clone() };
        // The test may have ended.
        let _ = self.0.send(line);
    }

    fn trouble(&mut self, what: &str) {
        tell(&format!("trouble: {what}\n"));
    }

    fn view(&mut self, _: &View) {}
}

/// One breach: where it was seen, and when what was done.
struct Breach {
    window: Window,
    id: u64,
    passed: usize,
    decided: Timestamp,
    durable: Timestamp,
    epoch: u64,
}

/// The plan, and the guard over it in a thread.
struct Guarded {
    lines: Receiver<Line>,
    asks: Asks,
    schedule: Schedule,
    objective: Objective,
    counted: Counted,
    times: Times,
}

fn guarded(site: &Site) -> Guarded {
    let envelope = fs::read(site.path().join("plan.json")).unwrap();
    let plan = serde_json::from_slice::<Value>(&envelope).unwrap()["plan"].take();
    let digest = Digest::of_value(&plan);
    let core = unproven_core(&envelope).unwrap();
    let slots = Slots { stable: "blue".to_owned(), candidate: "green".to_owned() };
    let lock = TargetLock::take(&site.path().join("rollouts"), &core.target).unwrap();
    let schedule = schedule_of(&envelope).unwrap();
    let created =
        Created { envelope, plan_digest: digest.claim(), target: core.target.clone(), slots: slots.clone() };
    let journal = Journal::create(lock, &created, schedule.clone(), Utc::now()).unwrap();
    let asks = Asks::of(journal.path());
    let assignment = Assignment { core, plan: digest, slots, elsewhere: None };
    let objective = assignment.objectives(["error-budget"].into_iter()).remove(0);
    let counted = assignment.sides(&Default::default()).candidate;
    let times = Times::default();
    let tools = tools(site, &assignment, &times);
    let (tell, lines) = channel();
    thread::spawn(move || {
        let mut watcher = Lines(tell);
        // It ends with the test's namespace.
        let _ = Guard::new(assignment, journal, tools, Utc::now, &mut watcher).run();
    });
    Guarded { lines, asks, schedule, objective, counted, times }
}

fn tools(site: &Site, assignment: &Assignment, times: &Times) -> Tools {
    let here = |name: &str| site.path().join(name).display().to_string();
    let haproxy = HaproxySection { socket: here("admin.sock"), backend: "app".to_owned(), state_file: None };
    let servers = Backends { stable: "blue".to_owned(), candidate: "green".to_owned() };
    let within = Duration::from_secs(5);
    let section: CommandsSection =
        serde_json::from_value(json!({"start": [here("start")], "stop": [here("stop")]})).unwrap();
    let runs = ["blue", "green"]
        .map(|slot| (slot.to_owned(), vec!["cat".to_owned(), here(&format!("{slot}.digest"))]));
    Tools {
        traffic: Box::new(Timed {
            inner: Haproxy::new(&haproxy, servers, within).unwrap(),
            times: times.clone(),
        }),
        programs: Programs {
            commands: Commands::new(&section, within),
            variables: assignment.variables(),
            runs: runs.into_iter().collect(),
            timeout: within,
        },
        probe: Probe::new("http://127.0.0.1:8082", "/readyz", within).unwrap(),
        metrics: Box::new(Timed { inner: prometheus(), times: times.clone() }),
        book: Box::new(book(site)),
    }
}

fn prometheus() -> Prometheus {
    let section: PrometheusSection =
        serde_json::from_value(json!({"url": "http://127.0.0.1:9090", "scrapeSeconds": 1})).unwrap();
    Prometheus::new(&section).unwrap()
}

/// A log of the test's own.
fn book(site: &Site) -> LogBook {
    let (folder, caller) = (site.path().join("own-log"), Caller::unknown());
    let key = || SecretKey::from_ed25519_seed(&[42; 32]).unwrap();
    let now = Utc::now();
    AuditLog::create(&NewLog::new(&folder, "gitops.example.com/payments/own", &caller), &key(), now).unwrap();
    let log = AuditLog::open(LogConfig::new(&folder, Some(key())), now).unwrap();
    LogBook { log: Some(log), caller, clock: Utc::now }
}

impl Guarded {
    /// Waits for a line behind which something holds.
    #[track_caller]
    fn until(&self, holds: impl Fn(&Line) -> bool) -> Line {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).unwrap();
            if holds(&line) {
                return line;
            }
        }
    }

    /// One breach after the other, each in a window of its own.
    fn breaches(&self, site: &Site) -> Vec<Breach> {
        let breach = |turn: u32| {
            let opened = self.until(|line| matches!(line.after.stage, Stage::Observing { .. }));
            let window = *opened.after.stage.window().unwrap();
            sleep((window.opens - Utc::now()).to_std().unwrap_or_default());
            // At another place between two scrapes each time.
            sleep(Duration::from_millis(1300 + u64::from(turn * 377 % 1000)));
            site.candidate("errors=1");
            let paused = self.until(|line| line.breaches);
            site.candidate("errors=0");
            let State { windows, passed, epoch, .. } = paused.after;
            let operator = Operator::new("alice", "the next breach").unwrap();
            let nonce = format!("breach-{turn}");
            self.asks.leave(&Ask { verb: Verb::Resume, operator, epoch, nonce }).unwrap();
            let Line { decided, durable, .. } = paused;
            Breach { window, id: windows, passed, decided, durable, epoch }
        };
        (0..BREACHES).map(breach).collect()
    }

    /// The parts of each breach's time, in milliseconds: until it is asked for, the query, the decision, the
    /// line, the fence, and all of it.
    fn parts(&self, breaches: &[Breach]) -> Vec<[f64; 6]> {
        let (from, until) = (breaches[0].window.opens - TimeDelta::seconds(5), Utc::now());
        let series = prometheus().counters(&self.objective, &self.counted, from, until).unwrap();
        breaches.iter().map(|breach| self.parts_of(breach, &series)).collect()
    }

    fn parts_of(&self, breach: &Breach, series: &[Instance]) -> [f64; 6] {
        let visible = self.visible(breach, series);
        let asked = self.times.asked.lock().unwrap();
        let before = asked.iter().filter(|(.., ended)| *ended <= breach.decided);
        let (as_of, ..) = before.clone().max_by_key(|(as_of, ..)| *as_of).unwrap();
        let of_look: Vec<_> = before.filter(|(of, ..)| of == as_of).collect();
        let began = of_look.iter().map(|(_, began, _)| *began).min().unwrap();
        let ended = of_look.iter().map(|(.., ended)| *ended).max().unwrap();
        let fenced = self.times.fenced.lock().unwrap();
        let (_, fenced) = fenced.iter().find(|(epoch, _)| *epoch == breach.epoch).unwrap();
        let frozen = breach.durable.max(*fenced);
        let ms = |from: Timestamp, to: Timestamp| (to - from).num_microseconds().unwrap() as f64 / 1000.0;
        [
            ms(visible, began),
            ms(began, ended),
            ms(ended, breach.decided),
            ms(breach.decided, breach.durable),
            ms(breach.durable, frozen),
            ms(visible, frozen),
        ]
    }

    /// When the first sample was taken with which the window is breached.
    fn visible(&self, breach: &Breach, series: &[Instance]) -> Timestamp {
        let budgets = self.schedule.rung(breach.passed).budgets.iter();
        let budget = budgets.into_iter().find(|budget| budget.id == "error-budget").unwrap();
        let seen_at = |at: Timestamp| {
            let until: Vec<Instance> = series
                .iter()
                .map(|instance| Instance {
                    samples: instance.samples.iter().filter(|sample| sample.at <= at).cloned().collect(),
                    ..instance.clone()
                })
                .collect();
            let sight = Sight {
                window: &breach.window,
                id: breach.id,
                now: at,
                interval: TimeDelta::seconds(1),
                missing_after: TimeDelta::seconds(45),
                readback: Weight::new(20).unwrap(),
            };
            let sides = (Side { instances: &until }, Side { instances: &[] });
            let watched = Watched { budget, candidate: sides.0, stable: sides.1 };
            matches!(look(&sight, &[watched]).event, Some(Event::Breach { .. }))
        };
        let mut samples: Vec<Timestamp> =
            series.iter().flat_map(|instance| instance.samples.iter().map(|sample| sample.at)).collect();
        samples.sort();
        let inside = |at: &Timestamp| *at >= breach.window.opens && *at <= breach.decided;
        samples.into_iter().filter(inside).find(|at| seen_at(*at)).unwrap()
    }
}

#[test]
fn a_breach_that_shows_in_the_metrics_freezes_the_weights() {
    let rollout = "  windowSeconds: 600\n  pauseDeadlineSeconds: 600";
    at("latency::a_breach_that_shows_in_the_metrics_freezes_the_weights", rollout, |site| {
        // The executor's programs write where they are run.
        std::env::set_current_dir(site.path()).unwrap();
        let load = site.load(Duration::from_secs(30 + 7 * u64::from(BREACHES)));
        let guarded = guarded(&site);
        let breaches = guarded.breaches(&site);
        let parts = guarded.parts(&breaches);
        assert_eq!(parts.len(), BREACHES as usize);
        // Nothing is decided before it shows.
        assert!(parts.iter().flatten().all(|ms| *ms >= 0.0), "{parts:?}");
        report(&parts);
        drop(load);
    });
}

fn report(parts: &[[f64; 6]]) {
    let names = ["until it is asked for", "query", "decide", "line", "fence", "visible to frozen"];
    tell(&format!("{} breaches, in milliseconds{:>14}{:>9}{:>9}\n", parts.len(), "p50", "p99", "most"));
    for (place, name) in names.into_iter().enumerate() {
        let mut times: Vec<f64> = parts.iter().map(|part| part[place]).collect();
        times.sort_by(f64::total_cmp);
        let at = |permille: usize| times[(times.len() * permille).div_ceil(1000).max(1) - 1];
        tell(&format!("{name:<34}{:>9.1}{:>9.1}{:>9.1}\n", at(500), at(990), at(1000)));
        if place == names.len() - 1 {
            let (p50, p99) = (at(500) / LOOKS_EVERY, at(990) / LOOKS_EVERY);
            tell(&format!("over one look ({LOOKS_EVERY} ms){:>20.2}{:>9.2}\n", p50, p99));
        }
    }
}
