//! The whole pre-flight on one page, in the order of the data. Read this first.
//!
//! In: a release, what is asked, the world to read it from, the standard to hold it to, the log.
//! Out: a plan, a refusal or a rehearsal, each of them recorded; or [`GateError`]: no decision.
//! [`judge`] is its first half, up to the decision: all that `laforge verify` does. [`record`] is the other.

use crate::audit::{AppendError, AuditLog, Kept, Recorded, Refused, Rehearsed};
use crate::evidence::EvidenceSource;
use crate::plan::PlanDraft;
use crate::policy::{Caller, Decision, Request, Standard, decide};
use crate::release::Release;
use crate::release::resolved::{ArtifactFiles, ImageManifests, Resolution, ResolveError};
use crate::rollout::Plan;
use crate::time::Timestamp;
use crate::verify::verify;

/// Where bytes come from: artifacts, images and evidence.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The files that a release names.
    pub artifacts: &'a dyn ArtifactFiles,
    /// The images that it names by repository and digest.
    pub images: &'a dyn ImageManifests,
    /// The evidence that may speak of it.
    pub evidence: &'a dyn EvidenceSource,
}

/// The two times of a pre-flight. They are one, save in a rehearsal as of another time.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The time that the release is judged at.
    pub judged: Timestamp,
    /// The writer's clock, which the log judges.
    pub clock: Timestamp,
}

/// What came of a pre-flight. All of it is in the log.
#[derive(Debug)]
#[must_use = "only one of them is a plan"]
pub enum Outcome {
    /// Allowed: the plan.
    Approved(Plan),
    /// Denied, or inconclusive.
    Refused(Refused),
    /// `--dry-run`: evaluated and recorded, never a plan.
    Rehearsed(Rehearsed),
}

/// The gate could not decide, or could not record what it decided: no plan either way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A release whose bytes could not be read.
    #[error("the release could not be read")]
    Resolve(#[from] ResolveError),
    /// A decision that the log could not take.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Verifies, decides, records, and only then lets a plan out.
///
/// # Errors
/// [`GateError`]: then no decision was made, or none is on record, and there is no plan.
pub fn preflight(
    release: Release,
    request: Request,
    world: World<'_>,
    standard: &Standard,
    log: &mut AuditLog,
    times: Times,
) -> Result<Outcome, GateError> {
    let decision = judge(release, &request, world, standard, times.judged, || ())?; // always a verdict, with its reasons
    Ok(record(decision, &request.caller, log, times.clock)?) // durable before it returns
}

/// The pre-flight up to its decision: what `laforge verify` reports, and what `preflight` records. `verified` is told
/// when all is read and verified, and no rule was asked yet: for whoever measures.
///
/// # Errors
/// [`ResolveError`] when the release's bytes could not be read.
pub fn judge(
    release: Release,
    request: &Request,
    world: World<'_>,
    standard: &Standard,
    now: Timestamp,
    verified: impl FnOnce(),
) -> Result<Decision, ResolveError> {
    let resolution = release.resolve(world.artifacts, world.images)?; // every byte hashed, every claim compared
    Ok(match resolution {
        Resolution::Differs(mismatch) => {
            verified();
            Decision::refuse(mismatch, standard, request, now) // recorded like any deny
        }
        Resolution::Matches(release) => {
            let gathered = world.evidence.gather(&release); // found, and what could not be reached
            let proved = verify(&release, gathered, &standard.trust, now); // true or absent; never an opinion
            let draft = PlanDraft::of(&release, &request.rollout); // what would be rolled out
            verified();
            decide(&release, proved, draft, standard, request, now) // every rule; any deny wins
        }
    })
}

/// Records a decision, and only then lets a plan out.
///
/// # Errors
/// [`AppendError`]: none is on record, and there is no plan.
pub fn record(
    decision: Decision,
    caller: &Caller,
    log: &mut AuditLog,
    clock: Timestamp,
) -> Result<Outcome, AppendError> {
    Ok(outcome(log.append(decision, caller, clock)?))
}

/// As [`record`], of a decision whose evidence is kept already.
///
/// # Errors
/// [`AppendError`]: none is on record, and there is no plan.
pub fn record_kept(
    kept: Kept,
    caller: &Caller,
    log: &mut AuditLog,
    clock: Timestamp,
) -> Result<Outcome, AppendError> {
    Ok(outcome(log.append_kept(kept, caller, clock)?))
}

fn outcome(recorded: Recorded) -> Outcome {
    match recorded {
        Recorded::Approved(approved) => Outcome::Approved(Plan::promote(approved)),
        Recorded::Refused(refused) => Outcome::Refused(refused),
        Recorded::Rehearsed(rehearsed) => Outcome::Rehearsed(rehearsed), // action none, never a plan
    }
}
