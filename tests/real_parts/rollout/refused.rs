//! What an executor refuses to run, each by its step and its reason; nothing is touched by any of them.

use std::fs;

use serde_json::{Value, json};

use super::site as at;
use super::site::Site;

/// Refused with 13 before anything is touched.
#[track_caller]
fn refuses(site: &Site, plan: &str, words: &str) {
    let said = site.laforge(&["rollout", "run", plan]);
    assert_eq!(said.code, 13, "{plan}: {}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains(words), "{plan}: `{words}` is not in {}", said.stderr);
    assert_eq!(site.entries(), Vec::<String>::new(), "{plan}");
    assert!(site.wrote("green.pid").is_empty(), "{plan} started something");
}

fn edited(site: &Site, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut plan: Value = serde_json::from_str(&site.wrote("plan.json")).unwrap();
    edit(&mut plan);
    fs::write(site.path().join(name), plan.to_string()).unwrap();
}

#[test]
fn refuses_every_plan_that_does_not_deserve_to_run() {
    at("refused::refuses_every_plan_that_does_not_deserve_to_run", "", |site| {
        edited(&site, "edited.json", |plan| plan["plan"]["deploys"] = json!(["payments-worker.tar.gz"]));
        refuses(&site, "edited.json", "step 1");
        edited(&site, "other-line.json", |plan| plan["auditEntry"]["line"] = json!("{}"));
        refuses(&site, "other-line.json", "step 2");
        fs::write(site.path().join("core.json"), edited_core(&site)).unwrap();
        refuses(&site, "core.json", "step 0");
    });
}

fn edited_core(site: &Site) -> String {
    let plan: Value = serde_json::from_str(&site.wrote("plan.json")).unwrap();
    plan["plan"].to_string()
}
