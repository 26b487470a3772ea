//! What is asked of the gate beside the release: how to roll out, in which mode, and by whom.
//!
//! In: what `cli` read from flags and the environment. Out: [`Request`]. Who calls is for the record (the
//! run also tells one request from another, `idem`): no rule is asked about it.

use serde::Serialize;

use crate::plan::{Mode, RolloutRequest};

/// One call of the gate.
#[derive(Debug)]
pub struct Request {
    /// How it is to be rolled out.
    pub rollout: RolloutRequest,
    /// Enforce, or rehearse.
    pub mode: Mode,
    /// Who calls.
    pub caller: Caller,
}

/// Who runs the gate, as far as it is known.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The actor.
    pub actor: Actor,
    /// The CI run, by the environment's word.
    pub ci: Option<CiRun>,
    /// The trace that the call is part of: 32 hex digits of W3C Trace Context, by the caller's word.
    pub trace: Option<String>,
}

/// Who acts (`audit-log.md` 1.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// A person's name in trust, a workload's verified subject, or `unknown`.
    pub id: String,
    /// Who vouched for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub r#type: ActorType,
    /// Whether that was verified.
    pub verified: bool,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorType {
    /// A workload.
    Workload,
    /// A person.
    Person,
    /// Nobody knows.
    Unknown,
}

/// A CI run, by the environment's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CiRun {
    /// `github`, `gitlab`, ….
    pub provider: String,
    /// The run's id.
    pub run_id: String,
    /// The attempt.
    pub attempt: u64,
    /// Where it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Caller {
    /// Nobody that could be verified, outside CI.
    pub fn unknown() -> Self {
        let actor =
            Actor { id: "unknown".to_owned(), issuer: None, r#type: ActorType::Unknown, verified: false };
        Self { actor, ci: None, trace: None }
    }
}
