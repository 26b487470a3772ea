//! Reading back what other rooms only write.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::plan::Mode;
use crate::policy::{ActorType, Severity};
use crate::time::{self, Timestamp};
use crate::verify::facts::TimeKind;

/// Reads an RFC 3339 instant.
pub(super) fn timestamp<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    time::parse(&String::deserialize(input)?).map_err(D::Error::custom)
}

/// Reads a mode.
pub(super) fn mode<'de, D: Deserializer<'de>>(input: D) -> Result<Mode, D::Error> {
    one_of(input, &[("enforce", Mode::Enforce), ("dry-run", Mode::DryRun), ("break-glass", Mode::BreakGlass)])
}

/// Reads a finding's weight.
pub(super) fn severity<'de, D: Deserializer<'de>>(input: D) -> Result<Severity, D::Error> {
    one_of(input, &[("deny", Severity::Deny), ("warn", Severity::Warn)])
}

/// Reads whose word a time is.
pub(super) fn time_kind<'de, D: Deserializer<'de>>(input: D) -> Result<TimeKind, D::Error> {
    one_of(input, &[("trusted", TimeKind::Trusted), ("claimed", TimeKind::Claimed)])
}

/// Reads what an actor is.
pub(super) fn actor_type<'de, D: Deserializer<'de>>(input: D) -> Result<ActorType, D::Error> {
    let words =
        [("workload", ActorType::Workload), ("person", ActorType::Person), ("unknown", ActorType::Unknown)];
    one_of(input, &words)
}

fn one_of<'de, T: Copy, D: Deserializer<'de>>(input: D, words: &[(&str, T)]) -> Result<T, D::Error> {
    let text = String::deserialize(input)?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| D::Error::custom(format_args!("unknown word `{text}`")))
}
