//! The rows of the table, by number (`rollout.md` section 2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A row of the table: which rule took an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Row {
    /// Planned, `Start`: between notBefore and notAfter, from a read 0, beside the planned stable →
    /// Migrating.
    T1 = 1,
    /// Planned, `Cancel`, or the plan has ended → Expired.
    T2,
    /// Migrating, `MigrationSucceeded` (or there is nothing to run) → WarmingUp.
    T3,
    /// Migrating, `MigrationFailed` or `Timeout` → Paused(migration).
    T4,
    /// WarmingUp, `HealthReport` of the planned digests, from a read 0, before notAfter → Applying(0).
    T5,
    /// WarmingUp, `HealthFailed`, `LatencyBudgetExceeded` or `Timeout` → Paused(health).
    T6,
    /// Applying, `WeightConfirmed` of the commanded weight in this epoch → Observing or Monitoring.
    T7,
    /// Applying, another weight, a driver's error or no answer → Paused(driver).
    T8,
    /// Observing, a pass of the current window with the weight in place, before notAfter → Applying
    /// of the next step.
    T9,
    /// Monitoring, a pass of the current window with 100 in place → Completed.
    T10,
    /// Observing or Monitoring, `Breach` → Paused(breach), or Paused(environment) if stable breaches too.
    T11,
    /// Observing or Monitoring, an inconclusive end with extensions left → the window is extended.
    T12,
    /// Observing or Monitoring, an inconclusive end with none left → Paused(inconclusive);
    /// `MetricsMissing` → Paused(missing).
    T13,
    /// Observing or Monitoring, actual ≠ target; Migrating or WarmingUp, actual > 0 → Paused(drift).
    T14,
    /// Migrating to Monitoring, `Pause` → Paused(operator).
    T15,
    /// From notAfter on: nothing is raised; T5 and T9 give Paused(expired), T17 is refused.
    T16,
    /// Paused, `Resume` with the cause cleared, before notAfter → the same phase, the same step.
    T17,
    /// Paused, `PauseDeadline` → RollingBack.
    T18,
    /// Migrating to Paused, `Rollback` → RollingBack.
    T19,
    /// RollingBack, a confirmed 0, then a later reading of nothing left → RolledBack.
    T20,
    /// RollingBack, an error, no answer or a reading that is not 0 → 0 is commanded again.
    T21,
    /// Live, good news of an old epoch or window → ignored.
    T22,
    /// Applying to Monitoring and Paused, a late `Breach` → as T11; in Paused the cause becomes breach.
    T23,
    /// Any, an event that is already journaled → no change.
    T24,
    /// Terminal states, Planned but for T1 and T2, and what no row takes → refused.
    T25,
    /// Any, `Replay` after a restart → a new epoch, the actual weight read before any command.
    T26,
    /// Paused, a reading above the target → the target is commanded again; one below is noted.
    T27,
}

impl Row {
    /// Every row.
    pub const ALL: [Self; 27] = [
        Self::T1,
        Self::T2,
        Self::T3,
        Self::T4,
        Self::T5,
        Self::T6,
        Self::T7,
        Self::T8,
        Self::T9,
        Self::T10,
        Self::T11,
        Self::T12,
        Self::T13,
        Self::T14,
        Self::T15,
        Self::T16,
        Self::T17,
        Self::T18,
        Self::T19,
        Self::T20,
        Self::T21,
        Self::T22,
        Self::T23,
        Self::T24,
        Self::T25,
        Self::T26,
        Self::T27,
    ];
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "T{}", *self as u8)
    }
}
