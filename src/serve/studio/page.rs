//! The frame of every page: head, navigation, what is wrong with the log, and the page's own part.
//!
//! In: a title and markup. Out: a document that works without its script. Text is escaped by `maud`; what an
//! attacker chose goes through [`shown`] besides, so that no control or direction mark reorders what is read.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets;
pub(super) use super::command::command;
use super::door::Theme;
use super::parts::{icon, moment};
use super::shelf::{Held, State};
use super::{Asked, Studio};
use crate::report::paint::printable;
use crate::serve::caller::Right;
use crate::time::{Timestamp, ago};

/// The parts of the studio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Decisions,
    Approvals,
    Rollouts,
    Policies,
    Log,
    None,
}

const SECTIONS: [(Section, &str, &str, &str, &str); 6] = [
    (Section::Overview, "/", "Overview", "overview", "o"),
    (Section::Decisions, "/decisions", "Decisions", "decisions", "d"),
    (Section::Approvals, "/approvals", "Approvals", "approvals", "a"),
    (Section::Rollouts, "/rollouts", "Rollouts", "rollouts", "r"),
    (Section::Policies, "/policies", "Policies", "policies", "p"),
    (Section::Log, "/log", "Audit log", "log", "l"),
];

/// A text that somebody else chose, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    printable(text)
}

/// The same of a sentence of ours, in which what is quoted stands between backticks.
pub(super) fn prose(text: &str) -> Markup {
    let text = shown(text);
    let whole = text.matches('`').count().is_multiple_of(2);
    html! {
        @if whole {
            @for (at, part) in text.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } }
        } @else { (text) }
    }
}

/// A whole document.
pub(super) fn document(
    studio: &Studio,
    asked: &Asked<'_>,
    section: Section,
    title: &str,
    body: &Markup,
) -> String {
    let theme = asked.theme;
    let page = html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.word()) {
            (head(title))
            body {
                a.skip href="#main" { "Skip to content" }
                div.shell {
                    (side(studio, asked, section))
                    main #main tabindex="-1" data-live=[asked.refresh_seconds()] {
                        (trouble(studio, asked))
                        (notice(asked))
                        (body)
                    }
                }
                (shortcuts())
            }
        }
    };
    page.into_string()
}

/// A page for those who are not let in, or can't be answered.
pub(super) fn plain(theme: Theme, title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.word()) {
            (head(title))
            body.alone {
                main #main { div.card.door { (brand()) h1 { (title) } (body) } }
            }
        }
    };
    page.into_string()
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · laforge studio" }
            link rel="icon" href=(assets::ICON);
            link rel="stylesheet" href=(assets::style_path());
            script src=(assets::script_path()) defer {}
        }
    }
}

fn brand() -> Markup {
    html! { a.brand href="/" { span.mark { (icon("mark")) } span { "laforge" } span.thin { "studio" } } }
}

fn side(studio: &Studio, asked: &Asked<'_>, section: Section) -> Markup {
    let waiting = studio.shelf.held().catalog().waiting().len();
    html! {
        header.side {
            div.top { (brand()) (theme_form(asked)) }
            nav aria-label="Sections" {
                ul {
                    @for (own, path, name, glyph, key) in SECTIONS {
                        li {
                            a href=(path) aria-current=[(own == section).then_some("page")] data-go=(key) {
                                (icon(glyph)) span { (name) }
                                @if own == Section::Approvals && waiting > 0 {
                                    span.count { (waiting) span.hidden { " waiting" } }
                                }
                            }
                        }
                    }
                }
            }
            div.who {
                (log_state(&studio.shelf.held().state))
                p.me { (icon("person")) span { (shown(asked.caller.name())) }
                    span.right { @if asked.caller.may(Right::Control) { "may control" } @else { "reads only" } } }
                @if studio.door.sessions().is_some() {
                    form.out method="post" action="/logout" {
                        (form_token(asked))
                        button.ghost type="submit" { "Sign out" }
                    }
                }
            }
        }
    }
}

fn log_state(state: &State) -> Markup {
    let (class, glyph, text) = match state {
        State::Current => ("allow", "check", "Log checks out"),
        State::Reading { .. } | State::Unread => ("unclear", "clock", "Reading the log"),
        State::Damaged { .. } => ("deny", "cross", "Log does not check out"),
        State::Unreadable { .. } => ("deny", "cross", "Log can't be read"),
        State::Absent { .. } | State::Unconfigured => ("dry", "dash", "No log yet"),
    };
    html! { a.logstate.(class) href="/log" { (icon(glyph)) span { (text) } } }
}

/// One button that goes round: what the system says, light, dark.
fn theme_form(asked: &Asked<'_>) -> Markup {
    let (next, glyph) = match asked.theme {
        Theme::System => (Theme::Light, "system"),
        Theme::Light => (Theme::Dark, "sun"),
        Theme::Dark => (Theme::System, "moon"),
    };
    html! {
        form.theme method="post" action="/theme" {
            (form_token(asked))
            input type="hidden" name="back" value=(asked.here());
            button.ghost type="submit" name="theme" value=(next.word())
                aria-label={ "Colours: " (asked.theme.word()) ". Change to " (next.word()) } { (icon(glyph)) }
        }
    }
}

