//! Kubernetes objects, and every image that one of them runs.
//!
//! In: documents. Out: [`Found`]: references with a digest, and the [`Inventory`] with those without one.
//! Lists are opened wherever there are `items`, as `kubectl` does, whatever the kind says; where that is no
//! list's, the object itself is judged as well, as an API server would. Every member of every object is
//! walked: `containers` and their like by their shape, `image` wherever it stands, so that a kind that nobody
//! told us of hides none. Left out are labels, the data of a `ConfigMap` or `Secret`, and the schema of a
//! `CustomResourceDefinition`.
//!
//! A member that differs from one of those by case only is refused: the API server drops it, and a
//! controller that is written in Go takes it.

use std::collections::BTreeSet;

use super::super::reference::ImageReference;
use super::images::{Reason, Unpinned, pinned, shortened};
use super::tree::{self, Member, Node, Style, Value};
use super::workload::{CONTAINERS, LABELS, OF_IMAGES, borrows_pods, data_of, group_of, runs_pods};
use super::{Inventory, MAX_IMAGES, ManifestFile, agreement, source, text};
use crate::json;
use crate::yaml::{DocumentError, Place, Source};

/// Members that an object is told by.
const OF_OBJECTS: [&str; 3] = ["apiVersion", "kind", "items"];

/// Bare words that are truth values to readers of YAML 1.1, as `kubectl` is one.
const TRUTH: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];

/// What objects run.
#[derive(Default)]
pub(super) struct Found {
    pub(super) images: Vec<ImageReference>,
    pub(super) inventory: Inventory,
}

/// Everything that was read so far.
#[derive(Default)]
pub(super) struct Objects {
    found: Found,
    /// Objects that name an image, as others may refer to them.
    running: BTreeSet<Named>,
    /// Objects that take their Pods from another one.
    referring: Vec<(Named, Unpinned)>,
    distinct: BTreeSet<String>,
    /// How often an image was named.
    named: u64,
    last: Option<Source>,
}

/// Namespace, API group, kind and name, as they are written: what is shown of them may be cut.
type Named = (String, String, String, String);

/// `apiVersion` and `kind` of what says neither, by the list that it is an item of.
type Listed<'a> = (&'a str, &'a str);

impl Objects {
    /// Takes the objects of one file.
    pub(super) fn take(&mut self, file: &ManifestFile, budget: &mut u64) -> Result<(), DocumentError> {
        let source = source(file)?;
        text::check(&source)?;
        let pieces = text::pieces(&source)?;
        let documents = tree::read(&source, budget)?;
        agreement::check(&source, &pieces, &documents)?;
        for document in &documents {
            self.object(&source, document, None)?;
        }
        self.last = Some(source);
        Ok(())
    }

    /// What was found in all files.
    pub(super) fn found(mut self) -> Result<Found, DocumentError> {
        if self.found.inventory.objects == 0 {
            let last = self.last.unwrap_or_else(|| Source::new("-", ""));
            return Err(last.error_at_start("holds no object: nothing to deploy is never a pass"));
        }
        for (workload, unpinned) in std::mem::take(&mut self.referring) {
            if !self.running.contains(&workload) {
                self.unpinned(unpinned)?;
            }
        }
        Ok(self.found)
    }

    /// One object, or every one of a list of them.
    fn object(
        &mut self,
        source: &Source,
        node: &Node,
        listed: Option<Listed<'_>>,
    ) -> Result<(), DocumentError> {
        let Value::Map(members) = &node.value else {
            return Err(refused(source, node, "is no Kubernetes object: expected a mapping with `kind`"));
        };
        refuse_look_alikes(source, members, &OF_OBJECTS)?;
        // As `kubectl`, which takes both from the list or none.
        let told = match (word(node, "apiVersion"), word(node, "kind")) {
            (Some(api), Some(kind)) => Some((api, kind)),
            (None, None) => listed,
            _ => None,
        };
        let Some((api, kind)) = told else {
            return Err(refused(source, node, "is no Kubernetes object: `apiVersion` or `kind` is missing"));
        };
        let Some(items) = node.get("items").and_then(Node::items) else {
            return self.single(source, node, kind, api);
        };
        let list_of = kind.strip_suffix("List");
        let of = list_of.filter(|kind| !kind.is_empty()).map(|kind| (api, kind));
        items.iter().filter(|item| !item.is_null()).try_for_each(|item| self.object(source, item, of))?;
        if list_of.is_none() {
            return self.single(source, node, kind, api);
        }
        // Whatever else stands there is deployed by a tool that takes no object for a list.
        let title = shortened(kind);
        let mut walk = Walk { objects: self, source, title: &title, pod: None };
        walk.members(node, &mut Vec::new(), &["items"])
    }

