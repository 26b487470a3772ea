//! One entry, whole: what was checked, on what evidence, why, and whether that is still what was signed.
//!
//! In: an index. Out: the page. The line is read from the disk now and led to the signed root now; blobs are hashed
//! as they are read. What doesn't check out is shown as that, beside what can still be read.

mod findings;
mod graph;
mod plan;
mod proof;

use maud::{Markup, html};

use super::outcome::Outcome;
use super::page::{Section, command, heading, none, prose, shown, thousands};
use super::parts::{UNKNOWN, badge, brief, digest, field, icon, moment, tag, unverified, when};
use super::query::link;
use super::response::Answer;
use super::told::{Blob, Told};
use super::{Asked, Studio};
use crate::audit::Reader;
use crate::audit::entry::decision::{ApprovalView, DecisionEntry};
use crate::audit::entry::event::Actor;
use crate::audit::entry::{Body, Entry};
use crate::audit::index::Proven;
use crate::policy::account::Action;
use crate::release::digest::ClaimedDigest;
use crate::report::paint::short;
use crate::time::{self, ago};
use crate::verify::facts::TimeKind;

/// An entry as it was read.
pub(super) struct Opened {
    pub(super) proven: Proven,
    pub(super) entry: Entry,
    pub(super) reader: std::sync::Arc<Reader>,
}

/// Why an entry is not shown.
pub(super) enum Closed {
    Nothing,
    Broken(Vec<String>),
}

/// Reads an entry and its way to the root.
pub(super) fn open(studio: &Studio, index: &str) -> Result<Opened, Closed> {
    let plain = !index.is_empty() && index.len() <= 16 && index.bytes().all(|byte| byte.is_ascii_digit());
    let index: u64 = plain.then(|| index.parse().ok()).flatten().ok_or(Closed::Nothing)?;
    let held = studio.shelf.held();
    let reader = held.reader.clone().ok_or(Closed::Nothing)?;
    let proven = held.index().prove(&reader, index, held.index().head());
    drop(held);
    let proven =
        proven.map_err(|error| Closed::Broken(super::shelf::chain(&error)))?.ok_or(Closed::Nothing)?;
    let entry = proven.line.parse().map_err(|error| Closed::Broken(super::shelf::chain(&error)))?;
    Ok(Opened { proven, entry, reader })
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>, index: &str) -> Answer {
    let opened = match open(studio, index) {
        Ok(opened) => opened,
        Err(Closed::Nothing) => {
            let size = studio.shelf.held().index().size();
            let text = format!("The log has no entry `{index}`: it has {size}, counted from 0.");
            return studio.missing(asked, "No such entry", &text);
        }
        Err(Closed::Broken(why)) => return broken(studio, asked, index, &why),
    };
    match &opened.entry.body {
        Body::Decision(decision) => decided(studio, asked, &opened, decision),
        _ => other(studio, asked, &opened),
    }
}

fn broken(studio: &Studio, asked: &Asked<'_>, index: &str, why: &[String]) -> Answer {
    let body = html! {
        (heading(&html! { "Entry " (shown(index)) }, &none(), &none()))
        div.banner.deny role="alert" { (icon("cross")) div {
            strong { "This entry can't be read as it was recorded." }
            p { @for word in why { span.why { (prose(word)) } } }
            p { "Keep the log's folder as it is. " code { "laforge audit verify" } " names the first thing that is wrong." }
        } }
    };
    Answer::Page(
        200,
        super::page::document(studio, asked, Section::Decisions, &format!("Entry {index}"), &body),
    )
}

fn crumb() -> Markup {
    html! { nav.crumb aria-label="Where this is" { a href="/decisions" { "← Decisions" } } }
}

fn decided(studio: &Studio, asked: &Asked<'_>, opened: &Opened, decision: &DecisionEntry) -> Answer {
    let index = opened.entry.seq;
    let report = Blob::read(&opened.reader, &decision.report.digest);
    let release = &decision.release;
    let title = format!("{} {}", shown(&release.name), shown(&release.version));
    let outcome = Outcome::of(decision.action, decision.verdict);
    let lead = html! {
        "To " span.env { (shown(&release.environment)) } " · entry " span.num { (index) } " · " (moment(opened.entry.time))
        span.ago { (ago(opened.entry.time, asked.now)) }
    };
    let body = html! {
        (crumb())
        (heading(&html! { (title) " " span { (big(outcome)) } }, &lead, &downloads(index, decision)))
        (proof::banner(opened, &report))
        (overridden(decision, asked))
        div.grid.two {
            div.stack {
                (findings::section(&opened.reader, decision, report.told()))
                (approvals(decision, report.told(), asked))
                (not_counted(report.told()))
                (plan::section(studio, &opened.reader, decision, asked))
            }
            div.stack {
                (proof::section(studio, opened, decision, &report))
                (summary(decision, report.told()))
                (again(index, decision))
            }
        }
        (graph::section(decision, report.told()))
    };
    studio.ok(asked, Section::Decisions, &title, &body)
}

