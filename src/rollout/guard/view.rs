//! What a guard shows: where the rollout stands, what was counted, what it waits for.
//!
//! Written beside the journal once a second, for `rollout status`. It is a courtesy: nothing reads it
//! back to decide anything, and where it and the journal differ the journal is right.
#![expect(clippy::disallowed_methods, reason = "the view is a file")]

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::rollout::machine::{State, Weight};
use crate::rollout::objective::{Breach, Measured, Unclear};
use crate::time::Timestamp;

use super::asks::small_file;

/// The file in a rollout's folder.
const FILE: &str = "view.json";
/// A guard that has not shown itself for so long is none.
const SHOWN_WITHIN: TimeDelta = TimeDelta::seconds(3);

/// What a guard sees now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// As of when.
    pub at: Timestamp,
    /// How many lines the journal has.
    pub length: u64,
    /// Where the rollout stands.
    pub state: State,
    /// The step's weight.
    pub weight: Weight,
    /// How many steps there are.
    pub steps: usize,
    /// What the candidate counted in the window so far.
    pub candidate: Vec<Measured>,
    /// What stable counted.
    pub stable: Vec<Measured>,
    /// The step's budgets.
    pub budgets: Vec<Shown>,
    /// How the last breach came to light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
    /// Why the last window's end was inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<Unclear>,
    /// What it waits for.
    pub waits_for: String,
    /// What went wrong last, if it still does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

/// A budget as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The objective.
    pub id: String,
    /// The largest share of bad requests, in parts per million.
    pub max_ratio_ppm: u64,
    /// How many requests a verdict needs.
    pub min_samples: u64,
}

impl View {
    /// Replaces the file in a rollout's folder.
    ///
    /// # Errors
    /// The system's own.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join(".view.json");
        // Made anew each time: what somebody laid there, a link or a pipe, is never opened.
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(&json::canonical(&serde_json::json!(self)))?;
        fs::rename(&partial, folder.join(FILE))
    }

    /// Whether a guard is at work on a rollout: it shows itself once a second. The lock would tell it, too, and
    /// whoever takes it to find out keeps a guard from starting.
    pub fn is_at_work(folder: &Path, now: Timestamp) -> bool {
        Self::read(folder).is_some_and(|view| (now - view.at).abs() < SHOWN_WITHIN)
    }

    /// Reads it, where there is one that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&small_file(&folder.join(FILE)).ok()??).ok()
    }
}
