//! Images and their evidence from registries: each way that a registry helps, fails or lies.
//!
//! What is allowed is allowed by a real signature, found where tools put it; the program asks over a
//! real connection. Times are cut short through the library, where a test would have to wait.

mod bounds;
mod lists;
mod offline;
mod real;
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use laforge::release::digest::ClaimedDigest;
use laforge::release::resolved::{ImageManifests, Unfetched};
use laforge::source::oci::{Patience, Registries, Settings};
use serde_json::{Value, json};

use self::server::{BUNDLE, INDEX, MANIFEST, Manner, Registry, Reply, digest};
use crate::example::{Example, Run, command, finished};

const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const STATEMENT: &str = "application/vnd.in-toto+json";

/// The example's trust and log, a policy that asks for signatures, and a release of one image.
struct Shipped {
    example: Example,
    registry: Registry,
}

impl Shipped {
    fn from(registry: Registry) -> Self {
        let example = Example::new();
        example.write(
            "policies/baseline.yaml",
            "apiVersion: laforge.dev/v1\nkind: Policy\nmetadata: {name: baseline}\nspec:\n  require:\n    signatures: {each: artifact, atLeast: 1}\n",
        );
        example.write("predicate.json", "{}");
        for name in example.list("evidence") {
            example.remove(&format!("evidence/{name}"));
        }
        Self { example, registry }
    }

    fn new() -> Self {
        Self::from(Registry::start())
    }

    /// One signed image in a registry that keeps lists.
    fn signed() -> (Self, Value) {
        let shipped = Self::new();
        let image = shipped.registry.image("payments");
        shipped.release(&image);
        shipped.registry.attach(&shipped.signature(&image), &image);
        (shipped, image)
    }

    fn reference(&self, image: &Value) -> String {
        format!("{}@{}", self.registry.repository(), image["digest"].as_str().unwrap())
    }

    fn release(&self, image: &Value) {
        self.release_of(&format!("{{name: app, image: \"{}\"}}", self.reference(image)));
    }

    fn release_of(&self, artifacts: &str) {
        let text = format!(
            "apiVersion: laforge.dev/v1\nkind: Release\nmetadata: {{name: payments, version: 2.4.0}}\nspec:\n  \
             environment: production\n  source: {{repository: https://github.com/acme/payments, commit: \
             4f1c6d8e2b7a9035c1d4e6f80a2b3c4d5e6f7081, ref: refs/tags/v2.4.0}}\n  artifacts:\n    - {artifacts}\n"
        );
        self.example.write("release.yaml", &text);
    }

    /// A statement of cosign's over an image's digest, by the key that signs releases.
    fn signature(&self, image: &Value) -> Vec<u8> {
        self.signature_by("release", image)
    }

    fn signature_by(&self, key: &str, image: &Value) -> Vec<u8> {
        let digest = image["digest"].as_str().unwrap();
        let path = format!("{key}-{}.json", &digest[7..19]);
        let key = format!("keys/{key}.key");
        self.example
            .run(&[
                "attest",
                digest,
                "--type",
                SIGNED,
                "--predicate",
                "predicate.json",
                "--key",
                &key,
                "-o",
                &path,
            ])
            .ends(0);
        let bytes = fs::read(self.example.path(&path)).unwrap();
        self.example.remove(&path);
        bytes
    }

    fn deploy(&self, more: &[&str]) -> Run {
        self.example.run(&[&["deploy"], more].concat())
    }

    /// Neither yes nor no, on record as such, with this among the causes.
    #[track_caller]
    fn inconclusive(&self, rule: &str, cause: &str) {
        let before = self.example.entries().len();
        self.deploy(&[]).ends(11).says(cause);
        assert!(self.example.entries().len() > before, "it is not on record");
        let decision = self.example.last_decision();
        assert_eq!((&decision["verdict"], &decision["action"]), (&json!("error"), &json!("deny")));
        assert_eq!(decision["findings"][0]["rule"], rule, "{decision}");
        assert!(decision.get("plan").is_none());
    }

