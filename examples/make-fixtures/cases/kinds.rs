//! What is allowed: each kind of evidence that counts, once.

use serde_json::{Value, json};

use super::{Case, Expect::Allows};
use crate::authority::{Content, Format, Log, Parts};
use crate::certificate::Workload;
use crate::image;
use crate::scene::{
    ARTIFACT_BYTES, BUILDER, GITHUB, REF, REPOSITORY, Scene, WORKFLOW, build, build_v02, workflow,
};
use laforge::release::digest::Digest;
use laforge::signing::statement;

pub(super) const CASES: &[Case] = &[
    Case::sound(
        "allows-local-keys",
        "A message signature, a provenance and two approvals by local keys, and nobody to vouch for their time.",
        Allows,
        |_| {},
    ),
    Case::bare(
        "allows-ed25519-statement",
        "The artifact is signed by an Ed25519 key, as cosign's statement over its digest.",
        Allows,
        |scene| {
            scene.put_key("ed25519-release");
            scene.edit("trust.yaml", "trust/release.pub", "trust/ed25519-release.pub");
            let statement = statement::cosign_sign(&Digest::of_bytes(ARTIFACT_BYTES).claim());
            scene.attest("signature", "ed25519-release", &statement);
            scene.attest_build();
            scene.approve();
        },
    ),
    Case::bare("allows-keyless-logged", "A keyless signature with a log's entry.", Allows, |scene| {
        signed_by_workflow(scene, Parts::LOGGED);
    }),
    Case::bare(
        "allows-keyless-logged-in-tiles",
        "A keyless signature with an entry of Rekor's second generation, which gives no time, and a time stamp.",
        Allows,
        |scene| {
            let parts = Parts::logged_and_stamped(Log::Second, scene.now);
            signed_by_workflow(scene, parts);
        },
    ),
    Case::bare(
        "allows-keyless-stamped",
        "A keyless signature with a time stamp alone, of an instance whose root names no log.",
        Allows,
        |scene| {
            let mut root = scene.acme.trusted_root();
            root["tlogs"] = json!([]);
            scene.put("trust/acme-root.json", root.to_string().as_bytes());
            let parts = Parts::stamped(scene.now);
            signed_by_workflow(scene, parts);
        },
    ),
    Case::bare("allows-bundle-v0.1", "A keyless signature in a bundle of version 0.1.", Allows, |scene| {
        signed_by_workflow(scene, Parts::LOGGED.in_format(Format::V01));
    }),
    Case::bare("allows-bundle-v0.2", "A keyless signature in a bundle of version 0.2.", Allows, |scene| {
        signed_by_workflow(scene, Parts::LOGGED.in_format(Format::V02));
    }),
    Case::bare("allows-managed-key-logged", "A local key's signature with a log's entry.", Allows, |scene| {
        signed_by_key(scene, Parts::LOGGED);
    }),
    Case::bare("allows-managed-key-stamped", "A local key's signature with a time stamp.", Allows, |scene| {
        let parts = Parts::stamped(scene.now);
        signed_by_key(scene, parts);
    }),
    Case::bare(
        "allows-signed-while-key-was-valid",
        "The key has expired since, and a time stamp says that the signature is older.",
        Allows,
        |scene| {
            scene.edit(
                "trust.yaml",
                "key: trust/release.pub",
                "validUntil: 2026-03-02T11:59:59Z, key: trust/release.pub",
            );
            let before = scene.now - chrono::TimeDelta::hours(1);
            let bundle =
                scene.managed("release", Content::Message(ARTIFACT_BYTES), before, Parts::stamped(before));
            scene.evidence("signature", &bundle);
            scene.attest_build();
            scene.approve();
        },
    ),
    Case::bare(
        "allows-signed-before-revocation",
        "The key is revoked, and a time stamp says that the signature is older.",
        Allows,
        |scene| {
            scene.trust("revoked", "{key: trust/release.pub, since: 2026-03-02T00:00:00Z, reason: leaked}");
            let before = scene.now - chrono::TimeDelta::days(1);
            let bundle =
                scene.managed("release", Content::Message(ARTIFACT_BYTES), before, Parts::stamped(before));
            scene.evidence("signature", &bundle);
            scene.attest_build();
            scene.approve();
        },
    ),
    Case::bare("allows-bare-envelopes", "DSSE envelopes without a bundle around them.", Allows, |scene| {
        scene.sign();
        let provenance = scene.provenance(&build());
        let bundle = scene.local("builder", Content::Statement(&provenance));
        scene.put("evidence/provenance.dsse", bundle["dsseEnvelope"].to_string().as_bytes());
        let approval = scene.approval();
        for person in ["alice", "bob"] {
            let statement = statement::approval(&scene.release_digest(), &approval);
            let bundle = scene.local(person, Content::Statement(&statement));
            let path = format!("evidence/approval-{person}.json");
            scene.put(&path, bundle["dsseEnvelope"].to_string().as_bytes());
        }
    }),
    Case::sound("allows-json-lines", "All evidence in one file, a line each.", Allows, |scene| {
        let paths = ["approval-alice", "approval-bob", "provenance", "signature"];
        let lines: Vec<Vec<u8>> = paths
            .iter()
            .filter_map(|name| scene.files().get(&format!("evidence/{name}.sigstore.json")).cloned())
            .collect();
        for name in paths {
            scene.remove(&format!("evidence/{name}.sigstore.json"));
        }
        scene.put("evidence/all.jsonl", &[lines.join(&b'\n'), b"\n".to_vec()].concat());
    }),
    Case::bare(
        "allows-image-in-layout",
        "An image in an OCI layout, signed by the digest of its manifest.",
        Allows,
        |scene| {
            let digest = image::manifest(scene);
            image::released(scene, &digest);
            signed_image(scene, &digest);
        },
    ),
    Case::bare(
        "allows-image-index-by-leaf",
        "An image index of which each platform is signed and attested, and not the index.",
        Allows,
        |scene| {
            let (index, leaves) = image::index(scene);
            image::released(scene, &index);
            for (at, leaf) in leaves.iter().enumerate() {
                let signature =
                    scene.local("release-images", Content::Statement(&statement::cosign_sign(leaf)));
                scene.evidence(&format!("signature-{at}"), &signature);
                let subject = statement::subject("payments-image", leaf);
                let made = statement::provenance(&[subject], build());
                let provenance = scene.noted(made);
                scene.attest(&format!("provenance-{at}"), "builder", &provenance);
            }
            scene.approve();
        },
    ),
    Case::sound(
        "allows-digest-alone-by-policy",
        "An artifact named by its digest and never read, which the policy allows.",
        Allows,
        |scene| {
            scene.edit("release.yaml", "path: artifacts/payments.tar.gz, ", "");
            scene.remove("artifacts/payments.tar.gz");
            scene.edit(
                "policies/production.yaml",
                "  require:\n",
                "  artifacts: {byDigest: allow}\n  require:\n",
            );
        },
    ),
    Case::sound("allows-provenance-v0.2", "Provenance as the SLSA generators write it.", Allows, |scene| {
        let provenance = scene.provenance(&build_v02());
        scene.attest("provenance", "builder", &provenance);
    }),
    Case::sound(
        "allows-statement-v0.1",
        "Provenance in a statement of version 0.1, as cosign still writes it.",
        Allows,
        |scene| {
            let mut provenance = scene.provenance(&build_v02());
            provenance["_type"] = json!("https://in-toto.io/Statement/v0.1");
            let payload = laforge::json::canonical(&provenance);
            let bundle = scene.local("builder", Content::Payload("application/vnd.in-toto+json", &payload));
            scene.evidence("provenance", &bundle);
        },
    ),
    Case::sound(
        "allows-keyless-builder",
        "Provenance by the builder's own keyless identity, whose certificate says the same as the predicate.",
        Allows,
        |scene| {
            scene.edit(
                "policies/production.yaml",
                "commit: release",
                "commit: release, hostedRunner: required",
            );
            built_by(scene, &builder_workload());
        },
    ),
    Case::bare(
        "allows-one-workflow-for-both",
        "One workflow signs and attests, which is enough for level 2.",
        Allows,
        |scene| {
            let identity = format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{WORKFLOW}\"}}");
            scene.trust("signers", &format!("{{name: workflow, use: [artifact, attestation], {identity}}}"));
            scene.trust("builders", &format!("{{id: \"{WORKFLOW}\", level: 2, signer: workflow}}"));
            scene.edit("policies/production.yaml", "from: [release-signing]", "from: [workflow]");
            scene.edit("policies/production.yaml", "minLevel: 3", "minLevel: 2");
            let now = scene.now;
            let signature = scene.keyless(&workflow(), Content::Message(ARTIFACT_BYTES), now, Parts::LOGGED);
            scene.evidence("signature", &signature);
            let mut predicate = build();
            predicate["runDetails"]["builder"]["id"] = json!(WORKFLOW);
            let provenance = scene.provenance(&predicate);
            let bundle = scene.keyless(&workflow(), Content::Statement(&provenance), now, Parts::LOGGED);
            scene.evidence("provenance", &bundle);
            scene.approve();
        },
    ),
    Case::bare(
        "allows-approvals-with-trusted-time",
        "The policy asks for trusted time, and each approval has a time stamp.",
        Allows,
        |scene| {
            scene.edit("policies/production.yaml", "maxAge: 24h", "maxAge: 24h, trustedTime: required");
            scene.sign();
            scene.attest_build();
            let approval = scene.approval();
            for person in ["alice", "bob"] {
                let statement = statement::approval(&scene.release_digest(), &approval);
                let at = approval.created_at;
                let bundle = scene.managed(person, Content::Statement(&statement), at, Parts::stamped(at));
                scene.evidence(&format!("approval-{person}"), &bundle);
            }
        },
    ),
    Case::sound(
        "allows-keyless-approval",
        "A person approves by an e-mail identity, with a log's entry.",
        Allows,
        |scene| {
            let google = "https://accounts.google.com";
            scene.edit(
                "trust.yaml",
                "{key: trust/alice.pub, root: acme}",
                &format!("{{root: acme, issuer: \"{google}\", subject: alice@acme.test}}"),
            );
            let alice =
                Workload { subject: "alice@acme.test".into(), issuer: google.into(), claims: Vec::new() };
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            let at = approval.created_at;
            let bundle = scene.keyless(&alice, Content::Statement(&statement), at, Parts::LOGGED);
            scene.evidence("approval-alice", &bundle);
        },
    ),
    Case::sound(
        "allows-separated-duties",
        "Author and workflow actor are known, and neither of them approves.",
        Allows,
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "carol");
            started_by(scene, "github:carol");
        },
    ),
    Case::sound(
        "allows-other-evidence-beside",
        "Evidence for something else, by somebody else and of no kind at all lies beside what counts.",
        Allows,
        |scene| {
            scene.put("evidence/notes.txt", b"nothing to see\n");
            scene.put("evidence/broken.sigstore.json", b"{\"mediaType\": ");
            let stranger = scene.local("p256-stranger", Content::Message(ARTIFACT_BYTES));
            scene.evidence("stranger", &stranger);
            let elsewhere = scene.local("release", Content::Message(b"another file\n"));
            scene.evidence("elsewhere", &elsewhere);
        },
    ),
    Case::sound(
        "allows-foreign-bundle-json",
        "A file called bundle.json makes no release bundle of the folder that it lies in.",
        Allows,
        |scene| {
            let foreign = scene.local("p256-stranger", Content::Message(ARTIFACT_BYTES));
            scene.put("evidence/bundle.json", foreign.to_string().as_bytes());
        },
    ),
    Case::sound(
        "allows-broken-release-bundle",
        "A folder says that it is a release bundle and is none: that is on record, and its evidence counts as any does.",
        Allows,
        |scene| {
            let digest = scene.release_digest();
            let list = json!({"_type": "https://laforge.dev/bundle/v1", "release": {"digest": digest},
                "evidence": [], "manifests": []});
            scene.put("evidence/bundle.json", list.to_string().as_bytes());
        },
    ),
    Case::sound(
        "allows-after-rejection-ended",
        "A rejection that is no longer in date blocks nothing.",
        Allows,
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = laforge::evidence::predicate::approval::Word::Rejected;
            rejection.created_at = scene.now - chrono::TimeDelta::days(2);
            rejection.expires_at = scene.now - chrono::TimeDelta::days(1);
            let statement = statement::approval(&scene.release_digest(), &rejection);
            scene.attest("rejection-alice", "alice", &statement);
        },
    ),
];

