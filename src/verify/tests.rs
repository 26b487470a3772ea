//! From bytes to facts: a release, a trust document and signed envelopes, as they would be found.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::facts::{Party, TimeKind, verify_on};
use super::{InputRole, Verified};
use crate::evidence::envelope::pae;
use crate::evidence::predicate::{COSIGN_SIGN, approval, provenance, source};
use crate::evidence::statement::PAYLOAD_TYPE;
use crate::evidence::{Evidence, Gathered, OverLimit, Unreachable, Unreadable, UnreadableFile};
use crate::key::secret::SecretKey;
use crate::release::digest::{Algorithms, Digest};
use crate::release::resolved::tests::NoImages;
use crate::release::resolved::{ArtifactFiles, Resolution, ResolvedRelease};
use crate::release::{Artifact, Location, Release, SourceRevision};
use crate::time::Timestamp;
use crate::trust::TrustRoot;
use crate::yaml::Source;

const COMMIT: &str = "4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c";
const REPOSITORY: &str = "https://github.com/acme/payments";
const BUILDER: &str = "https://ci.example.com/builder";

const TRUST: &str = r#"
apiVersion: laforge.dev/v1
kind: Trust
signers:
  - {name: release-signing, use: artifact, key: release.pub}
  - {name: ci, use: attestation, key: ci.pub}
  - {name: forge, use: attestation, key: forge.pub, predicateTypes: ["https://laforge.dev/attestation/source/v1"]}
people:
  - {name: alice, roles: [release-manager], aliases: {github: alice-gh}, identities: [{key: alice.pub}, {key: alice-2.pub}]}
  - {name: bob, roles: [sre], aliases: {github: bob-gh}, identities: [{key: bob.pub}]}
builders: [{id: "https://ci.example.com/builder", level: 2, signer: ci}]
"#;

fn now() -> Timestamp {
    crate::time::parse("2026-11-24T12:30:00.75Z").unwrap()
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_ed25519_seed(Digest::of_bytes(name.as_bytes()).as_bytes()).unwrap()
}

fn trust() -> TrustRoot {
    let mut read = |path: &Path| {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or(io::ErrorKind::NotFound)?;
        Ok(key(name).public().to_pem().into_bytes())
    };
    TrustRoot::load(&Source::new("trust.yaml", TRUST), &mut read, Path::new("")).unwrap()
}

/// Files in memory, by path.
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl ArtifactFiles for Files {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn algorithms(&self) -> Algorithms {
        Algorithms::Sha2
    }
}

/// The release of two artifacts whose bytes are their names, and of a config that is named only.
fn release() -> ResolvedRelease {
    let artifact = |name: &str, location: Location| Artifact {
        name: name.to_owned(),
        digest: Digest::of_bytes(name.as_bytes()).claim(),
        location,
    };
    let release = Release {
        name: "payments".to_owned(),
        version: "2.4.0".to_owned(),
        environment: "production".to_owned(),
        source: SourceRevision {
            repository: REPOSITORY.to_owned(),
            commit: COMMIT.to_owned(),
            r#ref: "refs/tags/v2.4.0".to_owned(),
        },
        artifacts: ["a", "b"].map(|name| artifact(name, Location::File(name.into()))).into(),
        config: vec![artifact("c", Location::DigestOnly)],
        replaces: None,
        deployed: None,
    };
    let files = ["a", "b"].map(|name| (name.into(), name.as_bytes().to_vec()));
    match release.resolve(&Files(files.into()), &NoImages).unwrap() {
        Resolution::Matches(release) => release,
        Resolution::Differs(mismatch) => panic!("{mismatch:?}"),
    }
}

fn envelope(signer: &str, subject: Value, predicate_type: &str, predicate: Value) -> Vec<u8> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": subject}],
        "predicateType": predicate_type, "predicate": predicate,
    });
    let payload = serde_json::to_vec(&statement).unwrap();
    let signature = key(signer).sign(&pae(PAYLOAD_TYPE, &payload)).unwrap();
    let envelope = json!({
        "payloadType": PAYLOAD_TYPE, "payload": STANDARD.encode(&payload),
        "signatures": [{"sig": STANDARD.encode(signature)}],
    });
    serde_json::to_vec(&envelope).unwrap()
}

fn artifact(name: &str) -> Value {
    json!({"sha256": Digest::of_bytes(name.as_bytes()).hex()})
}

fn signed(signer: &str, name: &str) -> Vec<u8> {
    envelope(signer, artifact(name), COSIGN_SIGN, json!({}))
}

fn built(signer: &str, name: &str) -> Vec<u8> {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://laforge.dev/buildtypes/generic/v1",
            "externalParameters": {"repository": REPOSITORY, "ref": "refs/tags/v2.4.0"},
            "internalParameters": {"actor": "github:alice-gh", "hosted": true},
            "resolvedDependencies": [{
                "uri": format!("git+{REPOSITORY}@refs/tags/v2.4.0"), "digest": {"gitCommit": COMMIT},
            }],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    });
    envelope(signer, artifact(name), provenance::V1, predicate)
}