    #[track_caller]
    fn denied(&self, rule: &str) -> Run {
        let run = self.deploy(&[]).ends(10);
        let decision = self.example.last_decision();
        let rules: Vec<&Value> =
            decision["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
        assert!(rules.contains(&&json!(rule)), "`{rule}` is not among {rules:?}: {}", run.stderr);
        run
    }
}

/// Patience that a test can wait for.
fn hurried() -> Patience {
    Patience {
        connect: Duration::from_millis(500),
        answer: Duration::from_millis(400),
        attempts: 2,
        pause: Duration::from_millis(20),
        longest: Duration::from_secs(1),
        lost: Duration::from_secs(5),
        whole: Duration::from_secs(60),
        ..Patience::default()
    }
}

fn impatient() -> Registries<'static> {
    Registries::online(Settings { patience: hurried(), ..Settings::default() })
}

/// Why an image is not to be had, by the library.
#[track_caller]
fn cause(registries: &Registries<'_>, registry: &Registry, image: &Value) -> String {
    let claim: ClaimedDigest = image["digest"].as_str().unwrap().parse().unwrap();
    match registries.manifest(&registry.repository(), &claim) {
        Err(Unfetched::Unreachable { cause }) => cause,
        other => panic!("{other:?}"),
    }
}

// ---- Where evidence is found.

#[test]
fn allows_an_image_whose_signature_is_a_referrer() {
    let (shipped, _) = Shipped::signed();
    let run = shipped.deploy(&["-v"]).ends_with_data();
    assert!(
        run.stderr.contains("signed by release-signing") && run.stderr.contains("requests to registries")
    );
    // Neither the layer nor the config of the image is of interest.
    assert_eq!(shipped.registry.asked_for("/blobs/"), 1);
    assert!(shipped.registry.asked().iter().all(|asked| asked.method == "GET"));
}

#[test]
fn allows_an_image_whose_signature_hangs_at_the_tag_that_stands_in_for_lists() {
    let shipped = Shipped::from(Registry::without_lists());
    let image = shipped.registry.image("payments");
    shipped.release(&image);
    shipped.denied("signature-missing");
    shipped.registry.attach(&shipped.signature(&image), &image);
    shipped.deploy(&[]).ends_with_data();
}

#[test]
fn finds_envelopes_and_payloads_at_the_tags_of_older_cosigns() {
    let shipped = Shipped::from(Registry::without_lists());
    let image = shipped.registry.image("payments");
    shipped.release(&image);
    let bundle: Value = serde_json::from_slice(&shipped.signature(&image)).unwrap();
    let envelope = bundle["dsseEnvelope"].to_string();
    let mut layer = shipped.registry.blob(envelope.as_bytes());
    layer["mediaType"] = ENVELOPE.into();
    let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": shipped.registry.blob(b"{}"), "layers": [layer]});
    let tag = image["digest"].as_str().unwrap().replace(':', "-");
    shipped.registry.tag(&format!("{tag}.att"), MANIFEST, &document);
    shipped.deploy(&[]).ends_with_data();
}

#[test]
fn images_on_the_command_line_stand_beside_the_release() {
    let (shipped, image) = Shipped::signed();
    let other = shipped.registry.image("worker");
    let reference = shipped.reference(&other);
    shipped.deploy(&["--image", &reference]).ends(10).says("signature-missing");
    shipped.registry.attach(&shipped.signature(&other), &other);
    shipped.deploy(&["--image", &reference]).ends_with_data();
    let artifacts = shipped.example.last_decision()["release"]["artifacts"].clone();
    assert_eq!(artifacts[0]["name"], json!(reference), "the tag is dropped and the digest stays");
    // What the release lists stands alone.
    let tagged = shipped.reference(&image).replace("@", ":v2@");
    shipped.deploy(&["--image", &tagged]).ends_with_data();
    let release = shipped.example.last_decision()["release"].clone();
    assert_eq!(release["artifacts"].as_array().unwrap().len(), 1);
    assert_eq!(release["artifacts"][0]["name"], "app");
}

