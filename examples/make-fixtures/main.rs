//! Makes `fixtures/`: one folder per case, the same bytes each time, out of the project's own code.
//!
//! `cargo run --example make-fixtures [FOLDER]` writes what is missing or different and removes
//! what is no case any more. The clock is each case's own; the keys are made of their names.

#![expect(clippy::disallowed_methods, reason = "writes the fixtures")]
#![expect(clippy::indexing_slicing, reason = "of JSON values, which it has just built")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "says what it made")]

mod authority;
mod cases;
mod certificate;
mod der;
mod folder;
mod image;
mod keys;
mod logs;
mod scene;
mod stamps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("fixtures"), PathBuf::from);
    match make(&folder) {
        Ok(cases) => {
            println!("{cases} cases in {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn make(folder: &Path) -> Result<usize, String> {
    let files = all_files()?;
    let refuse = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(refuse)?;
    folder::write(folder, &files).map_err(refuse)?;
    for path in folder::there(folder).map_err(refuse)?.iter().filter(|path| !files.contains_key(*path)) {
        std::fs::remove_file(folder.join(path)).map_err(refuse)?;
    }
    Ok(cases::all().count())
}

/// Every file of every case.
fn all_files() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    for case in cases::all() {
        let made =
            folder::files(case).map_err(|problems| format!("{}: {}", case.name, problems.join("; ")))?;
        if made.keys().any(|path| files.contains_key(path)) {
            return Err(format!("two cases are called `{}`", case.name));
        }
        files.extend(made);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_in_the_repository_are_what_this_makes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let files = all_files().unwrap();
        assert_eq!(folder::there(&folder).unwrap(), files.keys().cloned().collect::<Vec<_>>());
        for (path, bytes) in files {
            assert!(std::fs::read(folder.join(&path)).unwrap() == bytes, "{path} differs");
        }
    }

    #[test]
    fn every_name_says_what_is_expected() {
        for case in cases::all() {
            let begins = match case.expect {
                cases::Expect::Allows => "allows-",
                cases::Expect::Denies(_) | cases::Expect::SetAside(..) => "denies-",
                cases::Expect::Refuses(..) => "refuses-",
            };
            assert!(case.name.starts_with(begins) && case.readme.ends_with('.'), "{}", case.name);
        }
    }
}
