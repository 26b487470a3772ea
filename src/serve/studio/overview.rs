//! The first page: decisions over time, why releases were denied, what waits for whom, rollouts, the log.
//!
//! In: the catalog. Out: the page. Entries are counted back to the range's beginning, none is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use maud::{Markup, html};

use super::approvals::{self, Wait};
use super::charts::{Bar, bars, meter};
use super::outcome::Outcome;
use super::page::{Section, command, empty, heading, shown, thousands, unread};
use super::parts::{icon, release, tag};
use super::query::link;
use super::response::Answer;
use super::shelf::{Held, State};
use super::{Asked, Studio, rollouts};
use crate::audit::catalog::Catalog;
use crate::time::{Timestamp, ago};

/// A range of time and in how many bars it is shown.
struct Range {
    word: &'static str,
    name: &'static str,
    bars: usize,
    seconds: i64,
}

const RANGES: [Range; 4] = [
    Range { word: "24h", name: "24 hours", bars: 24, seconds: 3_600 },
    Range { word: "7d", name: "7 days", bars: 28, seconds: 21_600 },
    Range { word: "30d", name: "30 days", bars: 30, seconds: 86_400 },
    Range { word: "90d", name: "90 days", bars: 45, seconds: 172_800 },
];

/// What was counted.
struct Counted {
    bars: Vec<Bar>,
    totals: [u64; 5],
    reasons: Vec<(String, u64)>,
    latest: Vec<u64>,
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let range = RANGES.iter().find(|range| asked.pairs.get("range") == Some(range.word));
    let range = range.or(RANGES.get(2)).unwrap_or(&RANGES[0]);
    let held = studio.shelf.held();
    let body = match held.catalog().decisions() {
        0 => unread(&held).unwrap_or_else(|| first_steps(&held.state)),
        _ => {
            let counted = counted(held.catalog(), range, asked.now);
            let waits = approvals::waits(studio, &held, 5);
            filled(studio, asked, &held, range, &counted, &waits)
        }
    };
    drop(held);
    let lead = html! { "What was decided, why, and what waits for somebody." };
    let body = html! { (heading(&html! { "Overview" }, &lead, &ranges(range))) (body) };
    studio.ok(asked, Section::Overview, "Overview", &body)
}

fn ranges(range: &Range) -> Markup {
    html! {
        nav.seg aria-label="Range" {
            @for own in &RANGES { a href={ "/?range=" (own.word) } aria-current=[(own.word == range.word).then_some("true")] { (own.name) } }
        }
    }
}

fn counted(catalog: &Catalog, range: &Range, now: Timestamp) -> Counted {
    let whole = now.timestamp().div_euclid(range.seconds) * range.seconds + range.seconds;
    let first = whole - range.seconds * i64::try_from(range.bars).unwrap_or_default();
    let mut bars: Vec<Bar> =
        (0..range.bars).map(|at| Bar { name: name(first, at, range), counts: [0; 5] }).collect();
    // Few lists of rules occur, again and again.
    let mut lists: HashMap<&[String], u64> = HashMap::new();
    let (mut totals, mut latest) = ([0; 5], Vec::new());
    // Clocks may go back a little: what is a day older than the range ends the search.
    let enough = Timestamp::from_timestamp(first, 0).unwrap_or_default() - TimeDelta::days(1);
    for (index, facets) in catalog.newest_first() {
        if facets.time < enough {
            break;
        }
        let Some(decision) = facets.decision else { continue };
        if latest.len() < 8 {
            latest.push(index);
        }
        let at = usize::try_from((facets.time.timestamp() - first).div_euclid(range.seconds)).ok();
        let Some(bar) = at.and_then(|at| bars.get_mut(at)) else { continue };
        let outcome = Outcome::of(decision.action, decision.verdict);
        for counts in [&mut bar.counts, &mut totals] {
            if let Some(count) = counts.get_mut(outcome.place()) {
                *count += 1;
            }
        }
        if matches!(outcome, Outcome::Denied | Outcome::Inconclusive) {
            *lists.entry(decision.rules).or_default() += 1;
        }
    }
    Counted { bars, totals, reasons: top(&lists), latest }
}

