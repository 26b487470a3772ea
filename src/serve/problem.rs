//! What went wrong with a request, as a problem document (RFC 9457, <https://www.rfc-editor.org/rfc/rfc9457>).
//!
//! In: a status and what is wrong. Out: the response. `type` is left at its default, so `title` is the
//! status's own.

use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

/// A request that is not answered as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: u16,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    pub(super) fn response(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({"title": title, "status": status.as_u16(), "detail": self.detail});
        answer(status, "application/problem+json", body.to_string())
    }
}

/// What a path names, where that is text.
pub(super) type Named<T> = Result<Path<T>, PathRejection>;

/// What a path names; what is no text names nothing.
pub(super) fn named<T>(path: Named<T>) -> Result<T, Problem> {
    let nothing = |_| Problem::new(404, "there is nothing at a path that is no text");
    path.map(|Path(named)| named).map_err(nothing)
}

/// An answer that nobody is to keep.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_its_status_twice_and_what_is_wrong_once() {
        let response = Problem::new(404, "there is nothing at `/x`").response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
        let body = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(axum::body::to_bytes(response.into_body(), 1000))
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told, json!({"title": "Not Found", "status": 404, "detail": "there is nothing at `/x`"}));
    }
}
