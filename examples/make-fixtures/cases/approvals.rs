//! Approvals that don't count, and people who may not give them.

use chrono::TimeDelta;
use laforge::evidence::predicate::approval::{Approval, Word};
use laforge::evidence::statement::PAYLOAD_TYPE;
use laforge::evidence::statement::Subject;
use laforge::policy::finding::RuleId::{
    ApprovalRejected, ApprovalThreshold, SeparationOfDuties, SeparationUnknown,
};
use laforge::signing::statement;
use serde_json::json;

use super::Case;
use super::Expect::{self, Denies, SetAside};
use super::kinds::{build_by_hand, separated, started_by};
use crate::authority::{Content, Log, Parts};
use crate::certificate::Workload;
use crate::scene::{COMMIT, GITHUB, REPOSITORY, Scene};

/// The workflow that says who wrote a commit.
const FORGE: &str = "https://github.com/acme/forge/.github/workflows/authors.yml@refs/heads/main";

const TOO_FEW: Expect = Denies(&[ApprovalThreshold]);

pub(super) const CASES: &[Case] = &[
    Case::sound("denies-unapproved", "Nobody approved.", TOO_FEW, |scene| {
        scene.remove("evidence/approval-alice.sigstore.json");
        scene.remove("evidence/approval-bob.sigstore.json");
    }),
    Case::sound("denies-one-approval", "Two people are asked for, and one approved.", TOO_FEW, |scene| {
        scene.remove("evidence/approval-bob.sigstore.json");
    }),
    Case::sound("denies-expired-approval", "An approval has expired.", aside("expired"), |scene| {
        by_bob(scene, |approval, now| approval.expires_at = now);
    }),
    Case::sound("denies-stale-approval", "An approval is older than the policy takes.", TOO_FEW, |scene| {
        by_bob(scene, |approval, now| approval.created_at = now - TimeDelta::hours(25));
    }),
    Case::sound(
        "denies-approval-from-the-future",
        "An approval is dated two minutes ahead.",
        aside("not-yet-valid"),
        |scene| {
            by_bob(scene, |approval, now| approval.created_at = now + TimeDelta::minutes(2));
        },
    ),
    Case::sound(
        "denies-approval-for-another-environment",
        "An approval is for staging.",
        aside("wrong-environment"),
        |scene| {
            by_bob(scene, |approval, _| approval.environment = "staging".to_owned());
        },
    ),
    Case::sound(
        "denies-approval-for-another-release",
        "An approval is for the version before, whose bytes are the same.",
        aside("wrong-subject"),
        |scene| {
            scene.edit("release.yaml", "version: 2.4.0", "version: 2.3.9");
            let approval = scene.approval();
            scene.approve_as("bob", &approval);
            scene.edit("release.yaml", "version: 2.3.9", "version: 2.4.0");
        },
    ),
    Case::sound(
        "denies-approval-before-config-changed",
        "A configuration was changed after the approvals.",
        aside("wrong-subject"),
        |scene| {
            let digest = |bytes| laforge::release::digest::Digest::of_bytes(bytes).to_string();
            scene.put("artifacts/config.yaml", b"workers: 9\n");
            scene.edit("release.yaml", &digest(b"workers: 4\n"), &digest(b"workers: 9\n"));
        },
    ),
    Case::sound(
        "denies-approval-of-artifact",
        "An approval names the artifact's digest instead of the release's.",
        aside("wrong-subject"),
        |scene| {
            let approval = scene.approval();
            let subject = crate::scene::artifact_subject();
            let predicate = serde_json::json!(approval);
            let statement =
                statement::attest(&[subject], laforge::evidence::predicate::approval::TYPE, predicate);
            scene.attest("approval-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-approval-by-stranger",
        "An approval is by a key that is nobody's in trust.",
        aside("untrusted-identity"),
        |scene| {
            let approval = scene.approval();
            scene.approve_as("mallory", &approval);
            scene.remove("evidence/approval-bob.sigstore.json");
        },
    ),
    Case::sound(
        "denies-approval-by-builder",
        "An approval is by the builder's key.",
        aside("wrong-use"),
        |scene| {
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            scene.attest("approval-bob", "builder", &statement);
        },
    ),
    Case::sound(
        "denies-approval-signed-as-file",
        "An approval's signature was made over a file, by the key that signs files.",
        aside("wrong-use"),
        |scene| {
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            let payload = laforge::json::canonical(&statement);
            let bundle = scene.local("release", Content::Payload(PAYLOAD_TYPE, &payload));
            scene.evidence("approval-bob", &bundle);
        },
    ),
    Case::sound(
        "denies-one-person-with-two-keys",
        "One person approves twice, with two keys.",
        TOO_FEW,
        |scene| {
            scene.put_key("alice-2");
            scene.edit(
                "trust.yaml",
                "[{key: trust/alice.pub, root: acme}]",
                "[{key: trust/alice.pub, root: acme}, {key: trust/alice-2.pub, root: acme}]",
            );
            scene.edit("trust.yaml", "roles: [release-manager]", "roles: [release-manager, sre]");
            let approval = scene.approval();
            scene.approve_as("alice-2", &approval);
            scene.remove("evidence/approval-bob.sigstore.json");
        },
    ),
    Case::sound(
        "denies-one-person-by-key-and-certificate",
        "One person approves twice, with a key and by an e-mail identity.",
        TOO_FEW,
        |scene| {
            let google = "https://accounts.google.com";
            scene.edit(
                "trust.yaml",
                "[{key: trust/alice.pub, root: acme}]",
                &format!("[{{key: trust/alice.pub, root: acme}}, {{root: acme, issuer: \"{google}\", subject: alice@acme.test}}]"),
            );
            scene.edit("trust.yaml", "roles: [release-manager]", "roles: [release-manager, sre]");
            let alice =
                Workload { subject: "alice@acme.test".into(), issuer: google.into(), claims: Vec::new() };
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            let at = approval.created_at;
            let bundle = scene.keyless(&alice, Content::Statement(&statement), at, Parts::LOGGED);
            scene.evidence("approval-alice-2", &bundle);
            scene.remove("evidence/approval-bob.sigstore.json");
        },
    ),
    Case::sound(
        "denies-one-person-in-two-roles",
        "One person has both roles that the policy asks for, and fills one of them.",
        TOO_FEW,
        |scene| {
            scene.edit("trust.yaml", "roles: [release-manager]", "roles: [release-manager, sre]");
            scene.edit("trust.yaml", "roles: [sre]", "roles: [developer]");
        },
    ),
    Case::sound(
        "denies-person-without-the-role",
        "Two people approve, and neither has the role that the policy asks for.",
        TOO_FEW,
        |scene| {
            scene.edit("trust.yaml", "{name: bob, roles: [sre]", "{name: bob, roles: [release-manager]");
            // A role that nobody has is a mistake of the policy, and another exit code.
            scene.put_key("carol");
            scene.trust(
                "people",
                "{name: carol, roles: [sre], identities: [{key: trust/carol.pub, root: acme}]}",
            );
        },
    ),
    Case::sound(
        "denies-approval-narrowed-to-another-role",
        "A person with two roles approves in the one that is not missing.",
        TOO_FEW,
        |scene| {
            scene.edit("trust.yaml", "roles: [sre]", "roles: [sre, release-manager]");
            by_bob(scene, |approval, _| approval.role = Some("release-manager".to_owned()));
        },
    ),
    Case::sound(
        "denies-role-that-person-has-not",
        "A person approves in a role that trust does not give them.",
        aside("wrong-role"),
        |scene| by_bob(scene, |approval, _| approval.role = Some("release-manager".to_owned())),
    ),
    Case::sound("denies-approval-by-revoked-key", "A person's key is revoked.", aside("revoked"), |scene| {
        scene.trust("revoked", "{key: trust/bob.pub, since: 2026-03-01T00:00:00Z, reason: laptop lost}");
    }),
    Case::sound(
        "denies-approval-without-trusted-time",
        "The policy asks for trusted time, and the approvals have only their own word.",
        TOO_FEW,
        |scene| scene.edit("policies/production.yaml", "maxAge: 24h", "maxAge: 24h, trustedTime: required"),
    ),
    Case::sound(
        "denies-stamp-older-than-policy-takes",
        "An approval says that it is an hour old, and its time stamp says two days.",
        TOO_FEW,
        |scene| {
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            let at = scene.now - TimeDelta::days(2);
            let bundle = scene.managed("bob", Content::Statement(&statement), at, Parts::stamped(at));
            scene.evidence("approval-bob", &bundle);
        },
    ),
    Case::sound(
        "denies-rejected",
        "Two people approve, and a third rejects.",
        Denies(&[ApprovalRejected]),
        |scene| {
            scene.put_key("carol");
            scene.trust(
                "people",
                "{name: carol, roles: [security], identities: [{key: trust/carol.pub, root: acme}]}",
            );
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            scene.approve_as("carol", &rejection);
        },
    ),
    Case::sound(
        "denies-approval-taken-back",
        "A person approves and rejects half an hour later.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            rejection.created_at += TimeDelta::minutes(30);
            let statement = statement::approval(&scene.release_digest(), &rejection);
            scene.attest("rejection-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-approval-and-rejection-at-once",
        "A person approves and rejects in the same second, which is a rejection.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            let statement = statement::approval(&scene.release_digest(), &rejection);
            scene.attest("rejection-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-rejection-dated-ahead",
        "A person rejects by a clock that is a day fast: a no needs no good clock.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            rejection.created_at += TimeDelta::days(1);
            rejection.expires_at += TimeDelta::days(1);
            let statement = statement::approval(&scene.release_digest(), &rejection);
            scene.attest("rejection-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-rejection-in-another-role",
        "A person rejects in a role that is not theirs: a no needs no role's right name.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            rejection.created_at += TimeDelta::minutes(30);
            rejection.role = Some("auditor".to_owned());
            let statement = statement::approval(&scene.release_digest(), &rejection);
            scene.attest("rejection-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-misspelt-rejection",
        "A person approves and then rejects, with a member that no record has: a no is not lost by being misspelt.",
        Denies(&[ApprovalRejected, ApprovalThreshold]),
        |scene| {
            let mut rejection = scene.approval();
            rejection.decision = Word::Rejected;
            rejection.created_at += TimeDelta::minutes(30);
            let mut statement = statement::approval(&scene.release_digest(), &rejection);
            statement["predicate"]["comment"] = json!("stop");
            scene.attest("rejection-bob", "bob", &statement);
        },
    ),
    Case::sound(
        "denies-author-approves",
        "One of the approvers wrote the commit.",
        Denies(&[ApprovalThreshold, SeparationOfDuties]),
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "alice");
            started_by(scene, "github:carol");
        },
    ),
    Case::sound(
        "denies-workflow-actor-approves",
        "One of the approvers started the build.",
        Denies(&[ApprovalThreshold, SeparationOfDuties]),
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "carol");
            started_by(scene, "github:bob");
        },
    ),
    Case::sound(
        "denies-author-unknown",
        "Nobody says who wrote the commit.",
        Denies(&[SeparationUnknown]),
        |scene| {
            separated(scene);
            started_by(scene, "github:carol");
        },
    ),
    Case::sound(
        "denies-author-not-in-trust",
        "The author's name maps to nobody in trust.",
        Denies(&[SeparationUnknown]),
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "mallory");
            started_by(scene, "github:carol");
        },
    ),
    Case::sound(
        "denies-author-by-builder",
        "The builder that attests the build says who wrote the commit.",
        Denies(&[SeparationUnknown]),
        |scene| {
            separated(scene);
            scene.attest_authors("builder", "carol");
            started_by(scene, "github:carol");
        },
    ),
    Case::sound(
        "denies-workflow-actor-unknown",
        "The provenance does not say who started the build.",
        Denies(&[SeparationUnknown]),
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "carol");
        },
    ),
    Case::sound(
        "denies-workflow-actor-by-lesser-build",
        "The provenance that the policy asks for does not say who started the build; one of level 1 names somebody.",
        Denies(&[SeparationUnknown]),
        |scene| {
            separated(scene);
            scene.attest_authors("forge", "carol");
            scene.put_key("laptop");
            scene.trust("signers", "{name: laptop, use: attestation, key: trust/laptop.pub, root: acme}");
            scene.trust("builders", "{id: https://laptop.acme.test, level: 1, signer: laptop}");
            let mut predicate = build_by_hand("github:carol");
            predicate["runDetails"]["builder"]["id"] = json!("https://laptop.acme.test");
            let provenance = scene.provenance(&predicate);
            scene.attest("provenance-of-laptop", "laptop", &provenance);
        },
    ),
    Case::sound(
        "allows-source-of-a-commit-logged-in-tiles",
        "A workflow says keyless who wrote the commit, names nothing but the commit, and Rekor's second generation logged it.",
        Expect::Allows,
        |scene| {
            let parts = Parts::logged_and_stamped(Log::Second, scene.now);
            commit_attested(scene, parts);
        },
    ),
    Case::sound(
        "denies-source-of-a-commit-logged-in-first-rekor",
        "The same, logged by Rekor's first generation, whose entry is bound to no commit.",
        SetAside(&[SeparationUnknown], "unreadable"),
        |scene| commit_attested(scene, Parts::LOGGED),
    ),
];

