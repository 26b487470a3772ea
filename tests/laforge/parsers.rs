//! Every parser that takes bytes from outside, as one function from bytes to whether they were taken.
//!
//! Shared by the mutation tests and the fuzz targets. What is taken and has one spelling is written back the same,
//! so that no two texts mean one checkpoint or proof; what another parser reads too, it reads as the same value; and
//! a log is only ever read up to a head that its key signed.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use laforge::audit::Reader;
use laforge::audit::checkpoint::Checkpoint;
use laforge::audit::entry::Entry;
use laforge::audit::note::{SignedNote, VerifierKey};
use laforge::audit::proof::TlogProof;
use laforge::config::Config;
use laforge::evidence::Evidence;
use laforge::evidence::bundle::conformance::{ArtifactOrDigest, ExpectedSigner, verify_bundle};
use laforge::evidence::predicate::approval::Approval;
use laforge::evidence::predicate::break_glass::BreakGlass;
use laforge::evidence::predicate::provenance::{self, Provenance};
use laforge::evidence::predicate::release::{Published, version as release_version};
use laforge::evidence::predicate::source;
use laforge::evidence::predicate::svr::{self, VerificationResults};
use laforge::evidence::predicate::test_result::TestResult;
use laforge::evidence::predicate::vsa::VerificationSummary;
use laforge::evidence::predicate::waiver::Waiver;
use laforge::evidence::statement::Statement;
use laforge::policy::{PolicyFile, PolicySet};
use laforge::release::deployed::{Deployed, ManifestFile};
use laforge::release::digest::{Algorithms, ClaimedDigest, Digest};
use laforge::release::resolved::{ArtifactFiles, ImageManifests, Unfetched};
use laforge::release::{Artifact, Location, Release, SourceRevision};
use laforge::rollout::{Envelope, LogPolicy};
use laforge::trust::TrustRoot;
use laforge::yaml::Source;

/// A parser by its name.
pub struct Parser {
    pub name: &'static str,
    pub takes: fn(&[u8]) -> bool,
}

/// All of them; a fuzz target is named after each.
pub const PARSERS: [Parser; 20] = [
    Parser { name: "json", takes: json },
    Parser { name: "evidence", takes: evidence },
    Parser { name: "verification", takes: verification },
    Parser { name: "statement", takes: statement },
    Parser { name: "predicate", takes: predicate },
    Parser { name: "image", takes: image },
    Parser { name: "release", takes: release },
    Parser { name: "manifests", takes: manifests },
    Parser { name: "trust", takes: trust },
    Parser { name: "key", takes: key },
    Parser { name: "root", takes: root },
    Parser { name: "policy", takes: policy },
    Parser { name: "config", takes: config },
    Parser { name: "entry", takes: entry },
    Parser { name: "checkpoint", takes: checkpoint },
    Parser { name: "note", takes: note },
    Parser { name: "proof", takes: proof },
    Parser { name: "plan", takes: plan },
    Parser { name: "log_policy", takes: log_policy },
    Parser { name: "journal", takes: journal },
];

const TRUST: &str = include_str!("../../fixtures/allows-keyless-logged/trust.yaml");
const ROOT: &[u8] = include_bytes!("../../fixtures/allows-keyless-logged/trust/acme-root.json");
const KEY: &[u8] = include_bytes!("../../fixtures/allows-keyless-logged/trust/alice.pub");
const OTHER_KEYS: [(&str, &[u8]); 3] = [
    ("bob.pub", include_bytes!("../../fixtures/allows-keyless-logged/trust/bob.pub")),
    ("builder.pub", include_bytes!("../../fixtures/allows-keyless-logged/trust/builder.pub")),
    ("release.pub", include_bytes!("../../fixtures/allows-keyless-logged/trust/release.pub")),
];
/// SHA-256 of the fixture's artifact; a wrong one would end most verifications early.
const ARTIFACT: &str = "sha256:7701783bfd65b9bbbf0b0e803bdd360f29c947781cd1800925b47ec1c147895f";
const IDENTITY: &str = "https://github.com/acme/payments/.github/workflows/release.yml@refs/tags/v2.4.0";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Strict JSON: a lenient reader reads the same, and it is written back to be read the same again.
pub fn json(bytes: &[u8]) -> bool {
    let Ok(value) = laforge::json::parse(bytes) else { return false };
    let lenient: serde_json::Value = serde_json::from_slice(bytes).expect("strict JSON is JSON");
    assert_eq!(value, lenient, "two readings of one text");
    let canonical = laforge::json::canonical(&value);
    let again = laforge::json::parse(&canonical).expect("the canonical form is strict");
    assert_eq!(laforge::json::canonical(&again), canonical, "a canonical form of a canonical form");
    true
}