#[test]
fn refuses_an_image_without_digest_or_without_a_release() {
    let (shipped, image) = Shipped::signed();
    shipped.deploy(&["--image", "r.example/a:v1"]).ends(2).says("has no digest").says("a tag can be moved");
    shipped.deploy(&["--image", "r.example/a b"]).ends(2).says("is not an image reference");
    shipped.example.edit("laforge.yaml", "release: release.yaml\n", "");
    shipped.deploy(&["--image", &shipped.reference(&image)]).ends(2).says("is of no release");
    assert_eq!(shipped.registry.asked().len(), 0);
}

#[test]
fn an_approval_is_for_the_images_on_the_command_line_too() {
    let (shipped, _) = Shipped::signed();
    let worker = shipped.registry.image("worker");
    shipped.registry.attach(&shipped.signature(&worker), &worker);
    let reference = shipped.reference(&worker);
    let approve = |more: &[&str]| {
        let base = ["approve", "--yes", "--release", "release.yaml", "--key", "keys/alice.key"];
        shipped.example.run(&[&base[..], more].concat()).ends(0);
    };
    approve(&[]);
    shipped.deploy(&["--require-approved", "--image", &reference]).ends(10).says("approval");
    approve(&["--image", &reference, "-o", "evidence/with-worker.sigstore.json"]);
    shipped.deploy(&["--require-approved", "--image", &reference]).ends_with_data();
    shipped.deploy(&["--require-approved"]).ends_with_data();
}

// ---- Indexes.

fn platform(mut descriptor: Value, os: &str, architecture: &str) -> Value {
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    descriptor
}

/// An index of two platforms, with BuildKit's attestation beside the first.
fn index(registry: &Registry) -> (Value, [Value; 2]) {
    let (amd, arm) = (registry.image("amd"), registry.image("arm"));
    let mut statement = registry.blob(br#"{"_type": "https://in-toto.io/Statement/v1"}"#);
    statement["mediaType"] = STATEMENT.into();
    let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": registry.blob(b"{}"), "layers": [statement]});
    let mut attestation = platform(registry.push(MANIFEST, &document), "unknown", "unknown");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd["digest"]});
    let listed =
        [platform(amd.clone(), "linux", "amd64"), platform(arm.clone(), "linux", "arm64"), attestation];
    (registry.index(&listed), [amd, arm])
}

#[test]
fn an_index_is_vouched_for_on_every_platform_or_as_a_whole() {
    let shipped = Shipped::new();
    let (index, [amd, arm]) = index(&shipped.registry);
    shipped.release(&index);
    shipped.denied("signature-missing");
    shipped.registry.attach(&shipped.signature(&amd), &amd);
    shipped.denied("signature-missing").says("linux/arm64");
    shipped.registry.attach(&shipped.signature(&arm), &arm);
    // The attestations of BuildKit are no platform that somebody would have to sign, and no evidence.
    shipped.deploy(&[]).ends_with_data().says("1 file of no kind of evidence");
    let whole = Shipped::new();
    let (index, _) = self::index(&whole.registry);
    whole.release(&index);
    whole.registry.attach(&whole.signature(&index), &index);
    whole.deploy(&[]).ends_with_data();
}

