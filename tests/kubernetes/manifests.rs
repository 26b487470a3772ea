//! The manifests that are checked in, and the corpus's custom resource definitions.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use super::parts;

/// Every file of manifests, by name, with its objects.
pub fn all() -> Vec<(String, Vec<Value>)> {
    let folder = folder();
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), documents(path))).collect()
}

/// The objects of one file.
pub fn of(name: &str) -> Vec<Value> {
    documents(&folder().join(format!("{name}.yaml")))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/manifests")
}

/// All YAML documents of a file that hold something.
pub fn documents(path: &Path) -> Vec<Value> {
    read(&fs::read_to_string(path).unwrap())
}

/// The same of text.
pub fn read(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|one| Value::deserialize(one).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// Files of custom resource definitions, if the corpus is there.
pub fn definitions() -> Option<Vec<PathBuf>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("LAFORGE_CORPUS").map_or(beside, PathBuf::from).join("schemas");
    let Ok(entries) = fs::read_dir(&folder) else {
        let meant = "set LAFORGE_CORPUS or put it at ../shared/corpus";
        assert!(std::env::var_os("LAFORGE_REQUIRE_CORPUS").is_none(), "the corpus is required here: {meant}");
        parts::tell(&format!("skipped: no corpus at {} ({meant})\n", folder.display()));
        return None;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}
