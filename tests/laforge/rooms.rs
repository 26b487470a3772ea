//! Which room may use which (`docs/architecture.md`), read off the `crate::` paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may use. Leaves first; a stage never uses a later one.
const ARROWS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("workers", &[]),
    ("network", &[]),
    ("random", &[]),
    ("time", &[]),
    ("yaml", &[]),
    ("key", &["release::digest"]),
    ("release", &["json", "yaml", "workers"]),
    ("trust", &["json", "yaml", "time", "key", "release::digest", "release::name"]),
    ("evidence", &["json", "time", "key", "release", "trust"]),
    ("verify", &["json", "yaml", "time", "workers", "release", "trust", "evidence"]),
    ("plan", &["json", "yaml", "time", "release"]),
    (
        "policy",
        &[
            "json",
            "yaml",
            "time",
            "release",
            "trust",
            "verify",
            "plan",
            "evidence::Unreachable",
            "evidence::OverLimit",
            "evidence::use_for",
            "evidence::predicate",
        ],
    ),
    ("audit", &["workers", "random", "json", "time", "key", "release", "plan", "verify", "policy"]),
    ("rollout", &["network", "json", "yaml", "time", "key", "release", "trust", "plan", "policy", "audit"]),
    ("gate", &["time", "release", "evidence", "verify", "plan", "policy", "audit", "rollout"]),
    ("config", &["yaml", "time", "key", "release", "plan", "rollout::executor", "rollout::render"]),
    ("source", &["workers", "network", "json", "yaml", "release", "trust", "evidence", "policy::set"]),
    (
        "report",
        &["json", "yaml", "time", "release", "verify", "plan", "policy", "audit", "rollout", "evidence"],
    ),
    ("signing", &["network", "json", "time", "key", "release", "evidence"]),
];

/// The rooms where adapters and the gate meet: they may use any.
const FREE: &[&str] = &["cli", "serve", "lib", "main", "bin"];

#[test]
fn no_stage_uses_a_later_one() {
    let strays = strays_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(strays.is_empty(), "arrows that run the wrong way:\n{}", strays.join("\n"));
}

#[test]
fn a_planted_stray_is_named() {
    let stray = uses("policy", "use crate::audit::AuditLog;\nuse crate::json;\n");
    assert_eq!(stray, ["policy → audit::AuditLog"]);
    let grouped = uses("release", "use crate::{json, verify::facts};\nfn f() { crate::cli::main() }\n");
    assert_eq!(grouped, ["release → cli::main", "release → verify::facts"]);
}

#[test]
fn a_stray_behind_a_test_item_is_named_and_one_inside_is_not() {
    let text = "#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\npub(crate) mod more {\n    fn f() {\n        crate::cli::main()\n    }\n}\n\
                #[cfg(test)]\n#[path = \"x.rs\"]\nmod x;\nuse crate::serve;\n    #[cfg(test)]\n    fn g() {\n        crate::bin::x();\n    }\n\
                fn h() { crate::report::html() }\n";
    assert_eq!(uses("release", &program(text)), ["release → report::html", "release → serve"]);
}

#[test]
fn every_room_has_its_row() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let unknown: Vec<String> = fs::read_dir(src)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|room| !FREE.contains(&room.as_str()) && !ARROWS.iter().any(|(name, _)| name == room))
        .collect();
    assert!(unknown.is_empty(), "rooms without a row: {unknown:?}");
}

fn strays_below(src: &Path) -> Vec<String> {
    let mut files = Vec::new();
    collect(src, &mut files);
    let mut strays = Vec::new();
    let tests = test_modules(&files);
    let is_test =
        |file: &PathBuf| tests.iter().any(|test| file == test || file.starts_with(test.with_extension("")));
    for file in files.into_iter().filter(|file| !is_test(file)) {
        let path = file.strip_prefix(src).unwrap();
        let room = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if FREE.contains(&room.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Unit tests may look around; the program may not.
        strays.extend(
            uses(&room, &program(&text)).into_iter().map(|stray| format!("{}: {stray}", path.display())),
        );
    }
    strays
}

/// A text without its test items, each from its `#[cfg(test)]` to the end of that one item.
fn program(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]");
    let mut program = parts.next().unwrap().to_owned();
    for part in parts {
        program.push_str(&part[item(part)..]);
    }
    program
}

/// How long an item is: `rustfmt` ends one without braces on its line's `;`, and one with them on the first
/// line that is nothing but the closing one, indented as the item is.
fn item(text: &str) -> usize {
    let mut end = 0;
    let mut indent = None;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let code = line.trim();
        if code.is_empty() || code.starts_with("//") || code.starts_with("#[") {
            continue;
        }
        let own = line.len() - line.trim_start().len();
        let first = *indent.get_or_insert(own);
        let last =
            own == first && (code.ends_with(';') || code == "}" || code == "};" || code.ends_with("{}"));
        if last || (own == first && code.ends_with('}') && code.contains('{')) {
            return end;
        }
    }
    end
}

/// The files that only `#[cfg(test)] mod NAME;` brings in; what lies below one is test code too.
fn test_modules(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for (at, _) in text.match_indices("#[cfg(test)]") {
            let item = text[at + "#[cfg(test)]".len()..].trim_start();
            let item = item.strip_prefix("pub(crate) ").unwrap_or(item);
            if let Some((name, _)) = item.strip_prefix("mod ").and_then(|rest| rest.split_once(';')) {
                tests.insert(file.with_extension("").join(format!("{name}.rs")));
            }
        }
    }
    tests
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The paths that a room's text uses and may not.
fn uses(room: &str, text: &str) -> Vec<String> {
    let allowed = ARROWS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
    let mut strays = BTreeSet::new();
    for path in crate_paths(text) {
        let permitted = path == room
            || path.starts_with(&format!("{room}::"))
            || allowed.iter().any(|allowed| path == *allowed || path.starts_with(&format!("{allowed}::")));
        if !permitted {
            strays.insert(format!("{room} → {path}"));
        }
    }
    strays.into_iter().collect()
}

/// Every `crate::a::b` in code (not in comments), two segments deep, groups opened.
fn crate_paths(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split("};").next().unwrap();
                paths.extend(
                    group.split(',').map(|item| segments(item.trim())).filter(|path| !path.is_empty()),
                );
            }
            None => paths.push(segments(rest)),
        }
    }
    paths
}

fn segments(text: &str) -> String {
    let path: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
    path.split("::").filter(|segment| !segment.is_empty()).take(2).collect::<Vec<_>>().join("::")
}
