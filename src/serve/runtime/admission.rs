//! `/v1/admission`: the webhook of a Kubernetes API server.
//!
//! In: an `AdmissionReview` of `admission.k8s.io/v1`. Out: one with the answer. What is created or updated is
//! admitted where each image that it runs is pinned by a digest, and the log holds an allow for that digest and the
//! namespace's environment that has not expired; or where an update brings no image, each by its digest, that the object
//! did not run before. What deletes or connects runs nothing new, and an object without an image neither: both are admitted. All
//! else is refused, with what is missing; so is everything while the log can't be read.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>.

mod images;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::super::body::{Most, decode, read};
use super::super::metrics::{Meter, REVIEWS};
use super::super::problem::{Problem, answer};
use super::ledger::{Ledger, Said};
use crate::config::service::Admission;
use crate::release::digest::ClaimedDigest;
use crate::release::reference::ImageReference;
use crate::time::{self, Timestamp};
use images::{Image, Running, short};

/// An API server's own limit is 3 MiB an object, and a review may hold two.
const MOST: Most = Most { bytes: 4 << 20, time: Duration::from_secs(5) };
/// Reasons that are told at once.
const MOST_REASONS: usize = 8;

/// What the webhook works with.
pub(super) struct Webhook {
    pub(super) admission: Admission,
    pub(super) ledger: Arc<Ledger>,
    pub(super) meter: Arc<Meter>,
    /// Reviews that are read at a time, since one may grow to many times its bytes.
    pub(super) readers: Arc<Semaphore>,
    pub(super) clock: fn() -> Timestamp,
}

/// How many reviews are read at a time.
pub(super) const READERS: usize = 4;

/// `AdmissionReview` as it is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AdmissionReview")]
pub(super) struct Review {
    /// `admission.k8s.io/v1`.
    api_version: String,
    /// `AdmissionReview`.
    kind: String,
    /// What is to be done.
    request: Asked,
}

/// What is to be done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// One per review.
    uid: String,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    operation: String,
    /// The object's namespace.
    #[serde(default)]
    namespace: String,
    /// The object as it would be.
    #[serde(default)]
    object: Value,
    /// The object as it is.
    #[serde(default)]
    old_object: Value,
}

/// `AdmissionReview` as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AdmissionAnswer")]
pub(super) struct Answered {
    api_version: &'static str,
    kind: &'static str,
    response: Answer,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// The review's.
    uid: String,
    /// Whether it may be done.
    allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// For the API server's own audit log.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

/// Why something may not be done.
#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    /// 403, or 503 where it can't be known now.
    code: u16,
    /// What is missing, and how to mend it.
    message: String,
    /// `Forbidden` or `ServiceUnavailable`.
    reason: &'static str,
}

/// What becomes of a review.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// It may be done; by which entries, or why none is needed.
    Admitted(String),
    /// It may not.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// Answers a review.
pub(super) async fn review(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let body = match read(request, MOST).await {
        Ok(body) => body,
        Err(problem) => return problem.response(),
    };
    // Never closed. It is held until there is an answer.
    let _reader = Arc::clone(&webhook.readers).acquire_owned().await;
    let review = match parsed(&body) {
        Ok(review) => review,
        Err(problem) => return problem.response(),
    };
    drop(body);
    let (uid, asked) = (review.request.uid.clone(), review.request);
    let meter = Arc::clone(&webhook.meter);
    let finding = match webhook.find(&asked) {
        // The allow may be newer than what was last read.
        Finding::Refused(_) | Finding::Unknown(_) => {
            let again = spawn_blocking(move || {
                // What can't be read now is found out by asking.
                let _ = webhook.ledger.look();
                webhook.find(&asked)
            });
            again.await.unwrap_or_else(|_| Finding::Unknown("the question broke off".to_owned()))
        }
        admitted => admitted,
    };
    meter.count(REVIEWS, vec![("result", finding.word().to_owned())]);
    let answered = Answered::of(uid, finding);
    answer(StatusCode::OK, "application/json", serde_json::to_string(&answered).unwrap_or_default())
}

fn parsed(body: &[u8]) -> Result<Review, Problem> {
    let refuse = |why: String| Problem::new(400, format!("the body is no AdmissionReview: {why}"));
    let review: Review = decode(body).map_err(refuse)?;
    if (review.api_version.as_str(), review.kind.as_str()) != ("admission.k8s.io/v1", "AdmissionReview") {
        return Err(refuse("`admission.k8s.io/v1` is what is understood here".to_owned()));
    }
    if review.request.uid.is_empty() {
        return Err(refuse("`request.uid` is empty".to_owned()));
    }
    Ok(review)
}

