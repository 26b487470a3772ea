//! One rollout: where it stands, what it was allowed, what it counted, and what was done.
//!
//! In: its journal, replayed now; the guard's view, where it agrees with the journal. Out: the page, which follows by
//! itself while the rollout lives. Where no journal is here, what the log says of it.

pub(super) mod ask;
mod course;

use maud::{Markup, html};

use super::charts::budget;
use super::page::{Section, heading, none, prose, shown};
use super::parts::{digest, field, icon, moment, percent, when};
use super::response::Answer;
use super::rollouts::{milestone_tag, spaced, state_tag};
use super::{Asked, Studio};
use crate::audit::catalog::Milestone;
use crate::plan::{Cause, RecordedCore};
use crate::release::digest::ClaimedDigest;
use crate::report::paint::word;
use crate::rollout::guard::View;
use crate::rollout::journal::{JournalError, Reading, Record, unproven_core};
use crate::rollout::machine::{Pause, Rung};
use crate::rollout::objective::{Budget, Count, Measured};
use crate::serve::RolloutsAt;
use crate::serve::caller::Right;
use crate::time::ago;

/// A rollout as it was read.
pub(super) struct Course {
    pub(super) reading: Reading,
    pub(super) core: Option<RecordedCore>,
    pub(super) view: Option<View>,
    pub(super) guarded: bool,
}

/// Reads one that is here.
pub(super) fn read(
    place: &RolloutsAt,
    plan: &ClaimedDigest,
    asked: &Asked<'_>,
) -> Result<Course, JournalError> {
    let reading = Reading::open(&place.state, &place.target, plan)?;
    let core = unproven_core(&reading.created().envelope).ok();
    let guarded = View::is_at_work(reading.path(), asked.now);
    // The journal is right; a view of anything else is none.
    let same = |view: &View| view.length == reading.head().length && view.state == *reading.state();
    let view = View::read(reading.path()).filter(same);
    Ok(Course { reading, core, view, guarded })
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>, plan: &str) -> Answer {
    let Ok(plan) = ClaimedDigest::from_hex(plan) else {
        return studio.missing(
            asked,
            "No such rollout",
            "Rollouts are named by the 64 hexadecimal digits of their plan's digest.",
        );
    };
    let held = studio.shelf.held();
    let milestones = held.catalog().rollout(&plan.to_string()).to_vec();
    drop(held);
    let course = studio.setup.rollouts.as_ref().map(|place| read(place, &plan, asked));
    match course {
        Some(Ok(course)) => here(studio, asked, &plan, &course, &milestones),
        Some(Err(error)) if !matches!(error, JournalError::Absent { .. }) => {
            broken(studio, asked, &plan, &error)
        }
        _ if milestones.is_empty() => studio.missing(
            asked,
            "No such rollout",
            "Neither a journal here nor the log knows a rollout of that plan.",
        ),
        _ => elsewhere(studio, asked, &plan, &milestones),
    }
}

fn crumb() -> Markup {
    html! { nav.crumb aria-label="Where this is" { a href="/rollouts" { "← Rollouts" } } }
}

fn broken(studio: &Studio, asked: &Asked<'_>, plan: &ClaimedDigest, error: &JournalError) -> Answer {
    let body = html! {
        (crumb())
        (heading(&html! { "Rollout" }, &digest(&plan.to_string()), &none()))
        div.banner.deny role="alert" { (icon("cross")) div {
            strong { "The journal does not check out." }
            p { @for word in super::shelf::chain(error) { span.why { (prose(&word)) } } }
            p { "Nothing is shown of it, and nothing can be asked. Compare what runs with the last line that holds, and keep the folder as it is." }
        } }
    };
    studio.ok(asked, Section::Rollouts, "Rollout", &body)
}

fn here(
    studio: &Studio,
    asked: &Asked<'_>,
    plan: &ClaimedDigest,
    course: &Course,
    milestones: &[Milestone],
) -> Answer {
    let state = course.reading.state();
    if !state.stage.is_terminal() {
        asked.refresh(2);
    }
    let (name, version, environment) = match &course.core {
        Some(core) => {
            (shown(&core.release.name), shown(&core.release.version), shown(&core.release.environment))
        }
        None => Default::default(),
    };
    let title = format!("{name} {version}");
    let lead = html! { "To " span.env { (environment) } " at " (shown(&course.reading.created().target)) " · plan " (digest(&plan.to_string())) };
    let body = html! {
        (crumb())
        (heading(&html! { (title) " " span { (big(&state_tag(&state.stage))) } }, &lead, &controls(asked, plan, course)))
        (asked_for(asked, course))
        (pause(course, asked))
        div.grid.two {
            div.stack {
                (course::weights(course, asked))
                (windows(course))
            }
            div.stack { (standing(course, asked)) (course::timeline(course, milestones)) }
        }
    };
    studio.ok(asked, Section::Rollouts, &title, &body)
}

