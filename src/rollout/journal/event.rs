//! Events as they are journaled: `https://laforge.dev/rollout-event/v1`.
//!
//! In: what the guard was told, or a line's `event`. Out: the body with its id, which is the digest of
//! the body without the id; and the machine's [`Occurrence`] again. A retry is the same event.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::rollout::machine::event::Source;
use crate::rollout::machine::{Event, Occurrence};
use crate::rollout::objective::{Breach, Measured, Unclear};
use crate::time::Timestamp;

use super::line::{exact, micros, parsed};
use super::{Fault, JournalError};

/// `_type` of an event's body.
const TYPE: &str = "https://laforge.dev/rollout-event/v1";

/// The type of line 0's event.
const CREATED: &str = "journal.created";

/// An event and how it came to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event, with the epoch in which its sender saw the rollout.
    pub occurrence: Occurrence,
    /// When it was seen.
    pub observed_at: Timestamp,
    /// One per request of an operator: a retry has the same.
    pub nonce: Option<String>,
    /// Why it is told, where that was measured; of an operator's request nothing, so that a retry is the same.
    pub seen: Option<Seen>,
}

/// Why an event is told: what was counted, and what went wrong. The machine takes none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seen {
    /// What the candidate counted in the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidate: Vec<Measured>,
    /// What stable counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stable: Vec<Measured>,
    /// How a breach came to light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<Breach>,
    /// Why a window's end is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<Unclear>,
    /// What could not be read, run or reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

impl Seen {
    /// Itself, if it says anything.
    pub fn unless_empty(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// What line 0 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The envelope's exact bytes.
    pub envelope: Vec<u8>,
    /// The plan.
    pub plan_digest: ClaimedDigest,
    /// Where it is rolled out.
    pub target: String,
    /// Which slot plays which part.
    pub slots: Slots,
}

/// The executor's names of the slots: at the start the one without traffic is the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// The version serving.
    pub stable: String,
    /// The version on trial.
    pub candidate: String,
}

/// `data` of line 0's event.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreatedData {
    target: String,
    envelope: String,
    slots: Slots,
}

/// An event's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventBody {
    #[serde(rename = "_type")]
    schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<ClaimedDigest>,
    plan_digest: ClaimedDigest,
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_id: Option<u64>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    source: Source,
    #[serde(serialize_with = "micros", deserialize_with = "parsed")]
    observed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    data: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
}

impl EventBody {
    /// The body of line 0.
    pub(super) fn created(created: &Created, at: Timestamp) -> Result<Self, JournalError> {
        let text = String::from_utf8(created.envelope.clone());
        let data = CreatedData {
            target: created.target.clone(),
            envelope: text.map_err(|_| JournalError::Envelope(Fault::NotText))?,
            slots: created.slots.clone(),
        };
        let body = Self {
            schema: TYPE.to_owned(),
            event_id: None,
            plan_digest: created.plan_digest.clone(),
            epoch: 0,
            window_id: None,
            kind: CREATED.to_owned(),
            source: Source::Guard,
            observed_at: exact(at),
            nonce: None,
            data: members(&data),
            seen: None,
        };
        Ok(body.named())
    }

    /// The body of what was told, and what the machine takes of it.
    pub(super) fn of(plan: &ClaimedDigest, notice: Notice) -> Result<(Self, Occurrence), JournalError> {
        let Notice { occurrence, observed_at, nonce, seen } = notice;
        let source = occurrence.event.source();
        if source == Source::Operator && nonce.is_none() {
            return Err(JournalError::Event(Fault::NoNonce));
        }
        let mut event = members(&occurrence.event);
        let mut data = match event.remove("data") {
            Some(Value::Object(data)) => data,
            _ => Map::new(),
        };
        let window_id = data.remove("window").and_then(|window| window.as_u64());
        let body = Self {
            schema: TYPE.to_owned(),
            event_id: None,
            plan_digest: plan.clone(),
            epoch: occurrence.epoch,
            window_id,
            kind: occurrence.event.name().to_owned(),
            source,
            observed_at: exact(observed_at),
            nonce,
            data,
            seen,
        };
        Ok((body.named(), occurrence))
    }

    /// The id that the body has, whatever it says.
    pub(super) fn id(&self) -> Digest {
        Digest::of_bytes(&json::canonical(&Self { event_id: None, ..self.clone() }))
    }

    fn named(self) -> Self {
        Self { event_id: Some(self.id().claim()), ..self }
    }

    /// That it is what it says it is, of this plan; gives its id.
    pub(super) fn check(&self, plan: &ClaimedDigest) -> Result<Digest, Fault> {
        let id = self.id();
        if self.schema != TYPE {
            return Err(Fault::OutOfPlace(self.schema.clone()));
        }
        if self.event_id.as_ref().is_none_or(|said| id != *said) {
            return Err(Fault::EventId(id));
        }
        if self.plan_digest != *plan {
            return Err(Fault::OtherPlan(self.plan_digest.clone()));
        }
        Ok(id)
    }

    /// What line 0 says.
    pub(super) fn read_created(&self) -> Result<Created, Fault> {
        if self.kind != CREATED {
            return Err(Fault::OutOfPlace(self.kind.clone()));
        }
        let data: CreatedData =
            serde_json::from_value(Value::Object(self.data.clone())).map_err(Fault::Unknown)?;
        Ok(Created {
            envelope: data.envelope.into_bytes(),
            plan_digest: self.plan_digest.clone(),
            target: data.target,
            slots: data.slots,
        })
    }

    /// What the machine takes of any other line.
    pub(super) fn read(&self) -> Result<Occurrence, Fault> {
        if self.kind == CREATED {
            return Err(Fault::OutOfPlace(self.kind.clone()));
        }
        let mut data = self.data.clone();
        if let Some(window) = self.window_id {
            data.insert("window".to_owned(), window.into());
        }
        let mut event = Map::from_iter([("type".to_owned(), Value::String(self.kind.clone()))]);
        if !data.is_empty() {
            event.insert("data".to_owned(), Value::Object(data));
        }
        let event: Event = serde_json::from_value(Value::Object(event)).map_err(Fault::Unknown)?;
        if event.source() != self.source {
            return Err(Fault::Source);
        }
        if self.source == Source::Operator && self.nonce.is_none() {
            return Err(Fault::NoNonce);
        }
        Ok(Occurrence { epoch: self.epoch, event })
    }

    /// When it was seen.
    pub(super) fn observed_at(&self) -> Timestamp {
        self.observed_at
    }

    /// What was said of it.
    pub(super) fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// Why it was told.
    pub(super) fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }
}

/// A value's members; our own types are objects.
fn members(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
