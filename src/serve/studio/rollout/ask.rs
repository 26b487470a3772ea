//! Pause, resume, roll back: a request to the guard, with a reason, confirmed.
//!
//! In: a form of a caller who may control. Out: the same file that `laforge rollout pause` leaves; what the guard
//! makes of it is a line of the journal. The actor is who the login says, never a field of the form.

use maud::{Markup, html};

use super::super::page::{Section, form_token, heading, none, shown};
use super::super::parts::{digest, icon, release};
use super::super::query::Pairs;
use super::super::response::Answer;
use super::super::rollouts::state_tag;
use super::super::{Asked, Studio};
use super::{Course, read};
use crate::random;
use crate::release::digest::ClaimedDigest;
use crate::rollout::guard::{Ask, Asks, MOST_REASON, Verb};
use crate::rollout::journal::Reading;
use crate::rollout::machine::{Operator, Outcome};
use crate::serve::caller::Right;

/// What a verb is called, and what it does.
struct Said {
    verb: Verb,
    title: &'static str,
    does: &'static str,
    button: &'static str,
    class: &'static str,
}

fn said(verb: &str) -> Option<Said> {
    let verb = Verb::named(verb)?;
    Some(match verb {
        Verb::Pause => Said {
            verb,
            title: "Pause this rollout",
            does: "The candidate's traffic is frozen where it is. A command under way is cancelled. Nothing is given back: that is what rolling back does.",
            button: "Pause",
            class: "primary",
        },
        Verb::Resume => Said {
            verb,
            title: "Resume this rollout",
            does: "The weight is read first. The step's window is then earned again from its beginning: none is skipped.",
            button: "Resume",
            class: "primary",
        },
        Verb::Rollback => Said {
            verb,
            title: "Roll back",
            does: "All traffic goes back to the stable version, is read back, and is drained. There is no way back into this rollout: a new plan is needed.",
            button: "Roll back",
            class: "danger",
        },
    })
}

/// A rollout that something may be asked of, or the answer why not.
fn admitted(studio: &Studio, asked: &Asked<'_>, plan: &str) -> Result<(ClaimedDigest, Course), Answer> {
    if !asked.caller.may(Right::Control) {
        return Err(Answer::refused(
            asked.theme,
            403,
            "Not for you",
            "You may read, and controlling a rollout is not among your rights.",
        ));
    }
    let missing = || studio.missing(asked, "No such rollout", "No journal here is of that plan.");
    let (Ok(plan), Some(place)) = (ClaimedDigest::from_hex(plan), &studio.setup.rollouts) else {
        return Err(missing());
    };
    match read(place, &plan, asked) {
        Ok(course) if course.reading.state().stage.is_terminal() => {
            Err(studio.missing(asked, "It has ended", "Nothing can be asked of a rollout that has ended."))
        }
        Ok(course) => Ok((plan, course)),
        Err(_) => Err(missing()),
    }
}

/// The form, with what was wrong with it.
pub(in crate::serve::studio) fn form(
    studio: &Studio,
    asked: &Asked<'_>,
    plan: &str,
    verb: &str,
    wrong: Option<&str>,
) -> Answer {
    let Some(said) = said(verb) else {
        return studio.missing(asked, "Nothing here", "A rollout is paused, resumed or rolled back.");
    };
    let (plan, course) = match admitted(studio, asked, plan) {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    let to = format!("/rollouts/{}", plan.hex());
    let body = html! {
        nav.crumb aria-label="Where this is" { a href=(to) { "← The rollout" } }
        (heading(&html! { (said.title) }, &whose(&course, &plan), &none()))
        section.card.narrow { div.body.grid {
            p { (state_tag(&course.reading.state().stage)) " with " strong.num { (course.reading.state().actual) " %" } " of the traffic" }
            p { (said.does) }
            @if !course.guarded { p.error { "No guard is at work: the request waits until one runs." } }
            (fields(asked, &said, &to, verb, wrong))
        } }
    };
    let status = if wrong.is_some() { 422 } else { 200 };
    Answer::Page(status, super::super::page::document(studio, asked, Section::Rollouts, said.title, &body))
}

/// Which rollout it is, as its own page says.
fn whose(course: &Course, plan: &ClaimedDigest) -> Markup {
    html! {
        @if let Some(core) = &course.core { (release(&core.release.name, &core.release.version, &core.release.environment)) " · " }
        "plan " (digest(&plan.to_string()))
    }
}

fn fields(asked: &Asked<'_>, said: &Said, to: &str, verb: &str, wrong: Option<&str>) -> Markup {
    html! {
        form.form method="post" action={ (to) "/" (verb) } {
            (form_token(asked))
            @if let Some(wrong) = wrong { p.error #wrong role="alert" { (shown(wrong)) } }
            label { "Why" textarea name="reason" maxlength=(MOST_REASON) required autofocus aria-describedby=[wrong.map(|_| "wrong")] placeholder="It is journaled, and shown with the rollout for good" {} }
            label.check { input type="checkbox" name="sure" value="yes" required; span { "I am " strong { (shown(asked.caller.name())) } ", and this is meant for this rollout." } }
            div.actions {
                button.button.(said.class) type="submit" { (icon(verb_icon(said.verb))) (said.button) }
                a.button href=(to) { "Leave it" }
            }
        }
    }
}

fn verb_icon(verb: Verb) -> &'static str {
    match verb {
        Verb::Pause => "pause",
        Verb::Resume => "play",
        Verb::Rollback => "back",
    }
}

/// Leaves the request.
pub(in crate::serve::studio) fn take(
    studio: &Studio,
    asked: &Asked<'_>,
    plan: &str,
    verb: &str,
    given: &Pairs,
) -> Answer {
    let Some(said) = said(verb) else {
        return studio.missing(asked, "Nothing here", "A rollout is paused, resumed or rolled back.");
    };
    let (digest, course) = match admitted(studio, asked, plan) {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    let reason = given.get("reason").unwrap_or_default();
    let wrong = |text: &str| form(studio, asked, plan, verb, Some(text));
    if given.get("sure") != Some("yes") {
        return wrong("Confirm that it is meant.");
    }
    if reason.len() > MOST_REASON {
        return wrong("A reason has at most 4096 bytes: name a ticket that says the rest.");
    }
    let Ok(operator) = Operator::new(asked.caller.name(), reason) else {
        return wrong("Say why: it is journaled.");
    };
    let Ok(nonce) = random::hex::<16>() else {
        return wrong("The system gives no random bytes. Nothing was asked.");
    };
    let ask = Ask { verb: said.verb, operator, epoch: course.reading.state().epoch, nonce: nonce.clone() };
    match Asks::of(course.reading.path()).leave(&ask) {
        Ok(()) => Answer::Redirect(format!("/rollouts/{}?asked={nonce}", digest.hex())),
        Err(error) => wrong(&format!("The request could not be left: {error}. Nothing was asked.")),
    }
}

/// What the journal says of a request, if it says anything yet.
pub(super) fn answer(reading: &Reading, nonce: &str) -> Option<(&'static str, String)> {
    let (record, outcome) = reading.answer(nonce)?;
    let state = record.after.stage.name();
    Some(match outcome {
        Outcome::Applied(row) => ("allow", format!("The guard took it: {state} ({row})")),
        Outcome::Ignored(why) => ("unclear", format!("The guard ignored it: {why}")),
        Outcome::Refused(why) => ("deny", format!("The guard refused it: {why}")),
    })
}
