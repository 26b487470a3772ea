//! Pods: one container of one digest, within Pod Security's `restricted`; Deployments, Services and the Job.
//!
//! Spec: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>.

use serde_json::{Map, Value, json};

use super::course::{Course, Image, Migration};
use super::object::{labels, migration_annotations, object};
use super::settings::{Slot, is_label};

/// The label that tells the slots apart; a version would not do, since selectors can't be changed.
pub(super) const SLOT: &str = "laforge.dev/slot";
/// The port of every Service.
pub(super) const SERVICE_PORT: u64 = 80;

/// The labels by which an app's Pods are selected, of one slot or of all.
pub(super) fn selector(course: &Course<'_>, slot: Option<Slot>) -> Map<String, Value> {
    let mut selector = Map::new();
    selector.insert("app.kubernetes.io/name".to_owned(), course.name.into());
    if let Some(slot) = slot {
        selector.insert(SLOT.to_owned(), slot.name().into());
    }
    selector
}

/// The Pods of an image.
pub(super) fn template(course: &Course<'_>, image: Image<'_>, slot: Option<Slot>) -> Value {
    let mut labels = labels(course);
    if image.subject.version.as_ref() != Some(&course.core.release.version) {
        labels.remove("app.kubernetes.io/version");
    }
    labels.extend(selector(course, slot));
    let mut metadata = json!({"labels": labels});
    let config = config(course);
    // The configuration of the candidate: what it is started with is part of what it is.
    if let (Value::Object(metadata), false) = (&mut metadata, config.is_empty()) {
        metadata.insert("annotations".to_owned(), json!({"laforge.dev/config": config}));
    }
    let mut spec = restricted();
    spec.insert("containers".to_owned(), json!([container(course, image)]));
    spec.insert("terminationGracePeriodSeconds".to_owned(), course.core.rollback.drain_within_seconds.into());
    json!({"metadata": metadata, "spec": spec})
}

fn config(course: &Course<'_>) -> String {
    let named = course.config().map(|config| format!("{}=sha256:{}", config.name, config.digest.sha256));
    named.collect::<Vec<_>>().join(" ")
}

fn restricted() -> Map<String, Value> {
    let mut spec = Map::new();
    let context = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    spec.insert("securityContext".to_owned(), context);
    spec
}

fn container(course: &Course<'_>, image: Image<'_>) -> Value {
    let (settings, warmup) = (course.settings, &course.warmup);
    let mut container = bare_container(image);
    container.insert("ports".to_owned(), json!([{"name": "http", "containerPort": settings.port}]));
    let readiness = json!({
        "httpGet": {"path": warmup.path, "port": "http"},
        "periodSeconds": warmup.period_seconds,
        "successThreshold": warmup.successes,
        "timeoutSeconds": warmup.latency_ms.div_ceil(1000),
    });
    container.insert("readinessProbe".to_owned(), readiness);
    if let Some(path) = &settings.liveness_path {
        let liveness = json!({"httpGet": {"path": path, "port": "http"}, "initialDelaySeconds": 15});
        container.insert("livenessProbe".to_owned(), liveness);
    }
    let resources = &settings.resources;
    if !resources.requests.is_empty() || !resources.limits.is_empty() {
        let asked = [("requests", &resources.requests), ("limits", &resources.limits)];
        let asked = asked.into_iter().filter(|(_, quantities)| !quantities.is_empty());
        let asked: Map<String, Value> = asked.map(|(name, of)| (name.to_owned(), json!(of))).collect();
        container.insert("resources".to_owned(), asked.into());
    }
    container.into()
}

/// Name, image and what `restricted` asks of a container.
fn bare_container(image: Image<'_>) -> Map<String, Value> {
    let name = &image.subject.name;
    let mut container = Map::new();
    container.insert("name".to_owned(), if is_label(name) { name.as_str() } else { "app" }.into());
    container.insert("image".to_owned(), image.reference().into());
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    container.insert("securityContext".to_owned(), context);
    container
}

/// A Deployment of a slot, or of the whole app.
pub(super) fn deployment(course: &Course<'_>, image: Image<'_>, slot: Option<Slot>, replicas: u64) -> Value {
    let name = slot.map_or_else(|| course.name.to_owned(), |slot| course.part(slot.name()));
    let spec = json!({
        "replicas": replicas,
        "progressDeadlineSeconds": course.warmup.timeout_seconds,
        "selector": {"matchLabels": selector(course, slot)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": template(course, image, slot),
    });
    object(course, ("apps/v1", "Deployment"), &name, json!({"spec": spec}))
}

/// A Service of that name.
pub(super) fn service(course: &Course<'_>, name: &str, slot: Option<Slot>) -> Value {
    let ports = json!([{"name": "http", "port": SERVICE_PORT, "targetPort": "http"}]);
    let spec = json!({"selector": selector(course, slot), "ports": ports});
    object(course, ("v1", "Service"), name, json!({"spec": spec}))
}

/// What a Job that migrates is made of; `image` and `arguments` as its engine writes them.
pub(super) fn job_spec(migration: &Migration<'_>, mut container: Map<String, Value>) -> Value {
    container.insert("args".to_owned(), migration.command.iter().map(|word| verbatim(word)).collect());
    let mut spec = restricted();
    spec.insert("restartPolicy".to_owned(), "Never".into());
    spec.insert("containers".to_owned(), json!([container]));
    // One attempt: nobody knows what a second one would find.
    json!({
        "backoffLimit": 0,
        "activeDeadlineSeconds": migration.timeout_seconds,
        "template": {"spec": spec},
    })
}

/// The container of a migration.
pub(super) fn migrating(course: &Course<'_>) -> Map<String, Value> {
    bare_container(course.candidate)
}

/// The Job of a plan: named after it, since a Job can't be changed.
pub(super) fn job(course: &Course<'_>, migration: &Migration<'_>) -> Value {
    let digest = course.plan_digest.to_string();
    let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
    let name = course.part(&format!("migrate-{}", hex.get(..10).unwrap_or(hex)));
    let spec = job_spec(migration, migrating(course));
    let annotations = migration_annotations(migration);
    super::object::annotated(course, ("batch/v1", "Job"), &name, annotations, json!({"spec": spec}))
}

/// An argument as it is: `$(NAME)` would be replaced by a variable, and `$$` stands for `$`.
/// <https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/>
fn verbatim(word: &str) -> String {
    word.replace('$', "$$")
}