/// The rules that stood in the way most often.
fn top(lists: &HashMap<&[String], u64>) -> Vec<(String, u64)> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (rules, count) in lists {
        let rules: BTreeSet<&str> = rules.iter().map(String::as_str).collect();
        rules.into_iter().for_each(|rule| *reasons.entry(rule).or_default() += count);
    }
    let mut reasons: Vec<(String, u64)> =
        reasons.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons.truncate(6);
    reasons
}

fn name(first: i64, at: usize, range: &Range) -> String {
    let at = first + range.seconds * i64::try_from(at).unwrap_or_default();
    let at = Timestamp::from_timestamp(at, 0).unwrap_or_default();
    let form = if range.seconds < 86_400 { "%-d %b %H:%M" } else { "%-d %b" };
    at.format(form).to_string()
}

fn filled(
    studio: &Studio,
    asked: &Asked<'_>,
    held: &Held,
    range: &Range,
    counted: &Counted,
    waits: &[Wait],
) -> Markup {
    html! {
        (tiles(counted, held.catalog(), range))
        div.grid.two {
            div.stack {
                section.card {
                    header { h2 { "Decisions over time" } span.right { "Last " (range.name) ", UTC" } }
                    div.body { (bars(&counted.bars, &format!("Decisions in the last {}", range.name))) }
                }
                section.card { header { h2 { "Top reasons of denial" } } div.body { (reasons(&counted.reasons, range)) } }
            }
            div.stack {
                section.card {
                    header { h2 { "Waiting for approval" } a.right href="/approvals" { "All" } }
                    div.body { (waiting(waits, asked.now)) }
                }
                section.card {
                    header { h2 { "Rollouts" } a.right href="/rollouts" { "All" } }
                    div.body { (rollouts::brief(studio, asked)) }
                }
                (log_line(held, asked))
            }
        }
        section.card {
            header { h2 { "Latest decisions" } a.right href="/decisions" { "All decisions" } }
            (super::decisions::table(held.catalog(), &counted.latest, asked.now, "Latest decisions"))
        }
    }
}

