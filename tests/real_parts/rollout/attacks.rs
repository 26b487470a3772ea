//! What somebody does who has the plan file on its way, the executor's state folder, a second process or a
//! log collector, and not the gate's key: nothing is recorded that did not happen, nothing stops the guard
//! while traffic is at the candidate, and going back always works.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use laforge::json::canonical;
use laforge::release::digest::Digest;
use serde_json::{Value, json};

use super::site as at;
use super::site::Site;

/// Longer than a lowering takes, shorter than any window or deadline here.
const SOON: Duration = Duration::from_secs(15);
const LONG_WINDOW: &str = "  windowSeconds: 60\n  pauseDeadlineSeconds: 120";

/// The folder of the one journal.
fn journal(site: &Site) -> PathBuf {
    let plan = site.status()["plan"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    site.path().join("rollouts/production").join(plan)
}

/// The candidate's weight, asked of haproxy itself.
fn weight(site: &Site) -> String {
    let mut socket = UnixStream::connect(site.path().join("admin.sock")).unwrap();
    socket.write_all(b"get weight app/green\n").unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    said.split(' ').next().unwrap_or_default().to_owned()
}

fn mkfifo(path: &std::path::Path) {
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

/// Goes back, and says how long haproxy took to hear of it.
#[track_caller]
fn goes_back(site: &Site) {
    let began = Instant::now();
    site.laforge(&["rollout", "rollback", "--reason", "the dashboard is red"]);
    while weight(site) != "0" {
        assert!(began.elapsed() < SOON, "the candidate still has {}", weight(site));
        sleep(Duration::from_millis(200));
    }
}

/// A journal of a plan that no gate has signed, made of one that was completed here; gives its envelope.
fn forged(site: &Site) -> Value {
    let genuine = journal(site);
    let file = fs::read_dir(genuine.join("entries")).unwrap().next().unwrap().unwrap().path();
    let lines = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut envelope: Value =
        serde_json::from_str(lines[0]["event"]["data"]["envelope"].as_str().unwrap()).unwrap();
    envelope["plan"]["release"]["version"] = json!("6.6.6");
    let plan = Digest::of_value(&envelope["plan"]).to_string();
    envelope["planDigest"] = json!(plan);
    lines[0]["event"]["data"]["envelope"] = json!(String::from_utf8(canonical(&envelope)).unwrap());
    let (mut written, mut last) = (Vec::new(), None::<String>);
    for mut line in lines {
        if let Some(last) = &last {
            line["prev"] = json!(last);
        }
        let event = line["event"].as_object_mut().unwrap();
        event.insert("planDigest".to_owned(), json!(plan));
        event.remove("eventId");
        let id = Digest::of_value(&Value::Object(event.clone())).to_string();
        event.insert("eventId".to_owned(), json!(id));
        let bytes = canonical(&line);
        last = Some(Digest::of_bytes(&[b"\0".as_slice(), &bytes].concat()).to_string());
        written.extend(bytes);
        written.push(b'\n');
    }
    let entries = genuine.with_file_name(plan.trim_start_matches("sha256:")).join("entries");
    let made =
        Command::new("sh").args(["-c", "umask 077 && mkdir -p \"$0\""]).arg(&entries).status().unwrap();
    assert!(made.success());
    fs::write(entries.join(file.file_name().unwrap()), written).unwrap();
    envelope
}

/// What an ended journal implies is appended for a proven plan alone: a journal is not signed, and the
/// executor's own key must not sign that a release was rolled out which nobody ever allowed.
#[test]
fn a_plan_that_no_gate_signed_is_never_recorded_as_rolled_out() {
    at("attacks::a_plan_that_no_gate_signed_is_never_recorded_as_rolled_out", "", |site| {
        let load = site.load(Duration::from_secs(45));
        site.guard().ends(0);
        let before = site.entries();
        let envelope = forged(&site);
        fs::write(site.path().join("forged.json"), canonical(&envelope)).unwrap();
        let said = site.laforge(&["rollout", "run", "forged.json"]);
        assert_eq!(said.code, 13, "{}{}", said.stdout, said.stderr);
        assert_eq!(site.entries(), before, "the log holds what never happened");
        drop(load);
    });
}

/// The view is written by the deciding thread: a pipe of its name must not stop the guard.
#[test]
fn a_pipe_in_the_place_of_the_view_stops_no_guard() {
    at("attacks::a_pipe_in_the_place_of_the_view_stops_no_guard", LONG_WINDOW, |site| {
        let _guard = site.guard();
        site.wait_for("Observing");
        let folder = journal(&site);
        mkfifo(&folder.join("pipe"));
        fs::rename(folder.join("pipe"), folder.join(".view.json")).unwrap();
        sleep(Duration::from_secs(3));
        goes_back(&site);
    });
}

/// The same name as a link: the guard, who may be root, overwrites what it leads to.
#[test]
fn a_link_in_the_place_of_the_view_is_not_followed() {
    at("attacks::a_link_in_the_place_of_the_view_is_not_followed", LONG_WINDOW, |site| {
        let _guard = site.guard();
        site.wait_for("Observing");
        let precious = site.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let folder = journal(&site);
        let link = Command::new("ln").args(["-sfT"]).arg(&precious).arg(folder.join(".view.json")).status();
        assert!(link.unwrap().success());
        sleep(Duration::from_secs(3));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    });
}

/// `status` shows the view where its length fits, and the view is anybody's who may write beside the journal.
#[test]
fn status_says_what_the_journal_says_and_not_the_view() {
    at("attacks::status_says_what_the_journal_says_and_not_the_view", LONG_WINDOW, |site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        let file = journal(&site).join("view.json");
        let mut view: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        view["length"] = json!(site.history().len());
        view["state"] = json!({
            "actual": 0, "epoch": 9, "passed": 0, "stage": {"name": "RolledBack"}, "target": 0, "windows": 1,
        });
        fs::write(&file, view.to_string()).unwrap();
        let said = site.laforge(&["rollout", "status"]).ends(0).stdout;
        assert!(said.contains("Observing") && !said.contains("RolledBack"), "{said}");
        // And a pipe in its place is no reason to wait.
        fs::remove_file(&file).unwrap();
        mkfifo(&file);
        let said = Command::new("timeout")
            .args(["10", env!("CARGO_BIN_EXE_laforge"), "rollout", "status"])
            .current_dir(site.path())
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    });
}

/// Whoever takes the guard's lines may stop taking them: a collector that hangs, a terminal under Ctrl-S. A
/// line is told between the journal and its effect, so a rollback is journaled, answered with 0 and not done.
#[test]
fn a_full_pipe_behind_stderr_stops_no_guard() {
    at("attacks::a_full_pipe_behind_stderr_stops_no_guard", LONG_WINDOW, |site| {
        mkfifo(&site.path().join("collector"));
        // It holds the pipe open and reads nothing of it; 60 KiB of others' lines are in it already.
        let script = "exec 3<>collector; head -c 65000 /dev/zero >&3; \
                      exec \"$0\" rollout run plan.json 2>&3 > /dev/null";
        let mut guard = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_laforge")])
            .current_dir(site.path())
            .env("XDG_CACHE_HOME", site.path().join(".cache"))
            .env("USER", "alice")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        site.wait_for("Observing");
        let fill = "exec 3<>collector; timeout 2 cat /dev/zero >&3";
        let _ = Command::new("sh").args(["-c", fill]).current_dir(site.path()).status();
        assert_eq!(weight(&site), "20");
        goes_back(&site);
        let _ = guard.kill();
        let _ = guard.wait();
    });
}

/// A guard that is gone, a gate whose key was stolen: of all plans, this is the one to take back.
#[test]
fn a_rollback_needs_no_gate_that_is_still_pinned() {
    at("attacks::a_rollback_needs_no_gate_that_is_still_pinned", LONG_WINDOW, |site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        let trust = site.wrote("trust.yaml");
        let unpinned = trust.split("\ngates:").next().unwrap().to_owned() + "\n";
        fs::write(site.path().join("trust.yaml"), unpinned).unwrap();
        goes_back(&site);
    });
}

