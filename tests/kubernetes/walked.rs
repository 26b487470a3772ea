//! The `gateway-api` driver before a real API server: a rollout's weights, beside a writer who edits the same route.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use laforge::rollout::driver::gateway_api::GatewayApi;
use laforge::rollout::driver::{Backends, DriverError, Traffic as _};
use laforge::rollout::executor::GatewayApiSection;
use laforge::rollout::machine::Weight;
use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::manifests;
use super::namespace::within;

const NAME: &str = "laforge-runtime";

fn driver(kubeconfig: &Path) -> GatewayApi {
    let section = GatewayApiSection {
        kubeconfig: Some(kubeconfig.to_str().unwrap().to_owned()),
        context: None,
        namespace: "laforge".to_owned(),
        http_route: NAME.to_owned(),
    };
    let backends = Backends { stable: format!("{NAME}-blue"), candidate: format!("{NAME}-green") };
    GatewayApi::new(&section, backends).unwrap().accepted_within(Duration::from_secs(20))
}

fn weight(percent: u64) -> Weight {
    Weight::new(percent).unwrap()
}

/// The rendered route as it lies in the API server.
fn route(plane: &ControlPlane<'_>) -> bool {
    if !plane.define() {
        return false;
    }
    let route =
        manifests::of("gateway-api-bluegreen").into_iter().find(|object| object["kind"] == "HTTPRoute");
    let apply = ["apply", "--server-side", "--field-manager=deployer", "-f", "-"];
    plane.kubectl_with(&apply, &route.unwrap().to_string()).unwrap();
    true
}

/// What a gateway's controller does: it accepts the generation that it sees.
fn accept(plane: &ControlPlane<'_>) {
    let generation = plane.get("httproute", NAME)["metadata"]["generation"].clone();
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation,
               "lastTransitionTime": "2026-11-24T12:00:00Z"})
    };
    let parent = json!({"parentRef": {"name": "edge", "namespace": "gateway"}, "controllerName": "example.com/gateway",
                        "conditions": [condition("Accepted"), condition("ResolvedRefs")]});
    let patch = json!({"status": {"parents": [parent]}}).to_string();
    let arguments =
        ["-n", "laforge", "patch", "httproute", NAME, "--subresource=status", "--type=merge", "-p", &patch];
    // The object may have moved on; the next round sees it.
    let _ = plane.kubectl(&arguments);
}

#[test]
fn walks_a_route_beside_another_writer_and_loses_nothing_of_either() {
    within("walked::walks_a_route_beside_another_writer_and_loses_nothing_of_either", |parts| {
        let plane = ControlPlane::start(parts);
        if !route(&plane) {
            return;
        }
        let mut driver = driver(&plane.as_guard(NAME));
        let stop = AtomicBool::new(false);
        let edits = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    accept(&plane);
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    edit_filters(&plane, edits.load(Ordering::Relaxed));
                    edits.fetch_add(1, Ordering::Relaxed);
                    // Each edit is a generation: the gateway has to catch up between two.
                    thread::sleep(Duration::from_secs(1));
                }
            });
            let _ends = Ends(&stop);
            for (epoch, percent) in [(1, 20), (1, 80), (1, 100), (2, 0)] {
                driver.fence(epoch).unwrap();
                driver.set(weight(percent), epoch).unwrap();
                assert_eq!(driver.read().unwrap().weight(), weight(percent));
            }
        });
        let object = plane.get("httproute", NAME);
        let last = edits.load(Ordering::Relaxed);
        assert!(last > 1, "the other writer had {last} turns");
        let set = &object["spec"]["rules"][0]["filters"][0]["responseHeaderModifier"]["set"][0]["value"];
        assert_eq!(set, &json!((last - 1).to_string()), "the other writer's last edit");
        assert_eq!(weights(&object), [100, 0]);
        assert_eq!(object["metadata"]["annotations"]["laforge.dev/epoch"], "2");
        refuses(&plane, driver);
    });
}

