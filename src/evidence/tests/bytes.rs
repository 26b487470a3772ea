//! Signatures over the bytes of an artifact that no digest stands for, and detached ones.

use std::collections::BTreeMap;

use super::*;
use crate::evidence::effort::Untried;
use crate::evidence::{BytesOf, Unreadable, limits};

/// A P-384 key and its signature over [`APP`], by `openssl dgst -sha384 -sign`.
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE6ozmGqrtgx/kPLIjG0AaD1Q7+acaL119
tPvtwfTAEoewznl5N124DzMUUuFtNA2KuXxMNNfE42UDmcI7nYeTpgD41hnZAF2S
g7+vLVsxzYsJnjrWLG2yBRDAEusZUlXI
-----END PUBLIC KEY-----
";
const P384_SIGNATURE: &str = "MGUCMCfq+jukeknxJyVCJb4eC1YRrDNrvbjo16KortALQfpo2vkv+a/fkQGUeSzZL1DJ4gIxAIv86qZXHGjUMNErTofjNWroO8NK9qfx3CUvDUMnr9rVxKCB7X5apIyMDPBjSWNRBg==";

const P384_SIGNERS: &str = "signers:\n  - {name: files, use: artifact, key: p384.pub}\n";

/// Files in which a P-384 key signs [`APP`].
fn p384(bytes: &str) -> Files {
    let mut store = Files(BTreeMap::new());
    store.0.insert("p384.pub".to_owned(), P384.as_bytes().to_vec());
    store.0.insert("app".to_owned(), APP.to_vec());
    store.0.insert("other".to_owned(), b"another app".to_vec());
    for marker in match bytes {
        "elsewhere" => &["no-bytes"][..],
        "in sha256" => &["sha256-alone"],
        "nowhere" => &["no-bytes", "sha256-alone"],
        _ => &[],
    } {
        store.0.insert((*marker).to_owned(), Vec::new());
    }
    store
}

/// The bundle of a P-384 signature, naming a digest of the artifact.
fn p384_bundle(algorithm: &str, digest: &[u8]) -> Vec<u8> {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": ""}},
        "messageSignature": {
            "messageDigest": {"algorithm": algorithm, "digest": STANDARD.encode(digest)},
            "signature": P384_SIGNATURE,
        },
    })
    .to_string()
    .into_bytes()
}

fn sha384(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha384::digest(bytes).to_vec()
}

fn standing(result: Result<Authenticated, Rejection>) -> Standing {
    signed(&result.unwrap()).standing.clone()
}

fn detached(name: &str, signature: &[u8]) -> Vec<u8> {
    Evidence::detached(name, signature).unwrap().unwrap()
}

#[test]
fn takes_an_ed25519_signature_over_the_bytes_and_none_over_others() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let edwards = Standing::Signers(vec!["edwards".to_owned()]);
    assert_eq!(standing(ask(&trust, &release, message(APP, &cast.edwards), now())), edwards);
    let mut forged: Value = serde_json::from_slice(&message(APP, &cast.edwards)).unwrap();
    let other = STANDARD.encode(cast.edwards.sign(b"another app").unwrap());
    forged["messageSignature"]["signature"] = json!(other);
    let rejection = ask(&trust, &release, forged.to_string().into_bytes(), now()).unwrap_err();
    assert!(matches!(rejection, Rejection::BadSignature { .. }), "{rejection:?}");
}

#[test]
fn says_why_there_are_no_bytes_to_hold_a_signature_against() {
    let mut cast = cast();
    cast.store.0.insert("no-bytes".to_owned(), Vec::new());
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    assert_eq!(
        wrong_use(ask(&trust, &release, message(APP, &cast.edwards), now())),
        format!(
            "wanted a message signature by a P-256 key, got one by `{}`, which only the artifact's bytes could \
             verify, and there is no room to hold it in memory: sign it as a DSSE statement",
            cast.edwards.public().id()
        )
    );
    assert!(ask(&trust, &release, message(APP, &cast.files), now()).is_ok(), "P-256 needs no bytes");
    let unhinted = detached("app.sig", &cast.edwards.sign(APP).unwrap());
    let detail = wrong_use(ask(&trust, &release, unhinted, now()));
    assert!(detail.ends_with("by an Ed25519 or P-384 key, and there is no room to hold it in memory"));
}

