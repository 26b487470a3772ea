//! Provenance through the gate: `laforge verify` with a release, a trust file and a policy made of what a case
//! demands. What a case names by digest alone is allowed by digest: the demand is on its provenance.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use laforge::release::digest::Digest;
use serde_json::{Value, json};

use super::{Case, Verdict};
use crate::example::run_in;

const NOW: &str = "2026-11-24T12:00:00Z";
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// What slsa-verifier calls a runner that GitHub hosts, whatever the predicate calls its builder.
const HOSTED: &str = "https://github.com/actions/runner/github-hosted";

/// What a run of the gate is made of.
struct Ask {
    trust: Value,
    expectations: Value,
    /// The artifact's bytes, or its digest.
    artifact: Result<Vec<u8>, String>,
    evidence: Vec<u8>,
    /// More files, by name.
    files: Vec<(String, Vec<u8>)>,
}

impl Ask {
    fn run(self) -> Result<Verdict, String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let artifact = match &self.artifact {
            Ok(bytes) => {
                write("artifact", bytes);
                json!({"name": "artifact", "path": "artifact", "digest": Digest::of_bytes(bytes).to_string()})
            }
            Err(digest) => json!({"name": "artifact", "digest": digest}),
        };
        let document = |kind: &str, members: Value| {
            let mut document = json!({"apiVersion": "laforge.dev/v1", "kind": kind});
            document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            document.to_string().into_bytes() // JSON is YAML
        };
        let source = json!({"repository": "https://example.com/a", "commit": "ab".repeat(20), "ref": "refs/heads/main"});
        let spec = json!({"environment": "production", "source": source, "artifacts": [artifact]});
        let release = json!({"metadata": {"name": "corpus", "version": "1"}, "spec": spec});
        write("release.yaml", &document("Release", release));
        write("trust.yaml", &document("Trust", self.trust));
        let spec = json!({"artifacts": {"byDigest": "allow"}, "require": {"provenance": self.expectations}});
        let policy = json!({"metadata": {"name": "corpus"}, "spec": spec});
        write("policies/corpus.yaml", &document("Policy", policy));
        write("evidence/evidence.json", &self.evidence);
        for (name, bytes) in &self.files {
            write(name, bytes);
        }
        judged(folder.path())
    }
}

fn judged(folder: &Path) -> Result<Verdict, String> {
    let run = run_in(
        folder,
        &[
            "verify",
            "--release",
            "release.yaml",
            "--trust",
            "trust.yaml",
            "--policy",
            "policies",
            "--evidence",
            "evidence",
            "--now",
            NOW,
            "--report",
            "json",
        ],
    );
    match run.code {
        0 => Ok(Verdict::Pass),
        10 => {
            let report: Value = serde_json::from_str(&run.stdout).map_err(|error| error.to_string())?;
            Ok(Verdict::Fail(format!("{}\nset aside: {}", run.stderr, report["setAside"])))
        }
        // A policy that asks for a builder whom trust does not name is refused before anything is judged.
        2 if run.stderr.contains("trust names no builder") => Ok(Verdict::Fail(run.stderr)),
        code => Err(format!("exit {code}: {}", run.stderr)),
    }
}

fn artifact(case: &Case<'_>) -> Result<Vec<u8>, String> {
    match case.path("artifact") {
        Some(path) => Ok(fs::read(path).unwrap()),
        None => Err(case.file("digest").unwrap().to_owned()),
    }
}

/// The builder that a bundle's predicate names: what an operator would write down after looking at it.
fn builder_of(bundle: &Value) -> Option<String> {
    let payload = bundle["dsseEnvelope"]["payload"].as_str()?;
    let statement = base64::engine::general_purpose::STANDARD.decode(payload).ok()?;
    let statement: Value = serde_json::from_slice(&statement).ok()?;
    let id = statement.pointer("/predicate/runDetails/builder/id");
    id.or_else(|| statement.pointer("/predicate/builder/id"))?.as_str().map(str::to_owned)
}

