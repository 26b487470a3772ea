//! The chart, by the real helm: it lints, it renders for several values, what is wrong is refused by its schema, and
//! `deploy/k8s/` is what it renders. And nothing under `deploy/` is a secret.
//!
//! `UPDATE_MANIFESTS=1 cargo test --test kubernetes chart` writes `deploy/k8s/` anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::manifests;
use super::parts::{self, Parts};

/// Helm would take a cluster for one of years ago.
const VERSION: &str = "--kube-version=1.37.0";
/// The files of `deploy/k8s/` that the chart makes, and what has to be switched on for it.
const MADE: [(&str, &str); 6] = [
    ("runtime", ""),
    ("studio", "studio.enabled=true"),
    ("ingress", "gateway.enabled=true,ingress.enabled=true"),
    ("webhook", "webhook.enabled=true"),
    ("init", "log.create=true"),
    ("backup", "backup.enabled=true"),
];

/// A path under `deploy/`.
pub fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// Every file of values that the chart is tried with, by name; the first has its defaults alone.
pub fn values() -> Vec<(&'static str, Vec<String>)> {
    let file =
        |name: &str| vec!["-f".to_owned(), text(&deploy(&format!("helm/laforge/ci/{name}-values.yaml")))];
    let named = ["all", "blue-green", "runtime-only"].map(|name| (name, file(name)));
    [("defaults", Vec::new())].into_iter().chain(named).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn helm(parts: &Parts, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    parts.command("helm").args(arguments).env("HOME", home.path()).output().unwrap()
}

/// What the chart renders, as helm prints it.
pub fn rendered(parts: &Parts, more: &[&str]) -> Result<String, String> {
    let chart = text(&deploy("helm/laforge"));
    let template = ["template", "laforge", chart.as_str(), "--namespace=laforge", VERSION];
    let output = helm(parts, &[&template[..], more].concat());
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn lints_and_renders_for_all_values() {
    let Some(parts) = parts::found() else { return };
    let chart = text(&deploy("helm/laforge"));
    for (name, flags) in values() {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let linted = helm(&parts, &[&["lint", "--strict", VERSION, chart.as_str()], &flags[..]].concat());
        let said = String::from_utf8_lossy(&linted.stdout);
        assert!(linted.status.success() && said.contains("0 chart(s) failed"), "{name}: {said}");
        let objects = manifests::read(&rendered(&parts, &flags).unwrap());
        parts::tell(&format!("helm: {name}: {} objects\n", objects.len()));
        assert!(objects.len() >= 4, "{name}: {}", objects.len());
    }
}

#[test]
fn deploy_k8s_is_what_the_chart_renders() {
    let Some(parts) = parts::found() else { return };
    for (name, set) in MADE {
        let only = format!("templates/{name}.yaml");
        let set: Vec<&str> = if set.is_empty() { Vec::new() } else { vec!["--set", set] };
        let made = rendered(&parts, &[&["-s", only.as_str()], &set[..]].concat()).unwrap();
        let made = format!("{}{}", header(name), without_sources(&made));
        let path = deploy(&format!("k8s/{name}.yaml"));
        if std::env::var_os("UPDATE_MANIFESTS").is_some() {
            fs::write(&path, &made).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept == made, "{} is another than the chart's: UPDATE_MANIFESTS=1 writes it", path.display());
    }
}

fn header(name: &str) -> String {
    let about = match name {
        "backup" => {
            "# A dump of one PostgreSQL database each night, and a restore of the newest one each week, which is \
             attested. The gate\n# takes that attestation where a policy says `rollout: {backup: \
             {restoreTestedWithin: 7d}}` (docs/policy.md).\n# What to set before use, and how an attestation gets to \
             the gate: deploy/README.md.\n"
        }
        "webhook" => {
            "# Apply it when the runtime is ready, and put the authority of its certificate into `caBundle`, or have \
             cert-manager do it\n# (annotation `cert-manager.io/inject-ca-from`). Without it nothing is admitted where \
             it applies.\n"
        }
        "init" => "# For the first installation, after the Secret and the ConfigMap are there.\n",
        "ingress" => {
            "# The pages, from outside: by the Gateway API, or by an Ingress. One of the two is enough.\n"
        }
        _ => "",
    };
    format!("{about}# Made of deploy/helm/laforge with its default values.\n")
}

/// Helm says of each object where it is from.
fn without_sources(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.starts_with("# Source: "));
    kept.map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_schema_refuses_what_is_wrong_and_says_where() {
    let Some(parts) = parts::found() else { return };
    for (set, at) in [
        ("image.digest=latest", "/image/digest"),
        ("image.tag=v1", "/image"),
        ("image.repository=Registry.example/x", "/image/repository"),
        ("runtime.replicas=2", "/runtime/replicas"),
        ("studio.replicas=0", "/studio/replicas"),
        ("runtime.blueGreen.active=red", "/runtime/blueGreen/active"),
        ("runtime.strategy.type=Canary", "/runtime/strategy/type"),
        ("runtime.strategy.rollingUpdate.maxSurge=150%", "/runtime/strategy/rollingUpdate/maxSurge"),
        ("runtime.resources.limits.memory=lots", "/runtime/resources/limits/memory"),
        ("runtime.resources.limits.gpu=1", "/runtime/resources/limits"),
        ("runtime.probes.liveness.path=/", "/runtime/probes/liveness"),
        ("log.accessMode=ReadOnlyMany", "/log/accessMode"),
        ("webhook.timeoutSeconds=31", "/webhook/timeoutSeconds"),
        ("webhook.failurePolicy=Ignore", "/webhook"),
        ("webhook.namespaces={Payments}", "/webhook/namespaces/0"),
        (
            "webhook.controllers[0].user=x'y,webhook.controllers[0].resources={pods}",
            "/webhook/controllers/0/user",
        ),
        (
            "webhook.controllers[0].user=x,webhook.controllers[0].resources={deployments}",
            "/webhook/controllers/0/resources/0",
        ),
        ("networkPolicy.apiServer={10.0.0.1}", "/networkPolicy/apiServer/0"),
        ("gateway.hostname=http://x", "/gateway/hostname"),
        ("backup.dumpSchedule=nightly", "/backup/dumpSchedule"),
        ("backup.image=postgres:15", "/backup/image"),
        ("config.files.key=-----BEGIN PRIVATE KEY-----", "/config/files/key"),
        ("config.files.a/b=x", "/config/files"),
        ("gatekey=secret", ""),
    ] {
        let said = rendered(&parts, &["--set", set]).unwrap_err();
        assert!(said.contains("meet the specifications of the schema"), "{set}: {said}");
        assert!(said.contains(&format!("at '{at}': ")), "{set}: {said}");
    }
}

/// Marks that keys and tokens of others begin with.
const MARKS: [&str; 8] =
    ["PRIVATE KEY-----", "BEGIN CERTIFICATE-----", "AKIA", "ghp_", "github_pat_", "glpat-", "xoxb-", "eyJ"];
/// Names whose value is a secret.
const NAMES: [&str; 7] = ["password", "passwd", "token", "secret", "apikey", "api_key", "passphrase"];

/// Why a line holds a secret.
fn secret(line: &str) -> Option<String> {
    let mark = MARKS.iter().find(|mark| line.contains(**mark)).map(|mark| format!("`{mark}`"));
    mark.or_else(|| in_an_address(line)).or_else(|| named(line)).or_else(|| key(line))
}

fn in_an_address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("://")?;
    let host = rest.split(['/', ' ', '"', '\'']).next()?;
    let (user, _) = host.split_once('@')?;
    user.contains(':').then(|| "a password in an address".to_owned())
}

fn named(line: &str) -> Option<String> {
    let (name, value) = line.split_once([':', '='])?;
    let name = name.trim_matches(['-', '"', '{', ' ']).to_ascii_lowercase();
    let value = value.trim().trim_matches(['"', '\'']);
    let is_one = NAMES.iter().any(|word| name == *word || name.ends_with(&format!("_{word}")));
    (is_one && !value.is_empty() && !value.starts_with(['$', '{'])).then(|| format!("a value of `{name}`"))
}

/// Base64 of some length, with letters of both cases and digits, as no name and no digest has them.
fn key(line: &str) -> Option<String> {
    let is_one = |word: &&str| {
        let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
        word.len() >= 40
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    };
    let mut words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    words.find(is_one).map(|word| format!("`{word}`, which may be a key"))
}

#[test]
fn nothing_under_deploy_is_a_secret() {
    for planted in [
        "-----BEGIN EC PRIVATE KEY-----",
        "id: AKIAIOSFODNN7EXAMPLE",
        "auth: ghp_0123456789",
        "auth: eyJhbGciOiJIUzI1NiJ9",
        "url: postgres://app:hunter2@db/app",
        "  password: hunter2",
        "DB_PASSWORD=hunter2",
        "key: MC4CAQAwBQYDK2VwBCIEIJ2zcY9XbtrAAfFFHvCrJkQ6LJbn0UZ6zJkPnp9nE1aB",
    ] {
        assert!(secret(planted).is_some(), "{planted}");
    }
    let mut files = Vec::new();
    walk(&deploy(""), &mut files);
    assert!(files.len() >= 20, "{files:?}");
    for file in &files {
        for (at, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            let found = secret(line);
            assert_eq!(found, None, "{}:{}: {line}", file.display(), at + 1);
        }
    }
    let manifests = files.iter().filter(|file| file.starts_with(deploy("k8s")));
    let secrets =
        manifests.flat_map(|file| manifests::documents(file)).filter(|object| object["kind"] == "Secret");
    assert_eq!(secrets.count(), 0);
    parts::tell(&format!("no secret in {} files under deploy/\n", files.len()));
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The program itself, where an image is about to be built.
        if path.is_dir() {
            walk(&path, files);
        } else if path.file_name().is_some_and(|name| name != "laforge") {
            files.push(path);
        }
    }
    files.sort();
}

#[test]
fn images_fetch_nothing_but_their_base() {
    for image in ["runtime", "backup"] {
        let text = fs::read_to_string(deploy(&format!("images/{image}/Containerfile"))).unwrap();
        let steps: Vec<&str> =
            text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).collect();
        let froms: Vec<&&str> = steps.iter().filter(|step| step.starts_with("FROM ")).collect();
        assert_eq!(froms, [&"FROM ${BASE}"], "{image}: the base is named by whoever builds");
        for step in &steps {
            assert!(!step.starts_with("ADD "), "{image}: {step}");
            for fetches in
                ["apt", "apk ", "dnf", "yum", "curl", "wget", "git ", "pip", "cargo ", "go ", "npm"]
            {
                let fetching = step.starts_with("RUN ") && step.contains(fetches);
                assert!(!fetching, "{image}: {step}");
            }
        }
        assert!(steps.contains(&"USER 10001:10001"), "{image}");
    }
}
