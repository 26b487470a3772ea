//! The images that a Kubernetes object runs, wherever in it they stand.
//!
//! In: an object as an API server has decoded it. Out: each image with its place, and what can't be let through
//! whatever is recorded: a container without an image, a member that some readers take for `image`. Every member is
//! walked, so that a kind that nobody told us of hides none; left out are metadata, status, labels, the data of a
//! `ConfigMap` or `Secret`, and the schema of a `CustomResourceDefinition`.
//!
//! Spec: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>.

use serde_json::{Map, Value};

use crate::json;
use crate::release::deployed::workload::{CONTAINERS, LABELS, OF_IMAGES, borrows_pods, data_of, runs_pods};

/// Images and faults that are looked at: an object of 8 MiB could hold millions, and each is told with its place.
const MOST: usize = 4096;
/// Characters of a place that are kept: a long name would be copied for each member below it.
const MOST_PATH: usize = 256;

/// What an object runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Running {
    /// Images as they are written, and where.
    pub(super) images: Vec<Image>,
    /// What can't be let through.
    pub(super) faults: Vec<String>,
    /// Whether there is more than that, which can't be let through either.
    pub(super) more: bool,
}

/// An image and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// The reference.
    pub(super) text: String,
    /// Such as `spec.containers[0] (app)`.
    pub(super) place: String,
}

impl Running {
    /// What this object runs.
    pub(super) fn of(object: &Value) -> Self {
        let mut running = Self::default();
        let Value::Object(members) = object else { return running };
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let (api, kind) = (text("apiVersion"), text("kind"));
        let data = data_of(api, kind);
        for (name, value) in members {
            if !matches!(name.as_str(), "metadata" | "status") && !data.contains(&name.as_str()) {
                running.member(name, value, cut(name));
            }
        }
        if running.more {
            running
                .faults
                .push(format!("a {} of more than {MOST} images is not looked through", short(kind)));
        }
        if runs_pods(api, kind) && running.images.is_empty() && running.faults.is_empty() {
            let reference = object.pointer("/spec/workloadRef").filter(|reference| !reference.is_null());
            let borrows = borrows_pods(api, kind) && reference.is_some();
            // A Rollout may take its Pods from a Deployment, which is asked about itself.
            if !borrows {
                running.fault(format!("a {kind} without an image runs what something else chooses"));
            }
        }
        running
    }

    fn member(&mut self, name: &str, value: &Value, path: &str) {
        if let Some(known) = OF_IMAGES.iter().find(|known| json::looks_like(name, known)) {
            self.fault(format!("`{}` is `{known}` to some readers and nothing to others", short(path)));
        }
        match value {
            Value::Array(items) if CONTAINERS.iter().any(|(list, _)| *list == name) => {
                self.containers(items, path)
            }
            _ if name == "image" => self.image(value, path),
            Value::Object(members) if LABELS.contains(&name) => {
                self.members(members.iter().filter(|(_, value)| !value.is_string()), path);
            }
            _ => self.value(value, path),
        }
    }

    fn members<'a>(&mut self, members: impl Iterator<Item = (&'a String, &'a Value)>, path: &str) {
        for (name, value) in members {
            self.member(name, value, &under(path, name));
        }
    }

    fn value(&mut self, value: &Value, path: &str) {
        match value {
            Value::Object(members) => self.members(members.iter(), path),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}[{at}]"));
                }
            }
            _ => {}
        }
    }

    fn containers(&mut self, items: &[Value], path: &str) {
        for (at, item) in items.iter().enumerate() {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            let place = format!("{path}[{at}] ({})", short(name));
            match item {
                Value::Object(members) => self.container(members, &place),
                other => self.value(other, &place),
            }
        }
    }

    fn container(&mut self, members: &Map<String, Value>, place: &str) {
        match members.get("image") {
            Some(Value::String(text)) if !text.trim().is_empty() => self.push(text, place),
            Some(Value::Object(_) | Value::Array(_)) => {}
            _ => self.fault(format!("{} names no image", short(place))),
        }
        let named = |(name, value): &(&String, &Value)| *name != "image" || !value.is_string();
        self.members(members.iter().filter(named), place);
    }

    fn image(&mut self, value: &Value, path: &str) {
        match value {
            Value::String(text) if !text.trim().is_empty() => self.push(text, path),
            // A volume that is an image, or a member of another meaning with one in it.
            Value::Object(members) => {
                if let Some(Value::String(text)) = members.get("reference") {
                    self.push(text, path);
                }
                self.members(members.iter(), path);
            }
            Value::Array(items) => items.iter().for_each(|item| self.image(item, path)),
            _ => {}
        }
    }

    fn push(&mut self, text: &str, place: &str) {
        match self.is_full() {
            true => self.more = true,
            false => self.images.push(Image { text: text.to_owned(), place: short(place) }),
        }
    }

    fn fault(&mut self, fault: String) {
        match self.is_full() {
            true => self.more = true,
            false => self.faults.push(fault),
        }
    }

    fn is_full(&self) -> bool {
        self.images.len() + self.faults.len() >= MOST
    }
}

