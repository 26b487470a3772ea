//! In GitHub Actions: annotations, the step summary and the step's outputs.
//!
//! Written only when the runner's variables are there. Annotations are workflow commands on stderr
//! (the runner reads both streams; stdout is data). Every value is escaped as the runner's own
//! toolkit does: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
#![expect(clippy::disallowed_methods, reason = "the runner's files are appended to")]

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::audit::LogReference;
use crate::policy::account::Action;
use crate::policy::{DecisionReport, Finding, Severity};
use crate::report::paint::{printable, word};

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
}

/// Tells the runner, when there is one.
///
/// # Errors
/// A [`Failure`] with exit 1 when one of its files can't be appended to.
pub(super) fn tell(step: &Step<'_>, session: &Session) -> Result<(), Failure> {
    if session.variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        for finding in &step.report.findings {
            session.tell(&annotation(finding));
        }
    }
    append(session, "GITHUB_OUTPUT", &outputs(step))?;
    append(session, "GITHUB_STEP_SUMMARY", &summary(step))
}

/// Tells the runner the exit code of a run that made no decision.
pub(super) fn tell_failure(exit: Exit, session: &Session) -> Result<(), Failure> {
    append(session, "GITHUB_OUTPUT", &format!("decision=none\nexit-code={}\n", exit.code()))
}

/// The runner's files that are appended to.
pub(super) fn files(session: &Session) -> Vec<PathBuf> {
    ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"]
        .into_iter()
        .filter_map(|name| session.variable(name).map(PathBuf::from))
        .collect()
}

fn append(session: &Session, variable: &str, text: &str) -> Result<(), Failure> {
    let Some(path) = session.variable(variable) else { return Ok(()) };
    let path = Path::new(&path);
    session.refuse_log(path)?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::io(Exit::NoDecision, "append to", path, &error))
}

fn annotation(finding: &Finding) -> String {
    let level = if finding.severity == Severity::Deny { "error" } else { "warning" };
    let mut properties = format!("title={}", property(&format!("laforge: {}", finding.rule.as_str())));
    if let Some(origin) = &finding.origin {
        let _ = write!(
            properties,
            ",file={},line={},col={}",
            property(&origin.place.file),
            origin.place.line,
            origin.place.column
        );
    }
    let help = finding.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("::{level} {properties}::{}\n", data(&format!("{}{help}", finding.message)))
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
    if let Some(audit) = step.audit {
        put("audit-index", audit.index.to_string());
        put("audit-root", audit.root.to_string());
    }
    out
}

fn summary(step: &Step<'_>) -> String {
    let report = step.report;
    let release = &report.release;
    let sign = match step.exit {
        Exit::Holds => "✅ allowed",
        Exit::Denied => "❌ denied",
        Exit::Inconclusive => "❓ inconclusive",
        _ => "❌ no plan",
    };
    let mut out = format!(
        "### laforge: {sign}: {}\n\n",
        cell(&format!("{} {} → {}", release.name, release.version, release.environment))
    );
    if !report.findings.is_empty() {
        out.push_str("| | rule | subject | finding |\n|--|--|--|--|\n");
        for finding in &report.findings {
            let sign = if finding.severity == Severity::Deny { "❌" } else { "⚠️" };
            let text = [Some(finding.message.as_str()), finding.help.as_deref()];
            let text: Vec<String> = text.into_iter().flatten().map(cell).collect();
            let _ = writeln!(
                out,
                "| {sign} | `{}` | {} | {} |",
                finding.rule.as_str(),
                cell(&finding.subject),
                text.join("<br>")
            );
        }
        out.push('\n');
    }
    if let Some(audit) = step.audit {
        let _ = writeln!(
            out,
            "Recorded as entry {} in `{}`, root `{}`.",
            audit.index,
            cell(&audit.origin),
            audit.root
        );
    }
    out
}

/// Text that can't leave its cell or become markup.
fn cell(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('|', "&#124;")
        .replace('`', "&#96;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_not_start_a_command_or_leave_its_cell() {
        assert_eq!(property("a:b,c\n::error::x%"), "a%3Ab%2Cc%0A%3A%3Aerror%3A%3Ax%25");
        assert_eq!(cell("a|b`<img>\n"), "a&#124;b&#96;&lt;img&gt;\\u{a}");
    }
}
