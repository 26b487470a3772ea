//! The driver before a small API server of our own, for what a real one can't be made to do at will.
#![expect(clippy::disallowed_methods, reason = "tests read the world: a kubeconfig of their own")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;

/// What the small server holds, and what somebody else does to it before the next patch.
struct Held {
    route: Value,
    edits: Vec<Edit>,
    patches: usize,
}

type Edit = Box<dyn FnOnce(&mut Value) + Send>;

struct Small {
    held: Arc<Mutex<Held>>,
    driver: GatewayApi,
    folder: tempfile::TempDir,
}

fn backends() -> Backends {
    Backends { stable: "app-blue".into(), candidate: "app-green".into() }
}

fn route() -> Value {
    json!({
        "metadata": {"resourceVersion": "1", "generation": 1, "annotations": {"laforge.dev/epoch": "1"}},
        "spec": {"rules": [
            {"backendRefs": [{"name": "app-blue", "weight": 100}, {"name": "app-green", "weight": 0}]},
        ]},
        "status": {"parents": [{"parentRef": {"name": "edge"}, "conditions": [
            {"type": "Accepted", "status": "True", "observedGeneration": 1},
        ]}]},
    })
}

impl Small {
    fn new(edits: Vec<Edit>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::new(Mutex::new(Held { route: route(), edits, patches: 0 }));
        let serving = Arc::clone(&held);
        // Ends with the process; each connection answers once.
        std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), &serving)));
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\n\
             users: [{{name: u, user: {{tokenFile: token}}}}]\n"
        );
        let file = folder.path().join("config");
        std::fs::write(&file, kubeconfig).unwrap();
        std::fs::write(folder.path().join("token"), "t0ken\n").unwrap();
        let section = GatewayApiSection {
            kubeconfig: Some(file.to_str().unwrap().to_owned()),
            context: None,
            namespace: "laforge".into(),
            http_route: "app".into(),
        };
        let driver = GatewayApi::new(&section, backends()).unwrap().accepted_within(Duration::from_millis(1));
        Self { held, driver, folder }
    }

    fn weights(&self) -> Value {
        self.held.lock().unwrap().route["spec"]["rules"][0]["backendRefs"].clone()
    }
}

/// One request: a GET, or a JSON Patch of `test`, `replace` and `add`.
fn serve(mut stream: TcpStream, held: &Mutex<Held>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length, mut token) = (String::new(), 0, false);
    reader.read_line(&mut line).unwrap();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        length = header.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
        token |= header == "authorization: bearer t0ken";
    }
    let mut body = vec![0; length];
    std::io::Read::read_exact(&mut reader, &mut body).unwrap();
    let mut held = held.lock().unwrap();
    let status = match line.starts_with("PATCH ") {
        _ if !token => 401,
        true => patch(&mut held, &serde_json::from_slice(&body).unwrap()),
        false => 200,
    };
    let answer = if status == 200 { held.route.to_string() } else { json!({"message": "no"}).to_string() };
    let length = answer.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}")
        .unwrap();
}

fn patch(held: &mut Held, patch: &Value) -> u16 {
    held.patches += 1;
    if !held.edits.is_empty() {
        let edit = held.edits.remove(0);
        edit(&mut held.route);
        bump(&mut held.route);
    }
    let mut route = held.route.clone();
    let mut version = None;
    for step in patch.as_array().unwrap() {
        let path = step["path"].as_str().unwrap();
        let (parent, member) = path.rsplit_once('/').unwrap();
        let member = member.replace("~1", "/");
        match route.pointer_mut(parent) {
            Some(Value::Object(parent)) if step["op"] == "test" => {
                if parent.get(&member) != Some(&step["value"]) {
                    return 422;
                }
            }
            Some(Value::Object(parent)) => drop(parent.insert(member, step["value"].clone())),
            _ => return 422,
        }
        if path == "/metadata/resourceVersion" {
            version = Some(step["value"].clone());
        }
    }
    if version.is_some_and(|version| version != held.route["metadata"]["resourceVersion"]) {
        return 409;
    }
    held.route = route;
    bump(&mut held.route);
    200
}

