//! Markdown: a decision for a pull request or a CI job's summary page.
//!
//! In: a decision's account. Out: GitHub Flavored Markdown. What anybody named stands in code spans, where
//! nothing is markup, a mention or a link; a character that could end its span or its cell is written out.
//! Spec: <https://github.github.com/gfm/>.

use std::fmt::Write as _;

use crate::plan::draft::Verdict;
use crate::policy::account::Action;
use crate::policy::{DecisionReport, Finding, Severity};
use crate::time;

use super::human::{Recording, told};
use super::paint::{printable, word};
use super::place::Places;
use super::rules;

/// How many findings a page shows: a summary page takes 1 MiB and a comment 64 KiB, and the JSON report has all.
const FINDINGS_SHOWN: usize = 50;

/// The page, with a line feed.
pub fn render(report: &DecisionReport, recording: Recording<'_>, places: &Places) -> String {
    let release = &report.release;
    let name = format!("{} {} → {}", release.name, release.version, release.environment);
    let mut out = format!("### laforge: {}: {}\n\n", verdict(report, recording), code(&name));
    if let Some(digest) = release.digest {
        let _ = writeln!(out, "Release digest {}\n", code(&digest.to_string()));
    }
    findings(&mut out, report, places);
    checked(&mut out, report);
    recorded(&mut out, report, recording);
    out
}

fn verdict(report: &DecisionReport, recording: Recording<'_>) -> &'static str {
    let real = report.action != Action::None && recording.reference().is_some();
    match (report.verdict, real) {
        (Verdict::Pass, true) => "✅ allowed",
        (Verdict::Pass, false) => "✅ would be allowed",
        (Verdict::Fail, true) => "❌ denied",
        (Verdict::Fail, false) => "❌ would be denied",
        (Verdict::Error, _) => "❓ inconclusive",
    }
}

fn findings(out: &mut String, report: &DecisionReport, places: &Places) {
    if report.findings.is_empty() {
        return;
    }
    out.push_str("| | rule | subject | finding |\n|--|--|--|--|\n");
    for finding in told(report).take(FINDINGS_SHOWN) {
        let sign = if finding.severity == Severity::Deny { "❌" } else { "⚠️" };
        let rule = format!("[`{}`]({})", finding.rule.as_str(), rules::uri(finding.rule));
        let _ = writeln!(out, "| {sign} | {rule} | {} | {} |", code(&finding.subject), cell(finding, places));
    }
    let more = told(report).count().saturating_sub(FINDINGS_SHOWN);
    if more > 0 {
        let _ = writeln!(out, "\nAnd {more} more: see the JSON report.");
    }
    out.push('\n');
}

fn cell(finding: &Finding, places: &Places) -> String {
    let mut parts = vec![prose(&finding.message)];
    parts.extend(finding.help.as_deref().map(prose));
    if let Some(spot) = places.of(finding) {
        parts.push(code(&format!("{}:{}", spot.file, spot.line)));
    }
    parts.join("<br>")
}

fn checked(out: &mut String, report: &DecisionReport) {
    for approval in &report.approvals {
        let counted = if approval.counted { "approved" } else { "not counted" };
        let role = approval.role.as_deref().map(|role| format!(" as {}", code(role))).unwrap_or_default();
        let when = time::to_seconds(approval.time);
        let _ = writeln!(out, "- {}{role}, {when}: {counted}", code(&approval.person));
    }
    if !report.approvals.is_empty() {
        out.push('\n');
    }
    let sets = report.policy.sets.iter().map(|set| format!("{} v{}", code(&set.name), set.version));
    let sets = sets.collect::<Vec<_>>().join(", ");
    let sets = if sets.is_empty() { "none".to_owned() } else { sets };
    let _ = writeln!(out, "Policy: {sets}, {}\n", code(&report.policy.digest.to_string()));
}

fn recorded(out: &mut String, report: &DecisionReport, recording: Recording<'_>) {
    let Some(entry) = recording.reference() else {
        out.push_str("Recorded nowhere: this is a report, not a decision.\n");
        return;
    };
    if let (Some(plan), Action::Allow) = (&report.plan, report.action) {
        let until = time::to_seconds(plan.not_after);
        let _ = writeln!(
            out,
            "Plan {}, to be started before {until} (limited by {}).\n",
            code(&plan.digest.to_string()),
            word(&plan.limited_by)
        );
    }
    let _ = writeln!(
        out,
        "Recorded as entry {} in {}, root {}.",
        entry.index,
        code(&entry.origin),
        code(&entry.root.to_string())
    );
}

/// A block of lines as they are, behind an indentation that no line of it can leave.
pub fn block(text: &str) -> String {
    text.lines().map(|line| format!("    {}\n", printable(line))).collect()
}

/// A code span of text that can neither end it nor the cell that it is in.
fn code(text: &str) -> String {
    let mut span = String::from("`");
    for c in printable(text).chars() {
        match c {
            '`' | '|' => {
                let _ = write!(span, "\\u{{{:x}}}", u32::from(c));
            }
            _ => span.push(c),
        }
    }
    // An empty span would be two backticks, and open one that goes on.
    if span.len() == 1 {
        span.push(' ');
    }
    span.push('`');
    span
}

/// A message: what it quotes in code spans, and so whatever is no plain sentence.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        let quoted = at % 2 == 1;
        let trimmed = part.trim_matches(' ');
        if trimmed.is_empty() && !quoted {
            out.push_str(part);
        } else if quoted || !is_plain(part) {
            // Two spans side by side would share their backticks.
            if part.starts_with(' ') || out.ends_with('`') {
                out.push(' ');
            }
            out.push_str(&code(trimmed));
            out.push_str(if part.ends_with(' ') { " " } else { "" });
        } else {
            out.push_str(part);
        }
    }
    out
}

/// Letters, digits and marks of which no renderer makes anything.
fn is_plain(text: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || " .,;:()-%'?→…=+\"".contains(c);
    text.chars().all(harmless) && !text.to_ascii_lowercase().contains("www.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_can_not_become_markup() {
        assert_eq!(code("a|b`<img>\n"), "`a\\u{7c}b\\u{60}<img>\\u{a}`");
        assert_eq!(code(""), "` `");
        assert_eq!(
            prose("1 of 2 approvals for `<b>@org/team</b>`"),
            "1 of 2 approvals for `<b>@org/team</b>`"
        );
        // A backtick in a name turns inside out what is quoted, and still nothing is markup.
        assert_eq!(prose("no `x`[y](https://evil)`"), "no `x` `[y](https://evil)` ` `");
    }

    #[test]
    fn plain_sentences_stay_plain() {
        let text = "ask a second person to approve: 1 of 2 (alice)";
        assert_eq!(prose(text), text);
        assert_eq!(prose("see @all"), "`see @all`");
        assert_eq!(prose("see www.evil.example"), "`see www.evil.example`");
    }
}
