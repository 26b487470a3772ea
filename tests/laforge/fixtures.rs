//! Every folder of `fixtures/`: what it is expected to be is what the program makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use serde_json::Value;

use crate::example::{copy, run_in};

/// `expect.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The time that it is judged at.
    now: String,
    exit: i32,
    /// Ids of the rules that deny, when a decision is made.
    #[serde(default)]
    findings: Option<Vec<String>>,
    /// Kinds of reasons for which evidence is set aside; there may be more.
    #[serde(default, rename = "setAside")]
    set_aside: Vec<String>,
    /// A part of what is said, when none is made.
    #[serde(default)]
    error: Option<String>,
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expect.yaml").is_file())
        .collect();
    cases.sort();
    cases
}

fn expected(case: &Path) -> Expected {
    serde_yaml::from_str(&fs::read_to_string(case.join("expect.yaml")).unwrap()).unwrap()
}

/// What is wrong with a case, if anything is.
fn problem(case: &Path) -> Option<String> {
    let expected = expected(case);
    let run = match expected.exit {
        // What is wrong with the log alone, `verify` does not see.
        12 | 13 => run_in(case, &["deploy"]),
        _ => run_in(case, &["verify", "--now", &expected.now, "--report", "json"]),
    };
    if run.code != expected.exit {
        return Some(format!("exit {} instead of {}: {}", run.code, expected.exit, run.stderr));
    }
    if let Some(error) = &expected.error {
        let first = match expected.exit {
            12 => "fatal: the decision could not be recorded",
            13 => "fatal: ",
            _ => "fatal: no decision was made",
        };
        let said = run.stderr.contains(error.as_str()) && run.stderr.starts_with(first);
        return (!said || !run.stdout.is_empty()).then(|| format!("`{error}` is not said: {}", run.stderr));
    }
    let report: Value = serde_json::from_str(&run.stdout).map_err(|error| format!("{error}")).ok()?;
    let found: BTreeSet<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    let wanted: BTreeSet<&str> = expected.findings.iter().flatten().map(String::as_str).collect();
    let aside =
        |kind: &String| report["setAside"].as_array().unwrap().iter().any(|one| one["kind"] == **kind);
    if let Some(kind) = expected.set_aside.iter().find(|kind| !aside(kind)) {
        return Some(format!("nothing is set aside as `{kind}`: {}", report["setAside"]));
    }
    (found != wanted).then(|| format!("findings {found:?} instead of {wanted:?}: {}", run.stderr))
}

/// Runs something over all cases on two threads; gives what went wrong.
fn over_all(cases: &[PathBuf], check: impl Fn(&Path) -> Option<String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(problem) = check(case) {
                wrong.push(format!("{}: {problem}", case.file_name().unwrap().display()));
            }
        }
        wrong
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn every_fixture_is_what_it_is_expected_to_be() {
    let cases = fixtures();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let wrong = over_all(&cases, problem);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_fixture_says_in_one_line_what_it_is() {
    for case in fixtures() {
        let text = fs::read_to_string(case.join("README.md")).unwrap();
        assert!(text.trim().lines().count() == 1 && text.len() > 10, "{}", case.display());
    }
}

#[test]
fn an_allowing_fixture_denies_once_a_file_of_its_evidence_is_gone() {
    let cases: Vec<PathBuf> = fixtures().into_iter().filter(|case| expected(case).exit == 0).collect();
    let wrong = over_all(&cases, |case| {
        let now = expected(case).now;
        let folder = tempfile::tempdir().unwrap();
        copy(case, folder.path());
        let evidence = folder.path().join("evidence");
        let files: Vec<PathBuf> =
            fs::read_dir(&evidence).unwrap().map(|entry| entry.unwrap().path()).collect();
        let mut needed = 0;
        for file in files.iter().filter(|file| file.is_file()) {
            let bytes = fs::read(file).unwrap();
            fs::remove_file(file).unwrap();
            let run = run_in(folder.path(), &["verify", "--now", &now]);
            match run.code {
                10 => needed += 1,
                // Evidence beside what is required may go; it must not be all of it.
                0 => {}
                code => return Some(format!("exit {code} without {}: {}", file.display(), run.stderr)),
            }
            fs::write(file, bytes).unwrap();
        }
        (needed == 0).then(|| "no file of its evidence is needed".to_owned())
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_allowing_fixture_is_not_allowed_a_thousand_years_later() {
    let cases: Vec<PathBuf> = fixtures().into_iter().filter(|case| expected(case).exit == 0).collect();
    let wrong = over_all(&cases, |case| {
        let run = run_in(case, &["verify", "--now", "3026-01-01T00:00:00Z"]);
        (run.code != 10).then(|| format!("exit {}: {}", run.code, run.stderr))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
