//! Exit codes: a contract (`cli.md`), each with its meaning in one place.

use std::process::ExitCode;

/// How a run of the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Allowed, or the asked-for check holds.
    Holds = 0,
    /// No decision: an internal error, an artifact that can't be read, or something that can't be written.
    NoDecision = 1,
    /// Usage, configuration or policy invalid.
    Usage = 2,
    /// Nothing matched (only with `--fail-empty`).
    Empty = 3,
    /// Denied.
    Denied = 10,
    /// Evidence could not be reached in full: neither yes nor no.
    Inconclusive = 11,
    /// The audit log could not take the entry.
    NotRecorded = 12,
    /// A log, proof, journal or plan does not check out.
    Integrity = 13,
}

impl Exit {
    /// Every code with its meaning, for `--help` and `docs/cli.md`.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Holds, "allowed; or the asked-for check holds"),
        (
            Self::NoDecision,
            "no decision: internal error, an artifact that can't be read, a disk that takes nothing",
        ),
        (Self::Usage, "usage, configuration or policy invalid"),
        (Self::Empty, "nothing matched (only with --fail-empty)"),
        (Self::Denied, "denied, or the asked-for check does not hold"),
        (
            Self::Inconclusive,
            "inconclusive: evidence could not be reached or read in full; recorded as a deny",
        ),
        (Self::NotRecorded, "the audit log could not take the entry; there is no plan"),
        (Self::Integrity, "integrity: a log, proof, journal or plan does not check out"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