#[test]
fn a_platform_marked_as_attestation_is_still_a_platform() {
    let shipped = Shipped::new();
    let (amd, arm) = (shipped.registry.image("amd"), shipped.registry.image("arm"));
    let mut hidden = platform(arm, "linux", "arm64");
    hidden["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let index = shipped.registry.index(&[platform(amd.clone(), "linux", "amd64"), hidden]);
    shipped.release(&index);
    shipped.registry.attach(&shipped.signature(&amd), &amd);
    shipped.denied("signature-missing").says("linux/arm64");
}

#[test]
fn a_platform_that_the_registry_lacks_denies() {
    let shipped = Shipped::new();
    let (index, [_, arm]) = index(&shipped.registry);
    shipped.release(&index);
    shipped.registry.attach(&shipped.signature(&index), &index);
    shipped.registry.remove(arm["digest"].as_str().unwrap());
    shipped.denied("artifact-missing").says("app (manifest of linux/arm64)");
}

// ---- Registries that fail.

#[test]
fn an_image_that_is_not_there_denies_and_is_no_error() {
    let shipped = Shipped::new();
    let image = json!({"digest": digest(b"nowhere")});
    shipped.release(&image);
    shipped.denied("artifact-missing");
}

#[test]
fn asks_again_after_429_and_503() {
    let (shipped, _) = Shipped::signed();
    shipped.registry.script(|asked, before| match before {
        0 if asked.target.contains("/manifests/") => Some(Reply::status(429).with("Retry-After", "1")),
        1 if asked.target.contains("/manifests/") => Some(Reply::status(503)),
        _ => None,
    });
    let started = Instant::now();
    shipped.deploy(&[]).ends_with_data();
    assert!(started.elapsed() >= Duration::from_secs(1), "`Retry-After` was not heard");
}

#[test]
fn a_registry_that_is_down_is_no_absence() {
    let (shipped, _) = Shipped::signed();
    shipped.registry.script(|_, _| {
        let body = br#"{"errors": [{"code": "UNAVAILABLE", "message": "allow"}]}"#;
        Some(Reply { status: 503, ..Reply::bytes("application/json", body) })
    });
    shipped.inconclusive("artifact-unreachable", "answered 503 (UNAVAILABLE) to request 4");
    assert_eq!(shipped.registry.asked().len(), 4);
    // Neither does a policy that takes artifacts by their digest alone.
    shipped.example.edit(
        "policies/baseline.yaml",
        "  require:",
        "  artifacts: {byDigest: allow}\n  require:",
    );
    shipped.inconclusive("artifact-unreachable", "answered 503");
}

#[test]
fn refused_connections_and_refused_access_are_no_absence() {
    let (shipped, image) = Shipped::signed();
    for status in [401, 403, 500] {
        shipped.registry.script(move |_, _| Some(Reply::status(status)));
        shipped.inconclusive("artifact-unreachable", &format!("answered {status}"));
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reference = format!("{gone}/a@{}", image["digest"].as_str().unwrap());
    shipped.release_of(&format!("{{name: app, image: \"{reference}\"}}"));
    shipped.inconclusive("artifact-unreachable", "did not answer after 4 times: Connection refused");
}

#[test]
fn evidence_that_can_not_be_had_is_inconclusive_only_while_something_is_missing() {
    let (shipped, image) = Shipped::signed();
    let referrers = |asked: &server::Asked| asked.target.contains("/referrers/");
    shipped.registry.script(move |asked, _| referrers(asked).then(|| Reply::status(500)));
    shipped.inconclusive("signature-missing", "(referrers)");
    let bundle = shipped.signature(&image);
    fs::write(shipped.example.path("evidence/a.sigstore.json"), bundle).unwrap();
    shipped.deploy(&[]).ends_with_data().says("evidence-unreachable");
}

#[test]
fn a_list_whose_items_are_gone_is_no_absence() {
    let (shipped, image) = Shipped::signed();
    let unsigned = shipped.registry.image("unsigned");
    let gone = shipped.registry.attach(&shipped.signature(&unsigned), &unsigned);
    shipped.registry.remove(gone["digest"].as_str().unwrap());
    shipped.release(&unsigned);
    shipped.inconclusive("signature-missing", "lists it and does not have it");
    shipped.release(&image);
    shipped.deploy(&[]).ends_with_data();
}

#[test]
fn offline_asks_nobody_and_says_how_to_mend_it() {
    let (shipped, _) = Shipped::signed();
    shipped.deploy(&["--offline"]).ends(11).says("`--offline` reaches none");
    assert_eq!(shipped.registry.asked().len(), 0);
    assert_eq!(shipped.example.last_decision()["verdict"], "error");
}

#[test]
fn comes_to_an_end_with_whoever_never_does() {
    let registry = Registry::start();
    let image = registry.image("payments");
    for manner in [Manner::Silent, Manner::Dripping, Manner::HangUp, Manner::Short] {
        registry.script(move |_, _| Some(Reply::bytes(MANIFEST, b"{}").given(manner)));
        let started = Instant::now();
        let cause = cause(&impatient(), &registry, &image);
        assert!(cause.contains("did not answer after 2 times"), "{cause}");
        assert!(started.elapsed() < Duration::from_secs(4), "it took {:?}", started.elapsed());
    }
    registry.script(move |_, _| Some(Reply::bytes(MANIFEST, b"{}").given(Manner::Endless)));
    let patient = Registries::online(Settings::default());
    assert!(cause(&patient, &registry, &image).ends_with("gives more than 4194304 bytes"));
}

#[test]
fn a_host_that_fails_again_and_again_is_given_up() {
    let registry = Registry::start();
    registry.script(|_, _| Some(Reply::status(503)));
    let patience = Patience { lost: Duration::from_millis(100), ..hurried() };
    let registries = Registries::online(Settings { patience, ..Settings::default() });
    let causes: Vec<String> =
        (0..12).map(|at| cause(&registries, &registry, &registry.image(&at.to_string()))).collect();
    assert!(causes.last().unwrap().contains("is not asked again in this run"), "{causes:?}");
    assert!(registry.asked().len() < 24, "{}", registry.asked().len());
}

/// Each answer comes in time, and names one more.
#[test]
fn registries_that_answer_just_in_time_again_and_again_are_given_up() {
    let registry = Registry::start();
    let image = registry.image("payments");
    registry.script(|_, _| {
        std::thread::sleep(Duration::from_millis(100));
        None
    });
    let patience = Patience { whole: Duration::from_millis(350), ..hurried() };
    let registries = Registries::online(Settings { patience, ..Settings::default() });
    let claim: ClaimedDigest = image["digest"].as_str().unwrap().parse().unwrap();
    assert!(registries.manifest(&registry.repository(), &claim).is_ok());
    let last = (0..12).find_map(|at| {
        let claim = registry.image(&at.to_string())["digest"].as_str().unwrap().parse().unwrap();
        registries.manifest(&registry.repository(), &claim).err()
    });
    let cause = last.unwrap().to_string();
    assert!(cause.contains("is not asked in this run any more"), "{cause}");
    assert!(registry.asked().len() < 8, "{}", registry.asked().len());
}

#[test]
fn waits_no_hour_because_a_registry_asks_for_it() {
    let registry = Registry::start();
    registry.script(|_, _| Some(Reply::status(429).with("Retry-After", "3600")));
    let image = registry.image("payments");
    assert!(cause(&impatient(), &registry, &image).contains("asks to wait 3600 s"));
    assert_eq!(registry.asked().len(), 1);
}

// ---- Registries that lie.

#[test]
fn other_bytes_than_the_digest_deny() {
    let (shipped, image) = Shipped::signed();
    let evil = shipped.registry.image("evil");
    let (wanted, evil) =
        (image["digest"].as_str().unwrap().to_owned(), evil["digest"].as_str().unwrap().to_owned());
    let bytes = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}).to_string();
    shipped.registry.script(move |asked, _| {
        let meant = asked.target.ends_with(&wanted) && asked.target.contains("/manifests/");
        meant.then(|| Reply::bytes(MANIFEST, bytes.as_bytes()).with("Docker-Content-Digest", evil.clone()))
    });
    shipped.denied("artifact-digest");
}

