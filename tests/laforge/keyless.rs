//! A keyless signature is published for ever: whatever can be found out on this machine is found out before.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::example::{Example, Run};

/// A Sigstore instance on this machine that counts what it is asked, and refuses it.
struct Instance {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Instance {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                counter.fetch_add(1, Ordering::SeqCst);
                // What it says does not matter; whoever asked may be gone.
                let _ = stream.read(&mut [0; 64 * 1024]);
                let _ =
                    stream.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn config(&self) -> String {
        let at = |version: u32| {
            json!([{"url": format!("http://{}", self.address), "majorApiVersion": version, "operator": "test",
                "validFor": {"start": "2026-01-01T00:00:00Z"}}])
        };
        let media = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
        json!({"mediaType": media, "caUrls": at(1), "rekorTlogUrls": at(2), "tsaUrls": at(1)}).to_string()
    }
}

/// A token of somebody, for as long as this test may take.
fn token() -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"iss": "https://issuer.test", "sub": "u-1", "aud": "sigstore",
        "email": "alice@example.com", "email_verified": true, "exp": now + 3600});
    format!("{}.{}.{}", part(&json!({"alg": "RS256"})), part(&claims), URL_SAFE_NO_PAD.encode("signature"))
}

/// The example, with the flags of an instance that nothing should be asked of.
struct Desk {
    example: Example,
    instance: Instance,
}

impl Desk {
    fn new() -> Self {
        let (example, instance) = (Example::new(), Instance::new());
        example.write("signing.json", &instance.config());
        example.write("list.json", "[1]");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(root.join("fixtures/allows-keyless-logged/trust/acme-root.json"), example.path("root.json"))
            .unwrap();
        Self { example, instance }
    }

    /// Runs a verb, with the instance's own root unless another is given.
    fn run(&self, words: &str) -> Run {
        let token = token();
        let mut arguments: Vec<&str> = words.split(' ').collect();
        arguments.extend(["--signing-config", "signing.json", "--identity-token", &token]);
        if !words.contains("--trusted-root") {
            arguments.extend(["--trusted-root", "root.json"]);
        }
        self.example.run(&arguments)
    }
}

#[test]
fn nothing_is_published_where_what_is_at_hand_does_not_hold() {
    let desk = Desk::new();
    let attest = "attest artifacts/sbom.json --predicate build.json";
    let approve = "approve --release release.yaml --yes";
    for (words, code, says) in [
        (
            "sign artifacts/sbom.json -o s.json --trusted-root release.yaml".to_owned(),
            2,
            "--trusted-root `release.yaml`",
        ),
        (format!("{attest} -o a.json --trusted-root signing.json"), 2, "--trusted-root `signing.json`"),
        (format!("{approve} --trusted-root release.yaml"), 2, "--trusted-root `release.yaml`"),
        ("sign artifacts/sbom.json -o release.yaml".to_owned(), 2, "`release.yaml` is already there"),
        ("sign artifacts/sbom.json".to_owned(), 2, "is already there"),
        ("sign --release release.yaml".to_owned(), 2, "is already there"),
        ("sign artifacts/sbom.json -o /proc/x.json".to_owned(), 2, "cannot write `/proc/x.json`"),
        ("sign artifacts/sbom.json -o /sys/x/y.json".to_owned(), 2, "cannot write `/sys/x/y.json`"),
        ("sign artifacts/sbom.json -o -".to_owned(), 2, "`-` is no name of a file"),
        ("sign artifacts/sbom.json artifacts/nope -o out".to_owned(), 1, "nothing was signed for `nope`"),
        ("sign artifacts/sbom.json artifacts/sbom.json -o out".to_owned(), 2, "two outputs go to one file"),
        ("sign artifacts/sbom.json build.json -o out.json".to_owned(), 2, "`out.json` is the name of a file"),
        (format!("{attest} -o release.yaml"), 2, "`release.yaml` is already there"),
        (attest.to_owned(), 2, "is already there"),
        (format!("{attest} -o /proc/x.json"), 2, "cannot write `/proc/x.json`"),
        (
            "attest artifacts/sbom.json --predicate list.json -o a.json".to_owned(),
            2,
            "`list.json` is no JSON object",
        ),
        ("attest artifacts/nope --predicate build.json -o a.json".to_owned(), 1, "artifacts/nope"),
        (format!("{approve} -o release.yaml"), 2, "`release.yaml` is already there"),
        (format!("{approve} -o /proc/x.json"), 2, "cannot write `/proc/x.json`"),
    ] {
        let run = desk.run(&words);
        assert_eq!((run.code, desk.instance.asked()), (code, 0), "{words}: {}", run.stderr);
        assert!(run.stderr.contains(says), "`{says}`, {words}: {}", run.stderr);
    }
    assert!(!desk.example.path("out").exists() && !desk.example.path("out.json").exists());
    // What could be found out is sound: then the instance is asked.
    desk.run("sign artifacts/sbom.json -o s.json").ends(1).says("refused with HTTP 500");
    assert!(desk.instance.asked() > 0);
    assert!(!desk.example.path("s.json").exists());
}

#[test]
fn an_artifact_that_may_not_be_signed_is_found_before_another_is() {
    let desk = Desk::new();
    desk.example.write("pae", "DSSEv1 28 application/vnd.in-toto+json 2 {}");
    desk.run("sign build.json pae -o out").ends(1).says("begins with `DSSEv1 `");
    assert_eq!(desk.instance.asked(), 0);
}
