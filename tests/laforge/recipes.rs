//! `docs/recipes/`: the files that people copy, with the lines in them run as they stand.
//!
//! A recipe's file is a fenced block whose info string names it (`yaml file=gate.yaml`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::action::forge::{self, Forge};
use crate::example::{Example, REQUIRED, Run, finished};

/// A file of a recipe.
fn file(page: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes").join(page);
    let text = fs::read_to_string(path).unwrap();
    let (_, after) =
        text.split_once(&format!(" file={name}\n")).unwrap_or_else(|| panic!("{page} has no {name}"));
    after.split("\n```").next().unwrap().to_owned() + "\n"
}

fn documents(page: &str, name: &str) -> Vec<Value> {
    file(page, name).split("\n---\n").map(|text| serde_yaml::from_str(text).unwrap()).collect()
}

/// Runs shell lines in a checkout as a CI system would: in one shell that stops at the first failure.
fn shell(forge: &Forge, checkout: &str, lines: &str, variables: &[(&str, String)]) -> Run {
    let mut command = forge.command("bash", checkout);
    let scripts = forge::root().join("deploy/ci");
    command
        .env("PATH", format!("{}:{}:/usr/bin:/bin", forge::bin().display(), scripts.display()))
        .env("HOME", forge.path("home"))
        .env("LAFORGE_AUDIT_KEY", STANDARD.encode(fs::read(forge.path("first/.laforge/audit.key")).unwrap()))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(["-eo", "pipefail", "-c", lines]);
    fs::create_dir_all(forge.path("home")).unwrap();
    finished(command.output().unwrap())
}

/// A checkout whose configuration takes the key from the environment, as the pages say.
fn checkout(forge: &Forge, name: &str) -> PathBuf {
    let folder = forge.clone_to(name);
    fs::remove_dir_all(folder.join(".laforge")).unwrap();
    let config = fs::read_to_string(folder.join("laforge.yaml")).unwrap();
    let config = config.replace("file:.laforge/audit.key", "env:LAFORGE_AUDIT_KEY");
    fs::write(folder.join("laforge.yaml"), config).unwrap();
    folder
}

fn gitlab(forge: &Forge, name: &str, job: &str) -> Run {
    let pipeline: Value = serde_yaml::from_str(&file("gitlab-ci.md", ".gitlab-ci.yml")).unwrap();
    let script = pipeline[job]["script"].as_array().unwrap();
    let lines: Vec<&str> = script.iter().map(|line| line.as_str().unwrap()).collect();
    let local = format!("url.{}.insteadOf", forge.path("remote.git").display());
    let variables = [
        ("CI", "true".to_owned()),
        ("GITLAB_CI", "true".to_owned()),
        ("CI_PROJECT_DIR", forge.path(name).display().to_string()),
        ("CI_JOB_TOKEN", "token".to_owned()),
        ("CI_SERVER_HOST", "gitlab.example".to_owned()),
        ("CI_PROJECT_PATH", "acme/payments".to_owned()),
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", local),
        ("GIT_CONFIG_VALUE_0", "https://gitlab-ci-token:token@gitlab.example/acme/payments.git".to_owned()),
    ];
    shell(forge, name, &lines.join("\n"), &variables)
}

#[test]
fn gitlab_allows_and_proves() {
    let forge = Forge::new();
    let folder = checkout(&forge, "job");
    let run = gitlab(&forge, "job", "gate");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(folder.join("gate/junit.xml").exists() && folder.join(".laforge-anchor").exists());
    assert_eq!(forge.decisions().len(), 1);
    let run = gitlab(&forge, "job", "deploy");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("proved: "), "{}", run.stdout);
}

#[test]
fn gitlab_denies_and_keeps_the_report() {
    let forge = Forge::new();
    let folder = checkout(&forge, "job");
    fs::remove_file(folder.join("evidence/approval-bob.sigstore.json")).unwrap();
    let run = gitlab(&forge, "job", "gate");
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(!folder.join("gate/plan.json").exists());
    assert!(fs::read_to_string(folder.join("gate/junit.xml")).unwrap().contains("approval-threshold"));
    assert!(!run.stderr.contains("token"), "{}", run.stderr);
}