/// Says who wrote the commit, by a workflow's certificate, in a statement about the commit alone.
fn commit_attested(scene: &mut Scene, parts: Parts) {
    separated(scene);
    started_by(scene, "github:carol");
    let forge = Workload { subject: FORGE.to_owned(), issuer: GITHUB.to_owned(), claims: Vec::new() };
    scene.edit(
        "trust.yaml",
        "key: trust/forge.pub, root: acme",
        &format!("identity: {{root: acme, issuer: \"{GITHUB}\", subject: \"{FORGE}\"}}"),
    );
    let carol = json!("github:carol");
    let predicate =
        json!({"repository": REPOSITORY, "commit": COMMIT, "authors": [carol], "committer": carol});
    let subject = Subject { name: None, digest: [("gitCommit".to_owned(), COMMIT.to_owned())].into() };
    let statement = statement::attest(&[subject], "https://laforge.dev/attestation/source/v1", predicate);
    let now = scene.now;
    let bundle = scene.keyless(&forge, Content::Statement(&statement), now, parts);
    scene.evidence("source", &bundle);
}

/// Too few count, since one was set aside for this.
const fn aside(kind: &'static str) -> Expect {
    SetAside(&[ApprovalThreshold], kind)
}

/// Lets one of the two approve otherwise.
fn by_bob(scene: &mut Scene, change: fn(&mut Approval, laforge::time::Timestamp)) {
    let mut approval = scene.approval();
    change(&mut approval, scene.now);
    scene.approve_as("bob", &approval);
}
