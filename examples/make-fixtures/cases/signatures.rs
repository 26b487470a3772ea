//! Signatures that don't count: by somebody else, of something else, at another time, or not whole.

use chrono::TimeDelta;
use laforge::policy::finding::RuleId::SignatureMissing;
use serde_json::{Value, json};

use super::Case;
use super::Expect::{self, Denies, SetAside};
use super::kinds::{signed_by_workflow, trust_workflow};
use crate::authority::{Content, Log, Parts};
use crate::certificate::Workload;
use crate::scene::{ARTIFACT_BYTES, Scene, workflow};
use laforge::signing::statement;

const MISSING: Expect = Denies(&[SignatureMissing]);

pub(super) const CASES: &[Case] = &[
    Case::sound("denies-unsigned", "The artifact has no signature.", MISSING, |scene| {
        scene.remove("evidence/signature.sigstore.json");
    }),
    Case::sound(
        "denies-too-few-signatures",
        "Two signatures are asked for, and there is one, twice.",
        MISSING,
        |scene| {
            scene.put_key("p256-second");
            scene.trust("signers", "{name: second, use: artifact, key: trust/p256-second.pub, root: acme}");
            scene.edit(
                "policies/production.yaml",
                "1, from: [release-signing]",
                "2, from: [release-signing, second]",
            );
            let again = scene.local("release", Content::Message(ARTIFACT_BYTES));
            scene.put("evidence/again.sigstore.json", format!("{again}\n").as_bytes());
        },
    ),
    Case::sound(
        "denies-signature-over-another-file",
        "The signature is the right key's, over another file.",
        aside("wrong-subject"),
        |scene| {
            let bundle = scene.local("release", Content::Message(b"payments 2.3.1\n"));
            scene.evidence("signature", &bundle);
        },
    ),
    Case::sound(
        "denies-flipped-signature",
        "One bit of the signature is flipped.",
        aside("bad-signature"),
        |scene| {
            spoil(scene, |bundle| flip(bundle, "/messageSignature/signature"));
        },
    ),
    Case::sound(
        "denies-signature-by-stranger",
        "The signature is by a key that trust does not name.",
        aside("untrusted-identity"),
        |scene| {
            let bundle = scene.local("p256-stranger", Content::Message(ARTIFACT_BYTES));
            scene.evidence("signature", &bundle);
        },
    ),
    Case::sound(
        "denies-hint-of-another-key",
        "A stranger's signature says that it is the release key's.",
        aside("bad-signature"),
        |scene| {
            let mut stranger = scene.local("p256-stranger", Content::Message(ARTIFACT_BYTES));
            let own = scene.local("release", Content::Message(ARTIFACT_BYTES));
            stranger["verificationMaterial"] = own["verificationMaterial"].clone();
            scene.evidence("signature", &stranger);
        },
    ),
    Case::sound(
        "denies-wrong-use",
        "The artifact is signed by a key that trust names for attestations.",
        aside("wrong-use"),
        |scene| {
            let statement = statement::attest(
                &[crate::scene::artifact_subject()],
                laforge::evidence::predicate::COSIGN_SIGN,
                json!({}),
            );
            scene.attest("signature", "builder", &statement);
        },
    ),
    Case::sound(
        "denies-signature-by-approver",
        "The artifact is signed by a person's key.",
        aside("wrong-use"),
        |scene| {
            let bundle = scene.local("bob", Content::Message(ARTIFACT_BYTES));
            scene.evidence("signature", &bundle);
        },
    ),
    Case::sound(
        "denies-expired-key",
        "The key has expired, and nobody vouches for an earlier time.",
        aside("expired"),
        |scene| {
            validity(scene, "validUntil: 2026-03-02T11:59:59Z");
        },
    ),
    Case::sound("denies-key-not-yet-valid", "The key is not valid yet.", aside("not-yet-valid"), |scene| {
        validity(scene, "validFrom: 2026-03-02T12:00:01Z");
    }),
    Case::sound(
        "denies-revoked-key",
        "The key is revoked, and nobody vouches for an earlier time.",
        aside("revoked"),
        |scene| {
            scene.trust("revoked", "{key: trust/release.pub, since: 2026-03-01T00:00:00Z, reason: leaked}");
        },
    ),
    Case::bare(
        "denies-stamped-after-revocation",
        "A time stamp says that the signature is younger than the revocation of its key.",
        aside("revoked"),
        |scene| {
            scene.trust("revoked", "{key: trust/release.pub, since: 2026-03-01T00:00:00Z, reason: leaked}");
            let now = scene.now;
            let bundle = scene.managed("release", Content::Message(ARTIFACT_BYTES), now, Parts::stamped(now));
            scene.evidence("signature", &bundle);
            others(scene);
        },
    ),
    Case::bare(
        "denies-stamp-of-another-instance",
        "An expired key's signature has a time stamp of an instance that it does not belong to.",
        aside("bad-time-stamp"),
        |scene| {
            validity(scene, "validUntil: 2026-03-02T11:00:00Z");
            let before = scene.now - TimeDelta::days(1);
            let key = crate::scene::key("release");
            let content = Content::Message(ARTIFACT_BYTES);
            let made = scene.other.keyed(key.as_ref(), content, before, Parts::stamped(before));
            let bundle = scene.noted(made);
            scene.evidence("signature", &bundle);
            others(scene);
        },
    ),
    Case::bare(
        "denies-wrong-identity",
        "The certificate names another workflow of the same repository.",
        aside("untrusted-identity"),
        |scene| {
            let mut another = workflow();
            another.subject = another.subject.replace("release.yml", "test.yml");
            signed_by(scene, &another);
        },
    ),
    Case::bare(
        "denies-wrong-issuer",
        "The certificate names the right workflow, vouched for by another issuer.",
        aside("untrusted-identity"),
        |scene| {
            let another = Workload { issuer: "https://oidc.elsewhere.test".to_owned(), ..workflow() };
            signed_by(scene, &another);
        },
    ),
    Case::bare(
        "denies-wrong-root",
        "The right workflow and issuer, certified by an instance that trust does not name.",
        aside("another-instance"),
        |scene| {
            trust_workflow(scene);
            let (now, content) = (scene.now, Content::Message(ARTIFACT_BYTES));
            let made = scene.other.keyless(&workflow(), content, now, Parts::LOGGED);
            let bundle = scene.noted(made);
            scene.evidence("signature", &bundle);
            others(scene);
        },
    ),
    Case::bare(
        "denies-identity-of-another-root",
        "The right workflow and issuer, certified by an instance that trust names for somebody else.",
        aside("another-instance"),
        |scene| {
            trust_workflow(scene);
            let root = scene.other.trusted_root();
            scene.put("trust/other-root.json", root.to_string().as_bytes());
            scene.trust("sigstore", "{name: other, trustedRoot: trust/other-root.json}");
            let (now, content) = (scene.now, Content::Message(ARTIFACT_BYTES));
            let made = scene.other.keyless(&workflow(), content, now, Parts::LOGGED);
            let bundle = scene.noted(made);
            scene.evidence("signature", &bundle);
            others(scene);
        },
    ),
    Case::bare(
        "denies-log-entry-taken-out",
        "A keyless signature without the log's entry, whose instance demands one; the time stamp is there.",
        aside("bad-log-entry"),
        |scene| {
            let parts = Parts::stamped(scene.now);
            signed_by_workflow(scene, parts);
        },
    ),
    Case::bare(
        "denies-neither-entry-nor-stamp",
        "A keyless signature without any time that somebody vouches for.",
        aside("bad-log-entry"),
        |scene| signed_by_workflow(scene, Parts { log: Log::Absent, ..Parts::LOGGED }),
    ),
    Case::bare(
        "denies-certificate-as-managed-key",
        "The certificate is exchanged for a hint of its key, as if somebody kept that key.",
        aside("untrusted-identity"),
        |scene| {
            signed_by_workflow(scene, Parts { log: Log::Absent, ..Parts::LOGGED });
            spoil(scene, |bundle| {
                bundle["verificationMaterial"] = json!({"publicKey": {"hint": ""}});
            });
        },
    ),
    Case::bare(
        "denies-certificate-not-logged",
        "The certificate was never shown to the certificate log.",
        aside("bad-sct"),
        |scene| signed_by_workflow(scene, Parts { certificate_logged: false, ..Parts::LOGGED }),
    ),
    Case::bare(
        "denies-stamped-after-certificate-expired",
        "The time stamp is from after the certificate's ten minutes.",
        aside("bad-certificate"),
        |scene| {
            let late = scene.now + TimeDelta::minutes(11);
            signed_by_workflow(scene, Parts::logged_and_stamped(Log::First, late));
        },
    ),
    Case::bare(
        "denies-log-entry-of-another-signature",
        "The log's entry is a true one, of another signature by the same workflow.",
        aside("bad-log-entry"),
        |scene| {
            signed_by_workflow(scene, Parts::LOGGED);
            let now = scene.now;
            let another = scene.keyless(&workflow(), Content::Message(b"another file\n"), now, Parts::LOGGED);
            let entries = another["verificationMaterial"]["tlogEntries"].clone();
            spoil(scene, move |bundle| bundle["verificationMaterial"]["tlogEntries"] = entries);
        },
    ),
    Case::bare(
        "denies-integrated-time-moved",
        "The log's time is moved by a minute; its promise no longer holds.",
        aside("bad-log-entry"),
        |scene| {
            signed_by_workflow(scene, Parts::LOGGED);
            spoil(scene, |bundle| {
                let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
                let time = entry["integratedTime"].as_str().and_then(|text| text.parse::<i64>().ok());
                entry["integratedTime"] = json!((time.unwrap_or_default() + 60).to_string());
            });
        },
    ),
    Case::bare(
        "denies-inclusion-proof-altered",
        "One hash of the inclusion proof is of another tree.",
        aside("bad-log-entry"),
        |scene| {
            // A tree of one entry has an empty proof: the signature comes after another one.
            let now = scene.now;
            scene.keyless(&workflow(), Content::Message(b"another file\n"), now, Parts::LOGGED);
            signed_by_workflow(scene, Parts::LOGGED);
            spoil(scene, |bundle| {
                flip(bundle, "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0");
            });
        },
    ),
    Case::sound(
        "denies-repeated-member",
        "The bundle holds its signature twice, and readers differ on which counts.",
        aside("unreadable"),
        |scene| {
            let stranger = scene.local("p256-stranger", Content::Message(ARTIFACT_BYTES));
            let again = format!("{{\"messageSignature\":{},", stranger["messageSignature"]);
            scene.edit("evidence/signature.sigstore.json", "{", &again);
        },
    ),
    Case::sound(
        "denies-unknown-member",
        "The bundle holds a member that no version of the format has.",
        aside("unreadable"),
        |scene| scene.edit("evidence/signature.sigstore.json", "{", "{\"verified\":true,"),
    ),
    Case::sound(
        "denies-both-contents",
        "The bundle holds a message signature and an envelope.",
        aside("unreadable"),
        |scene| {
            let approval = scene.approval();
            let statement = statement::approval(&scene.release_digest(), &approval);
            let envelope = scene.local("alice", Content::Statement(&statement))["dsseEnvelope"].clone();
            spoil(scene, move |bundle| bundle["dsseEnvelope"] = envelope);
        },
    ),
    Case::sound(
        "denies-media-type-missing",
        "The bundle does not say what it is.",
        aside("unreadable"),
        |scene| {
            spoil(scene, |bundle| {
                bundle.as_object_mut().map(|members| members.remove("mediaType"));
            });
        },
    ),
    Case::sound(
        "denies-bytes-after-bundle",
        "Something follows the bundle in its file.",
        aside("unreadable"),
        |scene| {
            scene.edit("evidence/signature.sigstore.json", "{", "{} {");
        },
    ),
    Case::sound("denies-cut-bundle", "The bundle's file ends in its middle.", aside("unreadable"), |scene| {
        let path = "evidence/signature.sigstore.json";
        let bytes = scene.files().get(path).cloned().unwrap_or_default();
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
        scene.put(path, &half);
    }),
    Case::sound(
        "denies-byte-order-mark",
        "The bundle begins with a byte order mark.",
        aside("unreadable"),
        |scene| {
            scene.edit("evidence/signature.sigstore.json", "{", "\u{feff}{");
        },
    ),
];

