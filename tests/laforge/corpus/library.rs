//! What no verb reaches: the functions that the gate judges with, called as it calls them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use laforge::evidence::attestation::{Attestation, Authenticated, Authenticator};
use laforge::evidence::bundle::instance::Instance;
use laforge::evidence::predicate::provenance::{self, Provenance};
use laforge::evidence::predicate::vsa::{VerificationResult, VerificationSummary, is_met};
use laforge::evidence::statement::Statement;
use laforge::evidence::{Evidence, EvidenceSource as _, pack};
use laforge::release::Release;
use laforge::release::digest::{Algorithms, ArtifactDigest, Digest};
use laforge::release::resolved::{Resolution, ResolvedRelease};
use laforge::source::directory::{EvidenceFolders, Files};
use laforge::source::oci::Registries;
use laforge::trust::TrustRoot;
use laforge::yaml::Source;
use serde_json::{Value, json};

use super::npm::Publish;
use super::{Case, Verdict, npm};

/// A release that no case is about.
fn release(folder: &Path) -> ResolvedRelease {
    fs::write(folder.join("app"), b"app").unwrap();
    let digest = Digest::of_bytes(b"app");
    let text = format!(
        "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: corpus, version: '1'}}\nspec:\n  environment: \
         production\n  source: {{repository: https://example.com/a, commit: {}, ref: refs/heads/main}}\n  artifacts: \
         [{{name: app, path: app, digest: '{digest}'}}]\n",
        "ab".repeat(20)
    );
    let release = Release::parse(&Source::new("release.yaml", &text), folder).unwrap();
    match release.resolve(&Files::new(Algorithms::Sha256), &Registries::offline()).unwrap() {
        Resolution::Matches(release) => release,
        Resolution::Differs(_) => unreachable!("it was just hashed"),
    }
}

/// Who signed, under a trust file with these members whose files are at hand.
fn authenticated(evidence: &[u8], trust: &Value, files: &[(&str, Vec<u8>)]) -> Result<Attestation, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut document = json!({"apiVersion": "laforge.dev/v1", "kind": "Trust"});
    document.as_object_mut().unwrap().extend(trust.as_object().unwrap().clone());
    let mut read = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = files.iter().find(|(known, _)| *known == name);
        file.map(|(_, bytes)| bytes.clone()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let source = Source::new("trust.yaml", &document.to_string());
    let trust = TrustRoot::load(&source, &mut read, Path::new("")).map_err(|error| error.to_string())?;
    let evidence = Evidence::parse("corpus", evidence.to_vec()).map_err(|error| error.to_string())?;
    let now = laforge::time::parse("2026-11-24T12:00:00Z").unwrap();
    match Authenticator::new(&trust).authenticate(&evidence, &release(folder.path()), now) {
        Ok(Authenticated::Statement(attestation)) => Ok(attestation),
        Ok(Authenticated::Artifact(_)) => Err("not a statement".to_owned()),
        Err(rejection) => Err(rejection.to_string()),
    }
}

fn unpacked(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let unpacked = pack::unpack(bytes).ok_or("no pack")?;
    unpacked.pieces.into_iter().map(|piece| piece.map_err(|error| error.to_string())).collect()
}

/// Whether a statement is about these bytes, and about no others by a second digest.
fn is_about(statement: &Statement, artifact: &ArtifactDigest) -> bool {
    let (sha256, sha512) = (artifact.digest().hex(), artifact.sha512_hex().unwrap());
    statement.subject.iter().any(|subject| {
        let (one, other) = (subject.digest.get("sha256"), subject.digest.get("sha512"));
        (one.is_some() || other.is_some())
            && one.is_none_or(|hex| *hex == sha256)
            && other.is_none_or(|hex| *hex == sha512)
    })
}

/// The registry's and the builder's word on one package: both, each by its own signer.
pub(super) fn npm(case: &Case<'_>) -> Result<Verdict, String> {
    Ok(Verdict::of(npm_holds(case)))
}

