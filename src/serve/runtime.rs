//! `laforge runtime`: answers for engines which shift traffic themselves.
//!
//! In: a listener, and a [`Desk`] over one accepted plan. Out: answers, until SIGTERM or SIGINT. There is neither
//! TLS nor a login yet, which is why it listens on loopback. Routes: [`argo`], [`flagger`], [`probes`]. Spec:
//! `rollout.md` sections 4 and 5 (7).

mod argo;
mod body;
mod counting;
mod desk;
mod flagger;
mod journal;
mod memory;
mod migration;
mod probes;
mod query;

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::server::{self, ServeError};

pub use desk::{Desk, Source};
pub use memory::{Memory, MemoryError};

/// Serves until SIGTERM or SIGINT, and then finishes what is under way.
///
/// # Errors
/// [`ServeError`]: it could not begin.
pub fn serve(listener: TcpListener, desk: &Arc<Desk>) -> Result<(), ServeError> {
    server::serve(listener, routes(desk), || desk.end())
}

/// The whole of what can be asked.
fn routes(desk: &Arc<Desk>) -> Router {
    Router::new()
        .route("/livez", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/v1/argo/verdict", get(argo::verdict).post(argo::verdict))
        .route("/v1/flagger/{gate}", post(flagger::gate))
        .with_state(Arc::clone(desk))
}
