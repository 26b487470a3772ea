//! A message with the line that it is about and a caret under it.

use std::borrow::Cow;

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::yaml::{DocumentError, Place};

use super::paint::{Paint, opens_command, printable, wrapped};

/// What a message is called on its first line.
#[derive(Debug, Clone)]
pub struct Headline<'a> {
    /// `refused`, `warning`, `inconclusive`, `error`.
    pub word: &'static str,
    /// The rule in brackets, if any.
    pub id: Option<&'a str>,
    /// The message.
    pub message: &'a str,
    /// Whether it is as bad as it gets.
    pub bad: bool,
}

/// Renders a headline, its place with a caret, and its notes (label and text).
pub fn render(
    headline: &Headline<'_>,
    place: Option<(&Place, &str)>,
    notes: &[(&str, String)],
    paint: Paint,
) -> String {
    let level = if headline.bad { Level::ERROR } else { Level::WARNING };
    let mut title = level.clone().with_name(headline.word).primary_title(lines(headline.message));
    if let Some(id) = headline.id {
        title = title.id(id);
    }
    let mut group = Group::with_title(title);
    if let Some((place, label)) = place {
        group = group.element(marked(place, label));
    }
    let notes: Vec<Element<'_>> = notes
        .iter()
        .map(|(label, text)| {
            Level::NOTE.with_name(Cow::from((*label).to_owned())).message(lines(text)).into()
        })
        .collect();
    renderer(paint).render(&[group.elements(notes)])
}

/// Renders what is wrong in a document.
pub fn render_error(error: &DocumentError, paint: Paint) -> String {
    let headline = Headline { word: "error", id: None, message: &error.message, bad: true };
    let notes: Vec<_> = error.help.iter().map(|help| ("help", help.clone())).collect();
    render(&headline, Some((&error.place, "")), &notes, paint)
}

/// How wide a message may be: with what stands before it, it fits 120 columns.
const WIDTH: usize = 92;

fn lines(text: &str) -> String {
    wrapped(&printable(text), WIDTH).join("\n")
}

/// Bytes that are looked through for one caret. A longer document is shown as the line alone, and of a line that is
/// longer only the place is told: manifests on one line of megabytes may be told a thousand times.
const MOST_SHOWN: usize = 16 * 1024;

fn marked<'a>(place: &'a Place, label: &'a str) -> Element<'a> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (line, shown) = match place.text.len() > MOST_SHOWN {
        true => (number(place.line), the_line(place)),
        false => (1, Some((&*place.text, place.span.clone()))),
    };
    let Some((text, span)) = shown.filter(|(text, _)| text.len() <= MOST_SHOWN) else {
        let origin = Origin::path(printable(&place.file)).line(number(place.line));
        return origin.char_column(number(place.column)).into();
    };
    let mut annotation = AnnotationKind::Primary.span(span);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    let snippet = Snippet::source(without_commands(text)).line_start(line).path(printable(&place.file));
    snippet.annotation(annotation).into()
}

/// The line, or lines, that a place marks, and what it marks in them.
fn the_line(place: &Place) -> Option<(&str, Range<usize>)> {
    let Range { start, end } = place.span;
    let begin = place.text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let until = place.text.get(end..)?.find('\n').map_or(place.text.len(), |at| end + at);
    Some((place.text.get(begin..until)?, start - begin..end - begin))
}

/// A line in which nothing opens a runner's command; of the same length, so that the caret stays in place.
fn without_commands(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        shown.push(if c == '[' && opens_command(&shown) { '(' } else { c });
    }
    shown
}

fn renderer(paint: Paint) -> Renderer {
    match paint {
        Paint::Colour => Renderer::styled(),
        Paint::Plain => Renderer::plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    #[derive(Debug, serde::Deserialize)]
    struct Held {
        key: crate::yaml::Spanned<String>,
    }

    /// What is told of the value of `key` behind this text.
    fn told(before: &str) -> String {
        let source = Source::new("m", &format!("{before}key: value\n"));
        let held: Held = source.read().unwrap();
        let headline = Headline { word: "refused", id: None, message: "no", bad: true };
        render(&headline, Some((&source.place(&held.key), "")), &[], Paint::Plain)
    }

    #[test]
    fn shows_the_same_of_a_long_document_and_only_the_place_in_a_long_line() {
        let shown = |line: usize| {
            let (at, width) = (line.to_string(), line.to_string().len());
            let gap = " ".repeat(width);
            format!("refused: no\n{gap}--> m:{at}:6\n{gap} |\n{at} | key: value\n{gap} |      ^^^^^")
        };
        assert_eq!(told("# a\n"), shown(2));
        assert_eq!(told(&"# a\n".repeat(9_999)), shown(10_000));
        let source = Source::new("m", &format!("{{\"key\": value, # {}\n}}", "a".repeat(20_000)));
        let held: Held = source.read().unwrap();
        let headline = Headline { word: "refused", id: None, message: "no", bad: true };
        let told = render(&headline, Some((&source.place(&held.key), "")), &[], Paint::Plain);
        assert_eq!(told, "refused: no\n--> m:1:9");
    }

    #[test]
    fn fits_a_terminal() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let message = format!("`payments.tar.gz` is claimed to be {digest} and is {digest}");
        let headline =
            Headline { word: "refused", id: Some("artifact-digest"), message: &message, bad: true };
        let text = render(&headline, None, &[("help", format!("{message} {message}"))], Paint::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn marks_the_place() {
        let source =
            Source::new("policies/production.yaml", "spec:\n  require: { approvals: { atLeast: 2 } }\n");
        #[derive(serde::Deserialize)]
        struct Document {
            spec: std::collections::BTreeMap<String, crate::yaml::Spanned<serde_json::Value>>,
        }
        let document: Document = source.read().unwrap();
        let place = source.place(&document.spec["require"]);
        let headline = Headline {
            word: "refused",
            id: Some("approval-threshold"),
            message: "1 of 2 required approvals for `payments 2.4.0`",
            bad: true,
        };
        let notes = [("counted", "alice".to_owned()), ("help", "ask a second person".to_owned())];
        insta::assert_snapshot!(render(&headline, Some((&place, "needs one more")), &notes, Paint::Plain), @r"
        refused[approval-threshold]: 1 of 2 required approvals for `payments 2.4.0`
         --> policies/production.yaml:2:12
          |
        2 |   require: { approvals: { atLeast: 2 } }
          |            ^ needs one more
          |
          = counted: alice
          = help: ask a second person
        ");
    }
}
