//! How it ends: it says so first, finishes what is under way, and leaves nothing half done.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::{Site, until};

#[test]
fn it_is_not_ready_before_it_is_gone_and_answers_meanwhile() {
    let site = Site::with("  limits: {drainSeconds: 2}\n");
    let mut service = site.serve(&[]);
    let began = Instant::now();
    service.signal("-TERM");
    until("it is not ready", || service.probe("/readyz").status == 503);
    assert_eq!(service.probe("/livez").status, 200);
    assert_eq!(service.post("/v1/evaluate", &json!({})).status, 200);
    assert_eq!(service.ends(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    site.laforge(&["audit", "verify"]);
}

#[test]
fn a_request_is_a_line_that_names_who_asked_and_nothing_that_was_secret() {
    let site = Site::new();
    let service = site.serve(&[]);
    service.get("/v1/decisions?release=something-private");
    let line = || {
        let said = service.said();
        let mut lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find(|line| line["route"] == "/v1/decisions")
    };
    until("the line is there", || line().is_some());
    let line = line().unwrap();
    assert_eq!(
        (&line["what"], &line["status"], &line["caller"], &line["method"]),
        (&json!("request"), &json!(200), &json!("tester"), &json!("GET"))
    );
    let said = service.said();
    assert!(!said.contains("something-private") && !said.contains(crate::site::ALL), "{said}");
}
