//! The example release: three artifacts, each signed and built with provenance, two approvals.

use std::path::Path;

use chrono::Duration;
use serde_json::{Value, json};

use crate::evidence::predicate::approval::{Approval, Word};
use crate::key::Algorithm;
use crate::key::secret::SecretKey;
use crate::release::Release;
use crate::release::digest::Digest;
use crate::signing::{self, SigningError, statement};
use crate::time::{self, Timestamp};
use crate::yaml::Source;

use super::super::sign::bundle_name;
use super::super::{Exit, Failure, Session};
use super::Trusted;

const ARTIFACTS: [(&str, &str); 3] = [
    ("payments.tar.gz", "the payments service, version 2.4.0\n"),
    ("payments-worker.tar.gz", "the payments worker, version 2.4.0\n"),
    ("sbom.json", "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"components\": []}\n"),
];
const REPOSITORY: &str = "https://github.com/acme/payments";
const COMMIT: &str = "4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081";
const REF: &str = "refs/tags/v2.4.0";
const BUILDER: &str = "https://ci.acme.example/builders/release@v1";
/// How long the example's approvals count.
const LIFETIME: Duration = Duration::days(7);

/// Writes release, artifacts, keys and evidence; says whom to trust.
pub(super) fn write(folder: &Path, environment: &str, session: &Session) -> Result<Trusted, Failure> {
    let release = release_yaml(environment);
    let put = |path: &str, bytes: &[u8]| session.create(&folder.join(path), bytes);
    put("release.yaml", release.as_bytes())?;
    for (name, text) in ARTIFACTS {
        put(&format!("artifacts/{name}"), text.as_bytes())?;
    }
    put("deploy/config.yaml", CONFIG.as_bytes())?;
    put("build.json", format!("{:#}\n", build()).as_bytes())?;
    let keys = Keys::write(folder, session)?;
    let parsed = Release::parse(&Source::new("release.yaml", &release), folder)?;
    let digest = parsed.claimed_digest();
    let evidence = evidence(&keys, digest, environment, time::whole_seconds(session.now()))
        .map_err(|error| Failure::of(Exit::NoDecision, &error))?;
    for (name, bundle) in evidence {
        put(&format!("evidence/{name}"), &bundle)?;
    }
    Ok(keys.trusted())
}

struct Keys {
    release: SecretKey,
    ci: SecretKey,
    alice: SecretKey,
    bob: SecretKey,
}

impl Keys {
    /// Makes the four keys; the secret ones lie in `keys/`, unencrypted, for playing.
    fn write(folder: &Path, session: &Session) -> Result<Self, Failure> {
        let make = |name: &str, algorithm| {
            let failed = |error| Failure::of(Exit::NoDecision, &error as &dyn std::error::Error);
            let key = SecretKey::generate(algorithm).map_err(failed)?;
            let secret = key.to_pem(None).map_err(failed)?;
            session.create_secret(&folder.join(format!("keys/{name}.key")), secret.as_bytes())?;
            session.create(&folder.join(format!("trust/{name}.pub")), key.public().to_pem().as_bytes())?;
            Ok::<_, Failure>(key)
        };
        Ok(Self {
            release: make("release", Algorithm::EcdsaP256)?,
            ci: make("ci", Algorithm::EcdsaP256)?,
            alice: make("alice", Algorithm::Ed25519)?,
            bob: make("bob", Algorithm::EcdsaP256)?,
        })
    }

    fn trusted(&self) -> Trusted {
        Trusted {
            signers: vec![
                json!({"name": "release-signing", "use": "artifact", "key": "trust/release.pub"}),
                json!({"name": "ci", "use": "attestation", "key": "trust/ci.pub"}),
            ],
            people: vec![
                json!({"name": "alice", "roles": ["release-manager"], "aliases": {"github": "alice"}, "identities": [{"key": "trust/alice.pub"}]}),
                json!({"name": "bob", "roles": ["sre"], "aliases": {"github": "bob"}, "identities": [{"key": "trust/bob.pub"}]}),
            ],
            builders: vec![json!({"id": BUILDER, "level": 2, "signer": "ci"})],
        }
    }
}

fn evidence(
    keys: &Keys,
    release: Digest,
    environment: &str,
    now: Timestamp,
) -> Result<Vec<(String, Vec<u8>)>, SigningError> {
    let mut pieces = Vec::new();
    for (name, text) in ARTIFACTS {
        let digest = Digest::of_bytes(text.as_bytes()).claim();
        let provenance = statement::provenance(&[statement::subject(name, &digest)], build())?;
        pieces.push((
            bundle_name("signature", name),
            signing::artifact_bundle(text.as_bytes(), &keys.release)?,
        ));
        pieces.push((bundle_name("provenance", name), signing::statement_bundle(&provenance, &keys.ci)?));
    }
    for (person, key) in [("alice", &keys.alice), ("bob", &keys.bob)] {
        let approval = Approval {
            decision: Word::Approved,
            environment: environment.to_owned(),
            created_at: now,
            expires_at: now + LIFETIME,
            reason: Some("example".to_owned()),
            ticket: None,
            role: None,
            on_behalf_of: None,
        };
        let statement = statement::approval(&release.claim(), &approval);
        pieces.push((bundle_name("approval", person), signing::statement_bundle(&statement, key)?));
    }
    Ok(pieces)
}

fn release_yaml(environment: &str) -> String {
    let mut text = format!(
        "apiVersion: laforge.dev/v1\n\
         kind: Release\n\
         metadata: {{name: payments, version: 2.4.0}}\n\
         spec:\n  environment: {environment}\n  source: {{repository: {REPOSITORY}, commit: {COMMIT}, ref: {REF}}}\n  artifacts:\n"
    );
    let row = |name: &str, path: &str, bytes: &str| {
        format!("    - {{name: {name}, path: {path}, digest: \"{}\"}}\n", Digest::of_bytes(bytes.as_bytes()))
    };
    for (name, bytes) in ARTIFACTS {
        text.push_str(&row(name, &format!("artifacts/{name}"), bytes));
    }
    text.push_str("  config:\n");
    text.push_str(&row("payments-config", "deploy/config.yaml", CONFIG));
    text
}

const CONFIG: &str = "log: info\nworkers: 4\n";

/// The provenance predicate that the example's CI would write: SLSA v1.
fn build() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://laforge.dev/buildtypes/generic/v1",
            "externalParameters": {"repository": REPOSITORY, "ref": REF},
            "internalParameters": {"actor": "carol", "hosted": true},
            "resolvedDependencies": [{"uri": format!("git+{REPOSITORY}@{REF}"), "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {"builder": {"id": BUILDER}, "metadata": {"invocationId": "https://ci.acme.example/runs/1"}},
    })
}
