//! An `HTTPRoute` as read, and the JSON Patch that changes two weights of it.
//!
//! In: the object. Out: [`Route`], or [`Unreadable`]. A rule counts if it sends to both backends; one that
//! sends to a single slot, by a header for instance, is somebody's own and neither read nor changed.

use serde_json::{Value, json};

use crate::rollout::driver::Backends;
use crate::rollout::machine::Weight;

use super::EPOCH;

/// Where a patch finds the epoch's annotation.
const EPOCH_POINTER: &str = "/metadata/annotations/laforge.dev~1epoch";

/// What a route says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Its version, for the fence.
    resource_version: String,
    /// The epoch that it bears; 0 without one.
    pub(super) epoch: u64,
    /// Whether the annotation, and whether any is there.
    annotated: Annotated,
    /// The rules that share traffic between both backends: at least one, all alike.
    shared: Vec<SharedRule>,
    /// What the gateway says of it.
    pub(super) acceptance: Acceptance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Annotated {
    Nothing,
    Otherwise,
    WithEpoch,
}

/// What the gateway says of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Acceptance {
    /// It is in force as the API server holds it.
    Accepted,
    /// Not yet.
    Waiting(String),
    /// It is refused, or names what isn't there.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SharedRule {
    index: usize,
    stable: Held,
    candidate: Held,
}

/// A backend's place in its rule, and its weight; none is written where the default of 1 stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    index: usize,
    weight: Option<u64>,
}

impl Held {
    fn weight(self) -> u64 {
        self.weight.unwrap_or(1)
    }
}

/// Why a route can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("no `{0}` that can be read")]
    Member(&'static str),
    #[error("no rule sends to both `{0}` and `{1}`")]
    NotShared(String, String),
    #[error("rule {0} sends to another backend, too, so no weight is a share")]
    Others(usize),
    #[error("rule {0} sends to one backend twice")]
    Twice(usize),
    #[error("rules {0} and {1} share their traffic unlike each other")]
    Unlike(usize, usize),
}

impl Route {
    pub(super) fn read(object: &Value, backends: &Backends) -> Result<Self, Unreadable> {
        let metadata = &object["metadata"];
        let version = metadata["resourceVersion"].as_str();
        let generation = metadata["generation"].as_i64().ok_or(Unreadable::Member("metadata.generation"))?;
        let annotations = metadata["annotations"].as_object();
        let epoch = annotations.and_then(|annotations| annotations.get(EPOCH));
        Ok(Self {
            resource_version: version.ok_or(Unreadable::Member("metadata.resourceVersion"))?.to_owned(),
            epoch: epoch_of(epoch)?,
            annotated: match (annotations, epoch) {
                (None, _) => Annotated::Nothing,
                (Some(_), None) => Annotated::Otherwise,
                (Some(_), Some(_)) => Annotated::WithEpoch,
            },
            shared: shared(object.pointer("/spec/rules"), backends)?,
            acceptance: acceptance(object.pointer("/status/parents"), generation),
        })
    }

    /// The weights of stable and candidate.
    pub(super) fn weights(&self) -> (u64, u64) {
        self.shared.first().map_or((0, 0), |rule| (rule.stable.weight(), rule.candidate.weight()))
    }

    /// The patch: bound to this version of the object, and to what was read of it.
    pub(super) fn patch(&self, backends: &Backends, weight: Option<Weight>, epoch: u64) -> Value {
        let version =
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": self.resource_version});
        let mut patch = vec![version];
        if let Some(weight) = weight {
            for rule in &self.shared {
                let full = Weight::FULL.percent();
                patch.extend(rule.moved(rule.stable, &backends.stable, full - weight.percent()));
                patch.extend(rule.moved(rule.candidate, &backends.candidate, weight.percent()));
            }
        }
        match self.annotated {
            Annotated::Nothing => {
                let annotations = json!({EPOCH: epoch.to_string()});
                patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": annotations}));
            }
            Annotated::Otherwise => patch.push(raised("add", epoch)),
            Annotated::WithEpoch => {
                patch.push(raised("test", self.epoch));
                patch.push(raised("replace", epoch));
            }
        }
        patch.into()
    }
}

fn raised(op: &str, epoch: u64) -> Value {
    json!({"op": op, "path": EPOCH_POINTER, "value": epoch.to_string()})
}

impl SharedRule {
    fn moved(&self, held: Held, name: &str, weight: u64) -> Vec<Value> {
        let place = format!("/spec/rules/{}/backendRefs/{}", self.index, held.index);
        let path = format!("{place}/weight");
        let mut patch = vec![json!({"op": "test", "path": format!("{place}/name"), "value": name})];
        match held.weight {
            Some(old) => {
                patch.push(json!({"op": "test", "path": path, "value": old}));
                patch.push(json!({"op": "replace", "path": path, "value": weight}));
            }
            None => patch.push(json!({"op": "add", "path": path, "value": weight})),
        }
        patch
    }
}