/// A bundle, an envelope or a simple-signing pair.
pub fn evidence(bytes: &[u8]) -> bool {
    Evidence::parse("mutant", bytes.to_vec()).is_ok()
}

/// A whole bundle: shape, certificate, log entries, time stamps, signature.
pub fn verification(bytes: &[u8]) -> bool {
    let signer = ExpectedSigner::Keyless { identity: IDENTITY, issuer: ISSUER };
    verify_bundle(bytes, ArtifactOrDigest::Digest(ARTIFACT), signer, Some(ROOT)).is_ok()
}

/// A statement as it lies in a payload.
pub fn statement(bytes: &[u8]) -> bool {
    Statement::read(bytes).is_ok()
}

/// The predicate of a statement, as each of the types that rules read.
pub fn predicate(bytes: &[u8]) -> bool {
    let Ok(value) = laforge::json::parse(bytes) else { return false };
    let provenances = [provenance::V01, provenance::V02, provenance::V1, provenance::COLLECTION];
    let provenances = provenances.map(|kind| Provenance::read(kind, &value).is_ok());
    let results = [svr::TYPE, svr::TYPE_V0_1].map(|kind| VerificationResults::read(kind, &value).is_ok());
    let release = release_version("https://in-toto.io/attestation/release/v0.2");
    let others = [
        Approval::read(&value).is_ok(),
        source::Source::read(&value).is_ok(),
        BreakGlass::read(&value).is_ok(),
        Waiver::read(&value).is_ok(),
        VerificationSummary::read(&value).is_ok(),
        TestResult::read(&value).is_ok(),
        release.is_some_and(|kind| Published::read(kind, &value).is_ok()),
    ];
    [&provenances[..], &results, &others].concat().contains(&true)
}

/// An image's manifest or index, in a layout that holds it, a config and a layer.
pub fn image(bytes: &[u8]) -> bool {
    let digest = Digest::of_bytes(bytes);
    let location = Location::Layout { folder: "layout".into(), repository: "registry.test/image".to_owned() };
    let image = Artifact { name: "image".to_owned(), digest: digest.claim(), location };
    let source = SourceRevision { repository: String::new(), commit: String::new(), r#ref: String::new() };
    let release = Release {
        name: "image".to_owned(),
        version: "1".to_owned(),
        environment: "production".to_owned(),
        source,
        artifacts: vec![image],
        config: Vec::new(),
        replaces: None,
        deployed: None,
    };
    release.resolve(&Layout { digest: digest.hex(), bytes }, &NoImages).is_ok()
}

/// Where no registry is.
pub struct NoImages;

impl ImageManifests for NoImages {
    fn manifest(&self, _: &str, _: &ClaimedDigest) -> Result<Vec<u8>, Unfetched> {
        Err(Unfetched::Absent)
    }
}

/// The blobs of an image: those of the fixture, and the document under test.
struct Layout<'a> {
    digest: String,
    bytes: &'a [u8],
}

const BLOBS: [&[u8]; 3] = [
    MANIFEST,
    include_bytes!(
        "../../fixtures/allows-image-in-layout/artifacts/image/blobs/sha256/bd142c05f2e0bb28d438c399bc882d03125948891c20880466f2f0ecf4660658"
    ),
    include_bytes!(
        "../../fixtures/allows-image-in-layout/artifacts/image/blobs/sha256/d5e5f6d6551cbe4d912c55a7edadad0506614847b522062b86d74b53997b7a00"
    ),
];
/// The fixture's manifest, which an index under test may list.
pub const MANIFEST: &[u8] = include_bytes!(
    "../../fixtures/allows-image-in-layout/artifacts/image/blobs/sha256/823f720f303d3e29aaa3f2f00618d9702cd922b5b098202f8634daf772706337"
);

impl ArtifactFiles for Layout<'_> {
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let known =
            || BLOBS.iter().find(|blob| Digest::of_bytes(blob).hex() == name).map(|blob| blob.to_vec());
        let bytes = match name {
            "oci-layout" => Some(br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()),
            own if own == self.digest => Some(self.bytes.to_vec()),
            _ => known(),
        };
        let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn algorithms(&self) -> Algorithms {
        Algorithms::Sha256
    }
}

pub fn release(bytes: &[u8]) -> bool {
    Release::parse(&source(bytes), Path::new("")).is_ok()
}

/// Rendered manifests; what is taken has one answer, twice.
pub fn manifests(bytes: &[u8]) -> bool {
    let file = ManifestFile { path: "-".to_owned(), shown: "-".to_owned(), bytes: bytes.to_vec() };
    let (once, again) = (Deployed::read(std::slice::from_ref(&file)), Deployed::read(&[file]));
    assert_eq!(format!("{once:?}"), format!("{again:?}"), "two answers for one text");
    once.is_ok()
}

