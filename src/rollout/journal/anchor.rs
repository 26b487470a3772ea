//! Anchors: what the audit log has seen of a journal, and what it has still to hear of it.
//!
//! In: the log's entries of a rollout and the journal's lines. Out: that the journal is no shorter and
//! no other than it was seen; and the entries that a crash between line and entry left out.

use crate::audit::chain::Head;
use crate::audit::entry::decision::PlanView;
use crate::audit::entry::rollout::{JournalHead, Milestone, Rollout};
use crate::audit::reader::RolloutRecord;
use crate::audit::tree::Hash;
use crate::release::digest::ClaimedDigest;
use crate::rollout::machine::{Cause, Event, Occurrence, Stage, State, Step};

use super::event::Created;
use super::{JournalError, replay};

/// A journal's length and last leaf, as an entry of the audit log has seen them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// How many lines there were.
    pub length: u64,
    /// The leaf hash of the last of them.
    pub leaf: ClaimedDigest,
    /// The entry.
    pub entry_index: u64,
}

impl Anchor {
    /// The anchors of a plan's journal, among all that a log says of rollouts.
    pub fn of(plan: &ClaimedDigest, records: &[RolloutRecord]) -> Vec<Self> {
        let of_plan = records.iter().filter(|record| record.members.plan.digest == *plan);
        let anchor = |record: &RolloutRecord| {
            let JournalHead { length, leaf } = record.members.journal.clone();
            Self { length, leaf, entry_index: record.index }
        };
        of_plan.map(anchor).collect()
    }
}

/// An entry that the audit log has to have because of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implied {
    /// What happened.
    pub milestone: Milestone,
    /// The state after it.
    pub state: &'static str,
    /// Its epoch.
    pub epoch: u64,
    /// Why, of a pause and of the way back.
    pub cause: Option<Cause>,
    /// An operator's reason.
    pub note: Option<String>,
    /// The journal up to the line.
    pub head: Head,
}

impl Implied {
    /// What a line implies, if anything.
    pub(super) fn by(before: &State, step: &Step, occurrence: &Occurrence, head: Head) -> Option<Self> {
        let milestone = step.entry?;
        let paused = |state: &State| state.stage.pause().map(|pause| pause.cause);
        let (cause, note) = match &occurrence.event {
            Event::Rollback(operator) => (Some(Cause::Operator), Some(operator.reason().to_owned())),
            Event::Pause(operator) => (paused(&step.next), Some(operator.reason().to_owned())),
            Event::Resume { operator, .. } => (None, Some(operator.reason().to_owned())),
            _ if matches!(step.next.stage, Stage::RollingBack { .. }) => (paused(before), None),
            _ => (paused(&step.next), None),
        };
        let (state, epoch) = (step.next.stage.name(), step.next.epoch);
        Some(Self { milestone, state, epoch, cause, note, head })
    }

    /// The members of the entry; where the log is not the gate's, the caller adds `auditEntry`.
    ///
    /// # Errors
    /// [`JournalError::Envelope`] where the envelope does not hold the plan.
    pub fn members(&self, created: &Created) -> Result<Rollout, JournalError> {
        let size = replay::carries(&created.envelope, &created.plan_digest);
        let size = size.map_err(JournalError::Envelope)?;
        let core = replay::unproven_core(&created.envelope).map_err(JournalError::Envelope)?;
        Ok(Rollout {
            plan: PlanView { digest: created.plan_digest.clone(), size },
            release: core.release,
            target: created.target.clone(),
            state: self.state.to_owned(),
            epoch: self.epoch,
            cause: self.cause,
            note: None,
            journal: self.head.into(),
            audit_entry: None,
        })
    }
}

/// That a journal is no shorter and no other than the audit log has seen it. A journal that is not
/// there has no leaves.
///
/// # Errors
/// [`JournalError::Shorter`] or [`JournalError::OtherLeaf`]: exit 13, and weights are left alone.
pub fn check_anchors(leaves: &[Hash], anchors: &[Anchor]) -> Result<(), JournalError> {
    let length = leaves.len() as u64;
    for Anchor { length: anchored, leaf, entry_index: entry } in anchors {
        let Some(line) = anchored.checked_sub(1) else { continue };
        let held = usize::try_from(line).ok().and_then(|line| leaves.get(line));
        match held {
            None => return Err(JournalError::Shorter { length, entry: *entry, anchored: *anchored }),
            Some(held) if *held != Hash::from(leaf) => {
                return Err(JournalError::OtherLeaf { line, entry: *entry });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The entries that a journal implies and the log does not hold yet, in order: a restart appends
/// them. Each line implies at most one, so a journal's length names it.
pub fn missing_entries<'a>(implied: &'a [Implied], held: &[RolloutRecord]) -> Vec<&'a Implied> {
    let is_held = |implied: &&Implied| {
        held.iter().any(|record| {
            record.milestone == implied.milestone && record.members.journal == implied.head.into()
        })
    };
    implied.iter().filter(|implied| !is_held(implied)).collect()
}
