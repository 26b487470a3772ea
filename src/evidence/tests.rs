//! Evidence signed with test keys, held against trust; bundles of the corpus in `certificates`,
//! and what is no evidence at all in `reading`.
//!
//! Beside `attestation` and not below it: a seal's file has no children.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Evidence;
use super::attestation::{Authenticated, Authenticator, Rejection, Signed, SignedBy, Standing};
use super::envelope::pae;
use super::limits::KEYS_TRIED;
use super::predicate::approval;
use super::statement::PAYLOAD_TYPE;
use crate::key::Algorithm;
use crate::key::secret::SecretKey;
use crate::release::Release;
use crate::release::digest::{Algorithms, ArtifactDigest, Digest};
use crate::release::resolved::tests::NoImages;
use crate::release::resolved::{ArtifactFiles, Resolution, ResolvedRelease};
use crate::time::{self, Timestamp};
use crate::trust::TrustRoot;
use crate::yaml::Source;

mod bytes;
mod certificates;
mod payloads;
mod reading;

/// Files by name, for trust and release alike.
struct Files(BTreeMap<String, Vec<u8>>);

impl ArtifactFiles for Files {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.read(path)?)))
    }

    fn algorithms(&self) -> Algorithms {
        if self.0.contains_key("sha256-alone") { Algorithms::Sha256 } else { Algorithms::Sha2 }
    }

    fn wants_bytes(&self, _: &str, _: &ArtifactDigest) -> bool {
        !self.0.contains_key("no-bytes")
    }
}

impl Files {
    fn of(files: &[(&str, &[u8])]) -> Self {
        Self(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let name = path.file_name().unwrap().to_str().unwrap();
        self.0.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn trust(&self, body: &str) -> TrustRoot {
        let source = Source::new("trust.yaml", &format!("apiVersion: laforge.dev/v1\nkind: Trust\n{body}"));
        TrustRoot::load(&source, &mut |path| self.read(path), Path::new("trust")).unwrap()
    }

    /// A release of one artifact `app`, which is one of the files.
    fn release(&self, artifact: &str) -> ResolvedRelease {
        let digest = Digest::of_bytes(&self.0[artifact]);
        let text = format!(
            "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  \
             environment: production\n  source: {{repository: https://github.com/acme/payments, commit: \
             4f1c9d2e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d, ref: refs/tags/v2.4.0}}\n  artifacts: [{{name: app, \
             path: {artifact}, digest: '{digest}'}}]\n"
        );
        let release = Release::parse(&Source::new("release.yaml", &text), Path::new("")).unwrap();
        match release.resolve(self, &NoImages).unwrap() {
            Resolution::Matches(release) => release,
            Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
        }
    }
}

fn ed25519(seed: u8) -> SecretKey {
    SecretKey::from_ed25519_seed(&[seed; 32]).unwrap()
}

fn pem(key: &SecretKey) -> Vec<u8> {
    key.public().to_pem().into_bytes()
}

fn now() -> Timestamp {
    time::parse("2026-11-24T12:00:00Z").unwrap()
}

fn statement(predicate_type: &str, artifact: &[u8]) -> Vec<u8> {
    let subject = json!([{"digest": {"sha256": Digest::of_bytes(artifact).hex()}}]);
    let value = json!({"_type": "https://in-toto.io/Statement/v1", "subject": subject,
                       "predicateType": predicate_type, "predicate": {}});
    serde_json::to_vec(&value).unwrap()
}

fn envelope(payload: &[u8], hint: &str, key: &SecretKey) -> Vec<u8> {
    let sig = STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, payload)).unwrap());
    let value = json!({"payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(payload),
                       "signatures": [{"keyid": hint, "sig": sig}]});
    serde_json::to_vec(&value).unwrap()
}

fn message(artifact: &[u8], key: &SecretKey) -> Vec<u8> {
    let digest = STANDARD.encode(Digest::of_bytes(artifact).as_bytes());
    let value = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": STANDARD.encode(key.public().id().as_bytes())}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
            "signature": STANDARD.encode(key.sign(artifact).unwrap()),
        },
    });
    serde_json::to_vec(&value).unwrap()
}

