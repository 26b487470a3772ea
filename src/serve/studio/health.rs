//! The log itself: which it is, how large, how sound, what was set aside, what it was anchored to.
//!
//! In: the shelf, and what a verification found. Out: the page; a verification is begun by a form.

use std::sync::Arc;

use maud::{Markup, html};

use super::page::{Section, command, empty, form_token, heading, none, prose, shown, thousands};
use super::parts::{digest, field, icon, moment, tag, when};
use super::response::Answer;
use super::shelf::{Held, State};
use super::verification::{Found, How, Told, Verification};
use super::{Asked, Studio};
use crate::audit::Pinned;
use crate::audit::entry::{Body, Entry};
use crate::time::{Timestamp, ago};

/// Begins a verification.
pub(super) fn verify(studio: &Arc<Studio>, how: &str) -> Answer {
    let how = if how == "full" { How::Full } else { How::Fast };
    let begun = Verification::begin(studio, how);
    Answer::Redirect(format!("/log?told={}", if begun { "verify" } else { "busy" }))
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let told = studio.verification.told();
    if matches!(told, Told::Running { .. }) {
        asked.refresh(1);
    }
    let held = studio.shelf.held();
    let lead =
        html! { "Append-only and tamper-evident: every decision is a line, every line is in a signed tree." };
    let body = html! {
        (heading(&html! { "Audit log" }, &lead, &none()))
        @match held.state {
            State::Unconfigured | State::Absent { .. } => (absent(&held.state)),
            _ => (filled(studio, &held, &told, asked)),
        }
    };
    drop(held);
    studio.ok(asked, Section::Log, "Audit log", &body)
}

fn absent(state: &State) -> Markup {
    let why = match state {
        State::Absent { why } => why.as_str(),
        _ => "No log is configured here.",
    };
    empty(
        "log",
        "There is no log yet",
        &html! {
            p { (shown(why)) }
            p { "A log that was there is restored, never made anew. A first one is made on purpose:" }
            (command("laforge audit init"))
        },
    )
}

fn filled(studio: &Studio, held: &Held, told: &Told, asked: &Asked<'_>) -> Markup {
    html! {
        div.grid.two {
            div.stack {
                (identity(studio, held))
                (verifications(told, asked))
                (recoveries(held, asked))
            }
            div.stack { (state(held, asked)) (anchors(held, asked)) }
        }
    }
}

fn state(held: &Held, asked: &Asked<'_>) -> Markup {
    let sound = held.state == State::Current;
    html! {
        section.card {
            header { h2 { "State" } }
            div.body {
                ul.checks {
                    @if sound { li.yes { (icon("check")) div { "The lines give the signed root" div.sub { "hashed as they were read, once, and on as the log grows" } } } }
                    @else { li.no { (icon("cross")) div { "The lines do not give the signed root, or not yet" div.sub { "see above" } } } }
                    @if held.needs_repair { li.no { (icon("cross")) div { "A write failed: writers stop until it is repaired" div.sub { code { "NEEDS_REPAIR" } " is there; reading goes on" } } } }
                    @else { li.yes { (icon("check")) div { "No write is known to have failed" } } }
                    @if let Some(looked) = held.looked { li { (icon("clock")) div { "Looked at " (ago(looked, asked.now)) div.sub { "It is followed as it grows; no page reads it whole." } } } }
                }
            }
        }
    }
}

fn identity(studio: &Studio, held: &Held) -> Markup {
    let Some(reader) = &held.reader else { return none() };
    let gate = studio.trust().map(|trust| {
        let mut gates = trust.gates.iter();
        let found = gates.find(|gate| {
            gate.origin == reader.origin()
                && gate.log_id == reader.log_id()
                && gate.key == *reader.vkey().key()
        });
        found.map(|gate| gate.name.clone())
    });
    let head = reader.head();
    html! {
        section.card {
            header { h2 { "Which log" } }
            div.body {
                dl.fields {
                    div.wide { dt { "Origin" } dd { (shown(reader.origin())) } }
                    (field("Entries", &html! { span.num { (thousands(head.size)) } }))
                    (field("Root", &digest(&head.root.to_string())))
                    (field("Log id", &digest(&reader.log_id().to_string())))
                    (field("Pinned by trust", &match gate {
                        None => html! { (tag("unclear", "question", "no trust file here")) },
                        Some(None) => html! { (tag("unclear", "question", "no gate pins it")) },
                        Some(Some(name)) => html! { (tag("allow", "check", "yes")) " gate " (shown(&name)) },
                    }))
                }
                details { summary { "Its key and its signed checkpoint" }
                    p.small { code { (shown(&reader.vkey().to_string())) } }
                    (command(reader.checkpoint()))
                    p.small.soft { "Kept elsewhere, it is an anchor: the log can't be cut behind it unseen." }
                }
            }
        }
    }
}

fn verifications(told: &Told, asked: &Asked<'_>) -> Markup {
    let running = matches!(told, Told::Running { .. });
    html! {
        section.card {
            header { h2 { "Touched since?" } }
            div.body.grid {
                p.soft { "Both read the disk again. The fast one hashes every line and holds the tree against the signed head; the full one also checks the chain, each signature, each blob, and what this machine has seen before." }
                form.tools method="post" action="/log/verify" {
                    (form_token(asked))
                    button.button.primary type="submit" name="how" value="fast" disabled[running] { "Verify now (fast)" }
                    button.button type="submit" name="how" value="full" disabled[running] { "Verify all of it" }
                }
                div aria-live="polite" { (result(told, asked)) }
            }
        }
    }
}

