//! Small parts of pages: icons, badges, digests, times.
//!
//! In: values. Out: markup. A meaning never hangs on a colour alone: each badge has a sign and a word.

use maud::{Markup, PreEscaped, html};

use super::outcome::Outcome;
use super::page::shown;
use crate::report::paint::short;
use crate::time::{self, Timestamp, ago};

/// A sign of 16 by 16, drawn in the text's colour.
pub(super) fn icon(name: &str) -> Markup {
    let path = match name {
        "mark" => "M3 3v10h4M9 3h4M9 8h3M9 3v10",
        "overview" => "M2.5 13.5h11M4 11V7.5M8 11V3M12 11V5.5",
        "decisions" => "M2.5 4h1M6 4h7.5M2.5 8h1M6 8h7.5M2.5 12h1M6 12h7.5",
        "approvals" => {
            "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.5-3 2.2-4 4.5-4 1 0 1.900.2 2.600.6M9.500 12l1.700 1.700 3.300-3.700"
        }
        "rollouts" => "M2 13h3v-3h3.500V6.500H12V3h2.500",
        "policies" => {
            "M8 1.500 2.500 3.500v4c0 3.500 2.300 5.800 5.500 7 3.200-1.200 5.500-3.500 5.500-7v-4L8 1.500ZM5.500 8l1.800 1.800L10.700 6"
        }
        "log" => "M3 2.500h7.500L13 5v8.500H3v-11ZM5.500 6.500h5M5.500 9h5M5.500 11.500h3",
        "check" => "M3 8.500 6.500 12 13 4.500",
        "cross" => "M4 4l8 8M12 4l-8 8",
        "question" => "M5.500 5.700a2.500 2.500 0 1 1 3.700 2.200c-.8.4-1.200.9-1.200 1.800M8 12.200v.3",
        "glass" => "M8 1.500 1.500 13.500h13L8 1.500ZM8 6v3.500M8 11.500v.3",
        "dash" => "M3.500 8h9",
        "clock" => "M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM8 4.800V8l2.200 1.500",
        "pause" => "M5.500 3.500v9M10.500 3.500v9",
        "play" => "M5 3v10l8-5-8-5Z",
        "back" => "M6 4 2.500 7.500 6 11M3 7.500h6.500a3.500 3.500 0 0 1 0 7H8",
        "copy" => "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
        "down" => "M8 2.500v8M4.500 7.500 8 11l3.500-3.500M3 13.500h10",
        "person" => {
            "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.500 14c.5-3.200 2.700-4.500 5.500-4.500s5 1.300 5.500 4.500"
        }
        "sun" => {
            "M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5ZM8 1.500V3M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M3.400 12.600l1-1M11.600 4.400l1-1"
        }
        "moon" => "M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500Z",
        "system" => "M2 3h12v8H2zM6 13.500h4M8 11v2.500",
        "link" => {
            "M6.500 9.500l3-3M7 4.500 8.500 3a3 3 0 0 1 4.500 4.500L11.500 9M9 11.500 7.500 13A3 3 0 0 1 3 8.500L4.500 7"
        }
        _ => "M3.500 8h9",
    };
    PreEscaped(format!(
        "<svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><path d=\"{path}\"/></svg>"
    ))
}

/// What a decision came to.
pub(super) fn badge(outcome: Outcome) -> Markup {
    let glyph = match outcome {
        Outcome::Allowed => "check",
        Outcome::Overridden => "glass",
        Outcome::Denied => "cross",
        Outcome::Inconclusive => "question",
        Outcome::Rehearsed => "dash",
    };
    tag(outcome.class(), glyph, outcome.name())
}

/// A word with a sign.
pub(super) fn tag(class: &str, glyph: &str, text: &str) -> Markup {
    html! { span.badge.(class) { (icon(glyph)) (text) } }
}

/// A digest, short, with all of it for who points at it or copies it.
pub(super) fn digest(text: &str) -> Markup {
    html! {
        span.digest title=(text) { code { (short(text)) }
            button.copy type="button" data-copy=(text) aria-label={ "Copy " (short(text)) } hidden { (icon("copy")) } }
    }
}

/// A sentence of ours, as [`prose`] shows it, with digests cut short: all of one is there for who points at it or
/// copies it, and no line is made of nothing else.
pub(super) fn brief(text: &str) -> Markup {
    if !text.matches('`').count().is_multiple_of(2) {
        return shortened(text);
    }
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 0 { (shortened(part)) }
            @else if is_digest(part) { (digest(part)) }
            @else { code { (shown(part)) } }
        }
    }
}

fn shortened(text: &str) -> Markup {
    let edge = |c: char| !c.is_ascii_alphanumeric() && c != ':';
    html! {
        @for word in text.split_inclusive(edge) {
            @let bare = word.trim_end_matches(edge);
            @if is_digest(bare) { (digest(bare)) (shown(word.get(bare.len()..).unwrap_or_default())) } @else { (shown(word)) }
        }
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The name of an actor whom nothing verifies.
pub(super) const UNKNOWN: &str = "unknown";

/// Why it is not known who asked, and how it would be.
pub(super) fn unverified() -> Markup {
    html! { "A command line can't prove who runs it. Asked through " code { "laforge runtime" } ", the caller's login is in the log: " code { "docs/runtime.md" } "." }
}

/// An instant, in UTC.
pub(super) fn moment(at: Timestamp) -> Markup {
    let (exact, told) = (time::to_seconds(at), at.format("%-d %b %Y, %H:%M:%S"));
    html! { time datetime=(exact) { (told) " UTC" } }
}

/// An instant as people read lists, all of it for who points at it.
pub(super) fn when(at: Timestamp, now: Timestamp) -> Markup {
    let exact = time::to_seconds(at);
    html! { time datetime=(exact) title=(exact) { (at.format("%-d %b %H:%M")) } span.ago { (ago(at, now)) } }
}

/// `name version → environment`.
pub(super) fn release(name: &str, version: &str, environment: &str) -> Markup {
    html! { span.release { strong { (shown(name)) } " " span.version { (shown(version)) } }
    " " span.env { (shown(environment)) } }
}

/// A name and a value of a list of such.
pub(super) fn field(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Parts per million as percent, without a needless zero.
pub(super) fn percent(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_its_words_and_cuts_its_digests() {
        let whole = format!("sha256:{}", "ab".repeat(32));
        let made =
            brief(&format!("ask `bob` to approve {whole}, not <b> or `{whole}`: sha256:ab")).into_string();
        let short = digest(&whole).into_string();
        assert_eq!(
            made,
            format!("ask <code>bob</code> to approve {short}, not &lt;b&gt; or {short}: sha256:ab")
        );
    }

    #[test]
    fn a_backtick_without_another_is_a_letter() {
        assert_eq!(brief("it's a ` here").into_string(), "it's a ` here");
    }
}
