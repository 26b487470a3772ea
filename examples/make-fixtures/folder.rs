//! Writes cases as folders, and compares folders with cases.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use laforge::policy::finding::RuleId;
use laforge::time;

use crate::cases::{Case, Expect};
use crate::scene::Scene;

/// Every file of a case, by its path in the folder of all cases.
pub(crate) fn files(case: &Case) -> Result<BTreeMap<String, Vec<u8>>, Vec<String>> {
    let mut scene = case.scene();
    if !scene.problems.is_empty() {
        return Err(std::mem::take(&mut scene.problems));
    }
    let mut files = scene.files().clone();
    files.insert("README.md".to_owned(), format!("{}\n", case.readme).into_bytes());
    files.insert("expect.yaml".to_owned(), expectation(case.expect, &scene).into_bytes());
    Ok(files.into_iter().map(|(path, bytes)| (format!("{}/{path}", case.name), bytes)).collect())
}

/// Writes files; one that has these bytes already is left alone.
pub(crate) fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for (path, bytes) in files {
        let path = folder.join(path);
        if fs::read(&path).is_ok_and(|there| there == *bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// Every file below a folder that belongs to a case, by its path.
pub(crate) fn there(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("expect.yaml").exists() {
            walk(&entry.path(), &entry.file_name().to_string_lossy(), &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn expectation(expect: Expect, scene: &Scene) -> String {
    let now = time::to_seconds(scene.now);
    match expect {
        Expect::Allows => format!("now: {now}\nexit: 0\nfindings: []\n"),
        Expect::Denies(rules) => format!("now: {now}\nexit: 10\nfindings: [{}]\n", ids(rules)),
        Expect::SetAside(rules, kind) => {
            format!("now: {now}\nexit: 10\nfindings: [{}]\nsetAside: [{kind}]\n", ids(rules))
        }
        Expect::Refuses(code, message) => {
            format!("now: {now}\nexit: {code}\nerror: {}\n", serde_json::Value::from(message))
        }
    }
}

fn ids(rules: &[RuleId]) -> String {
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule.as_str()).collect();
    ids.sort_unstable();
    ids.join(", ")
}
