//! What an engine does otherwise than a plan says: one id for each, in the code, on stderr and in the docs.

use std::fmt;

/// What is lost, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lossy {
    /// The end of the plan's validity is an annotation.
    Expiry,
    /// The engine's first rollout has no steps.
    FirstRollout,
    /// The migration and the candidate are applied at once.
    MigrationOrder,
    /// A failed migration ends the rollout.
    MigrationFailure,
    /// Probes count whole seconds.
    ProbeLatency,
    /// The candidate has one size for all steps.
    CandidateScale,
    /// All windows are as long as the longest.
    OneInterval,
    /// Nothing is extended.
    Extensions,
    /// Counts are estimates.
    Estimates,
    /// Old samples count.
    Freshness,
    /// Nobody looks at the stable version.
    Baseline,
    /// No look at the last minute.
    FastBurn,
    /// All objectives are judged in each step.
    Objectives,
    /// A breach rolls back.
    BreachRollsBack,
    /// No data rolls back.
    NoDataRollsBack,
    /// A pause lasts until somebody ends it.
    PauseDeadline,
    /// Weights are not read back.
    ReadBack,
    /// What was promoted is not what was judged.
    Promotion,
    /// The stable Service moves after 100 %.
    StableFlip,
    /// No watch at 100 %.
    Monitor,
    /// No budget is judged.
    Unjudged,
    /// Traffic moves at once, by hand.
    CutOver,
    /// Configuration is named, not delivered.
    Config,
    /// The version is no label.
    VersionLabel,
    /// The log hears nothing of the rollout.
    Unrecorded,
}

impl Lossy {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Expiry,
        Self::FirstRollout,
        Self::MigrationOrder,
        Self::MigrationFailure,
        Self::ProbeLatency,
        Self::CandidateScale,
        Self::OneInterval,
        Self::Extensions,
        Self::Estimates,
        Self::Freshness,
        Self::Baseline,
        Self::FastBurn,
        Self::Objectives,
        Self::BreachRollsBack,
        Self::NoDataRollsBack,
        Self::PauseDeadline,
        Self::ReadBack,
        Self::Promotion,
        Self::StableFlip,
        Self::Monitor,
        Self::Unjudged,
        Self::CutOver,
        Self::Config,
        Self::VersionLabel,
        Self::Unrecorded,
    ];

    /// Its id: `lossy[ID]` on stderr, a row in `docs/render.md`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::FirstRollout => "first-rollout",
            Self::MigrationOrder => "migration-order",
            Self::MigrationFailure => "migration-failure",
            Self::ProbeLatency => "probe-latency",
            Self::CandidateScale => "candidate-scale",
            Self::OneInterval => "one-interval",
            Self::Extensions => "extensions",
            Self::Estimates => "estimates",
            Self::Freshness => "freshness",
            Self::Baseline => "baseline",
            Self::FastBurn => "fast-burn",
            Self::Objectives => "objectives",
            Self::BreachRollsBack => "breach-rolls-back",
            Self::NoDataRollsBack => "no-data-rolls-back",
            Self::PauseDeadline => "pause-deadline",
            Self::ReadBack => "read-back",
            Self::Promotion => "promotion",
            Self::StableFlip => "stable-flip",
            Self::Monitor => "monitor",
            Self::Unjudged => "unjudged",
            Self::CutOver => "cut-over",
            Self::Config => "config",
            Self::VersionLabel => "version-label",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// What is lost, in one sentence.
    pub fn message(self) -> &'static str {
        match self {
            Self::Expiry => "the plan's end is an annotation: the engine starts whenever it is applied",
            Self::FirstRollout => "where nothing runs yet, the engine goes to 100 % without a step",
            Self::MigrationOrder => "the Job and the candidate are applied at once: wait for the Job first",
            Self::MigrationFailure => "a failed migration aborts instead of pausing",
            Self::ProbeLatency => "a probe's timeout is in whole seconds: the latency bound is rounded up",
            Self::CandidateScale => "the candidate runs at full size in every step, not at the plan's sizes",
            Self::OneInterval => "there is one interval for all steps: the longest settle time and window",
            Self::Extensions => "an inconclusive window is not extended: it ends the step at once",
            Self::Estimates => {
                "`increase()` extrapolates: counts near the sample floor are off by a few percent"
            }
            Self::Freshness => "a scrape that stopped within the window goes unnoticed",
            Self::Baseline => "the stable version is not compared: a bad network looks like a breach",
            Self::FastBurn => "no look at the last minute: a breach is seen at the interval's end",
            Self::Objectives => "every objective is judged in each step, whichever the step names",
            Self::BreachRollsBack => "a breach rolls back at once instead of pausing",
            Self::NoDataRollsBack => "too few requests or no data roll back instead of pausing",
            Self::PauseDeadline => "a pause lasts until somebody ends it: no deadline makes it a rollback",
            Self::ReadBack => "weights are not read back before the window opens; drift goes unnoticed",
            Self::Promotion => {
                "promotion copies the template to other Pods: what serves is not what was judged"
            }
            Self::StableFlip => {
                "after the last step the stable Service changes Pods while traffic returns to it"
            }
            Self::Monitor => "100 % is watched for one interval, and not at all after promotion",
            Self::Unjudged => "no budget is judged: whoever cuts over has to look",
            Self::CutOver => "nothing moves the traffic: it moves all at once, by the command given",
            Self::Config => "configuration is named by its digest, neither delivered nor rolled back",
            Self::VersionLabel => "the version is no value of a label: it stands in an annotation alone",
            Self::Unrecorded => "start, pauses and end are not recorded in the audit log",
        }
    }
}

impl fmt::Display for Lossy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "lossy[{}]: {}", self.id(), self.message())
    }
}
