//! `/livez` and `/readyz`: whether it serves, and whether a verdict could be given.
//!
//! Ready is: the plan is in force, and the metrics answer a question, whatever the answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::problem::{Problem, answer};
use super::desk::Desk;

pub(super) async fn alive() -> Response {
    answer(StatusCode::OK, "text/plain", "alive\n".to_owned())
}

pub(super) async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    match desk.readiness().await {
        Ok(()) => answer(StatusCode::OK, "text/plain", "ready\n".to_owned()),
        Err(why) => Problem::new(503, why).response(),
    }
}
