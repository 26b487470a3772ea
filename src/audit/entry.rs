//! Entries: one line of JSON each, written in one order of members and read back strictly.
//!
//! In: what happened, or the bytes of a line. Out: the line, or a typed view of it. Bytes are
//! authoritative: a line is verified before it is parsed, and never written again from its view.
//! Lines of a type that is not known here are kept as they are ([`Body::Other`]).
//! Schema: `audit-log.md` 1.5, `formats.md` section 9.

mod bounds;
pub mod decision;
pub mod event;
pub mod rollout;
mod wire;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::policy::Caller;
use crate::release::digest::ClaimedDigest;
use crate::time::{self, Timestamp};

use super::tree::Hash;
use decision::DecisionEntry;
use event::{Actor, Anchored, Annotation, Changed, Created, Heartbeat, Recovered, Tool};
use rollout::{Milestone, Rollout};

/// `_type` of every entry.
pub const TYPE: &str = "https://laforge.dev/entry/v1";

/// The most bytes of a line, without its line feed: a C2SP entry bundle's length is 16 bits.
pub const MAX_LINE: usize = 65_535;

/// The largest integer that every JSON reader takes exactly.
const MAX_INTEGER: u64 = 1 << 53;

/// Why a line is no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not strict JSON, or a member that the type does not know.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// Not an object.
    #[error("is not an object")]
    NotAnObject,
    /// A null, or a number that is no integer that every reader takes exactly.
    #[error("has a null or a number beyond 2^53")]
    Value,
    /// A member is missing or of another form.
    #[error("member `{0}` is missing or malformed")]
    Member(&'static str),
}

/// A line's typed view.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its index in the log.
    pub seq: u64,
    /// The leaf hash of the line before.
    pub prev: ClaimedDigest,
    /// The writer's clock at the append.
    pub time: Timestamp,
    /// What it says.
    pub body: Body,
}

/// What an entry says, by its type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// `log.created`.
    Created(Event<Created>),
    /// `decision`.
    Decision(Box<DecisionEntry>),
    /// `policy.changed`.
    PolicyChanged(Event<Changed>),
    /// `trust.changed`.
    TrustChanged(Event<Changed>),
    /// `log.recovered`.
    Recovered(Event<Recovered>),
    /// `anchor.recorded`.
    Anchored(Event<Anchored>),
    /// `annotation`.
    Annotation(Event<Annotation>),
    /// `heartbeat`.
    Heartbeat(Event<Heartbeat>),
    /// `rollout.started` to `rollout.completed`.
    Rollout(Milestone, Box<Event<Rollout>>),
    /// A type that is not known here: its members as they are.
    Other {
        /// The type.
        kind: String,
        /// The members but `_type`, `seq`, `prev`, `time` and `type`.
        members: Map<String, Value>,
    },
}

/// What every entry but a decision has: who, with what, and its own members.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event<T> {
    /// Who acted.
    pub actor: Actor,
    /// The program.
    pub tool: Tool,
    /// The members of its type.
    #[serde(flatten)]
    pub members: T,
}

impl<T> Event<T> {
    /// What this caller did, with this program.
    pub(super) fn of(caller: &Caller, members: T) -> Self {
        Self { actor: Actor::from(&caller.actor), tool: Tool::this(), members }
    }
}

/// Where an entry will stand: known only under the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) time: Timestamp,
}

