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
