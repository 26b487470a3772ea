//! A site on which rollouts run for real: haproxy or nginx in front of two slots, Prometheus, an executor, steady
//! load.
//!
//! Each slot is a process of the small service ([`service`]), started and stopped by the executor's own
//! programs. The release, its evidence, trust and log are those of `laforge init --example`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::repository::{Run, run};
use crate::server::Server;
use crate::service::{self, Load, ask};

use super::front::Front;

/// Where requests come in.
pub const FRONT: u16 = 8080;
/// Where the version on trial listens.
pub const CANDIDATE: u16 = 8082;
const STABLE: u16 = 8081;
/// Requests a second: a fifth of them fill a window of six seconds with more than it needs.
const RATE: u64 = 150;

const PROMETHEUS: &str = "
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: app
  static_configs: [{targets: ['127.0.0.1:8081', '127.0.0.1:8082']}]
";

/// Windows of six seconds; the budgets' floors are what a fifth of the load gives in four.
const ROLLOUT: &str = "
  deploys: [payments.tar.gz]
  trafficSteps: [20, 80, 100]
  latencyBudgetMs: 450
  latencyQuantile: 0.95
  errorBudget: 0.02
  minSamples: {error: 150, latency: 60}
  settleSeconds: 1
  windowSeconds: 6
  maxExtensions: 1
  monitor: {windowSeconds: 6, maxExtensions: 1}
  readiness: {periodSeconds: 1, consecutiveSuccesses: 2, timeoutSeconds: 20}
  pauseDeadlineSeconds: 4
  confirmWithinSeconds: 10
  drainWithinSeconds: 10
";

const EXECUTOR: &str = "
executor:
  environment: production
  state: rollouts
  DRIVER
  slots:
    blue: {probe: 'http://127.0.0.1:8081', runs: [cat, blue.digest]}
    green: {probe: 'http://127.0.0.1:8082', runs: [cat, green.digest]}
  commands: {start: [./start], stop: [./stop], migrate: [./migrate], alarm: [./alarm], timeoutSeconds: 20}
  metrics: {prometheus: {url: 'http://127.0.0.1:9090', scrapeSeconds: 1}}
";

/// A site; everything on it ends with the test's namespace.
pub struct Site {
    folder: TempDir,
    front: Server,
    pub prometheus: Server,
    _stable: Child,
}

impl Site {
    /// Serves the old version, with the whole release allowed and its plan in `plan.json`; with more members
    /// under `rollout:`, each in the place of its default.
    pub fn with(rollout: &str) -> Self {
        Self::behind(Front::Haproxy, rollout)
    }

    /// The same behind another front.
    pub fn behind(front: Front, rollout: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let made = run(laforge(at).args(["init", "--example", "."]));
        made.ends(0);
        configure(at, front, rollout);
        write(at, "prometheus.yml", PROMETHEUS);
        script(at, "start", &start());
        script(at, "stop", "kill \"$(cat \"$LAFORGE_SLOT.pid\")\"\n");
        script(at, "migrate", "echo \"$*\" >> migrated\n");
        script(at, "alarm", "echo \"$LAFORGE_ALARM\" >> alarms\n");
        write(at, "blue.digest", &format!("sha256:{}\n", "0".repeat(64)));
        let (name, value) = service::variable(STABLE, &"0".repeat(64));
        let arguments = service::arguments();
        let stable = Command::new(&arguments[0])
            .args(&arguments[1..])
            .env(name, value)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("stable answers", || ask(STABLE, "/readyz").is_ok());
        let front = front.start(at);
        let prometheus = Server::start(
            at,
            "prometheus",
            &[
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=tsdb",
                "--web.listen-address=127.0.0.1:9090",
            ],
            || ask(9090, "/-/ready").is_ok_and(|answer| answer.status == 200),
        );
        let site = Self { folder, front, prometheus, _stable: stable };
        site.laforge(&["deploy", "-o", "plan.json"]).ends(0);
        site
    }

    /// The program, run to its end.
    pub fn laforge(&self, arguments: &[&str]) -> Run {
        run(laforge(self.path()).args(arguments))
    }

    /// `rollout run plan.json`, under way.
    pub fn guard(&self) -> Guard {
        self.guard_of(&["rollout", "run", "plan.json"])
    }

    /// A guard by other arguments.
    pub fn guard_of(&self, arguments: &[&str]) -> Guard {
        let said =
            fs::OpenOptions::new().create(true).append(true).open(self.path().join("guard.log")).unwrap();
        let mut command = laforge(self.path());
        command.args(arguments).stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        Guard { child: command.spawn().unwrap(), log: self.path().join("guard.log") }
    }

    /// A load on the front until it is stopped.
    pub fn load(&self, span: Duration) -> JoinHandle<Load> {
        thread::spawn(move || Load::steady(FRONT, RATE, span))
    }

