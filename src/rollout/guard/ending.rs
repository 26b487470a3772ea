//! How a guard ends: because somebody ends it, or with its candidate stopped.
//!
//! A candidate that was rolled back is stopped once; that this went well is noted in the rollout's folder
//! (`stopped`), since the journal takes nothing after its end. Without the note a guard that comes back stops
//! it again, if it has no traffic: by then somebody may have given the slot some.
#![expect(clippy::disallowed_methods, reason = "the note is a file")]

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rollout::driver::DriverError;
use crate::rollout::machine::{Stage, Weight};

use super::pending::Busy;
use super::workers::{ProgramOrder, Purpose, TrafficOrder, give};
use super::{Guard, GuardError};

/// The note in a rollout's folder.
const FILE: &str = "stopped";

/// Asks a guard to end, from another thread: it holds what it has, and says so.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Whether a rolled-back candidate was stopped, by the note in its rollout's folder.
pub fn is_stopped(rollout: &Path) -> bool {
    rollout.join(FILE).is_file()
}

impl Guard<'_> {
    /// Ends where somebody has asked for it. What was commanded stays, and so does the journal.
    pub(super) fn end_if_asked(&mut self) -> Result<(), GuardError> {
        if !self.interrupt.0.load(Ordering::SeqCst) {
            return Ok(());
        }
        let state = self.journal.state();
        Err(GuardError::Interrupted { stage: state.stage.name(), actual: state.actual, target: state.target })
    }

    /// Has a candidate stopped that was rolled back by a guard that was killed, once it is known to be idle.
    pub(super) fn stop_again(&mut self) {
        if !is_stopped(self.journal.path()) {
            self.pending.busy.insert(Busy::Stopping);
            let epoch = self.epoch();
            give(&self.workers.traffic, TrafficOrder::Read { purpose: Purpose::Stop, epoch });
        }
    }

    /// Stops it, or leaves it to whoever uses the slot now.
    pub(super) fn stop_idle(&mut self, read: Result<Weight, DriverError>) {
        let why = match read {
            Ok(Weight::ZERO) => {
                let epoch = self.epoch();
                return give(&self.workers.programs, ProgramOrder::Stop { epoch });
            }
            Ok(weight) => format!("it has {weight} % of the traffic now"),
            Err(error) => error.to_string(),
        };
        self.pending.busy.remove(&Busy::Stopping);
        let slot = &self.assignment.slots.candidate;
        self.watcher.trouble(&format!("`{slot}` was rolled back and is not stopped: {why}"));
    }

    /// Notes that the candidate is stopped.
    pub(super) fn stopped(&mut self) {
        if !matches!(self.stage(), Stage::RolledBack) {
            return;
        }
        let note = self.journal.path().join(FILE);
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(note);
        if let Err(error) = made.and_then(|file| file.sync_all()) {
            self.watcher.trouble(&format!("that the candidate is stopped can't be noted: {error}"));
        }
    }
}
