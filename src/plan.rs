//! The plan: what would be rolled out.
//!
//! [`PlanDraft`] is made of a resolved release and a [`RolloutRequest`]; a decision that allows
//! completes it to a [`PlanCore`], whose digest names it (`formats.md` section 8, `rollout.md` 3).
//! [`RecordedCore`] is a core read back: claims, until an envelope around it is accepted.

pub mod cause;
pub mod draft;
pub mod exact;
pub mod members;
pub mod objectives;
pub mod phases;
pub mod recorded;
pub mod request;
pub mod selector;

pub use cause::Cause;
pub use draft::{LimitedBy, Mode, PlanCore, PlanDraft, Validity, Verdict, Verification};
pub use recorded::RecordedCore;
pub use request::{RolloutError, RolloutFlags, RolloutRequest, RolloutSection};

/// `_type` of a plan core.
pub const TYPE: &str = "https://laforge.dev/rollout-plan/v1";
/// `_type` of what is digested as the `request` of an `idem`.
pub const REQUEST_TYPE: &str = "https://laforge.dev/request/v1";

/// The JSON Schema of a plan core.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RecordedCore)
}
