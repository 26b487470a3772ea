//! Plans of each strategy for each engine: the manifests checked in, what of a plan is in them, what is refused.
//!
//! The manifests lie in `tests/kubernetes/manifests/`, where schemas and a real API server judge them.
#![expect(clippy::disallowed_methods, reason = "tests read the world: the manifests that are checked in")]

mod refused;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::settings::{Resources, Slot, StableSlot};
use super::*;
use crate::rollout::envelope::tests::World;

/// A plan, and where in it a test looks.
struct Planned(Value);

impl Planned {
    /// The page's own: blue/green by 20, 80, 100 with an expanding migration.
    fn bluegreen() -> Self {
        Self(World::new().core)
    }

    /// Canary by 10, 50, 100, without a migration, at the 95th percentile, of a version that is no label.
    fn canary() -> Self {
        let mut plan = Self::bluegreen().stepping("Canary", &[10, 50, 100], &[10, 50, 100]);
        plan.set(
            "/phases/0",
            json!({"id": "migrate", "type": "Migrate", "mode": "Shadow", "timeoutSeconds": 600}),
        );
        plan.set("/objectives/1/quantilePermille", json!(950));
        plan.set("/objectives/1/maxRatioPpm", json!(50_000));
        plan.set("/objectives/1/minSamples", json!(200));
        plan.set("/subject/0/version", json!("2.4.0+7"));
        plan.set("/release/version", json!("2.4.0+7"));
        plan
    }

    /// Staged by 5, 50, 100, windows of their own, a slow budget in whole seconds, an override.
    fn staged() -> Self {
        let mut plan = Self::bluegreen().stepping("Staged", &[5, 50, 100], &[5, 100, 100]);
        plan.set("/phases/2/steps/1/windowSeconds", json!(900));
        plan.set("/phases/2/steps/1/settleSeconds", json!(30));
        plan.set("/phases/1/probeLatencyMaxMs", json!(2000));
        plan.set("/phases/0/command", json!(["migrate", "--note", "yes", "$(HOME) costs $$5", "1e3", "~"]));
        plan.set("/phases/0/class", json!("Contract"));
        plan.set("/phases/0/backup", json!("nightly"));
        plan.set("/subject", json!(plan.0["subject"].as_array().unwrap()[..2]));
        plan
    }

    /// All at once.
    fn at_once() -> Self {
        Self::bluegreen().stepping("BlueGreen", &[100], &[100])
    }

    fn stepping(mut self, strategy: &str, weights: &[u64], sizes: &[u64]) -> Self {
        let last = weights.len() - 1;
        let steps = weights.iter().enumerate().map(|(index, weight)| {
            let (window, extensions) = if index == last { (0, 0) } else { (300, 2) };
            let objectives =
                if index == last { json!([]) } else { json!(["error-budget", "latency-budget"]) };
            json!({
                "index": index, "settleSeconds": 15, "windowSeconds": window, "maxExtensions": extensions,
                "objectives": objectives,
                "backendRefs":
                    [{"name": "stable", "weight": 100 - weight}, {"name": "candidate", "weight": weight}],
            })
        });
        self.0["phases"][2]["steps"] = steps.collect();
        self.0["strategy"] = json!({
            "type": strategy, "trafficSteps": weights, "candidateScale": sizes, "keepStableAtFullScale": true,
        });
        self
    }

    #[track_caller]
    fn set(&mut self, path: &str, value: Value) {
        let (parent, member) = path.rsplit_once('/').unwrap();
        let parent = self.0.pointer_mut(parent).unwrap();
        match parent {
            Value::Object(parent) => drop(parent.insert(member.to_owned(), value)),
            parent => *parent.get_mut(member.parse::<usize>().unwrap()).unwrap() = value,
        }
    }

    fn with(mut self, path: &str, value: Value) -> Self {
        self.set(path, value);
        self
    }

    fn render(&self, engine: Engine) -> Result<Rendered, RenderError> {
        self.render_with(engine, &settings())
    }

    fn render_with(&self, engine: Engine, settings: &Settings) -> Result<Rendered, RenderError> {
        let world = World::new().with_core("", self.0.clone());
        let plan = world.accept(&world.envelope()).unwrap();
        render(engine, &plan, settings)
    }

