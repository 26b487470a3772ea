//! haproxy, by its runtime socket: two weights of one backend, and nothing else of it is touched.
//!
//! In: the socket, the backend, the two servers' names; commands with their epoch. Out: what haproxy
//! says. Weights are absolute numbers: a percentage is relative to the configured weight, so that `20%`
//! of a candidate configured with 0 is 0. Errors are only text, so everything is read back. The fence
//! is in memory: the target's lock leaves one writer. haproxy has to run with `level admin` and an
//! algorithm that takes weights at run time (`roundrobin`, `leastconn`).
//! Spec: <https://docs.haproxy.org/2.6/management.html#9.3>; `rollout.md` section 5.

pub(in crate::rollout) mod socket;
pub(in crate::rollout) mod statistics;

use std::path::PathBuf;
use std::time::Duration;

use super::{Backends, DriverError, Fence, Remaining, Share, Traffic, excerpt, replace};
use crate::rollout::executor::HaproxySection;
use crate::rollout::machine::Weight;
use socket::Socket;
use statistics::Server;

/// For each exchange with the socket.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// haproxy's own bound of a weight.
const MAX_WEIGHT: u64 = 256;

/// The traffic of one haproxy backend.
#[derive(Debug)]
pub struct Haproxy {
    socket: Socket,
    backend: String,
    servers: Backends,
    state_file: Option<PathBuf>,
    /// What was set last is not in the state file.
    unsaved: bool,
    fence: Fence,
}

/// The two servers' own weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weights {
    candidate: u64,
    stable: u64,
}

impl Haproxy {
    /// A backend and its two servers, neither of which is asked for yet.
    ///
    /// # Errors
    /// [`DriverError::Setting`] for a name that haproxy's command line would read as something else.
    pub fn new(section: &HaproxySection, servers: Backends, timeout: Duration) -> Result<Self, DriverError> {
        name("the backend", &section.backend)?;
        name("a server", &servers.stable)?;
        name("a server", &servers.candidate)?;
        Ok(Self {
            socket: Socket::new(&section.socket, timeout),
            backend: section.backend.clone(),
            servers,
            state_file: section.state_file.as_ref().map(PathBuf::from),
            unsaved: false,
            fence: Fence::default(),
        })
    }

    /// Both weights.
    fn weights(&self) -> Result<Weights, DriverError> {
        let asked = [&self.servers.candidate, &self.servers.stable]
            .map(|server| format!("get weight {}", self.of(server)));
        let answer = self.socket.ask(&asked.join("; "))?;
        let mut lines = answer.lines().filter(|line| !line.is_empty());
        let mut read = |asked: &str| {
            let line = lines.next().unwrap_or_default();
            weight(line).ok_or_else(|| self.socket.answered(asked, line))
        };
        let [candidate, stable] = &asked;
        Ok(Weights { candidate: read(candidate)?, stable: read(stable)? })
    }

    /// How the backend's servers are.
    fn statistics(&self) -> Result<Vec<Server>, DriverError> {
        let asked = statistics::question(&self.backend);
        let answer = self.socket.ask(&asked)?;
        statistics::read(&self.backend, &answer).ok_or_else(|| self.socket.answered(&asked, &answer))
    }

    /// The candidate's share: a server that takes no traffic has none, whatever its weight.
    fn share(&self, weights: Weights, servers: &[Server]) -> Result<Share, DriverError> {
        let candidate = self.server(servers, &self.servers.candidate)?;
        let stable = self.server(servers, &self.servers.stable)?;
        // Said aloud: a candidate that gets nothing at 20 looks like one that nobody asks.
        if weights.candidate > 0 && !candidate.takes_traffic() {
            let asked = format!("weight {} of {}", weights.candidate, self.of(&candidate.name));
            return Err(self.socket.answered(&asked, &candidate.status));
        }
        let stable = if stable.takes_traffic() { weights.stable } else { 0 };
        match (weights.candidate, weights.stable) {
            // With nothing of its own it gets nothing, however stable is.
            (0, 1..) => Share::of(0, 1),
            (candidate, _) => Share::of(candidate, stable),
        }
        .ok_or_else(|| DriverError::NoTraffic(self.servers.clone()))
    }