fn approved(signer: &str, decision: &str, created: &str) -> Vec<u8> {
    let predicate = json!({
        "decision": decision, "environment": "production",
        "createdAt": created, "expiresAt": "2026-11-25T12:00:00Z",
    });
    envelope(signer, json!({"sha256": release().digest().hex()}), approval::TYPE, predicate)
}

fn written(signer: &str) -> Vec<u8> {
    let predicate = json!({
        "repository": REPOSITORY, "commit": COMMIT, "authors": ["github:bob-gh"], "committer": "github:web-flow",
    });
    envelope(signer, json!({"gitCommit": COMMIT}), source::TYPE, predicate)
}

fn gathered(pieces: Vec<Vec<u8>>) -> Gathered {
    let parse = |bytes| Evidence::parse("evidence/x.json", bytes).unwrap();
    let mut found: Vec<Evidence> = pieces.into_iter().map(parse).collect();
    found.sort_by_key(Evidence::digest);
    Gathered { found, ..Gathered::default() }
}

fn verified(pieces: Vec<Vec<u8>>) -> Verified {
    verify_on(2, &release(), gathered(pieces), &trust(), now())
}

/// Everything that a release of two artifacts can have.
fn everything() -> Vec<Vec<u8>> {
    vec![
        signed("release", "a"),
        signed("release", "b"),
        built("ci", "a"),
        built("ci", "b"),
        approved("alice", "approved", "2026-11-24T12:00:00Z"),
        approved("bob", "approved", "2026-11-24T12:00:00Z"),
        written("forge"),
    ]
}

#[test]
fn proves_signatures_builds_approvals_and_parties_of_one_release() {
    let verified = verified(everything());
    assert_eq!(verified.set_aside, []);
    let facts = verified.facts.get();
    assert_eq!(facts.release, release().digest());
    assert_eq!(crate::time::to_micros(facts.now), "2026-11-24T12:30:00.000000Z");
    for artifact in &facts.artifacts {
        assert!(artifact.read);
        let signers: Vec<&str> = artifact.signatures.iter().map(|it| it.signer.as_str()).collect();
        assert_eq!(signers, ["release-signing"]);
        let [build] = artifact.provenances.as_slice() else { panic!("{artifact:?}") };
        assert_eq!((build.level, build.commit.as_deref()), (2, Some(COMMIT)));
    }
    assert_eq!(facts.config.iter().map(|it| it.read).collect::<Vec<_>>(), [false]);
    let people: Vec<(&str, TimeKind)> =
        facts.approvals.iter().map(|it| (it.person.as_str(), it.time_kind)).collect();
    assert_eq!(people, [("alice", TimeKind::Claimed), ("bob", TimeKind::Claimed)]);
    let parties: Vec<(Party, Vec<&str>, u64)> = facts
        .separation
        .iter()
        .map(|it| (it.party, it.people.iter().map(String::as_str).collect(), it.unknown))
        .collect();
    assert_eq!(parties, [(Party::SourceAuthor, vec!["bob"], 1), (Party::WorkflowActor, vec!["alice"], 0)]);
}

#[test]
fn writes_the_facts_in_the_form_of_the_page() {
    let facts = verified(vec![signed("release", "a")]).facts;
    let evidence = Digest::of_bytes(&signed("release", "a")).to_string();
    let artifact = |name: &str, signatures: Value| {
        json!({
            "name": name, "digest": Digest::of_bytes(name.as_bytes()), "read": true,
            "signatures": signatures, "provenances": [], "attestations": [],
        })
    };
    let expected = json!({
        "_type": "https://laforge.dev/facts/v1",
        "release": release().digest(),
        "now": "2026-11-24T12:30:00Z",
        "trustDigest": trust().digest(),
        "artifacts": [
            artifact("a", json!([{"signer": "release-signing", "evidence": evidence}])),
            artifact("b", json!([])),
        ],
        "config": [{"name": "c", "digest": Digest::of_bytes(b"c"), "read": false}],
        "approvals": [],
        "sources": [],
        "separation": [],
    });
    assert_eq!(serde_json::to_value(facts.get()).unwrap(), expected);
    assert_eq!(facts.digest(), Digest::of_value(&expected));
}

#[test]
fn gives_the_same_at_any_number_of_threads() {
    let mut pieces = everything();
    pieces.extend((0..40).map(|n| approved("alice", "rejected", &format!("2026-11-24T12:{n:02}:00Z"))));
    pieces.extend([
        signed("stranger", "a"),
        signed("ci", "a"),
        built("release", "b"),
        signed("release", "x"),
    ]);
    let (release, trust) = (release(), trust());
    let at = |threads| {
        let verified = verify_on(threads, &release, gathered(pieces.clone()), &trust, now());
        let inputs: Vec<_> = verified.inputs.iter().map(|it| (it.digest, it.role)).collect();
        (verified.facts.digest(), verified.set_aside, inputs)
    };
    let one = at(1);
    assert!(!one.1.is_empty());
    for threads in 2..=8 {
        assert_eq!(at(threads), one, "{threads} threads");
    }
}

