//! Why an envelope is not accepted: one reason per way to fail, each with the step that found it.

use crate::audit::entry::EntryError;
use crate::audit::proof::ProofError;
use crate::json::JsonError;
use crate::plan::recorded::Unsound;
use crate::release::digest::{ClaimedDigest, Digest};
use crate::time::{Timestamp, to_seconds};

use super::log_policy::QuorumError;

/// Why an envelope is not accepted (exit 13). Steps: `formats.md` section 8.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Step 0: not strict JSON, or not an envelope's members.
    #[error("the file is not an envelope of a plan")]
    Malformed(#[source] JsonError),
    /// Step 0: another payload.
    #[error("the payload type is `{0}`, not that of a rollout plan")]
    PayloadType(String),
    /// Step 0: the core has other members than a plan's.
    #[error("the plan is not a plan core")]
    Core(#[source] serde_json::Error),
    /// Step 0: a null, or a number that two readers could take for two numbers.
    #[error("the plan has a null, or a number that is not a whole one below 2^53")]
    Value,
    /// Step 0: a core that no gate writes.
    #[error("the plan contradicts itself")]
    Unsound(#[source] Unsound),

    /// Step 1: the plan is not what its digest says.
    #[error("the plan has digest {computed}, the envelope says {claimed}")]
    PlanDigest {
        /// What was computed.
        computed: Digest,
        /// What the envelope says.
        claimed: ClaimedDigest,
    },

    /// Step 2: the proof is no proof.
    #[error("the log proof can't be read")]
    Proof(#[from] ProofError),
    /// Step 2: the proof holds no checkpoint.
    #[error("the log proof holds no checkpoint")]
    Checkpoint,
    /// Step 2: entry, envelope and proof speak of different entries.
    #[error("the entry's `{member}` is not the same in line, envelope and proof")]
    Reference {
        /// `index`, `size` or `root`.
        member: &'static str,
    },
    /// Step 2: the line is not in the tree.
    #[error("the entry is not in the log's tree at this index")]
    NotIncluded,
    /// Step 3: no pinned gate signed the checkpoint.
    #[error("no gate that trust pins signed the checkpoint of `{origin}`")]
    UnknownGate {
        /// The origin that the checkpoint names.
        origin: String,
    },
    /// Step 3: the gate's key is revoked.
    #[error("the key of gate `{gate}` is revoked")]
    RevokedGate {
        /// The gate.
        gate: String,
    },
    /// Step 3: another log than the pinned one.
    #[error("gate `{gate}` is pinned with another `{member}`")]
    OtherLog {
        /// The gate.
        gate: String,
        /// `origin` or `logId`.
        member: &'static str,
    },

    /// Step 4: the line is no entry.
    #[error("the entry's line can't be read")]
    Line(#[source] EntryError),
    /// Step 4: the entry allows nothing.
    #[error("the entry is of type `{kind}` and allows no rollout")]
    NotAnAllow {
        /// The entry's type.
        kind: String,
    },
    /// Step 4: the entry speaks of something else than the plan.
    #[error("the entry's `{member}` is not the plan's")]
    Differs {
        /// The member.
        member: &'static str,
    },

    /// Step 5: the gate may not decide for this environment.
    #[error("gate `{gate}` may not decide for environment `{environment}`")]
    Environment {
        /// The gate.
        gate: String,
        /// The plan's environment.
        environment: String,
    },
    /// Step 5: decided under a policy or trust that is not pinned.
    #[error("the plan was decided under a {what} that gate `{gate}` is not pinned to: {digest}")]
    Pin {
        /// The gate.
        gate: String,
        /// `policy` or `trust`.
        what: &'static str,
        /// The plan's digest of it.
        digest: ClaimedDigest,
    },

    /// Step 6: two logs of one identity.
    #[error("the log was forked: this executor's own log and the plan's differ in `{member}`")]
    Fork {
        /// `logId`, `leaf` or `root`.
        member: &'static str,
    },
    /// Step 6: the own log can't tell yet.
    #[error("this executor's own log has {own} entries, fewer than the {plan} of the plan's checkpoint")]
    Behind {
        /// Its size.
        own: u64,
        /// The plan's.
        plan: u64,
    },
    /// Step 6: no quorum.
    #[error("the checkpoint has no quorum of witnesses")]
    Quorum(#[from] QuorumError),
    /// Step 6: nothing that could exclude a fork.
    #[error("a fork of the log is not excluded: no log of its own and no witness policy is configured")]
    Unanchored,

    /// Step 7: too early.
    #[error("the plan may be started from {} on", to_seconds(*not_before))]
    NotYetValid {
        /// From when.
        not_before: Timestamp,
    },
    /// Step 7: too late.
    #[error("the plan ended at {}", to_seconds(*not_after))]
    Expired {
        /// Until when.
        not_after: Timestamp,
    },

    /// Step 8: for somebody else.
    #[error("the plan is for {what} `{planned}`, this executor for `{own}`")]
    Elsewhere {
        /// `target` or `environment`.
        what: &'static str,
        /// The plan's.
        planned: String,
        /// The executor's.
        own: String,
    },

    /// Step 9: it was run already.
    #[error("the plan was run to its end at this target")]
    Ended,
}

impl AcceptError {
    /// The step of `formats.md` section 8 that refused.
    pub fn step(&self) -> u8 {
        match self {
            Self::Malformed(_) | Self::PayloadType(_) | Self::Core(_) | Self::Value | Self::Unsound(_) => 0,
            Self::PlanDigest { .. } => 1,
            Self::Proof(_) | Self::Checkpoint | Self::Reference { .. } | Self::NotIncluded => 2,
            Self::UnknownGate { .. } | Self::RevokedGate { .. } | Self::OtherLog { .. } => 3,
            Self::Line(_) | Self::NotAnAllow { .. } | Self::Differs { .. } => 4,
            Self::Environment { .. } | Self::Pin { .. } => 5,
            Self::Fork { .. } | Self::Behind { .. } | Self::Quorum(_) | Self::Unanchored => 6,
            Self::NotYetValid { .. } | Self::Expired { .. } => 7,
            Self::Elsewhere { .. } => 8,
            Self::Ended => 9,
        }
    }
}
