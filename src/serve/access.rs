//! One line of JSON on stderr for each request, and its count.
//!
//! In: a request and its answer. Out: when, which route, who, how it ended, how long it took, and the trace that the
//! caller goes on with, where it says one (<https://www.w3.org/TR/trace-context/>). A line holds no path, query or
//! header of a client's but that.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::Response;
use serde_json::json;

use super::caller::Caller;
use super::journal::tell;
use super::metrics::{HTTP_REQUESTS, HTTP_SECONDS, Meter};
use crate::time::Timestamp;

/// What is written down of requests.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) meter: Arc<Meter>,
    pub(super) clock: fn() -> Timestamp,
}

/// Writes a line for each request of these routes.
pub(super) fn noted(routes: Router, access: Access) -> Router {
    routes.layer(middleware::from_fn_with_state(access, note))
}

async fn note(State(access): State<Access>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = path.unwrap_or_else(|| "none".to_owned());
    let method = method(request.method());
    let trace = trace(request.headers());
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let labels = vec![("route", route.clone()), ("status", status.to_string())];
    access.meter.count(HTTP_REQUESTS, labels);
    access.meter.time(HTTP_SECONDS, vec![("route", route.clone())], took);
    let caller = response.extensions().get::<Caller>().map(Caller::name);
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let members = json!({
        "route": route, "method": method, "status": status, "tookMicros": took, "caller": caller, "trace": trace,
    });
    tell((access.clock)(), "request", members);
    response
}

/// A method that is known: a client may invent others.
fn method(method: &axum::http::Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// `traceparent`, if it is one.
fn trace(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match parts.as_slice() {
        [version, trace, span, flags]
            if hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2) =>
        {
            Some(text.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_trace_and_nothing_else() {
        let told = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            trace(&headers)
        };
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(told(good).as_deref(), Some(good));
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            &good.to_uppercase(),
            &format!("{good}-x"),
        ] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }
}
