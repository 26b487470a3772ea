//! `laforge runtime` as engines ask it: beside the real Prometheus, a candidate, and clients that misbehave.
//!
//! What must never be: a pass, or a step allowed, without enough good requests of this very candidate.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::namespace::beside;
use super::parts::tell;
use super::rollout::site::{CANDIDATE, Guard, Site, until};
use super::service::{Load, Service};

const PORT: u16 = 8088;
const MIGRATION: &str = "  migration: {command: [migrate, --mode, shadow], class: expand}";
/// Windows that hold all that a test did, however slow its machine.
const WIDE: &str = "  windowSeconds: 60\n  monitor: {windowSeconds: 60, maxExtensions: 1}";

/// A site whose plan the service answers for.
fn site(test: &str, rollout: &str, body: impl FnOnce(Site)) {
    beside(&["haproxy", "prometheus"], &format!("verdicts::{test}"), || {
        let site = Site::with(rollout);
        let text = site.wrote("laforge.yaml") + "\nruntime: {flagger: {name: app, namespace: prod}}\n";
        fs::write(site.path().join("laforge.yaml"), text).unwrap();
        body(site);
    });
}

/// The digest of the plan that is served: what webhooks name, as they are rendered. A test has a process of its own.
static PLAN: Mutex<String> = Mutex::new(String::new());

/// The service of a plan, once it answers.
fn serve(site: &Site, plan: &str) -> Guard {
    let envelope: Value = serde_json::from_str(&site.wrote(plan)).unwrap();
    *PLAN.lock().unwrap() = envelope["planDigest"].as_str().unwrap().to_owned();
    let guard = site.guard_of(&["runtime", plan]);
    until(&format!("it serves: {}", guard.said()), || TcpStream::connect(("127.0.0.1", PORT)).is_ok());
    guard
}

/// An answer: its status, its head, its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// What comes on a connection until it is closed; status 0 where that is nothing.
    fn read(mut stream: &TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = Vec::new();
        // A connection that is reset has said what it said.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn send(bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
    // It may close before all of it is sent.
    let _ = stream.write_all(bytes);
    Answer::read(&stream)
}

fn get(path: &str) -> Answer {
    send(format!("GET {path} HTTP/1.1\r\nhost: guard\r\nconnection: close\r\n\r\n").as_bytes())
}

fn post(path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    send(
        format!("POST {path} HTTP/1.1\r\nhost: guard\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}")
            .as_bytes(),
    )
}

/// What Flagger is answered: the status, and the reason.
fn webhook(gate: &str, changed: &Value) -> (u16, String) {
    let mut body = json!({
        "name": "app", "namespace": "prod", "phase": "Progressing", "checksum": "85d557f47b",
        "metadata": {"planDigest": *PLAN.lock().unwrap()},
    });
    body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    let answer =
        post(&format!("/v1/flagger/{gate}"), "content-type: application/json\r\n", &body.to_string());
    (answer.status, answer.body.trim_end().to_owned())
}

fn asked(gate: &str) -> (u16, String) {
    webhook(gate, &json!({}))
}

