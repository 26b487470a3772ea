//! Evidence that costs: certificates and time stamps that take hours to sort, documents that take a hundred times
//! their size, texts that are told again for each artifact.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::spoiled::Spoiled;
use super::super::{ends_in_time, log_is_sound};
use crate::example::{Example, REQUIRED, finished};

/// Members of a set that its reader sorts by insertion: an hour's work, in 5 MB.
const MANY: u32 = 200_000;

/// One value of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], length.as_slice(), &content].concat()
}

/// A set of as many members as are asked for, in the order that takes longest.
fn endless_set(tag: u8, members: u32, kind: &[u8]) -> Vec<u8> {
    let member = |at: u32| [&[0x30, 11], kind, &[0x0c, 4], at.to_be_bytes().as_slice()].concat();
    let all: Vec<u8> = (0..members).rev().flat_map(member).collect();
    der(tag, &[&all])
}

const COMMON_NAME: [u8; 5] = [6, 3, 0x55, 4, 3];
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// A certificate that nobody signed, issued by one of many names.
fn certificate(issuer: &[u8]) -> Vec<u8> {
    let algorithm = hex::decode("300a06082a8648ce3d040302").unwrap();
    let validity = der(0x30, &[b"\x17\x0d260101000000Z", b"\x17\x0d360101000000Z"]);
    let key = [hex::decode(P256).unwrap(), vec![4], vec![1; 64]].concat();
    let signed = der(
        0x30,
        &[&[0xa0, 3, 2, 1, 2], &[2, 1, 1], &algorithm, &der(0x30, &[issuer]), &validity, &[0x30, 0], &key],
    );
    der(0x30, &[&signed, &algorithm, &[3, 3, 0, 0x30, 0]])
}

fn bundle(material: Value, content: (&str, Value)) -> Value {
    let mut bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material});
    bundle[content.0] = content.1;
    bundle
}

#[test]
fn a_certificate_whose_names_take_an_hour_to_sort() {
    let issuer = endless_set(0x31, MANY, &COMMON_NAME);
    let material = json!({"certificate": {"rawBytes": STANDARD.encode(certificate(&issuer))}});
    let digest = STANDARD.encode([1; 32]);
    let message = json!({"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": "AA=="});
    let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://x",
        "subject": [{"digest": {"sha256": "0".repeat(64)}}]});
    let envelope = json!({"payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": "AA=="}],
        "payload": STANDARD.encode(statement.to_string())});
    for content in [("messageSignature", message), ("dsseEnvelope", envelope)] {
        let example = Example::new();
        example.write("evidence/x.sigstore.json", &bundle(material.clone(), content).to_string());
        assert_eq!(ends_in_time(&example, &[&["deploy"], &REQUIRED[..]].concat()), 0);
        let aside = example.run(&["verify", "--report", "json"]).json()["setAside"].to_string();
        assert!(aside.contains("holds a set of more than 32 members"), "{aside}");
        assert_ne!(ends_in_time(&example, &["inspect", "evidence/x.sigstore.json"]), -1);
    }
}