#[test]
fn other_bytes_the_second_time_change_nothing() {
    let (shipped, image) = Shipped::signed();
    let wanted = format!("/manifests/{}", image["digest"].as_str().unwrap());
    let target = wanted.clone();
    shipped.registry.script(move |asked, before| {
        (asked.target.ends_with(&wanted) && before > 0).then(|| Reply::bytes(MANIFEST, b"{}"))
    });
    shipped.deploy(&[]).ends_with_data();
    assert_eq!(shipped.registry.asked_for(&target), 1, "what is known by its digest is fetched once");
}

#[test]
fn evidence_of_other_bytes_is_none() {
    let (shipped, _) = Shipped::signed();
    let other = shipped.registry.image("other");
    let stolen = shipped.signature(&other);
    shipped.registry.script(move |asked, _| {
        asked.target.contains("/blobs/").then(|| Reply::bytes("application/octet-stream", &stolen))
    });
    shipped.inconclusive("signature-missing", "gave other bytes than those of sha256:");
}

#[test]
fn a_document_under_a_false_name_is_not_read() {
    let (shipped, image) = Shipped::signed();
    let manifest = shipped.registry.image("payments");
    assert_eq!(manifest, image);
    let bytes = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": shipped.registry.blob(b"{}"), "layers": [shipped.registry.blob(b"payments")]}).to_string();
    assert_eq!(digest(bytes.as_bytes()), image["digest"].as_str().unwrap());
    for name in [INDEX, "text/html", ""] {
        let bytes = bytes.clone();
        shipped.registry.script(move |asked, _| {
            asked.target.contains("/manifests/sha256:").then(|| Reply::bytes(name, bytes.as_bytes()))
        });
        shipped.inconclusive("artifact-unreachable", "and it is not one");
    }
}

