//! The haproxy driver and haproxy's own counters, on the real haproxy before two services.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use chrono::Utc;
use laforge::plan::members::{FastBurn, Objective};
use laforge::plan::objectives::{ErrorBudget, LatencyBudget, error_metric, latency_metric};
use laforge::rollout::driver::haproxy::Haproxy;
use laforge::rollout::driver::{Backends, DriverError, Remaining, Traffic as _};
use laforge::rollout::executor::{HaproxySection, Slot};
use laforge::rollout::machine::Weight;
use laforge::rollout::metrics::haproxy::HaproxyCounters;
use laforge::rollout::metrics::{Counted, Metrics as _};
use laforge::rollout::objective::{Count, Instance, Scraped};
use tempfile::TempDir;

use super::namespace::beside;
use super::parts::tell;
use super::server::Server;
use super::service::{Load, Service, ask};

/// Where haproxy serves, and the two services behind it.
const PORT: u16 = 8080;
const BLUE: u16 = 8081;
const GREEN: u16 = 8082;
/// The servers as an operator configures them: forgetting is safe.
const SERVERS: &str = "server blue 127.0.0.1:8081 weight 100\n  server green 127.0.0.1:8082 weight 0";

/// A haproxy and the two services behind it.
struct Front {
    folder: TempDir,
    server: Server,
    blue: Service,
    green: Service,
}

impl Front {
    /// haproxy with these lines in its `global` section and in its backend.
    fn start(global: &str, backend: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (blue, green) = (Service::start(BLUE, "blue"), Service::start(GREEN, "green"));
        let here = folder.path().display().to_string();
        let text = format!(
            "global\n  stats socket {here}/admin.sock mode 600 level admin\n  stats socket {here}/user.sock mode 600 level \
             user\n  {global}\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 20s\n  timeout server 20s\n  \
             retries 2\n  option redispatch\n  load-server-state-from-file global\nfrontend front\n  bind 127.0.0.1:{PORT}\n  \
             default_backend app\nbackend app\n  balance roundrobin\n  {backend}\n"
        );
        fs::write(folder.path().join("haproxy.cfg"), text.replace("HERE", &here)).unwrap();
        let server = run(folder.path());
        Self { folder, server, blue, green }
    }

    fn section(&self, socket: &str) -> HaproxySection {
        HaproxySection {
            socket: self.folder.path().join(socket).display().to_string(),
            backend: "app".to_owned(),
            state_file: None,
        }
    }

    fn driver(&self) -> Haproxy {
        driver(&self.section("admin.sock"))
    }

    fn restart(&mut self) {
        self.server.end();
        self.server = run(self.folder.path());
    }