    #[track_caller]
    fn refused(&self, engine: Engine) -> String {
        self.render(engine).unwrap_err().to_string()
    }
}

fn settings() -> Settings {
    let quantities = |all: &[(&str, &str)]| {
        all.iter().map(|(name, quantity)| ((*name).to_owned(), (*quantity).to_owned())).collect()
    };
    let section = RenderSection {
        namespace: Some("laforge".into()),
        replicas: Some(4),
        liveness_path: Some("/livez".into()),
        prometheus: Some("http://prometheus.monitoring:9090".into()),
        guard: Some("http://laforge-guard.laforge:8088/".into()),
        gateway: Some("gateway/edge".into()),
        hostnames: vec!["app.example.com".into()],
        resources: Resources {
            requests: quantities(&[("cpu", "250m"), ("memory", "256Mi")]),
            limits: quantities(&[("memory", "512Mi")]),
        },
        ..RenderSection::default()
    };
    Settings::of(&section, StableSlot::Leave).unwrap()
}

const WEIGHTED: [Engine; 3] = [Engine::ArgoRollouts, Engine::Flagger, Engine::GatewayApi];

#[track_caller]
fn is_checked_in(name: &str, rendered: &Rendered) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kubernetes/manifests/{name}.yaml"));
    let mut made = String::new();
    for lossy in &rendered.lossy {
        made.push_str(&format!("# {lossy}\n"));
    }
    for command in &rendered.commands {
        made.push_str(&format!("# {command}\n"));
    }
    made.push_str(&rendered.yaml());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(held == made, "{name}.yaml is out of date: UPDATE_PAGES=1 cargo test --lib render");
}

#[test]
fn every_strategy_for_every_engine_is_as_checked_in() {
    let plans =
        [("bluegreen", Planned::bluegreen()), ("canary", Planned::canary()), ("staged", Planned::staged())];
    for engine in WEIGHTED {
        for (name, plan) in &plans {
            is_checked_in(&format!("{engine}-{name}"), &plan.render(engine).unwrap());
        }
    }
    is_checked_in("kubernetes-at-once", &Planned::at_once().render(Engine::Kubernetes).unwrap());
    let bootstrap = Settings { stable: StableSlot::Render, candidate_slot: Slot::Blue, ..settings() };
    for (engine, plan) in
        [(Engine::GatewayApi, Planned::bluegreen()), (Engine::Kubernetes, Planned::at_once())]
    {
        is_checked_in(&format!("{engine}-with-stable"), &plan.render_with(engine, &bootstrap).unwrap());
    }
}

/// What becomes of one value of a plan.
enum Fate {
    /// Another value gives other manifests.
    Mapped,
    /// It changes nothing, and that is said.
    Lost(Lossy),
    /// The guard takes it from the plan itself.
    Guards,
}