#[test]
fn takes_a_p384_signature_by_the_bytes_or_by_their_sha384() {
    let files = Standing::Signers(vec!["files".to_owned()]);
    for (bytes, bundle) in [
        ("here", p384_bundle("SHA2_256", Digest::of_bytes(APP).as_bytes())),
        ("here", p384_bundle("SHA2_384", &sha384(APP))),
        ("elsewhere", p384_bundle("SHA2_384", &sha384(APP))),
        ("here", detached("app.sig", P384_SIGNATURE.as_bytes())),
        ("elsewhere", detached("app.sig", P384_SIGNATURE.as_bytes())),
        ("in sha256", p384_bundle("SHA2_256", Digest::of_bytes(APP).as_bytes())),
    ] {
        let store = p384(bytes);
        let release = store.release("app");
        assert_eq!(standing(ask(&store.trust(P384_SIGNERS), &release, bundle, now())), files, "{bytes}");
    }
    let store = p384("nowhere");
    let (trust, release) = (store.trust(P384_SIGNERS), store.release("app"));
    let by_sha256 = p384_bundle("SHA2_256", Digest::of_bytes(APP).as_bytes());
    assert!(wrong_use(ask(&trust, &release, by_sha256, now())).contains("no room"));
    let store = p384("elsewhere");
    let (trust, other) = (store.trust(P384_SIGNERS), store.release("other"));
    let of_another = p384_bundle("SHA2_384", &sha384(b"another app"));
    let rejection = ask(&trust, &other, of_another, now()).unwrap_err();
    assert!(matches!(rejection, Rejection::WrongUse { .. } | Rejection::UntrustedIdentity { .. }));
}

#[test]
fn a_detached_signature_is_over_the_artifact_that_its_file_is_named_after() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let by = |key: &SecretKey, over: &[u8], name: &str| {
        ask(&trust, &release, detached(name, &key.sign(over).unwrap()), now())
    };
    assert_eq!(standing(by(&cast.files, APP, "app.sig")), Standing::Signers(vec!["files".to_owned()]));
    assert_eq!(standing(by(&cast.edwards, APP, "app.sig")), Standing::Signers(vec!["edwards".to_owned()]));
    assert_eq!(
        by(&cast.files, APP, "other.sig").unwrap_err(),
        Rejection::WrongSubject { got: "a detached signature over `other`".to_owned() }
    );
    assert!(by(&cast.files, b"another app", "app.sig").is_err());
    assert_eq!(wrong_use(by(&cast.ci, APP, "app.sig")), "wanted a signer with `use: artifact`, got `ci`");
    assert!(wrong_use(by(&cast.images, APP, "app.sig")).contains("got `images`"));
    assert!(wrong_use(by(&cast.alice, APP, "app.sig")).contains("the person `alice`"));
}

#[test]
fn a_detached_signature_over_what_is_something_else_counts_for_neither() {
    let cast = cast();
    let trust = cast.store.trust(SIGNERS);
    for artifact in ["pae", "simple"] {
        let signature = cast.edwards.sign(&cast.store.0[artifact]).unwrap();
        let release = cast.store.release(artifact);
        let detail = wrong_use(ask(&trust, &release, detached("app.sig", &signature), now()));
        assert!(detail.starts_with("wanted an artifact that is nothing but one"), "{detail}");
    }
}

#[test]
fn wants_the_bytes_of_what_a_key_without_digest_may_have_signed_and_of_nothing_else() {
    let cast = cast();
    let trust = cast.store.trust(SIGNERS);
    let wants = |bytes: Vec<u8>| Evidence::parse("test", bytes).unwrap().wants_bytes(&trust);
    let read = ArtifactDigest::of(APP, Algorithms::Sha256);
    let other = ArtifactDigest::of(b"another app", Algorithms::Sha256);
    let wanted = wants(message(APP, &cast.edwards)).unwrap();
    assert!(wanted.means("app", &read) && !wanted.means("app", &other));
    assert!(wants(message(APP, &cast.files)).is_none());
    assert!(wants(envelope(&statement("p", APP), "", &cast.edwards)).is_none());
    let beside = wants(detached("app.sig", &[1; 64])).unwrap();
    assert!(matches!(&beside, BytesOf::Named(name) if name == "app"));
    assert!(beside.means("app", &other) && !beside.means("other", &read));
}

