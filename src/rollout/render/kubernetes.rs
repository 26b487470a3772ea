//! Plain Kubernetes: two slots behind one Service, which selects one of them. Weights between 0 and 100 are refused.
//!
//! Traffic moves by one JSON Patch of the selector (RFC 6902), which is a command, no manifest: it tests
//! that the Service still selects the slot that the plan knows as stable.

use serde_json::{Value, json};

use super::course::Course;
use super::gateway::{first_size, stable_deployment};
use super::pod::{deployment, job, service};
use super::settings::Slot;
use super::{Lossy, RenderError, Rendered};

/// The plan for nothing but Kubernetes.
///
/// # Errors
/// [`RenderError`], above all [`RenderError::Weights`].
pub(super) fn render(course: &Course<'_>) -> Result<Rendered, RenderError> {
    if course.weights() != [100] {
        return Err(RenderError::Weights(course.weights().to_vec()));
    }
    let candidate = course.settings.candidate_slot;
    let stable = candidate.other();
    let mut objects: Vec<Value> = course.migration.iter().map(|migration| job(course, migration)).collect();
    objects.extend(stable_deployment(course)?);
    objects.push(deployment(course, course.candidate, Some(candidate), first_size(course)));
    objects.push(service(course, &course.part(candidate.name()), Some(candidate)));
    objects.push(service(course, course.name, Some(stable)));
    let mut lossy = vec![Lossy::Expiry, Lossy::Unjudged, Lossy::CutOver, Lossy::Unrecorded];
    lossy.extend(course.migration.as_ref().map(|_| Lossy::MigrationOrder));
    let commands = vec![cut_over(course, stable, candidate), cut_over(course, candidate, stable)];
    Ok(Rendered { objects, lossy, commands })
}

/// Moves all traffic from one slot to the other, and fails where it is elsewhere.
fn cut_over(course: &Course<'_>, from: Slot, to: Slot) -> String {
    let path = "/spec/selector/laforge.dev~1slot";
    let patch = json!([
        {"op": "test", "path": path, "value": from.name()},
        {"op": "replace", "path": path, "value": to.name()},
    ]);
    format!("kubectl -n {} patch service {} --type=json -p '{patch}'", course.namespace, course.name)
}
