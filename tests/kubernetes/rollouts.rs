//! A rendered Rollout on the real Argo Rollouts controller, whose steps go on, wait or end by the verdicts of a real
//! `laforge runtime`, which asks the real Prometheus, which scrapes a small service.
//!
//! kwok is in the place of nodes, so no Pod serves: the service that is scraped stands for the candidate's. The
//! route's weights are moved by a plugin of ours (`tests/parts/rollouts/gateway-api-plugin`), as the gateway's own
//! can't be had.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::namespace::within;
use super::nodes;
use super::parts::{self, Parts, tell};
use super::released::{Released, TOKEN};
use super::server::Server;
use super::service::{Load, Service, ask};

const CANDIDATE: u16 = 8082;
const RUNTIME: u16 = 8088;
/// How long a rollout may take: three windows of seven seconds, and what the controller needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster with the controller, a runtime that answers it, and what the runtime asks.
struct Site<'a> {
    plane: ControlPlane<'a>,
    released: Released,
    service: Service,
    _prometheus: Server,
    _home: tempfile::TempDir,
}

/// How a rollout went: the route's weights and the Rollout's phases, each as they followed each other.
#[derive(Debug, PartialEq, Eq)]
struct Walk {
    weights: Vec<[u64; 2]>,
    phases: Vec<String>,
}

impl<'a> Site<'a> {
    fn start(parts: &'a Parts, argo: &Parts) -> Self {
        let began = Instant::now();
        let mut plane = ControlPlane::start(parts);
        nodes::start(&mut plane, parts);
        plane.define_all(&argo.path("definitions"));
        plane.define_all(&parts.path("definitions"));
        plane.kubectl_ok(&["create", "namespace", "argo-rollouts"]);
        let plugins = json!([{"name": "argoproj-labs/gatewayAPI",
                              "location": format!("file://{}", argo.path("gateway-api-plugin").display())}]);
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "argo-rollouts-config", "namespace": "argo-rollouts"},
            "data": {"trafficRouterPlugins": plugins.to_string()},
        });
        plane.kubectl_with(&["create", "-f", "-"], &config.to_string()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut controller = argo.command("rollouts-controller");
        // It keeps its plugins in the folder that it runs in.
        controller.current_dir(home.path()).env("KUBECONFIG", plane.kubeconfig());
        controller.arg("--kubeconfig").arg(plane.kubeconfig());
        controller.args(["--leader-elect=false", "--healthzPort=8080", "--metricsPort=8090"]);
        plane.run_command("rollouts-controller", controller);
        let released = Released::new();
        released.write(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: app\n  \
                 static_configs: [{{targets: ['127.0.0.1:{CANDIDATE}']}}]\n"
            ),
        );
        let flags = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=tsdb",
            "--web.listen-address=127.0.0.1:9090",
        ];
        let ready = || ask(9090, "/-/ready").is_ok_and(|answer| answer.status == 200);
        let prometheus = Server::start(released.path(), "prometheus", &flags, ready);
        let literal = format!("--from-literal=token={TOKEN}");
        let token = ["create", "secret", "generic", "laforge-verdicts", literal.as_str()];
        plane.kubectl_ok(&[&["-n", "laforge"], &token[..]].concat());
        serve(&mut plane, &released);
        let service = Service::start(CANDIDATE, &released.digest);
        plane.wait("the controller", |_| ask(8080, "/healthz").is_ok_and(|answer| answer.status == 200));
        tell(&format!("rollouts: all is up after {:.1} s\n", began.elapsed().as_secs_f64()));
        Self { plane, released, service, _prometheus: prometheus, _home: home }
    }

    /// What `laforge render` prints, with the component of `deploy/` where the runtime judges.
    fn rendered(&self, judge: Judge) -> String {
        let rendered = self.released.laforge(&["render", "argo-rollouts", "plan.json"]);
        if judge == Judge::Prometheus {
            return rendered;
        }
        let folder = tempfile::tempdir().unwrap();
        let component = super::chart::deploy("k8s/argo-verdicts/kustomization.yaml");
        let component = fs::read_to_string(component).unwrap();
        let here = format!("http://127.0.0.1:{RUNTIME}");
        assert!(component.contains("https://laforge-runtime.laforge.svc"));
        let component = component.replace("https://laforge-runtime.laforge.svc", &here);
        fs::create_dir(folder.path().join("verdicts")).unwrap();
        fs::write(folder.path().join("verdicts/kustomization.yaml"), component).unwrap();
        fs::write(folder.path().join("rendered.yaml"), rendered).unwrap();
        fs::write(
            folder.path().join("kustomization.yaml"),
            "resources: [rendered.yaml]\ncomponents: [verdicts]\n",
        )
        .unwrap();
        self.plane.kubectl_ok(&["kustomize", folder.path().to_str().unwrap()])
    }

    /// The version before: the same with another image. An engine's first rollout has no steps.
    fn before(&self, manifests: &str) {
        self.plane.kubectl_ok(&["-n", "laforge", "delete", "rollout,analysisrun", "--all", "--wait"]);
        let old = manifests.replace(&format!("payments@sha256:{}", self.released.digest), &image_before());
        self.apply(&old);
        let walk = self.walk(&["Healthy"]);
        assert_eq!(walk.weights.last(), Some(&[100, 0]), "{walk:?}");
    }

    fn apply(&self, manifests: &str) {
        let apply = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"];
        self.plane.kubectl_with(&apply, manifests).unwrap();
    }

    /// Watches until the Rollout is in one of these phases, for what was applied last.
    #[track_caller]
    fn walk(&self, ends: &[&str]) -> Walk {
        let began = Instant::now();
        let mut walk = Walk { weights: Vec::new(), phases: Vec::new() };
        loop {
            let rollout = self.plane.get("rollout", "payments");
            push(&mut walk.weights, weights(&self.plane));
            // Until the controller has seen what was applied, it speaks of what was there before.
            let applied = rollout["metadata"]["generation"].to_string();
            let seen = rollout["status"]["observedGeneration"].as_str() == Some(applied.as_str());
            if let (true, Some(phase)) = (seen, rollout["status"]["phase"].as_str()) {
                push(&mut walk.phases, phase.to_owned());
                if ends.contains(&phase) {
                    // The route follows.
                    sleep(Duration::from_secs(2));
                    push(&mut walk.weights, weights(&self.plane));
                    return walk;
                }
            }
            let said = || format!("{}\n{}", rollout["status"], self.plane.said("rollouts-controller"));
            assert!(began.elapsed() < PATIENCE, "{walk:?}: {}", said());
            sleep(Duration::from_millis(100));
        }
    }

    /// How each analysis of the Rollout ended, in their order.
    fn analyses(&self) -> Vec<String> {
        let sorted = ["get", "analysisrun", "--sort-by=.metadata.creationTimestamp", "-o"];
        let phases = "jsonpath={range .items[*]}{.status.phase}{\"\\n\"}{end}";
        let said = self.plane.kubectl_ok(&[&["-n", "laforge"], &sorted[..], &[phases]].concat());
        said.lines().map(str::to_owned).collect()
    }

    /// The verdicts that the runtime has given so far.
    fn verdicts(&self) -> Vec<String> {
        let lines = self.plane.said("runtime");
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter_map(|event| event["result"].as_str().map(str::to_owned)).collect()
    }
}