fn bump(route: &mut Value) {
    let version: u64 = route["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    route["metadata"]["resourceVersion"] = (version + 1).to_string().into();
}

fn label(route: &mut Value) {
    route["metadata"]["labels"] = json!({"edited": "by another"});
}

#[test]
fn an_edit_of_another_writer_is_kept_and_the_command_tried_again() {
    let mut small = Small::new(vec![
        Box::new(label),
        Box::new(|route| route["spec"]["hostnames"] = json!(["a.example"])),
    ]);
    small.driver.set(Weight::new(20).unwrap(), 2).unwrap();
    let held = small.held.lock().unwrap();
    assert_eq!(held.patches, 3);
    assert_eq!(held.route["metadata"]["labels"], json!({"edited": "by another"}));
    assert_eq!(held.route["spec"]["hostnames"], json!(["a.example"]));
    assert_eq!(held.route["metadata"]["annotations"]["laforge.dev/epoch"], "2");
    drop(held);
    assert_eq!(small.driver.read().unwrap().weight().percent(), 20);
}

#[test]
fn a_command_stops_where_another_writer_moved_the_weights() {
    let mut small = Small::new(vec![Box::new(|route| {
        route["spec"]["rules"][0]["backendRefs"][1]["weight"] = json!(7);
    })]);
    let error = small.driver.set(Weight::new(20).unwrap(), 1).unwrap_err();
    assert!(matches!(error, DriverError::Conflict { .. }), "{error}");
    assert_eq!(small.weights()[1]["weight"], 7);
}

#[test]
fn a_command_of_an_older_epoch_is_dropped_whoever_fenced_it() {
    let mut small = Small::new(vec![Box::new(|route| {
        route["metadata"]["annotations"]["laforge.dev/epoch"] = json!("9");
    })]);
    // The other guard's fence falls between our reading and our patch.
    let error = small.driver.set(Weight::new(20).unwrap(), 1).unwrap_err();
    assert!(matches!(error, DriverError::Fenced { epoch: 1, fence: 9 }), "{error}");
    let error = small.driver.fence(8).unwrap_err();
    assert!(matches!(error, DriverError::Fenced { epoch: 8, fence: 9 }), "{error}");
    small.driver.fence(10).unwrap();
    let error = small.driver.set(Weight::ZERO, 9).unwrap_err();
    assert!(matches!(error, DriverError::Fenced { epoch: 9, fence: 10 }), "{error}");
    assert_eq!(small.weights()[1]["weight"], 0);
}

#[test]
fn does_not_try_for_ever() {
    let edits = (0..20).map(|_| Box::new(label) as Edit).collect();
    let mut small = Small::new(edits);
    let error = small.driver.set(Weight::new(20).unwrap(), 1).unwrap_err();
    assert!(matches!(error, DriverError::Conflict { .. }), "{error}");
    let patches = small.held.lock().unwrap().patches;
    assert_eq!((patches, &small.weights()[1]["weight"]), (8, &json!(0)));
}

#[test]
fn a_weight_that_the_gateway_has_not_accepted_is_no_reading() {
    let mut small = Small::new(Vec::new());
    small.held.lock().unwrap().route["metadata"]["generation"] = json!(2);
    let error = small.driver.read().unwrap_err().to_string();
    assert!(error.contains("gateway `edge`: it has seen generation 1, not 2"), "{error}");
    small.held.lock().unwrap().route["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(0);
    small.held.lock().unwrap().route["metadata"]["generation"] = json!(1);
    assert!(matches!(small.driver.read().unwrap_err(), DriverError::NoTraffic(_)));
}

#[test]
fn a_split_that_somebody_else_made_is_a_conflict() {
    let mut small = Small::new(Vec::new());
    let third = json!({"name": "third", "weight": 1});
    small.held.lock().unwrap().route["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap().push(third);
    let error = small.driver.read().unwrap_err();
    assert!(matches!(error, DriverError::Conflict { .. }), "{error}");
    assert!(error.to_string().contains("rule 0 sends to another backend, too"), "{error}");
}

#[test]
fn traffic_that_is_left_is_told_although_connections_are_not() {
    let mut small = Small::new(Vec::new());
    small.driver.set(Weight::new(20).unwrap(), 1).unwrap();
    let remaining = Remaining { weight: Weight::new(20).unwrap(), connections: 0, in_flight: 0 };
    assert_eq!(small.driver.remaining().unwrap(), remaining);
}

#[test]
fn says_what_it_can_not_and_who_does_not_answer() {
    let mut small = Small::new(Vec::new());
    assert!(matches!(small.driver.remaining().unwrap_err(), DriverError::Unsupported { .. }));
    assert!(matches!(small.driver.close_connections().unwrap_err(), DriverError::Unsupported { .. }));
    std::fs::write(small.folder.path().join("token"), "another").unwrap();
    let error = small.driver.read().unwrap_err().to_string();
    assert!(error.ends_with("/httproutes/app` answered `401: no` to `the route`"), "{error}");
}

#[test]
fn nothing_but_tls_is_spoken_beyond_loopback() {
    let login = credentials::Login::Token("t".into());
    let of =
        |server: &str| credentials::Access { server: server.into(), authority: None, login: login.clone() };
    let refused = |server: &str| Server::new(of(server), "n", "r").map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        refused("http://k8s.example"),
        "the API server `http://k8s.example` can't be asked: it is not https"
    );
    assert!(refused("nonsense").starts_with("the API server `nonsense` can't be asked"));
    let place = Server::new(of("https://k8s.example/base/"), "n", "a/b").unwrap().place();
    assert_eq!(
        place,
        "https://k8s.example/base/apis/gateway.networking.k8s.io/v1/namespaces/n/httproutes/a%2Fb"
    );
}
