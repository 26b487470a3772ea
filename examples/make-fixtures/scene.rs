//! A folder in the making: a sound release with its trust, policy and evidence, to be spoiled.
//!
//! A case starts from [`Scene::sound`] or from [`Scene::bare`], which lacks the evidence, and
//! changes one thing. Whatever a change can't find is noted in `problems`, and nothing is written.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use laforge::evidence::predicate::approval::{Approval, Word};
use laforge::evidence::predicate::source::{Source as Authorship, TYPE as AUTHORSHIP};
use laforge::evidence::statement::Subject;
use laforge::release::Release;
use laforge::release::deployed::{Deployed, ManifestFile};
use laforge::release::digest::{ClaimedDigest, Digest};
use laforge::signing::{Signs, statement};
use laforge::time::{self, Timestamp};
use laforge::yaml::Source;
use serde_json::{Value, json};

use crate::authority::{Authority, Content, Parts, signed_bundle};
use crate::certificate::Workload;
use crate::keys::{P256, ed25519};

/// Where the release is built from.
pub(crate) const REPOSITORY: &str = "https://github.com/acme/payments";
/// What it is built from.
pub(crate) const COMMIT: &str = "4f1c0a6be1dd2a7f3c5e9d8b7a6f5e4d3c2b1a09";
/// The tag it is built from.
pub(crate) const REF: &str = "refs/tags/v2.4.0";
/// The builder that trust names.
pub(crate) const BUILDER: &str = "https://github.com/acme/builders/.github/workflows/build.yml@refs/tags/v3";
/// GitHub's OIDC issuer.
pub(crate) const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The workflow that signs keyless.
pub(crate) const WORKFLOW: &str =
    "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0";
/// The one artifact.
pub(crate) const ARTIFACT: &str = "payments.tar.gz";
/// Its bytes.
pub(crate) const ARTIFACT_BYTES: &[u8] = b"payments 2.4.0, built from 4f1c0a6b\n";

const CONFIG_BYTES: &[u8] = b"workers: 4\n";

/// A folder in the making.
pub(crate) struct Scene {
    /// The gate's clock.
    pub(crate) now: Timestamp,
    /// The Sigstore instance that trust names.
    pub(crate) acme: Authority,
    /// One that it doesn't name.
    pub(crate) other: Authority,
    /// What a change could not find.
    pub(crate) problems: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Scene {
    /// A release that is allowed: signed, built and approved with local keys.
    pub(crate) fn sound() -> Self {
        let mut scene = Self::bare();
        scene.sign();
        scene.attest_build();
        scene.approve();
        scene
    }

    /// The same without evidence.
    pub(crate) fn bare() -> Self {
        let mut scene = Self {
            now: time::parse("2026-03-02T12:00:00Z").unwrap_or_default(),
            acme: Authority::named("acme"),
            other: Authority::named("other"),
            problems: Vec::new(),
            files: BTreeMap::new(),
        };
        scene.put(&format!("artifacts/{ARTIFACT}"), ARTIFACT_BYTES);
        scene.put("artifacts/config.yaml", CONFIG_BYTES);
        scene.put("laforge.yaml", CONFIGURATION.as_bytes());
        scene.put("release.yaml", release_text().as_bytes());
        scene.put("trust.yaml", TRUST.as_bytes());
        scene.put("policies/production.yaml", POLICY.as_bytes());
        for name in ["release", "builder", "alice", "bob"] {
            scene.put_key(name);
        }
        let root = scene.acme.trusted_root();
        scene.put("trust/acme-root.json", root.to_string().as_bytes());
        scene
    }

    /// The files, by path.
    pub(crate) fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Writes a file.
    pub(crate) fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// Removes a file.
    pub(crate) fn remove(&mut self, path: &str) {
        if self.files.remove(path).is_none() {
            self.problems.push(format!("there is no `{path}` to remove"));
        }
    }

    /// Replaces a text in a file, once.
    pub(crate) fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = self.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        match text {
            Some(text) if text.contains(from) => self.put(path, text.replacen(from, to, 1).as_bytes()),
            _ => self.problems.push(format!("`{path}` does not hold `{from}`")),
        }
    }

    /// Writes a member of a flow list in trust before its first one.
    pub(crate) fn trust(&mut self, section: &str, member: &str) {
        let head = format!("{section}:\n");
        if self.text("trust.yaml").contains(&head) {
            self.edit("trust.yaml", &head, &format!("{head}  - {member}\n"));
        } else {
            let text = format!("{}{head}  - {member}\n", self.text("trust.yaml"));
            self.put("trust.yaml", text.as_bytes());
        }
    }

    /// Writes the public half of a key under `trust/`.
    pub(crate) fn put_key(&mut self, name: &str) {
        self.put(&format!("trust/{name}.pub"), key(name).public().to_pem().as_bytes());
    }

