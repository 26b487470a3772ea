//! `/openapi.json`: every route, as a machine reads it.
//!
//! In: one table of routes, and the schemas of the types that are read and written. Out: the document. A test holds
//! the table against the routes that there are. Spec: <https://spec.openapis.org/oas/v3.1.1.html>.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::super::problem::answer;
use super::admission::{Answered, Review};
use super::evaluate::Evaluation;
use super::rollouts::Asked;
use crate::policy;

/// One route.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// The right that it asks for; none for probes.
    right: Option<&'static str>,
    body: Option<fn() -> Schema>,
    answer: Answers,
    /// Statuses of problems beside 401, 403 and 503, which every route has.
    problems: &'static [u16],
}

/// What a good answer is.
#[derive(Clone, Copy)]
enum Answers {
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

fn verdict() -> Value {
    json!({"type": "object", "required": ["result"], "properties": {"result": {"enum": ["pass", "breach", "inconclusive"]}}})
}

fn webhook() -> Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["name", "namespace"],
        "properties": {
            "name": {"type": "string"}, "namespace": {"type": "string"}, "phase": {"type": "string"},
            "checksum": {"type": "string"}, "canaryWeight": {"type": ["integer", "null"], "minimum": 0},
            "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
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

const fn probe(path: &'static str, summary: &'static str) -> Route {
    Route { method: "get", path, summary, right: None, body: None, answer: Answers::Text, problems: &[] }
}

/// Every route.
const ROUTES: [Route; 19] = [
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
    Route {
        method: "get",
        path: "/v1/argo/verdict",
        summary: "The verdict on a window, for Argo Rollouts' web metric",
        right: Some("engine"),
        body: None,
        answer: Answers::Json(200, verdict),
        problems: &[400, 404],
    },
    Route {
        method: "post",
        path: "/v1/argo/verdict",
        summary: "The same, for whoever posts",
        right: Some("engine"),
        body: None,
        answer: Answers::Json(200, verdict),
        problems: &[400, 404],
    },
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
const FILTERS: [(&str, &str); 12] = [
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

pub(super) async fn document() -> Response {
    answer(StatusCode::OK, "application/json", openapi().to_string())
}

/// The document.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(operations) = operations {
            operations.insert(route.method.to_owned(), route.operation());
        }
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "laforge runtime",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The gate, its log and its rollouts.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An issuer's token, or a configured one."},
                "certificate": {"type": "mutualTLS"},
            },
            "schemas": {"Problem": {
                "type": "object",
                "required": ["title", "status", "detail"],
                "properties": {
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            }},
        },
    })
}

impl Route {
    fn operation(&self) -> Value {
        let mut operation = json!({
            "summary": self.summary,
            "operationId": self.id(),
            "parameters": self.parameters(),
            "responses": self.responses(),
            "security": match self.right {
                Some(_) => json!([{"bearer": []}, {"certificate": []}]),
                None => json!([]),
            },
        });
        if let Value::Object(members) = &mut operation {
            if let Some(right) = self.right {
                members.insert("description".to_owned(), format!("Asks for the right `{right}`.").into());
            }
            if let Some(body) = self.body {
                let mut schema: Value = body().into();
                if let Value::Object(schema) = &mut schema {
                    schema.remove("$schema");
                }
                let content = json!({"application/json": {"schema": schema}});
                members.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
            }
        }
        operation
    }

    fn id(&self) -> String {
        let path = self.path.replace(['/', '{', '}', '.'], " ");
        let words: Vec<&str> = path.split_whitespace().collect();
        format!("{}_{}", self.method, words.join("_"))
    }

    fn parameters(&self) -> Value {
        let in_path = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let of = |place: &str, name: &str, required: bool, about: &str, schema: Value| json!({"name": name, "in": place, "required": required, "description": about, "schema": schema});
        let mut list: Vec<Value> = in_path
            .map(|name| match name {
                "index" => {
                    of("path", name, true, "An entry's index", json!({"type": "integer", "minimum": 0}))
                }
                "verb" => {
                    of("path", name, true, "What is asked", json!({"enum": ["pause", "resume", "rollback"]}))
                }
                "gate" => {
                    let gates = json!({"enum": ["start", "migrate", "step", "promote", "rollback", "event"]});
                    of("path", name, true, "Which webhook", gates)
                }
                _ => of("path", name, true, "The target", json!({"type": "string", "minLength": 1})),
            })
            .collect();
        let text = || json!({"type": "string"});
        match self.path {
            "/v1/decisions" => {
                list.extend(FILTERS.iter().map(|(name, about)| of("query", name, false, about, text())));
            }
            "/v1/argo/verdict" => {
                list.push(of("query", "window", false, "How long: 300s, 5m, 1h30m", text()));
                list.push(of("query", "step", false, "Which step of the plan, from 0", text()));
            }
            _ => {}
        }
        list.into()
    }

    fn responses(&self) -> Value {
        let mut responses = Map::new();
        let (status, content) = match self.answer {
            Answers::Text => (200, json!({"text/plain": {"schema": {"type": "string"}}})),
            Answers::Json(status, schema) => {
                let mut schema = schema();
                if let Value::Object(schema) = &mut schema {
                    schema.remove("$schema");
                }
                (status, json!({"application/json": {"schema": schema}}))
            }
        };
        responses.insert(status.to_string(), json!({"description": self.summary, "content": content}));
        let denied: &[u16] = if self.right.is_some() { &[401, 403, 503] } else { &[503] };
        for status in self.problems.iter().chain(denied) {
            let title = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let mut content =
                json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
            if let (403, "/v1/flagger/{gate}", Value::Object(content)) = (*status, self.path, &mut content) {
                // A gate that holds says why.
                content.insert("text/plain".to_owned(), json!({"schema": {"type": "string"}}));
            }
            responses.insert(
                status.to_string(),
                json!({"description": title.unwrap_or_default(), "content": content}),
            );
        }
        responses.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The routes that the program's own text makes.
    fn made() -> BTreeSet<String> {
        let texts = [include_str!("../runtime.rs"), include_str!("probes.rs")];
        let quoted = texts.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
        quoted.filter(|text| text.starts_with('/')).map(str::to_owned).collect()
    }

    #[test]
    fn names_every_route_and_no_other() {
        let told: BTreeSet<String> = ROUTES.iter().map(|route| route.path.to_owned()).collect();
        assert_eq!(told, made());
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let names: BTreeSet<String> = ROUTES.iter().map(Route::id).collect();
        assert_eq!(names.len(), ROUTES.len());
    }

    #[test]
    fn every_route_but_a_probe_asks_for_a_right() {
        let open: Vec<&str> =
            ROUTES.iter().filter(|route| route.right.is_none()).map(|route| route.path).collect();
        assert_eq!(open, ["/livez", "/readyz", "/health", "/ready"]);
    }
}
