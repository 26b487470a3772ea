//! Rollouts, live and past: those whose journals are here, and what the log says of those elsewhere.
//!
//! In: the executor's state folder, and the log's milestones. Out: the page, and the live one in short. Journals are
//! replayed as they are read; one that doesn't check out is said to be so, and the others are shown.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::charts::meter;
use super::page::{Section, command, empty, heading, none, prose, shown, unread};
use super::parts::{digest, release, tag, when};
use super::response::Answer;
use super::{Asked, Studio};
use crate::audit::catalog::Milestone;
use crate::release::digest::ClaimedDigest;
use crate::rollout::guard::View;
use crate::rollout::journal::{self, JournalError, Reading, unproven_core};
use crate::rollout::machine::{Stage, State};
use crate::serve::RolloutsAt;
use crate::time::Timestamp;

/// Rollouts of a page, past ones.
const MOST: usize = 30;

/// A rollout as a list shows it.
struct Listed {
    plan: ClaimedDigest,
    name: (String, String, String),
    target: String,
    state: State,
    steps: usize,
    began: Option<Timestamp>,
    last: Option<Timestamp>,
    guarded: bool,
}

/// What is under the state folder.
#[derive(Default)]
struct Here {
    live: Vec<Listed>,
    past: Vec<Listed>,
    wrong: Vec<(String, Vec<String>)>,
    more: usize,
}

fn here(place: &RolloutsAt, now: Timestamp) -> Here {
    let mut here = Here::default();
    let standing = match journal::standing(&place.state, &place.target) {
        Ok(standing) => standing,
        Err(error) => {
            here.wrong.push((place.target.clone(), super::shelf::chain(&error)));
            return here;
        }
    };
    here.more = standing.ended.len().saturating_sub(MOST);
    let ended = standing.ended.iter().rev().take(MOST);
    for (plan, live) in standing.open.iter().map(|plan| (plan, true)).chain(ended.map(|plan| (plan, false))) {
        match listed(place, plan, now) {
            Ok(one) if live => here.live.push(one),
            Ok(one) => here.past.push(one),
            Err(error) => here.wrong.push((plan.to_string(), super::shelf::chain(&error))),
        }
    }
    here.past.sort_by_key(|one| std::cmp::Reverse(one.last));
    here
}

fn listed(place: &RolloutsAt, plan: &ClaimedDigest, now: Timestamp) -> Result<Listed, JournalError> {
    let reading = Reading::open(&place.state, &place.target, plan)?;
    let core = unproven_core(&reading.created().envelope).ok();
    let name = core.map(|core| (core.release.name, core.release.version, core.release.environment));
    let records = reading.records();
    Ok(Listed {
        plan: plan.clone(),
        name: name.unwrap_or_default(),
        target: place.target.clone(),
        state: reading.state().clone(),
        steps: reading.schedule().rungs().count(),
        began: records.first().map(|record| record.received_at),
        last: records.last().map(|record| record.received_at),
        guarded: View::is_at_work(reading.path(), now),
    })
}

/// A state as a word with a sign.
pub(super) fn state_tag(stage: &Stage) -> Markup {
    let (class, glyph) = match stage {
        Stage::Completed => ("allow", "check"),
        Stage::RolledBack => ("deny", "back"),
        Stage::RollingBack { .. } => ("deny", "back"),
        Stage::Paused { .. } => ("unclear", "pause"),
        Stage::Expired => ("dry", "clock"),
        Stage::Planned => ("dry", "dash"),
        _ => ("info", "rollouts"),
    };
    let name = match stage.pause() {
        Some(pause) => format!("Paused: {}", pause.cause),
        None => spaced(stage.name()),
    };
    tag(class, glyph, &name)
}

/// `RollingBack` as people write it.
pub(super) fn spaced(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.chars().enumerate() {
        if at > 0 && letter.is_uppercase() {
            out.push(' ');
            out.extend(letter.to_lowercase());
        } else {
            out.push(letter);
        }
    }
    out
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let here = studio.setup.rollouts.as_ref().map(|place| here(place, asked.now));
    if here.as_ref().is_some_and(|here| !here.live.is_empty()) {
        asked.refresh(2);
    }
    let known: BTreeSet<String> = here
        .iter()
        .flat_map(|here| here.live.iter().chain(&here.past))
        .map(|one| one.plan.to_string())
        .collect();
    let held = studio.shelf.held();
    let elsewhere: Vec<(String, Milestone)> = held
        .catalog()
        .rollouts()
        .filter(|(plan, _)| !known.contains(*plan))
        .take(MOST)
        .map(|(plan, last)| (plan.to_owned(), last.clone()))
        .collect();
    let unread = unread(&held);
    drop(held);
    let nothing = elsewhere.is_empty()
        && here
            .as_ref()
            .is_none_or(|here| here.live.is_empty() && here.past.is_empty() && here.wrong.is_empty());
    let lead = html! { "Traffic moves step by step, each step earned by a window within its budgets." };
    let body = html! {
        (heading(&html! { "Rollouts" }, &lead, &none()))
        @if nothing { (unread.unwrap_or_else(|| no_rollout(studio))) }
        @if let Some(here) = &here { (those_here(here, asked)) }
        @if !elsewhere.is_empty() { (those_elsewhere(&elsewhere, asked)) }
    };
    studio.ok(asked, Section::Rollouts, "Rollouts", &body)
}

