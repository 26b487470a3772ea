//! Keys that sign payloads without their type, and the two forms of ECDSA over an envelope.

use super::*;
use crate::evidence::limits::SUBJECTS;

const RAW: &str = "\
signers:
  - {name: builder, use: attestation, key: ci.pub, rawPayload: true, keyId: 'kms://one', predicateTypes: [https://p]}
  - {name: scanner, use: attestation, key: scanner.pub}
people:
  - {name: alice, roles: [release-manager], identities: [{key: alice.pub}]}
";

/// An envelope whose signature is over these bytes, whatever they are.
fn signed_over(payload: &[u8], over: &[u8], hint: &str, key: &SecretKey) -> Vec<u8> {
    let value = json!({"payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(payload),
                       "signatures": [{"keyid": hint, "sig": STANDARD.encode(key.sign(over).unwrap())}]});
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn counts_a_raw_payload_only_for_the_signer_that_is_said_to_sign_so_and_a_pae_then_not() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(RAW), cast.store.release("app"));
    let statement = statement("https://p", APP);
    let raw = |key: &SecretKey, hint: &str| signed_over(&statement, &statement, hint, key);
    let authenticated = ask(&trust, &release, raw(&cast.ci, "kms://one"), now()).unwrap();
    assert_eq!(signed(&authenticated).standing, Standing::Signers(vec!["builder".to_owned()]));
    for (key, hint) in [(&cast.ci, "kms://other"), (&cast.ci, ""), (&cast.scanner, ""), (&cast.alice, "")] {
        assert!(ask(&trust, &release, raw(key, hint), now()).is_err(), "{hint}");
    }
    let by_pae = envelope(&statement, "kms://one", &cast.ci);
    assert!(matches!(ask(&trust, &release, by_pae, now()), Err(Rejection::BadSignature { .. })));
}

#[test]
fn a_raw_payload_is_no_other_kind_of_evidence() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(RAW), cast.store.release("app"));
    // Another type than those listed; and one that is a signature over an artifact.
    for other in
        ["https://q", "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/verification_summary/v1"]
    {
        let statement = statement(other, APP);
        wrong_use(ask(&trust, &release, signed_over(&statement, &statement, "kms://one", &cast.ci), now()));
    }
    // A file that it signed is not an artifact that it signed; a bundle around it is no witness.
    assert!(ask(&trust, &release, message(APP, &cast.ci), now()).is_err());
    let statement = statement("https://p", APP);
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "kms://one"}},
        "dsseEnvelope": serde_json::from_slice::<Value>(&signed_over(&statement, &statement, "", &cast.ci)).unwrap(),
    });
    assert!(ask(&trust, &release, bundle.to_string().into_bytes(), now()).is_err());
}

#[test]
fn takes_ecdsa_in_both_its_forms_over_an_envelope() {
    use crate::key::message::{Form, Message};
    use p256::ecdsa::signature::Signer as _;
    use p256::pkcs8::EncodePublicKey as _;
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap();
    let public = crate::key::PublicKey::from_spki(spki.as_bytes()).unwrap();
    let message = pae(PAYLOAD_TYPE, b"{}");
    let signature: p256::ecdsa::Signature = key.sign(&message);
    let (fixed, der) = (signature.to_bytes().to_vec(), signature.to_der().as_bytes().to_vec());
    let made =
        |over: &[u8], signature: &[u8], form| Message::of(over).verify(&public, signature, form).is_ok();
    assert!(made(&message, &fixed, Form::Either) && made(&message, &der, Form::Either));
    assert!(made(&message, &der, Form::Asn1));
    assert!(!made(&message, &fixed, Form::Asn1), "a log's signature has one form");
    assert!(!made(b"other", &fixed, Form::Either) && !made(&message, &fixed[1..], Form::Either));
}

#[test]
fn refuses_payloads_that_are_no_statement() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let mut other: Value = serde_json::from_slice(&envelope(&statement("p", APP), "", &cast.ci)).unwrap();
    other["payloadType"] = json!("text/plain");
    let many = json!(vec![json!({"digest": {"sha256": Digest::of_bytes(APP).hex()}}); SUBJECTS + 1]);
    let mut crowded: Value = serde_json::from_slice(&statement("p", APP)).unwrap();
    crowded["subject"] = many;
    let mut odd: Value = serde_json::from_slice(&statement("p", APP)).unwrap();
    odd["subject"] = json!([odd["subject"][0], {"digest": {"sha256": "AB"}}]);
    let whole = |value: &Value| serde_json::to_vec(value).unwrap();
    let two = [statement("p", APP), b"{}".to_vec()].concat();
    for payload in [b"{}".to_vec(), two, whole(&crowded), whole(&odd)] {
        // Of somebody whom trust names it may be a no; of a stranger it is nothing.
        for key in [&cast.ci, &cast.scanner, &cast.alice] {
            let rejection = ask(&trust, &release, envelope(&payload, "", key), now()).unwrap_err();
            assert!(matches!(rejection, Rejection::Unheard { .. }), "{rejection:?}");
        }
        let rejection = ask(&trust, &release, envelope(&payload, "", &ed25519(9)), now()).unwrap_err();
        assert!(matches!(rejection, Rejection::Unreadable { .. }), "{rejection:?}");
    }
    let rejection = ask(&trust, &release, whole(&other), now()).unwrap_err();
    assert!(matches!(rejection, Rejection::Unreadable { .. }), "{rejection:?}");
}