/// Who judges the windows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judge {
    /// As it is rendered.
    Prometheus,
    /// With `deploy/k8s/argo-verdicts`.
    Runtime,
}

fn image_before() -> String {
    format!("payments@sha256:{}", "0".repeat(64))
}

fn push<T: PartialEq>(seen: &mut Vec<T>, next: T) {
    if seen.last() != Some(&next) {
        seen.push(next);
    }
}

fn weights(plane: &ControlPlane<'_>) -> [u64; 2] {
    let route = plane.get("httproute", "payments");
    [0, 1].map(|at| route["spec"]["rules"][0]["backendRefs"][at]["weight"].as_u64().unwrap())
}

/// `laforge runtime` of the plan.
fn serve(plane: &mut ControlPlane<'_>, released: &Released) {
    let listen = format!("127.0.0.1:{RUNTIME}");
    plane.run_command("runtime", released.command(&["runtime", "plan.json", "--listen", &listen]));
    plane.wait("the runtime", |_| ask(RUNTIME, "/livez").is_ok_and(|answer| answer.status == 200));
}

/// Asks the candidate for something, a hundred times a second, while a rollout goes on.
fn under_load<T>(body: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                Load::steady(CANDIDATE, 100, Duration::from_millis(500));
            }
        });
        let _ends = Ends(&stop);
        body()
    })
}

/// Ends the load, also where the body fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All the way, and back to one Service that both versions' Pods have become.
/// What was seen from the first step on: the first look may come after it.
fn shifted(weights: &[[u64; 2]]) -> &[[u64; 2]] {
    weights.strip_prefix(&ALL_THE_WAY[..1]).unwrap_or(weights)
}