impl Place {
    /// `prev` of entry 0.
    pub(super) const NOTHING: Hash = Hash::from_bytes([0; 32]);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a, T> {
    #[serde(rename = "_type")]
    schema: &'static str,
    seq: u64,
    prev: Hash,
    time: String,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

/// Whether a type changes how a log is to be judged, in a way that this version does not know: nothing is
/// written after such an entry, and a log that has one is not called sound.
pub(super) fn is_unsupported(kind: &str) -> bool {
    matches!(kind, "key.added" | "key.retired" | "key.compromised" | "log.pruned" | "log.moved")
}

impl Body {
    /// The entry's type.
    pub fn kind(&self) -> &str {
        match self {
            Self::Created(_) => "log.created",
            Self::Decision(_) => "decision",
            Self::PolicyChanged(_) => "policy.changed",
            Self::TrustChanged(_) => "trust.changed",
            Self::Recovered(_) => "log.recovered",
            Self::Anchored(_) => "anchor.recorded",
            Self::Annotation(_) => "annotation",
            Self::Heartbeat(_) => "heartbeat",
            Self::Rollout(milestone, _) => milestone.kind(),
            Self::Other { kind, .. } => kind,
        }
    }

    /// The line at this place, without its line feed.
    pub(super) fn line(&self, place: &Place) -> Vec<u8> {
        let kind = self.kind();
        match self {
            Self::Created(event) => write(place, kind, event),
            Self::Decision(decision) => write(place, kind, decision),
            Self::PolicyChanged(event) | Self::TrustChanged(event) => write(place, kind, event),
            Self::Recovered(event) => write(place, kind, event),
            Self::Anchored(event) => write(place, kind, event),
            Self::Annotation(event) => write(place, kind, event),
            Self::Heartbeat(event) => write(place, kind, event),
            Self::Rollout(_, event) => write(place, kind, event),
            Self::Other { members, .. } => write(place, kind, members),
        }
    }
}

fn write(place: &Place, kind: &str, body: &impl Serialize) -> Vec<u8> {
    let time = time::to_micros(place.time);
    let line = Line { schema: TYPE, seq: place.seq, prev: place.prev, time, kind, body };
    #[expect(clippy::expect_used, reason = "our own types hold string keys and no maps that fail")]
    serde_json::to_vec(&line).expect("an entry as JSON")
}

impl Entry {
    /// Reads a line strictly: nothing twice, nothing unknown in a known type.
    ///
    /// # Errors
    /// [`EntryError`] says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        let value = json::parse(line)?;
        if !is_plain(&value) {
            return Err(EntryError::Value);
        }
        let Value::Object(mut members) = value else { return Err(EntryError::NotAnObject) };
        let mut take = |name| members.remove(name).ok_or(EntryError::Member(name));
        if take("_type")? != TYPE {
            return Err(EntryError::Member("_type"));
        }
        let seq = take("seq")?.as_u64().ok_or(EntryError::Member("seq"))?;
        let mut text = |name| match take(name)? {
            Value::String(text) => Ok(text),
            _ => Err(EntryError::Member(name)),
        };
        let prev = text("prev")?.parse().map_err(|_| EntryError::Member("prev"))?;
        let time = time::parse(&text("time")?).map_err(|_| EntryError::Member("time"))?;
        let kind = text("type")?;
        Ok(Self { seq, prev, time, body: body(kind, members)? })
    }
}

fn body(kind: String, members: Map<String, Value>) -> Result<Body, EntryError> {
    if let Some(milestone) = Milestone::of(&kind) {
        return Ok(Body::Rollout(milestone, Box::new(event(members)?)));
    }
    Ok(match kind.as_str() {
        "log.created" => Body::Created(event(members)?),
        "decision" => Body::Decision(Box::new(typed(members)?)),
        "policy.changed" => Body::PolicyChanged(event(members)?),
        "trust.changed" => Body::TrustChanged(event(members)?),
        "log.recovered" => Body::Recovered(event(members)?),
        "anchor.recorded" => Body::Anchored(event(members)?),
        "annotation" => Body::Annotation(event(members)?),
        "heartbeat" => Body::Heartbeat(event(members)?),
        _ => Body::Other { kind, members },
    })
}

fn event<T: DeserializeOwned>(mut members: Map<String, Value>) -> Result<Event<T>, EntryError> {
    let actor = members.remove("actor").ok_or(EntryError::Member("actor"))?;
    let tool = members.remove("tool").ok_or(EntryError::Member("tool"))?;
    let actor = serde_json::from_value(actor).map_err(JsonError::from)?;
    let tool = serde_json::from_value(tool).map_err(JsonError::from)?;
    Ok(Event { actor, tool, members: typed(members)? })
}

fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, EntryError> {
    Ok(serde_json::from_value(Value::Object(members)).map_err(JsonError::from)?)
}

/// Whether a value has no null and no number but integers that every reader takes exactly.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).is_some_and(|n| n <= MAX_INTEGER)
        }
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => members.values().all(is_plain),
    }
}

#[cfg(test)]
mod tests;
