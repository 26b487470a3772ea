//! HTML: a decision as one page that needs nothing else, to keep with a ticket or to print.
//!
//! In: a decision's account. Out: one document without scripts and without a network: its policy allows the one
//! style sheet in it, by hash, and nothing else. Every text is escaped.
//! Spec: <https://html.spec.whatwg.org/>, <https://www.w3.org/TR/CSP3/>.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::policy::{DecisionReport, Finding, Severity};
use crate::release::digest::Digest;
use crate::time;

use super::human::{Recording, passed_on, told};
use super::markup::text;
use super::paint::word;
use super::place::Places;
use super::rules;

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{border:1px solid #8c959f;padding:.3rem .6rem;text-align:left;vertical-align:top}
caption{text-align:left;font-weight:600}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none}a{color:inherit}tr{break-inside:avoid}}
";

/// The document, with a line feed.
pub fn render(report: &DecisionReport, recording: Recording<'_>, places: &Places) -> String {
    let release = &report.release;
    let title = format!("{} {} → {}", release.name, release.version, release.environment);
    let hash = STANDARD.encode(Digest::of_bytes(STYLE.as_bytes()).as_bytes());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"generator\" content=\"laforge\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>laforge: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{verdict}: {title}</h1>\n",
        title = text(&title),
        verdict = verdict(report, recording),
    );
    subject(&mut out, report, recording);
    findings(&mut out, report, places);
    approvals(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn verdict(report: &DecisionReport, recording: Recording<'_>) -> &'static str {
    let real = report.action != Action::None && recording.reference().is_some();
    match (report.verdict, real) {
        (Verdict::Pass, true) => "Allowed",
        (Verdict::Pass, false) => "Would be allowed",
        (Verdict::Fail, true) => "Denied",
        (Verdict::Fail, false) => "Would be denied",
        (Verdict::Error, _) => "Inconclusive",
    }
}

fn subject(out: &mut String, report: &DecisionReport, recording: Recording<'_>) {
    let source = &report.release.source;
    let mut rows = vec![
        ("Decided", time::to_seconds(report.now)),
        ("Source", format!("{} {} {}", source.repository, source.r#ref, source.commit)),
        ("Policy", report.policy.digest.to_string()),
        ("Trust", report.trust.to_string()),
    ];
    if let Some(digest) = report.release.digest {
        rows.push(("Release digest", digest.to_string()));
    }
    for artifact in &report.release.artifacts {
        rows.push(("Artifact", format!("{} {}", artifact.name, artifact.digest)));
    }
    match recording.reference() {
        Some(entry) => {
            rows.push((
                "Recorded",
                format!("entry {} of {}, root {}", entry.index, entry.origin, entry.root),
            ));
            if let Some(plan) = &report.plan {
                let until = time::to_seconds(plan.not_after);
                rows.push((
                    "Plan",
                    format!("{}, to be started before {until} ({})", plan.digest, word(&plan.limited_by)),
                ));
            }
        }
        None => rows.push(("Recorded", "nowhere: this is a report, not a decision".to_owned())),
    }
    out.push_str("<table>\n<caption>What was decided on</caption>\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<tr><th scope=\"row\">{name}</th><td><code>{}</code></td></tr>", text(&value));
    }
    out.push_str("</table>\n");
}

fn findings(out: &mut String, report: &DecisionReport, places: &Places) {
    if report.findings.is_empty() {
        out.push_str("<p>No finding.</p>\n");
        return;
    }
    out.push_str(
        "<table>\n<caption>Findings</caption>\n<tr><th scope=\"col\">Weight</th><th scope=\"col\">Rule</th>\
         <th scope=\"col\">Subject</th><th scope=\"col\">Finding</th></tr>\n",
    );
    for finding in told(report) {
        out.push_str(&finding_row(finding, places));
    }
    out.push_str("</table>\n");
}

fn finding_row(finding: &Finding, places: &Places) -> String {
    let weight = if finding.severity == Severity::Deny { "deny" } else { "warning" };
    let rule = finding.rule.as_str();
    let mut cell = text(&finding.message);
    if let Some(help) = &finding.help {
        let _ = write!(cell, "<br>{}", text(help));
    }
    if let Some(spot) = places.of(finding) {
        let _ = write!(cell, "<br><code>{}:{}</code>", text(&spot.file), spot.line);
    }
    format!(
        "<tr><td>{weight}</td><td><a href=\"{}\" rel=\"noreferrer\"><code>{rule}</code></a></td><td><code>{}</code></td>\
         <td>{cell}</td></tr>\n",
        rules::uri(finding.rule),
        text(&finding.subject)
    )
}

fn approvals(out: &mut String, report: &DecisionReport) {
    if report.approvals.is_empty() {
        return;
    }
    out.push_str(
        "<table>\n<caption>Approvals</caption>\n<tr><th scope=\"col\">Person</th><th scope=\"col\">Role</th>\
         <th scope=\"col\">Time</th><th scope=\"col\">Counted</th></tr>\n",
    );
    for approval in &report.approvals {
        let person = format!("{}{}", approval.person, passed_on(approval.attested_by.as_deref()));
        let counted = if approval.counted { "yes" } else { "no" };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{counted}</td></tr>",
            text(&person),
            text(approval.role.as_deref().unwrap_or_default()),
            time::to_seconds(approval.time)
        );
    }
    out.push_str("</table>\n");
}