    /// Writes a bundle as evidence.
    pub(crate) fn evidence(&mut self, name: &str, bundle: &Value) {
        self.put(&format!("evidence/{name}.sigstore.json"), bundle.to_string().as_bytes());
    }

    /// Signs the artifact with the release's key.
    pub(crate) fn sign(&mut self) {
        let bundle = self.local("release", Content::Message(ARTIFACT_BYTES));
        self.evidence("signature", &bundle);
    }

    /// Attests the build with the builder's key.
    pub(crate) fn attest_build(&mut self) {
        let provenance = self.provenance(&build());
        self.attest("provenance", "builder", &provenance);
    }

    /// Approves by both people.
    pub(crate) fn approve(&mut self) {
        let approval = self.approval();
        self.approve_as("alice", &approval);
        self.approve_as("bob", &approval);
    }

    /// Approves, or whatever the record says, with a person's key.
    pub(crate) fn approve_as(&mut self, person: &str, approval: &Approval) {
        let statement = statement::approval(&self.release_digest(), approval);
        self.attest(&format!("approval-{person}"), person, &statement);
    }

    /// Signs a statement with a local key and writes it as evidence.
    pub(crate) fn attest(&mut self, name: &str, key_name: &str, statement: &Value) {
        let bundle = self.local(key_name, Content::Statement(statement));
        self.evidence(name, &bundle);
    }

    /// A bundle by a local key.
    pub(crate) fn local(&mut self, key_name: &str, content: Content<'_>) -> Value {
        let made = signed_bundle(content, key(key_name).as_ref());
        self.noted(made)
    }

    /// A bundle by a key, with what the instance that trust names says of it.
    pub(crate) fn managed(
        &mut self,
        key_name: &str,
        content: Content<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Value {
        let made = self.acme.keyed(key(key_name).as_ref(), content, at, parts);
        self.noted(made)
    }

    /// A bundle by a workload, with what the instance that trust names says of it.
    pub(crate) fn keyless(
        &mut self,
        workload: &Workload,
        content: Content<'_>,
        at: Timestamp,
        parts: Parts,
    ) -> Value {
        let made = self.acme.keyless(workload, content, at, parts);
        self.noted(made)
    }

    /// What was made; a failure is noted.
    pub(crate) fn noted<E: std::fmt::Display>(&mut self, made: Result<Value, E>) -> Value {
        made.unwrap_or_else(|error| {
            self.problems.push(error.to_string());
            Value::Null
        })
    }

    /// The provenance of the artifact by this predicate.
    pub(crate) fn provenance(&mut self, predicate: &Value) -> Value {
        let made = statement::provenance(&[artifact_subject()], predicate.clone());
        self.noted(made)
    }

    /// An approval that holds.
    pub(crate) fn approval(&self) -> Approval {
        Approval {
            decision: Word::Approved,
            environment: "production".to_owned(),
            created_at: self.now - TimeDelta::hours(1),
            expires_at: self.now + TimeDelta::hours(23),
            reason: None,
            ticket: None,
            role: None,
            on_behalf_of: None,
        }
    }

    /// Says who wrote the commit, by the key of `source`.
    pub(crate) fn attest_authors(&mut self, key_name: &str, author: &str) {
        let alias = |name: &str| format!("github:{name}").try_into();
        let (Ok(author), Ok(committer)) = (alias(author), alias(author)) else {
            return self.problems.push(format!("`{author}` is no alias"));
        };
        let source = Authorship {
            repository: REPOSITORY.to_owned(),
            commit: COMMIT.to_owned(),
            authors: vec![author],
            committer,
        };
        let statement = statement::attest(&[artifact_subject()], AUTHORSHIP, json!(source));
        self.attest("source", key_name, &statement);
    }

    /// The digest of the release as it is written now, with the manifests that are configured.
    pub(crate) fn release_digest(&mut self) -> ClaimedDigest {
        match self.release() {
            Ok(release) => release.claimed_digest().claim(),
            Err(problem) => {
                self.problems.push(problem);
                Digest::of_bytes(b"").claim()
            }
        }
    }

    fn release(&self) -> Result<Release, String> {
        let source = Source::new("release.yaml", &self.text("release.yaml"));
        let mut release = Release::parse(&source, Path::new("")).map_err(|error| error.to_string())?;
        let manifest = |(path, bytes): (&String, &Vec<u8>)| {
            let below = path.strip_prefix("deploy/")?.to_owned();
            Some(ManifestFile { path: below, shown: path.clone(), bytes: bytes.clone() })
        };
        let manifests: Vec<_> = self.files.iter().filter_map(manifest).collect();
        if !manifests.is_empty() {
            let deployed = Deployed::read(&manifests).map_err(|error| error.to_string())?;
            release.deploy(deployed).map_err(|error| error.to_string())?;
        }
        Ok(release)
    }

    fn text(&self, path: &str) -> String {
        self.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }
}

/// The key of a name: P-256 for `release`, `bob` and those that begin with `p256`, Ed25519 for others.
pub(crate) fn key(name: &str) -> Box<dyn Signs> {
    if matches!(name, "release" | "bob") || name.starts_with("p256") {
        Box::new(P256::named(name))
    } else {
        Box::new(ed25519(name))
    }
}

/// The artifact as a subject.
pub(crate) fn artifact_subject() -> Subject {
    statement::subject(ARTIFACT, &Digest::of_bytes(ARTIFACT_BYTES).claim())
}

/// The release workflow, as GitHub's tokens and Fulcio describe it.
pub(crate) fn workflow() -> Workload {
    let claim = |arc, text: &str| (arc, text.to_owned());
    Workload {
        subject: WORKFLOW.to_owned(),
        issuer: GITHUB.to_owned(),
        claims: vec![
            claim(9, WORKFLOW),
            claim(10, COMMIT),
            claim(11, "github-hosted"),
            claim(12, REPOSITORY),
            claim(13, COMMIT),
            claim(14, REF),
            claim(18, WORKFLOW),
            claim(19, COMMIT),
            claim(20, "push"),
            claim(21, "https://github.com/acme/payments/actions/runs/1/attempts/1"),
            claim(22, "private"),
        ],
    }
}

/// Provenance v1 of the artifact's build, as GitHub's own attestations write it.
pub(crate) fn build() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow":
                {"ref": REF, "repository": REPOSITORY, "path": ".github/workflows/release.yml"}},
            "internalParameters": {"github": {"event_name": "push", "repository_id": "1",
                "repository_owner_id": "2", "runner_environment": "github-hosted"}},
            "resolvedDependencies": [
                {"uri": format!("git+{REPOSITORY}@{REF}"), "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {"invocationId": "https://github.com/acme/payments/actions/runs/1/attempts/1"},
        },
    })
}

