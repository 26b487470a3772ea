//! The Gateway API: two slots behind one `HTTPRoute`, at 100 and 0. The guard's `gateway-api` driver moves them.
//!
//! The candidate's slot is rendered, and the route as it is before the rollout; what serves is left alone.
//! Spec: <https://gateway-api.sigs.k8s.io/reference/spec/#httproute>, v1.6.1 standard channel.

use serde_json::{Map, Value, json};

use crate::rollout::driver::gateway_api::EPOCH;

use super::course::Course;
use super::object::annotated;
use super::pod::{SERVICE_PORT, deployment, job, service};
use super::settings::StableSlot;
use super::{Lossy, RenderError, Rendered};

/// The plan for the guard's own driver.
///
/// # Errors
/// [`RenderError`].
pub(super) fn render(course: &Course<'_>) -> Result<Rendered, RenderError> {
    let candidate = course.settings.candidate_slot;
    let stable = candidate.other();
    let mut objects: Vec<Value> = course.migration.iter().map(|migration| job(course, migration)).collect();
    objects.extend(stable_deployment(course)?);
    objects.push(deployment(course, course.candidate, Some(candidate), first_size(course)));
    let names = [course.part(stable.name()), course.part(candidate.name())];
    objects.push(service(course, &names[0], Some(stable)));
    objects.push(service(course, &names[1], Some(candidate)));
    let mut annotations = Map::new();
    annotations.insert(EPOCH.to_owned(), "0".into());
    objects.push(route(course, &names, annotations)?);
    let lossy = course.migration.iter().map(|_| Lossy::MigrationOrder).collect();
    Ok(Rendered { objects, lossy, commands: Vec::new() })
}

/// The Deployment of what serves, where that is asked for.
///
/// # Errors
/// [`RenderError::NoStable`].
pub(super) fn stable_deployment(course: &Course<'_>) -> Result<Option<Value>, RenderError> {
    match course.settings.stable {
        StableSlot::Leave => Ok(None),
        StableSlot::Render => {
            let slot = course.settings.candidate_slot.other();
            Ok(Some(deployment(course, course.stable()?, Some(slot), course.replicas)))
        }
    }
}

/// The candidate's size before its first weight, in Pods: rounded up, so never 0.
pub(super) fn first_size(course: &Course<'_>) -> u64 {
    let percent = course.core.strategy.candidate_scale.first().copied().unwrap_or(100);
    course.replicas.saturating_mul(percent).div_ceil(100)
}

/// The route before a rollout: everything to the first of two Services.
///
/// # Errors
/// [`RenderError::Missing`]: gateway or host names.
pub(super) fn route(
    course: &Course<'_>,
    [stable, candidate]: &[String; 2],
    annotations: Map<String, Value>,
) -> Result<Value, RenderError> {
    let gateway = course.gateway()?;
    let hosts = (!course.settings.hostnames.is_empty()).then_some(&course.settings.hostnames);
    let backend = |name: &str, weight: u64| json!({"name": name, "port": SERVICE_PORT, "weight": weight});
    let rule = json!({
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [backend(stable, 100), backend(candidate, 0)],
    });
    let spec = json!({
        "parentRefs": [{"name": gateway.name, "namespace": gateway.namespace}],
        "hostnames": course.needs("hostnames", hosts)?,
        "rules": [rule],
    });
    let kind = ("gateway.networking.k8s.io/v1", "HTTPRoute");
    Ok(annotated(course, kind, course.name, annotations, json!({"spec": spec})))
}
