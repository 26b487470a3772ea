//! A driver in memory: it executes at once, drops what bears an older epoch, and may forget.

use laforge::rollout::machine::{Command, Weight};

/// The traffic of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driver {
    pub(crate) weight: Weight,
    epoch: u64,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Self { weight: Weight::ZERO, epoch: 0 }
    }

    pub(crate) fn execute(&mut self, commands: &[Command]) {
        for command in commands {
            match command {
                Command::Fence { epoch } => self.epoch = self.epoch.max(*epoch),
                Command::SetWeight { weight, epoch, .. } if *epoch >= self.epoch => self.weight = *weight,
                _ => {}
            }
        }
    }
}
