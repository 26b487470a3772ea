//! Attacks on what vouches for a signature: log entries, checkpoints, time stamps, certificates, the signature.
//!
//! The bundles are those of fixtures, which a private Sigstore authority signed. Ways to fail that need that
//! authority's keys are fixtures themselves (`examples/make-fixtures/cases/witnesses.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::spoiled::Spoiled;
use crate::example::Example;
use crate::judged::Bench;

const ENTRIES: &str = "/verificationMaterial/tlogEntries";
const ENVELOPE: &str = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
const LOGGED: [&str; 4] = [
    "allows-keyless-logged",
    "allows-keyless-logged-in-tiles",
    "allows-bundle-v0.2",
    "allows-managed-key-logged",
];

/// Every log entry of all fixtures and of the corpus, where there is one.
fn all_entries() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut seen, mut found) = (vec![root.join("fixtures")], BTreeSet::new(), Vec::new());
    folders.extend(std::env::var_os("LAFORGE_CORPUS").map(Into::into));
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(bundle) = serde_json::from_slice::<Value>(&fs::read(&path).unwrap()) else { continue };
            let entries = bundle.pointer(ENTRIES).and_then(Value::as_array);
            found.extend(
                entries.into_iter().flatten().filter(|entry| seen.insert(entry.to_string())).cloned(),
            );
        }
    }
    found
}

/// The text that a log took.
fn body_of(entry: &Value) -> String {
    let packed = entry["canonicalizedBody"].as_str().unwrap_or_default();
    String::from_utf8_lossy(&STANDARD.decode(packed).unwrap_or_default()).into_owned()
}

#[test]
fn every_log_entry_of_every_other_bundle_spliced_in() {
    let all = all_entries();
    assert!(all.len() >= 15, "{} entries", all.len());
    let mut tried = 0;
    for bench in Bench::allowing() {
        let copied = tempfile::tempdir().unwrap();
        crate::example::copy(&bench.folder.join("evidence"), copied.path());
        let untouched = bench.judge(copied.path(), bench.now);
        for file in bench.evidence() {
            let path = copied.path().join(&file);
            let bytes = fs::read(&path).unwrap();
            let Ok(bundle) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let Some(own) = bundle.pointer(ENTRIES).and_then(Value::as_array) else { continue };
            // Whichever log it is in, an entry that holds the same signature is one of this signature.
            let message = bundle.pointer("/messageSignature/signature");
            let signature = message.or_else(|| bundle.pointer("/dsseEnvelope/signatures/0/sig"));
            let signature = signature.and_then(Value::as_str).unwrap();
            let other = |entry: &&Value| !body_of(entry).contains(signature);
            for entry in all.iter().filter(other) {
                for entries in [vec![entry.clone()], vec![own[0].clone(), entry.clone()]] {
                    let mut spliced = bundle.clone();
                    *spliced.pointer_mut(ENTRIES).unwrap() = json!(entries);
                    fs::write(&path, spliced.to_string()).unwrap();
                    let judged = bench.judge(copied.path(), bench.now);
                    assert!(!judged.allows, "{}: {} with {entry}", bench.name, file.display());
                    tried += 1;
                }
            }
            fs::write(&path, bytes).unwrap();
        }
        assert_eq!(bench.judge(copied.path(), bench.now).whole, untouched.whole);
    }
    println!("{tried} splices");
    assert!(tried > 100, "{tried}");
}

/// Changes a text under a pointer of the signature's bundle, and asserts that it is not taken.
#[track_caller]
fn refuses(case: &str, what: &str, change: impl FnOnce(&mut Value)) {
    let spoiled = Spoiled::of(case);
    let mut bundle = spoiled.bundle("signature");
    let before = bundle.clone();
    change(&mut bundle);
    assert_ne!(bundle, before, "{case}: {what} changes nothing");
    spoiled.put("signature", &bundle);
    spoiled
        .judge()
        .is_denied_as(&["bad-log-entry", "unreadable", "no-trusted-time"], &format!("{case}: {what}"));
}

#[test]
fn a_checkpoint_of_another_signature_root_size_or_origin() {
    for case in LOGGED {
        let with = |what: &str, change: &dyn Fn(&[&str]) -> String| {
            refuses(case, what, |bundle| {
                let note = bundle.pointer_mut(ENVELOPE).unwrap();
                let text = note.as_str().unwrap().to_owned();
                *note = json!(change(&text.lines().collect::<Vec<_>>()));
            });
        };
        let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let flipped = |line: &str| {
            let (name, packed) = line.rsplit_once(' ').unwrap();
            let mut bytes = STANDARD.decode(packed).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            format!("{name} {}", STANDARD.encode(bytes))
        };
        with("signature", &|lines| joined(&[lines[0], lines[1], lines[2], lines[3], &flipped(lines[4])]));
        with("no signature", &|lines| joined(&[lines[0], lines[1], lines[2], lines[3]]));
        with("origin", &|lines| joined(&["evil.test", lines[1], lines[2], lines[3], lines[4]]));
        with("size", &|lines| joined(&[lines[0], "77", lines[2], lines[3], lines[4]]));
        let zeros = STANDARD.encode([0; 32]);
        with("root", &|lines| joined(&[lines[0], lines[1], &zeros, lines[3], lines[4]]));
        with("a line more", &|lines| joined(&[lines[0], lines[1], lines[2], "more", lines[3], lines[4]]));
        with("key", &|lines| {
            let (name, _) = lines[4].rsplit_once(' ').unwrap();
            joined(&[lines[0], lines[1], lines[2], lines[3], &format!("{name} {}", STANDARD.encode([7; 68]))])
        });
        with("nothing", &|_| String::new());
    }
}