fn big(tag: &Markup) -> Markup {
    maud::PreEscaped(tag.0.replacen("class=\"badge", "class=\"badge big", 1))
}

/// What can be asked of the guard, by whom it can be.
fn controls(asked: &Asked<'_>, plan: &ClaimedDigest, course: &Course) -> Markup {
    let stage = &course.reading.state().stage;
    if stage.is_terminal() {
        return none();
    }
    if !asked.caller.may(Right::Control) {
        return html! { span.small.soft { "You may read, and not control." } };
    }
    let to = |verb: &str| format!("/rollouts/{}/{verb}", plan.hex());
    html! {
        @if stage.pause().is_some() { a.button href=(to("resume")) { (icon("play")) "Resume…" } }
        @else if stage.is_live() && stage.name() != "RollingBack" { a.button href=(to("pause")) { (icon("pause")) "Pause…" } }
        @if stage.name() != "RollingBack" { a.button.danger href=(to("rollback")) { (icon("back")) "Roll back…" } }
    }
}

/// What became of a request that was just left.
fn asked_for(asked: &Asked<'_>, course: &Course) -> Markup {
    let Some(nonce) = asked.pairs.get("asked") else { return none() };
    match ask::answer(&course.reading, nonce) {
        Some((class, text)) => html! {
            div.banner.(class) role="status" { (icon(if class == "allow" { "check" } else { "cross" })) div { strong data-tell { (shown(&text)) } } }
        },
        None if course.guarded => html! {
            div.banner.info role="status" { (icon("clock")) div { strong { "The request is left, and the guard has not taken it yet." } } }
        },
        None => html! {
            div.banner.unclear role="status" { (icon("clock")) div {
                strong { "The request is left, but no guard is at work to take it." }
                p { "It is taken as soon as one runs. To go back at once, on the executor's machine:" }
                (super::page::command(&format!("laforge rollout rollback --plan {} --reason '…'", course.reading.created().plan_digest)))
            } }
        },
    }
}

/// Why it is paused: by whom, or by what was measured when the pause began.
fn pause(course: &Course, asked: &Asked<'_>) -> Markup {
    let state = course.reading.state();
    let Some(pause) = state.stage.pause() else { return none() };
    let records = course.reading.records();
    let began =
        |record: &&Record| record.before.stage.pause().is_none() && record.after.stage.pause().is_some();
    let record = records.iter().rev().find(began);
    let seen = record.and_then(|record| record.seen.as_ref());
    let rung = course.reading.schedule().rung(state.passed);
    html! {
        section.banner.unclear aria-label="Why it is paused" { (icon("pause")) div {
            strong data-tell { (why_paused(pause)) }
            @if let Some((actor, reason)) = record.and_then(course::operator) { p { (actor) ": " (reason) } }
            p { "Since " (moment(pause.since)) " (" (ago(pause.since, asked.now)) "). Recommended: " strong { (format!("{:?}", pause.cause.recommends())) } "."
                @if let Some(deadline) = pause.deadline { " Without an answer it is rolled back at " (moment(deadline)) "." } }
            @if let Some(seen) = seen {
                @if let Some(breach) = seen.breach { p { "How it came to light: " (word(&breach)) "." } }
                @if let Some(unclear) = seen.unclear { p { "Why there is no verdict: " (word(&unclear)) "." } }
                @for measured in &seen.candidate { (spent(measured, rung, course.core.as_ref())) }
                @for trouble in &seen.troubles { p { (prose(trouble)) } }
            }
        } }
    }
}

fn why_paused(pause: &Pause) -> String {
    let phase = spaced(&format!("{:?}", pause.from)).to_lowercase();
    match pause.cause {
        Cause::Operator => format!("Paused by an operator, while {phase}"),
        cause => format!("Paused because of {cause}, while {phase}"),
    }
}

/// Measured, threshold, n and query: all that a pause was decided by.
fn spent(measured: &Measured, rung: &Rung, core: Option<&RecordedCore>) -> Markup {
    let budget = rung.budgets.iter().find(|budget| budget.id == measured.objective);
    let metric =
        core.and_then(|core| core.objectives.iter().find(|objective| objective.id == measured.objective));
    html! {
        p {
            strong { (shown(&measured.objective)) } ": " (counted(measured.count))
            @if let Some(budget) = budget { ", at most " (percent(budget.ppm)) ", needs " (budget.min_samples) " requests" }
            @if let Some(metric) = metric {
                br; code.small { (shown(metric.ratio_metric.bad.as_ref().or(metric.ratio_metric.good.as_ref()).map_or("", String::as_str))) }
            }
        }
    }
}