    fn single(&mut self, source: &Source, node: &Node, kind: &str, api: &str) -> Result<(), DocumentError> {
        let named = |path: &[&str]| node.at(path).and_then(Node::text).unwrap_or_default().to_owned();
        let namespace = named(&["metadata", "namespace"]);
        let name = named(&["metadata", "name"]);
        let title = format!("{}/{}", shortened(kind), shortened(&name));
        let before = (self.named, self.found.inventory.unpinned.len());
        let pod = pod_spec(node, kind);
        // Items of a list were taken as the objects that they are.
        let items = node.get("items").is_some_and(|items| items.items().is_some()).then_some("items");
        let aside: Vec<&str> = data_of(api, kind).iter().copied().chain(items).collect();
        let mut walk = Walk { objects: self, source, title: &title, pod };
        walk.members(node, &mut Vec::new(), &aside)?;
        self.found.inventory.objects += 1;
        let elsewhere = borrows_pods(api, kind) && node.at(&["spec", "workloadRef"]).is_some();
        if runs_pods(api, kind) && !elsewhere && !pod.is_some_and(has_containers) {
            // Applied over one that is there, it runs whatever image that one has.
            let (container, place) = (title.clone(), node.place(source));
            self.unpinned(Unpinned { container, place, reason: Reason::NoImage })?;
        }
        if (self.named, self.found.inventory.unpinned.len()) != before {
            self.running.insert((namespace.clone(), group_of(api).to_owned(), kind.to_owned(), name));
        } else if !elsewhere {
            *self.found.inventory.without_images.entry(shortened(kind)).or_default() += 1;
        }
        self.refers(source, node, namespace, title);
        Ok(())
    }

    /// A Rollout may take its Pods from a Deployment.
    fn refers(&mut self, source: &Source, node: &Node, namespace: String, title: String) {
        let Some(reference) = node.at(&["spec", "workloadRef"]) else { return };
        let text = |key| reference.get(key).and_then(Node::text).unwrap_or_default();
        let (api, kind, name) = (text("apiVersion"), text("kind"), text("name"));
        let reason = Reason::Elsewhere { workload: format!("{}/{}", shortened(kind), shortened(name)) };
        let unpinned = Unpinned { container: title, place: reference.place(source), reason };
        let named = (namespace, group_of(api).to_owned(), kind.to_owned(), name.to_owned());
        self.referring.push((named, unpinned));
    }

    /// Each is told, so that none may be one too many, whatever it is that lacks its digest.
    fn unpinned(&mut self, unpinned: Unpinned) -> Result<(), DocumentError> {
        let place = unpinned.place.clone();
        self.found.inventory.unpinned.push(unpinned);
        within(self.found.inventory.unpinned.len(), place)
    }

    fn image(&mut self, text: &str, container: String, place: Place) -> Result<(), DocumentError> {
        match pinned(text) {
            Ok(reference) => {
                if self.distinct.insert(text.to_owned()) {
                    self.found.images.push(reference);
                }
            }
            Err(reason) => self.unpinned(Unpinned { container, place: place.clone(), reason })?,
        }
        self.named += 1;
        within(self.distinct.len(), place)
    }
}

/// A member's text. A bare number or truth value is none, and neither is an empty text: whoever looks for a text
/// there finds nothing.
fn word<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let value = node.get(key)?;
    let text = value.text().filter(|text| !text.is_empty())?;
    let is_text = match &value.value {
        Value::Scalar(_, Style::Plain) => {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && !TRUTH.iter().any(|truth| truth.eq_ignore_ascii_case(text))
        }
        _ => true,
    };
    is_text.then_some(text)
}

/// The Pod specification of a kind that has one: there, a container without an image is a finding.
fn pod_spec<'a>(node: &'a Node, kind: &str) -> Option<&'a Node> {
    match kind {
        "Pod" => node.get("spec"),
        "PodTemplate" => node.at(&["template", "spec"]),
        "CronJob" => node.at(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "Rollout" => node.at(&["spec", "template", "spec"]),
        _ => None,
    }
}

fn has_containers(pod: &Node) -> bool {
    pod.get("containers").and_then(Node::items).is_some_and(|items| !items.is_empty())
}