#[test]
fn an_inclusion_proof_of_another_root_size_index_or_path() {
    for case in LOGGED {
        let proof = "/verificationMaterial/tlogEntries/0/inclusionProof";
        for (member, value) in [
            ("rootHash", json!(STANDARD.encode([0; 32]))),
            ("treeSize", json!("7")),
            ("treeSize", json!("0")),
            ("hashes", json!([STANDARD.encode([0; 32])])),
            ("hashes", json!(vec![STANDARD.encode([0; 32]); 65])),
            ("checkpoint", json!(null)),
        ] {
            refuses(case, member, |bundle| bundle.pointer_mut(proof).unwrap()[member] = value.clone());
        }
        refuses(case, "body", |bundle| {
            let body = bundle.pointer_mut("/verificationMaterial/tlogEntries/0/canonicalizedBody").unwrap();
            let text = String::from_utf8(STANDARD.decode(body.as_str().unwrap()).unwrap()).unwrap();
            *body = json!(STANDARD.encode(text.replacen("0.0", "0.9", 1)));
        });
        // Of the second generation the checkpoint's signature says which log it is, and nothing reads the id.
        if case != "allows-keyless-logged-in-tiles" {
            refuses(case, "another log's id", |bundle| {
                let id = bundle.pointer_mut("/verificationMaterial/tlogEntries/0/logId/keyId").unwrap();
                *id = json!(STANDARD.encode([1; 32]));
            });
        }
    }
}

/// A threshold of logs or of authorities counts logs and authorities, so the same one twice is refused.
#[test]
fn one_log_or_one_time_stamp_counted_twice() {
    refuses("allows-keyless-logged", "an entry twice", |bundle| {
        let entries = bundle.pointer_mut(ENTRIES).unwrap().as_array_mut().unwrap();
        entries.push(entries[0].clone());
    });
    refuses("allows-keyless-logged-in-tiles", "a time stamp twice", |bundle| {
        let list = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
        let stamps = bundle.pointer_mut(list).unwrap().as_array_mut().unwrap();
        stamps.push(stamps[0].clone());
    });
}

#[test]
fn more_log_entries_or_time_stamps_than_are_taken() {
    for (list, member) in [
        (ENTRIES, "logIndex"),
        ("/verificationMaterial/timestampVerificationData/rfc3161Timestamps", "signedTimestamp"),
    ] {
        let spoiled = Spoiled::of("allows-keyless-logged-in-tiles");
        let mut bundle = spoiled.bundle("signature");
        let items = bundle.pointer_mut(list).unwrap().as_array_mut().unwrap();
        let one = items[0].clone();
        for at in 0..32_u8 {
            let mut another = one.clone();
            another[member] = if member == "logIndex" {
                json!((1000 + u32::from(at)).to_string())
            } else {
                json!(STANDARD.encode([at; 9]))
            };
            items.push(another);
        }
        assert_eq!(items.len(), 33);
        spoiled.put("signature", &bundle);
        let verdict = spoiled.judge();
        verdict.is_denied_as(&["unreadable"], list);
        assert!(
            verdict.report["setAside"].to_string().contains("wanted at most 32, got 33"),
            "{}",
            verdict.report
        );
    }
}

#[test]
fn a_bundle_of_no_signature_of_two_or_of_one_repeated() {
    for file in ["provenance", "approval-alice"] {
        let spoiled = Spoiled::of("allows-local-keys");
        let bundle = spoiled.bundle(file);
        let one = bundle["dsseEnvelope"]["signatures"][0].clone();
        let other = spoiled.bundle("approval-bob")["dsseEnvelope"]["signatures"][0].clone();
        for signatures in [
            json!([]),
            json!([one, one]),
            json!([one, other]),
            json!([other, one]),
            json!(null),
            json!(one),
            json!([{}]),
        ] {
            let mut changed = bundle.clone();
            changed["dsseEnvelope"]["signatures"] = signatures.clone();
            spoiled.put(file, &changed);
            spoiled.judge().is_denied_as(&["unreadable"], &format!("{file}: {signatures}"));
        }
    }
}