fn counted(count: Count) -> String {
    let ppm = (u128::from(count.bad) * 1_000_000).checked_div(u128::from(count.total));
    match ppm.and_then(|ppm| u64::try_from(ppm).ok()) {
        Some(ppm) => format!("{} of {} bad ({})", count.bad, count.total, percent(ppm)),
        None => "no request".to_owned(),
    }
}

fn standing(course: &Course, asked: &Asked<'_>) -> Markup {
    let state = course.reading.state();
    let steps = course.reading.schedule().rungs().count();
    let slots = &course.reading.created().slots;
    html! {
        section.card {
            header { h2 { "Where it stands" } @if !state.stage.is_terminal() { span.right { "live" } } }
            div.body aria-live="polite" {
                dl.fields {
                    (field("Traffic of the candidate", &html! { strong.num data-tell { (state.actual) " %" } " read back, target " (state.target) " %" }))
                    (field("Step", &html! { ((state.passed + 1).min(steps)) " of " (steps) }))
                    (field("Slots", &html! { (shown(&slots.candidate)) " is the candidate, " (shown(&slots.stable)) " serves" }))
                    (field("Epoch", &html! { (state.epoch) }))
                    @if let Some(view) = &course.view { (field("Waits for", &prose(&view.waits_for))) }
                    (field("Guard", &html! { @if course.guarded { "at work" } @else if state.stage.is_terminal() { "has ended" } @else { span.error { "none is at work" } div.small.soft { code { "laforge rollout run" } " goes on" } } }))
                    (field("Journal", &html! { (course.reading.head().length) " lines, replayed " (ago(asked.now, asked.now)) }))
                }
                @for trouble in course.view.iter().flat_map(|view| &view.troubles) { p.error { (prose(trouble)) } }
            }
        }
    }
}

/// What each step's window counted of its budgets.
fn windows(course: &Course) -> Markup {
    let found = course::windows(course);
    let ended = course.reading.state().stage.is_terminal();
    let live = course.view.as_ref().filter(|view| !ended && !view.candidate.is_empty());
    let rung = course.reading.schedule().rung(course.reading.state().passed);
    html! {
        section.card {
            header { h2 { "Budgets" } span.right { "the line is the budget's end" } }
            div.body {
                @if let Some(view) = live {
                    h3 { "This window, " (rung.weight) " %" }
                    @for one in &rung.budgets { (used(one, &view.candidate, &view.stable)) }
                }
                @for window in &found {
                    h3 { (window.weight) " %: " (window.said) span.ago { (window.at.format("%H:%M:%S")) } }
                    @for one in &window.rung.budgets { (used(one, window.candidate, window.stable)) }
                }
                @if found.is_empty() && live.is_none() { p.soft { "No window has been judged yet." } }
            }
        }
    }
}

fn used(own: &Budget, candidate: &[Measured], stable: &[Measured]) -> Markup {
    let of = |side: &[Measured]| side.iter().find(|it| it.objective == own.id).map(|it| it.count);
    let count = of(candidate);
    let (class, share) = count.map_or(("dry", 0.0), |count| course::spent(own, count));
    html! {
        div.budget {
            div.line {
                strong { (shown(&own.id)) }
                span.soft { @match count { Some(count) => (counted(count)), None => "no count" } ", at most " (percent(own.ppm)) }
            }
            (budget(share, class))
            div.small.faint { "needs " (own.min_samples) " requests" @if let Some(stable) = of(stable) { "; stable " (counted(stable)) } }
        }
    }
}

fn elsewhere(studio: &Studio, asked: &Asked<'_>, plan: &ClaimedDigest, milestones: &[Milestone]) -> Answer {
    let last = milestones.last();
    let title = last
        .map(|last| format!("{} {}", shown(&last.release.name), shown(&last.release.version)))
        .unwrap_or_default();
    let body = html! {
        (crumb())
        (heading(&html! { (title) " " @if let Some(last) = last { span { (big(&milestone_tag(last))) } } }, &digest(&plan.to_string()), &none()))
        section.card {
            header { h2 { "What the log says of it" } }
            div.body {
                ul.rows { @for milestone in milestones {
                    li { (milestone_tag(milestone)) span.grow { "at " (shown(&milestone.target)) ", " a href={ "/decisions/" (milestone.index) } { "entry " (milestone.index) } } (when(milestone.time, asked.now)) }
                } }
                p.small.soft { "Its journal, with weights and budgets, is on the machine of its executor." }
            }
        }
    };
    studio.ok(asked, Section::Rollouts, &title, &body)
}
