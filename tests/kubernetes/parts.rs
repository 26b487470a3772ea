//! Where the control plane is that `tests/parts/kubernetes/build` makes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What has to be there.
const NEEDED: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// The folder of built parts.
pub struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// One part, ready to be given arguments.
    pub fn command(&self, part: &str) -> Command {
        Command::new(self.folder.join(part))
    }
}

/// The parts, if they are built.
pub fn found() -> Option<Parts> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/kubernetes/build");
    let output = Command::new(build).arg("--where").output().unwrap();
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    if !is_installed("openssl") {
        skip("`openssl` is not installed");
        return None;
    }
    match NEEDED.iter().find(|part| !folder.join(part).is_file()) {
        Some(part) => {
            skip(&format!("no control plane, `{part}` is not built (tests/parts/kubernetes/build)"));
            None
        }
        None => Some(Parts { folder }),
    }
}

/// Whether a program of the machine is there.
pub fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Says that a test is skipped, unless the parts are required.
pub fn skip(why: &str) {
    assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "real parts are required here: {why}");
    tell(&format!("skipped: {why}\n"));
}

/// Says something past the runner's capture.
pub fn tell(text: &str) {
    // Where nobody reads stderr there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
