//! Traces: what a real collector's receiver takes of them, and that no collector costs a request anything.
//!
//! The receiver is the OpenTelemetry Collector's own (`tests/parts/traces/build`): it refuses what is no OTLP, and
//! prints what it took. Collectors that are down, slow or refuse are a few lines of TCP.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::{ALL, Service, Site, until};
use crate::skipped;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// The receiver, and what it took.
pub(crate) struct Receiver {
    child: Child,
    pub(crate) address: String,
    folder: TempDir,
}

impl Receiver {
    /// None where it is not built.
    pub(crate) fn begin() -> Option<Self> {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/traces/build");
        let output = Command::new(build).arg("--where").output().unwrap();
        let program = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()).join("otlp-receiver");
        if !program.is_file() {
            skipped("`otlp-receiver` is not built (tests/parts/traces/build)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(program);
        command.arg(&address).stdin(Stdio::null()).stdout(file("took")).stderr(file("said"));
        let receiver = Self { child: command.spawn().unwrap(), address, folder };
        until("the receiver is ready", || receiver.read("said").contains("ready"));
        Some(receiver)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Every span that it took, with its resource's service.
    fn spans(&self) -> Vec<(String, Value)> {
        let mut spans = Vec::new();
        // The last line may not be whole yet.
        for line in self.read("took").split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let batch: Value = serde_json::from_str(line).unwrap();
            for resource in batch["resourceSpans"].as_array().unwrap() {
                let service = text(&resource["resource"], "service.name");
                for scope in resource["scopeSpans"].as_array().unwrap() {
                    assert_eq!(scope["scope"]["name"], "laforge");
                    let all = scope["spans"].as_array().unwrap();
                    spans.extend(all.iter().map(|span| (service.clone(), span.clone())));
                }
            }
        }
        spans
    }

    /// The spans of a service, once the one of that name is there.
    pub(crate) fn of(&self, service: &str, name: &str) -> Vec<Value> {
        let spans = || -> Vec<Value> {
            self.spans().into_iter().filter(|(of, _)| of == service).map(|(_, span)| span).collect()
        };
        until(&format!("{service} has `{name}`"), || spans().iter().any(|span| span["name"] == name));
        spans()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An attribute's text, or its number.
#[track_caller]
pub(crate) fn text(of: &Value, name: &str) -> String {
    let all = of["attributes"].as_array().unwrap_or_else(|| panic!("{of}"));
    let found = all.iter().find(|attribute| attribute["key"] == name);
    let value = &found.unwrap_or_else(|| panic!("no {name}: {of}"))["value"];
    let text = value["stringValue"].as_str().or_else(|| value["intValue"].as_str());
    text.unwrap_or_else(|| panic!("{of}")).to_owned()
}

fn evaluate(service: &Service, traceparent: &str) -> u16 {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
    let request = client.post(service.url("/v1/evaluate?secret=1")).bearer_auth(ALL).body("{}");
    let request = request.header("content-type", "application/json").header("traceparent", traceparent);
    request.send().unwrap().status().as_u16()
}

fn nanos(span: &Value, name: &str) -> u64 {
    span[name].as_str().unwrap().parse().unwrap()
}

fn lost(service: &Service) -> u64 {
    let page = service.probe("/metrics").body;
    let line = page.lines().find(|line| line.starts_with("laforge_traces_lost_spans_total ")).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_real_collector_takes_the_trace_of_a_decision() {
    let Some(receiver) = Receiver::begin() else { return };
    let base = format!("http://{}", receiver.address);
    for protocol in ["http/protobuf", "http/json"] {
        let site = Site::new();
        let name = format!("gate by {protocol}");
        let service = site.serve_under(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", base.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_SERVICE_NAME", &name),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ]);
        assert_eq!(evaluate(&service, &format!("00-{TRACE}-{SPAN}-01")), 200);
        let spans = receiver.of(&name, "POST /v1/evaluate");
        let one = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
        let server = one("POST /v1/evaluate");
        assert_eq!((&server["traceId"], &server["parentSpanId"]), (&json!(TRACE), &json!(SPAN)));
        assert_eq!(server["kind"], 2, "a server's: {server}");
        assert!(server["status"].get("code").is_none(), "{server}");
        for (member, value) in [
            ("http.request.method", "POST"),
            ("http.route", "/v1/evaluate"),
            ("http.response.status_code", "200"),
            ("url.path", "/v1/evaluate"),
            ("url.scheme", "http"),
        ] {
            assert_eq!(text(server, member), value, "{member}");
        }
        let mut at = nanos(server, "startTimeUnixNano");
        for step in ["load", "verify", "decide", "append"] {
            let step = one(step);
            assert_eq!((&step["traceId"], &step["parentSpanId"]), (&json!(TRACE), &server["spanId"]));
            let (began, ended) = (nanos(step, "startTimeUnixNano"), nanos(step, "endTimeUnixNano"));
            assert!(at <= began && began <= ended, "{step}");
            at = ended;
        }
        assert!(at <= nanos(server, "endTimeUnixNano"), "{server}");
        assert_eq!(text(one("decide"), "laforge.decision.action"), "allow");
        // Probes are no spans, and nothing tells what stands behind the path.
        assert_eq!(spans.len(), 5, "{spans:?}");
        assert!(!receiver.read("took").contains("secret"), "{spans:?}");
        let decided = service.get("/v1/decisions?limit=1").json();
        assert_eq!(decided["entries"][0]["entry"]["traceId"], TRACE, "{decided}");
        assert!(service.said().contains(&format!("00-{TRACE}-{}-01", server["spanId"].as_str().unwrap())));
        assert_eq!(lost(&service), 0);
    }
}

#[test]
fn a_request_without_a_proper_parent_begins_a_trace_of_its_own() {
    let Some(receiver) = Receiver::begin() else { return };
    let own = format!("http://{}/v1/traces", receiver.address);
    let site = Site::new();
    let service = site.serve_under(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own.as_str()),
        // What ends has to take along what waits.
        ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
    ]);
    assert_eq!(evaluate(&service, &format!("00-{}-{SPAN}-01", "0".repeat(32))), 200);
    // A caller whose trace is not kept has none kept here.
    assert_eq!(evaluate(&service, &format!("00-{TRACE}-{SPAN}-00")), 200);
    assert_eq!(service.get("/v1/decisions/999999").status, 404);
    fs::rename(site.path("trust.yaml"), site.path("away.yaml")).unwrap();
    assert_eq!(evaluate(&service, ""), 503);
    assert_eq!(receiver.spans(), []);
    let mut service = service;
    service.signal("-TERM");
    assert_eq!(service.ends(), Some(0));
    let spans = receiver.of("laforge", "GET /v1/decisions/{index}");
    let servers: Vec<&Value> = spans.iter().filter(|span| span["kind"] == 2).collect();
    assert!(servers.iter().all(|span| span.get("parentSpanId").is_none_or(|id| id == "")), "{servers:?}");
    assert!(spans.iter().all(|span| span["traceId"] != TRACE), "{spans:?}");
    let status: Vec<(String, Option<u64>)> = servers
        .iter()
        .map(|span| (text(span, "http.response.status_code"), span["status"]["code"].as_u64()))
        .collect();
    let said = |status: &str, code| (status.to_owned(), code);
    assert_eq!(status, [said("200", None), said("404", None), said("503", Some(2))]);
    let broken: Vec<&Value> =
        spans.iter().filter(|span| span["kind"] != 2 && span["status"]["code"] == 2).collect();
    let [load] = broken.as_slice() else { panic!("one step broke off: {spans:?}") };
    assert_eq!((&load["name"], text(load, "error.type").as_str()), (&json!("load"), "impossible"));
}

