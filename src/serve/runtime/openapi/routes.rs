//! The table of routes: what each asks for and answers.
//!
//! In: the types that are read and written. Out: [`ROUTES`]. A new route is a row here, too: a test holds the table
//! against the routes that there are.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::super::admission::{Answered, Review};
use super::super::evaluate::Evaluation;
use super::super::rollouts::Asked;
use crate::policy;

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// The right that it asks for; none for probes.
    pub(super) right: Option<&'static str>,
    pub(super) body: Option<fn() -> Schema>,
    pub(super) answer: Answers,
    /// Statuses of problems beside 401, 403 and 503, which every route has.
    pub(super) problems: &'static [u16],
}

/// What a good answer is.
#[derive(Clone, Copy)]
pub(super) enum Answers {
    Text,
    Json(u16, fn() -> Value),
}

fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .with(|it| it.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
}

fn object() -> Value {
    json!({"type": "object"})
}

fn entry() -> Value {
    json!({
        "type": "object",
        "required": ["index", "leaf", "entry", "line"],
        "properties": {
            "index": {"type": "integer", "minimum": 0},
            "leaf": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
            "entry": {"type": "object"},
            "line": {"type": "string", "description": "The entry's exact bytes: its hash is the leaf's."},
            "proof": {"type": "string", "description": "c2sp.org/tlog-proof@v1, with the signed checkpoint."},
            "reference": {"type": "object"},
        },
    })
}

fn entries() -> Value {
    json!({
        "type": "object",
        "required": ["size", "entries", "next"],
        "properties": {
            "size": {"type": "integer", "minimum": 0},
            "entries": {"type": "array", "items": entry()},
            "next": {"type": ["integer", "null"], "description": "`before` of the next page."},
        },
    })
}

fn decided() -> Value {
    json!({
        "type": "object",
        "required": ["report"],
        "properties": {"report": report(), "plan": {"type": "object", "description": "The envelope, on allow."}},
    })
}

/// The report's own schema, without what only a document of its own has.
fn report() -> Value {
    let mut schema = policy::report_schema();
    if let Value::Object(members) = &mut schema {
        members.remove("$schema");
        members.remove("$id");
    }
    match schema.get("$defs") {
        // References are to the document's root, where they are not.
        Some(_) => object(),
        None => schema,
    }
}

fn log() -> Value {
    json!({
        "type": "object",
        "required": ["origin", "logId", "vkey", "size", "root", "checkpoint", "needsRepair"],
        "properties": {
            "origin": {"type": "string"},
            "logId": {"type": "string"},
            "vkey": {"type": "string"},
            "size": {"type": "integer", "minimum": 1},
            "root": {"type": "string"},
            "checkpoint": {"type": "string"},
            "lastEntryAt": {"type": ["string", "null"]},
            "anchoredAt": {"type": ["string", "null"], "description": "When it was recorded last that the log's head is kept elsewhere."},
            "needsRepair": {"type": "boolean"},
        },
    })
}

fn rollout() -> Value {
    json!({
        "type": "object",
        "required": ["target", "plan", "stage", "state", "guarded"],
        "properties": {
            "target": {"type": "string"},
            "plan": {"type": "string"},
            "stage": {"type": "string"},
            "state": {"type": "object"},
            "view": {"type": ["object", "null"]},
            "guarded": {"type": "boolean"},
        },
    })
}

fn rollouts() -> Value {
    json!({"type": "object", "required": ["rollouts"], "properties": {"rollouts": {"type": "array", "items": rollout()}}})
}

fn left() -> Value {
    json!({
        "type": "object",
        "required": ["target", "plan", "request", "guarded"],
        "properties": {
            "target": {"type": "string"},
            "plan": {"type": "string"},
            "request": {"type": "string"},
            "guarded": {"type": "boolean", "description": "Whether a guard is there to take it at once."},
        },
    })
}

fn reviewed() -> Value {
    schema::<Answered>().into()
}

fn judged() -> Value {
    json!({"type": "object", "required": ["result"], "properties": {"result": {"enum": ["pass", "breach", "inconclusive"]}}})
}

fn webhook() -> Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["name", "namespace"],
        "properties": {
            "name": {"type": "string"}, "namespace": {"type": "string"}, "phase": {"type": "string"},
            "checksum": {"type": "string"}, "canaryWeight": {"type": ["integer", "null"], "minimum": 0},
            "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}, "description": "With the `planDigest` of the plan that the Canary was rendered of; without it every gate holds."},
        },
    })
}

