//! A copy of a fixture, to be spoiled and judged by the program at the fixture's time.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::example::{copy, run_in};

/// A fixture's copy.
pub struct Spoiled {
    folder: tempfile::TempDir,
    now: String,
}

/// What the program makes of it.
pub struct Verdict {
    pub code: i32,
    pub stderr: String,
    /// The report; null where no decision was made.
    pub report: Value,
}

impl Spoiled {
    pub fn of(case: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case);
        let folder = tempfile::tempdir().unwrap();
        copy(&from, folder.path());
        let expected: Value =
            serde_yaml::from_str(&fs::read_to_string(from.join("expect.yaml")).unwrap()).unwrap();
        Self { folder, now: expected["now"].as_str().unwrap().to_owned() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}: {text}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// A bundle of its evidence.
    pub fn bundle(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(&format!("evidence/{name}.sigstore.json"))).unwrap()
    }

    /// Puts a bundle in place of one of its evidence, or beside it.
    pub fn put(&self, name: &str, bundle: &Value) {
        self.write(&format!("evidence/{name}.sigstore.json"), &bundle.to_string());
    }

    /// Judges it at its time.
    pub fn judge(&self) -> Verdict {
        let run = run_in(self.folder.path(), &["verify", "--now", &self.now, "--report", "json"]);
        let report = serde_json::from_str(&run.stdout).unwrap_or_default();
        Verdict { code: run.code, stderr: run.stderr, report }
    }
}

impl Verdict {
    /// Asserts a deny, and that something was set aside for one of these reasons.
    #[track_caller]
    pub fn is_denied_as(&self, kinds: &[&str], what: &str) {
        assert_eq!(self.code, 10, "{what}: {}", self.stderr);
        let aside = self.report["setAside"].as_array().unwrap();
        let is_one = |one: &Value| kinds.contains(&one["kind"].as_str().unwrap());
        assert!(aside.iter().any(is_one), "{what}: none of {kinds:?} in {aside:?}");
    }
}
