//! Every row of the table: its default, its flag, its member, and how it is refused.

use super::*;
use crate::plan::PlanDraft;
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct Document {
    rollout: RolloutSection,
}

fn read(yaml: &str, flags: &RolloutFlags) -> Result<RolloutRequest, RolloutError> {
    let source = Source::new("laforge.yaml", &format!("rollout: {yaml}\n"));
    let document: Document = source.read()?;
    RolloutRequest::of(Some((&document.rollout, &source)), flags)
}

fn preview(yaml: &str) -> Value {
    PlanDraft::preview(&read(yaml, &RolloutFlags::default()).unwrap())
}

fn refused(yaml: &str) -> String {
    read(yaml, &RolloutFlags::default()).unwrap_err().to_string()
}

fn flagged(set: impl FnOnce(&mut RolloutFlags)) -> Result<RolloutRequest, RolloutError> {
    let mut flags = RolloutFlags::default();
    set(&mut flags);
    RolloutRequest::of(None, &flags)
}

#[test]
fn an_empty_section_and_none_ask_for_the_same() {
    let none = RolloutRequest::of(None, &RolloutFlags::default()).unwrap();
    assert_eq!(read("{}", &RolloutFlags::default()).unwrap(), none);
    assert_eq!(none.ttl(), Duration::hours(4));
}

#[test]
fn a_flag_beats_the_document_and_the_document_the_default() {
    let yaml = "{strategy: canary, errorBudget: 0.01, latencyBudgetMs: 200, trafficSteps: [5, 100], \
                ttl: 1h, target: here, expectedRps: 1000000}";
    let document = read(yaml, &RolloutFlags::default()).unwrap();
    assert_eq!((document.error.ppm, document.latency.threshold_ms), (10_000, 200));
    assert_eq!(document.target(), Some("here"));
    let flags = RolloutFlags {
        strategy: Some("staged".into()),
        traffic_steps: Some("1,50,100".into()),
        latency_budget: Some("300".into()),
        error_budget: Some("0.000001".into()),
        ttl: Some("30m".into()),
        target: Some("there".into()),
        expected_rps: Some("0.5".into()),
    };
    let flagged = read(yaml, &flags).unwrap_err().to_string();
    assert!(flagged.starts_with("`--expected-rps`: 2592000 s are too short at 1 %"), "{flagged}");
    let flagged = read(yaml, &RolloutFlags { expected_rps: None, ..flags }).unwrap();
    assert_eq!(flagged.strategy, StrategyType::Staged);
    assert_eq!((flagged.error.ppm, flagged.latency.threshold_ms), (1, 300));
    assert_eq!((flagged.ttl(), flagged.target()), (Duration::minutes(30), Some("there")));
}

#[test]
fn each_strategy_has_its_steps_and_sizes() {
    for (strategy, steps, scale) in [
        ("bluegreen", [20, 80, 100], [100, 100, 100]),
        ("canary", [10, 50, 100], [10, 50, 100]),
        ("staged", [10, 50, 100], [10, 100, 100]),
    ] {
        let plan = preview(&format!("{{strategy: {strategy}}}"));
        assert_eq!(plan["strategy"]["trafficSteps"], json!(steps), "{strategy}");
        assert_eq!(plan["strategy"]["candidateScale"], json!(scale), "{strategy}");
    }
}

#[test]
fn budgets_are_exact_or_refused_with_flag_or_place() {
    let error = flagged(|flags| flags.error_budget = Some("0.0200001".into())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`--error-budget`: `0.0200001` is not an exact decimal between 0 and 1 with at most 6 decimal places"
    );
    for wrong in ["2%", "0", "1", "1e-2", ".5", "-0.1"] {
        assert!(flagged(|flags| flags.error_budget = Some(wrong.into())).is_err(), "{wrong}");
    }
    for wrong in ["0", "450.0", "450ms", "-1", "", "99999999999999999999"] {
        assert!(flagged(|flags| flags.latency_budget = Some(wrong.into())).is_err(), "{wrong}");
    }
    let placed = refused("{errorBudget: 2e-2}");
    assert!(placed.starts_with("laforge.yaml:1:24: `2e-2` is not an exact decimal"), "{placed}");
    assert!(refused("{latencyQuantile: 0.9999}").contains("at most 3 decimal places"));
    assert!(refused("{latencyBudgetMs: 450.5}").contains("whole number of milliseconds"));
}

