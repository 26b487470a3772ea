//! Real registries and real clients: what cosign pushes laforge finds, what laforge signs cosign takes.
//!
//! `crane registry serve` keeps no lists of referrers, `olareg` does. The parts are those of
//! `tests/parts`: without them a test says so in one line and ends, and fails where
//! `LAFORGE_REQUIRE_PARTS` is set. Servers bind loopback only and end with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::BUNDLE;
use super::{SIGNED, Shipped};
use crate::skipped;

const NEEDED: [&str; 4] = ["crane", "olareg", "cosign", "oras"];

/// No transparency log, and no network: the key is all there is.
const OFFLINE: [&str; 3] = ["--use-signing-config=false", "--tlog-upload=false", "--yes"];

/// The folder of the parts, if they are built.
fn parts() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/build");
    let output = Command::new(build).arg("--where").output().unwrap();
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let missing = NEEDED.iter().find(|part| Command::new(folder.join(part)).arg("--help").output().is_err());
    match missing {
        None => Some(folder),
        Some(part) => {
            let why = format!("`{part}` is not built (tests/parts/build)");
            assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "real parts are required: {why}");
            skipped(&why);
            None
        }
    }
}

/// A registry of its own process.
struct Served {
    child: Child,
    parts: PathBuf,
    host: String,
    folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// Both kinds, each on a free port.
    fn both() -> Vec<Self> {
        let Some(parts) = parts() else { return Vec::new() };
        let crane = |port: &str| {
            vec!["registry".into(), "serve".into(), "--address".into(), format!("127.0.0.1:{port}")]
        };
        let olareg = |port: &str| {
            ["serve", "--addr", "127.0.0.1", "--port", port, "--store-type", "mem"]
                .map(str::to_owned)
                .to_vec()
        };
        vec![Self::start(&parts, "crane", &crane), Self::start(&parts, "olareg", &olareg)]
    }