fn ask(
    trust: &TrustRoot,
    release: &ResolvedRelease,
    bytes: Vec<u8>,
    now: Timestamp,
) -> Result<Authenticated, Rejection> {
    let evidence = Evidence::parse("test", bytes).unwrap();
    Authenticator::new(trust).authenticate(&evidence, release, now)
}

fn signed(authenticated: &Authenticated) -> &Signed {
    match authenticated {
        Authenticated::Statement(attestation) => attestation.signed(),
        Authenticated::Artifact(signature) => signature.signed(),
    }
}

const SIGNERS: &str = "\
signers:
  - {name: files, use: artifact, key: files.pub}
  - {name: images, use: artifact, key: images.pub, simpleSigning: true}
  - {name: edwards, use: artifact, key: edwards.pub}
  - {name: scanner, use: attestation, key: scanner.pub, predicateTypes: [https://scan]}
  - {name: ci, use: attestation, key: ci.pub, validFrom: 2026-01-01T00:00:00Z, validUntil: 2026-12-01T00:00:00Z}
people:
  - {name: alice, roles: [release-manager], identities: [{key: alice.pub}]}
revoked: [{key: scanner.pub, since: 2026-11-25T00:00:00Z, reason: leaked}]
";

/// Keys of [`SIGNERS`], and the files that they and a release are in.
struct Cast {
    files: SecretKey,
    images: SecretKey,
    edwards: SecretKey,
    scanner: SecretKey,
    ci: SecretKey,
    alice: SecretKey,
    store: Files,
}

const APP: &[u8] = b"an app";

fn cast() -> Cast {
    let p256 = || SecretKey::generate(Algorithm::EcdsaP256).unwrap();
    let (files, images) = (p256(), p256());
    let (edwards, scanner, ci, alice) = (ed25519(1), ed25519(2), ed25519(3), ed25519(4));
    let store = Files::of(&[
        ("files.pub", &pem(&files)),
        ("images.pub", &pem(&images)),
        ("edwards.pub", &pem(&edwards)),
        ("scanner.pub", &pem(&scanner)),
        ("ci.pub", &pem(&ci)),
        ("alice.pub", &pem(&alice)),
        ("app", APP),
        ("pae", &pae(PAYLOAD_TYPE, &statement("p", APP))),
        ("simple", simple(APP).as_bytes()),
    ]);
    Cast { files, images, edwards, scanner, ci, alice, store }
}

fn simple(manifest: &[u8]) -> String {
    let digest = Digest::of_bytes(manifest);
    let image = format!(r#"{{"docker-manifest-digest":"{digest}"}}"#);
    let identity = r#"{"docker-reference":""}"#;
    format!(
        r#"{{"critical":{{"identity":{identity},"image":{image},"type":"cosign container image signature"}},"optional":null}}"#
    )
}

fn wrong_use(result: Result<Authenticated, Rejection>) -> String {
    match result.unwrap_err() {
        Rejection::WrongUse { detail } => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn counts_an_envelope_for_its_signer_whatever_its_hint_says() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    for hint in ["", "nonsense", &cast.scanner.public().id().hex(), &cast.ci.public().id().to_string()] {
        let authenticated =
            ask(&trust, &release, envelope(&statement("p", APP), hint, &cast.ci), now()).unwrap();
        let signed = signed(&authenticated);
        assert_eq!(signed.standing, Standing::Signers(vec!["ci".to_owned()]));
        assert_eq!(signed.by, SignedBy::Key(cast.ci.public().id()));
        assert_eq!(signed.trusted_time, None);
    }
    let by_alice = ask(&trust, &release, envelope(&statement("p", APP), "", &cast.alice), now()).unwrap();
    assert_eq!(signed(&by_alice).standing, Standing::Person("alice".to_owned()));
}

#[test]
fn refuses_a_signature_that_no_key_of_trust_made() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let stranger = ed25519(9);
    let hint = stranger.public().id().hex();
    let unknown = ask(&trust, &release, envelope(&statement("p", APP), &hint, &stranger), now()).unwrap_err();
    assert_eq!(unknown, Rejection::UntrustedIdentity { got: format!("key `sha256:{hint}`") });
    let hinted = cast.ci.public().id().hex();
    let forged =
        ask(&trust, &release, envelope(&statement("p", APP), &hinted, &stranger), now()).unwrap_err();
    assert!(matches!(forged, Rejection::BadSignature { .. }), "{forged:?}");
}

#[test]
fn more_keys_than_are_tried_are_a_limit_unless_a_hint_says_which() {
    let mut cast = cast();
    let keys: Vec<SecretKey> =
        (0..=KEYS_TRIED).map(|_| SecretKey::generate(Algorithm::EcdsaP256).unwrap()).collect();
    let mut people = "people:\n".to_owned();
    for (number, key) in keys.iter().enumerate() {
        cast.store.0.insert(format!("{number}.pub"), pem(key));
        people += &format!("  - {{name: p{number}, roles: [sre], identities: [{{key: {number}.pub}}]}}\n");
    }
    let (trust, release) = (cast.store.trust(&people), cast.store.release("app"));
    let (first, last) = (keys.first().unwrap(), keys.last().unwrap());
    let by = |key: &SecretKey, hint: &str| {
        ask(&trust, &release, envelope(&statement(approval::TYPE, APP), hint, key), now())
    };
    assert_eq!(signed(&by(first, "").unwrap()).standing, Standing::Person("p0".to_owned()));
    let hint = last.public().id().hex();
    assert_eq!(signed(&by(last, &hint).unwrap()).standing, Standing::Person(format!("p{KEYS_TRIED}")));
    let untried = by(last, "").unwrap_err();
    assert_eq!(untried, Rejection::KeysNotTried { keys: KEYS_TRIED + 1 });
    let over = untried.over_limit("rejection.dsse").unwrap();
    assert_eq!((over.source.as_deref(), over.limit, over.found), (Some("rejection.dsse"), 256, 257));
    // A no by a hint of another tool's is a no; of anything else a hint at no key of trust says whose it is.
    assert_eq!(by(last, "someone").unwrap_err(), untried);
    let other = envelope(&statement("p", APP), "someone", &ed25519(9));
    assert!(matches!(ask(&trust, &release, other, now()).unwrap_err(), Rejection::UntrustedIdentity { .. }));
}

#[test]
fn gives_no_statement_but_the_signed_one_whichever_byte_is_flipped() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let good = envelope(&statement("p", APP), "hint", &cast.ci);
    let authenticator = Authenticator::new(&trust);
    let mut taken = 0;
    for at in 0..good.len() {
        for bit in [1, 4, 32] {
            let mut bytes = good.clone();
            bytes[at] ^= bit;
            let Ok(evidence) = Evidence::parse("test", bytes) else { continue };
            let Ok(authenticated) = authenticator.authenticate(&evidence, &release, now()) else { continue };
            let Authenticated::Statement(attestation) = &authenticated else { panic!("{authenticated:?}") };
            assert_eq!(attestation.statement().predicate_type, "p", "byte {at}");
            assert_eq!(signed(&authenticated).standing, Standing::Signers(vec!["ci".to_owned()]));
            taken += 1;
        }
    }
    assert!(taken <= 3 * "hint".len(), "{taken} mutants of more than the hint were taken");
}

#[test]
fn holds_every_signer_to_its_use() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let cosign = statement("https://sigstore.dev/cosign/sign/v1", APP);
    let ask = |bytes| ask(&trust, &release, bytes, now());
    assert!(ask(message(APP, &cast.files)).is_ok());
    assert!(ask(envelope(&cosign, "", &cast.edwards)).is_ok());
    assert!(ask(envelope(&statement("https://scan", APP), "", &cast.scanner)).is_ok());
    assert_eq!(
        wrong_use(ask(envelope(&statement("https://slsa.dev/provenance/v1", APP), "", &cast.files))),
        "wanted a signer with `use: attestation`, got `files`"
    );
    assert_eq!(
        wrong_use(ask(envelope(&cosign, "", &cast.ci))),
        "wanted a signer with `use: artifact`, got `ci`"
    );
    assert_eq!(
        wrong_use(ask(envelope(&statement("https://other", APP), "", &cast.scanner))),
        "wanted a signer of `https://other`, got `scanner`"
    );
    assert_eq!(
        wrong_use(ask(envelope(&statement("https://slsa.dev/verification_summary/v1", APP), "", &cast.ci))),
        "wanted a signer with `use: vsa`, got `ci`"
    );
    assert_eq!(
        wrong_use(ask(envelope(&cosign, "", &cast.alice))),
        "wanted a signer with `use: artifact`, got the person `alice`"
    );
}

#[test]
fn refuses_signatures_over_files_that_could_pass_for_something_else() {
    let cast = cast();
    let trust = cast.store.trust(SIGNERS);
    for artifact in ["pae", "simple"] {
        let release = cast.store.release(artifact);
        let detail = wrong_use(ask(&trust, &release, message(&cast.store.0[artifact], &cast.files), now()));
        assert!(detail.starts_with("wanted an artifact that is nothing but one, got `app`"), "{detail}");
    }
    let as_envelope = envelope(&statement("p", APP), "", &cast.files); // what a signature over the PAE is
    assert!(wrong_use(ask(&trust, &cast.store.release("app"), as_envelope, now())).contains("got `files`"));
}

#[test]
fn takes_message_signatures_over_artifacts_of_this_release_alone() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let Authenticated::Artifact(signature) = ask(&trust, &release, message(APP, &cast.files), now()).unwrap()
    else {
        panic!("not a signature over an artifact")
    };
    assert_eq!(signature.artifacts(), ["app"]);
    let other = ask(&trust, &release, message(b"another app", &cast.files), now()).unwrap_err();
    assert!(matches!(other, Rejection::WrongSubject { .. }), "{other:?}");
}

