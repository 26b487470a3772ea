//! Documents that can't be taken: with one of these no decision is made.

use super::Case;
use super::Expect::Refuses;
use crate::scene::{GITHUB, Scene, WORKFLOW};

const POLICY: &str = "policies/production.yaml";

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "refuses-absent-log",
        "There is no audit log, and nobody asked for one to be made: what can't be recorded is not allowed.",
        Refuses(12, ".laforge/audit"),
        |scene| {
            scene.edit("laforge.yaml", "env:LAFORGE_AUDIT_KEY", "\"file:audit.key\"");
            let made = crate::keys::ed25519("audit").to_pem(None);
            scene.put("audit.key", made.unwrap_or_default().as_bytes());
        },
    ),
    Case::sound(
        "refuses-unknown-field",
        "A requirement is misspelt.",
        Refuses(2, "unknown field `signature`"),
        |scene| {
            scene.edit(POLICY, "signatures:", "signature:");
        },
    ),
    Case::sound("refuses-duplicate-key", "A number is given twice.", Refuses(2, "appears twice"), |scene| {
        scene.edit(POLICY, "atLeast: 2", "atLeast: 2, atLeast: 0");
    }),
    Case::sound(
        "refuses-empty-requirement",
        "No approval is asked for, explicitly.",
        Refuses(2, "less than 1"),
        |scene| {
            scene.edit(POLICY, "atLeast: 2", "atLeast: 0");
        },
    ),
    Case::sound(
        "refuses-empty-list",
        "Signatures count from nobody.",
        Refuses(2, "than the 0 in `from`"),
        |scene| {
            scene.edit(POLICY, "from: [release-signing]", "from: []");
        },
    ),
    Case::sound(
        "refuses-unknown-signer",
        "A policy names a signer that trust does not.",
        Refuses(2, "release-sining"),
        |scene| {
            scene.edit(POLICY, "from: [release-signing]", "from: [release-sining]");
        },
    ),
    Case::sound(
        "refuses-signer-of-another-use",
        "A policy takes signatures from a signer of attestations.",
        Refuses(2, "builder"),
        |scene| {
            scene.edit(POLICY, "from: [release-signing]", "from: [builder]");
        },
    ),
    Case::sound(
        "refuses-role-that-nobody-has",
        "A policy asks for a role that trust gives to nobody.",
        Refuses(2, "captain"),
        |scene| {
            scene.edit(POLICY, "sre: 1", "captain: 1");
        },
    ),
    Case::sound("refuses-anchors", "A policy uses an anchor and an alias.", Refuses(2, POLICY), |scene| {
        scene.edit(POLICY, "atLeast: 1", "atLeast: &n 1");
        scene.edit(POLICY, "atLeast: 2", "atLeast: *n");
    }),
    Case::sound(
        "refuses-rules-not-built-yet",
        "A policy holds an expression, which is not built yet.",
        Refuses(2, "not built yet"),
        |scene| {
            scene.edit(POLICY, "  require:\n", "  rules: [{id: always, assert: \"true\"}]\n  require:\n");
        },
    ),
    Case::sound(
        "refuses-pinned-policy",
        "The policy is not the one that the configuration pins.",
        Refuses(2, "sha256:0000"),
        |scene| {
            scene.edit(
            "laforge.yaml",
            "{path: policies/}",
            "{path: policies/, digest: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}",
        );
        },
    ),
    Case::sound("refuses-two-people-with-one-key", "Two people share a key.", Refuses(2, "alice"), |scene| {
        scene.edit("trust.yaml", "trust/bob.pub", "trust/alice.pub");
    }),
    Case::sound(
        "refuses-key-under-two-uses",
        "One key signs artifacts and attestations.",
        Refuses(2, "release-signing"),
        |scene| {
            scene.edit("trust.yaml", "trust/builder.pub", "trust/release.pub");
        },
    ),
    Case::sound(
        "refuses-key-of-person-and-signer",
        "One key is a person's and a signer's.",
        Refuses(2, "bob"),
        |scene| {
            scene.edit("trust.yaml", "trust/release.pub", "trust/bob.pub");
        },
    ),
    Case::sound(
        "refuses-key-under-two-names",
        "One key is listed as two signers.",
        Refuses(2, "again"),
        |scene| {
            scene.trust("signers", "{name: again, use: artifact, key: trust/release.pub, root: acme}");
        },
    ),
    Case::sound(
        "refuses-person-with-a-pattern",
        "A person's identity is a pattern.",
        Refuses(2, "pattern"),
        |scene| {
            scene.edit(
                "trust.yaml",
                "{key: trust/bob.pub, root: acme}",
                "{root: acme, issuer: https://accounts.google.com, subject: \"pattern:*@acme.test\"}",
            );
        },
    ),
    Case::sound(
        "refuses-level-3-by-signer-of-both",
        "A workflow that signs artifacts vouches for level 3.",
        Refuses(2, "level"),
        |scene| {
            let identity = format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{WORKFLOW}\"}}");
            scene.trust("signers", &format!("{{name: workflow, use: [artifact, attestation], {identity}}}"));
            scene.trust("builders", &format!("{{id: \"{WORKFLOW}\", level: 3, signer: workflow}}"));
        },
    ),
    Case::sound(
        "refuses-unknown-root",
        "A key belongs to a root that trust does not name.",
        Refuses(2, "acne"),
        |scene| {
            scene.edit(
                "trust.yaml",
                "key: trust/release.pub, root: acme",
                "key: trust/release.pub, root: acne",
            );
        },
    ),
    Case::sound(
        "refuses-builder-of-unknown-signer",
        "A builder's signer is none of the signers.",
        Refuses(2, "bulider"),
        |scene| {
            scene.edit("trust.yaml", "signer: builder", "signer: bulider");
        },
    ),
    Case::sound(
        "refuses-trust-inside-evidence",
        "The trust file lies where evidence is gathered.",
        Refuses(2, "evidence"),
        |scene| {
            move_trust(scene);
        },
    ),
    Case::sound(
        "refuses-key-that-is-none",
        "A key's file holds something else.",
        Refuses(2, "trust/release.pub"),
        |scene| {
            scene.put("trust/release.pub", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
        },
    ),
    Case::sound(
        "refuses-absent-trust",
        "The configuration names a trust file that is not there.",
        Refuses(2, "trust.yaml"),
        |scene| {
            scene.remove("trust.yaml");
        },
    ),
    Case::sound(
        "refuses-empty-policies",
        "The configuration names a folder without a policy.",
        Refuses(2, "no policy"),
        |scene| {
            scene.remove(POLICY);
            scene.put("policies/README.md", b"Policies will be here.\n");
        },
    ),
    Case::sound(
        "refuses-release-without-artifact",
        "The release delivers nothing.",
        Refuses(2, "at least one artifact"),
        |scene| {
            let text = scene.files().get("release.yaml").cloned().unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let line = text.lines().find(|line| line.contains("payments.tar.gz")).unwrap_or_default();
            scene.edit("release.yaml", &format!("  artifacts:\n{line}"), "  artifacts: []");
        },
    ),
    Case::sound(
        "refuses-image-by-tag",
        "An image is named by a tag, which can be moved.",
        Refuses(2, "no digest"),
        |scene| {
            scene.edit("release.yaml", "  config:\n", "    - {name: image, image: \"registry.acme.test/payments:2.4.0\", path: artifacts}\n  config:\n");
        },
    ),
    Case::sound(
        "refuses-reserved-name",
        "An artifact is called `manifests`.",
        Refuses(2, "reserved"),
        |scene| {
            scene.edit("release.yaml", "name: payments.tar.gz", "name: manifests");
        },
    ),
    Case::sound(
        "refuses-upper-case-digest",
        "A digest is written in upper case.",
        Refuses(2, "64 lower-case hex digits"),
        |scene| {
            let digest = laforge::release::digest::Digest::of_bytes(crate::scene::ARTIFACT_BYTES).hex();
            scene.edit("release.yaml", &digest, &digest.to_uppercase());
        },
    ),
    Case::sound(
        "refuses-steps-that-fall",
        "The candidate's share of traffic falls on the way.",
        Refuses(2, "rise strictly"),
        |scene| {
            scene.edit("laforge.yaml", "[20, 80, 100]", "[80, 20, 100]");
        },
    ),
    Case::sound(
        "refuses-document-of-another-kind",
        "The policy's file is a release.",
        Refuses(2, "Policy"),
        |scene| {
            scene.edit(POLICY, "kind: Policy", "kind: Release");
        },
    ),
    Case::sound(
        "refuses-other-version",
        "The policy is of a version that does not exist.",
        Refuses(2, "laforge.dev/v1"),
        |scene| {
            scene.edit(POLICY, "laforge.dev/v1", "laforge.dev/v2");
        },
    ),
];

fn move_trust(scene: &mut Scene) {
    let paths: Vec<String> = scene.files().keys().filter(|path| path.starts_with("trust")).cloned().collect();
    for path in paths {
        let bytes = scene.files().get(&path).cloned().unwrap_or_default();
        scene.remove(&path);
        scene.put(&format!("evidence/{path}"), &bytes);
    }
    scene.edit("laforge.yaml", "trust: trust.yaml", "trust: evidence/trust.yaml");
}