fn big(outcome: Outcome) -> Markup {
    let markup = badge(outcome).into_string().replacen("class=\"badge", "class=\"badge big", 1);
    maud::PreEscaped(markup)
}

fn downloads(index: u64, decision: &DecisionEntry) -> Markup {
    let file = |name: &str, text: &str| html! { a.button href={ "/decisions/" (index) "/" (name) } download { (icon("down")) (text) } };
    html! {
        @if decision.action == Action::Allow { (file("plan.json", "Plan")) (file("plan.tlog-proof", "Proof")) } @else { (file("entry.tlog-proof", "Proof")) }
        (file("entry.json", "Entry")) (file("report.json", "Report"))
    }
}

fn overridden(decision: &DecisionEntry, asked: &Asked<'_>) -> Markup {
    let Some(glass) = &decision.break_glass else { return none() };
    let due = if glass.review_due < asked.now { "was due" } else { "is due" };
    html! {
        div.banner.glass role="note" { (icon("glass")) div {
            strong { "Break-glass: rules were overridden" }
            p { "Ticket " (shown(&glass.ticket)) " · " @for rule in &glass.rules { code { (shown(rule)) } " " } }
            p { "Counted until " (moment(glass.expires_at)) "; a review " (due) " by " (moment(glass.review_due)) "." }
        } }
    }
}