    /// What haproxy says to a line.
    fn say(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.path().join("admin.sock")).unwrap();
        writeln!(stream, "{line}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn run(folder: &Path) -> Server {
    let socket = folder.join("admin.sock");
    Server::start(folder, "haproxy", &["-db", "-f", "haproxy.cfg"], || UnixStream::connect(&socket).is_ok())
}

fn driver(section: &HaproxySection) -> Haproxy {
    let servers = Backends { stable: "blue".to_owned(), candidate: "green".to_owned() };
    Haproxy::new(section, servers, Duration::from_secs(1)).unwrap()
}

fn weight(percent: u64) -> Weight {
    Weight::new(percent).unwrap()
}

#[track_caller]
fn reads(driver: &mut Haproxy, percent: u64) {
    assert_eq!(driver.read().unwrap().weight(), weight(percent));
}

/// The error with what it comes of, as a person is told.
fn said<T: std::fmt::Debug>(result: Result<T, DriverError>) -> String {
    let error = result.unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn splits_requests_as_commanded_to_a_single_one() {
    beside(&["haproxy"], "haproxy::splits_requests_as_commanded_to_a_single_one", || {
        let front = Front::start("", SERVERS);
        let mut driver = front.driver();
        reads(&mut driver, 0);
        for percent in [20, 80, 100, 0, 1, 0] {
            driver.set(weight(percent), 1).unwrap();
            reads(&mut driver, percent);
            let load = Load::of(PORT, 1000);
            tell(&format!("haproxy at {percent}: green {} of 1000\n", load.by("green")));
            // Round robin: whole rounds, but where the first one begins and the last one ends. At both ends none.
            let bound = if percent % 100 == 0 { 0 } else { 1 };
            assert!(load.by("green").abs_diff(percent * 10) <= bound);
            assert_eq!((load.by("green") + load.by("blue"), load.lost()), (1000, 0));
        }
    });
}

#[test]
fn shifts_under_load_lose_nothing_and_never_leave_both_without() {
    beside(&["haproxy"], "haproxy::shifts_under_load_lose_nothing_and_never_leave_both_without", || {
        let front = Front::start("", SERVERS);
        let (mut driver, shifts) = (front.driver(), AtomicBool::new(true));
        let looked = scope(|scope| {
            let load = scope.spawn(|| Load::steady(PORT, 300, Duration::from_secs(4)));
            let looks = scope.spawn(|| {
                let mut looks = Vec::new();
                while shifts.load(Ordering::Relaxed) {
                    let weights = front.say("get weight app/green; get weight app/blue");
                    let numbers =
                        weights.lines().filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
                    looks.push(numbers.collect::<Vec<_>>());
                }
                looks
            });
            for percent in [20, 80, 100, 0].into_iter().cycle().take(20) {
                driver.set(weight(percent), 1).unwrap();
                reads(&mut driver, percent);
                sleep(Duration::from_millis(150));
            }
            shifts.store(false, Ordering::Relaxed);
            let load = load.join().unwrap();
            tell(&format!(
                "haproxy, 20 shifts: {} requests, {} lost, green {}\n",
                load.sent,
                load.lost(),
                load.by("green")
            ));
            assert_eq!((load.sent, load.lost(), load.failures), (1200, 0, Vec::new()));
            looks.join().unwrap()
        });
        let without = looked.iter().filter(|weights| weights.as_slice() == [0, 0]).count();
        tell(&format!("haproxy, 20 shifts: both at 0 in {without} of {} looks\n", looked.len()));
        assert!(without == 0 && looked.len() > 100);
    });
}

#[test]
fn a_restart_forgets_the_weights_unless_its_state_was_saved() {
    beside(&["haproxy"], "haproxy::a_restart_forgets_the_weights_unless_its_state_was_saved", || {
        let mut front = Front::start("server-state-file HERE/state", SERVERS);
        let mut plain = front.driver();
        plain.set(weight(20), 1).unwrap();
        reads(&mut plain, 20);
        front.restart();
        reads(&mut plain, 0);

        let file = front.folder.path().join("state").display().to_string();
        let mut saving = driver(&HaproxySection { state_file: Some(file), ..front.section("admin.sock") });
        saving.set(weight(20), 1).unwrap();
        front.restart();
        reads(&mut saving, 20);
        assert!(Load::of(PORT, 100).by("green").abs_diff(20) <= 1);
        saving.set(weight(0), 2).unwrap();
        front.restart();
        reads(&mut saving, 0);

        // Without a place for it a raise is an error; lowering waits for no file, which is written later.
        let nowhere = front.folder.path().join("none/state");
        let section =
            HaproxySection { state_file: Some(nowhere.display().to_string()), ..front.section("admin.sock") };
        let mut lost = driver(&section);
        assert!(said(lost.set(weight(80), 3)).contains("none/state` can't be reached: No such file"));
        reads(&mut lost, 80);
        lost.set(weight(20), 3).unwrap();
        reads(&mut lost, 20);
        fs::create_dir(nowhere.parent().unwrap()).unwrap();
        reads(&mut lost, 20);
        assert!(fs::read_to_string(nowhere).unwrap().contains(" green 127.0.0.1 2 0 20 0 "));
    });
}

#[test]
fn every_way_to_fail_says_what_haproxy_said() {
    beside(&["haproxy"], "haproxy::every_way_to_fail_says_what_haproxy_said", || {
        let front = Front::start("", SERVERS);
        let section = front.section("admin.sock");
        let of = |backend: &str, candidate: &str| {
            let servers = Backends { stable: "blue".to_owned(), candidate: candidate.to_owned() };
            let section = HaproxySection { backend: backend.to_owned(), ..section.clone() };
            Haproxy::new(&section, servers, Duration::from_secs(1)).unwrap()
        };
        for (result, words) in [
            (of("app", "grey").read().map(drop), "answered `No such server.` to `get weight app/grey`"),
            (of("web", "green").read().map(drop), "answered `No such backend.` to `get weight web/green`"),
            (of("app", "grey").set(weight(20), 1), "answered `No such server.`"),
            (
                driver(&front.section("none.sock")).read().map(drop),
                "none.sock` can't be reached: No such file",
            ),
            (
                driver(&front.section("haproxy.cfg")).read().map(drop),
                "haproxy.cfg` can't be reached: Connection",
            ),
            (driver(&front.section("user.sock")).set(weight(20), 1), "answered `Permission denied"),
            (driver(&front.section("user.sock")).close_connections(), "answered `Permission denied"),
        ] {
            let said = said(result);
            assert!(said.contains(words), "{said}");
        }
        let mut driver = front.driver();
        reads(&mut driver, 0);
        driver.fence(3).unwrap();
        assert_eq!(said(driver.set(weight(20), 2)), "a command of epoch 2 came after epoch 3");
        assert_eq!(said(driver.fence(2)), "a command of epoch 2 came after epoch 3");
        reads(&mut driver, 0);
        front.server.signal("-STOP");
        assert!(said(driver.read()).ends_with("can't be reached: timed out"));
        front.server.signal("-CONT");
        reads(&mut driver, 0);
    });
}

#[test]
fn what_takes_no_traffic_is_said_and_never_counted() {
    beside(&["haproxy"], "haproxy::what_takes_no_traffic_is_said_and_never_counted", || {
        let mut front = Front::start("", SERVERS);
        let mut driver = front.driver();
        driver.set(weight(20), 1).unwrap();
        for (state, status) in [("maint", "MAINT"), ("drain", "DRAIN")] {
            front.say(&format!("set server app/green state {state}"));
            let words = format!("answered `{status}` to `weight 20 of app/green`");
            assert!(said(driver.read()).contains(&words), "{}", said(driver.read()));
            front.say("set server app/green state ready");
        }
        reads(&mut driver, 20);
        // With stable away the candidate gets all, whatever the weights say.
        front.say("set server app/blue state maint");
        reads(&mut driver, 100);
        assert_eq!(Load::of(PORT, 50).by("green"), 50);
        // And at 0 it gets nothing: a rollback ends also where stable is down.
        driver.set(weight(0), 1).unwrap();
        reads(&mut driver, 0);
        front.say("set server app/green weight 0; set server app/blue weight 0");
        assert_eq!(said(driver.read()), "neither `blue` nor `green` has any traffic");
        // An unconfigured stable has weight 1: on the way to 20 the candidate may not get 95 %.
        front.say("set server app/blue state ready; set server app/blue weight 1");
        driver.set(weight(20), 1).unwrap();
        reads(&mut driver, 20);
        front.green.stop();
        assert_eq!(Load::of(PORT, 100).lost(), 0, "tried again at stable");
    });
}

#[test]
fn an_algorithm_that_takes_no_weights_is_refused_and_nothing_moves() {
    beside(&["haproxy"], "haproxy::an_algorithm_that_takes_no_weights_is_refused_and_nothing_moves", || {
        let front = Front::start("", &format!("balance static-rr\n  {SERVERS}"));
        let mut driver = front.driver();
        let refused = said(driver.set(weight(20), 1));
        assert!(refused.contains("static LB algorithm"), "{refused}");
        reads(&mut driver, 0);
    });
}

#[test]
fn drained_is_when_nothing_is_left_and_what_is_left_can_be_closed() {
    beside(&["haproxy"], "haproxy::drained_is_when_nothing_is_left_and_what_is_left_can_be_closed", || {
        let front = Front::start("", SERVERS);
        let mut driver = front.driver();
        driver.set(weight(100), 1).unwrap();
        front.green.behave("slow=1&latency=1500");
        let left = |connections| Remaining { weight: weight(0), connections, in_flight: connections };
        for close in [false, true] {
            driver.set(weight(100), 1).unwrap();
            scope(|scope| {
                let slow = scope.spawn(|| ask(PORT, "/"));
                sleep(Duration::from_millis(400));
                driver.set(weight(0), 1).unwrap();
                assert_eq!(driver.remaining().unwrap(), left(1));
                if close {
                    driver.close_connections().unwrap();
                    sleep(Duration::from_millis(100));
                    assert_eq!(driver.remaining().unwrap(), left(0));
                }
                let answered = slow.join().unwrap().is_ok_and(|answer| answer.status == 200);
                assert_eq!(answered, !close);
            });
            assert_eq!(driver.remaining().unwrap(), left(0));
        }
    });
}

fn objectives() -> [Objective; 2] {
    let error = ErrorBudget {
        ppm: 20_000,
        min_samples: 500,
        fast_burn: FastBurn { lookback_seconds: 60, factor: 10, min_samples: 30 },
        metric: error_metric(),
    };
    let latency = LatencyBudget {
        threshold_ms: 450,
        quantile_permille: 990,
        min_samples: 1000,
        metric: latency_metric(450),
    };
    [error.objective(), latency.objective()]
}

#[test]
fn its_counters_are_what_clients_saw() {
    beside(&["haproxy"], "haproxy::its_counters_are_what_clients_saw", || {
        let mut front = Front::start("", SERVERS);
        let slot = |name: &str| Slot {
            name: name.to_owned(),
            backend: name.to_owned(),
            probe: String::new(),
            runs: Vec::new(),
        };
        let interval = chrono::Duration::seconds(5);
        let mut metrics =
            HaproxyCounters::new(&front.section("admin.sock"), &[slot("blue"), slot("green")], interval);
        let counted = |slot: &str| Counted { slot: slot.to_owned(), digest: None, version: None };
        let [error, latency] = objectives();
        let from = Utc::now();
        let mut look = |slot: &str| -> Instance {
            let found = metrics.counters(&error, &counted(slot), from, Utc::now()).unwrap();
            <[Instance; 1]>::try_from(found).unwrap().into_iter().next().unwrap()
        };
        let grown = |instance: &Instance| instance.growth(from, Utc::now(), interval).unwrap();
        front.driver().set(weight(50), 1).unwrap();
        look("green");
        look("blue");
        front.green.behave("errors=0.1");
        let load = Load::of(PORT, 400);
        let (served, other) = (front.green.served(), front.blue.served());
        assert!(served.total.abs_diff(200) <= 1 && served.errors >= 19, "{served:?}");
        assert_eq!((served.total + other.total, load.lost()), (400, served.errors));
        let green = look("green");
        let expected = Count { bad: served.errors, total: served.total };
        assert_eq!((green.scraped, grown(&green)), (Scraped::Up, expected));
        assert_eq!(grown(&look("blue")), Count { bad: 0, total: other.total });

        // Nobody behind it: haproxy answers 503 itself, and that counts as the server's.
        front.driver().set(weight(100), 1).unwrap();
        front.green.stop();
        front.blue.stop();
        let load = Load::of(PORT, 10);
        assert_eq!(load.answers.get(&503), Some(&10));
        let (green, blue) = (grown(&look("green")), grown(&look("blue")));
        tell(&format!("haproxy, 10 requests to nobody: green {green:?}, blue {blue:?}\n"));
        assert_eq!((green.bad + blue.bad, green.total + blue.total), (served.errors + 10, 410));

        // A restart: what was counted before stays counted.
        front.restart();
        front.blue.restart();
        front.driver().set(weight(0), 1).unwrap();
        Load::of(PORT, 7);
        assert_eq!(grown(&look("blue")).total, blue.total + 7);
        let refused = metrics.counters(&latency, &counted("green"), from, Utc::now()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "haproxy can't answer the objective `latency-budget`: it has no times of single requests"
        );
        let unknown = metrics.counters(&error, &counted("grey"), from, Utc::now()).unwrap_err().to_string();
        assert!(unknown.contains("`app` has no server `grey`"), "{unknown}");
        front.server.end();
        let lost = metrics.counters(&error, &counted("green"), from, Utc::now()).unwrap_err().to_string();
        assert!(lost.contains("can't be reached: Connection refused"), "{lost}");
    });
}