    fn server<'s>(&self, servers: &'s [Server], name: &str) -> Result<&'s Server, DriverError> {
        let missing = || self.socket.answered(&statistics::question(&self.backend), &format!("no `{name}`"));
        servers.iter().find(|server| server.name == name).ok_or_else(missing)
    }

    fn of(&self, server: &str) -> String {
        format!("{}/{server}", self.backend)
    }

    /// Saves haproxy's state where it finds it after a restart.
    fn save(&mut self) -> Result<(), DriverError> {
        let Some(file) = &self.state_file else { return Ok(()) };
        let asked = "show servers state";
        let state = self.socket.ask(asked)?;
        // Its version, before all: what is no state would make haproxy forget every weight.
        if !state.starts_with("1\n# ") {
            return Err(self.socket.answered(asked, &state));
        }
        let place = || file.display().to_string();
        let saved = replace::replace(file, state.as_bytes());
        self.unsaved = saved.is_err();
        saved.map_err(|source| DriverError::Unreachable { place: place(), source })
    }
}

impl Traffic for Haproxy {
    fn read(&mut self) -> Result<Share, DriverError> {
        if self.unsaved {
            // Said when a raise asks for it; until then tried again.
            let _ = self.save();
        }
        let weights = self.weights()?;
        self.share(weights, &self.statistics()?)
    }

    fn fence(&mut self, epoch: u64) -> Result<(), DriverError> {
        self.fence.raise(epoch)
    }

    /// Where a state file can't be written, a raise is an error although the weights are set. Lowering
    /// waits for no file: it is written at a later reading.
    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError> {
        self.fence.admit(epoch)?;
        let now = self.weights()?;
        let wanted = Weights { candidate: weight.percent(), stable: 100 - weight.percent() };
        let command = |server: &str, weight: u64| format!("set server {} weight {weight}", self.of(server));
        let candidate = command(&self.servers.candidate, wanted.candidate);
        let stable = command(&self.servers.stable, wanted.stable);
        let asked = match now.candidate_goes_first(wanted) {
            true => format!("{candidate}; {stable}"),
            false => format!("{stable}; {candidate}"),
        };
        let answer = self.socket.ask(&asked)?;
        if !answer.trim().is_empty() {
            return Err(self.socket.answered(&asked, &answer));
        }
        self.unsaved = self.state_file.is_some();
        match self.save() {
            Err(_) if wanted.is_at_most(now) => Ok(()),
            saved => saved,
        }
    }

    fn remaining(&mut self) -> Result<Remaining, DriverError> {
        let (weights, servers) = (self.weights()?, self.statistics()?);
        let candidate = self.server(&servers, &self.servers.candidate)?;
        Ok(Remaining {
            weight: self.share(weights, &servers)?.weight(),
            connections: candidate.sessions,
            in_flight: candidate.sessions.saturating_add(candidate.queued),
        })
    }

    fn close_connections(&mut self) -> Result<(), DriverError> {
        let asked = format!("shutdown sessions server {}", self.of(&self.servers.candidate));
        let answer = self.socket.ask(&asked)?;
        match answer.trim().is_empty() {
            true => Ok(()),
            false => Err(self.socket.answered(&asked, &answer)),
        }
    }
}

impl Weights {
    /// Whether the candidate's weight is set before stable's. Between the two commands neither may
    /// have all of nothing (P13), nor the candidate more than before and after: with a stable of
    /// weight 1, as an unconfigured one has, a candidate raised first to 20 would get 95 %.
    fn candidate_goes_first(self, wanted: Self) -> bool {
        let between = Self { candidate: wanted.candidate, ..self };
        let is_some = between.candidate + between.stable > 0;
        is_some && (between.is_at_most(self) || between.is_at_most(wanted))
    }

    /// Whether the candidate's share is at most that of other weights.
    fn is_at_most(self, other: Self) -> bool {
        self.candidate * (other.candidate + other.stable) <= other.candidate * (self.candidate + self.stable)
    }
}

/// A weight as haproxy says it: `20 (initial 0)`.
fn weight(line: &str) -> Option<u64> {
    let (now, initial) = line.split_once(" (initial ")?;
    let number = |digits: &str| {
        let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|weight: &u64| plain && *weight <= MAX_WEIGHT)
    };
    number(initial.strip_suffix(')')?)?;
    number(now)
}

/// Takes a name that haproxy takes, and that ends no command.
fn name(setting: &'static str, name: &str) -> Result<(), DriverError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte);
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(()),
        false => Err(DriverError::Setting {
            setting,
            value: excerpt(name),
            problem: "letters, digits, `.`, `:`, `_` and `-` alone",
        }),
    }
}

#[cfg(test)]
mod tests;