#[test]
fn each_piece_counts_or_says_why_not() {
    for (piece, kind, role) in [
        (signed("stranger", "a"), "untrusted-identity", InputRole::SetAside),
        (signed("release", "x"), "wrong-subject", InputRole::Signature),
        (built("ci", "x"), "wrong-subject", InputRole::Provenance),
        (built("release", "a"), "wrong-use", InputRole::SetAside),
        (built("alice", "a"), "wrong-use", InputRole::Provenance),
        (approved("ci", "approved", "2026-11-24T12:00:00Z"), "wrong-use", InputRole::Approval),
        (approved("alice", "approved", "2026-11-24T12:32:00Z"), "not-yet-valid", InputRole::Approval),
        (written("ci"), "wrong-predicate", InputRole::Source),
        (
            envelope("ci", artifact("x"), "https://cyclonedx.org/bom", json!({})),
            "wrong-subject",
            InputRole::Attestation,
        ),
    ] {
        let digest = Digest::of_bytes(&piece);
        let verified = verified(vec![piece]);
        let facts = verified.facts.get();
        assert!(facts.artifacts.iter().all(|it| it.signatures.is_empty() && it.provenances.is_empty()));
        assert!(facts.approvals.is_empty() && facts.separation.is_empty());
        let told: Vec<_> = verified.set_aside.iter().map(|it| (it.kind, it.evidence)).collect();
        assert_eq!(told, [(kind, digest)]);
        assert_eq!(verified.inputs.iter().map(|it| it.role).collect::<Vec<_>>(), [role], "{kind}");
    }
}

#[test]
fn two_keys_of_one_person_are_one_approval() {
    let time = "2026-11-24T12:00:00Z";
    let verified = verified(vec![approved("alice", "approved", time), approved("alice-2", "approved", time)]);
    assert_eq!(verified.facts.get().approvals.len(), 1);
    assert_eq!(verified.set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["superseded"]);
}

#[test]
fn evidence_removed_removes_its_fact_and_adds_none() {
    let all = verified(everything());
    let count = |verified: &Verified| {
        let facts = verified.facts.get();
        let of_artifacts: usize =
            facts.artifacts.iter().map(|it| it.signatures.len() + it.provenances.len()).sum();
        of_artifacts + facts.approvals.len() + facts.separation.len()
    };
    for at in 0..everything().len() {
        let mut fewer = everything();
        fewer.remove(at);
        let fewer = verified(fewer);
        // The actor is told by both builds; every other piece is the only one to say what it says.
        assert_eq!(count(&fewer), count(&all) - 1, "without piece {at}");
    }
}

#[test]
fn a_flipped_byte_anywhere_proves_nothing_new() {
    let piece = built("ci", "a");
    let whole = verified(vec![piece.clone()]);
    let facts = serde_json::to_value(&whole.facts.get().artifacts).unwrap();
    for at in 0..piece.len() {
        let mut flipped = piece.clone();
        flipped[at] ^= 1;
        // Some flips leave the JSON's meaning alone, never the digest of the evidence.
        let Ok(evidence) = Evidence::parse("evidence/x.json", flipped) else { continue };
        let gathered = Gathered { found: vec![evidence], ..Gathered::default() };
        let flipped = verify_on(1, &release(), gathered, &trust(), now());
        let now_told = serde_json::to_value(&flipped.facts.get().artifacts).unwrap();
        assert_ne!(now_told, facts, "byte {at}");
        assert_eq!(
            flipped.facts.get().artifacts.iter().map(|it| it.provenances.len()).sum::<usize>(),
            0,
            "byte {at}"
        );
        assert_eq!(flipped.set_aside.len(), 1);
    }
}

#[test]
fn passes_on_what_could_not_be_read_or_reached() {
    let file = UnreadableFile {
        source: "evidence/junk.json".to_owned(),
        digest: Digest::of_bytes(b"junk"),
        size: 4,
        problem: Unreadable { problem: "is not JSON".to_owned() },
    };
    let unreachable = Unreachable { source: "evidence/locked".to_owned(), cause: "denied".to_owned() };
    let over_limit = OverLimit { source: None, what: "evidence files", limit: 1, found: 2 };
    let gathered = Gathered {
        unreadable: vec![file],
        unreachable: vec![unreachable.clone()],
        ignored: 3,
        over_limit: Some(over_limit.clone()),
        ..gathered(vec![signed("release", "a")])
    };
    let verified = verify_on(1, &release(), gathered, &trust(), now());
    assert_eq!(verified.unreachable, [unreachable]);
    assert_eq!((verified.over_limit, verified.ignored), (Some(over_limit), 3));
    assert_eq!(verified.set_aside.iter().map(|it| it.kind).collect::<Vec<_>>(), ["unreadable"]);
    let mut inputs: Vec<_> =
        verified.inputs.iter().map(|it| (it.role, it.size, it.bytes.is_some())).collect();
    inputs.sort();
    let size = signed("release", "a").len() as u64;
    assert_eq!(inputs, [(InputRole::Signature, size, true), (InputRole::SetAside, 4, false)]);
    assert!(verified.inputs.is_sorted_by_key(|it| it.digest));
}