/// Ends the other writers, also where the walk fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn edit_filters(plane: &ControlPlane<'_>, turn: u64) {
    let header = json!([{"name": "x-turn", "value": turn.to_string()}]);
    let filters = json!([{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": header}}]);
    let patch = json!([{"op": "add", "path": "/spec/rules/0/filters", "value": filters}]).to_string();
    plane.kubectl_ok(&["-n", "laforge", "patch", "httproute", NAME, "--type=json", "-p", &patch]);
}

fn weights(object: &Value) -> [u64; 2] {
    [0, 1].map(|at| object["spec"]["rules"][0]["backendRefs"][at]["weight"].as_u64().unwrap())
}

/// What must not go through: an older epoch, and a weight that somebody else set is seen, not overwritten unseen.
fn refuses(plane: &ControlPlane<'_>, mut ours: GatewayApi) {
    let mut other = driver(&plane.by_certificate());
    other.fence(7).unwrap();
    let error = ours.set(weight(100), 2).unwrap_err();
    assert!(matches!(error, DriverError::Fenced { epoch: 2, fence: 7 }), "{error}");
    let patch = json!([
        {"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 50},
        {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 50},
    ])
    .to_string();
    plane.kubectl_ok(&["-n", "laforge", "patch", "httproute", NAME, "--type=json", "-p", &patch]);
    let mut hasty = driver(&plane.kubeconfig()).accepted_within(Duration::from_millis(1));
    let error = hasty.read().unwrap_err().to_string();
    assert!(error.contains("it has seen generation"), "not accepted yet, so no reading: {error}");
    accept(plane);
    assert_eq!(ours.read().unwrap().weight(), weight(50), "drift is read as it is");
    plane.kubectl_ok(&["-n", "laforge", "delete", "httproute", NAME]);
    let error = ours.read().unwrap_err().to_string();
    assert!(error.contains("answered `404: ") && error.contains(NAME), "{error}");
}

#[test]
fn two_hundred_races_lose_no_update() {
    within("walked::two_hundred_races_lose_no_update", |parts| {
        const RACES: u64 = 200;
        const WRITERS: u64 = 4;
        let plane = ControlPlane::start(parts);
        if !route(&plane) {
            return;
        }
        let outcomes = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let highest = AtomicU64::new(0);
        // Four guards at once, each with epochs of its own: of those that race, at most one may believe itself done
        // with a weight that another's epoch has fenced.
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (plane, outcomes, highest) = (&plane, Arc::clone(&outcomes), &highest);
                scope.spawn(move || {
                    let mut driver = driver(&plane.kubeconfig());
                    for race in 0..RACES / WRITERS {
                        let epoch = race * WRITERS + writer + 1;
                        match driver.set(weight(epoch % 101), epoch) {
                            Ok(()) => {
                                highest.fetch_max(epoch, Ordering::Relaxed);
                                outcomes.0.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(DriverError::Fenced { fence, .. }) => {
                                assert!(fence > epoch, "{fence} does not fence {epoch}");
                                outcomes.1.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(DriverError::Conflict { .. }) => outcomes.1.fetch_add(1, Ordering::Relaxed),
                            Err(error) => panic!("{error}"),
                        };
                    }
                });
            }
        });
        let object = plane.get("httproute", NAME);
        let epoch: u64 =
            object["metadata"]["annotations"]["laforge.dev/epoch"].as_str().unwrap().parse().unwrap();
        // The epoch and the weights come of one and the same command, the highest that went through: a lost update
        // would be a lower one over it.
        assert_eq!(epoch, highest.load(Ordering::Relaxed));
        assert_eq!(weights(&object), [100 - epoch % 101, epoch % 101], "epoch {epoch}");
        let (done, refused) = (outcomes.0.load(Ordering::Relaxed), outcomes.1.load(Ordering::Relaxed));
        assert_eq!(done + refused, RACES);
        // Each that went through is a generation of the object, and there are no others.
        let generation = object["metadata"]["generation"].as_u64().unwrap();
        assert!(generation <= done + 1, "generation {generation} after {done} commands");
        super::parts::tell(&format!(
            "{RACES} races: {done} went through, {refused} refused, epoch {epoch}\n"
        ));
    });
}