#[test]
fn a_list_that_calls_evidence_something_else_is_not_believed() {
    let shipped = Shipped::new();
    let image = shipped.registry.image("payments");
    shipped.release(&image);
    let mut descriptor = shipped.registry.evidence(BUNDLE, &shipped.signature(&image), &image);
    descriptor["artifactType"] = "application/vnd.example.sbom".into();
    descriptor["urls"] = json!(["http://127.0.0.1:1/elsewhere"]);
    shipped.registry.refer(&image, descriptor);
    shipped.deploy(&[]).ends_with_data();
}

#[test]
fn evidence_of_another_image_counts_for_nothing_wherever_it_hangs() {
    let shipped = Shipped::new();
    let (image, other) = (shipped.registry.image("payments"), shipped.registry.image("other"));
    shipped.release(&image);
    shipped.registry.attach(&shipped.signature(&other), &image);
    shipped.registry.attach(&shipped.signature_by("ci", &image), &image);
    shipped.denied("signature-missing");
}

#[test]
fn lists_without_an_end_are_a_recorded_deny() {
    let (shipped, _) = Shipped::signed();
    shipped.registry.script(|asked, _| {
        let at = asked.target.split("n=").nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let path = asked.target.split('?').next().unwrap().to_owned();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
        path.contains("/referrers/").then(|| {
            Reply::bytes(INDEX, index.as_bytes()).with("Link", format!("<{path}?n={}>; rel=\"next\"", at + 1))
        })
    });
    shipped.denied("evidence-limit");
    assert!(shipped.registry.asked().len() < 200, "{}", shipped.registry.asked().len());
}

#[test]
fn evidence_under_the_name_of_an_index_is_not_read() {
    let (shipped, image) = Shipped::signed();
    let listed = shipped.registry.attach(&shipped.signature_by("ci", &image), &image);
    let digest = listed["digest"].as_str().unwrap().to_owned();
    let bytes = shipped.registry.manifest(&digest);
    shipped.registry.script(move |asked, _| {
        asked.target.ends_with(&format!("/manifests/{digest}")).then(|| Reply::bytes(INDEX, &bytes))
    });
    shipped.deploy(&["--report", "json=report.json"]).ends_with_data();
    let report: Value = serde_json::from_str(&shipped.example.read("report.json")).unwrap();
    assert!(report["unreachable"].to_string().contains("calls it"), "{report}");
}

#[test]
fn the_bytes_of_manifests_count_as_those_of_evidence_do() {
    let (shipped, image) = Shipped::signed();
    let padding = " ".repeat(4 * 1024 * 1024 - 1024);
    for at in 0..17 {
        let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": shipped.registry.blob(b"{}"),
            "layers": [], "annotations": {"at": at.to_string(), "padding": padding}});
        let descriptor = shipped.registry.push(MANIFEST, &document);
        shipped.registry.refer(&image, descriptor);
    }
    shipped.denied("evidence-limit");
}