fn npm_holds(case: &Case<'_>) -> Result<(), String> {
    let keys: Value = serde_json::from_slice(&case.bytes("key")).unwrap();
    let mut files = vec![("root.json", case.bytes("trusted_root"))];
    let names = ["npm-0.pub", "npm-1.pub", "npm-2.pub", "npm-3.pub"];
    let attesting =
        keys["keys"].as_array().unwrap().iter().filter(|key| key["keyUsage"] == "npm:attestations");
    let mut signers = vec![json!({"name": "ci", "use": "attestation", "identity": {
        "root": "r", "issuer": "https://token.actions.githubusercontent.com", "subject": "pattern:https://github.com/**",
    }})];
    for (key, name) in attesting.zip(names) {
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            key["publicKey"]["rawBytes"].as_str().unwrap()
        );
        files.push((name, pem.into_bytes()));
        let mut signer = json!({
            "name": name, "use": "attestation", "key": name, "root": "r", "keyId": key["keyId"],
            "predicateTypes": [npm::TYPE],
        });
        for (member, bound) in [("validFrom", "start"), ("validUntil", "end")] {
            if let Some(at) = key["publicKey"]["validFor"].get(bound) {
                signer[member] = at.clone();
            }
        }
        signers.push(signer);
    }
    let trust = json!({"sigstore": [{"name": "r", "trustedRoot": "root.json"}], "signers": signers});
    let package = case.demand("package").unwrap();
    let (mut published, mut built) = (false, false);
    for piece in unpacked(&case.bytes("attestations"))? {
        let attestation = authenticated(&piece, &trust, &files)?;
        let statement = attestation.statement();
        let names = |subject: &laforge::evidence::statement::Subject| {
            subject.name.as_deref() == Some(package)
                && match case.path("artifact") {
                    Some(path) => {
                        let bytes = fs::read(path).unwrap();
                        is_about(statement, &ArtifactDigest::of(&bytes, Algorithms::Sha2))
                    }
                    None => {
                        subject.digest.get("sha512").map(String::as_str)
                            == case.file("digest").unwrap().strip_prefix("sha512:")
                    }
                }
        };
        if !statement.subject.iter().all(names) {
            return Err(format!("another package: {:?}", statement.subject));
        }
        if statement.predicate_type == npm::TYPE {
            Publish::read(statement)?;
            published = true;
        } else if let Some(version) = provenance::version(&statement.predicate_type) {
            Provenance::read(version, &statement.predicate).map_err(|error| error.to_string())?;
            built = true;
        } else {
            return Err(format!("`{}` is neither", statement.predicate_type));
        }
    }
    if published && built { Ok(()) } else { Err("one of the two is missing".to_owned()) }
}

/// What a file's publisher signed, by the workflow that the case names.
pub(super) fn pypi(case: &Case<'_>) -> Verdict {
    Verdict::of(pypi_holds(case))
}

fn pypi_holds(case: &Case<'_>) -> Result<(), String> {
    let said = |name: &str| case.case["publisher"][name].as_str();
    let identity = match (said("repository"), said("workflow")) {
        (Some(repository), Some(workflow)) => json!({
            "root": "r", "issuer": "https://token.actions.githubusercontent.com",
            "subject": format!("pattern:https://github.com/{repository}/.github/workflows/{workflow}@**"),
        }),
        // The one case without a publisher was signed by hand, with the identity that its certificate names.
        _ => {
            json!({"root": "r", "issuer": "https://github.com/login/oauth", "subject": "william@yossarian.net"})
        }
    };
    let trust = json!({
        "sigstore": [{"name": "r", "trustedRoot": "root.json"}],
        "signers": [{"name": "publisher", "use": "attestation", "identity": identity}],
    });
    let files = [("root.json", case.bytes("trusted_root"))];
    let role = if case.file("attestations").is_some() { "attestations" } else { "provenance" };
    for piece in unpacked(&case.bytes(role))? {
        let attestation = authenticated(&piece, &trust, &files)?;
        let is_ours = match case.path("artifact") {
            Some(path) => {
                let bytes = fs::read(path).unwrap();
                is_about(attestation.statement(), &ArtifactDigest::of(&bytes, Algorithms::Sha2))
            }
            None => attestation.statement().subject.iter().any(|subject| {
                subject.digest.get("sha256").map(String::as_str)
                    == case.file("digest").unwrap().strip_prefix("sha256:")
            }),
        };
        if !is_ours {
            return Err(format!("another file: {:?}", attestation.statement().subject));
        }
    }
    Ok(())
}

/// An approval in another program's format, by an SSH key: it is no approval of a release here, whatever it says.
pub(super) fn foreign_approval(case: &Case<'_>) -> Verdict {
    let trust =
        json!({"people": [{"name": "app", "roles": ["reviewer"], "identities": [{"key": "key.pub"}]}]});
    let files = [("key.pub", case.bytes("key"))];
    let by_its_key = authenticated(&case.bytes("envelope"), &trust, &files);
    let by_nobody = authenticated(&case.bytes("envelope"), &json!({}), &[]);
    Verdict::of(by_its_key.or(by_nobody))
}

/// A verification summary by the key, and under the name of it, that the case names.
pub(super) fn summary(case: &Case<'_>) -> Verdict {
    Verdict::of(summary_holds(case))
}

