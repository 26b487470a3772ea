//! What a build took in: its external parameters and its resolved dependencies.
//!
//! In: a provenance predicate of any builder. Out: texts that rules compare, bounded, since a
//! builder's parameters may hold a whole event: what is left out is said by nobody, so that an
//! expectation of it is not met. Spec: <https://slsa.dev/spec/v1.1/provenance>, `externalParameters`
//! and `resolvedDependencies`; v0.2 calls them `invocation.parameters` and `materials`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rule::without_dots;
use crate::evidence::predicate::provenance::{COLLECTION, Provenance, V01, V02};

/// Parameters and dependencies of one provenance, and characters of one of them.
const MOST: usize = 64;
const LONGEST: usize = 512;

/// Digests by which a dependency is that one and no other: in-toto's names, strong ones and git's.
const PINS: [&str; 4] = ["sha256", "sha512", "gitCommit", "sha1"];

/// The parameters that the build's caller set: JSON pointer to text, numbers and booleans as JSON
/// writes them. Lists and objects are their members.
pub(super) fn parameters(provenance: &Provenance<'_>) -> BTreeMap<String, String> {
    let places: &[&str] = match provenance.predicate_type {
        V02 => &["/invocation/parameters"],
        V01 => &["/recipe/arguments/substitutions", "/recipe/arguments"],
        COLLECTION => &["/parameters"],
        _ => &["/buildDefinition/externalParameters"],
    };
    let mut parameters = BTreeMap::new();
    if let Some(value) = places.iter().find_map(|at| provenance.predicate.pointer(at)) {
        leaves(value, "", &mut parameters);
    }
    parameters
}

/// Nothing below a pointer that is too long is looked at, nor anything once there are enough.
fn leaves(value: &Value, at: &str, parameters: &mut BTreeMap<String, String>) {
    if at.len() > LONGEST || parameters.len() >= MOST {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{at}/{name}"), parameters);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, &format!("{at}/{index}"), parameters);
            }
        }
        Value::String(text) => keep(at, text.clone(), parameters),
        Value::Number(_) | Value::Bool(_) => keep(at, value.to_string(), parameters),
        Value::Null => {}
    }
}

fn keep(at: &str, text: String, parameters: &mut BTreeMap<String, String>) {
    if text.len() <= LONGEST {
        parameters.insert(at.to_owned(), text);
    }
}

/// The URIs of dependencies that a digest pins.
pub(super) fn dependencies(provenance: &Provenance<'_>) -> BTreeSet<String> {
    let list = match provenance.predicate_type {
        V02 | V01 => "/materials",
        _ => "/buildDefinition/resolvedDependencies",
    };
    let entries = provenance.predicate.pointer(list).and_then(Value::as_array).into_iter().flatten();
    let is_pinned = |entry: &&Value| {
        let text = |pin: &str| entry.get("digest").and_then(|digest| digest.get(pin)).and_then(Value::as_str);
        PINS.iter().any(|pin| text(pin).is_some_and(|text| !text.is_empty()))
    };
    let uris = entries.filter(is_pinned).filter_map(|entry| entry.get("uri")?.as_str());
    let fits = |uri: &&str| !uri.is_empty() && uri.len() <= LONGEST;
    uris.filter(fits).take(MOST).map(without_dots).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::predicate::provenance::V1;

    fn predicate(external: Value, dependencies: Value) -> Value {
        json!({
            "buildDefinition": {
                "buildType": "t", "externalParameters": external, "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": "b"}},
        })
    }

    #[test]
    fn parameters_are_texts_by_pointer() {
        let external = json!({
            "workflow": {"path": "x.yml"}, "inputs": {"a/b": true, "n": 7, "none": null}, "args": ["-x", "-y"],
        });
        let predicate = predicate(external, json!([]));
        let parameters = parameters(&Provenance::read(V1, &predicate).unwrap());
        let expected = [
            ("/args/0", "-x"),
            ("/args/1", "-y"),
            ("/inputs/a~1b", "true"),
            ("/inputs/n", "7"),
            ("/workflow/path", "x.yml"),
        ];
        assert_eq!(parameters, expected.map(|(at, text)| (at.to_owned(), text.to_owned())).into());
    }

    #[test]
    fn an_event_of_any_size_leaves_a_bounded_fact() {
        let external: serde_json::Map<String, Value> =
            (0..10_000).map(|n| (format!("p{n}"), json!("x".repeat(n)))).collect();
        let predicate = predicate(Value::Object(external), json!([]));
        let parameters = parameters(&Provenance::read(V1, &predicate).unwrap());
        assert!(parameters.len() <= MOST && parameters.values().all(|text| text.len() <= LONGEST));
    }

    #[test]
    fn a_dependency_counts_only_when_a_digest_pins_it() {
        let dependencies = json!([
            {"uri": "git+https://example.com/a", "digest": {"gitCommit": "ab"}},
            {"uri": "pkg:docker/alpine@3", "digest": {"sha256": "cd"}},
            {"uri": "https://example.com/loose"}, {"uri": "https://example.com/weak", "digest": {"md5": "00"}},
            {"uri": "https://example.com/empty", "digest": {"sha256": ""}}, {"digest": {"sha256": "ef"}},
        ]);
        let predicate = predicate(json!({}), dependencies);
        let found = super::dependencies(&Provenance::read(V1, &predicate).unwrap());
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["git+https://example.com/a", "pkg:docker/alpine@3"]
        );
    }
}
