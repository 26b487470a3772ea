//! What went wrong, for people: the message, its causes, its place, and how to mend it.
//!
//! Rooms below say what is wrong; hints are added here, by kind.

use std::error::Error;
use std::fmt::Write as _;

use crate::plan::RolloutError;
use crate::policy::set::PolicyError;
use crate::report::caret;
use crate::report::paint::{Paint, Tone, printable};
use crate::trust::TrustError;
use crate::yaml::DocumentError;

use super::exit::Exit;

/// What to do about a policy set that is older than the log's last word, whoever noticed it.
pub(super) const VERSIONS_RISE: &str = "versions only rise: publish the change under a higher one";

/// A run that ends without what was asked for.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    document: Option<Box<DocumentError>>,
    hints: Vec<String>,
    fatal: Option<&'static str>,
    /// Printed after the first line: what was found out before it failed.
    preface: Option<Box<str>>,
}

/// The first line when the gate made no decision.
pub(super) const NO_DECISION: &str = "no decision was made";
/// The first line when it made one that the log did not take.
pub(super) const NOT_RECORDED: &str = "the decision could not be recorded";
/// The first line when it is recorded and what follows from it could not be written.
pub(super) const NOT_WRITTEN: &str =
    "the decision is recorded, and what follows from it could not be written";

impl Failure {
    /// A failure with a message of our own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            document: None,
            hints: Vec::new(),
            fatal: None,
            preface: None,
        }
    }

    /// A usage, configuration or policy error: exit 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// An error of a room below, with its causes.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            failure = failure.because(cause.to_string());
            source = cause.source();
        }
        failure
    }

    /// What is wrong at a place in a document, with another exit code than 2.
    pub fn at(exit: Exit, document: DocumentError) -> Self {
        Self { exit, ..document.into() }
    }

    /// An I/O error on a path, with the usual ways to mend it.
    pub fn io(exit: Exit, doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let mut failure = Self::new(exit, format!("cannot {doing} `{}`", path.display()));
        failure.causes.push(error.to_string());
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                failure.hint("check the path; it is relative to the file that names it, or to -C DIR")
            }
            std::io::ErrorKind::PermissionDenied => {
                failure.hint("check the permissions of the file and of its folders")
            }
            _ => failure,
        }
    }

    /// Adds why, unless that is what was said last.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        if self.causes.last().unwrap_or(&self.message) != &cause {
            self.causes.push(cause);
        }
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says on the first line what it means for the gate.
    #[must_use]
    pub fn fatal(mut self, first_line: &'static str) -> Self {
        self.fatal.get_or_insert(first_line);
        self
    }

    /// Puts a report before it: what was decided, or found, all the same.
    #[must_use]
    pub fn preface(mut self, report: String) -> Self {
        self.preface = Some(report.into());
        self
    }

    /// The exit code that it ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What is wrong and where, in a line without paint: for whoever has neither a terminal nor flags.
    pub fn sentence(&self) -> String {
        let mut parts = vec![match &self.document {
            Some(document) => document.to_string(),
            None => self.message.clone(),
        }];
        parts.extend(self.causes.iter().cloned());
        let mut out = printable(&parts.join(": "));
        let of_the_command_line = |hint: &&String| hint.contains("--") || hint.contains("-C ");
        for hint in self.hints.iter().filter(|hint| !of_the_command_line(hint)) {
            out.push_str(&format!("; {}", printable(hint)));
        }
        out
    }

    /// The whole text for stderr.
    pub fn render(&self, paint: Paint) -> String {
        let mut out = String::new();
        if let Some(first_line) = self.fatal {
            let _ = writeln!(out, "{}: {first_line}", paint.tone(Tone::Bad, "fatal"));
        }
        out.push_str(self.preface.as_deref().unwrap_or_default());
        match &self.document {
            Some(document) => {
                let _ = writeln!(out, "{}", caret::render_error(document, paint));
            }
            None => {
                let _ = writeln!(out, "{}: {}", paint.tone(Tone::Bad, "error"), printable(&self.message));
            }
        }
        for cause in &self.causes {
            let _ = writeln!(out, "  because: {}", printable(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(out, "  help: {}", printable(hint));
        }
        out
    }
}

impl From<DocumentError> for Failure {
    fn from(document: DocumentError) -> Self {
        let mut failure = Self::usage(document.message.clone());
        failure.document = Some(Box::new(document));
        failure
    }
}

impl From<RolloutError> for Failure {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Document(document) => document.into(),
            other => Self::of(Exit::Usage, &other),
        }
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Document(document) => document.into(),
            other => Self::of(Exit::Usage, &other),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Document(document) => document.into(),
            PolicyError::RolledBack { .. } => Self::of(Exit::Usage, &error).hint(VERSIONS_RISE),
            other => Self::of(Exit::Usage, &other),
        }
    }
}
