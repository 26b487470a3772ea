//! What an executor refuses to run, each by its step and its reason; nothing is touched by any of them.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::site as at;
use super::site::Site;

/// Refused with 13, for a reason, and nothing was touched.
#[track_caller]
fn refuses(site: &Site, plan: &str, words: &[&str]) {
    let said = site.laforge(&["rollout", "run", plan]);
    assert_eq!(said.code, 13, "{plan}: {}{}", said.stdout, said.stderr);
    for words in words {
        assert!(said.stderr.contains(words), "{plan}: `{words}` is not in {}", said.stderr);
    }
    assert_eq!(site.entries(), Vec::<String>::new(), "{plan}");
    assert!(site.wrote("green.pid").is_empty(), "{plan} started something");
}

/// The plan with something changed, under another name.
fn edited(site: &Site, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut plan: Value = serde_json::from_str(&site.wrote("plan.json")).unwrap();
    edit(&mut plan);
    fs::write(site.path().join(name), plan.to_string()).unwrap();
}

/// Replaces a text in `laforge.yaml`; gives the old document.
fn configure(site: &Site, from: &str, to: &str) -> String {
    let old = site.wrote("laforge.yaml");
    assert!(old.contains(from), "{from}");
    fs::write(site.path().join("laforge.yaml"), old.replace(from, to)).unwrap();
    old
}

#[test]
fn refuses_every_plan_that_does_not_deserve_to_run() {
    at("refused::refuses_every_plan_that_does_not_deserve_to_run", "", |site| {
        let write = |name: &str, bytes: &[u8]| fs::write(site.path().join(name), bytes).unwrap();
        // Step 0: a preview, a bare core, what is no plan at all.
        edited(&site, "core.json", |plan| *plan = plan["plan"].clone());
        refuses(&site, "core.json", &["step 0"]);
        let preview = site.laforge(&["-C", "/tmp", "deploy"]).ends(0);
        write("preview.json", preview.stdout.as_bytes());
        refuses(&site, "preview.json", &["step 0"]);
        // Step 1: an edited plan.
        edited(&site, "edited.json", |plan| plan["plan"]["deploys"] = json!(["payments-worker.tar.gz"]));
        refuses(&site, "edited.json", &["step 1", "the plan has digest"]);
        // Step 2: another line. Step 3: a gate that trust does not pin.
        edited(&site, "other-line.json", |plan| plan["auditEntry"]["line"] = json!("{}"));
        refuses(&site, "other-line.json", &["step 2"]);
        let trust = site.wrote("trust.yaml");
        write("trust.yaml", trust.replace("audit.pub", "other.pub").as_bytes());
        site.laforge(&["keygen", "--use", "gate", "--insecure-unencrypted", "-o", "other"]).ends(0);
        fs::copy(site.path().join("other.pub"), site.path().join("trust/other.pub")).unwrap();
        refuses(&site, "plan.json", &["step 3", "no gate that trust pins"]);
        write("trust.yaml", trust.as_bytes());
        // Step 8: for another target, for another environment.
        let configured = configure(&site, "  state: rollouts", "  state: rollouts\n  target: elsewhere");
        refuses(&site, "plan.json", &["step 8", "`production`, this executor for `elsewhere`"]);
        write("laforge.yaml", configured.as_bytes());
        // Step 7: one that has ended.
        site.laforge(&["deploy", "--ttl", "1s", "-o", "short.json"]).ends(0);
        sleep(Duration::from_secs(2));
        refuses(&site, "short.json", &["step 7"]);
    });
}

#[test]
fn refuses_the_plan_of_a_copied_log() {
    at("refused::refuses_the_plan_of_a_copied_log", "", |site| {
        // Somebody with a copy of log and key has a decision of its own recorded in the copy.
        let copy = site.path().join("copy");
        let copied = Command::new("sh")
            .args([
                "-c",
                "mkdir copy && cp -r .laforge artifacts deploy evidence keys policies trust *.yaml copy/",
            ])
            .current_dir(site.path())
            .status()
            .unwrap();
        assert!(copied.success());
        let forked = site.laforge(&[
            "-C",
            &copy.display().to_string(),
            "deploy",
            "--ttl",
            "3h",
            "-o",
            "../forked.json",
        ]);
        forked.ends(0);
        site.laforge(&["deploy", "--ttl", "2h", "-o", "own.json"]).ends(0);
        refuses(&site, "forked.json", &["step 6", "forked"]);
    });
}

#[test]
fn decides_again_where_it_is_asked_to_and_refuses_what_is_not_allowed_here() {
    let test = "refused::decides_again_where_it_is_asked_to_and_refuses_what_is_not_allowed_here";
    at(test, "", |site| {
        let evidence = site.path().join("evidence");
        fs::rename(&evidence, site.path().join("hidden")).unwrap();
        fs::create_dir(&evidence).unwrap();
        let said = site.laforge(&["rollout", "run", "plan.json", "--reverify"]);
        assert_eq!(said.code, 10, "{}", said.stderr);
        assert!(
            said.stderr.contains("not allowed here") && said.stderr.contains("signature-missing"),
            "{}",
            said.stderr
        );
        fs::remove_dir(&evidence).unwrap();
        fs::rename(site.path().join("hidden"), &evidence).unwrap();
        let old = configure(&site, "trafficSteps: [20, 80, 100]", "trafficSteps: [10, 80, 100]");
        let said = site.laforge(&["rollout", "run", "plan.json", "--reverify"]);
        assert_eq!(said.code, 13, "{}", said.stderr);
        assert!(said.stderr.contains("is not what would be planned here"), "{}", said.stderr);
        assert_eq!(site.entries(), Vec::<String>::new());
        fs::write(site.path().join("laforge.yaml"), old).unwrap();
        let load = site.load(Duration::from_secs(40));
        site.guard_of(&["rollout", "run", "plan.json", "--reverify"]).ends(0);
        assert_eq!(load.join().unwrap().lost(), 0);
    });
}

#[test]
fn a_plan_that_was_rolled_back_and_a_journal_that_was_touched_are_refused() {
    let test = "refused::a_plan_that_was_rolled_back_and_a_journal_that_was_touched_are_refused";
    at(test, "  windowSeconds: 60", |site| {
        let mut guard = site.guard();
        site.wait_for("Observing");
        // A second guard at the same target.
        site.laforge(&["rollout", "run", "plan.json"]).ends(1).says("is held by another guard");
        guard.kill();
        let plan = site.status()["plan"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        let entries = site.path().join("rollouts/production").join(&plan).join("entries");
        let file = fs::read_dir(&entries).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read_to_string(&file).unwrap();
        // Changed, and cut below what the log has seen: weights are left alone.
        fs::write(&file, whole.replacen("\"target\":20", "\"target\":90", 1)).unwrap();
        site.laforge(&["rollout", "run"]).ends(13);
        let first = whole.lines().next().unwrap();
        fs::write(&file, format!("{first}\n")).unwrap();
        site.laforge(&["rollout", "run"]).ends(13).says("of the audit log has seen");
        site.laforge(&["rollout", "verify-journal"]).ends(13);
        fs::write(&file, &whole).unwrap();
        site.laforge(&["rollout", "rollback", "--reason", "enough"]).ends(10);
        let said = site.laforge(&["rollout", "run", "plan.json"]);
        assert_eq!(said.code, 13, "{}", said.stderr);
        assert!(said.stderr.contains("step 9"), "{}", said.stderr);
    });
}