/// Provenance v0.2 of the artifact's build, as the SLSA generators write it.
pub(crate) fn build_v02() -> Value {
    let uri = format!("git+{REPOSITORY}@{REF}");
    json!({
        "builder": {"id": BUILDER},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
        "invocation": {
            "configSource": {"uri": uri, "digest": {"sha1": COMMIT}, "entryPoint": ".github/workflows/release.yml"},
            "parameters": {},
            "environment": {"github_actor": "carol", "github_event_name": "push", "github_ref": REF,
                "github_sha1": COMMIT, "github_run_id": "1"},
        },
        "metadata": {"buildInvocationID": "1-1",
            "completeness": {"parameters": true, "environment": false, "materials": false},
            "reproducible": false},
        "materials": [{"uri": uri, "digest": {"sha1": COMMIT}}],
    })
}

const CONFIGURATION: &str = "\
apiVersion: laforge.dev/v1
kind: Config
release: release.yaml
evidence: [evidence/]
trust: trust.yaml
policies: [{path: policies/}]
audit: {log: .laforge/audit, origin: gitops.acme.test/payments/prod, key: env:LAFORGE_AUDIT_KEY}
rollout: {target: payments-prod, strategy: bluegreen, trafficSteps: [20, 80, 100], latencyBudgetMs: 450, errorBudget: 0.02}
";

fn release_text() -> String {
    let digest = |bytes| Digest::of_bytes(bytes);
    format!(
        "\
apiVersion: laforge.dev/v1
kind: Release
metadata: {{name: payments, version: 2.4.0}}
spec:
  environment: production
  source: {{repository: {REPOSITORY}, commit: {COMMIT}, ref: {REF}}}
  artifacts:
    - {{name: {ARTIFACT}, path: artifacts/{ARTIFACT}, digest: \"{}\"}}
  config:
    - {{name: config.yaml, path: artifacts/config.yaml, digest: \"{}\"}}
",
        digest(ARTIFACT_BYTES),
        digest(CONFIG_BYTES),
    )
}

const TRUST: &str = "\
apiVersion: laforge.dev/v1
kind: Trust
sigstore:
  - {name: acme, trustedRoot: trust/acme-root.json}
signers:
  - {name: release-signing, use: artifact, key: trust/release.pub, root: acme}
  - {name: builder, use: attestation, key: trust/builder.pub, root: acme}
people:
  - {name: alice, roles: [release-manager], aliases: {github: alice}, identities: [{key: trust/alice.pub, root: acme}]}
  - {name: bob, roles: [sre], aliases: {github: bob}, identities: [{key: trust/bob.pub, root: acme}]}
builders:
  - {id: \"https://github.com/acme/builders/.github/workflows/build.yml@refs/tags/v3\", level: 3, signer: builder}
";

const POLICY: &str = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {environments: [production]}
  require:
    signatures: {each: artifact, atLeast: 1, from: [release-signing]}
    approvals: {atLeast: 2, roles: {release-manager: 1, sre: 1}, maxAge: 24h}
    provenance: {each: artifact, minLevel: 3, source: https://github.com/acme/payments, ref: \"pattern:refs/tags/v*\", commit: release}
";