/// Lowering never waits for the log: not for its key, nor for a log that is whole.
#[test]
fn a_rollback_without_a_guard_waits_for_no_log() {
    at("attacks::a_rollback_without_a_guard_waits_for_no_log", LONG_WINDOW, |site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        let key = site.path().join(".laforge/audit.key");
        fs::rename(&key, site.path().join("elsewhere")).unwrap();
        goes_back(&site);
    });
}

/// Whoever looks takes no lock: two of them would take each other for a guard, and so would whoever asks for
/// a rollback meanwhile, who then waits for an answer that nobody gives.
#[test]
fn somebody_who_looks_is_no_guard() {
    at("attacks::somebody_who_looks_is_no_guard", LONG_WINDOW, |site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        guard.kill();
        // A guard that has not shown itself for 5 s is none.
        sleep(Duration::from_secs(6));
        let looking = "end=$(($(date +%s) + 25)); while [ $(date +%s) -lt $end ]; do \
                       \"$0\" rollout status -o json; done";
        let looks = || {
            let mut command = Command::new("sh");
            command.args(["-c", looking, env!("CARGO_BIN_EXE_laforge")]).current_dir(site.path());
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        };
        let said = [looks(), looks(), looks()].map(|child| child.wait_with_output().unwrap().stdout);
        let guarded =
            said.iter().map(|text| String::from_utf8_lossy(text).matches("\"guarded\":true").count());
        assert_eq!(guarded.sum::<usize>(), 0, "nobody guards");
    });
}

