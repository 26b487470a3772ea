//! Witnesses that vouch for nothing: certificates, logs and time stamps that don't hold, or not then.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::Case;
use super::Expect::Allows;
use super::kinds::signed_by_workflow;
use super::signatures::{aside, others, spoil, validity};
use crate::authority::{Authority, Content, Format, Log, Parts};
use crate::certificate::{CODE_SIGNING, TIME_STAMPING, Usage};
use crate::scene::{ARTIFACT_BYTES, Scene, workflow};

pub(super) const CASES: &[Case] = &[
    Case::bare(
        "denies-second-stamp-after-certificate-expired",
        "Of two time stamps one is from the certificate's ten minutes, and the other from after them.",
        aside("bad-certificate"),
        |scene| {
            let (now, late) = (scene.now, scene.now + TimeDelta::minutes(11));
            signed_by_workflow(scene, Parts::logged_and_stamped(Log::First, now));
            let again = Parts::logged_and_stamped(Log::First, late);
            let later = scene.keyless(&workflow(), Content::Message(ARTIFACT_BYTES), now, again);
            spoil(scene, |bundle| {
                let stamps = [first_stamp(bundle), first_stamp(&later)];
                restamp(bundle, &stamps);
            });
        },
    ),
    Case::bare(
        "denies-stamp-of-retired-authority",
        "The time stamp is from after its authority's last day, and another authority is in service.",
        aside("bad-time-stamp"),
        |scene| {
            retire(scene, "2026-03-01T00:00:00Z");
            let now = scene.now;
            signed_by_workflow(scene, Parts::logged_and_stamped(Log::Second, now));
        },
    ),
    Case::bare(
        "allows-stamp-of-authority-retired-since",
        "The time stamp is from before its authority's last day.",
        Allows,
        |scene| {
            retire(scene, "2026-03-03T00:00:00Z");
            let now = scene.now;
            signed_by_workflow(scene, Parts::logged_and_stamped(Log::Second, now));
        },
    ),
    Case::bare(
        "denies-stamp-by-code-signing-certificate",
        "The time stamp authority of trust has a certificate for signing code.",
        aside("bad-time-stamp"),
        |scene| stamped_with(scene, &[CODE_SIGNING], Usage::Critical),
    ),
    Case::bare(
        "denies-stamp-by-certificate-of-two-uses",
        "The time stamp authority of trust has a certificate that is for signing code as well.",
        aside("bad-time-stamp"),
        |scene| stamped_with(scene, &[TIME_STAMPING, CODE_SIGNING], Usage::Critical),
    ),
    Case::bare(
        "denies-stamp-by-certificate-of-uncritical-use",
        "The time stamp authority of trust has a certificate whose use everybody may pass over.",
        aside("bad-time-stamp"),
        |scene| stamped_with(scene, &[TIME_STAMPING], Usage::Noted),
    ),
    Case::bare(
        "denies-stamp-over-another-signature",
        "The time stamp is a true one, over another signature.",
        aside("bad-time-stamp"),
        |scene| {
            let now = scene.now;
            let parts = Parts::logged_and_stamped(Log::Second, now);
            signed_by_workflow(scene, parts);
            let another = scene.keyless(&workflow(), Content::Message(b"another file\n"), now, parts);
            spoil(scene, |bundle| restamp(bundle, &[first_stamp(&another)]));
        },
    ),
    Case::bare(
        "denies-authority-expired-before-its-certificate",
        "The certificate is in date, and that of the authority that issued it is not any more.",
        aside("bad-certificate"),
        |scene| {
            let end = scene.now - TimeDelta::hours(1);
            scene.acme = Authority::named("acme").certifying_until(end);
            trust_acme(scene);
            signed_by_workflow(scene, Parts::LOGGED);
        },
    ),
    Case::bare(
        "denies-unnamed-root-expired-before-its-certificate",
        "The certificate is in date, and the root above its authority, which doesn't say which key is its own, is not.",
        aside("bad-certificate"),
        |scene| {
            let end = scene.now - TimeDelta::hours(1);
            scene.acme = Authority::named("acme").under_unnamed_root_until(end);
            trust_acme(scene);
            signed_by_workflow(scene, Parts::LOGGED);
        },
    ),
    Case::bare(
        "allows-unnamed-root-in-date",
        "The root above the authority doesn't say which key is its own, and is in date.",
        Allows,
        |scene| {
            let end = scene.now + TimeDelta::hours(1);
            scene.acme = Authority::named("acme").under_unnamed_root_until(end);
            trust_acme(scene);
            signed_by_workflow(scene, Parts::LOGGED);
        },
    ),
    Case::bare(
        "denies-name-outside-its-authoritys-constraints",
        "The authority may certify names of another host alone.",
        aside("bad-certificate"),
        |scene| {
            scene.acme = Authority::named("acme").certifying_only("elsewhere.test");
            trust_acme(scene);
            signed_by_workflow(scene, Parts::LOGGED);
        },
    ),
    Case::bare(
        "denies-log-time-from-the-future",
        "The log's time is two minutes ahead of the gate's clock.",
        aside("bad-time-stamp"),
        |scene| {
            let ahead = scene.now + TimeDelta::minutes(2);
            super::kinds::trust_workflow(scene);
            let bundle = scene.keyless(&workflow(), Content::Message(ARTIFACT_BYTES), ahead, Parts::LOGGED);
            scene.evidence("signature", &bundle);
            others(scene);
        },
    ),
    Case::bare(
        "denies-log-time-that-nobody-signed",
        "The log's promise, which alone signs its time, is taken out; the proof of inclusion is there.",
        aside("no-trusted-time"),
        |scene| {
            signed_by_workflow(scene, Parts::LOGGED.in_format(Format::V02));
            spoil(scene, |bundle| {
                let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
                entry.as_object_mut().map(|members| members.remove("inclusionPromise"));
                let time = entry["integratedTime"].as_str().and_then(|text| text.parse::<i64>().ok());
                entry["integratedTime"] = json!((time.unwrap_or_default() + 60).to_string());
            });
        },
    ),
    Case::bare(
        "denies-one-log-entry-good-and-one-bad",
        "Of two entries of the log one is of another signature.",
        aside("bad-log-entry"),
        |scene| {
            signed_by_workflow(scene, Parts::LOGGED);
            let now = scene.now;
            let another = scene.keyless(&workflow(), Content::Message(b"another file\n"), now, Parts::LOGGED);
            let entry = another["verificationMaterial"]["tlogEntries"][0].clone();
            spoil(scene, |bundle| {
                let entries = bundle["verificationMaterial"]["tlogEntries"].as_array_mut();
                entries.into_iter().for_each(|entries| entries.push(entry.clone()));
            });
        },
    ),
    Case::bare(
        "denies-stamped-after-key-ended",
        "A time stamp says that the signature is younger than the key's last day.",
        aside("expired"),
        |scene| {
            validity(scene, "validUntil: 2026-03-01T00:00:00Z");
            stamped_by_key(scene);
        },
    ),
    Case::bare(
        "denies-stamped-before-key-began",
        "A time stamp says that the signature is older than the key's first day, which has come since.",
        aside("not-yet-valid"),
        |scene| {
            validity(scene, "validFrom: 2026-03-02T11:59:00Z");
            stamped_by_key(scene);
        },
    ),
];

