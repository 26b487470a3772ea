//! The shared corpus: every kind that is evidence, judged by the program, or by the function that the gate judges
//! it with where no verb reaches it.
//!
//! Where it is: `LAFORGE_CORPUS`, else beside the checkout. Cases that are judged otherwise than the corpus expects
//! are rows of `tests/exceptions.json`, each with its reason; a row that no longer holds fails as well, and so does
//! one that is laxer than the corpus where nobody contests it. Merkle, note, checkpoint and proof cases run in the
//! audit log's own tests, `rfc3161` and `x509-role` beside the code that uses certificates; manifests and expressions
//! are not evidence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

mod bundles;
mod gate;
mod library;
mod npm;

const MEANT: &str = "set LAFORGE_CORPUS or put it at ../shared/corpus";
/// It differs from its twin in a client's options only; the twin is judged.
const TWIN: &str = "sjava-github-private-no-opt-in";
/// Judged in other tests, or about something else than evidence.
const ELSEWHERE: [&str; 12] = [
    "c2sp-example",
    "cel-conformance",
    "checkpoint-body",
    "k8s-manifest",
    "merkle-consistency",
    "merkle-inclusion",
    "note-vkey",
    "rfc3161",
    "signed-note",
    "tlog-checkpoint",
    "tlog-proof",
    "x509-role",
];

/// What the program makes of a case: nothing when it holds, else the reason.
enum Verdict {
    Pass,
    Fail(String),
}

impl Verdict {
    fn of<T, E: ToString>(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::Fail(error.to_string()), |_| Self::Pass)
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Pass => "it holds",
            Self::Fail(reason) => reason.trim(),
        }
    }
}

/// A case of the corpus.
struct Case<'a> {
    folder: &'a Path,
    case: &'a Value,
}

impl<'a> Case<'a> {
    fn said(&self, name: &str) -> Option<&'a str> {
        self.case[name].as_str().filter(|text| !text.is_empty())
    }

    fn kind(&self) -> &'a str {
        self.case["kind"].as_str().unwrap()
    }

    fn demand(&self, name: &str) -> Option<&'a str> {
        self.case["policy"][name].as_str()
    }

    fn file(&self, role: &str) -> Option<&'a str> {
        self.case["files"][role].as_str()
    }

    fn path(&self, role: &str) -> Option<PathBuf> {
        self.file(role).map(|file| self.folder.join(file))
    }

    #[track_caller]
    fn bytes(&self, role: &str) -> Vec<u8> {
        fs::read(self.path(role).unwrap_or_else(|| panic!("no `{role}` in {}", self.case["id"]))).unwrap()
    }

    /// Judges it; an error is no verdict, whatever was expected.
    fn judge(&self) -> Result<Verdict, String> {
        match self.kind() {
            "github-attestation" if self.case["policy"].is_object() => gate::bundle(self),
            "sigstore-bundle" | "sigstore-bundle-derived" | "github-attestation" => bundles::judge(self),
            "slsa-provenance" => gate::bundle(self),
            "slsa-legacy-dsse" | "cosign-legacy-attestation" => gate::without_a_log_entry(self),
            "gcb-provenance" => gate::google(self),
            "npm-attestation" => library::npm(self).and_then(|verdict| match verdict {
                Verdict::Pass if self.demand("source_repository").is_some() => gate::npm(self),
                verdict => Ok(verdict),
            }),
            "pypi-provenance" => Ok(library::pypi(self)),
            "approval" if self.file("bundle").is_some() => bundles::judge(self),
            "approval" => Ok(library::foreign_approval(self)),
            "vsa" => Ok(library::summary(self)),
            "dsse-key" => Ok(library::keyed(self)),
            "statement" | "slsa-predicate" => Ok(library::statement(self)),
            "predicate" => Ok(library::predicate(self)),
            "resource-descriptor" => Ok(library::descriptor(self)),
            "jsonl" => Ok(library::lines(self)),
            "trusted-root" | "client-trust-config" => Ok(library::root(self)),
            other => Err(format!("nobody judges the kind `{other}`")),
        }
    }
}

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