#[test]
fn steps_rise_strictly_to_one_hundred() {
    for wrong in ["20,80", "80,20,100", "20,20,100", "0,100", "20,,100", "", "20,80,101", "20, 80,100", "a"] {
        let error = flagged(|flags| flags.traffic_steps = Some(wrong.into())).unwrap_err().to_string();
        assert!(error.starts_with("`--traffic-steps`: "), "{wrong}: {error}");
    }
    assert!(refused("{trafficSteps: []}").contains("end at 100, got []"));
    assert!(flagged(|flags| flags.traffic_steps = Some("100".into())).is_ok());
}

#[test]
fn a_ttl_is_at_most_a_day_and_a_target_an_id() {
    assert!(flagged(|flags| flags.ttl = Some("24h".into())).is_ok());
    for wrong in ["25h", "86401s", "0h", "4", "four"] {
        assert!(flagged(|flags| flags.ttl = Some(wrong.into())).is_err(), "{wrong}");
    }
    for wrong in ["", "Prod", "-a", "a b", "a/b", &"a".repeat(64)] {
        assert!(flagged(|flags| flags.target = Some(wrong.into())).is_err(), "{wrong}");
    }
}

#[test]
fn sample_floors_follow_the_budget_and_are_never_lowered() {
    let plan = preview("{errorBudget: 0.03, latencyQuantile: 0.95}");
    assert_eq!(plan["objectives"][0]["minSamples"], 334);
    assert_eq!(plan["objectives"][1]["minSamples"], 200);
    assert!(refused("{minSamples: {error: 149}}").contains("at least 150 are needed"));
    assert!(refused("{minSamples: {latency: 299}}").contains("at least 300 are needed"));
    assert_eq!(preview("{minSamples: {error: 150, latency: 300}}")["objectives"][0]["minSamples"], 150);
}

#[test]
fn expected_traffic_lengthens_defaults_and_refuses_what_was_set_by_hand() {
    let window = |plan: &Value, step: usize| plan["phases"][2]["steps"][step]["windowSeconds"].clone();
    let plan = preview("{expectedRps: 10}");
    assert_eq!((window(&plan, 0), window(&plan, 1), window(&plan, 2)), (json!(500), json!(300), json!(0)));
    assert_eq!(plan["phases"][3]["windowSeconds"], 900);
    assert!(!plan.to_string().contains("expectedRps"));
    let slow = preview("{expectedRps: 0.5}");
    assert_eq!((window(&slow, 0), slow["phases"][3]["windowSeconds"].clone()), (json!(10_000), json!(2000)));
    let error = refused("{expectedRps: 10, windowSeconds: 499}");
    assert!(error.contains("499 s are too short at 20 % of the expected traffic: 500 s"), "{error}");
    assert!(refused("{expectedRps: 1, monitor: {windowSeconds: 999}}").contains("1000 s are needed"));
    assert!(read("{expectedRps: 10, windowSeconds: 500}", &RolloutFlags::default()).is_ok());
    for wrong in ["0", "-1", "x", "0.0001"] {
        assert!(flagged(|flags| flags.expected_rps = Some(wrong.into())).is_err(), "{wrong}");
    }
}

#[test]
fn a_migration_names_command_and_class_or_neither() {
    assert!(refused("{migration: {command: [m]}}").contains("its command and its class, or neither"));
    assert!(refused("{migration: {class: expand}}").contains("its command and its class, or neither"));
    assert!(refused("{migration: {command: [], class: expand}}").contains("list of words"));
    assert!(refused("{migration: {command: [m], class: contract}}").contains("names a `backup`"));
    let plan = preview("{migration: {command: [m], class: contract, backup: nightly, timeoutSeconds: 5}}");
    let expected = json!({"id": "migrate", "type": "Migrate", "mode": "Shadow", "command": ["m"],
                          "class": "Contract", "backup": "nightly", "timeoutSeconds": 5});
    assert_eq!(plan["phases"][0], expected);
    let none = json!({"id": "migrate", "type": "Migrate", "mode": "Shadow", "timeoutSeconds": 600});
    assert_eq!(preview("{}")["phases"][0], none);
}