    /// Restarts haproxy as an operator would, with the weights of its file.
    pub fn restart_haproxy(&mut self) {
        self.front.end();
        self.front = Front::Haproxy.start(self.folder.path());
    }

    /// Waits until the rollout is in a state.
    #[track_caller]
    pub fn wait_for(&self, stage: &str) {
        until(&format!("it is {stage}: {}", self.status()), || {
            self.status()["state"]["stage"]["name"] == stage
        });
    }

    /// `rollout status -o json`; null while there is none.
    pub fn status(&self) -> Value {
        let said = self.laforge(&["rollout", "status", "-o", "json"]);
        serde_json::from_str(&said.stdout).unwrap_or(Value::Null)
    }

    /// The lines of the journal, as `rollout history -o jsonl` prints them.
    pub fn history(&self) -> Vec<Value> {
        let said = self.laforge(&["rollout", "history", "-o", "jsonl"]).ends(0);
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The causes of all pauses, in order.
    pub fn causes(&self) -> Vec<String> {
        let pauses = self.history().into_iter().filter_map(|line| {
            let (before, after) = (&line["stateBefore"]["stage"], &line["stateAfter"]["stage"]);
            let cause = after["pause"]["cause"].as_str()?.to_owned();
            (before["pause"]["cause"].as_str() != Some(&cause)).then_some(cause)
        });
        pauses.collect()
    }

    /// The highest weight that the candidate was read to have.
    pub fn highest(&self) -> u64 {
        self.history().iter().filter_map(|line| line["stateAfter"]["actual"].as_u64()).max().unwrap_or(0)
    }

    /// The rollout's entries of the audit log, by type.
    pub fn entries(&self) -> Vec<String> {
        let said = self.laforge(&["audit", "list", "-o", "jsonl"]).ends(0);
        let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let types = lines.filter_map(|line| line["type"].as_str().map(str::to_owned));
        types.filter(|kind| kind.starts_with("rollout.")).collect()
    }

    /// A line of a file that a program of the executor wrote; nothing where it was never called.
    pub fn wrote(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap_or_default()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Tells the candidate how to behave, once it listens.
    pub fn candidate(&self, how: &str) {
        let told = || ask(CANDIDATE, &format!("/control?{how}")).is_ok();
        until("the candidate takes it", told);
    }

    /// What the candidate has served, by its own count.
    pub fn served(&self) -> (u64, u64) {
        let said = ask(CANDIDATE, "/served").map(|answer| answer.body).unwrap_or_default();
        let of = |name: &str| {
            let (_, rest) = said.split_once(&format!("{name}: "))?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        (of("total").unwrap_or(0), of("errors").unwrap_or(0))
    }
}

/// A guard in a process of its own.
pub struct Guard {
    child: Child,
    log: PathBuf,
}

impl Guard {
    /// Its end, by its exit code.
    #[track_caller]
    pub fn ends(&mut self, code: i32) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(code), "{}", self.said());
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(150), "it does not end: {}", self.said());
            sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that comes soon.
#[track_caller]
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(90), "never: {what}");
        sleep(Duration::from_millis(40));
    }
}

fn laforge(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder.join(".cache")).env("USER", "alice");
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        command.env_remove(name);
    }
    command
}

/// Replaces `rollout:` of the example, member by member, and adds the executor.
fn configure(folder: &Path, front: Front, rollout: &str) {
    let text = fs::read_to_string(folder.join("laforge.yaml")).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("rollout:")).collect();
    let given: Vec<&str> = rollout.lines().filter_map(|line| line.split(':').next()).map(str::trim).collect();
    let defaults =
        ROLLOUT.lines().filter(|line| !given.contains(&line.split(':').next().unwrap_or("").trim()));
    let members: Vec<&str> = defaults.chain(rollout.lines()).filter(|line| !line.trim().is_empty()).collect();
    write(
        folder,
        "laforge.yaml",
        &format!(
            "{}\nrollout:\n{}\n{}",
            kept.join("\n"),
            members.join("\n"),
            EXECUTOR.replace("DRIVER", &front.section(folder))
        ),
    );
}

/// Starts the service in a slot, as the version that the plan deploys, and leaves it running.
fn start() -> String {
    let program: Vec<String> = service::arguments().iter().map(|word| format!("'{word}'")).collect();
    let (name, _) = service::variable(CANDIDATE, "");
    format!(
        "echo \"$LAFORGE_DIGEST\" > \"$LAFORGE_SLOT.digest\"\n\
         {name}=\"{CANDIDATE} ${{LAFORGE_DIGEST#sha256:}}\" setsid {} > service.log 2>&1 < /dev/null &\n\
         echo $! > \"$LAFORGE_SLOT.pid\"\n",
        program.join(" ")
    )
}

fn script(folder: &Path, name: &str, text: &str) {
    write(folder, name, &format!("#!/bin/sh\nset -eu\n{text}"));
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
