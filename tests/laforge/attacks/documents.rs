//! Attacks on the documents that people write: requirements that ask for nothing, patterns that match too much,
//! texts that grow when they are read, and evidence paths that lead elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use laforge::trust::Pattern;
use serde_json::json;

use super::spoiled::Spoiled;
use crate::example::Example;

/// More than any refusal takes on a busy machine, and less than a bomb.
const PATIENCE: Duration = Duration::from_secs(20);

/// A policy with this requirement and no evidence at all; whether that passes.
fn passes_without_evidence(spec: &str) -> (bool, String) {
    let example = Example::new();
    for file in example.list("evidence") {
        example.remove(&format!("evidence/{file}"));
    }
    example.write(
        "policies/baseline.yaml",
        &format!("apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: baseline}}\nspec: {spec}\n"),
    );
    let run = example.run(&["deploy"]);
    assert_eq!(run.stdout.is_empty(), run.code != 0);
    (run.code == 0, run.stderr)
}

#[test]
fn requirements_that_ask_for_nothing() {
    for spec in [
        "{}",
        "null",
        "[]",
        "",
        "{require: {}}",
        "{require: null}",
        "{require: []}",
        "{require: [{}]}",
        "{require: {signatures: {}}}",
        "{require: {signatures: null}}",
        "{require: {signatures: {each: artifact}}}",
        "{require: {signatures: {each: artifact, atLeast: 0}}}",
        "{require: {signatures: {each: artifact, atLeast: -1}}}",
        "{require: {signatures: {each: artifact, atLeast: 1, from: []}}}",
        "{require: {signatures: {each: nothing, atLeast: 1}}}",
        "{require: {approvals: {}}}",
        "{require: {approvals: {atLeast: 0}}}",
        "{require: {approvals: {roles: {}}}}",
        "{require: {approvals: {roles: {sre: 0}}}}",
        "{require: {approvals: {atLeast: 0, roles: {sre: 0}}}}",
        "{require: {approvals: null}}",
        "{require: {provenance: {}}}",
        "{require: {provenance: null}}",
        "{require: {provenance: {each: artifact}}}",
        "{require: {provenance: {each: artifact, minLevel: 0}}}",
        "{require: {provenance: {each: artifact, builder: \"\"}}}",
        "{require: {provenance: {each: artifact, source: \"\"}}}",
        "{match: {environments: []}, require: {approvals: {atLeast: 1}}}",
        "{match: {environments: [staging]}, require: {approvals: {atLeast: 1}}}",
        "{match: {}, require: {}}",
        "{freeze: []}",
        "{freeze: null}",
        "{artifacts: {byDigest: allow}}",
        "{require: {approvals: {atLeast: 1e-3}}}",
        "{require: {approvals: {atLeast: 0.4}}}",
        "{require: {approvals: {atLeast: -0}}}",
        "{require: {approvals: {atLeast: 0x0}}}",
        "{require: {approvals: {atLeast: no}}}",
        "{require: {approvals: {atLeast: 18446744073709551616}}}",
        "{require: {approvals: {atLeast: 4294967296}}}",
    ] {
        let (passes, said) = passes_without_evidence(spec);
        assert!(!passes, "`{spec}` passed: {said}");
    }
}

/// A number is what it looks like, or refused: one reader's eight is no other reader's ten.
#[test]
fn numbers_and_words_that_older_readers_of_yaml_take_for_others() {
    for text in [
        "02", "0o2", "0x2", "2.0", "2e0", "+2", "\"2\"", "'2'", "2_0", "1:2", "yes", "on", "~", ".inf",
        ".nan", "0b10",
    ] {
        let example = Example::new();
        example.edit(
            "policies/baseline.yaml",
            "approvals: {atLeast: 2}",
            &format!("approvals: {{atLeast: {text}}}"),
        );
        example.remove("evidence/approval-bob.sigstore.json");
        let run = example.deploy(&[]);
        assert!(matches!(run.code, 2 | 10), "{text}: {}", run.stderr);
    }
    for text in ["no", "off", "y", "null", "~", "1e3", "0x10", "2026-01-01"] {
        let example = Example::new();
        example.edit("release.yaml", "environment: production", &format!("environment: {text}"));
        let run = example.deploy(&[]);
        assert!(run.code != 0 && run.stdout.is_empty(), "{text}: {}", run.stderr);
    }
}