fn epoch_of(annotation: Option<&Value>) -> Result<u64, Unreadable> {
    let Some(annotation) = annotation else { return Ok(0) };
    let text = annotation.as_str().unwrap_or_default();
    text.parse().map_err(|_| Unreadable::Member("annotation laforge.dev/epoch"))
}

fn shared(rules: Option<&Value>, backends: &Backends) -> Result<Vec<SharedRule>, Unreadable> {
    let mut shared: Vec<SharedRule> = Vec::new();
    for (index, rule) in rules.and_then(Value::as_array).into_iter().flatten().enumerate() {
        if let Some(rule) = shared_rule(index, &rule["backendRefs"], backends)? {
            shared.push(rule);
        }
    }
    let Some(first) = shared.first() else {
        return Err(Unreadable::NotShared(backends.stable.clone(), backends.candidate.clone()));
    };
    let pair = |rule: &SharedRule| (rule.stable.weight(), rule.candidate.weight());
    match shared.iter().find(|rule| pair(rule) != pair(first)) {
        Some(other) => Err(Unreadable::Unlike(first.index, other.index)),
        None => Ok(shared),
    }
}

fn shared_rule(index: usize, refs: &Value, backends: &Backends) -> Result<Option<SharedRule>, Unreadable> {
    let refs = refs.as_array().map(Vec::as_slice).unwrap_or_default();
    let held = |name: &str| -> Result<Option<Held>, Unreadable> {
        let mut named = refs.iter().enumerate().filter(|(_, backend)| backend["name"] == name);
        let Some((at, backend)) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            return Err(Unreadable::Twice(index));
        }
        let weight = match &backend["weight"] {
            Value::Null => None,
            weight => Some(weight.as_u64().ok_or(Unreadable::Member("weight"))?),
        };
        Ok(Some(Held { index: at, weight }))
    };
    let (Some(stable), Some(candidate)) = (held(&backends.stable)?, held(&backends.candidate)?) else {
        return Ok(None);
    };
    match refs.len() {
        2 => Ok(Some(SharedRule { index, stable, candidate })),
        _ => Err(Unreadable::Others(index)),
    }
}

/// Every gateway that the route is attached to has to have accepted this generation, every reference with it.
fn acceptance(parents: Option<&Value>, generation: i64) -> Acceptance {
    let parents = parents.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if parents.is_empty() {
        return Acceptance::Waiting("no gateway has said anything".to_owned());
    }
    let mut waiting = None;
    for parent in parents {
        let gateway = parent.pointer("/parentRef/name").and_then(Value::as_str).unwrap_or("unnamed");
        match parent_accepts(&parent["conditions"], generation) {
            Acceptance::Accepted => {}
            Acceptance::Waiting(said) => waiting = Some(format!("gateway `{gateway}`: {said}")),
            Acceptance::Refused(said) => return Acceptance::Refused(format!("gateway `{gateway}`: {said}")),
        }
    }
    waiting.map_or(Acceptance::Accepted, Acceptance::Waiting)
}

