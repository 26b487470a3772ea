//! The engines' own definitions as JSON Schemas: what is rendered is valid, and a mistake at any level is not.
//!
//! A definition's schema takes unknown members unless it is told not to, and knows `nullable` and integers that may
//! be texts by words of its own. Its CEL rules stay unchecked here; the API server has them ([`super::admitted`]).
//! Spec: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::manifests;

/// Schemas by `apiVersion` and kind; several where the corpus has several channels.
type Schemas = BTreeMap<(String, String), Vec<Validator>>;

fn schemas() -> Option<Schemas> {
    let mut schemas = Schemas::new();
    for definition in manifests::definitions()?.iter().flat_map(|file| manifests::documents(file)) {
        let spec = &definition["spec"];
        for version in spec["versions"].as_array().unwrap() {
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            let api_version = format!("{}/{}", of(&spec["group"]), of(&version["name"]));
            let mut schema = closed(&version["schema"]["openAPIV3Schema"], Level::Object);
            schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            let validator = jsonschema::validator_for(&schema).unwrap();
            schemas.entry((api_version, of(&spec["names"]["kind"]))).or_default().push(validator);
        }
    }
    Some(schemas)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Below,
}

/// A schema that takes nothing unknown.
fn closed(schema: &Value, level: Level) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    if members.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        return json!({"type": ["integer", "string"]});
    }
    let mut closed = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "properties" => {
                let below = value.as_object().unwrap().iter();
                below.map(|(name, value)| (name.clone(), self::closed(value, Level::Below))).collect()
            }
            "items" | "additionalProperties" | "not" => self::closed(value, Level::Below),
            // They say what must hold besides, of members that stand elsewhere.
            "oneOf" | "anyOf" | "allOf" => value.clone(),
            // Patterns are Go's, formats are hints, rules are CEL.
            "pattern" | "format" | "description" | "default" | "nullable" => continue,
            extension if extension.starts_with("x-kubernetes-") => continue,
            _ => value.clone(),
        };
        closed.insert(name.clone(), value);
    }
    if level == Level::Object {
        let properties = closed.get_mut("properties").unwrap();
        properties["metadata"] = json!({"type": "object"});
    }
    let preserves = members.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if members.contains_key("properties") && !preserves && !closed.contains_key("additionalProperties") {
        closed.insert("additionalProperties".to_owned(), json!(false));
    }
    if members.get("nullable") == Some(&json!(true))
        && let Some(kind) = closed.get("type").cloned()
    {
        closed.insert("type".to_owned(), json!([kind, "null"]));
    }
    closed.into()
}

