//! The 22 seeded faults, each one broken rule, and the property that has to catch it.

use crate::rules::Rule;

/// A broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    NoFencing,
    NoFreeze,
    LatePassInPaused,
    EpochKeptOnPause,
    DriftUpInPausedIgnored,
    TargetLoweredInPausedInTheSameEpoch,
    ResumeSkipsAWindow,
    NoRequestsCountAsAPass,
    DriftIgnored,
    LatePassAfterTheEnd,
    RollbackMayGiveUp,
    DrainNotAwaited,
    DrainCountedBeforeZero,
    RollbackNeverReadsAgain,
    DriftBeforeTrafficIgnored,
    PauseInPlanned,
    EpochKeptOnRestart,
    ExpiredPlanStarts,
    StartBeforeNotBefore,
    RaiseAfterExpiry,
    ResumeOfExpired,
    NoPauseDeadlineForExpired,
}

impl Fault {
    pub(crate) const ALL: [Self; 22] = [
        Self::NoFencing,
        Self::NoFreeze,
        Self::LatePassInPaused,
        Self::EpochKeptOnPause,
        Self::DriftUpInPausedIgnored,
        Self::TargetLoweredInPausedInTheSameEpoch,
        Self::ResumeSkipsAWindow,
        Self::NoRequestsCountAsAPass,
        Self::DriftIgnored,
        Self::LatePassAfterTheEnd,
        Self::RollbackMayGiveUp,
        Self::DrainNotAwaited,
        Self::DrainCountedBeforeZero,
        Self::RollbackNeverReadsAgain,
        Self::DriftBeforeTrafficIgnored,
        Self::PauseInPlanned,
        Self::EpochKeptOnRestart,
        Self::ExpiredPlanStarts,
        Self::StartBeforeNotBefore,
        Self::RaiseAfterExpiry,
        Self::ResumeOfExpired,
        Self::NoPauseDeadlineForExpired,
    ];

    /// The property that `rollout.md` names for it.
    pub(crate) fn breaks(self) -> Rule {
        match self {
            Self::NoFencing
            | Self::NoFreeze
            | Self::LatePassInPaused
            | Self::EpochKeptOnPause
            | Self::DriftUpInPausedIgnored
            | Self::TargetLoweredInPausedInTheSameEpoch => Rule::P1,
            Self::ResumeSkipsAWindow | Self::NoRequestsCountAsAPass => Rule::P2,
            Self::DriftIgnored | Self::LatePassAfterTheEnd => Rule::P3,
            Self::RollbackMayGiveUp | Self::DrainNotAwaited | Self::DrainCountedBeforeZero => Rule::P4,
            Self::RollbackNeverReadsAgain => Rule::P5,
            Self::DriftBeforeTrafficIgnored | Self::PauseInPlanned => Rule::P6,
            Self::EpochKeptOnRestart => Rule::P7,
            Self::ExpiredPlanStarts
            | Self::StartBeforeNotBefore
            | Self::RaiseAfterExpiry
            | Self::ResumeOfExpired => Rule::P9,
            Self::NoPauseDeadlineForExpired => Rule::P15,
        }
    }
}
