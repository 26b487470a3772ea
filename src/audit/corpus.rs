//! Published test vectors, where they are at hand; tests that use them say so when they are not.
#![expect(clippy::disallowed_methods, reason = "tests read vectors that are not part of the package")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One case of the corpus's index.
pub(in crate::audit) struct Case {
    pub(in crate::audit) id: String,
    pub(in crate::audit) kind: String,
    pub(in crate::audit) passes: bool,
    pub(in crate::audit) index: Value,
    file: PathBuf,
}

impl Case {
    pub(in crate::audit) fn text(&self) -> Vec<u8> {
        std::fs::read(&self.file).unwrap()
    }

    /// The file's JSON values: one, or one a line.
    pub(in crate::audit) fn json_values(&self) -> Vec<Value> {
        let text = String::from_utf8(self.text()).unwrap();
        match serde_json::from_str(&text) {
            Ok(value) => vec![value],
            Err(_) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        }
    }

    /// The verifier keys that the case trusts.
    pub(in crate::audit) fn vkeys(&self) -> Vec<String> {
        let list = self.index.get("vkeys").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
    }
}

/// The cases of these kinds; none, and a line that says so, where there is no corpus.
pub(in crate::audit) fn cases(kinds: &[&str]) -> Vec<Case> {
    let folder = std::env::var_os("LAFORGE_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    let Ok(index) = std::fs::read(folder.join("cases.json")) else {
        let required = std::env::var_os("LAFORGE_REQUIRE_CORPUS").is_some();
        assert!(!required, "the corpus is required here, and not at {}", folder.display());
        eprintln!("skipped: no corpus at {} (LAFORGE_CORPUS names another place)", folder.display());
        return Vec::new();
    };
    let index: Vec<Value> = serde_json::from_slice(&index).unwrap();
    let of = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let cases: Vec<Case> = index
        .into_iter()
        .filter(|case| kinds.contains(&of(case, "kind").as_str()))
        .map(|case| Case {
            id: of(&case, "id"),
            kind: of(&case, "kind"),
            passes: case["expect"] == "pass",
            file: folder.join(case["files"].as_object().unwrap().values().next().unwrap().as_str().unwrap()),
            index: case,
        })
        .collect();
    // A kind that was renamed in the corpus would else be a test of nothing.
    assert!(!cases.is_empty(), "no case of {kinds:?} in the corpus");
    cases
}