/// Signs by the release workflow instead of a key.
pub(super) fn signed_by_workflow(scene: &mut Scene, parts: Parts) {
    trust_workflow(scene);
    let now = scene.now;
    let bundle = scene.keyless(&workflow(), Content::Message(ARTIFACT_BYTES), now, parts);
    scene.evidence("signature", &bundle);
    scene.attest_build();
    scene.approve();
}

/// Names the release workflow as the one whose signatures count.
pub(super) fn trust_workflow(scene: &mut Scene) {
    let identity = format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{WORKFLOW}\"}}");
    scene.trust("signers", &format!("{{name: workflow, use: artifact, {identity}}}"));
    scene.edit("policies/production.yaml", "from: [release-signing]", "from: [workflow]");
}

fn signed_by_key(scene: &mut Scene, parts: Parts) {
    let now = scene.now;
    let bundle = scene.managed("release", Content::Message(ARTIFACT_BYTES), now, parts);
    scene.evidence("signature", &bundle);
    scene.attest_build();
    scene.approve();
}

pub(super) fn signed_image(scene: &mut Scene, digest: &laforge::release::digest::ClaimedDigest) {
    let signature = scene.local("release-images", Content::Statement(&statement::cosign_sign(digest)));
    scene.evidence("signature", &signature);
    let subject = statement::subject("payments-image", digest);
    let made = statement::provenance(&[subject], build());
    let provenance = scene.noted(made);
    scene.attest("provenance", "builder", &provenance);
    scene.approve();
}

