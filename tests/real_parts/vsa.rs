//! The summary that `deploy` writes, read by programs that know nothing of laforge: cosign holds its signature, its
//! type and its subjects, and in-toto's own types hold what it says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::parts::{self, Parts};
use super::repository::{Run, run};

const FORMATS: [(&str, &str); 2] =
    [("vsa", "https://slsa.dev/verification_summary/v1"), ("svr", "https://in-toto.io/attestation/svr/v0.2")];
const ARTIFACTS: [&str; 3] =
    ["artifacts/payments-worker.tar.gz", "artifacts/payments.tar.gz", "artifacts/sbom.json"];

/// The example, allowed, with a summary of each format; and the plan that came of it.
fn summarised() -> (TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let laforge = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_laforge"));
        command
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path().join(".cache"));
        run(&mut command).ends(0)
    };
    laforge(&["init", ".", "--example"]);
    for key in ["keys/vsa", "keys/other"] {
        laforge(&["keygen", "--use", "vsa", "-o", key, "--insecure-unencrypted"]);
    }
    let mut plan = Value::Null;
    for (format, _) in FORMATS {
        let summary = format!("{format}.sigstore.json");
        let how =
            ["--require-signed", "--vsa-format", format, "--vsa-key", "keys/vsa.key", "--vsa", &summary];
        plan = serde_json::from_str(&laforge(&[&["deploy"], &how[..]].concat()).stdout).unwrap();
    }
    (folder, plan)
}

/// What cosign says of a summary: for this key, of this type, about this artifact.
fn cosign(parts: &Parts, folder: &Path, format: &str, key: &str, kind: &str, artifact: &str) -> Run {
    let bundle = format!("{format}.sigstore.json");
    let mut cosign = parts.command("cosign");
    // The key is a managed one: neither a log nor an authority vouches for when it signed.
    cosign.args(["verify-blob-attestation", "--insecure-ignore-tlog", "--bundle", &bundle]);
    run(cosign.args(["--key", key, "--type", kind, artifact]).current_dir(folder))
}

#[test]
fn cosign_takes_a_summary_for_its_key_its_type_and_its_artifacts_alone() {
    let Some(parts) = parts::found() else { return };
    let (folder, _) = summarised();
    for (format, kind) in FORMATS {
        let ask = |key: &str, kind: &str, artifact: &str| {
            cosign(&parts, folder.path(), format, key, kind, artifact)
        };
        for artifact in ARTIFACTS {
            ask("keys/vsa.pub", kind, artifact).ends(0);
        }
        ask("keys/vsa.pub", "https://slsa.dev/provenance/v1", ARTIFACTS[0]).ends(1).says("predicate type");
        ask("keys/vsa.pub", kind, "laforge.yaml").ends(1).says("do not match digests in statement");
        ask("keys/other.pub", kind, ARTIFACTS[0]).ends(1).says("failed to verify signature");
    }
}

/// What in-toto's types make of the statement in a summary.
fn read_by_in_toto(folder: &Path, format: &str) -> Option<Value> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/summaries/build");
    let place = run(Command::new(build).arg("--where")).ends(0).stdout;
    let reader = PathBuf::from(place.trim()).join("summary-reader");
    if !reader.is_file() {
        parts::skip("no reader of summaries is built (tests/parts/summaries/build)");
        return None;
    }
    let bundle = fs::read(folder.join(format!("{format}.sigstore.json"))).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let statement = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let mut child = Command::new(reader)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&statement).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn in_totos_own_types_read_in_a_summary_what_the_gate_decided() {
    let (folder, plan) = summarised();
    let Some(mut vsa) = read_by_in_toto(folder.path(), "vsa") else { return };
    let core = &plan["plan"];
    let verifier = format!("https://{}", plan["auditEntry"]["origin"].as_str().unwrap());
    let subjects = core["subject"].as_array().unwrap().iter();
    let subjects: Vec<&Value> =
        subjects.filter(|it| it["role"] == "candidate").map(|it| &it["digest"]).collect();
    let predicate = vsa["predicate"].as_object_mut().unwrap();
    let time = predicate.remove("timeVerified").unwrap();
    // Three signatures, three provenances, two approvals.
    assert_eq!(predicate.remove("inputAttestations").unwrap().as_array().unwrap().len(), 8);
    assert_eq!(
        vsa,
        json!({
            "predicateType": FORMATS[0].1,
            "subjects": subjects,
            "predicate": {
                "verifier": {"id": verifier},
                "resourceUri": "laforge:production/payments@2.4.0",
                "policy": {
                    "uri": "laforge:policy-sets/baseline@1+flags@0",
                    "digest": bare(&core["verification"]["policyDigest"]),
                },
                "verificationResult": "PASSED",
                "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
                "slsaVersion": "1.0",
            },
            "unknown": ["https://laforge.dev/audit-entry/v1"],
        })
    );
    let svr = read_by_in_toto(folder.path(), "svr").unwrap();
    assert_eq!(
        svr,
        json!({
            "predicateType": FORMATS[1].1,
            "subjects": subjects,
            "predicate": {
                "verifier": {"id": verifier},
                "timeCreated": time,
                "properties": ["SLSA_BUILD_LEVEL_2", "LAFORGE_RELEASE_ALLOWED"],
            },
            "unknown": ["https://laforge.dev/audit-entry/v1"],
        })
    );
}

/// A digest as in-toto writes it.
fn bare(digest: &Value) -> Value {
    json!({"sha256": digest.as_str().unwrap().trim_start_matches("sha256:")})
}
