//! What a rollout is asked to be: flag over `laforge.yaml` over default (`rollout.md` section 3).
//!
//! In: [`RolloutSection`] and [`RolloutFlags`], as written. Out: [`RolloutRequest`], every budget
//! exact and every bound checked, or a [`RolloutError`] that names the flag or the place.
//! What depends on the release (`deploys`, the target's default) is checked by
//! [`RolloutRequest::check`].

mod reading;
pub mod section;
pub mod written;

use chrono::Duration;

use super::members::{MigrationClass, StrategyType};
use super::objectives::{ErrorBudget, LatencyBudget};
use crate::release::Release;
use crate::yaml::Source;
pub use section::{RolloutFlags, RolloutSection};
pub use written::{Origin, Problem, RolloutError, Written};

/// A rollout request, every budget exact and every bound checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutRequest {
    pub(in crate::plan) ttl: Duration,
    pub(in crate::plan) target: Option<Written<String>>,
    pub(in crate::plan) deploys: Option<Vec<Written<String>>>,
    pub(in crate::plan) strategy: StrategyType,
    pub(in crate::plan) steps: Vec<PlannedStep>,
    pub(in crate::plan) settle_seconds: u64,
    pub(in crate::plan) max_extensions: u64,
    pub(in crate::plan) monitor: Watch,
    pub(in crate::plan) error: ErrorBudget,
    pub(in crate::plan) latency: LatencyBudget,
    pub(in crate::plan) migration: Migration,
    pub(in crate::plan) readiness: Readiness,
    pub(in crate::plan) deadlines: Deadlines,
}

/// A weight and how long it is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedStep {
    pub(in crate::plan) weight: u64,
    pub(in crate::plan) window_seconds: u64,
}

/// The watch after 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    pub(in crate::plan) window_seconds: u64,
    pub(in crate::plan) max_extensions: u64,
}

/// The shadow migration: command and class, or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub(in crate::plan) run: Option<(Vec<String>, MigrationClass)>,
    pub(in crate::plan) backup: Option<String>,
    pub(in crate::plan) timeout_seconds: u64,
}

/// How the candidate is known to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    pub(in crate::plan) path: String,
    pub(in crate::plan) period_seconds: u64,
    pub(in crate::plan) consecutive_successes: u64,
    pub(in crate::plan) timeout_seconds: u64,
}

/// How long a pause, a confirmation and a drain may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    pub(in crate::plan) pause_seconds: u64,
    pub(in crate::plan) operator_pause_seconds: Option<u64>,
    pub(in crate::plan) confirm_seconds: u64,
    pub(in crate::plan) drain_seconds: u64,
}

impl RolloutRequest {
    /// Overlays the flags on `rollout:` of `laforge.yaml` on the defaults.
    ///
    /// # Errors
    /// [`RolloutError`] with the flag or the place of the first setting that is not acceptable.
    pub fn of(
        section: Option<(&RolloutSection, &Source)>,
        flags: &RolloutFlags,
    ) -> Result<Self, RolloutError> {
        match section {
            Some((section, source)) => reading::Settings { section, source, flags }.request(),
            None => {
                let (section, source) = (RolloutSection::default(), Source::new("laforge.yaml", ""));
                reading::Settings { section: &section, source: &source, flags }.request()
            }
        }
    }

    /// Checks what depends on the release: the target's default and `deploys`. (That a contracting
    /// migration changes no version is the policy's floor: a recorded deny.)
    ///
    /// # Errors
    /// [`RolloutError`], as for every other setting.
    pub fn check(&self, release: &Release) -> Result<(), RolloutError> {
        if self.target.is_none() && !is_target(&release.environment) {
            let problem = Problem::Target { text: release.environment.clone() };
            return Err(Origin::Default("target").refuse(problem));
        }
        for name in self.deploys.iter().flatten() {
            if !release.artifacts.iter().any(|artifact| artifact.name == name.value) {
                let problem = Problem::Deploys { name: name.value.clone(), release: release.name.clone() };
                return Err(name.refuse(problem));
            }
        }
        if let Some(backup) = self.migration.backup.as_ref().filter(|_| self.deploys.is_none())
            && release.artifacts.iter().all(|artifact| artifact.name == *backup)
        {
            let problem = Problem::OnlyBackup { name: backup.clone() };
            return Err(Origin::Default("deploys").refuse(problem));
        }
        Ok(())
    }

    /// How long the plan may be started at most.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The class of the migration, when there is one to run.
    pub fn migration_class(&self) -> Option<MigrationClass> {
        self.migration.run.as_ref().map(|(_, class)| *class)
    }

    /// The target, unless it is to be the environment's name.
    pub fn target(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.value.as_str())
    }
}

/// Whether a text is a target id: `[a-z0-9][a-z0-9._-]{0,62}`.
pub fn is_target(text: &str) -> bool {
    let starts = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let goes_on = |byte: u8| starts(byte) || matches!(byte, b'.' | b'_' | b'-');
    text.len() <= 63 && text.bytes().next().is_some_and(starts) && text.bytes().all(goes_on)
}

#[cfg(test)]
mod tests;
