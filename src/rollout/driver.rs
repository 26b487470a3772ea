//! Drivers: what a rollout touches. They set, read and drain traffic, and run what a slot is made of.
//!
//! In: the machine's commands, with their epoch. Out: readings, which the guard turns into events. A
//! driver decides nothing: it drops what bears an older epoch, says what it reads, and fails aloud.
//! Spec: `rollout.md` sections 2 (fencing, P1, P13) and 5.

pub mod exec;
pub mod gateway_api;
pub mod haproxy;
pub mod nginx;
pub mod probe;
mod replace;

use std::fmt;

use crate::rollout::machine::Weight;

/// Characters of an answer that an error repeats.
const EXCERPT: usize = 200;

/// The parts that two slots play in a rollout, by the names that their executor gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backends {
    /// The version serving.
    pub stable: String,
    /// The version on trial.
    pub candidate: String,
}

/// The traffic of one target, shared between stable and candidate.
///
/// Each call ends: with an answer, or within the driver's own timeout with an error. One guard calls,
/// under the target's lock.
pub trait Traffic: Send {
    /// The candidate's share, read from what splits the traffic, never from memory.
    ///
    /// # Errors
    /// [`DriverError`]: it can't be reached, knows no such backend, or neither has a share.
    fn read(&mut self) -> Result<Share, DriverError>;

    /// From now on commands of an older epoch are dropped, also those of another guard.
    ///
    /// # Errors
    /// [`DriverError`]: it can't be written down where that is needed.
    fn fence(&mut self, epoch: u64) -> Result<(), DriverError>;

    /// Gives the candidate this share and stable the rest; at no moment have both none (P13). Whether
    /// it took effect only [`Traffic::read`] says.
    ///
    /// # Errors
    /// [`DriverError`]: refused, or of an older epoch than the last fence.
    fn set(&mut self, weight: Weight, epoch: u64) -> Result<(), DriverError>;

    /// What is left at the candidate.
    ///
    /// # Errors
    /// [`DriverError`] where that can't be known.
    fn remaining(&mut self) -> Result<Remaining, DriverError>;

    /// Closes the candidate's connections, where the driver can.
    ///
    /// # Errors
    /// [`DriverError`].
    fn close_connections(&mut self) -> Result<(), DriverError>;
}

/// The candidate's share as read: whole percents, and never rounded into 0 or 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(Weight);

impl Share {
    /// The share of `candidate` beside `stable`, both in the driver's own unit. Between two percents
    /// it is the higher, since a rollout's bound is a ceiling; a trace is 1, all but a trace 99. None
    /// where neither has any.
    pub fn of(candidate: u64, stable: u64) -> Option<Self> {
        let (candidate, sum) = (u128::from(candidate), u128::from(candidate) + u128::from(stable));
        let percent = (candidate * 100).checked_div(sum)?;
        let exact = percent * sum == candidate * 100;
        let shown = if exact { percent } else { (percent + 1).min(99) };
        Weight::new(u64::try_from(shown).ok()?).map(Self)
    }

    /// In percent.
    pub fn weight(self) -> Weight {
        self.0
    }
}

/// What is left at the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Its share.
    pub weight: Weight,
    /// Connections to it.
    pub connections: u64,
    /// Requests under way or waiting.
    pub in_flight: u64,
}

/// Why a driver could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The proxy or server can't be reached.
    #[error("`{place}` can't be reached")]
    Unreachable {
        /// The socket, file or address.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It answered, and not as it does when all is well.
    #[error("`{place}` answered `{answer}` to `{asked}`")]
    Answer {
        /// The socket, file or address.
        place: String,
        /// What it was asked.
        asked: String,
        /// What it said, cut short.
        answer: String,
    },
    /// Neither backend has a share.
    #[error("neither `{}` nor `{}` has any traffic", .0.stable, .0.candidate)]
    NoTraffic(Backends),
    /// The command is of an older epoch.
    #[error("a command of epoch {epoch} came after epoch {fence}")]
    Fenced {
        /// The command's.
        epoch: u64,
        /// The last fence's.
        fence: u64,
    },
    /// Another writer was there first.
    #[error("`{place}` was changed by another writer")]
    Conflict {
        /// The object.
        place: String,
    },
    /// A program did not start, failed, or took too long.
    #[error("`{program}` {failure}")]
    Program {
        /// The first word of its arguments.
        program: String,
        /// How.
        failure: ProgramFailure,
    },
    /// A setting with which the driver can't work.
    #[error("`{value}` can't be {setting}: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It can't be asked for here.
    #[error("the {driver} driver can't {what}")]
    Unsupported {
        /// The driver.
        driver: &'static str,
        /// What it can't.
        what: &'static str,
    },
}

/// How a program failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramFailure {
    /// It could not be started.
    NotStarted(std::io::ErrorKind),
    /// It ended with this code; the last line that it said.
    Exit {
        /// None when a signal ended it.
        code: Option<i32>,
        /// Cut short; may be empty.
        said: String,
    },
    /// It was killed after so many seconds.
    TimedOut(u64),
}

impl fmt::Display for ProgramFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(kind) => write!(out, "could not be started: {kind}"),
            Self::Exit { code: Some(code), said } if said.is_empty() => write!(out, "ended with {code}"),
            Self::Exit { code: Some(code), said } => write!(out, "ended with {code}: {said}"),
            Self::Exit { code: None, .. } => out.write_str("was killed"),
            Self::TimedOut(seconds) => write!(out, "was killed after {seconds} s"),
        }
    }
}

/// The fence of drivers that no other writer shares: the newest epoch, kept in memory.
#[derive(Debug, Clone, Copy, Default)]
struct Fence(u64);

impl Fence {
    /// Raises it.
    fn raise(&mut self, epoch: u64) -> Result<(), DriverError> {
        self.admit(epoch)?;
        self.0 = epoch;
        Ok(())
    }

    /// Refuses what is of an older epoch.
    fn admit(&self, epoch: u64) -> Result<(), DriverError> {
        match epoch < self.0 {
            true => Err(DriverError::Fenced { epoch, fence: self.0 }),
            false => Ok(()),
        }
    }
}

/// The beginning of what somebody else said, on one line.
pub(in crate::rollout) fn excerpt(text: &str) -> String {
    let printed = |c: char| if c.is_control() { ' ' } else { c };
    let mut characters = text.trim().chars().map(printed);
    let mut excerpt: String = characters.by_ref().take(EXCERPT).collect();
    if characters.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_into_none_or_all() {
        let percent = |candidate, stable| Share::of(candidate, stable).map(|share| share.weight().percent());
        assert_eq!(percent(20, 80), Some(20));
        assert_eq!(percent(51, 205), Some(20), "256ths, as haproxy has them");
        assert_eq!(percent(1, 1000), Some(1));
        assert_eq!(percent(1000, 1), Some(99));
        assert_eq!(percent(201, 800), Some(21));
        assert_eq!((percent(0, 7), percent(7, 0), percent(0, 0)), (Some(0), Some(100), None));
    }
}
