//! Every parser that takes bytes from outside, as one function from bytes to whether they were taken.
//!
//! Shared by the mutation tests and the fuzz targets. What is taken and has one spelling is written back the same,
//! so that no two texts mean one checkpoint or proof.

use std::io;
use std::path::Path;

use laforge::audit::checkpoint::Checkpoint;
use laforge::audit::entry::Entry;
use laforge::audit::note::{SignedNote, VerifierKey};
use laforge::audit::proof::TlogProof;
use laforge::config::Config;
use laforge::evidence::Evidence;
use laforge::evidence::bundle::conformance::{ArtifactOrDigest, ExpectedSigner, verify_bundle};
use laforge::evidence::statement::Statement;
use laforge::policy::{PolicyFile, PolicySet};
use laforge::release::Release;
use laforge::release::deployed::{Deployed, ManifestFile};
use laforge::rollout::{Envelope, LogPolicy};
use laforge::trust::TrustRoot;
use laforge::yaml::Source;

/// A parser by its name.
pub struct Parser {
    pub name: &'static str,
    pub takes: fn(&[u8]) -> bool,
}

/// All of them; a fuzz target is named after each.
pub const PARSERS: [Parser; 16] = [
    Parser { name: "evidence", takes: evidence },
    Parser { name: "verification", takes: verification },
    Parser { name: "statement", takes: statement },
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
