//! What a newcomer runs into: each mistake says what, where and how to mend it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::example::{Example, Run, finished};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn bundle(example: &Example, name: &str) -> Value {
    serde_json::from_str(&example.read(name)).unwrap()
}

#[test]
fn what_is_known_by_its_digest_is_signed_as_a_statement() {
    let example = Example::new();
    let signed = example.run(&["sign", DIGEST, "--key", "keys/release.key", "-o", "by-digest.sigstore.json"]);
    assert!(!signed.ends(0).stderr.contains("warning"), "trust names the key");
    assert_eq!(
        bundle(&example, "by-digest.sigstore.json")["dsseEnvelope"]["payloadType"],
        "application/vnd.in-toto+json"
    );
    // The artifacts of the release by their bytes, and an image beside them by its digest.
    let image = format!("registry.example/payments@{DIGEST}");
    let sign = ["sign", "--release", "release.yaml", "--image", &image, "--key", "keys/release.key"];
    example.run(&[&sign[..], &["-o", "signed"]].concat()).ends(0);
    let signed = example.list("signed");
    assert_eq!(signed.len(), 4, "{signed:?}");
    let of_image = signed.iter().find(|name| name.contains("registry.example")).unwrap();
    assert!(bundle(&example, &format!("signed/{of_image}"))["dsseEnvelope"].is_object());
    let of_file = signed.iter().find(|name| !name.contains("registry.example")).unwrap();
    assert!(bundle(&example, &format!("signed/{of_file}"))["messageSignature"].is_object());
    example
        .run(&["sign", "--key", "keys/release.key"])
        .ends(2)
        .says("nothing to sign")
        .says("name files or digests");
    example.run(&["sign", "sha256:00", "--key", "keys/release.key"]).ends(2).says("is not a digest");
}

#[test]
fn a_statement_is_held_against_the_use_that_its_type_needs() {
    let example = Example::new();
    example.write("empty.json", "{}");
    let attest = |kind: &str, key: &str, to: &str| {
        let arguments =
            ["attest", DIGEST, "--predicate", "empty.json", "--type", kind, "--key", key, "-o", to];
        example.run(&arguments).ends(0).stderr
    };
    let cosign = "https://sigstore.dev/cosign/sign/v1";
    assert!(!attest(cosign, "keys/release.key", "a.json").contains("warning"));
    assert!(attest(cosign, "keys/ci.key", "b.json").contains("no signer with `use: artifact`"));
    assert!(!attest("https://scan.example/v1", "keys/ci.key", "c.json").contains("warning"));
    let summary = attest("https://slsa.dev/verification_summary/v1", "keys/ci.key", "d.json");
    assert!(summary.contains("no signer with `use: vsa`"), "{summary}");
}

#[test]
fn offline_a_bundle_of_another_release_is_said_to_be_one() {
    let example = Example::new();
    example.run(&["bundle", "-o", "bundle.tar"]).ends(0);
    let offline = ["--offline", "--evidence", "evidence", "--evidence", "bundle.tar"];
    assert!(!example.deploy(&offline).ends_with_data().stderr.contains("the bundles are of"));
    example.edit("release.yaml", "version: 2.4.0", "version: 2.4.1");
    example
        .deploy(&offline)
        .ends(10)
        .says("warning: the bundles are of sha256:")
        .says("make one of this release");
}

#[test]
fn an_environment_that_can_name_no_target_is_shown_where_it_stands() {
    let example = Example::new();
    assert!(!example.read("laforge.yaml").contains("target:"), "then nothing takes the environment's name");
    example.edit("release.yaml", "environment: production", "environment: Production");
    example
        .deploy(&[])
        .ends(2)
        .says("release.yaml:")
        .says("can't name the rollout's target")
        .says("name a target");
    // With a target it is a matter of the gate, which may decide for `production` alone.
    let run = example.deploy(&["--target", "payments-prod"]);
    run.ends(13).says("none of the gates that trust pins for `Production`");
}

#[test]
fn a_tab_is_shown_where_it_stands() {
    let example = Example::new();
    example.edit("release.yaml", "spec:\n  ", "spec:\n\t");
    let line = example.read("release.yaml").lines().position(|line| line.starts_with('\t')).unwrap() + 1;
    example.deploy(&[]).ends(2).says(&format!("release.yaml:{line}:1")).says("a tab indents this line");
}

