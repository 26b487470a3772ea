//! The bundle cases of the shared corpus, run through [`verify_bundle`] as the conformance protocol
//! would: same selection, same arguments as its own driver.
#![expect(clippy::disallowed_methods, reason = "reads the corpus, which lies beside the checkout")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::conformance::{ArtifactOrDigest, ExpectedSigner, verify_bundle};
use super::instance::{Instance, Signed};
use super::{Bundle, Content};
use crate::evidence::statement::Statement;

const KINDS: [&str; 3] = ["sigstore-bundle", "sigstore-bundle-derived", "github-attestation"];

/// Contested cases that are refused here, each for its reason; one that passes after all fails too.
const STRICTER: [(&str, &str); 1] = [(
    "spy-tsa-bundle.txt",
    "a time stamp of an authority that the root does not list: every witness that is shown must hold",
)];

/// Where the corpus is: `LAFORGE_CORPUS`, else beside the checkout. It may be missing unless
/// `LAFORGE_REQUIRE_CORPUS` is set.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("LAFORGE_CORPUS").map_or(beside, PathBuf::from);
    let there = folder.join("cases.json").is_file();
    let required = std::env::var_os("LAFORGE_REQUIRE_CORPUS").is_some();
    assert!(there || !required, "the corpus is required here, and not at {}", folder.display());
    there.then_some(folder)
}

fn is_selected(case: &Value) -> bool {
    let said = |name: &str| case[name].as_str().is_some_and(|text| !text.is_empty());
    KINDS.contains(&case["kind"].as_str().unwrap_or_default())
        && case
            .get("policy")
            .is_none_or(|policy| policy.is_null() || policy.as_object().is_some_and(|p| p.is_empty()))
        && (case["files"].get("key").is_some() || said("identity") && said("issuer"))
        && case["id"] != "sjava-github-private-no-opt-in"
}

/// Runs one case: nothing when it passes, else the reason.
fn run(folder: &Path, case: &Value) -> Result<(), String> {
    let files = &case["files"];
    let bytes = |role: &str| files[role].as_str().map(|path| std::fs::read(folder.join(path)).unwrap());
    let key = bytes("key").map(|key| String::from_utf8(key).unwrap());
    let signer = match &key {
        Some(pem) => ExpectedSigner::Key(pem),
        None => ExpectedSigner::Keyless {
            identity: case["identity"].as_str().unwrap(),
            issuer: case["issuer"].as_str().unwrap(),
        },
    };
    let artifact = bytes("artifact");
    let mut reader = artifact.as_deref().unwrap_or_default();
    let digest = files["digest"].as_str().or_else(|| case["digest"].as_str());
    let artifact = match (&artifact, digest) {
        (None, Some(digest)) => ArtifactOrDigest::Digest(digest),
        _ => ArtifactOrDigest::Bytes(&mut reader),
    };
    let root = bytes("trusted_root");
    let verdict = verify_bundle(&bytes("bundle").unwrap(), artifact, signer, root.as_deref());
    verdict.map(drop).map_err(|error| error.to_string())
}

fn cases(folder: &Path) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap()
}

/// One case, for tests of other modules.
pub(in crate::evidence) struct Case {
    folder: PathBuf,
    case: Value,
}

impl Case {
    /// The bytes of a file by its role.
    pub(in crate::evidence) fn file(&self, role: &str) -> Option<Vec<u8>> {
        let path = self.case["files"][role].as_str()?;
        Some(std::fs::read(self.folder.join(path)).unwrap())
    }
}

/// The case of that name; `None`, and a line that says so, without the corpus.
pub(in crate::evidence) fn case(id: &str) -> Option<Case> {
    let Some(folder) = corpus() else {
        println!("skipped `{id}`: no corpus (set LAFORGE_CORPUS or put it at ../shared/corpus)");
        return None;
    };
    let case = cases(&folder).into_iter().find(|case| case["id"] == id);
    Some(Case { folder, case: case.unwrap_or_else(|| panic!("the corpus has no case `{id}`")) })
}

