//! The body of a webhook: JSON, of a bounded size, within a bounded time, of no browser's.
//!
//! In: a request. Out: a [`Webhook`], or the [`Problem`]. A page in a browser on this machine could post here,
//! too: its `Origin` is refused, and so is any body that is not declared as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use serde::Deserialize;
use tokio::time::timeout;

use super::super::problem::Problem;

/// Bytes of a body.
const MOST_BYTES: usize = 64 * 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What Flagger says of a Canary; members that are not needed are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    /// The Canary.
    pub(super) name: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Where its rollout stands.
    #[serde(default)]
    pub(super) phase: String,
    /// The hash of what Flagger tracks.
    #[serde(default)]
    pub(super) checksum: String,
    /// The candidate's weight, where Flagger says it.
    pub(super) canary_weight: Option<u64>,
    /// Of the webhook's own definition.
    #[serde(default)]
    pub(super) metadata: Option<BTreeMap<String, String>>,
}

impl Webhook {
    /// A member of the metadata; empty is none.
    pub(super) fn metadata(&self, name: &str) -> Option<&str> {
        let metadata = self.metadata.as_ref()?;
        metadata.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// Reads a webhook.
pub(super) async fn webhook(mut request: Request) -> Result<Webhook, Problem> {
    check(request.headers())?;
    DefaultBodyLimit::max(MOST_BYTES).apply(&mut request);
    let reading = Bytes::from_request(request, &());
    let body = timeout(PATIENCE, reading).await;
    let body = body.map_err(|_| Problem::new(408, "the body took too long"))?;
    let body = body.map_err(|rejection| match rejection.status().as_u16() {
        413 => Problem::new(413, format!("the body is longer than {MOST_BYTES} bytes")),
        _ => Problem::new(400, "the body broke off"),
    })?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(400, format!("the body is not a webhook of Flagger's: {error}")))
}

fn check(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ORIGIN) {
        return Err(Problem::new(403, "this is asked by engines, not by pages in a browser"));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Problem::new(415, "the body has to be `application/json`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_read_with_and_without_what_newer_versions_add() {
        let old = r#"{"name": "app", "namespace": "prod", "phase": "Progressing", "checksum": "85d5", "metadata": {"planDigest": "sha256:0"}}"#;
        let read: Webhook = serde_json::from_str(old).unwrap();
        assert_eq!((read.canary_weight, read.metadata("planDigest")), (None, Some("sha256:0")));
        let new = r#"{"name": "app", "namespace": "prod", "phase": "Progressing", "checksum": "85d5", "failedChecks": 0, "canaryWeight": 20, "metadata": null}"#;
        let read: Webhook = serde_json::from_str(new).unwrap();
        assert_eq!((read.canary_weight, read.metadata("planDigest")), (Some(20), None));
    }

    #[test]
    fn refuses_browsers_and_what_is_not_declared_as_json() {
        let checked = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            check(&headers).map_err(|problem| problem.response().status().as_u16())
        };
        assert_eq!(checked(&[("content-type", "application/json")]), Ok(()));
        assert_eq!(checked(&[("content-type", "Application/JSON; charset=utf-8")]), Ok(()));
        assert_eq!(checked(&[("content-type", "text/plain")]), Err(415));
        assert_eq!(checked(&[]), Err(415));
        let page = [("content-type", "application/json"), ("origin", "http://127.0.0.1:8088")];
        assert_eq!(checked(&page), Err(403));
    }
}
