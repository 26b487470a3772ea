//! A Pod of `deploy/` as a node would run it, but for the image: the container's own arguments and environment, its
//! mounts where they are, its user, a root that can't be written. What the volumes hold is the test's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::chart::deploy;
use super::manifests;
use super::namespace::within;
use super::parts::tell;

/// The volumes of Pods by their names, each a folder.
pub struct Volumes {
    folder: tempfile::TempDir,
    by_name: BTreeMap<String, PathBuf>,
}

impl Volumes {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, by_name: BTreeMap::new() }
    }

    fn make(&mut self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        self.by_name.insert(name.to_owned(), path.clone());
        path
    }

    /// A volume that the Pod's user may write.
    pub fn writable(&mut self, name: &str) -> PathBuf {
        let path = self.make(name);
        chown(&path, Some(10001), Some(10001)).unwrap();
        path
    }

    /// A ConfigMap or a Secret as a node lays it out: every file a link into a folder that is replaced as a whole.
    pub fn files(&mut self, name: &str, files: &[(&str, &str)], mode: u32) {
        let path = self.make(name);
        let whole = path.join("..2026_11_30_00_00_00.0");
        fs::create_dir(&whole).unwrap();
        symlink("..2026_11_30_00_00_00.0", path.join("..data")).unwrap();
        for (file, text) in files {
            fs::write(whole.join(file), text).unwrap();
            fs::set_permissions(whole.join(file), fs::Permissions::from_mode(mode)).unwrap();
            chown(whole.join(file), None, Some(10001)).unwrap();
            symlink(format!("..data/{file}"), path.join(file)).unwrap();
        }
    }
}

/// The Pod that an object of a file of `deploy/k8s/` makes.
pub fn spec(file: &str, kind: &str) -> Value {
    let objects = manifests::documents(&deploy(&format!("k8s/{file}.yaml")));
    let object = objects.into_iter().find(|object| object["kind"] == kind).unwrap();
    object.pointer("/spec/template/spec").unwrap().clone()
}

/// The first container of a Pod, ready to run.
pub fn command(spec: &Value, volumes: &Volumes) -> Command {
    let container = &spec["containers"][0];
    let root = volumes.folder.path().join(format!("root-{}", container["name"].as_str().unwrap()));
    fs::create_dir_all(&root).unwrap();
    let root = root.to_str().unwrap();
    let mut script = format!(
        "set -eu\nmount -t tmpfs none {root}\nfor d in usr bin sbin lib lib64; do\n  if [ -L /$d ]; then cp -P /$d {root}/$d; \
         elif [ -e /$d ]; then mkdir {root}/$d; mount --rbind /$d {root}/$d; fi\ndone\nmkdir {root}/proc {root}/dev\n\
         mount --rbind /proc {root}/proc; mount --rbind /dev {root}/dev\ntouch {root}/laforge; mount --bind {} {root}/laforge\n",
        env!("CARGO_BIN_EXE_laforge")
    );
    for mount in container["volumeMounts"].as_array().unwrap() {
        let source = &volumes.by_name[mount["name"].as_str().unwrap()];
        let target = format!("{root}{}", mount["mountPath"].as_str().unwrap());
        let options = if mount["readOnly"] == true { "remount,bind,ro" } else { "remount,bind,rw" };
        writeln!(
            script,
            "mkdir -p {target}; mount --bind {} {target}; mount -o {options} {target}",
            source.display()
        )
        .unwrap();
    }
    let security = &spec["securityContext"];
    let is_read_only = container["securityContext"]["readOnlyRootFilesystem"] == true;
    let drops_all = container["securityContext"]["capabilities"]["drop"] == serde_json::json!(["ALL"]);
    assert!(is_read_only && drops_all);
    writeln!(
        script,
        "mount -o remount,ro {root}\nexec chroot {root} /usr/bin/setpriv --reuid={} --regid={} --groups={} --no-new-privs \
         --bounding-set=-all --inh-caps=-all /usr/bin/env -i PATH=/usr/bin \"$@\"",
        security["runAsUser"], security["runAsGroup"], security["fsGroup"]
    )
    .unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", &script, "pod"]);
    for variable in container["env"].as_array().into_iter().flatten() {
        command.arg(format!(
            "{}={}",
            variable["name"].as_str().unwrap(),
            variable["value"].as_str().unwrap()
        ));
    }
    command
        .arg("/laforge")
        .args(container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
    command.stdin(Stdio::null());
    command
}

fn run(spec: &Value, volumes: &Volumes) -> Output {
    command(spec, volumes).output().unwrap()
}

/// The gate's files as docs/kubernetes.md has them laid out, and its key: of a log that is not made yet.
fn gate(volumes: &mut Volumes) {
    let folder = tempfile::tempdir().unwrap();
    let mut init = Command::new(env!("CARGO_BIN_EXE_laforge"));
    init.args(["init", "."]).current_dir(folder.path()).env("XDG_CACHE_HOME", folder.path().join("cache"));
    let made = init.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let config = "apiVersion: laforge.dev/v1\nkind: Config\ntrust: trust.yaml\npolicies: [{path: baseline.yaml}]\naudit: \
                  {log: /var/lib/laforge/audit, origin: gitops.example.com/payments/production, key: \
                  \"file:/keys/gate.key\"}\n";
    // Its log is made elsewhere: nothing is pinned yet.
    let trust = read("trust.yaml");
    let trust = trust.split("gates:").next().unwrap();
    let (policy, key) = (read("policies/baseline.yaml"), read("trust/audit.pub"));
    let files = [
        ("laforge.yaml", config),
        ("trust.yaml", trust),
        ("baseline.yaml", policy.as_str()),
        ("audit.pub", key.as_str()),
    ];
    volumes.files("config", &files, 0o644);
    volumes.files("key", &[("gate.key", read(".laforge/audit.key").as_str())], 0o440);
    volumes.writable("log");
    volumes.writable("tmp");
}

/// Of `laforge audit init`: a line of it.
fn line<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap();
    line.trim_matches([':', ' ', '"'])
}

#[test]
fn the_log_is_made_once_and_verified_by_the_pods_of_the_chart() {
    within("pods::the_log_is_made_once_and_verified_by_the_pods_of_the_chart", |parts| {
        let mut volumes = Volumes::new();
        gate(&mut volumes);
        let init = spec("init", "Job");
        let made = run(&init, &volumes);
        let (said, told) = (String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
        assert!(made.status.success(), "{told}");
        assert_eq!(line(&said, "origin"), "gitops.example.com/payments/production");
        tell(&format!("log {}\n", line(&said, "logId")));
        let again = run(&init, &volumes);
        let told = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.code() == Some(12) && told.contains("is not empty"), "{told}");

        let tests = manifests::read(&super::chart::rendered(parts, &[]).unwrap());
        let test = tests.into_iter().find(|object| object["kind"] == "Pod").unwrap();
        let verified = run(&test["spec"], &volumes);
        let told = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success(), "{told}");
        // It reads the log, and could not write it.
        assert!(only_readable(&test["spec"], "log") && only_readable(&spec("studio", "Deployment"), "log"));
    });
}

fn only_readable(spec: &Value, volume: &str) -> bool {
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    mounts.iter().find(|mount| mount["name"] == volume).unwrap()["readOnly"] == true
}
