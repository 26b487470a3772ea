//! The attacks of this class, each by name: none may get a plan out of a release that doesn't deserve it.
//!
//! The attacker owns the build job: files, evidence, command line. Not the gate's key, and not the
//! people's, save where a test says so.

mod additions;
mod again;
mod documents;
mod evidence;
mod files;
mod fourth_round;
mod log;
mod parties;
mod printed;
mod readings;
mod second_round;
mod sources;
mod spoiled;
mod standard;
mod statements;
mod surroundings;
mod table;
mod third_round;
mod twofold;
mod witnesses;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::key::secret::SecretKey;
use serde_json::{Value, json};

use crate::example::{Example, REQUIRED, Run, command, finished};

/// A bare envelope around a payload, signed with a key; the hint is nobody's word.
fn sign_bytes(key: &SecretKey, payload_type: &str, payload: &[u8], hint: &str) -> String {
    let pae = laforge::evidence::envelope::pae(payload_type, payload);
    let signature = STANDARD.encode(key.sign(&pae).unwrap());
    json!({"payloadType": payload_type, "payload": STANDARD.encode(payload),
        "signatures": [{"keyid": hint, "sig": signature}]})
    .to_string()
}

fn files(example: &Example, folder: &str) -> Vec<String> {
    example.list(folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
}

/// Any run that is not an allow, and prints no plan.
#[track_caller]
fn gets_no_plan(example: &Example, what: &str) {
    let run = example.deploy(&[]);
    assert_ne!(run.code, 0, "{what} was allowed: {}", run.stdout);
    assert_eq!(run.stdout, "", "{what}");
}

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    laforge::release::digest::Digest::of_bytes(&bytes).hex()
}

/// More time than any run here takes, and less than a hang.
const PATIENCE: Duration = Duration::from_secs(90);

fn deploy_with(example: &Example, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let mut command = command(&example.path(""));
    command.args(["deploy"]).args(REQUIRED).args(more).envs(variables.iter().copied());
    finished(command.output().unwrap())
}

/// A run that has to end by itself.
#[track_caller]
fn ends_in_time(example: &Example, arguments: &[&str]) -> i32 {
    let mut child = command(&example.path(""))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The log can still be read whole, and it checks out.
#[track_caller]
fn log_is_sound(example: &Example) {
    example.run(&["audit", "verify"]).ends_with_data();
    example.run(&["audit", "list"]).ends_with_data();
}

fn fifo(example: &Example, name: &str) {
    let made = std::process::Command::new("mkfifo").arg(example.path(name)).status().unwrap();
    assert!(made.success());
}

fn evidence(example: &Example, name: &str) -> Value {
    serde_json::from_str(&example.read(&format!("evidence/{name}"))).unwrap()
}

/// A bare envelope around a statement.
fn sign(example: &Example, key: &str, statement: &Value) -> String {
    let key = SecretKey::from_pem(&example.read(key), || None).unwrap();
    sign_bytes(&key, "application/vnd.in-toto+json", statement.to_string().as_bytes(), "")
}