#[test]
fn what_can_not_be_inspected_is_refused_at_once() {
    let example = Example::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        example.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    example.run(&["inspect", "pipe"]).ends(2).says("it is a pipe or a socket");
    example.run(&["bundle", "-o", "collected"]).ends(0);
    example
        .run(&["inspect", "collected"])
        .ends(2)
        .says("is a folder")
        .says("`bundle.json` lists the evidence");
}

#[test]
fn inspect_shows_whose_certificate_it_is_and_every_piece_of_a_pack() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/allows-keyless-logged-in-tiles/evidence");
    let bundle = std::fs::read_to_string(format!("{fixture}/signature.sigstore.json")).unwrap();
    let example = Example::new();
    example.write("one.json", &bundle);
    let subject = "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0";
    let shown = example.run(&["inspect", "one.json"]).ends_with_data().stdout;
    assert!(shown.contains(&format!("subject {subject}")), "{shown}");
    assert!(shown.contains("issuer https://token.actions.githubusercontent.com"), "{shown}");
    let one = example.run(&["inspect", "one.json", "-o", "json"]).json();
    assert_eq!(one["says"]["identity"]["subject"], subject);
    let approval = example.read("evidence/approval-bob.sigstore.json");
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let attestations = [&bundle, &approval].map(|it| serde_json::json!({"bundle": value(it)}));
    example.write("pack.json", &serde_json::json!({"attestations": attestations}).to_string());
    example.write("two.jsonl", &format!("{}\n\n{}\n", value(&bundle), value(&approval)));
    for file in ["pack.json", "two.jsonl"] {
        let pieces = example.run(&["inspect", file, "-o", "json"]).json()["says"]["pieces"].clone();
        assert_eq!(pieces[0], serde_json::json!({"kind": one["kind"], "says": one["says"]}), "{file}");
        assert_eq!(pieces[1]["kind"], "Sigstore bundle", "{file}");
        let shown = example.run(&["inspect", file]).ends_with_data().stdout;
        assert!(shown.contains("piece 2 Sigstore bundle") && shown.contains("decision"), "{shown}");
    }
    example.run(&["bundle", "-o", "collected"]).ends_with_data();
    let list = example.run(&["inspect", "collected/bundle.json"]).ends_with_data().stdout;
    assert!(list.starts_with("release bundle's list") && list.contains("evidence 8"), "{list}");
}

#[test]
fn a_payload_is_inspected_in_every_base64_that_is_verified() {
    let example = Example::new();
    let statement =
        r#"{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://x/?~~~???>>>"}"#;
    let (plain, other) = (STANDARD.encode(statement), URL_SAFE_NO_PAD.encode(statement));
    assert!(plain.contains(['+', '/']) && other.contains(['-', '_']), "{plain} {other}");
    for payload in [plain, other] {
        let envelope = serde_json::json!({"payloadType": "application/vnd.in-toto+json", "payload": payload,
            "signatures": [{"sig": "AA=="}]});
        example.write("envelope.json", &envelope.to_string());
        let shown = example.run(&["inspect", "envelope.json"]).ends_with_data().stdout;
        assert!(shown.contains("https://x/?~~~???>>>"), "{shown}");
    }
}

#[test]
fn a_bundle_that_is_none_is_told_what_one_is() {
    let example = Example::new();
    example.write("none.json", "{}");
    let arguments = ["verify-bundle", "--bundle", "none.json", "--key", "trust/release.pub", "build.json"];
    example
        .run(&arguments)
        .ends(10)
        .says("bundle cannot be read")
        .says("give a Sigstore bundle v0.1 to v0.3");
}

