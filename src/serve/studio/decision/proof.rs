//! Whether what is shown is what was signed: tried here, when the page is made.
//!
//! In: the line as it was read, its way to the root, the log's key, trust's pins, blobs. Out: a list of what holds.

use maud::{Markup, html};

use super::super::Studio;
use super::super::page::{none, shown, thousands};
use super::super::parts::{digest, icon, tag};
use super::super::shelf::State;
use super::super::told::Blob;
use super::Opened;
use crate::audit::entry::decision::DecisionEntry;
use crate::audit::index::Proven;
use crate::trust::TrustRoot;

/// Loud, where something does not hold.
pub(super) fn banner(opened: &Opened, report: &Blob) -> Markup {
    let damaged = matches!(report, Blob::Damaged(_));
    if opened.proven.holds && !damaged {
        return none();
    }
    html! {
        div.banner.deny role="alert" { (icon("cross")) div {
            strong { "This is not what was recorded." }
            @if !opened.proven.holds { p { "The line on the disk does not lead to the signed root: somebody changed it, or one beside it." } }
            @if damaged { p { "The report's bytes are not those that the entry names." } }
            p { "Keep the log's folder as it is, and compare it with an anchor or a copy." }
        } }
    }
}

fn check(class: &str, glyph: &str, text: &str, more: &Markup) -> Markup {
    html! { li.(class) { (icon(glyph)) div { (text) div.sub { (more) } } } }
}

fn yes(text: &str, more: &Markup) -> Markup {
    check("yes", "check", text, more)
}

fn no(text: &str, more: &Markup) -> Markup {
    check("no", "cross", text, more)
}

fn open(text: &str, more: &Markup) -> Markup {
    check("open", "question", text, more)
}

/// That a line is in the tree.
pub(super) fn in_tree(proven: &Proven) -> Markup {
    let more = html! { (proven.path.len()) " hashes lead from it to the root of " (thousands(proven.head.size)) " entries" };
    match proven.holds {
        true => yes("The line on the disk is in the signed tree", &more),
        false => no("The line on the disk is not in the signed tree", &more),
    }
}

pub(super) fn section(studio: &Studio, opened: &Opened, decision: &DecisionEntry, report: &Blob) -> Markup {
    let reader = &opened.reader;
    let blobs = blobs(opened, decision, report);
    let damaged = matches!(studio.shelf.held().state, State::Damaged { .. });
    let sound = opened.proven.holds && !damaged && blobs.iter().all(|(_, holds)| *holds);
    html! {
        section.card {
            header { h2 { "Proof" } span.right { @if sound { (tag("allow", "check", "verified now")) } @else { (tag("deny", "cross", "does not hold")) } } }
            div.body {
                ul.checks {
                    (in_tree(&opened.proven))
                    (yes("The tree's head is signed by the log's key", &html! { (shown(reader.origin())) }))
                    (pinned(studio.trust().as_deref(), opened))
                    @for (markup, _) in &blobs { (markup) }
                    @if damaged { (no("The log as a whole does not check out", &html! { "see above" })) }
                }
                p.small.soft { "Root " (digest(&opened.proven.head.root.to_string())) }
                p.small.soft { "Leaf " (digest(&opened.proven.line.leaf().to_string())) }
                p.small.soft { "Self-consistent (L0): a fork, or all files rolled back together, is excluded by anchors and witnesses alone." }
            }
        }
    }
}

fn pinned(trust: Option<&TrustRoot>, opened: &Opened) -> Markup {
    let reader = &opened.reader;
    let Some(trust) = trust else {
        return open(
            "Whether trust pins this log is not known",
            &html! { "no trust file is configured here" },
        );
    };
    let gate =
        trust.gates.iter().find(|gate| gate.origin == reader.origin() && gate.log_id == reader.log_id());
    match gate {
        Some(gate) if gate.key == *reader.vkey().key() => {
            yes("Trust pins this log", &html! { "gate " (shown(&gate.name)) ", key, origin and id" })
        }
        Some(gate) => no("Trust pins another key for this log", &html! { "gate " (shown(&gate.name)) }),
        None => open("Trust does not pin this log", &html! { "no gate has its origin and id" }),
    }
}

/// The blobs that the entry names: each was hashed just now.
fn blobs(opened: &Opened, decision: &DecisionEntry, report: &Blob) -> Vec<(Markup, bool)> {
    let named = [
        ("Facts", decision.facts.as_ref().map(|it| &it.digest)),
        ("Plan", decision.plan.as_ref().map(|it| &it.digest)),
    ];
    let mut all = vec![("Report", report.clone())];
    all.extend(
        named.into_iter().filter_map(|(name, digest)| Some((name, Blob::read(&opened.reader, digest?)))),
    );
    let told = |(name, blob): (&str, Blob)| match blob {
        Blob::Whole(_) => (yes(&format!("{name}: the bytes that the entry names"), &none()), true),
        Blob::Missing => {
            (open(&format!("{name}: not here"), &html! { "erased, or never copied to this log" }), true)
        }
        Blob::Damaged(why) => {
            (no(&format!("{name}: other bytes than the entry names"), &html! { (shown(&why)) }), false)
        }
    };
    all.into_iter().map(told).collect()
}