#[test]
fn nobody_but_signers_of_files_makes_the_gate_hold_the_bytes_of_one() {
    let cast = cast();
    let others = SIGNERS.replace("  - {name: edwards, use: artifact, key: edwards.pub}\n", "");
    let trust = cast.store.trust(&others);
    for bytes in [detached("app.sig", &[1; 64]), message(APP, &cast.alice), message(APP, &cast.ci)] {
        assert!(Evidence::parse("test", bytes).unwrap().wants_bytes(&trust).is_none());
    }
}

/// A store whose artifact is too large to be hashed for a reason's sake.
fn large() -> (Cast, Vec<u8>) {
    let mut cast = cast();
    let app = vec![7; 300 << 10];
    cast.store.0.insert("app".to_owned(), app.clone());
    (cast, app)
}

#[test]
fn junk_beside_a_large_artifact_is_held_against_keys_that_sign_files_alone() {
    let (cast, app) = large();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let authenticator = Authenticator::new(&trust);
    let costs = |bytes| authenticator.costs(&Evidence::parse("test", bytes).unwrap(), &release);
    // One Ed25519 key signs files; those of people and builders are none of a file's business.
    assert_eq!(costs(detached("app.sig", &[1; 64])), app.len() as u64);
    assert_eq!(costs(message(&app, &cast.alice)), app.len() as u64, "a hint is nobody's word");
    // What is over its own bytes is bounded by them, and so is what is over no artifact of the release.
    assert_eq!(costs(envelope(&statement("p", &app), "", &cast.edwards)), 0);
    assert_eq!(costs(detached("other.sig", &[1; 64])), 0);
    // Whose key it is is then not found out, and that is said.
    let by = |key: &SecretKey| ask(&trust, &release, detached("app.sig", &key.sign(&app).unwrap()), now());
    let got = "a key that no signer with `use: artifact` has".to_owned();
    assert_eq!(by(&cast.alice).unwrap_err(), Rejection::UntrustedIdentity { got });
    assert_eq!(standing(by(&cast.edwards)), Standing::Signers(vec!["edwards".to_owned()]));
    assert!(wrong_use(by(&cast.images)).contains("got `images`"), "a digest says whose it is");
    assert_eq!(
        wrong_use(ask(&trust, &release, message(&app, &cast.ci), now())),
        "wanted a signer with `use: artifact`, got a hint at the key of `ci`"
    );
    assert_eq!(
        wrong_use(ask(&trust, &release, message(&app, &cast.alice), now())),
        "wanted a signer with `use: artifact`, got a hint at the key of the person `alice`"
    );
}

#[test]
fn a_signature_by_a_certificate_or_with_witnesses_costs_what_the_library_hashes() {
    let (cast, app) = large();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let authenticator = Authenticator::new(&trust);
    let costs = |bytes: Value| {
        let evidence = Evidence::parse("test", bytes.to_string().into_bytes()).unwrap();
        authenticator.costs(&evidence, &release)
    };
    let mut junk: Value = serde_json::from_slice(&message(&app, &cast.files)).unwrap();
    junk["verificationMaterial"] = json!({"certificate": {"rawBytes": "AA=="}});
    // Three digests under the one root that is there by itself.
    assert_eq!(costs(junk), 3 * app.len() as u64);
}

#[test]
fn what_is_left_untried_is_set_aside_with_the_reason() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let evidence = Evidence::parse("test", message(APP, &cast.edwards)).unwrap();
    let authenticator = Authenticator::new(&trust);
    let found = std::slice::from_ref(&evidence);
    let untried = Untried::of(found, |_| limits::HASHED_BYTES + 1);
    let rejection = authenticator.authenticate_unless(&untried, &evidence, &release, now()).unwrap_err();
    assert_eq!(rejection, Rejection::NotTried);
    let untried = authenticator.untried(found, &release);
    assert!(authenticator.authenticate_unless(&untried, &evidence, &release, now()).is_ok());
}

#[test]
fn a_file_of_another_name_is_no_detached_signature() {
    assert!(Evidence::detached("app.json", b"MAD/").is_none());
    let pgp: Result<Vec<u8>, Unreadable> = Evidence::detached("app.sig", &[7; 300]).unwrap();
    assert!(pgp.unwrap_err().problem.starts_with("wanted a raw signature"));
}
