//! Charts as inline SVG: no script, no style attribute, and never the only way to know.
//!
//! In: counts. Out: markup, with a title on each part and a table beside it. Bars are stretched, so that text stands
//! in HTML around them and stays readable at any width.

use maud::{Markup, html};

use super::outcome::Outcome;
use super::page::thousands;

/// How high a chart's own space is.
const HEIGHT: f64 = 100.0;

/// One bar: what it is of, and a count for each outcome in the order of [`Outcome::ALL`].
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) counts: [u64; 5],
}

impl Bar {
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Bars over time, stacked by outcome.
pub(super) fn bars(bars: &[Bar], title: &str) -> Markup {
    let most = scale(bars.iter().map(Bar::total).max().unwrap_or_default());
    html! {
        figure.chart {
            div.plot {
                div.scale aria-hidden="true" { span { (thousands(most)) } span { (thousands(most / 2)) } span { "0" } }
                svg viewBox={ "0 0 " (bars.len() * 10) " 100" } preserveAspectRatio="none" role="img" aria-label=(title) {
                    (hatches())
                    line.gridline x1="0" x2=(bars.len() * 10) y1="0.5" y2="0.5" {}
                    line.gridline x1="0" x2=(bars.len() * 10) y1="50" y2="50" {}
                    @for (at, bar) in bars.iter().enumerate() { (stack(at, bar, most)) }
                    line.base x1="0" x2=(bars.len() * 10) y1="100" y2="100" {}
                }
                div.axis aria-hidden="true" {
                    span { (bars.first().map_or("", |bar| &bar.name)) }
                    span { (bars.get(bars.len() / 2).map_or("", |bar| &bar.name)) }
                    span { (bars.last().map_or("", |bar| &bar.name)) }
                }
            }
            (legend(bars))
            details { summary { "As a table" } (table(bars, title)) }
        }
    }
}

/// Lines across what must not be told by colour alone.
fn hatches() -> Markup {
    html! {
        defs {
            pattern id="hatch" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" { line.hatch x1="0" y1="0" x2="0" y2="3" {} }
        }
    }
}

fn stack(at: usize, bar: &Bar, most: u64) -> Markup {
    let mut below = 0.0;
    let parts: Vec<(Outcome, f64, f64, u64)> = Outcome::ALL
        .into_iter()
        .zip(bar.counts)
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| {
            let high = share(count, most) * HEIGHT;
            below += high;
            (outcome, HEIGHT - below, high, count)
        })
        .collect();
    let x = at * 10 + 1;
    html! {
        g {
            title { (bar.name) ": " @for (at, (outcome, _, _, count)) in parts.iter().enumerate() {
                @if at > 0 { ", " } (count) " " (outcome.name().to_lowercase()) } @if parts.is_empty() { "none" } }
            rect x=(at * 10) y="0" width="10" height="100" fill="transparent" {}
            @for (outcome, y, high, _) in &parts {
                rect class={ "f-" (outcome.class()) } x=(x) y=(fixed(*y)) width="8" height=(fixed(*high)) {}
                @if matches!(outcome, Outcome::Denied | Outcome::Inconclusive) {
                    rect x=(x) y=(fixed(*y)) width="8" height=(fixed(*high)) fill="url(#hatch)" {}
                }
            }
        }
    }
}

fn legend(bars: &[Bar]) -> Markup {
    let total = |place: usize| bars.iter().filter_map(|bar| bar.counts.get(place)).sum::<u64>();
    html! {
        ul.legend {
            @for outcome in Outcome::ALL {
                @let count = total(outcome.place());
                @if count > 0 {
                    li { svg viewBox="0 0 12 12" aria-hidden="true" { rect class={ "f-" (outcome.class()) } width="12" height="12" {} }
                        (outcome.name()) " " span.num { (thousands(count)) } }
                }
            }
        }
    }
}

fn table(bars: &[Bar], title: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                caption.hidden { (title) }
                thead { tr { th scope="col" { "From" } @for outcome in Outcome::ALL { th.n scope="col" { (outcome.name()) } } } }
                tbody {
                    @for bar in bars.iter().filter(|bar| bar.total() > 0) {
                        tr { td { (bar.name) } @for count in bar.counts { td.n { (count) } } }
                    }
                }
            }
        }
    }
}

/// A share of a whole as a bar of one piece.
pub(super) fn meter(count: u64, most: u64, class: &str) -> Markup {
    html! {
        svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.f-line width="100" height="4" {}
            rect class={ "f-" (class) } width=(fixed(share(count, most) * 100.0)) height="4" {}
        }
    }
}

/// What is used of a budget, with its end as a line: beyond it the bar goes on.
pub(super) fn budget(used: f64, class: &str) -> Markup {
    let (full, used) = (70.0, used.clamp(0.0, 1.42));
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.f-line y="2" width="100" height="6" {}
            rect class={ "f-" (class) } y="2" width=(fixed(used * full)) height="6" {}
            line.s-limit x1=(full) x2=(full) y1="0" y2="10" {}
        }
    }
}

/// A round number that is no less.
fn scale(most: u64) -> u64 {
    let mut round = 2;
    while round < most {
        round = match leading(round) {
            2 => round / 2 * 4,
            4 => round / 4 * 10,
            _ => round * 2,
        };
    }
    round
}

fn leading(number: u64) -> u64 {
    let mut number = number;
    while number >= 10 {
        number /= 10;
    }
    number
}

fn share(count: u64, most: u64) -> f64 {
    if most == 0 { 0.0 } else { (count as f64 / most as f64).min(1.0) }
}

/// With two digits behind the point.
pub(super) fn fixed(number: f64) -> String {
    format!("{number:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_no_less() {
        for (most, round) in
            [(0, 2), (1, 2), (3, 4), (5, 10), (11, 20), (21, 40), (99, 100), (101, 200), (30_000, 40_000)]
        {
            assert_eq!(scale(most), round, "{most}");
        }
    }

    #[test]
    fn a_bar_tells_in_words_what_it_shows() {
        let bar = Bar { name: "1 Sep".into(), counts: [3, 0, 0, 1, 0] };
        let drawn = bars(&[bar], "Decisions").into_string();
        assert!(drawn.contains("<title>1 Sep: 3 allowed, 1 denied</title>"), "{drawn}");
        assert!(!drawn.contains("style="), "{drawn}");
    }
}
