//! What cosign signs laforge verifies, what laforge signs cosign verifies, and neither takes what is broken.

use std::process::Command;

use serde_json::json;

use super::instance::Instance;
use super::issuer::{CI, OTHER, PEOPLE};
use super::namespace::within;
use super::repository::{ARTIFACT, COMMIT, PROVENANCE, Repository, SIGNATURE, WORKFLOW, job, run};
use super::table::{Row, agree};

const SLSA: &str = "https://slsa.dev/provenance/v1";
const APPROVAL: &str = "https://laforge.dev/attestation/approval/v1";

/// A bundle, what it is about, and who must have signed it.
struct Case<'a> {
    what: &'static str,
    bundle: &'a str,
    /// A file, or a digest.
    subject: &'a str,
    /// Of a statement.
    predicate_type: Option<&'a str>,
    identity: &'a str,
    issuer: &'a str,
}

impl Case<'_> {
    /// Asks both.
    fn judged(&self, repository: &Repository, instance: &Instance<'_>) -> Row {
        let root = repository.path("trust/acme-root.json").display().to_string();
        let who = ["--certificate-identity", self.identity, "--certificate-oidc-issuer", self.issuer];
        let rest = ["--bundle", self.bundle, "--trusted-root", &root];
        let laforge =
            repository.laforge(&[&["verify-bundle"], &who[..], &rest[..], &[self.subject]].concat());
        assert!([0, 10].contains(&laforge.code), "{}: {}", self.what, laforge.stderr);
        let mut cosign = instance.parts.command("cosign");
        cosign.current_dir(repository.path(".")).arg(match self.predicate_type {
            Some(_) => "verify-blob-attestation",
            None => "verify-blob",
        });
        cosign.args(who).args(rest).args(self.predicate_type.iter().flat_map(|kind| ["--type", *kind]));
        match self.subject.strip_prefix("sha256:") {
            Some(digest) => cosign.args(["--digestAlg", "sha256", "--digest", digest]),
            None => cosign.arg(self.subject),
        };
        Row {
            what: self.what,
            by: self.identity.to_owned(),
            laforge: laforge.code == 0,
            cosign: run(&mut cosign).code == 0,
        }
    }
}

fn message<'a>(what: &'static str, bundle: &'a str, identity: &'a str) -> Case<'a> {
    Case { what, bundle, subject: ARTIFACT, predicate_type: None, identity, issuer: PEOPLE }
}

#[test]
fn laforge_and_cosign_agree_on_what_laforge_signs() {
    within("either_way::laforge_and_cosign_agree_on_what_laforge_signs", |parts| {
        let instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        repository.sign_all(&instance);
        repository.write("other", b"other bytes");
        let digest = release_digest(&repository);
        let (signature, ci) = (message("artifact", SIGNATURE, "release@acme.test"), |what| Case {
            predicate_type: Some(SLSA),
            identity: WORKFLOW,
            issuer: CI,
            ..message(what, PROVENANCE, "")
        });
        let approval = |what, bundle, identity| Case {
            subject: digest.as_str(),
            predicate_type: Some(APPROVAL),
            ..message(what, bundle, identity)
        };
        let rows = [
            signature,
            ci("provenance"),
            approval("approval", "evidence/approval-alice.sigstore.json", "alice@acme.test"),
            approval("approval", "evidence/approval-bob.sigstore.json", "bob@acme.test"),
        ]
        .map(|case| case.judged(&repository, &instance));
        agree("laforge signed", &rows);
        assert!(rows.iter().all(|row| row.laforge));
        let broken = broken(&repository);
        let wrong = [
            message("artifact, wanted of somebody else", SIGNATURE, "alice@acme.test"),
            Case {
                issuer: OTHER,
                ..message("artifact, wanted of another issuer", SIGNATURE, "release@acme.test")
            },
            Case { subject: "other", ..message("artifact, other bytes", SIGNATURE, "release@acme.test") },
            Case { subject: "other", ..ci("provenance of other bytes") },
            message("artifact, log entry stripped", &broken[0], "release@acme.test"),
            message("artifact, time stamp of another", &broken[1], "release@acme.test"),
            message("artifact, no time stamp", &broken[2], "release@acme.test"),
            message("artifact, log entry of another", &broken[3], "release@acme.test"),
        ]
        .map(|case| case.judged(&repository, &instance));
        agree("laforge signed, and it was changed or asked for wrongly", &wrong);
        assert!(wrong.iter().all(|row| !row.laforge));
    });
}

