//! A journal's line: `{v, seq, prev, receivedAt, event, stateBefore, stateAfter}` in RFC 8785 form.
//!
//! In: an event and the states around it, or a line's bytes. Out: the bytes, or the line, whose bytes
//! are exactly those that its members give: whatever is flipped in it, it is another line or none.

use chrono::SubsecRound as _;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::audit::chain::Head;
use crate::audit::tree::Hash;
use crate::json;
use crate::rollout::machine::State;
use crate::time::{self, Timestamp};

use super::Fault;
use super::event::EventBody;

/// The version of a line.
const VERSION: u64 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Line {
    v: u64,
    pub(super) seq: u64,
    prev: Hash,
    #[serde(serialize_with = "micros", deserialize_with = "parsed")]
    pub(super) received_at: Timestamp,
    pub(super) event: EventBody,
    pub(super) state_before: State,
    pub(super) state_after: State,
}

impl Line {
    /// Line 0.
    pub(super) fn created(event: EventBody, at: Timestamp) -> Self {
        let planned = State::planned();
        Self::next(&Head::NONE, event, at, &planned, &planned)
    }

    /// The line that follows a head.
    pub(super) fn next(
        head: &Head,
        event: EventBody,
        received_at: Timestamp,
        before: &State,
        after: &State,
    ) -> Self {
        Self {
            v: VERSION,
            seq: head.length,
            prev: head.leaf,
            received_at: exact(received_at),
            event,
            state_before: before.clone(),
            state_after: after.clone(),
        }
    }

    /// Its bytes, without the line feed.
    pub(super) fn bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }

    /// Reads a line's bytes, strictly.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let line: Self = json::decode(bytes)?;
        if line.v != VERSION {
            return Err(Fault::Version(line.v));
        }
        if line.bytes() != bytes {
            return Err(Fault::NotExact);
        }
        Ok(line)
    }
}

/// A time as a line holds it: what is replayed is what was taken.
pub(super) fn exact(time: Timestamp) -> Timestamp {
    time.trunc_subsecs(6)
}

pub(super) fn micros<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&time::to_micros(*time))
}

pub(super) fn parsed<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    time::parse(&String::deserialize(input)?).map_err(D::Error::custom)
}