#[test]
fn refuses_a_series_that_is_no_selector() {
    let total = r#"requests{version="$digest"}"#;
    for (bad, said) in [
        (r#"sum(errors{version="$digest"})"#, "the selector of a series alone"),
        (r#"errors{version="$digest"}[5m]"#, "the selector of a series alone"),
        (r#"errors{version="$digest"} or vector(0)"#, "the selector of a series alone"),
        ("errors{version=$digest}", "stands in quotes"),
    ] {
        let error = refused(&format!("{{metrics: {{error: {{bad: '{bad}', total: '{total}'}}}}}}"));
        assert!(error.contains(&format!("`{bad}` is no series that can be counted")), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_series_names_the_version_that_it_counts() {
    let error = refused("{metrics: {error: {bad: 'errors{version=\"$digest\"}', total: requests}}}");
    assert!(error.contains("`requests` names neither `$digest` nor `$version`"), "{error}");
    for wrong in ["{good: $digest, bad: $digest, total: $digest}", "{total: $digest}"] {
        assert!(refused(&format!("{{metrics: {{latency: {wrong}}}}}")).contains("either `good` or `bad`"));
    }
    let (good, total) = (r#"g{v="$version"}"#, r#"t{v="$digest"}"#);
    let plan = preview(&format!(
        "{{metrics: {{error: {{good: '{good}', total: '{total}'}}}}, latencyBudgetMs: 1500}}"
    ));
    assert_eq!(plan["objectives"][0]["ratioMetric"], json!({"good": good, "total": total}));
    assert!(plan["objectives"][1]["ratioMetric"]["good"].as_str().unwrap().contains("le=\"1.5\""));
}

#[test]
fn numbers_and_paths_stay_within_bounds_and_unknown_members_are_refused() {
    for wrong in [
        "{windowSeconds: 0}",
        "{pauseDeadlineSeconds: 0}",
        "{operatorPauseDeadlineSeconds: 2592001}",
        "{maxExtensions: 1001}",
        "{fastBurn: {factor: 0}}",
        "{readiness: {consecutiveSuccesses: 0}}",
        "{readiness: {path: ready}}",
        "{readiness: {path: //host/ready}}",
        "{readiness: {path: '/a b'}}",
        "{settleSeconds: -1}",
        "{window: 5}",
        "{migration: {mode: shadow}}",
        "{deploys: []}",
        "{deploys: [a, a]}",
    ] {
        let error = refused(wrong);
        assert!(error.starts_with("laforge.yaml:1:"), "{wrong}: {error}");
    }
    let plan = preview("{operatorPauseDeadlineSeconds: 60}");
    assert_eq!(plan["rollback"]["operatorPauseDeadlineSeconds"], 60);
    assert!(preview("{}")["rollback"].get("operatorPauseDeadlineSeconds").is_none());
}

fn release(environment: &str) -> Release {
    use crate::release::{Artifact, Location, SourceRevision};
    let digest = || format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
    let artifact =
        |name: &str| Artifact { name: name.into(), digest: digest(), location: Location::DigestOnly };
    Release {
        name: "payments".into(),
        version: "1".into(),
        environment: environment.into(),
        source: SourceRevision { repository: "r".into(), commit: "c".into(), r#ref: "f".into() },
        artifacts: vec![artifact("api"), artifact("web")],
        config: vec![artifact("settings")],
        replaces: None,
        deployed: None,
    }
}

#[test]
fn what_is_deployed_is_an_artifact_of_the_release() {
    let request = read("{deploys: [web]}", &RolloutFlags::default()).unwrap();
    request.check(&release("production")).unwrap();
    for wrong in ["settings", "worker"] {
        let request = read(&format!("{{deploys: [web, {wrong}]}}"), &RolloutFlags::default()).unwrap();
        let error = request.check(&release("production")).unwrap_err().to_string();
        assert_eq!(error, format!("laforge.yaml:1:26: `{wrong}` is not an artifact of release `payments`"));
    }
}

#[test]
fn a_release_of_nothing_but_the_backup_deploys_nothing() {
    let request = read("{migration: {backup: api}}", &RolloutFlags::default()).unwrap();
    let mut release = release("production");
    request.check(&release).unwrap();
    release.artifacts.truncate(1);
    let error = request.check(&release).unwrap_err().to_string();
    assert_eq!(
        error,
        "`rollout.deploys`: the release has no artifact but the backup `api`, and a backup is not deployed"
    );
    read("{migration: {backup: api}, deploys: [api]}", &RolloutFlags::default())
        .unwrap()
        .check(&release)
        .unwrap();
}

#[test]
fn an_environment_that_is_no_target_needs_one_by_name() {
    let request = RolloutRequest::of(None, &RolloutFlags::default()).unwrap();
    request.check(&release("production")).unwrap();
    let error = request.check(&release("EU Production")).unwrap_err().to_string();
    assert!(error.starts_with("`rollout.target`: `EU Production` is not a target id"), "{error}");
    flagged(|flags| flags.target = Some("eu".into())).unwrap().check(&release("EU Production")).unwrap();
}
