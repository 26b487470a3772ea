//! What waits for approvals, for whom, and the exact command that gives one.
//!
//! In: releases that were denied last for want of approvals; the people whom trust names. Out: the page, and the
//! same in short for the overview. Who may still approve is what trust says today; who counted is what was recorded.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::decisions::quoted;
use super::page::{Section, command, empty, heading, none, shown, unread};
use super::parts::{brief, digest, release, tag, when};
use super::response::Answer;
use super::shelf::Held;
use super::told::{Blob, Told};
use super::{Asked, Studio};
use crate::audit::catalog::Group;
use crate::audit::entry::Body;
use crate::time::Timestamp;
use crate::trust::TrustRoot;

/// Groups of a page.
const MOST: usize = 60;

/// A release that waits.
pub(super) struct Wait {
    pub(super) group: Group,
    pub(super) index: u64,
    pub(super) time: Timestamp,
    /// The people who could give what is missing.
    pub(super) who: Vec<String>,
    needs: Vec<Need>,
    digest: Option<String>,
    /// Rules that stand in the way besides.
    besides: Vec<String>,
}

/// One requirement that is not met.
struct Need {
    message: String,
    help: String,
    counted: Vec<String>,
    /// Roles that it names, of those that trust knows.
    roles: Vec<String>,
}

impl Need {
    /// How many are asked for, and of what; a sentence of another form asks for itself.
    fn asks_for(&self) -> (u64, &str) {
        let told = self.message.split_once(" of ").and_then(|(_, rest)| rest.split_once(' '));
        told.and_then(|(count, what)| Some((count.parse().ok()?, what))).unwrap_or((0, &self.message))
    }

    /// Whose approvals did not count, and why, where the gate says so.
    fn lacking(&self) -> Option<&str> {
        let (_, lacking) = self.help.split_once("(not counted: ")?;
        lacking.strip_suffix(')')
    }
}

/// What waits, the newest first.
pub(super) fn waits(studio: &Studio, held: &Held, most: usize) -> Vec<Wait> {
    let Some(reader) = &held.reader else { return Vec::new() };
    let trust = studio.trust();
    let trust = trust.as_deref();
    let mut waits = Vec::new();
    for (group, index) in held.catalog().waiting().take(most) {
        let line = held.index().line(reader, index).ok().flatten();
        let Some(entry) = line.and_then(|line| line.parse().ok()) else { continue };
        let Body::Decision(decision) = &entry.body else { continue };
        let report = Blob::read(reader, &decision.report.digest);
        let needs: Vec<Need> =
            report.told().list("/findings").filter(is_approval).map(|it| need(it, trust)).collect();
        let mut besides: Vec<String> = decision
            .findings
            .iter()
            .map(|finding| finding.rule.clone())
            .filter(|rule| rule != "approval-threshold")
            .collect();
        besides.sort();
        besides.dedup();
        waits.push(Wait {
            who: trust.map(|trust| candidates(trust, &needs)).unwrap_or_default(),
            group,
            index,
            time: entry.time,
            needs,
            digest: decision.release.digest.as_ref().map(ToString::to_string),
            besides,
        });
    }
    waits
}

fn is_approval(finding: &Told<'_>) -> bool {
    finding.text("/rule") == "approval-threshold"
}

fn need(finding: Told<'_>, trust: Option<&TrustRoot>) -> Need {
    let message = finding.text("/message");
    let help = finding.text("/help");
    let known = trust.iter().flat_map(|trust| &trust.people).flat_map(|person| &person.roles);
    let mut roles: Vec<String> = known
        .filter(|role| [message, help].iter().any(|text| text.contains(&format!("`{role}`"))))
        .cloned()
        .collect();
    roles.sort();
    roles.dedup();
    Need {
        message: message.to_owned(),
        help: help.to_owned(),
        counted: finding.texts("/counted").into_iter().map(str::to_owned).collect(),
        roles,
    }
}

/// People with a role that is asked for who have not counted yet.
fn candidates(trust: &TrustRoot, needs: &[Need]) -> Vec<String> {
    let may = |need: &Need, name: &str, roles: &[String]| {
        let role = if need.roles.is_empty() {
            !roles.is_empty()
        } else {
            need.roles.iter().any(|it| roles.contains(it))
        };
        role && !need.counted.iter().any(|counted| counted == name)
    };
    let people =
        trust.people.iter().filter(|person| needs.iter().any(|need| may(need, &person.name, &person.roles)));
    people.map(|person| person.name.clone()).collect()
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let held = studio.shelf.held();
    let total = held.catalog().waiting().len();
    let waits = waits(studio, &held, MOST);
    let unread = unread(&held);
    drop(held);
    let lead = html! { "Releases that were denied last because approvals are missing. An approval is a signature, so it is given where the key is." };
    let body = html! {
        (heading(&html! { "Waiting for approval" }, &lead, &none()))
        @if waits.is_empty() { (unread.unwrap_or_else(|| nothing(studio))) }
        div.stack { @for wait in &waits { (one(studio, wait, asked)) } }
        @if total > waits.len() { p.soft { (total - waits.len()) " older ones are not shown." } }
    };
    studio.ok(asked, Section::Approvals, "Waiting for approval", &body)
}

