//! The log behind the service: what is answered is recorded, and what can't be recorded is not answered.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use crate::site::{ALL, Service, Site};

/// A rehearsal: an entry each time, which an allow that is there already would not be.
fn rehearse(service: &Service) -> Value {
    let answer = service.post("/v1/evaluate", &json!({"dryRun": true}));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["report"]["audit"].clone()
}

#[test]
fn decides_as_the_command_line_does_and_gives_the_same_plan() {
    let site = Site::new();
    let service = site.serve(&[]);
    let decided = service.post("/v1/evaluate", &json!({})).json();
    assert_eq!(
        (&decided["report"]["decision"]["action"], &decided["report"]["kind"]),
        (&json!("allow"), &json!("DecisionReport"))
    );
    let index = decided["report"]["audit"]["index"].as_u64().unwrap();
    // The same again: no entry more.
    let size = site.entries().len();
    let again: Value = serde_json::from_str(&site.laforge(&["deploy"])).unwrap();
    assert_eq!((site.entries().len(), &again), (size, &decided["plan"]));
    // And from the log, byte for byte.
    let plan = service.get(&format!("/v1/decisions/{index}/plan"));
    assert_eq!(plan.body, site.laforge(&["deploy"]));
    site.write("plan.json", &plan.body);
    site.laforge(&["audit", "verify-proof", "plan.json"]);
    let entry = service.get(&format!("/v1/decisions/{index}")).json();
    assert_eq!(entry["proof"], again["proof"]);
    assert_eq!(service.get(&format!("/v1/decisions/{index}/proof")).body, again["proof"].as_str().unwrap());
    assert_eq!(entry["line"], again["auditEntry"]["line"]);
    let listed = service.get("/v1/decisions?action=allow&environment=production").json();
    assert_eq!(listed["entries"][0]["index"], index);
    assert_eq!(service.get("/v1/decisions?action=deny").json()["entries"], json!([]));
    assert_eq!(service.get("/v1/log").json()["size"].as_u64().unwrap() as usize, size);
    for path in ["/v1/decisions/999", "/v1/decisions/0/plan", "/v1/decisions/x"] {
        service.get(path).problem(404);
    }
    service.get("/v1/decisions?relase=x").problem(400);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let site = Site::new();
    let service = site.serve(&[]);
    let mut rehearsed: Vec<Value> = (0..5).map(|_| rehearse(&service)["index"].clone()).collect();
    rehearsed.reverse();
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = service.get(&format!("/v1/decisions?action=none&limit=2{before}")).json();
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["index"].clone()));
        let Some(next) = page["next"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen, rehearsed);
    let none = service.get("/v1/decisions?actor=nobody").json();
    assert_eq!((&none["entries"], &none["next"]), (&json!([]), &Value::Null));
}

#[test]
fn says_when_the_head_was_kept_elsewhere() {
    let site = Site::new();
    site.laforge(&["deploy"]);
    let service = site.serve(&[]);
    assert_eq!(service.get("/v1/log").json()["anchoredAt"], Value::Null);
    site.laforge(&["audit", "anchor", "--to", "file=anchor", "--record"]);
    let log = service.get("/v1/log").json();
    assert!(log["anchoredAt"].is_string(), "{log}");
    assert_eq!(log["anchoredAt"], log["lastEntryAt"]);
}

#[test]
fn a_denial_is_an_answer_and_leaves_no_plan() {
    let site = Site::new();
    let service = site.serve(&[]);
    for entry in fs::read_dir(site.path("evidence")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("approval-") {
            fs::remove_file(path).unwrap();
        }
    }
    let decided = service.post("/v1/evaluate", &json!({})).json();
    assert_eq!(decided["report"]["decision"]["action"], "deny");
    assert!(decided.get("plan").is_none(), "{decided}");
    let index = decided["report"]["audit"]["index"].as_u64().unwrap();
    service.get(&format!("/v1/decisions/{index}/plan")).problem(404);
    let listed = service.get("/v1/decisions?rule=approval-threshold").json();
    assert_eq!(listed["entries"][0]["index"], index);
}