/// Every value of a plan that a rollout depends on, another value for it, and its fate with
/// [`Engine::ArgoRollouts`], [`Engine::Flagger`] and [`Engine::GatewayApi`].
fn fates() -> Vec<(&'static str, Value, [Fate; 3])> {
    use Fate::{Guards, Lost, Mapped};
    let metric = json!({"bad": "errors{v=\"$digest\"}", "total": "all{v=\"$digest\"}"});
    vec![
        ("/subject/0/digest/sha256", json!("7".repeat(64)), [Mapped, Mapped, Mapped]),
        ("/subject/0/image", json!("registry.example/other"), [Mapped, Mapped, Mapped]),
        ("/subject/2/digest/sha256", json!("8".repeat(64)), [Mapped, Mapped, Mapped]),
        ("/validity/notAfter", json!("2026-11-24T15:00:00Z"), [Mapped, Mapped, Mapped]),
        ("/strategy/candidateScale", json!([50, 100, 100]), [Mapped, Lost(Lossy::CandidateScale), Mapped]),
        ("/objectives/0/ratioMetric", metric, [Mapped, Mapped, Guards]),
        ("/objectives/0/maxRatioPpm", json!(30_000), [Mapped, Mapped, Guards]),
        ("/objectives/1/maxRatioPpm", json!(50_000), [Mapped, Mapped, Guards]),
        ("/objectives/0/minSamples", json!(600), [Mapped, Mapped, Guards]),
        ("/objectives/0/fastBurn/factor", json!(5), [Mapped, Lost(Lossy::FastBurn), Guards]),
        ("/objectives/0/fastBurn/lookbackSeconds", json!(30), [Mapped, Lost(Lossy::FastBurn), Guards]),
        ("/objectives/0/fastBurn/minSamples", json!(40), [Mapped, Lost(Lossy::FastBurn), Guards]),
        ("/phases/0/command", json!(["migrate"]), [Mapped, Guards, Mapped]),
        ("/phases/0/class", json!("Contract"), [Mapped, Guards, Mapped]),
        ("/phases/0/backup", json!("nightly"), [Mapped, Guards, Mapped]),
        ("/phases/0/timeoutSeconds", json!(60), [Mapped, Mapped, Mapped]),
        ("/phases/1/httpGet/path", json!("/ready"), [Mapped, Mapped, Mapped]),
        ("/phases/1/periodSeconds", json!(6), [Mapped, Mapped, Mapped]),
        ("/phases/1/consecutiveSuccesses", json!(6), [Mapped, Mapped, Mapped]),
        ("/phases/1/probeLatencyMaxMs", json!(1001), [Mapped, Mapped, Mapped]),
        (
            "/phases/1/probeLatencyMaxMs",
            json!(500),
            [Lost(Lossy::ProbeLatency), Lost(Lossy::ProbeLatency), Lost(Lossy::ProbeLatency)],
        ),
        ("/phases/1/timeoutSeconds", json!(301), [Mapped, Mapped, Mapped]),
        ("/phases/2/steps/0/settleSeconds", json!(20), [Mapped, Mapped, Guards]),
        ("/phases/2/steps/0/windowSeconds", json!(400), [Mapped, Mapped, Guards]),
        ("/phases/2/steps/0/windowSeconds", json!(200), [Mapped, Lost(Lossy::OneInterval), Guards]),
        (
            "/phases/2/steps/0/maxExtensions",
            json!(1),
            [Lost(Lossy::Extensions), Lost(Lossy::Extensions), Guards],
        ),
        ("/phases/2/steps/0/objectives", json!(["error-budget"]), [Mapped, Lost(Lossy::Objectives), Guards]),
        ("/phases/2/steps/2/settleSeconds", json!(60), [Mapped, Mapped, Guards]),
        ("/phases/3/windowSeconds", json!(600), [Mapped, Lost(Lossy::Monitor), Guards]),
        ("/phases/3/maxExtensions", json!(1), [Lost(Lossy::Extensions), Lost(Lossy::Extensions), Guards]),
        (
            "/rollback/pauseDeadlineSeconds",
            json!(60),
            [Lost(Lossy::PauseDeadline), Lost(Lossy::BreachRollsBack), Guards],
        ),
        (
            "/rollback/operatorPauseDeadlineSeconds",
            json!(60),
            [Lost(Lossy::PauseDeadline), Lost(Lossy::BreachRollsBack), Guards],
        ),
        ("/rollback/confirmWithinSeconds", json!(30), [Lost(Lossy::ReadBack), Lost(Lossy::ReadBack), Guards]),
        ("/rollback/drainWithinSeconds", json!(30), [Mapped, Mapped, Mapped]),
    ]
}

/// The manifests without what names the plan: another plan is another digest in any case.
fn but_for_the_digest(rendered: &Rendered) -> String {
    let mut objects = rendered.objects.clone();
    for object in &mut objects {
        let digest = object["metadata"]["annotations"]["laforge.dev/plan-digest"].take();
        let hex = digest.as_str().unwrap().trim_start_matches("sha256:");
        let text = object.to_string().replace(hex, "").replace(&hex[..10], "");
        *object = text.parse().unwrap();
    }
    json!(objects).to_string()
}

