//! A server of the machine's own (haproxy, nginx, Prometheus), in a folder of the test's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to be ready.
const READY: Duration = Duration::from_secs(20);

/// A server, up until it is dropped.
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program in a folder, and waits until it is ready.
    #[track_caller]
    pub fn start(folder: &Path, program: &str, arguments: &[&str], ready: impl Fn() -> bool) -> Self {
        let log = folder.join(format!("{program}.log"));
        let said = File::create(&log).unwrap();
        let child = command(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut server = Self { child, log };
        let began = Instant::now();
        while !ready() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < READY, "{program} is not ready: {}", server.said());
            sleep(Duration::from_millis(20));
        }
        server
    }

    /// Ends it as a crash would.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// What it has said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A program of the machine, also where not every user's path leads.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}