#[test]
fn evidence_may_come_with_the_question() {
    let site = Site::new();
    let service = site.serve(&[]);
    let mut evidence = Vec::new();
    for entry in fs::read_dir(site.path("evidence")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("approval-") {
            evidence.push(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap());
            fs::remove_file(path).unwrap();
        }
    }
    let without = service.post("/v1/evaluate", &json!({})).json();
    assert_eq!(without["report"]["decision"]["action"], "deny");
    let with = service.post("/v1/evaluate", &json!({"evidence": evidence})).json();
    assert_eq!(with["report"]["decision"]["action"], "allow", "{with}");
    assert_eq!(fs::read_dir(site.path(".tmp")).unwrap().count(), 0, "evidence was left behind");
}

#[test]
fn a_log_that_cannot_take_an_entry_lets_nothing_out_and_takes_the_next_one() {
    let site = Site::new();
    let service = site.serve(&[]);
    rehearse(&service);
    let size = site.entries().len();
    // Locked by somebody who hangs.
    let lock = File::options().read(true).write(true).open(site.path(".laforge/audit/lock")).unwrap();
    lock.lock().unwrap();
    let said = service.post("/v1/evaluate", &json!({})).problem(503);
    assert!(said.contains("is locked by another writer"), "{said}");
    assert_eq!(service.get("/v1/log").status, 200, "reading waits for a writer");
    drop(lock);
    rehearse(&service);
    // A write that failed: it waits for repair.
    site.write(".laforge/audit/NEEDS_REPAIR", "");
    let said = service.post("/v1/evaluate", &json!({})).problem(503);
    assert!(said.contains("must be repaired"), "{said}");
    fs::remove_file(site.path(".laforge/audit/NEEDS_REPAIR")).unwrap();
    rehearse(&service);
    // Full.
    let config = site.read("laforge.yaml");
    site.write("laforge.yaml", &with_min_free(&config));
    drop(service);
    let service = site.serve(&[]);
    let said = service.post("/v1/evaluate", &json!({})).problem(503);
    assert!(said.contains("bytes free, less than"), "{said}");
    site.write("laforge.yaml", &config);
    rehearse(&service);
    assert_eq!(site.entries().len(), size + 3);
    site.laforge(&["audit", "verify"]);
}

/// The configuration with a log that wants more room than there is.
fn with_min_free(config: &str) -> String {
    let mut document: serde_yaml::Value = serde_yaml::from_str(config).unwrap();
    document["audit"]["minFree"] = "1000000000GiB".into();
    serde_yaml::to_string(&document).unwrap()
}

#[test]
fn a_log_that_goes_away_and_comes_back_is_served_again() {
    let site = Site::new();
    let service = site.serve(&[]);
    rehearse(&service);
    let (log, aside) = (site.path(".laforge/audit"), site.path(".laforge/aside"));
    fs::rename(&log, &aside).unwrap();
    let evaluated = service.post("/v1/evaluate", &json!({"dryRun": true})).problem(503);
    let read = service.get("/v1/log").problem(503);
    for said in [&evaluated, &read] {
        assert!(said.contains("no audit log"), "{said}");
        assert!(!said.contains("--") && !said.contains("error:") && !said.contains('\n'), "{said}");
    }
    crate::site::until("it is not ready", || service.probe("/readyz").status == 503);
    assert_eq!(service.probe("/livez").status, 200);
    fs::rename(&aside, &log).unwrap();
    crate::site::until("it is ready again", || service.probe("/readyz").status == 200);
    rehearse(&service);
    assert_eq!(service.get("/v1/log").status, 200);
}

#[test]
fn two_services_over_one_folder_write_one_log() {
    let site = Site::new();
    let services = [site.serve(&[]), site.serve(&[])];
    let indices = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for number in 0..4 {
            let (service, indices) = (&services[number % 2], &indices);
            scope.spawn(move || {
                for _ in 0..5 {
                    let index = rehearse(service)["index"].as_u64().unwrap();
                    assert!(indices.lock().unwrap().insert(index), "{index} was given twice");
                }
            });
        }
    });
    assert_eq!(indices.into_inner().unwrap().len(), 20);
    site.laforge(&["audit", "verify"]);
    // Each sees what the other wrote.
    let sizes: Vec<Value> = services.iter().map(|it| it.get("/v1/log").json()["size"].clone()).collect();
    assert_eq!(sizes[0], sizes[1]);
}

