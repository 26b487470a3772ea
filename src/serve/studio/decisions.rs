//! Decisions, filtered: the page's address is the query, in the grammar of `audit list`.
//!
//! In: a query. Out: a form, a table, a cursor to go on from, and the command that lists the same. Nothing is read
//! from the disk: the catalog answers.

use std::collections::VecDeque;

use maud::{Markup, html};

use super::outcome::Outcome;
use super::page::{Section, command, empty, heading, none, prose, shown, thousands};
use super::parts::{badge, release, tag, when};
use super::query::link;
use super::response::Answer;
use super::{Asked, Studio};
use crate::audit::Filter;
use crate::audit::catalog::Catalog;
use crate::time::{self, Timestamp};

/// Entries of a page.
const PAGE: usize = 50;

/// Names of the query that are no filter.
const OWN: [&str; 3] = ["before", "after", "told"];

/// One page of what is asked for.
struct Found {
    indices: Vec<u64>,
    matches: u64,
    newer: Option<u64>,
    older: Option<u64>,
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let given: Vec<(String, String)> = asked
        .pairs
        .iter()
        .filter(|(name, _)| !OWN.contains(name))
        .map(|(name, value)| (name.to_owned(), local_time(name, value)))
        .collect();
    let filter = Filter::of(given.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let held = studio.shelf.held();
    let (body, lead) = match &filter {
        Ok(filter) => {
            let found = find(held.catalog(), filter, asked);
            let lead = html! { span.num { (thousands(found.matches)) } " of " span.num { (thousands(held.catalog().len())) } " entries" };
            (results(held.catalog(), filter, &found, asked), lead)
        }
        Err(error) => (wrong(&error.to_string()), none()),
    };
    let body = html! {
        (heading(&html! { "Decisions" }, &lead, &none()))
        (form(held.catalog(), &given))
        (body)
    };
    drop(held);
    studio.ok(asked, Section::Decisions, "Decisions", &body)
}

/// What a browser's field for a time gives has no zone: it is UTC here, as everything is.
fn local_time(name: &str, value: &str) -> String {
    let bare = matches!(name, "since" | "until") && value.len() >= 16 && !value.contains(['Z', 'z', '+']);
    match (bare, value.len()) {
        (true, 16) => format!("{value}:00Z"),
        (true, 19) => format!("{value}Z"),
        _ => value.to_owned(),
    }
}

fn find(catalog: &Catalog, filter: &Filter, asked: &Asked<'_>) -> Found {
    let cursor = |name: &str| asked.pairs.get(name).and_then(|value| value.parse::<u64>().ok());
    let (before, after) = (cursor("before"), cursor("after"));
    let types = filter.types.clone().or_else(|| Some("decision".to_owned()));
    let filter = Filter { types, ..filter.clone() };
    let (mut shown, mut newer, mut older, mut matches) = (VecDeque::new(), false, false, 0);
    for index in catalog.matching(&filter, u64::MAX) {
        matches += 1;
        if before.is_some_and(|before| index >= before) {
            newer = true;
        } else if after.is_some_and(|after| index <= after) || shown.len() == PAGE && after.is_none() {
            older = true;
        } else {
            // Whoever turns back sees those next to where they were.
            newer |= shown.len() == PAGE && shown.pop_front().is_some();
            shown.push_back(index);
        }
    }
    let (first, last) = (shown.front().copied(), shown.back().copied());
    let (newer, older) = (first.filter(|_| newer), last.filter(|_| older));
    Found { indices: shown.into(), matches, newer, older }
}

fn results(catalog: &Catalog, filter: &Filter, found: &Found, asked: &Asked<'_>) -> Markup {
    if found.indices.is_empty() {
        let nothing = filter.pairs().is_empty();
        return empty(
            "decisions",
            if nothing { "Nothing was decided yet" } else { "Nothing matches" },
            &html! {
                @if nothing {
                    p { "Each run of the gate is recorded, whatever it decides:" }
                    (command("laforge deploy --require-signed --require-approved --require-provenance"))
                } @else {
                    p { "No entry has all that is asked for." }
                    p { a.button href="/decisions" { "Show all decisions" } }
                }
            },
        );
    }
    let pairs = filter.pairs();
    let turn = |name: &'static str, at: u64| {
        link("/decisions", pairs.clone().into_iter().chain([(name, at.to_string())]))
    };
    html! {
        section.card aria-label="Matching decisions" {
            (table(catalog, &found.indices, asked.now, "Decisions, the newest first"))
            nav.pager aria-label="Pages" {
                @if let Some(at) = found.newer { a.button href=(turn("after", at)) rel="prev" { "← Newer" } } @else { span {} }
                span.num { (thousands(found.indices.len() as u64)) " shown of " (thousands(found.matches)) }
                @if let Some(at) = found.older { a.button href=(turn("before", at)) rel="next" { "Older →" } } @else { span {} }
            }
        }
        section.noprint aria-label="The same on the command line" { (command(&equivalent(filter))) }
    }
}

/// The command that lists the same.
pub(super) fn equivalent(filter: &Filter) -> String {
    let mut words = vec!["laforge audit list --reverse".to_owned()];
    let pairs = filter.pairs();
    if filter.types.is_none() && !filter.asks_for_decisions() {
        words.push("--type decision".to_owned());
    }
    words.extend(pairs.iter().map(|(name, value)| format!("--{name} {}", quoted(value))));
    words.join(" ")
}