fn summary_holds(case: &Case<'_>) -> Result<(), String> {
    let signer =
        json!({"name": "verifier", "use": "vsa", "key": "key.pub", "keyId": case.demand("key_id").unwrap()});
    let files = [("key.pub", case.bytes("key"))];
    let attestation = authenticated(&case.bytes("envelope"), &json!({"signers": [signer]}), &files)?;
    let statement = attestation.statement();
    let summary = VerificationSummary::read(&statement.predicate).map_err(|error| error.to_string())?;
    let list = |name: &str| case.case["policy"][name].as_array().cloned().unwrap_or_default();
    let digests = list("subject_digests");
    let names = |digest: &Value| {
        let (algorithm, text) = digest.as_str().unwrap().split_once(':').unwrap();
        statement.subject.iter().any(|subject| subject.digest.get(algorithm).is_some_and(|it| it == text))
    };
    if digests.is_empty() || !digests.iter().all(names) {
        return Err("another subject, or none".to_owned());
    }
    if Some(summary.verifier.id.as_str()) != case.demand("verifier_id") {
        return Err("another verifier".to_owned());
    }
    if Some(summary.resource_uri.as_str()) != case.demand("resource_uri") {
        return Err("another resource".to_owned());
    }
    let levels = list("verified_levels");
    let meets = |wanted: &str| summary.verified_levels.iter().any(|met| is_met(met, wanted));
    if summary.verification_result != VerificationResult::Passed {
        return Err("it failed".to_owned());
    }
    let missing = levels.iter().find(|level| !meets(level.as_str().unwrap()));
    missing.map_or(Ok(()), |level| Err(format!("{level} is not met")))
}

/// A DSSE envelope by a managed key.
pub(super) fn keyed(case: &Case<'_>) -> Verdict {
    let trust = json!({"signers": [{"name": "signer", "use": "attestation", "key": "key.pub"}]});
    let files = [("key.pub", case.bytes("key"))];
    Verdict::of(authenticated(&case.bytes("envelope"), &trust, &files))
}

/// A statement, and its predicate where it is provenance.
pub(super) fn statement(case: &Case<'_>) -> Verdict {
    let statement = match Statement::read(&case.bytes("statement")) {
        Ok(statement) => statement,
        Err(unreadable) => return Verdict::Fail(unreadable.to_string()),
    };
    match provenance::version(&statement.predicate_type) {
        Some(version) => Verdict::of(Provenance::read(version, &statement.predicate)),
        None => Verdict::Pass,
    }
}

/// A provenance predicate on its own.
pub(super) fn predicate(case: &Case<'_>) -> Verdict {
    let value: Value = serde_json::from_slice(&case.bytes("vector")).unwrap();
    Verdict::of(Provenance::read(provenance::V1, &value))
}

/// A resource descriptor, as the subject of a statement.
pub(super) fn descriptor(case: &Case<'_>) -> Verdict {
    let descriptor: Value = serde_json::from_slice(&case.bytes("vector")).unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "subject": [descriptor], "predicateType": "https://x",
        "predicate": {},
    });
    Verdict::of(Statement::read(statement.to_string().as_bytes()))
}

/// JSON lines of which one is broken: the rest is read, and the broken one told of.
pub(super) fn lines(case: &Case<'_>) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let gathered =
        EvidenceFolders::read(&[case.path("attestations").unwrap()]).gather(&release(folder.path()));
    let text = String::from_utf8(case.bytes("attestations")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    match (gathered.found.len(), gathered.unreadable.len()) {
        (read, 1) if read + 1 == lines && read > 0 => Verdict::Pass,
        (read, broken) => {
            Verdict::Fail(format!("{read} of {lines} read, {broken} broken: {:?}", gathered.unreadable))
        }
    }
}

/// A trusted root, or what a client is configured with, for the root in it; and where a log's key can't be used,
/// a bundle that needs it must not hold.
pub(super) fn root(case: &Case<'_>) -> Verdict {
    Verdict::of(Instance::prepare(&case.bytes("vector")))
}

#[test]
fn a_foreign_approval_is_refused_for_what_it_is() {
    let Some(folder) = super::corpus() else { return };
    let cases = super::read(&folder.join("cases.json"));
    let case = cases.iter().find(|case| case["id"] == "appr-one-approver-2").unwrap();
    let verdict = foreign_approval(&Case { folder: &folder, case });
    assert!(verdict.reason().contains("application/vnd.gittuf+json"), "{}", verdict.reason());
    let statement = json!({"type": "https://in-toto.io/Statement/v1", "predicate_type": "x", "subject": []});
    let payload = base64::engine::general_purpose::STANDARD.encode(statement.to_string());
    let renamed = json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [{"sig": "AA=="}]});
    assert!(authenticated(renamed.to_string().as_bytes(), &json!({}), &[]).unwrap_err().contains("_type"));
}