/// What makes a form ours.
pub(super) fn form_token(asked: &Asked<'_>) -> Markup {
    html! { input type="hidden" name="token" value=(asked.token); }
}

/// What is wrong with the log, on every page.
fn trouble(studio: &Studio, asked: &Asked<'_>) -> Markup {
    let held = studio.shelf.held();
    match &held.state {
        State::Damaged { why, since } => html! {
            div.banner.deny role="alert" {
                (icon("cross"))
                div {
                    strong { "The audit log does not check out." }
                    p { @for word in why { span.why { (prose(word)) } } }
                    p { "Since " (moment(*since)) " (" (ago(*since, asked.now)) "). " (still_shown(&held, asked.now)) }
                    p { "Keep the folder as it is and compare it with an anchor or a copy; "
                        code { "laforge audit verify" } " names the first thing that is wrong." }
                }
            }
        },
        State::Unreadable { why, since } => html! {
            div.banner.unclear role="alert" {
                (icon("clock"))
                div {
                    strong { "The audit log can't be read at the moment." }
                    p { @for word in why { span.why { (prose(word)) } } }
                    p { "Since " (moment(*since)) ". " (still_shown(&held, asked.now)) " It is tried again by itself." }
                }
            }
        },
        State::Reading { done, total } => html! {
            div.banner.info role="status" {
                (icon("clock"))
                div {
                    strong { "Reading the log: " span.num { (thousands(*done)) " of " (thousands(*total)) } " entries." }
                    progress max=(total) value=(done) { (done) " of " (total) }
                    p { "Pages show what has been read so far." }
                }
            }
        },
        _ => html! {},
    }
}

/// What pages show of a log that is in trouble, and what that is worth.
fn still_shown(held: &Held, now: Timestamp) -> Markup {
    let known = held.catalog().len();
    html! {
        @match held.looked {
            _ if known == 0 => "Nothing of it is shown, since none of it has checked out here.",
            None => "What is shown is what its lines say: none of them has checked out here, and nothing vouches for them.",
            Some(looked) if known > held.sound => {
                "Up to entry " span.num { (thousands(held.sound.saturating_sub(1))) } " what is shown checked out " (ago(looked, now)) "; nothing vouches for what follows."
            }
            Some(looked) => { "What is shown is from before: it checked out " (ago(looked, now)) "." }
        }
    }
}

/// In place of a page's own part, where no decision could be read of a log: that there is none would be a lie.
pub(super) fn unread(held: &Held) -> Option<Markup> {
    let (glyph, title, text) = match &held.state {
        _ if held.catalog().decisions() > 0 => return None,
        State::Damaged { .. } => (
            "cross",
            "Nothing can be shown",
            "The log does not check out, so it is not known what was decided.",
        ),
        State::Unreadable { .. } => (
            "clock",
            "Nothing can be shown yet",
            "The log can't be read at the moment. This page follows once it can.",
        ),
        State::Unread | State::Reading { .. } => {
            ("clock", "The log is being read", "This page follows by itself.")
        }
        State::Unconfigured | State::Absent { .. } | State::Current => return None,
    };
    Some(empty(glyph, title, &html! { p { (text) } p { a.button href="/log" { "Look at the log" } } }))
}

fn notice(asked: &Asked<'_>) -> Markup {
    let text = match asked.pairs.get("told") {
        Some("verify") => "The verification has begun.",
        Some("busy") => "A verification is at work already.",
        Some("asked") => "The request is left for the guard.",
        _ => return html! {},
    };
    html! { div.banner.info role="status" { (icon("check")) div { strong { (text) } } } }
}

/// With thin spaces between thousands.
pub(super) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn shortcuts() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keyboard" }
            dl.keys {
                @for (_, _, name, _, key) in SECTIONS { div { dt { kbd { "g" } " " kbd { (key) } } dd { (name) } } }
                div { dt { kbd { "/" } } dd { "Filter" } }
                div { dt { kbd { "j" } " " kbd { "k" } } dd { "Next and previous row" } }
                div { dt { kbd { "?" } } dd { "This list" } }
            }
            form method="dialog" { button.button type="submit" { "Close" } }
        }
    }
}

/// A page's first lines.
pub(super) fn heading(title: &Markup, lead: &Markup, tools: &Markup) -> Markup {
    html! { div.heading { div { h1 { (title) } @if !lead.0.is_empty() { p.lead { (lead) } } } div.tools { (tools) } } }
}

/// What to do where there is nothing yet.
pub(super) fn empty(glyph: &str, title: &str, body: &Markup) -> Markup {
    html! { div.empty { span.glyph { (icon(glyph)) } h2 { (title) } (body) } }
}

/// Nothing.
pub(super) fn none() -> Markup {
    PreEscaped(String::new())
}