fn no_rollout(studio: &Studio) -> Markup {
    empty(
        "rollouts",
        "No rollout yet",
        &html! {
            @if studio.setup.rollouts.is_some() {
                p { "A plan that the gate allowed is run here, where the traffic is. Its course appears by itself." }
                (command("laforge rollout run plan.json"))
            } @else {
                p { "This machine runs no rollouts: laforge.yaml has no " code { "executor:" } ". Those that a guard writes to this log appear here all the same." }
                (command("laforge rollout simulate plan.json"))
            }
        },
    )
}

fn those_here(here: &Here, asked: &Asked<'_>) -> Markup {
    html! {
        @for (what, why) in &here.wrong {
            div.banner.deny role="alert" { (super::parts::icon("cross")) div {
                strong { "A journal does not check out" } p { code { (shown(what)) } } p { @for word in why { span.why { (prose(word)) } } }
            } }
        }
        @if !here.live.is_empty() {
            section.stack aria-label="Live" { @for one in &here.live { (live_card(one)) } }
        }
        @if !here.past.is_empty() {
            section.card {
                header { h2 { "Past" } span.right { "at " (shown(&here.past.first().map(|one| one.target.clone()).unwrap_or_default())) } }
                (past_table(&here.past, asked.now))
                @if here.more > 0 { div.body { p.small.soft { (here.more) " older ones: " code { "laforge rollout history" } } } }
            }
        }
    }
}

fn live_card(one: &Listed) -> Markup {
    let (name, version, environment) = &one.name;
    let step = (one.state.passed + 1).min(one.steps);
    html! {
        article.card {
            header { h2 { a href={ "/rollouts/" (one.plan.hex()) } { (release(name, version, environment)) } } (state_tag(&one.state.stage)) span.right { "step " (step) " of " (one.steps) } }
            div.body {
                p { strong.num { (one.state.actual) " %" } " of the traffic, target " (one.state.target) " %, at " (shown(&one.target)) }
                div.track { (meter(one.state.actual.percent(), 100, "info")) }
                @if !one.guarded { p.small.error { "No guard is at work." } }
            }
        }
    }
}

fn past_table(past: &[Listed], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Past rollouts" {
            table.flow data-sortable {
                caption.hidden { "Past rollouts, the newest first" }
                thead { tr { th scope="col" { "End" } th scope="col" { "Release" } th.n scope="col" { "Steps" } th scope="col" { "Plan" } th scope="col" { "Ended" } } }
                tbody { @for one in past {
                    tr data-row {
                        td.tight { (state_tag(&one.state.stage)) }
                        td { a href={ "/rollouts/" (one.plan.hex()) } { (release(&one.name.0, &one.name.1, &one.name.2)) } @if let Some(began) = one.began { div.sub { "began " (began.format("%-d %b %H:%M")) " UTC" } } }
                        td.n data-label="Steps passed" { (one.state.passed) " of " (one.steps) }
                        td { (digest(&one.plan.to_string())) }
                        td.tight { @if let Some(last) = one.last { (when(last, now)) } }
                    }
                } }
            }
        }
    }
}

fn those_elsewhere(elsewhere: &[(String, Milestone)], asked: &Asked<'_>) -> Markup {
    html! {
        section.card {
            header { h2 { "Elsewhere" } span.right { "by what their guards wrote to this log" } }
            div.scroll tabindex="0" role="region" aria-label="Rollouts elsewhere" {
                table.flow {
                    caption.hidden { "Rollouts whose journals are not on this machine" }
                    thead { tr { th scope="col" { "Last said" } th scope="col" { "Release" } th scope="col" { "Target" } th scope="col" { "When" } th.n scope="col" { "Entry" } } }
                    tbody { @for (plan, last) in elsewhere {
                        tr data-row {
                            td.tight { (milestone_tag(last)) }
                            td { a href={ "/rollouts/" (plan.strip_prefix("sha256:").unwrap_or(plan)) } { (release(&last.release.name, &last.release.version, &last.release.environment)) } }
                            td { (shown(&last.target)) }
                            td.tight { (when(last.time, asked.now)) }
                            td.n data-label="Entry" { a href={ "/decisions/" (last.index) } { (last.index) } }
                        }
                    } }
                }
            }
        }
    }
}

/// What the log says happened.
pub(super) fn milestone_tag(milestone: &Milestone) -> Markup {
    let (class, glyph) = match milestone.kind.as_str() {
        "completed" => ("allow", "check"),
        "paused" => ("unclear", "pause"),
        "rolled_back" | "rolling_back" => ("deny", "back"),
        _ => ("info", "rollouts"),
    };
    let cause = milestone.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
    tag(class, glyph, &format!("{}{}", milestone.kind.replace('_', " "), shown(&cause)))
}

/// Live rollouts in short.
pub(super) fn brief(studio: &Studio, asked: &Asked<'_>) -> Markup {
    let Some(place) = &studio.setup.rollouts else {
        return html! { p.soft { "This machine runs no rollouts." } };
    };
    let here = here(place, asked.now);
    if !here.live.is_empty() {
        asked.refresh(3);
    }
    html! {
        @if here.live.is_empty() { p.soft { "None is under way at " (shown(&place.target)) "." } }
        @for one in &here.live {
            div {
                p { a href={ "/rollouts/" (one.plan.hex()) } { (release(&one.name.0, &one.name.1, &one.name.2)) } }
                p.small { (state_tag(&one.state.stage)) " " span.num { (one.state.actual) " %" } " of the traffic" }
                div.track { (meter(one.state.actual.percent(), 100, "info")) }
            }
        }
        @if !here.wrong.is_empty() { p.error { "A journal does not check out." } }
    }
}
