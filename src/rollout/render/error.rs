//! Why a plan is not rendered.

use crate::plan::recorded::Unsound;

use super::Engine;

/// Why a plan is not rendered. Each is the user's to mend: a setting, the plan, or the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The engine needs what no plan names.
    #[error("manifests for {engine} need `{member}`")]
    Missing {
        /// The engine.
        engine: Engine,
        /// The member of `render:`.
        member: &'static str,
    },
    /// A setting is not such a thing.
    #[error("`{member}` is `{value}`, and has to be {expected}")]
    Invalid {
        /// The member of `render:`.
        member: &'static str,
        /// What it is.
        value: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Which of them share a Pod, and which serves, no plan says.
    #[error("the plan deploys {} artifacts, `{}`, and manifests hold one image", .0.len(), .0.join("`, `"))]
    SeveralImages(Vec<String>),
    /// A file can't be run by a cluster.
    #[error("the plan deploys `{0}`, which is no image")]
    NoImage(String),
    /// One Service selects one slot.
    #[error("the plan shifts traffic by {}, and one Service knows 0 and 100 alone", percents(.0))]
    Weights(Vec<u64>),
    /// The stable version is to be rendered, and the plan names none.
    #[error("the plan names no stable version of `{0}` that could be rendered")]
    NoStable(String),
    /// The engine would read it as a template of its own.
    #[error("`{text}` holds `{{{{`, which {engine} takes for a template of its own")]
    Template {
        /// The engine.
        engine: Engine,
        /// The series or argument.
        text: String,
    },
    /// It would end the string that it is put into.
    #[error("the version `{0}` can't stand in a series: letters, digits and `. _ + ~ : -` can")]
    Version(String),
    /// No object can be called so.
    #[error("the objective `{0}` is no name of a Kubernetes object")]
    Objective(String),
    /// A number beyond what the engine holds.
    #[error("`{what}` is {value}, and a manifest holds {least} to {most}")]
    Number {
        /// The plan's member.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A core that no gate writes.
    #[error("the plan contradicts itself")]
    Unsound(#[source] Unsound),
}

fn percents(steps: &[u64]) -> String {
    steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}