fn tiles(counted: &Counted, catalog: &Catalog, range: &Range) -> Markup {
    let count = |outcome: Outcome| counted.totals.get(outcome.place()).copied().unwrap_or_default();
    let (allowed, denied) = (count(Outcome::Allowed), count(Outcome::Denied));
    let (unclear, glass) = (count(Outcome::Inconclusive), count(Outcome::Overridden));
    let judged = allowed + denied + unclear + glass;
    let tile = |class: &str, glyph: &str, name: &str, figure: u64, foot: &str, to: String| {
        html! {
            a.card.tile href=(to) {
                span.name { span.(class) { (icon(glyph)) } (name) }
                div.figure { (thousands(figure)) }
                div.foot { (foot) }
            }
        }
    };
    let to = |pairs: &[(&'static str, &str)]| {
        link("/decisions", pairs.iter().map(|(name, value)| (*name, (*value).to_owned())))
    };
    html! {
        div.tiles {
            (tile("allow", "check", "Allowed", allowed, &format!("last {}", range.name), to(&[("action", "allow")])))
            (tile("deny", "cross", "Denied", denied, &refused(denied + unclear, judged), to(&[("action", "deny"), ("verdict", "fail")])))
            (tile("unclear", "question", "Inconclusive", unclear, "evidence out of reach", to(&[("verdict", "error")])))
            @if glass > 0 {
                (tile("glass", "glass", "Break-glass", glass, "rules were overridden", to(&[("action", "allow"), ("verdict", "fail")])))
            } @else {
                (tile("unclear", "clock", "Waiting", catalog.waiting().len() as u64, "for approvals, now", "/approvals".to_owned()))
            }
        }
    }
}

/// How many were not let through: of a few as a number, of many as a share.
fn refused(refused: u64, judged: u64) -> String {
    match judged {
        0 => "nothing was judged".to_owned(),
        1..100 => format!("{refused} of {judged} not let through"),
        _ => {
            let tenths = (refused * 1_000 + judged / 2) / judged;
            format!("{}.{} % of {} not let through", tenths / 10, tenths % 10, thousands(judged))
        }
    }
}

fn waiting(waits: &[Wait], now: Timestamp) -> Markup {
    if waits.is_empty() {
        return html! { p.soft { "Nothing waits: no release was denied last for want of approvals." } };
    }
    html! {
        ul.rows {
            @for wait in waits {
                li {
                    div.grow {
                        a href={ "/approvals#e" (wait.index) } { (release(&wait.group.name, &wait.group.version, &wait.group.environment)) }
                        div.small.soft { @if wait.who.is_empty() { "nobody in trust can give it" } @else { "for " (shown(&wait.who.join(", "))) } }
                    }
                    span.small.faint { (ago(wait.time, now)) }
                }
            }
        }
    }
}

fn reasons(reasons: &[(String, u64)], range: &Range) -> Markup {
    let most = reasons.first().map_or(1, |(_, count)| *count);
    if reasons.is_empty() {
        return html! { p.soft { "Nothing was denied in the last " (range.name) "." } };
    }
    html! {
        ul.reasons {
            @for (rule, count) in reasons {
                li {
                    a href=(link("/decisions", [("rule", rule.clone())])) { code { (shown(rule)) } }
                    span.num { (thousands(*count)) }
                    div.track { (meter(*count, most, "deny")) }
                }
            }
        }
    }
}

fn log_line(held: &Held, asked: &Asked<'_>) -> Markup {
    let (class, glyph, text) = match &held.state {
        State::Current if held.needs_repair => ("deny", "cross", "Needs repair: writers stop"),
        State::Current => ("allow", "check", "Checks out"),
        State::Damaged { .. } => ("deny", "cross", "Does not check out"),
        State::Reading { .. } | State::Unread => ("unclear", "clock", "Being read"),
        _ => ("unclear", "question", "Can't be read"),
    };
    html! {
        section.card {
            header { h2 { "Audit log" } a.right href="/log" { "Health" } }
            div.body {
                p { (tag(class, glyph, text)) }
                p.small.soft {
                    span.num { (thousands(held.index().size())) } " entries"
                    @if let Some(reader) = &held.reader { " in " (shown(reader.origin())) }
                    @if let Some(looked) = held.looked { ", looked at " (ago(looked, asked.now)) }
                }
            }
        }
    }
}

/// Before there is anything to show.
fn first_steps(state: &State) -> Markup {
    match state {
        State::Unconfigured => empty(
            "log",
            "No log is configured",
            &html! {
                p { "The studio shows an audit log: what was asked, what was decided and why. Name one with " code { "audit: {log: …}" } " in laforge.yaml, or set up an example:" }
                (command("laforge init demo --example\nlaforge -C demo studio"))
            },
        ),
        State::Absent { why } => empty(
            "log",
            "There is no log yet",
            &html! {
                p { (shown(why)) }
                p { "A log is made on purpose, never by itself. It appears here as soon as it is there." }
                (command("laforge audit init"))
            },
        ),
        _ => empty(
            "decisions",
            "Nothing was decided yet",
            &html! {
                p { "The log is there and empty. The first decision appears here by itself:" }
                (command("laforge deploy --require-signed --require-approved --require-provenance"))
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_counted_and_many_are_a_share() {
        let told = [refused(0, 0), refused(2, 3), refused(7, 8), refused(2, 300), refused(667, 1_000)];
        assert_eq!(
            told,
            [
                "nothing was judged",
                "2 of 3 not let through",
                "7 of 8 not let through",
                "0.7 % of 300 not let through",
                "66.7 % of 1\u{202f}000 not let through",
            ]
        );
    }
}
