//! How long a whole `deploy` of the example takes, beside its floor in the same run.
//!
//! The floor is what no gate can leave out: two `fdatasync`s on the same disk, and one signature
//! verification per piece of evidence. `cargo bench` prints medians and the ratio; nothing here
//! passes or fails on time.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs the program and prints"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that can't run should say so loudly"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use laforge::key::Algorithm;
use laforge::key::secret::SecretKey;

const RUNS: usize = 20;
/// Signatures, provenances and approvals of the example.
const SIGNATURES: usize = 8;

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let example = folder.path().join("example");
    laforge(folder.path(), &["init", "example", "--example"]);
    let mut step = 0;
    let deploy = median(|| {
        // Another plan each time, so that each run appends and none is found again.
        step += 1;
        let steps = format!("{step},100");
        let flags = [
            "deploy",
            "--require-signed",
            "--require-approved",
            "--require-provenance",
            "--traffic-steps",
            &steps,
        ];
        timed(|| laforge(&example, &flags))
    });
    let again =
        median(|| timed(|| laforge(&example, &["deploy", "--require-signed", "--traffic-steps", "1,100"])));
    let nothing = median(|| timed(|| laforge(&example, &["--version"])));
    let synced = median(|| timed(|| sync_twice(folder.path())));
    let key = SecretKey::generate(Algorithm::EcdsaP256).unwrap();
    let signature = key.sign(b"a statement").unwrap();
    let verified = median(|| {
        timed(|| (0..SIGNATURES).for_each(|_| key.public().verify(b"a statement", &signature).unwrap()))
    });
    let floor = synced + verified;
    println!("deploy of the example        {deploy:>12.3?}  median of {RUNS}, a fresh entry each");
    println!("the same plan again          {again:>12.3?}  no entry");
    println!("the process alone            {nothing:>12.3?}");
    println!("two fdatasyncs               {synced:>12.3?}");
    println!("{SIGNATURES} P-256 verifications        {verified:>12.3?}");
    println!("deploy : floor               {:>11.1}x", deploy.as_secs_f64() / floor.as_secs_f64());
}

fn laforge(folder: &Path, arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_laforge"))
        .current_dir(folder)
        .args(arguments)
        .env("XDG_CACHE_HOME", folder.join(".cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

fn sync_twice(folder: &Path) {
    for name in ["one", "two"] {
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
        file.write_all(&[7; 2048]).unwrap();
        file.sync_data().unwrap();
    }
    drop(File::open(folder).unwrap());
    fs::metadata(folder).unwrap();
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    times.get(RUNS / 2).copied().expect("runs")
}