fn parent_accepts(conditions: &Value, generation: i64) -> Acceptance {
    let named = |kind: &str| conditions.as_array()?.iter().find(|condition| condition["type"] == kind);
    let Some(accepted) = named("Accepted") else {
        return Acceptance::Waiting("not accepted yet".to_owned());
    };
    let observed = accepted["observedGeneration"].as_i64();
    if observed != Some(generation) {
        let observed = observed.map_or_else(|| "none".to_owned(), |observed| observed.to_string());
        return Acceptance::Waiting(format!("it has seen generation {observed}, not {generation}"));
    }
    let refused = |condition: &Value| {
        let said = |member: &str| condition[member].as_str().unwrap_or_default().to_owned();
        Acceptance::Refused(format!("{} {}", said("reason"), said("message")).trim().to_owned())
    };
    if accepted["status"] != "True" {
        return refused(accepted);
    }
    match named("ResolvedRefs").filter(|condition| condition["status"] == "False") {
        Some(unresolved) => refused(unresolved),
        None => Acceptance::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends() -> Backends {
        Backends { stable: "app-blue".into(), candidate: "app-green".into() }
    }

    pub(super) fn object() -> Value {
        json!({
            "metadata": {"resourceVersion": "17", "generation": 3, "annotations": {"laforge.dev/epoch": "4"}},
            "spec": {"rules": [
                {"matches": [{"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [{"name": "app-green"}]},
                {"backendRefs": [{"name": "app-green", "weight": 20}, {"name": "app-blue", "weight": 80}]},
            ]},
            "status": {"parents": [{"parentRef": {"name": "edge"}, "conditions": [
                {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 3},
                {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "observedGeneration": 3},
            ]}]},
        })
    }

    fn with(path: &str, value: Value) -> Value {
        let mut object = object();
        *object.pointer_mut(path).unwrap() = value;
        object
    }

    #[test]
    fn patches_two_weights_and_the_epoch_of_the_version_that_was_read() {
        let route = Route::read(&object(), &backends()).unwrap();
        assert_eq!((route.weights(), route.epoch), ((80, 20), 4));
        assert_eq!(route.acceptance, Acceptance::Accepted);
        let path = "/metadata/annotations/laforge.dev~1epoch";
        assert_eq!(
            route.patch(&backends(), Weight::new(100), 5),
            json!([
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "17"},
                {"op": "test", "path": "/spec/rules/1/backendRefs/1/name", "value": "app-blue"},
                {"op": "test", "path": "/spec/rules/1/backendRefs/1/weight", "value": 80},
                {"op": "replace", "path": "/spec/rules/1/backendRefs/1/weight", "value": 0},
                {"op": "test", "path": "/spec/rules/1/backendRefs/0/name", "value": "app-green"},
                {"op": "test", "path": "/spec/rules/1/backendRefs/0/weight", "value": 20},
                {"op": "replace", "path": "/spec/rules/1/backendRefs/0/weight", "value": 100},
                {"op": "test", "path": path, "value": "4"},
                {"op": "replace", "path": path, "value": "5"},
            ])
        );
    }

    #[test]
    fn adds_what_is_not_there_yet() {
        let mut object = with("/spec/rules/1/backendRefs/0", json!({"name": "app-green"}));
        object["metadata"].as_object_mut().unwrap().remove("annotations");
        let route = Route::read(&object, &backends()).unwrap();
        assert_eq!((route.weights(), route.epoch), ((80, 1), 0), "the default weight is 1");
        let patch = route.patch(&backends(), Some(Weight::ZERO), 1);
        assert_eq!(patch[5], json!({"op": "add", "path": "/spec/rules/1/backendRefs/0/weight", "value": 0}));
        let annotations = json!({"laforge.dev/epoch": "1"});
        assert_eq!(patch[6], json!({"op": "add", "path": "/metadata/annotations", "value": annotations}));
        let otherwise = with("/metadata/annotations", json!({"a": "b"}));
        let fence = Route::read(&otherwise, &backends()).unwrap().patch(&backends(), None, 1);
        let added = json!({"op": "add", "path": "/metadata/annotations/laforge.dev~1epoch", "value": "1"});
        assert_eq!((&fence[1], fence.as_array().unwrap().len()), (&added, 2), "a fence moves no weight");
    }

    #[test]
    fn refuses_a_route_whose_weights_are_no_share() {
        let both = json!([{"name": "app-blue", "weight": 1}, {"name": "app-green", "weight": 1}]);
        for (path, value, said) in [
            ("/metadata/resourceVersion", json!(null), "no `metadata.resourceVersion` that can be read"),
            ("/metadata/generation", json!("3"), "no `metadata.generation` that can be read"),
            ("/metadata/annotations/laforge.dev~1epoch", json!("four"), "no `annotation laforge.dev/epoch`"),
            ("/spec/rules/1/backendRefs", json!([]), "no rule sends to both `app-blue` and `app-green`"),
            (
                "/spec/rules/1/backendRefs",
                json!([{"name": "app-blue"}, {"name": "app-green"}, {"name": "third"}]),
                "rule 1 sends to another backend, too",
            ),
            (
                "/spec/rules/1/backendRefs",
                json!([{"name": "app-blue"}, {"name": "app-green"}, {"name": "app-green"}]),
                "rule 1 sends to one backend twice",
            ),
            ("/spec/rules/1/backendRefs/0/weight", json!("20"), "no `weight` that can be read"),
            ("/spec/rules/0/backendRefs", both, "rules 0 and 1 share their traffic unlike each other"),
        ] {
            let refusal = Route::read(&with(path, value.clone()), &backends()).unwrap_err().to_string();
            assert!(refusal.starts_with(said), "{path} = {value}: {refusal}");
        }
    }

    #[test]
    fn a_route_counts_when_every_gateway_has_accepted_this_generation() {
        let accepted = "/status/parents/0/conditions/0";
        let resolved = "/status/parents/0/conditions/1/status";
        let another = json!([object()["status"]["parents"][0], {"parentRef": {"name": "inner"}}]);
        for (path, value, expected) in [
            ("/status/parents", json!([]), Acceptance::Waiting("no gateway has said anything".into())),
            (
                &format!("{accepted}/observedGeneration"),
                json!(2),
                Acceptance::Waiting("gateway `edge`: it has seen generation 2, not 3".into()),
            ),
            (
                "/status/parents/0/conditions",
                json!([]),
                Acceptance::Waiting("gateway `edge`: not accepted yet".into()),
            ),
            ("/status/parents", another, Acceptance::Waiting("gateway `inner`: not accepted yet".into())),
            (
                accepted,
                json!({"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "no listener",
                       "observedGeneration": 3}),
                Acceptance::Refused("gateway `edge`: NoMatchingParent no listener".into()),
            ),
            (resolved, json!("False"), Acceptance::Refused("gateway `edge`: ResolvedRefs".into())),
        ] {
            assert_eq!(Route::read(&with(path, value), &backends()).unwrap().acceptance, expected, "{path}");
        }
    }
}