#[test]
fn agrees_with_every_bundle_case_of_the_corpus() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpus (set LAFORGE_CORPUS or put it at ../shared/corpus)");
        return;
    };
    let cases = cases(&folder);
    let selected: Vec<&Value> = cases.iter().filter(|case| is_selected(case)).collect();
    assert!(selected.len() > 100, "{} cases", selected.len());
    let mut differing = Vec::new();
    for case in selected {
        let said = run(&folder, case);
        println!(
            "{} {}: {}",
            case["expect"],
            case["id"],
            said.as_ref().err().map_or("holds", String::as_str)
        );
        let stricter = STRICTER.iter().any(|(id, _)| case["id"] == *id);
        if said.is_ok() != (case["expect"] == "pass" && !stricter) {
            differing.push(format!("{} {}: {said:?}", case["id"], case["expect"]));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn verifies_a_statement_of_rekor_v2_by_its_pae_as_by_its_subject() {
    let Some(case) = case("sjava-bundle.dsse.rekor-v2") else { return };
    let bundle = Bundle::read(crate::json::parse(&case.file("bundle").unwrap()).unwrap()).unwrap();
    let instance = Instance::prepare(&case.file("trusted_root").unwrap()).unwrap();
    let Content::Envelope(envelope) = bundle.content() else { panic!("no envelope") };
    let pae = envelope.pae();
    let proof = instance.certified(&bundle, Signed::Pae(&pae)).unwrap();
    assert_eq!(proof.identity.unwrap().subject, case.case["identity"].as_str().unwrap());
    assert!(instance.certified(&bundle, Signed::Pae(&pae[1..])).is_err());
}

#[test]
fn takes_a_statement_of_rekor_v1_by_its_subject_alone() {
    let Some(case) = case("conf-happy-path-intoto-in-dsse-v3") else { return };
    let bundle = Bundle::read(crate::json::parse(&case.file("bundle").unwrap()).unwrap()).unwrap();
    let instance = Instance::prepare(&case.file("trusted_root").unwrap()).unwrap();
    let Content::Envelope(envelope) = bundle.content() else { panic!("no envelope") };
    let rejection = instance.certified(&bundle, Signed::Pae(&envelope.pae())).unwrap_err();
    assert!(rejection.to_string().contains("Rekor v1"), "{rejection}");
}

#[test]
fn agrees_with_the_statement_cases_of_the_corpus() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpus (set LAFORGE_CORPUS or put it at ../shared/corpus)");
        return;
    };
    let mut differing = Vec::new();
    // Examples of the specifications have digests such as `5678...`.
    let real = |case: &&Value| {
        case["kind"] == "statement" && case["illustrative"] != true && case["contested"].is_null()
    };
    for case in cases(&folder).iter().filter(real) {
        let path = case["files"]["statement"].as_str().unwrap();
        let read = Statement::read(&std::fs::read(folder.join(path)).unwrap());
        if read.is_ok() != (case["expect"] == "pass") {
            differing.push(format!("{} {}: {:?}", case["id"], case["expect"], read.map(|s| s.subject)));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The DER of each certificate in a PEM file, in its order.
fn certificates(pem: &[u8]) -> Vec<sigstore::types::DerCertificate> {
    let text = String::from_utf8(pem.to_vec()).unwrap();
    let blocks = text.split_inclusive("-----END CERTIFICATE-----");
    let blocks = blocks.filter(|block| block.contains("-----BEGIN CERTIFICATE-----"));
    blocks.map(|block| sigstore::types::DerCertificate::from_pem(block.trim()).unwrap()).collect()
}

/// `root-ca` is no role here: the last certificate of a trusted root's chain is trusted because it
/// stands there, whoever issued it.
#[test]
fn agrees_with_the_cases_of_what_a_certificate_may_be() {
    let Some(folder) = corpus() else { return };
    let cases = cases(&folder);
    let cases: Vec<&Value> = cases.iter().filter(|case| case["kind"] == "x509-role").collect();
    let cases: Vec<&Value> = cases.into_iter().filter(|case| case["policy"]["role"] != "root-ca").collect();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let pem = std::fs::read(folder.join(case["files"]["vector"].as_str().unwrap())).unwrap();
        let certificate = &certificates(&pem)[0];
        let may = match case["policy"]["role"].as_str().unwrap() {
            "ca" => super::certificate::is_authority(certificate),
            "leaf" => super::certificate::is_leaf(certificate),
            other => panic!("{other}"),
        };
        assert_eq!(may, case["expect"] == "pass", "{}", case["id"]);
    }
}

/// Through the function that the library verifies every time stamp of a bundle with.
#[test]
fn agrees_with_the_cases_of_time_stamps() {
    use sigstore::types::{SignatureBytes, TimestampToken};
    let Some(folder) = corpus() else { return };
    let cases = cases(&folder);
    let cases: Vec<&Value> = cases.iter().filter(|case| case["kind"] == "rfc3161").collect();
    assert_eq!(cases.len(), 7);
    let mut differing = Vec::new();
    for case in cases {
        let file =
            |role: &str| case["files"][role].as_str().map(|path| std::fs::read(folder.join(path)).unwrap());
        let chain = certificates(&file("trusted_root").unwrap_or_default());
        let holds = match chain.as_slice() {
            [leaf, intermediates @ .., root] => {
                let authority = sigstore::tsa::TsaAuthority::new(
                    leaf.clone(),
                    intermediates.to_vec(),
                    root.clone(),
                    None,
                );
                let token = TimestampToken::new(file("vector").unwrap());
                let message = SignatureBytes::new(file("artifact").unwrap_or_default());
                sigstore::tsa::verify_timestamp_for_authority(&token, &message, &authority)
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            _ => Err("no chain".to_owned()),
        };
        if holds.is_ok() != (case["expect"] == "pass") {
            differing.push(format!("{} {}: {holds:?}", case["id"], case["expect"]));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