#[test]
fn gitlab_refuses_a_branch_that_was_rewritten() {
    let forge = Forge::new();
    let start = forge.commits()[0].clone();
    checkout(&forge, "job");
    assert_eq!(gitlab(&forge, "job", "gate").code, 0);
    let anchor = fs::read(forge.path("job/.laforge-anchor")).unwrap();
    forge.git("remote.git", &["update-ref", "refs/heads/laforge-audit", &start]);
    // Another runner, with what the cache gives it.
    fs::write(checkout(&forge, "next").join(".laforge-anchor"), anchor).unwrap();
    let run = gitlab(&forge, "next", "gate");
    assert_eq!(run.code, 13, "{}", run.stderr);
    assert!(!forge.path("next/gate").exists());
}

/// The shell lines of a Jenkinsfile, in their order.
fn jenkins_lines() -> Vec<String> {
    let text = file("jenkins.md", "Jenkinsfile");
    let pieces: Vec<&str> = text.split("sh '").skip(1).collect();
    let of = |piece: &&str| match piece.strip_prefix("''") {
        Some(long) => long.split("'''").next().unwrap().to_owned(),
        None => piece.split('\'').next().unwrap().to_owned(),
    };
    pieces.iter().map(of).collect()
}

#[test]
fn jenkins_allows_and_denies() {
    let lines = jenkins_lines();
    assert_eq!(lines.len(), 2);
    let forge = Forge::new();
    let folder = checkout(&forge, "workspace");
    let variables = [("WORKSPACE", folder.display().to_string()), ("BUILD_TAG", "jenkins-1".to_owned())];
    for line in &lines {
        let run = shell(&forge, "workspace", line, &variables);
        assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    }
    fs::remove_file(folder.join("evidence/approval-bob.sigstore.json")).unwrap();
    let run = shell(&forge, "workspace", &lines[0], &variables);
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(!folder.join("gate/plan.json").exists());
    assert_eq!(forge.decisions().len(), 2);
}

/// A workflow of the page.
fn workflow(name: &str) -> Value {
    serde_yaml::from_str(&file("github-actions.md", &format!(".github/workflows/{name}.yml"))).unwrap()
}

#[test]
fn the_github_workflows_give_the_action_what_it_takes_and_pin_what_they_use() {
    let action: Value =
        serde_yaml::from_str(&fs::read_to_string(forge::root().join("action.yml")).unwrap()).unwrap();
    let mut gates = 0;
    let workflows = ["release", "evidence", "approvals"].map(workflow);
    for job in workflows.iter().flat_map(|workflow| workflow["jobs"].as_object().unwrap().values()) {
        assert!(job["permissions"].is_object(), "a job with all the rights of the token");
        // A job that is another workflow has no steps of its own.
        for step in job["steps"].as_array().into_iter().flatten() {
            let Some(uses) = step["uses"].as_str() else { continue };
            let (name, commit) = uses.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{uses}");
            if name == "laforge-dev/laforge" {
                gates += 1;
                for input in step["with"].as_object().unwrap().keys() {
                    assert!(action["inputs"].get(input).is_some(), "{input}");
                }
            }
        }
    }
    assert_eq!(gates, 1);
}

