//! Files that are no files, files without end, and files that change while they are read.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use super::{PATIENCE, ends_in_time, fifo, log_is_sound};
use crate::example::{Example, finished};

#[test]
fn pipes_devices_links_and_sparse_files_wherever_bytes_are_read() {
    let example = Example::new();
    for name in ["evidence/pipe.json", "evidence/more.jsonl"] {
        fifo(&example, name);
    }
    symlink("/dev/zero", example.path("evidence/zero.json")).unwrap();
    symlink("/proc/self/mem", example.path("evidence/mem.dsse")).unwrap();
    symlink(".", example.path("evidence/loop")).unwrap();
    example.deploy(&[]).ends(0);

    let sparse = example.fork_without_special_files();
    fs::File::create(sparse.path("evidence/huge.json")).unwrap().set_len(1 << 40).unwrap();
    sparse.denied(&[], &["evidence-limit"]);
    let sparse = example.fork_without_special_files();
    fs::File::create(sparse.path("evidence/huge.jsonl")).unwrap().set_len(1 << 40).unwrap();
    sparse.denied(&[], &["evidence-limit"]);

    for artifact in ["pipe", "/dev/zero", "/dev/stdin", "/proc/self/mem", "."] {
        let example = Example::new();
        fifo(&example, "pipe");
        example.edit("release.yaml", "path: artifacts/sbom.json", &format!("path: {artifact}"));
        assert_eq!(ends_in_time(&example, &["deploy"]), 1, "{artifact}");
    }
    for release in ["pipe", "/dev/zero", "."] {
        let example = Example::new();
        fifo(&example, "pipe");
        assert_eq!(ends_in_time(&example, &["deploy", "--release", release]), 2, "{release}");
    }
    let example = Example::new();
    fifo(&example, "pipe");
    assert_eq!(ends_in_time(&example, &["deploy", "--require-signed", "--evidence", "pipe"]), 2);
}

impl Example {
    /// Another folder with the same content, but for what is no file or folder.
    fn fork_without_special_files(&self) -> Self {
        for name in self.list("evidence") {
            let kind = fs::symlink_metadata(self.path(&format!("evidence/{name}"))).unwrap().file_type();
            if !kind.is_file() && !kind.is_dir() {
                self.remove(&format!("evidence/{name}"));
            }
        }
        self.fork()
    }
}

#[test]
fn an_index_that_lists_one_manifest_again_and_again() {
    let example = Example::new();
    let put = |bytes: &[u8], media_type: &str| {
        let hex = laforge::release::digest::Digest::of_bytes(bytes).hex();
        fs::create_dir_all(example.path("l/blobs/sha256")).unwrap();
        fs::write(example.path(&format!("l/blobs/sha256/{hex}")), bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len()})
    };
    let config = put(b"{}", "c");
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [], "pad": " ".repeat(4_000_000)});
    let manifest = put(manifest.to_string().as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let index = json!({"schemaVersion": 2, "manifests": vec![manifest; 20_000]});
    let index = put(index.to_string().as_bytes(), "x");
    example.write("l/oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
    let image = format!(
        "    - {{name: image, image: \"r.example/x@{}\", path: l}}\n  config:",
        index["digest"].as_str().unwrap()
    );
    example.edit("release.yaml", "  config:", &image);
    assert_eq!(ends_in_time(&example, &["deploy"]), 1);
}

#[test]
fn documents_made_to_cost_a_parser_time() {
    let size = 500_000;
    for text in [
        "[".repeat(size),
        "{a: ".repeat(size / 4),
        "- ".repeat(size / 2),
        "? ".repeat(size / 2),
        "a:".repeat(size / 2),
        format!("a: &a [{}]\nb: *a\n", "x,".repeat(size / 4)),
        format!("a: \"{}", "x\n ".repeat(size / 3)),
        (0..900).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        format!("{{{}}}", (0..size / 10).map(|at| format!("k{at}: 1,")).collect::<String>()),
        "a".repeat(2_000_000),
    ] {
        let example = Example::new();
        example.write("bad.yaml", &text);
        assert_eq!(ends_in_time(&example, &["deploy", "--release", "bad.yaml"]), 2);
    }
}

/// What the build's own signer signed is kept parsed until the decision.
#[test]
fn signed_statements_that_grow_when_they_are_parsed() {
    let example = Example::new();
    for at in 0..6 {
        let list = "0,".repeat(5_500_000);
        example.write("big.json", &format!("{{\"i\":{at},\"x\":[{list}0]}}"));
        let to = format!("evidence/big{at}.json");
        example
            .run(&[
                "attest",
                "artifacts/sbom.json",
                "--type",
                "https://x.example/p",
                "--predicate",
                "big.json",
                "--key",
                "keys/ci.key",
                "-o",
                &to,
            ])
            .ends(0);
    }
    // 90 MiB of evidence are more than is taken, and what is taken fits in 1.5 GB of address space.
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 1500000; exec \"$0\" deploy", env!("CARGO_BIN_EXE_laforge")])
        .current_dir(example.path(""))
        .env("XDG_CACHE_HOME", example.path(".cache"))
        .output()
        .unwrap();
    let run = finished(limited);
    assert!(run.code == 10 && run.stderr.contains("evidence-limit"), "{}: {}", run.code, run.stderr);
}

#[test]
fn artifacts_and_evidence_swapped_while_the_gate_reads() {
    let example = Example::new();
    let stop = AtomicBool::new(false);
    let (good, bad) = (example.read("artifacts/sbom.json"), "evil".to_owned());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            while !stop.load(Ordering::Relaxed) && started.elapsed() < PATIENCE {
                for text in [&bad, &good] {
                    fs::write(example.path("swap"), text).unwrap();
                    fs::rename(example.path("swap"), example.path("artifacts/sbom.json")).unwrap();
                }
            }
        });
        for _ in 0..20 {
            let run = example.deploy(&[]);
            if run.code == 0 {
                let plan = run.json();
                let digest = laforge::release::digest::Digest::of_bytes(good.as_bytes()).hex();
                assert!(plan["plan"]["subject"].to_string().contains(&digest));
            } else {
                assert_eq!(run.code, 10, "{}", run.stderr);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    log_is_sound(&example);
}
