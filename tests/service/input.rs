//! Bad input: the right status, a problem that says what is wrong, nothing recorded, and the next one is served.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::{ALL, Site};

const HEAD: &str =
    "POST /v1/evaluate HTTP/1.1\r\nhost: laforge\r\nauthorization: Bearer a-token-with-every-right\r\n";
const JSON: &str = "content-type: application/json\r\n";

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn whatever_is_sent_gets_its_status_and_the_next_one_is_served() {
    let site = Site::with("  limits: {bodyBytes: 65536, bodySeconds: 1}\n");
    let service = site.serve(&[]);
    let large = "a".repeat(70_000);
    let chunked =
        format!("{HEAD}{JSON}transfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let whole = |kind: &str, body: &str| {
        format!("{HEAD}{kind}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    for (what, sent, expected) in [
        ("too long, and says so", format!("{HEAD}{JSON}content-length: 9999999\r\n\r\n"), 413),
        ("too long, in pieces", chunked, 413),
        ("half of it", format!("{HEAD}{JSON}content-length: 100\r\n\r\n{{\"release\""), 408),
        ("no content type", whole("", "{}"), 415),
        ("another content type", whole("content-type: text/yaml\r\n", "{}"), 415),
        ("compressed", whole(&format!("{JSON}content-encoding: gzip\r\n"), "{}"), 415),
        ("of a browser's page", whole(&format!("{JSON}origin: http://evil.example\r\n"), "{}"), 403),
        ("nothing", whole(JSON, ""), 422),
        ("no JSON", whole(JSON, "{"), 422),
        ("a list", whole(JSON, "[]"), 422),
        ("too deep", whole(JSON, &deep), 422),
        ("a member twice", whole(JSON, "{\"dryRun\": true, \"dryRun\": false}"), 422),
        ("a member that is not known", whole(JSON, "{\"force\": true}"), 422),
        ("not text", whole(JSON, "{\"environment\": \"\u{0}\"}"), 422),
        ("no HTTP", "hello\r\n\r\n".to_owned(), 400),
        ("two lengths", format!("{HEAD}{JSON}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"), 400),
        ("a head without an end", format!("{HEAD}x: {}", "a".repeat(20_000)), 431),
    ] {
        let answer = service.send(sent.as_bytes());
        assert_eq!(status(&answer), expected, "{what}: {answer}");
        assert_eq!(service.get("/v1/log").status, 200, "after {what}");
    }
    assert_eq!(site.entries().len(), 1, "something was recorded");
}

#[test]
fn what_cannot_be_a_release_is_said_to_be_none() {
    let site = Site::new();
    let service = site.serve(&[]);
    let release = |artifact: Value| {
        json!({"release": {
            "apiVersion": "laforge.dev/v1", "kind": "Release", "metadata": {"name": "payments", "version": "1"},
            "spec": {
                "environment": "production",
                "source": {"repository": "https://git.example/a", "commit": "4f1c".repeat(10), "ref": "refs/heads/main"},
                "artifacts": [artifact]}}})
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    for (what, body, said) in [
        ("no release", json!({"release": {}}), "missing field"),
        (
            "a file",
            release(json!({"name": "a", "digest": digest, "path": "/etc/passwd"})),
            "none of the service's is read",
        ),
        ("a tag", json!({"images": ["registry.example/a:1"]}), "has no digest"),
        ("another environment", json!({"environment": "staging"}), "staging"),
    ] {
        let told = service.post("/v1/evaluate", &body).problem(422);
        assert!(told.contains(said), "{what}: {told}");
    }
    assert_eq!(site.entries().len(), 1, "something was recorded");
}

#[test]
fn who_is_slow_holds_nobody_up() {
    let site = Site::with("  limits: {connections: 8, requests: 4, bodySeconds: 2}\n");
    let service = site.serve(&[]);
    let connect = || TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    // Half a head, half a body, and whoever never reads.
    let slow: Vec<TcpStream> = (0..6)
        .map(|number| {
            let mut stream = connect();
            let sent = match number % 3 {
                0 => "GET /v1/log HTTP/1.1\r\nhost".to_owned(),
                1 => format!("{HEAD}{JSON}content-length: 50\r\n\r\n{{"),
                _ => String::new(),
            };
            stream.write_all(sent.as_bytes()).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(service.get("/livez").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // Each of them is ended in its time.
    let ended: Vec<_> = slow
        .into_iter()
        .map(|mut stream| {
            thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).is_ok()
            })
        })
        .collect();
    assert!(ended.into_iter().all(|thread| thread.join().unwrap()), "a slow one is held for ever");
    assert_eq!(service.get("/livez").status, 200);
}

#[test]
fn more_requests_than_are_taken_are_told_to_come_back() {
    let site = Site::with("  limits: {requests: 1, bodySeconds: 5}\n");
    let service = site.serve(&[]);
    let waits = || {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        stream.write_all(format!("{HEAD}{JSON}content-length: 10\r\n\r\n{{").as_bytes()).unwrap();
        stream
    };
    let mut first = waits();
    crate::site::until("the place is taken", || {
        let taken = service.ask("GET", "/v1/log", Some(ALL), None).status == 503;
        if !taken {
            // The question itself may have held the place when this one came.
            first = waits();
        }
        taken
    });
    assert_eq!(service.get("/livez").status, 200);
    drop(first);
    crate::site::until("the place is free", || service.get("/v1/log").status == 200);
}
