//! What no manifest would be true to, what is missing for one, and what each loss is called.

use super::*;

#[test]
fn refuses_a_plan_that_no_manifest_would_be_true_to() {
    let candidate = |name: &str| {
        json!({"role": "candidate", "name": name, "version": "2.4.0", "image": "r.example/x",
               "digest": {"sha256": "3".repeat(64)}})
    };
    let mut several = Planned::bluegreen().with("/deploys", json!(["runtime", "worker"]));
    several.0["subject"].as_array_mut().unwrap().insert(1, candidate("worker"));
    let mut file = Planned::bluegreen();
    file.0["subject"][0].as_object_mut().unwrap().remove("image");
    let series = json!({"bad": "e{v=\"$digest\",x=\"{{y}}\"}", "total": "t{v=\"$digest\"}"});
    let version = json!({"bad": "e{v=\"$version\"}", "total": "t{v=\"$digest\"}"});
    let quoted = Planned::bluegreen()
        .with("/objectives/0/ratioMetric", version)
        .with("/subject/0/version", json!("2\"} or vector(0) #"));
    let mut named = Planned::bluegreen().with("/objectives/0/id", json!("Errors"));
    for path in ["/phases/2/steps/0/objectives/0", "/phases/2/steps/1/objectives/0", "/phases/3/objectives/0"]
    {
        named.set(path, json!("Errors"));
    }
    for (plan, engine, said) in [
        (
            several,
            Engine::GatewayApi,
            "the plan deploys 2 artifacts, `runtime`, `worker`, and manifests hold one",
        ),
        (file, Engine::Kubernetes, "the plan deploys `runtime`, which is no image"),
        (
            Planned::bluegreen().with("/objectives/0/ratioMetric", series),
            Engine::Flagger,
            "`e{v=\"$digest\",x=\"{{y}}\"}` holds `{{`, which flagger takes for a template of its own",
        ),
        (
            Planned::bluegreen().with("/phases/0/command", json!(["migrate", "{{args.image}}"])),
            Engine::ArgoRollouts,
            "`{{args.image}}` holds `{{`, which argo-rollouts takes for a template of its own",
        ),
        (quoted, Engine::ArgoRollouts, "the version `2\"} or vector(0) #` can't stand in a series"),
        (named, Engine::ArgoRollouts, "the objective `Errors` is no name of a Kubernetes object"),
        (
            Planned::bluegreen().with("/phases/1/timeoutSeconds", json!(4_294_967_296_u64)),
            Engine::GatewayApi,
            "`timeoutSeconds` is 4294967296, and a manifest holds 1 to 1073741823",
        ),
        (
            Planned::bluegreen().with("/release/name", json!("Laforge Runtime")),
            Engine::GatewayApi,
            "`name` is `Laforge Runtime`, and has to be set where",
        ),
    ] {
        let refusal = plan.refused(engine);
        assert!(refusal.starts_with(said), "{said}: {refusal}");
    }
}

#[test]
fn names_what_no_plan_says_and_the_engine_needs() {
    let without = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        settings
    };
    for (engine, settings, member) in [
        (Engine::GatewayApi, without(|settings| settings.namespace = None), "namespace"),
        (Engine::GatewayApi, without(|settings| settings.replicas = None), "replicas"),
        (Engine::GatewayApi, without(|settings| settings.gateway = None), "gateway"),
        (Engine::GatewayApi, without(|settings| settings.hostnames.clear()), "hostnames"),
        (Engine::ArgoRollouts, without(|settings| settings.prometheus = None), "prometheus"),
        (Engine::Flagger, without(|settings| settings.prometheus = None), "prometheus"),
        (Engine::Flagger, without(|settings| settings.guard = None), "guard"),
        (Engine::Flagger, without(|settings| settings.gateway = None), "gateway"),
        (Engine::Flagger, without(|settings| settings.hostnames.clear()), "hostnames"),
    ] {
        let refusal = Planned::bluegreen().render_with(engine, &settings).unwrap_err().to_string();
        assert_eq!(refusal, format!("manifests for {engine} need `{member}`"));
    }
    let routed = without(|settings| settings.gateway = None);
    let rendered = Planned::bluegreen().render_with(Engine::ArgoRollouts, &routed).unwrap();
    assert!(
        rendered.objects.iter().all(|object| object["kind"] != "HTTPRoute"),
        "a route is somebody else's"
    );
}

#[test]
fn every_loss_has_an_id_of_its_own_and_a_row_in_the_docs() {
    let ids: BTreeSet<&str> = Lossy::ALL.iter().map(|lossy| lossy.id()).collect();
    assert_eq!(ids.len(), Lossy::ALL.len());
    let page = include_str!("../../../../docs/render.md");
    for lossy in Lossy::ALL {
        assert!(page.contains(&format!("| `{}` |", lossy.id())), "{} is not in docs/render.md", lossy.id());
    }
}

#[test]
fn an_argument_reaches_the_candidate_as_it_is() {
    let text = Planned::staged().render(Engine::GatewayApi).unwrap().yaml();
    let args: Vec<&str> = text.lines().skip_while(|line| line.trim() != "- args:").skip(1).take(6).collect();
    // Kubernetes replaces `$(HOME)` and halves `$$`; a reader of YAML 1.1 takes `yes` for true.
    assert_eq!(
        args.iter().map(|line| line.trim()).collect::<Vec<_>>(),
        ["- migrate", "- '--note'", "- 'yes'", "- '$$(HOME) costs $$$$5'", "- '1e3'", "- '~'"]
    );
}