#[test]
fn every_value_of_a_plan_is_in_the_manifests_or_said_to_be_lost() {
    for (at, engine) in WEIGHTED.into_iter().enumerate() {
        let whole = Planned::bluegreen();
        let before = but_for_the_digest(&whole.render(engine).unwrap());
        for (path, value, fates) in fates() {
            let changed = Planned::bluegreen().with(path, value.clone()).render(engine).unwrap();
            let is_same = but_for_the_digest(&changed) == before;
            match &fates[at] {
                Fate::Mapped => assert!(!is_same, "{engine}: {path} = {value} changes nothing"),
                Fate::Guards => assert!(is_same, "{engine}: {path} is in the manifests"),
                Fate::Lost(lossy) => {
                    assert!(
                        is_same && changed.lossy.contains(lossy),
                        "{engine}: {path}: {:?}",
                        changed.lossy
                    );
                }
            }
        }
    }
}

#[test]
fn without_a_migration_there_is_no_migrating_object() {
    for engine in WEIGHTED {
        let text = Planned::canary().render(engine).unwrap().yaml();
        assert!(!text.contains("migrat"), "{engine}: {text}");
        assert!(Planned::bluegreen().render(engine).unwrap().yaml().contains("migrat"), "{engine}");
    }
}

#[test]
fn every_object_says_which_plan_it_is_of_and_every_image_is_a_digest() {
    let stamped =
        ["plan-digest", "release-digest", "version", "log-origin", "log-index", "not-after", "mode"];
    for engine in WEIGHTED {
        for object in Planned::bluegreen().render(engine).unwrap().objects {
            let annotations = object["metadata"]["annotations"].as_object().unwrap();
            for name in stamped {
                assert!(annotations[&format!("laforge.dev/{name}")].is_string(), "{name}: {object}");
            }
            let text = object.to_string();
            for image in text.split("\"image\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let digest = format!("registry.example/laforge/runtime@sha256:{}", "1".repeat(64));
                assert!(image == digest || image == "{{args.image}}", "{image}");
            }
        }
    }
}

#[test]
fn a_new_plan_of_the_same_image_changes_no_pod_template() {
    let later = Planned::bluegreen().with("/validity/notAfter", json!("2026-11-24T15:00:00Z"));
    for engine in WEIGHTED {
        let templates = |plan: &Planned| -> Vec<Value> {
            let objects = plan.render(engine).unwrap().objects;
            objects.iter().map(|object| object["spec"]["template"].clone()).collect()
        };
        let templates = (templates(&Planned::bluegreen()), templates(&later));
        assert_eq!(templates.0, templates.1, "{engine}");
        assert!(templates.0.iter().any(Value::is_object), "{engine}");
    }
}

#[test]
fn one_service_takes_all_or_nothing() {
    assert_eq!(
        Planned::bluegreen().refused(Engine::Kubernetes),
        "the plan shifts traffic by 20, 80, 100, and one Service knows 0 and 100 alone"
    );
    let rendered = Planned::at_once().render(Engine::Kubernetes).unwrap();
    assert_eq!(
        rendered.commands[0],
        "kubectl -n laforge patch service laforge-runtime --type=json -p \
         '[{\"op\":\"test\",\"path\":\"/spec/selector/laforge.dev~1slot\",\"value\":\"blue\"},\
         {\"op\":\"replace\",\"path\":\"/spec/selector/laforge.dev~1slot\",\"value\":\"green\"}]'"
    );
}

#[test]
fn what_serves_is_left_alone_unless_it_is_asked_for() {
    let deployments = |settings: &Settings| -> Vec<String> {
        let objects = Planned::bluegreen().render_with(Engine::GatewayApi, settings).unwrap().objects;
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        deployments.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(deployments(&settings()), ["laforge-runtime-green"]);
    let bootstrap = Settings { stable: StableSlot::Render, ..settings() };
    assert_eq!(deployments(&bootstrap), ["laforge-runtime-blue", "laforge-runtime-green"]);
    let mut alone = Planned::bluegreen();
    alone.0["subject"].as_array_mut().unwrap().remove(1);
    let refusal = alone.render_with(Engine::GatewayApi, &bootstrap).unwrap_err().to_string();
    assert_eq!(refusal, "the plan names no stable version of `runtime` that could be rendered");
}