/// A word for a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '@' | '/' | ',' | '+' | '=')
    };
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

fn wrong(text: &str) -> Markup {
    html! { div.banner.deny role="alert" { (super::parts::icon("cross")) div { strong { "This filter asks for nothing that there is" } p { (prose(text)) } } } }
}

fn form(catalog: &Catalog, given: &[(String, String)]) -> Markup {
    let value =
        |name: &str| given.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
    let text = |name: &'static str, label: &str, hint: &str, list: Option<&str>| {
        html! { label { (label) input type="text" name=(name) value=(value(name)) placeholder=(hint) list=[list] autocomplete="off" spellcheck="false"; } }
    };
    let choice = |name: &'static str, label: &str, words: &[(&str, &str)]| {
        html! { label { (label) select name=(name) {
            option value="" { "any" }
            @for (word, shown) in words { option value=(word) selected[value(name) == *word] { (shown) } }
        } } }
    };
    html! {
        section.card.noprint aria-label="Filter" {
            form.filter method="get" action="/decisions" role="search" {
                (text("release", "Release", "name or name@version", None))
                (text("environment", "Environment", "production", Some("environments")))
                (choice("action", "Action", &[("allow", "allow"), ("deny", "deny"), ("none", "none (rehearsal)")]))
                (choice("verdict", "Verdict", &[("pass", "pass"), ("fail", "fail"), ("error", "error (inconclusive)")]))
                (text("actor", "Asked by", "who ran the gate", None))
                (text("approver", "Approved by", "a person", Some("known")))
                (text("rule", "Rule", "approval-threshold", Some("known")))
                (text("since", "Since (UTC)", "2026-07-01T00:00:00Z", None))
                (text("until", "Until (UTC)", "2026-10-01T00:00:00Z", None))
                (text("type", "Entry type", "decision", None))
                datalist id="environments" { @for name in catalog.environments().keys() { option value=(name) {} } }
                datalist id="known" { @for name in catalog.suggestions() { option value=(name) {} } }
                div.actions {
                    button.button.primary type="submit" { "Filter" }
                    @if given.iter().any(|(_, value)| !value.is_empty()) { a.button href="/decisions" { "Clear" } }
                    span.small.faint { "All that is given must hold." }
                }
            }
        }
    }
}

/// Entries as a table.
pub(super) fn table(catalog: &Catalog, indices: &[u64], now: Timestamp, caption: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.flow data-sortable {
                caption.hidden { (caption) }
                thead { tr {
                    th scope="col" data-sort { "Decision" } th scope="col" data-sort { "Release" } th scope="col" { "Why" }
                    th scope="col" data-sort { "Asked by" } th scope="col" data-sort { "When" } th.n scope="col" data-sort { "Entry" }
                } }
                tbody {
                    @for index in indices {
                        @if let Some(facets) = catalog.facets(*index) { (row(*index, &facets, now)) }
                    }
                }
            }
        }
    }
}

fn row(index: u64, facets: &crate::audit::filter::Facets<'_>, now: Timestamp) -> Markup {
    let at = time::to_micros(facets.time);
    let Some(decision) = facets.decision else {
        return html! {
            tr data-row {
                td { (tag("dry", "dash", facets.kind)) } td { a href={ "/decisions/" (index) } { "Entry " (index) } } td {} td {}
                td.tight data-value=(at) { (when(facets.time, now)) } td.n data-label="Entry" { (index) }
            }
        };
    };
    let outcome = Outcome::of(decision.action, decision.verdict);
    html! {
        tr data-row {
            td.tight { (badge(outcome)) }
            td.rel { a href={ "/decisions/" (index) } { (release(decision.name, decision.version, decision.environment)) } }
            td { (why(&decision)) }
            td data-label="Asked by" { (shown(decision.actor)) }
            td.tight data-value=(at) { (when(facets.time, now)) }
            td.n data-label="Entry" { (index) }
        }
    }
}

fn why(decision: &crate::audit::filter::DecisionFacets<'_>) -> Markup {
    let mut rules: Vec<&str> = Vec::new();
    for rule in decision.rules {
        if !rules.contains(&rule.as_str()) {
            rules.push(rule);
        }
    }
    let more = rules.len().saturating_sub(3);
    html! {
        @if !rules.is_empty() {
            div.rules { @for rule in rules.iter().take(3) { code { (shown(rule)) } } @if more > 0 { span.small.faint { "+" (more) } } }
        } @else if !decision.approvers.is_empty() {
            span.soft { "approved by " (shown(&decision.approvers.join(", "))) }
        } @else {
            span.faint { "all that is required was proved" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_command_that_lists_the_same() {
        let filter = Filter::of([("release", "pay ments"), ("actor", "it's"), ("action", "deny")]).unwrap();
        assert_eq!(
            equivalent(&filter),
            r"laforge audit list --reverse --release 'pay ments' --action deny --actor 'it'\''s'"
        );
        assert_eq!(equivalent(&Filter::default()), "laforge audit list --reverse --type decision");
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        assert_eq!(local_time("since", "2026-07-01T10:00"), "2026-07-01T10:00:00Z");
        assert_eq!(local_time("until", "2026-07-01T10:00:05"), "2026-07-01T10:00:05Z");
        assert_eq!(local_time("since", "2026-07-01T10:00:00+02:00"), "2026-07-01T10:00:00+02:00");
        assert_eq!(local_time("release", "2026-07-01T10:00"), "2026-07-01T10:00");
    }
}