/// As cosign keeps it beside a layer.
#[test]
fn a_certificate_in_an_annotation_whose_names_take_an_hour_to_sort() {
    let example = Example::new();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(certificate(&endless_set(0x31, 120_000, &COMMON_NAME)))
    );
    let blob = |bytes: &[u8]| {
        let digest = laforge::release::digest::Digest::of_bytes(bytes);
        let path = example.path(&format!("evidence/layout/blobs/sha256/{}", digest.hex()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": bytes.len()})
    };
    let payload = json!({"critical": {"type": "cosign container image signature", "identity": {"docker-reference": "r/a"},
        "image": {"docker-manifest-digest": format!("sha256:{}", "0".repeat(64))}}, "optional": null});
    let mut layer = blob(payload.to_string().as_bytes());
    layer["mediaType"] = json!("application/vnd.dev.cosign.simplesigning.v1+json");
    layer["annotations"] =
        json!({"dev.cosignproject.cosign/signature": "c2ln", "dev.sigstore.cosign/certificate": pem});
    let manifest = blob(json!({"schemaVersion": 2, "layers": [layer]}).to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    example.write("evidence/layout/index.json", &index.to_string());
    example.write("evidence/layout/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    assert_eq!(ends_in_time(&example, &[&["deploy"], &REQUIRED[..]].concat()), 0);
}

/// Whatever comes with a certificate is read before it is known whether anybody issued it.
#[test]
fn a_time_stamp_whose_sets_take_an_hour_to_sort() {
    let sha256 = hex::decode("0609608648016503040201").unwrap();
    let algorithms = {
        let member = |at: u32| der(0x30, &[&sha256, &[0x0c, 4], at.to_be_bytes().as_slice()]);
        der(0x31, &[&(0..MANY).rev().flat_map(member).collect::<Vec<u8>>()])
    };
    let content = hex::decode("060b2a864886f70d0109100104").unwrap();
    let signed = der(0x30, &[&[2, 1, 3], &algorithms, &der(0x30, &[&content]), &[0x31, 0]]);
    let kind = hex::decode("06092a864886f70d010702").unwrap();
    let token = der(0x30, &[&kind, &der(0xa0, &[&signed])]);
    let stamp = der(0x30, &[&[0x30, 3, 2, 1, 0], &token]);
    let spoiled = Spoiled::of("allows-keyless-stamped");
    let mut bundle = spoiled.bundle("signature");
    let stamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    let list = bundle.pointer_mut(stamps).unwrap().as_array_mut().unwrap();
    list.push(json!({"signedTimestamp": STANDARD.encode(stamp)}));
    spoiled.put("signature", &bundle);
    let started = std::time::Instant::now();
    spoiled.judge().is_denied_as(&["unreadable"], "a time stamp of many algorithms");
    // The same certificate in what a log took, which holds one as well.
    let spoiled = Spoiled::of("allows-keyless-logged");
    let mut bundle = spoiled.bundle("signature");
    let body = bundle.pointer_mut("/verificationMaterial/tlogEntries/0/canonicalizedBody").unwrap();
    let more = STANDARD.encode(certificate(&endless_set(0x31, MANY, &COMMON_NAME)));
    *body =
        json!(STANDARD.encode(json!({"spec": {"signature": {"publicKey": {"content": more}}}}).to_string()));
    spoiled.put("signature", &bundle);
    spoiled.judge().is_denied_as(&["unreadable"], "a log entry of megabytes");
    assert!(started.elapsed() < super::super::PATIENCE);
}

/// An object of one short member takes eighty times its text.
#[test]
fn documents_of_a_million_short_objects_are_refused_before_they_fill_memory() {
    let example = Example::new();
    for at in 0..2 {
        let list = r#"{"a":1},"#.repeat(1_500_000);
        example.write("big.json", &format!("{{\"i\":{at},\"x\":[{list}0]}}"));
        let to = format!("evidence/big{at}.json");
        let key = ["--type", "https://x.example/p", "--key", "keys/ci.key", "-o", &to];
        let predicate = ["attest", "artifacts/sbom.json", "--predicate", "big.json"];
        let made = example.run(&[&predicate[..], &key].concat());
        if made.code != 0 {
            // The program itself takes no such predicate: whoever makes one signs it otherwise.
            let subject =
                json!([{"digest": {"sha256": super::super::sha256(&example.path("artifacts/sbom.json"))}}]);
            let statement = format!(
                r#"{{"_type":"https://in-toto.io/Statement/v1","subject":{subject},"predicateType":"https://x.example/p","predicate":{}}}"#,
                example.read("big.json")
            );
            let key =
                laforge::key::secret::SecretKey::from_pem(&example.read("keys/ci.key"), || None).unwrap();
            let kind = "application/vnd.in-toto+json";
            example.write(&to, &super::super::sign_bytes(&key, kind, statement.as_bytes(), ""));
        }
    }
    let limited = Command::new("sh")
        .args(["-c", "ulimit -v 1900000; exec \"$0\" deploy \"$@\"", env!("CARGO_BIN_EXE_laforge")])
        .args(REQUIRED)
        .current_dir(example.path(""))
        .env("XDG_CACHE_HOME", example.path(".cache"))
        .output()
        .unwrap();
    let run = finished(limited);
    // Signed by `ci`, it may be a no: that is said, and nothing is decided by running out of memory.
    assert!(run.code == 10 && run.stderr.contains("[evidence-unheard]"), "{}: {}", run.code, run.stderr);
    assert!(run.stderr.contains("takes far more memory than its size"), "{}", run.stderr);
}

/// Signed by `ci`: a fact is told for each artifact, in memory, in the log and in the report.
#[test]
fn provenance_of_long_texts_fills_neither_memory_nor_the_log() {
    let example = Example::new();
    let (mut release, mut files) = (example.read("release.yaml"), Vec::new());
    let mut artifacts = String::new();
    for at in 0..60 {
        let file = format!("artifacts/more{at}");
        example.write(&file, &format!("more {at}"));
        let digest = super::super::sha256(&example.path(&file));
        writeln!(artifacts, "    - {{name: more{at}, path: {file}, digest: \"sha256:{digest}\"}}").unwrap();
        files.push(file);
    }
    release = release.replace("  config:", &format!("{artifacts}  config:"));
    example.write("release.yaml", &release);
    let long = "r".repeat(4_000_000);
    for (at, pointer) in
        ["/buildDefinition/externalParameters/ref", "/runDetails/metadata/invocationId"].iter().enumerate()
    {
        let mut build: Value = serde_json::from_str(&example.read("build.json")).unwrap();
        build["buildDefinition"]["resolvedDependencies"][0]["uri"] =
            json!("git+https://github.com/acme/payments");
        *build.pointer_mut(pointer).unwrap() = json!(long);
        example.write("long.json", &build.to_string());
        let to = format!("evidence/long{at}.sigstore.json");
        let mut attest = vec!["attest", "--predicate", "long.json", "--key", "keys/ci.key", "-o", &to];
        attest.extend(files.iter().map(String::as_str));
        example.run(&attest).ends(0);
    }
    example.denied(&[], &[]);
    let run = example.run(&["verify", "--report", "json"]);
    let report = run.json();
    assert!(run.stdout.len() < 1_000_000, "{} bytes", run.stdout.len());
    let aside = report["setAside"].to_string();
    assert!(aside.contains("is longer than 1024 bytes"), "{aside}");
    log_is_sound(&example);
}

/// Signed by `ci`: a million parameters below one name of a megabyte.
#[test]
fn parameters_below_a_name_of_a_megabyte_are_not_written_out() {
    let example = Example::new();
    let mut build: Value = serde_json::from_str(&example.read("build.json")).unwrap();
    let mut parameters = build["buildDefinition"]["externalParameters"].clone();
    parameters["k".repeat(1_000_000)] = json!(vec![1; 4_000_000]);
    build["buildDefinition"]["externalParameters"] = parameters;
    example.write("build.json", &build.to_string());
    let more = "evidence/more.sigstore.json";
    let attest =
        ["attest", "artifacts/sbom.json", "--predicate", "build.json", "--key", "keys/ci.key", "-o", more];
    example.run(&attest).ends(0);
    assert_eq!(ends_in_time(&example, &[&["deploy"], &REQUIRED[..]].concat()), 0);
}

/// Signed by nobody: facts tell each platform of each image, and again with each piece of evidence about it.
#[test]
fn platforms_with_long_names_or_without_number_fill_neither_memory_nor_the_log() {
    for (listed, images, more, problem) in [
        (2, 1, 60, ""),
        (2, 1, 100, "names a platform in more characters than platforms have"),
        (1_000, 2, 4, ""),
        (1_000, 20, 4, "the release has images of more than 16384 platforms in all"),
    ] {
        let spoiled = Spoiled::of("allows-image-index-by-leaf");
        let old = "cc2d97bba6b0a821bccb7e3de750a3597e4d75880f97d51a6b702819c8eadd9b";
        let blobs = "artifacts/image/blobs/sha256";
        let mut index: Value = serde_json::from_str(&spoiled.read(&format!("{blobs}/{old}"))).unwrap();
        let own = index["manifests"].as_array().unwrap().clone();
        let platform = |at: usize| {
            let mut one = own[at % own.len()].clone();
            one["platform"]["variant"] = json!(format!("{at:0more$}"));
            one
        };
        index["manifests"] = (0..listed).map(platform).collect();
        let text = index.to_string();
        let digest = laforge::release::digest::Digest::of_bytes(text.as_bytes()).hex();
        spoiled.write(&format!("{blobs}/{digest}"), &text);
        let release = spoiled.read("release.yaml");
        let line = release.lines().find(|line| line.contains("payments-image")).unwrap();
        let image = |at: usize| {
            line.replacen("payments-image", &format!("image-{at}"), 1).replace(old, &digest) + "\n"
        };
        spoiled.write(
            "release.yaml",
            &release.replace(&format!("{line}\n"), &(0..images).map(image).collect::<String>()),
        );
        let verdict = spoiled.judge();
        let all = verdict.report.to_string();
        assert!(all.len() < 4_000_000, "{} bytes", all.len());
        assert!(verdict.stderr.contains(problem), "{listed} of {images}: {}", verdict.stderr);
        assert_eq!(verdict.report.is_null(), !problem.is_empty(), "{listed} of {images}: {}", verdict.stderr);
    }
}
