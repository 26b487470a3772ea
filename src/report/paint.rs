//! Colour that may be absent, and text that can't paint by itself.
//!
//! Everything is readable without colour; `--color`, `NO_COLOR` and the stream decide (`cli`).

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::release::name::unprintable;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Styled for a terminal.
    Colour,
    /// Plain text.
    Plain,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It holds.
    Good,
    /// It does not.
    Bad,
    /// It may matter.
    Warning,
    /// A heading.
    Strong,
    /// Detail.
    Faint,
}

impl Paint {
    /// The text in a tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        if self == Self::Plain {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default().bold(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Warning => AnsiColor::Yellow.on_default().bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Whether a `[` after this text opens what a CI's runner takes for a command wherever it stands in a line: GitHub
/// Actions' `##[…]`, Azure Pipelines' `##vso[…]`, TeamCity's `##teamcity[…]`. `::` is one of GitHub's at the beginning
/// of a line, blanks before it or not, and a line may be broken at any blank.
/// <https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands>,
/// <https://www.jetbrains.com/help/teamcity/service-messages.html>
pub(super) fn opens_command(before: &str) -> bool {
    before.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).ends_with("##")
}

/// The text with control characters written out, so that evidence can't drive a terminal or a runner.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let begins = shown.is_empty() || shown.ends_with(' ');
        let opens = begins && c == ':' && rest.as_str().starts_with(':');
        // Nor hide or reorder what a reviewer sees.
        if unprintable(c) || opens || (c == '[' && opens_command(&shown)) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// `sha256:9f2c4e…b7e1`: enough to recognise, never enough to be taken for the digest.
pub fn short(digest: &str) -> String {
    match (digest.get(..13), digest.len().checked_sub(4).and_then(|at| digest.get(at..))) {
        (Some(head), Some(tail)) if digest.len() > 24 => format!("{head}…{tail}"),
        _ => digest.to_owned(),
    }
}

/// The text in lines of whole words, at most so wide; a longer word has a line of its own. Runs of
/// spaces stay, since they align columns.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The wire word of an enum that serialises to a string, such as `allow`.
pub fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_out_what_would_drive_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(printable("a ##[add-mask]b"), "a ##\\u{5b}add-mask]b");
        assert_eq!(printable("##vso[a]b ##teamcity[c]"), "##vso\\u{5b}a]b ##teamcity\\u{5b}c]");
        assert_eq!(printable("# a[0] ## b[1]"), "# a[0] ## b[1]");
        assert_eq!(printable("::error::a ::add-mask::b [::1]"), "\\u{3a}:error::a \\u{3a}:add-mask::b [::1]");
    }

    #[test]
    fn is_plain_without_colour() {
        assert_eq!(Paint::Plain.tone(Tone::Bad, "refused"), "refused");
        assert!(Paint::Colour.tone(Tone::Bad, "refused").contains("\u{1b}["));
    }
}
