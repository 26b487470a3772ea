//! Where the parts are that `tests/parts/kubernetes/build` and `tests/parts/rollouts/build` make.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What has to be there of the control plane.
const PLANE: [&str; 7] =
    ["etcd", "helm", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"];
/// What has to be there of Argo Rollouts.
const ROLLOUTS: [&str; 2] = ["gateway-api-plugin", "rollouts-controller"];

/// A folder of built parts.
pub struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// One part, ready to be given arguments.
    pub fn command(&self, part: &str) -> Command {
        Command::new(self.path(part))
    }

    /// A file that was built beside the parts, or a part's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The control plane's parts, if they are built.
pub fn found() -> Option<Parts> {
    if !is_installed("openssl") {
        skip("`openssl` is not installed");
        return None;
    }
    built("tests/parts/kubernetes/build", &PLANE)
}

/// Argo Rollouts', if they are built.
pub fn rollouts() -> Option<Parts> {
    built("tests/parts/rollouts/build", &ROLLOUTS)
}

fn built(build: &str, needed: &[&str]) -> Option<Parts> {
    let output =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(build)).arg("--where").output().unwrap();
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    match needed.iter().find(|part| !folder.join(part).is_file()) {
        Some(part) => {
            skip(&format!("`{part}` is not built ({build})"));
            None
        }
        None => Some(Parts { folder }),
    }
}

/// Whether a program of the machine is there.
pub fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    // Debian's servers lie where not every user's path leads.
    let beyond = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&paths).chain(beyond).any(|folder| folder.join(program).is_file())
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
