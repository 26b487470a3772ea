//! Where journals are: one folder per target, with its lock and a folder per plan.
//!
//! In: the executor's state folder and a target. Out: [`TargetLock`], which one guard holds while it
//! lives, and what stands at the target. All I/O is the audit store's.

use std::path::{Path, PathBuf};

use crate::audit::AuditError;
use crate::audit::chain::{self, Asked, Shelf, Sole};
use crate::plan::request::is_target;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::rollout::acceptance::JournalState;

use super::line::Line;
use super::{BOUNDS, JournalError};

/// A target that nobody else rolls out to while this lives.
#[derive(Debug)]
pub struct TargetLock {
    target: String,
    shelf: Shelf,
    _sole: Sole,
}

/// The folder of one journal.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

/// The plans that have a journal at a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The one that is not ended.
    pub open: Option<ClaimedDigest>,
    /// Those that are, the one that ended last behind the others.
    pub ended: Vec<ClaimedDigest>,
}

impl TargetLock {
    /// Takes a target's lock, at once or not at all; its folder is made where it is missing.
    ///
    /// # Errors
    /// [`JournalError::Held`] names who holds it.
    pub fn take(state: &Path, target: &str) -> Result<Self, JournalError> {
        check_target(target)?;
        let place = Place(state.join(target));
        let failed = |error| place.failed(error);
        let shelf = Shelf::make(state).and_then(|state| state.sub_or_new(target)).map_err(failed)?;
        match shelf.ask().map_err(failed)? {
            Asked::Taken(sole) => Ok(Self { target: target.to_owned(), shelf, _sole: sole }),
            Asked::Held(holder) => Err(JournalError::Held {
                target: target.to_owned(),
                path: shelf.path().join("lock"),
                pid: holder.pid,
                since: holder.since,
            }),
        }
    }

    /// The target.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What stands at the target, with nobody else at work.
    ///
    /// # Errors
    /// As [`standing`].
    pub fn standing(&self) -> Result<Standing, JournalError> {
        standing_in(&self.shelf, &self.target)
    }

    pub(super) fn place(&self, plan: &ClaimedDigest) -> Place {
        Place(self.shelf.path().join(plan.hex()))
    }

    /// The folder of a plan's journal, made where it is missing.
    pub(super) fn shelf(&self, plan: &ClaimedDigest) -> Result<Shelf, JournalError> {
        self.shelf.sub_or_new(&plan.hex()).map_err(|error| self.place(plan).failed(error))
    }

    pub(super) fn existing_shelf(&self, plan: &ClaimedDigest) -> Result<Option<Shelf>, JournalError> {
        self.shelf.sub(&plan.hex()).map_err(|error| self.place(plan).failed(error))
    }
}

impl Place {
    /// The folder of a plan's journal, and the open folder if it is there; no lock is asked for.
    pub(super) fn find(
        state: &Path,
        target: &str,
        plan: &ClaimedDigest,
    ) -> Result<(Self, Option<Shelf>), JournalError> {
        check_target(target)?;
        let place = Self(state.join(target).join(plan.hex()));
        let open = |path: &Path| Shelf::open(path).map_err(|error| place.failed(error));
        let shelf = match open(state)? {
            None => None,
            Some(state) => state
                .sub(target)
                .and_then(|target| target.map_or(Ok(None), |target| target.sub(&plan.hex())))
                .map_err(|error| place.failed(error))?,
        };
        Ok((place, shelf))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The error of this journal.
    pub(super) fn failed(&self, source: AuditError) -> JournalError {
        JournalError::Store { journal: self.0.clone(), source }
    }
}

impl Standing {
    /// What an executor remembers of a plan: for [`Acceptance`](crate::rollout::Acceptance).
    pub fn of(&self, plan: &Digest) -> JournalState {
        if self.open.as_ref().is_some_and(|open| plan == open) {
            JournalState::Open
        } else if self.ended.iter().any(|ended| plan == ended) {
            JournalState::Ended
        } else {
            JournalState::Absent
        }
    }
}

/// The targets that have journals in a state folder, sorted.
///
/// # Errors
/// [`JournalError`]: the folder can't be read.
pub fn targets(state: &Path) -> Result<Vec<String>, JournalError> {
    let failed = |error| Place(state.to_owned()).failed(error);
    let Some(shelf) = Shelf::open(state).map_err(failed)? else { return Ok(Vec::new()) };
    let mut targets = shelf.names().map_err(failed)?;
    targets.retain(|name| is_target(name) && matches!(shelf.sub(name), Ok(Some(_))));
    Ok(targets)
}

/// The plans that have a journal at a target, by the last line of each: a target runs one at a time.
///
/// # Errors
/// [`JournalError`]: a journal's last line can't be read, or two are not ended (exit 13).
pub fn standing(state: &Path, target: &str) -> Result<Standing, JournalError> {
    check_target(target)?;
    let place = Place(state.join(target));
    let found = Shelf::open(state).and_then(|state| state.map_or(Ok(None), |state| state.sub(target)));
    match found.map_err(|error| place.failed(error))? {
        None => Ok(Standing::default()),
        Some(shelf) => standing_in(&shelf, target),
    }
}

fn standing_in(shelf: &Shelf, target: &str) -> Result<Standing, JournalError> {
    let place = Place(shelf.path().to_owned());
    let failed = |error| place.failed(error);
    let mut standing = Standing::default();
    let mut ended = Vec::new();
    for name in shelf.names().map_err(failed)? {
        let Ok(plan) = ClaimedDigest::from_hex(&name) else { continue };
        let Some(inside) = shelf.sub(&name).map_err(failed)? else { continue };
        // A folder without a line was left by a guard that died before it had begun.
        let Some(last) = chain::last(&inside, BOUNDS).map_err(failed)? else { continue };
        let read = Line::read(&last.bytes).and_then(|line| line.event.check(&plan).map(|_| line));
        let line = read.map_err(|fault| JournalError::Line {
            journal: inside.path().to_owned(),
            line: last.index,
            fault,
        })?;
        match (line.state_after.stage.is_terminal(), standing.open.take()) {
            (true, open) => {
                standing.open = open;
                ended.push((line.received_at, plan));
            }
            (false, None) => standing.open = Some(plan),
            (false, Some(one)) => {
                return Err(JournalError::TwoOpen { target: target.to_owned(), one, other: plan });
            }
        }
    }
    ended.sort();
    standing.ended = ended.into_iter().map(|(_, plan)| plan).collect();
    Ok(standing)
}

/// A target's name is also what keeps a folder inside its own.
fn check_target(target: &str) -> Result<(), JournalError> {
    match is_target(target) {
        true => Ok(()),
        false => Err(JournalError::Target(target.to_owned())),
    }
}
