//! The rollout: from a recorded approval to a plan, and from a plan back into this program.
//!
//! Out: [`Plan`], made of an [`Approved`](crate::audit::Approved) alone. In: an [`Envelope`], of which
//! nothing counts until [`Envelope::accept`] has taken all its steps (`formats.md` section 8).
//! How a rollout goes is [`machine`]'s, how it is judged [`objective`]'s; [`simulate`] runs both in
//! virtual time, an [`executor`]'s [`driver`]s and [`metrics`] in the real one, where every step is in
//! a [`journal`] before it takes effect.

pub mod acceptance;
pub mod driver;
pub mod envelope;
pub mod executor;
pub mod guard;
pub mod journal;
pub mod log_policy;
pub mod machine;
pub mod metrics;
pub mod objective;
pub mod promotion;
pub mod refusal;
pub mod render;
pub mod simulate;
pub mod verdict;
pub mod wire;

pub use acceptance::Acceptance;
pub use envelope::{AcceptedPlan, Envelope};
pub use log_policy::LogPolicy;
pub use promotion::Plan;
pub use refusal::AcceptError;
pub use wire::schema;

/// `payloadType` of an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.laforge.rollout-plan.v1+json";
