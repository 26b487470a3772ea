//! What a signal does to a program that waits: it ends by it, and nothing is half done; a service ends well.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::example::{Example, command};

const SOON: Duration = Duration::from_secs(60);

/// A program that runs, what it says in a file; it ends with this.
struct Running {
    child: Child,
    said: tempfile::NamedTempFile,
}

impl Running {
    fn start(example: &Example, arguments: &[&str]) -> Self {
        let said = tempfile::NamedTempFile::new().unwrap();
        let mut command = command(&example.path(""));
        command.args(arguments).stdout(Stdio::null()).stderr(said.reopen().unwrap());
        Self { child: command.spawn().unwrap(), said }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.said.path()).unwrap()
    }

    /// Waits until something is so.
    #[track_caller]
    fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !so(self) {
            assert!(began.elapsed() < SOON, "never: {what}: {}", self.said());
            sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has a file open that is called so.
    fn has_open(&self, name: &str) -> bool {
        let Ok(open) = fs::read_dir(format!("/proc/{}/fd", self.child.id())) else { return false };
        open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).any(|path| path.ends_with(name))
    }

    /// Whether it has a handler for a signal: what comes before that ends it as any program.
    fn handles(&self, signal: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
    }

    fn signal(&self, name: &str) {
        let kill = std::process::Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    #[track_caller]
    fn ends(mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < SOON, "it does not end: {}", self.said());
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another writer, at work on the example's log.
fn writer(example: &Example) -> File {
    let lock = OpenOptions::new().append(true).open(example.path(".laforge/audit/lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn a_deploy_that_waits_for_the_lock_is_ended_by_the_signal_and_has_recorded_nothing() {
    for (name, signal) in [("-INT", 2), ("-TERM", 15)] {
        let example = Example::new();
        let before = example.entries();
        let held = writer(&example);
        let deploy = Running::start(&example, &["deploy", "-o", "plan.json"]);
        deploy.until("it waits for the lock", |it| it.has_open("audit/lock"));
        deploy.signal(name);
        let status = deploy.ends();
        // What shells report as 128 and the signal.
        assert_eq!((status.code(), status.signal()), (None, Some(signal)));
        drop(held);
        assert!(!example.path("plan.json").exists());
        assert_eq!(example.entries(), before);
        example.run(&["audit", "verify"]).ends_with_data();
        example.deploy(&[]).ends(0);
    }
}

#[test]
fn a_studio_that_is_interrupted_ends_well() {
    for (name, signal) in [("-INT", 2), ("-TERM", 15)] {
        let example = Example::new();
        let studio = Running::start(&example, &["studio", "--listen", "127.0.0.1:0", "--actor", "alice"]);
        studio.until("it answers", |it| it.said().contains("this link opens it") && it.handles(signal));
        studio.signal(name);
        assert_eq!(studio.ends().code(), Some(0), "{name}");
    }
}
