//! The body of a webhook of Flagger's.
//!
//! In: a request. Out: a [`Webhook`], or the [`Problem`]. Spec: <https://docs.flagger.app/usage/webhooks>.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Request;
use serde::Deserialize;

use super::super::body::{Most, decode, read};
use super::super::problem::Problem;

/// What a body may have.
const MOST: Most = Most { bytes: 64 * 1024, time: Duration::from_secs(5) };

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
pub(super) async fn webhook(request: Request) -> Result<Webhook, Problem> {
    let body = read(request, MOST).await?;
    decode(&body)
        .map_err(|error| Problem::new(400, format!("the body is not a webhook of Flagger's: {error}")))
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
}
