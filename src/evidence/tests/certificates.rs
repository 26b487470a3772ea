//! Real bundles of the corpus, held against trust: identities, their own root, their proved time.

use super::*;
use crate::evidence::bundle::corpus;

/// A case of the corpus as release, evidence and trust; `None` without the corpus.
fn real(id: &str, signer: &str) -> Option<(TrustRoot, ResolvedRelease, Vec<u8>)> {
    let case = corpus::case(id)?;
    let file = |role| case.file(role).unwrap();
    let mut store = Files::of(&[("app", &file("artifact")), ("root.json", &file("trusted_root"))]);
    if let Some(key) = case.file("key") {
        store.0.insert("key.pub".to_owned(), key);
    }
    Some((store.trust(signer), store.release("app"), file("bundle")))
}

const BEACON: &str = "issuer: 'https://token.actions.githubusercontent.com', subject: \
    'pattern:https://github.com/sigstore-conformance/*/.github/workflows/*@refs/heads/main'";

fn beacon(root: &str, more: &str) -> String {
    format!(
        "sigstore: [{{name: beacons, trustedRoot: root.json}}, {{name: hub, instance: github}}]\nsigners: [{{name: \
         beacon, use: [artifact, attestation], identity: {{root: {root}, {BEACON}}}}}]\n{more}"
    )
}

#[test]
fn counts_a_certificate_for_identities_of_its_own_root_at_its_proved_time() {
    for (id, root) in [("conf-happy-path-v0.3", "beacons"), ("conf-happy-path-intoto-in-dsse-v3", "beacons")]
    {
        let Some((trust, release, bundle)) = real(id, &beacon(root, "")) else { return };
        let authenticated = ask(&trust, &release, bundle, now()).unwrap();
        let signed = signed(&authenticated);
        assert_eq!(signed.standing, Standing::Signers(vec!["beacon".to_owned()]));
        assert!(signed.trusted_time.is_some_and(|at| at < now()));
        let SignedBy::Certificate { claims, .. } = &signed.by else { panic!("{:?}", signed.by) };
        assert_eq!(claims["runnerEnvironment"], "github-hosted");
    }
}

#[test]
fn changes_nothing_about_a_real_bundle_that_it_takes_with_a_byte_flipped() {
    for id in ["conf-happy-path-intoto-in-dsse-v3", "conf-happy-path-v0.3"] {
        let Some((trust, release, bundle)) = real(id, &beacon("beacons", "")) else { return };
        let authenticator = Authenticator::new(&trust);
        let told = |bytes: Vec<u8>| {
            let evidence = Evidence::parse("test", bytes).ok()?;
            let authenticated = authenticator.authenticate(&evidence, &release, now()).ok()?;
            let said = match &authenticated {
                Authenticated::Statement(attestation) => format!("{:?}", attestation.statement()),
                Authenticated::Artifact(signature) => format!("{:?}", signature.artifacts()),
            };
            let Signed { standing, by, trusted_time, .. } = signed(&authenticated).clone();
            Some((said, standing, by, trusted_time))
        };
        let whole = told(bundle.clone()).unwrap();
        for at in (0..bundle.len()).step_by(13) {
            let mut mutant = bundle.clone();
            mutant[at] ^= 1;
            if let Some(other) = told(mutant) {
                assert_eq!(other, whole, "{id}, byte {at}");
            }
        }
    }
}

#[test]
fn refuses_an_identity_under_another_root_than_its_own() {
    let Some((trust, release, bundle)) = real("conf-happy-path-v0.3", &beacon("hub", "")) else { return };
    // `public-good` is there by itself and verifies it; the identity is of `hub`.
    let rejection = ask(&trust, &release, bundle, now()).unwrap_err();
    assert!(
        matches!(&rejection, Rejection::AnotherInstance { wanted, .. } if wanted == "`hub`"),
        "{rejection:?}"
    );
    let id = "conf-bundle-from-wrong-instance_fail";
    let Some((trust, release, bundle)) = real(id, &beacon("beacons", "")) else { return };
    let rejection = ask(&trust, &release, bundle, now()).unwrap_err();
    assert!(matches!(rejection, Rejection::AnotherInstance { .. }), "{rejection:?}");
}

#[test]
fn refuses_a_certificate_bundle_whose_log_entries_were_stripped() {
    let Some((trust, release, bundle)) = real("conf-happy-path-v0.3", &beacon("beacons", "")) else { return };
    let mut stripped: Value = serde_json::from_slice(&bundle).unwrap();
    stripped["verificationMaterial"]["tlogEntries"] = json!([]);
    let rejection = ask(&trust, &release, serde_json::to_vec(&stripped).unwrap(), now()).unwrap_err();
    assert!(matches!(rejection, Rejection::BadMaterial { part: "log entry", .. }), "{rejection:?}");
}

#[test]
fn judges_certificates_and_revocation_at_the_proved_time() {
    let subject = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/\
                   workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
    let revoked = |since: &str| {
        let who = format!("issuer: 'https://token.actions.githubusercontent.com', subject: '{subject}'");
        beacon("beacons", &format!("revoked: [{{{who}, since: {since}, reason: leaked}}]\n"))
    };
    let id = "conf-happy-path-v0.3";
    let Some((trust, release, bundle)) = real(id, &revoked("2026-01-01T00:00:00Z")) else { return };
    let signed_at = signed(&ask(&trust, &release, bundle.clone(), now()).unwrap()).trusted_time.unwrap();
    let early = signed_at - chrono::TimeDelta::seconds(61);
    let rejection = ask(&trust, &release, bundle.clone(), early).unwrap_err();
    assert!(matches!(rejection, Rejection::BadMaterial { part: "time stamp", .. }), "{rejection:?}");
    let Some((trust, ..)) = real(id, &revoked("2020-01-01T00:00:00Z")) else { return };
    let rejection = ask(&trust, &release, bundle, now()).unwrap_err();
    assert!(matches!(rejection, Rejection::Revoked { .. }), "{rejection:?}");
}

#[test]
fn trusts_the_time_of_a_managed_key_only_from_its_own_root() {
    let signer = |root: &str| {
        format!(
            "sigstore: [{{name: beacons, trustedRoot: root.json}}, {{name: hub, instance: github}}]\n\
             signers: [{{name: managed, use: artifact, key: key.pub, root: {root}}}]\n"
        )
    };
    let id = "conf-managed-key-and-trusted-root";
    let Some((trust, release, bundle)) = real(id, &signer("beacons")) else { return };
    let authenticated = ask(&trust, &release, bundle.clone(), now()).unwrap();
    assert!(signed(&authenticated).trusted_time.is_some());
    let Some((elsewhere, ..)) = real(id, &signer("hub")) else { return };
    let rejection = ask(&elsewhere, &release, bundle.clone(), now()).unwrap_err();
    assert!(matches!(rejection, Rejection::BadMaterial { part: "log entry", .. }), "{rejection:?}");
    let mut bare: Value = serde_json::from_slice(&bundle).unwrap();
    bare["verificationMaterial"]["tlogEntries"] = json!([]);
    bare["verificationMaterial"]["timestampVerificationData"] = json!({});
    let authenticated = ask(&trust, &release, serde_json::to_vec(&bare).unwrap(), now()).unwrap();
    assert_eq!(
        signed(&authenticated).trusted_time,
        None,
        "without witnesses it is judged at the gate's time"
    );
}