#[test]
fn constraints_that_are_empty_and_would_mean_anybody() {
    let issuer = "\"https://token.actions.githubusercontent.com\"";
    let subject = "\"https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0\"";
    for (from, to) in [
        (issuer, "\"\""),
        (issuer, "null"),
        (issuer, "[]"),
        (issuer, "\"pattern:**\""),
        (issuer, "\"pattern:https://*\""),
        (subject, "\"\""),
        (subject, "null"),
        (subject, "[]"),
        (subject, "\"pattern:\""),
        (subject, "\"pattern:*\""),
        (subject, "\"pattern:**\""),
        (subject, "\"pattern:***\""),
        ("identities: [{key: trust/bob.pub, root: acme}]", "identities: []"),
        ("identities: [{key: trust/bob.pub, root: acme}]", "identities: null"),
        ("identities: [{key: trust/bob.pub, root: acme}]", "identities: [{}]"),
        ("identities: [{key: trust/bob.pub, root: acme}]", "identities: [{root: acme}]"),
        ("name: bob", "name: \"\""),
        ("name: workflow", "name: \"\""),
        ("use: attestation", "use: []"),
        ("use: attestation", "use: \"\""),
        ("use: attestation", "use: any"),
        ("level: 3", "level: 0"),
        ("level: 3", "level: 4"),
        ("signer: builder", "signer: \"\""),
        ("key: trust/bob.pub", "key: \"\""),
        ("identity: {root: acme, issuer:", "identity: {root: \"\", issuer:"),
    ] {
        let spoiled = Spoiled::of("allows-keyless-logged");
        spoiled.edit("trust.yaml", from, to);
        let verdict = spoiled.judge();
        assert_eq!(verdict.code, 2, "{from} -> {to}: {}", verdict.stderr);
    }
    for (from, to) in
        [("trustedRoot: trust/acme-root.json", "trustedRoot: \"\""), ("roles: [sre]", "roles: [\"\"]")]
    {
        let spoiled = Spoiled::of("allows-keyless-logged");
        spoiled.edit("trust.yaml", from, to);
        assert_ne!(spoiled.judge().code, 0, "{from} -> {to}");
    }
    // A person without a role approves nothing.
    let spoiled = Spoiled::of("allows-local-keys");
    spoiled.edit("trust.yaml", "roles: [sre]", "roles: []");
    assert_ne!(spoiled.judge().code, 0);
}

#[test]
fn patterns_hold_from_the_first_character_to_the_last() {
    let matches = |pattern: &str, text: &str| Pattern::parse(pattern).matches(text);
    let workflow = "pattern:https://github.com/acme/*/.github/workflows/release.yml@refs/tags/v*";
    assert!(matches(
        workflow,
        "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0"
    ));
    for text in [
        "https://github.com/acme-evil/payments/.github/workflows/release.yml@refs/tags/v1",
        "https://githubXcom/acme/payments/.github/workflows/release.yml@refs/tags/v1",
        "xhttps://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1",
        "https://evil.test/?u=https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1",
        "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1/x",
        "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1@evil",
        "https://github.com/acme/payments/.github/workflows/release.yml@refs/heads/v1",
        "https://github.com/acme/a/b/.github/workflows/release.yml@refs/tags/v1",
        "HTTPS://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v1",
        "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/V1",
        "https://github.com/acme/payments/.github/workflows/release-yml@refs/tags/v1",
        "",
    ] {
        assert!(!matches(workflow, text), "{text}");
    }
    // Nothing but `*` is special, and without `pattern:` not even that.
    for (pattern, text) in [
        ("pattern:.*", "anything"),
        ("pattern:a|b", "a"),
        ("pattern:[ab]", "a"),
        ("pattern:a?", "ab"),
        ("pattern:(?i)a", "A"),
        ("pattern:\\w", "a"),
        ("pattern:^a$", "a"),
        ("https://github.com/acme/*", "https://github.com/acme/x"),
        ("*", "x"),
        ("pattern:https://github.com/acme/*", "https://github.com/acme"),
        (" pattern:*", "x"),
        ("PATTERN:*", "x"),
    ] {
        assert!(!matches(pattern, text), "{pattern} matches {text}");
    }
    assert!(!matches("pattern:https://github.com/acme/**", "https://github.com/acme-evil/x"));
}

#[test]
fn an_identity_that_a_pattern_only_contains() {
    for subject in [
        "pattern:https://github.com/acme/payments/.github/workflows/release.yml",
        "pattern:https://github.com/acme/*/release.yml@refs/tags/v2.4.0",
        "pattern:*release.yml@refs/tags/v2.4.0",
        "pattern:https://github.com/acme/payments/.github/workflows/*",
        "pattern:https://github.com/acme/payments/.github/workflows/r.lease.yml@refs/tags/v2.4.0",
        "https://github.com/acme/*/.github/workflows/release.yml@refs/tags/v2.4.0",
    ] {
        let spoiled = Spoiled::of("allows-keyless-logged");
        let exact = "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0";
        spoiled.edit("trust.yaml", exact, subject);
        spoiled.judge().is_denied_as(&["untrusted-identity"], subject);
    }
}