/// None counts, since the one that there is was set aside for this.
pub(super) const fn aside(kind: &'static str) -> Expect {
    SetAside(&[SignatureMissing], kind)
}

fn signed_by(scene: &mut Scene, workload: &Workload) {
    trust_workflow(scene);
    let (now, content) = (scene.now, Content::Message(ARTIFACT_BYTES));
    let bundle = scene.keyless(workload, content, now, Parts::LOGGED);
    scene.evidence("signature", &bundle);
    others(scene);
}

pub(super) fn others(scene: &mut Scene) {
    scene.attest_build();
    scene.approve();
}

pub(super) fn validity(scene: &mut Scene, member: &str) {
    scene.edit("trust.yaml", "key: trust/release.pub", &format!("{member}, key: trust/release.pub"));
}

/// Changes the signature's bundle.
pub(super) fn spoil(scene: &mut Scene, change: impl FnOnce(&mut Value)) {
    let bytes = scene.files().get("evidence/signature.sigstore.json").cloned().unwrap_or_default();
    let mut bundle = serde_json::from_slice(&bytes).unwrap_or_default();
    change(&mut bundle);
    scene.evidence("signature", &bundle);
}

/// Flips a bit near the middle of a base64 text.
fn flip(bundle: &mut Value, pointer: &str) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let Some(member) = bundle.pointer_mut(pointer) else { return *bundle = Value::Null };
    let mut bytes = member.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    *member = json!(STANDARD.encode(bytes));
}