/// Prometheus stands still; a resume waits for what it says, and a rollback must not wait for the resume.
#[test]
fn a_resume_that_waits_for_metrics_is_in_no_rollbacks_way() {
    at(
        "attacks::a_resume_that_waits_for_metrics_is_in_no_rollbacks_way",
        "  windowSeconds: 240\n  pauseDeadlineSeconds: 120",
        |site| {
            let _load = site.load(Duration::from_secs(150));
            let _guard = site.guard();
            site.wait_for("Observing");
            site.prometheus.signal("-STOP");
            // Three counts of 40 s each: every query runs into its time.
            let began = Instant::now();
            while !site.causes().contains(&"missing".to_owned()) {
                assert!(began.elapsed() < Duration::from_secs(200), "never missing: {}", site.status());
                sleep(Duration::from_secs(1));
            }
            let mut resume = Command::new(env!("CARGO_BIN_EXE_laforge"))
                .args(["rollout", "resume", "--reason", "they are back"])
                .current_dir(site.path())
                .env("USER", "bob")
                .spawn()
                .unwrap();
            sleep(Duration::from_secs(2));
            goes_back(&site);
            let _ = resume.kill();
            let _ = resume.wait();
        },
    );
}

/// The log says that a rollout began here and not that it ended, and its journal is gone: its candidate, on
/// trial with all traffic, would be the next plan's stable.
#[test]
fn no_plan_begins_while_the_log_knows_of_another_that_is_not_over() {
    let test = "attacks::no_plan_begins_while_the_log_knows_of_another_that_is_not_over";
    at(test, "  monitor: {windowSeconds: 60, maxExtensions: 1}", |site| {
        let load = site.load(Duration::from_secs(45));
        let mut guard = site.guard();
        site.wait_for("Monitoring");
        guard.kill();
        fs::rename(journal(&site), site.path().join("gone")).unwrap();
        site.laforge(&["deploy", "--ttl", "3h", "-o", "next.json"]).ends(0);
        let said = site.laforge(&["rollout", "run", "next.json"]);
        assert_eq!(said.code, 13, "{}{}", said.stdout, said.stderr);
        assert_eq!(site.entries(), ["rollout.started"]);
        drop(load);
    });
}

/// A request is a file; a link to one that never ends (`/proc/kmsg` is a regular file of 0 bytes) is none.
#[test]
fn a_request_that_is_a_link_stops_no_guard() {
    at("attacks::a_request_that_is_a_link_stops_no_guard", LONG_WINDOW, |site| {
        let _guard = site.guard();
        site.wait_for("Observing");
        let requests = journal(&site).join("requests");
        fs::create_dir_all(&requests).unwrap();
        let link = Command::new("ln").args(["-s", "/proc/kmsg"]).arg(requests.join("aa.json")).status();
        assert!(link.unwrap().success());
        sleep(Duration::from_secs(2));
        goes_back(&site);
    });
}

/// The guard takes 64 KiB and no more, and whoever asks is told that the request stays.
#[test]
fn a_request_that_is_too_long_is_refused_by_whoever_makes_it() {
    at("attacks::a_request_that_is_too_long_is_refused_by_whoever_makes_it", LONG_WINDOW, |site| {
        let _guard = site.guard();
        site.wait_for("Observing");
        let said = site.laforge(&["rollout", "pause", "--reason", &"x".repeat(120_000)]);
        assert_eq!(said.code, 2, "left for the guard, it is put aside and never answered: {}", said.stderr);
    });
}