/// One object's members, all of them.
struct Walk<'a> {
    objects: &'a mut Objects,
    source: &'a Source,
    title: &'a str,
    pod: Option<&'a Node>,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, path: &mut Vec<String>) -> Result<(), DocumentError> {
        match &node.value {
            Value::Scalar(..) => Ok(()),
            Value::List(items) => self.items(items, path),
            Value::Map(_) => self.members(node, path, &[]),
        }
    }

    fn items(&mut self, items: &[Node], path: &mut Vec<String>) -> Result<(), DocumentError> {
        for (at, item) in items.iter().enumerate() {
            path.push(format!("[{at}]"));
            self.value(item, path)?;
            path.pop();
        }
        Ok(())
    }

    fn members(&mut self, node: &Node, path: &mut Vec<String>, data: &[&str]) -> Result<(), DocumentError> {
        let Value::Map(members) = &node.value else { return Ok(()) };
        if path.last().is_some_and(|last| LABELS.contains(&last.as_str())) {
            return self.labels(members, path);
        }
        refuse_look_alikes(self.source, members, &OF_IMAGES)?;
        for member in members.iter().filter(|member| !data.contains(&member.key.as_str())) {
            let listed = CONTAINERS.iter().find(|(key, _)| *key == member.key);
            path.push(member.key.clone());
            match (listed, member.value.items()) {
                (Some((_, what)), Some(items)) => self.containers(node, what, items, path)?,
                _ if member.key == "image" => self.image_of(member, path)?,
                _ => self.value(&member.value, path)?,
            }
            path.pop();
        }
        Ok(())
    }

    /// Labels are texts; anything else below their name is none.
    fn labels(&mut self, members: &[Member], path: &mut Vec<String>) -> Result<(), DocumentError> {
        for member in members {
            path.push(member.key.clone());
            match (&member.value.value, member.key.as_str()) {
                (Value::Map(_) | Value::List(_), "image") => self.image_of(member, path)?,
                _ => self.value(&member.value, path)?,
            }
            path.pop();
        }
        Ok(())
    }

    fn containers(
        &mut self,
        owner: &Node,
        what: &str,
        items: &[Node],
        path: &mut Vec<String>,
    ) -> Result<(), DocumentError> {
        let in_pod = self.pod.is_some_and(|pod| std::ptr::eq(pod, owner));
        for (at, item) in items.iter().enumerate() {
            path.push(format!("[{at}]"));
            if let (true, None) = (in_pod, item.get("image")) {
                let name = item.get("name").and_then(Node::text).unwrap_or_default();
                let container = format!("{} {what} {}", self.title, shortened(name));
                let (place, reason) = (item.place(self.source), Reason::NoImage);
                self.objects.unpinned(Unpinned { container, place, reason })?;
            }
            match item.get("name").and_then(Node::text) {
                Some(name) => self.container(item, what, &shortened(name), path)?,
                None => self.value(item, path)?,
            }
            path.pop();
        }
        Ok(())
    }

    /// A container by its name rather than by its place in a list.
    fn container(
        &mut self,
        item: &Node,
        what: &str,
        name: &str,
        path: &mut Vec<String>,
    ) -> Result<(), DocumentError> {
        let mut short = vec![format!("{what} {name}")];
        std::mem::swap(path, &mut short);
        let walked = self.value(item, path);
        std::mem::swap(path, &mut short);
        walked
    }

    /// What stands under `image`: a reference, an image volume with one, a list of either, or
    /// something else. What stands beside a reference is walked like any other member.
    fn image_of(&mut self, member: &Member, path: &mut Vec<String>) -> Result<(), DocumentError> {
        self.image(&member.value, &member.place(self.source), path)
    }

    fn image(&mut self, node: &Node, place: &Place, path: &mut Vec<String>) -> Result<(), DocumentError> {
        match &node.value {
            Value::Scalar(..) if node.is_null() => self.objects.image("", self.shown(path), place.clone()),
            Value::Scalar(text, _) => self.objects.image(text, self.shown(path), node.place(self.source)),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push(format!("[{at}]"));
                    self.image(item, &item.place(self.source), path)?;
                    path.pop();
                }
                Ok(())
            }
            Value::Map(members) => {
                refuse_look_alikes(self.source, members, &["reference"])?;
                if let Some(reference) = node.get("reference")
                    && let Value::Scalar(..) = &reference.value
                {
                    self.image(reference, place, path)?;
                }
                self.members(node, path, &[])
            }
        }
    }

    /// Where something stands, as a person would say it.
    fn shown(&self, path: &[String]) -> String {
        let path = match path.split_last() {
            Some((last, [container])) if last == "image" && container.contains(' ') => container.clone(),
            _ => path.join(".").replace(".[", "["),
        };
        shortened(&format!("{} {path}", self.title))
    }
}

/// That there are no more images, with a digest or without one, than are taken.
fn within(images: usize, place: Place) -> Result<(), DocumentError> {
    match images > MAX_IMAGES {
        true => Err(DocumentError { place, message: format!("more than {MAX_IMAGES} images"), help: None }),
        false => Ok(()),
    }
}

fn refused(source: &Source, node: &Node, message: &str) -> DocumentError {
    DocumentError { place: node.place(source), message: message.to_owned(), help: None }
}

/// Refuses members that are one of these in another case.
fn refuse_look_alikes(source: &Source, members: &[Member], telling: &[&str]) -> Result<(), DocumentError> {
    for member in members {
        let alike = telling.iter().find(|known| json::looks_like(&member.key, known));
        if let Some(known) = alike {
            let message =
                format!("`{}` is `{known}` to some readers and nothing to others", shortened(&member.key));
            let help = Some(format!("write `{known}`"));
            return Err(DocumentError { place: member.place(source), message, help });
        }
    }
    Ok(())
}
