//! `--report FORMAT[=FILE]`: which reports are written, and where to.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::plan::draft::Verdict;
use crate::policy::DecisionReport;
use crate::report::human::{self, Recording};
use crate::report::json::{self, Timing};
use crate::report::paint::Paint;
use crate::report::place::Places;
use crate::report::{html, junit, markdown, sarif};

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
    Sarif,
    Junit,
    Markdown,
    Html,
}

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
                "sarif" => Format::Sarif,
                "junit" => Format::Junit,
                "markdown" => Format::Markdown,
                "html" => Format::Html,
                other => {
                    return Err(Failure::usage(format!("`{other}` is not a report format")).hint(
                        "human, json, sarif, junit, markdown or html, each with `=FILE` if it is to be a file",
                    ));
                }
            };
            wanted.push((format, file));
        }
        Ok(Self { wanted })
    }

    /// The file that a report of this format goes to, if one does.
    fn file_of(&self, wanted: Format) -> Option<&Path> {
        self.wanted.iter().find_map(|(format, file)| file.as_deref().filter(|_| *format == wanted))
    }

    /// The files that reports go to.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.wanted.iter().filter_map(|(_, file)| file.as_deref())
    }

    /// The formats that go to the verb's own stream, but for the human one, which is always told.
    fn inline(&self) -> impl Iterator<Item = Format> {
        self.wanted
            .iter()
            .filter(|(format, file)| file.is_none() && *format != Format::Human)
            .map(|(it, _)| *it)
    }

    /// How the run talks: not at all where stderr is a document's, which nothing may stand beside.
    pub(super) fn session(&self, session: &Session) -> Session {
        let quiet = session.quiet || self.inline().next().is_some();
        Session { quiet, ..session.clone() }
    }

    /// Refuses, before anything is decided, what could not be written afterwards or would overwrite
    /// something that is no report; reports of an earlier run go.
    ///
    /// # Errors
    /// A [`Failure`] with exit 2.
    pub(super) fn prepare(&self, session: &Session) -> Result<(), Failure> {
        for (format, file) in &self.wanted {
            let Some(file) = file else { continue };
            // A run that ends without a decision must leave no report of an earlier allow.
            session.make_room(file, "report", |bytes| is_report(*format, bytes))?;
        }
        Ok(())
    }
}

/// Whether a file is a report of an earlier run.
fn is_report(format: Format, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let value = || serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    match format {
        Format::Json => value().get("kind").is_some_and(|kind| kind == "DecisionReport"),
        Format::Sarif => value().pointer("/runs/0/tool/driver/name").is_some_and(|name| name == "laforge"),
        Format::Junit => text.contains("<testsuites name=\"laforge\""),
        Format::Html => text.contains("<meta name=\"generator\" content=\"laforge\">"),
        Format::Markdown => bytes.is_empty() || text.starts_with("### laforge: "),
        Format::Human => bytes.is_empty() || text.trim_start().starts_with("release "),
    }
}

/// How a decision is told: to people, to files, to a CI runner.
pub(super) struct Telling<'a> {
    reports: &'a Reports,
    started: Instant,
    session: &'a Session,
    places: Places,
}

impl<'a> Telling<'a> {
    /// Of a run that began then, about a release that this file is of.
    pub(super) fn new(reports: &'a Reports, started: Instant, about: &Path, session: &'a Session) -> Self {
        Self { reports, started, session, places: session.places(about) }
    }

    /// How the run talks.
    pub(super) fn session(&self) -> &'a Session {
        self.session
    }

    /// Tells of a decision that is on record, and gives the exit code of its verdict. A report's file that can't be
    /// written is told of as well.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1 for a file of the CI system that can't be written.
    pub(super) fn tell(
        &self,
        report: &DecisionReport,
        recording: Recording<'_>,
        plan_file: Option<&Path>,
    ) -> Result<Exit, Failure> {
        let (audit, exit) = (recording.reference(), exit_of(report.verdict));
        // Stdout is the plan's alone: another report takes the place of the human one, and warnings go first.
        if self.reports.inline().next().is_some() {
            self.session.tell_courtesies();
        }
        for format in self.reports.inline() {
            self.session.tell(&self.rendered(format, report, recording));
        }
        if self.reports.inline().next().is_none() {
            self.session.say(&self.text(report, recording));
        }
        if self.session.verbose && !self.session.quiet {
            self.session.tell(&self.details(report));
        }
        // The decision is on record: a report that the disk does not take keeps back neither the plan nor the code.
        let written = self.write(report, recording);
        if let Err(failure) = &written {
            self.session.say_last(format!("a report is not written: {}", failure.sentence()));
        }
        let of_this_run = |file: Option<&'a Path>| file.filter(|_| written.is_ok());
        let step = Step {
            report,
            audit,
            exit,
            plan_file,
            report_file: of_this_run(self.reports.file_of(Format::Json)),
            sarif_file: of_this_run(self.reports.file_of(Format::Sarif)),
            summary: markdown::render(report, recording, &self.places),
            places: &self.places,
        };
        github::tell(&step, self.session)?;
        Ok(exit)
    }

    /// Tells of a report that is data: other formats than the human one go to stdout.
    ///
    /// # Errors
    /// A [`Failure`] with exit 1 where a report can't be written.
    pub(super) fn print(&self, report: &DecisionReport) -> Result<Exit, Failure> {
        let recording = Recording::Nowhere;
        let text = self.text(report, recording);
        self.write(report, recording)?;
        for format in self.reports.inline() {
            self.session.print_result(self.rendered(format, report, recording).as_bytes())?;
        }
        self.session.say(&text);
        if self.session.verbose {
            self.session.tell(&self.details(report));
        }
        Ok(exit_of(report.verdict))
    }

    /// Writes the reports that go to files, each that can be; the first that can't is the failure.
    fn write(&self, report: &DecisionReport, recording: Recording<'_>) -> Result<(), Failure> {
        let written = |(format, file): &(Format, Option<PathBuf>)| match file {
            Some(file) => self.session.replace(file, self.rendered(*format, report, recording).as_bytes()),
            None => Ok(()),
        };
        self.reports.wanted.iter().map(written).fold(Ok(()), Result::and)
    }

    fn rendered(&self, format: Format, report: &DecisionReport, recording: Recording<'_>) -> String {
        match format {
            Format::Human => human::render(report, recording, Paint::Plain),
            Format::Json => json::render(report, recording.reference(), self.timing()),
            Format::Sarif => sarif::render(report, recording, &self.places),
            Format::Junit => junit::render(report, recording, &self.places, self.timing()),
            Format::Markdown => markdown::render(report, recording, &self.places),
            Format::Html => html::render(report, recording, &self.places),
        }
    }

    fn timing(&self) -> Timing {
        Timing { total_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) }
    }

    /// What `-v` adds: the digests that the decision hangs on, and how long it took.
    fn details(&self, report: &DecisionReport) -> String {
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
}

/// The exit code of a verdict.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Holds,
        Verdict::Fail => Exit::Denied,
        Verdict::Error => Exit::Inconclusive,
    }
}
