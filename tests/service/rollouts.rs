//! Rollouts as the service shows them, and what is asked of their guard.

use std::fs;

use laforge::rollout::machine::{Event, Stage};
use serde_json::{Value, json};

use crate::desk::{Desk, TARGET, created, next, operator, tell};
use crate::driver::Driver;
use crate::site::Site;

/// A journal at its second window, once paused and resumed, in a site's own state folder.
pub(crate) fn under_way(site: &Site) {
    let desk = Desk::new();
    let mut journal = desk.create();
    let mut driver = Driver::new();
    let (mut now, mut paused) = (journal.schedule().not_before, false);
    while journal.state().passed < 1 || !paused {
        let pauses = matches!(journal.state().stage, Stage::Observing { .. }) && !paused;
        let (event, at) = match pauses {
            true => (Event::Pause(operator()), now + chrono::Duration::seconds(1)),
            false => next(journal.schedule(), journal.state(), driver.weight, now).unwrap(),
        };
        paused |= pauses;
        driver.execute(&tell(&mut journal, event, at));
        now = at;
    }
    drop(journal);
    copy(&desk.state(), &site.path("state"));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
fn a_rollout_is_shown_and_a_request_is_left_under_the_callers_name() {
    let site = Site::new();
    site.roll_out();
    let service = site.serve(&[]);
    assert_eq!(service.get("/v1/rollouts").json(), json!({"rollouts": []}));
    service.get(&format!("/v1/rollouts/{TARGET}")).problem(404);
    under_way(&site);
    let shown = service.get(&format!("/v1/rollouts/{TARGET}")).json();
    assert_eq!(
        (&shown["plan"], &shown["guarded"]),
        (&json!(created().plan_digest.to_string()), &json!(false))
    );
    assert_eq!(shown["state"]["passed"], 1);
    assert_eq!(service.get("/v1/rollouts").json()["rollouts"], json!([shown]));
    service.get("/v1/rollouts/elsewhere").problem(404);

    let path = |verb: &str| format!("/v1/rollouts/{TARGET}/{verb}");
    let left = service.post(&path("rollback"), &json!({"reason": "the dashboard is red"}));
    assert_eq!(left.status, 202, "{left:?}");
    let name = format!("{}.json", left.json()["request"].as_str().unwrap());
    let plan = created().plan_digest.hex();
    let file = site.path(&format!("state/{TARGET}/{plan}/requests/{name}"));
    let ask: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(ask["verb"], "rollback");
    assert_eq!(ask["operator"], json!({"actor": "tester", "reason": "the dashboard is red"}));

    service.post(&path("rollback"), &json!({"reason": " "})).problem(422);
    service.post(&path("rollback"), &json!({})).problem(400);
    service.post(&path("promote"), &json!({"reason": "so"})).problem(404);
    service.post("/v1/rollouts/elsewhere/pause", &json!({"reason": "so"})).problem(404);
}

/// The requests that wait for the guard.
fn waiting(site: &Site) -> usize {
    let folder = site.path(&format!("state/{TARGET}/{}/requests", created().plan_digest.hex()));
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_request_that_is_meant_for_another_rollout_is_left_to_none() {
    let site = Site::new();
    site.roll_out();
    under_way(&site);
    let service = site.serve(&[]);
    let (plan, other) = (created().plan_digest.to_string(), format!("sha256:{}", "0".repeat(64)));
    for verb in ["pause", "resume", "rollback"] {
        let path = format!("/v1/rollouts/{TARGET}/{verb}");
        let said = service.post(&path, &json!({"reason": "red", "plan": other})).problem(409);
        assert_eq!(
            said,
            format!(
                "plan {plan} is under way at target `{TARGET}`, and {other} is meant: look at it, and ask again"
            )
        );
        for plan in ["", "latest", plan.trim_start_matches("sha256:"), &plan.to_uppercase()] {
            let said = service.post(&path, &json!({"reason": "red", "plan": plan})).problem(400);
            assert!(said.contains("is not a digest"), "{said}");
        }
    }
    assert_eq!(waiting(&site), 0);
    let left = service.post(&format!("/v1/rollouts/{TARGET}/pause"), &json!({"reason": "red", "plan": plan}));
    assert_eq!((left.status, &left.json()["plan"], waiting(&site)), (202, &json!(plan), 1));
}

const EXECUTOR: &str = "executor:
  environment: production
  target: TARGET
  state: state
  driver: haproxy
  haproxy: {socket: nowhere.sock, backend: app}
  slots:
    blue: {probe: 'http://127.0.0.1:9', runs: [cat, blue.digest]}
    green: {probe: 'http://127.0.0.1:9', runs: [cat, green.digest]}
  commands: {start: [/bin/true], stop: [/bin/true]}
  metrics: {prometheus: {url: 'http://127.0.0.1:9', scrapeSeconds: 5}}
";

#[test]
fn the_command_line_leaves_no_request_to_another_rollout_either() {
    let site = Site::new();
    site.write("laforge.yaml", &(site.read("laforge.yaml") + &EXECUTOR.replace("TARGET", TARGET)));
    under_way(&site);
    let (plan, other) = (created().plan_digest.to_string(), format!("sha256:{}", "0".repeat(64)));
    let ask = |verb: &'static str, plan: &str| {
        let reason = ["rollout", verb, "--reason", "red", "--actor", "alice", "--plan", plan];
        site.run(&reason)
    };
    for verb in ["pause", "resume", "rollback"] {
        let (status, said) = ask(verb, &other);
        assert_eq!(status, Some(2), "{said}");
        let why = format!("plan {plan} is under way at target `{TARGET}`, and --plan is {other}");
        assert!(said.contains(&why), "{said}");
        let (status, said) = ask(verb, "latest");
        assert!(status == Some(2) && said.contains("is not a digest"), "{status:?} {said}");
    }
    assert_eq!(waiting(&site), 0);
    // The one that is meant is asked; nobody is there to take it.
    let (status, said) = ask("pause", &plan);
    assert!(status == Some(11) && said.contains("no guard is running"), "{status:?} {said}");
    assert_eq!(waiting(&site), 1);
}

#[test]
fn engines_are_told_that_there_is_no_plan() {
    let site = Site::new();
    let service = site.serve(&[]);
    for (method, path) in [("GET", "/v1/argo/verdict?window=5m"), ("POST", "/v1/flagger/start")] {
        let said = service.ask(method, path, Some(crate::site::ALL), Some(&json!({}))).problem(404);
        assert!(said.contains("without a plan"), "{said}");
    }
    service.get("/v1/rollouts").problem(404);
}
