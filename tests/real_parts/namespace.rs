//! A network and process namespace of a test's own: its loopback, its ports, and an end for all that it started.

use std::env;
use std::process::Command;

use super::parts::{self, Parts};

/// Set for the run inside.
const INSIDE: &str = "LAFORGE_TEST_NAMESPACE";

/// Runs a test's body in a namespace of its own: this very test, once more, alone.
///
/// `test` is its full name. Everything that it leaves running ends with it, since it is the namespace's first
/// process.
pub fn within(test: &str, body: impl FnOnce(&Parts)) {
    let Some(parts) = parts::found() else { return };
    alone(test, || body(&parts));
}

/// The same for programs of the machine, which have to be installed.
pub fn beside(programs: &[&str], test: &str, body: impl FnOnce()) {
    if let Some(program) = programs.iter().find(|program| !parts::is_installed(program)) {
        return parts::skip(&format!("`{program}` is not installed"));
    }
    alone(test, body);
}

fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let inside = r#"ip link set lo up && exec "$0" "$@""#;
    let output = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "sh", "-c", inside])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs([(INSIDE, "1"), ("RUST_BACKTRACE", "0")])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return parts::skip(&format!("no namespace of its own without `unshare`: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") {
        return parts::skip(&format!("no namespace of its own: {}", said.trim()));
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    // A name that fits no test would pass for one that does.
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{said}");
    parts::tell(&said);
}