#[test]
fn a_bundle_that_carries_its_own_key_or_authority() {
    let spoiled = Spoiled::of("allows-local-keys");
    let key = spoiled.read("trust/alice.pub");
    let raw: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let bundle = spoiled.bundle("signature");
    let signature = bundle["messageSignature"]["signature"].clone();
    let hint = bundle["verificationMaterial"]["publicKey"]["hint"].clone();
    for material in [
        json!({"publicKey": {"hint": hint, "rawBytes": raw}}),
        json!({"publicKey": {"rawBytes": raw, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}),
        json!({"publicKey": key}),
        json!({"publicKey": {"hint": hint}, "certificate": {"rawBytes": raw}}),
    ] {
        let mut changed = bundle.clone();
        changed["verificationMaterial"] = material.clone();
        spoiled.put("signature", &changed);
        spoiled.judge().is_denied_as(&["unreadable"], &material.to_string());
    }
    for legacy in [
        json!({"base64Signature": signature, "cert": key}),
        json!({"base64Signature": signature, "cert": key, "rekorBundle": {"SignedEntryTimestamp": "", "Payload": {}}}),
        json!({"SignedEntryTimestamp": "", "Payload": {"body": "", "integratedTime": 1}}),
    ] {
        spoiled.put("signature", &legacy);
        spoiled.judge().is_denied_as(&["unreadable"], &legacy.to_string());
    }
    // A chain is no trust: the authority that it brings is not asked.
    let chained = Spoiled::of("allows-bundle-v0.2");
    let foreign = Spoiled::of("denies-wrong-root").bundle("signature");
    let mut bundle = chained.bundle("signature");
    let leaf = foreign["verificationMaterial"]["certificate"].clone();
    let chain = "/verificationMaterial/x509CertificateChain/certificates";
    bundle.pointer_mut(chain).unwrap().as_array_mut().unwrap()[0] = leaf;
    chained.put("signature", &bundle);
    assert_eq!(chained.judge().code, 10);
}

/// The order of Ed25519's group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with S + L, which a lenient verifier takes for one.
fn malleated(signature: &[u8]) -> Vec<u8> {
    let mut other = signature.to_vec();
    let mut carry = 0;
    for (byte, add) in other[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    other
}

#[test]
fn an_ed25519_signature_with_another_s() {
    let spoiled = Spoiled::of("allows-local-keys");
    let mut bundle = spoiled.bundle("approval-alice");
    let sig = bundle.pointer_mut("/dsseEnvelope/signatures/0/sig").unwrap();
    let signature = STANDARD.decode(sig.as_str().unwrap()).unwrap();
    assert_eq!(signature.len(), 64, "alice's key is an Ed25519 key");
    *sig = json!(STANDARD.encode(malleated(&signature)));
    spoiled.put("approval-alice", &bundle);
    spoiled.judge().is_denied_as(&["bad-signature"], "another S");
}

/// ECDSA has two signatures for each; both hold, and they are one signer's.
#[test]
fn a_p256_signature_with_its_other_s_is_one_signers() {
    use p256::ecdsa::Signature;
    let spoiled = Spoiled::of("denies-too-few-signatures");
    let mut bundle = spoiled.bundle("signature");
    let member = bundle.pointer_mut("/messageSignature/signature").unwrap();
    let signature = Signature::from_der(&STANDARD.decode(member.as_str().unwrap()).unwrap()).unwrap();
    let (r, s) = signature.split_scalars();
    let other = Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    assert_ne!(signature, other);
    *member = json!(STANDARD.encode(other.to_der().as_bytes()));
    spoiled.put("other", &bundle);
    let verdict = spoiled.judge();
    assert_eq!(verdict.code, 10, "{}", verdict.stderr);
    let signatures = verdict.report["facts"]["artifacts"][0]["signatures"].as_array().unwrap();
    let signers: BTreeSet<&str> = signatures.iter().map(|it| it["signer"].as_str().unwrap()).collect();
    assert_eq!(signers.len(), 1, "{signatures:?}");
}

/// Whatever evidence names is never fetched: nobody learns from it where the gate runs, or gets its credentials.
#[test]
fn addresses_inside_evidence_are_never_called() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let example = Example::new();
    let build = example.read("build.json").replace("https://ci.acme.example", &address);
    let build = build.replace("https://laforge.dev", &address);
    example.write("build.json", &build);
    for file in example.list("evidence").iter().filter(|name| name.contains("provenance")) {
        example.remove(&format!("evidence/{file}"));
    }
    let attest = ["attest", "--release", "release.yaml", "--predicate", "build.json", "--key", "keys/ci.key"];
    example.run(&attest).ends(0);
    example.write("evidence/more.json", &json!({"mediaType": address, "url": address}).to_string());
    example.denied(&[], &[]);
    assert!(listener.accept().is_err(), "somebody called");
}
