//! Decisions, filtered: the page's address is the query, in the grammar of `audit list`.
//!
//! In: a query. Out: a form, a table, a cursor to go on from, and the command that lists the same. Nothing is read
//! from the disk: the catalog answers.

use std::collections::VecDeque;

use maud::{Markup, html};

use super::outcome::Outcome;
use super::page::{Section, command, empty, heading, none, prose, shown, thousands, unread};
use super::parts::{UNKNOWN, badge, icon, release, tag, unverified, when};
use super::query::link;
use super::response::Answer;
use super::{Asked, Studio};
use crate::audit::Filter;
use crate::audit::catalog::Catalog;
use crate::audit::filter::{DecisionFacets, Facets, FilterError};
use crate::time::{self, Timestamp};

/// Entries of a page.
const PAGE: usize = 50;

/// Names of the query that are no filter.
const OWN: [&str; 3] = ["before", "after", "told"];

/// Names of the filter, in the form's order.
const FIELDS: [&str; 10] =
    ["release", "environment", "action", "verdict", "actor", "approver", "rule", "type", "since", "until"];

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
        Err(error) => (wrong(error, &given), none()),
    };
    let body = html! {
        (heading(&html! { "Decisions" }, &lead, &none()))
        @match unread(&held) {
            Some(unread) => (unread),
            None => { (form(held.catalog(), &given)) (body) }
        }
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
        @if !somebody_asked(catalog, &found.indices) { p.small.soft { "Who asked is not verified for any of these. " (unverified()) } }
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

/// What is wrong with one field alone.
fn trouble(name: &str, value: &str) -> Option<FilterError> {
    Filter::of([(name, value)]).err()
}

/// What is wrong: a field says itself what is wrong with it.
fn wrong(error: &FilterError, given: &[(String, String)]) -> Markup {
    let marked = given
        .iter()
        .filter(|(name, value)| FIELDS.contains(&name.as_str()) && trouble(name, value).is_some());
    let marked = marked.count();
    html! {
        div.banner.deny role="alert" { (icon("cross")) div {
            strong { "This filter asks for nothing that there is" }
            p { @match marked { 0 => (prose(&error.to_string())), 1 => "Nothing was looked for: see the field that is marked.", _ => "Nothing was looked for: see the fields that are marked." } }
        } }
    }
}

/// A field with its name, and what is wrong with it beside it.
fn field(name: &str, label: &str, trouble: Option<FilterError>, input: &Markup) -> Markup {
    html! {
        div.field.wrong[trouble.is_some()] {
            label for={ "f-" (name) } { (label) }
            (input)
            @if let Some(trouble) = trouble { p.error.small id={ "f-" (name) "-wrong" } { (prose(&trouble.to_string())) } }
        }
    }
}

fn form(catalog: &Catalog, given: &[(String, String)]) -> Markup {
    let value =
        |name: &str| given.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
    let told = |name: &str| trouble(name, value(name)).map(|_| format!("f-{name}-wrong"));
    let text = |name: &'static str, label: &str, hint: &str, list: Option<&str>| {
        let input = html! {
            input type="text" id={ "f-" (name) } name=(name) value=(value(name)) placeholder=(hint) list=[list]
                aria-invalid=[told(name).map(|_| "true")] aria-describedby=[told(name)] autocomplete="off" spellcheck="false";
        };
        field(name, label, trouble(name, value(name)), &input)
    };
    let choice = |name: &'static str, label: &str, words: &[(&str, &str)]| {
        let input = html! {
            select id={ "f-" (name) } name=(name) aria-invalid=[told(name).map(|_| "true")] aria-describedby=[told(name)] {
                option value="" { "any" }
                @for (word, shown) in words { option value=(word) selected[value(name) == *word] { (shown) } }
            }
        };
        field(name, label, trouble(name, value(name)), &input)
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
                (text("type", "Entry type", "decision", None))
                (text("since", "Since (UTC)", "2026-07-01T00:00:00Z", None))
                (text("until", "Until (UTC)", "2026-10-01T00:00:00Z", None))
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

/// Whether somebody is known to have asked for one of these: a column of nobody says nothing.
fn somebody_asked(catalog: &Catalog, indices: &[u64]) -> bool {
    let mut facets = indices.iter().filter_map(|index| catalog.facets(*index)?.decision);
    facets.any(|decision| decision.actor != UNKNOWN)
}

/// Entries as a table.
pub(super) fn table(catalog: &Catalog, indices: &[u64], now: Timestamp, caption: &str) -> Markup {
    let asked = somebody_asked(catalog, indices);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.flow data-sortable {
                caption.hidden { (caption) }
                thead { tr {
                    th scope="col" data-sort { "Decision" } th scope="col" data-sort { "Release" } th scope="col" { "Why" }
                    @if asked { th scope="col" data-sort { "Asked by" } }
                    th scope="col" data-sort { "When" } th.n scope="col" data-sort { "Entry" }
                } }
                tbody {
                    @for index in indices {
                        @if let Some(facets) = catalog.facets(*index) { (row(*index, &facets, now, asked.then_some("Asked by"))) }
                    }
                }
            }
        }
    }
}

fn row(index: u64, facets: &Facets<'_>, now: Timestamp, asked: Option<&str>) -> Markup {
    let at = time::to_micros(facets.time);
    let Some(decision) = facets.decision else {
        return html! {
            tr data-row {
                td { (tag("dry", "dash", facets.kind)) } td { a href={ "/decisions/" (index) } { "Entry " (index) } } td {}
                @if asked.is_some() { td {} }
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
            @if let Some(label) = asked { td data-label=(label) { @if decision.actor == UNKNOWN { span.faint { "not verified" } } @else { (shown(decision.actor)) } } }
            td.tight data-value=(at) { (when(facets.time, now)) }
            td.n data-label="Entry" { (index) }
        }
    }
}

fn why(decision: &DecisionFacets<'_>) -> Markup {
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