#[track_caller]
fn verdict(query: &str) -> (String, Value) {
    let answer = get(&format!("/v1/argo/verdict?{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = answer.json();
    tell(&format!("verdicts: {query}: {} ({})\n", found["result"], found["why"]));
    (found["result"].as_str().unwrap().to_owned(), found)
}

/// The digest, in hex, that the plan's first of `deploys` has.
fn digest(site: &Site) -> String {
    let plan: Value = serde_json::from_str(&site.wrote("plan.json")).unwrap();
    let subjects = plan["plan"]["subject"].as_array().unwrap();
    let deployed = subjects.iter().find(|subject| subject["name"] == plan["plan"]["deploys"][0]).unwrap();
    deployed["digest"]["sha256"].as_str().unwrap().to_owned()
}

/// The candidate of the plan, scraped twice before anybody asks it for anything.
fn candidate(site: &Site) -> Service {
    let service = Service::start(CANDIDATE, &digest(site));
    scraped(&service);
    service
}

fn scraped(service: &Service) {
    let due = service.scrapes() + 2;
    until("it is scraped", || service.scrapes() >= due);
    // What was scraped is there for queries a little later.
    sleep(Duration::from_millis(300));
}

#[test]
fn argo_is_told_pass_breach_or_that_nobody_knows() {
    site("argo_is_told_pass_breach_or_that_nobody_knows", "", |mut site| {
        let mut guard = serve(&site, "plan.json");
        let (result, found) = verdict("window=60s");
        assert_eq!((result.as_str(), &found["objectives"][0]["total"]), ("inconclusive", &Value::Null));
        assert!(found["why"].as_str().unwrap().contains("there is no series of the candidate"), "{found}");

        let mut service = candidate(&site);
        assert_eq!(verdict("window=60s").0, "inconclusive");
        Load::of(CANDIDATE, 100);
        scraped(&service);
        let (result, found) = verdict("window=60s");
        assert_eq!((result.as_str(), &found["objectives"][0]["total"]), ("inconclusive", &json!(100)));
        assert!(
            found["why"].as_str().unwrap().contains("100 requests were counted, a verdict needs 150"),
            "{found}"
        );

        Load::of(CANDIDATE, 200);
        scraped(&service);
        let (result, found) = verdict("window=60s");
        let first = json!({
            "id": "error-budget", "bad": 0, "total": 300, "maxRatioPpm": 20_000, "minSamples": 150, "verdict": "pass",
            "why": "0 of 300 requests were bad, 20000 ppm may be",
        });
        assert_eq!((result.as_str(), &found["objectives"][0]), ("pass", &first));
        assert_eq!(found["candidate"]["digest"], digest(&site));
        assert!(found["plan"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(verdict("window=1m&step=0").0, "pass");
        assert_eq!(post("/v1/argo/verdict?window=1m", "", "{}").json()["result"], "pass");
        // Only what lies in the window counts.
        assert_eq!(verdict("window=1s").0, "inconclusive");

        // It is gone, and what it said is old.
        service.stop();
        sleep(Duration::from_secs(6));
        assert_eq!(verdict("window=3s").0, "inconclusive");
        assert_eq!((get("/readyz").status, get("/livez").status), (200, 200));
        site.prometheus.end();
        let (result, found) = verdict("window=60s");
        assert_eq!(result, "inconclusive");
        assert!(found["why"].as_str().unwrap().contains("can't be reached"), "{found}");
        let (ready, alive) = (get("/readyz"), get("/livez"));
        assert_eq!((ready.status, alive.status), (503, 200));
        assert!(
            ready.head.contains("application/problem+json") && ready.body.contains("can't be reached"),
            "{ready:?}"
        );
        guard.terminate();
        guard.ends(0);
    });
}

#[test]
fn argo_is_never_told_pass_for_a_plan_that_was_stopped() {
    site("argo_is_never_told_pass_for_a_plan_that_was_stopped", WIDE, |site| {
        let mut guard = serve(&site, "plan.json");
        let service = candidate(&site);
        Load::of(CANDIDATE, 300);
        scraped(&service);
        assert_eq!(verdict("window=60s").0, "pass");
        let ask = ["runtime", "plan.json", "--roll-back", "--reason", "the dashboard is red"];
        site.laforge(&ask).ends(0);
        let red = json!("alice asked for a rollback: the dashboard is red");
        for query in ["window=60s", "window=1s", "step=0", "step=2"] {
            let (result, found) = verdict(query);
            assert_eq!((result.as_str(), &found["why"]), ("breach", &red), "{query}");
        }
        let long = "x".repeat(5000);
        site.laforge(&["runtime", "plan.json", "--roll-back", "--reason", &long])
            .ends(2)
            .says("at most 4096 bytes");

        // Another plan is not stopped; a breach stops it, whatever comes after.
        site.laforge(&["deploy", "--ttl", "3h", "-o", "next.json"]).ends(0);
        guard.terminate();
        guard.ends(0);
        let mut guard = serve(&site, "next.json");
        assert_eq!(verdict("window=60s").0, "pass");
        service.behave("errors=0.05");
        Load::of(CANDIDATE, 400);
        scraped(&service);
        let (result, found) = verdict("window=60s");
        let bad = found["objectives"][0]["bad"].as_u64().unwrap();
        assert_eq!((result.as_str(), bad, &found["objectives"][0]["total"]), ("breach", 20, &json!(700)));
        service.behave("errors=0");
        guard.kill();
        let mut guard = serve(&site, "next.json");
        let (result, found) = verdict("window=1s");
        assert_eq!(result, "breach");
        assert!(found["why"].as_str().unwrap().starts_with("a breach was seen: "), "{found}");
        guard.terminate();
        guard.ends(0);
    });
}

#[test]
fn flagger_gets_no_step_without_evidence_and_is_told_to_roll_back_for_a_breach() {
    let test = "flagger_gets_no_step_without_evidence_and_is_told_to_roll_back_for_a_breach";
    site(test, &format!("{MIGRATION}\n{WIDE}"), |site| {
        let mut guard = serve(&site, "plan.json");
        let digest = verdict("window=60s").1["plan"].clone();
        assert_eq!(webhook("start", &json!({"metadata": {"planDigest": digest}})).0, 200);
        for (changed, why) in [
            (json!({"name": "other"}), "answers for canary `prod/app`, not for `prod/other`"),
            (json!({"namespace": "test"}), "not for `test/app`"),
            (json!({"metadata": {"planDigest": "sha256:00"}}), "not for `sha256:00`"),
            (json!({"metadata": {}}), "the webhook names no plan"),
            (json!({"metadata": null}), "the webhook names no plan"),
        ] {
            for gate in ["start", "migrate", "step", "promote", "rollback", "event"] {
                let (status, said) = webhook(gate, &changed);
                assert!(status == 403 && said.contains(why), "{gate}: {status} {said}");
            }
        }
        assert_eq!(site.wrote("migrated"), "");
        let (status, said) = webhook("step", &json!({"canaryWeight": 0}));
        assert_eq!((status, said.as_str()), (403, "the plan's migration has not run"));
        let migrated = (200, "the migration succeeded".to_owned());
        assert_eq!([asked("migrate"), asked("migrate")], [migrated.clone(), migrated.clone()]);
        assert_eq!(site.wrote("migrated"), "migrate --mode shadow\n");

        // The first step has nothing to show; without a weight it is the first once.
        assert_eq!(webhook("step", &json!({"canaryWeight": 0})).0, 200);
        let (status, said) = asked("step");
        assert!(status == 403 && said.contains("there is no series"), "{status} {said}");
        let (status, said) = webhook("step", &json!({"canaryWeight": 20}));
        assert!(status == 403 && said.contains("there is no series"), "{status} {said}");
        let service = candidate(&site);
        Load::of(CANDIDATE, 300);
        scraped(&service);
        assert_eq!(webhook("step", &json!({"canaryWeight": 20})), (200, "the last window passed".to_owned()));
        assert_eq!(asked("promote"), (200, "the last window passed".to_owned()));
        assert_eq!(
            asked("rollback"),
            (403, "no breach was seen, and nobody asked for a rollback".to_owned())
        );
        let message = json!({"metadata": {"eventMessage": "New revision detected", "planDigest": digest}});
        assert_eq!(webhook("event", &message).0, 200);

        service.behave("errors=0.2");
        Load::of(CANDIDATE, 300);
        scraped(&service);
        let (status, said) = webhook("step", &json!({"canaryWeight": 20}));
        assert!(status == 403 && said.contains("requests were bad"), "{status} {said}");
        assert_eq!(asked("rollback").0, 200);
        // It is remembered, whatever comes after it.
        guard.kill();
        let mut guard = serve(&site, "plan.json");
        let (status, said) = asked("rollback");
        assert!(status == 200 && said.contains("a breach was seen"), "{status} {said}");
        assert_eq!(
            [asked("start").0, asked("promote").0, webhook("step", &json!({"canaryWeight": 0})).0],
            [403; 3]
        );
        assert_eq!((asked("migrate"), site.wrote("migrated").lines().count()), (migrated, 1));
        guard.terminate();
        guard.ends(0);
        let said = guard.said();
        assert!(said.contains("New revision detected") && said.contains(r#""gate":"rollback""#), "{said}");
    });
}

#[test]
fn a_migration_that_fails_is_not_run_again_and_an_operator_can_ask_to_go_back() {
    let test = "a_migration_that_fails_is_not_run_again_and_an_operator_can_ask_to_go_back";
    site(test, MIGRATION, |site| {
        let script = "#!/bin/sh\necho tried >> migrated\necho 'no such table' >&2\nexit 3\n";
        fs::write(site.path().join("migrate"), script).unwrap();
        let mut guard = serve(&site, "plan.json");
        for _ in 0..2 {
            let (status, said) = asked("migrate");
            assert!(status == 403 && said.ends_with("ended with 3: no such table"), "{status} {said}");
        }
        let (status, said) = webhook("step", &json!({"canaryWeight": 0}));
        assert!(status == 403 && said.contains("no such table"), "{status} {said}");
        assert_eq!(site.wrote("migrated"), "tried\n");
        assert_eq!((asked("rollback").0, asked("start").0), (403, 200));
        let ask = ["runtime", "plan.json", "--roll-back", "--reason", "the dashboard is red"];
        site.laforge(&ask).ends(0);
        let (status, said) = asked("rollback");
        assert_eq!((status, said.as_str()), (200, "alice asked for a rollback: the dashboard is red"));
        assert_eq!(asked("start").0, 403);
        guard.kill();

        // One that is ended with the service: nobody knows how it went.
        site.laforge(&["deploy", "--ttl", "30s", "-o", "short.json"]).ends(0);
        let began = Instant::now();
        let script = "#!/bin/sh\necho $$ > migrating\nexec sleep 100\n";
        fs::write(site.path().join("migrate"), script).unwrap();
        let mut guard = serve(&site, "short.json");
        let mut waits = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
        let body =
            json!({"name": "app", "namespace": "prod", "metadata": {"planDigest": *PLAN.lock().unwrap()}});
        let body = body.to_string();
        let head = "POST /v1/flagger/migrate HTTP/1.1\r\nhost: guard\r\ncontent-type: application/json\r\n";
        write!(waits, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        until("it migrates", || !site.wrote("migrating").is_empty());
        drop(waits);
        guard.terminate();
        guard.ends(0);
        let process = site.wrote("migrating").trim().to_owned();
        let lives =
            Command::new("kill").args(["-0", &process]).stderr(Stdio::null()).status().unwrap().success();
        assert!(!lives, "the migration outlives the service");
        let mut guard = serve(&site, "short.json");
        let unknown = (403, "the migration was begun, and nobody knows how it ended".to_owned());
        assert_eq!(asked("migrate"), unknown);
        // The plan ends while it is served.
        assert_eq!(asked("start").0, 200);
        sleep(Duration::from_secs(31).saturating_sub(began.elapsed()));
        let (status, said) = asked("start");
        assert!(status == 403 && said.contains("the plan ended at"), "{status} {said}");
        assert_eq!(webhook("step", &json!({"canaryWeight": 0})).0, 403);
        assert_eq!(get("/readyz").status, 503);
        guard.terminate();
        guard.ends(0);
        site.laforge(&["runtime", "short.json"]).ends(13).says("step 7");
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one thing sent after the other")]
fn whatever_is_sent_gets_its_status_and_the_next_one_is_served() {
    site("whatever_is_sent_gets_its_status_and_the_next_one_is_served", "", |site| {
        let everywhere = ["runtime", "--listen", "0.0.0.0:8088", "plan.json"];
        site.laforge(&everywhere).ends(2).says("can be reached from other machines");
        let mut guard = serve(&site, "plan.json");
        let json = "content-type: application/json\r\n";
        let large = format!(r#"{{"name": "{}"}}"#, "a".repeat(70_000));
        let chunked = format!(
            "POST /v1/flagger/start HTTP/1.1\r\nhost: guard\r\n{json}transfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
            large.len()
        );
        for (what, answer, status) in [
            ("no window", get("/v1/argo/verdict"), 400),
            ("no such window", get("/v1/argo/verdict?window=soon"), 400),
            ("no such step", get("/v1/argo/verdict?window=5m&step=7"), 400),
            ("another parameter", get("/v1/argo/verdict?window=5m&all=1"), 400),
            ("nowhere", get("/v1/argo"), 404),
            ("up and away", get("/../../etc/passwd"), 404),
            ("no such gate", post("/v1/flagger/stop", json, "{}"), 404),
            ("another method", send(b"DELETE /v1/argo/verdict HTTP/1.1\r\nhost: guard\r\n\r\n"), 405),
            ("a gate that is read", get("/v1/flagger/start"), 405),
            ("no JSON", post("/v1/flagger/start", json, "{"), 400),
            ("another JSON", post("/v1/flagger/start", json, r#"{"name": 1}"#), 400),
            ("no type", post("/v1/flagger/start", "", "{}"), 415),
            ("a browser", post("/v1/flagger/start", &format!("{json}origin: http://x\r\n"), "{}"), 403),
            ("a large body", post("/v1/flagger/start", json, &large), 413),
            ("a large body in pieces", send(chunked.as_bytes()), 413),
        ] {
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            assert!(answer.head.contains("application/problem+json"), "{what}: {answer:?}");
            assert_eq!(answer.json()["status"], status, "{what}");
            assert_eq!(get("/livez").status, 200, "{what}");
        }
        let head = format!("GET /livez HTTP/1.1\r\nhost: guard\r\nx: {}\r\n\r\n", "a".repeat(100_000));
        for (what, bytes) in
            [("no HTTP", b"\x16\x03\x01 hello\r\n\r\n".as_slice()), ("a large head", head.as_bytes())]
        {
            let answer = send(bytes);
            assert!([0, 400, 431].contains(&answer.status), "{what}: {answer:?}");
            assert_eq!(get("/livez").status, 200, "{what}");
        }
        // Clients that go on for ever, more of them than there are places.
        let began = Instant::now();
        let slow: Vec<TcpStream> = (0..80)
            .map(|nth| {
                let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
                let begun = match nth % 3 {
                    0 => "",
                    1 => "GET /livez HTTP/1.1\r\nx: ",
                    _ => "POST /v1/flagger/start HTTP/1.1\r\nhost: guard\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
                };
                stream.write_all(begun.as_bytes()).unwrap();
                stream
            })
            .collect();
        let answer = get("/livez");
        let took = began.elapsed();
        tell(&format!("verdicts: behind 80 slow clients an answer took {} ms\n", took.as_millis()));
        assert!(answer.status == 200 && took < Duration::from_secs(12), "{took:?} {answer:?}");
        for (nth, stream) in slow.iter().enumerate() {
            let answer = Answer::read(stream);
            let expected = if nth % 3 == 2 { [408, 408] } else { [0, 408] };
            assert!(expected.contains(&answer.status), "{nth}: {answer:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        // One that stops in the middle does no harm either.
        let mut half = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
        half.write_all(b"GET /liv").unwrap();
        half.shutdown(Shutdown::Both).unwrap();
        assert_eq!(get("/livez").status, 200);
        guard.terminate();
        guard.ends(0);
        assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
    });
}