#[test]
fn laforge_and_cosign_agree_on_what_cosign_signs() {
    within("either_way::laforge_and_cosign_agree_on_what_cosign_signs", |parts| {
        let instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        repository.sign_all(&instance);
        let release = instance.issuer.person(PEOPLE, "release@acme.test");
        cosign(&repository, &instance, &release, &["sign-blob", "--bundle", SIGNATURE, ARTIFACT]);
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": SLSA,
            "subject": [{"name": "payments.tar.gz", "digest": {"sha256": artifact_digest(&repository)}}],
            "predicate": super::repository::predicate()});
        repository.write("statement.json", statement.to_string().as_bytes());
        let ci = instance.issuer.token(CI, &job(COMMIT, "github-hosted"));
        let attest = ["attest-blob", "--statement", "statement.json", "--bundle", PROVENANCE];
        cosign(&repository, &instance, &ci, &attest);
        let provenance = Case {
            predicate_type: Some(SLSA),
            identity: WORKFLOW,
            issuer: CI,
            ..message("provenance", PROVENANCE, "")
        };
        let rows = [message("artifact", SIGNATURE, "release@acme.test"), provenance]
            .map(|case| case.judged(&repository, &instance));
        agree("cosign signed", &rows);
        assert!(rows.iter().all(|row| row.laforge));
        // The gate takes them in the place of laforge's own.
        repository.laforge(&["deploy", "--audit-init", "-o", "plan.json"]).ends(0);
    });
}

/// Copies of the signature's bundle, each broken in one way.
fn broken(repository: &Repository) -> [String; 4] {
    let other = repository.json("evidence/approval-alice.sigstore.json");
    let ways = ["stripped", "stamp", "unstamped", "entry"].map(|way| format!("{way}.sigstore.json"));
    for (way, name) in ways.iter().enumerate() {
        let mut bundle = repository.json(SIGNATURE);
        let material = &mut bundle["verificationMaterial"];
        match way {
            0 => material["tlogEntries"] = json!([]),
            1 => {
                material["timestampVerificationData"] =
                    other["verificationMaterial"]["timestampVerificationData"].clone();
            }
            2 => material["timestampVerificationData"] = json!({}),
            _ => material["tlogEntries"] = other["verificationMaterial"]["tlogEntries"].clone(),
        }
        repository.write(name, bundle.to_string().as_bytes());
    }
    ways
}

#[track_caller]
fn cosign(repository: &Repository, instance: &Instance<'_>, token: &str, arguments: &[&str]) {
    let bundle = arguments.iter().position(|it| *it == "--bundle").map(|at| arguments[at + 1]).unwrap();
    let _ = std::fs::remove_file(repository.path(bundle));
    let mut cosign: Command = instance.parts.command("cosign");
    // Of a token's text it takes RS256 alone; out of a file any.
    repository.write("token", token.as_bytes());
    cosign.current_dir(repository.path(".")).args(arguments).args(instance.flags("token")).arg("--yes");
    run(&mut cosign).ends(0);
}

fn artifact_digest(repository: &Repository) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(std::fs::read(repository.path(ARTIFACT)).unwrap()))
}

/// What the approvals are about, as the statement of one of them says.
fn release_digest(repository: &Repository) -> String {
    use base64::Engine as _;
    let bundle = repository.json("evidence/approval-alice.sigstore.json");
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap())
}
