//! The gate over evidence of a real instance: allowed as it is, denied in every near miss.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::instance::Instance;
use super::issuer::{CI, OTHER, PEOPLE};
use super::namespace::within;
use super::parts::tell;
use super::repository::{COMMIT, PROVENANCE, Repository, SIGNATURE, job, trust};

/// One near miss: what it is, what is done to the allowed repository, the rules that deny, and the kind of reason for
/// which a piece of evidence is set aside (none where the release itself is wrong).
type NearMiss = (&'static str, fn(&Repository, &Instance<'_>), &'static [&'static str], Option<&'static str>);

const NEAR_MISSES: &[NearMiss] = &[
    (
        "signed by the same address of another issuer",
        |repository, instance| repository.sign(instance, &instance.issuer.person(OTHER, "release@acme.test")),
        &["signature-missing"],
        Some("untrusted-identity"),
    ),
    (
        "approved by one person twice, by key and keyless",
        |repository, instance| {
            repository.approve(instance, &instance.issuer.person(PEOPLE, "carol@acme.test"), "bob");
        },
        &["approval-threshold"],
        Some("superseded"),
    ),
    (
        "approved by a stranger",
        |repository, instance| {
            repository.approve(instance, &instance.issuer.person(PEOPLE, "mallory@acme.test"), "bob");
        },
        &["approval-threshold"],
        Some("untrusted-identity"),
    ),
    (
        "approved by people whom trust names under the public root",
        |repository, _| repository.write("trust.yaml", trust("public-good").as_bytes()),
        &["approval-threshold"],
        Some("another-instance"),
    ),
    (
        "built from another commit, by the certificate",
        |repository, instance| {
            let other = job("0000000000000000000000000000000000000000", "github-hosted");
            repository.attest(instance, &instance.issuer.token(CI, &other));
        },
        &["claims-mismatch", "provenance-missing"],
        Some("claims-mismatch"),
    ),
    (
        "built on a runner of one's own, by the certificate",
        |repository, instance| {
            repository.attest(instance, &instance.issuer.token(CI, &job(COMMIT, "self-hosted")));
        },
        &["claims-mismatch", "provenance-missing"],
        Some("claims-mismatch"),
    ),
    (
        "built by a person who writes what the builder writes",
        |repository, instance| {
            repository.attest(instance, &instance.issuer.person(PEOPLE, "alice@acme.test"))
        },
        &["provenance-missing"],
        Some("wrong-use"),
    ),
    (
        "the signature's log entry stripped",
        |repository, _| {
            repository.change(SIGNATURE, |bundle| bundle["verificationMaterial"]["tlogEntries"] = json!([]));
        },
        &["signature-missing"],
        Some("bad-log-entry"),
    ),
    (
        "the signature's time stamp swapped for another's",
        |repository, _| {
            let stamps =
                repository.json(PROVENANCE)["verificationMaterial"]["timestampVerificationData"].clone();
            repository.change(SIGNATURE, |bundle| {
                bundle["verificationMaterial"]["timestampVerificationData"] = stamps;
            });
        },
        &["signature-missing"],
        Some("bad-time-stamp"),
    ),
    (
        "the signature's time stamp taken away",
        |repository, _| {
            repository.change(SIGNATURE, |bundle| {
                bundle["verificationMaterial"]["timestampVerificationData"] =
                    json!({"rfc3161Timestamps": []});
            });
        },
        &["signature-missing"],
        Some("no-trusted-time"),
    ),
    (
        "another artifact under the same name",
        |repository, _| repository.write("artifacts/payments.tar.gz", b"payments 2.4.1"),
        &["artifact-digest"],
        None,
    ),
];

#[test]
fn a_release_signed_without_keys_is_allowed_and_every_near_miss_denied() {
    within("gate::a_release_signed_without_keys_is_allowed_and_every_near_miss_denied", |parts| {
        let instance = Instance::start(parts);
        let repository = Repository::of(&instance);
        repository.sign_all(&instance);
        allowed(&repository.fork());
        expired(&repository);
        tell("\nwhat laforge's gate makes of it\nallowed  as it was signed\n");
        for (what, change, rules, kind) in NEAR_MISSES {
            let near = repository.fork();
            change(&near, &instance);
            let (found, aside) = denied(&near, what);
            assert_eq!(Vec::from_iter(&found), Vec::from_iter(*rules), "{what}; set aside: {aside:?}");
            assert_eq!(Vec::from_iter(&aside), Vec::from_iter(kind), "{what}");
            tell(&format!(
                "denied   {what}: {}; {}\n",
                rules.join(", "),
                kind.unwrap_or("nothing is set aside")
            ));
        }
    });
}

/// Allows, with a plan, and the certificate's claims among the facts.
fn allowed(repository: &Repository) {
    let run =
        repository.laforge(&["deploy", "--audit-init", "-o", "plan.json", "--report", "json=report.json"]);
    run.ends(0);
    assert!(fs::metadata(repository.path("plan.json")).is_ok());
    let facts = &repository.json("report.json")["facts"];
    let provenance = &facts["artifacts"][0]["provenances"][0];
    assert_eq!(provenance["repository"], "https://github.com/acme/payments", "{facts}");
    assert_eq!(provenance["ref"], "refs/tags/v2.4.0", "{facts}");
    assert_eq!(provenance["commit"], COMMIT, "{facts}");
    assert_eq!(provenance["hosted"], true, "{facts}");
    assert_eq!(provenance["level"], 3, "{facts}");
    let people: Vec<&Value> = facts["approvals"].as_array().unwrap().iter().map(|it| &it["person"]).collect();
    assert_eq!(people.len(), 3, "{facts}");
}

/// The same evidence a day later: approvals end.
fn expired(repository: &Repository) {
    let later = chrono::Utc::now() + chrono::Duration::hours(25);
    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    repository.laforge(&["verify", "--now", &later]).ends(10).says("approval-threshold");
}

/// Denies on the record; the rules that deny, and the kinds of reasons for which evidence was set aside.
#[track_caller]
fn denied(repository: &Repository, what: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let run =
        repository.laforge(&["deploy", "--audit-init", "-o", "plan.json", "--report", "json=report.json"]);
    assert_eq!(run.code, 10, "{what}: {}", run.stderr);
    assert!(fs::metadata(repository.path("plan.json")).is_err(), "{what}: a plan");
    let report = repository.json("report.json");
    let listed = |list: &str, member: &str| {
        let list = report[list].as_array().unwrap();
        list.iter().map(|it| it[member].as_str().unwrap_or_default().to_owned()).collect()
    };
    (listed("findings", "rule"), listed("setAside", "kind"))
}