fn name(how: How) -> &'static str {
    match how {
        How::Fast => "fast verification",
        How::Full => "full verification",
    }
}

fn result(told: &Told, asked: &Asked<'_>) -> Markup {
    match told {
        Told::Nothing => html! {},
        Told::Running { how: How::Full, began, done, total } => html! {
            p { "The full verification is at work since " (ago(*began, asked.now)) ": " span.num { (thousands(*done)) " of " (thousands(*total)) } " entries." }
            progress max=((*total).max(1)) value=(done) aria-label="Progress of the verification" {}
        },
        Told::Running { how, began, .. } => html! {
            p { "The " (name(*how)) " is at work since " (ago(*began, asked.now)) "." }
            progress aria-label="A verification is at work" {}
        },
        Told::Ended { how, began, ended, found: Ok(found) } => html! {
            div.banner.allow { (icon("check")) div {
                strong data-tell { "Verified: " (thousands(found.size)) " entries" }
                p { (shown(&found.assures)) }
                (details(found))
                p.small.soft { "The " (name(*how)) " took " (took(*began, *ended)) " and ended " (ago(*ended, asked.now)) "." }
            } }
        },
        Told::Ended { how, began, ended, found: Err(why) } => html! {
            div.banner.deny role="alert" { (icon("cross")) div {
                strong data-tell { "The log does not check out" }
                p { @for word in why { span.why { (prose(word)) } } }
                p.small { "The " (name(*how)) " took " (took(*began, *ended)) " and ended " (ago(*ended, asked.now)) ". Keep the folder as it is, and compare it with an anchor or a copy." }
            } }
        },
    }
}

fn took(began: Timestamp, ended: Timestamp) -> String {
    let ms = (ended - began).num_milliseconds();
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) }
}

fn details(found: &Found) -> Markup {
    html! {
        p.small { "Root " (digest(&found.root))
            @if let Some(records) = found.records { " · " (thousands(records)) " commits" }
            @if let Some(blobs) = found.blobs { " · " (thousands(blobs)) " blobs" }
            @if let Some(pinned) = found.pinned { " · " @if pinned == Pinned::Here { "pinned by trust" } @else { "pinned nowhere" } } }
        @for warning in &found.warnings { p.small { strong { "Warning: " } (shown(warning)) } }
    }
}

fn recoveries(held: &Held, asked: &Asked<'_>) -> Markup {
    let indices = held.catalog().recoveries();
    let Some(reader) = &held.reader else { return none() };
    html! {
        section.card {
            header { h2 { "Recoveries" } span.right { (indices.len()) } }
            div.body {
                @if indices.is_empty() { p.soft { "None: no write was ever torn off. Each one would be a line of the log." } }
                ul.rows {
                    @for index in indices.iter().rev().take(20) {
                        @if let Some(entry) = held.index().line(reader, *index).ok().flatten().and_then(|line| line.parse().ok()) {
                            @if let Body::Recovered(event) = &entry.body {
                                li { span.grow { a href={ "/decisions/" (index) } { "Entry " (index) } ": " (event.members.length) " bytes of " code { (shown(&event.members.file)) } " set aside" } (when(entry.time, asked.now)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn anchors(held: &Held, asked: &Asked<'_>) -> Markup {
    html! {
        section.card {
            header { h2 { "Anchors" } }
            div.body {
                @match held.catalog().last_anchor() {
                    Some((index, time)) => (last_anchor(held, index, time, asked)),
                    None => {
                        p.soft { "None is recorded in the log. Without one, all files rolled back together look like an older log." }
                        (command("laforge audit anchor --to git=refs/heads/laforge-anchor --record"))
                        p.small.soft { "Plans carry the log's size and root with them: each one that is kept elsewhere is an anchor, too." }
                    }
                }
            }
        }
    }
}

/// The newest head that somebody kept elsewhere, as the log itself says: proof is what is kept there.
fn last_anchor(held: &Held, index: u64, time: Timestamp, asked: &Asked<'_>) -> Markup {
    let entry =
        held.reader.as_ref().and_then(|reader| held.index().line(reader, index).ok().flatten()?.parse().ok());
    let anchored = entry.and_then(|entry: Entry| match entry.body {
        Body::Anchored(event) => Some(event.members),
        _ => None,
    });
    let place = anchored.as_ref().zip(held.reader.as_ref());
    let receipt = place.and_then(|(anchored, reader)| reader.receipt(anchored).ok().flatten());
    html! {
        p { "The last one was recorded " (ago(time, asked.now)) ", " a href={ "/decisions/" (index) } { "entry " (index) } " (" (moment(time)) ")." }
        @if let Some(anchored) = &anchored {
            dl.fields {
                (field("Keeps the head of size", &html! { span.num { (thousands(anchored.size)) } }))
                (field("In", &html! { (anchored.kind.name()) @if let Some(receipt) = &receipt { " " code { (shown(&receipt.place)) } } }))
                (field("Entries since", &html! { span.num { (thousands(held.index().size().saturating_sub(anchored.size))) } div.small.soft { "not protected against a rollback of all files" } }))
            }
            @if receipt.is_none() { p.error { "Its receipt in " code { "anchors/" } " is not there, or is another." } }
        }
    }
}
