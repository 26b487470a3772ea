//! The shared corpus of Sigstore bundles, through the binary, as its own driver runs it.
//!
//! Where it is: `LAFORGE_CORPUS`, else beside the checkout. Cases that are judged otherwise than the corpus expects
//! are rows of `tests/exceptions.json`, each with its reason; a row that no longer holds fails as well. Its Merkle,
//! note, checkpoint and proof cases have no verb of their own: the audit log's own tests run those.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::example::{Run, run_in};

const KINDS: [&str; 3] = ["sigstore-bundle", "sigstore-bundle-derived", "github-attestation"];
/// It differs from its twin in a client's options only; the twin is run.
const TWIN: &str = "sjava-github-private-no-opt-in";
const MEANT: &str = "set LAFORGE_CORPUS or put it at ../shared/corpus";

/// The corpus's folder. Without it a test says so and ends, unless it is required.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("LAFORGE_CORPUS").map_or(beside, PathBuf::from);
    if folder.join("cases.json").is_file() {
        return Some(folder.canonicalize().unwrap());
    }
    assert!(std::env::var_os("LAFORGE_REQUIRE_CORPUS").is_none(), "the corpus is required here: {MEANT}");
    super::skipped(&format!("no corpus at {} ({MEANT})", folder.display()));
    None
}

fn read(path: &Path) -> Vec<Value> {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn said<'a>(case: &'a Value, name: &str) -> Option<&'a str> {
    case[name].as_str().filter(|text| !text.is_empty())
}

/// Cases that name a signer and need no options: the rest would be errors of usage.
fn is_selected(case: &Value) -> bool {
    let policy = &case["policy"];
    let plain = policy.is_null() || policy.as_object().is_some_and(serde_json::Map::is_empty);
    let signer = case["files"].get("key").is_some()
        || said(case, "identity").is_some() && said(case, "issuer").is_some();
    KINDS.contains(&case["kind"].as_str().unwrap()) && plain && signer && case["id"] != TWIN
}

/// `verify-bundle` for one case.
fn run(folder: &Path, case: &Value) -> Run {
    let file = |role: &str| case["files"][role].as_str();
    let path = |role: &str| file(role).map(|file| folder.join(file).to_str().unwrap().to_owned());
    let mut arguments = vec!["verify-bundle".to_owned()];
    let named = [
        ("--bundle", path("bundle")),
        ("--trusted-root", path("trusted_root")),
        ("--key", path("key")),
        ("--certificate-identity", said(case, "identity").map(str::to_owned)),
        ("--certificate-oidc-issuer", said(case, "issuer").map(str::to_owned)),
    ];
    for (flag, value) in named {
        arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    let digest = file("digest").or_else(|| said(case, "digest")).map(str::to_owned);
    arguments.extend(path("artifact").or(digest));
    run_in(folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What is wrong with a verdict, if something is.
fn problem(case: &Value, run: &Run, exceptions: &[Value]) -> Option<String> {
    // A usage error, a panic or a signal is no verdict, whatever was expected.
    let verdict = match run.code {
        0 => "pass",
        1 | 10 | 11 | 13 => "fail",
        code => return Some(format!("exit {code}: {}", run.stderr)),
    };
    let id = said(case, "id").unwrap();
    let expected = said(case, "expect").unwrap();
    let (wanted, reason) = match exceptions.iter().find(|row| row["id"] == id) {
        Some(row) if row["expected"] != expected => {
            return Some("the row expects what the case does not".into());
        }
        Some(row) => (row["actual"].as_str().unwrap(), row["reason"].as_str().unwrap()),
        None => (expected, "the corpus"),
    };
    (verdict != wanted).then(|| format!("{verdict}, though {wanted} by {reason}: {}", run.stderr))
}

#[test]
fn the_binary_agrees_with_every_bundle_case_of_the_corpus_but_for_its_exceptions() {
    let Some(folder) = corpus() else { return };
    let exceptions = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exceptions.json"));
    let cases: Vec<Value> = read(&folder.join("cases.json")).into_iter().filter(is_selected).collect();
    assert!(cases.len() > 100, "only {} cases", cases.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let problem = problem(case, &run(&folder, case), &exceptions);
            wrong.extend(problem.map(|problem| format!("{}: {problem}", case["id"])));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!("{} cases, {} of them by an exception", cases.len(), exceptions.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_exception_names_a_contested_case_and_is_stricter_for_a_stated_reason() {
    let exceptions = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exceptions.json"));
    for row in &exceptions {
        assert_eq!((&row["expected"], &row["actual"]), (&"pass".into(), &"fail".into()), "{row}");
        assert!(row["reason"].as_str().unwrap().len() > 40, "{row}");
    }
    let Some(folder) = corpus() else { return };
    let cases = read(&folder.join("cases.json"));
    for row in &exceptions {
        let case = cases.iter().find(|case| case["id"] == row["id"]).expect("a case of that name");
        assert!(is_selected(case) && !case["contested"].is_null(), "{row}");
    }
}