const ALL_THE_WAY: [[u64; 2]; 5] = [[100, 0], [80, 20], [20, 80], [0, 100], [100, 0]];

#[test]
fn a_rendered_rollout_goes_on_waits_and_stops_by_the_runtimes_verdicts() {
    let test = "rollouts::a_rendered_rollout_goes_on_waits_and_stops_by_the_runtimes_verdicts";
    let Some(argo) = parts::rollouts() else { return };
    if !parts::is_installed("prometheus") {
        return parts::skip("`prometheus` is not installed");
    }
    within(test, |parts| {
        let site = Site::start(parts, &argo);
        passes(&site, Judge::Prometheus);
        passes(&site, Judge::Runtime);
        assert!(site.verdicts().len() >= 3 && site.verdicts().iter().all(|verdict| verdict == "pass"));
        waits_for_evidence(&site);
        stops_for_a_breach(&site);
    });
}

/// Through every step, each by a window that passed.
fn passes(site: &Site<'_>, judge: Judge) {
    let manifests = site.rendered(judge);
    site.before(&manifests);
    let began = Instant::now();
    let walk = under_load(|| {
        site.apply(&manifests);
        site.walk(&["Healthy", "Paused", "Degraded"])
    });
    tell(&format!(
        "rollouts: {:?}, {:.1} s, {:?}\n",
        walk.weights,
        began.elapsed().as_secs_f64(),
        walk.phases
    ));
    assert_eq!(shifted(&walk.weights), &ALL_THE_WAY[1..]);
    assert_eq!(walk.phases, ["Progressing", "Healthy"]);
    assert_eq!(site.analyses(), ["Successful"; 3]);
}

/// Nobody asks the candidate for anything, so nobody knows: it waits at its first weight.
fn waits_for_evidence(site: &Site<'_>) {
    let manifests = site.rendered(Judge::Runtime);
    site.before(&manifests);
    // What was counted before is not in the window.
    sleep(Duration::from_secs(7));
    site.apply(&manifests);
    let walk = site.walk(&["Healthy", "Paused", "Degraded"]);
    tell(&format!("rollouts: no requests: {:?}, {:?}\n", walk.weights, walk.phases));
    assert_eq!(shifted(&walk.weights), [[80, 20]]);
    assert_eq!(walk.phases, ["Progressing", "Paused"]);
    assert_eq!(site.analyses(), ["Inconclusive"]);
    let paused = site.plane.get("rollout", "payments");
    assert_eq!(paused["status"]["pauseConditions"][0]["reason"], "InconclusiveAnalysisRun");
    // It goes on waiting; and once the pause is taken away, and nothing else, the same window is earned again.
    sleep(Duration::from_secs(10));
    assert_eq!(weights(&site.plane), [80, 20]);
    let resumed = under_load(|| {
        // A window's worth of requests first.
        sleep(Duration::from_secs(2));
        let patch =
            ["--subresource=status", "--type=merge", "-p", r#"{"status": {"pauseConditions": null}}"#];
        site.plane.kubectl_ok(&[&["-n", "laforge", "patch", "rollout", "payments"], &patch[..]].concat());
        site.plane
            .wait("it goes on", |plane| plane.get("rollout", "payments")["status"]["phase"] != "Paused");
        site.walk(&["Healthy", "Paused", "Degraded"])
    });
    assert_eq!(resumed.weights, ALL_THE_WAY[1..], "{resumed:?}");
    assert_eq!(site.analyses(), ["Inconclusive", "Successful", "Successful", "Successful"]);
}

/// One request of five fails: it is taken back.
fn stops_for_a_breach(site: &Site<'_>) {
    let manifests = site.rendered(Judge::Runtime);
    site.before(&manifests);
    site.service.behave("errors=0.2");
    let walk = under_load(|| {
        site.apply(&manifests);
        site.walk(&["Healthy", "Paused", "Degraded"])
    });
    site.service.behave("errors=0");
    tell(&format!("rollouts: a breach: {:?}, {:?}\n", walk.weights, walk.phases));
    assert_eq!(shifted(&walk.weights), [[80, 20], [100, 0]]);
    assert_eq!(walk.phases, ["Progressing", "Degraded"]);
    assert_eq!(site.analyses(), ["Failed"]);
    let aborted = site.plane.get("rollout", "payments");
    assert_eq!(aborted["status"]["abort"], true);
    assert_eq!(site.verdicts().last().map(String::as_str), Some("breach"));
}
