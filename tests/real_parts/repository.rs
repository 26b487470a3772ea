//! A repository whose release is signed at a private Sigstore instance: trust, policy, release, evidence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::instance::Instance;
use super::issuer::{CI, PEOPLE};

pub const COMMIT: &str = "4f1c0a6be1dd2a7f3c5e9d8b7a6f5e4d3c2b1a09";
pub const WORKFLOW: &str = "https://github.com/acme/builders/.github/workflows/build.yml@refs/tags/v3";
pub const ARTIFACT: &str = "artifacts/payments.tar.gz";
pub const SIGNATURE: &str = "evidence/signature.sigstore.json";
pub const PROVENANCE: &str = "evidence/provenance.sigstore.json";

const CONFIG: &str = "\
apiVersion: laforge.dev/v1
kind: Config
release: release.yaml
evidence: [evidence/]
trust: trust.yaml
policies: [{path: policies/}]
audit: {log: .laforge/audit, origin: gitops.acme.test/payments/prod, key: file:.laforge/gate.key}
rollout: {target: payments-prod, strategy: bluegreen, trafficSteps: [20, 80, 100], latencyBudgetMs: 450, errorBudget: 0.02}
";

const POLICY: &str = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {environments: [production]}
  require:
    signatures: {each: artifact, atLeast: 1, from: [release]}
    approvals: {atLeast: 3, roles: {release-manager: 1, sre: 1}, maxAge: 24h}
    provenance: {each: artifact, minLevel: 3, source: https://github.com/acme/payments, ref: \"pattern:refs/tags/v*\", commit: release, hostedRunner: required}
";

/// A folder with `laforge.yaml`; gone when it is dropped.
pub struct Repository {
    folder: TempDir,
}

/// How a run of the program ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        self
    }
}