#[test]
fn a_list_that_ends_before_its_last_page_is_no_absence() {
    for status in [404, 400, 405, 406, 501] {
        let (shipped, image) = Shipped::signed();
        let listed = shipped.registry.evidence(BUNDLE, &shipped.signature(&image), &image);
        shipped.registry.script(move |asked, _| {
            let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed.clone()]});
            path.contains("/referrers/").then(|| match query {
                "" => Reply::bytes(INDEX, index.to_string().as_bytes())
                    .with("Link", format!("<{path}?n=2>; rel=\"next\"")),
                _ => Reply::status(status),
            })
        });
        shipped.inconclusive("signature-missing", "(referrers)");
    }
}

#[test]
fn a_list_too_long_that_can_not_be_filtered_is_a_recorded_deny() {
    for status in [404, 400] {
        let (shipped, _) = Shipped::signed();
        shipped.registry.script(move |asked, _| {
            let listed =
                |at: u32| json!({"mediaType": MANIFEST, "digest": digest(&at.to_le_bytes()), "size": 1});
            let listed: Vec<Value> = (0..300).map(listed).collect();
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string();
            match asked.target.split_once("/referrers/")?.1.contains("?artifactType=") {
                false => Some(Reply::bytes(INDEX, index.as_bytes())),
                true => Some(Reply::status(status)),
            }
        });
        shipped.denied("evidence-limit");
    }
}

// ---- Credentials.