/// The builder as a workflow of its own, called by the release's.
pub(super) fn builder_workload() -> Workload {
    let mut workload = workflow();
    workload.subject = BUILDER.to_owned();
    for (arc, claim) in &mut workload.claims {
        if *arc == 9 {
            *claim = BUILDER.to_owned();
        }
    }
    workload
}

/// Attests the build by a workload that trust names as the builder's signer.
pub(super) fn built_by(scene: &mut Scene, workload: &Workload) {
    let subject = &workload.subject;
    scene.edit(
        "trust.yaml",
        "key: trust/builder.pub, root: acme",
        &format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{subject}\"}}"),
    );
    let provenance = scene.provenance(&build());
    let now = scene.now;
    let bundle = scene.keyless(workload, Content::Statement(&provenance), now, Parts::LOGGED);
    scene.evidence("provenance", &bundle);
}

/// Asks that whoever approves neither wrote the source nor started the build.
pub(super) fn separated(scene: &mut Scene) {
    scene.put_key("forge");
    scene.trust(
        "signers",
        "{name: forge, use: attestation, key: trust/forge.pub, root: acme, predicateTypes: [https://laforge.dev/attestation/source/v1]}",
    );
    scene.trust(
        "people",
        "{name: carol, roles: [developer], aliases: {github: carol}, identities: [{key: trust/carol.pub, root: acme}]}",
    );
    scene.put_key("carol");
    scene.edit(
        "policies/production.yaml",
        "maxAge: 24h",
        "maxAge: 24h, distinctFrom: [source-author, workflow-actor]",
    );
}

/// Attests a build that somebody started.
pub(super) fn started_by(scene: &mut Scene, actor: &str) {
    let provenance = scene.provenance(&build_by_hand(actor));
    scene.attest("provenance", "builder", &provenance);
}

/// A build by hand that somebody started.
pub(super) fn build_by_hand(actor: &str) -> Value {
    let mut predicate = build();
    predicate["buildDefinition"] = json!({
        "buildType": "https://laforge.dev/buildtypes/generic/v1",
        "externalParameters": {"repository": REPOSITORY, "ref": REF},
        "internalParameters": {"actor": actor, "hosted": true},
        "resolvedDependencies": predicate["buildDefinition"]["resolvedDependencies"],
    });
    predicate
}