/// Asks from four threads until the service is killed, or each has asked often; what was answered.
fn killed_under_load(service: &mut Service) -> Vec<Value> {
    const MOST: usize = 500;
    let answered = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..MOST {
                    // A rehearsal is an entry each time; of the same allow there is one.
                    let question = json!({"dryRun": number % 3 != 0});
                    let asked = service.try_ask("POST", "/v1/evaluate", Some(ALL), Some(&question));
                    // One that broke off promised nothing.
                    let Ok(answer) = asked else { return };
                    if answer.status == 200 {
                        answered.lock().unwrap().push(answer.json()["report"].clone());
                    }
                }
            });
        }
        crate::site::until("it is busy", || answered.lock().unwrap().len() >= 20);
        // By another process, between any two instructions.
        service.signal("-KILL");
    });
    service.kill();
    answered.into_inner().unwrap()
}

#[test]
fn what_was_answered_is_in_the_log_when_the_service_is_killed_under_load() {
    let site = Site::new();
    for _ in 0..3 {
        let mut service = site.serve(&[]);
        let answered = killed_under_load(&mut service);
        let entries = site.entries();
        for report in &answered {
            let audit = &report["audit"];
            let entry = &entries[usize::try_from(audit["index"].as_u64().unwrap()).unwrap()];
            // The log holds it, as it was answered; the head that was answered with it holds it, too.
            assert_eq!(
                (
                    &entry["type"],
                    &entry["seq"],
                    &entry["action"],
                    &entry["verdict"],
                    &entry["release"]["digest"]
                ),
                (
                    &json!("decision"),
                    &audit["index"],
                    &report["decision"]["action"],
                    &report["decision"]["verdict"],
                    &report["release"]["digest"]
                ),
                "{audit} of {} entries",
                entries.len()
            );
            assert!(audit["size"].as_u64() > audit["index"].as_u64(), "{audit}");
        }
        site.laforge(&["audit", "verify"]);
    }
    // And the next one goes on.
    rehearse(&site.serve(&[]));
}

/// The piece of evidence that is stored under a digest.
fn stored(site: &Site, digest: &str) -> Vec<u8> {
    let hex = digest.strip_prefix("sha256:").unwrap();
    fs::read(site.path(&format!(".laforge/audit/evidence/sha256/{}/{hex}", &hex[..2]))).unwrap()
}

#[test]
fn evidence_is_recorded_and_kept_as_the_bytes_that_were_sent() {
    let site = Site::new();
    let service = site.serve(&[]);
    let path = site.path("evidence/approval-alice.sigstore.json");
    let compact = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // The same document in another spelling: other white space, and an escape that a reader would take away.
    let spaced = compact.trim_end().replacen('{', "{ \n\t", 1).replacen("mediaType", "mediaT\\u0079pe", 1);
    let junk = r#"{"nobody": "signed this",  "n": 1.0e0}"#;
    let body = format!("{{\"dryRun\": true, \"evidence\" : [ {spaced} ,\n{junk}]}}");
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nhost: laforge\r\nauthorization: Bearer {ALL}\r\ncontent-type: \
         application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = service.send(format!("{head}{body}").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    let decided: Value = serde_json::from_str(body).unwrap();
    assert_eq!(decided["report"]["decision"]["verdict"], "pass", "{decided}");
    let index = decided["report"]["audit"]["index"].as_u64().unwrap();
    let shown: Value =
        serde_json::from_str(&site.laforge(&["audit", "show", &index.to_string(), "-o", "json"])).unwrap();
    let served = service.get(&format!("/v1/decisions/{index}")).json();
    let line: Value = serde_json::from_str(served["line"].as_str().unwrap()).unwrap();
    assert_eq!(line, shown);
    for (sent, role) in [(spaced.as_str(), "approval"), (junk, "set-aside")] {
        let digest = format!("sha256:{}", crate::site::sha256(sent));
        let inputs = line["inputs"].as_array().unwrap();
        let input = inputs.iter().find(|input| input["digest"] == digest.as_str());
        let input = input.unwrap_or_else(|| panic!("{digest} is none of {inputs:?}"));
        assert_eq!((&input["role"], &input["size"]), (&json!(role), &json!(sent.len())), "{input}");
    }
    // What was read is kept, byte for byte.
    let digest = format!("sha256:{}", crate::site::sha256(&spaced));
    assert_eq!(String::from_utf8(stored(&site, &digest)).unwrap(), spaced);
    assert!(
        !line["inputs"].to_string().contains(&crate::site::sha256(&compact)),
        "another spelling was recorded"
    );
    site.laforge(&["audit", "verify"]);
}
