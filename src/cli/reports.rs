//! `--report FORMAT[=FILE]`: which reports are written, and where to.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::plan::draft::Verdict;
use crate::policy::DecisionReport;
use crate::report::human::{self, Recording};
use crate::report::json::{self, Timing};
use crate::report::paint::Paint;

use super::github::{self, Step};
use super::{Exit, Failure, Session};

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

    /// The files that reports go to.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.wanted.iter().filter_map(|(_, file)| file.as_deref())
    }

    /// Whether the JSON report goes to the verb's own stream.
    pub(super) fn json_inline(&self) -> bool {
        self.wanted.contains(&(Format::Json, None))
    }

    /// Refuses, before anything is decided, what could not be written afterwards or would overwrite
    /// something that is no report; reports of an earlier run go.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub(super) fn prepare(&self, session: &Session) -> Result<(), Failure> {
        for (format, file) in &self.wanted {
            let Some(file) = file else { continue };
            session.writable(file)?;
            if !session.is_file(file) {
                continue;
            }
            if !is_report(*format, &session.read(file, Exit::Usage)?) {
                return Err(Failure::usage(format!("`{}` is there, and it is no report", file.display()))
                    .hint("write it to another name: a file that is something else is not overwritten"));
            }
            // A run that ends without a decision must leave no report of an earlier allow.
            session.remove(file)?;
        }
        Ok(())
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

/// Whether a file is a report of an earlier run.
fn is_report(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Json => {
            let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
            value.is_some_and(|value| value.get("kind").is_some_and(|kind| kind == "DecisionReport"))
        }
        Format::Human => {
            bytes.is_empty() || String::from_utf8_lossy(bytes).trim_start().starts_with("release ")
        }
    }
}

/// How a decision is told: to people, to files, to a CI runner.
pub(super) struct Telling<'a> {
    /// The reports that were asked for.
    pub(super) reports: &'a Reports,
    /// When the run began.
    pub(super) started: Instant,
    /// How the run talks.
    pub(super) session: &'a Session,
}

impl Telling<'_> {
    /// Tells of a decision, and gives the exit code of its verdict.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1 for a file that can't be written.
    pub(super) fn tell(
        &self,
        report: &DecisionReport,
        recording: Recording<'_>,
        plan_file: Option<&Path>,
    ) -> Result<Exit, Failure> {
        let (audit, exit) = (recording.reference(), exit_of(report.verdict));
        let as_text = human::render(report, recording, self.session.paint);
        let as_json = self.json(report, recording);
        // Stdout is the plan's alone: the JSON report takes the place of the human one.
        if self.reports.json_inline() {
            self.session.tell(&as_json);
        } else {
            self.session.say(&as_text);
        }
        if self.session.verbose {
            self.session.tell(&self.details(report));
        }
        self.reports.write(&as_json, &human::render(report, recording, Paint::Plain), self.session)?;
        let step = Step { report, audit, exit, plan_file, report_file: self.reports.json_file() };
        github::tell(&step, self.session)?;
        Ok(exit)
    }

    /// What `-v` adds: the digests that the decision hangs on, and how long it took.
    pub(super) fn details(&self, report: &DecisionReport) -> String {
        format!(
            "policy {}\ntrust  {}\ntook   {} ms\n",
            report.policy.digest,
            report.trust,
            self.started.elapsed().as_millis()
        )
    }

    /// The human report alone.
    pub(super) fn text(&self, report: &DecisionReport, recording: Recording<'_>) -> String {
        human::render(report, recording, self.session.paint)
    }

    /// The JSON report.
    pub(super) fn json(&self, report: &DecisionReport, recording: Recording<'_>) -> String {
        let total_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        json::render(report, recording.reference(), Timing { total_ms })
    }
}

/// The exit code of a verdict.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Holds,
        Verdict::Fail => Exit::Denied,
        Verdict::Error => Exit::Inconclusive,
    }
}