/// A registry that shows nothing without this, and names a token service.
fn guarded(shipped: &Shipped, wanted: &str, realm: Option<String>) {
    let wanted = wanted.to_owned();
    shipped.registry.script(move |asked, _| {
        if asked.target.starts_with("/token") {
            let granted = asked.authorization.as_deref() == Some(&basic("alice", "s3cret"));
            let body = br#"{"token": "t0ken"}"#;
            return Some(if granted { Reply::bytes("application/json", body) } else { Reply::status(401) });
        }
        let challenge = match &realm {
            Some(realm) => format!("Bearer realm=\"{realm}\",service=\"r\",scope=\"repository:*:push\""),
            None => "Basic realm=\"r\"".to_owned(),
        };
        let shown = asked.authorization.as_deref() == Some(&wanted);
        (!shown).then(|| Reply::status(401).with("WWW-Authenticate", challenge))
    });
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

/// Runs `deploy` with this `config.json`, and these programs on the path.
fn deploy_as(shipped: &Shipped, config: &Value, programs: &[(&str, &str)]) -> Run {
    let folder = shipped.example.path("docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    for (name, script) in programs {
        fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let mut command = command(&shipped.example.path(""));
    command.arg("deploy").env("DOCKER_CONFIG", &folder).env("PATH", path);
    finished(command.output().unwrap())
}

fn login(shipped: &Shipped) -> Value {
    json!({"auths": {shipped.registry.host(): {"auth": STANDARD.encode("alice:s3cret")}}})
}

#[test]
fn shows_a_name_and_secret_only_when_asked() {
    let (shipped, _) = Shipped::signed();
    guarded(&shipped, &basic("alice", "s3cret"), None);
    deploy_as(&shipped, &login(&shipped), &[]).ends_with_data();
    assert_eq!(shipped.registry.asked()[0].authorization, None);
    deploy_as(&shipped, &json!({}), &[]).ends(11).says("answered 401");
}

#[test]
fn asks_the_registrys_own_service_for_a_token_to_pull() {
    let (shipped, _) = Shipped::signed();
    guarded(&shipped, "Bearer t0ken", Some(format!("http://{}/token", shipped.registry.host())));
    deploy_as(&shipped, &login(&shipped), &[]).ends_with_data();
    let asked = shipped.registry.asked();
    let tokens: Vec<_> = asked.iter().filter(|asked| asked.target.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "one token for all of a repository");
    assert_eq!(tokens[0].target, "/token?scope=repository%3Aacme%2Fpayments%3Apull&service=r");
    deploy_as(&shipped, &json!({}), &[]).ends(11).says("answered 401");
}

#[test]
fn trades_a_refresh_token_for_one_to_pull() {
    let (shipped, _) = Shipped::signed();
    let realm = format!("http://{}/token", shipped.registry.host());
    shipped.registry.script(move |asked, _| {
        if asked.target == "/token" {
            let traded = asked.method == "POST"
                && asked.authorization.is_none()
                && asked.body.contains("grant_type=refresh_token")
                && asked.body.contains("refresh_token=refre%2Fsh");
            let body = br#"{"access_token": "t0ken"}"#;
            return Some(if traded { Reply::bytes("application/json", body) } else { Reply::status(400) });
        }
        let challenge = format!("Bearer realm=\"{realm}\",service=\"r\"");
        let shown = asked.authorization.as_deref() == Some("Bearer t0ken");
        (!shown).then(|| Reply::status(401).with("WWW-Authenticate", challenge))
    });
    let config = json!({"auths": {shipped.registry.host(): {"auth": "", "identitytoken": "refre/sh"}}});
    deploy_as(&shipped, &config, &[]).ends_with_data();
}

#[test]
fn shows_no_credentials_to_a_service_elsewhere() {
    let (shipped, _) = Shipped::signed();
    let thief = Registry::start();
    guarded(&shipped, "Bearer t0ken", Some(format!("http://{}/token", thief.host())));
    deploy_as(&shipped, &login(&shipped), &[])
        .ends(11)
        .says("which is neither its own host nor a domain above it");
    assert_eq!(thief.asked().len(), 0, "nobody was asked there");
}

#[test]
fn shows_no_credentials_to_whoever_a_redirect_names() {
    let (shipped, _) = Shipped::signed();
    let (signature, thief) = (shipped.registry.asked_for("/blobs/"), Registry::start());
    assert_eq!(signature, 0);
    let host = thief.host();
    let wanted = basic("alice", "s3cret");
    shipped.registry.script(move |asked, _| {
        if asked.authorization.as_deref() != Some(&wanted) {
            return Some(Reply::status(401).with("WWW-Authenticate", "Basic realm=\"r\""));
        }
        let moved = Reply::status(307).with("Location", format!("http://{host}{}", asked.target));
        asked.target.contains("/blobs/").then_some(moved)
    });
    deploy_as(&shipped, &login(&shipped), &[]).ends(11);
    assert_eq!(thief.asked().len(), 1, "the redirect is followed");
    assert!(thief.asked().iter().all(|asked| asked.authorization.is_none()), "{:?}", thief.asked());
}

#[test]
fn follows_no_redirect_in_a_circle_or_away_from_security() {
    let registry = Registry::start();
    let image = registry.image("payments");
    for (location, reason) in [
        ("/v2/acme/payments/manifests/x", "redirects again and again"),
        ("http://192.0.2.1/x", "redirects to where no secure connection is"),
        ("file:///etc/passwd", "redirects to where no secure connection is"),
        ("http://user:secret@127.0.0.1/x", "redirects to a URL with credentials in it"),
        ("http://[", "redirects to nowhere"),
    ] {
        registry.script(move |_, _| Some(Reply::status(302).with("Location", location)));
        let cause = cause(&impatient(), &registry, &image);
        assert!(cause.contains(reason), "{location}: {cause}");
    }
}

#[test]
fn asks_the_helper_that_is_configured_for_the_host() {
    let (shipped, _) = Shipped::signed();
    guarded(&shipped, &basic("alice", "s3cret"), None);
    let host = shipped.registry.host();
    let helper = format!(
        "read server; [ \"$1 $server\" = \"get {host}\" ] && echo '{{\"ServerURL\": \"\", \"Username\": \"alice\", \"Secret\": \"s3cret\"}}'"
    );
    let config = json!({"credHelpers": {host.clone(): "test-1"}});
    deploy_as(&shipped, &config, &[("docker-credential-test-1", &helper)]).ends_with_data();
    deploy_as(&shipped, &json!({"credsStore": "test-1"}), &[]).ends_with_data();
    let failing = [("docker-credential-test-1", "echo s3cret >&2; exit 3")];
    let run = deploy_as(&shipped, &config, &failing).ends(11).says("`docker-credential-test-1` failed");
    assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    let named = json!({"credHelpers": {host: "../evil"}});
    deploy_as(&shipped, &named, &[("evil", "touch was-here")])
        .ends(11)
        .says("is no name of a credential helper");
    assert!(!shipped.example.path("was-here").exists());
}
