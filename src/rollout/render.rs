//! A plan as manifests of an engine that exists: Argo Rollouts, Flagger, the Gateway API, plain Kubernetes.
//!
//! In: an [`AcceptedPlan`], and [`Settings`] for what no plan names. Out: [`Rendered`], the objects and
//! what the engine can't do of what the plan asks ([`Lossy`]), or a [`RenderError`] where a manifest would
//! be wrong. Pure. Not checked here: whether a cluster takes them, and that nobody edits them afterwards.
//! Spec: `rollout.md` section 4; `docs/render.md`.

mod argo;
mod course;
pub mod error;
mod flagger;
mod gateway;
mod kubernetes;
pub mod lossy;
mod object;
mod pod;
mod query;
pub mod settings;
mod yaml;

use std::fmt;

use serde_json::Value;

use super::envelope::AcceptedPlan;
use course::Course;

pub use error::RenderError;
pub use lossy::Lossy;
pub use settings::{RenderSection, Settings};

/// Whose manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Argo Rollouts: a `Rollout` and its analyses.
    ArgoRollouts,
    /// Flagger: a `Canary` and its metrics.
    Flagger,
    /// Two slots behind an `HTTPRoute`, whose weights laforge's own guard moves.
    GatewayApi,
    /// Two slots behind one Service: all or nothing.
    Kubernetes,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ArgoRollouts, Self::Flagger, Self::GatewayApi, Self::Kubernetes];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ArgoRollouts => "argo-rollouts",
            Self::Flagger => "flagger",
            Self::GatewayApi => "gateway-api",
            Self::Kubernetes => "kubernetes",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A plan as manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Value>,
    /// What the engine does otherwise than the plan says, each once.
    pub lossy: Vec<Lossy>,
    /// Commands that are no manifest: what somebody has to run, and when.
    pub commands: Vec<String>,
}

impl Rendered {
    /// One YAML document per object.
    pub fn yaml(&self) -> String {
        self.objects.iter().map(|object| format!("---\n{}", yaml::document(object))).collect()
    }
}

/// Renders a plan for an engine.
///
/// # Errors
/// [`RenderError`]: a setting is missing or no such thing, or the engine can't do what the plan asks.
pub fn render(engine: Engine, plan: &AcceptedPlan, settings: &Settings) -> Result<Rendered, RenderError> {
    let course = Course::of(plan, settings, engine)?;
    let mut rendered = match engine {
        Engine::ArgoRollouts => argo::render(&course),
        Engine::Flagger => flagger::render(&course),
        Engine::GatewayApi => gateway::render(&course),
        Engine::Kubernetes => kubernetes::render(&course),
    }?;
    rendered.lossy.extend(course.lossy());
    rendered.lossy.sort_unstable();
    rendered.lossy.dedup();
    Ok(rendered)
}

#[cfg(test)]
mod tests;