impl Finding {
    fn word(&self) -> &'static str {
        match self {
            Self::Admitted(_) => "admitted",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Answered {
    fn of(uid: String, finding: Finding) -> Self {
        let status = |code, reason, message| Some(Status { code, message, reason });
        let (allowed, status, because) = match finding {
            Finding::Admitted(because) => (true, None, Some(because)),
            Finding::Refused(why) => (false, status(403, "Forbidden", why), None),
            Finding::Unknown(why) => (false, status(503, "ServiceUnavailable", why), None),
        };
        let audit_annotations = because.map(|because| ("because", because)).into_iter().collect();
        let response = Answer { uid, allowed, status, audit_annotations };
        Self { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response }
    }
}

impl Webhook {
    fn find(&self, asked: &Asked) -> Finding {
        match asked.operation.as_str() {
            "CREATE" | "UPDATE" if asked.object.is_object() => self.object(asked),
            "CREATE" | "UPDATE" => Finding::Refused("laforge: the review holds no object".to_owned()),
            "DELETE" | "CONNECT" => Finding::Admitted("it runs no new image".to_owned()),
            other => Finding::Refused(format!("laforge: `{}` is no operation that is known", short(other))),
        }
    }

    fn object(&self, asked: &Asked) -> Finding {
        let running = Running::of(&asked.object);
        if running.images.is_empty() && running.faults.is_empty() {
            return Finding::Admitted("it runs no image".to_owned());
        }
        if asked.operation == "UPDATE" && brings_nothing(&running, &asked.old_object) {
            return Finding::Admitted("it brings no image that was not there".to_owned());
        }
        let listed = self.admission.namespaces.get(&asked.namespace);
        self.recorded(&running, listed.unwrap_or(&self.admission.environment))
    }

    fn recorded(&self, running: &Running, environment: &str) -> Finding {
        let mut reasons: Vec<String> = running.faults.clone();
        let mut entries = BTreeSet::new();
        for image in &running.images {
            match self.image(image, environment) {
                Ok(entry) => {
                    entries.insert(entry);
                }
                Err(Finding::Unknown(why)) => return Finding::Unknown(why),
                Err(Finding::Refused(why) | Finding::Admitted(why)) => reasons.push(why),
            }
        }
        let more = reasons.len().saturating_sub(MOST_REASONS);
        reasons.truncate(MOST_REASONS);
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        match reasons.is_empty() {
            true => {
                let entries: Vec<String> = entries.iter().map(u64::to_string).collect();
                let word = if entries.len() == 1 { "entry" } else { "entries" };
                Finding::Admitted(format!("{word} {} of {}", entries.join(", "), self.ledger.origin()))
            }
            false => Finding::Refused(format!("laforge: {}", reasons.join("; "))),
        }
    }

    /// The entry that allows an image here, or why none does.
    fn image(&self, image: &Image, environment: &str) -> Result<u64, Finding> {
        let shown = short(&image.text);
        let refuse = |why: String| Finding::Refused(format!("{}: {why}", image.place));
        let digest = digest_of(image).ok_or_else(|| {
            refuse(format!("image `{shown}` is pinned by no digest: write `repository@sha256:…`"))
        })?;
        match self.ledger.find(environment, &digest, (self.clock)()) {
            Said::Allowed(entry) => Ok(entry),
            Said::Expired { entry, at } => Err(refuse(format!(
                "image `{shown}` was allowed for `{environment}` by entry {entry}, until {}: have its release \
                 decided again (`laforge deploy`)",
                time::to_seconds(at)
            ))),
            Said::RolledBack { entry, by } => Err(refuse(format!(
                "image `{shown}` was allowed for `{environment}` by entry {entry}, and rolled back by entry {by}: a \
                 new decision lets it in again"
            ))),
            Said::Nothing => Err(refuse(format!(
                "the log holds no allow of image `{shown}` for `{environment}`: have its release decided (`laforge \
                 deploy`)"
            ))),
            Said::NoGate => Err(refuse(format!(
                "trust lets no gate of this log decide for `{environment}`: `gates` in trust.yaml pins it, with its \
                 environments"
            ))),
            Said::Unknown(why) => Err(Finding::Unknown(format!("laforge: the log can't be read: {why}"))),
        }
    }
}

/// The digest that an image is pinned by.
fn digest_of(image: &Image) -> Option<ClaimedDigest> {
    let reference: Option<ImageReference> = image.text.parse().ok();
    reference.and_then(|reference| reference.digest)
}

/// Whether every image was there before, as the same bytes: then no new code comes in, however the object changes. What
/// a tag or a member of two readings means may have changed since.
fn brings_nothing(running: &Running, old: &Value) -> bool {
    let before = Running::of(old);
    let known: BTreeSet<&str> = before.images.iter().map(|image| image.text.as_str()).collect();
    let was_there = |image: &Image| digest_of(image).is_some() && known.contains(image.text.as_str());
    !running.more && running.faults.is_empty() && running.images.iter().all(was_there)
}

#[cfg(test)]
mod tests;
