//! A configuration that is not read: under another name, or in a folder above.
//!
//! In: the current folder and those above it, as far as the repository goes. Out: a file that was probably meant.
//! Parents are never searched for one that counts (`cli.md`): it is said where it is, and how to run there.
#![expect(clippy::disallowed_methods, reason = "looks for files that lie around")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::FILE;

use super::super::error::Failure;
use super::super::session::Session;

/// A configuration that is not read.
enum Elsewhere {
    /// Here, under another name.
    Misnamed(PathBuf),
    /// In this folder above.
    Above(PathBuf),
}

/// That a configuration lies here under another name, so that what it asks for would not be asked.
pub(in crate::cli) fn refuse_misnamed(session: &Session) -> Result<(), Failure> {
    if session.config.is_some() || session.exists(Path::new(FILE)) {
        return Ok(());
    }
    match misnamed() {
        Some(found) => Err(mended(Failure::usage(format!("no {FILE} is here")), &Elsewhere::Misnamed(found))),
        None => Ok(()),
    }
}

/// That a configuration lies elsewhere, where somebody runs without one.
pub(in crate::cli) fn refuse_elsewhere(session: &Session) -> Result<(), Failure> {
    match elsewhere(session) {
        Some(found) => Err(mended(Failure::usage(format!("no {FILE} is here")), &found)),
        None => Ok(()),
    }
}

/// A usage error for want of something that a configuration names, which may be elsewhere.
pub(in crate::cli) fn unconfigured(message: &str, session: &Session) -> Failure {
    let failure = Failure::usage(message);
    match elsewhere(session) {
        Some(found) => mended(failure, &found),
        None => failure,
    }
}

fn mended(failure: Failure, found: &Elsewhere) -> Failure {
    match found {
        Elsewhere::Misnamed(file) => {
            let file = file.display();
            failure
                .because(format!("`{file}` lies here, and is not read: the configuration is called `{FILE}`"))
                .hint(format!(
                    "rename it, or name it with `--config {file}`; `-C DIR` runs in another folder"
                ))
        }
        Elsewhere::Above(folder) => {
            let file = folder.join(FILE);
            failure
                .because(format!("`{}` is there, and folders above are not searched", file.display()))
                .hint(format!("run it there: `laforge -C {} …`", folder.display()))
        }
    }
}

fn elsewhere(session: &Session) -> Option<Elsewhere> {
    if session.config.is_some() || session.exists(Path::new(FILE)) {
        return None;
    }
    misnamed().map(Elsewhere::Misnamed).or_else(|| above().map(Elsewhere::Above))
}

/// `laforge.yml`, `laforge.yaml.txt`, `Laforge.yaml` and the like, in the current folder.
fn misnamed() -> Option<PathBuf> {
    let names = fs::read_dir(".").ok()?.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let is_meant = |name: &PathBuf| {
        let name = name.to_string_lossy().to_lowercase();
        name == "laforge.yml" || name.starts_with(FILE)
    };
    names.filter(|name| is_meant(name) && name.is_file()).min()
}

/// The nearest folder above with a configuration, as `..`, up to the one that holds `.git`.
fn above() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let root = here.ancestors().position(|folder| folder.join(".git").exists())?;
    let found = here.ancestors().take(root + 1).position(|folder| folder.join(FILE).is_file())?;
    Some(std::iter::repeat_n("..", found).collect())
}