/// Runs something to its end.
pub fn run(command: &mut Command) -> Run {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What GitHub says of a job, in the form of its tokens.
pub fn job(commit: &str, runner: &str) -> Value {
    json!({
        "sub": "repo:acme/payments:ref:refs/tags/v2.4.0", "event_name": "push", "sha": commit, "workflow": "release",
        "repository": "acme/payments", "repository_id": "1001", "repository_owner": "acme",
        "repository_owner_id": "2002", "repository_visibility": "private", "ref": "refs/tags/v2.4.0",
        "ref_type": "tag", "actor": "alice", "run_id": "77", "run_attempt": "1", "runner_environment": runner,
        "job_workflow_ref": "acme/builders/.github/workflows/build.yml@refs/tags/v3",
        "job_workflow_sha": "aaaa0a6be1dd2a7f3c5e9d8b7a6f5e4d3c2b1a09",
        "workflow_ref": "acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0", "workflow_sha": commit,
    })
}

impl Repository {
    /// A release of one artifact, with trust in an instance's root, and no evidence yet.
    pub fn of(instance: &Instance<'_>) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        let artifact = b"payments 2.4.0";
        this.write(ARTIFACT, artifact);
        this.write("laforge.yaml", CONFIG.as_bytes());
        this.write("policies/production.yaml", POLICY.as_bytes());
        this.write("release.yaml", release(artifact).as_bytes());
        this.write("predicate.json", predicate().to_string().as_bytes());
        this.write("trust/acme-root.json", &fs::read(instance.path("trusted-root.json")).unwrap());
        fs::create_dir(this.path("evidence")).unwrap();
        this.laforge(&["keygen", "--use", "gate", "--insecure-unencrypted", "-o", ".laforge/gate"]).ends(0);
        this.laforge(&["keygen", "--use", "person", "--insecure-unencrypted", "-o", "carol"]).ends(0);
        fs::rename(this.path("carol.pub"), this.path("trust/carol.pub")).unwrap();
        this.write("trust.yaml", trust("acme").as_bytes());
        this
    }

    /// Signs the artifact, attests its provenance, approves the release: three identities and one key.
    pub fn sign_all(&self, instance: &Instance<'_>) {
        let issuer = &instance.issuer;
        self.sign(instance, &issuer.person(PEOPLE, "release@acme.test"));
        self.attest(instance, &issuer.token(CI, &job(COMMIT, "github-hosted")));
        for who in ["alice", "bob"] {
            self.approve(instance, &issuer.person(PEOPLE, &format!("{who}@acme.test")), who);
        }
        let by_key = ["approve", "--release", "release.yaml", "--yes", "--key", "carol.key", "-o"];
        self.laforge(&[&by_key[..], &["evidence/approval-carol.sigstore.json"]].concat()).ends(0);
    }

    #[track_caller]
    pub fn sign(&self, instance: &Instance<'_>, token: &str) {
        self.keyless(instance, token, &["sign", ARTIFACT, "-o", SIGNATURE]);
    }

    #[track_caller]
    pub fn attest(&self, instance: &Instance<'_>, token: &str) {
        self.keyless(
            instance,
            token,
            &["attest", ARTIFACT, "--predicate", "predicate.json", "-o", PROVENANCE],
        );
    }

    #[track_caller]
    pub fn approve(&self, instance: &Instance<'_>, token: &str, name: &str) {
        let target = format!("evidence/approval-{name}.sigstore.json");
        self.keyless(instance, token, &["approve", "--release", "release.yaml", "--yes", "-o", &target]);
    }

    /// Runs a signing verb at the instance; the file that it writes may be there.
    #[track_caller]
    pub fn keyless(&self, instance: &Instance<'_>, token: &str, arguments: &[&str]) -> Run {
        if let Some(target) = arguments.iter().position(|it| *it == "-o").map(|at| arguments[at + 1]) {
            // The program writes over nothing.
            let _ = fs::remove_file(self.path(target));
        }
        let flags = instance.flags(token);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.laforge(&[arguments, &flags].concat()).ends(0).says("verified: signed by")
    }

    /// Runs the program here, with an empty environment.
    pub fn laforge(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("XDG_CACHE_HOME", self.path(".cache"));
        command
    }

    /// Another folder with the same content.
    pub fn fork(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Changes a JSON file.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.json(name);
        change(&mut value);
        self.write(name, value.to_string().as_bytes());
    }
}

fn release(artifact: &[u8]) -> String {
    format!(
        "apiVersion: laforge.dev/v1
kind: Release
metadata: {{name: payments, version: 2.4.0}}
spec:
  environment: production
  source: {{repository: https://github.com/acme/payments, commit: {COMMIT}, ref: refs/tags/v2.4.0}}
  artifacts:
    - {{name: payments.tar.gz, path: {ARTIFACT}, digest: \"sha256:{}\"}}
",
        hex::encode(Sha256::digest(artifact))
    )
}

/// What GitHub's `attest-build-provenance` writes of that job.
pub fn predicate() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {"ref": "refs/tags/v2.4.0", "path": ".github/workflows/release.yml",
                "repository": "https://github.com/acme/payments"}},
            "internalParameters": {"github": {"event_name": "push", "repository_id": "1001",
                "repository_owner_id": "2002", "runner_environment": "github-hosted"}},
            "resolvedDependencies": [{"uri": "git+https://github.com/acme/payments@refs/tags/v2.4.0",
                "digest": {"gitCommit": COMMIT}}]
        },
        "runDetails": {"builder": {"id": WORKFLOW},
            "metadata": {"invocationId": "https://github.com/acme/payments/actions/runs/77/attempts/1"}}
    })
}

/// Trust whose people's identities belong to a root of this name.
pub fn trust(people_root: &str) -> String {
    let person =
        |name: &str| format!("{{root: {people_root}, issuer: \"{PEOPLE}\", subject: {name}@acme.test}}");
    format!(
        "apiVersion: laforge.dev/v1
kind: Trust
sigstore:
  - {{name: public-good, instance: public-good}}
  - {{name: acme, trustedRoot: trust/acme-root.json}}
signers:
  - {{name: release, use: artifact, identity: {{root: acme, issuer: \"{PEOPLE}\", subject: release@acme.test}}}}
  - {{name: builder, use: attestation, identity: {{root: acme, issuer: \"{CI}\", subject: \"{WORKFLOW}\"}}}}
people:
  - {{name: alice, roles: [release-manager], identities: [{alice}]}}
  - {{name: bob, roles: [sre], identities: [{bob}]}}
  - {{name: carol, roles: [sre], identities: [{{key: trust/carol.pub, root: acme}}, {carol}]}}
builders:
  - {{id: \"{WORKFLOW}\", level: 3, signer: builder}}
",
        alice = person("alice"),
        bob = person("bob"),
        carol = person("carol"),
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
