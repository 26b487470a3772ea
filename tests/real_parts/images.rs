//! Images that cosign signs without a key, in registries with and without a list of referrers, at the gate.

use std::fs;

use super::instance::Instance;
use super::issuer::PEOPLE;
use super::namespace::within;
use super::parts::tell;
use super::repository::{Repository, run};

const POLICY: &str = "\
apiVersion: laforge.dev/v1
kind: Policy
metadata: {name: production}
spec:
  match: {environments: [production]}
  require:
    signatures: {each: artifact, atLeast: 1, from: [release]}
";

#[test]
fn an_image_that_cosign_signed_is_allowed_wherever_the_registry_keeps_the_signature() {
    within(
        "images::an_image_that_cosign_signed_is_allowed_wherever_the_registry_keeps_the_signature",
        |parts| {
            let mut instance = Instance::start(parts);
            instance.serve("olareg", "serve --addr 127.0.0.1 --port 7025 --store-type mem");
            instance.serve("crane", "registry serve --address 127.0.0.1:7005");
            instance.until(&[(7025, "/v2/"), (7005, "/v2/")]);
            let repository = Repository::of(&instance);
            repository.sign(&instance, &instance.issuer.person(PEOPLE, "release@acme.test"));
            repository.write("policies/production.yaml", POLICY.as_bytes());
            tell("\nimages that cosign signed\n");
            for (registry, kept) in
                [("127.0.0.1:7025", "in a list of referrers"), ("127.0.0.1:7005", "at a tag")]
            {
                let image = pushed(&repository, &instance, registry, "payments");
                let denied = judged(&repository, &image, 10);
                assert!(denied.contains("signature-missing"), "{denied}");
                signed(&repository, &instance, &image, "mallory@acme.test");
                let denied = judged(&repository, &image, 10);
                assert!(denied.contains("untrusted-identity"), "{denied}");
                signed(&repository, &instance, &image, "release@acme.test");
                judged(&repository, &image, 0);
                // Of the same repository, and nobody's signature is of it.
                let other = pushed(&repository, &instance, registry, "other");
                judged(&repository, &other, 10);
                tell(&format!("denied unsigned, denied by a stranger, allowed once signed: kept {kept}\n"));
            }
        },
    );
}

/// An image of one layer in a registry: its reference, by digest.
fn pushed(repository: &Repository, instance: &Instance<'_>, registry: &str, content: &str) -> String {
    repository.write("layer/content", content.as_bytes());
    let made = std::process::Command::new("tar")
        .args(["-cf", "layer.tar", "layer"])
        .current_dir(repository.path("."))
        .status();
    assert!(made.unwrap().success());
    let mut crane = instance.parts.command("crane");
    let target = format!("{registry}/payments:{content}");
    crane
        .args(["append", "--new_layer", "layer.tar", "--new_tag", &target])
        .current_dir(repository.path("."));
    let reference = run(&mut crane).ends(0).stdout.trim().to_owned();
    assert!(reference.contains("@sha256:"), "{reference}");
    reference
}

fn signed(repository: &Repository, instance: &Instance<'_>, image: &str, who: &str) {
    repository.write("token", instance.issuer.person(PEOPLE, who).as_bytes());
    let mut cosign = instance.parts.command("cosign");
    cosign.arg("sign").args(instance.flags("token")).args(["--yes", image]).current_dir(repository.path("."));
    run(&mut cosign).ends(0);
}

/// The gate over the release and this image beside it; gives the report.
#[track_caller]
fn judged(repository: &Repository, image: &str, code: i32) -> String {
    let near = repository.fork();
    let report = ["--report", "json=report.json", "-o", "plan.json"];
    near.laforge(&[&["deploy", "--audit-init", "--image", image], &report[..]].concat()).ends(code);
    assert_eq!(fs::metadata(near.path("plan.json")).is_ok(), code == 0);
    fs::read_to_string(near.path("report.json")).unwrap()
}