fn exceptions() -> Vec<Value> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exceptions.json"))
}

/// What is wrong with a verdict, if something is.
fn problem(case: &Case<'_>, verdict: &Verdict, exceptions: &[Value]) -> Option<String> {
    let (id, expected) = (case.said("id").unwrap(), case.said("expect").unwrap());
    let (wanted, reason) = match exceptions.iter().find(|row| row["id"] == id) {
        Some(row) if row["expected"] != expected => {
            return Some("the row expects what the case does not".into());
        }
        Some(row) => (row["actual"].as_str().unwrap(), row["reason"].as_str().unwrap()),
        None => (expected, "the corpus"),
    };
    let word = verdict.word();
    (word != wanted).then(|| format!("{word}, though {wanted} by {reason}: {}", verdict.reason()))
}

/// How often a kind was judged, and how often as the corpus expects.
#[derive(Default)]
struct Agreement {
    cases: usize,
    agreed: usize,
    stricter: usize,
    laxer: usize,
}

impl Agreement {
    fn count(&mut self, expected: &str, verdict: &Verdict) {
        self.cases += 1;
        match (expected, verdict) {
            ("pass", Verdict::Fail(_)) => self.stricter += 1,
            ("fail", Verdict::Pass) => self.laxer += 1,
            _ => self.agreed += 1,
        }
    }
}

#[test]
fn every_kind_of_evidence_is_judged_as_the_corpus_expects_but_for_the_exceptions() {
    let Some(folder) = corpus() else { return };
    let exceptions = exceptions();
    let cases = read(&folder.join("cases.json"));
    let judged = |case: &&Value| !ELSEWHERE.contains(&case["kind"].as_str().unwrap()) && case["id"] != TWIN;
    let cases: Vec<&Value> = cases.iter().filter(judged).collect();
    assert!(cases.len() > 230, "only {} cases", cases.len());
    let next = AtomicUsize::new(0);
    let table: Mutex<BTreeMap<&str, Agreement>> = Mutex::default();
    let work = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let case = Case { folder: &folder, case };
            match case.judge() {
                Ok(verdict) => {
                    let expected = case.said("expect").unwrap();
                    table.lock().unwrap().entry(case.kind()).or_default().count(expected, &verdict);
                    let problem = problem(&case, &verdict, &exceptions);
                    wrong.extend(problem.map(|problem| format!("{}: {problem}", case.case["id"])));
                }
                Err(error) => wrong.push(format!("{}: no verdict: {error}", case.case["id"])),
            }
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!("{:<28}{:>6}{:>8}{:>10}{:>7}", "kind", "cases", "agreed", "stricter", "laxer");
    for (kind, Agreement { cases, agreed, stricter, laxer }) in &*table.lock().unwrap() {
        println!("{kind:<28}{cases:>6}{agreed:>8}{stricter:>10}{laxer:>7}");
    }
    println!("{} cases, {} of them by an exception", cases.len(), exceptions.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_exception_has_its_reason_and_is_stricter_than_the_corpus_unless_that_is_contested() {
    let exceptions = exceptions();
    for row in &exceptions {
        let stricter = row["expected"] == "pass" && row["actual"] == "fail";
        assert!(stricter || row["contested"] == true && row["expected"] != row["actual"], "{row}");
        assert!(row["reason"].as_str().unwrap().len() > 40, "{row}");
    }
    let Some(folder) = corpus() else { return };
    let cases = read(&folder.join("cases.json"));
    for row in &exceptions {
        let case = cases.iter().find(|case| case["id"] == row["id"]).expect("a case of that name");
        assert!(!ELSEWHERE.contains(&case["kind"].as_str().unwrap()), "{row}");
        assert_eq!(row["contested"], !case["contested"].is_null(), "{row}");
    }
}
