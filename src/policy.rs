//! Policy: declarative rules over verified facts.
//!
//! In: the files of policy sets and the `--require-*` flags. Out: [`PolicySets`], parsed,
//! schema-checked and type-checked, and by [`decide`] a [`Decision`] with its reasons.
//! A rule sees facts alone; one that errs denies; a set that selects no rule denies.

pub mod account;
pub mod decision;
pub mod document;
pub mod finding;
mod judgement;
pub mod request;
pub mod rule;
#[cfg(test)]
mod samples;
pub mod set;
#[cfg(test)]
mod tests;

pub use account::{DecisionReport, report_schema};
pub use decision::{Decision, decide};
pub use document::{policy_schema, policy_set_schema};
pub use finding::{Finding, RuleId, Severity};
pub use request::{Actor, ActorType, Caller, CiRun, Request};
pub use set::{Flags, PolicyError, PolicyFile, PolicySet, PolicySets};

use crate::trust::TrustRoot;

/// What a release is held to: whose word counts, and the rules.
#[derive(Debug)]
pub struct Standard {
    /// Whose word counts.
    pub trust: TrustRoot,
    /// The rules.
    pub policies: PolicySets,
}