/// Five minutes before the gate looks.
fn stamped_by_key(scene: &mut Scene) {
    let before = scene.now - TimeDelta::minutes(5);
    let bundle = scene.managed("release", Content::Message(ARTIFACT_BYTES), before, Parts::stamped(before));
    scene.evidence("signature", &bundle);
    others(scene);
}

fn stamped_with(scene: &mut Scene, usages: &[&str], usage: Usage) {
    scene.acme = Authority::named("acme").stamping_with(usages, usage);
    trust_acme(scene);
    let now = scene.now;
    signed_by_workflow(scene, Parts::logged_and_stamped(Log::Second, now));
}

fn trust_acme(scene: &mut Scene) {
    let root = scene.acme.trusted_root();
    scene.put("trust/acme-root.json", root.to_string().as_bytes());
}

/// Gives the time stamp authority of trust a last day, and a successor without one.
fn retire(scene: &mut Scene, end: &str) {
    let mut root = scene.acme.trusted_root();
    root["timestampAuthorities"][0]["validFor"]["end"] = json!(end);
    let successor = scene.other.trusted_root()["timestampAuthorities"][0].clone();
    if let Some(authorities) = root["timestampAuthorities"].as_array_mut() {
        authorities.push(successor);
    }
    scene.put("trust/acme-root.json", root.to_string().as_bytes());
}

/// Replaces the list of time stamps.
fn restamp(bundle: &mut Value, stamps: &[Value]) {
    bundle["verificationMaterial"]["timestampVerificationData"] = json!({"rfc3161Timestamps": stamps});
}

fn first_stamp(bundle: &Value) -> Value {
    bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0].clone()
}