#[test]
fn a_github_job_signs_attests_and_passes_on_what_reviewers_said() {
    let example = Example::new();
    let (evidence, approvals) = (workflow("evidence"), workflow("approvals"));
    assert_eq!(evidence["jobs"]["approved"]["uses"], "./.github/workflows/approvals.yml");
    assert_eq!(evidence["jobs"]["approved"]["permissions"], approvals["jobs"]["approved"]["permissions"]);
    fs::remove_dir_all(example.path("evidence")).unwrap();
    example.write("bom.json", r#"{"bomFormat": "CycloneDX"}"#);
    let review = |login: &str| {
        serde_json::json!({"state": "approved", "user": {"login": login, "type": "User"}, "environments": [{
            "name": "production",
            "html_url": "https://github.com/acme/payments/deployments/activity_log?environments_filter=production",
        }]})
    };
    let said = Value::Array(vec![review("alice"), review("bob")]).to_string();
    // What a runner has: the program, here with a key where it has a token, and GitHub's answer.
    let program = crate::example::PROGRAM;
    for (name, script) in [
        (
            "laforge",
            format!("key=ci; [ $1 = sign ] && key=release\nexec {program} \"$@\" --key keys/$key.key\n"),
        ),
        (
            "curl",
            format!(
                "while [ \"$1\" != --output ]; do shift; done\nprintf %s '{said}' > \"$2\"\n[ $2 = approvals.json ] || \
                 date -u '+{{\"created_at\": \"%Y-%m-%dT%H:%M:%SZ\"}}' > run.json\n"
            ),
        ),
        // The one member that is asked for, where a machine has no jq.
        ("jq", "sed 's/.*\"created_at\": \"\\([^\"]*\\)\".*/\\1/' \"$3\"\n".to_owned()),
    ] {
        example.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}"));
        Command::new("chmod").arg("+x").arg(example.path(&format!("bin/{name}"))).status().unwrap();
    }
    for (workflow, job) in [(&evidence, "sign"), (&approvals, "approved")] {
        assert_eq!(workflow["jobs"][job]["permissions"]["id-token"], "write", "{job}");
        let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
        let lines = steps.iter().find_map(|step| step["run"].as_str()).unwrap();
        let mut shell = crate::example::at_home("bash", &example.path(""));
        let path = format!("{}:/usr/bin:/bin", example.path("bin").display());
        let run = finished(shell.env("PATH", path).args(["-eo", "pipefail", "-c", lines]).output().unwrap());
        assert_eq!(run.code, 0, "{job}: {}", run.stderr);
    }
    // Three signatures, two attestations about all three, two words.
    assert_eq!(example.list("evidence").len(), 7, "{:?}", example.list("evidence"));
    example.run(&["verify", "--require-signed", "--require-provenance"]).says("0 of 2 required approvals");
    example.edit("policies/baseline.yaml", "atLeast: 2", "atLeast: 2, attestedBy: [ci]");
    example.run(&["verify", "--require-signed", "--require-provenance"]).ends(0);
}

/// What a recipe for a cluster has in its folder: a plan of a release with an image, trust, manifests.
struct Gate {
    folder: tempfile::TempDir,
}

const IMAGE: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER: &str = "sha256:aaaaaaaa884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

