//! A repository whose gate has allowed a release of one image, with the plan in `plan.json`: what `laforge render` and
//! `laforge runtime` work from. Everything in it is made by the program itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Windows of six seconds; the budgets' floors are what the load gives in two.
const ROLLOUT: &str = "rollout:
  deploys: [payments]
  trafficSteps: [20, 80, 100]
  latencyBudgetMs: 450
  latencyQuantile: 0.95
  errorBudget: 0.02
  minSamples: {error: 150, latency: 60}
  fastBurn: {lookbackSeconds: 3, factor: 10, minSamples: 30}
  settleSeconds: 1
  windowSeconds: 6
  monitor: {windowSeconds: 6}
  readiness: {periodSeconds: 1, consecutiveSuccesses: 2, timeoutSeconds: 20}
  drainWithinSeconds: 5
render:
  environment: production
  namespace: laforge
  replicas: 4
  gateway: gateway/edge
  hostnames: [app.example.com]
  prometheus: http://127.0.0.1:9090
runtime: {environment: production, prometheus: {url: 'http://127.0.0.1:9090', scrapeSeconds: 1}}
";

/// By which Argo says who it is.
pub const TOKEN: &str = "a-token-of-a-test";

const POLICY: &str = "apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: approved}
spec:
  match: {environments: [production]}
  require:
    approvals: {atLeast: 1, roles: {release-manager: 1}, maxAge: 24h}
";

/// The folder; gone when it is dropped.
pub struct Released {
    folder: TempDir,
    /// The image's digest, in hex.
    pub digest: String,
}

impl Released {
    /// A release that is allowed, and its plan.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/allows-image-in-layout/artifacts/image");
        let index: Value = serde_json::from_slice(&fs::read(image.join("index.json")).unwrap()).unwrap();
        let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        let hex = digest.strip_prefix("sha256:").unwrap().to_owned();
        let this = Self { folder, digest: hex };
        this.laforge(&["init", "--example", "."]);
        copy(&image, &this.folder.path().join("artifacts/image"));
        this.write(
            "release.yaml",
            &format!(
                "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  \
                 environment: production\n  source: {{repository: https://github.com/acme/payments, commit: {}, ref: \
                 refs/tags/v2.4.0}}\n  artifacts:\n    - {{name: payments, path: artifacts/image, image: \
                 \"registry.example/payments@{digest}\"}}\n",
                "4f1c".repeat(10)
            ),
        );
        this.write("policies/baseline.yaml", POLICY);
        let config = this.read("laforge.yaml");
        let kept: Vec<&str> = config.lines().filter(|line| !line.starts_with("rollout:")).collect();
        let known = hex::encode(Sha256::digest(TOKEN));
        let service = format!("service: {{tokens: [{{name: argo, sha256: '{known}', rights: [engine]}}]}}\n");
        this.write("laforge.yaml", &format!("{}\n{ROLLOUT}{service}", kept.join("\n")));
        this.laforge(&["approve", "--release", "release.yaml", "--yes", "--key", "keys/alice.key"]);
        this.laforge(&["deploy", "-o", "plan.json"]);
        this
    }

    /// The program, which has to go well; what it printed.
    #[track_caller]
    pub fn laforge(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The program in the folder, ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("XDG_CACHE_HOME", self.folder.path().join(".cache")).env("USER", "alice");
        for name in ["GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        command
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
