//! Policies: which sets are in force where, what they say, and who changed them when.
//!
//! In: the last decision of each environment, the log's own changes, blobs. Out: pages. What is shown is what was in
//! force when it was recorded, by digest; each line has an address, which findings lead to.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::page::{Section, command, empty, heading, none, shown, unread};
use super::parts::{digest, icon, tag, unverified, when};
use super::response::Answer;
use super::shelf::Held;
use super::{Asked, Studio};
use crate::audit::Reader;
use crate::audit::entry::event::{Actor, Changed};
use crate::audit::entry::{Body, Entry};
use crate::release::digest::ClaimedDigest;
use crate::time::Timestamp;

/// Changes of a page.
const MOST: usize = 40;

/// A set's manifest (`formats.md` section 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) files: Vec<SetFile>,
    #[serde(default)]
    require: Vec<String>,
}

/// A file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct SetFile {
    pub(super) path: String,
    pub(super) digest: ClaimedDigest,
}

impl Set {
    pub(super) fn read(reader: &Reader, digest: &ClaimedDigest) -> Option<Self> {
        let bytes = reader.blob(digest).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The text of a file.
    pub(super) fn file(&self, reader: &Reader, path: &str) -> Option<String> {
        let file = self.files.iter().find(|file| file.path == path)?;
        let bytes = reader.blob(&file.digest).ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Something that changed.
struct Change {
    index: u64,
    time: Timestamp,
    what: &'static str,
    actor: Actor,
    members: Changed,
}

/// A set and where it is in force.
struct InForce {
    name: String,
    version: u64,
    environments: Vec<String>,
}

fn entry(held: &Held, index: u64) -> Option<Entry> {
    let reader = held.reader.as_ref()?;
    held.index().line(reader, index).ok().flatten()?.parse().ok()
}

fn in_force(held: &Held) -> BTreeMap<ClaimedDigest, InForce> {
    let mut sets: BTreeMap<ClaimedDigest, InForce> = BTreeMap::new();
    for (environment, index) in held.catalog().environments() {
        let Some(entry) = entry(held, *index) else { continue };
        let Body::Decision(decision) = &entry.body else { continue };
        for set in &decision.policy.sets {
            let one = sets.entry(set.digest.clone()).or_insert_with(|| InForce {
                name: set.name.clone(),
                version: set.version,
                environments: Vec::new(),
            });
            one.environments.push(environment.clone());
        }
    }
    sets
}

fn changes(held: &Held) -> Vec<Change> {
    let changed = held.catalog().changes().iter().rev().take(MOST);
    changed
        .filter_map(|index| {
            let entry = entry(held, *index)?;
            let (what, event) = match entry.body {
                Body::PolicyChanged(event) => ("policy", event),
                Body::TrustChanged(event) => ("trust", event),
                _ => return None,
            };
            Some(Change { index: *index, time: entry.time, what, actor: event.actor, members: event.members })
        })
        .collect()
}

pub(super) fn page(studio: &Studio, asked: &Asked<'_>) -> Answer {
    let held = studio.shelf.held();
    let (sets, changes, reader) = (in_force(&held), changes(&held), held.reader.clone());
    let unread = unread(&held);
    drop(held);
    let lead = html! { "What releases are held to, as of the last decision of each environment." };
    let body = html! {
        (heading(&html! { "Policies" }, &lead, &none()))
        @if let Some(unread) = unread {
            (unread)
        } @else if sets.is_empty() {
            (empty("policies", "No policy has judged anything yet", &html! {
                p { "Sets appear here with the first decision that was held to them. Check yours before:" }
                (command("laforge policy check"))
            }))
        } @else {
            div.grid.half {
                @for (own, set) in &sets { (set_card(reader.as_deref(), own, set)) }
            }
        }
        @if !changes.is_empty() { (changes_card(&changes, asked.now)) }
    };
    studio.ok(asked, Section::Policies, "Policies", &body)
}

fn set_card(reader: Option<&Reader>, own: &ClaimedDigest, set: &InForce) -> Markup {
    let read = reader.and_then(|reader| Set::read(reader, own));
    html! {
        article.card {
            header { h2 { a href={ "/policies/" (own.hex()) } { (shown(&set.name)) " v" (set.version) } } span.right { (digest(&own.to_string())) } }
            div.body.grid {
                p { "In force for " @for environment in &set.environments { span.env { (shown(environment)) } " " } }
                @match (&read, reader) {
                    (Some(read), Some(reader)) => {
                        div.rules { @for rule in rules(reader, read) { code { (shown(&rule)) } } }
                        @if !read.files.is_empty() { p.small.soft { (read.files.len()) " files" } }
                    }
                    _ => { p.soft { "Its text is not in this log." } }
                }
            }
        }
    }
}

/// What a set asks for, by the members under `require`.
fn rules(reader: &Reader, set: &Set) -> Vec<String> {
    let mut rules: Vec<String> = set.require.iter().map(|flag| format!("--require-{flag}")).collect();
    for file in &set.files {
        let Some(text) = set.file(reader, &file.path) else { continue };
        let Ok(value) = serde_yaml::from_str::<serde_json::Value>(&text) else { continue };
        for section in ["/spec/require", "/spec"] {
            let members = value.pointer(section).and_then(|value| value.as_object());
            let named = members.into_iter().flat_map(|members| members.keys());
            rules.extend(named.filter(|name| *name != "require" && *name != "match").cloned());
        }
    }
    rules.sort();
    rules.dedup();
    rules
}

fn changes_card(changes: &[Change], now: Timestamp) -> Markup {
    // A column of nobody says nothing.
    let asked = changes.iter().any(|change| change.actor.verified);
    html! {
        section.card {
            header { h2 { "Who changed the rules" } span.right { "from the log" } }
            @if !asked { div.body { p.small.soft { "Who asked is not verified for any of these. " (unverified()) } } }
            div.scroll tabindex="0" role="region" aria-label="Changes of policy and trust" {
                table.flow {
                    caption.hidden { "Changes of policy and trust, the newest first" }
                    thead { tr { th scope="col" { "What" } th scope="col" { "Environment" } th scope="col" { "To" } @if asked { th scope="col" { "Asked by" } } th scope="col" { "When" } th.n scope="col" { "Entry" } } }
                    tbody {
                        @for change in changes {
                            tr {
                                td.tight { (tag("info", if change.what == "policy" { "policies" } else { "person" }, change.what)) }
                                td { span.env { (shown(&change.members.environment)) } }
                                td { (digest(&change.members.to.to_string())) @if change.members.from.is_none() { div.sub { "the first" } } }
                                @if asked { td data-label="Asked by" { (super::decision::who(&change.actor)) } }
                                td.tight { (when(change.time, now)) }
                                td.n data-label="Entry" { a href={ "/decisions/" (change.index) } { (change.index) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One set, whole.
pub(super) fn set(studio: &Studio, asked: &Asked<'_>, digest_hex: &str) -> Answer {
    let reader = studio.shelf.held().reader.clone();
    let own = ClaimedDigest::from_hex(digest_hex).ok();
    let read = own.as_ref().zip(reader.as_ref()).and_then(|(own, reader)| Set::read(reader, own));
    let (Some(own), Some(reader), Some(set)) = (own, reader, read) else {
        return studio.missing(asked, "No such policy set", "This log holds no policy set of that digest.");
    };
    let title = format!("{} v{}", shown(&set.name), set.version);
    let body = html! {
        nav.crumb aria-label="Where this is" { a href="/policies" { "← Policies" } }
        (heading(&html! { (title) }, &digest(&own.to_string()), &none()))
        @if !set.require.is_empty() {
            section.card { header { h2 { "Asked for on the command line" } } div.body { ul.checks {
                @for flag in &set.require { li { (icon("check")) div { code { "--require-" (shown(flag)) } } } }
            } } }
        }
        @for file in &set.files {
            section.card {
                header { h2 { (shown(&file.path)) } span.right { (digest(&file.digest.to_string())) } }
                div.body { @match set.file(&reader, &file.path) {
                    Some(text) => (source(&text, &file.path, None)),
                    None => p.soft { "Its text is not in this log." },
                } }
            }
        }
    };
    studio.ok(asked, Section::Policies, &title, &body)
}

/// The address of a line.
pub(super) fn anchor(file: &str, line: u64) -> String {
    let plain: String = file.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{plain}-L{line}")
}

/// What is marked of a text that is shown in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The line, from 1.
    pub(super) line: u64,
    /// Where in it, in letters from 1.
    pub(super) columns: Vec<u64>,
    /// How many lines are shown before it and behind it.
    pub(super) around: u64,
}

impl Mark {
    fn shows(&self, line: u64) -> bool {
        line + self.around >= self.line && line <= self.line + self.around
    }
}

/// A text with its lines' numbers: all of it, each line with an address, or what is around a mark.
pub(super) fn source(text: &str, file: &str, mark: Option<&Mark>) -> Markup {
    let shows = |line: u64| mark.is_none_or(|mark| mark.shows(line));
    html! {
        div.source tabindex="0" role="region" aria-label={ "Text of " (shown(file)) } { ol {
            @for (line, words) in (1..).zip(text.lines()).filter(|(line, _)| shows(*line)) {
                @let marked = mark.filter(|mark| mark.line == line);
                li.mark[marked.is_some()] id=[mark.is_none().then(|| anchor(file, line))] {
                    @if mark.is_none() { a href={ "#" (anchor(file, line)) } { (line) } } @else { a { (line) } }
                    code { (coloured(words, marked.map_or(&[], |mark| &mark.columns))) }
                }
            }
        } }
    }
}

/// Keys and remarks of YAML set apart, roughly, and words that begin at these columns underlined: the text itself is
/// never changed.
fn coloured(line: &str, columns: &[u64]) -> Markup {
    let mut letters: Vec<(char, &str)> = line.chars().map(|letter| (letter, "")).collect();
    let class = |letters: &mut [(char, &str)], from: usize, count: usize, class: &'static str| {
        letters.iter_mut().skip(from).take(count).for_each(|letter| letter.1 = class);
    };
    if line.trim_start().starts_with('#') {
        class(&mut letters, 0, usize::MAX, "remark");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let key = line.split_once(':').filter(|(key, _)| key.trim_start_matches([' ', '-']).chars().all(plain));
    if let Some((key, _)) = key {
        class(&mut letters, 0, key.chars().count(), "key");
    }
    for column in columns {
        let from = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let word = letters.iter().skip(from).take_while(|(letter, _)| plain(*letter)).count();
        class(&mut letters, from, word.max(1), "under");
    }
    html! {
        @for part in letters.chunk_by(|one, other| one.1 == other.1) {
            @let text: String = part.iter().map(|(letter, _)| letter).collect();
            @match part.first().map_or("", |(_, class)| class) { "" => (shown(&text)), class => span class=(class) { (shown(&text)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_a_line_and_shows_those_around_it() {
        let text = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n";
        let mark = Mark { line: 3, columns: vec![4], around: 1 };
        let made = source(text, "x.yaml", Some(&mark)).into_string();
        assert!(made.contains("<li class=\"mark\"><a>3</a>"), "{made}");
        assert!(made.contains(">2</a>") && made.contains(">4</a>") && !made.contains(">5</a>"), "{made}");
        assert!(made.contains("<span class=\"key\">c</span>: <span class=\"under\">3</span>"), "{made}");
        assert_eq!(anchor("a b/c.yaml", 7), "a-b-c-yaml-L7");
    }

    #[test]
    fn underlines_the_words_that_begin_at_a_column() {
        assert_eq!(
            coloured("  é: {sre: 1, from: [source-author]}", &[15, 21, 99]).into_string(),
            "  é: {sre: 1, <span class=\"under\">from</span>: <span class=\"under\">[</span>source-author]}"
        );
    }

    #[test]
    fn a_policy_that_is_markup_is_shown_as_text() {
        let made = source("<script>: \u{202e}1\n", "\"><img src=x>", None).into_string();
        assert!(!made.contains("<script>") && !made.contains("<img"), "{made}");
        assert!(made.contains("\\u{202e}"), "{made}");
    }
}
