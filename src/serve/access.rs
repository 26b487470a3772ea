//! One line of JSON on stderr for each request, and its count.
//!
//! In: a request and its answer. Out: when, which route, who, how it ended, how long it took, and the span that it is,
//! or that the caller goes on with (<https://www.w3.org/TR/trace-context/>). A line holds no path, query or header of a
//! client's but that. Where traces are asked for, the request is a span of one ([`traces`](super::traces)).

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use opentelemetry::context::FutureExt as _;
use serde_json::json;

use super::caller::Caller;
use super::journal::tell;
use super::metrics::{HTTP_REQUESTS, HTTP_SECONDS, Meter};
use super::traces::{Asked, Traces};
use crate::time::Timestamp;

/// What is written down of requests.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) meter: Arc<Meter>,
    pub(super) clock: fn() -> Timestamp,
    pub(super) traces: Traces,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
}

/// Writes a line for each request of these routes.
pub(super) fn noted(routes: Router, access: Access) -> Router {
    routes.layer(middleware::from_fn_with_state(access, note))
}

async fn note(State(access): State<Access>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = method(request.method());
    let asked = Asked {
        method,
        route: path.as_deref(),
        path: request.uri().path(),
        scheme: access.scheme,
        headers: request.headers(),
    };
    let traced = access.traces.begin(&asked, (access.clock)());
    let response = next.run(request).with_context(traced.context()).await;
    traced.end(response.status().as_u16());
    let route = path.unwrap_or_else(|| "none".to_owned());
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let labels = vec![("route", route.clone()), ("status", status.to_string())];
    access.meter.count(HTTP_REQUESTS, labels);
    access.meter.time(HTTP_SECONDS, vec![("route", route.clone())], took);
    let caller = response.extensions().get::<Caller>().map(Caller::name);
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let members = json!({
        "route": route, "method": method, "status": status, "tookMicros": took, "caller": caller,
        "trace": traced.traceparent(),
    });
    tell((access.clock)(), "request", members);
    response
}

/// A method that is known: a client may invent others.
fn method(method: &axum::http::Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
