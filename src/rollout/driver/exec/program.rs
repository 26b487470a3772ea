//! One program: started in a process group of its own, waited for, ended with its whole group.
//!
//! In: its arguments and variables. Out: what it said, or how it failed. A process that leaves the
//! group (`setsid`) is out of reach.

#![expect(clippy::disallowed_methods, reason = "this is the driver that runs programs")]

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::Variables;
use super::output::{Output, Said};
use crate::rollout::driver::{DriverError, ProgramFailure};

/// Between being asked to end and being made to.
const GRACE: Duration = Duration::from_secs(2);
/// For the rest of what an ended program said; one that stays behind may hold its pipe for ever.
const REST: Duration = Duration::from_millis(300);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A program and what it is started with.
#[derive(Debug)]
pub(in crate::rollout::driver) struct Program<'a> {
    name: &'a str,
    arguments: &'a [String],
    variables: &'a Variables,
    marker: &'static str,
}

/// A program that was started. Dropped before its end, it is ended with its group.
#[derive(Debug)]
pub(in crate::rollout::driver) struct Running {
    name: String,
    marker: &'static str,
    child: Child,
    stdout: Output,
    stderr: Output,
    status: Option<ExitStatus>,
}

/// What a program said that ended well.
#[derive(Debug)]
pub(in crate::rollout::driver) struct Ended {
    pub(in crate::rollout::driver) stdout: Said,
}

impl<'a> Program<'a> {
    /// A program, by its arguments: the first is its name.
    pub(in crate::rollout::driver) fn new(
        arguments: &'a [String],
        variables: &'a Variables,
    ) -> Result<Self, DriverError> {
        match arguments {
            [name, arguments @ ..] if !name.is_empty() => Ok(Self { name, arguments, variables, marker: "" }),
            _ => Err(DriverError::Setting {
                setting: "a program",
                value: arguments.join(" "),
                problem: "its name is empty",
            }),
        }
    }

    /// Its name.
    pub(in crate::rollout::driver) fn name(&self) -> &str {
        self.name
    }

    /// The same, whose reason to fail is the last line that has this in it.
    pub(in crate::rollout::driver) fn told_by(self, marker: &'static str) -> Self {
        Self { marker, ..self }
    }

    /// Starts it.
    pub(in crate::rollout::driver) fn spawn(&self) -> Result<Running, DriverError> {
        let mut command = Command::new(self.name);
        command.args(self.arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in self.variables.pairs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let failed = |error: std::io::Error| self.failed(ProgramFailure::NotStarted(error.kind()));
        let mut child = command.spawn().map_err(failed)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(self.failed(ProgramFailure::NotStarted(std::io::ErrorKind::BrokenPipe)));
        };
        let (stdout, stderr) = (Output::of(stdout), Output::of(stderr));
        let (name, marker) = (self.name.to_owned(), self.marker);
        Ok(Running { name, marker, child, stdout, stderr, status: None })
    }

    /// Runs it to its end, which has to be 0, or ends it when it takes too long.
    pub(in crate::rollout::driver) fn output(&self, timeout: Duration) -> Result<Ended, DriverError> {
        let began = Instant::now();
        let mut running = self.spawn()?;
        loop {
            if let Some(ended) = running.poll()? {
                return Ok(ended);
            }
            if began.elapsed() >= timeout {
                running.kill();
                return Err(self.failed(ProgramFailure::TimedOut(timeout.as_secs())));
            }
            sleep(LOOK);
        }
    }

    fn failed(&self, failure: ProgramFailure) -> DriverError {
        DriverError::Program { program: self.name.to_owned(), failure }
    }
}

impl Running {
    /// What it said, if it ended, and ended with 0.
    pub(in crate::rollout::driver) fn poll(&mut self) -> Result<Option<Ended>, DriverError> {
        let status = match self.status {
            Some(status) => Ok(Some(status)),
            None => self.child.try_wait(),
        };
        let Ok(Some(status)) = status else { return Ok(None) };
        self.status = Some(status);
        if status.success() {
            return Ok(Some(Ended { stdout: self.stdout.within(REST) }));
        }
        let failure = ProgramFailure::Exit { code: status.code(), said: self.reason() };
        Err(DriverError::Program { program: self.name.clone(), failure })
    }

    /// The last line that it said, aloud before aside.
    fn reason(&self) -> String {
        let said = [&self.stderr, &self.stdout].map(|pipe| pipe.within(REST));
        let marked = said.iter().find_map(|said| said.last_line(self.marker));
        marked.or_else(|| said.iter().find_map(|said| said.last_line(""))).unwrap_or_default()
    }

    /// Ends it and its whole group: it is asked, and then made to.
    pub(in crate::rollout::driver) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.status.is_some() {
            return;
        }
        let group = Pid::from_child(&self.child);
        // An error means that nobody is left in the group.
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        // Looked at without being waited for: until then no other process can have this group's id.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while asked.elapsed() < GRACE && matches!(waitid(WaitId::Pid(group), look), Ok(None)) {
            sleep(LOOK);
        }
        let _ = kill_process_group(group, Signal::KILL);
        self.status = self.child.wait().ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
