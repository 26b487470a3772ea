//! `/openapi.json`: every route, as a machine reads it.
//!
//! In: the table of [`routes`]. Out: the document. Spec: <https://spec.openapis.org/oas/v3.1.1.html>.

mod routes;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::super::problem::answer;
use routes::{Answers, FILTERS, ROUTES, Route};

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