const fn reads(
    path: &'static str,
    summary: &'static str,
    answer: Answers,
    problems: &'static [u16],
) -> Route {
    Route { method: "get", path, summary, right: Some("read"), body: None, answer, problems }
}

const fn verdict(method: &'static str, summary: &'static str) -> Route {
    Route {
        method,
        path: "/v1/argo/verdict",
        summary,
        right: Some("engine"),
        body: None,
        answer: Answers::Json(200, judged),
        problems: &[400, 404],
    }
}

const fn probe(path: &'static str, summary: &'static str) -> Route {
    Route { method: "get", path, summary, right: None, body: None, answer: Answers::Text, problems: &[] }
}

/// Every route.
pub(super) const ROUTES: [Route; 19] = [
    probe("/livez", "Whether it serves"),
    probe("/readyz", "Whether it is ready"),
    probe("/health", "The older name of /livez"),
    probe("/ready", "The older name of /readyz"),
    reads("/metrics", "Metrics, in the text format of Prometheus", Answers::Text, &[]),
    reads("/openapi.json", "This document", Answers::Json(200, object), &[]),
    Route {
        method: "post",
        path: "/v1/evaluate",
        summary: "Decide, record, and give the plan where it allows",
        right: Some("evaluate"),
        body: Some(schema::<Evaluation>),
        answer: Answers::Json(200, decided),
        problems: &[400, 404, 408, 413, 415, 422],
    },
    reads(
        "/v1/decisions",
        "Entries, the newest first, filtered as `audit list` does",
        Answers::Json(200, entries),
        &[400, 404],
    ),
    reads("/v1/decisions/{index}", "One entry with its proof", Answers::Json(200, entry), &[404]),
    reads("/v1/decisions/{index}/proof", "The proof, as a c2sp.org/tlog-proof text", Answers::Text, &[404]),
    reads(
        "/v1/decisions/{index}/plan",
        "The plan of an allow, while it may be started",
        Answers::Json(200, object),
        &[404, 410],
    ),
    reads("/v1/log", "The log's signed head", Answers::Json(200, log), &[404]),
    Route {
        method: "post",
        path: "/v1/admission",
        summary: "Kubernetes' AdmissionReview",
        right: Some("admission"),
        body: Some(schema::<Review>),
        answer: Answers::Json(200, reviewed),
        problems: &[400, 404, 408, 413, 415],
    },
    reads("/v1/rollouts", "Where rollouts stand", Answers::Json(200, rollouts), &[404]),
    reads(
        "/v1/rollouts/{target}",
        "Where the rollout at a target stands",
        Answers::Json(200, rollout),
        &[404],
    ),
    Route {
        method: "post",
        path: "/v1/rollouts/{target}/{verb}",
        summary: "Ask the guard to pause, to resume or to roll back",
        right: Some("control"),
        body: Some(schema::<Asked>),
        answer: Answers::Json(202, left),
        problems: &[400, 404, 408, 409, 413, 415, 422],
    },
    verdict("get", "The verdict on a window, for Argo Rollouts' web metric"),
    verdict("post", "The same, for whoever posts"),
    Route {
        method: "post",
        path: "/v1/flagger/{gate}",
        summary: "Flagger's webhooks: 200 goes on, 403 holds",
        right: Some("engine"),
        body: Some(webhook),
        answer: Answers::Text,
        problems: &[400, 404, 408, 413, 415],
    },
];

/// What may be asked of the list of decisions.
pub(super) const FILTERS: [(&str, &str); 12] = [
    ("release", "NAME or NAME@VERSION"),
    ("environment", "The environment"),
    ("action", "allow, deny or none"),
    ("verdict", "pass, fail or error"),
    ("actor", "Who asked"),
    ("approver", "A person whose approval counted"),
    ("rule", "A rule among the findings"),
    ("type", "Entry types, separated by commas; `key.*` for a family. Default: decision"),
    ("since", "Not before this time (RFC 3339)"),
    ("until", "Before this time (RFC 3339)"),
    ("before", "Only entries before this index: `next` of the page before"),
    ("limit", "At most so many, 1 to 100"),
];