/// A collector of a few lines, which does with each connection what it is told to.
fn collector(work: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || work(stream));
        }
    });
    address
}

fn silent(stream: TcpStream) {
    sleep(Duration::from_secs(60));
    drop(stream);
}

fn answer(mut stream: TcpStream, line: &str) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
    let mut sent = [0; 65536];
    while stream.read(&mut sent).is_ok_and(|read| read > 0) {}
    let _ = stream
        .write_all(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
}

#[test]
fn a_collector_that_takes_nothing_costs_spans_and_no_request() {
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (what, address, why) in [
        ("down", format!("http://{down}"), "the collector is not reached: Connection refused"),
        ("silent", collector(silent), "the collector is not reached: "),
        ("refuses", collector(|stream| answer(stream, "400 Bad Request")), "status code: 400"),
        ("is busy", collector(|stream| answer(stream, "429 Too Many Requests")), "status code: 429"),
        ("is broken", collector(|stream| answer(stream, "500 Oh")), "status code: 500"),
    ] {
        let site = Site::new();
        let mut service = site.serve_under(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ]);
        let began = Instant::now();
        for _ in 0..20 {
            assert_eq!(service.get("/v1/log").status, 200);
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        until("all of them are lost", || lost(&service) >= 20);
        let said = service.said();
        let told: Vec<&str> = said.lines().filter(|line| line.contains("\"what\":\"traces\"")).collect();
        assert!(told.len() == 1 && told[0].contains(why), "{what}: {told:?}");
        service.signal("-TERM");
        let began = Instant::now();
        assert_eq!(service.ends(), Some(0), "{what}");
        assert!(began.elapsed() < Duration::from_secs(12), "{what}: {:?}", began.elapsed());
    }
}

#[test]
fn refuses_to_begin_with_variables_that_it_would_not_follow() {
    let site = Site::new();
    let said = site.refused_under(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        &["runtime", "--listen", "127.0.0.1:0"],
    );
    let first = "`OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc`, and here it can be `http/protobuf` or `http/json`";
    assert!(said.contains(first) && said.contains("docs/runtime.md#traces"), "{said}");
}
