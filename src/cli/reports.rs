//! `--report FORMAT[=FILE]`: which reports are written, and where to.

use std::path::{Path, PathBuf};

use super::{Failure, Session};

/// The reports that a run was asked for.
#[derive(Debug, Default)]
pub(super) struct Reports {
    wanted: Vec<(Format, Option<PathBuf>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Human,
    Json,
}

/// Formats whose names are fixed and that are not built yet.
const LATER: [&str; 4] = ["sarif", "junit", "markdown", "html"];

impl Reports {
    /// Reads the values of `--report`.
    pub(super) fn parse(values: &[String]) -> Result<Self, Failure> {
        let mut wanted = Vec::new();
        for value in values {
            let (name, file) = match value.split_once('=') {
                Some((name, file)) if !file.is_empty() => (name, Some(PathBuf::from(file))),
                Some(_) => return Err(Failure::usage(format!("`--report {value}` names no file"))),
                None => (value.as_str(), None),
            };
            let format = match name {
                "human" => Format::Human,
                "json" => Format::Json,
                later if LATER.contains(&later) => {
                    return Err(super::load::not_built_yet(&format!("--report {later}")));
                }
                other => {
                    return Err(Failure::usage(format!("`{other}` is not a report format"))
                        .hint("human or json, each with `=FILE` if it is to be a file"));
                }
            };
            wanted.push((format, file));
        }
        Ok(Self { wanted })
    }

    /// The file that the JSON report goes to, if one does.
    pub(super) fn json_file(&self) -> Option<&Path> {
        self.wanted.iter().find_map(|(format, file)| file.as_deref().filter(|_| *format == Format::Json))
    }

    /// Whether the JSON report goes to the verb's own stream.
    pub(super) fn json_inline(&self) -> bool {
        self.wanted.contains(&(Format::Json, None))
    }

    /// Writes those that go to files.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1.
    pub(super) fn write(&self, json: &str, human: &str, session: &Session) -> Result<(), Failure> {
        for (format, file) in &self.wanted {
            let text = match format {
                Format::Human => human,
                Format::Json => json,
            };
            if let Some(file) = file {
                session.replace(file, text.as_bytes())?;
            }
        }
        Ok(())
    }
}