#[test]
fn a_secret_key_that_others_may_read_is_warned_of_once() {
    let example = Example::new();
    let sign = |to: &str| {
        let arguments = ["sign", "build.json", "--key", "keys/release.key", "-o", to];
        example.run(&arguments).ends(0).stderr
    };
    assert!(!sign("one.json").contains("others may read"));
    fs::set_permissions(example.path("keys/release.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = sign("two.json");
    assert_eq!(
        said.matches("others may read the secret key `keys/release.key` (mode 0644)").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_log_that_was_tampered_with_is_named() {
    let example = Example::new();
    example.deploy(&[]).ends_with_data();
    let entries = example.path(".laforge/audit/entries");
    let file =
        fs::read_dir(entries).unwrap().map(|entry| entry.unwrap().path()).find(|it| it.is_file()).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    example.deploy(&[]).ends(13).says("it is the log in `.laforge/audit`");
}

#[test]
fn policies_that_could_never_pass_are_refused() {
    let example = Example::new();
    let policy = |require: &str| {
        format!(
            "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {{name: x}}\nspec:\n  require:\n    {require}\n"
        )
    };
    for (require, said) in [
        ("approvals: {atLeast: 3}", "asks for more people than the 2 with a role in trust"),
        (
            "approvals: {atLeast: 2, roles: {sre: 2}}",
            "2 people with the role `sre` are asked for, and trust has 1",
        ),
    ] {
        example.write("p.yaml", &policy(require));
        example.run(&["policy", "check", "p.yaml"]).ends(2).says(said).says("it could never be met");
    }
}

#[test]
fn the_list_of_a_bundle_is_of_its_schema() {
    let example = Example::new();
    example.run(&["bundle", "-o", "collected"]).ends(0);
    let schema = example.run(&["schema", "bundle"]).ends_with_data().json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut list = bundle(&example, "collected/bundle.json");
    assert!(validator.is_valid(&list), "{list}");
    list["stray"] = 1.into();
    assert!(!validator.is_valid(&list));
}

/// A run of `audit init` with what a variable says of the key.
fn made_with(example: &Example, key: &str) -> Run {
    let mut command = crate::example::command(&example.path(""));
    let made = ["audit", "init", "--audit-log", "new", "--origin", "gitops.example.com/payments/staging"];
    command.args(made).args(["--audit-key", "env:LOG_KEY"]).env("LOG_KEY", key);
    finished(command.output().unwrap())
}

#[test]
fn what_audit_init_prints_pins_the_log_where_it_is_pasted() {
    let example = Example::new();
    example.run(&["keygen", "--use", "gate", "-o", "staging", "--insecure-unencrypted"]).ends(0);
    let made = made_with(&example, &STANDARD.encode(example.read("staging.key"))).ends(0);
    let (entry, key) =
        made.stdout.split_once("# For the file trust/staging-gate.pub, beside trust.yaml:\n").unwrap();
    assert_eq!(key, example.read("staging.pub"));
    // The configured log is another one.
    example.remove("laforge.yaml");
    let (_, entry) = entry.split_once("\ngates:\n").unwrap();
    let verify = ["audit", "verify", "--audit-log", "new", "--trust", "trust.yaml"];
    assert!(
        example.run(&verify).ends(0).stdout.contains("(pinned nowhere: trust names no gate of this origin)")
    );
    // `gates` is the last member of what `init` wrote.
    example.write("trust.yaml", &(example.read("trust.yaml") + entry));
    example.run(&verify).ends(2).says("cannot read `trust/staging-gate.pub`");
    example.write("trust/staging-gate.pub", key);
    assert!(example.run(&verify).ends(0).stdout.contains("(pinned by trust)"));
}

#[test]
fn a_variable_that_holds_no_key_says_what_it_should_hold() {
    let example = Example::new();
    example.run(&["keygen", "--use", "gate", "-o", "staging", "--insecure-unencrypted"]).ends(0);
    for value in ["staging.key", &example.read("staging.pub")] {
        let refused = made_with(&example, value).ends(2).says("the key `$LOG_KEY` is not a PEM file");
        refused.says("its base64 in one line");
    }
    made_with(&example, "").ends(2).says("`$LOG_KEY` is not set").says("its base64 in one line");
    assert!(!example.path("new").exists());
}

#[test]
fn a_run_without_an_id_is_an_unknown_one() {
    let example = Example::new();
    let mut command = crate::example::command(&example.path(""));
    command.args(["deploy", "--require-signed", "--dry-run"]).env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_SERVER_URL", "https://github.example").env("GITHUB_REPOSITORY", "acme/payments");
    finished(command.output().unwrap()).ends(0);
    assert_eq!(
        example.last_decision()["ci"],
        serde_json::json!({"provider": "github", "runId": "", "attempt": 1})
    );
    let shown = example.run(&["audit", "show", "--release", "payments"]).ends(0);
    assert!(
        shown.stdout.contains("unknown (not verified); github run unknown attempt 1"),
        "{}",
        shown.stdout
    );
}
