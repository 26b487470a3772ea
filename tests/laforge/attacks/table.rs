//! Every known attack of this class, and which tests try it: `docs/attacks.md`, generated from here.
//!
//! A row with no test that exists, and a name that no test or fixture has, fail.

mod invited;
mod published;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One known flaw, or one attack that this design itself invites.
struct Attack {
    /// Its ids, or the section that names it.
    ids: &'static str,
    /// What is tried.
    what: &'static str,
    state: State,
}

/// How it is tried.
enum State {
    /// By these tests and fixtures.
    Tried(&'static [&'static str]),
    /// By these, as far as there is something to try; what there is not yet.
    Partly(&'static [&'static str], &'static str),
    /// Not: what it would be tried on is not built yet.
    Later(&'static str),
}

use State::{Later, Partly, Tried};
use invited::INVITED;
use published::PUBLISHED;

/// Names of all tests in the sources, and of all fixtures.
fn names() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["src", "tests/kubernetes", "tests/laforge", "tests/real_parts", "tests/service", "tests/studio"]
            .map(|folder| root.join(folder))
            .into();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(kind) if kind == "rs" => names.extend(tests_of(&fs::read_to_string(path).unwrap())),
                _ => {}
            }
        }
    }
    let fixtures = fs::read_dir(root.join("fixtures")).unwrap().map(|entry| entry.unwrap());
    let cases = fixtures.filter(|entry| entry.path().join("expect.yaml").is_file());
    names.extend(cases.map(|entry| entry.file_name().into_string().unwrap()));
    names
}

/// The functions of a source that `#[test]` stands above.
fn tests_of(source: &str) -> Vec<String> {
    let after = source.split("#[test]").skip(1);
    after.filter_map(|text| Some(text.split_once("fn ")?.1.split_once('(')?.0.to_owned())).collect()
}

fn page() -> String {
    let mut page = String::from(PREFACE);
    for (title, attacks) in [("Published flaws", PUBLISHED), ("Invited by this design", INVITED)] {
        let _ = write!(page, "\n## {title}\n\n| flaw | what is tried | by |\n|---|---|---|\n");
        for Attack { ids, what, state } in attacks {
            let listed =
                |tests: &[&str]| tests.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let by = match state {
                Tried(tests) => listed(tests),
                Partly(tests, lacking) => format!("{}; **partly**: {lacking}", listed(tests)),
                Later(why) => format!("**not tried**: {why}"),
            };
            let _ = writeln!(page, "| {ids} | {what} | {by} |");
        }
    }
    page
}

const PREFACE: &str = "\
# Attacks: every known flaw of this class, and the test that tries it

Generated from `tests/laforge/attacks/table.rs`, where a test checks that every name here is one of a test or of a
folder of `fixtures/`. What an attacker may do at all is in [the threat model](threat-model.md).

Names with underscores are tests (`cargo test NAME`), names with hyphens are fixtures: folders that the program is
run in, with the findings and the reasons that it must give.
";

#[test]
fn every_attack_has_a_test_that_exists() {
    let names = names();
    for attack in PUBLISHED.iter().chain(INVITED) {
        let (Tried(tests) | Partly(tests, _)) = &attack.state else { continue };
        assert!(!tests.is_empty(), "{} is tried by nothing", attack.ids);
        for test in *tests {
            assert!(names.contains(*test), "`{test}`, which tries {}, does not exist", attack.ids);
        }
    }
    // What is looked for would be found, and what isn't there would not.
    assert!(names.contains("every_attack_has_a_test_that_exists") && !names.contains("page"));
}

#[test]
fn the_page_of_attacks() {
    crate::pages::page_is("docs/attacks.md", &page());
}
