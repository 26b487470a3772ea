//! How long a `deploy` of 50 images with 4 attestations each takes, all of it from a registry on
//! loopback: wall time, requests and peak memory. Nothing here passes or fails on time.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs the program and prints"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that can't run should say so loudly"
)]
#![expect(unreachable_pub, dead_code, reason = "the registry is that of the tests, which ask more of it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use laforge::key::secret::SecretKey;
use laforge::release::digest::ClaimedDigest;
use laforge::signing::{self, statement};
use serde_json::{Value, json};

use server::Registry;

#[path = "../tests/laforge/registry/server.rs"]
mod server;

const IMAGES: usize = 50;
const RUNS: usize = 5;
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
/// Beside the signature and the provenance of each image.
const FURTHER: [&str; 2] = ["https://in-toto.io/attestation/vulns", "https://cyclonedx.org/bom"];

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let example = folder.path().join("example");
    laforge(folder.path(), &["init", "example", "--example"]);
    fs::write(example.join("policies/baseline.yaml"), POLICY).unwrap();
    let registry = Registry::start();
    let images: Vec<Value> = (0..IMAGES).map(|at| registry.image(&format!("image {at}"))).collect();
    fs::write(example.join("release.yaml"), release(&registry, &images)).unwrap();
    attach(&example, &registry, &images);
    let mut runs: Vec<(Duration, u64)> = (0..RUNS)
        .map(|step| laforge(&example, &["deploy", "--traffic-steps", &format!("{},100", step + 1)]))
        .collect();
    runs.sort();
    let (median, peak) = runs[RUNS / 2];
    println!("deploy of {IMAGES} images, 4 attestations each  {median:>10.3?}  median of {RUNS}");
    println!("requests                                  {:>10}", registry.asked().len() / RUNS);
    println!("peak memory                               {:>7} MiB", peak / 1024);
}

const POLICY: &str = "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: baseline}\nspec:\n  require:\n    \
    signatures: {each: artifact, atLeast: 1}\n    provenance: {each: artifact, commit: release}\n";

fn release(registry: &Registry, images: &[Value]) -> String {
    let artifacts = images.iter().enumerate().map(|(at, image)| {
        let reference = format!("{}@{}", registry.repository(), image["digest"].as_str().unwrap());
        format!("    - {{name: image-{at}, image: \"{reference}\"}}\n")
    });
    format!(
        "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  \
         environment: production\n  source: {{repository: https://github.com/acme/payments, commit: \
         4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081, ref: refs/tags/v2.4.0}}\n  artifacts:\n{}",
        artifacts.collect::<String>()
    )
}

fn attach(example: &Path, registry: &Registry, images: &[Value]) {
    let read = |name: &str| fs::read_to_string(example.join(name)).unwrap();
    let key = |name: &str| SecretKey::from_pem(&read(&format!("keys/{name}.key")), || None).unwrap();
    let (release, ci) = (key("release"), key("ci"));
    let build: Value = serde_json::from_str(&read("build.json")).unwrap();
    for image in images {
        let claim: ClaimedDigest = image["digest"].as_str().unwrap().parse().unwrap();
        let subjects = [statement::subject("image", &claim)];
        let signature = statement::attest(&subjects, SIGNED, json!({}));
        registry.attach(&signing::statement_bundle(&signature, &release).unwrap(), image);
        let provenance = statement::provenance(&subjects, build.clone()).unwrap();
        registry.attach(&signing::statement_bundle(&provenance, &ci).unwrap(), image);
        for kind in FURTHER {
            let further = statement::attest(&subjects, kind, json!({"of": claim.to_string()}));
            registry.attach(&signing::statement_bundle(&further, &ci).unwrap(), image);
        }
    }
}

/// Runs the program: how long it took, and the most kilobytes that it held.
fn laforge(folder: &Path, arguments: &[&str]) -> (Duration, u64) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_laforge"))
        .current_dir(folder)
        .args(arguments)
        .env("XDG_CACHE_HOME", folder.join(".cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0).max(peak);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().expect("it ran").success(), "{arguments:?}");
    (started.elapsed(), peak)
}
