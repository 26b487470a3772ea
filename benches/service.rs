//! What `laforge runtime` decides per second, and how long an answer takes, beside its floor in the same run.
//!
//! The program serves the example in a process of its own; clients are threads here, each with a connection that it
//! keeps. A decision is a rehearsal, so that each one appends: eight signatures are verified, and one entry is made
//! durable. The floor is those signatures, on both cores. `cargo bench --bench service` prints; nothing here passes or
//! fails on time.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs the program and prints"
)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that can't run should say so loudly")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use laforge::key::Algorithm;
use laforge::key::secret::SecretKey;
use sha2::{Digest as _, Sha256};

/// How long each case is measured.
const FOR: Duration = Duration::from_secs(5);
/// Signatures, provenances and approvals of the example.
const SIGNATURES: u32 = 8;
const TOKEN: &str = "a-token";

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    laforge(folder.path(), &["init", "example", "--example"]);
    let example = folder.path().join("example");
    let section = format!(
        "\nservice:\n  tokens: [{{name: bench, sha256: {}, rights: [evaluate]}}]\n  admission: {{environment: \
         production}}\n",
        hex::encode(Sha256::digest(TOKEN))
    );
    let config = fs::read_to_string(example.join("laforge.yaml")).unwrap();
    fs::write(example.join("laforge.yaml"), config + &section).unwrap();
    laforge(&example, &["deploy"]);
    let service = Service::start(&example);
    let floor = floor();
    println!("floor: {floor:.0} releases/s ({SIGNATURES} P-256 signatures each, both cores)");
    for connections in [1, 8, 64] {
        let decided = service.load(connections, "/v1/evaluate", "{\"dryRun\": true}");
        println!(
            "evaluate  {connections:>2} connections: {decided}, {:.0} % of the floor",
            decided.rate / floor * 100.0
        );
    }
    let digest = hex::encode(Sha256::digest(fs::read(example.join("artifacts/payments.tar.gz")).unwrap()));
    let review = format!(
        r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{"uid": "1", "operation": "CREATE", "namespace": "shop", "object": {{"apiVersion": "v1", "kind": "Pod", "spec": {{"containers": [{{"name": "app", "image": "registry.example/payments@sha256:{digest}"}}]}}}}}}}}"#
    );
    for connections in [1, 8, 64] {
        println!(
            "admission {connections:>2} connections: {}",
            service.load(connections, "/v1/admission", &review)
        );
    }
}

/// What was measured.
struct Load {
    rate: f64,
    median: Duration,
    p99: Duration,
    failed: usize,
}

impl std::fmt::Display for Load {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rate, median, p99, failed } = self;
        write!(out, "{rate:>8.0}/s, median {median:>9.3?}, p99 {p99:>9.3?}, {failed} told to come back")
    }
}

struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let said = folder.join("said");
        let child = Command::new(env!("CARGO_BIN_EXE_laforge"))
            .current_dir(folder)
            .args(["runtime", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { child, port: 0 };
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let port =
                text.split("://127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            if let Some(port) = port {
                // Until the log is read.
                thread::sleep(Duration::from_secs(1));
                service.port = port;
                return service;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not answer: {text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn load(&self, connections: usize, path: &str, body: &str) -> Load {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: laforge\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // An anonymous route takes no token that has no right to it.
        let request = match path {
            "/v1/admission" => request.replace(&format!("authorization: Bearer {TOKEN}\r\n"), ""),
            _ => request,
        };
        let began = Instant::now();
        let (mut took, mut failed) = (Vec::new(), 0);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..connections)
                .map(|_| scope.spawn(|| client(self.port, request.as_bytes(), began)))
                .collect();
            for thread in threads {
                let (times, refused) = thread.join().unwrap();
                took.extend(times);
                failed += refused;
            }
        });
        let rate = took.len() as f64 / began.elapsed().as_secs_f64();
        took.sort();
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        Load { rate, median: at(50), p99: at(99), failed }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, as fast as it is answered.
fn client(port: u16, request: &[u8], began: Instant) -> (Vec<Duration>, usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let (mut took, mut failed) = (Vec::new(), 0);
    while began.elapsed() < FOR {
        let asked = Instant::now();
        stream.write_all(request).unwrap();
        match answer(&mut answers) {
            200 => took.push(asked.elapsed()),
            503 => {
                failed += 1;
                thread::sleep(Duration::from_millis(5));
            }
            status => panic!("answered {status}"),
        }
    }
    (took, failed)
}

fn answer(answers: &mut BufReader<TcpStream>) -> u16 {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.split(' ').next().unwrap().parse().unwrap();
        }
        if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = rest.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body).unwrap();
    status
}

/// Releases per second whose signatures alone are verified, on both cores.
fn floor() -> f64 {
    let key = SecretKey::generate(Algorithm::EcdsaP256).unwrap();
    let signature = key.sign(b"a statement").unwrap();
    let began = Instant::now();
    let counted: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while began.elapsed() < Duration::from_secs(1) {
                        key.public().verify(b"a statement", &signature).unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    f64::from(counted / SIGNATURES) / began.elapsed().as_secs_f64()
}

fn laforge(folder: &Path, arguments: &[&str]) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_laforge")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
