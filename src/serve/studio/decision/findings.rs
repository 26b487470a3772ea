//! Why: what each rule found, with the lines of the policies that ask for it.
//!
//! In: the report; where that is gone, the entry's own shorter list. Out: a section, an article for each rule: what two
//! policies ask for alike is said once. The policy's text is the blob that was in force, not the file that is there
//! today.

use maud::{Markup, html};

use super::super::page::{none, shown};
use super::super::parts::{brief, icon, tag};
use super::super::policies::{Mark, Set, anchor, source};
use super::super::query::link;
use super::super::told::Told;
use crate::audit::Reader;
use crate::audit::entry::decision::DecisionEntry;
use crate::release::digest::ClaimedDigest;

/// Findings of a page.
const MOST: usize = 60;
/// Lines around the one that asks.
const AROUND: u64 = 2;

pub(super) fn section(reader: &Reader, decision: &DecisionEntry, report: Told<'_>) -> Markup {
    let findings: Vec<Told<'_>> = report.list("/findings").collect();
    let groups = grouped(findings.iter().take(MOST).copied());
    let total = decision.totals.findings;
    html! {
        section.card {
            header { h2 { "Findings" } @if total > 0 { span.right { (counted(total, groups.len())) } } }
            @if total == 0 {
                div.body { ul.checks { li.yes { (icon("check")) div { "Every rule in force is met." div.sub { (decision.totals.inputs) " pieces of evidence were read" } } } } }
            } @else if findings.is_empty() {
                @for finding in &decision.findings {
                    div.finding { div.line { code { (shown(&finding.rule)) } } p.message { (shown(&finding.message)) } p.help { "About " (shown(&finding.subject)) ". The report, which says more, is not here." } }
                }
            } @else {
                @for group in &groups { (article(reader, group)) }
                @if findings.len() > MOST { div.finding { p.soft { "and " (findings.len() - MOST) " more: the report has them all" } } }
            }
        }
    }
}

fn counted(findings: usize, rules: usize) -> String {
    match (findings, rules) {
        (1, _) | (_, 0) => findings.to_string(),
        (_, 1) => format!("{findings} by one rule"),
        _ => format!("{findings} by {rules} rules"),
    }
}

/// What one rule found.
#[derive(Debug, Clone)]
struct Group<'a> {
    rule: &'a str,
    denies: bool,
    items: Vec<Item<'a>>,
}

/// One thing that it found, and everything that asks for it.
#[derive(Debug, Clone)]
struct Item<'a> {
    message: &'a str,
    subject: &'a str,
    found: Vec<Told<'a>>,
}

fn grouped<'a>(findings: impl Iterator<Item = Told<'a>>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for finding in findings {
        let (rule, denies) = (finding.text("/rule"), finding.text("/severity") == "deny");
        let (message, subject) = (finding.text("/message"), finding.text("/subject"));
        let known = groups.iter().position(|group| group.rule == rule && group.denies == denies);
        let at = known.unwrap_or_else(|| {
            groups.push(Group { rule, denies, items: Vec::new() });
            groups.len() - 1
        });
        let Some(Group { items, .. }) = groups.get_mut(at) else { continue };
        match items.iter_mut().find(|item| item.message == message && item.subject == subject) {
            Some(item) => item.found.push(finding),
            None => items.push(Item { message, subject, found: vec![finding] }),
        }
    }
    groups
}

impl<'a> Group<'a> {
    fn found(&self) -> impl Iterator<Item = Told<'a>> + '_ {
        self.items.iter().flat_map(|item| &item.found).copied()
    }

    /// What all of its findings say alike.
    fn common<T: PartialEq>(&self, of: impl Fn(Told<'a>) -> T) -> Option<T> {
        let mut all = self.found().map(of);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }
}

/// What is said of these, each once, in their order.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !known.contains(&text) {
            known.push(text);
        }
    }
    known
}

fn article(reader: &Reader, group: &Group<'_>) -> Markup {
    let subject = group.common(|finding| finding.text("/subject"));
    let counting = group.common(|finding| finding.texts("/counted"));
    let several = group.items.len() > 1;
    html! {
        article.finding {
            div.line {
                @if group.denies { (tag("deny", "cross", "denies")) } @else { (tag("unclear", "question", "warns")) }
                a href=(link("/decisions", [("rule", group.rule.to_owned())])) title="Every decision with this finding" { code { (shown(group.rule)) } }
                @if let Some(subject) = subject { span.small.soft { "about " (shown(subject)) } }
            }
            @for item in &group.items {
                div.item {
                    p.message { (brief(item.message)) @if subject.is_none() { " " span.small.soft { "about " (shown(item.subject)) } } }
                    @if several { p.help { "Asked for by " (places(item)) } }
                    @if counting.is_none() { (who_counted(&item.found.first().map(|it| it.texts("/counted")).unwrap_or_default())) }
                    @for place in item.found.iter().filter_map(|finding| finding.at("/place")) {
                        p.help { "In " code { (shown(place.text("/file"))) } " line " (place.number("/line").unwrap_or_default()) }
                    }
                }
            }
            @if let Some(counting) = &counting { (who_counted(counting)) }
            (excerpts(reader, group))
            (mending(&distinct(group.found().map(|finding| finding.text("/help")))))
        }
    }
}

