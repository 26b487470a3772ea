//! Who asks, and what they may do.
//!
//! In: what a login proved. Out: a [`Caller`], which a route finds among its request's extensions
//! (`Extension<Caller>`). A request that no login let in never reaches a route, so there is always one.
//! Rights are separate: none includes another. [`need`] asks for one before a route is reached.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;

use super::problem::Problem;

/// One thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    /// See decisions, plans and rollouts.
    Read,
    /// Pause, resume and roll back.
    Control,
    /// Have releases decided.
    Evaluate,
    /// Ask for verdicts and gates, as an engine.
    Engine,
    /// Ask for admission, as an API server.
    Admission,
}

impl Right {
    /// Its name in `laforge.yaml`.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Evaluate => "evaluate",
            Self::Engine => "engine",
            Self::Admission => "admission",
        }
    }
}

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person of trust, or at their own desk.
    Person,
    /// A program, by its token or certificate.
    Program,
    /// Whoever asks.
    Anyone,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name that the log and the journal are to hold: a person's of `trust.yaml`, where there is one.
    name: String,
    kind: Kind,
    rights: BTreeSet<Right>,
}

impl Caller {
    pub(super) fn new(kind: Kind, name: impl Into<String>, rights: BTreeSet<Right>) -> Self {
        Self { name: name.into(), kind, rights }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}

/// Answers 403 on each of these routes to whoever has not got that right.
pub(super) fn need<S: Clone + Send + Sync + 'static>(routes: Router<S>, right: Right) -> Router<S> {
    routes.route_layer(middleware::from_fn_with_state(right, check))
}

async fn check(State(right): State<Right>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>();
    match caller {
        Some(caller) if caller.may(right) => next.run(request).await,
        _ => {
            let name = caller.map_or("whoever asks", Caller::name);
            let right = right.name();
            Problem::new(
                403,
                format!("`{name}` has no right to `{right}`: `service:` in laforge.yaml grants it"),
            )
            .response()
        }
    }
}