/// What a policy would say to a case's demands.
fn expectations(case: &Case<'_>) -> Value {
    let mut expectations = json!({});
    let mut expect = |name: &str, text: String| expectations[name] = json!(text);
    if let Some(source) = case.demand("source_repository") {
        expect("source", source.to_owned());
    }
    if case.demand("builder_id") == Some(HOSTED) {
        expect("hostedRunner", "required".to_owned());
    } else if let Some(builder) = case.demand("builder_id") {
        let at = if builder.contains(".github/workflows/") { "@**" } else { "**" };
        expect("builder", format!("pattern:{builder}{at}"));
    }
    if let Some(tag) = case.demand("tag") {
        expect("ref", format!("refs/tags/{tag}"));
    }
    if let Some(branch) = case.demand("branch") {
        expect("ref", format!("refs/heads/{branch}"));
    }
    if let Some(version) = case.demand("versioned_tag") {
        let whole = version.matches('.').count() == 2;
        let tag =
            if whole { format!("refs/tags/{version}") } else { format!("pattern:refs/tags/{version}.*") };
        expect("ref", tag);
    }
    expectations
}

/// A bundle by the identity that the case names.
pub(super) fn bundle(case: &Case<'_>) -> Result<Verdict, String> {
    let evidence = case.bytes("bundle");
    let identity = case.said("identity").unwrap();
    if case.demand("signer_repository").is_some_and(|wanted| !identity.starts_with(&format!("{wanted}/"))) {
        return Ok(Verdict::Fail("the signer is of another repository".to_owned()));
    }
    let value: Value = serde_json::from_slice(&evidence).map_err(|error| error.to_string())?;
    let identity = json!({"root": "r", "issuer": case.said("issuer").unwrap(), "subject": identity});
    let trust = json!({
        "sigstore": [{"name": "r", "trustedRoot": "root.json"}],
        "signers": [{"name": "ci", "use": "attestation", "identity": identity}],
        "builders": [{"id": builder_of(&value).ok_or("no builder")?, "level": 3, "signer": "ci"}],
    });
    let files = vec![("root.json".to_owned(), case.bytes("trusted_root"))];
    Ask { trust, expectations: expectations(case), artifact: artifact(case), evidence, files }.run()
}

/// The provenance of an npm package, by any workflow on GitHub.
pub(super) fn npm(case: &Case<'_>) -> Result<Verdict, String> {
    let evidence = case.bytes("attestations");
    let value: Value = serde_json::from_slice(&evidence).map_err(|error| error.to_string())?;
    let bundles = value["attestations"].as_array().into_iter().flatten();
    let ids = bundles.filter_map(|attestation| builder_of(&attestation["bundle"]));
    let builders: Vec<Value> = ids.map(|id| json!({"id": id, "level": 2, "signer": "ci"})).collect();
    let identity = json!({"root": "r", "issuer": GITHUB, "subject": "pattern:https://github.com/**"});
    let trust = json!({
        "sigstore": [{"name": "r", "trustedRoot": "root.json"}],
        "signers": [{"name": "ci", "use": "attestation", "identity": identity}],
        "builders": builders,
    });
    let files = vec![("root.json".to_owned(), case.bytes("trusted_root"))];
    Ask { trust, expectations: expectations(case), artifact: artifact(case), evidence, files }.run()
}

/// An envelope whose log entry would have to be looked up: nobody trusts its key, and no time is proved.
pub(super) fn without_a_log_entry(case: &Case<'_>) -> Result<Verdict, String> {
    let subject = case.said("identity").unwrap_or("pattern:https://github.com/slsa-framework/**");
    let trust = json!({
        "signers": [{"name": "ci", "use": "attestation", "identity": {"issuer": GITHUB, "subject": subject}}],
        "builders": [{"id": case.said("identity").unwrap_or("https://builder.example"), "level": 3, "signer": "ci"}],
    });
    let evidence = case.bytes("envelope");
    let digest = case.file("digest").map_or_else(|| Digest::of_bytes(b"any").to_string(), str::to_owned);
    let artifact = Err(digest);
    let verdict = Ask { trust, expectations: json!({}), artifact, evidence, files: Vec::new() }.run()?;
    match &verdict {
        Verdict::Fail(reason) if !reason.contains("\"reason\"") => {
            Err(format!("no reason is given: {reason}"))
        }
        _ => Ok(verdict),
    }
}