impl Gate {
    fn new() -> Self {
        let example = Example::new();
        example.edit(
            "release.yaml",
            "  config:",
            &format!("    - {{name: payments-image, digest: \"{IMAGE}\"}}\n  config:"),
        );
        example.edit("policies/baseline.yaml", "  require:", "  artifacts: {byDigest: allow}\n  require:");
        example.edit("policies/policy-set.yaml", "version: 1", "version: 2");
        fs::remove_dir_all(example.path("evidence")).unwrap();
        for arguments in [
            &["sign", "--key", "keys/release.key"][..],
            &["attest", "--predicate", "build.json", "--key", "keys/ci.key"],
            &["approve", "--key", "keys/alice.key", "--yes"],
            &["approve", "--key", "keys/bob.key", "--yes"],
        ] {
            example.run(&[arguments, &["--release", "release.yaml"]].concat()).ends(0);
        }
        example.run(&[&["deploy"], &REQUIRED[..], &["-o", "plan.json"]].concat()).ends(0);
        let gate = Self { folder: tempfile::tempdir().unwrap() };
        fs::copy(example.path("plan.json"), gate.path("plan.json")).unwrap();
        gate.trusts(&example.path(""));
        fs::copy(forge::root().join("deploy/ci/check-plan"), gate.path("check-plan")).unwrap();
        gate.deploys(IMAGE);
        gate
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Pins the gate of that folder as the pages say: the gates alone, and the key beside them.
    fn trusts(&self, folder: &Path) {
        let trust = fs::read_to_string(folder.join("trust.yaml")).unwrap();
        let trust: Value = serde_yaml::from_str(&trust).unwrap();
        let mut gates =
            serde_json::json!({"apiVersion": trust["apiVersion"], "kind": "Trust", "gates": trust["gates"]});
        gates["gates"][0]["key"] = "audit.pub".into();
        fs::write(self.path("trust.yaml"), gates.to_string()).unwrap();
        fs::copy(folder.join("trust/audit.pub"), self.path("audit.pub")).unwrap();
    }

    fn deploys(&self, digest: &str) {
        let text = format!("spec:\n  containers:\n    - image: registry.example/payments@{digest}\n");
        fs::write(self.path("rendered.yaml"), text).unwrap();
    }

    /// Runs a container's command with this folder where its volume is.
    fn run(&self, container: &Value, variables: &[(&str, String)]) -> Run {
        let here = self.folder.path().to_str().unwrap();
        let words: Vec<String> = ["command", "args"]
            .iter()
            .filter_map(|name| container.get(name))
            .flat_map(|words| words.as_array().unwrap().clone())
            .map(|word| {
                word.as_str()
                    .unwrap()
                    .replace("/gate/", &format!("{here}/"))
                    .replace("/tmp/image", &format!("{here}/image"))
            })
            .collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().current_dir("/");
        command.env("PATH", format!("{}:/usr/bin:/bin", forge::bin().display()));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        finished(command.output().unwrap())
    }
}

fn container(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn argo_cd_and_flux_ask_for_a_recorded_plan() {
    let gate = Gate::new();
    for (page, name) in [("argo-cd.md", "gate.yaml"), ("flux.md", "gate/gate.yaml")] {
        let job = &documents(page, name)[0];
        gate.deploys(IMAGE);
        let run = gate.run(container(job), &[]);
        assert_eq!(run.code, 0, "{page}: {}", run.stderr);
        gate.deploys(OTHER);
        let run = gate.run(container(job), &[]);
        assert_eq!(run.code, 10, "{page}: {}", run.stderr);
        assert!(run.stderr.contains("approves no image sha256:aaaaaaaa"), "{page}: {}", run.stderr);
    }
}

#[test]
fn a_plan_that_does_not_hold_lets_nothing_through() {
    let job = &documents("argo-cd.md", "gate.yaml")[0];
    let refused = |gate: &Gate, says: &str| {
        let run = gate.run(container(job), &[]);
        assert_eq!(run.code, 13, "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says), "`{says}`: {}", run.stderr);
    };
    let gate = Gate::new();
    let plan = fs::read_to_string(gate.path("plan.json")).unwrap();
    fs::write(gate.path("plan.json"), plan.replace(&IMAGE[7..], &OTHER[7..])).unwrap();
    gate.deploys(OTHER);
    refused(&gate, "is proved by no gate");
    // The same plan, where another gate is pinned.
    fs::write(gate.path("plan.json"), &plan).unwrap();
    gate.deploys(IMAGE);
    let other = Example::empty();
    other.run(&["init", "other", "--example"]).ends(0);
    gate.trusts(&other.path("other"));
    refused(&gate, "is proved by no gate");
    // The clock of the machine, past the plan's end.
    let late = Gate::new();
    fs::create_dir(late.path("bin")).unwrap();
    fs::write(late.path("bin/date"), "#!/bin/sh\necho 2199-01-01T00:00:00Z\n").unwrap();
    Command::new("chmod").arg("+x").arg(late.path("bin/date")).status().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", late.path("bin").display(), forge::bin().display());
    let run = late.run(container(job), &[("PATH", path)]);
    assert_eq!(run.code, 13, "{}", run.stderr);
    assert!(run.stderr.contains("and now it is 2199"), "{}", run.stderr);
    // Another environment's executor.
    let script = file("argo-cd.md", "gate.yaml").replace("production", "staging");
    let elsewhere: Value = serde_yaml::from_str(&script).unwrap();
    let run = late.run(container(&elsewhere), &[]);
    assert_eq!(run.code, 13, "{}", run.stderr);
    assert!(run.stderr.contains("not for the environment staging"), "{}", run.stderr);
    // Manifests without a digest, and none at all.
    fs::write(late.path("rendered.yaml"), "image: registry.example/payments:latest\n").unwrap();
    assert_eq!(late.run(container(job), &[]).code, 10);
    fs::remove_file(late.path("rendered.yaml")).unwrap();
    assert_eq!(late.run(container(job), &[]).code, 2);
}

#[test]
fn kargo_asks_for_the_freights_image() {
    let gate = Gate::new();
    let objects = documents("kargo.md", "gate.yaml");
    let job = &objects[0]["spec"]["metrics"][0]["provider"]["job"];
    assert_eq!(container(job)["env"][0]["value"], "{{args.image}}");
    let image = |digest: &str| [("IMAGE", format!("registry.example/payments@{digest}"))];
    assert_eq!(gate.run(container(job), &image(IMAGE)).code, 0);
    assert_eq!(gate.run(container(job), &image(OTHER)).code, 10);
    let hostile = [("IMAGE", format!("$(touch {0}/pwned)`touch {0}/pwned`", gate.folder.path().display()))];
    assert_eq!(gate.run(container(job), &hostile).code, 10);
    assert!(!gate.path("pwned").exists());
    // A Stage without steps is a mere junction, which verifies nothing.
    let steps = &objects[1]["spec"]["promotionTemplate"]["spec"]["steps"];
    assert!(!steps.as_array().unwrap().is_empty());
}

#[test]
fn the_analysis_template_is_one_by_the_engines_own_definition() {
    let beside = forge::root().join("../shared/corpus");
    let corpus = std::env::var_os("LAFORGE_CORPUS").map_or(beside, PathBuf::from);
    let definition = corpus.join("schemas/argo-analysistemplate.crd.yaml");
    let Ok(definition) = fs::read_to_string(&definition) else {
        assert!(std::env::var_os("LAFORGE_REQUIRE_CORPUS").is_none(), "the corpus is required here");
        return crate::skipped("no corpus: set LAFORGE_CORPUS or put it at ../shared/corpus");
    };
    let definition: Value = serde_yaml::from_str(&definition).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let validator = jsonschema::validator_for(schema).unwrap();
    let mut template = documents("kargo.md", "gate.yaml").remove(0);
    let errors: Vec<String> = validator.iter_errors(&template).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    template["spec"]["metrics"][0]["provider"]["job"]["spec"]["template"]["spec"]["containers"][0]["env"] =
        1.into();
    assert!(!validator.is_valid(&template), "a schema that takes anything");
}

#[test]
fn what_runs_in_a_cluster_runs_with_no_rights() {
    for (page, name) in
        [("argo-cd.md", "gate.yaml"), ("flux.md", "gate/gate.yaml"), ("kargo.md", "gate.yaml")]
    {
        let object = documents(page, name).remove(0);
        let job = object.pointer("/spec/metrics/0/provider/job").unwrap_or(&object);
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{page}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{page}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{page}");
        let context = &container(job)["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{page}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{page}");
        assert_eq!(context["capabilities"]["drop"][0], "ALL", "{page}");
        assert!(container(job)["image"].as_str().unwrap().contains("@sha256:"), "{page}");
        assert_eq!(job["spec"]["backoffLimit"], 0, "{page}");
    }
}

#[test]
fn the_job_lies_where_its_kustomization_puts_its_files() {
    for (page, kustomization, job) in [
        ("argo-cd.md", "kustomization.yaml", "gate.yaml"),
        ("flux.md", "gate/kustomization.yaml", "gate/gate.yaml"),
    ] {
        let generated = &documents(page, kustomization)[0]["configMapGenerator"][0];
        let names: Vec<&str> =
            generated["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        let keys: Vec<&str> = names.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
        let job = &documents(page, job)[0];
        for word in container(job)["command"].as_array().unwrap() {
            if let Some(key) = word.as_str().unwrap().strip_prefix("/gate/") {
                assert!(keys.contains(&key), "{page}: {key}");
            }
        }
        let volume = &job["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"];
        assert_eq!(volume, &generated["name"], "{page}");
    }
}