fn who_counted(people: &[&str]) -> Markup {
    html! { @if !people.is_empty() { p.help { "Counted: " (shown(&people.join(", "))) } } }
}

fn mending(helps: &[&str]) -> Markup {
    html! {
        @match helps {
            [] => {}
            [one] => p.help { strong { "To mend it: " } (brief(one)) },
            more => div.help { strong { "To mend it:" } ul.dots { @for one in more { li { (brief(one)) } } } },
        }
    }
}

/// A line of a policy that asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asks {
    set: ClaimedDigest,
    file: String,
    line: u64,
    columns: Vec<u64>,
}

fn asks(finding: Told<'_>) -> Option<Asks> {
    let policy = finding.at("/policy")?;
    Some(Asks {
        set: policy.text("/digest").parse().ok()?,
        file: policy.text("/file").to_owned(),
        line: policy.number("/line").unwrap_or_default(),
        columns: vec![policy.number("/column").unwrap_or(1)],
    })
}

/// Each line once, with all that it asks for there.
fn lines<'a>(findings: impl Iterator<Item = Told<'a>>) -> Vec<Asks> {
    let mut lines: Vec<Asks> = Vec::new();
    for one in findings.filter_map(asks) {
        let same = |it: &&mut Asks| (&it.set, &it.file, it.line) == (&one.set, &one.file, one.line);
        match lines.iter_mut().find(same) {
            Some(known) => known.columns.extend(one.columns),
            None => lines.push(one),
        }
    }
    lines
}

fn to(asks: &Asks) -> Markup {
    let address = link(&format!("/policies/{}", asks.set.hex()), []);
    html! { a href={ (address) "#" (anchor(&asks.file, asks.line)) } { code { (shown(&asks.file)) ":" (asks.line) } } }
}

/// Nothing but a flag, or the gate itself, asks for it.
fn unwritten(finding: Told<'_>) -> bool {
    finding.at("/policy").is_none()
}

fn places(item: &Item<'_>) -> Markup {
    let lines = lines(item.found.iter().copied());
    let flag = item.found.iter().copied().any(unwritten);
    html! {
        @for (at, asks) in lines.iter().enumerate() { @if at > 0 { ", " } (to(asks)) }
        @if flag { @if !lines.is_empty() { ", and " } "the command line" }
    }
}

/// The lines that ask for it, with those around them.
fn excerpts(reader: &Reader, group: &Group<'_>) -> Markup {
    html! {
        @if group.found().any(unwritten) {
            p.help { "Asked for on the command line, by a " code { "--require-…" } " flag, or by the gate itself." }
        }
        @for asks in lines(group.found()) {
            figure.excerpt { figcaption.help { (to(&asks)) } (excerpt(reader, asks)) }
        }
    }
}

fn excerpt(reader: &Reader, asks: Asks) -> Markup {
    let text = Set::read(reader, &asks.set).and_then(|set| set.file(reader, &asks.file));
    let Some(text) = text else { return none() };
    source(&text, &asks.file, Some(&Mark { line: asks.line, columns: asks.columns, around: AROUND }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_once_what_two_policies_ask_for_alike() {
        let set = "sha256:".to_owned() + &"ab".repeat(32);
        let finding = |rule: &str, message: &str, line: Option<u64>| {
            let policy =
                line.map(|line| json!({"digest": set, "file": "a.yaml", "line": line, "column": line * 2}));
            json!({"rule": rule, "severity": "deny", "subject": "it", "message": message, "policy": policy})
        };
        let all = [
            finding("approval-threshold", "0 of 2", Some(1)),
            finding("approval-rejected", "bob rejected", Some(1)),
            finding("approval-threshold", "0 of 1 by sre", Some(1)),
            finding("approval-threshold", "0 of 2", Some(7)),
        ];
        let groups = grouped(all.iter().map(Told));
        let told: Vec<(&str, Vec<(&str, usize)>)> = groups
            .iter()
            .map(|it| (it.rule, it.items.iter().map(|item| (item.message, item.found.len())).collect()))
            .collect();
        assert_eq!(
            told,
            [
                ("approval-threshold", vec![("0 of 2", 2), ("0 of 1 by sre", 1)]),
                ("approval-rejected", vec![("bob rejected", 1)])
            ]
        );
        let lines: Vec<(u64, Vec<u64>)> =
            lines(all.iter().map(Told)).into_iter().map(|it| (it.line, it.columns)).collect();
        assert_eq!(lines, [(1, vec![2, 2, 2]), (7, vec![14])]);
    }

    #[test]
    fn counts_findings_and_the_rules_behind_them() {
        assert_eq!(
            [counted(1, 1), counted(7, 3), counted(3, 1), counted(2, 0)],
            ["1", "7 by 3 rules", "3 by one rule", "2"]
        );
    }

    #[test]
    fn a_help_is_told_once() {
        assert_eq!(distinct(["sign it", "", "ask bob", "sign it"].into_iter()), ["sign it", "ask bob"]);
    }
}
