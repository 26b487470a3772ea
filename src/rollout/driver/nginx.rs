//! nginx, by one file that it includes: `split_clients` over the two upstreams.
//!
//! In: commands with their epoch. Out: the file, replaced whole, tested by nginx and loaded; or the old
//! one back in its place and nothing loaded. What is in force nginx itself says at the read-back
//! location, which returns a variable of the same file. One writer: a file that says anything but what
//! this driver writes for the split in force was edited, and is a conflict. nginx (open source) counts
//! no connections of an upstream: without a program that does, nobody knows what remains.
//! Spec: <https://nginx.org/en/docs/http/ngx_http_split_clients_module.html>; `rollout.md` section 5.

#![expect(clippy::disallowed_methods, reason = "this is the driver that reads and writes nginx's file")]

mod readback;
mod split;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::exec::Variables;
use super::exec::program::{Ended, Program};
use super::{Backends, DriverError, Fence, Remaining, Share, Traffic, excerpt, replace};
use crate::release::digest::ClaimedDigest;
use crate::rollout::executor::NginxSection;
use crate::rollout::machine::Weight;
use readback::Readback;
use split::{Spelling, Split};

/// So many answers in a row say the new split before the old workers are taken for gone.
const SETTLED: u32 = 5;
/// How long between them: an old worker was seen to answer for 0.1 s.
const BETWEEN: Duration = Duration::from_millis(40);

/// The traffic that one file of nginx's splits.
#[derive(Debug)]
pub struct Nginx {
    file: PathBuf,
    spelling: Spelling,
    test: Vec<String>,
    reload: Vec<String>,
    connections: Vec<String>,
    readback: Readback,
    upstreams: Backends,
    /// The slot's name, for the program that counts its connections.
    slot: String,
    plan: ClaimedDigest,
    timeout: Duration,
    fence: Fence,
}

impl Nginx {
    /// A file and its two upstreams, for one plan; `slot` is the candidate's. Each program and each
    /// reading may take `timeout`.
    ///
    /// # Errors
    /// [`DriverError::Setting`] for a name, a key or an address that can't be one.
    pub fn new(
        section: &NginxSection,
        upstreams: Backends,
        slot: &str,
        plan: ClaimedDigest,
        timeout: Duration,
    ) -> Result<Self, DriverError> {
        split::upstream(&upstreams.stable)?;
        split::upstream(&upstreams.candidate)?;
        let or = |given: &[String], usual: &[&str]| match given {
            [] => usual.iter().map(|word| (*word).to_owned()).collect(),
            given => given.to_vec(),
        };
        Ok(Self {
            file: PathBuf::from(&section.file),
            spelling: Spelling::new(section)?,
            test: or(&section.test, &["nginx", "-t"]),
            reload: or(&section.reload, &["nginx", "-s", "reload"]),
            connections: section.connections.clone(),
            readback: Readback::new(&section.readback, timeout)?,
            upstreams,
            slot: slot.to_owned(),
            plan,
            timeout,
            fence: Fence::default(),
        })
    }

    /// What is in force, if the file is what this driver wrote for it.
    fn in_force(&self) -> Result<Split, DriverError> {
        let split = self.readback.read()?;
        let file = fs::read_to_string(&self.file).map_err(|source| self.lost(source))?;
        // Between a replaced file and its reload both are ours, and they differ: what is in force counts.
        let written = Split::of_file(&file).filter(|written| written.file(&self.spelling) == file);
        match written {
            Some(_) => Ok(split),
            None => Err(DriverError::Conflict { place: self.place() }),
        }
    }

    /// Writes a file, has it tested and loaded; the old one is put back where that fails.
    fn load(&self, text: &str) -> Result<(), DriverError> {
        let old = match fs::read(&self.file) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(self.lost(error)),
        };
        replace::replace(&self.file, text.as_bytes()).map_err(|error| self.lost(error))?;
        let loaded = self.run(&self.test).and_then(|_| self.run(&self.reload));
        if let Err(error) = loaded {
            let back = match &old {
                Some(old) => replace::replace(&self.file, old),
                None => replace::remove(&self.file),
            };
            // Worse than what failed: the next start of nginx would take a split that nobody tested.
            back.map_err(|error| self.lost(error))?;
            return Err(error);
        }
        Ok(())
    }

    fn run(&self, arguments: &[String]) -> Result<Ended, DriverError> {
        let variables = Variables { slot: Some(self.slot.clone()), ..Variables::default() };
        // What is wrong stands before the last line that nginx says, which is that something is.
        Program::new(arguments, &variables)?.told_by("[emerg]").output(self.timeout)
    }

    /// Waits until old workers answer no more: until then a reading may be of before. Whether it took effect
    /// is for [`Traffic::read`] to say.
    fn settle(&self, split: &Split) {
        let (began, mut same) = (Instant::now(), 0);
        while same < SETTLED && began.elapsed() < self.timeout {
            let answered = self.readback.read();
            same = if answered.is_ok_and(|now| now == *split) { same + 1 } else { 0 };
            std::thread::sleep(BETWEEN);
        }
    }

    fn lost(&self, source: std::io::Error) -> DriverError {
        DriverError::Unreachable { place: self.place(), source }
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }
}

impl Traffic for Nginx {
    fn read(&mut self) -> Result<Share, DriverError> {
        let split = self.in_force()?;
        let share = |name: &str| split.share(name);
        let (candidate, stable) = (share(&self.upstreams.candidate), share(&self.upstreams.stable));
        if candidate.is_none() || stable.is_none() {
            return Err(self.readback.answered(&split.to_string()));
        }
        let shares = candidate.zip(stable).and_then(|(candidate, stable)| Share::of(candidate, stable));
        shares.ok_or_else(|| DriverError::NoTraffic(self.upstreams.clone()))
    }

    fn fence(&mut self, epoch: u64) -> Result<(), DriverError> {
        self.fence.raise(epoch)
    }

    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError> {
        self.fence.admit(epoch)?;
        // A file that is none of ours is laid over: whatever it says, the command is what holds.
        let written = fs::read_to_string(&self.file).ok().and_then(|file| Split::of_file(&file));
        if let Some(Split { plan: Some(plan), epoch: fence, .. }) = written
            && plan == self.plan
            && fence > epoch
            // An epoch that somebody wrote there must not keep the candidate's traffic.
            && weight != Weight::ZERO
        {
            return Err(DriverError::Fenced { epoch, fence });
        }
        let split = Split {
            candidate: self.upstreams.candidate.clone(),
            stable: self.upstreams.stable.clone(),
            weight,
            epoch,
            plan: Some(self.plan.clone()),
        };
        self.load(&split.file(&self.spelling))?;
        self.settle(&split);
        Ok(())
    }

    fn remaining(&mut self) -> Result<Remaining, DriverError> {
        let Some(program) = self.connections.first().cloned() else {
            return Err(DriverError::Unsupported {
                driver: "nginx",
                what: "count what is left at a slot: `nginx.connections` is not set",
            });
        };
        let weight = self.read()?.weight();
        let said = self.run(&self.connections)?.stdout.text();
        let refuse = |_: std::num::ParseIntError| DriverError::Answer {
            place: program,
            asked: "how many connections are left".to_owned(),
            answer: excerpt(&said),
        };
        let connections = said.trim().parse().map_err(refuse)?;
        Ok(Remaining { weight, connections, in_flight: connections })
    }

    fn close_connections(&mut self) -> Result<(), DriverError> {
        Err(DriverError::Unsupported { driver: "nginx", what: "close connections to an upstream" })
    }
}

#[cfg(test)]
mod tests;