/// A trust document, its keys and root as they should be.
pub fn trust(bytes: &[u8]) -> bool {
    trust_of(&source(bytes), KEY, ROOT).is_some()
}

/// A public key that trust names.
pub fn key(bytes: &[u8]) -> bool {
    trust_of(&Source::new("trust.yaml", TRUST), bytes, ROOT).is_some()
}

/// A Sigstore root that trust names.
pub fn root(bytes: &[u8]) -> bool {
    trust_of(&Source::new("trust.yaml", TRUST), KEY, bytes).is_some()
}

/// A policy in a set of its own.
pub fn policy(bytes: &[u8]) -> bool {
    let Some(trust) = trust_of(&Source::new("trust.yaml", TRUST), KEY, ROOT) else { return false };
    let path = "production.yaml".to_owned();
    PolicySet::load(vec![PolicyFile { shown: path.clone(), path, bytes: bytes.to_vec() }], &trust).is_ok()
}

pub fn config(bytes: &[u8]) -> bool {
    Config::read(&source(bytes), Path::new("")).is_ok()
}

pub fn entry(bytes: &[u8]) -> bool {
    Entry::parse(bytes).is_ok()
}

pub fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    Checkpoint::parse(text).is_ok_and(|parsed| {
        assert_eq!(parsed.text(), text, "two texts for one checkpoint");
        true
    })
}

/// A signed note, and a verifier key: both are lines of text with base64 in them.
pub fn note(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let key = text.parse::<VerifierKey>();
    SignedNote::parse(text).is_ok() || key.is_ok()
}

pub fn proof(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    text.parse::<TlogProof>().is_ok_and(|parsed| {
        assert_eq!(parsed.to_string(), text, "two texts for one proof");
        true
    })
}

/// The envelope of a plan.
pub fn plan(bytes: &[u8]) -> bool {
    Envelope::parse(bytes).is_ok()
}

/// A witness policy.
pub fn log_policy(bytes: &[u8]) -> bool {
    LogPolicy::parse(&String::from_utf8_lossy(bytes)).is_ok()
}

/// The journal of a log whose entries are as they should be.
pub fn journal(bytes: &[u8]) -> bool {
    static LOG: OnceLock<Mutex<tempfile::TempDir>> = OnceLock::new();
    let log = LOG.get_or_init(|| Mutex::new(log_of_vectors())).lock().expect("nobody panics with it");
    fs::write(log.path().join("journal").join(SEGMENT), bytes).expect("a journal");
    let Ok(reader) = Reader::open(log.path()) else { return false };
    let head = reader.head();
    assert!(
        records().iter().any(|record| record["size"] == head.size && record["root"] == head.root.to_string()),
        "a head that nobody signed: {head:?}"
    );
    true
}

const SEGMENT: &str = "00000000000000000000.jsonl";

/// The records of the vector's journal, as values.
fn records() -> &'static [serde_json::Value] {
    static RECORDS: OnceLock<Vec<serde_json::Value>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let lines = lines_of(include_str!("../../fixtures/vectors/journal.json"), "/records", "");
        lines.iter().map(|line| serde_json::from_str(line).expect("a record")).collect()
    })
}

/// A log with the entries of the vectors and the head of its first one.
fn log_of_vectors() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["entries", "journal", "evidence/sha256"] {
        fs::create_dir_all(folder.path().join(name)).expect("a folder in it");
    }
    let entries = lines_of(include_str!("../../fixtures/vectors/entries.json"), "/entries", "/line");
    let entries: String = entries.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("entries").join(SEGMENT), entries).expect("entries");
    let genesis: serde_json::Value =
        serde_json::from_str(include_str!("../../fixtures/vectors/genesis.json")).expect("a vector");
    for name in ["log.json", "checkpoint"] {
        let text = genesis["files"][name].as_str().expect("a file");
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// Texts of a list in a vector.
pub fn lines_of(vector: &str, list: &str, member: &str) -> Vec<String> {
    let vector: serde_json::Value = serde_json::from_str(vector).expect("a vector");
    let list = vector.pointer(list).and_then(serde_json::Value::as_array).expect("a list");
    let text = |item: &serde_json::Value| item.pointer(member)?.as_str().map(str::to_owned);
    list.iter().map(|item| text(item).expect("a text")).collect()
}

fn source(bytes: &[u8]) -> Source {
    Source::new("mutant.yaml", &String::from_utf8_lossy(bytes))
}

/// Trust with its files in memory.
fn trust_of(source: &Source, key: &[u8], root: &[u8]) -> Option<TrustRoot> {
    let mut read = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let other = OTHER_KEYS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
        match name {
            "alice.pub" => Ok(key.to_vec()),
            "acme-root.json" => Ok(root.to_vec()),
            _ => other.map(<[u8]>::to_vec).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)),
        }
    };
    TrustRoot::load(source, &mut read, Path::new("")).ok()
}
