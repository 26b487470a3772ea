//! In GitHub Actions: annotations, the step summary and the step's outputs.
//!
//! Written only when the runner's variables are there. Annotations are workflow commands on stderr
//! (the runner reads both streams; stdout is data). Every value is escaped as the runner's own
//! toolkit does: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::audit::LogReference;
use crate::policy::account::Action;
use crate::policy::{DecisionReport, Finding, Severity};
use crate::report::human::told;
use crate::report::markdown;
use crate::report::paint::{Paint, printable, word};
use crate::report::place::Places;

use super::{Exit, Failure, Session};

/// What a step's outputs are made of.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// The account.
    pub(super) report: &'a DecisionReport,
    /// Where it was recorded.
    pub(super) audit: Option<&'a LogReference>,
    /// How the run ends.
    pub(super) exit: Exit,
    /// The file that the plan was written to.
    pub(super) plan_file: Option<&'a Path>,
    /// The file that the JSON report was written to.
    pub(super) report_file: Option<&'a Path>,
    /// The file that the SARIF report was written to.
    pub(super) sarif_file: Option<&'a Path>,
    /// The Markdown report.
    pub(super) summary: String,
    /// Where the findings stand.
    pub(super) places: &'a Places,
}

/// Tells the runner, when there is one.
///
/// # Errors
/// A [`Failure`] with exit 1 when one of its files can't be appended to; the other one is all the same.
pub(super) fn tell(step: &Step<'_>, session: &Session) -> Result<(), Failure> {
    if session.variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        for finding in told(step.report) {
            session.tell(&annotation(finding, step.places));
        }
    }
    let told = append(session, "GITHUB_OUTPUT", &outputs(step));
    told.and(append(session, "GITHUB_STEP_SUMMARY", &step.summary))
}

/// Tells the runner how a run ended that leaves no entry: what the log doesn't take is denied, and where
/// nothing was decided the decision is none.
pub(super) fn tell_failure(failure: &Failure, session: &Session) -> Result<(), Failure> {
    let exit = failure.exit();
    let (decision, sign) = match exit {
        Exit::NotRecorded => ("deny", "❌ denied, since the log can't take the entry"),
        Exit::Integrity => ("deny", "❌ denied, since the log does not check out"),
        _ => ("none", "❌ no decision"),
    };
    append(session, "GITHUB_OUTPUT", &format!("decision={decision}\nexit-code={}\n", exit.code()))?;
    let said = markdown::block(&failure.render(Paint::Plain));
    append(session, "GITHUB_STEP_SUMMARY", &format!("### laforge: {sign} (exit {})\n\n{said}\n", exit.code()))
}

/// The runner's files that are appended to.
pub(super) fn files(session: &Session) -> Vec<PathBuf> {
    named(session).map(|(_, path)| path).collect()
}

/// Refuses files of the runner that are one of these, which the gate goes by, or lie in one of them.
///
/// # Errors
/// A [`Failure`] with exit 2.
pub(super) fn refuse_own(own: &[PathBuf], session: &Session) -> Result<(), Failure> {
    match named(session).find(|(_, path)| session.is_among(path, own)) {
        Some((variable, path)) => Err(Failure::usage(format!(
            "`{variable}` names `{}`, which this gate goes by: nothing is appended to it",
            path.display()
        ))
        .hint("leave the variable to the runner, or name a file elsewhere")),
        None => Ok(()),
    }
}

fn named(session: &Session) -> impl Iterator<Item = (&'static str, PathBuf)> {
    ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"]
        .into_iter()
        .filter_map(|name| Some((name, PathBuf::from(session.variable(name)?))))
}

fn append(session: &Session, variable: &str, text: &str) -> Result<(), Failure> {
    let Some(path) = session.variable(variable) else { return Ok(()) };
    let path = Path::new(&path);
    session.refuse_log(path)?;
    session.append(path, text.as_bytes())
}

fn annotation(finding: &Finding, places: &Places) -> String {
    let level = if finding.severity == Severity::Deny { "error" } else { "warning" };
    let mut properties = format!("title={}", property(&format!("laforge: {}", finding.rule.as_str())));
    if let Some(spot) = places.of(finding) {
        let _ = write!(properties, ",file={},line={},col={}", property(&spot.file), spot.line, spot.column);
    }
    let help = finding.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("::{level} {properties}::{}\n", data(&printable(&format!("{}{help}", finding.message))))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn outputs(step: &Step<'_>) -> String {
    let report = step.report;
    let mut out = String::new();
    let mut put = |name: &str, value: String| {
        // One line each; only a path could hold a line feed, and then it is not announced.
        if !value.contains(['\n', '\r']) {
            let _ = writeln!(out, "{name}={value}");
        }
    };
    put("decision", word(&report.action));
    put("verdict", word(&report.verdict));
    put("exit-code", step.exit.code().to_string());
    if let Some(digest) = report.release.digest {
        put("release-digest", digest.to_string());
    }
    if let (Some(plan), Action::Allow) = (&report.plan, report.action) {
        put("plan-digest", plan.digest.to_string());
    }
    if let Some(file) = step.plan_file {
        put("plan", file.display().to_string());
    }
    if let Some(file) = step.report_file {
        put("report", file.display().to_string());
    }
    if let Some(file) = step.sarif_file {
        put("sarif", file.display().to_string());
    }
    if let Some(audit) = step.audit {
        put("audit-index", audit.index.to_string());
        put("audit-root", audit.root.to_string());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_not_start_a_command() {
        assert_eq!(property("a:b,c\n::error::x%"), "a%3Ab%2Cc%0A%3A%3Aerror%3A%3Ax%25");
    }
}