#[test]
fn documents_that_grow_when_they_are_read() {
    let nine = |to: &str, of: &str| format!("{to}: &{to} [{}]\n", vec![format!("*{of}"); 9].join(", "));
    let mut laughs = String::from("a: &a [lol, lol, lol]\n");
    for (to, of) in [
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
        ("e", "d"),
        ("f", "e"),
        ("g", "f"),
        ("h", "g"),
        ("i", "h"),
        ("j", "i"),
    ] {
        laughs.push_str(&nine(to, of));
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for file in
        ["laforge.yaml", "release.yaml", "trust.yaml", "policies/baseline.yaml", "policies/policy-set.yaml"]
    {
        let bombs = [
            format!("{laughs}{}", "PLAIN"),
            format!("x: {deep}\nPLAIN"),
            "a: &a {b: *a}\nPLAIN".to_owned(),
            "<<: {a: 1}\nPLAIN".to_owned(),
            "x: &x 1\nPLAIN".to_owned(),
            "? [a, b]\n: c\nPLAIN".to_owned(),
            "--- 1\n--- 2\nPLAIN".to_owned(),
        ];
        for bomb in bombs {
            let example = Example::new();
            let text = bomb.replace("PLAIN", &example.read(file));
            example.write(file, &text);
            let started = Instant::now();
            let run = example.deploy(&[]).ends(2);
            let shown = &bomb[..bomb.len().min(40)];
            assert!(started.elapsed() < PATIENCE, "{file} took {:?}: {shown}", started.elapsed());
            assert!(run.stderr.contains(&format!("{file}:")), "{file} has no position: {}", run.stderr);
        }
    }
}

/// A reader without merge keys, as YAML 1.2 has none, sees another document than one with them.
#[test]
fn a_merge_key_that_lays_members_under_those_that_are_read() {
    for (file, from, to) in [
        ("release.yaml", "spec:\n", "spec:\n  <<: {environment: staging}\n"),
        ("release.yaml", "  environment: production\n", "  <<: {environment: production}\n"),
        ("release.yaml", "metadata: {", "metadata: {<<: [{name: other}, {version: 1.0.0}], "),
        ("policies/baseline.yaml", "approvals: {atLeast: 2}", "approvals: {<<: {atLeast: 2}}"),
        ("policies/baseline.yaml", "approvals: {atLeast: 2}", "approvals: {atLeast: 2, '<<': {atLeast: 1}}"),
        ("policies/policy-set.yaml", "version: 1", "<<: {version: 1}"),
        ("trust.yaml", "kind: Trust\n", "kind: Trust\n<<: {people: []}\n"),
        ("laforge.yaml", "trust: trust.yaml\n", "<<: {trust: trust.yaml}\n"),
    ] {
        let example = Example::new();
        let text = example.read(file);
        if !text.contains(from) {
            panic!("`{from}` is not in {file}: {text}");
        }
        example.write(file, &text.replacen(from, to, 1));
        example.deploy(&[]).ends(2).says(file);
    }
}

/// An old allow says nothing of another policy, another environment or another time: all is judged again.
#[test]
fn an_old_allow_offered_for_a_new_policy_environment_or_time() {
    let example = Example::new();
    let first = example.deploy(&["-o", "plan.json"]).ends(0);
    assert_eq!(first.stdout, "");
    let plan = example.read("plan.json");
    let stricter = example.fork();
    stricter.edit(
        "policies/baseline.yaml",
        "approvals: {atLeast: 2}",
        "approvals: {atLeast: 2, roles: {release-manager: 2}}",
    );
    stricter.edit("policies/policy-set.yaml", "version: 1", "version: 2");
    let run = stricter.deploy(&[]);
    assert!(matches!(run.code, 2 | 10) && run.stdout.is_empty(), "{}", run.stderr);
    let elsewhere = example.fork();
    elsewhere.edit("release.yaml", "environment: production", "environment: staging");
    let run = elsewhere.deploy(&[]);
    assert!(matches!(run.code, 10 | 13) && run.stdout.is_empty(), "{}", run.stderr);
    let later = (chrono::Utc::now() + chrono::Duration::days(40)).to_rfc3339();
    let run = example.deploy(&["--now", &later]);
    assert_eq!((run.code, run.stdout.as_str()), (10, ""), "{}", run.stderr);
    // Nor does the plan itself count as evidence.
    let bare = example.fork();
    for file in bare.list("evidence") {
        bare.remove(&format!("evidence/{file}"));
    }
    bare.write("evidence/plan.json", &plan);
    bare.denied(&[], &["approval-threshold", "signature-missing"]);
}

#[test]
fn layouts_of_evidence_that_lead_out_of_their_folder() {
    for digest in [
        "sha256:../../../outside/approval",
        "sha256:/etc/passwd",
        "../outside:approval",
        "sha256:",
        "sha512:00",
        "sha256:..%2f..%2foutside",
        "sha256:0000",
    ] {
        let example = Example::new();
        fs::create_dir(example.path("outside")).unwrap();
        fs::rename(example.path("evidence/approval-bob.sigstore.json"), example.path("outside/approval"))
            .unwrap();
        example.write("evidence/layout/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
        let descriptor = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "digest": digest, "size": 1,
            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"});
        let index = json!({"schemaVersion": 2, "manifests": [descriptor, {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}]});
        example.write("evidence/layout/index.json", &index.to_string());
        let run = example.deploy(&[]);
        assert!(matches!(run.code, 10 | 11) && run.stdout.is_empty(), "{digest}: {}", run.stderr);
        assert!(!run.stderr.contains("root:"), "{}", run.stderr);
    }
    // A blob that is a link is not followed either.
    let example = Example::new();
    let bytes = fs::read(example.path("evidence/approval-bob.sigstore.json")).unwrap();
    let hex = laforge::release::digest::Digest::of_bytes(&bytes).hex();
    fs::create_dir_all(example.path("evidence/layout/blobs/sha256")).unwrap();
    fs::rename(example.path("evidence/approval-bob.sigstore.json"), example.path("outside")).unwrap();
    symlink(example.path("outside"), example.path(&format!("evidence/layout/blobs/sha256/{hex}"))).unwrap();
    example.write("evidence/layout/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    let descriptor = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "digest": format!("sha256:{hex}"), "size": bytes.len()});
    example.write(
        "evidence/layout/index.json",
        &json!({"schemaVersion": 2, "manifests": [descriptor]}).to_string(),
    );
    let run = example.deploy(&[]);
    assert!(matches!(run.code, 10 | 11) && run.stdout.is_empty(), "{}", run.stderr);
}

#[test]
fn an_artifact_without_end_and_one_that_is_padded_past_every_look() {
    let example = Example::new();
    let file = fs::File::create(example.path("artifacts/sbom.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    let started = Instant::now();
    example.deploy(&[]).ends(1).says("256 GiB");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    // A simple-signing payload behind a megabyte of white space is one all the same.
    let example = Example::new();
    let pad = " \n".repeat(500_000);
    let payload = format!(
        "{pad}{{{pad}\"critical\":{{\"image\":{{\"docker-manifest-digest\":\"sha256:{}\"}}}}}}",
        "0".repeat(64)
    );
    let digest = laforge::release::digest::Digest::of_bytes(payload.as_bytes()).hex();
    let old =
        laforge::release::digest::Digest::of_bytes(&fs::read(example.path("artifacts/sbom.json")).unwrap())
            .hex();
    example.write("artifacts/sbom.json", &payload);
    example.edit("release.yaml", &old, &digest);
    example.denied(&[], &["artifact-shape"]);
    example.run(&["sign", "artifacts/sbom.json", "--key", "keys/release.key", "-o", "x.json"]).ends(1);
}

/// Repositories are the same with and without what says nothing; whoever writes `.git` means the same one.
#[test]
fn a_release_repository_with_git_at_its_end_is_the_same_and_another_is_not() {
    for (text, code) in [
        ("https://github.com/acme/payments.git", 0),
        ("git+https://github.com/acme/payments.git", 0),
        ("https://github.com/acme/payments/", 0),
        ("https://github.com/acme/payments.git.git", 10),
        ("https://github.com/acme/payments.gitx", 10),
    ] {
        let example = Example::new();
        example.edit(
            "release.yaml",
            "repository: https://github.com/acme/payments,",
            &format!("repository: \"{text}\","),
        );
        for person in ["alice", "bob"] {
            let (key, to) =
                (format!("keys/{person}.key"), format!("evidence/approval-{person}.sigstore.json"));
            example.remove(&to);
            example.run(&["approve", "--yes", "--release", "release.yaml", "--key", &key, "-o", &to]).ends(0);
        }
        let run = example.deploy(&[]);
        assert_eq!(run.code, code, "{text}: {}", run.stderr);
    }
}

#[test]
fn deploy_says_whether_trust_pins_its_log() {
    let example = Example::new();
    example.deploy(&[]).ends(0).says("pinned by a gate of trust");
    let trust = example.read("trust.yaml");
    let (unpinned, _) = trust.split_once("gates:").unwrap();
    example.write("trust.yaml", unpinned);
    example.deploy(&[]).ends(0).says("pinned by no gate of trust");
}