fn summary(decision: &DecisionEntry, report: Told<'_>) -> Markup {
    let release = &decision.release;
    let word = crate::report::paint::word(&decision.verdict);
    html! {
        section.card {
            header { h2 { "What was asked" } }
            div.body {
                dl.fields {
                    (field("Verdict of the policy", &html! { (word) ", " (mode(report)) }))
                    (field("Asked by", &html! { (who(&decision.actor)) @if !decision.actor.verified { div.small.soft { (unverified()) } } }))
                    @if let Some(ci) = &decision.ci {
                        (field("CI run", &html! { (shown(&ci.provider)) " " (shown(&ci.run_id)) ", attempt " (ci.attempt) " " span.small.faint { "by the environment's word" } }))
                    }
                    (field("Source", &html! { (shown(&release.source.repository)) div.small.soft { (shown(&release.source.r#ref)) " @ " code { (shown(release.source.commit.get(..12).unwrap_or(&release.source.commit))) } } }))
                    (field("Release digest", &match &release.digest {
                        Some(own) => html! { (digest(&own.to_string())) },
                        None => html! { "none: the bytes are not what the release claims" },
                    }))
                    (field("Policy", &html! { @for set in &decision.policy.sets { div { a href={ "/policies/" (set.digest.hex()) } { (shown(&set.name)) " v" (set.version) } } } }))
                    (field("Trust", &digest(&decision.trust.digest.to_string())))
                    (field("Decided at", &moment(decision.clock)))
                    (field("Program", &html! { "laforge " (shown(&decision.tool.version)) }))
                }
                p.small { a href=(link("/decisions", [("release", format!("{}@{}", release.name, release.version))])) { "Every decision on this release" } }
            }
        }
    }
}

fn mode(report: Told<'_>) -> String {
    match report.text("/decision/mode") {
        "" => "mode unknown: the report can't be read".to_owned(),
        "enforce" => "enforced".to_owned(),
        other => other.to_owned(),
    }
}

/// Who, and on whose word.
pub(super) fn who(actor: &Actor) -> Markup {
    html! {
        @if actor.verified {
            (shown(&actor.id)) div.small.soft { "verified" @if let Some(issuer) = &actor.issuer { ", by " (shown(issuer)) } }
        } @else if actor.id == UNKNOWN {
            span.soft { "not verified" }
        } @else {
            (shown(&actor.id)) div.small.soft { "not verified" }
        }
    }
}

fn approvals(decision: &DecisionEntry, report: Told<'_>, asked: &Asked<'_>) -> Markup {
    let people = decision.approvals.len();
    html! {
        section.card {
            header { h2 { "Approvals" } span.right { (decision.totals.approvals) " in date" } }
            @if people == 0 { div.body { p.soft { "Nobody's approval of this release was in date." } } } @else {
                div.scroll tabindex="0" role="region" aria-label="Approvals" {
                    table.flow {
                        caption.hidden { "Who approved, on what evidence" }
                        thead { tr { th scope="col" { "Person" } th scope="col" { "Counted" } th scope="col" { "When" } th scope="col" { "Evidence" } } }
                        tbody { @for approval in &decision.approvals { (approved(approval, report, asked)) } }
                    }
                }
            }
        }
    }
}

fn approved(approval: &ApprovalView, report: Told<'_>, asked: &Asked<'_>) -> Markup {
    html! {
        tr {
            td { strong { (shown(&approval.person)) }
                div.sub { (roles(approval.role.as_deref(), &approval.evidence.to_string(), report)) }
                @if let Some(signer) = &approval.attested_by { div.sub { "passed on by " (shown(signer)) } } }
            td.tight { @if approval.counted { (tag("allow", "check", "counted")) } @else { (tag("dry", "dash", "not counted")) } }
            td { (when(approval.time, asked.now)) div.sub { @if approval.time_kind == TimeKind::Trusted { "trusted time" } @else { "the signer's own clock" } } }
            td.tight { (piece(&approval.evidence.to_string())) }
        }
    }
}

/// A piece of evidence, to be had as it was read.
pub(super) fn piece(evidence: &str) -> Markup {
    match evidence.parse::<ClaimedDigest>() {
        Ok(own) => {
            html! { a href={ "/evidence/" (own.hex()) } title=(evidence) download { code { (short(evidence)) } } }
        }
        Err(_) => html! { (shown(evidence)) },
    }
}

/// The slot that an approval filled; else what roles its person has.
fn roles(role: Option<&str>, evidence: &str, report: Told<'_>) -> Markup {
    if let Some(role) = role {
        return html! { (shown(role)) };
    }
    let own = report.list("/facts/approvals").find(|approval| approval.text("/evidence") == evidence);
    let roles = own.map(|approval| approval.texts("/roles")).unwrap_or_default();
    html! { span.soft { (shown(&roles.join(", "))) } }
}

fn not_counted(report: Told<'_>) -> Markup {
    let aside: Vec<Told<'_>> = report.list("/setAside").collect();
    let unreachable: Vec<Told<'_>> = report.list("/unreachable").collect();
    if aside.is_empty() && unreachable.is_empty() {
        return none();
    }
    html! {
        section.card {
            header { h2 { "Evidence that did not count" } span.right { (aside.len()) " set aside, " (unreachable.len()) " out of reach" } }
            div.body {
                ul.checks {
                    @for one in &unreachable {
                        li.open { (icon("question")) div { (shown(one.text("/source"))) div.sub { "out of reach: " (shown(one.text("/cause"))) } } }
                    }
                    @for one in aside.iter().take(100) {
                        li { (icon("dash")) div { (why_aside(one.text("/kind"), one.text("/reason"))) div.sub { (piece(one.text("/evidence"))) } } }
                    }
                }
                @if aside.len() > 100 { p.small.soft { "and " (thousands(aside.len() as u64 - 100)) " more: the report has them all" } }
            }
        }
    }
}

/// Why a piece was set aside: the reason begins with its kind, in words.
fn why_aside(kind: &str, reason: &str) -> Markup {
    let rest = reason.split_once(": ").filter(|(words, _)| words.replace(' ', "-") == kind);
    html! { code { (shown(kind)) } @match rest { Some((_, rest)) => { ": " (brief(rest)) }, None => { " " (brief(reason)) } } }
}

fn again(index: u64, decision: &DecisionEntry) -> Markup {
    html! {
        section.card.noprint {
            header { h2 { "On the command line" } }
            div.body.grid {
                (command(&format!("laforge audit show {index} --evidence")))
                @if decision.plan.is_some() { (command("laforge audit verify-proof plan.json")) }
                p.small.soft { "Needs no network" @if decision.plan.is_some() { "; the second takes the plan that is downloaded here" } "." }
            }
        }
    }
}

/// An entry of another type.
fn other(studio: &Studio, asked: &Asked<'_>, opened: &Opened) -> Answer {
    let entry = &opened.entry;
    let kind = entry.body.kind().to_owned();
    let text: serde_json::Value = serde_json::from_slice(&opened.proven.line.bytes).unwrap_or_default();
    let title = format!("Entry {}", entry.seq);
    let tools = html! { a.button href={ "/decisions/" (entry.seq) "/entry.json" } download { (icon("down")) "Entry" } };
    let body = html! {
        (crumb())
        (heading(&html! { (title) " " (tag("dry", "dash", &shown(&kind))) }, &html! { (moment(entry.time)) span.ago { (ago(entry.time, asked.now)) } }, &tools))
        div.grid.two {
            section.card { header { h2 { "What it says" } } div.body { div.source tabindex="0" { ol {
                @for line in format!("{text:#}").lines() { li { code { (shown(line)) } } }
            } } } }
            section.card { header { h2 { "Proof" } } div.body { ul.checks { (proof::in_tree(&opened.proven)) } p.small.soft { "Written " (time::to_micros(entry.time)) " by the writer's clock." } } }
        }
    };
    studio.ok(asked, Section::Decisions, &title, &body)
}
