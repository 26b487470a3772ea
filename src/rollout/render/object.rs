//! What every object bears: its name, and where it comes from.
//!
//! Nothing of it stands in a Pod template: a new plan of the same image must not restart what serves.

use serde_json::{Map, Value, json};

use crate::plan::Mode;
use crate::plan::members::MigrationClass;
use crate::time;

use super::course::{Course, Migration};
use super::settings::is_label_value;

/// An object with its metadata stamped; `body` holds the members beside it.
pub(super) fn object(course: &Course<'_>, kind: (&str, &str), name: &str, body: Value) -> Value {
    annotated(course, kind, name, Map::new(), body)
}

/// As [`object`], with annotations of its own.
pub(super) fn annotated(
    course: &Course<'_>,
    (api_version, kind): (&str, &str),
    name: &str,
    mut annotations: Map<String, Value>,
    body: Value,
) -> Value {
    annotations.extend(stamp(course));
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": course.namespace,
            "labels": labels(course),
            "annotations": annotations,
        },
    });
    if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
        object.extend(body);
    }
    object
}

/// Labels of an object and of its Pods.
pub(super) fn labels(course: &Course<'_>) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert("app.kubernetes.io/name".to_owned(), course.name.into());
    let version = &course.core.release.version;
    if is_label_value(version) {
        labels.insert("app.kubernetes.io/version".to_owned(), version.as_str().into());
    }
    labels
}

/// Which plan, of which release, in which log, until when.
fn stamp(course: &Course<'_>) -> Map<String, Value> {
    let core = course.core;
    let mode = match core.mode {
        Mode::BreakGlass => "break-glass",
        Mode::Enforce | Mode::DryRun => "enforce",
    };
    let stamped = [
        ("plan-digest", course.plan_digest.to_string()),
        ("release-digest", core.release.digest.to_string()),
        ("version", core.release.version.clone()),
        ("log-origin", course.log_origin.to_owned()),
        ("log-index", course.log_index.to_string()),
        ("not-after", time::to_seconds(core.validity.not_after)),
        ("mode", mode.to_owned()),
    ];
    stamped.into_iter().map(|(name, value)| (format!("laforge.dev/{name}"), value.into())).collect()
}

/// What a migration is declared to be.
pub(super) fn migration_annotations(migration: &Migration<'_>) -> Map<String, Value> {
    let class = match migration.class {
        MigrationClass::Expand => "expand",
        MigrationClass::Contract => "contract",
    };
    let mut annotations = Map::new();
    annotations.insert("laforge.dev/migration-class".to_owned(), class.into());
    if let Some(backup) = migration.backup {
        annotations.insert("laforge.dev/migration-backup".to_owned(), backup.into());
    }
    annotations
}
