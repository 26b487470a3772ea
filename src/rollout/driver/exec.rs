//! Programs: what starts, stops, scales and migrates, and what says which digests run in a slot.
//!
//! In: arguments from the executor's own `laforge.yaml`, and the variables that a rollout knows. Out:
//! that it went well, or a [`DriverError::Program`] with the last line that it said. No shell is
//! between. A program has a process group of its own, which ends whole at its timeout; one that
//! succeeds may leave processes behind, as whatever starts a server does.
//! Spec: `rollout.md` section 5 (`exec`), `CommandsSection`.

mod output;
pub(in crate::rollout::driver) mod program;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::release::digest::ClaimedDigest;
use crate::rollout::executor::CommandsSection;

use super::{DriverError, excerpt};
use program::{Program, Running};

/// What a program finds in its environment, besides what this program has itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// `LAFORGE_SLOT`: the slot's name.
    pub slot: Option<String>,
    /// `LAFORGE_VERSION`: the version in it.
    pub version: Option<String>,
    /// `LAFORGE_DIGEST`: the digest of the first of `deploys`, `sha256:…`.
    pub digest: Option<String>,
    /// `LAFORGE_IMAGE`: its image, by digest.
    pub image: Option<String>,
    /// `LAFORGE_PLAN_DIGEST`: the plan's digest.
    pub plan_digest: Option<String>,
    /// `LAFORGE_RELEASE`: the release's name.
    pub release: Option<String>,
    /// `LAFORGE_SCALE`: percent of stable's size.
    pub scale: Option<u64>,
    /// `LAFORGE_ALARM`: why somebody has to look.
    pub alarm: Option<String>,
}

impl Variables {
    /// Each name, and what it is; none where it has to be absent, whatever surrounds us.
    fn pairs(&self) -> [(&'static str, Option<String>); 8] {
        [
            ("LAFORGE_SLOT", self.slot.clone()),
            ("LAFORGE_VERSION", self.version.clone()),
            ("LAFORGE_DIGEST", self.digest.clone()),
            ("LAFORGE_IMAGE", self.image.clone()),
            ("LAFORGE_PLAN_DIGEST", self.plan_digest.clone()),
            ("LAFORGE_RELEASE", self.release.clone()),
            ("LAFORGE_SCALE", self.scale.map(|scale| scale.to_string())),
            ("LAFORGE_ALARM", self.alarm.clone()),
        ]
    }
}

/// The programs of `commands:`; one that is not named is taken for done.
#[derive(Debug, Clone)]
pub struct Commands {
    section: CommandsSection,
    timeout: Duration,
}

impl Commands {
    /// The programs of a section, each of which may take so long.
    pub fn new(section: &CommandsSection, timeout: Duration) -> Self {
        Self { section: section.clone(), timeout }
    }

    /// Starts the candidate in its slot.
    ///
    /// # Errors
    /// [`DriverError::Program`].
    pub fn start(&self, variables: &Variables) -> Result<(), DriverError> {
        self.run(&self.section.start, variables)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DriverError::Program`].
    pub fn stop(&self, variables: &Variables) -> Result<(), DriverError> {
        self.run(&self.section.stop, variables)
    }

    /// Brings it to so many percent of stable's size.
    ///
    /// # Errors
    /// [`DriverError::Program`].
    pub fn scale(&self, percent: u64, variables: &Variables) -> Result<(), DriverError> {
        let variables = Variables { scale: Some(percent), ..variables.clone() };
        self.run(&self.section.scale, &variables)
    }

    /// Calls somebody.
    ///
    /// # Errors
    /// [`DriverError::Program`].
    pub fn alarm(&self, why: &str, variables: &Variables) -> Result<(), DriverError> {
        let variables = Variables { alarm: Some(excerpt(why)), ..variables.clone() };
        self.run(&self.section.alarm, &variables)
    }

    /// Begins a migration: the executor's arguments and then the plan's. Its timeout is the plan's, and
    /// kept by whoever polls it.
    ///
    /// # Errors
    /// [`DriverError::Program`] when it can't be started, [`DriverError::Unsupported`] where nothing
    /// says how to migrate.
    pub fn migrate(&self, plan: &[String], variables: &Variables) -> Result<Migration, DriverError> {
        if self.section.migrate.is_empty() {
            return Err(DriverError::Unsupported {
                driver: "exec",
                what: "migrate: `commands.migrate` is not set",
            });
        }
        let arguments = [self.section.migrate.as_slice(), plan].concat();
        Program::new(&arguments, variables)?.spawn().map(Migration)
    }

    fn run(&self, arguments: &[String], variables: &Variables) -> Result<(), DriverError> {
        match arguments {
            [] => Ok(()),
            arguments => Program::new(arguments, variables)?.output(self.timeout).map(drop),
        }
    }
}

/// A migration under way; it ends with its whole group when this is dropped.
#[derive(Debug)]
pub struct Migration(Running);

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It runs.
    Running,
    /// It ended with 0.
    Done,
}

impl Migration {
    /// How far it is.
    ///
    /// # Errors
    /// [`DriverError::Program`] when it ended otherwise than with 0.
    pub fn poll(&mut self) -> Result<Progress, DriverError> {
        Ok(match self.0.poll()? {
            Some(_) => Progress::Done,
            None => Progress::Running,
        })
    }

    /// Ends it with its whole group, and waits for that.
    pub fn kill(self) {
        self.0.kill();
    }
}

/// The digests that run in a slot, as a program prints them: `sha256:…`, one a line. None is none.
///
/// # Errors
/// [`DriverError::Program`], or [`DriverError::Answer`] with the first line that is no digest.
pub fn runs(
    arguments: &[String],
    variables: &Variables,
    timeout: Duration,
) -> Result<BTreeSet<ClaimedDigest>, DriverError> {
    let program = Program::new(arguments, variables)?;
    let said = program.output(timeout)?;
    let refuse = |answer: &str| DriverError::Answer {
        place: program.name().to_owned(),
        asked: "what runs there, as `sha256:…` lines".to_owned(),
        answer: excerpt(answer),
    };
    if said.stdout.is_cut() {
        return Err(refuse("more than anyone reads"));
    }
    let text = said.stdout.text();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.parse().map_err(|_| refuse(line))).collect()
}