    fn start(parts: &Path, part: &str, arguments: &dyn Fn(&str) -> Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let child = Command::new(parts.join(part))
            .args(arguments(&port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (parts, folder) = (parts.to_owned(), tempfile::tempdir().unwrap());
        let served = Self { child, parts, host: format!("127.0.0.1:{port}"), folder };
        let started = Instant::now();
        while TcpStream::connect(&served.host).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "{part} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Runs a part to its end.
    fn run(&self, part: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(self.parts.join(part))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("COSIGN_PASSWORD", "")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    #[track_caller]
    fn does(&self, part: &str, arguments: &[&str]) -> String {
        let (succeeded, said) = self.run(part, arguments);
        assert!(succeeded, "{part} {arguments:?}: {said}");
        said
    }

    /// Pushes an image and gives its reference.
    fn image(&self, name: &str) -> String {
        fs::write(self.folder.path().join("layer"), name).unwrap();
        let tagged = format!("{}/acme/{name}:v1", self.host);
        let layer = "layer:application/vnd.oci.image.layer.v1.tar";
        self.does("oras", &["push", "--plain-http", &tagged, layer]);
        let digest = self.does("oras", &["resolve", "--plain-http", &tagged]);
        format!("{}/acme/{name}@{}", self.host, digest.trim())
    }

    /// A key of cosign's, by which artifacts are signed; trust names it.
    fn trusted_by(&self, shipped: &Shipped) {
        self.does("cosign", &["generate-key-pair"]);
        fs::copy(self.folder.path().join("cosign.pub"), shipped.example.path("trust/release.pub")).unwrap();
    }
}

/// A release of one image that is somewhere else than in the tests' own registry.
fn shipped(reference: &str) -> Shipped {
    let shipped = Shipped::new();
    shipped.release_of(&format!("{{name: app, image: \"{reference}\"}}"));
    shipped
}

fn sign(served: &Served, reference: &str, more: &[&str]) {
    served.does("cosign", &[&["sign", "--key", "cosign.key"], &OFFLINE[..], more, &[reference]].concat());
}

#[test]
fn what_cosign_signs_laforge_takes() {
    for served in Served::both() {
        let (image, other) = (served.image("payments"), served.image("other"));
        let shipped = shipped(&image);
        served.trusted_by(&shipped);
        shipped.denied("signature-missing");
        sign(&served, &other, &[]);
        shipped.denied("signature-missing");
        sign(&served, &image, &[]);
        shipped.deploy(&[]).ends_with_data().says("signed by release-signing");
        // By another key it is nobody's.
        fs::copy(shipped.example.path("trust/ci.pub"), shipped.example.path("trust/other.pub")).unwrap();
        shipped
            .example
            .run(&["keygen", "--use", "artifact", "-o", "fresh", "--insecure-unencrypted"])
            .ends(0);
        fs::copy(shipped.example.path("fresh.pub"), shipped.example.path("trust/release.pub")).unwrap();
        shipped.denied("signature-missing");
    }
}

#[test]
fn what_cosign_signs_in_its_older_schemes_laforge_takes() {
    for served in Served::both() {
        let image = served.image("payments");
        let shipped = shipped(&image);
        served.trusted_by(&shipped);
        sign(&served, &image, &["--new-bundle-format=false"]);
        // Such a payload is taken only from a signer that trust names for it.
        shipped.denied("signature-missing");
        shipped.example.edit(
            "trust.yaml",
            "  name: release-signing\n",
            "  name: release-signing\n  simpleSigning: true\n",
        );
        shipped.deploy(&[]).ends_with_data();
    }
}

#[test]
fn what_cosign_attests_laforge_takes_from_the_tag_and_from_the_list() {
    for served in Served::both() {
        for format in ["--new-bundle-format=false", "--new-bundle-format=true"] {
            let image = served.image(if format.ends_with("true") { "listed" } else { "tagged" });
            let shipped = shipped(&image);
            served.trusted_by(&shipped);
            fs::write(served.folder.path().join("predicate.json"), "{}").unwrap();
            let attest =
                ["attest", "--key", "cosign.key", format, "--type", SIGNED, "--predicate", "predicate.json"];
            served.does("cosign", &[&attest[..], &OFFLINE, &[&image]].concat());
            shipped.deploy(&[]).ends_with_data();
            fs::remove_file(served.folder.path().join("cosign.key")).unwrap();
            fs::remove_file(served.folder.path().join("cosign.pub")).unwrap();
        }
    }
}

#[test]
fn what_laforge_signs_and_oras_attaches_both_take() {
    for served in Served::both() {
        let image = served.image("payments");
        let shipped = shipped(&image);
        let digest = image.split_once('@').unwrap().1;
        let bundle = shipped.signature(&json!({"digest": digest}));
        fs::write(served.folder.path().join("bundle.json"), bundle).unwrap();
        fs::copy(shipped.example.path("trust/release.pub"), served.folder.path().join("release.pub"))
            .unwrap();
        let verify = ["verify", "--key", "release.pub", "--insecure-ignore-tlog=true", &image];
        assert!(!served.run("cosign", &verify).0, "nothing is attached yet");
        shipped.denied("signature-missing");
        let file = format!("bundle.json:{BUNDLE}");
        served.does("oras", &["attach", "--plain-http", "--artifact-type", BUNDLE, &image, &file]);
        served.does("cosign", &verify);
        shipped.deploy(&[]).ends_with_data();
    }
}

#[test]
fn an_index_of_real_images_is_vouched_for_on_every_platform() {
    for served in Served::both() {
        let images = ["amd64", "arm64"].map(|name| served.image(name));
        let repository = format!("{}/acme/all", served.host);
        let manifests: Vec<Value> = images
            .iter()
            .zip(["amd64", "arm64"])
            .map(|(image, architecture)| {
                served.does("oras", &["copy", "--from-plain-http", "--to-plain-http", image, &repository]);
                let digest = image.split_once('@').unwrap().1;
                let bytes = served.does("oras", &["manifest", "fetch", "--plain-http", image]);
                json!({"mediaType": super::MANIFEST, "digest": digest, "size": bytes.len(),
                    "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        let index =
            json!({"schemaVersion": 2, "mediaType": super::INDEX, "manifests": manifests}).to_string();
        fs::write(served.folder.path().join("index.json"), &index).unwrap();
        let tagged = format!("{repository}:v1");
        served.does("oras", &["manifest", "push", "--plain-http", &tagged, "index.json"]);
        let digest = super::digest(index.as_bytes());
        let shipped = shipped(&format!("{repository}@{digest}"));
        served.trusted_by(&shipped);
        sign(&served, &format!("{repository}@{}", manifests[0]["digest"].as_str().unwrap()), &[]);
        shipped.denied("signature-missing").says("linux/arm64");
        sign(&served, &format!("{repository}@{}", manifests[1]["digest"].as_str().unwrap()), &[]);
        shipped.deploy(&[]).ends_with_data();
    }
}