fn of<'a>(schemas: &'a Schemas, object: &Value) -> &'a [Validator] {
    let name = |member: &str| object[member].as_str().unwrap().to_owned();
    schemas.get(&(name("apiVersion"), name("kind"))).map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn what_is_rendered_is_valid_in_every_version_of_the_engines_schemas() {
    let Some(schemas) = schemas() else { return };
    let mut judged = BTreeMap::new();
    for (file, objects) in manifests::all() {
        for object in objects {
            for validator in of(&schemas, &object) {
                let errors: Vec<String> =
                    validator.iter_errors(&object).map(|e| format!("{}: {e}", e.instance_path())).collect();
                assert!(
                    errors.is_empty(),
                    "{file}: {} {}: {errors:?}",
                    object["kind"],
                    object["metadata"]["name"]
                );
                *judged.entry(object["kind"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
    }
    let kinds: Vec<&str> = judged.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["AnalysisTemplate", "Canary", "HTTPRoute", "MetricTemplate", "Rollout"]);
}

/// A file, a kind in it, the place of a member, and what a mistyped member there would be called.
const TYPOS: [(&str, &str, &str, &str); 22] = [
    ("argo-rollouts-bluegreen", "Rollout", "/spec/replicas", "replica"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/progressDeadlineAbort", "progressDeadlineAbrt"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary", "canery"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/maxSurge", "maxSurg"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/dynamicStableScale", "dynamicStableScal"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/steps/1/setCanaryScale", "setCanarySize"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/steps/1/setCanaryScale/weight", "wieght"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/steps/2/setWeight", "setWieght"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/steps/3/analysis/args/0/value", "valeu"),
    ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/trafficRouting/plugins", "plugin"),
    ("argo-rollouts-bluegreen", "AnalysisTemplate", "/spec/metrics/0/initialDelay", "initalDelay"),
    ("argo-rollouts-bluegreen", "AnalysisTemplate", "/spec/metrics/0/successCondition", "succesCondition"),
    ("argo-rollouts-bluegreen", "AnalysisTemplate", "/spec/metrics/0/provider/prometheus/query", "qeury"),
    ("flagger-bluegreen", "Canary", "/spec/targetRef/name", "nane"),
    ("flagger-bluegreen", "Canary", "/spec/analysis/stepWeights", "stepWeight5"),
    ("flagger-bluegreen", "Canary", "/spec/analysis/metrics/0/thresholdRange/min", "minimum"),
    ("flagger-bluegreen", "Canary", "/spec/analysis/webhooks/0/type", "tpye"),
    ("flagger-bluegreen", "MetricTemplate", "/spec/provider/address", "adress"),
    ("gateway-api-bluegreen", "HTTPRoute", "/spec/hostnames", "hostname"),
    ("gateway-api-bluegreen", "HTTPRoute", "/spec/parentRefs/0/name", "nam"),
    ("gateway-api-bluegreen", "HTTPRoute", "/spec/rules/0/backendRefs/0/weight", "wieght"),
    ("gateway-api-bluegreen", "HTTPRoute", "/spec/rules/0/matches/0/path/value", "vlaue"),
];

#[test]
fn a_mistyped_member_is_caught_at_every_level() {
    let Some(schemas) = schemas() else { return };
    for (file, kind, path, typo) in TYPOS {
        let object = manifests::of(file).into_iter().find(|object| object["kind"] == kind).unwrap();
        let (parent, member) = path.rsplit_once('/').unwrap();
        let mut mistyped = object.clone();
        let members = mistyped.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        let value = members.remove(member).unwrap_or_else(|| panic!("{file} {kind} has no {path}"));
        members.insert(typo.to_owned(), value);
        let validators = of(&schemas, &object);
        assert!(!validators.is_empty(), "{kind} has no schema");
        for validator in validators {
            assert!(
                validator.is_valid(&object) && !validator.is_valid(&mistyped),
                "{file} {kind} {path} → {typo}"
            );
        }
    }
}

/// A file, a kind in it, a member, and a value of another type for it.
#[test]
fn a_value_of_another_type_is_caught() {
    let Some(schemas) = schemas() else { return };
    for (file, kind, path, value) in [
        ("argo-rollouts-bluegreen", "Rollout", "/spec/replicas", json!("4")),
        ("argo-rollouts-bluegreen", "Rollout", "/spec/strategy/canary/steps/2/setWeight", json!("20")),
        ("argo-rollouts-bluegreen", "AnalysisTemplate", "/spec/metrics/0/failureCondition", json!(false)),
        ("flagger-bluegreen", "Canary", "/spec/analysis/metrics/1/thresholdRange/max", json!("0.02")),
        ("flagger-bluegreen", "Canary", "/spec/analysis/webhooks/0/type", json!("confirm-everything")),
        ("gateway-api-bluegreen", "HTTPRoute", "/spec/rules/0/backendRefs/0/weight", json!(-1)),
        ("gateway-api-bluegreen", "HTTPRoute", "/spec/rules/0/backendRefs/0/port", json!(65_536)),
    ] {
        let mut object = manifests::of(file).into_iter().find(|object| object["kind"] == kind).unwrap();
        *object.pointer_mut(path).unwrap() = value;
        for validator in of(&schemas, &object) {
            assert!(!validator.is_valid(&object), "{file} {kind} {path}");
        }
    }
}
