//! JUnit XML: a decision as test cases, for the report pages of CI servers.
//!
//! In: a decision's account. Out: one suite: a case for the verdict, so that no suite is ever empty, and a case
//! per finding. A deny is a failure, an inconclusive one an error, a warning passes with its text as output.
//! The form is the one that Jenkins and GitLab read: <https://llg.cubic.org/docs/junit/>.

use std::fmt::Write as _;

use crate::plan::draft::Verdict;
use crate::policy::{DecisionReport, Finding, Severity};
use crate::time;

use super::human::{Recording, told};
use super::json::Timing;
use super::markup::text;
use super::paint::word;
use super::place::Places;

/// The document, with a line feed.
pub fn render(report: &DecisionReport, recording: Recording<'_>, places: &Places, timing: Timing) -> String {
    let mut cases = verdict_case(report, recording);
    for finding in told(report) {
        cases.push_str(&finding_case(finding, report.verdict, places));
    }
    let count = denies(report);
    let (failures, errors) = match report.verdict {
        Verdict::Pass => (count, 0),
        Verdict::Fail => (count + 1, 0),
        Verdict::Error => (0, count + 1),
    };
    let release = &report.release;
    let name = text(&format!("{} {} → {}", release.name, release.version, release.environment));
    let counts = format!(
        r#"tests="{}" failures="{failures}" errors="{errors}" time="{}.{:03}""#,
        told(report).count() + 1,
        timing.total_ms / 1000,
        timing.total_ms % 1000
    );
    let when = time::to_seconds(report.now);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"laforge\" {counts}>\n\
         <testsuite name=\"{name}\" {counts} skipped=\"0\" timestamp=\"{when}\">\n{}{cases}</testsuite>\n</testsuites>\n",
        properties(report, recording)
    )
}

fn denies(report: &DecisionReport) -> usize {
    told(report).filter(|finding| finding.severity == Severity::Deny).count()
}

fn properties(report: &DecisionReport, recording: Recording<'_>) -> String {
    let mut out = String::from("<properties>\n");
    let mut put = |name: &str, value: &str| {
        let _ = writeln!(out, r#"<property name="{name}" value="{}"/>"#, text(value));
    };
    put("action", &word(&report.action));
    put("policy-digest", &report.policy.digest.to_string());
    if let Some(digest) = report.release.digest {
        put("release-digest", &digest.to_string());
    }
    if let Some(entry) = recording.reference() {
        put("audit-origin", &entry.origin);
        put("audit-index", &entry.index.to_string());
        put("audit-root", &entry.root.to_string());
    }
    out.push_str("</properties>\n");
    out
}

fn verdict_case(report: &DecisionReport, recording: Recording<'_>) -> String {
    let where_to = match recording.reference() {
        Some(entry) => format!("entry {} of {}", entry.index, entry.origin),
        None => "recorded nowhere".to_owned(),
    };
    let reasons = match denies(report) {
        1 => "1 reason".to_owned(),
        count => format!("{count} reasons"),
    };
    let told = match report.verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some(("failure", format!("denied: {reasons}"))),
        Verdict::Error => Some(("error", format!("inconclusive: {reasons}"))),
    };
    case(
        "laforge",
        &format!("verdict ({where_to})"),
        told.as_ref().map(|(tag, said)| (*tag, "verdict", &**said, "")),
    )
}

fn finding_case(finding: &Finding, verdict: Verdict, places: &Places) -> String {
    let tag = match (finding.severity, verdict) {
        (Severity::Warn, _) => "system-out",
        (Severity::Deny, Verdict::Error) => "error",
        (Severity::Deny, _) => "failure",
    };
    let mut details = finding.message.clone();
    if let Some(spot) = places.of(finding) {
        let _ = write!(details, "\n  at {}:{}:{}", spot.file, spot.line, spot.column);
    }
    if let Some(help) = &finding.help {
        let _ = write!(details, "\n  help: {help}");
    }
    let rule = finding.rule.as_str();
    let told = (tag, rule, finding.message.as_str(), details.as_str());
    case(&format!("laforge.{rule}"), &format!("{rule}: {}", finding.subject), Some(told))
}

/// A case with what is told of it: tag, type, message, details.
fn case(class: &str, name: &str, told: Option<(&str, &str, &str, &str)>) -> String {
    let (class, name) = (text(class), text(name));
    match told {
        None => format!("<testcase classname=\"{class}\" name=\"{name}\"/>\n"),
        Some((tag, kind, message, details)) => {
            let attributes = match tag {
                "system-out" => String::new(),
                _ => format!(r#" type="{}" message="{}""#, text(kind), text(message)),
            };
            format!(
                "<testcase classname=\"{class}\" name=\"{name}\">\n<{tag}{attributes}>{}</{tag}>\n</testcase>\n",
                lines(details)
            )
        }
    }
}

fn lines(value: &str) -> String {
    value.split('\n').map(text).collect::<Vec<_>>().join("\n")
}
