//! `docs/kubernetes.md`, command by command, on a cluster without containers: what it says to type is typed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::control_plane::ControlPlane;
use super::deployed::VOLUME;
use super::namespace::within;
use super::nodes;
use super::parts::tell;
use super::released::Released;

/// What the page has in order: files that it shows, and commands.
enum Step {
    File(String, String),
    Command(String),
}

/// A block of `console` holds commands; one of `yaml` after a line that is a file's name and a colon is that file.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut named = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```").filter(|language| !language.is_empty()) else {
            let name = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:"));
            named = name.map(str::to_owned).or(named.filter(|_| line.is_empty()));
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (language, named.take()) {
            ("console", _) => {
                let commands = block.iter().filter_map(|line| line.strip_prefix("$ "));
                steps.extend(commands.map(|command| Step::Command(command.to_owned())));
            }
            ("yaml", Some(name)) => steps.push(Step::File(name, format!("{}\n", block.join("\n")))),
            _ => {}
        }
    }
    steps
}

/// `kubectl`, but for the logs of the Job: no container runs here, so the Job's program does, over the files that the
/// page has laid out.
const LOGS: &str = r#"#!/bin/sh
case "$*" in
  *" logs job/laforge-log-init")
    mkdir job && cp flat/* job/
    sed -i 's#/var/lib/laforge/##; s#/keys/gate.key#../gate/.laforge/audit.key#' job/laforge.yaml
    exec laforge -C job audit init ;;
esac
exec KUBECTL "$@"
"#;

#[test]
fn every_command_of_the_page_does_what_it_says() {
    within("documented::every_command_of_the_page_does_what_it_says", |parts| {
        let mut plane = ControlPlane::start(parts);
        nodes::start(&mut plane, parts);
        plane.kubectl_with(&["create", "-f", "-"], VOLUME).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = fs::read_to_string(root.join("docs/kubernetes.md")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(parts.path("helm"), programs.join("helm")).unwrap();
        let kubectl = programs.join("kubectl");
        fs::write(&kubectl, LOGS.replace("KUBECTL", parts.path("kubectl").to_str().unwrap())).unwrap();
        fs::set_permissions(&kubectl, Permissions::from_mode(0o755)).unwrap();
        symlink(env!("CARGO_BIN_EXE_laforge"), programs.join("laforge")).unwrap();
        symlink(root.join("deploy"), folder.path().join("deploy")).unwrap();
        let released = Released::new();
        fs::copy(released.path().join("plan.json"), folder.path().join("plan.json")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut tried = 0;
        for step in steps(&page) {
            match step {
                Step::File(name, text) => fs::write(folder.path().join(name), text).unwrap(),
                Step::Command(command) => {
                    let mut shell = Command::new("bash");
                    shell
                        .args(["-euo", "pipefail", "-c", &command])
                        .current_dir(folder.path())
                        .env("PATH", &path);
                    shell.env("KUBECONFIG", plane.kubeconfig()).env("HOME", folder.path());
                    let output = shell.output().unwrap();
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "$ {command}\n{said}");
                    tried += 1;
                }
            }
        }
        // What the Job made is what trust pins when the page is through.
        let mut verify = Command::new(env!("CARGO_BIN_EXE_laforge"));
        verify.args(["audit", "verify", "--audit-log", "job/audit", "--trust", "flat/trust.yaml"]);
        let verified = verify.current_dir(folder.path()).env("HOME", folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success() && said.contains("(pinned by trust)"), "{said}");
        tell(&format!("docs/kubernetes.md: {tried} commands\n"));
        assert!(tried >= 15, "{tried}");
        // The webhook is on, and nothing answers it here: it fails closed, where it applies and nowhere else.
        plane.kubectl_ok(&["create", "namespace", "payments"]);
        let deployment = ["create", "deployment", "app", "--image=registry.example/app:1"];
        let refused = plane.kubectl(&[&["-n", "payments"], &deployment[..]].concat());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains("failed calling webhook \"admission.laforge.dev\""),
            "{said}"
        );
        plane.kubectl_ok(&[&["-n", "default"], &deployment[..]].concat());
    });
}