/// The place of a member; of long names their beginnings.
fn under(path: &str, name: &str) -> String {
    format!("{}.{}", cut(path), cut(name))
}

/// At most the characters that are kept of a place.
fn cut(text: &str) -> &str {
    text.char_indices().nth(MOST_PATH).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// What somebody wrote, as a message may hold it.
pub(super) fn short(text: &str) -> String {
    let mut line: String = text.chars().take(200).collect::<String>().escape_debug().collect();
    if text.chars().nth(200).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn images(object: &Value) -> Vec<String> {
        Running::of(object)
            .images
            .into_iter()
            .map(|image| format!("{} {}", image.place, image.text))
            .collect()
    }

    #[test]
    fn finds_every_container_of_a_pod_wherever_it_is_described() {
        let pod = json!({
            "containers": [{"name": "app", "image": "a"}, {"name": "side", "image": "b"}],
            "initContainers": [{"name": "init", "image": "c"}],
            "ephemeralContainers": [{"name": "debug", "image": "d"}],
            "volumes": [{"name": "v", "image": {"reference": "e"}}],
        });
        let deployment =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod}}});
        let at = "spec.template.spec";
        assert_eq!(
            images(&deployment),
            [
                format!("{at}.containers[0] (app) a"),
                format!("{at}.containers[1] (side) b"),
                format!("{at}.ephemeralContainers[0] (debug) d"),
                format!("{at}.initContainers[0] (init) c"),
                format!("{at}.volumes[0].image e"),
            ]
        );
        let job = json!({"apiVersion": "batch/v1", "kind": "CronJob",
                         "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        assert_eq!(images(&job).len(), 5);
        let unknown = json!({"apiVersion": "x.example/v1", "kind": "Thing", "spec": {"image": "f"}});
        assert_eq!(images(&unknown), ["spec.image f"]);
    }

    #[test]
    fn labels_data_and_status_run_nothing() {
        for object in [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"image": "a"}}),
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"image": "a"}}}),
            json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}}),
            json!({"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"image": "a"}, "status": {"image": "a"}}),
        ] {
            assert_eq!(Running::of(&object), Running::default(), "{object}");
        }
    }

    #[test]
    fn an_image_that_something_else_would_choose_is_a_fault() {
        let faults = |object: Value| Running::of(&object).faults;
        let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
        assert_eq!(faults(pod(json!([]))), ["a Pod without an image runs what something else chooses"]);
        assert_eq!(faults(pod(json!([{"name": "a"}]))), ["spec.containers[0] (a) names no image"]);
        assert_eq!(
            faults(pod(json!([{"name": "a", "image": " "}]))),
            ["spec.containers[0] (a) names no image"]
        );
        let alike = faults(pod(json!([{"name": "a", "image": "b", "Image": "c"}])));
        assert_eq!(
            alike,
            ["`spec.containers[0] (a).Image` is `image` to some readers and nothing to others"]
        );
        let borrowing = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                               "spec": {"workloadRef": {"kind": "Deployment", "name": "a"}}});
        assert_eq!(Running::of(&borrowing), Running::default());
        let other = json!({"apiVersion": "apps/v1", "kind": "Deployment",
                           "spec": {"workloadRef": {"kind": "Deployment", "name": "a"}}});
        assert_eq!(faults(other), ["a Deployment without an image runs what something else chooses"]);
    }
}