#[test]
fn takes_simple_signing_payloads_only_from_signers_that_sign_no_files() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let offer = |payload: &str, key: &SecretKey| {
        let signature = key.sign(payload.as_bytes()).unwrap();
        ask(&trust, &release, Evidence::simple_signing(payload.as_bytes(), &signature), now())
    };
    let Authenticated::Artifact(signature) = offer(&simple(APP), &cast.images).unwrap() else {
        panic!("not a signature over an artifact")
    };
    assert_eq!(signature.artifacts(), ["app"]);
    assert_eq!(
        wrong_use(offer(&simple(APP), &cast.files)),
        "wanted a signer with `simpleSigning: true`, got `files`"
    );
    assert!(wrong_use(ask(&trust, &release, message(APP, &cast.images), now())).contains("got `images`"));
    let other = offer(&simple(b"another image"), &cast.images).unwrap_err();
    assert!(matches!(other, Rejection::WrongSubject { .. }), "{other:?}");
}

#[test]
fn judges_keys_at_the_gates_time_when_nobody_vouches_for_another() {
    let cast = cast();
    let (trust, release) = (cast.store.trust(SIGNERS), cast.store.release("app"));
    let at = |payload: &[u8], key, at: &str| {
        ask(&trust, &release, envelope(payload, "", key), time::parse(at).unwrap())
    };
    let plain = statement("p", APP);
    assert!(at(&plain, &cast.ci, "2026-01-01T00:00:00Z").is_ok());
    let (before, after) = ("2025-12-31T23:59:59Z".to_owned(), "2026-12-01T00:00:00Z".to_owned());
    let validity = "from 2026-01-01T00:00:00Z until 2026-12-01T00:00:00Z".to_owned();
    let early = at(&plain, &cast.ci, &before).unwrap_err();
    assert_eq!(early, Rejection::NotYetValid { at: before, validity: validity.clone() });
    let late = at(&plain, &cast.ci, &after).unwrap_err();
    assert_eq!(late, Rejection::Expired { at: after, validity });
    let scan = statement("https://scan", APP);
    assert!(at(&scan, &cast.scanner, "2026-11-24T23:59:59Z").is_ok());
    let revoked = at(&scan, &cast.scanner, "2026-11-25T00:00:00Z").unwrap_err();
    assert!(matches!(revoked, Rejection::Revoked { .. }), "{revoked:?}");
}