/// Google's keys, of which the older ones sign payloads as they are.
fn google_signers(folder: &Path) -> (Vec<Value>, Vec<(String, Vec<u8>)>) {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_by_key(|name| (!name.ends_with("_1.key.pem"), name.clone()));
    let (mut signers, mut files): (Vec<Value>, Vec<(String, Vec<u8>)>) = (Vec::new(), Vec::new());
    for name in names {
        let bytes = fs::read(folder.join(&name)).unwrap();
        let pem: Vec<u8> = bytes.trim_ascii().to_vec();
        if files.iter().any(|(_, known)| known.trim_ascii() == pem) {
            continue; // one key under two names
        }
        let stem = name.trim_end_matches(".key.pem");
        let (location, key, raw) = match stem.strip_prefix("global-pae") {
            Some(rest) => ("global", rest.trim_start_matches('-').trim_end_matches("_1"), false),
            None => (stem, "builtByGCB", true),
        };
        let key = if key.is_empty() { "provenanceSigner" } else { key };
        let key_id = format!(
            "projects/verified-builder/locations/{location}/keyRings/attestor/cryptoKeys/{key}/cryptoKeyVersions/1"
        );
        let types = ["https://slsa.dev/provenance/v0.1", "https://slsa.dev/provenance/v1"];
        signers.push(json!({
            "name": stem, "use": "attestation", "key": format!("keys/{name}"), "keyId": key_id,
            "rawPayload": raw, "predicateTypes": types,
        }));
        files.push((format!("keys/{name}"), bytes));
    }
    (signers, files)
}

/// A description of an image, whose digest is the case's or its own.
pub(super) fn google(case: &Case<'_>) -> Result<Verdict, String> {
    google_with(case, expectations(case))
}

fn google_with(case: &Case<'_>, expectations: Value) -> Result<Verdict, String> {
    let evidence = case.bytes("provenance");
    let described = || {
        let value: Value = serde_json::from_slice(&evidence).ok()?;
        value["image_summary"]["digest"].as_str().map(str::to_owned)
    };
    let digest = case.file("digest").map(str::to_owned).or_else(described);
    let (signers, files) = google_signers(&case.path("key").unwrap());
    let ids = ["", "@v0.1", "@v0.2", "@v0.3"];
    let builders = signers.iter().flat_map(|signer| {
        let id = |version: &str| format!("https://cloudbuild.googleapis.com/GoogleHostedWorker{version}");
        ids.iter().map(move |version| json!({"id": id(version), "level": 2, "signer": signer["name"]}))
    });
    let trust = json!({"signers": signers, "builders": builders.collect::<Vec<_>>()});
    Ask { trust, expectations, artifact: Err(digest.ok_or("no digest")?), evidence, files }.run()
}

#[test]
fn google_s_signatures_hold_in_either_form_and_only_under_the_key_that_they_name() {
    let Some(folder) = super::corpus() else { return };
    let cases = super::read(&folder.join("cases.json"));
    // Their demands name another repository than they are of; their signatures are what they are for.
    for id in ["gcb-unit-v1.0-github-v1.0-valid", "gcb-unit-global-pae-signing-key-successful"] {
        let case = cases.iter().find(|case| case["id"] == id).unwrap();
        let verdict = google_with(&Case { folder: &folder, case }, json!({})).unwrap();
        assert_eq!(verdict.word(), "pass", "{id}: {}", verdict.reason());
    }
}