fn nothing(studio: &Studio) -> Markup {
    let decided = studio.shelf.held().catalog().decisions() > 0;
    empty(
        "approvals",
        "Nothing waits for approval",
        &html! {
            @if decided {
                p { "No release was denied last for want of approvals. The next one appears here by itself." }
            } @else {
                p { "Once a release is denied because approvals are missing, it stands here with who can give them and how." }
                (command("laforge deploy --require-approved"))
            }
        },
    )
}

fn one(studio: &Studio, wait: &Wait, asked: &Asked<'_>) -> Markup {
    let group = &wait.group;
    html! {
        article.card id={ "e" (wait.index) } {
            header {
                h2 { a href={ "/decisions/" (wait.index) } { (release(&group.name, &group.version, &group.environment)) } }
                span.right { (when(wait.time, asked.now)) }
            }
            div.body.grid.half {
                div.stack {
                    (missing(wait))
                    @if wait.needs.is_empty() { p.soft { "The report of this decision is not here: it says how many are missing." } }
                    @if !wait.besides.is_empty() {
                        p.small { "An approval alone is not enough, " a href={ "/decisions/" (wait.index) } { "the decision" } " also names " @for rule in &wait.besides { code.chip { (shown(rule)) } " " } }
                    }
                }
                div.stack {
                    (who(studio.trust().as_deref(), wait))
                    div.stack.close {
                        p.small.soft { "In a checkout of the release's repository, after reading what it shows:" }
                        (command("laforge approve --release release.yaml --key file:KEY.key"))
                    }
                    @if let Some(own) = &wait.digest {
                        details {
                            summary { "Without the release at hand" }
                            (command(&format!("laforge approve --blind {own} --environment {} --key file:KEY.key", quoted(&shown(&group.environment)))))
                            p.small.soft { "Compare the digest first: " (digest(own)) }
                        }
                    }
                    p.small.soft { "Then the gate is asked again: " code { "laforge deploy" } " reads the new evidence." }
                }
            }
        }
    }
}

/// What is missing, each once, and whose approvals counted.
fn missing(wait: &Wait) -> Markup {
    let release = format!(" for `{} {}`", wait.group.name, wait.group.version);
    let mut counted: Vec<&str> =
        wait.needs.iter().flat_map(|need| &need.counted).map(String::as_str).collect();
    counted.sort_unstable();
    counted.dedup();
    let lacking = wait.needs.iter().filter_map(|need| need.lacking());
    let lacking: BTreeSet<&str> = lacking.collect();
    html! {
        @if !wait.needs.is_empty() {
            div.stack.close {
                @for need in strictest(&wait.needs) { p.message { strong { (brief(&need.message.replacen(&release, "", 1))) } } }
                p.small.soft { @if counted.is_empty() { "Nobody's has counted yet." } @else { "Counted: " (shown(&counted.join(", "))) "." } }
                @for one in lacking { p.small.soft { "Not counted: " (brief(one)) "." } }
            }
        }
    }
}

/// What asks for most: of "0 of 1" and "0 of 2" of the same, the second.
fn strictest(needs: &[Need]) -> Vec<&Need> {
    let mut kept: Vec<&Need> = Vec::new();
    for need in needs {
        match kept.iter_mut().find(|other| other.asks_for().1 == need.asks_for().1) {
            Some(other) if other.asks_for().0 < need.asks_for().0 => *other = need,
            Some(_) => {}
            None => kept.push(need),
        }
    }
    kept
}

/// Who can give it, by trust.
fn who(trust: Option<&TrustRoot>, wait: &Wait) -> Markup {
    let Some(trust) = trust else {
        return html! { p.soft { "Who can give it is what trust says; no trust file is configured here." } };
    };
    let people: Vec<_> = trust.people.iter().filter(|person| wait.who.contains(&person.name)).collect();
    html! {
        div {
            p { strong { "Who can give it" } }
            @if people.is_empty() { p.soft { "Nobody whom trust names and who has not approved yet." } }
            ul.rows {
                @for person in people {
                    li { span.grow { (shown(&person.name)) } span { @for role in &person.roles { (tag("dry", "person", &shown(role))) " " } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(message: &str, help: &str) -> Need {
        Need { message: message.to_owned(), help: help.to_owned(), counted: Vec::new(), roles: Vec::new() }
    }

    #[test]
    fn of_what_is_asked_for_twice_the_most_is_told() {
        let needs = [
            need("0 of 1 required approvals for `a 1`", ""),
            need("0 of 2 required approvals for `a 1`", ""),
            need("0 of 1 required approvals by `sre` for `a 1`", ""),
            need("0 of 2 required approvals for `a 1`", ""),
            need("something else", ""),
        ];
        let told: Vec<&str> = strictest(&needs).into_iter().map(|need| need.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "0 of 2 required approvals for `a 1`",
                "0 of 1 required approvals by `sre` for `a 1`",
                "something else"
            ]
        );
    }

    #[test]
    fn says_who_did_not_count_where_the_gate_does() {
        let help = "ask another `sre` to approve sha256:ab (not counted: bob: too old)";
        assert_eq!(need("", help).lacking(), Some("bob: too old"));
        assert_eq!(need("", "ask another `sre` to approve sha256:ab").lacking(), None);
    }
}
