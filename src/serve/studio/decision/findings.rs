//! Why: each finding, with the line of the policy that asks for it.
//!
//! In: the report; where that is gone, the entry's own shorter list. Out: a section. The policy's text is the blob
//! that was in force, not the file that is there today.

use maud::{Markup, html};

use super::super::page::{none, prose, shown};
use super::super::parts::{icon, tag};
use super::super::policies::{Set, source};
use super::super::query::link;
use super::super::told::Told;
use crate::audit::Reader;
use crate::audit::entry::decision::DecisionEntry;
use crate::release::digest::ClaimedDigest;

/// Findings of a page.
const MOST: usize = 60;

pub(super) fn section(reader: &Reader, decision: &DecisionEntry, report: Told<'_>) -> Markup {
    let findings: Vec<Told<'_>> = report.list("/findings").collect();
    let total = decision.totals.findings;
    html! {
        section.card {
            header { h2 { "Findings" } @if total > 0 { span.right { (total) } } }
            @if total == 0 {
                div.body { ul.checks { li.yes { (icon("check")) div { "Every rule in force is met." div.sub { (decision.totals.inputs) " pieces of evidence were read" } } } } }
            } @else if findings.is_empty() {
                @for finding in &decision.findings {
                    div.finding { div.line { code { (shown(&finding.rule)) } } p.message { (shown(&finding.message)) } p.help { "About " (shown(&finding.subject)) ". The report, which says more, is not here." } }
                }
            } @else {
                @for finding in findings.iter().take(MOST) { (one(reader, *finding)) }
                @if findings.len() > MOST { div.finding { p.soft { "and " (findings.len() - MOST) " more: the report has them all" } } }
            }
        }
    }
}

fn one(reader: &Reader, finding: Told<'_>) -> Markup {
    let rule = finding.text("/rule");
    let denies = finding.text("/severity") == "deny";
    let counted = finding.texts("/counted");
    html! {
        article.finding {
            div.line {
                @if denies { (tag("deny", "cross", "denies")) } @else { (tag("unclear", "question", "warns")) }
                a href=(link("/decisions", [("rule", rule.to_owned())])) title="Every decision with this finding" { code { (shown(rule)) } }
                span.small.soft { "about " (shown(finding.text("/subject"))) }
            }
            p.message { (prose(finding.text("/message"))) }
            @if !counted.is_empty() { p.help { "Counted: " (shown(&counted.join(", "))) } }
            (excerpt(reader, finding))
            @if let Some(place) = finding.at("/place") {
                p.help { "In " code { (shown(place.text("/file"))) } " line " (place.number("/line").unwrap_or_default()) }
            }
            @if !finding.text("/help").is_empty() { p.help { strong { "To mend it: " } (prose(finding.text("/help"))) } }
        }
    }
}

/// The line that asks for it, with those around it.
fn excerpt(reader: &Reader, finding: Told<'_>) -> Markup {
    let Some(policy) = finding.at("/policy") else {
        return html! { p.help { "Asked for on the command line, by a " code { "--require-…" } " flag, or by the gate itself." } };
    };
    let (file, line) = (policy.text("/file"), policy.number("/line").unwrap_or_default());
    let Ok(digest) = policy.text("/digest").parse::<ClaimedDigest>() else { return none() };
    let to = link(&format!("/policies/{}", digest.hex()), []);
    let text = Set::read(reader, &digest).and_then(|set| set.file(reader, file));
    html! {
        p.help { a href={ (to) "#" (super::super::policies::anchor(file, line)) } { code { (shown(file)) ":" (line) } } }
        @if let Some(text) = text { (source(&text, file, Some((line, policy.number("/column").unwrap_or(1))), Some(2))) }
    }
}
